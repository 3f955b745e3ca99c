/* Reductions: sum over any axes; largest, its index and running sums along one axis. All keep the reduced
 * axes with length 1; the builders add a reshape where the caller does not want them. */
#include "graph/graph_int.h"

#include <string.h>

/* The shape without the axes of the mask. */
static gs_node *drop_dims(gs_node *x, unsigned axes, bool keep)
{
    gs_shape s = { 0 };

    if (keep || x->poisoned) return x;
    for (int i = 0; i < x->shape.rank; i++)
        if (!(axes & GS_AXIS(i))) s.dim[s.rank++] = x->shape.dim[i];
    return gs_reshape(x, s);
}

/* ---- sum ---- */

static gs_status sum_infer(gs_node *n)
{
    n->shape = n->in[0]->shape;
    n->dtype = GS_F32;
    for (int i = 0; i < n->shape.rank; i++)
        if (n->attr.i[0] & (int32_t)GS_AXIS(i)) n->shape.dim[i] = 1;
    return gs__want_float(n->in[0], "the operand");
}

static void sum_grad(gs_grad_ctx *c)
{
    c->din[0] = gs_broadcast_to(c->g, c->in[0]->shape);
}

static void sum_ref(gs_ref_ctx *c)
{
    const gs_shape in = c->n->in[0]->shape, out = c->n->shape;
    const int64_t count = gs_shape_count(in);

    memset(c->out, 0, (size_t)gs_shape_count(out) * sizeof(double));
    for (int64_t i = 0; i < count; i++) {
        int64_t at[GS_MAX_DIMS];

        gs__coords(in, i, at);
        for (int a = 0; a < in.rank; a++)
            if (out.dim[a] == 1) at[a] = 0;
        c->out[gs__at(out, at)] += c->in[0][i];
    }
}

const gs_op gs_op_sum = {
    .name = "sum", .n_in = 1, .flags = GS_F_REDUCE,
    .formula = "y = sum of x over the axes", .attrs = "i[0] mask of axes",
    .infer = sum_infer, .grad = sum_grad, .ref = sum_ref,
};

gs_node *gs_sum(gs_node *x, unsigned axes, bool keep_dims)
{
    gs_attr attr = { 0 };
    gs_node *y = x;

    if (x->poisoned) return x;
    if (axes != GS_ALL && axes >> x->shape.rank)
        return gs__poison(x->graph, "sum", gs_fail(GS_ESHAPE, "axes 0x%x of rank %d", axes, x->shape.rank));
    for (int i = 0; i < x->shape.rank; i++)
        if ((axes & GS_AXIS(i)) && x->shape.dim[i] > 1) attr.i[0] |= (int32_t)GS_AXIS(i);
    if (attr.i[0] || x->dtype != GS_F32) y = gs__node1(&gs_op_sum, x, &attr);
    return drop_dims(y, axes, keep_dims);
}

gs_node *gs_mean(gs_node *x, unsigned axes, bool keep_dims)
{
    gs_node *s = gs_sum(x, axes, keep_dims);

    if (s->poisoned) return s;
    return gs_scale(s, (double)gs_shape_count(s->shape) / (double)gs_shape_count(x->shape));
}

void gs_moments(gs_node *x, unsigned axes, gs_node **mean, gs_node **var)
{
    gs_node *m = gs_mean(x, axes, true);

    if (mean) *mean = m;
    if (var) *var = gs_mean(gs_square(gs_sub(x, m)), axes, true);
}

/* ---- max, argmax ---- */

static gs_status along_infer(gs_node *n)
{
    n->shape = n->in[0]->shape;
    n->shape.dim[n->attr.i[0]] = 1;
    n->dtype = GS_F32;
    return gs__want_float(n->in[0], "the operand");
}

static gs_status argmax_infer(gs_node *n)
{
    gs_status st = along_infer(n);

    n->dtype = GS_I32;
    return st;
}

static gs_attr axis_attr(int axis)
{
    return (gs_attr){ .i = { axis } };
}

/* One where an element is the first largest along the axis. */
static void max_grad(gs_grad_ctx *c)
{
    const gs_attr attr = axis_attr(c->attr->i[0]);
    gs_node *x = c->in[0], *first = gs__node1(&gs_op_argmax, x, &attr);
    gs_node *chosen = gs_eq(gs_iota(x->graph, x->shape, c->attr->i[0]), first);

    c->din[0] = gs_mul(c->g, chosen);
}

/* Index of the first largest of n elements, `step` apart; a NaN in front stays. */
static int64_t first_largest(const double *x, int64_t n, int64_t step)
{
    int64_t best = 0;

    for (int64_t i = 1; i < n; i++)
        if (x[i * step] > x[best * step]) best = i;
    return best;
}

static void argmax_ref(gs_ref_ctx *c)
{
    const gs__lines l = gs__along(c->n->in[0]->shape, c->attr->i[0]);

    for (int64_t o = 0; o < l.outer; o++)
        for (int64_t i = 0; i < l.inner; i++)
            c->out[o * l.inner + i] = (double)first_largest(c->in[0] + o * l.n * l.inner + i, l.n, l.inner);
}

static void max_ref(gs_ref_ctx *c)
{
    const gs__lines l = gs__along(c->n->in[0]->shape, c->attr->i[0]);

    for (int64_t o = 0; o < l.outer; o++)
        for (int64_t i = 0; i < l.inner; i++) {
            const double *x = c->in[0] + o * l.n * l.inner + i;

            c->out[o * l.inner + i] = x[first_largest(x, l.n, l.inner) * l.inner];
        }
}

const gs_op gs_op_max = {
    .name = "max", .n_in = 1,
    .formula = "y = largest of x along an axis", .attrs = "i[0] axis",
    .infer = along_infer, .grad = max_grad, .ref = max_ref,
};

const gs_op gs_op_argmax = {
    .name = "argmax", .n_in = 1, .flags = GS_F_NO_GRAD, .no_grad = "an index",
    .formula = "y = index of the first largest along an axis, int32", .attrs = "i[0] axis",
    .infer = argmax_infer, .ref = argmax_ref,
};

static gs_node *along(const gs_op *op, gs_node *x, int axis, bool keep_dims)
{
    gs_node *bad = gs__fit_axis(x, op->name, &axis);
    gs_attr attr = axis_attr(axis);

    return bad ? bad : drop_dims(gs__node1(op, x, &attr), GS_AXIS(axis), keep_dims);
}

gs_node *gs_max(gs_node *x, int axis, bool keep_dims)
{
    return along(&gs_op_max, x, axis, keep_dims);
}

gs_node *gs_argmax(gs_node *x, int axis, bool keep_dims)
{
    return along(&gs_op_argmax, x, axis, keep_dims);
}

/* ---- cumsum ---- */

/* The transpose of a lower triangle of ones is an upper one. */
static void cumsum_grad(gs_grad_ctx *c)
{
    c->din[0] = gs_cumsum(c->g, c->attr->i[0], !c->attr->i[1]);
}

static void cumsum_ref(gs_ref_ctx *c)
{
    const gs__lines l = gs__along(c->n->shape, c->attr->i[0]);

    for (int64_t o = 0; o < l.outer; o++)
        for (int64_t i = 0; i < l.inner; i++) {
            double s = 0;

            for (int64_t k = 0; k < l.n; k++) {
                const int64_t at = (o * l.n + (c->attr->i[1] ? l.n - 1 - k : k)) * l.inner + i;

                s += c->in[0][at];
                c->out[at] = s;
            }
        }
}

const gs_op gs_op_cumsum = {
    .name = "cumsum", .n_in = 1,
    .formula = "y_i = sum of x_j for j <= i (reverse: j >= i)", .attrs = "i[0] axis, i[1] reverse",
    .infer = gs__infer_float, .grad = cumsum_grad, .ref = cumsum_ref,
};

gs_node *gs_cumsum(gs_node *x, int axis, bool reverse)
{
    gs_node *bad = gs__fit_axis(x, "cumsum", &axis);
    gs_attr attr = { .i = { axis, reverse } };

    return bad ? bad : gs__node1(&gs_op_cumsum, x, &attr);
}
