/* The networks of the conditional GAN. Each profile is one pair of functions, in the order and with the names
 * of its source; what is shared is the label's way in and the last activation. Shape letters as in cgan.h.
 *
 * Layers whose input is one pixel or whose output is one pixel are matrix products, and a convolution over
 * constant label planes is a table of classes: both exactly what the convolution would give, for a small part
 * of the work. */
#include "models/cgan.h"

#include <math.h>

#define SLOPE 0.2 /* of every leaky ReLU in these networks */

static gs_node *lrelu(gs_node *x)
{
    return gs_leaky_relu(x, SLOPE);
}

/* ---- what the options say about a layer ---- */

typedef struct inits {
    gs_init weight, bias;
    gs_layer_opts layer;
} inits;

static const gs_layer_opts *layer_opts(inits *i, const gs_cgan_opts *o, bool generator)
{
    /* Goodfellow et al. 2014, the experiment that the paper's code extends */
    const double range = generator ? 0.05 : 0.005;

    i->layer = (gs_layer_opts){ .weight_init = &i->weight, .bias_init = &i->bias };
    i->bias = (gs_init){ GS_INIT_CONST, 0, 0 };
    switch (o->init) {
    case GS_CGAN_INIT_DEFAULT: i->layer = (gs_layer_opts){ 0 }; break;
    case GS_CGAN_INIT_NORMAL: i->weight = (gs_init){ GS_INIT_NORMAL, 0, o->init_std }; break;
    case GS_CGAN_INIT_PAPER: i->weight = (gs_init){ GS_INIT_UNIFORM, -range, range }; break;
    }
    return &i->layer;
}

/* One pass through a network: what every layer of it needs. */
typedef struct pass {
    gs_graph *g;
    const gs_cgan_opts *o;
    const gs_mode *mode;
    const gs_layer_opts *layer;
    double dropout;
    int64_t batch;
    inits init;
} pass;

static pass begin(gs_graph *g, const gs_cgan_opts *o, const gs_mode *mode, gs_node *y, bool generator)
{
    return (pass){ .g = g, .o = o, .mode = mode, .dropout = generator ? o->g_dropout : o->d_dropout,
                   .batch = gs_shape_count(gs_node_shape(y)) };
}

static gs_node *dense(pass *p, gs_node *x, const char *name, int64_t out)
{
    return gs_linear_layer(x, name, out, p->layer);
}

static gs_node *drop(pass *p, gs_node *x, const char *name)
{
    return gs_dropout(x, p->dropout, p->mode, name);
}

static gs_node *norm(pass *p, gs_node *x, const char *name)
{
    return gs_batch_norm_layer(x, name, p->mode, &(gs_norm_opts){ .eps = p->o->bn_eps });
}

static gs_node *join(gs_node *a, gs_node *b)
{
    return gs_concat((gs_node *[]){ a, b }, 2, 1);
}

/* e(y) (B,nc): one-hot, or the rows of a learned table. */
static gs_node *label(pass *p, gs_node *y, const char *table)
{
    const int nc = p->o->n_classes;

    return p->o->label_embedding ? gs_embedding_layer(y, table, nc, nc, NULL) : gs_one_hot(y, nc);
}

static gs_node *flat(pass *p, gs_node *x)
{
    return gs_reshape(x, GS_SHAPE(p->batch, -1));
}

static gs_node *finish(pass *p, gs_node *x)
{
    const gs_cgan_opts *o = p->o;

    x = o->sigmoid_output ? gs_sigmoid(x) : gs_tanh(x);
    /* The blog's negative finding: a mask on the pixels gives every fake away. Kept to repeat the experiment. */
    if (o->g_output_dropout != 0) x = gs_dropout(x, o->g_output_dropout, p->mode, "output");
    return gs_reshape(x, GS_SHAPE(p->batch, o->image_channels, o->image_size, o->image_size));
}

/* ---- concat, ar, bars: one chain from the concatenated input ---- */

typedef struct chain { int n; int width[3]; } chain;

static const chain g_chain[GS_CGAN_PROFILES] = {
    [GS_CGAN_CONCAT] = { 3, { 256, 512, 1200 } },
    [GS_CGAN_AR] = { 3, { 256, 512, 1024 } },
    [GS_CGAN_BARS] = { 2, { 64, 128 } },
};
static const chain d_chain[GS_CGAN_PROFILES] = {
    [GS_CGAN_CONCAT] = { 3, { 1024, 512, 256 } },
    [GS_CGAN_AR] = { 3, { 1024, 512, 256 } },
    [GS_CGAN_BARS] = { 2, { 128, 64 } },
};
static const char *const chain_names[3] = { "fc1", "fc2", "fc3" };

static gs_node *run_chain(pass *p, gs_node *x, const chain *c, int64_t out, gs_node **hidden)
{
    for (int i = 0; i < c->n; i++) {
        gs_scope_push(p->g, "%s", chain_names[i]); /* a container of linear, activation, dropout: hence the ".0" */
        x = lrelu(dense(p, x, "0", c->width[i]));
        gs_scope_pop(p->g);
        x = drop(p, x, chain_names[i]);
    }
    if (hidden) *hidden = x;
    gs_scope_push(p->g, "fc_out");
    x = dense(p, x, "0", out);
    gs_scope_pop(p->g);
    return x;
}

/* ---- embed, zn_mlp ---- */

static gs_node *embed_g(pass *p, gs_node *z, gs_node *e, int64_t pixels, gs_node **hidden)
{
    gs_node *a = gs_relu(norm(p, dense(p, z, "fc1_1", 256), "fc1_1_bn"));
    gs_node *b = gs_relu(norm(p, dense(p, e, "fc1_2", 256), "fc1_2_bn"));
    gs_node *h = join(a, b);

    h = drop(p, gs_relu(norm(p, dense(p, h, "fc2", 512), "fc2_bn")), "fc2");
    h = drop(p, gs_relu(norm(p, dense(p, h, "fc3", 1024), "fc3_bn")), "fc3");
    if (hidden) *hidden = h;
    return dense(p, h, "fc4", pixels);
}

static gs_node *embed_d(pass *p, gs_node *x, gs_node *e, gs_node **hidden)
{
    gs_node *h = join(lrelu(dense(p, x, "fc1_1", 1024)), lrelu(dense(p, e, "fc1_2", 1024)));

    h = drop(p, lrelu(norm(p, dense(p, h, "fc2", 512), "fc2_bn")), "fc2");
    h = drop(p, lrelu(norm(p, dense(p, h, "fc3", 256), "fc3_bn")), "fc3");
    if (hidden) *hidden = h;
    return dense(p, h, "fc4", 1);
}

/* ---- paper ---- */

static gs_node *paper_g(pass *p, gs_node *z, gs_node *e, int64_t pixels, gs_node **hidden)
{
    gs_node *h = join(drop(p, gs_relu(dense(p, z, "hz", 200)), "hz"), drop(p, gs_relu(dense(p, e, "hy", 1000)), "hy"));

    /* The paper: both "mapped to" a second, combined layer of 1200 units. The blog reads that as the
     * concatenation alone. */
    if (!p->o->paper_concat) h = drop(p, gs_relu(dense(p, h, "h", 1200)), "h");
    if (hidden) *hidden = h;
    return dense(p, h, "out", pixels);
}

static gs_node *paper_d(pass *p, gs_node *x, gs_node *e, gs_node **hidden)
{
    gs_node *h;

    if (p->o->paper_gf) x = gs_dropout(x, 0.2, p->mode, "x"); /* 80 % of the pixels are kept */
    h = join(drop(p, gs_maxout_layer(x, "mx", 240, 5, p->layer), "mx"),
             drop(p, gs_maxout_layer(e, "my", 50, 5, p->layer), "my"));
    h = drop(p, gs_maxout_layer(h, "mj", 240, 4, p->layer), "mj");
    if (hidden) *hidden = h;
    return dense(p, h, "out", 1);
}

/* ---- ln ---- */

static gs_node *ln_g(pass *p, gs_node *z, gs_node *e, int64_t pixels, gs_node **hidden)
{
    static const struct { const char *linear, *bn; int width; } layer[] = {
        { "model.2", "model.3", 256 }, { "model.5", "model.6", 512 }, { "model.8", "model.9", 1024 },
    };
    gs_node *h = lrelu(dense(p, join(e, z), "model.0", 128)); /* the label first */

    h = drop(p, h, "model.0");
    for (int i = 0; i < 3; i++) {
        h = lrelu(norm(p, dense(p, h, layer[i].linear, layer[i].width), layer[i].bn));
        h = drop(p, h, layer[i].linear);
    }
    if (hidden) *hidden = h;
    return dense(p, h, "model.11", pixels);
}

static gs_node *ln_d(pass *p, gs_node *x, gs_node *e, gs_node **hidden)
{
    gs_node *h = lrelu(dense(p, join(x, e), "model.0", 512));

    h = lrelu(drop(p, dense(p, h, "model.2", 512), "model.2"));
    h = lrelu(drop(p, dense(p, h, "model.5", 512), "model.5"));
    if (hidden) *hidden = h;
    return dense(p, h, "model.8", 1);
}

/* ---- cdcgan ---- */

static const gs_conv2d_opts half = { .stride = 2, .pad = 1 };

/* Declares weight (d0,d1,4,4) and bias (out) of a (de)convolution that is computed in another form. */
static void conv_params(pass *p, const char *name, int64_t d0, int64_t d1, int64_t out, gs_node **w, gs_node **b)
{
    const gs_init standard = { GS_INIT_TORCH_LINEAR, (double)d1 * 16, 0 };

    gs_scope_push(p->g, "%s", name);
    *w = gs_param(p->g, "weight", GS_SHAPE(d0, d1, 4, 4), p->layer->weight_init ? *p->layer->weight_init : standard);
    *b = gs_param(p->g, "bias", GS_SHAPE(out), p->layer->bias_init ? *p->layer->bias_init : standard);
    gs_scope_pop(p->g);
}

/* Transposed convolution, kernel 4, of one pixel x (B,I): (B,256,4,4). index: the one-hot x as labels, so
 * that rows are looked up. */
static gs_node *deconv_pixel(pass *p, gs_node *x, gs_node *index, const char *name)
{
    const int64_t in = gs_node_dim(x, 1);
    gs_node *w, *b, *y;

    conv_params(p, name, in, 256, 256, &w, &b);
    w = gs_reshape(w, GS_SHAPE(in, 256 * 16));
    y = index ? gs_gather(w, index) : gs_matmul(x, w, false, false);
    return gs_add_bias(gs_reshape(y, GS_SHAPE(p->batch, 256, 4, 4)), b);
}

static gs_node *cdcgan_g(pass *p, gs_node *z, gs_node *e, gs_node *y, gs_node **hidden)
{
    gs_node *a = gs_relu(norm(p, deconv_pixel(p, z, NULL, "deconv1_1"), "deconv1_1_bn"));
    gs_node *b = gs_relu(norm(p, deconv_pixel(p, e, p->o->label_embedding ? NULL : y, "deconv1_2"), "deconv1_2_bn"));
    gs_node *h = join(a, b);                                                                              /* (B,512,4,4) */

    h = gs_relu(norm(p, gs_conv_transpose2d_layer(h, "deconv2", 256, 4, &half, p->layer), "deconv2_bn")); /* (B,256,8,8) */
    h = gs_relu(norm(p, gs_conv_transpose2d_layer(h, "deconv3", 128, 4, &half, p->layer), "deconv3_bn")); /* (B,128,16,16) */
    if (hidden) *hidden = h;
    return gs_conv_transpose2d_layer(h, "deconv4", p->o->image_channels, 4, &half, p->layer);
}

/* conv1_2 on label planes (nc constant planes of values e): plane c gives e[c] times the convolution of a
 * plane of ones by the weights of input c. So a table (nc, 64*16*16) of those is made once, and each sample
 * takes its mixture, for one-hot its row. */
static gs_node *label_planes(pass *p, gs_node *e, gs_node *y)
{
    const int64_t nc = p->o->n_classes, side = p->o->image_size, half_side = side / 2, pixels = half_side * half_side;
    gs_node *w, *b, *table, *out;

    conv_params(p, "conv1_2", 64, nc, 64, &w, &b);
    table = gs_conv2d(gs_full(p->g, GS_SHAPE(1, 1, side, side), 1), gs_reshape(w, GS_SHAPE(64 * nc, 1, 4, 4)), &half);
    table = gs_transpose(gs_reshape(table, GS_SHAPE(64, nc, pixels)), 0, 1);
    table = gs_reshape(table, GS_SHAPE(nc, 64 * pixels));
    out = p->o->label_embedding ? gs_matmul(e, table, false, false) : gs_gather(table, y);
    return gs_add_bias(gs_reshape(out, GS_SHAPE(p->batch, 64, half_side, half_side)), b);
}

static gs_node *cdcgan_d(pass *p, gs_node *x, gs_node *e, gs_node *y, gs_node **hidden)
{
    gs_node *a = lrelu(gs_conv2d_layer(x, "conv1_1", 64, 4, &half, p->layer));
    gs_node *h = join(a, lrelu(label_planes(p, e, y))), *w, *b;                             /* (B,128,16,16) */

    h = lrelu(norm(p, gs_conv2d_layer(h, "conv2", 256, 4, &half, p->layer), "conv2_bn"));   /* (B,256,8,8) */
    h = lrelu(norm(p, gs_conv2d_layer(h, "conv3", 512, 4, &half, p->layer), "conv3_bn"));   /* (B,512,4,4) */
    if (hidden) *hidden = h;
    conv_params(p, "conv4", 1, 512, 1, &w, &b); /* kernel 4 on 4 x 4 pixels: one inner product */
    return gs_linear(flat(p, h), gs_reshape(w, GS_SHAPE(1, 512 * 16)), b);
}

/* ---- the two networks ---- */

gs_node *gs_cgan_generator(gs_graph *g, const gs_cgan_opts *o, gs_node *z, gs_node *y, const gs_mode *mode,
                           gs_node **hidden)
{
    const int64_t pixels = (int64_t)o->image_channels * o->image_size * o->image_size;
    pass p = begin(g, o, mode, y, true);
    gs_node *e, *x = z;

    p.layer = layer_opts(&p.init, o, true);
    gs_scope_push(g, "G");
    e = label(&p, y, "label_emb");
    switch (o->profile) {
    case GS_CGAN_CONCAT:
    case GS_CGAN_AR:
    case GS_CGAN_BARS: x = run_chain(&p, join(z, e), &g_chain[o->profile], pixels, hidden); break;
    case GS_CGAN_EMBED:
    case GS_CGAN_ZN_MLP: x = embed_g(&p, z, e, pixels, hidden); break;
    case GS_CGAN_PAPER: x = paper_g(&p, z, e, pixels, hidden); break;
    case GS_CGAN_LN: x = ln_g(&p, z, e, pixels, hidden); break;
    case GS_CGAN_CDCGAN: x = cdcgan_g(&p, z, e, y, hidden); break;
    case GS_CGAN_PROFILES: break;
    }
    x = finish(&p, x);
    gs_scope_pop(g);
    return x;
}

gs_node *gs_cgan_discriminator(gs_graph *g, const gs_cgan_opts *o, gs_node *x, gs_node *y, const gs_mode *mode,
                               gs_node **hidden)
{
    pass p = begin(g, o, mode, y, false);
    gs_node *e, *s = x;

    p.layer = layer_opts(&p.init, o, false);
    gs_scope_push(g, "D");
    e = label(&p, y, "label_embedding");
    switch (o->profile) {
    case GS_CGAN_CONCAT:
    case GS_CGAN_AR:
    case GS_CGAN_BARS: s = run_chain(&p, join(flat(&p, x), e), &d_chain[o->profile], 1, hidden); break;
    case GS_CGAN_EMBED:
    case GS_CGAN_ZN_MLP: s = embed_d(&p, flat(&p, x), e, hidden); break;
    case GS_CGAN_PAPER: s = paper_d(&p, flat(&p, x), e, hidden); break;
    case GS_CGAN_LN: s = ln_d(&p, flat(&p, x), e, hidden); break;
    case GS_CGAN_CDCGAN: s = cdcgan_d(&p, x, e, y, hidden); break;
    case GS_CGAN_PROFILES: break;
    }
    gs_scope_pop(g);
    return gs_reshape(s, GS_SHAPE(p.batch));
}

bool gs_cgan_has_batch_norm(const gs_cgan_opts *o)
{
    return o->profile == GS_CGAN_EMBED || o->profile == GS_CGAN_ZN_MLP || o->profile == GS_CGAN_LN ||
           o->profile == GS_CGAN_CDCGAN;
}

const char *gs_cgan_mean_bias(const gs_cgan_opts *o)
{
    return o->profile == GS_CGAN_PAPER && o->init == GS_CGAN_INIT_PAPER && o->sigmoid_output ? "G.out.bias" : NULL;
}

void gs_cgan_logit(const float *mean, float *bias, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double m = fmin(fmax(mean[i], 1e-3), 1 - 1e-3);

        bias[i] = (float)log(m / (1 - m));
    }
}
