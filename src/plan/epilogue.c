/* Epilogues: elementwise roots that a product's or convolution's own kernel computes from each result while it holds it, such as a bias and
 * an activation, or a gradient times an activation's derivative. So the result itself need not be stored, read and written once more.
 *
 * pass_fuse.c puts such roots into the product's unit. Here is which of them fit, and the text of the function that the kernel calls with a
 * result v, its place `at` among the elements of the result's shape, and its channel ch: the last axis of a matrix product, axis 1
 * of pictures. A kernel knows no more of an element, so an operand may be of the result's shape, a vector over channels, or a scalar. The
 * statements are those of elementwise kernels (codegen_expr.c), in the same order: so are the results, to the bit. */
#include "plan/codegen.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct gs_epilogue {
    gs_str text;     /* what comes in front of the kernel's file */
    gs_launch args;  /* the pointers that the text adds to the kernel's parameters */
    char then[64];
    double bytes;
};

/* ---- what fits ---- */

static int channel_axis(const gs_node *n) { return GS_IS(n, matmul) ? n->shape.rank - 1 : 1; }

/* How a tensor that moves by these strides along the axes of the result is read; NULL: in a way that the kernel does not know. */
static const char *index_of(const gs_node *product, const int64_t *stride)
{
    const int channels = channel_axis(product);
    bool same = true, channel = true, scalar = true;
    int64_t step = 1;

    for (int d = product->shape.rank - 1; d >= 0; step *= product->shape.dim[d--]) {
        if (product->shape.dim[d] == 1) continue;
        same &= stride[d] == step;
        channel &= stride[d] == (d == channels ? 1 : 0);
        scalar &= stride[d] == 0;
    }
    return scalar ? "0" : same ? "at" : channel ? "ch" : NULL;
}

static bool leaf_fits(const gs_node *product, const gs_node *leaf, const gs_vmap *m)
{
    int64_t own[GS_MAX_DIMS], stride[GS_MAX_DIMS] = { 0 };

    gs__strides(leaf->shape, own);
    for (int j = 0; j < m->rank; j++)
        if (m->dim[j] >= 0) stride[m->dim[j]] += own[j];
    return index_of(product, stride) != NULL;
}

static bool fits(gs_plan *p, const gs_node *product, gs_node *n, const gs_vmap *m, bool top)
{
    const gs_node_kind kind = gs__kind(n);

    if (n == product) return gs__vmap_is_identity(m);
    if (GS_IS(n, full)) return true;
    if (GS_IS(n, iota)) return false;
    if (kind == GS_NK_SOURCE || kind == GS_NK_RESHAPE || (!top && gs__info(p, n)->root)) return leaf_fits(product, n, m);
    if (kind == GS_NK_VIEW) {
        const gs_vmap inner = gs__vmap_view(n, m);

        return fits(p, product, n->in[0], &inner, false);
    }
    for (int i = 0; i < n->n_in; i++)
        if (!fits(p, product, n->in[i], m, false)) return false;
    return true;
}

bool gs__epilogue_fits(gs_plan *p, const gs_node *product, gs_node *root)
{
    const gs_vmap m = gs__vmap_identity(root->shape.rank);

    return gs__info(p, product)->ends && !gs__info(p, root)->written && gs_shape_equal(product->shape, root->shape) &&
           fits(p, product, root, &m, true);
}

bool gs__epilogue_can(gs_plan *p, const gs_node *n)
{
    gs_problem q;

    if (p->off_epilogue) return false;
    if (GS_IS(n, matmul)) q = gs__matmul_problem(n);
    else if (GS_IS(n, conv2d) || GS_IS(n, conv2d_dx)) q = gs__conv_problem(p, n);
    else return false;
    return gs__plan_ends(p, &q);
}

/* ---- the text ---- */

static void parameters(const gs_gen *g, gs_str *s, const char *format, bool types)
{
    for (int pass = 0; pass < 2; pass++) /* outputs first, as gs__gen_pointers has them */
        for (int i = 0; i < g->n; i++) {
            const gs_access *a = &g->a[i];

            if (a->out != (pass == 0)) continue;
            if (types) gs_str_printf(s, ", %s__global %s *", a->out ? "" : "const ", a->dtype == GS_I32 ? "int" : "float");
            gs_str_printf(s, format, i, i, i);
        }
}

gs_epilogue *gs__epilogue_new(gs_plan *p, gs_unit *u)
{
    gs_epilogue *e = gs_xalloc(sizeof *e);
    gs_gen *g = gs_xalloc(sizeof *g);
    gs_node *product = u->roots[0];
    const gs_vmap id = gs__vmap_identity(product->shape.rank);
    int out[64], var;
    gs_str body = { 0 };

    assert(u->n_roots <= (int)GS_COUNT(out));
    g->p = p;
    g->unit = u;
    g->iter = product->shape;
    g->literals = true;
    g->n_vars = 1; /* v0: the product's result */
    gs__gen_remember(g, product, 0);
    for (int i = 1; i < u->n_roots; i++) gs__gen_collect(g, u->roots[i], true);
    for (int i = 0; i < u->n_roots; i++)
        out[i] = gs__stored(p, u->roots[i]) ? gs__gen_output(g, gs__info(p, u->roots[i])->value, u->roots[i]->dtype, NULL) : -1;
    gs__gen_collapse(g);
    for (int i = 0; i < g->n; i++) {
        g->a[i].index = index_of(product, g->a[i].stride);
        assert(g->a[i].index && "gs__epilogue_fits has seen it");
    }
    for (int i = 1; i < u->n_roots; i++) gs__gen_emit(g, &body, u->roots[i], &id, true);
    for (int i = 0; i < u->n_roots; i++) {
        if (out[i] < 0) continue;
        var = i ? gs__gen_emit(g, &body, u->roots[i], &id, true) : 0; /* written above: only its number */
        gs_str_printf(&body, "    p%d[at] = v%d;\n", out[i], var);
    }

    gs_str_printf(&e->text, "#undef GS_END\n#undef GS_END_PARAMS\n#undef GS_END_START\n#undef GS_END_CALL\n#define GS_END 1\n#define GS_END_PARAMS ");
    parameters(g, &e->text, "end%d, const ulong end%d_at", true);
    gs_str_printf(&e->text, "\n#define GS_END_START ");
    parameters(g, &e->text, " end%d += end%d_at;", false);
    gs_str_printf(&e->text, "\n#define GS_END_CALL(v, at, ch) gs_end(v, at, ch");
    parameters(g, &e->text, ", end%d", false);
    gs_str_printf(&e->text, ")\n\nGS_FN void gs_end(const float v0, const int at, const int ch");
    parameters(g, &e->text, "p%d", true);
    gs_str_printf(&e->text, ")\n{\n    (void)at;\n    (void)ch;\n%s}\n\n", gs_str_c(&body));

    gs__gen_pointers(g, &e->args, true);
    e->bytes = gs__gen_bytes(g) - 4.0 * (double)gs_shape_count(product->shape); /* beside the product's own */
    snprintf(e->then, sizeof e->then, "%s", g->tag[0] ? g->tag + 1 : "store");
    gs_str_free(&body);
    free(g->memo);
    free(g);
    return e;
}

void gs__epilogue_free(gs_epilogue *e)
{
    if (!e) return;
    gs_str_free(&e->text);
    free(e);
}

/* ---- for lowering ---- */

gs_value *gs__epilogue_place(gs_plan *p, const gs_epilogue *e, int64_t count)
{
    for (int i = 0; i < e->args.n_args; i++) {
        gs_value *v = e->args.args[i].value;

        if (e->args.args[i].kind == GS_ARG_OUT && v->place == GS_PLACE_WORKSPACE && v->dtype == GS_F32) return v;
    }
    return gs_plan_scratch(p, count, "product");
}

void gs_launch_end(gs_launch *l, const gs_epilogue *e, bool part)
{
    if (!e) return;
    for (int i = 0; i < e->args.n_args; i++) {
        gs_arg *a = &l->args[l->n_args];

        assert(l->n_args < GS_MAX_ARGS && "a kernel has too many arguments");
        l->n_args++;
        *a = e->args.args[i];
        if (part && a->kind == GS_ARG_OUT) a->kind = GS_ARG_INOUT, a->elementwise = false;
    }
    l->before = gs_xstrdup(gs_str_c((gs_str *)&e->text));
    l->then = gs_xstrdup(e->then);
    l->bytes += e->bytes;
}
