/* The graph: creation, scopes, nodes, named inputs and outputs, and the error that it latches.
 *
 * A poisoned node stands outside graph->nodes (id -1): whatever is built on it is poisoned too, so no rule
 * ever sees one. */
#include "graph/graph_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- shapes ---- */

int64_t gs_shape_count(gs_shape s)
{
    int64_t n = 1;

    for (int i = 0; i < s.rank; i++) n *= s.dim[i];
    return n;
}

bool gs_shape_equal(gs_shape a, gs_shape b)
{
    if (a.rank != b.rank) return false;
    for (int i = 0; i < a.rank; i++)
        if (a.dim[i] != b.dim[i]) return false;
    return true;
}

const char *gs_shape_text(gs_shape s, char buf[96])
{
    size_t n = 0;

    if (s.rank == 0) return strcpy(buf, "scalar");
    buf[0] = '\0';
    for (int i = 0; i < s.rank && i < GS_MAX_DIMS && n < 96; i++)
        n += (size_t)snprintf(buf + n, 96 - n, "%s%lld", i ? "," : "", (long long)s.dim[i]);
    return buf;
}

void gs__strides(gs_shape s, int64_t st[GS_MAX_DIMS])
{
    int64_t n = 1;

    for (int i = GS_MAX_DIMS; i-- > 0;) {
        if (i >= s.rank) {
            st[i] = 0;
        } else {
            st[i] = n;
            n *= s.dim[i];
        }
    }
}

/* Kernels index by int, so a tensor has at most 2^31-1 elements. */
static gs_status check_shape(gs_shape *s)
{
    char text[96];
    int64_t n = 1;

    if (s->rank < 0 || s->rank > GS_MAX_DIMS) return gs_fail(GS_ESHAPE, "rank %d is not in 0..%d", s->rank, GS_MAX_DIMS);
    for (int i = 0; i < s->rank; i++) {
        if (s->dim[i] < 1) return gs_fail(GS_ESHAPE, "shape %s has a dim below 1", gs_shape_text(*s, text));
        if (s->dim[i] > INT32_MAX / n)
            return gs_fail(GS_ELIMIT, "shape %s has more than 2^31-1 elements", gs_shape_text(*s, text));
        n *= s->dim[i];
    }
    for (int i = s->rank; i < GS_MAX_DIMS; i++) s->dim[i] = 0;
    return GS_OK;
}

/* ---- the graph and its error ---- */

gs_graph *gs_graph_new(void)
{
    gs_graph *g = gs_xalloc(sizeof *g);

    g->arena = gs_arena_new();
    return g;
}

void gs_graph_free(gs_graph *g)
{
    if (!g) return;
    gs_arena_free(g->arena);
    free(g->nodes);
    free(g->vars);
    free(g->inputs);
    free(g->outputs);
    free(g->scopes);
    free(g);
}

gs_status gs_graph_status(gs_graph *g)
{
    return g->status == GS_OK ? GS_OK : gs_fail(g->status, "%s", g->message);
}

static const char *scope_of(const gs_graph *g)
{
    return g->n_scopes ? g->scopes[g->n_scopes - 1] : "";
}

gs_node *gs__poison(gs_graph *g, const char *what, gs_status st)
{
    gs_node *n = gs_arena_alloc(g->arena, sizeof *n);
    const char *scope = scope_of(g);

    if (g->status == GS_OK) {
        g->status = st;
        g->message = gs_arena_printf(g->arena, "%s%s%s: %s", scope, *scope ? ": " : "", what, gs_last_error());
    }
    n->op = &gs_op_full;
    n->graph = g;
    n->id = -1;
    n->scope = scope;
    n->poisoned = true;
    return n;
}

void gs_scope_push(gs_graph *g, const char *fmt, ...)
{
    const char *outer = scope_of(g);
    char name[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    GS_PUSH(g->scopes, g->n_scopes, g->cap_scopes, gs_arena_printf(g->arena, "%s%s%s", outer, *outer ? "." : "", name));
}

void gs_scope_pop(gs_graph *g)
{
    if (g->n_scopes)
        g->n_scopes--;
    else
        gs__poison(g, "scope_pop", gs_fail(GS_EINVAL, "no scope is open"));
}

/* ---- nodes ---- */

gs_node *gs__node(gs_graph *g, const gs_op *op, gs_node *const *in, int n_in, const gs_attr *attr)
{
    gs_status st;
    gs_node *n;

    assert(op->n_in < 0 ? n_in >= 1 : n_in == op->n_in);
    for (int i = 0; i < n_in; i++)
        if (in[i]->poisoned) return in[i];
    for (int i = 0; i < n_in; i++)
        if (in[i]->graph != g) return gs__poison(g, op->name, gs_fail(GS_EINVAL, "operands belong to two graphs"));

    n = gs_arena_alloc(g->arena, sizeof *n);
    n->op = op;
    n->graph = g;
    n->n_in = n_in;
    n->in = gs_arena_alloc(g->arena, (size_t)GS_MAX(n_in, 1) * sizeof *n->in);
    for (int i = 0; i < n_in; i++) n->in[i] = in[i];
    if (attr) n->attr = *attr;
    n->scope = scope_of(g);
    st = op->infer(n);
    if (st == GS_OK) st = check_shape(&n->shape);
    if (st != GS_OK) return gs__poison(g, op->name, st);
    if (n->attr.shape.rank >= 0)
        for (int i = n->attr.shape.rank; i < GS_MAX_DIMS; i++) n->attr.shape.dim[i] = 0;
    n->id = g->n_nodes;
    GS_PUSH(g->nodes, g->n_nodes, g->cap_nodes, n);
    return n;
}

gs_node *gs__node1(const gs_op *op, gs_node *x, const gs_attr *attr)
{
    return gs__node(x->graph, op, &x, 1, attr);
}

gs_node *gs__node2(const gs_op *op, gs_node *a, gs_node *b, const gs_attr *attr)
{
    return gs__node(a->graph, op, (gs_node *[]){ a, b }, 2, attr);
}

gs_node *gs__node3(const gs_op *op, gs_node *a, gs_node *b, gs_node *c, const gs_attr *attr)
{
    return gs__node(a->graph, op, (gs_node *[]){ a, b, c }, 3, attr);
}

gs_shape gs_node_shape(const gs_node *n) { return n->shape; }
gs_dtype gs_node_dtype(const gs_node *n) { return n->dtype; }
gs_graph *gs_node_graph(const gs_node *n) { return n->graph; }

int64_t gs_node_dim(const gs_node *n, int axis)
{
    const int a = axis < 0 ? axis + n->shape.rank : axis;
    char text[96];

    if (n->poisoned) return 1;
    if (a >= 0 && a < n->shape.rank) return n->shape.dim[a];
    gs__poison(n->graph, "node_dim", gs_fail(GS_ESHAPE, "no axis %d in shape %s", axis, gs_shape_text(n->shape, text)));
    return 1;
}

gs_node *gs__fit_axis(gs_node *x, const char *what, int *axis)
{
    const int a = *axis < 0 ? *axis + x->shape.rank : *axis;
    char text[96];

    if (x->poisoned) return x;
    if (a < 0 || a >= x->shape.rank)
        return gs__poison(x->graph, what,
                          gs_fail(GS_ESHAPE, "no axis %d in shape %s", *axis, gs_shape_text(x->shape, text)));
    *axis = a;
    return NULL;
}

/* ---- inputs and outputs ---- */

static bool taken(const gs_named *list, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(list[i].name, name) == 0) return true;
    return false;
}

gs_node *gs_input(gs_graph *g, const char *name, gs_shape shape, gs_dtype dtype)
{
    gs_attr attr = { .shape = shape, .i = { dtype } };
    gs_node *n;

    if (taken(g->inputs, g->n_inputs, name))
        return gs__poison(g, "input", gs_fail(GS_EINVAL, "the name %s is taken", name));
    attr.name = gs_arena_printf(g->arena, "%s", name);
    n = gs__node(g, &gs_op_input, NULL, 0, &attr);
    if (!n->poisoned) GS_PUSH(g->inputs, g->n_inputs, g->cap_inputs, ((gs_named){ attr.name, n }));
    return n;
}

void gs_output(gs_graph *g, const char *name, gs_node *n)
{
    if (n->poisoned) return;
    if (n->graph != g)
        gs__poison(g, "output", gs_fail(GS_EINVAL, "%s belongs to another graph", name));
    else if (taken(g->outputs, g->n_outputs, name))
        gs__poison(g, "output", gs_fail(GS_EINVAL, "the name %s is taken", name));
    else
        GS_PUSH(g->outputs, g->n_outputs, g->cap_outputs, ((gs_named){ gs_arena_printf(g->arena, "%s", name), n }));
}

/* ---- common shape rules ---- */

static gs_status alike(const gs_node *n, int first)
{
    char a[96], b[96];

    for (int i = first + 1; i < n->n_in; i++) {
        if (n->in[i]->dtype != n->in[first]->dtype)
            return gs_fail(GS_EINVAL, "operands are fp32 and int32; cast one of them");
        if (!gs_shape_equal(n->in[i]->shape, n->in[first]->shape))
            return gs_fail(GS_ESHAPE, "operands are %s and %s", gs_shape_text(n->in[first]->shape, a),
                           gs_shape_text(n->in[i]->shape, b));
    }
    return GS_OK;
}

gs_status gs__want_float(const gs_node *x, const char *what)
{
    return x->dtype == GS_F32 ? GS_OK : gs_fail(GS_EINVAL, "%s is int32 where fp32 is needed; cast it", what);
}

gs_status gs__want_int(const gs_node *x, const char *what)
{
    return x->dtype == GS_I32 ? GS_OK : gs_fail(GS_EINVAL, "%s is fp32 where int32 is needed; cast it", what);
}

gs_status gs__want_image(const gs_node *x, const char *what)
{
    char text[96];

    if (x->shape.rank == 4) return GS_OK;
    return gs_fail(GS_ESHAPE, "%s is %s where 4 dims (N,C,H,W) are needed", what, gs_shape_text(x->shape, text));
}

gs_status gs__infer_same(gs_node *n)
{
    n->shape = n->in[0]->shape;
    n->dtype = n->in[0]->dtype;
    return alike(n, 0);
}

gs_status gs__infer_float(gs_node *n)
{
    gs_status st = gs__infer_same(n);

    return st == GS_OK ? gs__want_float(n->in[0], "the operand") : st;
}

gs_status gs__infer_compare(gs_node *n)
{
    gs_status st = gs__infer_same(n);

    n->dtype = GS_F32;
    return st;
}

gs_status gs__infer_select(gs_node *n)
{
    char a[96], b[96];

    n->shape = n->in[1]->shape;
    n->dtype = n->in[1]->dtype;
    if (gs__want_float(n->in[0], "the condition") != GS_OK) return GS_EINVAL;
    if (!gs_shape_equal(n->in[0]->shape, n->shape))
        return gs_fail(GS_ESHAPE, "condition is %s, values are %s", gs_shape_text(n->in[0]->shape, a),
                       gs_shape_text(n->shape, b));
    return alike(n, 1);
}
