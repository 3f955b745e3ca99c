/* What the lowering files share. */
#ifndef GS_PLAN_LOWER_INT_H
#define GS_PLAN_LOWER_INT_H

#include "plan/plan.h"

#define GS_ITEMS 64 /* items a group where an item makes one element: few distinct sizes, since PoCL compiles for each */

/* One item for each of `items`, in groups of GS_ITEMS. */
static inline void gs__grid_items(gs_launch *l, int64_t items)
{
    gs_launch_grid(l, (size_t)((items + GS_ITEMS - 1) / GS_ITEMS), 1, 1, GS_ITEMS, 1, 1);
}

/* -DT=... of kernels that move or compare elements of either type. */
static inline const char *gs__type(gs_dtype t) { return t == GS_I32 ? "-DT=int" : "-DT=float"; }

/* Product of the dimensions from..to-1. */
static inline int64_t gs__dims(gs_shape s, int from, int to)
{
    int64_t n = 1;

    for (int i = from; i < to; i++) n *= s.dim[i];
    return n;
}

/* ---- convolutions (lower_conv.c) ---- */

typedef enum gs_conv_kind { GS_CONV_Y, GS_CONV_DX, GS_CONV_DW } gs_conv_kind;

/* x (n,xc,xh,xw), y (n,yc,yh,yw), w (yc,xc/groups,kh,kw). */
typedef struct gs_conv {
    gs_conv_kind kind;
    int n, xc, xh, xw, yc, yh, yw, kh, kw, sh, sw, ph, pw, dil, groups;
} gs_conv;

/* As a product, in blocks for CPUs or in tiles (lower_conv_gemm.c); false when that does not suit the shape, and nothing was launched. */
bool gs__conv_gemm(gs_plan *p, const gs_conv *c, bool cpu, gs_value *out, gs_value *a, gs_value *b);

#endif
