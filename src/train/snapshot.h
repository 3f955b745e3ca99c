/* Trained networks as files, and pictures from them: what generate, eval and info open.
 *
 * A snapshot is read from a run folder (its newest valid checkpoint), a checkpoint or any other safetensors
 * file with the metadata "config"; files from elsewhere need a configuration beside them. It needs no device;
 * a sampler does. */
#ifndef GS_TRAIN_SNAPSHOT_H
#define GS_TRAIN_SNAPSHOT_H

#include "train/system.h"

typedef struct gs_snapshot gs_snapshot;

/* Opens and checks: every parameter and buffer of the generator (of one, where there are several) must be
 * there, everything there must belong to the system, with the shape that the configuration gives. GS_EFORMAT
 * names file and tensor; GS_EIO; GS_ECONFIG.
 *   config  NULL: that of the file's metadata; else an INI file to be used in its place */
gs_status gs_snapshot_open(const char *path, const char *config, gs_snapshot **out);
void gs_snapshot_close(gs_snapshot *s); /* accepts NULL */

const char *gs_snapshot_path(const gs_snapshot *s);  /* of the file */
int64_t gs_snapshot_step(const gs_snapshot *s);      /* -1: not said */
int64_t gs_snapshot_epoch(const gs_snapshot *s);     /* epochs done; -1: not said */
const gs_setup *gs_snapshot_setup(const gs_snapshot *s); /* configuration, system, options */
gs_picture_info gs_snapshot_picture(const gs_snapshot *s);
const gs_st_file *gs_snapshot_file(const gs_snapshot *s);
/* Of a system that translates: whether all tensors of that direction's networks are there. */
bool gs_snapshot_has_direction(const gs_snapshot *s, int direction);
/* Fills the store's tensors that the file has; a tensor of the store below `prefix` that the file lacks is
 * GS_EFORMAT. */
gs_status gs_snapshot_fill(const gs_snapshot *s, gs_store *store, const char *prefix);

#define GS_SAMPLE_BATCH 100 /* pictures that training draws at a time */

typedef struct gs_sampler gs_sampler;

typedef struct gs_sampler_opts {
    bool train_mode; /* with dropout and batch statistics */
    bool unit;       /* map pictures to [0,1] whatever the network's range; values are clamped */
} gs_sampler_opts;

/* Draws `batch` pictures at a time (what does not divide is filled up and cut off). s and d must outlive the
 * sampler. o may be NULL. */
gs_status gs_sampler_new(const gs_snapshot *s, gs_device *d, int batch, const gs_sampler_opts *o, gs_sampler **out);
void gs_sampler_free(gs_sampler *s); /* accepts NULL */
gs_picture_info gs_sampler_picture(const gs_sampler *s);
/* images[n][C][H][W] of labels[n]. Picture i has the latent vector i of the seed: the same on every device
 * and for every batch size. GS_EINVAL names a label that is out of range. */
gs_status gs_sampler_images(gs_sampler *s, float *images, const int32_t *labels, int n, uint64_t seed);
/* The same from given z[n][latent]; seed drives dropout in train_mode. */
gs_status gs_sampler_images_z(gs_sampler *s, float *images, const int32_t *labels, const float *z, int n, uint64_t seed);

/* For the trainer: on a store that is being trained, which must outlive the sampler. */
gs_status gs_sampler_on_store(const gs_setup *setup, gs_device *d, gs_store *store, int batch, const gs_sampler_opts *o,
                              gs_sampler **out);

#endif
