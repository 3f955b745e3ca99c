/* The gradient by weights where many pixels make few weights, on CPUs: cl/conv_sums_cpu.cl. Each group sums some of the pixels to all weights, and a second
 * launch adds the groups'. */
#include "plan/lower_int.h"

enum { KC = 128, MR = 12, NR = 32, STAGE = 4096, ROWS = 4096 }; /* as in cl/conv_sums_cpu.cl */
enum { LANES = 16, SUMS = 1 << 19, WIDE = 32, A_CORE = 4, LEAST = 8 }; /* sums that stay near; narrowest rows; groups a core; blocks a group */

typedef struct cut { /* blocks of `per` rows of y, or of at most `most` columns of one, of which a row has `pieces` */
    int64_t per, pieces, most, blocks, chunk, groups;
} cut;

static void ints(gs_launch *l, const int64_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) gs_launch_int(l, v[i]);
}

static cut cut_of(const gs_conv *c, int cores)
{
    cut u = { .per = GS_MAX(1, KC / c->yw), .pieces = (c->yw + KC - 1) / KC };

    u.most = (c->yw + u.pieces - 1) / u.pieces;
    u.blocks = ((int64_t)c->n * c->yh + u.per - 1) / u.per * u.pieces;
    u.chunk = GS_MAX((u.blocks + A_CORE * cores - 1) / (A_CORE * cores), GS_MIN(LEAST, (u.blocks + cores - 1) / cores));
    u.groups = (u.blocks + u.chunk - 1) / u.chunk;
    return u;
}

bool gs__conv_sums_can(const gs_device *d, const gs_problem *q)
{
    const gs_conv *c = &q->conv;
    const int64_t m = (int64_t)c->xc * c->kh * c->kw;
    const cut u = cut_of(c, 1);

    return gs__cpu_forms(&d->info) && d->info.local_memory >= 48 << 10 && c->kind == GS_CONV_DW && c->groups == 1 && c->dil == 1 && c->sw <= LANES &&
           u.most >= LANES && c->yw - (u.pieces - 1) * u.most >= LANES && m <= ROWS && u.per * c->kh * ((u.most - 1) * c->sw + c->kw) <= STAGE;
}

/* Where sums stay near while some blocks are added. The blocks of conv_cpu.cl are as fast for windows of four columns, whose rows come in runs of four. */
bool gs__conv_sums_pays(const gs_device *d, const gs_problem *q, const gs_variant *v)
{
    const gs_conv *c = &q->conv;
    const int cores = GS_MAX(1, d->info.compute_units);

    (void)v;
    return (int64_t)c->xc * c->kh * c->kw * c->yc <= SUMS && c->kw % 4 && c->yw >= WIDE && cut_of(c, cores).blocks >= (int64_t)cores * A_CORE;
}

gs_status gs__conv_sums(gs_plan *p, const gs_problem *q, const gs_variant *v, gs_value *dw, gs_value *x, gs_value *dy)
{
    enum { JOIN = 8 }; /* groups a core of the second launch */
    const gs_conv *c = &q->conv;
    const int cores = GS_MAX(1, gs_plan_device(p)->compute_units);
    const cut u = cut_of(c, cores);
    const int64_t m = (int64_t)c->xc * c->kh * c->kw, tiles = (m + MR - 1) / MR, strips = (c->yc + NR - 1) / NR;
    const int64_t segment = (u.most + (c->kw - 1) / c->sw + LANES - 1) / LANES * LANES;
    const int64_t laid = (int64_t)c->xc * c->kh * c->sw * u.per * segment, held = laid + strips * KC * NR;
    const int64_t wide = (c->yc + LANES - 1) / LANES, chunk = GS_MAX(LANES, m * wide / (JOIN * cores) / LANES * LANES);
    gs_value *part = gs_plan_scratch(p, u.groups * strips * tiles * MR * NR, "sums"), *room = gs_plan_scratch(p, u.groups * held, "lines and panels");
    gs_launch *l = gs_launch_new(p, "conv_sums_cpu.cl", "conv_sums", "-DPAD=%d", (int)c->mode);

    (void)v;
    gs_launch_out(l, part);
    gs_launch_out(l, room);
    gs_launch_in(l, x);
    gs_launch_in(l, dy);
    ints(l, (const int64_t[]){ u.blocks, u.per, u.pieces, u.most, m, c->yc, c->xc, c->xh, c->xw, c->yh, c->yw, c->kh, c->kw, c->sh, c->sw, c->ph,
                               c->pw, segment, (int64_t)c->n * c->yh, laid, held }, 21);
    gs_launch_grid(l, (size_t)u.groups, 1, 1, 1, 1, 1);
    gs_launch_cost(l, gs_problem_flops(q), 4.0 * ((double)x->count + (double)dy->count + (double)(u.groups * m * c->yc)));

    l = gs_launch_new(p, "conv_sums_cpu.cl", "sums_join", "-DPAD=%d", (int)c->mode);
    gs_launch_out(l, dw);
    gs_launch_in(l, part);
    ints(l, (const int64_t[]){ u.groups, chunk, m, c->yc, tiles }, 5);
    gs_launch_grid(l, (size_t)wide, (size_t)((m + chunk - 1) / chunk), 1, 1, 1, 1);
    gs_launch_cost(l, 0.0, 4.0 * (double)(m * c->yc) * (double)(u.groups + 1));
    return GS_OK;
}
