/* Layers, losses and optimisers: functions from nodes to nodes, composed of the builders of graph.h.
 *
 * Two levels. A *function* (gs_linear, gs_batch_norm, ...) takes its weights as nodes. A *layer*
 * (gs_linear_layer, ...) declares its parameters under the scope `name` (inside the current scope; NULL or
 * "": the current scope itself) with PyTorch's state-dict names, so that checkpoints can be exchanged, and
 * calls the function.
 *
 * Errors are latched in the graph as in graph.h: GS_ESHAPE where shapes do not fit, GS_EINVAL where an option
 * is out of range. Everything belongs to the graph; nothing here is freed by the caller.
 *
 * Shape letters: N C H W batch, channels, rows, columns; O output width; T time; E embedding width. Unless
 * said otherwise an optional node (weight, bias, ...) may be NULL. */
#ifndef GESSO_NN_H
#define GESSO_NN_H

#include "gesso/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- training and evaluation ---- */

/* How the layers behave that differ between training and use. The zero value is evaluation. */
typedef struct gs_mode {
    bool train; /* batch statistics and their running averages, dropout, power iteration */
    bool hold;  /* with train: as in training, but running statistics and spectral vectors are not assigned */
    /* Gives dropout's mask (1 kept, 0 dropped; fp32) for the layer of that name, or NULL: the mask is drawn.
     * May itself be NULL. */
    gs_node *(*mask)(void *user, gs_graph *g, const char *name, gs_shape shape);
    void *user;
} gs_mode;

/* x with each element kept with probability 1 - p and divided by 1 - p, else 0; x itself in evaluation or for p = 0.
 * 0 <= p < 1. name: handed to mode->mask. Srivastava et al. 2014, in the inverted form. */
gs_node *gs_dropout(gs_node *x, double p, const gs_mode *mode, const char *name);

/* ---- products ---- */

/* x (...,I), w (O,I), b (O) -> (...,O): x w^T + b. */
gs_node *gs_linear(gs_node *x, gs_node *w, gs_node *b);
/* Adds b (C) to every channel (axis 1) of x (N,C,...). */
gs_node *gs_add_bias(gs_node *x, gs_node *b);

typedef struct gs_layer_opts {      /* zero value: PyTorch's defaults */
    bool no_bias;
    const gs_init *weight_init;     /* NULL: U(-1/sqrt(fan_in), 1/sqrt(fan_in)) */
    const gs_init *bias_init;       /* NULL: the same range */
    const gs_mode *spectral;        /* not NULL: the weight is spectrally normalised in this mode (1 power
                                     * iteration, eps 1e-12) */
} gs_layer_opts;

/* x (...,I) -> (...,out). Parameters: weight (out,I), bias (out). */
gs_node *gs_linear_layer(gs_node *x, const char *name, int64_t out, const gs_layer_opts *o);
/* x (N,C,H,W) -> (N,out,OH,OW). Parameters: weight (out,C/groups,kernel,kernel), bias (out). */
gs_node *gs_conv2d_layer(gs_node *x, const char *name, int64_t out, int kernel, const gs_conv2d_opts *c,
                         const gs_layer_opts *o);
/* x (N,C,H,W) -> (N,out,OH,OW). Parameters: weight (C,out/groups,kernel,kernel), bias (out). */
gs_node *gs_conv_transpose2d_layer(gs_node *x, const char *name, int64_t out, int kernel, const gs_conv2d_opts *c,
                                   const gs_layer_opts *o);
/* index int32 (...) -> (...,width). Parameter: weight (n,width); init NULL: N(0,1). */
gs_node *gs_embedding_layer(gs_node *index, const char *name, int64_t n, int64_t width, const gs_init *init);
/* x (...,I) -> (...,units): an affine map to units*pieces values, then the largest of each `pieces`
 * consecutive ones; the gradient goes to the first largest. Parameters: weight (units*pieces,I), bias.
 * Goodfellow et al. 2013. */
gs_node *gs_maxout_layer(gs_node *x, const char *name, int64_t units, int pieces, const gs_layer_opts *o);
/* The maximum over consecutive pieces alone: x (...,units*pieces) -> (...,units). */
gs_node *gs_maxout(gs_node *x, int pieces);

/* ---- normalisation; channels are axis 1 ---- */

/* (x - mean) / sqrt(var + eps) * w + b; mean, var, w, b (C). The statistics are the caller's. */
gs_node *gs_batch_norm(gs_node *x, gs_node *mean, gs_node *var, gs_node *w, gs_node *b, double eps);
/* x (N,C,...): each (n,c) by its own mean and biased variance; w, b (C). Ulyanov et al. 2016. */
gs_node *gs_instance_norm(gs_node *x, gs_node *w, gs_node *b, double eps);
/* x (...,E): over the last axis, biased variance; w, b (E). Ba et al. 2016. */
gs_node *gs_layer_norm(gs_node *x, gs_node *w, gs_node *b, double eps);
/* x (N,C,...): over the elements of each of `groups` runs of consecutive channels, biased variance; w, b (C).
 * 1: over all but axis 0; C: instance norm. GS_ESHAPE when groups does not divide C. Wu & He 2018. */
gs_node *gs_group_norm(gs_node *x, int64_t groups, gs_node *w, gs_node *b, double eps);

typedef enum gs_variance {
    GS_UNBIASED, /* divided by count - 1, as in U-GAT-IT's PyTorch code */
    GS_BIASED,   /* by count, as in its TensorFlow code */
} gs_variance;

/* U-GAT-IT's adaptive layer-instance normalisation (Kim et al. 2020, Eq. 2): with the instance's and the
 * layer's normalised x, (rho a_I + (1 - rho) a_L) gamma + beta. x (N,C,H,W); gamma, beta (N,C); rho
 * (1,C,1,1). rho is not clamped here: see gs_clamp_params. */
gs_node *gs_adalin(gs_node *x, gs_node *gamma, gs_node *beta, gs_node *rho, double eps, gs_variance variance);
/* The same with learned gamma, beta (1,C,1,1): the ILN of U-GAT-IT's up-sampling blocks. */
gs_node *gs_iln(gs_node *x, gs_node *gamma, gs_node *beta, gs_node *rho, double eps, gs_variance variance);

typedef struct gs_norm_opts {       /* zero value: PyTorch's defaults */
    double eps;                     /* 0: 1e-5 */
    double momentum;                /* batch norm; 0: 0.1. running <- (1 - momentum) running + momentum batch */
    bool no_affine;                 /* no weight and bias */
    const gs_init *weight_init;     /* NULL: 1 */
    const gs_init *bias_init;       /* NULL: 0 */
} gs_norm_opts;

/* x (N,C) or (N,C,...). In training by the batch's mean and biased variance, and the running statistics are
 * assigned (unbiased variance); two calls in one graph are two batches, and their updates follow each other.
 * In evaluation by the running statistics. Parameters: weight, bias, running_mean, running_var (C). GS_EINVAL
 * in training with one value a channel. Ioffe & Szegedy 2015. */
gs_node *gs_batch_norm_layer(gs_node *x, const char *name, const gs_mode *mode, const gs_norm_opts *o);
/* Parameters: weight, bias (C); none with no_affine. */
gs_node *gs_instance_norm_layer(gs_node *x, const char *name, const gs_norm_opts *o);
/* Parameters: weight, bias (E). */
gs_node *gs_layer_norm_layer(gs_node *x, const char *name, const gs_norm_opts *o);

/* Spectral normalisation (Miyato et al. 2018): W = weight_orig / sigma with W flattened to (dim[axis], rest),
 * sigma = u.Wv. Declares weight_orig (shape, init), weight_u and weight_v in the current scope; in training
 * runs `iterations` steps of the power method (v first, then u) and assigns them. u and v are constants to
 * the gradient. axis: 0, or 1 for transposed convolutions. sigma (scalar) may be NULL. */
gs_node *gs_spectral_norm(gs_graph *g, gs_shape shape, gs_init init, int axis, int iterations, double eps,
                          const gs_mode *mode, gs_node **sigma);

/* ---- sequences and attention ---- */

typedef struct gs_gru_weights { /* gates in the order r, z, n along the first axis, H the state's width */
    gs_node *weight_ih;  /* (3H,I) */
    gs_node *weight_hh;  /* (3H,H) */
    gs_node *bias_ih;    /* (3H) or NULL */
    gs_node *bias_hh;    /* (3H) or NULL */
} gs_gru_weights;

/* One step: x (N,I), h (N,H) -> (N,H): r, z = sigmoid(...), n = tanh(W_n x + b + r (U_n h + c)), (1 - z)
 * n + z h. Cho et al. 2014 in PyTorch's form. */
gs_node *gs_gru_cell(gs_node *x, gs_node *h, const gs_gru_weights *w);
/* x (N,T,I), w[directions] (the second reads backwards), h0 (directions,N,H) or NULL: zeros, lengths int32
 * (N) or NULL: all T. Returns (N,T,directions*H), 0 past a row's length. h_n (directions,N,H): the state at
 * the end of each row; may be NULL. */
gs_node *gs_gru(gs_node *x, const gs_gru_weights *w, int directions, gs_node *h0, gs_node *lengths, gs_node **h_n);
/* Parameters: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, for the second direction with the ending _reverse. */
gs_node *gs_gru_layer(gs_node *x, const char *name, int64_t width, int directions, gs_node *h0, gs_node *lengths,
                      gs_node **h_n);

/* Softmax of q k^T / sqrt(E) times v. q (...,Tq,E), k (...,Tk,E), v (...,Tk,Ev), equal leading dims. causal:
 * query i sees keys 0..i. mask (…,Tq,Tk) broadcast, 1 seen and 0 not, or NULL. weights (...,Tq,Tk) may be
 * NULL. Vaswani et al. 2017, Eq. 1. */
gs_node *gs_attention(gs_node *q, gs_node *k, gs_node *v, bool causal, gs_node *mask, gs_node **weights);
/* Self-attention of x (N,T,E). in_w (3E,E), in_b (3E), out_w (E,E), out_b (E); heads divides E. weights
 * (N,T,T): mean over heads. */
gs_node *gs_multi_head_attention(gs_node *x, gs_node *in_w, gs_node *in_b, gs_node *out_w, gs_node *out_b, int heads,
                                 bool causal, gs_node **weights);
/* Parameters: in_proj_weight, in_proj_bias, out_proj.weight, out_proj.bias. */
gs_node *gs_multi_head_attention_layer(gs_node *x, const char *name, int heads, bool causal, gs_node **weights);

/* ---- functions ---- */

gs_node *gs_softmax(gs_node *x, int axis);      /* negative axes count from the end, here and below */
gs_node *gs_log_softmax(gs_node *x, int axis);
/* x / max(|x|, eps) along axis. */
gs_node *gs_l2_normalize(gs_node *x, int axis, double eps);
/* a (N,D), b (M,D) -> (N,M): a_i . b_j / (|a_i| |b_j|). */
gs_node *gs_cosine_matrix(gs_node *a, gs_node *b);

/* ---- losses ---- */

typedef enum gs_reduce {
    GS_REDUCE_MEAN,       /* over all elements */
    GS_REDUCE_SUM,
    GS_REDUCE_BATCH_MEAN, /* the sum divided by the length of axis 0 */
    GS_REDUCE_NONE,
} gs_reduce;

gs_node *gs_reduce_all(gs_node *x, gs_reduce reduce);
/* t softplus(-s) + (1 - t) softplus(s): the cross entropy of sigmoid(s) with t, without overflow;
 * ds = sigmoid(s) - t. t of s's shape. */
gs_node *gs_bce_with_logits(gs_node *s, gs_node *t, gs_reduce reduce);
/* The same for one constant target, 0 <= t <= 1. */
gs_node *gs_bce_with_target(gs_node *s, double t, gs_reduce reduce);
gs_node *gs_mse(gs_node *x, gs_node *target, gs_reduce reduce); /* (x - t)^2; target broadcasts */
gs_node *gs_l1(gs_node *x, gs_node *target, gs_reduce reduce);  /* |x - t|, gradient 0 where equal */
/* Hinge terms of the GAN game (Lim & Ye 2017): max(0, 1 - s), max(0, 1 + s), -s; mean. */
gs_node *gs_hinge_d_real(gs_node *s);
gs_node *gs_hinge_d_fake(gs_node *s);
gs_node *gs_hinge_g(gs_node *s);
/* x (N,C,...) logits, classes int32 (N,...): -log softmax(x)[class], over axis 1. MEAN divides by the number
 * of classes given. */
gs_node *gs_cross_entropy(gs_node *x, gs_node *classes, gs_reduce reduce);
/* KL(N(mu, exp(logvar)) || N(0,1)): -0.5 (1 + logvar - mu^2 - exp(logvar)) an element. */
gs_node *gs_kl_gaussian(gs_node *mu, gs_node *logvar, gs_reduce reduce);
/* Zero-centred gradient penalty (R1, Mescheder et al. 2018): |d(sum of score)/dx|^2, summed (SUM) or as the
 * mean of the rows of axis 0 (BATCH_MEAN). score must have been built from x. Can be differentiated by the
 * weights. grad (x's shape) may be NULL. */
gs_node *gs_gradient_penalty(gs_node *score, gs_node *x, gs_reduce reduce, gs_node **grad);

/* ---- optimisers ---- */

/* grads[i] = d(loss)/d(params[i]) at the parameters' present values; zeros where loss does not depend on it.
 * Call it before the parameters are assigned: afterwards gs_read stands for the new value. */
void gs_grad_params(gs_node *loss, gs_var *const *params, int n, gs_node **grads);

typedef struct gs_adam_opts {
    double beta1, beta2; /* each in [0,1) */
    double eps;          /* 0: 1e-8 */
    double weight_decay; /* times the parameter, added to the gradient (not decoupled) */
    bool eps_hat;        /* eps is added to sqrt(v) before v's bias is corrected, as TensorFlow does */
} gs_adam_opts;

/* One Adam step on every parameter (Kingma & Ba 2015, Algorithm 1, with eps outside the root as in PyTorch):
 *   m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;  p <- p - lr / (1 - b1^t) m / (sqrt(v / (1 - b2^t)) + eps)
 * name: the optimiser's; its state is "<name>.step" (steps done, fp32 scalar, exact to 2^24 and without effect beyond),
 * "<name>.m.<parameter>" and "<name>.v.<parameter>", under the current scope.
 * lr: scalar node. o NULL: 0.9, 0.999, 1e-8, 0. */
void gs_adam(gs_graph *g, const char *name, gs_var *const *params, gs_node *const *grads, int n, gs_node *lr,
             const gs_adam_opts *o);

typedef enum gs_sgd_form {
    GS_SGD_TORCH,   /* b <- momentum b + g;      p <- p - lr b */
    GS_SGD_CLASSIC, /* b <- momentum b - lr g;   p <- p + b      (so that a falling rate does not act on old gradients) */
} gs_sgd_form;

/* One step of gradient descent with momentum. State: "<name>.buf.<parameter>", zero at first; none when
 * momentum is NULL. lr, momentum: scalar nodes. weight_decay as in Adam. */
void gs_sgd(gs_graph *g, const char *name, gs_var *const *params, gs_node *const *grads, int n, gs_node *lr,
            gs_node *momentum, double weight_decay, gs_sgd_form form);

/* Clamps every trainable tensor whose full name starts with prefix and ends with suffix to [lo, hi], from
 * here on (U-GAT-IT's rho). */
void gs_clamp_params(gs_graph *g, const char *prefix, const char *suffix, double lo, double hi);

/* Exponential averages of parameters, as they are at this point of the step: avg <- d avg + (1 - d) p with
 * d = min(decay, t / (t + 9)) and t the number of averages before, so that early weights, which are far from
 * any use, are soon forgotten. decay in [0,1), else GS_EINVAL is latched. State: "<name>_<parameter>", not
 * trainable, of the parameter's shape, and "<name>.step", t: zero at first. */
void gs_average_params(gs_graph *g, const char *name, gs_var *const *params, int n, double decay);

/* ---- schedules: plain numbers for the host, fed as the scalar nodes above ---- */

/* lr times gamma for each entry of steps that epoch has reached. Epochs count from 1: {30, 40} lowers at the
 * start of those. */
double gs_lr_steps(double lr, double gamma, const int *steps, int n, int epoch);
/* lr until step `start`, then straight to 0 at step `end` and after. */
double gs_lr_linear(double lr, int64_t start, int64_t end, int64_t step);
/* max(lr / factor^t, floor), t updates done. */
double gs_lr_exponential(double lr, double factor, double floor, int64_t t);
/* From first at epoch 1 to last at epoch `saturate`, linear, constant outside. */
double gs_momentum_ramp(double first, double last, int saturate, int epoch);

#ifdef __cplusplus
}
#endif
#endif
