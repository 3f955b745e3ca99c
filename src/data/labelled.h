/* A set of labelled pictures of one size in memory, and what is done to it as a whole before training.
 * A gs_labelled owns its arrays; gs_labelled_free frees them. */
#ifndef GS_DATA_LABELLED_H
#define GS_DATA_LABELLED_H

#include "base/base.h"

#define GS_LABELLED_MAX_CLASSES 256

typedef struct gs_labelled {
    int n, h, w, c;  /* pictures, rows, columns, channels (1 or 3) */
    int classes;     /* labels are 0..classes-1 */
    uint8_t *images; /* n * h * w * c, channels interleaved */
    uint8_t *labels; /* n */
} gs_labelled;

/* All zero. GS_EINVAL for sizes below 1, GS_ENOMEM. */
gs_status gs_labelled_new(gs_labelled *out, int n, int h, int w, int c, int classes);
void gs_labelled_free(gs_labelled *s); /* accepts NULL; empties the struct */

/* Enlarges every picture to side x side with `value` around it, the picture centred (an odd pixel goes to the right
 * and below). GS_EINVAL when side is smaller than the pictures. */
gs_status gs_labelled_pad(gs_labelled *s, int side, uint8_t value);
/* Scales every picture to side x side, bilinear (half-pixel centres). */
gs_status gs_labelled_resize(gs_labelled *s, int side);
/* Swaps rows and columns of every picture, which is how EMNIST comes upright. */
gs_status gs_labelled_transpose(gs_labelled *s);
/* A copy of pictures first..first+n-1. GS_EINVAL when they are not all there. */
gs_status gs_labelled_slice(gs_labelled *out, const gs_labelled *s, int first, int n);

/* counts[s->classes]: pictures of each class. */
void gs_labelled_histogram(const gs_labelled *s, int64_t *counts);
/* Mean of all bytes divided by 255; 0 for an empty set. */
double gs_labelled_mean(const gs_labelled *s);
/* mean[h * w * c]: the mean picture in [0,1], double sums. */
void gs_labelled_mean_image(const gs_labelled *s, float *mean);

#endif
