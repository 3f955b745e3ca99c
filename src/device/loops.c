/* Does a device finish its loops? A compiler made for shaders may end them early, so that no shader hangs the
 * screen: Mesa's llvmpipe counts the turns of all loops of an item together and lets none turn again after
 * 65,535. A sum cut short is wrong without a word, so the device is asked: a kernel turns often, and its
 * result tells how often it did. */
#include "device/device.h"

enum { PROBE_TURNS = 1 << 17 }; /* some milliseconds on one item; a limit above it is not found */

/* Steps of probe_loop's generator from 1 to `state`; PROBE_TURNS when it takes that many or is none of the
 * states on the way. */
static int steps_to(uint32_t state)
{
    uint32_t s = 1;
    int n = 0;

    for (; n < PROBE_TURNS && s != state; n++) s = s * 1664525u + 1013904223u;
    return n;
}

static gs_status probe(gs_device *d, int *turns)
{
    const size_t one[3] = { 1, 1, 1 };
    const uint64_t offset = 0;
    const int32_t wanted = PROBE_TURNS;
    gs_kernel *k = NULL;
    gs_buffer *b = NULL;
    gs_program *p;
    uint32_t state = 0;
    gs_status st;

    TRY(gs_program_get(d, "probe.cl", "", &p));
    TRY(d->drv->kernel(d, p, "probe_loop", &k));
    TRY(d->drv->alloc(d, sizeof state, &b));
    TRY(d->drv->arg_buffer(k, 0, b));
    TRY(d->drv->arg_value(k, 1, sizeof offset, &offset));
    TRY(d->drv->arg_value(k, 2, sizeof wanted, &wanted));
    TRY(d->drv->launch(d, k, one, one, NULL));
    TRY(d->drv->read(d, b, 0, &state, sizeof state));
    *turns = steps_to(state);
done:
    d->drv->free(d, b);
    if (k) d->drv->free_kernel(d, k);
    return st;
}

int64_t gs_device_loop_turns(gs_device *d)
{
    int turns = PROBE_TURNS;

    if (d->loop_turns) return d->loop_turns;
    d->loop_turns = INT64_MAX;
    if (d->info.kind == GS_NULL) return d->loop_turns;
    if (probe(d, &turns) != GS_OK) /* whoever needs the device will hear of it */
        gs_debug(1, "device %s: loops were not counted: %s", d->info.id, gs_last_error());
    else if (turns < PROBE_TURNS)
        d->loop_turns = GS_MAX(turns, 1);
    if (turns < PROBE_TURNS) gs_debug(1, "device %s ends the loops of an item after %d turns; longer sums take several launches", d->info.id, turns);
    return d->loop_turns;
}
