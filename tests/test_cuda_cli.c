/* The program of CUDA=1 as its users meet it, on the stand-in for NVIDIA's libraries (fixtures/fake_nvidia.c)
 * and without any: devices, check, bench and train with --device cuda:0, and what is said when something is
 * missing. */
#include "lib/testlib.h"

#include <stdlib.h>
#include <string.h>

#include "lib/command.h"
#include "lib/fake_cuda.h"

static char *dir, *program, *libraries;

/* Runs the program; fake: what $FAKE_NVIDIA says, NULL: no NVIDIA driver is there. $D is the tests' folder. */
static gs_test_result run(const char *fake, const char *arguments)
{
    const char *lib = fake ? libraries : "/nonexistent/libcuda.so";
    gs_str command = { 0 };
    gs_test_result r;

    gs_str_printf(&command, "FAKE_NVIDIA='%s' GESSO_LIBCUDA='%s' GESSO_NVRTC='%s' GESSO_CUBLAS='%s' '%s' %s", fake ? fake : "", lib, lib, lib,
                  program, arguments);
    r = gs_test_command(dir, command.data);
    gs_str_free(&command);
    return r;
}

static void has(const gs_test_result *r, const char *where, const char *part)
{
    if (!strstr(where, part)) fail_msg("wanted \"%s\"; status %d, it said: %s\n%s", part, r->status, r->out, r->err);
}

static void ends(const gs_test_result *r, int status)
{
    if (r->status != status) fail_msg("exit status %d, wanted %d; it said: %s\n%s", r->status, status, r->out, r->err);
}

static void devices_are_listed(void **state)
{
    gs_test_result r = run("", "devices");

    (void)state;
    ends(&r, 0);
    has(&r, r.out, "cuda:0 *  Fake 86");
    has(&r, r.out, "sm_90, NVRTC 12.4");
    has(&r, r.out, "not usable");
    gs_test_done(r);
}

/* The program starts where no NVIDIA driver is; it says so to those who ask for one. */
static void without_a_driver_there_is_opencl(void **state)
{
    gs_test_result r = run(NULL, "devices");

    (void)state;
    if (strstr(r.out, "opencl:")) ends(&r, 0);
    else ends(&r, 1);
    assert_null(strstr(r.out, "cuda:"));
    gs_test_done(r);
    r = run(NULL, "train configs/cgan_bars.ini --run \"$D/none\" --device cuda:0");
    ends(&r, 1);
    has(&r, r.err, "no device \"cuda:0\"; no NVIDIA driver answers to it (GESSO_DEBUG=1 says what is missing)");
    gs_test_done(r);
    r = run(NULL, "check --device cuda:0 --op add");
    ends(&r, 1);
    has(&r, r.err, "no NVIDIA driver answers");
    gs_test_done(r);
}

static void devices_that_cannot_compile_say_why(void **state)
{
    gs_test_result r = run("", "check --device cuda:2 --op add");

    (void)state;
    ends(&r, 1);
    has(&r, r.err, "device cuda:2 (\"Fake 61\", driver");
    has(&r, r.err, "GESSO_NVRTC=path");
    gs_test_done(r);
}

static void check_and_bench_run(void **state)
{
    gs_test_result r = run("", "check --device cuda:0 --op matmul");

    (void)state;
    ends(&r, 0);
    has(&r, r.out, "Fake 86");
    has(&r, r.out, "matmul");
    gs_test_done(r);
    r = run("", "bench --device cuda:0 --no-starts --seconds 1 --json - configs/cgan_bars.ini");
    ends(&r, 0);
    has(&r, r.out, "Fake 86");
    has(&r, r.out, "images_per_second");
    gs_test_done(r);
}

/* Steps are recorded as a graph; tf32 is asked for and reaches cuBLAS, and the checkpoint tells. */
static void training_runs(void **state)
{
    static const char command[] = "train configs/cgan_bars.ini --steps 5 --set sample.sample_interval=0 --device";
    char line[512];
    gs_test_result r;
    uint8_t *data;
    size_t size;
    char *path = gs_path_join(dir, "tf32/checkpoints/step_0000000005.safetensors");

    (void)state;
    snprintf(line, sizeof line, "%s cuda:0 --run \"$D/tf32\" --set train.math=tf32", command);
    r = run("count", line);
    ends(&r, 0);
    has(&r, r.err, "1 graphs, 3 replays");
    has(&r, r.err, "math mode 3");
    gs_test_done(r);
    assert_ok(gs_file_read(path, (size_t)64 << 20, &data, &size));
    assert_non_null(memmem(data, size, "math = tf32", 11));
    free(data);
    free(path);
    snprintf(line, sizeof line, "%s cuda:0 --run \"$D/plain\"", command);
    r = run("count blas capture", line);
    ends(&r, 0);
    has(&r, r.err, "0 graphs, 0 replays");
    has(&r, r.err, "products of matrices are computed by Gesso's own kernels");
    if (strstr(strstr(r.err, "own kernels") + 1, "own kernels")) fail_msg("said twice: %s", r.err);
    gs_test_done(r);
    snprintf(line, sizeof line, "%s cpu --run \"$D/opencl\" --set train.math=tf32", command);
    r = run("", line);
    if (strstr(r.err, "no device \"cpu\"")) printf("SKIP no OpenCL device for CPUs\n");
    else {
        ends(&r, 0);
        has(&r, r.err, "[train] math = tf32: device opencl:");
        has(&r, r.err, "products are computed in fp32");
    }
    gs_test_done(r);
}

static void full_memory_names_the_device(void **state)
{
    gs_test_result r = run(
        "memory",
        "train configs/cgan_bars.ini --device cuda:0 --steps 5 --run \"$D/full\" --set sample.sample_interval=0");

    (void)state;
    ends(&r, 1);
    has(&r, r.err, "device \"Fake 86\" (driver ");
    has(&r, r.err, "CUDA 12.4): cannot allocate");
    has(&r, r.err, "use a smaller batch");
    gs_test_done(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_are_listed),
        cmocka_unit_test(without_a_driver_there_is_opencl),
        cmocka_unit_test(devices_that_cannot_compile_say_why),
        cmocka_unit_test(check_and_bench_run),
        cmocka_unit_test(training_runs),
        cmocka_unit_test(full_memory_names_the_device),
    };
    static const char *const clear[] = {"GESSO_DEVICE",  "GESSO_OFF",   "GESSO_GEMM",     "GESSO_CONV",
                                        "GESSO_PROFILE", "GESSO_DEBUG", "GESSO_CUDA_TF32"};

    if (!gs_test_beside("")) return 1;
    libraries = gs_xstrdup(gs_test_beside("fake_nvidia.so"));
    program = gs_xstrdup(gs_test_beside("gesso-cuda"));
    for (size_t i = 0; i < GS_COUNT(clear); i++) unsetenv(clear[i]);
    gs_test_keep_pocl_cache();
    dir = gs_test_tmpdir();
    setenv("XDG_CACHE_HOME", dir, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
