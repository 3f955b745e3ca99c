/* Spectral normalisation (Miyato et al. 2018, Algorithm 1), in the order and with the names of PyTorch's hook. */
#include "nn/nn_int.h"

/* x / max(|x|, eps) over the whole tensor. */
static gs_node *unit(gs_node *x, double eps)
{
    return gs_div(x, gs_max2(gs_sqrt(gs_sum(gs_square(x), GS_ALL, true)), gs_const(gs_node_graph(x), eps)));
}

gs_node *gs_spectral_norm(gs_graph *g, gs_shape shape, gs_init init, int axis, int iterations, double eps,
                          const gs_mode *mode, gs_node **sigma)
{
    gs_node *w = gs_param(g, "weight_orig", shape, init), *mat, *u, *v, *s;
    int order[GS_MAX_DIMS];
    gs_var *var_u, *var_v;
    int64_t rows, cols;

    if (sigma) *sigma = w;
    if (w->poisoned) return w;
    if (shape.rank < 2 || axis < 0 || axis >= shape.rank || iterations < 1) {
        return NN_FAIL(w, "spectral_norm", GS_EINVAL, "axis %d of a weight of rank %d, %d iterations", axis,
                       shape.rank, iterations);
    }
    rows = shape.dim[axis];
    cols = gs_shape_count(shape) / rows;
    var_u = gs_variable(g, "weight_u", GS_SHAPE(rows), GS_F32, (gs_init){ GS_INIT_UNIT_NORMAL, 0, 0 }, false);
    var_v = gs_variable(g, "weight_v", GS_SHAPE(cols), GS_F32, (gs_init){ GS_INIT_UNIT_NORMAL, 0, 0 }, false);

    order[0] = axis;
    for (int i = 0, k = 1; i < shape.rank; i++) {
        if (i != axis) order[k++] = i;
    }
    mat = gs_reshape(axis == 0 ? w : gs_permute(w, order), GS_SHAPE(rows, cols));
    u = gs_reshape(gs_read(var_u), GS_SHAPE(rows, 1));
    v = gs_reshape(gs_read(var_v), GS_SHAPE(cols, 1));
    if (mode && mode->train) {
        gs_node *fixed = gs_detach(mat);

        for (int i = 0; i < iterations; i++) {
            v = unit(gs_matmul(fixed, u, true, false), eps);
            u = unit(gs_matmul(fixed, v, false, false), eps);
        }
        u = gs_detach(u);
        v = gs_detach(v);
        if (!mode->hold) {
            gs_assign(var_u, gs_reshape(u, GS_SHAPE(rows)));
            gs_assign(var_v, gs_reshape(v, GS_SHAPE(cols)));
        }
    }
    s = gs_reshape(gs_sum(gs_mul(u, gs_matmul(mat, v, false, false)), GS_ALL, false), GS_SCALAR);
    if (sigma) *sigma = s;
    return gs_div(w, s);
}
