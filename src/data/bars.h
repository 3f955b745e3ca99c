/* "Bars": ten classes of 8 x 8 pictures that a small conditional GAN learns in seconds; for tests, without files.
 * Class c = 0..7: row c is +0.8, the rest -0.8; class 8: the main diagonal; class 9: the other one. A real picture has
 * N(0, 0.1^2) added to each pixel and is clamped to [-1,1]; classes are drawn uniformly. */
#ifndef GS_DATA_BARS_H
#define GS_DATA_BARS_H

#include "base/base.h"

#define GS_BARS_SIDE    8
#define GS_BARS_PIXELS  64
#define GS_BARS_CLASSES 10

/* p[64]: the noiseless picture of a class 0..9. */
void gs_bars_prototype(float *p, int class_);
/* images[b][64] in [-1,1] and labels[b]; advances r. The same r gives the same batch. */
void gs_bars_batch(float *images, int32_t *labels, int b, gs_rng *r);

#endif
