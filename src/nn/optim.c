/* Optimisers: state and parameters as assignments of the graph. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/nn_int.h"

void gs_grad_params(gs_node *loss, gs_var *const *params, int n, gs_node **grads)
{
    gs_node **wrt = gs_xalloc((size_t)n * sizeof(*wrt) + 1);

    for (int i = 0; i < n; i++) wrt[i] = gs_read(params[i]);
    gs_grad(loss, wrt, n, grads);
    free(wrt);
}

/* The optimiser's tensor `kind` for a parameter: zero at first, of the parameter's shape. */
static gs_var *slot(gs_graph *g, const char *name, const char *kind, const gs_var *p)
{
    gs_str full = { 0 };
    gs_var *v;

    gs_str_printf(&full, "%s.%s.%s", name, kind, gs_var_name(p));
    v = gs_variable(g, gs_str_c(&full), gs_var_shape(p), GS_F32, (gs_init){ GS_INIT_CONST, 0, 0 }, false);
    gs_str_free(&full);
    return v;
}

static gs_node *decayed(gs_node *grad, gs_node *p, double weight_decay)
{
    return weight_decay != 0 ? gs_add(grad, gs_scale(p, weight_decay)) : grad;
}

/* 1 - b^t = 2k / (1 + k) with k = tanh(-t ln(b) / 2). In fp32 the plain form cancels: at t = 1 and b = 0.999
 * it has an error of 1.3e-5, this one of a few 1e-7. */
static gs_node *bias_correction(gs_node *t, double b)
{
    gs_node *k;

    if (b == 0) return gs_const(gs_node_graph(t), 1);
    k = gs_tanh(gs_scale(t, -0.5 * log(b)));
    return gs_div(gs_scale(k, 2), gs_affine(k, 1.0, 1.0));
}

void gs_adam(gs_graph *g, const char *name, gs_var *const *params, gs_node *const *grads, int n, gs_node *lr,
             const gs_adam_opts *o)
{
    static const gs_adam_opts standard = { .beta1 = 0.9, .beta2 = 0.999 };
    const gs_adam_opts *a = o ? o : &standard;
    const double b1 = a->beta1, b2 = a->beta2, eps = a->eps != 0 ? a->eps : 1e-8;
    gs_str step_name = { 0 };
    gs_node *t, *rate, *root;
    gs_var *step;

    if (!(b1 >= 0 && b1 < 1 && b2 >= 0 && b2 < 1 && eps > 0)) {
        gs__poison(g, "adam", gs_fail(GS_EINVAL, "beta1 %g, beta2 %g, eps %g: betas lie in [0,1), eps above 0", b1, b2, eps));
        return;
    }
    gs_str_printf(&step_name, "%s.step", name);
    step = gs_variable(g, gs_str_c(&step_name), GS_SCALAR, GS_F32, (gs_init){ GS_INIT_CONST, 0, 0 }, false);
    gs_str_free(&step_name);
    t = gs_affine(gs_read(step), 1.0, 1.0);
    gs_assign(step, t);
    rate = gs_div(lr, bias_correction(t, b1));
    root = gs_rsqrt(bias_correction(t, b2));

    for (int i = 0; i < n; i++) {
        gs_var *var_m = slot(g, name, "m", params[i]), *var_v = slot(g, name, "v", params[i]);
        gs_node *p = gs_read(params[i]), *grad = decayed(grads[i], p, a->weight_decay);
        gs_node *m = gs_add(gs_scale(gs_read(var_m), b1), gs_scale(grad, 1 - b1));
        gs_node *v = gs_add(gs_scale(gs_read(var_v), b2), gs_scale(gs_square(grad), 1 - b2));
        gs_node *down = a->eps_hat ? gs_mul(gs_affine(gs_sqrt(v), 1.0, eps), root) : gs_affine(gs_mul(gs_sqrt(v), root), 1.0, eps);

        gs_assign(var_m, m);
        gs_assign(var_v, v);
        gs_assign(params[i], gs_sub(p, gs_div(gs_mul(rate, m), down)));
    }
}

void gs_sgd(gs_graph *g, const char *name, gs_var *const *params, gs_node *const *grads, int n, gs_node *lr,
            gs_node *momentum, double weight_decay, gs_sgd_form form)
{
    for (int i = 0; i < n; i++) {
        gs_node *p = gs_read(params[i]), *grad = decayed(grads[i], p, weight_decay), *move = gs_mul(lr, grad), *b;
        gs_var *buf;

        if (!momentum) {
            gs_assign(params[i], gs_sub(p, move));
            continue;
        }
        buf = slot(g, name, "buf", params[i]);
        b = gs_mul(momentum, gs_read(buf));
        b = form == GS_SGD_TORCH ? gs_add(b, grad) : gs_sub(b, move);
        gs_assign(buf, b);
        gs_assign(params[i], form == GS_SGD_TORCH ? gs_sub(p, gs_mul(lr, b)) : gs_add(p, b));
    }
}

void gs_clamp_params(gs_graph *g, const char *prefix, const char *suffix, double lo, double hi)
{
    const int n = gs_trainable(g, prefix, NULL, 0);
    gs_var **vars = gs_xalloc((size_t)n * sizeof(*vars) + 1);
    const size_t ns = strlen(suffix);

    gs_trainable(g, prefix, vars, n);
    for (int i = 0; i < n; i++) {
        const char *name = gs_var_name(vars[i]);
        const size_t len = strlen(name);

        if (len >= ns && strcmp(name + len - ns, suffix) == 0) gs_assign(vars[i], gs_clamp(gs_read(vars[i]), lo, hi));
    }
    free(vars);
}

void gs_average_params(gs_graph *g, const char *name, gs_var *const *params, int n, double decay)
{
    gs_str full = { 0 };
    gs_node *t, *d;
    gs_var *step;

    if (!(decay >= 0 && decay < 1)) {
        gs__poison(g, "average", gs_fail(GS_EINVAL, "decay %g of averaged parameters: it lies in [0,1)", decay));
        return;
    }
    gs_str_printf(&full, "%s.step", name);
    step = gs_variable(g, gs_str_c(&full), GS_SCALAR, GS_F32, (gs_init){ GS_INIT_CONST, 0, 0 }, false);
    t = gs_read(step);
    gs_assign(step, gs_affine(t, 1.0, 1.0));
    d = gs_clamp(gs_div(t, gs_affine(t, 1.0, 9.0)), 0, decay);
    for (int i = 0; i < n; i++) {
        gs_node *p = gs_read(params[i]), *old;
        gs_var *average;

        full.len = 0;
        gs_str_printf(&full, "%s_%s", name, gs_var_name(params[i]));
        average = gs_variable(g, gs_str_c(&full), gs_var_shape(params[i]), GS_F32, (gs_init){ GS_INIT_CONST, 0, 0 }, false);
        old = gs_read(average);
        gs_assign(average, gs_add(gs_mul(d, old), gs_mul(gs_affine(d, -1.0, 1.0), p)));
    }
    gs_str_free(&full);
}
