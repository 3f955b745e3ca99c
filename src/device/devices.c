/* The table of drivers, the list of devices, and which one a name means. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "device/device.h"
#include "device/tuning.h"

const gs_driver *const gs_drivers[] = {
#ifdef GS_CUDA
    &gs_driver_cuda,
#endif
    &gs_driver_opencl,
    &gs_driver_null,
    NULL,
};

enum { LISTED = 8 }; /* devices that a message names */

gs_status gs_devices(gs_device_info **list, int *n)
{
    int cap = 0;

    *list = NULL;
    *n = 0;
    for (const gs_driver *const *drv = gs_drivers; *drv; drv++) {
        const gs_status st = (*drv)->list(list, n, &cap);

        if (st == GS_OK) continue;
        free(*list);
        *list = NULL;
        *n = 0;
        return st;
    }
    return GS_OK;
}

/* Drivers that are known to compute wrong results; they are opened when named, but never chosen. */
static bool distrusted(const gs_device_info *d)
{
    return !strcasecmp(d->platform, "Clover") || strcasestr(d->platform, "beignet");
}

static int rank(const gs_device_info *d)
{
    return d->kind == GS_GPU ? 2 : d->kind == GS_ACCELERATOR ? 1 : 0;
}

static double speed(const gs_device_info *d)
{
    return (double)GS_MAX(d->compute_units, 1) * GS_MAX(d->clock_mhz, 1) * GS_MAX(d->vector_width, 1);
}

static bool better(const gs_device_info *a, const gs_device_info *b)
{
    if (!b) return true;
    if (distrusted(a) != distrusted(b)) return distrusted(b);
    if (a->compiler != b->compiler) return a->compiler;
    if (rank(a) != rank(b)) return rank(a) > rank(b);
    return speed(a) > speed(b);
}

/* How well a device answers to a name: 0 not at all. An id counts alone; a part of a name before a part of the rest. */
static int match(const gs_device_info *d, const char *spec)
{
    if (!*spec) return d->compiler && !distrusted(d);
    if (!strcasecmp(d->id, spec)) return 3;
    if (!strcasecmp(spec, "cpu")) return d->kind == GS_CPU ? 2 : 0;
    if (!strcasecmp(spec, "gpu")) return d->kind == GS_GPU ? 2 : 0;
    if (!strncasecmp(spec, "opencl:", 7) || !strncasecmp(spec, "cuda:", 5)) return 0;
    if (strcasestr(d->name, spec)) return 2;
    return strcasestr(d->vendor, spec) || strcasestr(d->platform, spec) ? 1 : 0;
}

static gs_status no_such(const char *spec, const gs_device_info *list, int n)
{
#ifdef GS_CUDA
    const char *const cuda = "no NVIDIA driver answers to it (GESSO_DEBUG=1 says what is missing); ";
#else
    const char *const cuda = "this build has no CUDA (make CUDA=1); ";
#endif
    gs_str text = {0};
    gs_status st;

    if (*spec) gs_str_printf(&text, "no device \"%s\"; ", spec);
    else gs_str_printf(&text, "no usable device; ");
    if (!strncasecmp(spec, "cuda", 4)) gs_str_printf(&text, "%s", cuda);
    if (n == 0)
        gs_str_printf(&text, "OpenCL shows none: install a driver (for CPUs on Debian: pocl-opencl-icd) and see what clinfo says");
    else
        gs_str_printf(&text, "there %s ", n == 1 ? "is" : "are");
    for (int i = 0; i < n && i < LISTED; i++) gs_str_printf(&text, "%s%s (%s)", i ? ", " : "", list[i].id, list[i].name);
    if (n > LISTED) gs_str_printf(&text, " and %d more", n - LISTED);
    st = gs_fail(GS_EDEVICE, "%s", gs_str_c(&text));
    gs_str_free(&text);
    return st;
}

static const gs_driver *driver_of(const char *id)
{
    for (const gs_driver *const *drv = gs_drivers; *drv; drv++) {
        const size_t len = strlen((*drv)->name);

        if (!strncmp(id, (*drv)->name, len) && (id[len] == ':' || id[len] == '\0')) return *drv;
    }
    return NULL;
}

static gs_status open_info(const gs_device_info *info, gs_device **out)
{
    const gs_driver *drv = driver_of(info->id);
    gs_device *d;
    gs_status st;
    char memory[32];

    if (!info->compiler)
        return gs_fail(GS_EDEVICE, "device %s (\"%s\", driver %s): %s", info->id, info->name, info->driver, drv->no_compiler ?
                       drv->no_compiler : "it is switched off or its driver has no compiler; Gesso builds its kernels from source");
    st = drv->open(info, &d);
    if (st != GS_OK) return st;
    if (!d->drv) d->drv = drv; /* a driver may have a table for each kind of its devices */
    gs_debug(1, "device %s: %s, %s, driver %s, %d units at %d MHz, %s, groups up to %zu, local memory %s", d->info.id, d->info.name,
             d->info.platform, d->info.driver, d->info.compute_units, d->info.clock_mhz, gs_bytes_text(memory, (double)d->info.memory),
             d->info.max_group, d->info.local_is_global ? "is ordinary memory" : "is its own");
    *out = d;
    return GS_OK;
}

/* The device that a name means: the best of those that answer best; -1: none. */
static int best_of(const gs_device_info *list, int n, const char *spec)
{
    int best = -1, best_match = 1;

    for (int i = 0; i < n; i++) {
        const int m = match(&list[i], spec);

        if (m > best_match || (m == best_match && better(&list[i], best >= 0 ? &list[best] : NULL))) {
            best = i;
            best_match = m;
        }
    }
    return best;
}

/* Who named no device is better served by the next one than by none. Shortens the list. */
static gs_status open_best(gs_device_info *list, int n, const char *spec, gs_device **out)
{
    const int best = best_of(list, n, spec);
    gs_status st = best >= 0 ? open_info(&list[best], out) : no_such(spec, list, n);
    char *why;

    if (st == GS_OK || best < 0 || *spec) return st;
    why = gs_xstrdup(gs_last_error());
    memmove(&list[best], &list[best + 1], (size_t)(n - 1 - best) * sizeof *list);
    if (best_of(list, n - 1, spec) >= 0 && open_best(list, n - 1, spec, out) == GS_OK) {
        gs_warn("%s; %s is used in its place", why, (*out)->info.id);
        st = GS_OK;
    } else {
        gs_fail(st, "%s", why);
    }
    free(why);
    return st;
}

gs_status gs_device_open(const char *spec, gs_device **out)
{
    gs_device_info *list = NULL;
    gs_status st;
    int n;

    *out = NULL;
    if (!spec || !*spec) spec = getenv("GESSO_DEVICE");
    if (!spec) spec = "";
    if (!strcasecmp(spec, "null") || !strcasecmp(spec, "null:cpu")) {
        const gs_device_info info = {.id = "null", .compiler = true}, cpu = {.id = "null:cpu", .compiler = true};

        return open_info(spec[4] ? &cpu : &info, out);
    }
    st = gs_devices(&list, &n);
    if (st == GS_OK) st = open_best(list, n, spec, out);
    free(list);
    return st;
}

void gs_device_close(gs_device *d)
{
    if (!d) return;
    d->drv->finish(d);
    gs__programs_free(d);
    gs__tuning_free(d);
    d->drv->close(d);
}

const gs_device_info *gs_device_get_info(const gs_device *d)
{
    return &d->info;
}

gs_status gs_device_profile(gs_device *d, bool on)
{
    if (d->drv->profile) return d->drv->profile(d, on);
    return gs_fail(GS_EDEVICE, "device %s: its driver gives no times of launches", d->info.id);
}

gs_status gs_device_set_math(gs_device *d, gs_math math)
{
    if (d->drv->set_math) return d->drv->set_math(d, math);
    if (math == GS_MATH_FP32) return GS_OK;
    return gs_fail(GS_EDEVICE, "device %s (\"%s\"): TF32 is for CUDA devices (cuda:N) of sm_80 and newer", d->info.id, d->info.name);
}

gs_status gs__device_room(const gs_device *d, size_t bytes)
{
    char want[32], have[32], used[32];

    gs_bytes_text(want, (double)bytes);
    if (d->info.max_alloc && bytes > d->info.max_alloc)
        return gs_fail(GS_ELIMIT, "device \"%s\": a buffer of %s is wanted, its largest is %s", d->info.name, want,
                       gs_bytes_text(have, (double)d->info.max_alloc));
    if (d->info.memory && (bytes > d->info.memory || d->allocated > d->info.memory - bytes))
        return gs_fail(GS_ENOMEM, "device \"%s\": a buffer of %s is wanted, %s of its %s are in use", d->info.name, want,
                       gs_bytes_text(used, (double)d->allocated), gs_bytes_text(have, (double)d->info.memory));
    return GS_OK;
}

void gs__device_took(gs_device *d, size_t bytes)
{
    d->allocated += bytes;
    d->peak = GS_MAX(d->peak, d->allocated);
}

gs_status gs__in_range(size_t size, size_t offset, size_t bytes, const char *what)
{
    if (offset <= size && bytes <= size - offset) return GS_OK;
    return gs_fail(GS_EINVAL, "%s of %zu bytes at %zu: the buffer has %zu", what, bytes, offset, size);
}
