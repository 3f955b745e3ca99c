/* Named persistent tensors: creation, reading, assignment, listing. */
#include "graph/graph_int.h"

#include <string.h>

static gs_var *find(gs_graph *g, const char *name)
{
    for (int i = 0; i < g->n_vars; i++)
        if (strcmp(g->vars[i]->name, name) == 0) return g->vars[i];
    return NULL;
}

gs_var *gs_variable(gs_graph *g, const char *name, gs_shape shape, gs_dtype dtype, gs_init init, bool trainable)
{
    const char *scope = g->n_scopes ? g->scopes[g->n_scopes - 1] : "";
    const char *full = gs_arena_printf(g->arena, "%s%s%s", scope, *scope ? "." : "", name);
    gs_var *v = find(g, full);
    char a[96], b[96];
    gs_attr attr = { 0 };

    if (v) {
        if (!gs_shape_equal(v->shape, shape) || v->dtype != dtype)
            gs__poison(g, name, gs_fail(GS_ESHAPE, "the variable %s is %s, asked for as %s", full, gs_shape_text(v->shape, a),
                                        gs_shape_text(shape, b)));
        return v;
    }
    v = gs_arena_alloc(g->arena, sizeof *v);
    *v = (gs_var){ .name = full, .shape = shape, .dtype = dtype, .init = init, .trainable = trainable, .index = -1 };
    attr.var = v;
    if (dtype == GS_I32 && (init.kind != GS_INIT_CONST || trainable))
        v->initial = gs__poison(g, name, gs_fail(GS_EINVAL, "an int32 variable starts constant and is not trained"));
    else
        v->initial = gs__node(g, &gs_op_variable, NULL, 0, &attr);
    v->current = v->initial;
    if (!v->initial->poisoned) {
        v->shape = v->initial->shape;
        v->index = g->n_vars;
        GS_PUSH(g->vars, g->n_vars, g->cap_vars, v);
    } else {
        v->shape = GS_SCALAR; /* outside the list: only poison comes of it */
    }
    return v;
}

gs_node *gs_param(gs_graph *g, const char *name, gs_shape shape, gs_init init)
{
    return gs_read(gs_variable(g, name, shape, GS_F32, init, true));
}

gs_node *gs_read(gs_var *v)
{
    return v->current;
}

void gs_assign(gs_var *v, gs_node *value)
{
    gs_attr attr = { .var = v };
    gs_node *n;

    if (value->poisoned || value == v->current) return;
    n = gs__node1(&gs_op_assign, value, &attr);
    if (n->poisoned) return;
    v->current = value;
    v->assigned = n;
}

const char *gs_var_name(const gs_var *v) { return v->name; }
gs_shape gs_var_shape(const gs_var *v) { return v->shape; }

static int list_vars(gs_graph *g, const char *prefix, bool trainable_only, gs_var **list, int max)
{
    const size_t len = prefix ? strlen(prefix) : 0;
    int n = 0;

    for (int i = 0; i < g->n_vars; i++) {
        gs_var *v = g->vars[i];

        if ((trainable_only && !v->trainable) || (len && strncmp(v->name, prefix, len) != 0)) continue;
        if (list && n < max) list[n] = v;
        n++;
    }
    return n;
}

int gs_trainable(gs_graph *g, const char *prefix, gs_var **list, int max)
{
    return list_vars(g, prefix, true, list, max);
}

int gs_variables(gs_graph *g, const char *prefix, gs_var **list, int max)
{
    return list_vars(g, prefix, false, list, max);
}
