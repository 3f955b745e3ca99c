/* Golden cases on the device: the project's own fixtures always, the shared ones where they are; and that a
 * wrong value is noticed. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "golden/golden.h"

static gs_device *device;

/* Paths of the .safetensors files of a folder; NULL and *n = 0 when there is no such folder. */
static char **files_of(const char *dir, int *n)
{
    char **names = NULL, **paths;
    int count = 0;

    *n = 0;
    if (!gs_dir_exists(dir)) return NULL;
    assert_ok(gs_dir_list(dir, &names, &count));
    paths = gs_xalloc((size_t)count * sizeof(*paths) + 8);
    for (int i = 0; i < count; i++) {
        const char *dot = strrchr(names[i], '.');

        if (dot && strcmp(dot, ".safetensors") == 0) paths[(*n)++] = gs_path_join(dir, names[i]);
        free(names[i]);
    }
    free(names);
    return paths;
}

static void run_folder(const char *dir, int at_least)
{
    int n, skipped, failures;
    char **paths = files_of(dir, &n);

    assert_true(n >= at_least);
    failures = golden_run_files(paths, n, device, &skipped);
    for (int i = 0; i < n; i++) free(paths[i]);
    free(paths);
    assert_int_equal(failures, 0);
    assert_int_equal(skipped, 0);
}

static void own_fixtures(void **state)
{
    (void)state;
    run_folder("tests/fixtures/golden", 28);
}

static void run_shared(const char *system, int at_least)
{
    const char *shared = gs_test_shared();
    char dir[512];

    snprintf(dir, sizeof dir, "%s/golden/%s", shared ? shared : "", system);
    if (!shared || !gs_dir_exists(dir)) {
        printf("SKIP golden cases of %s: the folder of shared fixtures is not there (GESSO_SHARED)\n", system);
        fflush(stdout);
        skip();
    }
    run_folder(dir, at_least);
}

static void shared_ops(void **state)
{
    (void)state;
    run_shared("op", 100);
}

static void shared_cgan(void **state)
{
    (void)state;
    run_shared("cgan", 15);
}

static void shared_ugatit(void **state)
{
    (void)state;
    run_shared("ugatit", 4);
}

static void shared_inception(void **state)
{
    (void)state;
    run_shared("inception", 2);
}

/* A copy of a fixture in which the last byte of the first element of a tensor is changed: sign and exponent. */
static char *damaged_copy(const char *dir, const char *fixture, const char *tensor)
{
    char *path = gs_path_join(dir, "damaged.safetensors");
    gs_st_file *f;
    uint8_t *bytes;
    size_t size;

    assert_ok(gs_file_read(fixture, (size_t)1 << 24, &bytes, &size));
    assert_ok(gs_st_open_memory(bytes, size, fixture, &f));
    const gs_st_tensor *t = gs_st_find(f, tensor);

    assert_non_null(t);
    ((uint8_t *)(uintptr_t)t->data)[3] ^= 0x80;
    assert_ok(gs_file_write(path, bytes, size));
    gs_st_close(f);
    free(bytes);
    return path;
}

/* Each kind of expectation, once wrong, must fail: on the reference, which is quick. */
static void wrong_values_are_noticed(void **state)
{
    static const struct { const char *file, *tensor; } wrong[] = {
        { "layer_norm", "y.out" }, { "layer_norm", "dx.weight" }, { "layer_norm", "x.x" }, { "batch_norm", "y.running_var" },
        { "adam", "y.p_1" }, { "adam", "y.m" }, { "fid", "y.cov_term" }, { "bars_step", "out.0.d_real" }, { "bars_step", "loss.0.g" },
        { "bars_step", "grad.0.D.fc2.0.weight" }, { "bars_step", "after.G.fc1.0.weight" }, { "cyclegan_steps", "after.fake_A_pool" },
        { "cyclegan_steps", "loss.1.D_A" }, { "ugatit_dragan_no_cam", "loss.0.D_penalty_GA" }, { "ugatit_wgan_gp", "grad.0.disLB.model.1.weight_orig" },
    };
    char *dir = gs_test_tmpdir();
    int skipped;

    (void)state;
    for (size_t i = 0; i < GS_COUNT(wrong); i++) {
        char fixture[128], *path;

        snprintf(fixture, sizeof fixture, "tests/fixtures/golden/%s.safetensors", wrong[i].file);
        path = damaged_copy(dir, fixture, wrong[i].tensor);
        if (golden_run_files(&path, 1, NULL, &skipped) != 1) fail_msg("%s with a wrong %s passes", wrong[i].file, wrong[i].tensor);
        free(path);
    }
    free(dir);
}

static void bad_files_fail(void **state)
{
    char *missing = (char *)(uintptr_t) "tests/fixtures/golden/none.safetensors", *dir = gs_test_tmpdir(), *path = gs_path_join(dir, "a.safetensors");
    const float one = 1;
    gs_st_writer *w = gs_st_writer_new();
    int skipped;

    (void)state;
    assert_int_equal(golden_run_files(&missing, 1, NULL, &skipped), 1);
    gs_st_writer_add(w, "x.x", GS_ST_F32, 0, NULL, &one); /* not a golden case */
    assert_ok(gs_st_writer_save(w, path));
    assert_int_equal(golden_run_files(&path, 1, NULL, &skipped), 1);
    gs_st_writer_meta(w, "format", "gesso-golden-1");
    gs_st_writer_meta(w, "case", "op-none");
    gs_st_writer_meta(w, "kind", "op");
    gs_st_writer_meta(w, "system", "op");
    gs_st_writer_meta(w, "config", "op = conv9d\n"); /* no such operator */
    assert_ok(gs_st_writer_save(w, path));
    assert_int_equal(golden_run_files(&path, 1, NULL, &skipped), 1);
    gs_st_writer_meta(w, "config", "op = tanh\n"); /* nothing to compare is no success */
    assert_ok(gs_st_writer_save(w, path));
    assert_int_equal(golden_run_files(&path, 1, NULL, &skipped), 1);
    gs_st_writer_meta(w, "system", "another");
    assert_ok(gs_st_writer_save(w, path));
    assert_int_equal(golden_run_files(&path, 1, NULL, &skipped), 0);
    assert_int_equal(skipped, 1);
    gs_st_writer_free(w);
    free(path);
    free(dir);
}

/* Values that were computed by the definition in another language. */
static void values_from_names(void **state)
{
    const double feed[3] = { -0.27074981, 0.32174253, -0.06024933 }, weight[3] = { 0.98001909, 0.93522573, 0.17145634 };
    float v[6], norm = 0;

    (void)state;
    golden_hash_fill("feed.0.z", GS_SHAPE(3), false, v);
    for (int i = 0; i < 3; i++) assert_true(fabs(v[i] - feed[i]) < 1e-7);
    golden_hash_fill("state.G.fc.weight", GS_SHAPE(2, 3), true, v);
    for (int i = 0; i < 3; i++) assert_true(fabs(v[i] - weight[i]) < 1e-7);
    golden_hash_fill("state.D.weight_u", GS_SHAPE(6), true, v);
    for (int i = 0; i < 6; i++) norm += v[i] * v[i];
    assert_true(fabsf(norm - 1) < 1e-6f);
    golden_hash_fill("state.G.bn.weight", GS_SHAPE(6), true, v);
    for (int i = 0; i < 6; i++) assert_true(v[i] >= 0.9f && v[i] <= 1.1f);
    golden_hash_fill("state.G.bn.num_batches_tracked", GS_SCALAR, true, v);
    assert_true(v[0] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_from_names), cmocka_unit_test(bad_files_fail), cmocka_unit_test(wrong_values_are_noticed),
        cmocka_unit_test(own_fixtures), cmocka_unit_test(shared_ops), cmocka_unit_test(shared_cgan),
        cmocka_unit_test(shared_ugatit), cmocka_unit_test(shared_inception),
    };
    int failed;

    if (gs_device_open(NULL, &device) != GS_OK) {
        fprintf(stderr, "test_golden: %s\n", gs_last_error());
        return 1;
    }
    if (gs_device_get_info(device)->kind == GS_NULL) {
        printf("SKIP test_golden: the null device computes nothing\n");
        gs_device_close(device);
        return 0;
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    gs_device_close(device);
    return failed;
}
