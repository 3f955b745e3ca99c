/* Max pooling as an index and a gather, so that its gradient is the adjoint scatter and closes.
 *
 * x (N,C,H,W); window (i,j) of (OH,OW) covers rows and columns, clipped to the image:
 *   fixed     [i s - p, i s - p + k)
 *   adaptive  [floor(i H / OH), ceil((i+1) H / OH)) */
#include "graph/graph_int.h"

#include <string.h>

typedef struct window {
    int64_t first, end;
} window;

/* Window i of `out` along an axis of n cells. */
static window span(const gs_attr *a, int64_t i, int64_t n, int64_t out)
{
    const int64_t k = a->i[0], s = a->i[1], p = a->i[2];

    if (a->i[3]) return (window){ i * n / out, ((i + 1) * n + out - 1) / out };
    return (window){ GS_MAX(i * s - p, 0), GS_MIN(i * s - p + k, n) };
}

/* The operands are images of H x W or maps of OH x OW, as which says. */
static gs_status sizes(const gs_node *n, int operand, const char *name, bool image)
{
    const gs_shape s = n->in[operand]->shape;
    const int64_t h = n->attr.i[image ? 4 : 6], w = n->attr.i[image ? 5 : 7];
    char text[96];

    if (s.rank == 4 && s.dim[2] == h && s.dim[3] == w) return GS_OK;
    return gs_fail(GS_ESHAPE, "%s is %s, wants (N,C,%lld,%lld)", name, gs_shape_text(s, text), (long long)h, (long long)w);
}

static gs_status same_planes(const gs_node *n)
{
    const gs_shape a = n->in[0]->shape, b = n->in[1]->shape;
    char x[96], y[96];

    if (a.dim[0] == b.dim[0] && a.dim[1] == b.dim[1]) return GS_OK;
    return gs_fail(GS_ESHAPE, "operands are %s and %s", gs_shape_text(a, x), gs_shape_text(b, y));
}

static void set_shape(gs_node *n, bool image)
{
    n->shape = n->in[0]->shape;
    n->shape.dim[2] = n->attr.i[image ? 4 : 6];
    n->shape.dim[3] = n->attr.i[image ? 5 : 7];
}

/* ---- window_argmax ---- */

static gs_status argmax_infer(gs_node *n)
{
    const gs_attr *a = &n->attr;
    gs_status st = GS_OK;

    TRY(gs__want_float(n->in[0], "x"));
    TRY(gs__want_image(n->in[0], "x"));
    TRY(sizes(n, 0, "x", true));
    set_shape(n, false);
    n->dtype = GS_I32;
    for (int axis = 0; axis < 2; axis++) { /* each window covers a cell: the first, the last, and so all between */
        const int64_t out = a->i[6 + axis];
        const window first = span(a, 0, a->i[4 + axis], out), last = span(a, out - 1, a->i[4 + axis], out);

        if (out < 1 || first.first >= first.end || last.first >= last.end)
            return gs_fail(GS_ESHAPE, "a window lies outside the image");
    }
done:
    return st;
}

static void argmax_ref(gs_ref_ctx *c)
{
    const gs_shape out = c->n->shape;
    const int64_t H = c->attr->i[4], W = c->attr->i[5], planes = out.dim[0] * out.dim[1];

    for (int64_t p = 0; p < planes; p++)
        for (int64_t i = 0; i < out.dim[2]; i++)
            for (int64_t j = 0; j < out.dim[3]; j++) {
                const window r = span(c->attr, i, H, out.dim[2]), q = span(c->attr, j, W, out.dim[3]);
                const double *x = c->in[0] + p * H * W;
                int64_t best = r.first * W + q.first;

                for (int64_t h = r.first; h < r.end; h++)
                    for (int64_t w = q.first; w < q.end; w++)
                        if (x[h * W + w] > x[best]) best = h * W + w;
                c->out[(p * out.dim[2] + i) * out.dim[3] + j] = (double)best;
            }
}

#define WINDOWS "i[0] kernel, i[1] stride, i[2] pad, i[3] adaptive, i[4],[5] H, W, i[6],[7] OH, OW"

const gs_op gs_op_window_argmax = {
    .name = "window_argmax", .n_in = 1, .flags = GS_F_NO_GRAD, .no_grad = "an index",
    .formula = "y = h W + w of the first largest cell of each window, int32", .attrs = WINDOWS,
    .infer = argmax_infer, .ref = argmax_ref,
};

/* ---- window_gather and window_scatter: linear, each other's adjoints ---- */

static gs_status gather_infer(gs_node *n)
{
    gs_status st = GS_OK;

    TRY(gs__want_float(n->in[0], "x"));
    TRY(gs__want_int(n->in[1], "index"));
    TRY(sizes(n, 0, "x", true));
    TRY(sizes(n, 1, "index", false));
    TRY(same_planes(n));
    set_shape(n, false);
    n->dtype = GS_F32;
done:
    return st;
}

static void gather_grad(gs_grad_ctx *c)
{
    if (c->need[0]) c->din[0] = gs__node2(&gs_op_window_scatter, c->g, c->in[1], c->attr);
}

static void gather_ref(gs_ref_ctx *c)
{
    const int64_t image = (int64_t)c->attr->i[4] * c->attr->i[5], map = (int64_t)c->attr->i[6] * c->attr->i[7];
    const int64_t count = gs_shape_count(c->n->shape);

    for (int64_t i = 0; i < count; i++) c->out[i] = c->in[0][i / map * image + (int64_t)c->in[1][i]];
}

const gs_op gs_op_window_gather = {
    .name = "window_gather", .n_in = 2,
    .formula = "y[n,c,i,j] = x[n,c, index[n,c,i,j]]", .attrs = WINDOWS,
    .infer = gather_infer, .grad = gather_grad, .ref = gather_ref,
};

static gs_status scatter_infer(gs_node *n)
{
    gs_status st = GS_OK;

    TRY(gs__want_float(n->in[0], "g"));
    TRY(gs__want_int(n->in[1], "index"));
    TRY(sizes(n, 0, "g", false));
    TRY(sizes(n, 1, "index", false));
    TRY(same_planes(n));
    set_shape(n, true);
    n->dtype = GS_F32;
done:
    return st;
}

static void scatter_grad(gs_grad_ctx *c)
{
    if (c->need[0]) c->din[0] = gs__node2(&gs_op_window_gather, c->g, c->in[1], c->attr);
}

static void scatter_ref(gs_ref_ctx *c)
{
    const int64_t image = (int64_t)c->attr->i[4] * c->attr->i[5], map = (int64_t)c->attr->i[6] * c->attr->i[7];
    const int64_t count = gs_shape_count(c->n->in[0]->shape);

    memset(c->out, 0, (size_t)gs_shape_count(c->n->shape) * sizeof(double));
    for (int64_t i = 0; i < count; i++) c->out[i / map * image + (int64_t)c->in[1][i]] += c->in[0][i];
}

const gs_op gs_op_window_scatter = {
    .name = "window_scatter", .n_in = 2,
    .formula = "y[n,c, index[n,c,i,j]] += g[n,c,i,j], from zero", .attrs = WINDOWS,
    .infer = scatter_infer, .grad = scatter_grad, .ref = scatter_ref,
};

/* ---- builders ---- */

static gs_status pool_size(const gs_pool_opts *o, int64_t n, int64_t *out)
{
    const int64_t k = o->kernel, s = o->stride ? o->stride : o->kernel, p = o->pad, room = n + 2 * p - k;

    if (k < 1 || s < 1 || k > 1 << 20 || s > 1 << 20)
        return gs_fail(GS_EINVAL, "kernel %d and stride %d are not in 1..2^20", o->kernel, o->stride);
    if (p < 0 || p > k / 2) return gs_fail(GS_EINVAL, "padding %d is not in 0..kernel/2 (kernel %d)", o->pad, o->kernel);
    if (room < 0) return gs_fail(GS_ESHAPE, "a kernel of %d exceeds %lld padded cells", o->kernel, (long long)(n + 2 * p));
    *out = (o->ceil_mode ? room + s - 1 : room) / s + 1;
    if (o->ceil_mode && (*out - 1) * s >= n + p) --*out; /* that window would start in the trailing padding */
    return GS_OK;
}

gs_status gs__pool_sizes(const gs_node *x, const gs_pool_opts *o, int64_t *oh, int64_t *ow)
{
    gs_status st = gs__want_image(x, "x");

    if (st == GS_OK) st = pool_size(o, x->shape.dim[2], oh);
    if (st == GS_OK) st = pool_size(o, x->shape.dim[3], ow);
    return st;
}

static gs_node *pooled(gs_node *x, const gs_attr *attr)
{
    return gs__node2(&gs_op_window_gather, x, gs__node1(&gs_op_window_argmax, x, attr), attr);
}

gs_node *gs_max_pool2d(gs_node *x, const gs_pool_opts *o)
{
    int64_t oh = 0, ow = 0;
    gs_attr attr = { 0 };
    gs_status st;

    if (x->poisoned) return x;
    st = gs__pool_sizes(x, o, &oh, &ow);
    if (st != GS_OK) return gs__poison(x->graph, "max_pool2d", st);
    attr = (gs_attr){ .i = { o->kernel, o->stride ? o->stride : o->kernel, o->pad, 0, (int32_t)x->shape.dim[2],
                             (int32_t)x->shape.dim[3], (int32_t)oh, (int32_t)ow } };
    return pooled(x, &attr);
}

gs_node *gs_adaptive_max_pool2d(gs_node *x, int oh, int ow)
{
    gs_attr attr = { 0 };

    if (x->poisoned) return x;
    if (gs__want_image(x, "x") != GS_OK) return gs__poison(x->graph, "adaptive_max_pool2d", GS_ESHAPE);
    if (oh < 1 || ow < 1)
        return gs__poison(x->graph, "adaptive_max_pool2d", gs_fail(GS_EINVAL, "%dx%d is below 1x1", oh, ow));
    attr = (gs_attr){ .i = { 0, 0, 0, 1, (int32_t)x->shape.dim[2], (int32_t)x->shape.dim[3], oh, ow } };
    return pooled(x, &attr);
}
