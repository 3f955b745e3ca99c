/* The table of systems, and setups: a configuration with its system. */
#include "train/system.h"

#include <stdlib.h>
#include <string.h>

#include "train/snapshot.h"

extern const gs_system gs_system_cgan, gs_system_ugatit, gs_system_cyclegan;

const gs_system *const gs_systems[] = { &gs_system_cgan, &gs_system_ugatit, &gs_system_cyclegan, NULL };

gs_status gs_system_find(const char *name, const char *where, const gs_system **out)
{
    const char *names[GS_COUNT(gs_systems)], *near;
    gs_str all = { 0 };
    gs_status st;
    int n = 0;

    for (; gs_systems[n]; n++) {
        if (strcmp(gs_systems[n]->name, name) == 0) {
            *out = gs_systems[n];
            gs_str_free(&all);
            return GS_OK;
        }
        names[n] = gs_systems[n]->name;
        gs_str_printf(&all, "%s%s", n ? ", " : "", names[n]);
    }
    near = gs_nearest(name, names, n);
    st = gs_fail(GS_ECONFIG, "%s: [model] system = %.60s: there is no such system%s%s%s (there is: %s)", where, name,
                 near ? "; did you mean " : "", near ? near : "", near ? "?" : "", gs_str_c(&all));
    gs_str_free(&all);
    *out = NULL;
    return st;
}

int gs_system_tables(const gs_system *s, gs_config_table tables[2])
{
    tables[0] = gs_config_common;
    tables[1].title = s->name;
    tables[1].rows = s->rows(&tables[1].n);
    return 2;
}

/* ---- setups ---- */

/* What `set` gives for model.system, or NULL: it decides which table the other keys come from. */
static const char *set_system(const char *const *set, int n)
{
    const char *const key = "model.system=", *found = NULL;

    for (int i = 0; i < n; i++) {
        if (strncmp(set[i], key, strlen(key)) == 0) found = set[i] + strlen(key);
    }
    return found;
}

/* source: the path of a file, or with text its stand-in. */
static gs_status setup_new(const char *system, const char *text, const char *source, const char *const *set, int n, gs_setup **out)
{
    gs_setup *s = gs_xalloc(sizeof *s);
    gs_config_table tables[2];
    gs_status st = GS_OK;

    if (!system) {
        TRY(gs_fail(GS_ECONFIG, "%s: [model] system is missing: it says which system to train, for example system = %s", source,
                    gs_systems[0]->name));
    }
    TRY(gs_system_find(system, source, &s->system));
    gs_system_tables(s->system, tables);
    s->config = gs_config_new(tables, 2);
    TRY(text ? gs_config_parse(s->config, text, source) : gs_config_load(s->config, source));
    for (int i = 0; i < n; i++) TRY(gs_config_set(s->config, set[i]));
    TRY(s->system->presets(s->config));
    st = gs_config_check(s->config);
    if (st == GS_OK) st = s->system->open(s->config, &s->model);
    if (st != GS_OK) gs_fail_in(st, "%s", source);
done:
    if (st != GS_OK) {
        gs_setup_free(s);
        s = NULL;
    }
    *out = s;
    return st;
}

gs_status gs_setup_load(const char *path, const char *const *set, int n, gs_setup **out)
{
    char *system = NULL;
    const char *over = set_system(set, n);
    gs_status st = gs_config_peek(path, "model", "system", &system);

    *out = NULL;
    if (st == GS_OK) st = setup_new(over ? over : system, NULL, path, set, n, out);
    free(system);
    return st;
}

gs_status gs_setup_parse(const char *text, const char *name, const char *const *set, int n, gs_setup **out)
{
    char *system = NULL;
    const char *over = set_system(set, n);
    gs_status st = gs_config_peek_text(text, name, "model", "system", &system);

    *out = NULL;
    if (st == GS_OK) st = setup_new(over ? over : system, text, name, set, n, out);
    free(system);
    return st;
}

void gs_setup_free(gs_setup *s)
{
    if (!s) return;
    if (s->system) s->system->close(s->model);
    gs_config_free(s->config);
    free(s);
}

/* ---- what it needs ---- */

void gs_setup_math(const gs_setup *s, gs_device *d)
{
    const gs_math math = gs_config_choice(s->config, "train", "math") == 1 ? GS_MATH_TF32 : GS_MATH_FP32;

    if (gs_device_set_math(d, math) != GS_OK) gs_warn("[train] math = tf32: %s; products are computed in fp32", gs_last_error());
}

gs_status gs_setup_build_use(const gs_setup *s, gs_graph *g, int batch)
{
    const gs_system *y = s->system;

    return y->build_sampler ? y->build_sampler(s->model, g, batch, false) : y->build_translator(s->model, g, batch, 0);
}

/* What training draws now and then: a batch of samples, or a column of a sheet. */
static gs_status build_samples(const gs_setup *s, gs_graph *g)
{
    return s->system->build_sampler ? s->system->build_sampler(s->model, g, GS_SAMPLE_BATCH, false) : s->system->build_sheet(s->model, g, 0);
}

gs_compile_opts gs_setup_compile_opts(const gs_setup *s)
{
    /* "auto" has no number: only a key that says "off" has one */
    return (gs_compile_opts){ .no_winograd = !gs_config_is_auto(s->config, "conv", "winograd") };
}

/* batch 0: what training draws. */
static gs_status dry_run(const gs_setup *s, gs_device *d, int batch, size_t budget, gs_plan_stats *out)
{
    gs_graph *g = gs_graph_new();
    gs_compile_opts opts = gs_setup_compile_opts(s);
    gs_plan *p = NULL;
    gs_status st = GS_OK;

    opts.dry_run = true;
    opts.budget = budget;
    TRY(batch ? s->system->build_step(s->model, g, batch) : build_samples(s, g));
    TRY(gs_compile(g, d, NULL, &opts, &p));
    *out = gs_plan_get_stats(p);
done:
    gs_plan_free(p);
    gs_graph_free(g);
    return st;
}

gs_status gs_setup_fits_in(const gs_setup *s, gs_device *d, size_t budget, gs_setup_memory *out)
{
    const gs_device_info *info = gs_device_get_info(d);
    const int batch = s->system->batch_size(s->model);
    gs_plan_stats step = { 0 }, draw = { 0 };
    gs_setup_memory m = { .budget = budget };
    gs_status st = GS_OK;
    char a[32], b[32], c[32], e[32];
    size_t need;

    TRY(dry_run(s, d, 0, 0, &draw));
    if (budget) m.step_budget = budget > draw.constant_bytes ? budget - draw.constant_bytes : 1;
    TRY(dry_run(s, d, batch, m.step_budget, &step));
    m.state = step.state_bytes;
    m.workspace = GS_MAX(step.workspace_bytes, draw.workspace_bytes);
    m.constants = step.constant_bytes + draw.constant_bytes;
    m.flops = step.flops;
    m.launches = step.launches;
    m.kept = budget ? GS_MAX(step.kept_bytes, draw.workspace_bytes) : m.workspace;
    m.epilogues = step.epilogues;
    m.again_launches = step.again_launches;
    m.again_flops = step.again_flops;
    m.again_part = step.again_bytes / GS_MAX(step.moved_bytes - step.again_bytes, 1.0);
    need = m.state + m.workspace + m.constants;
    if (need > info->memory) {
        st = gs_fail(GS_ELIMIT, "the run needs %s (parameters and optimiser %s, activations %s) and %s has %s: set memory.budget = auto, or lower batch_size",
                     gs_bytes_text(a, (double)need), gs_bytes_text(b, (double)m.state), gs_bytes_text(c, (double)m.workspace),
                     info->name, gs_bytes_text(e, (double)info->memory));
    } else if (budget && need > budget) {
        st = gs_fail(GS_ELIMIT, "memory.budget is %s and drawing samples alone needs %s: raise it, or lower the size or batch_size",
                     gs_bytes_text(a, (double)budget), gs_bytes_text(b, (double)need));
    }
done:
    if (st == GS_ELIMIT) gs_fail_in(st, "batch_size = %d", batch);
    if (out) *out = m;
    return st;
}

gs_status gs_setup_fits(const gs_setup *s, gs_device *d, gs_setup_memory *out)
{
    const double budget = gs_config_bytes(s->config, "memory", "budget");

    return gs_setup_fits_in(s, d, budget < 0 ? (size_t)gs_device_get_info(d)->memory : (size_t)budget, out);
}
