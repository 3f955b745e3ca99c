/* Cross-correlation and its two gradients, closed under differentiation.
 *
 * With T(x,w,y) = <conv2d(x,w), y>, which is linear in each of its three arguments, conv2d, conv2d_dx and
 * conv2d_dw are the partial derivatives of T by y, x and w; so the rules of each one are the other two with
 * its gradient in the free place.
 *
 * x (N,C,H,W), w (O,C/G,KH,KW), y (N,O,OH,OW); s stride, p padding (zeros), d dilation, G groups:
 *   y[n,o,i,j] = sum over c,u,v of x[n, c, i sh - ph + u d, j sw - pw + v d] w[o,c,u,v],  c in o's group. */
#include "graph/graph_int.h"

#include <string.h>

typedef struct geometry {
    int64_t N, C, H, W, O, KH, KW, OH, OW;
    int sh, sw, ph, pw, d, G;
} geometry;

static int64_t out_size(int64_t in, int64_t k, int64_t stride, int64_t pad, int64_t dilation)
{
    const int64_t room = in + 2 * pad - dilation * (k - 1) - 1;

    return room < 0 ? 0 : room / stride + 1;
}

/* Fills and checks all but the operand that is computed: sizes of x, w and y as given. */
static gs_status check(const gs_attr *a, gs_shape x, gs_shape w, gs_shape y, geometry *q)
{
    char text[96];

    *q = (geometry){ x.dim[0], x.dim[1], x.dim[2], x.dim[3], w.dim[0], w.dim[2], w.dim[3], y.dim[2], y.dim[3],
                     a->i[0], a->i[1], a->i[2], a->i[3], a->i[4], a->i[5] };
    if (q->sh < 1 || q->sw < 1) return gs_fail(GS_EINVAL, "stride %d,%d is below 1", q->sh, q->sw);
    if (q->ph < 0 || q->pw < 0) return gs_fail(GS_EINVAL, "padding %d,%d is negative", q->ph, q->pw);
    if (q->d < 1) return gs_fail(GS_EINVAL, "dilation %d is below 1", q->d);
    if (q->G < 1 || q->O % q->G)
        return gs_fail(GS_ESHAPE, "w has %lld output channels, no multiple of %d groups", (long long)q->O, q->G);
    if (w.dim[1] * q->G != q->C)
        return gs_fail(GS_ESHAPE, "w wants %lld channels, x has %lld", (long long)(w.dim[1] * q->G), (long long)q->C);
    if (out_size(q->H, q->KH, q->sh, q->ph, q->d) < 1 || out_size(q->W, q->KW, q->sw, q->pw, q->d) < 1)
        return gs_fail(GS_ESHAPE, "a kernel of %lldx%lld (dilation %d) exceeds the padded image of %s", (long long)q->KH,
                       (long long)q->KW, q->d, gs_shape_text(x, text));
    if (y.dim[0] != q->N || y.dim[1] != q->O || q->OH != out_size(q->H, q->KH, q->sh, q->ph, q->d) ||
        q->OW != out_size(q->W, q->KW, q->sw, q->pw, q->d))
        return gs_fail(GS_ESHAPE, "y is %s, wants %lld,%lld,%lld,%lld", gs_shape_text(y, text), (long long)q->N,
                       (long long)q->O, (long long)out_size(q->H, q->KH, q->sh, q->ph, q->d),
                       (long long)out_size(q->W, q->KW, q->sw, q->pw, q->d));
    return GS_OK;
}

static gs_status images(const gs_node *n, const char *first, const char *second)
{
    gs_status st = GS_OK;

    TRY(gs__want_float(n->in[0], first));
    TRY(gs__want_float(n->in[1], second));
    TRY(gs__want_image(n->in[0], first));
    if (n->in[1]->shape.rank != 4) return gs_fail(GS_ESHAPE, "%s has rank %d, not 4", second, n->in[1]->shape.rank);
done:
    return st;
}

static gs_shape nchw(int64_t n, int64_t c, int64_t h, int64_t w)
{
    return (gs_shape){ .rank = 4, .dim = { n, c, h, w } };
}

static gs_status conv2d_infer(gs_node *n)
{
    const int32_t *i = n->attr.i;
    gs_status st = images(n, "x", "w");
    const gs_shape x = n->in[0]->shape, w = n->in[1]->shape;
    geometry q;

    if (st != GS_OK) return st;
    n->dtype = GS_F32;
    n->shape = nchw(x.dim[0], w.dim[0], out_size(x.dim[2], w.dim[2], GS_MAX(i[0], 1), i[2], i[4]),
                    out_size(x.dim[3], w.dim[3], GS_MAX(i[1], 1), i[3], i[4]));
    return check(&n->attr, x, w, n->shape, &q);
}

static gs_status conv2d_dx_infer(gs_node *n)
{
    gs_status st = images(n, "dy", "w");
    const gs_shape y = n->in[0]->shape, w = n->in[1]->shape;
    geometry q;

    if (st != GS_OK) return st;
    n->dtype = GS_F32;
    n->shape = nchw(y.dim[0], w.dim[1] * n->attr.i[5], n->attr.i[6], n->attr.i[7]);
    if (y.dim[1] != w.dim[0])
        return gs_fail(GS_ESHAPE, "w wants %lld channels, x has %lld", (long long)w.dim[0], (long long)y.dim[1]);
    return check(&n->attr, n->shape, w, y, &q);
}

static gs_status conv2d_dw_infer(gs_node *n)
{
    gs_status st = images(n, "x", "dy");
    const gs_shape x = n->in[0]->shape, y = n->in[1]->shape;
    geometry q;

    if (st != GS_OK) return st;
    n->dtype = GS_F32;
    n->shape = nchw(y.dim[1], n->attr.i[5] < 1 ? 0 : x.dim[1] / n->attr.i[5], n->attr.i[6], n->attr.i[7]);
    return check(&n->attr, x, n->shape, y, &q);
}

/* ---- builders of the three, with sizes where the operands do not tell them ---- */

static gs_node *dx_node(gs_node *dy, gs_node *w, const gs_attr *conv, int64_t H, int64_t W)
{
    gs_attr attr = *conv;

    attr.i[6] = (int32_t)H, attr.i[7] = (int32_t)W;
    return gs__node2(&gs_op_conv2d_dx, dy, w, &attr);
}

static gs_node *dw_node(gs_node *x, gs_node *dy, const gs_attr *conv, int64_t KH, int64_t KW)
{
    gs_attr attr = *conv;

    attr.i[6] = (int32_t)KH, attr.i[7] = (int32_t)KW;
    return gs__node2(&gs_op_conv2d_dw, x, dy, &attr);
}

static gs_node *conv_node(gs_node *x, gs_node *w, const gs_attr *conv)
{
    gs_attr attr = *conv;

    attr.i[6] = 0, attr.i[7] = 0;
    return gs__node2(&gs_op_conv2d, x, w, &attr);
}

/* ---- gradients ---- */

static void conv2d_grad(gs_grad_ctx *c)
{
    gs_node *x = c->in[0], *w = c->in[1];

    if (c->need[0]) c->din[0] = dx_node(c->g, w, c->attr, x->shape.dim[2], x->shape.dim[3]);
    if (c->need[1]) c->din[1] = dw_node(x, c->g, c->attr, w->shape.dim[2], w->shape.dim[3]);
}

static void conv2d_dx_grad(gs_grad_ctx *c)
{
    gs_node *dy = c->in[0], *w = c->in[1];

    if (c->need[0]) c->din[0] = conv_node(c->g, w, c->attr);
    if (c->need[1]) c->din[1] = dw_node(c->g, dy, c->attr, w->shape.dim[2], w->shape.dim[3]);
}

static void conv2d_dw_grad(gs_grad_ctx *c)
{
    gs_node *x = c->in[0], *dy = c->in[1];

    if (c->need[0]) c->din[0] = dx_node(dy, c->g, c->attr, x->shape.dim[2], x->shape.dim[3]);
    if (c->need[1]) c->din[1] = conv_node(x, c->g, c->attr);
}

/* ---- references: one loop over all terms of T, which adds to the operand that is wanted ---- */

static void terms(const geometry *q, const double *x, const double *w, const double *y, double *dx, double *dw, double *dy)
{
    const int64_t cg = q->C / q->G, og = q->O / q->G;

    for (int64_t n = 0; n < q->N; n++)
        for (int64_t o = 0; o < q->O; o++)
            for (int64_t i = 0; i < q->OH; i++)
                for (int64_t j = 0; j < q->OW; j++)
                    for (int64_t c = 0; c < cg; c++)
                        for (int64_t u = 0; u < q->KH; u++)
                            for (int64_t v = 0; v < q->KW; v++) {
                                const int64_t h = i * q->sh - q->ph + u * q->d, k = j * q->sw - q->pw + v * q->d;
                                const int64_t ix = ((n * q->C + o / og * cg + c) * q->H + h) * q->W + k;
                                const int64_t iw = ((o * cg + c) * q->KH + u) * q->KW + v;
                                const int64_t iy = ((n * q->O + o) * q->OH + i) * q->OW + j;

                                if (h < 0 || h >= q->H || k < 0 || k >= q->W) continue;
                                if (dy) dy[iy] += x[ix] * w[iw];
                                if (dx) dx[ix] += y[iy] * w[iw];
                                if (dw) dw[iw] += x[ix] * y[iy];
                            }
}

static void clear(gs_ref_ctx *c)
{
    memset(c->out, 0, (size_t)gs_shape_count(c->n->shape) * sizeof(double));
}

static void conv2d_ref(gs_ref_ctx *c)
{
    geometry q;

    clear(c);
    check(c->attr, c->n->in[0]->shape, c->n->in[1]->shape, c->n->shape, &q);
    terms(&q, c->in[0], c->in[1], NULL, NULL, NULL, c->out);
}

static void conv2d_dx_ref(gs_ref_ctx *c)
{
    geometry q;

    clear(c);
    check(c->attr, c->n->shape, c->n->in[1]->shape, c->n->in[0]->shape, &q);
    terms(&q, NULL, c->in[1], c->in[0], c->out, NULL, NULL);
}

static void conv2d_dw_ref(gs_ref_ctx *c)
{
    geometry q;

    clear(c);
    check(c->attr, c->n->in[0]->shape, c->n->shape, c->n->in[1]->shape, &q);
    terms(&q, c->in[0], NULL, c->in[1], NULL, c->out, NULL);
}

#define GEOMETRY "i[0],[1] stride h, w; i[2],[3] zero pad h, w; i[4] dilation; i[5] groups"

const gs_op gs_op_conv2d = {
    .name = "conv2d", .n_in = 2,
    .formula = "y[n,o,i,j] = sum of x[n, c, i s - p + u d, j s - p + v d] w[o,c,u,v]", .attrs = GEOMETRY,
    .infer = conv2d_infer, .grad = conv2d_grad, .ref = conv2d_ref,
};

const gs_op gs_op_conv2d_dx = {
    .name = "conv2d_dx", .n_in = 2,
    .formula = "dx of <conv2d(x,w), dy>: also the transposed convolution", .attrs = GEOMETRY "; i[6] H, i[7] W of x",
    .infer = conv2d_dx_infer, .grad = conv2d_dx_grad, .ref = conv2d_dx_ref,
};

const gs_op gs_op_conv2d_dw = {
    .name = "conv2d_dw", .n_in = 2,
    .formula = "dw of <conv2d(x,w), dy>", .attrs = GEOMETRY "; i[6] KH, i[7] KW",
    .infer = conv2d_dw_infer, .grad = conv2d_dw_grad, .ref = conv2d_dw_ref,
};

/* ---- public builders ---- */

/* Options to attributes; limits keep later products of sizes far from overflow. */
static gs_status attributes(const gs_conv2d_opts *o, gs_attr *a)
{
    const gs_conv2d_opts none = { 0 };
    const int most = 1 << 20;

    if (!o) o = &none;
    *a = (gs_attr){ 0 };
    if (o->pad < 0 || o->pad > most || o->pad_h < -most || o->pad_h > most || o->pad_w < -most || o->pad_w > most ||
        o->stride > most || o->dilation > most || o->groups > most)
        return gs_fail(GS_EINVAL, "stride, padding, dilation or groups out of range (padding is 0..%d)", most);
    a->i[0] = a->i[1] = o->stride ? o->stride : 1;
    a->i[2] = o->pad + o->pad_h;
    a->i[3] = o->pad + o->pad_w;
    a->i[4] = o->dilation ? o->dilation : 1;
    a->i[5] = o->groups ? o->groups : 1;
    if (a->i[0] < 1 || a->i[2] < 0 || a->i[3] < 0 || a->i[4] < 1 || a->i[5] < 1)
        return gs_fail(GS_EINVAL, "stride, padding, dilation or groups is negative");
    return GS_OK;
}

gs_node *gs_conv2d(gs_node *x, gs_node *w, const gs_conv2d_opts *o)
{
    gs_attr attr;
    gs_status st = attributes(o, &attr);

    if (x->poisoned || w->poisoned) return x->poisoned ? x : w;
    if (st == GS_OK && o && (unsigned)o->pad_mode > GS_PAD_REPLICATE)
        st = gs_fail(GS_EINVAL, "unknown padding mode %d", (int)o->pad_mode);
    if (st == GS_OK && o && o->output_pad) st = gs_fail(GS_EINVAL, "output_pad is for transposed convolutions");
    if (st != GS_OK) return gs__poison(x->graph, "conv2d", st);
    if (o && o->pad_mode != GS_PAD_ZERO) {
        x = gs_pad2d(x, o->pad_mode, attr.i[2], attr.i[2], attr.i[3], attr.i[3]);
        attr.i[2] = attr.i[3] = 0;
    }
    return conv_node(x, w, &attr);
}

gs_node *gs_conv_transpose2d(gs_node *x, gs_node *w, const gs_conv2d_opts *o)
{
    gs_attr attr;
    gs_status st = attributes(o, &attr);
    const int extra = o ? o->output_pad : 0;
    int64_t H, W;

    if (x->poisoned || w->poisoned) return x->poisoned ? x : w;
    if (st == GS_OK && o && o->pad_mode != GS_PAD_ZERO) st = gs_fail(GS_EINVAL, "padding must be zero padding");
    if (st == GS_OK && (extra < 0 || (extra && extra >= attr.i[0])))
        st = gs_fail(GS_EINVAL, "output_pad %d is not in 0..stride-1", extra);
    if (st == GS_OK) st = gs__want_image(x, "x");
    if (st == GS_OK) st = gs__want_image(w, "w");
    if (st != GS_OK) return gs__poison(x->graph, "conv_transpose2d", st);
    H = (x->shape.dim[2] - 1) * attr.i[0] - 2 * (int64_t)attr.i[2] + (int64_t)attr.i[4] * (w->shape.dim[2] - 1) + 1 + extra;
    W = (x->shape.dim[3] - 1) * attr.i[1] - 2 * (int64_t)attr.i[3] + (int64_t)attr.i[4] * (w->shape.dim[3] - 1) + 1 + extra;
    if (H < 1 || W < 1 || H > INT32_MAX || W > INT32_MAX)
        return gs__poison(x->graph, "conv_transpose2d", gs_fail(GS_ESHAPE, "the result would be %lldx%lld", (long long)H,
                                                                (long long)W));
    return dx_node(x, w, &attr, H, W);
}
