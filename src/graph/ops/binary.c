/* Elementwise functions of two operands of one shape; the builders broadcast first (numpy's rules). */
#include "graph/graph_int.h"

#include <math.h>

static gs_node *binary(const gs_op *op, gs_node *a, gs_node *b)
{
    return gs__broadcast_all(&a, &b, NULL) ? gs__node2(op, a, b, NULL) : gs__poison(a->graph, op->name, GS_ESHAPE);
}

static void add_grad(gs_grad_ctx *c)
{
    c->din[0] = c->g;
    c->din[1] = c->g;
}

static void add_ref(gs_ref_ctx *c)
{
    GS_EACH2(c, x + y);
}

const gs_op gs_op_add = {
    .name = "add", .n_in = 2, .flags = GS_F_ELEMENTWISE,
    .formula = "y = a + b",
    .expr = "(x0 + x1)",
    .infer = gs__infer_same, .grad = add_grad, .ref = add_ref,
};

gs_node *gs_add(gs_node *a, gs_node *b)
{
    return binary(&gs_op_add, a, b);
}

static void sub_grad(gs_grad_ctx *c)
{
    c->din[0] = c->g;
    if (c->need[1]) c->din[1] = gs_neg(c->g);
}

static void sub_ref(gs_ref_ctx *c)
{
    GS_EACH2(c, x - y);
}

const gs_op gs_op_sub = {
    .name = "sub", .n_in = 2, .flags = GS_F_ELEMENTWISE,
    .formula = "y = a - b",
    .expr = "(x0 - x1)",
    .infer = gs__infer_same, .grad = sub_grad, .ref = sub_ref,
};

gs_node *gs_sub(gs_node *a, gs_node *b)
{
    return binary(&gs_op_sub, a, b);
}

static void mul_grad(gs_grad_ctx *c)
{
    if (c->need[0]) c->din[0] = gs_mul(c->g, c->in[1]);
    if (c->need[1]) c->din[1] = gs_mul(c->g, c->in[0]);
}

static void mul_ref(gs_ref_ctx *c)
{
    GS_EACH2(c, x * y);
}

const gs_op gs_op_mul = {
    .name = "mul", .n_in = 2, .flags = GS_F_ELEMENTWISE,
    .formula = "y = a b",
    .expr = "(x0 * x1)",
    .infer = gs__infer_same, .grad = mul_grad, .ref = mul_ref,
};

gs_node *gs_mul(gs_node *a, gs_node *b)
{
    return binary(&gs_op_mul, a, b);
}

static void div_grad(gs_grad_ctx *c)
{
    gs_node *da = gs_div(c->g, c->in[1]);

    c->din[0] = da;
    if (c->need[1]) c->din[1] = gs_neg(gs_mul(da, c->out));
}

static void div_ref(gs_ref_ctx *c)
{
    GS_EACH2(c, x / y);
}

const gs_op gs_op_div = {
    .name = "div", .n_in = 2, .flags = GS_F_ELEMENTWISE,
    .formula = "y = a / b",
    .expr = "(x0 / x1)",
    .infer = gs__infer_float, .grad = div_grad, .ref = div_ref,
};

gs_node *gs_div(gs_node *a, gs_node *b)
{
    return binary(&gs_op_div, a, b);
}

static void max2_grad(gs_grad_ctx *c)
{
    gs_node *first = gs_ge(c->in[0], c->in[1]);

    if (c->need[0]) c->din[0] = gs_mul(c->g, first);
    if (c->need[1]) c->din[1] = gs_mul(c->g, gs_affine(first, -1, 1));
}

static void max2_ref(gs_ref_ctx *c)
{
    GS_EACH2(c, x >= y ? x : x < y ? y : x + y);
}

const gs_op gs_op_max2 = {
    .name = "max2", .n_in = 2, .flags = GS_F_ELEMENTWISE,
    .formula = "y = max(a, b), NaN stays",
    .expr = "(x0 >= x1 ? x0 : x0 < x1 ? x1 : x0 + x1)",
    .infer = gs__infer_same, .grad = max2_grad, .ref = max2_ref,
};

gs_node *gs_max2(gs_node *a, gs_node *b)
{
    return binary(&gs_op_max2, a, b);
}

static void min2_grad(gs_grad_ctx *c)
{
    gs_node *first = gs_le(c->in[0], c->in[1]);

    if (c->need[0]) c->din[0] = gs_mul(c->g, first);
    if (c->need[1]) c->din[1] = gs_mul(c->g, gs_affine(first, -1, 1));
}

static void min2_ref(gs_ref_ctx *c)
{
    GS_EACH2(c, x <= y ? x : x > y ? y : x + y);
}

const gs_op gs_op_min2 = {
    .name = "min2", .n_in = 2, .flags = GS_F_ELEMENTWISE,
    .formula = "y = min(a, b), NaN stays",
    .expr = "(x0 <= x1 ? x0 : x0 > x1 ? x1 : x0 + x1)",
    .infer = gs__infer_same, .grad = min2_grad, .ref = min2_ref,
};

gs_node *gs_min2(gs_node *a, gs_node *b)
{
    return binary(&gs_op_min2, a, b);
}

static void pow_grad(gs_grad_ctx *c)
{
    gs_node *a = c->in[0], *b = c->in[1];

    if (c->need[0]) c->din[0] = gs_mul(c->g, gs_mul(b, gs_pow(a, gs_affine(b, 1, -1))));
    if (c->need[1]) c->din[1] = gs_mul(c->g, gs_mul(c->out, gs_log(a)));
}

static void pow_ref(gs_ref_ctx *c)
{
    GS_EACH2(c, pow(x, y));
}

const gs_op gs_op_pow = {
    .name = "pow", .n_in = 2, .flags = GS_F_ELEMENTWISE,
    .formula = "y = a^b, a > 0",
    .expr = "pow(x0, x1)",
    .infer = gs__infer_float, .grad = pow_grad, .ref = pow_ref,
};

gs_node *gs_pow(gs_node *a, gs_node *b)
{
    return binary(&gs_op_pow, a, b);
}
