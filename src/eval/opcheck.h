/* Holds a device to the double reference on op cases: results, gradients and gradients of gradients, and that
 * a second run gives the same bytes. `gesso check` and tests/test_ops.c are this function. */
#ifndef GS_OPCHECK_H
#define GS_OPCHECK_H

#include "eval/opcase.h"
#include "gesso/device.h"

typedef struct gs_opcheck_opts {
    const char *off;   /* passes of the plan to leave out, as in gs_compile_opts */
    int order;         /* 0: to the second derivative; 1: to the first; -1: results only */
} gs_opcheck_opts;

typedef struct gs_opcheck {
    bool checked;      /* false: the case wants an error, so there is nothing to run */
    bool pass;
    double error;      /* largest error over the largest value of the reference, where it is worst beside its limit */
    double limit;
    char part[48];     /* of what: "result", "gradient by x", "second gradient by w", "second run" */
    char message[160]; /* when the device could not compute it at all */
} gs_opcheck;

/* Fills out[n]. All cases go into one plan, so values lie at many offsets of shared buffers; when that fails,
 * halves are tried until the case at fault stands alone. The status is GS_OK unless the device cannot be used
 * at all; verdicts stand in out. */
gs_status gs_opcheck_run(gs_device *d, const gs_opcase *cases, int n, const gs_opcheck_opts *o, gs_opcheck *out);

#endif
