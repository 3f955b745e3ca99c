/* Distances between two sets of feature vectors, on the host in double: Frechet distance and kernel distance (MMD).
 * Features are rows: real (n_real, d), fake (n_fake, d), row-major fp32. Results do not depend on the number of
 * threads. */
#ifndef GS_EVAL_METRICS_H
#define GS_EVAL_METRICS_H

#include "base/base.h"

/* Eigenvalues w[n], ascending, of the symmetric matrix a (n x n, row-major), which is used up. GS_ENUMERIC for
 * values that are not finite, or when it does not converge. */
gs_status gs_eigenvalues_symmetric(double *a, double *w, int n);

/* Frechet distance of the Gaussians with the sets' means and covariances (divided by count - 1), in its two terms:
 *   *mean_term = |m1 - m2|^2,  *cov_term = tr(S1 + S2 - 2 (S1 S2)^1/2);  the distance is their sum.
 * Rounding below zero counts as 0. GS_EINVAL for fewer than 2 rows or no columns, GS_ENUMERIC, GS_ENOMEM. Heusel et
 * al. 2017. */
gs_status gs_frechet(const float *real, int n_real, const float *fake, int n_fake, int d, double *mean_term,
                     double *cov_term);

/* ---- kernel distance (kid.c): the squared maximum mean discrepancy, unbiased. Binkowski et al. 2018 ----
 *   1/(m(m-1)) sum_{i!=j} k(r_i,r_j) + 1/(q(q-1)) sum_{i!=j} k(f_i,f_j) - 2/(mq) sum_{ij} k(r_i,f_j) */

typedef struct gs_kid_opts { /* kernel (x.y / d + coef0)^degree; the usual one is 3 and 1 */
    int degree;
    double coef0;
} gs_kid_opts;

/* The kernels of all pairs, from which every estimate is taken: 8 (m^2 + q^2 + m q) bytes. GS_EINVAL for fewer than
 * 2 rows. */
typedef struct gs_kid_kernels gs_kid_kernels;
gs_status gs_kid_kernels_new(const float *real, int n_real, const float *fake, int n_fake, int d, const gs_kid_opts *o,
                             gs_kid_kernels **out);
void gs_kid_kernels_free(gs_kid_kernels *s); /* accepts NULL */

/* The estimate over all rows. */
gs_status gs_kid(const gs_kid_kernels *s, double *value);

/* The estimate in blocks of at most `block` rows: gs_kid_block_count blocks, equal up to one row, in the given
 * orders of the rows (NULL: as they come). values[blocks], their mean, and the standard error of that mean (0 for
 * one block). GS_EINVAL when a block has fewer than 2 rows. */
int gs_kid_block_count(int n_real, int n_fake, int block);
gs_status gs_kid_blocks(const gs_kid_kernels *s, const int32_t *order_real, const int32_t *order_fake, int block,
                        double *values, double *mean, double *stderr_mean);

/* The estimate on given subsets: rows_real and rows_fake (subsets, size) hold row numbers. values[subsets], mean,
 * and standard deviation (divided by the number of subsets). GS_EINVAL for a row that does not exist. */
gs_status gs_kid_subsets(const gs_kid_kernels *s, const int32_t *rows_real, const int32_t *rows_fake, int subsets,
                         int size, double *values, double *mean, double *deviation);

/* The zero value: 100 subsets of min(1000, half of the smaller set) rows, each drawn without replacement. */
typedef struct gs_kid_protocol {
    int subsets, size;
    /* not 0: consecutive blocks of at most so many rows, of both sets shuffled, as U-GAT-IT's authors measure (10) */
    int block;
    uint64_t seed;
} gs_kid_protocol;

typedef struct gs_kid_score {
    double whole;  /* over all rows */
    double mean;   /* over subsets or blocks */
    double spread; /* subsets: standard deviation; blocks: standard error of the mean */
    bool blocks;
    int subsets, size; /* how many, of how many rows */
} gs_kid_score;

/* GS_EINVAL when sets of these sizes are too small for the protocol. */
gs_status gs_kid_check(int n_real, int n_fake, const gs_kid_protocol *o);
/* The same, else the figures. */
gs_status gs_kid_measure(const gs_kid_kernels *s, const gs_kid_protocol *o, gs_kid_score *out);

#endif
