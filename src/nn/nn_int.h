/* Helpers of the layers, not for other folders. */
#ifndef GS_NN_INT_H
#define GS_NN_INT_H

#include "gesso/nn.h"
#include "graph/graph.h"

/* Latches an error in the graph of node n and returns a poisoned node: NN_FAIL(x, "linear", GS_ESHAPE, "...", ...). */
#define NN_FAIL(n, what, code, ...) gs__poison(gs_node_graph(n), what, gs_fail(code, __VA_ARGS__))

/* A poisoned operand's shape means nothing: pass it on before looking. NULL operands are absent. */
static inline gs_node *nn_poisoned(gs_node *a, gs_node *b, gs_node *c)
{
    return a && a->poisoned ? a : b && b->poisoned ? b : c && c->poisoned ? c : NULL;
}

static inline bool nn_is_vector(const gs_node *n, int64_t len)
{
    return n->shape.rank == 1 && n->shape.dim[0] == len;
}

/* Layers open their scope with these: no scope for NULL or "". */
static inline void nn_enter(gs_graph *g, const char *name)
{
    if (name && *name) gs_scope_push(g, "%s", name);
}
static inline void nn_leave(gs_graph *g, const char *name)
{
    if (name && *name) gs_scope_pop(g);
}

static inline gs_init nn_init_or(const gs_init *given, gs_init standard)
{
    return given ? *given : standard;
}

/* v (C) as (1,C,1,...) of x's rank, to broadcast along x's channels. */
gs_node *gs__channels(gs_node *x, gs_node *v);
/* The axis counted from the front, or -1 (error latched) when x has no such axis. */
int gs__axis(gs_node *x, int axis, const char *what);
/* (x - mean) / sqrt(var + eps) with mean and var of a shape that broadcasts to x's. */
gs_node *gs__standardize(gs_node *x, gs_node *mean, gs_node *var, double eps);

#endif
