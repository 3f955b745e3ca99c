/* The calls of NVIDIA's libraries that Gesso uses, declared here so that a build needs no CUDA headers. The
 * libraries are looked for when a device is first asked for; where there are none, nothing is missing but the
 * devices.
 *
 * One line a function: the libraries' own names are the fields' names, so a call reads gs__cu()->cuMemAlloc_v2(...). */
#ifndef GS_DEVICE_CUDA_API_H
#define GS_DEVICE_CUDA_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int gs_cu_result;      /* 0: done; every library has its own numbers */
typedef int gs_cu_device_id;
typedef uint64_t gs_cu_ptr;    /* device memory */
typedef struct gs_cu_context *gs_cu_context;
typedef struct gs_cu_stream *gs_cu_stream;
typedef struct gs_cu_event *gs_cu_event;
typedef struct gs_cu_module *gs_cu_module;
typedef struct gs_cu_function *gs_cu_function;
typedef struct gs_cu_pool *gs_cu_pool;
typedef struct gs_cu_graph *gs_cu_graph;
typedef struct gs_cu_graph_exec *gs_cu_graph_exec;
typedef struct gs_nvrtc_program *gs_nvrtc_program;
typedef struct gs_cublas_handle *gs_cublas_handle;

/* libcuda.so.1, the driver. Event times have a second version since CUDA 13; the first is kept and has the
 * same arguments. */
#define GS_CUDA_FUNCTIONS(X)                                                                                         \
    X(cuInit, (unsigned flags))                                                                                      \
    X(cuDriverGetVersion, (int *version))                                                                            \
    X(cuGetErrorName, (gs_cu_result err, const char **name))                                                         \
    X(cuGetErrorString, (gs_cu_result err, const char **text))                                                       \
    X(cuDeviceGetCount, (int *n))                                                                                    \
    X(cuDeviceGet, (gs_cu_device_id *d, int ordinal))                                                                \
    X(cuDeviceGetName, (char *name, int cap, gs_cu_device_id d))                                                     \
    X(cuDeviceTotalMem_v2, (size_t *bytes, gs_cu_device_id d))                                                       \
    X(cuDeviceGetAttribute, (int *value, int attribute, gs_cu_device_id d))                                          \
    X(cuDevicePrimaryCtxRetain, (gs_cu_context *c, gs_cu_device_id d))                                               \
    X(cuDevicePrimaryCtxRelease_v2, (gs_cu_device_id d))                                                             \
    X(cuCtxSetCurrent, (gs_cu_context c))                                                                            \
    X(cuStreamCreate, (gs_cu_stream *s, unsigned flags))                                                             \
    X(cuStreamDestroy_v2, (gs_cu_stream s))                                                                          \
    X(cuStreamSynchronize, (gs_cu_stream s))                                                                         \
    X(cuMemAlloc_v2, (gs_cu_ptr *p, size_t bytes))                                                                   \
    X(cuMemFree_v2, (gs_cu_ptr p))                                                                                   \
    X(cuMemAllocHost_v2, (void **p, size_t bytes))                                                                   \
    X(cuMemFreeHost, (void *p))                                                                                      \
    X(cuMemcpyHtoDAsync_v2, (gs_cu_ptr dst, const void *src, size_t bytes, gs_cu_stream s))                          \
    X(cuMemcpyDtoHAsync_v2, (void *dst, gs_cu_ptr src, size_t bytes, gs_cu_stream s))                                \
    X(cuMemcpyDtoDAsync_v2, (gs_cu_ptr dst, gs_cu_ptr src, size_t bytes, gs_cu_stream s))                            \
    X(cuMemsetD32Async, (gs_cu_ptr dst, unsigned word, size_t n, gs_cu_stream s))                                    \
    X(cuModuleLoadDataEx, (gs_cu_module *m, const void *image, unsigned n, int *options, void **values))             \
    X(cuModuleUnload, (gs_cu_module m))                                                                              \
    X(cuModuleGetFunction, (gs_cu_function *f, gs_cu_module m, const char *name))                                    \
    X(cuFuncGetAttribute, (int *value, int attribute, gs_cu_function f))                                             \
    X(cuLaunchKernel, (gs_cu_function f, unsigned gx, unsigned gy, unsigned gz, unsigned lx, unsigned ly, unsigned lz, \
                       unsigned shared, gs_cu_stream s, void **params, void **extra))                                \
    X(cuEventCreate, (gs_cu_event *e, unsigned flags))                                                               \
    X(cuEventRecord, (gs_cu_event e, gs_cu_stream s))                                                                \
    X(cuEventSynchronize, (gs_cu_event e))                                                                           \
    X(cuEventElapsedTime, (float *milliseconds, gs_cu_event start, gs_cu_event stop))                                \
    X(cuEventDestroy_v2, (gs_cu_event e))

/* Not in every driver (memory pools: 11.2; graphs in this form: 11.4; argument sizes: 12.4): the field is
 * NULL there. */
#define GS_CUDA_OPTIONAL(X)                                                                                          \
    X(cuDeviceGetDefaultMemPool, (gs_cu_pool *p, gs_cu_device_id d))                                                 \
    X(cuMemPoolSetAttribute, (gs_cu_pool p, int attribute, void *value))                                             \
    X(cuMemPoolTrimTo, (gs_cu_pool p, size_t keep))                                                                  \
    X(cuMemAllocAsync, (gs_cu_ptr *p, size_t bytes, gs_cu_stream s))                                                 \
    X(cuMemFreeAsync, (gs_cu_ptr p, gs_cu_stream s))                                                                 \
    X(cuFuncGetParamInfo, (gs_cu_function f, size_t index, size_t *offset, size_t *size))                            \
    X(cuStreamBeginCapture_v2, (gs_cu_stream s, int mode))                                                           \
    X(cuStreamEndCapture, (gs_cu_stream s, gs_cu_graph *g))                                                          \
    X(cuGraphInstantiateWithFlags, (gs_cu_graph_exec *e, gs_cu_graph g, unsigned long long flags))                   \
    X(cuGraphLaunch, (gs_cu_graph_exec e, gs_cu_stream s))                                                           \
    X(cuGraphExecDestroy, (gs_cu_graph_exec e))                                                                      \
    X(cuGraphDestroy, (gs_cu_graph g))

/* libnvrtc, the compiler; 11.2 and newer say what they compile for. */
#define GS_NVRTC_FUNCTIONS(X)                                                                                        \
    X(nvrtcVersion, (int *major, int *minor))                                                                        \
    X(nvrtcGetNumSupportedArchs, (int *n))                                                                           \
    X(nvrtcGetSupportedArchs, (int *list))                                                                           \
    X(nvrtcCreateProgram, (gs_nvrtc_program *p, const char *text, const char *name, int n, const char *const *headers, \
                           const char *const *names))                                                                \
    X(nvrtcCompileProgram, (gs_nvrtc_program p, int n, const char *const *options))                                  \
    X(nvrtcGetProgramLogSize, (gs_nvrtc_program p, size_t *size))                                                    \
    X(nvrtcGetProgramLog, (gs_nvrtc_program p, char *log))                                                           \
    X(nvrtcGetPTXSize, (gs_nvrtc_program p, size_t *size))                                                           \
    X(nvrtcGetPTX, (gs_nvrtc_program p, char *ptx))                                                                  \
    X(nvrtcGetCUBINSize, (gs_nvrtc_program p, size_t *size))                                                         \
    X(nvrtcGetCUBIN, (gs_nvrtc_program p, char *cubin))                                                              \
    X(nvrtcDestroyProgram, (gs_nvrtc_program *p))

/* libcublas. */
#define GS_CUBLAS_FUNCTIONS(X)                                                                                       \
    X(cublasCreate_v2, (gs_cublas_handle *h))                                                                        \
    X(cublasDestroy_v2, (gs_cublas_handle h))                                                                        \
    X(cublasSetStream_v2, (gs_cublas_handle h, gs_cu_stream s))                                                      \
    X(cublasSetMathMode, (gs_cublas_handle h, int mode))                                                             \
    X(cublasSgemm_v2, (gs_cublas_handle h, int ta, int tb, int m, int n, int k, const float *alpha, const float *a, int lda, \
                       const float *b, int ldb, const float *beta, float *c, int ldc))                               \
    X(cublasSgemmStridedBatched, (gs_cublas_handle h, int ta, int tb, int m, int n, int k, const float *alpha, const float *a, \
                                  int lda, long long sa, const float *b, int ldb, long long sb, const float *beta, float *c, \
                                  int ldc, long long sc, int batch))

/* NULL where a cuBLAS lacks it. */
#define GS_CUBLAS_OPTIONAL(X)                                                                                        \
    X(cublasSetWorkspace_v2, (gs_cublas_handle h, void *memory, size_t bytes))

#define X(name, args) gs_cu_result (*name) args;
typedef struct gs_cuda_api {
    GS_CUDA_FUNCTIONS(X)
    GS_CUDA_OPTIONAL(X)
} gs_cuda_api;
typedef struct gs_nvrtc_api {
    GS_NVRTC_FUNCTIONS(X)
    int major, minor;    /* version */
    int *arch, n_arch;   /* what it compiles for: 75, 80, ... in rising order */
} gs_nvrtc_api;
typedef struct gs_cublas_api {
    GS_CUBLAS_FUNCTIONS(X)
    GS_CUBLAS_OPTIONAL(X)
} gs_cublas_api;
#undef X

/* Each is loaded once a process and stays; NULL where it is not there, and GESSO_DEBUG=1 says why. The path
 * of a library can be given in $GESSO_LIBCUDA, $GESSO_NVRTC, $GESSO_CUBLAS; then no other is tried. Compiler
 * and cuBLAS are looked for with the driver's major version first, then older ones (which newer drivers run),
 * then newer ones. */
const gs_cuda_api *gs__cu(void);
const gs_nvrtc_api *gs__nvrtc(void);
const gs_cublas_api *gs__cublas(void);
/* CUDA version that the driver speaks, 12040 for 12.4; 0 without a driver. */
int gs__cu_version(void);

enum { /* numbers of the driver's interface */
    GS_CU_OUT_OF_MEMORY = 2, GS_CU_NO_DEVICE = 100, GS_CU_NO_BINARY = 209, GS_CU_UNSUPPORTED_PTX = 222, GS_CU_NOT_FOUND = 500,
    GS_CU_LAUNCH_OUT_OF_RESOURCES = 701,
    GS_CU_ATTR_MAX_THREADS = 1, GS_CU_ATTR_BLOCK_X = 2, GS_CU_ATTR_GRID_X = 5, GS_CU_ATTR_SHARED_MEMORY = 8, GS_CU_ATTR_CLOCK_KHZ = 13,
    GS_CU_ATTR_PROCESSORS = 16, GS_CU_ATTR_COMPUTE_MODE = 20, GS_CU_ATTR_MAJOR = 75, GS_CU_ATTR_MINOR = 76, GS_CU_ATTR_POOLS = 115,
    GS_CU_MODE_PROHIBITED = 2,
    GS_CU_POOL_RELEASE_THRESHOLD = 4,
    GS_CU_FUNC_MAX_THREADS = 0,
    GS_CU_CAPTURE_RELAXED = 2,
    GS_CU_STREAM_NON_BLOCKING = 1, GS_CU_EVENT_NO_TIMING = 2,
    GS_CU_JIT_ERROR_LOG = 5, GS_CU_JIT_ERROR_LOG_SIZE = 6,
    GS_CUBLAS_OP_N = 0, GS_CUBLAS_OP_T = 1, GS_CUBLAS_DEFAULT_MATH = 0, GS_CUBLAS_TF32_MATH = 3,
};

#endif
