/* Replaying a plan: feeds, launches in order, fetches. A step allocates nothing and reads nothing back. */
#include "plan/plan_int.h"

#include <stdlib.h>
#include <string.h>

static gs_status not_dry(const gs_plan *p)
{
    return p->dry_run ? gs_fail(GS_EINVAL, "a dry plan cannot run: it has no memory on the device") : GS_OK;
}

gs_status gs_plan_feed(gs_plan *p, const char *name, const void *data)
{
    gs_status st = not_dry(p);

    if (st != GS_OK) return st;
    for (int i = 0; i < p->n_inputs; i++)
        if (!strcmp(p->inputs[i].name, name))
            return p->d->drv->write(p->d, p->constants, p->inputs[i].value->offset, data, 4 * (size_t)p->inputs[i].value->count);
    return gs_fail(GS_EINVAL, "the plan has no input named '%s'", name);
}

gs_shape gs_plan_shape(const gs_plan *p, const char *name)
{
    for (int i = 0; i < p->n_inputs; i++)
        if (!strcmp(p->inputs[i].name, name)) return p->inputs[i].shape;
    for (int i = 0; i < p->n_outputs; i++)
        if (!strcmp(p->outputs[i].name, name)) return p->outputs[i].shape;
    return (gs_shape){ .rank = -1 };
}

static gs_status launch_gemm(gs_plan *p, gs_launch *l, gs_event **ev)
{
    size_t c0, a0, b0, t0 = 0;
    gs_buffer *c = gs__plan_buffer(p, l->args[0].value, &c0);
    gs_buffer *a = gs__plan_buffer(p, l->args[1].value, &a0);
    gs_buffer *b = gs__plan_buffer(p, l->args[2].value, &b0);
    gs_buffer *temp = l->n_args > 3 ? gs__plan_buffer(p, l->args[3].value, &t0) : NULL;

    return p->d->drv->gemm(p->d, &l->gemm, c, c0 / 4 + (size_t)l->args[0].extra, a, a0 / 4 + (size_t)l->args[1].extra, b,
                           b0 / 4 + (size_t)l->args[2].extra, temp, t0, ev);
}

static gs_status launch_copy(gs_plan *p, gs_launch *l)
{
    const size_t bytes = 4 * (size_t)l->args[0].value->count;
    size_t d0, s0;
    gs_buffer *dst = gs__plan_buffer(p, l->args[0].value, &d0), *src;

    if (l->n_args == 1) return p->d->drv->fill(p->d, dst, d0, 0, bytes);
    src = gs__plan_buffer(p, l->args[1].value, &s0);
    return p->d->drv->copy(p->d, dst, d0, src, s0, bytes);
}

gs_status gs__plan_enqueue(gs_plan *p)
{
    const gs_driver *drv = p->d->drv;
    const bool timed = p->seconds != NULL;
    gs_status st = GS_OK;

    for (int i = 0; i < p->n_launches; i++) {
        gs_launch *l = p->launches[i];
        gs_event *ev = NULL;
        double s = 0;

        if (l->is_copy) {
            TRY(launch_copy(p, l));
            continue;
        }
        st = l->is_gemm ? launch_gemm(p, l, timed ? &ev : NULL) : drv->launch(p->d, l->k, l->groups, l->local, timed ? &ev : NULL);
        if (st != GS_OK) {
            gs_fail_in(st, "launch %d, %s", i, l->kernel);
            goto done;
        }
        if (timed && ev) {
            st = drv->event_seconds(ev, &s);
            drv->event_free(ev);
            TRY(st);
            p->seconds[i] += s;
        }
    }
done:
    return st;
}

/* What changes from step to step (inputs, seed and step) lies in device memory and is written before the
 * launches, which never change. */
gs_status gs_plan_run(gs_plan *p, uint64_t seed, uint64_t step)
{
    gs_status st = GS_OK;
    bool done_already = false;

    TRY(not_dry(p));
    if (p->workspace_gen != p->store->workspace_gen) TRY(gs__plan_rebind(p));
    if (p->step_block) {
        const uint32_t block[4] = { (uint32_t)seed, (uint32_t)(seed >> 32), (uint32_t)step, (uint32_t)(step >> 32) };

        TRY(p->d->drv->write(p->d, p->constants, p->step_block->offset, block, sizeof block));
    }
    TRY(gs__plan_replay(p, &done_already));
    if (!done_already) TRY(gs__plan_enqueue(p));
    p->runs++;
done:
    return st;
}

gs_status gs_plan_fetch(gs_plan *p, const char *name, void *dst)
{
    gs_status st = not_dry(p);

    if (st != GS_OK) return st;
    for (int i = 0; i < p->n_outputs; i++)
        if (!strcmp(p->outputs[i].name, name)) {
            size_t offset;
            gs_buffer *b = gs__plan_buffer(p, p->outputs[i].value, &offset);

            return p->d->drv->read(p->d, b, offset, dst, 4 * (size_t)p->outputs[i].value->count);
        }
    return gs_fail(GS_EINVAL, "the plan has no output named '%s'", name);
}
