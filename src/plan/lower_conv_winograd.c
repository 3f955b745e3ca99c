/* Convolutions by Winograd's method: cl/winograd.cl around a batch of products. 3x3 of stride 1, and by phases 4x4 of
 * stride 2. Tiles go in chunks, so that what lies between the kernels stays near the processor and memory does not grow
 * with the picture. */
#include "plan/lower_int.h"

/* Elements of transformed images and results in one chunk: y and dx are fastest near the second-level cache, but with
 * no fewer tiles than a product wants; every chunk of dw reads and writes all sums. */
enum { NEAR = 1 << 20, FEWEST = 192, MOST = 4 << 20 };

typedef struct winograd {
    int f, k, ps, a2;       /* results a tile and side; kernel's side; phases a side; (f + k - 1)^2 */
    int n, in, out;         /* pictures; channels of what is read (phases counted) and of the result */
    int h, w, oh, ow;       /* sides as stored */
    int rh, rw;             /* results a picture */
    int ph, pw;
    gs_conv_mode mode;
    int rows, cols;         /* tiles a picture */
    int step, top, left;    /* where results go: every step-th row and column from (top, left) on */
    int64_t total, chunk;   /* tiles; in one go, a multiple of 16 */
} winograd;

static void tiles(winograd *g, bool dw)
{
    const int64_t each = (int64_t)g->a2 * (g->in + g->out), near = GS_MAX(NEAR / each / 64 * 64, FEWEST);
    const int64_t most = GS_MAX(GS_MIN(dw ? MOST : near, MOST / each / 64 * 64), 64);

    g->rows = (g->rh + g->f - 1) / g->f;
    g->cols = (g->rw + g->f - 1) / g->f;
    g->total = (int64_t)g->n * g->rows * g->cols;
    g->chunk = GS_MIN((g->total + 15) / 16 * 16, most);
}

/* Results of phase f of a line of n: those i with 0 <= 2 i + f - pad < n; *first is the lowest. */
static int phase(int n, int f, int pad, int *first)
{
    *first = GS_MAX(0, (pad - f + 1) / 2);
    return GS_MAX(0, (n - 1 + pad - f) / 2 - *first + 1);
}

/* By x of a layer with phases: phase (fi, fj) of the result. */
static winograd of(const gs_conv *c, int f, int fi, int fj)
{
    const int ps = c->sh, k = c->kh / ps;
    winograd g = { .f = f, .k = k, .ps = ps, .a2 = (f + k - 1) * (f + k - 1), .n = c->n, .in = c->xc * ps * ps,
                   .out = c->yc, .h = c->xh, .w = c->xw, .oh = c->yh, .ow = c->yw, .rh = c->yh, .rw = c->yw,
                   .ph = c->ph, .pw = c->pw, .mode = c->mode, .step = 1 };

    if (c->kind == GS_CONV_DX) { /* a convolution of dy with the weights turned round */
        g.ps = 1;
        g.in = c->yc, g.out = c->xc;
        g.h = c->yh, g.w = c->yw, g.oh = g.rh = c->xh, g.ow = g.rw = c->xw;
        g.ph = k - 1 - c->ph, g.pw = k - 1 - c->pw;
        if (ps == 2) {
            int i, j;

            g.rh = phase(c->xh, fi, c->ph, &i);
            g.rw = phase(c->xw, fj, c->pw, &j);
            g.ph = k - 1 - i, g.pw = k - 1 - j;
            g.step = 2, g.top = 2 * i + fi - c->ph, g.left = 2 * j + fj - c->pw;
        }
    }
    tiles(&g, c->kind == GS_CONV_DW);
    return g;
}

/* What the passes cost, in multiply-adds: products run near the processor's peak, all else at the speed of memory,
 * where an element takes the time of some 30 multiply-adds. */
static double cost(const gs_conv *c, int f)
{
    const winograd g = of(c, f, 0, 0);
    const double all = (double)((g.total + 15) / 16 * 16), pairs = (double)g.in * g.out, element = 30.0;
    const bool dw = c->kind == GS_CONV_DW;
    const double weights = pairs * (g.k * g.k + 2.0 * g.a2 * (dw ? (double)((g.total + g.chunk - 1) / g.chunk) : 1.0));
    const double once = g.a2 * pairs * all + element * (weights + all * (g.in + g.out) * (2.0 * g.a2 + g.f * g.f));

    return c->kind == GS_CONV_DX && c->sh == 2 ? 4.0 * once : once;
}

bool gs__conv_winograd_can(const gs_device *d, const gs_problem *q)
{
    const gs_conv *c = &q->conv;
    const bool threes = c->kh == 3 && c->kw == 3 && c->sh == 1 && c->sw == 1,
               fours = c->kh == 4 && c->kw == 4 && c->sh == 2 && c->sw == 2;

    (void)d;
    return !c->no_winograd && (threes || fours) && c->dil == 1 && c->groups == 1;
}

/* F(2x2,2x2) would save a third and is not there. */
bool gs__conv_winograd_small_can(const gs_device *d, const gs_problem *q)
{
    return gs__conv_winograd_can(d, q) && q->conv.kh == 3;
}

/* Where it should be faster than the blocks of lower_conv_gemm.c. Not measured on GPUs: there only where it is
 * chosen. */
bool gs__conv_winograd_pays(const gs_device *d, const gs_problem *q, const gs_variant *v)
{
    const gs_conv *c = &q->conv;
    const double mine = cost(c, v->param);

    return gs__cpu_forms(&d->info) && c->xc >= 16 && c->yc >= 16 && mine < 0.9 * gs_problem_flops(q) / 2.0 &&
           (v->param == 2 || c->kh != 3 || mine < cost(c, 2));
}

static void ints(gs_launch *l, const int64_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) gs_launch_int(l, v[i]);
}

static gs_launch *launch(gs_plan *p, const winograd *g, const char *kernel, int lanes, int mode)
{
    return gs_launch_new(p, "winograd.cl", kernel, "-DK=%d -DF=%d -DLANES=%d -DPAD=%d", g->k, g->f, lanes, mode);
}

/* One of the kernels that read or write pictures of h x w, on tiles first .. first + span - 1; `more` arguments
 * follow. */
static void pictures(gs_plan *p, const winograd *g, const char *kernel, gs_value *out, gs_value *in, bool part,
                     int mode, int channels, int64_t first, int64_t span, int h, int w, const int64_t *more,
                     size_t n_more)
{
    const int lanes = gs_plan_on_cpu(p) ? 16 : 1;
    const int64_t items = channels * (span / lanes), group = lanes > 1 ? 8 : GS_ITEMS;
    gs_launch *l = launch(p, g, kernel, lanes, mode);

    if (part) gs_launch_inout(l, out);
    else gs_launch_out(l, out);
    gs_launch_in(l, in);
    ints(l, (const int64_t[]){ channels, span, first, g->total, g->rows, g->cols, h, w }, 8);
    ints(l, more, n_more);
    gs_launch_grid(l, (size_t)((items + group - 1) / group), 1, 1, (size_t)group, 1, 1);
    gs_launch_cost(l, 0.0, 4.0 * channels * (double)span * (g->a2 + g->f * g->f));
}

static void image(gs_plan *p, const winograd *g, gs_value *v, gs_value *x, int64_t first, int64_t span)
{
    pictures(p, g, "wino_image", v, x, span < g->chunk, (int)g->mode, g->in, first, span, g->h, g->w,
             (const int64_t[]){ g->ph, g->pw, g->ps }, 3);
}

/* y, or by x all of it (stride 1) or the phase (fi, fj). */
static gs_status results(gs_plan *p, const winograd *g, const gs_conv *c, int fi, int fj, gs_value *y, gs_value *x,
                         gs_value *w)
{
    const bool back = c->kind == GS_CONV_DX;
    const int ps = c->sh, kk = c->kh * c->kw, last = (g->k - 1) * ps; /* back: the last tap of the phase comes first */
    const int64_t pairs = (int64_t)g->in * g->out, o_step = (int64_t)c->xc * kk;
    gs_value *u = gs_plan_scratch(p, g->a2 * pairs, "winograd w"),
             *v = gs_plan_scratch(p, g->a2 * g->in * g->chunk, "winograd x");
    gs_value *m = gs_plan_scratch(p, g->a2 * g->out * g->chunk, "winograd y");
    gs_launch *l = launch(p, g, "wino_weights", 1, 0);
    gs_status st = GS_OK;

    gs_launch_out(l, u);
    gs_launch_in(l, w);
    ints(l, (const int64_t[]){ g->out, g->in, back ? (fi + last) * c->kw + fj + last : 0, back ? kk : o_step,
                               back ? o_step : kk, back ? -ps * c->kw : ps * c->kw, back ? -ps : ps, g->ps, c->kw }, 9);
    gs__grid_items(l, pairs);
    gs_launch_cost(l, 0.0, 4.0 * (double)pairs * (g->k * g->k + g->a2));
    for (int64_t first = 0; first < g->total && st == GS_OK; first += g->chunk) {
        const int64_t span = GS_MIN(g->chunk, (g->total - first + 15) / 16 * 16);
        const gs_gemm product = { .m = g->out, .n = span, .k = g->in, .batch = g->a2, .lda = g->in, .ldb = span,
                                  .ldc = span, .stride_a = pairs, .stride_b = g->in * span, .stride_c = g->out * span,
                                  .alpha = 1.0f };

        image(p, g, v, x, first, span);
        st = gs_plan_gemm(p, &product, m, u, v);
        pictures(p, g, "wino_result", y, m, g->chunk < g->total || g->step > 1, 0, g->out, first, span, g->oh, g->ow,
                 (const int64_t[]){ g->rh, g->rw, g->step, g->top, g->left }, 5);
    }
    return st;
}

static gs_status by_weights(gs_plan *p, const winograd *g, gs_value *dw, gs_value *x, gs_value *dy)
{
    const int64_t pairs = (int64_t)g->in * g->out;
    gs_value *v = gs_plan_scratch(p, g->a2 * g->in * g->chunk, "winograd x"),
             *e = gs_plan_scratch(p, g->a2 * g->out * g->chunk, "winograd dy");
    gs_value *s = gs_plan_scratch(p, g->a2 * pairs, "winograd dw");
    gs_status st = GS_OK;
    gs_launch *l;

    for (int64_t first = 0; first < g->total && st == GS_OK; first += g->chunk) {
        const int64_t span = GS_MIN(g->chunk, (g->total - first + 15) / 16 * 16);
        const gs_gemm product = { .m = g->out, .n = g->in, .k = span, .batch = g->a2, .tb = true, .lda = span,
                                  .ldb = span, .ldc = g->in, .stride_a = g->out * span, .stride_b = g->in * span,
                                  .stride_c = pairs, .alpha = 1.0f, .beta = first ? 1.0f : 0.0f };

        image(p, g, v, x, first, span);
        pictures(p, g, "wino_gradient", e, dy, span < g->chunk, 0, g->out, first, span, g->oh, g->ow, NULL, 0);
        st = gs_plan_gemm(p, &product, s, e, v);
    }
    l = launch(p, g, "wino_dw", 1, 0);
    gs_launch_out(l, dw);
    gs_launch_in(l, s);
    ints(l, (const int64_t[]){ g->out, g->in, g->ps }, 3);
    gs__grid_items(l, pairs);
    gs_launch_cost(l, 0.0, 4.0 * (double)pairs * (g->k * g->k + g->a2));
    return st;
}

gs_status gs__conv_winograd(gs_plan *p, const gs_problem *q, const gs_variant *v, gs_value *out, gs_value *a,
                            gs_value *b)
{
    const gs_conv *c = &q->conv;
    winograd g = of(c, v->param, 0, 0);
    gs_status st = GS_OK;

    if (c->kind == GS_CONV_DW) return by_weights(p, &g, out, a, b);
    if (c->kind == GS_CONV_Y || c->sh == 1) return results(p, &g, c, 0, 0, out, a, b);
    for (int phases = 0; phases < 4 && st == GS_OK; phases++) {
        g = of(c, v->param, phases / 2, phases % 2);
        if (g.total) st = results(p, &g, c, phases / 2, phases % 2, out, a, b);
    }
    return st;
}
