/* A run while it works: what trainer.c (the loop), run_folder.c (its folder), run_state.c (checkpoints) and
 * run_report.c (numbers and pictures) share. */
#ifndef GS_TRAIN_TRAINER_INT_H
#define GS_TRAIN_TRAINER_INT_H

#include "io/events.h"
#include "train/metrics.h"
#include "train/progress.h"
#include "train/snapshot.h"
#include "train/system.h"
#include "train/trainer.h"

#define GS__SUMS "train.sums"             /* variable: sums of the metrics since the last read, then the number of good steps */
#define GS__EPOCH_SUMS "train.epoch_sums" /* in checkpoints: sums of the metrics over this epoch's read windows */
#define GS__GRID_Z "train.grid_z"         /* in checkpoints: latent vectors of the sample grids */

typedef struct gs__step_plan { int batch; gs_plan *plan; } gs__step_plan;

typedef struct gs__run {
    const gs_train_opts *o;
    gs_setup *setup;
    const gs_system *system;
    char *dir, *checkpoints; /* folders */
    int lock;                /* file descriptor that holds the folder; -1: none */
    uint64_t seed;

    gs_device *device;
    gs_store *store;
    gs__step_plan plans[2];  /* for whole batches, and for the last one of an epoch */
    int n_plans;
    gs_setup_memory need;    /* and work, as planned */
    gs_sampler *sampler;     /* made for the first grid */
    float *grid_z;           /* (n_row, latent): of grids with fixed z */
    int n_row;

    gs_position at;
    int64_t n_epochs, n_steps; /* where the run ends: by epochs, and by the limit of steps, whichever is first */
    int64_t saved;           /* step of the newest checkpoint; -1: none */
    int window;              /* steps since the sums were read and set to zero */
    double window_sums[GS_MAX_METRICS];
    double epoch_sums[GS_MAX_METRICS];
    double epoch_start;      /* time */

    gs__show show;
    gs_metrics *metrics, *epochs;
    gs_metrics *watched;     /* NULL: the system watches nothing */
    gs_events *events;
    char grid_path[4096];    /* the newest grid */
    int64_t grid_step;
} gs__run;

/* ---- run_folder.c ---- */

/* Reads the configuration and finds the run's folder: setup, dir, checkpoints; *resume as asked for or implied. */
gs_status gs__run_configure(gs__run *r, bool *resume);
/* Makes or takes over the folder, and writes config.ini. Refuses a folder that holds a run, one that another
 * process works in, and to resume with another configuration. */
gs_status gs__run_enter(gs__run *r, bool resume);
void gs__run_leave(gs__run *r);
/* Variants of kernels round differently, so a run keeps to those it began with, whatever is tuned meanwhile:
 * a resumed one takes the folder's copy of the device's store, before anything is planned. A copy that is
 * damaged, of another device, or that uses what is known to be wrong by now is a warning. A run of which no
 * copy is there began without choices. */
gs_status gs__run_use_tuning(gs__run *r, bool resume);
/* Writes the copy, once the folder is the run's own. */
gs_status gs__run_keep_tuning(gs__run *r);

/* ---- run_state.c ---- */

/* Adds the running sums to a step's graph that has the output "metrics". */
void gs__sums_build(gs_graph *g, int n_metrics);
/* Reads the sums of the window. GS_ENUMERIC: a metric or a parameter stopped being a number; step and tensor
 * are named. */
gs_status gs__sums_read(gs__run *r);
/* Adds what was read to the epoch's sums and starts a new window. */
gs_status gs__sums_flush(gs__run *r);
/* Writes a checkpoint, unless the newest one is of this step. Bad numbers are not written: GS_ENUMERIC. */
gs_status gs__state_save(gs__run *r);
/* Warns when the folder's disk has less room than the checkpoints of the whole run will take, `bytes` each. */
void gs__state_room(const gs__run *r, size_t bytes);
/* The newest valid checkpoint into store, position and sums; GS_OK with *found = false when the folder has none. */
gs_status gs__state_load(gs__run *r, bool *found);
/* "; the last good checkpoint is PATH" or "; there is no checkpoint", appended to the recorded sentence of st. */
gs_status gs__fail_with_checkpoint(const gs__run *r, gs_status st);

/* ---- run_report.c ---- */

/* Opens metrics and events at the present position. */
gs_status gs__report_open(gs__run *r, bool resume);
void gs__report_close(gs__run *r);
/* Shows a line and adds it to log.txt. */
gs_status gs__report_line(gs__run *r, const char *text);
/* After a step: the log line of its batch. metrics: of this batch. */
gs_status gs__report_batch(gs__run *r, const float *metrics);
/* Every sample.sample_interval_batches steps: a line of the tensors that the system watches. Not at a run's
 * end, where an interrupted one would differ. */
gs_status gs__report_watched(gs__run *r);
/* After an epoch, the position being at the next: line of means, charts. */
gs_status gs__report_epoch(gs__run *r);
/* Draws the grid of samples: samples/<kind>_<number with so many digits>.png. A picture that cannot be
 * written is a warning: training goes on. */
gs_status gs__report_grid(gs__run *r, const char *kind, int digits, int64_t number);

#endif
