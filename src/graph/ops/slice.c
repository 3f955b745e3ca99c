/* Parts and wholes: slice and pad are each other's adjoints; concat's are slices. */
#include "graph/graph_int.h"

#include <string.h>

/* ---- slice: y[i] = x[i + start] ---- */

static gs_status slice_infer(gs_node *n)
{
    const gs_shape in = n->in[0]->shape;
    char a[96];

    n->shape = n->attr.shape;
    n->dtype = n->in[0]->dtype;
    if (n->shape.rank != in.rank) return gs_fail(GS_ESHAPE, "rank %d of a tensor of rank %d", n->shape.rank, in.rank);
    for (int i = 0; i < in.rank; i++) {
        const int64_t start = n->attr.i[i], len = n->shape.dim[i];

        if (start < 0 || len < 1 || start > in.dim[i] || len > in.dim[i] - start)
            return gs_fail(GS_ESHAPE, "%lld elements from %lld on lie outside axis %d of %s", (long long)len,
                           (long long)start, i, gs_shape_text(in, a));
    }
    return GS_OK;
}

/* All axes at once; x itself when nothing is cut. */
static gs_node *slice_to(gs_node *x, const int32_t *starts, gs_shape shape)
{
    gs_attr attr = { .shape = shape };

    if (x->poisoned || gs_shape_equal(x->shape, shape)) return x;
    for (int i = 0; i < shape.rank; i++) attr.i[i] = starts[i];
    return gs__node1(&gs_op_slice, x, &attr);
}

static void slice_grad(gs_grad_ctx *c)
{
    gs_attr attr = { 0 };

    for (int i = 0; i < c->g->shape.rank; i++) {
        attr.i[2 * i] = c->attr->i[i];
        attr.i[2 * i + 1] = (int32_t)(c->in[0]->shape.dim[i] - c->attr->i[i] - c->g->shape.dim[i]);
    }
    c->din[0] = gs__node1(&gs_op_pad, c->g, &attr);
}

static void slice_ref(gs_ref_ctx *c)
{
    const gs_shape in = c->n->in[0]->shape, out = c->n->shape;
    const int64_t count = gs_shape_count(out);

    for (int64_t i = 0; i < count; i++) {
        int64_t at[GS_MAX_DIMS];

        gs__coords(out, i, at);
        for (int a = 0; a < out.rank; a++) at[a] += c->attr->i[a];
        c->out[i] = c->in[0][gs__at(in, at)];
    }
}

const gs_op gs_op_slice = {
    .name = "slice", .n_in = 1, .flags = GS_F_VIEW,
    .formula = "y[i] = x[i + start]", .attrs = "shape of y, i[0..] starts",
    .infer = slice_infer, .grad = slice_grad, .ref = slice_ref,
};

gs_node *gs_slice(gs_node *x, int axis, int64_t start, int64_t len)
{
    gs_node *bad = gs__fit_axis(x, "slice", &axis);
    int32_t starts[GS_MAX_DIMS] = { 0 };
    gs_shape shape = x->shape;
    char a[96];

    if (bad) return bad;
    if (start < 0 || len < 1 || start > shape.dim[axis] || len > shape.dim[axis] - start)
        return gs__poison(x->graph, "slice", gs_fail(GS_ESHAPE, "%lld elements from %lld on lie outside axis %d of %s",
                                                     (long long)len, (long long)start, axis, gs_shape_text(shape, a)));
    shape.dim[axis] = len;
    starts[axis] = (int32_t)start;
    return slice_to(x, starts, shape);
}

/* ---- pad: y[i + before] = x[i], zero elsewhere ---- */

static gs_status pad_infer(gs_node *n)
{
    n->shape = n->in[0]->shape;
    n->dtype = n->in[0]->dtype;
    for (int i = 0; i < n->shape.rank; i++) {
        const int32_t before = n->attr.i[2 * i], after = n->attr.i[2 * i + 1];

        if (before < 0 || after < 0) return gs_fail(GS_EINVAL, "pads %d, %d of axis %d are negative", before, after, i);
        n->shape.dim[i] += (int64_t)before + after;
    }
    return GS_OK;
}

static void pad_grad(gs_grad_ctx *c)
{
    int32_t starts[GS_MAX_DIMS] = { 0 };

    for (int i = 0; i < c->g->shape.rank; i++) starts[i] = c->attr->i[2 * i];
    c->din[0] = slice_to(c->g, starts, c->in[0]->shape);
}

static void pad_ref(gs_ref_ctx *c)
{
    const gs_shape in = c->n->in[0]->shape, out = c->n->shape;
    const int64_t count = gs_shape_count(in);

    memset(c->out, 0, (size_t)gs_shape_count(out) * sizeof(double));
    for (int64_t i = 0; i < count; i++) {
        int64_t at[GS_MAX_DIMS];

        gs__coords(in, i, at);
        for (int a = 0; a < in.rank; a++) at[a] += c->attr->i[2 * a];
        c->out[gs__at(out, at)] = c->in[0][i];
    }
}

const gs_op gs_op_pad = {
    .name = "pad", .n_in = 1,
    .formula = "y[i + before] = x[i], else 0", .attrs = "i[2a] before, i[2a+1] after, for each axis a",
    .infer = pad_infer, .grad = pad_grad, .ref = pad_ref,
};

gs_node *gs_pad(gs_node *x, int axis, int64_t before, int64_t after)
{
    gs_node *bad = gs__fit_axis(x, "pad", &axis);
    gs_attr attr = { 0 };

    if (bad) return bad;
    if (before < 0 || after < 0 || before > INT32_MAX || after > INT32_MAX)
        return gs__poison(x->graph, "pad", gs_fail(GS_EINVAL, "pads %lld, %lld are not in 0..2^31-1", (long long)before,
                                                   (long long)after));
    attr.i[2 * axis] = (int32_t)before;
    attr.i[2 * axis + 1] = (int32_t)after;
    return before || after ? gs__node1(&gs_op_pad, x, &attr) : x;
}

/* ---- concat ---- */

static gs_status concat_infer(gs_node *n)
{
    const int axis = n->attr.i[0];
    char a[96], b[96];

    n->shape = n->in[0]->shape;
    n->dtype = n->in[0]->dtype;
    for (int k = 1; k < n->n_in; k++) {
        const gs_shape s = n->in[k]->shape;
        bool fits = s.rank == n->shape.rank;

        if (n->in[k]->dtype != n->dtype) return gs_fail(GS_EINVAL, "operands are fp32 and int32; cast one of them");
        for (int i = 0; i < n->shape.rank && fits; i++) fits = i == axis || s.dim[i] == n->shape.dim[i];
        if (!fits)
            return gs_fail(GS_ESHAPE, "%s and %s differ outside axis %d", gs_shape_text(n->in[0]->shape, a),
                           gs_shape_text(s, b), axis);
        n->shape.dim[axis] += s.dim[axis];
    }
    return GS_OK;
}

static void concat_grad(gs_grad_ctx *c)
{
    const int axis = c->attr->i[0];
    int64_t start = 0;

    for (int k = 0; k < c->out->n_in; k++) {
        const int64_t len = c->in[k]->shape.dim[axis];

        if (c->need[k]) c->din[k] = gs_slice(c->g, axis, start, len);
        start += len;
    }
}

static void concat_ref(gs_ref_ctx *c)
{
    const int axis = c->attr->i[0];
    const gs__lines l = gs__along(c->n->shape, axis);
    int64_t start = 0;

    for (int k = 0; k < c->n->n_in; k++) {
        const int64_t len = c->n->in[k]->shape.dim[axis];

        for (int64_t o = 0; o < l.outer; o++)
            memcpy(c->out + (o * l.n + start) * l.inner, c->in[k] + o * len * l.inner,
                   (size_t)(len * l.inner) * sizeof(double));
        start += len;
    }
}

const gs_op gs_op_concat = {
    .name = "concat", .n_in = -1,
    .formula = "y = the operands one after the other along an axis", .attrs = "i[0] axis",
    .infer = concat_infer, .grad = concat_grad, .ref = concat_ref,
};

gs_node *gs_concat(gs_node *const *xs, int n, int axis)
{
    gs_attr attr = { 0 };
    gs_node *bad;

    for (int i = 0; i < n; i++)
        if (xs[i]->poisoned) return xs[i];
    bad = gs__fit_axis(xs[0], "concat", &axis);
    attr.i[0] = axis;
    if (bad) return bad;
    return n == 1 ? xs[0] : gs__node(xs[0]->graph, &gs_op_concat, xs, n, &attr);
}
