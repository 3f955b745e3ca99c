/* Plans on the CUDA driver, run by the stand-in for NVIDIA's libraries (fixtures/fake_nvidia.c): a training
 * step with noise, a rate that changes and Adam gives the same bytes launched one by one and recorded as a
 * graph, whatever fails or moves meanwhile, and the numbers of an OpenCL device. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fixtures/fake_nvidia.h"
#include "gesso/gesso.h"
#include "lib/command.h"
#include "lib/fake_cuda.h"

enum { STEPS = 8, BATCH = 33, IN = 17, HIDDEN = 65, MOST = 8192 };

static struct fake_state *fake;
static gs_device_info *list;
static int n_list, warnings;
static char warned[1000];

static void keep_warning(const char *line, void *user)
{
    (void)user;
    snprintf(warned, sizeof warned, "%s", line);
    warnings++;
}

static void build(gs_graph *g)
{
    const gs_layer_opts o = { 0 };
    gs_node *x = gs_input(g, "x", GS_SHAPE(BATCH, IN), GS_F32), *lr = gs_input(g, "lr", GS_SCALAR, GS_F32), *h, *loss,
            *grads[8];
    gs_var *params[8];
    int n;

    h = gs_add(x, gs_scale(gs_random_normal(g, GS_SHAPE(BATCH, IN)), 0.1));
    h = gs_leaky_relu(gs_linear_layer(h, "first", HIDDEN, &o), 0.2);
    h = gs_linear_layer(h, "second", 1, &o);
    loss = gs_mean(gs_softplus(gs_neg(h)), GS_ALL, false);
    n = gs_trainable(g, "", params, 8);
    assert_int_equal(n, 4);
    gs_grad_params(loss, params, n, grads);
    gs_output(g, "loss", loss);
    gs_adam(g, "adam", params, grads, n, lr, NULL);
}

/* A plan of another graph that needs more workspace: the shared one moves. */
static gs_plan *larger_plan(gs_device *d, gs_store *s)
{
    gs_graph *g = gs_graph_new();
    gs_node *x = gs_input(g, "x", GS_SHAPE(700, 300), GS_F32);
    gs_plan *p;

    gs_output(g, "y", gs_matmul(gs_exp(x), gs_exp(x), true, false));
    assert_ok(gs_compile(g, d, s, NULL, &p));
    gs_graph_free(g);
    return p;
}

/* Trains; returns the losses and then all state. grow: the workspace moves after the fifth step. */
static float *train(gs_device *d, const char *off, bool grow, int *count)
{
    const gs_compile_opts o = { .off = off };
    float x[BATCH * IN], *all = gs_xalloc(MOST * sizeof *all);
    gs_graph *g = gs_graph_new();
    gs_plan *p, *larger = NULL;
    gs_store *s;
    int n = 0;

    build(g);
    assert_ok(gs_store_new(d, 7, &s));
    assert_ok(gs_compile(g, d, s, &o, &p));
    for (int step = 0; step < STEPS; step++) {
        const float lr = 0.01f / (float)(1 + step);

        for (int i = 0; i < BATCH * IN; i++) x[i] = (float)((i * 37 + step * 11) % 64) / 32 - 1;
        assert_ok(gs_plan_feed(p, "x", x));
        assert_ok(gs_plan_feed(p, "lr", &lr));
        assert_ok(gs_plan_run(p, 5, (uint64_t)(100 + step)));
        assert_ok(gs_plan_fetch(p, "loss", &all[n++]));
        if (grow && step == 4) larger = larger_plan(d, s);
    }
    for (int i = 0; i < gs_store_count(s); i++) {
        assert_true(n + gs_shape_count(gs_store_shape(s, i)) <= MOST);
        assert_ok(gs_store_read(s, i, &all[n]));
        n += (int)gs_shape_count(gs_store_shape(s, i));
    }
    gs_plan_free(larger);
    gs_plan_free(p);
    gs_store_free(s);
    gs_graph_free(g);
    *count = n;
    return all;
}

static float *train_on(int ordinal, const char *off, bool grow, int *count)
{
    gs_device *d;
    float *all;

    assert_ok(gs_driver_cuda.open(&list[ordinal], &d));
    all = train(d, off, grow, count);
    gs_device_close(d);
    assert_int_equal(fake->live_buffers, 0);
    assert_int_equal(fake->live_graphs, 0);
    assert_int_equal(fake->live_modules, 0);
    assert_int_equal(fake->live_blas, 0);
    return all;
}

/* want, off, ... : the same bytes with so many graphs made and launched. */
static void same(const float *want, int n, const char *off, bool grow, int captures, int replays)
{
    const int c = fake->captures, r = fake->replays;
    int m;
    float *got = train_on(0, off, grow, &m);

    assert_int_equal(n, m);
    assert_int_equal(fake->captures - c, captures);
    assert_int_equal(fake->replays - r, replays);
    for (int i = 0; i < n; i++)
        if (memcmp(&got[i], &want[i], 4)) fail_msg("element %d is %.9g, not %.9g", i, (double)got[i], (double)want[i]);
    free(got);
}

static void recorded_steps_give_the_same_bytes(void **state)
{
    int n;
    float *want = train_on(0, "graphs", false, &n);

    (void)state;
    assert_int_equal(fake->captures, 0);
    for (int i = 1; i < STEPS; i++) assert_true(want[i] != want[i - 1]); /* steps differ, so that one baked in would show */
    same(want, n, "", false, 1, STEPS - 2);
    same(want, n, "", true, 2, STEPS - 2); /* the addresses change: recorded anew */
    fake->fail_capture = 1;
    same(want, n, "", false, 0, 0);
    fake->fail_instantiate = 1;
    same(want, n, "", false, 0, 0);
    free(want);
}

static void numbers_are_those_of_opencl(void **state)
{
    gs_device *d;
    float *want, *got;
    int n, m;

    (void)state;
    if (gs_device_open("cpu", &d) != GS_OK) GS_SKIP("no OpenCL device for CPUs");
    want = train(d, "", false, &n);
    gs_device_close(d);
    for (int blas = 1; blas >= 0; blas--) { /* cuBLAS, and Gesso's own products where it does not start */
        gs_log_set(keep_warning, NULL);
        warnings = 0;
        fake->fail_blas = !blas;
        got = train_on(1, "", false, &m);
        gs_log_set(NULL, NULL);
        assert_int_equal(warnings, !blas);
        if (!blas) assert_true(gs_test_contains(warned, "Gesso's own kernels"));
        assert_int_equal(n, m);
        for (int i = 0; i < n; i++)
            if (!(fabsf(got[i] - want[i]) <= 2e-4f * (1 + fabsf(want[i]))))
                fail_msg("%s: element %d is %g, not %g", blas ? "cuBLAS" : "own", i, (double)got[i], (double)want[i]);
        free(got);
    }
    free(want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_steps_give_the_same_bytes),
        cmocka_unit_test(numbers_are_those_of_opencl),
    };
    int failed;

    unsetenv("GESSO_OFF");
    unsetenv("GESSO_GEMM");
    gs_test_keep_pocl_cache();
    if (!gs_test_cuda_start(&fake, &list, &n_list)) return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(list);
    return failed;
}
