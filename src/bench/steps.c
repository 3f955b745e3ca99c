/* Steps of a model as training does them: fed and run, nothing read back. */
#include <stdlib.h>

#include "bench/models_int.h"

void gs__work_free(gs__work *w)
{
    gs_plan_free(w->plan);
    gs_graph_free(w->g);
    gs_store_free(w->store);
    gs_setup_free(w->setup);
}

gs_status gs__work_open(gs_device *d, const gs__model *m, int batch, bool inputs, gs__work *w)
{
    const gs_system *system;
    gs_compile_opts opts;
    gs_status st = GS_OK;

    *w = (gs__work){ .d = d, .g = gs_graph_new() };
    TRY(gs__model_setup(m, batch, &w->setup));
    system = w->setup->system;
    w->batch = system->batch_size(w->setup->model);
    TRY(system->build_step(w->setup->model, w->g, w->batch));
    for (int i = 0; inputs && i < w->g->n_inputs; i++) {
        char name[64];

        snprintf(name, sizeof name, "in.%s", w->g->inputs[i].name);
        gs_output(w->g, name, w->g->inputs[i].node);
    }
    gs_setup_math(w->setup, d);
    TRY(gs_store_new(d, GS__SEED, &w->store));
    opts = gs_setup_compile_opts(w->setup);
    if (gs_config_bytes(w->setup->config, "memory", "budget") != 0) {
        gs_setup_memory need;

        TRY(gs_setup_fits(w->setup, d, &need));
        opts.budget = need.step_budget;
    }
    TRY(gs_compile(w->g, d, w->store, &opts, &w->plan));
    TRY(system->open_data(w->setup->model, w->setup->config));
    if (system->prime) TRY(system->prime(w->setup->model, w->store));
    for (w->whole = 0; w->whole < system->batches(w->setup->model); w->whole++)
        if (system->size_of(w->setup->model, w->whole) != w->batch) break;
    if (w->whole == 0) TRY(gs_fail(GS_ECONFIG, "%s: the data has no whole batch of %d", m->id, w->batch));
done:
    return st;
}

gs_status gs__work_step(void *user)
{
    gs__work *w = user;
    const gs_system *system = w->setup->system;
    gs_status st = GS_OK;

    TRY(system->feed(w->setup->model, w->plan, w->at));
    TRY(gs_plan_run(w->plan, GS__SEED, (uint64_t)w->at.step));
    w->at.step++;
    if (++w->at.batch == w->whole) {
        w->at.batch = 0;
        w->at.epoch++;
    }
done:
    return st;
}

/* ---- for others to time ---- */

struct gs__steps {
    gs__model m;
    gs__work w;
};

gs_status gs__steps_open(gs_device *d, const char *name, gs__steps **out)
{
    gs__steps *s = gs_xalloc(sizeof *s);
    gs_status st;

    gs__model_find(name, &s->m);
    st = gs__work_open(d, &s->m, 0, false, &s->w);
    if (st != GS_OK) {
        gs__steps_close(s);
        s = NULL;
    }
    *out = s;
    return st;
}

void gs__steps_close(gs__steps *s)
{
    if (s) gs__work_free(&s->w);
    free(s);
}

gs_status gs__steps_run(void *steps) { return gs__work_step(&((gs__steps *)steps)->w); }
int gs__steps_batch(const gs__steps *s) { return s->w.batch; }
gs_plan *gs__steps_plan(const gs__steps *s) { return s->w.plan; }

gs_status gs_bench_first_step(const char *device, const char *name, FILE *out)
{
    float metrics[GS_MAX_METRICS];
    gs__steps *s = NULL;
    gs_device *d = NULL;
    gs_status st = GS_OK;

    TRY(gs_device_open(device, &d));
    TRY(gs__steps_open(d, name, &s));
    TRY(gs__steps_run(s));
    TRY(gs_plan_fetch(gs__steps_plan(s), "metrics", metrics));
    fprintf(out, GS_BENCH_FIRST_STEP "\n");
    fflush(out);
done:
    gs__steps_close(s);
    gs_device_close(d);
    return st;
}
