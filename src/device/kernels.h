/* The kernel sources of cl/, embedded at build time (tools/embed.c). Ends with a NULL name. */
#ifndef GS_DEVICE_KERNELS_H
#define GS_DEVICE_KERNELS_H

#include <stddef.h>

typedef struct gs_kernel_file {
    const char *name; /* path below cl/, for example "reduce.cl" */
    const char *text; /* NUL-terminated */
    size_t size;
} gs_kernel_file;

extern const gs_kernel_file gs__kernel_files[];

#endif
