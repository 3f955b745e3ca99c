/* Gated recurrent unit (Cho et al. 2014) in PyTorch's form: the reset gate acts on the recurrent product,
 * after its bias. Shape letters: N batch, T time, I input width, H state width. */
#include "nn/nn_int.h"

#include <stdlib.h>

/* The cell from xw = x w_ih^T + b_ih (N,3H), which a sequence computes for all its steps at once. */
static gs_node *cell(gs_node *xw, gs_node *h, const gs_gru_weights *w)
{
    gs_node *hw = gs_linear(h, w->weight_hh, w->bias_hh), *x[3], *u[3], *r, *z, *n;
    int64_t width;

    if (nn_poisoned(xw, hw, NULL)) return nn_poisoned(xw, hw, NULL);
    if (!gs_shape_equal(xw->shape, hw->shape) || xw->shape.rank != 2 || xw->shape.dim[1] != 3 * h->shape.dim[1]) {
        char a[96], b[96];
        return NN_FAIL(h, "gru", GS_ESHAPE, "gates of the input %s and of the state %s: both must be (N,3H)",
                       gs_shape_text(xw->shape, a), gs_shape_text(hw->shape, b));
    }
    width = h->shape.dim[1];
    for (int i = 0; i < 3; i++) {
        x[i] = gs_slice(xw, 1, i * width, width);
        u[i] = gs_slice(hw, 1, i * width, width);
    }
    r = gs_sigmoid(gs_add(x[0], u[0]));
    z = gs_sigmoid(gs_add(x[1], u[1]));
    n = gs_tanh(gs_add(x[2], gs_mul(r, u[2])));
    return gs_add(gs_mul(gs_affine(z, -1.0, 1.0), n), gs_mul(z, h));
}

gs_node *gs_gru_cell(gs_node *x, gs_node *h, const gs_gru_weights *w)
{
    return cell(gs_linear(x, w->weight_ih, w->bias_ih), h, w);
}

/* Runs one direction. out[t] (N,H) is the state after step t, zero past the row's length; returns the last
 * state (N,H). */
static gs_node *run(gs_node *x, const gs_gru_weights *w, bool backwards, gs_node *h, gs_node *lengths, gs_node **out)
{
    const int64_t n = x->shape.dim[0], steps = x->shape.dim[1], width = h->shape.dim[1];
    gs_graph *g = gs_node_graph(x);
    gs_node *xw = gs_linear(x, w->weight_ih, w->bias_ih);
    gs_node *zero = gs_full(g, GS_SHAPE(n, width), 0);

    if (xw->poisoned) return xw;
    for (int64_t i = 0; i < steps; i++) {
        const int64_t t = backwards ? steps - 1 - i : i;
        gs_node *xt = gs_reshape(gs_slice(xw, 1, t, 1), GS_SHAPE(n, xw->shape.dim[2]));
        gs_node *next = cell(xt, h, w);

        if (lengths) { /* a row that has ended, or in the reverse direction not begun, keeps its state */
            gs_node *in = gs_broadcast_to(gs_gt(lengths, gs_const(g, (double)t)), GS_SHAPE(n, width));

            h = gs_select(in, next, h);
            out[t] = gs_select(in, next, zero);
        } else {
            h = out[t] = next;
        }
        if (h->poisoned) return h;
    }
    return h;
}

gs_node *gs_gru(gs_node *x, const gs_gru_weights *w, int directions, gs_node *h0, gs_node *lengths, gs_node **h_n)
{
    gs_graph *g = gs_node_graph(x);
    gs_node *sides[2], *last[2], *len = NULL, *bad;
    int64_t n, steps, width;

    if (h_n) *h_n = x;
    bad = nn_poisoned(x, h0, lengths);
    if (!bad) bad = nn_poisoned(w[0].weight_ih, w[0].weight_hh, NULL);
    if (bad) return bad;
    if (x->shape.rank != 3 || directions < 1 || directions > 2 || w[0].weight_hh->shape.rank != 2) {
        return NN_FAIL(x, "gru", GS_ESHAPE,
                       "wants x (N,T,I), weight_hh (3H,H) and one or two directions; got ranks %d, %d and %d directions",
                       x->shape.rank, w[0].weight_hh->shape.rank, directions);
    }
    n = x->shape.dim[0], steps = x->shape.dim[1], width = w[0].weight_hh->shape.dim[1];
    if (lengths) len = gs_reshape(gs_cast(lengths, GS_F32), GS_SHAPE(n, 1));
    for (int d = 0; d < directions; d++) {
        gs_node **out = gs_xalloc((size_t)steps * sizeof(*out));
        gs_node *h = h0 ? gs_reshape(gs_slice(h0, 0, d, 1), GS_SHAPE(n, width)) : gs_full(g, GS_SHAPE(n, width), 0);

        last[d] = h->poisoned ? h : run(x, &w[d], d == 1, h, len, out);
        if (last[d]->poisoned) {
            free(out);
            return last[d];
        }
        for (int64_t t = 0; t < steps; t++) out[t] = gs_reshape(out[t], GS_SHAPE(n, 1, width));
        sides[d] = gs_concat(out, (int)steps, 1);
        last[d] = gs_reshape(last[d], GS_SHAPE(1, n, width));
        free(out);
    }
    if (h_n) *h_n = gs_concat(last, directions, 0);
    return gs_concat(sides, directions, 2);
}

gs_node *gs_gru_layer(gs_node *x, const char *name, int64_t width, int directions, gs_node *h0, gs_node *lengths,
                      gs_node **h_n)
{
    static const char *const names[2][4] = {
        { "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0" },
        { "weight_ih_l0_reverse", "weight_hh_l0_reverse", "bias_ih_l0_reverse", "bias_hh_l0_reverse" },
    };
    const gs_init init = { GS_INIT_TORCH_LINEAR, (double)width, 0 }; /* PyTorch: fan is the state's width for all four */
    gs_graph *g = gs_node_graph(x);
    gs_gru_weights w[2] = { { 0 } };
    gs_node *y;

    if (h_n) *h_n = x;
    if (x->poisoned) return x;
    nn_enter(g, name);
    if (x->shape.rank != 3 || width < 1 || directions < 1 || directions > 2) {
        y = NN_FAIL(x, "gru", GS_ESHAPE,
                    "wants x (N,T,I), a width of 1 or more and one or two directions; got rank %d, %lld, %d",
                    x->shape.rank, (long long)width, directions);
    } else {
        for (int d = 0; d < directions; d++) {
            w[d].weight_ih = gs_param(g, names[d][0], GS_SHAPE(3 * width, x->shape.dim[2]), init);
            w[d].weight_hh = gs_param(g, names[d][1], GS_SHAPE(3 * width, width), init);
            w[d].bias_ih = gs_param(g, names[d][2], GS_SHAPE(3 * width), init);
            w[d].bias_hh = gs_param(g, names[d][3], GS_SHAPE(3 * width), init);
        }
        y = gs_gru(x, w, directions, h0, lengths, h_n);
    }
    nn_leave(g, name);
    return y;
}
