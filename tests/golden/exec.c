/* Running a graph: as a plan on a device, or by the double reference. Both sides keep variables between runs. */
#include <stdlib.h>
#include <string.h>

#include "golden.h"

struct golden_exec {
    gs_graph *g;
    /* device */
    gs_store *store;
    gs_plan *plan;
    /* reference: doubles by input and by variable, and the last run's values */
    double **input, **variable;
    gs_ref_result result;
};

static size_t count_of(gs_shape s)
{
    return (size_t)gs_shape_count(s);
}

static gs_status init_reference(golden_exec *e)
{
    gs_graph *g = e->g;

    e->input = gs_xalloc((size_t)g->n_inputs * sizeof(double *) + 1);
    e->variable = gs_xalloc((size_t)g->n_vars * sizeof(double *) + 1);
    for (int i = 0; i < g->n_vars; i++) {
        const size_t n = count_of(g->vars[i]->shape);
        float *f = gs_xalloc(n * sizeof(float));

        e->variable[i] = gs_xalloc(n * sizeof(double));
        gs_init_fill(g->vars[i], 0, f);
        for (size_t k = 0; k < n; k++) e->variable[i][k] = f[k];
        free(f);
    }
    return gs_graph_status(g);
}

gs_status golden_exec_new(gs_graph *g, gs_device *d, golden_exec **out)
{
    golden_exec *e = gs_xalloc(sizeof(*e));
    gs_status st = GS_OK;

    e->g = g;
    if (d) {
        TRY(gs_store_new(d, 0, &e->store));
        TRY(gs_compile(g, d, e->store, NULL, &e->plan));
    } else {
        TRY(init_reference(e));
    }
done:
    if (st != GS_OK) {
        golden_exec_free(e);
        e = NULL;
    }
    *out = e;
    return st;
}

void golden_exec_free(golden_exec *e)
{
    if (!e) return;
    gs_plan_free(e->plan);
    gs_store_free(e->store);
    for (int i = 0; e->input && i < e->g->n_inputs; i++) free(e->input[i]);
    for (int i = 0; e->variable && i < e->g->n_vars; i++) free(e->variable[i]);
    free(e->input);
    free(e->variable);
    if (e->result.value) gs_ref_free(&e->result);
    free(e);
}

static gs_status missing(const char *kind, const char *name)
{
    return gs_fail(GS_EINVAL, "the graph has no %s %s", kind, name);
}

gs_status golden_exec_feed(golden_exec *e, const char *input, const void *data)
{
    if (e->plan) return gs_plan_feed(e->plan, input, data);
    for (int i = 0; i < e->g->n_inputs; i++) {
        const gs_node *n = e->g->inputs[i].node;
        const size_t count = count_of(n->shape);

        if (strcmp(e->g->inputs[i].name, input) != 0) continue;
        if (!e->input[i]) e->input[i] = gs_xalloc(count * sizeof(double));
        for (size_t k = 0; k < count; k++)
            e->input[i][k] = n->dtype == GS_I32 ? ((const int32_t *)data)[k] : (double)((const float *)data)[k];
        return GS_OK;
    }
    return missing("input", input);
}

static int find_variable(const golden_exec *e, const char *name)
{
    for (int i = 0; i < e->g->n_vars; i++) {
        if (strcmp(e->g->vars[i]->name, name) == 0) return i;
    }
    return -1;
}

gs_status golden_exec_write(golden_exec *e, const char *variable, const float *data)
{
    const int i = e->store ? gs_store_find(e->store, variable) : find_variable(e, variable);

    if (i < 0) return missing("variable", variable);
    if (e->store) return gs_store_write(e->store, i, data);
    for (size_t k = 0; k < count_of(e->g->vars[i]->shape); k++) e->variable[i][k] = data[k];
    return GS_OK;
}

gs_status golden_exec_read(golden_exec *e, const char *variable, float *data)
{
    const int i = e->store ? gs_store_find(e->store, variable) : find_variable(e, variable);

    if (i < 0) return missing("variable", variable);
    if (e->store) return gs_store_read(e->store, i, data);
    for (size_t k = 0; k < count_of(e->g->vars[i]->shape); k++) data[k] = (float)e->variable[i][k];
    return GS_OK;
}

static gs_status run_reference(golden_exec *e, uint64_t seed, uint64_t step)
{
    gs_graph *g = e->g;
    gs_node **want = gs_xalloc((size_t)(g->n_outputs + g->n_vars) * sizeof(*want) + 1);
    gs_ref_feed *feeds = gs_xalloc((size_t)(g->n_inputs + g->n_vars) * sizeof(*feeds) + 1);
    int n_want = 0, n_feeds = 0;
    gs_status st = GS_OK;

    if (e->result.value) gs_ref_free(&e->result);
    for (int i = 0; i < g->n_outputs; i++) want[n_want++] = g->outputs[i].node;
    for (int i = 0; i < g->n_vars; i++) {
        if (g->vars[i]->current != g->vars[i]->initial) want[n_want++] = g->vars[i]->current;
        feeds[n_feeds++] = (gs_ref_feed){ g->vars[i]->initial, e->variable[i] };
    }
    for (int i = 0; i < g->n_inputs; i++) {
        if (e->input[i]) feeds[n_feeds++] = (gs_ref_feed){ g->inputs[i].node, e->input[i] };
    }
    TRY(gs_ref_eval(g, want, n_want, feeds, n_feeds, seed, step, &e->result));
    for (int i = 0; i < g->n_vars; i++) {
        const gs_var *v = g->vars[i];

        if (v->current != v->initial)
            memcpy(e->variable[i], e->result.value[v->current->id], count_of(v->shape) * sizeof(double));
    }
done:
    free(want);
    free(feeds);
    return st;
}

gs_status golden_exec_run(golden_exec *e, uint64_t seed, uint64_t step)
{
    return e->plan ? gs_plan_run(e->plan, seed, step) : run_reference(e, seed, step);
}

gs_status golden_exec_fetch(golden_exec *e, const char *output, float *data)
{
    if (e->plan) return gs_plan_fetch(e->plan, output, data);
    for (int i = 0; i < e->g->n_outputs; i++) {
        const gs_node *n = e->g->outputs[i].node;

        if (strcmp(e->g->outputs[i].name, output) != 0) continue;
        if (!e->result.value) return gs_fail(GS_EINVAL, "output %s: nothing has run", output);
        for (size_t k = 0; k < count_of(n->shape); k++) data[k] = (float)e->result.value[n->id][k];
        return GS_OK;
    }
    return missing("output", output);
}
