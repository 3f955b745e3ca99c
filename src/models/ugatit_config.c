/* The configuration keys of U-GAT-IT, and options made from them. */
#include <string.h>

#include "base/base.h"
#include "models/ugatit.h"

#define BIG 2147483647.0

static const gs_config_row rows[] = {
    /* section, key, type, preset, min, max, choices, help */
    { "model", "light", GS_CONFIG_BOOL, "1", 0, 1, NULL,
      "the light form; 0: the full one, whose gamma and beta are computed from whole maps by a matrix of (4 ch)^2 (size/4)^2 weights" },
    { "model", "size", GS_CONFIG_INT, "256", 16, 2048, NULL, "side of the square pictures, a multiple of 4" },
    { "model", "ch", GS_CONFIG_INT, "64", 1, 512, NULL, "channels of the first layers; all others follow" },
    { "model", "n_res", GS_CONFIG_INT, "4", 1, 32, NULL, "residual blocks in each half of a generator" },
    { "model", "d_global_layers", GS_CONFIG_INT, "7", 3, 10, NULL, "layers of the global discriminators; fewer for pictures below 96" },
    { "model", "d_local_layers", GS_CONFIG_INT, "5", 3, 10, NULL, "layers of the local discriminators" },
    { "model", "sn", GS_CONFIG_BOOL, "1", 0, 1, NULL, "spectral normalisation in the discriminators" },
    { "model", "d_cam_weight", GS_CONFIG_CHOICE, "raw", 0, 0, "raw normalised",
      "what weights the discriminators' maps: the classifier's row before or after spectral normalisation; the PyTorch release takes raw" },
    { "model", "init", GS_CONFIG_CHOICE, "torch", 0, 0, "torch normal",
      "weights: U by fan-in as the PyTorch release, or N(0, 0.02^2) with zero biases as the paper" },

    { "data", "root", GS_CONFIG_TEXT, "", 0, 0, NULL, "folder of the four folders below" },
    { "data", "trainA", GS_CONFIG_TEXT, "trainA", 0, 0, NULL, "folder of domain A's training pictures, inside root" },
    { "data", "trainB", GS_CONFIG_TEXT, "trainB", 0, 0, NULL, "folder of domain B's" },
    { "data", "testA", GS_CONFIG_TEXT, "testA", 0, 0, NULL, "pictures of A for the sample sheets; may be missing" },
    { "data", "testB", GS_CONFIG_TEXT, "testB", 0, 0, NULL, "pictures of B" },
    { "data", "resize_extra", GS_CONFIG_INT, "30", 0, 512, NULL, "training pictures are resized to size + this, then cut to size at random; 0: not cut" },
    { "data", "flip", GS_CONFIG_REAL, "0.5", 0, 1, NULL, "chance that a training picture is mirrored" },
    { "data", "max_items", GS_CONFIG_INT, "0", 0, BIG, NULL, "at most so many training pictures of each domain, in the order of names; 0: all" },
    { "data", "cache", GS_CONFIG_INT, "2048", 0, 1e6, NULL,
      "MiB of resized pictures kept in memory; what does not fit is decoded again at each use. Does not change results" },

    { "loss", "gan", GS_CONFIG_CHOICE, "lsgan", 0, 0, "lsgan hinge bce", "the adversarial loss, on picture and CAM logits of the discriminators" },
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
    { "train", "decay_from", GS_CONFIG_REAL, "0.5", 0, 1, NULL, "share of the iterations after which the rate falls linearly to 0; 1: it does not" },
    { "train", "log_every", GS_CONFIG_INT, "50", 1, BIG, NULL, "steps between log lines" },

    { "sample", "sample_interval", GS_CONFIG_INT, "0", 0, BIG, NULL, "epochs (of 1000 steps) between sample sheets; 0: by steps only" },
    { "sample", "sample_interval_batches", GS_CONFIG_INT, "1000", 0, BIG, NULL, "steps between sample sheets; 0: none" },
    { "sample", "pictures", GS_CONFIG_INT, "5", 1, 50, NULL, "training pictures, and as many test pictures, on a sheet" },

    /* Keys of every system, with other presets. */
    { "checkpoint", "every", GS_CONFIG_INT, "10000", 0, 1e12, NULL, "steps between checkpoints; 0: after each epoch (of 1000 steps)" },
    { "checkpoint", "keep", GS_CONFIG_INT, "2", 0, 1e6, NULL, "how many of the newest checkpoints stay; 0: all" },
};

const gs_config_row *gs_ugatit_config_rows(int *n)
{
    *n = (int)GS_COUNT(rows);
    return rows;
}

typedef struct source {
    gs_config_lookup *get;
    void *user;
    gs_status st; /* the first failure */
} source;

static const gs_config_row *row_of(const char *section, const char *key)
{
    for (size_t i = 0; i < GS_COUNT(rows); i++) {
        if (strcmp(rows[i].key, key) == 0 && strcmp(rows[i].section, section) == 0) return &rows[i];
    }
    return NULL;
}

static const char *text(const source *s, const gs_config_row *r)
{
    const char *v = s->get ? s->get(s->user, r->section, r->key) : NULL;

    return v ? v : r->preset;
}

static double number(source *s, const char *section, const char *key)
{
    const gs_config_row *r = row_of(section, key);
    const char *v = text(s, r);
    double x = 0;

    if (!gs_parse_f64(v, &x) || x < r->min || x > r->max || (r->type == GS_CONFIG_INT && x != (double)(int64_t)x)) {
        if (s->st == GS_OK) {
            s->st = gs_fail(GS_ECONFIG, "[%s] %s = %s: wants %s from %g to %g", section, key, v,
                            r->type == GS_CONFIG_INT ? "a whole number" : "a number", r->min, r->max);
        }
        return r->min;
    }
    return x;
}

static bool flag(source *s, const char *section, const char *key)
{
    const char *v = text(s, row_of(section, key));

    return strcmp(v, "1") == 0 || strcmp(v, "true") == 0 || strcmp(v, "yes") == 0;
}

/* Index of the value among the row's choices. */
static int choice(source *s, const char *section, const char *key)
{
    const gs_config_row *r = row_of(section, key);
    const char *v = text(s, r), *c = r->choices;
    const size_t len = strlen(v);

    for (int i = 0; *c; i++) {
        const size_t n = strcspn(c, " ");

        if (n == len && memcmp(c, v, n) == 0) return i;
        c += n + strspn(c + n, " ");
    }
    if (s->st == GS_OK) s->st = gs_fail(GS_ECONFIG, "[%s] %s = %s: wants one of: %s", section, key, v, r->choices);
    return 0;
}

gs_status gs_ugatit_configure(gs_ugatit_opts *o, gs_config_lookup *get, void *user)
{
    source s = { .get = get, .user = user };

    *o = (gs_ugatit_opts){
        .light = flag(&s, "model", "light"),
        .size = (int)number(&s, "model", "size"),
        .ch = (int)number(&s, "model", "ch"),
        .n_res = (int)number(&s, "model", "n_res"),
        .d_global_layers = (int)number(&s, "model", "d_global_layers"),
        .d_local_layers = (int)number(&s, "model", "d_local_layers"),
        .sn = flag(&s, "model", "sn"),
        .d_cam_normalised = choice(&s, "model", "d_cam_weight") == 1,
        .init_normal = choice(&s, "model", "init") == 1,
        .gan = (gs_ugatit_gan)choice(&s, "loss", "gan"),
        .w_adv = number(&s, "loss", "w_adv"),
        .w_cycle = number(&s, "loss", "w_cycle"),
        .w_identity = number(&s, "loss", "w_identity"),
        .w_cam = number(&s, "loss", "w_cam"),
        .iterations = (int64_t)number(&s, "train", "iterations"),
        .batch = (int)number(&s, "train", "batch"),
        .lr = number(&s, "train", "lr"),
        .beta1 = number(&s, "train", "beta1"),
        .beta2 = number(&s, "train", "beta2"),
        .weight_decay = number(&s, "train", "weight_decay"),
        .decay_from = number(&s, "train", "decay_from"),
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
    const int64_t from = (int64_t)(o->decay_from * (double)o->iterations);

    return from >= o->iterations ? o->lr : gs_lr_linear(o->lr, from, o->iterations, step);
}
