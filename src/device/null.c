/* A device that runs nothing: every kernel builds, every launch succeeds, reads give zeros. Plans compile on
 * it without a driver, so their texts can be compared and the host code can run under valgrind. "null" looks
 * like a GPU, "null:cpu" like a CPU. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"

struct gs_buffer {
    size_t bytes;
};
struct gs_program {
    char unused;
};
struct gs_kernel {
    char unused;
};
struct gs_event {
    char unused;
};

enum { MAX_GROUPS_YZ = 65535 }; /* a plan that runs here must run on CUDA too */

typedef struct null_device {
    gs_device base;
    gs_null_build_fn *on_build;
    void *user;
} null_device;

/* Never listed: it is opened by name only. */
static gs_status null_list(gs_device_info **list, int *n, int *cap)
{
    (void)list, (void)n, (void)cap;
    return GS_OK;
}

static gs_status null_open(const gs_device_info *info, gs_device **out)
{
    const bool cpu = !strcmp(info->id, "null:cpu");
    null_device *null = gs_xalloc(sizeof *null);
    gs_device *d = &null->base;

    d->info = (gs_device_info){
        .name = "null device", .vendor = "Gesso", .platform = "null", .driver = GS_VERSION, .version = "null",
        .kind = GS_NULL, .compute_units = cpu ? 8 : 32, .clock_mhz = 1000,
        .memory = (size_t)8 << 30, .max_alloc = (size_t)2 << 30,
        .local_memory = (size_t)32 << 10, .local_is_global = cpu,
        .max_group = cpu ? 4096 : 256, .align = GS_ALIGN, .vector_width = cpu ? 8 : 1, .compiler = true,
    };
    snprintf(d->info.id, sizeof d->info.id, "%s", info->id);
    *out = d;
    return GS_OK;
}

static void null_close(gs_device *d)
{
    free(d);
}

static gs_status null_alloc(gs_device *d, size_t bytes, gs_buffer **out)
{
    const gs_status st = gs__device_room(d, bytes);

    *out = NULL;
    if (st != GS_OK) return st;
    *out = gs_xalloc(sizeof **out);
    (*out)->bytes = bytes;
    gs__device_took(d, bytes);
    return GS_OK;
}

static void null_free(gs_device *d, gs_buffer *b)
{
    if (!b) return;
    d->allocated -= b->bytes;
    free(b);
}

static gs_status null_write(gs_device *d, gs_buffer *b, size_t offset, const void *src, size_t bytes)
{
    (void)d, (void)src;
    return gs__in_range(b->bytes, offset, bytes, "write");
}

static gs_status null_read(gs_device *d, gs_buffer *b, size_t offset, void *dst, size_t bytes)
{
    const gs_status st = gs__in_range(b->bytes, offset, bytes, "read");

    (void)d;
    if (st == GS_OK && bytes) memset(dst, 0, bytes);
    return st;
}

static gs_status null_copy(gs_device *d, gs_buffer *dst, size_t dst_offset, gs_buffer *src, size_t src_offset, size_t bytes)
{
    const gs_status st = gs__in_range(dst->bytes, dst_offset, bytes, "copy");

    (void)d;
    return st == GS_OK ? gs__in_range(src->bytes, src_offset, bytes, "copy") : st;
}

static gs_status null_fill(gs_device *d, gs_buffer *b, size_t offset, uint32_t word, size_t bytes)
{
    (void)d, (void)word;
    if (offset % 4 || bytes % 4) return gs_fail(GS_EINVAL, "fill of %zu bytes at %zu: not multiples of 4", bytes, offset);
    return gs__in_range(b->bytes, offset, bytes, "fill");
}

static gs_status null_build(gs_device *d, const char *label, const char *source, const char *options, gs_program **out)
{
    const null_device *null = (null_device *)d;

    if (null->on_build) null->on_build(null->user, label, source, options);
    *out = gs_xalloc(sizeof **out);
    return GS_OK;
}

void gs_null_on_build(gs_device *d, gs_null_build_fn *fn, void *user)
{
    null_device *null = (null_device *)d;

    assert(!strcmp(d->info.platform, "null") && "only null devices tell");
    null->on_build = fn;
    null->user = user;
}

static void null_free_program(gs_device *d, gs_program *p)
{
    (void)d;
    free(p);
}

static gs_status null_kernel(gs_device *d, gs_program *p, const char *name, gs_kernel **out)
{
    (void)d, (void)p, (void)name;
    *out = gs_xalloc(sizeof **out);
    return GS_OK;
}

static void null_free_kernel(gs_device *d, gs_kernel *k)
{
    (void)d;
    free(k);
}

static gs_status null_arg_buffer(gs_kernel *k, int index, gs_buffer *b)
{
    (void)k, (void)index, (void)b;
    return GS_OK;
}

static gs_status null_arg_value(gs_kernel *k, int index, size_t size, const void *value)
{
    (void)k, (void)index, (void)size, (void)value;
    return GS_OK;
}

static gs_status make_event(gs_event **ev)
{
    if (ev) *ev = gs_xalloc(sizeof **ev);
    return GS_OK;
}

static gs_status null_launch(gs_device *d, gs_kernel *k, const size_t groups[3], const size_t local[3], gs_event **ev)
{
    (void)d, (void)k;
    for (int i = 0; i < 3; i++)
        if (i > 0 && groups[i] > MAX_GROUPS_YZ)
            return gs_fail(GS_ELIMIT, "%zu x %zu x %zu groups of %zu x %zu x %zu: CUDA allows %d along y and z", groups[0], groups[1],
                           groups[2], local[0], local[1], local[2], MAX_GROUPS_YZ);
    return make_event(ev);
}

static size_t null_gemm_temp(gs_device *d, const gs_gemm *g)
{
    (void)d, (void)g;
    return 0;
}

static gs_status null_gemm(gs_device *d, const gs_gemm *g, gs_buffer *c, size_t c0, gs_buffer *a, size_t a0, gs_buffer *b, size_t b0,
                           gs_buffer *temp, size_t temp_offset, gs_event **ev)
{
    (void)d, (void)g, (void)c, (void)c0, (void)a, (void)a0, (void)b, (void)b0, (void)temp, (void)temp_offset;
    return make_event(ev);
}

static gs_status null_finish(gs_device *d)
{
    (void)d;
    return GS_OK;
}

static gs_status null_event_seconds(gs_event *e, double *seconds)
{
    (void)e;
    *seconds = 0;
    return GS_OK;
}

static void null_event_free(gs_event *e)
{
    free(e);
}

static gs_status null_profile(gs_device *d, bool on)
{
    d->profiling = on;
    return GS_OK;
}

const gs_driver gs_driver_null = {
    .name = "null",
    .list = null_list,
    .open = null_open,
    .close = null_close,
    .alloc = null_alloc,
    .free = null_free,
    .write = null_write,
    .read = null_read,
    .copy = null_copy,
    .fill = null_fill,
    .build = null_build,
    .free_program = null_free_program,
    .kernel = null_kernel,
    .free_kernel = null_free_kernel,
    .arg_buffer = null_arg_buffer,
    .arg_value = null_arg_value,
    .launch = null_launch,
    .gemm_temp = null_gemm_temp,
    .gemm = null_gemm,
    .finish = null_finish,
    .event_seconds = null_event_seconds,
    .event_free = null_event_free,
    .profile = null_profile,
};
