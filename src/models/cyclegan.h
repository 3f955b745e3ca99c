/* CycleGAN (Zhu et al., ICCV 2017): unpaired translation between two domains A and B of pictures by cycle
 * consistency alone; the baseline of U-GAT-IT. It computes what the authors' PyTorch release computes: ResNet
 * generators, patch discriminators, least squares, image pools.
 *
 * Shape letters: N batch, S picture side, ch width of a generator's first layer, d_ch of a discriminator's.
 * Pictures (N,3,S,S) in [-1,1]. Parameters: "<net>.<key>" with the release's names. G_A makes B from A, G_B
 * makes A from B; D_A judges what G_A makes, so pictures of domain B, and D_B judges pictures of domain A. */
#ifndef GS_CYCLEGAN_H
#define GS_CYCLEGAN_H

#include "base/config_row.h"
#include "models/phases.h"

typedef struct gs_cyclegan_opts { /* gs_cyclegan_configure fills it; the keys are those of the configuration */
    int size, ch, n_res; /* S, first width, residual blocks */
    int d_ch, d_layers;  /* first width; layers that halve the picture */

    gs_gan gan;
    double lambda_A, lambda_B; /* of A to B and back; of B to A and back */
    double lambda_identity;    /* times lambda_B of G_A, times lambda_A of G_B; 0: no identity loss */
    int pool;                  /* pictures in each image pool; 0: none */
    int batch, epochs, epochs_decay;
    double lr, beta1, beta2;
} gs_cyclegan_opts;

#define GS_CYCLEGAN_CHANNELS 3

/* ---- configuration (cyclegan_config.c) ---- */

const gs_config_row *gs_cyclegan_config_rows(int *n);
/* Options from a configuration; keys that get() does not know take the row's preset; get NULL: all do.
 * GS_ECONFIG names the key. */
gs_status gs_cyclegan_configure(gs_cyclegan_opts *o, gs_config_lookup *get, void *user);
/* What one key's range cannot say: sizes that the networks can take. */
gs_status gs_cyclegan_check(const gs_cyclegan_opts *o);
/* Rate of epoch 0, 1, ...: lr for `epochs` of them, then falling in equal steps, the last of which would
 * reach 0 after the end. */
double gs_cyclegan_lr(const gs_cyclegan_opts *o, int64_t epoch);

/* ---- networks (cyclegan.c) ---- */

/* net: "G_A" or "G_B". x (N,3,H,W) with sides that are multiples of 4, 8 or more -> the same shape, tanh. */
gs_node *gs_cyclegan_generator(gs_graph *g, const gs_cyclegan_opts *o, const char *net, gs_node *x);
/* net: "D_A" or "D_B". x (N,3,H,W) -> scores (N,1,h,w) of overlapping patches, h = H / 2^d_layers - 2. */
gs_node *gs_cyclegan_discriminator(gs_graph *g, const gs_cyclegan_opts *o, const char *net, gs_node *x);
/* Whether the parameter of that full name is trained; opts: a gs_cyclegan_opts. A bias before an instance
 * norm is not: the norm takes every constant away again. Such biases are kept for exchange with other
 * programs, but neither added nor trained. */
bool gs_cyclegan_trained(const void *opts, const char *name);

/* ---- graphs (cyclegan_step.c) ---- */

enum { /* elements of the output "metrics" of a training step; losses with their weights */
    GS_CYCLEGAN_G, GS_CYCLEGAN_D, GS_CYCLEGAN_ADV_A, GS_CYCLEGAN_ADV_B, GS_CYCLEGAN_CYCLE_A, GS_CYCLEGAN_CYCLE_B, GS_CYCLEGAN_IDENTITY_A,
    GS_CYCLEGAN_IDENTITY_B, GS_CYCLEGAN_D_A, GS_CYCLEGAN_D_B, /* of the nets G_A ... D_B; CYCLE_A: A to B and back */
    GS_CYCLEGAN_METRICS
};

/* One step on pictures "real_A", "real_B" (N,3,S,S) with the rate "lr" (scalar): generators, then
 * discriminators on fakes from the image pools "fake_A_pool", "fake_B_pool" (pool,3,S,S), which are part of
 * the state. What the pools do is fed, for each domain d and picture: "pool_slot_d" int32 (N), the place that
 * takes the new fake, -1 for none; "pool_old_d" (N), 1 when D sees what lay there before and 0 when it sees
 * the new fake. Adams "opt_G", "opt_D"; output "metrics".
 * trace: further outputs out.fake_A, out.fake_B, loss.<name of the release's script>, grad.<parameter>. */
gs_status gs_cyclegan_build_step(gs_graph *g, const gs_cyclegan_opts *o, int batch, bool trace);

/* What the pool of a domain (0: A) does with fake `index` = 0, 1, ...: as above. While it fills, new fakes
 * are stored and seen; then with chance 1/2 one is stored in a random place and what lay there is seen, and
 * else the new one is seen and not stored. Depends on its arguments only. */
void gs_cyclegan_pool_turn(const gs_cyclegan_opts *o, uint64_t seed, int domain, int64_t index, int32_t *slot, float *old);

/* Translation of "x" (N,3,S,S): output "image". b2a: from B to A. */
gs_status gs_cyclegan_build_translator(gs_graph *g, const gs_cyclegan_opts *o, int batch, bool b2a);

/* One column of a sample sheet for "x" (1,3,S,S) of domain A (b2a: of B): outputs "fake", "back", "same": the
 * translation, its way back, and the translation into its own domain. */
gs_status gs_cyclegan_build_sheet(gs_graph *g, const gs_cyclegan_opts *o, bool b2a);

#endif
