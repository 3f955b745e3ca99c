/* Tuning: for each class of products and convolutions that training steps have, which variant is the fastest
 * on a device.
 *
 * A candidate takes the preset's place when its median time is lower by more than the spread of both and its
 * result agrees with the preset's. What was found is in the device's store (device/tuning.h) as soon as a
 * class is done, so tuning can be stopped at any moment and goes on where it was. */
#ifndef GS_BENCH_TUNE_H
#define GS_BENCH_TUNE_H

#include "device/tuning.h"

/* Largest difference between two variants' results over the largest value of the preset's: other orders of
 * sums and Winograd's transforms stay below. */
#define GS_TUNE_AGREES 1e-4

typedef struct gs_tune_progress {
    int done, total;         /* classes, this one included; those that the store had already are done */
    double eta;              /* seconds; negative while unknown */
    const char *class;
    bool before;             /* called before the class is measured; else after, and then: */
    const gs_choice *choice; /* NULL when it could not be measured */
    const char *why;         /* then why not */
} gs_tune_progress;

typedef struct gs_tune_opts {
    const char *const *configs; /* n_configs INI files; none: every profile of every system */
    int n_configs;
    const char *const *set;     /* n_set settings "section.key=value" over each of them */
    int n_set;
    bool data;                  /* open the configurations' data too, for the size of the last batch of an epoch */
    bool again;                 /* measure what the store has already, too */
    void (*progress)(void *user, const gs_tune_progress *p); /* may be NULL */
    bool (*stop)(void *user);   /* asked between samples; true: end. NULL: never */
    void *user;
} gs_tune_opts;

typedef struct gs_tune_result {
    int classes;    /* of the configurations, that more than one variant could do */
    int measured;   /* now */
    int changed;    /* of these: another variant than the preset is used from now on */
    int failed;     /* could not be measured */
    double seconds;
} gs_tune_result;

/* GS_ESTOPPED when stop() ended it; GS_EDEVICE for a device that computes nothing; GS_EIO when the store
 * cannot be written; errors of configurations. *out is filled as far as things went. */
gs_status gs_tune(gs_device *d, const gs_tune_opts *o, gs_tune_result *out);

/* ---- for tests ---- */

typedef struct gs_tune_sample { double median, mad; bool agrees; } gs_tune_sample; /* seconds */
/* The index of the sample that is used: n samples, the preset is the first. */
int gs__tune_pick(const gs_tune_sample *s, int n);

#endif
