/* Parzen windows: tiles of distances on the device, sums over tiles on the host.
 * Shape letters: N rows of data in a tile, M samples in a tile, D values a row, S widths.
 *
 * The greatest term of each logsumexp belongs to the nearest sample whatever sigma is, so a tile gives, for
 * each row, the smallest distance and for each sigma the sum of exp((smallest - distance) / (2 sigma^2)):
 * terms in [0,1], at least one of them 1. */
#include "eval/parzen.h"

#include <math.h>
#include <stdlib.h>

#include "gesso/gesso.h"

#define TILE_N 500
#define TILE_M 1000
#define FAR    1e30f /* the squared norm of a row that only fills up a tile: its terms are 0 */

struct gs_parzen {
    int n, dim, s;
    gs_rows_fn *rows;
    void *user;
    double sigma[GS_PARZEN_MAX_SIGMAS];
    gs_plan *plan;
    double *mean;           /* dim: of the data */
    int64_t m;              /* samples so far */
    double *nearest, *sum;  /* n: smallest squared distance; n * s: sums, relative to it */
    float *x, *x2;          /* TILE_N * dim, TILE_N: a tile of data and its squared norms */
    float *mu, *mu2;        /* TILE_M * dim, TILE_M */
    float *near_out, *sum_out; /* TILE_N; s * TILE_N */
};

static gs_status build(gs_parzen *p, gs_device *d)
{
    gs_graph *g = gs_graph_new();
    gs_node *x = gs_input(g, "x", GS_SHAPE(TILE_N, p->dim), GS_F32), *x2 = gs_input(g, "x2", GS_SHAPE(TILE_N, 1), GS_F32);
    gs_node *mu = gs_input(g, "mu", GS_SHAPE(TILE_M, p->dim), GS_F32), *mu2 = gs_input(g, "mu2", GS_SHAPE(1, TILE_M), GS_F32);
    gs_node *minus = gs_sub(gs_scale(gs_matmul(x, mu, false, true), 2), gs_add(x2, mu2)); /* (N,M): -|x - mu|^2 */
    gs_node *top = gs_max(minus, 1, true);                                                 /* (N,1) */
    gs_node *sums[GS_PARZEN_MAX_SIGMAS], *rel = gs_sub(minus, top);
    gs_status st;

    for (int k = 0; k < p->s; k++)
        sums[k] = gs_sum(gs_exp(gs_scale(rel, 0.5 / (p->sigma[k] * p->sigma[k]))), GS_AXIS(1), true); /* (N,1) */
    gs_output(g, "top", top);
    gs_output(g, "sums", gs_concat(sums, p->s, 1)); /* (N,S) */
    st = gs_compile(g, d, NULL, NULL, &p->plan);
    gs_graph_free(g);
    return st;
}

/* Takes the mean off n rows in place, fills up with rows that count for nothing, and takes the squared norms. */
static void centre(const gs_parzen *p, float *x, float *norm, int n, int tile)
{
    for (int i = 0; i < n; i++) {
        float *r = x + (size_t)i * p->dim;
        double s = 0;

        for (int k = 0; k < p->dim; k++) {
            r[k] = (float)(r[k] - p->mean[k]);
            s += (double)r[k] * r[k];
        }
        norm[i] = (float)s;
    }
    for (size_t k = (size_t)n * p->dim; k < (size_t)tile * p->dim; k++) x[k] = 0;
    for (int i = n; i < tile; i++) norm[i] = FAR;
}

gs_status gs_parzen_new(gs_device *d, int n, int dim, gs_rows_fn *rows, void *user, const double *sigma, int n_sigmas, gs_parzen **out)
{
    gs_parzen *p = gs_xalloc(sizeof *p);
    gs_status st = GS_OK;

    *out = NULL;
    *p = (gs_parzen){ .n = n, .dim = dim, .s = n_sigmas, .rows = rows, .user = user };
    TRY(n >= 1 && dim >= 1 ? GS_OK : gs_fail(GS_EINVAL, "parzen: %d rows of %d values; both are at least 1", n, dim));
    TRY(n_sigmas >= 1 && n_sigmas <= GS_PARZEN_MAX_SIGMAS ? GS_OK
        : gs_fail(GS_EINVAL, "parzen: %d widths; 1 to %d are possible", n_sigmas, GS_PARZEN_MAX_SIGMAS));
    for (int k = 0; k < n_sigmas; k++) {
        /* below 1e-3 the smallest distances in fp32 would decide nothing but rounding */
        TRY(sigma[k] >= 1e-3 && sigma[k] <= 1e6 ? GS_OK : gs_fail(GS_EINVAL, "parzen: width %g; 0.001 to 1e6 are possible", sigma[k]));
        p->sigma[k] = sigma[k];
    }
    p->mean = gs_try_alloc((size_t)dim, sizeof *p->mean, "parzen");
    p->nearest = gs_try_alloc((size_t)n, sizeof *p->nearest, "parzen");
    p->sum = gs_try_alloc((size_t)n * (size_t)n_sigmas, sizeof *p->sum, "parzen");
    p->x = gs_try_alloc((size_t)TILE_N * (size_t)dim, sizeof *p->x, "parzen");
    p->mu = gs_try_alloc((size_t)TILE_M * (size_t)dim, sizeof *p->mu, "parzen");
    p->x2 = gs_xalloc(TILE_N * sizeof *p->x2);
    p->mu2 = gs_xalloc(TILE_M * sizeof *p->mu2);
    p->near_out = gs_xalloc(TILE_N * sizeof *p->near_out);
    p->sum_out = gs_xalloc((size_t)TILE_N * (size_t)n_sigmas * sizeof *p->sum_out);
    TRY(p->mean && p->nearest && p->sum && p->x && p->mu ? GS_OK : GS_ENOMEM);
    for (int at = 0; at < n; at += TILE_N) {
        const int m = GS_MIN(TILE_N, n - at);

        rows(user, at, m, p->x);
        for (int i = 0; i < m; i++)
            for (int k = 0; k < dim; k++) p->mean[k] += (double)p->x[(size_t)i * dim + k] / n;
    }
    TRY(build(p, d));
    *out = p;
    p = NULL;
done:
    gs_parzen_free(p);
    return st;
}

void gs_parzen_free(gs_parzen *p)
{
    if (!p) return;
    gs_plan_free(p->plan);
    free(p->mean);
    free(p->nearest);
    free(p->sum);
    free(p->x);
    free(p->x2);
    free(p->mu);
    free(p->mu2);
    free(p->near_out);
    free(p->sum_out);
    free(p);
}

/* Joins a tile's (nearest, sums) to a row's: the sums are relative to the nearest, so those of the farther
 * one shrink. */
static void join(gs_parzen *p, int first, int n, bool fresh)
{
    for (int i = 0; i < n; i++) {
        const double d = -(double)p->near_out[i];
        double *nearest = &p->nearest[first + i], *sum = &p->sum[(size_t)(first + i) * p->s];
        const double low = fresh || d < *nearest ? d : *nearest;

        for (int k = 0; k < p->s; k++) {
            const double a = 0.5 / (p->sigma[k] * p->sigma[k]), add = exp((low - d) * a) * p->sum_out[(size_t)i * p->s + k];

            sum[k] = fresh ? add : sum[k] * exp((low - *nearest) * a) + add;
        }
        *nearest = low;
    }
}

gs_status gs_parzen_add(gs_parzen *p, const float *samples, int m)
{
    gs_status st = GS_OK;

    for (int at = 0; at < m; at += TILE_M) {
        const int k = GS_MIN(TILE_M, m - at);

        for (size_t i = 0; i < (size_t)k * p->dim; i++) p->mu[i] = samples[(size_t)at * p->dim + i];
        centre(p, p->mu, p->mu2, k, TILE_M);
        TRY(gs_plan_feed(p->plan, "mu", p->mu));
        TRY(gs_plan_feed(p->plan, "mu2", p->mu2));
        for (int first = 0; first < p->n; first += TILE_N) {
            const int n = GS_MIN(TILE_N, p->n - first);

            p->rows(p->user, first, n, p->x);
            centre(p, p->x, p->x2, n, TILE_N);
            TRY(gs_plan_feed(p->plan, "x", p->x));
            TRY(gs_plan_feed(p->plan, "x2", p->x2));
            TRY(gs_plan_run(p->plan, 0, 0));
            TRY(gs_plan_fetch(p->plan, "top", p->near_out));
            TRY(gs_plan_fetch(p->plan, "sums", p->sum_out));
            join(p, first, n, p->m == 0);
        }
        p->m += k;
    }
done:
    return st;
}

gs_status gs_parzen_finish(const gs_parzen *p, gs_parzen_result *out)
{
    if (p->m == 0) return gs_fail(GS_EINVAL, "parzen: no samples were added");
    for (int k = 0; k < p->s; k++) {
        const double sigma = p->sigma[k], constant = -log((double)p->m) - p->dim * log(sigma * sqrt(2 * M_PI));
        double mean = 0, square = 0;

        for (int pass = 0; pass < 2; pass++)
            for (int i = 0; i < p->n; i++) {
                const double ll = constant - p->nearest[i] / (2 * sigma * sigma) + log(p->sum[(size_t)i * p->s + k]);

                if (pass == 0) mean += ll / p->n;
                else square += (ll - mean) * (ll - mean);
            }
        out[k].mean = mean;
        out[k].se = sqrt(square / p->n / p->n);
    }
    return GS_OK;
}

void gs_parzen_sigmas(double *sigma, int n)
{
    for (int i = 0; i < n; i++) sigma[i] = pow(10, -1 + (double)i / (n - 1));
}

int gs_parzen_best(const gs_parzen_result *r, int n)
{
    int best = 0;

    for (int i = 1; i < n; i++)
        if (r[i].mean > r[best].mean) best = i;
    return best;
}
