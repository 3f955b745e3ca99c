/* matmul (..., M,K) x (..., K,N): one product for each index of the leading axes, as a strided batch. */
#include "plan/lower_int.h"
#include "plan/plan_int.h"

gs_problem gs__matmul_problem(const gs_node *n)
{
    const gs_shape a = n->in[0]->shape, b = n->in[1]->shape;
    const int r = n->shape.rank;
    const bool ta = n->attr.i[0] != 0, tb = n->attr.i[1] != 0;
    gs_gemm g = {
        .m = n->shape.dim[r - 2], .n = n->shape.dim[r - 1], .k = a.dim[ta ? r - 2 : r - 1],
        .batch = gs__dims(n->shape, 0, r - 2), .ta = ta, .tb = tb,
        .lda = a.dim[r - 1], .ldb = b.dim[r - 1], .ldc = n->shape.dim[r - 1],
        .alpha = 1.0f, .beta = 0.0f,
    };

    g.stride_a = g.m * g.k;
    g.stride_b = g.k * g.n;
    g.stride_c = g.m * g.n;
    return (gs_problem){ .family = GS_FAMILY_GEMM, .gemm = g };
}

gs_status gs_lower_matmul(gs_plan *p, const gs_node *n)
{
    gs_problem q = gs__matmul_problem(n);

    q.end = p->end;
    return gs__plan_problem(p, &q, gs_plan_value(p, n), gs_plan_value(p, n->in[0]), gs_plan_value(p, n->in[1]));
}
