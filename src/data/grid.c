/* Sheets of pictures. */
#include <math.h>

#include "data/grid.h"
#include "data/text.h"

#define TEXT_SIZE 12.0

typedef struct source { /* where the pictures come from: one of the two pointers */
    const float *planes;
    const uint8_t *bytes;
    int n, c, h, w;
    bool unit_range;
} source;

static uint8_t to_byte(float v, bool unit_range)
{
    const float b = unit_range ? 255 * v : (v + 1) * 127.5f;

    if (!(b > 0)) return 0; /* also NaN */
    return b >= 255 ? 255 : (uint8_t)lroundf(b);
}

static uint8_t value(const source *s, int i, int y, int x, int k)
{
    const size_t one = (size_t)s->h * s->w * s->c;

    if (s->bytes) return s->bytes[i * one + ((size_t)y * s->w + x) * s->c + k];
    return to_byte(s->planes[i * one + ((size_t)k * s->h + y) * s->w + x], s->unit_range);
}

static void paste(gs_image *out, const source *s, int i, int x0, int y0, int scale)
{
    for (int y = 0; y < s->h * scale; y++)
        for (int x = 0; x < s->w * scale; x++)
            for (int k = 0; k < s->c; k++)
                out->px[((size_t)(y0 + y) * out->w + x0 + x) * s->c + k] = value(s, i, y / scale, x / scale, k);
}

static int widest(const char *const *labels, int n)
{
    int w = 0;

    for (int i = 0; labels && i < n; i++) w = GS_MAX(w, gs__text_width(labels[i], TEXT_SIZE));
    return w;
}

static gs_status sheet(gs_image *out, const source *s, const gs_grid_opts *opts)
{
    const gs_grid_opts o = opts ? *opts : (gs_grid_opts){0};
    const int scale = o.scale > 0 ? o.scale : 1, gap = o.spacing == 0 ? 2 : GS_MAX(o.spacing, 0);
    int cols = o.cols, rows = o.rows, left, top;
    int64_t w, h;
    gs_status st = GS_OK;

    *out = (gs_image){0};
    if (s->n < 1 || s->h < 1 || s->w < 1 || (s->c != 1 && s->c != 3) || rows < 0 || cols < 0 || scale > 64)
        return gs_fail(GS_EINVAL, "a sheet of %d pictures of %d x %d x %d, %d x %d cells, scale %d: out of range", s->n,
                       s->h, s->w, s->c, rows, cols, scale);
    if (cols == 0) cols = rows ? (s->n + rows - 1) / rows : (int)ceil(sqrt(s->n));
    if (rows == 0) rows = (s->n + cols - 1) / cols;
    left = o.row_labels ? widest(o.row_labels, rows) + 10 : 0;
    top = o.col_labels ? (int)(TEXT_SIZE * 1.6) : 0;
    w = left + gap + (int64_t)cols * ((int64_t)s->w * scale + gap);
    h = top + gap + (int64_t)rows * ((int64_t)s->h * scale + gap);
    if (w > GS_IMAGE_MAX_SIDE || h > GS_IMAGE_MAX_SIDE || w * h > GS_IMAGE_MAX_PIXELS)
        return gs_fail(GS_ELIMIT, "a sheet of %d x %d pictures of %d x %d would have %lld x %lld pixels; show fewer", rows,
                       cols, s->w, s->h, (long long)w, (long long)h);
    TRY(gs_image_new(out, (int)w, (int)h, s->c));
    for (int i = 0; i < s->n && i < (int64_t)rows * cols; i++)
        paste(out, s, i, left + gap + i % cols * (s->w * scale + gap), top + gap + i / cols * (s->h * scale + gap), scale);
    for (int i = 0; o.row_labels && i < rows; i++)
        TRY(gs__text_draw(out, o.row_labels[i], left - 5, top + gap + (i + 0.5) * (s->h * scale + gap) - gap / 2.0,
                          TEXT_SIZE, 1));
    for (int i = 0; o.col_labels && i < cols; i++)
        TRY(gs__text_draw(out, o.col_labels[i], left + gap + (i + 0.5) * (s->w * scale + gap) - gap / 2.0, top / 2.0 + 1,
                          TEXT_SIZE, 0));
done:
    if (st != GS_OK) gs_image_free(out);
    return st;
}

gs_status gs_grid(gs_image *out, const float *images, int n, int c, int h, int w, const gs_grid_opts *o)
{
    return sheet(out, &(source){ .planes = images, .n = n, .c = c, .h = h, .w = w, .unit_range = o && o->unit_range }, o);
}

gs_status gs_grid_bytes(gs_image *out, const uint8_t *images, int n, int c, int h, int w, const gs_grid_opts *o)
{
    return sheet(out, &(source){ .bytes = images, .n = n, .c = c, .h = h, .w = w }, o);
}

gs_status gs_image_from_floats(gs_image *out, const float *image, int c, int h, int w, bool unit_range)
{
    const source s = { .planes = image, .n = 1, .c = c, .h = h, .w = w, .unit_range = unit_range };
    const gs_status st = gs_image_new(out, w, h, c);

    if (st == GS_OK) paste(out, &s, 0, 0, 0, 1);
    return st;
}
