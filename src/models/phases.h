/* What the training steps of translating systems share: the losses of the adversarial game, and parameters with the gradients that passes have
 * left so far. Everything but gs_params belongs to the graph. */
#ifndef GS_MODELS_PHASES_H
#define GS_MODELS_PHASES_H

#include "gesso/nn.h"

typedef enum gs_gan { GS_GAN_LSGAN, GS_GAN_HINGE, GS_GAN_BCE } gs_gan;
#define GS_GAN_CHOICES "lsgan hinge bce" /* of a configuration's row, in this order */

/* What a discriminator minimises on scores s of real pictures, and of fakes; any shape, mean. Targets are 1 and 0. */
gs_node *gs_gan_d(gs_gan gan, gs_node *s, bool real);
/* What a generator minimises on scores of its fakes. */
gs_node *gs_gan_g(gs_gan gan, gs_node *s);

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
