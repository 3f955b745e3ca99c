/* The configuration keys of the conditional GAN as data, what each profile presets, and options made from them. */
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "models/cgan.h"
#include "models/options.h"

#define BIG 2147483647.0

/* Beside the keys that every system has (seed, device, checkpoints). */
static const gs_config_row rows[] = {
    /* section, key, type, preset, min, max, choices, help */
    { "model", "profile", GS_CONFIG_CHOICE, "concat", 0, 0, "concat embed paper ln zn_mlp cdcgan ar bars",
      "networks, losses and schedule of one source; it decides the presets of the keys that are auto" },
    { "model", "image_size", GS_CONFIG_INT, "auto", 4, 256, NULL, "side of the square pictures; cdcgan needs 32" },
    { "model", "image_channels", GS_CONFIG_INT, "1", 1, 3, NULL, "1 grey, 3 colour" },
    { "model", "n_classes", GS_CONFIG_INT, "10", 1, 256, NULL, "number of classes" },
    { "model", "latent_dim", GS_CONFIG_INT, "auto", 1, 4096, NULL, "width of the noise z" },
    { "model", "z_dist", GS_CONFIG_CHOICE, "auto", 0, 0, "normal uniform", "noise: N(0,1) or U[0,1)" },
    { "model", "label_input", GS_CONFIG_CHOICE, "auto", 0, 0, "onehot embedding",
      "how the class enters: one-hot, or a learned table in each network" },
    { "model", "output", GS_CONFIG_CHOICE, "auto", 0, 0, "tanh sigmoid",
      "the generator's last activation, and with it the pictures' range: [-1,1] or [0,1]" },
    { "model", "g_dropout", GS_CONFIG_REAL, "auto", 0, 0.99, NULL, "dropout in the generator" },
    { "model", "d_dropout", GS_CONFIG_REAL, "auto", 0, 0.99, NULL, "dropout in the discriminator" },
    { "model", "g_output_dropout", GS_CONFIG_REAL, "0", 0, 0.99, NULL,
      "dropout after the generator's last layer: it ruins training, see allow_output_dropout" },
    { "model", "allow_output_dropout", GS_CONFIG_BOOL, "0", 0, 1, NULL, "permit g_output_dropout, to repeat that experiment" },
    { "model", "bn_eps", GS_CONFIG_REAL, "1e-5", 1e-12, 10, NULL,
      "eps of batch normalisation; 0.8 is what the original of profile ln runs with by accident" },
    { "model", "paper_joint", GS_CONFIG_CHOICE, "dense", 0, 0, "dense concat",
      "profile paper: a weighted joint layer, or the concatenation alone" },
    { "model", "paper_dropout", GS_CONFIG_CHOICE, "hidden", 0, 0, "hidden gf",
      "profile paper: on hidden outputs of both networks, or as the experiment before it: D's pixels and hidden units" },
    { "model", "init", GS_CONFIG_CHOICE, "auto", 0, 0, "default normal paper",
      "weights: U by fan-in as PyTorch, N(0, init_std^2) with zero biases, or the small uniform ranges of the paper's code" },
    { "model", "init_std", GS_CONFIG_REAL, "0.02", 0, 10, NULL, "standard deviation of init = normal" },

    { "data", "dataset", GS_CONFIG_CHOICE, "auto", 0, 0, "mnist fashion idx folder digits bars",
      "mnist, fashion: the four IDX files by their usual names in data_dir; idx: four paths; folder: one folder a class; digits, bars: drawn, no files" },
    { "data", "data_dir", GS_CONFIG_TEXT, "", 0, 0, NULL, "folder of the data set" },
    { "data", "train_images", GS_CONFIG_TEXT, "", 0, 0, NULL, "dataset = idx: training pictures, plain or gzip" },
    { "data", "train_labels", GS_CONFIG_TEXT, "", 0, 0, NULL, "dataset = idx: their labels" },
    { "data", "test_images", GS_CONFIG_TEXT, "", 0, 0, NULL, "dataset = idx: test pictures" },
    { "data", "test_labels", GS_CONFIG_TEXT, "", 0, 0, NULL, "dataset = idx: their labels" },
    { "data", "n_digits", GS_CONFIG_INT, "20000", 1, 1e7, NULL, "dataset = digits: training pictures to draw; a sixth as many for tests" },
    { "data", "n_validation", GS_CONFIG_INT, "auto", 0, BIG, NULL, "so many of the last training pictures are kept back from training" },
    { "data", "resize", GS_CONFIG_CHOICE, "pad", 0, 0, "pad bilinear", "how smaller pictures become image_size: background around, or resampled" },

    { "train", "loss", GS_CONFIG_CHOICE, "auto", 0, 0, "bce mse", "on the logits: cross entropy, or least squares" },
    { "train", "d_loss_scale", GS_CONFIG_REAL, "auto", 1e-6, 1000, NULL, "factor of the discriminator's loss: 0.5 halves the sum of real and fake" },
    { "train", "real_label", GS_CONFIG_REAL, "1.0", 0, 1, NULL, "the discriminator's target for real pictures; 0.9 is one-sided smoothing" },
    { "train", "d_wrong_label", GS_CONFIG_REAL, "0", 0, 1000, NULL, "weight of a term that teaches D to refuse real pictures with a wrong label" },
    { "train", "fake_labels", GS_CONFIG_CHOICE, "uniform", 0, 0, "uniform real", "classes of the fakes: uniform, or those of the real batch" },
    { "train", "update_order", GS_CONFIG_CHOICE, "auto", 0, 0, "g_first_reuse d_first_fresh simultaneous",
      "G first and D on the same fakes; D first with fakes of its own; or both gradients before both updates" },
    { "train", "optimizer", GS_CONFIG_CHOICE, "auto", 0, 0, "adam sgd", "for both networks" },
    { "train", "lr", GS_CONFIG_REAL, "auto", 0, 10, NULL, "learning rate" },
    { "train", "lr_d", GS_CONFIG_REAL, "auto", 0, 10, NULL, "learning rate of the discriminator; auto: lr" },
    { "train", "beta1", GS_CONFIG_REAL, "auto", 0, 0.999999, NULL, "Adam" },
    { "train", "beta2", GS_CONFIG_REAL, "0.999", 0, 0.999999, NULL, "Adam" },
    { "train", "lr_steps", GS_CONFIG_INTS, "auto", 1, BIG, NULL, "epochs (from 1) at whose start the rate is multiplied by lr_gamma" },
    { "train", "lr_gamma", GS_CONFIG_REAL, "0.1", 0, 1, NULL, "see lr_steps" },
    { "train", "lr_decay_factor", GS_CONFIG_REAL, "1.00004", 1, 10, NULL, "sgd: the rate is divided by this after every update" },
    { "train", "lr_min", GS_CONFIG_REAL, "1e-6", 0, 10, NULL, "sgd: the rate does not fall below" },
    { "train", "momentum", GS_CONFIG_REAL, "0.5", 0, 0.999999, NULL, "sgd: at epoch 1" },
    { "train", "momentum_final", GS_CONFIG_REAL, "0.7", 0, 0.999999, NULL, "sgd: from epoch momentum_saturate on" },
    { "train", "momentum_saturate", GS_CONFIG_INT, "250", 1, BIG, NULL, "sgd: momentum rises linearly up to this epoch" },
    { "train", "batch_size", GS_CONFIG_INT, "auto", 1, 65536, NULL, "pictures a step" },
    { "train", "n_epochs", GS_CONFIG_INT, "auto", 1, BIG, NULL, "passes through the data" },
    { "train", "drop_last", GS_CONFIG_BOOL, "0", 0, 1, NULL, "leave out the last, smaller batch of an epoch" },
    { "train", "log_every", GS_CONFIG_INT, "100", 1, BIG, NULL, "batches between log lines" },

    { "sample", "sample_interval", GS_CONFIG_INT, "1", 0, BIG, NULL, "epochs between grids; 0: none" },
    { "sample", "sample_interval_batches", GS_CONFIG_INT, "auto", 0, BIG, NULL, "batches between grids; 0: by epochs only" },
    { "sample", "grid_z", GS_CONFIG_CHOICE, "fixed", 0, 0, "fixed fresh", "one z a column for the whole run, or new ones in each grid" },
    { "sample", "grid_layout", GS_CONFIG_CHOICE, "row_class", 0, 0, "row_class column_class", "what a class takes in the grid" },
    { "sample", "n_row", GS_CONFIG_INT, "10", 1, 1000, NULL, "draws of each class in the grid" },
    { "sample", "sample_mode", GS_CONFIG_CHOICE, "eval", 0, 0, "eval train", "sampling without, or with dropout and batch statistics" },
};

static const char *const profile_names[GS_CGAN_PROFILES] = { "concat", "embed", "paper", "ln", "zn_mlp", "cdcgan", "ar", "bars" };

/* The one table of what profiles preset. Sources: the tables of the profiles' originals; bars: the learning check. */
static const struct preset {
    const char *key;
    const char *value[GS_CGAN_PROFILES];
} presets[] = {
    /*              concat           embed            paper           ln               zn_mlp           cdcgan           ar               bars */
    { "image_size", { "28", "28", "28", "32", "28", "32", "28", "8" } },
    { "latent_dim", { "100", "100", "100", "100", "100", "100", "100", "16" } },
    { "z_dist", { "normal", "normal", "uniform", "normal", "uniform", "normal", "normal", "normal" } },
    { "label_input", { "onehot", "onehot", "onehot", "embedding", "onehot", "onehot", "embedding", "onehot" } },
    { "output", { "tanh", "tanh", "sigmoid", "tanh", "tanh", "tanh", "tanh", "tanh" } },
    { "g_dropout", { "0.5", "0.2", "0.5", "0", "0", "0", "0", "0" } },
    { "d_dropout", { "0.3", "0", "0.5", "0.4", "0", "0", "0.3", "0.3" } },
    { "init", { "default", "normal", "paper", "default", "normal", "normal", "default", "default" } },
    { "dataset", { "mnist", "mnist", "mnist", "mnist", "mnist", "mnist", "mnist", "bars" } },
    { "n_validation", { "0", "0", "10000", "0", "0", "0", "0", "0" } },
    { "loss", { "bce", "bce", "bce", "mse", "bce", "bce", "bce", "bce" } },
    { "d_loss_scale", { "0.5", "0.5", "1", "0.5", "1", "1", "1", "0.5" } },
    { "update_order", { "g_first_reuse", "g_first_reuse", "simultaneous", "g_first_reuse", "d_first_fresh", "d_first_fresh",
                        "d_first_fresh", "g_first_reuse" } },
    { "optimizer", { "adam", "adam", "sgd", "adam", "adam", "adam", "adam", "adam" } },
    { "lr", { "2e-4", "2e-4", "0.1", "2e-4", "2e-4", "2e-4", "1e-4", "1e-3" } },
    { "beta1", { "0.5", "0.5", "0.5", "0.5", "0.5", "0.5", "0.9", "0.5" } },
    { "lr_steps", { "", "30,40", "", "", "30,40", "11,16", "", "" } },
    { "batch_size", { "64", "128", "100", "64", "128", "128", "32", "64" } },
    { "n_epochs", { "50", "50", "600", "200", "50", "20", "50", "5" } },
    { "sample_interval_batches", { "0", "0", "0", "400", "0", "0", "0", "0" } },
};

const gs_config_row *gs_cgan_config_rows(int *n)
{
    *n = (int)GS_COUNT(rows);
    return rows;
}

const char *gs_cgan_profile_name(gs_cgan_profile p)
{
    return (unsigned)p < GS_CGAN_PROFILES ? profile_names[p] : "?";
}

static const char *preset_of(gs_cgan_profile p, const char *key)
{
    for (size_t i = 0; i < GS_COUNT(presets); i++) {
        if (strcmp(presets[i].key, key) == 0) return presets[i].value[p];
    }
    return NULL;
}

static bool find_profile(const char *name, gs_cgan_profile *p)
{
    for (int i = 0; i < GS_CGAN_PROFILES; i++) {
        if (strcmp(profile_names[i], name) == 0) {
            *p = (gs_cgan_profile)i;
            return true;
        }
    }
    return false;
}

const char *gs_cgan_preset(const char *profile, const char *key)
{
    gs_cgan_profile p;

    return find_profile(profile, &p) ? preset_of(p, key) : NULL;
}

/* ---- options from text ---- */

static const char *preset_in(const void *which, const char *key)
{
    return preset_of(*(const gs_cgan_profile *)which, key);
}

static void steps(gs_options *s, const char *key, int *list, int *n)
{
    char *copy = gs_xstrdup(gs_option_text(s, key)), *save = NULL;

    *n = 0;
    for (char *p = strtok_r(copy, ", ", &save); p; p = strtok_r(NULL, ", ", &save)) {
        int64_t v;

        if (!gs_parse_i64(p, &v) || v < 1 || v > 2147483647 || *n == GS_CGAN_MAX_STEPS) {
            if (s->st == GS_OK) {
                s->st = gs_fail(GS_ECONFIG, "[train] %s: at most %d epochs of 1 or more, with commas; got \"%s\"", key,
                                GS_CGAN_MAX_STEPS, p);
            }
            break;
        }
        list[(*n)++] = (int)v;
    }
    free(copy);
}

gs_status gs_cgan_configure(gs_cgan_opts *o, gs_config_lookup *get, void *user)
{
    gs_cgan_profile which = 0;
    gs_options s = { .rows = rows, .n_rows = (int)GS_COUNT(rows), .get = get, .user = user, .preset = preset_in, .which = &which };
    const char *profile = get ? get(user, "model", "profile") : NULL;
    const char *lr_d;

    *o = (gs_cgan_opts){ 0 };
    if (profile && !find_profile(profile, &which)) {
        const char *near = gs_nearest(profile, profile_names, GS_CGAN_PROFILES);

        return gs_fail(GS_ECONFIG, "[model] profile = %s: there is no such profile%s%s%s", profile,
                       near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    o->profile = which;
    o->image_size = (int)gs_option_number(&s, "image_size");
    o->image_channels = (int)gs_option_number(&s, "image_channels");
    o->n_classes = (int)gs_option_number(&s, "n_classes");
    o->latent_dim = (int)gs_option_number(&s, "latent_dim");
    o->z_uniform = gs_option_choice(&s, "z_dist") == 1;
    o->label_embedding = gs_option_choice(&s, "label_input") == 1;
    o->sigmoid_output = gs_option_choice(&s, "output") == 1;
    o->g_dropout = gs_option_number(&s, "g_dropout");
    o->d_dropout = gs_option_number(&s, "d_dropout");
    o->paper_concat = gs_option_choice(&s, "paper_joint") == 1;
    o->paper_gf = gs_option_choice(&s, "paper_dropout") == 1;
    if (o->paper_gf && o->profile == GS_CGAN_PAPER) o->g_dropout = 0;
    o->g_output_dropout = gs_option_number(&s, "g_output_dropout");
    o->allow_output_dropout = gs_option_flag(&s, "allow_output_dropout");
    o->bn_eps = gs_option_number(&s, "bn_eps");
    o->init = (gs_cgan_init)gs_option_choice(&s, "init");
    o->init_std = gs_option_number(&s, "init_std");

    o->mse = gs_option_choice(&s, "loss") == 1;
    o->d_loss_scale = gs_option_number(&s, "d_loss_scale");
    o->real_label = gs_option_number(&s, "real_label");
    o->d_wrong_label = gs_option_number(&s, "d_wrong_label");
    o->fake_labels_real = gs_option_choice(&s, "fake_labels") == 1;
    o->update_order = (gs_cgan_order)gs_option_choice(&s, "update_order");
    o->sgd = gs_option_choice(&s, "optimizer") == 1;
    o->lr = gs_option_number(&s, "lr");
    lr_d = get ? get(user, "train", "lr_d") : NULL;
    o->lr_d = lr_d && strcmp(lr_d, "auto") != 0 ? gs_option_number(&s, "lr_d") : o->lr;
    o->beta1 = gs_option_number(&s, "beta1");
    o->beta2 = gs_option_number(&s, "beta2");
    steps(&s, "lr_steps", o->lr_steps, &o->n_lr_steps);
    o->lr_gamma = gs_option_number(&s, "lr_gamma");
    o->lr_decay_factor = gs_option_number(&s, "lr_decay_factor");
    o->lr_min = gs_option_number(&s, "lr_min");
    o->momentum = gs_option_number(&s, "momentum");
    o->momentum_final = gs_option_number(&s, "momentum_final");
    o->momentum_saturate = (int)gs_option_number(&s, "momentum_saturate");
    o->batch_size = (int)gs_option_number(&s, "batch_size");
    o->n_epochs = (int)gs_option_number(&s, "n_epochs");
    return s.st != GS_OK ? s.st : gs_cgan_check(o);
}

static const char *only_profile(void *user, const char *section, const char *key)
{
    (void)section;
    return strcmp(key, "profile") == 0 ? user : NULL;
}

void gs_cgan_presets(gs_cgan_opts *o, gs_cgan_profile p)
{
    const gs_status st = gs_cgan_configure(o, only_profile, (void *)(uintptr_t)profile_names[p]);

    (void)st; /* the tables above are right: a test configures every profile */
}

gs_status gs_cgan_check(const gs_cgan_opts *o)
{
    if ((unsigned)o->profile >= GS_CGAN_PROFILES) return gs_fail(GS_ECONFIG, "profile %d does not exist", (int)o->profile);
    if (o->image_size < 1 || o->image_channels < 1 || o->n_classes < 1 || o->latent_dim < 1) {
        return gs_fail(GS_ECONFIG, "image_size %d, image_channels %d, n_classes %d, latent_dim %d: each must be 1 or more",
                       o->image_size, o->image_channels, o->n_classes, o->latent_dim);
    }
    if (o->profile == GS_CGAN_CDCGAN && o->image_size != 32) {
        return gs_fail(GS_ECONFIG, "[model] image_size = %d: profile cdcgan is built for 32 (smaller pictures: resize = pad)",
                       o->image_size);
    }
    if (o->g_output_dropout != 0 && !o->allow_output_dropout) {
        return gs_fail(GS_ECONFIG,
                       "[model] g_output_dropout = %g: dropout after the generator's last layer stops learning, since the "
                       "mask alone gives every fake away; set it to 0, or allow_output_dropout = 1 to repeat the experiment",
                       o->g_output_dropout);
    }
    if (o->profile == GS_CGAN_CDCGAN && (o->g_dropout != 0 || o->d_dropout != 0)) {
        return gs_fail(GS_ECONFIG, "[model] g_dropout, d_dropout: profile cdcgan has no dropout; leave them at 0");
    }
    if (o->d_wrong_label != 0 && o->n_classes < 2) {
        return gs_fail(GS_ECONFIG, "[train] d_wrong_label = %g: with one class there is no wrong label", o->d_wrong_label);
    }
    return GS_OK;
}

double gs_cgan_lr(const gs_cgan_opts *o, bool d, int epoch, int64_t t)
{
    const double lr = gs_lr_steps(d ? o->lr_d : o->lr, o->lr_gamma, o->lr_steps, o->n_lr_steps, epoch);

    return o->sgd ? gs_lr_exponential(lr, o->lr_decay_factor, o->lr_min, t) : lr;
}

double gs_cgan_momentum(const gs_cgan_opts *o, int epoch)
{
    return gs_momentum_ramp(o->momentum, o->momentum_final, o->momentum_saturate, epoch);
}
