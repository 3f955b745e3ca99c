/* U-GAT-IT: unpaired translation between two domains A and B of pictures (Kim et al., ICLR 2020), in its full and light form,
 * as the authors' PyTorch release computes it. The model adds nodes to a graph; it knows no device and no file.
 *
 * Shape letters: N batch, S picture side, ch width of the first layer, P = S/4 side of the inner maps. Pictures (N,C,S,S) in [-1,1], C = 3, or 1 for grey ones.
 * Parameters: "<net>.<key>", nets genA2B genB2A disGA disGB disLA disLB, keys of the release's state dict. */
#ifndef GS_UGATIT_H
#define GS_UGATIT_H

#include "base/config_row.h"
#include "gesso/nn.h"
#include "models/phases.h"

typedef enum gs_ugatit_norm { /* residual blocks; up-sampling */
    GS_UGATIT_ADALIN, /* AdaLIN; ILN */
    GS_UGATIT_IN,     /* instance norm with learned weights in both, and no gamma/beta perceptron; the next two likewise */
    GS_UGATIT_LN,     /* layer norm over C,H,W */
    GS_UGATIT_ADAIN,  /* instance norm with gamma and beta of the perceptron; with learned ones */
    GS_UGATIT_GN,     /* group norm: 32 groups, or the most below with two channels or more each */
} gs_ugatit_norm;

typedef struct gs_ugatit_opts { /* gs_ugatit_configure fills it; the keys are those of the configuration */
    bool light;                 /* the first layer of the gamma/beta perceptron sees channel means, else the whole map */
    int size, ch, n_res;        /* S, first width, residual blocks in each half of a generator */
    int img_ch;                 /* C of the pictures: 3 or 1 */
    int d_global_layers, d_local_layers;
    gs_ugatit_norm norm;        /* of a generator's second half */
    gs_variance norm_var;       /* of AdaLIN and ILN */
    double rho_init, rho_init_up; /* where rho starts: of AdaLIN, of ILN */
    double rho_smooth;          /* AdaLIN mixes by clamp(rho - this, 0, 1) */
    bool in_affine;             /* the encoder's instance norms have weights and biases */
    bool g_bias, mlp_bias;      /* biases of a generator's convolutions (the attention's has one always), and of its perceptron */
    bool flatten_hwc;           /* full form: the perceptron reads maps in the order H,W,C, else C,H,W */
    bool cam_shared;            /* one classifier row and bias for both pools, else a row each */
    bool g_cam, d_cam;          /* attention in generators, in discriminators */
    bool d_pad_same;            /* convolutions of stride 1 pad 1 above and left and 2 below and right, else 1 */
    bool d_last_bias;           /* the discriminators' last convolution has a bias */
    bool sn;                    /* spectral normalisation in the discriminators */
    bool d_cam_normalised;      /* the discriminators' maps are weighted by the normalised row, else by the raw one */
    bool init_normal;           /* weights N(0, 0.02^2) and biases 0, else U(-1/sqrt(fan_in), 1/sqrt(fan_in)) */

    gs_gan gan;
    double gp;                  /* times the discriminators' gradient penalties, where the form has them */
    double w_adv, w_cycle, w_identity, w_cam;
    int64_t iterations;
    int batch;
    double lr, beta1, beta2, weight_decay;
    bool wd_kernels;            /* weight decay acts on the weights of convolutions and dense layers only */
    bool eps_hat;               /* see gs_adam_opts */
    double decay_from;          /* share of the iterations after which the rate falls linearly to 0 */
    int decay_every;            /* it falls after each of so many steps; see gs_ugatit_lr */
    bool fresh_pair;            /* the generators' phase has pictures of its own */
    int n_critic;               /* the generators learn in the first of every so many steps */
    double ema;                 /* decay of the generators' averaged weights, which are used in place of the last ones; 0: none */
    bool d_batch_real_fake;     /* the discriminators see real and fake pictures in one pass: one power iteration for both */
} gs_ugatit_opts;

/* ---- configuration (ugatit_config.c) ---- */

const gs_config_row *gs_ugatit_config_rows(int *n);
/* Options from a configuration; keys that get() does not know take the row's preset; get NULL: all do. GS_ECONFIG names the key. */
gs_status gs_ugatit_configure(gs_ugatit_opts *o, gs_config_lookup *get, void *user);
/* What one key's range cannot say: sizes that the networks can take. */
gs_status gs_ugatit_check(const gs_ugatit_opts *o);
/* What preset "torch" or "tf" says of a key; NULL: the row's own value. */
const char *gs_ugatit_preset(const char *preset, const char *key);
/* Rate of step 1..iterations: lr at first, then falling straight to 0, which the last step has. With decay_every > 1 it is constant over blocks of
 * so many steps, and the last block has what one block more would bring to 0. */
double gs_ugatit_lr(const gs_ugatit_opts *o, int64_t step);

/* ---- networks (ugatit.c) ---- */

typedef struct gs_ugatit_fake {
    gs_node *image;     /* (N,C,S,S), tanh */
    gs_node *cam_logit; /* (N,2): average-pool head, max-pool head; NULL without attention */
    gs_node *heatmap;   /* (N,1,P,P): the sum of att's channels */
    gs_node *down;      /* (N,4ch,P,P): after the encoder's residual blocks */
    gs_node *att;       /* (N,4ch,P,P): after the attention's 1x1 convolution; without attention, down */
    gs_node *gamma, *beta; /* (N,4ch); NULL where the norm has no use for them */
} gs_ugatit_fake;

/* net: "genA2B" or "genB2A", before it "ema_" for the averaged weights. The light form takes any x whose sides are multiples of 4, 8 or more; the
 * full one S x S only. */
gs_ugatit_fake gs_ugatit_generator(gs_graph *g, const gs_ugatit_opts *o, const char *net, gs_node *x);

typedef struct gs_ugatit_score {
    gs_node *logit;     /* (N,1,h,w) */
    gs_node *cam_logit; /* (N,2); NULL without attention */
    gs_node *heatmap;   /* (N,1,h+1,w+1), d_pad_same: (N,1,h,w) */
} gs_ugatit_score;

/* net: "disGA" ...: the third letter says global or local. In training each call does one power iteration. */
gs_ugatit_score gs_ugatit_discriminator(gs_graph *g, const gs_ugatit_opts *o, const char *net, gs_node *x, const gs_mode *mode);

/* ---- graphs (ugatit_step.c) ---- */

enum { /* elements of the output "metrics" of a training step */
    GS_UGATIT_G, GS_UGATIT_D, GS_UGATIT_ADV_A, GS_UGATIT_ADV_B, GS_UGATIT_CYCLE_A, GS_UGATIT_CYCLE_B, GS_UGATIT_IDENTITY_A,
    GS_UGATIT_IDENTITY_B,
    GS_UGATIT_CAM_GAP, GS_UGATIT_CAM_GMP, /* each head's share of the generators' CAM term, w_cam included */
    GS_UGATIT_D_A, GS_UGATIT_D_B,
    GS_UGATIT_RHO_ADALIN, GS_UGATIT_RHO_ILN, /* means over both generators, before the update; 0 where a norm has none */
    GS_UGATIT_METRICS
};

/* The averages of ema: tensors "ema_<net>.<key>" beside the generators' own, renewed in steps in which these learn. Translators and sheets use them. */
#define GS_UGATIT_EMA "ema"

/* One step on pictures "real_A", "real_B" (N,C,S,S) with the rate "lr" (scalar): discriminators, then generators, then every rho to
 * [0,1]. Each network has an Adam of its own, "opt_<net>"; output "metrics". fresh_pair: further inputs "real_A_g", "real_B_g" of the same shape,
 * for the generators' phase. n_critic > 1: a further input "update_g" (scalar), 1 in steps in which the generators learn, else 0.
 * trace: further outputs out.fake_X2Y, out.fake_X2Y_cam_logit, loss.<name of the release's script>, grad.<parameter>. */
gs_status gs_ugatit_build_step(gs_graph *g, const gs_ugatit_opts *o, int batch, bool trace);

/* Translation of "x" (N,C,S,S): outputs "image", "heatmap" (N,1,P,P), "cam_logit" (N,2). b2a: from B to A. */
gs_status gs_ugatit_build_translator(gs_graph *g, const gs_ugatit_opts *o, int batch, bool b2a);

/* One column of a sample sheet for "x" (1,C,S,S) of domain A (b2a: of B): outputs "same", "fake", "back" (pictures: the translation into
 * its own domain, into the other one, and back) and "same_heat", "fake_heat", "back_heat". */
gs_status gs_ugatit_build_sheet(gs_graph *g, const gs_ugatit_opts *o, bool b2a);

#endif
