/* Matrix products: the variants that compute one, and their launches. C (M,N) = alpha op(A) op(B) + beta C. */
#include <assert.h>

#include "plan/plan_int.h"

static void args_of(gs_launch *l, const gs_gemm *g, gs_value *c, gs_value *a, gs_value *b)
{
    /* A padded row length or problem stride, or a part of a larger value, leaves elements of C that no provider writes. */
    const bool whole = g->beta == 0.0f && g->ldc == g->n && (g->batch == 1 || g->stride_c == g->m * g->n) &&
                       c->count == g->m * g->n * g->batch;

    if (whole) gs_launch_out(l, c);
    else gs_launch_inout(l, c);
    l->args[0].extra = g->c_first;
    gs_launch_in(l, a);
    gs_launch_in(l, b);
}

static void sizes_of(gs_launch *l, const gs_gemm *g)
{
    gs_launch_int(l, g->m);
    gs_launch_int(l, g->n);
    gs_launch_int(l, g->k);
    gs_launch_int(l, g->lda);
    gs_launch_int(l, g->ldb);
    gs_launch_int(l, g->ldc);
    gs_launch_int(l, g->batch > 1 ? g->stride_a : 0);
    gs_launch_int(l, g->batch > 1 ? g->stride_b : 0);
    gs_launch_int(l, g->batch > 1 ? g->stride_c : 0);
}

static void cost_of(gs_launch *l, const gs_gemm *g)
{
    const double m = (double)g->m, n = (double)g->n, k = (double)g->k;

    gs_launch_cost(l, 2.0 * m * n * k * (double)g->batch,
                   4.0 * (double)g->batch * (m * k + k * n + m * n * (g->beta != 0.0f ? 2.0 : 1.0)));
}

/* ---- cl/gemm_thin_cpu.cl: one side of C is at most four long ---- */

typedef struct thin { /* w: the slim operand; distances in elements between lines and between terms */
    bool w_is_a;
    int64_t nf, lines, fs, fk, ls, lk, cf, cl;
} thin;

static bool thin_of(const gs_gemm *g, thin *t)
{
    t->w_is_a = g->m < g->n;
    t->nf = GS_MIN(g->m, g->n), t->lines = GS_MAX(g->m, g->n);
    if (t->w_is_a) {
        t->fs = g->ta ? 1 : g->lda, t->fk = g->ta ? g->lda : 1;
        t->ls = g->tb ? g->ldb : 1, t->lk = g->tb ? 1 : g->ldb;
        t->cf = g->ldc, t->cl = 1;
    } else {
        t->fs = g->tb ? g->ldb : 1, t->fk = g->tb ? 1 : g->ldb;
        t->ls = g->ta ? 1 : g->lda, t->lk = g->ta ? g->lda : 1;
        t->cf = 1, t->cl = g->ldc;
    }
    return t->nf <= 4 && ((t->lk == 1 && t->fk == 1) || (t->ls == 1 && t->lines >= 64));
}

static bool thin_can(const gs_device *d, const gs_problem *q)
{
    thin t;

    return gs__cpu_forms(&d->info) && thin_of(&q->gemm, &t);
}

static gs_status thin_emit(gs_plan *p, const gs_problem *q, const gs_variant *v, gs_value *c, gs_value *a, gs_value *b)
{
    const gs_gemm *g = &q->gemm;
    thin t;
    const bool dot = thin_of(g, &t) && t.lk == 1 && t.fk == 1;
    const int64_t want = (dot ? 16 : 4) * GS_MAX(1, gs_plan_device(p)->compute_units);
    const int64_t cuts = GS_MIN(t.lines, (want + g->batch - 1) / g->batch), even = (t.lines + cuts - 1) / cuts;
    const int64_t chunk = dot ? (even + 3) / 4 * 4 : GS_MIN(1024, (even + 63) / 64 * 64); /* whole turns of the kernel's loops, and what it has room for */
    gs_launch *l = gs_launch_new(p, "gemm_thin_cpu.cl", dot ? "gemm_thin_dot" : "gemm_thin_axpy", "-DNF=%d", (int)t.nf);

    (void)v;
    args_of(l, g, c, t.w_is_a ? a : b, t.w_is_a ? b : a);
    gs_launch_int(l, t.lines);
    gs_launch_int(l, g->k);
    gs_launch_int(l, t.fs);
    gs_launch_int(l, t.fk);
    gs_launch_int(l, dot ? t.ls : t.lk);
    gs_launch_int(l, t.cf);
    gs_launch_int(l, t.cl);
    gs_launch_int(l, g->batch > 1 ? t.w_is_a ? g->stride_a : g->stride_b : 0);
    gs_launch_int(l, g->batch > 1 ? t.w_is_a ? g->stride_b : g->stride_a : 0);
    gs_launch_int(l, g->batch > 1 ? g->stride_c : 0);
    gs_launch_int(l, chunk);
    gs_launch_float(l, g->alpha);
    gs_launch_float(l, g->beta);
    gs_launch_grid(l, (size_t)((t.lines + chunk - 1) / chunk), (size_t)g->batch, 1, 1, 1, 1);
    cost_of(l, g);
    return GS_OK;
}

/* ---- cl/gemm_cpu.cl ---- */

enum { KC = 128, NR = 32, MR = 12 }; /* terms of a block, its columns and rows, as there */
enum { MOST_ROWS = 384 };             /* that an item lays side by side: 192 KiB, a part of a second-level cache */

static bool cpu_ends(gs_plan *p, const gs_problem *q, const gs_variant *v)
{
    (void)p, (void)q, (void)v;
    return true;
}

/* Rows that fit into local memory beside the panel, in whole tiles. */
static int64_t cpu_rows(const gs_device *d)
{
    const int64_t room = (int64_t)(d->info.local_memory / 4) - KC * NR;

    return GS_MIN(room / KC, MOST_ROWS) / MR * MR;
}

static bool cpu_can(const gs_device *d, const gs_problem *q)
{
    (void)q;
    return gs__cpu_forms(&d->info) && cpu_rows(d) >= MR;
}

/* Are the rows of A so close to each other that those of a tile find room in the first-level cache where they lie? Then nothing is laid side by side. The
 * last tile begins earlier, so there must be a whole one. */
static bool cpu_in_place(const gs_gemm *s) { return !s->ta && s->lda <= 256 && s->m >= MR; }

/* Columns that are computed: the last ones in vectors of 8. */
static int64_t cpu_columns(int64_t n)
{
    const int64_t rest = n % NR;

    return n - rest + (rest > 24 ? NR : (rest + 7) / 8 * 8);
}

/* How C is cut: groups of `across` strips of 32 columns by `chunk` rows, `want` of them or more where there are as many blocks. The least time by
 * a count of cycles, which is returned: multiply-adds, packing B once a strip, laying A once a group, and a group's start, in which nothing was asked for
 * ahead. */
static double cpu_cut(const gs_gemm *s, int64_t rows, int cores, int64_t want, int64_t *across, int64_t *chunk)
{
    enum { MOST_ACROSS = 16, ROW = 256, PACK_NN = 800, PACK_NT = 2000, LAY = 20, START = 4000 };
    const int64_t strips = (s->n + NR - 1) / NR, tiles = (s->m + MR - 1) / MR;
    const double row = ROW * (double)cpu_columns(s->n) / (double)(strips * NR), pack = s->tb ? PACK_NT : PACK_NN, lay = cpu_in_place(s) ? 0 : LAY;
    double best = 0.0;

    *across = 1, *chunk = MR; /* the most groups */
    for (int64_t down = (tiles * MR + rows - 1) / rows; down <= tiles; down++) {
        const int64_t high = (tiles + down - 1) / down * MR;

        for (int64_t wide = GS_MIN(strips, MOST_ACROSS); wide >= 1; wide--) {
            const int64_t groups = (strips + wide - 1) / wide * ((s->m + high - 1) / high) * s->batch, turns = (groups + cores - 1) / cores;
            const double group = (double)wide * (row * (double)GS_MIN(high, s->m) + pack) + lay * (double)high + START;
            const double time = (double)turns * group;

            if (high > rows || groups < want || (best > 0.0 && time >= best)) continue;
            best = time, *across = wide, *chunk = high;
        }
        if (best > 0.0 && down >= (tiles * MR + rows - 1) / rows + 3) break; /* cutting further only packs B more often */
    }
    return best > 0.0 ? best : (double)strips * (double)tiles * (double)s->batch / cores * (MR * row + pack + MR * lay + START);
}

/* param: least number of groups a core. */
static gs_status cpu_emit(gs_plan *p, const gs_problem *q, const gs_variant *v, gs_value *c, gs_value *a, gs_value *b)
{
    const gs_gemm *g = &q->gemm;
    /* The vectors run along N. A slim product with long M is computed as C^T = op(B)^T op(A)^T, stored transposed. */
    const bool swap = g->n < 32 && g->m > g->n;
    gs_gemm s = *g;
    const int64_t rows = cpu_rows(p->d);
    const int cores = GS_MAX(1, gs_plan_device(p)->compute_units);
    int64_t across, chunk;
    gs_launch *l;

    if (swap) {
        s.m = g->n, s.n = g->m;
        s.ta = !g->tb, s.tb = !g->ta;
        s.lda = g->ldb, s.ldb = g->lda;
        s.stride_a = g->stride_b, s.stride_b = g->stride_a;
    }
    l = gs_launch_new(p, "gemm_cpu.cl", "gemm_cpu", "-DTA=%d -DTB=%d -DTC=%d -DROWS=%d -DLAY=%d", s.ta, s.tb, swap, (int)rows,
                      !cpu_in_place(&s));
    args_of(l, g, c, swap ? b : a, swap ? a : b);
    sizes_of(l, &s);

    cpu_cut(&s, rows, cores, (int64_t)v->param * cores, &across, &chunk);
    gs_launch_int(l, across);
    gs_launch_int(l, chunk);
    gs_launch_float(l, s.alpha);
    gs_launch_float(l, s.beta);
    gs_launch_grid(l, (size_t)((s.n + across * NR - 1) / (across * NR)), (size_t)((s.m + chunk - 1) / chunk), (size_t)s.batch, 1, 1, 1);
    cost_of(l, g);
    if (q->end) {
        l->args[0].elementwise = g->k <= KC; /* c is where sums rest between blocks of terms */
        gs_launch_end(l, q->end, false);
    }
    return GS_OK;
}

/* ---- cl/gemm_few_cpu.cl: B's lines lie along k ---- */

enum { FEW_STEP = 12, FEW_LINES = 384, FEW_LEAST = 48 }; /* lines of a group: whole tiles, the most, what the kernel has room for at least */
enum { FEW_ROWS = 64 };                                  /* the most of a block, in lanes of vectors */

/* Blocks of rows, and vectors that hold one. */
static int64_t few_blocks(const gs_gemm *g) { return (g->m + FEW_ROWS - 1) / FEW_ROWS; }
static int64_t few_vectors(const gs_gemm *g) { return ((g->m + few_blocks(g) - 1) / few_blocks(g) + 15) / 16; }

/* Lines for which there is room beside the panel. */
static int64_t few_lines(const gs_device *d, int64_t mv)
{
    const int64_t room = (int64_t)(d->info.local_memory / 4) - KC * 16 * mv;

    return GS_MIN(FEW_LINES, room / (16 * mv)) / FEW_LEAST * FEW_LEAST;
}

static bool few_can(const gs_device *d, const gs_problem *q)
{
    return gs__cpu_forms(&d->info) && q->gemm.tb && q->gemm.n >= FEW_STEP && few_lines(d, few_vectors(&q->gemm)) > 0;
}

/* How many lines a group takes: the least time, by the count of cycles of cpu_cut, which is returned. Packing op(A) takes as long as 8 lines; results
 * are turned round once for all terms. */
static double few_cut(const gs_gemm *g, int64_t most, int cores, int64_t *chunk)
{
    enum { START = 2000, TURN = 12 };
    const double line = KC + TURN * (double)KC / (double)g->k;
    const int64_t mv = few_vectors(g), blocks = (g->m + 16 * mv - 1) / (16 * mv);
    double best = 0.0;

    *chunk = FEW_STEP;
    for (int64_t c = FEW_STEP; c <= most; c += FEW_STEP) {
        const int64_t groups = (g->n + c - 1) / c * blocks * g->batch, turns = (groups + cores - 1) / cores;
        const double time = (double)turns * ((double)GS_MIN(c, g->n) * line * (double)mv + 8.0 * (double)(KC * mv) + START);

        if ((groups < 2 * cores && c > FEW_STEP) || (best > 0.0 && time > best)) continue;
        best = time, *chunk = c;
    }
    return best;
}

/* Where it is the faster: vectors that are mostly full. Its multiply-adds were measured to take a twentieth less, for sums rest in local memory. */
static bool few_pays(const gs_device *d, const gs_problem *q, const gs_variant *v)
{
    const double rate = 0.95;
    const int cores = GS_MAX(1, d->info.compute_units);
    int64_t across, chunk;

    (void)v;
    return cpu_rows(d) < MR || rate * few_cut(&q->gemm, few_lines(d, few_vectors(&q->gemm)), cores, &chunk) <
                                   cpu_cut(&q->gemm, cpu_rows(d), cores, 2 * (int64_t)cores, &across, &chunk);
}

static gs_status few_emit(gs_plan *p, const gs_problem *q, const gs_variant *v, gs_value *c, gs_value *a, gs_value *b)
{
    const gs_gemm *g = &q->gemm;
    const int64_t mv = few_vectors(g), most = few_lines(p->d, mv);
    gs_launch *l = gs_launch_new(p, "gemm_few_cpu.cl", "gemm_few_cpu", "-DTA=%d -DMV=%d -DLINES=%d", g->ta, (int)mv, (int)most);
    int64_t chunk;

    (void)v;
    args_of(l, g, c, a, b);
    sizes_of(l, g);
    few_cut(g, most, GS_MAX(1, gs_plan_device(p)->compute_units), &chunk);
    gs_launch_int(l, 16 * mv);
    gs_launch_int(l, chunk);
    gs_launch_float(l, g->alpha);
    gs_launch_float(l, g->beta);
    gs_launch_grid(l, (size_t)((g->n + chunk - 1) / chunk), (size_t)((g->m + 16 * mv - 1) / (16 * mv)), (size_t)g->batch, 1, 1, 1);
    cost_of(l, g);
    if (q->end) {
        l->args[0].elementwise = true; /* the kernel leaves c alone */
        gs_launch_end(l, q->end, false);
    }
    return GS_OK;
}

/* ---- the driver's own library ---- */

/* A library's loops cannot be split from outside. CLBlast's make less than one turn a term. */
static bool driver_can(const gs_device *d, const gs_problem *q)
{
    const gs_driver *drv = d->drv;

    /* The library starts when it is first asked for. It may want copies in whole tiles: many times a slim matrix. */
    return drv->gemm && (!drv->gemm_ready || drv->gemm_ready((gs_device *)d)) &&
           (q->gemm.k < GS_FEW_TURNS || gs_device_loop_turns((gs_device *)d) >= q->gemm.k) &&
           (!drv->gemm_temp || drv->gemm_temp((gs_device *)d, &q->gemm) <= d->info.max_alloc);
}

static gs_status driver_emit(gs_plan *p, const gs_problem *q, const gs_variant *v, gs_value *c, gs_value *a, gs_value *b)
{
    const gs_gemm *g = &q->gemm;
    const gs_driver *drv = p->d->drv;
    const size_t temp = drv->gemm_temp ? drv->gemm_temp(p->d, g) : 0;
    gs_launch *l = gs_launch_new(p, NULL, "gemm", "%s", "");

    (void)v;
    l->is_gemm = true;
    l->gemm = *g;
    args_of(l, g, c, a, b);
    if (temp) gs_launch_out(l, gs_plan_scratch(p, (int64_t)((temp + 3) / 4), "gemm scratch"));
    cost_of(l, g);
    return GS_OK;
}

/* ---- cl/gemm_tile.cl ---- */

static bool tile16_can(const gs_device *d, const gs_problem *q)
{
    (void)q;
    return d->info.max_group >= 256;
}

static bool tile8_can(const gs_device *d, const gs_problem *q)
{
    (void)d, (void)q;
    return true;
}

/* Turns of the loops of both kernels as they are written; a step is DEPTH terms. llvmpipe unrolls some. */
gs_status gs__tile_part(gs_plan *p, int64_t depth, int side, int64_t *part)
{
    enum { STEP = 16, BLOCK = 8, ITEM = 16, HALF = 4 }; /* DEPTH, BLOCK, elements of C an item, of A or B an item and term */
    const int64_t step = 1 + (4 * STEP / side + 1) + 1 + STEP * (1 + (HALF + 1) + (ITEM + 1)), end = ITEM + 1;

    return gs_plan_part(p, depth, STEP * BLOCK, BLOCK * step + end, 3 * (ITEM + 1), part);
}

/* Where the whole sum is one launch's. */
static bool tile_ends(gs_plan *p, const gs_problem *q, const gs_variant *v)
{
    int64_t part;

    return gs__tile_part(p, q->gemm.k, v->param, &part) == GS_OK && part >= q->gemm.k;
}

/* param: side of the work-group. */
static gs_status tile_emit(gs_plan *p, const gs_problem *q, const gs_variant *v, gs_value *c, gs_value *a, gs_value *b)
{
    const gs_gemm *g = &q->gemm;
    const int side = v->param;
    const int64_t tile = 4 * side;
    gs_gemm s = *g;
    int64_t part;
    const gs_status st = gs__tile_part(p, g->k, side, &part);

    for (int64_t first = 0; first < g->k && st == GS_OK; first += part) {
        gs_launch *l = gs_launch_new(p, "gemm_tile.cl", "gemm_tile", "-DTA=%d -DTB=%d -DSIDE=%d", g->ta, g->tb, side);

        s.k = GS_MIN(part, g->k - first);
        s.beta = first ? 1.0f : g->beta;
        args_of(l, &s, c, a, b);
        l->args[1].extra = first * (g->ta ? g->lda : 1);
        l->args[2].extra = first * (g->tb ? 1 : g->ldb);
        sizes_of(l, &s);
        gs_launch_float(l, s.alpha);
        gs_launch_float(l, s.beta);
        gs_launch_grid(l, (size_t)((g->n + tile - 1) / tile), (size_t)((g->m + tile - 1) / tile), (size_t)g->batch,
                       (size_t)side, (size_t)side, 1);
        cost_of(l, &s);
        if (q->end) {
            assert(part >= g->k && g->beta == 0.0f);
            l->args[0].elementwise = true; /* the kernel leaves c alone */
            gs_launch_end(l, q->end, false);
        }
    }
    return st;
}

const gs_variant gs__gemm_variants[] = {
    { "thin", 0, false, thin_can, thin_emit },
    { "few", 0, false, few_can, few_emit, .pays = few_pays, .ends = cpu_ends },
    { "cpu:2", 2, false, cpu_can, cpu_emit, .ends = cpu_ends },
    { "cpu:1", 1, true, cpu_can, cpu_emit, .ends = cpu_ends },
    { "cpu:4", 4, true, cpu_can, cpu_emit, .ends = cpu_ends },
    { "cpu:8", 8, true, cpu_can, cpu_emit, .ends = cpu_ends },
    { "driver", 0, false, driver_can, driver_emit },
    { "tile:16", 16, false, tile16_can, tile_emit, .ends = tile_ends },
    { "tile:8", 8, false, tile8_can, tile_emit, .ends = tile_ends },
    { NULL },
};

gs_status gs_plan_gemm(gs_plan *p, const gs_gemm *g, gs_value *c, gs_value *a, gs_value *b)
{
    const gs_problem q = { .family = GS_FAMILY_GEMM, .gemm = *g };

    assert(g->m > 0 && g->n > 0 && g->k > 0 && g->batch > 0);
    return gs__plan_problem(p, &q, c, a, b);
}
