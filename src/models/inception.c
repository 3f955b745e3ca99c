/* Inception-v3, top to bottom. Every unit is a convolution without bias, batch norm by its running statistics, ReLU.
 * Branches of a block are concatenated in the order written. */
#include "models/inception.h"

#include <stddef.h>

#define BN_EPS 0.001

typedef struct pass {
    gs_graph *g;
    const gs_inception_opts *o;
} pass;

/* x (N,C,H,W) -> (N,out,OH,OW). */
static gs_node *unit(pass *p, gs_node *x, const char *name, int64_t out, int kh, int kw, int stride, int pad_h,
                     int pad_w)
{
    const int64_t in = gs_node_dim(x, 1);
    const gs_init init = { GS_INIT_TORCH_LINEAR, (double)(in * kh * kw), 0 };
    gs_node *w;

    gs_scope_push(p->g, "%s", name);
    gs_scope_push(p->g, "conv");
    w = gs_param(p->g, "weight", GS_SHAPE(out, in, kh, kw), init);
    x = gs_conv2d(x, w, &(gs_conv2d_opts){ .stride = stride, .pad_h = pad_h, .pad_w = pad_w });
    gs_scope_pop(p->g);
    x = gs_relu(gs_batch_norm_layer(x, "bn", NULL, &(gs_norm_opts){ .eps = BN_EPS }));
    gs_scope_pop(p->g);
    return x;
}

static gs_node *square(pass *p, gs_node *x, const char *name, int64_t out, int kernel, int stride, int pad)
{
    return unit(p, x, name, out, kernel, kernel, stride, pad, pad);
}

static gs_node *conv1x1(pass *p, gs_node *x, const char *name, int64_t out) { return square(p, x, name, out, 1, 1, 0); }

/* 1 x kernel and kernel x 1, size kept. */
static gs_node *across(pass *p, gs_node *x, const char *name, int64_t out, int kernel)
{
    return unit(p, x, name, out, 1, kernel, 1, 0, kernel / 2);
}

static gs_node *down(pass *p, gs_node *x, const char *name, int64_t out, int kernel)
{
    return unit(p, x, name, out, kernel, 1, 1, kernel / 2, 0);
}

static gs_node *halve(gs_node *x)
{
    return gs_max_pool2d(x, &(gs_pool_opts){ .kernel = 3, .stride = 2 });
}

/* The pool of a block's last branch, 3 x 3, size kept, and its 1x1 convolution. */
static gs_node *pooled(pass *p, gs_node *x, int64_t out, bool largest)
{
    const gs_pool_opts o = { .kernel = 3, .stride = 1, .pad = 1, .exclude_pad = p->o->graph == GS_INCEPTION_FID2015 };

    return conv1x1(p, largest ? gs_max_pool2d(x, &o) : gs_avg_pool2d(x, &o), "branch_pool", out);
}

/* Block A: 35 x 35, 64 + 64 + 96 + pool channels. */
static gs_node *block_a(pass *p, gs_node *x, const char *name, int64_t pool)
{
    gs_node *b[4];

    gs_scope_push(p->g, "%s", name);
    b[0] = conv1x1(p, x, "branch1x1", 64);
    b[1] = square(p, conv1x1(p, x, "branch5x5_1", 48), "branch5x5_2", 64, 5, 1, 2);
    b[2] = square(p, conv1x1(p, x, "branch3x3dbl_1", 64), "branch3x3dbl_2", 96, 3, 1, 1);
    b[2] = square(p, b[2], "branch3x3dbl_3", 96, 3, 1, 1);
    b[3] = pooled(p, x, pool, false);
    gs_scope_pop(p->g);
    return gs_concat(b, 4, 1);
}

/* Block B: 35 -> 17, 384 + 96 + what came in. */
static gs_node *block_b(pass *p, gs_node *x, const char *name)
{
    gs_node *b[3];

    gs_scope_push(p->g, "%s", name);
    b[0] = square(p, x, "branch3x3", 384, 3, 2, 0);
    b[1] = square(p, conv1x1(p, x, "branch3x3dbl_1", 64), "branch3x3dbl_2", 96, 3, 1, 1);
    b[1] = square(p, b[1], "branch3x3dbl_3", 96, 3, 2, 0);
    b[2] = halve(x);
    gs_scope_pop(p->g);
    return gs_concat(b, 3, 1);
}

/* Block C: 17 x 17, 4 x 192; 7 x 7 as pairs of 1 x 7 and 7 x 1 on c channels. */
static gs_node *block_c(pass *p, gs_node *x, const char *name, int64_t c)
{
    gs_node *b[4];

    gs_scope_push(p->g, "%s", name);
    b[0] = conv1x1(p, x, "branch1x1", 192);
    b[1] = across(p, conv1x1(p, x, "branch7x7_1", c), "branch7x7_2", c, 7);
    b[1] = down(p, b[1], "branch7x7_3", 192, 7);
    b[2] = down(p, conv1x1(p, x, "branch7x7dbl_1", c), "branch7x7dbl_2", c, 7);
    b[2] = across(p, b[2], "branch7x7dbl_3", c, 7);
    b[2] = down(p, b[2], "branch7x7dbl_4", c, 7);
    b[2] = across(p, b[2], "branch7x7dbl_5", 192, 7);
    b[3] = pooled(p, x, 192, false);
    gs_scope_pop(p->g);
    return gs_concat(b, 4, 1);
}

/* Block D: 17 -> 8, 320 + 192 + what came in. */
static gs_node *block_d(pass *p, gs_node *x, const char *name)
{
    gs_node *b[3];

    gs_scope_push(p->g, "%s", name);
    b[0] = square(p, conv1x1(p, x, "branch3x3_1", 192), "branch3x3_2", 320, 3, 2, 0);
    b[1] = across(p, conv1x1(p, x, "branch7x7x3_1", 192), "branch7x7x3_2", 192, 7);
    b[1] = down(p, b[1], "branch7x7x3_3", 192, 7);
    b[1] = square(p, b[1], "branch7x7x3_4", 192, 3, 2, 0);
    b[2] = halve(x);
    gs_scope_pop(p->g);
    return gs_concat(b, 3, 1);
}

/* Block E: 8 x 8, 320 + 2 x 384 + 2 x 384 + 192. */
static gs_node *block_e(pass *p, gs_node *x, const char *name, bool max_branch)
{
    gs_node *b[6], *h;

    gs_scope_push(p->g, "%s", name);
    b[0] = conv1x1(p, x, "branch1x1", 320);
    h = conv1x1(p, x, "branch3x3_1", 384);
    b[1] = across(p, h, "branch3x3_2a", 384, 3);
    b[2] = down(p, h, "branch3x3_2b", 384, 3);
    h = square(p, conv1x1(p, x, "branch3x3dbl_1", 448), "branch3x3dbl_2", 384, 3, 1, 1);
    b[3] = across(p, h, "branch3x3dbl_3a", 384, 3);
    b[4] = down(p, h, "branch3x3dbl_3b", 384, 3);
    b[5] = pooled(p, x, 192, max_branch);
    gs_scope_pop(p->g);
    return gs_concat(b, 6, 1);
}

/* x (N,C,H,W) -> (N,C). */
static gs_node *mean_cells(gs_node *x)
{
    return gs_mean(x, GS_AXIS(2) | GS_AXIS(3), false);
}

/* The auxiliary head on 17 x 17 maps. */
static gs_node *auxiliary(pass *p, gs_node *x)
{
    gs_scope_push(p->g, "AuxLogits");
    x = gs_avg_pool2d(x, &(gs_pool_opts){ .kernel = 5, .stride = 3 }); /* (N,768,5,5) */
    x = square(p, conv1x1(p, x, "conv0", 128), "conv1", 768, 5, 1, 0); /* (N,768,1,1) */
    x = gs_linear_layer(mean_cells(x), "fc", p->o->classes, NULL);
    gs_scope_pop(p->g);
    return x;
}

/* x std / 0.5 + (mean - 0.5) / 0.5, channel by channel: undoes ImageNet's normalisation and makes it [-1,1]. */
static gs_node *transform(pass *p, gs_node *x)
{
    static const float scale[3] = { 0.229f / 0.5f, 0.224f / 0.5f, 0.225f / 0.5f };
    static const float shift[3] = { (0.485f - 0.5f) / 0.5f, (0.456f - 0.5f) / 0.5f, (0.406f - 0.5f) / 0.5f };
    const gs_shape row = GS_SHAPE(1, 3, 1, 1);

    return gs_add(gs_mul(x, gs_const_data(p->g, row, GS_F32, scale)), gs_const_data(p->g, row, GS_F32, shift));
}

gs_inception_out gs_inception(gs_graph *g, const gs_inception_opts *o, const char *net, gs_node *x)
{
    pass p = { .g = g, .o = o };
    gs_inception_out out = { 0 };
    int n = 0;

#define MAP(layer) out.map[n].name = (layer), out.map[n++].node = x
    gs_scope_push(g, "%s", net);
    if (o->transform_input) x = transform(&p, x);
    x = square(&p, x, "Conv2d_1a_3x3", 32, 3, 2, 0); /* (N,32,149,149) */
    x = square(&p, x, "Conv2d_2a_3x3", 32, 3, 1, 0); /* (N,32,147,147) */
    x = square(&p, x, "Conv2d_2b_3x3", 64, 3, 1, 1);
    MAP("Conv2d_2b_3x3");
    x = halve(x);                                    /* (N,64,73,73) */
    x = conv1x1(&p, x, "Conv2d_3b_1x1", 80);
    x = square(&p, x, "Conv2d_4a_3x3", 192, 3, 1, 0); /* (N,192,71,71) */
    MAP("Conv2d_4a_3x3");
    x = halve(x);                                    /* (N,192,35,35) */
    x = block_a(&p, x, "Mixed_5b", 32);              /* (N,256,35,35) */
    MAP("Mixed_5b");
    x = block_a(&p, x, "Mixed_5c", 64);
    x = block_a(&p, x, "Mixed_5d", 64);              /* (N,288,35,35) */
    MAP("Mixed_5d");
    x = block_b(&p, x, "Mixed_6a");                  /* (N,768,17,17) */
    MAP("Mixed_6a");
    x = block_c(&p, x, "Mixed_6b", 128);
    x = block_c(&p, x, "Mixed_6c", 160);
    x = block_c(&p, x, "Mixed_6d", 160);
    x = block_c(&p, x, "Mixed_6e", 192);
    MAP("Mixed_6e");
    if (o->aux && o->classes > 0) out.aux = auxiliary(&p, x);
    x = block_d(&p, x, "Mixed_7a");                  /* (N,1280,8,8) */
    MAP("Mixed_7a");
    x = block_e(&p, x, "Mixed_7b", false);
    x = block_e(&p, x, "Mixed_7c", o->graph == GS_INCEPTION_FID2015); /* (N,2048,8,8) */
    MAP("Mixed_7c");
    out.features = mean_cells(x);
    if (o->classes > 0) out.logits = gs_linear_layer(out.features, "fc", o->classes, NULL);
    gs_scope_pop(g);
#undef MAP
    return out;
}
