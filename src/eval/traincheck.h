/* A training run small enough to check a device by: eight steps of a convolutional GAN on drawn noise, held
 * to losses that are stored here.
 *
 * It goes through products, convolutions and their gradients, batch normalisation, dropout, random nodes
 * (which are the same on every device, bit for bit up to the functions of the normal distribution), cross
 * entropy and Adam. tests/test_tune.c computes the same steps in double precision and holds the stored losses
 * to them. */
#ifndef GS_TRAINCHECK_H
#define GS_TRAINCHECK_H

#include "gesso/gesso.h"

enum { GS_TRAINCHECK_STEPS = 8, GS_TRAINCHECK_BATCH = 12, GS_TRAINCHECK_SIDE = 8 };
#define GS_TRAINCHECK_SEED 11
#define GS_TRAINCHECK_LIMIT 1e-3 /* of a loss: fp32 against double through eight steps, with room for other
                                  * orders of sums */

extern const double gs_traincheck_losses[GS_TRAINCHECK_STEPS][2]; /* of G and D */

/* One step: input "real" (B,1,8,8), output "losses" (2). Variables under "G" and "D", optimisers "opt_G" and
 * "opt_D". */
void gs_traincheck_build(gs_graph *g);
/* The real pictures of a step: soft blobs, one a picture; (B,1,8,8). */
void gs_traincheck_real(int step, float *out);

typedef struct gs_traincheck {
    bool pass;
    double losses[GS_TRAINCHECK_STEPS][2];
    double error;      /* largest distance from the stored losses; infinite where a loss is not a number */
    int step;          /* where; from 0 */
    bool repeats;      /* a second run gave the same bytes, parameters included */
    char message[200]; /* when the device could not run it */
} gs_traincheck;

/* Trains twice on the device. */
void gs_traincheck_run(gs_device *d, gs_traincheck *out);

#endif
