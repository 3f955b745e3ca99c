/* Evaluation: the reference classifier and its cache, diversity, confusion, and the whole on sources whose
 * figures are known: real pictures by their right and by wrong labels, one picture over and over. Distances
 * of feature sets themselves are tested in test_distances. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "data/batches.h"
#include "data/bars.h"
#include "data/digits.h"
#include "data/image.h"
#include "eval/cgan_eval.h"
#include "eval/diversity.h"
#include "io/safetensors.h"
#include "train/system.h"

static gs_device *device;
static gs_labelled digits, small; /* drawn digits of 28 x 28; the same as 8 x 8 */
static int warnings;
static char last_warning[512];

static void count_warning(const char *line, void *user)
{
    (void)user;
    warnings++;
    snprintf(last_warning, sizeof last_warning, "%s", line);
}

/* ---- classifier ---- */

static void has_the_stated_size(void **state)
{
    gs_classifier_opts o = { .max_steps = 1, .no_cache = true };
    gs_labelled few;
    gs_classifier *c;

    (void)state;
    assert_ok(gs_labelled_slice(&few, &digits, 0, 2)); /* a batch of 2: this test is about shapes */
    assert_ok(gs_classifier_get(device, &few, &o, &c));
    assert_int_equal(gs_classifier_params(c), 454922);
    assert_false(gs_classifier_from_cache(c));
    gs_classifier_free(c);
    gs_labelled_free(&few);
}

/* 32 x 32 with 3 channels and 4 classes: 32 * 75 + 32, 64 * 800 + 64, 128 * 4096 + 128, 4 * 128 + 4. */
static void other_sizes(void **state)
{
    gs_classifier_opts o = { .max_steps = 1, .no_cache = true };
    gs_labelled s;
    gs_classifier *c;
    float x[4 * 4] = { 0 }, logits[10];

    (void)state;
    assert_ok(gs_labelled_new(&s, 1, 32, 32, 3, 4));
    assert_ok(gs_classifier_get(device, &s, &o, &c));
    assert_int_equal(gs_classifier_params(c), 2432 + 51264 + 524416 + 516);
    gs_classifier_free(c);
    gs_labelled_free(&s);

    assert_ok(gs_labelled_new(&s, 3, 4, 4, 1, 10)); /* the smallest */
    assert_ok(gs_classifier_get(device, &s, &o, &c));
    assert_ok(gs_classifier_run(c, x, 1, logits, NULL));
    assert_true(isfinite(logits[9]));
    assert_fails(gs_classifier_run_set(c, &digits, 0, 1, NULL, NULL), GS_ESHAPE, "1 x 28 x 28");
    assert_fails(gs_classifier_run_set(c, &s, 2, 2, NULL, NULL), GS_EINVAL, "set of 3");
    gs_classifier_free(c);
    s.labels[1] = 10;
    assert_fails(gs_classifier_get(device, &s, &o, &c), GS_EINVAL, "label 10");
    gs_labelled_free(&s);
    assert_ok(gs_labelled_new(&s, 1, 3, 4, 1, 10));
    assert_fails(gs_classifier_get(device, &s, &o, &c), GS_EINVAL, "4 x 3");
    gs_labelled_free(&s);
}

/* Some 60 updates on small drawn digits: far above chance on digits it has not seen. */
static void learns(void **state)
{
    gs_classifier_opts o = { .epochs = 8, .max_steps = 60, .no_cache = true };
    gs_labelled train, test;
    int32_t predicted[7];
    gs_classifier *c;
    float *features;
    double all;
    int right = 0;

    (void)state;
    assert_ok(gs_labelled_slice(&train, &small, 0, 1100));
    assert_ok(gs_labelled_slice(&test, &small, 1100, 400));
    assert_ok(gs_classifier_get(device, &train, &o, &c));
    assert_ok(gs_classifier_accuracy(c, &test, &all));
    printf("60 updates: %.1f %% of 400 unseen digits of 8 x 8\n", 100 * all);
    assert_true(all > 0.6);

    /* A tail shorter than a batch gives what the same pictures give elsewhere; features are after a ReLU. */
    features = gs_xalloc(400 * GS_CLASSIFIER_FEATURES * sizeof *features);
    assert_ok(gs_classifier_run_set(c, &test, 393, 7, predicted, features));
    for (int i = 0; i < 7; i++) right += predicted[i] == test.labels[393 + i];
    assert_true(right >= 2);
    for (int i = 0; i < 7 * GS_CLASSIFIER_FEATURES; i++) assert_true(features[i] >= 0);
    gs_classifier_free(c);
    gs_labelled_free(&train);
    gs_labelled_free(&test);
    free(features);
}

static void keep_loss(void *user, const char *line, bool final)
{
    const char *at = strstr(line, ", loss ");

    if (final && at) *(double *)user = atof(at + 7);
}

/* What an epoch's line calls its loss is the mean over its batches, not what the last one had. */
static void epoch_loss_is_a_mean(void **state)
{
    const gs_batches_opts how = { .batch = 128, .drop_last = true, .unit_range = true };
    gs_classifier_opts o = { .epochs = 1, .no_cache = true, .progress = keep_loss };
    float *x = gs_xalloc(128 * 8 * 8 * sizeof *x), *logits = gs_xalloc(128 * 10 * sizeof *logits);
    double epoch = 0, first = 0, second = 0;
    int32_t y[128];
    gs_labelled two;
    gs_batches *b;
    gs_classifier *c;

    (void)state;
    assert_ok(gs_labelled_slice(&two, &small, 0, 256));
    o.user = &epoch;
    assert_ok(gs_classifier_get(device, &two, &o, &c));
    gs_classifier_free(c);
    o.user = &first;
    o.max_steps = 1;
    assert_ok(gs_classifier_get(device, &two, &o, &c)); /* as it was before the second batch */
    assert_ok(gs_batches_new(&b, &two, &how));
    gs_batches_get(b, 0, 1, x, y);
    assert_ok(gs_classifier_run(c, x, 128, logits, NULL));
    for (int i = 0; i < 128; i++) {
        double sum = 0;

        for (int k = 0; k < 10; k++) sum += exp(logits[i * 10 + k]);
        second += (log(sum) - logits[i * 10 + y[i]]) / 128;
    }
    printf("losses %.4f and %.4f, epoch %.4f\n", first, second, epoch);
    assert_true(fabs(first - second) > 0.01);
    assert_true(fabs(epoch - 0.5 * (first + second)) < 2e-4);
    gs_batches_free(b);
    gs_classifier_free(c);
    gs_labelled_free(&two);
    free(x), free(logits);
}

static double first_logit(gs_classifier *c)
{
    float x[64], logits[10];

    for (int i = 0; i < 64; i++) x[i] = (float)i / 64;
    assert_ok(gs_classifier_run(c, x, 1, logits, NULL));
    return logits[0];
}

/* Kept, read back to the same numbers; every kind of damage is noticed and repaired; another recipe is another file. */
static void cache_survives_damage(void **state)
{
    gs_classifier_opts o = { .max_steps = 2, .seed = 3 };
    char *path = gs_classifier_path(&small, &o), *other;
    gs_classifier *c;
    uint8_t *data, *bad;
    double want;
    size_t size;

    (void)state;
    assert_ok(gs_classifier_get(device, &small, &o, &c));
    assert_false(gs_classifier_from_cache(c));
    want = first_logit(c);
    gs_classifier_free(c);
    assert_true(gs_file_exists(path));
    assert_ok(gs_classifier_get(device, &small, &o, &c));
    assert_true(gs_classifier_from_cache(c));
    assert_true(first_logit(c) == want);
    gs_classifier_free(c);

    assert_ok(gs_file_read(path, 1 << 26, &data, &size));
    for (int kind = 0; kind < 4; kind++) {
        size_t n = size;

        bad = gs_xalloc(size + 1);
        memcpy(bad, data, size);
        if (kind == 0) n = size / 2;
        if (kind == 1) bad[size - 100] ^= 64; /* one bit of a weight: the header is right, the check sum is not */
        if (kind == 2) n = 0;
        if (kind == 3) memset(bad, 0xff, 8);
        assert_ok(gs_file_write(path, bad, n));
        free(bad);
        warnings = 0;
        assert_ok(gs_classifier_get(device, &small, &o, &c));
        assert_false(gs_classifier_from_cache(c));
        assert_true(first_logit(c) == want);
        assert_int_equal(warnings, 1);
        assert_true(gs_test_contains(last_warning, path));
        gs_classifier_free(c);
        assert_ok(gs_classifier_get(device, &small, &o, &c)); /* mended */
        assert_true(gs_classifier_from_cache(c));
        gs_classifier_free(c);
    }
    free(data);

    o.seed = 4;
    other = gs_classifier_path(&small, &o);
    assert_string_not_equal(path, other);
    free(other);
    o.seed = 3;
    small.images[5] ^= 1;
    other = gs_classifier_path(&small, &o);
    small.images[5] ^= 1;
    assert_string_not_equal(path, other);
    free(other);
    free(path);
}

/* Two processes that write one file at once: afterwards it is whole. */
static void two_processes(void **state)
{
    gs_classifier_opts o = { .max_steps = 1, .seed = 9 };
    char *path = gs_classifier_path(&small, &o);
    gs_classifier *c;
    pid_t child[2];
    int status;

    (void)state;
    for (int i = 0; i < 2; i++) {
        char self[64];

        /* A fresh program: a driver's threads do not survive a fork. */
        snprintf(self, sizeof self, "/proc/%d/exe", (int)getpid());
        child[i] = fork();
        if (child[i] == 0) {
            execl(self, "test_eval", "--write-cache", (char *)NULL);
            _exit(99);
        }
        assert_true(child[i] > 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(waitpid(child[i], &status, 0), child[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    warnings = 0;
    assert_true(gs_file_exists(path));
    assert_ok(gs_classifier_get(device, &small, &o, &c));
    assert_true(gs_classifier_from_cache(c));
    assert_int_equal(warnings, 0);
    gs_classifier_free(c);
    free(path);
}

/* ---- small figures ---- */

static void confusion(void **state)
{
    const int64_t m[9] = { 8, 2, 0, 0, 5, 5, 0, 0, 0 };
    double row[3];

    (void)state;
    assert_float_equal((float)gs_confusion_accuracy(m, 3, row), 13 / 20.0f, 1e-6f);
    assert_float_equal((float)row[0], 0.8f, 1e-6f);
    assert_float_equal((float)row[1], 0.5f, 1e-6f);
    assert_true(isnan(row[2]));
}

static void diversity(void **state)
{
    const float x[3 * 9] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12 };
    gs_diversity d;

    (void)state;
    assert_ok(gs_diversity_of(x, 3, 9, &d));
    assert_float_equal((float)d.pair_l2, (5 + 12 + 13) / 3.0f, 1e-5f);
    /* one value v among zeros has the deviation v / sqrt(3) */
    assert_float_equal((float)d.pixel_std, (3 + 4 + 12) / sqrtf(3) / 9, 1e-5f);
    assert_fails(gs_diversity_of(x, 1, 9, &d), GS_EINVAL, "2 pictures");
}

static void metric_names(void **state)
{
    unsigned mask = 0;

    (void)state;
    assert_ok(gs_cgan_metric_parse("parzen", &mask));
    assert_ok(gs_cgan_metric_parse("accuracy", &mask));
    assert_int_equal(mask, GS_EVAL_PARZEN | GS_EVAL_ACCURACY);
    assert_fails(gs_cgan_metric_parse("acuracy", &mask), GS_EUSAGE, "did you mean accuracy");
}

/* ---- sources ---- */

typedef struct real_source {
    const gs_labelled *set;
    int turn;            /* shows class (k + turn) for class k */
    bool same;           /* always the class's first picture */
    bool signed_range;
    float spoil;         /* if not 0: the first pixel */
} real_source;

static gs_status draw_real(void *user, int class_, int first, int n, float *images)
{
    const real_source *r = user;
    const gs_labelled *s = r->set;
    const int d = s->c * s->h * s->w;
    int32_t *rows = gs_xalloc((size_t)s->n * sizeof *rows);
    const int have = gs_real_rows(s, (class_ + r->turn) % s->classes, s->n, rows);

    assert_true(n <= GS_SOURCE_BATCH);
    for (int i = 0; i < n; i++) {
        const int32_t row = rows[r->same ? 0 : (first + i) % have];

        gs_real_unit(s, &row, 0, 1, images + (size_t)i * d);
    }
    for (int i = 0; r->signed_range && i < n * d; i++) images[i] = 2 * images[i] - 1;
    if (r->spoil != 0) images[0] = r->spoil;
    free(rows);
    return GS_OK;
}

static gs_source source_of(real_source *r)
{
    return (gs_source){ .classes = r->set->classes,
                        .c = r->set->c,
                        .h = r->set->h,
                        .w = r->set->w,
                        .signed_range = r->signed_range,
                        .draw = draw_real,
                        .user = r };
}

static void one_scale(void **state)
{
    real_source r = { .set = &small };
    gs_source s = source_of(&r);
    float a[64], b[64];

    (void)state;
    assert_ok(gs_source_draw(&s, 3, 0, 1, a));
    r.signed_range = s.signed_range = true;
    assert_ok(gs_source_draw(&s, 3, 0, 1, b));
    for (int i = 0; i < 64; i++) assert_float_equal(a[i], b[i], 1e-6f);
    s.signed_range = false; /* [-1,1] given out as [0,1]: the mistake that puts every picture into one class */
    assert_fails(gs_source_draw(&s, 3, 0, 1, b), GS_EINVAL, "the source declares 0 to 1");
    r.spoil = NAN;
    assert_fails(gs_source_draw(&s, 3, 7, 1, b), GS_ENUMERIC, "picture 7 of class 3");
}

/* The data's own pictures: as varied as themselves, and at no distance from themselves. By wrong labels:
 * never right. */
static void real_pictures(void **state)
{
    gs_cgan_eval_opts o = { .per_class = 20, .classifier = { .epochs = 10, .max_steps = 80 } };
    gs_labelled train, test;
    gs_cgan_eval e;
    real_source r = { .set = &test, .signed_range = true };
    gs_source s;
    double right;

    (void)state;
    assert_ok(gs_labelled_slice(&train, &small, 0, 1100));
    assert_ok(gs_labelled_slice(&test, &small, 1100, 400));
    s = source_of(&r);
    assert_ok(gs_cgan_eval_source(device, &s, &train, &test, &o, &e));
    printf("real digits: accuracy %.3f, classifier %.3f, frechet %.4f, floor %.4f, parzen %.2f at %.3f\n", e.accuracy,
           e.classifier_accuracy, e.frechet, e.frechet_floor, e.parzen.mean, e.sigma[e.best_sigma]);
    assert_true(e.accuracy > 0.6);
    assert_true(fabs(e.accuracy - e.classifier_accuracy) < 0.1);
    assert_true(e.accuracy_se > 0 && e.accuracy_se < 0.05);
    for (int k = 0; k < 10; k++) {
        assert_float_equal((float)e.std_ratio[k], 1.0f, 1e-5f);
        assert_float_equal((float)e.l2_ratio[k], 1.0f, 1e-5f);
    }
    assert_true(isfinite(e.parzen.mean) && e.parzen.se > 0);
    assert_true(e.frechet >= 0 && e.frechet_floor > 0);
    right = e.accuracy;
    gs_cgan_eval_free(&e);

    r.turn = 1;
    o.metrics = GS_EVAL_ACCURACY | GS_EVAL_FRECHET;
    assert_ok(gs_cgan_eval_source(device, &s, &train, &test, &o, &e));
    assert_true(e.accuracy < 0.15);
    /* what was asked for as k is seen as k + 1 about as often as before */
    for (int k = 0, seen = 0; k < 10; k++, seen = 0) {
        for (int i = 0; i < 10; i++) seen += (int)e.confusion[k * 10 + i];
        assert_int_equal(seen, 20);
    }
    {
        int64_t off = 0;

        for (int k = 0; k < 10; k++) off += e.confusion[k * 10 + (k + 1) % 10];
        assert_float_equal((float)(off / 200.0), (float)right, 1e-6f);
    }
    gs_cgan_eval_free(&e);
    gs_labelled_free(&train);
    gs_labelled_free(&test);
}

/* Every test picture of every class once: the features are the same set, in another order. */
static void equal_sets_have_no_distance(void **state)
{
    gs_cgan_eval_opts o = { .per_class = 30, .metrics = GS_EVAL_FRECHET, .classifier = { .max_steps = 3 } };
    gs_labelled test;
    gs_cgan_eval e;
    real_source r = { .set = &test };
    gs_source s;
    int32_t rows[30];

    (void)state;
    assert_ok(gs_labelled_new(&test, 300, 8, 8, 1, 10));
    for (int k = 0; k < 10; k++) {
        assert_int_equal(gs_real_rows(&small, k, 30, rows), 30);
        for (int i = 0; i < 30; i++) {
            memcpy(test.images + (30 * k + i) * 64, small.images + rows[i] * 64, 64);
            test.labels[30 * k + i] = (uint8_t)k;
        }
    }
    s = source_of(&r);
    assert_ok(gs_cgan_eval_source(device, &s, &small, &test, &o, &e));
    assert_true(fabs(e.frechet) < 1e-4 * (1 + e.frechet_floor));
    assert_true(e.frechet_floor > 1e-4);
    gs_cgan_eval_free(&e);
    r.same = true; /* one picture a class: far away */
    assert_ok(gs_cgan_eval_source(device, &s, &small, &test, &o, &e));
    assert_true(e.frechet > e.frechet_floor);
    gs_cgan_eval_free(&e);
    gs_labelled_free(&test);
}

/* One picture per class over and over: accuracy cannot tell, diversity does. Also the reports. */
static void collapse_shows(void **state)
{
    gs_cgan_eval_opts o = { .per_class = 12,
                            .metrics = GS_EVAL_DIVERSITY | GS_EVAL_ACCURACY,
                            .classifier = { .max_steps = 2 } };
    real_source r = { .set = &small, .same = true };
    gs_source s = source_of(&r);
    char *dir = gs_test_tmpdir(), *path = gs_path_join(dir, "confusion.png");
    gs_cgan_eval e;
    gs_str text = { 0 };
    cJSON *json;
    gs_image image;

    (void)state;
    assert_ok(gs_cgan_eval_source(device, &s, &small, NULL, &o, &e)); /* without a test set */
    for (int k = 0; k < 10; k++) {
        assert_float_equal((float)e.std_ratio[k], 0.0f, 1e-5f);
        assert_float_equal((float)e.l2_ratio[k], 0.0f, 1e-5f);
    }
    assert_int_equal(e.n_test, 250);
    gs_cgan_eval_text(&e, &text);
    assert_true(gs_test_contains(gs_str_c(&text), "120 pictures, 12 of each of 10 classes"));
    assert_true(gs_test_contains(gs_str_c(&text), "rows: the class asked for"));
    assert_false(gs_test_contains(gs_str_c(&text), "Parzen"));
    json = gs_cgan_eval_json(&e);
    assert_non_null(cJSON_GetObjectItem(json, "accuracy"));
    assert_null(cJSON_GetObjectItem(json, "parzen"));
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "accuracy"), "confusion")), 10);
    assert_true(cJSON_GetNumberValue(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "accuracy"), "overall")) ==
                e.accuracy);
    cJSON_Delete(json);
    assert_ok(gs_cgan_eval_plot(&e, path));
    assert_ok(gs_image_read(path, NULL, &image));
    gs_image_free(&image);
    gs_str_free(&text);
    gs_cgan_eval_free(&e);

    o.per_class = 1;
    assert_fails(gs_cgan_eval_source(device, &s, &small, NULL, &o, &e), GS_EINVAL, "1 pictures a class");
    o.per_class = 2;
    assert_fails(gs_cgan_eval_source(device, &s, &digits, NULL, &o, &e), GS_ESHAPE, "1 x 8 x 8");
    free(path);
    free(dir);
}

static gs_status draw_bars(void *user, int class_, int first, int n, float *images)
{
    const float offset = *(const float *)user;

    (void)first;
    for (int i = 0; i < n; i++) {
        gs_bars_prototype(images + i * GS_BARS_PIXELS, class_);
        for (int k = 0; k < GS_BARS_PIXELS; k++) images[i * GS_BARS_PIXELS + k] += (k + i) % 2 ? offset : -offset;
    }
    return GS_OK;
}

static void bars(void **state)
{
    float offset = 0.1f;
    gs_source s = { .classes = 10, .c = 1, .h = 8, .w = 8, .signed_range = true, .draw = draw_bars, .user = &offset };
    gs_cgan_eval e;
    gs_str text = { 0 };

    (void)state;
    assert_ok(gs_bars_eval_source(&s, 10, &e));
    assert_float_equal((float)e.bars_accuracy, 1.0f, 0.0f);
    assert_float_equal((float)e.bars_rms, 0.1f, 1e-5f);
    gs_cgan_eval_text(&e, &text);
    assert_true(gs_test_contains(gs_str_c(&text), "rms distance 0.1000"));
    gs_str_free(&text);
    s.h = 9;
    assert_fails(gs_bars_eval_source(&s, 10, &e), GS_ESHAPE, "9 x 8");
}

/* ---- runs ---- */

/* An untrained network of profile bars as a file, with the given [data] section. */
static char *write_snapshot(const char *data)
{
    char *dir = gs_test_tmpdir(), *path = gs_path_join(dir, "net.safetensors");
    gs_graph *g = gs_graph_new();
    gs_st_writer *w = gs_st_writer_new();
    gs_str text = { 0 }, resolved = { 0 };
    float *values[64] = { 0 };
    gs_setup *setup;
    gs_store *store;

    gs_str_printf(&text, "[model]\nsystem = cgan\nprofile = bars\n[data]\n%s\n", data);
    assert_ok(gs_setup_parse(gs_str_c(&text), "test", NULL, 0, &setup));
    assert_ok(setup->system->build_sampler(setup->model, g, 2, false));
    assert_ok(gs_store_new(device, 5, &store));
    assert_ok(gs_store_add(store, g));
    assert_true(gs_store_count(store) > 0 && gs_store_count(store) <= 64);
    for (int i = 0; i < gs_store_count(store); i++) {
        const gs_shape s = gs_store_shape(store, i);

        values[i] = gs_xalloc((size_t)gs_shape_count(s) * sizeof(float));
        assert_ok(gs_store_read(store, i, values[i]));
        gs_st_writer_add(w, gs_store_name(store, i), GS_ST_F32, s.rank, s.dim, values[i]);
    }
    gs_config_write(setup->config, &resolved);
    gs_st_writer_meta(w, "config", gs_str_c(&resolved));
    assert_ok(gs_st_writer_save(w, path));
    for (int i = 0; i < 64; i++) free(values[i]);
    gs_st_writer_free(w);
    gs_store_free(store);
    gs_graph_free(g);
    gs_setup_free(setup);
    gs_str_free(&text);
    gs_str_free(&resolved);
    free(dir);
    return path;
}

/* An untrained generator on bars: near chance, far from the prototypes; the same twice. */
static void run_on_bars(void **state)
{
    gs_cgan_eval_opts o = { .per_class = 60 };
    char *path = write_snapshot("dataset = bars");
    gs_snapshot *s;
    gs_cgan_eval e, again;

    (void)state;
    assert_ok(gs_snapshot_open(path, NULL, &s));
    assert_ok(gs_cgan_eval_run(device, s, &o, &e));
    assert_int_equal(e.metrics, GS_EVAL_BARS);
    assert_true(e.bars_accuracy < 0.5);
    assert_true(e.bars_rms > 0.5 && e.bars_rms < 1.5);
    assert_ok(gs_cgan_eval_run(device, s, &o, &again));
    assert_true(again.bars_rms == e.bars_rms);
    o.seed = 1;
    assert_ok(gs_cgan_eval_run(device, s, &o, &again));
    assert_true(again.bars_rms != e.bars_rms);
    o.metrics = GS_EVAL_PARZEN;
    assert_fails(gs_cgan_eval_run(device, s, &o, &e), GS_EUSAGE, "bars");
    gs_snapshot_close(s);
    free(path);
}

/* The same network on drawn digits of 8 x 8, all figures; what is kept back from training does not change the
 * data set. */
static void run_on_digits(void **state)
{
    gs_cgan_eval_opts o = { .per_class = 30, .classifier = { .max_steps = 40 } };
    char *path = write_snapshot("dataset = digits\nn_digits = 1200\nresize = bilinear\nn_validation = 100");
    gs_snapshot *s;
    gs_cgan_eval e;

    (void)state;
    assert_ok(gs_snapshot_open(path, NULL, &s));
    assert_ok(gs_cgan_eval_run(device, s, &o, &e));
    assert_int_equal(e.metrics, GS_EVAL_ALL);
    assert_int_equal(e.n_test, 200);
    assert_true(e.classifier_accuracy > 0.5);
    assert_true(e.accuracy < 0.5);
    assert_true(e.frechet > 2 * e.frechet_floor);
    assert_true(e.std_mean < 0.9);
    assert_true(isfinite(e.parzen.mean));
    gs_cgan_eval_free(&e);
    o.metrics = GS_EVAL_BARS;
    assert_fails(gs_cgan_eval_run(device, s, &o, &e), GS_EUSAGE, "not bars");
    gs_snapshot_close(s);
    free(path);
}

static int set_up(void **state)
{
    (void)state;
    if (gs_device_open(NULL, &device) != GS_OK) return 1;
    return gs_digits_make(&digits, 1500, 1, 0) != GS_OK || gs_labelled_slice(&small, &digits, 0, 1500) != GS_OK ||
           gs_labelled_resize(&small, 8) != GS_OK;
}

static int tear_down(void **state)
{
    (void)state;
    gs_labelled_free(&digits);
    gs_labelled_free(&small);
    gs_device_close(device);
    return 0;
}

/* What the children of two_processes do. */
static int write_cache(void)
{
    gs_classifier_opts o = { .max_steps = 1, .seed = 9 };
    gs_classifier *c = NULL;
    gs_status st;

    if (set_up(NULL) != 0) return 1;
    st = gs_classifier_get(device, &small, &o, &c);
    if (st != GS_OK) fprintf(stderr, "%s\n", gs_last_error());
    gs_classifier_free(c);
    tear_down(NULL);
    return st != GS_OK;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_stated_size), cmocka_unit_test(other_sizes),   cmocka_unit_test(learns),
        cmocka_unit_test(epoch_loss_is_a_mean),
        cmocka_unit_test(cache_survives_damage), cmocka_unit_test(two_processes), cmocka_unit_test(confusion),
        cmocka_unit_test(diversity),           cmocka_unit_test(metric_names),  cmocka_unit_test(one_scale),
        cmocka_unit_test(real_pictures),       cmocka_unit_test(equal_sets_have_no_distance),
        cmocka_unit_test(collapse_shows),      cmocka_unit_test(bars),
        cmocka_unit_test(run_on_bars),         cmocka_unit_test(run_on_digits),
    };
    char *cache;

    if (argc > 1 && strcmp(argv[1], "--write-cache") == 0) return write_cache();
    cache = gs_test_tmpdir();
    setenv("XDG_CACHE_HOME", cache, 1);
    free(cache);
    gs_log_set(count_warning, NULL);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
