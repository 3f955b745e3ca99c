/* Expressions to statements: accesses, collapsed dims, index arithmetic, kernel heads.
 *
 * Text depends on the structure only (ops, which dims each access moves along, equal strides), sizes, strides and most numbers (the 1 / n of a
 * mean) are arguments: so one kernel serves every layer of the same form, and Adam is one kernel for all parameters of a rank. */
#include "plan/codegen.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- accesses ---- */

static bool in_register(const gs_gen *g, const gs_node *n, const gs_vmap *m)
{
    return g->unit && gs__kind(n) != GS_NK_RESHAPE && gs__kind(n) != GS_NK_SOURCE && g->p->info[n->id].root &&
           g->p->info[n->id].unit == g->unit && gs__vmap_is_identity(m);
}

/* A root of the unit, however it is read: a launch over rows has them all at hand. */
static bool of_row(const gs_gen *g, const gs_node *n)
{
    return g->rows && gs__kind(n) != GS_NK_RESHAPE && gs__kind(n) != GS_NK_SOURCE && g->p->info[n->id].root && g->p->info[n->id].unit == g->unit;
}

static void strides_through(const gs_node *n, const gs_vmap *m, gs_access *a)
{
    int64_t st[GS_MAX_DIMS];

    gs__strides(n->shape, st);
    for (int j = 0; j < m->rank; j++) {
        a->offset += m->start[j] * st[j];
        if (m->dim[j] >= 0) a->stride[m->dim[j]] += st[j];
    }
}

static gs_access make_access(gs_gen *g, gs_node *n, const gs_vmap *m)
{
    gs_access a = { .leaf = n, .dtype = n->dtype, .over_kept = g->over_kept };

    if (GS_IS(n, iota)) {
        const int axis = n->attr.i[0];

        a.is_index = true;
        a.offset = m->start[axis];
        if (m->dim[axis] >= 0) a.stride[m->dim[axis]] = 1;
    } else {
        a.value = gs_plan_value(g->p, n);
        strides_through(n, m, &a);
    }
    for (int d = 0; d < g->iter.rank; d++)
        if (g->iter.dim[d] == 1 || (g->over_kept && (g->reduced >> d & 1))) a.stride[d] = 0;
    return a;
}

static int find_access(const gs_gen *g, const gs_access *a)
{
    for (int i = 0; i < g->n; i++) {
        const gs_access *b = &g->a[i];

        if (!b->out && b->is_index == a->is_index && b->value == a->value && b->offset == a->offset &&
            b->over_kept == a->over_kept && !memcmp(b->stride, a->stride, sizeof a->stride))
            return i;
    }
    return -1;
}

/* A function of the driver's that is called for one element after the other, and whose code is long where it is put in place. */
static bool stays_call(const char *expr)
{
    return expr && (strstr(expr, "sin(") || strstr(expr, "cos(") || strstr(expr, "erf(") || strstr(expr, "pow("));
}

static void collect(gs_gen *g, gs_node *n, const gs_vmap *m, bool top)
{
    const gs_node_kind kind = gs__kind(n);

    if (!top && (in_register(g, n, m) || of_row(g, n))) return;
    if (GS_IS(n, full)) return;
    if (kind == GS_NK_SOURCE || kind == GS_NK_RESHAPE || GS_IS(n, iota) || (!top && g->p->info[n->id].root)) {
        const gs_access a = make_access(g, n, m);

        if (find_access(g, &a) >= 0) return;
        assert(g->n < GEN_MAX_ACCESS && "the fuser bounds the reads of a kernel");
        g->a[g->n++] = a;
        return;
    }
    if (kind == GS_NK_VIEW) {
        const gs_vmap inner = gs__vmap_view(n, m);

        collect(g, n->in[0], &inner, false);
        return;
    }
    if (strlen(g->tag) + strlen(n->op->name) + 2 < 40) {
        strcat(g->tag, "_");
        strcat(g->tag, n->op->name);
    }
    g->calls = g->calls || stays_call(n->op->expr);
    for (int i = 0; i < n->n_in; i++) collect(g, n->in[i], m, false);
}

void gs__gen_collect(gs_gen *g, gs_node *n, bool top)
{
    const gs_vmap m = gs__vmap_identity(n->shape.rank);

    collect(g, n, &m, top);
}

int gs__gen_output(gs_gen *g, gs_value *v, gs_dtype dtype, const gs_store_at *at)
{
    gs_access a = { .value = v, .dtype = dtype, .out = true, .over_kept = g->over_kept };

    if (at) {
        a.value = at->value;
        a.offset = at->offset;
        a.partial = true;
        for (int d = 0; d < g->iter.rank; d++) a.stride[d] = g->iter.dim[d] > 1 ? at->stride[d] : 0;
    } else {
        int64_t step = 1;

        for (int d = g->iter.rank - 1; d >= 0; d--) {
            if ((g->over_kept && (g->reduced >> d & 1)) || g->iter.dim[d] == 1) continue;
            a.stride[d] = step;
            step *= g->iter.dim[d];
        }
    }
    assert(g->n < GEN_MAX_ACCESS);
    g->a[g->n] = a;
    return g->n++;
}

void gs__gen_collapse(gs_gen *g)
{
    g->rank = 0;
    for (int d = 0; d < g->iter.rank; d++) {
        const bool red = g->reduced >> d & 1;
        bool merge = g->rank > 0 && g->red[g->rank - 1] == red;

        if (g->iter.dim[d] == 1) continue;
        for (int i = 0; i < g->n && merge; i++)
            merge = g->a[i].cstride[g->rank - 1] == g->a[i].stride[d] * g->iter.dim[d];
        if (merge) {
            g->dim[g->rank - 1] *= g->iter.dim[d];
            g->axis[g->rank - 1] = d;
            for (int i = 0; i < g->n; i++) g->a[i].cstride[g->rank - 1] = g->a[i].stride[d];
            continue;
        }
        g->dim[g->rank] = g->iter.dim[d];
        g->red[g->rank] = red;
        g->axis[g->rank] = d;
        for (int i = 0; i < g->n; i++) g->a[i].cstride[g->rank] = g->a[i].stride[d];
        g->rank++;
    }
    if (g->rank == 0) { /* a scalar */
        g->rank = 1;
        g->dim[0] = 1;
        g->red[0] = false;
        for (int i = 0; i < g->n; i++) g->a[i].cstride[0] = 0;
    }
}

/* ---- index arithmetic ---- */

bool gs__gen_contiguous(const gs_gen *g, const gs_access *a)
{
    int64_t step = 1;

    for (int d = g->rank - 1; d >= 0; d--) {
        if (a->over_kept && g->red[d]) continue;
        if (g->dim[d] > 1 && a->cstride[d] != step) return false;
        step *= g->dim[d];
    }
    return true;
}

static int scalar_arg(gs_gen *g, int64_t v)
{
    for (int i = 0; i < g->n_scalars; i++)
        if (g->scalar[i] == v) return i;
    assert(g->n_scalars < (int)GS_COUNT(g->scalar));
    g->scalar[g->n_scalars] = v;
    return g->n_scalars++;
}

void gs__gen_project(gs_gen *g)
{
    for (int i = 0; i < g->n; i++)
        for (int d = 0; d < g->rank; d++) g->a[i].cstride[d] = g->iter.rank ? g->a[i].stride[g->axis[d]] : 0;
}

void gs__gen_horner(gs_gen *g, gs_str *s, bool kept_only)
{
    gs_str t = { 0 };

    for (int d = 0; d < g->rank; d++) {
        gs_str u = { 0 };

        if (kept_only && g->red[d]) continue;
        if (t.len) gs_str_printf(&u, "(%s) * n%d + d%d", gs_str_c(&t), d, d);
        else gs_str_printf(&u, "d%d", d);
        gs_str_free(&t);
        t = u;
    }
    gs_str_printf(s, "%s", t.len ? gs_str_c(&t) : "0");
    gs_str_free(&t);
}

void gs__gen_index(gs_gen *g, gs_str *s, const gs_access *a)
{
    bool any = false;

    if (a->index) {
        gs_str_printf(s, "%s", a->index);
        return;
    }
    if (gs__gen_contiguous(g, a)) {
        gs__gen_horner(g, s, a->over_kept);
        return;
    }
    for (int d = 0; d < g->rank; d++) {
        if (!a->cstride[d]) continue;
        gs_str_printf(s, any ? " + " : "");
        if (a->cstride[d] == 1) gs_str_printf(s, "d%d", d);
        else gs_str_printf(s, "d%d * q%d", d, scalar_arg(g, a->cstride[d]));
        any = true;
    }
    if (!any) gs_str_printf(s, "0");
}

void gs__gen_decode(gs_gen *g, gs_str *s, const char *from, const int *dims, int n)
{
    (void)g;
    if (n <= 0) return;
    if (n == 1) {
        gs_str_printf(s, "    const int d%d = %s;\n", dims[0], from);
        return;
    }
    gs_str_printf(s, "    int rest%d = %s;\n", dims[0], from);
    for (int i = n - 1; i > 0; i--)
        gs_str_printf(s, "    const int d%d = rest%d %% n%d; rest%d /= n%d;\n", dims[i], dims[0], dims[i], dims[0], dims[i]);
    gs_str_printf(s, "    const int d%d = rest%d;\n", dims[0], dims[0]);
}

/* ---- statements ---- */

void gs__gen_remember(gs_gen *g, const gs_node *n, int var)
{
    gs_memo e = { n, gs__vmap_identity(n->shape.rank), var };

    GS_PUSH(g->memo, g->n_memo, g->cap_memo, e);
}

static void literal(gs_str *s, double x)
{
    const float f = (float)x;

    if (isinf(f)) gs_str_printf(s, f > 0 ? "GS_INF" : "(-GS_INF)");
    else if (isnan(f)) gs_str_printf(s, "GS_NAN");
    else gs_str_printf(s, f < 0 ? "(%.9ef)" : "%.9ef", f);
}

/* A number of an affine or constant node: an argument, unless the compiler makes something of it. */
static void number(gs_gen *g, gs_str *s, double x)
{
    const float f = (float)x;
    const float size = fabsf(f);
    int i = 0;

    while (i < g->n_numbers && g->number[i] != f) i++;
    if (g->literals || !isfinite(f) || size == 0.0f || size == 0.5f || size == 1.0f || size == 2.0f || i == (int)GS_COUNT(g->number)) {
        literal(s, x);
        return;
    }
    if (i == g->n_numbers) g->number[g->n_numbers++] = f;
    gs_str_printf(s, "num%d", i);
}

/* The op's expr with x0.. and a0.. replaced. */
static void substitute(gs_gen *g, gs_str *s, const gs_node *n, const int *var)
{
    const char *e = n->op->expr;

    for (const char *c = e; *c;) {
        const bool word = c > e && (isalnum((unsigned char)c[-1]) || c[-1] == '_');

        if (!word && (*c == 'x' || *c == 'a') && isdigit((unsigned char)c[1]) && !isalnum((unsigned char)c[2]) && c[2] != '_') {
            if (*c == 'x') gs_str_printf(s, "v%d", var[c[1] - '0']);
            else if (GS_IS(n, affine)) number(g, s, n->attr.f[c[1] - '0']);
            else literal(s, n->attr.f[c[1] - '0']);
            c += 2;
        } else {
            gs_str_append(s, c++, 1);
        }
    }
}

static bool same_all_row(const gs_gen *g, const gs_access *a)
{
    for (int d = 0; d < g->rank; d++)
        if (g->red[d] && a->cstride[d]) return false;
    return true;
}

int gs__gen_emit(gs_gen *g, gs_str *s, gs_node *n, const gs_vmap *m, bool top)
{
    const gs_node_kind kind = gs__kind(n);
    const char *type = n->dtype == GS_I32 ? "int" : "float";
    gs_memo e = { n, *m, 0 };
    int var[4];

    for (int i = 0; i < g->n_memo; i++)
        if (g->memo[i].node == n && gs__vmap_equal(&g->memo[i].map, m)) return g->memo[i].var;
    if (!top && of_row(g, n)) {
        e.var = gs__rows_read(g, s, n);
        GS_PUSH(g->memo, g->n_memo, g->cap_memo, e);
        return e.var;
    }
    assert((top || !in_register(g, n, m)) && "roots of a unit come in order");

    if (kind == GS_NK_SOURCE || kind == GS_NK_RESHAPE || GS_IS(n, iota) ||
        (!top && g->p->info[n->id].root && !GS_IS(n, full))) { /* a constant is written out, even where a kernel wants it stored */
        const gs_access a = make_access(g, n, m);
        const int i = find_access(g, &a);

        assert(i >= 0 && "collected before");
        if (g->rows && !g->side && same_all_row(g, &g->a[i])) {
            if (g->once_var[i]) return g->once_var[i] - 1;
            s = &g->once;
            g->once_var[i] = g->n_vars + 1;
        }
        e.var = g->n_vars++;
        gs_str_printf(s, "    const %s v%d = ", type, e.var);
        if (a.is_index) {
            gs_str_printf(s, "i%d + ", i);
            gs__gen_index(g, s, &g->a[i]);
        } else {
            gs_str_printf(s, "p%d[", i);
            gs__gen_index(g, s, &g->a[i]);
            gs_str_printf(s, "]");
        }
        gs_str_printf(s, ";\n");
    } else if (kind == GS_NK_VIEW) {
        const gs_vmap inner = gs__vmap_view(n, m);

        e.var = gs__gen_emit(g, s, n->in[0], &inner, false);
    } else if (GS_IS(n, full)) {
        e.var = g->n_vars++;
        gs_str_printf(s, "    const float v%d = ", e.var);
        number(g, s, n->attr.f[0]);
        gs_str_printf(s, ";\n");
    } else if (GS_IS(n, cast)) {
        var[0] = gs__gen_emit(g, s, n->in[0], m, false);
        e.var = g->n_vars++;
        gs_str_printf(s, "    const %s v%d = (%s)v%d;\n", type, e.var, type, var[0]);
    } else {
        assert(n->n_in <= 4 && n->op->expr);
        for (int i = 0; i < n->n_in; i++) var[i] = gs__gen_emit(g, s, n->in[i], m, false);
        e.var = g->n_vars++;
        gs_str_printf(s, "    const %s v%d = ", type, e.var);
        substitute(g, s, n, var);
        gs_str_printf(s, ";\n");
    }
    GS_PUSH(g->memo, g->n_memo, g->cap_memo, e);
    return e.var;
}

/* ---- heads, names, arguments ---- */

void gs__gen_head(gs_gen *g, gs_str *s, const char *name, const char *extra)
{
    gs_str_printf(s, "__kernel void %s(", name);
    for (int pass = 0; pass < 2; pass++) /* outputs first */
        for (int i = 0; i < g->n; i++) {
            const gs_access *a = &g->a[i];
            const char *type = a->dtype == GS_I32 ? "int" : "float";

            if (a->out != (pass == 0) || a->is_index) continue;
            gs_str_printf(s, "%s__global %s *p%d, const ulong o%d, ", a->out ? "" : "const ", type, i, i);
        }
    gs_str_printf(s, "%s", extra);
    for (int i = 0; i < g->n; i++)
        if (g->a[i].is_index) gs_str_printf(s, "const int i%d, ", i);
    for (int i = 0; i < g->n_scalars; i++) gs_str_printf(s, "const int q%d, ", i);
    for (int i = 0; i < g->n_numbers; i++) gs_str_printf(s, "const float num%d, ", i);
    for (int d = 0; d < g->rank; d++) gs_str_printf(s, "%sconst int n%d", d ? ", " : "", d);
    gs_str_printf(s, ")\n{\n");
    for (int i = 0; i < g->n; i++)
        if (!g->a[i].is_index) gs_str_printf(s, "    p%d += o%d;\n", i, i);
}

void gs__gen_pointers(gs_gen *g, gs_launch *l, bool elementwise)
{
    int64_t count = 1;

    for (int d = 0; d < g->rank; d++) count *= g->dim[d];
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < g->n; i++) {
            const gs_access *a = &g->a[i];

            if (a->out != (pass == 0) || a->is_index) continue;
            if (!a->out) gs_launch_in_at(l, a->value, a->offset);
            else if (a->partial) gs_launch_inout(l, a->value);
            else gs_launch_out(l, a->value);
            l->args[l->n_args - 1].extra = a->offset;
            l->args[l->n_args - 1].elementwise =
                a->in_place || (elementwise && a->offset == 0 && a->value->count == count && gs__gen_contiguous(g, a));
        }
}

void gs__gen_sizes(gs_gen *g, gs_launch *l)
{
    for (int i = 0; i < g->n; i++)
        if (g->a[i].is_index) gs_launch_int(l, g->a[i].offset);
    for (int i = 0; i < g->n_scalars; i++) gs_launch_int(l, g->scalar[i]);
    for (int i = 0; i < g->n_numbers; i++) gs_launch_float(l, g->number[i]);
    for (int d = 0; d < g->rank; d++) gs_launch_int(l, g->dim[d]);
}

const char *gs__gen_add(gs_gen *g, const char *family, const char *text)
{
    gs_plan *p = g->p;
    const uint64_t h = gs_hash_str(text);
    const char *name = gs_arena_printf(p->arena, "%s%s_%08x", family, g->tag, (unsigned)(h ^ h >> 32));

    for (int i = 0; i < p->n_kernels; i++)
        if (p->kernel_hashes[i] == gs_hash_str(name)) return name;
    GS_PUSH(p->kernel_hashes, p->n_kernels, p->cap_kernels, gs_hash_str(name));
    for (const char *c = text; *c; c++) {
        if (*c == '@') gs_str_printf(&p->source, "%s", name);
        else gs_str_append(&p->source, c, 1);
    }
    return name;
}

double gs__gen_bytes(const gs_gen *g)
{
    double bytes = 0;

    for (int i = 0; i < g->n; i++) {
        double n = 4;

        if (g->a[i].is_index) continue;
        for (int d = 0; d < g->rank; d++)
            if (g->a[i].cstride[d]) n *= (double)g->dim[d];
        bytes += n;
    }
    return bytes;
}
