/* Trains a small net to tell two interleaved spirals apart: a graph is built once, compiled to a plan, and replayed.
 *
 *   cc train_small_net.c $(pkg-config --cflags --libs gesso) -lm -o train_small_net && ./train_small_net
 *
 * Prints the loss as it falls and the share of points on the right side; ends with status 1 when that stays
 * below 95 %. */
#include <gesso/gesso.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 400, STEPS = 1000, HIDDEN = 32 };

/* Point i of the two arms: x (N,2), and which arm it lies on. */
static void spirals(float x[N][2], float arm[N])
{
    for (int i = 0; i < N; i++) {
        const double t = (double)(i / 2) / (N / 2), angle = 3 * M_PI * t, side = i % 2 ? 1 : -1;

        x[i][0] = (float)(side * (0.2 + 1.3 * t) * cos(angle));
        x[i][1] = (float)(side * (0.2 + 1.3 * t) * sin(angle));
        arm[i] = (float)(i % 2);
    }
}

static gs_node *net(gs_node *x)
{
    x = gs_tanh(gs_linear_layer(x, "fc1", HIDDEN, NULL));
    x = gs_tanh(gs_linear_layer(x, "fc2", HIDDEN, NULL));
    return gs_reshape(gs_linear_layer(x, "out", 1, NULL), GS_SHAPE(N)); /* logits */
}

/* One step: loss, its gradient by every parameter, and Adam's update of each. */
static void build(gs_graph *g)
{
    gs_node *x = gs_input(g, "x", GS_SHAPE(N, 2), GS_F32), *arm = gs_input(g, "arm", GS_SHAPE(N), GS_F32);
    gs_node *logit = net(x), *loss = gs_bce_with_logits(logit, arm, GS_REDUCE_MEAN);
    gs_var *params[16];
    gs_node *grads[16];
    const int n = gs_trainable(g, "", params, 16);

    gs_output(g, "loss", loss);
    gs_output(g, "right", gs_mean(gs_eq(gs_step(logit), arm), GS_ALL, false));
    gs_grad_params(loss, params, n, grads);
    gs_adam(g, "adam", params, grads, n, gs_input(g, "lr", GS_SCALAR, GS_F32), NULL);
}

int main(void)
{
    static float x[N][2], arm[N];
    float loss = 0, right = 0;
    gs_graph *g = gs_graph_new();
    gs_device *device = NULL;
    gs_store *store = NULL;
    gs_plan *plan = NULL;
    int ok = 0;

    spirals(x, arm);
    build(g);
    if (gs_device_open(NULL, &device) != GS_OK || gs_store_new(device, 1, &store) != GS_OK) goto done;
    if (gs_compile(g, device, store, NULL, &plan) != GS_OK) goto done;
    if (gs_plan_feed(plan, "x", x) != GS_OK || gs_plan_feed(plan, "arm", arm) != GS_OK) goto done;
    for (int step = 0; step <= STEPS; step++) {
        const float lr = (float)gs_lr_linear(0.01, STEPS / 2, STEPS, step); /* falls to 0, so that the end is calm */

        if (gs_plan_feed(plan, "lr", &lr) != GS_OK) goto done;
        if (gs_plan_run(plan, 1, (uint64_t)step) != GS_OK) goto done;
        if (step % 100 != 0) continue;
        if (gs_plan_fetch(plan, "loss", &loss) != GS_OK || gs_plan_fetch(plan, "right", &right) != GS_OK) goto done;
        printf("step %4d  loss %.4f  right %.1f %%\n", step, loss, 100 * right);
    }
    ok = right >= 0.95f;
done:
    if (!ok) fprintf(stderr, "train_small_net: %s\n", *gs_last_error() ? gs_last_error() : "it did not learn");
    gs_plan_free(plan);
    gs_store_free(store);
    gs_device_close(device);
    gs_graph_free(g);
    return ok ? 0 : 1;
}
