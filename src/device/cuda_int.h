/* Shared by cuda.c (devices, launches), cuda_memory.c, cuda_program.c (building), cuda_nvrtc.c (compiling),
 * cuda_gemm.c (cuBLAS) and cuda_graph.c (recorded work). */
#ifndef GS_DEVICE_CUDA_INT_H
#define GS_DEVICE_CUDA_INT_H

#include "device/cuda_api.h"
#include "device/device.h"

#define GS_CU_SLOTS 8                      /* pieces of memory transfers in flight */
#define GS_CU_SLOT_BYTES ((size_t)2 << 20) /* of pinned memory, at most; larger transfers go in pieces */

struct gs_buffer {
    gs_cu_ptr mem;
    size_t bytes;
};

struct gs_program {
    gs_cu_module module;
    char *label;
};

struct gs_kernel {
    gs_cu_function function;
    gs_device *device;
    char *name;
    int max_threads;     /* of a group; registers may allow fewer than the device */
    int n;               /* arguments; those set so far where the driver does not tell (sized is false) */
    int cap;
    bool sized;          /* n and size[] are known from the driver */
    size_t *size;        /* bytes of each argument; 0: not known */
    bool *set;
    uint64_t *value;     /* an argument each, of at most 8 bytes */
    void **param;        /* to the values */
};

struct gs_event {
    gs_device *device;
    gs_cu_event start, stop; /* start: NULL without times */
};

typedef struct gs_cu_slot { /* pinned host memory */
    void *data;
    size_t cap;
    gs_cu_event event;
    bool busy; /* until event */
} gs_cu_slot;

typedef struct gs_cu_dev {
    gs_device base;
    gs_cu_device_id id;
    gs_cu_context context;
    gs_cu_stream stream;
    gs_cu_pool pool;          /* NULL: memory comes from cuMemAlloc */
    gs_cu_slot slot[GS_CU_SLOTS];
    int next_slot;
    int capability, arch;     /* 86; what NVRTC compiles for, arch <= capability */
    bool ptx;                 /* arch is older than the device: the driver compiles the rest of the way */
    int max_local[3];
    size_t max_groups[3];
    gs_cublas_handle blas;    /* made when a product is first planned */
    gs_buffer *blas_memory;   /* cuBLAS's workspace; NULL: it takes its own */
    gs_math math;
    bool no_blas;             /* it was asked for and is not to be had */
} gs_cu_dev;

static inline gs_cu_dev *gs__cud(gs_device *d) { return (gs_cu_dev *)d; }

/* Makes the device's context the thread's current one; it stays so. */
gs_status gs__cu_enter(gs_device *d);
/* "<device>: <what>: <error>" with what it means to the user where that is known; returns the status that fits err. */
gs_status gs__cu_fail(const gs_device *d, gs_cu_result err, const char *what, ...) __attribute__((format(printf, 3, 4)));
/* Events around work: begin before it, end after it. ev NULL: nothing. */
gs_status gs__cu_event_begin(gs_device *d, gs_event **ev);
gs_status gs__cu_event_end(gs_device *d, gs_event **ev);
void gs__cu_event_free(gs_event *e);

/* cuda_nvrtc.c: `text` is dialect.h and the source. On failure code is NULL; the log is there if the compiler
 * spoke. Free both ways. */
typedef struct gs_nvrtc_code {
    char *code;   /* cubin, or PTX ending with NUL */
    size_t size;
    char *log;
} gs_nvrtc_code;
gs_status gs__nvrtc_compile(const char *label, const char *text, const char *options, int arch, bool ptx, gs_nvrtc_code *out);
void gs__nvrtc_code_free(gs_nvrtc_code *c);
/* The architecture to compile for; 0 when this NVRTC knows none that the device can run. ptx: not machine
 * code but PTX. */
int gs__nvrtc_target(int capability, bool *ptx);

/* cuda_memory.c */
gs_status gs__cu_alloc(gs_device *d, size_t bytes, gs_buffer **out);
void gs__cu_free(gs_device *d, gs_buffer *b);
gs_status gs__cu_write(gs_device *d, gs_buffer *b, size_t offset, const void *src, size_t bytes);
gs_status gs__cu_read(gs_device *d, gs_buffer *b, size_t offset, void *dst, size_t bytes);
gs_status gs__cu_copy(gs_device *d, gs_buffer *dst, size_t dst_offset, gs_buffer *src, size_t src_offset, size_t bytes);
gs_status gs__cu_fill(gs_device *d, gs_buffer *b, size_t offset, uint32_t word, size_t bytes);

/* cuda_program.c */
gs_status gs__cu_build(gs_device *d, const char *label, const char *source, const char *options, gs_program **out);
void gs__cu_free_program(gs_device *d, gs_program *p);
gs_status gs__cu_kernel(gs_device *d, gs_program *p, const char *name, gs_kernel **out);
void gs__cu_free_kernel(gs_device *d, gs_kernel *k);
gs_status gs__cu_arg_buffer(gs_kernel *k, int index, gs_buffer *b);
gs_status gs__cu_arg_value(gs_kernel *k, int index, size_t size, const void *value);
gs_status gs__cu_args_complete(const gs_kernel *k);

/* cuda_gemm.c */
bool gs__cu_gemm_ready(gs_device *d);
void gs__cu_gemm_close(gs_device *d);
gs_status gs__cu_set_math(gs_device *d, gs_math math);
size_t gs__cu_gemm_temp(gs_device *d, const gs_gemm *g);
gs_status gs__cu_gemm(gs_device *d, const gs_gemm *g, gs_buffer *c, size_t c0, gs_buffer *a, size_t a0, gs_buffer *b, size_t b0,
                      gs_buffer *temp, size_t temp_offset, gs_event **ev);

/* cuda_graph.c */
gs_status gs__cu_record_begin(gs_device *d);
gs_status gs__cu_record_end(gs_device *d, gs_recording **out);
gs_status gs__cu_replay(gs_device *d, gs_recording *r);
void gs__cu_free_recording(gs_device *d, gs_recording *r);

#endif
