/* Factors that are the same for all terms of a sum, in front of it: sum(a (b c)) = b sum(a c), where b is the same along the axes. The gradients of a
 * norm are sums of dy and of dy (x - mean), each several times with other factors (1 / deviation, weight, signs): so two are left, which one pass over
 * dy and x takes with less arithmetic. What is taken out is rounded once a sum instead of once a term.
 *
 * Operands of a product stay as they are where they are stored for others anyhow: softmax is exp(x - largest) times a factor a row, and its gradient
 * reads the result. */
#include "plan/plan_int.h"

#define MAX_LIGHT 16 /* operations of what may be computed again */

/* Few light operations on what is in memory. */
static bool is_light(const gs_node *n, int *ops)
{
    if (gs__kind(n) != GS_NK_EXPR) return true;
    if (n->n_in && (!gs__light(n) || ++*ops > MAX_LIGHT)) return false;
    for (int i = 0; i < n->n_in; i++)
        if (!is_light(n->in[i], ops)) return false;
    return true;
}

typedef struct apart {
    gs_plan *p;
    gs_shape shape; /* of the sum */
    unsigned axes;
    gs_node *factor; /* over the sum's shape; NULL: none yet */
    double scale;
} apart;

/* What a factor of the terms is to the sum: x is a broadcast that repeats along the axes. */
static void take(apart *a, gs_node *x)
{
    gs_attr at = { .shape = a->shape };
    gs_node *small = gs_shape_equal(x->in[0]->shape, a->shape) ? x->in[0] : gs__node1(&gs_op_broadcast, x->in[0], &at);

    a->factor = a->factor ? gs__node2(&gs_op_mul, a->factor, small, NULL) : small;
}

/* x without its factors. x itself is read by the sum alone, and so are products in it that nobody else reads; others come apart where what is left of them
 * is read by others too and can be computed again. */
static gs_node *split(apart *a, gs_node *x, bool alone)
{
    gs_node *l, *r;
    int ops = 0;

    if (GS_IS(x, affine) && alone && x->attr.f[1] == 0.0 && gs__is_factor(a->scale * x->attr.f[0])) {
        a->scale *= x->attr.f[0];
        return split(a, x->in[0], gs__info(a->p, x->in[0])->uses == 1);
    }
    if (!GS_IS(x, mul) || x->in[0] == x->in[1]) return x;
    for (int i = 0; i < 2; i++) {
        gs_node *rest = x->in[1 - i];

        if (!GS_IS(x->in[i], broadcast) || !gs__same_along(x->in[i], a->axes)) continue;
        if (!alone && (gs__info(a->p, rest)->uses < 2 || !is_light(rest, &ops))) return x;
        take(a, x->in[i]);
        return split(a, rest, alone && gs__info(a->p, rest)->uses == 1);
    }
    if (!alone) return x;
    l = split(a, x->in[0], gs__info(a->p, x->in[0])->uses == 1);
    r = split(a, x->in[1], gs__info(a->p, x->in[1])->uses == 1);
    return l == x->in[0] && r == x->in[1] ? x : gs__node2(&gs_op_mul, l, r, NULL);
}

gs_node *gs__sum_factored(gs_plan *p, gs_node *n)
{
    apart a = { .p = p, .scale = 1.0 };
    gs_node *rest;

    if (!GS_IS(n, sum) || n->dtype != GS_F32 || gs__info(p, n->in[0])->uses > 1) return NULL;
    a.shape = n->shape;
    a.axes = (unsigned)n->attr.i[0];
    rest = split(&a, n->in[0], true);
    if (rest == n->in[0] || !(a.factor || a.scale != 1.0)) return NULL;
    rest = gs__node1(&gs_op_sum, rest, &n->attr);
    if (a.factor) rest = gs__node2(&gs_op_mul, rest, a.factor, NULL);
    if (a.scale != 1.0) {
        const gs_attr at = { .f = { a.scale } };

        rest = gs__node1(&gs_op_affine, rest, &at);
    }
    return rest;
}
