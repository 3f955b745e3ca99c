/* Convolutions one side of which has few channels, on CPUs: cl/conv_few_cpu.cl. The gradient by a picture and the few
 * results of a stride-1 layer are one kernel (the second is the first with the weights turned round), so are the
 * gradients by weights of both; many results of few channels are another; and layers whose window is their whole picture or one pixel are plain products. */
#include "plan/lower_int.h"

#define ANY_OPTIONS "-DPAD=0" /* of kernels to which options mean nothing: those of few_split, and so one program less */

/* LINES and TERMS as in cl/conv_few_cpu.cl; RESULTS: fewest of few_results; BLOCK: accumulators that fit the registers; NEAR: elements of the planes
 * that are summed together, which stay in the second-level cache */
enum { LINES = 6144, TERMS = 192, RESULTS = 8, FEW = 4, BLOCK = 24, LANES = 16, NEAR = 1 << 16 };

/* The many-channelled operand: `planes` a group of rows x cols pixels, read as high x wide with (top, left)
 * in front. */
typedef struct source { int planes, rows, cols, top, left, high, wide; } source;

static source as_stored(int planes, int rows, int cols) { return (source){ planes, rows, cols, 0, 0, rows, cols }; }

/* x as the windows see it: with zeros around it is read as it lies, for nobody reads zeros. */
static source seen(const gs_conv *c)
{
    if (c->mode == GS_CONV_ZEROS) return as_stored(c->xc / c->groups, c->xh, c->xw);
    return (source){ c->xc / c->groups, c->xh, c->xw, c->ph, c->pw, (c->yh - 1) * c->sh + c->kh,
                     (c->yw - 1) * c->sw + c->kw };
}

static bool few(const gs_conv *c, int channels)
{
    return channels / c->groups <= FEW || (c->groups > 1 && channels / c->groups < 8);
}

static double flops(const gs_conv *c)
{
    return gs_problem_flops(&(gs_problem){ .family = GS_FAMILY_CONV_Y, .conv = *c });
}

static void ints(gs_launch *l, const int64_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) gs_launch_int(l, v[i]);
}

/* ---- a window as large as its picture ---- */

bool gs__conv_whole_can(const gs_device *d, const gs_problem *q)
{
    const gs_conv *c = &q->conv;

    (void)d;
    return c->yh == 1 && c->yw == 1 && c->xh == c->kh && c->xw == c->kw && c->ph == 0 && c->pw == 0 &&
           c->mode == GS_CONV_ZEROS && c->dil == 1 && c->groups == 1;
}

gs_status gs__conv_whole(gs_plan *p, const gs_problem *q, const gs_variant *v, gs_value *out, gs_value *a, gs_value *b)
{
    const gs_conv *c = &q->conv;
    const int64_t window = (int64_t)c->xc * c->kh * c->kw;
    gs_gemm g = { .m = c->n, .n = c->yc, .k = window, .batch = 1, .alpha = 1.0f };

    (void)v;
    if (c->kind == GS_CONV_Y) g.tb = true, g.lda = g.ldb = window, g.ldc = c->yc;
    else if (c->kind == GS_CONV_DX) g.n = window, g.k = c->yc, g.lda = c->yc, g.ldb = g.ldc = window;
    else g.m = c->yc, g.n = window, g.k = c->n, g.ta = true, g.lda = c->yc, g.ldb = g.ldc = window;
    /* dw = dy^T x: the product's first operand is dy */
    return c->kind == GS_CONV_DW ? gs_plan_gemm(p, &g, out, b, a) : gs_plan_gemm(p, &g, out, a, b);
}

/* ---- windows of one pixel ---- */

bool gs__conv_pixel_can(const gs_device *d, const gs_problem *q)
{
    const gs_conv *c = &q->conv;

    (void)d;
    return c->kh == 1 && c->kw == 1 && c->sh == 1 && c->sw == 1 && c->xh == c->yh && c->xw == c->yw && c->ph == 0 && c->pw == 0 && c->groups == 1 &&
           (c->kind != GS_CONV_DW || c->n == 1); /* a sum over pictures is no product of whole tensors */
}

/* A product a picture reads weights again for each. Sums of few rows or columns by weights have a better form below. */
bool gs__conv_pixel_pays(const gs_device *d, const gs_problem *q, const gs_variant *v)
{
    const gs_conv *c = &q->conv;

    (void)v;
    return gs__cpu_forms(&d->info) && (int64_t)c->yh * c->yw >= 256 && !(c->kind == GS_CONV_DW && (c->xc <= FEW || c->yc <= FEW));
}

gs_status gs__conv_pixel(gs_plan *p, const gs_problem *q, const gs_variant *v, gs_value *out, gs_value *a, gs_value *b)
{
    const gs_conv *c = &q->conv;
    const int64_t hw = (int64_t)c->yh * c->yw, x = c->xc * hw, y = c->yc * hw;
    const bool dx = c->kind == GS_CONV_DX;
    gs_gemm g = { .m = dx ? c->xc : c->yc, .n = hw, .k = dx ? c->yc : c->xc, .batch = c->n, .ta = dx, .lda = c->xc, .ldb = hw, .ldc = hw,
                  .stride_b = dx ? y : x, .stride_c = dx ? x : y, .alpha = 1.0f };

    (void)v;
    if (c->kind == GS_CONV_DW) g = (gs_gemm){ .m = c->yc, .n = c->xc, .k = hw, .batch = 1, .tb = true, .lda = hw, .ldb = hw, .ldc = c->xc, .alpha = 1.0f };
    return gs_plan_gemm(p, &g, out, b, a); /* y = w x, dx = w^T dy, dw = dy x^T */
}

/* ---- few channels of the result: few_image ---- */

typedef struct image { /* geometry of few_image: as the gradient by a picture of h x v */
    source s;
    int c, h, v, kh, kw, sh, sw, ph, pw;
    int64_t base, sg, so, sc, si, sj; /* where the weights lie */
} image;

static bool image_of(const gs_conv *c, image *m)
{
    const int cg = c->xc / c->groups, og = c->yc / c->groups, kk = c->kh * c->kw;

    if (c->kind == GS_CONV_DX)
        *m = (image){ as_stored(og, c->yh, c->yw), cg, c->xh, c->xw, c->kh, c->kw, c->sh, c->sw, c->ph, c->pw, 0,
                      (int64_t)og * cg * kk, (int64_t)cg * kk, kk, c->kw, 1 };
    else {
        const bool zeros = c->mode == GS_CONV_ZEROS;

        if (c->sh != 1 || c->sw != 1) return false;
        *m = (image){ seen(c), og, c->yh, c->yw, c->kh, c->kw, 1, 1, c->kh - 1 - (zeros ? c->ph : 0),
                      c->kw - 1 - (zeros ? c->pw : 0), kk - 1, (int64_t)og * cg * kk, kk, (int64_t)cg * kk, -c->kw,
                      -1 };
    }
    return m->ph >= 0 && m->pw >= 0;
}

static int line_length(const image *m)
{
    return GS_MAX(m->s.wide + (m->kw - 1) / m->sw, (m->v - 1 + m->pw) / m->sw + 1);
}

static bool image_can(const gs_conv *c)
{
    image m;

    return few(c, c->kind == GS_CONV_DX ? c->xc : c->yc) && image_of(c, &m) && m.s.wide >= LANES && m.s.rows > 0 &&
           (int64_t)m.sh * m.c * m.sw * line_length(&m) <= LINES;
}

/* sizes: number of rows of columns, and what else few_weights takes. */
static void weights_launch(gs_plan *p, gs_value *wt, gs_value *w, const int64_t sizes[15])
{
    gs_launch *l = gs_launch_new(p, "conv_few_cpu.cl", "few_weights", ANY_OPTIONS);

    gs_launch_out(l, wt);
    gs_launch_in(l, w);
    ints(l, sizes, 15);
    gs__grid_items(l, sizes[0]);
    gs_launch_cost(l, 0.0, 8.0 * (double)(sizes[0] * sizes[1]));
}

static void image_emit(gs_plan *p, const gs_conv *c, gs_value *out, gs_value *src, gs_value *w)
{
    image m;
    const bool ok = image_of(c, &m);
    const int columns = m.sh * m.c * m.kw, blocks = (columns + BLOCK - 1) / BLOCK, nj = (columns + blocks - 1) / blocks;
    const int ki = (m.kh + m.sh - 1) / m.sh, first = m.ph / m.sh, end = (m.h - 1 + m.ph) / m.sh + 1;
    const int64_t count = (int64_t)c->groups * blocks * ki * m.s.planes * nj, each = (int64_t)c->n * c->groups;
    const int64_t want = 16 * GS_MAX(1, gs_plan_device(p)->compute_units),
                  cuts = GS_MIN(end - first, (want + each - 1) / each);
    const int chunk = (int)((end - first + cuts - 1) / cuts);
    gs_value *wt = gs_plan_scratch(p, count, "weights");
    gs_launch *l;
    int nv = 1;

    (void)ok;
    for (int t = 2; t <= 4; t *= 2) /* wider where that does not leave much of the last step idle */
        if (nj * t <= BLOCK && LANES * t <= m.s.wide &&
            (m.s.wide + LANES * t - 1) / (LANES * t) * LANES * t * 7 <= m.s.wide * 8)
            nv = t;

    weights_launch(p, wt, w, (const int64_t[]){ count / nj, nj, blocks, m.s.planes, ki, m.c, m.kh, m.kw, m.sh, m.base, m.sg, m.so, m.sc, m.si, m.sj });

    l = gs_launch_new(p, "conv_few_cpu.cl", "few_image", "-DPAD=%d -DNJ=%d -DNV=%d", (int)c->mode, nj, nv);
    gs_launch_out(l, out);
    gs_launch_in(l, src);
    gs_launch_in(l, wt);
    ints(l, (const int64_t[]){ chunk, first, end, m.c, m.h, m.v, m.s.planes, m.s.rows, m.s.cols, m.s.top, m.s.left,
                               m.s.high, m.s.wide, ki, m.kw, m.sh, m.sw, m.ph, m.pw,
                               (int64_t)m.s.planes * c->groups * m.s.rows * m.s.cols,
                               (int64_t)m.c * c->groups * m.h * m.v, line_length(&m), blocks }, 23);
    gs_launch_grid(l, (size_t)((end - first + chunk - 1) / chunk), (size_t)c->n, (size_t)c->groups, 1, 1, 1);
    gs_launch_cost(l, flops(c),
                   4.0 * (double)each * ((double)m.s.planes * m.s.rows * m.s.cols + (double)m.c * m.h * m.v));
}

/* Planes of few channels as few_split leaves them: lines a plane, and elements of each sw lines that were one. */
typedef struct lines { int rows, length; int64_t per_picture; } lines;

static lines lines_of(const gs_conv *c, int channels, int high, int wide, int sh, int sw)
{
    const lines l = { .rows = (high - 1) * sh + c->kh, .length = wide + (c->kw - 1) / sw };

    return (lines){ l.rows, l.length, (int64_t)channels * sw * l.rows * l.length };
}

/* Planes of h x v with room around them, every sw-th column together: few_split. */
static void split_emit(gs_plan *p, gs_value *split, gs_value *x, int mode, int64_t planes, int sw, int rows, int length, int h, int v, int top, int left)
{
    enum { LEAST = 512 }; /* elements of a group */
    const int64_t all = planes * rows, want = 8 * GS_MAX(1, gs_plan_device(p)->compute_units);
    const int64_t chunk = GS_MAX((all + want - 1) / want, (LEAST + (int64_t)sw * length - 1) / ((int64_t)sw * length));
    gs_launch *l = gs_launch_new(p, "conv_few_cpu.cl", "few_split", "-DPAD=%d", mode);

    gs_launch_out(l, split);
    gs_launch_in(l, x);
    ints(l, (const int64_t[]){ all, chunk, sw, rows, length, h, v, top, left }, 9);
    gs_launch_grid(l, (size_t)((all + chunk - 1) / chunk), 1, 1, 1, 1, 1);
    gs_launch_cost(l, 0.0, 4.0 * (double)planes * ((double)h * v + (double)sw * rows * length));
}

/* ---- many results of few channels: few_results ---- */

gs_value *gs__conv_few_weights(gs_plan *p, gs_value *w, int64_t groups, int64_t o, int64_t terms, int64_t blocks, int64_t no)
{
    const int64_t want = 8 * GS_MAX(1, gs_plan_device(p)->compute_units), all = groups * blocks;
    const int64_t parts = GS_MAX(1, GS_MIN((want + all - 1) / all, terms / 64)); /* of a block */
    const int64_t chunk = ((terms + parts - 1) / parts + LANES - 1) / LANES * LANES;
    gs_value *wt = gs_plan_scratch(p, groups * blocks * terms * no, "weights");
    gs_launch *l = gs_launch_new(p, "conv_few_cpu.cl", "few_turned", ANY_OPTIONS);

    gs_launch_out(l, wt);
    gs_launch_in(l, w);
    ints(l, (const int64_t[]){ o, terms, no, chunk }, 4);
    gs_launch_grid(l, (size_t)((terms + chunk - 1) / chunk), (size_t)blocks, (size_t)groups, 1, 1, 1);
    gs_launch_cost(l, 0.0, 8.0 * (double)(groups * blocks * terms * no));
    return wt;
}

/* Windows of more terms would want sums in blocks. */
static bool results_can(const gs_conv *c)
{
    return few(c, c->xc) && c->yc / c->groups >= RESULTS && c->yw >= LANES && c->xc / c->groups * c->kh * c->kw <= TERMS &&
           c->n * lines_of(c, c->xc, c->yh, c->yw, c->sh, c->sw).per_picture <= GS_MOST_ELEMENTS;
}

static void results_emit(gs_plan *p, const gs_conv *c, gs_value *y, gs_value *x, gs_value *w)
{
    const int cg = c->xc / c->groups, og = c->yc / c->groups, terms = cg * c->kh * c->kw;
    const int blocks = gs__even_blocks(og, RESULTS, BLOCK / 2), no = (og + blocks - 1) / blocks, two = c->yw < 2 * LANES;
    const lines f = lines_of(c, c->xc, c->yh, c->yw, c->sh, c->sw);
    const int64_t planes = (int64_t)c->n * c->xc, each = (int64_t)c->n * c->groups;
    const int64_t want = 16 * GS_MAX(1, gs_plan_device(p)->compute_units), cuts = GS_MIN(c->yh, (want + each - 1) / each);
    const int64_t chunk = ((c->yh + cuts - 1) / cuts + two) >> two << two;
    gs_value *split = gs_plan_scratch(p, c->n * f.per_picture, "split"), *wt = gs__conv_few_weights(p, w, c->groups, og, terms, blocks, no);
    gs_launch *l;

    split_emit(p, split, x, (int)c->mode, planes, c->sw, f.rows, f.length, c->xh, c->xw, c->ph, c->pw);

    l = gs_launch_new(p, "conv_few_cpu.cl", "few_results", "-DKW=%d -DSW=%d -DNO=%d -DROWS=%d", c->kw, c->sw, no, two);
    gs_launch_out(l, y);
    gs_launch_in(l, split);
    gs_launch_in(l, wt);
    ints(l, (const int64_t[]){ chunk, og, c->yh, c->yw, cg, c->kh, c->sh, f.rows, f.length, f.per_picture, blocks }, 11);
    gs_launch_grid(l, (size_t)((c->yh + chunk - 1) / chunk), (size_t)c->n, (size_t)c->groups, 1, 1, 1);
    gs_launch_cost(l, flops(c), 4.0 * c->n * ((double)f.per_picture + (double)c->yc * c->yh * c->yw));
}

/* ---- few channels of x or of y in the gradient by weights: few_weights_grad ---- */

typedef struct weights { /* many: the source; few: c channels of h x v pixels in front of which lie (top, left) */
    source s;
    int c, h, v, top, left, sh, sw;
    bool few_is_x;
    int64_t base, sm, sc, si, sj;
} weights;

static bool weights_of(const gs_conv *c, weights *m)
{
    const int cg = c->xc / c->groups, og = c->yc / c->groups, kk = c->kh * c->kw;

    if (few(c, c->xc) && c->yw >= LANES) {
        *m = (weights){ as_stored(og, c->yh, c->yw), cg, c->xh, c->xw, c->ph, c->pw, c->sh, c->sw, true, 0,
                        (int64_t)cg * kk, kk, c->kw, 1 };
        return true;
    }
    *m = (weights){ seen(c), og, c->yh, c->yw, c->kh - 1, c->kw - 1, 1, 1, false, kk - 1, kk, (int64_t)cg * kk,
                    -c->kw, -1 };
    if (c->mode == GS_CONV_ZEROS) m->top -= c->ph, m->left -= c->pw;
    return few(c, c->yc) && c->sh == 1 && c->sw == 1 && m->s.wide >= LANES && m->top >= 0 && m->left >= 0;
}

/* How the sums are cut: taps and planes an item has in registers, elements of a whole sum, rows a part and parts, of which each leaves a whole sum. */
typedef struct parts { int ni, no; int64_t count, rows, each, n; } parts;

static parts parts_of(const gs_conv *c, const weights *m, int cores)
{
    const int taps = m->c * c->kh, ni = GS_MIN(taps, GS_MAX(1, 8 / c->kw)), no = GS_MIN(m->s.planes, GS_MAX(1, BLOCK / (ni * c->kw)));
    parts a = { .ni = ni, .no = no, .count = (int64_t)c->groups * m->s.planes * taps * c->kw, .rows = (int64_t)c->n * m->s.high };
    const int a_core = (double)m->s.planes * m->s.wide * (double)a.rows < 100.0 * (double)(a.count / c->groups * LANES) ? 2 : 4; /* each writes all sums */
    const int64_t even = GS_MAX(1, a_core * cores / c->groups), most = GS_MAX(1, NEAR / ((int64_t)no * m->s.wide));
    const int64_t cuts = GS_MIN(a.rows, even * ((a.rows + even * most - 1) / (even * most)));

    a.each = (a.rows + cuts - 1) / cuts;
    a.n = (a.rows + a.each - 1) / a.each;
    return a;
}

static lines weights_lines(const gs_conv *c, const weights *m) { return lines_of(c, m->c * c->groups, m->s.high, m->s.wide, m->sh, m->sw); }

static bool weights_can(const gs_device *d, const gs_conv *c)
{
    weights m;
    parts a;

    if (c->kw > 11 || !weights_of(c, &m)) return false;
    a = parts_of(c, &m, d->info.compute_units);
    return GS_MAX(c->n * weights_lines(c, &m).per_picture, a.n * a.count) <= GS_MOST_ELEMENTS;
}

static void weights_emit(gs_plan *p, const gs_conv *c, gs_value *dw, gs_value *x, gs_value *dy)
{
    weights m;
    const bool ok = weights_of(c, &m);
    const parts a = parts_of(c, &m, gs_plan_device(p)->compute_units);
    const lines f = weights_lines(c, &m);
    const int64_t planes = (int64_t)c->n * m.c * c->groups;
    gs_value *split = gs_plan_scratch(p, c->n * f.per_picture, "split"), *part = gs_plan_scratch(p, a.n * a.count, "sums");
    gs_launch *l;

    (void)ok;
    split_emit(p, split, m.few_is_x ? x : dy, m.few_is_x ? (int)c->mode : 0, planes, m.sw, f.rows, f.length, m.h, m.v, m.top, m.left);

    l = gs_launch_new(p, "conv_few_cpu.cl", "few_weights_grad", "-DPAD=%d -DKW=%d -DSW=%d -DNI=%d -DNO=%d -DTAIL=%d -DONE=%d",
                      m.few_is_x ? 0 : (int)c->mode, c->kw, m.sw, a.ni, a.no, m.s.wide % LANES != 0, m.s.wide == LANES && m.s.cols == LANES);
    gs_launch_out(l, part);
    gs_launch_in(l, m.few_is_x ? dy : x);
    gs_launch_in(l, split);
    ints(l, (const int64_t[]){ a.rows, a.each, m.s.planes, m.s.rows, m.s.cols, m.s.top, m.s.left,
                               m.s.high, m.s.wide, m.c, c->kh, m.sh, f.rows, f.length,
                               (int64_t)m.s.planes * c->groups * m.s.rows * m.s.cols, f.per_picture, c->groups }, 17);
    gs_launch_grid(l, (size_t)a.n, (size_t)c->groups, 1, 1, 1, 1);
    gs_launch_cost(l, flops(c),
                   4.0 * c->n * ((double)m.s.planes * c->groups * m.s.rows * m.s.cols + (double)f.per_picture));

    l = gs_launch_new(p, "conv_few_cpu.cl", "few_sum", ANY_OPTIONS);
    gs_launch_out(l, dw);
    gs_launch_in(l, part);
    ints(l, (const int64_t[]){ (int64_t)c->groups * m.s.planes, a.n, m.s.planes, m.c, c->kh, c->kw, m.base,
                               (int64_t)c->yc / c->groups * (c->xc / c->groups) * c->kh * c->kw, m.sm, m.sc, m.si,
                               m.sj }, 12);
    gs__grid_items(l, (int64_t)c->groups * m.s.planes);
    gs_launch_cost(l, 0.0, 4.0 * (double)a.count * (double)(a.n + 1));
}

bool gs__conv_few_can(const gs_device *d, const gs_problem *q)
{
    const gs_conv *c = &q->conv;

    return gs__cpu_forms(&d->info) && c->dil == 1 && (c->kind == GS_CONV_DW ? weights_can(d, c) : image_can(c) || (c->kind == GS_CONV_Y && results_can(c)));
}

gs_status gs__conv_few(gs_plan *p, const gs_problem *q, const gs_variant *v, gs_value *out, gs_value *a, gs_value *b)
{
    (void)v;
    if (q->conv.kind == GS_CONV_DW) weights_emit(p, &q->conv, out, a, b);
    else if (image_can(&q->conv)) image_emit(p, &q->conv, out, a, b);
    else results_emit(p, &q->conv, out, a, b);
    return GS_OK;
}
