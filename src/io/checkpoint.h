/* A folder of checkpoints: step_<ten digits>.safetensors, one complete file for each stored step.
 *
 * A file counts as valid when it passes the safetensors reader, when its metadata "step" agrees with its name and when
 * its check sum (metadata "crc32") agrees with its content. What the tensors mean is the caller's affair. */
#ifndef GS_IO_CHECKPOINT_H
#define GS_IO_CHECKPOINT_H

#include "io/safetensors.h"

/* Path of the checkpoint of a step (>= 0); free with free(). */
char *gs_ckpt_path(const char *dir, int64_t step);
/* Writes the writer's tensors and metadata as the checkpoint of `step`, atomically, adding "step" and "crc32" to the
 * metadata; the folder is made when it is missing. Then removes checkpoints of earlier steps until `keep` of them are
 * left, this one included (keep <= 0: all stay). Those of later steps, left by a run that went further before it was
 * resumed from here, are not touched. A failure to remove is a warning, not an error. */
gs_status gs_ckpt_save(const char *dir, int64_t step, gs_st_writer *w, int keep);
/* Opens and verifies one checkpoint file. *step may be NULL. Close with gs_st_close. */
gs_status gs_ckpt_open(const char *path, int64_t *step, gs_st_file **out);
/* Opens the newest valid checkpoint; damaged ones are passed over with a warning that names them. GS_EIO when the
 * folder cannot be read or holds no checkpoint, GS_EFORMAT when it holds only damaged ones. */
gs_status gs_ckpt_open_newest(const char *dir, int64_t *step, gs_st_file **out);
/* Steps of the files in the folder, ascending, valid or not; free with free(). A missing folder has none. */
gs_status gs_ckpt_list(const char *dir, int64_t **steps, int *n);
/* Removes temporary files that an interrupted write has left. Only for the process that writes this folder. */
void gs_ckpt_clean(const char *dir);

#endif
