/* Elementwise units to kernels: one work-item an element of the roots' shape, the innermost dim along x. All reads of
 * an element come before all stores of it, so that an output may take the place of an input that is read element by
 * element.
 *
 * On CPUs one item a group takes BLOCK elements instead, whole runs of the innermost dim where these are shorter: a
 * group costs as much as some hundred elements there, and a loop along memory becomes vectors. */
#include "plan/codegen.h"

#include <stdlib.h>
#include <string.h>

#define GROUP 64      /* items a group; one local size for all generated kernels, since PoCL compiles each anew */
#define MAX_Y 65535   /* CUDA's bound on y and z */
#define BLOCK 4096    /* elements an item on CPUs */
#define SHORT 16      /* runs shorter than this are no loop of their own */

bool gs__gen_heavy(const char *statements, int inner)
{
    static const char *const calls[] = { "exp(", "exp2(", "expm1(", "log(", "log1p(", "tanh(", "pow(", "sin(", "cos(", "erf(" };
    const char along[] = { 'd', (char)('0' + inner), 0 };
    int operations = 0, moved = 0;

    for (size_t i = 0; i < GS_COUNT(calls); i++)
        if (strstr(statements, calls[i])) return true;
    for (const char *line = statements, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        const char *place = strchr(line, '['), *at = strstr(line, along);

        if (place && place < end) moved += at && at < end; /* a load or a store */
        else operations++;
    }
    return 2 * operations >= 3 * moved;
}

/* Heads of the loops on CPUs: group (b, g) has elements b BLOCK.. of the innermost dim, of rows g per .. */
static void cpu_loops(gs_gen *g, gs_str *s, bool heavy)
{
    const int inner = g->rank - 1;
    int dims[GS_MAX_DIMS];

    gs_str_printf(s, "    const int first = (int)get_group_id(0) * %d, end = first + min(%d, n%d - first);\n", BLOCK,
                  BLOCK, inner);
    if (inner > 0) {
        for (int d = 0; d < inner; d++) dims[d] = d;
        gs_str_printf(s, "    for (int row = (int)get_group_id(1) * per; row < min(((int)get_group_id(1) + 1) * per, "
                         "rows); row++) {\n");
        gs__gen_decode(g, s, "row", dims, inner);
    }
    gs_str_printf(
        s, "    _Pragma(\"clang loop vectorize(assume_safety)%s\")\n    for (int d%d = first; d%d < end; d%d++) {\n",
        heavy ? " vectorize_width(16)" : "", inner, inner, inner);
}

gs_status gs__emit_expr(gs_plan *p, gs_node *const *roots, int n_roots, gs_shape shape, const gs_store_at *at)
{
    gs_gen *g = gs_xalloc(sizeof *g);
    gs_str text = { 0 }, body = { 0 };
    const gs_vmap id = gs__vmap_identity(shape.rank);
    int out[64], vars[64], inner;
    bool linear, cpu;
    const char *name;
    gs_launch *l;
    int64_t count = 1;

    g->p = p;
    g->iter = shape;
    g->unit = at ? NULL : gs__info(p, roots[0])->unit;
    for (int i = 0; i < n_roots; i++) {
        gs_node *n = roots[i];

        /* With `at` the root is an operand of another op: it may be a leaf itself. */
        gs__gen_collect(g, n, !at);
        out[i] = -1;
        if (at) out[i] = gs__gen_output(g, at->value, n->dtype, at);
        else if (gs__info(p, n)->value) out[i] = gs__gen_output(g, gs__info(p, n)->value, n->dtype, NULL);
    }
    gs__gen_collapse(g);
    for (int d = 0; d < g->rank; d++) count *= g->dim[d];
    inner = g->rank - 1;
    linear = g->rank > 1 && (g->dim[inner] < GROUP / 2 || g->dim[inner - 1] > MAX_Y ||
                             count / g->dim[inner] / g->dim[inner - 1] > MAX_Y);

    cpu = gs_plan_on_cpu(p) && (g->rank == 1 || g->dim[inner] >= SHORT);
    for (int i = 0; i < n_roots; i++) vars[i] = gs__gen_emit(g, &body, roots[i], &id, !at);
    for (int i = 0; i < n_roots; i++) {
        if (out[i] < 0) continue;
        gs_str_printf(&body, "    p%d[", out[i]);
        gs__gen_index(g, &body, &g->a[out[i]]);
        gs_str_printf(&body, "] = v%d;\n", vars[i]);
    }

    gs__gen_head(g, &text, "@", cpu && inner ? "const int rows, const int per, " : "");
    if (!cpu) gs_str_printf(&text, "    const int x = get_group_id(0) * %d + get_local_id(0);\n", GROUP);
    if (cpu) {
        cpu_loops(g, &text, gs__gen_heavy(gs_str_c(&body), inner));
    } else if (linear) {
        int dims[GS_MAX_DIMS];

        gs_str_printf(&text, "    if (x >= n0");
        for (int d = 1; d < g->rank; d++) gs_str_printf(&text, " * n%d", d);
        gs_str_printf(&text, ") return;\n");
        for (int d = 0; d < g->rank; d++) dims[d] = d;
        gs__gen_decode(g, &text, "x", dims, g->rank);
    } else {
        int dims[GS_MAX_DIMS];

        gs_str_printf(&text, "    const int d%d = x;\n    if (x >= n%d) return;\n", inner, inner);
        if (g->rank > 1) gs_str_printf(&text, "    const int d%d = get_group_id(1);\n", inner - 1);
        for (int d = 0; d < g->rank - 2; d++) dims[d] = d;
        gs__gen_decode(g, &text, "(int)get_group_id(2)", dims, g->rank - 2);
    }
    gs_str_printf(&text, "%s%s}\n\n", gs_str_c(&body), !cpu ? "" : inner ? "    }\n    }\n" : "    }\n");
    name = gs__gen_add(g, "map", gs_str_c(&text));

    l = gs__launch_generated(p, name);
    gs__gen_pointers(g, l, true);
    if (cpu) {
        const int64_t rows = count / g->dim[inner], blocks = (g->dim[inner] + BLOCK - 1) / BLOCK;
        const int64_t want = 4 * GS_MAX(1, gs_plan_device(p)->compute_units), most = GS_MAX(1, BLOCK / g->dim[inner]);
        const int64_t per = GS_MAX(1, GS_MIN(most, rows / want)); /* but no core without work */

        if (inner) gs_launch_int(l, rows);
        if (inner) gs_launch_int(l, per);
        gs_launch_grid(l, (size_t)blocks, (size_t)((rows + per - 1) / per), 1, 1, 1, 1);
    }
    gs__gen_sizes(g, l);
    if (cpu) {
        /* its grid is above */
    } else if (linear) {
        gs_launch_grid(l, (size_t)(count + GROUP - 1) / GROUP, 1, 1, GROUP, 1, 1);
    } else {
        size_t z = 1;

        for (int d = 0; d < g->rank - 2; d++) z *= (size_t)g->dim[d];
        gs_launch_grid(l, (size_t)(g->dim[inner] + GROUP - 1) / GROUP, g->rank > 1 ? (size_t)g->dim[inner - 1] : 1, z,
                       GROUP, 1, 1);
    }
    gs_launch_cost(l, 0, gs__gen_bytes(g));
    gs_str_free(&text);
    gs_str_free(&body);
    free(g->memo);
    free(g);
    return GS_OK;
}
