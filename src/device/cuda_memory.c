/* Memory of NVIDIA devices: buffers from the driver's pool where it has one, and what goes into them and out of them through pinned memory. */
#include "device/cuda_int.h"

#include <stdlib.h>
#include <string.h>

static gs_cu_result allocate(gs_cu_dev *c, size_t bytes, gs_cu_ptr *p)
{
    const gs_cuda_api *cu = gs__cu();
    gs_cu_result err;

    if (!c->pool) return cu->cuMemAlloc_v2(p, bytes);
    err = cu->cuMemAllocAsync(p, bytes, c->stream);
    if (err != GS_CU_OUT_OF_MEMORY) return err;
    cu->cuStreamSynchronize(c->stream); /* pieces that the pool holds may be too small: give them back and ask again */
    cu->cuMemPoolTrimTo(c->pool, 0);
    return cu->cuMemAllocAsync(p, bytes, c->stream);
}

gs_status gs__cu_alloc(gs_device *d, size_t bytes, gs_buffer **out)
{
    gs_status st = gs__device_room(d, bytes);
    gs_cu_result err;
    gs_buffer *b;

    *out = NULL;
    if (st == GS_OK) st = gs__cu_enter(d);
    if (st != GS_OK) return st;
    b = gs_xalloc(sizeof *b);
    b->bytes = GS_MAX(bytes, 16);
    err = allocate(gs__cud(d), b->bytes, &b->mem);
    if (err != 0) {
        char text[32];

        free(b);
        return gs__cu_fail(d, err, "cannot allocate %s", gs_bytes_text(text, (double)bytes));
    }
    gs__device_took(d, b->bytes);
    *out = b;
    return GS_OK;
}

void gs__cu_free(gs_device *d, gs_buffer *b)
{
    const gs_cuda_api *cu = gs__cu();
    gs_cu_dev *c = gs__cud(d);

    if (!b) return;
    if (gs__cu_enter(d) == GS_OK) {
        if (c->pool) {
            cu->cuMemFreeAsync(b->mem, c->stream); /* after the work queued so far */
        } else {
            cu->cuStreamSynchronize(c->stream);
            cu->cuMemFree_v2(b->mem);
        }
    }
    d->allocated -= b->bytes;
    free(b);
}

/* The next slot of pinned memory, free and with room for `bytes` (at most GS_CU_SLOT_BYTES); NULL when the
 * host has none. */
static gs_cu_slot *take_slot(gs_cu_dev *c, size_t bytes)
{
    const gs_cuda_api *cu = gs__cu();
    gs_cu_slot *slot = &c->slot[c->next_slot];
    size_t cap = 4096;

    if (slot->busy) cu->cuEventSynchronize(slot->event); /* what went wrong shows at the next call */
    slot->busy = false;
    if (slot->cap < bytes) {
        while (cap < bytes) cap *= 2;
        if (slot->data) cu->cuMemFreeHost(slot->data);
        slot->data = NULL;
        slot->cap = 0;
        if (cu->cuMemAllocHost_v2(&slot->data, cap) != 0) slot->data = NULL;
        else slot->cap = cap;
    }
    if (!slot->event && cu->cuEventCreate(&slot->event, GS_CU_EVENT_NO_TIMING) != 0) slot->event = NULL;
    if (!slot->data || !slot->event) return NULL;
    c->next_slot = (c->next_slot + 1) % GS_CU_SLOTS;
    return slot;
}

static gs_cu_result slot_queued(gs_cu_dev *c, gs_cu_slot *slot, gs_cu_result err)
{
    if (err == 0) err = gs__cu()->cuEventRecord(slot->event, c->stream);
    slot->busy = err == 0;
    return err;
}

/* Through pinned memory: the copy to the device runs while the next piece is put there, and the caller's
 * memory is free at once. */
gs_status gs__cu_write(gs_device *d, gs_buffer *b, size_t offset, const void *src, size_t bytes)
{
    const gs_cuda_api *cu = gs__cu();
    gs_cu_dev *c = gs__cud(d);
    gs_status st = gs__in_range(b->bytes, offset, bytes, "write");
    gs_cu_result err = 0;

    if (st == GS_OK) st = gs__cu_enter(d);
    if (st != GS_OK) return st;
    for (size_t done = 0, piece; done < bytes && err == 0; done += piece) {
        gs_cu_slot *slot;

        piece = GS_MIN(bytes - done, GS_CU_SLOT_BYTES);
        slot = take_slot(c, piece);
        if (slot) {
            memcpy(slot->data, (const char *)src + done, piece);
            err = slot_queued(c, slot, cu->cuMemcpyHtoDAsync_v2(b->mem + offset + done, slot->data, piece, c->stream));
        } else {
            err = cu->cuMemcpyHtoDAsync_v2(b->mem + offset + done, (const char *)src + done, piece, c->stream);
            if (err == 0) err = cu->cuStreamSynchronize(c->stream);
        }
    }
    return err == 0 ? GS_OK : gs__cu_fail(d, err, "writing %zu bytes", bytes);
}

/* Pieces are queued ahead into all slots, and taken out in order. */
gs_status gs__cu_read(gs_device *d, gs_buffer *b, size_t offset, void *dst, size_t bytes)
{
    const gs_cuda_api *cu = gs__cu();
    gs_cu_dev *c = gs__cud(d);
    gs_cu_slot *queue[GS_CU_SLOTS];
    size_t queued = 0, taken = 0;
    int n_queued = 0, n_taken = 0;
    gs_status st = gs__in_range(b->bytes, offset, bytes, "read");
    gs_cu_result err = 0;
    bool pinned = true;

    if (st == GS_OK) st = gs__cu_enter(d);
    if (st != GS_OK) return st;
    while (taken < bytes && err == 0) {
        const size_t next = GS_MIN(bytes - queued, GS_CU_SLOT_BYTES), oldest = GS_MIN(bytes - taken, GS_CU_SLOT_BYTES);

        if (next > 0 && n_queued - n_taken < GS_CU_SLOTS && pinned) {
            gs_cu_slot *slot = take_slot(c, next);

            pinned = slot != NULL;
            if (!slot) continue;
            err = slot_queued(c, slot, cu->cuMemcpyDtoHAsync_v2(slot->data, b->mem + offset + queued, next, c->stream));
            queue[n_queued++ % GS_CU_SLOTS] = slot;
            queued += next;
        } else if (n_taken < n_queued) {
            gs_cu_slot *slot = queue[n_taken++ % GS_CU_SLOTS];

            err = cu->cuEventSynchronize(slot->event);
            slot->busy = false;
            if (err == 0) memcpy((char *)dst + taken, slot->data, oldest);
            taken += oldest;
        } else { /* no pinned memory to be had */
            err = cu->cuMemcpyDtoHAsync_v2((char *)dst + taken, b->mem + offset + taken, bytes - taken, c->stream);
            if (err == 0) err = cu->cuStreamSynchronize(c->stream);
            taken = bytes;
        }
    }
    return err == 0 ? GS_OK : gs__cu_fail(d, err, "reading %zu bytes", bytes);
}

gs_status gs__cu_copy(gs_device *d, gs_buffer *dst, size_t dst_offset, gs_buffer *src, size_t src_offset, size_t bytes)
{
    gs_status st = gs__in_range(dst->bytes, dst_offset, bytes, "copy");
    gs_cu_result err;

    if (st == GS_OK) st = gs__in_range(src->bytes, src_offset, bytes, "copy");
    if (st == GS_OK && bytes) st = gs__cu_enter(d);
    if (st != GS_OK || bytes == 0) return st;
    err = gs__cu()->cuMemcpyDtoDAsync_v2(dst->mem + dst_offset, src->mem + src_offset, bytes, gs__cud(d)->stream);
    return err == 0 ? GS_OK : gs__cu_fail(d, err, "copying %zu bytes", bytes);
}

gs_status gs__cu_fill(gs_device *d, gs_buffer *b, size_t offset, uint32_t word, size_t bytes)
{
    gs_status st = gs__in_range(b->bytes, offset, bytes, "fill");
    gs_cu_result err;

    if (st == GS_OK && (offset % 4 || bytes % 4)) st = gs_fail(GS_EINVAL, "fill of %zu bytes at %zu: not multiples of 4", bytes, offset);
    if (st == GS_OK && bytes) st = gs__cu_enter(d);
    if (st != GS_OK || bytes == 0) return st;
    err = gs__cu()->cuMemsetD32Async(b->mem + offset, word, bytes / 4, gs__cud(d)->stream);
    return err == 0 ? GS_OK : gs__cu_fail(d, err, "filling %zu bytes", bytes);
}
