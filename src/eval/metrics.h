/* Distances between two sets of feature vectors, on the host in double: Frechet distance and kernel distance (MMD).
 * Features are rows: real (n_real, d), fake (n_fake, d), row-major fp32. Pure functions; nothing is kept. */
#ifndef GS_EVAL_METRICS_H
#define GS_EVAL_METRICS_H

#include "base/base.h"

/* Eigenvalues w[n] (ascending) and eigenvectors of the symmetric matrix a (n x n, row-major): on return row i of a is the
 * unit vector of w[i]. Householder tridiagonalisation, then implicit QL. GS_ENUMERIC when it does not converge (NaN). */
gs_status gs_eigen_symmetric(double *a, double *w, int n);

/* Frechet distance of the Gaussians with the sets' means and covariances (divided by count - 1), in its two terms:
 *   *mean_term = |m1 - m2|^2,  *cov_term = tr(S1 + S2 - 2 (S1^1/2 S2 S1^1/2)^1/2);  the distance is their sum.
 * Negative eigenvalues, which are rounding, count as 0. GS_EINVAL for fewer than 2 rows or no columns. Heusel et al. 2017. */
gs_status gs_frechet(const float *real, int n_real, const float *fake, int n_fake, int d, double *mean_term, double *cov_term);

typedef struct gs_kid_opts { /* kernel (x.y / d + coef0)^degree; the usual one is 3 and 1 */
    int degree;
    double coef0;
} gs_kid_opts;

/* Unbiased estimate of the squared maximum mean discrepancy over all rows. GS_EINVAL for fewer than 2 rows. Binkowski et al. 2018. */
gs_status gs_kid(const float *real, int n_real, const float *fake, int n_fake, int d, const gs_kid_opts *o, double *value);

/* The estimate in blocks of at most `block` rows: gs_kid_block_count blocks, equal up to one row, in the order of the rows.
 * values[blocks], their mean, and the standard error of that mean (0 for one block). GS_EINVAL when a block has fewer than 2 rows. */
int gs_kid_block_count(int n_real, int n_fake, int block);
gs_status gs_kid_blocks(const float *real, int n_real, const float *fake, int n_fake, int d, const gs_kid_opts *o, int block,
                        double *values, double *mean, double *stderr_mean);

/* The estimate on given subsets: rows_real and rows_fake (subsets, size) hold row numbers. values[subsets], mean, and standard deviation
 * (divided by the number of subsets). GS_EINVAL for a row that does not exist. */
gs_status gs_kid_subsets(const float *real, int n_real, const float *fake, int n_fake, int d, const gs_kid_opts *o,
                         const int32_t *rows_real, const int32_t *rows_fake, int subsets, int size,
                         double *values, double *mean, double *deviation);

#endif
