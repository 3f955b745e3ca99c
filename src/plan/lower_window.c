/* The three window ops of max pooling: cl/window.cl, one item an element of the result; on CPUs, where windows tile the plane, cl/window_tiled_cpu.cl. */
#include "plan/lower_int.h"

static void cost(gs_launch *l, const gs_node *n, double share)
{
    double bytes = (double)gs_shape_count(n->shape);

    for (int i = 0; i < n->n_in; i++) bytes += (double)gs_shape_count(n->in[i]->shape);
    gs_launch_cost(l, 0.0, 4.0 * bytes * share);
}

/* The launch for the rows from `first` on of a loop over `rows` of them (gs_plan_part). */
static gs_launch *start(gs_plan *p, const gs_node *n, const char *kernel, int64_t first, int64_t part, int64_t rows)
{
    gs_launch *l = gs_launch_new(p, "window.cl", kernel, "-DADAPTIVE=%d%s", n->attr.i[3] != 0, GS_PART_OPTION(part, rows));

    gs__launch_sum(l, gs_plan_value(p, n), first);
    for (int i = 0; i < n->n_in; i++) gs_launch_in(l, gs_plan_value(p, n->in[i]));
    gs_launch_int(l, gs_shape_count(n->shape));
    gs__grid_items(l, gs_shape_count(n->shape));
    cost(l, n, gs__share(first, part, rows));
    return l;
}

/* rows x columns: what an item looks at, at most. */
static gs_status windows(gs_plan *p, const gs_node *n, const char *kernel, int64_t rows, int64_t columns)
{
    static const int order[] = { 4, 5, 6, 7, 0, 1, 2 }; /* H W OH OW kernel stride pad */
    int64_t part;
    const gs_status st = gs_plan_part(p, rows, 1, columns + 2, 1, &part);

    for (int64_t first = 0; first < rows && st == GS_OK; first += part) {
        gs_launch *l = start(p, n, kernel, first, part, rows);

        for (size_t i = 0; i < GS_COUNT(order); i++) gs_launch_int(l, n->attr.i[order[i]]);
        gs_launch_range(l, first, part, rows);
    }
    return st;
}

/* Windows that tile the plane, on a CPU: cl/window_tiled_cpu.cl, one item a row of windows. planes are the leading dims' product. */
static bool tiles(const gs_plan *p, const gs_node *n)
{
    const int32_t *i = n->attr.i; /* kernel stride pad adaptive H W OH OW */

    return gs_plan_on_cpu(p) && !i[3] && !i[2] && i[0] == i[1] && i[0] <= 4 && i[4] == i[6] * i[0] && i[5] == i[7] * i[0];
}

/* Max pooling's forward pass over such windows: x at the indices of its own largest. The largest need no indices. */
static bool takes_largest(const gs_plan *p, const gs_node *n)
{
    return tiles(p, n) && GS_IS(n, window_gather) && GS_IS(n->in[1], window_argmax) && n->in[1]->in[0] == n->in[0];
}

static bool tiled(gs_plan *p, const gs_node *n, const char *kernel)
{
    const int32_t *i = n->attr.i;
    const bool largest = takes_largest(p, n);
    int64_t rows;
    gs_launch *l;

    if (!tiles(p, n)) return false;
    rows = gs_shape_count(n->in[0]->shape) / (n->in[0]->shape.dim[3] * n->in[0]->shape.dim[2]) * i[6];
    l = gs_launch_new(p, "window_tiled_cpu.cl", kernel, "-DTILE=%d", (int)i[0]);
    gs_launch_out(l, gs_plan_value(p, n));
    for (int k = 0; k < (largest ? 1 : n->n_in); k++) gs_launch_in(l, gs_plan_value(p, n->in[k]));
    gs_launch_int(l, rows);
    gs_launch_int(l, i[6]);
    gs_launch_int(l, i[7]);
    gs__grid_items(l, rows);
    cost(l, n, 1.0);
    return true;
}

/* Cells of n that a window of one of `out` takes, at most; windows that cover a cell likewise. */
static int64_t cells(const gs_attr *a, int64_t n, int64_t out) { return GS_MIN(n, a->i[3] ? n / out + 2 : a->i[0]); }
static int64_t covers(const gs_attr *a, int64_t n, int64_t out)
{
    return GS_MIN(out, a->i[3] ? out / n + 2 : (a->i[0] + a->i[1] - 1) / a->i[1]);
}

gs_status gs_lower_window_argmax(gs_plan *p, const gs_node *n)
{
    const gs_attr *a = &n->attr;

    if (gs_plan_read_only_by(p, n, takes_largest)) return GS_OK; /* nobody wants the indices */
    if (tiled(p, n, "window_argmax")) return GS_OK;
    return windows(p, n, "window_argmax", cells(a, a->i[4], a->i[6]), cells(a, a->i[5], a->i[7]));
}

gs_status gs_lower_window_gather(gs_plan *p, const gs_node *n)
{
    gs_launch *l;

    if (takes_largest(p, n)) {
        tiled(p, n, "window_max");
        return GS_OK;
    }
    l = start(p, n, "window_gather", 0, 1, 1);
    gs_launch_int(l, (int64_t)n->attr.i[4] * n->attr.i[5]);
    gs_launch_int(l, (int64_t)n->attr.i[6] * n->attr.i[7]);
    return GS_OK;
}

gs_status gs_lower_window_scatter(gs_plan *p, const gs_node *n)
{
    const gs_attr *a = &n->attr;

    if (tiled(p, n, "window_scatter")) return GS_OK;
    return windows(p, n, "window_scatter", covers(a, a->i[4], a->i[6]), covers(a, a->i[5], a->i[7]));
}
