/* Units along rows to one launch for CPUs (pass_rows.c): an item takes a run of rows, and for each row goes through the loops that its roots need, one after
 * another. A loop computes what is as long as the row and adds up sums, in the order of additions of codegen_sum.c, so that results
 * have the same bits; behind it stands what has one value a row. Values of a row stay in registers, and are stored where others read
 * them. What a later loop reads again comes from the tensor or, where that is stored for nobody else, from an array of the launch's own.
 *
 * The result may take the place of an operand: rows do not meet, within the row the last loop writes what it reads, and what is the same for all
 * of a row was read in front of the first. */
#include "plan/codegen.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 4096 /* elements of short rows that an item takes: a group costs as much as some hundred */

typedef struct gs_rows {
    gs_unit *u;
    gs_row_root root[2 * GS_ROWS_MAX];
    int out[2 * GS_ROWS_MAX];  /* access; -1: not stored */
    int var[2 * GS_ROWS_MAX];  /* of totals and small ones */
    int sum[2 * GS_ROWS_MAX];  /* number of a total */
    int loop, n_loops;
    int red[GS_MAX_DIMS], n_red, kept[GS_MAX_DIMS], n_kept;
} gs_rows;

static void put(gs_str *s, const char *text) { gs_str_append(s, text, strlen(text)); }

/* Place in the row. */
static void at_row(const gs_gen *g, gs_str *s)
{
    const gs_rows *w = g->rows;

    for (int i = 0; i < w->n_red; i++) put(s, i ? "(" : "");
    for (int i = 0; i < w->n_red; i++) {
        if (i) gs_str_printf(s, ") * n%d + ", w->red[i]);
        gs_str_printf(s, "d%d", w->red[i]);
    }
}

static bool kept(const gs_rows *w, int r) { return w->root[r].later && w->out[r] < 0; }

/* Element of root r in memory, or in the launch's own array. */
static void element(gs_gen *g, gs_str *s, int r)
{
    if (kept(g->rows, r)) gs_str_printf(s, "row%d[", r);
    else gs_str_printf(s, "p%d[", g->rows->out[r]);
    if (kept(g->rows, r)) at_row(g, s);
    else gs__gen_index(g, s, &g->a[g->rows->out[r]]);
    put(s, "]");
}

static int index_of(const gs_rows *w, const gs_node *n)
{
    for (int i = 0; i < w->u->n_roots; i++)
        if (w->u->roots[i] == n) return i;
    assert(!"a root of the unit");
    return 0;
}

int gs__rows_read(gs_gen *g, gs_str *s, const gs_node *n)
{
    const int r = index_of(g->rows, n);
    int var;

    if (g->rows->root[r].kind != GS_ROW_WIDE) return g->rows->var[r];
    var = g->n_vars++;
    gs_str_printf(s, "    const %s v%d = ", n->dtype == GS_I32 ? "int" : "float", var);
    element(g, s, r);
    put(s, ";\n");
    return var;
}

/* Statements for an element of the row in the current loop: all reads come before all stores. */
static void loop_body(gs_gen *g, gs_str *s, void *user)
{
    gs_rows *w = g->rows;
    gs_str stores = { 0 };

    (void)user;
    g->n_memo = 0;
    g->over_kept = false;
    for (int r = 0; r < w->u->n_roots; r++) {
        gs_node *n = w->u->roots[r];
        const gs_vmap m = gs__vmap_identity(n->shape.rank);
        int var;

        if (w->root[r].loop != w->loop || w->root[r].kind == GS_ROW_SMALL) continue;
        var = gs__gen_emit(g, s, w->root[r].kind == GS_ROW_WIDE ? n : n->in[0], &m, w->root[r].kind == GS_ROW_WIDE);
        if (w->root[r].kind == GS_ROW_TOTAL) {
            gs_str_printf(&stores, "    t%d[l] = v%d;\n", w->sum[r], var);
        } else if (w->out[r] >= 0 || kept(w, r)) {
            put(&stores, "    ");
            element(g, &stores, r);
            gs_str_printf(&stores, " = v%d;\n", var);
        }
    }
    put(s, gs_str_c(&stores));
    gs_str_free(&stores);
}

static void store_small(gs_gen *g, gs_str *s, int r)
{
    if (g->rows->out[r] < 0) return;
    put(s, "    ");
    element(g, s, r);
    gs_str_printf(s, " = v%d;\n", g->rows->var[r]);
}

/* What has one value a row, before the current loop. */
static void small_roots(gs_gen *g, gs_str *s)
{
    gs_rows *w = g->rows;

    g->n_memo = 0;
    g->over_kept = true;
    for (int r = 0; r < w->u->n_roots; r++) {
        gs_node *n = w->u->roots[r];
        const gs_vmap m = gs__vmap_identity(n->shape.rank);

        if (w->root[r].loop != w->loop || w->root[r].kind != GS_ROW_SMALL) continue;
        w->var[r] = gs__gen_emit(g, s, n, &m, true);
        store_small(g, s, r);
    }
}

/* The element from which the largest begins is the row's first. */
static void first_element(gs_gen *g, gs_str *s, int r)
{
    const gs_rows *w = g->rows;
    gs_node *x = w->u->roots[r]->in[0];
    const gs_vmap m = gs__vmap_identity(x->shape.rank);

    g->n_memo = 0;
    g->over_kept = false;
    gs_str_printf(s, "    float m%d;\n    {\n", w->sum[r]);
    for (int i = 0; i < w->n_red; i++) gs_str_printf(s, "    const int d%d = 0;\n", w->red[i]);
    gs_str_printf(s, "    m%d = v%d;\n    }\n", w->sum[r], gs__gen_emit(g, s, x, &m, false));
}

static void open_loops(const gs_rows *w, gs_str *s)
{
    for (int i = 0; i < w->n_red - 1; i++) gs_str_printf(s, "    for (int d%d = 0; d%d < n%d; d%d++) {\n", w->red[i], w->red[i], w->red[i], w->red[i]);
}

static void close_loops(const gs_rows *w, gs_str *s)
{
    for (int i = 0; i < w->n_red - 1; i++) put(s, "    }\n");
}

/* The current loop, and the totals that it leaves. */
static void row_loop(gs_gen *g, gs_str *s)
{
    gs_rows *w = g->rows;
    const int inner = w->red[w->n_red - 1];
    gs_row_loop l = { .dim = inner, .body = loop_body };
    int wide = 0;

    for (int r = 0; r < w->u->n_roots; r++) {
        if (w->root[r].loop != w->loop) continue;
        wide += w->root[r].kind == GS_ROW_WIDE;
        if (w->root[r].kind != GS_ROW_TOTAL) continue;
        if (l.n++ == 0) l.first = w->sum[r];
        if (GS_IS(w->u->roots[r], max)) {
            l.largest |= 1ull << w->sum[r];
            first_element(g, s, r);
        }
    }
    if (!wide && !l.n) return;
    gs__gen_row_start(s, &l);
    open_loops(w, s);
    if (l.n) {
        gs_str_printf(s, "    {\n    int j = 0;\n    const int end = n%d;\n", inner);
        gs__gen_row_loop(g, s, &l);
        put(s, "    }\n");
    } else {
        gs_str body = { 0 };

        loop_body(g, &body, NULL);
        gs_str_printf(s, "    _Pragma(\"clang loop vectorize(assume_safety)%s\")\n    for (int d%d = 0; d%d < n%d; d%d++) {\n%s    }\n",
                      gs__gen_heavy(gs_str_c(&body)) ? " vectorize_width(16)" : "", inner, inner, inner, inner, gs_str_c(&body));
        gs_str_free(&body);
    }
    close_loops(w, s);
    gs__gen_row_total(s, &l);
    for (int r = 0; r < w->u->n_roots; r++) {
        if (w->root[r].loop != w->loop || w->root[r].kind != GS_ROW_TOTAL) continue;
        w->var[r] = g->n_vars++;
        gs_str_printf(s, "    const float v%d = s%d;\n", w->var[r], w->sum[r]);
        store_small(g, s, r);
    }
}

static void collect(gs_gen *g)
{
    gs_rows *w = g->rows;

    for (int r = 0; r < w->u->n_roots; r++) {
        gs_node *n = w->u->roots[r];

        g->over_kept = w->root[r].kind == GS_ROW_SMALL;
        if (w->root[r].kind == GS_ROW_TOTAL) gs__gen_collect(g, n->in[0], false);
        else gs__gen_collect(g, n, true);
        g->over_kept = w->root[r].kind != GS_ROW_WIDE;
        w->out[r] = gs__info(g->p, n)->value ? gs__gen_output(g, gs__info(g->p, n)->value, n->dtype, NULL) : -1;
    }
    g->over_kept = false;
}

/* Numbers the totals loop by loop, so that those of one loop follow each other. */
static void number_totals(gs_rows *w)
{
    int n = 0;

    for (int r = 0; r < w->u->n_roots; r++) w->n_loops = GS_MAX(w->n_loops, w->root[r].loop + 1);
    for (int loop = 0; loop < w->n_loops; loop++)
        for (int r = 0; r < w->u->n_roots; r++)
            if (w->root[r].kind == GS_ROW_TOTAL && w->root[r].loop == loop) w->sum[r] = n++;
}

/* Which outputs may take the place of which inputs. */
static void mark_in_place(gs_gen *g, int64_t count)
{
    const gs_rows *w = g->rows;
    int last = 0;

    for (int r = 0; r < w->u->n_roots; r++)
        if (w->root[r].kind != GS_ROW_SMALL) last = GS_MAX(last, w->root[r].loop);
    for (int i = 0; i < g->n; i++) {
        gs_access *a = &g->a[i];
        int64_t step = 1;
        bool along = true, constant = true, rows = true; /* element by element; one element a row, of that row */

        if (a->is_index || a->offset || a->value->count != count) continue;
        for (int d = g->rank - 1; d >= 0; step *= g->dim[d--]) {
            if (g->dim[d] == 1) continue;
            along = along && a->cstride[d] == step;
            if (g->red[d]) constant = constant && a->cstride[d] == 0;
            else rows = rows && a->cstride[d] == step;
        }
        a->in_place = (along && !a->over_kept) || (!a->out && constant && rows);
    }
    for (int r = 0; r < w->u->n_roots; r++)
        if (w->out[r] >= 0 && (w->root[r].kind != GS_ROW_WIDE || w->root[r].loop != last)) g->a[w->out[r]].in_place = false;
}

gs_status gs__emit_rows(gs_plan *p, gs_unit *u)
{
    gs_gen *g = gs_xalloc(sizeof *g);
    gs_rows *w = gs_xalloc(sizeof *w);
    gs_str body = { 0 }, text = { 0 };
    const int64_t length = gs_shape_count(u->in_shape) / gs_shape_count(u->shape);
    const int64_t want = 4 * GS_MAX(1, gs_plan_device(p)->compute_units), results = gs_shape_count(u->shape);
    const int64_t per = GS_MAX(1, GS_MIN(GS_MAX(1, BLOCK / length), results / want)); /* but no core without work */
    int64_t size = 256;
    gs_launch *l;

    while (size < length) size *= 4;
    g->p = p;
    g->unit = u;
    g->iter = u->in_shape;
    g->reduced = u->axes;
    g->rows = w;
    w->u = u;
    gs__rows_loops(p, u, w->root);
    number_totals(w);
    collect(g);
    gs__gen_collapse(g);
    for (int d = 0; d < g->rank; d++) {
        if (g->red[d]) w->red[w->n_red++] = d;
        else w->kept[w->n_kept++] = d;
    }
    mark_in_place(g, gs_shape_count(u->in_shape));

    for (w->loop = 0; w->loop <= w->n_loops; w->loop++) {
        small_roots(g, &body);
        row_loop(g, &body);
    }
    gs__gen_head(g, &text, "@", "const int rows, const int per, ");
    put(&text, "    for (int row = (int)get_group_id(0) * per; row < min(((int)get_group_id(0) + 1) * per, rows); row++) {\n");
    gs__gen_decode(g, &text, "row", w->kept, w->n_kept);
    for (int r = 0; r < u->n_roots; r++)
        if (kept(w, r)) gs_str_printf(&text, "    %s row%d[%d];\n", u->roots[r]->dtype == GS_I32 ? "int" : "float", r, (int)size);
    gs_str_printf(&text, "%s%s    }\n}\n\n", gs_str_c(&g->once), gs_str_c(&body));
    l = gs__launch_generated(p, gs__gen_add(g, "rows", gs_str_c(&text)));
    gs__gen_pointers(g, l, false);
    gs_launch_int(l, results);
    gs_launch_int(l, per);
    gs__gen_sizes(g, l);
    gs_launch_grid(l, (size_t)((results + per - 1) / per), 1, 1, 1, 1, 1);
    gs_launch_cost(l, 0, gs__gen_bytes(g));
    gs_str_free(&text);
    gs_str_free(&body);
    gs_str_free(&g->once);
    free(g->memo);
    free(g);
    free(w);
    return GS_OK;
}
