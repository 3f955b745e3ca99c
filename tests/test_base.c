/* Tests of src/base. */
#include "lib/testlib.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_status(void **state)
{
    (void)state;
    for (int i = 0; i < GS_STATUS_COUNT; i++) assert_true(strlen(gs_status_text((gs_status)i)) > 3);
    assert_string_equal(gs_status_text((gs_status)999), "unknown status");
    assert_int_equal(gs_status_exit(GS_OK), 0);
    assert_int_equal(gs_status_exit(GS_EIO), 1);
    assert_int_equal(gs_status_exit(GS_ECONFIG), 2);
    assert_int_equal(gs_status_exit(GS_ESTOPPED), 130);

    assert_int_equal(gs_fail(GS_EFORMAT, "bad %d", 7), GS_EFORMAT);
    assert_int_equal(gs_fail_in(GS_EFORMAT, "file %s", "x"), GS_EFORMAT);
    assert_string_equal(gs_last_error(), "file x: bad 7");
    gs_fail_in(GS_OK, "nothing");
    assert_string_equal(gs_last_error(), "file x: bad 7");
    gs_fail(GS_EIO, "again: %s", gs_last_error()); /* quoting itself */
    assert_string_equal(gs_last_error(), "again: file x: bad 7");
    gs_fail(GS_EFORMAT, "key \"%s\"", "\033[2J\r\x7f\xc2\x9b\n\tb\xc3\xa9"); /* from a file that is no friend */
    assert_string_equal(gs_last_error(), "key \"?[2J????\n\tb\xc3\xa9\"");
    gs_fail_in(GS_EFORMAT, "%s", "a\033c");
    assert_string_equal(gs_last_error(), "a?c: key \"?[2J????\n\tb\xc3\xa9\"");
    for (int i = 0; i < 2000; i++) gs_fail_in(GS_EIO, "deep"); /* cut, never overrun */
    assert_true(strlen(gs_last_error()) < 2048);
}

static void test_memory(void **state)
{
    gs_arena *a = gs_arena_new();
    int *list = NULL, n = 0, cap = 0;
    size_t out;

    (void)state;
    for (int i = 1; i < 3000; i += 7) {
        unsigned char *p = gs_arena_alloc(a, (size_t)i);

        assert_int_equal((uintptr_t)p % 16, 0);
        for (int j = 0; j < i; j++) assert_int_equal(p[j], 0);
        memset(p, 0xff, (size_t)i);
    }
    assert_non_null(gs_arena_alloc(a, 1 << 20));
    assert_string_equal(gs_arena_printf(a, "%d-%s", 3, "x"), "3-x");
    gs_arena_free(a);
    gs_arena_free(NULL);

    assert_true(gs_mul_size(3, 5, &out) && out == 15);
    assert_false(gs_mul_size(SIZE_MAX / 2, 3, &out));
    assert_null(gs_try_alloc(SIZE_MAX / 2, 3, "labels"));
    assert_true(gs_test_contains(gs_last_error(), "labels"));
    assert_null(gs_try_alloc(SIZE_MAX / 4, 2, "images"));
    free(gs_try_alloc(0, 4, "none"));

    for (int i = 0; i < 100; i++) GS_PUSH(list, n, cap, n); /* the item is worked out before the list grows by it */
    for (int i = 0; i < 100; i++) assert_int_equal(list[i], i);
    assert_true(n == 100 && cap >= n);
    free(list);
}

static void test_strings(void **state)
{
    static const char *const names[] = {"lr", "batch_size", "n_epochs", "beta1", "beta2"};
    gs_str s = {0};
    char buf[32];

    (void)state;
    assert_string_equal(gs_str_c(&s), "");
    for (int i = 0; i < 1000; i++) gs_str_printf(&s, "%d,", i);
    gs_str_append(&s, "end", 3);
    assert_int_equal(s.len, 10 * 2 + 90 * 3 + 900 * 4 + 3);
    assert_string_equal(s.data + s.len - 7, "999,end");
    gs_str_free(&s);
    assert_null(s.data);

    assert_int_equal(gs_edit_distance("", ""), 0);
    assert_int_equal(gs_edit_distance("abc", ""), 3);
    assert_int_equal(gs_edit_distance("kitten", "sitting"), 3);
    assert_int_equal(gs_edit_distance("sitting", "kitten"), 3);
    assert_int_equal(gs_edit_distance("ture", "true"), 1);
    assert_string_equal(gs_nearest("lrr", names, 5), "lr");
    assert_string_equal(gs_nearest("bacth_size", names, 5), "batch_size");
    assert_string_equal(gs_nearest("epochs", names, 5), "n_epochs");
    assert_null(gs_nearest("zz", names, 5));
    assert_null(gs_nearest("temperature", names, 5));
    assert_null(gs_nearest("", names, 5));

    assert_string_equal(gs_bytes_text(buf, 512), "512 B");
    assert_string_equal(gs_bytes_text(buf, 1.5 * 1024 * 1024), "1.5 MiB");
    assert_string_equal(gs_bytes_text(buf, 1024.0 * 1024 - 1), "1.0 MiB");
    assert_string_equal(gs_count_text(buf, 1234567), "1 234 567");
    assert_string_equal(gs_count_text(buf, -100000), "-100 000");
    assert_string_equal(gs_count_text(buf, 0), "0");
    assert_string_equal(gs_count_text(buf, INT64_MIN), "-9 223 372 036 854 775 808");
    assert_string_equal(gs_seconds_text(buf, 12.2), "12s");
    assert_string_equal(gs_seconds_text(buf, 59.9), "1m00s");
    assert_string_equal(gs_seconds_text(buf, 185), "3m05s");
    assert_string_equal(gs_seconds_text(buf, 3725), "1h02m");
    assert_string_equal(gs_seconds_text(buf, NAN), "?");
    assert_string_equal(gs_rate_text(buf, 0.00123), "0.0012");
    assert_string_equal(gs_rate_text(buf, 0.0123), "0.012");
    assert_string_equal(gs_rate_text(buf, 0.517), "0.52");
    assert_string_equal(gs_rate_text(buf, 0.996), "1.0");
    assert_string_equal(gs_rate_text(buf, 9.94), "9.9");
    assert_string_equal(gs_rate_text(buf, 9.96), "10");
    assert_string_equal(gs_rate_text(buf, 1249.6), "1 250");
}

static void test_parsers(void **state)
{
    static const char *const bad_int[] = {"", "-", "+", " 1", "1 ", "1.0", "0x10", "1e3", "9223372036854775808", "--1"};
    static const char *const bad_float[] = {"",    ".",    "-",     "e5",    " 1",   "1 ", "nan",
                                            "inf", "-inf", "0x1p3", "1e999", "1..2", "1,5"};
    int64_t i = 77;
    double f = 77;

    (void)state;
    for (size_t k = 0; k < GS_COUNT(bad_int); k++)
        if (gs_parse_i64(bad_int[k], &i)) fail_msg("\"%s\" passed as an integer", bad_int[k]);
    for (size_t k = 0; k < GS_COUNT(bad_float); k++)
        if (gs_parse_f64(bad_float[k], &f)) fail_msg("\"%s\" passed as a number", bad_float[k]);
    assert_int_equal(i, 77);
    assert_true(gs_parse_i64("-9223372036854775808", &i) && i == INT64_MIN);
    assert_true(gs_parse_i64("+12", &i) && i == 12);
    assert_true(gs_parse_f64("2e-4", &f) && f == 2e-4);
    assert_true(gs_parse_f64("-.5", &f) && f == -0.5);
    assert_true(gs_parse_f64("3", &f) && f == 3);
}

static int count_entries(const char *dir)
{
    char **names;
    int n;

    assert_ok(gs_dir_list(dir, &names, &n));
    for (int i = 0; i < n; i++) free(names[i]);
    free(names);
    return n;
}

static void test_files(void **state)
{
    char *dir = gs_test_tmpdir(), *deep, *path, **names;
    gs_file_out *out;
    uint8_t *data;
    size_t size;
    int n;

    (void)state;
    deep = gs_path_join(dir, "a/b//c");
    assert_ok(gs_mkdirs(deep));
    assert_ok(gs_mkdirs(deep));
    assert_true(gs_dir_exists(deep));
    assert_false(gs_file_exists(deep));
    path = gs_path_join(deep, "/t.txt");
    assert_true(gs_test_contains(path, "a/b//c/t.txt"));
    assert_fails(gs_file_read(path, 100, &data, &size), GS_EIO, "t.txt: No such file");
    assert_ok(gs_file_write(path, "hello", 5));
    assert_ok(gs_file_read(path, 5, &data, &size));
    assert_int_equal(size, 5);
    assert_string_equal((char *)data, "hello");
    free(data);
    assert_fails(gs_file_read(path, 4, &data, &size), GS_ELIMIT, "t.txt");
    assert_null(data);
    assert_fails(gs_file_read("/dev/zero", 100000, &data, &size), GS_ELIMIT, "more than 100000");
    assert_fails(gs_file_read(deep, 100, &data, &size), GS_EIO, "folder");
    assert_fails(gs_file_write(deep, "x", 1), GS_EIO, "folder");
    assert_fails(gs_mkdirs(path), GS_EIO, "not a folder");

    assert_ok(gs_file_out_open(path, &out));
    assert_ok(gs_file_out_write(out, "new", 3));
    gs_file_out_abort(&out);
    assert_null(out);
    gs_file_out_abort(&out);
    data = (uint8_t *)gs_test_slurp(path);
    assert_string_equal((char *)data, "hello");
    free(data);
    assert_int_equal(count_entries(deep), 1);

    assert_ok(gs_file_append(path, " world"));
    assert_ok(gs_file_append(path, "line\n"));
    data = (uint8_t *)gs_test_slurp(path);
    assert_string_equal((char *)data, "hello world\nline\n");
    free(data);
    free(path);

    for (int i = 0; i < 3; i++) {
        char name[8] = {(char)('z' - i), '\0'};

        path = gs_path_join(deep, name);
        assert_ok(gs_file_write(path, "", 0));
        free(path);
    }
    path = gs_path_join(deep, ".hidden");
    assert_ok(gs_file_write(path, "", 0));
    free(path);
    assert_ok(gs_dir_list(deep, &names, &n));
    assert_int_equal(n, 4);
    assert_string_equal(names[0], "t.txt");
    assert_string_equal(names[3], "z");
    for (int i = 0; i < n; i++) free(names[i]);
    free(names);

    assert_int_equal(setenv("XDG_CACHE_HOME", dir, 1), 0);
    assert_ok(gs_cache_dir(&path));
    assert_true(gs_dir_exists(path));
    assert_int_equal(strncmp(path, dir, strlen(dir)), 0);
    free(path);
    free(deep);
    free(dir);
}

/* A write that fails for want of space or permission leaves the old file and no temporary one. */
static void test_failed_write_keeps_old(void **state)
{
    char *dir = gs_test_tmpdir(), *path = gs_path_join(dir, "keep.bin"), *text;
    static char big[1 << 16];
    struct rlimit old, small;

    (void)state;
    assert_ok(gs_file_write(path, "old", 3));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){.rlim_cur = 5000, .rlim_max = old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    memset(big, 'x', sizeof big);
    {
        const gs_status st = gs_file_write(path, big, sizeof big);
        char sentence[200];

        snprintf(sentence, sizeof sentence, "%s", gs_last_error());
        memset(big, 'y', 4000);
        big[4000] = '\0';
        assert_ok(gs_file_append(path, big));
        assert_int_equal(gs_file_append(path, big), GS_EIO); /* does not fit: taken back whole */
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(st, GS_EIO);
        assert_true(gs_test_contains(sentence, "keep.bin: File too large"));
    }
    text = gs_test_slurp(path);
    assert_int_equal(strlen(text), 3 + 4000 + 1);
    assert_int_equal(strncmp(text, "oldyy", 5), 0);
    free(text);
    assert_int_equal(count_entries(dir), 1);

    assert_fails(gs_file_write("/dev/full", big, 100), GS_EIO, "/dev/full: No space left");
    assert_fails(gs_file_append("/dev/full", "line"), GS_EIO, "/dev/full: No space left");
    assert_ok(gs_file_write("/dev/null", big, 100)); /* written through, not replaced */
    {
        struct stat info;

        assert_int_equal(stat("/dev/null", &info), 0);
        assert_true(S_ISCHR(info.st_mode));
    }
    assert_fails(gs_file_write("/proc/gesso/x", big, 1), GS_EIO, "/proc/gesso/x");
    free(path);
    free(dir);
}

static void catch_line(const char *line, void *user)
{
    gs_str_printf(user, "[%s]", line);
}

static void test_log(void **state)
{
    gs_str got = {0};

    (void)state;
    gs_log_set(catch_line, &got);
    gs_warn("low %s", "memory");
    gs_warn("%d", 2);
    gs_log_set(NULL, NULL);
    assert_string_equal(gs_str_c(&got), "[low memory][2]");
    gs_str_free(&got);
}

static void test_hash(void **state)
{
    (void)state;
    /* known answers of FNV-1a 64 */
    assert_true(gs_hash_str("") == 0xcbf29ce484222325u);
    assert_true(gs_hash_str("a") == 0xaf63dc4c8601ec8cu);
    assert_true(gs_hash_str("foobar") == 0x85944171f73967e8u);
    assert_true(gs_hash64("a", 1, 1) != gs_hash64("a", 1, 0));
}

/* The known answers that the authors publish with Random123. */
static void test_philox(void **state)
{
    static const struct {
        uint32_t ctr[4], key[2], want[4];
    } kat[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT(kat); i++) {
        uint32_t out[4];

        gs_philox(kat[i].ctr, kat[i].key, out);
        assert_memory_equal(out, kat[i].want, sizeof out);
    }
}

static void test_rng(void **state)
{
    enum { N = 200000 };
    gs_rng r = {.seed = 1}, again = {.seed = 1}, zero = {0};
    double sum = 0, sum2 = 0, sum4 = 0;
    int32_t v[1000];
    int hits[7] = {0};
    bool seen[1000] = {false}, same = true;

    (void)state;
    assert_int_equal(gs_rng_u32(&zero), 0x6627e8d5u);
    assert_int_equal(gs_rng_u32(&zero), 0xe169c58du);
    again.pos = 5;
    for (int i = 0; i < 5; i++) gs_rng_u32(&r);
    assert_int_equal(gs_rng_u32(&r), gs_rng_u32(&again)); /* a stored position resumes */

    for (int i = 0; i < N; i++) {
        const double u = gs_rng_uniform(&r);

        assert_true(u >= 0 && u < 1);
        sum += u;
    }
    assert_true(fabs(sum / N - 0.5) < 5 / sqrt(12.0 * N));
    sum = 0;
    for (int i = 0; i < N; i++) {
        const double z = gs_rng_normal(&r);

        sum += z;
        sum2 += z * z;
        sum4 += z * z * z * z;
    }
    assert_true(fabs(sum / N) < 5 / sqrt(N));
    assert_true(fabs(sum2 / N - 1) < 5 * sqrt(2.0 / N));
    assert_true(fabs(sum4 / N - 3) < 5 * sqrt(96.0 / N));
    for (int i = 0; i < 70000; i++) hits[gs_rng_below(&r, 7)]++;
    for (int i = 0; i < 7; i++) assert_true(abs(hits[i] - 10000) < 500);

    gs_rng_permute(&r, v, 1000);
    for (int i = 0; i < 1000; i++) {
        assert_in_range(v[i], 0, 999);
        assert_false(seen[v[i]]);
        seen[v[i]] = true;
        same = same && v[i] == i;
    }
    assert_false(same);
}

static void mark(void *user, int i)
{
    __atomic_fetch_add((int *)user + i, i + 1, __ATOMIC_RELAXED);
}

static void test_threads(void **state)
{
    static int v[5000];
    const double t0 = gs_now();

    (void)state;
    assert_true(gs_cores() >= 1);
    gs_parallel_for(5000, 8, mark, v);
    gs_parallel_for(0, 0, mark, v);
    gs_parallel_for(1, 0, mark, v + 4999);
    for (int i = 0; i < 4999; i++) assert_int_equal(v[i], i + 1);
    assert_int_equal(v[4999], 5001);
    assert_true(gs_now() >= t0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status), cmocka_unit_test(test_memory), cmocka_unit_test(test_strings),
        cmocka_unit_test(test_parsers), cmocka_unit_test(test_files), cmocka_unit_test(test_failed_write_keeps_old),
        cmocka_unit_test(test_log), cmocka_unit_test(test_hash), cmocka_unit_test(test_philox),
        cmocka_unit_test(test_rng), cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
