/* Epilogues: elementwise work that products do on their results. Each case is compiled with them and without; outputs must agree to the bit, since the
 * operations and their order are the same, and with the double reference; the printed plan tells which launch does what. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gesso/gesso.h"
#include "graph/graph.h"
#include "lib/graphs.h"
#include "lib/one_device.h"
#include "plan/plan_int.h"

enum { MOST = 1 << 17 }; /* elements of an output */

static bool on_cpu(void) { return gs__cpu_forms(gs_device_get_info(device)); }

/* The device's own form that can do epilogues. */
static const char *own_form(void) { return on_cpu() ? "gemm/cpu:4" : "gemm/tile"; }

/* Runs the graph; all outputs one after the other, and their number of elements. on, off: passes, NULL for neither. */
static float *run(gs_graph *g, const char *on, const char *off, const char *use, int64_t *count, char **text, gs_plan_stats *stats)
{
    const gs_compile_opts o = { .on = on ? on : "", .off = off ? off : "", .use = use };
    float *all = gs_xalloc(8 * MOST * sizeof *all);
    gs_store *s;
    gs_plan *p;

    assert_ok(gs_store_new(device, 7, &s));
    assert_ok(gs_compile(g, device, s, &o, &p));
    for (int step = 0; step < 2; step++) { /* twice: nothing may be left over from the first */
        for (int i = 0; i < g->n_inputs; i++) {
            float *x = graph_feed(g, i);

            assert_ok(gs_plan_feed(p, g->inputs[i].name, x));
            free(x);
        }
        assert_ok(gs_plan_run(p, 1, 0));
    }
    *count = 0;
    for (int i = 0; i < g->n_outputs; i++) {
        assert_ok(gs_plan_fetch(p, g->outputs[i].name, all + *count));
        *count += gs_shape_count(g->outputs[i].node->shape);
        assert_true(*count < 8 * MOST);
    }
    if (text) *text = gs_plan_text(p);
    if (stats) *stats = gs_plan_get_stats(p);
    gs_plan_free(p);
    gs_store_free(s);
    return all;
}

/* Launches of the printed plan that do an epilogue. */
static int epilogues(const char *text)
{
    int n = 0;

    for (const char *at = text; (at = strstr(at, " then ")); at++) n++;
    return n;
}

/* The graph with and without: equal bits; `ends` launches have an epilogue. Frees the graph. */
static void check_graph(gs_graph *g, const char *use, int ends, const char *what)
{
    int64_t n, m;
    char *text, *plain;
    float *got = run(g, "epilogue", NULL, use, &n, &text, NULL), *want = run(g, NULL, "epilogue", use, &m, &plain, NULL);

    if (epilogues(text) != ends) fail_msg("%s: %d launches with an epilogue, not %d\n%s", what, epilogues(text), ends, text);
    assert_int_equal(epilogues(plain), 0);
    assert_int_equal(n, m);
    for (int64_t i = 0; i < n; i++)
        if (memcmp(&got[i], &want[i], sizeof got[i]))
            fail_msg("%s: element %d is %.9g with an epilogue, %.9g without\n%s", what, (int)i, (double)got[i], (double)want[i], text);
    graph_near_reference(g, got, 5e-6, 1e-7, what);
    free(text);
    free(plain);
    free(got);
    free(want);
    gs_graph_free(g);
}

/* ---- matrix products ---- */

static gs_node *product(gs_graph *g, int b, int m, int n, int k, bool ta, bool tb)
{
    const gs_shape sa = b ? GS_SHAPE(b, ta ? k : m, ta ? m : k) : GS_SHAPE(ta ? k : m, ta ? m : k),
                   sb = b ? GS_SHAPE(b, tb ? n : k, tb ? k : n) : GS_SHAPE(tb ? n : k, tb ? k : n);

    return gs_matmul(graph_fed(g, sa), graph_fed(g, sb), ta, tb);
}

/* A layer's end: bias by channel, activation. */
static void layer(const char *use, int b, int m, int n, int k, bool ta, bool tb)
{
    gs_graph *g = gs_graph_new();
    gs_node *y = product(g, b, m, n, k, ta, tb);
    char what[96];

    snprintf(what, sizeof what, "%s: layer %d x %dx%dx%d %c%c", use, b, m, n, k, ta ? 'T' : 'N', tb ? 'T' : 'N');
    gs_output(g, "y", gs_leaky_relu(gs_add(y, graph_fed(g, GS_SHAPE(n))), 0.2));
    check_graph(g, use, 1, what);
}

/* The gradient's: times the derivative, by an operand of the same shape, and a scalar in memory; two results. */
static void gradient(const char *use, int b, int m, int n, int k, bool ta, bool tb)
{
    gs_graph *g = gs_graph_new();
    gs_node *dy = product(g, b, m, n, k, ta, tb), *y = graph_fed(g, b ? GS_SHAPE(b, m, n) : GS_SHAPE(m, n)), *dx;
    char what[96];

    snprintf(what, sizeof what, "%s: gradient %d x %dx%dx%d %c%c", use, b, m, n, k, ta ? 'T' : 'N', tb ? 'T' : 'N');
    dx = gs_mul(gs_mul(dy, gs_affine(gs_step(y), 0.8, 0.2)), graph_fed(g, GS_SCALAR));
    gs_output(g, "dx", dx);
    gs_output(g, "more", gs_tanh(gs_scale(gs_add(dx, y), 0.05)));
    check_graph(g, use, 1, what);
}

static const struct { int b, m, n, k; } size[] = {
    { 0, 1, 1, 2 }, { 0, 97, 65, 259 }, /* more than two blocks of K: sums rest in the result's place */
    { 0, 130, 3, 257 },                 /* slim: computed as the transposed product */
    { 0, 12, 32, 128 }, { 3, 33, 65, 31 }, { 2, 5, 4, 140 },
};

static void products(const char *use)
{
    for (size_t i = 0; i < GS_COUNT(size); i++) {
        for (int t = i < 2 ? 0 : 1; t < (i < 2 ? 4 : 3); t++) layer(use, size[i].b, size[i].m, size[i].n, size[i].k, t & 1, t & 2);
        gradient(use, size[i].b, size[i].m, size[i].n, size[i].k, false, false);
    }
}

static void cpu_products(void **state)
{
    (void)state;
    if (!on_cpu()) GS_SKIP("the device takes no forms for CPUs");
    products("gemm/cpu:4");
    for (int t = 0; t < 2; t++) { /* operands whose lines lie along k; other products fall to the preset */
        layer("gemm/few", 0, 97, 65, 259, t, true);
        layer("gemm/few", 3, 33, 59, 31, t, true);
        gradient("gemm/few", 2, 17, 13, 140, t, true);
    }
}

static void tile_products(void **state)
{
    (void)state;
    products("gemm/tile:16");
    layer("gemm/tile:8", 0, 33, 37, 140, false, true);
    gradient("gemm/tile:8", 2, 33, 5, 18, false, false);
}

/* Without a word: where the kernel is tile and the device no CPU. */
static void presets(void **state)
{
    const bool is_global = device->info.local_is_global;

    (void)state;
    for (int cpu = 0; cpu < (is_global ? 2 : 1); cpu++) {
        gs_graph *g = gs_graph_new();
        int64_t n;
        char *text, *off;

        device->info.local_is_global = cpu;
        gs_output(g, "y", gs_relu(gs_add(product(g, 0, 33, 20, 17, false, false), graph_fed(g, GS_SHAPE(20)))));
        free(run(g, NULL, NULL, "gemm/tile", &n, &text, NULL));
        free(run(g, "epilogue", "epilogue", "gemm/tile", &n, &off, NULL));
        device->info.local_is_global = is_global;
        assert_int_equal(epilogues(text), !cpu || device->info.vector_width <= 1);
        assert_int_equal(epilogues(off), 0);
        free(text);
        free(off);
        gs_graph_free(g);
    }
}

/* ---- what may be in an epilogue ---- */

/* Each is one product of 13 x 31 and has this many launches with an epilogue. */
static void what_fits(void **state)
{
    enum { OPERANDS = 8 };
    static const struct { const char *what; int ends; } kind[OPERANDS] = {
        { "a vector over rows is not known to the kernel", 0 },
        { "a transposed operand", 0 },
        { "the index of a column", 0 },
        { "half of a vector over channels", 1 },
        { "the product read twice", 1 },
        { "the product read elsewhere too", 1 },
        { "an operand that is computed from the product", 0 },
        { "a variant that has no epilogues", 0 },
    };

    (void)state;
    for (int i = 0; i < OPERANDS; i++) {
        gs_graph *g;
        gs_node *y, *z;

        if (i == 7 && !device->drv->gemm) continue;
        g = gs_graph_new();
        y = product(g, 0, 13, 31, 17, false, false);

        switch (i) {
        case 0: z = gs_mul(y, graph_fed(g, GS_SHAPE(13, 1))); break;
        case 1: z = gs_add(y, gs_transpose(graph_fed(g, GS_SHAPE(31, 13)), 0, 1)); break;
        case 2: z = gs_mul(y, gs_cast(gs_iota(g, GS_SHAPE(13, 31), 1), GS_F32)); break;
        case 3: z = gs_add(y, gs_slice(graph_fed(g, GS_SHAPE(1, 62)), 1, 31, 31)); break;
        case 4: z = gs_mul(gs_sigmoid(y), y); break;
        case 5:
            gs_output(g, "sum", gs_sum(gs_square(y), GS_AXIS(0), false));
            gs_output(g, "y", y);
            z = gs_exp(y);
            break;
        case 6: z = gs_mul(y, gs_sum(y, GS_AXIS(0), true)); break;
        default: z = gs_exp(y); break;
        }
        gs_output(g, "z", z);
        check_graph(g, i == 7 ? "gemm/driver" : own_form(), kind[i].ends, kind[i].what);
    }
}

/* A bias before batch statistics has many readers, and the product none beside it: the sum is stored, the product never. */
static void statistics_read_the_end(void **state)
{
    gs_graph *g = gs_graph_new();
    gs_node *h = gs_add(product(g, 0, 40, 33, 20, false, true), graph_fed(g, GS_SHAPE(33))), *mean, *var;

    (void)state;
    gs_moments(h, GS_AXIS(0), &mean, &var);
    gs_output(g, "y", gs_relu(gs_mul(gs_sub(h, mean), gs_rsqrt(gs_affine(var, 1, 1e-5)))));
    check_graph(g, own_form(), 1, "batch statistics");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpu_products), cmocka_unit_test(tile_products),          cmocka_unit_test(presets),
        cmocka_unit_test(what_fits),    cmocka_unit_test(statistics_read_the_end),
    };

    return cmocka_run_group_tests(tests, open_device, close_device);
}
