/* Variants: the ways in which one product or convolution can be computed, as tables with a row each.
 *
 * A table is read from the top: the first variant that can do the problem on the device, and pays, is its *preset*. What the device's store
 * (device/tuning.h) knows comes before that: a variant that `gesso check` found wrong is passed over, and a variant that `gesso tune`
 * chose for the problem's class is taken. $GESSO_GEMM and $GESSO_CONV, and gs_compile_opts.use, name a variant that goes before
 * all of it wherever it can. Every plan keeps a list of the problems it met, from which tuning knows its shapes. */
#ifndef GS_PLAN_VARIANTS_H
#define GS_PLAN_VARIANTS_H

#include "device/device.h"
#include "device/tuning.h"
#include "plan/plan.h"

typedef enum gs_conv_kind { GS_CONV_Y, GS_CONV_DX, GS_CONV_DW } gs_conv_kind;

/* What lies around x, ph rows above it and pw columns to its left. Other than zeros for y and dw alone: the gradient by a picture goes
 * through the padding's adjoint. */
typedef enum gs_conv_mode { GS_CONV_ZEROS, GS_CONV_REFLECT, GS_CONV_REPLICATE } gs_conv_mode;

/* x (n,xc,xh,xw), y (n,yc,yh,yw), w (yc,xc/groups,kh,kw). */
typedef struct gs_conv {
    gs_conv_kind kind;
    int n, xc, xh, xw, yc, yh, yw, kh, kw, sh, sw, ph, pw, dil, groups;
    gs_conv_mode mode;
    int no_winograd; /* gs_compile_opts.no_winograd */
} gs_conv;

/* Families in the order of gs_conv_kind behind the products. */
typedef enum gs_family { GS_FAMILY_GEMM, GS_FAMILY_CONV_Y, GS_FAMILY_CONV_DX, GS_FAMILY_CONV_DW, GS_FAMILIES } gs_family;

typedef struct gs_problem {
    gs_family family;
    gs_gemm gemm;  /* GS_FAMILY_GEMM */
    gs_conv conv;  /* the others */
    const struct gs_epilogue *end; /* what follows on each result (epilogue.c), where the variant `ends`; NULL: nothing */
} gs_problem;

typedef struct gs_variant gs_variant;
struct gs_variant {
    const char *name;     /* "tile:8": the form and, after the colon, its parameter */
    int param;            /* what the parameter is for emit; each table says what it means */
    bool only_chosen;     /* never a preset: only where it was measured to be faster, or named */
    bool (*can)(const gs_device *d, const gs_problem *q);
    /* Launches that write out from a and b: C, A, B of a product; y, x, w or dx, dy, w or dw, x, dy. */
    gs_status (*emit)(gs_plan *p, const gs_problem *q, const gs_variant *v, gs_value *out, gs_value *a, gs_value *b);
    /* Of what it can do: is it the preset? NULL: of all. */
    bool (*pays)(const gs_device *d, const gs_problem *q, const gs_variant *v);
    /* Of what it can do: can its kernels do an epilogue? NULL: never. */
    bool (*ends)(gs_plan *p, const gs_problem *q, const gs_variant *v);
};

/* The tables; each ends with a NULL name (gemm.c, lower_conv.c). */
extern const gs_variant gs__gemm_variants[], gs__conv_variants[];

const gs_variant *gs_family_variants(gs_family f);
/* "gemm", "conv.y", "conv.dx", "conv.dw" */
const char *gs_family_name(gs_family f);
/* "conv.dw/tile:8", as the store has it. */
void gs_variant_name(gs_family f, const gs_variant *v, char name[GS_TUNING_NAME]);
/* The class of a problem: all that decides which variant suits, with sizes rounded up to 1, 2, 3, 4, 6, 8, 12, 16, 24, ... so that shapes within a third or
 * a half of each other share a choice. "gemm.nt/m768,n512,k128,b1", "conv.y/k3x3,s1x1,d1,g1,c64,o128,h64,w64,n1"; at the end
 * ",edges" where what lies around the image is not zeros, and ",plain" without Winograd. */
void gs_problem_class(const gs_problem *q, char class[GS_TUNING_NAME]);
/* Multiply-adds counted as two. */
double gs_problem_flops(const gs_problem *q);

/* Will the problem's results be stored by a kernel that can do an epilogue? */
bool gs__plan_ends(gs_plan *p, const gs_problem *q);
/* Launches the problem by the variant that holds for it, and notes it. */
gs_status gs__plan_problem(gs_plan *p, const gs_problem *q, gs_value *out, gs_value *a, gs_value *b);

/* A problem of a plan and what computes it. */
typedef struct gs_use {
    gs_problem problem;
    const gs_variant *variant, *preset; /* preset: what would have been without the store's choices and without names */
    bool chosen;                        /* by the store */
    int count;                          /* launches of the same problem by the same variant */
} gs_use;

/* The list of a plan; valid until it is freed. */
int gs_plan_uses(const gs_plan *p, const gs_use **list);

#endif
