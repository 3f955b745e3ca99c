/* Operands of commands: which kind of thing a path is, and configurations from it. */
#include "cli/model.h"

#include <stdlib.h>
#include <string.h>

static const char *const systems[] = { "cgan" };

const gs_config_table *cli_config_tables(int *n)
{
    static gs_config_table t[2];

    t[0] = gs_config_common;
    t[1].title = "cgan";
    t[1].rows = gs_cgan_config_rows(&t[1].n);
    *n = 2;
    return t;
}

bool cli_is_run(const char *path)
{
    char *ini = gs_path_join(path, "config.ini");
    const bool is = gs_dir_exists(path) && gs_file_exists(ini);

    free(ini);
    return is;
}

bool cli_is_safetensors(const char *path)
{
    uint8_t head[9];
    FILE *f = fopen(path, "rb");
    const bool nine = f && fread(head, 1, sizeof head, f) == sizeof head;

    if (f) fclose(f);
    return nine && head[8] == '{' && !head[7] && !head[6] && !head[5]; /* 2^40 bytes of header are none */
}

static gs_status check_system(const char *path)
{
    char *name = NULL;
    const char *near;
    gs_status st = gs_config_peek(path, "model", "system", &name);

    if (st == GS_OK && !name) st = gs_fail(GS_ECONFIG, "%s: [model] system is missing; this program trains: cgan", path);
    if (st == GS_OK && strcmp(name, systems[0]) != 0) {
        near = gs_nearest(name, systems, (int)GS_COUNT(systems));
        st = gs_fail(GS_ECONFIG, "%s: [model] system = %.40s: this program trains: cgan%s", path, name, near ? " (did you mean that?)" : "");
    }
    free(name);
    return st;
}

gs_status cli_config_load(const char *path, const cli_args *a, gs_config **config, gs_cgan_opts *o)
{
    gs_config *c = NULL;
    const char *setting;
    gs_status st;
    int n;
    const gs_config_table *tables = cli_config_tables(&n);

    TRY(check_system(path));
    c = gs_config_new(tables, n);
    TRY(gs_config_load(c, path));
    for (int i = 0; (setting = cli_nth(a, "set", i)); i++) TRY(gs_config_set(c, setting));
    TRY(gs_config_check(c));
    st = gs_cgan_configure(o, gs_config_text, c);
    if (st != GS_OK) gs_fail_in(st, "%s", path);
done:
    if (st != GS_OK) {
        gs_config_free(c);
        c = NULL;
    }
    *config = c;
    return st;
}

gs_status cli_device_open(const cli_args *a, const gs_config *config, gs_device **out)
{
    const char *spec = cli_text(a, "device");

    if (!spec && config && !gs_config_is_auto(config, "run", "device")) spec = gs_config_str(config, "run", "device");
    return gs_device_open(spec, out);
}
