/* What an operand CONFIG, RUN or FILE stands for, and its options as a system understands them. */
#ifndef GS_CLI_MODEL_H
#define GS_CLI_MODEL_H

#include "cli/cli.h"
#include "gesso/device.h"
#include "models/cgan.h"
#include "train/config.h"

/* The tables of keys, those of every system first; *n. What `gesso help config` prints. */
const gs_config_table *cli_config_tables(int *n);

/* True for a folder with a config.ini: a run. */
bool cli_is_run(const char *path);
/* True when the file begins like a safetensors file: a header length that fits it, then an opening brace. */
bool cli_is_safetensors(const char *path);

/* The configuration of an INI file with the settings of the option --set on top, checked, and the system's options from it. *config is freed
 * by gs_config_free. GS_ECONFIG, GS_EIO. */
gs_status cli_config_load(const char *path, const cli_args *a, gs_config **config, gs_cgan_opts *o);

/* Opens the device of --device, else the configuration's (NULL: none), else the default. */
gs_status cli_device_open(const cli_args *a, const gs_config *config, gs_device **out);

#endif
