/* The table of commands, in the order of the help. A new command is one file, one declaration and one line here. */
#include "cli/cli.h"

extern const cli_command cli_devices, cli_train, cli_generate, cli_eval, cli_info, cli_check, cli_tune_command, cli_bench,
    cli_bench_compare, cli_data_make, cli_data_info, cli_import, cli_export, cli_ops, cli_help;

const cli_command *const cli_commands[] = {
    &cli_devices, &cli_train, &cli_generate, &cli_eval, &cli_info, &cli_check, &cli_tune_command, &cli_bench,
    &cli_bench_compare, &cli_data_make, &cli_data_info, &cli_import, &cli_export, &cli_ops, &cli_help, NULL,
};
