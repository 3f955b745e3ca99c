/* Class-conditional GAN on small images: Mirza & Osindero 2014 and its well-known re-implementations, as profiles.
 * The model adds nodes to a graph; it knows no device and no file. Nothing here is freed by the caller.
 *
 * Shape letters: B batch, C image channels, H = W image side, nz latent width, nc number of classes. z (B,nz)
 * fp32, y (B) int32 labels in 0..nc-1, images (B,C,H,W) in [-1,1], or [0,1] where the output is a sigmoid;
 * logits (B). Parameters: "G.<key>" and "D.<key>" with the keys of the Python originals. */
#ifndef GS_CGAN_H
#define GS_CGAN_H

#include <stddef.h>

#include "base/config_row.h"
#include "gesso/nn.h"

typedef enum gs_cgan_profile { /* in the order of the columns of the presets (cgan_config.c) */
    GS_CGAN_CONCAT,  /* z and label concatenated; an MLP with dropout */
    GS_CGAN_EMBED,   /* two first layers, joined; batch norm */
    GS_CGAN_PAPER,   /* Mirza & Osindero: maxout discriminator, SGD */
    GS_CGAN_LN,      /* label embeddings, least squares, batch norm in G */
    GS_CGAN_ZN_MLP,  /* the networks of embed without dropout, the discriminator first */
    GS_CGAN_CDCGAN,  /* convolutional, 32 x 32 */
    GS_CGAN_AR,      /* the widths that concat was borrowed from, with embeddings */
    GS_CGAN_BARS,    /* a small concat for 8 x 8 pictures: seconds on a CPU */
    GS_CGAN_PROFILES
} gs_cgan_profile;

typedef enum gs_cgan_order { GS_CGAN_G_FIRST_REUSE, GS_CGAN_D_FIRST_FRESH, GS_CGAN_SIMULTANEOUS } gs_cgan_order;
typedef enum gs_cgan_init { GS_CGAN_INIT_DEFAULT, GS_CGAN_INIT_NORMAL, GS_CGAN_INIT_PAPER } gs_cgan_init;

#define GS_CGAN_MAX_STEPS 16

typedef struct gs_cgan_opts { /* gs_cgan_presets fills it; the keys are those of the configuration */
    gs_cgan_profile profile;
    int image_size, image_channels, n_classes, latent_dim;
    bool z_uniform;             /* z ~ U[0,1), else N(0,1) */
    bool label_embedding;       /* learned nc x nc tables, else one-hot */
    bool sigmoid_output;        /* images in [0,1], else tanh and [-1,1] */
    double g_dropout, d_dropout;
    double g_output_dropout;    /* after G's last layer: refused unless allowed */
    bool allow_output_dropout;
    double bn_eps;
    bool paper_concat;          /* paper_joint = concat: no dense joint layer */
    bool paper_gf;              /* paper_dropout = gf */
    gs_cgan_init init;
    double init_std;

    bool mse;                   /* least squares on logits, else cross entropy */
    double d_loss_scale;        /* times (real + fake [+ wrong]) */
    double real_label;          /* the discriminator's target for real pictures */
    double d_wrong_label;       /* weight of the term of real pictures with a wrong label */
    bool fake_labels_real;      /* fakes take the labels of the real batch, else uniform ones */
    gs_cgan_order update_order;
    bool sgd;                   /* else Adam */
    double lr, lr_d;            /* lr_d: D's, equal to lr when not given */
    double beta1, beta2;
    int lr_steps[GS_CGAN_MAX_STEPS], n_lr_steps; /* epochs (from 1) at whose start lr is multiplied by lr_gamma */
    double lr_gamma;
    double lr_decay_factor, lr_min;              /* sgd: lr(t) = max(lr / factor^t, lr_min) */
    double momentum, momentum_final;             /* sgd: linear from epoch 1 to epoch momentum_saturate */
    int momentum_saturate;
    int batch_size, n_epochs;
} gs_cgan_opts;

/* ---- configuration (cgan_config.c) ---- */

/* The table of keys; *n rows. Keys whose preset is "auto" depend on the profile: gs_cgan_preset. */
const gs_config_row *gs_cgan_config_rows(int *n);
/* The profile's value of a key that has the preset "auto", as text; NULL for other keys and for unknown profiles. */
const char *gs_cgan_preset(const char *profile, const char *key);
const char *gs_cgan_profile_name(gs_cgan_profile p);
/* All options of a profile as its table has them. */
void gs_cgan_presets(gs_cgan_opts *o, gs_cgan_profile p);
/* Options from a configuration: keys that get() does not know (NULL) or that are "auto" take the profile's
 * preset. Checks what one key's range cannot say (sizes a profile needs, dropout after the last layer).
 * GS_ECONFIG names the key. */
gs_status gs_cgan_configure(gs_cgan_opts *o, gs_config_lookup *get, void *user);
/* The same checks alone. */
gs_status gs_cgan_check(const gs_cgan_opts *o);

/* Learning rate of G (or D) in an epoch counted from 1, after t updates; and SGD's momentum. */
double gs_cgan_lr(const gs_cgan_opts *o, bool d, int epoch, int64_t t);
double gs_cgan_momentum(const gs_cgan_opts *o, int epoch);

/* ---- networks (cgan.c) ---- */

/* Images (B,C,H,W) from z (B,nz) and y (B). hidden: what enters the last layer; may be NULL. Masks are asked for by
 * layer name. */
gs_node *gs_cgan_generator(gs_graph *g, const gs_cgan_opts *o, gs_node *z, gs_node *y, const gs_mode *mode,
                           gs_node **hidden);
/* Logits (B) of x (B,C,H,W) and y (B). No sigmoid inside. */
gs_node *gs_cgan_discriminator(gs_graph *g, const gs_cgan_opts *o, gs_node *x, gs_node *y, const gs_mode *mode,
                               gs_node **hidden);
/* True when a batch of one cannot be trained on: the networks have batch normalisation. */
bool gs_cgan_has_batch_norm(const gs_cgan_opts *o);
/* The generator's output bias starts at the logit of the mean training picture when init is `paper` and the output a
 * sigmoid: its name, or NULL where no such rule holds. The trainer writes it into the store before the first step. */
const char *gs_cgan_mean_bias(const gs_cgan_opts *o);
/* bias[i] = logit(clamp(mean[i], 1e-3, 1 - 1e-3)); n values in [0,1]. */
void gs_cgan_logit(const float *mean, float *bias, size_t n);

/* ---- graphs (cgan_step.c) ---- */

/* Elements of the output "metrics" of a training step. */
enum {
    GS_CGAN_LOSS_G, GS_CGAN_LOSS_D, GS_CGAN_LOSS_REAL, GS_CGAN_LOSS_FAKE,
    GS_CGAN_P_REAL, GS_CGAN_P_FAKE, /* mean sigmoid(D) on the real and the fake batch of D's step */
    GS_CGAN_METRICS
};

typedef struct gs_cgan_step_opts {  /* zero value: noise and masks are drawn, only "metrics" comes out */
    bool feed_noise;  /* inputs z, y_fake (and z_d, y_fake_d with d_first_fresh; y_wrong with d_wrong_label)
                       * instead of draws */
    bool feed_masks;  /* dropout masks are inputs mask_G_<layer>, mask_G_d_<layer>,
                       * mask_D_{gen,real,fake,wrong}_<layer> */
    bool trace;       /* further outputs: out.{fake,fake_d,d_real,d_fake,d_gen}, loss.{g,d,d_real,d_fake},
                       * grad.<parameter> */
} gs_cgan_step_opts;

/* One training step on a batch of B real pictures. Inputs: "real" (B,C,H,W), "y" (B) int32, "lr_g", "lr_d"
 * and with SGD "momentum" (scalars). Output "metrics" (GS_CGAN_METRICS). Optimiser state lies under "opt_G"
 * and "opt_D". s may be NULL. Returns the graph's status: GS_EINVAL for a batch of 1 with batch
 * normalisation. */
gs_status gs_cgan_build_step(gs_graph *g, const gs_cgan_opts *o, int batch, const gs_cgan_step_opts *s);

/* Pictures for inputs "z" (B,nz) and "y" (B): output "images" (B,C,H,W). train_mode: with dropout and batch
 * statistics, whose running averages stay as they are. */
gs_status gs_cgan_build_sampler(gs_graph *g, const gs_cgan_opts *o, int batch, bool train_mode);

/* Trainable elements below a prefix ("G.", "D.") of a graph built by these functions. */
int64_t gs_cgan_count_params(gs_graph *g, const char *prefix);

#endif
