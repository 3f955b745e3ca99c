#include "testlib.h"

#include "graphs.h"

#include <math.h>
#include <stdlib.h>

gs_node *graph_fed(gs_graph *g, gs_shape s)
{
    char name[16];

    snprintf(name, sizeof name, "in%d", g->n_inputs);
    return gs_input(g, name, s, GS_F32);
}

float *graph_feed(const gs_graph *g, int i)
{
    const int64_t n = gs_shape_count(g->inputs[i].node->shape);
    float *x = gs_xalloc((size_t)n * sizeof *x);
    gs_rng r = { .seed = 10 + (uint64_t)i };

    for (int64_t k = 0; k < n; k++) x[k] = (float)gs_rng_normal(&r);
    return x;
}

void graph_near_reference(gs_graph *g, const float *got, double relative, double absolute, const char *what)
{
    gs_ref_feed feeds[GRAPH_INPUTS];
    double *xd[GRAPH_INPUTS];
    gs_node *want[GRAPH_OUTPUTS];
    gs_ref_result ref;

    assert_true(g->n_inputs <= GRAPH_INPUTS && g->n_outputs <= GRAPH_OUTPUTS);
    for (int i = 0; i < g->n_inputs; i++) {
        const int64_t n = gs_shape_count(g->inputs[i].node->shape);
        float *x = graph_feed(g, i);

        xd[i] = gs_xalloc((size_t)n * sizeof(double));
        for (int64_t k = 0; k < n; k++) xd[i][k] = x[k];
        free(x);
        feeds[i] = (gs_ref_feed){ g->inputs[i].node, xd[i] };
    }
    for (int i = 0; i < g->n_outputs; i++) want[i] = g->outputs[i].node;
    assert_ok(gs_ref_eval(g, want, g->n_outputs, feeds, g->n_inputs, 1, 0, &ref));
    for (int i = 0; i < g->n_outputs; i++) {
        const int64_t n = gs_shape_count(want[i]->shape);
        const double *r = ref.value[want[i]->id];
        double worst = 0, scale = 0;

        for (int64_t k = 0; k < n; k++) {
            worst = fmax(worst, fabs(got[k] - r[k]));
            scale = fmax(scale, fabs(r[k]));
        }
        if (!(worst <= relative * scale + absolute)) fail_msg("%s: output %s is off by %g of %g", what, g->outputs[i].name, worst, scale);
        got += n;
    }
    gs_ref_free(&ref);
    for (int i = 0; i < g->n_inputs; i++) free(xd[i]);
}
