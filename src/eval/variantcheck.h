/* Holds every variant of products and convolutions (plan/variants.h) to the double reference on one device:
 * awkward sizes, operands and results at offsets inside shared buffers, and a second run to the byte. `gesso
 * check` keeps the verdicts in the device's store. */
#ifndef GS_VARIANTCHECK_H
#define GS_VARIANTCHECK_H

#include "plan/variants.h"

/* Limit of the largest error over the largest value of the reference: sums of 100,000 terms in fp32 and
 * Winograd's transforms stay below, one wrong element or a product in half precision does not. */
#define GS_VARIANT_LIMIT 3e-5

typedef struct gs_variantcheck {
    gs_family family;
    const gs_variant *variant;
    char name[GS_TUNING_NAME];
    int problems;      /* that it can do on this device; 0: it is not for this device, and there is no verdict */
    bool pass;
    double error;      /* of the problem nearest to, or furthest beyond, the limit */
    char where[128];   /* that problem; with "second run: " before it when the bytes differed */
    char message[200]; /* when the device could not compute it at all */
} gs_variantcheck;

/* The graph of one problem: inputs "a<i>" and "b<i>" in the order of gs_variant.emit, output "y<i>". Errors
 * are latched in the graph. */
gs_node *gs_problem_build(gs_graph *g, const gs_problem *q, int i);
/* "gemm nn 33x65x31", "conv.dw x 2,3,9,7 w 4,3,3,3 stride 2x2 pad 1x1"; returns text. */
const char *gs_problem_text(const gs_problem *q, char text[128]);

/* Checks all variants of all families and writes each verdict to the device's store; *out has *n entries
 * (free()). progress, before each variant, may be NULL. Returns what went wrong with writing, GS_EIO; then
 * the verdicts hold in memory, until the device is closed. */
gs_status gs_variants_check(gs_device *d, void (*progress)(void *user, const char *name), void *user, gs_variantcheck **out, int *n);
/* One variant; writes nothing. */
void gs_variant_check(gs_device *d, gs_family f, const gs_variant *v, gs_variantcheck *out);
/* Writes the verdicts to the device's store; what is not for the device is left out. */
gs_status gs_variants_keep(gs_device *d, const gs_variantcheck *v, int n);

#endif
