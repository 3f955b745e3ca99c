/* The labelled data that [data] names, as the networks want it: size and range of labels checked, pictures of
 * image_size. Training and evaluation read their real pictures through this, so that both see the same. */
#ifndef GS_TRAIN_DATASET_H
#define GS_TRAIN_DATASET_H

#include "data/idx.h"
#include "train/config.h"

typedef struct gs_dataset_opts {
    int side, channels, classes; /* what the networks take */
    bool train_only;             /* leave the test pictures out */
} gs_dataset_opts;

typedef struct gs_dataset {
    bool bars;                /* drawn anew for each batch (data/bars.h): the sets below are empty */
    gs_labelled train, test;  /* side x side pictures; test is empty where the source has none (folder) or
                               * with train_only */
    char **names;             /* the classes' names where the source has them (folder), else NULL */
    int n_names;
} gs_dataset;

/* Keys data.dataset, data_dir, train_images ..., resize, n_validation, n_digits. GS_ECONFIG for keys that do
 * not fit each other (bars of another size), else what reading gives. *out is empty after a failure. */
gs_status gs_dataset_open(const gs_config *c, const gs_dataset_opts *o, gs_dataset *out);
void gs_dataset_free(gs_dataset *d);

#endif
