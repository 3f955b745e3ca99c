/* Local identities: the simpler node that a node equals, from its operands alone.
 *
 * They are exact in fp32 but for rounding: constants are folded in double, factors that follow each other are one, and a division by a constant is a product.
 * An addition of 0 is left out, so that -0 stays. None reorders sums; one leaves out a sum that is nothing but rounding (centred). */
#include "plan/plan_int.h"

#include <math.h>

static bool is_full(const gs_node *n, double *value)
{
    if (!GS_IS(n, full)) return false;
    *value = n->attr.f[0];
    return true;
}

static gs_node *make_full(const gs_node *like, double value)
{
    gs_attr a = { .f = { value }, .shape = like->shape };

    return gs__node(like->graph, &gs_op_full, NULL, 0, &a);
}

bool gs__is_factor(double a)
{
    return a == 0.0 || isnormal((float)a);
}

static gs_node *make_affine(gs_node *x, double a, double b)
{
    gs_attr at = { .f = { a, b } };

    if (a == 1.0 && b == 0.0) return x;
    if (GS_IS(x, affine) && gs__is_factor(a * x->attr.f[0])) { /* a (a' x + b') + b */
        at.f[0] = a * x->attr.f[0];
        at.f[1] = a * x->attr.f[1] + b;
        x = x->in[0];
        if (at.f[0] == 1.0 && at.f[1] == 0.0) return x;
    }
    return gs__node1(&gs_op_affine, x, &at);
}

static bool permutation_is_identity(const gs_node *n)
{
    for (int i = 0; i < n->shape.rank; i++)
        if (n->attr.i[i] != i) return false;
    return true;
}

/* A product over one term is an outer product: as arithmetic it can be computed where it is used and need not
 * exist. So the gradient of a layer with one sample, large as its weight, never leaves the optimiser's
 * kernel. NULL: n has more terms. */
static gs_node *outer_product(const gs_node *n, gs_node **in)
{
    const int r = n->shape.rank;
    gs_attr at = { .shape = n->shape }, wide = { .shape = n->shape };
    gs_node *x[2];

    if (in[0]->shape.dim[n->attr.i[0] ? r - 2 : r - 1] != 1) return NULL;
    for (int i = 0; i < 2; i++) {
        at.shape.dim[r - 2] = i == 0 ? n->shape.dim[r - 2] : 1;
        at.shape.dim[r - 1] = i == 1 ? n->shape.dim[r - 1] : 1;
        x[i] = gs_shape_equal(in[i]->shape, at.shape) ? in[i] : gs__node1(&gs_op_reshape, gs__storage(in[i]), &at);
        if (!gs_shape_equal(at.shape, n->shape)) x[i] = gs__node1(&gs_op_broadcast, x[i], &wide);
    }
    return gs__node2(&gs_op_mul, x[0], x[1], NULL);
}

/* Operand x of an outer product, a broadcast over part of the product's axes, in the product's new shape:
 * NULL when an axis of the one shape mixes repeated and other axes of the other. */
static gs_node *reshape_factor(gs_node *x, gs_shape to)
{
    gs_node *small = GS_IS(x, broadcast) ? x->in[0] : x;
    const gs_shape from = x->shape;
    gs_attr at = { .shape = to }, wide = { .shape = to };

    for (int i = 0, j = 0; i < from.rank || j < to.rank;) { /* groups of axes with equal products */
        int64_t a = 1, b = 1;
        const int i0 = i, j0 = j;
        bool repeated = true, whole = true;

        do {
            if (i < from.rank && (a <= b || j == to.rank)) a *= from.dim[i++];
            else b *= to.dim[j++];
        } while (a != b || (i < from.rank && from.dim[i] == 1) || (j < to.rank && to.dim[j] == 1));
        for (int k = i0; k < i; k++) {
            repeated &= small->shape.dim[k] == 1;
            whole &= small->shape.dim[k] == from.dim[k];
        }
        if (!repeated && !whole) return NULL;
        for (int k = j0; k < j && !whole; k++) at.shape.dim[k] = 1;
    }
    if (!gs_shape_equal(small->shape, at.shape)) small = gs__node1(&gs_op_reshape, gs__storage(small), &at);
    return gs_shape_equal(at.shape, to) ? small : gs__node1(&gs_op_broadcast, small, &wide);
}

/* An outer product in another shape is one too, and still need not exist in memory: the gradient of a
 * spectral norm by a convolution's weight. */
static gs_node *reshape_outer(gs_node *x, gs_shape to)
{
    gs_node *a, *b;

    if (!GS_IS(x, mul) || !GS_IS(x->in[0], broadcast) || !GS_IS(x->in[1], broadcast)) return NULL;
    a = reshape_factor(x->in[0], to);
    b = a ? reshape_factor(x->in[1], to) : NULL;
    return b ? gs__node2(&gs_op_mul, a, b, NULL) : NULL;
}

/* Does x, seen through its broadcasts, stay the same along all those axes? */
bool gs__same_along(const gs_node *x, unsigned axes)
{
    if (!GS_IS(x, broadcast)) return GS_IS(x, full);
    for (int d = 0; d < x->shape.rank; d++)
        if ((axes >> d & 1) && x->in[0]->shape.dim[d] > 1) return false;
    return true;
}

/* Is the sum of x over the axes 0 but for rounding: what is left when its mean is taken away, times what is the same along them? The gradient of a
 * variance by the mean in it is such a sum. */
static bool centred(const gs_node *x, unsigned axes)
{
    const gs_node *mean, *sum;
    double n;

    if (GS_IS(x, affine)) return x->attr.f[1] == 0.0 && centred(x->in[0], axes);
    if (GS_IS(x, mul)) return (gs__same_along(x->in[0], axes) && centred(x->in[1], axes)) || (gs__same_along(x->in[1], axes) && centred(x->in[0], axes));
    if (!GS_IS(x, sub) || !GS_IS(x->in[1], broadcast)) return false;
    mean = x->in[1]->in[0];
    sum = GS_IS(mean, affine) ? mean->in[0] : NULL;
    if (!sum || !GS_IS(sum, sum) || sum->in[0] != x->in[0] || (unsigned)sum->attr.i[0] != axes) return false;
    n = (double)(gs_shape_count(x->shape) / gs_shape_count(sum->shape));
    return mean->attr.f[1] == 0.0 && fabs(mean->attr.f[0] * n - 1.0) < 1e-12;
}

gs_node *gs__identity(const gs_node *n, gs_node **in)
{
    double a, b;

    if (GS_IS(n, assign) || GS_IS(n, detach)) return in[0];
    if (GS_IS(n, cast) && in[0]->dtype == n->dtype) return in[0];
    if (GS_IS(n, reshape)) {
        gs_node *x = gs__storage(in[0]), *y;
        gs_attr at = { .shape = n->shape };

        if (is_full(in[0], &a) && n->dtype == GS_F32) return make_full(n, a);
        if (gs_shape_equal(x->shape, n->shape)) return x;
        if ((y = reshape_outer(x, n->shape))) return y;
        if (x != in[0]) return gs__node1(&gs_op_reshape, x, &at);
        return NULL;
    }
    if (GS_IS(n, broadcast)) {
        gs_attr at = { .shape = n->shape };

        if (is_full(in[0], &a)) return make_full(n, a);
        if (gs_shape_equal(in[0]->shape, n->shape)) return in[0];
        if (GS_IS(in[0], broadcast)) return gs__node1(&gs_op_broadcast, in[0]->in[0], &at);
        return NULL;
    }
    if (GS_IS(n, permute)) {
        if (is_full(in[0], &a)) return make_full(n, a);
        if (permutation_is_identity(n)) return in[0];
        if (GS_IS(in[0], permute)) {
            gs_attr at = { 0 };
            gs_node *q;

            for (int i = 0; i < n->shape.rank; i++) at.i[i] = in[0]->attr.i[n->attr.i[i]];
            q = gs__node1(&gs_op_permute, in[0]->in[0], &at);
            return permutation_is_identity(q) ? in[0]->in[0] : q;
        }
        return NULL;
    }
    if (GS_IS(n, slice) && gs_shape_equal(in[0]->shape, n->shape)) return in[0];
    if (GS_IS(n, slice) && is_full(in[0], &a)) return make_full(n, a);
    if (GS_IS(n, sum)) {
        if (gs_shape_equal(in[0]->shape, n->shape)) return in[0];
        if (is_full(in[0], &a))
            return make_full(n, a * (double)(gs_shape_count(in[0]->shape) / gs_shape_count(n->shape)));
        if (centred(in[0], (unsigned)n->attr.i[0])) return make_full(n, 0.0);
        return NULL;
    }
    if (GS_IS(n, concat) && n->n_in == 1) return in[0];
    if (n->dtype != GS_F32) return NULL;

    if (GS_IS(n, matmul)) return outer_product(n, in);
    if (GS_IS(n, neg)) return make_affine(in[0], -1.0, 0.0);
    if (GS_IS(n, affine)) {
        if (is_full(in[0], &a)) return make_full(n, n->attr.f[0] * a + n->attr.f[1]);
        if (GS_IS(in[0], affine) || (n->attr.f[0] == 1.0 && n->attr.f[1] == 0.0))
            return make_affine(in[0], n->attr.f[0], n->attr.f[1]);
        return NULL;
    }
    if (GS_IS(n, add)) {
        if (is_full(in[0], &a) && is_full(in[1], &b)) return make_full(n, a + b);
        if (is_full(in[0], &a)) return make_affine(in[1], 1.0, a);
        if (is_full(in[1], &b)) return make_affine(in[0], 1.0, b);
    }
    if (GS_IS(n, sub)) {
        if (is_full(in[0], &a) && is_full(in[1], &b)) return make_full(n, a - b);
        if (is_full(in[0], &a)) return make_affine(in[1], -1.0, a);
        if (is_full(in[1], &b)) return make_affine(in[0], 1.0, -b);
    }
    if (GS_IS(n, mul)) {
        if (is_full(in[0], &a) && is_full(in[1], &b)) return make_full(n, a * b);
        if (is_full(in[0], &a) && a != 0.0) return make_affine(in[1], a, 0.0);
        if (is_full(in[1], &b) && b != 0.0) return make_affine(in[0], b, 0.0);
    }
    if (GS_IS(n, div)) {
        if (is_full(in[0], &a) && is_full(in[1], &b) && b != 0.0) return make_full(n, a / b);
        if (is_full(in[1], &b) && b != 0.0 && gs__is_factor(1.0 / b)) return make_affine(in[0], 1.0 / b, 0.0);
    }
    if (GS_IS(n, square) && is_full(in[0], &a)) return make_full(n, a * a);
    return NULL;
}
