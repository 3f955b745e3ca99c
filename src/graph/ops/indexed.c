/* Rows by index: gather, its adjoint scatter_add, and one_hot (composed).
 * V rows of E numbers; an index outside 0..V-1 reads zero and adds nowhere. */
#include "graph/graph_int.h"

#include <string.h>

/* ---- gather: y[i,:] = table[index[i],:] ---- */

static gs_status gather_infer(gs_node *n)
{
    const gs_node *table = n->in[0], *index = n->in[1];
    gs_status st = GS_OK;
    char a[96];

    TRY(gs__want_float(table, "table"));
    TRY(gs__want_int(index, "index"));
    if (table->shape.rank != 2) return gs_fail(GS_ESHAPE, "table is %s, not (V,E)", gs_shape_text(table->shape, a));
    if (index->shape.rank == GS_MAX_DIMS) return gs_fail(GS_ESHAPE, "index has %d dims already", GS_MAX_DIMS);
    n->shape = index->shape;
    n->shape.dim[n->shape.rank++] = table->shape.dim[1];
    n->dtype = GS_F32;
done:
    return st;
}

static void gather_grad(gs_grad_ctx *c)
{
    if (c->need[0]) c->din[0] = gs_scatter_add(c->in[1], c->g, c->in[0]->shape.dim[0]);
}

static void gather_ref(gs_ref_ctx *c)
{
    const int64_t rows = gs_shape_count(c->n->in[1]->shape), v = c->n->in[0]->shape.dim[0], e = c->n->in[0]->shape.dim[1];

    for (int64_t r = 0; r < rows; r++) {
        const int64_t k = (int64_t)c->in[1][r];

        for (int64_t j = 0; j < e; j++) c->out[r * e + j] = k >= 0 && k < v ? c->in[0][k * e + j] : 0;
    }
}

const gs_op gs_op_gather = {
    .name = "gather", .n_in = 2,
    .formula = "y[i,:] = table[index[i],:]", .attrs = NULL,
    .infer = gather_infer, .grad = gather_grad, .ref = gather_ref,
};

gs_node *gs_gather(gs_node *table, gs_node *index)
{
    return gs__node2(&gs_op_gather, table, index, NULL);
}

/* ---- scatter_add: y[v,:] = sum of rows[i,:] over i with index[i] = v, in order of i ---- */

static gs_status scatter_add_infer(gs_node *n)
{
    const gs_node *index = n->in[0], *rows = n->in[1];
    const int r = index->shape.rank;
    gs_status st = GS_OK;
    bool fits = rows->shape.rank == r + 1;
    char a[96], b[96];

    TRY(gs__want_int(index, "index"));
    TRY(gs__want_float(rows, "rows"));
    for (int i = 0; i < r && fits; i++) fits = rows->shape.dim[i] == index->shape.dim[i];
    if (!fits)
        return gs_fail(GS_ESHAPE, "index is %s, rows are %s; wants rows of index's dims and one more",
                       gs_shape_text(index->shape, a), gs_shape_text(rows->shape, b));
    n->shape = (gs_shape){ .rank = 2, .dim = { n->attr.i[0], rows->shape.dim[r] } };
    n->dtype = GS_F32;
done:
    return st;
}

static void scatter_add_grad(gs_grad_ctx *c)
{
    if (c->need[1]) c->din[1] = gs_gather(c->g, c->in[0]);
}

static void scatter_add_ref(gs_ref_ctx *c)
{
    const int64_t rows = gs_shape_count(c->n->in[0]->shape), v = c->n->shape.dim[0], e = c->n->shape.dim[1];

    memset(c->out, 0, (size_t)(v * e) * sizeof(double));
    for (int64_t r = 0; r < rows; r++) {
        const int64_t k = (int64_t)c->in[0][r];

        if (k < 0 || k >= v) continue;
        for (int64_t j = 0; j < e; j++) c->out[k * e + j] += c->in[1][r * e + j];
    }
}

const gs_op gs_op_scatter_add = {
    .name = "scatter_add", .n_in = 2,
    .formula = "y[v,:] = sum of rows[i,:] where index[i] = v", .attrs = "i[0] V",
    .infer = scatter_add_infer, .grad = scatter_add_grad, .ref = scatter_add_ref,
};

gs_node *gs_scatter_add(gs_node *index, gs_node *rows, int64_t v)
{
    const gs_attr attr = { .i = { (int32_t)v } };

    if (!index->poisoned && (v < 1 || v > INT32_MAX))
        return gs__poison(index->graph, "scatter_add", gs_fail(GS_EINVAL, "V is %lld, not in 1..2^31-1", (long long)v));
    return gs__node2(&gs_op_scatter_add, index, rows, &attr);
}

gs_node *gs_one_hot(gs_node *index, int n)
{
    gs_shape s = index->shape;
    char a[96];

    if (index->poisoned) return index;
    if (gs__want_int(index, "index") != GS_OK) return gs__poison(index->graph, "one_hot", GS_EINVAL);
    if (s.rank == GS_MAX_DIMS || n < 1)
        return gs__poison(index->graph, "one_hot", gs_fail(GS_ESHAPE, "index is %s, n is %d", gs_shape_text(s, a), n));
    s.dim[s.rank++] = 1;
    index = gs_reshape(index, s);
    s.dim[s.rank - 1] = n;
    return gs_eq(index, gs_iota(index->graph, s, s.rank - 1));
}
