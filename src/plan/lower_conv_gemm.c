/* Convolutions as products that never unfold the image: cl/conv_cpu.cl and cl/conv_tile.cl. Here the three
 * ops, and the phases of a strided gradient, become the digits and strides of those kernels. Scratch: a
 * zero-padded copy of the image operand, and on CPUs the other operand packed in panels. */
#include "plan/lower_int.h"

enum { MR = 12, NR = 32, BLOCKS = 16, KC = 128, SLIM_ROWS = 64, SLIM_COLUMNS = 4 }; /* as in cl/conv_cpu.cl */
enum { OWN_TILES = 4 }; /* that a panel is packed for, unless there are fewer */

typedef struct digits { /* index = (i0 d1 + i1) d2 + i2; offset = i0 s0 + i1 s1 + i2 s2 + base */
    int64_t d0, d1, d2, s0, s1, s2, base;
} digits;

static int64_t count(const digits *d) { return d->d0 * d->d1 * d->d2; }

/* A copy of planes (n, h, w) with room around them; x itself when none is needed. Sets the padded sizes. */
static gs_value *padded(gs_plan *p, gs_value *x, gs_conv_mode mode, int64_t planes, int h, int w, int top, int bottom, int left, int right,
                        int64_t *ph, int64_t *pw)
{
    gs_value *y;
    gs_launch *l;

    *ph = h + top + bottom;
    *pw = w + left + right;
    if (top == 0 && bottom == 0 && left == 0 && right == 0) return x;
    y = gs_plan_scratch(p, planes * *ph * *pw, "padded");
    l = gs_launch_new(p, "pad.cl", "pad_planes", "-DPAD=%d", (int)mode);
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

/* out[o(i) + j tj] = sum_k x[r(i) + q(k)] s[u(k) + j sj] for each group. */
typedef struct product {
    gs_value *out, *x, *s;
    bool part;              /* writes a part of out */
    int64_t n, groups;
    digits r, o, q, u;      /* r and o share the digits of i, q and u those of k */
    int64_t tj, sj;         /* out and s by column */
    int64_t xg, og, sg;     /* x, out and s by group */
} product;

static void ints(gs_launch *l, const int64_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) gs_launch_int(l, v[i]);
}

/* The operand s in panels of 32 columns, by the kernel that reads it in whole vectors. */
static gs_value *packed(gs_plan *p, const product *a)
{
    const digits *u = &a->u;
    const int64_t strips = (a->n + NR - 1) / NR, depth = count(u), rows = a->groups * strips * depth, terms = u->d1 * u->d2;
    const int64_t reach = (u->d1 - 1) * u->s1 + (u->d2 - 1) * u->s2;
    const bool near = u->s2 == 1 && u->s1 == u->d2, whole = near && u->s0 == terms && depth >= 16; /* neighbours: for each k0; all */
    const int64_t outer = whole ? 1 : u->d0, run = whole ? depth : terms;
    const bool lie = a->sj == 1, window = !lie && !(near && run >= 16) && reach < 16, runs = !lie && (window || (near && run >= 16));
    const int64_t all = runs ? a->groups * strips * outer * (window ? 1 : (run + 15) / 16) : rows;
    const int64_t chunk = GS_MAX((all + 31) / 32 / GS_MAX(1, gs_plan_device(p)->compute_units), 16);
    gs_value *y = gs_plan_scratch(p, rows * NR, "panels");
    gs_launch *l = gs_launch_new(p, "conv_cpu.cl", lie ? "pack_rows" : runs ? "pack_runs" : "pack_any", "%s%s", window ? "-DWINDOW=1" : "",
                                 window && !near ? " -DAPART=1" : "");

    gs_launch_out(l, y);
    gs_launch_in_at(l, a->s, u->base);
    ints(l, (const int64_t[]){ all, chunk }, lie || runs ? 2 : 1);
    if (runs) ints(l, (const int64_t[]){ a->s->count - u->base, a->n, strips, outer, window ? 16 : run }, 5);
    else ints(l, (const int64_t[]){ a->n, depth, strips }, 3);
    if (runs && !window) ints(l, (const int64_t[]){ run, 1, u->s0, 0, 0 }, 5);
    else ints(l, (const int64_t[]){ u->d1, u->d2, u->s0, u->s1, u->s2 }, 5);
    if (!lie) gs_launch_int(l, a->sj);
    gs_launch_int(l, a->sg);
    if (runs || lie) gs_launch_grid(l, (size_t)((all + chunk - 1) / chunk), 1, 1, 1, 1, 1);
    else gs__grid_items(l, rows);
    gs_launch_cost(l, 0.0, 8.0 * (double)(rows * NR));
    return y;
}

static void operands(gs_launch *l, const product *a, gs_value *s, int64_t s_base, bool adds)
{
    if (a->part || adds) gs_launch_inout(l, a->out);
    else gs_launch_out(l, a->out);
    l->args[l->n_args - 1].extra = a->o.base;
    gs_launch_in_at(l, a->x, a->r.base + a->q.base);
    gs_launch_in_at(l, s, s_base);
    gs_launch_cost(l, 2.0 * (double)(count(&a->r) * a->n * a->groups) * (double)count(&a->q),
                   4.0 * (double)a->groups * (double)(count(&a->r) * a->n + a->n * count(&a->q)));
}

/* -DRS: rows come in runs of four that lie 1 or 2 elements apart. */
static int run_step(const product *a) { return a->r.d2 % 4 == 0 && (a->r.s2 == 1 || a->r.s2 == 2) ? (int)a->r.s2 : 0; }

/* -DLAY: rows are planes and terms are whole lines of them, in runs of 16 that no picture's end cuts. */
static bool lays(const product *a)
{
    return a->r.d1 == 1 && a->r.d2 == 1 && a->q.s2 == 1 && a->q.s1 == a->q.d2 && a->q.d1 * a->q.d2 % 16 == 0;
}

/* How an item packs its own panel (-DOWN): all terms are neighbours, or those of each k0. 0: it cannot. */
static int own_form(const product *a)
{
    const digits *u = &a->u;

    if (u->s2 != 1 || u->s1 != u->d2 || !count(u)) return 0;
    return u->s0 == u->d1 * u->d2 ? 1 : u->d1 * u->d2 <= 16 ? 2 : 0;
}

/* param: the most strips of 32 columns an item works on; 0: one, whose panel it packs itself. */
static void cpu_blocks(gs_plan *p, const product *a, int param)
{
    const int64_t m = count(&a->r), depth = count(&a->q), strips = (a->n + NR - 1) / NR, terms = a->u.d1 * a->u.d2;
    const int64_t all = (m + MR - 1) / MR; /* tiles */
    const int64_t want = 8 * GS_MAX(1, gs_plan_device(p)->compute_units); /* groups, for an even load */
    const int own = param ? 0 : own_form(a);
    int64_t across = own ? 1 : GS_MIN(strips, GS_MAX(param, 1)), tiles = GS_MIN(all, BLOCKS / across);
    gs_value *panel = depth && !own ? packed(p, a) : own ? a->s : a->x;
    gs_launch *l = gs_launch_new(p, "conv_cpu.cl", "conv_cpu", "-DRS=%d -DOS=%d%s%s", run_step(a), a->o.d2 % 4 == 0 && a->o.s2 == 1,
                                 lays(a) ? " -DLAY=1" : "", own == 1 ? " -DOWN=1" : own ? " -DOWN=2" : "");

    while (tiles > (own ? OWN_TILES : 1) && (strips + across - 1) / across * ((all + tiles - 1) / tiles) * a->groups < want) tiles--;
    while (across > 1 && (strips + across - 1) / across * all * a->groups < want) across--;
    operands(l, a, panel, own ? a->u.base : 0, false);
    ints(l, (const int64_t[]){ m, a->n, depth, tiles, across, a->r.d1, a->r.d2, a->r.s0, a->r.s1, a->r.s2, a->o.s0, a->o.s1, a->o.s2,
                               a->tj, a->q.d1, a->q.d2, a->q.s0, a->q.s1, a->q.s2, a->xg, a->og, strips }, 22);
    if (own)
        ints(l, (const int64_t[]){ a->s->count - a->u.base, own == 1 ? KC : KC / terms * terms, a->u.s0, a->u.s1, a->u.s2, a->sj, a->sg }, 7);
    gs_launch_grid(l, (size_t)((strips + across - 1) / across), (size_t)((all + tiles - 1) / tiles), (size_t)a->groups, 1, 1, 1);
}

/* conv_slim_cpu and conv_tile take the same arguments. */
static gs_launch *unpacked(gs_plan *p, const product *a, const char *file, const char *kernel, const char *options, bool adds)
{
    gs_launch *l = gs_launch_new(p, file, kernel, "%s", options);

    operands(l, a, a->s, a->u.base, adds);
    ints(l, (const int64_t[]){ count(&a->r), a->n, count(&a->q), a->r.d1, a->r.d2, a->r.s0, a->r.s1, a->r.s2, a->o.s0, a->o.s1,
                               a->o.s2, a->tj, a->q.d1, a->q.d2, a->q.s0, a->q.s1, a->q.s2, a->u.s0, a->u.s1, a->u.s2, a->sj, a->xg,
                               a->og, a->sg }, 24);
    return l;
}

static gs_status tiles(gs_plan *p, const product *a, int side)
{
    const int64_t m = count(&a->r), depth = count(&a->q);
    int64_t part, first = 0;
    const gs_status st = gs__tile_part(p, depth, side, &part);

    if (st != GS_OK) return st;
    do { /* at least one: no terms make zeros */
        char options[32];
        gs_launch *l;

        snprintf(options, sizeof options, "-DSIDE=%d%s", side, GS_PART_OPTION(part, depth));
        l = unpacked(p, a, "conv_tile.cl", "conv_tile", options, first > 0);
        gs_launch_range(l, first, part, depth);
        gs_launch_grid(l, (size_t)((m + 4 * side - 1) / (4 * side)), (size_t)((a->n + 4 * side - 1) / (4 * side)),
                       (size_t)a->groups, (size_t)side, (size_t)side, 1);
        if (part < depth) l->flops *= gs__share(first, part, depth);
        first += part;
    } while (first < depth);
    return GS_OK;
}

static gs_status multiply(gs_plan *p, const product *a, bool cpu, int param)
{
    const int64_t m = count(&a->r);

    if (!cpu) return tiles(p, a, param);
    if (a->n <= SLIM_COLUMNS && m > SLIM_ROWS * (int64_t)gs_plan_device(p)->compute_units) {
        char options[32];
        gs_launch *l;

        snprintf(options, sizeof options, "-DNJ=%d -DRS=%d", (int)a->n, run_step(a));
        l = unpacked(p, a, "conv_cpu.cl", "conv_slim_cpu", options, false);
        gs_launch_grid(l, (size_t)((m + SLIM_ROWS - 1) / SLIM_ROWS), (size_t)a->groups, 1, 1, 1, 1);
    } else {
        cpu_blocks(p, a, param);
    }
    return GS_OK;
}

/* What the padded image must reach: the last tap of the last window. */
static int beyond(int x, int y, int k, int s, int pad, int dil) { return GS_MAX(0, (y - 1) * s + (k - 1) * dil - pad - (x - 1)); }

gs_value *gs__conv_padded(gs_plan *p, gs_conv *c, gs_value *x)
{
    int64_t h, w;

    x = padded(p, x, c->mode, (int64_t)c->n * c->xc, c->xh, c->xw, c->ph, beyond(c->xh, c->yh, c->kh, c->sh, c->ph, c->dil), c->pw,
               beyond(c->xw, c->yw, c->kw, c->sw, c->pw, c->dil), &h, &w);
    c->xh = (int)h, c->xw = (int)w;
    c->ph = c->pw = 0;
    c->mode = GS_CONV_ZEROS;
    return x;
}

static void image_digits(const gs_conv *c, int64_t h, int64_t w, digits *windows, digits *taps)
{
    *windows = (digits){ c->n, c->yh, c->yw, c->xc * h * w, c->sh * w, c->sw, 0 };
    *taps = (digits){ c->xc / c->groups, c->kh, c->kw, h * w, c->dil * w, c->dil, 0 };
}

static gs_status forward(gs_plan *p, const gs_conv *c, bool cpu, int param, gs_value *y, gs_value *x, gs_value *w)
{
    const int64_t cg = c->xc / c->groups, og = c->yc / c->groups, kk = (int64_t)c->kh * c->kw, yhw = (int64_t)c->yh * c->yw;
    product a = { .out = y, .s = w, .n = og, .groups = c->groups };
    int64_t h, v;

    a.x = padded(p, x, c->mode, (int64_t)c->n * c->xc, c->xh, c->xw, c->ph, beyond(c->xh, c->yh, c->kh, c->sh, c->ph, c->dil), c->pw,
                 beyond(c->xw, c->yw, c->kw, c->sw, c->pw, c->dil), &h, &v);
    image_digits(c, h, v, &a.r, &a.q);
    a.o = (digits){ c->n, c->yh, c->yw, c->yc * yhw, c->yw, 1, 0 };
    a.u = (digits){ cg, c->kh, c->kw, kk, c->kw, 1, 0 };
    a.tj = yhw;
    a.sj = cg * kk;
    a.xg = cg * h * v;
    a.og = og * yhw;
    a.sg = og * cg * kk;
    return multiply(p, &a, cpu, param);
}

static gs_status by_weights(gs_plan *p, const gs_conv *c, bool cpu, int param, gs_value *dw, gs_value *x, gs_value *dy)
{
    const int64_t cg = c->xc / c->groups, og = c->yc / c->groups, kk = (int64_t)c->kh * c->kw, yhw = (int64_t)c->yh * c->yw;
    product a = { .out = dw, .s = dy, .n = og, .groups = c->groups };
    int64_t h, v;

    a.x = padded(p, x, c->mode, (int64_t)c->n * c->xc, c->xh, c->xw, c->ph, beyond(c->xh, c->yh, c->kh, c->sh, c->ph, c->dil), c->pw,
                 beyond(c->xw, c->yw, c->kw, c->sw, c->pw, c->dil), &h, &v);
    image_digits(c, h, v, &a.q, &a.r);
    a.o = (digits){ cg, c->kh, c->kw, kk, c->kw, 1, 0 };
    a.u = (digits){ c->n, c->yh, c->yw, c->yc * yhw, c->yw, 1, 0 };
    a.tj = cg * kk;
    a.sj = yhw;
    a.xg = cg * h * v;
    a.og = og * cg * kk;
    a.sg = og * yhw;
    return multiply(p, &a, cpu, param);
}

/* Taps i of one axis that reach rows h = a (mod s): i = first + t step, t < count, and the row of y is
 * h / s + e - t down. */
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

static gs_status by_image(gs_plan *p, const gs_conv *c, bool cpu, int param, gs_value *dx, gs_value *dy, gs_value *w)
{
    const int64_t cg = c->xc / c->groups, og = c->yc / c->groups, kk = (int64_t)c->kh * c->kw, xhw = (int64_t)c->xh * c->xw;
    int top, bottom, left, right;
    int64_t h, v;
    gs_value *y;
    gs_status st = GS_OK;

    reach(c->xh, c->yh, c->kh, c->sh, c->ph, c->dil, &top, &bottom);
    reach(c->xw, c->yw, c->kw, c->sw, c->pw, c->dil, &left, &right);
    y = padded(p, dy, GS_CONV_ZEROS, (int64_t)c->n * c->yc, c->yh, c->yw, top, bottom, left, right, &h, &v);
    for (int i = 0; i < c->sh && i < c->xh; i++)
        for (int j = 0; j < c->sw && j < c->xw && st == GS_OK; j++) {
            const phase fi = phase_of(i, c->kh, c->sh, c->ph, c->dil), fj = phase_of(j, c->kw, c->sw, c->pw, c->dil);
            const bool none = fi.count == 0 || fj.count == 0; /* pixels that no window reaches: a sum of no terms */
            product a = { .out = dx, .x = y, .s = w, .part = c->sh * c->sw > 1, .n = cg, .groups = c->groups };

            a.r = (digits){ c->n, (c->xh - i - 1) / c->sh + 1, (c->xw - j - 1) / c->sw + 1, c->yc * h * v, v, 1,
                            none ? 0 : (top + fi.e) * v + left + fj.e };
            a.o = (digits){ c->n, a.r.d1, a.r.d2, c->xc * xhw, (int64_t)c->sh * c->xw, c->sw, (int64_t)i * c->xw + j };
            a.q = (digits){ og, fi.count, fj.count, h * v, -fi.down * v, -fj.down, 0 };
            a.u = (digits){ og, fi.count, fj.count, cg * kk, fi.step * c->kw, fj.step, none ? 0 : fi.first * c->kw + fj.first };
            a.tj = xhw;
            a.sj = kk;
            a.xg = og * h * v;
            a.og = cg * xhw;
            a.sg = og * cg * kk;
            st = multiply(p, &a, cpu, param);
        }
    return st;
}

/* Elements of the padded image operand, and of the other one's panels, of which the gradient by weights has the most: dy, one for each phase else. */
static int64_t room(const gs_conv *c, bool cpu)
{
    const bool dx = c->kind == GS_CONV_DX;
    const int64_t cg = c->xc / c->groups, og = c->yc / c->groups, columns = dx ? cg : og;
    const int64_t depth = dx ? og * c->kh * c->kw : c->kind == GS_CONV_Y ? cg * c->kh * c->kw : (int64_t)c->n * c->yh * c->yw;
    const int64_t panels = cpu ? c->groups * ((columns + NR - 1) / NR) * depth * NR : 0;
    int64_t planes = (int64_t)c->n * c->xc, high = c->xh, wide = c->xw;
    int top = c->ph, left = c->pw, bottom, right;

    if (dx) {
        planes = (int64_t)c->n * c->yc, high = c->yh, wide = c->yw;
        reach(c->xh, c->yh, c->kh, c->sh, c->ph, c->dil, &top, &bottom);
        reach(c->xw, c->yw, c->kw, c->sw, c->pw, c->dil, &left, &right);
    } else {
        bottom = beyond(c->xh, c->yh, c->kh, c->sh, c->ph, c->dil);
        right = beyond(c->xw, c->yw, c->kw, c->sw, c->pw, c->dil);
    }
    return GS_MAX(panels, planes * (high + top + bottom) * (wide + left + right));
}

/* Blocks are 32 columns wide or more: with a few channels a group the plain form is no slower. */
bool gs__conv_gemm_can(const gs_conv *c, bool cpu)
{
    return ((cpu && c->groups == 1) || (c->kind == GS_CONV_DX ? c->xc : c->yc) / c->groups >= 8) && room(c, cpu) <= GS_MOST_ELEMENTS;
}

gs_status gs__conv_gemm(gs_plan *p, const gs_conv *c, bool cpu, int param, gs_value *out, gs_value *a, gs_value *b)
{
    switch (c->kind) {
    case GS_CONV_Y: return forward(p, c, cpu, param, out, a, b);
    case GS_CONV_DX: return by_image(p, c, cpu, param, out, a, b);
    default: return by_weights(p, c, cpu, param, out, a, b);
    }
}
