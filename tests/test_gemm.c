/* Every GEMM provider against double loops: all transposes, alpha and beta, row lengths and problem strides
 * with gaps, batches, sizes at the edges of the tiles. Elements of C in the gaps must stay as they were; a
 * second run must give the same bits. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/handplan.h"
#include "lib/one_device.h"

static float *noise(int64_t n, gs_rng *r)
{
    float *x = gs_xalloc(4 * (size_t)n);

    for (int64_t i = 0; i < n; i++) x[i] = (float)(2.0 * gs_rng_uniform(r) - 1.0);
    return x;
}

/* Elements from the first to the last that a matrix batch touches. */
static int64_t extent(int64_t rows, int64_t cols, int64_t ld, int64_t stride, int64_t batch)
{
    return (batch - 1) * stride + (rows - 1) * ld + cols;
}

/* One product; gap is added to every row length, and to every problem stride. */
static void check(const char *provider, int64_t m, int64_t n, int64_t k, int64_t batch, bool ta, bool tb, float alpha,
                  float beta, int gap)
{
    gs_gemm g = { .m = m, .n = n, .k = k, .batch = batch, .ta = ta, .tb = tb, .alpha = alpha, .beta = beta };
    gs_rng r = { .seed = (uint64_t)(m * 131 + n * 17 + k) };
    int64_t na, nb, nc;
    float *a, *b, *c, *got, *again;
    gs_plan *p = gs_hand_plan(device);
    gs_value *vc;
    char *at;

    g.lda = (ta ? m : k) + gap, g.ldb = (tb ? k : n) + gap, g.ldc = n + gap;
    g.stride_a = (ta ? k : m) * g.lda + gap, g.stride_b = (tb ? n : k) * g.ldb + gap, g.stride_c = m * g.ldc + gap;
    na = extent(ta ? k : m, ta ? m : k, g.lda, g.stride_a, batch);
    nb = extent(tb ? n : k, tb ? k : n, g.ldb, g.stride_b, batch);
    nc = extent(m, n, g.ldc, g.stride_c, batch);
    a = noise(na, &r), b = noise(nb, &r), c = noise(nc, &r);
    got = gs_xalloc(4 * (size_t)nc), again = gs_xalloc(4 * (size_t)nc);
    /* with beta 0 whatever lies in C must not matter, NaN included */
    if (beta == 0.0f && gap == 0) c[0] = c[nc - 1] = NAN;

    setenv("GESSO_GEMM", provider, 1);
    vc = gs_hand_value(p, c, nc);
    assert_ok(gs_plan_gemm(p, &g, vc, gs_hand_value(p, a, na), gs_hand_value(p, b, nb)));
    assert_int_equal(p->n_launches, 1);
    assert_int_equal(p->launches[0]->is_gemm, !strcmp(provider, "driver"));
    assert_ok(gs_hand_bind(p));
    assert_ok(gs_plan_run(p, 0, 0));
    assert_ok(gs_hand_read(p, vc, got));

    at = gs_xalloc((size_t)nc); /* elements that the product owns */
    for (int64_t q = 0; q < batch; q++)
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) {
                const int64_t ic = q * g.stride_c + i * g.ldc + j;
                /* |rounding| of a sum of k products of numbers below 1, in any order */
                const double bound = ldexp(fabs(alpha) * (double)(k + 2) * (double)k / 2.0 + fabs(beta) + 1.0, -23);
                double s = 0.0;

                for (int64_t e = 0; e < k; e++)
                    s += (double)a[q * g.stride_a + (ta ? e * g.lda + i : i * g.lda + e)] *
                         (double)b[q * g.stride_b + (tb ? j * g.ldb + e : e * g.ldb + j)];
                s = alpha * s + (beta != 0.0f ? (double)beta * c[ic] : 0.0);
                at[ic] = 1;
                if (!(fabs(got[ic] - s) <= bound))
                    fail_msg("%s: m %d n %d k %d batch %d %c%c alpha %g beta %g gap %d: C[%d,%d,%d] is %.9g, not %.9g",
                             provider, (int)m, (int)n, (int)k, (int)batch, ta ? 'T' : 'N', tb ? 'T' : 'N',
                             (double)alpha, (double)beta, gap, (int)q, (int)i, (int)j, (double)got[ic], s);
            }
    for (int64_t i = 0; i < nc; i++)
        if (!at[i] && memcmp(&got[i], &c[i], 4)) fail_msg("%s: element %d in a gap of C was written", provider, (int)i);
    if (beta == 0.0f) {
        assert_ok(gs_plan_run(p, 0, 0));
        assert_ok(gs_hand_read(p, vc, again));
        assert_memory_equal(got, again, 4 * (size_t)nc);
    }
    free(a), free(b), free(c), free(got), free(again), free(at);
    gs_plan_free(p);
}

static void all_sizes(const char *provider)
{
    static const int size[] = { 1, 2, 11, 12, 13, 31, 32, 33, 63, 64, 65, 97 };
    gs_rng r = { .seed = 7 };

    for (int t = 0; t < 4; t++) {
        check(provider, 1, 1, 1, 1, t & 1, t & 2, 1.0f, 0.0f, 0);
        check(provider, 97, 65, 259, 1, t & 1, t & 2, 1.0f, 0.0f, 0);  /* more than two blocks of K */
        check(provider, 130, 1, 131, 1, t & 1, t & 2, 1.0f, 0.0f, 0);  /* slim: the CPU form swaps the operands */
        check(provider, 130, 3, 257, 2, t & 1, t & 2, 0.5f, 2.0f, 3);
        check(provider, 1, 130, 129, 1, t & 1, t & 2, 1.0f, 0.0f, 0);
        check(provider, 33, 65, 31, 3, t & 1, t & 2, -1.5f, 0.0f, 0);
        check(provider, 13, 31, 17, 4, t & 1, t & 2, 1.0f, 1.0f, 5);
        for (int i = 0; i < 12; i++)
            check(provider, size[gs_rng_below(&r, GS_COUNT(size))], size[gs_rng_below(&r, GS_COUNT(size))],
                  size[gs_rng_below(&r, GS_COUNT(size))], 1 + (int)gs_rng_below(&r, 2), t & 1, t & 2, 1.0f,
                  i % 3 ? 0.0f : 0.25f, i % 4);
    }
}

static void cpu_form(void **state)
{
    (void)state;
    if (!gs__cpu_forms(gs_device_get_info(device))) GS_SKIP("this device takes no CPU forms");
    all_sizes("cpu");
    for (int t = 0; t < 4; t++) { /* several groups by rows, several strips a group, last tiles of 8 and 8, 8 and 4, 4 */
        check("cpu", 410, 203, 140, 1, t & 1, t & 2, 1.0f, 0.0f, 0);
        check("cpu", 28, 333, 129, 1, t & 1, t & 2, 1.0f, 0.5f, 1);
        check("cpu", 20, 40, 15, 3, t & 1, t & 2, 1.0f, 0.0f, 2);
        check("cpu", 14, 47, 143, 2, t & 1, t & 2, 1.0f, 0.0f, 0);
        for (int n = 32; n <= 64; n += 4) { /* last columns in blocks of 32 and 8; few terms, whose strips share a panel; rows far apart, which are laid */
            check("cpu", 25, n + n % 3, 5 + n % 8, 2, t & 1, t & 2, 1.0f, 0.0f, n % 3);
            check("cpu", 50, n, 50, 3, t & 1, t & 2, -1.5f, n % 8 ? 0.5f : 0.0f, n % 5);
            check("cpu", 29, n + 1, 261, 2, t & 1, t & 2, 1.0f, n % 8 ? 0.0f : 0.5f, n % 2);
        }
        check("cpu", 12, 500, 16, 1, t & 1, t & 2, 1.0f, 0.0f, 0); /* more strips than a panel has room for */
    }
}

static void little_local_memory(void **state)
{
    const size_t all = device->info.local_memory;

    (void)state;
    if (!gs__cpu_forms(gs_device_get_info(device))) GS_SKIP("this device takes no CPU forms");
    device->info.local_memory = 32 << 10; /* what the smallest devices offer: 24 rows */
    for (int t = 0; t < 4; t++) check("cpu", 77, 65, 259, 2, t & 1, t & 2, 1.0f, 0.25f, 0);
    for (int t = 0; t < 2; t++) check("few", 19, 211, 259, 2, t & 1, true, 1.0f, 0.25f, 0); /* 48 lines; of 64 rows none */
    device->info.local_memory = all;
}

static void thin_form(void **state)
{
    static const int64_t slim[] = { 1, 2, 3, 4 };

    (void)state;
    if (!gs__cpu_forms(gs_device_get_info(device))) GS_SKIP("this device takes no CPU forms");
    for (int t = 0; t < 4; t++) {
        for (size_t i = 0; i < GS_COUNT(slim); i++) {
            check("thin", slim[i], 197, 131, 1, t & 1, t & 2, 1.0f, 0.0f, 0);
            check("thin", 131, slim[i], 259, 2, t & 1, t & 2, -0.5f, 0.0f, 0);
            check("thin", 67, slim[i], 33, 2, t & 1, t & 2, 1.5f, 0.5f, 3);
        }
        check("thin", 1, 1, 97, 2, t & 1, t & 2, 1.0f, 1.0f, 1);
        check("thin", 64, 4, 1, 1, t & 1, t & 2, 1.0f, 0.0f, 0);
        check("thin", 2, 8209, 7, 1, t & 1, t & 2, 1.0f, 0.0f, 0); /* more lines than a group has room for, and a rest */
        check("thin", 8197, 1, 130, 1, t & 1, t & 2, 1.0f, 1.0f, 0);
    }
}

static void few_form(void **state)
{
    static const int64_t rows[] = { 1, 15, 16, 17, 31, 48, 50, 64, 65, 97, 130 };

    (void)state;
    if (!gs__cpu_forms(gs_device_get_info(device))) GS_SKIP("this device takes no CPU forms");
    for (int ta = 0; ta < 2; ta++) {
        for (size_t i = 0; i < GS_COUNT(rows); i++) {
            check("few", rows[i], 12, 15, 1, ta, true, 1.0f, 0.0f, 0);  /* one tile */
            check("few", rows[i], 59, 131, 1, ta, true, 1.0f, 0.0f, 0); /* the last lines begin earlier, and belong to two groups */
            check("few", rows[i], 37, 259, 2, ta, true, -0.5f, 2.0f, 3);
        }
        check("few", 16, 2003, 1, 1, ta, true, 1.0f, 0.0f, 0); /* several groups of many lines */
        check("few", 33, 1999, 17, 1, ta, true, 1.0f, 1.0f, 1);
        check("few", 3, 13, 127, 5, ta, true, 1.5f, 0.0f, 2);
    }
}

static void tile_form(void **state)
{
    (void)state;
    all_sizes("tile");
}

static void small_tile_form(void **state)
{
    const size_t most = device->info.max_group;

    (void)state;
    device->info.max_group = 64; /* what the smallest devices offer */
    check("tile", 65, 33, 47, 2, false, false, 1.0f, 0.0f, 0);
    check("tile", 31, 70, 17, 1, true, true, 0.5f, 0.5f, 1);
    device->info.max_group = most;
}

static void drivers_library(void **state)
{
    (void)state;
    if (!device->drv->gemm) GS_SKIP("the driver brings no GEMM");
    for (int t = 0; t < 4; t++) {
        check("driver", 33, 65, 31, 1, t & 1, t & 2, 1.0f, 0.0f, 0);
        check("driver", 13, 31, 17, 3, t & 1, t & 2, -1.5f, 0.5f, 0);
        check("driver", 1, 7, 64, 1, t & 1, t & 2, 1.0f, 0.0f, 0);
    }
}

static void unknown_provider(void **state)
{
    const gs_gemm g = { .m = 1, .n = 1, .k = 1, .batch = 1, .lda = 1, .ldb = 1, .ldc = 1, .alpha = 1.0f };
    gs_plan *p = gs_hand_plan(device);
    const float one = 1.0f;
    gs_value *v = gs_hand_value(p, &one, 1);

    (void)state;
    setenv("GESSO_GEMM", "abacus", 1);
    assert_fails(gs_plan_gemm(p, &g, v, v, v), GS_EINVAL, "abacus");
    unsetenv("GESSO_GEMM");
    gs_plan_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpu_form),
        cmocka_unit_test(little_local_memory),
        cmocka_unit_test(thin_form),
        cmocka_unit_test(few_form),
        cmocka_unit_test(tile_form),
        cmocka_unit_test(small_tile_form),
        cmocka_unit_test(drivers_library),
        cmocka_unit_test(unknown_provider),
    };

    return cmocka_run_group_tests(tests, open_device, close_device);
}
