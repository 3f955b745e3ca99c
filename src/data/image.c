/* Pictures in memory: limits, channel conversion, resizing, and the choice of a decoder by content. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "data/image_int.h"

gs_status gs_image_new(gs_image *out, int w, int h, int c)
{
    size_t n = 0;

    *out = (gs_image){0};
    if (w < 1 || h < 1 || w > GS_IMAGE_MAX_SIDE || h > GS_IMAGE_MAX_SIDE || (c != 1 && c != 3 && c != 4))
        return gs_fail(GS_EINVAL, "a picture of %d x %d with %d channels: sides are 1..%d, channels 1, 3 or 4",
                       w, h, c, GS_IMAGE_MAX_SIDE);
    if (!gs_mul_size((size_t)w * h, c, &n)) return gs_fail(GS_ELIMIT, "a picture of %d x %d is too large", w, h);
    out->px = gs_try_alloc(n, 1, "picture");
    if (!out->px) return GS_ENOMEM;
    out->w = w;
    out->h = h;
    out->c = c;
    return GS_OK;
}

void gs_image_free(gs_image *img)
{
    if (!img) return;
    free(img->px);
    *img = (gs_image){0};
}

gs_image_kind gs_image_sniff(const void *data, size_t size)
{
    static const uint8_t png[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
    const uint8_t *p = data;

    if (size >= 8 && !memcmp(p, png, 8)) return GS_IMAGE_PNG;
    if (size >= 3 && p[0] == 0xff && p[1] == 0xd8 && p[2] == 0xff) return GS_IMAGE_JPEG;
    return GS_IMAGE_UNKNOWN;
}

const char *gs_image_kind_name(gs_image_kind kind)
{
    return kind == GS_IMAGE_PNG ? "PNG" : kind == GS_IMAGE_JPEG ? "JPEG" : "unknown";
}

gs_status gs_image_decode(const void *data, size_t size, const char *name, const gs_image_opts *o, gs_image *out)
{
    *out = (gs_image){0};
    switch (gs_image_sniff(data, size)) {
    case GS_IMAGE_PNG: return gs_png_decode(data, size, name, o, out);
    case GS_IMAGE_JPEG: return gs_jpeg_decode(data, size, name, o, out);
    case GS_IMAGE_UNKNOWN: break;
    }
    if (size == 0) return gs_fail(GS_EFORMAT, "%s: the file is empty", name);
    return gs_fail(GS_EFORMAT, "%s: neither PNG nor JPEG, judged by its first bytes; convert it to one of them", name);
}

gs_status gs_image_read(const char *path, const gs_image_opts *o, gs_image *out)
{
    gs_status st = GS_OK;
    uint8_t *data = NULL;
    size_t size = 0;

    *out = (gs_image){0};
    TRY(gs_file_read(path, GS_IMAGE_MAX_FILE, &data, &size));
    TRY(gs_image_decode(data, size, path, o, out));
done:
    free(data);
    return st;
}

gs_status gs__image_limits(const char *name, uint64_t w, uint64_t h, const gs_image_opts *o)
{
    const uint64_t max = o && o->max_pixels > 0 ? (uint64_t)o->max_pixels : GS_IMAGE_MAX_PIXELS;

    if (w < 1 || h < 1) return gs_fail(GS_EFORMAT, "%s: declares a picture without pixels", name);
    if (w > GS_IMAGE_MAX_SIDE || h > GS_IMAGE_MAX_SIDE || w * h > max)
        return gs_fail(GS_ELIMIT, "%s: declares %llu x %llu pixels; at most %llu pixels and %d a side are read", name,
                       (unsigned long long)w, (unsigned long long)h, (unsigned long long)max, GS_IMAGE_MAX_SIDE);
    return GS_OK;
}

gs_status gs__image_finish(gs_image *img, const gs_image_opts *o)
{
    if (!o || o->channels == 0) return GS_OK;
    return gs_image_convert(img, o->channels, o->background);
}

static inline uint8_t over(int fg, int bg, int a) { return (uint8_t)((fg * a + bg * (255 - a) + 127) / 255); }

static inline uint8_t luma(const uint8_t *p) { return (uint8_t)((299 * p[0] + 587 * p[1] + 114 * p[2] + 500) / 1000); }

gs_status gs_image_convert(gs_image *img, int channels, const uint8_t background[3])
{
    static const uint8_t black[3];
    const uint8_t *bg = background ? background : black;
    const size_t n = (size_t)img->w * img->h;
    gs_image out;
    gs_status st;

    if (channels == img->c) return GS_OK;
    st = gs_image_new(&out, img->w, img->h, channels);
    if (st != GS_OK) return st;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *s = img->px + i * img->c;
        uint8_t *d = out.px + i * channels, rgb[3];

        for (int k = 0; k < 3; k++) {
            rgb[k] = img->c == 1 ? s[0] : s[k];
            if (img->c == 4 && channels != 4) rgb[k] = over(rgb[k], bg[k], s[3]);
        }
        if (channels == 1)
            d[0] = luma(rgb);
        else
            memcpy(d, rgb, 3);
        if (channels == 4) d[3] = 255;
    }
    gs_image_free(img);
    *img = out;
    return GS_OK;
}

/* half: where a pixel's centre lies in it, 0.5 or, at its corner, 0. */
static void bilinear_row(uint8_t *dst, const gs_image *src, int y, int w, int h, double half)
{
    const double sy = (y + half) * src->h / h - half;
    const double cy = GS_MIN(GS_MAX(sy, 0.0), src->h - 1.0);
    const int y0 = (int)cy, y1 = GS_MIN(y0 + 1, src->h - 1), c = src->c;
    const float fy = (float)(cy - y0);
    const uint8_t *r0 = src->px + (size_t)y0 * src->w * c, *r1 = src->px + (size_t)y1 * src->w * c;

    for (int x = 0; x < w; x++) {
        const double sx = (x + half) * src->w / w - half;
        const double cx = GS_MIN(GS_MAX(sx, 0.0), src->w - 1.0);
        const int x0 = (int)cx, x1 = GS_MIN(x0 + 1, src->w - 1);
        const float fx = (float)(cx - x0);

        for (int k = 0; k < c; k++) {
            const float top = r0[x0 * c + k] + fx * (r0[x1 * c + k] - r0[x0 * c + k]);
            const float bottom = r1[x0 * c + k] + fx * (r1[x1 * c + k] - r1[x0 * c + k]);

            dst[x * c + k] = (uint8_t)(top + fy * (bottom - top) + 0.5f);
        }
    }
}

static void nearest_row(uint8_t *dst, const gs_image *src, int y, int w, int h)
{
    const int sy = (int)(((int64_t)2 * y + 1) * src->h / (2 * (int64_t)h)), c = src->c;
    const uint8_t *row = src->px + (size_t)sy * src->w * c;

    for (int x = 0; x < w; x++) memcpy(dst + x * c, row + (((int64_t)2 * x + 1) * src->w / (2 * (int64_t)w)) * c, c);
}

gs_status gs_image_resize(gs_image *out, const gs_image *src, int w, int h, gs_image_filter method)
{
    gs_status st;

    if (method == GS_RESIZE_ANTIALIAS || method == GS_RESIZE_BICUBIC) {
        return gs__image_resize_antialias(out, src, w, h, method == GS_RESIZE_BICUBIC);
    }
    st = gs_image_new(out, w, h, src->c);
    if (st != GS_OK) return st;
    for (int y = 0; y < h; y++) {
        uint8_t *row = out->px + (size_t)y * w * src->c;

        if (method == GS_RESIZE_NEAREST)
            nearest_row(row, src, y, w, h);
        else
            bilinear_row(row, src, y, w, h, method == GS_RESIZE_CORNER ? 0 : 0.5);
    }
    return GS_OK;
}

gs_status gs_image_crop(gs_image *out, const gs_image *src, int x, int y, int w, int h)
{
    gs_status st;

    *out = (gs_image){0};
    if (x < 0 || y < 0 || w < 1 || h < 1 || w > src->w - x || h > src->h - y)
        return gs_fail(GS_EINVAL, "the cut-out %d x %d at (%d, %d) is not inside a picture of %d x %d", w, h, x, y,
                       src->w, src->h);
    st = gs_image_new(out, w, h, src->c);
    if (st != GS_OK) return st;
    for (int i = 0; i < h; i++)
        memcpy(out->px + (size_t)i * w * src->c, src->px + ((size_t)(y + i) * src->w + x) * src->c, (size_t)w * src->c);
    return GS_OK;
}
