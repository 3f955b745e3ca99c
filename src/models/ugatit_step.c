/* The training step of U-GAT-IT as one graph, and the graphs that use trained generators.
 *
 * The release translates twice, once for the discriminators and once more for the generators, although nothing changed in between, and lets
 * the discriminators' weights collect gradients in the generators' phase. Here both phases share the translations, and the second one
 * differentiates by the generators alone: the same losses and weights for a quarter less work.
 *
 * Losses are differentiated network by network and pass by pass, in the order in which the program makes them, so that what one needs to
 * remember is free before the next begins. A gradient of the perceptron's first matrix in the full form is one outer product a pass;
 * the plan computes it within Adam's kernel and never stores it. */
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "graph/graph.h"
#include "models/ugatit.h"

enum { A, B }; /* domains, and the generator into them: genB2A makes A */

static const char *const gen_name[2] = { "genB2A", "genA2B" };          /* by the domain it makes */
static const char *const dis_name[2][2] = { { "disGA", "disLA" }, { "disGB", "disLB" } };
static const char domain_letter[2] = { 'A', 'B' };
static const char scale_letter[2] = { 'G', 'L' };

typedef struct step {
    gs_graph *g;
    const gs_ugatit_opts *o;
    bool trace;
    gs_node *real[2], *lr;  /* real: of the phase at work */
    gs_ugatit_fake fake[2]; /* by the domain they pretend to be of */
    gs_params gen;          /* both generators */
    gs_node *adv[2], *cycle[2], *identity[2], *cam[2], *d[2], *head[2]; /* losses; head: of gap and gmp over all four terms */
} step;

/* ---- losses ---- */

/* Cross entropy of one generator pass's two classifiers: 1 where the picture is from the side that it must change. Both heads' halves
 * are kept apart for the log: the average head learns far later than the other. */
static gs_node *cam_loss(step *t, gs_node *cam_logit, double target)
{
    gs_node *sum = NULL;

    if (!cam_logit) return gs_const(t->g, 0); /* no attention */
    for (int i = 0; i < 2; i++) {
        gs_node *half = gs_scale(gs_bce_with_target(gs_slice(cam_logit, 1, i, 1), target, GS_REDUCE_MEAN), 0.5);

        t->head[i] = gs_plus(t->head[i], half);
        sum = gs_plus(sum, half);
    }
    return sum;
}

/* ---- networks and updates ---- */

/* The weight of a convolution or a dense layer; norms' weights have one axis. */
static bool is_kernel(const gs_var *v)
{
    const char *last = strrchr(gs_var_name(v), '.');

    return gs_var_shape(v).rank >= 2 && (strcmp(last, ".weight") == 0 || strcmp(last, ".weight_orig") == 0);
}

/* One Adam step on the parameters first .. first + n - 1 of w. */
static void update(step *t, const gs_params *w, int first, int n, const char *name)
{
    const gs_ugatit_opts *o = t->o;
    gs_adam_opts adam = { .beta1 = o->beta1, .beta2 = o->beta2, .weight_decay = o->weight_decay, .eps_hat = o->eps_hat };
    char opt[32];

    for (int i = first; i < first + n; i++) gs_trace(t->trace, w->grads[i], "grad.%s", gs_var_name(w->vars[i]));
    if (o->wd_kernels) {
        adam.weight_decay = 0;
        for (int i = first; i < first + n; i++) {
            if (is_kernel(w->vars[i])) w->grads[i] = gs_add(w->grads[i], gs_scale(gs_read(w->vars[i]), o->weight_decay));
        }
    }
    snprintf(opt, sizeof opt, "opt_%s", name);
    gs_adam(t->g, opt, w->vars + first, w->grads + first, n, t->lr, &adam);
}

/* What the step changes below a prefix stays as it was unless flag is 1. */
static void update_only_if(step *t, gs_node *flag, const char *prefix)
{
    const int n = gs_variables(t->g, prefix, NULL, 0);
    gs_var **v = gs_xalloc((size_t)n * sizeof *v + 1);

    gs_variables(t->g, prefix, v, n);
    for (int i = 0; i < n; i++) {
        if (gs_read(v[i]) != v[i]->initial) gs_assign(v[i], gs_select(flag, gs_read(v[i]), v[i]->initial));
    }
    free(v);
}

static gs_ugatit_score judge(step *t, const char *name, gs_node *x)
{
    return gs_ugatit_discriminator(t->g, t->o, name, x, &(gs_mode){ .train = true });
}

/* The scores of the first n pictures, or of those after them. */
static gs_ugatit_score part(const gs_ugatit_score *s, int64_t first, int64_t n)
{
    return (gs_ugatit_score){ .logit = gs_slice(s->logit, 0, first, n), .cam_logit = s->cam_logit ? gs_slice(s->cam_logit, 0, first, n) : NULL };
}

/* ---- phases ---- */

/* Translates the pictures of a phase; traced: of the generators' phase. */
static void translate(step *t, bool traced)
{
    for (int to = B; to >= A; to--) {
        const char from = domain_letter[!to], into = domain_letter[to];

        t->fake[to] = gs_ugatit_generator(t->g, t->o, gen_name[to], t->real[!to]);
        if (!traced) continue;
        gs_trace(t->trace, t->fake[to].image, "out.fake_%c2%c", from, into);
        gs_trace(t->trace && t->o->g_cam, t->fake[to].cam_logit, "out.fake_%c2%c_cam_logit", from, into);
    }
}

/* What a discriminator pays for its gradients by the pictures x, in a pass of its own. */
static gs_node *penalty(step *t, const char *name, gs_node *x)
{
    const gs_ugatit_score s = judge(t, name, x);
    gs_node *p = gs_gan_penalty(t->o->gan, s.logit, x);

    if (t->o->d_cam) p = gs_add(p, gs_gan_penalty(t->o->gan, s.cam_logit, x));
    return gs_scale(p, t->o->gp);
}

/* One discriminator: real pictures, then fakes, then those between (the order of its power iterations), then its update. between: NULL for
 * losses without a penalty. */
static void train_discriminator(step *t, int domain, int scale, gs_node *between)
{
    const char *name = dis_name[domain][scale];
    const gs_gan gan = t->o->gan;
    gs_node *x = t->real[domain], *y = gs_detach(t->fake[domain].image), *ad, *cam, *both;
    const int64_t n = gs_node_dim(x, 0);
    gs_ugatit_score real, fake;
    gs_params w = { 0 };

    if (t->o->d_batch_real_fake) {
        const gs_ugatit_score all = judge(t, name, gs_concat((gs_node *[]){ x, y }, 2, 0));

        real = part(&all, 0, n);
        fake = part(&all, n, n);
    } else {
        real = judge(t, name, x);
        fake = judge(t, name, y);
    }
    both = ad = gs_add(gs_gan_d(gan, real.logit, true), gs_gan_d(gan, fake.logit, false));
    gs_trace(t->trace, ad, "loss.D_ad_loss_%c%c", scale_letter[scale], domain_letter[domain]);
    if (t->o->d_cam) {
        cam = gs_add(gs_gan_d(gan, real.cam_logit, true), gs_gan_d(gan, fake.cam_logit, false));
        both = gs_add(ad, cam);
        gs_trace(t->trace, cam, "loss.D_ad_cam_loss_%c%c", scale_letter[scale], domain_letter[domain]);
    }
    both = gs_scale(both, t->o->w_adv);
    t->d[domain] = gs_plus(t->d[domain], both);
    gs_params_find(&w, t->g, name, NULL, NULL);
    gs_params_differentiate(&w, both);
    if (between) {
        gs_node *p = penalty(t, name, between);

        gs_trace(t->trace, p, "loss.D_penalty_%c%c", scale_letter[scale], domain_letter[domain]);
        p = gs_scale(p, t->o->w_adv);
        t->d[domain] = gs_add(t->d[domain], p);
        gs_params_differentiate(&w, p);
    }
    update(t, &w, 0, w.n, name);
    gs_params_free(&w);
}

static void train_discriminators(step *t)
{
    for (int d = A; d <= B; d++) {
        gs_node *between = NULL; /* the same pictures for both scales */

        if (gs_gan_penalised(t->o->gan)) between = gs_gan_between(t->o->gan, t->real[d], gs_detach(t->fake[d].image));
        for (int scale = 0; scale < 2; scale++) train_discriminator(t, d, scale, between);
    }
}

/* There and back: the other domain's picture x becomes `to`, is judged, and comes back. */
static void there_and_back(step *t, int to)
{
    const int from = !to;
    const gs_ugatit_fake *f = &t->fake[to];
    const gs_ugatit_fake back = gs_ugatit_generator(t->g, t->o, gen_name[from], f->image);
    gs_node *cam = cam_loss(t, f->cam_logit, 1), *loss;

    for (int scale = 0; scale < 2; scale++) {
        const gs_ugatit_score s = judge(t, dis_name[to][scale], f->image);
        gs_node *ad = gs_gan_g(t->o->gan, s.logit), *ad_cam;

        gs_trace(t->trace, ad, "loss.G_ad_loss_%c%c", scale_letter[scale], domain_letter[to]);
        if (t->o->d_cam) {
            ad_cam = gs_gan_g(t->o->gan, s.cam_logit);
            gs_trace(t->trace, ad_cam, "loss.G_ad_cam_loss_%c%c", scale_letter[scale], domain_letter[to]);
            ad = gs_add(ad, ad_cam);
        }
        t->adv[to] = gs_plus(t->adv[to], ad);
    }
    t->cycle[from] = gs_l1(back.image, t->real[from], GS_REDUCE_MEAN);
    t->cam[to] = gs_plus(t->cam[to], cam);
    loss = gs_add(gs_scale(t->adv[to], t->o->w_adv), gs_scale(t->cycle[from], t->o->w_cycle));
    gs_params_differentiate(&t->gen, gs_add(loss, gs_scale(cam, t->o->w_cam)));
}

/* A picture of the domain that a generator makes should stay as it is. */
static void stay(step *t, int domain)
{
    const gs_ugatit_fake same = gs_ugatit_generator(t->g, t->o, gen_name[domain], t->real[domain]);
    gs_node *cam = cam_loss(t, same.cam_logit, 0);

    gs_trace(t->trace && t->o->g_cam, same.cam_logit, "out.fake_%c2%c_cam_logit", domain_letter[domain], domain_letter[domain]);
    t->identity[domain] = gs_l1(same.image, t->real[domain], GS_REDUCE_MEAN);
    t->cam[domain] = gs_plus(t->cam[domain], cam);
    gs_params_differentiate(&t->gen, gs_add(gs_scale(t->identity[domain], t->o->w_identity), gs_scale(cam, t->o->w_cam)));
}

static gs_node *mean_rho(step *t, const char *part)
{
    gs_node *sum = NULL;
    int64_t count = 0;

    for (int i = 0; i < t->gen.n; i++) {
        const char *name = gs_var_name(t->gen.vars[i]);
        const size_t len = strlen(name);

        if (len < 4 || strcmp(name + len - 4, ".rho") != 0 || !strstr(name, part)) continue;
        sum = gs_plus(sum, gs_sum(gs_read(t->gen.vars[i]), GS_ALL, false));
        count += gs_shape_count(gs_var_shape(t->gen.vars[i]));
    }
    return sum ? gs_scale(sum, 1.0 / (double)count) : gs_const(t->g, 0);
}

/* Puts the generators' weights, as they are now, into their averages. */
static void average(step *t, gs_node *update_g)
{
    if (t->o->ema == 0) return;
    gs_average_params(t->g, GS_UGATIT_EMA, t->gen.vars, t->gen.n, t->o->ema);
    if (t->o->n_critic > 1) update_only_if(t, update_g, GS_UGATIT_EMA);
}

static void train_generators(step *t, gs_node **m)
{
    const int half = t->gen.n / 2; /* the generators are alike */
    gs_node *update_g = t->o->n_critic > 1 ? gs_input(t->g, "update_g", GS_SCALAR, GS_F32) : NULL;

    there_and_back(t, B);
    there_and_back(t, A);
    stay(t, A);
    stay(t, B);
    m[GS_UGATIT_RHO_ADALIN] = mean_rho(t, ".UpBlock1_");
    m[GS_UGATIT_RHO_ILN] = mean_rho(t, ".UpBlock2.");
    update(t, &t->gen, 0, half, gen_name[B]);
    update(t, &t->gen, half, half, gen_name[A]);
    for (int d = A; d <= B; d++) {
        char prefix[24];

        snprintf(prefix, sizeof prefix, "%s.", gen_name[d]);
        gs_clamp_params(t->g, prefix, ".rho", 0, 1);
        if (t->o->n_critic == 1) continue;
        update_only_if(t, update_g, prefix);
        snprintf(prefix, sizeof prefix, "opt_%s.", gen_name[d]);
        update_only_if(t, update_g, prefix);
    }
    average(t, update_g);
}

static void metrics(step *t, gs_node **m)
{
    const gs_ugatit_opts *o = t->o;
    gs_node *total = NULL;

    for (int d = A; d <= B; d++) {
        gs_node *l = gs_add(gs_add(gs_scale(t->adv[d], o->w_adv), gs_scale(t->cycle[d], o->w_cycle)),
                            gs_add(gs_scale(t->identity[d], o->w_identity), gs_scale(t->cam[d], o->w_cam)));

        total = gs_plus(total, l);
        gs_trace(t->trace, l, "loss.G_loss_%c", domain_letter[d]);
        gs_trace(t->trace, t->d[d], "loss.D_loss_%c", domain_letter[d]);
        gs_trace(t->trace, t->cycle[d], "loss.G_recon_loss_%c", domain_letter[d]);
        gs_trace(t->trace, t->identity[d], "loss.G_identity_loss_%c", domain_letter[d]);
        gs_trace(t->trace, t->cam[d], "loss.G_cam_loss_%c", domain_letter[d]);
        m[GS_UGATIT_ADV_A + d] = t->adv[d];
        m[GS_UGATIT_CYCLE_A + d] = t->cycle[d];
        m[GS_UGATIT_IDENTITY_A + d] = t->identity[d];
        m[GS_UGATIT_D_A + d] = t->d[d];
        m[GS_UGATIT_CAM_GAP + d] = t->head[d] ? gs_scale(t->head[d], o->w_cam) : gs_const(t->g, 0); /* here d counts heads */
    }
    m[GS_UGATIT_G] = total;
    m[GS_UGATIT_D] = gs_add(t->d[A], t->d[B]);
    gs_trace(t->trace, total, "loss.Generator_loss");
    gs_trace(t->trace, m[GS_UGATIT_D], "loss.Discriminator_loss");
    for (int i = 0; i < GS_UGATIT_METRICS; i++) m[i] = gs_reshape(m[i], GS_SHAPE(1));
    gs_output(t->g, "metrics", gs_concat(m, GS_UGATIT_METRICS, 0));
}

static gs_shape pictures(const gs_ugatit_opts *o, int batch)
{
    return GS_SHAPE(batch, o->img_ch, o->size, o->size);
}

static void real_inputs(step *t, int batch, const char *suffix)
{
    for (int d = A; d <= B; d++) {
        char name[16];

        snprintf(name, sizeof name, "real_%c%s", domain_letter[d], suffix);
        t->real[d] = gs_input(t->g, name, pictures(t->o, batch), GS_F32);
    }
}

gs_status gs_ugatit_build_step(gs_graph *g, const gs_ugatit_opts *o, int batch, bool with_trace)
{
    step t = { .g = g, .o = o, .trace = with_trace };
    gs_node *m[GS_UGATIT_METRICS];
    gs_status st = gs_ugatit_check(o);

    if (st != GS_OK) return st;
    if (batch < 1) return gs_fail(GS_EINVAL, "a batch of %d pictures", batch);
    real_inputs(&t, batch, "");
    t.lr = gs_input(g, "lr", GS_SCALAR, GS_F32);
    translate(&t, !o->fresh_pair);
    gs_params_find(&t.gen, g, gen_name[B], NULL, NULL);
    gs_params_find(&t.gen, g, gen_name[A], NULL, NULL);
    train_discriminators(&t);
    if (o->fresh_pair) {
        real_inputs(&t, batch, "_g");
        translate(&t, true);
    }
    train_generators(&t, m);
    metrics(&t, m);
    gs_params_free(&t.gen);
    return gs_graph_status(g);
}

/* ---- use ---- */

/* A generator as it is used: of the averaged weights where there are any. */
static gs_ugatit_fake use(gs_graph *g, const gs_ugatit_opts *o, int into, gs_node *x)
{
    char net[24];

    snprintf(net, sizeof net, "%s%s", o->ema > 0 ? GS_UGATIT_EMA "_" : "", gen_name[into]);
    return gs_ugatit_generator(g, o, net, x);
}

gs_status gs_ugatit_build_translator(gs_graph *g, const gs_ugatit_opts *o, int batch, bool b2a)
{
    gs_ugatit_fake f;
    gs_status st = gs_ugatit_check(o);

    if (st != GS_OK) return st;
    if (batch < 1) return gs_fail(GS_EINVAL, "a batch of %d pictures", batch);
    f = use(g, o, b2a ? A : B, gs_input(g, "x", pictures(o, batch), GS_F32));
    gs_output(g, "image", f.image);
    gs_output(g, "heatmap", f.heatmap);
    gs_output(g, "cam_logit", f.cam_logit);
    return gs_graph_status(g);
}

gs_status gs_ugatit_build_sheet(gs_graph *g, const gs_ugatit_opts *o, bool b2a)
{
    const int from = b2a ? B : A;
    gs_ugatit_fake same, fake, back;
    gs_node *x;
    gs_status st = gs_ugatit_check(o);

    if (st != GS_OK) return st;
    x = gs_input(g, "x", pictures(o, 1), GS_F32);
    same = use(g, o, from, x);
    fake = use(g, o, !from, x);
    back = use(g, o, from, fake.image);
    gs_output(g, "same", same.image);
    gs_output(g, "same_heat", same.heatmap);
    gs_output(g, "fake", fake.image);
    gs_output(g, "fake_heat", fake.heatmap);
    gs_output(g, "back", back.image);
    gs_output(g, "back_heat", back.heatmap);
    return gs_graph_status(g);
}
