/* The three window ops of max pooling: cl/window.cl, one item an element of the result. */
#include "plan/lower_int.h"

static void cost(gs_launch *l, const gs_node *n)
{
    double bytes = (double)gs_shape_count(n->shape);

    for (int i = 0; i < n->n_in; i++) bytes += (double)gs_shape_count(n->in[i]->shape);
    gs_launch_cost(l, 0.0, 4.0 * bytes);
}

static gs_launch *start(gs_plan *p, const gs_node *n, const char *kernel)
{
    gs_launch *l = gs_launch_new(p, "window.cl", kernel, "-DADAPTIVE=%d", n->attr.i[3] != 0);

    gs_launch_out(l, gs_plan_value(p, n));
    for (int i = 0; i < n->n_in; i++) gs_launch_in(l, gs_plan_value(p, n->in[i]));
    gs_launch_int(l, gs_shape_count(n->shape));
    gs__grid_items(l, gs_shape_count(n->shape));
    cost(l, n);
    return l;
}

static void geometry(gs_launch *l, const gs_attr *a)
{
    static const int order[] = { 4, 5, 6, 7, 0, 1, 2 }; /* H W OH OW kernel stride pad */

    for (size_t i = 0; i < GS_COUNT(order); i++) gs_launch_int(l, a->i[order[i]]);
}

/* Windows that tile the plane, on a CPU: cl/window_tiled_cpu.cl, one item a row of windows. planes are the leading dims' product. */
static bool tiled(gs_plan *p, const gs_node *n, const char *kernel)
{
    const int32_t *i = n->attr.i; /* kernel stride pad adaptive H W OH OW */
    int64_t rows;
    gs_launch *l;

    if (!gs_plan_on_cpu(p) || i[3] || i[2] || i[0] != i[1] || i[0] > 4 || i[4] != i[6] * i[0] || i[5] != i[7] * i[0]) return false;
    rows = gs_shape_count(n->in[0]->shape) / (n->in[0]->shape.dim[3] * n->in[0]->shape.dim[2]) * i[6];
    l = gs_launch_new(p, "window_tiled_cpu.cl", kernel, "-DTILE=%d", (int)i[0]);
    gs_launch_out(l, gs_plan_value(p, n));
    for (int k = 0; k < n->n_in; k++) gs_launch_in(l, gs_plan_value(p, n->in[k]));
    gs_launch_int(l, rows);
    gs_launch_int(l, i[6]);
    gs_launch_int(l, i[7]);
    gs__grid_items(l, rows);
    cost(l, n);
    return true;
}

gs_status gs_lower_window_argmax(gs_plan *p, const gs_node *n)
{
    if (!tiled(p, n, "window_argmax")) geometry(start(p, n, "window_argmax"), &n->attr);
    return GS_OK;
}

gs_status gs_lower_window_gather(gs_plan *p, const gs_node *n)
{
    gs_launch *l = start(p, n, "window_gather");

    gs_launch_int(l, (int64_t)n->attr.i[4] * n->attr.i[5]);
    gs_launch_int(l, (int64_t)n->attr.i[6] * n->attr.i[7]);
    return GS_OK;
}

gs_status gs_lower_window_scatter(gs_plan *p, const gs_node *n)
{
    if (!tiled(p, n, "window_scatter")) geometry(start(p, n, "window_scatter"), &n->attr);
    return GS_OK;
}
