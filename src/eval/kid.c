/* Kernel distance: all kernels of two sets are computed once, and every estimate (whole sets, blocks, subsets) is
 * sums of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/dots.h"
#include "eval/metrics.h"

struct gs_kid_kernels {
    int n[2];     /* rows of the real set and of the fake one */
    double *k[2]; /* within a set: (n,n), both triangles */
    double *across; /* (n[0],n[1]) */
};

static void widen(double *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = x[i];
}

/* Dot products -> (x / d + coef0)^degree. */
static void apply(double *v, size_t n, int d, const gs_kid_opts *o)
{
    for (size_t i = 0; i < n; i++) {
        const double base = v[i] / d + o->coef0;
        double k = 1;

        for (int j = 0; j < o->degree; j++) k *= base;
        v[i] = k;
    }
}

gs_status gs_kid_kernels_new(const float *real, int n_real, const float *fake, int n_fake, int d, const gs_kid_opts *o,
                             gs_kid_kernels **out)
{
    const float *set[2] = { real, fake };
    gs_kid_kernels *s = gs_xalloc(sizeof *s);
    double *wide[2] = { NULL, NULL };
    gs_status st = GS_OK;

    s->n[0] = n_real;
    s->n[1] = n_fake;
    if (n_real < 2 || n_fake < 2 || d < 1 || o->degree < 1) {
        TRY(gs_fail(GS_EINVAL, "kernel distance of %d and %d features of width %d: wants 2 or more of each", n_real,
                    n_fake, d));
    }
    for (int i = 0; i < 2; i++) {
        const size_t n = (size_t)s->n[i];

        wide[i] = gs_try_alloc(n * (size_t)d, sizeof(double), "features");
        s->k[i] = gs_try_alloc(n * n, sizeof(double), "the kernels of a set of features");
        TRY(wide[i] && s->k[i] ? GS_OK : GS_ENOMEM);
        widen(wide[i], set[i], n * (size_t)d);
        gs__dots(s->k[i], n, wide[i], (size_t)d, s->n[i], wide[i], (size_t)d, s->n[i], d, 1);
        for (size_t y = 0; y < n; y++)
            for (size_t x = 0; x < y; x++) s->k[i][x * n + y] = s->k[i][y * n + x];
        apply(s->k[i], n * n, d, o);
    }
    s->across = gs_try_alloc((size_t)n_real * (size_t)n_fake, sizeof(double), "the kernels of two sets of features");
    TRY(s->across ? GS_OK : GS_ENOMEM);
    gs__dots(s->across, (size_t)n_fake, wide[0], (size_t)d, n_real, wide[1], (size_t)d, n_fake, d, 0);
    apply(s->across, (size_t)n_real * (size_t)n_fake, d, o);
done:
    free(wide[0]);
    free(wide[1]);
    if (st != GS_OK) {
        gs_kid_kernels_free(s);
        s = NULL;
    }
    *out = s;
    return st;
}

void gs_kid_kernels_free(gs_kid_kernels *s)
{
    if (!s) return;
    free(s->k[0]);
    free(s->k[1]);
    free(s->across);
    free(s);
}

/* Rows of an estimate: given ones, or a run from `first`. */
typedef struct rows {
    const int32_t *index; /* NULL: a run */
    int first, n;
} rows;

static int row(rows r, int i)
{
    return r.index ? r.index[i] : r.first + i;
}

/* The unbiased estimate: pairs of different rows within either set, all pairs across. */
static gs_status estimate(const gs_kid_kernels *s, rows real, rows fake, double *value)
{
    const rows set[2] = { real, fake };
    double sum = 0, mean[2];

    for (int i = 0; i < 2; i++) {
        const int n = set[i].n;

        if (n < 2)
            return gs_fail(GS_EINVAL, "kernel distance of %d and %d features: wants 2 or more of each", real.n, fake.n);
        mean[i] = 0;
        for (int y = 0; y < n; y++) {
            const double *k = s->k[i] + (size_t)row(set[i], y) * s->n[i];

            for (int x = 0; x < y; x++) mean[i] += k[row(set[i], x)];
        }
        mean[i] *= 2 / ((double)n * (n - 1));
    }
    for (int y = 0; y < real.n; y++) {
        const double *k = s->across + (size_t)row(real, y) * s->n[1];

        for (int x = 0; x < fake.n; x++) sum += k[row(fake, x)];
    }
    *value = mean[0] + mean[1] - 2 * sum / ((double)real.n * fake.n);
    return GS_OK;
}

gs_status gs_kid(const gs_kid_kernels *s, double *value)
{
    return estimate(s, (rows){ .n = s->n[0] }, (rows){ .n = s->n[1] }, value);
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

gs_status gs_kid_blocks(const gs_kid_kernels *s, const int32_t *order_real, const int32_t *order_fake, int block,
                        double *values, double *mean, double *stderr_mean)
{
    const int32_t *order[2] = { order_real, order_fake };
    const int blocks = gs_kid_block_count(s->n[0], s->n[1], block);

    for (int i = 0; i < blocks; i++) {
        rows r[2];
        gs_status st;

        for (int k = 0; k < 2; k++) {
            const int first = block_start(s->n[k], blocks, i);

            r[k] = (rows){ .index = order[k] ? order[k] + first : NULL, .first = first,
                           .n = block_start(s->n[k], blocks, i + 1) - first };
        }
        st = estimate(s, r[0], r[1], &values[i]);
        if (st != GS_OK) return st;
    }
    summarise(values, blocks, 1, mean, stderr_mean);
    *stderr_mean /= sqrt(blocks);
    return GS_OK;
}

gs_status gs_kid_subsets(const gs_kid_kernels *s, const int32_t *rows_real, const int32_t *rows_fake, int subsets,
                         int size, double *values, double *mean, double *deviation)
{
    for (size_t i = 0; i < (size_t)subsets * (size_t)size; i++) {
        if (rows_real[i] < 0 || rows_real[i] >= s->n[0] || rows_fake[i] < 0 || rows_fake[i] >= s->n[1]) {
            return gs_fail(GS_EINVAL, "kernel distance: a subset names a row that does not exist");
        }
    }
    for (int i = 0; i < subsets; i++) {
        const size_t at = (size_t)i * size;
        const gs_status st = estimate(s, (rows){ .index = rows_real + at, .n = size },
                                      (rows){ .index = rows_fake + at, .n = size }, &values[i]);

        if (st != GS_OK) return st;
    }
    summarise(values, subsets, 0, mean, deviation);
    return GS_OK;
}

/* ---- the two protocols ---- */

static void draw(gs_rng *r, int32_t *order, int n, int32_t *subset, int size)
{
    gs_rng_permute(r, order, n);
    memcpy(subset, order, (size_t)size * sizeof *subset);
}

/* How many subsets or blocks, and of how many rows; GS_EINVAL when the sets are too small. */
static gs_status plan(int n_real, int n_fake, const gs_kid_protocol *o, gs_kid_score *out)
{
    const int least = GS_MIN(n_real, n_fake);

    *out = (gs_kid_score){ .blocks = o->block > 0 };
    if (out->blocks) {
        out->subsets = gs_kid_block_count(n_real, n_fake, o->block);
        out->size = o->block;
        if (least / out->subsets < 2) {
            return gs_fail(GS_EINVAL, "kernel distance in blocks of %d: %d and %d pictures are too few or too unequal: "
                           "a block of the smaller set would have %d", o->block, n_real, n_fake, least / out->subsets);
        }
        return GS_OK;
    }
    out->subsets = o->subsets ? o->subsets : 100;
    out->size = o->size ? o->size : GS_MIN(1000, least / 2);
    if (out->subsets < 1 || out->size < 2 || out->size > least) {
        return gs_fail(GS_EINVAL, "kernel distance on %d subsets of %d: there are %d and %d pictures; wants 2 or more "
                       "in a subset and as many in either set", out->subsets, out->size, n_real, n_fake);
    }
    return GS_OK;
}

gs_status gs_kid_check(int n_real, int n_fake, const gs_kid_protocol *o)
{
    gs_kid_score s;

    return plan(n_real, n_fake, o, &s);
}

gs_status gs_kid_measure(const gs_kid_kernels *s, const gs_kid_protocol *o, gs_kid_score *out)
{
    gs_rng rng = { .seed = o->seed, .stream = 0x6b696400 };
    int32_t *order[2] = { NULL, NULL }, *subset[2] = { NULL, NULL };
    double *values = NULL;
    gs_status st = GS_OK;

    TRY(plan(s->n[0], s->n[1], o, out));
    TRY(gs_kid(s, &out->whole));
    values = gs_try_alloc((size_t)out->subsets, sizeof *values, "subsets");
    TRY(values ? GS_OK : GS_ENOMEM);
    for (int i = 0; i < 2; i++) order[i] = gs_xalloc((size_t)s->n[i] * sizeof *order[i]);
    if (out->blocks) {
        for (int i = 0; i < 2; i++) gs_rng_permute(&rng, order[i], s->n[i]); /* files come in the order of names */
        TRY(gs_kid_blocks(s, order[0], order[1], o->block, values, &out->mean, &out->spread));
        goto done;
    }
    for (int i = 0; i < 2; i++) {
        subset[i] = gs_try_alloc((size_t)out->subsets, (size_t)out->size * sizeof *subset[i], "subsets");
        TRY(subset[i] ? GS_OK : GS_ENOMEM);
    }
    for (int k = 0; k < out->subsets; k++)
        for (int i = 0; i < 2; i++) draw(&rng, order[i], s->n[i], subset[i] + (size_t)k * out->size, out->size);
    TRY(gs_kid_subsets(s, subset[0], subset[1], out->subsets, out->size, values, &out->mean, &out->spread));
done:
    for (int i = 0; i < 2; i++) {
        free(order[i]);
        free(subset[i]);
    }
    free(values);
    return st;
}
