/* Plans: what the passes do to small programs (before and after), and that a compiled program computes what the double reference does, with
 * every pass on and off. Single ops are held to the reference by test_ops.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "gesso/gesso.h"
#include "graph/graph.h"
#include "plan/plan.h"

static gs_device *device;

static void ok(gs_status st)
{
    if (st != GS_OK) fail_msg("%s", gs_last_error());
}

/* A two-layer net with batch statistics, its loss, gradients and one Adam step: everything that fuses. */
static void build_net(gs_graph *g)
{
    gs_node *x = gs_input(g, "x", GS_SHAPE(33, 17), GS_F32);
    gs_node *w1 = gs_param(g, "w1", GS_SHAPE(65, 17), (gs_init){ GS_INIT_NORMAL, 0, 0.3 });
    gs_node *b1 = gs_param(g, "b1", GS_SHAPE(65), (gs_init){ GS_INIT_NORMAL, 0, 0.1 });
    gs_node *w2 = gs_param(g, "w2", GS_SHAPE(1, 65), (gs_init){ GS_INIT_NORMAL, 0, 0.3 });
    gs_node *h = gs_matmul(x, w1, false, true), *mean, *var, *y, *loss;
    gs_node *wrt[3] = { w1, b1, w2 }, *grad[3];
    const char *names[3] = { "w1", "b1", "w2" };
    gs_node *t = gs_affine(gs_read(gs_variable(g, "t", GS_SCALAR, GS_F32, (gs_init){ 0 }, false)), 1, 1);

    gs_moments(h, GS_AXIS(0), &mean, &var);
    h = gs_mul(gs_sub(h, mean), gs_rsqrt(gs_affine(var, 1, 1e-5)));
    h = gs_leaky_relu(gs_add(h, b1), 0.2); /* a bias before the statistics would have a gradient of rounding noise */
    y = gs_matmul(h, w2, false, true);
    loss = gs_mean(gs_softplus(gs_neg(y)), GS_ALL, false);
    gs_grad(loss, wrt, 3, grad);
    gs_assign(gs_variable(g, "t", GS_SCALAR, GS_F32, (gs_init){ 0 }, false), t);
    for (int i = 0; i < 3; i++) {
        char m_name[8], v_name[8];
        gs_var *p = gs_variable(g, names[i], gs_node_shape(wrt[i]), GS_F32, (gs_init){ GS_INIT_NORMAL, 0, 0.3 }, true);
        gs_var *m, *v;
        gs_node *m1, *v1, *c1, *c2;

        snprintf(m_name, sizeof m_name, "m%d", i);
        snprintf(v_name, sizeof v_name, "v%d", i);
        m = gs_variable(g, m_name, gs_node_shape(wrt[i]), GS_F32, (gs_init){ 0 }, false);
        v = gs_variable(g, v_name, gs_node_shape(wrt[i]), GS_F32, (gs_init){ 0 }, false);
        m1 = gs_add(gs_scale(gs_read(m), 0.5), gs_scale(grad[i], 0.5));
        v1 = gs_add(gs_scale(gs_read(v), 0.999), gs_scale(gs_square(grad[i]), 0.001));
        c1 = gs_sub(gs_const(g, 1), gs_pow(gs_const(g, 0.5), t));
        c2 = gs_sub(gs_const(g, 1), gs_pow(gs_const(g, 0.999), t));
        gs_assign(p, gs_sub(gs_read(p), gs_scale(gs_div(gs_div(m1, c1), gs_affine(gs_sqrt(gs_div(v1, c2)), 1, 1e-8)), 0.01)));
        gs_assign(m, m1);
        gs_assign(v, v1);
    }
    gs_output(g, "loss", loss);
    gs_output(g, "y", y);
    gs_output(g, "dw1", grad[0]);
    gs_output(g, "db1", grad[1]);
}

static void fill(float *x, int n, uint64_t seed)
{
    gs_rng r = { .seed = seed };

    for (int i = 0; i < n; i++) x[i] = (float)gs_rng_normal(&r);
}

/* Runs three steps; returns every variable and output, concatenated. */
static float *run_net(const char *off, int *count, char **text)
{
    gs_graph *g = gs_graph_new();
    gs_store *s;
    gs_plan *p;
    gs_compile_opts o = { .off = off };
    float x[33 * 17], *all;
    int n = 0;

    build_net(g);
    ok(gs_store_new(device, 7, &s));
    ok(gs_compile(g, device, s, &o, &p));
    for (int step = 0; step < 3; step++) {
        fill(x, 33 * 17, 10 + (uint64_t)step);
        ok(gs_plan_feed(p, "x", x));
        ok(gs_plan_run(p, 1, (uint64_t)step));
    }
    all = calloc(20000, sizeof *all);
    for (int i = 0; i < gs_store_count(s); i++) {
        ok(gs_store_read(s, i, all + n));
        n += (int)gs_shape_count(gs_store_shape(s, i));
    }
    ok(gs_plan_fetch(p, "loss", all + n)), n += 1;
    ok(gs_plan_fetch(p, "y", all + n)), n += 33;
    ok(gs_plan_fetch(p, "dw1", all + n)), n += 65 * 17;
    ok(gs_plan_fetch(p, "db1", all + n)), n += 65;
    if (text) *text = gs_plan_text(p);
    gs_plan_free(p);
    gs_store_free(s);
    gs_graph_free(g);
    *count = n;
    return all;
}

static void passes_change_nothing(void **state)
{
    static const char *const off[] = { "fuse", "cse", "simplify", "inplace", "fuse,cse,simplify,inplace" };
    int n;
    char *text;
    float *want = run_net("", &n, &text);

    (void)state;
    for (size_t k = 0; k < GS_COUNT(off); k++) {
        int m;
        float *got = run_net(off[k], &m, NULL);

        assert_int_equal(n, m);
        for (int i = 0; i < n; i++)
            if (fabsf(got[i] - want[i]) > 2e-5f * (1 + fabsf(want[i]))) fail_msg("without %s: element %d is %g, not %g", off[k], i, (double)got[i], (double)want[i]);
        free(got);
    }
    free(want);
    free(text);
}

static void equals_reference(void **state)
{
    gs_graph *g = gs_graph_new();
    gs_store *s;
    gs_plan *p;
    float x[33 * 17], y[65 * 17];
    double xd[33 * 17];
    gs_ref_feed feeds[32];
    gs_ref_result ref;
    gs_node *want[3];
    double *vd[32];
    int n = 0;

    (void)state;
    build_net(g);
    ok(gs_store_new(device, 7, &s));
    ok(gs_compile(g, device, s, NULL, &p));
    fill(x, 33 * 17, 10);
    for (int i = 0; i < 33 * 17; i++) xd[i] = x[i];
    for (int i = 0; i < g->n_inputs; i++) feeds[n++] = (gs_ref_feed){ g->inputs[i].node, xd };
    for (int i = 0; i < g->n_vars; i++) {
        const int k = gs_store_find(s, g->vars[i]->name);
        float f[65 * 17];

        ok(gs_store_read(s, k, f));
        vd[i] = calloc(65 * 17, sizeof(double));
        for (int j = 0; j < gs_shape_count(g->vars[i]->shape); j++) vd[i][j] = f[j];
        feeds[n++] = (gs_ref_feed){ g->vars[i]->initial, vd[i] };
    }
    for (int i = 0; i < 3; i++) want[i] = g->outputs[i + 1].node;
    ok(gs_ref_eval(g, want, 3, feeds, n, 1, 0, &ref));
    ok(gs_plan_feed(p, "x", x));
    ok(gs_plan_run(p, 1, 0));
    for (int k = 0; k < 3; k++) {
        const double *r = ref.value[want[k]->id];
        double worst = 0, scale = 0;

        ok(gs_plan_fetch(p, g->outputs[k + 1].name, y));
        for (int i = 0; i < gs_shape_count(want[k]->shape); i++) {
            worst = fmax(worst, fabs(y[i] - r[i]));
            scale = fmax(scale, fabs(r[i]));
        }
        if (!(worst <= 3e-6 * scale + 1e-7)) fail_msg("%s: error %g of %g", g->outputs[k + 1].name, worst, scale);
    }
    for (int i = 0; i < g->n_vars; i++) free(vd[i]);
    gs_ref_free(&ref);
    gs_plan_free(p);
    gs_store_free(s);
    gs_graph_free(g);
}

static int open_device(void **state)
{
    (void)state;
    return gs_device_open(NULL, &device) != GS_OK;
}

static int close_device(void **state)
{
    (void)state;
    gs_device_close(device);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_reference),
        cmocka_unit_test(passes_change_nothing),
    };

    return cmocka_run_group_tests(tests, open_device, close_device);
}
