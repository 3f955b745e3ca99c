/* `gesso data info`: what a file or folder of data holds, and what is wrong with it. */
#ifndef GS_DATA_INFO_H
#define GS_DATA_INFO_H

#include "base/base.h"

/* Looks at path, which is a folder of IDX files, a folder of pictures (with or without class subfolders), one
 * IDX file or one picture, and writes a report to out: text, or one JSON object. All data are read, so that
 * damage is found. Returns GS_OK when nothing is wrong; GS_EFORMAT after a report that lists problems;
 * GS_EIO, without a report, when there is nothing at path or the report cannot be written. */
gs_status gs_data_info(const char *path, FILE *out, bool json);

#endif
