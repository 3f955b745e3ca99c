/* Frechet distance and kernel distance of two sets of feature vectors. */
#include "eval/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Frechet ---- */

/* mean[d] and covariance (d x d, divided by n - 1) of rows x (n x d). */
static gs_status moments(const float *x, int n, int d, double *mean, double *cov)
{
    double *centred = gs_try_alloc((size_t)n * (size_t)d, sizeof(double), "centred features");

    if (!centred) return GS_ENOMEM;
    memset(mean, 0, (size_t)d * sizeof(double));
    memset(cov, 0, (size_t)d * d * sizeof(double));
    for (int i = 0; i < n; i++)
        for (int k = 0; k < d; k++) mean[k] += x[(size_t)i * d + k];
    for (int k = 0; k < d; k++) mean[k] /= n;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < d; k++) centred[(size_t)i * d + k] = x[(size_t)i * d + k] - mean[k];
    for (int i = 0; i < n; i++) {
        const double *row = centred + (size_t)i * d;

        for (int a = 0; a < d; a++) {
            double *c = cov + (size_t)a * d;

            for (int b = 0; b <= a; b++) c[b] += row[a] * row[b];
        }
    }
    for (int a = 0; a < d; a++)
        for (int b = 0; b <= a; b++) cov[(size_t)b * d + a] = cov[(size_t)a * d + b] /= n - 1;
    free(centred);
    return GS_OK;
}

/* out = a b for d x d matrices. */
static void multiply(double *out, const double *a, const double *b, int d)
{
    memset(out, 0, (size_t)d * d * sizeof(double));
    for (int i = 0; i < d; i++) {
        for (int k = 0; k < d; k++) {
            const double f = a[(size_t)i * d + k];

            for (int j = 0; j < d; j++) out[(size_t)i * d + j] += f * b[(size_t)k * d + j];
        }
    }
}

/* s <- s^1/2, using work (d x d) and w[d]. */
static gs_status square_root(double *s, double *work, double *w, int d)
{
    gs_status st = gs_eigen_symmetric(s, w, d);

    if (st != GS_OK) return st;
    memset(work, 0, (size_t)d * d * sizeof(double));
    for (int k = 0; k < d; k++) { /* sum of sqrt(w) v v^T */
        const double root = sqrt(fmax(w[k], 0)), *v = s + (size_t)k * d;

        for (int i = 0; root > 0 && i < d; i++) {
            const double f = root * v[i];

            for (int j = 0; j < d; j++) work[(size_t)i * d + j] += f * v[j];
        }
    }
    memcpy(s, work, (size_t)d * d * sizeof(double));
    return GS_OK;
}

gs_status gs_frechet(const float *real, int n_real, const float *fake, int n_fake, int d, double *mean_term, double *cov_term)
{
    double *m1 = NULL, *m2, *w, *s1, *s2, *a, *b, trace = 0;
    gs_status st = GS_OK;
    size_t square;

    if (n_real < 2 || n_fake < 2 || d < 1) {
        return gs_fail(GS_EINVAL, "Frechet distance of %d and %d features of width %d: wants 2 or more of each", n_real, n_fake, d);
    }
    if (!gs_mul_size((size_t)d, (size_t)d, &square)) return gs_fail(GS_ELIMIT, "features of width %d", d);
    m1 = gs_try_alloc(4 * square + 3 * (size_t)d, sizeof(double), "covariances");
    if (!m1) return GS_ENOMEM;
    m2 = m1 + d, w = m2 + d, s1 = w + d, s2 = s1 + square, a = s2 + square, b = a + square;
    TRY(moments(real, n_real, d, m1, s1));
    TRY(moments(fake, n_fake, d, m2, s2));
    *mean_term = 0;
    for (int i = 0; i < d; i++) {
        *mean_term += (m1[i] - m2[i]) * (m1[i] - m2[i]);
        trace += s1[(size_t)i * d + i] + s2[(size_t)i * d + i];
    }
    TRY(square_root(s1, a, w, d));
    multiply(a, s1, s2, d);
    multiply(b, a, s1, d);
    for (int i = 0; i < d; i++) /* symmetric but for rounding */
        for (int k = 0; k < i; k++) b[(size_t)i * d + k] = b[(size_t)k * d + i] = 0.5 * (b[(size_t)i * d + k] + b[(size_t)k * d + i]);
    TRY(gs_eigen_symmetric(b, w, d));
    for (int i = 0; i < d; i++) trace -= 2 * sqrt(fmax(w[i], 0));
    *cov_term = trace;
done:
    free(m1);
    return st;
}

/* ---- kernel distance ---- */

static double kernel(const float *x, const float *y, int d, const gs_kid_opts *o)
{
    double s = 0, base, k = 1;

    for (int i = 0; i < d; i++) s += (double)x[i] * y[i];
    base = s / d + o->coef0;
    for (int i = 0; i < o->degree; i++) k *= base;
    return k;
}

/* Rows by number, or 0..n-1 when index is NULL. */
static const float *row(const float *x, int d, const int32_t *index, int i)
{
    return x + (size_t)(index ? index[i] : i) * d;
}

/* Mean of the kernel over pairs of different rows of one set. */
static double within(const float *x, const int32_t *index, int n, int d, const gs_kid_opts *o)
{
    double sum = 0;

    for (int i = 0; i < n; i++)
        for (int k = 0; k < i; k++) sum += kernel(row(x, d, index, i), row(x, d, index, k), d, o);
    return 2 * sum / ((double)n * (n - 1));
}

static double across(const float *x, const int32_t *ix, int nx, const float *y, const int32_t *iy, int ny, int d, const gs_kid_opts *o)
{
    double sum = 0;

    for (int i = 0; i < nx; i++)
        for (int k = 0; k < ny; k++) sum += kernel(row(x, d, ix, i), row(y, d, iy, k), d, o);
    return sum / ((double)nx * ny);
}

static gs_status estimate(const float *x, const int32_t *ix, int nx, const float *y, const int32_t *iy, int ny, int d,
                          const gs_kid_opts *o, double *value)
{
    if (nx < 2 || ny < 2 || d < 1 || o->degree < 1) {
        return gs_fail(GS_EINVAL, "kernel distance of %d and %d features of width %d: wants 2 or more of each", nx, ny, d);
    }
    *value = within(x, ix, nx, d, o) + within(y, iy, ny, d, o) - 2 * across(x, ix, nx, y, iy, ny, d, o);
    return GS_OK;
}

gs_status gs_kid(const float *real, int n_real, const float *fake, int n_fake, int d, const gs_kid_opts *o, double *value)
{
    return estimate(real, NULL, n_real, fake, NULL, n_fake, d, o, value);
}

int gs_kid_block_count(int n_real, int n_fake, int block)
{
    const int larger = GS_MAX(n_real, n_fake);

    return larger < 1 || block < 1 ? 1 : (larger - 1) / block + 1;
}

/* Mean and, with `free_degrees` taken from the count, the standard deviation. */
static void summarise(const double *v, int n, int free_degrees, double *mean, double *deviation)
{
    double sum = 0, sq = 0;

    for (int i = 0; i < n; i++) sum += v[i];
    *mean = sum / n;
    for (int i = 0; i < n; i++) sq += (v[i] - *mean) * (v[i] - *mean);
    *deviation = n > free_degrees ? sqrt(sq / (n - free_degrees)) : 0;
}

/* n rows in `blocks` runs: the last n % blocks of them have one row more. */
static int block_start(int n, int blocks, int i)
{
    const int size = n / blocks, small = blocks - n % blocks;

    return i * size + GS_MAX(0, i - small);
}

gs_status gs_kid_blocks(const float *real, int n_real, const float *fake, int n_fake, int d, const gs_kid_opts *o, int block,
                        double *values, double *mean, double *stderr_mean)
{
    const int blocks = gs_kid_block_count(n_real, n_fake, block);

    for (int i = 0; i < blocks; i++) {
        const int r = block_start(n_real, blocks, i), f = block_start(n_fake, blocks, i);
        const gs_status st = estimate(real + (size_t)r * d, NULL, block_start(n_real, blocks, i + 1) - r, fake + (size_t)f * d, NULL,
                                      block_start(n_fake, blocks, i + 1) - f, d, o, &values[i]);

        if (st != GS_OK) return st;
    }
    summarise(values, blocks, 1, mean, stderr_mean);
    *stderr_mean /= sqrt(blocks);
    return GS_OK;
}

gs_status gs_kid_subsets(const float *real, int n_real, const float *fake, int n_fake, int d, const gs_kid_opts *o,
                         const int32_t *rows_real, const int32_t *rows_fake, int subsets, int size,
                         double *values, double *mean, double *deviation)
{
    for (size_t i = 0; i < (size_t)subsets * (size_t)size; i++) {
        if (rows_real[i] < 0 || rows_real[i] >= n_real || rows_fake[i] < 0 || rows_fake[i] >= n_fake) {
            return gs_fail(GS_EINVAL, "kernel distance: a subset names a row that does not exist");
        }
    }
    for (int i = 0; i < subsets; i++) {
        const size_t at = (size_t)i * size;
        const gs_status st = estimate(real, rows_real + at, size, fake, rows_fake + at, size, d, o, &values[i]);

        if (st != GS_OK) return st;
    }
    summarise(values, subsets, 0, mean, deviation);
    return GS_OK;
}
