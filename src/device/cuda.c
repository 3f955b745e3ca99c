/* NVIDIA devices through the CUDA driver API: finding and opening them, launches, events. One stream
 * a device, so work runs in order. Memory is in cuda_memory.c, building in cuda_program.c and cuda_nvrtc.c, GEMM in cuda_gemm.c;
 * cuda_load.c finds the libraries, which may be missing. */
#include "device/cuda_int.h"

#include <stdlib.h>
#include <string.h>

/* ---- errors ---- */

gs_status gs__cu_fail(const gs_device *d, gs_cu_result err, const char *what, ...)
{
    const char *name = NULL, *text = NULL;
    char doing[512], used[32], total[32];
    va_list ap;

    va_start(ap, what);
    vsnprintf(doing, sizeof doing, what, ap);
    va_end(ap);
    if (gs__cu()->cuGetErrorName(err, &name) != 0 || !name) name = "unknown CUDA error";
    if (gs__cu()->cuGetErrorString(err, &text) != 0 || !text) text = "no description";
    gs_bytes_text(used, (double)d->allocated);
    gs_bytes_text(total, (double)d->info.memory);
    if (err == GS_CU_OUT_OF_MEMORY)
        return gs_fail(GS_ENOMEM, "device \"%s\" (driver %s): %s: the driver has no memory for it (%s of the device's %s are asked for by this "
                       "process); use a smaller batch, or stop other programs that use the device", d->info.name, d->info.driver, doing, used, total);
    if (err >= 700 && err < 720 && err != GS_CU_LAUNCH_OUT_OF_RESOURCES) /* these stay until the process ends */
        return gs_fail(GS_EDEVICE, "device \"%s\" (driver %s): %s: %s (%s): a kernel failed, and the device can be used again only by a new process; "
                       "GESSO_DEBUG=2 shows each launch", d->info.name, d->info.driver, doing, name, text);
    return gs_fail(GS_EDEVICE, "device \"%s\" (driver %s): %s: %s (%s, error %d)", d->info.name, d->info.driver, doing, name, text, err);
}

gs_status gs__cu_enter(gs_device *d)
{
    const gs_cu_result err = gs__cu()->cuCtxSetCurrent(gs__cud(d)->context);

    return err == 0 ? GS_OK : gs__cu_fail(d, err, "cannot use the device's context");
}

/* ---- finding ---- */

static int attribute(gs_cu_device_id id, int what, int fallback)
{
    int value = 0;

    return gs__cu()->cuDeviceGetAttribute(&value, what, id) == 0 ? value : fallback;
}

/* "550.54.14" of the kernel's module, where it can be read: the driver interface knows its CUDA version only. */
static void module_version(char *out, size_t cap)
{
    FILE *fp = fopen("/proc/driver/nvidia/version", "r");
    char line[256] = "", word[64] = "";

    out[0] = '\0';
    if (fp && fgets(line, sizeof line, fp)) {
        for (const char *p = line; *p && !out[0]; p += strcspn(p, " \n"), p += strspn(p, " \n"))
            if (*p >= '0' && *p <= '9' && sscanf(p, "%63[0-9.]", word) == 1 && strchr(word, '.')) snprintf(out, cap, "%s", word);
    }
    if (fp) fclose(fp);
}

static int capability_of(gs_cu_device_id id)
{
    return 10 * attribute(id, GS_CU_ATTR_MAJOR, 0) + attribute(id, GS_CU_ATTR_MINOR, 0);
}

static void describe(gs_cu_device_id id, int ordinal, gs_device_info *info)
{
    const gs_cuda_api *cu = gs__cu();
    const gs_nvrtc_api *r = gs__nvrtc();
    const int version = gs__cu_version(), capability = capability_of(id);
    char module[64];
    bool ptx;

    module_version(module, sizeof module);
    *info = (gs_device_info){.vendor = "NVIDIA Corporation", .platform = "CUDA", .kind = GS_GPU, .align = GS_ALIGN, .vector_width = 1,
                             .fp64 = true, .subgroups = true};
    snprintf(info->id, sizeof info->id, "cuda:%d", ordinal);
    if (cu->cuDeviceGetName(info->name, sizeof info->name - 1, id) != 0 || !info->name[0])
        snprintf(info->name, sizeof info->name, "%s", info->id);
    for (char *c = info->name; *c; c++) /* it goes to terminals */
        if ((unsigned char)*c < 32 || *c == 127) *c = '?';
    snprintf(info->driver, sizeof info->driver, "%s%sCUDA %d.%d", module, *module ? ", " : "", version / 1000, version % 1000 / 10);
    if (r) snprintf(info->version, sizeof info->version, "sm_%d, NVRTC %d.%d", capability, r->major, r->minor);
    else snprintf(info->version, sizeof info->version, "sm_%d, no NVRTC", capability);
    info->compute_units = GS_MAX(attribute(id, GS_CU_ATTR_PROCESSORS, 1), 1);
    info->clock_mhz = attribute(id, GS_CU_ATTR_CLOCK_KHZ, 0) / 1000;
    if (cu->cuDeviceTotalMem_v2(&info->memory, id) != 0) info->memory = 0;
    info->max_alloc = info->memory;
    info->local_memory = (size_t)attribute(id, GS_CU_ATTR_SHARED_MEMORY, 49152);
    info->max_group = (size_t)GS_MAX(attribute(id, GS_CU_ATTR_MAX_THREADS, 1024), 1);
    info->fp16 = capability >= 53;
    info->compiler = gs__nvrtc_target(capability, &ptx) != 0 && attribute(id, GS_CU_ATTR_COMPUTE_MODE, 0) != GS_CU_MODE_PROHIBITED;
}

static int device_count(void)
{
    int n = 0;

    return gs__cu() && gs__cu()->cuDeviceGetCount(&n) == 0 && n > 0 ? GS_MIN(n, 1024) : 0;
}

static gs_status cu_list(gs_device_info **list, int *n, int *cap)
{
    const int count = device_count();

    for (int i = 0; i < count; i++) {
        gs_cu_device_id id;
        gs_device_info info;

        if (gs__cu()->cuDeviceGet(&id, i) != 0) continue;
        describe(id, i, &info);
        GS_PUSH(*list, *n, *cap, info);
    }
    return GS_OK;
}

/* ---- opening ---- */

static void cu_close(gs_device *d)
{
    const gs_cuda_api *cu = gs__cu();
    gs_cu_dev *c = gs__cud(d);

    if (c->context && gs__cu_enter(d) == GS_OK) {
        if (c->stream) cu->cuStreamSynchronize(c->stream);
        for (int i = 0; i < GS_CU_SLOTS; i++) {
            if (c->slot[i].event) cu->cuEventDestroy_v2(c->slot[i].event);
            if (c->slot[i].data) cu->cuMemFreeHost(c->slot[i].data);
        }
        gs__cu_gemm_close(d);
        if (c->stream) cu->cuStreamDestroy_v2(c->stream);
        if (c->pool) cu->cuMemPoolTrimTo(c->pool, 0);
    }
    if (c->context) cu->cuDevicePrimaryCtxRelease_v2(c->id);
    free(c);
}

/* Memory given back stays with the process, so that the next plan gets it without the driver. Not every
 * driver has pools. */
static void find_pool(gs_cu_dev *c)
{
    const gs_cuda_api *cu = gs__cu();
    uint64_t keep = UINT64_MAX;

    if (!cu->cuMemAllocAsync || !cu->cuMemFreeAsync || !cu->cuDeviceGetDefaultMemPool || !cu->cuMemPoolSetAttribute ||
        !cu->cuMemPoolTrimTo || !attribute(c->id, GS_CU_ATTR_POOLS, 0))
        return;
    if (cu->cuDeviceGetDefaultMemPool(&c->pool, c->id) != 0 ||
        cu->cuMemPoolSetAttribute(c->pool, GS_CU_POOL_RELEASE_THRESHOLD, &keep) != 0)
        c->pool = NULL;
}

static gs_status cu_open(const gs_device_info *info, gs_device **out)
{
    const gs_cuda_api *cu = gs__cu();
    const char *env = getenv("GESSO_PROFILE"), *tf32 = getenv("GESSO_CUDA_TF32");
    gs_cu_dev *c = gs_xalloc(sizeof *c);
    gs_status st = GS_OK;
    gs_cu_result err;
    int ordinal = -1;

    *out = NULL;
    c->base.info = *info;
    TRY(sscanf(info->id, "cuda:%d", &ordinal) == 1 ? GS_OK : gs_fail(GS_EINVAL, "%s: not a CUDA device", info->id));
    if (ordinal >= 0 && ordinal < device_count() && cu->cuDeviceGet(&c->id, ordinal) == 0) describe(c->id, ordinal, &c->base.info);
    else ordinal = -1;
    /* the list may be older than this call: another device under the same number would be a silent mistake */
    TRY(ordinal >= 0 && !strcmp(c->base.info.name, info->name) ? GS_OK :
        gs_fail(GS_EDEVICE, "device %s (\"%s\") was in the list but is gone; is its driver still running?", info->id, info->name));
    c->capability = capability_of(c->id);
    c->arch = gs__nvrtc_target(c->capability, &c->ptx);
    if (tf32 && *tf32 && strcmp(tf32, "0") && c->capability >= 80) c->math = GS_MATH_TF32;
    for (int i = 0; i < 3; i++) {
        c->max_local[i] = attribute(c->id, GS_CU_ATTR_BLOCK_X + i, i < 2 ? 1024 : 64);
        c->max_groups[i] = (size_t)attribute(c->id, GS_CU_ATTR_GRID_X + i, 65535);
    }
    err = cu->cuDevicePrimaryCtxRetain(&c->context, c->id);
    if (err != 0) c->context = NULL;
    TRY(err == 0 ? GS_OK : gs__cu_fail(&c->base, err, "cannot open the device"));
    TRY(gs__cu_enter(&c->base));
    err = cu->cuStreamCreate(&c->stream, GS_CU_STREAM_NON_BLOCKING);
    if (err != 0) c->stream = NULL;
    TRY(err == 0 ? GS_OK : gs__cu_fail(&c->base, err, "cannot make a stream"));
    find_pool(c);
    c->base.profiling = gs_debug_level() >= 2 || (env && *env && strcmp(env, "0"));
    c->base.drv = &gs_driver_cuda;
    *out = &c->base;
done:
    if (st != GS_OK) cu_close(&c->base);
    return st;
}

static gs_status cu_finish(gs_device *d)
{
    gs_status st = gs__cu_enter(d);
    gs_cu_result err;

    if (st != GS_OK) return st;
    err = gs__cu()->cuStreamSynchronize(gs__cud(d)->stream);
    return err == 0 ? GS_OK : gs__cu_fail(d, err, "while waiting for the device's work");
}

static gs_status cu_profile(gs_device *d, bool on)
{
    d->profiling = on;
    return GS_OK;
}

/* ---- launches and events ---- */

gs_status gs__cu_event_begin(gs_device *d, gs_event **ev)
{
    const gs_cuda_api *cu = gs__cu();
    gs_cu_result err;
    gs_event *e;

    if (!ev) return GS_OK;
    e = gs_xalloc(sizeof *e);
    e->device = d;
    err = cu->cuEventCreate(&e->stop, d->profiling ? 0 : GS_CU_EVENT_NO_TIMING);
    if (err == 0 && d->profiling) err = cu->cuEventCreate(&e->start, 0);
    if (err == 0 && e->start) err = cu->cuEventRecord(e->start, gs__cud(d)->stream);
    if (err != 0) {
        gs__cu_event_free(e);
        return gs__cu_fail(d, err, "cannot make an event");
    }
    *ev = e;
    return GS_OK;
}

gs_status gs__cu_event_end(gs_device *d, gs_event **ev)
{
    gs_cu_result err;

    if (!ev) return GS_OK;
    err = gs__cu()->cuEventRecord((*ev)->stop, gs__cud(d)->stream);
    if (err == 0) return GS_OK;
    gs__cu_event_free(*ev);
    *ev = NULL;
    return gs__cu_fail(d, err, "cannot record an event");
}

void gs__cu_event_free(gs_event *e)
{
    if (!e) return;
    if (gs__cu_enter(e->device) == GS_OK) {
        if (e->start) gs__cu()->cuEventDestroy_v2(e->start);
        if (e->stop) gs__cu()->cuEventDestroy_v2(e->stop);
    }
    free(e);
}

static gs_status cu_event_seconds(gs_event *e, double *seconds)
{
    const gs_cuda_api *cu = gs__cu();
    float ms = 0;
    gs_status st;
    gs_cu_result err;

    *seconds = 0;
    if (!e) return GS_OK; /* of an empty launch */
    if (!e->start || !e->device->profiling)
        return gs_fail(GS_EINVAL, "events carry no times: set GESSO_PROFILE=1 or GESSO_DEBUG=2, or call gs_device_profile");
    st = gs__cu_enter(e->device);
    if (st != GS_OK) return st;
    err = cu->cuEventSynchronize(e->stop);
    if (err == 0) err = cu->cuEventElapsedTime(&ms, e->start, e->stop);
    if (err != 0) return gs__cu_fail(e->device, err, "time of a launch");
    *seconds = ms > 0 ? 1e-3 * (double)ms : 0;
    return GS_OK;
}

static gs_status check_grid(gs_device *d, const gs_kernel *k, const size_t groups[3], const size_t local[3])
{
    const gs_cu_dev *c = gs__cud(d);
    size_t items = 1;

    for (int i = 0; i < 3; i++) {
        if (local[i] > (size_t)c->max_local[i] || items * local[i] > (size_t)k->max_threads)
            return gs_fail(GS_EDEVICE, "device \"%s\": kernel %s: groups of %zu x %zu x %zu items, this kernel allows %d in all", d->info.name,
                           k->name, local[0], local[1], local[2], k->max_threads);
        items *= local[i];
        if (groups[i] > c->max_groups[i])
            return gs_fail(GS_ELIMIT, "device \"%s\": kernel %s: %zu x %zu x %zu groups, CUDA allows %zu x %zu x %zu: use a smaller batch",
                           d->info.name, k->name, groups[0], groups[1], groups[2], c->max_groups[0], c->max_groups[1], c->max_groups[2]);
    }
    return GS_OK;
}

static gs_status cu_launch(gs_device *d, gs_kernel *k, const size_t groups[3], const size_t local[3], gs_event **ev)
{
    gs_status st = GS_OK;
    gs_cu_result err;

    if (ev) *ev = NULL;
    for (int i = 0; i < 3; i++)
        if (groups[i] == 0 || local[i] == 0) return GS_OK; /* CUDA calls an empty launch an error */
    TRY(check_grid(d, k, groups, local));
    TRY(gs__cu_args_complete(k));
    TRY(gs__cu_enter(d));
    TRY(gs__cu_event_begin(d, ev));
    err = gs__cu()->cuLaunchKernel(k->function, (unsigned)groups[0], (unsigned)groups[1], (unsigned)groups[2], (unsigned)local[0],
                                   (unsigned)local[1], (unsigned)local[2], 0, gs__cud(d)->stream, k->param, NULL);
    TRY(err == 0 ? GS_OK : gs__cu_fail(d, err, "kernel %s, %zu x %zu x %zu groups of %zu x %zu x %zu", k->name, groups[0], groups[1],
                                       groups[2], local[0], local[1], local[2]));
    TRY(gs__cu_event_end(d, ev));
done:
    if (st != GS_OK && ev) {
        gs__cu_event_free(*ev);
        *ev = NULL;
    }
    return st;
}

const gs_driver gs_driver_cuda = {
    .name = "cuda",
    .no_compiler = "Gesso builds its kernels with NVRTC: libnvrtc.so is not there or too old or new for this device, or "
                   "the device is closed to computing (nvidia-smi -c); GESSO_NVRTC=path of libnvrtc.so picks one, and "
                   "the device may also be there through OpenCL",
    .list = cu_list,
    .open = cu_open,
    .close = cu_close,
    .alloc = gs__cu_alloc,
    .free = gs__cu_free,
    .write = gs__cu_write,
    .read = gs__cu_read,
    .copy = gs__cu_copy,
    .fill = gs__cu_fill,
    .build = gs__cu_build,
    .free_program = gs__cu_free_program,
    .kernel = gs__cu_kernel,
    .free_kernel = gs__cu_free_kernel,
    .arg_buffer = gs__cu_arg_buffer,
    .arg_value = gs__cu_arg_value,
    .launch = cu_launch,
    .gemm_ready = gs__cu_gemm_ready,
    .gemm_temp = gs__cu_gemm_temp,
    .gemm = gs__cu_gemm,
    .finish = cu_finish,
    .event_seconds = cu_event_seconds,
    .event_free = gs__cu_event_free,
    .profile = cu_profile,
    .record_begin = gs__cu_record_begin,
    .record_end = gs__cu_record_end,
    .replay = gs__cu_replay,
    .free_recording = gs__cu_free_recording,
    .set_math = gs__cu_set_math,
};
