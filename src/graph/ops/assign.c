/* v := value at the end of the step. Made by gs_assign (vars.c); readers of the variable use the value's node
 * directly. */
#include "graph/graph_int.h"

#include <string.h>

static gs_status infer(gs_node *n)
{
    const gs_var *v = n->attr.var;
    char a[96], b[96];

    n->shape = n->in[0]->shape;
    n->dtype = n->in[0]->dtype;
    if (n->dtype != v->dtype) return gs_fail(GS_EINVAL, "the value's type is not that of %s; cast it", v->name);
    if (!gs_shape_equal(n->shape, v->shape))
        return gs_fail(GS_ESHAPE, "%s is %s, the value is %s", v->name, gs_shape_text(v->shape, a), gs_shape_text(n->shape, b));
    return GS_OK;
}

static void ref(gs_ref_ctx *c)
{
    memcpy(c->out, c->in[0], (size_t)gs_shape_count(c->n->shape) * sizeof(double));
}

const gs_op gs_op_assign = {
    .name = "assign", .n_in = 1, .flags = GS_F_NO_GRAD, .no_grad = "a stored state; differentiate the value itself",
    .formula = "v := x at the end of the step", .attrs = "var",
    .infer = infer, .ref = ref,
};
