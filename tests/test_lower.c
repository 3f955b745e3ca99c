/* Lowering paths that single small op cases do not reach: each form of convolution with several blocks of terms, strips of columns, tiles of rows and
 * phases; products of higher rank; separable maps in one pass and in two; long index lists. Everything against the double reference. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/graph.h"
#include "lib/one_device.h"
#include "plan/plan.h"

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
    { 2, 3, 20, 37, 9, 7, 7, 1, 1, 3, 3, 1, 1 },   /* few channels in, rows of 16 and more */
    { 3, 1, 32, 32, 10, 4, 4, 2, 2, 1, 1, 1, 1 },
    { 1, 4, 21, 50, 5, 5, 3, 3, 2, 2, 0, 1, 1 },   /* 36 columns: two blocks */
    { 2, 3, 14, 47, 13, 3, 4, 3, 2, 1, 2, 1, 1 },  /* an odd number of rows of 24: two at a time, and vectors that overlap */
    { 1, 4, 19, 33, 16, 3, 3, 1, 1, 1, 1, 1, 2 },  /* a group of few channels and many results */
    { 1, 2, 5, 70, 150, 3, 2, 1, 1, 1, 1, 1, 1 },  /* more channels than one block of terms */
    { 2, 40, 18, 19, 3, 7, 7, 1, 1, 3, 3, 1, 1 },  /* few channels out */
    { 1, 300, 4, 18, 2, 3, 3, 1, 1, 0, 2, 1, 1 },
    { 70, 1, 16, 16, 4, 3, 3, 1, 1, 1, 1, 1, 1 },  /* rows of one vector, chunks that begin amid a picture */
    { 2, 2, 17, 61, 9, 3, 5, 2, 3, 1, 2, 1, 1 },   /* three columns apart */
    { 1, 1, 5, 4130, 3, 3, 4, 2, 2, 1, 1, 1, 1 },  /* lines longer than the stage on which they are picked apart */
    { 1, 5, 11, 300, 35, 3, 3, 1, 1, 1, 1, 1, 1 }, /* rows of y longer than a block of terms */
    { 3, 6, 43, 47, 70, 3, 5, 2, 1, 0, 2, 1, 1 },  /* blocks of two rows, of two pictures too; the last of one */
    { 2, 31, 9, 75, 21, 3, 3, 2, 2, 1, 1, 1, 1 },  /* rows of pixels: three blocks of terms, results past the last block */
    { 1, 20, 7, 100, 13, 3, 2, 1, 3, 1, 0, 1, 1 },
    { 2, 6, 17, 34, 6, 3, 3, 1, 1, 1, 1, 1, 6 },   /* depthwise */
    { 2, 6, 35, 40, 12, 3, 3, 2, 2, 1, 1, 1, 6 },
};

/* One of the three passes of a layer, by the variant that $GESSO_CONV names. */
static void pass(const conv_case *c, int op, double tol, const char *kernel, const char *what)
{
    const int64_t oh = (c->h + 2 * c->ph - c->dil * (c->kh - 1) - 1) / c->sh + 1;
    const int64_t ow = (c->w + 2 * c->pw - c->dil * (c->kw - 1) - 1) / c->sw + 1;
    gs_attr a = { .i = { c->sh, c->sw, c->ph, c->pw, c->dil, c->g, op == 1 ? c->h : c->kh, op == 1 ? c->w : c->kw } };
    gs_graph *g = gs_graph_new();
    gs_node *x = op != 1 ? input(g, GS_SHAPE(c->n, c->c, c->h, c->w), GS_F32) : NULL;
    gs_node *w = op != 2 ? input(g, GS_SHAPE(c->o, c->c / c->g, c->kh, c->kw), GS_F32) : NULL;
    gs_node *dy = op != 0 ? input(g, GS_SHAPE(c->n, c->o, oh, ow), GS_F32) : NULL;

    check(g,
          op == 0   ? gs__node2(&gs_op_conv2d, x, w, &a)
          : op == 1 ? gs__node2(&gs_op_conv2d_dx, dy, w, &a)
                    : gs__node2(&gs_op_conv2d_dw, x, dy, &a),
          0, tol, kernel, what);
}

static void convolutions(const char *form)
{
    static const char *const direct[] = { "conv2d_direct", "conv2d_dx_direct", "conv2d_dw_direct" };

    setenv("GESSO_CONV", form, 1);
    for (size_t i = 0; i < GS_COUNT(conv_cases); i++)
        for (int op = 0; op < 3; op++) {
            char what[64];

            snprintf(what, sizeof what, "%s, case %d, op %d", form, (int)i, op);
            pass(&conv_cases[i], op, 3e-6, strcmp(form, "direct") ? "" : direct[op], what); /* the others leave some shapes to each other */
        }
    unsetenv("GESSO_CONV");
}

/* Winograd's method trades error for multiplications: these bounds are what is promised, some three times what was seen. F(2x2,3x3) is as good as the
 * plain sum. Every `step`-th case. */
static void winograd_cases(size_t step)
{
    static const conv_case cases[] = {
        { 2, 17, 8, 8, 70, 3, 3, 1, 1, 1, 1, 1, 1 },     /* tiles of a picture fit in one vector, several pictures share one */
        { 1, 5, 1, 1, 3, 3, 3, 1, 1, 1, 1, 1, 1 },
        { 3, 5, 28, 27, 7, 3, 3, 1, 1, 1, 1, 1, 1 },     /* seven tiles a row; a last column of parts */
        { 1, 6, 13, 11, 9, 3, 3, 1, 1, 0, 0, 1, 1 },
        { 2, 3, 6, 64, 5, 3, 3, 1, 1, 1, 1, 1, 1 },      /* whole vectors in a row */
        { 1, 4, 9, 97, 3, 3, 3, 1, 1, 2, 2, 1, 1 },
        { 2, 3, 11, 133, 4, 3, 3, 1, 1, 0, 2, 1, 1 },    /* vectors that end amid a row of tiles, and one across pictures */
        { 1, 150, 12, 12, 33, 3, 3, 1, 1, 1, 1, 1, 1 },  /* more than a block of terms */
        { 1, 1100, 36, 36, 2, 3, 3, 1, 1, 1, 1, 1, 1 },  /* two chunks of tiles and more */
        { 16, 3, 8, 8, 6, 3, 3, 1, 1, 1, 1, 1, 1 },      /* pictures fill the vectors, here and below where there are 16, 32 or 48 */
        { 32, 5, 3, 11, 18, 3, 3, 1, 1, 0, 2, 1, 1 },
        { 16, 3, 1, 2, 2, 3, 3, 1, 1, 1, 1, 1, 1 },      /* fewer pixels than a vector */
        { 128, 130, 2, 8, 4, 3, 3, 1, 1, 1, 1, 1, 1 },   /* several chunks */
        { 16, 2, 9, 110, 2, 3, 3, 1, 1, 1, 1, 1, 1 },    /* rows too long for it */
        { 2, 9, 16, 16, 33, 4, 4, 2, 2, 1, 1, 1, 1 },    /* by phases, from here on */
        { 3, 5, 8, 13, 6, 4, 4, 2, 2, 1, 2, 1, 1 },
        { 1, 4, 7, 10, 3, 4, 4, 2, 2, 0, 3, 1, 1 },
        { 1, 270, 17, 12, 5, 4, 4, 2, 2, 1, 1, 1, 1 },
        { 2, 2, 2, 4, 3, 4, 4, 2, 2, 1, 0, 1, 1 },
        { 16, 9, 16, 16, 17, 4, 4, 2, 2, 1, 1, 1, 1 },
        { 32, 18, 5, 9, 3, 4, 4, 2, 2, 2, 3, 1, 1 },
        { 16, 3, 11, 10, 5, 4, 4, 2, 2, 3, 0, 1, 1 },
        { 16, 2, 2, 4, 3, 4, 4, 2, 2, 1, 0, 1, 1 },
        { 48, 270, 17, 20, 5, 4, 4, 2, 2, 1, 1, 1, 1 },
        { 2, 3, 10, 142, 5, 4, 4, 2, 2, 1, 1, 1, 1 },    /* vectors that end amid a row of tiles */
        { 1, 2, 11, 130, 3, 4, 4, 2, 2, 3, 2, 1, 1 },
        { 1, 37, 13, 17, 20, 4, 4, 1, 1, 1, 1, 1, 1 },   /* winograd:3, from here on */
        { 2, 3, 7, 50, 5, 4, 4, 1, 1, 1, 2, 1, 1 },      /* whole vectors in a row */
        { 1, 300, 4, 5, 33, 4, 4, 1, 1, 0, 3, 1, 1 },
        { 16, 3, 9, 8, 18, 4, 4, 1, 1, 1, 1, 1, 1 },
        { 1, 2, 2, 2, 3, 4, 4, 1, 1, 1, 1, 1, 1 },
        { 1, 1000, 21, 20, 3, 4, 4, 1, 1, 1, 1, 1, 1 },
        { 1, 3, 7, 67, 2, 4, 4, 1, 1, 3, 3, 1, 1 },
    };
    static const struct { const char *name; double tol; } form[] = { { "winograd:2", 1.2e-6 }, { "winograd:3", 4.5e-6 }, { "winograd:4", 4.5e-6 } };
    static const char *const kernel[] = { "wino_result", "wino_result", "wino_dw" };

    for (size_t f = 0; f < GS_COUNT(form); f++) {
        setenv("GESSO_CONV", form[f].name, 1);
        for (size_t i = 0; i < GS_COUNT(cases); i += step)
            for (int op = 0; op < 3; op++) {
                char what[64];

                if ((cases[i].kh == 4) != (f > 0) && f < 2) continue; /* F(2x2,2x2) is not there */
                if ((cases[i].kh == 4 && cases[i].sh == 1) != (f == 1)) continue;
                snprintf(what, sizeof what, "%s, case %d, op %d", form[f].name, (int)i, op);
                pass(&cases[i], op, form[f].tol, kernel[op], what);
            }
    }
    unsetenv("GESSO_CONV");
}

static void winograd(void **state)
{
    (void)state;
    winograd_cases(1);
}

/* The form with one kernel, at the same bounds: y, and by x. */
static void winograd_fused(void **state)
{
    static const conv_case cases[] = {
        { 1, 5, 1, 1, 3, 3, 3, 1, 1, 1, 1, 1, 1 },
        { 1, 70, 16, 16, 83, 3, 3, 1, 1, 1, 1, 1, 1 },   /* whole and part blocks of terms; results past 32 and 16 */
        { 2, 33, 7, 13, 64, 3, 3, 1, 1, 0, 2, 1, 1 },    /* 12 tiles and more: the last of a group are none */
        { 1, 9, 19, 20, 17, 3, 3, 1, 1, 1, 1, 1, 1 },
        { 1, 300, 32, 32, 8, 3, 3, 1, 1, 1, 1, 1, 1 },
        { 16, 31, 8, 5, 40, 3, 3, 1, 1, 1, 1, 1, 1 },    /* pictures fill the vectors */
        { 48, 6, 3, 4, 20, 3, 3, 1, 1, 1, 1, 1, 1 },
        { 2, 21, 8, 8, 33, 4, 4, 2, 2, 1, 1, 1, 1 },     /* by phases */
        { 3, 5, 9, 13, 50, 4, 4, 2, 2, 1, 2, 1, 1 },
        { 1, 4, 7, 10, 3, 4, 4, 2, 2, 0, 3, 1, 1 },
        { 16, 40, 8, 8, 31, 4, 4, 2, 2, 1, 1, 1, 1 },
        { 32, 18, 5, 9, 3, 4, 4, 2, 2, 2, 3, 1, 1 },
        { 1, 37, 8, 8, 70, 4, 4, 1, 1, 1, 1, 1, 1 },     /* fused:3 */
        { 1, 20, 15, 17, 16, 4, 4, 1, 1, 1, 2, 1, 1 },
        { 16, 35, 5, 6, 18, 4, 4, 1, 1, 0, 3, 1, 1 },
    };

    (void)state;
    if (!gs__cpu_forms(gs_device_get_info(device))) GS_SKIP("this device takes no CPU forms");
    setenv("GESSO_CONV", "fused", 1);
    for (size_t i = 0; i < GS_COUNT(cases); i++)
        for (int op = 0; op < 2; op++) {
            char what[64];

            snprintf(what, sizeof what, "fused, case %d, op %d", (int)i, op);
            pass(&cases[i], op, 4.5e-6, "wino_fused", what);
        }
    unsetenv("GESSO_CONV");
}

/* Layers for which it is the preset on CPUs, and the switch that forbids it. */
static void winograd_off(void **state)
{
    static const struct { int channels, side; const char *kernel; } t[] = { { 128, 64, "wino_image" }, { 128, 16, "wino_fused" } };
    const bool cpu = gs__cpu_forms(gs_device_get_info(device));

    (void)state;
    for (size_t i = 0; i < GS_COUNT(t); i++)
        for (int off = 0; off < 2; off++) {
            const int c = t[i].channels, side = t[i].side;
            gs_graph *g = gs_graph_new();
            gs_plan *p;
            char *text;

            gs_output(g, "y",
                      gs_conv2d(input(g, GS_SHAPE(1, c, side, side), GS_F32), input(g, GS_SHAPE(c, c, 3, 3), GS_F32), &(gs_conv2d_opts){ .pad = 1 }));
            assert_ok(gs_compile(g, device, NULL, &(gs_compile_opts){ .no_winograd = off, .dry_run = true }, &p));
            text = gs_plan_text(p);
            assert_int_equal(gs_test_contains(text, t[i].kernel), cpu && !off);
            assert_int_equal(gs_test_contains(text, "wino_"), cpu && !off);
            free(text);
            gs_plan_free(p);
            gs_graph_free(g);
        }
}

static void conv_cpu(void **state)
{
    (void)state;
    if (!gs__cpu_forms(gs_device_get_info(device))) GS_SKIP("this device takes no CPU forms");
    convolutions("cpu");
}
static void conv_own(void **state)
{
    (void)state;
    if (!gs__cpu_forms(gs_device_get_info(device))) GS_SKIP("this device takes no CPU forms");
    convolutions("own");
}
static void conv_few(void **state)
{
    (void)state;
    if (!gs__cpu_forms(gs_device_get_info(device))) GS_SKIP("this device takes no CPU forms");
    convolutions("few");
}
static void conv_sums(void **state)
{
    (void)state;
    if (!gs__cpu_forms(gs_device_get_info(device))) GS_SKIP("this device takes no CPU forms");
    convolutions("sums");
}
static void conv_rows(void **state)
{
    (void)state;
    if (!gs__cpu_forms(gs_device_get_info(device))) GS_SKIP("this device takes no CPU forms");
    convolutions("rows");
}
static void conv_tile(void **state) { (void)state; convolutions("tile"); }
static void conv_direct(void **state) { (void)state; convolutions("direct"); }

/* The forms that the table above is meant to reach are indeed taken. */
static void conv_forms(void **state)
{
    static const struct { const char *form; int op, n, c, h, o, k, s, p; const char *kernel; } t[] = {
        { "cpu", 0, 2, 8, 40, 33, 3, 1, 1, "conv_cpu" }, { "cpu", 0, 2, 8, 40, 3, 3, 1, 1, "conv_slim_cpu" },
        { "tile", 0, 2, 8, 9, 33, 3, 1, 1, "conv_tile" }, { "direct", 0, 2, 8, 9, 33, 3, 1, 1, "conv2d_direct" },
        { "cpu", 0, 2, 2, 9, 47, 3, 1, 1, "pack_runs 1x" }, { "cpu", 2, 2, 9, 5, 33, 3, 1, 1, "pack_runs 1x" },
        { "cpu", 1, 2, 47, 9, 3, 3, 1, 1, "pack_runs -DWINDOW=1" }, { "cpu", 1, 1, 33, 11, 5, 4, 2, 1, "pack_runs -DWINDOW=1" },
        { "cpu", 2, 3, 9, 4, 33, 3, 1, 0, "pack_runs -DWINDOW=1" }, { "cpu", 1, 2, 47, 9, 6, 1, 1, 0, "pack_rows" },
        { "cpu", 1, 1, 40, 20, 9, 7, 2, 3, "pack_any" }, { "cpu", 1, 1, 40, 9, 3, 5, 1, 2, "pack_runs 1x" },
        { "cpu", 2, 2, 17, 12, 33, 1, 1, 0, "-DLAY=1" },      { "own", 0, 1, 15, 5, 33, 3, 1, 1, "-DOWN=1" },
        { "own", 1, 1, 33, 6, 15, 3, 1, 1, "-DOWN=2" },        { "own", 1, 1, 33, 15, 37, 4, 1, 1, "-DOWN=2" },
        { "", 0, 2, 9, 20, 3, 7, 1, 3, "few_image" },   { "", 1, 2, 3, 40, 9, 4, 2, 1, "few_image" },
        { "", 0, 2, 3, 40, 9, 4, 2, 1, "few_results" },  { "", 0, 1, 3, 64, 9, 4, 2, 1, "few_results" },
        { "", 2, 2, 3, 40, 9, 4, 2, 1, "few_weights_grad" }, { "", 2, 2, 9, 20, 3, 7, 1, 3, "few_weights_grad" },
        { "rows", 0, 2, 9, 40, 33, 3, 1, 1, "conv_rows" }, { "", 0, 1, 9, 64, 33, 5, 1, 2, "conv_rows" },
        { "sums", 2, 2, 5, 20, 33, 3, 1, 1, "conv_sums" }, { "", 2, 1, 9, 65, 33, 3, 1, 1, "conv_sums" },
        { "pixel", 0, 3, 9, 8, 33, 1, 1, 0, "gemm" },   { "pixel", 1, 3, 9, 8, 33, 1, 1, 0, "gemm" },
        { "pixel", 2, 1, 9, 20, 33, 1, 1, 0, "gemm" },
        { "", 0, 5, 7, 4, 1, 4, 1, 0, "gemm" },         { "", 2, 5, 7, 4, 2, 4, 1, 0, "gemm" } };

    (void)state;
    for (size_t i = 0; i < GS_COUNT(t); i++) {
        const int oh = (t[i].h + 2 * t[i].p - t[i].k) / t[i].s + 1, side = t[i].op == 1 ? t[i].h : t[i].k;
        gs_attr a = { .i = { t[i].s, t[i].s, t[i].p, t[i].p, 1, 1, side, side } };
        gs_graph *g;
        gs_node *x, *w, *dy, *y;

        if (!gs__cpu_forms(gs_device_get_info(device)) && strcmp(t[i].form, "tile") && strcmp(t[i].form, "direct") &&
            strcmp(t[i].kernel, "gemm"))
            continue;
        g = gs_graph_new();
        x = t[i].op != 1 ? input(g, GS_SHAPE(t[i].n, t[i].c, t[i].h, t[i].h), GS_F32) : NULL;
        w = t[i].op != 2 ? input(g, GS_SHAPE(t[i].o, t[i].c, t[i].k, t[i].k), GS_F32) : NULL;
        dy = t[i].op != 0 ? input(g, GS_SHAPE(t[i].n, t[i].o, oh, oh), GS_F32) : NULL;
        y = t[i].op == 0 ? gs__node2(&gs_op_conv2d, x, w, &a)
                         : gs__node2(t[i].op == 1 ? &gs_op_conv2d_dx : &gs_op_conv2d_dw, t[i].op == 1 ? dy : x,
                                     t[i].op == 1 ? w : dy, &a);
        setenv("GESSO_CONV", t[i].form, 1);
        check(g, y, 0, 3e-6, t[i].kernel, t[i].kernel);
    }
    unsetenv("GESSO_CONV");
}

/* Reflected and repeated edges are read where they are needed: no launch makes a padded picture of its own, and the padded kernels agree with the
 * reference, forward and by the weights. */
static void folded_padding(void **state)
{
    static const struct { int n, c, h, w, o, k, s, p; gs_pad_mode mode; } cases[] = {
        { 2, 5, 20, 21, 3, 7, 1, 3, GS_PAD_REFLECT },  { 1, 3, 19, 33, 9, 7, 1, 3, GS_PAD_REFLECT },
        { 2, 9, 8, 7, 10, 3, 1, 1, GS_PAD_REFLECT },   { 1, 2, 18, 66, 11, 3, 1, 1, GS_PAD_REFLECT },
        { 2, 8, 17, 16, 12, 3, 2, 1, GS_PAD_REFLECT }, { 2, 8, 33, 76, 12, 3, 2, 1, GS_PAD_REFLECT },
        { 1, 9, 37, 41, 34, 5, 1, 2, GS_PAD_REPLICATE }, { 1, 3, 32, 34, 8, 4, 2, 1, GS_PAD_REFLECT },
        { 1, 4, 5, 18, 9, 3, 1, 2, GS_PAD_REPLICATE }, { 2, 17, 6, 5, 2, 4, 1, 1, GS_PAD_REPLICATE },
    };
    static const char *const form[] = { "", "sums", "rows", "winograd:4", "winograd:3", "winograd:2", "fused", "cpu", "tile", "direct" };

    (void)state;
    for (size_t f = 0; f < GS_COUNT(form); f++) {
        setenv("GESSO_CONV", form[f], 1);
        for (size_t i = 0; i < GS_COUNT(cases); i++)
            for (int dw = 0; dw < 2; dw++) {
                gs_graph *g = gs_graph_new();
                gs_node *x = input(g, GS_SHAPE(cases[i].n, cases[i].c, cases[i].h, cases[i].w), GS_F32);
                gs_node *wide = gs_pad2d(x, cases[i].mode, cases[i].p, cases[i].p, cases[i].p, cases[i].p), *out;
                const gs_attr a = { .i = { cases[i].s, cases[i].s, 0, 0, 1, 1, dw ? cases[i].k : 0,
                                           dw ? cases[i].k : 0 } };
                const int oh = (cases[i].h + 2 * cases[i].p - cases[i].k) / cases[i].s + 1,
                          ow = (cases[i].w + 2 * cases[i].p - cases[i].k) / cases[i].s + 1;
                const gs_shape other = dw ? GS_SHAPE(cases[i].n, cases[i].o, oh, ow)
                                          : GS_SHAPE(cases[i].o, cases[i].c, cases[i].k, cases[i].k);
                char what[64];
                gs_plan *p;
                char *text;

                out = gs__node2(dw ? &gs_op_conv2d_dw : &gs_op_conv2d, wide, input(g, other, GS_F32), &a);
                snprintf(what, sizeof what, "form \"%s\", case %d, %s", form[f], (int)i, dw ? "dw" : "y");
                gs_output(g, "folded", out);
                assert_ok(gs_compile(g, device, NULL, &(gs_compile_opts){ .dry_run = true }, &p));
                text = gs_plan_text(p);
                if (gs_test_contains(text, "linmap"))
                    fail_msg("%s: the padding is a launch of its own in\n%s", what, text);
                free(text);
                gs_plan_free(p);
                check(g, out, 0, 1e-5, "", what);
            }
    }
    unsetenv("GESSO_CONV");
}

/* What somebody else reads stays a tensor. */
static void padding_that_is_wanted(void **state)
{
    gs_graph *g = gs_graph_new();
    gs_node *x = gs_pad2d(input(g, GS_SHAPE(1, 9, 6, 7), GS_F32), GS_PAD_REFLECT, 1, 1, 1, 1);
    gs_node *y = gs_conv2d(x, input(g, GS_SHAPE(10, 9, 3, 3), GS_F32), NULL);

    (void)state;
    check(g, gs_add(gs_sum(x, GS_ALL, false), gs_sum(y, GS_ALL, false)), 0, 1e-5, "linmap",
          "a padded picture with two readers");
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

/* Sums of many short rows, whose last additions are done for 16 rows at a time on CPUs: rows that are no whole vectors, rows that lie apart, two sums and what
 * is made of them in one launch, numbers of rows that are no multiple of anything. */
static void short_rows(void **state)
{
    static const int len[] = { 3, 16, 33, 128, 129 }, rows[] = { 127, 128, 1001 };

    (void)state;
    for (size_t i = 0; i < GS_COUNT(len); i++)
        for (size_t j = 0; j < GS_COUNT(rows); j++)
            for (int k = 0; k < 3; k++) {
                gs_graph *g = gs_graph_new();
                gs_node *x = input(g, k == 2 ? GS_SHAPE(rows[j], 3, len[i]) : GS_SHAPE(rows[j], len[i]), GS_F32), *y;
                char what[64];

                snprintf(what, sizeof what, "sums %d of %d rows of %d", k, rows[j], len[i]);
                if (k == 0) y = gs_affine(gs_sum(gs_square(x), GS_AXIS(1), false), 0.5, 1.0);
                else if (k == 1) y = gs_sub(gs_sum(gs_mul(x, input(g, GS_SHAPE(len[i]), GS_F32)), GS_AXIS(1), true), gs_mean(x, GS_AXIS(1), true));
                else y = gs_mul(gs_sum(gs_slice(x, 1, 1, 2), GS_AXIS(2), false), input(g, GS_SHAPE(rows[j], 2), GS_F32));
                check(g, y, 0, 2e-6, "sum", what);
            }
}

/* Sums of neighbouring columns: whole blocks of 64 and what is left, one sum and two, in one launch and in segments. */
static void sums_of_columns(void **state)
{
    static const int columns[] = { 3, 64, 65, 200 }, rows[] = { 5, 301 };

    (void)state;
    for (size_t i = 0; i < GS_COUNT(columns); i++)
        for (size_t j = 0; j < GS_COUNT(rows); j++)
            for (int k = 0; k < 3; k++) {
                gs_graph *g = gs_graph_new();
                gs_node *x = input(g, k == 2 ? GS_SHAPE(2, rows[j], 3, columns[i]) : GS_SHAPE(rows[j], columns[i]), GS_F32), *y;
                char what[64];

                snprintf(what, sizeof what, "sums %d of %d rows of %d columns", k, rows[j], columns[i]);
                if (k == 0) y = gs_affine(gs_sum(x, GS_AXIS(0), false), 0.5, 1.0);
                else if (k == 1) y = gs_sub(gs_sum(gs_mul(x, input(g, GS_SHAPE(rows[j], 1), GS_F32)), GS_AXIS(0), true), gs_mean(x, GS_AXIS(0), true));
                else y = gs_sum(gs_square(x), GS_AXIS(0) | GS_AXIS(2), false);
                check(g, y, 0, 2e-6, "sum", what);
            }
}

/* Sums begin at 0, so those of nothing but -0 are 0, as in PyTorch: along rows (whole vectors and not, added up one by one, 16 at a time and in segments,
 * beside what is made of them in one launch) and columns. */
static void sums_of_negative_zeros(void **state)
{
    static const struct { gs_shape shape; unsigned axes; } t[] = {
        { { 2, { 3, 16 } }, GS_AXIS(1) },    { { 2, { 3, 15 } }, GS_AXIS(1) },      { { 2, { 1001, 16 } }, GS_AXIS(1) }, { { 2, { 1001, 128 } }, GS_AXIS(1) },
        { { 2, { 1001, 512 } }, GS_AXIS(1) }, { { 1, { 1 << 16 } }, GS_AXIS(0) },   { { 3, { 64, 4, 64 } }, GS_AXIS(0) | GS_AXIS(2) },
        { { 2, { 9, 70 } }, GS_AXIS(0) },    { { 2, { 1001, 70 } }, GS_AXIS(0) },   { { 2, { 16, 2048 } }, GS_AXIS(0) },
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT(t); i++)
        for (int beside = 0; beside < 2; beside++) {
            gs_graph *g = gs_graph_new();
            gs_node *x = input(g, t[i].shape, GS_F32), *s = gs_sum(x, t[i].axes, true);
            const int64_t count = gs_shape_count(t[i].shape), sums = gs_shape_count(s->shape);
            float *f = gs_xalloc(4 * (size_t)count);
            gs_plan *p;

            for (int64_t k = 0; k < count; k++) f[k] = -0.0f;
            gs_output(g, "s", s);
            if (beside) gs_output(g, "y", gs_sub(x, s));
            assert_ok(gs_compile(g, device, NULL, NULL, &p));
            assert_ok(gs_plan_feed(p, "x0", f));
            assert_ok(gs_plan_run(p, 1, 0));
            assert_ok(gs_plan_fetch(p, "s", f));
            for (int64_t k = 0; k < sums; k++)
                if (f[k] != 0.0f || signbit(f[k])) fail_msg("case %d%s: sum %d is %g", (int)i, beside ? ", beside others" : "", (int)k, (double)f[k]);
            gs_plan_free(p);
            gs_graph_free(g);
            free(f);
        }
}

static void index_lists(void **state)
{
    static const int e[] = { 1, 63, 200, 4100 }, v[] = { 2, 7, 300 };

    (void)state;
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 3; j++) {
            gs_graph *g = gs_graph_new();

            check(g, gs_scatter_add(input(g, GS_SHAPE(70, 9), GS_I32), input(g, GS_SHAPE(70, 9, e[i]), GS_F32), v[j]),
                  v[j], 3e-6, "scatter_add", "scatter_add");
            g = gs_graph_new();
            check(g, gs_gather(input(g, GS_SHAPE(v[j], e[i]), GS_F32), input(g, GS_SHAPE(70, 9), GS_I32)), v[j], 0.0,
                  e[i] < 64 ? "gather" : "gather_rows", "gather");
        }
}

/* y's plan, printed; the caller frees. */
static char *planned(gs_graph *g, gs_node *y)
{
    gs_plan *p;
    char *text;

    gs_output(g, "before", y);
    assert_ok(gs_compile(g, device, NULL, &(gs_compile_opts){ .dry_run = true }, &p));
    text = gs_plan_text(p);
    gs_plan_free(p);
    return text;
}

static void separable_maps(void **state)
{
    static const struct { int rule, h, w, oh, ow; const char *kernel; } t[] = {
        { GS_LM_BILINEAR, 12, 9, 25, 31, "linmap_plane" },    { GS_LM_BICUBIC_AA, 90, 80, 9, 8, "linmap_axis" }, /* two passes */
        { GS_LM_BICUBIC_AA, 80, 9, 7, 70, "linmap_" },        { GS_LM_BICUBIC_AA, 9, 80, 70, 7, "linmap_" },
        { GS_LM_BILINEAR, 12, 9, 12, 31, "linmap_axis" },     { GS_LM_BILINEAR, 12, 9, 31, 9, "linmap_axis" }, /* one axis stays */
        { GS_LM_ADAPTIVE, 13, 7, 4, 3, "linmap_" },           { GS_LM_NEAREST, 5, 6, 5, 6, "linmap_axis" },
        { GS_LM_NEAREST, 5, 35, 10, 70, "linmap_" },          { GS_LM_NEAREST, 23, 70, 11, 37, "linmap_" },
        { GS_LM_BICUBIC, 40, 33, 91, 290, "linmap_" },        { GS_LM_BILINEAR, 128, 30, 130, 47, "linmap_" }, /* more rows, several chunks */
        { GS_LM_BILINEAR, 3, 300, 50, 600, "linmap_" },       { GS_LM_BILINEAR, 50, 5, 70, 1, "linmap_" },
        { GS_LM_BICUBIC_AA, 3, 40000, 2, 30000, "linmap_" } }; /* lines that local memory has no room for */
    const char *const kernels[] = { "linmap_copy_lines", "linmap_pool_lines", "linmap_turn_lines", "linmap_rise_lines", " 1 linmap_lines" };
    int times[GS_COUNT(kernels)] = { 0 };

    (void)state;
    for (size_t i = 0; i < GS_COUNT(t); i++)
        for (int back = 0; back < 2; back++) {
            gs_attr a = { .i = { t[i].rule, back, t[i].h, t[i].w, t[i].oh, t[i].ow } };
            gs_graph *g = gs_graph_new();
            gs_node *x = input(g, back ? GS_SHAPE(2, 3, t[i].oh, t[i].ow) : GS_SHAPE(2, 3, t[i].h, t[i].w), GS_F32);
            gs_node *y = gs__node1(&gs_op_linmap, x, &a);
            char what[32], *text = planned(g, y);

            snprintf(what, sizeof what, "linmap, case %d%s", (int)i, back ? ", adjoint" : "");
            for (size_t k = 0; k < GS_COUNT(kernels); k++) times[k] += gs_test_contains(text, kernels[k]);
            free(text);
            check(g, y, 0, 2e-6, gs__cpu_forms(gs_device_get_info(device)) ? "_lines" : back ? "linmap_" : t[i].kernel, what);
        }
    if (!gs__cpu_forms(gs_device_get_info(device))) {
        for (int k = 0; k < 4; k++) assert_int_equal(times[k], 0);
        return;
    }
    for (size_t k = 0; k < GS_COUNT(kernels); k++)
        if (!times[k]) fail_msg("no map as \"%s\"", kernels[k]);
    assert_int_equal(times[0], 2); /* nearest along both axes, forward */
}

/* Windows of one form along rows as long as 8, 4, 2 and 1 vectors and a rest, with cut windows at either end or without. */
static void pooling(void **state)
{
    static const struct { int kernel, stride, pad; bool ceil, other; } t[] = {
        { 2, 2, 0, false, false }, { 3, 2, 1, false, false }, { 3, 1, 1, false, false }, { 4, 4, 0, false, false }, { 5, 2, 2, true, false },
        { 8, 1, 0, false, false }, { 7, 2, 3, false, false }, { 2, 1, 0, false, false }, { 4, 2, 1, false, false },
        { 3, 3, 0, false, true },  { 9, 2, 0, false, true },  { 6, 4, 1, false, true } }; /* other: not as vectors of windows */
    static const int windows[] = { 5, 17, 37, 213 };
    const bool cpu = gs__cpu_forms(gs_device_get_info(device));

    (void)state;
    for (size_t i = 0; i < GS_COUNT(t); i++)
        for (size_t j = 0; j < GS_COUNT(windows); j++)
            for (int exclude = 0; exclude < 2; exclude++) {
                const gs_pool_opts o = { .kernel = t[i].kernel, .stride = t[i].stride, .pad = t[i].pad, .ceil_mode = t[i].ceil, .exclude_pad = exclude };
                const int w = windows[j] * o.stride + o.kernel - o.stride - 2 * o.pad;
                gs_graph *g = gs_graph_new();
                gs_node *y = gs_avg_pool2d(input(g, GS_SHAPE(1, 3, 11, w), GS_F32), &o);
                char what[80], *text = planned(g, y);

                snprintf(what, sizeof what, "windows of %d by %d, pad %d, %d of them", o.kernel, o.stride, o.pad, windows[j]);
                if (windows[j] != 17 && gs_test_contains(text, "linmap_pool_lines") != (cpu && !t[i].other && windows[j] > 17))
                    fail_msg("%s:\n%s", what, text);
                free(text);
                check(g, y, 0, 2e-6, "linmap_", what);
            }
}

/* Largest of windows along lines shorter than one piece, as long as one and two, and with a piece that overlaps the one before. */
static void largest_of_windows(void **state)
{
    static const int windows[] = { 127, 128, 129, 200, 256, 300 };
    const bool cpu = gs__cpu_forms(gs_device_get_info(device));

    (void)state;
    for (size_t i = 0; i < GS_COUNT(windows); i++) {
        gs_graph *g = gs_graph_new();
        gs_node *x, *y;
        char what[64];

        snprintf(what, sizeof what, "largest of %d windows", windows[i]);
        y = gs_max_pool2d(input(g, GS_SHAPE(1, 3, 10, 2 * windows[i]), GS_F32), &(gs_pool_opts){ .kernel = 2 });
        check(g, y, 0, 0.0, cpu ? "window_max" : "window_gather", what);
        g = gs_graph_new();
        x = input(g, GS_SHAPE(2, 3, 10, 2 * windows[i]), GS_F32);
        y = gs_max_pool2d(x, &(gs_pool_opts){ .kernel = 2 });
        gs_grad(gs_sum(gs_mul(y, input(g, gs_node_shape(y), GS_F32)), GS_ALL, false), &x, 1, &y);
        check(g, y, 0, 0.0, "window_argmax", what); /* where it lies */
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

            check(g,
                  k == 0   ? gs_random_uniform(g, s)
                  : k == 1 ? gs_random_normal(g, s)
                           : gs_random_bernoulli(g, s, 0.3),
                  0, k == 1 ? 1e-6 : 0.0, "random_", "random");
        }
}

/* What other devices than CPUs get, here too. */
static void forms_for_gpus(void **state)
{
    const bool was = device->info.local_is_global;

    device->info.local_is_global = false;
    sums_of_negative_zeros(state);
    index_lists(state);
    separable_maps(state);
    winograd_cases(5);
    device->info.local_is_global = was;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv_cpu),
        cmocka_unit_test(conv_own),
        cmocka_unit_test(conv_few),
        cmocka_unit_test(conv_sums),
        cmocka_unit_test(conv_rows),
        cmocka_unit_test(winograd),
        cmocka_unit_test(winograd_fused),
        cmocka_unit_test(winograd_off),
        cmocka_unit_test(folded_padding),
        cmocka_unit_test(padding_that_is_wanted),
        cmocka_unit_test(conv_tile),
        cmocka_unit_test(conv_direct),
        cmocka_unit_test(conv_forms),
        cmocka_unit_test(unknown_form),
        cmocka_unit_test(products_of_higher_rank),
        cmocka_unit_test(lines),
        cmocka_unit_test(short_rows),
        cmocka_unit_test(sums_of_columns),
        cmocka_unit_test(sums_of_negative_zeros),
        cmocka_unit_test(index_lists),
        cmocka_unit_test(separable_maps),
        cmocka_unit_test(pooling),
        cmocka_unit_test(largest_of_windows),
        cmocka_unit_test(random_tails),
        cmocka_unit_test(forms_for_gpus),
    };

    return cmocka_run_group_tests(tests, open_device, close_device);
}
