/* What the lowering files share. */
#ifndef GS_PLAN_LOWER_INT_H
#define GS_PLAN_LOWER_INT_H

#include "plan/plan.h"
#include "plan/variants.h"

#define GS_ITEMS 64 /* items a group where an item makes one element: few distinct sizes, since PoCL compiles for each */

/* One item for each of `items`, in groups of GS_ITEMS. */
static inline void gs__grid_items(gs_launch *l, int64_t items)
{
    gs_launch_grid(l, (size_t)((items + GS_ITEMS - 1) / GS_ITEMS), 1, 1, GS_ITEMS, 1, 1);
}

/* -DT=... of kernels that move or compare elements of either type. */
static inline const char *gs__type(gs_dtype t) { return t == GS_I32 ? "-DT=int" : "-DT=float"; }

/* The result of a launch for the terms from `first` on: later parts of a sum add to it (gs_plan_part). */
static inline void gs__launch_sum(gs_launch *l, gs_value *v, int64_t first)
{
    if (first) gs_launch_inout(l, v);
    else gs_launch_out(l, v);
}
static inline double gs__share(int64_t first, int64_t part, int64_t n) { return (double)GS_MIN(part, n - first) / (double)n; }

/* Product of the dimensions from..to-1. */
static inline int64_t gs__dims(gs_shape s, int from, int to)
{
    int64_t n = 1;

    for (int i = from; i < to; i++) n *= s.dim[i];
    return n;
}

/* In how many equal blocks of about least .. most n is cut, so that the fewest beyond n are computed; few rather than many. */
static inline int gs__even_blocks(int n, int least, int most)
{
    int best = (n + most - 1) / most;

    for (int b = best + 1; b <= (n + least - 1) / least; b++)
        if ((n + b - 1) / b * b < (n + best - 1) / best * best) best = b;
    return best;
}

/* ---- convolutions ---- */

/* As a product, in blocks for CPUs or in tiles (lower_conv_gemm.c). */
bool gs__conv_gemm_can(const gs_conv *c, bool cpu);
/* cpu: param is the most strips of 32 columns an item works on, 1 to 4; else the side of the work-group, 8 or 16. */
gs_status gs__conv_gemm(gs_plan *p, const gs_conv *c, bool cpu, int param, gs_value *out, gs_value *a, gs_value *b);

/* x with what lies around it, and the sizes to go with it (conv.mode becomes GS_CONV_ZEROS, without padding). */
gs_value *gs__conv_padded(gs_plan *p, gs_conv *c, gs_value *x);

/* The others (lower_conv_few.c, lower_conv_sums.c, lower_conv_rows.c, lower_conv_winograd.c), as rows of the table in lower_conv.c want them. */
typedef bool gs_variant_can(const gs_device *d, const gs_problem *q);
typedef gs_status gs_variant_emit(gs_plan *p, const gs_problem *q, const gs_variant *v, gs_value *out, gs_value *a, gs_value *b);
gs_variant_can gs__conv_whole_can, gs__conv_few_can, gs__conv_winograd_can, gs__conv_winograd_small_can, gs__conv_winograd_wide_can,
    gs__conv_fused_can, gs__conv_fused_wide_can, gs__conv_pixel_can, gs__conv_sums_can, gs__conv_rows_can;
bool gs__conv_winograd_pays(const gs_device *d, const gs_problem *q, const gs_variant *v);
bool gs__conv_pixel_pays(const gs_device *d, const gs_problem *q, const gs_variant *v);
bool gs__conv_fused_pays(const gs_device *d, const gs_problem *q, const gs_variant *v);
bool gs__conv_sums_pays(const gs_device *d, const gs_problem *q, const gs_variant *v);
bool gs__conv_rows_pays(const gs_device *d, const gs_problem *q, const gs_variant *v);
gs_variant_emit gs__conv_whole, gs__conv_pixel, gs__conv_few, gs__conv_winograd, gs__conv_fused, gs__conv_sums, gs__conv_rows;

/* Weights (groups, o, terms) in blocks of no results: (groups, blocks, terms, no), anything past the last. */
gs_value *gs__conv_few_weights(gs_plan *p, gs_value *w, int64_t groups, int64_t o, int64_t terms, int64_t blocks, int64_t no);

#endif
