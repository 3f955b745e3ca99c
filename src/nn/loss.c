/* Losses: nodes to a scalar (or, with GS_REDUCE_NONE, to one value an element). */
#include "nn/nn_int.h"

gs_node *gs_reduce_all(gs_node *x, gs_reduce reduce)
{
    if (x->poisoned) return x;
    switch (reduce) {
    case GS_REDUCE_MEAN: return gs_mean(x, GS_ALL, false);
    case GS_REDUCE_SUM: return gs_sum(x, GS_ALL, false);
    case GS_REDUCE_BATCH_MEAN:
        if (x->shape.rank < 1) return x;
        return gs_scale(gs_sum(x, GS_ALL, false), 1 / (double)x->shape.dim[0]);
    case GS_REDUCE_NONE: return x;
    }
    return NN_FAIL(x, "loss", GS_EINVAL, "unknown reduction %d", (int)reduce);
}

/* Written with two softplus and not as max(s,0) - s t + log(1 + exp(-|s|)): the pieces of that form have
 * kinks at 0 which cancel, but whose one-sided derivatives do not. The second term vanishes for t = 1, the
 * first for t = 0. */
gs_node *gs_bce_with_logits(gs_node *s, gs_node *t, gs_reduce reduce)
{
    gs_node *l = gs_add(gs_mul(t, gs_softplus(gs_neg(s))), gs_mul(gs_affine(t, -1.0, 1.0), gs_softplus(s)));

    return gs_reduce_all(l, reduce);
}

gs_node *gs_bce_with_target(gs_node *s, double t, gs_reduce reduce)
{
    gs_node *l;

    if (!(t >= 0 && t <= 1)) return NN_FAIL(s, "bce", GS_EINVAL, "target %g is not in [0,1]", t);
    if (t == 0) l = gs_softplus(s);
    else if (t == 1) l = gs_softplus(gs_neg(s));
    else l = gs_add(gs_scale(gs_softplus(gs_neg(s)), t), gs_scale(gs_softplus(s), 1 - t));
    return gs_reduce_all(l, reduce);
}

gs_node *gs_mse(gs_node *x, gs_node *target, gs_reduce reduce)
{
    return gs_reduce_all(gs_square(gs_sub(x, target)), reduce);
}

gs_node *gs_l1(gs_node *x, gs_node *target, gs_reduce reduce)
{
    return gs_reduce_all(gs_abs(gs_sub(x, target)), reduce);
}

gs_node *gs_hinge_d_real(gs_node *s)
{
    return gs_mean(gs_relu(gs_affine(s, -1.0, 1.0)), GS_ALL, false);
}

gs_node *gs_hinge_d_fake(gs_node *s)
{
    return gs_mean(gs_relu(gs_affine(s, 1.0, 1.0)), GS_ALL, false);
}

gs_node *gs_hinge_g(gs_node *s)
{
    return gs_neg(gs_mean(s, GS_ALL, false));
}

gs_node *gs_cross_entropy(gs_node *x, gs_node *classes, gs_reduce reduce)
{
    const int rank = x->shape.rank;
    int order[GS_MAX_DIMS] = { 0 };
    gs_node *logp, *picked;

    if (nn_poisoned(x, classes, NULL)) return nn_poisoned(x, classes, NULL);
    if (rank < 2 || classes->shape.rank != rank - 1) {
        char a[96], b[96];
        return NN_FAIL(x, "cross_entropy", GS_ESHAPE, "x %s, classes %s: wants (N,C,...) and (N,...)",
                       gs_shape_text(x->shape, a), gs_shape_text(classes->shape, b));
    }
    for (int i = 1; i < rank - 1; i++) order[i] = i + 1; /* channels last, where one_hot puts them */
    order[rank - 1] = 1;
    logp = gs_log_softmax(x, 1);
    if (rank > 2) logp = gs_permute(logp, order);
    picked = gs_sum(gs_mul(logp, gs_one_hot(classes, (int)x->shape.dim[1])), GS_AXIS(rank - 1), false);
    return gs_reduce_all(gs_neg(picked), reduce);
}

gs_node *gs_kl_gaussian(gs_node *mu, gs_node *logvar, gs_reduce reduce)
{
    gs_node *k = gs_sub(gs_sub(gs_affine(logvar, 1.0, 1.0), gs_square(mu)), gs_exp(logvar));

    return gs_reduce_all(gs_scale(k, -0.5), reduce);
}

gs_node *gs_gradient_penalty(gs_node *score, gs_node *x, gs_reduce reduce, gs_node **grad)
{
    gs_node *dx;

    gs_grad(score, &x, 1, &dx);
    if (grad) *grad = dx;
    return gs_reduce_all(gs_square(dx), reduce);
}
