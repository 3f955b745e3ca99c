/* Evaluation of translations: Inception-v3's weights as files, features and their cache, tables of pairs, and the
 * whole on an untrained U-GAT-IT whose figures can be had another way. Distances themselves are tested in
 * test_distances, the network's values in test_golden. */
#include "lib/command.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/faces.h"
#include "data/grid.h"
#include "data/pictures.h"
#include "eval/gallery.h"
#include "eval/judge.h"
#include "eval/pixels.h"
#include "eval/translate_eval.h"
#include "gesso/plan.h"

enum { CLASSES = 3, SIDE = 32 };

static gs_device *device;
static char *dir, warned[8192];

static void catch_warning(const char *line, void *user)
{
    (void)user;
    snprintf(warned + strlen(warned), sizeof warned - strlen(warned), "%s\n", line);
}

static char *join(const char *name) { return gs_path_join(dir, name); }

static void put(const char *name, const char *text)
{
    char *path = join(name);

    assert_ok(gs_file_write(path, text, strlen(text)));
    free(path);
}

/* ---- weights ---- */

typedef struct variant { /* what is wrong with a file */
    const char *missing, *misshapen, *extra, *infinite, *prefix;
    int classes;
    bool aux, counters, noise;
} variant;

/* A state dict: noise: half-precision weights of unit gain; else bytes, all zero, which are quick to write and as
 * good to look at. */
static char *write_weights(const char *name, const variant *v)
{
    char *path = join(name);
    gs_graph *g = gs_graph_new();
    gs_var *vars[800];
    gs_st_writer *w = gs_st_writer_new();
    void *data[800] = { NULL };
    const int64_t counter = 7;
    gs_rng rng = { .seed = 5 };
    int n;

    gs_inception(g, &(gs_inception_opts){ .classes = v->classes ? v->classes : CLASSES, .aux = v->aux }, "",
                 gs_input(g, "x", GS_SHAPE(1, 3, 299, 299), GS_F32));
    assert_ok(gs_graph_status(g));
    n = gs_variables(g, "", vars, (int)GS_COUNT(vars));
    for (int i = 0; i < n; i++) {
        const char *key = gs_var_name(vars[i]), *dot = strrchr(key, '.');
        gs_shape s = gs_var_shape(vars[i]);
        const size_t count = (size_t)gs_shape_count(s);
        char full[300];

        if (v->missing && strcmp(v->missing, key) == 0) continue;
        snprintf(full, sizeof full, "%s%s", v->prefix ? v->prefix : "", key);
        if (v->misshapen && strcmp(v->misshapen, key) == 0) s.dim[0]++;
        data[i] = gs_xalloc((size_t)gs_shape_count(s) * 4);
        if (v->infinite && strcmp(v->infinite, key) == 0) {
            ((float *)data[i])[count - 1] = INFINITY;
            gs_st_writer_add(w, full, GS_ST_F32, s.rank, s.dim, data[i]);
        } else if (!v->noise) {
            gs_st_writer_add(w, full, GS_ST_U8, s.rank, s.dim, data[i]);
        } else if (s.rank == 1) {
            for (size_t k = 0; k < count; k++)
                ((float *)data[i])[k] = strcmp(dot, ".weight") == 0 || strcmp(dot, ".running_var") == 0;
            gs_st_writer_add(w, full, GS_ST_F32, s.rank, s.dim, data[i]);
        } else { /* uniform with variance 2 / fan_in, as bfloat16 */
            const double scale = sqrt(6.0 * (double)s.dim[0] / (double)count);

            for (size_t k = 0; k < count; k++) {
                const float f = (float)((gs_rng_u32(&rng) / 2147483648.0 - 1) * scale);
                uint32_t bits;

                memcpy(&bits, &f, 4);
                ((uint16_t *)data[i])[k] = (uint16_t)(bits >> 16);
            }
            gs_st_writer_add(w, full, GS_ST_BF16, s.rank, s.dim, data[i]);
        }
        if (v->counters && strcmp(dot, ".running_var") == 0) {
            snprintf(full, sizeof full, "%.*s.num_batches_tracked", (int)(dot - key), key);
            gs_st_writer_add(w, full, GS_ST_I64, 0, NULL, &counter);
        }
    }
    if (v->extra) gs_st_writer_add(w, v->extra, GS_ST_I64, 0, NULL, &counter);
    assert_ok(gs_st_writer_save(w, path));
    gs_st_writer_free(w);
    gs_graph_free(g);
    for (int i = 0; i < n; i++) free(data[i]);
    return path;
}

static void weights(void **state)
{
    static const struct { variant v; const char *part; } bad[] = {
        { { .missing = "fc.weight" }, "fc.weight is missing" },
        { { .missing = "Mixed_6b.branch7x7dbl_3.bn.running_var" },
          "Mixed_6b.branch7x7dbl_3.bn.running_var is missing" },
        { { .misshapen = "Conv2d_2a_3x3.conv.weight" },
          "Conv2d_2a_3x3.conv.weight has the shape 33,32,3,3, Inception-v3 wants 32,32,3,3" },
        { { .extra = "Mixed_5b.branch9x9.conv.weight" }, "Mixed_5b.branch9x9.conv.weight belongs to no layer" },
        { { .infinite = "Conv2d_1a_3x3.bn.bias" }, "Conv2d_1a_3x3.bn.bias: element 31 is not finite" },
        { { .extra = "AuxLogits.conv0.bn.bias" }, "AuxLogits." }, /* half a head */
    };
    const gs_st_tensor *t;
    gs_inception_weights w;
    gs_st_file *f;
    char *path, *plain = join("plain.safetensors");

    (void)state;
    for (size_t i = 0; i < GS_COUNT(bad); i++) {
        path = write_weights("bad.safetensors", &bad[i].v);
        assert_fails(gs_inception_weights_open(path, &w), GS_EFORMAT, bad[i].part);
        assert_fails(gs_inception_weights_open(path, &w), GS_EFORMAT, path);
        free(path);
    }
    path = write_weights("good.safetensors", &(variant){ .prefix = "module.", .counters = true, .aux = true });
    assert_ok(gs_inception_weights_open(path, &w));
    assert_int_equal(w.o.graph, GS_INCEPTION_TV);
    assert_int_equal(w.o.classes, CLASSES);
    assert_true(w.o.aux);
    assert_non_null(gs_inception_weights_find(&w, "fc.bias"));
    assert_ok(gs_inception_weights_save(&w, plain));
    gs_inception_weights_close(&w);
    assert_ok(gs_st_open(plain, &f)); /* plain keys, fp32, no counters */
    t = gs_st_find(f, "AuxLogits.fc.weight");
    assert_true(t && t->dtype == GS_ST_F32 && t->shape[0] == CLASSES);
    assert_null(gs_st_find(f, "Conv2d_1a_3x3.bn.num_batches_tracked"));
    gs_st_close(f);
    free(path);
    path = write_weights("good.safetensors", &(variant){ .classes = 1008 });
    assert_ok(gs_inception_weights_open(path, &w));
    assert_int_equal(w.o.graph, GS_INCEPTION_FID2015);
    assert_int_equal(w.parameters, 21785568 + 2049 * 1008);
    gs_inception_weights_close(&w);
    free(path);
    free(plain);
}

/* ---- galleries and pairs ---- */

static void write_face(const char *name, bool cartoon, uint64_t index)
{
    char *path = join(name), *slash = strrchr(path, '/');
    gs_image img;

    *slash = '\0';
    assert_ok(gs_mkdirs(path));
    *slash = '/';
    assert_ok(gs_face_draw(&img, cartoon, 0, index));
    assert_ok(gs_png_write(path, &img));
    gs_image_free(&img);
    free(path);
}

static void galleries(void **state)
{
    char *folder = join("gallery"), *missing = join("missing");
    gs_gallery g, few;
    uint64_t key;

    (void)state;
    write_face("gallery/b.png", false, 1);
    write_face("gallery/sub/a.png", false, 2);
    write_face("gallery/c.png", false, 1); /* the bytes of b */
    put("gallery/broken.jpg", "\xff\xd8\xff");
    put("gallery/notes.txt", "no picture");
    warned[0] = 0;
    assert_ok(gs_gallery_open(folder, &g));
    assert_int_equal(g.n, 3);
    assert_non_null(strstr(warned, "broken.jpg"));
    assert_int_equal(gs_gallery_find(&g, "b"), 0);
    assert_int_equal(gs_gallery_find(&g, "c.png"), 1);
    assert_int_equal(gs_gallery_find(&g, "a"), 2);
    assert_int_equal(gs_gallery_find(&g, "sub/a"), 2);
    assert_int_equal(gs_gallery_find(&g, "su"), -1);
    assert_int_equal(gs_gallery_find(&g, ""), -1);
    assert_true(g.hash[0] == g.hash[1] && g.hash[0] != g.hash[2]);
    key = gs_gallery_key(&g);
    assert_ok(gs_gallery_open(folder, &few));
    assert_true(gs_gallery_key(&few) == key);
    gs_gallery_limit(&few, 2, 1);
    assert_int_equal(few.n, 2);
    assert_true(gs_gallery_key(&few) != key && strcmp(few.paths[0], few.paths[1]) < 0);
    gs_gallery_free(&few);
    gs_gallery_free(&g);
    assert_fails(gs_gallery_open(missing, &g), GS_EIO, "no such folder");
    free(folder);
    free(missing);
}

static void pairs(void **state)
{
    char *a_dir = join("pairs/a"), *b_dir = join("pairs/b"), *table = join("table.tsv");
    gs_gallery a, b;
    int to_b[4], to_a[4], n;

    (void)state;
    for (int i = 0; i < 3; i++) {
        char name[64];

        snprintf(name, sizeof name, "pairs/a/00%d.png", i);
        write_face(name, false, (uint64_t)i);
        snprintf(name, sizeof name, "pairs/b/emoji_u00%d_x.png", 2 - i);
        write_face(name, true, (uint64_t)i);
    }
    assert_ok(gs_gallery_open(a_dir, &a));
    assert_ok(gs_gallery_open(b_dir, &b));
    put("table.tsv",
        "code\tname\tother\r\n000\tzero\t000_x\n\n001\tone\t-\n002\ttwo\t002_x\n777\tnone\t777_x\n002\tagain\t001_x");
    assert_ok(gs_pairs_read(table, "{code}", "emoji_u{other}", &a, &b, to_b, to_a, &n));
    assert_int_equal(n, 2);
    assert_true(to_b[0] == 0 && to_b[1] == -1 && to_b[2] == 2 && to_a[0] == 0 && to_a[2] == 2);
    assert_int_equal(to_a[1], 2); /* the last row: a partner for 001_x, whose own partner has another */
    assert_ok(gs_pairs_read(table, "{1}.png", "emoji_u{3}.png", &a, &b, to_b, to_a, &n));
    assert_int_equal(n, 2);
    assert_fails(gs_pairs_read(table, "{kode}", "{other}", &a, &b, to_b, to_a, &n), GS_EFORMAT, "code, name, other");
    assert_fails(gs_pairs_read(table, "{1}", "{9}", &a, &b, to_b, to_a, &n), GS_EFORMAT,
                 "line 1 has 3 columns, number 9");
    assert_fails(gs_pairs_read(table, "{1", "{2}", &a, &b, to_b, to_a, &n), GS_EUSAGE, "without");
    assert_fails(gs_pairs_read(table, "name", "{2}", &a, &b, to_b, to_a, &n), GS_EUSAGE, "no column");
    assert_fails(gs_pairs_read(table, NULL, NULL, &a, &b, to_b, to_a, &n), GS_EFORMAT, "\"code\" with \"name\"");
    gs_gallery_free(&a);
    gs_gallery_free(&b);
    free(a_dir), free(b_dir), free(table);
}

/* ---- a system that translates, untrained ---- */

static const char tiny[] =
    "[model]\nsystem = ugatit\nsize = 32\nch = 2\nn_res = 1\nd_global_layers = 4\nd_local_layers = 3\n";

/* The networks of one or both directions with their initial values, as a file that carries its configuration. */
static char *write_model(const char *name, int directions)
{
    char *path = join(name);
    gs_st_writer *w = gs_st_writer_new();
    gs_setup *setup;
    gs_store *store;
    gs_str text = { 0 };
    void *data[200] = { NULL };

    gs_str_printf(&text, "%s[data]\nroot = %s/faces\n", tiny, dir);
    assert_ok(gs_setup_parse(gs_str_c(&text), "test", NULL, 0, &setup));
    assert_ok(gs_store_new(device, 1, &store));
    for (int k = 0; k < directions; k++) {
        gs_graph *g = gs_graph_new();

        assert_ok(setup->system->build_translator(setup->model, g, 1, k));
        assert_ok(gs_store_add(store, g));
        gs_graph_free(g);
    }
    assert_true(gs_store_count(store) < (int)GS_COUNT(data));
    for (int i = 0; i < gs_store_count(store); i++) {
        const gs_shape s = gs_store_shape(store, i);

        data[i] = gs_xalloc((size_t)gs_shape_count(s) * 4);
        assert_ok(gs_store_read(store, i, data[i]));
        gs_st_writer_add(w, gs_store_name(store, i), GS_ST_F32, s.rank, s.dim, data[i]);
    }
    gs_st_writer_meta(w, "system", "ugatit");
    gs_st_writer_meta(w, "config", gs_str_c(&text));
    assert_ok(gs_st_writer_save(w, path));
    for (int i = 0; i < gs_store_count(store); i++) free(data[i]);
    gs_st_writer_free(w);
    gs_store_free(store);
    gs_setup_free(setup);
    gs_str_free(&text);
    return path;
}

/* Translates files one by one with a plan of its own, to 8 bits: what "gesso generate" would save. */
static gs_image *translations(const gs_snapshot *s, int direction, char *const *paths, int n)
{
    const gs_setup *setup = gs_snapshot_setup(s);
    gs_image *out = gs_xalloc((size_t)n * sizeof *out);
    gs_graph *g = gs_graph_new();
    gs_store *store;
    gs_plan *plan;
    float x[3 * SIDE * SIDE];

    assert_ok(setup->system->build_translator(setup->model, g, 1, direction));
    assert_ok(gs_store_new(device, 0, &store));
    assert_ok(gs_compile(g, device, store, NULL, &plan));
    assert_ok(gs_snapshot_fill(s, store, ""));
    for (int i = 0; i < n; i++) {
        assert_ok(gs_picture_load(paths[i], SIDE, 3, GS_RESIZE_ANTIALIAS, x, NULL, NULL));
        assert_ok(gs_plan_feed(plan, "x", x));
        assert_ok(gs_plan_run(plan, 0, 0));
        assert_ok(gs_plan_fetch(plan, "image", x));
        assert_ok(gs_image_from_floats(&out[i], x, 3, SIDE, SIDE, false));
    }
    gs_plan_free(plan);
    gs_store_free(store);
    gs_graph_free(g);
    return out;
}

static void near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance)) fail_msg("%.9g instead of %.9g", got, want);
}

/* Partners are the pictures themselves: the untranslated ones match them exactly, and the translated ones are as far
 * off as a comparison by hand says. */
static void without_weights(void **state)
{
    char *model = write_model("model.safetensors", 2), *one = write_model("one.safetensors", 1),
        *folder = join("faces/testA"), *table = join("same.tsv");
    gs_translate_eval_opts o = { .folder = { folder, folder }, .pairs = table, .direction = "A2B" };
    gs_translate_eval e;
    gs_snapshot *s;
    gs_gallery g;
    gs_image *out, in;
    gs_pixel_score p;
    gs_str text = { 0 };
    double l1 = 0, ssim = 0, mean[3], deviation[3];
    gs_colour colour = { 0 };
    cJSON *json;

    (void)state;
    assert_ok(gs_snapshot_open(model, NULL, &s));
    assert_ok(gs_gallery_open(folder, &g));
    assert_int_equal(g.n, 5);
    put("same.tsv", "000000\t000000\n000001\t000001\n000003\t000003\n");
    assert_ok(gs_translate_eval_run(device, s, &o, &e));
    assert_true(e.direction[0].measured && !e.direction[1].measured && !e.has_distance);
    assert_int_equal(e.pairs, 3);
    out = translations(s, 0, g.paths, g.n);
    for (int i = 0; i < g.n; i++) {
        gs_image file;

        gs_colour_add(&colour, &out[i]);
        if (i == 2 || i == 4) continue;
        assert_ok(gs_image_read(g.paths[i], NULL, &file));
        assert_ok(gs_image_resize(&in, &file, SIDE, SIDE, GS_RESIZE_ANTIALIAS));
        assert_ok(gs_pixel_compare(&out[i], &in, &p));
        l1 += p.l1 / 3;
        ssim += p.ssim / 3;
        gs_image_free(&in);
        gs_image_free(&file);
    }
    gs_colour_get(&colour, mean, deviation);
    assert_int_equal(e.direction[0].pair_translated.l1.n, 3);
    near(gs_average_value(&e.direction[0].pair_translated.l1), l1, 1e-9);
    near(gs_average_value(&e.direction[0].pair_translated.ssim), ssim, 1e-9);
    assert_true(l1 > 0.05 && gs_average_value(&e.direction[0].pair_untranslated.l1) == 0);
    near(gs_average_value(&e.direction[0].pair_untranslated.psnr), GS_PSNR_MAX, 0);
    near(e.direction[0].mean[1][0], mean[0], 1e-9);
    near(e.direction[0].deviation[1][2], deviation[2], 1e-9);
    near(e.direction[0].mean[0][1], e.direction[0].mean[2][1], 1e-12); /* source and target are one folder */
    assert_int_equal(e.direction[0].cycle.n, 5);
    assert_int_equal(e.direction[0].identity.n, 5);
    gs_translate_eval_text(&e, &text);
    assert_non_null(strstr(gs_str_c(&text), "3 true partners"));
    assert_non_null(strstr(gs_str_c(&text), "torchvision.models.inception_v3")); /* how to get weights */
    gs_str_free(&text);
    json = gs_translate_eval_json(&e);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(json, "inception")));
    assert_non_null(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "A2B"), "pairs"));
    cJSON_Delete(json);
    gs_translate_eval_free(&e);

    o.direction = "A2C";
    assert_fails(gs_translate_eval_run(device, s, &o, &e), GS_EUSAGE, "there are: A2B, B2A");
    gs_translate_eval_free(&e);
    o.folder[1] = "/nowhere/at/all";
    assert_fails(gs_translate_eval_run(device, s, &o, &e), GS_EIO, "--folder-b");
    gs_translate_eval_free(&e);
    gs_snapshot_close(s);

    assert_ok(gs_snapshot_open(one, NULL, &s)); /* A2B alone: no way back */
    o = (gs_translate_eval_opts){ .max_pictures = 2 };
    assert_ok(gs_translate_eval_run(device, s, &o, &e)); /* the folders of its configuration */
    assert_true(e.direction[0].measured && !e.direction[1].measured && e.n[0] == 2 && e.n[1] == 2);
    assert_int_equal(e.direction[0].cycle.n, 0);
    assert_int_equal(e.direction[0].identity.n, 2);
    gs_translate_eval_free(&e);
    o.direction = "B2A";
    assert_fails(gs_translate_eval_run(device, s, &o, &e), GS_EFORMAT, "direction B2A are not in this file");
    gs_translate_eval_free(&e);
    gs_snapshot_close(s);
    for (int i = 0; i < g.n; i++) gs_image_free(&out[i]);
    free(out);
    gs_gallery_free(&g);
    free(model), free(one), free(folder), free(table);
}

/* KID and FID are those of features of the same pictures, taken one by one; the real ones come from the cache the
 * second time, which survives damage. */
/* The program without weights, after the test above: all figures that need none, how to get weights, no failure; as JSON the advice goes to
 * stderr. */
static void program_without_weights(void **state)
{
    static const char arguments[] = "eval $D/model.safetensors --folder-a $D/faces/testA --folder-b $D/faces/testA --pairs $D/same.tsv --direction A2B";
    static const char *const said[] = { "no KID and FID: KID and FID need the weights of Inception-v3, which do not come with Gesso",
                                        "torchvision.models.inception_v3", "gesso eval RUN --inception inception.safetensors", "GESSO_INCEPTION" };
    static const char *const figures[] = { "cycle", "identity", "L1", "PSNR", "SSIM" };
    char json[512];
    gs_test_result r = gs_test_gesso(dir, "GESSO_INCEPTION=''", arguments);
    cJSON *got;

    (void)state;
    if (r.status != 0) fail_msg("%s", r.err);
    for (size_t i = 0; i < GS_COUNT(said); i++) assert_non_null(strstr(r.out, said[i]));
    for (size_t i = 0; i < GS_COUNT(figures); i++) assert_non_null(strstr(r.out, figures[i]));
    assert_null(strstr(r.out, "KID x 100"));
    gs_test_done(r);
    snprintf(json, sizeof json, "%s --json", arguments);
    r = gs_test_gesso(dir, "GESSO_INCEPTION=''", json);
    assert_int_equal(r.status, 0);
    for (size_t i = 0; i < GS_COUNT(said); i++) assert_true(strstr(r.err, said[i]) && !strstr(r.out, said[i]));
    got = cJSON_Parse(r.out);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(got, "inception")));
    assert_non_null(cJSON_GetObjectItem(cJSON_GetObjectItem(got, "A2B"), "pairs"));
    cJSON_Delete(got);
    gs_test_done(r);
    r = gs_test_gesso(dir, "GESSO_INCEPTION=$D/none.safetensors", arguments); /* a path that leads nowhere is an error, not a silence */
    assert_true(r.status != 0 && strstr(r.err, "none.safetensors"));
    gs_test_done(r);
}

static void with_weights(void **state)
{
    char *path = write_weights("noise.safetensors", &(variant){ .noise = true }), *model = join("model.safetensors"),
        *cache, **files = NULL;
    gs_translate_eval_opts o = { .inception = path, .direction = "A2B", .kid = { .seed = 3, .size = 5, .subsets = 2 } };
    const gs_kid_opts kernel = { .degree = 3, .coef0 = 1 };
    gs_gallery a, b;
    gs_features fake = { 0 }, real = { 0 }, again = { 0 };
    char *a_dir = join("faces/testA"), *b_dir = join("faces/testB");
    gs_translate_eval e;
    gs_kid_kernels *k;
    gs_snapshot *s;
    gs_judge *j;
    gs_image *out;
    double kid, mean, cov;
    int n;

    (void)state;
    assert_ok(gs_snapshot_open(model, NULL, &s));
    assert_ok(gs_gallery_open(a_dir, &a));
    assert_ok(gs_gallery_open(b_dir, &b));
    assert_ok(gs_translate_eval_run(device, s, &o, &e));
    assert_true(e.has_distance && e.graph == GS_INCEPTION_TV);

    assert_ok(gs_judge_new(device, path, &j));
    out = translations(s, 0, a.paths, a.n);
    for (int i = 0; i < a.n; i++) assert_ok(gs_judge_add(j, &out[i], &fake));
    assert_ok(gs_judge_flush(j, &fake));
    assert_int_equal(fake.n, 5);
    assert_ok(gs_judge_files(j, b.paths, b.n, gs_gallery_key(&b), false, "b", NULL, NULL, &real));
    assert_true(real.cached && real.n == 5);
    assert_memory_not_equal(real.v, real.v + GS_INCEPTION_FEATURES, GS_INCEPTION_FEATURES * sizeof(float));
    assert_ok(gs_kid_kernels_new(real.v, 5, fake.v, 5, GS_INCEPTION_FEATURES, &kernel, &k));
    assert_ok(gs_kid(k, &kid));
    assert_ok(gs_frechet(real.v, 5, fake.v, 5, GS_INCEPTION_FEATURES, &mean, &cov));
    near(e.direction[0].translated.kid.whole, kid, 1e-12);
    near(e.direction[0].translated.kid.mean, kid, 1e-12 * (1 + fabs(kid))); /* subsets of five of five */
    near(e.direction[0].translated.fid, mean + cov, 1e-9 * (mean + cov));
    assert_true(kid != e.direction[0].untranslated.kid.whole && mean + cov > 0);
    gs_translate_eval_free(&e);

    cache = join("cache/gesso/features");
    assert_ok(gs_dir_list(cache, &files, &n));
    assert_int_equal(n, 2);
    for (int i = 0; i < n; i++) {
        char *file = gs_path_join(cache, files[i]);

        assert_ok(gs_file_write(file, "damaged", 7));
        free(file);
        free(files[i]);
    }
    free(files);
    warned[0] = 0;
    assert_ok(gs_judge_files(j, b.paths, b.n, gs_gallery_key(&b), false, "b", NULL, NULL, &again));
    assert_false(again.cached);
    assert_non_null(strstr(warned, "damaged; these features are made anew"));
    assert_memory_equal(real.v, again.v, 5 * GS_INCEPTION_FEATURES * sizeof(float));

    o.kid.size = 6;
    assert_fails(gs_translate_eval_run(device, s, &o, &e), GS_EINVAL, "there are 5 and 5 pictures");
    gs_translate_eval_free(&e);
    o.inception = model;
    o.kid.size = 0;
    assert_fails(gs_translate_eval_run(device, s, &o, &e), GS_EFORMAT, "state dict of Inception-v3");
    gs_translate_eval_free(&e);
    gs_kid_kernels_free(k);
    gs_judge_free(j);
    gs_snapshot_close(s);
    gs_gallery_free(&a);
    gs_gallery_free(&b);
    for (int i = 0; i < 5; i++) gs_image_free(&out[i]);
    free(out), free(fake.v), free(real.v), free(again.v), free(path), free(model), free(cache), free(a_dir),
        free(b_dir);
}

static int set_up(void **state)
{
    char *faces, *cache;

    (void)state;
    gs_log_set(catch_warning, NULL);
    dir = gs_test_tmpdir();
    faces = join("faces");
    assert_ok(gs_data_make_faces(faces, 1, 5, 0));
    cache = join("cache");
    setenv("XDG_CACHE_HOME", cache, 1);
    free(faces);
    free(cache);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights),         cmocka_unit_test(galleries),    cmocka_unit_test(pairs),
        cmocka_unit_test(without_weights), cmocka_unit_test(program_without_weights),
        cmocka_unit_test(with_weights),
    };
    int failed;

    if (gs_device_open(NULL, &device) != GS_OK) {
        fprintf(stderr, "test_translate_eval: %s\n", gs_last_error());
        return 1;
    }
    if (gs_device_get_info(device)->kind == GS_NULL) {
        printf("SKIP test_translate_eval: the null device computes nothing\n");
        gs_device_close(device);
        return 0;
    }
    failed = cmocka_run_group_tests(tests, set_up, tear_down);
    gs_device_close(device);
    return failed;
}
