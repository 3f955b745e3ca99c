/* Units along rows to one launch for CPUs (pass_rows.c): an item takes a run of rows, and for each row goes through the loops that its roots need, one after
 * another. A loop computes what is as long as the row and adds up sums, in the order of additions of sums alone (codegen_row_loop.c), so that results
 * have the same bits; behind it stands what has one value a row. Values of a row stay in registers, and are stored where others read
 * them. What a later loop reads again comes from the tensor or, where that is stored for nobody else, from an array of the launch's own.
 *
 * Rows of up to 256 elements are vectors in registers: loops along them are written out, and what later ones read again never leaves. Some rows go through
 * each loop before the next begins, since one by one they would wait for their sums, whose last addition comes long after the first load.
 *
 * The result may take the place of an operand: rows do not meet, within the row the last loop writes what it reads, and what is the same for all
 * of a row was read in front of it.
 *
 * Rows side by side (columns of a matrix) are the lanes of vectors: an item takes some neighbours and goes through the loops for all of them, element after
 * element; sums and what has one value a row are arrays, b<root>[c] for the row c0 + c. Where all vectors are full, loops over the rows are written out, and
 * arrays are registers. */
#include "plan/codegen.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 4096           /* elements of short rows that an item takes: a group costs as much as some hundred */
#define VECTORS 16           /* of a row that has no loops, at most */
#define TOGETHER 4           /* of those rows go through a loop together, at most */
#define SIDE (GS_PHASE / 4)   /* rows side by side that an item takes at most */
#define SIDE_BYTES (1 << 19) /* of all tensors of an item's rows: half of what a core's own cache keeps */

typedef struct gs_rows {
    gs_unit *u;
    gs_row_root root[2 * GS_ROWS_MAX];
    int out[2 * GS_ROWS_MAX];  /* access; -1: not stored */
    int var[2 * GS_ROWS_MAX];  /* of totals and small ones */
    int sum[2 * GS_ROWS_MAX];  /* number of a total */
    int loop, n_loops;
    int red[GS_MAX_DIMS], n_red, kept[GS_MAX_DIMS], n_kept;
    int vectors;               /* that a row is; 0: loops along it */
    int64_t size;              /* of the array that holds a row */
    int across;                /* vectors of rows side by side; 0: a loop over the rows */
} gs_rows;

/* Place in the row. */
static void at_row(const gs_gen *g, gs_str *s)
{
    const gs_rows *w = g->rows;

    for (int i = 0; i < w->n_red; i++) gs__put(s, i ? "(" : "");
    for (int i = 0; i < w->n_red; i++) {
        if (i) gs_str_printf(s, ") * n%d + ", w->red[i]);
        gs_str_printf(s, "d%d", w->red[i]);
    }
}

static bool kept(const gs_rows *w, int r) { return w->root[r].later && (w->out[r] < 0 || w->vectors); }

/* Element of root r in the launch's own array. */
static void kept_element(const gs_gen *g, gs_str *s, int r)
{
    gs_str_printf(s, "row%d[%d * nth + ", r, (int)g->rows->size);
    at_row(g, s);
    gs__put(s, "]");
}

/* And in memory. */
static void stored_element(gs_gen *g, gs_str *s, int r)
{
    gs_str_printf(s, "p%d[", g->rows->out[r]);
    gs__gen_index(g, s, &g->a[g->rows->out[r]]);
    gs__put(s, "]");
}

static const char *type_of(const gs_node *n) { return n->dtype == GS_I32 ? "int" : "float"; }

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

    if (g->rows->root[r].kind != GS_ROW_WIDE && !g->side) return g->rows->var[r];
    var = g->n_vars++;
    gs_str_printf(s, "    const %s v%d = ", type_of(n), var);
    if (g->rows->root[r].kind != GS_ROW_WIDE) gs_str_printf(s, "b%d[c]", r);
    else if (kept(g->rows, r)) kept_element(g, s, r);
    else stored_element(g, s, r);
    gs__put(s, ";\n");
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
        if (w->root[r].kind == GS_ROW_TOTAL && !g->side) {
            gs_str_printf(&stores, "    u%d = v%d;\n", w->sum[r], var);
        } else if (w->root[r].kind == GS_ROW_TOTAL) {
            gs_str_printf(&stores, "    b%d[c] += v%d;\n", r, var);
        } else {
            if (kept(w, r)) gs_str_printf(&stores, "    k%d = v%d;\n", r, var);
            if (w->out[r] < 0) continue;
            gs__put(&stores, "    ");
            stored_element(g, &stores, r);
            gs_str_printf(&stores, " = v%d;\n", var);
        }
    }
    gs__put(s, gs_str_c(&stores));
    gs_str_free(&stores);
}

static void store_small(gs_gen *g, gs_str *s, int r)
{
    if (g->rows->out[r] < 0) return;
    gs__put(s, "    ");
    stored_element(g, s, r);
    gs_str_printf(s, " = v%d;\n", g->rows->var[r]);
}

/* Statements for every row of an item whose rows lie side by side: the lanes are rows. */
static void for_all_rows(const gs_gen *g, gs_str *s, const char *body)
{
    const int inner = g->rank - 1, across = g->rows->across;

    for (int k = 0; k < GS_MAX(1, across); k++) {
        gs_str_printf(s, "    _Pragma(\"clang loop vectorize(assume_safety) vectorize_width(%d)%s\")\n", GS_LANES, across ? " unroll(disable)" : "");
        if (across) gs_str_printf(s, "    for (int l = 0; l < %d; l++) {\n    const int c = %d + l;\n", GS_LANES, k * GS_LANES);
        else gs__put(s, "    for (int c = 0; c < w; c++) {\n");
        gs_str_printf(s, "    const long d%d = c0 + c;\n%s    }\n", inner, body);
    }
}

/* What has one value a row, before the current loop. */
static void small_roots(gs_gen *g, gs_str *s)
{
    gs_rows *w = g->rows;
    gs_str body = { 0 };

    g->n_memo = 0;
    g->over_kept = true;
    for (int r = 0; r < w->u->n_roots; r++) {
        gs_node *n = w->u->roots[r];
        const gs_vmap m = gs__vmap_identity(n->shape.rank);

        if (w->root[r].loop != w->loop || w->root[r].kind != GS_ROW_SMALL) continue;
        w->var[r] = gs__gen_emit(g, &body, n, &m, true);
        if (g->side) gs_str_printf(&body, "    b%d[c] = v%d;\n", r, w->var[r]);
        store_small(g, &body, r);
    }
    if (g->side && body.len) for_all_rows(g, s, gs_str_c(&body));
    else gs__put(s, gs_str_c(&body));
    gs_str_free(&body);
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

/* Loops over what is summed, but for the last `skip` dims. */
static void open_loops(const gs_rows *w, gs_str *s, int skip)
{
    for (int i = 0; i < w->n_red - skip; i++) gs_str_printf(s, "    for (int d%d = 0; d%d < n%d; d%d++) {\n", w->red[i], w->red[i], w->red[i], w->red[i]);
}

static void close_loops(const gs_rows *w, gs_str *s, int skip)
{
    for (int i = 0; i < w->n_red - skip; i++) gs__put(s, "    }\n");
}

/* The current loop where no sum is taken and nothing is kept: along the innermost dim of the row. */
static void wide_loop(gs_gen *g, gs_str *s)
{
    const int inner = g->rank - 1;
    gs_str body = { 0 };

    loop_body(g, &body, NULL);
    gs_str_printf(s, "    _Pragma(\"clang loop vectorize(assume_safety)%s\")\n    for (int d%d = 0; d%d < n%d; d%d++) {\n%s    }\n",
                  gs__gen_heavy(gs_str_c(&body), inner) ? " vectorize_width(16)" : "", inner, inner, inner, inner, gs_str_c(&body));
    gs_str_free(&body);
}

/* The current loop of one row. */
static void loop_of_row(gs_gen *g, gs_str *s, gs_row_loop *l)
{
    const gs_rows *w = g->rows;
    gs_str declared = { 0 }, after = { 0 };

    for (int r = 0; r < w->u->n_roots; r++) {
        if (w->root[r].loop != w->loop || w->root[r].kind != GS_ROW_WIDE || !kept(w, r)) continue;
        gs_str_printf(&declared, "    %s k%d = 0;\n", type_of(w->u->roots[r]), r);
        gs__put(&after, "    ");
        kept_element(g, &after, r);
        gs_str_printf(&after, " = k%d;\n", r);
    }
    l->vectors = w->vectors;
    if (declared.len) {
        l->declared = gs_str_c(&declared);
        l->after = gs_str_c(&after);
    }
    gs__gen_row_start(s, l);
    open_loops(w, s, 1);
    if (l->n || declared.len || w->vectors) {
        gs_str_printf(s, "    {\n    int j = 0;\n    const int end = n%d;\n", l->dim);
        gs__gen_row_loop(g, s, l);
        gs__put(s, "    }\n");
    } else {
        wide_loop(g, s);
    }
    close_loops(w, s, 1);
    gs__gen_row_total(s, l);
    gs_str_free(&declared);
    gs_str_free(&after);
}

/* The current loop of rows side by side: element after element, for all of them. */
static void loop_of_columns(gs_gen *g, gs_str *s)
{
    const gs_rows *w = g->rows;
    gs_str body = { 0 };

    for (int r = 0; r < w->u->n_roots; r++)
        if (w->root[r].loop == w->loop && w->root[r].kind == GS_ROW_TOTAL) gs_str_printf(&body, "    b%d[c] = 0.0f;\n", r);
    if (body.len) for_all_rows(g, s, gs_str_c(&body));
    gs_str_free(&body);
    open_loops(w, s, 0);
    loop_body(g, &body, NULL);
    for_all_rows(g, s, gs_str_c(&body));
    close_loops(w, s, 0);
    gs_str_free(&body);
}

/* The current loop, and the totals that it leaves. */
static void row_loop(gs_gen *g, gs_str *s)
{
    gs_rows *w = g->rows;
    gs_row_loop l = { .dim = g->rank - 1, .body = loop_body };
    gs_str totals = { 0 };
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
    if (g->side) loop_of_columns(g, s);
    else loop_of_row(g, s, &l);
    for (int r = 0; r < w->u->n_roots; r++) {
        if (w->root[r].loop != w->loop || w->root[r].kind != GS_ROW_TOTAL || (g->side && w->out[r] < 0)) continue;
        w->var[r] = g->n_vars++;
        if (g->side) gs_str_printf(&totals, "    const float v%d = b%d[c];\n", w->var[r], r);
        else gs_str_printf(&totals, "    const float v%d = s%d;\n", w->var[r], w->sum[r]);
        store_small(g, &totals, r);
    }
    if (g->side && totals.len) for_all_rows(g, s, gs_str_c(&totals));
    else gs__put(s, gs_str_c(&totals));
    gs_str_free(&totals);
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

/* That goes along the row. */
static int last_loop(const gs_rows *w)
{
    int last = 0;

    for (int r = 0; r < w->u->n_roots; r++)
        if (w->root[r].kind != GS_ROW_SMALL) last = GS_MAX(last, w->root[r].loop);
    return last;
}

/* Which outputs may take the place of which inputs. */
static void mark_in_place(gs_gen *g, int64_t count)
{
    const gs_rows *w = g->rows;
    const int last = last_loop(w);

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
        a->in_place = (along && !a->over_kept) || (!a->out && constant && rows && !g->side);
    }
    for (int r = 0; r < w->u->n_roots; r++)
        if (w->out[r] >= 0 && (w->root[r].kind != GS_ROW_WIDE || w->root[r].loop != last)) g->a[w->out[r]].in_place = false;
}

/* How many rows go through a loop before the next: more vectors than about 16 would leave the registers. */
static int together(const gs_rows *w) { return w->vectors ? GS_MAX(1, GS_MIN(TOGETHER, VECTORS / w->vectors)) : 1; }

/* How many rows an item takes. */
static int64_t rows_of_item(const gs_gen *g, int64_t length, int64_t rows)
{
    const int64_t want = 4 * GS_MAX(1, gs_plan_device(g->p)->compute_units), side = g->dim[g->rank - 1]; /* items: no core without work */
    int64_t per = SIDE, bytes = 0;

    if (!g->side) {
        const int64_t some = GS_MAX(1, GS_MIN(GS_MAX(1, BLOCK / length), rows / want)), turn = together(g->rows);

        return some > turn ? some / turn * turn : some;
    }
    for (int i = 0; i < g->n; i++)
        if (!g->a[i].is_index && g->a[i].value->count == length * rows) bytes += 4 * length;
    while (per > GS_LANES && (rows / side * ((side + per - 1) / per) < want || per * bytes > SIDE_BYTES)) per /= 2;
    return GS_MIN(per, side);
}

/* The text of every loop, with what has one value a row in front of it. Free with free_loops. */
static gs_str *all_loops(gs_gen *g)
{
    gs_rows *w = g->rows;
    gs_str *loops = gs_xalloc((size_t)(w->n_loops + 1) * sizeof *loops);

    for (w->loop = 0; w->loop <= w->n_loops; w->loop++) {
        small_roots(g, &loops[w->loop]);
        row_loop(g, &loops[w->loop]);
    }
    return loops;
}

static void free_loops(const gs_rows *w, gs_str *loops)
{
    for (int i = 0; i <= w->n_loops; i++) gs_str_free(&loops[i]);
    free(loops);
}

/* n rows from `first` on go through the loops. What one loop leaves for another of its row are arrays, of[row]. */
static void turn(gs_gen *g, gs_str *s, const gs_str *loops, int n)
{
    const gs_rows *w = g->rows;
    const int end = last_loop(w);

    for (int r = 0; r < w->u->n_roots; r++) {
        if (w->root[r].kind != GS_ROW_WIDE) gs_str_printf(s, "    %s of%d[%d];\n", type_of(w->u->roots[r]), w->var[r], n);
        else if (kept(w, r)) gs_str_printf(s, "    %s row%d[%d] __attribute__((aligned(64)));\n", type_of(w->u->roots[r]), r, (int)w->size * n);
    }
    for (int i = 0; i <= end; i++)
        for (int nth = 0; nth < n; nth++) {
            gs_str_printf(s, "    {\n    const int nth = %d, row = first + nth;\n", nth);
            gs__gen_decode(g, s, "row", w->kept, w->n_kept);
            gs__put(s, gs_str_c(&g->once));
            for (int r = 0; r < w->u->n_roots; r++)
                if (w->root[r].kind != GS_ROW_WIDE && w->root[r].loop < i)
                    gs_str_printf(s, "    const %s v%d = of%d[nth];\n", type_of(w->u->roots[r]), w->var[r], w->var[r]);
            /* results may take the place of what is read once, so nothing loads that behind the last loop */
            for (int k = i; k <= (i == end ? w->n_loops : i); k++) gs__put(s, gs_str_c(&loops[k]));
            for (int r = 0; r < w->u->n_roots; r++)
                if (w->root[r].kind != GS_ROW_WIDE && w->root[r].loop == i && i < end) gs_str_printf(s, "    of%d[nth] = v%d;\n", w->var[r], w->var[r]);
            gs__put(s, "    }\n");
        }
}

/* The rows of an item. */
static void item_of_rows(gs_gen *g, gs_str *s)
{
    const int some = together(g->rows);
    gs_str *loops = all_loops(g);

    gs__put(s, "    const int last = min(((int)get_group_id(0) + 1) * per, rows);\n    int first = (int)get_group_id(0) * per;\n");
    if (some > 1) {
        gs_str_printf(s, "    for (; first + %d <= last; first += %d) {\n", some, some);
        turn(g, s, loops, some);
        gs__put(s, "    }\n");
    }
    gs__put(s, "    for (; first < last; first++) {\n");
    turn(g, s, loops, 1);
    gs__put(s, "    }\n");
    free_loops(g->rows, loops);
}

/* The loops for rows side by side, from c0 on. */
static void loops_of_columns(gs_gen *g, gs_str *s)
{
    const gs_rows *w = g->rows;
    gs_str *loops = all_loops(g);

    for (int r = 0; r < w->u->n_roots; r++)
        if (w->root[r].kind != GS_ROW_WIDE) gs_str_printf(s, "    %s b%d[%d] __attribute__((aligned(64)));\n", type_of(w->u->roots[r]), r, SIDE);
    for (int i = 0; i <= w->n_loops; i++) gs__put(s, gs_str_c(&loops[i]));
    free_loops(w, loops);
}

/* Rows side by side, w of them. */
static void item_of_columns(gs_gen *g, gs_str *s, int64_t per)
{
    gs_rows *w = g->rows;

    gs_str_printf(s, "    const int across = (n%d + per - 1) / per, c0 = (int)get_group_id(0) %% across * per;\n", g->rank - 1);
    gs_str_printf(s, "    const int w = min(per, n%d - c0);\n", g->rank - 1);
    gs__gen_decode(g, s, "(int)get_group_id(0) / across", w->kept, w->n_kept - 1);
    w->across = g->calls || per % GS_LANES ? 0 : (int)(per / GS_LANES);
    if (w->across) {
        gs_str_printf(s, "    if (w == %d) {\n", w->across * GS_LANES);
        loops_of_columns(g, s);
        gs__put(s, "    return;\n    }\n");
        w->across = 0;
    }
    loops_of_columns(g, s);
}

gs_status gs__emit_rows(gs_plan *p, gs_unit *u)
{
    gs_gen *g = gs_xalloc(sizeof *g);
    gs_rows *w = gs_xalloc(sizeof *w);
    gs_str body = { 0 }, text = { 0 };
    const int64_t length = gs_shape_count(u->in_shape) / gs_shape_count(u->shape);
    const int64_t results = gs_shape_count(u->shape);
    int64_t per, items;
    gs_launch *l;

    g->p = p;
    g->unit = u;
    g->iter = u->in_shape;
    g->reduced = u->axes;
    g->rows = w;
    g->side = u->form == GS_ROWS_COLUMNS;
    w->u = u;
    w->size = 256;
    while (w->size < length) w->size *= 4;
    w->size += GS_LANES; /* the last vector goes beyond the end */
    gs__rows_loops(p, u, w->root);
    number_totals(w);
    collect(g);
    gs__gen_collapse(g);
    for (int d = 0; d < g->rank; d++) {
        if (g->red[d]) w->red[w->n_red++] = d;
        else w->kept[w->n_kept++] = d;
    }
    if (!g->side && w->n_red == 1 && length <= VECTORS * GS_LANES && !g->calls) {
        w->vectors = (int)((length + GS_LANES - 1) / GS_LANES);
        w->size = w->vectors * GS_LANES;
    }
    per = rows_of_item(g, length, results);
    items = (results + per - 1) / per;
    if (g->side) items = results / g->dim[g->rank - 1] * ((g->dim[g->rank - 1] + per - 1) / per);
    mark_in_place(g, gs_shape_count(u->in_shape));

    if (g->side) item_of_columns(g, &body, per);
    else item_of_rows(g, &body);
    gs__gen_head(g, &text, "@", g->side ? "const int per, " : "const int rows, const int per, ");
    gs_str_printf(&text, "%s}\n\n", gs_str_c(&body));
    l = gs__launch_generated(p, gs__gen_add(g, "rows", gs_str_c(&text)));
    gs__gen_pointers(g, l, false);
    if (!g->side) gs_launch_int(l, results);
    gs_launch_int(l, per);
    gs__gen_sizes(g, l);
    gs_launch_grid(l, (size_t)items, 1, 1, 1, 1, 1);
    gs_launch_cost(l, 0, gs__gen_bytes(g));
    l->apart = g->side && 4 * g->dim[g->rank - 1] % GS_PAGE == 0;
    gs_str_free(&body);
    gs_str_free(&text);
    gs_str_free(&g->once);
    free(g->memo);
    free(g);
    free(w);
    return GS_OK;
}
