/* Drawn sets of two domains as folders of PNG files, as the systems of unpaired translation read them. */
#ifndef GS_DATA_DOMAINS_H
#define GS_DATA_DOMAINS_H

#include "data/image.h"

#define GS_DOMAINS_TEST ((uint64_t)1 << 32) /* index of the first test picture; training pictures begin at 0 */

/* Draws picture `index` of domain A, or with b of B; it may depend on nothing but the arguments, and is
 * called from several threads. */
typedef gs_status gs_domain_draw(gs_image *out, bool b, uint64_t seed, uint64_t index);

/* dir/trainA, trainB, testA, testB with n_train and n_test files each, 000000.png and so on. GS_EINVAL (each
 * from 1 to 1,000,000), GS_EIO, and what draw gives. */
gs_status gs_domains_write(const char *dir, int n_train, int n_test, uint64_t seed, gs_domain_draw *draw);

#endif
