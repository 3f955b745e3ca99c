/* Elementwise functions of one operand that are made of straight pieces. Those with a flat derivative carry
 * GS_F_NO_GRAD; the others multiply the gradient by a step, so that their second derivative is zero. */
#include "graph/graph_int.h"

#include <math.h>

static const char flat[] = "piecewise constant";

static void sign_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, x > 0 ? 1 : x < 0 ? -1 : 0);
}

const gs_op gs_op_sign = {
    .name = "sign", .n_in = 1, .flags = GS_F_ELEMENTWISE | GS_F_NO_GRAD, .no_grad = flat,
    .formula = "y = -1, 0, 1 by the sign of x",
    .expr = "(x0 > 0.0f ? 1.0f : x0 < 0.0f ? -1.0f : 0.0f)",
    .infer = gs__infer_float, .ref = sign_ref,
};

gs_node *gs_sign(gs_node *x)
{
    return gs__node1(&gs_op_sign, x, NULL);
}

static void step_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, x > 0 ? 1 : 0);
}

const gs_op gs_op_step = {
    .name = "step", .n_in = 1, .flags = GS_F_ELEMENTWISE | GS_F_NO_GRAD, .no_grad = flat,
    .formula = "y = 1 for x > 0, else 0",
    .expr = "(x0 > 0.0f ? 1.0f : 0.0f)",
    .infer = gs__infer_float, .ref = step_ref,
};

gs_node *gs_step(gs_node *x)
{
    return gs__node1(&gs_op_step, x, NULL);
}

static void floor_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, floor(x));
}

const gs_op gs_op_floor = {
    .name = "floor", .n_in = 1, .flags = GS_F_ELEMENTWISE | GS_F_NO_GRAD, .no_grad = flat,
    .formula = "y = largest integer <= x",
    .expr = "floor(x0)",
    .infer = gs__infer_float, .ref = floor_ref,
};

gs_node *gs_floor(gs_node *x)
{
    return gs__node1(&gs_op_floor, x, NULL);
}

static void abs_grad(gs_grad_ctx *c)
{
    c->din[0] = gs_mul(c->g, gs_sign(c->in[0]));
}

static void abs_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, fabs(x));
}

const gs_op gs_op_abs = {
    .name = "abs", .n_in = 1, .flags = GS_F_ELEMENTWISE,
    .formula = "y = |x|",
    .expr = "fabs(x0)",
    .infer = gs__infer_float, .grad = abs_grad, .ref = abs_ref,
};

gs_node *gs_abs(gs_node *x)
{
    return gs__node1(&gs_op_abs, x, NULL);
}

static void relu_grad(gs_grad_ctx *c)
{
    c->din[0] = gs_mul(c->g, gs_step(c->in[0]));
}

static void relu_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, x < 0 ? 0 : x);
}

const gs_op gs_op_relu = {
    .name = "relu", .n_in = 1, .flags = GS_F_ELEMENTWISE,
    .formula = "y = max(x,0), NaN stays",
    .expr = "(x0 < 0.0f ? 0.0f : x0)",
    .infer = gs__infer_float, .grad = relu_grad, .ref = relu_ref,
};

gs_node *gs_relu(gs_node *x)
{
    return gs__node1(&gs_op_relu, x, NULL);
}

/* dy/dx = a + (1-a) step(x) */
static void leaky_relu_grad(gs_grad_ctx *c)
{
    const double a = c->attr->f[0];

    c->din[0] = gs_mul(c->g, gs_affine(gs_step(c->in[0]), 1 - a, a));
}

static void leaky_relu_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, x > 0 ? x : c->attr->f[0] * x);
}

const gs_op gs_op_leaky_relu = {
    .name = "leaky_relu", .n_in = 1, .flags = GS_F_ELEMENTWISE,
    .formula = "y = max(x,0) + a min(x,0)", .attrs = "f[0] slope",
    .expr = "(x0 > 0.0f ? x0 : a0 * x0)",
    .infer = gs__infer_float, .grad = leaky_relu_grad, .ref = leaky_relu_ref,
};

gs_node *gs_leaky_relu(gs_node *x, double slope)
{
    const gs_attr attr = { .f = { slope } };

    return gs__node1(&gs_op_leaky_relu, x, &attr);
}

static void clamp_grad(gs_grad_ctx *c)
{
    gs_node *x = c->in[0], *lo = gs_const(x->graph, c->attr->f[0]), *hi = gs_const(x->graph, c->attr->f[1]);

    c->din[0] = gs_mul(c->g, gs_mul(gs_ge(x, lo), gs_le(x, hi)));
}

static void clamp_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, x < c->attr->f[0] ? c->attr->f[0] : x > c->attr->f[1] ? c->attr->f[1] : x);
}

const gs_op gs_op_clamp = {
    .name = "clamp", .n_in = 1, .flags = GS_F_ELEMENTWISE,
    .formula = "y = min(max(x, lo), hi), NaN stays", .attrs = "f[0] lo, f[1] hi",
    .expr = "(x0 < a0 ? a0 : x0 > a1 ? a1 : x0)",
    .infer = gs__infer_float, .grad = clamp_grad, .ref = clamp_ref,
};

gs_node *gs_clamp(gs_node *x, double lo, double hi)
{
    const gs_attr attr = { .f = { lo, hi } };

    if (x->poisoned) return x;
    if (!(lo <= hi)) return gs__poison(x->graph, "clamp", gs_fail(GS_EINVAL, "lo %g is above hi %g", lo, hi));
    return gs__node1(&gs_op_clamp, x, &attr);
}

static gs_status cast_infer(gs_node *n)
{
    n->shape = n->in[0]->shape;
    n->dtype = (gs_dtype)n->attr.i[0];
    if (n->dtype != GS_F32 && n->dtype != GS_I32) return gs_fail(GS_EINVAL, "unknown type %d", n->attr.i[0]);
    return GS_OK;
}

static void cast_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, c->n->dtype == GS_I32 ? trunc(x) : x);
}

/* The conversion itself is C's, by the type of the variable that receives the expression. */
const gs_op gs_op_cast = {
    .name = "cast", .n_in = 1, .flags = GS_F_ELEMENTWISE | GS_F_NO_GRAD, .no_grad = "passes through integers",
    .formula = "y = x in the other type; to int32: towards zero", .attrs = "i[0] type",
    .expr = "x0",
    .infer = cast_infer, .ref = cast_ref,
};

gs_node *gs_cast(gs_node *x, gs_dtype dtype)
{
    const gs_attr attr = { .i = { dtype } };

    return x->dtype == dtype ? x : gs__node1(&gs_op_cast, x, &attr);
}

static void detach_ref(gs_ref_ctx *c)
{
    GS_EACH1(c, x);
}

const gs_op gs_op_detach = {
    .name = "detach", .n_in = 1, .flags = GS_F_ELEMENTWISE | GS_F_NO_GRAD, .no_grad = "cuts the gradient on purpose",
    .formula = "y = x",
    .expr = "x0",
    .infer = gs__infer_same, .ref = detach_ref,
};

gs_node *gs_detach(gs_node *x)
{
    return gs__node1(&gs_op_detach, x, NULL);
}
