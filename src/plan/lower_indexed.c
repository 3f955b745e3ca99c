/* gather and scatter_add: cl/indexed.cl. */
#include "plan/lower_int.h"

enum { LONG_ROW = 4096 }; /* columns a group copies */

gs_status gs_lower_gather(gs_plan *p, const gs_node *n)
{
    const gs_node *table = n->in[0], *index = n->in[1];
    const int64_t v = table->shape.dim[0], e = gs_shape_count(table->shape) / v, l = gs_shape_count(index->shape);
    const bool rows = e >= GS_ITEMS;
    const int wg = gs_plan_on_cpu(p) ? 1 : GS_ITEMS;
    gs_launch *a = rows ? gs_launch_new(p, "indexed.cl", "gather_rows", "%s -DWG=%d", gs__type(table->dtype), wg)
                        : gs_launch_new(p, "indexed.cl", "gather", "%s", gs__type(table->dtype));

    gs_launch_out(a, gs_plan_value(p, n));
    gs_launch_in(a, gs_plan_value(p, table));
    gs_launch_in(a, gs_plan_value(p, index));
    if (!rows) gs_launch_int(a, l);
    gs_launch_int(a, e);
    gs_launch_int(a, v);
    if (rows) {
        gs_launch_int(a, LONG_ROW);
        gs_launch_grid(a, (size_t)l, (size_t)((e + LONG_ROW - 1) / LONG_ROW), 1, (size_t)wg, 1, 1);
    } else {
        gs__grid_items(a, l * e);
    }
    gs_launch_cost(a, 0.0, 4.0 * (double)(2 * l * e + l));
    return GS_OK;
}

gs_status gs_lower_scatter_add(gs_plan *p, const gs_node *n)
{
    const gs_node *index = n->in[0], *rows = n->in[1];
    const int64_t v = n->shape.dim[0], e = gs_shape_count(n->shape) / v, l = gs_shape_count(index->shape);
    const int wg = gs_plan_on_cpu(p) ? 1 : GS_ITEMS;
    /* Few long rows are cut into pieces of columns so that all cores have work; each piece searches the list again. */
    const int64_t cols = v < 4 * gs_plan_device(p)->compute_units ? GS_MIN(e, (int64_t)GS_ITEMS) : e;
    /* turns for a row that is added; all of the list may be the same row */
    const int64_t passes = (cols + wg - 1) / wg + 1;
    int64_t part;
    const gs_status st = gs_plan_part(p, l, 1, 1 + passes, 1 + passes, &part);

    for (int64_t first = 0; first < l && st == GS_OK; first += part) {
        const double share = gs__share(first, part, l);
        gs_launch *a = gs_launch_new(p, "indexed.cl", "scatter_add", "%s -DWG=%d%s", gs__type(rows->dtype), wg, GS_PART_OPTION(part, l));

        gs__launch_sum(a, gs_plan_value(p, n), first);
        gs_launch_in(a, gs_plan_value(p, index));
        gs_launch_in(a, gs_plan_value(p, rows));
        gs_launch_int(a, l);
        gs_launch_int(a, e);
        gs_launch_int(a, cols);
        gs_launch_range(a, first, part, l);
        gs_launch_grid(a, (size_t)v, (size_t)((e + cols - 1) / cols), 1, (size_t)wg, 1, 1);
        gs_launch_cost(a, share * (double)(l * e), 4.0 * (share * (double)(l * e + l) + (double)(v * e)));
    }
    return st;
}
