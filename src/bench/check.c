/* A case's result against the double-precision reference, at the case's own size.
 *
 * Products and convolutions are checked by projection (Freivalds 1977): with random signs v, sum over o of
 * v_o y[o] must be the same op with the weights' rows summed by v first, which the reference computes at a
 * fraction of the cost. Every element of the result takes part, and one wrong one shows. Other ops work
 * independently along an axis: the reference computes slices of it, the ends first, until its time is up. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench_int.h"

/* A wrong element shows as 1e-2 or more in a projection; fp32 sums of thousands of terms, and Winograd's
 * transforms, stay below this. */
#define LIMIT_PROJECTION 5e-4
#define LIMIT_SLICES 1e-4
#define SLICE_ELEMENTS 100000 /* of x, about */

static double sign_of(int64_t i)
{
    return gs__test_value("signs", i) < 0 ? -1 : 1;
}

/* How a tensor of the whole case becomes one of the cut graph: along the axis where the sizes differ, the
 * part [start, start + length) of it, or the sum with random signs. */
typedef struct cutter {
    bool project;
    int64_t start;
} cutter;

static int cut_axis(gs_shape whole, gs_shape part)
{
    for (int a = 0; a < whole.rank; a++)
        if (whole.dim[a] != part.dim[a]) return a;
    return -1;
}

/* whole: element i is get(user, i). */
typedef double get_fn(const void *user, int64_t i);

static void cut_tensor(const cutter *k, gs_shape whole, gs_shape part, get_fn *get, const void *user, double *out)
{
    const int axis = cut_axis(whole, part);
    const int64_t count = gs_shape_count(part);
    int64_t inner = 1;

    if (axis < 0) {
        for (int64_t i = 0; i < count; i++) out[i] = get(user, i);
        return;
    }
    for (int a = axis + 1; a < whole.rank; a++) inner *= whole.dim[a];
    for (int64_t i = 0; i < count; i++) {
        const int64_t rest = i % inner, at = i / inner % part.dim[axis], outer = i / inner / part.dim[axis];
        const int64_t base = outer * whole.dim[axis] * inner + rest;

        out[i] = 0;
        if (k->project) {
            for (int64_t j = 0; j < whole.dim[axis]; j++) out[i] += sign_of(j) * get(user, base + j * inner);
        } else {
            out[i] = get(user, base + (k->start + at) * inner);
        }
    }
}

static double get_float(const void *user, int64_t i) { return ((const float *)user)[i]; }

static gs_node *named(const gs_named *list, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(list[i].name, name) == 0) return list[i].node;
    return NULL;
}

/* Reference of the cut graph against the cut results; raises *error, adds to the count of elements seen. */
static gs_status compare(const gs__case *c, const gs__cut *cut, const cutter *k, gs_graph *whole, float *const *inputs, float *const *v, double *error,
                         double *seen)
{
    gs_graph *g = gs_graph_new();
    gs_node *want[4];
    gs_ref_feed feeds[8];
    double *fed[8] = { 0 };
    gs_ref_result ref = { 0 };
    gs_status st;

    gs__case_build(c, cut, g);
    TRY(gs_graph_status(g));
    for (int i = 0; i < g->n_inputs; i++) {
        gs_node *part = g->inputs[i].node;

        fed[i] = gs_try_alloc((size_t)gs_shape_count(part->shape), sizeof(double), "the check's operands");
        if (!fed[i]) TRY(GS_ENOMEM);
        cut_tensor(k, named(whole->inputs, whole->n_inputs, g->inputs[i].name)->shape, part->shape, get_float, inputs[i], fed[i]);
        feeds[i] = (gs_ref_feed){ part, fed[i] };
    }
    for (int i = 0; i < g->n_outputs; i++) want[i] = g->outputs[i].node;
    TRY(gs_ref_eval(g, want, g->n_outputs, feeds, g->n_inputs, 0, 0, &ref));
    for (int i = 0; i < g->n_outputs; i++) {
        const int64_t n = gs_shape_count(want[i]->shape);
        const double *r = ref.value[want[i]->id];
        double *got = gs_xalloc((size_t)n * sizeof *got), sum2 = 0, worst = 0;

        cut_tensor(k, whole->outputs[i].node->shape, want[i]->shape, get_float, v[i], got);
        for (int64_t e = 0; e < n; e++) {
            const double distance = fabs(got[e] - r[e]);

            sum2 += r[e] * r[e];
            if (!(distance <= worst)) worst = distance == distance ? distance : INFINITY;
        }
        free(got);
        if (worst > 0) *error = GS_MAX(*error, worst / sqrt(sum2 / (double)n));
        if (i == 0) *seen += k->project ? (double)gs_shape_count(whole->outputs[0].node->shape) : (double)n;
    }
done:
    gs_ref_free(&ref);
    for (int i = 0; i < 8; i++) free(fed[i]);
    gs_graph_free(g);
    return st;
}

static gs_status check_slices(const gs__case *c, gs_graph *g, float *const *inputs, float *const *v, double seconds, double *error, double *seen)
{
    const int axis = gs__case_axis(c);
    const int64_t n = axis == 0 ? c->n : c->c, a_row = (int64_t)c->n * c->c * (c->h ? c->h * c->w : 1) / n;
    const int64_t rows = GS_MIN(n, GS_MAX(1, SLICE_ELEMENTS / a_row)), slices = n / rows;
    const double start = gs_now();
    gs_status st = GS_OK;

    for (int64_t i = 0; i <= slices && st == GS_OK; i++) {
        /* the last rows second, since that is where tails are */
        const int64_t at = i == 0 ? 0 : i == 1 ? n - rows : (i - 1) * rows;
        const gs__cut cut = { .n = axis == 0 ? (int)rows : 0, .c = axis == 1 ? (int)rows : 0 };

        if (i > 0 && rows == n) break;
        if (i > 1 && gs_now() - start > seconds) break;
        st = compare(c, &cut, &(cutter){ .start = at }, g, inputs, v, error, seen);
    }
    return st;
}

/* Kingma & Ba 2015 at step 1: both moments, divided by their bias, are the gradient and its square. */
static void check_adam(gs_graph *g, float *const *inputs, float *const *v, float *const *before, gs__digest *d)
{
    double sum2 = 0, worst = 0, n = 0;

    for (int i = 0; i < g->n_inputs; i++) {
        const int64_t count = gs_shape_count(g->inputs[i].node->shape);

        for (int64_t e = 0; e < count; e++) {
            const double grad = inputs[i][e], step = GS__ADAM_LR * grad / (fabs(grad) + 1e-8), got = (double)v[i][e] - before[i][e];
            const double distance = fabs(got - -step);

            sum2 += step * step;
            if (!(distance <= worst)) worst = distance == distance ? distance : INFINITY;
        }
        n += (double)count;
    }
    /* the step is told from parameters of size 1, whose last bit is 1.2e-7: 1e-4 of it */
    d->error = worst / sqrt(sum2 / n);
    d->limit = 1e-3;
    d->coverage = 1;
}

gs_status gs__case_check(const gs__case *c, gs_graph *g, float *const *v, float *const *before, double seconds, gs__digest *d)
{
    const bool gemm = strcmp(c->family, "gemm") == 0, conv = strcmp(c->family, "conv") == 0;
    const gs__cut by_c = { .c = 1 }, by_o = { .o = 1 }, whole = { 0 };
    float *inputs[8] = { 0 };
    double seen = 0;
    gs_status st = GS_OK;

    for (int i = 0; i < g->n_inputs; i++) {
        const int64_t n = gs_shape_count(g->inputs[i].node->shape);

        inputs[i] = gs_try_alloc((size_t)n, sizeof(float), "the check's operands");
        if (!inputs[i]) TRY(GS_ENOMEM);
        gs__test_fill(g->inputs[i].name, n, inputs[i]);
    }
    d->checked = true;
    if (before) {
        check_adam(g, inputs, v, before, d);
        goto done;
    }
    d->limit = gemm || conv ? LIMIT_PROJECTION : LIMIT_SLICES;
    if (gemm || conv) {
        TRY(compare(c, conv && strcmp(c->op, "dx") == 0 ? &by_c : &by_o, &(cutter){ .project = true }, g, inputs, v, &d->error, &seen));
    } else if (gs__case_axis(c) < 0) {
        TRY(compare(c, &whole, &(cutter){ 0 }, g, inputs, v, &d->error, &seen));
    } else {
        TRY(check_slices(c, g, inputs, v, seconds, &d->error, &seen));
    }
    d->coverage = GS_MIN(1.0, seen / (double)gs_shape_count(g->outputs[0].node->shape));
done:
    for (int i = 0; i < 8; i++) free(inputs[i]);
    return st;
}
