/* Comparisons: two operands of one type and shape, result fp32 0 or 1. They differ in the operator alone. */
#include "graph/graph_int.h"

static gs_node *compare(const gs_op *op, gs_node *a, gs_node *b)
{
    return gs__broadcast_all(&a, &b, NULL) ? gs__node2(op, a, b, NULL) : gs__poison(a->graph, op->name, GS_ESHAPE);
}

#define COMPARISON(NAME, OP)                                                                                       \
    static void NAME##_ref(gs_ref_ctx *c)                                                                          \
    {                                                                                                              \
        GS_EACH2(c, x OP y);                                                                                       \
    }                                                                                                              \
                                                                                                                   \
    const gs_op gs_op_##NAME = {                                                                                   \
        .name = #NAME, .n_in = 2, .flags = GS_F_ELEMENTWISE | GS_F_NO_GRAD, .no_grad = "piecewise constant",       \
        .formula = "y = 1 where a " #OP " b, else 0",                                                              \
        .expr = "(x0 " #OP " x1 ? 1.0f : 0.0f)",                                                                   \
        .infer = gs__infer_compare, .ref = NAME##_ref,                                                             \
    };                                                                                                             \
                                                                                                                   \
    gs_node *gs_##NAME(gs_node *a, gs_node *b)                                                                     \
    {                                                                                                              \
        return compare(&gs_op_##NAME, a, b);                                                                       \
    }

COMPARISON(lt, <)
COMPARISON(le, <=)
COMPARISON(gt, >)
COMPARISON(ge, >=)
COMPARISON(eq, ==)
COMPARISON(ne, !=)
