/* Batched matrix product C = A B, A (...,M,K), B (...,K,N), C (...,M,N); ta, tb: the operand is stored transposed.
 * With G the gradient by C: dA = G B^T, dB = A^T G, each written so that no operand is transposed in memory. */
#include "graph/graph_int.h"

static gs_status infer(gs_node *n)
{
    const gs_shape a = n->in[0]->shape, b = n->in[1]->shape;
    const int ta = n->attr.i[0], tb = n->attr.i[1], r = a.rank;
    gs_status st = GS_OK;
    char x[96], y[96];
    bool fits = r >= 2 && b.rank == r;

    TRY(gs__want_float(n->in[0], "a"));
    TRY(gs__want_float(n->in[1], "b"));
    for (int i = 0; i < r - 2 && fits; i++) fits = a.dim[i] == b.dim[i];
    if (!fits)
        return gs_fail(GS_ESHAPE, "a is %s, b is %s; wants equal rank of 2 or more and equal leading dims",
                       gs_shape_text(a, x), gs_shape_text(b, y));
    if (a.dim[ta ? r - 2 : r - 1] != b.dim[tb ? r - 1 : r - 2])
        return gs_fail(GS_ESHAPE, "a %s%s has K = %lld, b %s%s has K = %lld", gs_shape_text(a, x), ta ? " transposed" : "",
                       (long long)a.dim[ta ? r - 2 : r - 1], gs_shape_text(b, y), tb ? " transposed" : "",
                       (long long)b.dim[tb ? r - 1 : r - 2]);
    n->shape = a;
    n->shape.dim[r - 2] = a.dim[ta ? r - 1 : r - 2];
    n->shape.dim[r - 1] = b.dim[tb ? r - 2 : r - 1];
    n->dtype = GS_F32;
done:
    return st;
}

static void grad(gs_grad_ctx *c)
{
    const bool ta = c->attr->i[0], tb = c->attr->i[1];
    gs_node *a = c->in[0], *b = c->in[1], *g = c->g;

    if (c->need[0]) c->din[0] = ta ? gs_matmul(b, g, tb, true) : gs_matmul(g, b, false, !tb);
    if (c->need[1]) c->din[1] = tb ? gs_matmul(g, a, true, ta) : gs_matmul(a, g, !ta, false);
}

static void ref(gs_ref_ctx *c)
{
    const gs_shape s = c->n->shape, sa = c->n->in[0]->shape;
    const bool ta = c->attr->i[0], tb = c->attr->i[1];
    const int64_t M = s.dim[s.rank - 2], N = s.dim[s.rank - 1], K = sa.dim[ta ? s.rank - 2 : s.rank - 1];
    const int64_t batch = gs_shape_count(s) / (M * N);

    for (int64_t p = 0; p < batch; p++)
        for (int64_t m = 0; m < M; m++)
            for (int64_t n = 0; n < N; n++) {
                const double *a = c->in[0] + p * M * K, *b = c->in[1] + p * K * N;
                double sum = 0;

                for (int64_t k = 0; k < K; k++) sum += a[ta ? k * M + m : m * K + k] * b[tb ? n * K + k : k * N + n];
                c->out[(p * M + m) * N + n] = sum;
            }
}

const gs_op gs_op_matmul = {
    .name = "matmul", .n_in = 2,
    .formula = "C = A B over the last two axes", .attrs = "i[0] A stored transposed, i[1] B stored transposed",
    .infer = infer, .grad = grad, .ref = ref,
};

gs_node *gs_matmul(gs_node *a, gs_node *b, bool ta, bool tb)
{
    const gs_attr attr = { .i = { ta, tb } };

    return gs__node2(&gs_op_matmul, a, b, &attr);
}
