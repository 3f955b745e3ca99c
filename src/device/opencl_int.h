/* Shared by opencl.c (devices, launches), opencl_memory.c, opencl_program.c (building), opencl_pocl.c, opencl_pages.c and opencl_gemm.c (CLBlast). */
#ifndef GS_DEVICE_OPENCL_INT_H
#define GS_DEVICE_OPENCL_INT_H

#include <CL/cl.h>

#include "device/device.h"

#define GS_CL_SLOTS 8                      /* writes in flight before one waits for the oldest */
#define GS_CL_SLOT_BYTES ((size_t)4 << 20) /* larger writes block instead of being staged */

struct gs_buffer {
    cl_mem mem;
    size_t bytes;
};

struct gs_program {
    cl_program program;
    char *label;
};

struct gs_kernel {
    cl_kernel kernel;
    gs_device *device; /* for messages */
    char *name;
};

struct gs_event {
    cl_event event;
    gs_device *device;
};

typedef struct gs_cl_slot { /* host copy of data on its way to the device */
    void *data;
    size_t cap;
    cl_event event; /* NULL: free */
} gs_cl_slot;

typedef struct gs_cl_device {
    gs_device base;
    cl_device_id id;
    cl_context context;
    cl_command_queue queue;
    gs_cl_slot slot[GS_CL_SLOTS];
    int next_slot;
    int unflushed;       /* launches since the last flush */
    bool gemm_checked;   /* CLBlast's parameters have been looked at */
} gs_cl_device;

static inline gs_cl_device *gs__cl(gs_device *d) { return (gs_cl_device *)d; }

/* "CL_OUT_OF_RESOURCES", or "OpenCL error -9999". Valid until the thread's next call. */
const char *gs__cl_error_name(cl_int err);

/* Records "<device>: <what>: <error>" with what it means to the user where that is known; returns the status
 * that fits err. */
gs_status gs__cl_fail(const gs_device *d, cl_int err, const char *what, ...) __attribute__((format(printf, 3, 4)));

/* opencl_memory.c */
gs_status gs__cl_alloc(gs_device *d, size_t bytes, gs_buffer **out);
void gs__cl_free(gs_device *d, gs_buffer *b);
gs_status gs__cl_write(gs_device *d, gs_buffer *b, size_t offset, const void *src, size_t bytes);
gs_status gs__cl_read(gs_device *d, gs_buffer *b, size_t offset, void *dst, size_t bytes);
gs_status gs__cl_copy(gs_device *d, gs_buffer *dst, size_t dst_offset, gs_buffer *src, size_t src_offset, size_t bytes);
gs_status gs__cl_fill(gs_device *d, gs_buffer *b, size_t offset, uint32_t word, size_t bytes);

/* opencl_program.c */
gs_status gs__cl_build(gs_device *d, const char *label, const char *source, const char *options, gs_program **out);
void gs__cl_free_program(gs_device *d, gs_program *p);
gs_status gs__cl_kernel(gs_device *d, gs_program *p, const char *name, gs_kernel **out);
void gs__cl_free_kernel(gs_device *d, gs_kernel *k);
gs_status gs__cl_arg_buffer(gs_kernel *k, int index, gs_buffer *b);
gs_status gs__cl_arg_value(gs_kernel *k, int index, size_t size, const void *value);

/* opencl_pocl.c: is it PoCL, and has its compiler room for the files of a program? GS_EIO when not; other drivers are not looked at. */
bool gs__is_pocl(const gs_device *d);
gs_status gs__pocl_room(const gs_device *d, const char *label);
/* opencl_pages.c: asks the system for large pages under a new buffer of a CPU device; it may decline ($GESSO_OFF=pages: not
 * asked). What the buffer holds is undefined afterwards. */
void gs__cl_large_pages(gs_device *d, gs_buffer *b);

/* opencl_gemm.c */
void gs__cl_gemm_close(gs_device *d); /* before the context goes */
size_t gs__cl_gemm_temp(gs_device *d, const gs_gemm *g);
gs_status gs__cl_gemm(gs_device *d, const gs_gemm *g, gs_buffer *c, size_t c0, gs_buffer *a, size_t a0, gs_buffer *b, size_t b0,
                      gs_buffer *temp, size_t temp_offset, gs_event **ev);

#endif
