/* The training step of the conditional GAN in its three orders, and the sampler. A step is one graph: it is
 * built once and replayed.
 *
 * gs_read gives a parameter's value at that point of the program, so the order of gradients and updates below
 * is the order of the algorithm: after an optimiser's assignments the next pass sees the new parameters, and
 * running statistics follow the passes. */
#include <stdlib.h>

#include "base/base.h"
#include "models/cgan.h"

typedef struct net {
    const char *prefix; /* "G." */
    gs_var **vars;
    gs_node **grads;
    int n;
} net;

typedef struct step {
    gs_graph *g;
    const gs_cgan_opts *o;
    gs_cgan_step_opts s;
    int batch;
    gs_node *real, *y, *momentum;
    net G, D;
} step;

/* One batch of fakes: noise, labels, pictures. */
typedef struct fakes { gs_node *z, *y, *x; } fakes;

/* ---- noise, masks ---- */

static gs_node *noise(step *t, const char *name)
{
    const gs_shape shape = GS_SHAPE(t->batch, t->o->latent_dim);

    if (t->s.feed_noise) return gs_input(t->g, name, shape, GS_F32);
    return t->o->z_uniform ? gs_random_uniform(t->g, shape) : gs_random_normal(t->g, shape);
}

static gs_node *fake_labels(step *t, const char *name)
{
    if (t->s.feed_noise) return gs_input(t->g, name, GS_SHAPE(t->batch), GS_I32);
    return t->o->fake_labels_real ? t->y : gs_random_int(t->g, GS_SHAPE(t->batch), t->o->n_classes);
}

/* A class that is not y, uniform over the others: (y + 1 + k) mod nc with k uniform in 0..nc-2. */
static gs_node *wrong_labels(step *t)
{
    const int nc = t->o->n_classes;
    gs_node *sum;

    if (t->s.feed_noise) return gs_input(t->g, "y_wrong", GS_SHAPE(t->batch), GS_I32);
    sum = gs_add(gs_cast(t->y, GS_F32), gs_affine(gs_cast(gs_random_int(t->g, GS_SHAPE(t->batch), nc - 1), GS_F32), 1, 1));
    sum = gs_sub(sum, gs_scale(gs_ge(sum, gs_const(t->g, nc)), nc));
    return gs_cast(sum, GS_I32);
}

typedef struct mask_source { const step *t; const char *pass; } mask_source;

static gs_node *fed_mask(void *user, gs_graph *g, const char *name, gs_shape shape)
{
    const mask_source *m = user;
    gs_str full = { 0 };
    gs_node *mask;

    if (!m->t->s.feed_masks) return NULL;
    gs_str_printf(&full, "mask_%s_%s", m->pass, name);
    mask = gs_input(g, gs_str_c(&full), shape, GS_F32);
    gs_str_free(&full);
    return mask;
}

static gs_node *generate(step *t, fakes *f, const char *pass_name)
{
    mask_source m = { t, pass_name };

    f->x = gs_cgan_generator(t->g, t->o, f->z, f->y, &(gs_mode){ .train = true, .mask = fed_mask, .user = &m }, NULL);
    return f->x;
}

static gs_node *judge(step *t, gs_node *x, gs_node *y, const char *pass_name)
{
    mask_source m = { t, pass_name };

    return gs_cgan_discriminator(t->g, t->o, x, y, &(gs_mode){ .train = true, .mask = fed_mask, .user = &m }, NULL);
}

/* ---- losses, gradients, updates ---- */

static gs_node *loss(const step *t, gs_node *s, double target)
{
    if (t->o->mse) return gs_mse(s, gs_const(t->g, target), GS_REDUCE_MEAN);
    return gs_bce_with_target(s, target, GS_REDUCE_MEAN);
}

static void trace(step *t, const char *name, gs_node *n)
{
    if (t->s.trace) gs_output(t->g, name, n);
}

/* The network's parameters: known once one pass through it has been built. */
static void find_params(step *t, net *w)
{
    if (w->vars) return;
    w->n = gs_trainable(t->g, w->prefix, NULL, 0);
    w->vars = gs_xalloc((size_t)w->n * sizeof(*w->vars) + 1);
    w->grads = gs_xalloc((size_t)w->n * sizeof(*w->grads) + 1);
    gs_trainable(t->g, w->prefix, w->vars, w->n);
}

static void differentiate(step *t, net *w, gs_node *l)
{
    find_params(t, w);
    gs_grad_params(l, w->vars, w->n, w->grads);
    for (int i = 0; t->s.trace && i < w->n; i++) {
        gs_str name = { 0 };

        gs_str_printf(&name, "grad.%s", gs_var_name(w->vars[i]));
        gs_output(t->g, gs_str_c(&name), w->grads[i]);
        gs_str_free(&name);
    }
}

static void update(step *t, net *w, const char *opt, const char *lr_name)
{
    gs_node *lr = gs_input(t->g, lr_name, GS_SCALAR, GS_F32);

    if (t->o->sgd) {
        gs_sgd(t->g, opt, w->vars, w->grads, w->n, lr, t->momentum, 0, GS_SGD_CLASSIC);
    } else {
        gs_adam(t->g, opt, w->vars, w->grads, w->n, lr, &(gs_adam_opts){ .beta1 = t->o->beta1, .beta2 = t->o->beta2 });
    }
}

/* L(D(G(z,y'),y'), 1), the non-saturating form. D's weights get no gradient here. */
static gs_node *generator_loss(step *t, fakes *f)
{
    gs_node *s = judge(t, f->x, f->y, "D_gen"), *l = loss(t, s, 1);

    trace(t, "out.fake", f->x);
    trace(t, "out.d_gen", s);
    trace(t, "loss.g", l);
    return l;
}

typedef struct d_losses { gs_node *all, *real, *fake, *s_real, *s_fake; } d_losses;

/* scale (L(D(x,y),1) + L(D(x',y'),0) [+ w L(D(x,y~),0)]); the fakes' pictures carry no gradient to G. */
static d_losses discriminator_loss(step *t, gs_node *s_real, const fakes *f)
{
    d_losses d = { .s_real = s_real };

    d.s_fake = judge(t, gs_detach(f->x), f->y, "D_fake");
    d.real = loss(t, d.s_real, t->o->real_label);
    d.fake = loss(t, d.s_fake, 0);
    d.all = gs_add(d.real, d.fake);
    if (t->o->d_wrong_label != 0) {
        gs_node *s = judge(t, t->real, wrong_labels(t), "D_wrong");

        d.all = gs_add(d.all, gs_scale(loss(t, s, 0), t->o->d_wrong_label));
    }
    d.all = gs_scale(d.all, t->o->d_loss_scale);
    trace(t, "out.d_real", d.s_real);
    trace(t, "out.d_fake", d.s_fake);
    trace(t, "loss.d_real", d.real);
    trace(t, "loss.d_fake", d.fake);
    trace(t, "loss.d", d.all);
    return d;
}

static void metrics(step *t, gs_node *g, const d_losses *d)
{
    gs_node *m[GS_CGAN_METRICS] = {
        [GS_CGAN_LOSS_G] = g, [GS_CGAN_LOSS_D] = d->all, [GS_CGAN_LOSS_REAL] = d->real, [GS_CGAN_LOSS_FAKE] = d->fake,
        [GS_CGAN_P_REAL] = gs_mean(gs_sigmoid(d->s_real), GS_ALL, false),
        [GS_CGAN_P_FAKE] = gs_mean(gs_sigmoid(d->s_fake), GS_ALL, false),
    };

    for (int i = 0; i < GS_CGAN_METRICS; i++) m[i] = gs_reshape(m[i], GS_SHAPE(1));
    gs_output(t->g, "metrics", gs_concat(m, GS_CGAN_METRICS, 0));
}

/* ---- the orders ---- */

/* G first; D then learns from the same pictures, which G drew before its update. */
static void g_first_reuse(step *t)
{
    fakes f = { noise(t, "z"), fake_labels(t, "y_fake"), NULL };
    gs_node *lg, *s_real;
    d_losses d;

    generate(t, &f, "G");
    lg = generator_loss(t, &f);
    differentiate(t, &t->G, lg);
    update(t, &t->G, "opt_G", "lr_g");

    s_real = judge(t, t->real, t->y, "D_real");
    d = discriminator_loss(t, s_real, &f);
    differentiate(t, &t->D, d.all);
    update(t, &t->D, "opt_D", "lr_d");
    metrics(t, lg, &d);
}

/* D first, on its own fakes; G then with fresh noise against the new D. */
static void d_first_fresh(step *t)
{
    fakes fd = { noise(t, "z_d"), fake_labels(t, "y_fake_d"), NULL }, fg;
    gs_node *lg, *s_real = judge(t, t->real, t->y, "D_real");
    d_losses d;

    generate(t, &fd, "G_d");
    trace(t, "out.fake_d", fd.x);
    d = discriminator_loss(t, s_real, &fd);
    differentiate(t, &t->D, d.all);
    update(t, &t->D, "opt_D", "lr_d");

    fg = (fakes){ noise(t, "z"), fake_labels(t, "y_fake"), NULL };
    generate(t, &fg, "G");
    lg = generator_loss(t, &fg);
    differentiate(t, &t->G, lg);
    update(t, &t->G, "opt_G", "lr_g");
    metrics(t, lg, &d);
}

/* Both gradients at the same parameters, then both updates. */
static void simultaneous(step *t)
{
    fakes f = { noise(t, "z"), fake_labels(t, "y_fake"), NULL };
    gs_node *lg, *s_real;
    d_losses d;

    generate(t, &f, "G");
    lg = generator_loss(t, &f);
    s_real = judge(t, t->real, t->y, "D_real");
    d = discriminator_loss(t, s_real, &f);
    differentiate(t, &t->G, lg);
    differentiate(t, &t->D, d.all);
    update(t, &t->G, "opt_G", "lr_g");
    update(t, &t->D, "opt_D", "lr_d");
    metrics(t, lg, &d);
}

gs_status gs_cgan_build_step(gs_graph *g, const gs_cgan_opts *o, int batch, const gs_cgan_step_opts *s)
{
    step t = { .g = g, .o = o, .batch = batch, .G = { .prefix = "G." }, .D = { .prefix = "D." } };
    gs_status st = gs_cgan_check(o);

    if (st != GS_OK) return st;
    if (batch < 1 || (batch == 1 && gs_cgan_has_batch_norm(o))) {
        return gs_fail(GS_EINVAL, "a training batch of %d: profile %s needs %d or more", batch, gs_cgan_profile_name(o->profile),
                       gs_cgan_has_batch_norm(o) ? 2 : 1);
    }
    if (s) t.s = *s;
    t.real = gs_input(g, "real", GS_SHAPE(batch, o->image_channels, o->image_size, o->image_size), GS_F32);
    t.y = gs_input(g, "y", GS_SHAPE(batch), GS_I32);
    if (o->sgd) t.momentum = gs_input(g, "momentum", GS_SCALAR, GS_F32);
    switch (o->update_order) {
    case GS_CGAN_G_FIRST_REUSE: g_first_reuse(&t); break;
    case GS_CGAN_D_FIRST_FRESH: d_first_fresh(&t); break;
    case GS_CGAN_SIMULTANEOUS: simultaneous(&t); break;
    }
    free(t.G.vars), free(t.G.grads), free(t.D.vars), free(t.D.grads);
    return gs_graph_status(g);
}

gs_status gs_cgan_build_sampler(gs_graph *g, const gs_cgan_opts *o, int batch, bool train_mode)
{
    const gs_mode mode = { .train = train_mode, .hold = true };
    gs_node *z, *y;
    gs_status st = gs_cgan_check(o);

    if (st != GS_OK) return st;
    if (batch < 1) return gs_fail(GS_EINVAL, "a batch of %d pictures", batch);
    z = gs_input(g, "z", GS_SHAPE(batch, o->latent_dim), GS_F32);
    y = gs_input(g, "y", GS_SHAPE(batch), GS_I32);
    gs_output(g, "images", gs_cgan_generator(g, o, z, y, &mode, NULL));
    return gs_graph_status(g);
}

int64_t gs_cgan_count_params(gs_graph *g, const char *prefix)
{
    const int n = gs_trainable(g, prefix, NULL, 0);
    gs_var **vars = gs_xalloc((size_t)n * sizeof(*vars) + 1);
    int64_t count = 0;

    gs_trainable(g, prefix, vars, n);
    for (int i = 0; i < n; i++) count += gs_shape_count(gs_var_shape(vars[i]));
    free(vars);
    return count;
}
