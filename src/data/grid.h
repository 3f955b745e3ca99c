/* A sheet of pictures side by side, as training saves it. */
#ifndef GS_DATA_GRID_H
#define GS_DATA_GRID_H

#include "data/image.h"

typedef struct gs_grid_opts {
    int rows, cols;    /* 0: cols = ceil(sqrt(n)), rows as many as it takes */
    int spacing;       /* pixels between and around the pictures; 0: 2, negative: none */
    int scale;         /* each pixel becomes scale x scale; 0: 1 */
    bool unit_range;   /* values are in [0,1] instead of [-1,1] */
    const char *const *row_labels; /* rows strings drawn to the left, or NULL */
    const char *const *col_labels; /* cols strings drawn above, or NULL */
} gs_grid_opts;

/* images[n][c][h][w] (channels as planes, c = 1 or 3) -> one picture on black, row by row; cells without a picture stay
 * black, pictures beyond rows * cols are left out. A value v becomes round((v + 1) * 127.5) (unit_range: round(255 v)),
 * clamped to 0..255; NaN becomes 0. GS_EINVAL, GS_ELIMIT (sheet too large), GS_ENOMEM. */
gs_status gs_grid(gs_image *out, const float *images, int n, int c, int h, int w, const gs_grid_opts *o);
/* The same from bytes images[n][h][w][c]; unit_range means nothing here. */
gs_status gs_grid_bytes(gs_image *out, const uint8_t *images, int n, int c, int h, int w, const gs_grid_opts *o);
/* Only the mapping to bytes: channels as planes to channels interleaved, one picture of its own. */
gs_status gs_image_from_floats(gs_image *out, const float *image, int c, int h, int w, bool unit_range);

#endif
