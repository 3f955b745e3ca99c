/* gesso export: weights for the original implementations, under the keys of their state dicts. A copy, as import is (cmd_import.c). */
#include <string.h>

#include "cli/model.h"
#include "io/safetensors.h"
#include "train/snapshot.h"

static const cli_option export_options[] = {
    { 0, "net", "NET", CLI_TEXT, .help = "this network (G, D; genA2B, ...) alone, its keys without a prefix; default: all, with prefixes" },
    { 0, "last", .type = CLI_FLAG, .help = "of a run with train.ema: the last weights, not their averages" },
    { 0, "config", "INI", CLI_TEXT, .help = "configuration of a file that carries none" },
    CLI_OUT("safetensors file to write"),
};

/* The tensor to be written for t: its average, where the file has one and last is not asked for. */
static const gs_st_tensor *averaged(const gs_st_file *f, const gs_st_tensor *t, bool last)
{
    const gs_st_tensor *average = NULL;
    gs_str name = { 0 };

    gs_str_printf(&name, GS_AVERAGED "%s", t->name);
    if (!last) average = gs_st_find(f, gs_str_c(&name));
    gs_str_free(&name);
    return average ? average : t;
}

static gs_status export(const cli_args *a)
{
    const char *out = cli_text(a, "output"), *net = NULL;
    gs_st_writer *w = gs_st_writer_new();
    gs_snapshot *snapshot = NULL;
    const gs_st_file *f;
    const gs_setup *setup;
    gs_str config = { 0 };
    gs_status st;
    int n = 0;

    if (!out) TRY(gs_fail(GS_EUSAGE, "export: where to? -o FILE.safetensors"));
    TRY(cli_refuse_pickle(cli_operand(a, 0)));
    TRY(gs_snapshot_open(cli_operand(a, 0), cli_text(a, "config"), &snapshot));
    setup = gs_snapshot_setup(snapshot);
    TRY(cli_network(setup->system, cli_text(a, "net"), &net));
    f = gs_snapshot_file(snapshot);
    for (const char *const *p = setup->system->networks; *p; p++) {
        if (net && strcmp(net, *p) != 0) continue;
        for (int i = 0; i < gs_st_count(f); i++) {
            const gs_st_tensor *t = gs_st_at(f, i);
            const char *key;

            if (strncmp(t->name, *p, strlen(*p)) != 0) continue;
            key = t->name + (net ? strlen(net) : 0);
            t = averaged(f, t, cli_given(a, "last"));
            gs_st_writer_add(w, key, t->dtype, t->rank, t->shape, t->data);
            n++;
        }
    }
    if (n == 0) TRY(gs_fail(GS_EFORMAT, "%s: no tensors of network %s", gs_snapshot_path(snapshot), net ? net : "G"));
    gs_st_writer_meta(w, "format", "pt");
    gs_st_writer_meta(w, "system", setup->system->name);
    if (!net) { /* complete in itself: generate reads it as it stands */
        TRY(cli_without_averages(setup->config));
        gs_config_write(setup->config, &config);
        gs_st_writer_meta(w, "config", gs_str_c(&config));
    }
    TRY(gs_st_writer_save(w, out));
    if (!cli_quiet(a)) fprintf(stderr, "%s: %d tensors\n", out, n);
done:
    gs_str_free(&config);
    gs_st_writer_free(w);
    gs_snapshot_close(snapshot);
    return st;
}

const cli_command cli_export = {
    .name = "export", .operands = "RUN|FILE", .summary = "Writes weights for the Python originals",
    .about = "A safetensors file with the keys of the originals' state dicts. In Python: G.load_state_dict(safetensors.torch.load_file(path)).",
    .min_operands = 1, .max_operands = 1, .options = export_options, .n_options = (int)GS_COUNT(export_options), .run = export,
};
