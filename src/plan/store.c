/* Stores: named persistent tensors on a device, and the workspace that the plans of one store share. */
#include "plan/plan_int.h"

#include <stdlib.h>
#include <string.h>

#define INIT_PIECE (4 << 20) /* elements */

gs_status gs_store_new(gs_device *d, uint64_t seed, gs_store **out)
{
    *out = gs_xalloc(sizeof **out);
    (*out)->d = d;
    (*out)->seed = seed;
    return GS_OK;
}

void gs_store_free(gs_store *s)
{
    if (!s) return;
    for (int i = 0; i < s->n; i++) free(s->t[i].name);
    for (int i = 0; i < s->n_buffers; i++) s->d->drv->free(s->d, s->buffers[i]);
    for (int i = 0; i < s->n_workspace; i++) s->d->drv->free(s->d, s->workspace[i]);
    free(s->t);
    free(s->buffers);
    free(s->workspace);
    free(s->workspace_size);
    free(s);
}

int gs_store_count(const gs_store *s) { return s->n; }
const char *gs_store_name(const gs_store *s, int i) { return s->t[i].name; }
gs_shape gs_store_shape(const gs_store *s, int i) { return s->t[i].shape; }
gs_dtype gs_store_dtype(const gs_store *s, int i) { return s->t[i].dtype; }
bool gs_store_trainable(const gs_store *s, int i) { return s->t[i].trainable; }

int gs_store_find(const gs_store *s, const char *name)
{
    for (int i = 0; i < s->n; i++)
        if (!strcmp(s->t[i].name, name)) return i;
    return -1;
}

static size_t bytes_of(const gs_store *s, int i) { return 4 * (size_t)gs_shape_count(s->t[i].shape); }

gs_status gs_store_read(gs_store *s, int i, void *dst)
{
    return s->d->drv->read(s->d, s->t[i].buffer, s->t[i].offset, dst, bytes_of(s, i));
}

gs_status gs_store_write(gs_store *s, int i, const void *src)
{
    return s->d->drv->write(s->d, s->t[i].buffer, s->t[i].offset, src, bytes_of(s, i));
}

/* Piece by piece, since the largest tensors are a good part of a host's memory. */
static gs_status initialise(gs_store *s, int i, const gs_var *v)
{
    const int64_t n = gs_shape_count(v->shape), most = gs_init_whole(v) ? n : GS_MIN(n, INIT_PIECE);
    float *x = gs_try_alloc((size_t)most, sizeof *x, v->name);
    gs_rng r = gs_init_start(v, s->seed);
    gs_status st = x ? GS_OK : GS_ENOMEM;

    for (int64_t at = 0; at < n && st == GS_OK; at += most) {
        const int64_t piece = GS_MIN(most, n - at);

        gs_init_next(v, &r, piece, x);
        st = s->d->drv->write(s->d, s->t[i].buffer, s->t[i].offset + 4 * (size_t)at, x, 4 * (size_t)piece);
    }
    free(x);
    return st;
}

/* Enters the variables of the graph that the store lacks, by name and shape only. */
static gs_status enter(gs_store *s, const gs_graph *g)
{
    const size_t limit = s->d->info.max_alloc;

    for (int i = 0; i < g->n_vars; i++) {
        const gs_var *v = g->vars[i];
        const int at = gs_store_find(s, v->name);
        struct gs_tensor t = { .shape = v->shape, .dtype = v->dtype, .trainable = v->trainable };
        char a[96], b[96];

        if (at >= 0) {
            if (gs_shape_equal(s->t[at].shape, v->shape) && s->t[at].dtype == v->dtype) continue;
            return gs_fail(GS_ESHAPE, "%s: the store has it with shape %s, the graph wants %s", v->name,
                           gs_shape_text(s->t[at].shape, a), gs_shape_text(v->shape, b));
        }
        if (4 * (size_t)gs_shape_count(v->shape) > limit) {
            char need[32], most[32];

            return gs_fail(GS_ELIMIT, "%s needs %s in one piece, the device allocates at most %s", v->name,
                           gs_bytes_text(need, 4.0 * (double)gs_shape_count(v->shape)), gs_bytes_text(most, (double)limit));
        }
        t.name = gs_xstrdup(v->name);
        GS_PUSH(s->t, s->n, s->cap, t);
    }
    return GS_OK;
}

/* Gives memory to the tensors from `first` on: as many as fit one buffer, then the next. */
static gs_status allocate_from(gs_store *s, int first)
{
    const size_t limit = s->d->info.max_alloc;

    for (int begin = first; begin < s->n;) {
        gs_buffer *b;
        gs_status st;
        size_t size = 0;
        int end = begin;

        while (end < s->n) {
            const size_t padded = (bytes_of(s, end) + GS_ALIGN - 1) / GS_ALIGN * GS_ALIGN;

            if (size + padded > limit && end > begin) break;
            s->t[end++].offset = size;
            size += padded;
        }
        st = s->d->drv->alloc(s->d, size, &b);
        if (st != GS_OK) return st;
        GS_PUSH(s->buffers, s->n_buffers, s->cap_buffers, b);
        for (; begin < end; begin++) s->t[begin].buffer = b;
    }
    return GS_OK;
}

/* Adds the graph's variables; allocate says whether the new ones get memory and values. After a failure the
 * store has the tensors it had. */
gs_status gs__store_add(gs_store *s, gs_graph *g, bool allocate)
{
    const int first = s->n, first_buffer = s->n_buffers;
    gs_status st = enter(s, g);

    if (st == GS_OK && allocate) st = allocate_from(s, first);
    for (int i = 0; i < g->n_vars && allocate && st == GS_OK; i++) {
        const int at = gs_store_find(s, g->vars[i]->name);

        if (at >= first && s->d->info.kind != GS_NULL) st = initialise(s, at, g->vars[i]); /* a null device keeps nothing */
    }
    if (st != GS_OK) {
        for (int i = first; i < s->n; i++) free(s->t[i].name);
        for (int i = first_buffer; i < s->n_buffers; i++) s->d->drv->free(s->d, s->buffers[i]);
        s->n = first, s->n_buffers = first_buffer;
    }
    return st;
}

gs_status gs_store_add(gs_store *s, gs_graph *g) { return gs__store_add(s, g, true); }

gs_status gs__store_workspace(gs_store *s, const gs_chunk *chunks, int n)
{
    for (int i = 0; i < n; i++) {
        gs_buffer *b;
        gs_status st;

        if (i < s->n_workspace && s->workspace_size[i] >= chunks[i].size) continue;
        if (i < s->n_workspace) { /* free first: the old and the new may not fit together */
            st = s->d->drv->finish(s->d);
            if (st != GS_OK) return st;
            s->d->drv->free(s->d, s->workspace[i]);
            s->workspace[i] = NULL;
            s->workspace_size[i] = 0;
        }
        st = s->d->drv->alloc(s->d, chunks[i].size, &b);
        if (st != GS_OK) return st;
        s->workspace_gen++;
        if (i < s->n_workspace) {
            s->workspace[i] = b;
            s->workspace_size[i] = chunks[i].size;
        } else {
            if (s->n_workspace == s->cap_workspace) {
                s->cap_workspace = s->cap_workspace ? 2 * s->cap_workspace : 4;
                s->workspace = gs_xrealloc(s->workspace, (size_t)s->cap_workspace * sizeof *s->workspace);
                s->workspace_size = gs_xrealloc(s->workspace_size, (size_t)s->cap_workspace * sizeof *s->workspace_size);
            }
            s->workspace[s->n_workspace] = b;
            s->workspace_size[s->n_workspace++] = chunks[i].size;
        }
    }
    return GS_OK;
}
