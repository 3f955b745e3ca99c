/* From launches to kernels: buffers, programs, one kernel object a launch with its arguments set once, so that a step only
 * enqueues. When the shared workspace moves (a larger plan joined the store) the pointers are set again. */
#include "plan/plan_int.h"

#include <stdlib.h>
#include <string.h>

static gs_buffer *buffer_of(const gs_plan *p, const gs_value *v)
{
    switch (v->place) {
    case GS_PLACE_WORKSPACE: return p->store->workspace[v->buffer];
    case GS_PLACE_STATE: return p->store->t[v->store_index].buffer;
    default: return p->constants;
    }
}

static size_t offset_of(const gs_plan *p, const gs_value *v)
{
    return v->place == GS_PLACE_STATE ? p->store->t[v->store_index].offset : v->offset;
}

gs_buffer *gs__plan_buffer(const gs_plan *p, const gs_value *v, size_t *offset)
{
    *offset = offset_of(p, v);
    return buffer_of(p, v);
}

static gs_status set_arguments(gs_plan *p, gs_launch *l)
{
    const gs_driver *drv = p->d->drv;
    int index = 0;
    gs_status st = GS_OK;

    for (int i = 0; i < l->n_args && st == GS_OK; i++) {
        const gs_arg *a = &l->args[i];

        if (a->kind == GS_ARG_INT) st = drv->arg_value(l->k, index++, sizeof a->i, &a->i);
        else if (a->kind == GS_ARG_FLOAT) st = drv->arg_value(l->k, index++, sizeof a->f, &a->f);
        else {
            const uint64_t offset = offset_of(p, a->value) / 4 + (uint64_t)a->extra;

            st = drv->arg_buffer(l->k, index++, buffer_of(p, a->value));
            if (st == GS_OK) st = drv->arg_value(l->k, index++, sizeof offset, &offset);
        }
    }
    return st == GS_OK ? st : gs_fail_in(st, "kernel %s", l->kernel);
}

gs_status gs__plan_rebind(gs_plan *p)
{
    gs_status st = GS_OK;

    gs__plan_drop_recording(p);
    for (int i = 0; i < p->n_launches && st == GS_OK; i++)
        if (p->launches[i]->k) st = set_arguments(p, p->launches[i]);
    p->workspace_gen = p->store->workspace_gen;
    return st;
}

static gs_status kernel_of(gs_plan *p, gs_launch *l, gs_program *program)
{
    gs_status st = l->file ? gs_program_with(p->d, l->file, l->before, l->options, &program) : GS_OK;

    if (st == GS_OK) st = p->d->drv->kernel(p->d, program, l->kernel, &l->k);
    return st == GS_OK ? st : gs_fail_in(st, "kernel %s", l->kernel);
}

/* A form of a product or convolution that this driver does not build is not the only one. */
static void go_without(gs_plan *p, const gs_launch *l)
{
    const gs_device_info *d = gs_plan_device(p);
    char name[GS_TUNING_NAME], *why = gs_xstrdup(gs_last_error());

    gs_variant_name(l->family, l->variant, name);
    p->again = gs_unbuilt_add(p->d, name, why);
    if (p->again)
        gs_warn("%s (%s): %s does not build and is not used: %.*s", d->name, d->id, name, (int)strcspn(why, "\n"), why);
    gs_fail(GS_EBUILD, "%s", why);
    free(why);
}

gs_status gs__plan_bind(gs_plan *p)
{
    const gs_driver *drv = p->d->drv;
    gs_program *generated = NULL;
    gs_status st = GS_OK;

    if (p->constant_bytes) TRY(drv->alloc(p->d, p->constant_bytes, &p->constants));
    for (int i = 0; i < p->n_values; i++) {
        gs_value *v = p->values[i];

        if (v->place != GS_PLACE_CONSTANT) continue;
        TRY(drv->write(p->d, p->constants, v->offset, v->host, 4 * (size_t)v->count));
        free(v->host);
        v->host = NULL;
    }
    TRY(gs__store_workspace(p->store, p->chunks, p->n_chunks));
    if (p->n_kernels) {
        gs_debug(4, "%s", gs_str_c(&p->source));
        TRY(gs_program_source(p->d, "generated kernels", gs_str_c(&p->source), "", &generated));
    }
    for (int i = 0; i < p->n_launches; i++) {
        gs_launch *l = p->launches[i];

        if (l->is_gemm || l->is_copy) continue;
        st = kernel_of(p, l, generated);
        if (st == GS_EBUILD && l->variant) go_without(p, l);
        TRY(st);
    }
    TRY(gs__plan_rebind(p));
done:
    return st;
}
