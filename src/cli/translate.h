/* gesso generate for systems that translate pictures. */
#ifndef GS_CLI_TRANSLATE_H
#define GS_CLI_TRANSLATE_H

#include "cli/cli.h"
#include "gesso/device.h"
#include "train/snapshot.h"

/* Translates --input (a picture, or a folder with all below it) into the folder `out`, names and subfolders
 * kept, as PNG. Options: direction, heatmaps, keep-size, quiet. A picture of a folder that cannot be read is
 * a warning, a single one an error. */
gs_status cli_translate(const cli_args *a, const gs_snapshot *s, gs_device *d, const char *out);

#endif
