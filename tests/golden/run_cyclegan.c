/* Running cases of CycleGAN: training steps. */
#include "golden.h"
#include "models/cyclegan.h"

static double rate(const void *o, int64_t step)
{
    (void)step; /* cases are shorter than an epoch */
    return gs_cyclegan_lr(o, 0);
}

static gs_status run(golden_case *c, gs_device *d)
{
    gs_graph *g = gs_graph_new();
    gs_cyclegan_opts o;
    gs_status st = GS_OK;

    TRY(gs_cyclegan_configure(&o, golden_lookup, c));
    TRY(gs_cyclegan_build_step(g, &o, o.batch, true));
    TRY(golden_run_graph(c, d, g, rate, &o));
done:
    gs_graph_free(g);
    return st;
}

void golden_run_cyclegan(golden_case *c, gs_device *d)
{
    if (run(c, d) != GS_OK) golden_give_up(c);
}
