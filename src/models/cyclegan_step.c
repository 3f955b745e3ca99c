/* The training step of CycleGAN as one graph, and the graphs that use trained generators.
 *
 * Order of the release: the generators first, judged by discriminators as they are; then the discriminators,
 * on pictures from the pools. Both phases share the translations. Losses are differentiated pass by pass, so
 * that what one needs to remember is free before the next. */
#include <stdlib.h>

#include "base/base.h"
#include "models/cyclegan.h"

enum { A, B }; /* domains */

/* A stream of random numbers that nobody else draws from with the same seed; + domain << 40 + number of the fake. */
#define STREAM_POOL 0x706f6f6c00000000ull

/* By domain: the generator that makes it, and the discriminator that judges it. */
static const char *const gen_name[2] = { "G_B", "G_A" }, *const dis_name[2] = { "D_B", "D_A" };
static const char domain_letter[2] = { 'A', 'B' };

typedef struct step {
    gs_graph *g;
    const gs_cyclegan_opts *o;
    bool trace;
    int batch;
    gs_node *real[2], *fake[2], *lr; /* fake: by the domain they pretend to be of */
    gs_params gen, dis;
    gs_node *m[GS_CYCLEGAN_METRICS];
} step;

static gs_shape pictures(const gs_cyclegan_opts *o, int batch)
{
    return GS_SHAPE(batch, GS_CYCLEGAN_CHANNELS, o->size, o->size);
}

/* Number of the networks that make and judge a domain: 0 for G_A and D_A, which belong to B. */
static int number_of(int domain) { return domain == B ? 0 : 1; }

/* One Adam step on networks that learn together. */
static void update(step *t, const gs_params *p, const char *name)
{
    for (int i = 0; i < p->n; i++) gs_trace(t->trace, p->grads[i], "grad.%s", gs_var_name(p->vars[i]));
    gs_adam(t->g, name, p->vars, p->grads, p->n, t->lr, &(gs_adam_opts){ .beta1 = t->o->beta1, .beta2 = t->o->beta2 });
}

/* ---- generators ---- */

/* There and back: the other domain's picture becomes `to`, is judged, and comes back. */
static void there_and_back(step *t, int to)
{
    const int from = !to, k = number_of(to);
    const double weight = from == A ? t->o->lambda_A : t->o->lambda_B;
    gs_node *back = gs_cyclegan_generator(t->g, t->o, gen_name[from], t->fake[to]);
    gs_node *adv = gs_gan_g(t->o->gan, gs_cyclegan_discriminator(t->g, t->o, dis_name[to], t->fake[to]));
    gs_node *cycle = gs_scale(gs_l1(back, t->real[from], GS_REDUCE_MEAN), weight);

    gs_trace(t->trace, back, "out.rec_%c", domain_letter[from]);
    t->m[GS_CYCLEGAN_ADV_A + k] = adv;
    t->m[GS_CYCLEGAN_CYCLE_A + from] = cycle;
    gs_params_differentiate(&t->gen, gs_add(adv, cycle));
}

/* A picture of the domain that a generator makes should stay as it is. */
static void stay(step *t, int domain)
{
    const double weight = t->o->lambda_identity * (domain == B ? t->o->lambda_B : t->o->lambda_A);
    gs_node *same, *loss;

    if (weight == 0) {
        t->m[GS_CYCLEGAN_IDENTITY_A + number_of(domain)] = gs_const(t->g, 0);
        return;
    }
    same = gs_cyclegan_generator(t->g, t->o, gen_name[domain], t->real[domain]);
    loss = gs_scale(gs_l1(same, t->real[domain], GS_REDUCE_MEAN), weight);
    gs_trace(t->trace, same, "out.idt_%c", 'A' + number_of(domain));
    t->m[GS_CYCLEGAN_IDENTITY_A + number_of(domain)] = loss;
    gs_params_differentiate(&t->gen, loss);
}

/* ---- discriminators ---- */

void gs_cyclegan_pool_turn(const gs_cyclegan_opts *o, uint64_t seed, int domain, int64_t index, int32_t *slot, float *old)
{
    gs_rng r = { .seed = seed, .stream = STREAM_POOL + ((uint64_t)domain << 40) + (uint64_t)index };

    *old = 0;
    *slot = -1;
    if (index < o->pool) {
        *slot = (int32_t)index;
    } else if (o->pool > 0 && gs_rng_uniform(&r) > 0.5) {
        *slot = (int32_t)gs_rng_below(&r, (uint32_t)o->pool);
        *old = 1;
    }
}

/* What the discriminator of a domain sees of its new fakes (batch,3,S,S), by way of the pool. */
static gs_node *from_pool(step *t, int domain)
{
    const gs_shape shape = pictures(t->o, t->batch);
    gs_shape kept = shape;
    gs_node *fakes = gs_detach(t->fake[domain]), *slots, *olds, *pool, **seen;
    gs_var *var;
    char name[24];

    if (t->o->pool == 0) return fakes;
    kept.dim[0] = t->o->pool;
    snprintf(name, sizeof name, "fake_%c_pool", domain_letter[domain]);
    var = gs_variable(t->g, name, kept, GS_F32, (gs_init){ GS_INIT_CONST, 0, 0 }, false);
    snprintf(name, sizeof name, "pool_slot_%c", domain_letter[domain]);
    slots = gs_input(t->g, name, GS_SHAPE(t->batch), GS_I32);
    snprintf(name, sizeof name, "pool_old_%c", domain_letter[domain]);
    olds = gs_input(t->g, name, GS_SHAPE(t->batch), GS_F32);

    pool = gs_reshape(gs_read(var), GS_SHAPE(t->o->pool, -1)); /* a picture a row */
    fakes = gs_reshape(fakes, GS_SHAPE(t->batch, -1));
    seen = gs_xalloc((size_t)t->batch * sizeof *seen);
    for (int i = 0; i < t->batch; i++) { /* one after the other: a batch may meet its own pictures */
        gs_node *slot = gs_slice(slots, 0, i, 1), *old = gs_reshape(gs_slice(olds, 0, i, 1), GS_SHAPE(1, 1)), *fake = gs_slice(fakes, 0, i, 1);

        seen[i] = gs_select(old, gs_gather(pool, slot), fake);
        pool = gs_select(gs_transpose(gs_one_hot(slot, t->o->pool), 0, 1), fake, pool);
    }
    gs_assign(var, gs_reshape(pool, kept));
    fakes = gs_reshape(gs_concat(seen, t->batch, 0), shape);
    free(seen);
    return fakes;
}

static void train_discriminator(step *t, int domain)
{
    gs_node *real = gs_cyclegan_discriminator(t->g, t->o, dis_name[domain], t->real[domain]);
    gs_node *fake = gs_cyclegan_discriminator(t->g, t->o, dis_name[domain], from_pool(t, domain));
    gs_node *loss = gs_scale(gs_add(gs_gan_d(t->o->gan, real, true), gs_gan_d(t->o->gan, fake, false)), 0.5);

    t->m[GS_CYCLEGAN_D_A + number_of(domain)] = loss;
    gs_params_differentiate(&t->dis, loss);
}

static void metrics(step *t)
{
    static const char *const name[GS_CYCLEGAN_METRICS] = { "G", "D", "G_A", "G_B", "cycle_A", "cycle_B", "idt_A", "idt_B", "D_A", "D_B" };
    gs_node *g = NULL;

    for (int i = GS_CYCLEGAN_ADV_A; i <= GS_CYCLEGAN_IDENTITY_B; i++) g = gs_plus(g, t->m[i]);
    t->m[GS_CYCLEGAN_G] = g;
    t->m[GS_CYCLEGAN_D] = gs_add(t->m[GS_CYCLEGAN_D_A], t->m[GS_CYCLEGAN_D_B]);
    for (int i = 0; i < GS_CYCLEGAN_METRICS; i++) {
        gs_trace(t->trace, t->m[i], "loss.%s", name[i]);
        t->m[i] = gs_reshape(t->m[i], GS_SHAPE(1));
    }
    gs_output(t->g, "metrics", gs_concat(t->m, GS_CYCLEGAN_METRICS, 0));
}

gs_status gs_cyclegan_build_step(gs_graph *g, const gs_cyclegan_opts *o, int batch, bool with_trace)
{
    step t = { .g = g, .o = o, .trace = with_trace, .batch = batch };
    gs_status st = gs_cyclegan_check(o);

    if (st != GS_OK) return st;
    if (batch < 1) return gs_fail(GS_EINVAL, "a batch of %d pictures", batch);
    t.real[A] = gs_input(g, "real_A", pictures(o, batch), GS_F32);
    t.real[B] = gs_input(g, "real_B", pictures(o, batch), GS_F32);
    t.lr = gs_input(g, "lr", GS_SCALAR, GS_F32);
    for (int to = B; to >= A; to--) { /* G_A, then G_B: the order of the release in all that follows */
        t.fake[to] = gs_cyclegan_generator(g, o, gen_name[to], t.real[!to]);
        gs_trace(with_trace, t.fake[to], "out.fake_%c", domain_letter[to]);
        gs_params_find(&t.gen, g, gen_name[to], gs_cyclegan_trained, o);
    }
    for (int to = B; to >= A; to--) there_and_back(&t, to);
    for (int to = B; to >= A; to--) stay(&t, to);
    update(&t, &t.gen, "opt_G");
    for (int d = B; d >= A; d--) gs_params_find(&t.dis, g, dis_name[d], gs_cyclegan_trained, o);
    for (int d = B; d >= A; d--) train_discriminator(&t, d);
    update(&t, &t.dis, "opt_D");
    metrics(&t);
    gs_params_free(&t.gen);
    gs_params_free(&t.dis);
    return gs_graph_status(g);
}

/* ---- use ---- */

gs_status gs_cyclegan_build_translator(gs_graph *g, const gs_cyclegan_opts *o, int batch, bool b2a)
{
    gs_status st = gs_cyclegan_check(o);

    if (st != GS_OK) return st;
    if (batch < 1) return gs_fail(GS_EINVAL, "a batch of %d pictures", batch);
    gs_output(g, "image", gs_cyclegan_generator(g, o, gen_name[b2a ? A : B], gs_input(g, "x", pictures(o, batch), GS_F32)));
    return gs_graph_status(g);
}

gs_status gs_cyclegan_build_sheet(gs_graph *g, const gs_cyclegan_opts *o, bool b2a)
{
    const int from = b2a ? B : A;
    gs_node *x, *fake;
    gs_status st = gs_cyclegan_check(o);

    if (st != GS_OK) return st;
    x = gs_input(g, "x", pictures(o, 1), GS_F32);
    fake = gs_cyclegan_generator(g, o, gen_name[!from], x);
    gs_output(g, "fake", fake);
    gs_output(g, "back", gs_cyclegan_generator(g, o, gen_name[from], fake));
    gs_output(g, "same", gs_cyclegan_generator(g, o, gen_name[from], x));
    return gs_graph_status(g);
}
