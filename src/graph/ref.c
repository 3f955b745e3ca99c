/* Reference evaluation: every op's plainest loop, on doubles, in the order in which nodes were made. */
#include "graph/graph.h"

#include <stdlib.h>
#include <string.h>

static const double *fed(const gs_ref_feed *feeds, int n, const gs_node *node)
{
    for (int i = 0; i < n; i++)
        if (feeds[i].node == node) return feeds[i].data;
    return NULL;
}

static gs_status evaluate(const gs_node *n, double **value, const double *feed, uint64_t seed, uint64_t step)
{
    const size_t count = (size_t)gs_shape_count(n->shape);
    double *out = gs_try_alloc(count, sizeof(double), n->op->name);
    const double **in;

    if (!out) return GS_ENOMEM;
    value[n->id] = out;
    if (feed) { /* any node may be fed: then its operands do not matter */
        memcpy(out, feed, count * sizeof(double));
        return GS_OK;
    }
    if (GS_IS(n, input) || GS_IS(n, variable))
        return gs_fail(GS_EINVAL, "%s %s is not fed", n->op->name, n->attr.name ? n->attr.name : n->attr.var->name);
    in = gs_xalloc((size_t)GS_MAX(n->n_in, 1) * sizeof *in);
    for (int k = 0; k < n->n_in; k++) in[k] = value[n->in[k]->id];
    n->op->ref(&(gs_ref_ctx){ .n = n, .attr = &n->attr, .in = in, .out = out, .seed = seed, .step = step });
    free(in);
    return GS_OK;
}

gs_status gs_ref_eval(gs_graph *g, gs_node *const *want, int n_want, const gs_ref_feed *feeds, int n_feeds,
                      uint64_t seed, uint64_t step, gs_ref_result *out)
{
    bool *needed = gs_xalloc((size_t)GS_MAX(g->n_nodes, 1));
    gs_status st = GS_OK;

    *out = (gs_ref_result){ .n = g->n_nodes, .value = gs_xalloc((size_t)GS_MAX(g->n_nodes, 1) * sizeof(double *)) };
    TRY(gs_graph_status(g));
    for (int i = 0; i < n_want; i++) needed[want[i]->id] = true;
    for (int id = g->n_nodes; id-- > 0;)
        if (needed[id] && !fed(feeds, n_feeds, g->nodes[id]))
            for (int k = 0; k < g->nodes[id]->n_in; k++) needed[g->nodes[id]->in[k]->id] = true;
    for (int id = 0; id < g->n_nodes; id++)
        if (needed[id]) TRY(evaluate(g->nodes[id], out->value, fed(feeds, n_feeds, g->nodes[id]), seed, step));
done:
    free(needed);
    if (st != GS_OK) gs_ref_free(out);
    return st;
}

void gs_ref_free(gs_ref_result *r)
{
    for (int i = 0; i < r->n; i++) free(r->value[i]);
    free(r->value);
    *r = (gs_ref_result){ 0 };
}
