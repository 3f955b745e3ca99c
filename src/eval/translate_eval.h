/* Evaluation of a system that translates pictures between domains A and B, in either direction:
 *
 *   KID, FID   features (judge.h) of the translated test pictures of one domain against those of the other domain's
 *              own test pictures, and, as what there was to begin with, of the untranslated ones. Want Inception-v3's
 *              weights
 *   cycle      mean absolute difference of a picture and its translation there and back
 *   identity   of a picture of the target domain and its translation "into" its own domain
 *   colours    means and deviations of the channels: of the source, the translations, the target
 *   pairs      where a table says which picture of the other domain is the same thing: L1, PSNR, SSIM of translation
 *              and true partner, and of the untranslated picture and the partner
 *
 * Values of pixels lie in [0,1]. A picture is resized to the model's side as the system does it, and the translation
 * is rounded to 8 bits, as "gesso generate" would save it, before anything is measured; only what goes back in the
 * cycle is not. */
#ifndef GS_EVAL_TRANSLATE_EVAL_H
#define GS_EVAL_TRANSLATE_EVAL_H

#include <cjson/cJSON.h>

#include "eval/classifier.h"
#include "eval/metrics.h"
#include "models/inception.h"
#include "train/snapshot.h"

typedef struct gs_translate_eval_opts { /* zero value: what needs no weights and no table, of all pictures */
    const char *inception;  /* weights; NULL: no KID and FID */
    /* pictures of A and of B; NULL: the configuration's test folders, or its training folders where there are none */
    const char *folder[2];
    const char *direction;  /* "A2B"; NULL: all that the snapshot has */
    const char *pairs;      /* table; NULL: none */
    const char *pair_name[2]; /* see gs_pairs_read */
    int max_pictures;       /* of each domain, drawn by the seed; 0: all */
    gs_kid_protocol kid;    /* kid.seed also draws max_pictures */
    bool no_cache;          /* of features */
    gs_eval_progress_fn *progress; /* NULL: silent */
    void *user;
} gs_translate_eval_opts;

typedef struct gs_average { /* of a figure over pictures */
    double sum, square;
    int n;
} gs_average;
double gs_average_value(const gs_average *m);          /* NaN for none */
double gs_average_error(const gs_average *m);          /* standard error; 0 below two */

typedef struct gs_distance { /* from the target's own pictures */
    gs_kid_score kid;
    double fid, fid_mean_term;
} gs_distance;

typedef struct gs_pair_figures {
    gs_average l1, psnr, ssim;
} gs_pair_figures;

typedef struct gs_direction_eval {
    bool measured;
    gs_distance translated, untranslated; /* with has_distance */
    gs_average cycle, identity;              /* L1; n = 0: not measured (the way back is not in the file) */
    double mean[3][3], deviation[3][3];   /* [source, translated, target][R, G, B] */
    gs_pair_figures pair_translated, pair_untranslated; /* n = 0: no table */
} gs_direction_eval;

typedef struct gs_translate_eval {
    const char *system;
    char *folder[2];
    int n[2], side;
    bool from_training[2]; /* there was no test folder */
    bool has_distance;
    gs_inception_graph graph;
    char *weights;
    int pairs;             /* 0: no table */
    const char *const *names; /* of the directions; NULL behind the last */
    gs_direction_eval direction[2];
    double seconds;
} gs_translate_eval;

/* GS_EUSAGE, GS_EIO, GS_EFORMAT for folders, tables and weights; GS_EINVAL when there are too few pictures for the
 * protocol, said before anything is translated. gs_translate_eval_free afterwards, also after a failure. */
gs_status gs_translate_eval_run(gs_device *d, const gs_snapshot *s, const gs_translate_eval_opts *o,
                                gs_translate_eval *out);
void gs_translate_eval_free(gs_translate_eval *e);

void gs_translate_eval_text(const gs_translate_eval *e, gs_str *out);
cJSON *gs_translate_eval_json(const gs_translate_eval *e); /* the caller frees */

#endif
