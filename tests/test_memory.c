/* Memory: lifetimes, placement and budgets. Plans are followed launch by launch without a device: every value's content is a hash of the
 * kernel and of what it read, and lies where the plan put it. So it shows when something overwrites what is still needed, and whether a plan
 * with a budget computes the same as one without, for systems of any size. On the device the same is asked of the bits. */
#include "lib/runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gesso/gesso.h"
#include "models/cgan.h"
#include "models/ugatit.h"
#include "plan/plan_int.h"
#include "train/system.h"
#include "train/trainer.h"

static gs_device *null;

/* ---- following a plan ---- */

typedef struct follower { gs_plan *p; uint64_t *content; bool *valid; } follower;

static uint64_t mix(uint64_t h, const void *data, size_t n) { return gs_hash64(data, n, h); }

static uint64_t initial(const gs_value *v)
{
    const uint64_t h = v->name ? mix(1, v->name, strlen(v->name)) : 1;

    return mix(h, &v->count, sizeof v->count);
}

/* What lies where v is about to be written is lost. */
static void overwrite(follower *f, const gs_value *v)
{
    for (int i = 0; i < f->p->n_values; i++) {
        const gs_value *x = f->p->values[i];

        if (x == v || x->place != GS_PLACE_WORKSPACE || !f->valid[i] || x->buffer != v->buffer) continue;
        if (x->offset + 4 * (size_t)x->count > v->offset && v->offset + 4 * (size_t)v->count > x->offset)
            f->valid[i] = false;
    }
}

static void follow_launch(follower *f, const gs_launch *l)
{
    uint64_t h = mix(7, l->kernel, strlen(l->kernel));

    if (l->options) h = mix(h, l->options, strlen(l->options));
    h = mix(h, l->groups, sizeof l->groups);
    if (l->is_gemm) {
        const int64_t g[] = { l->gemm.m,  l->gemm.n,  l->gemm.k,        l->gemm.batch,
                              l->gemm.ta, l->gemm.tb, l->gemm.stride_a, l->gemm.stride_b };

        h = mix(h, g, sizeof g);
    }
    for (int a = 0; a < l->n_args; a++) { /* reads */
        const gs_arg *arg = &l->args[a];

        h = mix(h, &arg->kind, sizeof arg->kind);
        h = mix(h, &arg->extra, sizeof arg->extra);
        h = mix(h, &arg->i, sizeof arg->i);
        h = mix(h, &arg->f, sizeof arg->f);
        if (!arg->value || arg->kind == GS_ARG_OUT) continue;
        if (arg->kind == GS_ARG_IN && !f->valid[arg->value->id])
            fail_msg("%s reads %s, which is no longer there", l->kernel, arg->value->name);
        h = mix(h, &f->content[arg->value->id], sizeof h);
    }
    for (int a = 0; a < l->n_args; a++) { /* writes */
        gs_value *v = l->args[a].value;

        if (!v || l->args[a].kind == GS_ARG_IN) continue;
        if (v->place == GS_PLACE_WORKSPACE) overwrite(f, v);
        f->content[v->id] = mix(h, &a, sizeof a);
        f->valid[v->id] = true;
    }
}

/* One hash for the outputs and the state that the plan leaves. */
static uint64_t follow(gs_plan *p)
{
    follower f = { p, gs_xalloc((size_t)p->n_values * 8 + 8), gs_xalloc((size_t)p->n_values + 1) };
    uint64_t h = 3;

    for (int i = 0; i < p->n_values; i++) {
        f.valid[i] = p->values[i]->place != GS_PLACE_WORKSPACE;
        f.content[i] = f.valid[i] ? initial(p->values[i]) : 0; /* what a first partial write finds there does not count */
    }
    for (int i = 0; i < p->n_launches; i++) follow_launch(&f, p->launches[i]);
    for (int i = 0; i < p->n_outputs; i++) {
        assert_true(f.valid[p->outputs[i].value->id]);
        h = mix(h, &f.content[p->outputs[i].value->id], sizeof h);
    }
    for (int i = 0; i < p->n_values; i++)
        if (p->values[i]->place == GS_PLACE_STATE) h = mix(h, &f.content[i], sizeof h);
    free(f.content);
    free(f.valid);
    return h;
}

/* Without sharing: as much in memory or more, the same launches and those that repeat them, the same results. */
static void alone_is_equal(gs_graph *g, const gs_plan_stats *shared, uint64_t want)
{
    gs_plan *p;
    gs_plan_stats t;

    assert_ok(gs_compile(g, null, NULL, &(gs_compile_opts){ .off = "share", .dry_run = true }, &p));
    t = gs_plan_get_stats(p);
    assert_int_equal(t.shared_launches, 0);
    assert_int_equal(t.launches, shared->launches + shared->shared_launches);
    assert_true(t.workspace_bytes >= shared->workspace_bytes);
    if (follow(p) != want) fail_msg("with shared launches something else is computed");
    gs_plan_free(p);
}

/* Plans g without a budget and with ones that leave these parts of its workspace; all that fit must compute the same within it. Returns how
 * many fit. */
static int try_budgets(gs_graph *g, const double *part, int n)
{
    gs_compile_opts o = { .off = "", .dry_run = true };
    gs_plan *p;
    gs_plan_stats all;
    uint64_t want;
    size_t fixed;
    int fit = 0;

    assert_ok(gs_compile(g, null, NULL, &o, &p));
    all = gs_plan_get_stats(p);
    want = follow(p);
    gs_plan_free(p);
    assert_true(all.live_bytes <= all.workspace_bytes && all.again_launches == 0);
    alone_is_equal(g, &all, want);
    fixed = all.state_bytes + all.constant_bytes;
    for (int i = 0; i < n; i++) {
        gs_plan_stats t;
        gs_status st;

        o.budget = fixed + (size_t)(part[i] * (double)all.workspace_bytes);
        st = gs_compile(g, null, NULL, &o, &p);
        if (st == GS_ELIMIT) {
            assert_true(gs_test_contains(gs_last_error(), "raise memory.budget"));
            continue;
        }
        assert_ok(st);
        fit++;
        t = gs_plan_get_stats(p);
        assert_true(t.state_bytes + t.workspace_bytes + t.constant_bytes <= o.budget);
        assert_int_equal(t.kept_bytes, all.workspace_bytes);
        assert_int_equal(t.launches + t.shared_launches, all.launches + all.shared_launches + t.again_launches);
        assert_true(fabs(t.flops - t.again_flops - all.flops) <= 1e-9 * all.flops);
        if (follow(p) != want) fail_msg("with %.0f %% of the workspace something else is computed", 100 * part[i]);
        gs_plan_free(p);
    }
    return fit;
}

/* ---- systems ---- */

static void systems_within_budgets(void **state)
{
    static const double part[] = { 0.75, 0.5 };
    gs_ugatit_opts u;
    gs_graph *g;

    (void)state;
    for (int i = 0; i < GS_CGAN_PROFILES; i++) {
        gs_cgan_opts o;

        g = gs_graph_new();
        gs_cgan_presets(&o, i);
        assert_ok(gs_cgan_build_step(g, &o, o.batch_size, NULL));
        try_budgets(g, part, 1); /* small nets may have nothing that waits */
        gs_graph_free(g);
    }
    assert_ok(gs_ugatit_configure(&u, NULL, NULL));
    u.size = 64;
    u.ch = 8;
    u.n_res = 1;
    u.d_global_layers = 5;
    u.d_local_layers = 4;
    for (int light = 0; light < 2; light++) {
        u.light = light;
        g = gs_graph_new();
        assert_ok(gs_ugatit_build_step(g, &u, 1, false));
        assert_int_equal(try_budgets(g, part, (int)GS_COUNT(part)), 2);
        gs_graph_free(g);
    }
}

/* ---- random programs ---- */

typedef struct maker { gs_graph *g; gs_rng rng; gs_node *x[64]; int n; gs_var *stat, *noise; } maker;

static uint32_t pick(maker *m, uint32_t n) { return gs_rng_u32(&m->rng) % n; }

static void keep(maker *m, gs_node *n)
{
    if (m->n < (int)GS_COUNT(m->x)) m->x[m->n++] = n;
}

/* Layers on maps (4,8,16,16): each takes some of what was made before. */
static void grow(maker *m, int i)
{
    static const gs_mode training = { .train = true };
    const gs_layer_opts spectral = { .spectral = &training };
    gs_node *a = m->x[pick(m, (uint32_t)m->n)], *b = m->x[pick(m, (uint32_t)m->n)], *lo, *hi;
    char name[16];

    snprintf(name, sizeof name, "l%d", i);
    switch (pick(m, 9)) {
    case 0:
        keep(m, gs_conv2d_layer(a, name, 8, 3, &(gs_conv2d_opts){ .pad = 1, .pad_mode = GS_PAD_REFLECT }, NULL));
        break;
    case 1: keep(m, gs_conv2d_layer(a, name, 8, 3, &(gs_conv2d_opts){ .pad = 1 }, &spectral)); break;
    case 2: keep(m, gs_batch_norm_layer(a, name, &training, NULL)); break;
    case 3: keep(m, gs_instance_norm(a, NULL, NULL, 1e-5)); break;
    case 4: keep(m, gs_dropout(a, 0.3, &training, name)); break;
    case 5: keep(m, gs_leaky_relu(gs_add(a, b), 0.2)); break;
    case 6: keep(m, gs_mul(gs_tanh(a), gs_random_uniform(m->g, gs_node_shape(b)))); break;
    case 7: /* a variable that changes on the way: what read it before cannot be made again after */
        lo = gs_read(m->stat);
        keep(m, gs_mul(a, lo));
        gs_assign(m->stat, gs_add(gs_scale(lo, 0.9), gs_mean(gs_detach(b), GS_ALL, false)));
        keep(m, gs_mul(b, gs_read(m->stat)));
        break;
    default:
        hi = gs_resize2d(a, GS_NEAREST, 32, 32);
        keep(m, gs_avg_pool2d(gs_softplus(hi), &(gs_pool_opts){ .kernel = 2, .stride = 2 }));
    }
}

static void random_program(gs_graph *g, uint64_t seed)
{
    maker m = { .g = g, .rng = { .seed = seed } };
    gs_node *in = gs_input(g, "x", GS_SHAPE(4, 8, 16, 16), GS_F32), *lr = gs_const(g, 1e-3), *loss, *slope, **grads;
    gs_var **vars;
    int n;

    m.stat = gs_variable(g, "stat", GS_SCALAR, GS_F32, (gs_init){ GS_INIT_CONST, 1, 0 }, false);
    keep(&m, in);
    keep(&m, gs_conv2d_layer(in, "first", 8, 3, &(gs_conv2d_opts){ .pad = 1 }, NULL));
    for (int i = 0; i < 14; i++) grow(&m, i);
    loss = gs_mean(gs_square(m.x[m.n - 1]), GS_ALL, false);
    for (int i = 1; i < m.n; i += 3) loss = gs_add(loss, gs_mean(gs_abs(m.x[i]), GS_ALL, false));
    gs_grad(loss, &in, 1, &slope); /* a gradient penalty: the second derivative through everything */
    loss = gs_add(loss, gs_mean(gs_square(slope), GS_ALL, false));
    n = gs_trainable(g, "", NULL, 0);
    vars = gs_xalloc((size_t)n * sizeof *vars);
    grads = gs_xalloc((size_t)n * sizeof *grads);
    gs_trainable(g, "", vars, n);
    gs_grad_params(loss, vars, n, grads);
    gs_adam(g, "opt", vars, grads, n, lr, NULL);
    gs_output(g, "loss", loss);
    gs_output(g, "last", m.x[m.n - 1]);
    free(vars);
    free(grads);
}

static void random_programs_within_budgets(void **state)
{
    static const double part[] = { 0.95, 0.8, 0.65, 0.5, 0.35 };
    int fit = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        gs_graph *g = gs_graph_new();

        random_program(g, seed);
        fit += try_budgets(g, part, (int)GS_COUNT(part));
        gs_graph_free(g);
    }
    assert_true(fit >= 15);
}

/* ---- launches that repeat others ---- */

static int count(const char *text, const char *what)
{
    int n = 0;

    for (const char *at = text; (at = strstr(at, what)); at++) n++;
    return n;
}

/* How often the weights of two layers are packed. changed: they are others for the second; apart: much more is in use between the layers than
 * in them. */
static int packed(bool changed, bool apart, const char *off)
{
    gs_device *d;
    gs_graph *g = gs_graph_new();
    gs_var *w = gs_variable(g, "w", GS_SHAPE(64, 32, 5, 5), GS_F32, (gs_init){ GS_INIT_CONST, 1, 0 }, true);
    gs_node *x = gs_input(g, "x", GS_SHAPE(1, 32, 9, 9), GS_F32), *y, *sum;
    gs_plan *p;
    char *text;
    int n;

    y = gs_conv2d(x, gs_read(w), &(gs_conv2d_opts){ .pad = 2 });
    sum = gs_sum(y, GS_ALL, false);
    if (changed) gs_assign(w, gs_sub(gs_read(w), sum));
    if (apart) {
        gs_node *much = gs_cumsum(gs_broadcast_to(sum, GS_SHAPE(1 << 18)), 0, false);

        sum = gs_sum(gs_cumsum(much, 0, true), GS_ALL, false);
    }
    x = gs_add(x, sum);
    gs_output(g, "y", gs_conv2d(x, gs_read(w), &(gs_conv2d_opts){ .pad = 2 }));
    assert_ok(gs_device_open("null:cpu", &d));
    assert_ok(gs_compile(g, d, NULL, &(gs_compile_opts){ .off = off, .use = "conv/cpu", .dry_run = true }, &p));
    text = gs_plan_text(p);
    n = count(text, " pack_");
    free(text);
    gs_plan_free(p);
    gs_graph_free(g);
    gs_device_close(d);
    return n;
}

/* Weights are packed once for all layers that find them unchanged, unless their panels would have to wait while most memory is in use. */
static void weights_are_packed_once(void **state)
{
    (void)state;
    assert_int_equal(packed(false, false, "share"), 2);
    assert_int_equal(packed(false, false, ""), 1);
    assert_int_equal(packed(true, false, ""), 2);
    assert_int_equal(packed(false, true, ""), 2);
}

/* ---- refusals, order, what need not exist ---- */

static void refused_with_figures(void **state)
{
    gs_graph *g = gs_graph_new();
    gs_compile_opts o = { .off = "", .dry_run = true, .budget = 1000 };
    gs_plan *p;

    (void)state;
    random_program(g, 1);
    assert_fails(gs_compile(g, null, NULL, &o, &p), GS_ELIMIT, "the plan may take 1000 B, and it needs");
    assert_null(p);
    gs_graph_free(g);
}

/* Two losses, differentiated one after the other: what the first had to remember is free before the second begins, and an update runs
 * behind its gradient. */
static void phases_do_not_add_up(void **state)
{
    size_t live[2];

    (void)state;
    for (int phases = 1; phases <= 2; phases++) {
        gs_graph *g = gs_graph_new();
        gs_node *sum = NULL, *lr = gs_const(g, 1e-3), *x = gs_input(g, "x", GS_SHAPE(1, 8, 64, 64), GS_F32);
        gs_compile_opts o = { .off = "", .dry_run = true };
        gs_plan *p;

        for (int k = 0; k < phases; k++) {
            gs_node *h = x, *loss, *grads[16];
            gs_var *vars[16];
            char name[16];
            int n;

            snprintf(name, sizeof name, "n%d", k);
            gs_scope_push(g, "%s", name);
            for (int i = 0; i < 6; i++) {
                snprintf(name, sizeof name, "c%d", i);
                h = gs_tanh(gs_conv2d_layer(h, name, 8, 3, &(gs_conv2d_opts){ .pad = 1 }, NULL));
            }
            gs_scope_pop(g);
            loss = gs_mean(gs_square(h), GS_ALL, false);
            sum = sum ? gs_add(sum, loss) : loss; /* joins what both phases make last into one kernel */
            snprintf(name, sizeof name, "n%d.", k);
            n = gs_trainable(g, name, vars, 16);
            gs_grad_params(loss, vars, n, grads);
            gs_adam(g, k ? "b" : "a", vars, grads, n, lr, NULL);
        }
        gs_output(g, "loss", sum);
        assert_ok(gs_compile(g, null, NULL, &o, &p));
        live[phases - 1] = gs_plan_get_stats(p).live_bytes;
        follow(p);
        gs_plan_free(p);
        gs_graph_free(g);
    }
    assert_true(live[1] < live[0] + live[0] / 4);
}

/* The gradient of a spectral norm by a large weight is an outer product in the weight's shape: it is computed in Adam's kernel. */
static void no_outer_product_in_memory(void **state)
{
    static const gs_mode training = { .train = true };
    const gs_layer_opts spectral = { .spectral = &training };
    gs_graph *g = gs_graph_new();
    gs_node *x = gs_input(g, "x", GS_SHAPE(1, 256, 6, 6), GS_F32), *grads[2], *loss;
    gs_compile_opts o = { .off = "", .dry_run = true };
    gs_var *vars[2];
    gs_plan *p;
    int n, large = 0;

    (void)state;
    loss = gs_mean(gs_square(gs_conv2d_layer(x, "c", 256, 4, NULL, &spectral)), GS_ALL, false);
    n = gs_trainable(g, "c.", vars, 2);
    assert_int_equal(n, 2);
    gs_grad_params(loss, vars, n, grads);
    gs_adam(g, "opt", vars, grads, n, gs_const(g, 1e-3), NULL);
    assert_ok(gs_compile(g, null, NULL, &o, &p));
    for (int i = 0; i < p->n_values; i++)
        if (p->values[i]->place == GS_PLACE_WORKSPACE && p->values[i]->count >= 256 * 256 * 16 &&
            strstr(p->values[i]->name, "mul"))
            large++;
    assert_int_equal(large, 0);
    gs_plan_free(p);
    gs_graph_free(g);
}

/* ---- the same bits ---- */

/* Two steps of a random program on the device; all state and outputs. */
static float *run_program(gs_device *d, uint64_t seed, size_t budget, int *count, gs_plan_stats *stats)
{
    gs_graph *g = gs_graph_new();
    gs_store *s;
    gs_plan *p;
    float *x = gs_xalloc(4 * 8 * 256 * sizeof *x), *all;
    gs_rng r = { .seed = 5 };
    int n = 0;

    random_program(g, seed);
    assert_ok(gs_store_new(d, 7, &s));
    assert_ok(gs_compile(g, d, s, &(gs_compile_opts){ .off = "", .budget = budget }, &p));
    for (int i = 0; i < 4 * 8 * 256; i++) x[i] = (float)gs_rng_normal(&r);
    for (uint64_t step = 0; step < 2; step++) {
        assert_ok(gs_plan_feed(p, "x", x));
        assert_ok(gs_plan_run(p, 1, step));
    }
    for (int i = 0; i < gs_store_count(s); i++) n += (int)gs_shape_count(gs_store_shape(s, i));
    all = gs_xalloc(((size_t)n + 1 + 4 * 8 * 256) * sizeof *all);
    n = 0;
    for (int i = 0; i < gs_store_count(s); i++) {
        assert_ok(gs_store_read(s, i, all + n));
        n += (int)gs_shape_count(gs_store_shape(s, i));
    }
    assert_ok(gs_plan_fetch(p, "loss", all + n++));
    assert_ok(gs_plan_fetch(p, "last", all + n));
    n += 4 * 8 * 256;
    *stats = gs_plan_get_stats(p);
    gs_plan_free(p);
    gs_store_free(s);
    gs_graph_free(g);
    free(x);
    *count = n;
    return all;
}

static void same_bits_on_the_device(void **state)
{
    const char *name = getenv("GESSO_DEVICE");
    gs_device *d;

    (void)state;
    if (name && !strncmp(name, "null", 4)) GS_SKIP("the null device computes nothing");
    assert_ok(gs_device_open(NULL, &d));
    for (uint64_t seed = 1; seed <= 2; seed++) {
        gs_plan_stats all, less;
        int n, m;
        float *want = run_program(d, seed, 0, &n, &all);
        float *got = run_program(d, seed, all.state_bytes + all.constant_bytes + all.workspace_bytes * 4 / 5, &m,
                                 &less);

        assert_true(less.again_launches > 0 && less.workspace_bytes < all.workspace_bytes);
        assert_int_equal(n, m);
        for (int i = 0; i < n; i++) assert_true(isfinite(want[i]));
        assert_memory_equal(want, got, (size_t)n * sizeof *want);
        free(want);
        free(got);
    }
    gs_device_close(d);
}

/* The conditional GAN with a budget, stopped and resumed with another, ends with the bytes of one that keeps everything. */
static void trained_within_a_budget(void **state)
{
    static const char ini[] = "[model]\nsystem = cgan\nprofile = bars\n[train]\nbatch_size = 800\nsteps = 8\n[checkpoint]\nevery = 4\n"
                              "[log]\nplots = 0\nevents = 0\n";
    const char *name = getenv("GESSO_DEVICE");
    gs_setup *setup;
    gs_setup_memory need, less;
    gs_device *d;
    size_t fixed;

    (void)state;
    if (name && !strncmp(name, "null", 4)) GS_SKIP("the null device computes nothing");
    gs_test_put("bars.ini", ini, strlen(ini));
    assert_ok(gs_setup_parse(ini, "bars", NULL, 0, &setup));
    assert_ok(gs_device_open(NULL, &d));
    assert_ok(gs_setup_fits(setup, d, &need));
    fixed = need.state + need.constants;
    assert_ok(gs_setup_fits_in(setup, d, fixed + need.workspace * 9 / 10, &less));
    assert_true(less.again_launches > 0 && less.workspace < need.workspace && less.kept == need.workspace);
    for (int i = 0; i < 3; i++) { /* without; with; the rest with another */
        char *config = gs_test_path("bars.ini"), *run = gs_test_path(i ? "budget" : "kept"), budget[64];
        const char *set[] = { budget };
        const gs_train_opts o = { .config = config, .set = set, .n_set = i ? 1 : 0, .run = run, .steps = i == 1 ? 4 : 8, .resume = i == 2, .quiet = true };

        snprintf(budget, sizeof budget, "memory.budget=%zu", fixed + need.workspace * (size_t)(8 + i) / 10 - 256);
        assert_ok(gs_train(&o, NULL));
        free(config);
        free(run);
    }
    gs_test_same_file("kept/checkpoints/step_0000000008.safetensors", "budget/checkpoints/step_0000000008.safetensors");
    gs_device_close(d);
    gs_setup_free(setup);
}

static int open_null(void **state)
{
    (void)state;
    return gs_device_open("null", &null) != GS_OK;
}

static int close_null(void **state)
{
    (void)state;
    gs_device_close(null);
    return 0;
}

/* ---- places within pages ---- */

static gs_node *norm_of_columns(gs_node *x)
{
    gs_node *d = gs_sub(x, gs_mean(x, GS_AXIS(0), true));

    return gs_mul(d, gs_rsqrt(gs_affine(gs_mean(gs_square(d), GS_AXIS(0), true), 1.0, 1e-5)));
}

/* Launches that go down columns of lines a page from each other write elsewhere in a page than they read, or over what they read; lines of other lengths
 * need nothing of the kind. */
static void lines_a_page_apart(void **state)
{
    static const struct { int64_t columns; bool apart; } size[] = { { 1024, true }, { 3072, true }, { 1000, false }, { 1025, false } };
    gs_device *d;

    (void)state;
    assert_ok(gs_device_open("null:cpu", &d));
    for (size_t k = 0; k < GS_COUNT(size); k++) {
        const gs_shape shape = GS_SHAPE(48, size[k].columns), square = GS_SHAPE(size[k].columns, size[k].columns);
        gs_graph *g = gs_graph_new();
        gs_node *x = gs_input(g, "x", shape, GS_F32), *w = gs_input(g, "w", square, GS_F32), *y = norm_of_columns(x), *dx;
        int launches = 0, pairs = 0;
        gs_plan *p;

        for (int i = 0; i < 3; i++) y = norm_of_columns(gs_add(gs_matmul(y, w, false, false), y));
        gs_grad(gs_sum(gs_mul(y, gs_input(g, "t", shape, GS_F32)), GS_ALL, false), &x, 1, &dx);
        gs_output(g, "y", y);
        gs_output(g, "dx", dx);
        assert_ok(gs_compile(g, d, NULL, &(gs_compile_opts){ .off = "", .dry_run = true }, &p));
        follow(p);
        for (int i = 0; i < p->n_launches; i++) {
            const gs_launch *l = p->launches[i];

            launches += l->apart;
            for (int o = 0; o < l->n_args && l->apart; o++)
                for (int a = 0; a < l->n_args; a++) {
                    const gs_value *out = l->args[o].value, *in = l->args[a].value;
                    size_t far;

                    if (l->args[o].kind != GS_ARG_OUT || l->args[a].kind != GS_ARG_IN || in->count != out->count) continue;
                    if (in->place == out->place && in->buffer == out->buffer && in->offset == out->offset) continue;
                    far = (out->offset + GS_PAGE - in->offset % GS_PAGE) % GS_PAGE;
                    if (far < GS_PHASE || far > GS_PAGE - GS_PHASE)
                        fail_msg("%d columns: %s at %zu, %s at %zu", (int)size[k].columns, out->name, out->offset, in->name, in->offset);
                    pairs++;
                }
        }
        assert_int_equal(launches > 0, size[k].apart);
        if (size[k].apart) assert_true(launches >= 7 && pairs >= launches);
        assert_true(gs_plan_get_stats(p).workspace_bytes <= p->live_bytes + p->live_bytes / 50 + GS_PAGE);
        gs_plan_free(p);
        gs_graph_free(g);
    }
    gs_device_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_packed_once),
        cmocka_unit_test(phases_do_not_add_up),
        cmocka_unit_test(no_outer_product_in_memory),
        cmocka_unit_test(refused_with_figures),
        cmocka_unit_test(lines_a_page_apart),
        cmocka_unit_test(random_programs_within_budgets),
        cmocka_unit_test(systems_within_budgets),
        cmocka_unit_test(same_bits_on_the_device),
        cmocka_unit_test(trained_within_a_budget),
    };

    return cmocka_run_group_tests(tests, open_null, close_null);
}
