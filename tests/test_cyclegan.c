/* CycleGAN: sizes, names, rates, the image pools; a short training that is stopped and resumed, translation,
 * weights in and out. What a step computes is held against PyTorch by the golden case cyclegan_steps. */
#include "lib/runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/faces.h"
#include "data/image.h"
#include "gesso/gesso.h"
#include "graph/graph.h"
#include "io/safetensors.h"
#include "models/cyclegan.h"

static gs_cyclegan_opts options(void)
{
    gs_cyclegan_opts o;

    assert_ok(gs_cyclegan_configure(&o, NULL, NULL));
    return o;
}

static int64_t count(gs_graph *g, const char *prefix)
{
    gs_var *vars[200];
    const int n = gs_trainable(g, prefix, vars, 200);
    int64_t sum = 0;

    assert_true(n <= 200);
    for (int i = 0; i < n; i++) sum += gs_shape_count(gs_var_shape(vars[i]));
    return sum;
}

static void sizes_and_names(void **state)
{
    static const struct { const char *name; gs_shape shape; bool trained; } want[] = {
        { "G_A.model.1.weight", { 4, { 64, 3, 7, 7 } }, true },              { "G_A.model.1.bias", { 1, { 64 } }, false },
        { "G_A.model.18.conv_block.5.weight", { 4, { 256, 256, 3, 3 } }, true }, { "G_A.model.18.conv_block.5.bias", { 1, { 256 } }, false },
        { "G_A.model.19.weight", { 4, { 256, 128, 3, 3 } }, true },          { "G_A.model.22.weight", { 4, { 128, 64, 3, 3 } }, true },
        { "G_A.model.26.weight", { 4, { 3, 64, 7, 7 } }, true },             { "G_A.model.26.bias", { 1, { 3 } }, true },
        { "D_B.model.0.bias", { 1, { 64 } }, true },                         { "D_B.model.8.weight", { 4, { 512, 256, 4, 4 } }, true },
        { "D_B.model.8.bias", { 1, { 512 } }, false },                       { "D_B.model.11.weight", { 4, { 1, 512, 4, 4 } }, true },
        { "D_B.model.11.bias", { 1, { 1 } }, true },
    };
    const gs_cyclegan_opts o = options();
    gs_graph *g = gs_graph_new();
    gs_node *x = gs_input(g, "x", GS_SHAPE(1, 3, 256, 256), GS_F32), *d;

    (void)state;
    gs_cyclegan_generator(g, &o, "G_A", x);
    d = gs_cyclegan_discriminator(g, &o, "D_B", x);
    assert_ok(gs_graph_status(g));
    assert_true(gs_shape_equal(gs_node_shape(d), GS_SHAPE(1, 1, 30, 30)));
    assert_int_equal(count(g, "G_A."), 11378179);
    assert_int_equal(count(g, "D_B."), 2764737);
    for (size_t i = 0; i < GS_COUNT(want); i++) {
        bool found = false;

        for (int k = 0; k < g->n_vars; k++) found |= strcmp(g->vars[k]->name, want[i].name) == 0 && gs_shape_equal(g->vars[k]->shape, want[i].shape);
        if (!found) fail_msg("no variable %s of the shape wanted", want[i].name);
        if (gs_cyclegan_trained(&o, want[i].name) != want[i].trained) fail_msg("%s: trained is not %d", want[i].name, want[i].trained);
    }
    gs_graph_free(g);
}

/* The work of a generator's pass at 256 x 256 is known. */
static void work_of_a_pass(void **state)
{
    const gs_cyclegan_opts o = options();
    gs_device *null;
    gs_graph *g = gs_graph_new();
    gs_plan *p;

    (void)state;
    assert_ok(gs_device_open("null", &null));
    assert_ok(gs_cyclegan_build_translator(g, &o, 1, false));
    assert_ok(gs_compile(g, null, NULL, &(gs_compile_opts){ .off = "", .dry_run = true }, &p));
    assert_true(fabs(gs_plan_get_stats(p).flops / 2 / 49.55e9 - 1) < 2e-3);
    gs_plan_free(p);
    gs_graph_free(g);
    gs_device_close(null);
}

static void rates(void **state)
{
    const gs_cyclegan_opts o = options();

    (void)state;
    assert_true(gs_cyclegan_lr(&o, 0) == 2e-4 && gs_cyclegan_lr(&o, 99) == 2e-4);
    assert_true(fabs(gs_cyclegan_lr(&o, 100) - 2e-4 * 100 / 101) < 1e-12);
    assert_true(fabs(gs_cyclegan_lr(&o, 199) - 2e-4 / 101) < 1e-12); /* the last epoch still learns */
}

static void sizes_that_do_not_fit(void **state)
{
    gs_cyclegan_opts o = options();

    (void)state;
    o.size = 98;
    assert_fails(gs_cyclegan_check(&o), GS_ECONFIG, "multiple of 4, 16 or more (next: 100)");
    o.size = 20;
    assert_fails(gs_cyclegan_check(&o), GS_ECONFIG, "which want 24 or more");
    o.size = 2048, o.pool = 50;
    assert_fails(gs_cyclegan_check(&o), GS_ECONFIG, "image pool");
}

/* A pool fills; then every place is used, and half of the fakes go in and bring an old one out. The domains differ. */
static void pool_turns(void **state)
{
    gs_cyclegan_opts o = options();
    int used[2][8] = { { 0 } }, stored[2] = { 0 }, differ = 0;
    int32_t slot[2];
    float old[2];

    (void)state;
    o.pool = 8;
    for (int64_t i = 0; i < 2008; i++) {
        for (int d = 0; d < 2; d++) {
            gs_cyclegan_pool_turn(&o, 3, d, i, &slot[d], &old[d]);
            if (i < 8) {
                assert_true(slot[d] == i && old[d] == 0);
                continue;
            }
            assert_true(slot[d] >= -1 && slot[d] < 8 && old[d] == (slot[d] >= 0));
            if (slot[d] < 0) continue;
            used[d][slot[d]]++;
            stored[d]++;
        }
        differ += slot[0] != slot[1];
    }
    for (int d = 0; d < 2; d++) {
        assert_in_range(stored[d], 900, 1100);
        for (int k = 0; k < 8; k++) assert_in_range(used[d][k], 80, 170);
    }
    assert_true(differ > 500);
    o.pool = 0;
    gs_cyclegan_pool_turn(&o, 3, 0, 0, &slot[0], &old[0]);
    assert_true(slot[0] == -1 && old[0] == 0);
}

/* ---- training ---- */

static const char tiny[] = "[model]\nsystem = cyclegan\nsize = 32\nch = 2\nn_res = 1\nd_ch = 2\nd_layers = 2\n"
                           "[train]\nepochs = 1\nepochs_decay = 1\npool = 2\nlog_every = 1\nlr = 1e-3\n[checkpoint]\nevery = 2\nkeep = 0\n"
                           "[sample]\npictures = 2\nsample_interval_batches = 3\n[log]\nplots = 0\n[data]\nresize_extra = 4\n";

/* Five pictures of A and of B: two epochs are ten steps. */
static void stopped_and_resumed(void **state)
{
    static const char *const files[] = { "samples/A2B_batch_00000003.png", "samples/B2A_batch_00000009.png", "metrics.csv", "epochs.csv" };

    (void)state;
    assert_ok(gs_test_train(tiny, "whole", 0, false, NULL));
    assert_ok(gs_test_train(tiny, "parts", 5, false, NULL));
    assert_ok(gs_test_train(tiny, "parts", 0, true, NULL));
    gs_test_same_file("whole/checkpoints/step_0000000010.safetensors", "parts/checkpoints/step_0000000010.safetensors");
    gs_test_same_file("whole/metrics.csv", "parts/metrics.csv");
    for (size_t i = 0; i < GS_COUNT(files); i++) {
        char name[128], *path;

        snprintf(name, sizeof name, "parts/%s", files[i]);
        path = gs_test_path(name);
        if (!gs_file_exists(path)) fail_msg("%s is missing", path);
        free(path);
    }
    assert_fails(gs_test_train(tiny, "parts", 0, true, "train.pool=3"), GS_ECONFIG, "[train] pool was 2");
}

static void pool_of(const char *step, const char *name, float *out)
{
    char file[128], *path;
    gs_st_file *f;
    const gs_st_tensor *t;

    snprintf(file, sizeof file, "whole/checkpoints/step_%s.safetensors", step);
    path = gs_test_path(file);
    assert_ok(gs_st_open(path, &f));
    t = gs_st_find(f, name);
    assert_non_null(t);
    assert_int_equal(t->count, 2 * 3 * 32 * 32);
    gs_st_to_f32(t, out);
    gs_st_close(f);
    free(path);
}

/* Two fakes fill a pool of two; after that some of them are replaced, and each is a picture. */
static void pools_hold_fakes(void **state)
{
    static float early[2 * 3 * 32 * 32], late[2 * 3 * 32 * 32];

    (void)state;
    for (int d = 0; d < 2; d++) {
        const char *name = d ? "fake_B_pool" : "fake_A_pool";

        pool_of("0000000002", name, early);
        pool_of("0000000010", name, late);
        assert_memory_not_equal(early, early + 3 * 32 * 32, sizeof early / 2);
        assert_memory_not_equal(early, late, sizeof early);
        for (size_t i = 0; i < GS_COUNT(late); i++) assert_true(fabsf(early[i]) <= 1 && fabsf(late[i]) <= 1 && early[i] != 0);
    }
}

/* A sheet has the input, the translation, its way back, and the identity. */
static void sheets(void **state)
{
    char *path = gs_test_path("whole/samples/A2B_batch_00000003.png");
    gs_image img;

    (void)state;
    assert_ok(gs_image_read(path, NULL, &img));
    assert_int_equal(img.w, 4 * 32);
    assert_int_equal(img.h, 4 * 32);
    gs_image_free(&img);
    free(path);
}

/* ---- the program ---- */

static void translation(void **state)
{
    char *out = gs_test_path("out/000001.png");
    gs_image img;

    (void)state;
    gs_test_works("generate $D/whole -i $D/faces/testA -o $D/out");
    assert_ok(gs_image_read(out, NULL, &img));
    assert_int_equal(img.w, 32);
    gs_image_free(&img);
    gs_test_works("generate $D/whole -i $D/faces/testB/000000.png --direction B2A --keep-size -o $D/out2");
    gs_test_refuses("generate $D/whole -i $D/faces/testA --heatmaps -o $D/out3", "system cyclegan, which has no attention maps");
    gs_test_refuses("generate $D/whole -i $D/faces/testA --direction A2C -o $D/out3", "there are: A2B, B2A");
    free(out);
}

/* A generator alone finds its sizes by its tensors, and translates as before. */
static void weights_in_and_out(void **state)
{
    (void)state;
    gs_test_works("export $D/whole --net G_B -o $D/g_b.safetensors");
    gs_test_works("import $D/g_b.safetensors --system cyclegan --net G_B --set model.size=32 -o $D/in.safetensors");
    gs_test_works("generate $D/whole -i $D/faces/testB/000000.png --direction B2A -o $D/there");
    gs_test_works("generate $D/in.safetensors -i $D/faces/testB/000000.png --direction B2A -o $D/back");
    gs_test_same_file("there/000000.png", "back/000000.png");
    gs_test_refuses("generate $D/in.safetensors -i $D/faces/testB/000000.png -o $D/back", "G_A.model.1.weight is missing");
    gs_test_works("export $D/whole -o $D/all.safetensors");
    gs_test_works("import $D/all.safetensors --system cyclegan --set model.size=32 -o $D/in.safetensors");
    gs_test_works("generate $D/in.safetensors -i $D/faces/testB/000000.png --direction B2A -o $D/back");
    gs_test_same_file("there/000000.png", "back/000000.png");
    gs_test_works("export $D/whole --net D_A -o $D/d.safetensors");
    gs_test_works("import $D/d.safetensors --system cyclegan --net D_A --set model.size=32 --set model.ch=2 --set model.n_res=1 -o $D/d2.safetensors");
    gs_test_refuses("import $D/all.safetensors --system ugatit --set model.size=96 -o $D/no.safetensors", "belongs to no network of system ugatit");
    gs_test_refuses("generate $D/g_b.safetensors -i $D/faces/testB -o $D/no", "no configuration");
}

/* The configuration for newcomers does its first steps. */
static void tiny_configuration(void **state)
{
    (void)state;
    gs_test_works("train configs/cyclegan_tiny.ini --set data.root=$D/faces --steps 3 --run $D/newcomer -q");
}

static int set_up(void **state)
{
    char *faces = gs_test_path("faces");

    (void)state;
    assert_ok(gs_data_make_faces(faces, 5, 2, 0));
    free(faces);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_and_names),     cmocka_unit_test(work_of_a_pass),   cmocka_unit_test(rates),
        cmocka_unit_test(sizes_that_do_not_fit), cmocka_unit_test(stopped_and_resumed), cmocka_unit_test(pools_hold_fakes),
        cmocka_unit_test(sheets),              cmocka_unit_test(pool_turns),       cmocka_unit_test(translation),
        cmocka_unit_test(weights_in_and_out),  cmocka_unit_test(tiny_configuration),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
