/* Convolution by rows of pixels, on CPUs: cl/conv_rows_cpu.cl. */
#include "plan/lower_int.h"

enum { KC = 128, STAGE = 8192, STEP = 32, NR = 32 }; /* as in cl/conv_rows_cpu.cl; channels of a strip of conv_cpu.cl */
enum { LANES = 16, LEAST = 8, MOST = 12, A_CORE = 4, MOST_DEEP = 8, NEAR = 1 << 15 }; /* results of a block; groups a core; rows; sums that stay near */

bool gs__conv_rows_can(const gs_device *d, const gs_problem *q)
{
    const gs_conv *c = &q->conv;

    return gs__cpu_forms(&d->info) && d->info.local_memory >= 48 << 10 && c->kind == GS_CONV_Y && c->groups == 1 && c->dil == 1 && c->sw <= LANES &&
           c->yw >= STEP && c->yc >= LEAST && c->kh * c->kw <= KC && (c->yw - 1) * c->sw + c->kw <= STAGE;
}

/* Where of what is computed less is for nothing, in the last step and the last block of results, than in the strips of conv_cpu.cl, whose blocks were
 * measured to be a little slower, and more so where pixels do not come in runs of four. */
bool gs__conv_rows_pays(const gs_device *d, const gs_problem *q, const gs_variant *v)
{
    const gs_conv *c = &q->conv;
    const int blocks = gs__even_blocks(c->yc, LEAST, MOST), results = (c->yc + blocks - 1) / blocks * blocks;
    const double rows = (double)c->yw / ((c->yw + STEP - 1) / STEP * STEP) * c->yc / results, strips = (double)c->yc / ((c->yc + NR - 1) / NR * NR);

    (void)d, (void)v;
    return (int64_t)c->yc * c->yw <= 2 * NEAR && rows * (c->yw % 4 ? 1.15 : 1.02) >= strips;
}

gs_status gs__conv_rows(gs_plan *p, const gs_problem *q, const gs_variant *v, gs_value *y, gs_value *x, gs_value *w)
{
    const gs_conv *c = &q->conv;
    const int blocks = gs__even_blocks(c->yc, LEAST, MOST), no = (c->yc + blocks - 1) / blocks, taps = c->kh * c->kw, near = GS_MIN(c->xc, KC / taps);
    const int64_t rows = (int64_t)c->n * c->yh, want = A_CORE * GS_MAX(1, gs_plan_device(p)->compute_units), chunk = (rows + want - 1) / want;
    const int64_t most = GS_MAX(1, GS_MIN(GS_MIN(chunk, MOST_DEEP), NEAR / ((int64_t)c->yc * c->yw))), passes = (chunk + most - 1) / most;
    const int64_t deep = (chunk + passes - 1) / passes, reach = (deep - 1) * c->sh + c->kh;
    const int64_t groups = (rows + chunk - 1) / chunk, segment = (c->yw + (c->kw - 1) / c->sw + LANES - 1) / LANES * LANES;
    const int64_t held = near * reach * c->sw * segment + (c->xc > near ? deep * ((c->yw + STEP - 1) / STEP * STEP * (int64_t)blocks * no) : 0);
    gs_value *wt = gs__conv_few_weights(p, w, 1, c->yc, c->xc * taps, blocks, no), *room = gs_plan_scratch(p, groups * held, "lines and sums");
    gs_launch *l = gs_launch_new(p, "conv_rows_cpu.cl", "conv_rows", "-DPAD=%d -DNO=%d", (int)c->mode, no);
    const int64_t sizes[] = { rows, deep, near, c->yc, c->xc, c->xh, c->xw, c->yh, c->yw, c->kh, c->kw, c->sh, c->sw, c->ph, c->pw, segment, held };

    (void)v;
    gs_launch_out(l, y);
    gs_launch_out(l, room);
    gs_launch_in(l, x);
    gs_launch_in(l, wt);
    for (size_t i = 0; i < GS_COUNT(sizes); i++) gs_launch_int(l, sizes[i]);
    gs_launch_grid(l, (size_t)groups, 1, 1, 1, 1, 1);
    gs_launch_cost(l, gs_problem_flops(q), 4.0 * ((double)x->count + (double)y->count + (double)wt->count));
    return GS_OK;
}
