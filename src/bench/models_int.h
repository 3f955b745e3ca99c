/* What models.c, steps.c and step_check.c share: a model that is measured, and its steps on a device. */
#ifndef GS_BENCH_MODELS_INT_H
#define GS_BENCH_MODELS_INT_H

#include "bench/bench_int.h"
#include "train/system.h"

#define GS__SEED 0 /* of all steps */

typedef struct gs__model {
    char id[64];
    const gs_system *system; /* NULL: a configuration's path */
    char profile[32];
    const char *path;
} gs__model;

/* A profile of a system by its id ("cgan/paper"); any other name: the path of a configuration. */
void gs__model_find(const char *name, gs__model *m);
/* A configuration's setup; a profile's with drawn pictures where it wants files. batch: replaces the configuration's; 0: its own. */
gs_status gs__model_setup(const gs__model *m, int batch, gs_setup **out);

typedef struct gs__work {
    gs_device *d;
    gs_setup *setup;
    gs_store *store;
    gs_graph *g;
    gs_plan *plan;
    gs_position at;
    int batch, whole; /* pictures a step; batches of that size in an epoch */
} gs__work;

/* Everything up to the first step. batch: see gs__model_setup. inputs: the step's inputs become outputs "in.NAME" too, for the reference.
 * gs__work_free frees what w holds, after a failure too. */
gs_status gs__work_open(gs_device *d, const gs__model *m, int batch, bool inputs, gs__work *w);
void gs__work_free(gs__work *w);
/* Feeds and enqueues the next step of a gs__work. */
gs_status gs__work_step(void *work);

/* Adds the distances of the first step of `batch` pictures as "check" to o; *right: are they within their limits? */
gs_status gs__step_check(gs_device *d, const gs__model *m, int batch, cJSON *o, bool *right);

#endif
