/* Resampling 8-bit pictures with a filter that widens when shrinking, so that nothing aliases: PIL's
 * "bilinear" and "bicubic", to a level or so. The two axes are done one after the other and rounded to 8 bits
 * in between, as there. */
#include <math.h>
#include <stdlib.h>

#include "data/image_int.h"

/* The taps of each output position along one axis: out[i] = sum_k weight[i * width + k] in[first[i] + k],
 * k < count[i]. */
typedef struct taps {
    int width;
    int *first, *count;
    float *weight;
} taps;

static void taps_free(taps *t)
{
    free(t->first);
    free(t->count);
    free(t->weight);
}

/* The filters at distance d from their centre: a triangle, and Keys' cubic with a = -0.5. */
static double weight_at(double d, bool cubic)
{
    d = fabs(d);
    if (!cubic) return fmax(0, 1 - d);
    return d < 1 ? (1.5 * d - 2.5) * d * d + 1 : d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
}

static gs_status taps_make(taps *t, int in, int out, bool cubic)
{
    const double scale = (double)in / out, stretch = fmax(scale, 1.0), support = (cubic ? 2 : 1) * stretch; /* half the filter's width */

    t->width = (int)ceil(support) * 2 + 1;
    t->first = gs_try_alloc((size_t)out, sizeof *t->first, "a resampling filter");
    t->count = gs_try_alloc((size_t)out, sizeof *t->count, "a resampling filter");
    t->weight = gs_try_alloc((size_t)out, (size_t)t->width * sizeof *t->weight, "a resampling filter");
    if (!t->first || !t->count || !t->weight) return GS_ENOMEM;
    for (int i = 0; i < out; i++) {
        const double centre = (i + 0.5) * scale;
        const int lo = GS_MAX((int)(centre - support + 0.5), 0), hi = GS_MIN((int)(centre + support + 0.5), in);
        float *w = t->weight + (size_t)i * t->width;
        double total = 0;

        t->first[i] = lo;
        t->count[i] = hi - lo;
        for (int k = 0; k < hi - lo; k++) total += weight_at((lo + k - centre + 0.5) / stretch, cubic);
        for (int k = 0; k < hi - lo; k++) w[k] = (float)(weight_at((lo + k - centre + 0.5) / stretch, cubic) / total);
    }
    return GS_OK;
}

static uint8_t byte(float v)
{
    return v <= 0 ? 0 : v >= 255 ? 255 : (uint8_t)(v + 0.5f);
}

/* One output row from rows first.. of src, or one output column: `step` bytes lie between neighbours along the axis. */
static void filter(uint8_t *dst, const uint8_t *src, const taps *t, int i, int channels, size_t step)
{
    const float *w = t->weight + (size_t)i * t->width;

    src += (size_t)t->first[i] * step;
    for (int c = 0; c < channels; c++) {
        float sum = 0;

        for (int k = 0; k < t->count[i]; k++) sum += w[k] * src[(size_t)k * step + c];
        dst[c] = byte(sum);
    }
}

gs_status gs__image_resize_antialias(gs_image *out, const gs_image *src, int w, int h, bool cubic)
{
    const int c = src->c;
    taps across = {0}, down = {0};
    gs_image half = {0};
    gs_status st = GS_OK;

    *out = (gs_image){0};
    TRY(gs_image_new(out, w, h, c));
    TRY(gs_image_new(&half, w, src->h, c));
    TRY(taps_make(&across, src->w, w, cubic));
    TRY(taps_make(&down, src->h, h, cubic));
    for (int y = 0; y < src->h; y++)
        for (int x = 0; x < w; x++)
            filter(half.px + ((size_t)y * w + x) * c, src->px + (size_t)y * src->w * c, &across, x, c, (size_t)c);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            filter(out->px + ((size_t)y * w + x) * c, half.px + (size_t)x * c, &down, y, c, (size_t)w * c);
done:
    taps_free(&across);
    taps_free(&down);
    gs_image_free(&half);
    if (st != GS_OK) gs_image_free(out);
    return st;
}
