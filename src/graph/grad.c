/* Gradients as a graph transformation: reverse accumulation over the nodes that lie between wrt and y.
 *
 * A node lies between when it depends on some wrt through ops that have a derivative; frozen parts build
 * nothing. Node ids are a topological order, so one walk downwards sees a node after all that use it.
 * Contributions are added in the order of that walk, so the sum's order is fixed. */
#include "graph/graph_int.h"

#include <assert.h>
#include <stdlib.h>

/* between[id]: depends on a wrt. Everything below the first wrt stays false. */
static bool *mark_between(const gs_graph *g, const gs_node *y, gs_node *const *wrt, int n)
{
    bool *between = gs_xalloc((size_t)y->id + 1);

    for (int i = 0; i < n; i++)
        if (wrt[i]->id <= y->id) between[wrt[i]->id] = true;
    for (int id = 0; id <= y->id; id++) {
        const gs_node *node = g->nodes[id];

        if (node->op->flags & GS_F_NO_GRAD) continue;
        for (int k = 0; k < node->n_in && !between[id]; k++) between[id] = between[node->in[k]->id];
    }
    return between;
}

/* Adds to sum[] the contributions of one node to its operands. */
static void propagate(gs_node *node, gs_node **sum, const bool *between)
{
    gs_node *few[8] = { 0 }, **din = few;
    bool few_need[8], *need = few_need;
    gs_grad_ctx c;

    if (node->n_in > 8) {
        din = gs_xalloc((size_t)node->n_in * sizeof *din);
        need = gs_xalloc((size_t)node->n_in);
    }
    for (int k = 0; k < node->n_in; k++) need[k] = between[node->in[k]->id] && node->in[k]->dtype == GS_F32;
    c = (gs_grad_ctx){ .attr = &node->attr, .in = node->in, .out = node, .g = sum[node->id], .din = din, .need = need };
    node->op->grad(&c);
    for (int k = 0; k < node->n_in; k++) {
        gs_node **to = &sum[node->in[k]->id];

        if (!need[k] || !din[k]) continue;
        assert((din[k]->poisoned || gs_shape_equal(din[k]->shape, node->in[k]->shape)) && "a gradient has its operand's shape");
        *to = *to ? gs_add(*to, din[k]) : din[k];
    }
    if (node->n_in > 8) {
        free(din);
        free(need);
    }
}

/* The first poisoned of the arguments, or the poison of an argument that has no gradient; NULL when all is well. */
static gs_node *refuse(gs_node *y, gs_node *dy, gs_node *const *wrt, int n)
{
    char a[96], b[96];

    if (y->poisoned) return y;
    if (dy && dy->poisoned) return dy;
    if (gs__want_float(y, "y") != GS_OK) return gs__poison(y->graph, "grad", GS_EINVAL);
    if (dy && (dy->graph != y->graph || !gs_shape_equal(dy->shape, y->shape) || dy->dtype != GS_F32))
        return gs__poison(y->graph, "grad", gs_fail(GS_ESHAPE, "the incoming gradient is %s, y is %s",
                                                    gs_shape_text(dy->shape, a), gs_shape_text(y->shape, b)));
    for (int i = 0; i < n; i++) {
        if (wrt[i]->poisoned) return wrt[i];
        if (wrt[i]->graph != y->graph)
            return gs__poison(y->graph, "grad", gs_fail(GS_EINVAL, "operand %d belongs to another graph", i));
        if (gs__want_float(wrt[i], "an operand") != GS_OK) return gs__poison(y->graph, "grad", GS_EINVAL);
    }
    return NULL;
}

void gs_grad_with(gs_node *y, gs_node *dy, gs_node *const *wrt, int n, gs_node **out)
{
    gs_graph *g = y->graph;
    gs_node *bad = refuse(y, dy, wrt, n), **sum;
    bool *between;

    if (bad) {
        for (int i = 0; i < n; i++) out[i] = bad;
        return;
    }
    gs_scope_push(g, "grad");
    between = mark_between(g, y, wrt, n);
    sum = gs_xalloc(((size_t)y->id + 1) * sizeof *sum); /* gradient by each node so far */
    if (between[y->id]) sum[y->id] = dy ? dy : gs_full(g, y->shape, 1);
    for (int id = y->id; id >= 0; id--) {
        gs_node *node = g->nodes[id];

        if (sum[id] && between[id] && !(node->op->flags & GS_F_NO_GRAD)) propagate(node, sum, between);
    }
    for (int i = 0; i < n; i++) {
        gs_node *d = wrt[i]->id <= y->id ? sum[wrt[i]->id] : NULL;

        out[i] = d ? d : gs_full(g, wrt[i]->shape, 0);
    }
    free(between);
    free(sum);
    gs_scope_pop(g);
}

void gs_grad(gs_node *y, gs_node *const *wrt, int n, gs_node **out)
{
    gs_grad_with(y, NULL, wrt, n, out);
}
