/* Lowering paths that single small op cases do not reach: each form of convolution with several blocks of terms, strips of columns, tiles of rows and
 * phases; products of higher rank; separable maps in one pass and in two; long index lists. Everything against the double reference. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"
#include "graph/graph.h"
#include "plan/plan.h"

static gs_device *device;

static int open_device(void **state)
{
    (void)state;
    return gs_device_open(NULL, &device) == GS_OK ? 0 : -1;
}

static int close_device(void **state)
{
    (void)state;
    gs_device_close(device);
    return 0;
}

static gs_node *input(gs_graph *g, gs_shape s, gs_dtype t)
{
    char name[16];

    snprintf(name, sizeof name, "x%d", g->n_inputs);
    return gs_input(g, name, s, t);
}

/* Feeds every input (floats from -1 to 1; integers from below to beyond 0..most), runs, compares `y` with the reference. Largest
 * error against largest value; tol grows with the length of the sums. The plan's kernel names must contain `kernel`. */
static void check(gs_graph *g, gs_node *y, int most, double tol, const char *kernel, const char *what)
{
    const int64_t n = gs_shape_count(y->shape);
    gs_ref_feed *feeds = gs_xalloc(sizeof *feeds * (size_t)GS_MAX(g->n_inputs, 1));
    gs_rng r = { .seed = 5 };
    gs_ref_result ref = { 0 };
    double worst = 0.0, largest = 1e-30;
    float *got = gs_xalloc(4 * (size_t)n), *again = gs_xalloc(4 * (size_t)n);
    gs_plan *p;
    char *text;

    gs_output(g, "y", y);
    if (gs_compile(g, device, NULL, NULL, &p) != GS_OK) fail_msg("%s: %s", what, gs_last_error());
    for (int i = 0; i < g->n_inputs; i++) {
        const gs_node *x = g->inputs[i].node;
        const int64_t c = gs_shape_count(x->shape);
        double *d = gs_xalloc(8 * (size_t)c);
        float *f = gs_xalloc(4 * (size_t)c);

        for (int64_t e = 0; e < c; e++) {
            if (x->dtype == GS_I32) {
                const int32_t v = (int32_t)gs_rng_below(&r, (uint32_t)most + 2) - 1;

                memcpy(&f[e], &v, 4);
                d[e] = v;
            } else {
                d[e] = f[e] = (float)(2.0 * gs_rng_uniform(&r) - 1.0);
            }
        }
        feeds[i] = (gs_ref_feed){ x, d };
        assert_ok(gs_plan_feed(p, g->inputs[i].name, f));
        free(f);
    }
    text = gs_plan_text(p);
    if (!gs_test_contains(text, kernel)) fail_msg("%s: no launch of %s in\n%s", what, kernel, text);
    free(text);
    assert_ok(gs_ref_eval(g, (gs_node *const[]){ y }, 1, feeds, g->n_inputs, 3, 4, &ref));
    assert_ok(gs_plan_run(p, 3, 4));
    assert_ok(gs_plan_fetch(p, "y", got));
    assert_ok(gs_plan_run(p, 3, 4));
    assert_ok(gs_plan_fetch(p, "y", again));
    assert_memory_equal(got, again, 4 * (size_t)n);
    for (int64_t i = 0; i < n; i++) {
        const double want = ref.value[y->id][i];
        double e;
        int32_t v;

        memcpy(&v, &got[i], 4);
        e = fabs((y->dtype == GS_I32 ? (double)v : (double)got[i]) - want);
        if (!(e <= worst)) worst = e;
        largest = fmax(largest, fabs(want));
    }
    if (!(worst / largest <= tol)) fail_msg("%s: error %.3g of %.3g, more than %.3g", what, worst, largest, tol);
    for (int i = 0; i < g->n_inputs; i++) free((void *)feeds[i].data);
    free(feeds), free(got), free(again);
    gs_ref_free(&ref);
    gs_plan_free(p);
    gs_graph_free(g);
}

/* ---- convolutions ---- */

typedef struct conv_case { int n, c, h, w, o, kh, kw, sh, sw, ph, pw, dil, g; } conv_case;

static const conv_case conv_cases[] = {
    { 2, 3, 9, 7, 9, 3, 3, 1, 1, 1, 1, 1, 1 },
    { 2, 17, 8, 8, 70, 3, 3, 1, 1, 1, 1, 1, 1 },   /* 153 terms, three strips */
    { 3, 9, 16, 16, 40, 4, 4, 2, 2, 1, 1, 1, 1 },  /* four phases; rows two apart, in fours */
    { 1, 40, 7, 9, 136, 4, 4, 2, 2, 1, 1, 1, 1 },  /* rows not in fours; five strips */
    { 2, 8, 11, 13, 9, 3, 2, 3, 2, 2, 1, 1, 1 },   /* unlike strides, paddings and sides */
    { 2, 8, 13, 12, 8, 3, 3, 2, 2, 2, 2, 2, 1 },   /* dilation shares a factor with the stride */
    { 1, 8, 16, 15, 9, 3, 3, 3, 3, 0, 1, 2, 1 },
    { 2, 8, 7, 7, 8, 1, 1, 2, 2, 0, 0, 1, 1 },     /* phases without a tap: zeros */
    { 1, 8, 5, 5, 8, 3, 3, 4, 4, 1, 1, 1, 1 },
    { 2, 32, 9, 8, 64, 3, 3, 2, 1, 1, 2, 1, 4 },   /* groups of 8 and 16 */
    { 2, 16, 9, 8, 16, 3, 3, 1, 1, 1, 1, 1, 16 },  /* depthwise */
    { 5, 72, 4, 4, 1, 4, 4, 1, 1, 0, 0, 1, 1 },    /* one value a picture */
    { 6, 1, 28, 28, 20, 4, 4, 2, 2, 1, 1, 1, 1 },
    { 1, 3, 31, 40, 9, 7, 7, 1, 1, 3, 3, 1, 1 },
    { 150, 8, 3, 3, 8, 2, 2, 1, 1, 0, 0, 1, 1 },   /* more pictures than one block of terms */
};

static void convolutions(const char *form)
{
    static const char *const kernel[3][3] = { /* form, op; the product forms leave slim shapes to others, so only a common part */
        { "conv", "conv", "conv" }, { "conv", "conv", "conv" }, { "conv2d_direct", "conv2d_dx_direct", "conv2d_dw_direct" } };
    const int f = !strcmp(form, "direct") ? 2 : !strcmp(form, "tile");

    setenv("GESSO_CONV", form, 1);
    for (size_t i = 0; i < GS_COUNT(conv_cases); i++) {
        const conv_case *c = &conv_cases[i];
        const int64_t oh = (c->h + 2 * c->ph - c->dil * (c->kh - 1) - 1) / c->sh + 1;
        const int64_t ow = (c->w + 2 * c->pw - c->dil * (c->kw - 1) - 1) / c->sw + 1;

        for (int op = 0; op < 3; op++) {
            gs_attr a = { .i = { c->sh, c->sw, c->ph, c->pw, c->dil, c->g, op == 1 ? c->h : c->kh, op == 1 ? c->w : c->kw } };
            gs_graph *g = gs_graph_new();
            gs_node *x = op != 1 ? input(g, GS_SHAPE(c->n, c->c, c->h, c->w), GS_F32) : NULL;
            gs_node *w = op != 2 ? input(g, GS_SHAPE(c->o, c->c / c->g, c->kh, c->kw), GS_F32) : NULL;
            gs_node *dy = op != 0 ? input(g, GS_SHAPE(c->n, c->o, oh, ow), GS_F32) : NULL;
            gs_node *y = op == 0 ? gs__node2(&gs_op_conv2d, x, w, &a) : op == 1 ? gs__node2(&gs_op_conv2d_dx, dy, w, &a)
                                                                                : gs__node2(&gs_op_conv2d_dw, x, dy, &a);
            char what[64];

            snprintf(what, sizeof what, "%s, case %d, op %d", form, (int)i, op);
            check(g, y, 0, 3e-6, kernel[f][op], what);
        }
    }
    unsetenv("GESSO_CONV");
}

static void conv_cpu(void **state)
{
    (void)state;
    if (!gs__cpu_forms(gs_device_get_info(device))) GS_SKIP("this device takes no CPU forms");
    convolutions("cpu");
}
static void conv_tile(void **state) { (void)state; convolutions("tile"); }
static void conv_direct(void **state) { (void)state; convolutions("direct"); }

/* The forms that the table above is meant to reach are indeed taken. */
static void conv_forms(void **state)
{
    static const struct { const char *form, *kernel; int c, o; } t[] = {
        { "cpu", "conv_cpu", 8, 33 }, { "cpu", "conv_slim_cpu", 8, 3 }, { "tile", "conv_tile", 8, 33 }, { "direct", "conv2d_direct", 8, 3 },
        { "tile", "conv", 8, 3 } /* too few channels for it: the preset does it */ };

    (void)state;
    for (size_t i = 0; i < GS_COUNT(t); i++) {
        gs_graph *g = gs_graph_new();
        gs_attr a = { .i = { 1, 1, 1, 1, 1, 1 } };
        const int side = 8 * (int)ceil(sqrt((double)gs_device_get_info(device)->compute_units)) + 8; /* enough rows for the slim form */

        if (!strcmp(t[i].form, "cpu") && !gs__cpu_forms(gs_device_get_info(device))) {
            gs_graph_free(g);
            continue;
        }
        setenv("GESSO_CONV", t[i].form, 1);
        check(g, gs__node2(&gs_op_conv2d, input(g, GS_SHAPE(2, t[i].c, side, side), GS_F32),
                           input(g, GS_SHAPE(t[i].o, t[i].c, 3, 3), GS_F32), &a), 0, 3e-6, t[i].kernel, t[i].kernel);
    }
    unsetenv("GESSO_CONV");
}

static void unknown_form(void **state)
{
    gs_graph *g = gs_graph_new();
    gs_plan *p;

    (void)state;
    setenv("GESSO_CONV", "origami", 1);
    gs_output(g, "y", gs_conv2d(input(g, GS_SHAPE(1, 1, 3, 3), GS_F32), input(g, GS_SHAPE(1, 1, 3, 3), GS_F32), NULL));
    assert_fails(gs_compile(g, device, NULL, NULL, &p), GS_EINVAL, "origami");
    unsetenv("GESSO_CONV");
    gs_graph_free(g);
}

/* ---- the rest ---- */

static void products_of_higher_rank(void **state)
{
    (void)state;
    for (int t = 0; t < 4; t++) {
        gs_graph *g = gs_graph_new();
        const bool ta = t & 1, tb = t & 2;
        gs_node *a = input(g, ta ? GS_SHAPE(2, 3, 33, 13) : GS_SHAPE(2, 3, 13, 33), GS_F32);
        gs_node *b = input(g, tb ? GS_SHAPE(2, 3, 35, 33) : GS_SHAPE(2, 3, 33, 35), GS_F32);

        check(g, gs_matmul(a, b, ta, tb), 0, 2e-6, "gemm", "matmul of rank 4");
    }
}

static void lines(void **state)
{
    (void)state;
    for (int axis = 0; axis < 3; axis++)
        for (int k = 0; k < 4; k++) {
            gs_graph *g = gs_graph_new();
            gs_node *x = input(g, GS_SHAPE(67, 5, 129), GS_F32);
            static const char *const kernel[] = { "axis_max", "axis_argmax", "axis_cumsum", "axis_cumsum" };

            check(g, k == 0 ? gs_max(x, axis, true) : k == 1 ? gs_argmax(x, axis, true) : gs_cumsum(x, axis, k == 3), 0,
                  k < 2 ? 0.0 : 1e-6, kernel[k], kernel[k]);
        }
}

static void index_lists(void **state)
{
    static const int e[] = { 1, 63, 200, 4100 }, v[] = { 2, 7, 300 };

    (void)state;
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 3; j++) {
            gs_graph *g = gs_graph_new();

            check(g, gs_scatter_add(input(g, GS_SHAPE(70, 9), GS_I32), input(g, GS_SHAPE(70, 9, e[i]), GS_F32), v[j]), v[j], 3e-6,
                  "scatter_add", "scatter_add");
            g = gs_graph_new();
            check(g, gs_gather(input(g, GS_SHAPE(v[j], e[i]), GS_F32), input(g, GS_SHAPE(70, 9), GS_I32)), v[j], 0.0,
                  e[i] < 64 ? "gather" : "gather_rows", "gather");
        }
}

static void separable_maps(void **state)
{
    static const struct { int rule, h, w, oh, ow; const char *kernel; } t[] = {
        { GS_LM_BILINEAR, 12, 9, 25, 31, "linmap_plane" },    { GS_LM_BICUBIC_AA, 90, 80, 9, 8, "linmap_axis" }, /* two passes */
        { GS_LM_BICUBIC_AA, 80, 9, 7, 70, "linmap_" },        { GS_LM_BICUBIC_AA, 9, 80, 70, 7, "linmap_" },
        { GS_LM_BILINEAR, 12, 9, 12, 31, "linmap_axis" },     { GS_LM_BILINEAR, 12, 9, 31, 9, "linmap_axis" }, /* one axis stays */
        { GS_LM_ADAPTIVE, 13, 7, 4, 3, "linmap_" },           { GS_LM_NEAREST, 5, 6, 5, 6, "linmap_axis" } };

    (void)state;
    for (size_t i = 0; i < GS_COUNT(t); i++)
        for (int back = 0; back < 2; back++) {
            gs_attr a = { .i = { t[i].rule, back, t[i].h, t[i].w, t[i].oh, t[i].ow } };
            gs_graph *g = gs_graph_new();
            gs_node *x = input(g, back ? GS_SHAPE(2, 3, t[i].oh, t[i].ow) : GS_SHAPE(2, 3, t[i].h, t[i].w), GS_F32);
            char what[32];

            snprintf(what, sizeof what, "linmap, case %d%s", (int)i, back ? ", adjoint" : "");
            check(g, gs__node1(&gs_op_linmap, x, &a), 0, 2e-6,
                  gs__cpu_forms(gs_device_get_info(device)) ? "linmap_lines" : back ? "linmap_" : t[i].kernel, what);
        }
}

static void random_tails(void **state)
{
    static const int count[] = { 1, 3, 4, 255, 256, 257, 4099 };

    (void)state;
    for (size_t i = 0; i < GS_COUNT(count); i++)
        for (int k = 0; k < 3; k++) {
            gs_graph *g = gs_graph_new();
            const gs_shape s = GS_SHAPE(count[i]);

            check(g, k == 0 ? gs_random_uniform(g, s) : k == 1 ? gs_random_normal(g, s) : gs_random_bernoulli(g, s, 0.3), 0,
                  k == 1 ? 1e-6 : 0.0, "random_", "random");
        }
}

/* What other devices than CPUs get, here too. */
static void forms_for_gpus(void **state)
{
    const bool was = device->info.local_is_global;

    device->info.local_is_global = false;
    index_lists(state);
    separable_maps(state);
    device->info.local_is_global = was;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv_cpu),
        cmocka_unit_test(conv_tile),
        cmocka_unit_test(conv_direct),
        cmocka_unit_test(conv_forms),
        cmocka_unit_test(unknown_form),
        cmocka_unit_test(products_of_higher_rank),
        cmocka_unit_test(lines),
        cmocka_unit_test(index_lists),
        cmocka_unit_test(separable_maps),
        cmocka_unit_test(random_tails),
        cmocka_unit_test(forms_for_gpus),
    };

    return cmocka_run_group_tests(tests, open_device, close_device);
}
