/* gesso ops: the op table, as text or as docs/ops.md. */
#include "cli/cli.h"
#include "graph/graph.h"

static const cli_option options[] = {
    { 0, "markdown", .type = CLI_FLAG, .help = "the same as a document: docs/ops.md" },
};

static gs_status run(const cli_args *a)
{
    gs_str s = { 0 };

    if (cli_given(a, "markdown")) gs_ops_markdown(&s);
    else gs_ops_text(&s);
    fputs(gs_str_c(&s), stdout);
    gs_str_free(&s);
    return GS_OK;
}

const cli_command cli_ops = {
    .name = "ops", .operands = "", .summary = "Prints the table of ops that graphs are made of",
    .options = options, .n_options = (int)GS_COUNT(options), .run = run,
};
