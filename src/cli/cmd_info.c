/* gesso info: what a configuration asks for and what it costs on a device, before anything runs; or what a safetensors file holds. */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "cli/model.h"
#include "gesso/gesso.h"
#include "io/checkpoint.h"
#include "io/safetensors.h"

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

typedef struct cost { /* of one compiled graph */
    gs_plan_stats stats;
    gs_status st;
    char *why; /* when st is not GS_OK */
} cost;

static cost plan_cost(gs_graph *g, gs_device *d)
{
    gs_plan *p = NULL;
    cost c = { .st = gs_compile(g, d, NULL, &(gs_compile_opts){ .dry_run = true }, &p) };

    if (c.st == GS_OK) c.stats = gs_plan_get_stats(p);
    else c.why = gs_xstrdup(gs_last_error());
    gs_plan_free(p);
    return c;
}

static double total_bytes(const cost *c)
{
    return (double)c->stats.state_bytes + (double)c->stats.workspace_bytes + (double)c->stats.constant_bytes;
}

static const struct {
    const char *prefix, *name;
} networks[] = { { "G.", "generator" }, { "D.", "discriminator" } };

static gs_var **variables(gs_graph *g, const char *prefix, int *n)
{
    gs_var **v;

    *n = gs_variables(g, prefix, NULL, 0);
    v = gs_xalloc((size_t)*n * sizeof *v + 1);
    gs_variables(g, prefix, v, *n);
    return v;
}

static void networks_text(gs_graph *g)
{
    for (size_t k = 0; k < GS_COUNT(networks); k++) {
        char count[32], shape[96];
        int n;
        gs_var **v = variables(g, networks[k].prefix, &n);

        printf("\n%s: %s parameters\n", networks[k].name, gs_count_text(count, gs_cgan_count_params(g, networks[k].prefix)));
        for (int i = 0; i < n; i++) printf("  %-36s %s\n", gs_var_name(v[i]), gs_shape_text(gs_var_shape(v[i]), shape));
        free(v);
    }
}

static void networks_json(gs_graph *g, cJSON *o)
{
    cJSON *list = cJSON_AddArrayToObject(o, "networks");

    for (size_t k = 0; k < GS_COUNT(networks); k++) {
        cJSON *e = cJSON_CreateObject(), *tensors;
        int n;
        gs_var **v = variables(g, networks[k].prefix, &n);

        cJSON_AddItemToArray(list, e);
        cJSON_AddStringToObject(e, "name", networks[k].name);
        cJSON_AddNumberToObject(e, "parameters", (double)gs_cgan_count_params(g, networks[k].prefix));
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

static void cost_text(const cost *step, const cost *sample, const gs_cgan_opts *o, const gs_device_info *info)
{
    char a[32], b[32], c[32], d[32], e[32];

    printf("\ntraining step, batch %d, on %s (%s)\n", o->batch_size, info->id, info->name);
    if (step->st != GS_OK) return;
    printf("  %d launches, %.3f GFLOP in products, %.2f MFLOP for a generated picture\n", step->stats.launches, step->stats.flops / 1e9,
           sample->st == GS_OK ? sample->stats.flops / o->batch_size / 1e6 : 0.0);
    printf("  memory %s: parameters and optimiser %s, activations %s, inputs and tables %s\n", gs_bytes_text(a, total_bytes(step)),
           gs_bytes_text(b, (double)step->stats.state_bytes), gs_bytes_text(c, (double)step->stats.workspace_bytes),
           gs_bytes_text(d, (double)step->stats.constant_bytes));
    printf("  fits: the device has %s\n", gs_bytes_text(e, (double)info->memory));
}

static void cost_json(const cost *step, const cost *sample, const gs_cgan_opts *o, const gs_device_info *info, cJSON *out)
{
    cJSON_AddStringToObject(out, "device", info->id);
    cJSON_AddNumberToObject(out, "device_memory", (double)info->memory);
    cJSON_AddNumberToObject(out, "batch_size", o->batch_size);
    cJSON_AddBoolToObject(out, "fits", step->st == GS_OK);
    if (step->st != GS_OK) {
        cJSON_AddStringToObject(out, "reason", step->why);
        return;
    }
    cJSON_AddNumberToObject(out, "launches", step->stats.launches);
    cJSON_AddNumberToObject(out, "flops_step", step->stats.flops);
    if (sample->st == GS_OK) cJSON_AddNumberToObject(out, "flops_picture", sample->stats.flops / o->batch_size);
    cJSON_AddNumberToObject(out, "bytes", total_bytes(step));
    cJSON_AddNumberToObject(out, "bytes_state", (double)step->stats.state_bytes);
    cJSON_AddNumberToObject(out, "bytes_activations", (double)step->stats.workspace_bytes);
    cJSON_AddNumberToObject(out, "bytes_inputs", (double)step->stats.constant_bytes);
}

static gs_status config_info(const char *path, const char *run, const cli_args *a)
{
    gs_config *config = NULL;
    gs_device *d = NULL;
    gs_graph *g = gs_graph_new(), *gs = gs_graph_new();
    cost step = { 0 }, sample = { 0 };
    const gs_device_info *info;
    gs_cgan_opts o;
    int64_t *steps = NULL;
    int n_steps = 0;
    char *checkpoints = NULL;
    gs_status st;

    TRY(cli_config_load(path, a, &config, &o));
    TRY(cli_device_open(a, config, &d));
    info = gs_device_get_info(d);
    TRY(gs_cgan_build_step(g, &o, o.batch_size, NULL));
    TRY(gs_cgan_build_sampler(gs, &o, o.batch_size, false));
    step = plan_cost(g, d);
    sample = plan_cost(gs, d);
    if (step.st != GS_OK && step.st != GS_ELIMIT) {
        st = gs_fail(step.st, "%s", step.why);
        goto done;
    }
    if (run) {
        checkpoints = gs_path_join(run, "checkpoints");
        TRY(gs_ckpt_list(checkpoints, &steps, &n_steps));
    }
    if (cli_given(a, "json")) {
        cJSON *out = cJSON_CreateObject();

        cJSON_AddStringToObject(out, "path", run ? run : path);
        cJSON_AddStringToObject(out, "kind", run ? "run" : "config");
        cJSON_AddStringToObject(out, "system", "cgan");
        cJSON_AddStringToObject(out, "profile", gs_cgan_profile_name(o.profile));
        if (n_steps) cJSON_AddNumberToObject(out, "step", (double)steps[n_steps - 1]);
        networks_json(g, out);
        cost_json(&step, &sample, &o, info, out);
        cli_print_json(out);
    } else {
        char text[32];

        printf("%s: system cgan, profile %s, pictures %d x %d x %d, %d classes\n", run ? run : path, gs_cgan_profile_name(o.profile),
               o.image_channels, o.image_size, o.image_size, o.n_classes);
        if (n_steps) printf("%d checkpoint%s, the newest of step %s\n", n_steps, n_steps == 1 ? "" : "s", gs_count_text(text, steps[n_steps - 1]));
        networks_text(g);
        cost_text(&step, &sample, &o, info);
    }
    if (step.st != GS_OK) st = gs_fail(step.st, "%s: %s", path, step.why);
done:
    free(step.why);
    free(sample.why);
    free(steps);
    free(checkpoints);
    gs_graph_free(g);
    gs_graph_free(gs);
    gs_device_close(d);
    gs_config_free(config);
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
    return cli_is_safetensors(path) ? file_info(path, cli_given(a, "json")) : config_info(path, NULL, a);
}

const cli_command cli_info = {
    .name = "info", .operands = "CONFIG|RUN|FILE", .summary = "Shows networks, parameters, work and memory of a configuration or run",
    .about = "The training step is planned for the device, not run, so the memory is what a run will take. Exit status 1 when it does not fit.\n"
             "For a safetensors FILE: its metadata and tensors.",
    .min_operands = 1, .max_operands = 1, .options = options, .n_options = (int)GS_COUNT(options), .run = run,
};
