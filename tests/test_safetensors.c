/* Tests of src/io/safetensors.c: round trips, conversions, and files that lie. */
#include "lib/testlib.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "io/safetensors.h"

/* A file in memory: 8 bytes of length, the header, `data` bytes of data. The block has exactly that size, so that the
 * address sanitizer sees a read past the end. */
static uint8_t *make(const char *header, size_t data, size_t *size)
{
    const uint64_t n = strlen(header);
    uint8_t *p = malloc(8 + n + data);

    assert_non_null(p);
    memcpy(p, &n, 8);
    memcpy(p + 8, header, n);
    memset(p + 8 + n, 1, data);
    *size = 8 + n + data;
    return p;
}

static void refuse(const char *header, size_t data, const char *part)
{
    gs_st_file *f = (gs_st_file *)1;
    size_t size;
    uint8_t *p = make(header, data, &size);
    const gs_status st = gs_st_open_memory(p, size, "bad.st", &f);

    free(p);
    if (st == GS_OK) fail_msg("accepted: %s", header);
    assert_int_equal(st, GS_EFORMAT);
    assert_null(f);
    if (!strstr(gs_last_error(), part) || strncmp(gs_last_error(), "bad.st: ", 8) != 0)
        fail_msg("%s\ngave: %s\nwanted: %s", header, gs_last_error(), part);
}

static void accept(const char *header, size_t data, int count)
{
    gs_st_file *f;
    size_t size;
    uint8_t *p = make(header, data, &size);

    assert_ok(gs_st_open_memory(p, size, "good.st", &f));
    assert_int_equal(gs_st_count(f), count);
    gs_st_close(f);
    free(p);
}

#define T(name, dtype, shape, from, to) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" from "," to "]}"

static void test_good(void **state)
{
    (void)state;
    accept("{}", 0, 0);
    accept("{}    ", 0, 0);
    accept("{" T("a", "F32", "[2]", "0", "8") "}", 8, 1);
    accept("{" T("s", "I64", "[]", "0", "8") "}", 8, 1);
    accept("{" T("b", "U8", "[3]", "4", "7") "," T("a", "F32", "[1,1]", "0", "4") "}", 7, 2);
    accept("{" T("e", "F32", "[3,0]", "4", "4") "," T("a", "F32", "[1]", "0", "4") "}", 4, 2);
    accept("{ \"__metadata__\" : {\"k\":\"v\"}, " T("\xc3\xa9", "BOOL", "[1]", "0", "1") "}", 1, 1);
}

static void test_hostile(void **state)
{
    (void)state;
    /* JSON */
    refuse("", 0, "begin with '{'");
    refuse("[]", 0, "begin with '{'");
    refuse("{", 0, "not valid JSON");
    refuse("{} x", 0, "after the header's end");
    refuse("{}{}", 0, "after the header's end");
    refuse("{\"a\":1}", 0, "'a' is not an object");
    refuse("{\"a\":[[[[", 0, "deeper than 3");
    refuse("{\"a\":\"\xff\"}", 0, "UTF-8");
    refuse("{\"a\":\"\xed\xa0\x80\"}", 0, "UTF-8");
    refuse("{\"a\":\"\\ud800\"}", 0, "not valid JSON");
    refuse("{" T("a\\u0000b", "U8", "[1]", "0", "1") "}", 1, "NUL");
    refuse("{" T("a\nb", "U8", "[1]", "0", "1") "}", 1, "byte 0x0a");
    refuse("{" T("a\\nb", "U8", "[1]", "0", "1") "}", 1, "not printable");
    refuse("{" T("", "U8", "[1]", "0", "1") "}", 1, "name is empty");
    /* fields */
    refuse("{" T("a", "F33", "[1]", "0", "4") "}", 4, "unknown dtype 'F33'");
    refuse("{" T("a", "f32", "[1]", "0", "4") "}", 4, "unknown dtype 'f32'");
    refuse("{\"a\":{\"dtype\":4,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype is not a string");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", 4, "shape is not a list");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "no data_offsets");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4, "unknown key 'x'");
    refuse("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
           "repeated key 'dtype'");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 4, "not two whole numbers");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "not two whole numbers");
    /* shapes */
    refuse("{" T("a", "F32", "[-1]", "0", "4") "}", 4, "shape[0] is not a whole number");
    refuse("{" T("a", "F32", "[1,1.5]", "0", "4") "}", 4, "shape[1] is not a whole number");
    refuse("{" T("a", "F32", "[1e400]", "0", "4") "}", 4, "shape[0] is not a whole number");
    refuse("{" T("a", "F32", "[\"1\"]", "0", "4") "}", 4, "shape[0] is not a whole number");
    refuse("{" T("a", "F32", "[1,1,1,1,1,1,1,1,1]", "0", "4") "}", 4, "rank above 8");
    refuse("{" T("a", "F32", "[4294967296,4294967296]", "0", "4") "}", 4, "shape overflows");
    refuse("{" T("a", "F32", "[0,4294967296,4294967296]", "0", "0") "}", 0, "shape overflows");
    refuse("{" T("a", "F64", "[2305843009213693952]", "0", "0") "}", 0, "shape");
    /* offsets */
    refuse("{" T("a", "F32", "[1]", "4", "0") "}", 4, "begins at 4, after its end 0");
    refuse("{" T("a", "F32", "[1]", "-4", "0") "}", 4, "not two whole numbers");
    refuse("{" T("a", "F32", "[1]", "0.5", "4") "}", 4, "not two whole numbers");
    refuse("{" T("a", "F32", "[2]", "0", "8") "}", 7, "ends at 8, but the file has 7");
    refuse("{" T("a", "F32", "[2]", "0", "4") "}", 4, "want 8 bytes");
    refuse("{" T("a", "F32", "[1]", "0", "4") "}", 5, "1 bytes at the end belong to no tensor");
    refuse("{" T("a", "F32", "[1]", "4", "8") "}", 8, "'a': data offset 4: bytes before it belong to no tensor");
    refuse("{" T("a", "F32", "[2]", "0", "8") "," T("b", "F32", "[1]", "4", "8") "}", 8,
           "'b': data offset 4: overlaps");
    refuse("{" T("a", "F32", "[1]", "0", "4") "," T("b", "F32", "[1]", "0", "4") "}", 4,
           "'b': data offset 0: overlaps");
    refuse("{" T("a", "F32", "[1]", "0", "4") "," T("b", "F32", "[1]", "5", "9") "}", 9,
           "'b': data offset 5: bytes before");
    /* an empty tensor inside another one */
    refuse("{" T("a", "F32", "[1]", "0", "4") "," T("b", "F32", "[0]", "2", "2") "}", 4,
           "'b': data offset 2: overlaps");
    /* names */
    refuse("{" T("a", "U8", "[1]", "0", "1") "," T("a", "U8", "[1]", "1", "2") "}", 2, "'a' is there twice");
    refuse("{" T("a", "U8", "[1]", "0", "1") "," T("\\u0061", "U8", "[1]", "1", "2") "}", 2, "'a' is there twice");
    /* metadata */
    refuse("{\"__metadata__\":{\"loss\":NaN}}", 0, "not valid JSON");
    refuse("{\"__metadata__\":{\"loss\":1.5}}", 0, "metadata 'loss' is not a string");
    refuse("{\"__metadata__\":{\"loss\":null}}", 0, "metadata 'loss' is not a string");
    refuse("{\"__metadata__\":{\"a\":{}}}", 0, "metadata 'a' is not a string");
    refuse("{\"__metadata__\":\"x\"}", 0, "__metadata__ is not an object");
    refuse("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0, "metadata 'a' is there twice");
    refuse("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "__metadata__ is there twice");
}

static void test_header_length(void **state)
{
    static const uint64_t lengths[] = {3, 100, 1000, 100000001, UINT64_MAX, (uint64_t)INT64_MAX, UINT64_MAX - 7};
    gs_st_file *f;

    (void)state;
    for (size_t i = 0; i < GS_COUNT(lengths); i++) {
        size_t size;
        uint8_t *p = make("{}", 0, &size);

        memcpy(p, &lengths[i], 8);
        assert_fails(gs_st_open_memory(p, size, "x", &f), GS_EFORMAT, "x: offset 0: header of");
        free(p);
    }
    for (size_t n = 0; n < 8; n++)
        assert_fails(gs_st_open_memory("\2\0\0\0\0\0\0", n, "x", &f), GS_EFORMAT, "too short");
}

/* So many values that the JSON tree would take gigabytes. */
static void test_header_bomb(void **state)
{
    gs_str s = {0};
    gs_st_file *f;
    size_t size;
    uint8_t *p;

    (void)state;
    gs_str_printf(&s, "{\"a\":{\"shape\":[");
    for (int i = 0; i < 2100000; i++) gs_str_append(&s, "1,", 2);
    gs_str_printf(&s, "1]}}");
    p = make(s.data, 0, &size);
    assert_fails(gs_st_open_memory(p, size, "bomb", &f), GS_ELIMIT, "bomb: offset");
    free(p);
    gs_str_free(&s);
}

static char *write_small(const char *dir)
{
    char *path = gs_path_join(dir, "small.safetensors");
    gs_st_writer *w = gs_st_writer_new();
    static const float a[6] = {0, 1, -2.5f, 3e-20f, INFINITY, 6};
    static const uint8_t flags[3] = {0, 1, 1};
    static const int64_t big[2] = {-5, (int64_t)1 << 40};

    gs_st_writer_meta(w, "step", "1");
    gs_st_writer_meta(w, "config", "[run]\nseed = \"3\"\t\\ \xc3\xa9\n");
    gs_st_writer_meta(w, "step", "12");
    gs_st_writer_add(w, "flags", GS_ST_BOOL, 1, (int64_t[]){3}, flags);
    gs_st_writer_add(w, "G.w", GS_ST_F32, 2, (int64_t[]){2, 3}, a);
    gs_st_writer_add(w, "none", GS_ST_F32, 1, (int64_t[]){0}, NULL);
    gs_st_writer_add(w, "G.w\"odd\\", GS_ST_F32, 0, NULL, a + 1);
    gs_st_writer_add(w, "big", GS_ST_I64, 1, (int64_t[]){2}, big);
    assert_ok(gs_st_writer_save(w, path));
    {
        const uint32_t crc = gs_st_writer_crc32(w);
        gs_st_file *f;

        assert_ok(gs_st_open(path, &f));
        assert_int_equal(gs_st_crc32(f), crc);
        gs_st_close(f);
    }
    gs_st_writer_free(w);
    return path;
}

static void test_round_trip(void **state)
{
    char *dir = gs_test_tmpdir(), *path = write_small(dir);
    const gs_st_tensor *t;
    const char *key, *value;
    gs_st_file *f;
    uint8_t *bytes;
    size_t size;
    uint64_t header;
    float v[6];
    int32_t n[3];

    (void)state;
    assert_ok(gs_file_read(path, 1 << 20, &bytes, &size));
    memcpy(&header, bytes, 8);
    assert_int_equal(header % 8, 0);
    free(bytes);

    assert_ok(gs_st_open(path, &f));
    assert_int_equal(gs_st_count(f), 5);
    assert_string_equal(gs_st_meta(f, "step"), "12");
    assert_string_equal(gs_st_meta(f, "config"), "[run]\nseed = \"3\"\t\\ \xc3\xa9\n");
    assert_null(gs_st_meta(f, "other"));
    assert_int_equal(gs_st_meta_count(f), 2);
    gs_st_meta_at(f, 1, &key, &value);
    assert_string_equal(key, "config");

    /* wide first, so that all are aligned; else in the order given */
    assert_string_equal(gs_st_at(f, 0)->name, "none");
    assert_string_equal(gs_st_at(f, 1)->name, "big");
    assert_string_equal(gs_st_at(f, 2)->name, "G.w");
    assert_string_equal(gs_st_at(f, 3)->name, "G.w\"odd\\");
    assert_string_equal(gs_st_at(f, 4)->name, "flags");
    assert_null(gs_st_at(f, 5));
    assert_null(gs_st_at(f, -1));

    t = gs_st_find(f, "G.w");
    assert_non_null(t);
    assert_int_equal(t->dtype, GS_ST_F32);
    assert_int_equal(t->rank, 2);
    assert_int_equal(t->shape[0], 2);
    assert_int_equal(t->shape[1], 3);
    assert_int_equal(t->count, 6);
    gs_st_to_f32(t, v);
    assert_true(v[2] == -2.5f && v[3] == 3e-20f && isinf(v[4]));
    t = gs_st_find(f, "flags");
    assert_ok(gs_st_to_i32(t, n));
    assert_true(n[0] == 0 && n[1] == 1 && n[2] == 1);
    assert_fails(gs_st_to_i32(gs_st_find(f, "big"), n), GS_EFORMAT, "small.safetensors: tensor 'big': element 1");
    assert_fails(gs_st_to_i32(gs_st_find(f, "G.w"), n), GS_EFORMAT, "'G.w': has type F32");
    assert_int_equal(gs_st_find(f, "G.w\"odd\\")->rank, 0);
    assert_int_equal(gs_st_find(f, "none")->count, 0);
    assert_null(gs_st_find(f, "G.x"));
    gs_st_close(f);
    gs_st_close(NULL);
    free(path);
    free(dir);
}

static void test_conversions(void **state)
{
    static const struct {
        gs_st_dtype type;
        uint64_t bits;
        double want;
    } c[] = {
        {GS_ST_F16, 0x3c00, 1},
        {GS_ST_F16, 0xc100, -2.5},
        {GS_ST_F16, 0x0001, 0x1p-24},
        {GS_ST_F16, 0x83ff, -1023 * 0x1p-24},
        {GS_ST_F16, 0x0400, 0x1p-14},
        {GS_ST_F16, 0x7bff, 65504},
        {GS_ST_F16, 0x7c00, INFINITY},
        {GS_ST_F16, 0xfc00, -INFINITY},
        {GS_ST_BF16, 0x3f80, 1},
        {GS_ST_BF16, 0xc020, -2.5},
        {GS_ST_F64, 0x3fb999999999999a, 0.1f},
        {GS_ST_I64, (uint64_t)-7, -7},
        {GS_ST_I32, 0xfffffff9, -7},
        {GS_ST_I16, 0xfff9, -7},
        {GS_ST_I8, 0xf9, -7},
        {GS_ST_U8, 0xf9, 249},
        {GS_ST_BOOL, 2, 1},
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT(c); i++) {
        uint8_t odd[9]; /* data at an odd address */
        gs_st_tensor t = {.name = "t", .file = "f", .dtype = c[i].type, .data = odd + 1, .count = 1};
        float v;

        memcpy(odd + 1, &c[i].bits, 8);
        t.bytes = gs_st_dtype_size(t.dtype);
        gs_st_to_f32(&t, &v);
        if ((double)v != c[i].want) fail_msg("case %zu: %.9g, wanted %.9g", i, (double)v, c[i].want);
        if (t.dtype >= GS_ST_I64) {
            int32_t n;

            assert_ok(gs_st_to_i32(&t, &n));
            assert_int_equal(n, (int)c[i].want);
        }
    }
    {
        const uint16_t nan = 0x7e01, zero = 0x8000;
        gs_st_tensor t = {.dtype = GS_ST_F16, .data = (const uint8_t *)&nan, .count = 1, .bytes = 2};
        float v;

        gs_st_to_f32(&t, &v);
        assert_true(isnan(v));
        t.data = (const uint8_t *)&zero;
        gs_st_to_f32(&t, &v);
        assert_true(v == 0 && signbit(v));
    }
}

/* A file cut at any byte is refused; one with any bit of its length or header changed never does harm. */
static void test_truncated_and_flipped(void **state)
{
    char *dir = gs_test_tmpdir(), *path = write_small(dir);
    gs_st_file *f;
    uint8_t *whole;
    size_t size;

    (void)state;
    assert_ok(gs_file_read(path, 1 << 20, &whole, &size));
    for (size_t n = 0; n < size; n++) {
        uint8_t *cut = malloc(n ? n : 1);

        memcpy(cut, whole, n);
        assert_int_equal(gs_st_open_memory(cut, n, "cut", &f), GS_EFORMAT);
        free(cut);
    }
    for (size_t bit = 0; bit < 8 * size; bit++) {
        whole[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (gs_st_open_memory(whole, size, "flip", &f) == GS_OK) {
            for (int i = 0; i < gs_st_count(f); i++) {
                float v[16];

                assert_true(gs_st_at(f, i)->count <= 16);
                gs_st_to_f32(gs_st_at(f, i), v);
            }
            gs_st_close(f);
        }
        whole[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(whole);
    free(path);
    free(dir);
}

static void writer_refuses(const char *name, gs_st_dtype dtype, int rank, int64_t extent, bool twice, const char *part)
{
    char *dir = gs_test_tmpdir(), *path = gs_path_join(dir, "x");
    const int64_t shape[9] = {extent, 1, 1, 1, 1, 1, 1, 1, 1};
    gs_st_writer *w = gs_st_writer_new();

    gs_st_writer_add(w, name, dtype, rank, shape, "12345678");
    if (twice) gs_st_writer_add(w, name, dtype, rank, shape, "12345678");
    assert_fails(gs_st_writer_save(w, path), GS_EINVAL, part);
    assert_false(gs_file_exists(path));
    gs_st_writer_free(w);
    free(path);
    free(dir);
}

static gs_status give(void *user, const char *name, void *dst)
{
    float *v = dst;

    ++*(int *)user;
    if (strcmp(name, "bad") == 0) return gs_fail(GS_ENUMERIC, "no data for bad");
    for (int i = 0; i < 3; i++) v[i] = (float)(name[0] + i);
    return GS_OK;
}

/* Tensors that are asked for make the same file as tensors in memory; one that fails leaves none and says why. */
static void test_later_tensors(void **state)
{
    static const float a[3] = { 'a', 'a' + 1, 'a' + 2 }, b[3] = { 'b', 'b' + 1, 'b' + 2 };
    const int64_t three = 3;
    char *dir = gs_test_tmpdir(), *path = gs_path_join(dir, "x");
    uint8_t *now = NULL, *later = NULL;
    size_t n = 0, m = 0;

    (void)state;
    for (int way = 0; way < 3; way++) {
        gs_st_writer *w = gs_st_writer_new();
        int asked = 0;
        uint32_t crc;

        gs_st_writer_meta(w, "k", "v");
        if (way == 0) gs_st_writer_add(w, "a", GS_ST_F32, 1, &three, a);
        else gs_st_writer_add_later(w, "a", GS_ST_F32, 1, &three, give, &asked);
        gs_st_writer_add(w, "b", GS_ST_F32, 1, &three, b);
        if (way == 2) gs_st_writer_add_later(w, "bad", GS_ST_F32, 1, &three, give, &asked);
        crc = gs_st_writer_crc32(w);
        if (way < 2) {
            gs_st_file *f;

            assert_int_equal(asked, way);
            assert_ok(gs_st_writer_save(w, path));
            assert_int_equal(asked, 2 * way);
            assert_ok(gs_file_read(path, 1 << 20, way ? &later : &now, way ? &m : &n));
            assert_ok(gs_st_open(path, &f));
            assert_true(gs_st_crc32(f) == crc);
            gs_st_close(f);
            remove(path);
        } else {
            assert_fails(gs_st_writer_save(w, path), GS_ENUMERIC, "no data for bad");
            assert_false(gs_file_exists(path));
        }
        gs_st_writer_free(w);
    }
    assert_int_equal(n, m);
    assert_memory_equal(now, later, n);
    free(now), free(later), free(path), free(dir);
}

static void test_writer_errors(void **state)
{
    (void)state;
    writer_refuses("", GS_ST_F32, 1, 1, false, "name");
    writer_refuses("__metadata__", GS_ST_F32, 1, 1, false, "'__metadata__': cannot be");
    writer_refuses("a\n", GS_ST_F32, 1, 1, false, "name");
    writer_refuses("a", GS_ST_F32, 9, 1, false, "rank");
    writer_refuses("a", GS_ST_DTYPE_COUNT, 1, 1, false, "type");
    writer_refuses("a", GS_ST_F32, 1, -1, false, "negative");
    writer_refuses("a", GS_ST_F32, 1, INT64_MAX / 2, false, "overflows");
    writer_refuses("a", GS_ST_F32, 1, 1, true, "twice");
}

/* Where the disk ends before the file does, the old file stays. */
static void test_disk_full(void **state)
{
    char *dir = gs_test_tmpdir(), *path = write_small(dir), *before = gs_test_slurp(path), *after;
    static float big[4096];
    gs_st_writer *w = gs_st_writer_new();
    struct rlimit old, small;
    gs_status st;

    (void)state;
    gs_st_writer_add(w, "big", GS_ST_F32, 1, (int64_t[]){4096}, big);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){.rlim_cur = 10000, .rlim_max = old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    st = gs_st_writer_save(w, path);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(st, GS_EIO);
    assert_true(strstr(gs_last_error(), "small.safetensors: ") != NULL);
    after = gs_test_slurp(path);
    assert_string_equal(before + 8, after + 8);
    gs_st_writer_free(w);
    free(before);
    free(after);
    free(path);
    free(dir);
}

/* Files that another library wrote: read, written by us, read again, everything equal. */
static void test_golden_round_trip(void **state)
{
    char *dir, *folder, *copy, **names;
    int n, files = 0;

    (void)state;
    if (!gs_test_shared()) GS_SKIP("no shared fixtures");
    folder = gs_path_join(gs_test_shared(), "golden/op");
    if (!gs_dir_exists(folder)) GS_SKIP("no golden/op");
    dir = gs_test_tmpdir();
    copy = gs_path_join(dir, "copy");
    assert_ok(gs_dir_list(folder, &names, &n));
    for (int i = 0; i < n; i++) {
        const size_t len = strlen(names[i]);
        char *path = gs_path_join(folder, names[i]);
        gs_st_file *a, *b;
        gs_st_writer *w;

        if (len > 12 && strcmp(names[i] + len - 12, ".safetensors") == 0 && files < 25) {
            files++;
            assert_ok(gs_st_open(path, &a));
            assert_true(gs_st_count(a) > 0);
            w = gs_st_writer_new();
            for (int k = 0; k < gs_st_meta_count(a); k++) {
                const char *key, *value;

                gs_st_meta_at(a, k, &key, &value);
                gs_st_writer_meta(w, key, value);
            }
            for (int k = 0; k < gs_st_count(a); k++) {
                const gs_st_tensor *t = gs_st_at(a, k);

                gs_st_writer_add(w, t->name, t->dtype, t->rank, t->shape, t->data);
            }
            assert_ok(gs_st_writer_save(w, copy));
            assert_ok(gs_st_open(copy, &b));
            assert_int_equal(gs_st_count(a), gs_st_count(b));
            assert_int_equal(gs_st_meta_count(a), gs_st_meta_count(b));
            for (int k = 0; k < gs_st_count(a); k++) {
                const gs_st_tensor *x = gs_st_at(a, k), *y = gs_st_find(b, x->name);

                assert_non_null(y);
                assert_int_equal(x->dtype, y->dtype);
                assert_int_equal(x->rank, y->rank);
                assert_memory_equal(x->shape, y->shape, sizeof x->shape);
                assert_int_equal(x->bytes, y->bytes);
                if (x->bytes) assert_memory_equal(x->data, y->data, x->bytes);
            }
            gs_st_writer_free(w);
            gs_st_close(a);
            gs_st_close(b);
        }
        free(path);
        free(names[i]);
    }
    assert_true(files > 0);
    free(names);
    free(folder);
    free(copy);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good), cmocka_unit_test(test_hostile), cmocka_unit_test(test_header_length),
        cmocka_unit_test(test_header_bomb), cmocka_unit_test(test_round_trip), cmocka_unit_test(test_conversions),
        cmocka_unit_test(test_truncated_and_flipped), cmocka_unit_test(test_later_tensors),
        cmocka_unit_test(test_writer_errors),
        cmocka_unit_test(test_disk_full), cmocka_unit_test(test_golden_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
