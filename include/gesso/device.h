/* Devices: what there is, and opening one. A device is opened once and shared by stores and plans made on it;
 * it must outlive them. Calls on one device come from one thread at a time. */
#ifndef GESSO_DEVICE_H
#define GESSO_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gesso/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gs_device_kind { GS_CPU, GS_GPU, GS_ACCELERATOR, GS_NULL } gs_device_kind;

typedef struct gs_device_info {
    char id[32];              /* "opencl:0:0", "cuda:0", "null" */
    char name[128];
    char vendor[128];
    char platform[128];
    char driver[128];         /* driver version */
    char version[128];        /* language or API version */
    gs_device_kind kind;
    int compute_units;
    int clock_mhz;
    size_t memory;            /* bytes of global memory */
    size_t max_alloc;         /* largest single buffer, bytes */
    size_t local_memory;      /* bytes a work-group */
    bool local_is_global;     /* local memory is ordinary memory (CPUs): copying into it buys nothing */
    size_t max_group;         /* work-items a group */
    size_t align;             /* base alignment of buffers, bytes */
    int vector_width;         /* preferred float vector width */
    bool fp16, fp64, subgroups;
    bool compiler;            /* can build kernels from source */
} gs_device_info;

typedef struct gs_device gs_device;

/* How products of matrices are computed by a vendor's library. Gesso's own kernels are fp32 always. */
typedef enum gs_math {
    GS_MATH_FP32,
    GS_MATH_TF32, /* operands rounded to 10 bits of mantissa, sums in fp32: tensor cores of NVIDIA's Ampere and newer */
} gs_math;

/* All devices of all platforms, in the drivers' order. *list is freed with free(). No device is not an
 * error: *n = 0. */
gs_status gs_devices(gs_device_info **list, int *n);

/* Opens a device: "opencl:P:D", "cuda:N", "cpu", "gpu", "null", or part of a name (case ignored). NULL or "":
 * $GESSO_DEVICE, else the fastest by compute units x clock x vector width, GPUs before CPUs; never "null".
 * GS_EDEVICE names what was asked for and what there is. */
gs_status gs_device_open(const char *spec, gs_device **out);
void gs_device_close(gs_device *d); /* waits for what is queued; accepts NULL */
const gs_device_info *gs_device_get_info(const gs_device *d); /* the device's own */

/* Fixes it for the plans that are compiled and run from here on; fp32 is what a device starts with.
 * GS_EDEVICE, and the device stays at fp32, when it has no TF32: only CUDA devices of sm_80 and newer with
 * cuBLAS have. */
gs_status gs_device_set_math(gs_device *d, gs_math math);

#ifdef __cplusplus
}
#endif
#endif
