/* The "bars" pictures. */
#include <assert.h>

#include "data/bars.h"

void gs_bars_prototype(float *p, int class_)
{
    assert(class_ >= 0 && class_ < GS_BARS_CLASSES);
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 8; x++) {
            const bool on = class_ < 8 ? y == class_ : class_ == 8 ? x == y : x == 7 - y;

            p[8 * y + x] = on ? 0.8f : -0.8f;
        }
}

void gs_bars_batch(float *images, int32_t *labels, int b, gs_rng *r)
{
    for (int i = 0; i < b; i++) {
        float *p = images + (size_t)i * GS_BARS_PIXELS;

        labels[i] = (int32_t)gs_rng_below(r, GS_BARS_CLASSES);
        gs_bars_prototype(p, labels[i]);
        for (int k = 0; k < GS_BARS_PIXELS; k++) {
            const float v = p[k] + 0.1f * (float)gs_rng_normal(r);

            p[k] = GS_MIN(GS_MAX(v, -1.0f), 1.0f);
        }
    }
}
