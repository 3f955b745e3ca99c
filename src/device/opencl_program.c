/* OpenCL programs and kernels: dialect.h and the source are built together, or loaded from the disk cache of
 * binaries where the driver has none. */
#include "device/opencl_int.h"

#include <stdlib.h>
#include <string.h>

/* What a binary depends on. Two drivers of one device, or two versions of one driver, must never share an entry. */
static uint64_t cache_key(const gs_device *d, const gs_str *text, const char *options)
{
    const char *const part[] = {GS_VERSION, d->info.platform, d->info.vendor, d->info.name, d->info.driver, d->info.version, options};
    uint64_t key = gs_hash64(text->data, text->len, 0);

    for (size_t i = 0; i < GS_COUNT(part); i++) key = gs_hash64(part[i], strlen(part[i]) + 1, key);
    return key;
}

/* PoCL keeps what it compiles in a cache of its own, by source. Asked for a program's binary it compiles each of its kernels, also those that
 * nobody launches, once more for groups of any size: more than half of the work of a cold start, for kernels that never run.
 * GESSO_ON=binaries asks all the same: later starts then save the preprocessor, about 25 ms a program. */
static bool keeps_its_own(const gs_device *d)
{
    return gs__is_pocl(d) && !gs_lists(getenv("GESSO_ON"), "binaries");
}

static cl_program from_cache(gs_cl_device *c, uint64_t key, const char *label, const char *options)
{
    uint8_t *data;
    size_t size;
    cl_int err, binary = CL_SUCCESS;
    cl_program program;

    if (!gs_cache_get(key, &data, &size)) return NULL;
    program = clCreateProgramWithBinary(c->context, 1, &c->id, &size, (const unsigned char **)&data, &binary, &err);
    free(data);
    if (err == CL_SUCCESS && binary == CL_SUCCESS) err = clBuildProgram(program, 1, &c->id, options, NULL, NULL);
    if (err == CL_SUCCESS && binary == CL_SUCCESS) return program;
    gs_debug(1, "opencl: %s: the driver refuses the cached binary (%s); building again", label, gs__cl_error_name(err ? err : binary));
    if (program) clReleaseProgram(program);
    return NULL;
}

static void to_cache(cl_program program, uint64_t key)
{
    size_t size = 0;
    cl_uint n = 0;
    unsigned char *data;

    if (clGetProgramInfo(program, CL_PROGRAM_NUM_DEVICES, sizeof n, &n, NULL) != CL_SUCCESS || n != 1) return;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, NULL) != CL_SUCCESS || size == 0) return;
    data = malloc(size);
    if (data && clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof data, &data, NULL) == CL_SUCCESS) gs_cache_put(key, data, size);
    free(data);
}

static char *build_log(gs_cl_device *c, cl_program program)
{
    size_t n = 0;
    char *log;

    if (clGetProgramBuildInfo(program, c->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &n) != CL_SUCCESS || n == 0 || n > (size_t)64 << 20)
        return gs_xalloc(1);
    log = gs_xalloc(n + 1);
    if (clGetProgramBuildInfo(program, c->id, CL_PROGRAM_BUILD_LOG, n, log, NULL) != CL_SUCCESS) log[0] = '\0';
    return log;
}

static gs_status from_source(gs_cl_device *c, const char *label, const gs_str *text, const char *options, cl_program *out)
{
    const gs_device *d = &c->base;
    const char *source = text->data;
    gs_status st = GS_OK;
    char *log = NULL;
    cl_int err;
    cl_program program = clCreateProgramWithSource(c->context, 1, &source, &text->len, &err);

    if (err != CL_SUCCESS) return gs__cl_fail(d, err, "%s: cannot make a program", label);
    err = clBuildProgram(program, 1, &c->id, options, NULL, NULL);
    log = build_log(c, program);
    if (err != CL_SUCCESS) {
        gs_debug(1, "opencl: %s: build log:\n%s", label, log);
        gs__log_head(log);
        st = err == CL_COMPILER_NOT_AVAILABLE
                 ? gs_fail(GS_EBUILD, "%s does not build on device \"%s\" (%s, driver %s): CL_COMPILER_NOT_AVAILABLE: the driver has "
                           "no compiler, and Gesso builds its kernels from source; install the driver's compiler, or choose "
                           "another device (gesso devices)", label, d->info.name, d->info.id, d->info.driver)
                 : gs_fail(GS_EBUILD, "%s does not build on device \"%s\" (driver %s, options \"%s\"): %s%s%s", label,
                           d->info.name, d->info.driver, options, gs__cl_error_name(err), *log ? "\n" : "", log);
        clReleaseProgram(program);
        program = NULL;
    } else if (strstr(log, "warning")) {
        gs_debug(1, "opencl: %s: build log:\n%s", label, log);
    }
    free(log);
    *out = program;
    return st;
}

/* Does source call what cl/math_cpu.h has? Most programs do not, and are built without it. */
static bool calls_math(const char *source)
{
    return strstr(source, "exp(") || strstr(source, "tanh(") || strstr(source, "log(") || strstr(source, "log1p(");
}

gs_status gs__cl_build(gs_device *d, const char *label, const char *source, const char *options, gs_program **out)
{
    gs_cl_device *c = gs__cl(d);
    gs_status st = GS_OK;
    gs_str text = {0};
    char *dialect = NULL, *math = NULL;
    cl_program program = NULL;
    const double start = gs_now();
    const char *how = "cached";
    const bool cached = !keeps_its_own(d);
    uint64_t key;

    *out = NULL;
    if (!options) options = "";
    TRY(gs_kernel_text("dialect.h", &dialect));
    if (gs__cpu_forms(&d->info) && calls_math(source)) TRY(gs_kernel_text("math_cpu.h", &math));
    gs_str_printf(&text, "#line 1 \"dialect.h\"\n%s\n", dialect);
    if (math) gs_str_printf(&text, "#line 1 \"math_cpu.h\"\n%s\n", math);
    gs_str_printf(&text, "#line 1 \"%s\"\n", label);
    gs_str_append(&text, source, strlen(source));
    gs_debug(4, "---- %s %s\n%s----", label, options, source);
    key = cache_key(d, &text, options);
    program = cached ? from_cache(c, key, label, options) : NULL;
    if (!program) {
        how = "built";
        TRY(gs__pocl_room(d, label));
        TRY(from_source(c, label, &text, options, &program));
        if (cached) to_cache(program, key);
    }
    gs_debug(2, "opencl: %s %s: %s in %.0f ms", label, options, how, 1e3 * (gs_now() - start));
    *out = gs_xalloc(sizeof **out);
    (*out)->program = program;
    (*out)->label = gs_xstrdup(label);
done:
    gs_str_free(&text);
    free(dialect);
    free(math);
    return st;
}

void gs__cl_free_program(gs_device *d, gs_program *p)
{
    (void)d;
    if (!p) return;
    clReleaseProgram(p->program);
    free(p->label);
    free(p);
}

gs_status gs__cl_kernel(gs_device *d, gs_program *p, const char *name, gs_kernel **out)
{
    cl_int err;
    const cl_kernel kernel = clCreateKernel(p->program, name, &err);

    *out = NULL;
    if (err != CL_SUCCESS) return gs__cl_fail(d, err, "%s: kernel \"%s\"", p->label, name);
    *out = gs_xalloc(sizeof **out);
    (*out)->kernel = kernel;
    (*out)->device = d;
    (*out)->name = gs_xstrdup(name);
    return GS_OK;
}

void gs__cl_free_kernel(gs_device *d, gs_kernel *k)
{
    (void)d;
    if (!k) return;
    clReleaseKernel(k->kernel);
    free(k->name);
    free(k);
}

gs_status gs__cl_arg_value(gs_kernel *k, int index, size_t size, const void *value)
{
    const cl_int err = clSetKernelArg(k->kernel, (cl_uint)index, size, value);

    return err == CL_SUCCESS ? GS_OK : gs__cl_fail(k->device, err, "kernel %s: argument %d of %zu bytes", k->name, index, size);
}

gs_status gs__cl_arg_buffer(gs_kernel *k, int index, gs_buffer *b)
{
    return gs__cl_arg_value(k, index, sizeof b->mem, &b->mem);
}
