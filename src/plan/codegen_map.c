/* Elementwise units to kernels: one work-item an element of the roots' shape, the innermost dim along x. All reads come before all
 * stores, so that an output may take the place of an input that is read element by element. */
#include "plan/codegen.h"

#include <stdlib.h>

#define GROUP 64      /* items a group; one local size for all generated kernels, since PoCL compiles each anew */
#define MAX_Y 65535   /* CUDA's bound on y and z */

gs_status gs__emit_expr(gs_plan *p, gs_node *const *roots, int n_roots, gs_shape shape, const gs_store_at *at)
{
    gs_gen *g = gs_xalloc(sizeof *g);
    gs_str text = { 0 }, body = { 0 };
    const gs_vmap id = gs__vmap_identity(shape.rank);
    int out[64], vars[64], inner, linear;
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
    linear = g->rank > 1 && (g->dim[inner] < GROUP / 2 || g->dim[inner - 1] > MAX_Y || count / g->dim[inner] / g->dim[inner - 1] > MAX_Y);

    for (int i = 0; i < n_roots; i++) vars[i] = gs__gen_emit(g, &body, roots[i], &id, !at);
    for (int i = 0; i < n_roots; i++) {
        if (out[i] < 0) continue;
        gs_str_printf(&body, "    p%d[", out[i]);
        gs__gen_index(g, &body, &g->a[out[i]]);
        gs_str_printf(&body, "] = v%d;\n", vars[i]);
    }

    gs__gen_head(g, &text, "@", "");
    gs_str_printf(&text, "    const int x = get_group_id(0) * %d + get_local_id(0);\n", GROUP);
    if (linear) {
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
    gs_str_printf(&text, "%s}\n\n", gs_str_c(&body));
    name = gs__gen_add(g, "map", gs_str_c(&text));

    l = gs__launch_generated(p, name);
    gs__gen_pointers(g, l, true);
    gs__gen_sizes(g, l);
    if (linear) {
        gs_launch_grid(l, (size_t)(count + GROUP - 1) / GROUP, 1, 1, GROUP, 1, 1);
    } else {
        size_t z = 1;

        for (int d = 0; d < g->rank - 2; d++) z *= (size_t)g->dim[d];
        gs_launch_grid(l, (size_t)(g->dim[inner] + GROUP - 1) / GROUP, g->rank > 1 ? (size_t)g->dim[inner - 1] : 1, z, GROUP, 1, 1);
    }
    gs_launch_cost(l, 0, gs__gen_bytes(g));
    gs_str_free(&text);
    gs_str_free(&body);
    free(g->memo);
    free(g);
    return GS_OK;
}
