/* The graph: immutable nodes built by C functions, and gradients as graph transformations.
 *
 * Ownership: the graph owns every node, name and attribute; gs_graph_free frees them all at once. Nodes hold no data:
 * a plan (plan.h) computes them.
 *
 * Errors: builders always return a node. A bad call latches the first error, with the current scope's name,
 * in the graph and returns a poisoned node that later calls pass through; gs_graph_status (and gs_compile)
 * reports it. So a model reads like mathematics, without a test after each line.
 *
 * Layout: C order, last axis fastest. Images are (N,C,H,W). Floats are fp32, integers int32. */
#ifndef GESSO_GRAPH_H
#define GESSO_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "gesso/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GS_MAX_DIMS 6

typedef enum gs_dtype { GS_F32, GS_I32 } gs_dtype;

typedef struct gs_shape {
    int rank;                 /* 0 (scalar) .. GS_MAX_DIMS */
    int64_t dim[GS_MAX_DIMS]; /* each >= 1; entries beyond rank are 0 */
} gs_shape;

#define GS_SHAPE(...)                                                        \
    ((gs_shape){ .rank = (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), .dim = { __VA_ARGS__ } })
#define GS_SCALAR ((gs_shape){ .rank = 0 })

int64_t gs_shape_count(gs_shape s); /* number of elements; 1 for a scalar */
bool gs_shape_equal(gs_shape a, gs_shape b);
const char *gs_shape_text(gs_shape s, char buf[96]); /* "64,3,32,32", "scalar" */

typedef struct gs_graph gs_graph;
typedef struct gs_node gs_node;
typedef struct gs_var gs_var;

gs_graph *gs_graph_new(void);
void gs_graph_free(gs_graph *g);
/* GS_OK, or the first latched error with its message recorded (gs_last_error). */
gs_status gs_graph_status(gs_graph *g);

/* Scopes name what is being built: parameters get "scope.scope.name", errors say where they arose. */
void gs_scope_push(gs_graph *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void gs_scope_pop(gs_graph *g);

gs_shape gs_node_shape(const gs_node *n);
gs_dtype gs_node_dtype(const gs_node *n);
gs_graph *gs_node_graph(const gs_node *n);
int64_t gs_node_dim(const gs_node *n, int axis); /* negative axes count from the end */

/* ---- sources ---- */

/* A tensor that the caller feeds before each run of the plan. Names are unique in a graph. */
gs_node *gs_input(gs_graph *g, const char *name, gs_shape shape, gs_dtype dtype);
gs_node *gs_const(gs_graph *g, double value);                             /* fp32 scalar */
gs_node *gs_full(gs_graph *g, gs_shape shape, double value);              /* fp32 */
gs_node *gs_const_data(gs_graph *g, gs_shape shape, gs_dtype dtype, const void *data); /* copies data */
gs_node *gs_iota(gs_graph *g, gs_shape shape, int axis);                  /* int32: index along axis */

/* Counter-based random tensors (Philox 4x32-10). Values depend on the run's seed and step (plan.h), on the
 * order in which random nodes are made in the graph, and on the element, and on nothing else. */
gs_node *gs_random_uniform(gs_graph *g, gs_shape shape);           /* [0,1), 24 bits */
gs_node *gs_random_normal(gs_graph *g, gs_shape shape);            /* N(0,1), Box-Muller */
gs_node *gs_random_bernoulli(gs_graph *g, gs_shape shape, double p); /* 1 with probability p, else 0; fp32 */
gs_node *gs_random_int(gs_graph *g, gs_shape shape, int n);        /* int32 uniform in 0..n-1, 1 <= n <= 2^24 */

/* ---- named persistent tensors ---- */

typedef enum gs_init_kind {
    GS_INIT_CONST,          /* a */
    GS_INIT_UNIFORM,        /* U(a, b) */
    GS_INIT_NORMAL,         /* N(a, b^2) */
    GS_INIT_TORCH_LINEAR,   /* U(-1/sqrt(fan), 1/sqrt(fan)), fan = a: PyTorch's default for Linear and Conv */
    GS_INIT_XAVIER_NORMAL,  /* N(0, a^2 * 2 / (fan_in + fan_out)), a: gain; fans from the shape (out, in, ...) */
    GS_INIT_XAVIER_UNIFORM, /* U(-l, l), l = a * sqrt(6 / (fan_in + fan_out)) */
    GS_INIT_KAIMING_NORMAL, /* N(0, a^2 / fan_in) */
    GS_INIT_KAIMING_UNIFORM, /* U(-l, l), l = a * sqrt(3 / fan_in) */
    GS_INIT_ORTHOGONAL,     /* rows (or columns) orthonormal, times a */
    GS_INIT_UNIT_NORMAL,    /* N(0,1) vector divided by its L2 norm (spectral norm's u and v) */
} gs_init_kind;

typedef struct gs_init {
    gs_init_kind kind;
    double a, b;
} gs_init;

/* The named tensor, made at the first call (later calls must agree in shape). The full name is the scope, a
 * dot, and name. Trainable tensors are the ones gs_trainable lists. Initial values depend on (seed, full
 * name) only. */
gs_var *gs_variable(gs_graph *g, const char *name, gs_shape shape, gs_dtype dtype, gs_init init, bool trainable);
/* gs_read(gs_variable(..., GS_F32, init, true)) */
gs_node *gs_param(gs_graph *g, const char *name, gs_shape shape, gs_init init);
/* The variable's value at this point of the program: what was last assigned in this graph, else the value at
 * the step's start. */
gs_node *gs_read(gs_var *v);
/* From here on the variable holds value; written to its storage at the end of the step. */
void gs_assign(gs_var *v, gs_node *value);
const char *gs_var_name(const gs_var *v);
gs_shape gs_var_shape(const gs_var *v);
/* The trainable variables whose full name starts with prefix, in order of creation: fills list (may be NULL)
 * up to max, returns how many there are. */
int gs_trainable(gs_graph *g, const char *prefix, gs_var **list, int max);
/* All variables likewise. */
int gs_variables(gs_graph *g, const char *prefix, gs_var **list, int max);

/* Names a node that the caller wants to read back after a run. */
void gs_output(gs_graph *g, const char *name, gs_node *n);

/* ---- elementwise; operands broadcast as in numpy ---- */

gs_node *gs_neg(gs_node *x);
gs_node *gs_abs(gs_node *x);
gs_node *gs_sign(gs_node *x);   /* -1, 0, 1 */
gs_node *gs_step(gs_node *x);   /* 1 for x > 0, else 0 */
gs_node *gs_exp(gs_node *x);
gs_node *gs_log(gs_node *x);
gs_node *gs_sqrt(gs_node *x);
gs_node *gs_rsqrt(gs_node *x);
gs_node *gs_recip(gs_node *x);
gs_node *gs_square(gs_node *x);
gs_node *gs_sin(gs_node *x);
gs_node *gs_cos(gs_node *x);
gs_node *gs_erf(gs_node *x);
gs_node *gs_floor(gs_node *x);  /* gradient zero */
gs_node *gs_tanh(gs_node *x);
gs_node *gs_sigmoid(gs_node *x);
gs_node *gs_softplus(gs_node *x); /* max(x,0) + log(1 + exp(-|x|)) */
gs_node *gs_relu(gs_node *x);     /* derivative 0 at 0 */
gs_node *gs_leaky_relu(gs_node *x, double slope); /* derivative slope at 0 */
gs_node *gs_gelu(gs_node *x);     /* with erf */
gs_node *gs_quick_gelu(gs_node *x); /* x sigmoid(1.702 x) */
gs_node *gs_affine(gs_node *x, double a, double b); /* a x + b */
gs_node *gs_scale(gs_node *x, double a);
gs_node *gs_clamp(gs_node *x, double lo, double hi); /* gradient 1 inside and at the ends, else 0, as in PyTorch */
gs_node *gs_powc(gs_node *x, double p);             /* x^p for x > 0 */
gs_node *gs_cast(gs_node *x, gs_dtype dtype);       /* to int32: truncates; gradient zero through integers */
gs_node *gs_detach(gs_node *x);                     /* same value, gradient cut */

gs_node *gs_add(gs_node *a, gs_node *b);
gs_node *gs_sub(gs_node *a, gs_node *b);
gs_node *gs_mul(gs_node *a, gs_node *b);
gs_node *gs_div(gs_node *a, gs_node *b);
gs_node *gs_max2(gs_node *a, gs_node *b); /* the gradient goes to the larger; to a on a tie */
gs_node *gs_min2(gs_node *a, gs_node *b);
gs_node *gs_pow(gs_node *a, gs_node *b);  /* a > 0 */
gs_node *gs_lt(gs_node *a, gs_node *b);   /* comparisons: fp32 0 or 1, operands of one type */
gs_node *gs_le(gs_node *a, gs_node *b);
gs_node *gs_gt(gs_node *a, gs_node *b);
gs_node *gs_ge(gs_node *a, gs_node *b);
gs_node *gs_eq(gs_node *a, gs_node *b);
gs_node *gs_ne(gs_node *a, gs_node *b);
gs_node *gs_select(gs_node *c, gs_node *a, gs_node *b); /* c != 0 ? a : b */
gs_node *gs_fma(gs_node *a, gs_node *b, gs_node *c);    /* a b + c */

/* ---- reductions; axes is a bit mask (GS_AXIS(i)) or GS_ALL ---- */

#define GS_AXIS(i) (1u << (i))
#define GS_ALL ((1u << GS_MAX_DIMS) - 1)
gs_node *gs_sum(gs_node *x, unsigned axes, bool keep_dims); /* from 0: of -0 alone it is 0, but along axes of length 1, where x stays as it is */
gs_node *gs_mean(gs_node *x, unsigned axes, bool keep_dims);
gs_node *gs_max(gs_node *x, int axis, bool keep_dims);      /* gradient to the first largest; a NaN is it where it comes first, else passed over */
gs_node *gs_argmax(gs_node *x, int axis, bool keep_dims);   /* int32, place of that */
gs_node *gs_cumsum(gs_node *x, int axis, bool reverse);
/* Mean and biased variance in two passes, mean((x - mean)^2): no cancellation. Either result may be NULL. Dims kept. */
void gs_moments(gs_node *x, unsigned axes, gs_node **mean, gs_node **var);

/* ---- shape ---- */

gs_node *gs_reshape(gs_node *x, gs_shape shape); /* one dim may be -1 */
gs_node *gs_permute(gs_node *x, const int *axes); /* y.dim[i] = x.dim[axes[i]]; rank entries */
gs_node *gs_transpose(gs_node *x, int a, int b);
gs_node *gs_broadcast_to(gs_node *x, gs_shape shape); /* numpy rules */
gs_node *gs_sum_to(gs_node *x, gs_shape shape);       /* adjoint of broadcast_to */
gs_node *gs_slice(gs_node *x, int axis, int64_t start, int64_t len);
gs_node *gs_pad(gs_node *x, int axis, int64_t before, int64_t after); /* zeros */
gs_node *gs_concat(gs_node *const *xs, int n, int axis);
gs_node *gs_one_hot(gs_node *index, int n);           /* int32 (...) -> fp32 (..., n) */
gs_node *gs_gather(gs_node *table, gs_node *index);   /* (V,E), int32 (...) -> (...,E); an index outside
                                                       * 0..V-1 reads 0 */
gs_node *gs_scatter_add(gs_node *index, gs_node *rows, int64_t v); /* (...), (...,E) -> (V,E); fixed order of sums */

/* ---- products ---- */

/* (...,M,K) x (...,K,N) -> (...,M,N), equal leading dims; ta, tb: that operand is stored transposed. */
gs_node *gs_matmul(gs_node *a, gs_node *b, bool ta, bool tb);

typedef enum gs_pad_mode { GS_PAD_ZERO, GS_PAD_REFLECT, GS_PAD_REPLICATE } gs_pad_mode;

typedef struct gs_conv2d_opts { /* zero value: stride 1, no padding, no dilation, one group */
    int stride, dilation, groups; /* 0 means 1 */
    int pad;                      /* both axes */
    int pad_h, pad_w;             /* added to pad, that axis only */
    gs_pad_mode pad_mode;
    int output_pad;               /* transposed convolution only: 0 <= output_pad < stride */
} gs_conv2d_opts;

/* Cross-correlation. x (N,C,H,W), w (O,C/groups,KH,KW) -> (N,O,OH,OW), OH = (H + 2 pad - dilation
 * (KH-1) - 1) / stride + 1. */
gs_node *gs_conv2d(gs_node *x, gs_node *w, const gs_conv2d_opts *o);
/* x (N,C,H,W), w (C,O/groups,KH,KW) -> (N,O,OH,OW), OH = (H-1) stride - 2 pad + dilation
 * (KH-1) + 1 + output_pad. Zero padding only. */
gs_node *gs_conv_transpose2d(gs_node *x, gs_node *w, const gs_conv2d_opts *o);

/* ---- windows and resampling over the last two axes of (N,C,H,W) ---- */

typedef struct gs_pool_opts {
    int kernel, stride, pad; /* stride 0 means kernel */
    bool ceil_mode;          /* no window starts beyond the input and its leading padding */
    bool exclude_pad;        /* average: divide by the cells inside the input only */
} gs_pool_opts;
gs_node *gs_max_pool2d(gs_node *x, const gs_pool_opts *o);
gs_node *gs_avg_pool2d(gs_node *x, const gs_pool_opts *o);
gs_node *gs_adaptive_max_pool2d(gs_node *x, int oh, int ow); /* window i is [floor(i n/m), ceil((i+1) n/m)) */
gs_node *gs_adaptive_avg_pool2d(gs_node *x, int oh, int ow);

typedef enum gs_resize {
    GS_NEAREST,        /* source floor(i n/m) */
    GS_BILINEAR,       /* half-pixel centres, corners not aligned */
    GS_BICUBIC,        /* the same, a = -0.75 */
    GS_AREA,           /* = adaptive average pooling */
    GS_BILINEAR_AA,    /* filter widened when shrinking, as PIL does */
    GS_BICUBIC_AA,     /* the same, a = -0.5 */
} gs_resize;
gs_node *gs_resize2d(gs_node *x, gs_resize mode, int oh, int ow);
/* Pads H by top, bottom and W by left, right. Reflect needs pads below the size. */
gs_node *gs_pad2d(gs_node *x, gs_pad_mode mode, int top, int bottom, int left, int right);

/* ---- gradients ---- */

/* out[i] = d(sum of y's elements)/d(wrt[i]), as new nodes; zeros where y does not depend on wrt[i].
 * wrt may be any nodes that y was built from. A gradient can be differentiated again. */
void gs_grad(gs_node *y, gs_node *const *wrt, int n, gs_node **out);
/* The same with an incoming gradient of y's shape (NULL: ones). */
void gs_grad_with(gs_node *y, gs_node *dy, gs_node *const *wrt, int n, gs_node **out);

#ifdef __cplusplus
}
#endif
#endif
