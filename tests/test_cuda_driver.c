/* The CUDA driver against a stand-in for NVIDIA's libraries (fixtures/fake_nvidia.c), which does queued work
 * only when waited for: memory, kernels, events, GEMM, and what is said when something fails. No GPU is
 * needed and none is used. */
#include "lib/testlib.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/cuda_int.h"
#include "fixtures/fake_nvidia.h"
#include "lib/fake_cuda.h"

static struct fake_state *fake;
static gs_device_info *list;
static int n_list;

static const char source[] =
    "__kernel void add(__global int *p, const ulong p0, const int v)\n{\n    p[p0 + get_global_id(0)] += v;\n}\n"
    "__kernel void add_wide(__global int *p, const ulong p0, const int v)\n{\n    p[p0] += v;\n}\n";

static gs_device *open_device(int ordinal)
{
    gs_device *d;

    assert_ok(gs_driver_cuda.open(&list[ordinal], &d));
    assert_non_null(d->drv);
    return d;
}

static gs_kernel *kernel_of(gs_device *d, const char *name)
{
    gs_program *p;
    gs_kernel *k;

    assert_ok(gs_program_source(d, "add.cl", source, "", &p));
    assert_ok(d->drv->kernel(d, p, name, &k));
    return k;
}

static void args(gs_kernel *k, gs_buffer *b, uint64_t offset, int32_t v)
{
    assert_ok(gs_driver_cuda.arg_buffer(k, 0, b));
    assert_ok(gs_driver_cuda.arg_value(k, 1, sizeof offset, &offset));
    assert_ok(gs_driver_cuda.arg_value(k, 2, sizeof v, &v));
}

static void nothing_is_left(void)
{
    assert_int_equal(fake->live_buffers, 0);
    assert_int_equal(fake->live_pinned, 0);
    assert_int_equal(fake->live_events, 0);
    assert_int_equal(fake->live_streams, 0);
    assert_int_equal(fake->live_modules, 0);
    assert_int_equal(fake->live_contexts, 0);
    assert_int_equal(fake->live_blas, 0);
    assert_int_equal(fake->live_graphs, 0);
}

static void devices_are_described(void **state)
{
    (void)state;
    assert_int_equal(n_list, 3);
    assert_string_equal(list[0].id, "cuda:0");
    assert_string_equal(list[0].name, "Fake 86");
    assert_true(gs_test_contains(list[0].driver, "CUDA 12.4") &&
                gs_test_contains(list[0].version, "sm_86, NVRTC 12.4"));
    assert_true(list[0].kind == GS_GPU && list[0].compute_units == 28 && list[0].clock_mhz == 1410 &&
                list[0].max_group == 1024);
    assert_true(list[0].memory == (size_t)1 << 30 && list[0].local_memory == 49152 && !list[0].local_is_global);
    assert_true(list[0].compiler && list[1].compiler);
    assert_false(list[2].compiler); /* sm_61: older than this NVRTC */
    assert_true(gs_test_contains(gs_driver_cuda.no_compiler, "GESSO_NVRTC"));
}

static void vanished_devices_are_named(void **state)
{
    gs_device_info info = list[0];
    gs_device *d;

    (void)state;
    snprintf(info.name, sizeof info.name, "a card that was pulled");
    assert_fails(gs_driver_cuda.open(&info, &d), GS_EDEVICE, "a card that was pulled");
    assert_null(d);
    snprintf(info.id, sizeof info.id, "cuda:7");
    assert_fails(gs_driver_cuda.open(&info, &d), GS_EDEVICE, "is gone");
    nothing_is_left();
}

/* Many times the pinned memory, in and out, with the source overwritten at once. */
static void memory_round_trips(void **state)
{
    enum { N = 9 * 1024 * 1024 + 3 };
    uint32_t *in = gs_xalloc((size_t)N * 4), *out = gs_xalloc((size_t)N * 4);

    (void)state;
    for (int ordinal = 0; ordinal < 2; ordinal++)
        for (int pinned = 0; pinned < 2; pinned++) {
            gs_device *d = open_device(ordinal);
            gs_buffer *a, *b;

            fake->fail_pinned = pinned ? 1000 : 0; /* then the transfers go without */
            assert_ok(d->drv->alloc(d, (size_t)N * 4, &a));
            assert_ok(d->drv->alloc(d, (size_t)N * 4, &b));
            assert_true(d->allocated == (size_t)N * 8 && d->peak == d->allocated);
            for (int i = 0; i < N; i++) in[i] = 2654435761u * (uint32_t)i;
            assert_ok(d->drv->write(d, a, 0, in, (size_t)N * 4));
            memset(in, 0xee, (size_t)N * 4);
            assert_ok(d->drv->copy(d, b, 0, a, 0, (size_t)N * 4));
            assert_ok(d->drv->fill(d, b, 400, 7, 8));
            assert_ok(d->drv->read(d, b, 4, out, (size_t)(N - 1) * 4));
            for (int i = 1; i < N; i++) {
                const uint32_t want = i == 100 || i == 101 ? 7 : 2654435761u * (uint32_t)i;

                if (out[i - 1] != want) fail_msg("device %d: word %d is %x, not %x", ordinal, i, out[i - 1], want);
            }
            for (uint32_t i = 0; i < 40; i++) assert_ok(d->drv->write(d, a, 4 * i, &i, 4)); /* more than there are slots */
            assert_ok(d->drv->read(d, a, 0, out, 160));
            for (uint32_t i = 0; i < 40; i++) assert_int_equal(out[i], i);
            assert_fails(d->drv->write(d, a, (size_t)N * 4 - 4, in, 8), GS_EINVAL, "write of 8 bytes");
            assert_fails(d->drv->read(d, a, SIZE_MAX - 1, out, 8), GS_EINVAL, "read of 8 bytes");
            assert_fails(d->drv->copy(d, a, 0, b, (size_t)N * 4, 4), GS_EINVAL, "copy of 4 bytes");
            assert_fails(d->drv->fill(d, a, 2, 0, 8), GS_EINVAL, "multiples of 4");
            assert_ok(d->drv->read(d, a, 0, out, 0));
            d->drv->free(d, a);
            d->drv->free(d, b);
            d->drv->free(d, NULL);
            assert_int_equal(d->allocated, 0);
            gs_device_close(d);
            fake->fail_pinned = 0;
            nothing_is_left();
        }
    free(in);
    free(out);
}

static void full_memory_is_tried_twice_and_told(void **state)
{
    gs_device *d = open_device(0);
    const int trims = fake->trims;
    gs_buffer *b;

    (void)state;
    fake->fail_alloc = 1; /* the pool holds memory in pieces */
    assert_ok(d->drv->alloc(d, 4096, &b));
    assert_int_equal(fake->trims, trims + 1);
    d->drv->free(d, b);
    fake->fail_alloc = 2;
    assert_fails(d->drv->alloc(d, 4096, &b), GS_ENOMEM, "smaller batch");
    assert_true(gs_test_contains(gs_last_error(), "Fake 86"));
    assert_null(b);
    assert_fails(d->drv->alloc(d, ((size_t)1 << 30) + 1, &b), GS_ELIMIT, "its largest is");
    gs_device_close(d);
    nothing_is_left();
}

static void kernels_keep_their_arguments(void **state)
{
    gs_device *d = open_device(0);
    gs_kernel *k = kernel_of(d, "add"), *other = kernel_of(d, "add");
    int32_t y[64] = {0}, wrong = 0;
    uint64_t wide = 0;
    gs_buffer *b;

    (void)state;
    assert_ok(d->drv->alloc(d, sizeof y, &b));
    assert_ok(d->drv->fill(d, b, 0, 0, sizeof y));
    assert_fails(d->drv->launch(d, k, (size_t[]){1, 1, 1}, (size_t[]){4, 1, 1}, NULL), GS_EDEVICE,
                 "argument 0 of 3 is not set");
    args(k, b, 8, 5);
    args(other, b, 32, 100);
    assert_ok(d->drv->launch(d, k, (size_t[]){2, 1, 1}, (size_t[]){4, 1, 1}, NULL));
    assert_ok(d->drv->launch(d, other, (size_t[]){1, 1, 1}, (size_t[]){2, 1, 1}, NULL));
    assert_ok(d->drv->launch(d, k, (size_t[]){2, 1, 1}, (size_t[]){4, 1, 1}, NULL)); /* again, nothing set anew */
    args(k, b, 0, -1);                                                             /* queued work keeps the old ones */
    assert_ok(d->drv->launch(d, k, (size_t[]){1, 1, 1}, (size_t[]){1, 1, 1}, NULL));
    assert_ok(d->drv->launch(d, k, (size_t[]){0, 1, 1}, (size_t[]){1, 1, 1}, NULL)); /* empty: nothing happens */
    assert_ok(d->drv->read(d, b, 0, y, sizeof y));
    for (int i = 0; i < 64; i++)
        assert_int_equal(y[i], i == 0 ? -1 : i >= 8 && i < 16 ? 10 : i == 32 || i == 33 ? 100 : 0);
    assert_fails(d->drv->arg_value(k, 3, sizeof wrong, &wrong), GS_EDEVICE, "no argument 3");
    assert_fails(d->drv->arg_value(k, 2, sizeof wide, &wide), GS_EDEVICE, "argument 2 is given 8 bytes, it has 4");
    assert_fails(d->drv->arg_value(k, 1, sizeof wrong, &wrong), GS_EDEVICE, "argument 1 is given 4 bytes, it has 8");
    d->drv->free_kernel(d, k);
    d->drv->free_kernel(d, other);
    d->drv->free(d, b);
    gs_device_close(d);
    nothing_is_left();
}

static void grids_are_checked(void **state)
{
    gs_device *d = open_device(0);
    gs_kernel *k = kernel_of(d, "add"), *wide = kernel_of(d, "add_wide");
    const int launches = fake->launches;
    gs_buffer *b;

    (void)state;
    assert_ok(d->drv->alloc(d, 64, &b));
    args(k, b, 0, 1);
    args(wide, b, 0, 1);
    assert_fails(d->drv->launch(d, k, (size_t[]){1, 65536, 1}, (size_t[]){1, 1, 1}, NULL), GS_ELIMIT, "65535");
    assert_fails(d->drv->launch(d, k, (size_t[]){1, 1, 70000}, (size_t[]){1, 1, 1}, NULL), GS_ELIMIT, "kernel add");
    assert_fails(d->drv->launch(d, k, (size_t[]){(size_t)1 << 31, 1, 1}, (size_t[]){1, 1, 1}, NULL), GS_ELIMIT,
                 "2147483647");
    assert_fails(d->drv->launch(d, k, (size_t[]){1, 1, 1}, (size_t[]){2048, 1, 1}, NULL), GS_EDEVICE, "allows 1024");
    assert_fails(d->drv->launch(d, k, (size_t[]){1, 1, 1}, (size_t[]){1, 1, 65}, NULL), GS_EDEVICE, "add");
    assert_fails(d->drv->launch(d, wide, (size_t[]){1, 1, 1}, (size_t[]){32, 16, 1}, NULL), GS_EDEVICE, "allows 256");
    assert_int_equal(fake->launches, launches);
    assert_ok(d->drv->launch(d, k, (size_t[]){1, 2, 2}, (size_t[]){1, 1, 1}, NULL));
    fake->fail_launch = 1;
    assert_fails(d->drv->launch(d, k, (size_t[]){1, 1, 1}, (size_t[]){1, 1, 1}, NULL), GS_EDEVICE,
                 "only by a new process");
    d->drv->free_kernel(d, k);
    d->drv->free_kernel(d, wide);
    d->drv->free(d, b);
    gs_device_close(d);
    nothing_is_left();
}

static void events_give_times_when_asked(void **state)
{
    gs_device *d = open_device(0);
    gs_kernel *k = kernel_of(d, "add");
    double seconds;
    gs_buffer *b;
    gs_event *ev = (gs_event *)1;

    (void)state;
    assert_ok(d->drv->alloc(d, 64, &b));
    args(k, b, 0, 1);
    assert_ok(d->drv->profile(d, true));
    assert_ok(d->drv->launch(d, k, (size_t[]){1, 1, 1}, (size_t[]){4, 1, 1}, &ev));
    assert_ok(d->drv->event_seconds(ev, &seconds));
    assert_true(seconds > 0.00199 && seconds < 0.00201);
    d->drv->event_free(ev);
    assert_ok(d->drv->launch(d, k, (size_t[]){0, 1, 1}, (size_t[]){4, 1, 1}, &ev));
    assert_null(ev);
    assert_ok(d->drv->event_seconds(ev, &seconds));
    d->drv->event_free(ev);
    assert_ok(d->drv->profile(d, false));
    assert_ok(d->drv->launch(d, k, (size_t[]){1, 1, 1}, (size_t[]){4, 1, 1}, &ev));
    assert_fails(d->drv->event_seconds(ev, &seconds), GS_EINVAL, "gs_device_profile");
    d->drv->event_free(ev);
    fake->fail_launch = 1;
    ev = (gs_event *)1;
    assert_fails(d->drv->launch(d, k, (size_t[]){1, 1, 1}, (size_t[]){4, 1, 1}, &ev), GS_EDEVICE, "add");
    assert_null(ev);
    d->drv->free_kernel(d, k);
    d->drv->free(d, b);
    gs_device_close(d);
    nothing_is_left();
}

static void programs_are_built_for_the_device(void **state)
{
    gs_device *d = open_device(0), *hopper = open_device(1);
    const int compiles = fake->compiles;
    gs_program *p;
    gs_kernel *k;

    (void)state;
    assert_ok(gs_program_source(d, "one.cl", source, "-DT=float -D X=2 -cl-denorms-are-zero", &p));
    assert_true(gs_test_contains(fake->options, "--gpu-architecture=compute_80\n")); /* sm_86 runs what sm_80 runs */
    assert_true(gs_test_contains(fake->options, "-default-device\n") &&
                gs_test_contains(fake->options, "--ftz=true\n"));
    assert_false(gs_test_contains(fake->options, "-D")); /* they are lines of the text, NVRTC's own header comes before it */
    assert_ok(gs_program_source(hopper, "one.cl", source, "-DT=float", &p));
    assert_true(gs_test_contains(fake->options, "--gpu-architecture=sm_90\n") &&
                !gs_test_contains(fake->options, "ftz"));
    assert_int_equal(fake->compiles, compiles + 2);
    assert_fails(hopper->drv->kernel(hopper, p, "sub", &k), GS_EBUILD, "\"sub\"");
    assert_null(k);
    gs_device_close(hopper);
    hopper = open_device(1);
    assert_ok(gs_program_source(hopper, "one.cl", source, "-DT=float", &p)); /* from the disk cache */
    assert_int_equal(fake->compiles, compiles + 2);
    gs_device_close(hopper);
    hopper = open_device(1);
    fake->fail_load = 1; /* a driver may refuse what is cached */
    assert_ok(gs_program_source(hopper, "one.cl", source, "-DT=float", &p));
    assert_int_equal(fake->compiles, compiles + 3);
    fake->fail_load = 1;
    assert_fails(gs_program_source(hopper, "two.cl", source, "-DU=1", &p), GS_EBUILD, "ptxas says no");
    assert_fails(gs_program_source(d, "broken.cl", "__kernel void f(void) { nonsense; }\n", "-DZ=1", &p), GS_EBUILD,
                 "broken.cl does not build on device \"Fake 86\"");
    assert_true(gs_test_contains(gs_last_error(), "-DZ=1") &&
                gs_test_contains(gs_last_error(), "\"nonsense\" is undefined"));
    assert_null(p);
    gs_device_close(d);
    gs_device_close(hopper);
    nothing_is_left();
}

static float pick(uint32_t i)
{
    return (float)(int)(i * 2654435761u >> 24) / 64.0f - 2.0f;
}

/* Row-major through a library that counts columns first; all transposes, offsets, gaps in rows, batches. */
static void gemm_equals_the_plain_loops(void **state)
{
    enum { M = 5, N = 7, K = 3, BATCH = 2, LEN = 400, A0 = 3, B0 = 11, C0 = 6 };
    gs_device *d = open_device(1);
    float a[LEN], b[LEN], c[LEN], got[LEN];
    gs_buffer *ba, *bb, *bc;

    (void)state;
    assert_ok(d->drv->alloc(d, sizeof a, &ba));
    assert_ok(d->drv->alloc(d, sizeof b, &bb));
    assert_ok(d->drv->alloc(d, sizeof c, &bc));
    for (int t = 0; t < 8; t++) {
        const gs_gemm g = {.m = M,
                           .n = N,
                           .k = K,
                           .batch = t & 4 ? BATCH : 1,
                           .ta = t & 1,
                           .tb = t >> 1 & 1,
                           .lda = 8,
                           .ldb = 9,
                           .ldc = 10,
                           .stride_a = 60,
                           .stride_b = 0,
                           .stride_c = 70,
                           .alpha = t & 4 ? 0.5f : 1,
                           .beta = t & 4 ? -2.0f : 0};

        for (uint32_t i = 0; i < LEN; i++) a[i] = pick(i), b[i] = pick(i + 7777), c[i] = pick(i + 99999);
        assert_ok(d->drv->write(d, ba, 0, a, sizeof a));
        assert_ok(d->drv->write(d, bb, 0, b, sizeof b));
        assert_ok(d->drv->write(d, bc, 0, c, sizeof c));
        assert_int_equal(d->drv->gemm_temp(d, &g), 0);
        assert_ok(d->drv->gemm(d, &g, bc, C0, ba, A0, bb, B0, NULL, 0, NULL));
        assert_ok(d->drv->read(d, bc, 0, got, sizeof got));
        for (int p = 0; p < g.batch; p++)
            for (int i = 0; i < M; i++)
                for (int j = 0; j < N; j++) {
                    float *pc = c + C0 + p * g.stride_c + i * g.ldc + j;
                    double sum = 0;

                    for (int l = 0; l < K; l++)
                        sum += (double)a[A0 + p * g.stride_a + (g.ta ? l * g.lda + i : i * g.lda + l)] *
                               (double)b[B0 + (g.tb ? j * g.ldb + l : l * g.ldb + j)];
                    *pc = (float)(g.alpha * sum + (g.beta != 0 ? g.beta * *pc : 0));
                }
        assert_memory_equal(got, c, sizeof c); /* sums of few exact products: the same bytes, gaps untouched */
    }
    assert_int_equal(fake->math_mode, GS_CUBLAS_DEFAULT_MATH);
    assert_fails(
        d->drv->gemm(d, &(gs_gemm){.m = (int64_t)1 << 32, .n = 1, .k = 1, .batch = 1, .lda = 1, .ldb = 1, .ldc = 1}, bc,
                     0, ba, 0, bb, 0, NULL, 0, NULL),
        GS_ELIMIT, "31 bits");
    d->drv->free(d, ba);
    d->drv->free(d, bb);
    d->drv->free(d, bc);
    gs_device_close(d);
    nothing_is_left();
}

/* Without a word fp32; by gs_device_set_math before or after cuBLAS has started; by the environment for those
 * who measure. */
static void tf32_is_an_option(void **state)
{
    const gs_gemm g = {.m = 1, .n = 1, .k = 1, .batch = 1, .lda = 1, .ldb = 1, .ldc = 1, .alpha = 1};
    gs_device *d = open_device(0);
    gs_buffer *b;

    (void)state;
    assert_ok(gs_device_set_math(d, GS_MATH_TF32));
    assert_ok(d->drv->alloc(d, 64, &b));
    assert_ok(d->drv->gemm(d, &g, b, 0, b, 1, b, 2, NULL, 0, NULL));
    assert_int_equal(fake->math_mode, GS_CUBLAS_TF32_MATH);
    assert_ok(gs_device_set_math(d, GS_MATH_FP32));
    assert_int_equal(fake->math_mode, GS_CUBLAS_DEFAULT_MATH);
    d->drv->free(d, b);
    gs_device_close(d);

    setenv("GESSO_CUDA_TF32", "1", 1);
    d = open_device(0);
    assert_true(d->drv->gemm_ready(d));
    assert_int_equal(fake->math_mode, GS_CUBLAS_TF32_MATH);
    unsetenv("GESSO_CUDA_TF32");
    gs_device_close(d);

    d = open_device(2);
    assert_fails(gs_device_set_math(d, GS_MATH_TF32), GS_EDEVICE, "sm_61 has no TF32");
    assert_ok(gs_device_set_math(d, GS_MATH_FP32));
    gs_device_close(d);
    assert_ok(gs_device_open("null", &d));
    assert_fails(gs_device_set_math(d, GS_MATH_TF32), GS_EDEVICE, "TF32 is for CUDA devices");
    gs_device_close(d);
    nothing_is_left();
}

static char warned[1000];
static int warnings;

static void keep_warning(const char *line, void *user)
{
    (void)user;
    snprintf(warned, sizeof warned, "%s", line);
    warnings++;
}

/* cuBLAS that does not start is said once, and planning turns to another provider. */
static void without_cublas_there_is_one_sentence(void **state)
{
    gs_device *d = open_device(1);

    (void)state;
    gs_log_set(keep_warning, NULL);
    fake->fail_blas = 1;
    assert_false(d->drv->gemm_ready(d));
    assert_false(d->drv->gemm_ready(d)); /* and is not tried again: plans of one device should agree */
    gs_log_set(NULL, NULL);
    assert_int_equal(warnings, 1);
    assert_true(gs_test_contains(warned, "Fake 90") && gs_test_contains(warned, "CUBLAS_STATUS_NOT_INITIALIZED"));
    assert_true(gs_test_contains(warned, "Gesso's own kernels"));
    gs_device_close(d);
    d = open_device(1);
    assert_true(d->drv->gemm_ready(d));
    gs_device_close(d);
    nothing_is_left();
}

/* A recording does what was queued, again and again, with the arguments of then. */
static void recorded_work_is_replayed(void **state)
{
    gs_device *d = open_device(0);
    gs_kernel *k = kernel_of(d, "add");
    const size_t one[3] = {1, 1, 1}, four[3] = {4, 1, 1};
    const int launches = fake->launches, replays = fake->replays;
    int32_t y[8] = {0};
    gs_recording *r;
    gs_buffer *b;

    (void)state;
    assert_ok(d->drv->alloc(d, sizeof y, &b));
    assert_ok(d->drv->fill(d, b, 0, 0, sizeof y));
    args(k, b, 0, 3);
    assert_ok(d->drv->record_begin(d));
    assert_ok(d->drv->launch(d, k, one, four, NULL));
    assert_ok(d->drv->copy(d, b, 16, b, 0, 16));
    assert_ok(d->drv->record_end(d, &r));
    assert_int_equal(fake->launches, launches); /* nothing was done */
    assert_ok(d->drv->read(d, b, 0, y, sizeof y));
    assert_int_equal(y[0], 0);
    args(k, b, 0, 1000); /* does not reach what is recorded */
    assert_ok(d->drv->replay(d, r));
    assert_ok(d->drv->replay(d, r));
    assert_ok(d->drv->launch(d, k, one, one, NULL));
    assert_ok(d->drv->read(d, b, 0, y, sizeof y));
    assert_int_equal(fake->replays, replays + 2);
    for (int i = 0; i < 8; i++) assert_int_equal(y[i], i == 0 ? 1006 : 6);
    d->drv->free_recording(d, r);
    d->drv->free_recording(d, NULL);
    assert_ok(d->drv->record_begin(d)); /* thrown away */
    assert_ok(d->drv->launch(d, k, one, four, NULL));
    assert_ok(d->drv->record_end(d, NULL));
    fake->fail_capture = 1;
    assert_fails(d->drv->record_begin(d), GS_EDEVICE, "cannot record");
    assert_ok(d->drv->record_begin(d));
    fake->fail_instantiate = 1;
    assert_fails(d->drv->record_end(d, &r), GS_ENOMEM, "does not become a graph");
    assert_null(r);
    assert_ok(d->drv->record_begin(d)); /* something that cannot be recorded spoils it, and the device is as before */
    assert_fails(d->drv->finish(d), GS_EDEVICE, "while waiting");
    assert_fails(d->drv->record_end(d, &r), GS_EDEVICE, "does not become a graph");
    assert_ok(d->drv->read(d, b, 0, y, sizeof y));
    assert_int_equal(y[0], 1006);
    d->drv->free_kernel(d, k);
    d->drv->free(d, b);
    gs_device_close(d);
    nothing_is_left();
}

/* Two devices in one thread: each call finds its own context. */
static void devices_do_not_mix(void **state)
{
    gs_device *d = open_device(0), *e = open_device(1);
    gs_buffer *b;

    (void)state;
    assert_ok(d->drv->alloc(d, 64, &b));
    assert_int_equal(fake->current, 0);
    assert_ok(e->drv->finish(e));
    assert_int_equal(fake->current, 1);
    d->drv->free(d, b);
    assert_int_equal(fake->current, 0);
    gs_device_close(d);
    gs_device_close(e);
    nothing_is_left();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_are_described),
        cmocka_unit_test(vanished_devices_are_named),
        cmocka_unit_test(memory_round_trips),
        cmocka_unit_test(full_memory_is_tried_twice_and_told),
        cmocka_unit_test(kernels_keep_their_arguments),
        cmocka_unit_test(grids_are_checked),
        cmocka_unit_test(events_give_times_when_asked),
        cmocka_unit_test(programs_are_built_for_the_device),
        cmocka_unit_test(gemm_equals_the_plain_loops),
        cmocka_unit_test(tf32_is_an_option),
        cmocka_unit_test(without_cublas_there_is_one_sentence),
        cmocka_unit_test(recorded_work_is_replayed),
        cmocka_unit_test(devices_do_not_mix),
    };
    int failed;

    if (!gs_test_cuda_start(&fake, &list, &n_list)) return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(list);
    return failed;
}
