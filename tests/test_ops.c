/* Every line of tests/cases/ops.txt on the device, fused and unfused: results, gradients and gradients of
 * gradients against the double reference, and a second run to the byte. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>

#include "eval/opcheck.h"
#include "gesso/plan.h"

static gs_opcase *cases;
static int n_cases;
static gs_device *device;

static int setup(void **state)
{
    (void)state;
    assert_ok(gs_opcases_parse(gs__opcases_text, &cases, &n_cases));
    assert_ok(gs_device_open(NULL, &device));
    printf("device: %s\n", gs_device_get_info(device)->name);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gs_device_close(device);
    gs_opcases_free(cases, n_cases);
    return 0;
}

/* Prints each failing case and how near the others came. */
static void hold(const char *off)
{
    gs_opcheck *r = gs_xalloc((size_t)n_cases * sizeof *r);
    int checked = 0, failed = 0;
    double nearest = 0;
    const double start = gs_now();
    const char *closest = "";

    assert_ok(gs_opcheck_run(device, cases, n_cases, &(gs_opcheck_opts){ .off = off }, r));
    for (int i = 0; i < n_cases; i++) {
        assert_int_equal(r[i].checked, cases[i].error[0] == 0);
        if (!r[i].checked) continue;
        checked++;
        if (r[i].pass && r[i].error / r[i].limit > nearest) {
            nearest = r[i].error / r[i].limit;
            closest = cases[i].text;
        }
        if (r[i].pass) continue;
        failed++;
        printf("line %d: %s\n    %s: error %.3g, limit %.3g %s\n", cases[i].line, cases[i].text, r[i].part, r[i].error,
               r[i].limit, r[i].message);
    }
    printf("%d cases, %d failed, nearest to its limit (%.2f): %s (%.1f s)\n", checked, failed, nearest, closest,
           gs_now() - start);
    free(r);
    assert_true(checked > 150);
    assert_int_equal(failed, 0);
}

static void test_fused(void **state)
{
    (void)state;
    hold(NULL);
}

static void test_unfused(void **state)
{
    (void)state;
    hold("fuse,cse,inplace");
}

/* The judge can say no: the null device computes nothing. */
static void test_null_fails(void **state)
{
    gs_opcase c[3];
    gs_opcheck r[3];
    gs_device *null;

    (void)state;
    assert_ok(gs_device_open("null", &null));
    assert_ok(gs_opcase_parse("exp x=33 -> 33", 1, &c[0]));
    assert_ok(gs_opcase_parse("argmax x=5,65 axis=1 -> 5", 2, &c[1]));
    assert_ok(gs_opcase_parse("exp x=i32:3 -> error \"int32\"", 3, &c[2]));
    assert_ok(gs_opcheck_run(null, c, 3, NULL, r));
    for (int i = 0; i < 2; i++) {
        assert_true(r[i].checked && !r[i].pass && r[i].error > r[i].limit);
        assert_string_equal(r[i].part, "result");
    }
    assert_false(r[2].checked);
    for (int i = 0; i < 3; i++) gs_opcase_free(&c[i]);
    gs_device_close(null);
}

/* Far values neither overflow on the way nor turn into NaN, and a NaN is not swallowed (a run that diverges
 * must be seen). */
static void test_extremes(void **state)
{
    static const float x[] = { -1e30f, -100, -20, 0, 20, 100, 1e30f, NAN };
    enum { N = GS_COUNT(x), OPS = 9 };
    static const struct { const char *name; float want[N]; } op[OPS] = {
        { "sigmoid", { 0, 3.7835e-44f, 2.0611537e-9f, 0.5f, 1, 1, 1, NAN } },
        { "softplus", { 0, 3.7835e-44f, 2.0611537e-9f, 0.69314718f, 20, 100, 1e30f, NAN } },
        { "tanh", { -1, -1, -1, 0, 1, 1, 1, NAN } },
        { "relu", { 0, 0, 0, 0, 20, 100, 1e30f, NAN } },
        { "leaky_relu", { -2e29f, -20, -4, 0, 20, 100, 1e30f, NAN } },
        { "clamp", { -50, -50, -20, 0, 20, 50, 50, NAN } },
        { "max2", { 1, 1, 1, 1, 20, 100, 1e30f, NAN } },
        { "min2", { -1e30f, -100, -20, 0, 1, 1, 1, NAN } },
        { "max2 turned", { 1, 1, 1, 1, 20, 100, 1e30f, NAN } },
    };
    gs_graph *g = gs_graph_new();
    gs_node *in = gs_input(g, "x", GS_SHAPE(N), GS_F32), *one = gs_input(g, "one", GS_SHAPE(N), GS_F32);
    gs_node *y[OPS] = { gs_sigmoid(in),   gs_softplus(in),        gs_tanh(in),
                        gs_relu(in),      gs_leaky_relu(in, 0.2), gs_clamp(in, -50, 50),
                        gs_max2(in, one), gs_min2(in, one),       gs_max2(one, in) };
    const float ones[N] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    gs_plan *plan;

    (void)state;
    for (int k = 0; k < OPS; k++) gs_output(g, op[k].name, y[k]);
    assert_ok(gs_compile(g, device, NULL, NULL, &plan));
    assert_ok(gs_plan_feed(plan, "x", x));
    assert_ok(gs_plan_feed(plan, "one", ones));
    assert_ok(gs_plan_run(plan, 1, 1));
    for (int k = 0; k < OPS; k++) {
        float got[N];

        assert_ok(gs_plan_fetch(plan, op[k].name, got));
        for (int i = 0; i < N; i++) {
            const float want = op[k].want[i];
            const float slack = 1e-6f * fabsf(want) + 1e-37f; /* denormals may flush */
            const bool fits = isnan(want) ? isnan(got[i]) : fabsf(got[i] - want) <= slack;

            if (!fits) fail_msg("%s(%g) = %g, wanted %g", op[k].name, x[i], got[i], want);
        }
    }
    gs_plan_free(plan);
    gs_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null_fails),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_fused),
        cmocka_unit_test(test_unfused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
