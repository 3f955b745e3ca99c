/* Softmax attention (Vaswani et al. 2017). Shape letters: N batch, T time, E width, h heads. */
#include <math.h>

#include "nn/nn_int.h"

gs_node *gs_attention(gs_node *q, gs_node *k, gs_node *v, bool causal, gs_node *mask, gs_node **weights)
{
    gs_graph *g = gs_node_graph(q);
    gs_node *s, *p;

    if (weights) *weights = q;
    if (nn_poisoned(q, k, v)) return nn_poisoned(q, k, v);
    if (q->shape.rank < 2) return NN_FAIL(q, "attention", GS_ESHAPE, "wants (...,T,E), got rank %d", q->shape.rank);
    s = gs_matmul(gs_scale(q, 1 / sqrt((double)gs_node_dim(q, -1))), k, false, true);
    if (s->poisoned) return s;
    if (causal) {
        const gs_shape t = GS_SHAPE(gs_node_dim(s, -2), gs_node_dim(s, -1));
        gs_node *seen = gs_ge(gs_iota(g, t, 0), gs_iota(g, t, 1));

        mask = mask ? gs_mul(mask, seen) : seen;
    }
    /* -1e30 and not minus infinity: a row without any key stays finite */
    if (mask) s = gs_select(gs_broadcast_to(mask, s->shape), s, gs_full(g, s->shape, -1e30));
    p = gs_softmax(s, -1);
    if (weights) *weights = p;
    return gs_matmul(p, v, false, false);
}

gs_node *gs_multi_head_attention(gs_node *x, gs_node *in_w, gs_node *in_b, gs_node *out_w, gs_node *out_b, int heads,
                                 bool causal, gs_node **weights)
{
    gs_node *all, *qkv[3], *y, *p;
    int64_t n, t, e;

    if (weights) *weights = x;
    if (nn_poisoned(x, in_w, out_w)) return nn_poisoned(x, in_w, out_w);
    if (x->shape.rank != 3 || heads < 1 || x->shape.dim[2] % heads || in_w->shape.rank != 2 ||
        in_w->shape.dim[0] != 3 * x->shape.dim[2]) {
        char a[96], b[96];
        return NN_FAIL(x, "multi_head_attention", GS_ESHAPE,
                       "x %s, in_proj_weight %s, %d heads: wants (N,T,E), (3E,E) and heads that divide E",
                       gs_shape_text(x->shape, a), gs_shape_text(in_w->shape, b), heads);
    }
    n = x->shape.dim[0], t = x->shape.dim[1], e = x->shape.dim[2];
    all = gs_linear(x, in_w, in_b);                       /* (N,T,3E) */
    for (int i = 0; i < 3; i++) {                         /* (N,T,E) -> (N,h,T,E/h) */
        qkv[i] = gs_reshape(gs_slice(all, 2, i * e, e), GS_SHAPE(n, t, heads, e / heads));
        qkv[i] = gs_transpose(qkv[i], 1, 2);
    }
    y = gs_attention(qkv[0], qkv[1], qkv[2], causal, NULL, &p);
    if (weights) *weights = gs_mean(p, GS_AXIS(1), false);
    y = gs_reshape(gs_transpose(y, 1, 2), GS_SHAPE(n, t, e));
    return gs_linear(y, out_w, out_b);
}

gs_node *gs_multi_head_attention_layer(gs_node *x, const char *name, int heads, bool causal, gs_node **weights)
{
    gs_graph *g = gs_node_graph(x);
    gs_node *in_w, *in_b, *out_w, *out_b, *y;
    int64_t e;

    if (weights) *weights = x;
    if (x->poisoned) return x;
    if (x->shape.rank != 3) {
        return NN_FAIL(x, "multi_head_attention", GS_ESHAPE, "wants (N,T,E), got rank %d", x->shape.rank);
    }
    e = x->shape.dim[2];
    nn_enter(g, name);
    /* PyTorch: Xavier uniform over the stacked projection, zero biases, the output projection as a linear layer */
    in_w = gs_param(g, "in_proj_weight", GS_SHAPE(3 * e, e), (gs_init){ GS_INIT_XAVIER_UNIFORM, 1, 0 });
    in_b = gs_param(g, "in_proj_bias", GS_SHAPE(3 * e), (gs_init){ GS_INIT_CONST, 0, 0 });
    out_w = gs_param(g, "out_proj.weight", GS_SHAPE(e, e), (gs_init){ GS_INIT_TORCH_LINEAR, (double)e, 0 });
    out_b = gs_param(g, "out_proj.bias", GS_SHAPE(e), (gs_init){ GS_INIT_CONST, 0, 0 });
    y = gs_multi_head_attention(x, in_w, in_b, out_w, out_b, heads, causal, weights);
    nn_leave(g, name);
    return y;
}
