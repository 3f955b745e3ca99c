/* The reference classifier: a small convolutional net, trained by Gesso on the real pictures, that judges
 * generated ones.
 *
 *   x (N,C,H,W) in [0,1] -> conv 32 5x5, ReLU, max pool 2 -> conv 64 5x5, ReLU, max pool 2 -> linear 128,
 *   ReLU -> linear `classes`
 *
 * Adam 1e-3 (0.9, 0.999), batch 128, 5 epochs. 454,922 parameters for ten classes of 28 x 28 grey pictures;
 * about 99 % of MNIST's test pictures. The 128 values before the last layer are the features of the Frechet
 * distance.
 *
 * A trained classifier is kept under gs_cache_dir()/classifiers, in a file named after a hash of the
 * pictures, labels and recipe (not of the device: one data set has one judge, or figures could not be
 * compared). A file that is damaged or of another recipe counts as missing. Several processes may train the
 * same one; each writes the whole file at once. */
#ifndef GS_EVAL_CLASSIFIER_H
#define GS_EVAL_CLASSIFIER_H

#include "data/labelled.h"
#include "gesso/device.h"

#define GS_CLASSIFIER_FEATURES 128

typedef struct gs_classifier gs_classifier;

/* One line of what is going on; `final` is false for a line that the next one replaces (a live display). */
typedef void gs_eval_progress_fn(void *user, const char *line, bool final);
/* Writes to stderr: live lines on a terminal, final lines only otherwise. user is not used. */
void gs_eval_progress_stderr(void *user, const char *line, bool final);

typedef struct gs_classifier_opts { /* zero value: the recipe above */
    int epochs;      /* 0: 5 */
    int max_steps;   /* stop after so many updates; 0: no limit */
    uint64_t seed;
    bool no_cache;   /* neither read nor write the cache */
    gs_eval_progress_fn *progress; /* NULL: silent */
    void *user;
} gs_classifier_opts;

/* From the cache, else trained on `set` (sides of 4 or more, 2 classes or more). The device must outlive it.
 * o may be NULL. GS_EINVAL: a set that cannot be learned; GS_ENUMERIC: the loss became NaN; what the device
 * reports. A cache that cannot be written is a warning. */
gs_status gs_classifier_get(gs_device *d, const gs_labelled *set, const gs_classifier_opts *o, gs_classifier **out);
void gs_classifier_free(gs_classifier *c); /* accepts NULL */

/* images (n,C,H,W) in [0,1] -> logits (n,classes) and features (n,128); either may be NULL. Any n: worked off
 * in batches. */
gs_status gs_classifier_run(gs_classifier *c, const float *images, int n, float *logits, float *features);
/* The same of pictures first..first+n-1 of a set; predicted (n), features (n,128), either may be NULL.
 * GS_ESHAPE: a set of another size. */
gs_status gs_classifier_run_set(gs_classifier *c, const gs_labelled *set, int first, int n, int32_t *predicted, float *features);
/* Share of a set that it names rightly. */
gs_status gs_classifier_accuracy(gs_classifier *c, const gs_labelled *set, double *accuracy);

int64_t gs_classifier_params(const gs_classifier *c);
bool gs_classifier_from_cache(const gs_classifier *c);
/* Path of the cache file of a set and recipe, fresh (free()); NULL where there is no cache folder. */
char *gs_classifier_path(const gs_labelled *set, const gs_classifier_opts *o);
/* Index of the largest of n values, the first of equals. */
int gs_argmax_row(const float *v, int n);

#endif
