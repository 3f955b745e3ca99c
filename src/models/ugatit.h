/* U-GAT-IT: unpaired translation between two domains A and B of pictures (Kim et al., ICLR 2020), in its full and light form,
 * as the authors' PyTorch release computes it. The model adds nodes to a graph; it knows no device and no file.
 *
 * Shape letters: N batch, S picture side, ch width of the first layer, P = S/4 side of the inner maps. Pictures (N,3,S,S) in [-1,1].
 * Parameters: "<net>.<key>", nets genA2B genB2A disGA disGB disLA disLB, keys of the release's state dict. */
#ifndef GS_UGATIT_H
#define GS_UGATIT_H

#include "base/config_row.h"
#include "gesso/nn.h"
#include "models/phases.h"

typedef struct gs_ugatit_opts { /* gs_ugatit_configure fills it; the keys are those of the configuration */
    bool light;                 /* the first layer of the gamma/beta perceptron sees channel means, else the whole map */
    int size, ch, n_res;        /* S, first width, residual blocks in each half of a generator */
    int d_global_layers, d_local_layers;
    bool sn;                    /* spectral normalisation in the discriminators */
    bool d_cam_normalised;      /* the discriminators' maps are weighted by the normalised row, else by the raw one */
    bool init_normal;           /* weights N(0, 0.02^2) and biases 0, else U(-1/sqrt(fan_in), 1/sqrt(fan_in)) */

    gs_gan gan;
    double w_adv, w_cycle, w_identity, w_cam;
    int64_t iterations;
    int batch;
    double lr, beta1, beta2, weight_decay;
    double decay_from;          /* share of the iterations after which the rate falls linearly to 0 */
} gs_ugatit_opts;

#define GS_UGATIT_CHANNELS 3

/* ---- configuration (ugatit_config.c) ---- */

const gs_config_row *gs_ugatit_config_rows(int *n);
/* Options from a configuration; keys that get() does not know take the row's preset; get NULL: all do. GS_ECONFIG names the key. */
gs_status gs_ugatit_configure(gs_ugatit_opts *o, gs_config_lookup *get, void *user);
/* What one key's range cannot say: sizes that the networks can take. */
gs_status gs_ugatit_check(const gs_ugatit_opts *o);
/* Rate of step 1..iterations: lr at first, falling to 0 at the last. */
double gs_ugatit_lr(const gs_ugatit_opts *o, int64_t step);

/* ---- networks (ugatit.c) ---- */

typedef struct gs_ugatit_fake {
    gs_node *image;     /* (N,3,S,S), tanh */
    gs_node *cam_logit; /* (N,2): average-pool head, max-pool head */
    gs_node *heatmap;   /* (N,1,P,P) */
    gs_node *down;      /* (N,4ch,P,P): after the encoder's residual blocks */
    gs_node *att;       /* (N,4ch,P,P): after the attention's 1x1 convolution */
    gs_node *gamma, *beta; /* (N,4ch) */
} gs_ugatit_fake;

/* net: "genA2B" or "genB2A". The light form takes any x whose sides are multiples of 4, 8 or more; the full one S x S only. */
gs_ugatit_fake gs_ugatit_generator(gs_graph *g, const gs_ugatit_opts *o, const char *net, gs_node *x);

typedef struct gs_ugatit_score {
    gs_node *logit;     /* (N,1,h,w) */
    gs_node *cam_logit; /* (N,2) */
    gs_node *heatmap;   /* (N,1,h+1,w+1) */
} gs_ugatit_score;

/* net: "disGA" ...: the third letter says global or local. In training each call does one power iteration. */
gs_ugatit_score gs_ugatit_discriminator(gs_graph *g, const gs_ugatit_opts *o, const char *net, gs_node *x, const gs_mode *mode);

/* ---- graphs (ugatit_step.c) ---- */

enum { /* elements of the output "metrics" of a training step */
    GS_UGATIT_G, GS_UGATIT_D, GS_UGATIT_ADV_A, GS_UGATIT_ADV_B, GS_UGATIT_CYCLE_A, GS_UGATIT_CYCLE_B, GS_UGATIT_IDENTITY_A,
    GS_UGATIT_IDENTITY_B,
    GS_UGATIT_CAM_GAP, GS_UGATIT_CAM_GMP, /* each head's share of the generators' CAM term, w_cam included */
    GS_UGATIT_D_A, GS_UGATIT_D_B,
    GS_UGATIT_RHO_ADALIN, GS_UGATIT_RHO_ILN, /* means over both generators, before the update */
    GS_UGATIT_METRICS
};

/* One step on pictures "real_A", "real_B" (N,3,S,S) with the rate "lr" (scalar): discriminators, then generators, then every rho to
 * [0,1]. Each network has an Adam of its own, "opt_<net>"; output "metrics".
 * trace: further outputs out.fake_X2Y, out.fake_X2Y_cam_logit, loss.<name of the release's script>, grad.<parameter>. */
gs_status gs_ugatit_build_step(gs_graph *g, const gs_ugatit_opts *o, int batch, bool trace);

/* Translation of "x" (N,3,S,S): outputs "image", "heatmap" (N,1,P,P), "cam_logit" (N,2). b2a: from B to A. */
gs_status gs_ugatit_build_translator(gs_graph *g, const gs_ugatit_opts *o, int batch, bool b2a);

/* One column of a sample sheet for "x" (1,3,S,S) of domain A (b2a: of B): outputs "same", "fake", "back" (pictures: the translation into
 * its own domain, into the other one, and back) and "same_heat", "fake_heat", "back_heat". */
gs_status gs_ugatit_build_sheet(gs_graph *g, const gs_ugatit_opts *o, bool b2a);

#endif
