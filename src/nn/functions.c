/* Functions without parameters: dropout, softmax, unit length, cosines. */
#include "nn/nn_int.h"

gs_node *gs_dropout(gs_node *x, double p, const gs_mode *mode, const char *name)
{
    gs_graph *g = gs_node_graph(x);
    gs_node *mask = NULL;

    if (x->poisoned) return x;
    if (!(p >= 0 && p < 1)) return NN_FAIL(x, "dropout", GS_EINVAL, "probability %g is not in [0,1)", p);
    if (!mode || !mode->train || p == 0) return x;
    if (mode->mask) mask = mode->mask(mode->user, g, name, x->shape);
    if (!mask) mask = gs_random_bernoulli(g, x->shape, 1 - p);
    if (!mask->poisoned && !gs_shape_equal(mask->shape, x->shape)) {
        char a[96], b[96];
        return NN_FAIL(x, "dropout", GS_ESHAPE, "mask %s for a tensor of %s", gs_shape_text(mask->shape, a),
                       gs_shape_text(x->shape, b));
    }
    return gs_mul(x, gs_scale(mask, 1 / (1 - p)));
}

/* x minus its largest along axis, so that exp cannot overflow; the shift cancels, so it carries no gradient. */
static gs_node *shifted(gs_node *x, int axis)
{
    return gs_sub(x, gs_detach(gs_max(x, axis, true)));
}

gs_node *gs_softmax(gs_node *x, int axis)
{
    gs_node *e;

    axis = gs__axis(x, axis, "softmax");
    if (axis < 0) return x;
    e = gs_exp(shifted(x, axis));
    return gs_mul(e, gs_recip(gs_sum(e, GS_AXIS(axis), true))); /* one division a row */
}

gs_node *gs_log_softmax(gs_node *x, int axis)
{
    gs_node *d;

    axis = gs__axis(x, axis, "log_softmax");
    if (axis < 0) return x;
    d = shifted(x, axis);
    return gs_sub(d, gs_log(gs_sum(gs_exp(d), GS_AXIS(axis), true)));
}

gs_node *gs_l2_normalize(gs_node *x, int axis, double eps)
{
    gs_node *sq;

    axis = gs__axis(x, axis, "l2_normalize");
    if (axis < 0) return x;
    sq = gs_sum(gs_square(x), GS_AXIS(axis), true);
    /* the bound stands under the root, so that the gradient at x = 0 is finite */
    return gs_mul(x, gs_rsqrt(gs_max2(sq, gs_const(gs_node_graph(x), eps * eps))));
}

gs_node *gs_cosine_matrix(gs_node *a, gs_node *b)
{
    return gs_matmul(gs_l2_normalize(a, -1, 1e-12), gs_l2_normalize(b, -1, 1e-12), false, true);
}
