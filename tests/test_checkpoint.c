/* Tests of src/io/checkpoint.c: what counts as the newest valid file, pruning, leftovers, a writer killed at work. */
#include "lib/testlib.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/checkpoint.h"

static gs_status save(const char *dir, int64_t step, int keep, const float *v, int64_t n)
{
    gs_st_writer *w = gs_st_writer_new();
    gs_status st;

    gs_st_writer_add(w, "G.w", GS_ST_F32, 1, &n, v);
    gs_st_writer_meta(w, "rng", "5:7");
    st = gs_ckpt_save(dir, step, w, keep);
    gs_st_writer_free(w);
    return st;
}

static void expect_steps(const char *dir, int n, const int64_t *want)
{
    int64_t *steps;
    int got;

    assert_ok(gs_ckpt_list(dir, &steps, &got));
    assert_int_equal(got, n);
    for (int i = 0; i < n; i++) assert_int_equal(steps[i], want[i]);
    free(steps);
}

static void flip(const char *path, long from_end, int bit)
{
    FILE *fp = fopen(path, "r+b");
    int c;

    assert_non_null(fp);
    assert_int_equal(fseek(fp, -from_end, SEEK_END), 0);
    c = fgetc(fp);
    assert_int_equal(fseek(fp, -from_end, SEEK_END), 0);
    fputc(c ^ 1 << bit, fp);
    fclose(fp);
}

static void collect(const char *line, void *user)
{
    gs_str_printf(user, "%s\n", line);
}

static void test_save_and_prune(void **state)
{
    static const float v[2] = {1, 2};
    char *root = gs_test_tmpdir(), *dir = gs_path_join(root, "run/checkpoints"), *path;
    gs_st_file *f;
    int64_t step;

    (void)state;
    expect_steps(dir, 0, NULL);
    assert_fails(gs_ckpt_open_newest(dir, &step, &f), GS_EIO, "no checkpoint");
    for (int s = 0; s <= 50; s += 10) assert_ok(save(dir, s, 0, v, 2));
    expect_steps(dir, 6, (int64_t[]){0, 10, 20, 30, 40, 50});
    assert_ok(save(dir, 35, 3, v, 2)); /* a run resumed at 30: 40 and 50 are not its past */
    expect_steps(dir, 5, (int64_t[]){20, 30, 35, 40, 50});
    assert_ok(save(dir, 12345678901, 2, v, 2)); /* eleven digits sort by number, not by name */
    expect_steps(dir, 2, (int64_t[]){50, 12345678901});

    path = gs_path_join(dir, "step_7.safetensors"); /* not our spelling */
    assert_ok(gs_file_write(path, "x", 1));
    free(path);
    path = gs_path_join(dir, "step_00000000x7.safetensors");
    assert_ok(gs_file_write(path, "x", 1));
    free(path);
    expect_steps(dir, 2, (int64_t[]){50, 12345678901});
    assert_ok(gs_ckpt_open_newest(dir, &step, &f));
    assert_true(step == 12345678901);
    assert_string_equal(gs_st_meta(f, "rng"), "5:7");
    gs_st_close(f);
    free(dir);
    free(root);
}

static void test_damaged(void **state)
{
    static const float v[2] = {1, 2};
    char *dir = gs_test_tmpdir(), *path, *other;
    gs_str warned = {0};
    gs_st_file *f;
    int64_t step;

    (void)state;
    for (int s = 1; s <= 5; s++) assert_ok(save(dir, s, 0, v, 2));
    path = gs_ckpt_path(dir, 5);
    assert_int_equal(truncate(path, 100), 0); /* cut */
    free(path);
    path = gs_ckpt_path(dir, 4);
    flip(path, 3, 2); /* one bit of a weight: the file is well-formed all the same */
    assert_ok(gs_st_open(path, &f));
    gs_st_close(f);
    assert_fails(gs_ckpt_open(path, NULL, &f), GS_EFORMAT, "check sum");
    free(path);
    path = gs_ckpt_path(dir, 3);
    other = gs_ckpt_path(dir, 1);
    assert_int_equal(rename(other, path), 0); /* wrong name */
    free(path);
    free(other);

    gs_log_set(collect, &warned);
    assert_ok(gs_ckpt_open_newest(dir, &step, &f));
    gs_log_set(NULL, NULL);
    assert_int_equal(step, 2);
    gs_st_close(f);
    assert_true(strstr(warned.data, "step_0000000005.safetensors: ") != NULL);
    assert_true(strstr(warned.data, "step_0000000004.safetensors: check sum") != NULL);
    assert_true(strstr(warned.data, "step_0000000003.safetensors: holds step 1") != NULL);
    gs_str_free(&warned);

    path = gs_ckpt_path(dir, 2);
    assert_ok(gs_file_write(path, "", 0));
    free(path);
    gs_log_set(collect, &warned);
    assert_fails(gs_ckpt_open_newest(dir, &step, &f), GS_EFORMAT, "none of 4 checkpoints is valid");
    gs_log_set(NULL, NULL);
    assert_null(f);
    gs_str_free(&warned);
    free(dir);
}

/* Also a bit of the metadata is seen: a wrong generator state would make a resumed run differ in silence. */
static void test_metadata_bit(void **state)
{
    static const float v[2] = {1, 2};
    char *dir = gs_test_tmpdir(), *path, *text, *at;
    gs_st_file *f;
    uint8_t *bytes;
    size_t size;

    (void)state;
    assert_ok(save(dir, 1, 0, v, 2));
    path = gs_ckpt_path(dir, 1);
    assert_ok(gs_file_read(path, 1 << 20, &bytes, &size));
    text = (char *)bytes;
    at = memmem(text, size, "5:7", 3);
    assert_non_null(at);
    *at = '4';
    assert_ok(gs_file_write(path, bytes, size));
    assert_fails(gs_ckpt_open(path, NULL, &f), GS_EFORMAT, "check sum");
    free(bytes);
    free(path);
    free(dir);
}

static void test_plain_safetensors_is_no_checkpoint(void **state)
{
    char *dir = gs_test_tmpdir(), *path = gs_ckpt_path(dir, 9);
    gs_st_writer *w = gs_st_writer_new();
    gs_st_file *f;

    (void)state;
    assert_ok(gs_st_writer_save(w, path));
    assert_fails(gs_ckpt_open(path, NULL, &f), GS_EFORMAT, "no step");
    gs_st_writer_meta(w, "step", "9");
    assert_ok(gs_st_writer_save(w, path));
    assert_fails(gs_ckpt_open(path, NULL, &f), GS_EFORMAT, "the file says nothing");
    gs_st_writer_free(w);
    free(path);
    free(dir);
}

/* A process killed anywhere in its saving leaves at least the last complete checkpoint, and leftovers go. */
static void test_killed_writer(void **state)
{
    enum { N = 300000 };
    char *dir = gs_test_tmpdir(), **names;
    float *v = gs_xalloc(N * sizeof *v);
    int n, temps = 0;

    (void)state;
    for (int i = 0; i < N; i++) v[i] = (float)i;
    assert_ok(save(dir, 0, 2, v, N));
    for (int round = 0; round < 12; round++) {
        const pid_t pid = fork();
        int64_t step = -1;
        gs_st_file *f;

        assert_true(pid >= 0);
        if (pid == 0) {
            for (int64_t s = 1;; s++)
                if (save(dir, 1000 * round + s, 2, v, N) != GS_OK) _exit(1);
        }
        usleep(7000 + 3301 * (unsigned)round);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        assert_ok(gs_ckpt_open_newest(dir, &step, &f));
        assert_int_equal(gs_st_find(f, "G.w")->count, N);
        gs_st_close(f);
    }
    gs_ckpt_clean(dir);
    assert_ok(gs_dir_list(dir, &names, &n));
    for (int i = 0; i < n; i++) {
        temps += strstr(names[i], ".tmp-") != NULL;
        free(names[i]);
    }
    free(names);
    assert_int_equal(temps, 0);
    free(v);
    free(dir);
}

static void test_clean(void **state)
{
    static const float v[2] = {1, 2};
    static const char *const left[] = {"step_0000000001.safetensors.tmp-123-0", "notes.tmp-1"};
    char *dir = gs_test_tmpdir(), *path[2];

    (void)state;
    assert_ok(save(dir, 1, 0, v, 2));
    for (int i = 0; i < 2; i++) {
        path[i] = gs_path_join(dir, left[i]);
        assert_ok(gs_file_write(path[i], "half", 4));
    }
    gs_ckpt_clean(dir);
    assert_false(gs_file_exists(path[0]));
    assert_true(gs_file_exists(path[1])); /* not ours */
    expect_steps(dir, 1, (int64_t[]){1});
    gs_ckpt_clean("/nonexistent/folder");
    free(path[0]);
    free(path[1]);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_save_and_prune), cmocka_unit_test(test_damaged), cmocka_unit_test(test_metadata_bit),
        cmocka_unit_test(test_plain_safetensors_is_no_checkpoint), cmocka_unit_test(test_killed_writer),
        cmocka_unit_test(test_clean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
