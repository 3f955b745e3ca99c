/* Tests of src/eval: metrics.c, kid.c, eigen.c, dots.c, pixels.c, against plain formulas in another language
 * (tests/fixtures/make_distances.py). */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/dots.h"
#include "eval/metrics.h"
#include "eval/pixels.h"

static const gs_kid_opts cubic = { .degree = 3, .coef0 = 1 };

/* The script's values(key): in [-1,1), times scale, plus shift. */
static double *values(const char *key, size_t n, double scale, double shift)
{
    double *v = gs_xalloc(n * sizeof *v);
    uint32_t h0 = 2166136261u;

    for (; *key; key++) h0 = (h0 ^ (uint8_t)*key) * 16777619u;
    for (size_t i = 0; i < n; i++) {
        uint32_t h = (uint32_t)i * 2654435761u + h0;

        h ^= h >> 16, h *= 0x7feb352du, h ^= h >> 15, h *= 0x846ca68bu, h ^= h >> 16;
        v[i] = (h / 4294967296.0 * 2 - 1) * scale + shift;
    }
    return v;
}

static float *rows(const char *key, int n, int d, double scale, double shift)
{
    double *v = values(key, (size_t)n * d, scale, shift);
    float *f = gs_xalloc((size_t)n * d * sizeof *f);

    for (size_t i = 0; i < (size_t)n * d; i++) f[i] = (float)v[i];
    free(v);
    return f;
}

static void near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance)) fail_msg("%.12g instead of %.12g", got, want);
}

/* Covariances of full rank, of low rank on one side, on the other, and sums over more than one tile. */
static void known_distances(void **state)
{
    static const struct { int n, m, d; double mean, cov, kid; } cases[] = {
        { 60, 45, 12, 0.220180260259, 0.731935424527, 0.0370647306881 },
        { 40, 9, 33, 0.835262852738, 9.07250497208, 0.00709092544244 },
        { 7, 50, 20, 1.47556121788, 4.73646014018, 0.088198234405 },
        { 130, 140, 70, 0.831153714277, 6.47924585143, 0.0259981801284 },
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT(cases); i++) {
        const int n = cases[i].n, m = cases[i].m, d = cases[i].d;
        float *a = rows("fid_real", n, d, 1, 0), *b = rows("fid_fake", m, d, 0.7, 0.1);
        gs_kid_kernels *k;
        double mean, cov, back, kid;

        assert_ok(gs_frechet(a, n, b, m, d, &mean, &cov));
        near(mean, cases[i].mean, 1e-6);
        near(cov, cases[i].cov, 2e-6);
        assert_ok(gs_frechet(b, m, a, n, d, &mean, &back)); /* symmetric */
        near(back, cov, 1e-6);
        assert_ok(gs_frechet(a, n, a, n, d, &mean, &cov));
        near(mean + cov, 0, 1e-5);
        assert_ok(gs_kid_kernels_new(a, n, b, m, d, &cubic, &k));
        assert_ok(gs_kid(k, &kid));
        near(kid, cases[i].kid, 2e-7);
        gs_kid_kernels_free(k);
        free(a);
        free(b);
    }
}

/* The estimator of U-GAT-IT's authors on the numbers of its specification; subsets against the same sums by hand. */
static void kid_protocols(void **state)
{
    float *real = rows("kid_real", 20, 16, 1, 0), *fake = rows("kid_fake", 20, 16, 1, 0.25);
    const int32_t first[10] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };
    double v[2], mean, spread;
    gs_kid_kernels *k;
    gs_kid_score s, again;

    (void)state;
    assert_ok(gs_kid_kernels_new(real, 20, fake, 20, 16, &cubic, &k));
    assert_ok(gs_kid(k, &mean));
    near(mean, 0.20378442, 2e-8);
    assert_int_equal(gs_kid_block_count(20, 20, 10), 2);
    assert_ok(gs_kid_blocks(k, NULL, NULL, 10, v, &mean, &spread));
    near(v[0], 0.15473971, 2e-8);
    near(v[1], 0.22762726, 2e-8);
    near(mean, 0.19118348, 2e-8);
    near(spread, 0.03644378, 2e-8);
    assert_ok(gs_kid_subsets(k, first, first, 1, 10, v, &mean, &spread));
    near(mean, 0.15473971, 2e-8);
    assert_true(spread == 0);
    assert_fails(gs_kid_subsets(k, (int32_t[]){ 0, 20 }, first, 1, 2, v, &mean, &spread), GS_EINVAL, "does not exist");

    assert_ok(gs_kid_measure(k, &(gs_kid_protocol){ .seed = 3 }, &s));
    near(s.whole, 0.20378442, 2e-8);
    assert_int_equal(s.subsets, 100);
    assert_int_equal(s.size, 10); /* half of the smaller set */
    /* unbiased: 100 subsets, a tenth of their spread */
    assert_true(fabs(s.mean - s.whole) < 5 * s.spread / 10 && s.spread > 0.005);
    assert_ok(gs_kid_measure(k, &(gs_kid_protocol){ .seed = 3 }, &again));
    assert_memory_equal(&s.mean, &again.mean, sizeof s.mean);
    assert_ok(gs_kid_measure(k, &(gs_kid_protocol){ .seed = 4 }, &again));
    assert_true(again.mean != s.mean);
    /* every subset is the whole set, up to its order */
    assert_ok(gs_kid_measure(k, &(gs_kid_protocol){ .size = 20, .subsets = 7 }, &s));
    near(s.mean, s.whole, 1e-12);
    near(s.spread, 0, 1e-12);
    assert_ok(gs_kid_measure(k, &(gs_kid_protocol){ .block = 10 }, &s));
    assert_true(s.blocks && s.subsets == 2 && s.size == 10 && s.spread > 0);
    assert_fails(gs_kid_measure(k, &(gs_kid_protocol){ .size = 21 }, &s), GS_EINVAL, "there are 20 and 20 pictures");
    gs_kid_kernels_free(k);

    assert_ok(gs_kid_kernels_new(real, 20, fake, 3, 16, &cubic, &k));
    assert_fails(gs_kid_measure(k, &(gs_kid_protocol){ 0 }, &s), GS_EINVAL, "subsets of 1");
    assert_fails(gs_kid_measure(k, &(gs_kid_protocol){ .block = 10 }, &s), GS_EINVAL, "too unequal");
    gs_kid_kernels_free(k);
    assert_fails(gs_kid_kernels_new(real, 20, fake, 1, 16, &cubic, &k), GS_EINVAL, "2 or more");
    free(real);
    free(fake);
}

static void eigenvalues(void **state)
{
    static const double want[9] = { -5.31301407126, -3.01567719547, -1.82958869038, -1.36055516529, 0.394659879099,
                                    1.35879755144,  2.15030475382,  2.977067511,    4.67660533631 };
    double *a = values("symmetric", 81, 1, 0), s[81], w[300], *big = gs_xalloc(300 * 300 * sizeof *big), trace = 0,
        sum = 0;

    (void)state;
    for (int i = 0; i < 9; i++)
        for (int k = 0; k < 9; k++) s[i * 9 + k] = a[i * 9 + k] + a[k * 9 + i];
    assert_ok(gs_eigenvalues_symmetric(s, w, 9));
    for (int i = 0; i < 9; i++) near(w[i], want[i], 1e-10);
    assert_ok(gs_eigenvalues_symmetric((double[]){ 4 }, w, 1));
    near(w[0], 4, 0);
    assert_ok(gs_eigenvalues_symmetric((double[]){ 0, 2, 2, 0 }, w, 2));
    near(w[0], -2, 1e-15);
    near(w[1], 2, 1e-15);
    assert_ok(gs_eigenvalues_symmetric((double[]){ 3, 0, 0, 0, 1, 0, 0, 0, 2 }, w, 3)); /* nothing to reflect */
    near(w[0] + 10 * w[1] + 100 * w[2], 321, 1e-12);
    for (int i = 0; i < 300; i++) /* several tasks of rows: x y^T + y x^T + diagonal */
        for (int k = 0; k < 300; k++)
            big[i * 300 + k] = sin(i) * cos(2 * k) + sin(k) * cos(2 * i) + (i == k ? i / 100.0 : 0);
    for (int i = 0; i < 300; i++) trace += big[i * 300 + i];
    assert_ok(gs_eigenvalues_symmetric(big, w, 300));
    for (int i = 0; i < 300; i++) {
        sum += w[i];
        assert_true(i == 0 || w[i] >= w[i - 1]);
    }
    near(sum, trace, 1e-9);
    s[5] = NAN;
    assert_fails(gs_eigenvalues_symmetric(s, w, 9), GS_ENUMERIC, "not finite");
    free(a);
    free(big);
}

/* Every shape of tile against one sum after the other. */
static void dot_products(void **state)
{
    static const int sizes[][3] = { { 1, 1, 1 }, { 2, 4, 2 }, { 3, 5, 7 }, { 16, 64, 8 }, { 17, 65, 9 },
                                    { 33, 33, 31 } };

    (void)state;
    for (size_t t = 0; t < GS_COUNT(sizes); t++) {
        const int n = sizes[t][0], m = sizes[t][1], d = sizes[t][2];
        double *a = values("a", (size_t)n * d, 1, 0), *b = values("b", (size_t)m * d, 1, 0),
            *out = gs_xalloc((size_t)n * m * sizeof *out);

        for (int lower = 0; lower < 2; lower++) {
            for (int i = 0; i < n * m; i++) out[i] = 1e9;
            gs__dots(out, (size_t)m, a, (size_t)d, n, b, (size_t)d, m, d, lower);
            for (int i = 0; i < n; i++)
                for (int k = 0; k < m; k++) {
                    double want = 0;

                    for (int j = 0; j < d; j++) want += a[i * d + j] * b[k * d + j];
                    near(out[i * m + k], lower && k > i ? 1e9 : want, 1e-12);
                }
        }
        free(a);
        free(b);
        free(out);
    }
}

static void bad_sets(void **state)
{
    float x[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    double a, b;

    (void)state;
    assert_fails(gs_frechet(x, 1, x, 2, 4, &a, &b), GS_EINVAL, "2 or more");
    assert_fails(gs_frechet(x, 2, x, 2, 0, &a, &b), GS_EINVAL, "2 or more");
    x[3] = INFINITY;
    assert_fails(gs_frechet(x, 2, x, 2, 4, &a, &b), GS_ENUMERIC, "not finite");
}

static void pictures_apart(void **state)
{
    double *x = values("picture_a", 17 * 24 * 3, 1, 0), *y = values("picture_b", 17 * 24 * 3, 1, 0), mean[3],
        deviation[3];
    gs_image a, b, small;
    gs_pixel_score s;
    gs_colour c = { 0 };

    (void)state;
    assert_ok(gs_image_new(&a, 24, 17, 3));
    assert_ok(gs_image_new(&b, 24, 17, 3));
    for (int i = 0; i < 17 * 24 * 3; i++) {
        a.px[i] = (uint8_t)floor((x[i] + 1) * 128);
        b.px[i] = (uint8_t)fmin(floor(a.px[i] * 0.8 + (y[i] + 1) * 20), 255);
    }
    assert_ok(gs_pixel_compare(&a, &b, &s));
    near(s.l1, 0.0634147122901, 1e-10);
    near(s.psnr, 22.1661712776, 1e-8);
    near(s.ssim, 0.961979723883, 1e-10);
    assert_ok(gs_pixel_compare(&a, &a, &s));
    assert_true(s.l1 == 0 && s.psnr == GS_PSNR_MAX);
    near(s.ssim, 1, 1e-12);
    gs_colour_get(&c, mean, deviation);
    assert_true(mean[0] == 0 && deviation[0] == 0);
    gs_colour_add(&c, &a);
    gs_colour_get(&c, mean, deviation);
    near(mean[0], 0.51088043, 1e-8);
    near(mean[2], 0.49067666, 1e-8);
    near(deviation[1], 0.28990959, 1e-8);
    assert_ok(gs_image_new(&small, 24, 10, 3));
    assert_fails(gs_pixel_compare(&a, &small, &s), GS_ESHAPE, "24 x 17 and 24 x 10");
    assert_fails(gs_pixel_compare(&small, &small, &s), GS_ESHAPE, "11 or more");
    gs_image_free(&small);
    assert_ok(gs_image_new(&small, 24, 17, 1));
    assert_fails(gs_pixel_compare(&a, &small, &s), GS_EINVAL, "wants 3");
    gs_image_free(&small);
    gs_image_free(&a);
    gs_image_free(&b);
    free(x);
    free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dot_products), cmocka_unit_test(eigenvalues), cmocka_unit_test(known_distances),
        cmocka_unit_test(kid_protocols),
        cmocka_unit_test(bad_sets),     cmocka_unit_test(pictures_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
