/* The graphs of the op cases: one function an op, which reads its inputs and options by the names that
 * golden/README gives them. */
#include <string.h>

#include "golden.h"

/* ---- inputs and outputs ---- */

static gs_node *keep(golden_op *o, const char *name, gs_node *n, gs_var *v)
{
    if (o->n_in == GOLDEN_MAX_IO) return gs__poison(o->g, name, gs_fail(GS_ELIMIT, "more than %d inputs", GOLDEN_MAX_IO));
    o->in[o->n_in].name = name;
    o->in[o->n_in].node = n;
    o->in[o->n_in++].var = v;
    return n;
}

/* The input "x.<name>", or NULL when the case has none. */
static gs_node *optional(golden_op *o, const char *name)
{
    const gs_st_tensor *t = golden_find(o->c, "x.%s", name);
    char full[160];

    if (!t) return NULL;
    for (int i = 0; i < o->n_in; i++) {
        if (strcmp(o->in[i].name, name) == 0) return o->in[i].node;
    }
    snprintf(full, sizeof full, "%s/x.%s", o->scope, name);
    return keep(o, name, gs_input(o->g, full, golden_shape(t), t->dtype == GS_ST_I32 || t->dtype == GS_ST_I64 ? GS_I32 : GS_F32), NULL);
}

static gs_node *in(golden_op *o, const char *name)
{
    gs_node *n = optional(o, name);

    return n ? n : gs__poison(o->g, o->scope, gs_fail(GS_EFORMAT, "the case has no tensor x.%s", name));
}

/* A variable "<scope>.<name>" that starts as x.<name>: for layers that keep state. */
static gs_var *variable(golden_op *o, const char *name, gs_shape shape, bool trainable)
{
    const gs_st_tensor *t = golden_find(o->c, "x.%s", name);
    gs_var *v;

    gs_scope_push(o->g, "%s", o->scope);
    v = gs_variable(o->g, name, t ? golden_shape(t) : shape, GS_F32, (gs_init){ GS_INIT_CONST, 0, 0 }, trainable);
    gs_scope_pop(o->g);
    if (v && t) keep(o, name, gs_read(v), v);
    return v;
}

static void out(golden_op *o, const char *name, gs_node *n)
{
    o->out[o->n_out].name = name;
    o->out[o->n_out++].node = n;
}

/* y.<name> is the variable after the last step. */
static void out_var(golden_op *o, const char *name, gs_var *v)
{
    o->out[o->n_out].name = name;
    o->out[o->n_out++].var = v;
}

static double num(golden_op *o, const char *key, double standard)
{
    return golden_number(o->c, key, standard);
}

static int whole(golden_op *o, const char *key, int standard)
{
    return (int)golden_number(o->c, key, standard);
}

static bool is(golden_op *o, const char *key, const char *value)
{
    const char *v = golden_config(o->c, key);

    return v && strcmp(v, value) == 0;
}

static gs_reduce reduction(golden_op *o)
{
    return is(o, "reduce", "sum") ? GS_REDUCE_SUM : is(o, "reduce", "batch_mean") ? GS_REDUCE_BATCH_MEAN
         : is(o, "reduce", "none") ? GS_REDUCE_NONE : GS_REDUCE_MEAN;
}

/* ---- products ---- */

static gs_conv2d_opts conv_opts(golden_op *o)
{
    return (gs_conv2d_opts){
        .stride = whole(o, "stride", 1), .pad = whole(o, "pad", 0), .dilation = whole(o, "dilation", 1), .groups = whole(o, "groups", 1),
        .pad_mode = is(o, "pad_mode", "reflect") ? GS_PAD_REFLECT : is(o, "pad_mode", "replicate") ? GS_PAD_REPLICATE : GS_PAD_ZERO,
        .output_pad = whole(o, "output_pad", 0),
    };
}

static void conv2d(golden_op *o)
{
    const gs_conv2d_opts c = conv_opts(o);

    out(o, "out", gs_add_bias(gs_conv2d(in(o, "x"), in(o, "weight"), &c), optional(o, "bias")));
}

static void conv_transpose2d(golden_op *o)
{
    const gs_conv2d_opts c = conv_opts(o);

    out(o, "out", gs_add_bias(gs_conv_transpose2d(in(o, "x"), in(o, "weight"), &c), optional(o, "bias")));
}

static void linear(golden_op *o)
{
    out(o, "out", gs_linear(in(o, "x"), in(o, "weight"), optional(o, "bias")));
}

static void matmul(golden_op *o)
{
    out(o, "out", gs_matmul(in(o, "a"), in(o, "b"), whole(o, "transpose_a", 0), whole(o, "transpose_b", 0)));
}

static void embedding(golden_op *o)
{
    out(o, "out", gs_gather(in(o, "weight"), in(o, "index")));
}

/* ---- normalisation ---- */

static void batch_norm(golden_op *o)
{
    gs_node *x = in(o, "x");
    const gs_mode mode = { .train = whole(o, "train", 0) };
    const gs_norm_opts opts = { .eps = num(o, "eps", 1e-5), .momentum = num(o, "momentum", 0.1), .no_affine = !golden_find(o->c, "x.weight") };
    gs_var *mean = variable(o, "running_mean", GS_SCALAR, false), *var = variable(o, "running_var", GS_SCALAR, false);

    if (!opts.no_affine) {
        variable(o, "weight", GS_SCALAR, true);
        variable(o, "bias", GS_SCALAR, true);
    }
    out(o, "out", gs_batch_norm_layer(x, o->scope, &mode, &opts));
    if (mode.train) {
        out_var(o, "running_mean", mean);
        out_var(o, "running_var", var);
    }
}

/* SPADE (Park et al. 2019, Eq. 1): norm(x) (1 + gamma) + beta, gamma and beta convolutions of the resized label map. */
static void spade(golden_op *o)
{
    const gs_mode mode = { .train = whole(o, "train", 0) };
    const gs_conv2d_opts same = { .pad = whole(o, "kernel", 3) / 2 };
    const gs_norm_opts norm = { .eps = num(o, "eps", 1e-5), .momentum = num(o, "momentum", 0.1), .no_affine = true };
    gs_var *mean = variable(o, "running_mean", GS_SCALAR, false), *var = variable(o, "running_var", GS_SCALAR, false);
    gs_node *x = in(o, "x"), *y = gs_batch_norm_layer(x, o->scope, &mode, &norm);
    gs_node *h = gs_resize2d(in(o, "seg"), GS_NEAREST, (int)gs_node_dim(x, 2), (int)gs_node_dim(x, 3)), *gamma, *beta;

    h = gs_relu(gs_add_bias(gs_conv2d(h, in(o, "mlp_shared.weight"), &same), in(o, "mlp_shared.bias")));
    gamma = gs_add_bias(gs_conv2d(h, in(o, "mlp_gamma.weight"), &same), in(o, "mlp_gamma.bias"));
    beta = gs_add_bias(gs_conv2d(h, in(o, "mlp_beta.weight"), &same), in(o, "mlp_beta.bias"));
    out(o, "out", gs_add(gs_mul(y, gs_affine(gamma, 1, 1)), beta));
    if (mode.train) {
        out_var(o, "running_mean", mean);
        out_var(o, "running_var", var);
    }
}

static void instance_norm(golden_op *o)
{
    out(o, "out", gs_instance_norm(in(o, "x"), optional(o, "weight"), optional(o, "bias"), num(o, "eps", 1e-5)));
}

static void layer_norm(golden_op *o)
{
    out(o, "out", gs_layer_norm(in(o, "x"), optional(o, "weight"), optional(o, "bias"), num(o, "eps", 1e-5)));
}

static void adalin(golden_op *o)
{
    out(o, "out", gs_adalin(in(o, "x"), in(o, "gamma"), in(o, "beta"), in(o, "rho"), num(o, "eps", 1e-5), GS_UNBIASED));
}

static void iln(golden_op *o)
{
    out(o, "out", gs_iln(in(o, "x"), in(o, "gamma"), in(o, "beta"), in(o, "rho"), num(o, "eps", 1e-5), GS_UNBIASED));
}

static void spectral_norm(golden_op *o)
{
    const gs_mode mode = { .train = whole(o, "train", 0) };
    gs_var *w = variable(o, "weight_orig", GS_SCALAR, true);
    gs_var *u = variable(o, "weight_u", GS_SCALAR, false), *v = variable(o, "weight_v", GS_SCALAR, false);
    gs_node *y, *sigma;

    gs_scope_push(o->g, "%s", o->scope);
    y = gs_spectral_norm(o->g, gs_var_shape(w), (gs_init){ GS_INIT_CONST, 0, 0 }, whole(o, "dim", 0), whole(o, "iterations", 1),
                         num(o, "eps", 1e-12), &mode, &sigma);
    gs_scope_pop(o->g);
    out(o, "weight", y);
    out(o, "sigma", sigma);
    if (mode.train) {
        out_var(o, "u", u);
        out_var(o, "v", v);
    }
}

/* ---- functions ---- */

static void softmax(golden_op *o) { out(o, "out", gs_softmax(in(o, "x"), whole(o, "axis", -1))); }
static void log_softmax(golden_op *o) { out(o, "out", gs_log_softmax(in(o, "x"), whole(o, "axis", -1))); }
static void gelu(golden_op *o) { out(o, "out", gs_gelu(in(o, "x"))); }
static void quick_gelu(golden_op *o) { out(o, "out", gs_quick_gelu(in(o, "x"))); }
static void relu(golden_op *o) { out(o, "out", gs_relu(in(o, "x"))); }
static void tanh_(golden_op *o) { out(o, "out", gs_tanh(in(o, "x"))); }
static void sigmoid(golden_op *o) { out(o, "out", gs_sigmoid(in(o, "x"))); }
static void softplus(golden_op *o) { out(o, "out", gs_softplus(in(o, "x"))); }
static void leaky_relu(golden_op *o) { out(o, "out", gs_leaky_relu(in(o, "x"), num(o, "slope", 0.01))); }
static void cosine_matrix(golden_op *o) { out(o, "out", gs_cosine_matrix(in(o, "a"), in(o, "b"))); }

static void l2_normalize(golden_op *o)
{
    out(o, "out", gs_l2_normalize(in(o, "x"), whole(o, "axis", -1), num(o, "eps", 1e-12)));
}

/* ---- windows and resampling ---- */

static gs_pool_opts pool_opts(golden_op *o)
{
    return (gs_pool_opts){ .kernel = whole(o, "kernel", 1), .stride = whole(o, "stride", 0), .pad = whole(o, "pad", 0),
                           .ceil_mode = whole(o, "ceil_mode", 0), .exclude_pad = !whole(o, "count_include_pad", 1) };
}

static void max_pool2d(golden_op *o)
{
    const gs_pool_opts p = pool_opts(o);

    out(o, "out", gs_max_pool2d(in(o, "x"), &p));
}

static void avg_pool2d(golden_op *o)
{
    const gs_pool_opts p = pool_opts(o);

    out(o, "out", gs_avg_pool2d(in(o, "x"), &p));
}

static void adaptive_avg_pool2d(golden_op *o)
{
    out(o, "out", gs_adaptive_avg_pool2d(in(o, "x"), whole(o, "out_h", 1), whole(o, "out_w", 1)));
}

static void adaptive_max_pool2d(golden_op *o)
{
    out(o, "out", gs_adaptive_max_pool2d(in(o, "x"), whole(o, "out_h", 1), whole(o, "out_w", 1)));
}

static void interpolate(golden_op *o)
{
    const bool aa = whole(o, "antialias", 0);
    const gs_resize mode = is(o, "mode", "bilinear") ? (aa ? GS_BILINEAR_AA : GS_BILINEAR)
                         : is(o, "mode", "bicubic") ? (aa ? GS_BICUBIC_AA : GS_BICUBIC)
                         : is(o, "mode", "area") ? GS_AREA : GS_NEAREST;

    out(o, "out", gs_resize2d(in(o, "x"), mode, whole(o, "out_h", 1), whole(o, "out_w", 1)));
}

/* ---- sequences ---- */

static void gru(golden_op *o)
{
    const int directions = whole(o, "bidirectional", 0) ? 2 : 1;
    gs_gru_weights w[2] = { { in(o, "weight_ih_l0"), in(o, "weight_hh_l0"), optional(o, "bias_ih_l0"), optional(o, "bias_hh_l0") } };
    gs_node *y, *h_n;

    if (directions == 2) {
        w[1] = (gs_gru_weights){ in(o, "weight_ih_l0_reverse"), in(o, "weight_hh_l0_reverse"), optional(o, "bias_ih_l0_reverse"),
                                 optional(o, "bias_hh_l0_reverse") };
    }
    y = gs_gru(in(o, "x"), w, directions, optional(o, "h0"), optional(o, "lengths"), &h_n);
    out(o, "out", y);
    out(o, "h_n", h_n);
}

static void multi_head_attention(golden_op *o)
{
    gs_node *w, *y = gs_multi_head_attention(in(o, "x"), in(o, "in_proj_weight"), in(o, "in_proj_bias"), in(o, "out_proj.weight"),
                                             in(o, "out_proj.bias"), whole(o, "heads", 1), whole(o, "causal", 0), &w);

    out(o, "out", y);
    out(o, "weights", w);
}

/* ---- losses ---- */

static void bce_with_logits(golden_op *o) { out(o, "out", gs_bce_with_logits(in(o, "x"), in(o, "target"), reduction(o))); }
static void mse(golden_op *o) { out(o, "out", gs_mse(in(o, "x"), in(o, "target"), reduction(o))); }
static void l1(golden_op *o) { out(o, "out", gs_l1(in(o, "x"), in(o, "target"), reduction(o))); }
static void cross_entropy(golden_op *o) { out(o, "out", gs_cross_entropy(in(o, "x"), in(o, "target"), reduction(o))); }
static void kl_gaussian(golden_op *o) { out(o, "out", gs_kl_gaussian(in(o, "mu"), in(o, "logvar"), reduction(o))); }

static void hinge(golden_op *o)
{
    gs_node *x = in(o, "x");

    out(o, "out", is(o, "part", "d_real") ? gs_hinge_d_real(x) : is(o, "part", "d_fake") ? gs_hinge_d_fake(x) : gs_hinge_g(x));
}

/* s = fc(mean over pixels of conv2(f(conv1(x)))); the penalty is |d(sum of s)/dx|^2, and the gradients are
 * the penalty's. */
static void r1(golden_op *o)
{
    gs_node *x = in(o, "x"), *h, *s, *grad, *penalty;

    h = gs_add_bias(gs_conv2d(x, in(o, "conv1.weight"), &(gs_conv2d_opts){ .pad = 1 }), in(o, "conv1.bias"));
    h = is(o, "activation", "tanh") ? gs_tanh(h) : gs_leaky_relu(h, num(o, "slope", 0.2));
    h = gs_add_bias(gs_conv2d(h, in(o, "conv2.weight"), &(gs_conv2d_opts){ .stride = 2, .pad = 1 }), in(o, "conv2.bias"));
    s = gs_linear(gs_mean(h, GS_AXIS(2) | GS_AXIS(3), false), in(o, "fc.weight"), in(o, "fc.bias"));
    penalty = gs_gradient_penalty(s, x, GS_REDUCE_SUM, &grad);
    out(o, "score", s);
    out(o, "grad_x", grad);
    out(o, "penalty", penalty);
}

/* ---- optimisers: x.g has one gradient a step; the runner feeds the step's slice ---- */

static void optimiser(golden_op *o, bool adam)
{
    gs_var *p = variable(o, "p", GS_SCALAR, true);
    gs_node *lr = gs_const(o->g, num(o, "lr", 0.1)), *grad;
    const gs_shape shape = gs_var_shape(p);
    char full[160];

    snprintf(full, sizeof full, "%s/x.g", o->scope);
    grad = gs_input(o->g, full, shape, GS_F32);
    if (adam) {
        gs_adam(o->g, o->scope, &p, &grad, 1, lr, &(gs_adam_opts){ num(o, "beta1", 0.9), num(o, "beta2", 0.999), num(o, "eps", 1e-8),
                                                                  num(o, "weight_decay", 0) });
    } else {
        gs_sgd(o->g, o->scope, &p, &grad, 1, lr, gs_const(o->g, num(o, "momentum", 0)), num(o, "weight_decay", 0), GS_SGD_TORCH);
    }
    snprintf(full, sizeof full, "%s.%s.%s", o->scope, adam ? "m" : "buf", gs_var_name(p));
    out_var(o, adam ? "m" : "buf", gs_variable(o->g, full, shape, GS_F32, (gs_init){ GS_INIT_CONST, 0, 0 }, false));
    if (adam) {
        snprintf(full, sizeof full, "%s.v.%s", o->scope, gs_var_name(p));
        out_var(o, "v", gs_variable(o->g, full, shape, GS_F32, (gs_init){ GS_INIT_CONST, 0, 0 }, false));
    }
    out_var(o, "p", p);
}

static void adam(golden_op *o) { optimiser(o, true); }
static void sgd(golden_op *o) { optimiser(o, false); }

static const struct { const char *name; void (*build)(golden_op *o); } table[] = {
    { "conv2d", conv2d }, { "conv_transpose2d", conv_transpose2d }, { "linear", linear }, { "matmul", matmul },
    { "batch_norm", batch_norm }, { "instance_norm", instance_norm }, { "layer_norm", layer_norm }, { "adalin", adalin }, { "iln", iln },
    { "spectral_norm", spectral_norm }, { "spade", spade }, { "softmax", softmax }, { "log_softmax", log_softmax }, { "gelu", gelu },
    { "quick_gelu", quick_gelu }, { "relu", relu }, { "tanh", tanh_ }, { "sigmoid", sigmoid }, { "softplus", softplus },
    { "leaky_relu", leaky_relu }, { "max_pool2d", max_pool2d }, { "avg_pool2d", avg_pool2d },
    { "adaptive_avg_pool2d", adaptive_avg_pool2d }, { "adaptive_max_pool2d", adaptive_max_pool2d }, { "interpolate", interpolate },
    { "embedding", embedding }, { "gru", gru }, { "multi_head_attention", multi_head_attention }, { "l2_normalize", l2_normalize },
    { "cosine_matrix", cosine_matrix }, { "bce_with_logits", bce_with_logits }, { "mse", mse }, { "l1", l1 },
    { "cross_entropy", cross_entropy }, { "hinge", hinge }, { "kl_gaussian", kl_gaussian }, { "adam", adam }, { "sgd", sgd }, { "r1", r1 },
};

/* dx.<name> for every input that has one: the gradient of sum(y * seed) over the outputs that have a seed. */
static void gradients(golden_op *o)
{
    gs_node *loss = NULL, *wrt[GOLDEN_MAX_IO], *dx[GOLDEN_MAX_IO];
    int n = 0, at[GOLDEN_MAX_IO];
    char full[160];

    for (int i = 0; i < o->n_out; i++) {
        char name[80];
        gs_node *seed, *term;

        snprintf(name, sizeof name, "seed.%s", o->out[i].name);
        if (!o->out[i].node || !golden_find(o->c, "x.%s", name)) continue;
        snprintf(full, sizeof full, "%s/x.%s", o->scope, name);
        seed = gs_input(o->g, full, golden_shape(golden_find(o->c, "x.%s", name)), GS_F32);
        term = gs_sum(gs_mul(o->out[i].node, seed), GS_ALL, false);
        loss = loss ? gs_add(loss, term) : term;
    }
    for (int i = 0; loss && i < o->n_in; i++) {
        if (!golden_find(o->c, "dx.%s", o->in[i].name)) continue;
        at[n] = i;
        wrt[n++] = o->in[i].node;
    }
    if (n == 0) return;
    gs_grad(loss, wrt, n, dx);
    for (int i = 0; i < n; i++) {
        snprintf(full, sizeof full, "%s/dx.%s", o->scope, o->in[at[i]].name);
        gs_output(o->g, full, dx[i]);
    }
}

gs_status golden_op_build(golden_op *o)
{
    const char *op = golden_config(o->c, "op");
    char full[160];

    for (size_t k = 0; op && k < GS_COUNT(table); k++) {
        if (strcmp(table[k].name, op) != 0) continue;
        table[k].build(o);
        gradients(o);
        for (int i = 0; i < o->n_out; i++) {
            snprintf(full, sizeof full, "%s/y.%s", o->scope, o->out[i].name);
            if (o->out[i].node) gs_output(o->g, full, o->out[i].node);
        }
        return gs_graph_status(o->g);
    }
    return gs_fail(GS_EINVAL, "there is no op %s", op ? op : "(none)");
}
