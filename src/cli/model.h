/* What an operand CONFIG, RUN or FILE stands for. */
#ifndef GS_CLI_MODEL_H
#define GS_CLI_MODEL_H

#include "cli/cli.h"
#include "gesso/device.h"
#include "train/system.h"

/* True for a folder with a config.ini: a run. */
bool cli_is_run(const char *path);
/* True when the file begins like a safetensors file: a header length that fits it, then an opening brace. */
bool cli_is_safetensors(const char *path);
/* GS_EFORMAT with what to do when the file is a PyTorch archive (zip or bare pickle), else GS_OK. */
gs_status cli_refuse_pickle(const char *path);

/* The values of a repeating option as an array for gs_setup_load; *n. Free the array with free(). */
const char **cli_values(const cli_args *a, const char *name, int *n);
/* Opens the device of --device, else the configuration's (NULL: none), else the default. */
gs_status cli_device_open(const cli_args *a, const gs_config *config, gs_device **out);

/* "G" or "G." -> the system's prefix "G."; NULL -> NULL. GS_EUSAGE names the networks there are. */
gs_status cli_network(const gs_system *system, const char *name, const char **prefix);
/* Makes it the configuration of a file of weights alone, which has no averages beside them, whatever the run was told. */
gs_status cli_without_averages(gs_config *config);

#endif
