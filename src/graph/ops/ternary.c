/* Elementwise functions of three operands of one shape; the builders broadcast first. */
#include "graph/graph_int.h"

static gs_node *ternary(const gs_op *op, gs_node *a, gs_node *b, gs_node *c)
{
    return gs__broadcast_all(&a, &b, &c) ? gs__node3(op, a, b, c, NULL) : gs__poison(a->graph, op->name, GS_ESHAPE);
}

static void select_grad(gs_grad_ctx *c)
{
    gs_node *zero = gs_full(c->g->graph, c->g->shape, 0);

    if (c->need[1]) c->din[1] = gs_select(c->in[0], c->g, zero);
    if (c->need[2]) c->din[2] = gs_select(c->in[0], zero, c->g);
}

static void select_ref(gs_ref_ctx *c)
{
    GS_EACH3(c, x != 0 ? y : z);
}

const gs_op gs_op_select = {
    .name = "select", .n_in = 3, .flags = GS_F_ELEMENTWISE,
    .formula = "y = a where c != 0, else b",
    .expr = "(x0 != 0.0f ? x1 : x2)",
    .infer = gs__infer_select, .grad = select_grad, .ref = select_ref,
};

gs_node *gs_select(gs_node *c, gs_node *a, gs_node *b)
{
    return ternary(&gs_op_select, c, a, b);
}

static void fma_grad(gs_grad_ctx *c)
{
    if (c->need[0]) c->din[0] = gs_mul(c->g, c->in[1]);
    if (c->need[1]) c->din[1] = gs_mul(c->g, c->in[0]);
    c->din[2] = c->g;
}

static void fma_ref(gs_ref_ctx *c)
{
    GS_EACH3(c, x * y + z);
}

/* Rounded once or twice, as the device likes: the fma builtin is slow where hardware lacks it. */
const gs_op gs_op_fma = {
    .name = "fma", .n_in = 3, .flags = GS_F_ELEMENTWISE,
    .formula = "y = a b + c",
    .expr = "(x0 * x1 + x2)",
    .infer = gs__infer_float, .grad = fma_grad, .ref = fma_ref,
};

gs_node *gs_fma(gs_node *a, gs_node *b, gs_node *c)
{
    return ternary(&gs_op_fma, a, b, c);
}
