/* max, argmax and cumsum along one axis: cl/axis.cl, one item a line; the largest along rows on CPUs: cl/axis_cpu.cl. */
#include "plan/lower_int.h"

static gs_status along(gs_plan *p, const gs_node *n, const char *kernel, bool reverse_arg)
{
    const gs_shape s = n->in[0]->shape;
    const int axis = n->attr.i[0];
    const int64_t len = s.dim[axis], inner = gs__dims(s, axis + 1, s.rank), lines = gs__dims(s, 0, axis) * inner;
    const double bytes = 4.0 * (double)(gs_shape_count(s) + gs_shape_count(n->shape));
    int64_t part;
    const gs_status st = gs_plan_part(p, len, 1, 1, 1, &part);

    for (int64_t first = 0; first < len && st == GS_OK; first += part) {
        gs_launch *l = gs_launch_new(p, "axis.cl", kernel, "%s%s", gs__type(n->in[0]->dtype), GS_PART_OPTION(part, len));

        gs__launch_sum(l, gs_plan_value(p, n), first);
        gs_launch_in(l, gs_plan_value(p, n->in[0]));
        gs_launch_int(l, lines);
        gs_launch_int(l, len);
        gs_launch_int(l, inner);
        if (reverse_arg) gs_launch_int(l, n->attr.i[1]);
        gs_launch_range(l, first, part, len);
        gs__grid_items(l, lines);
        gs_launch_cost(l, 0.0, bytes * gs__share(first, part, len));
    }
    return st;
}

gs_status gs_lower_max(gs_plan *p, const gs_node *n)
{
    enum { RUN = 4096 }; /* elements an item: a group costs as much as some hundred */
    const gs_shape s = n->in[0]->shape;
    const int axis = n->attr.i[0];
    const int64_t len = s.dim[axis], lines = gs_shape_count(n->shape), want = 4 * GS_MAX(1, gs_plan_device(p)->compute_units);
    const int64_t per = GS_MAX(1, GS_MIN(RUN / len, lines / want)); /* but no core without work */
    gs_launch *l;

    if (!gs_plan_on_cpu(p) || n->dtype != GS_F32 || gs__dims(s, axis + 1, s.rank) != 1) return along(p, n, "axis_max", false);
    l = gs_launch_new(p, "axis_cpu.cl", "axis_max_lines", "%s", "");
    gs_launch_out(l, gs_plan_value(p, n));
    gs_launch_in(l, gs_plan_value(p, n->in[0]));
    gs_launch_int(l, lines);
    gs_launch_int(l, len);
    gs_launch_int(l, per);
    gs_launch_grid(l, (size_t)((lines + per - 1) / per), 1, 1, 1, 1, 1);
    gs_launch_cost(l, 0.0, 4.0 * (double)(lines * len + lines));
    return GS_OK;
}

gs_status gs_lower_argmax(gs_plan *p, const gs_node *n) { return along(p, n, "axis_argmax", false); }
gs_status gs_lower_cumsum(gs_plan *p, const gs_node *n) { return along(p, n, "axis_cumsum", true); }
