/* Shared by classifier.c and classifier_cache.c. */
#ifndef GS_EVAL_CLASSIFIER_INT_H
#define GS_EVAL_CLASSIFIER_INT_H

#include "base/base.h"
#include "eval/classifier.h"
#include "gesso/gesso.h"

struct gs_classifier {
    gs_device *device;
    gs_store *store;
    gs_plan *plan;      /* a batch of pictures in, logits and features out */
    int c, h, w, classes;
    int64_t params;
    bool cached;
    float *in, *out;    /* a batch each */
};

/* Fills the store from a cache file; false when it is missing or not exactly right (said by a warning), and
 * then the store is as it was. */
bool gs__classifier_load(gs_classifier *c, const char *path);
/* Writes the trainable tensors; a failure is a warning. */
void gs__classifier_save(gs_classifier *c, const char *path);

#endif
