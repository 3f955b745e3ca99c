/* Smooth functions on the device over the whole range of floats, in units in the last place of the double result; and that a wrong coefficient is
 * found. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device/kernels.h"
#include "gesso/gesso.h"
#include "lib/one_device.h"

enum { SWEEP = 1 << 20, STEP = 1 << 12 }; /* one float of each 4096 that follow each other, all signs and exponents */

static double softplus(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))); }
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

/* Bounds in ulps: of cl/math_cpu.h, and what OpenCL asks of a driver's functions, with what the formulas of sigmoid and softplus add. */
static const struct { const char *name; gs_node *(*node)(gs_node *); double (*exact)(double), own, driver; } function[] = {
    { "exp", gs_exp, exp, 1.1, 3 },         { "log", gs_log, log, 1, 3 },
    { "tanh", gs_tanh, tanh, 2, 5 },        { "sigmoid", gs_sigmoid, sigmoid, 2.5, 6 },
    { "softplus", gs_softplus, softplus, 2, 8 },
};

static const float special[] = { 0.0f, -0.0f, INFINITY, -INFINITY, NAN, 3.4028235e38f, -3.4028235e38f, 1.17549435e-38f, -1.17549435e-38f, 1e-45f, -1e-45f,
                                 1, -1, 0.5f, 88.722839f, 88.72284f, 89, 1e4f, -87.336544f, -87.33655f, -103.97f, -104, -1e4f, 9.01f, 9.02f, -9.1f, 0.55f };

/* Every step-th float of all, each a little further in its step, and the special ones: n of them, owned. */
static float *arguments(int *n)
{
    float *x = gs_xalloc((SWEEP + GS_COUNT(special)) * sizeof *x);

    for (uint32_t i = 0; i < SWEEP; i++) {
        const uint32_t bits = i * STEP + (i * 2654435761u >> 20);

        memcpy(&x[i], &bits, sizeof bits);
    }
    memcpy(x + SWEEP, special, sizeof special);
    *n = SWEEP + (int)GS_COUNT(special);
    return x;
}

/* Distance in ulps of the exact result; what is less than the least normal number may be flushed. */
static double ulps(float got, double want)
{
    int exponent;

    if (isnan(want)) return isnan(got) ? 0 : INFINITY;
    if (isnan(got)) return INFINITY;
    if (fabs(want) > 3.4028235677973366e38) return (double)got == (want > 0 ? INFINITY : -INFINITY) ? 0 : INFINITY; /* half an ulp above the largest */
    if (fabs(want) < 1.17549435e-38 && fabs(got) <= 1.17549435e-38) return 0;
    if (isinf(got)) return INFINITY;
    frexp(want, &exponent);
    return fabs(got - want) / ldexp(1, exponent - 24);
}

/* The largest distance of each function on a device, and where. */
static void worst_of(gs_device *d, double *worst, float *at)
{
    int n;
    float *x = arguments(&n), *y = gs_xalloc((size_t)n * sizeof *y);
    gs_graph *g = gs_graph_new();
    gs_node *in = gs_input(g, "x", GS_SHAPE(n), GS_F32);
    gs_plan *p;

    for (size_t k = 0; k < GS_COUNT(function); k++) gs_output(g, function[k].name, function[k].node(in));
    assert_ok(gs_compile(g, d, NULL, NULL, &p));
    assert_ok(gs_plan_feed(p, "x", x));
    assert_ok(gs_plan_run(p, 1, 1));
    for (size_t k = 0; k < GS_COUNT(function); k++) {
        worst[k] = at[k] = 0;
        assert_ok(gs_plan_fetch(p, function[k].name, y));
        for (int i = 0; i < n; i++) {
            const double e = ulps(y[i], function[k].exact(x[i]));

            if (e > worst[k]) {
                worst[k] = e;
                at[k] = x[i];
            }
        }
    }
    gs_plan_free(p);
    gs_graph_free(g);
    free(x);
    free(y);
}

static void whole_range(void **state)
{
    const bool own = gs__cpu_forms(gs_device_get_info(device));
    double worst[GS_COUNT(function)];
    float at[GS_COUNT(function)];

    (void)state;
    worst_of(device, worst, at);
    for (size_t k = 0; k < GS_COUNT(function); k++) {
        const double bound = own ? function[k].own : function[k].driver;

        printf("%-8s %.3f ulp at %.9g, bound %g\n", function[k].name, worst[k], at[k], bound);
    }
    for (size_t k = 0; k < GS_COUNT(function); k++) assert_true(worst[k] <= (own ? function[k].own : function[k].driver));
}

/* tanh is odd to the bit, keeps the sign of 0, and is 1 at last. */
static void tanh_is_odd(void **state)
{
    enum { N = 4099 };
    float *x = gs_xalloc(2 * N * sizeof *x), *y = gs_xalloc(2 * N * sizeof *y);
    gs_graph *g = gs_graph_new();
    gs_plan *p;

    (void)state;
    for (int i = 0; i < N; i++) {
        x[i] = i ? 12.0f * (float)i / N : 0.0f;
        x[N + i] = -x[i];
    }
    gs_output(g, "y", gs_tanh(gs_input(g, "x", GS_SHAPE(2 * N), GS_F32)));
    assert_ok(gs_compile(g, device, NULL, NULL, &p));
    assert_ok(gs_plan_feed(p, "x", x));
    assert_ok(gs_plan_run(p, 1, 1));
    assert_ok(gs_plan_fetch(p, "y", y));
    for (int i = 0; i < N; i++) {
        assert_true(y[N + i] == -y[i] && signbit(y[N + i]));
        assert_true(fabsf(y[i]) <= 1 && (x[i] < 9.02f || y[i] == 1));
    }
    gs_plan_free(p);
    gs_graph_free(g);
    free(x);
    free(y);
}

/* One digit in a coefficient of each polynomial. */
static void wrong_coefficients_are_found(void **state)
{
    static const struct { const char *right, *wrong; int function; } change[] = {
        { "1.387065742e-3f", "1.367065742e-3f", 0 }, { "6.749854982e-2f", "6.549854982e-2f", 1 },
        { "4.166743532e-2f", "4.166143532e-2f", 2 }, { "GS_LN2_LO 1.4286", "GS_LN2_LO 1.3286", 3 },
    };
    double worst[GS_COUNT(function)];
    float at[GS_COUNT(function)];

    (void)state;
    if (!gs__cpu_forms(gs_device_get_info(device))) skip();
    for (size_t i = 0; i < GS_COUNT(change); i++) {
        char *dir = gs_test_tmpdir(), *path = gs_path_join(dir, "math_cpu.h"), *text, *place;
        gs_device *other;

        assert_ok(gs_kernel_text("math_cpu.h", &text));
        place = strstr(text, change[i].right);
        assert_non_null(place);
        memcpy(place, change[i].wrong, strlen(change[i].wrong));
        assert_ok(gs_file_write(path, text, strlen(text)));
        setenv("GESSO_KERNELS", dir, 1);
        assert_ok(gs_device_open(NULL, &other)); /* the first has the program already */
        worst_of(other, worst, at);
        printf("%s: %s %.3f ulp\n", change[i].wrong, function[change[i].function].name, worst[change[i].function]);
        assert_true(worst[change[i].function] > function[change[i].function].own);
        gs_device_close(other);
        unsetenv("GESSO_KERNELS");
        free(path);
        free(text);
        free(dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_range),
        cmocka_unit_test(tanh_is_odd),
        cmocka_unit_test(wrong_coefficients_are_found),
    };

    return cmocka_run_group_tests(tests, open_device, close_device);
}
