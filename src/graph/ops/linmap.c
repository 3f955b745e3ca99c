/* y = A x B^T over the last two axes: average pooling, resizing, reflect and replicate padding as one linear
 * op whose gradient is its own adjoint. The sparse A and B are made by src/graph/linmap.c. */
#include "graph/graph_int.h"

#include <stdlib.h>
#include <string.h>

static gs_status infer(gs_node *n)
{
    const int32_t *i = n->attr.i;
    const int from = i[1] ? 4 : 2, to = i[1] ? 2 : 4;
    gs_status st = GS_OK;
    char text[96];

    TRY(gs__want_float(n->in[0], "x"));
    TRY(gs__want_image(n->in[0], "x"));
    if (n->in[0]->shape.dim[2] != i[from] || n->in[0]->shape.dim[3] != i[from + 1])
        return gs_fail(GS_ESHAPE, "x is %s, wants (N,C,%d,%d)", gs_shape_text(n->in[0]->shape, text), i[from], i[from + 1]);
    n->shape = n->in[0]->shape;
    n->shape.dim[2] = i[to];
    n->shape.dim[3] = i[to + 1];
    n->dtype = GS_F32;
done:
    return st;
}

static void grad(gs_grad_ctx *c)
{
    gs_attr attr = *c->attr;

    attr.i[1] = !attr.i[1];
    c->din[0] = gs__node1(&gs_op_linmap, c->g, &attr);
}

static void ref(gs_ref_ctx *c)
{
    const gs_shape in = c->n->in[0]->shape, out = c->n->shape;
    const int64_t planes = in.dim[0] * in.dim[1], H = in.dim[2], W = in.dim[3], OH = out.dim[2], OW = out.dim[3];
    double *rows = gs_xalloc((size_t)(OH * W) * sizeof(double)); /* A x */
    gs_linmap_table a, b;

    gs_linmap_make(c->attr, 0, &a);
    gs_linmap_make(c->attr, 1, &b);
    for (int64_t p = 0; p < planes; p++) {
        const double *x = c->in[0] + p * H * W;
        double *y = c->out + p * OH * OW;

        memset(rows, 0, (size_t)(OH * W) * sizeof(double));
        for (int64_t r = 0; r < OH; r++)
            for (int e = a.start[r]; e < a.start[r + 1]; e++)
                for (int64_t w = 0; w < W; w++) rows[r * W + w] += a.weight[e] * x[a.index[e] * W + w];
        for (int64_t r = 0; r < OH; r++)
            for (int64_t q = 0; q < OW; q++) {
                double s = 0;

                for (int e = b.start[q]; e < b.start[q + 1]; e++) s += b.weight[e] * rows[r * W + b.index[e]];
                y[r * OW + q] = s;
            }
    }
    gs_linmap_free(&a);
    gs_linmap_free(&b);
    free(rows);
}

const gs_op gs_op_linmap = {
    .name = "linmap", .n_in = 1,
    .formula = "y = A x B^T over the last two axes, A and B sparse",
    .attrs = "i[0] rule, i[1] transposed, i[2],[3] H, W, i[4],[5] OH, OW, i[6] kernel, i[7] stride, i[8],[9] pad before h, w, "
             "i[10] exclude_pad, i[11],[12] pad after h, w",
    .infer = infer, .grad = grad, .ref = ref,
};

/* ---- builders ---- */

static gs_node *map(gs_node *x, const char *what, gs_linmap_rule rule, int64_t oh, int64_t ow, gs_attr *attr)
{
    if (oh < 1 || ow < 1 || oh > INT32_MAX || ow > INT32_MAX)
        return gs__poison(x->graph, what, gs_fail(GS_EINVAL, "a result of %lldx%lld", (long long)oh, (long long)ow));
    attr->i[0] = (int32_t)rule;
    attr->i[2] = (int32_t)x->shape.dim[2];
    attr->i[3] = (int32_t)x->shape.dim[3];
    attr->i[4] = (int32_t)oh;
    attr->i[5] = (int32_t)ow;
    return gs__node1(&gs_op_linmap, x, attr);
}

gs_node *gs_avg_pool2d(gs_node *x, const gs_pool_opts *o)
{
    int64_t oh = 0, ow = 0;
    gs_attr attr = { 0 };
    gs_status st;

    if (x->poisoned) return x;
    st = gs__pool_sizes(x, o, &oh, &ow);
    if (st != GS_OK) return gs__poison(x->graph, "avg_pool2d", st);
    if (o->kernel == 1 && o->stride <= 1) return x;
    attr = (gs_attr){ .i = { [6] = o->kernel, [7] = o->stride ? o->stride : o->kernel, [8] = o->pad, [9] = o->pad,
                             [10] = o->exclude_pad, [11] = o->pad, [12] = o->pad } };
    return map(x, "avg_pool2d", GS_LM_AVG, oh, ow, &attr);
}

gs_node *gs_adaptive_avg_pool2d(gs_node *x, int oh, int ow)
{
    return gs_resize2d(x, GS_AREA, oh, ow);
}

gs_node *gs_resize2d(gs_node *x, gs_resize mode, int oh, int ow)
{
    static const gs_linmap_rule rule[] = { [GS_NEAREST] = GS_LM_NEAREST, [GS_BILINEAR] = GS_LM_BILINEAR,
                                           [GS_BICUBIC] = GS_LM_BICUBIC, [GS_AREA] = GS_LM_ADAPTIVE,
                                           [GS_BILINEAR_AA] = GS_LM_BILINEAR_AA, [GS_BICUBIC_AA] = GS_LM_BICUBIC_AA };
    gs_attr attr = { 0 };

    if (x->poisoned) return x;
    if ((unsigned)mode >= GS_COUNT(rule))
        return gs__poison(x->graph, "resize2d", gs_fail(GS_EINVAL, "unknown mode %d", (int)mode));
    if (gs__want_image(x, "x") != GS_OK) return gs__poison(x->graph, "resize2d", GS_ESHAPE);
    if (x->shape.dim[2] == oh && x->shape.dim[3] == ow) return x;
    return map(x, "resize2d", rule[mode], oh, ow, &attr);
}

gs_node *gs_pad2d(gs_node *x, gs_pad_mode mode, int top, int bottom, int left, int right)
{
    gs_attr attr = { 0 };
    int64_t h, w;

    if (x->poisoned) return x;
    if (gs__want_image(x, "x") != GS_OK) return gs__poison(x->graph, "pad2d", GS_ESHAPE);
    if (top < 0 || bottom < 0 || left < 0 || right < 0)
        return gs__poison(x->graph, "pad2d", gs_fail(GS_EINVAL, "pads %d,%d,%d,%d: none may be negative", top, bottom, left,
                                                     right));
    h = x->shape.dim[2], w = x->shape.dim[3];
    if (!(top || bottom || left || right)) return x;
    switch (mode) {
    case GS_PAD_ZERO:
        attr.i[4] = top, attr.i[5] = bottom, attr.i[6] = left, attr.i[7] = right;
        return gs__node1(&gs_op_pad, x, &attr);
    case GS_PAD_REFLECT:
        if (GS_MAX(top, bottom) >= h || GS_MAX(left, right) >= w)
            return gs__poison(x->graph, "pad2d", gs_fail(GS_ESHAPE, "pads %d,%d,%d,%d reflect beyond an image of %lldx%lld",
                                                         top, bottom, left, right, (long long)h, (long long)w));
        break;
    case GS_PAD_REPLICATE: break;
    default: return gs__poison(x->graph, "pad2d", gs_fail(GS_EINVAL, "unknown padding mode %d", (int)mode));
    }
    attr.i[8] = top, attr.i[9] = left, attr.i[11] = bottom, attr.i[12] = right;
    return map(x, "pad2d", mode == GS_PAD_REFLECT ? GS_LM_REFLECT : GS_LM_REPLICATE, h + top + bottom, w + left + right, &attr);
}
