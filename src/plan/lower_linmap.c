/* Separable sparse maps y = A x B^T of planes: cl/linmap.cl. An axis whose map is the identity is left out; two maps
 * run as one kernel (every result reads |row of A| x |row of B| elements) or as two passes through scratch, whichever
 * touches less. CPUs go along lines (cl/linmap_cpu.cl): one kernel keeps lines between the two, or copies them where no row has two entries. */
#include <stdlib.h>

#include "plan/lower_int.h"

enum {
    MOST_REPEATS = 8, /* a loop that is written out */
    MOST_TAPS = 8,    /* likewise */
    LANES = 16,       /* of cl/linmap_cpu.cl, as are these: lines whose columns lie in local memory, */
    LEAST_WIDE = 256  /* and room for columns, a power of two from this on, so that there are few programs */
};

typedef struct table { /* one axis on the device */
    gs_value *at, *weight;
    int rows, cols, entries;
    int longest; /* entries of a row, at most */
    int repeat;  /* one entry a row: each column is taken so many times in turn, with one weight; 0: otherwise */
    int run_from, run_to; /* the longest run of such rows whose columns follow each other, with one weight */
    int step, taps, pool_from, pool_to; /* the longest run of rows of `taps` neighbours with the same weights, each `step` columns further; step 0: none */
    int chunk; /* rows that take at most 16 neighbouring columns, wherever a multiple of it begins them; 0: none */
} table;

static bool identity(const gs_linmap_table *t)
{
    if (t->rows != t->cols) return false;
    for (int r = 0; r < t->rows; r++)
        if (t->start[r + 1] - t->start[r] != 1 || t->index[t->start[r]] != r || t->weight[t->start[r]] != 1.0)
            return false;
    return true;
}

/* Where rows of one entry copy. */
static void find_copies(const gs_linmap_table *t, table *d)
{
    const int f = t->cols > 0 && t->rows % t->cols == 0 ? t->rows / t->cols : 0;
    int from = 0;

    d->repeat = f > 1 && f <= MOST_REPEATS ? f : 0;
    for (int r = 0; r < t->rows; r++) {
        if (d->repeat && (t->index[r] != r / f || t->weight[r] != t->weight[0])) d->repeat = 0;
        if (r && (t->index[r] != t->index[r - 1] + 1 || t->weight[r] != t->weight[r - 1])) from = r;
        if (r + 1 - from > d->run_to - d->run_from) d->run_from = from, d->run_to = r + 1;
    }
    if (d->repeat) d->run_from = 0, d->run_to = t->rows;
}

/* Is row r the one before, shifted by `step` columns? Of `taps` neighbours both. */
static bool shifted(const gs_linmap_table *t, int r, int step, int taps)
{
    const int a = t->start[r - 1], b = t->start[r];

    if (b - a != taps || t->start[r + 1] - b != taps) return false;
    for (int e = 0; e < taps; e++)
        if (t->index[a + e] != t->index[a] + e || t->index[b + e] != t->index[a] + step + e || t->weight[b + e] != t->weight[a + e]) return false;
    return true;
}

/* What cl/linmap_cpu.cl can do. */
static bool can_pool(int step, int taps)
{
    return taps >= 2 && taps <= MOST_TAPS && (step == 4 ? taps == 4 : (step == 1 || step == 2) && taps >= step);
}

/* Where rows are windows of one form. */
static void find_pool(const gs_linmap_table *t, table *d)
{
    for (int r = 1; r < t->rows;) {
        const int a = t->start[r - 1], b = t->start[r], taps = b - a, from = r - 1;
        const int step = taps > 0 && t->start[r + 1] > b ? t->index[b] - t->index[a] : 0; /* a row may have no entry, also the last */

        while (r < t->rows && can_pool(step, taps) && shifted(t, r, step, taps)) r++;
        if (r - from > GS_MAX(1, d->pool_to - d->pool_from)) d->step = step, d->taps = taps, d->pool_from = from, d->pool_to = r;
        if (r == from + 1) r++;
    }
}

/* Do every `chunk` rows from a multiple of it on take at most LANES neighbouring columns? */
static bool near(const gs_linmap_table *t, int chunk)
{
    for (int r = 0; r < t->rows; r += chunk) {
        int lo = t->cols, hi = 0;

        for (int e = t->start[r]; e < t->start[GS_MIN(r + chunk, t->rows)]; e++) lo = GS_MIN(lo, t->index[e]), hi = GS_MAX(hi, t->index[e]);
        if (hi - lo >= LANES) return false;
    }
    return true;
}

static table upload(gs_plan *p, const gs_linmap_table *t, const char *name)
{
    const int e = t->start[t->rows];
    int32_t *at = gs_xalloc(sizeof(int32_t) * (size_t)(t->rows + 1 + e));
    float *weight = gs_xalloc(sizeof(float) * (size_t)GS_MAX(e, 1)); /* an adjoint may have no entry at all in a row */
    table d = { .rows = t->rows, .cols = t->cols, .entries = e };

    for (int r = 0; r <= t->rows; r++) at[r] = t->start[r];
    for (int r = 0; r < t->rows; r++) d.longest = GS_MAX(d.longest, at[r + 1] - at[r]);
    if (d.longest == 1 && t->rows == e) find_copies(t, &d);
    find_pool(t, &d);
    d.chunk = (int)GS_MIN(t->rows, (int64_t)LANES * t->rows / t->cols);
    while (d.chunk > 0 && !near(t, d.chunk)) d.chunk--;
    for (int i = 0; i < e; i++) {
        at[t->rows + 1 + i] = t->index[i];
        weight[i] = (float)t->weight[i];
    }
    d.at = gs_plan_table(p, at, t->rows + 1 + e, GS_I32, name);
    d.weight = gs_plan_table(p, weight, GS_MAX(e, 1), GS_F32, name);
    free(at);
    free(weight);
    return d;
}

/* Does the device turn a kernel's loops that often? (gs_plan_part; these sums are not split) */
static gs_status whole(gs_plan *p, int64_t turns)
{
    int64_t part;

    return gs_plan_part(p, 1, 1, turns, 0, &part);
}

/* The last arguments and the grid of the forms for CPUs: planes in runs, or rows in chunks, for some 16
 * groups a core. */
static void cut(gs_plan *p, gs_launch *l, int64_t planes, int64_t rows)
{
    const int64_t want = 16 * GS_MAX(1, gs_plan_device(p)->compute_units);
    const int64_t per = (planes + want - 1) / want, cuts = GS_MIN(rows, (want + planes - 1) / planes),
                  chunk = (rows + cuts - 1) / cuts;

    gs_launch_int(l, per);
    gs_launch_int(l, chunk);
    gs_launch_grid(l, (size_t)((planes + per - 1) / per), (size_t)((rows + chunk - 1) / chunk), 1, 1, 1, 1);
}

/* The same for units of work in a row. */
static void cut_units(gs_plan *p, gs_launch *l, int64_t units)
{
    const int64_t want = 16 * GS_MAX(1, gs_plan_device(p)->compute_units), per = (units + want - 1) / want;

    gs_launch_int(l, per);
    gs_launch_grid(l, (size_t)((units + per - 1) / per), 1, 1, 1, 1, 1);
}

/* y (outer,rows,inner) = T x (outer,cols,inner) */
static gs_status axis(gs_plan *p, gs_value *y, gs_value *x, const table *t, int64_t outer, int64_t inner)
{
    const int64_t count = outer * t->rows * inner;
    const bool lines = gs_plan_on_cpu(p);
    const gs_status st = whole(p, t->longest + 1);
    gs_launch *l;

    if (st != GS_OK) return st;
    l = lines ? gs_launch_new(p, "linmap_cpu.cl", "linmap_lines", "%s", "") : gs_launch_new(p, "linmap.cl", "linmap_axis", "%s", "");
    gs_launch_out(l, y);
    gs_launch_in(l, x);
    gs_launch_in(l, t->at);
    gs_launch_in(l, t->weight);
    gs_launch_int(l, lines ? outer : count);
    gs_launch_int(l, t->rows);
    gs_launch_int(l, t->cols);
    gs_launch_int(l, inner);
    if (lines) cut(p, l, outer, t->rows);
    else gs__grid_items(l, count);
    gs_launch_cost(l, 2.0 * (double)(outer * inner) * t->entries, 4.0 * (double)(count + outer * t->cols * inner));
    return GS_OK;
}

static int64_t wide(int64_t columns)
{
    int64_t w = LEAST_WIDE;

    while (w < columns) w *= 2;
    return w;
}

/* Has local memory room for 16 lines of x, and of y? */
static bool fits(const gs_plan *p, int64_t columns) { return wide(columns) * LANES * 4 <= (int64_t)gs_plan_device(p)->local_memory; }

/* Most columns of y are vectors of windows. */
static bool pools(const table *b) { return b->step && b->pool_to - b->pool_from >= GS_MAX(LANES, b->rows * 3 / 4); }

/* cl/linmap_cpu.cl: columns first where that spares work and local memory has room. */
static int64_t rise_chunk(const gs_plan *p, const table *a, const table *b)
{
    return a->rows > a->cols && fits(p, wide(b->cols) + wide(b->rows)) ? a->chunk : 0;
}

static gs_launch *plane_cpu(gs_plan *p, const table *a, const table *b)
{
    if (a->run_to && b->run_to) return gs_launch_new(p, "linmap_cpu.cl", "linmap_copy_lines", "-DREP=%d", b->repeat);
    if (pools(b)) return gs_launch_new(p, "linmap_cpu.cl", "linmap_pool_lines", "-DSTEP=%d -DTAPS=%d", b->step, b->taps);
    if (!rise_chunk(p, a, b)) return gs_launch_new(p, "linmap_cpu.cl", "linmap_turn_lines", "-DWIDE=%d", (int)wide(b->cols));
    return gs_launch_new(p, "linmap_cpu.cl", "linmap_rise_lines", "-DWIDE=%d -DLONG=%d", (int)wide(b->cols), (int)wide(b->rows));
}

static void plane(gs_plan *p, gs_value *y, gs_value *x, const table *a, const table *b, int64_t planes)
{
    const int64_t count = planes * a->rows * b->rows, chunk = rise_chunk(p, a, b);
    const bool cpu = gs_plan_on_cpu(p), copies = a->run_to && b->run_to;
    gs_launch *l = cpu ? plane_cpu(p, a, b) : gs_launch_new(p, "linmap.cl", "linmap_plane", "%s", "");

    gs_launch_out(l, y);
    gs_launch_in(l, x);
    gs_launch_in(l, a->at);
    gs_launch_in(l, a->weight);
    gs_launch_in(l, b->at);
    gs_launch_in(l, b->weight);
    gs_launch_int(l, cpu ? planes : count);
    gs_launch_int(l, a->rows);
    gs_launch_int(l, b->rows);
    gs_launch_int(l, a->cols);
    gs_launch_int(l, b->cols);
    if (!cpu) {
        gs__grid_items(l, count);
    } else if (copies || pools(b)) {
        gs_launch_int(l, copies ? b->run_from : b->pool_from);
        gs_launch_int(l, copies ? b->run_to : b->pool_to);
        cut(p, l, planes, a->rows);
    } else if (chunk) {
        cut_units(p, l, planes * ((a->rows + chunk - 1) / chunk));
        gs_launch_int(l, chunk);
    } else {
        cut_units(p, l, (planes * a->rows + LANES - 1) / LANES);
    }
    gs_launch_cost(l, 2.0 * (double)planes * a->entries * b->entries,
                   4.0 * (double)(count + planes * a->cols * b->cols));
}

gs_status gs_lower_linmap(gs_plan *p, const gs_node *n)
{
    gs_value *y = gs_plan_value(p, n), *x = gs_plan_value(p, n->in[0]);
    const int64_t planes = gs__dims(n->shape, 0, n->shape.rank - 2);
    const bool cpu = gs_plan_on_cpu(p);
    gs_linmap_table ha, hb;
    gs_status st = GS_OK;
    table a, b;

    gs_linmap_make(&n->attr, 0, &ha);
    gs_linmap_make(&n->attr, 1, &hb);
    a = upload(p, &ha, "map of rows");
    b = upload(p, &hb, "map of columns");
    if (identity(&hb)) {
        st = axis(p, y, x, &a, planes, b.cols);
    } else if (cpu && ((a.run_to && b.run_to) || pools(&b) || fits(p, b.cols))) {
        plane(p, y, x, &a, &b, planes);
    } else if (identity(&ha)) {
        st = axis(p, y, x, &b, planes * a.rows, 1);
    } else {
        /* Terms a plane. On CPUs a pass along the rows' axis adds whole lines, some eight elements at a time. */
        const double line = cpu ? 0.125 : 1.0, one = (double)a.entries * b.entries;
        const double rows_first = line * (double)a.entries * b.cols + (double)a.rows * b.entries;
        const double columns_first = (double)b.entries * a.cols + line * (double)b.rows * a.entries;

        /* a second pass writes and reads its scratch and costs a launch: worth it only for a clear win */
        if (!cpu && one <= 2.0 * GS_MIN(rows_first, columns_first) && whole(p, (int64_t)a.longest * (b.longest + 2) + 1) == GS_OK) {
            plane(p, y, x, &a, &b, planes);
        } else if (rows_first < columns_first) {
            gs_value *t = gs_plan_scratch(p, planes * a.rows * b.cols, "linmap scratch");

            st = axis(p, t, x, &a, planes, b.cols);
            if (st == GS_OK) st = axis(p, y, t, &b, planes * a.rows, 1);
        } else {
            gs_value *t = gs_plan_scratch(p, planes * a.cols * b.rows, "linmap scratch");

            st = axis(p, t, x, &b, planes * a.cols, 1);
            if (st == GS_OK) st = axis(p, y, t, &a, planes, b.rows);
        }
    }
    gs_linmap_free(&ha);
    gs_linmap_free(&hb);
    return st;
}
