/* Layer normalisation from the equation to a kernel, the example of docs/tutorial.md: the layer as nodes, its
 * gradient as nodes, one plan for both, and both held to the plainest loops in double precision.
 *
 *   GESSO_DEBUG=3 build/examples/layer_norm     shows the plan,   GESSO_DEBUG=4 the generated kernels too */
#include <gesso/gesso.h>

#include <math.h>
#include <stdio.h>

enum { N = 6, E = 37 }; /* rows, width */
static const double eps = 1e-5;

/* y = (x - mean) / sqrt(var + eps) w + b along the last axis (Ba et al. 2016, Eq. 4). x (N,E); w, b (E). */
static gs_node *layer_norm(gs_node *x, gs_node *w, gs_node *b)
{
    gs_node *mean, *var, *unit;

    gs_moments(x, GS_AXIS(1), &mean, &var);
    unit = gs_mul(gs_sub(x, mean), gs_rsqrt(gs_affine(var, 1, eps)));
    return gs_add(gs_mul(unit, w), b);
}

/* The same, and dx for the loss sum(y^2)/2, by loops: with u = (x - mean)/s and gu = y w,
 * dx = (gu - mean(gu) - u mean(gu u)) / s. */
static void by_hand(const float *x, const float *w, const float *b, double *y, double *dx)
{
    for (int n = 0; n < N; n++, x += E, y += E, dx += E) {
        double mean = 0, var = 0, mean_g = 0, mean_gu = 0, s;

        for (int e = 0; e < E; e++) mean += x[e] / (double)E;
        for (int e = 0; e < E; e++) var += (x[e] - mean) * (x[e] - mean) / E;
        s = sqrt(var + eps);
        for (int e = 0; e < E; e++) {
            y[e] = (x[e] - mean) / s * w[e] + b[e];
            mean_g += y[e] * w[e] / E;
            mean_gu += y[e] * w[e] * (x[e] - mean) / s / E;
        }
        for (int e = 0; e < E; e++) dx[e] = (y[e] * w[e] - mean_g - (x[e] - mean) / s * mean_gu) / s;
    }
}

static double worst(const float *a, const double *b)
{
    double w = 0;

    for (int i = 0; i < N * E; i++) w = fmax(w, fabs(a[i] - b[i]));
    return w;
}

int main(void)
{
    static float x[N * E], w[E], b[E], y[N * E], dx[N * E];
    static double y_ref[N * E], dx_ref[N * E];
    gs_graph *g = gs_graph_new();
    gs_node *in[3] = { gs_input(g, "x", GS_SHAPE(N, E), GS_F32), gs_input(g, "w", GS_SHAPE(E), GS_F32),
                       gs_input(g, "b", GS_SHAPE(E), GS_F32) };
    gs_node *out = layer_norm(in[0], in[1], in[2]), *loss = gs_scale(gs_sum(gs_square(out), GS_ALL, false), 0.5), *grad;
    gs_device *device = NULL;
    gs_plan *plan = NULL;
    int ok = 0;

    gs_grad(loss, in, 1, &grad); /* adds nodes; nothing has run yet */
    gs_output(g, "y", out);
    gs_output(g, "dx", grad);
    for (int i = 0; i < N * E; i++) x[i] = (float)sin(0.7 * i) + (float)(i % 5);
    for (int i = 0; i < E; i++) w[i] = 1 + 0.01f * (float)i, b[i] = 0.1f * (float)(i % 3);

    if (gs_device_open(NULL, &device) != GS_OK || gs_compile(g, device, NULL, NULL, &plan) != GS_OK) goto done;
    if (gs_plan_feed(plan, "x", x) != GS_OK || gs_plan_feed(plan, "w", w) != GS_OK || gs_plan_feed(plan, "b", b) != GS_OK) goto done;
    if (gs_plan_run(plan, 0, 0) != GS_OK || gs_plan_fetch(plan, "y", y) != GS_OK || gs_plan_fetch(plan, "dx", dx) != GS_OK) goto done;
    by_hand(x, w, b, y_ref, dx_ref);
    printf("%d launches; largest error of y %.2g, of dx %.2g\n", gs_plan_get_stats(plan).launches, worst(y, y_ref), worst(dx, dx_ref));
    ok = worst(y, y_ref) < 1e-5 && worst(dx, dx_ref) < 1e-5;
done:
    if (!ok) fprintf(stderr, "layer_norm: %s\n", *gs_last_error() ? gs_last_error() : "the device and the loops differ");
    gs_plan_free(plan);
    gs_device_close(device);
    gs_graph_free(g);
    return ok ? 0 : 1;
}
