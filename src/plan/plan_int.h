/* Private to src/plan: the plan object and what its passes share. */
#ifndef GS_PLAN_INT_H
#define GS_PLAN_INT_H

#include "plan/plan.h"
#include "plan/variants.h"

/* ---- the canonical program (pass_simplify.c) ---- */

/* What a live node is to the fuser. */
typedef enum gs_node_kind {
    GS_NK_SOURCE,   /* input, variable, const_data: exists in memory before the step */
    GS_NK_EXPR,     /* elementwise, full, iota: can be recomputed anywhere from its operands */
    GS_NK_VIEW,     /* broadcast, permute, slice: read through strides */
    GS_NK_RESHAPE,  /* another shape for the bytes of its input */
    GS_NK_SUM,      /* reduction with prologue and epilogue */
    GS_NK_KERNEL,   /* everything else: own lowering */
} gs_node_kind;

typedef struct gs_unit gs_unit;

typedef struct gs_ninfo { /* by node id */
    bool live;
    int order;          /* position in plan->order */
    int uses;           /* consumers among live nodes and results */
    bool result;        /* wanted as output or assignment */
    bool root;          /* gets a value */
    bool hard;          /* root even if all its consumers are fused with it */
    bool kept;          /* it, or a reshape of it, is a result */
    bool written;       /* the same, of a variable */
    bool ends;          /* a product whose kernel can do an epilogue */
    bool folded;        /* padding that the convolutions that read it do themselves: never in memory */
    bool read_outside;  /* some other unit reads it: it must be stored */
    gs_unit *unit;      /* roots: who computes it */
    gs_value *value;
} gs_ninfo;

/* How rows lie: each in one piece, or side by side, an element of each in turn. */
typedef enum gs_rows_form { GS_ROWS_WHOLE, GS_ROWS_COLUMNS } gs_rows_form;

typedef enum gs_unit_kind { GS_U_EXPR, GS_U_SUM, GS_U_KERNEL, GS_U_ROWS } gs_unit_kind;

/* One thing to launch: elementwise roots over one shape; sums over one shape and axes, with elementwise roots over the sums'
 * shape behind them; one op with its own lowering, a product with elementwise roots of its shape behind it (epilogue.c); or units of
 * the first two kinds, and largest elements, of which each row of a tensor depends on its own row of the others (pass_rows.c). */
struct gs_unit {
    gs_unit_kind kind;
    int id;
    gs_node **roots;  int n_roots, cap_roots; /* in order of computation */
    gs_shape shape;           /* of the elementwise roots (SUM, ROWS: the sums' shape) */
    gs_shape in_shape;        /* SUM, ROWS: what is summed */
    unsigned axes;
    gs_rows_form form;        /* ROWS */
    int n_leaves;             /* distinct reads, an upper bound */
    int last_order;           /* largest order among roots */
    uint64_t *ancestors;      /* bit set of unit ids that must run before */
    int *deps; int n_deps, cap_deps; /* units that must run directly before */
    bool scheduled, visiting;
};

/* A variable's new value, written at the end of the step. */
typedef struct gs_write {
    gs_var *var;
    gs_node *value;
    int store_index;
    bool in_place;      /* the unit that computes value writes the variable's storage */
} gs_write;

typedef struct gs_plan_output { char *name; gs_node *node; gs_value *value; gs_shape shape; } gs_plan_output;
typedef struct gs_plan_input { char *name; gs_value *value; gs_shape shape; gs_dtype dtype; } gs_plan_input;

typedef struct gs_chunk { size_t size; } gs_chunk;

#define GS_PAGE 4096  /* bytes: a load whose address differs from a store's by a multiple of it waits for that */
#define GS_PHASE 512  /* bytes that an item of a launch through such lines (gs_launch.apart) takes of each, at most */

struct gs_plan {
    gs_device *d;
    gs_store *store;
    bool own_store;
    bool off_cse, off_simplify, off_factors, off_fuse, off_epilogue, off_rows, off_columns, off_inplace, off_share, off_graphs, dry_run, no_winograd;
    char *use;                  /* variants that were asked for by name */

    /* compile time only */
    gs_graph *g;
    gs_arena *arena;
    gs_node **order; int n_order, cap_order;
    gs_ninfo *info; int n_info;
    gs_unit **units; int n_units, cap_units;
    int set_words;              /* 64-bit words of a bit set of units */
    gs_unit **schedule; int n_schedule;
    gs_write *writes; int n_writes, cap_writes;
    gs_str source;              /* generated kernels of this plan */
    uint64_t *kernel_hashes; int n_kernels, cap_kernels;

    /* the plan itself */
    gs_value **values; int n_values, cap_values;
    gs_launch **launches; int n_launches, cap_launches;
    gs_plan_output *outputs; int n_outputs, cap_outputs;
    gs_plan_input *inputs; int n_inputs, cap_inputs;
    gs_value *step_block;       /* NULL when nothing is random */
    gs_chunk *chunks; int n_chunks, cap_chunks; /* workspace sizes */
    gs_buffer *constants;       /* inputs and tables */
    size_t constant_bytes;
    size_t live_bytes;          /* most bytes alive at once: what the workspace cannot be smaller than */
    size_t kept_bytes;          /* with a budget: the workspace if everything stayed */
    int shared_launches;        /* left out because an earlier one made the same, repeated ones not counted */
    int workspace_gen;          /* the store's workspace that the kernels are bound to */
    double *seconds;            /* GESSO_DEBUG >= 2: time of each launch, summed */
    int runs;
    bool again;                 /* a variant's kernel did not build: compiling once more goes without it */
    const struct gs_epilogue *end; /* of the product that is being lowered, NULL: none */
    gs_use *uses; int n_uses, cap_uses; /* products and convolutions, for tuning */
    gs_recording *recording;    /* the launches as one piece of work for the driver (record.c); NULL: none yet */
};

struct gs_store {
    gs_device *d;
    uint64_t seed;
    struct gs_tensor {
        char *name;
        gs_shape shape;
        gs_dtype dtype;
        bool trainable;
        gs_buffer *buffer;
        size_t offset;
    } *t;
    int n, cap;
    gs_buffer **buffers; int n_buffers, cap_buffers; /* hold the tensors */
    gs_buffer **workspace; size_t *workspace_size; int n_workspace, cap_workspace;
    int workspace_gen;
};

gs_node_kind gs__kind(const gs_node *n);
static inline gs_ninfo *gs__info(gs_plan *p, const gs_node *n) { return &p->info[n->id]; }
/* The node whose bytes n shows: through reshapes. */
gs_node *gs__storage(gs_node *n);

/* identities.c. The node that n equals, made on already simplified operands in; NULL: no identity applies. */
gs_node *gs__identity(const gs_node *n, gs_node **in);
/* Does x, seen through its broadcasts, stay the same along all those axes? */
bool gs__same_along(const gs_node *x, unsigned axes);
/* Do floats hold the factor with all their bits? Where they do not, two factors stay two: each by itself may suit what it is applied to. */
bool gs__is_factor(double a);
/* Is n an operation of an instruction or two, cheaper than a load? (pass_fuse.c) */
bool gs__light(const gs_node *n);
/* A node of the canonical program that is a sum, with the factors of its terms in front of it, made of nodes of that program; NULL: it has none, or is no
 * sum (factors.c). */
gs_node *gs__sum_factored(gs_plan *p, gs_node *n);

/* Passes, in order. Each is one file. */
gs_status gs__pass_simplify(gs_plan *p); /* live nodes, simplification, merging: fills order, info, writes, outputs */
gs_status gs__pass_fuse(gs_plan *p);     /* roots and units */
gs_status gs__pass_rows(gs_plan *p);     /* units that go along the same rows become one */
gs_status gs__pass_schedule(gs_plan *p); /* order of units; which assignments are written in place */
gs_status gs__pass_lower(gs_plan *p);    /* units to launches */
gs_status gs__pass_memory(gs_plan *p);   /* lifetimes, in-place, offsets */
/* Makes again what need not stay, until at most so many bytes of workspace are alive at once or nothing helps. Returns the least reached;
 * gs__pass_memory must follow. */
size_t gs__pass_remat(gs_plan *p, size_t most);
/* Leaves out launches that repeat others, where keeping what they make takes no more memory than is in use anyway; gs__pass_memory must follow, then
 * one of the other two: back to all launches, or for good. */
typedef struct gs_swap { gs_arg *arg; gs_value *value; } gs_swap; /* what an argument was */
typedef struct gs_shared {
    gs_launch **before; int n_before;      /* all launches */
    gs_launch **gone; int n_gone, cap_gone; /* those left out */
    gs_swap *swaps; int n_swaps, cap_swaps;
} gs_shared;
void gs__pass_share(gs_plan *p, size_t most, gs_shared *u);
void gs__share_undo(gs_plan *p, gs_shared *u);
void gs__share_end(gs_plan *p, gs_shared *u);
gs_status gs__plan_bind(gs_plan *p);     /* buffers, programs, kernels, arguments */
gs_status gs__plan_rebind(gs_plan *p);   /* after the workspace moved */

/* Index maps: dimension j of a node is iteration dimension dim[j] (or constant, -1) plus start[j]. */
typedef struct gs_vmap { int rank; int dim[GS_MAX_DIMS]; int64_t start[GS_MAX_DIMS]; } gs_vmap;
gs_vmap gs__vmap_identity(int rank);
/* The map of the input of a view node, from the view's own. */
gs_vmap gs__vmap_view(const gs_node *view, const gs_vmap *m);
/* Is reading through m the same as reading element by element? */
bool gs__vmap_is_identity(const gs_vmap *m);
bool gs__vmap_equal(const gs_vmap *a, const gs_vmap *b);

/* Calls fn for every leaf (a node with a value: source, root, or reshape of one) that the expression of n reads. Does not enter n's own
 * operands when they are roots. */
typedef void gs_leaf_fn(void *user, gs_node *leaf, const gs_vmap *m);
void gs__walk_leaves(gs_plan *p, gs_node *n, const gs_vmap *m, bool top, gs_leaf_fn *fn, void *user);

/* Calls fn for every leaf that a unit reads. */
void gs__unit_leaves(gs_plan *p, gs_unit *u, gs_leaf_fn *fn, void *user);
/* Calls fn for every leaf that a root reads. kernel: it is computed by an op's own kernel. */
void gs__root_leaves(gs_plan *p, gs_node *n, bool kernel, gs_leaf_fn *fn, void *user);
/* The unit that computes a leaf's bytes; NULL for sources. */
gs_unit *gs__leaf_unit(gs_plan *p, gs_node *leaf);

static inline bool gs__bit(const uint64_t *set, int i) { return set[i / 64] >> (i % 64) & 1; }
static inline void gs__set_bit(uint64_t *set, int i) { set[i / 64] |= 1ull << (i % 64); }
/* Adds `before` and all that runs before it to what runs before u, and before all that run after u. */
void gs__unit_after(gs_plan *p, gs_unit *u, gs_unit *before);
/* The same for all units whose values u reads. */
void gs__unit_after_reads(gs_plan *p, gs_unit *u);
/* Marks all values that are read by other units than their own. */
void gs__note_reads(gs_plan *p);

/* codegen_map.c, codegen_sum.c: launches of an EXPR or SUM unit. A store to a part of a tensor (concat, pad): base offset and strides over the roots' shape;
 * NULL: the root's own value. */
typedef struct gs_store_at { gs_value *value; int64_t offset; int64_t stride[GS_MAX_DIMS]; } gs_store_at;
gs_status gs__emit_expr(gs_plan *p, gs_node *const *roots, int n_roots, gs_shape shape, const gs_store_at *at);
gs_status gs__emit_sum(gs_plan *p, gs_unit *u);

/* pass_rows.c, codegen_rows.c. What the roots of a ROWS unit are: as long as the row, made of all of it, or another value a row; and the loop along
 * the row that computes them, or that they come before. `later`: a later loop reads an element again. */
typedef enum gs_row_kind { GS_ROW_WIDE, GS_ROW_TOTAL, GS_ROW_SMALL } gs_row_kind;
typedef struct gs_row_root { gs_row_kind kind; int loop; bool later; } gs_row_root;
#define GS_ROWS_MAX 32     /* tensors of a launch over rows: its roots, and what it reads */
#define GS_ROWS_KEEP 4096  /* elements of the longest row that a launch keeps for itself */
void gs__rows_loops(gs_plan *p, gs_unit *u, gs_row_root *roots);
gs_status gs__emit_rows(gs_plan *p, gs_unit *u);

/* epilogue.c. Will the kernel that computes n be able to do an epilogue? Asked once a node: gs_ninfo.ends. */
bool gs__epilogue_can(gs_plan *p, const gs_node *n);
/* Can an elementwise root be part of the product's epilogue, as far as its operands go? */
bool gs__epilogue_fits(gs_plan *p, const gs_node *product, gs_node *root);
/* The epilogue of a unit whose stored roots have their values. */
struct gs_epilogue *gs__epilogue_new(gs_plan *p, gs_unit *u);
void gs__epilogue_free(struct gs_epilogue *e);
/* Where a product that is not stored may leave parts of its sums: one of the epilogue's outputs, or scratch memory. */
gs_value *gs__epilogue_place(gs_plan *p, const struct gs_epilogue *e, int64_t count);
/* The problems of product nodes, without an epilogue (lower_matmul.c, lower_conv.c). */
gs_problem gs__matmul_problem(const gs_node *n);
gs_problem gs__conv_problem(gs_plan *p, const gs_node *n);

/* Does a root have memory of its own? A product with an epilogue, and what goes along rows, only for those who read it elsewhere. After gs__pass_fuse. */
static inline bool gs__stored(gs_plan *p, const gs_node *n)
{
    const gs_ninfo *info = gs__info(p, n);
    const bool ends = (info->unit->kind == GS_U_KERNEL && info->unit->n_roots > 1 && info->unit->roots[0] == n) || info->unit->kind == GS_U_ROWS;

    return info->read_outside || (ends ? info->kept : info->hard);
}

gs_value *gs__value_new(gs_plan *p, gs_place place, int64_t count, gs_dtype dtype, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
gs_launch *gs__launch_generated(gs_plan *p, const char *kernel);
void gs__launch_free(gs_plan *p, gs_launch *l);

/* run.c: queues every launch. record.c: replays them where the device offers that and it pays; *done tells whether it did. A recording
 * holds addresses, so it is dropped when the workspace moves. */
gs_status gs__plan_enqueue(gs_plan *p);
gs_status gs__plan_replay(gs_plan *p, bool *done);
void gs__plan_drop_recording(gs_plan *p);
/* pass_memory.c. Bytes that a value takes. First and last launch of all values, and who shares whose bytes; returns how many do. */
size_t gs__value_bytes(const gs_value *v);
int gs__memory_lifetimes(gs_plan *p);
/* Bytes of workspace alive at each launch (live has n_launches + 2 entries), and the most, and where that is. After gs__memory_lifetimes. */
size_t gs__memory_live(const gs_plan *p, size_t *live, int *at);

/* bind.c: where a value lies now, offset in bytes. */
gs_buffer *gs__plan_buffer(const gs_plan *p, const gs_value *v, size_t *offset);
/* print.c: the time of each kernel, when the plan measured it ($GESSO_DEBUG=2). */
void gs__plan_print_times(const gs_plan *p);

/* store.c */
/* Adds the graph's variables that the store lacks; allocate: with memory and initial values (a dry run needs neither). */
gs_status gs__store_add(gs_store *s, gs_graph *g, bool allocate);
gs_status gs__store_workspace(gs_store *s, const gs_chunk *chunks, int n);

#endif
