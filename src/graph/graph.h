/* The inside of the graph, for src/graph, src/plan and tests: nodes, the op table, gradient and reference contexts.
 *
 * An op's meaning stands in one file, src/graph/ops/<op>.c, with one constant descriptor; src/graph/ops.list
 * has a line for each op. Binary and ternary elementwise ops see operands of one shape: the builders insert
 * explicit `broadcast` nodes, whose gradient is a sum. Reductions keep their axes with length 1; builders add
 * the reshape. */
#ifndef GS_GRAPH_H
#define GS_GRAPH_H

#include "base/base.h"
#include "gesso/graph.h"

typedef enum gs_op_id {
#define OP(name) GS_OP_##name,
#include "graph/ops.list"
#undef OP
    GS_OP_COUNT
} gs_op_id;

typedef struct gs_attr {
    double f[4];
    int32_t i[16];
    gs_shape shape;   /* target shape of reshape, broadcast, ...; starts of slice */
    const void *data; /* const_data: the graph's copy; bytes follow from shape and dtype */
    gs_var *var;      /* variable, assign */
    const char *name; /* input */
} gs_attr;

enum gs_op_flags {
    GS_F_ELEMENTWISE = 1, /* expr gives element i from elements i of the inputs */
    GS_F_VIEW = 2,        /* broadcast, permute, slice: reads its input through strides */
    GS_F_SOURCE = 4,      /* no inputs */
    GS_F_NO_GRAD = 8,     /* derivative zero or undefined everywhere; no_grad says why */
    GS_F_RANDOM = 16,     /* never merged with an equal node */
    GS_F_REDUCE = 32,     /* fuses prologues and epilogues */
};

typedef struct gs_op gs_op;

struct gs_node {
    const gs_op *op;
    gs_graph *graph;
    int id;               /* position in graph->nodes; inputs have smaller ids */
    int n_in;
    gs_node **in;
    gs_attr attr;
    gs_shape shape;
    gs_dtype dtype;
    const char *scope;    /* where it was made */
    bool poisoned;
};

struct gs_var {
    const char *name;
    gs_shape shape;
    gs_dtype dtype;
    gs_init init;
    bool trainable;
    int index;            /* in graph->vars */
    gs_node *initial;     /* the `variable` node: value at the step's start */
    gs_node *current;     /* what gs_read returns */
    gs_node *assigned;    /* the last `assign` node; earlier ones are dead. NULL: none */
};

typedef struct gs_named { const char *name; gs_node *node; } gs_named;

struct gs_graph {
    gs_arena *arena;
    gs_node **nodes;   int n_nodes, cap_nodes;
    gs_var **vars;     int n_vars, cap_vars;
    gs_named *inputs;  int n_inputs, cap_inputs;
    gs_named *outputs; int n_outputs, cap_outputs;
    const char **scopes; int n_scopes, cap_scopes; /* each the full dotted prefix */
    int n_random;      /* stream numbers given out */
    gs_status status;
    char *message;
};

/* Shape rule. Sets n->shape and n->dtype from n->in, n->attr; a failure is recorded by gs_fail and returned. */
typedef gs_status gs_infer_fn(gs_node *n);

/* Gradient rule: from g (gradient by the output) fills din[i] for inputs that need one (need[i]); NULL means zero. */
typedef struct gs_grad_ctx {
    const gs_attr *attr;
    gs_node **in;
    gs_node *out;         /* the node itself, for rules in terms of the result */
    gs_node *g;
    gs_node **din;
    const bool *need;
} gs_grad_ctx;
typedef void gs_grad_fn(gs_grad_ctx *c);

/* Reference: the plainest loop, on doubles (integers too are held in doubles). */
typedef struct gs_ref_ctx {
    const gs_node *n;
    const gs_attr *attr;
    const double *const *in;
    double *out;
    uint64_t seed, step;  /* random ops */
} gs_ref_ctx;
typedef void gs_ref_fn(gs_ref_ctx *c);

struct gs_op {
    const char *name;
    int n_in;             /* -1: any number >= 1 */
    unsigned flags;
    const char *formula;  /* one line for docs/ops.md */
    const char *expr;     /* elementwise: C expression of x0 x1 x2 (operands) and a0..a3 (attr.f as float
                           * literals), in the dialect */
    const char *no_grad;  /* reason, with GS_F_NO_GRAD */
    gs_infer_fn *infer;
    gs_grad_fn *grad;
    gs_ref_fn *ref;
    const char *attrs;    /* what attr holds, one line, or NULL */
};

extern const gs_op *const gs_op_table[GS_OP_COUNT];
#define OP(name) extern const gs_op gs_op_##name;
#include "graph/ops.list"
#undef OP
gs_op_id gs_op_id_of(const gs_op *op);
/* The table for docs/ops.md and for `gesso ops` (opdoc.c); appended to s. */
void gs_ops_markdown(gs_str *s);
void gs_ops_text(gs_str *s);
#define GS_IS(node, opname) ((node)->op == &gs_op_##opname)

/* ---- building (graph.c) ---- */

/* Makes a node: runs infer, latches a failure ("scope: op: message"), passes poison through. attr may be NULL. */
gs_node *gs__node(gs_graph *g, const gs_op *op, gs_node *const *in, int n_in, const gs_attr *attr);
gs_node *gs__node1(const gs_op *op, gs_node *x, const gs_attr *attr);
gs_node *gs__node2(const gs_op *op, gs_node *a, gs_node *b, const gs_attr *attr);
gs_node *gs__node3(const gs_op *op, gs_node *a, gs_node *b, gs_node *c, const gs_attr *attr);
/* Latches the error that gs_fail just recorded, with scope and `what` before it, and returns a poisoned node. */
gs_node *gs__poison(gs_graph *g, const char *what, gs_status st);
/* Broadcasts the operands to their common shape; false (failure recorded, the caller latches it under its own
 * name) when there is none. c may be NULL. */
bool gs__broadcast_all(gs_node **a, gs_node **b, gs_node **c);

/* Common shape rules. */
gs_status gs__infer_same(gs_node *n);    /* all inputs one shape and dtype; output the same */
gs_status gs__infer_float(gs_node *n);   /* the same, and dtype must be fp32 */
gs_status gs__infer_compare(gs_node *n); /* inputs alike, output fp32 */

/* Strides in elements, C order. */
void gs__strides(gs_shape s, int64_t st[GS_MAX_DIMS]);

/* ---- reference evaluation (ref.c) ---- */

typedef struct gs_ref_feed { const gs_node *node; const double *data; } gs_ref_feed; /* inputs and variables */
typedef struct gs_ref_result { int n; double **value; } gs_ref_result; /* by node id; NULL where not needed */
/* Computes the wanted nodes in doubles. GS_EINVAL when an input or variable has no feed. Free with gs_ref_free. */
gs_status gs_ref_eval(gs_graph *g, gs_node *const *want, int n_want, const gs_ref_feed *feeds, int n_feeds,
                      uint64_t seed, uint64_t step, gs_ref_result *out);
void gs_ref_free(gs_ref_result *r);

/* Initial value of a variable: all its elements, from (seed, name) alone (init.c). */
void gs_init_fill(const gs_var *v, uint64_t seed, float *out);
/* The same piece by piece: the next n elements each time. Values of gs_init_whole depend on each other and want one piece. */
gs_rng gs_init_start(const gs_var *v, uint64_t seed);
void gs_init_next(const gs_var *v, gs_rng *r, int64_t n, float *out);
bool gs_init_whole(const gs_var *v);

/* Random elements as the device draws them: element i of stream s at (seed, step): ctr = {i/4, s, step lo,
 * step hi}, key = {seed lo, seed hi}, word w = i % 4. Uniform = (w >> 8) 2^-24; bernoulli = uniform < p;
 * normals come in pairs from words (0,1) and (2,3): r = sqrt(-2 log(((w0 >> 8) + 1) 2^-24)), angle 2 pi (w1
 * >> 8) 2^-24, r cos then r sin. */
double gs_random_element(gs_op_id op, uint64_t seed, uint64_t step, uint32_t stream, uint64_t i, double p);

/* ---- separable linear maps of the last two axes (linmap.c): average pooling, resizing, reflect and
 * replicate padding ---- */

typedef enum gs_linmap_rule {
    GS_LM_NEAREST, GS_LM_BILINEAR, GS_LM_BICUBIC, GS_LM_ADAPTIVE, GS_LM_BILINEAR_AA, GS_LM_BICUBIC_AA,
    GS_LM_AVG, GS_LM_REFLECT, GS_LM_REPLICATE
} gs_linmap_rule;

/* y = A x B^T over (H,W): A (OH,H) and B (OW,W) sparse, rows listed. attr.i of op `linmap`:
 *   [0] rule  [1] transposed (1: the adjoint, input OH,OW, output H,W)  [2] H [3] W [4] OH [5] OW of the untransposed map
 *   [6] kernel [7] stride [8] pad before, H [9] pad before, W [10] exclude_pad [11] pad after, H [12] pad after, W */
typedef struct gs_linmap_table { /* row r has entries start[r] .. start[r+1]-1 */
    int rows, cols;
    int *start, *index;
    double *weight;
} gs_linmap_table;
/* axis 0: A, 1: B; already transposed when attr says so. Free with gs_linmap_free. */
void gs_linmap_make(const gs_attr *attr, int axis, gs_linmap_table *t);
void gs_linmap_free(gs_linmap_table *t);

#endif
