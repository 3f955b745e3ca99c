/* Parzen windows: against the formula in doubles on small sets, and the table of real digits, which no
 * generator enters. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>

#include "data/idx.h"
#include "eval/parzen.h"
#include "eval/source.h"
#include "lib/one_device.h"

typedef struct rows { const float *x; int dim; } rows;

static void copy_rows(void *user, int first, int n, float *out)
{
    const rows *r = user;

    for (size_t i = 0; i < (size_t)n * r->dim; i++) out[i] = r->x[(size_t)first * r->dim + i];
}

static double log_likelihood(const float *x, const float *mu, int m, int dim, double sigma)
{
    double top = -INFINITY, s = 0;

    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < m; i++) {
            double d = 0;

            for (int k = 0; k < dim; k++) d += ((double)x[k] - mu[i * dim + k]) * ((double)x[k] - mu[i * dim + k]);
            if (pass == 0) top = fmax(top, -d / (2 * sigma * sigma));
            else s += exp(-d / (2 * sigma * sigma) - top);
        }
    return top + log(s) - log(m) - dim * log(sigma * sqrt(2 * M_PI));
}

/* More rows and samples than a tile, added in uneven pieces, and an offset that would cancel badly. */
static void equals_the_formula(void **state)
{
    enum { N = 517, M = 2003, D = 13 };
    static const double sigma[3] = { 0.05, 0.3, 4 };
    float *x = gs_xalloc(N * D * sizeof *x), *mu = gs_xalloc(M * D * sizeof *mu);
    rows data = { x, D };
    gs_rng r = { .seed = 5 };
    gs_parzen_result got[3];
    gs_parzen *p;

    (void)state;
    for (int i = 0; i < N * D; i++) x[i] = (float)(3 + 0.2 * gs_rng_normal(&r));
    for (int i = 0; i < M * D; i++) mu[i] = (float)(3 + 0.2 * gs_rng_normal(&r));
    assert_ok(gs_parzen_new(device, N, D, copy_rows, &data, sigma, 3, &p));
    assert_ok(gs_parzen_add(p, mu, 1));
    assert_ok(gs_parzen_add(p, mu + D, 1500));
    assert_ok(gs_parzen_add(p, mu + 1501 * D, M - 1501));
    assert_ok(gs_parzen_finish(p, got));
    for (int k = 0; k < 3; k++) {
        double mean = 0, square = 0, se;

        for (int i = 0; i < N; i++) mean += log_likelihood(x + i * D, mu, M, D, sigma[k]) / N;
        for (int i = 0; i < N; i++) square += pow(log_likelihood(x + i * D, mu, M, D, sigma[k]) - mean, 2);
        se = sqrt(square / N / N);
        if (fabs(got[k].mean - mean) > 1e-4 * (1 + fabs(mean)) || fabs(got[k].se - se) > 1e-3 * se)
            fail_msg("sigma %g: %.6f +- %.6f, not %.6f +- %.6f", sigma[k], got[k].mean, got[k].se, mean, se);
    }
    gs_parzen_free(p);
    free(x);
    free(mu);
}

/* One sample at distance r: LL = -r^2 / (2 sigma^2) - D log(sigma sqrt(2 pi)). The same sample twice changes
 * nothing. */
static void one_sample(void **state)
{
    const float x[2] = { 0.5f, 0.25f }, mu[4] = { 0.5f, 1.25f, 0.5f, 1.25f };
    const double sigma = 0.1, want = -1 / (2 * 0.01) - 2 * log(0.1 * sqrt(2 * M_PI));
    rows data = { x, 2 };
    gs_parzen_result got;
    gs_parzen *p;

    (void)state;
    assert_ok(gs_parzen_new(device, 1, 2, copy_rows, &data, &sigma, 1, &p));
    assert_fails(gs_parzen_finish(p, &got), GS_EINVAL, "no samples");
    assert_ok(gs_parzen_add(p, mu, 1));
    assert_ok(gs_parzen_finish(p, &got));
    assert_float_equal((float)got.mean, (float)want, 1e-4f);
    assert_float_equal((float)got.se, 0.0f, 0.0f);
    assert_ok(gs_parzen_add(p, mu + 2, 1));
    assert_ok(gs_parzen_finish(p, &got));
    assert_float_equal((float)got.mean, (float)want, 1e-4f);
    gs_parzen_free(p);
}

static void refuses(void **state)
{
    const double good = 0.1, bad = 0, nan = NAN;
    gs_parzen *p;

    (void)state;
    assert_fails(gs_parzen_new(device, 0, 2, copy_rows, NULL, &good, 1, &p), GS_EINVAL, "0 rows");
    assert_fails(gs_parzen_new(device, 1, 2, copy_rows, NULL, &bad, 1, &p), GS_EINVAL, "width 0");
    assert_fails(gs_parzen_new(device, 1, 2, copy_rows, NULL, &nan, 1, &p), GS_EINVAL, "width");
    assert_fails(gs_parzen_new(device, 1, 2, copy_rows, NULL, &good, 0, &p), GS_EINVAL, "0 widths");
    assert_null(p);
}

static void sigmas(void **state)
{
    const gs_parzen_result r[4] = { { -1, 0 }, { 5, 0 }, { 5, 0 }, { 2, 0 } };
    double s[10];

    (void)state;
    gs_parzen_sigmas(s, 10);
    assert_float_equal((float)s[0], 0.1f, 1e-7f);
    assert_float_equal((float)s[1], 0.129155f, 1e-6f);
    assert_float_equal((float)s[9], 1.0f, 1e-7f);
    assert_int_equal(gs_parzen_best(r, 4), 1);
}

static void real_rows(void *user, int first, int n, float *out)
{
    gs_real_unit(user, NULL, first, n, out);
}

/* Test pictures 0-7999 as samples, 8000-9999 as data: a table that was computed once in doubles. */
static void table_of_real_digits(void **state)
{
    static const struct { double sigma, mean, se;
    } want[] = {
        { 0.100000, -174.2588, 13.2568 }, { 0.129155, 125.8324, 7.9472 }, { 0.166810, 225.4005, 4.7643 },
        { 0.215443, 204.7611, 2.8562 },   { 0.278256, 112.0645, 1.7125 }, { 0.359381, -23.8211, 1.0270 },
        { 1.000000, -741.2718, 0.1376 },
    };
    const char *shared = gs_test_shared();
    char *dir = shared ? gs_path_join(shared, "data/mnist") : NULL;
    gs_parzen_result got[10];
    gs_labelled set, data;
    double sigma[10], start;
    gs_parzen *p;
    float *x;

    (void)state;
    if (!dir || !gs_dir_exists(dir)) GS_SKIP("no MNIST in the shared folder");
    assert_ok(gs_idx_load_split(&set, dir, "t10k", 10));
    assert_int_equal(set.n, 10000);
    assert_ok(gs_labelled_slice(&data, &set, 8000, 2000));
    gs_parzen_sigmas(sigma, 10);
    start = gs_now();
    assert_ok(gs_parzen_new(device, 2000, 784, real_rows, &data, sigma, 10, &p));
    x = gs_xalloc(1000 * 784 * sizeof *x);
    for (int at = 0; at < 8000; at += 1000) {
        gs_real_unit(&set, NULL, at, 1000, x);
        assert_ok(gs_parzen_add(p, x, 1000));
    }
    assert_ok(gs_parzen_finish(p, got));
    printf("8000 x 2000 x 784, ten widths: %.2f s\n", gs_now() - start);
    for (size_t k = 0; k < GS_COUNT(want); k++) {
        const int i = k < 6 ? (int)k : 9;

        assert_float_equal((float)sigma[i], (float)want[k].sigma, 1e-6f);
        printf("sigma %.6f: %10.4f +- %.4f (%10.4f +- %.4f)\n", sigma[i], got[i].mean, got[i].se, want[k].mean,
               want[k].se);
        if (fabs(got[i].mean - want[k].mean) > 0.01 || fabs(got[i].se - want[k].se) > 2e-4)
            fail_msg("sigma %.6f: %.4f +- %.4f, not %.4f +- %.4f", sigma[i], got[i].mean, got[i].se, want[k].mean,
                     want[k].se);
    }
    assert_int_equal(gs_parzen_best(got, 10), 2);
    gs_parzen_free(p);
    gs_labelled_free(&data);
    gs_labelled_free(&set);
    free(dir);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_formula), cmocka_unit_test(one_sample),           cmocka_unit_test(refuses),
        cmocka_unit_test(sigmas),             cmocka_unit_test(table_of_real_digits),
    };

    return cmocka_run_group_tests(tests, open_device, close_device);
}
