/* Counter-based random tensors. Each node takes the graph's next stream number, so its values do not depend
 * on what else the graph holds; the elements are those of gs_random_element (src/graph/random.c). */
#include "graph/graph_int.h"

static const char source[] = "has no operands";

static gs_status infer(gs_node *n)
{
    n->shape = n->attr.shape;
    n->dtype = GS_F32;
    return GS_OK;
}

static void ref(gs_ref_ctx *c)
{
    const int64_t count = gs_shape_count(c->n->shape);
    const gs_op_id op = gs_op_id_of(c->n->op);

    for (int64_t i = 0; i < count; i++)
        c->out[i] = gs_random_element(op, c->seed, c->step, (uint32_t)c->attr->i[0], (uint64_t)i, c->attr->f[0]);
}

const gs_op gs_op_random_uniform = {
    .name = "random_uniform", .n_in = 0, .flags = GS_F_SOURCE | GS_F_RANDOM | GS_F_NO_GRAD, .no_grad = source,
    .formula = "y ~ U[0,1), 24 bits, Philox 4x32-10", .attrs = "i[0] stream, shape",
    .infer = infer, .ref = ref,
};

const gs_op gs_op_random_normal = {
    .name = "random_normal", .n_in = 0, .flags = GS_F_SOURCE | GS_F_RANDOM | GS_F_NO_GRAD, .no_grad = source,
    .formula = "y ~ N(0,1), Box-Muller", .attrs = "i[0] stream, shape",
    .infer = infer, .ref = ref,
};

const gs_op gs_op_random_bernoulli = {
    .name = "random_bernoulli", .n_in = 0, .flags = GS_F_SOURCE | GS_F_RANDOM | GS_F_NO_GRAD, .no_grad = source,
    .formula = "y = 1 with probability p, else 0", .attrs = "i[0] stream, f[0] p, shape",
    .infer = infer, .ref = ref,
};

static gs_node *random_node(gs_graph *g, const gs_op *op, gs_shape shape, double p)
{
    const gs_attr attr = { .f = { p }, .i = { g->n_random++ }, .shape = shape };

    return gs__node(g, op, NULL, 0, &attr);
}

gs_node *gs_random_uniform(gs_graph *g, gs_shape shape)
{
    return random_node(g, &gs_op_random_uniform, shape, 0);
}

gs_node *gs_random_normal(gs_graph *g, gs_shape shape)
{
    return random_node(g, &gs_op_random_normal, shape, 0);
}

gs_node *gs_random_bernoulli(gs_graph *g, gs_shape shape, double p)
{
    if (!(p >= 0 && p <= 1))
        return gs__poison(g, "random_bernoulli", gs_fail(GS_EINVAL, "p is %g, not in 0..1", p));
    return random_node(g, &gs_op_random_bernoulli, shape, (float)p); /* the device compares in fp32 */
}

/* floor(n u) stays below n in fp32 too: u <= 1 - 2^-24, and n 2^-24 is at least half the spacing of floats below n. */
gs_node *gs_random_int(gs_graph *g, gs_shape shape, int n)
{
    if (n < 1 || n > 1 << 24) return gs__poison(g, "random_int", gs_fail(GS_EINVAL, "n is %d, not in 1..2^24", n));
    return gs_cast(gs_scale(gs_random_uniform(g, shape), n), GS_I32);
}
