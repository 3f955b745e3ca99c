/* Eigenvalues and vectors of a symmetric matrix: Golub & Van Loan, Matrix Computations, 8.3 (Householder tridiagonalisation and
 * QL with implicit Wilkinson shifts). Vectors are kept as rows, so that every inner loop runs along memory. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/metrics.h"

/* a -> Q T Q^T: t gets T's diagonal, e[i] the element between i and i+1; a becomes Q^T (row j: column j of Q). */
static void tridiagonalise(double *a, double *t, double *e, int n, double *v, double *p)
{
    double *beta = v + n; /* the reflectors I - beta u u^T stay in a's columns below the diagonal, u_1 = 1 */

    for (int k = 0; k < n - 2; k++) {
        const int m = n - k - 1;
        double norm = 0, alpha, kappa = 0;

        for (int i = 0; i < m; i++) {
            v[i] = a[(size_t)(k + 1 + i) * n + k];
            if (i > 0) norm += v[i] * v[i];
        }
        if (norm == 0) {
            beta[k] = 0;
            e[k] = v[0];
            continue;
        }
        alpha = -copysign(sqrt(v[0] * v[0] + norm), v[0]);
        beta[k] = (alpha - v[0]) / alpha;
        for (int i = m - 1; i >= 1; i--) v[i] /= v[0] - alpha;
        v[0] = 1;
        e[k] = alpha;
        for (int i = 0; i < m; i++) { /* p = beta A u */
            const double *row = a + (size_t)(k + 1 + i) * n + k + 1;
            double s = 0;

            for (int j = 0; j < m; j++) s += row[j] * v[j];
            p[i] = beta[k] * s;
            kappa += p[i] * v[i];
        }
        kappa *= beta[k] / 2;
        for (int i = 0; i < m; i++) p[i] -= kappa * v[i];
        for (int i = 0; i < m; i++) { /* A - u p^T - p u^T */
            double *row = a + (size_t)(k + 1 + i) * n + k + 1;

            for (int j = 0; j < m; j++) row[j] -= v[i] * p[j] + p[i] * v[j];
        }
        for (int i = 0; i < m; i++) a[(size_t)(k + 1 + i) * n + k] = v[i];
    }
    for (int i = 0; i < n; i++) t[i] = a[(size_t)i * n + i];
    if (n > 1) e[n - 2] = a[(size_t)(n - 1) * n + n - 2];

    /* Q^T = H_{n-3} ... H_0, built up from the last reflector, which acts on the smallest block. */
    double *q = gs_xalloc((size_t)n * n * sizeof(double));

    for (int i = 0; i < n; i++) q[(size_t)i * n + i] = 1;
    for (int k = n - 3; k >= 0; k--) { /* q <- q H_k: rows of the block k+1.. only */
        const int m = n - k - 1;

        if (beta[k] == 0) continue;
        for (int i = 0; i < m; i++) v[i] = a[(size_t)(k + 1 + i) * n + k];
        for (int r = k + 1; r < n; r++) {
            double *row = q + (size_t)r * n + k + 1, s = 0;

            for (int j = 0; j < m; j++) s += row[j] * v[j];
            s *= beta[k];
            for (int j = 0; j < m; j++) row[j] -= s * v[j];
        }
    }
    memcpy(a, q, (size_t)n * n * sizeof(double));
    free(q);
}

/* Rotates rows i and i+1 of z. */
static void rotate(double *z, int n, int i, double c, double s)
{
    double *x = z + (size_t)i * n, *y = x + n;

    for (int k = 0; k < n; k++) {
        const double f = y[k];

        y[k] = s * x[k] + c * f;
        x[k] = c * x[k] - s * f;
    }
}

static bool ql(double *d, double *e, double *z, int n)
{
    double floor = 0; /* a matrix of low rank has blocks of rounding noise, in which no element is small beside its neighbours */

    e[n - 1] = 0;
    for (int i = 0; i < n; i++) floor = fmax(floor, 2.3e-16 * (fabs(d[i]) + fabs(e[i])));
    for (int l = 0; l < n; l++) {
        for (int iteration = 0;; iteration++) {
            double g, r, s = 1, c = 1, p = 0;
            int m = l, i;

            while (m < n - 1 && fabs(e[m]) > fmax(floor, 2.3e-16 * (fabs(d[m]) + fabs(d[m + 1])))) m++;
            if (m == l) break;
            if (iteration == 60) return false;
            g = (d[l + 1] - d[l]) / (2 * e[l]); /* Wilkinson's shift from the leading 2 x 2 block */
            r = hypot(g, 1);
            g = d[m] - d[l] + e[l] / (g + copysign(r, g));
            for (i = m - 1; i >= l; i--) { /* chase the bulge up */
                const double f = s * e[i], b = c * e[i];

                r = hypot(f, g);
                e[i + 1] = r;
                if (r == 0) {
                    d[i + 1] -= p;
                    e[m] = 0;
                    break;
                }
                s = f / r, c = g / r;
                g = d[i + 1] - p;
                r = (d[i] - g) * s + 2 * c * b;
                p = s * r;
                d[i + 1] = g + p;
                g = c * r - b;
                rotate(z, n, i, c, s);
            }
            if (i >= l) continue;
            d[l] -= p;
            e[l] = g;
            e[m] = 0;
        }
    }
    return true;
}

gs_status gs_eigen_symmetric(double *a, double *w, int n)
{
    double *work = gs_try_alloc((size_t)n * 4 + 4, sizeof(double), "eigenvalues");
    gs_status st = GS_OK;
    double *e = work;

    if (!work) return GS_ENOMEM;
    for (size_t i = 0; i < (size_t)n * n; i++) {
        if (!isfinite(a[i])) TRY(gs_fail(GS_ENUMERIC, "eigenvalues: the matrix holds a value that is not finite"));
    }
    tridiagonalise(a, w, e, n, work + n, work + 3 * n);
    if (!ql(w, e, a, n)) TRY(gs_fail(GS_ENUMERIC, "eigenvalues: no convergence for a %d x %d matrix", n, n));
    for (int i = 0; i < n - 1; i++) { /* ascending */
        int least = i;

        for (int k = i + 1; k < n; k++) {
            if (w[k] < w[least]) least = k;
        }
        if (least == i) continue;
        const double x = w[i];

        w[i] = w[least];
        w[least] = x;
        for (int k = 0; k < n; k++) {
            const double y = a[(size_t)i * n + k];

            a[(size_t)i * n + k] = a[(size_t)least * n + k];
            a[(size_t)least * n + k] = y;
        }
    }
done:
    free(work);
    return st;
}
