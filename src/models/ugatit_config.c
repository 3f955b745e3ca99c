/* The configuration keys of U-GAT-IT, and options made from them. */
#include <string.h>

#include "base/base.h"
#include "models/options.h"
#include "models/translation_rows.h"
#include "models/ugatit.h"

#define BIG 2147483647.0

static const gs_config_row rows[] = {
    /* section, key, type, preset, min, max, choices, help */
    { "model", "preset", GS_CONFIG_CHOICE, "torch", 0, 0, "torch tf",
      "the original whose behaviour the other keys follow where they are not given: the PyTorch release, or the TensorFlow code of the paper's results" },
    { "model", "light", GS_CONFIG_BOOL, "1", 0, 1, NULL,
      "the light form; 0: the full one, whose gamma and beta are computed from whole maps by a matrix of (4 ch)^2 (size/4)^2 weights" },
    { "model", "size", GS_CONFIG_INT, "256", 16, 2048, NULL, "side of the square pictures, a multiple of 4" },
    { "model", "ch", GS_CONFIG_INT, "64", 1, 512, NULL, "channels of the first layers; all others follow" },
    { "model", "n_res", GS_CONFIG_INT, "4", 1, 32, NULL, "residual blocks in each half of a generator" },
    { "model", "img_ch", GS_CONFIG_CHOICE, "3", 0, 0, "3 1", "channels of the pictures: colour, or grey; files of either kind are converted" },
    { "model", "d_global_layers", GS_CONFIG_INT, "7", 3, 10, NULL, "layers of the global discriminators; fewer for pictures below 96" },
    { "model", "d_local_layers", GS_CONFIG_INT, "5", 3, 10, NULL, "layers of the local discriminators" },
    { "model", "norm", GS_CONFIG_CHOICE, "adalin", 0, 0, "adalin in ln adain gn",
      "normalisation in a generator's second half: AdaLIN and ILN, or for ablation instance, layer, adaptive instance, group norm" },
    { "model", "norm_var", GS_CONFIG_CHOICE, "unbiased", 0, 0, "unbiased biased", "variance in AdaLIN and ILN; tf: biased" },
    { "model", "rho_init", GS_CONFIG_REAL, "0.9", 0, 1, NULL, "where AdaLIN's rho starts: 1 instance norm, 0 layer norm; tf: 1" },
    { "model", "rho_init_up", GS_CONFIG_REAL, "0", 0, 1, NULL, "where ILN's rho starts" },
    { "model", "rho_smooth", GS_CONFIG_REAL, "0", 0, 1, NULL, "AdaLIN mixes by rho less this, cut to 0..1; tf: 0.1" },
    { "model", "in_affine", GS_CONFIG_BOOL, "0", 0, 1, NULL, "the encoder's instance norms have a learned scale and shift; tf: 1" },
    { "model", "g_bias", GS_CONFIG_BOOL, "0", 0, 1, NULL, "biases of all convolutions of the generators; tf: 1" },
    { "model", "mlp_bias", GS_CONFIG_BOOL, "0", 0, 1, NULL, "biases of the gamma/beta perceptron; tf: 1" },
    { "model", "flatten", GS_CONFIG_CHOICE, "chw", 0, 0, "chw hwc", "order in which the full form's perceptron reads a map; tf: hwc" },
    { "model", "cam", GS_CONFIG_CHOICE, "separate", 0, 0, "separate shared",
      "the classifier of both pools: a row of weights each, or one row and bias, whose sum weights the maps; tf: shared" },
    { "model", "g_cam", GS_CONFIG_BOOL, "1", 0, 1, NULL, "attention in the generators; 0: no classifier and no 1x1 convolution, for ablation" },
    { "model", "d_cam", GS_CONFIG_BOOL, "1", 0, 1, NULL, "attention in the discriminators; 0 likewise" },
    { "model", "d_pad", GS_CONFIG_CHOICE, "symmetric", 0, 0, "symmetric same",
      "padding of the discriminators' convolutions of stride 1: 1 on all sides, or 2 below and right, which keeps the size; tf: same" },
    { "model", "d_last_bias", GS_CONFIG_BOOL, "0", 0, 1, NULL, "a bias in the discriminators' last convolution; tf: 1" },
    { "model", "sn", GS_CONFIG_BOOL, "1", 0, 1, NULL, "spectral normalisation in the discriminators" },
    { "model", "d_cam_weight", GS_CONFIG_CHOICE, "raw", 0, 0, "raw normalised",
      "what weights the discriminators' maps: the classifier's row before or after spectral normalisation; tf: normalised" },
    { "model", "init", GS_CONFIG_CHOICE, "torch", 0, 0, "torch normal",
      "weights: U by fan-in as the PyTorch release, or N(0, 0.02^2) with zero biases as the paper; tf: normal" },

    GS_TRANSLATION_ROWS,
    { "data", "antialias", GS_CONFIG_BOOL, "1", 0, 1, NULL,
      "resize as PIL does; 0: by two taps a side at the pixels' corners, training pictures to size first and from there enlarged; tf: 0" },

    { "loss", "gan", GS_CONFIG_CHOICE, "lsgan", 0, 0, GS_GAN_PENALTY_CHOICES,
      "the adversarial loss, on picture and CAM logits of the discriminators; the last three with a penalty for gradients by the picture" },
    { "loss", "gp", GS_CONFIG_REAL, "10", 0, 1e6, NULL,
      "weight of that penalty, summed over both kinds of logits of both discriminators of a domain; it takes one more pass with its own power iteration" },
    { "loss", "w_adv", GS_CONFIG_REAL, "1", 0, 1e6, NULL, "weight of the adversarial loss" },
    { "loss", "w_cycle", GS_CONFIG_REAL, "10", 0, 1e6, NULL, "of the cycle: there and back gives the picture" },
    { "loss", "w_identity", GS_CONFIG_REAL, "10", 0, 1e6, NULL, "of the identity: a picture of the target domain stays" },
    { "loss", "w_cam", GS_CONFIG_REAL, "1000", 0, 1e6, NULL, "of the generators' classifiers" },

    { "train", "iterations", GS_CONFIG_INT, "1000000", 1, 1e12, NULL, "steps of the whole run; the learning rate follows it" },
    { "train", "batch", GS_CONFIG_INT, "1", 1, 1024, NULL, "pictures of each domain a step" },
    { "train", "lr", GS_CONFIG_REAL, "1e-4", 0, 10, NULL, "learning rate of all networks" },
    { "train", "beta1", GS_CONFIG_REAL, "0.5", 0, 0.999999, NULL, "Adam" },
    { "train", "beta2", GS_CONFIG_REAL, "0.999", 0, 0.999999, NULL, "Adam" },
    { "train", "weight_decay", GS_CONFIG_REAL, "1e-4", 0, 10, NULL, "times the parameter, added to every gradient" },
    { "train", "wd_scope", GS_CONFIG_CHOICE, "all", 0, 0, "all kernels",
      "which parameters it acts on: all, or the weights of convolutions and dense layers; tf: kernels" },
    { "train", "adam_eps", GS_CONFIG_CHOICE, "after", 0, 0, "after before", "Adam adds its eps after or before the correction of v's bias; tf: before" },
    { "train", "decay_from", GS_CONFIG_REAL, "0.5", 0, 1, NULL, "share of the iterations after which the rate falls linearly to 0; 1: it does not" },
    { "train", "decay_every", GS_CONFIG_INT, "1", 1, BIG, NULL, "the rate stays for so many steps while it falls; tf: 10000" },
    { "train", "fresh_pair", GS_CONFIG_BOOL, "0", 0, 1, NULL, "the generators learn from other pictures than the discriminators in the same step; tf: 1" },
    { "train", "n_critic", GS_CONFIG_INT, "1", 1, 1000, NULL, "the generators are updated in the first of every so many steps" },
    { "train", "ema", GS_CONFIG_REAL, "0", 0, 0.9999999, NULL,
      "decay of an exponential average of the generators' weights, which sheets, generate, eval and export then use; 0: none, 0.999 looks back 1000 steps" },
    { "train", "d_batch_real_fake", GS_CONFIG_BOOL, "0", 0, 1, NULL,
      "a discriminator sees real and fake pictures in one pass, with one power iteration for both: faster, not equal to the originals" },
    { "train", "log_every", GS_CONFIG_INT, "50", 1, BIG, NULL, "steps between log lines" },

    { "sample", "sample_interval", GS_CONFIG_INT, "0", 0, BIG, NULL, "epochs (of 1000 steps) between sample sheets; 0: by steps only" },
    { "sample", "sample_interval_batches", GS_CONFIG_INT, "1000", 0, BIG, NULL, "steps between sample sheets; 0: none" },

    /* Keys of every system, with other presets. */
    { "checkpoint", "every", GS_CONFIG_INT, "10000", 0, 1e12, NULL, "steps between checkpoints; 0: after each epoch (of 1000 steps)" },
    { "checkpoint", "keep", GS_CONFIG_INT, "2", 0, 1e6, NULL, "how many of the newest checkpoints stay; 0: all" },
};

/* What preset "tf" says in place of the rows' own values. */
static const struct { const char *key, *value; } tf[] = {
    { "norm_var", "biased" }, { "rho_init", "1" },       { "rho_smooth", "0.1" }, { "in_affine", "1" },   { "g_bias", "1" },
    { "mlp_bias", "1" },      { "flatten", "hwc" },      { "cam", "shared" },     { "d_pad", "same" },    { "d_last_bias", "1" },
    { "d_cam_weight", "normalised" }, { "init", "normal" }, { "antialias", "0" }, { "wd_scope", "kernels" }, { "adam_eps", "before" },
    { "decay_every", "10000" }, { "fresh_pair", "1" },
};

const char *gs_ugatit_preset(const char *preset, const char *key)
{
    if (strcmp(preset, "tf") != 0) return NULL;
    for (size_t i = 0; i < GS_COUNT(tf); i++) {
        if (strcmp(tf[i].key, key) == 0) return tf[i].value;
    }
    return NULL;
}

static const char *preset_of(const void *which, const char *key)
{
    return gs_ugatit_preset(which, key);
}

const gs_config_row *gs_ugatit_config_rows(int *n)
{
    *n = (int)GS_COUNT(rows);
    return rows;
}

gs_status gs_ugatit_configure(gs_ugatit_opts *o, gs_config_lookup *get, void *user)
{
    const char *preset = get ? get(user, "model", "preset") : NULL;
    gs_options s = { .rows = rows, .n_rows = (int)GS_COUNT(rows), .get = get, .user = user, .preset = preset_of, .which = preset ? preset : "torch" };

    *o = (gs_ugatit_opts){
        .light = gs_option_flag(&s, "light"),
        .size = (int)gs_option_number(&s, "size"),
        .ch = (int)gs_option_number(&s, "ch"),
        .n_res = (int)gs_option_number(&s, "n_res"),
        .img_ch = gs_option_choice(&s, "img_ch") == 1 ? 1 : 3,
        .d_global_layers = (int)gs_option_number(&s, "d_global_layers"),
        .d_local_layers = (int)gs_option_number(&s, "d_local_layers"),
        .norm = (gs_ugatit_norm)gs_option_choice(&s, "norm"),
        .norm_var = (gs_variance)gs_option_choice(&s, "norm_var"),
        .rho_init = gs_option_number(&s, "rho_init"),
        .rho_init_up = gs_option_number(&s, "rho_init_up"),
        .rho_smooth = gs_option_number(&s, "rho_smooth"),
        .in_affine = gs_option_flag(&s, "in_affine"),
        .g_bias = gs_option_flag(&s, "g_bias"),
        .mlp_bias = gs_option_flag(&s, "mlp_bias"),
        .flatten_hwc = gs_option_choice(&s, "flatten") == 1,
        .cam_shared = gs_option_choice(&s, "cam") == 1,
        .g_cam = gs_option_flag(&s, "g_cam"),
        .d_cam = gs_option_flag(&s, "d_cam"),
        .d_pad_same = gs_option_choice(&s, "d_pad") == 1,
        .d_last_bias = gs_option_flag(&s, "d_last_bias"),
        .sn = gs_option_flag(&s, "sn"),
        .d_cam_normalised = gs_option_choice(&s, "d_cam_weight") == 1,
        .init_normal = gs_option_choice(&s, "init") == 1,
        .gan = (gs_gan)gs_option_choice(&s, "gan"),
        .gp = gs_option_number(&s, "gp"),
        .w_adv = gs_option_number(&s, "w_adv"),
        .w_cycle = gs_option_number(&s, "w_cycle"),
        .w_identity = gs_option_number(&s, "w_identity"),
        .w_cam = gs_option_number(&s, "w_cam"),
        .iterations = (int64_t)gs_option_number(&s, "iterations"),
        .batch = (int)gs_option_number(&s, "batch"),
        .lr = gs_option_number(&s, "lr"),
        .beta1 = gs_option_number(&s, "beta1"),
        .beta2 = gs_option_number(&s, "beta2"),
        .weight_decay = gs_option_number(&s, "weight_decay"),
        .wd_kernels = gs_option_choice(&s, "wd_scope") == 1,
        .eps_hat = gs_option_choice(&s, "adam_eps") == 1,
        .decay_from = gs_option_number(&s, "decay_from"),
        .decay_every = (int)gs_option_number(&s, "decay_every"),
        .fresh_pair = gs_option_flag(&s, "fresh_pair"),
        .n_critic = (int)gs_option_number(&s, "n_critic"),
        .ema = gs_option_number(&s, "ema"),
        .d_batch_real_fake = gs_option_flag(&s, "d_batch_real_fake"),
    };
    return s.st != GS_OK ? s.st : gs_ugatit_check(o);
}

/* A discriminator of L layers halves L - 2 times; its last two convolutions, of stride 1, take one row each, and reflection by
 * one wants two rows before either. */
static gs_status check_discriminator(const gs_ugatit_opts *o, const char *key, int layers)
{
    if (layers >= 3 && layers <= 20 && o->size >> (layers - 2) >= 3) return GS_OK;
    return gs_fail(GS_ECONFIG, "[model] size = %d: too small for a discriminator with %s = %d, which wants %d or more: enlarge the pictures or set "
                               "[model] %s = %d", o->size, key, layers, 3 << (layers - 2), key, GS_MAX(layers - 1, 3));
}

gs_status gs_ugatit_check(const gs_ugatit_opts *o)
{
    gs_status st = GS_OK;

    if (o->size < 16 || o->size % 4) {
        TRY(gs_fail(GS_ECONFIG, "[model] size = %d: the generators halve twice; size must be a multiple of 4, 16 or more (next: %d)", o->size,
                    GS_MAX((o->size + 3) / 4 * 4, 16)));
    }
    if (o->ch < 1 || o->n_res < 1) TRY(gs_fail(GS_ECONFIG, "[model] ch = %d, n_res = %d: each must be 1 or more", o->ch, o->n_res));
    TRY(check_discriminator(o, "d_global_layers", o->d_global_layers));
    TRY(check_discriminator(o, "d_local_layers", o->d_local_layers));
    if (!o->light) { /* indices of one matrix stay below 2^31 */
        const double rows_ = 4.0 * o->ch, cols = rows_ * (o->size / 4) * (o->size / 4);

        if (rows_ * cols > 536870912.0) {
            TRY(gs_fail(GS_ECONFIG, "[model] size = %d: the full form's FC.0 would be a matrix of %.0f MiB a copy; set light = 1, or a smaller size or ch",
                        o->size, rows_ * cols * 4 / 1048576));
        }
    }
done:
    return st;
}

double gs_ugatit_lr(const gs_ugatit_opts *o, int64_t step)
{
    const int64_t from = (int64_t)(o->decay_from * (double)o->iterations), every = o->decay_every;

    if (every > 1 && from < o->iterations) {
        const int64_t blocks = (o->iterations + every - 1) / every;

        return gs_lr_linear(o->lr, from / every, blocks, (step - 1) / every);
    }
    return from >= o->iterations ? o->lr : gs_lr_linear(o->lr, from, o->iterations, step);
}
