/* Several platforms, and platforms that misbehave. Faults come from an OpenCL driver that computes nothing
 * (fixtures/fake_icd.c): the program, which is $GESSO_BUILD/gesso (default build/gesso), says what is wrong with which
 * device, driver and kernel, ends with status 1, or goes on with what is left. Real platforms are used side by side in
 * this process. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "device/device.h"
#include "gesso/gesso.h"
#include "lib/command.h"

/* The tests' folder; folders of .icd files: the faulty driver alone, and behind it PoCL (NULL: not installed). */
static char *dir, *only, *with_pocl;

/* environment: what stands before the program, "FAKE_ICD=memory". */
static gs_test_result run(const char *icds, const char *environment, const char *arguments)
{
    gs_str all = { 0 };
    gs_test_result r;

    gs_str_printf(&all, "OCL_ICD_VENDORS='%s/' GESSO_GEMM=tile %s", icds, environment);
    r = gs_test_gesso(dir, all.data, arguments);
    gs_str_free(&all);
    return r;
}

static void says(const gs_test_result *r, const char *part)
{
    if (part && !strstr(r->err, part)) fail_msg("wanted \"%s\" in: %s", part, r->err);
}

static const char train[] =
    "train configs/cgan_cdcgan.ini --set data.dataset=digits --set data.n_digits=256 --set sample.sample_interval=0 "
    "--steps 1 --device faulty --run \"$D/run$$\"";

/* Each fault of the driver: status 1, and a sentence with the device, its driver and, where one is at fault,
 * the kernel. */
static void faults_are_told(void **state)
{
    static const struct { const char *fault, *part1, *part2, *part3;
    } cases[] = {
        {"none", "no device \"faulty\"", NULL, NULL},
        {"hidden", "Faulty GPU", "is gone; is its driver still running?", NULL},
        {"off", "device opencl:0:0 (\"Faulty GPU\", driver 6.6.6)", "its driver has no compiler", NULL},
        {"context", "device \"Faulty GPU\" (driver 6.6.6): cannot open the device", "no longer available", NULL},
        {"nocompiler", "does not build on device \"Faulty GPU\" (opencl:0:0, driver 6.6.6)",
         "CL_COMPILER_NOT_AVAILABLE", "choose another device"},
        {"memory", "device \"Faulty GPU\" (driver 6.6.6): cannot allocate", "use a smaller batch", NULL},
        {"launchmemory", "device \"Faulty GPU\" (driver 6.6.6): kernel ", "has no memory for a buffer",
         "use a smaller batch"},
        {"lost", "device \"Faulty GPU\" (driver 6.6.6): kernel ", "the device is no longer available", NULL},
        {"build=random_normal", "random.cl does not build on device \"Faulty GPU\" (driver 6.6.6", "kernel random_",
         "CL_BUILD_PROGRAM_FAILURE\nline 7: error: this compiler does not like random_normal"},
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT(cases); i++) {
        char environment[100];
        gs_test_result r;

        snprintf(environment, sizeof environment, "FAKE_ICD='%s'", cases[i].fault);
        r = run(only, environment, train);
        if (r.status != 1) fail_msg("%s: status %d: %s", cases[i].fault, r.status, r.err);
        says(&r, cases[i].part1);
        says(&r, cases[i].part2);
        says(&r, cases[i].part3);
        gs_test_done(r);
    }
}

/* A form that this driver does not build is replaced by another; when none is left the first reason is told. */
static void variants_that_do_not_build_are_replaced(void **state)
{
    gs_test_result r = run(only, "FAKE_ICD='build=SIDE=16'", train);

    (void)state;
    says(
        &r,
        "warning: Faulty GPU (opencl:0:0): conv.y/tile:16 does not build and is not used: kernel conv_tile: conv_tile.cl does not build");
    says(&r, "conv.dw/tile:16 does not build");
    says(&r, "gemm/tile:16 does not build");
    if (r.status != 0) fail_msg("status %d: %s", r.status, r.err);
    gs_test_done(r);
    r = run(only, "FAKE_ICD='build=conv_'", train);
    if (r.status != 1) fail_msg("status %d: %s", r.status, r.err);
    says(&r, "no variant of conv.y that could be used here builds: kernel conv_tile");
    says(&r, "line 7: error");
    gs_test_done(r);
}

/* Who names no device gets the next one, and is told. */
static void another_device_takes_the_place(void **state)
{
    gs_test_result r;

    (void)state;
    if (!with_pocl) GS_SKIP("PoCL is not installed (Debian: pocl-opencl-icd)");
    r = run(with_pocl, "FAKE_ICD=context", "check --op add");
    if (r.status != 0) fail_msg("status %d: %s", r.status, r.err);
    says(&r, "device \"Faulty GPU\" (driver 6.6.6): cannot open the device");
    says(&r, "is used in its place");
    gs_test_done(r);
    r = run(with_pocl, "FAKE_ICD=context", "check --op add --device faulty"); /* who names one means it */
    assert_int_equal(r.status, 1);
    assert_null(strstr(r.err, "in its place"));
    gs_test_done(r);
    r = run(with_pocl, "FAKE_ICD=off", "devices");
    assert_int_equal(r.status, 0);
    assert_non_null(strstr(r.out, "not usable"));
    gs_test_done(r);
}

/* GESSO_DEVICE is --device for those who do not type it; --device goes before it. */
static void both_ways_to_name_a_device_agree(void **state)
{
    static const char *const specs[] = {"opencl:0:0", "faulty", "gpu", "nonsense", "cuda:0", "opencl:7:0"};

    (void)state;
    for (size_t i = 0; i < GS_COUNT(specs); i++) {
        char environment[100], arguments[100];
        gs_test_result a, b;

        snprintf(environment, sizeof environment, "FAKE_ICD=context GESSO_DEVICE='%s'", specs[i]);
        snprintf(arguments, sizeof arguments, "check --op add --device '%s'", specs[i]);
        a = run(only, environment, "check --op add");
        b = run(only, "FAKE_ICD=context", arguments);
        assert_int_equal(a.status, 1);
        assert_int_equal(b.status, 1);
        assert_string_equal(a.err, b.err);
        gs_test_done(a);
        gs_test_done(b);
    }
    for (int i = 0; i < 2; i++) {
        gs_test_result r = run(only, i ? "FAKE_ICD=context GESSO_DEVICE=faulty" : "FAKE_ICD=context GESSO_DEVICE=nonsense",
                       i ? "check --op add --device nonsense" : "check --op add --device faulty");

        says(&r, i ? "no device \"nonsense\"" : "cannot open the device");
        gs_test_done(r);
    }
}

/* ---- several platforms in one process ---- */

enum { N = 37, STEPS = 3 };

typedef struct side {
    gs_device *d;
    gs_store *s;
    gs_plan *p;
} side;

static void open_side(side *x, gs_device *d)
{
    const bool faulty = strcmp(gs_device_get_info(d)->platform, "Faulty OpenCL") == 0;
    const gs_compile_opts o = { .use = faulty ? "gemm/tile" : NULL }; /* it is too little for CLBlast */
    gs_graph *g = gs_graph_new();
    gs_node *in = gs_input(g, "x", GS_SHAPE(N, N), GS_F32), *w, *y;
    gs_var *v;

    x->d = d;
    v = gs_variable(g, "w", GS_SHAPE(N, N), GS_F32, (gs_init){ GS_INIT_NORMAL, 0, 0.3 }, true);
    w = gs_read(v);
    y = gs_tanh(gs_add(gs_matmul(in, w, false, true), gs_random_normal(g, GS_SHAPE(N, N))));
    gs_output(g, "y", y);
    gs_assign(v, gs_add(w, gs_scale(y, 0.1)));
    assert_ok(gs_store_new(d, 3, &x->s));
    assert_ok(gs_compile(g, d, x->s, &o, &x->p));
    gs_graph_free(g);
}

static void close_side(side *x)
{
    gs_plan_free(x->p);
    gs_store_free(x->s);
    gs_device_close(x->d);
}

/* Stores, plans and kernels of all platforms at once, their steps in turns. */
static void platforms_work_side_by_side(void **state)
{
    gs_device_info *list;
    side sides[8];
    float in[N * N], y[8][N * N];
    int n, n_sides = 0, real = 0;
    char last[128] = "";

    (void)state;
    setenv("FAKE_ICD", "", 1);
    assert_ok(gs_devices(&list, &n));
    for (int i = 0; i < n && n_sides < 7; i++) {
        gs_device *d;

        if (!list[i].compiler || strcmp(list[i].platform, last) == 0 || strcmp(list[i].platform, "Clover") == 0)
            continue;
        snprintf(last, sizeof last, "%s", list[i].platform);
        assert_ok(gs_device_open(list[i].id, &d));
        printf("platform %s, device %s\n", list[i].platform, list[i].name);
        open_side(&sides[n_sides++], d);
        real += strcmp(list[i].platform, "Faulty OpenCL") != 0;
    }
    free(list);
    {
        gs_device *d;

        assert_ok(gs_device_open("null", &d));
        open_side(&sides[n_sides++], d);
    }
    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < N * N; i++) in[i] = (float)((i * 29 + step * 7) % 32) / 16 - 1;
        for (int i = 0; i < n_sides; i++) assert_ok(gs_plan_feed(sides[i].p, "x", in));
        for (int i = 0; i < n_sides; i++) assert_ok(gs_plan_run(sides[i].p, 9, (uint64_t)step));
        for (int i = n_sides; i-- > 0;) assert_ok(gs_plan_fetch(sides[i].p, "y", y[i]));
    }
    for (int i = 0; i < n_sides; i++) {
        const bool computes = strcmp(gs_device_get_info(sides[i].d)->platform, "Faulty OpenCL") &&
                              gs_device_get_info(sides[i].d)->kind != GS_NULL;
        int first = 0;

        while (!strcmp(gs_device_get_info(sides[first].d)->platform, "Faulty OpenCL")) first++;
        for (int k = 0; k < N * N; k++)
            if (computes ? !(fabsf(y[i][k] - y[first][k]) <= 1e-4f) : y[i][k] != 0)
                fail_msg("%s: element %d is %g, %s has %g", gs_device_get_info(sides[i].d)->platform, k,
                         (double)y[i][k], gs_device_get_info(sides[first].d)->platform, (double)y[first][k]);
    }
    for (int i = n_sides; i-- > 0;) close_side(&sides[i]);
    if (real < 2)
        GS_SKIP(
            "fewer than two platforms that compute (Debian: pocl-opencl-icd, mesa-opencl-icd); the others worked side by side");
}

/* ---- preparing ---- */

static void write_icd(const char *folder, const char *name, const char *text)
{
    char *path = gs_path_join(folder, name);

    assert_ok(gs_file_write(path, text, strlen(text)));
    free(path);
}

/* Copies an installed driver's .icd file. */
static bool copy_icd(const char *folder, const char *name, const char *as)
{
    char *path = gs_path_join("/etc/OpenCL/vendors", name), *text;

    if (!gs_file_exists(path)) {
        free(path);
        return false;
    }
    text = gs_test_slurp(path);
    write_icd(folder, as, text);
    free(text);
    free(path);
    return true;
}

static char *folder_of(const char *name, const char *driver)
{
    char *folder = gs_path_join(dir, name);

    assert_int_equal(mkdir(folder, 0777), 0);
    write_icd(folder, "a_faulty.icd", driver);
    return folder;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_are_told),
        cmocka_unit_test(variants_that_do_not_build_are_replaced),
        cmocka_unit_test(another_device_takes_the_place),
        cmocka_unit_test(both_ways_to_name_a_device_agree),
        cmocka_unit_test(platforms_work_side_by_side),
    };
    static const char *const clear[] = {"GESSO_DEVICE", "GESSO_OFF",         "GESSO_GEMM",        "GESSO_CONV",
                                        "GESSO_DEBUG",  "OCL_ICD_FILENAMES", "OPENCL_VENDOR_PATH"};
    char path[4096], driver[4200], *all;

    if (!gs_test_beside("")) return 1;
    snprintf(driver, sizeof driver, "%s\n", gs_test_beside("fake_icd.so"));
    for (size_t i = 0; i < GS_COUNT(clear); i++) unsetenv(clear[i]);
    dir = gs_test_tmpdir();
    setenv("GESSO_TUNING", dir, 1);
    only = folder_of("only", driver);
    with_pocl = folder_of("with_pocl", driver);
    if (!copy_icd(with_pocl, "pocl.icd", "b_pocl.icd")) {
        free(with_pocl);
        with_pocl = NULL;
    }
    all = folder_of("all", driver);
    copy_icd(all, "pocl.icd", "b_pocl.icd");
#ifndef __SANITIZE_ADDRESS__ /* Mesa's leaks would be reported as ours */
    if (copy_icd(all, "rusticl.icd", "c_rusticl.icd")) setenv("RUSTICL_ENABLE", "llvmpipe", 1);
#endif
    snprintf(path, sizeof path, "%s/", all);
    setenv("OCL_ICD_VENDORS", path, 1);
    free(all);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
