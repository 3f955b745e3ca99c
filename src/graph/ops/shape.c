/* The same elements under another shape, order or multiplicity: reshape, permute, broadcast. */
#include "graph/graph_int.h"

#include <string.h>

/* ---- reshape ---- */

static gs_status reshape_infer(gs_node *n)
{
    char a[96], b[96];

    n->shape = n->attr.shape;
    n->dtype = n->in[0]->dtype;
    if (n->shape.rank < 0 || n->shape.rank > GS_MAX_DIMS) return GS_OK; /* refused by gs__node */
    for (int i = 0; i < n->shape.rank; i++)
        if (n->shape.dim[i] < 1 || n->shape.dim[i] > INT32_MAX) return GS_OK;
    if (gs_shape_count(n->shape) != gs_shape_count(n->in[0]->shape))
        return gs_fail(GS_ESHAPE, "%s cannot become %s", gs_shape_text(n->in[0]->shape, a), gs_shape_text(n->shape, b));
    return GS_OK;
}

static void reshape_grad(gs_grad_ctx *c)
{
    c->din[0] = gs_reshape(c->g, c->in[0]->shape);
}

static void reshape_ref(gs_ref_ctx *c)
{
    memcpy(c->out, c->in[0], (size_t)gs_shape_count(c->n->shape) * sizeof(double));
}

const gs_op gs_op_reshape = {
    .name = "reshape", .n_in = 1,
    .formula = "y = x, other dims", .attrs = "shape",
    .infer = reshape_infer, .grad = reshape_grad, .ref = reshape_ref,
};

gs_node *gs_reshape(gs_node *x, gs_shape shape)
{
    gs_attr attr = { .shape = shape };
    int64_t known = 1;
    int open = -1;
    char a[96], b[96];

    if (x->poisoned || gs_shape_equal(x->shape, shape)) return x;
    for (int i = 0; i < shape.rank && i < GS_MAX_DIMS; i++) {
        if (shape.dim[i] != -1) {
            if (shape.dim[i] < 1 || shape.dim[i] > INT32_MAX || known > INT32_MAX) break; /* refused below */
            known *= shape.dim[i];
        } else if (open >= 0) {
            return gs__poison(x->graph, "reshape", gs_fail(GS_ESHAPE, "%s has two open dims", gs_shape_text(shape, a)));
        } else {
            open = i;
        }
    }
    if (open >= 0) {
        const int64_t count = gs_shape_count(x->shape);

        if (count % known)
            return gs__poison(x->graph, "reshape", gs_fail(GS_ESHAPE, "%s cannot become %s", gs_shape_text(x->shape, a),
                                                           gs_shape_text(shape, b)));
        attr.shape.dim[open] = count / known;
        if (gs_shape_equal(x->shape, attr.shape)) return x;
    }
    return gs__node1(&gs_op_reshape, x, &attr);
}

/* ---- permute ---- */

static gs_status permute_infer(gs_node *n)
{
    const gs_shape in = n->in[0]->shape;
    unsigned seen = 0;

    n->shape = in;
    n->dtype = n->in[0]->dtype;
    for (int i = 0; i < in.rank; i++) {
        const int a = n->attr.i[i];

        if (a < 0 || a >= in.rank || (seen & GS_AXIS(a)))
            return gs_fail(GS_ESHAPE, "axes are no permutation of 0..%d", in.rank - 1);
        seen |= GS_AXIS(a);
        n->shape.dim[i] = in.dim[a];
    }
    return GS_OK;
}

static void permute_grad(gs_grad_ctx *c)
{
    int inverse[GS_MAX_DIMS];

    for (int i = 0; i < c->in[0]->shape.rank; i++) inverse[c->attr->i[i]] = i;
    c->din[0] = gs_permute(c->g, inverse);
}

static void permute_ref(gs_ref_ctx *c)
{
    const gs_shape in = c->n->in[0]->shape, out = c->n->shape;
    const int64_t count = gs_shape_count(out);

    for (int64_t i = 0; i < count; i++) {
        int64_t to[GS_MAX_DIMS], from[GS_MAX_DIMS];

        gs__coords(out, i, to);
        for (int a = 0; a < out.rank; a++) from[c->attr->i[a]] = to[a];
        c->out[i] = c->in[0][gs__at(in, from)];
    }
}

const gs_op gs_op_permute = {
    .name = "permute", .n_in = 1, .flags = GS_F_VIEW,
    .formula = "y = x with axes reordered; y.dim[i] = x.dim[axes[i]]", .attrs = "i[0..] axes",
    .infer = permute_infer, .grad = permute_grad, .ref = permute_ref,
};

gs_node *gs_permute(gs_node *x, const int *axes)
{
    gs_attr attr = { 0 };
    bool same = true;

    if (x->poisoned) return x;
    for (int i = 0; i < x->shape.rank; i++) {
        attr.i[i] = axes[i];
        same = same && axes[i] == i;
    }
    return same ? x : gs__node1(&gs_op_permute, x, &attr);
}

gs_node *gs_transpose(gs_node *x, int a, int b)
{
    int axes[GS_MAX_DIMS];
    gs_node *bad = gs__fit_axis(x, "transpose", &a);

    if (!bad) bad = gs__fit_axis(x, "transpose", &b);
    if (bad) return bad;
    for (int i = 0; i < GS_MAX_DIMS; i++) axes[i] = i;
    axes[a] = b;
    axes[b] = a;
    return gs_permute(x, axes);
}

/* ---- broadcast ---- */

static gs_status broadcast_infer(gs_node *n)
{
    const gs_shape in = n->in[0]->shape, out = n->attr.shape;
    char a[96], b[96];

    n->shape = out;
    n->dtype = n->in[0]->dtype;
    if (in.rank != out.rank)
        return gs_fail(GS_ESHAPE, "%s to %s: ranks differ", gs_shape_text(in, a), gs_shape_text(out, b));
    for (int i = 0; i < in.rank; i++)
        if (in.dim[i] != out.dim[i] && in.dim[i] != 1)
            return gs_fail(GS_ESHAPE, "%s does not broadcast to %s", gs_shape_text(in, a), gs_shape_text(out, b));
    return GS_OK;
}

static void broadcast_grad(gs_grad_ctx *c)
{
    c->din[0] = gs_sum_to(c->g, c->in[0]->shape);
}

static void broadcast_ref(gs_ref_ctx *c)
{
    const gs_shape in = c->n->in[0]->shape, out = c->n->shape;
    const int64_t count = gs_shape_count(out);

    for (int64_t i = 0; i < count; i++) {
        int64_t at[GS_MAX_DIMS];

        gs__coords(out, i, at);
        for (int a = 0; a < in.rank; a++)
            if (in.dim[a] == 1) at[a] = 0;
        c->out[i] = c->in[0][gs__at(in, at)];
    }
}

const gs_op gs_op_broadcast = {
    .name = "broadcast", .n_in = 1, .flags = GS_F_VIEW,
    .formula = "y = x repeated along axes of length 1", .attrs = "shape, same rank",
    .infer = broadcast_infer, .grad = broadcast_grad, .ref = broadcast_ref,
};

gs_node *gs_broadcast_to(gs_node *x, gs_shape shape)
{
    gs_attr attr = { .shape = shape };
    gs_shape wide = { .rank = shape.rank };
    char a[96], b[96];

    if (x->poisoned || gs_shape_equal(x->shape, shape)) return x;
    if (shape.rank < x->shape.rank || shape.rank > GS_MAX_DIMS)
        return gs__poison(x->graph, "broadcast", gs_fail(GS_ESHAPE, "%s does not broadcast to %s",
                                                         gs_shape_text(x->shape, a), gs_shape_text(shape, b)));
    for (int i = 0; i < shape.rank; i++) {
        const int from = i - (shape.rank - x->shape.rank);

        wide.dim[i] = from < 0 ? 1 : x->shape.dim[from];
    }
    x = gs_reshape(x, wide);
    return gs_shape_equal(x->shape, shape) ? x : gs__node1(&gs_op_broadcast, x, &attr);
}

gs_node *gs_sum_to(gs_node *x, gs_shape shape)
{
    const int lead = x->shape.rank - shape.rank;
    unsigned axes = 0;
    char a[96], b[96];

    if (x->poisoned || gs_shape_equal(x->shape, shape)) return x;
    for (int i = 0; i < x->shape.rank && lead >= 0; i++) {
        const int64_t to = i < lead ? 1 : shape.dim[i - lead];

        if (to != x->shape.dim[i] && to != 1) axes = GS_ALL + 1;
        if (to == 1) axes |= GS_AXIS(i);
    }
    if (lead < 0 || axes > GS_ALL)
        return gs__poison(x->graph, "sum_to", gs_fail(GS_ESHAPE, "%s does not broadcast to %s", gs_shape_text(shape, a),
                                                      gs_shape_text(x->shape, b)));
    return gs_reshape(gs_sum(x, axes, true), shape);
}

static gs_shape common(gs_shape a, gs_shape b, bool *fits)
{
    gs_shape s = { .rank = GS_MAX(a.rank, b.rank) };

    for (int i = 1; i <= s.rank; i++) {
        const int64_t da = i <= a.rank ? a.dim[a.rank - i] : 1, db = i <= b.rank ? b.dim[b.rank - i] : 1;

        if (da != db && da != 1 && db != 1) *fits = false;
        s.dim[s.rank - i] = GS_MAX(da, db);
    }
    return s;
}

bool gs__broadcast_all(gs_node **a, gs_node **b, gs_node **c)
{
    gs_node **all[3] = { a, b, c };
    const int n = c ? 3 : 2;
    gs_shape s = (*a)->shape;
    bool fits = true;
    char ta[96], tb[96], tc[96] = "";

    for (int i = 0; i < n; i++)
        if ((*all[i])->poisoned) {
            *a = *all[i]; /* the caller passes it on */
            return true;
        }
    for (int i = 1; i < n; i++) s = common(s, (*all[i])->shape, &fits);
    if (!fits) {
        gs_fail(GS_ESHAPE, "shapes %s and %s%s%s do not broadcast", gs_shape_text((*a)->shape, ta),
                gs_shape_text((*b)->shape, tb), c ? " and " : "", c ? gs_shape_text((*c)->shape, tc) : "");
        return false;
    }
    for (int i = 0; i < n; i++) *all[i] = gs_broadcast_to(*all[i], s);
    return true;
}
