/* gesso bench: what a device can do at most, and what kernels and training steps reach of it. */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "cli/cli.h"

static const cli_option options[] = {
    { 'p', "peaks", .type = CLI_FLAG, .help = "multiply-adds, bandwidth, launches, transfers" },
    { 'O', "ops", .type = CLI_FLAG, .help = "products, convolutions, normalisation and the rest at the shapes of the systems' layers" },
    { 'm', "models", .type = CLI_FLAG, .help = "training steps: time, memory, cold and warm start" },
    CLI_DEVICE,
    { 's', "seconds", "N", CLI_INT, 1, 86400, "300", .help = "for everything; what has no turn by then is listed, what has begun is finished" },
    { 'c', "case", "PATTERN", CLI_TEXT, .help = "only ops and models of that name; * and ? stand for any, a comma parts several: 'conv/*/dx,gemm/64x*'" },
    { 'j', "json", "FILE", CLI_TEXT, .help = "write the result to FILE too, for \"gesso bench compare\"; -: to standard output, no text" },
    { 0, "no-starts", .type = CLI_FLAG, .help = "leave out cold and warm starts" },
    { 'l', "list", .type = CLI_FLAG, .help = "measure nothing: print all cases with shape and origin as JSON" },
    { 0, "first-step", "MODEL", CLI_TEXT, .help = "measure nothing: run one step of cgan/concat, or of a configuration, and say when it is done" },
    { 'r', "rounds", "CASE", CLI_TEXT,
      .help = "prepare one op, model or configuration; then run as often as each line of standard input says, and print the seconds" },
};

static void progress(void *user, const char *what)
{
    (void)user;
    fprintf(stderr, "\r\033[K%s", what);
    fflush(stderr);
}

static gs_status write_json(cJSON *json, const char *path)
{
    char *text = cJSON_Print(json);
    const gs_status st = text ? gs_file_write(path, text, strlen(text)) : gs_fail(GS_ENOMEM, "%s: no memory for the result's text", path);

    cJSON_free(text);
    return st;
}

static gs_status run(const cli_args *a)
{
    const char *json_path = cli_text(a, "json");
    const bool to_stdout = json_path && strcmp(json_path, "-") == 0, show = isatty(STDERR_FILENO) && !cli_quiet(a);
    const int n = cli_operands(a);
    const char **configs = gs_xalloc((size_t)(n + 1) * sizeof *configs);
    gs_bench_opts o = {
        .peaks = cli_given(a, "peaks"), .ops = cli_given(a, "ops"), .models = cli_given(a, "models") || n > 0, .device = cli_text(a, "device"),
        .only = cli_text(a, "case"), .seconds = (double)cli_int(a, "seconds"), .configs = configs, .n_configs = n,
        .program = cli_given(a, "no-starts") ? NULL : "/proc/self/exe", .progress = show ? progress : NULL,
    };
    cJSON *result = NULL;
    gs_status st = GS_OK;
    int wrong;

    for (int i = 0; i < n; i++) configs[i] = cli_operand(a, i);
    if (cli_given(a, "list")) {
        cli_print_json(gs_bench_list(o.only));
        goto done;
    }
    if (cli_given(a, "first-step")) {
        st = gs_bench_first_step(o.device, cli_text(a, "first-step"), stdout);
        goto done;
    }
    if (cli_given(a, "rounds")) {
        st = gs_bench_rounds(o.device, cli_text(a, "rounds"), stdin, stdout);
        goto done;
    }
    st = gs_bench_run(&o, &result);
    if (show) fprintf(stderr, "\r\033[K");
    TRY(st);
    if (json_path && !to_stdout) TRY(write_json(result, json_path));
    wrong = gs_bench_wrong(result);
    if (to_stdout) {
        cli_print_json(result);
        result = NULL;
    } else {
        gs_bench_print(result, stdout);
    }
    if (wrong) st = gs_fail(GS_EDEVICE, "bench: %d result%s wrong or failed", wrong, wrong == 1 ? " is" : "s are");
done:
    cJSON_Delete(result);
    free(configs);
    return st;
}

const cli_command cli_bench = {
    .name = "bench", .operands = "[CONFIG]...", .summary = "Measures a device: peaks, ops, training steps",
    .about = "Without a choice of suites all three. Medians of several samples with their spread (median absolute deviation); beside each figure the\n"
             "largest distance of the result from the double-precision reference. Exit status 1 when a result is wrong.\n"
             "Training steps are those of every profile of every system, on drawn pictures where it wants files, or of the CONFIGs.\n"
             "docs/BENCHMARKING.md says how to measure and how to read it.",
    .max_operands = 64, .options = options, .n_options = (int)GS_COUNT(options), .run = run,
};
