/* How far two 8-bit RGB pictures of one size are apart, pixel by pixel. Values are taken in [0,1]: byte / 255. */
#ifndef GS_EVAL_PIXELS_H
#define GS_EVAL_PIXELS_H

#include "data/image.h"

#define GS_PSNR_MAX 100.0 /* dB, for equal pictures too */

typedef struct gs_pixel_score {
    double l1;   /* mean absolute difference over pixels and channels */
    double psnr; /* 10 log10(1 / mean squared difference), at most GS_PSNR_MAX */
    /* Wang et al. 2004: Gaussian window 11 x 11 of sigma 1.5, K1 = 0.01, K2 = 0.03, windows inside the picture only;
     * mean over windows and channels. 1 for equal pictures */
    double ssim;
} gs_pixel_score;

/* GS_ESHAPE: sizes differ, or are below 11 x 11; GS_EINVAL: not 3 channels. */
gs_status gs_pixel_compare(const gs_image *a, const gs_image *b, gs_pixel_score *out);

/* Means and standard deviations of the channels over all pixels of a set. */
typedef struct gs_colour {
    double sum[3], square[3];
    double n; /* pixels */
} gs_colour;
void gs_colour_add(gs_colour *c, const gs_image *img); /* 3 channels */
void gs_colour_get(const gs_colour *c, double mean[3], double deviation[3]); /* zeros for an empty set */

#endif
