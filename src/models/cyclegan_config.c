/* The configuration keys of CycleGAN, and options made from them. */
#include "base/base.h"
#include "models/cyclegan.h"
#include "models/options.h"
#include "models/translation_rows.h"

#define BIG 2147483647.0

static const gs_config_row rows[] = {
    /* section, key, type, preset, min, max, choices, help */
    { "model", "size", GS_CONFIG_INT, "256", 16, 2048, NULL, "side of the square pictures, a multiple of 4" },
    { "model", "ch", GS_CONFIG_INT, "64", 1, 512, NULL, "channels of the generators' first layers" },
    { "model", "n_res", GS_CONFIG_INT, "9", 1, 64, NULL, "residual blocks of a generator" },
    { "model", "d_ch", GS_CONFIG_INT, "64", 1, 512, NULL, "channels of the discriminators' first layers" },
    { "model", "d_layers", GS_CONFIG_INT, "3", 1, 8, NULL, "layers of the discriminators that halve the picture; 3: patches of 70 x 70" },

    GS_TRANSLATION_ROWS,
    { "data", "filter", GS_CONFIG_CHOICE, "bicubic", 0, 0, "bicubic bilinear", "how pictures are resized, both as PIL does" },

    { "loss", "gan", GS_CONFIG_CHOICE, "lsgan", 0, 0, GS_GAN_CHOICES, "the adversarial loss" },
    { "loss", "lambda_A", GS_CONFIG_REAL, "10", 0, 1e6, NULL, "weight of the cycle from A to B and back" },
    { "loss", "lambda_B", GS_CONFIG_REAL, "10", 0, 1e6, NULL, "of the cycle from B to A and back" },
    { "loss", "lambda_identity", GS_CONFIG_REAL, "0.5", 0, 1e6, NULL,
      "of the identity (a picture of the target domain stays), times lambda_B for G_A and lambda_A for G_B; 0: not computed" },

    { "train", "pool", GS_CONFIG_INT, "50", 0, 4096, NULL,
      "fakes kept of each domain: once so many are there, D sees an old one half of the time, whose place the new one takes; 0: none" },
    { "train", "batch", GS_CONFIG_INT, "1", 1, 1024, NULL, "pictures of each domain a step" },
    { "train", "epochs", GS_CONFIG_INT, "100", 1, 1e6, NULL, "epochs at the full rate; one has as many pictures as the larger domain" },
    { "train", "epochs_decay", GS_CONFIG_INT, "100", 0, 1e6, NULL, "epochs after them in which the rate falls linearly" },
    { "train", "lr", GS_CONFIG_REAL, "2e-4", 0, 10, NULL, "learning rate of all networks" },
    { "train", "beta1", GS_CONFIG_REAL, "0.5", 0, 0.999999, NULL, "Adam" },
    { "train", "beta2", GS_CONFIG_REAL, "0.999", 0, 0.999999, NULL, "Adam" },
    { "train", "log_every", GS_CONFIG_INT, "50", 1, BIG, NULL, "steps between log lines" },

    { "sample", "sample_interval", GS_CONFIG_INT, "0", 0, BIG, NULL, "epochs between sample sheets; 0: by steps only" },
    { "sample", "sample_interval_batches", GS_CONFIG_INT, "1000", 0, BIG, NULL, "steps between sample sheets; 0: none" },
};

const gs_config_row *gs_cyclegan_config_rows(int *n)
{
    *n = (int)GS_COUNT(rows);
    return rows;
}

gs_status gs_cyclegan_configure(gs_cyclegan_opts *o, gs_config_lookup *get, void *user)
{
    gs_options s = { .rows = rows, .n_rows = (int)GS_COUNT(rows), .get = get, .user = user };

    *o = (gs_cyclegan_opts){
        .size = (int)gs_option_number(&s, "size"),
        .ch = (int)gs_option_number(&s, "ch"),
        .n_res = (int)gs_option_number(&s, "n_res"),
        .d_ch = (int)gs_option_number(&s, "d_ch"),
        .d_layers = (int)gs_option_number(&s, "d_layers"),
        .gan = (gs_gan)gs_option_choice(&s, "gan"),
        .lambda_A = gs_option_number(&s, "lambda_A"),
        .lambda_B = gs_option_number(&s, "lambda_B"),
        .lambda_identity = gs_option_number(&s, "lambda_identity"),
        .pool = (int)gs_option_number(&s, "pool"),
        .batch = (int)gs_option_number(&s, "batch"),
        .epochs = (int)gs_option_number(&s, "epochs"),
        .epochs_decay = (int)gs_option_number(&s, "epochs_decay"),
        .lr = gs_option_number(&s, "lr"),
        .beta1 = gs_option_number(&s, "beta1"),
        .beta2 = gs_option_number(&s, "beta2"),
    };
    return s.st != GS_OK ? s.st : gs_cyclegan_check(o);
}

gs_status gs_cyclegan_check(const gs_cyclegan_opts *o)
{
    const double pool_bytes = (double)o->pool * GS_CYCLEGAN_CHANNELS * o->size * o->size * 4;

    if (o->size < 16 || o->size % 4) {
        return gs_fail(GS_ECONFIG, "[model] size = %d: the generators halve twice; size must be a multiple of 4, 16 or more (next: %d)", o->size,
                       GS_MAX((o->size + 3) / 4 * 4, 16));
    }
    if (o->ch < 1 || o->n_res < 1 || o->d_ch < 1 || o->d_layers < 1 || o->d_layers > 20) {
        return gs_fail(GS_ECONFIG, "[model] ch = %d, n_res = %d, d_ch = %d, d_layers = %d: each must be 1 or more", o->ch, o->n_res, o->d_ch, o->d_layers);
    }
    /* two convolutions of stride 1 take a row each, and a norm wants more than one value */
    if (o->size >> o->d_layers < 3) {
        return gs_fail(GS_ECONFIG, "[model] size = %d: too small for discriminators with d_layers = %d, which want %d or more: enlarge the pictures or set "
                                   "[model] d_layers = %d", o->size, o->d_layers, 3 << o->d_layers, GS_MAX(o->d_layers - 1, 1));
    }
    if (pool_bytes > 2147483648.0) {
        return gs_fail(GS_ECONFIG, "[train] pool = %d: an image pool of %.0f MiB a domain; at most 2048 are possible", o->pool, pool_bytes / 1048576);
    }
    return GS_OK;
}

double gs_cyclegan_lr(const gs_cyclegan_opts *o, int64_t epoch)
{
    const double late = (double)GS_MAX(epoch + 1 - o->epochs, 0);

    return o->lr * GS_MAX(1 - late / (o->epochs_decay + 1), 0);
}
