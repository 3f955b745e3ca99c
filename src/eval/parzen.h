/* Parzen window log-likelihood (Breuleux et al. 2009; used by Goodfellow et al. 2014 and Mirza & Osindero
 * 2014): with samples mu_1..mu_M
 *
 *   LL(x) = logsumexp_i(-|x - mu_i|^2 / (2 sigma^2)) - log M - D log(sigma sqrt(2 pi))
 *
 * Samples are added in any number of pieces and are not kept. Distances are |x|^2 + |mu|^2 - 2 x.mu, a matrix
 * product on the device of values with the data's mean taken off (less cancels); norms and all sums over
 * pieces are doubles. The metric ranks models badly: it is here to repeat the paper's table. */
#ifndef GS_EVAL_PARZEN_H
#define GS_EVAL_PARZEN_H

#include "gesso/device.h"
#include "base/base.h"

#define GS_PARZEN_MAX_SIGMAS 64

typedef struct gs_parzen gs_parzen;

/* Fills out[n][dim] with rows first..first+n-1 of the data, in the samples' scale. */
typedef void gs_rows_fn(void *user, int first, int n, float *out);

/* Prepares for n rows of data of dim values, and the widths sigma[n_sigmas] (each above 0). rows is called
 * again whenever data is needed, so that no copy of it is held. GS_EINVAL for sizes below 1 or a bad sigma;
 * what the device reports. The device must outlive it. */
gs_status gs_parzen_new(gs_device *d, int n, int dim, gs_rows_fn *rows, void *user, const double *sigma, int n_sigmas, gs_parzen **out);
void gs_parzen_free(gs_parzen *p); /* accepts NULL */

/* Adds m samples (m, dim). */
gs_status gs_parzen_add(gs_parzen *p, const float *samples, int m);

typedef struct gs_parzen_result {
    double mean, se;          /* over the rows of data; se = standard deviation (divided by n) / sqrt(n) */
} gs_parzen_result;

/* One result for each sigma, of the samples so far. GS_EINVAL when there are none. */
gs_status gs_parzen_finish(const gs_parzen *p, gs_parzen_result *out);

/* The usual choice: n widths spaced logarithmically from 0.1 to 1; n >= 2. */
void gs_parzen_sigmas(double *sigma, int n);
/* Index of the largest mean, first of equals. */
int gs_parzen_best(const gs_parzen_result *r, int n);

#endif
