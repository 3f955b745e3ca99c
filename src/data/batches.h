/* Mini-batches of a labelled set in memory, by random access: batch `index` of epoch `epoch` depends on the set, the
 * options and these two numbers only, so that a resumed run repeats an uninterrupted one. */
#ifndef GS_DATA_BATCHES_H
#define GS_DATA_BATCHES_H

#include "data/labelled.h"

typedef struct gs_batches_opts {
    int batch;       /* pictures in a batch, >= 1 */
    uint64_t seed;   /* of the permutations; each epoch has its own */
    bool drop_last;  /* leave out a last batch that is not full */
    int min_last;    /* leave out a last batch smaller than this (2 for networks with batch normalisation); 0: none */
    bool in_order;   /* no shuffling, for evaluation */
    bool unit_range; /* floats p/255 in [0,1] instead of p/127.5 - 1 in [-1,1] */
    bool prefetch;   /* a thread prepares the batch that follows the one just taken */
} gs_batches_opts;

typedef struct gs_batches gs_batches;

/* The set is not copied and must outlive *b. GS_EINVAL: batch < 1; GS_ECONFIG: an epoch would have no batch. */
gs_status gs_batches_new(gs_batches **b, const gs_labelled *set, const gs_batches_opts *o);
void gs_batches_free(gs_batches *b); /* accepts NULL */

/* Batches in an epoch. */
int gs_batches_count(const gs_batches *b);

/* Fills images[n][c][h][w] (channels as planes, unlike in the set) and labels[n]; both need room for a full batch.
 * index is 0..count-1. Returns n, the true size of this batch. Not for several threads at once. */
int gs_batches_get(gs_batches *b, int64_t epoch, int index, float *images, int32_t *labels);

#endif
