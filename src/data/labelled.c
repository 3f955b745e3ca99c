/* Labelled sets in memory. */
#include <stdlib.h>
#include <string.h>

#include "data/image.h"
#include "data/labelled.h"

static size_t image_bytes(const gs_labelled *s) { return (size_t)s->h * s->w * s->c; }

gs_status gs_labelled_new(gs_labelled *out, int n, int h, int w, int c, int classes)
{
    size_t one = 0;

    *out = (gs_labelled){0};
    if (n < 1 || h < 1 || w < 1 || h > GS_IMAGE_MAX_SIDE || w > GS_IMAGE_MAX_SIDE || (c != 1 && c != 3) ||
        classes < 1 || classes > GS_LABELLED_MAX_CLASSES)
        return gs_fail(GS_EINVAL, "a set of %d pictures of %d x %d x %d in %d classes: out of range", n, h, w, c,
                       classes);
    one = (size_t)h * w * c;
    *out = (gs_labelled){ .n = n, .h = h, .w = w, .c = c, .classes = classes };
    out->images = gs_try_alloc(n, one, "pictures of a set");
    out->labels = gs_try_alloc(n, 1, "labels of a set");
    if (out->images && out->labels) return GS_OK;
    gs_labelled_free(out);
    return GS_ENOMEM;
}

void gs_labelled_free(gs_labelled *s)
{
    if (!s) return;
    free(s->images);
    free(s->labels);
    *s = (gs_labelled){0};
}

/* Puts `to` in the place of *s with the labels of *s. */
static void replace(gs_labelled *s, gs_labelled *to)
{
    memcpy(to->labels, s->labels, s->n);
    gs_labelled_free(s);
    *s = *to;
}

gs_status gs_labelled_pad(gs_labelled *s, int side, uint8_t value)
{
    const int top = (side - s->h) / 2, left = (side - s->w) / 2;
    gs_labelled out;
    gs_status st;

    if (side == s->h && side == s->w) return GS_OK;
    if (side < s->h || side < s->w)
        return gs_fail(GS_EINVAL, "pictures of %d x %d cannot be padded to %d x %d; scale them instead", s->w, s->h,
                       side, side);
    st = gs_labelled_new(&out, s->n, side, side, s->c, s->classes);
    if (st != GS_OK) return st;
    memset(out.images, value, out.n * image_bytes(&out));
    for (int i = 0; i < s->n; i++)
        for (int y = 0; y < s->h; y++)
            memcpy(out.images + i * image_bytes(&out) + ((size_t)(top + y) * side + left) * s->c,
                   s->images + i * image_bytes(s) + (size_t)y * s->w * s->c, (size_t)s->w * s->c);
    replace(s, &out);
    return GS_OK;
}

typedef struct resize_job {
    const gs_labelled *from;
    gs_labelled *to;
    bool failed;
} resize_job;

static void resize_one(void *user, int i)
{
    resize_job *job = user;
    const gs_labelled *s = job->from;
    const gs_image src = { s->w, s->h, s->c, s->images + i * image_bytes(s) };
    gs_image dst;

    if (gs_image_resize(&dst, &src, job->to->w, job->to->h, GS_RESIZE_BILINEAR) != GS_OK) {
        __atomic_store_n(&job->failed, true, __ATOMIC_RELAXED);
        return;
    }
    memcpy(job->to->images + i * image_bytes(job->to), dst.px, image_bytes(job->to));
    gs_image_free(&dst);
}

gs_status gs_labelled_resize(gs_labelled *s, int side)
{
    gs_labelled out;
    resize_job job = { s, &out, false };
    gs_status st;

    if (side == s->h && side == s->w) return GS_OK;
    st = gs_labelled_new(&out, s->n, side, side, s->c, s->classes);
    if (st != GS_OK) return st;
    gs_parallel_for(s->n, 0, resize_one, &job);
    if (job.failed) {
        gs_labelled_free(&out);
        return gs_fail(GS_ENOMEM, "scaling %d pictures to %d x %d: out of memory", s->n, side, side);
    }
    replace(s, &out);
    return GS_OK;
}

gs_status gs_labelled_transpose(gs_labelled *s)
{
    gs_labelled out;
    const gs_status st = gs_labelled_new(&out, s->n, s->w, s->h, s->c, s->classes);

    if (st != GS_OK) return st;
    for (int i = 0; i < s->n; i++) {
        const uint8_t *from = s->images + i * image_bytes(s);
        uint8_t *to = out.images + i * image_bytes(s);

        for (int y = 0; y < s->h; y++)
            for (int x = 0; x < s->w; x++)
                memcpy(to + ((size_t)x * s->h + y) * s->c, from + ((size_t)y * s->w + x) * s->c, s->c);
    }
    replace(s, &out);
    return GS_OK;
}

gs_status gs_labelled_slice(gs_labelled *out, const gs_labelled *s, int first, int n)
{
    gs_status st;

    *out = (gs_labelled){0};
    if (first < 0 || n < 1 || first > s->n - n)
        return gs_fail(GS_EINVAL, "pictures %d..%lld of a set of %d", first, (long long)first + n - 1, s->n);
    st = gs_labelled_new(out, n, s->h, s->w, s->c, s->classes);
    if (st != GS_OK) return st;
    memcpy(out->images, s->images + first * image_bytes(s), n * image_bytes(s));
    memcpy(out->labels, s->labels + first, n);
    return GS_OK;
}

void gs_labelled_histogram(const gs_labelled *s, int64_t *counts)
{
    memset(counts, 0, s->classes * sizeof *counts);
    for (int i = 0; i < s->n; i++) counts[s->labels[i]]++;
}

double gs_labelled_mean(const gs_labelled *s)
{
    const size_t n = s->n * image_bytes(s);
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++) sum += s->images[i];
    return n ? sum / 255.0 / n : 0;
}

void gs_labelled_mean_image(const gs_labelled *s, float *mean)
{
    const size_t one = image_bytes(s);

    for (size_t k = 0; k < one; k++) {
        uint64_t sum = 0;

        for (int i = 0; i < s->n; i++) sum += s->images[i * one + k];
        mean[k] = (float)(sum / 255.0 / s->n);
    }
}
