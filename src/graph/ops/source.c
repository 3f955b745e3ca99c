/* Nodes without operands: inputs, variables, constants, index ramps; and their builders (gs_input: graph.c,
 * gs_variable: vars.c). */
#include "graph/graph_int.h"

#include <assert.h>
#include <string.h>

static const char source[] = "has no operands";

/* inputs and constants keep their type in attr.i[0] */
static gs_status typed_infer(gs_node *n)
{
    n->shape = n->attr.shape;
    n->dtype = (gs_dtype)n->attr.i[0];
    if (n->dtype != GS_F32 && n->dtype != GS_I32) return gs_fail(GS_EINVAL, "unknown type %d", n->attr.i[0]);
    return GS_OK;
}

static gs_status variable_infer(gs_node *n)
{
    n->shape = n->attr.var->shape;
    n->dtype = n->attr.var->dtype;
    return GS_OK;
}

/* gs_ref_eval copies what it is fed and calls neither of these. */
static void fed_ref(gs_ref_ctx *c)
{
    assert(!"inputs and variables are fed");
    (void)c;
}

const gs_op gs_op_input = {
    .name = "input", .n_in = 0, .flags = GS_F_SOURCE | GS_F_NO_GRAD, .no_grad = source,
    .formula = "y = what the caller feeds", .attrs = "name, shape, i[0] type",
    .infer = typed_infer, .ref = fed_ref,
};

const gs_op gs_op_variable = {
    .name = "variable", .n_in = 0, .flags = GS_F_SOURCE | GS_F_NO_GRAD, .no_grad = source,
    .formula = "y = the variable at the step's start", .attrs = "var",
    .infer = variable_infer, .ref = fed_ref,
};

static void const_data_ref(gs_ref_ctx *c)
{
    const int64_t count = gs_shape_count(c->n->shape);

    for (int64_t i = 0; i < count; i++)
        c->out[i] = c->n->dtype == GS_F32 ? (double)((const float *)c->attr->data)[i]
                                          : (double)((const int32_t *)c->attr->data)[i];
}

const gs_op gs_op_const_data = {
    .name = "const_data", .n_in = 0, .flags = GS_F_SOURCE | GS_F_NO_GRAD, .no_grad = source,
    .formula = "y = data", .attrs = "data, shape, i[0] type",
    .infer = typed_infer, .ref = const_data_ref,
};

static gs_status full_infer(gs_node *n)
{
    n->shape = n->attr.shape;
    n->dtype = GS_F32;
    return GS_OK;
}

static void full_ref(gs_ref_ctx *c)
{
    const int64_t count = gs_shape_count(c->n->shape);

    for (int64_t i = 0; i < count; i++) c->out[i] = c->attr->f[0];
}

const gs_op gs_op_full = {
    .name = "full", .n_in = 0, .flags = GS_F_SOURCE | GS_F_NO_GRAD, .no_grad = source,
    .formula = "y = value everywhere", .attrs = "f[0] value, shape",
    .infer = full_infer, .ref = full_ref,
};

static gs_status iota_infer(gs_node *n)
{
    char text[96];

    n->shape = n->attr.shape;
    n->dtype = GS_I32;
    if (n->attr.i[0] < 0 || n->attr.i[0] >= n->shape.rank)
        return gs_fail(GS_ESHAPE, "no axis %d in shape %s", n->attr.i[0], gs_shape_text(n->shape, text));
    return GS_OK;
}

static void iota_ref(gs_ref_ctx *c)
{
    const int64_t count = gs_shape_count(c->n->shape);

    for (int64_t i = 0; i < count; i++) {
        int64_t at[GS_MAX_DIMS];

        gs__coords(c->n->shape, i, at);
        c->out[i] = (double)at[c->attr->i[0]];
    }
}

const gs_op gs_op_iota = {
    .name = "iota", .n_in = 0, .flags = GS_F_SOURCE | GS_F_NO_GRAD, .no_grad = source,
    .formula = "y = index along an axis, int32", .attrs = "i[0] axis, shape",
    .infer = iota_infer, .ref = iota_ref,
};

gs_node *gs_full(gs_graph *g, gs_shape shape, double value)
{
    const gs_attr attr = { .f = { value }, .shape = shape };

    return gs__node(g, &gs_op_full, NULL, 0, &attr);
}

gs_node *gs_const(gs_graph *g, double value)
{
    return gs_full(g, GS_SCALAR, value);
}

gs_node *gs_const_data(gs_graph *g, gs_shape shape, gs_dtype dtype, const void *data)
{
    gs_attr attr = { .shape = shape, .i = { dtype } };
    gs_node *n = gs__node(g, &gs_op_const_data, NULL, 0, &attr); /* checks the shape before its size is used */
    size_t bytes;
    void *copy;

    if (n->poisoned) return n;
    bytes = (size_t)gs_shape_count(n->shape) * 4;
    copy = gs_arena_alloc(g->arena, bytes);
    memcpy(copy, data, bytes);
    n->attr.data = copy;
    return n;
}

gs_node *gs_iota(gs_graph *g, gs_shape shape, int axis)
{
    const gs_attr attr = { .shape = shape, .i = { axis < 0 ? axis + shape.rank : axis } };

    return gs__node(g, &gs_op_iota, NULL, 0, &attr);
}
