/* Runs that end in the middle, by signals, kills, full disks and bad numbers, and go on: the same bytes as if
 * nothing had happened.
 *
 * Each run is a process of its own. This one never touches a device, since drivers' threads do not survive a fork. */
#include "lib/testlib.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "device/tuning.h"
#include "io/checkpoint.h"
#include "plan/variants.h"
#include "train/system.h"
#include "train/trainer.h"

#define STEPS 240 /* three epochs of 80 batches */

static char *tmp, *config;

/* Batches of 800 "bars": 80 an epoch; every output that a run has. */
static const char ini[] =
    "[model]\nsystem = cgan\nprofile = bars\n[train]\nbatch_size = 800\nn_epochs = 3\nlog_every = 7\n"
    "[checkpoint]\nevery = 25\nkeep = 0\n[sample]\nn_row = 2\nsample_interval_batches = 60\n[log]\nplots = 0\n";

typedef struct job {
    const char *dir;
    const char *set[8];
    int n_set;
    bool resume;
    int64_t steps;
    rlim_t file_limit;   /* bytes, from the second losses on, when samples have been drawn too and all is compiled; 0: none */
    int raise_at, raise; /* the process sends itself this signal at this log line, counted from 1 */
    int raise_twice;
} job;

static char *in(const char *dir, const char *name) { return gs_path_join(dir, name); }
static char *dir_named(const char *name) { return gs_path_join(tmp, name); }

typedef struct watcher { const job *j; int lines, losses; } watcher;

static void on_line(void *user, const char *text)
{
    watcher *w = user;

    w->losses += strstr(text, "loss") != NULL;
    if (w->j->file_limit && w->losses == 2) setrlimit(RLIMIT_FSIZE, &(struct rlimit){ w->j->file_limit, RLIM_INFINITY });
    if (++w->lines != w->j->raise_at) return;
    raise(w->j->raise);
    if (w->j->raise_twice) raise(w->j->raise);
}

static void on_warning(const char *text, void *user)
{
    FILE *f = fopen(user, "a");

    if (f) fprintf(f, "%s\n", text);
    if (f) fclose(f);
}

/* In the child: trains, leaves the sentence of a failure in DIR.err, ends with the exit status. */
static void child(const job *j)
{
    watcher w = { .j = j };
    gs_train_opts o = { .config = config,
                        .run = j->dir,
                        .set = j->set,
                        .n_set = j->n_set,
                        .steps = j->steps,
                        .resume = j->resume,
                        .line = on_line,
                        .user = &w };
    gs_str err = { 0 }, warn = { 0 };
    gs_status st;
    int null = open("/dev/null", O_WRONLY);

    if (null >= 0) dup2(null, STDERR_FILENO); /* compilers of drivers are talkative */
    gs_str_printf(&warn, "%s.warn", j->dir);
    gs_log_set(on_warning, warn.data);
    st = gs_train(&o, NULL);
    gs_str_printf(&err, "%s.err", j->dir);
    if (st != GS_OK) {
        FILE *f = fopen(err.data, "w");

        if (f) fprintf(f, "%s\n", gs_last_error());
        if (f) fclose(f);
    }
    _exit(gs_status_exit(st));
}

static pid_t start(const job *j)
{
    gs_str err = { 0 };
    pid_t pid;

    gs_str_printf(&err, "%s.err", j->dir);
    unlink(err.data);
    gs_str_free(&err);
    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) child(j);
    return pid;
}

static int wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0) assert_int_equal(errno, EINTR);
    return status;
}

static void ends_with(const job *j, int status, int wanted)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == wanted) return;
    {
        gs_str err = { 0 };

        gs_str_printf(&err, "%s.err", j->dir);
        fail_msg("ended with %s %d, wanted exit %d: %s", WIFEXITED(status) ? "exit" : "signal",
                 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), wanted,
                 gs_file_exists(err.data) ? gs_test_slurp(err.data) : "");
    }
}

static void run(job j, int wanted)
{
    ends_with(&j, wait_for(start(&j)), wanted);
}

static void says(const char *dir, const char *part)
{
    gs_str err = { 0 };
    char *text;

    gs_str_printf(&err, "%s.err", dir);
    text = gs_test_slurp(err.data);
    if (!strstr(text, part)) fail_msg("wanted \"%s\" in: %s", part, text);
    free(text);
    gs_str_free(&err);
}

static void same_file(const char *a, const char *b, const char *name)
{
    char *x = in(a, name), *y = in(b, name);
    uint8_t *p, *q;
    size_t m, n;

    assert_ok(gs_file_read(x, 1 << 26, &p, &m));
    assert_ok(gs_file_read(y, 1 << 26, &q, &n));
    if (m != n || memcmp(p, q, m) != 0) fail_msg("%s and %s differ", x, y);
    free(p), free(q), free(x), free(y);
}

/* Which tensor or metadata differ first, for the message of a failure. */
static void explain(const char *a, const char *b)
{
    gs_st_file *f, *g;

    assert_ok(gs_st_open(a, &f));
    assert_ok(gs_st_open(b, &g));
    for (int i = 0; i < gs_st_count(f); i++) {
        const gs_st_tensor *t = gs_st_at(f, i), *u = gs_st_find(g, t->name);
        size_t at = 0;

        while (u && at < t->bytes && at < u->bytes && t->data[at] == u->data[at]) at++;
        if (!u || at < t->bytes)
            fail_msg("%s and %s differ: tensor %s from byte %zu of %zu on", a, b, t->name, at, t->bytes);
    }
    for (int i = 0; i < gs_st_meta_count(f); i++) {
        const char *key, *text, *other;

        gs_st_meta_at(f, i, &key, &text);
        other = gs_st_meta(g, key);
        if (!other || strcmp(text, other) != 0) fail_msg("%s and %s differ: metadata %s", a, b, key);
    }
    fail_msg("%s and %s differ, but not in what they hold", a, b);
}

static void same_checkpoint(const char *a, const char *b, int64_t step)
{
    char name[64], *x, *y;
    uint8_t *p, *q;
    size_t m, n;

    snprintf(name, sizeof name, "checkpoints/step_%010lld.safetensors", (long long)step);
    x = in(a, name), y = in(b, name);
    assert_ok(gs_file_read(x, 1 << 26, &p, &m));
    assert_ok(gs_file_read(y, 1 << 26, &q, &n));
    if (m != n || memcmp(p, q, m) != 0) explain(x, y);
    free(p), free(q), free(x), free(y);
}

/* No half-written file is left anywhere in the folder. */
static void nothing_temporary(const char *dir)
{
    static const char *const folders[] = { "", "checkpoints", "samples", "plots" };

    for (size_t i = 0; i < GS_COUNT(folders); i++) {
        char *path = *folders[i] ? in(dir, folders[i]) : gs_xstrdup(dir), **names;
        int n;

        assert_ok(gs_dir_list(path, &names, &n));
        for (int k = 0; k < n; k++) {
            if (strstr(names[k], ".tmp-")) fail_msg("%s/%s was left behind", path, names[k]);
            free(names[k]);
        }
        free(names);
        free(path);
    }
}

static char *reference; /* the folder of the run that nothing disturbs */

/* All that a finished run leaves is the same as the reference's. */
static void like_reference(const char *dir)
{
    static const char *const names[] = { "metrics.csv",  "metrics.jsonl",          "epochs.csv",
                                         "epochs.jsonl", "samples/epoch_0003.png", "samples/batch_00000180.png",
                                         "config.ini" };

    /* The checkpoints kept on the way first, since they tell where two runs part. */
    for (int64_t step = 25; step < STEPS; step += 25) same_checkpoint(reference, dir, step);
    same_checkpoint(reference, dir, STEPS);
    for (size_t i = 0; i < GS_COUNT(names); i++) same_file(reference, dir, names[i]);
    nothing_temporary(dir);
}

static void test_uninterrupted(void **state)
{
    char *again = dir_named("again");

    (void)state;
    run((job){ .dir = reference }, 0);
    run((job){ .dir = again }, 0);
    like_reference(again); /* without this the tests below could not tell anything */
    run((job){ .dir = again, .resume = true }, 0);
    like_reference(again); /* a finished run has nothing left to do */
    free(again);
}

static void test_limit_of_steps(void **state)
{
    static const int64_t stops[] = { 1, 77, 80, 150 }; /* within an epoch, at its end, within a window of the log */
    char *dir = dir_named("limit");

    (void)state;
    for (size_t i = 0; i < GS_COUNT(stops); i++) run((job){ .dir = dir, .steps = stops[i], .resume = i > 0 }, 0);
    run((job){ .dir = dir, .resume = true }, 0);
    like_reference(dir);
    free(dir);
}

static void test_signals(void **state)
{
    static const int sig[] = { SIGINT, SIGTERM };

    (void)state;
    for (int i = 0; i < 2; i++) {
        char *dir = dir_named(i ? "term" : "int");

        run((job){ .dir = dir, .raise_at = 5, .raise = sig[i] }, 130);
        says(dir, i ? "stopped by SIGTERM after step 29" : "stopped by SIGINT after step 29");
        says(dir, "--resume");
        nothing_temporary(dir);
        run((job){ .dir = dir, .resume = true }, 0);
        like_reference(dir);
        free(dir);
    }
}

static void test_second_interrupt_ends_at_once(void **state)
{
    job j = { .raise_at = 9, .raise = SIGINT, .raise_twice = 1 };
    char *dir = dir_named("twice");
    int status;

    (void)state;
    j.dir = dir;
    status = wait_for(start(&j));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    run((job){ .dir = dir, .resume = true }, 0);
    like_reference(dir);
    free(dir);
}

static uint32_t seed(void)
{
    const char *text = getenv("GESSO_TEST_SEED");
    int64_t v;

    return text && gs_parse_i64(text, &v) ? (uint32_t)v : (uint32_t)time(NULL);
}

/* Killed at random moments while every step writes a checkpoint, so that most kills fall into writing. */
static void test_killed_at_random_moments(void **state)
{
    static const int sig[] = { SIGKILL, SIGKILL, SIGTERM, SIGKILL, SIGINT, SIGKILL };
    const uint32_t s = seed();
    gs_rng rng = { .seed = s };
    char *dir = dir_named("killed"), *every = in(tmp, "every");
    int hits = 0;

    (void)state;
    print_message("GESSO_TEST_SEED=%u\n", s);
    run((job){ .dir = every, .set = { "checkpoint.every=1", "checkpoint.keep=2" }, .n_set = 2 }, 0);
    for (size_t i = 0; i < GS_COUNT(sig); i++) {
        job j = { .dir = dir, .resume = i > 0, .set = { "checkpoint.every=1", "checkpoint.keep=2" }, .n_set = 2 };
        char *log = in(dir, "metrics.csv");
        struct stat before = { 0 }, now = { 0 };
        pid_t pid;
        int status;

        stat(log, &before);
        pid = start(&j);
        /* Devices need a while to start: wait for the first line of this process, then for a random time. */
        for (int k = 0; k < 30000 && waitpid(pid, &status, WNOHANG) == 0; k++) {
            if (stat(log, &now) == 0 && now.st_size > 120 && now.st_mtim.tv_nsec != before.st_mtim.tv_nsec) break;
            usleep(1000);
        }
        usleep(gs_rng_below(&rng, 120000));
        if (kill(pid, sig[i]) == 0) status = wait_for(pid);
        free(log);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break; /* it was done before */
        hits++;
        if (sig[i] == SIGKILL) assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        else ends_with(&j, status, 130);
    }
    assert_true(hits > 0);
    run((job){ .dir = dir, .resume = true, .set = { "checkpoint.every=1", "checkpoint.keep=2" }, .n_set = 2 }, 0);
    same_checkpoint(every, dir, STEPS);
    same_checkpoint(every, dir, STEPS - 1);
    same_file(every, dir, "metrics.csv");
    same_file(every, dir, "metrics.jsonl");
    same_file(every, dir, "epochs.csv");
    nothing_temporary(dir);
    free(dir);
    free(every);
}

/* In a child: chooses for every product of the step a variant that rounds differently from the preset, or
 * forgets all choices; 0 when it worked. */
static int tune(bool forget)
{
    gs_graph *g = gs_graph_new();
    const gs_use *uses;
    gs_setup *setup;
    gs_device *d;
    gs_plan *p;
    int n;

    if (gs_device_open(NULL, &d) != GS_OK) return 1;
    if (forget) return gs_tuning_forget_choices(d) != GS_OK;
    if (gs_setup_load(config, NULL, 0, &setup) != GS_OK || setup->system->build_step(setup->model, g, 800) != GS_OK)
        return 1;
    if (gs_compile(g, d, NULL, &(gs_compile_opts){ .dry_run = true }, &p) != GS_OK) return 1;
    n = gs_plan_uses(p, &uses);
    for (int i = 0; i < n; i++) {
        gs_choice c = { .seconds = 1, .preset_seconds = 2 };

        if (uses[i].problem.family != GS_FAMILY_GEMM) continue;
        gs_problem_class(&uses[i].problem, c.class);
        gs_variant_name(GS_FAMILY_GEMM, uses[i].preset, c.preset);
        snprintf(c.variant, sizeof c.variant, "%s", strcmp(c.preset, "gemm/driver") ? "gemm/driver" : "gemm/tile:8");
        if (gs_tuning_set_choice(d, &c) != GS_OK) return 1;
    }
    return n == 0;
}

static void tuned(bool forget)
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const int null = open("/dev/null", O_WRONLY);

        if (null >= 0) dup2(null, STDERR_FILENO);
        _exit(tune(forget));
    }
    assert_int_equal(wait_for(pid), 0);
}

static bool same_parameters(const char *a, const char *b, int64_t step)
{
    char name[64], *x, *y;
    uint8_t *p, *q;
    size_t m, n;
    bool same;

    snprintf(name, sizeof name, "checkpoints/step_%010lld.safetensors", (long long)step);
    x = in(a, name), y = in(b, name);
    assert_ok(gs_file_read(x, 1 << 26, &p, &m));
    assert_ok(gs_file_read(y, 1 << 26, &q, &n));
    same = m == n && memcmp(p, q, m) == 0;
    free(p), free(q), free(x), free(y);
    return same;
}

static void warned(const char *dir, const char *part)
{
    gs_str path = { 0 };
    char *text;

    gs_str_printf(&path, "%s.warn", dir);
    text = gs_test_slurp(path.data);
    if (!strstr(text, part)) fail_msg("wanted \"%s\" in: %s", part, text);
    free(text);
    gs_str_free(&path);
}

/* Variants round differently: a run keeps to those it began with, whatever is tuned or forgotten meanwhile. */
static void test_tuned_meanwhile(void **state)
{
    char *folder = in(tmp, "tuning"), *former = getenv("GESSO_TUNING") ? gs_xstrdup(getenv("GESSO_TUNING")) : NULL;
    char *plain = dir_named("plain"), *whole = dir_named("tuned"), *parts = dir_named("tuned_parts"),
         *untuned = dir_named("plain_parts"), *copy;

    (void)state;
    setenv("GESSO_TUNING", folder, 1);
    run((job){ .dir = plain, .steps = 50 }, 0);
    run((job){ .dir = untuned, .steps = 25 }, 0);
    tuned(false);
    run((job){ .dir = untuned, .steps = 50, .resume = true }, 0);
    same_checkpoint(plain, untuned, 50); /* tuned meanwhile: goes on without */
    run((job){ .dir = whole, .steps = 50 }, 0);
    assert_false(same_parameters(plain, whole, 50)); /* without this the test could not tell anything */
    run((job){ .dir = parts, .steps = 25 }, 0);
    tuned(true);
    run((job){ .dir = parts, .steps = 50, .resume = true }, 0);
    same_checkpoint(whole, parts, 50); /* forgotten meanwhile: goes on with */
    same_file(whole, parts, "tuning.txt");
    /* a copy that is damaged is said to be, and the run goes on */
    copy = in(parts, "tuning.txt");
    assert_ok(gs_file_write(copy, "gesso tuning 1\nkey 0\n", 21));
    run((job){ .dir = parts, .steps = 51, .resume = true }, 0);
    warned(parts, "tuning.txt: it is cut off or was changed");
    if (former) setenv("GESSO_TUNING", former, 1);
    else unsetenv("GESSO_TUNING");
    free(copy), free(folder), free(former), free(plain), free(whole), free(parts), free(untuned);
}

static void test_full_disk(void **state)
{
    char *dir = dir_named("full");

    (void)state;
    run((job){ .dir = dir, .steps = 50 }, 0);
    run((job){ .dir = dir, .resume = true, .file_limit = 200000 }, 1); /* a checkpoint has 450 kB */
    says(dir, "the checkpoint of step 75 cannot be written");
    says(dir, "the last good checkpoint is");
    says(dir, "step_0000000050.safetensors");
    nothing_temporary(dir);
    same_checkpoint(reference, dir, 50);
    run((job){ .dir = dir, .resume = true }, 0);
    like_reference(dir);
    free(dir);
}

static void test_unwritable(void **state)
{
    char *file = in(tmp, "a file"), *below = in(file, "run"), *run_file = dir_named("taken");

    (void)state;
    assert_ok(gs_file_write(file, "x", 1));
    {
        job j = { .dir = below };
        int status = wait_for(start(&j));

        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1); /* its sentence has no folder to lie in */
    }
    run((job){ .dir = "/proc/self/gesso" }, 1);
    /* The folder of checkpoints cannot be made: a file has its name. */
    {
        char *name = in(run_file, "checkpoints");

        assert_ok(gs_mkdirs(run_file));
        assert_ok(gs_file_write(name, "x", 1));
        run((job){ .dir = run_file }, 1);
        says(run_file, "checkpoints");
        free(name);
    }
    free(file), free(below), free(run_file);
}

static void test_bad_numbers(void **state)
{
    char *dir = dir_named("nan"), *none = dir_named("nan2");
    int64_t *steps;
    char *ckpts = in(dir, "checkpoints");
    int n;

    (void)state;
    /* The first update throws the weights out; the second step's losses show it, though they are read at the
     * seventh only. */
    run((job){ .dir = dir,
               .set = { "train.lr=1", "train.lr_min=0", "train.optimizer=sgd", "train.d_loss_scale=1000",
                        "checkpoint.every=1" },
               .n_set = 5 },
        1);
    says(dir, "loss is ");
    says(dir, "parameter ");
    says(dir, "the last good checkpoint is ");
    says(dir, ".safetensors");
    assert_ok(gs_ckpt_list(ckpts, &steps, &n));
    assert_true(n > 0);
    for (int i = 0; i < n; i++) { /* none of those left is bad */
        char *path = gs_ckpt_path(ckpts, steps[i]);
        gs_st_file *f;

        assert_ok(gs_ckpt_open(path, NULL, &f));
        for (int k = 0; k < gs_st_count(f); k++) {
            const gs_st_tensor *t = gs_st_at(f, k);
            float *v = gs_xalloc((t->count + 1) * sizeof *v);

            gs_st_to_f32(t, v);
            for (size_t e = 0; e < t->count; e++) assert_true(v[e] - v[e] == 0 || strncmp(t->name, "opt_", 4) == 0);
            free(v);
        }
        gs_st_close(f);
        free(path);
    }
    free(steps);
    run((job){ .dir = none,
               .set = { "train.lr=10", "train.lr_min=0", "train.optimizer=sgd", "train.d_loss_scale=1000",
                        "train.log_every=10" },
               .n_set = 5 },
        1);
    says(none, "step ");
    says(none, "there is no checkpoint");
    free(ckpts), free(dir), free(none);
}

static void test_damaged_checkpoint(void **state)
{
    char *dir = dir_named("damaged"), *ckpts = in(dir, "checkpoints"), *last = gs_ckpt_path(ckpts, 100);
    uint8_t *data;
    size_t n;

    (void)state;
    run((job){ .dir = dir, .steps = 100 }, 0);
    assert_ok(gs_file_read(last, 1 << 26, &data, &n));
    data[n / 2] ^= 1;
    assert_ok(gs_file_write(last, data, n));
    free(data);
    run((job){ .dir = dir, .resume = true }, 0); /* from step 75 */
    like_reference(dir);
    same_checkpoint(reference, dir, 100);
    free(dir), free(ckpts), free(last);
}

static void test_all_checkpoints_damaged(void **state)
{
    char *dir = dir_named("lost"), *ckpts = in(dir, "checkpoints"), *only = gs_ckpt_path(ckpts, 10);

    (void)state;
    run((job){ .dir = dir, .steps = 10 }, 0);
    assert_ok(gs_file_write(only, "no", 2));
    run((job){ .dir = dir, .resume = true }, 1);
    says(dir, "none of 1 checkpoints is valid");
    free(dir), free(ckpts), free(only);
}

static void test_whose_folder_it_is(void **state)
{
    char *dir = dir_named("folder"), *path = in(dir, "config.ini");
    int fd;

    (void)state;
    run((job){ .dir = dir, .steps = 10 }, 0);
    run((job){ .dir = dir, .steps = 20 }, 2);
    says(dir, "holds a run already");
    run((job){ .dir = dir, .resume = true, .set = { "train.beta1=0.6" }, .n_set = 1 }, 2);
    says(dir, "[train] beta1 was 0.5");
    run((job){ .dir = dir, .resume = true, .set = { "train.seed=1" }, .n_set = 1 }, 2);
    says(dir, "[train] seed was 0");
    run((job){ .dir = dir,
               .resume = true,
               .steps = 12,
               .set = { "train.n_epochs=9", "train.log_every=3", "checkpoint.keep=1", "log.events=0", "sample.n_row=4",
                        "run.device=cpu" },
               .n_set = 6 },
        0);
    fd = open(dir, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0); /* as another process would */
    run((job){ .dir = dir, .resume = true }, 2);
    says(dir, "another process");
    close(fd);
    free(dir), free(path);
}

/* A run that was ended before its first checkpoint begins again, in the same folder. */
static void test_resume_without_checkpoints(void **state)
{
    job j = { .raise_at = 2, .raise = SIGKILL };
    char *dir = dir_named("early");

    (void)state;
    j.dir = dir;
    wait_for(start(&j));
    run((job){ .dir = dir, .resume = true }, 0);
    like_reference(dir);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uninterrupted),
        cmocka_unit_test(test_limit_of_steps),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_second_interrupt_ends_at_once),
        cmocka_unit_test(test_killed_at_random_moments),
        cmocka_unit_test(test_tuned_meanwhile),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_unwritable),
        cmocka_unit_test(test_bad_numbers),
        cmocka_unit_test(test_damaged_checkpoint),
        cmocka_unit_test(test_all_checkpoints_damaged),
        cmocka_unit_test(test_whose_folder_it_is),
        cmocka_unit_test(test_resume_without_checkpoints),
    };

    tmp = gs_test_tmpdir();
    config = gs_path_join(tmp, "bars.ini");
    reference = gs_path_join(tmp, "reference");
    if (gs_file_write(config, ini, strlen(ini)) != GS_OK) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
