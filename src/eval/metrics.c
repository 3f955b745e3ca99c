/* Frechet distance of two sets of feature vectors.
 *
 * The trace of (S1 S2)^1/2 is the sum of the singular values of F1 F2^T for any factors S = F^T F. Centred rows are
 * such a factor of as many rows as there are vectors; where these are more than the features, Cholesky's is the
 * smaller one. So no matrix root is needed, and a hundred vectors of width 2048 cost a 100 x 100 problem. */
#include "eval/metrics.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/dots.h"

#define PANEL 64 /* columns of Cholesky's factor made at a time */

/* A factor of a covariance: rows (r, d) with rows^T rows = S; and the mean. */
typedef struct factor {
    double *rows, *mean;
    int r;
    double trace; /* of S */
} factor;

/* Means, and rows less their mean (n, d). */
static void centre(double *rows, double *mean, const float *x, int n, int d)
{
    memset(mean, 0, (size_t)d * sizeof *mean);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < d; k++) mean[k] += x[(size_t)i * d + k];
    for (int k = 0; k < d; k++) mean[k] /= n;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < d; k++) rows[(size_t)i * d + k] = x[(size_t)i * d + k] - mean[k];
}

/* s (d x d, lower triangle) <- L with L L^T = s, zeros above. Pivots that are rounding noise beside the largest
 * element give a zero column, which is a change of s by that noise. */
static void cholesky(double *s, double *work, int d)
{
    double floor = 0;

    for (int i = 0; i < d; i++) floor = fmax(floor, s[(size_t)i * d + i]);
    floor *= 4 * DBL_EPSILON * d;
    for (int k = 0; k < d; k += PANEL) { /* columns k .. k + m - 1 */
        const int m = GS_MIN(PANEL, d - k);

        gs__dots(work, PANEL, s + (size_t)k * d, (size_t)d, d - k, s + (size_t)k * d, (size_t)d, m, k, 0);
        for (int i = k; i < d; i++)
            for (int j = 0; j < m; j++) s[(size_t)i * d + k + j] -= work[(size_t)(i - k) * PANEL + j];
        for (int j = 0; j < m; j++) {
            const double *pivot = s + (size_t)(k + j) * d + k;
            const double p = pivot[j] - gs__dot(pivot, pivot, j), root = p > floor ? sqrt(p) : 0;

            for (int i = k + j; i < d; i++) {
                double *row = s + (size_t)i * d + k;

                row[j] = root > 0 ? i == k + j ? root : (row[j] - gs__dot(row, pivot, j)) / root : 0;
            }
        }
        for (int i = k; i < k + m; i++)
            for (int j = i + 1; j < d; j++) s[(size_t)i * d + j] = 0;
    }
}

static void transpose(double *out, const double *a, int rows, int cols)
{
    for (int i = 0; i < rows; i += 16)
        for (int k = 0; k < cols; k += 16)
            for (int y = i; y < GS_MIN(i + 16, rows); y++)
                for (int x = k; x < GS_MIN(k + 16, cols); x++) out[(size_t)x * rows + y] = a[(size_t)y * cols + x];
}

static gs_status factor_make(factor *f, const float *x, int n, int d)
{
    double *turned = NULL, *s = NULL, *work = NULL;
    gs_status st = GS_OK;

    *f = (factor){ .r = n };
    f->mean = gs_try_alloc((size_t)d, sizeof(double), "mean features");
    f->rows = gs_try_alloc((size_t)n * (size_t)d, sizeof(double), "centred features");
    TRY(f->mean && f->rows ? GS_OK : GS_ENOMEM);
    centre(f->rows, f->mean, x, n, d);
    for (size_t i = 0; i < (size_t)n * (size_t)d; i++) {
        f->trace += f->rows[i] * f->rows[i];
        f->rows[i] /= sqrt(n - 1.0);
    }
    f->trace /= n - 1.0;
    TRY(isfinite(f->trace) ? GS_OK : gs_fail(GS_ENUMERIC, "Frechet distance: a feature is not finite"));
    if (n <= d) goto done;
    turned = gs_try_alloc((size_t)n * (size_t)d, sizeof(double), "centred features");
    s = gs_try_alloc((size_t)d * (size_t)d, sizeof(double), "a covariance");
    work = gs_try_alloc((size_t)d * PANEL, sizeof(double), "a covariance");
    TRY(turned && s && work ? GS_OK : GS_ENOMEM);
    transpose(turned, f->rows, n, d);
    gs__dots(s, (size_t)d, turned, (size_t)n, d, turned, (size_t)n, d, n, 1);
    cholesky(s, work, d);
    transpose(f->rows, s, d, d); /* rows of L^T; n rows were room enough */
    f->r = d;
done:
    free(turned);
    free(s);
    free(work);
    return st;
}

static void factor_free(factor *f)
{
    free(f->rows);
    free(f->mean);
}

/* Sum of the singular values of m (a, b), a <= b. */
static gs_status nuclear_norm(const double *m, int a, int b, double *norm)
{
    double *square = gs_try_alloc((size_t)a * (size_t)a + (size_t)a, sizeof(double), "a matrix of features"), *w;
    gs_status st = GS_OK;

    *norm = 0;
    if (!square) return GS_ENOMEM;
    w = square + (size_t)a * a;
    gs__dots(square, (size_t)a, m, (size_t)b, a, m, (size_t)b, a, b, 1);
    for (int i = 0; i < a; i++)
        for (int k = 0; k < i; k++) square[(size_t)k * a + i] = square[(size_t)i * a + k];
    TRY(gs_eigenvalues_symmetric(square, w, a));
    for (int i = 0; i < a; i++) *norm += sqrt(fmax(w[i], 0));
done:
    free(square);
    return st;
}

gs_status gs_frechet(const float *real, int n_real, const float *fake, int n_fake, int d, double *mean_term,
                     double *cov_term)
{
    factor f[2] = { { 0 }, { 0 } };
    const factor *small, *large;
    double *m = NULL, norm;
    gs_status st = GS_OK;
    size_t square;

    if (n_real < 2 || n_fake < 2 || d < 1) {
        return gs_fail(GS_EINVAL, "Frechet distance of %d and %d features of width %d: wants 2 or more of each",
                       n_real, n_fake, d);
    }
    if (!gs_mul_size((size_t)d, (size_t)d, &square)) return gs_fail(GS_ELIMIT, "features of width %d", d);
    TRY(factor_make(&f[0], real, n_real, d));
    TRY(factor_make(&f[1], fake, n_fake, d));
    small = f[0].r <= f[1].r ? &f[0] : &f[1];
    large = small == &f[0] ? &f[1] : &f[0];
    m = gs_try_alloc((size_t)small->r * (size_t)large->r, sizeof *m, "a matrix of features");
    TRY(m ? GS_OK : GS_ENOMEM);
    gs__dots(m, (size_t)large->r, small->rows, (size_t)d, small->r, large->rows, (size_t)d, large->r, d, 0);
    TRY(nuclear_norm(m, small->r, large->r, &norm));
    *mean_term = 0;
    for (int i = 0; i < d; i++) *mean_term += (f[0].mean[i] - f[1].mean[i]) * (f[0].mean[i] - f[1].mean[i]);
    *cov_term = f[0].trace + f[1].trace - 2 * norm;
done:
    free(m);
    factor_free(&f[0]);
    factor_free(&f[1]);
    return st;
}
