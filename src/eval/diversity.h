/* How much the pictures of one class differ from each other. Accuracy alone rewards a model that draws one
 * perfect picture per class. */
#ifndef GS_EVAL_DIVERSITY_H
#define GS_EVAL_DIVERSITY_H

#include "base/base.h"

#define GS_DIVERSITY_PAIR_ROWS 1000 /* at most so many pictures are compared in pairs */

typedef struct gs_diversity {
    double pixel_std; /* mean over pixels of the standard deviation over pictures (n - 1) */
    double pair_l2;   /* mean Euclidean distance of two different pictures, over all pairs of the first
                       * GS_DIVERSITY_PAIR_ROWS */
} gs_diversity;

/* x: n pictures of d values. Sums are doubles in a fixed order. GS_EINVAL for fewer than 2 pictures. */
gs_status gs_diversity_of(const float *x, int n, int d, gs_diversity *out);

#endif
