/* IDX files and labelled sets: the facts of MNIST, every reject rule, the writer, padding, scaling, batches. */
#include "lib/testlib.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "data/bars.h"
#include "data/batches.h"
#include "data/idx.h"

#define FIXTURE "tests/fixtures/mnist-300"

static void check_label_file(const char *name, const void *data, size_t size, gs_status want, const char *part)
{
    gs_idx x;

    if (want == GS_OK)
        assert_ok(gs_idx_parse(data, size, name, &x));
    else
        assert_fails(gs_idx_parse(data, size, name, &x), want, part);
    if (want != GS_OK) assert_null(x.data);
    gs_idx_free(&x);
}

static void test_reject_rules(void **state)
{
    static const uint8_t good[] = { 0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9 };
    uint8_t b[64];

    (void)state;
    check_label_file("good", good, sizeof good, GS_OK, "");
    for (size_t n = 0; n < sizeof good; n++) check_label_file("cut", good, n, GS_EFORMAT, "cut");
    memcpy(b, good, sizeof good);
    b[sizeof good] = 0;
    check_label_file("long", b, sizeof good + 1, GS_EFORMAT,
                     "declares 11 bytes (header 8, 3 elements of 1) but holds 12");
    b[0] = 1;
    check_label_file("magic", b, sizeof good, GS_EFORMAT, "not an IDX file");
    b[0] = 0, b[2] = 0x0a;
    check_label_file("type", b, sizeof good, GS_EFORMAT, "not an IDX file");
    b[2] = 8, b[3] = 0;
    check_label_file("dims0", b, sizeof good, GS_EFORMAT, "0 dimensions");
    b[3] = 9;
    check_label_file("dims9", b, sizeof good, GS_EFORMAT, "9 dimensions");
    memset(b, 0xff, sizeof b);
    b[0] = b[1] = 0, b[2] = 8, b[3] = 3;
    check_label_file("overflow", b, 32, GS_EFORMAT, "overflow");
    b[3] = 2;
    check_label_file("huge", b, 32, GS_EFORMAT, "MiB");
}

static size_t gzip(uint8_t *out, size_t cap, const void *data, size_t n)
{
    z_stream z = {0};

    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)data, z.avail_in = n, z.next_out = out, z.avail_out = cap;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

static void test_gzip(void **state)
{
    enum { N = 100000 };
    uint8_t *plain = gs_xalloc(8 + N + 1), *packed = gs_xalloc(2 * N);
    size_t n;
    gs_idx x;

    (void)state;
    memcpy(plain, (uint8_t[]){ 0, 0, 8, 1, 0, 1, 0x86, 0xa0 }, 8);
    for (int i = 0; i < N; i++) plain[8 + i] = (uint8_t)((unsigned)i * i >> 5);
    n = gzip(packed, 2 * N, plain, 8 + N);
    assert_ok(gs_idx_parse(packed, n, "gz", &x));
    assert_int_equal(x.dims[0], N);
    assert_memory_equal(x.data, plain + 8, N);
    gs_idx_free(&x);
    for (size_t cut = 2; cut < n; cut += cut < 40 || cut > n - 40 ? 1 : 997)
        check_label_file("cut.gz", packed, cut, GS_EFORMAT, "cut.gz");
    packed[n - 5] ^= 1; /* the checksum */
    check_label_file("sum.gz", packed, n, GS_EFORMAT, "damaged gzip data");
    packed[n - 5] ^= 1;
    memcpy(packed + n, "xyz", 3);
    check_label_file("tail.gz", packed, n + 3, GS_EFORMAT, "damaged gzip data");
    n = gzip(packed, 2 * N, plain, 8 + N + 1);
    check_label_file("more.gz", packed, n, GS_EFORMAT, "holds more than 100008");
    n = gzip(packed, 2 * N, plain, 8 + N - 1);
    check_label_file("less.gz", packed, n, GS_EFORMAT, "but holds 100007");
    /* a bomb: small file, 4 GiB declared; refused before memory for it is taken */
    n = gzip(packed, 2 * N, (uint8_t[]){ 0, 0, 8, 2, 0, 1, 0, 0, 0, 0, 0xff, 0xff }, 12);
    check_label_file("bomb.gz", packed, n, GS_EFORMAT, "bomb.gz: declares");
    /* two members one after the other are one file, as gzip defines it */
    n = gzip(packed, 2 * N, plain, 500);
    n += gzip(packed + n, 2 * N - n, plain + 500, 8 + N - 500);
    check_label_file("two.gz", packed, n, GS_OK, "");
    free(plain);
    free(packed);
}

static void test_element_types(void **state)
{
    static const uint8_t i8[] = { 0, 0, 9, 1, 0, 0, 0, 2, 0xff, 5 };
    static const uint8_t i16[] = { 0, 0, 0x0b, 1, 0, 0, 0, 1, 0xff, 0xfe };
    static const uint8_t i32[] = { 0, 0, 0x0c, 1, 0, 0, 0, 1, 0, 1, 0, 2 };
    static const uint8_t f32[] = { 0, 0, 0x0d, 1, 0, 0, 0, 1, 0x3f, 0xc0, 0, 0 };
    static const uint8_t f64[] = { 0, 0, 0x0e, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0xc0, 0x04, 0, 0, 0, 0, 0, 0 };
    gs_idx x;

    (void)state;
    assert_ok(gs_idx_parse(i8, sizeof i8, "i8", &x));
    assert_int_equal(((int8_t *)x.data)[0], -1);
    gs_idx_free(&x);
    assert_ok(gs_idx_parse(i16, sizeof i16, "i16", &x));
    assert_int_equal(*(int16_t *)x.data, -2);
    gs_idx_free(&x);
    assert_ok(gs_idx_parse(i32, sizeof i32, "i32", &x));
    assert_int_equal(*(int32_t *)x.data, 65538);
    gs_idx_free(&x);
    assert_ok(gs_idx_parse(f32, sizeof f32, "f32", &x));
    assert_true(*(float *)x.data == 1.5f);
    gs_idx_free(&x);
    assert_ok(gs_idx_parse(f64, sizeof f64, "f64", &x));
    assert_true(*(double *)x.data == -2.5);
    assert_int_equal(x.n_dims, 2);
    gs_idx_free(&x);
}

/* Writes a pair and loads it. */
static gs_status pair(const char *dir, const int64_t im[3], int64_t n_labels, uint8_t label, int classes,
                      gs_labelled *s)
{
    uint8_t pixels[64] = { 1, 2, 3 }, labels[16] = {0};
    char *a = gs_path_join(dir, "im"), *b = gs_path_join(dir, "lab");
    gs_status st;

    labels[1] = label;
    assert_ok(gs_idx_write_u8(a, pixels, im, 3));
    assert_ok(gs_idx_write_u8(b, labels, &n_labels, 1));
    st = gs_idx_load_pair(s, a, b, classes);
    free(a);
    free(b);
    return st;
}

static void test_pairs(void **state)
{
    char *dir = gs_test_tmpdir(), *a = gs_path_join(dir, "im"), *b = gs_path_join(dir, "lab");
    gs_labelled s;

    (void)state;
    assert_ok(pair(dir, (int64_t[]){ 4, 2, 3 }, 4, 6, 0, &s));
    assert_int_equal(s.classes, 7);
    assert_int_equal(s.n, 4);
    assert_int_equal(s.h, 2);
    assert_int_equal(s.w, 3);
    gs_labelled_free(&s);
    assert_ok(pair(dir, (int64_t[]){ 4, 2, 3 }, 4, 6, 10, &s));
    assert_int_equal(s.classes, 10);
    gs_labelled_free(&s);
    assert_fails(pair(dir, (int64_t[]){ 4, 2, 3 }, 3, 6, 10, &s), GS_EFORMAT, "holds 4 images");
    assert_fails(pair(dir, (int64_t[]){ 4, 2, 3 }, 4, 10, 10, &s), GS_EFORMAT,
                 "label 1 is 10, but there are 10 classes");
    assert_fails(pair(dir, (int64_t[]){ 0, 2, 3 }, 0, 1, 10, &s), GS_EFORMAT, "holds no image");
    assert_fails(gs_idx_load_pair(&s, b, a, 10), GS_EFORMAT, "image files begin with 0x00000803");
    assert_ok(pair(dir, (int64_t[]){ 4, 2, 3 }, 4, 6, 0, &s));
    gs_labelled_free(&s);
    assert_fails(gs_idx_load_pair(&s, a, a, 10), GS_EFORMAT, "label files begin with 0x00000801");
    assert_fails(gs_idx_load_pair(&s, a, "no/labels", 10), GS_EIO, "no/labels");
    free(a);
    free(b);
    free(dir);
}

static void write_all(const char *dir, const char *const names[4])
{
    static const uint8_t pixels[12] = { 0, 255, 3 };
    static const uint8_t labels[3] = { 2, 0, 1 };

    for (int i = 0; i < 4; i++) {
        char *p = gs_path_join(dir, names[i]);

        if (i & 1)
            assert_ok(gs_idx_write_u8(p, labels, (int64_t[]){ 3 }, 1));
        else
            assert_ok(gs_idx_write_u8(p, pixels, (int64_t[]){ 3, 2, 2 }, 3));
        free(p);
    }
}

static void test_spellings(void **state)
{
    static const char *const plain[4] = { "train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                          "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte" };
    static const char *const dotted[4] = { "train-images.idx3-ubyte", "train-labels.idx1-ubyte",
                                           "t10k-images.idx3-ubyte.gz", "t10k-labels.idx1-ubyte.gz" };
    static const char *const packed[4] = { "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
                                           "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz" };
    const char *const *all[3] = { plain, dotted, packed };
    gs_digitset d;

    (void)state;
    for (int i = 0; i < 3; i++) {
        char *dir = gs_test_tmpdir();

        write_all(dir, all[i]);
        assert_ok(gs_digitset_load(&d, dir, 0));
        assert_int_equal(d.train.n, 3);
        assert_int_equal(d.test.classes, 3);
        assert_int_equal(d.test.images[1], 255);
        gs_digitset_free(&d);
        assert_fails(gs_digitset_load(&d, dir, 2), GS_EFORMAT, "label 0 is 2");
        free(dir);
    }
    {
        char *dir = gs_test_tmpdir(), *paths[4], *missing = gs_path_join(dir, "none");

        assert_fails(gs_digitset_load(&d, dir, 10), GS_EIO, "train-images.idx3-ubyte.gz");
        assert_fails(gs_digitset_load(&d, missing, 10), GS_EIO, "no such folder");
        write_all(dir, plain);
        for (int i = 0; i < 4; i++) paths[i] = gs_path_join(dir, plain[i]);
        assert_ok(gs_digitset_load_files(&d, (const char *const *)paths, 3));
        gs_digitset_free(&d);
        assert_ok(gs_idx_write_u8(paths[2], (uint8_t[27]){0}, (int64_t[]){ 3, 3, 3 }, 3));
        assert_fails(gs_digitset_load(&d, dir, 3), GS_EFORMAT, "test pictures 3 x 3");
        for (int i = 0; i < 4; i++) free(paths[i]);
        free(missing);
        free(dir);
    }
}

static void test_write_is_repeatable(void **state)
{
    char *dir = gs_test_tmpdir(), *a = gs_path_join(dir, "a.gz"), *b = gs_path_join(dir, "b.gz"),
         *bad = gs_path_join(dir, "x/y");
    uint8_t data[300], *x, *y;
    size_t nx, ny;

    (void)state;
    for (int i = 0; i < 300; i++) data[i] = (uint8_t)(i / 3);
    assert_ok(gs_idx_write_u8(a, data, (int64_t[]){ 300 }, 1));
    assert_ok(gs_idx_write_u8(b, data, (int64_t[]){ 300 }, 1));
    assert_ok(gs_file_read(a, 10000, &x, &nx));
    assert_ok(gs_file_read(b, 10000, &y, &ny));
    assert_int_equal(nx, ny);
    assert_memory_equal(x, y, nx);
    assert_int_equal(gs_idx_write_u8(bad, data, (int64_t[]){ 300 }, 1), GS_EIO);
    assert_int_equal(gs_idx_write_u8(a, data, (int64_t[]){ -1 }, 1), GS_EINVAL);
    assert_int_equal(gs_idx_write_u8(a, data, NULL, 0), GS_EINVAL);
    free(x), free(y), free(a), free(b), free(bad), free(dir);
}

static void test_fixture(void **state)
{
    static const uint8_t first[10] = { 5, 0, 4, 1, 9, 2, 1, 3, 1, 4 };
    gs_labelled s;

    (void)state;
    assert_ok(gs_idx_load_split(&s, FIXTURE, "train", 10));
    assert_int_equal(s.n, 300);
    assert_int_equal(s.h, 28);
    assert_memory_equal(s.labels, first, 10);
    assert_true(gs_labelled_mean(&s) > 0.11 && gs_labelled_mean(&s) < 0.15);
    gs_labelled_free(&s);
}

static void test_mnist_facts(void **state)
{
    static const int64_t train[10] = { 5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949 };
    static const int64_t test[10] = { 980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009 };
    static const uint8_t first[10] = { 7, 2, 1, 0, 4, 1, 4, 9, 5, 9 };
    const char *shared = gs_test_shared();
    int64_t counts[10];
    gs_digitset d;
    char *dir;

    (void)state;
    if (!shared) GS_SKIP("no shared folder with mnist");
    dir = gs_path_join(shared, "data/mnist");
    assert_ok(gs_digitset_load(&d, dir, 10));
    assert_int_equal(d.train.n, 60000);
    assert_int_equal(d.test.n, 10000);
    gs_labelled_histogram(&d.train, counts);
    assert_memory_equal(counts, train, sizeof train);
    gs_labelled_histogram(&d.test, counts);
    assert_memory_equal(counts, test, sizeof test);
    assert_memory_equal(d.test.labels, first, 10);
    assert_true(gs_labelled_mean(&d.test) > 0.1325145 && gs_labelled_mean(&d.test) < 0.1325155);
    gs_digitset_free(&d);
    free(dir);
}

static void test_pad_resize(void **state)
{
    gs_labelled s, part;

    (void)state;
    assert_ok(gs_labelled_new(&s, 2, 2, 2, 1, 5));
    memcpy(s.images, (uint8_t[]){ 1, 2, 3, 4, 5, 6, 7, 8 }, 8);
    s.labels[1] = 4;
    assert_ok(gs_labelled_slice(&part, &s, 1, 1));
    assert_int_equal(part.labels[0], 4);
    assert_memory_equal(part.images, s.images + 4, 4);
    assert_ok(gs_labelled_transpose(&part));
    assert_memory_equal(part.images, ((uint8_t[]){ 5, 7, 6, 8 }), 4);
    gs_labelled_free(&part);
    assert_int_equal(gs_labelled_slice(&part, &s, 1, 2), GS_EINVAL);
    assert_ok(gs_labelled_pad(&s, 4, 9));
    assert_memory_equal(s.images, ((uint8_t[]){ 9, 9, 9, 9, 9, 1, 2, 9, 9, 3, 4, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 5 }),
                        22);
    assert_int_equal(s.labels[1], 4);
    assert_int_equal(gs_labelled_pad(&s, 3, 0), GS_EINVAL);
    gs_labelled_free(&s);
    assert_ok(gs_idx_load_split(&s, FIXTURE, "train", 10));
    {
        const double mean = gs_labelled_mean(&s);
        float *picture = gs_xalloc(28 * 28 * sizeof *picture);
        double sum = 0;

        gs_labelled_mean_image(&s, picture);
        for (int i = 0; i < 784; i++) sum += picture[i];
        assert_true(sum / 784 > mean - 1e-5 && sum / 784 < mean + 1e-5);
        free(picture);
        assert_ok(gs_labelled_resize(&s, 32));
        assert_int_equal(s.w, 32);
        assert_true(gs_labelled_mean(&s) > mean - 0.002 && gs_labelled_mean(&s) < mean + 0.002);
    }
    gs_labelled_free(&s);
}

/* ---- batches ---- */

enum { N = 23, B = 5 };

static void small_set(gs_labelled *s)
{
    assert_ok(gs_labelled_new(s, N, 1, 2, 3, N));
    for (int i = 0; i < N; i++) {
        s->labels[i] = (uint8_t)i;
        for (int k = 0; k < 6; k++) s->images[6 * i + k] = (uint8_t)(10 * i + k);
    }
}

static void test_batches(void **state)
{
    float x[B * 6], again[B * 6];
    int32_t y[B], z[B], first[N];
    int seen[N] = {0}, same = 0, n = 0;
    gs_batches *b;
    gs_labelled s;

    (void)state;
    small_set(&s);
    assert_ok(gs_batches_new(&b, &s, &(gs_batches_opts){ .batch = B, .seed = 3 }));
    assert_int_equal(gs_batches_count(b), 5);
    for (int i = 0; i < 5; i++) {
        const int got = gs_batches_get(b, 0, i, x, y);

        assert_int_equal(got, i < 4 ? B : N % B);
        for (int k = 0; k < got; k++) {
            first[n++] = y[k];
            seen[y[k]]++;
            for (int c = 0; c < 3; c++) /* channels become planes */
                for (int p = 0; p < 2; p++)
                    assert_true(x[k * 6 + c * 2 + p] == (10 * y[k] + p * 3 + c) / 127.5f - 1);
        }
    }
    assert_int_equal(n, N);
    for (int i = 0; i < N; i++) assert_int_equal(seen[i], 1);
    /* random access, also after another epoch, gives the same batch */
    gs_batches_get(b, 1, 0, x, y);
    for (int k = 0; k < B; k++) same += y[k] == first[k];
    assert_true(same < B);
    gs_batches_get(b, 0, 3, x, y);
    for (int k = 0; k < B; k++) assert_int_equal(y[k], first[3 * B + k]);
    gs_batches_free(b);

    assert_ok(gs_batches_new(&b, &s, &(gs_batches_opts){ .batch = B, .seed = 3, .prefetch = true }));
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 5; i++) {
            gs_batches *other;
            const int got = gs_batches_get(b, round, i, x, y);

            assert_ok(gs_batches_new(&other, &s, &(gs_batches_opts){ .batch = B, .seed = 3 }));
            assert_int_equal(gs_batches_get(other, round, i, again, z), got);
            assert_memory_equal(y, z, got * sizeof *y);
            assert_memory_equal(x, again, got * 6 * sizeof *x);
            gs_batches_free(other);
        }
    gs_batches_free(b);

    assert_ok(gs_batches_new(
        &b, &s, &(gs_batches_opts){ .batch = B, .drop_last = true, .in_order = true, .unit_range = true }));
    assert_int_equal(gs_batches_count(b), 4);
    assert_int_equal(gs_batches_get(b, 7, 1, x, y), B);
    for (int k = 0; k < B; k++) assert_int_equal(y[k], B + k);
    assert_true(x[0] == 50 / 255.0f);
    gs_batches_free(b);
    assert_ok(gs_batches_new(&b, &s, &(gs_batches_opts){ .batch = 22, .min_last = 2 })); /* the last batch would be 1 */
    assert_int_equal(gs_batches_count(b), 1);
    gs_batches_free(b);
    assert_fails(gs_batches_new(&b, &s, &(gs_batches_opts){ .batch = 24, .drop_last = true }), GS_ECONFIG, "batch");
    assert_int_equal(gs_batches_new(&b, &s, &(gs_batches_opts){ .batch = 0 }), GS_EINVAL);
    gs_labelled_free(&s);
}

static void test_bars(void **state)
{
    enum { M = 4000 };
    float *x = gs_xalloc(M * 64 * sizeof *x), p[64];
    int32_t *y = gs_xalloc(M * sizeof *y);
    int counts[10] = {0};
    double sum = 0, sq = 0;
    int64_t inner = 0;
    gs_rng r = { .seed = 5 };

    (void)state;
    gs_bars_batch(x, y, M, &r);
    for (int i = 0; i < M; i++) {
        assert_in_range(y[i], 0, 9);
        counts[y[i]]++;
        gs_bars_prototype(p, y[i]);
        for (int k = 0; k < 64; k++) {
            const double d = x[64 * i + k] - p[k];

            assert_true(x[64 * i + k] >= -1 && x[64 * i + k] <= 1);
            assert_true(p[k] == 0.8f || p[k] == -0.8f);
            sum += d, sq += d * d, inner++;
        }
    }
    for (int c = 0; c < 10; c++) assert_in_range(counts[c], 300, 500);
    /* N(0, 0.1^2), cut at two sigma on the outer side: variance 0.0096, mean within 0.01 of 0 */
    assert_true(sum / inner > -0.01 && sum / inner < 0.01);
    assert_true(sq / inner > 0.008 && sq / inner < 0.0101);
    gs_bars_prototype(p, 3);
    for (int k = 0; k < 64; k++) assert_true(p[k] == (k / 8 == 3 ? 0.8f : -0.8f));
    gs_bars_prototype(p, 9);
    for (int k = 0; k < 64; k++) assert_true(p[k] == (k / 8 + k % 8 == 7 ? 0.8f : -0.8f));
    free(x), free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reject_rules), cmocka_unit_test(test_gzip), cmocka_unit_test(test_element_types),
        cmocka_unit_test(test_pairs), cmocka_unit_test(test_spellings), cmocka_unit_test(test_write_is_repeatable),
        cmocka_unit_test(test_fixture), cmocka_unit_test(test_mnist_facts), cmocka_unit_test(test_pad_resize),
        cmocka_unit_test(test_batches), cmocka_unit_test(test_bars),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
