/* See the header. */
#include "eval/traincheck.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

enum { B = GS_TRAINCHECK_BATCH, SIDE = GS_TRAINCHECK_SIDE, LATENT = 7, WIDTH = 16 };

const double gs_traincheck_losses[GS_TRAINCHECK_STEPS][2] = {
    { 0.9262381, 1.5123662 }, { 0.9126619, 1.4123998 }, { 0.8707375, 1.2765926 }, { 0.9063782, 1.2359597 },
    { 0.8981834, 1.1436889 }, { 0.9127880, 1.0857078 }, { 0.9380050, 1.0390783 }, { 0.9670664, 0.9893528 },
};

/* z (B,7) -> (B,1,8,8) in (-1,1) */
static gs_node *generator(gs_graph *g, gs_node *z, const gs_mode *mode)
{
    gs_node *x;

    gs_scope_push(g, "G");
    x = gs_relu(gs_batch_norm_layer(gs_linear_layer(z, "fc", WIDTH * 4 * 4, NULL), "norm", mode, NULL));
    x = gs_conv_transpose2d_layer(gs_reshape(x, GS_SHAPE(B, WIDTH, 4, 4)), "up", 1, 4, &(gs_conv2d_opts){ .stride = 2, .pad = 1 }, NULL);
    gs_scope_pop(g);
    return gs_tanh(x);
}

/* x (B,1,8,8) -> logits (B) */
static gs_node *discriminator(gs_graph *g, gs_node *x, const gs_mode *mode)
{
    gs_scope_push(g, "D");
    x = gs_leaky_relu(gs_conv2d_layer(x, "conv", WIDTH, 3, &(gs_conv2d_opts){ .pad = 1 }, NULL), 0.2);
    x = gs_dropout(gs_reshape(x, GS_SHAPE(B, WIDTH * SIDE * SIDE)), 0.25, mode, "drop");
    x = gs_reshape(gs_linear_layer(x, "fc", 1, NULL), GS_SHAPE(B));
    gs_scope_pop(g);
    return x;
}

static void update(gs_graph *g, const char *name, const char *prefix, gs_node *loss)
{
    gs_var *params[16];
    gs_node *grads[16];
    const int n = gs_trainable(g, prefix, params, 16);

    gs_grad_params(loss, params, n, grads);
    gs_adam(g, name, params, grads, n, gs_const(g, 1e-3), &(gs_adam_opts){ 0.5, 0.999, 1e-6, 0 });
}

void gs_traincheck_build(gs_graph *g)
{
    const gs_mode mode = { .train = true };
    gs_node *real = gs_input(g, "real", GS_SHAPE(B, 1, SIDE, SIDE), GS_F32), *fake, *loss_g, *loss_d;

    fake = generator(g, gs_random_normal(g, GS_SHAPE(B, LATENT)), &mode);
    loss_d = gs_add(gs_bce_with_target(discriminator(g, real, &mode), 0.9, GS_REDUCE_MEAN),
                    gs_bce_with_target(discriminator(g, gs_detach(fake), &mode), 0, GS_REDUCE_MEAN));
    update(g, "opt_D", "D.", loss_d);
    loss_g = gs_bce_with_target(discriminator(g, fake, &mode), 1, GS_REDUCE_MEAN);
    update(g, "opt_G", "G.", loss_g);
    gs_output(g, "losses", gs_concat((gs_node *[]){ gs_reshape(loss_g, GS_SHAPE(1)), gs_reshape(loss_d, GS_SHAPE(1)) }, 2, 0));
}

void gs_traincheck_real(int step, float *out)
{
    gs_rng r = { .seed = GS_TRAINCHECK_SEED, .stream = 1000 + (uint64_t)step };

    for (int b = 0; b < B; b++) {
        const int cx = (int)gs_rng_below(&r, SIDE), cy = (int)gs_rng_below(&r, SIDE);

        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) *out++ = 2.0f / (float)(1 + (x - cx) * (x - cx) + (y - cy) * (y - cy)) - 1;
    }
}

/* Trains from the start; hash: of all parameters and losses. */
static gs_status train(gs_device *d, double losses[GS_TRAINCHECK_STEPS][2], uint64_t *hash)
{
    gs_graph *g = gs_graph_new();
    gs_store *store = NULL;
    gs_plan *plan = NULL;
    float real[B * SIDE * SIDE], out[2];
    gs_status st = GS_OK;

    *hash = 0;
    gs_traincheck_build(g);
    TRY(gs_store_new(d, GS_TRAINCHECK_SEED, &store));
    TRY(gs_compile(g, d, store, NULL, &plan));
    for (int i = 0; i < GS_TRAINCHECK_STEPS; i++) {
        gs_traincheck_real(i, real);
        TRY(gs_plan_feed(plan, "real", real));
        TRY(gs_plan_run(plan, GS_TRAINCHECK_SEED, (uint64_t)i));
        TRY(gs_plan_fetch(plan, "losses", out));
        losses[i][0] = out[0];
        losses[i][1] = out[1];
        *hash = gs_hash64(out, sizeof out, *hash);
    }
    for (int i = 0; i < gs_store_count(store); i++) {
        const size_t n = (size_t)gs_shape_count(gs_store_shape(store, i));
        void *data = gs_xalloc(4 * n);

        st = gs_store_read(store, i, data);
        *hash = gs_hash64(data, 4 * n, *hash);
        free(data);
        TRY(st);
    }
done:
    gs_plan_free(plan);
    gs_store_free(store);
    gs_graph_free(g);
    return st;
}

void gs_traincheck_run(gs_device *d, gs_traincheck *out)
{
    double again[GS_TRAINCHECK_STEPS][2];
    uint64_t first, second;
    gs_status st = GS_OK;

    *out = (gs_traincheck){ 0 };
    TRY(train(d, out->losses, &first));
    TRY(train(d, again, &second));
    for (int i = 0; i < GS_TRAINCHECK_STEPS; i++)
        for (int k = 0; k < 2; k++) {
            const double e = fabs(out->losses[i][k] - gs_traincheck_losses[i][k]);

            if (e <= out->error) continue;
            out->error = e == e ? e : INFINITY;
            out->step = i;
        }
    out->repeats = first == second;
    out->pass = out->repeats && out->error <= GS_TRAINCHECK_LIMIT;
done:
    if (st != GS_OK) {
        out->error = INFINITY;
        snprintf(out->message, sizeof out->message, "%s", gs_last_error());
    }
}
