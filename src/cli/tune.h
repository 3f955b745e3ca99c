/* Tuning with its progress on the terminal and a stop by signals, for `gesso tune` and `gesso train --tune`. */
#ifndef GS_CLI_TUNE_H
#define GS_CLI_TUNE_H

#include "bench/tune.h"

/* Runs gs_tune and shows progress on stderr: a live line with the time left on a terminal, else a line a
 * class. lines: what is found goes to stdout, a line a class. quiet: nothing is shown. SIGINT and SIGTERM end
 * it with GS_ESTOPPED. */
gs_status cli_tune(gs_device *d, gs_tune_opts *o, bool quiet, bool lines, gs_tune_result *out);

/* "conv.y/...  conv.y/cpu:2  1.23 ms, conv.y/cpu:4 takes 1.60 ms" */
void cli_tune_line(const gs_choice *c, FILE *out);

#endif
