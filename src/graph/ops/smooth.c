/* Smooth elementwise functions of one operand. Each: value, derivative, reference, descriptor, builder.
 * g: the gradient by y. Rules use y (c->out) where that is cheaper than x. */
#include "graph/graph_int.h"

#include <math.h>

static void neg_grad(gs_grad_ctx *c)
{
    c->din[0] = gs_neg(c->g);
}

static void neg_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, -x);
}

const gs_op gs_op_neg = {
    .name = "neg", .n_in = 1, .flags = GS_F_ELEMENTWISE,
    .formula = "y = -x",
    .expr = "-x0",
    .infer = gs__infer_same, .grad = neg_grad, .ref = neg_ref,
};

gs_node *gs_neg(gs_node *x)
{
    return gs__node1(&gs_op_neg, x, NULL);
}

static void exp_grad(gs_grad_ctx *c)
{
    c->din[0] = gs_mul(c->g, c->out);
}

static void exp_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, exp(x));
}

const gs_op gs_op_exp = {
    .name = "exp", .n_in = 1, .flags = GS_F_ELEMENTWISE,
    .formula = "y = e^x",
    .expr = "exp(x0)",
    .infer = gs__infer_float, .grad = exp_grad, .ref = exp_ref,
};

gs_node *gs_exp(gs_node *x)
{
    return gs__node1(&gs_op_exp, x, NULL);
}

static void log_grad(gs_grad_ctx *c)
{
    c->din[0] = gs_div(c->g, c->in[0]);
}

static void log_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, log(x));
}

const gs_op gs_op_log = {
    .name = "log", .n_in = 1, .flags = GS_F_ELEMENTWISE,
    .formula = "y = ln x",
    .expr = "log(x0)",
    .infer = gs__infer_float, .grad = log_grad, .ref = log_ref,
};

gs_node *gs_log(gs_node *x)
{
    return gs__node1(&gs_op_log, x, NULL);
}

static void sqrt_grad(gs_grad_ctx *c)
{
    c->din[0] = gs_div(gs_scale(c->g, 0.5), c->out);
}

static void sqrt_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, sqrt(x));
}

const gs_op gs_op_sqrt = {
    .name = "sqrt", .n_in = 1, .flags = GS_F_ELEMENTWISE,
    .formula = "y = x^(1/2)",
    .expr = "sqrt(x0)",
    .infer = gs__infer_float, .grad = sqrt_grad, .ref = sqrt_ref,
};

gs_node *gs_sqrt(gs_node *x)
{
    return gs__node1(&gs_op_sqrt, x, NULL);
}

static void rsqrt_grad(gs_grad_ctx *c)
{
    c->din[0] = gs_mul(gs_scale(c->g, -0.5), gs_mul(c->out, gs_square(c->out)));
}

static void rsqrt_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, 1 / sqrt(x));
}

const gs_op gs_op_rsqrt = {
    .name = "rsqrt", .n_in = 1, .flags = GS_F_ELEMENTWISE,
    .formula = "y = x^(-1/2)",
    .expr = "rsqrt(x0)",
    .infer = gs__infer_float, .grad = rsqrt_grad, .ref = rsqrt_ref,
};

gs_node *gs_rsqrt(gs_node *x)
{
    return gs__node1(&gs_op_rsqrt, x, NULL);
}

static void recip_grad(gs_grad_ctx *c)
{
    c->din[0] = gs_neg(gs_mul(c->g, gs_square(c->out)));
}

static void recip_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, 1 / x);
}

const gs_op gs_op_recip = {
    .name = "recip", .n_in = 1, .flags = GS_F_ELEMENTWISE,
    .formula = "y = 1/x",
    .expr = "(1.0f / x0)",
    .infer = gs__infer_float, .grad = recip_grad, .ref = recip_ref,
};

gs_node *gs_recip(gs_node *x)
{
    return gs__node1(&gs_op_recip, x, NULL);
}

static void square_grad(gs_grad_ctx *c)
{
    c->din[0] = gs_mul(c->g, gs_scale(c->in[0], 2));
}

static void square_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, x * x);
}

const gs_op gs_op_square = {
    .name = "square", .n_in = 1, .flags = GS_F_ELEMENTWISE,
    .formula = "y = x^2",
    .expr = "(x0 * x0)",
    .infer = gs__infer_float, .grad = square_grad, .ref = square_ref,
};

gs_node *gs_square(gs_node *x)
{
    return gs__node1(&gs_op_square, x, NULL);
}

static void sin_grad(gs_grad_ctx *c)
{
    c->din[0] = gs_mul(c->g, gs_cos(c->in[0]));
}

static void sin_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, sin(x));
}

const gs_op gs_op_sin = {
    .name = "sin", .n_in = 1, .flags = GS_F_ELEMENTWISE,
    .formula = "y = sin x",
    .expr = "sin(x0)",
    .infer = gs__infer_float, .grad = sin_grad, .ref = sin_ref,
};

gs_node *gs_sin(gs_node *x)
{
    return gs__node1(&gs_op_sin, x, NULL);
}

static void cos_grad(gs_grad_ctx *c)
{
    c->din[0] = gs_neg(gs_mul(c->g, gs_sin(c->in[0])));
}

static void cos_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, cos(x));
}

const gs_op gs_op_cos = {
    .name = "cos", .n_in = 1, .flags = GS_F_ELEMENTWISE,
    .formula = "y = cos x",
    .expr = "cos(x0)",
    .infer = gs__infer_float, .grad = cos_grad, .ref = cos_ref,
};

gs_node *gs_cos(gs_node *x)
{
    return gs__node1(&gs_op_cos, x, NULL);
}

static void erf_grad(gs_grad_ctx *c)
{
    c->din[0] = gs_mul(c->g, gs_scale(gs_exp(gs_neg(gs_square(c->in[0]))), 2 / sqrt(M_PI)));
}

static void erf_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, erf(x));
}

const gs_op gs_op_erf = {
    .name = "erf", .n_in = 1, .flags = GS_F_ELEMENTWISE,
    .formula = "y = 2/sqrt(pi) int_0^x e^(-t^2) dt",
    .expr = "erf(x0)",
    .infer = gs__infer_float, .grad = erf_grad, .ref = erf_ref,
};

gs_node *gs_erf(gs_node *x)
{
    return gs__node1(&gs_op_erf, x, NULL);
}

static void tanh_grad(gs_grad_ctx *c)
{
    c->din[0] = gs_mul(c->g, gs_affine(gs_square(c->out), -1, 1));
}

static void tanh_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, tanh(x));
}

const gs_op gs_op_tanh = {
    .name = "tanh", .n_in = 1, .flags = GS_F_ELEMENTWISE,
    .formula = "y = tanh x",
    .expr = "tanh(x0)",
    .infer = gs__infer_float, .grad = tanh_grad, .ref = tanh_ref,
};

gs_node *gs_tanh(gs_node *x)
{
    return gs__node1(&gs_op_tanh, x, NULL);
}

/* At x = -100 e^-x is infinite in fp32 and y is 0, as it should be: no NaN on either side. */
static void sigmoid_grad(gs_grad_ctx *c)
{
    c->din[0] = gs_mul(c->g, gs_mul(c->out, gs_affine(c->out, -1, 1)));
}

static void sigmoid_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, 1 / (1 + exp(-x)));
}

const gs_op gs_op_sigmoid = {
    .name = "sigmoid", .n_in = 1, .flags = GS_F_ELEMENTWISE,
    .formula = "y = 1/(1 + e^-x)",
    .expr = "(1.0f / (1.0f + exp(-x0)))",
    .infer = gs__infer_float, .grad = sigmoid_grad, .ref = sigmoid_ref,
};

gs_node *gs_sigmoid(gs_node *x)
{
    return gs__node1(&gs_op_sigmoid, x, NULL);
}

static void softplus_grad(gs_grad_ctx *c)
{
    c->din[0] = gs_mul(c->g, gs_sigmoid(c->in[0]));
}

static void softplus_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, fmax(x, 0) + log1p(exp(-fabs(x))));
}

const gs_op gs_op_softplus = {
    .name = "softplus", .n_in = 1, .flags = GS_F_ELEMENTWISE,
    .formula = "y = ln(1 + e^x) = max(x,0) + log1p(e^-|x|)",
    .expr = "(fmax(x0, 0.0f) + log1p(exp(-fabs(x0))))",
    .infer = gs__infer_float, .grad = softplus_grad, .ref = softplus_ref,
};

gs_node *gs_softplus(gs_node *x)
{
    return gs__node1(&gs_op_softplus, x, NULL);
}

static void affine_grad(gs_grad_ctx *c)
{
    c->din[0] = gs_scale(c->g, c->attr->f[0]);
}

static void affine_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, c->attr->f[0] * x + c->attr->f[1]);
}

const gs_op gs_op_affine = {
    .name = "affine", .n_in = 1, .flags = GS_F_ELEMENTWISE,
    .formula = "y = a x + b", .attrs = "f[0] a, f[1] b",
    .expr = "(a0 * x0 + a1)",
    .infer = gs__infer_float, .grad = affine_grad, .ref = affine_ref,
};

gs_node *gs_affine(gs_node *x, double a, double b)
{
    const gs_attr attr = { .f = { a, b } };

    return a == 1 && b == 0 ? x : gs__node1(&gs_op_affine, x, &attr);
}

gs_node *gs_scale(gs_node *x, double a)
{
    return gs_affine(x, a, 0);
}

static void powc_grad(gs_grad_ctx *c)
{
    const double p = c->attr->f[0];

    if (p != 0) c->din[0] = gs_mul(c->g, gs_scale(gs_powc(c->in[0], p - 1), p));
}

static void powc_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, pow(x, c->attr->f[0]));
}

const gs_op gs_op_powc = {
    .name = "powc", .n_in = 1, .flags = GS_F_ELEMENTWISE,
    .formula = "y = x^p, x > 0", .attrs = "f[0] p",
    .expr = "pow(x0, a0)",
    .infer = gs__infer_float, .grad = powc_grad, .ref = powc_ref,
};

gs_node *gs_powc(gs_node *x, double p)
{
    const gs_attr attr = { .f = { p } };

    return p == 1 ? x : gs__node1(&gs_op_powc, x, &attr);
}

/* Hendrycks and Gimpel 2016: x Phi(x). */
gs_node *gs_gelu(gs_node *x)
{
    return gs_mul(gs_scale(x, 0.5), gs_affine(gs_erf(gs_scale(x, M_SQRT1_2)), 1, 1));
}

gs_node *gs_quick_gelu(gs_node *x)
{
    return gs_mul(x, gs_sigmoid(gs_scale(x, 1.702)));
}
