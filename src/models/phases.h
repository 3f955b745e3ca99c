/* What the training steps of translating systems share: the losses of the adversarial game, and parameters with the gradients that passes have
 * left so far. Everything but gs_params belongs to the graph. */
#ifndef GS_MODELS_PHASES_H
#define GS_MODELS_PHASES_H

#include "gesso/nn.h"

typedef enum gs_gan { GS_GAN_LSGAN, GS_GAN_HINGE, GS_GAN_BCE, GS_GAN_WGAN_GP, GS_GAN_WGAN_LP, GS_GAN_DRAGAN } gs_gan;
/* Of a configuration's row, in this order; those with a penalty come last. */
#define GS_GAN_CHOICES "lsgan hinge bce"
#define GS_GAN_PENALTY_CHOICES "lsgan hinge bce wgan-gp wgan-lp dragan"

/* What a discriminator minimises on scores s of real pictures, and of fakes; any shape, mean. Targets are 1 and 0. */
gs_node *gs_gan_d(gs_gan gan, gs_node *s, bool real);
/* What a generator minimises on scores of its fakes. */
gs_node *gs_gan_g(gs_gan gan, gs_node *s);

/* Whether the discriminator also pays for gradients by the picture: the two functions below. */
bool gs_gan_penalised(gs_gan gan);
/* Pictures (N,C,H,W) at which it does: real + u (fake - real), u uniform in [0,1), one number a picture. With dragan fake is
 * real + s n / 2 instead, s the deviation of all pixels of the batch (biased), n uniform in [0,1), one number a pixel. */
gs_node *gs_gan_between(gs_gan gan, gs_node *real, gs_node *fake);
/* Mean over pictures of (|d| - 1)^2, with wgan-lp of max(0, |d| - 1)^2; d: gradient of the sum of a picture's scores by that picture.
 * score: anything built from x (N,...), picture by picture. Gulrajani et al. 2017; Petzka et al. 2018; Kodali et al. 2017. */
gs_node *gs_gan_penalty(gs_gan gan, gs_node *score, gs_node *x);

/* The trainable tensors of networks, with their gradients. */
typedef struct gs_params {
    gs_var **vars;
    gs_node **grads; /* summed so far; NULL: none */
    int n;
} gs_params;

/* Appends those of the network "<net>." that keep (NULL: all) wants by their full names. */
void gs_params_find(gs_params *p, gs_graph *g, const char *net, bool (*keep)(const void *user, const char *name), const void *user);
void gs_params_free(gs_params *p);
/* Adds the gradients of a loss. */
void gs_params_differentiate(gs_params *p, gs_node *loss);

/* sum + x; sum may be NULL. */
gs_node *gs_plus(gs_node *sum, gs_node *x);
/* gs_output under a printf name, when on. */
void gs_trace(bool on, gs_node *n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
