/* Convolutions for CPU devices: cl/conv_cpu.cl. Here the three ops and the phases of a strided gradient become the kernel's digits and
 * strides. Scratch: a zero-padded copy of the image operand, and the packed other operand; no unfolded image. */
#include "plan/lower_int.h"

enum { MR = 12, NR = 32, BLOCKS = 16 }; /* as in cl/conv_cpu.cl */

typedef struct digits { /* index = (i0 d1 + i1) d2 + i2; offset = i0 s0 + i1 s1 + i2 s2 + base */
    int64_t d0, d1, d2, s0, s1, s2, base;
} digits;

static int64_t count(const digits *d) { return d->d0 * d->d1 * d->d2; }

/* A copy of planes (n, h, w) with room around them; x itself when none is needed. Sets the padded sizes. */
static gs_value *padded(gs_plan *p, gs_value *x, int64_t planes, int h, int w, int top, int bottom, int left, int right,
                        int64_t *ph, int64_t *pw)
{
    gs_value *y;
    gs_launch *l;

    *ph = h + top + bottom;
    *pw = w + left + right;
    if (top == 0 && bottom == 0 && left == 0 && right == 0) return x;
    y = gs_plan_scratch(p, planes * *ph * *pw, "padded");
    l = gs_launch_new(p, "conv_cpu.cl", "pad_planes", "%s", "");
    gs_launch_out(l, y);
    gs_launch_in(l, x);
    gs_launch_int(l, planes * *ph);
    gs_launch_int(l, *ph);
    gs_launch_int(l, *pw);
    gs_launch_int(l, h);
    gs_launch_int(l, w);
    gs_launch_int(l, top);
    gs_launch_int(l, left);
    gs__grid_items(l, planes * *ph);
    gs_launch_cost(l, 0.0, 4.0 * (double)planes * (double)(*ph * *pw + (int64_t)h * w));
    return y;
}

/* The operand s[group sg + q(k) + j sj] in panels of 32 columns. */
static gs_value *packed(gs_plan *p, gs_value *s, int64_t groups, int64_t sg, int64_t n, int64_t sj, const digits *k)
{
    const int64_t strips = (n + NR - 1) / NR, rows = groups * strips * count(k);
    gs_value *y = gs_plan_scratch(p, rows * NR, "panels");
    gs_launch *l = gs_launch_new(p, "conv_cpu.cl", "pack_panels", "%s", "");

    gs_launch_out(l, y);
    gs_launch_in_at(l, s, k->base);
    gs_launch_int(l, rows);
    gs_launch_int(l, n);
    gs_launch_int(l, count(k));
    gs_launch_int(l, strips);
    gs_launch_int(l, k->d1);
    gs_launch_int(l, k->d2);
    gs_launch_int(l, k->s0);
    gs_launch_int(l, k->s1);
    gs_launch_int(l, k->s2);
    gs_launch_int(l, sj);
    gs_launch_int(l, sg);
    gs__grid_items(l, rows);
    gs_launch_cost(l, 0.0, 8.0 * (double)(rows * NR));
    return y;
}

typedef struct product {
    gs_value *out, *x, *panel;
    bool part;              /* writes a part of out */
    int64_t n, groups;
    digits i, o, k;         /* x by row, out by row, x by term; i and o share their digits */
    int64_t tj, xg, og;     /* out by column; x and out by group */
} product;

static void multiply(gs_plan *p, const product *a)
{
    const int64_t m = count(&a->i), depth = count(&a->k), strips = (a->n + NR - 1) / NR;
    const int64_t all = (m + MR - 1) / MR; /* tiles */
    const int64_t want = 8 * GS_MAX(1, gs_plan_device(p)->compute_units); /* groups, for an even load */
    const int rs = a->i.d2 % 4 == 0 && (a->i.s2 == 1 || a->i.s2 == 2) ? (int)a->i.s2 : 0;
    int64_t across = GS_MIN(strips, 4), tiles = GS_MIN(all, BLOCKS / across);
    gs_launch *l;

    while (tiles > 1 && (strips + across - 1) / across * ((all + tiles - 1) / tiles) * a->groups < want) tiles--;
    while (across > 1 && (strips + across - 1) / across * all * a->groups < want) across--;
    l = gs_launch_new(p, "conv_cpu.cl", "conv_cpu", "-DRS=%d", rs);
    if (a->part) gs_launch_inout(l, a->out);
    else gs_launch_out(l, a->out);
    l->args[l->n_args - 1].extra = a->o.base;
    gs_launch_in_at(l, a->x, a->i.base + a->k.base);
    gs_launch_in(l, a->panel);
    {
        const int64_t sizes[] = { m, a->n, depth, tiles, across, a->i.d1, a->i.d2, a->i.s0, a->i.s1, a->i.s2,
                                  a->o.s0, a->o.s1, a->o.s2, a->tj, a->k.d1, a->k.d2, a->k.s0, a->k.s1, a->k.s2, a->xg, a->og, strips };

        for (size_t i = 0; i < GS_COUNT(sizes); i++) gs_launch_int(l, sizes[i]);
    }
    gs_launch_grid(l, (size_t)((strips + across - 1) / across), (size_t)((all + tiles - 1) / tiles), (size_t)a->groups, 1, 1, 1);
    gs_launch_cost(l, 2.0 * (double)(m * a->n * a->groups) * (double)depth,
                   4.0 * (double)(m * a->n * a->groups + a->groups * a->n * depth));
}

/* What the padded image must reach: the last tap of the last window. */
static int beyond(int x, int y, int k, int s, int pad, int dil) { return GS_MAX(0, (y - 1) * s + (k - 1) * dil - pad - (x - 1)); }

static void image_digits(const gs_conv *c, int64_t h, int64_t w, digits *windows, digits *taps)
{
    *windows = (digits){ c->n, c->yh, c->yw, c->xc * h * w, c->sh * w, c->sw, 0 };
    *taps = (digits){ c->xc / c->groups, c->kh, c->kw, h * w, c->dil * w, c->dil, 0 };
}

static void forward(gs_plan *p, const gs_conv *c, gs_value *y, gs_value *x, gs_value *w)
{
    const int64_t cg = c->xc / c->groups, og = c->yc / c->groups, depth = cg * c->kh * c->kw, yhw = (int64_t)c->yh * c->yw;
    const digits flat = { 1, 1, depth, 0, 0, 1, 0 };
    product a = { .out = y, .n = og, .groups = c->groups };
    int64_t h, v;

    a.x = padded(p, x, (int64_t)c->n * c->xc, c->xh, c->xw, c->ph, beyond(c->xh, c->yh, c->kh, c->sh, c->ph, c->dil), c->pw,
                 beyond(c->xw, c->yw, c->kw, c->sw, c->pw, c->dil), &h, &v);
    a.panel = packed(p, w, c->groups, og * depth, og, depth, &flat);
    image_digits(c, h, v, &a.i, &a.k);
    a.o = (digits){ c->n, c->yh, c->yw, c->yc * yhw, c->yw, 1, 0 };
    a.tj = yhw;
    a.xg = cg * h * v;
    a.og = og * yhw;
    multiply(p, &a);
}

static void by_weights(gs_plan *p, const gs_conv *c, gs_value *dw, gs_value *x, gs_value *dy)
{
    const int64_t cg = c->xc / c->groups, og = c->yc / c->groups, depth = cg * c->kh * c->kw, yhw = (int64_t)c->yh * c->yw;
    const digits pixels = { c->n, 1, yhw, c->yc * yhw, 0, 1, 0 };
    product a = { .out = dw, .n = og, .groups = c->groups };
    int64_t h, v;

    a.x = padded(p, x, (int64_t)c->n * c->xc, c->xh, c->xw, c->ph, beyond(c->xh, c->yh, c->kh, c->sh, c->ph, c->dil), c->pw,
                 beyond(c->xw, c->yw, c->kw, c->sw, c->pw, c->dil), &h, &v);
    a.panel = packed(p, dy, c->groups, og * yhw, og, yhw, &pixels);
    image_digits(c, h, v, &a.k, &a.i);
    a.o = (digits){ cg, c->kh, c->kw, (int64_t)c->kh * c->kw, c->kw, 1, 0 };
    a.tj = depth;
    a.xg = cg * h * v;
    a.og = og * depth;
    multiply(p, &a);
}

/* Taps i of one axis that reach rows h = a (mod s): i = first + t step, t < count, and the row of y is h / s + e - t down. */
typedef struct phase { int first, step, count, e, down; } phase;

static phase phase_of(int a, int k, int s, int pad, int dil)
{
    phase f = { .step = 1 };

    while (f.step * dil % s) f.step++;
    f.down = f.step * dil / s;
    while (f.first < f.step && (a + pad - f.first * dil) % s) f.first++;
    if (f.first == f.step || f.first >= k) return f; /* no tap: zeros */
    f.count = (k - 1 - f.first) / f.step + 1;
    f.e = (a + pad - f.first * dil) / s;
    return f;
}

/* Rows of y that the phases reach beyond it: before the first and after the last. */
static void reach(int x, int y, int k, int s, int pad, int dil, int *before, int *after)
{
    *before = *after = 0;
    for (int a = 0; a < s && a < x; a++) {
        const phase f = phase_of(a, k, s, pad, dil);

        if (f.count == 0) continue;
        *before = GS_MAX(*before, (f.count - 1) * f.down - f.e);
        *after = GS_MAX(*after, (x - 1 - a) / s + f.e - (y - 1));
    }
}

static void by_image(gs_plan *p, const gs_conv *c, gs_value *dx, gs_value *dy, gs_value *w)
{
    const int64_t cg = c->xc / c->groups, og = c->yc / c->groups, kk = (int64_t)c->kh * c->kw, xhw = (int64_t)c->xh * c->xw;
    int top, bottom, left, right;
    int64_t h, v;
    gs_value *y;

    reach(c->xh, c->yh, c->kh, c->sh, c->ph, c->dil, &top, &bottom);
    reach(c->xw, c->yw, c->kw, c->sw, c->pw, c->dil, &left, &right);
    y = padded(p, dy, (int64_t)c->n * c->yc, c->yh, c->yw, top, bottom, left, right, &h, &v);
    for (int i = 0; i < c->sh && i < c->xh; i++)
        for (int j = 0; j < c->sw && j < c->xw; j++) {
            const phase fi = phase_of(i, c->kh, c->sh, c->ph, c->dil), fj = phase_of(j, c->kw, c->sw, c->pw, c->dil);
            const bool none = fi.count == 0 || fj.count == 0;
            const digits taps = { og, fi.count, fj.count, cg * kk, fi.step * c->kw, fj.step, fi.first * c->kw + fj.first };
            product a = { .out = dx, .x = y, .part = c->sh * c->sw > 1, .n = cg, .groups = c->groups };

            a.panel = none ? y : packed(p, w, c->groups, og * cg * kk, cg, kk, &taps);
            a.i = (digits){ c->n, (c->xh - i - 1) / c->sh + 1, (c->xw - j - 1) / c->sw + 1, c->yc * h * v, v, 1,
                            none ? 0 : (top + fi.e) * v + left + fj.e };
            a.k = (digits){ none ? 0 : og, fi.count, fj.count, h * v, -fi.down * v, -fj.down, 0 };
            a.o = (digits){ c->n, a.i.d1, a.i.d2, c->xc * xhw, (int64_t)c->sh * c->xw, c->sw, (int64_t)i * c->xw + j };
            a.tj = xhw;
            a.xg = og * h * v;
            a.og = cg * xhw;
            multiply(p, &a);
        }
}

bool gs__conv_cpu(gs_plan *p, const gs_conv *c, gs_value *out, gs_value *a, gs_value *b)
{
    /* Vectors run over a group's channels: with few of them the plain form is no slower. */
    if (c->groups > 1 && (c->kind == GS_CONV_DX ? c->xc : c->yc) / c->groups < 8) return false;
    switch (c->kind) {
    case GS_CONV_Y: forward(p, c, out, a, b); break;
    case GS_CONV_DX: by_image(p, c, out, a, b); break;
    case GS_CONV_DW: by_weights(p, c, out, a, b); break;
    }
    return true;
}
