/* Operands of commands: which kind of thing a path is, and what options say about it. */
#include "cli/model.h"

#include <stdlib.h>
#include <string.h>

bool cli_is_run(const char *path)
{
    char *ini = gs_path_join(path, "config.ini");
    const bool is = gs_dir_exists(path) && gs_file_exists(ini);

    free(ini);
    return is;
}

/* The first n bytes of a file; false when it has fewer. */
static bool head(const char *path, uint8_t *bytes, size_t n)
{
    FILE *f = fopen(path, "rb");
    const bool all = f && fread(bytes, 1, n, f) == n;

    if (f) fclose(f);
    return all;
}

bool cli_is_safetensors(const char *path)
{
    uint8_t b[9];

    return head(path, b, sizeof b) && b[8] == '{' && !b[7] && !b[6] && !b[5]; /* 2^40 bytes of header are none */
}

gs_status cli_refuse_pickle(const char *path)
{
    uint8_t b[4];
    const char *kind = NULL;

    if (cli_is_safetensors(path) || !head(path, b, sizeof b)) return GS_OK; /* a header of some lengths begins like a pickle */
    if (memcmp(b, "PK\3\4", 4) == 0) kind = "a zip archive, as torch.save writes it";
    else if (b[0] == 0x80 && b[1] >= 2 && b[1] <= 5) kind = "a Python pickle, as old versions of torch.save write it";
    if (!kind) return GS_OK;
    return gs_fail(GS_EFORMAT, "%s: %s; this version reads safetensors only: save the state dict with safetensors.torch.save_file in Python", path, kind);
}

const char **cli_values(const cli_args *a, const char *name, int *n)
{
    const char **v = NULL, *value;
    int cap = 0;

    *n = 0;
    while ((value = cli_nth(a, name, *n))) GS_PUSH(v, *n, cap, value);
    return v;
}

gs_status cli_device_open(const cli_args *a, const gs_config *config, gs_device **out)
{
    const char *spec = cli_text(a, "device");

    if (!spec && config && !gs_config_is_auto(config, "run", "device")) spec = gs_config_str(config, "run", "device");
    return gs_device_open(spec, out);
}

gs_status cli_network(const gs_system *system, const char *name, const char **prefix)
{
    gs_str all = { 0 };
    gs_status st;

    *prefix = NULL;
    if (!name) return GS_OK;
    for (const char *const *p = system->networks; *p; p++) {
        const size_t n = strlen(*p) - 1;

        if (strncmp(name, *p, n) == 0 && (name[n] == 0 || strcmp(name, *p) == 0)) {
            *prefix = *p;
            gs_str_free(&all);
            return GS_OK;
        }
        gs_str_printf(&all, " %.*s", (int)n, *p);
    }
    st = gs_fail(GS_EUSAGE, "--net %.40s: system %s has the networks%s", name, system->name, gs_str_c(&all));
    gs_str_free(&all);
    return st;
}

gs_status cli_without_averages(gs_config *c)
{
    return gs_config_text(c, "train", "ema") ? gs_config_set(c, "train.ema=0") : GS_OK;
}
