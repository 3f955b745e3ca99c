/* The shapes that ops are measured at. They are those of layers of the five systems, named in `origin`; where
 * a layer runs at a batch that would take seconds on a small device, the row has a smaller one and says so.
 *
 * Shape letters: N C H W batch, channels, rows, columns; O output channels; K kernel side, or the length of a
 * product's sums. */
#include <stdlib.h>
#include <string.h>

#include "bench/bench_int.h"

/* C (M,N) = op(A) op(B), `batch` of them. */
static const struct { int m, n, k; bool ta, tb; int batch; const char *origin; } gemms[] = {
    { 256, 256, 256, false, false, 1, "square" },
    { 512, 512, 512, false, false, 1, "square" },
    { 1024, 1024, 1024, false, false, 1, "square" },
    { 1024, 1024, 1024, true, false, 1, "square" },
    { 2048, 2048, 2048, false, false, 1, "square" },
    { 960, 960, 960, false, true, 1, "square" },
    { 64, 1200, 512, false, true, 1, "cgan concat: G fc3" },
    { 64, 512, 1200, false, false, 1, "cgan concat: G fc3, dx" },
    { 1200, 512, 64, true, false, 1, "cgan concat: G fc3, dw" },
    { 64, 784, 1200, false, true, 1, "cgan concat: G fc_out" },
    { 64, 1200, 784, false, false, 1, "cgan concat: G fc_out, dx" },
    { 64, 1024, 794, false, true, 1, "cgan concat: D fc1" },
    { 1024, 794, 64, true, false, 1, "cgan concat: D fc1, dw" },
    { 64, 1, 256, false, true, 1, "cgan concat: D fc_out" },
    { 100, 1200, 1200, false, true, 1, "cgan paper: G h" },
    { 100, 1200, 1200, false, false, 1, "cgan paper: G h, dx" },
    { 100, 1200, 784, false, true, 1, "cgan paper: D mx (maxout)" },
    { 1200, 784, 100, true, false, 1, "cgan paper: D mx, dw" },
    { 128, 1200, 100, false, true, 1, "cgan embed: G fc1" },
    { 128, 512, 2048, false, true, 1, "cgan embed: D fc2" },
    { 128, 2048, 512, false, false, 1, "cgan embed: D fc2, dx" },
    { 512, 2048, 128, true, false, 1, "cgan embed: D fc2, dw" },
    { 1, 256, 8192, false, true, 1, "spade: E fc_mu" },
    { 1, 16384, 256, false, true, 1, "spade: G fc" },
    { 1024, 1, 9216, false, false, 1, "spade: G head_0.conv_0, power iteration" },
    { 9216, 1, 1024, true, false, 1, "spade: G head_0.conv_0, power iteration, transposed" },
    { 16, 16384, 228, false, true, 1, "text2image: G mapping" },
    { 16384, 228, 16, true, false, 1, "text2image: G mapping, dw" },
    { 800, 3072, 768, false, true, 1, "text2image: CLIP block, 16 pictures of 50 tokens" },
    { 800, 768, 3072, false, false, 1, "text2image: CLIP block, dx" },
    { 50, 50, 64, false, true, 192, "text2image: CLIP attention, 16 pictures of 12 heads" },
    { 50, 64, 50, false, false, 192, "text2image: CLIP attention, 16 pictures of 12 heads, times the values" },
    { 32, 3072, 1024, false, true, 1, "geneva: dialogue GRU" },
    { 32, 1024, 3072, false, false, 1, "geneva: GRU, dx" },
    { 3072, 1024, 32, true, false, 1, "geneva: GRU, dw" },
    { 32, 16384, 356, false, true, 1, "geneva: G fc1" },
    { 32, 356, 16384, false, false, 1, "geneva: G fc1, dx" },
    { 16384, 356, 32, true, false, 1, "geneva: G fc1, dw" },
    { 32, 2048, 1024, false, true, 1, "geneva: G conditional norm" },
    { 256, 4096, 2304, false, false, 1, "ugatit: G residual convolution, as a product" },
    { 64, 4096, 1152, false, false, 1, "convolution, as a product" },
    { 256, 256, 4096, true, false, 1, "long sum" },
};

/* Each is measured as y, dx and dw. transposed: x (N,C,H,H) -> (N,O,2H,2H) for stride 2. */
static const struct { int n, c, h, o, k, s, p; bool reflect, transposed; const char *origin; } convs[] = {
    { 128, 128, 16, 256, 4, 2, 1, false, false, "cgan cdcgan: D conv2" },
    { 128, 256, 8, 512, 4, 2, 1, false, false, "cgan cdcgan: D conv3" },
    { 128, 1, 32, 64, 4, 2, 1, false, false, "cgan cdcgan: D conv1_1" },
    { 128, 512, 4, 1, 4, 1, 0, false, false, "cgan cdcgan: D conv4" },
    { 128, 512, 4, 256, 4, 2, 1, false, true, "cgan cdcgan: G deconv2" },
    { 128, 256, 8, 128, 4, 2, 1, false, true, "cgan cdcgan: G deconv3" },
    { 128, 128, 16, 1, 4, 2, 1, false, true, "cgan cdcgan: G deconv4" },
    { 128, 100, 1, 256, 4, 1, 0, false, true, "cgan cdcgan: G deconv1_1" },
    { 1, 256, 64, 256, 3, 1, 1, true, false, "ugatit: G, 16 residual convolutions" },
    { 1, 128, 256, 64, 3, 1, 1, true, false, "ugatit: G up 2" },
    { 1, 3, 256, 64, 7, 1, 3, true, false, "ugatit: G first" },
    { 1, 64, 256, 3, 7, 1, 3, true, false, "ugatit: G last" },
    { 1, 64, 256, 128, 3, 2, 1, true, false, "ugatit: G down 2" },
    { 1, 512, 64, 256, 1, 1, 0, false, false, "ugatit: attention; spade: up_1 conv_s" },
    { 1, 256, 32, 512, 4, 1, 1, true, false, "ugatit: D local, model.10" },
    { 1, 3, 256, 64, 4, 2, 1, true, false, "ugatit: D model.1" },
    { 1, 1024, 16, 1024, 3, 1, 1, false, false, "spade: G_middle conv_0" },
    { 1, 128, 64, 512, 3, 1, 1, false, false, "spade: up_1 gamma and beta" },
    { 1, 151, 128, 128, 3, 1, 1, false, false, "spade: up_2 mlp_shared" },
    { 1, 128, 256, 64, 3, 1, 1, false, false, "spade: up_3 conv_0" },
    { 1, 64, 256, 64, 3, 1, 1, false, false, "spade: VGG conv1_2" },
    { 16, 1024, 4, 512, 4, 2, 1, false, true, "text2image: G up 1" },
    { 16, 128, 32, 64, 4, 2, 1, false, true, "text2image: G up 4" },
    { 4, 192, 64, 64, 3, 1, 1, false, false, "text2image: G joining, batch 4" },
    { 4, 64, 64, 64, 3, 1, 1, false, false, "text2image: G residual, batch 4" },
    { 32, 3, 128, 64, 4, 2, 1, false, false, "geneva: image encoder, 0" },
    { 8, 256, 16, 512, 3, 1, 1, false, false, "geneva: D resdown4, batch 8" },
};

/* How a tensor op is built. `cut`: the axis along which it does independent work, for checking piece by
 * piece; -1: it must be checked as a whole. */
typedef gs_node *build_fn(gs_node *x, const gs__case *c);

static gs_node *channels(gs_node *x, const char *name) { return gs_input(x->graph, name, GS_SHAPE(gs_node_dim(x, 1)), GS_F32); }
static gs_node *like(gs_node *x, const char *name) { return gs_input(x->graph, name, x->shape, GS_F32); }
static unsigned not_channels(const gs_node *x) { return GS_ALL & ~GS_AXIS(1) & ((1u << x->shape.rank) - 1); }

/* Adds the gradients by x and by the first n of w as outputs y, y1, ...; returns the one by x. */
static gs_node *gradients(gs_node *y, gs_node *x, gs_node *const *w, int n)
{
    static const char *const names[] = { "y1", "y2" };
    gs_node *wrt[3] = { x }, *out[3];

    for (int i = 0; i < n; i++) wrt[i + 1] = w[i];
    gs_grad_with(y, like(y, "dy"), wrt, n + 1, out);
    for (int i = 0; i < n; i++) gs_output(x->graph, names[i], out[i + 1]);
    return out[0];
}

static gs_node *batch_norm_of(gs_node *x, gs_node *wb[2])
{
    gs_node *mean, *var;

    wb[0] = channels(x, "w"), wb[1] = channels(x, "b");
    gs_moments(x, not_channels(x), &mean, &var);
    mean = gs_reshape(mean, GS_SHAPE(gs_node_dim(x, 1)));
    var = gs_reshape(var, GS_SHAPE(gs_node_dim(x, 1)));
    return gs_batch_norm(x, mean, var, wb[0], wb[1], 1e-5);
}

static gs_node *batch_norm(gs_node *x, const gs__case *c)
{
    gs_node *wb[2];

    (void)c;
    return batch_norm_of(x, wb);
}

static gs_node *batch_norm_grad(gs_node *x, const gs__case *c)
{
    gs_node *wb[2], *y = batch_norm_of(x, wb);

    (void)c;
    return gradients(y, x, wb, 2);
}

static gs_node *instance_norm(gs_node *x, const gs__case *c)
{
    (void)c;
    return gs_instance_norm(x, NULL, NULL, 1e-5);
}

static gs_node *instance_norm_relu(gs_node *x, const gs__case *c) { return gs_relu(instance_norm(x, c)); }
static gs_node *instance_norm_grad(gs_node *x, const gs__case *c) { return gradients(instance_norm(x, c), x, NULL, 0); }

/* SPADE: batch normalisation without affine part, times 1 + gamma, plus beta, leaky ReLU. */
static gs_node *spade_norm(gs_node *x, const gs__case *c)
{
    gs_node *mean, *var;

    (void)c;
    gs_moments(x, not_channels(x), &mean, &var);
    x = gs_mul(gs_sub(x, mean), gs_rsqrt(gs_affine(var, 1, 1e-5)));
    return gs_leaky_relu(gs_add(gs_mul(x, gs_affine(like(x, "gamma"), 1, 1)), like(x, "beta")), 0.2);
}

static gs_node *adalin(gs_node *x, const gs__case *c)
{
    const gs_shape nc = GS_SHAPE(gs_node_dim(x, 0), gs_node_dim(x, 1));

    (void)c;
    return gs_adalin(x, gs_input(x->graph, "gamma", nc, GS_F32), gs_input(x->graph, "beta", nc, GS_F32),
                     gs_input(x->graph, "rho", GS_SHAPE(1, gs_node_dim(x, 1), 1, 1), GS_F32), 1e-5, GS_UNBIASED);
}

static gs_node *layer_norm(gs_node *x, const gs__case *c)
{
    (void)c;
    return gs_layer_norm(x, channels(x, "w"), channels(x, "b"), 1e-5);
}

static gs_node *layer_norm_grad(gs_node *x, const gs__case *c)
{
    gs_node *wb[2] = { channels(x, "w"), channels(x, "b") };

    (void)c;
    return gradients(gs_layer_norm(x, wb[0], wb[1], 1e-5), x, wb, 2);
}

static gs_node *softmax(gs_node *x, const gs__case *c)
{
    (void)c;
    return gs_softmax(x, 1);
}

static gs_node *bias_leaky_relu(gs_node *x, const gs__case *c)
{
    (void)c;
    return gs_leaky_relu(gs_add_bias(x, channels(x, "b")), 0.2);
}

static gs_node *leaky_relu_grad(gs_node *x, const gs__case *c)
{
    (void)c;
    return gradients(gs_leaky_relu(x, 0.2), x, NULL, 0);
}

static gs_node *add(gs_node *x, const gs__case *c)
{
    (void)c;
    return gs_add(x, like(x, "x2"));
}

static gs_node *tanh_of(gs_node *x, const gs__case *c)
{
    (void)c;
    return gs_tanh(x);
}

static gs_node *modulate(gs_node *x, const gs__case *c)
{
    (void)c;
    return gs_leaky_relu(gs_add(gs_mul(x, gs_affine(like(x, "gamma"), 1, 1)), like(x, "beta")), 0.2);
}

static gs_node *l1_loss(gs_node *x, const gs__case *c)
{
    (void)c;
    return gs_l1(x, like(x, "target"), GS_REDUCE_MEAN);
}

static gs_node *sum_hw(gs_node *x, const gs__case *c)
{
    (void)c;
    return gs_sum(x, GS_AXIS(2) | GS_AXIS(3), false);
}

/* Keeps the channels: the gradient by a bias. */
static gs_node *sum_bias(gs_node *x, const gs__case *c)
{
    (void)c;
    return gs_sum(x, not_channels(x), true);
}

static gs_node *nearest2(gs_node *x, const gs__case *c)
{
    (void)c;
    return gs_resize2d(x, GS_NEAREST, (int)(2 * gs_node_dim(x, 2)), (int)(2 * gs_node_dim(x, 3)));
}

static gs_node *nearest2_grad(gs_node *x, const gs__case *c) { return gradients(nearest2(x, c), x, NULL, 0); }

static gs_node *bilinear(gs_node *x, const gs__case *c)
{
    (void)c;
    return gs_resize2d(x, GS_BILINEAR, 299, 299);
}

static gs_node *avg_pool2(gs_node *x, const gs__case *c)
{
    (void)c;
    return gs_avg_pool2d(x, &(gs_pool_opts){ .kernel = 2 });
}

static gs_node *avg_pool2_grad(gs_node *x, const gs__case *c) { return gradients(avg_pool2(x, c), x, NULL, 0); }

static gs_node *avg_pool3s2(gs_node *x, const gs__case *c)
{
    (void)c;
    return gs_avg_pool2d(x, &(gs_pool_opts){ .kernel = 3, .stride = 2, .pad = 1, .exclude_pad = true });
}

static gs_node *max_pool2(gs_node *x, const gs__case *c)
{
    (void)c;
    return gs_max_pool2d(x, &(gs_pool_opts){ .kernel = 2 });
}

static gs_node *reflect1(gs_node *x, const gs__case *c)
{
    (void)c;
    return gs_pad2d(x, GS_PAD_REFLECT, 1, 1, 1, 1);
}

/* h = 0: x is (N,C). */
static const struct tensor_case { const char *family, *op; build_fn *build; int cut, n, c, h, w; const char *origin; } tensors[] = {
    { "norm", "batch_norm", batch_norm, 1, 128, 256, 8, 8, "cgan cdcgan: G deconv2, D conv2" },
    { "norm", "batch_norm_grad", batch_norm_grad, 1, 128, 256, 8, 8, "cgan cdcgan: G deconv2, D conv2" },
    { "norm", "batch_norm", batch_norm, 1, 64, 1024, 0, 0, "cgan ln: G" },
    { "norm", "batch_norm_grad", batch_norm_grad, 1, 64, 1024, 0, 0, "cgan ln: G" },
    { "norm", "instance_norm_relu", instance_norm_relu, 1, 1, 256, 64, 64, "ugatit: G residual block" },
    { "norm", "instance_norm_grad", instance_norm_grad, 1, 1, 256, 64, 64, "ugatit: G residual block" },
    { "norm", "instance_norm_relu", instance_norm_relu, 1, 1, 64, 256, 256, "ugatit: G first" },
    { "norm", "adalin", adalin, -1, 1, 256, 64, 64, "ugatit: G up blocks" },
    { "norm", "spade_norm", spade_norm, 1, 1, 128, 128, 128, "spade: up_2 norm_1" },
    { "norm", "layer_norm", layer_norm, 0, 800, 768, 0, 0, "text2image: CLIP, 16 pictures of 50 tokens" },
    { "norm", "layer_norm_grad", layer_norm_grad, -1, 800, 768, 0, 0, "text2image: CLIP, 16 pictures of 50 tokens" },
    { "norm", "softmax", softmax, 0, 9600, 50, 0, 0, "text2image: CLIP attention, 16 pictures of 12 heads" },
    { "elementwise", "bias_leaky_relu", bias_leaky_relu, 1, 64, 1200, 0, 0, "cgan concat: G fc3" },
    { "elementwise", "bias_leaky_relu", bias_leaky_relu, 1, 128, 128, 16, 16, "cgan cdcgan: D conv1_1 and conv1_2" },
    { "elementwise", "leaky_relu_grad", leaky_relu_grad, 1, 1, 64, 128, 128, "ugatit: D model.1" },
    { "elementwise", "add", add, 1, 1, 256, 64, 64, "ugatit: residual sum" },
    { "elementwise", "add", add, 1, 8, 64, 128, 128, "geneva: G resup5, batch 8" },
    { "elementwise", "tanh", tanh_of, 1, 1, 3, 256, 256, "ugatit, spade: pictures" },
    { "elementwise", "modulate", modulate, 1, 1, 64, 256, 256, "spade: up_3 norm_1, after the statistics" },
    { "reduce", "l1_loss", l1_loss, -1, 1, 3, 256, 256, "ugatit: cycle loss" },
    { "reduce", "sum_hw", sum_hw, 1, 1, 256, 64, 64, "ugatit: average pool of the attention" },
    { "reduce", "sum_hw", sum_hw, 1, 8, 1024, 4, 4, "geneva: D phi, batch 8" },
    { "reduce", "sum_bias", sum_bias, 1, 128, 256, 8, 8, "cgan cdcgan: gradient by a bias" },
    { "reduce", "sum_bias", sum_bias, 1, 64, 1200, 0, 0, "cgan concat: gradient by a bias" },
    { "resample", "nearest2", nearest2, 1, 1, 128, 128, 128, "ugatit: G up 2" },
    { "resample", "nearest2_grad", nearest2_grad, 1, 1, 128, 128, 128, "ugatit: G up 2" },
    { "resample", "avg_pool2", avg_pool2, 1, 8, 64, 128, 128, "geneva: D resdown1, batch 8" },
    { "resample", "avg_pool2_grad", avg_pool2_grad, 1, 8, 64, 128, 128, "geneva: D resdown1, batch 8" },
    { "resample", "avg_pool3s2", avg_pool3s2, 1, 1, 151, 128, 128, "spade: between the scales of D" },
    { "resample", "max_pool2", max_pool2, 1, 1, 64, 256, 256, "spade: VGG" },
    { "resample", "bilinear", bilinear, 1, 4, 3, 128, 128, "geneva: pictures for the evaluator, batch 4" },
    { "resample", "reflect1", reflect1, 1, 1, 256, 64, 64, "ugatit: padding of the residual convolutions" },
};

/* Adam over tensors of these many rows and columns. */
static const struct { const char *name, *origin; int n, shape[6][2]; } adams[] = {
    { "cgan_concat_G", "cgan concat: weights of G", 4, { { 256, 110 }, { 512, 256 }, { 1200, 512 }, { 784, 1200 } } },
    { "ugatit_residual", "ugatit: two residual convolutions", 2, { { 256, 2304 }, { 256, 2304 } } },
};

static const char *const conv_ops[] = { "y", "dx", "dw" };

static void push(gs__case **list, int *n, int *cap, gs__case c) { GS_PUSH(*list, *n, *cap, c); }

gs__case *gs__cases(int *n)
{
    gs__case *list = NULL;
    int cap = 0;

    *n = 0;
    for (size_t i = 0; i < GS_COUNT(gemms); i++) {
        gs__case c = { .family = "gemm", .op = "product", .origin = gemms[i].origin, .n = gemms[i].batch, .m = gemms[i].m, .nn = gemms[i].n,
                       .k = gemms[i].k, .ta = gemms[i].ta, .tb = gemms[i].tb, .index = (int)i };

        snprintf(c.id, sizeof c.id, "gemm/%dx%dx%d_%c%c", c.m, c.nn, c.k, c.ta ? 't' : 'n', c.tb ? 't' : 'n');
        if (c.n > 1) snprintf(c.id + strlen(c.id), sizeof c.id - strlen(c.id), "_b%d", c.n);
        push(&list, n, &cap, c);
    }
    for (size_t i = 0; i < GS_COUNT(convs); i++)
        for (size_t op = 0; op < GS_COUNT(conv_ops); op++) {
            gs__case c = { .family = "conv", .op = conv_ops[op], .origin = convs[i].origin, .n = convs[i].n, .c = convs[i].c, .h = convs[i].h,
                           .w = convs[i].h, .m = convs[i].o, .k = convs[i].k, .stride = convs[i].s, .pad = convs[i].p,
                           .reflect = convs[i].reflect, .transposed = convs[i].transposed, .index = (int)i };

            snprintf(c.id, sizeof c.id, "%s/%dx%dx%dx%d_o%d_k%ds%dp%d%s/%s", c.transposed ? "deconv" : "conv", c.n, c.c, c.h, c.w, c.m, c.k, c.stride,
                     c.pad, c.reflect ? "r" : "", c.op);
            push(&list, n, &cap, c);
        }
    for (size_t i = 0; i < GS_COUNT(tensors); i++) {
        const struct tensor_case *t = &tensors[i];
        gs__case c = { .family = t->family, .op = t->op, .origin = t->origin, .n = t->n, .c = t->c, .h = t->h, .w = t->w, .index = (int)i };

        if (t->h) snprintf(c.id, sizeof c.id, "%s/%s/%dx%dx%dx%d", t->family, t->op, t->n, t->c, t->h, t->w);
        else snprintf(c.id, sizeof c.id, "%s/%s/%dx%d", t->family, t->op, t->n, t->c);
        push(&list, n, &cap, c);
    }
    for (size_t i = 0; i < GS_COUNT(adams); i++) {
        gs__case c = { .family = "adam", .op = "adam", .origin = adams[i].origin, .n = adams[i].n, .index = (int)i };

        snprintf(c.id, sizeof c.id, "adam/%s", adams[i].name);
        push(&list, n, &cap, c);
    }
    return list;
}

void gs__case_json(const gs__case *c, cJSON *o)
{
    char hash[24];
    cJSON *p;

    gs__case_hash(c, hash);
    cJSON_AddStringToObject(o, "id", c->id);
    cJSON_AddStringToObject(o, "family", c->family);
    cJSON_AddStringToObject(o, "op", c->op);
    cJSON_AddStringToObject(o, "origin", c->origin);
    cJSON_AddStringToObject(o, "hash", hash);
    p = cJSON_AddObjectToObject(o, "params");
    if (strcmp(c->family, "gemm") == 0) {
        cJSON_AddNumberToObject(p, "m", c->m);
        cJSON_AddNumberToObject(p, "n", c->nn);
        cJSON_AddNumberToObject(p, "k", c->k);
        cJSON_AddNumberToObject(p, "batch", c->n);
        cJSON_AddBoolToObject(p, "ta", c->ta);
        cJSON_AddBoolToObject(p, "tb", c->tb);
    } else if (strcmp(c->family, "adam") == 0) {
        cJSON *list = cJSON_AddArrayToObject(p, "tensors");

        for (int i = 0; i < adams[c->index].n; i++) cJSON_AddItemToArray(list, cJSON_CreateIntArray(adams[c->index].shape[i], 2));
    } else {
        const int shape[4] = { c->n, c->c, c->h, c->w };

        cJSON_AddItemToObject(p, "x", cJSON_CreateIntArray(shape, c->h ? 4 : 2));
        if (strcmp(c->family, "conv") != 0) return;
        cJSON_AddNumberToObject(p, "o", c->m);
        cJSON_AddNumberToObject(p, "k", c->k);
        cJSON_AddNumberToObject(p, "stride", c->stride);
        cJSON_AddNumberToObject(p, "pad", c->pad);
        cJSON_AddBoolToObject(p, "reflect", c->reflect);
        cJSON_AddBoolToObject(p, "transposed", c->transposed);
    }
}

void gs__case_hash(const gs__case *c, char text[24])
{
    char all[256];
    uint64_t hash;

    snprintf(all, sizeof all, "%s %s %d %d %d %d %d %d %d %d %d %d%d%d%d", c->family, c->op, c->n, c->c, c->h, c->w, c->m, c->nn, c->k, c->stride,
             c->pad, c->ta, c->tb, c->reflect, c->transposed);
    hash = gs_hash_str(all);
    if (strcmp(c->family, "adam") == 0) hash = gs_hash64(adams[c->index].shape, sizeof adams[c->index].shape, hash);
    snprintf(text, 24, "%016llx", (unsigned long long)hash);
}

/* ---- building ---- */

static void build_gemm(const gs__case *c, const gs__cut *cut, gs_graph *g)
{
    const int n = cut->o ? cut->o : c->nn;
    const gs_shape a = c->ta ? GS_SHAPE(c->n, c->k, c->m) : GS_SHAPE(c->n, c->m, c->k);
    const gs_shape b = c->tb ? GS_SHAPE(c->n, n, c->k) : GS_SHAPE(c->n, c->k, n);

    gs_output(g, "y", gs_matmul(gs_input(g, "a", a, GS_F32), gs_input(g, "b", b, GS_F32), c->ta, c->tb));
}

static void build_conv(const gs__case *c, const gs__cut *cut, gs_graph *g)
{
    const int o = cut->o ? cut->o : c->m, ch = cut->c ? cut->c : c->c;
    gs_node *x = gs_input(g, "x", GS_SHAPE(c->n, ch, c->h, c->w), GS_F32);
    gs_node *w = gs_input(g, "w", c->transposed ? GS_SHAPE(ch, o, c->k, c->k) : GS_SHAPE(o, ch, c->k, c->k), GS_F32);
    const gs_conv2d_opts opts = { .stride = c->stride, .pad = c->pad, .pad_mode = c->reflect ? GS_PAD_REFLECT : GS_PAD_ZERO };
    gs_node *y = c->transposed ? gs_conv_transpose2d(x, w, &opts) : gs_conv2d(x, w, &opts), *by = strcmp(c->op, "dx") == 0 ? x : w, *out;

    if (strcmp(c->op, "y") == 0) out = y;
    else gs_grad_with(y, like(y, "dy"), &by, 1, &out);
    gs_output(g, "y", out);
}

static void build_adam(const gs__case *c, gs_graph *g)
{
    gs_var *p[6];
    gs_node *grad[6];

    for (int i = 0; i < adams[c->index].n; i++) {
        const gs_shape s = GS_SHAPE(adams[c->index].shape[i][0], adams[c->index].shape[i][1]);
        char name[16];

        snprintf(name, sizeof name, "p%d", i);
        p[i] = gs_variable(g, name, s, GS_F32, (gs_init){ GS_INIT_UNIFORM, -1, 1 }, true);
        snprintf(name, sizeof name, "g%d", i);
        grad[i] = gs_input(g, name, s, GS_F32);
    }
    gs_adam(g, "adam", p, grad, adams[c->index].n, gs_const(g, GS__ADAM_LR), &(gs_adam_opts){ GS__ADAM_BETA1, GS__ADAM_BETA2, 0, 0 });
}

void gs__case_build(const gs__case *c, const gs__cut *cut, gs_graph *g)
{
    static const gs__cut whole = { 0 };
    const struct tensor_case *t = &tensors[c->index];
    gs_node *x;

    if (!cut) cut = &whole;
    if (strcmp(c->family, "gemm") == 0) {
        build_gemm(c, cut, g);
    } else if (strcmp(c->family, "conv") == 0) {
        build_conv(c, cut, g);
    } else if (strcmp(c->family, "adam") == 0) {
        build_adam(c, g);
    } else {
        const int n = cut->n ? cut->n : c->n, ch = cut->c ? cut->c : c->c;

        x = gs_input(g, "x", c->h ? GS_SHAPE(n, ch, c->h, c->w) : GS_SHAPE(n, ch), GS_F32);
        gs_output(g, "y", t->build(x, c));
    }
}

int gs__case_axis(const gs__case *c)
{
    return tensors[c->index].cut;
}
