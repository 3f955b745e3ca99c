/* Finding NVIDIA's libraries at run time. Nothing here is an error: a machine without them has OpenCL. */
#include "device/cuda_api.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

static gs_cuda_api cuda;
static gs_nvrtc_api nvrtc;
static gs_cublas_api cublas;
static bool have_cuda, have_nvrtc, have_cublas;
static int cuda_version;

static bool take(void *lib, const char *name, void *field, bool optional, const char *library)
{
    void *f = dlsym(lib, name);

    memcpy(field, &f, sizeof f); /* ISO C has no cast from object to function pointers */
    if (!f && !optional) gs_debug(1, "cuda: %s has no %s: too old", library, name);
    return f || optional;
}

static void *open_library(const char *name)
{
    void *lib = dlopen(name, RTLD_NOW | RTLD_LOCAL);

    if (!lib) gs_debug(1, "cuda: %s", dlerror());
    return lib;
}

/* "libnvrtc.so.12": the library for one major version of CUDA; NVRTC of CUDA 11 counts on its own from 11.2. */
static void *open_major(const char *stem, int major)
{
    const char *suffix = major == 11 && strstr(stem, "nvrtc") ? ".2" : "";
    gs_str name = {0};
    void *lib;

    gs_str_printf(&name, "%s.so.%d%s", stem, major, suffix);
    lib = open_library(name.data);
    if (!lib) { /* toolkits whose folder is not in the linker's list */
        name.len = 0;
        gs_str_printf(&name, "/usr/local/cuda/lib64/%s.so.%d%s", stem, major, suffix);
        lib = gs_file_exists(name.data) ? open_library(name.data) : NULL;
    }
    gs_str_free(&name);
    return lib;
}

static void *find_library(const char *env_name, const char *stem)
{
    enum { OLDEST = 11, NEWEST = 16 }; /* major versions to try; newer drivers take libraries of older ones */
    const char *env = getenv(env_name);
    const int driver = cuda_version ? cuda_version / 1000 : NEWEST;
    void *lib = NULL;

    if (env && *env) return open_library(env);
    for (int m = GS_MAX(driver, OLDEST); !lib && m >= OLDEST; m--) lib = open_major(stem, m);
    for (int m = driver + 1; !lib && m <= NEWEST; m++) lib = open_major(stem, m);
    return lib;
}

static void load_cuda(void)
{
    const char *env = getenv("GESSO_LIBCUDA"), *name = env && *env ? env : "libcuda.so.1", *text = NULL;
    void *lib = open_library(name);
    gs_cu_result err;
    bool ok = lib != NULL;

    if (!lib) return;
#define X(f, args) ok = take(lib, #f, &cuda.f, false, name) && ok;
    GS_CUDA_FUNCTIONS(X)
#undef X
#define X(f, args) take(lib, #f, &cuda.f, true, name);
    GS_CUDA_OPTIONAL(X)
#undef X
    if (!ok) return;
    err = cuda.cuInit(0);
    if (err == 0) err = cuda.cuDriverGetVersion(&cuda_version);
    have_cuda = err == 0;
    if (have_cuda) return;
    cuda.cuGetErrorString(err, &text);
    gs_debug(1, "cuda: %s does not start: %s (%d)", name, text ? text : "unknown error", err);
    cuda_version = 0;
}

const gs_cuda_api *gs__cu(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load_cuda);
    return have_cuda ? &cuda : NULL;
}

int gs__cu_version(void)
{
    gs__cu();
    return cuda_version;
}

static void load_nvrtc(void)
{
    void *lib;
    bool ok = true;

    gs__cu(); /* its version says which compiler suits */
    lib = find_library("GESSO_NVRTC", "libnvrtc");
    if (!lib) return;
#define X(f, args) ok = take(lib, #f, &nvrtc.f, false, "libnvrtc") && ok;
    GS_NVRTC_FUNCTIONS(X)
#undef X
    if (!ok || nvrtc.nvrtcVersion(&nvrtc.major, &nvrtc.minor) != 0) return;
    if (nvrtc.nvrtcGetNumSupportedArchs(&nvrtc.n_arch) != 0 || nvrtc.n_arch < 1 || nvrtc.n_arch > 1024) return;
    nvrtc.arch = gs_xalloc((size_t)nvrtc.n_arch * sizeof *nvrtc.arch);
    have_nvrtc = nvrtc.nvrtcGetSupportedArchs(nvrtc.arch) == 0;
}

const gs_nvrtc_api *gs__nvrtc(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load_nvrtc);
    return have_nvrtc ? &nvrtc : NULL;
}

static void load_cublas(void)
{
    void *lib;
    bool ok = true;

    gs__cu();
    lib = find_library("GESSO_CUBLAS", "libcublas");
    if (!lib) return;
#define X(f, args) ok = take(lib, #f, &cublas.f, false, "libcublas") && ok;
    GS_CUBLAS_FUNCTIONS(X)
#undef X
#define X(f, args) take(lib, #f, &cublas.f, true, "libcublas");
    GS_CUBLAS_OPTIONAL(X)
#undef X
    have_cublas = ok;
}

const gs_cublas_api *gs__cublas(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load_cublas);
    return have_cublas ? &cublas : NULL;
}
