/* One scale for all pictures. */
#include "eval/source.h"

#include <assert.h>
#include <math.h>

static gs_status to_unit(const gs_source *s, int class_, int first, int n, float *x)
{
    const float scale = s->signed_range ? 0.5f : 1.0f, shift = s->signed_range ? 0.5f : 0.0f, slack = 1e-3f;
    const size_t d = (size_t)s->c * s->h * s->w;

    for (size_t i = 0; i < n * d; i++) {
        const float v = scale * x[i] + shift;

        if (!isfinite(v))
            return gs_fail(GS_ENUMERIC, "picture %d of class %d has a pixel that is not a number", first + (int)(i / d), class_);
        if (v < -slack || v > 1 + slack)
            return gs_fail(GS_EINVAL, "picture %d of class %d has a pixel of %g; the source declares %s", first + (int)(i / d), class_,
                           (double)x[i], s->signed_range ? "-1 to 1" : "0 to 1");
        x[i] = GS_MIN(GS_MAX(v, 0.0f), 1.0f);
    }
    return GS_OK;
}

gs_status gs_source_draw(const gs_source *s, int class_, int first, int n, float *images)
{
    const size_t d = (size_t)s->c * s->h * s->w;
    gs_status st = GS_OK;

    assert(class_ >= 0 && class_ < s->classes);
    for (int at = 0; at < n; at += GS_SOURCE_BATCH) {
        const int m = GS_MIN(GS_SOURCE_BATCH, n - at);

        TRY(s->draw(s->user, class_, first + at, m, images + at * d));
        TRY(to_unit(s, class_, first + at, m, images + at * d));
    }
done:
    return st;
}

void gs_real_unit(const gs_labelled *s, const int32_t *rows, int first, int n, float *images)
{
    const int plane = s->h * s->w, d = plane * s->c;

    for (int i = 0; i < n; i++) {
        const uint8_t *from = s->images + (size_t)(rows ? rows[i] : first + i) * d;
        float *to = images + (size_t)i * d;

        for (int c = 0; c < s->c; c++)
            for (int q = 0; q < plane; q++) to[c * plane + q] = from[q * s->c + c] / 255.0f;
    }
}

int gs_real_rows(const gs_labelled *s, int class_, int max, int32_t *rows)
{
    int n = 0;

    for (int i = 0; i < s->n && n < max; i++)
        if (s->labels[i] == class_) {
            if (rows) rows[n] = i;
            n++;
        }
    return n;
}
