/* Products of rows in double, on all cores: what distances between sets of features consist of. For src/eval only. */
#ifndef GS_EVAL_DOTS_H
#define GS_EVAL_DOTS_H

#include <stddef.h>

/* out[i * ldo + k] = sum_j a[i * lda + j] b[k * ldb + j],  i < na, k < nb, j < d. Sums run in a fixed order: results
 * do not depend on the number of threads. lower: only k <= i is computed (a and b of one set). */
void gs__dots(double *out, size_t ldo, const double *a, size_t lda, int na, const double *b, size_t ldb, int nb, int d,
              int lower);
/* sum_j a[j] b[j] */
double gs__dot(const double *a, const double *b, int d);

#endif
