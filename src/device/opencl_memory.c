/* Memory of OpenCL devices: buffers, and what goes into them and out of them. */
#include "device/opencl_int.h"

#include <stdlib.h>
#include <string.h>

void gs__cl_free(gs_device *d, gs_buffer *b)
{
    if (!b) return;
    clReleaseMemObject(b->mem);
    d->allocated -= b->bytes;
    free(b);
}

/* $GESSO_POISON: new buffers hold NaN (as integers -1), so that a kernel which reads what nobody wrote shows
 * in the results. For Oclgrind's --uninitialized, which then watches local and private memory, all goes out
 * as writes of whole buffers: it takes no note of fills, and a write or a copy at an offset spoils what it
 * knows of the buffer. */
static bool poisoning(void)
{
    const char *env = getenv("GESSO_POISON");

    return env && *env && strcmp(env, "0");
}

/* Puts src (NULL: poison) at `offset` by reading the whole buffer and writing it back. */
static gs_status write_whole(gs_device *d, gs_buffer *b, size_t offset, const void *src, size_t bytes)
{
    const cl_command_queue queue = gs__cl(d)->queue;
    uint8_t *all = gs_try_alloc(b->bytes, 1, "a poisoned buffer");
    cl_int err = CL_SUCCESS;

    if (!all) return GS_ENOMEM;
    if (src) {
        err = clEnqueueReadBuffer(queue, b->mem, CL_TRUE, 0, b->bytes, all, 0, NULL, NULL);
        memcpy(all + offset, src, bytes);
    } else {
        memset(all, 0xff, b->bytes);
    }
    if (err == CL_SUCCESS) err = clEnqueueWriteBuffer(queue, b->mem, CL_TRUE, 0, b->bytes, all, 0, NULL, NULL);
    free(all);
    return err == CL_SUCCESS ? GS_OK : gs__cl_fail(d, err, "writing a poisoned buffer of %zu bytes", b->bytes);
}

gs_status gs__cl_alloc(gs_device *d, size_t bytes, gs_buffer **out)
{
    gs_status st = gs__device_room(d, bytes);
    gs_buffer *b;
    cl_int err;

    *out = NULL;
    if (st != GS_OK) return st;
    b = gs_xalloc(sizeof *b);
    b->bytes = GS_MAX(bytes, 16); /* OpenCL has no empty buffers */
    b->mem = clCreateBuffer(gs__cl(d)->context, CL_MEM_READ_WRITE, b->bytes, NULL, &err);
    if (err != CL_SUCCESS) {
        char text[32];

        st = gs__cl_fail(d, err == CL_INVALID_BUFFER_SIZE ? CL_MEM_OBJECT_ALLOCATION_FAILURE : err, "cannot allocate %s",
                         gs_bytes_text(text, (double)bytes));
        free(b);
        return st;
    }
    gs__device_took(d, b->bytes);
    gs__cl_large_pages(d, b);
    *out = b;
    if (poisoning()) st = write_whole(d, b, 0, NULL, b->bytes);
    if (st != GS_OK) {
        gs__cl_free(d, b);
        *out = NULL;
    }
    return st;
}

/* Small writes are copied into a ring of host slots and go out without waiting for the work queued before them. */
gs_status gs__cl_write(gs_device *d, gs_buffer *b, size_t offset, const void *src, size_t bytes)
{
    gs_cl_device *c = gs__cl(d);
    gs_cl_slot *slot = &c->slot[c->next_slot];
    gs_status st = gs__in_range(b->bytes, offset, bytes, "write");
    cl_int err;

    if (st != GS_OK || bytes == 0) return st;
    if (offset && poisoning()) return write_whole(d, b, offset, src, bytes);
    if (bytes <= GS_CL_SLOT_BYTES) {
        if (slot->event) {
            clWaitForEvents(1, &slot->event);
            clReleaseEvent(slot->event);
            slot->event = NULL;
        }
        if (slot->cap < bytes) {
            free(slot->data);
            slot->data = malloc(bytes);
            slot->cap = slot->data ? bytes : 0;
        }
    }
    if (bytes > GS_CL_SLOT_BYTES || !slot->data) {
        err = clEnqueueWriteBuffer(c->queue, b->mem, CL_TRUE, offset, bytes, src, 0, NULL, NULL);
    } else {
        memcpy(slot->data, src, bytes);
        err = clEnqueueWriteBuffer(c->queue, b->mem, CL_FALSE, offset, bytes, slot->data, 0, NULL, &slot->event);
        if (err == CL_SUCCESS) err = clFlush(c->queue);
        else slot->event = NULL;
        c->next_slot = (c->next_slot + 1) % GS_CL_SLOTS;
    }
    return err == CL_SUCCESS ? GS_OK : gs__cl_fail(d, err, "writing %zu bytes", bytes);
}

gs_status gs__cl_read(gs_device *d, gs_buffer *b, size_t offset, void *dst, size_t bytes)
{
    gs_status st = gs__in_range(b->bytes, offset, bytes, "read");
    cl_int err;

    if (st != GS_OK || bytes == 0) return st;
    err = clEnqueueReadBuffer(gs__cl(d)->queue, b->mem, CL_TRUE, offset, bytes, dst, 0, NULL, NULL);
    return err == CL_SUCCESS ? GS_OK : gs__cl_fail(d, err, "reading %zu bytes", bytes);
}

static gs_status copy_whole(gs_device *d, gs_buffer *dst, size_t dst_offset, gs_buffer *src, size_t src_offset, size_t bytes)
{
    void *host = gs_try_alloc(bytes, 1, "a copy");
    gs_status st = host ? gs__cl_read(d, src, src_offset, host, bytes) : GS_ENOMEM;

    if (st == GS_OK) st = write_whole(d, dst, dst_offset, host, bytes);
    free(host);
    return st;
}

gs_status gs__cl_copy(gs_device *d, gs_buffer *dst, size_t dst_offset, gs_buffer *src, size_t src_offset, size_t bytes)
{
    gs_status st = gs__in_range(dst->bytes, dst_offset, bytes, "copy");
    cl_int err;

    if (st == GS_OK) st = gs__in_range(src->bytes, src_offset, bytes, "copy");
    if (st != GS_OK || bytes == 0) return st;
    if ((src_offset || dst_offset) && poisoning()) return copy_whole(d, dst, dst_offset, src, src_offset, bytes);
    err = clEnqueueCopyBuffer(gs__cl(d)->queue, src->mem, dst->mem, src_offset, dst_offset, bytes, 0, NULL, NULL);
    return err == CL_SUCCESS ? GS_OK : gs__cl_fail(d, err, "copying %zu bytes", bytes);
}

static gs_status fill_whole(gs_device *d, gs_buffer *b, size_t offset, uint32_t word, size_t bytes)
{
    uint32_t *host = gs_try_alloc(bytes, 1, "a fill");
    gs_status st = GS_ENOMEM;

    for (size_t i = 0; host && i < bytes / 4; i++) host[i] = word;
    if (host) st = write_whole(d, b, offset, host, bytes);
    free(host);
    return st;
}

gs_status gs__cl_fill(gs_device *d, gs_buffer *b, size_t offset, uint32_t word, size_t bytes)
{
    gs_status st = gs__in_range(b->bytes, offset, bytes, "fill");
    cl_int err;

    if (st == GS_OK && (offset % 4 || bytes % 4)) st = gs_fail(GS_EINVAL, "fill of %zu bytes at %zu: not multiples of 4", bytes, offset);
    if (st != GS_OK || bytes == 0) return st;
    if (poisoning()) return fill_whole(d, b, offset, word, bytes);
    err = clEnqueueFillBuffer(gs__cl(d)->queue, b->mem, &word, sizeof word, offset, bytes, 0, NULL, NULL);
    return err == CL_SUCCESS ? GS_OK : gs__cl_fail(d, err, "filling %zu bytes", bytes);
}
