/* The networks of U-GAT-IT, top to bottom, with the names of the release's state dict. Shape letters as in
 * ugatit.h; C channels, H W the sides of a map.
 *
 * Padding is reflection everywhere. Generators have no biases but in the attention's 1x1 convolution, and
 * instance norms have neither weights nor running statistics, unless options of the TensorFlow code ask for
 * them: those have the names that such a module would give them. */
#include "models/ugatit.h"

#include <stdio.h>

#define EPS 1e-5
#define SLOPE 0.2 /* of the discriminators' leaky ReLUs */

static const gs_init normal_init = { GS_INIT_NORMAL, 0, 0.02 }, zero_init = { GS_INIT_CONST, 0, 0 };

/* One pass through a network: what its layers need. */
typedef struct pass {
    gs_graph *g;
    const gs_ugatit_opts *o;
    const gs_mode *mode; /* discriminators: of spectral normalisation; NULL: without */
} pass;

static gs_init weight_init(const pass *p, int64_t fan_in)
{
    return p->o->init_normal ? normal_init : (gs_init){ GS_INIT_TORCH_LINEAR, (double)fan_in, 0 };
}

static gs_layer_opts layer_opts(const pass *p, bool bias)
{
    return (gs_layer_opts){ .no_bias = !bias, .weight_init = p->o->init_normal ? &normal_init : NULL,
                            .bias_init = p->o->init_normal ? &zero_init : NULL };
}

static gs_node *conv(pass *p, gs_node *x, const char *name, int64_t out, int kernel, int stride)
{
    const gs_layer_opts l = layer_opts(p, p->o->g_bias);

    return gs_conv2d_layer(x, name, out, kernel, &(gs_conv2d_opts){ .stride = stride, .pad = (kernel - 1) / 2, .pad_mode = GS_PAD_REFLECT }, &l);
}

/* The encoder's norm, module `name`. */
static gs_node *norm(pass *p, gs_node *x, const char *name)
{
    return p->o->in_affine ? gs_instance_norm_layer(x, name, NULL) : gs_instance_norm(x, NULL, NULL, EPS);
}

/* x (N,C,H,W) -> (N,C): the mean and the largest value of each map. */
static void pools(gs_node *x, gs_node **mean, gs_node **largest)
{
    const int64_t n = gs_node_dim(x, 0), c = gs_node_dim(x, 1);
    gs_node *flat = gs_reshape(x, GS_SHAPE(n, c, -1));

    *mean = gs_mean(flat, GS_AXIS(2), false);
    *largest = gs_max(flat, 2, false);
}

/* The layer's weight as stored, and the factor that normalises it (NULL: none) in the current scope. A layer
 * is linear in its weight, so the factor goes to its output, which is far smaller than the weight in the last
 * layers. */
static gs_node *raw_weight(pass *p, gs_shape shape, gs_node **factor)
{
    const gs_init init = weight_init(p, gs_shape_count(shape) / shape.dim[0]);
    gs_node *sigma;

    *factor = NULL;
    if (!p->mode) return gs_param(p->g, "weight", shape, init);
    gs_spectral_norm(p->g, shape, init, 0, 1, 1e-12, p->mode, &sigma);
    *factor = gs_recip(sigma);
    return gs_param(p->g, "weight_orig", shape, init);
}

/* The class activation map (section 3.1 of the paper): two classifiers on the pooled maps x (N,C,H,W), logits
 * (N,2), the average pool's first; then every channel times its weight in either, and a 1x1 convolution. One
 * row and bias for both (the TensorFlow code) multiply as their sum. */
static gs_node *attend(pass *p, gs_node *x, gs_node **cam_logit)
{
    const int64_t c = gs_node_dim(x, 1);
    const gs_layer_opts l = layer_opts(p, true);
    gs_node *pooled[2], *logit[2], *half[2], *w = NULL, *factor = NULL, *b = NULL;

    pools(x, &pooled[0], &pooled[1]);
    for (int i = 0; i < 2; i++) {
        if (i == 0 || !p->o->cam_shared) {
            gs_node *row;

            gs_scope_push(p->g, "%s", p->o->cam_shared ? "cam_fc" : i ? "gmp_fc" : "gap_fc");
            w = raw_weight(p, GS_SHAPE(1, c), &factor);
            b = p->o->cam_shared ? gs_param(p->g, "bias", GS_SHAPE(1), p->o->init_normal ? zero_init : weight_init(p, c)) : NULL;
            gs_scope_pop(p->g);
            row = factor && p->o->d_cam_normalised ? gs_mul(w, factor) : w; /* the PyTorch release takes the raw row */
            half[i] = gs_mul(x, gs_reshape(b ? gs_add(row, b) : row, GS_SHAPE(1, c, 1, 1)));
        } else {
            half[1] = half[0];
        }
        logit[i] = gs_linear(pooled[i], w, NULL);
        if (factor) logit[i] = gs_mul(logit[i], factor);
        logit[i] = gs_add_bias(logit[i], b);
    }
    *cam_logit = gs_concat(logit, 2, 1);
    return gs_conv2d_layer(gs_concat(half, 2, 1), "conv1x1", c, 1, NULL, &l); /* from (N,2C,H,W) */
}

/* ---- generator ---- */

static gs_node *encode(pass *p, gs_node *x)
{
    const int64_t ch = p->o->ch;
    char name[48];

    x = gs_relu(norm(p, conv(p, x, "DownBlock.1", ch, 7, 1), "DownBlock.2"));      /* (N,ch,S,S) */
    x = gs_relu(norm(p, conv(p, x, "DownBlock.5", 2 * ch, 3, 2), "DownBlock.6"));  /* (N,2ch,S/2,S/2) */
    x = gs_relu(norm(p, conv(p, x, "DownBlock.9", 4 * ch, 3, 2), "DownBlock.10")); /* (N,4ch,P,P) */
    for (int i = 0; i < p->o->n_res; i++) {
        gs_node *h;

        snprintf(name, sizeof name, "DownBlock.%d.conv_block", 12 + i);
        gs_scope_push(p->g, "%s", name);
        h = gs_relu(norm(p, conv(p, x, "1", 4 * ch, 3, 1), "2"));
        x = gs_add(x, norm(p, conv(p, h, "5", 4 * ch, 3, 1), "6")); /* no activation after the sum */
        gs_scope_pop(p->g);
    }
    return x;
}

/* A dense layer of the perceptron on rows (N,I). */
static gs_node *dense(pass *p, gs_node *x, const char *name, int64_t out)
{
    const gs_layer_opts l = layer_opts(p, p->o->mlp_bias);

    return gs_linear_layer(x, name, out, &l);
}

static gs_node *rho(pass *p, int64_t c, double start)
{
    return gs_param(p->g, "rho", GS_SHAPE(1, c, 1, 1), (gs_init){ GS_INIT_CONST, start, 0 });
}

/* In the current scope: a norm whose weights are learned, as the ablations have it in place of AdaLIN and ILN. */
static gs_node *plain_norm(pass *p, gs_node *x)
{
    const int64_t c = gs_node_dim(x, 1);
    gs_node *w = gs_param(p->g, "weight", GS_SHAPE(c), (gs_init){ GS_INIT_CONST, 1, 0 });
    gs_node *b = gs_param(p->g, "bias", GS_SHAPE(c), zero_init);
    int64_t groups = 1;

    if (p->o->norm == GS_UGATIT_IN || p->o->norm == GS_UGATIT_ADAIN) return gs_instance_norm(x, w, b, EPS);
    for (int64_t k = 2; k <= 32 && p->o->norm == GS_UGATIT_GN; k++) {
        if (c % k == 0 && 2 * k <= c) groups = k;
    }
    return gs_group_norm(x, groups, w, b, EPS);
}

/* The norm of a residual block of the second half. */
static gs_node *block_norm(pass *p, gs_node *x, const char *name, const gs_ugatit_fake *f)
{
    const int64_t n = gs_node_dim(x, 0), c = gs_node_dim(x, 1);

    gs_scope_push(p->g, "%s", name);
    if (p->o->norm == GS_UGATIT_ADALIN) {
        gs_node *r = rho(p, c, p->o->rho_init);

        if (p->o->rho_smooth > 0) r = gs_clamp(gs_affine(r, 1, -p->o->rho_smooth), 0, 1);
        x = gs_adalin(x, f->gamma, f->beta, r, EPS, p->o->norm_var);
    } else if (p->o->norm == GS_UGATIT_ADAIN) {
        x = gs_instance_norm(x, NULL, NULL, EPS);
        x = gs_add(gs_mul(x, gs_reshape(f->gamma, GS_SHAPE(n, c, 1, 1))), gs_reshape(f->beta, GS_SHAPE(n, c, 1, 1)));
    } else {
        x = plain_norm(p, x);
    }
    gs_scope_pop(p->g);
    return x;
}

/* Nearest x2, convolution, layer-instance norm with learned gamma and beta; the release's places in UpBlock2:
 * conv, conv + 1. */
static gs_node *up(pass *p, gs_node *x, int conv_index, int64_t out)
{
    const gs_shape row = GS_SHAPE(1, out, 1, 1);
    gs_node *r, *gamma, *beta;
    char name[32];

    x = gs_resize2d(x, GS_NEAREST, 2 * (int)gs_node_dim(x, 2), 2 * (int)gs_node_dim(x, 3));
    snprintf(name, sizeof name, "UpBlock2.%d", conv_index);
    x = conv(p, x, name, out, 3, 1);
    gs_scope_push(p->g, "UpBlock2.%d", conv_index + 1);
    if (p->o->norm == GS_UGATIT_ADALIN) {
        r = rho(p, out, p->o->rho_init_up); /* layer norm at first */
        gamma = gs_param(p->g, "gamma", row, (gs_init){ GS_INIT_CONST, 1, 0 });
        beta = gs_param(p->g, "beta", row, (gs_init){ GS_INIT_CONST, 0, 0 });
        x = gs_iln(x, gamma, beta, r, EPS, p->o->norm_var);
    } else {
        x = plain_norm(p, x);
    }
    gs_scope_pop(p->g);
    return gs_relu(x);
}

static gs_node *decode(pass *p, gs_node *x, const gs_ugatit_fake *f)
{
    const int64_t ch = p->o->ch;

    for (int i = 0; i < p->o->n_res; i++) {
        gs_node *h;

        gs_scope_push(p->g, "UpBlock1_%d", i + 1);
        h = gs_relu(block_norm(p, conv(p, x, "conv1", 4 * ch, 3, 1), "norm1", f));
        x = gs_add(x, block_norm(p, conv(p, h, "conv2", 4 * ch, 3, 1), "norm2", f));
        gs_scope_pop(p->g);
    }
    x = up(p, x, 2, 2 * ch); /* (N,2ch,S/2,S/2) */
    x = up(p, x, 7, ch);     /* (N,ch,S,S) */
    return gs_tanh(conv(p, x, "UpBlock2.11", p->o->img_ch, 7, 1));
}

/* gamma and beta of a picture from its attended maps. */
static void perceptron(pass *p, gs_ugatit_fake *f)
{
    static const int channels_last[4] = { 0, 2, 3, 1 };
    const int64_t n = gs_node_dim(f->att, 0), c = gs_node_dim(f->att, 1);
    gs_node *v, *h;

    if (p->o->light) v = gs_mean(gs_reshape(f->att, GS_SHAPE(n, c, -1)), GS_AXIS(2), false);
    else v = gs_reshape(p->o->flatten_hwc ? gs_permute(f->att, channels_last) : f->att, GS_SHAPE(n, -1));
    h = gs_relu(dense(p, v, "FC.0", c));
    h = gs_relu(dense(p, h, "FC.2", c));
    f->gamma = dense(p, h, "gamma", c);
    f->beta = dense(p, h, "beta", c);
}

gs_ugatit_fake gs_ugatit_generator(gs_graph *g, const gs_ugatit_opts *o, const char *net, gs_node *x)
{
    pass p = { .g = g, .o = o };
    gs_ugatit_fake f = { 0 };

    gs_scope_push(g, "%s", net);
    f.down = encode(&p, x);
    f.att = o->g_cam ? gs_relu(attend(&p, f.down, &f.cam_logit)) : f.down;
    f.heatmap = gs_sum(f.att, GS_AXIS(1), true);
    if (o->norm == GS_UGATIT_ADALIN || o->norm == GS_UGATIT_ADAIN) perceptron(&p, &f);
    f.image = decode(&p, f.att, &f);
    gs_scope_pop(g);
    return f;
}

/* ---- discriminator ---- */

static gs_node *sn_conv(pass *p, gs_node *x, const char *name, int64_t out, int stride, bool bias)
{
    const int64_t in = gs_node_dim(x, 1);
    gs_node *factor, *w;

    gs_scope_push(p->g, "%s", name);
    w = raw_weight(p, GS_SHAPE(out, in, 4, 4), &factor);
    if (stride == 1 && p->o->d_pad_same) x = gs_conv2d(gs_pad2d(x, GS_PAD_REFLECT, 1, 2, 1, 2), w, NULL);
    else x = gs_conv2d(x, w, &(gs_conv2d_opts){ .stride = stride, .pad = 1, .pad_mode = GS_PAD_REFLECT });
    if (factor) x = gs_mul(x, factor);
    if (bias) x = gs_add_bias(x, gs_param(p->g, "bias", GS_SHAPE(out), p->o->init_normal ? zero_init : weight_init(p, in * 16)));
    gs_scope_pop(p->g);
    return x;
}

gs_ugatit_score gs_ugatit_discriminator(gs_graph *g, const gs_ugatit_opts *o, const char *net, gs_node *x, const gs_mode *mode)
{
    static const gs_mode evaluation;
    const int layers = net[3] == 'G' ? o->d_global_layers : o->d_local_layers;
    pass p = { .g = g, .o = o, .mode = !o->sn ? NULL : mode ? mode : &evaluation };
    gs_ugatit_score s = { 0 };
    int64_t width = o->ch;

    gs_scope_push(g, "%s", net);
    for (int i = 0; i < layers - 1; i++, width *= 2) { /* halves layers - 2 times, then one layer of stride 1 */
        char name[24];

        snprintf(name, sizeof name, "model.%d", 1 + 3 * i);
        x = gs_leaky_relu(sn_conv(&p, x, name, width, i < layers - 2 ? 2 : 1, true), SLOPE);
    }
    if (o->d_cam) x = gs_leaky_relu(attend(&p, x, &s.cam_logit), SLOPE);
    s.heatmap = gs_sum(x, GS_AXIS(1), true);
    s.logit = sn_conv(&p, x, "conv", 1, 1, o->d_last_bias);
    gs_scope_pop(g);
    return s;
}
