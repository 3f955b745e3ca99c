/* Shared by the files of src/graph only: checks of shape rules, and the loops of reference functions. */
#ifndef GS_GRAPH_INT_H
#define GS_GRAPH_INT_H

#include "graph/graph.h"

/* ---- checks for shape rules (graph.c): GS_OK, or the failure recorded with the operand's name ---- */

gs_status gs__want_float(const gs_node *x, const char *what);
gs_status gs__want_int(const gs_node *x, const char *what);
gs_status gs__want_image(const gs_node *x, const char *what); /* rank 4 */
/* A condition (fp32) and two values alike, all of one shape. */
gs_status gs__infer_select(gs_node *n);

/* How many windows of o an image has along its rows and columns, by PyTorch's rules (ops/window.c).
 * GS_ESHAPE, GS_EINVAL. */
gs_status gs__pool_sizes(const gs_node *x, const gs_pool_opts *o, int64_t *oh, int64_t *ow);

/* Brings *axis into 0..rank-1 (negative ones count from the end). NULL when it fits, else the poisoned node
 * to return. */
gs_node *gs__fit_axis(gs_node *x, const char *what, int *axis);

/* ---- reference loops ---- */

/* out[i] = value, an expression of x (and y, z), the elements i of the operands. */
#define GS_EACH1(c, value)                                                   \
    do {                                                                     \
        const int64_t count_ = gs_shape_count((c)->n->shape);                \
        for (int64_t i_ = 0; i_ < count_; i_++) {                            \
            const double x = (c)->in[0][i_];                                 \
            (c)->out[i_] = (value);                                          \
        }                                                                    \
    } while (0)
#define GS_EACH2(c, value)                                                   \
    do {                                                                     \
        const int64_t count_ = gs_shape_count((c)->n->shape);                \
        for (int64_t i_ = 0; i_ < count_; i_++) {                            \
            const double x = (c)->in[0][i_], y = (c)->in[1][i_];             \
            (c)->out[i_] = (value);                                          \
        }                                                                    \
    } while (0)
#define GS_EACH3(c, value)                                                   \
    do {                                                                     \
        const int64_t count_ = gs_shape_count((c)->n->shape);                \
        for (int64_t i_ = 0; i_ < count_; i_++) {                            \
            const double x = (c)->in[0][i_], y = (c)->in[1][i_], z = (c)->in[2][i_]; \
            (c)->out[i_] = (value);                                          \
        }                                                                    \
    } while (0)

/* Coordinates of element i of a tensor of shape s. */
static inline void gs__coords(gs_shape s, int64_t i, int64_t at[GS_MAX_DIMS])
{
    for (int a = s.rank; a-- > 0;) {
        at[a] = i % s.dim[a];
        i /= s.dim[a];
    }
}

/* Position of the element at these coordinates of a tensor of shape s. */
static inline int64_t gs__at(gs_shape s, const int64_t at[GS_MAX_DIMS])
{
    int64_t i = 0;

    for (int a = 0; a < s.rank; a++) i = i * s.dim[a] + at[a];
    return i;
}

/* A tensor seen along one axis: outer x n x inner. */
typedef struct gs__lines {
    int64_t outer, n, inner;
} gs__lines;
static inline gs__lines gs__along(gs_shape s, int axis)
{
    gs__lines l = { 1, s.dim[axis], 1 };

    for (int a = 0; a < axis; a++) l.outer *= s.dim[a];
    for (int a = axis + 1; a < s.rank; a++) l.inner *= s.dim[a];
    return l;
}

#endif
