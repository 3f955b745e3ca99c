/* What a device can do: one table of functions per driver, filled by opencl.c, null.c and cuda.c.
 *
 * All work goes into one in-order queue: a launch sees what earlier launches and writes made. A buffer is device memory
 * without a type; tensors lie in it at byte offsets that are multiples of GS_ALIGN. Kernel pointers come in pairs
 * (pointer, 64-bit element offset). The device knows no layer and no tensor. */
#ifndef GS_DEVICE_H
#define GS_DEVICE_H

#include "base/base.h"
#include "gesso/device.h"

#define GS_ALIGN 256 /* bytes; tensors inside a buffer start at multiples of this */

typedef struct gs_buffer gs_buffer;   /* opaque to all but its driver */
typedef struct gs_program gs_program;
typedef struct gs_kernel gs_kernel;   /* one kernel object with its own arguments, which persist between launches */
typedef struct gs_event gs_event;
typedef struct gs_recording gs_recording;

/* C = alpha op(A) op(B) + beta C, row-major, op(A) is M x K, op(B) is K x N; `batch` problems at strides (elements). */
typedef struct gs_gemm {
    int64_t m, n, k, batch;
    bool ta, tb;
    int64_t lda, ldb, ldc;                 /* row lengths as stored, elements */
    int64_t stride_a, stride_b, stride_c;  /* between problems, elements */
    float alpha, beta;
    int64_t c_first;                       /* elements of C before the first problem; a plan's, drivers get the place itself */
} gs_gemm;

typedef struct gs_driver {
    const char *name;                      /* "opencl" */
    const char *no_compiler;               /* what is said of a device that cannot build kernels; NULL: the general sentence */
    /* Appends what the driver finds; a driver that is not there finds nothing and returns GS_OK. */
    gs_status (*list)(gs_device_info **list, int *n, int *cap);
    gs_status (*open)(const gs_device_info *info, gs_device **out);
    void (*close)(gs_device *d);

    gs_status (*alloc)(gs_device *d, size_t bytes, gs_buffer **out); /* GS_ENOMEM, GS_ELIMIT: figures in the message */
    void (*free)(gs_device *d, gs_buffer *b);
    /* src may be reused when the call returns. */
    gs_status (*write)(gs_device *d, gs_buffer *b, size_t offset, const void *src, size_t bytes);
    gs_status (*read)(gs_device *d, gs_buffer *b, size_t offset, void *dst, size_t bytes); /* waits */
    gs_status (*copy)(gs_device *d, gs_buffer *dst, size_t dst_offset, gs_buffer *src, size_t src_offset, size_t bytes);
    gs_status (*fill)(gs_device *d, gs_buffer *b, size_t offset, uint32_t word, size_t bytes); /* bytes: multiple of 4 */

    /* Builds dialect.h + source. `label` names it in messages ("gemm.cl"). Binaries are cached on disk (cache.c) when offered. A failure
     * is GS_EBUILD with device, driver, label and the first lines of the compiler's log. */
    gs_status (*build)(gs_device *d, const char *label, const char *source, const char *options, gs_program **out);
    void (*free_program)(gs_device *d, gs_program *p);
    gs_status (*kernel)(gs_device *d, gs_program *p, const char *name, gs_kernel **out);
    void (*free_kernel)(gs_device *d, gs_kernel *k);
    gs_status (*arg_buffer)(gs_kernel *k, int index, gs_buffer *b);
    gs_status (*arg_value)(gs_kernel *k, int index, size_t size, const void *value);
    /* groups x local items; ev may be NULL, else receives an event to be freed by event_free. */
    gs_status (*launch)(gs_device *d, gs_kernel *k, const size_t groups[3], const size_t local[3], gs_event **ev);

    /* The driver's own GEMM (CLBlast, cuBLAS). NULL: none, Gesso's kernels do it. Offsets in elements. temp: bytes wanted by
     * gemm_temp, may be NULL when that is 0. */
    bool (*gemm_ready)(gs_device *d); /* can it be used? Says once why not. NULL: always */
    size_t (*gemm_temp)(gs_device *d, const gs_gemm *g);
    gs_status (*gemm)(gs_device *d, const gs_gemm *g, gs_buffer *c, size_t c0, gs_buffer *a, size_t a0,
                      gs_buffer *b, size_t b0, gs_buffer *temp, size_t temp_offset, gs_event **ev);

    gs_status (*finish)(gs_device *d);     /* waits for all work; reports what failed */
    gs_status (*event_seconds)(gs_event *e, double *seconds); /* waits; execution time on the device */
    void (*event_free)(gs_event *e);
    /* Switches times of events on or off; waits for queued work. NULL: not offered. */
    gs_status (*profile)(gs_device *d, bool on);

    /* Recorded work (CUDA graphs). Launches, copies, fills and products between record_begin and record_end are not done but kept, with the
     * arguments that they have then; replay queues all of them by one call. No other call may come between the two. What they do must have been
     * done before: drivers load kernels at first use. A failure of either leaves the device as it was before record_begin. NULL: not offered. */
    gs_status (*record_begin)(gs_device *d);
    gs_status (*record_end)(gs_device *d, gs_recording **out); /* out NULL: throw it away */
    gs_status (*replay)(gs_device *d, gs_recording *r);
    void (*free_recording)(gs_device *d, gs_recording *r);

    gs_status (*set_math)(gs_device *d, gs_math math); /* NULL: fp32 is all there is */
} gs_driver;

/* Drivers embed this as their first member. */
struct gs_device {
    const gs_driver *drv;
    gs_device_info info;
    bool profiling;           /* events carry times (GESSO_DEBUG >= 2, GESSO_PROFILE=1 or gs_device_profile) */
    size_t allocated, peak;   /* bytes of buffers alive now, and at most */
    int64_t loop_turns;       /* gs_device_loop_turns; 0: not asked yet */
    struct gs_program_entry *programs; /* programs.c */
    struct gs_unbuilt *unbuilt;        /* the same */
    struct gs_tuning *tuning; /* tuning.c; NULL: not asked for yet */
};

/* The table of drivers (devices.c); ends with NULL. */
extern const gs_driver *const gs_drivers[];
extern const gs_driver gs_driver_opencl, gs_driver_null, gs_driver_cuda;

/* Times of events on or off; GS_EDEVICE when the driver cannot. */
gs_status gs_device_profile(gs_device *d, bool on);

/* Kernels for CPUs (one item a group does a block with wide vectors, no barrier) suit a device whose local memory is ordinary memory
 * and which likes vectors. llvmpipe has the one without the other: it runs items side by side in the lanes, as a GPU does. */
static inline bool gs__cpu_forms(const gs_device_info *d) { return d->local_is_global && d->vector_width > 1; }

/* After how many turns, of all loops of a work-item together, the device ends them; INT64_MAX where it does not. A loop of n turns counts
 * n + 1: its last test is one. Measured at the first call, which launches a small kernel (loops.c). */
int64_t gs_device_loop_turns(gs_device *d);

/* For drivers: is there room for one more buffer (GS_ELIMIT, GS_ENOMEM with the figures)? And: it was allocated. */
gs_status gs__device_room(const gs_device *d, size_t bytes);
void gs__device_took(gs_device *d, size_t bytes);
/* Do `bytes` at `offset` lie inside a buffer of `size`? GS_EINVAL: "<what> of 8 bytes at 4: the buffer has 8". */
gs_status gs__in_range(size_t size, size_t offset, size_t bytes, const char *what);
/* Cuts a compiler's log to its first lines, for a message; GESSO_DEBUG=1 shows all of it. */
void gs__log_head(char *log);

/* Programs of the files in cl/, built once a device and set of options, shared; freed with the device (programs.c).
 * `file` is the name below cl/, options such as "-DTILE=4". */
gs_status gs_program_get(gs_device *d, const char *file, const char *options, gs_program **out);
/* The same with generated text in front of the file's, such as an epilogue; NULL: none. */
gs_status gs_program_with(gs_device *d, const char *file, const char *before, const char *options, gs_program **out);
/* The same for generated source; `label` for messages. */
gs_status gs_program_source(gs_device *d, const char *label, const char *source, const char *options, gs_program **out);
/* The text of a file of cl/: from the folder $GESSO_KERNELS when that is set (for those who write kernels), else as embedded.
 * Free with free(). */
gs_status gs_kernel_text(const char *file, char **text);
/* What programs of the file are built from: its text, with those of the headers of cl/ in place of lines `#include "NAME"` (headers include none).
 * Free with free(). */
gs_status gs_kernel_source(const char *file, char **source);
void gs__programs_free(gs_device *d);
/* What did not build on this device, by the caller's own names, for as long as it is open: the planner goes on without it. Adding returns false
 * for a name that was there. The reason, or NULL. */
bool gs_unbuilt_add(gs_device *d, const char *name, const char *why);
const char *gs_unbuilt_find(const gs_device *d, const char *name);

/* For tests that compile what plans are made of: on a null device (driver "null") fn is told of every program that is built from now on,
 * its source without dialect.h. NULL: no longer. */
typedef void gs_null_build_fn(void *user, const char *label, const char *source, const char *options);
void gs_null_on_build(gs_device *d, gs_null_build_fn *fn, void *user);

/* Disk cache of kernel binaries under gs_cache_dir()/kernels: key = hash of source, options, device, driver, platform, version.
 * A corrupt or stale entry is a miss and is rebuilt; several processes may share it. Both are no-ops without a cache folder. */
bool gs_cache_get(uint64_t key, uint8_t **data, size_t *size);
void gs_cache_put(uint64_t key, const void *data, size_t size);
/* Removes the entries used longest ago until at most `limit` bytes are left; gs_cache_put does so above 256 MiB. */
void gs_cache_trim(size_t limit);

#endif
