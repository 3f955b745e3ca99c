/* Losses and gradients of the phases of a training step; see the header. */
#include "models/phases.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

gs_node *gs_gan_d(gs_gan gan, gs_node *s, bool real)
{
    switch (gan) {
    case GS_GAN_HINGE: return real ? gs_hinge_d_real(s) : gs_hinge_d_fake(s);
    case GS_GAN_BCE:
    case GS_GAN_DRAGAN: return gs_bce_with_target(s, real ? 1 : 0, GS_REDUCE_MEAN);
    case GS_GAN_WGAN_GP:
    case GS_GAN_WGAN_LP: return gs_scale(gs_mean(s, GS_ALL, false), real ? -1 : 1);
    case GS_GAN_LSGAN: break;
    }
    return gs_mse(s, gs_const(gs_node_graph(s), real ? 1 : 0), GS_REDUCE_MEAN);
}

gs_node *gs_gan_g(gs_gan gan, gs_node *s)
{
    return gan == GS_GAN_HINGE ? gs_hinge_g(s) : gs_gan_d(gan, s, true);
}

bool gs_gan_penalised(gs_gan gan)
{
    return gan >= GS_GAN_WGAN_GP;
}

gs_node *gs_gan_between(gs_gan gan, gs_node *real, gs_node *fake)
{
    gs_graph *g = gs_node_graph(real);
    gs_node *way;

    if (gan == GS_GAN_DRAGAN) {
        gs_node *var;

        gs_moments(real, GS_ALL, NULL, &var);
        way = gs_mul(gs_random_uniform(g, gs_node_shape(real)), gs_scale(gs_sqrt(var), 0.5));
    } else {
        way = gs_sub(fake, real);
    }
    return gs_add(real, gs_mul(gs_random_uniform(g, GS_SHAPE(gs_node_dim(real, 0), 1, 1, 1)), way));
}

/* Scores that do not depend on the picture (weights of 0) have a gradient of norm 0, where the root's derivative is not finite. So small a
 * number changes no other norm. */
#define LEAST_SQUARE 1e-24

gs_node *gs_gan_penalty(gs_gan gan, gs_node *score, gs_node *x)
{
    gs_node *d, *over;

    gs_grad(score, &x, 1, &d);
    d = gs_sum(gs_reshape(gs_square(d), GS_SHAPE(gs_node_dim(x, 0), -1)), GS_AXIS(1), false);
    over = gs_affine(gs_sqrt(gs_affine(d, 1, LEAST_SQUARE)), 1, -1);
    if (gan == GS_GAN_WGAN_LP) over = gs_relu(over);
    return gs_mean(gs_square(over), GS_ALL, false);
}

void gs_params_find(gs_params *p, gs_graph *g, const char *net, bool (*keep)(const void *user, const char *name), const void *user)
{
    gs_var **found;
    char prefix[32];
    int n;

    snprintf(prefix, sizeof prefix, "%s.", net);
    n = gs_trainable(g, prefix, NULL, 0);
    found = gs_xalloc((size_t)n * sizeof *found + 1);
    gs_trainable(g, prefix, found, n);
    p->vars = gs_xrealloc(p->vars, (size_t)(p->n + n) * sizeof *p->vars + 1);
    p->grads = gs_xrealloc(p->grads, (size_t)(p->n + n) * sizeof *p->grads + 1);
    for (int i = 0; i < n; i++) {
        if (keep && !keep(user, gs_var_name(found[i]))) continue;
        p->vars[p->n] = found[i];
        p->grads[p->n++] = NULL;
    }
    free(found);
}

void gs_params_free(gs_params *p)
{
    free(p->vars);
    free(p->grads);
    *p = (gs_params){ 0 };
}

void gs_params_differentiate(gs_params *p, gs_node *loss)
{
    gs_node **more = gs_xalloc((size_t)p->n * sizeof *more + 1);

    gs_grad_params(loss, p->vars, p->n, more);
    for (int i = 0; i < p->n; i++) p->grads[i] = gs_plus(p->grads[i], more[i]);
    free(more);
}

gs_node *gs_plus(gs_node *sum, gs_node *x)
{
    return sum ? gs_add(sum, x) : x;
}

void gs_trace(bool on, gs_node *n, const char *fmt, ...)
{
    char name[300];
    va_list ap;

    if (!on) return;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    gs_output(gs_node_graph(n), name, n);
}
