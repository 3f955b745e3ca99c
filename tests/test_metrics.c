/* Tests of src/train/metrics.c: what is written, and that a resumed run leaves the bytes of an uninterrupted one. */
#include "lib/testlib.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "train/metrics.h"

static const char *const columns[] = {"epoch", "loss_g", "acc/real"};

static gs_status open_in(const char *dir, int64_t resume, gs_metrics **m)
{
    return gs_metrics_open(dir, "metrics", columns, 3, resume, m);
}

static void expect(const char *dir, const char *name, const char *want)
{
    char *path = gs_path_join(dir, name), *text = gs_test_slurp(path);

    assert_string_equal(text, want);
    free(text);
    free(path);
}

static void steps(gs_metrics *m, int from, int to)
{
    for (int s = from; s <= to; s++)
        assert_ok(gs_metrics_write(m, s, (double[]){s / 4, 0.7 / s, s % 4 ? NAN : 0.5 + s}));
}

static void test_lines(void **state)
{
    char *root = gs_test_tmpdir(), *dir = gs_path_join(root, "run/x"), *csv = gs_path_join(dir, "metrics.csv");
    gs_metrics_table t;
    gs_metrics *m;

    (void)state;
    assert_ok(open_in(dir, -1, &m));
    assert_ok(gs_metrics_write(m, 1, (double[]){0, (double)0.1f, NAN}));
    assert_ok(gs_metrics_write(m, 12345678901, (double[]){3, INFINITY, -1e-30}));
    gs_metrics_close(m);
    gs_metrics_close(NULL);
    expect(dir, "metrics.csv", "step,epoch,loss_g,acc/real\n1,0,0.100000001,\n12345678901,3,inf,-1e-30\n");
    expect(dir, "metrics.jsonl", "{\"step\":1,\"epoch\":0,\"loss_g\":0.100000001}\n"
                                 "{\"step\":12345678901,\"epoch\":3,\"loss_g\":null,\"acc/real\":-1e-30}\n");

    assert_ok(gs_metrics_read(csv, &t));
    assert_int_equal(t.n_columns, 4);
    assert_int_equal(t.n_rows, 2);
    assert_int_equal(gs_metrics_column(&t, "loss_g"), 2);
    assert_int_equal(gs_metrics_column(&t, "nothing"), -1);
    assert_true((float)t.v[2] == 0.1f && isnan(t.v[3]));
    assert_true(t.v[4] == 12345678901 && isinf(t.v[6]) && t.v[7] == -1e-30);
    gs_metrics_table_free(&t);

    assert_ok(open_in(dir, -1, &m)); /* anew */
    gs_metrics_close(m);
    expect(dir, "metrics.csv", "step,epoch,loss_g,acc/real\n");
    expect(dir, "metrics.jsonl", "");
    free(csv);
    free(dir);
    free(root);
}

/* However the first run ended, after the resume the files are those of a run that went through. */
static void test_resume(void **state)
{
    char *whole = gs_test_tmpdir(), *want_csv, *want_json, *path;
    gs_metrics *m;

    (void)state;
    assert_ok(open_in(whole, -1, &m));
    steps(m, 1, 20);
    gs_metrics_close(m);
    path = gs_path_join(whole, "metrics.csv");
    want_csv = gs_test_slurp(path);
    free(path);
    path = gs_path_join(whole, "metrics.jsonl");
    want_json = gs_test_slurp(path);
    free(path);

    for (int checkpoint = 0; checkpoint <= 12; checkpoint += 4) {
        for (int broken = 0; broken < 4; broken++) {
            char *dir = gs_test_tmpdir(), *csv = gs_path_join(dir, "metrics.csv"),
                 *json = gs_path_join(dir, "metrics.jsonl");

            assert_ok(open_in(dir, -1, &m));
            steps(m, 1, 13); /* past the checkpoint, then stopped */
            gs_metrics_close(m);
            if (broken & 1 || broken & 2) {
                char *file = broken & 1 ? csv : json, *text = gs_test_slurp(file);

                assert_ok(gs_file_write(file, text, strlen(text) - (broken == 3 ? 3 : 1))); /* half a line */
                free(text);
            }
            assert_ok(open_in(dir, checkpoint, &m));
            steps(m, checkpoint + 1, 20);
            gs_metrics_close(m);
            expect(dir, "metrics.csv", want_csv);
            expect(dir, "metrics.jsonl", want_json);
            free(csv);
            free(json);
            free(dir);
        }
    }
    free(want_csv);
    free(want_json);
    free(whole);
}

/* A half-written header or a lost file starts anew; other columns do not. */
static void test_resume_odd(void **state)
{
    static const char *const other[] = {"epoch", "loss"}, *const twice[] = {"a", "a"}, *const step[] = {"step"},
                      *const odd[] = {"a,b"};
    char *dir = gs_test_tmpdir(), *csv = gs_path_join(dir, "metrics.csv"), *json = gs_path_join(dir, "metrics.jsonl");
    gs_metrics *m;

    (void)state;
    assert_ok(open_in(dir, 5, &m));
    gs_metrics_close(m);
    expect(dir, "metrics.csv", "step,epoch,loss_g,acc/real\n");
    assert_ok(gs_file_write(csv, "step,epo", 8));
    assert_ok(open_in(dir, 5, &m));
    steps(m, 1, 1);
    gs_metrics_close(m);
    assert_fails(gs_metrics_open(dir, "metrics", other, 2, 5, &m), GS_EFORMAT,
                 "metrics.csv: its columns are not those");
    assert_null(m);
    expect(dir, "metrics.csv", "step,epoch,loss_g,acc/real\n1,0,0.7,\n");
    assert_ok(gs_file_write(json, "{\"step\":1}\nrubbish\n", 19));
    assert_fails(open_in(dir, 5, &m), GS_EFORMAT, "metrics.jsonl:2: not a line of a metrics file");
    assert_ok(gs_file_write(json, "{\"step\":1x}\n", 12));
    assert_fails(open_in(dir, 5, &m), GS_EFORMAT, "metrics.jsonl:1:");
    assert_fails(gs_metrics_open(dir, "m", twice, 2, -1, &m), GS_EINVAL, "'a' is there twice");
    assert_fails(gs_metrics_open(dir, "m", step, 1, -1, &m), GS_EINVAL, "'step' is there twice");
    assert_fails(gs_metrics_open(dir, "m", odd, 1, -1, &m), GS_EINVAL, "'a,b' is not a plain name");
    assert_fails(open_in("/proc/none", -1, &m), GS_EIO, "/proc/none");
    free(csv);
    free(json);
    free(dir);
}

static void test_read_errors(void **state)
{
    static const struct {
        const char *text, *part;
    } bad[] = {
        {"", "no header"}, {"step", "no header"}, {"epoch,loss\n", ":1: the first column is not 'step'"},
        {"step,a b\n", ":1: not the header"}, {"step,a\n1,2\n1\n", ":3: 1 cells, the header has 2"},
        {"step,a\n1,2,3\n", ":2: cell 3"}, {"step,a\n1,x\n", ":2: cell 2"}, {"step,a\n1,nan\n", ":2: cell 2"},
    };
    char *dir = gs_test_tmpdir(), *csv = gs_path_join(dir, "m.csv");
    gs_metrics_table t;

    (void)state;
    for (size_t i = 0; i < GS_COUNT(bad); i++) {
        assert_ok(gs_file_write(csv, bad[i].text, strlen(bad[i].text)));
        assert_fails(gs_metrics_read(csv, &t), GS_EFORMAT, bad[i].part);
        assert_int_equal(t.n_columns, 0);
    }
    assert_ok(gs_file_write(csv, "step,a\n1,2\n2,3", 14)); /* the last line may be half of "2,3.5" */
    assert_ok(gs_metrics_read(csv, &t));
    assert_int_equal(t.n_rows, 1);
    gs_metrics_table_free(&t);
    free(csv);
    free(dir);
}

static void test_disk_full(void **state)
{
    char *dir = gs_test_tmpdir();
    struct rlimit old, small;
    gs_status st = GS_OK;
    gs_metrics *m;
    int wrote = 0;

    (void)state;
    assert_ok(open_in(dir, -1, &m));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){.rlim_cur = 1000, .rlim_max = old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    while (wrote < 500 && (st = gs_metrics_write(m, wrote + 1, (double[]){1, 2, 3})) == GS_OK) wrote++;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(st, GS_EIO);
    assert_true(strstr(gs_last_error(), "metrics.jsonl: File too large") != NULL);
    assert_true(wrote > 10 && wrote < 500);
    gs_metrics_close(m);
    assert_ok(open_in(dir, wrote, &m)); /* nothing that was written before is lost or broken */
    assert_ok(gs_metrics_write(m, wrote + 1, (double[]){1, 2, 3}));
    gs_metrics_close(m);
    {
        char *csv = gs_path_join(dir, "metrics.csv");
        gs_metrics_table t;

        assert_ok(gs_metrics_read(csv, &t));
        assert_int_equal(t.n_rows, wrote + 1);
        for (int i = 0; i <= wrote; i++) assert_true(t.v[4 * i] == i + 1);
        gs_metrics_table_free(&t);
        free(csv);
    }
    free(dir);
}

static void test_log(void **state)
{
    char *dir = gs_test_tmpdir(), *path = gs_path_join(dir, "log.txt"), *text, *second;

    (void)state;
    assert_ok(gs_run_log(dir, "start, seed %d", 7));
    assert_ok(gs_run_log(dir, "stop"));
    text = gs_test_slurp(path);
    assert_true(text[4] == '-' && text[10] == ' ' && text[13] == ':');
    assert_int_equal(strncmp(text + 20, "start, seed 7\n", 14), 0);
    second = strchr(text, '\n') + 1;
    assert_string_equal(second + 20, "stop\n");
    free(text);
    free(path);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines), cmocka_unit_test(test_resume), cmocka_unit_test(test_resume_odd),
        cmocka_unit_test(test_read_errors), cmocka_unit_test(test_disk_full), cmocka_unit_test(test_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
