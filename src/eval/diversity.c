/* Standard deviations of pixels, and distances of all pairs. */
#include "eval/diversity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef float lanes __attribute__((vector_size(32))); /* eight partial sums: short chains, and the compiler's
                                                       * own vectors */

static double distance(const float *a, const float *b, int d)
{
    lanes s = { 0 };
    double sum = 0;
    int k = 0;

    for (; k + 8 <= d; k += 8) {
        lanes u, v;

        memcpy(&u, a + k, sizeof u);
        memcpy(&v, b + k, sizeof v);
        u -= v;
        s += u * u;
    }
    for (int i = 0; i < 8; i++) sum += s[i];
    for (; k < d; k++) sum += ((double)a[k] - b[k]) * ((double)a[k] - b[k]);
    return sqrt(sum);
}

typedef struct pairs { const float *x; int n, d; double *row; } pairs;

static void one_row(void *user, int i)
{
    const pairs *p = user;

    for (int j = i + 1; j < p->n; j++) p->row[i] += distance(p->x + (size_t)i * p->d, p->x + (size_t)j * p->d, p->d);
}

static double mean_std(const float *x, int n, int d, double *mean, double *square)
{
    double total = 0;

    memset(mean, 0, (size_t)d * sizeof *mean);
    memset(square, 0, (size_t)d * sizeof *square);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < d; k++) mean[k] += x[(size_t)i * d + k];
    for (int k = 0; k < d; k++) mean[k] /= n;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < d; k++) {
            const double e = x[(size_t)i * d + k] - mean[k];

            square[k] += e * e;
        }
    for (int k = 0; k < d; k++) total += sqrt(square[k] / (n - 1));
    return total / d;
}

gs_status gs_diversity_of(const float *x, int n, int d, gs_diversity *out)
{
    pairs p = { x, GS_MIN(n, GS_DIVERSITY_PAIR_ROWS), d, NULL };
    double *work = NULL;
    gs_status st = GS_OK;

    *out = (gs_diversity){ 0 };
    TRY(n >= 2 && d >= 1 ? GS_OK : gs_fail(GS_EINVAL, "diversity of %d pictures of %d values; it takes 2 pictures or more", n, d));
    p.row = gs_xalloc((size_t)p.n * sizeof *p.row);
    work = gs_try_alloc(2 * (size_t)d, sizeof *work, "diversity");
    TRY(work ? GS_OK : GS_ENOMEM);
    out->pixel_std = mean_std(x, n, d, work, work + d);
    gs_parallel_for(p.n, 0, one_row, &p);
    for (int i = 0; i < p.n; i++) out->pair_l2 += p.row[i];
    out->pair_l2 /= 0.5 * p.n * (p.n - 1.0);
done:
    free(p.row);
    free(work);
    return st;
}
