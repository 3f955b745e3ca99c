/* A plan's launches as one piece of work for the driver, where it offers that (CUDA graphs): a step is then
 * one call instead of hundreds.
 *
 * The first runs are ordinary, since drivers and their libraries load kernels at first use and a plan that
 * runs once gains nothing. What differs between steps is in device memory (run.c), so a recording holds for
 * all of them; it holds addresses, and goes when they change. A device that fails to record is left alone:
 * the plan goes on with ordinary launches. */
#include "plan/plan_int.h"

enum { ORDINARY_RUNS = 2, FEWEST_LAUNCHES = 4 };

static bool pays(const gs_plan *p)
{
    return p->d->drv->record_begin && !p->off_graphs && !p->seconds && p->n_launches >= FEWEST_LAUNCHES && p->runs >= ORDINARY_RUNS;
}

static gs_status record(gs_plan *p)
{
    const gs_driver *drv = p->d->drv;
    gs_status st = drv->record_begin(p->d);

    if (st != GS_OK) return st;
    st = gs__plan_enqueue(p);
    if (st == GS_OK) return drv->record_end(p->d, &p->recording);
    drv->record_end(p->d, NULL);
    return st;
}

gs_status gs__plan_replay(gs_plan *p, bool *done)
{
    *done = false;
    if (!p->recording && pays(p)) {
        if (record(p) == GS_OK) {
            gs_debug(1, "plan: %d launches are recorded as one", p->n_launches);
        } else {
            gs_debug(1, "plan: launches stay single: %s", gs_last_error());
            p->off_graphs = true;
        }
    }
    if (!p->recording) return GS_OK;
    *done = true;
    return p->d->drv->replay(p->d, p->recording);
}

void gs__plan_drop_recording(gs_plan *p)
{
    if (p->recording) p->d->drv->free_recording(p->d, p->recording);
    p->recording = NULL;
}
