/* Private to the code generator: one kernel being written (codegen_expr.c) by its forms (codegen_map.c, codegen_sum.c, codegen_rows.c; the last two
 * share the loop along a row, codegen_row_loop.c). */
#ifndef GS_PLAN_CODEGEN_H
#define GS_PLAN_CODEGEN_H

#include <string.h>

#include "plan/plan_int.h"

#define GEN_MAX_ACCESS 64

/* One way a kernel touches memory: a tensor read or written through strides, or the value of an index (iota). */
typedef struct gs_access {
    gs_node *leaf;          /* NULL: an output */
    bool is_index;          /* iota: the offset itself is the value */
    gs_value *value;
    gs_dtype dtype;
    int64_t offset;
    int64_t stride[GS_MAX_DIMS];    /* over the iteration shape */
    int64_t cstride[GS_MAX_DIMS];   /* over the collapsed dims */
    bool out, partial;
    const char *index;      /* how the element is found, instead of by strides (epilogue.c) */
    bool over_kept;         /* SUM: outputs and epilogue reads see the kept dims only */
    bool in_place;          /* ROWS: an output may take the place of an input, both having this */
} gs_access;

typedef struct gs_memo { const gs_node *node; gs_vmap map; int var; } gs_memo;

typedef struct gs_gen {
    gs_plan *p;
    gs_unit *unit;                  /* whose roots stay in registers; NULL: none */
    gs_shape iter;                  /* iteration shape */
    unsigned reduced;               /* axes summed over */
    gs_access a[GEN_MAX_ACCESS]; int n;
    int rank;                       /* collapsed */
    int64_t dim[GS_MAX_DIMS]; bool red[GS_MAX_DIMS];
    int axis[GS_MAX_DIMS];          /* innermost dim of the iteration shape that collapsed into it */
    int64_t scalar[48]; int n_scalars; /* stride arguments q0.. */
    float number[12]; int n_numbers;   /* number arguments num0.. */
    bool literals;                  /* numbers are written out: the text has no head to declare them (epilogue.c) */
    gs_memo *memo; int n_memo, cap_memo;
    int n_vars;
    bool over_kept;                 /* emitting an epilogue */
    char tag[64];                   /* op names, for the kernel's name */
    bool calls;                     /* some of them call functions of the driver's that no vector goes through */
    struct gs_rows *rows;           /* a launch over rows (codegen_rows.c); NULL: none */
    bool side;                      /* ROWS: rows lie side by side, and nothing is the same for all of an item's */
    gs_str once;                    /* ROWS: loads that are the same for the whole row */
    int once_var[GEN_MAX_ACCESS];   /* ROWS: by access, 1 + the variable loaded there; 0: none yet */
} gs_gen;

/* Text to text. */
static inline void gs__put(gs_str *s, const char *text) { gs_str_append(s, text, strlen(text)); }
/* Phase 1: notes every access of the expression of n. */
void gs__gen_collect(gs_gen *g, gs_node *n, bool top);
/* Notes an output of the iteration (or kept) shape; at may be NULL. Returns its index. */
int gs__gen_output(gs_gen *g, gs_value *v, gs_dtype dtype, const gs_store_at *at);
/* Merges dims that every access steps through alike, and drops dims of length 1. */
void gs__gen_collapse(gs_gen *g);
/* Strides over dims that another kernel of the same iteration collapsed (rank, dim, red, axis are set). */
void gs__gen_project(gs_gen *g);
/* The linear index of the collapsed dims d0.., or of the kept ones only. */
void gs__gen_horner(gs_gen *g, gs_str *s, bool kept_only);
/* Phase 2: writes statements for n's expression; returns the number of the variable (v<number>) that holds it. */
int gs__gen_emit(gs_gen *g, gs_str *s, gs_node *n, const gs_vmap *m, bool top);
void gs__gen_remember(gs_gen *g, const gs_node *n, int var); /* n's value, read element by element, is in v<var> */
/* Index expression of an access in the collapsed dims d0.. */
void gs__gen_index(gs_gen *g, gs_str *s, const gs_access *a);
/* "__kernel void NAME(" parameters ")\n{\n" and the offsets. extra: further parameters, or "". */
void gs__gen_head(gs_gen *g, gs_str *s, const char *name, const char *extra);
/* Adds text (with its name replaced for @) to the plan's source once, and returns the kernel's name in the plan's arena. */
const char *gs__gen_add(gs_gen *g, const char *family, const char *text);
/* Append to a launch what gs__gen_head declares: pointers (contiguous ones marked when the kernel is elementwise), then, after the
 * extra parameters, indices, strides, numbers and dims. */
void gs__gen_pointers(gs_gen *g, gs_launch *l, bool elementwise);
void gs__gen_sizes(gs_gen *g, gs_launch *l);
/* A division and a remainder for each of dims[n-1..1], leaving the rest: sets d<dims[i]> from the int expression `from`. */
void gs__gen_decode(gs_gen *g, gs_str *s, const char *from, const int *dims, int n);
bool gs__gen_contiguous(const gs_gen *g, const gs_access *a);
/* Does the body of a loop along dim `inner` compute so much that vectors of 16 pay: functions that take tens of instructions, or three operations and more
 * for two elements that it moves? What waits for memory is faster by vectors of 8, which the compiler takes by itself. */
bool gs__gen_heavy(const char *statements, int inner);

/* codegen_row_loop.c: a loop on CPUs over `j` of row dim `dim` from j (declared) to `end` (declared), that adds up sums first .. first + n - 1, or takes the
 * largest where that is so: body writes statements that end with u<k> = the value for each, at the element d<dim>. Without sums it is a loop all the same. */
typedef void gs_row_body(gs_gen *g, gs_str *s, void *user);
#define GS_LANES 16
#define GS_CHAINS 4 /* sums of GS_LANES that go on at a time */
typedef struct gs_row_loop {
    int dim, first, n;
    uint64_t largest;       /* bit k: the largest of the values of k, which is m<k> at least */
    gs_row_body *body;
    void *user;
    int vectors;            /* that the row is, one after the other instead of in a loop: `end` is in the last of them; 0: a loop over j */
    const char *declared, *after; /* NULL, or statements in front of the body and behind it that are done for elements beyond the end too */
} gs_row_loop;
void gs__gen_row_start(gs_str *s, const gs_row_loop *r);
void gs__gen_row_loop(gs_gen *g, gs_str *s, const gs_row_loop *r);
void gs__gen_row_total(gs_str *s, const gs_row_loop *r); /* leaves it in s<k> */
void gs__gen_row_join(gs_str *s, const gs_row_loop *r, int k); /* without that: the vector of k's sums, or largest, in a<k>_0 */

/* Of a root of g->unit that another loop or the row made: the variable that holds it, after statements that load it (codegen_rows.c). */
int gs__rows_read(gs_gen *g, gs_str *s, const gs_node *n);
double gs__gen_bytes(const gs_gen *g);

#endif
