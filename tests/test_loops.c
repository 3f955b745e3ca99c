/* Devices that end long loops (src/device/loops.c): every sum comes out whole on the device at hand, and
 * plans for a device with a limit split what is too long. On Mesa's llvmpipe all of `sums_are_whole` was
 * wrong before plans did so. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/graph.h"
#include "lib/one_device.h"
#include "plan/plan.h"

enum { LINE = 70000, LIMIT = 9000 };

typedef gs_node *build_fn(gs_graph *g);

static gs_node *input(gs_graph *g, gs_shape s) { return gs_input(g, g->n_inputs ? "b" : "a", s, GS_F32); }

static gs_node *conv_forward(gs_graph *g)
{
    return gs_conv2d(input(g, GS_SHAPE(1, 16, 23, 23)), input(g, GS_SHAPE(9, 16, 23, 23)), &(gs_conv2d_opts){ 0 });
}
static gs_node *conv_image_deep(gs_graph *g)
{
    const gs_attr a = { .i = { 1, 1, 0, 0, 1, 1, 1, 2 } };

    return gs__node2(&gs_op_conv2d_dx, input(g, GS_SHAPE(1, 9000, 1, 2)), input(g, GS_SHAPE(9000, 8, 1, 1)), &a);
}
static gs_node *conv_weights(gs_graph *g)
{
    const gs_attr a = { .i = { 1, 1, 0, 0, 1, 1, 1, 1 } };

    return gs__node2(&gs_op_conv2d_dw, input(g, GS_SHAPE(3, 8, 70, 80)), input(g, GS_SHAPE(3, 9, 70, 80)), &a);
}
static gs_node *conv_few(gs_graph *g)
{
    const gs_attr a = { .i = { 1, 1, 0, 0, 1, 1, 1, 1 } };

    return gs__node2(&gs_op_conv2d_dw, input(g, GS_SHAPE(3, 2, 140, 170)), input(g, GS_SHAPE(3, 3, 140, 170)), &a);
}
static gs_node *product(gs_graph *g)
{
    return gs_matmul(input(g, GS_SHAPE(3, LINE)), input(g, GS_SHAPE(LINE, 5)), false, false);
}
static gs_node *product_turned(gs_graph *g)
{
    return gs_matmul(input(g, GS_SHAPE(LINE, 3)), input(g, GS_SHAPE(5, LINE)), true, true);
}
static gs_node *running(gs_graph *g) { return gs_cumsum(input(g, GS_SHAPE(LINE, 2)), 0, false); }
static gs_node *running_back(gs_graph *g) { return gs_cumsum(input(g, GS_SHAPE(2, LINE)), 1, true); }
static gs_node *largest(gs_graph *g) { return gs_max(input(g, GS_SHAPE(LINE, 3)), 0, false); }
static gs_node *place(gs_graph *g) { return gs_argmax(input(g, GS_SHAPE(LINE, 3)), 0, false); }
static gs_node *columns(gs_graph *g)
{
    return gs_sum(input(g, GS_SHAPE(1100, 4, 70, 3)), GS_AXIS(0) | GS_AXIS(2), false);
}
static gs_node *rows(gs_graph *g) { return gs_sum(input(g, GS_SHAPE(3, 1 << 20)), GS_AXIS(1), false); }
static gs_node *mean_plane(gs_graph *g) { return gs_adaptive_avg_pool2d(input(g, GS_SHAPE(1, 2, 280, 260)), 1, 1); }
static gs_node *max_plane(gs_graph *g) { return gs_adaptive_max_pool2d(input(g, GS_SHAPE(1, 2, 280, 260)), 1, 1); }
static gs_node *max_gradient(gs_graph *g)
{
    gs_node *x = input(g, GS_SHAPE(1, 2, 1, 1)), *dx; /* one cell in many windows */

    gs_grad(gs_sum(gs_adaptive_max_pool2d(x, 270, 260), GS_ALL, false), &x, 1, &dx);
    return dx;
}
static gs_node *scattered(gs_graph *g)
{
    int32_t *index = gs_xalloc(sizeof *index * LINE);
    gs_node *i;

    for (int q = 0; q < LINE; q++) index[q] = q % 5 == 0; /* most into one row */
    i = gs_const_data(g, GS_SHAPE(LINE), GS_I32, index);
    free(index);
    return gs_scatter_add(i, input(g, GS_SHAPE(LINE, 3)), 2);
}

static const struct { const char *name, *conv, *kernel; build_fn *build; bool exact; } cases[] = {
    /* exact: the additions are the same as in one launch */
    { "conv2d, tiles", "tile", "conv_tile", conv_forward, false },
    { "conv2d_dx, tiles", "tile", "conv_tile", conv_image_deep, false },
    { "conv2d_dw, tiles", "tile", "conv_tile", conv_weights, false },
    { "conv2d, direct", "direct", "conv2d_direct", conv_forward, true },
    { "conv2d_dx, direct", "direct", "conv2d_dx_direct", conv_image_deep, true },
    { "conv2d_dw, direct", "direct", "conv2d_dw_direct", conv_few, true },
    { "matmul", NULL, "gemm", product, false },
    { "matmul of transposed", NULL, "gemm", product_turned, false },
    { "cumsum", NULL, "axis_cumsum", running, true },
    { "cumsum from the end", NULL, "axis_cumsum", running_back, true },
    { "max", NULL, "axis_max", largest, true },
    { "argmax", NULL, "axis_argmax", place, true },
    { "sum of columns", NULL, "sum", columns, false },
    { "sum of rows", NULL, "sum", rows, false },
    { "average of a plane", NULL, "linmap_axis", mean_plane, false },
    { "largest of a plane", NULL, "window_argmax", max_plane, true },
    { "gradient of a max pool", NULL, "window_scatter", max_gradient, true },
    { "scatter_add", NULL, "scatter_add", scattered, true },
};

/* Runs a case; the result is the caller's. *launches and *text (owned, may be NULL): of the plan. */
static float *result(size_t c, int *launches, char **text)
{
    gs_graph *g = gs_graph_new();
    gs_node *y;
    gs_rng r = { .seed = 11 };
    float *got;
    gs_plan *p;

    if (cases[c].conv) setenv("GESSO_CONV", cases[c].conv, 1);
    y = cases[c].build(g);
    gs_output(g, "y", y);
    if (gs_compile(g, device, NULL, NULL, &p) != GS_OK) fail_msg("%s: %s", cases[c].name, gs_last_error());
    unsetenv("GESSO_CONV");
    for (int i = 0; i < g->n_inputs; i++) { /* small integers: sums are exact in any order */
        const int64_t n = gs_shape_count(g->inputs[i].node->shape);
        float *f = gs_xalloc(4 * (size_t)n);

        for (int64_t e = 0; e < n; e++) f[e] = (float)gs_rng_below(&r, 4) - 1.0f;
        assert_ok(gs_plan_feed(p, g->inputs[i].name, f));
        free(f);
    }
    got = gs_xalloc(4 * (size_t)gs_shape_count(y->shape));
    assert_ok(gs_plan_run(p, 1, 1));
    assert_ok(gs_plan_fetch(p, "y", got));
    if (launches) *launches = gs_plan_get_stats(p).launches;
    if (text) *text = gs_plan_text(p);
    gs_plan_free(p);
    gs_graph_free(g);
    return got;
}

/* Against the double reference. */
static void compare(size_t c, const float *got, const char *how)
{
    gs_graph *g = gs_graph_new();
    gs_node *y = cases[c].build(g);
    gs_ref_feed feeds[2];
    gs_ref_result ref = { 0 };
    gs_rng r = { .seed = 11 };
    const int64_t n = gs_shape_count(y->shape);

    for (int i = 0; i < g->n_inputs; i++) {
        const int64_t count = gs_shape_count(g->inputs[i].node->shape);
        double *d = gs_xalloc(8 * (size_t)count);

        for (int64_t e = 0; e < count; e++) d[e] = (double)gs_rng_below(&r, 4) - 1.0;
        feeds[i] = (gs_ref_feed){ g->inputs[i].node, d };
    }
    assert_ok(gs_ref_eval(g, (gs_node *const[]){ y }, 1, feeds, g->n_inputs, 1, 1, &ref));
    for (int64_t i = 0; i < n; i++) {
        const double want = ref.value[y->id][i];
        int32_t v;

        memcpy(&v, &got[i], 4);
        if (!(fabs((y->dtype == GS_I32 ? (double)v : (double)got[i]) - want) <= 1e-5 * fmax(fabs(want), 1.0)))
            fail_msg("%s, %s: element %lld is %g, not %g", cases[c].name, how, (long long)i,
                     y->dtype == GS_I32 ? (double)v : (double)got[i], want);
    }
    for (int i = 0; i < g->n_inputs; i++) free((void *)feeds[i].data);
    gs_ref_free(&ref);
    gs_graph_free(g);
}

static void sums_are_whole(void **state)
{
    (void)state;
    for (size_t c = 0; c < GS_COUNT(cases); c++) {
        float *got = result(c, NULL, NULL);

        compare(c, got, "as this device has it");
        free(got);
    }
}

/* The same with a limit, in the forms for GPUs, on devices that have none. */
static void long_sums_are_split(void **state)
{
    const gs_device_info info = device->info;

    (void)state;
    if (gs_device_loop_turns(device) != INT64_MAX)
        GS_SKIP("this device has a limit of its own, which the test before held");
    setenv("GESSO_GEMM", "tile", 1);
    device->info.local_is_global = false;
    for (size_t c = 0; c < GS_COUNT(cases); c++) {
        int whole, split;
        float *one, *many;
        char *text;
        gs_graph *g = gs_graph_new();
        const size_t bytes = 4 * (size_t)gs_shape_count(cases[c].build(g)->shape);

        gs_graph_free(g);
        device->loop_turns = LIMIT;
        many = result(c, &split, &text);
        if (!gs_test_contains(text, cases[c].kernel))
            fail_msg("%s: no launch of %s in\n%s", cases[c].name, cases[c].kernel, text);
        compare(c, many, "with a limit");
        device->loop_turns = INT64_MAX;
        one = result(c, &whole, NULL);
        if (split <= whole && cases[c].build != columns && cases[c].build != rows)
            fail_msg("%s: %d launches with a limit, %d without", cases[c].name, split, whole);
        if (cases[c].exact && memcmp(one, many, bytes))
            fail_msg("%s: split sums differ from whole ones", cases[c].name);
        free(one), free(many), free(text);
    }
    device->info = info;
    unsetenv("GESSO_GEMM");
}

/* The count is right: a loop of that many turns, its last test included, is whole, and one turn more is not. */
static void limit_is_exact(void **state)
{
    const int64_t turns = gs_device_loop_turns(device);

    (void)state;
    assert_true(turns >= 1);
    assert_true(turns == gs_device_loop_turns(device));
    if (turns == INT64_MAX) GS_SKIP("this device ends no loops");
    for (int more = 0; more < 2; more++) {
        static const char source[] = "__kernel void turn(__global int *y, const ulong y0, const int n)\n"
                                     "{\n    int s = 0;\n    for (int i = 0; i < n; i++) s = (s ^ i) + 1;\n    y[y0] = s;\n}\n";
        const int32_t n = (int32_t)turns + more;
        const size_t one[3] = { 1, 1, 1 };
        const uint64_t offset = 0;
        gs_program *p;
        gs_kernel *k;
        gs_buffer *b;
        int32_t got, want = 0;

        for (int32_t i = 0; i < n; i++) want = (want ^ i) + 1;
        assert_ok(gs_program_source(device, "turn", source, "", &p));
        assert_ok(device->drv->kernel(device, p, "turn", &k));
        assert_ok(device->drv->alloc(device, 4, &b));
        assert_ok(device->drv->arg_buffer(k, 0, b));
        assert_ok(device->drv->arg_value(k, 1, sizeof offset, &offset));
        assert_ok(device->drv->arg_value(k, 2, sizeof n, &n));
        assert_ok(device->drv->launch(device, k, one, one, NULL));
        assert_ok(device->drv->read(device, b, 0, &got, 4));
        if (more) assert_int_not_equal(got, want);
        else assert_int_equal(got, want);
        device->drv->free_kernel(device, k);
        device->drv->free(device, b);
    }
}

/* What cannot be split is refused, and never computed wrong. */
static void too_long_is_refused(void **state)
{
    gs_graph *g = gs_graph_new();
    gs_plan *p;
    gs_device *null;

    (void)state;
    assert_ok(gs_device_open("null", &null));
    null->loop_turns = LIMIT;
    gs_output(g, "y", gs_adaptive_avg_pool2d(input(g, GS_SHAPE(1, 2, 2, LINE)), 1, 1));
    assert_fails(gs_compile(g, null, NULL, NULL, &p), GS_ELIMIT, "ends a kernel's loops after 9000 turns");
    gs_graph_free(g);
    gs_device_close(null);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limit_is_exact),
        cmocka_unit_test(sums_are_whole),
        cmocka_unit_test(long_sums_are_split),
        cmocka_unit_test(too_long_is_refused),
    };

    return cmocka_run_group_tests(tests, open_device, close_device);
}
