/* Large pages under the buffers of CPU devices. Their drivers take buffers from the C library, whose memory has pages of
 * 4 KiB unless the kernel is told otherwise: then prefetching stops at each page's end, and lines of many planes or rows in
 * turn find no room in the translation caches. */
#include "device/opencl_int.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define LEAST ((size_t)2 << 20) /* a large page of x86-64 and AArch64 */

void gs__cl_large_pages(gs_device *d, gs_buffer *b)
{
#ifdef MADV_HUGEPAGE
    const cl_command_queue queue = gs__cl(d)->queue;
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from, to;
    void *at;

    if (!gs__cpu_forms(&d->info) || b->bytes < LEAST || gs_lists(getenv("GESSO_OFF"), "pages")) return;
    /* where a driver keeps the memory elsewhere, this is a copy's address, and the advice is for nothing */
    at = clEnqueueMapBuffer(queue, b->mem, CL_TRUE, CL_MAP_WRITE_INVALIDATE_REGION, 0, b->bytes, 0, NULL, NULL, NULL);
    if (!at) return;
    from = ((uintptr_t)at + page - 1) / page * page;
    to = ((uintptr_t)at + b->bytes) / page * page;
    if (to > from) madvise((void *)from, to - from, MADV_HUGEPAGE); /* refused: pages stay as they are */
    if (clEnqueueUnmapMemObject(queue, b->mem, at, 0, NULL, NULL) == CL_SUCCESS) clFinish(queue);
#else
    (void)d, (void)b;
#endif
}
