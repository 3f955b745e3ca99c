/* Devices: choosing, memory, kernels through the dialect, GEMM. The disk cache is in test_device_cache.c. */
#include "lib/testlib.h"

#include <fcntl.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "device/device.h"

static gs_device *dev; /* the default device, NULL when there is none */

#define NEED_DEVICE()                                                                    \
    do {                                                                                 \
        if (!dev) GS_SKIP("no device here");                                             \
        if (dev->info.kind == GS_NULL) GS_SKIP("the null device computes nothing");      \
    } while (0)

static gs_kernel *kernel_of(gs_device *d, const char *label, const char *source, const char *name)
{
    gs_program *p;
    gs_kernel *k;

    assert_ok(gs_program_source(d, label, source, "", &p));
    assert_ok(d->drv->kernel(d, p, name, &k));
    return k;
}

static void arg_at(gs_kernel *k, int index, gs_buffer *b, uint64_t offset)
{
    assert_ok(dev->drv->arg_buffer(k, index, b));
    assert_ok(dev->drv->arg_value(k, index + 1, sizeof offset, &offset));
}

static void launch(gs_kernel *k, size_t gx, size_t gy, size_t gz, size_t lx, size_t ly, size_t lz)
{
    assert_ok(dev->drv->launch(dev, k, (size_t[]){gx, gy, gz}, (size_t[]){lx, ly, lz}, NULL));
}

/* ---- choosing ---- */

static void list_is_sound(void **state)
{
    gs_device_info *list;
    int n;

    (void)state;
    assert_ok(gs_devices(&list, &n));
    for (int i = 0; i < n; i++) {
        assert_true(list[i].id[0] && list[i].name[0]);
        assert_true(list[i].kind != GS_NULL);
        assert_true(list[i].align >= 4 && list[i].vector_width >= 1 && list[i].compute_units >= 1);
    }
    free(list);
}

static void names_find_devices(void **state)
{
    gs_device_info *list;
    gs_device *d;
    int n;

    (void)state;
    assert_ok(gs_devices(&list, &n));
    for (int i = 0; i < n; i++) {
        if (!list[i].compiler) continue;
        assert_ok(gs_device_open(list[i].id, &d));
        assert_string_equal(gs_device_get_info(d)->name, list[i].name);
        gs_device_close(d);
        for (char *c = list[i].name; *c; c++) *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
        assert_ok(gs_device_open(list[i].name, &d)); /* case does not count */
        gs_device_close(d);
    }
    free(list);
    assert_ok(gs_device_open("null", &d));
    assert_int_equal(gs_device_get_info(d)->kind, GS_NULL);
    assert_false(gs_device_get_info(d)->local_is_global);
    gs_device_close(d);
    assert_ok(gs_device_open("null:cpu", &d));
    assert_true(gs_device_get_info(d)->local_is_global);
    gs_device_close(d);
}

static void unknown_names_say_what_there_is(void **state)
{
    gs_device_info *list;
    gs_device *d = (gs_device *)1;
    int n;

    (void)state;
    assert_ok(gs_devices(&list, &n));
    assert_fails(gs_device_open("riva 128", &d), GS_EDEVICE, "no device \"riva 128\"");
    assert_null(d);
    if (n) assert_true(gs_test_contains(gs_last_error(), list[0].id));
    else assert_true(gs_test_contains(gs_last_error(), "install a driver"));
    assert_fails(gs_device_open("opencl:99:0", &d), GS_EDEVICE, "opencl:99:0");
    assert_fails(gs_device_open("opencl:0:99", &d), GS_EDEVICE, "opencl:0:99");
    free(list);
}

static void a_vanished_device_is_named(void **state)
{
    gs_device_info info = {.id = "opencl:0:0", .name = "a card that was pulled", .compiler = true};
    gs_device *d;

    (void)state;
    assert_fails(gs_driver_opencl.open(&info, &d), GS_EDEVICE, "a card that was pulled");
    snprintf(info.id, sizeof info.id, "opencl:77:3");
    assert_fails(gs_driver_opencl.open(&info, &d), GS_EDEVICE, "is gone");
}

/* ---- memory ---- */

enum { WORDS = 4099 };

static void memory_round_trips(void **state)
{
    uint32_t *in, *out;
    gs_buffer *a, *b;

    (void)state;
    NEED_DEVICE();
    in = gs_xalloc(WORDS * 4);
    out = gs_xalloc(WORDS * 4);
    for (int i = 0; i < WORDS; i++) in[i] = 2654435761u * (uint32_t)i;
    assert_ok(dev->drv->alloc(dev, WORDS * 4, &a));
    assert_ok(dev->drv->alloc(dev, WORDS * 4, &b));
    assert_true(dev->allocated >= 2 * WORDS * 4 && dev->peak >= dev->allocated);
    assert_ok(dev->drv->write(dev, a, 0, in, WORDS * 4));
    assert_ok(dev->drv->read(dev, a, 0, out, WORDS * 4));
    assert_memory_equal(in, out, WORDS * 4);

    assert_ok(dev->drv->fill(dev, b, 0, 0xdeadbeefu, WORDS * 4));
    assert_ok(dev->drv->copy(dev, b, 256, a, 512, 1000 * 4));
    assert_ok(dev->drv->fill(dev, b, 2048, 7, 8));
    assert_ok(dev->drv->read(dev, b, 0, out, WORDS * 4));
    for (int i = 0; i < WORDS; i++) {
        const uint32_t want = i == 512 || i == 513 ? 7 : i >= 64 && i < 1064 ? in[i + 64] : 0xdeadbeefu;

        assert_int_equal(out[i], want);
    }
    assert_ok(dev->drv->read(dev, b, 2048, out, 0));
    assert_fails(dev->drv->write(dev, a, WORDS * 4 - 4, in, 8), GS_EINVAL, "write of 8 bytes");
    assert_fails(dev->drv->read(dev, a, SIZE_MAX - 1, out, 8), GS_EINVAL, "read of 8 bytes");
    assert_fails(dev->drv->fill(dev, a, 2, 0, 8), GS_EINVAL, "multiples of 4");
    dev->drv->free(dev, a);
    dev->drv->free(dev, b);
    free(in);
    free(out);
}

/* More writes than there are staging slots, the source overwritten after each, and one too large to be staged. */
static void written_memory_may_be_reused_at_once(void **state)
{
    enum { ROWS = 40, ROW = 1024, LARGE = 6 << 20 };
    uint32_t *row, *all;
    gs_buffer *b, *large;

    (void)state;
    NEED_DEVICE();
    row = gs_xalloc(LARGE);
    all = gs_xalloc(ROWS * ROW * 4);
    assert_ok(dev->drv->alloc(dev, ROWS * ROW * 4, &b));
    for (uint32_t r = 0; r < ROWS; r++) {
        for (uint32_t i = 0; i < ROW; i++) row[i] = r * 100000 + i;
        assert_ok(dev->drv->write(dev, b, r * ROW * 4, row, ROW * 4));
        memset(row, 0xff, ROW * 4);
    }
    assert_ok(dev->drv->read(dev, b, 0, all, ROWS * ROW * 4));
    for (uint32_t i = 0; i < ROWS * ROW; i++) assert_int_equal(all[i], i / ROW * 100000 + i % ROW);
    assert_ok(dev->drv->alloc(dev, LARGE, &large));
    for (uint32_t i = 0; i < LARGE / 4; i++) row[i] = i;
    assert_ok(dev->drv->write(dev, large, 0, row, LARGE));
    row[LARGE / 4 - 1] = 0;
    assert_ok(dev->drv->read(dev, large, LARGE - 4, all, 4));
    assert_int_equal(all[0], LARGE / 4 - 1);
    dev->drv->free(dev, large);
    dev->drv->free(dev, b);
    free(row);
    free(all);
}

/* GESSO_POISON: what nobody wrote is NaN, and writes, copies and fills touch their own bytes alone. */
static void poison_is_seen(void **state)
{
    float got[16], want[4] = {1, 2, 3, 4};
    gs_buffer *a, *b;

    (void)state;
    NEED_DEVICE();
    if (strncmp(dev->info.id, "opencl", 6)) GS_SKIP("the OpenCL driver has it");
    setenv("GESSO_POISON", "1", 1);
    assert_ok(dev->drv->alloc(dev, sizeof got, &a));
    assert_ok(dev->drv->alloc(dev, sizeof got, &b));
    assert_ok(dev->drv->write(dev, a, 16, want, sizeof want));
    assert_ok(dev->drv->fill(dev, a, 40, 0, 8));
    assert_ok(dev->drv->copy(dev, b, 4, a, 24, 24));
    assert_ok(dev->drv->read(dev, a, 0, got, sizeof got));
    for (int i = 0; i < 16; i++) {
        if (i >= 4 && i < 8) assert_true(got[i] == want[i - 4]);
        else if (i == 10 || i == 11) assert_true(got[i] == 0);
        else assert_true(isnan(got[i]));
    }
    assert_ok(dev->drv->read(dev, b, 0, got, sizeof got));
    for (int i = 0; i < 16; i++) { /* elements 6..11 of a */
        if (i == 1 || i == 2) assert_true(got[i] == want[i + 1]);
        else if (i == 5 || i == 6) assert_true(got[i] == 0);
        else assert_true(isnan(got[i]));
    }
    dev->drv->free(dev, a);
    dev->drv->free(dev, b);
    unsetenv("GESSO_POISON");
}

static void too_much_memory_is_refused_with_figures(void **state)
{
    gs_device *null;
    gs_buffer *b, *held[4];

    (void)state;
    assert_ok(gs_device_open("null", &null));
    assert_fails(null->drv->alloc(null, null->info.max_alloc + 1, &b), GS_ELIMIT, "its largest is 2");
    for (int i = 0; i < 4; i++) assert_ok(null->drv->alloc(null, null->info.max_alloc, &held[i]));
    assert_fails(null->drv->alloc(null, 4096, &b), GS_ENOMEM, "are in use");
    for (int i = 0; i < 4; i++) null->drv->free(null, held[i]);
    assert_int_equal(null->allocated, 0);
    assert_int_equal(null->peak, 4 * null->info.max_alloc);
    gs_device_close(null);
    NEED_DEVICE();
    if (dev->info.max_alloc && dev->info.max_alloc < SIZE_MAX)
        assert_fails(dev->drv->alloc(dev, dev->info.max_alloc + 1, &b), GS_ELIMIT, dev->info.name);
}

static void null_accepts_everything(void **state)
{
    gs_device *d;
    gs_program *p;
    gs_kernel *k;
    gs_buffer *b;
    gs_event *ev;
    uint64_t offset = 0, word = 7;
    double seconds = 1;

    (void)state;
    assert_ok(gs_device_open("null", &d));
    assert_ok(gs_program_source(d, "any.cl", "not even C", "-DX", &p));
    assert_ok(d->drv->kernel(d, p, "any", &k));
    assert_ok(d->drv->alloc(d, 64, &b));
    assert_ok(d->drv->write(d, b, 0, &word, 8));
    assert_ok(d->drv->arg_buffer(k, 0, b));
    assert_ok(d->drv->arg_value(k, 1, sizeof offset, &offset));
    assert_ok(d->drv->launch(d, k, (size_t[]){1, 1, 1}, (size_t[]){1, 1, 1}, &ev));
    assert_ok(d->drv->event_seconds(ev, &seconds));
    assert_true(seconds == 0);
    d->drv->event_free(ev);
    assert_ok(d->drv->read(d, b, 0, &word, 8));
    assert_int_equal(word, 0);
    assert_fails(d->drv->read(d, b, 60, &word, 8), GS_EINVAL, "the buffer has 64");
    d->drv->free_kernel(d, k);
    d->drv->free(d, b);
    gs_device_close(d);
}

/* ---- kernels through the dialect ---- */

static const char ids_source[] =
    "__kernel void ids(__global int *y, const ulong y0, const int add)\n"
    "{\n"
    "    const int x = get_global_id(0), yy = get_global_id(1), z = get_global_id(2);\n"
    "    const int w = get_global_size(0), h = get_global_size(1);\n"
    "    const int gx = get_group_id(0) * get_local_size(0) + get_local_id(0);\n"
    "    y += y0;\n"
    "    y[(z * h + yy) * w + x] = add + gx + 100 * yy + 10000 * z + 1000000 * get_num_groups(2);\n"
    "}\n";

static void a_kernel_sees_three_dimensions(void **state)
{
    enum { W = 6, H = 4, D = 3, OFFSET = 64 };
    int out[OFFSET + W * H * D], add = 5;
    gs_kernel *k;
    gs_buffer *b;

    (void)state;
    NEED_DEVICE();
    k = kernel_of(dev, "ids.cl", ids_source, "ids");
    assert_ok(dev->drv->alloc(dev, sizeof out, &b));
    assert_ok(dev->drv->fill(dev, b, 0, 0, sizeof out));
    arg_at(k, 0, b, OFFSET);
    assert_ok(dev->drv->arg_value(k, 2, sizeof add, &add));
    launch(k, 3, 2, 3, 2, 2, 1);
    launch(k, 0, 2, 3, 2, 2, 1); /* empty: nothing happens */
    assert_ok(dev->drv->read(dev, b, 0, out, sizeof out));
    for (int i = 0; i < OFFSET; i++) assert_int_equal(out[i], 0);
    for (int z = 0; z < D; z++)
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++)
                assert_int_equal(out[OFFSET + (z * H + y) * W + x], 5 + x + 100 * y + 10000 * z + 3000000);
    dev->drv->free_kernel(dev, k);
    dev->drv->free(dev, b);
}

static const char local_source[] =
    "__constant float weight[4] = {1.0f, 2.0f, 4.0f, 8.0f};\n"
    "GS_FN float sum4(GS_LOCAL_PTR const float *p)\n"
    "{\n"
    "    const float4 v = LD4_LOCAL(p);\n"
    "    return v.x + v.y + v.z + v.w;\n"
    "}\n"
    "__kernel GS_GROUP(16, 1, 1) void reverse_sums(__global float *y, const ulong y0, const __global float *x, const ulong x0)\n"
    "{\n"
    "    __local float4 part4[4];\n"
    "    GS_LOCAL_PTR float *part = (GS_LOCAL_PTR float *)part4;\n"
    "    const int l = get_local_id(0), g = get_group_id(0);\n"
    "    x += x0 + 16 * g;\n"
    "    y += y0 + 16 * g;\n"
    "    part[15 - l] = weight[l & 3] * x[l];\n"
    "    barrier(CLK_LOCAL_MEM_FENCE);\n"
    "    const float s = clamp(sum4(part + (l & ~3)), -100.0f, 1000.0f) + fma(2.0f, x[l], GS_INT_MAX > 0 ? 0.5f : 0.0f);\n"
    "    if (l >= 4) y[l] = s;\n"
    "    barrier(CLK_LOCAL_MEM_FENCE);\n"
    "    if (l == 0) ST4_LOCAL(part, F4(-1.0f, -2.0f, -3.0f, -4.0f));\n"
    "    barrier(CLK_LOCAL_MEM_FENCE);\n"
    "    if (l == 15) ST4(y, LD4_LOCAL(part));\n"
    "}\n";

static void groups_share_local_memory(void **state)
{
    enum { GROUPS = 3, N = 16 * GROUPS };
    float x[64 + N], y[N];
    gs_buffer *bx, *by;
    gs_kernel *k;

    (void)state;
    NEED_DEVICE();
    for (int i = 0; i < 64 + N; i++) x[i] = (float)(i % 13) - 2;
    k = kernel_of(dev, "local.cl", local_source, "reverse_sums");
    assert_ok(dev->drv->alloc(dev, sizeof x, &bx));
    assert_ok(dev->drv->alloc(dev, sizeof y, &by));
    assert_ok(dev->drv->write(dev, bx, 0, x, sizeof x));
    arg_at(k, 0, by, 0);
    arg_at(k, 2, bx, 64);
    launch(k, GROUPS, 1, 1, 16, 1, 1);
    assert_ok(dev->drv->read(dev, by, 0, y, sizeof y));
    for (int g = 0; g < GROUPS; g++)
        for (int l = 0; l < 16; l++) {
            const float *row = x + 64 + 16 * g;
            float sum = 0;

            for (int j = 0; j < 4; j++) sum += (float)(1 << ((15 - ((l & ~3) + j)) & 3)) * row[15 - ((l & ~3) + j)];
            assert_true(y[16 * g + l] == (l < 4 ? (float)(-1 - l) : sum + 2 * row[l] + 0.5f));
        }
    dev->drv->free_kernel(dev, k);
    dev->drv->free(dev, bx);
    dev->drv->free(dev, by);
}

static const char random_source[] =
    "__kernel void words(__global uint *y, const ulong y0, __global float *f, const ulong f0, const __global uint *run, const ulong run0)\n"
    "{\n"
    "    const int b = get_global_id(0);\n"
    "    uint w[4];\n"
    "    float n[2];\n"
    "    gs_random_words(run + run0, 9u, (uint)b, w);\n"
    "    gs_normal2(w[0], w[1], &n[0], &n[1]);\n"
    "    y += y0 + 4 * b;\n"
    "    f += f0 + 3 * b;\n"
    "    for (int i = 0; i < 4; i++) y[i] = w[i];\n"
    "    f[0] = gs_uniform(w[2]);\n"
    "    f[1] = n[0];\n"
    "    f[2] = n[1];\n"
    "}\n";

static void random_words_equal_the_hosts(void **state)
{
    enum { BLOCKS = 64 };
    const uint32_t run[4] = {0x12345678u, 0x9abcdef0u, 77, 1};
    uint32_t words[4 * BLOCKS], want[4];
    float f[3 * BLOCKS];
    gs_buffer *bw, *bf, *br;
    gs_kernel *k;

    (void)state;
    NEED_DEVICE();
    k = kernel_of(dev, "random.cl", random_source, "words");
    assert_ok(dev->drv->alloc(dev, sizeof words, &bw));
    assert_ok(dev->drv->alloc(dev, sizeof f, &bf));
    assert_ok(dev->drv->alloc(dev, sizeof run, &br));
    assert_ok(dev->drv->write(dev, br, 0, run, sizeof run));
    arg_at(k, 0, bw, 0);
    arg_at(k, 2, bf, 0);
    arg_at(k, 4, br, 0);
    launch(k, BLOCKS / 16, 1, 1, 16, 1, 1);
    assert_ok(dev->drv->read(dev, bw, 0, words, sizeof words));
    assert_ok(dev->drv->read(dev, bf, 0, f, sizeof f));
    for (uint32_t b = 0; b < BLOCKS; b++) {
        const uint32_t ctr[4] = {b, 9, run[2], run[3]};
        double r, angle;

        gs_philox(ctr, run, want);
        assert_memory_equal(words + 4 * b, want, sizeof want);
        r = sqrt(-2 * log(((want[0] >> 8) + 1) * 0x1p-24));
        angle = 2 * M_PI * (want[1] >> 8) * 0x1p-24;
        assert_true(f[3 * b] == (float)(want[2] >> 8) * 0x1p-24f);
        assert_true(fabs(f[3 * b + 1] - r * cos(angle)) < 4e-6);
        assert_true(fabs(f[3 * b + 2] - r * sin(angle)) < 4e-6);
    }
    dev->drv->free_kernel(dev, k);
    dev->drv->free(dev, bw);
    dev->drv->free(dev, bf);
    dev->drv->free(dev, br);
}

static const char storage_source[] =
    "__kernel void storage(__global float *y, const ulong y0, const __global float *x, const ulong x0)\n"
    "{\n"
    "    const int i = get_global_id(0);\n"
    "    y += y0 + 2 * i;\n"
    "    y[0] = gs_f16_to_f32(gs_f32_to_f16(x[x0 + i]));\n"
    "    y[1] = gs_bf16_to_f32(gs_f32_to_bf16(x[x0 + i]));\n"
    "}\n";

/* Ties go to even: 1 + 2^-11 to 1 and 1 + 3 2^-11 to 1 + 2^-9 in fp16; 1 + 2^-8 to 1 and 1 + 3 2^-8 to
 * 1 + 2^-6 in bf16. */
static void storage_formats_round_to_even(void **state)
{
    const float x[8] = {1 + 0x1p-11f, 1 + 0x3p-11f, 1 + 0x1p-8f, 1 + 0x3p-8f, -2.5f, 70000.0f, INFINITY, 0.0f};
    const float half[8] = {1, 1 + 0x1p-9f, 1 + 0x1p-8f, 1 + 0x3p-8f, -2.5f, INFINITY, INFINITY, 0};
    const float bf16[8] = {1, 1, 1, 1 + 0x1p-6f, -2.5f, 70144.0f, INFINITY, 0};
    float y[16];
    gs_buffer *bx, *by;
    gs_kernel *k;

    (void)state;
    NEED_DEVICE();
    k = kernel_of(dev, "storage.cl", storage_source, "storage");
    assert_ok(dev->drv->alloc(dev, sizeof x, &bx));
    assert_ok(dev->drv->alloc(dev, sizeof y, &by));
    assert_ok(dev->drv->write(dev, bx, 0, x, sizeof x));
    arg_at(k, 0, by, 0);
    arg_at(k, 2, bx, 0);
    launch(k, 1, 1, 1, 8, 1, 1);
    assert_ok(dev->drv->read(dev, by, 0, y, sizeof y));
    for (int i = 0; i < 8; i++) {
        if (y[2 * i] != half[i]) fail_msg("fp16 of %a: %a, not %a", x[i], y[2 * i], half[i]);
        if (y[2 * i + 1] != bf16[i]) fail_msg("bf16 of %a: %a, not %a", x[i], y[2 * i + 1], bf16[i]);
    }
    dev->drv->free_kernel(dev, k);
    dev->drv->free(dev, bx);
    dev->drv->free(dev, by);
}

static void build_failures_say_where(void **state)
{
    gs_program *p = NULL, *q = NULL;
    gs_kernel *k;

    (void)state;
    assert_ok(dev ? GS_OK : gs_device_open("null", &dev));
    assert_fails(gs_program_get(dev, "no_such.cl", "", &p), GS_EBUILD, "no_such.cl");
    NEED_DEVICE();
    assert_fails(
        gs_program_source(dev, "broken.cl", "__kernel void f(__global float *x) { x[0] = nonsense; }\n", "-DZ=1", &p),
        GS_EBUILD, "broken.cl does not build");
    assert_true(gs_test_contains(gs_last_error(), dev->info.name));
    assert_true(gs_test_contains(gs_last_error(), "-DZ=1"));
    assert_true(gs_test_contains(gs_last_error(), "nonsense"));
    assert_null(p);
    assert_ok(gs_program_source(dev, "ids.cl", ids_source, "", &p));
    assert_fails(dev->drv->kernel(dev, p, "other", &k), GS_EBUILD, "\"other\"");
    assert_null(k);
    assert_ok(gs_program_source(dev, "ids.cl", ids_source, "", &q));
    assert_ptr_equal(p, q); /* built once */
    assert_ok(gs_program_source(dev, "ids.cl", ids_source, "-DOTHER", &q));
    assert_ptr_not_equal(p, q);
}

/* From here on standard error goes into a file; the number brings it back. */
static int stderr_into(const char *path)
{
    const int kept = dup(STDERR_FILENO), file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(kept >= 0 && file >= 0);
    fflush(stderr);
    dup2(file, STDERR_FILENO);
    close(file);
    return kept;
}

static void stderr_back(int kept)
{
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
}

/* A loop that is to be vectorised and cannot be, since each turn needs the one before, is something to remark
 * for compilers of Clang's family. The text is new each time, so that no cache spares the driver its work. */
static void compilers_remark_nothing(void **state)
{
    const int n = 8;
    char *dir, *path, *said;
    gs_str source = { 0 };
    gs_kernel *k;
    gs_buffer *b;
    int kept;

    (void)state;
    NEED_DEVICE();
    dir = gs_test_tmpdir();
    path = gs_path_join(dir, "stderr");
    gs_str_printf(&source,
                  "__kernel void chain(__global float *x, const ulong x0, const int n)\n{\n    const int n_%ld_%ld = n;\n"
                  "#ifdef __clang__\n#pragma clang loop vectorize(enable)\n#endif\n"
                  "    for (int i = 1; i < n_%ld_%ld; i++) x[x0 + i] = x[x0 + i - 1] * 0.5f + x[x0 + i];\n}\n",
                  (long)time(NULL), (long)getpid(), (long)time(NULL), (long)getpid());
    assert_ok(dev->drv->alloc(dev, 4 * n, &b));
    assert_ok(dev->drv->fill(dev, b, 0, 0, 4 * n));
    kept = stderr_into(path);
    k = kernel_of(dev, "chain.cl", source.data, "chain");
    arg_at(k, 0, b, 0);
    assert_ok(dev->drv->arg_value(k, 2, sizeof n, &n));
    launch(k, 1, 1, 1, 1, 1, 1);
    assert_ok(dev->drv->finish(dev)); /* PoCL compiles for good at the first launch */
    stderr_back(kept);
    said = gs_test_slurp(path);
    if (strstr(said, "warning")) fail_msg("it said: %s", said);
    dev->drv->free_kernel(dev, k);
    dev->drv->free(dev, b);
    gs_str_free(&source);
    free(said);
    free(path);
    free(dir);
}

static void groups_too_large_are_explained(void **state)
{
    const int add = 0;
    gs_kernel *k;
    gs_buffer *b;

    (void)state;
    NEED_DEVICE();
    k = kernel_of(dev, "ids.cl", ids_source, "ids");
    assert_ok(dev->drv->alloc(dev, 1024, &b));
    arg_at(k, 0, b, 0);
    assert_ok(dev->drv->arg_value(k, 2, sizeof add, &add));
    assert_fails(dev->drv->launch(dev, k, (size_t[]){1, 1, 1}, (size_t[]){dev->info.max_group * 2, 1, 1}, NULL),
                 GS_EDEVICE, "ids");
    dev->drv->free_kernel(dev, k);
    dev->drv->free(dev, b);
}

static void launches_are_timed_when_asked(void **state)
{
    const int add = 0;
    const bool before = dev && dev->profiling;
    double seconds = -1;
    gs_kernel *k;
    gs_buffer *b;
    gs_event *ev;

    (void)state;
    NEED_DEVICE();
    assert_ok(gs_device_profile(dev, true));
    k = kernel_of(dev, "ids.cl", ids_source, "ids");
    assert_ok(dev->drv->alloc(dev, 4096, &b));
    arg_at(k, 0, b, 0);
    assert_ok(dev->drv->arg_value(k, 2, sizeof add, &add));
    assert_ok(dev->drv->launch(dev, k, (size_t[]){16, 1, 1}, (size_t[]){16, 1, 1}, &ev));
    assert_ok(dev->drv->event_seconds(ev, &seconds));
    assert_true(seconds >= 0 && seconds < 60);
    dev->drv->event_free(ev);
    assert_ok(gs_device_profile(dev, false));
    assert_ok(dev->drv->launch(dev, k, (size_t[]){1, 1, 1}, (size_t[]){16, 1, 1}, &ev));
    assert_fails(dev->drv->event_seconds(ev, &seconds), GS_EINVAL, "gs_device_profile");
    dev->drv->event_free(ev);
    assert_ok(gs_device_profile(dev, before));
    dev->drv->free_kernel(dev, k);
    dev->drv->free(dev, b);
}

/* ---- GEMM ---- */

static float pick(uint32_t i)
{
    return (float)(int)(i * 2654435761u >> 24) / 64.0f - 2.0f;
}

/* Rows longer than needed, offsets before each operand, the destination's gaps untouched. */
static void check_gemm(const gs_gemm *g, bool with_temp)
{
    enum { A0 = 64, B0 = 128, C0 = 192 };
    const int64_t rows_a = g->ta ? g->k : g->m, rows_b = g->tb ? g->n : g->k;
    const int64_t na = A0 + (g->batch - 1) * g->stride_a + rows_a * g->lda;
    const int64_t nb = B0 + (g->batch - 1) * g->stride_b + rows_b * g->ldb;
    const int64_t nc = C0 + (g->batch - 1) * g->stride_c + g->m * g->ldc;
    float *a = gs_xalloc((size_t)na * 4), *b = gs_xalloc((size_t)nb * 4), *c = gs_xalloc((size_t)nc * 4),
          *got = gs_xalloc((size_t)nc * 4);
    const size_t need = dev->drv->gemm_temp(dev, g), temp_offset = 3 * GS_ALIGN;
    gs_buffer *ba, *bb, *bc, *temp = NULL;

    for (int64_t i = 0; i < na; i++) a[i] = pick((uint32_t)i);
    for (int64_t i = 0; i < nb; i++) b[i] = pick((uint32_t)i + 7777);
    for (int64_t i = 0; i < nc; i++) c[i] = pick((uint32_t)i + 99999);
    assert_ok(dev->drv->alloc(dev, (size_t)na * 4, &ba));
    assert_ok(dev->drv->alloc(dev, (size_t)nb * 4, &bb));
    assert_ok(dev->drv->alloc(dev, (size_t)nc * 4, &bc));
    if (with_temp && need) assert_ok(dev->drv->alloc(dev, temp_offset + need, &temp));
    assert_ok(dev->drv->write(dev, ba, 0, a, (size_t)na * 4));
    assert_ok(dev->drv->write(dev, bb, 0, b, (size_t)nb * 4));
    assert_ok(dev->drv->write(dev, bc, 0, c, (size_t)nc * 4));
    assert_ok(dev->drv->gemm(dev, g, bc, C0, ba, A0, bb, B0, temp, temp ? temp_offset : 0, NULL));
    assert_ok(dev->drv->read(dev, bc, 0, got, (size_t)nc * 4));
    for (int64_t p = 0; p < g->batch; p++)
        for (int64_t i = 0; i < g->m; i++)
            for (int64_t j = 0; j < g->n; j++) {
                const float *pa = a + A0 + p * g->stride_a, *pb = b + B0 + p * g->stride_b;
                float *pc = c + C0 + p * g->stride_c + i * g->ldc + j;
                double sum = 0;

                for (int64_t l = 0; l < g->k; l++)
                    sum += (double)(g->ta ? pa[l * g->lda + i] : pa[i * g->lda + l]) *
                           (g->tb ? pb[j * g->ldb + l] : pb[l * g->ldb + j]);
                *pc = (float)(g->alpha * sum + (g->beta != 0 ? g->beta * *pc : 0));
            }
    for (int64_t i = 0; i < nc; i++)
        if (!(fabsf(got[i] - c[i]) <= 1e-5f * (float)g->k + 1e-6f))
            fail_msg("gemm %lldx%lldx%lld ta %d tb %d batch %lld: element %lld is %g, not %g", (long long)g->m,
                     (long long)g->n, (long long)g->k, g->ta, g->tb, (long long)g->batch, (long long)i, (double)got[i],
                     (double)c[i]);
    dev->drv->free(dev, ba);
    dev->drv->free(dev, bb);
    dev->drv->free(dev, bc);
    dev->drv->free(dev, temp);
    free(a);
    free(b);
    free(c);
    free(got);
}

static void gemm_equals_the_plain_loops(void **state)
{
    (void)state;
    NEED_DEVICE();
    if (!dev->drv->gemm) GS_SKIP("this driver has no GEMM of its own");
    for (int t = 0; t < 4; t++) {
        gs_gemm g = {.m = 33,
                     .n = 18,
                     .k = 7,
                     .batch = 1,
                     .ta = t & 1,
                     .tb = t >> 1,
                     .lda = 40,
                     .ldb = 21,
                     .ldc = 19,
                     .alpha = 1};

        check_gemm(&g, t & 1);
        g.alpha = 0.5f, g.beta = -2;
        check_gemm(&g, !(t & 1));
        g.batch = 3, g.stride_a = 40 * 40, g.stride_b = 0, g.stride_c = 19 * 40;
        check_gemm(&g, false);
    }
}

/* A library that remembers programs by context must not hand a closed device's to the next one. */
static void gemm_survives_reopening(void **state)
{
    const gs_gemm g = {.m = 9, .n = 8, .k = 7, .batch = 1, .lda = 7, .ldb = 8, .ldc = 8, .alpha = 1};
    gs_device *first = dev;

    (void)state;
    NEED_DEVICE();
    if (!dev->drv->gemm) GS_SKIP("this driver has no GEMM of its own");
    for (int i = 0; i < 3; i++) {
        assert_ok(gs_device_open(first->info.id, &dev));
        check_gemm(&g, false);
        gs_device_close(dev);
    }
    dev = first;
    check_gemm(&g, false); /* another device was closed meanwhile */
}

static void gemm_uses_the_memory_it_is_given(void **state)
{
    gs_gemm g = {.m = 30, .n = 20, .k = 10, .batch = 1, .lda = 10, .ldb = 20, .ldc = 20, .alpha = 1};

    (void)state;
    NEED_DEVICE();
    if (!getenv("GESSO_TEST_LARGE")) GS_SKIP("set GESSO_TEST_LARGE=1: the large GEMM takes a minute on CPU drivers");
    g.m = 1601, g.n = 1499, g.k = 1511, g.lda = 1511, g.ldb = 1499, g.ldc = 1499;
    assert_true(dev->drv->gemm_temp(dev, &g) > 0);
    check_gemm(&g, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_is_sound),
        cmocka_unit_test(names_find_devices),
        cmocka_unit_test(unknown_names_say_what_there_is),
        cmocka_unit_test(a_vanished_device_is_named),
        cmocka_unit_test(memory_round_trips),
        cmocka_unit_test(written_memory_may_be_reused_at_once),
        cmocka_unit_test(poison_is_seen),
        cmocka_unit_test(too_much_memory_is_refused_with_figures),
        cmocka_unit_test(null_accepts_everything),
        cmocka_unit_test(a_kernel_sees_three_dimensions),
        cmocka_unit_test(groups_share_local_memory),
        cmocka_unit_test(random_words_equal_the_hosts),
        cmocka_unit_test(storage_formats_round_to_even),
        cmocka_unit_test(build_failures_say_where),
        cmocka_unit_test(compilers_remark_nothing),
        cmocka_unit_test(groups_too_large_are_explained),
        cmocka_unit_test(launches_are_timed_when_asked),
        cmocka_unit_test(gemm_equals_the_plain_loops),
        cmocka_unit_test(gemm_survives_reopening),
        cmocka_unit_test(gemm_uses_the_memory_it_is_given),
    };
    int failed;

    if (gs_device_open(NULL, &dev) != GS_OK) printf("SKIP test_device: %s\n", gs_last_error());
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    gs_device_close(dev);
    return failed;
}
