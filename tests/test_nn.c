/* Layers, losses and optimisers: what golden cases do not say. On the double reference unless a device is needed. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "golden/golden.h"

/* Runs g on the reference and returns a fresh copy of an output. */
static float *value_of(gs_graph *g, golden_exec *e, const char *output)
{
    for (int i = 0; i < g->n_outputs; i++) {
        if (strcmp(g->outputs[i].name, output) == 0) {
            float *v = gs_xalloc((size_t)gs_shape_count(g->outputs[i].node->shape) * sizeof(float) + 4);

            assert_ok(golden_exec_fetch(e, output, v));
            return v;
        }
    }
    fail_msg("no output %s", output);
    return NULL;
}

static golden_exec *reference(gs_graph *g)
{
    golden_exec *e;

    assert_ok(golden_exec_new(g, NULL, &e));
    return e;
}

static void assert_near(double got, double want, double tol)
{
    if (!(fabs(got - want) <= tol)) fail_msg("got %.12g, wanted %.12g within %g", got, want, tol);
}

static gs_node *data(gs_graph *g, gs_shape s, const float *v)
{
    return gs_const_data(g, s, GS_F32, v);
}

/* ---- losses ---- */

static void bce_at_the_ends(void **state)
{
    static const float s[6] = { 100, -100, 100, -100, 0, 0 }, t[6] = { 1, 1, 0, 0, 1, 0 };
    static const float want[6] = { 0, 100, 100, 0, 0.693147181f, 0.693147181f },
                       slope[6] = { 0, -1, 1, 0, -0.5f, 0.5f };
    gs_graph *g = gs_graph_new();
    gs_node *x = gs_input(g, "x", GS_SHAPE(6), GS_F32),
            *l = gs_bce_with_logits(x, data(g, GS_SHAPE(6), t), GS_REDUCE_NONE), *d;
    golden_exec *e;
    float *v, *dv;

    (void)state;
    gs_grad(l, &x, 1, &d);
    gs_output(g, "l", l);
    gs_output(g, "d", d);
    gs_output(g, "one", gs_bce_with_target(x, 1, GS_REDUCE_NONE));
    gs_output(g, "zero", gs_bce_with_target(x, 0, GS_REDUCE_NONE));
    gs_output(g, "soft", gs_bce_with_target(x, 0.9, GS_REDUCE_NONE));
    e = reference(g);
    assert_ok(golden_exec_feed(e, "x", s));
    assert_ok(golden_exec_run(e, 0, 0));
    v = value_of(g, e, "l"), dv = value_of(g, e, "d");
    for (int i = 0; i < 6; i++) {
        assert_near(v[i], want[i], 1e-6);
        assert_near(dv[i], slope[i], 1e-6);
    }
    free(v), free(dv);
    v = value_of(g, e, "one"), dv = value_of(g, e, "zero");
    for (int i = 0; i < 6; i++) assert_near(t[i] == 1 ? v[i] : dv[i], want[i], 1e-6);
    free(v), free(dv);
    v = value_of(g, e, "soft");
    assert_near(v[0], 10, 1e-5);  /* 0.1 x 100 */
    assert_near(v[1], 90, 1e-5);
    free(v);
    golden_exec_free(e);
    gs_graph_free(g);
}

static void hinge_and_kl(void **state)
{
    static const float s[4] = { -2, 0, 0.5f, 3 }, zero[2] = { 0, 0 };
    gs_graph *g = gs_graph_new();
    gs_node *x = data(g, GS_SHAPE(4), s), *z = data(g, GS_SHAPE(1, 2), zero);
    golden_exec *e;
    float *v;

    (void)state;
    gs_output(g, "real", gs_hinge_d_real(x));
    gs_output(g, "fake", gs_hinge_d_fake(x));
    gs_output(g, "g", gs_hinge_g(x));
    gs_output(g, "kl", gs_kl_gaussian(z, z, GS_REDUCE_SUM));
    e = reference(g);
    assert_ok(golden_exec_run(e, 0, 0));
    v = value_of(g, e, "real"), assert_near(v[0], (3 + 1 + 0.5) / 4, 1e-7), free(v);
    v = value_of(g, e, "fake"), assert_near(v[0], (0 + 1 + 1.5 + 4) / 4, 1e-7), free(v);
    v = value_of(g, e, "g"), assert_near(v[0], -1.5 / 4, 1e-7), free(v);
    v = value_of(g, e, "kl"), assert_near(v[0], 0, 1e-12), free(v);
    golden_exec_free(e);
    gs_graph_free(g);
}

/* ---- layers ---- */

static void maxout_pieces(void **state)
{
    /* k = 1 is linear; k = 2 with weights (w, 0) is ReLU(w x); the gradient of a tie goes to the first piece */
    static const float x[4] = { 1, -2, 0.5f, 3 }, w[6] = { 1, 2, -1, 0.5f, 0.25f, -3 },
                       pairs[8] = { 1, 2, 0, 0, -1, 0.5f, 0, 0 };
    static const float tie[4] = { 2, 2, -1, -1 };
    gs_graph *g = gs_graph_new();
    gs_node *in = data(g, GS_SHAPE(2, 2), x), *t = gs_input(g, "t", GS_SHAPE(1, 4), GS_F32), *m = gs_maxout(t, 2), *d;
    gs_node *relu = gs_relu(gs_linear(in, data(g, GS_SHAPE(2, 2), (const float[4]){ 1, 2, -1, 0.5f }), NULL));
    golden_exec *e;
    float *a, *b;

    (void)state;
    gs_grad(m, &t, 1, &d);
    gs_output(g, "k1", gs_maxout(gs_linear(in, data(g, GS_SHAPE(3, 2), w), NULL), 1));
    gs_output(g, "linear", gs_linear(in, data(g, GS_SHAPE(3, 2), w), NULL));
    gs_output(g, "k2", gs_maxout(gs_linear(in, data(g, GS_SHAPE(4, 2), pairs), NULL), 2));
    gs_output(g, "relu", relu);
    gs_output(g, "d", d);
    e = reference(g);
    assert_ok(golden_exec_feed(e, "t", tie));
    assert_ok(golden_exec_run(e, 0, 0));
    a = value_of(g, e, "k1"), b = value_of(g, e, "linear");
    for (int i = 0; i < 6; i++) assert_true(a[i] == b[i]);
    free(a), free(b);
    a = value_of(g, e, "k2"), b = value_of(g, e, "relu");
    for (int i = 0; i < 4; i++) assert_true(a[i] == b[i]);
    free(a), free(b);
    a = value_of(g, e, "d");
    assert_true(a[0] == 1 && a[1] == 0 && a[2] == 1 && a[3] == 0);
    free(a);
    golden_exec_free(e);
    gs_graph_free(g);
}

static void dropout_keeps_the_mean(void **state)
{
    const gs_mode train = { .train = true };
    gs_graph *g = gs_graph_new();
    gs_node *x = gs_full(g, GS_SHAPE(10000, 3), 2);
    golden_exec *e;
    float *v;
    int zeros = 0;
    double sum = 0;

    (void)state;
    assert_ptr_equal(gs_dropout(x, 0.4, NULL, "a"), x);                 /* evaluation: the node itself */
    assert_ptr_equal(gs_dropout(x, 0.4, &(gs_mode){ 0 }, "a"), x);
    assert_ptr_equal(gs_dropout(x, 0, &train, "a"), x);
    gs_output(g, "y", gs_dropout(x, 0.4, &train, "a"));
    e = reference(g);
    assert_ok(golden_exec_run(e, 5, 1));
    v = value_of(g, e, "y");
    for (int i = 0; i < 30000; i++) {
        zeros += v[i] == 0;
        if (v[i] != 0) assert_near(v[i], 2 / 0.6, 1e-6);
        sum += v[i];
    }
    assert_near(sum / 30000, 2, 0.02);
    assert_near(zeros / 30000.0, 0.4, 0.01);
    free(v);
    golden_exec_free(e);
    gs_graph_free(g);
}

static gs_node *given_mask(void *user, gs_graph *g, const char *name, gs_shape shape)
{
    assert_string_equal(name, "layer");
    (void)user;
    return gs_input(g, "mask", shape, GS_F32);
}

static void dropout_takes_a_mask(void **state)
{
    static const float x[4] = { 1, 2, 3, 4 }, mask[4] = { 1, 0, 0, 1 };
    gs_graph *g = gs_graph_new();
    golden_exec *e;
    float *v;

    (void)state;
    gs_output(g, "y",
              gs_dropout(data(g, GS_SHAPE(4), x), 0.5, &(gs_mode){ .train = true, .mask = given_mask }, "layer"));
    e = reference(g);
    assert_ok(golden_exec_feed(e, "mask", mask));
    assert_ok(golden_exec_run(e, 0, 0));
    v = value_of(g, e, "y");
    assert_true(v[0] == 2 && v[1] == 0 && v[2] == 0 && v[3] == 8);
    free(v);
    golden_exec_free(e);
    gs_graph_free(g);
}

static void batch_norm_passes(void **state)
{
    /* batch of 2: outputs are +-gamma + beta up to eps; running statistics by momentum and unbiased variance,
     * pass after pass */
    static const float x[4] = { 3, -1, 7, 1 };
    gs_graph *g = gs_graph_new();
    gs_node *in = data(g, GS_SHAPE(2, 2), x);
    const gs_mode train = { .train = true };
    golden_exec *e;
    float *v, stat[2];

    (void)state;
    gs_output(g, "y", gs_batch_norm_layer(in, "bn", &train, NULL));
    gs_output(g, "held", gs_batch_norm_layer(in, "bn", &(gs_mode){ .train = true, .hold = true }, NULL));
    gs_output(g, "second", gs_batch_norm_layer(gs_scale(in, 2), "bn", &train, NULL));
    gs_output(g, "eval", gs_batch_norm_layer(in, "bn", NULL, NULL));
    e = reference(g);
    assert_ok(golden_exec_run(e, 0, 0));
    v = value_of(g, e, "y");
    for (int i = 0; i < 4; i++) assert_near(v[i], i < 2 ? -1 : 1, 1e-5);
    free(v);
    assert_ok(golden_exec_read(e, "bn.running_mean", stat));
    assert_near(stat[0], 0.9 * 0.5 + 1.0, 1e-6);  /* means 5 then 10, two updates: the held pass makes none */
    assert_near(stat[1], 0, 1e-6);
    assert_ok(golden_exec_read(e, "bn.running_var", stat));
    assert_near(stat[0], 0.9 * (0.9 + 0.1 * 8) + 0.1 * 32, 1e-6); /* unbiased 8 and 32 */
    v = value_of(g, e, "eval"); /* by the statistics after both passes */
    assert_near(v[0], (3 - 1.45) / sqrt(stat[0] + 1e-5), 1e-5);
    free(v);
    golden_exec_free(e);
    gs_graph_free(g);
}

static void names_are_pytorchs(void **state)
{
    static const char *const want[] = {
        "net.fc.weight", "net.fc.bias", "net.conv.weight_orig", "net.conv.weight_u", "net.conv.weight_v", "net.conv.bias",
        "net.up.weight", "net.up.bias", "net.bn.weight", "net.bn.bias", "net.bn.running_mean", "net.bn.running_var", "net.emb.weight",
        "net.rnn.weight_ih_l0", "net.rnn.weight_hh_l0", "net.rnn.bias_ih_l0", "net.rnn.bias_hh_l0", "net.rnn.weight_ih_l0_reverse",
        "net.rnn.weight_hh_l0_reverse", "net.rnn.bias_ih_l0_reverse", "net.rnn.bias_hh_l0_reverse", "net.att.in_proj_weight",
        "net.att.in_proj_bias", "net.att.out_proj.weight", "net.att.out_proj.bias", "net.mx.weight", "net.mx.bias", "net.ln.weight",
        "net.ln.bias", "net.in.weight", "net.in.bias",
    };
    const gs_mode train = { .train = true };
    gs_graph *g = gs_graph_new();
    gs_node *x = gs_input(g, "x", GS_SHAPE(2, 6), GS_F32), *img = gs_input(g, "img", GS_SHAPE(2, 3, 8, 8), GS_F32), *y;
    gs_node *seq = gs_input(g, "seq", GS_SHAPE(2, 5, 6), GS_F32);
    gs_var *list[64];

    (void)state;
    gs_scope_push(g, "net");
    assert_int_equal(gs_node_dim(gs_linear_layer(x, "fc", 4, NULL), 1), 4);
    y = gs_conv2d_layer(img, "conv", 5, 4, &(gs_conv2d_opts){ .stride = 2, .pad = 1 },
                        &(gs_layer_opts){ .spectral = &train });
    assert_true(gs_shape_equal(gs_node_shape(y), GS_SHAPE(2, 5, 4, 4)));
    y = gs_conv_transpose2d_layer(y, "up", 7, 4, &(gs_conv2d_opts){ .stride = 2, .pad = 1 }, NULL);
    assert_true(gs_shape_equal(gs_node_shape(y), GS_SHAPE(2, 7, 8, 8)));
    gs_batch_norm_layer(y, "bn", &train, NULL);
    gs_embedding_layer(gs_iota(g, GS_SHAPE(3), 0), "emb", 3, 4, NULL);
    y = gs_gru_layer(seq, "rnn", 4, 2, NULL, NULL, NULL);
    assert_true(gs_shape_equal(gs_node_shape(y), GS_SHAPE(2, 5, 8)));
    gs_multi_head_attention_layer(seq, "att", 3, true, NULL);
    assert_int_equal(gs_node_dim(gs_maxout_layer(x, "mx", 4, 5, NULL), 1), 4);
    gs_layer_norm_layer(seq, "ln", NULL);
    gs_instance_norm_layer(img, "in", NULL);
    gs_scope_pop(g);
    assert_ok(gs_graph_status(g));
    assert_int_equal(gs_variables(g, "net.", list, 64), GS_COUNT(want));
    for (size_t i = 0; i < GS_COUNT(want); i++) {
        bool found = false;

        for (size_t k = 0; k < GS_COUNT(want); k++) found |= strcmp(gs_var_name(list[k]), want[i]) == 0;
        if (!found) fail_msg("no variable %s", want[i]);
    }
    gs_graph_free(g);
}

static void errors_name_the_layer(void **state)
{
    static const struct { const char *what, *scope;
    } cases[] = {
        { "linear", "fc: linear: x 2,6, weight 3,5" },
        { "bn", "bn: batch_norm: training needs more than one value" },
        { "bn2", "bn2: batch_norm: wants (N,C,...), got rank 1" },
        { "conv", "conv: conv2d: x 2,6" },
        { "maxout", "maxout: the last axis of 2,6 is not a multiple of 4" },
        { "dropout", "probability 1 is not in [0,1)" },
        { "adam", "beta1 1" },
        { "heads", "4 heads" },
        { "softmax", "axis 5" },
        { "bce", "target 2 is not in [0,1]" },
        { "gru", "gru: wants x (N,T,I)" },
        { "instance", "instance_norm: wants (N,C,...)" },
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT(cases); i++) {
        const gs_mode train = { .train = true };
        gs_graph *g = gs_graph_new();
        gs_node *x = gs_input(g, "x", GS_SHAPE(2, 6), GS_F32), *seq = gs_input(g, "seq", GS_SHAPE(2, 3, 6), GS_F32),
                *y = x;
        const char *w = cases[i].what;

        if (!strcmp(w, "linear")) gs_scope_push(g, "fc"), y = gs_linear(x, gs_full(g, GS_SHAPE(3, 5), 1), NULL);
        if (!strcmp(w, "bn")) y = gs_batch_norm_layer(gs_slice(x, 0, 0, 1), "bn", &train, NULL);
        if (!strcmp(w, "bn2")) y = gs_batch_norm_layer(gs_reshape(x, GS_SHAPE(12)), "bn2", &train, NULL);
        if (!strcmp(w, "conv")) y = gs_conv2d_layer(x, "conv", 3, 3, NULL, NULL);
        if (!strcmp(w, "maxout")) y = gs_maxout(x, 4);
        if (!strcmp(w, "dropout")) y = gs_dropout(x, 1, &train, "a");
        if (!strcmp(w, "adam")) gs_adam(g, "o", NULL, NULL, 0, gs_const(g, 1), &(gs_adam_opts){ .beta1 = 1 });
        if (!strcmp(w, "heads")) y = gs_multi_head_attention_layer(seq, "a", 4, false, NULL);
        if (!strcmp(w, "softmax")) gs_softmax(x, 5);
        if (!strcmp(w, "bce")) y = gs_bce_with_target(x, 2, GS_REDUCE_MEAN);
        if (!strcmp(w, "gru")) y = gs_gru_layer(x, "gru", 4, 1, NULL, NULL, NULL);
        if (!strcmp(w, "instance")) y = gs_instance_norm(x, NULL, NULL, 1e-5);
        gs_tanh(y); /* a poisoned node passes through what follows */
        if (gs_graph_status(g) == GS_OK || !gs_test_contains(gs_last_error(), cases[i].scope))
            fail_msg("%s: wanted \"%s\", got \"%s\"", w, cases[i].scope, gs_last_error());
        gs_graph_free(g);
    }
}

/* ---- second derivatives: the gradient penalty through every kind of layer, by central differences ---- */

static gs_node *penalised_net(gs_graph *g, gs_node *x)
{
    const gs_mode train = { .train = true };
    gs_node *h = gs_conv2d_layer(x, "conv1", 3, 3, &(gs_conv2d_opts){ .pad = 1 },
                                 &(gs_layer_opts){ .spectral = &(gs_mode){ 0 } });

    h = gs_leaky_relu(h, 0.2);
    h = gs_avg_pool2d(h, &(gs_pool_opts){ .kernel = 2 });
    h = gs_conv2d_layer(h, "conv2", 4, 3, &(gs_conv2d_opts){ .pad = 1 }, NULL);
    h = gs_tanh(gs_batch_norm_layer(h, "bn", &train, NULL));
    h = gs_max_pool2d(h, &(gs_pool_opts){ .kernel = 2 });
    h = gs_instance_norm_layer(h, "in", NULL);
    h = gs_linear_layer(gs_reshape(h, GS_SHAPE(gs_node_dim(x, 0), -1)), "fc", 5, NULL);
    h = gs_softmax(gs_layer_norm_layer(gs_gelu(h), "ln", NULL), 1);
    (void)g;
    return gs_linear_layer(h, "out", 1, NULL);
}

static double penalty_at(gs_graph *g, gs_node *penalty, const gs_ref_feed *feeds, int n)
{
    gs_ref_result r;
    double v;

    assert_ok(gs_ref_eval(g, &penalty, 1, feeds, n, 0, 0, &r));
    v = r.value[penalty->id][0];
    gs_ref_free(&r);
    return v;
}

static void gradient_penalty_by_differences(void **state)
{
    gs_graph *g = gs_graph_new();
    gs_node *x = gs_input(g, "x", GS_SHAPE(3, 2, 8, 8), GS_F32),
            *penalty = gs_gradient_penalty(penalised_net(g, x), x, GS_REDUCE_SUM, NULL);
    gs_node *wrt[32], *d[32];
    gs_var *vars[32];
    gs_ref_feed feeds[40];
    gs_ref_result r;
    const int n = gs_trainable(g, "", vars, 32);
    int n_feeds = 0, checked = 0;

    (void)state;
    assert_true(n >= 12 && n < 32);
    for (int i = 0; i < n; i++) wrt[i] = gs_read(vars[i]);
    gs_grad(penalty, wrt, n, d);
    assert_ok(gs_graph_status(g));
    for (int i = -1; i < g->n_vars; i++) { /* the input, then every variable, by name */
        const gs_node *node = i < 0 ? x : g->vars[i]->initial;
        const size_t count = (size_t)gs_shape_count(node->shape);
        float *f = gs_xalloc(count * sizeof(float));
        double *v = gs_xalloc(count * sizeof(double));

        golden_hash_fill(i < 0 ? "feed.x" : g->vars[i]->name, node->shape, i >= 0, f);
        for (size_t k = 0; k < count; k++) v[k] = f[k];
        feeds[n_feeds++] = (gs_ref_feed){ node, v };
        free(f);
    }
    assert_ok(gs_ref_eval(g, d, n, feeds, n_feeds, 0, 0, &r));
    for (int i = 0; i < n; i++) {
        const size_t count = (size_t)gs_shape_count(vars[i]->shape);
        double *v = NULL, largest = 0;

        for (int k = 0; k < n_feeds; k++) {
            if (feeds[k].node == wrt[i]) v = (double *)(uintptr_t)feeds[k].data;
        }
        for (size_t k = 0; k < count; k++) largest = fmax(largest, fabs(r.value[d[i]->id][k]));
        for (size_t k = 0; k < count; k += 1 + count / 7) {
            const double h = 1e-6, at = v[k];
            double up, down, slope = r.value[d[i]->id][k];

            v[k] = at + h, up = penalty_at(g, penalty, feeds, n_feeds);
            v[k] = at - h, down = penalty_at(g, penalty, feeds, n_feeds);
            v[k] = at;
            if (fabs((up - down) / (2 * h) - slope) > 1e-5 * fmax(largest, 1e-3))
                fail_msg("%s[%zu]: %.9g by differences, %.9g by the graph", vars[i]->name, k, (up - down) / (2 * h),
                         slope);
            checked++;
        }
    }
    assert_true(checked > 60);
    gs_ref_free(&r);
    for (int k = 0; k < n_feeds; k++) free((void *)(uintptr_t)feeds[k].data);
    gs_graph_free(g);
}

/* ---- optimisers and schedules ---- */

static void classic_momentum(void **state)
{
    /* v <- mu v - lr g, p <- p + v: a falling rate does not act on old gradients, which is where it differs
     * from PyTorch's form */
    const float grads[3] = { 1, -2, 0.5f }, rates[3] = { 0.1f, 0.05f, 0.01f }, mu = 0.5f;
    gs_graph *g = gs_graph_new();
    gs_var *p = gs_variable(g, "p", GS_SCALAR, GS_F32, (gs_init){ GS_INIT_CONST, 3, 0 }, true);
    gs_var *q = gs_variable(g, "q", GS_SCALAR, GS_F32, (gs_init){ GS_INIT_CONST, 3, 0 }, true);
    gs_node *grad = gs_input(g, "g", GS_SCALAR, GS_F32), *lr = gs_input(g, "lr", GS_SCALAR, GS_F32),
            *m = gs_input(g, "mu", GS_SCALAR, GS_F32);
    double v = 0, want = 3;
    golden_exec *e;
    float got;

    (void)state;
    gs_sgd(g, "sgd", &p, &grad, 1, lr, m, 0, GS_SGD_CLASSIC);
    gs_sgd(g, "plain", &q, &grad, 1, lr, NULL, 0, GS_SGD_TORCH);
    e = reference(g);
    for (int t = 0; t < 3; t++) {
        assert_ok(golden_exec_feed(e, "g", &grads[t]));
        assert_ok(golden_exec_feed(e, "lr", &rates[t]));
        assert_ok(golden_exec_feed(e, "mu", &mu));
        assert_ok(golden_exec_run(e, 0, (uint64_t)t));
        v = mu * v - (double)rates[t] * grads[t];
        want += v;
    }
    assert_ok(golden_exec_read(e, "p", &got));
    assert_near(got, want, 1e-6);
    assert_ok(golden_exec_read(e, "q", &got));
    assert_near(got, 3 - 0.1 + 0.1 - 0.005, 1e-6);
    golden_exec_free(e);
    gs_graph_free(g);
}

static void clamp_takes_the_named(void **state)
{
    gs_graph *g = gs_graph_new();
    golden_exec *e;
    float v;

    (void)state;
    gs_variable(g, "G.a.rho", GS_SCALAR, GS_F32, (gs_init){ GS_INIT_CONST, 1.5, 0 }, true);
    gs_variable(g, "G.a.weight", GS_SCALAR, GS_F32, (gs_init){ GS_INIT_CONST, 1.5, 0 }, true);
    gs_variable(g, "D.rho", GS_SCALAR, GS_F32, (gs_init){ GS_INIT_CONST, -1, 0 }, true);
    gs_clamp_params(g, "G.", "rho", 0, 1);
    e = reference(g);
    assert_ok(golden_exec_run(e, 0, 0));
    assert_ok(golden_exec_read(e, "G.a.rho", &v));
    assert_true(v == 1);
    assert_ok(golden_exec_read(e, "G.a.weight", &v));
    assert_true(v == 1.5f);
    assert_ok(golden_exec_read(e, "D.rho", &v));
    assert_true(v == -1);
    golden_exec_free(e);
    gs_graph_free(g);
}

static void schedules(void **state)
{
    const int steps[2] = { 30, 40 };

    (void)state;
    assert_near(gs_lr_exponential(0.1, 1.00004, 1e-6, 0), 0.1, 0);
    assert_near(gs_lr_exponential(0.1, 1.00004, 1e-6, 287829), 1e-6, 1e-11);
    assert_true(gs_lr_exponential(0.1, 1.00004, 1e-6, 280000) > 1e-6);
    assert_near(gs_lr_exponential(0.1, 1.00004, 1e-6, 10000000), 1e-6, 0);
    assert_near(gs_momentum_ramp(0.5, 0.7, 250, 1), 0.5, 0);
    assert_near(gs_momentum_ramp(0.5, 0.7, 250, 250), 0.7, 0);
    assert_near(gs_momentum_ramp(0.5, 0.7, 250, 1000), 0.7, 0);
    assert_near(gs_momentum_ramp(0.5, 0.7, 3, 2), 0.6, 1e-12);
    assert_near(gs_momentum_ramp(0.5, 0.7, 1, 1), 0.7, 0);
    assert_near(gs_lr_steps(2e-4, 0.1, steps, 2, 29), 2e-4, 0);
    assert_near(gs_lr_steps(2e-4, 0.1, steps, 2, 30), 2e-5, 1e-18);
    assert_near(gs_lr_steps(2e-4, 0.1, steps, 2, 40), 2e-6, 1e-18);
    assert_near(gs_lr_linear(1, 100, 200, 100), 1, 0);
    assert_near(gs_lr_linear(1, 100, 200, 150), 0.5, 1e-12);
    assert_near(gs_lr_linear(1, 100, 200, 500), 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bce_at_the_ends),
        cmocka_unit_test(hinge_and_kl),
        cmocka_unit_test(maxout_pieces),
        cmocka_unit_test(dropout_keeps_the_mean),
        cmocka_unit_test(dropout_takes_a_mask),
        cmocka_unit_test(batch_norm_passes),
        cmocka_unit_test(names_are_pytorchs),
        cmocka_unit_test(errors_name_the_layer),
        cmocka_unit_test(gradient_penalty_by_differences),
        cmocka_unit_test(classic_momentum),
        cmocka_unit_test(clamp_takes_the_named),
        cmocka_unit_test(schedules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
