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
#include "lib/graphs.h"
#include "lib/one_device.h"
#include "plan/plan_int.h"

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
        gs_assign(
            p, gs_sub(gs_read(p), gs_scale(gs_div(gs_div(m1, c1), gs_affine(gs_sqrt(gs_div(v1, c2)), 1, 1e-8)), 0.01)));
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
    static const char *const off[] = { "fuse", "cse", "simplify", "inplace", "share", "fuse,cse,simplify,inplace" };
    int n;
    char *text;
    float *want = run_net("", &n, &text);

    (void)state;
    for (size_t k = 0; k < GS_COUNT(off); k++) {
        int m;
        float *got = run_net(off[k], &m, NULL);

        assert_int_equal(n, m);
        for (int i = 0; i < n; i++)
            if (fabsf(got[i] - want[i]) > 2e-5f * (1 + fabsf(want[i])))
                fail_msg("without %s: element %d is %g, not %g", off[k], i, (double)got[i], (double)want[i]);
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

static void count_wide(void *user, const char *label, const char *source, const char *options)
{
    (void)label, (void)options;
    *(int *)user += strstr(source, "vectorize_width(16)") != NULL;
}

/* Loops along memory on CPUs ask for vectors of 16 where they compute more than they move, and for rows of any length the result is that of the definition. */
static void arithmetic_is_wide(void **state)
{
    static const gs_shape size[] = { { 2, { 3, 16 } }, { 2, { 5, 37 } }, { 3, { 4, 3, 64 } }, { 1, { 4099 } }, { 3, { 2, 9, 4097 } } };

    (void)state;
    for (size_t k = 0; k < 2 * GS_COUNT(size); k++) {
        const gs_shape shape = size[k / 2];
        const bool much = k % 2;
        gs_graph *g = gs_graph_new();
        gs_node *x = graph_fed(g, shape), *y, *b = NULL;
        float *got = malloc((size_t)gs_shape_count(shape) * sizeof *got), *fed;
        gs_device *null;
        gs_plan *p;
        int wide = 0;

        if (shape.rank > 1) { /* as many as rows, over the last but one axis */
            gs_shape rows = shape;

            rows.dim[shape.rank - 1] = 1;
            if (shape.rank > 2) rows.dim[0] = 1;
            b = graph_fed(g, rows);
        }
        y = gs_add(x, b ? b : gs_const(g, 0.5));
        for (int i = 0; i < 3 && much; i++) y = gs_add(gs_mul(y, x), gs_affine(y, 0.25, 1.0));
        gs_output(g, "y", y);
        ok(gs_device_open("null:cpu", &null));
        gs_null_on_build(null, count_wide, &wide);
        ok(gs_compile(g, null, NULL, &(gs_compile_opts){ .off = "" }, &p));
        assert_int_equal(wide, much);
        gs_plan_free(p);
        gs_device_close(null);

        ok(gs_compile(g, device, NULL, &(gs_compile_opts){ .off = "" }, &p));
        for (int i = 0; i < g->n_inputs; i++) {
            fed = graph_feed(g, i);
            ok(gs_plan_feed(p, g->inputs[i].name, fed));
            free(fed);
        }
        ok(gs_plan_run(p, 1, 0));
        ok(gs_plan_fetch(p, "y", got));
        graph_near_reference(g, got, 1e-6, 1e-6, "arithmetic");
        gs_plan_free(p);
        gs_graph_free(g);
        free(got);
    }
}

/* CUDA allows 65535 groups along y; the null device keeps to that, a real one shows that the sums are right. */
static void sums_of_very_many_rows(void **state)
{
    enum { ROWS = 65540 };
    float *x = calloc(ROWS * 4, sizeof *x), *y = calloc(ROWS * 2, sizeof *y);

    (void)state;
    for (int i = 0; i < ROWS * 4; i++) x[i] = (float)(i % 4093);
    for (int real = 0; real < 3; real++) {
        const bool local = device->info.local_is_global;
        gs_graph *g = gs_graph_new();
        gs_device *d = device;
        gs_plan *p;

        if (real == 2) device->info.local_is_global = !local; /* the other form of the kernel, which computes the same */
        if (!real) ok(gs_device_open("null", &d));
        gs_output(g, "y", gs_sum(gs_input(g, "x", GS_SHAPE(ROWS, 2, 2), GS_F32), GS_AXIS(1), false));
        ok(gs_compile(g, d, NULL, NULL, &p));
        ok(gs_plan_feed(p, "x", x));
        ok(gs_plan_run(p, 0, 0));
        ok(gs_plan_fetch(p, "y", y));
        for (int i = 0; real && i < ROWS * 2; i++)
            if (y[i] != x[i / 2 * 4 + i % 2] + x[i / 2 * 4 + 2 + i % 2]) fail_msg("element %d is %g", i, (double)y[i]);
        gs_plan_free(p);
        gs_graph_free(g);
        device->info.local_is_global = local;
        if (!real) gs_device_close(d);
    }
    free(x);
    free(y);
}

/* Few results, long sums: cut in segments, with the summed axes behind a leading axis of length 1, as in the norms of one picture. */
static void segmented_sums_of_one_picture(void **state)
{
    enum { C = 3, PIXELS = 96 * 96 };
    float *x = calloc(C * PIXELS, sizeof *x), y[C];

    (void)state;
    for (int i = 0; i < C * PIXELS; i++) x[i] = (float)(i / PIXELS + 1);
    for (int other = 0; other < 2; other++) {
        const bool local = device->info.local_is_global;
        gs_graph *g = gs_graph_new();
        gs_plan *p;

        if (other) device->info.local_is_global = !local; /* the other form of the kernel */
        gs_output(g, "y", gs_mean(gs_input(g, "x", GS_SHAPE(1, C, 96, 96), GS_F32), GS_AXIS(2) | GS_AXIS(3), true));
        ok(gs_compile(g, device, NULL, NULL, &p));
        ok(gs_plan_feed(p, "x", x));
        ok(gs_plan_run(p, 0, 0));
        ok(gs_plan_fetch(p, "y", y));
        for (int c = 0; c < C; c++)
            if (fabsf(y[c] - (float)(c + 1)) > 1e-5f) fail_msg("channel %d has mean %g", c, (double)y[c]);
        gs_plan_free(p);
        gs_graph_free(g);
        device->info.local_is_global = local;
    }
    free(x);
}

/* A product over one term is arithmetic: all of this is one kernel, whichever operand is stored transposed. */
static void outer_products_are_fused(void **state)
{
    enum { M = 37, N = 53 };
    float a[M], b[N], w[M * N], y[M * N];

    (void)state;
    for (int i = 0; i < M; i++) a[i] = (float)i - 7;
    for (int i = 0; i < N; i++) b[i] = 2 - (float)i;
    for (int i = 0; i < M * N; i++) w[i] = (float)(i % 11);
    for (int form = 0; form < 4; form++) {
        const bool ta = form & 1, tb = form & 2;
        gs_graph *g = gs_graph_new();
        gs_node *x = gs_input(g, "a", ta ? GS_SHAPE(1, M) : GS_SHAPE(M, 1), GS_F32),
                *v = gs_input(g, "b", tb ? GS_SHAPE(N, 1) : GS_SHAPE(1, N), GS_F32);
        gs_plan *p;

        gs_output(g, "y", gs_add(gs_matmul(x, v, ta, tb), gs_scale(gs_input(g, "w", GS_SHAPE(M, N), GS_F32), 0.5)));
        ok(gs_compile(g, device, NULL, &(gs_compile_opts){ .off = "" }, &p));
        assert_int_equal(gs_plan_get_stats(p).launches, 1);
        ok(gs_plan_feed(p, "a", a));
        ok(gs_plan_feed(p, "b", b));
        ok(gs_plan_feed(p, "w", w));
        ok(gs_plan_run(p, 0, 0));
        ok(gs_plan_fetch(p, "y", y));
        for (int i = 0; i < M * N; i++)
            if (y[i] != a[i / N] * b[i % N] + 0.5f * w[i]) fail_msg("form %d: element %d is %g", form, i, (double)y[i]);
        gs_plan_free(p);
        gs_graph_free(g);
    }
}

/* ---- what each pass wins ---- */

static gs_plan *compile_net(gs_device *d, const char *off, gs_graph **g)
{
    gs_compile_opts o = { .off = off, .dry_run = true };
    gs_plan *p;

    *g = gs_graph_new();
    build_net(*g);
    ok(gs_compile(*g, d, NULL, &o, &p));
    return p;
}

static gs_plan_stats stats_without(gs_device *d, const char *off)
{
    gs_graph *g;
    gs_plan *p = compile_net(d, off, &g);
    const gs_plan_stats s = gs_plan_get_stats(p);

    gs_plan_free(p);
    gs_graph_free(g);
    return s;
}

static void each_pass_wins(void **state)
{
    gs_device *null;
    gs_plan_stats all;

    (void)state;
    ok(gs_device_open("null", &null));
    all = stats_without(null, "");
    assert_true(stats_without(null, "fuse").launches > 2 * all.launches);
    assert_true(stats_without(null, "simplify").launches >= all.launches);
    assert_true(stats_without(null, "inplace").launches > all.launches); /* assignments become copies */
    assert_true(stats_without(null, "inplace").workspace_bytes > all.workspace_bytes);
    gs_device_close(null);
}

static gs_value *root_of(gs_value *v)
{
    while (v->same_as) v = v->same_as;
    return v;
}

/* No two values that live at the same time share a byte, unless one took the other's place on purpose. */
static void lifetimes_do_not_overlap(void **state)
{
    gs_device *null;
    gs_graph *g;
    gs_plan *p;
    int pairs = 0;

    (void)state;
    ok(gs_device_open("null", &null));
    null->info.max_alloc = 2 * 33 * 65 * 4; /* several chunks */
    p = compile_net(null, "", &g);
    assert_true(p->n_chunks > 1);
    for (int i = 0; i < p->n_chunks; i++) assert_true(p->chunks[i].size <= null->info.max_alloc);
    for (int i = 0; i < p->n_values; i++)
        for (int k = 0; k < i; k++) {
            const gs_value *a = p->values[i], *b = p->values[k];

            if (a->place != GS_PLACE_WORKSPACE || b->place != GS_PLACE_WORKSPACE || a->buffer != b->buffer) continue;
            if (root_of(p->values[i]) == root_of(p->values[k]) || a->last < b->first || b->last < a->first) continue;
            pairs++;
            assert_true(a->offset + 4 * (size_t)a->count <= b->offset || b->offset + 4 * (size_t)b->count <= a->offset);
        }
    assert_true(pairs > 20);
    gs_plan_free(p);
    gs_graph_free(g);
    gs_device_close(null);
}

static void what_cannot_fit_is_refused(void **state)
{
    gs_device *null;
    gs_graph *g = gs_graph_new();
    gs_plan *p;
    gs_compile_opts o = { .dry_run = true };

    (void)state;
    ok(gs_device_open("null", &null));
    build_net(g);
    null->info.memory = 4096;
    assert_int_equal(gs_compile(g, null, NULL, &o, &p), GS_ELIMIT);
    assert_null(p);
    assert_non_null(strstr(gs_last_error(), "4.0 KiB"));
    assert_non_null(strstr(gs_last_error(), "smaller batch"));
    null->info.memory = (size_t)1 << 30;
    null->info.max_alloc = 1024;
    assert_int_equal(gs_compile(g, null, NULL, &o, &p), GS_ELIMIT);
    assert_non_null(strstr(gs_last_error(), "in one piece"));
    gs_graph_free(g);
    gs_device_close(null);
}

/* The old value of a variable is read by everything that was built on it, however late, although the new one is written in place. */
static void dry_plans_only_tell(void **state)
{
    gs_graph *g = gs_graph_new();
    gs_plan *p;
    float x[33 * 17] = { 0 };

    (void)state;
    build_net(g);
    ok(gs_compile(g, device, NULL, &(gs_compile_opts){ .dry_run = true }, &p));
    assert_true(gs_plan_get_stats(p).launches > 0);
    assert_int_equal(gs_plan_feed(p, "x", x), GS_EINVAL);
    assert_int_equal(gs_plan_run(p, 1, 1), GS_EINVAL);
    assert_int_equal(gs_plan_fetch(p, "loss", x), GS_EINVAL);
    assert_non_null(strstr(gs_last_error(), "dry"));
    gs_plan_free(p);
    gs_graph_free(g);
}

/* A graph of which one variable does not fit the store leaves none of its others there: they would have no memory. */
static void a_refused_graph_leaves_the_store(void **state)
{
    gs_graph *g[2];
    gs_store *s;
    float values[5];

    (void)state;
    ok(gs_store_new(device, 1, &s));
    for (int i = 0; i < 2; i++) g[i] = gs_graph_new();
    gs_param(g[0], "b", GS_SHAPE(4), (gs_init){ GS_INIT_CONST, 1 });
    ok(gs_store_add(s, g[0]));
    gs_param(g[1], "a", GS_SHAPE(5), (gs_init){ GS_INIT_CONST, 2 });
    gs_param(g[1], "b", GS_SHAPE(3), (gs_init){ GS_INIT_CONST, 3 });
    assert_int_equal(gs_store_add(s, g[1]), GS_ESHAPE);
    assert_non_null(strstr(gs_last_error(), "the store has it with shape 4, the graph wants 3"));
    assert_int_equal(gs_store_count(s), 1);
    assert_int_equal(gs_store_find(s, "a"), -1);
    gs_graph_free(g[1]);
    g[1] = gs_graph_new();
    gs_param(g[1], "a", GS_SHAPE(5), (gs_init){ GS_INIT_CONST, 2 });
    ok(gs_store_add(s, g[1]));
    ok(gs_store_read(s, gs_store_find(s, "a"), values));
    for (int i = 0; i < 2; i++) gs_graph_free(g[i]);
    gs_store_free(s);
}

/* Stores make initial values in pieces of 4 Mi elements: they are those of the whole. Integers are what was asked for. */
static void initial_values(void **state)
{
    const gs_init inits[] = { { GS_INIT_UNIFORM, -1, 2 }, { GS_INIT_KAIMING_NORMAL, 1, 0 }, { GS_INIT_ORTHOGONAL, 1, 0 }, { GS_INIT_UNIT_NORMAL, 0, 0 } };
    const gs_shape shapes[] = { GS_SHAPE(1049, 4001), GS_SHAPE((4 << 20) + 1), GS_SHAPE(3, 7), GS_SHAPE(11) };
    gs_graph *g = gs_graph_new();
    gs_store *s;
    int32_t whole[3];

    (void)state;
    for (int i = 0; i < 4; i++) {
        char name[8];

        snprintf(name, sizeof name, "v%d", i);
        gs_variable(g, name, shapes[i], GS_F32, inits[i], false);
    }
    gs_variable(g, "count", GS_SHAPE(3), GS_I32, (gs_init){ GS_INIT_CONST, 16777217, 0 }, false);
    ok(gs_store_new(device, 5, &s));
    ok(gs_store_add(s, g));
    for (int i = 0; i < 4; i++) {
        const size_t n = (size_t)gs_shape_count(shapes[i]);
        float *want = gs_xalloc(n * sizeof *want), *got = gs_xalloc(n * sizeof *got);

        gs_init_fill(g->vars[i], 5, want);
        ok(gs_store_read(s, i, got));
        assert_memory_equal(got, want, n * sizeof *got);
        free(want);
        free(got);
    }
    ok(gs_store_read(s, 4, whole));
    for (int i = 0; i < 3; i++) assert_int_equal(whole[i], 16777217);
    gs_graph_free(g);
    gs_store_free(s);
}

static void assignments_happen_at_the_end(void **state)
{
    gs_graph *g = gs_graph_new();
    gs_store *s;
    gs_plan *p;
    gs_var *a = gs_variable(g, "a", GS_SHAPE(3), GS_F32, (gs_init){ GS_INIT_CONST, 1, 0 }, false);
    gs_var *b = gs_variable(g, "b", GS_SHAPE(3), GS_F32, (gs_init){ GS_INIT_CONST, 10, 0 }, false);
    gs_node *old_a = gs_read(a), *old_b = gs_read(b);
    float va[3], vb[3], rev[3];

    (void)state;
    gs_assign(a, old_b);                                 /* swap: both must be copied */
    gs_assign(b, old_a);
    gs_output(g, "late", gs_add(gs_affine(old_a, 1, 0.5), gs_read(a)));
    ok(gs_store_new(device, 0, &s));
    ok(gs_compile(g, device, s, NULL, &p));
    for (int i = 0; i < 3; i++) ok(gs_plan_run(p, 0, (uint64_t)i));
    ok(gs_plan_fetch(p, "late", rev));
    ok(gs_store_read(s, gs_store_find(s, "a"), va));
    ok(gs_store_read(s, gs_store_find(s, "b"), vb));
    for (int i = 0; i < 3; i++) {
        assert_true(va[i] == 10.0f && vb[i] == 1.0f);
        assert_true(rev[i] == 11.5f);
    }
    gs_plan_free(p);
    gs_store_free(s);
    gs_graph_free(g);
}

/* A small plan after a large one and the other way round: the shared workspace grows, and the first plan still runs. */
static void plans_share_the_workspace(void **state)
{
    gs_store *s;
    gs_plan *p[2];
    gs_graph *g[2];

    (void)state;
    ok(gs_store_new(device, 0, &s));
    for (int k = 0; k < 2; k++) {
        const int n = k ? 5000 : 10;
        gs_node *x;

        g[k] = gs_graph_new();
        x = gs_input(g[k], "x", GS_SHAPE(n), GS_F32);
        gs_output(g[k], "y", gs_cumsum(gs_affine(gs_cumsum(gs_affine(x, 2, 0), 0, false), 1, 1), 0, true));
        ok(gs_compile(g[k], device, s, NULL, &p[k]));
    }
    for (int round = 0; round < 2; round++)
        for (int k = 0; k < 2; k++) {
            const int n = k ? 5000 : 10;
            float x[5000], y[5000];
            double want = 0;

            for (int i = 0; i < n; i++) x[i] = 1;
            ok(gs_plan_feed(p[k], "x", x));
            ok(gs_plan_run(p[k], 0, 0));
            ok(gs_plan_fetch(p[k], "y", y));
            for (int i = n - 1; i >= 0; i--) {
                want += 2.0 * (i + 1) + 1;
                assert_true(fabs(y[i] - want) <= 1e-5 * want);
            }
        }
    for (int k = 0; k < 2; k++) {
        gs_plan_free(p[k]);
        gs_graph_free(g[k]);
    }
    gs_store_free(s);
}

/* Numbers keep to themselves within every form of kernel: loops over rows and columns, short and long, maps, ends of sums. */
static void numbers_within_sums(void **state)
{
    enum { ROWS = 24, LONG = 300, SHORT = 20 };
    static float x[ROWS * LONG], y[LONG];
    gs_graph *g = gs_graph_new();
    gs_store *s;
    gs_plan *p;

    (void)state;
    for (int k = 0; k < 2; k++) {
        gs_node *in = gs_input(g, k ? "long" : "short", GS_SHAPE(ROWS, k ? LONG : SHORT), GS_F32);
        gs_node *each = gs_square(gs_affine(in, 0.3, 0.7));

        gs_output(g, k ? "long_rows" : "short_rows", gs_affine(gs_square(gs_sum(each, GS_AXIS(1), false)), 0.11, 0.9));
        gs_output(g, k ? "long_columns" : "short_columns", gs_affine(gs_square(gs_sum(each, GS_AXIS(0), false)), 0.11, 0.9));
    }
    for (int i = 0; i < ROWS * LONG; i++) x[i] = (float)(i * 37 % 101) / 50 - 1;
    ok(gs_store_new(device, 0, &s));
    ok(gs_compile(g, device, s, NULL, &p));
    ok(gs_plan_feed(p, "long", x));
    ok(gs_plan_feed(p, "short", x));
    ok(gs_plan_run(p, 0, 0));
    for (int k = 0; k < 4; k++) {
        static const char *const name[] = { "short_rows", "short_columns", "long_rows", "long_columns" };
        const int n = k < 2 ? SHORT : LONG, results = k % 2 ? n : ROWS;

        ok(gs_plan_fetch(p, name[k], y));
        for (int r = 0; r < results; r++) {
            double sum = 0;

            for (int j = 0; j < (k % 2 ? ROWS : n); j++) sum += pow(0.3 * x[k % 2 ? j * n + r : r * n + j] + 0.7, 2);
            assert_true(fabs(y[r] - (0.11 * sum * sum + 0.9)) <= 1e-5 * (0.11 * sum * sum + 0.9));
        }
    }
    gs_plan_free(p);
    gs_store_free(s);
    gs_graph_free(g);
}

/* Kernels of one form are one, whatever their numbers: the 1 / n of a mean is another one for every size. */
static void numbers_are_arguments(void **state)
{
    enum { SIZES = 2, LONG = 16 }; /* more numbers than a kernel has as arguments; the rest are written out */
    static const int size[SIZES] = { 40, 72 };
    static const double b[SIZES] = { 0.3, -1.7 };
    gs_graph *g = gs_graph_new();
    gs_store *s;
    gs_plan *p;
    char *text, name[SIZES][64];
    int n = 0;

    (void)state;
    for (int k = 0; k < SIZES; k++) {
        gs_node *z = gs_input(g, k ? "w1" : "w0", GS_SHAPE(size[k]), GS_F32);

        gs_output(g, k ? "y1" : "y0", gs_affine(gs_input(g, k ? "x1" : "x0", GS_SHAPE(size[k]), GS_F32), 1.0 / size[k], b[k]));
        for (int i = 0; i < LONG; i++) z = gs_tanh(gs_affine(z, 1 + 1.0 / (3 + i), b[k]));
        gs_output(g, k ? "z1" : "z0", z);
    }
    ok(gs_store_new(device, 0, &s));
    ok(gs_compile(g, device, s, NULL, &p));
    text = gs_plan_text(p);
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
        int launch;
        char kernel[64];

        if (sscanf(line, "%d %63s", &launch, kernel) == 2 && !strncmp(kernel, "map_", 4) && !strstr(kernel, "tanh")) {
            assert_true(n < SIZES);
            strcpy(name[n++], kernel);
        }
    }
    assert_int_equal(n, SIZES);
    assert_string_equal(name[0], name[1]);
    for (int k = 0; k < SIZES; k++) {
        float x[72], y[72];

        for (int i = 0; i < size[k]; i++) x[i] = (float)i - 20;
        ok(gs_plan_feed(p, k ? "x1" : "x0", x));
        ok(gs_plan_feed(p, k ? "w1" : "w0", x));
        ok(gs_plan_run(p, 0, 0));
        ok(gs_plan_fetch(p, k ? "y1" : "y0", y));
        for (int i = 0; i < size[k]; i++) assert_true(fabs(y[i] - (x[i] / size[k] + b[k])) <= 1e-6 * (1 + fabs(y[i])));
        ok(gs_plan_fetch(p, k ? "z1" : "z0", y));
        for (int i = 0; i < size[k]; i++) {
            double z = x[i];

            for (int j = 0; j < LONG; j++) z = tanh((1 + 1.0 / (3 + j)) * z + b[k]);
            assert_true(fabs(y[i] - z) <= 1e-5);
        }
    }
    free(text);
    gs_plan_free(p);
    gs_store_free(s);
    gs_graph_free(g);
}

/* A tensor that is read at many places counts once for each of them: kernels have room for so many reads only. By themselves, before sums and along rows. */
static void many_places_of_a_tensor(void **state)
{
    enum { ROWS = 64, LENGTH = 16, RESULTS = 6, EACH = 11 };

    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        gs_graph *g = gs_graph_new();
        const gs_compile_opts o = { .off = "" };
        gs_node *x = graph_fed(g, GS_SHAPE(ROWS, LENGTH + RESULTS * EACH)), *total = gs_sum(gs_slice(x, 1, 0, LENGTH), GS_AXIS(1), true);
        const int64_t count = RESULTS * ROWS * (kind == 1 ? 1 : LENGTH);
        float *fed = graph_feed(g, 0), *got = gs_xalloc((size_t)count * sizeof *got), *at = got;
        gs_store *s;
        gs_plan *p;

        for (int k = 0; k < RESULTS; k++) {
            gs_node *y = gs_slice(x, 1, k * EACH, LENGTH);
            char name[8];

            for (int i = 1; i < EACH; i++) y = gs_add(y, gs_square(gs_slice(x, 1, k * EACH + i, LENGTH)));
            if (kind == 1) y = gs_sum(y, GS_AXIS(1), false);
            if (kind == 2) y = gs_mul(y, total);
            snprintf(name, sizeof name, "y%d", k);
            gs_output(g, name, y);
        }
        ok(gs_store_new(device, 7, &s));
        ok(gs_compile(g, device, s, &o, &p));
        ok(gs_plan_feed(p, "in0", fed));
        ok(gs_plan_run(p, 1, 0));
        for (int k = 0; k < RESULTS; k++, at += count / RESULTS) ok(gs_plan_fetch(p, g->outputs[k].name, at));
        graph_near_reference(g, got, 2e-6, 0.0, "many places");
        gs_plan_free(p);
        gs_store_free(s);
        gs_graph_free(g);
        free(fed);
        free(got);
    }
}

int main(void)
{
    const struct CMUnitTest values[] = { /* these look at numbers */
        cmocka_unit_test(sums_of_very_many_rows),
        cmocka_unit_test(segmented_sums_of_one_picture),
        cmocka_unit_test(outer_products_are_fused),
        cmocka_unit_test(arithmetic_is_wide),
        cmocka_unit_test(initial_values), cmocka_unit_test(assignments_happen_at_the_end),
        cmocka_unit_test(plans_share_the_workspace), cmocka_unit_test(numbers_are_arguments),
        cmocka_unit_test(numbers_within_sums), cmocka_unit_test(many_places_of_a_tensor),
    };
    const struct CMUnitTest plans[] = {
        cmocka_unit_test(equals_reference),
        cmocka_unit_test(passes_change_nothing),
        cmocka_unit_test(each_pass_wins),
        cmocka_unit_test(lifetimes_do_not_overlap),
        cmocka_unit_test(what_cannot_fit_is_refused),
        cmocka_unit_test(dry_plans_only_tell),
        cmocka_unit_test(a_refused_graph_leaves_the_store),
    };
    const char *name = getenv("GESSO_DEVICE");
    int failed = cmocka_run_group_tests(plans, open_device, close_device);

    if (name && !strncmp(name, "null", 4)) printf("SKIP values of test_plan: the null device computes nothing\n");
    else failed += cmocka_run_group_tests(values, open_device, close_device);
    return failed;
}
