/* The builders that op cases can call, each a line from options to the call. */
#include "eval/opcase_int.h"

#include <stdlib.h>
#include <string.h>

#define WORD(name, otherwise) gs__opcase_word(c, name, otherwise)
#define REAL(name, otherwise) gs__opcase_real(c, name, otherwise)
#define INT(name, otherwise) gs__opcase_int(c, name, otherwise)
#define SHAPE(name) gs__opcase_shape(c, name)
#define BUILDER(builder) \
    static gs_node *do_##builder(const gs_opcase *c, gs_graph *g, gs_node *const *x)

/* Builders without options. */
#define PLAIN1(builder)                                  \
    BUILDER(builder)                                     \
    {                                                    \
        (void)c, (void)g;                                \
        return gs_##builder(x[0]);                       \
    }
#define PLAIN2(builder)                                  \
    BUILDER(builder)                                     \
    {                                                    \
        (void)c, (void)g;                                \
        return gs_##builder(x[0], x[1]);                 \
    }
#define PLAIN3(builder)                                  \
    BUILDER(builder)                                     \
    {                                                    \
        (void)c, (void)g;                                \
        return gs_##builder(x[0], x[1], x[2]);           \
    }

PLAIN1(neg) PLAIN1(abs) PLAIN1(sign) PLAIN1(step) PLAIN1(exp) PLAIN1(log) PLAIN1(sqrt) PLAIN1(rsqrt) PLAIN1(recip)
PLAIN1(square) PLAIN1(sin) PLAIN1(cos) PLAIN1(erf) PLAIN1(floor) PLAIN1(tanh) PLAIN1(sigmoid) PLAIN1(softplus) PLAIN1(relu)
PLAIN1(gelu) PLAIN1(quick_gelu) PLAIN1(detach)
PLAIN2(add) PLAIN2(sub) PLAIN2(mul) PLAIN2(div) PLAIN2(max2) PLAIN2(min2) PLAIN2(pow) PLAIN2(lt) PLAIN2(le) PLAIN2(gt)
PLAIN2(ge) PLAIN2(eq) PLAIN2(ne) PLAIN2(gather)
PLAIN3(select) PLAIN3(fma)

/* A graph holds many cases, so names carry the line. */
static const char *unique(const gs_opcase *c, char buf[32])
{
    snprintf(buf, 32, "line%d", c->line);
    return buf;
}

static gs_dtype type_of(const gs_opcase *c)
{
    return strcmp(WORD("type", "f32"), "i32") == 0 ? GS_I32 : GS_F32;
}

BUILDER(variable)
{
    const gs_init init = { GS_INIT_NORMAL, 0, 1 };
    char name[32];

    (void)x;
    return gs_read(gs_variable(g, unique(c, name), SHAPE("shape"), GS_F32, init, true));
}

/* The result is the variable as it reads after the assignment. */
BUILDER(assign)
{
    const gs_init init = { GS_INIT_CONST, 0, 0 };
    char name[32];
    const bool given = c->n_options > 0;
    gs_var *v = gs_variable(g, unique(c, name), given ? SHAPE("shape") : gs_node_shape(x[0]), gs_node_dtype(x[0]), init, false);

    gs_assign(v, x[0]);
    return gs_read(v);
}

BUILDER(full) { (void)x; return gs_full(g, SHAPE("shape"), REAL("value", 0)); }
BUILDER(iota) { (void)x; return gs_iota(g, SHAPE("shape"), INT("axis", 0)); }
BUILDER(random_uniform) { (void)x; return gs_random_uniform(g, SHAPE("shape")); }
BUILDER(random_normal) { (void)x; return gs_random_normal(g, SHAPE("shape")); }
BUILDER(random_bernoulli) { (void)x; return gs_random_bernoulli(g, SHAPE("shape"), REAL("p", 0.5)); }
BUILDER(random_int) { (void)x; return gs_random_int(g, SHAPE("shape"), INT("n", 2)); }

BUILDER(const_data)
{
    const gs_shape shape = SHAPE("shape");
    const gs_dtype type = type_of(c);
    const int64_t count = gs_shape_count(shape);
    gs_node *n;
    float *data;

    (void)x;
    if (count < 1 || count > 1 << 20) return gs_full(g, (gs_shape){ .rank = -1 }, 0);
    data = gs_xalloc((size_t)count * 4);
    for (int64_t i = 0; i < count; i++) {
        const int32_t k = (int32_t)(i * 37 % 101) - 50;

        if (type == GS_I32) memcpy(&data[i], &k, 4);
        else data[i] = (float)k / 8;
    }
    n = gs_const_data(g, shape, type, data);
    free(data);
    return n;
}

BUILDER(leaky_relu) { (void)g; return gs_leaky_relu(x[0], REAL("slope", 0.2)); }
BUILDER(affine) { (void)g; return gs_affine(x[0], REAL("a", 1), REAL("b", 0)); }
BUILDER(scale) { (void)g; return gs_scale(x[0], REAL("a", 1)); }
BUILDER(clamp) { (void)g; return gs_clamp(x[0], REAL("lo", -1), REAL("hi", 1)); }
BUILDER(powc) { (void)g; return gs_powc(x[0], REAL("p", 2)); }
BUILDER(cast) { (void)g; return gs_cast(x[0], type_of(c)); }

/* axes=0,2 or axes=all */
static unsigned axes_of(const gs_opcase *c)
{
    gs_shape list;
    unsigned mask = 0;

    if (strcmp(WORD("axes", "all"), "all") == 0) return GS_ALL;
    list = SHAPE("axes");
    for (int i = 0; i < list.rank; i++)
        if (list.dim[i] >= 0 && list.dim[i] < GS_MAX_DIMS) mask |= GS_AXIS(list.dim[i]);
    return mask;
}

BUILDER(sum) { (void)g; return gs_sum(x[0], axes_of(c), INT("keep", 0)); }
BUILDER(mean) { (void)g; return gs_mean(x[0], axes_of(c), INT("keep", 0)); }
BUILDER(max) { (void)g; return gs_max(x[0], INT("axis", 0), INT("keep", 0)); }
BUILDER(argmax) { (void)g; return gs_argmax(x[0], INT("axis", 0), INT("keep", 0)); }
BUILDER(cumsum) { (void)g; return gs_cumsum(x[0], INT("axis", 0), INT("reverse", 0)); }

BUILDER(moments)
{
    gs_node *mean, *var;

    (void)g;
    gs_moments(x[0], axes_of(c), &mean, &var);
    return strcmp(WORD("part", "var"), "mean") == 0 ? mean : var;
}

BUILDER(reshape) { (void)g; return gs_reshape(x[0], SHAPE("to")); }
BUILDER(broadcast_to) { (void)g; return gs_broadcast_to(x[0], SHAPE("to")); }
BUILDER(sum_to) { (void)g; return gs_sum_to(x[0], SHAPE("to")); }
BUILDER(transpose) { (void)g; return gs_transpose(x[0], INT("a", 0), INT("b", 1)); }
BUILDER(slice) { (void)g; return gs_slice(x[0], INT("axis", 0), INT("start", 0), INT("len", 1)); }
BUILDER(pad) { (void)g; return gs_pad(x[0], INT("axis", 0), INT("before", 0), INT("after", 0)); }
BUILDER(concat) { (void)g; return gs_concat(x, c->n_operands, INT("axis", 0)); }
BUILDER(one_hot) { (void)g; return gs_one_hot(x[0], INT("n", 1)); }
BUILDER(scatter_add) { (void)g; return gs_scatter_add(x[0], x[1], INT("v", 1)); }
BUILDER(matmul) { (void)g; return gs_matmul(x[0], x[1], INT("ta", 0), INT("tb", 0)); }

BUILDER(permute)
{
    const gs_shape list = SHAPE("axes");
    int axes[GS_MAX_DIMS];

    (void)g;
    for (int i = 0; i < GS_MAX_DIMS; i++) axes[i] = i < list.rank ? (int)list.dim[i] : -1;
    return gs_permute(x[0], axes);
}

static gs_pad_mode pad_mode(const gs_opcase *c)
{
    const char *mode = WORD("mode", "zero");

    return strcmp(mode, "reflect") == 0 ? GS_PAD_REFLECT : strcmp(mode, "replicate") == 0 ? GS_PAD_REPLICATE : GS_PAD_ZERO;
}

static gs_conv2d_opts conv_opts(const gs_opcase *c)
{
    return (gs_conv2d_opts){ .stride = INT("stride", 0), .dilation = INT("dilation", 0), .groups = INT("groups", 0),
                             .pad = INT("pad", 0), .pad_h = INT("pad_h", 0), .pad_w = INT("pad_w", 0),
                             .pad_mode = pad_mode(c), .output_pad = INT("output_pad", 0) };
}

BUILDER(conv2d)
{
    const gs_conv2d_opts o = conv_opts(c);

    (void)g;
    return gs_conv2d(x[0], x[1], &o);
}

BUILDER(conv_transpose2d)
{
    const gs_conv2d_opts o = conv_opts(c);

    (void)g;
    return gs_conv_transpose2d(x[0], x[1], &o);
}

static gs_pool_opts pool_opts(const gs_opcase *c)
{
    return (gs_pool_opts){ .kernel = INT("kernel", 2), .stride = INT("stride", 0), .pad = INT("pad", 0),
                           .ceil_mode = INT("ceil", 0), .exclude_pad = INT("exclude_pad", 0) };
}

BUILDER(max_pool2d)
{
    const gs_pool_opts o = pool_opts(c);

    (void)g;
    return gs_max_pool2d(x[0], &o);
}

BUILDER(avg_pool2d)
{
    const gs_pool_opts o = pool_opts(c);

    (void)g;
    return gs_avg_pool2d(x[0], &o);
}

BUILDER(adaptive_max_pool2d) { (void)g; return gs_adaptive_max_pool2d(x[0], INT("oh", 1), INT("ow", 1)); }
BUILDER(adaptive_avg_pool2d) { (void)g; return gs_adaptive_avg_pool2d(x[0], INT("oh", 1), INT("ow", 1)); }

BUILDER(resize2d)
{
    static const char *const modes[] = { "nearest", "bilinear", "bicubic", "area", "bilinear_aa", "bicubic_aa" };
    int mode = 0;

    (void)g;
    while (mode < (int)GS_COUNT(modes) && strcmp(WORD("mode", "nearest"), modes[mode]) != 0) mode++;
    return gs_resize2d(x[0], (gs_resize)mode, INT("oh", 1), INT("ow", 1));
}

BUILDER(pad2d)
{
    (void)g;
    return gs_pad2d(x[0], pad_mode(c), INT("top", 0), INT("bottom", 0), INT("left", 0), INT("right", 0));
}

/* ---- the table ---- */

#define ROW0(builder, options, tol) { #builder, { { 0 } }, options, do_##builder, tol }
#define ROW1(builder, kind, options, tol) { #builder, { { "x", kind, false } }, options, do_##builder, tol }
#define ROW2(builder, a, akind, b, bkind, options, tol) \
    { #builder, { { a, akind, false }, { b, bkind, false } }, options, do_##builder, tol }

/* Where more than the rounding of one operation is allowed. */
#define LIBM 1e-6 /* OpenCL grants library functions and division 2.5 to 16 units in the last place (6e-8) */
#define SUMS 1e-6 /* the order of additions is the device's */

static const gs_opcase_builder builders[] = {
    ROW0(variable, "shape", 0), ROW0(full, "shape value", 0), ROW0(iota, "shape axis", 0), ROW0(const_data, "shape type", 0),
    ROW0(random_uniform, "shape", 0), ROW0(random_normal, "shape", LIBM), ROW0(random_bernoulli, "shape p", 0),
    ROW0(random_int, "shape n", 0),
    ROW1(assign, "any", "shape", 0),
    ROW1(neg, "any", "", 0), ROW1(abs, "any", "", 0), ROW1(sign, "any", "", 0), ROW1(step, "any", "", 0),
    ROW1(exp, "any", "", LIBM), ROW1(log, "pos", "", LIBM), ROW1(sqrt, "pos", "", LIBM), ROW1(rsqrt, "pos", "", LIBM),
    ROW1(recip, "pos", "", LIBM), ROW1(square, "any", "", 0), ROW1(sin, "any", "", LIBM), ROW1(cos, "any", "", LIBM),
    ROW1(erf, "any", "", LIBM), ROW1(floor, "any", "", 0), ROW1(tanh, "any", "", LIBM), ROW1(sigmoid, "any", "", LIBM),
    ROW1(softplus, "any", "", LIBM), ROW1(relu, "any", "", 0), ROW1(leaky_relu, "any", "slope", 0), ROW1(gelu, "any", "", LIBM),
    ROW1(quick_gelu, "any", "", LIBM), ROW1(affine, "any", "a b", 0), ROW1(scale, "any", "a", 0),
    ROW1(clamp, "any", "lo hi", 0), ROW1(powc, "pos", "p", LIBM), ROW1(cast, "any", "type", 0), ROW1(detach, "any", "", 0),
    ROW2(add, "a", "any", "b", "any", "", 0), ROW2(sub, "a", "any", "b", "any", "", 0),
    ROW2(mul, "a", "any", "b", "any", "", 0), ROW2(div, "a", "any", "b", "pos", "", LIBM),
    ROW2(max2, "a", "any", "b", "any", "", 0), ROW2(min2, "a", "any", "b", "any", "", 0),
    ROW2(pow, "a", "pos", "b", "any", "", LIBM),
    ROW2(lt, "a", "any", "b", "any", "", 0), ROW2(le, "a", "any", "b", "any", "", 0), ROW2(gt, "a", "any", "b", "any", "", 0),
    ROW2(ge, "a", "any", "b", "any", "", 0), ROW2(eq, "a", "ties", "b", "ties", "", 0),
    ROW2(ne, "a", "ties", "b", "ties", "", 0),
    { "select", { { "c", "cond", false }, { "a", "any", false }, { "b", "any", false } }, "", do_select, 0 },
    { "fma", { { "a", "any", false }, { "b", "any", false }, { "c", "any", false } }, "", do_fma, 0 },
    ROW1(sum, "any", "axes keep", SUMS), ROW1(mean, "any", "axes keep", SUMS), ROW1(max, "perm", "axis keep", 0),
    ROW1(argmax, "perm", "axis keep", 0), ROW1(cumsum, "any", "axis reverse", SUMS),
    ROW1(moments, "any", "axes part", SUMS),
    ROW1(reshape, "any", "to", 0), ROW1(permute, "any", "axes", 0), ROW1(transpose, "any", "a b", 0),
    ROW1(broadcast_to, "any", "to", 0), ROW1(sum_to, "any", "to", SUMS), ROW1(slice, "any", "axis start len", 0),
    ROW1(pad, "any", "axis before after", 0),
    { "concat", { { "a", "any", false }, { "b", "any", true }, { "c", "any", true }, { "d", "any", true } }, "axis",
      do_concat, 0 },
    { "one_hot", { { "index", "index", false } }, "n", do_one_hot, 0 },
    ROW2(gather, "table", "any", "index", "index", "", 0), ROW2(scatter_add, "index", "index", "rows", "any", "v", SUMS),
    ROW2(matmul, "a", "any", "b", "any", "ta tb", SUMS),
    ROW2(conv2d, "x", "any", "w", "any", "stride dilation groups pad pad_h pad_w mode output_pad", SUMS),
    ROW2(conv_transpose2d, "x", "any", "w", "any", "stride dilation groups pad pad_h pad_w mode output_pad", SUMS),
    ROW1(max_pool2d, "perm", "kernel stride pad ceil", 0), ROW1(avg_pool2d, "any", "kernel stride pad ceil exclude_pad", SUMS),
    ROW1(adaptive_max_pool2d, "perm", "oh ow", 0), ROW1(adaptive_avg_pool2d, "any", "oh ow", SUMS),
    ROW1(resize2d, "any", "mode oh ow", SUMS), ROW1(pad2d, "any", "mode top bottom left right", SUMS),
};

const gs_opcase_builder *gs__opcase_find(const char *name)
{
    for (size_t i = 0; i < GS_COUNT(builders); i++)
        if (strcmp(builders[i].name, name) == 0) return &builders[i];
    return NULL;
}
