/* Eigenvalues of a symmetric matrix: Golub & Van Loan, Matrix Computations, 8.3 (Householder tridiagonalisation and
 * QL with implicit Wilkinson shifts). The rank-2 change of one reflection is made in the pass over the matrix that
 * the next one needs anyway: what this costs is memory traffic. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/dots.h"
#include "eval/metrics.h"

#define ROWS_A_TASK 128

/* Rows first..n-1 of a: a -= v w^T + w v^T (columns from `first` on), then p = a u. */
typedef struct pass {
    double *a, *p;
    const double *v, *w, *u;
    int n, first;
} pass;

static void change_row(double *row, const double *v, const double *w, int i, int from, int n)
{
    const double x = v[i], y = w[i];

    for (int j = from; j < n; j++) row[j] -= x * w[j] + y * v[j];
}

static void pass_rows(void *user, int task)
{
    const pass *s = user;
    const int i0 = s->first + task * ROWS_A_TASK, i1 = GS_MIN(i0 + ROWS_A_TASK, s->n);

    for (int i = i0; i < i1; i++) {
        double *row = s->a + (size_t)i * s->n;

        change_row(row, s->v, s->w, i, s->first, s->n);
        s->p[i] = gs__dot(row + s->first, s->u + s->first, s->n - s->first);
    }
}

/* x[0..m) -> u with (I - beta u u^T) x = alpha e_1, u_1 = 1. */
static double reflector(const double *x, int m, double *u, double *beta)
{
    double norm = 0, alpha;

    for (int i = 1; i < m; i++) norm += x[i] * x[i];
    if (norm == 0) {
        memset(u, 0, (size_t)m * sizeof *u);
        *beta = 0;
        return x[0];
    }
    alpha = -copysign(sqrt(x[0] * x[0] + norm), x[0]);
    *beta = (alpha - x[0]) / alpha;
    for (int i = 1; i < m; i++) u[i] = x[i] / (x[0] - alpha);
    u[0] = 1;
    return alpha;
}

/* a -> T: t gets its diagonal, e[i] the element between i and i + 1. a is used up; work: 5 n zeros. */
static void tridiagonalise(double *a, double *t, double *e, int n, double *work)
{
    double *v = work, *w = v + n, *u = w + n, *next = u + n, *p = next + n;

    for (int k = 0; k < n - 2; k++) {
        double *row = a + (size_t)k * n, beta, kappa = 0, *swap;
        pass s = { .a = a, .p = p, .v = v, .w = w, .u = u, .n = n, .first = k + 1 };

        change_row(row, v, w, k, k, n);
        t[k] = row[k];
        e[k] = reflector(row + k + 1, n - k - 1, u + k + 1, &beta);
        gs_parallel_for((n - k - 1 + ROWS_A_TASK - 1) / ROWS_A_TASK, 0, pass_rows, &s);
        for (int i = k + 1; i < n; i++) {
            p[i] *= beta;
            kappa += p[i] * u[i];
        }
        kappa *= beta / 2;
        for (int i = k + 1; i < n; i++) next[i] = p[i] - kappa * u[i];
        swap = v, v = u, u = swap;
        swap = w, w = next, next = swap;
    }
    for (int k = GS_MAX(n - 2, 0); k < n; k++) {
        change_row(a + (size_t)k * n, v, w, k, k, n);
        t[k] = a[(size_t)k * n + k];
        if (k < n - 1) e[k] = a[(size_t)k * n + k + 1];
    }
}

static bool ql(double *d, double *e, int n)
{
    /* a matrix of low rank has blocks of rounding noise, in which no element is small beside its neighbours */
    double floor = 0;

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
            }
            if (i >= l) continue;
            d[l] -= p;
            e[l] = g;
            e[m] = 0;
        }
    }
    return true;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

gs_status gs_eigenvalues_symmetric(double *a, double *w, int n)
{
    double *work = gs_try_alloc((size_t)n * 6 + 6, sizeof(double), "eigenvalues");
    gs_status st = GS_OK;

    if (!work) return GS_ENOMEM;
    for (size_t i = 0; i < (size_t)n * n; i++) {
        if (!isfinite(a[i])) TRY(gs_fail(GS_ENUMERIC, "eigenvalues: the matrix holds a value that is not finite"));
    }
    tridiagonalise(a, w, work, n, work + n);
    if (!ql(w, work, n)) TRY(gs_fail(GS_ENUMERIC, "eigenvalues: no convergence for a %d x %d matrix", n, n));
    qsort(w, (size_t)n, sizeof *w, ascending);
done:
    free(work);
    return st;
}
