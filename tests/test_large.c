/* Tensors near the most elements that kernels index (GS_MOST_ELEMENTS, a little below 2^31): what is beyond is refused, every variant of products
 * and convolutions plans what is not, and kernels count to the end.
 *
 * The last runs on 8 GiB of memory that nobody writes but in a few places: a processor's driver takes it from the system as zeros that need no
 * memory until they are written. So each result is a sum of a few known terms. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/graph.h"
#include "lib/one_device.h"
#include "plan/plan_int.h"

/* ---- what is refused ---- */

static gs_device *roomy(const char *id)
{
    gs_device *d;

    assert_ok(gs_device_open(id, &d));
    d->info.memory = (size_t)1 << 50;
    d->info.max_alloc = (size_t)1 << 49;
    return d;
}

static void one_more_is_refused(void **state)
{
    gs_device *null = roomy("null");

    (void)state;
    for (int more = 0; more < 2; more++) {
        gs_graph *g = gs_graph_new();
        gs_compile_opts o = { .dry_run = true };
        gs_plan *p;

        gs_output(g, "y", gs_scale(gs_input(g, "x", GS_SHAPE(GS_MOST_ELEMENTS + more), GS_F32), 2.0));
        if (!more) assert_ok(gs_compile(g, null, NULL, &o, &p));
        else assert_fails(gs_compile(g, null, NULL, &o, &p), GS_ELIMIT, "a tensor of 2130706433 elements, the most that kernels index is 2130706432");
        gs_plan_free(p);
        gs_graph_free(g);
    }
    gs_device_close(null);
}

/* ---- what every variant plans ---- */

static void plans(gs_device *d, gs_graph *g, gs_node *y, const char *use, const char *what)
{
    gs_compile_opts o = { .dry_run = true, .use = use };
    gs_plan *p;

    gs_output(g, "y", y);
    if (gs_compile(g, d, NULL, &o, &p) != GS_OK) fail_msg("%s, %s, %s: %s", what, use, d->info.id, gs_last_error());
    gs_plan_free(p);
    gs_graph_free(g);
}

static gs_node *input(gs_graph *g, const char *name, gs_shape s) { return gs_input(g, name, s, GS_F32); }

/* By what the plan takes itself, and by every variant that can do it: both forms of device. */
static void by_every_variant(const gs_problem *q, gs_node *(*make)(gs_graph *g, const gs_problem *q), const char *what)
{
    static const char *const ids[] = { "null", "null:cpu" };

    for (size_t i = 0; i < GS_COUNT(ids); i++) {
        gs_device *d = roomy(ids[i]);
        gs_graph *g = gs_graph_new();

        plans(d, g, make(g, q), NULL, what);
        for (const gs_variant *v = gs_family_variants(q->family); v->name; v++) {
            char use[GS_TUNING_NAME];

            if (!v->can(d, q)) continue;
            gs_variant_name(q->family, v, use);
            g = gs_graph_new();
            plans(d, g, make(g, q), use, what);
        }
        gs_device_close(d);
    }
}

static gs_node *make_product(gs_graph *g, const gs_problem *q)
{
    const gs_gemm *m = &q->gemm;

    return gs_matmul(input(g, "a", m->ta ? GS_SHAPE(m->batch, m->k, m->m) : GS_SHAPE(m->batch, m->m, m->k)),
                     input(g, "b", m->tb ? GS_SHAPE(m->batch, m->n, m->k) : GS_SHAPE(m->batch, m->k, m->n)), m->ta, m->tb);
}

static void products_plan(void **state)
{
    static const int64_t t[][4] = { /* M, N, K, batch */
        { 1, 1, GS_MOST_ELEMENTS, 1 }, { 1, GS_MOST_ELEMENTS, 1, 1 }, { GS_MOST_ELEMENTS, 1, 1, 1 }, { 1, 1, 1, GS_MOST_ELEMENTS },
        { 46158, 46159, 1, 1 }, { 46158, 1, 46159, 1 }, { 1, 46158, 46159, 1 }, { 46158, 46159, 40, 1 }, { 46158, 40, 46159, 1 },
        { 3, 710235000, 2, 1 }, { 3, 2, 710235000, 1 }, { 710235000, 3, 2, 1 }, { 17, 19, 112142443, 1 }, { 112142443, 17, 5, 1 },
        { 3, 5, 7, 60876000 }, { 64, 64, 64, 520191 },
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT(t); i++)
        for (int form = 0; form < 4; form++) {
            const int64_t m = t[i][0], n = t[i][1], k = t[i][2];
            const bool ta = form & 1, tb = form & 2;
            const gs_problem q = { .family = GS_FAMILY_GEMM,
                                   .gemm = { .m = m, .n = n, .k = k, .batch = t[i][3], .ta = ta, .tb = tb, .lda = ta ? m : k, .ldb = tb ? k : n, .ldc = n,
                                             .stride_a = m * k, .stride_b = k * n, .stride_c = m * n, .alpha = 1.0f } };
            char what[96];

            snprintf(what, sizeof what, "product %d, form %d", (int)i, form);
            by_every_variant(&q, make_product, what);
        }
}

static gs_node *make_convolution(gs_graph *g, const gs_problem *q)
{
    const gs_conv *c = &q->conv;
    const gs_shape x = GS_SHAPE(c->n, c->xc, c->xh, c->xw), y = GS_SHAPE(c->n, c->yc, c->yh, c->yw), w = GS_SHAPE(c->yc, c->xc, c->kh, c->kw);
    const bool dx = c->kind == GS_CONV_DX;
    gs_attr a = { .i = { c->sh, c->sw, c->ph, c->pw, c->dil, c->groups, dx ? c->xh : c->kh, dx ? c->xw : c->kw } };

    if (c->kind == GS_CONV_Y) return gs__node2(&gs_op_conv2d, input(g, "x", x), input(g, "w", w), &a);
    return dx ? gs__node2(&gs_op_conv2d_dx, input(g, "dy", y), input(g, "w", w), &a) : gs__node2(&gs_op_conv2d_dw, input(g, "x", x), input(g, "dy", y), &a);
}

/* Pictures that find no room with zeros around them or by one vector a pixel, many of them, many channels, lines of one piece. */
static void convolutions_plan(void **state)
{
    static const int t[][7] = { /* n, c, h, w, o, k, s */
        { 1, 1, 46159, 46159, 1, 3, 1 }, { 1, 3, 26649, 26650, 3, 3, 1 },  { 1, 64, 5769, 5769, 64, 3, 1 },    { 1, 64, 5769, 5769, 64, 4, 1 },
        { 1, 64, 5769, 5769, 64, 4, 2 }, { 1, 64, 5769, 5769, 1, 3, 1 },   { 1, 1, 5769, 5769, 64, 3, 1 },     { 1, 8, 16000, 16000, 3, 7, 1 },
        { 1, 3, 26649, 26650, 2, 7, 1 }, { 520191, 64, 8, 8, 64, 3, 1 },   { 520191, 64, 8, 8, 64, 4, 2 },     { 1040383, 512, 2, 2, 512, 3, 1 },
        { 1, 15380, 4, 4, 15380, 3, 1 }, { 1, 11500, 8, 8, 11500, 4, 2 },  { 1, 64, 5769, 5769, 64, 1, 1 },    { 2080767, 1024, 1, 1, 8, 1, 1 },
        { 1, 46158, 1, 1, 46158, 1, 1 }, { 1, 1, 3, 710235000, 1, 3, 1 },  { 1, 1, 710235000, 3, 1, 3, 1 },    { 1, 1, 1, 2130706000, 1, 1, 1 },
        { 2130706000, 1, 1, 1, 1, 1, 1 }, { 1, 2130706000, 1, 1, 1, 1, 1 }, { 1, 1, 1, 1, 2130706000, 1, 1 }, { 16, 64, 1442, 1442, 64, 3, 1 },
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT(t); i++)
        for (int kind = GS_CONV_Y; kind <= GS_CONV_DW; kind++) {
            const int h = t[i][2], w = t[i][3], k = t[i][5], s = t[i][6], pad = k / 2 - (k == 4);
            const gs_problem q = { .family = GS_FAMILY_CONV_Y + kind,
                                   .conv = { .kind = kind, .n = t[i][0], .xc = t[i][1], .xh = h, .xw = w, .yc = t[i][4],
                                             .yh = (h + 2 * pad - k) / s + 1, .yw = (w + 2 * pad - k) / s + 1, .kh = k, .kw = k, .sh = s, .sw = s,
                                             .ph = pad, .pw = pad, .dil = 1, .groups = 1 } };
            char what[96];

            snprintf(what, sizeof what, "convolution %d, kind %d", (int)i, kind);
            by_every_variant(&q, make_convolution, what);
        }
}

/* ---- kernels count to the end ---- */

enum { PLACES = 8 };

/* Elements of a tensor of n that are not zero: near its ends, and where half of 32 bits, 31 bits of bytes and the last vectors are. */
static void places(int64_t n, int64_t at[PLACES])
{
    const int64_t t[PLACES] = { 0, 77, ((int64_t)1 << 29) - 1, (int64_t)1 << 29, (int64_t)1 << 30, ((int64_t)1 << 30) + 4097, n - 18, n - 1 };

    memcpy(at, t, sizeof t);
}

static double value_at(int64_t j) { return (double)(j % 37 - 18) / 16.0; }
static float small_value(int64_t j) { return (float)(j % 23 - 11) / 8.0f; }

static int64_t size[10]; /* of the case that runs */

/* d y[i] / d x[j] of the cases. */
typedef double slope(int64_t i, int64_t j);

static double one(int64_t i, int64_t j) { (void)i, (void)j; return 1.0; }
static double by_rows(int64_t i, int64_t j) { return j / size[1] == i; }
static double by_columns(int64_t i, int64_t j) { return j % size[1] == i; }
static double turned(int64_t i, int64_t j) { return i == j % size[1] * size[0] + j / size[1]; }
static double of_rows(int64_t i, int64_t j) { return j == i / size[1] * (size[0] - 1) / 7 * size[1] + i % size[1]; }

static double product(int64_t i, int64_t j) /* M, N, K, ta, tb */
{
    const int64_t m = size[0], n = size[1], k = size[2], row = size[3] ? j % m : j / k, t = size[3] ? j / m : j % k;

    return row == i / n ? (double)small_value(size[4] ? i % n * k + t : t * n + i % n) : 0.0;
}

static double forward(int64_t i, int64_t j) /* n, c, h, w, o, k, s, oh, ow: y by x */
{
    const int64_t c = size[1], h = size[2], w = size[3], o = size[4], k = size[5], s = size[6], oh = size[7], ow = size[8];
    const int64_t a = j / w % h - i / ow % oh * s, b = j % w - i % ow * s;

    if (j / (c * h * w) != i / (o * oh * ow) || a < 0 || b < 0 || a >= k || b >= k) return 0.0;
    return (double)small_value(((i / (oh * ow) % o * c + j / (h * w) % c) * k + a) * k + b);
}

static double by_weights(int64_t i, int64_t j) /* dw by x */
{
    const int64_t c = size[1], h = size[2], w = size[3], o = size[4], k = size[5], s = size[6], oh = size[7], ow = size[8];
    const int64_t a = j / w % h - i / k % k, b = j % w - i % k;

    if (j / (h * w) % c != i / (k * k) % c || a < 0 || b < 0 || a % s || b % s || a / s >= oh || b / s >= ow) return 0.0;
    return (double)small_value(((j / (c * h * w) * o + i / (k * k * c)) * oh + a / s) * ow + b / s);
}

static double pooled(int64_t i, int64_t j) /* c, h, w, k, oh, ow */
{
    const int64_t h = size[1], w = size[2], k = size[3], oh = size[4], ow = size[5];

    return j / (h * w) == i / (oh * ow) && j / w % h / k == i / ow % oh && j % w / k == i % ow ? 1.0 / (double)(k * k) : 0.0;
}

/* Input "x" is zeros but for its places, "w" all small values. y is held against the slopes in all of its places, or, when it is as large as x, where they
 * lead. */
static void counts(gs_graph *g, gs_node *y, const char *use, slope *f, const char *kernel, const char *what)
{
    const gs_compile_opts o = { .use = use };
    gs_value *x = NULL, *out;
    gs_buffer *b;
    size_t offset;
    int64_t at[PLACES], n;
    gs_plan *p;
    char *text;

    gs_output(g, "y", y);
    if (gs_compile(g, device, NULL, &o, &p) != GS_OK) fail_msg("%s: %s", what, gs_last_error());
    text = gs_plan_text(p);
    if (!gs_test_contains(text, kernel)) fail_msg("%s: no launch of %s in\n%s", what, kernel, text);
    free(text);
    for (int i = 0; i < p->n_inputs; i++) {
        gs_value *v = p->inputs[i].value;
        float *w;

        if (strcmp(p->inputs[i].name, "w")) {
            x = v;
            continue;
        }
        w = gs_xalloc(4 * (size_t)v->count);
        for (int64_t e = 0; e < v->count; e++) w[e] = small_value(e);
        assert_ok(gs_plan_feed(p, "w", w));
        free(w);
    }
    assert_true(x->count > 3 << 29);
    places(x->count, at);
    b = gs__plan_buffer(p, x, &offset);
    for (int i = 0; i < PLACES; i++) {
        const float v = (float)value_at(at[i]);
        float before;

        assert_ok(device->drv->read(device, b, offset + 4 * (size_t)at[i], &before, 4));
        if (before != 0.0f) GS_SKIP("this driver's memory does not come as zeros");
        assert_ok(device->drv->write(device, b, offset + 4 * (size_t)at[i], &v, 4));
    }
    assert_ok(gs_plan_run(p, 1, 1));
    out = p->outputs[0].value;
    n = out->count;
    b = gs__plan_buffer(p, out, &offset);
    if (n > 1 << 24) {
        for (int i = 0; i < PLACES; i++) {
            const int64_t to = at[i] % size[1] * size[0] + at[i] / size[1]; /* turned */
            float got;

            assert_ok(device->drv->read(device, b, offset + 4 * (size_t)to, &got, 4));
            assert_true(f(to, at[i]) == 1.0);
            if (got != (float)value_at(at[i])) fail_msg("%s: y[%lld] is %g, not %g", what, (long long)to, (double)got, value_at(at[i]));
        }
    } else {
        float *got = gs_xalloc(4 * (size_t)n);
        bool some = false;

        assert_ok(gs_plan_fetch(p, "y", got));
        for (int64_t i = 0; i < n; i++) {
            double want = 0.0;

            for (int k = 0; k < PLACES; k++) want += f(i, at[k]) * value_at(at[k]);
            some |= want != 0.0;
            if (!(fabs((double)got[i] - want) <= 1e-5)) fail_msg("%s: y[%lld] is %g, not %g", what, (long long)i, (double)got[i], want);
        }
        assert_true(some);
        free(got);
    }
    gs_plan_free(p);
    gs_graph_free(g);
}

static void set(const int64_t *v, size_t n) { memcpy(size, v, n * sizeof *v); }
#define SIZES(...) set((const int64_t[]){ __VA_ARGS__ }, sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))

static bool sparse(void)
{
    const gs_device_info *d = gs_device_get_info(device);

    return gs__cpu_forms(d) && d->max_alloc >= 4 * (size_t)GS_MOST_ELEMENTS && d->memory >= 5 * (size_t)GS_MOST_ELEMENTS;
}
#define NEEDS_ROOM if (!sparse()) GS_SKIP("this device is no processor that has 8 GiB in one piece")

static void sums_count(void **state)
{
    static const int64_t t[][2] = { { 46158, 46159 }, { 3, 710235000 }, { 42614000, 50 }, { 17, 125335672 } };
    gs_graph *g = gs_graph_new();

    (void)state;
    NEEDS_ROOM;
    counts(g, gs_sum(input(g, "x", GS_SHAPE(GS_MOST_ELEMENTS)), 1, false), NULL, one, "sum", "sum of all");
    for (size_t i = 0; i < GS_COUNT(t); i++) {
        SIZES(t[i][0], t[i][1]);
        if (size[0] < 1 << 24) {
            g = gs_graph_new();
            counts(g, gs_sum(input(g, "x", GS_SHAPE(size[0], size[1])), 2, false), NULL, by_rows, "sum", "sums of rows");
        }
        if (size[1] < 1 << 24) {
            g = gs_graph_new();
            counts(g, gs_sum(input(g, "x", GS_SHAPE(size[0], size[1])), 1, false), NULL, by_columns, "sum", "sums of columns");
        }
    }
    SIZES(64, 5769 * 5769);
    g = gs_graph_new();
    counts(g, gs_sum(input(g, "x", GS_SHAPE(1, 64, 5769, 5769)), 12, false), NULL, by_rows, "sum", "sums of planes");
}

static void products_count(void **state)
{
    static const struct { const char *use, *kernel; int64_t m, n, k; int ta, tb; } t[] = {
        { "gemm/thin", "gemm_thin_dot", 300, 1, 7000000, 0, 1 },  { "gemm/thin", "gemm_thin_axpy", 46158, 3, 46159, 1, 0 },
        { "gemm/thin", "gemm_thin_dot", 46158, 1, 46159, 0, 1 },  { "gemm/few", "gemm_few_cpu", 46158, 13, 46159, 0, 1 },
        { "gemm/few", "gemm_few_cpu", 3000, 13, 710235, 1, 1 },   { "gemm/cpu", "gemm_cpu", 46158, 13, 46159, 1, 0 },
        { "gemm/cpu", "gemm_cpu", 300, 3, 7000000, 0, 1 },        { "gemm/cpu", "gemm_cpu", 7000000, 2, 300, 0, 0 },
    };

    (void)state;
    NEEDS_ROOM;
    for (size_t i = 0; i < GS_COUNT(t); i++) {
        gs_graph *g = gs_graph_new();
        gs_node *x = input(g, "x", t[i].ta ? GS_SHAPE(t[i].k, t[i].m) : GS_SHAPE(t[i].m, t[i].k));
        gs_node *w = input(g, "w", t[i].tb ? GS_SHAPE(t[i].n, t[i].k) : GS_SHAPE(t[i].k, t[i].n));

        SIZES(t[i].m, t[i].n, t[i].k, t[i].ta, t[i].tb);
        counts(g, gs_matmul(x, w, t[i].ta, t[i].tb), t[i].use, product, t[i].kernel, t[i].kernel);
    }
}

typedef struct conv_case { const char *use, *kernel; int op, n, c, h, w, o, k, s; } conv_case;

static void convolution_counts(const conv_case *t)
{
    const int64_t oh = (t->h - t->k) / t->s + 1, ow = (t->w - t->k) / t->s + 1;
    gs_attr a = { .i = { t->s, t->s, 0, 0, 1, 1, t->k, t->k } };
    gs_graph *g = gs_graph_new();
    gs_node *x = input(g, "x", GS_SHAPE(t->n, t->c, t->h, t->w));
    gs_node *w = input(g, "w", t->op ? GS_SHAPE(t->n, t->o, oh, ow) : GS_SHAPE(t->o, t->c, t->k, t->k));

    SIZES(t->n, t->c, t->h, t->w, t->o, t->k, t->s, oh, ow);
    counts(g, gs__node2(t->op ? &gs_op_conv2d_dw : &gs_op_conv2d, x, w, &a), t->use, t->op ? by_weights : forward, t->kernel, t->kernel);
}

static void convolutions_count(void **state)
{
    static const conv_case t[] = {
        { "conv/cpu", "conv_slim_cpu", 0, 1, 1, 46157, 46158, 2, 7, 64 },   { "conv/cpu", "conv_cpu", 0, 1, 62, 5769, 5769, 9, 3, 16 },
        { "conv/direct", "conv2d_direct", 0, 1, 62, 5769, 5769, 2, 3, 64 }, { "conv/cpu", "conv_cpu", 2, 1, 62, 5769, 5769, 9, 3, 64 },
        { "conv/whole", "gemm", 0, 520191, 64, 8, 8, 1, 8, 1 },             { "conv/cpu", "conv_slim_cpu", 0, 520191, 64, 8, 8, 1, 5, 4 },
    };

    (void)state;
    NEEDS_ROOM;
    for (size_t i = 0; i < GS_COUNT(t); i++) convolution_counts(&t[i]);
}

static void windows_and_rows_count(void **state)
{
    int32_t row[8];
    gs_graph *g = gs_graph_new();

    (void)state;
    NEEDS_ROOM;
    SIZES(3, 26649, 26650, 64, 26649 / 64, 26650 / 64);
    counts(g, gs_avg_pool2d(input(g, "x", GS_SHAPE(1, 3, 26649, 26650)), &(gs_pool_opts){ .kernel = 64 }), NULL, pooled, "linmap", "average pooling");
    SIZES(46158, 46159);
    for (int i = 0; i < 8; i++) row[i] = (int32_t)((size[0] - 1) * i / 7);
    g = gs_graph_new();
    counts(g, gs_gather(input(g, "x", GS_SHAPE(size[0], size[1])), gs_const_data(g, GS_SHAPE(8), GS_I32, row)), NULL, of_rows, "gather", "rows of a table");
}

/* What writes a second such tensor: 8 GiB of memory in truth. */
static void what_is_written_counts(void **state)
{
    static const conv_case t[] = { { "conv/few", "few_results", 0, 1, 3, 26600, 26600, 8, 3, 64 },
                                   { "conv/few", "few_weights_grad", 2, 1, 3, 26600, 26600, 8, 3, 64 } };
    FILE *f = fopen("/proc/meminfo", "r");
    size_t available = 0; /* KiB */
    char line[128];
    gs_graph *g;

    (void)state;
    NEEDS_ROOM;
    while (f && fgets(line, sizeof line, f)) sscanf(line, "MemAvailable: %zu", &available);
    if (f) fclose(f);
    if (available < (size_t)12 << 20) GS_SKIP("less than 12 GiB of memory are available");
    for (size_t i = 0; i < GS_COUNT(t); i++) convolution_counts(&t[i]);
    SIZES(46158, 46159);
    g = gs_graph_new();
    counts(g, gs_transpose(input(g, "x", GS_SHAPE(size[0], size[1])), 0, 1), NULL, turned, "", "a transposed matrix");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_more_is_refused), cmocka_unit_test(products_plan),          cmocka_unit_test(convolutions_plan),
        cmocka_unit_test(sums_count),          cmocka_unit_test(products_count),         cmocka_unit_test(convolutions_count),
        cmocka_unit_test(windows_and_rows_count), cmocka_unit_test(what_is_written_counts),
    };

    return cmocka_run_group_tests(tests, open_device, close_device);
}
