/* Layers that multiply by weights: linear, convolution, transposed convolution, embedding, maxout.
 * Shape letters: N C H W, O output width, I input width. */
#include "nn/nn_int.h"

gs_node *gs__channels(gs_node *x, gs_node *v)
{
    gs_shape s = { .rank = x->shape.rank };

    if (nn_poisoned(x, v, NULL)) return nn_poisoned(x, v, NULL);
    if (x->shape.rank < 2 || !nn_is_vector(v, x->shape.dim[1])) {
        char a[96], b[96];
        return NN_FAIL(x, "channels", GS_ESHAPE, "a vector of shape %s does not fit axis 1 of %s",
                       gs_shape_text(v->shape, a), gs_shape_text(x->shape, b));
    }
    for (int i = 0; i < s.rank; i++) s.dim[i] = i == 1 ? x->shape.dim[1] : 1;
    return gs_reshape(v, s);
}

int gs__axis(gs_node *x, int axis, const char *what)
{
    const int rank = x->shape.rank;

    if (axis < -rank || axis >= rank) {
        if (!x->poisoned) NN_FAIL(x, what, GS_EINVAL, "axis %d of a tensor of rank %d", axis, rank);
        return -1;
    }
    return axis < 0 ? axis + rank : axis;
}

gs_node *gs_add_bias(gs_node *x, gs_node *b)
{
    return b ? gs_add(x, gs__channels(x, b)) : x;
}

gs_node *gs_linear(gs_node *x, gs_node *w, gs_node *b)
{
    gs_shape out = x->shape;
    const int last = out.rank - 1;
    gs_node *y;

    if (nn_poisoned(x, w, b)) return nn_poisoned(x, w, b);
    if (out.rank < 1 || w->shape.rank != 2 || out.dim[last] != w->shape.dim[1] || (b && !nn_is_vector(b, w->shape.dim[0]))) {
        char t[3][96];
        return NN_FAIL(x, "linear", GS_ESHAPE, "x %s, weight %s, bias %s: wants (...,I), (O,I), (O)",
                       gs_shape_text(x->shape, t[0]), gs_shape_text(w->shape, t[1]),
                       b ? gs_shape_text(b->shape, t[2]) : "none");
    }
    out.dim[last] = w->shape.dim[0];
    y = out.rank == 2 ? x : gs_reshape(x, GS_SHAPE(-1, w->shape.dim[1]));
    y = gs_matmul(y, w, false, true);
    if (b) y = gs_add(y, b);
    return out.rank == 2 ? y : gs_reshape(y, out);
}

/* The weight of a layer in the current scope, spectrally normalised where asked for. */
static gs_node *weight(gs_graph *g, gs_shape shape, int64_t fan_in, int axis, const gs_layer_opts *o)
{
    const gs_init init = nn_init_or(o->weight_init, (gs_init){ GS_INIT_TORCH_LINEAR, (double)fan_in, 0 });

    return o->spectral ? gs_spectral_norm(g, shape, init, axis, 1, 1e-12, o->spectral, NULL)
                       : gs_param(g, "weight", shape, init);
}

static gs_node *bias(gs_graph *g, int64_t out, int64_t fan_in, const gs_layer_opts *o)
{
    if (o->no_bias) return NULL;
    return gs_param(g, "bias", GS_SHAPE(out),
                    nn_init_or(o->bias_init, (gs_init){ GS_INIT_TORCH_LINEAR, (double)fan_in, 0 }));
}

gs_node *gs_linear_layer(gs_node *x, const char *name, int64_t out, const gs_layer_opts *o)
{
    static const gs_layer_opts standard;
    gs_graph *g = gs_node_graph(x);
    gs_node *y;

    if (x->poisoned) return x;
    if (!o) o = &standard;
    nn_enter(g, name);
    if (x->shape.rank < 1 || out < 1) {
        y = NN_FAIL(x, "linear", GS_ESHAPE, "wants x of rank 1 or more and a width of 1 or more, got rank %d and %lld",
                    x->shape.rank, (long long)out);
    } else {
        const int64_t in = x->shape.dim[x->shape.rank - 1];
        gs_node *w = weight(g, GS_SHAPE(out, in), in, 0, o);

        y = gs_linear(x, w, bias(g, out, in, o));
    }
    nn_leave(g, name);
    return y;
}

/* Both convolutions; they differ in the order of the weight's first axes and so in PyTorch's fan_in (its
 * second axis). */
static gs_node *conv_layer(gs_node *x, const char *name, int64_t out, int kernel, const gs_conv2d_opts *c,
                           const gs_layer_opts *o, bool transposed)
{
    static const gs_layer_opts standard;
    const int64_t groups = c && c->groups ? c->groups : 1;
    const char *what = transposed ? "conv_transpose2d" : "conv2d";
    gs_graph *g = gs_node_graph(x);
    gs_node *y, *w;

    if (x->poisoned) return x;
    if (!o) o = &standard;
    nn_enter(g, name);
    if (x->shape.rank != 4 || out < 1 || kernel < 1 || groups < 1 || x->shape.dim[1] % groups || out % groups) {
        char t[96];
        y = NN_FAIL(x, what, GS_ESHAPE,
                    "x %s, %lld outputs, kernel %d, %lld groups: wants x (N,C,H,W) and widths that the groups divide",
                    gs_shape_text(x->shape, t), (long long)out, kernel, (long long)groups);
        nn_leave(g, name);
        return y;
    }
    const int64_t in = x->shape.dim[1];
    const int64_t d0 = transposed ? in : out, d1 = (transposed ? out : in) / groups;
    const int64_t fan_in = d1 * kernel * kernel;

    w = weight(g, GS_SHAPE(d0, d1, kernel, kernel), fan_in, transposed ? 1 : 0, o);
    y = transposed ? gs_conv_transpose2d(x, w, c) : gs_conv2d(x, w, c);
    y = gs_add_bias(y, bias(g, out, fan_in, o));
    nn_leave(g, name);
    return y;
}

gs_node *gs_conv2d_layer(gs_node *x, const char *name, int64_t out, int kernel, const gs_conv2d_opts *c,
                         const gs_layer_opts *o)
{
    return conv_layer(x, name, out, kernel, c, o, false);
}

gs_node *gs_conv_transpose2d_layer(gs_node *x, const char *name, int64_t out, int kernel, const gs_conv2d_opts *c,
                                   const gs_layer_opts *o)
{
    return conv_layer(x, name, out, kernel, c, o, true);
}

gs_node *gs_embedding_layer(gs_node *index, const char *name, int64_t n, int64_t width, const gs_init *init)
{
    gs_graph *g = gs_node_graph(index);
    gs_node *y;

    nn_enter(g, name);
    y = gs_gather(gs_param(g, "weight", GS_SHAPE(n, width), nn_init_or(init, (gs_init){ GS_INIT_NORMAL, 0, 1 })), index);
    nn_leave(g, name);
    return y;
}

gs_node *gs_maxout(gs_node *x, int pieces)
{
    gs_shape s = x->shape;

    if (x->poisoned) return x;
    if (s.rank < 1 || s.rank >= GS_MAX_DIMS || pieces < 1 || s.dim[s.rank - 1] % pieces) {
        char t[96];
        return NN_FAIL(x, "maxout", GS_ESHAPE, "the last axis of %s is not a multiple of %d pieces",
                       gs_shape_text(s, t), pieces);
    }
    if (pieces == 1) return x;
    s.dim[s.rank - 1] /= pieces;
    s.dim[s.rank++] = pieces;
    return gs_max(gs_reshape(x, s), s.rank - 1, false);
}

gs_node *gs_maxout_layer(gs_node *x, const char *name, int64_t units, int pieces, const gs_layer_opts *o)
{
    return gs_maxout(gs_linear_layer(x, name, units * pieces, o), pieces);
}
