/* The drawn digits: repeatable, independent of threads and counts, normalised like MNIST, told apart by a
 * simple judge. */
#include "lib/testlib.h"

#include <stdlib.h>
#include <string.h>

#include "data/digits.h"
#include "data/idx.h"

static void test_repeatable(void **state)
{
    gs_labelled a, b;
    uint8_t px[784];
    int same = 0;

    (void)state;
    assert_ok(gs_digits_make(&a, 60, 11, 0));
    assert_ok(gs_digits_make(&b, 20, 11, 40)); /* a part of the same set, with other work per thread */
    assert_memory_equal(a.images + 40 * 784, b.images, 20 * 784);
    assert_memory_equal(a.labels + 40, b.labels, 20);
    for (int i = 0; i < 60; i++) { /* one by one, on this thread */
        assert_int_equal(gs_digit_class(11, i), a.labels[i]);
        gs_digit_draw(px, a.labels[i], 11, i);
        assert_memory_equal(px, a.images + i * 784, 784);
    }
    gs_labelled_free(&b);
    assert_ok(gs_digits_make(&b, 60, 12, 0));
    for (int i = 0; i < 60; i++) same += !memcmp(a.images + i * 784, b.images + i * 784, 784);
    assert_int_equal(same, 0);
    gs_labelled_free(&a);
    gs_labelled_free(&b);
    assert_int_equal(gs_digits_make(&a, 0, 1, 0), GS_EINVAL);
}

static void test_normalised(void **state)
{
    enum { M = 2000 };
    int64_t counts[10];
    gs_labelled s;
    double mx = 0, my = 0;

    (void)state;
    assert_ok(gs_digits_make(&s, M, 3, 0));
    assert_int_equal(s.h, 28);
    assert_int_equal(s.classes, 10);
    gs_labelled_histogram(&s, counts);
    for (int c = 0; c < 10; c++) assert_in_range(counts[c], 140, 260);
    for (int i = 0; i < M; i++) {
        const uint8_t *p = s.images + i * 784;
        double sum = 0, sx = 0, sy = 0;
        int top = 0, lo = 28, hi = 0;

        for (int y = 0; y < 28; y++)
            for (int x = 0; x < 28; x++) {
                const int v = p[y * 28 + x];

                sum += v, sx += v * (x + 0.5), sy += v * (y + 0.5);
                top = GS_MAX(top, v);
                if (v > 40) lo = GS_MIN(lo, y), hi = GS_MAX(hi, y);
                if (x == 0 || y == 0 || x == 27 || y == 27) assert_int_equal(v, 0); /* nothing is cut off */
            }
        assert_true(top > 180);
        assert_in_range(hi - lo + 1, 13, 24);
        assert_true(sx / sum > 10 && sx / sum < 18 && sy / sum > 10 && sy / sum < 18);
        mx += sx / sum / M;
        my += sy / sum / M;
    }
    print_message("mean ink %.3f, mean centre %.2f %.2f\n", gs_labelled_mean(&s), mx, my);
    assert_true(mx > 13.5 && mx < 14.5 && my > 13.5 && my < 14.5);
    assert_true(gs_labelled_mean(&s) > 0.08 && gs_labelled_mean(&s) < 0.18); /* MNIST: 0.13 */
    gs_labelled_free(&s);
}

/* The class of the nearest training picture is right nearly always, and pictures of a class are not copies. */
static void test_classes_differ(void **state)
{
    enum { TRAIN = 1500, TEST = 200 };
    gs_labelled a, b;
    int right = 0;
    int64_t nearest_sum = 0;

    (void)state;
    assert_ok(gs_digits_make(&a, TRAIN, 5, 0));
    assert_ok(gs_digits_make(&b, TEST, 5, 100000));
    for (int i = 0; i < TEST; i++) {
        int64_t best = INT64_MAX;
        int who = 0;

        for (int k = 0; k < TRAIN; k++) {
            int64_t d = 0;

            for (int q = 0; q < 784; q++) {
                const int e = a.images[k * 784 + q] - b.images[i * 784 + q];

                d += e * e;
            }
            if (d < best) best = d, who = k;
        }
        right += a.labels[who] == b.labels[i];
        nearest_sum += best;
    }
    print_message("nearest neighbour right: %d of %d\n", right, TEST);
    assert_true(right >= TEST * 95 / 100);
    assert_true(nearest_sum / TEST > 784 * 300); /* about 17 of 255 off in every pixel, at best */
    gs_labelled_free(&a);
    gs_labelled_free(&b);
}

static void test_files(void **state)
{
    char *dir = gs_test_tmpdir(), *sub = gs_path_join(dir, "a/b"), *file = gs_path_join(dir, "file");
    gs_digitset d;
    gs_labelled s;

    (void)state;
    assert_ok(gs_data_make_digits(sub, 50, 20, 9));
    assert_ok(gs_digitset_load(&d, sub, 10));
    assert_int_equal(d.train.n, 50);
    assert_int_equal(d.test.n, 20);
    assert_ok(gs_digits_make(&s, 50, 9, 0));
    assert_memory_equal(d.train.images, s.images, 50 * 784);
    assert_memory_not_equal(d.train.images, d.test.images, 20 * 784);
    gs_labelled_free(&s);
    gs_digitset_free(&d);
    assert_ok(gs_file_write(file, "x", 1));
    assert_int_equal(gs_data_make_digits(file, 5, 5, 9), GS_EIO); /* a file where the folder should be */
    assert_int_equal(gs_data_make_digits(sub, 0, 5, 9), GS_EINVAL);
    free(dir), free(sub), free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repeatable), cmocka_unit_test(test_normalised), cmocka_unit_test(test_classes_differ),
        cmocka_unit_test(test_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
