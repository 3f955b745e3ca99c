/* Devices through the OpenCL ICD loader: finding and opening them, launches, events. OpenCL 1.2 calls only.
 * Memory is in opencl_memory.c, building in opencl_program.c, GEMM in opencl_gemm.c. */
#include "device/opencl_int.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { FLUSH_EVERY = 16 }; /* launches; some drivers start nothing before a flush, and each flush costs a little */

/* ---- finding ---- */

/* Driver strings go to terminals and cache keys: printable, one space between words, none at the ends. */
static void clean_copy(char *out, size_t cap, const char *s)
{
    size_t n = 0;

    for (; *s && n + 1 < cap; s++) {
        const bool space = isspace((unsigned char)*s);

        if (space && (n == 0 || out[n - 1] == ' ')) continue;
        out[n++] = space ? ' ' : (unsigned char)*s < 32 || *s == 127 ? '?' : *s;
    }
    while (n > 0 && out[n - 1] == ' ') n--;
    out[n] = '\0';
}

static char *device_text(cl_device_id id, cl_device_info what)
{
    size_t n = 0;
    char *s;

    if (clGetDeviceInfo(id, what, 0, NULL, &n) != CL_SUCCESS || n == 0 || n > 1 << 20) return gs_xalloc(1);
    s = gs_xalloc(n + 1);
    if (clGetDeviceInfo(id, what, n, s, NULL) != CL_SUCCESS) s[0] = '\0';
    return s;
}

static void device_field(cl_device_id id, cl_device_info what, char *out, size_t cap)
{
    char *s = device_text(id, what);

    clean_copy(out, cap, s);
    free(s);
}

static void platform_field(cl_platform_id p, cl_platform_info what, char *out, size_t cap)
{
    char s[512] = "";

    if (clGetPlatformInfo(p, what, sizeof s - 1, s, NULL) != CL_SUCCESS) s[0] = '\0';
    clean_copy(out, cap, s);
}

/* A number of the device; `fallback` when the driver does not answer. All OpenCL scalars asked for here are
 * little-endian unsigned of 4 or 8 bytes, so a zeroed ulong of the host takes either. */
static cl_ulong device_number(cl_device_id id, cl_device_info what, cl_ulong fallback)
{
    size_t n = 0;
    union { cl_uint u; cl_ulong ul; } v = {.ul = 0};

    if (clGetDeviceInfo(id, what, sizeof v, &v, &n) != CL_SUCCESS || n == 0) return fallback;
    return n == sizeof v.u ? v.u : v.ul;
}

static bool has_word(const char *list, const char *word)
{
    const size_t n = strlen(word);

    for (const char *p = list; (p = strstr(p, word)); p += n)
        if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0')) return true;
    return false;
}

static void describe(cl_platform_id platform, cl_device_id id, int p, int d, gs_device_info *info)
{
    char *ext = device_text(id, CL_DEVICE_EXTENSIONS);
    const cl_ulong type = device_number(id, CL_DEVICE_TYPE, CL_DEVICE_TYPE_CPU);
    char platform_version[sizeof info->platform];

    *info = (gs_device_info){0};
    snprintf(info->id, sizeof info->id, "opencl:%d:%d", p, d);
    device_field(id, CL_DEVICE_NAME, info->name, sizeof info->name);
    device_field(id, CL_DEVICE_VENDOR, info->vendor, sizeof info->vendor);
    device_field(id, CL_DRIVER_VERSION, info->driver, sizeof info->driver);
    device_field(id, CL_DEVICE_VERSION, info->version, sizeof info->version);
    platform_field(platform, CL_PLATFORM_NAME, info->platform, sizeof info->platform);
    platform_field(platform, CL_PLATFORM_VERSION, platform_version, sizeof platform_version);
    if (!info->name[0]) snprintf(info->name, sizeof info->name, "%s", info->id);
    if (!info->version[0]) snprintf(info->version, sizeof info->version, "%.*s", (int)sizeof info->version - 1, platform_version);
    info->kind = type & CL_DEVICE_TYPE_CPU ? GS_CPU : type & CL_DEVICE_TYPE_GPU ? GS_GPU : GS_ACCELERATOR;
    info->compute_units = (int)GS_MIN(device_number(id, CL_DEVICE_MAX_COMPUTE_UNITS, 1), 1 << 20);
    info->clock_mhz = (int)GS_MIN(device_number(id, CL_DEVICE_MAX_CLOCK_FREQUENCY, 0), 1 << 20);
    info->memory = device_number(id, CL_DEVICE_GLOBAL_MEM_SIZE, 0);
    info->max_alloc = device_number(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, 0);
    info->local_memory = device_number(id, CL_DEVICE_LOCAL_MEM_SIZE, 0);
    info->local_is_global = device_number(id, CL_DEVICE_LOCAL_MEM_TYPE, CL_LOCAL) == CL_GLOBAL;
    info->max_group = device_number(id, CL_DEVICE_MAX_WORK_GROUP_SIZE, 1);
    info->align = GS_MAX(device_number(id, CL_DEVICE_MEM_BASE_ADDR_ALIGN, 1024) / 8, 4); /* bits */
    info->vector_width = (int)GS_MAX(GS_MIN(device_number(id, CL_DEVICE_PREFERRED_VECTOR_WIDTH_FLOAT, 1), 64), 1);
    info->fp16 = has_word(ext, "cl_khr_fp16");
    info->fp64 = has_word(ext, "cl_khr_fp64");
    info->subgroups = has_word(ext, "cl_khr_subgroups") || has_word(ext, "cl_intel_subgroups");
    info->compiler = device_number(id, CL_DEVICE_COMPILER_AVAILABLE, CL_FALSE) != 0 &&
                     device_number(id, CL_DEVICE_AVAILABLE, CL_FALSE) != 0;
    free(ext);
}

/* All platforms; *n = 0 when there is none. Free with free(). */
static cl_platform_id *platforms(cl_uint *n)
{
    cl_platform_id *list;
    cl_int err = clGetPlatformIDs(0, NULL, n);

    if (err != CL_SUCCESS || *n == 0 || *n > 1024) { /* CL_PLATFORM_NOT_FOUND_KHR when no driver is installed */
        if (err != CL_SUCCESS) gs_debug(1, "opencl: no platforms: %s", gs__cl_error_name(err));
        *n = 0;
        return NULL;
    }
    list = gs_xalloc(*n * sizeof *list);
    err = clGetPlatformIDs(*n, list, NULL);
    if (err == CL_SUCCESS) return list;
    gs_debug(1, "opencl: no platforms: %s", gs__cl_error_name(err));
    free(list);
    *n = 0;
    return NULL;
}

/* The devices of one platform; a platform whose list is broken counts as empty. Free with free(). */
static cl_device_id *devices_of(cl_platform_id platform, int p, cl_uint *n)
{
    cl_device_id *list;
    char name[128];
    cl_int err = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, NULL, n);

    if (err == CL_SUCCESS && *n > 0 && *n <= 4096) {
        list = gs_xalloc(*n * sizeof *list);
        err = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, *n, list, NULL);
        if (err == CL_SUCCESS) return list;
        free(list);
    }
    platform_field(platform, CL_PLATFORM_NAME, name, sizeof name);
    gs_debug(1, "opencl: platform %d \"%s\" has no devices: %s", p, name, err == CL_SUCCESS ? "its list is empty" : gs__cl_error_name(err));
    *n = 0;
    return NULL;
}

static gs_status cl_list(gs_device_info **list, int *n, int *cap)
{
    cl_uint n_platforms;
    cl_platform_id *platform = platforms(&n_platforms);

    for (cl_uint p = 0; p < n_platforms; p++) {
        cl_uint n_devices;
        cl_device_id *device = devices_of(platform[p], (int)p, &n_devices);

        for (cl_uint d = 0; d < n_devices; d++) {
            gs_device_info info;

            describe(platform[p], device[d], (int)p, (int)d, &info);
            GS_PUSH(*list, *n, *cap, info);
        }
        free(device);
    }
    free(platform);
    return GS_OK;
}

/* ---- opening ---- */

static void CL_CALLBACK context_message(const char *text, const void *data, size_t size, void *user)
{
    (void)data, (void)size, (void)user;
    gs_debug(1, "opencl: driver says: %s", text);
}

static gs_status make_queue(gs_cl_device *c, bool profiling)
{
    cl_int err;
    const cl_command_queue queue = clCreateCommandQueue(c->context, c->id, profiling ? CL_QUEUE_PROFILING_ENABLE : 0, &err);

    if (err != CL_SUCCESS) return gs__cl_fail(&c->base, err, "cannot make a command queue%s", profiling ? " with profiling" : "");
    if (c->queue) clReleaseCommandQueue(c->queue);
    c->queue = queue;
    c->base.profiling = profiling;
    return GS_OK;
}

static void cl_close(gs_device *d)
{
    gs_cl_device *c = gs__cl(d);

    if (c->queue) clFinish(c->queue);
    for (int i = 0; i < GS_CL_SLOTS; i++) {
        if (c->slot[i].event) clReleaseEvent(c->slot[i].event);
        free(c->slot[i].data);
    }
    gs__cl_gemm_close(d);
    if (c->queue) clReleaseCommandQueue(c->queue);
    if (c->context) clReleaseContext(c->context);
    free(c);
}

/* $GESSO_FORMS: kernels in the form for CPUs or GPUs whatever the device is, for simulators and for tests. */
static gs_status take_forms(gs_device_info *info)
{
    const char *forms = getenv("GESSO_FORMS");

    if (!forms || !*forms) return GS_OK;
    if (strcmp(forms, "cpu") && strcmp(forms, "gpu")) return gs_fail(GS_EUSAGE, "GESSO_FORMS=%.40s: it may be cpu or gpu", forms);
    info->local_is_global = forms[0] == 'c';
    if (info->local_is_global) info->vector_width = GS_MAX(info->vector_width, 4);
    return GS_OK;
}

static gs_status cl_open(const gs_device_info *info, gs_device **out)
{
    gs_status st = GS_OK;
    gs_cl_device *c = gs_xalloc(sizeof *c);
    cl_uint n_platforms, n_devices = 0;
    cl_platform_id *platform = platforms(&n_platforms);
    cl_device_id *device = NULL;
    cl_context_properties props[3] = {CL_CONTEXT_PLATFORM, 0, 0};
    const char *env = getenv("GESSO_PROFILE");
    int p = -1, d = -1;
    cl_int err;

    *out = NULL;
    c->base.info = *info;
    TRY(sscanf(info->id, "opencl:%d:%d", &p, &d) == 2 ? GS_OK : gs_fail(GS_EINVAL, "%s: not an OpenCL device", info->id));
    if (p >= 0 && p < (int)n_platforms) device = devices_of(platform[p], p, &n_devices);
    if (d >= 0 && d < (int)n_devices) describe(platform[p], device[d], p, d, &c->base.info);
    /* the list may be older than this call: another device under the same number would be a silent mistake */
    TRY(d >= 0 && d < (int)n_devices && !strcmp(c->base.info.name, info->name) ? GS_OK :
        gs_fail(GS_EDEVICE, "device %s (\"%s\") was in the list but is gone; is its driver still running?", info->id, info->name));
    TRY(take_forms(&c->base.info));
    c->id = device[d];
    props[1] = (cl_context_properties)platform[p];
    c->context = clCreateContext(props, 1, &c->id, context_message, NULL, &err);
    TRY(err == CL_SUCCESS ? GS_OK : gs__cl_fail(&c->base, err, "cannot open the device"));
    TRY(make_queue(c, gs_debug_level() >= 2 || (env && *env && strcmp(env, "0"))));
    *out = &c->base;
done:
    free(device);
    free(platform);
    if (st != GS_OK) cl_close(&c->base);
    return st;
}

static gs_status cl_finish(gs_device *d)
{
    const cl_int err = clFinish(gs__cl(d)->queue);

    gs__cl(d)->unflushed = 0;
    return err == CL_SUCCESS ? GS_OK : gs__cl_fail(d, err, "while waiting for the device's work");
}

static gs_status cl_profile(gs_device *d, bool on)
{
    gs_status st;

    if (on == d->profiling) return GS_OK;
    st = cl_finish(d);
    return st == GS_OK ? make_queue(gs__cl(d), on) : st;
}

/* ---- launches and events ---- */

static gs_status cl_launch(gs_device *d, gs_kernel *k, const size_t groups[3], const size_t local[3], gs_event **ev)
{
    gs_cl_device *c = gs__cl(d);
    size_t global[3], most = 0;
    cl_uint dims = 1;
    cl_event event = NULL;
    cl_int err;

    if (ev) *ev = NULL;
    for (int i = 0; i < 3; i++) {
        if (groups[i] == 0 || local[i] == 0) return GS_OK; /* OpenCL 1.2 calls an empty launch an error */
        if (!gs_mul_size(groups[i], local[i], &global[i]))
            return gs_fail(GS_ELIMIT, "%s: %zu groups of %zu items", k->name, groups[i], local[i]);
        if (global[i] > 1) dims = (cl_uint)i + 1;
    }
    err = clEnqueueNDRangeKernel(c->queue, k->kernel, dims, NULL, global, local, 0, NULL, ev ? &event : NULL);
    if (err == CL_INVALID_WORK_GROUP_SIZE || err == CL_INVALID_WORK_ITEM_SIZE) {
        clGetKernelWorkGroupInfo(k->kernel, c->id, CL_KERNEL_WORK_GROUP_SIZE, sizeof most, &most, NULL);
        return gs__cl_fail(d, err, "kernel %s: groups of %zu x %zu x %zu items, this kernel allows %zu in all", k->name, local[0],
                           local[1], local[2], most);
    }
    if (err != CL_SUCCESS)
        return gs__cl_fail(d, err, "kernel %s, %zu x %zu x %zu groups of %zu x %zu x %zu", k->name, groups[0], groups[1], groups[2],
                           local[0], local[1], local[2]);
    if (ev) {
        *ev = gs_xalloc(sizeof **ev);
        **ev = (gs_event){.event = event, .device = d};
    }
    if (++c->unflushed >= FLUSH_EVERY) {
        clFlush(c->queue);
        c->unflushed = 0;
    }
    return GS_OK;
}

static gs_status cl_event_seconds(gs_event *e, double *seconds)
{
    cl_ulong start = 0, end = 0;
    cl_int err;

    *seconds = 0;
    if (!e) return GS_OK; /* of an empty launch */
    if (!e->device->profiling)
        return gs_fail(GS_EINVAL, "events carry no times: set GESSO_PROFILE=1 or GESSO_DEBUG=2, or call gs_device_profile");
    err = clWaitForEvents(1, &e->event);
    if (err == CL_SUCCESS) err = clGetEventProfilingInfo(e->event, CL_PROFILING_COMMAND_START, sizeof start, &start, NULL);
    if (err == CL_SUCCESS) err = clGetEventProfilingInfo(e->event, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL);
    if (err != CL_SUCCESS) return gs__cl_fail(e->device, err, "time of a launch");
    *seconds = end > start ? 1e-9 * (double)(end - start) : 0;
    return GS_OK;
}

static void cl_event_free(gs_event *e)
{
    if (!e) return;
    clReleaseEvent(e->event);
    free(e);
}

const gs_driver gs_driver_opencl = {
    .name = "opencl",
    .list = cl_list,
    .open = cl_open,
    .close = cl_close,
    .alloc = gs__cl_alloc,
    .free = gs__cl_free,
    .write = gs__cl_write,
    .read = gs__cl_read,
    .copy = gs__cl_copy,
    .fill = gs__cl_fill,
    .build = gs__cl_build,
    .free_program = gs__cl_free_program,
    .kernel = gs__cl_kernel,
    .free_kernel = gs__cl_free_kernel,
    .arg_buffer = gs__cl_arg_buffer,
    .arg_value = gs__cl_arg_value,
    .launch = cl_launch,
    .gemm_temp = gs__cl_gemm_temp,
    .gemm = gs__cl_gemm,
    .finish = cl_finish,
    .event_seconds = cl_event_seconds,
    .event_free = cl_event_free,
    .profile = cl_profile,
};
