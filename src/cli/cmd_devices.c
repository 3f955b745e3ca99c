/* gesso devices: every device of every platform, and what Gesso uses of it. */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "device/device.h"

static const char *const kinds[] = { [GS_CPU] = "CPU", [GS_GPU] = "GPU", [GS_ACCELERATOR] = "accelerator", [GS_NULL] = "null" };

static void print_text(const gs_device_info *d, bool is_default)
{
    char memory[32], most[32], local[32];

    printf("%s%s  %s\n", d->id, is_default ? " *" : "", d->name);
    printf("    %s by %s, platform %s, driver %s, %s\n", kinds[d->kind], d->vendor, d->platform, d->driver, d->version);
    printf("    %d compute units at %d MHz, preferred vector of %d floats, groups of up to %zu items\n", d->compute_units, d->clock_mhz,
           d->vector_width, d->max_group);
    printf("    memory %s, largest buffer %s, local memory %s%s\n", gs_bytes_text(memory, (double)d->memory),
           gs_bytes_text(most, (double)d->max_alloc), gs_bytes_text(local, (double)d->local_memory),
           d->local_is_global ? " (ordinary memory: kernels do not copy into it)" : "");
    if (!d->compiler) printf("    not usable: switched off, or its driver has no compiler\n");
    else printf("    used: fp32 kernels%s, form for %s\n", d->kind == GS_NULL ? " (planned, never run)" : " built from source and cached on disk",
                gs__cpu_forms(d) ? "CPUs" : "GPUs");
}

static cJSON *as_json(const gs_device_info *d, bool is_default)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "id", d->id);
    cJSON_AddBoolToObject(o, "default", is_default);
    cJSON_AddStringToObject(o, "name", d->name);
    cJSON_AddStringToObject(o, "kind", kinds[d->kind]);
    cJSON_AddStringToObject(o, "vendor", d->vendor);
    cJSON_AddStringToObject(o, "platform", d->platform);
    cJSON_AddStringToObject(o, "driver", d->driver);
    cJSON_AddStringToObject(o, "version", d->version);
    cJSON_AddNumberToObject(o, "compute_units", d->compute_units);
    cJSON_AddNumberToObject(o, "clock_mhz", d->clock_mhz);
    cJSON_AddNumberToObject(o, "memory", (double)d->memory);
    cJSON_AddNumberToObject(o, "max_alloc", (double)d->max_alloc);
    cJSON_AddNumberToObject(o, "local_memory", (double)d->local_memory);
    cJSON_AddBoolToObject(o, "local_is_global", d->local_is_global);
    cJSON_AddNumberToObject(o, "max_group", (double)d->max_group);
    cJSON_AddNumberToObject(o, "align", (double)d->align);
    cJSON_AddNumberToObject(o, "vector_width", d->vector_width);
    cJSON_AddBoolToObject(o, "fp16", d->fp16);
    cJSON_AddBoolToObject(o, "fp64", d->fp64);
    cJSON_AddBoolToObject(o, "usable", d->compiler);
    return o;
}

static const cli_option options[] = { CLI_JSON };

static gs_status run(const cli_args *a)
{
    gs_device_info *list = NULL;
    gs_device *d = NULL;
    cJSON *json = cli_given(a, "json") ? cJSON_CreateObject() : NULL, *array = json ? cJSON_AddArrayToObject(json, "devices") : NULL;
    char chosen[32] = "";
    gs_status st;
    int n = 0;

    TRY(gs_devices(&list, &n));
    if (gs_device_open(NULL, &d) == GS_OK) snprintf(chosen, sizeof chosen, "%s", gs_device_get_info(d)->id);
    for (int i = 0; i < n; i++) {
        const bool is_default = strcmp(list[i].id, chosen) == 0;

        if (json) cJSON_AddItemToArray(array, as_json(&list[i], is_default));
        else print_text(&list[i], is_default);
    }
    if (json) {
        cli_print_json(json);
        json = NULL;
    } else if (*chosen) {
        printf("\n* used by default%s\n", getenv("GESSO_DEVICE") ? " (GESSO_DEVICE)" : "");
    } else {
        TRY(gs_device_open(NULL, &d)); /* for its sentence */
    }
done:
    cJSON_Delete(json);
    gs_device_close(d);
    free(list);
    return st;
}

const cli_command cli_devices = {
    .name = "devices", .operands = "", .summary = "Lists every device, and what Gesso uses of it",
    .about = "The default is $GESSO_DEVICE, else the fastest by compute units x clock x vector width, GPUs before CPUs.",
    .options = options, .n_options = (int)GS_COUNT(options), .run = run,
};
