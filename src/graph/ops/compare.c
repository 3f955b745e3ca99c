/* Comparisons: two operands of one type and shape, result fp32 0 or 1. */
#include "graph/graph_int.h"

static const char flat[] = "piecewise constant";

static gs_node *compare(const gs_op *op, gs_node *a, gs_node *b)
{
    return gs__broadcast_all(&a, &b, NULL) ? gs__node2(op, a, b, NULL) : gs__poison(a->graph, op->name, GS_ESHAPE);
}

static void lt_ref(gs_ref_ctx *c)
{
    GS_EACH2(c, x < y);
}

const gs_op gs_op_lt = {
    .name = "lt", .n_in = 2, .flags = GS_F_ELEMENTWISE | GS_F_NO_GRAD, .no_grad = flat,
    .formula = "y = 1 where a < b, else 0",
    .expr = "(x0 < x1 ? 1.0f : 0.0f)",
    .infer = gs__infer_compare, .ref = lt_ref,
};

gs_node *gs_lt(gs_node *a, gs_node *b)
{
    return compare(&gs_op_lt, a, b);
}

static void le_ref(gs_ref_ctx *c)
{
    GS_EACH2(c, x <= y);
}

const gs_op gs_op_le = {
    .name = "le", .n_in = 2, .flags = GS_F_ELEMENTWISE | GS_F_NO_GRAD, .no_grad = flat,
    .formula = "y = 1 where a <= b, else 0",
    .expr = "(x0 <= x1 ? 1.0f : 0.0f)",
    .infer = gs__infer_compare, .ref = le_ref,
};

gs_node *gs_le(gs_node *a, gs_node *b)
{
    return compare(&gs_op_le, a, b);
}

static void gt_ref(gs_ref_ctx *c)
{
    GS_EACH2(c, x > y);
}

const gs_op gs_op_gt = {
    .name = "gt", .n_in = 2, .flags = GS_F_ELEMENTWISE | GS_F_NO_GRAD, .no_grad = flat,
    .formula = "y = 1 where a > b, else 0",
    .expr = "(x0 > x1 ? 1.0f : 0.0f)",
    .infer = gs__infer_compare, .ref = gt_ref,
};

gs_node *gs_gt(gs_node *a, gs_node *b)
{
    return compare(&gs_op_gt, a, b);
}

static void ge_ref(gs_ref_ctx *c)
{
    GS_EACH2(c, x >= y);
}

const gs_op gs_op_ge = {
    .name = "ge", .n_in = 2, .flags = GS_F_ELEMENTWISE | GS_F_NO_GRAD, .no_grad = flat,
    .formula = "y = 1 where a >= b, else 0",
    .expr = "(x0 >= x1 ? 1.0f : 0.0f)",
    .infer = gs__infer_compare, .ref = ge_ref,
};

gs_node *gs_ge(gs_node *a, gs_node *b)
{
    return compare(&gs_op_ge, a, b);
}

static void eq_ref(gs_ref_ctx *c)
{
    GS_EACH2(c, x == y);
}

const gs_op gs_op_eq = {
    .name = "eq", .n_in = 2, .flags = GS_F_ELEMENTWISE | GS_F_NO_GRAD, .no_grad = flat,
    .formula = "y = 1 where a == b, else 0",
    .expr = "(x0 == x1 ? 1.0f : 0.0f)",
    .infer = gs__infer_compare, .ref = eq_ref,
};

gs_node *gs_eq(gs_node *a, gs_node *b)
{
    return compare(&gs_op_eq, a, b);
}

static void ne_ref(gs_ref_ctx *c)
{
    GS_EACH2(c, x != y);
}

const gs_op gs_op_ne = {
    .name = "ne", .n_in = 2, .flags = GS_F_ELEMENTWISE | GS_F_NO_GRAD, .no_grad = flat,
    .formula = "y = 1 where a != b, else 0",
    .expr = "(x0 != x1 ? 1.0f : 0.0f)",
    .infer = gs__infer_compare, .ref = ne_ref,
};

gs_node *gs_ne(gs_node *a, gs_node *b)
{
    return compare(&gs_op_ne, a, b);
}
