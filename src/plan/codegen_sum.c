/* Sums over axes, with an elementwise prologue inside the loop and an elementwise epilogue on each sum.
 *
 * After collapsing, dims alternate between kept and reduced. Two shapes of kernel:
 *   rows     the innermost dim is summed. CPU: one item some results, each of 64 interleaved partial sums: four vectors (codegen_row_loop.c); short rows 16
 *            at a time, without loops along them. GPU: one group a result, items take every 64th element, then a tree in local memory.
 *   columns  the innermost dim is kept. CPU: one item takes 64 neighbouring results, so the inner loop runs
 *            along memory; 64 stay in registers. GPU: one item a result, neighbours read neighbours.
 * Where there are too few results to fill the device the outermost summed dim is cut into segments: a first
 * kernel leaves a partial sum for each, a second adds them in order and does the epilogue; so it is where the
 * device would end so long a loop. The order of additions depends on sizes and device only. */
#include "plan/codegen.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS 64
#define GROUP 64
#define MAX_Y 65535      /* CUDA's bound on groups along y */
#define BLOCK 4096       /* elements of short rows that an item takes on CPUs: a group costs as much as some hundred */
#define SHORT_ROW 128    /* elements of a row whose last additions, within a vector, are worth doing for 16 rows at a time */
#define MIN_SEGMENT 4096 /* elements a segment at least: below, the second launch costs more than it wins */

typedef struct sum_form {
    bool cpu, rows;
    bool folded; /* columns: too many groups for y, so x carries both */
    bool together; /* rows: the last additions of 16 rows are those of vectors */
    int kept[GS_MAX_DIMS], n_kept, red[GS_MAX_DIMS], n_red;
    int64_t results, per_result;
    int segments;
    int64_t segment_len; /* of the outermost summed dim (rows on a GPU: of the flattened sum) */
    int sums;
} sum_form;

static int64_t div_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* Segments short enough for devices that end loops. */
static gs_status shorten(gs_gen *g, sum_form *f, int64_t len)
{
    int64_t turns = 1, part;
    gs_status st;

    if (!f->rows) /* an item goes through the inner summed dims for each index of the outermost */
        for (int i = f->n_red - 1; i > 0; i--) turns = turns * g->dim[f->red[i]] + 2;
    st = gs_plan_part(g->p, f->segment_len, f->rows ? GROUP : 1, turns, 16, &part);
    if (st != GS_OK || part >= f->segment_len) return st;
    f->segment_len = part;
    f->segments = (int)div_up(len, part);
    return GS_OK;
}

static gs_status choose(gs_gen *g, sum_form *f)
{
    const gs_device_info *info = gs_plan_device(g->p);
    const int64_t units = GS_MAX(info->compute_units, 1);
    int64_t tasks, want, len;

    f->cpu = gs_plan_on_cpu(g->p);
    f->results = f->per_result = 1;
    for (int d = 0; d < g->rank; d++) {
        if (g->red[d]) {
            f->red[f->n_red++] = d;
            f->per_result *= g->dim[d];
        } else {
            f->kept[f->n_kept++] = d;
            f->results *= g->dim[d];
        }
    }
    f->rows = g->red[g->rank - 1] || f->n_kept == 0;
    if (f->rows) tasks = f->results;
    else tasks = f->results / g->dim[g->rank - 1] * div_up(g->dim[g->rank - 1], f->cpu ? COLUMNS : GROUP);
    f->folded = !f->rows && f->results / g->dim[g->rank - 1] > MAX_Y;
    want = f->cpu ? 4 * units : 8 * units;
    len = f->n_red ? (f->rows && !f->cpu ? f->per_result : g->dim[f->red[0]]) : 1;
    f->segments = 1;
    if (tasks < want && f->n_red) {
        const int64_t work = f->per_result * (f->rows ? 1 : GS_MIN(g->dim[g->rank - 1], COLUMNS));

        f->segments = (int)GS_MAX(1, GS_MIN(GS_MIN(want / tasks, work / MIN_SEGMENT), len));
    }
    f->segment_len = div_up(len, f->segments);
    if (f->rows && f->n_red == 1) f->segment_len = div_up(f->segment_len, GS_LANES) * GS_LANES;
    f->segments = (int)div_up(len, f->segment_len);
    f->together = f->cpu && f->rows && f->n_red == 1 && f->segments == 1 && f->per_result <= SHORT_ROW && f->results >= want * GS_LANES;
    return f->cpu ? GS_OK : shorten(g, f, len);
}

/* for (dX = lo; dX < hi; dX++) of every summed dim but the last `skip`; returns how many were opened. */
static int open_loops(gs_str *s, const sum_form *f, int skip)
{
    int n = 0;

    for (int i = 0; i < f->n_red - skip; i++, n++) {
        const int d = f->red[i];

        if (i == 0) gs_str_printf(s, "    for (int d%d = lo; d%d < hi; d%d++) {\n", d, d, d);
        else gs_str_printf(s, "    for (int d%d = 0; d%d < n%d; d%d++) {\n", d, d, d, d);
    }
    return n;
}

static void close_loops(gs_str *s, int n)
{
    for (int i = 0; i < n; i++) gs__put(s, "    }\n");
}

/* Statements of the prologues, ending in <to><k><how> value. */
static void prologue(gs_gen *g, gs_str *s, gs_unit *u, const char *to, const char *how)
{
    int k = 0;

    g->n_memo = 0;
    g->over_kept = false;
    for (int r = 0; r < u->n_roots; r++) {
        gs_vmap m;

        if (gs__kind(u->roots[r]) != GS_NK_SUM) continue;
        m = gs__vmap_identity(u->in_shape.rank);
        gs_str_printf(s, "    %s%d%s v%d;\n", to, k, how, gs__gen_emit(g, s, u->roots[r]->in[0], &m, false));
        k++;
    }
}

/* Statements from the sums s0.. (floats in scope) to stores; the kept dims d.. are in scope. */
static void epilogue(gs_gen *g, gs_str *s, gs_unit *u, const int *out)
{
    int k = 0;

    g->n_memo = 0;
    g->over_kept = true;
    for (int r = 0; r < u->n_roots; r++) {
        gs_node *n = u->roots[r];
        int var;

        if (gs__kind(n) == GS_NK_SUM) {
            var = g->n_vars++;
            gs_str_printf(s, "    const float v%d = s%d;\n", var, k++);
            gs__gen_remember(g, n, var);
        } else {
            const gs_vmap m = gs__vmap_identity(n->shape.rank);

            var = gs__gen_emit(g, s, n, &m, true);
        }
        if (out[r] < 0) continue;
        gs_str_printf(s, "    p%d[", out[r]);
        gs__gen_index(g, s, &g->a[out[r]]);
        gs_str_printf(s, "] = v%d;\n", var);
    }
}

/* Where a segment's partial sum k of result `o` goes. */
static void store_partial(gs_str *s, const sum_form *f, const char *value, const char *result)
{
    for (int k = 0; k < f->sums; k++) {
        gs_str_printf(s, "    part[(%d * segments + segment) * results + %s] = ", k, result);
        gs_str_printf(s, value, k);
        gs__put(s, ";\n");
    }
}

/* The sums of the lanes of 16 vectors r<k>[0..15] to b<k>, by the additions of gs__gen_row_total: halves, of which two vectors make one of both's, and so
 * on. Row 4 q + t comes to place 4 q + t since pairs are taken with the lowest digits of t last. */
static void total16(gs_str *s, int k)
{
    static const char *const pick[] = { "%1$s.s02, %2$s.s02, %1$s.s46, %2$s.s46, %1$s.s8a, %2$s.s8a, %1$s.sce, %2$s.sce",
                                        "%1$s.s13, %2$s.s13, %1$s.s57, %2$s.s57, %1$s.s9b, %2$s.s9b, %1$s.sdf, %2$s.sdf" };
    char x[32], y[32];

    for (int i = 0; i < 8; i++) { /* rows t, 4 + t; 8 + t, 12 + t */
        const int a = i / 2 + 8 * (i % 2);

        gs_str_printf(s, "    const float16 h%d_%d = (float16)(r%d[%d].lo, r%d[%d].lo) + (float16)(r%d[%d].hi, r%d[%d].hi);\n", k, i, k, a, k, a + 4, k, a, k,
                      a + 4);
    }
    for (int t = 0; t < 4; t++) {
        snprintf(x, sizeof x, "h%d_%d", k, 2 * t), snprintf(y, sizeof y, "h%d_%d", k, 2 * t + 1);
        gs_str_printf(s, "    const float16 f%d_%d = (float16)(%s.lo.lo, %s.hi.lo, %s.lo.lo, %s.hi.lo)", k, t, x, x, y, y);
        gs_str_printf(s, " + (float16)(%s.lo.hi, %s.hi.hi, %s.lo.hi, %s.hi.hi);\n", x, x, y, y);
    }
    for (int i = 0; i < 3; i++) { /* two of pairs, then one of them all */
        const char *const from = i < 2 ? "f" : "d";

        snprintf(x, sizeof x, "%s%d_%d", from, k, i < 2 ? 2 * i : 0), snprintf(y, sizeof y, "%s%d_%d", from, k, i < 2 ? 2 * i + 1 : 1);
        gs_str_printf(s, "    const float16 %s%d%s = (float16)(", i < 2 ? "d" : "b", k, i == 0 ? "_0" : i == 1 ? "_1" : "");
        gs_str_printf(s, pick[0], x, y);
        gs_str_printf(s, ") + (float16)(");
        gs_str_printf(s, pick[1], x, y);
        gs_str_printf(s, i < 2 ? ");\n" : ") + 0.0f;\n");
    }
}

static void row_prologue(gs_gen *g, gs_str *s, void *user) { prologue(g, s, user, "u", " ="); }

/* One row of those that are added up together, to r<k>[i]. */
static void short_row(gs_gen *g, gs_str *s, gs_unit *u, const sum_form *f)
{
    const gs_row_loop r = { .dim = f->red[0], .n = f->sums, .body = row_prologue, .user = u, .vectors = (int)div_up(f->per_result, GS_LANES) };

    gs__gen_row_start(s, &r);
    if (f->per_result % GS_LANES) gs__put(s, "    const int end = hi;\n");
    else gs_str_printf(s, "    const int end = %d;\n", (int)f->per_result);
    gs__gen_row_loop(g, s, &r);
    for (int k = 0; k < f->sums; k++) {
        gs__gen_row_join(s, &r, k);
        gs_str_printf(s, "    r%d[i] = a%d_0;\n", k, k);
    }
}

static void rows_cpu(gs_gen *g, gs_str *s, gs_unit *u, const sum_form *f)
{
    const int last = f->n_red ? f->red[f->n_red - 1] : 0;
    const bool cut_inner = f->n_red == 1;
    const gs_row_loop r = { .dim = last, .n = f->sums, .body = row_prologue, .user = u };
    int open;

    gs__gen_row_start(s, &r);
    open = open_loops(s, f, 1);
    gs_str_printf(s, "    int j = %s;\n", cut_inner ? "lo" : "0");
    if (cut_inner) gs__put(s, "    const int end = hi;\n");
    else gs_str_printf(s, "    const int end = n%d;\n", last);
    gs__gen_row_loop(g, s, &r);
    close_loops(s, open);
    gs__gen_row_total(s, &r);
}

static void rows_gpu(gs_gen *g, gs_str *s, gs_unit *u, const sum_form *f)
{
    for (int k = 0; k < f->sums; k++) gs_str_printf(s, "    float a%d = 0.0f;\n", k);
    gs_str_printf(s, "    for (int t = lo + lid; t < hi; t += %d) {\n", GROUP);
    gs__gen_decode(g, s, "t", f->red, f->n_red);
    prologue(g, s, u, "a", " +=");
    gs__put(s, "    }\n");
    for (int k = 0; k < f->sums; k++) gs_str_printf(s, "    tree%d[lid] = a%d;\n", k, k);
    gs_str_printf(s, "    for (int step = %d; step > 0; step /= 2) {\n    barrier(CLK_LOCAL_MEM_FENCE);\n    if (lid < step) {\n", GROUP / 2);
    for (int k = 0; k < f->sums; k++) gs_str_printf(s, "    tree%d[lid] += tree%d[lid + step];\n", k, k);
    gs__put(s, "    }\n    }\n    if (lid) return;\n");
    for (int k = 0; k < f->sums; k++) gs_str_printf(s, "    const float s%d = tree%d[0];\n", k, k);
}

/* Sums of neighbouring columns to a<k>[0..w-1]: a whole block's stay in registers, as vectors that loops of 16 turns fill (see row_step). */
static void columns_cpu(gs_gen *g, gs_str *s, gs_unit *u, const sum_form *f)
{
    const int inner = g->rank - 1, vectors = COLUMNS / GS_LANES;
    int open;

    for (int k = 0; k < f->sums; k++) gs_str_printf(s, "    float16 b%d[%d];\n    float *a%d = (float *)b%d;\n", k, vectors, k, k);
    gs_str_printf(s, "    if (w == %d) {\n", COLUMNS);
    for (int k = 0; k < f->sums; k++)
        for (int q = 0; q < vectors; q++) gs_str_printf(s, "    float16 c%d_%d = (float16)(0.0f);\n", k, q);
    open = open_loops(s, f, 0);
    for (int q = 0; q < vectors; q++) {
        gs__put(s, "    {\n");
        for (int k = 0; k < f->sums; k++) gs_str_printf(s, "    float16 w%d;\n    float *t%d = (float *)&w%d;\n", k, k, k);
        gs_str_printf(s, "    _Pragma(\"clang loop vectorize(assume_safety) vectorize_width(%d) unroll(disable)\")\n", GS_LANES);
        gs_str_printf(s, "    for (int l = 0; l < %d; l++) {\n    const long d%d = c0 + %d + l;\n", GS_LANES, inner, q * GS_LANES);
        prologue(g, s, u, "t", "[l] =");
        gs__put(s, "    }\n");
        for (int k = 0; k < f->sums; k++) gs_str_printf(s, "    c%d_%d += w%d;\n", k, q, k);
        gs__put(s, "    }\n");
    }
    close_loops(s, open);
    for (int k = 0; k < f->sums; k++)
        for (int q = 0; q < vectors; q++) gs_str_printf(s, "    b%d[%d] = c%d_%d;\n", k, q, k, q);
    gs__put(s, "    } else {\n");
    for (int k = 0; k < f->sums; k++) gs_str_printf(s, "    for (int l = 0; l < w; l++) a%d[l] = 0.0f;\n", k);
    open = open_loops(s, f, 0);
    gs_str_printf(s, "    _Pragma(\"clang loop vectorize(assume_safety)\")\n    for (int l = 0; l < w; l++) {\n    const int d%d = c0 + l;\n", inner);
    prologue(g, s, u, "a", "[l] +=");
    gs__put(s, "    }\n");
    close_loops(s, open);
    gs__put(s, "    }\n");
}

static void columns_gpu(gs_gen *g, gs_str *s, gs_unit *u, const sum_form *f)
{
    int open;

    for (int k = 0; k < f->sums; k++) gs_str_printf(s, "    float a%d = 0.0f;\n", k);
    open = open_loops(s, f, 0);
    prologue(g, s, u, "a", " +=");
    close_loops(s, open);
}

/* ---- kernels ---- */

static void segment_bounds(gs_str *s)
{
    gs__put(s, "    const int segment = get_group_id(2), lo = segment * segment_len, hi = min(limit, lo + segment_len);\n");
}

/* Along rows: those of an item on CPUs, that of a group on GPUs. */
static void rows_body(gs_gen *g, gs_str *s, gs_unit *u, const sum_form *f, const int *out)
{
    if (f->cpu) gs__put(s, "    for (int row = (int)get_group_id(0) * per; row < min(((int)get_group_id(0) + 1) * per, rows); row++) {\n");
    else gs__put(s, "    const int row = get_group_id(0), lid = get_local_id(0);\n");
    gs__gen_decode(g, s, "row", f->kept, f->n_kept);
    segment_bounds(s);
    if (f->cpu) rows_cpu(g, s, u, f);
    else rows_gpu(g, s, u, f);
    if (f->segments > 1) store_partial(s, f, "s%d", "row");
    else epilogue(g, s, u, out);
    if (f->cpu) gs__put(s, "    }\n");
}

/* The same with the last additions of 16 rows together. */
static void short_rows_body(gs_gen *g, gs_str *s, gs_unit *u, const sum_form *f, const int *out)
{
    gs__put(s, "    for (int block = (int)get_group_id(0) * per; block < min(((int)get_group_id(0) + 1) * per, rows); block += 16) {\n");
    for (int k = 0; k < f->sums; k++) gs_str_printf(s, "    float16 r%d[16];\n", k);
    gs__put(s, "    for (int i = 0; i < 16; i++) {\n    const int row = min(block + i, rows - 1);\n");
    gs__gen_decode(g, s, "row", f->kept, f->n_kept);
    segment_bounds(s);
    short_row(g, s, u, f);
    gs__put(s, "    }\n");
    for (int k = 0; k < f->sums; k++) {
        total16(s, k);
        gs_str_printf(s, "    const float *z%d = (const float *)&b%d;\n", k, k);
    }
    gs__put(s, "    _Pragma(\"clang loop vectorize(assume_safety)\")\n");
    gs__put(s, "    for (int i = 0; i < min(16, rows - block); i++) {\n    const int row = block + i;\n");
    gs__gen_decode(g, s, "row", f->kept, f->n_kept);
    for (int k = 0; k < f->sums; k++) gs_str_printf(s, "    const float s%d = z%d[i];\n", k, k);
    epilogue(g, s, u, out);
    gs__put(s, "    }\n    }\n");
}

/* Along columns: a block of them an item on CPUs, one an item on GPUs. */
static void columns_body(gs_gen *g, gs_str *s, gs_unit *u, const sum_form *f, const int *out)
{
    const int inner = g->rank - 1, block = f->cpu ? COLUMNS : GROUP;
    const char *const column = f->folded ? "fold" : "get_group_id(0)", *const others = f->folded ? "(int)get_group_id(0) / across" : "(int)get_group_id(1)";

    if (f->folded) gs_str_printf(s, "    const int across = (n%d + %d) / %d, fold = (int)get_group_id(0) %% across;\n", inner, block - 1, block);
    if (f->cpu) gs_str_printf(s, "    const int c0 = %s * %d, w = min(%d, n%d - c0);\n", column, block, block, inner);
    else gs_str_printf(s, "    const int d%d = %s * %d + get_local_id(0);\n    if (d%d >= n%d) return;\n", inner, column, block, inner, inner);
    gs__gen_decode(g, s, others, f->kept, f->n_kept - 1);
    segment_bounds(s);
    if (f->cpu) columns_cpu(g, s, u, f);
    else columns_gpu(g, s, u, f);
    if (f->cpu) gs_str_printf(s, "    for (int l = 0; l < w; l++) {\n    const int d%d = c0 + l;\n", inner);
    if (f->segments > 1) {
        gs__put(s, "    const int result = ");
        gs__gen_horner(g, s, true);
        gs__put(s, ";\n");
        store_partial(s, f, f->cpu ? "a%d[l]" : "a%d", "result");
    } else {
        for (int k = 0; k < f->sums; k++) gs_str_printf(s, f->cpu ? "    const float s%d = a%d[l];\n" : "    const float s%d = a%d;\n", k, k);
        epilogue(g, s, u, out);
    }
    if (f->cpu) gs__put(s, "    }\n");
}

/* The kernel that sums; with segments it stores partial sums, else it ends with the epilogue. */
static const char *sum_kernel(gs_gen *g, gs_unit *u, const sum_form *f, const int *out)
{
    const bool parts = f->segments > 1;
    gs_str body = { 0 }, text = { 0 }, extra = { 0 };
    const char *name;

    if (f->together) short_rows_body(g, &body, u, f, out);
    else if (f->rows) rows_body(g, &body, u, f, out);
    else columns_body(g, &body, u, f, out);
    gs_str_printf(&extra, "%sconst int segment_len, const int limit, %s",
                  parts ? "__global float *part, const ulong part0, const int segments, const int results, " : "",
                  f->rows && f->cpu ? "const int rows, const int per, " : "");
    gs__gen_head(g, &text, "@", gs_str_c(&extra));
    if (f->rows && !f->cpu)
        for (int k = 0; k < f->sums; k++) gs_str_printf(&text, "    __local float tree%d[%d];\n", k, GROUP);
    if (parts) gs__put(&text, "    part += part0;\n");
    gs_str_printf(&text, "%s}\n\n", gs_str_c(&body));
    name = gs__gen_add(g, "sum", gs_str_c(&text));
    gs_str_free(&extra);
    gs_str_free(&body);
    gs_str_free(&text);
    return name;
}

/* Adds the segments' partial sums in order, one item a result, and does the epilogue. */
static const char *finish_kernel(gs_gen *g, gs_unit *u, const sum_form *f, const int *out)
{
    gs_str body = { 0 }, text = { 0 };
    const char *name;

    gs_str_printf(&body, "    const int result = get_group_id(0) * %d + get_local_id(0);\n    if (result >= results) return;\n", GROUP);
    gs__gen_decode(g, &body, "result", f->kept, f->n_kept);
    for (int k = 0; k < f->sums; k++) {
        gs_str_printf(&body, "    float s%d = 0.0f;\n", k);
        gs_str_printf(&body, "    for (int j = 0; j < segments; j++) s%d += part[(%d * segments + j) * results + result];\n", k, k);
    }
    epilogue(g, &body, u, out);
    gs__gen_head(g, &text, "@", "const __global float *part, const ulong part0, const int segments, const int results, ");
    gs__put(&text, "    part += part0;\n");
    gs_str_printf(&text, "%s}\n\n", gs_str_c(&body));
    name = gs__gen_add(g, "finish", gs_str_c(&text));
    gs_str_free(&body);
    gs_str_free(&text);
    return name;
}

/* What one of the two kernels of a segmented sum touches: the prologue's reads, or the epilogue's reads and
 * the results. */
static void collect(gs_gen *g, gs_unit *u, int *out, bool sums, bool results)
{
    if (sums)
        for (int r = 0; r < u->n_roots; r++)
            if (gs__kind(u->roots[r]) == GS_NK_SUM) gs__gen_collect(g, u->roots[r]->in[0], false);
    if (!results) return;
    g->over_kept = true;
    for (int r = 0; r < u->n_roots; r++) {
        gs_node *n = u->roots[r];

        out[r] = -1;
        if (gs__kind(n) != GS_NK_SUM) gs__gen_collect(g, n, true);
        if (gs__info(g->p, n)->value) out[r] = gs__gen_output(g, gs__info(g->p, n)->value, n->dtype, NULL);
    }
    g->over_kept = false;
}

static gs_gen *gen_new(gs_plan *p, gs_unit *u)
{
    gs_gen *g = gs_xalloc(sizeof *g);

    g->p = p;
    g->unit = u;
    g->iter = u->in_shape;
    g->reduced = u->axes;
    return g;
}

static void gen_free(gs_gen *g)
{
    free(g->memo);
    free(g);
}

/* The second launch of a sum in segments, whose first is g's. */
static void finish(const gs_gen *g, gs_unit *u, const sum_form *f, int *out, gs_value *part)
{
    gs_gen *h = gen_new(g->p, u);
    gs_launch *l;

    memcpy(h->tag, g->tag, sizeof h->tag);
    collect(h, u, out, false, true);
    h->rank = g->rank;
    for (int d = 0; d < g->rank; d++) {
        h->dim[d] = g->dim[d];
        h->red[d] = g->red[d];
        h->axis[d] = g->axis[d];
    }
    gs__gen_project(h);
    l = gs__launch_generated(g->p, finish_kernel(h, u, f, out));
    gs__gen_pointers(h, l, false);
    gs_launch_in(l, part);
    gs_launch_int(l, f->segments);
    gs_launch_int(l, f->results);
    gs__gen_sizes(h, l);
    gs_launch_grid(l, (size_t)div_up(f->results, GROUP), 1, 1, GROUP, 1, 1);
    gs_launch_cost(l, 0, 4.0 * (double)part->count + gs__gen_bytes(h));
    gen_free(h);
}

gs_status gs__emit_sum(gs_plan *p, gs_unit *u)
{
    gs_gen *g = gen_new(p, u);
    int out[64];
    sum_form f = { 0 };
    int64_t limit;
    gs_launch *l;
    gs_value *part = NULL;
    size_t gx, gy = 1;
    gs_status st;

    for (int r = 0; r < u->n_roots; r++) f.sums += gs__kind(u->roots[r]) == GS_NK_SUM;
    collect(g, u, out, true, true);
    gs__gen_collapse(g);
    st = choose(g, &f);
    if (st != GS_OK) {
        gen_free(g);
        return st;
    }
    if (f.segments > 1) { /* the epilogue's accesses belong to the second kernel, but the collapsed dims stay */
        int n = 0;

        for (int i = 0; i < g->n; i++)
            if (!g->a[i].over_kept) g->a[n++] = g->a[i];
        g->n = n;
        part = gs_plan_scratch(p, (int64_t)f.sums * f.segments * f.results, "partial sums");
    }
    limit = f.n_red ? (f.rows && !f.cpu ? f.per_result : g->dim[f.red[0]]) : 1;
    l = gs__launch_generated(p, sum_kernel(g, u, &f, out));
    gs__gen_pointers(g, l, false);
    if (part) {
        gs_launch_out(l, part);
        gs_launch_int(l, f.segments);
        gs_launch_int(l, f.results);
    }
    gs_launch_int(l, f.segment_len);
    gs_launch_int(l, limit);
    gx = (size_t)f.results;
    if (f.rows && f.cpu) {
        const int64_t want = 4 * GS_MAX(1, gs_plan_device(p)->compute_units), most = GS_MAX(1, BLOCK / f.per_result);
        int64_t per = GS_MAX(1, GS_MIN(most, f.results / want)); /* but no core without work */

        if (f.together) per = div_up(per, GS_LANES) * GS_LANES;
        gs_launch_int(l, f.results);
        gs_launch_int(l, per);
        gx = (size_t)div_up(f.results, per);
    }
    gs__gen_sizes(g, l);
    if (!f.rows) {
        gx = (size_t)div_up(g->dim[g->rank - 1], f.cpu ? COLUMNS : GROUP);
        gy = (size_t)(f.results / g->dim[g->rank - 1]);
    }
    if (f.folded) {
        gx *= gy;
        gy = 1;
    }
    gs_launch_grid(l, gx, gy, (size_t)f.segments, f.cpu ? 1 : GROUP, 1, 1);
    gs_launch_cost(l, 0, gs__gen_bytes(g));

    if (part) finish(g, u, &f, out, part);
    gen_free(g);
    return GS_OK;
}
