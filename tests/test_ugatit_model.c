/* U-GAT-IT's networks and training step: counts, names, sizes, rates; the first steps of a small training
 * against known numbers; what the average pool can see; the full form's large gradient. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "golden/golden.h"
#include "lib/one_device.h"
#include "models/ugatit.h"

static void assert_near(const char *what, double got, double want, double tol)
{
    if (!(fabs(got - want) <= tol * fmax(1e-30, fabs(want)))) fail_msg("%s: got %.9g, wanted %.9g within %g of it", what, got, want, tol);
}

static bool ends(const char *name, const char *end)
{
    const size_t a = strlen(name), b = strlen(end);

    return a >= b && strcmp(name + a - b, end) == 0;
}

static gs_ugatit_opts options(int size, int ch, int n_res, bool light)
{
    gs_ugatit_opts o;

    assert_ok(gs_ugatit_configure(&o, NULL, NULL));
    o.size = size, o.ch = ch, o.n_res = n_res, o.light = light;
    assert_ok(gs_ugatit_check(&o));
    return o;
}

static int64_t trainable(gs_graph *g, const char *prefix, int *tensors)
{
    gs_var *vars[200];
    const int n = gs_trainable(g, prefix, vars, 200);
    int64_t count = 0;

    assert_true(n <= 200);
    for (int i = 0; i < n; i++) count += gs_shape_count(gs_var_shape(vars[i]));
    if (tensors) *tensors = n;
    return count;
}

static gs_node *picture(gs_graph *g, const gs_ugatit_opts *o, const char *name)
{
    return gs_input(g, name, GS_SHAPE(1, 3, o->size, o->size), GS_F32);
}

/* ---- sizes ---- */

static void parameter_counts(void **state)
{
    static const struct { int size, ch, n_res; bool light; int64_t gen, global, local; } want[] = {
        { 256, 64, 4, true, 10589888, 53130176, 3290560 }, { 256, 64, 4, false, 278959808, 53130176, 3290560 },
        { 128, 64, 4, false, 77633216, 53130176, 3290560 }, { 256, 32, 4, true, 2653024, 0, 0 },
        { 96, 8, 2, true, 94040, 835192, 52920 },           { 96, 8, 2, false, 682840, 835192, 52920 },
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT(want); i++) {
        const gs_ugatit_opts o = options(want[i].size, want[i].ch, want[i].n_res, want[i].light);
        gs_graph *g = gs_graph_new();
        gs_node *x = picture(g, &o, "x");
        int tensors;

        gs_ugatit_generator(g, &o, "genA2B", x);
        gs_ugatit_discriminator(g, &o, "disGB", x, NULL);
        gs_ugatit_discriminator(g, &o, "disLB", x, NULL);
        assert_ok(gs_graph_status(g));
        assert_int_equal(trainable(g, "genA2B.", &tensors), want[i].gen);
        if (o.n_res == 4) assert_int_equal(tensors, 44);
        if (want[i].global) assert_int_equal(trainable(g, "disGB.", &tensors), want[i].global);
        if (want[i].global) assert_int_equal(tensors, 17);
        if (want[i].local) assert_int_equal(trainable(g, "disLB.", &tensors), want[i].local);
        if (want[i].local) assert_int_equal(tensors, 13);
        gs_graph_free(g);
    }
}

static const char *tf_preset(void *user, const char *section, const char *key)
{
    (void)user, (void)section;
    return strcmp(key, "preset") == 0 ? "tf" : NULL;
}

/* The TensorFlow code's networks: counts, sizes of the scores, where rho starts. */
static void tf_networks(void **state)
{
    gs_ugatit_opts o;

    (void)state;
    assert_ok(gs_ugatit_configure(&o, tf_preset, NULL));
    assert_true(o.norm_var == GS_BIASED && o.rho_smooth == 0.1 && o.fresh_pair && o.wd_kernels && o.eps_hat && o.init_normal && o.light);
    for (int light = 0; light < 2; light++) {
        gs_graph *g = gs_graph_new();
        gs_node *x = picture(g, &o, "x");
        gs_ugatit_score global, local;
        int starts = 0;

        o.light = light;
        gs_ugatit_generator(g, &o, "genA2B", x);
        global = gs_ugatit_discriminator(g, &o, "disGB", x, NULL);
        local = gs_ugatit_discriminator(g, &o, "disLB", x, NULL);
        assert_ok(gs_graph_status(g));
        assert_int_equal(trainable(g, "genA2B.", NULL), light ? 10600388 : 278970308);
        assert_int_equal(trainable(g, "disGB.", NULL), 53128130);
        assert_int_equal(trainable(g, "disLB.", NULL), 3290050);
        assert_true(gs_shape_equal(gs_node_shape(global.logit), GS_SHAPE(1, 1, 8, 8)));
        assert_true(gs_shape_equal(gs_node_shape(local.logit), GS_SHAPE(1, 1, 32, 32)));
        for (int k = 0; k < g->n_vars; k++) {
            const gs_var *v = g->vars[k];

            if (!strstr(v->name, ".rho")) continue;
            assert_true(v->init.kind == GS_INIT_CONST && v->init.a == (strstr(v->name, "UpBlock1_") ? 1 : 0));
            starts++;
        }
        assert_int_equal(starts, 10);
        gs_graph_free(g);
    }
}

static void state_names(void **state)
{
    static const struct { const char *name; gs_shape shape; } want[] = {
        { "genA2B.gmp_fc.weight", { 2, { 1, 256 } } },          { "genA2B.conv1x1.bias", { 1, { 256 } } },
        { "genA2B.DownBlock.15.conv_block.5.weight", { 4, { 256, 256, 3, 3 } } }, { "genA2B.FC.2.weight", { 2, { 256, 256 } } },
        { "genA2B.UpBlock1_4.norm2.rho", { 4, { 1, 256, 1, 1 } } }, { "genA2B.UpBlock2.8.gamma", { 4, { 1, 64, 1, 1 } } },
        { "genA2B.UpBlock2.11.weight", { 4, { 3, 64, 7, 7 } } },  { "disGB.gap_fc.weight_v", { 1, { 2048 } } },
        { "disGB.conv1x1.weight", { 4, { 2048, 4096, 1, 1 } } },  { "disGB.conv.weight_v", { 1, { 32768 } } },
        { "disGB.model.16.weight_orig", { 4, { 2048, 1024, 4, 4 } } }, { "disGB.model.16.weight_u", { 1, { 2048 } } },
        { "disLB.model.10.weight_v", { 1, { 4096 } } },           { "disLB.conv.weight_orig", { 4, { 1, 512, 4, 4 } } },
    };
    const gs_ugatit_opts o = options(256, 64, 4, true);
    gs_graph *g = gs_graph_new();
    gs_node *x = picture(g, &o, "x");
    gs_ugatit_score global, local;

    (void)state;
    gs_ugatit_generator(g, &o, "genA2B", x);
    global = gs_ugatit_discriminator(g, &o, "disGB", x, NULL);
    local = gs_ugatit_discriminator(g, &o, "disLB", x, NULL);
    assert_true(gs_shape_equal(gs_node_shape(global.logit), GS_SHAPE(1, 1, 6, 6)));
    assert_true(gs_shape_equal(gs_node_shape(global.heatmap), GS_SHAPE(1, 1, 7, 7)));
    assert_true(gs_shape_equal(gs_node_shape(local.logit), GS_SHAPE(1, 1, 30, 30)));
    for (size_t i = 0; i < GS_COUNT(want); i++) {
        bool found = false;

        for (int k = 0; k < g->n_vars; k++) found |= strcmp(g->vars[k]->name, want[i].name) == 0 && gs_shape_equal(g->vars[k]->shape, want[i].shape);
        if (!found) fail_msg("no variable %s of the shape wanted", want[i].name);
    }
    gs_graph_free(g);
}

static void sizes_that_do_not_fit(void **state)
{
    gs_ugatit_opts o = options(96, 8, 2, true);
    gs_graph *g = gs_graph_new();
    gs_ugatit_score s = gs_ugatit_discriminator(g, &o, "disGB", picture(g, &o, "x"), NULL);

    (void)state;
    assert_true(gs_shape_equal(gs_node_shape(s.logit), GS_SHAPE(1, 1, 1, 1)));
    gs_graph_free(g);
    o.size = 64;
    assert_fails(gs_ugatit_check(&o), GS_ECONFIG, "wants 96 or more");
    o.d_global_layers = 6;
    assert_ok(gs_ugatit_check(&o));
    o.size = 98;
    assert_fails(gs_ugatit_check(&o), GS_ECONFIG, "multiple of 4, 16 or more (next: 100)");
    o.size = 512, o.ch = 64, o.light = false;
    assert_fails(gs_ugatit_check(&o), GS_ECONFIG, "set light = 1");
}

/* A light generator's products are known, for a picture of 256 x 256; the plan's count has the resampling's
 * few beside them. */
static void work_of_a_pass(void **state)
{
    const gs_ugatit_opts o = options(256, 64, 4, true);
    gs_device *null;
    gs_graph *g = gs_graph_new();
    gs_plan *p;

    (void)state;
    assert_ok(gs_device_open("null", &null));
    assert_ok(gs_ugatit_build_translator(g, &o, 1, false));
    assert_ok(gs_compile(g, null, NULL, &(gs_compile_opts){ .off = "", .dry_run = true }, &p));
    assert_near("multiply-adds", gs_plan_get_stats(p).flops / 2, 52504560128.0, 2e-3);
    gs_plan_free(p);
    gs_graph_free(g);
    for (int local = 0; local < 2; local++) {
        double sigma = 0; /* spectral norms multiply each weight once more */
        gs_ugatit_score s;

        g = gs_graph_new();
        s = gs_ugatit_discriminator(g, &o, local ? "disLB" : "disGB", picture(g, &o, "x"), NULL);
        gs_output(g, "logit", s.logit);
        gs_output(g, "cam_logit", s.cam_logit);
        assert_ok(gs_compile(g, null, NULL, &(gs_compile_opts){ .off = "", .dry_run = true }, &p));
        for (int k = 0; k < g->n_vars; k++) sigma += ends(g->vars[k]->name, ".weight_orig") ? (double)gs_shape_count(g->vars[k]->shape) : 0;
        assert_near("multiply-adds of a discriminator", gs_plan_get_stats(p).flops / 2, (local ? 3650651136.0 : 4254208000.0) + sigma, 2e-4);
        gs_plan_free(p);
        gs_graph_free(g);
    }
    gs_device_close(null);
}

static void rates(void **state)
{
    const gs_ugatit_opts o = options(256, 64, 4, true);

    (void)state;
    assert_near("step 1", gs_ugatit_lr(&o, 1), 1e-4, 1e-12);
    assert_near("step 500000", gs_ugatit_lr(&o, 500000), 1e-4, 1e-12);
    assert_near("step 500001", gs_ugatit_lr(&o, 500001), 1e-4 * (1 - 2e-6), 1e-12);
    assert_near("step 750000", gs_ugatit_lr(&o, 750000), 5e-5, 1e-12);
    assert_true(gs_ugatit_lr(&o, 1000000) == 0);
}

/* 100 blocks of 10,000 steps, of which the last 50 fall: lr * (100 - e) / 50 in block e = 0, 1, ... */
static void rates_by_block(void **state)
{
    gs_ugatit_opts o = options(256, 64, 4, true);

    (void)state;
    o.decay_every = 10000;
    assert_near("step 510000", gs_ugatit_lr(&o, 510000), 1e-4, 1e-12);
    assert_near("step 510001", gs_ugatit_lr(&o, 510001), 1e-4 * 49 / 50, 1e-12);
    assert_near("step 1000000", gs_ugatit_lr(&o, 1000000), 2e-6, 1e-9);
}

/* ---- deterministic steps ---- */

/* Values in [-1,1) from a name: FNV-1a of the name, then an integer hash of the index. */
static void fill(const char *key, double scale, bool unit, float *out, int64_t n)
{
    uint32_t h0 = 2166136261u;
    double norm = 0;

    for (const char *k = key; *k; k++) h0 = (h0 ^ (uint8_t)*k) * 16777619u;
    for (int64_t i = 0; i < n; i++) {
        uint32_t h = (uint32_t)i * 2654435761u + h0;
        double v;

        h ^= h >> 16, h *= 0x7feb352du, h ^= h >> 15, h *= 0x846ca68bu, h ^= h >> 16;
        v = h / 4294967296.0 * 2 - 1;
        norm += v * v;
        out[i] = (float)(v * scale);
    }
    for (int64_t i = 0; unit && i < n; i++) out[i] = (float)(out[i] / sqrt(norm));
}

/* Weights, biases and spectral vectors by the rule; rho, gamma and beta of norms keep their starts. */
static void fill_state(golden_exec *e, gs_graph *g)
{
    for (int i = 0; i < g->n_vars; i++) {
        const gs_var *v = g->vars[i];
        const int64_t n = gs_shape_count(v->shape);
        float *data;

        if (strncmp(v->name, "opt_", 4) == 0 || strstr(v->name, ".rho") || ends(v->name, ".gamma") || ends(v->name, ".beta")) continue;
        data = gs_xalloc((size_t)n * sizeof *data);
        if (ends(v->name, "_u") || ends(v->name, "_v")) fill(v->name, 1, true, data, n);
        else if (ends(v->name, ".bias")) fill(v->name, 0.1, false, data, n);
        else fill(v->name, sqrt(3.0 * (double)v->shape.dim[0] / (double)n), false, data, n);
        assert_ok(golden_exec_write(e, v->name, data));
        free(data);
    }
}

static double fetch(golden_exec *e, const char *name)
{
    float v;

    assert_ok(golden_exec_fetch(e, name, &v));
    return v;
}

static double grad_norm(golden_exec *e, gs_graph *g, const char *parameter)
{
    double sum = 0;
    char name[128];

    snprintf(name, sizeof name, "grad.%s", parameter);
    for (int k = 0; k < g->n_outputs; k++) {
        const gs_node *n = g->outputs[k].node;
        const int64_t count = gs_shape_count(n->shape);
        float *v;

        if (strcmp(g->outputs[k].name, name) != 0) continue;
        v = gs_xalloc((size_t)count * sizeof *v);
        assert_ok(golden_exec_fetch(e, name, v));
        for (int64_t i = 0; i < count; i++) sum += (double)v[i] * v[i];
        free(v);
    }
    return sqrt(sum);
}

typedef struct expected { const char *name; double value[3]; } expected;

/* What more is known of the light form's first step: scores of each discriminator on pictures and by its classifier, in its own phase and in the
 * generators'; gradients of three of its weights; the translation's first pixel. */
static void first_step_in_detail(golden_exec *e, gs_graph *g)
{
    static const expected loss[] = {
        { "loss.D_ad_loss_GA", { 0.95184622 } }, { "loss.D_ad_cam_loss_GA", { 0.99739151 } }, { "loss.D_ad_loss_LA", { 1.1559688 } },
        { "loss.D_ad_cam_loss_LA", { 0.64636095 } }, { "loss.D_ad_loss_GB", { 0.88883540 } }, { "loss.D_ad_cam_loss_GB", { 1.0610336 } },
        { "loss.D_ad_loss_LB", { 1.0181237 } }, { "loss.D_ad_cam_loss_LB", { 0.63385381 } },
        { "loss.G_ad_loss_GA", { 0.92926273 } }, { "loss.G_ad_cam_loss_GA", { 0.95932487 } }, { "loss.G_ad_loss_LA", { 1.1418390 } },
        { "loss.G_ad_cam_loss_LA", { 0.77244399 } }, { "loss.G_ad_loss_GB", { 0.86352766 } }, { "loss.G_ad_cam_loss_GB", { 0.96086548 } },
        { "loss.G_ad_loss_LB", { 1.0016794 } }, { "loss.G_ad_cam_loss_LB", { 0.80244013 } },
    };
    static const expected norm[] = {
        { "disGA.model.1.weight_orig", { 0.56337536 } }, { "disGA.gap_fc.weight_orig", { 1.1934972 } }, { "disLB.conv.weight_orig", { 2.5847166 } },
    };
    static const double pixel[3] = { 0.47687096, -0.36184639, -0.16262994 };
    float *fake = gs_xalloc(3 * 96 * 96 * sizeof *fake);

    for (size_t i = 0; i < GS_COUNT(loss); i++) assert_near(loss[i].name, fetch(e, loss[i].name), loss[i].value[0], 5e-5);
    for (size_t i = 0; i < GS_COUNT(norm); i++) assert_near(norm[i].name, grad_norm(e, g, norm[i].name), norm[i].value[0], 2e-4);
    assert_ok(golden_exec_fetch(e, "out.fake_A2B", fake));
    for (int c = 0; c < 3; c++) assert_near("first pixel of the translation", fake[c * 96 * 96], pixel[c], 1e-4);
    free(fake);
}

/* After the third step: AdaLIN's rho has moved by about three times the rate, ILN's stays at its bound where it would fall. */
static void rho_after_three(golden_exec *e)
{
    static const double adalin[4] = { 0.89968827, 0.89968485, 0.90029035, 0.89970004 }, iln[4] = { 0, 0, 0, 0.00030389 };
    float a[32], b[16];

    assert_ok(golden_exec_read(e, "genA2B.UpBlock1_1.norm1.rho", a));
    assert_ok(golden_exec_read(e, "genA2B.UpBlock2.3.rho", b));
    for (int i = 0; i < 4; i++) { /* each within a fiftieth of its way */
        if (!(fabs(a[i] - adalin[i]) < 6e-6 && fabs(b[i] - iln[i]) < 6e-6)) fail_msg("rho %d: AdaLIN %.8f, ILN %.8f", i, (double)a[i], (double)b[i]);
    }
}

static void three_steps(bool light, const expected *loss, int n_loss, const expected *norm, int n_norm)
{
    const gs_ugatit_opts o = options(96, 8, 2, light);
    const int64_t n = 3 * 96 * 96;
    float *x = gs_xalloc((size_t)n * sizeof *x), logit[2];
    gs_graph *g = gs_graph_new();
    golden_exec *e;
    double worst = 0;

    assert_ok(gs_ugatit_build_step(g, &o, 1, true));
    assert_ok(golden_exec_new(g, device, &e));
    fill_state(e, g);
    for (int s = 0; s < 3; s++) {
        const float lr = (float)gs_ugatit_lr(&o, s + 1);

        for (int d = 0; d < 2; d++) {
            fill(d ? "real_B" : "real_A", 1, false, x, n);
            if (s == 0 && d == 0) assert_near("first pixel", x[0], -0.84106166, 1e-6);
            assert_ok(golden_exec_feed(e, d ? "real_B" : "real_A", x));
        }
        assert_ok(golden_exec_feed(e, "lr", &lr));
        assert_ok(golden_exec_run(e, 0, (uint64_t)s));
        for (int i = 0; i < n_loss; i++) {
            assert_near(loss[i].name, fetch(e, loss[i].name), loss[i].value[s], s == 0 ? 2e-5 : 2e-4);
            worst = fmax(worst, fabs(fetch(e, loss[i].name) / loss[i].value[s] - 1));
        }
        /* Small gradients differ more from step to step: Adam makes every rounding a full stride. */
        for (int i = 0; i < n_norm && s == 0; i++) assert_near(norm[i].name, grad_norm(e, g, norm[i].name), norm[i].value[0], 2e-4);
        if (s == 0) {
            assert_ok(golden_exec_fetch(e, "out.fake_A2B_cam_logit", logit));
            assert_near("gap logit", logit[0], -0.55179555, 2e-5);
            assert_near("gmp logit", logit[1], 1.8944526, 2e-5);
            if (light) first_step_in_detail(e, g);
        }
    }
    if (light) rho_after_three(e);
    printf("%s: losses of three steps differ by %.2g at most\n", light ? "light" : "full", worst);
    golden_exec_free(e);
    gs_graph_free(g);
    free(x);
}

static void three_steps_light(void **state)
{
    static const expected loss[] = {
        { "loss.Discriminator_loss", { 7.3534140, 7.2535265, 7.0294768 } }, { "loss.Generator_loss", { 3370.5607, 2673.8049, 2219.6218 } },
        { "loss.G_cam_loss_A", { 1.3826599, 1.0817809, 0.92283138 } },      { "loss.G_cam_loss_B", { 1.9569814, 1.5614723, 1.2666239 } },
        { "loss.G_recon_loss_A", { 0.59719755, 0.59032298, 0.58415428 } },  { "loss.G_recon_loss_B", { 0.57839393, 0.57338626, 0.56849461 } },
        { "loss.G_identity_loss_A", { 0.59445522, 0.58915955, 0.58429633 } }, { "loss.G_identity_loss_B", { 0.57875761, 0.57418883, 0.56986909 } },
    };
    static const expected norm[] = {
        { "genA2B.DownBlock.1.weight", { 19893.832 } },    { "genA2B.DownBlock.12.conv_block.1.weight", { 13653.393 } },
        { "genA2B.FC.0.weight", { 0.54908403 } },          { "genA2B.gamma.weight", { 0.46612086 } },
        { "genA2B.UpBlock1_1.norm1.rho", { 0.016060522 } }, { "genA2B.UpBlock2.3.rho", { 0.36309188 } },
        { "genA2B.UpBlock2.11.weight", { 30.255249 } },
    };

    (void)state;
    three_steps(true, loss, (int)GS_COUNT(loss), norm, (int)GS_COUNT(norm));
}

/* The full form at its first step: later ones follow rounding through the perceptron. */
static void three_steps_full(void **state)
{
    static const expected loss[] = {
        { "loss.Discriminator_loss", { 7.3464019, 7.2550957, 7.0242965 } }, { "loss.Generator_loss", { 3370.7493, 2673.7907, 2219.2124 } },
        { "loss.G_cam_loss_A", { 1.3826599, 1.0817896, 0.92283018 } },
    };
    static const expected norm[] = {
        { "genA2B.DownBlock.1.weight", { 19894.519 } }, { "genA2B.FC.0.weight", { 98.930305 } }, { "genA2B.gamma.weight", { 2.5363945 } },
        { "genA2B.UpBlock2.11.weight", { 27.936250 } },
    };

    (void)state;
    three_steps(false, loss, (int)GS_COUNT(loss), norm, (int)GS_COUNT(norm));
}

/* ---- properties ---- */

/* Residual branches end in a norm with zero mean, so the average head sees what it saw before them, with three blocks the same as with one: near 0.4
 * for every picture. */
static void average_pool_is_blind(void **state)
{
    const gs_ugatit_opts o = options(96, 8, 3, true);
    gs_graph *g = gs_graph_new();
    gs_node *x = picture(g, &o, "x");
    const gs_ugatit_opts one = options(96, 8, 1, true);
    const gs_ugatit_fake f = gs_ugatit_generator(g, &o, "genA2B", x), short_ = gs_ugatit_generator(g, &one, "genA2B", x);
    float *v = gs_xalloc(3 * 96 * 96 * sizeof *v), mean[32], mean_one[32];
    golden_exec *e;

    (void)state;
    gs_output(g, "mean_one", gs_mean(short_.down, GS_AXIS(2) | GS_AXIS(3), false));
    gs_output(g, "mean", gs_mean(f.down, GS_AXIS(2) | GS_AXIS(3), false));
    assert_ok(golden_exec_new(g, device, &e));
    for (int p = 0; p < 2; p++) {
        fill(p ? "one" : "another", p ? 1 : 0.3, false, v, 3 * 96 * 96);
        assert_ok(golden_exec_feed(e, "x", v));
        assert_ok(golden_exec_run(e, 0, 0));
        assert_ok(golden_exec_fetch(e, "mean", mean));
        assert_ok(golden_exec_fetch(e, "mean_one", mean_one));
        for (int c = 0; c < 32; c++) {
            assert_true(fabs(mean[c] - mean_one[c]) < 1e-6);
            if (!(fabs(mean[c] - 0.3989) < 0.06)) fail_msg("channel %d of picture %d has mean %g", c, p, (double)mean[c]);
        }
    }
    golden_exec_free(e);
    gs_graph_free(g);
    free(v);
}

/* AdaLIN and its gradients by numbers computed in double precision; at the ends of rho it is an instance and a layer norm. */
static void adalin_alone(void **state)
{
    static const double y0[] = { -0.53271047, -0.43158248, -0.41966709 };
    static const double dbeta[] = { -1.58483203, 2.24865217, -3.27748785, 2.25149564, -2.47146620, 2.29160522 };
    static const double dgamma[] = { -4.38817949, 0.58225828, 2.74249543, -5.83030610, -2.89880438, -0.62367999 };
    static const double drho[] = { 0.32679788, -0.27203313, -0.04686904 };
    static const float rho_values[3][3] = { { 0.9f, 0.5f, 0.1f }, { 1, 1, 1 }, { 0, 0, 0 } };
    gs_graph *graph = gs_graph_new();
    gs_node *x = gs_input(graph, "x", GS_SHAPE(2, 3, 4, 4), GS_F32), *gamma = gs_input(graph, "gamma", GS_SHAPE(2, 3), GS_F32);
    gs_node *beta = gs_input(graph, "beta", GS_SHAPE(2, 3), GS_F32), *rho = gs_input(graph, "rho", GS_SHAPE(1, 3, 1, 1), GS_F32);
    gs_node *g = gs_input(graph, "g", GS_SHAPE(2, 3, 4, 4), GS_F32), *y = gs_adalin(x, gamma, beta, rho, 1e-5, GS_UNBIASED), *d[4], *given[2], *plain;
    static const char *const outputs[] = { "dx", "dgamma", "dbeta", "drho" }, *const inputs[] = { "x", "g", "gamma", "beta" };
    float v[96], out[96], other[96], small[6];
    double sum = 0, norm = 0;
    golden_exec *e;

    (void)state;
    gs_grad(gs_sum(gs_mul(y, g), GS_ALL, false), (gs_node *[]){ x, gamma, beta, rho }, 4, d);
    gs_output(graph, "y", y);
    for (int i = 0; i < 4; i++) gs_output(graph, outputs[i], d[i]);
    gs_output(graph, "biased", gs_adalin(x, gamma, beta, rho, 1e-5, GS_BIASED));
    given[0] = gs_reshape(gamma, GS_SHAPE(2, 3, 1, 1)), given[1] = gs_reshape(beta, GS_SHAPE(2, 3, 1, 1));
    plain = gs_instance_norm(x, NULL, NULL, 1e-5);
    gs_output(graph, "instance", gs_add(gs_mul(plain, given[0]), given[1]));
    plain = gs_group_norm(x, 1, NULL, NULL, 1e-5);
    gs_output(graph, "layer", gs_add(gs_mul(plain, given[0]), given[1]));
    assert_ok(golden_exec_new(graph, NULL, &e));
    for (int i = 0; i < 4; i++) {
        char key[16];

        snprintf(key, sizeof key, "adalin_%s", inputs[i]);
        fill(key, 1, false, v, i < 2 ? 96 : 6);
        assert_ok(golden_exec_feed(e, inputs[i], v));
    }
    for (int k = 0; k < 3; k++) {
        assert_ok(golden_exec_feed(e, "rho", rho_values[k]));
        assert_ok(golden_exec_run(e, 0, 0));
        if (k > 0) { /* 1: instance norm, 0: layer norm */
            assert_ok(golden_exec_fetch(e, "biased", out));
            assert_ok(golden_exec_fetch(e, k == 1 ? "instance" : "layer", other));
            for (int i = 0; i < 96; i++) assert_true(fabs(out[i] - other[i]) < 2e-6);
            continue;
        }
        assert_ok(golden_exec_fetch(e, "y", out));
        for (int i = 0; i < 96; i++) sum += out[i], norm += (double)out[i] * out[i];
        for (int c = 0; c < 3; c++) assert_near("y", out[16 * c], y0[c], 1e-6);
        assert_near("sum of y", sum, -24.03119137, 1e-6);
        assert_near("norm of y", sqrt(norm), 5.06604849, 1e-6);
        assert_ok(golden_exec_fetch(e, "dx", out));
        norm = 0;
        for (int i = 0; i < 96; i++) norm += (double)out[i] * out[i];
        assert_near("norm of dx", sqrt(norm), 3.41673333, 1e-6);
        assert_near("last of dx", out[95], 0.97355811, 1e-6);
        assert_ok(golden_exec_fetch(e, "dgamma", small));
        for (int i = 0; i < 6; i++) assert_near("dgamma", small[i], dgamma[i], 1e-6);
        assert_ok(golden_exec_fetch(e, "dbeta", small));
        for (int i = 0; i < 6; i++) assert_near("dbeta", small[i], dbeta[i], 1e-6);
        assert_ok(golden_exec_fetch(e, "drho", small));
        for (int i = 0; i < 3; i++) assert_near("drho", small[i], drho[i], 1e-6);
    }
    golden_exec_free(e);
    gs_graph_free(graph);
}

/* Classifiers of generators that know nothing cost 1000 x 2 ln 2 a head: the plateau of the G loss is one of them. */
static void cam_at_chance(void **state)
{
    gs_ugatit_opts o = options(96, 2, 1, true);
    gs_graph *g = gs_graph_new();
    float *v = gs_xalloc(3 * 32 * 32 * sizeof *v), m[GS_UGATIT_METRICS], zeros[8] = { 0 };
    const float lr = 0;
    golden_exec *e;

    (void)state;
    o.size = 32, o.d_global_layers = 4, o.d_local_layers = 3;
    assert_ok(gs_ugatit_build_step(g, &o, 1, false));
    assert_ok(golden_exec_new(g, NULL, &e));
    for (int d = 0; d < 2; d++) {
        fill(d ? "b" : "a", 1, false, v, 3 * 32 * 32);
        assert_ok(golden_exec_feed(e, d ? "real_B" : "real_A", v));
        assert_ok(golden_exec_write(e, d ? "genA2B.gap_fc.weight" : "genB2A.gap_fc.weight", zeros));
        assert_ok(golden_exec_write(e, d ? "genA2B.gmp_fc.weight" : "genB2A.gmp_fc.weight", zeros));
    }
    assert_ok(golden_exec_feed(e, "lr", &lr));
    assert_ok(golden_exec_run(e, 0, 0));
    assert_ok(golden_exec_fetch(e, "metrics", m));
    assert_near("average heads", m[GS_UGATIT_CAM_GAP], 2000 * log(2), 1e-6);
    assert_near("max heads", m[GS_UGATIT_CAM_GMP], 2000 * log(2), 1e-6);
    golden_exec_free(e);
    gs_graph_free(g);
    free(v);
}

/* The full form whose FC.0 repeats the light one's weights, divided by a map's pixels, is the light form. */
static void full_form_contains_light(void **state)
{
    enum { SIDE = 16, PIXELS = 3 * SIDE * SIDE, C = 8, MAP = SIDE / 4 * SIDE / 4 };
    gs_ugatit_opts light = options(96, 2, 1, true), full;
    gs_graph *g = gs_graph_new();
    float x[PIXELS], a[PIXELS], b[PIXELS], fc[C * C], wide[C * C * MAP];
    golden_exec *e;
    double worst = 0;

    (void)state;
    light.size = SIDE;
    full = light;
    full.light = false;
    gs_output(g, "light", gs_ugatit_generator(g, &light, "genA2B", picture(g, &light, "x")).image);
    gs_output(g, "full", gs_ugatit_generator(g, &full, "genB2A", picture(g, &light, "x2")).image);
    assert_ok(golden_exec_new(g, NULL, &e));
    fill("x", 1, false, x, PIXELS);
    assert_ok(golden_exec_feed(e, "x", x));
    assert_ok(golden_exec_feed(e, "x2", x));
    for (int i = 0; i < g->n_vars; i++) { /* one's weights into the other */
        const gs_var *v = g->vars[i];
        float *w;
        char name[96];

        if (strncmp(v->name, "genA2B.", 7) != 0 || strcmp(v->name, "genA2B.FC.0.weight") == 0) continue;
        w = gs_xalloc((size_t)gs_shape_count(v->shape) * sizeof *w);
        snprintf(name, sizeof name, "genB2A.%s", v->name + 7);
        assert_ok(golden_exec_read(e, v->name, w));
        assert_ok(golden_exec_write(e, name, w));
        free(w);
    }
    assert_ok(golden_exec_read(e, "genA2B.FC.0.weight", fc));
    for (int i = 0; i < C * C * MAP; i++) wide[i] = fc[i / MAP] / MAP;
    assert_ok(golden_exec_write(e, "genB2A.FC.0.weight", wide));
    assert_ok(golden_exec_run(e, 0, 0));
    assert_ok(golden_exec_fetch(e, "light", a));
    assert_ok(golden_exec_fetch(e, "full", b));
    for (int i = 0; i < PIXELS; i++) worst = fmax(worst, fabs(a[i] - b[i]));
    if (worst > 1e-6) fail_msg("pictures differ by %g", worst);
    golden_exec_free(e);
    gs_graph_free(g);
}

/* All scores begin near 0. The discriminators' 16 terms then cost 1/2 each on the mean by least squares, 1 by hinge, ln 2 by cross entropy. */
static void first_losses(void **state)
{
    static const double want[] = { [GS_GAN_LSGAN] = 8, [GS_GAN_HINGE] = 16, [GS_GAN_BCE] = 16 * 0.693147 };
    float *v = gs_xalloc(3 * 96 * 96 * sizeof *v), m[GS_UGATIT_METRICS];
    const float lr = 1e-4f;

    (void)state;
    for (int gan = 0; gan < 3; gan++) {
        gs_ugatit_opts o = options(96, 2, 1, true);
        gs_graph *g = gs_graph_new();
        golden_exec *e;

        o.gan = (gs_gan)gan;
        assert_ok(gs_ugatit_build_step(g, &o, 1, false));
        assert_ok(golden_exec_new(g, device, &e));
        for (int d = 0; d < 2; d++) {
            fill(d ? "b" : "a", 1, false, v, 3 * 96 * 96);
            assert_ok(golden_exec_feed(e, d ? "real_B" : "real_A", v));
        }
        assert_ok(golden_exec_feed(e, "lr", &lr));
        assert_ok(golden_exec_run(e, 0, 0));
        assert_ok(golden_exec_fetch(e, "metrics", m));
        if (fabs(m[GS_UGATIT_D] / want[gan] - 1) > 0.2) fail_msg("form %d: D loss %g, wanted about %g", gan, (double)m[GS_UGATIT_D], want[gan]);
        assert_near("sum of D's losses", m[GS_UGATIT_D_A] + m[GS_UGATIT_D_B], m[GS_UGATIT_D], 1e-5);
        assert_near("G's loss", m[GS_UGATIT_ADV_A] + m[GS_UGATIT_ADV_B] + 10 * (m[GS_UGATIT_CYCLE_A] + m[GS_UGATIT_CYCLE_B] + m[GS_UGATIT_IDENTITY_A] +
                    m[GS_UGATIT_IDENTITY_B]) + m[GS_UGATIT_CAM_GAP] + m[GS_UGATIT_CAM_GMP], m[GS_UGATIT_G], 1e-5);
        assert_true(fabs(m[GS_UGATIT_RHO_ADALIN] - 0.9) < 1e-6 && m[GS_UGATIT_RHO_ILN] == 0);
        golden_exec_free(e);
        gs_graph_free(g);
    }
    free(v);
}

/* A picture of one colour, as a crop of a drawing may be: its maps are constant, so norms give 0, no ReLU passes a gradient back, and what the
 * other picture gives is all. A remainder of rounding would be made 316 times larger by every norm, forward and backward. */
static void picture_of_one_colour(void **state)
{
    static const char *const first[] = { "genA2B.DownBlock.1.weight", "genB2A.DownBlock.1.weight", "genA2B.DownBlock.5.weight", "genB2A.DownBlock.5.weight" };
    const gs_ugatit_opts o = options(96, 16, 4, true);
    const int64_t n = 3 * 96 * 96;
    float *x = gs_xalloc((size_t)n * sizeof *x);
    const float lr = 1e-4f;

    (void)state;
    for (int colour = 0; colour < 2; colour++) {
        gs_graph *g = gs_graph_new();
        golden_exec *e;

        assert_ok(gs_ugatit_build_step(g, &o, 1, true));
        assert_ok(golden_exec_new(g, device, &e));
        fill_state(e, g);
        for (int64_t i = 0; i < n; i++) x[i] = colour == 0 ? 1 : i * 3 < n ? 0.37f : -0.71f;
        assert_ok(golden_exec_feed(e, "real_A", x));
        fill("real_B", 1, false, x, n);
        assert_ok(golden_exec_feed(e, "real_B", x));
        assert_ok(golden_exec_feed(e, "lr", &lr));
        assert_ok(golden_exec_run(e, 0, 0));
        for (size_t i = 0; i < GS_COUNT(first); i++) {
            const double norm = grad_norm(e, g, first[i]);

            printf("%s: %g\n", first[i], norm);
            if (!(norm < 1e6)) fail_msg("colour %d: gradient by %s has norm %g", colour, first[i], norm);
        }
        golden_exec_free(e);
        gs_graph_free(g);
    }
    free(x);
}

/* With n_critic, a step without the generators' turn leaves them and their optimisers as they were; the
 * discriminators learn. */
static void critic_steps(void **state)
{
    static const char *const names[] = { "genA2B.UpBlock2.11.weight", "genB2A.UpBlock1_1.norm1.rho", "opt_genA2B.m.genA2B.FC.0.weight", "opt_genB2A.step",
                                         "disGA.conv.weight_orig" };
    gs_ugatit_opts o = options(96, 2, 1, true);
    gs_graph *g = gs_graph_new();
    float *v = gs_xalloc(3 * 32 * 32 * sizeof *v), value[2][GS_COUNT(names)][2048] = { { { 0 } } };
    const float lr = 1e-2f;
    golden_exec *e;

    (void)state;
    o.n_critic = 2, o.size = 32, o.d_global_layers = 4, o.d_local_layers = 3;
    assert_ok(gs_ugatit_build_step(g, &o, 1, false));
    assert_ok(golden_exec_new(g, NULL, &e));
    for (int d = 0; d < 2; d++) {
        fill(d ? "b" : "a", 1, false, v, 3 * 32 * 32);
        assert_ok(golden_exec_feed(e, d ? "real_B" : "real_A", v));
    }
    assert_ok(golden_exec_feed(e, "lr", &lr));
    for (int turn = 0; turn < 2; turn++) {
        const float update_g = (float)turn;

        assert_ok(golden_exec_feed(e, "update_g", &update_g));
        for (size_t i = 0; i < GS_COUNT(names); i++) assert_ok(golden_exec_read(e, names[i], value[0][i]));
        assert_ok(golden_exec_run(e, 0, 0));
        for (size_t i = 0; i < GS_COUNT(names); i++) {
            const bool learns = turn == 1 || names[i][0] == 'd';

            assert_ok(golden_exec_read(e, names[i], value[1][i]));
            if ((memcmp(value[0][i], value[1][i], sizeof value[0][i]) != 0) != learns) fail_msg("turn %d: %s", turn, names[i]);
        }
    }
    golden_exec_free(e);
    gs_graph_free(g);
    free(v);
}

/* After a step with a huge rate every rho lies in [0,1], and both ends occur. */
static void rho_is_clipped(void **state)
{
    const gs_ugatit_opts o = options(96, 2, 1, true);
    gs_graph *g = gs_graph_new();
    float *v = gs_xalloc(3 * 96 * 96 * sizeof *v), rho[8];
    const float lr = 0.5f;
    int zeros = 0, ones = 0;
    golden_exec *e;

    (void)state;
    assert_ok(gs_ugatit_build_step(g, &o, 1, false));
    assert_ok(golden_exec_new(g, device, &e));
    for (int d = 0; d < 2; d++) {
        fill(d ? "b" : "a", 1, false, v, 3 * 96 * 96);
        assert_ok(golden_exec_feed(e, d ? "real_B" : "real_A", v));
    }
    assert_ok(golden_exec_feed(e, "lr", &lr));
    assert_ok(golden_exec_run(e, 0, 0));
    for (int i = 0; i < g->n_vars; i++) {
        const int64_t n = gs_shape_count(g->vars[i]->shape);

        if (!ends(g->vars[i]->name, ".rho") || strncmp(g->vars[i]->name, "opt_", 4) == 0) continue;
        assert_true(n <= 8);
        assert_ok(golden_exec_read(e, g->vars[i]->name, rho));
        for (int64_t k = 0; k < n; k++) {
            assert_true(rho[k] >= 0 && rho[k] <= 1);
            zeros += rho[k] == 0;
            ones += rho[k] == 1;
        }
    }
    assert_true(zeros > 0 && ones > 0);
    golden_exec_free(e);
    gs_graph_free(g);
    free(v);
}

static gs_plan_stats step_stats(gs_device *d, const gs_ugatit_opts *o)
{
    gs_graph *g = gs_graph_new();
    gs_plan_stats s;
    gs_plan *p;

    assert_ok(gs_ugatit_build_step(g, o, 1, false));
    assert_ok(gs_compile(g, d, NULL, &(gs_compile_opts){ .off = "", .dry_run = true }, &p));
    s = gs_plan_get_stats(p);
    gs_plan_free(p);
    gs_graph_free(g);
    return s;
}

/* FC.0 of the full form at 128 x 128, ch 64, has 67,108,864 weights in each generator. Its gradient is never
 * stored: the activations are those of the light form and a few vectors. */
static void large_gradient_is_factored(void **state)
{
    const gs_ugatit_opts light = options(128, 64, 4, true), full = options(128, 64, 4, false);
    gs_plan_stats a, b;
    gs_device *null;

    (void)state;
    assert_ok(gs_device_open("null", &null));
    null->info.memory = (size_t)1 << 40;
    a = step_stats(null, &light);
    b = step_stats(null, &full);
    assert_true(b.state_bytes - a.state_bytes >= 3u * 2 * 4 * 67043328u);
    if (b.workspace_bytes > a.workspace_bytes + ((size_t)64 << 20))
        fail_msg("activations: light %zu, full %zu bytes", a.workspace_bytes, b.workspace_bytes);
    gs_device_close(null);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameter_counts),
        cmocka_unit_test(tf_networks),
        cmocka_unit_test(state_names),
        cmocka_unit_test(sizes_that_do_not_fit),
        cmocka_unit_test(work_of_a_pass),
        cmocka_unit_test(rates),
        cmocka_unit_test(rates_by_block),
        cmocka_unit_test(three_steps_light),
        cmocka_unit_test(three_steps_full),
        cmocka_unit_test(average_pool_is_blind),
        cmocka_unit_test(adalin_alone),
        cmocka_unit_test(cam_at_chance),
        cmocka_unit_test(full_form_contains_light),
        cmocka_unit_test(picture_of_one_colour),
        cmocka_unit_test(first_losses),
        cmocka_unit_test(rho_is_clipped),
        cmocka_unit_test(critic_steps),
        cmocka_unit_test(large_gradient_is_factored),
    };

    return cmocka_run_group_tests(tests, open_device, close_device);
}
