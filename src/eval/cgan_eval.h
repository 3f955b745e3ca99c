/* Evaluation of a class-conditional generator: does it draw the class it was asked for, how varied, how near
 * to real pictures?
 *
 *   accuracy   share of pictures that the reference classifier (classifier.h) puts into the class asked for;
 *              confusion matrix
 *   diversity  per class, spread of the generated pictures divided by that of real ones: 1 is as varied as the data
 *   frechet    distance of the classifier's features, generated against test pictures ("FID-MNIST": not
 *              comparable with the distances on Inception's features), with the distance between training and
 *              test pictures as the floor
 *   parzen     log-likelihood of test pictures under Parzen windows on generated ones; the width is chosen on
 *              training pictures
 *   bars       for the drawn "bars" set only: nearest prototype and distance to it
 *
 * Pictures are drawn class by class and not kept, but for one class at a time. */
#ifndef GS_EVAL_CGAN_EVAL_H
#define GS_EVAL_CGAN_EVAL_H

#include <cjson/cJSON.h>

#include "eval/classifier.h"
#include "eval/parzen.h"
#include "eval/source.h"
#include "train/snapshot.h"

enum {
    GS_EVAL_ACCURACY = 1, GS_EVAL_DIVERSITY = 2, GS_EVAL_FRECHET = 4, GS_EVAL_PARZEN = 8,
    GS_EVAL_ALL = 15,
    GS_EVAL_BARS = 16,
};

/* Adds the metric of that name to *mask ("all": the first four). GS_EUSAGE lists the names and suggests the nearest. */
gs_status gs_cgan_metric_parse(const char *name, unsigned *mask);

#define GS_EVAL_SIGMAS 10

typedef struct gs_cgan_eval_opts { /* zero value: everything, 1000 pictures a class */
    unsigned metrics;              /* 0: GS_EVAL_ALL */
    int per_class;                 /* 0: 1000; at least 2, at most 100000 */
    int n_validation;              /* training pictures, the last ones, that choose Parzen's width; 0: 10000,
                                    * at most half of them */
    uint64_t seed;                 /* of the generator's noise (gs_cgan_eval_run) */
    gs_classifier_opts classifier; /* its progress is used for all */
} gs_cgan_eval_opts;

typedef struct gs_cgan_eval {
    unsigned metrics;              /* what was measured */
    int classes, per_class;
    double seconds;

    int64_t classifier_params;
    int n_test;
    double classifier_accuracy;    /* on the test pictures: no generator can be judged better than this */

    int64_t *confusion;            /* classes * classes: [asked][seen] */
    double accuracy, accuracy_se;  /* se = sqrt(p (1 - p) / n) */
    double *class_accuracy, *class_accuracy_se; /* classes */

    double *std_ratio, *l2_ratio;  /* classes; NaN where the data have fewer than 2 pictures of a class, or no spread */
    double std_mean, l2_mean;      /* over the classes that have a figure */

    double frechet, frechet_mean_term;
    double frechet_floor;          /* training against test pictures */
    int n_floor;                   /* training pictures in it */

    double sigma[GS_EVAL_SIGMAS];
    gs_parzen_result validation[GS_EVAL_SIGMAS], parzen; /* parzen: test pictures at the best width */
    int best_sigma;

    double bars_accuracy, bars_rms; /* root mean square distance to the right prototype, in [-1,1] units */
} gs_cgan_eval;

/* Evaluates a source against a data set of the same picture size. test NULL or empty: every sixth training
 * picture is set apart for it. GS_ESHAPE when sizes differ, GS_EINVAL for bad counts, or what the source, the
 * classifier and the device report. */
gs_status gs_cgan_eval_source(gs_device *d, const gs_source *s, const gs_labelled *train, const gs_labelled *test, const gs_cgan_eval_opts *o,
                              gs_cgan_eval *out);
/* The "bars" figures of a source of 8 x 8 grey pictures in ten classes: per_class pictures of each. */
gs_status gs_bars_eval_source(const gs_source *s, int per_class, gs_cgan_eval *out);
/* Evaluates the generator of a snapshot against the data set of its configuration (of "bars": the bars
 * figures only). GS_EUSAGE when the system has no classes, or when a metric is asked for that the data set
 * does not have. */
gs_status gs_cgan_eval_run(gs_device *d, const gs_snapshot *s, const gs_cgan_eval_opts *o, gs_cgan_eval *out);
void gs_cgan_eval_free(gs_cgan_eval *e); /* frees the arrays, empties the struct */

/* rows: confusion[classes * classes] -> overall share on the diagonal; per_class (may be NULL) the same of
 * each row, NaN for an empty one. */
double gs_confusion_accuracy(const int64_t *confusion, int classes, double *per_class);

/* Report for people, appended to s; for machines (the caller deletes it; numbers that are not finite are
 * null); and the confusion matrix as a picture (GS_EINVAL when accuracy was not measured or there are more
 * than 64 classes). */
void gs_cgan_eval_text(const gs_cgan_eval *e, gs_str *s);
cJSON *gs_cgan_eval_json(const gs_cgan_eval *e);
gs_status gs_cgan_eval_plot(const gs_cgan_eval *e, const char *path);

#endif
