/* U-GAT-IT as its users meet it: folders of pictures, a short training that is stopped and resumed, translation, weights in and out. */
#include "lib/runs.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "data/faces.h"
#include "data/heatmap.h"
#include "data/pictures.h"
#include "data/shapes.h"
#include "device/device.h"
#include "train/metrics.h"
#include "train/outlook.h"
#include "train/snapshot.h"
#include "train/trainer.h"

/* A picture whose pixels tell where they are: red by column, green by row. */
static void put_ramp(const char *name, int w, int h, int channels)
{
    gs_image img;
    char *path = gs_test_path(name);

    gs_test_put(name, "", 0); /* makes the folder */
    assert_ok(gs_image_new(&img, w, h, channels));
    for (int i = 0; i < w * h; i++)
        for (int c = 0; c < channels; c++)
            img.px[(size_t)i * channels + c] = (uint8_t)(c == 0 ? 255 * (i % w) / (w - 1) : c == 1 ? 255 * (i / w) / (h - 1) : 0);
    assert_ok(gs_png_write(path, &img));
    gs_image_free(&img);
    free(path);
}

/* ---- warnings, caught ---- */

static char warned[4096];

static void catch_warning(const char *line, void *user)
{
    (void)user;
    snprintf(warned + strlen(warned), sizeof warned - strlen(warned), "%s\n", line);
}

/* ---- pictures ---- */

static void antialiased_shrinking(void **state)
{
    gs_image src, out;

    (void)state;
    assert_ok(gs_image_new(&src, 64, 2, 1));
    for (int i = 0; i < 128; i++) src.px[i] = i % 2 ? 255 : 0; /* stripes of one pixel */
    assert_ok(gs_image_resize(&out, &src, 16, 2, GS_RESIZE_ANTIALIAS));
    for (int i = 2; i < 14; i++) assert_in_range(out.px[i], 126, 129); /* grey, where two taps would keep some stripes */
    gs_image_free(&out);
    for (int i = 0; i < 128; i++) src.px[i] = (uint8_t)(i % 64);
    assert_ok(gs_image_resize(&out, &src, 64, 2, GS_RESIZE_ANTIALIAS));
    assert_memory_equal(out.px, src.px, 128); /* the same size: the same picture */
    gs_image_free(&out);
    assert_ok(gs_image_resize(&out, &src, 128, 4, GS_RESIZE_ANTIALIAS)); /* enlarging is plain bilinear */
    assert_int_equal(out.px[20], 10);
    assert_int_equal(out.px[21], 10);
    assert_int_equal(out.px[23], 11);
    gs_image_free(&out);
    gs_image_free(&src);
}

/* Twice as many pixels, by numbers worked out from the formulas. */
static void other_filters(void **state)
{
    static const uint8_t edge[4] = { 0, 0, 255, 255 }, steps[4] = { 0, 100, 200, 250 };
    static const uint8_t cubic[8] = { 0, 0, 0, 52, 203, 255, 255, 255 }, corner[8] = { 0, 50, 100, 150, 200, 225, 250, 250 };
    gs_image src, out;

    (void)state;
    assert_ok(gs_image_new(&src, 4, 1, 1));
    memcpy(src.px, edge, 4);
    assert_ok(gs_image_resize(&out, &src, 8, 1, GS_RESIZE_BICUBIC));
    assert_memory_equal(out.px, cubic, 8);
    gs_image_free(&out);
    memcpy(src.px, steps, 4);
    assert_ok(gs_image_resize(&out, &src, 8, 1, GS_RESIZE_CORNER));
    assert_memory_equal(out.px, corner, 8);
    gs_image_free(&out);
    gs_image_free(&src);
}

static void heat_maps(void **state)
{
    const float constant[4] = { 3, 3, 3, 3 }, ramp[4] = { 0, 1, 2, NAN };
    gs_image img;

    (void)state;
    assert_ok(gs_heatmap(&img, constant, 2, 2, 8));
    for (int i = 0; i < 64; i++) {
        assert_int_equal(img.px[3 * i], 0);
        assert_int_equal(img.px[3 * i + 1], 0);
        assert_in_range(img.px[3 * i + 2], 127, 128);
    }
    gs_image_free(&img);
    assert_ok(gs_heatmap(&img, ramp, 2, 2, 2));
    assert_in_range(img.px[2], 127, 128);                              /* least: dark blue */
    assert_int_equal(img.px[4], 255);                                  /* middle: green */
    assert_in_range(img.px[6], 127, 129), assert_int_equal(img.px[8], 0); /* largest: dark red */
    assert_in_range(img.px[11], 127, 128);                             /* no number: as the least */
    gs_image_free(&img);
}

static void folders_with_bad_pictures(void **state)
{
    const gs_pictures_opts o = { .side = 16, .channels = 3, .extra = 4, .filter = GS_RESIZE_ANTIALIAS, .threads = 1, .memory = 1 << 20 };
    char *mixed = gs_test_path("mixed"), *empty = gs_test_path("none"), *bad = gs_test_path("bad"), *missing = gs_test_path("missing");
    gs_pictures *p;

    (void)state;
    put_ramp("mixed/a.png", 40, 30, 3);
    put_ramp("mixed/deeper/b.png", 7, 90, 1);
    put_ramp("mixed/c.png", 20, 20, 4);
    gs_test_put("mixed/broken.png", "\x89PNG\r\n\x1a\nand then nothing", 24);
    gs_test_put("mixed/notes.txt", "not a picture", 13);
    gs_test_put("bad/x.jpg", "\xff\xd8\xff and then nothing", 18);
    gs_test_put("none/notes.txt", "not a picture", 13);
    warned[0] = 0;
    assert_ok(gs_pictures_open(mixed, &o, &p));
    assert_int_equal(gs_pictures_count(p), 3);
    assert_non_null(strstr(warned, "left out: "));
    assert_non_null(strstr(warned, "broken.png"));
    assert_non_null(strstr(warned, "mixed: passed over, since they do not end in .png, .jpg or .jpeg: 1")); /* notes.txt */
    gs_pictures_free(p);
    assert_fails(gs_pictures_open(empty, &o, &p), GS_EFORMAT, "but 1 of other kinds: a domain needs at least one picture");
    assert_fails(gs_pictures_open(bad, &o, &p), GS_EFORMAT, "none of its 1 pictures can be read");
    assert_fails(gs_pictures_open(missing, &o, &p), GS_EIO, "no such folder");
    free(mixed), free(empty), free(bad), free(missing);
}

/* A round shows every picture once; a sample depends on seed, stream and index alone, held in memory or not; cut and mirror happen. */
static void samples(void **state)
{
    enum { N = 5, SIDE = 16, PIXELS = 3 * SIDE * SIDE };
    gs_pictures_opts o = { .side = SIDE, .channels = 3, .extra = 8, .filter = GS_RESIZE_ANTIALIAS, .memory = 1 << 20 };
    char *folder = gs_test_path("five");
    float x[PIXELS], y[PIXELS];
    gs_pictures *held, *read;
    int mirrored = 0, moved = 0;

    (void)state;
    for (int i = 0; i < N; i++) {
        char name[32];
        gs_image img;
        char *path;

        snprintf(name, sizeof name, "five/%d.png", i);
        put_ramp(name, 24, 24, 3);
        path = gs_test_path(name);
        assert_ok(gs_image_read(path, NULL, &img));
        for (int k = 0; k < 24 * 24; k++) img.px[3 * k + 2] = (uint8_t)(50 * i); /* blue says which picture */
        assert_ok(gs_png_write(path, &img));
        gs_image_free(&img);
        free(path);
    }
    assert_ok(gs_pictures_open(folder, &o, &held));
    o.memory = 0;
    assert_ok(gs_pictures_open(folder, &o, &read));
    for (int round = 0; round < 4; round++) {
        int seen = 0;

        for (int i = 0; i < N; i++) {
            const int64_t index = round * N + i;
            int which;

            assert_ok(gs_pictures_sample(held, 7, 1, index, 0.5, x));
            assert_ok(gs_pictures_sample(read, 7, 1, index, 0.5, y));
            assert_memory_equal(x, y, sizeof x);
            which = (int)lround((x[2 * SIDE * SIDE] + 1) * 127.5 / 50);
            seen |= 1 << which;
            mirrored += x[0] > x[SIDE - 1];
            moved += fabsf(x[SIDE * SIDE] + 1) > 0.05f; /* green at the top: rows were cut */
            for (int k = 1; k < SIDE; k++) assert_true((x[k] > x[k - 1]) == (x[0] < x[SIDE - 1])); /* red runs evenly */
        }
        assert_int_equal(seen, (1 << N) - 1);
    }
    assert_in_range(mirrored, 3, 17);
    assert_true(moved > 5);
    assert_ok(gs_pictures_sample(held, 7, 1, 3, 0.5, x));
    assert_ok(gs_pictures_sample(held, 8, 1, 3, 0.5, y));
    assert_memory_not_equal(x, y, sizeof x);
    assert_ok(gs_pictures_plain(held, 2, x));
    assert_true(fabsf(x[0] + 1) < 0.1f && fabsf(x[2 * SIDE * SIDE] - (100 / 127.5f - 1)) < 1e-5f);
    gs_pictures_free(held);
    gs_pictures_free(read);
    free(folder);
}

static void drawn_faces(void **state)
{
    double mean[2] = { 0 };
    gs_image a, b;

    (void)state;
    for (int cartoon = 0; cartoon < 2; cartoon++) {
        assert_ok(gs_face_draw(&a, cartoon, 3, 5));
        assert_ok(gs_face_draw(&b, cartoon, 3, 5));
        assert_memory_equal(a.px, b.px, 3 * GS_FACE_SIDE * GS_FACE_SIDE);
        gs_image_free(&b);
        assert_ok(gs_face_draw(&b, cartoon, 3, 6));
        assert_memory_not_equal(a.px, b.px, 3 * GS_FACE_SIDE * GS_FACE_SIDE);
        for (int i = 1; i < GS_FACE_SIDE; i++) mean[cartoon] += abs(a.px[3 * i] - a.px[3 * i - 3]); /* grain along the upper edge */
        gs_image_free(&a);
        gs_image_free(&b);
    }
    assert_true(mean[0] > 50 && mean[1] == 0);
    assert_fails(gs_data_make_faces(gs_test_dir(), 0, 1, 0), GS_EINVAL, "0 training");
}

/* Discs with grain on a gradient; squares on one colour, dark at their edge; the same picture for the same number. */
static void drawn_shapes(void **state)
{
    enum { SIDE = GS_SHAPE_SIDE, ROW = 3 * SIDE };
    char *dir = gs_test_path("shapes"), *last = gs_test_path("shapes/testB/000001.png"), *beyond = gs_test_path("shapes/testB/000002.png");
    gs_image a, b;

    (void)state;
    for (int square = 0; square < 2; square++) {
        int steps = 0, dark = 0;

        assert_ok(gs_shape_draw(&a, square, 3, 5));
        assert_ok(gs_shape_draw(&b, square, 3, 5));
        assert_memory_equal(a.px, b.px, ROW * SIDE);
        gs_image_free(&b);
        assert_ok(gs_shape_draw(&b, square, 3, 6));
        assert_memory_not_equal(a.px, b.px, ROW * SIDE);
        for (int i = 1; i < SIDE; i++) steps += abs(a.px[3 * i] - a.px[3 * i - 3]);
        for (int i = 0; i < SIDE * SIDE; i++) dark += a.px[3 * i] < 40 && a.px[3 * i + 1] < 40 && a.px[3 * i + 2] < 40;
        if (square) assert_true(steps == 0 && dark > 100); /* the upper edge is of one colour, the outline nearly black */
        else assert_true(steps > 400);
        gs_image_free(&a);
        gs_image_free(&b);
    }
    assert_ok(gs_data_make_shapes(dir, 3, 2, 7));
    assert_true(gs_file_exists(last) && !gs_file_exists(beyond));
    assert_fails(gs_data_make_shapes(dir, 0, 1, 0), GS_EINVAL, "0 training");
    free(dir), free(last), free(beyond);
}

/* ---- training ---- */

static const char tiny[] = "[model]\nsystem = ugatit\nsize = 32\nch = 2\nn_res = 1\nd_global_layers = 4\nd_local_layers = 3\n"
                           "[train]\niterations = 6\nlog_every = 1\nlr = 1e-3\n[checkpoint]\nevery = 2\nkeep = 0\n"
                           "[sample]\npictures = 2\nsample_interval_batches = 3\n[log]\nplots = 0\n[data]\nresize_extra = 4\n";

static void stopped_and_resumed(void **state)
{
    static const char *const files[] = { "samples/A2B_batch_00000003.png", "samples/B2A_batch_00000006.png", "metrics.csv", "epochs.csv" };
    char *path;

    (void)state;
    assert_ok(gs_test_train(tiny, "whole", 0, false, NULL));
    assert_ok(gs_test_train(tiny, "parts", 3, false, NULL));
    assert_ok(gs_test_train(tiny, "parts", 0, true, NULL));
    gs_test_same_file("whole/checkpoints/step_0000000006.safetensors", "parts/checkpoints/step_0000000006.safetensors");
    gs_test_same_file("whole/metrics.csv", "parts/metrics.csv");
    for (size_t i = 0; i < GS_COUNT(files); i++) {
        char name[128];

        snprintf(name, sizeof name, "parts/%s", files[i]);
        path = gs_test_path(name);
        if (!gs_file_exists(path)) fail_msg("%s is missing", path);
        free(path);
    }
    assert_fails(gs_test_train(tiny, "parts", 0, true, "model.ch=4"), GS_ECONFIG, "[model] ch was 2");
}

/* A budget below what the run takes, and another one after it was resumed, change no byte. */
static void trained_within_a_budget(void **state)
{
    gs_setup *setup;
    gs_setup_memory need;
    gs_device *d;
    char first[64], second[64];

    (void)state;
    assert_ok(gs_setup_parse(tiny, "tiny", NULL, 0, &setup));
    assert_ok(gs_device_open(NULL, &d));
    assert_ok(gs_setup_fits(setup, d, &need));
    snprintf(first, sizeof first, "memory.budget=%zu", need.state + need.constants + need.workspace * 4 / 5);
    snprintf(second, sizeof second, "memory.budget=%.2fKiB", (double)(need.state + need.constants + need.workspace * 9 / 10) / 1024);
    gs_device_close(d);
    gs_setup_free(setup);
    assert_ok(gs_test_train(tiny, "small", 3, false, first));
    assert_ok(gs_test_train(tiny, "small", 0, true, second));
    gs_test_same_file("whole/checkpoints/step_0000000006.safetensors", "small/checkpoints/step_0000000006.safetensors");
    gs_test_same_file("whole/metrics.csv", "small/metrics.csv");
    assert_fails(gs_test_train(tiny, "none", 0, false, "memory.budget=100KiB"), GS_ELIMIT, "raise memory.budget");
    assert_fails(gs_test_train(tiny, "none", 0, false, "memory.budget=lots"), GS_ECONFIG, "wanted a size (512MiB, 2GiB), auto or off");
}

/* Numbers that a penalty draws follow from seed and step: a run that was stopped, and resumed within a budget which repeats launches, ends in the same
 * bytes. With n_critic the generators wait, and real and fake pictures share a pass. */
static void penalty_stopped_and_resumed(void **state)
{
    static const char *const more[] = { "gan = wgan-gp\n[train]\nd_batch_real_fake = 1\n", "gan = dragan\ngp = 2\n[train]\nn_critic = 2\n" };
    char budget[64];
    gs_setup_memory need;
    gs_setup *setup;
    gs_device *d;

    (void)state;
    for (size_t i = 0; i < GS_COUNT(more); i++) {
        char text[1024], name[2][32], file[2][128];

        snprintf(text, sizeof text, "%s[loss]\n%s", tiny, more[i]);
        for (int k = 0; k < 2; k++) {
            snprintf(name[k], sizeof name[k], "penalty%zu%s", i, k ? "parts" : "");
            snprintf(file[k], sizeof file[k], "%s/checkpoints/step_0000000006.safetensors", name[k]);
        }
        assert_ok(gs_setup_parse(text, "text", NULL, 0, &setup));
        assert_ok(gs_device_open(NULL, &d));
        assert_ok(gs_setup_fits(setup, d, &need));
        gs_device_close(d);
        gs_setup_free(setup);
        snprintf(budget, sizeof budget, "memory.budget=%zu", need.state + need.constants + need.workspace * 4 / 5);
        assert_ok(gs_test_train(text, name[0], 0, false, NULL));
        assert_ok(gs_test_train(text, name[1], 3, false, NULL));
        assert_ok(gs_test_train(text, name[1], 0, true, budget));
        gs_test_same_file(file[0], file[1]);
    }
}

/* The part of the work that a line says of a setting, in per cent; -1: there is no such line. */
static double share_of(const char *text, const char *setting)
{
    const char *line = strstr(text, setting);
    double v = -1;

    if (line) assert_int_equal(sscanf(line + strlen(setting), " %lf %% of the work", &v), 1);
    return v;
}

/* After its first steps a long run says when it ends and what cheaper settings would take, by the work planned for them; what is no cheaper is
 * not named. Sums of all layers' products at 256 x 256 with 64 channels, with 32, and at 128 x 128: 2.143, 0.548 and 0.530 TFLOP. */
static void outlook(void **state)
{
    static const char *const models[] = { "size = 256\nlight = 0", "size = 96\nch = 16\nlight = 1" };
    gs_device *null;

    (void)state;
    assert_ok(gs_device_open("null", &null));
    null->info.memory = (size_t)1 << 40;
    setenv("TZ", "UTC", 1);
    tzset();
    for (size_t i = 0; i < GS_COUNT(models); i++) {
        gs_setup_memory need;
        gs_str s = { 0 };
        gs_setup *setup;
        char text[256];
        const char *said;

        snprintf(text, sizeof text, "[model]\nsystem = ugatit\n%s\n", models[i]);
        assert_ok(gs_setup_parse(text, "text", NULL, 0, &setup));
        assert_ok(gs_setup_fits(setup, null, &need));
        gs_outlook(setup, null, &need, 21.9, 999979, 1000000, 1800000000, &s);
        said = gs_str_c(&s);
        printf("%s\n", said);
        assert_non_null(strstr(said, "21.9 s a step: 999 979 steps are left, done about 2027-09-25 19:12 (in 253.5 days)"));
        assert_non_null(strstr(said, "train.iterations=250000   25.0 % of the work, 63.4 days"));
        if (i == 0) {
            const double light = share_of(said, "model.light=1"), narrow = share_of(said, "model.ch=32"), small = share_of(said, "model.size=128");

            assert_true(light > 99 && light < 100 && fabs(narrow - 25.6) < 1 && fabs(small - 24.7) < 1);
        } else {
            assert_null(strstr(said, "model."));
        }
        gs_str_free(&s);
        gs_setup_free(setup);
    }
    gs_device_close(null);
}

static void stop_at_second_line(void *user, const char *line)
{
    int *lines = user;

    (void)line;
    if (++*lines == 2) raise(SIGINT);
}

/* The run itself says it after 20 steps and the first, which may build kernels, when hours are left; and a short one does not. */
static void outlook_of_a_run(void **state)
{
    char *path = gs_test_path("long.ini"), *out = gs_test_path("long"), *log = gs_test_path("long/log.txt"), *other = gs_test_path("whole/log.txt");
    char root[1024], *text;
    const char *set[] = { root, "train.iterations=2000000000", "train.log_every=22" };
    int lines = 0;
    gs_train_opts o = { .config = path, .set = set, .n_set = 3, .run = out, .line = stop_at_second_line, .user = &lines };

    (void)state;
    snprintf(root, sizeof root, "data.root=%s/faces", gs_test_dir());
    gs_test_put("long.ini", tiny, strlen(tiny));
    assert_fails(gs_train(&o, NULL), GS_ESTOPPED, "after step 23");
    text = gs_test_slurp(log);
    assert_non_null(strstr(text, " s a step: 1 999 999 979 steps are left, done about "));
    assert_non_null(strstr(text, "\n  train.iterations=500000000  25.0 % of the work, "));
    free(text);
    text = gs_test_slurp(other);
    assert_null(strstr(text, "steps are left"));
    free(text);
    free(path), free(out), free(log), free(other);
}

/* A preset fills in what was not given; the run repeats, with pictures of their own for the generators in every second step. */
static void preset_of_tensorflow(void **state)
{
    static const struct { const char *section, *key, *value; } want[] = {
        { "model", "cam", "shared" }, { "model", "rho_init", "1" }, { "model", "g_bias", "0" }, { "train", "wd_scope", "kernels" },
        { "data", "resize_extra", "15" }, { "data", "antialias", "0" }, { "train", "decay_every", "10000" },
    };
    static const char tf[] = "[model]\nsystem = ugatit\npreset = tf\nsize = 32\nch = 2\nn_res = 1\nd_global_layers = 4\nd_local_layers = 3\n"
                             "[train]\nn_critic = 2\niterations = 4\nlog_every = 1\n[sample]\npictures = 1\nsample_interval_batches = 0\n"
                             "[checkpoint]\nevery = 2\nkeep = 0\n[log]\nplots = 0\n";
    const char *set[] = { "model.g_bias=0" };
    gs_setup *s;

    (void)state;
    assert_ok(gs_setup_parse("[model]\nsystem = ugatit\npreset = tf\nsize = 128\n", "text", set, 1, &s));
    for (size_t i = 0; i < GS_COUNT(want); i++) {
        const char *v = gs_config_text(s->config, want[i].section, want[i].key);

        if (strcmp(v, want[i].value) != 0) fail_msg("%s is %s", want[i].key, v);
    }
    gs_setup_free(s);
    assert_fails(gs_setup_parse("[model]\nsystem = ugatit\npreset = keras\n", "text", NULL, 0, &s), GS_ECONFIG, "preset");
    assert_ok(gs_test_train(tf, "tf", 0, false, NULL));
    assert_ok(gs_test_train(tf, "tf2", 3, false, NULL));
    assert_ok(gs_test_train(tf, "tf2", 0, true, NULL));
    gs_test_same_file("tf/checkpoints/step_0000000004.safetensors", "tf2/checkpoints/step_0000000004.safetensors");
}

/* Tensor `name` of the run's checkpoint after a step; free with free(). */
static float *checkpoint_tensor(const char *run, int step, const char *name, size_t *n)
{
    char path[64], *full;
    gs_st_file *f;
    const gs_st_tensor *t;
    float *v;

    snprintf(path, sizeof path, "%s/checkpoints/step_%010d.safetensors", run, step);
    full = gs_test_path(path);
    assert_ok(gs_st_open(full, &f));
    t = gs_st_find(f, name);
    if (!t) fail_msg("%s: no tensor %s", full, name);
    *n = t->count;
    v = gs_xalloc(t->count * sizeof *v);
    gs_st_to_f32(t, v);
    gs_st_close(f);
    free(full);
    return v;
}

/* Averages are those of the weights after each update, which come in every second step here; a resumed run has the same; they are what
 * is used and what goes out. */
static void averaged_weights(void **state)
{
    static const char ema[] = "[model]\nsystem = ugatit\nsize = 32\nch = 2\nn_res = 1\nd_global_layers = 4\nd_local_layers = 3\n"
                              "[train]\nema = 0.15\nn_critic = 2\niterations = 5\nlog_every = 1\nlr = 1e-2\n[sample]\npictures = 1\n"
                              "sample_interval_batches = 0\n[checkpoint]\nevery = 1\nkeep = 0\n[log]\nplots = 0\n";
    static const char *const name = "genB2A.DownBlock.5.weight", *const average = "ema_genB2A.DownBlock.5.weight";
    static const double decay[] = { 0, 0.1, 0.15 }; /* t / (t + 9), at most ema */
    double want[4 * 2 * 9] = { 0 };
    size_t n, m;
    float *v;

    (void)state;
    assert_ok(gs_test_train(ema, "ema", 0, false, NULL));
    assert_ok(gs_test_train(ema, "ema2", 2, false, NULL));
    assert_ok(gs_test_train(ema, "ema2", 0, true, NULL));
    gs_test_same_file("ema/checkpoints/step_0000000005.safetensors", "ema2/checkpoints/step_0000000005.safetensors");
    assert_fails(gs_test_train(ema, "ema2", 0, true, "train.ema=0.2"), GS_ECONFIG, "[train] ema was 0.15");
    for (int t = 0; t < 3; t++) {
        v = checkpoint_tensor("ema", 2 * t + 1, name, &n);
        assert_int_equal(n, GS_COUNT(want));
        for (size_t i = 0; i < n; i++) want[i] = decay[t] * want[i] + (1 - decay[t]) * v[i];
        free(v);
        for (int later = 0; later < 2 && 2 * t + 1 + later <= 5; later++) { /* a step without an update changes nothing */
            v = checkpoint_tensor("ema", 2 * t + 1 + later, average, &m);
            assert_int_equal(m, n);
            for (size_t i = 0; i < m; i++) assert_true(fabs(v[i] - want[i]) < 1e-6);
            free(v);
        }
    }
    gs_test_works("generate $D/ema -i $D/faces/testA -o $D/ema_run");
    gs_test_works("export $D/ema -o $D/ema.safetensors");
    gs_test_works("generate $D/ema.safetensors -i $D/faces/testA -o $D/ema_out");
    gs_test_same_file("ema_run/000000.png", "ema_out/000000.png");
    gs_test_works("export $D/ema --net genA2B --last -o $D/last.safetensors");
    gs_test_works("import $D/last.safetensors --system ugatit --net genA2B --set model.size=32 --set model.d_global_layers=4 --set model.d_local_layers=3 "
                  "--set train.ema=0.9 -o $D/last_in.safetensors");
    gs_test_works("generate $D/last_in.safetensors -i $D/faces/testA -o $D/ema_last");
    gs_test_different_file("ema_run/000000.png", "ema_last/000000.png");
}

/* Grey pictures from files of any kind: training, sheets, heat maps, translation, figures, weights out and in. */
static void grey_pictures(void **state)
{
    static const char grey[] = "[model]\nsystem = ugatit\nsize = 32\nch = 2\nn_res = 1\nimg_ch = 1\nd_global_layers = 4\nd_local_layers = 3\n"
                               "[train]\niterations = 2\nlog_every = 1\n[sample]\npictures = 1\nsample_interval_batches = 2\n[log]\nplots = 0\n";
    static const int channels[] = { 3, 1, 3 };
    char *path[] = { gs_test_path("grey/samples/B2A_batch_00000002.png"), gs_test_path("grey_run/odd.png"), gs_test_path("grey_run/odd_heat.png") };
    char *colour = gs_test_path("colour.png");
    float x[32 * 32], y[3 * 32 * 32];
    gs_image img;
    char *json;

    (void)state;
    put_ramp("colour.png", 32, 32, 3);
    assert_ok(gs_picture_load(colour, 32, 1, GS_RESIZE_ANTIALIAS, x, NULL, NULL));
    assert_ok(gs_picture_load(colour, 32, 3, GS_RESIZE_ANTIALIAS, y, NULL, NULL));
    for (int i = 0; i < 32 * 32; i++) assert_true(fabs(x[i] - (0.299 * y[i] + 0.587 * y[1024 + i] + 0.114 * y[2048 + i])) < 1 / 127.0);
    assert_ok(gs_test_train(grey, "grey", 0, false, NULL));
    put_ramp("odd.png", 50, 21, 4);
    gs_test_works("generate $D/grey -i $D/odd.png --heatmaps -o $D/grey_run");
    for (int i = 0; i < 3; i++) {
        assert_ok(gs_image_read(path[i], NULL, &img));
        assert_int_equal(img.c, channels[i]);
        for (int k = 0; k < 32 * img.w && i == 0; k++) /* the sheet's first row */
            assert_true(img.px[3 * k] == img.px[3 * k + 1] && img.px[3 * k] == img.px[3 * k + 2]);
        gs_image_free(&img);
        free(path[i]);
    }
    gs_test_works("export $D/grey -o $D/grey.safetensors");
    gs_test_works("import $D/grey.safetensors --system ugatit --set model.size=32 -o $D/grey_in.safetensors"); /* the tensors tell that it is grey */
    gs_test_works("generate $D/grey_in.safetensors -i $D/odd.png -o $D/grey_out");
    gs_test_same_file("grey_run/odd.png", "grey_out/odd.png");
    gs_test_works("eval $D/grey --json");
    json = gs_test_stdout();
    assert_non_null(strstr(json, "identity"));
    gs_test_refuses("import $D/grey.safetensors --system ugatit --set model.size=32 --set model.img_ch=3 -o $D/no.safetensors", "has the shape 2,1,7,7");
    assert_fails(gs_test_train(grey, "grey2", 0, false, "model.img_ch=2"), GS_ECONFIG, "img_ch");
    free(json);
    free(colour);
}

/* A sheet has seven rows; columns are training pictures and then test pictures. */
static void sheets(void **state)
{
    char *path = gs_test_path("whole/samples/A2B_batch_00000003.png"), *face = gs_test_path("faces/testA/000001.png");
    float x[3 * 32 * 32];
    gs_image img;

    (void)state;
    assert_ok(gs_image_read(path, NULL, &img));
    assert_int_equal(img.w, 4 * 32);
    assert_int_equal(img.h, 7 * 32);
    assert_ok(gs_picture_load(face, 32, 3, GS_RESIZE_ANTIALIAS, x, NULL, NULL));
    for (int i = 0; i < 32 * 32; i++) /* the last column begins with the second test picture */
        assert_in_range(img.px[((size_t)(i / 32) * img.w + 96 + i % 32) * 3], (int)((x[i] + 1) * 127.5f), (int)((x[i] + 1) * 127.5f) + 1);
    gs_image_free(&img);
    free(path);
    free(face);
}

/* With each sheet a line of least, mean and largest rho of every layer: as in the checkpoint of that step. */
static void rho_by_layer(void **state)
{
    static const char *const names[] = { "genA2B.UpBlock1_1.norm2.rho", "genB2A.UpBlock2.8.rho" };
    char *path = gs_test_path("whole/rho.csv");
    gs_metrics_table t;

    (void)state;
    assert_ok(gs_metrics_read(path, &t));
    assert_int_equal(t.n_rows, 2); /* after steps 3 and 6 */
    assert_int_equal(t.n_columns, 1 + 3 * 2 * 4);
    assert_true(t.v[0] == 3 && t.v[t.n_columns] == 6);
    for (size_t i = 0; i < GS_COUNT(names); i++) {
        double want[3] = { INFINITY, 0, -INFINITY };
        size_t n;
        float *v = checkpoint_tensor("whole", 6, names[i], &n);
        char column[64];

        for (size_t k = 0; k < n; k++) want[0] = fmin(want[0], v[k]), want[1] += v[k] / (double)n, want[2] = fmax(want[2], v[k]);
        for (int k = 0; k < 3; k++) {
            snprintf(column, sizeof column, "%s.%s", names[i], k == 0 ? "min" : k == 1 ? "mean" : "max");
            assert_true(gs_metrics_column(&t, column) > 0);
            assert_true(fabs(t.v[t.n_columns + gs_metrics_column(&t, column)] - want[k]) < 1e-6);
        }
        free(v);
    }
    gs_metrics_table_free(&t);
    gs_test_same_file("whole/rho.csv", "parts/rho.csv");
    free(path);
}

static void bad_data(void **state)
{
    char empty[1100], bad[1100];

    (void)state;
    snprintf(empty, sizeof empty, "data.trainB=%s/none", gs_test_dir());
    snprintf(bad, sizeof bad, "data.trainA=%s/bad", gs_test_dir());
    gs_test_put("none/notes.txt", "not a picture", 13);
    gs_test_put("bad/x.jpg", "\xff\xd8\xff and then nothing", 18);
    assert_fails(gs_test_train(tiny, "r0", 0, false, empty), GS_EFORMAT, "[data] trainB: ");
    assert_fails(gs_test_train(tiny, "r0", 0, false, bad), GS_EFORMAT, "[data] trainA: ");
    assert_fails(gs_test_train(tiny, "r1", 0, false, "data.trainB=nowhere"), GS_EIO, "data.root=...");
    assert_fails(gs_test_train(tiny, "r2", 0, false, "model.size=34"), GS_ECONFIG, "multiple of 4");
    assert_fails(gs_test_train(tiny, "r3", 0, false, "model.d_global_layers=7"), GS_ECONFIG, "wants 96 or more");
}

/* More checkpoints than any disk holds are warned of before the first step; two small ones are not. */
static void room_for_checkpoints(void **state)
{
    (void)state;
    warned[0] = 0;
    assert_ok(gs_test_train(tiny, "room", 1, false, "data.max_items=1"));
    assert_null(strstr(warned, "checkpoint"));
    assert_ok(gs_test_train(tiny, "room2", 1, false, "train.iterations=1000000000000"));
    assert_non_null(strstr(warned, "room2: 500000000001 more checkpoints of "));
    assert_non_null(strstr(warned, "lower [checkpoint] keep"));
}

static void snapshots(void **state)
{
    char *run = gs_test_path("whole"), *file = gs_test_path("whole/checkpoints/step_0000000006.safetensors"), *other = gs_test_path("other.ini");
    gs_snapshot *s;

    (void)state;
    assert_ok(gs_snapshot_open(run, NULL, &s));
    assert_int_equal(gs_snapshot_step(s), 6);
    assert_true(gs_snapshot_has_direction(s, 0) && gs_snapshot_has_direction(s, 1));
    gs_snapshot_close(s);
    gs_test_put("other.ini", "[model]\nsystem = ugatit\nch = 4\n", 31);
    assert_fails(gs_snapshot_open(file, other, &s), GS_EFORMAT, "the configuration wants");
    gs_test_put("other.ini", "[model]\nsystem = cgan\nprofile = bars\n", 37);
    assert_fails(gs_snapshot_open(file, other, &s), GS_EFORMAT, "holds networks of system ugatit");
    free(run), free(file), free(other);
}

/* ---- the program ---- */

static void translation(void **state)
{
    char *odd = gs_test_path("out/odd.png"), *heat = gs_test_path("out/odd_heat.png"), *deep = gs_test_path("out2/deeper/b.png");
    gs_image img;

    (void)state;
    put_ramp("odd.png", 50, 21, 4);
    gs_test_works("generate $D/whole -i $D/odd.png --heatmaps --keep-size -o $D/out");
    for (int i = 0; i < 2; i++) {
        assert_ok(gs_image_read(i ? heat : odd, NULL, &img));
        assert_int_equal(img.w, 50);
        assert_int_equal(img.h, 21);
        gs_image_free(&img);
    }
    gs_test_works("generate $D/whole -i $D/mixed --direction B2A -o $D/out2"); /* names and folders kept, the bad one left out */
    assert_ok(gs_image_read(deep, NULL, &img));
    assert_int_equal(img.w, 32);
    gs_image_free(&img);
    gs_test_refuses("generate $D/whole -i $D/bad -o $D/out3", "none of its 1 pictures can be read");
    gs_test_refuses("generate $D/whole -i $D/none -o $D/out3", "no .png");
    gs_test_refuses("generate $D/whole -i $D/odd.png --direction A2C -o $D/out3", "there are: A2B, B2A");
    gs_test_refuses("generate $D/whole -o $D/out3", "--input");
    gs_test_refuses("generate $D/whole --label 3 -o $D/out3", "--label means nothing to system ugatit");
    gs_test_works("eval $D/whole --json");
    gs_test_refuses("eval $D/whole --metric accuracy", "--metric means nothing to system ugatit");
    gs_test_refuses("eval $D/whole --protocol swd", "there are: subsets, ugatit");
    gs_test_refuses("eval $D/whole --kid-size 2 --inception $D/whole/checkpoints/step_0000000006.safetensors",
                    "is it a state dict of Inception-v3?");
    gs_test_refuses("import $D/whole/checkpoints/step_0000000006.safetensors --system inception -o $D/judge.safetensors", "fc.weight is missing");
    free(odd), free(heat), free(deep);
}

/* What else is written beside a translation: each picture holds what its name says. */
static void sheets_of_translations(void **state)
{
    static const struct { const char *name; int w, h; } want[] = { { "odd.png", 32, 32 }, { "odd_side.png", 64, 32 }, { "odd_heat.png", 32, 32 },
                                                                   { "odd_overlay.png", 32, 32 }, { "odd_grid.png", 32, 224 } };
    enum { PLAIN, SIDE, HEAT, OVERLAY, GRID, N };
    char *wide = gs_test_path("kept/odd_side.png");
    gs_image img[N];

    (void)state;
    put_ramp("odd.png", 50, 21, 4);
    gs_test_works("generate $D/whole -i $D/odd.png --side-by-side --heatmaps --overlay --grid -o $D/sheets");
    for (int i = 0; i < N; i++) {
        char name[64], *path;

        snprintf(name, sizeof name, "sheets/%s", want[i].name);
        path = gs_test_path(name);
        assert_ok(gs_image_read(path, &(gs_image_opts){ .channels = 3 }, &img[i]));
        assert_int_equal(img[i].w, want[i].w);
        assert_int_equal(img[i].h, want[i].h);
        free(path);
    }
    for (int y = 0; y < 32; y++) {
        const uint8_t *in = img[SIDE].px + y * 64 * 3, *out = in + 32 * 3;

        assert_memory_equal(out, img[PLAIN].px + y * 32 * 3, 32 * 3);
        assert_memory_equal(in, img[GRID].px + y * 32 * 3, 32 * 3);                              /* the first row of the sheet, */
        assert_memory_equal(img[HEAT].px + y * 96, img[GRID].px + (3 * 32 + y) * 96, 32 * 3);    /* its fourth */
        assert_memory_equal(img[PLAIN].px + y * 96, img[GRID].px + (4 * 32 + y) * 96, 32 * 3);   /* and fifth */
        for (int k = 0; k < 32 * 3; k++) assert_int_equal(img[OVERLAY].px[y * 96 + k], (in[k] + img[HEAT].px[y * 96 + k] + 1) / 2);
    }
    for (int i = 0; i < N; i++) gs_image_free(&img[i]);
    gs_test_works("generate $D/whole -i $D/odd.png --side-by-side --keep-size -o $D/kept");
    assert_ok(gs_image_read(wide, NULL, &img[0]));
    assert_true(img[0].w == 100 && img[0].h == 21);
    gs_image_free(&img[0]);
    free(wide);
}

/* One generator out and in again, its sizes told by its tensors, translates as before; the other direction is missed by name. */
static void weights_in_and_out(void **state)
{
    (void)state;
    gs_test_works("export $D/whole --net genB2A -o $D/b2a.safetensors");
    gs_test_works("import $D/b2a.safetensors --system ugatit --net genB2A --set model.size=32 --set model.d_global_layers=4 --set model.d_local_layers=3 "
          "-o $D/in.safetensors");
    gs_test_works("generate $D/whole -i $D/odd.png --direction B2A -o $D/there");
    gs_test_works("generate $D/in.safetensors -i $D/odd.png --direction B2A -o $D/back");
    gs_test_same_file("there/odd.png", "back/odd.png");
    gs_test_refuses("generate $D/in.safetensors -i $D/odd.png -o $D/back", "genA2B.DownBlock.1.weight is missing");
    gs_test_works("export $D/whole -o $D/all.safetensors");
    gs_test_works("import $D/all.safetensors --system ugatit --set model.size=32 -o $D/in.safetensors");
    gs_test_works("generate $D/in.safetensors -i $D/odd.png --direction B2A -o $D/back");
    gs_test_same_file("there/odd.png", "back/odd.png");
    gs_test_refuses("import $D/all.safetensors --system ugatit --set model.size=32 --set model.ch=3 -o $D/in2.safetensors", "set the keys of the sizes");
}

/* The configuration for newcomers does its first steps. */
static void tiny_configuration(void **state)
{
    (void)state;
    gs_test_works("train configs/ugatit_tiny.ini --set data.root=$D/faces --steps 3 --run $D/newcomer -q");
    gs_test_works("generate $D/newcomer --input $D/faces/testA -o $D/newcomer_out --heatmaps");
}

/* A benchmark's check takes a small batch, under the key that this system has for it: train.batch. */
static void benchmark_of_a_configuration(void **state)
{
    const char text[] = "[model]\nsystem = ugatit\nsize = 32\nch = 4\nn_res = 1\nd_global_layers = 4\nd_local_layers = 3\n[data]\nroot = ";
    const char *dir = gs_test_dir();
    char ini[512], *said;

    (void)state;
    snprintf(ini, sizeof ini, "%s%s/faces\n", text, dir);
    gs_test_put("bench.ini", ini, strlen(ini));
    gs_test_works("bench --models $D/bench.ini --seconds 1 --no-starts --json - -q");
    said = gs_test_stdout();
    if (!strstr(said, "\"right\":true") && !strstr(said, "\"right\":\ttrue") && !strstr(said, "\"right\": true")) fail_msg("%.600s", said);
    free(said);
}

static int set_up(void **state)
{
    char *faces;

    (void)state;
    gs_log_set(catch_warning, NULL);
    faces = gs_test_path("faces");
    assert_ok(gs_data_make_faces(faces, 5, 2, 0));
    free(faces);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(antialiased_shrinking),
        cmocka_unit_test(other_filters),
        cmocka_unit_test(heat_maps),
        cmocka_unit_test(folders_with_bad_pictures),
        cmocka_unit_test(samples),
        cmocka_unit_test(drawn_faces),
        cmocka_unit_test(drawn_shapes),
        cmocka_unit_test(stopped_and_resumed),
        cmocka_unit_test(trained_within_a_budget),
        cmocka_unit_test(outlook), cmocka_unit_test(outlook_of_a_run),
        cmocka_unit_test(penalty_stopped_and_resumed),
        cmocka_unit_test(preset_of_tensorflow),
        cmocka_unit_test(averaged_weights),
        cmocka_unit_test(grey_pictures),
        cmocka_unit_test(sheets),
        cmocka_unit_test(rho_by_layer),
        cmocka_unit_test(bad_data),
        cmocka_unit_test(room_for_checkpoints),
        cmocka_unit_test(snapshots),
        cmocka_unit_test(translation),
        cmocka_unit_test(sheets_of_translations),
        cmocka_unit_test(weights_in_and_out),
        cmocka_unit_test(tiny_configuration),
        cmocka_unit_test(benchmark_of_a_configuration),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
