/* Units that go along the same rows become one: a row is what a sum or a largest element takes together, and lies in one piece or is
 * a column of a matrix, beside others. A norm is a mean, a mean of squares, arithmetic on each and an elementwise end, a softmax a largest element, a
 * sum and a division: each would read all rows from memory again. In one launch (codegen_rows.c) a row is read once and its later readings come from the cache.
 *
 * From each sum along rows the group grows by units that it reads or that read it, as long as all that a member reads of another is of the same row, the
 * group can run as one (no path leads out of it and back), and memory is passed over less often. Only on CPUs, where an item takes whole
 * rows; where there are rows enough for all cores, and not so long that they leave the cache: those of AdaLIN's sums over whole pictures are. */
#include "plan/plan_int.h"

#include <stdlib.h>
#include <string.h>

#define ROW_BYTES (1 << 20) /* of all tensors of a row together: what a core's own cache keeps */
#define FAR_BYTES (1 << 25) /* of all rows: tensors that leave the last cache, which keeps */
#define FAR_ROW (1 << 23)   /* a row of this length */
#define MAX_KEPT 4          /* rows that a launch keeps for itself */
#define COLUMNS 16          /* rows side by side that an item takes at least */

typedef struct group {
    gs_plan *p;
    gs_shape whole, totals; /* of what goes along the row, and of one value a row */
    unsigned axes;          /* of the row */
    gs_rows_form form;
    gs_unit **unit; int n, cap;
    uint64_t *members;      /* bit set of unit ids */
} group;

/* ---- shapes ---- */

/* A mask of all axes that are longer than 1 among those. */
static unsigned long_axes(gs_shape s, unsigned axes)
{
    unsigned r = 0;

    for (int d = 0; d < s.rank; d++)
        if (s.dim[d] > 1) r |= axes & 1u << d;
    return r;
}

/* The row that a unit's sums take together, axes longer than 1 only; 0: none. */
static unsigned row_of(const gs_unit *u, gs_shape *whole)
{
    const gs_node *n = u->roots[0];

    if (u->kind == GS_U_SUM) {
        *whole = u->in_shape;
        return long_axes(u->in_shape, u->axes);
    }
    if (u->kind != GS_U_KERNEL || u->n_roots > 1 || !GS_IS(n, max) || n->in[0]->dtype != GS_F32) return 0;
    *whole = n->in[0]->shape;
    return long_axes(*whole, 1u << n->attr.i[0]);
}

/* Finds how the rows lie. False: in pieces, or too few to go round. */
static bool worth_it(group *g)
{
    const int64_t want = 4 * GS_MAX(1, gs_plan_device(g->p)->compute_units);
    const gs_shape *s = &g->whole;
    int64_t items = 1, length = 1, side = 1;
    bool apart = false;
    int d = s->rank - 1;

    for (; d >= 0 && (s->dim[d] == 1 || g->axes >> d & 1); d--) length *= s->dim[d];
    for (; d >= 0 && length == 1 && !(g->axes >> d & 1); d--) side *= s->dim[d];
    for (; d >= 0; d--) {
        if (g->axes >> d & 1) apart = true;
        else items *= s->dim[d];
    }
    g->form = side > 1 ? GS_ROWS_COLUMNS : GS_ROWS_WHOLE;
    if (!g->axes || (apart && (side == 1 || g->p->off_columns))) return false;
    return items * (side > 1 ? side / COLUMNS : 1) >= want;
}

static gs_row_kind kind_of(const gs_node *n, gs_shape whole)
{
    if (gs__kind(n) == GS_NK_SUM || gs__kind(n) == GS_NK_KERNEL) return GS_ROW_TOTAL;
    return gs_shape_equal(n->shape, whole) ? GS_ROW_WIDE : GS_ROW_SMALL;
}

static bool shape_fits(group *g, gs_unit *u)
{
    gs_shape whole;

    if (u->kind == GS_U_EXPR) {
        for (int r = 0; r < u->n_roots; r++)
            if (gs__info(g->p, u->roots[r])->written) return false; /* may be written in place, element by element */
        return gs_shape_equal(u->shape, g->whole) || gs_shape_equal(u->shape, g->totals);
    }
    if (g->form == GS_ROWS_COLUMNS && u->kind != GS_U_SUM) return false; /* a largest element would need the first of each */
    return row_of(u, &whole) == g->axes && gs_shape_equal(whole, g->whole);
}

static int64_t row_length(const group *g)
{
    return gs_shape_count(g->whole) / gs_shape_count(g->totals);
}

/* ---- what is read ---- */

typedef struct walk {
    group *g;
    gs_unit *more;             /* joins */
    bool small;                /* the root that is walked has one value a row */
    bool ok;
    gs_node *leaf[2 * GS_ROWS_MAX + 32]; gs_vmap map[2 * GS_ROWS_MAX + 32]; bool small_read[2 * GS_ROWS_MAX + 32]; int n; /* distinct */
    gs_node *wide[2 * GS_ROWS_MAX + 32]; int n_wide; /* tensors as long as all rows that go along with them, distinct */
} walk;

static bool is_member(const group *g, const gs_unit *u) { return gs__bit(g->members, u->id); }

static void add_wide(walk *w, gs_node *n)
{
    n = gs__storage(n);
    if (gs_shape_count(n->shape) != gs_shape_count(w->g->whole)) return;
    for (int i = 0; i < w->n_wide; i++)
        if (w->wide[i] == n) return;
    if (w->n_wide == (int)GS_COUNT(w->wide)) w->ok = false;
    else w->wide[w->n_wide++] = n;
}

/* Does a read through m of a value of the group stay in its row? */
static bool in_row(const group *g, const gs_node *leaf, const gs_vmap *m, bool small)
{
    if (gs__kind(leaf) == GS_NK_RESHAPE) return false;
    if (gs_shape_equal(leaf->shape, g->whole)) return !small && gs__vmap_is_identity(m);
    for (int d = 0; d < g->whole.rank; d++)
        if (g->whole.dim[d] > 1 && !(g->axes >> d & 1) && (m->dim[d] != d || m->start[d])) return false;
    return true;
}

static void look(void *user, gs_node *leaf, const gs_vmap *m)
{
    walk *w = user;
    gs_unit *u = gs__leaf_unit(w->g->p, leaf);

    if (u && (u == w->more || is_member(w->g, u)) && !in_row(w->g, leaf, m, w->small)) w->ok = false;
    if (gs_shape_equal(leaf->shape, w->g->whole) && gs__vmap_is_identity(m)) add_wide(w, leaf);
    for (int i = 0; i < w->n; i++)
        if (w->leaf[i] == leaf && w->small_read[i] == w->small && gs__vmap_equal(&w->map[i], m)) return;
    if (w->n == (int)GS_COUNT(w->leaf)) {
        w->ok = false;
        return;
    }
    w->leaf[w->n] = leaf;
    w->map[w->n] = *m;
    w->small_read[w->n++] = w->small;
}

static void walk_unit(walk *w, gs_unit *u)
{
    for (int r = 0; r < u->n_roots; r++) {
        w->small = kind_of(u->roots[r], w->g->whole) == GS_ROW_SMALL;
        add_wide(w, u->roots[r]);
        gs__root_leaves(w->g->p, u->roots[r], u->kind == GS_U_KERNEL, look, w);
    }
}

/* Is what is read of a row again still in a cache that the tensors themselves are not in? */
static bool cached(const group *g, int tensors)
{
    const int rows = g->form == GS_ROWS_COLUMNS ? COLUMNS : 1; /* that are gone through together */
    const int64_t row = 4 * rows * row_length(g) * tensors;

    return row <= ROW_BYTES || (rows == 1 && row <= FAR_ROW && row * gs_shape_count(g->totals) >= FAR_BYTES);
}

/* Would u beside the members read rows of theirs only, and no more tensors than fit a kernel and the cache, and fewer than by itself? */
static bool reads_fit(group *g, gs_unit *u)
{
    walk alone = { .g = g, .more = u, .ok = true }, all = { .g = g, .more = u, .ok = true };
    int before, roots = u->n_roots;

    for (int i = 0; i < g->n; i++) {
        walk_unit(&all, g->unit[i]);
        roots += g->unit[i]->n_roots;
    }
    before = all.n_wide;
    walk_unit(&all, u);
    walk_unit(&alone, u);
    if (!all.ok || !alone.ok || roots + all.n > GS_ROWS_MAX || !cached(g, all.n_wide)) return false;
    return alone.n_wide == 0 || before + alone.n_wide > all.n_wide;
}

/* Does a path lead from a member through another unit back to one of them, or to u or from it? */
static bool closed(group *g, const gs_unit *u)
{
    const gs_plan *p = g->p;
    bool ok = true;

    gs__set_bit(g->members, u->id);
    for (int i = 0; i < p->n_units && ok; i++) {
        const gs_unit *x = p->units[i];
        bool after = false, before = gs__bit(u->ancestors, i);

        if (gs__bit(g->members, i)) continue;
        for (int k = 0; k < g->n && !before; k++) before = gs__bit(g->unit[k]->ancestors, i);
        for (int k = 0; k < p->set_words && before && !after; k++) after = (x->ancestors[k] & g->members[k]) != 0;
        ok = !after;
    }
    g->members[u->id / 64] &= ~(1ull << (u->id % 64));
    return ok;
}

static bool linked(const group *g, const gs_unit *u)
{
    for (int i = 0; i < u->n_deps; i++)
        if (gs__bit(g->members, u->deps[i])) return true;
    for (int k = 0; k < g->n; k++)
        for (int i = 0; i < g->unit[k]->n_deps; i++)
            if (g->unit[k]->deps[i] == u->id) return true;
    return false;
}

static void join(group *g, gs_unit *u)
{
    GS_PUSH(g->unit, g->n, g->cap, u);
    gs__set_bit(g->members, u->id);
}

static void grow(group *g, const uint64_t *taken)
{
    const gs_plan *p = g->p;

    for (bool more = true; more;) {
        more = false;
        for (int i = 0; i < p->n_units; i++) {
            gs_unit *u = p->units[i];

            if (gs__bit(taken, i) || is_member(g, u) || !linked(g, u) || !shape_fits(g, u) || !reads_fit(g, u) || !closed(g, u)) continue;
            join(g, u);
            more = true;
        }
    }
}

/* ---- loops ---- */

typedef struct looper { gs_plan *p; gs_unit *u; gs_row_root *roots; int root; int least; } looper;

static int own_root(const looper *l, gs_node *leaf)
{
    for (int i = 0; i < l->u->n_roots && gs__leaf_unit(l->p, leaf) == l->u; i++)
        if (l->u->roots[i] == leaf) return i;
    return -1;
}

/* What is made of all of a row is there after its loop; so must the first element of a row be, where the largest begins. */
static void bound_loop(void *user, gs_node *leaf, const gs_vmap *m)
{
    looper *l = user;
    const int i = own_root(l, leaf);

    (void)m;
    if (i < 0) return;
    const bool after = l->roots[i].kind == GS_ROW_TOTAL || (l->roots[i].kind == GS_ROW_WIDE && GS_IS(l->u->roots[l->root], max));

    l->least = GS_MAX(l->least, l->roots[i].loop + (after ? 1 : 0));
}

static void note_later(void *user, gs_node *leaf, const gs_vmap *m)
{
    const looper *l = user;
    const int i = own_root(l, leaf);

    (void)m;
    if (i >= 0 && l->roots[i].kind == GS_ROW_WIDE && l->roots[l->root].loop > l->roots[i].loop) l->roots[i].later = true;
}

void gs__rows_loops(gs_plan *p, gs_unit *u, gs_row_root *roots)
{
    looper l = { .p = p, .u = u, .roots = roots };

    for (l.root = 0; l.root < u->n_roots; l.root++) {
        roots[l.root] = (gs_row_root){ .kind = kind_of(u->roots[l.root], u->in_shape) };
        l.least = 0;
        gs__root_leaves(p, u->roots[l.root], false, bound_loop, &l);
        roots[l.root].loop = l.least;
        gs__root_leaves(p, u->roots[l.root], false, note_later, &l);
    }
}

/* ---- one unit of many ---- */

static int by_order(const void *a, const void *b)
{
    const gs_ninfo *const *x = a, *const *y = b;

    return (*x)->order - (*y)->order;
}

static gs_unit *merge(group *g)
{
    gs_plan *p = g->p;
    gs_unit *u = gs_arena_alloc(p->arena, sizeof *u);
    gs_ninfo *info[2 * GS_ROWS_MAX];
    int n = 0;

    u->kind = GS_U_ROWS;
    u->shape = g->totals;
    u->in_shape = g->whole;
    u->axes = g->axes;
    u->form = g->form;
    for (int i = 0; i < g->n; i++)
        for (int r = 0; r < g->unit[i]->n_roots; r++) info[n++] = gs__info(p, g->unit[i]->roots[r]);
    qsort(info, (size_t)n, sizeof *info, by_order);
    for (int i = 0; i < n; i++) {
        GS_PUSH(u->roots, u->n_roots, u->cap_roots, p->order[info[i]->order]);
        info[i]->unit = u;
    }
    u->last_order = info[n - 1]->order;
    return u;
}

/* Numbers the units that are left, and finds again what runs before what and who reads whom. */
static void renumber(gs_plan *p)
{
    for (int i = 0; i < p->n_units; i++) {
        gs_unit *u = p->units[i];

        u->id = i;
        u->n_deps = 0;
        u->ancestors = gs_arena_alloc(p->arena, (size_t)p->set_words * sizeof *u->ancestors);
        for (int r = 0; r < u->n_roots; r++) gs__info(p, u->roots[r])->read_outside = false;
    }
    for (int i = 0; i < p->n_units; i++) gs__unit_after_reads(p, p->units[i]);
    gs__note_reads(p);
}

/* Rows that later loops read again stay in the launch where they are short, else they are tensors. */
static void keep_short(gs_plan *p, gs_unit *u)
{
    gs_row_root roots[2 * GS_ROWS_MAX];
    const int64_t length = gs_shape_count(u->in_shape) / gs_shape_count(u->shape);
    int kept = 0;

    gs__rows_loops(p, u, roots);
    for (int i = 0; i < u->n_roots; i++) {
        gs_ninfo *info = gs__info(p, u->roots[i]);

        if (!roots[i].later || info->read_outside || info->kept) continue;
        if (u->form != GS_ROWS_WHOLE || length > GS_ROWS_KEEP || kept == MAX_KEPT) info->read_outside = true;
        else kept++;
    }
}

gs_status gs__pass_rows(gs_plan *p)
{
    const size_t bytes = (size_t)p->set_words * sizeof(uint64_t);
    uint64_t *taken;
    gs_unit **made = NULL;
    int n_made = 0, cap_made = 0, merged = 0, left = 0;

    if (p->off_rows || !gs_plan_on_cpu(p)) return GS_OK;
    taken = gs_xalloc(bytes);
    for (int i = 0; i < p->n_units; i++) {
        group g = { .p = p };

        if (gs__bit(taken, i)) continue;
        g.axes = row_of(p->units[i], &g.whole);
        if (!g.axes || !worth_it(&g)) continue;
        g.totals = g.whole;
        for (int d = 0; d < g.whole.rank; d++)
            if (g.axes >> d & 1) g.totals.dim[d] = 1;
        if (!shape_fits(&g, p->units[i])) continue;
        g.members = gs_xalloc(bytes);
        join(&g, p->units[i]);
        grow(&g, taken);
        if (g.n > 1) {
            for (int k = 0; k < g.n; k++) gs__set_bit(taken, g.unit[k]->id);
            GS_PUSH(made, n_made, cap_made, merge(&g));
            merged += g.n;
        }
        free(g.members);
        free(g.unit);
    }
    if (n_made) {
        for (int i = 0; i < p->n_units; i++) {
            if (!gs__bit(taken, i)) {
                p->units[left++] = p->units[i];
                continue;
            }
            free(p->units[i]->roots);
            free(p->units[i]->deps);
        }
        for (int i = 0; i < n_made; i++) p->units[left++] = made[i];
        p->n_units = left;
        renumber(p);
        for (int i = 0; i < n_made; i++) keep_short(p, made[i]);
    }
    gs_debug(3, "rows: %d units became %d", merged, n_made);
    free(made);
    free(taken);
    return GS_OK;
}
