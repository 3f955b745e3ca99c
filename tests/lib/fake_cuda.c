/* Starts the stand-in for NVIDIA's libraries; see the header. */
#include "command.h"

#include <dlfcn.h>
#include <stdlib.h>

#include "fake_cuda.h"

bool gs_test_cuda_start(struct fake_state **fake, gs_device_info **list, int *n)
{
    const char *path = gs_test_beside("fake_nvidia.so");
    void *lib = path ? dlopen(path, RTLD_NOW) : NULL;
    char *cache;
    int cap = 0;

    *list = NULL, *n = 0;
    *fake = lib ? dlsym(lib, "fake") : NULL;
    if (!*fake) {
        printf("%s: %s\n", path ? path : "/proc/self/exe", path ? dlerror() : "cannot be read");
        return false;
    }
    setenv("GESSO_LIBCUDA", path, 1);
    setenv("GESSO_NVRTC", path, 1);
    setenv("GESSO_CUBLAS", path, 1);
    unsetenv("GESSO_PROFILE");
    cache = gs_test_tmpdir();
    setenv("XDG_CACHE_HOME", cache, 1);
    free(cache);
    if (gs_driver_cuda.list(list, n, &cap) != GS_OK || *n != 3) {
        printf("the stand-in for the CUDA driver does not start\n");
        return false;
    }
    return true;
}
