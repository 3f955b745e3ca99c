/* The drawn digit set: hand-designed strokes of the ten digits (two or three styles each), posed and drawn at random as
 * 28 x 28 grey pictures, white ink on black like MNIST. For demonstrations and tests without a data file.
 *
 * Picture `index` of seed `seed` depends on these two numbers only, not on how many are drawn or by how many
 * threads. */
#ifndef GS_DATA_DIGITS_H
#define GS_DATA_DIGITS_H

#include "data/labelled.h"

#define GS_DIGIT_SIDE 28
#define GS_DIGITS_TEST ((uint64_t)1 << 40) /* index of the first test picture; training pictures begin at 0 */

/* Draws digit 0..9 with the random choices of (seed, index) into px[28 * 28]. */
void gs_digit_draw(uint8_t *px, int digit, uint64_t seed, uint64_t index);

/* The digit that picture (seed, index) of the set shows; uniform over 0..9. */
int gs_digit_class(uint64_t seed, uint64_t index);

/* Pictures first..first+n-1 of a seed, drawn on all cores. GS_EINVAL, GS_ENOMEM. */
gs_status gs_digits_make(gs_labelled *out, int n, uint64_t seed, uint64_t first);

/* `gesso data make digits`: writes the four IDX files of a set into dir (created if need be), under MNIST's
 * names. Training and test pictures have different indices. GS_EINVAL (n < 1 or > 10 million), GS_EIO,
 * GS_ENOMEM. */
gs_status gs_data_make_digits(const char *dir, int n_train, int n_test, uint64_t seed);

#endif
