/* Convolutions by Winograd's method: cl/winograd.cl around a batch of products. 3x3 and 4x4 of stride 1, and by phases 4x4 of
 * stride 2. Tiles go in chunks, so that what lies between the kernels stays near the processor and memory does not grow
 * with the picture. Where there are few tiles, cl/winograd_fused_cpu.cl does all
 * but the image's transform. */
#include <stdlib.h>

#include "plan/lower_int.h"

/* Elements of transformed images and results in one chunk: y and dx are fastest near the second-level cache, but with
 * no fewer tiles than a product wants; every chunk of dw reads and writes all sums. */
enum { NEAR = 1 << 20, FEWEST = 192, MOST = 4 << 20 };
enum { ROOM = 640 }; /* pixels an item of winograd_pictures_cpu.cl keeps */

typedef struct winograd {
    int f, k, a2;           /* results a tile and side; kernel's side; (f + k - 1)^2 */
    int n, in, out;         /* pictures; channels of what is read and of the result */
    int h, w, oh, ow;       /* sides as stored */
    int ps, step;           /* phases a side of what is read; of the result */
    int top, left;          /* where the first tile begins */
    gs_conv_mode mode;
    int rows, cols;         /* tiles a picture */
    bool batch;             /* pictures are the lanes */
    int64_t terms, pairs;   /* depth and weights of one of the a2 products */
    int64_t total, chunk;   /* tiles; in one go, a multiple of 16 */
} winograd;

/* Do 16 pictures of a size fill the lanes, and do the pixels of a row of tiles find room? */
static bool batches(const winograd *g)
{
    return g->n % 16 == 0 && g->mode == GS_CONV_ZEROS && (g->f + g->k - 1) * g->ps * g->w <= ROOM && g->step * g->f * g->ow <= ROOM;
}

static void tiles(winograd *g, bool cpu, bool dw)
{
    int64_t each, near, most;
    int unit = 64;

    g->terms = (int64_t)g->in * g->ps * g->ps;
    g->pairs = g->terms * g->out;
    g->rows = ((g->oh + g->step - 1) / g->step + g->f - 1) / g->f;
    g->cols = ((g->ow + g->step - 1) / g->step + g->f - 1) / g->f;
    g->total = (int64_t)g->n * g->rows * g->cols;
    g->batch = cpu && batches(g);
    if (g->batch) unit = 16 * g->cols;
    each = g->a2 * (g->terms + g->out);
    near = GS_MAX(NEAR / each / unit * unit, (FEWEST + unit - 1) / unit * unit);
    most = GS_MAX(GS_MIN(dw ? MOST : near, MOST / each / unit * unit), unit);
    g->chunk = GS_MIN((g->total + 15) / 16 * 16, most);
}

/* By x of a layer with phases: rows of parity a and columns of parity b of the result. */
static winograd of(const gs_conv *c, int f, bool cpu, int a, int b)
{
    const int phases = c->sh, k = c->kh / phases;
    winograd g = { .f = f, .k = k, .a2 = (f + k - 1) * (f + k - 1), .n = c->n, .in = c->xc, .out = c->yc, .h = c->xh,
                   .w = c->xw, .oh = c->yh, .ow = c->yw, .ps = phases, .step = 1, .top = -c->ph, .left = -c->pw,
                   .mode = c->mode };

    if (c->kind == GS_CONV_DX) { /* a convolution of dy with the weights turned round */
        g.ps = 1, g.step = phases;
        g.in = c->yc, g.out = c->xc;
        g.h = c->yh, g.w = c->yw, g.oh = c->xh, g.ow = c->xw;
        g.top = (a + c->ph) / phases - (k - 1), g.left = (b + c->pw) / phases - (k - 1);
    }
    tiles(&g, cpu, c->kind == GS_CONV_DW);
    return g;
}

/* What the passes cost, in multiply-adds: products run near the processor's peak, all else at the speed of memory,
 * where an element takes the time of some 30 multiply-adds, or of 4 in pictures that are the lanes. */
static double cost(const gs_conv *c, int f)
{
    const winograd g = of(c, f, true, 0, 0);
    const double all = (double)((g.total + 15) / 16 * 16), pairs = (double)g.pairs, element = 30.0, pixel = g.batch ? 4.0 : element;
    const bool dw = c->kind == GS_CONV_DW;
    const double weights = pairs * (g.k * g.k + 2.0 * g.a2 * (dw ? (double)((g.total + g.chunk - 1) / g.chunk) : 1.0));
    const double pictures = all * (double)(g.terms + g.out) * (2.0 * g.a2 + g.f * g.f);

    return g.step * g.step * (g.a2 * pairs * all + element * weights + pixel * pictures);
}

/* The same of the blocks of lower_conv_gemm.c, which are slower where the phases of a result are by themselves. */
static double cost_of_blocks(const gs_problem *q)
{
    return gs_problem_flops(q) / 2.0 * (q->conv.kind == GS_CONV_DX && q->conv.sh > 1 ? 1.5 : 1.0);
}

/* Square windows without gaps, whose transformed weights and pictures are no more than kernels index: f = 2 takes the most weights, f = 4 the largest tiles. */
static bool plain(const gs_conv *c)
{
    if (c->no_winograd || c->sh != c->sw || c->kh != c->kw || c->dil != 1 || c->groups != 1) return false;
    for (int f = 2; f <= 4; f++)
        for (int cpu = 0; cpu < 2; cpu++) {
            const winograd g = of(c, f, cpu, 0, 0);

            if (g.a2 * GS_MAX(g.pairs, GS_MAX(g.terms, (int64_t)g.step * g.step * g.out) * g.chunk) > GS_MOST_ELEMENTS) return false;
        }
    return true;
}

bool gs__conv_winograd_can(const gs_device *d, const gs_problem *q)
{
    const gs_conv *c = &q->conv;

    (void)d;
    return plain(c) && ((c->kh == 3 && c->sh == 1) || (c->kh == 4 && c->sh == 2));
}

/* F(2x2,2x2) would save a third and is not there. */
bool gs__conv_winograd_small_can(const gs_device *d, const gs_problem *q)
{
    (void)d;
    return plain(&q->conv) && q->conv.kh == 3 && q->conv.sh == 1;
}

bool gs__conv_winograd_wide_can(const gs_device *d, const gs_problem *q)
{
    (void)d;
    return plain(&q->conv) && q->conv.kh == 4 && q->conv.sh == 1;
}

/* Where it should be faster than the blocks of lower_conv_gemm.c. Not measured on GPUs: there only where it is
 * chosen. */
bool gs__conv_winograd_pays(const gs_device *d, const gs_problem *q, const gs_variant *v)
{
    const gs_conv *c = &q->conv;
    const double mine = cost(c, v->param);

    return gs__cpu_forms(&d->info) && c->xc >= 16 && c->yc >= 16 && mine < 0.9 * cost_of_blocks(q) &&
           (v->param == 2 || c->kh != 3 || mine < cost(c, 2));
}

static void ints(gs_launch *l, const int64_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) gs_launch_int(l, v[i]);
}

static gs_launch *launch(gs_plan *p, const winograd *g, const char *kernel, bool pads)
{
    return gs_launch_new(p, "winograd.cl", kernel, "-DK=%d -DF=%d -DLANES=%d -DPAD=%d", g->k, g->f, gs_plan_on_cpu(p) ? 16 : 1, pads ? (int)g->mode : 0);
}

/* wino_weights and wino_dw. */
static void weights_grid(gs_plan *p, gs_launch *l, const winograd *g)
{
    if (gs_plan_on_cpu(p)) {
        const int64_t items = g->out * (int64_t)((g->in + 15) / 16);

        gs_launch_grid(l, (size_t)((items + 7) / 8), 1, 1, 8, 1, 1);
    } else {
        gs__grid_items(l, g->pairs);
    }
    gs_launch_cost(l, 0.0, 4.0 * (double)g->pairs * (g->k * g->k + g->a2));
}

/* One of the kernels that read or write pictures of h x w, `phases` of each, on tiles first .. first + span - 1; `more` arguments follow. */
static gs_launch *pictures(gs_plan *p, const winograd *g, const char *kernel, gs_value *out, gs_value *in, bool part, bool pads, int channels,
                     int phases, int64_t first, int64_t span, int h, int w, const int64_t *more, size_t n_more)
{
    const int lanes = gs_plan_on_cpu(p) ? 16 : 1;
    const int64_t items = g->batch ? channels * (span / 16 / g->cols) : phases * channels * (span / lanes);
    const int64_t group = g->batch ? 1 : lanes > 1 ? 8 : GS_ITEMS;
    gs_launch *l = g->batch ? gs_launch_new(p, "winograd_pictures_cpu.cl", kernel, "-DK=%d -DF=%d -DROOM=%d", g->k, g->f, ROOM)
                            : launch(p, g, kernel, pads);

    if (part) gs_launch_inout(l, out);
    else gs_launch_out(l, out);
    gs_launch_in(l, in);
    ints(l, (const int64_t[]){ channels, span, first, g->total, g->rows, g->cols, h, w }, 8);
    ints(l, more, n_more);
    gs_launch_grid(l, (size_t)((items + group - 1) / group), 1, 1, (size_t)group, 1, 1);
    gs_launch_cost(l, 0.0, 4.0 * phases * channels * (double)span * (g->a2 + g->f * g->f));
    return l;
}

static void image(gs_plan *p, const winograd *g, gs_value *v, gs_value *x, int64_t first, int64_t span)
{
    pictures(p, g, "wino_image", v, x, span < g->chunk, true, g->in, g->ps * g->ps, first, span, g->h, g->w,
             (const int64_t[]){ g->ps, g->top, g->left }, 3);
}

/* The transformed weights; a, b: see of(). */
static gs_value *weights(gs_plan *p, const winograd *g, const gs_conv *c, int a, int b, gs_value *w)
{
    const int s = c->sh, kk = c->kh * c->kw, o_step = c->xc * kk;
    gs_value *u = gs_plan_scratch(p, g->a2 * g->pairs, "winograd w");
    gs_launch *l = launch(p, g, "wino_weights", false);

    gs_launch_out(l, u);
    gs_launch_in(l, w);
    if (c->kind == GS_CONV_DX) { /* the last tap of the phase comes first */
        const int i = (a + c->ph) % s + (g->k - 1) * s, j = (b + c->pw) % s + (g->k - 1) * s;

        ints(l, (const int64_t[]){ g->out, g->in, 1, i * c->kw + j, kk, o_step, -s * c->kw, -s }, 8);
    } else {
        ints(l, (const int64_t[]){ g->out, g->in, s, 0, o_step, kk, s * c->kw, s }, 8);
    }
    weights_grid(p, l, g);
    return u;
}

/* y, or by x. A phase's weights are made when they are first wanted: with one chunk of tiles they live for one product. */
static gs_status results(gs_plan *p, const gs_conv *c, int f, gs_value *y, gs_value *x, gs_value *w)
{
    const bool cpu = gs_plan_on_cpu(p);
    const winograd g = of(c, f, cpu, 0, 0);
    const int phases = g.step * g.step;
    gs_value *v = gs_plan_scratch(p, g.a2 * g.terms * g.chunk, "winograd x"),
             *m = gs_plan_scratch(p, phases * g.a2 * g.out * g.chunk, "winograd y"), *u[4];

    for (int64_t first = 0; first < g.total; first += g.chunk) {
        const int64_t span = GS_MIN(g.chunk, (g.total - first + 15) / 16 * 16), plane = g.out * span;

        for (int i = 0; i < phases; i++) {
            const int a = i / g.step, b = i % g.step;
            const winograd one = of(c, f, cpu, a, b);
            const gs_gemm product = { .m = g.out, .n = span, .k = g.terms, .batch = g.a2, .lda = g.terms, .ldb = span, .ldc = span,
                                      .stride_a = g.pairs, .stride_b = g.terms * span, .stride_c = plane, .alpha = 1.0f,
                                      .c_first = i * g.a2 * plane };
            gs_status st;

            if (first == 0) u[i] = weights(p, &one, c, a, b, w);
            image(p, &one, v, x, first, span);
            st = gs_plan_gemm(p, &product, m, u[i], v);
            if (st != GS_OK) return st;
        }
        pictures(p, &g, "wino_result", y, m, g.chunk < g.total, false, g.out, phases, first, span, g.oh, g.ow, (const int64_t[]){ g.step }, 1);
    }
    return GS_OK;
}

/* ---- in one kernel, which transforms weights as it goes ---- */

enum { FUSED_TILES = 64, FUSED_RESULTS = 32, FUSED_NEAR = 32 << 10 }; /* most tiles; results an item; transformed weights it keeps */

typedef struct fused {
    int rt, tiles, span, block; /* tiles at a time; all, in whole such; as v has them; channels at a time */
    size_t local;
} fused;

static fused fused_of(const winograd *g)
{
    fused f = { .rt = 8 };
    const int points = g->step * g->step * g->a2, terms = g->ps * g->ps, total = (int)g->total;

    if (total <= 12) f.rt = total;
    else
        for (int rt = 9; rt <= 12; rt++)
            if ((total + rt - 1) / rt * rt <= (total + f.rt - 1) / f.rt * f.rt) f.rt = rt;
    f.tiles = (total + f.rt - 1) / f.rt * f.rt;
    f.span = (f.tiles + 15) / 16 * 16;
    f.block = FUSED_NEAR / (points * terms * FUSED_RESULTS);
    f.local = sizeof(float) * (size_t)(points * FUSED_RESULTS) * (size_t)(terms * f.block + f.tiles);
    return f;
}

static bool fused_can(const gs_device *d, const gs_problem *q, int f)
{
    const winograd g = of(&q->conv, f, true, 0, 0);

    return gs__cpu_forms(&d->info) && q->conv.kind != GS_CONV_DW && g.total <= FUSED_TILES && fused_of(&g).local <= d->info.local_memory;
}

bool gs__conv_fused_can(const gs_device *d, const gs_problem *q) { return gs__conv_winograd_can(d, q) && fused_can(d, q, 4); }
bool gs__conv_fused_wide_can(const gs_device *d, const gs_problem *q) { return gs__conv_winograd_wide_can(d, q) && fused_can(d, q, 3); }

/* A weight's transform costs as much as 9 tiles. */
bool gs__conv_fused_pays(const gs_device *d, const gs_problem *q, const gs_variant *v)
{
    const gs_conv *c = &q->conv;
    const winograd g = of(c, v->param, true, 0, 0);
    const int items = (g.out + FUSED_RESULTS - 1) / FUSED_RESULTS, phases = g.step * g.step;
    const double mine = (double)phases * g.a2 * (double)g.terms * items * FUSED_RESULTS * (fused_of(&g).tiles + 9);

    return items >= d->info.compute_units && c->xc >= 16 && c->yc >= 16 && mine < cost_of_blocks(q);
}

gs_status gs__conv_fused(gs_plan *p, const gs_problem *q, const gs_variant *v, gs_value *out, gs_value *a, gs_value *b)
{
    const gs_conv *c = &q->conv;
    winograd g = of(c, v->param, true, 0, 0);
    const fused f = fused_of(&g);
    const int phases = g.step * g.step, kk = c->kh * c->kw, o_step = c->xc * kk;
    const bool dx = c->kind == GS_CONV_DX;
    const int64_t plane = g.a2 * g.terms * f.span;
    gs_value *t = gs_plan_scratch(p, phases * plane, "winograd x");
    gs_launch *l;

    g.chunk = f.span;
    for (int i = 0; i < phases; i++) {
        winograd one = of(c, v->param, true, i / g.step, i % g.step);

        l = pictures(p, &one, "wino_image", t, a, phases > 1, true, g.in, g.ps * g.ps, 0, f.span, g.h, g.w,
                     (const int64_t[]){ g.ps, one.top, one.left }, 3);
        l->args[0].extra = i * plane;
    }
    l = gs_launch_new(p, "winograd_fused_cpu.cl", "wino_fused", "-DK=%d -DF=%d%s -DTILES=%d -DRT=%d -DCB=%d -DPS=%d -DSTEP=%d%s", g.k, g.f,
                      g.batch ? " -DBATCH=1" : "", f.tiles, f.rt, f.block, g.ps, g.step, dx ? " -DTURN=1" : "");
    gs_launch_out(l, out);
    gs_launch_in(l, t);
    gs_launch_in(l, b);
    ints(l, (const int64_t[]){ g.in, g.out, f.span, g.total, g.rows, g.cols, g.oh, g.ow, dx ? kk : o_step, dx ? o_step : kk, c->ph, c->pw }, 12);
    gs_launch_grid(l, (size_t)((g.out + FUSED_RESULTS - 1) / FUSED_RESULTS), 1, 1, 1, 1, 1);
    gs_launch_cost(l, 2.0 * phases * g.a2 * (double)g.pairs * f.tiles, 4.0 * ((double)g.in * g.out * kk + (double)(phases * plane + out->count)));
    return GS_OK;
}

static gs_status by_weights(gs_plan *p, const gs_conv *c, int f, gs_value *dw, gs_value *x, gs_value *dy)
{
    const winograd g = of(c, f, gs_plan_on_cpu(p), 0, 0);
    gs_value *v = gs_plan_scratch(p, g.a2 * g.terms * g.chunk, "winograd x"),
             *e = gs_plan_scratch(p, g.a2 * g.out * g.chunk, "winograd dy"),
             *s = gs_plan_scratch(p, g.a2 * g.pairs, "winograd dw");
    gs_status st = GS_OK;
    gs_launch *l;

    for (int64_t first = 0; first < g.total && st == GS_OK; first += g.chunk) {
        const int64_t span = GS_MIN(g.chunk, (g.total - first + 15) / 16 * 16);
        const gs_gemm product = { .m = g.out, .n = g.terms, .k = span, .batch = g.a2, .tb = true, .lda = span, .ldb = span,
                                  .ldc = g.terms, .stride_a = g.out * span, .stride_b = g.terms * span, .stride_c = g.pairs,
                                  .alpha = 1.0f, .beta = first ? 1.0f : 0.0f };

        image(p, &g, v, x, first, span);
        pictures(p, &g, "wino_gradient", e, dy, span < g.chunk, false, g.out, 1, first, span, g.oh, g.ow, NULL, 0);
        st = gs_plan_gemm(p, &product, s, e, v);
    }
    l = launch(p, &g, "wino_dw", false);
    gs_launch_out(l, dw);
    gs_launch_in(l, s);
    ints(l, (const int64_t[]){ g.out, g.in }, 2);
    weights_grid(p, l, &g);
    return st;
}

gs_status gs__conv_winograd(gs_plan *p, const gs_problem *q, const gs_variant *v, gs_value *out, gs_value *a,
                            gs_value *b)
{
    return q->conv.kind == GS_CONV_DW ? by_weights(p, &q->conv, v->param, out, a, b) : results(p, &q->conv, v->param, out, a, b);
}
