/* The conditional GAN's networks and training steps: counts, names, first losses, what changes what; and the
 * learning check "bars" on the device. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/bars.h"
#include "golden/golden.h"
#include "models/cgan.h"

static void assert_near(double got, double want, double tol)
{
    if (!(fabs(got - want) <= tol)) fail_msg("got %.9g, wanted %.9g within %g", got, want, tol);
}

static gs_cgan_opts presets(gs_cgan_profile p)
{
    gs_cgan_opts o;

    gs_cgan_presets(&o, p);
    assert_int_equal(o.profile, p);
    return o;
}

/* Both networks in evaluation mode: outputs "x" (pictures for z, y) and "s" (logits of real, y). */
static gs_graph *both_networks(const gs_cgan_opts *o, int b)
{
    gs_graph *g = gs_graph_new();
    gs_node *y = gs_input(g, "y", GS_SHAPE(b), GS_I32), *x;

    x = gs_cgan_generator(g, o, gs_input(g, "z", GS_SHAPE(b, o->latent_dim), GS_F32), y, NULL, NULL);
    assert_true(gs_shape_equal(gs_node_shape(x), GS_SHAPE(b, o->image_channels, o->image_size, o->image_size)));
    gs_output(g, "x", x);
    gs_output(g, "s", gs_cgan_discriminator(g, o, gs_input(g, "real", gs_node_shape(x), GS_F32), y, NULL, NULL));
    assert_ok(gs_graph_status(g));
    return g;
}

/* ---- networks ---- */

static void parameter_counts(void **state)
{
    static const struct { gs_cgan_profile p; int size; bool concat; int64_t g, d; } want[] = {
        { GS_CGAN_CONCAT, 28, false, 1717184, 1470465 }, { GS_CGAN_EMBED, 28, false, 1624336, 1997313 },
        { GS_CGAN_ZN_MLP, 28, false, 1624336, 1997313 }, { GS_CGAN_PAPER, 28, false, 2413984, 1224351 },
        { GS_CGAN_PAPER, 28, true, 972784, 1224351 },    { GS_CGAN_LN, 32, false, 1757412, 1055845 },
        { GS_CGAN_LN, 28, false, 1511412, 932965 },      { GS_CGAN_AR, 28, false, 1489012, 1470565 },
        { GS_CGAN_CDCGAN, 32, false, 3076737, 2643329 }, { GS_CGAN_BARS, 8, false, 18304, 17921 },
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT(want); i++) {
        gs_cgan_opts o = presets(want[i].p);
        gs_graph *g;

        o.image_size = want[i].size;
        o.paper_concat = want[i].concat;
        g = both_networks(&o, 2);
        if (gs_cgan_count_params(g, "G.") != want[i].g || gs_cgan_count_params(g, "D.") != want[i].d) {
            fail_msg("%s at %d: G %lld, D %lld", gs_cgan_profile_name(want[i].p), want[i].size,
                     (long long)gs_cgan_count_params(g, "G."), (long long)gs_cgan_count_params(g, "D."));
        }
        gs_graph_free(g);
    }
}

static void state_names(void **state)
{
    static const struct { gs_cgan_profile p; const char *name; gs_shape shape;
    } want[] = {
        { GS_CGAN_CONCAT, "G.fc1.0.weight", { 2, { 256, 110 } } },
        { GS_CGAN_CONCAT, "G.fc_out.0.weight", { 2, { 784, 1200 } } },
        { GS_CGAN_CONCAT, "D.fc_out.0.bias", { 1, { 1 } } },
        { GS_CGAN_EMBED, "G.fc1_2_bn.running_var", { 1, { 256 } } },
        { GS_CGAN_EMBED, "D.fc2.weight", { 2, { 512, 2048 } } },
        { GS_CGAN_EMBED, "D.fc3_bn.running_mean", { 1, { 256 } } },
        { GS_CGAN_PAPER, "D.mx.weight", { 2, { 1200, 784 } } },
        { GS_CGAN_PAPER, "G.hz.bias", { 1, { 200 } } },
        { GS_CGAN_LN, "G.label_emb.weight", { 2, { 10, 10 } } },
        { GS_CGAN_LN, "G.model.11.weight", { 2, { 1024, 1024 } } },
        { GS_CGAN_LN, "D.label_embedding.weight", { 2, { 10, 10 } } },
        { GS_CGAN_LN, "D.model.8.weight", { 2, { 1, 512 } } },
        { GS_CGAN_CDCGAN, "G.deconv1_2.weight", { 4, { 10, 256, 4, 4 } } },
        { GS_CGAN_CDCGAN, "G.deconv4.bias", { 1, { 1 } } },
        { GS_CGAN_CDCGAN, "D.conv1_2.weight", { 4, { 64, 10, 4, 4 } } },
        { GS_CGAN_CDCGAN, "D.conv4.weight", { 4, { 1, 512, 4, 4 } } },
        { GS_CGAN_CDCGAN, "D.conv3_bn.weight", { 1, { 512 } } },
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT(want); i++) {
        const gs_cgan_opts o = presets(want[i].p);
        gs_graph *g = both_networks(&o, 2);
        bool found = false;

        for (int k = 0; k < g->n_vars; k++)
            found |= strcmp(g->vars[k]->name, want[i].name) == 0 && gs_shape_equal(g->vars[k]->shape, want[i].shape);
        if (!found) fail_msg("no variable %s of the shape wanted", want[i].name);
        gs_graph_free(g);
    }
}

/* Sizes come from the options alone: other classes, latent widths, colours, and embeddings in every profile. */
static void sizes_are_free(void **state)
{
    (void)state;
    for (int p = 0; p < GS_CGAN_PROFILES; p++) {
        gs_cgan_opts o = presets((gs_cgan_profile)p);
        gs_graph *g;

        o.n_classes = 7, o.latent_dim = 5, o.image_channels = 3, o.label_embedding = !o.label_embedding;
        gs_graph_free(both_networks(&o, 3));
        g = gs_graph_new();
        assert_ok(gs_cgan_build_step(g, &o, 3, NULL));
        gs_graph_free(g);
        g = gs_graph_new();
        assert_ok(gs_cgan_build_sampler(g, &o, 3, true));
        gs_graph_free(g);
    }
}

/* The class must reach both networks: on untrained ones, changing y alone changes what comes out. */
static void labels_are_connected(void **state)
{
    (void)state;
    for (int p = 0; p < GS_CGAN_PROFILES; p++) {
        gs_cgan_opts o = presets((gs_cgan_profile)p);
        const int32_t labels[2] = { 2, 7 };
        float *z, *real, *x, *s = gs_xalloc(2 * sizeof(float));
        golden_exec *e;
        double dx = 0;
        size_t n;
        gs_graph *g;

        /* The paper's ranges are so small that an untrained D hardly says anything; its structure is what is
         * asked here. */
        if (o.init == GS_CGAN_INIT_PAPER) o.init = GS_CGAN_INIT_DEFAULT;
        n = (size_t)o.image_channels * o.image_size * o.image_size;
        z = gs_xalloc(2 * (size_t)o.latent_dim * sizeof(float)), real = gs_xalloc(2 * n * sizeof(float)),
        x = gs_xalloc(2 * n * sizeof(float));
        golden_hash_fill("z", GS_SHAPE(o.latent_dim), false, z);
        memcpy(z + o.latent_dim, z, (size_t)o.latent_dim * sizeof(float)); /* the same noise twice */
        g = both_networks(&o, 2);
        assert_ok(golden_exec_new(g, NULL, &e));
        assert_ok(golden_exec_feed(e, "z", z));
        assert_ok(golden_exec_feed(e, "real", real));
        assert_ok(golden_exec_feed(e, "y", labels));
        assert_ok(golden_exec_run(e, 0, 0));
        assert_ok(golden_exec_fetch(e, "x", x));
        assert_ok(golden_exec_fetch(e, "s", s));
        for (size_t i = 0; i < n; i++) dx = fmax(dx, fabs((double)x[i] - x[n + i]));
        if (!(dx > 1e-4) || !(fabs(s[0] - s[1]) > 1e-4))
            fail_msg("%s: G by %g, D by %g", gs_cgan_profile_name(o.profile), dx, fabs(s[0] - s[1]));
        golden_exec_free(e);
        gs_graph_free(g);
        free(z), free(real), free(x), free(s);
    }
}

/* ---- one step ---- */

typedef struct step_run { gs_graph *g; golden_exec *e; gs_cgan_opts o; int batch; } step_run;

static step_run open_step(const gs_cgan_opts *o, int batch, gs_device *d)
{
    step_run r = { gs_graph_new(), NULL, *o, batch };

    assert_ok(gs_cgan_build_step(r.g, o, batch, NULL));
    assert_ok(golden_exec_new(r.g, d, &r.e));
    return r;
}

static void close_step(step_run *r)
{
    golden_exec_free(r->e);
    gs_graph_free(r->g);
}

/* Runs step t on the given pictures and labels, and returns the metrics. */
static void run_step(step_run *r, const float *real, const int32_t *y, double lr_g, double lr_d, uint64_t t,
                     float m[GS_CGAN_METRICS])
{
    const float a = (float)lr_g, b = (float)lr_d, mu = (float)gs_cgan_momentum(&r->o, 1);

    assert_ok(golden_exec_feed(r->e, "real", real));
    assert_ok(golden_exec_feed(r->e, "y", y));
    assert_ok(golden_exec_feed(r->e, "lr_g", &a));
    assert_ok(golden_exec_feed(r->e, "lr_d", &b));
    if (r->o.sgd) assert_ok(golden_exec_feed(r->e, "momentum", &mu));
    assert_ok(golden_exec_run(r->e, 11, t));
    if (m) assert_ok(golden_exec_fetch(r->e, "metrics", m));
}

/* Pictures like digits: background with a few strokes of ink, in the network's range. */
static void some_pictures(const gs_cgan_opts *o, int batch, float *real, int32_t *y)
{
    const size_t n = (size_t)o->image_channels * o->image_size * o->image_size;
    gs_rng r = { .seed = 3 };

    for (int b = 0; b < batch; b++) {
        const uint32_t column = gs_rng_below(&r, (uint32_t)o->image_size);

        y[b] = (int32_t)gs_rng_below(&r, (uint32_t)o->n_classes);
        for (size_t i = 0; i < n; i++)
            real[(size_t)b * n + i] = i % (size_t)o->image_size == column ? 1.0f : o->sigmoid_output ? 0.0f : -1.0f;
    }
}

static void first_losses(void **state)
{
    const double ln2 = 0.693147;

    (void)state;
    for (int p = 0; p < GS_CGAN_PROFILES; p++) {
        const gs_cgan_opts o = presets((gs_cgan_profile)p);
        const int batch = 12;
        const size_t n = (size_t)o.image_channels * o.image_size * o.image_size;
        float *real = gs_xalloc(batch * n * sizeof(float)), m[GS_CGAN_METRICS];
        int32_t y[12];
        step_run r;

        if (p == GS_CGAN_CDCGAN) { /* minutes on the reference; its losses are a golden case */
            free(real);
            continue;
        }
        some_pictures(&o, batch, real, y);
        r = open_step(&o, batch, NULL);
        run_step(&r, real, y, o.lr, o.lr_d, 0, m);
        printf("%s: first losses G %.3f, real %.3f, fake %.3f\n", gs_cgan_profile_name(o.profile),
               (double)m[GS_CGAN_LOSS_G], (double)m[GS_CGAN_LOSS_REAL], (double)m[GS_CGAN_LOSS_FAKE]);
        if (o.mse) { /* scores near 0 */
            assert_near(m[GS_CGAN_LOSS_G], 1.0, 0.15);
            assert_near(m[GS_CGAN_LOSS_D], 0.5, 0.15);
        } else {
            const double tol = p == GS_CGAN_BARS ? 0.1 : 0.05; /* narrow layers start with larger scores */

            assert_near(m[GS_CGAN_LOSS_G], ln2, tol);
            assert_near(m[GS_CGAN_LOSS_REAL], ln2, tol);
            assert_near(m[GS_CGAN_LOSS_FAKE], ln2, tol);
            assert_near(m[GS_CGAN_P_REAL], 0.5, tol);
            assert_near(m[GS_CGAN_P_FAKE], 0.5, tol);
        }
        assert_near(m[GS_CGAN_LOSS_D], o.d_loss_scale * ((double)m[GS_CGAN_LOSS_REAL] + m[GS_CGAN_LOSS_FAKE]), 1e-6);
        close_step(&r);
        free(real);
    }
}

/* Copies of all parameters below a prefix, one after the other. */
static float *parameters(step_run *r, const char *prefix, size_t *count)
{
    float *all = NULL;
    size_t n = 0;

    for (int i = 0; i < r->g->n_vars; i++) {
        const gs_var *v = r->g->vars[i];
        const size_t c = (size_t)gs_shape_count(v->shape);

        if (!v->trainable || strncmp(v->name, prefix, 2) != 0) continue;
        all = gs_xrealloc(all, (n + c) * sizeof(float));
        assert_ok(golden_exec_read(r->e, v->name, all + n));
        n += c;
    }
    *count = n;
    return all;
}

/* The generator's loss moves no weight of D and the discriminator's none of G: with the other's rate at 0
 * they stay as they are, in all orders, bit for bit. */
static void steps_move_their_own_weights(void **state)
{
    (void)state;
    for (int order = 0; order < 3; order++) {
        for (int frozen = 0; frozen < 2; frozen++) {
            gs_cgan_opts o = presets(GS_CGAN_BARS);
            float real[8 * GS_BARS_PIXELS], *before[2], *after[2];
            int32_t y[8];
            size_t n[2];
            gs_rng rng = { .seed = 1 };
            step_run r;

            o.update_order = (gs_cgan_order)order;
            gs_bars_batch(real, y, 8, &rng);
            r = open_step(&o, 8, NULL);
            for (int i = 0; i < 2; i++) before[i] = parameters(&r, i ? "D." : "G.", &n[i]);
            run_step(&r, real, y, frozen == 0 ? 0 : 1e-3, frozen == 1 ? 0 : 1e-3, 0, NULL);
            for (int i = 0; i < 2; i++) {
                after[i] = parameters(&r, i ? "D." : "G.", &n[i]);
                if ((memcmp(before[i], after[i], n[i] * sizeof(float)) == 0) != (i == frozen))
                    fail_msg("order %d, rate of %s 0: %s %s", order, frozen ? "D" : "G", i ? "D" : "G",
                             i == frozen ? "moved" : "did not move");
                free(before[i]), free(after[i]);
            }
            close_step(&r);
        }
    }
}

/* Labels of fakes reach every class, the last included; wrong labels reach every class but the right one. */
static void drawn_labels(void **state)
{
    gs_cgan_opts o = presets(GS_CGAN_BARS);
    gs_graph *g = gs_graph_new();
    const int batch = 2000;
    int32_t *y = gs_xalloc((size_t)batch * sizeof(int32_t));
    float *v = gs_xalloc((size_t)batch * sizeof(float));
    int histogram[10] = { 0 }, wrong[10] = { 0 };
    golden_exec *e;
    int found = 0;

    (void)state;
    o.d_wrong_label = 1;
    assert_ok(gs_cgan_build_step(g, &o, batch, NULL));
    /* int32 nodes of the batch's shape that are drawn or made from drawn ones */
    for (int i = 0, n = g->n_nodes; i < n; i++) {
        gs_node *node = g->nodes[i];
        char name[24];

        if (node->dtype != GS_I32 || node->shape.rank != 1 || node->shape.dim[0] != batch || !GS_IS(node, cast))
            continue;
        snprintf(name, sizeof name, "labels%d", found++);
        gs_output(g, name, gs_cast(node, GS_F32));
    }
    assert_int_equal(found, 3); /* of the fakes; the offset of the wrong ones; the wrong ones */
    assert_ok(golden_exec_new(g, NULL, &e));
    for (int i = 0; i < batch; i++) y[i] = 4;
    for (int k = 0; k < g->n_inputs; k++) {
        const gs_node *node = g->inputs[k].node;
        void *zero = gs_xalloc((size_t)gs_shape_count(node->shape) * 4);

        assert_ok(golden_exec_feed(e, g->inputs[k].name, strcmp(g->inputs[k].name, "y") == 0 ? (void *)y : zero));
        free(zero);
    }
    assert_ok(golden_exec_run(e, 1, 1));
    assert_ok(golden_exec_fetch(e, "labels0", v));
    for (int i = 0; i < batch; i++) histogram[(int)v[i]]++;
    assert_ok(golden_exec_fetch(e, "labels2", v));
    for (int i = 0; i < batch; i++) wrong[(int)v[i]]++;
    for (int c = 0; c < 10; c++) {
        assert_near(histogram[c], batch / 10.0, 60); /* four standard deviations */
        assert_near(wrong[c], c == 4 ? 0 : batch / 9.0, c == 4 ? 0 : 60);
    }
    golden_exec_free(e);
    gs_graph_free(g);
    free(y), free(v);
}

/* ---- configuration ---- */

typedef struct pairs { const char *key[8], *value[8]; } pairs;

static const char *lookup(void *user, const char *section, const char *key)
{
    const pairs *p = user;

    (void)section;
    for (int i = 0; i < 8 && p->key[i]; i++) {
        if (strcmp(p->key[i], key) == 0) return p->value[i];
    }
    return NULL;
}

static void profiles_preset_all_keys(void **state)
{
    int n;
    const gs_config_row *rows = gs_cgan_config_rows(&n);

    (void)state;
    for (int p = 0; p < GS_CGAN_PROFILES; p++) {
        gs_cgan_opts o;
        pairs c = { { "profile" }, { gs_cgan_profile_name((gs_cgan_profile)p) } };

        assert_ok(gs_cgan_configure(&o, lookup, &c));
        for (int i = 0; i < n; i++) { /* every key that is auto has a value in every profile; lr_d follows lr */
            const bool preset = gs_cgan_preset(c.value[0], rows[i].key) != NULL;

            if (preset != (strcmp(rows[i].preset, "auto") == 0 && strcmp(rows[i].key, "lr_d") != 0))
                fail_msg("%s in %s", rows[i].key, c.value[0]);
        }
    }
    assert_true(presets(GS_CGAN_PAPER).sgd && presets(GS_CGAN_PAPER).z_uniform &&
                presets(GS_CGAN_PAPER).batch_size == 100);
    assert_true(presets(GS_CGAN_LN).mse && presets(GS_CGAN_LN).label_embedding && presets(GS_CGAN_LN).d_dropout == 0.4);
    assert_true(presets(GS_CGAN_CDCGAN).n_lr_steps == 2 && presets(GS_CGAN_CDCGAN).lr_steps[1] == 16);
    assert_true(presets(GS_CGAN_CONCAT).g_dropout == 0.5 && presets(GS_CGAN_CONCAT).d_loss_scale == 0.5);
    assert_near(gs_cgan_lr(&(gs_cgan_opts){ .lr = 2e-4, .lr_d = 4e-4 }, true, 1, 0), 4e-4, 0);
}

static void keys_are_checked(void **state)
{
    static const struct { pairs c; const char *part; } wrong[] = {
        { { { "profile" }, { "cdgan" } }, "did you mean cdcgan" },
        { { { "g_output_dropout" }, { "0.5" } }, "allow_output_dropout = 1" },
        { { { "profile", "image_size" }, { "cdcgan", "28" } }, "built for 32" },
        { { { "profile", "g_dropout" }, { "cdcgan", "0.5" } }, "no dropout" },
        { { { "n_classes", "d_wrong_label" }, { "1", "0.5" } }, "one class" },
        { { { "lr" }, { "fast" } }, "[train] lr = fast" },
        { { { "g_dropout" }, { "1" } }, "[model] g_dropout = 1" },
        { { { "latent_dim" }, { "2.5" } }, "whole number" },
        { { { "update_order" }, { "both" } }, "simultaneous" },
        { { { "lr_steps" }, { "30,0" } }, "lr_steps" },
    };
    pairs good = { { "g_output_dropout", "allow_output_dropout", "lr_steps", "lr" }, { "0.5", "1", "3, 5", "1e-3" } };
    gs_cgan_opts o;
    gs_graph *g = gs_graph_new();

    (void)state;
    for (size_t i = 0; i < GS_COUNT(wrong); i++) {
        pairs c = wrong[i].c;

        assert_fails(gs_cgan_configure(&o, lookup, &c), GS_ECONFIG, wrong[i].part);
    }
    assert_ok(gs_cgan_configure(&o, lookup, &good));
    assert_true(o.g_output_dropout == 0.5 && o.n_lr_steps == 2 && o.lr_steps[1] == 5 && o.lr == 1e-3 && o.lr_d == 1e-3);
    o.allow_output_dropout = false; /* the builders refuse too */
    assert_fails(gs_cgan_build_step(g, &o, 4, NULL), GS_ECONFIG, "last layer");
    assert_fails(gs_cgan_build_sampler(g, &o, 4, false), GS_ECONFIG, "last layer");
    o = presets(GS_CGAN_EMBED);
    assert_fails(gs_cgan_build_step(g, &o, 1, NULL), GS_EINVAL, "needs 2 or more");
    gs_graph_free(g);
}

static void mean_picture_bias(void **state)
{
    const float mean[3] = { 0, 0.5f, 0.75f };
    float bias[3];
    gs_cgan_opts o = presets(GS_CGAN_PAPER);

    (void)state;
    gs_cgan_logit(mean, bias, 3);
    assert_near(bias[0], log(1e-3 / (1 - 1e-3)), 1e-6);
    assert_near(bias[1], 0, 1e-6);
    assert_near(bias[2], log(3), 1e-6);
    assert_string_equal(gs_cgan_mean_bias(&o), "G.out.bias");
    o = presets(GS_CGAN_CONCAT);
    assert_null(gs_cgan_mean_bias(&o));
}

/* ---- learning, on the device ---- */

static gs_device *device; /* NULL: none that computes */

/* Share of the pictures whose nearest prototype is their class's, and root mean square distance to that. */
static void judge_bars(const float *x, const int32_t *y, int n, double *acc, double *rms)
{
    double sum = 0;
    int right = 0;

    for (int i = 0; i < n; i++) {
        double best = HUGE_VAL;
        int nearest = -1;

        for (int c = 0; c < GS_BARS_CLASSES; c++) {
            float p[GS_BARS_PIXELS];
            double d = 0;

            gs_bars_prototype(p, c);
            for (int k = 0; k < GS_BARS_PIXELS; k++)
                d += ((double)x[i * GS_BARS_PIXELS + k] - p[k]) * ((double)x[i * GS_BARS_PIXELS + k] - p[k]);
            if (c == y[i]) sum += d;
            if (d < best) best = d, nearest = c;
        }
        right += nearest == y[i];
    }
    *acc = (double)right / n;
    *rms = sqrt(sum / ((double)n * GS_BARS_PIXELS));
}

/* Trains on bars and samples 1000 pictures (in training mode when asked); returns the mean losses of the last
 * 100 iterations. */
static void train_bars(const gs_cgan_opts *o, int iterations, bool sample_in_training_mode, double *acc, double *rms,
                       double *g_loss, double *d_loss)
{
    const int batch = 64, many = 1000;
    float *real = gs_xalloc((size_t)batch * GS_BARS_PIXELS * sizeof(float)), *z, *x, m[GS_CGAN_METRICS];
    int32_t *y = gs_xalloc((size_t)many * sizeof(int32_t));
    gs_graph *train = gs_graph_new(), *sample = gs_graph_new();
    gs_plan *step, *sampler;
    gs_store *store;
    gs_rng rng = { .seed = 2 };
    const float lr = (float)o->lr;

    assert_ok(gs_store_new(device, 4, &store));
    assert_ok(gs_cgan_build_step(train, o, batch, NULL));
    assert_ok(gs_compile(train, device, store, NULL, &step));
    *g_loss = *d_loss = 0;
    for (int t = 0; t < iterations; t++) {
        gs_bars_batch(real, y, batch, &rng);
        assert_ok(gs_plan_feed(step, "real", real));
        assert_ok(gs_plan_feed(step, "y", y));
        assert_ok(gs_plan_feed(step, "lr_g", &lr));
        assert_ok(gs_plan_feed(step, "lr_d", &lr));
        assert_ok(gs_plan_run(step, 4, (uint64_t)t));
        if (t < iterations - 100) continue;
        assert_ok(gs_plan_fetch(step, "metrics", m));
        *g_loss += m[GS_CGAN_LOSS_G] / 100;
        *d_loss += m[GS_CGAN_LOSS_D] / 100;
    }
    z = gs_xalloc((size_t)many * (size_t)o->latent_dim * sizeof(float)),
    x = gs_xalloc((size_t)many * GS_BARS_PIXELS * sizeof(float));
    for (int i = 0; i < many * o->latent_dim; i++) z[i] = (float)gs_rng_normal(&rng);
    for (int i = 0; i < many; i++) y[i] = i % GS_BARS_CLASSES;
    assert_ok(gs_cgan_build_sampler(sample, o, many, sample_in_training_mode));
    assert_ok(gs_compile(sample, device, store, NULL, &sampler));
    assert_ok(gs_plan_feed(sampler, "z", z));
    assert_ok(gs_plan_feed(sampler, "y", y));
    assert_ok(gs_plan_run(sampler, 4, 0));
    assert_ok(gs_plan_fetch(sampler, "images", x));
    judge_bars(x, y, many, acc, rms);
    if (!sample_in_training_mode) { /* dropout is off: the same noise gives the same bytes */
        float *again = gs_xalloc((size_t)many * GS_BARS_PIXELS * sizeof(float));

        assert_ok(gs_plan_run(sampler, 99, 7));
        assert_ok(gs_plan_fetch(sampler, "images", again));
        assert_memory_equal(x, again, (size_t)many * GS_BARS_PIXELS * sizeof(float));
        free(again);
    }
    printf("bars, %d iterations: G loss %.3f, D loss %.3f, accuracy %.3f, rms %.3f\n", iterations, *g_loss, *d_loss,
           *acc, *rms);
    fflush(stdout);
    gs_plan_free(step), gs_plan_free(sampler), gs_store_free(store);
    gs_graph_free(train), gs_graph_free(sample);
    free(real), free(y), free(z), free(x);
}

static void need_device(void)
{
    if (!device) {
        printf("SKIP bars: no device that computes\n");
        fflush(stdout);
        skip();
    }
}

static void bars_are_learned(void **state)
{
    const gs_cgan_opts o = presets(GS_CGAN_BARS);
    double acc, rms, g, d;

    (void)state;
    need_device();
    train_bars(&o, 3000, false, &acc, &rms, &g, &d);
    assert_true(acc >= 0.99);
    assert_true(rms <= 0.20);
}

/* The negative finding: with dropout after tanh the discriminator wins for good. */
static void output_dropout_ruins_learning(void **state)
{
    gs_cgan_opts o = presets(GS_CGAN_BARS);
    double acc, rms, g, d;

    (void)state;
    need_device();
    o.g_output_dropout = 0.5;
    o.allow_output_dropout = true;
    train_bars(&o, 2000, true, &acc, &rms, &g, &d);
    assert_true(d < 0.05);
    assert_true(g > 8);
    assert_true(rms > 0.4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameter_counts), cmocka_unit_test(state_names),
        cmocka_unit_test(sizes_are_free),   cmocka_unit_test(labels_are_connected),
        cmocka_unit_test(first_losses),     cmocka_unit_test(steps_move_their_own_weights),
        cmocka_unit_test(drawn_labels),     cmocka_unit_test(profiles_preset_all_keys),
        cmocka_unit_test(keys_are_checked), cmocka_unit_test(mean_picture_bias),
        cmocka_unit_test(bars_are_learned), cmocka_unit_test(output_dropout_ruins_learning),
    };
    int failed;

    if (gs_device_open(NULL, &device) != GS_OK) printf("no device: %s\n", gs_last_error());
    if (device && gs_device_get_info(device)->kind == GS_NULL) {
        gs_device_close(device);
        device = NULL;
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    gs_device_close(device);
    return failed;
}
