/* gesso info: what a configuration asks for and what it costs on a device, before anything runs; or what a safetensors file holds. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/model.h"
#include "device/tuning.h"
#include "gesso/gesso.h"
#include "io/checkpoint.h"
#include "io/safetensors.h"

#define SMALL_RUN (32 << 20) /* bytes of activations below which budgets are of no interest */

/* ---- safetensors ---- */

static gs_status file_info(const char *path, bool as_json)
{
    gs_st_file *f = NULL;
    gs_status st = gs_st_open(path, &f);
    double bytes = 0, elements = 0;
    char text[32], text2[32];

    if (st != GS_OK) return st;
    for (int i = 0; i < gs_st_count(f); i++) {
        bytes += (double)gs_st_at(f, i)->bytes;
        elements += (double)gs_st_at(f, i)->count;
    }
    if (as_json) {
        cJSON *o = cJSON_CreateObject(), *meta, *list;

        cJSON_AddStringToObject(o, "path", path);
        cJSON_AddStringToObject(o, "kind", "safetensors");
        cJSON_AddNumberToObject(o, "elements", elements);
        cJSON_AddNumberToObject(o, "bytes", bytes);
        meta = cJSON_AddObjectToObject(o, "metadata");
        for (int i = 0; i < gs_st_meta_count(f); i++) {
            const char *key, *value;

            gs_st_meta_at(f, i, &key, &value);
            cJSON_AddStringToObject(meta, key, value);
        }
        list = cJSON_AddArrayToObject(o, "tensors");
        for (int i = 0; i < gs_st_count(f); i++) {
            const gs_st_tensor *t = gs_st_at(f, i);
            cJSON *e = cJSON_CreateObject();

            cJSON_AddStringToObject(e, "name", t->name);
            cJSON_AddStringToObject(e, "dtype", gs_st_dtype_name(t->dtype));
            cli_json_shape(e, "shape", t->shape, t->rank);
            cJSON_AddItemToArray(list, e);
        }
        cli_print_json(o);
    } else {
        printf("%s: safetensors, %d tensors, %s elements, %s\n", path, gs_st_count(f), gs_count_text(text, (int64_t)elements),
               gs_bytes_text(text2, bytes));
        for (int i = 0; i < gs_st_meta_count(f); i++) {
            const char *key, *value;
            size_t line;

            gs_st_meta_at(f, i, &key, &value);
            line = strcspn(value, "\n");
            if (value[line]) printf("  %s: %zu characters in several lines (--json shows them)\n", key, strlen(value));
            else printf("  %s: %.200s\n", key, value);
        }
        for (int i = 0; i < gs_st_count(f); i++) {
            const gs_st_tensor *t = gs_st_at(f, i);

            printf("  %-4s  %-44s ", gs_st_dtype_name(t->dtype), t->name);
            for (int d = 0; d < t->rank; d++) printf("%s%lld", d ? "," : "", (long long)t->shape[d]);
            printf("%s\n", t->rank ? "" : "scalar");
        }
    }
    gs_st_close(f);
    return GS_OK;
}

/* ---- a configuration ---- */

/* The graphs of a setup: where networks and shapes are read from. */
typedef struct graphs {
    gs_graph *step, *sampler;
} graphs;

static int64_t count_params(gs_graph *g, const char *prefix)
{
    const int n = gs_trainable(g, prefix, NULL, 0);
    gs_var **v = gs_xalloc((size_t)n * sizeof *v + 1);
    int64_t count = 0;

    gs_trainable(g, prefix, v, n);
    for (int i = 0; i < n; i++) count += gs_shape_count(gs_var_shape(v[i]));
    free(v);
    return count;
}

static gs_var **variables(gs_graph *g, const char *prefix, int *n)
{
    gs_var **v;

    *n = gs_variables(g, prefix, NULL, 0);
    v = gs_xalloc((size_t)*n * sizeof *v + 1);
    gs_variables(g, prefix, v, *n);
    return v;
}

/* "G." -> "G" */
static const char *network_name(char name[32], const char *prefix)
{
    snprintf(name, 32, "%.*s", (int)strcspn(prefix, "."), prefix);
    return name;
}

static void networks_text(const gs_system *system, gs_graph *g)
{
    for (const char *const *net = system->networks; *net; net++) {
        char count[32], shape[96], name[32];
        int n;
        gs_var **v = variables(g, *net, &n);

        printf("\nnetwork %s: %s parameters\n", network_name(name, *net), gs_count_text(count, count_params(g, *net)));
        for (int i = 0; i < n; i++) printf("  %-36s %s\n", gs_var_name(v[i]), gs_shape_text(gs_var_shape(v[i]), shape));
        free(v);
    }
}

static void networks_json(const gs_system *system, gs_graph *g, cJSON *o)
{
    cJSON *list = cJSON_AddArrayToObject(o, "networks");

    for (const char *const *net = system->networks; *net; net++) {
        cJSON *e = cJSON_CreateObject(), *tensors;
        char name[32];
        int n;
        gs_var **v = variables(g, *net, &n);

        cJSON_AddItemToArray(list, e);
        cJSON_AddStringToObject(e, "name", network_name(name, *net));
        cJSON_AddNumberToObject(e, "parameters", (double)count_params(g, *net));
        tensors = cJSON_AddArrayToObject(e, "tensors");
        for (int i = 0; i < n; i++) {
            cJSON *t = cJSON_CreateObject();
            const gs_shape s = gs_var_shape(v[i]);

            cJSON_AddStringToObject(t, "name", gs_var_name(v[i]));
            cli_json_shape(t, "shape", s.dim, s.rank);
            cJSON_AddItemToArray(tensors, t);
        }
        free(v);
    }
}

/* What a run costs on a device. */
typedef struct cost {
    const gs_device_info *device;
    int batch;
    gs_setup_memory need;
    double picture_flops;
    bool fits;
    char *why; /* when it does not */
    struct trade { size_t budget; gs_setup_memory need; bool fits; } trade[4]; /* what smaller budgets cost */
    int n_trade;
    bool fits_auto; /* when it does not fit: by memory.budget = auto it would, */
    gs_setup_memory need_auto; /* taking this */
} cost;

static double total_bytes(const cost *c)
{
    return (double)c->need.state + (double)c->need.workspace + (double)c->need.constants;
}

/* Work added by computing again, in percent of a step without. */
static double more_launches(const gs_setup_memory *m) { return 100.0 * m->again_launches / GS_MAX(m->launches - m->again_launches, 1); }
static double more_flops(const gs_setup_memory *m) { return m->flops > m->again_flops ? 100 * m->again_flops / (m->flops - m->again_flops) : 0; }

static void trade_text(const cost *k)
{
    char a[32], b[32];

    if (k->n_trade) printf("  with less memory (memory.budget), computed again:\n    budget       activations    launches   products  memory traffic\n");
    for (int i = 0; i < k->n_trade; i++) {
        const struct trade *t = &k->trade[i];

        snprintf(a, sizeof a, "%.0fMiB", ceil((double)t->budget / 0x1p20)); /* as the key takes it */
        if (t->fits)
            printf("    %-12s %-12s %+8.1f %% %+7.1f %% %+13.1f %%\n", a, gs_bytes_text(b, (double)t->need.workspace),
                   more_launches(&t->need), more_flops(&t->need), 100 * t->need.again_part);
        else printf("    %-12s does not fit\n", a);
    }
}

static void cost_text(const cost *k)
{
    char a[32], b[32], c[32], d[32], e[32];

    printf("\ntraining step, batch %d, on %s (%s)\n", k->batch, k->device->id, k->device->name);
    if (!k->fits && k->fits_auto)
        printf("  with memory.budget = auto it fits: activations %s, %.1f %% more launches, %.1f %% more work in products\n",
               gs_bytes_text(a, (double)k->need_auto.workspace), more_launches(&k->need_auto), more_flops(&k->need_auto));
    if (!k->fits) return;
    printf("  %d launches", k->need.launches);
    if (k->need.epilogues) printf(", %d of them products with an epilogue", k->need.epilogues);
    printf(", %.3f GFLOP in products, %.2f MFLOP for a generated picture\n", k->need.flops / 1e9, k->picture_flops / 1e6);
    printf("  memory %s: parameters and optimiser %s, activations %s, inputs and tables %s\n", gs_bytes_text(a, total_bytes(k)),
           gs_bytes_text(b, (double)k->need.state), gs_bytes_text(c, (double)k->need.workspace), gs_bytes_text(d, (double)k->need.constants));
    if (k->need.budget)
        printf("  memory budget %s: activations %s without it; computed again: %.1f %% more launches, %.1f %% more work in products, "
               "%.1f %% more memory traffic\n",
               gs_bytes_text(a, (double)k->need.budget), gs_bytes_text(b, (double)k->need.kept), more_launches(&k->need), more_flops(&k->need),
               100 * k->need.again_part);
    trade_text(k);
    printf("  fits: the device has %s\n", gs_bytes_text(e, (double)k->device->memory));
}

static void cost_json(const cost *k, cJSON *out)
{
    cJSON *list;

    cJSON_AddStringToObject(out, "device", k->device->id);
    cJSON_AddNumberToObject(out, "device_memory", (double)k->device->memory);
    cJSON_AddNumberToObject(out, "batch_size", k->batch);
    cJSON_AddBoolToObject(out, "fits", k->fits);
    if (!k->fits) {
        cJSON_AddStringToObject(out, "reason", k->why);
        return;
    }
    cJSON_AddNumberToObject(out, "launches", k->need.launches);
    cJSON_AddNumberToObject(out, "epilogues", k->need.epilogues);
    cJSON_AddNumberToObject(out, "flops_step", k->need.flops);
    cJSON_AddNumberToObject(out, "flops_picture", k->picture_flops);
    cJSON_AddNumberToObject(out, "bytes", total_bytes(k));
    cJSON_AddNumberToObject(out, "bytes_state", (double)k->need.state);
    cJSON_AddNumberToObject(out, "bytes_activations", (double)k->need.workspace);
    cJSON_AddNumberToObject(out, "bytes_inputs", (double)k->need.constants);
    cJSON_AddNumberToObject(out, "memory_budget", (double)k->need.budget);
    cJSON_AddNumberToObject(out, "bytes_activations_kept", (double)k->need.kept);
    cJSON_AddNumberToObject(out, "launches_again", k->need.again_launches);
    cJSON_AddNumberToObject(out, "flops_again", k->need.again_flops);
    list = cJSON_AddArrayToObject(out, "trade");
    for (int i = 0; i < k->n_trade; i++) {
        const struct trade *t = &k->trade[i];
        cJSON *e = cJSON_CreateObject();

        cJSON_AddItemToArray(list, e);
        cJSON_AddNumberToObject(e, "memory_budget", (double)t->budget);
        cJSON_AddBoolToObject(e, "fits", t->fits);
        if (!t->fits) continue;
        cJSON_AddNumberToObject(e, "bytes", (double)t->need.state + (double)t->need.workspace + (double)t->need.constants);
        cJSON_AddNumberToObject(e, "bytes_activations", (double)t->need.workspace);
        cJSON_AddNumberToObject(e, "launches", t->need.launches);
        cJSON_AddNumberToObject(e, "launches_again", t->need.again_launches);
        cJSON_AddNumberToObject(e, "flops_again", t->need.again_flops);
    }
}

/* ---- what is known of the device ---- */

static int count_choices(gs_device *d)
{
    int n = 0;

    while (gs_tuning_choice_at(d, n)) n++;
    return n;
}

static void tuning_text(gs_device *d)
{
    const int n = count_choices(d);
    const gs_verdict_entry *v;

    if (n) printf("  tuned: %d class%s of shapes (\"gesso tune --list\" shows them)\n", n, n == 1 ? "" : "es");
    else printf("  not tuned: \"gesso tune\" finds the fastest variants for this device\n");
    for (int i = 0; (v = gs_tuning_verdict_at(d, i)); i++)
        if (v->verdict == GS_WRONG) printf("  not used, wrong by \"gesso check\": %s (%s)\n", v->variant, v->why);
}

static void tuning_json(gs_device *d, cJSON *out)
{
    cJSON *o = cJSON_AddObjectToObject(out, "tuning"), *wrong;
    const gs_verdict_entry *v;

    cJSON_AddNumberToObject(o, "choices", count_choices(d));
    wrong = cJSON_AddArrayToObject(o, "wrong_variants");
    for (int i = 0; (v = gs_tuning_verdict_at(d, i)); i++)
        if (v->verdict == GS_WRONG) cJSON_AddItemToArray(wrong, cJSON_CreateString(v->variant));
}

/* Work in products for one picture, from a dry run of the sampler. */
static gs_status sampler_flops(gs_graph *g, gs_device *d, int batch, double *flops)
{
    gs_plan *p = NULL;
    const gs_status st = gs_compile(g, d, NULL, &(gs_compile_opts){ .dry_run = true }, &p);

    *flops = st == GS_OK ? gs_plan_get_stats(p).flops / batch : 0;
    gs_plan_free(p);
    return st;
}

/* What budgets below a run's need cost: parts of its activations. Small runs have none: there is nothing to win. */
static gs_status measure_trade(const gs_setup *setup, gs_device *d, cost *k)
{
    static const double part[] = { 0.75, 0.5, 0.35, 0.25 };
    const size_t fixed = k->need.state + k->need.constants;

    for (int i = 0; i < (int)GS_COUNT(part) && k->need.kept >= SMALL_RUN; i++) {
        struct trade *t = &k->trade[k->n_trade];
        gs_status st;

        t->budget = fixed + (size_t)(part[i] * (double)k->need.kept);
        st = gs_setup_fits_in(setup, d, t->budget, &t->need);
        if (st != GS_OK && st != GS_ELIMIT) return st;
        t->fits = st == GS_OK;
        k->n_trade++;
        if (!t->fits) break;
    }
    return GS_OK;
}

/* Measures what the setup needs; a run that does not fit is an answer, not a failure. */
static gs_status measure(const gs_setup *setup, gs_device *d, graphs *g, cost *k)
{
    const gs_system *system = setup->system;
    gs_status st;

    *k = (cost){ .device = gs_device_get_info(d), .batch = system->batch_size(setup->model) };
    TRY(system->build_step(setup->model, g->step, k->batch));
    TRY(gs_setup_build_use(setup, g->sampler, k->batch));
    st = gs_setup_fits(setup, d, &k->need);
    k->fits = st == GS_OK;
    if (st == GS_ELIMIT) {
        k->why = gs_xstrdup(gs_last_error());
        k->fits_auto = gs_setup_fits_in(setup, d, (size_t)k->device->memory, &k->need_auto) == GS_OK;
        st = GS_OK;
    } else if (st == GS_OK) {
        TRY(sampler_flops(g->sampler, d, k->batch, &k->picture_flops));
        TRY(measure_trade(setup, d, k));
    }
done:
    return st;
}

static gs_status config_info(const char *path, const char *run, const cli_args *a)
{
    graphs g = { gs_graph_new(), gs_graph_new() };
    gs_setup *setup = NULL;
    gs_device *d = NULL;
    cost k = { 0 };
    gs_picture_info pic;
    int64_t *steps = NULL;
    int n_steps = 0, n_set;
    const char **set = cli_values(a, "set", &n_set);
    char *checkpoints = NULL;
    gs_status st;

    TRY(gs_setup_load(path, set, n_set, &setup));
    pic = setup->system->picture(setup->model);
    TRY(cli_device_open(a, setup->config, &d));
    TRY(measure(setup, d, &g, &k));
    if (run) {
        checkpoints = gs_path_join(run, "checkpoints");
        TRY(gs_ckpt_list(checkpoints, &steps, &n_steps));
    }
    if (cli_given(a, "json")) {
        cJSON *out = cJSON_CreateObject();

        cJSON_AddStringToObject(out, "path", run ? run : path);
        cJSON_AddStringToObject(out, "kind", run ? "run" : "config");
        cJSON_AddStringToObject(out, "system", setup->system->name);
        if (n_steps) cJSON_AddNumberToObject(out, "step", (double)steps[n_steps - 1]);
        networks_json(setup->system, g.step, out);
        cost_json(&k, out);
        tuning_json(d, out);
        cli_print_json(out);
    } else {
        char text[32];

        printf("%s: %s, pictures %d x %d x %d", run ? run : path, setup->system->title, pic.channels, pic.height, pic.width);
        if (pic.classes) printf(", %d classes", pic.classes);
        printf("\n");
        if (n_steps) printf("%d checkpoint%s, the newest of step %s\n", n_steps, n_steps == 1 ? "" : "s", gs_count_text(text, steps[n_steps - 1]));
        networks_text(setup->system, g.step);
        cost_text(&k);
        tuning_text(d);
    }
    if (!k.fits) st = gs_fail(GS_ELIMIT, "%s: %s", path, k.why);
done:
    free(k.why);
    free(steps);
    free(checkpoints);
    free(set);
    gs_graph_free(g.step);
    gs_graph_free(g.sampler);
    gs_setup_free(setup);
    gs_device_close(d);
    return st;
}

static const cli_option options[] = {
    CLI_DEVICE,
    CLI_SET,
    CLI_JSON,
};

static gs_status run(const cli_args *a)
{
    const char *path = cli_operand(a, 0);
    char *ini;
    gs_status st;

    if (gs_dir_exists(path)) {
        if (!cli_is_run(path)) return gs_fail(GS_EIO, "%s: a folder without config.ini, so not a run (\"gesso data info\" looks at data)", path);
        ini = gs_path_join(path, "config.ini");
        st = config_info(ini, path, a);
        free(ini);
        return st;
    }
    if (cli_is_safetensors(path)) return file_info(path, cli_given(a, "json"));
    st = cli_refuse_pickle(path);
    return st == GS_OK ? config_info(path, NULL, a) : st;
}

const cli_command cli_info = {
    .name = "info", .operands = "CONFIG|RUN|FILE", .summary = "Shows networks, parameters, work and memory of a configuration or run",
    .about = "The training step is planned for the device, not run, so the memory is what a run will take. Exit status 1 when it does not fit.\n"
             "Where activations take 32 MiB or more: what it costs to compute parts of them again, in a table of budgets (key memory.budget).\n"
             "For a safetensors FILE: its metadata and tensors.",
    .min_operands = 1, .max_operands = 1, .options = options, .n_options = (int)GS_COUNT(options), .run = run,
};
