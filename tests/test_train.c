/* Training by the program's own path: what it learns, what it logs and draws, and what snapshots make of its
 * checkpoints. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/bars.h"
#include "data/image.h"
#include "device/device.h"
#include "io/checkpoint.h"
#include "train/metrics.h"
#include "train/progress.h"
#include "train/snapshot.h"
#include "train/trainer.h"

static char *tmp;

static const char bars_ini[] =
    "[model]\nsystem = cgan\nprofile = bars\n[log]\nevents = 0\nplots = 0\n[sample]\nsample_interval = 0\n";

/* Small pictures from the drawn digits: 12 of them at 10 x 10 pixels in batches of 5. */
static const char tiny_ini[] =
    "[model]\nsystem = cgan\nprofile = bars\nimage_size = 10\n[data]\ndataset = digits\nn_digits = 12\nresize = bilinear\n"
    "[train]\nbatch_size = 5\nn_epochs = 2\nlog_every = 1\n[sample]\nn_row = 3\n";

static char *write_file(const char *name, const char *text)
{
    char *path = gs_path_join(tmp, name);

    assert_ok(gs_file_write(path, text, strlen(text)));
    return path;
}

static char *run_dir(const char *name) { return gs_path_join(tmp, name); }

typedef struct lines { gs_str text; } lines;

static void keep_line(void *user, const char *text)
{
    gs_str_printf(&((lines *)user)->text, "%s\n", text);
}

static gs_status train(const char *ini, const char *text, const char *dir, const char *const *set, int n,
                       gs_train_result *out, lines *log)
{
    char *config = write_file(ini, text);
    lines own = { { 0 } };
    const gs_train_opts o = {
        .config = config, .run = dir, .set = set, .n_set = n, .line = keep_line, .user = log ? log : &own
    };
    const gs_status st = gs_train(&o, out);

    gs_str_free(&own.text);
    free(config);
    return st;
}

/* ---- learning ---- */

typedef struct verdict { double acc, rms; } verdict;

/* Nearest prototype right, and root mean square distance to the right one, over 1000 pictures. */
static verdict judge_bars(const char *run)
{
    enum { N = 1000 };
    gs_snapshot *s;
    gs_sampler *sampler;
    gs_device *d;
    float *x = gs_xalloc(N * GS_BARS_PIXELS * sizeof *x);
    int32_t y[N];
    double square = 0;
    int right = 0;

    assert_ok(gs_device_open(NULL, &d));
    assert_ok(gs_snapshot_open(run, NULL, &s));
    assert_ok(gs_sampler_new(s, d, 100, NULL, &sampler));
    for (int i = 0; i < N; i++) y[i] = i % 10;
    assert_ok(gs_sampler_images(sampler, x, y, N, 7));
    for (int i = 0; i < N; i++) {
        double best = 1e9;
        int nearest = -1;

        for (int c = 0; c < 10; c++) {
            float p[GS_BARS_PIXELS];
            double sum = 0;

            gs_bars_prototype(p, c);
            for (int k = 0; k < GS_BARS_PIXELS; k++) sum += pow((double)x[i * GS_BARS_PIXELS + k] - (double)p[k], 2);
            if (sum < best) best = sum, nearest = c;
            if (c == y[i]) square += sum;
        }
        right += nearest == y[i];
    }
    gs_sampler_free(sampler);
    gs_snapshot_close(s);
    gs_device_close(d);
    free(x);
    return (verdict){ (double)right / N, sqrt(square / (N * GS_BARS_PIXELS)) };
}

/* Mean of a column over the lines of the steps behind `after`. */
static double column_mean(const char *run, const char *column, double after)
{
    char *path = gs_path_join(run, "metrics.csv");
    gs_metrics_table t;
    double sum = 0;
    int n = 0, k;

    assert_ok(gs_metrics_read(path, &t));
    k = gs_metrics_column(&t, column);
    assert_true(k > 0);
    for (int i = 0; i < t.n_rows; i++) {
        if (t.v[i * t.n_columns] > after) sum += t.v[i * t.n_columns + k], n++;
    }
    gs_metrics_table_free(&t);
    free(path);
    assert_true(n > 0);
    return sum / n;
}

static void test_bars_are_learned(void **state)
{
    const char *set[] = { "train.n_epochs=3", "checkpoint.every=100000" };
    char *dir = run_dir("bars");
    gs_train_result r;
    verdict v;

    (void)state;
    assert_ok(train("bars.ini", bars_ini, dir, set, 2, &r, NULL));
    assert_int_equal(r.step, 3000);
    assert_true(r.finished);
    v = judge_bars(dir);
    print_message("bars: accuracy %.3f, rms %.3f\n", v.acc, v.rms);
    assert_true(v.acc >= 0.99);
    assert_true(v.rms <= 0.20);
    free(dir);
}

static void test_dropout_after_the_output_ruins_it(void **state)
{
    const char *set[] = { "model.g_output_dropout=0.5", "model.allow_output_dropout=1", "train.n_epochs=2",
                          "train.log_every=10", "checkpoint.every=100000" };
    char *dir = run_dir("ruined"), *refused = run_dir("refused");
    verdict v;

    (void)state;
    assert_fails(train("bars.ini", bars_ini, refused, set, 1, NULL, NULL), GS_ECONFIG, "allow_output_dropout");
    assert_false(gs_dir_exists(refused));
    assert_ok(train("bars.ini", bars_ini, dir, set, 5, NULL, NULL));
    v = judge_bars(dir);
    print_message("dropout after tanh: D loss %.4f, G loss %.2f, rms %.3f\n", column_mean(dir, "d_loss", 1800),
                  column_mean(dir, "g_loss", 1800), v.rms);
    assert_true(column_mean(dir, "d_loss", 1800) < 0.05);
    assert_true(column_mean(dir, "g_loss", 1800) > 8);
    assert_true(v.rms > 0.4);
    free(dir);
    free(refused);
}

/* ---- which weights a step moves ---- */

/* Compares all tensors below a prefix in two checkpoints: all equal (true) or all different (false); anything
 * between fails. */
static bool same_tensors(const char *a, const char *b, const char *prefix)
{
    gs_st_file *f, *g;
    int same = 0, other = 0;

    assert_ok(gs_st_open(a, &f));
    assert_ok(gs_st_open(b, &g));
    for (int i = 0; i < gs_st_count(f); i++) {
        const gs_st_tensor *t = gs_st_at(f, i), *u = gs_st_find(g, t->name);

        if (strncmp(t->name, prefix, strlen(prefix)) != 0) continue;
        assert_non_null(u);
        assert_int_equal(t->bytes, u->bytes);
        if (memcmp(t->data, u->data, t->bytes) == 0) same++;
        else other++;
    }
    assert_true((same == 0) != (other == 0));
    gs_st_close(f);
    gs_st_close(g);
    return same > 0;
}

static void test_each_update_moves_its_own_network(void **state)
{
    static const char *const orders[] = { "train.update_order=g_first_reuse", "train.update_order=d_first_fresh",
                                          "train.update_order=simultaneous" };

    (void)state;
    for (int i = 0; i < 3; i++) {
        gs_train_result r[3];

        for (int k = 0; k < 3; k++) { /* neither learns; G alone; D alone */
            const char *set[] = { orders[i], "train.steps=3", k == 1 ? "train.lr=1e-2" : "train.lr=0",
                                  k == 2 ? "train.lr_d=1e-2" : "train.lr_d=0" };
            char name[32], *dir;

            snprintf(name, sizeof name, "moves%d%d", i, k);
            dir = run_dir(name);
            assert_ok(train("bars.ini", bars_ini, dir, set, 4, &r[k], NULL));
            free(dir);
        }
        assert_false(same_tensors(r[0].checkpoint, r[1].checkpoint, "G."));
        assert_true(same_tensors(r[0].checkpoint, r[1].checkpoint, "D."));
        assert_true(same_tensors(r[0].checkpoint, r[2].checkpoint, "G."));
        assert_false(same_tensors(r[0].checkpoint, r[2].checkpoint, "D."));
    }
}

/* ---- lines, files ---- */

static int count_lines(const char *text, const char *begin)
{
    int n = 0;

    for (const char *p = text; (p = strstr(p, begin)); p++) n += p == text || p[-1] == '\n';
    return n;
}

static void test_log_and_files(void **state)
{
    char *dir = run_dir("tiny"), *path;
    const char *names[] = { "samples/epoch_0001.png",
                            "samples/epoch_0002.png",
                            "plots/loss.png",
                            "plots/scores.png",
                            "config.ini",
                            "log.txt",
                            "metrics.jsonl",
                            "epochs.jsonl" };
    lines log = { { 0 } };
    gs_metrics_table batch, epoch;
    gs_train_result r;
    gs_image img;

    (void)state;
    assert_ok(train("tiny.ini", tiny_ini, dir, NULL, 0, &r, &log));
    assert_int_equal(r.step, 6); /* batches of 5, 5 and 2, twice */
    assert_true(gs_test_contains(log.text.data, "Train Epoch: [0/2]   Step: [0/3]     G loss: 0.")); /* fields of 13, 8, 6, 10, 8 */
    assert_true(gs_test_contains(log.text.data, "  D loss: 0."));
    assert_int_equal(count_lines(log.text.data, "Train Epoch: [1/2]   Step: ["), 3);
    assert_int_equal(count_lines(log.text.data, "Epoch 2/2 done: G loss "), 1);
    for (size_t i = 0; i < GS_COUNT(names); i++) {
        path = gs_path_join(dir, names[i]);
        if (!gs_file_exists(path)) fail_msg("%s is missing", path);
        free(path);
    }
    path = gs_path_join(dir, names[0]);
    assert_ok(gs_image_read(path, NULL, &img));
    assert_int_equal(img.w, 3 * 10 + 4 * 2); /* a row a class, three draws of each */
    assert_int_equal(img.h, 10 * 10 + 11 * 2);
    gs_image_free(&img);
    free(path);
    assert_string_equal(r.grid + strlen(r.grid) - 14, "epoch_0002.png");

    path = gs_path_join(dir, "metrics.csv");
    assert_ok(gs_metrics_read(path, &batch));
    free(path);
    path = gs_path_join(dir, "epochs.csv");
    assert_ok(gs_metrics_read(path, &epoch));
    free(path);
    assert_int_equal(batch.n_rows, 6);
    assert_int_equal(epoch.n_rows, 2);
    for (int e = 0; e < 2; e++) { /* an epoch's numbers are the means over its batches */
        for (int k = 2; k < epoch.n_columns; k++) {
            const int c = gs_metrics_column(&batch, epoch.columns[k]);
            double mean = 0;

            assert_true(c > 0);
            for (int i = 0; i < 3; i++) mean += batch.v[(3 * e + i) * batch.n_columns + c] / 3;
            assert_true(fabs(mean - epoch.v[e * epoch.n_columns + k]) < 1e-6);
        }
    }
    /* The first losses of untrained networks: ln 2 each, D's being half of a sum; five pictures make it a
     * rough mean. */
    assert_true(fabs(batch.v[gs_metrics_column(&batch, "g_loss")] - M_LN2) < 0.1);
    assert_true(fabs(batch.v[gs_metrics_column(&batch, "d_loss")] - M_LN2) < 0.1);
    gs_metrics_table_free(&batch);
    gs_metrics_table_free(&epoch);
    gs_str_free(&log.text);
    free(dir);
}

/* Means over an epoch do not depend on how often they are read. */
static void test_means_of_rare_lines(void **state)
{
    const char *set[] = { "train.log_every=2" };
    char *a = run_dir("tiny"), *b = run_dir("rare"), *x, *y;
    gs_metrics_table often, rare;

    (void)state;
    assert_ok(train("tiny.ini", tiny_ini, b, set, 1, NULL, NULL));
    x = gs_path_join(a, "epochs.csv");
    y = gs_path_join(b, "epochs.csv");
    assert_ok(gs_metrics_read(x, &often));
    assert_ok(gs_metrics_read(y, &rare));
    assert_int_equal(often.n_rows, rare.n_rows);
    for (int i = 0; i < often.n_rows * often.n_columns; i++) assert_true(fabs(often.v[i] - rare.v[i]) < 1e-6);
    gs_metrics_table_free(&often);
    gs_metrics_table_free(&rare);
    free(x), free(y), free(a), free(b);
}

static void test_last_batches(void **state)
{
    const char *drop[] = { "train.drop_last=1" };
    const char *norm[] = { "model.profile=embed", "data.n_digits=11", "model.image_size=10",
                           "train.lr_steps=", "train.batch_size=5" };
    char *a = run_dir("drop"), *b = run_dir("norm");
    gs_train_result r;

    (void)state;
    assert_ok(train("tiny.ini", tiny_ini, a, drop, 1, &r, NULL));
    assert_int_equal(r.step, 4);
    /* 11 pictures: the last batch has one, which batch normalisation cannot take. */
    assert_ok(train("tiny.ini", tiny_ini, b, norm, 5, &r, NULL));
    assert_int_equal(r.step, 4);
    free(a), free(b);
}

static void test_grids_by_batches_and_columns(void **state)
{
    const char *set[] = { "sample.sample_interval_batches=4",
                          "sample.grid_layout=column_class",
                          "sample.grid_z=fresh",
                          "sample.sample_mode=train",
                          "sample.sample_interval=0",
                          "log.plots=0",
                          "log.events=0" };
    char *dir = run_dir("columns"), *path;
    gs_image img;

    (void)state;
    assert_ok(train("tiny.ini", tiny_ini, dir, set, 7, NULL, NULL));
    path = gs_path_join(dir, "samples/batch_00000004.png");
    assert_ok(gs_image_read(path, NULL, &img));
    assert_int_equal(img.w, 10 * 10 + 11 * 2);
    assert_int_equal(img.h, 3 * 10 + 4 * 2);
    gs_image_free(&img);
    free(path);
    path = gs_path_join(dir, "samples/batch_00000006.png"); /* the end of the run has one too */
    assert_true(gs_file_exists(path));
    free(path);
    path = gs_path_join(dir, "plots/loss.png");
    assert_false(gs_file_exists(path));
    free(path), free(dir);
}

/* ---- snapshots ---- */

static void test_sampler(void **state)
{
    enum { N = 13, ONE = 100 };
    char *dir = run_dir("tiny");
    float *a = gs_xalloc(N * ONE * sizeof *a), *b = gs_xalloc(N * ONE * sizeof *b);
    int32_t y[N];
    gs_snapshot *s;
    gs_sampler *whole, *parts;
    gs_device *d;
    double differ = 0;

    (void)state;
    assert_ok(gs_device_open(NULL, &d));
    assert_ok(gs_snapshot_open(dir, NULL, &s));
    assert_int_equal(gs_snapshot_step(s), 6);
    assert_int_equal(gs_snapshot_epoch(s), 2);
    assert_int_equal(gs_snapshot_picture(s).height, 10);
    assert_string_equal(gs_snapshot_setup(s)->system->name, "cgan");
    assert_ok(gs_sampler_new(s, d, 16, NULL, &whole));
    assert_ok(gs_sampler_new(s, d, 4, &(gs_sampler_opts){ .unit = true }, &parts));
    for (int i = 0; i < N; i++) y[i] = i % 10;
    assert_ok(gs_sampler_images(whole, a, y, N, 3));
    assert_ok(gs_sampler_images(parts, b, y, N, 3));
    for (int i = 0; i < N * ONE; i++) { /* the batch's size changes nothing but rounding; [0,1] is half of [-1,1] */
        assert_true(fabsf(0.5f * (a[i] + 1) - b[i]) < 1e-5f);
        assert_true(b[i] >= 0 && b[i] <= 1);
    }
    for (int i = 0; i < N; i++) y[i] = (i + 1) % 10;
    assert_ok(gs_sampler_images(whole, b, y, N, 3));
    for (int i = 0; i < N * ONE; i++) differ = fmax(differ, fabsf(a[i] - b[i]));
    assert_true(differ > 1e-4); /* the label is connected */
    y[5] = 10;
    assert_fails(gs_sampler_images(whole, b, y, N, 3), GS_EINVAL, "label 10");
    y[5] = -1;
    assert_fails(gs_sampler_images(whole, b, y, N, 3), GS_EINVAL, "label -1");
    gs_sampler_free(whole);
    gs_sampler_free(parts);
    gs_snapshot_close(s);
    gs_device_close(d);
    free(a), free(b), free(dir);
}

/* A copy of a checkpoint as a plain file; leaves out, renames or reshapes one tensor; other metadata where given. */
static char *altered(const char *from, const char *name, const char *leave_out, const char *rename, const char *meta,
                     const char *value)
{
    char *path = gs_path_join(tmp, name);
    gs_st_writer *w = gs_st_writer_new();
    gs_st_file *f;

    assert_ok(gs_st_open(from, &f));
    for (int i = 0; i < gs_st_count(f); i++) {
        const gs_st_tensor *t = gs_st_at(f, i);
        const bool out = leave_out && strcmp(t->name, leave_out) == 0;
        const int64_t flat = (int64_t)t->count;

        if (out && !rename) continue;
        if (out && strcmp(rename, t->name) == 0) gs_st_writer_add(w, t->name, t->dtype, 1, &flat, t->data);
        else gs_st_writer_add(w, out ? rename : t->name, t->dtype, t->rank, t->shape, t->data);
    }
    for (int i = 0; i < gs_st_meta_count(f); i++) {
        const char *key, *text;

        gs_st_meta_at(f, i, &key, &text);
        if (strcmp(key, "crc32") == 0) continue;
        if (meta && strcmp(key, meta) == 0) text = value;
        if (text) gs_st_writer_meta(w, key, text);
    }
    assert_ok(gs_st_writer_save(w, path));
    gs_st_writer_free(w);
    gs_st_close(f);
    return path;
}

static void refuse(char *path, const char *part)
{
    gs_snapshot *s;

    assert_fails(gs_snapshot_open(path, NULL, &s), GS_EFORMAT, part);
    assert_null(s);
    free(path);
}

static void test_snapshot_refuses(void **state)
{
    char *dir = run_dir("tiny"), *ckpts = gs_path_join(dir, "checkpoints"), *from = gs_ckpt_path(ckpts, 6), *path;
    const char *w = "G.fc1.0.weight";
    gs_snapshot *s;

    (void)state;
    refuse(altered(from, "m1.safetensors", w, NULL, NULL, NULL), "G.fc1.0.weight is missing");
    refuse(altered(from, "m2.safetensors", w, "G.fc9.0.weight", NULL, NULL), "G.fc9.0.weight does not belong");
    refuse(altered(from, "m3.safetensors", w, w, NULL, NULL), "G.fc1.0.weight has shape");
    refuse(altered(from, "m4.safetensors", NULL, NULL, "system", "spade"), "spade");
    refuse(altered(from, "m5.safetensors", NULL, NULL, "config", NULL), "no configuration");
    path = altered(from, "m6.safetensors", NULL, NULL, "config", "[model]\nsystem = cgam\n");
    assert_fails(gs_snapshot_open(path, NULL, &s), GS_ECONFIG, "did you mean cgan?");
    free(path);
    path = altered(from, "m7.safetensors", NULL, NULL, "config", "[model]\nsystem = cgan\nprofile = concat\n");
    assert_fails(gs_snapshot_open(path, NULL, &s), GS_EFORMAT, "another profile, image_size or width?");
    free(path);
    /* A generator alone, with the configuration beside it, is enough. */
    path = altered(from, "m8.safetensors", "D.fc1.0.weight", NULL, "config", NULL);
    {
        char *ini = write_file("tiny.ini", tiny_ini);

        assert_ok(gs_snapshot_open(path, ini, &s));
        gs_snapshot_close(s);
        free(ini);
    }
    free(path);
    assert_fails(gs_snapshot_open(tmp, NULL, &s), GS_EIO, "not a run");
    free(from), free(ckpts), free(dir);
}

/* ---- refusals before anything is done ---- */

static void test_configurations_refused(void **state)
{
    static const struct { const char *set; gs_status st; const char *part; } cases[] = {
        { "model.system=cgann", GS_ECONFIG, "did you mean cgan?" },
        { "train.lrr=1", GS_ECONFIG, "did you mean" },
        { "data.dataset=mnist", GS_ECONFIG, "data_dir" },
        { "data.dataset=bars", GS_ECONFIG, "image_size = 8" },
        { "model.n_classes=9", GS_ECONFIG, "10 classes" },
        { "model.image_channels=3", GS_ECONFIG, "image_channels = 3" },
        { "data.n_validation=12", GS_ECONFIG, "n_validation = 12" },
        { "data.resize=pad", GS_ECONFIG, "resize = bilinear" },
        { "run.device=no such device", GS_EDEVICE, "no such device" },
    };
    char *dir = run_dir("nothing");

    (void)state;
    for (size_t i = 0; i < GS_COUNT(cases); i++) {
        assert_fails(train("tiny.ini", tiny_ini, dir, &cases[i].set, 1, NULL, NULL), cases[i].st, cases[i].part);
        assert_false(gs_dir_exists(dir));
    }
    free(dir);
}

/* What is shipped loads, and its profile's networks can be built. */
static void test_shipped_configurations(void **state)
{
    char **names;
    int n, inis = 0;

    (void)state;
    assert_ok(gs_dir_list("configs", &names, &n));
    for (int i = 0; i < n; i++) {
        char *path = gs_path_join("configs", names[i]);
        gs_setup *s;
        gs_graph *g;

        if (strlen(names[i]) > 4 && strcmp(names[i] + strlen(names[i]) - 4, ".ini") == 0) {
            assert_ok(gs_setup_load(path, NULL, 0, &s));
            g = gs_graph_new();
            assert_ok(s->system->build_step(s->model, g, 3));
            assert_true(gs_trainable(g, s->system->networks[0], NULL, 0) > 0);
            gs_graph_free(g);
            gs_setup_free(s);
            inis++;
        }
        free(names[i]);
        free(path);
    }
    free(names);
    assert_true(inis >= 8);
}

static void test_memory_is_foretold(void **state)
{
    char *ini = write_file("bars.ini", bars_ini);
    gs_setup_memory small, large;
    gs_setup *s;
    gs_device *d;

    (void)state;
    assert_ok(gs_device_open(NULL, &d));
    assert_ok(gs_setup_load(ini, NULL, 0, &s));
    assert_ok(gs_setup_fits(s, d, &small));
    assert_true(small.state >= 3 * 4 * (18304 + 17921)); /* parameters and two moments */
    gs_setup_free(s);
    assert_ok(gs_setup_load(ini, (const char *[]){ "train.batch_size=4096" }, 1, &s));
    assert_ok(gs_setup_fits(s, d, &large));
    assert_true(large.workspace > 16 * small.workspace);
    d->info.memory = large.state + large.workspace; /* a device that lacks room for the inputs */
    assert_fails(gs_setup_fits(s, d, &large), GS_ELIMIT, "batch_size = 4096");
    gs_setup_free(s);
    gs_device_close(d);
    free(ini);
}

/* Fast and slow steps say how fast they are; nothing is said while nothing is known. */
static void test_progress_line(void **state)
{
    gs_train_progress p = { .step = 40, .steps = 100, .epoch = 1, .epochs = 3, .batch = 40, .batches = 938, .eta = -1 };
    char text[256];

    (void)state;
    gs__progress_text(text, sizeof text, &p);
    assert_string_equal(text, "epoch 1/3  batch 40/938  step 40");
    p.images_per_second = 12800.3, p.seconds_per_step = 0.005, p.eta = 12;
    gs__progress_text(text, sizeof text, &p);
    assert_string_equal(text, "epoch 1/3  batch 40/938  step 40  12 800 images/s  ETA 12s");
    p.images_per_second = 0.5 / 1.9, p.seconds_per_step = 3.8, p.eta = 185;
    gs__progress_text(text, sizeof text, &p);
    assert_string_equal(text, "epoch 1/3  batch 40/938  step 40  0.26 images/s  3.8 s/step  ETA 3m05s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_configurations_refused),
        cmocka_unit_test(test_shipped_configurations),
        cmocka_unit_test(test_memory_is_foretold),
        cmocka_unit_test(test_progress_line),
        cmocka_unit_test(test_log_and_files),
        cmocka_unit_test(test_means_of_rare_lines),
        cmocka_unit_test(test_last_batches),
        cmocka_unit_test(test_grids_by_batches_and_columns),
        cmocka_unit_test(test_sampler),
        cmocka_unit_test(test_snapshot_refuses),
        cmocka_unit_test(test_each_update_moves_its_own_network),
        cmocka_unit_test(test_bars_are_learned),
        cmocka_unit_test(test_dropout_after_the_output_ruins_it),
    };

    tmp = gs_test_tmpdir();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
