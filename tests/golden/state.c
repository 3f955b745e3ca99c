/* What the runners of systems share: a case's state into a graph's variables, and its expected tensors
 * against outputs and variables. */
#include <stdlib.h>
#include <string.h>

#include "golden.h"

gs_status golden_load_state(golden_exec *e, gs_graph *g, const golden_case *c)
{
    gs_status st = GS_OK;

    for (int i = 0; st == GS_OK && i < g->n_vars; i++) {
        const gs_var *v = g->vars[i];
        float *data;

        if (strncmp(v->name, "opt_", 4) == 0) continue;
        data = gs_xalloc((size_t)gs_shape_count(v->shape) * sizeof(float));
        st = golden_state(c, v->name, v->shape, data);
        if (st == GS_OK) st = golden_exec_write(e, v->name, data);
        free(data);
    }
    return st;
}

/* Compares the tensors whose name is prefix plus an output's or variable's name; pick_prefix plus the same
 * name picks elements. */
static gs_status compare_outputs(golden_exec *e, gs_graph *g, golden_case *c, const char *prefix, const char *output_prefix,
                                 const char *pick_prefix)
{
    const size_t len = strlen(prefix);
    gs_status st = GS_OK;

    for (int i = 0; st == GS_OK && i < gs_st_count(c->file); i++) {
        const gs_st_tensor *want = gs_st_at(c->file, i);
        const char *rest = want->name + len;
        const gs_node *node = NULL;
        char name[256];
        float *got;

        if (strncmp(want->name, prefix, len) != 0) continue;
        snprintf(name, sizeof name, "%s%s", output_prefix, rest);
        for (int k = 0; k < g->n_outputs; k++) {
            if (strcmp(g->outputs[k].name, name) == 0) node = g->outputs[k].node;
        }
        if (!node) return gs_fail(GS_EINVAL, "%s is expected and not computed", want->name);
        got = gs_xalloc((size_t)gs_shape_count(node->shape) * sizeof(float));
        st = golden_exec_fetch(e, name, got);
        if (st == GS_OK) golden_compare(c, want, golden_find(c, "%s%s", pick_prefix, rest), got, (size_t)gs_shape_count(node->shape));
        free(got);
    }
    return st;
}

gs_status golden_compare_after(golden_exec *e, gs_graph *g, golden_case *c)
{
    gs_status st = GS_OK;

    for (int i = 0; st == GS_OK && i < gs_st_count(c->file); i++) {
        const gs_st_tensor *want = gs_st_at(c->file, i);
        const char *name = want->name + strlen("after.");
        const gs_var *v = NULL;
        float *got;

        if (strncmp(want->name, "after.", 6) != 0) continue;
        for (int k = 0; k < g->n_vars; k++) {
            if (strcmp(g->vars[k]->name, name) == 0) v = g->vars[k];
        }
        if (!v) return gs_fail(GS_EINVAL, "%s is expected, and the networks have no %s", want->name, name);
        got = gs_xalloc((size_t)gs_shape_count(v->shape) * sizeof(float));
        st = golden_exec_read(e, name, got);
        if (st == GS_OK) golden_compare(c, want, golden_find(c, "pick.%s", name), got, (size_t)gs_shape_count(v->shape));
        free(got);
    }
    return st;
}

gs_status golden_compare_step(golden_exec *e, gs_graph *g, golden_case *c, int step)
{
    char prefix[32];
    gs_status st = GS_OK;

    snprintf(prefix, sizeof prefix, "out.%d.", step);
    TRY(compare_outputs(e, g, c, prefix, "out.", "pick."));
    snprintf(prefix, sizeof prefix, "loss.%d.", step);
    TRY(compare_outputs(e, g, c, prefix, "loss.", "pick.loss."));
    if (step == 0) TRY(compare_outputs(e, g, c, "grad.0.", "grad.", "pick."));
done:
    return st;
}

static gs_status feed_inputs(golden_exec *e, const gs_graph *g, const golden_case *c, int step)
{
    gs_status st = GS_OK;

    for (int i = 0; st == GS_OK && i < g->n_inputs; i++) {
        const char *name = g->inputs[i].name;
        const gs_shape shape = g->inputs[i].node->shape;
        void *data;

        if (strcmp(name, "lr") == 0) continue;
        data = gs_xalloc((size_t)gs_shape_count(shape) * 4);
        st = golden_feed(c, step, name, shape, data);
        if (st == GS_OK) st = golden_exec_feed(e, name, data);
        free(data);
    }
    return st;
}

gs_status golden_run_graph(golden_case *c, gs_device *d, gs_graph *g, double (*rate)(const void *o, int64_t step), const void *o)
{
    golden_exec *e = NULL;
    gs_status st = GS_OK;

    TRY(golden_exec_new(g, d, &e));
    TRY(golden_load_state(e, g, c));
    for (int s = 0; s < c->steps; s++) {
        if (rate) {
            const float lr = (float)rate(o, s + 1);

            TRY(golden_exec_feed(e, "lr", &lr));
        }
        TRY(feed_inputs(e, g, c, s));
        TRY(golden_exec_run(e, 0, (uint64_t)s));
        TRY(golden_compare_step(e, g, c, s));
    }
    TRY(golden_compare_after(e, g, c));
done:
    golden_exec_free(e);
    return st;
}

const char *golden_lookup(void *user, const char *section, const char *key)
{
    (void)section;
    return golden_config(user, key);
}
