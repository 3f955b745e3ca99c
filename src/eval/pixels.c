/* L1, PSNR, SSIM; colours of a set. */
#include "eval/pixels.h"

#include <math.h>
#include <stdlib.h>

#define WINDOW 11
#define SIGMA  1.5

/* The window's weights along one axis. */
static void window(double w[WINDOW])
{
    double sum = 0;

    for (int i = 0; i < WINDOW; i++) {
        const double x = i - WINDOW / 2;

        w[i] = exp(-x * x / (2 * SIGMA * SIGMA));
        sum += w[i];
    }
    for (int i = 0; i < WINDOW; i++) w[i] /= sum;
}

/* Weighted sums of a, b, a^2, b^2, a b over every window, one axis after the other: rows first into `part` (5 planes
 * of h x ow). */
static double ssim_channel(const gs_image *a, const gs_image *b, int c, const double w[WINDOW], double *part)
{
    const int ow = a->w - WINDOW + 1, oh = a->h - WINDOW + 1;
    const size_t plane = (size_t)a->h * ow;
    double total = 0;

    for (int y = 0; y < a->h; y++)
        for (int x = 0; x < ow; x++) {
            double s[5] = { 0 };

            for (int k = 0; k < WINDOW; k++) {
                const size_t at = ((size_t)y * a->w + x + k) * 3 + c;
                const double u = a->px[at] / 255.0, v = b->px[at] / 255.0;

                s[0] += w[k] * u, s[1] += w[k] * v, s[2] += w[k] * u * u, s[3] += w[k] * v * v, s[4] += w[k] * u * v;
            }
            for (int i = 0; i < 5; i++) part[(size_t)i * plane + (size_t)y * ow + x] = s[i];
        }
    for (int y = 0; y < oh; y++)
        for (int x = 0; x < ow; x++) {
            const double c1 = 0.01 * 0.01, c2 = 0.03 * 0.03;
            double s[5] = { 0 }, mean2;

            for (int i = 0; i < 5; i++)
                for (int k = 0; k < WINDOW; k++) s[i] += w[k] * part[(size_t)i * plane + (size_t)(y + k) * ow + x];
            mean2 = s[0] * s[0] + s[1] * s[1];
            total += (2 * s[0] * s[1] + c1) * (2 * (s[4] - s[0] * s[1]) + c2)
                   / ((mean2 + c1) * (s[2] + s[3] - mean2 + c2));
        }
    return total / ((double)ow * oh);
}

gs_status gs_pixel_compare(const gs_image *a, const gs_image *b, gs_pixel_score *out)
{
    const size_t n = (size_t)a->w * a->h * 3;
    double w[WINDOW], square = 0, *part;

    *out = (gs_pixel_score){ 0 };
    if (a->c != 3 || b->c != 3)
        return gs_fail(GS_EINVAL, "comparing pictures of %d and %d channels: wants 3", a->c, b->c);
    if (a->w != b->w || a->h != b->h || a->w < WINDOW || a->h < WINDOW)
        return gs_fail(GS_ESHAPE, "comparing pictures of %d x %d and %d x %d: wants one size, %d or more", a->w, a->h,
                       b->w, b->h, WINDOW);
    part = gs_try_alloc((size_t)a->w * a->h, 5 * sizeof *part, "windows of a picture");
    if (!part) return GS_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const double d = (a->px[i] - b->px[i]) / 255.0;

        out->l1 += fabs(d);
        square += d * d;
    }
    out->l1 /= (double)n;
    square /= (double)n;
    out->psnr = square > 0 ? fmin(-10 * log10(square), GS_PSNR_MAX) : GS_PSNR_MAX;
    window(w);
    for (int c = 0; c < 3; c++) out->ssim += ssim_channel(a, b, c, w, part) / 3;
    free(part);
    return GS_OK;
}

void gs_colour_add(gs_colour *c, const gs_image *img)
{
    const size_t n = (size_t)img->w * img->h;

    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 3; k++) {
            const double v = img->px[3 * i + k] / 255.0;

            c->sum[k] += v;
            c->square[k] += v * v;
        }
    c->n += (double)n;
}

void gs_colour_get(const gs_colour *c, double mean[3], double deviation[3])
{
    for (int k = 0; k < 3; k++) {
        mean[k] = c->n > 0 ? c->sum[k] / c->n : 0;
        deviation[k] = c->n > 0 ? sqrt(fmax(c->square[k] / c->n - mean[k] * mean[k], 0)) : 0;
    }
}
