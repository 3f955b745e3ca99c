/* CUDA programs and kernels: dialect.h and the source are compiled by NVRTC together, or loaded from the disk
 * cache; a kernel keeps its arguments, which CUDA itself takes anew at each launch and does not check. */
#include "device/cuda_int.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_ARGS = 1024, JIT_LOG = 8192 }; /* 4 KiB of arguments is CUDA's limit, so more than 1024 cannot be */

/* What machine code depends on; PTX too, since the driver may refuse what a newer compiler wrote. */
static uint64_t cache_key(gs_device *d, const gs_str *text, const char *options)
{
    const gs_cu_dev *c = gs__cud(d);
    const char *fmad = getenv("GESSO_CUDA_FMAD");
    const char *const part[] = {GS_VERSION, "cuda", d->info.name, d->info.driver, d->info.version, fmad ? fmad : "", options};
    uint64_t key = gs_hash64(text->data, text->len, 0);

    for (size_t i = 0; i < GS_COUNT(part); i++) key = gs_hash64(part[i], strlen(part[i]) + 1, key);
    return gs_hash64(&c->arch, sizeof c->arch, key) ^ (uint64_t)c->ptx;
}

static gs_cu_result load_module(const void *code, gs_cu_module *module, char log[JIT_LOG])
{
    int option[] = {GS_CU_JIT_ERROR_LOG, GS_CU_JIT_ERROR_LOG_SIZE};
    void *value[] = {log, (void *)(uintptr_t)JIT_LOG};
    gs_cu_result err;

    log[0] = '\0';
    err = gs__cu()->cuModuleLoadDataEx(module, code, GS_COUNT(option), option, value);
    log[JIT_LOG - 1] = '\0';
    return err;
}

static gs_cu_module from_cache(gs_device *d, uint64_t key, const char *label)
{
    uint8_t *data;
    size_t size;
    gs_cu_module module = NULL;
    char log[JIT_LOG];
    gs_cu_result err;

    if (!gs_cache_get(key, &data, &size)) return NULL;
    err = gs__cud(d)->ptx && data[size - 1] != '\0' ? GS_CU_NO_BINARY : load_module(data, &module, log);
    free(data);
    if (err == 0) return module;
    gs_debug(1, "cuda: %s: the driver refuses the cached code (error %d); building again", label, err);
    return NULL;
}

static gs_status load_fail(gs_device *d, const char *label, gs_cu_result err, char *log)
{
    const gs_nvrtc_api *r = gs__nvrtc();
    const bool versions = err == GS_CU_NO_BINARY || err == GS_CU_UNSUPPORTED_PTX;
    const char *name = NULL;

    gs__cu()->cuGetErrorName(err, &name);
    gs__log_head(log);
    return gs_fail(GS_EBUILD, "%s: device \"%s\" (driver %s) refuses the code that NVRTC %d.%d made: %s%s%s%s", label, d->info.name,
                   d->info.driver, r->major, r->minor, name ? name : "unknown error", versions ? "; is the compiler newer than the driver? "
                   "GESSO_NVRTC=path of libnvrtc.so picks another" : "", *log ? "\n" : "", log);
}

static gs_status from_source(gs_device *d, const char *label, const gs_str *text, const char *options, uint64_t key, gs_cu_module *out)
{
    gs_cu_dev *c = gs__cud(d);
    gs_nvrtc_code code = {0};
    char log[JIT_LOG];
    gs_status st = gs__nvrtc_compile(label, text->data, options, c->arch, c->ptx, &code);
    gs_cu_result err;

    if (st != GS_OK && code.log) {
        gs_debug(1, "cuda: %s: build log:\n%s", label, code.log);
        gs__log_head(code.log);
        st = gs_fail(GS_EBUILD, "%s does not build on device \"%s\" (driver %s, NVRTC %d.%d, options \"%s\")%s%s", label, d->info.name,
                     d->info.driver, gs__nvrtc()->major, gs__nvrtc()->minor, options, *code.log ? "\n" : "", code.log);
    }
    TRY(st);
    if (strstr(code.log, "warning")) gs_debug(1, "cuda: %s: build log:\n%s", label, code.log);
    err = load_module(code.code, out, log);
    TRY(err == 0 ? GS_OK : load_fail(d, label, err, log));
    gs_cache_put(key, code.code, code.size);
done:
    gs__nvrtc_code_free(&code);
    return st;
}

gs_status gs__cu_build(gs_device *d, const char *label, const char *source, const char *options, gs_program **out)
{
    gs_status st = GS_OK;
    gs_str text = {0};
    char *dialect = NULL;
    gs_cu_module module = NULL;
    const double start = gs_now();
    const char *how = "cached";
    uint64_t key;

    *out = NULL;
    if (!options) options = "";
    TRY(gs__cu_enter(d));
    TRY(gs_kernel_text("dialect.h", &dialect));
    gs_str_printf(&text, "#line 1 \"dialect.h\"\n%s\n#line 1 \"%s\"\n", dialect, label);
    gs_str_append(&text, source, strlen(source));
    gs_debug(4, "---- %s %s\n%s----", label, options, source);
    key = cache_key(d, &text, options);
    module = from_cache(d, key, label);
    if (!module) {
        how = "built";
        TRY(from_source(d, label, &text, options, key, &module));
    }
    gs_debug(2, "cuda: %s %s: %s in %.0f ms", label, options, how, 1e3 * (gs_now() - start));
    *out = gs_xalloc(sizeof **out);
    (*out)->module = module;
    (*out)->label = gs_xstrdup(label);
done:
    gs_str_free(&text);
    free(dialect);
    return st;
}

void gs__cu_free_program(gs_device *d, gs_program *p)
{
    if (!p) return;
    if (gs__cu_enter(d) == GS_OK) gs__cu()->cuModuleUnload(p->module);
    free(p->label);
    free(p);
}

/* ---- kernels ---- */

static void grow_args(gs_kernel *k, int n)
{
    int cap = k->cap;

    if (n <= cap) return;
    while (cap < n) cap = cap ? 2 * cap : 8;
    k->size = gs_xrealloc(k->size, (size_t)cap * sizeof *k->size);
    k->set = gs_xrealloc(k->set, (size_t)cap * sizeof *k->set);
    k->value = gs_xrealloc(k->value, (size_t)cap * sizeof *k->value);
    k->param = gs_xrealloc(k->param, (size_t)cap * sizeof *k->param);
    for (int i = k->cap; i < cap; i++) {
        k->size[i] = 0;
        k->set[i] = false;
        k->value[i] = 0;
    }
    for (int i = 0; i < cap; i++) k->param[i] = &k->value[i];
    k->cap = cap;
}

gs_status gs__cu_kernel(gs_device *d, gs_program *p, const char *name, gs_kernel **out)
{
    const gs_cuda_api *cu = gs__cu();
    gs_cu_function f;
    gs_cu_result err;
    gs_kernel *k;
    size_t offset, size;

    *out = NULL;
    if (gs__cu_enter(d) != GS_OK) return GS_EDEVICE;
    err = cu->cuModuleGetFunction(&f, p->module, name);
    if (err == GS_CU_NOT_FOUND) return gs_fail(GS_EBUILD, "device \"%s\": %s: kernel \"%s\" is not in it", d->info.name, p->label, name);
    if (err != 0) return gs__cu_fail(d, err, "%s: kernel \"%s\"", p->label, name);
    k = gs_xalloc(sizeof *k);
    k->function = f;
    k->device = d;
    k->name = gs_xstrdup(name);
    if (cu->cuFuncGetAttribute(&k->max_threads, GS_CU_FUNC_MAX_THREADS, f) != 0) k->max_threads = (int)d->info.max_group;
    while (cu->cuFuncGetParamInfo && k->n < MAX_ARGS && cu->cuFuncGetParamInfo(f, (size_t)k->n, &offset, &size) == 0) {
        grow_args(k, k->n + 1);
        k->size[k->n++] = size;
        k->sized = true;
    }
    *out = k;
    return GS_OK;
}

void gs__cu_free_kernel(gs_device *d, gs_kernel *k)
{
    (void)d;
    if (!k) return;
    free(k->size);
    free(k->set);
    free(k->value);
    free(k->param);
    free(k->name);
    free(k);
}

gs_status gs__cu_arg_value(gs_kernel *k, int index, size_t size, const void *value)
{
    if (index < 0 || index >= (k->sized ? k->n : MAX_ARGS))
        return gs_fail(GS_EDEVICE, "device \"%s\": kernel %s: it has no argument %d", k->device->info.name, k->name, index);
    grow_args(k, index + 1);
    if (size == 0 || size > sizeof *k->value || (k->size[index] && k->size[index] != size))
        return gs_fail(GS_EDEVICE, "device \"%s\": kernel %s: argument %d is given %zu bytes, it has %zu", k->device->info.name, k->name,
                       index, size, k->size[index] ? k->size[index] : sizeof *k->value);
    memcpy(&k->value[index], value, size);
    k->set[index] = true;
    k->n = GS_MAX(k->n, index + 1);
    return GS_OK;
}

gs_status gs__cu_arg_buffer(gs_kernel *k, int index, gs_buffer *b)
{
    return gs__cu_arg_value(k, index, sizeof b->mem, &b->mem);
}

/* The driver reads as many arguments as the kernel has, without asking how many there are. */
gs_status gs__cu_args_complete(const gs_kernel *k)
{
    for (int i = 0; i < k->n; i++)
        if (!k->set[i])
            return gs_fail(GS_EDEVICE, "device \"%s\": kernel %s: argument %d of %d is not set", k->device->info.name, k->name, i, k->n);
    return GS_OK;
}
