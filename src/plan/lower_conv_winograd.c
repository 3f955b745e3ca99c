/* 3x3 convolutions of stride 1 by Winograd's method: cl/winograd.cl around a batch of products. Tiles go in chunks, so that what lies between the
 * kernels stays near the processor and memory does not grow with the picture. */
#include "plan/lower_int.h"

enum { MOST = 4 << 20 }; /* elements of transformed images and results in one chunk: 16 MiB, about a last-level cache */

typedef struct winograd {
    int f, a2;              /* results a tile and side; (f + 2)^2 */
    int n, in, out;         /* pictures; channels of the image that is read and of the result */
    int h, w, oh, ow;       /* their sides */
    int ph, pw;
    gs_conv_mode mode;
    int rows, cols;         /* tiles a picture */
    int64_t total, chunk;   /* tiles; in one go, a multiple of 16 */
} winograd;

static winograd of(const gs_conv *c, int f)
{
    winograd g = { .f = f, .a2 = (f + 2) * (f + 2), .n = c->n, .in = c->xc, .out = c->yc, .h = c->xh, .w = c->xw, .oh = c->yh, .ow = c->yw,
                   .ph = c->ph, .pw = c->pw, .mode = c->mode };
    int64_t most;

    if (c->kind == GS_CONV_DX) { /* a convolution of dy with the weights turned round */
        g.in = c->yc, g.out = c->xc;
        g.h = c->yh, g.w = c->yw, g.oh = c->xh, g.ow = c->xw;
        g.ph = 2 - c->ph, g.pw = 2 - c->pw;
    }
    g.rows = (g.oh + f - 1) / f;
    g.cols = (g.ow + f - 1) / f;
    g.total = (int64_t)g.n * g.rows * g.cols;
    most = GS_MAX(MOST / g.a2 / (g.in + g.out) / 64 * 64, 64);
    g.chunk = GS_MIN((g.total + 15) / 16 * 16, most);
    return g;
}

/* What the passes cost, in multiply-adds: products run near the processor's peak, all else at the speed of memory, where an element takes
 * the time of some 30 multiply-adds. */
static double cost(const winograd *g, bool dw)
{
    const double tiles = (double)((g->total + 15) / 16 * 16), pairs = (double)g->in * g->out, element = 30.0;
    const double weights = pairs * (9.0 + 2.0 * g->a2 * (dw ? (double)((g->total + g->chunk - 1) / g->chunk) : 1.0));

    return g->a2 * pairs * tiles + element * (weights + tiles * (g->in + g->out) * (2.0 * g->a2 + g->f * g->f));
}

static bool suits(const gs_conv *c)
{
    return c->kh == 3 && c->kw == 3 && c->sh == 1 && c->sw == 1 && c->dil == 1 && c->groups == 1 &&
           (c->kind != GS_CONV_DX || (c->ph <= 2 && c->pw <= 2 && c->mode == GS_CONV_ZEROS));
}

bool gs__conv_winograd_can(const gs_device *d, const gs_problem *q)
{
    (void)d;
    return !q->conv.no_winograd && suits(&q->conv);
}

/* Where it should be faster than the blocks of lower_conv_gemm.c. Not measured on GPUs: there only where it is chosen. */
bool gs__conv_winograd_pays(const gs_device *d, const gs_problem *q, const gs_variant *v)
{
    const gs_conv *c = &q->conv;
    const winograd g = of(c, v->param), other = of(c, 6 - v->param);
    const bool dw = c->kind == GS_CONV_DW;
    const double mine = cost(&g, dw), its = cost(&other, dw);

    return gs__cpu_forms(&d->info) && g.in >= 16 && g.out >= 16 && mine < 0.9 * gs_problem_flops(q) / 2.0 && (v->param == 4 ? mine < its : mine <= its);
}

static void ints(gs_launch *l, const int64_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) gs_launch_int(l, v[i]);
}

static gs_launch *launch(gs_plan *p, const winograd *g, const char *kernel, int lanes, int mode)
{
    return gs_launch_new(p, "winograd.cl", kernel, "-DF=%d -DLANES=%d -DPAD=%d", g->f, lanes, mode);
}

static int lanes_of(gs_plan *p) { return gs_plan_on_cpu(p) ? 16 : 1; }

/* One of the kernels that read or write pictures, on tiles first .. first + span - 1. */
static void pictures(gs_plan *p, const winograd *g, const char *kernel, gs_value *out, gs_value *in, bool part, int channels, int64_t first,
                     int64_t span, int h, int w, bool pads)
{
    const int lanes = lanes_of(p);
    const int64_t items = channels * (span / lanes), group = lanes > 1 ? 8 : GS_ITEMS;
    gs_launch *l = launch(p, g, kernel, lanes, pads ? (int)g->mode : 0);

    if (part) gs_launch_inout(l, out);
    else gs_launch_out(l, out);
    gs_launch_in(l, in);
    ints(l, (const int64_t[]){ channels, span, first, g->total, g->rows, g->cols, h, w }, 8);
    if (pads) ints(l, (const int64_t[]){ g->ph, g->pw }, 2);
    gs_launch_grid(l, (size_t)((items + group - 1) / group), 1, 1, (size_t)group, 1, 1);
    gs_launch_cost(l, 0.0, 4.0 * channels * (double)span * (g->a2 + g->f * g->f));
}

static gs_status images(gs_plan *p, const winograd *g, const gs_conv *c, gs_value *y, gs_value *x, gs_value *w)
{
    const bool back = c->kind == GS_CONV_DX;
    const int64_t pairs = (int64_t)g->in * g->out;
    gs_value *u = gs_plan_scratch(p, g->a2 * pairs, "winograd w"), *v = gs_plan_scratch(p, g->a2 * g->in * g->chunk, "winograd x");
    gs_value *m = gs_plan_scratch(p, g->a2 * g->out * g->chunk, "winograd y");
    gs_launch *l = launch(p, g, "wino_weights", 1, 0);
    gs_status st = GS_OK;

    gs_launch_out(l, u);
    gs_launch_in(l, w);
    ints(l, (const int64_t[]){ g->out, g->in, back ? 8 : 0, back ? 9 : 9 * (int64_t)g->in, back ? 9 * (int64_t)g->out : 9, back ? -3 : 3,
                               back ? -1 : 1 }, 7);
    gs__grid_items(l, pairs);
    gs_launch_cost(l, 0.0, 4.0 * (double)pairs * (9 + g->a2));
    for (int64_t first = 0; first < g->total && st == GS_OK; first += g->chunk) {
        const int64_t span = GS_MIN(g->chunk, (g->total - first + 15) / 16 * 16);
        const gs_gemm product = { .m = g->out, .n = span, .k = g->in, .batch = g->a2, .lda = g->in, .ldb = span, .ldc = span, .stride_a = pairs,
                                  .stride_b = g->in * span, .stride_c = g->out * span, .alpha = 1.0f };

        pictures(p, g, "wino_image", v, x, span < g->chunk, g->in, first, span, g->h, g->w, true);
        st = gs_plan_gemm(p, &product, m, u, v);
        pictures(p, g, "wino_result", y, m, g->chunk < g->total, g->out, first, span, g->oh, g->ow, false);
    }
    return st;
}

static gs_status by_weights(gs_plan *p, const winograd *g, gs_value *dw, gs_value *x, gs_value *dy)
{
    const int64_t pairs = (int64_t)g->in * g->out;
    gs_value *v = gs_plan_scratch(p, g->a2 * g->in * g->chunk, "winograd x"), *e = gs_plan_scratch(p, g->a2 * g->out * g->chunk, "winograd dy");
    gs_value *s = gs_plan_scratch(p, g->a2 * pairs, "winograd dw");
    gs_status st = GS_OK;
    gs_launch *l;

    for (int64_t first = 0; first < g->total && st == GS_OK; first += g->chunk) {
        const int64_t span = GS_MIN(g->chunk, (g->total - first + 15) / 16 * 16);
        const gs_gemm product = { .m = g->out, .n = g->in, .k = span, .batch = g->a2, .tb = true, .lda = span, .ldb = span, .ldc = g->in,
                                  .stride_a = g->out * span, .stride_b = g->in * span, .stride_c = pairs, .alpha = 1.0f,
                                  .beta = first ? 1.0f : 0.0f };

        pictures(p, g, "wino_image", v, x, span < g->chunk, g->in, first, span, g->h, g->w, true);
        pictures(p, g, "wino_gradient", e, dy, span < g->chunk, g->out, first, span, g->oh, g->ow, false);
        st = gs_plan_gemm(p, &product, s, e, v);
    }
    l = launch(p, g, "wino_dw", 1, 0);
    gs_launch_out(l, dw);
    gs_launch_in(l, s);
    ints(l, (const int64_t[]){ g->out, g->in }, 2);
    gs__grid_items(l, pairs);
    gs_launch_cost(l, 0.0, 4.0 * (double)pairs * (9 + g->a2));
    return st;
}

gs_status gs__conv_winograd(gs_plan *p, const gs_problem *q, const gs_variant *v, gs_value *out, gs_value *a, gs_value *b)
{
    const winograd g = of(&q->conv, v->param);

    return q->conv.kind == GS_CONV_DW ? by_weights(p, &g, out, a, b) : images(p, &g, &q->conv, out, a, b);
}
