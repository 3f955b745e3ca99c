/* Pictures for an evaluation: real ones of a labelled set, and generated ones of any model, brought to one scale.
 *
 * Every metric of this folder sees pictures as planes (C,H,W) of floats in [0,1], background 0. This is the
 * one place where that scale is made: a classifier that gets [-1,1] where it learned [0,1] calls every
 * picture the same class. */
#ifndef GS_EVAL_SOURCE_H
#define GS_EVAL_SOURCE_H

#include "data/labelled.h"

#define GS_SOURCE_BATCH 250 /* pictures drawn at a time; bounds what an evaluation holds */

/* Draws n <= GS_SOURCE_BATCH pictures of a class into images[n][c][h][w], in the range that the source
 * declares. `first` is the number of the first one within its class: (class, first) must fix the result, so
 * that an evaluation can be repeated. */
typedef gs_status gs_draw_fn(void *user, int class_, int first, int n, float *images);

typedef struct gs_source {
    int classes, c, h, w;
    bool signed_range;    /* pictures lie in [-1,1] (tanh), else in [0,1] (sigmoid) */
    gs_draw_fn *draw;
    void *user;
} gs_source;

/* Draws any number of pictures and brings them to [0,1]: (v + 1) / 2 for a signed range. GS_ENUMERIC names
 * class and picture where a pixel is not a number, GS_EINVAL where one lies outside the declared range by
 * more than 1e-3; rounding within that is clamped. */
gs_status gs_source_draw(const gs_source *s, int class_, int first, int n, float *images);

/* Pictures rows[0..n-1] of a set (NULL: first .. first+n-1) as planes in [0,1]: byte / 255. */
void gs_real_unit(const gs_labelled *s, const int32_t *rows, int first, int n, float *images);
/* The numbers of the first `max` pictures of a class: fills rows (may be NULL), returns how many there are,
 * at most max. */
int gs_real_rows(const gs_labelled *s, int class_, int max, int32_t *rows);

#endif
