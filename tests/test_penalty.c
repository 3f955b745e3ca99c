/* Gradient penalties of U-GAT-IT's discriminators: their gradients by every weight against differences, in double precision; where they
 * are taken; what they say of a known score; what a step with them costs. tests/test_golden.c holds whole steps to PyTorch's numbers. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"
#include "gesso/plan.h"
#include "graph/graph.h"
#include "models/ugatit.h"

enum { SIDE = 16, PIXELS = 3 * SIDE * SIDE };

static const gs_gan forms[] = { GS_GAN_WGAN_GP, GS_GAN_WGAN_LP, GS_GAN_DRAGAN };

/* ---- a graph, its variables and pictures, in doubles ---- */

typedef struct world {
    gs_graph *g;
    double **var;                        /* values by index of the variable */
    double real[2 * PIXELS], fake[2 * PIXELS];
    gs_node *in[2];
} world;

static void world_open(world *w, gs_graph *g)
{
    gs_rng r = { .seed = 1 };

    w->g = g;
    w->in[0] = gs_input(g, "real", GS_SHAPE(2, 3, SIDE, SIDE), GS_F32);
    w->in[1] = gs_input(g, "fake", GS_SHAPE(2, 3, SIDE, SIDE), GS_F32);
    for (int i = 0; i < 2 * PIXELS; i++) w->real[i] = 2 * gs_rng_uniform(&r) - 1, w->fake[i] = gs_rng_normal(&r) / 2;
    w->var = NULL;
}

/* Initial values of all variables, once the graph is made. */
static void world_fill(world *w)
{
    w->var = gs_xalloc((size_t)w->g->n_vars * sizeof *w->var + 1);
    for (int i = 0; i < w->g->n_vars; i++) {
        const size_t n = (size_t)gs_shape_count(w->g->vars[i]->shape);
        float *f = gs_xalloc(n * sizeof *f);

        w->var[i] = gs_xalloc(n * sizeof(double));
        gs_init_fill(w->g->vars[i], 5, f);
        for (size_t k = 0; k < n; k++) w->var[i][k] = f[k];
        free(f);
    }
}

static void world_close(world *w)
{
    for (int i = 0; i < w->g->n_vars; i++) free(w->var[i]);
    free(w->var);
    gs_graph_free(w->g);
}

static gs_ref_result evaluate(const world *w, gs_node *const *want, int n, uint64_t step)
{
    gs_ref_feed *feeds = gs_xalloc((size_t)(w->g->n_vars + 2) * sizeof *feeds);
    gs_ref_result r;

    for (int i = 0; i < w->g->n_vars; i++) feeds[i] = (gs_ref_feed){ w->g->vars[i]->initial, w->var[i] };
    feeds[w->g->n_vars] = (gs_ref_feed){ w->in[0], w->real };
    feeds[w->g->n_vars + 1] = (gs_ref_feed){ w->in[1], w->fake };
    assert_ok(gs_ref_eval(w->g, want, n, feeds, w->g->n_vars + 2, 0, step, &r));
    free(feeds);
    return r;
}

/* ---- gradients by the weights ---- */

/* Penalties of both logits of one discriminator. Scores are enlarged so that norms lie above 1, where wgan-lp begins. */
static gs_node *penalties(gs_graph *g, const gs_ugatit_opts *o, const char *net, gs_node *x, const gs_mode *mode)
{
    const gs_ugatit_score s = gs_ugatit_discriminator(g, o, net, x, mode);
    gs_node *p = gs_gan_penalty(o->gan, gs_scale(s.logit, 30), x);

    return o->d_cam ? gs_add(p, gs_gan_penalty(o->gan, gs_scale(s.cam_logit, 100), x)) : p;
}

/* The derivative along a random direction of each tensor, against a difference. Two things would spoil it. The power iteration depends on the
 * weights, and the gradient holds its vectors for constants: so differences are taken of a pass without iteration, with the vectors that the
 * training pass left. And gradients by the picture jump where a leaky ReLU changes sides or another maximum wins: so the stride is small, which
 * only doubles allow. */
static void by_differences(const gs_ugatit_opts *o, const char *net)
{
    const double h = 1e-7;
    gs_graph *g = gs_graph_new();
    world w;
    gs_node *x, *train, *held, *want[200], *grads[100];
    gs_var *vars[100];
    gs_ref_result r, there;
    double p[2];
    int n, moved = 0;

    world_open(&w, g);
    x = gs_gan_between(o->gan, w.in[0], w.in[1]);
    held = penalties(g, o, net, x, NULL); /* first: it reads the vectors as they were fed */
    train = penalties(g, o, net, x, &(gs_mode){ .train = true });
    n = gs_trainable(g, net, vars, 100);
    assert_true(n <= 100);
    gs_grad_params(train, vars, n, grads);
    assert_ok(gs_graph_status(g));
    world_fill(&w);

    memcpy(want, grads, (size_t)n * sizeof *want);
    want[n] = train;
    for (int i = 0; i < g->n_vars; i++) want[n + 1 + i] = g->vars[i]->current;
    r = evaluate(&w, want, n + 1 + g->n_vars, 3);
    for (int i = 0; i < g->n_vars; i++) { /* the vectors that this pass used */
        const gs_var *v = g->vars[i];

        if (v->current != v->initial) memcpy(w.var[i], r.value[v->current->id], (size_t)gs_shape_count(v->shape) * sizeof(double));
    }
    there = evaluate(&w, &held, 1, 3);
    p[0] = r.value[train->id][0], p[1] = there.value[held->id][0];
    gs_ref_free(&there);
    if (!(p[0] > 0.01 && fabs(p[0] - p[1]) < 1e-12 * p[0])) fail_msg("%s: penalty %.15g in training, %.15g without iteration", net, p[0], p[1]);
    for (int i = 0; i < n; i++) {
        const int64_t count = gs_shape_count(gs_var_shape(vars[i]));
        double *value = NULL, *keep, slope = 0;
        gs_rng random = { .seed = 7, .stream = (uint64_t)i };

        for (int k = 0; k < g->n_vars; k++) value = g->vars[k] == vars[i] ? w.var[k] : value;
        keep = gs_xalloc((size_t)count * 2 * sizeof *keep);
        memcpy(keep, value, (size_t)count * sizeof *keep);
        for (int64_t k = 0; k < count; k++) {
            keep[count + k] = gs_rng_normal(&random) / sqrt((double)count);
            slope += keep[count + k] * r.value[grads[i]->id][k];
        }
        for (int side = 0; side < 2; side++) {
            for (int64_t k = 0; k < count; k++) value[k] = keep[k] + (side ? h : -h) * keep[count + k];
            there = evaluate(&w, &held, 1, 3);
            p[side] = there.value[held->id][0];
            gs_ref_free(&there);
        }
        memcpy(value, keep, (size_t)count * sizeof *keep);
        free(keep);
        moved += fabs(slope) > 1e-3;
        if (!(fabs((p[1] - p[0]) / (2 * h) - slope) < 1e-6 * (fabs(slope) + r.value[train->id][0])))
            fail_msg("form %d, %s: gradient %.9g, difference %.9g", o->gan, gs_var_name(vars[i]), slope, (p[1] - p[0]) / (2 * h));
    }
    assert_true(moved >= (o->d_cam ? 5 : 3)); /* biases before leaky ReLUs have no part in it, weights have */
    gs_ref_free(&r);
    world_close(&w);
}

static const char *preset_value(void *user, const char *section, const char *key)
{
    (void)section;
    return strcmp(key, "preset") == 0 ? user : NULL;
}

static gs_ugatit_opts small(const char *preset)
{
    gs_ugatit_opts o;

    assert_ok(gs_ugatit_configure(&o, preset_value, (void *)(uintptr_t)preset));
    o.size = SIDE, o.ch = 3, o.n_res = 1, o.d_global_layers = 4, o.d_local_layers = 3, o.light = true;
    assert_ok(gs_ugatit_check(&o));
    return o;
}

static void gradients_by_weights(void **state)
{
    (void)state;
    for (size_t f = 0; f < GS_COUNT(forms); f++) {
        for (int variant = 0; variant < 4; variant++) { /* either preset; without spectral norm; without attention */
            gs_ugatit_opts o = small(variant == 1 ? "tf" : "torch");

            o.gan = forms[f];
            o.sn = variant != 2;
            o.d_cam = variant != 3;
            o.init_normal = false; /* so small weights would give norms below 1 */
            by_differences(&o, variant == 2 ? "disLA" : "disGB");
        }
    }
}

/* ---- where it is taken, and what it is ---- */

/* One number a picture on the way from real to fake; with dragan noise of its own a pixel, and never further than half a deviation. Other
 * numbers in another step. */
static void pictures_between(void **state)
{
    (void)state;
    for (size_t f = 0; f < GS_COUNT(forms); f++) {
        gs_graph *g = gs_graph_new();
        world w;
        gs_node *x;
        gs_ref_result a, b;
        double mean = 0, var = 0, share[2][2] = { { 0 } };
        const double *v;

        world_open(&w, g);
        x = gs_gan_between(forms[f], w.in[0], w.in[1]);
        assert_ok(gs_graph_status(g));
        world_fill(&w);
        a = evaluate(&w, &x, 1, 0);
        b = evaluate(&w, &x, 1, 1);
        v = a.value[x->id];
        assert_memory_not_equal(v, b.value[x->id], sizeof w.real);
        for (int i = 0; i < 2 * PIXELS; i++) mean += w.real[i] / (2 * PIXELS);
        for (int i = 0; i < 2 * PIXELS; i++) var += (w.real[i] - mean) * (w.real[i] - mean) / (2 * PIXELS);
        for (int p = 0; p < 2; p++) {
            for (int i = p * PIXELS; i < (p + 1) * PIXELS; i++) {
                const double way = forms[f] == GS_GAN_DRAGAN ? 0.5 * sqrt(var) : w.fake[i] - w.real[i], u = (v[i] - w.real[i]) / way;

                assert_true(u >= 0 && u < 1);
                share[p][0] = i == p * PIXELS ? u : fmin(share[p][0], u);
                share[p][1] = fmax(share[p][1], u);
            }
            assert_true((share[p][1] - share[p][0] < 1e-9) == (forms[f] != GS_GAN_DRAGAN));
        }
        assert_true(fabs(share[0][1] - share[1][1]) > 1e-3); /* the two pictures have numbers of their own */
        gs_ref_free(&a);
        gs_ref_free(&b);
        world_close(&w);
    }
}

/* The score a x summed over a picture has the gradient a everywhere: |d| = a sqrt(PIXELS). Means over pictures; no NaN at 0. */
static void known_scores(void **state)
{
    static const double length[] = { 0, 0.5, 3 };

    (void)state;
    for (size_t f = 0; f < GS_COUNT(forms); f++) {
        for (size_t k = 0; k < GS_COUNT(length); k++) {
            gs_graph *g = gs_graph_new();
            const double at = length[k], over = forms[f] == GS_GAN_WGAN_LP ? fmax(0, at - 1) : at - 1;
            world w;
            gs_node *a, *want[2];
            gs_ref_result r;

            world_open(&w, g);
            a = gs_param(g, "a", GS_SHAPE(1), (gs_init){ GS_INIT_CONST, at / sqrt(PIXELS), 0 });
            want[0] = gs_gan_penalty(forms[f], gs_mul(w.in[0], a), w.in[0]);
            gs_grad(want[0], &a, 1, &want[1]);
            assert_ok(gs_graph_status(g));
            world_fill(&w);
            r = evaluate(&w, want, 2, 0);
            assert_true(fabs(r.value[want[0]->id][0] - over * over) < 1e-6);
            assert_true(fabs(r.value[want[1]->id][0] - (at > 0 ? 2 * over * sqrt(PIXELS) : 0)) < 1e-5);
            gs_ref_free(&r);
            world_close(&w);
        }
    }
}

/* ---- the step ---- */

static gs_plan_stats stats(const gs_ugatit_opts *o)
{
    gs_graph *g = gs_graph_new();
    gs_device *null;
    gs_plan_stats s;
    gs_plan *p;

    assert_ok(gs_device_open("null", &null));
    assert_ok(gs_ugatit_build_step(g, o, 1, false));
    assert_ok(gs_compile(g, null, NULL, &(gs_compile_opts){ .off = "", .dry_run = true }, &p));
    s = gs_plan_get_stats(p);
    gs_plan_free(p);
    gs_graph_free(g);
    gs_device_close(null);
    return s;
}

/* A penalty costs a pass and its gradients, in either preset; the parameters stay what they are. */
static void work_of_a_step(void **state)
{
    (void)state;
    for (int tf = 0; tf < 2; tf++) {
        gs_ugatit_opts o = small(tf ? "tf" : "torch");
        const gs_plan_stats plain = stats(&o);
        double flops[GS_COUNT(forms)];

        for (size_t f = 0; f < GS_COUNT(forms); f++) {
            gs_plan_stats s;

            o.gan = forms[f];
            s = stats(&o);
            flops[f] = s.flops;
            assert_true(s.flops > 1.02 * plain.flops && s.flops < 2 * plain.flops);
            assert_int_equal(s.state_bytes, plain.state_bytes);
        }
        assert_true(flops[0] == flops[1] && flops[0] == flops[2]);
    }
}

static const char *one_key(void *user, const char *section, const char *key)
{
    const char *text = user; /* "key=value" */
    const size_t n = strlen(key);

    (void)section;
    return strncmp(text, key, n) == 0 && text[n] == '=' ? text + n + 1 : NULL;
}

static void keys(void **state)
{
    static const struct { const char *text; gs_gan gan; } good[] = {
        { "gan=hinge", GS_GAN_HINGE }, { "gan=wgan-gp", GS_GAN_WGAN_GP }, { "gan=wgan-lp", GS_GAN_WGAN_LP }, { "gan=dragan", GS_GAN_DRAGAN },
    };
    gs_ugatit_opts o;

    (void)state;
    for (size_t i = 0; i < GS_COUNT(good); i++) {
        assert_ok(gs_ugatit_configure(&o, one_key, (void *)(uintptr_t)good[i].text));
        assert_true(o.gan == good[i].gan && o.gp == 10 && gs_gan_penalised(o.gan) == (i > 0));
    }
    assert_ok(gs_ugatit_configure(&o, one_key, (void *)(uintptr_t) "gp=2.5"));
    assert_true(o.gp == 2.5);
    assert_fails(gs_ugatit_configure(&o, one_key, (void *)(uintptr_t) "gan=wgan"), GS_ECONFIG,
                 "[loss] gan = wgan: wants one of: lsgan hinge bce wgan-gp wgan-lp dragan");
    assert_fails(gs_ugatit_configure(&o, one_key, (void *)(uintptr_t) "gp=-1"), GS_ECONFIG, "[loss] gp = -1: wants a number from 0 to");
    assert_fails(gs_ugatit_configure(&o, one_key, (void *)(uintptr_t) "gp=much"), GS_ECONFIG, "[loss] gp = much: wants a number");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_by_weights), cmocka_unit_test(pictures_between), cmocka_unit_test(known_scores), cmocka_unit_test(work_of_a_step),
        cmocka_unit_test(keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
