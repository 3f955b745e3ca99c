/* Attention maps as colours. */
#include "data/heatmap.h"

#include <math.h>

/* R = clamp(1.5 - |4t - 3|), G with 2, B with 1. */
static uint8_t jet(double t, double centre)
{
    return (uint8_t)(255 * fmin(fmax(1.5 - fabs(4 * t - centre), 0), 1) + 0.5);
}

gs_status gs_heatmap(gs_image *out, const float *map, int h, int w, int side)
{
    gs_image levels = {0}, big = {0};
    float lo = INFINITY, hi = -INFINITY;
    gs_status st = GS_OK;

    *out = (gs_image){0};
    TRY(gs_image_new(&levels, w, h, 1));
    for (int i = 0; i < h * w; i++) {
        if (!isfinite(map[i])) continue;
        lo = fminf(lo, map[i]);
        hi = fmaxf(hi, map[i]);
    }
    for (int i = 0; i < h * w; i++) {
        const float t = hi > lo && isfinite(map[i]) ? (map[i] - lo) / (hi - lo) : 0;

        levels.px[i] = (uint8_t)(255 * t);
    }
    TRY(gs_image_resize(&big, &levels, side, side, GS_RESIZE_BILINEAR));
    TRY(gs_image_new(out, side, side, 3));
    for (size_t i = 0; i < (size_t)side * side; i++) {
        const double t = big.px[i] / 255.0;

        for (int c = 0; c < 3; c++) out->px[3 * i + c] = jet(t, 3 - c);
    }
done:
    gs_image_free(&levels);
    gs_image_free(&big);
    return st;
}
