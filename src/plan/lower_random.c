/* Random tensors to launches: cl/random.cl, four elements an item. */
#include <math.h>

#include "plan/lower_int.h"

gs_status gs_lower_random(gs_plan *p, const gs_node *n)
{
    const int64_t count = gs_shape_count(n->shape);
    const bool bernoulli = GS_IS(n, random_bernoulli);
    gs_launch *l = gs_launch_new(p, "random.cl",
                                 bernoulli ? "random_bernoulli" : GS_IS(n, random_normal) ? "random_normal" : "random_uniform",
                                 "%s", "");

    gs_launch_out(l, gs_plan_value(p, n));
    gs_launch_in(l, gs_plan_step(p));
    gs_launch_int(l, count);
    gs_launch_int(l, n->attr.i[0]);
    /* u < p for a 24-bit u, exactly: its integer is below ceil(p 2^24) */
    if (bernoulli) gs_launch_int(l, (int64_t)ceil(n->attr.f[0] * 16777216.0));
    gs__grid_items(l, (count + 3) / 4);
    gs_launch_cost(l, 0.0, 4.0 * (double)count);
    return GS_OK;
}
