/* gesso bench compare: results of several runs side by side. */
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "cli/cli.h"

static const cli_option options[] = {
    { 'b', "base", "N|FILE", CLI_TEXT, .preset = "1", .help = "what the others are held against: its number, or its name" },
    { 'o', "output", "FILE", CLI_TEXT, .help = "write a report as one HTML file with charts too" },
};

static gs_status find_base(const cli_args *a, int *base)
{
    const char *text = cli_text(a, "base");
    const int n = cli_operands(a);
    int64_t number;

    if (gs_parse_i64(text, &number) && number >= 1 && number <= n) {
        *base = (int)number - 1;
        return GS_OK;
    }
    for (*base = 0; *base < n; (*base)++)
        if (strcmp(cli_operand(a, *base), text) == 0) return GS_OK;
    return gs_fail(GS_EUSAGE, "bench compare: --base %.60s is neither a number from 1 to %d nor one of the files", text, n);
}

static gs_status run(const cli_args *a)
{
    gs_bench_file files[GS_BENCH_FILES] = { { 0 } };
    gs_bench_comparison c = { 0 };
    const int n = cli_operands(a);
    int base;
    gs_status st;

    TRY(find_base(a, &base));
    for (int i = 0; i < n; i++) TRY(gs_bench_load(cli_operand(a, i), &files[i]));
    TRY(gs_bench_compare(files, n, base, &c));
    gs_bench_compare_print(&c, stdout);
    if (cli_given(a, "output")) TRY(gs_bench_compare_html(&c, cli_text(a, "output")));
done:
    gs_bench_comparison_free(&c);
    for (int i = 0; i < GS_BENCH_FILES; i++) gs_bench_file_free(&files[i]);
    return st;
}

const cli_command cli_bench_compare = {
    .name = "bench compare", .operands = "A.json B.json ...", .summary = "Holds results of \"gesso bench --json\" against each other",
    .about = "Speeds are relative to the base: 2.00 is twice as fast. ~ marks differences no larger than what the samples of both vary by.\n"
             "Rows that were measured with other parameters are not compared, and say so; results that differ beyond rounding are marked.",
    .min_operands = 2, .max_operands = GS_BENCH_FILES, .options = options, .n_options = (int)GS_COUNT(options), .run = run,
};
