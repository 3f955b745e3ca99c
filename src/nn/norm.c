/* Batch, instance and layer normalisation, and U-GAT-IT's mixtures of the last two. Channels are axis 1. */
#include "nn/nn_int.h"

gs_node *gs__standardize(gs_node *x, gs_node *mean, gs_node *var, double eps)
{
    return gs_mul(gs_sub(x, mean), gs_rsqrt(gs_affine(var, 1.0, eps)));
}

/* y w + b by channel, either absent. */
static gs_node *scale_shift(gs_node *y, gs_node *w, gs_node *b)
{
    if (w) y = gs_mul(y, gs__channels(y, w));
    return gs_add_bias(y, b);
}

/* All axes from `first` on, without axis 1 when skip_channels. */
static unsigned axes_from(const gs_node *x, int first, bool skip_channels)
{
    unsigned axes = 0;

    for (int i = first; i < x->shape.rank; i++) {
        if (!(skip_channels && i == 1)) axes |= GS_AXIS(i);
    }
    return axes;
}

static int64_t count_over(const gs_node *x, unsigned axes)
{
    int64_t n = 1;

    for (int i = 0; i < x->shape.rank; i++) {
        if (axes & GS_AXIS(i)) n *= x->shape.dim[i];
    }
    return n;
}

gs_node *gs_batch_norm(gs_node *x, gs_node *mean, gs_node *var, gs_node *w, gs_node *b, double eps)
{
    return scale_shift(gs__standardize(x, gs__channels(x, mean), gs__channels(x, var), eps), w, b);
}

/* Every map less its first pixel, which a norm over maps does not see. A map of one value becomes exactly 0, and 0 after the norm: a mean rounded
 * in its last bit would leave a remainder that 1/sqrt(eps) makes 316 times larger, in each layer again, and its gradients overflow. */
static gs_node *from_first_pixel(gs_node *x)
{
    gs_node *first = gs_detach(x);

    for (int i = 2; i < x->shape.rank; i++) first = gs_slice(first, i, 0, 1);
    return gs_sub(x, first);
}

gs_node *gs_instance_norm(gs_node *x, gs_node *w, gs_node *b, double eps)
{
    gs_node *mean, *var;

    if (x->poisoned) return x;
    if (x->shape.rank < 3) {
        return NN_FAIL(x, "instance_norm", GS_ESHAPE, "wants (N,C,...) of rank 3 or more, got rank %d", x->shape.rank);
    }
    x = from_first_pixel(x);
    gs_moments(x, axes_from(x, 2, false), &mean, &var);
    return scale_shift(gs__standardize(x, mean, var, eps), w, b);
}

gs_node *gs_layer_norm(gs_node *x, gs_node *w, gs_node *b, double eps)
{
    gs_node *mean, *var, *y;

    if (x->poisoned) return x;
    if (x->shape.rank < 1) return NN_FAIL(x, "layer_norm", GS_ESHAPE, "wants (...,E), got a scalar");
    gs_moments(x, GS_AXIS(x->shape.rank - 1), &mean, &var);
    y = gs__standardize(x, mean, var, eps);
    if (w) y = gs_mul(y, w);
    return b ? gs_add(y, b) : y;
}

gs_node *gs_group_norm(gs_node *x, int64_t groups, gs_node *w, gs_node *b, double eps)
{
    gs_node *flat, *mean, *var;

    if (x->poisoned) return x;
    if (x->shape.rank < 3 || groups < 1 || x->shape.dim[1] % groups) {
        char t[96];
        return NN_FAIL(x, "group_norm", GS_ESHAPE, "x %s, %lld groups: wants (N,C,...) of rank 3 or more and groups that divide C",
                       gs_shape_text(x->shape, t), (long long)groups);
    }
    flat = gs_reshape(x, GS_SHAPE(x->shape.dim[0], groups, -1));
    gs_moments(flat, GS_AXIS(2), &mean, &var);
    return scale_shift(gs_reshape(gs__standardize(flat, mean, var, eps), x->shape), w, b);
}

/* rho a_I + (1 - rho) a_L. */
static gs_node *mix_norms(gs_node *x, gs_node *rho, double eps, gs_variance variance, const char *what)
{
    unsigned axes[2]; /* the instance's, the layer's */
    gs_node *a[2], *mean, *var;

    if (nn_poisoned(x, rho, NULL)) return nn_poisoned(x, rho, NULL);
    axes[0] = axes_from(x, 2, false);
    axes[1] = axes_from(x, 1, false);
    if (x->shape.rank != 4 || count_over(x, axes[0]) < 2) {
        char t[96];
        return NN_FAIL(x, what, GS_ESHAPE, "x %s: wants (N,C,H,W) with two pixels or more", gs_shape_text(x->shape, t));
    }
    for (int i = 0; i < 2; i++) {
        const double n = (double)count_over(x, axes[i]);

        gs_moments(x, axes[i], &mean, &var);
        a[i] = gs__standardize(x, mean, variance == GS_BIASED ? var : gs_scale(var, n / (n - 1)), eps);
    }
    return gs_add(gs_mul(rho, a[0]), gs_mul(gs_affine(rho, -1.0, 1.0), a[1]));
}

gs_node *gs_adalin(gs_node *x, gs_node *gamma, gs_node *beta, gs_node *rho, double eps, gs_variance variance)
{
    gs_node *y = mix_norms(x, rho, eps, variance, "adalin");
    gs_shape s;

    if (nn_poisoned(y, gamma, beta)) return nn_poisoned(y, gamma, beta);
    s = GS_SHAPE(x->shape.dim[0], x->shape.dim[1], 1, 1);
    return gs_add(gs_mul(y, gs_reshape(gamma, s)), gs_reshape(beta, s));
}

gs_node *gs_iln(gs_node *x, gs_node *gamma, gs_node *beta, gs_node *rho, double eps, gs_variance variance)
{
    return gs_add(gs_mul(mix_norms(x, rho, eps, variance, "iln"), gamma), beta);
}

/* ---- layers ---- */

static const gs_norm_opts standard;

static double eps_of(const gs_norm_opts *o)
{
    return o->eps != 0 ? o->eps : 1e-5;
}

/* weight and bias of n channels in the current scope, or none. */
static void affine_params(gs_graph *g, int64_t n, const gs_norm_opts *o, gs_node **w, gs_node **b)
{
    *w = *b = NULL;
    if (o->no_affine) return;
    *w = gs_param(g, "weight", GS_SHAPE(n), nn_init_or(o->weight_init, (gs_init){ GS_INIT_CONST, 1, 0 }));
    *b = gs_param(g, "bias", GS_SHAPE(n), nn_init_or(o->bias_init, (gs_init){ GS_INIT_CONST, 0, 0 }));
}

/* running <- (1 - momentum) running + momentum batch; the batch's value does not carry a gradient there. */
static void run_average(gs_var *running, gs_node *batch, double momentum)
{
    gs_node *b = gs_reshape(gs_detach(batch), gs_var_shape(running));

    gs_assign(running, gs_add(gs_scale(gs_read(running), 1 - momentum), gs_scale(b, momentum)));
}

gs_node *gs_batch_norm_layer(gs_node *x, const char *name, const gs_mode *mode, const gs_norm_opts *o)
{
    gs_graph *g = gs_node_graph(x);
    gs_node *w, *b, *y, *m, *v;
    gs_var *mean, *var;

    if (x->poisoned) return x;
    if (!o) o = &standard;
    nn_enter(g, name);
    if (x->shape.rank < 2) {
        y = NN_FAIL(x, "batch_norm", GS_ESHAPE, "wants (N,C,...), got rank %d", x->shape.rank);
        nn_leave(g, name);
        return y;
    }
    const int64_t c = x->shape.dim[1];
    const unsigned axes = axes_from(x, 0, true);
    const double n = (double)count_over(x, axes), momentum = o->momentum != 0 ? o->momentum : 0.1;

    affine_params(g, c, o, &w, &b);
    mean = gs_variable(g, "running_mean", GS_SHAPE(c), GS_F32, (gs_init){ GS_INIT_CONST, 0, 0 }, false);
    var = gs_variable(g, "running_var", GS_SHAPE(c), GS_F32, (gs_init){ GS_INIT_CONST, 1, 0 }, false);
    if (!mode || !mode->train) {
        y = gs_batch_norm(x, gs_read(mean), gs_read(var), w, b, eps_of(o));
    } else if (n < 2) {
        y = NN_FAIL(x, "batch_norm", GS_EINVAL, "training needs more than one value a channel: use a batch of 2 or more");
    } else {
        gs_moments(x, axes, &m, &v);
        if (!mode->hold) {
            run_average(mean, m, momentum);
            run_average(var, gs_scale(v, n / (n - 1)), momentum);
        }
        y = scale_shift(gs__standardize(x, m, v, eps_of(o)), w, b);
    }
    nn_leave(g, name);
    return y;
}

gs_node *gs_instance_norm_layer(gs_node *x, const char *name, const gs_norm_opts *o)
{
    gs_graph *g = gs_node_graph(x);
    gs_node *w = NULL, *b = NULL, *y;

    if (x->poisoned) return x;
    if (!o) o = &standard;
    nn_enter(g, name);
    if (x->shape.rank >= 2) affine_params(g, x->shape.dim[1], o, &w, &b);
    y = gs_instance_norm(x, w, b, eps_of(o));
    nn_leave(g, name);
    return y;
}

gs_node *gs_layer_norm_layer(gs_node *x, const char *name, const gs_norm_opts *o)
{
    gs_graph *g = gs_node_graph(x);
    gs_node *w = NULL, *b = NULL, *y;

    if (x->poisoned) return x;
    if (!o) o = &standard;
    nn_enter(g, name);
    if (x->shape.rank >= 1) affine_params(g, x->shape.dim[x->shape.rank - 1], o, &w, &b);
    y = gs_layer_norm(x, w, b, eps_of(o));
    nn_leave(g, name);
    return y;
}
