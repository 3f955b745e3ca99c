/* The conditional GAN as a system: options from the configuration, batches of labelled pictures, rates by
 * epoch and update. */
#include <stdlib.h>
#include <string.h>

#include "data/bars.h"
#include "data/batches.h"
#include "models/cgan.h"
#include "train/dataset.h"
#include "train/system.h"

/* Streams of random numbers that nobody else draws from with the same seed. */
#define STREAM_BARS   0x6261727300000000ull
#define STREAM_LATENT 0x6c6174656e740000ull

#define BARS_SAMPLES 64000 /* of an epoch: 1000 batches of 64 */

typedef struct cgan {
    gs_cgan_opts o;
    uint64_t seed;
    bool drop_last;
    gs_dataset data;
    gs_batches *batches; /* NULL: bars */
    float *images;       /* a batch on its way to the device */
    int32_t *labels;
} cgan;

static const char *const networks[] = { "G.", "D.", NULL };

static const gs_metric metrics[GS_CGAN_METRICS] = {
    [GS_CGAN_LOSS_G] = { "g_loss", "G loss", GS_METRIC_LOSS },
    [GS_CGAN_LOSS_D] = { "d_loss", "D loss", GS_METRIC_LOSS },
    [GS_CGAN_LOSS_REAL] = { "d_loss_real", "D loss on real pictures", GS_METRIC_PART },
    [GS_CGAN_LOSS_FAKE] = { "d_loss_fake", "D loss on fakes", GS_METRIC_PART },
    [GS_CGAN_P_REAL] = { "d_real", "mean sigmoid(D(x))", GS_METRIC_SCORE },
    [GS_CGAN_P_FAKE] = { "d_fake", "mean sigmoid(D(G(z)))", GS_METRIC_SCORE },
};

/* ---- configuration ---- */

static gs_status presets(gs_config *c)
{
    const char *profile = gs_config_str(c, "model", "profile");
    gs_status st = GS_OK;
    int n;
    const gs_config_row *row = gs_cgan_config_rows(&n);

    for (int i = 0; i < n && st == GS_OK; i++) {
        const char *value = gs_cgan_preset(profile, row[i].key);

        if (value) st = gs_config_default(c, row[i].section, row[i].key, value);
    }
    /* The one key that follows another key and not the profile. */
    if (st == GS_OK) st = gs_config_default(c, "train", "lr_d", gs_config_str(c, "train", "lr"));
    return st;
}

static void close_cgan(void *model)
{
    cgan *m = model;

    if (!m) return;
    gs_batches_free(m->batches);
    gs_dataset_free(&m->data);
    free(m->images);
    free(m->labels);
    free(m);
}

static gs_status open_cgan(const gs_config *c, void **model)
{
    cgan *m = gs_xalloc(sizeof *m);
    gs_status st = gs_cgan_configure(&m->o, gs_config_text, (void *)(uintptr_t)c);

    m->seed = (uint64_t)gs_config_int(c, "train", "seed");
    m->drop_last = gs_config_bool(c, "train", "drop_last");
    if (st == GS_OK && m->o.batch_size == 1 && gs_cgan_has_batch_norm(&m->o)) {
        st = gs_fail(GS_ECONFIG, "[train] batch_size = 1: profile %s has batch normalisation and needs 2 or more", gs_cgan_profile_name(m->o.profile));
    }
    if (st != GS_OK) {
        close_cgan(m);
        m = NULL;
    }
    *model = m;
    return st;
}

static int batch_size(const void *model) { return ((const cgan *)model)->o.batch_size; }
static int epochs(const void *model) { return ((const cgan *)model)->o.n_epochs; }

static gs_picture_info picture(const void *model)
{
    const gs_cgan_opts *o = &((const cgan *)model)->o;

    return (gs_picture_info){ o->image_channels, o->image_size, o->image_size, o->n_classes, o->latent_dim, o->sigmoid_output };
}

static gs_status build_step(const void *model, gs_graph *g, int batch)
{
    return gs_cgan_build_step(g, &((const cgan *)model)->o, batch, NULL);
}

static gs_status build_sampler(const void *model, gs_graph *g, int batch, bool train_mode)
{
    return gs_cgan_build_sampler(g, &((const cgan *)model)->o, batch, train_mode);
}

/* ---- data ---- */

static size_t pixels(const cgan *m)
{
    return (size_t)m->o.image_channels * (size_t)m->o.image_size * (size_t)m->o.image_size;
}

static gs_status open_data(void *model, const gs_config *c)
{
    cgan *m = model;
    const gs_cgan_opts *o = &m->o;
    const gs_dataset_opts want = { .side = o->image_size, .channels = o->image_channels, .classes = o->n_classes, .train_only = true };
    gs_status st = GS_OK;

    TRY(gs_dataset_open(c, &want, &m->data));
    if (!m->data.bars) {
        TRY(gs_batches_new(&m->batches, &m->data.train, &(gs_batches_opts){
            .batch = o->batch_size, .seed = m->seed, .drop_last = m->drop_last, .min_last = gs_cgan_has_batch_norm(o) ? 2 : 0,
            .unit_range = o->sigmoid_output, .prefetch = true }));
    }
    m->images = gs_try_alloc((size_t)o->batch_size * pixels(m), sizeof *m->images, "a batch of pictures");
    m->labels = gs_try_alloc((size_t)o->batch_size, sizeof *m->labels, "a batch of labels");
    TRY(m->images && m->labels ? GS_OK : GS_ENOMEM);
done:
    return st;
}

static int64_t samples(const void *model)
{
    const cgan *m = model;

    return m->data.bars ? BARS_SAMPLES : m->data.train.n;
}

static int batches(const void *model)
{
    const cgan *m = model;

    return m->data.bars ? GS_MAX(BARS_SAMPLES / m->o.batch_size, 1) : gs_batches_count(m->batches);
}

static int size_of(const void *model, int index)
{
    const cgan *m = model;
    const int64_t rest = m->data.train.n - (int64_t)index * m->o.batch_size;

    return m->data.bars ? m->o.batch_size : (int)GS_MIN(rest, m->o.batch_size);
}

/* Bars lie in [-1,1]; a sigmoid's range is [0,1]. */
static void draw_bars(const cgan *m, float *images, int32_t *labels, int n, uint64_t stream)
{
    gs_rng r = { .seed = m->seed, .stream = stream };

    gs_bars_batch(images, labels, n, &r);
    for (int i = 0; m->o.sigmoid_output && i < n * GS_BARS_PIXELS; i++) images[i] = 0.5f * (images[i] + 1);
}

static double rate(const void *model, gs_position p)
{
    return gs_cgan_lr(&((const cgan *)model)->o, false, (int)p.epoch + 1, p.step);
}

static gs_status feed(void *model, gs_plan *plan, gs_position p)
{
    cgan *m = model;
    const float lr_g = (float)rate(m, p), lr_d = (float)gs_cgan_lr(&m->o, true, (int)p.epoch + 1, p.step);
    const float momentum = (float)gs_cgan_momentum(&m->o, (int)p.epoch + 1);
    gs_status st = GS_OK;

    if (m->data.bars) draw_bars(m, m->images, m->labels, m->o.batch_size, STREAM_BARS + (uint64_t)p.step);
    else gs_batches_get(m->batches, p.epoch, p.batch, m->images, m->labels);
    TRY(gs_plan_feed(plan, "real", m->images));
    TRY(gs_plan_feed(plan, "y", m->labels));
    TRY(gs_plan_feed(plan, "lr_g", &lr_g));
    TRY(gs_plan_feed(plan, "lr_d", &lr_d));
    if (m->o.sgd) TRY(gs_plan_feed(plan, "momentum", &momentum));
done:
    return st;
}

/* The mean training picture in [0,1], channels as planes. */
static gs_status mean_picture(const cgan *m, float *mean)
{
    const gs_labelled *s = &m->data.train;
    const size_t n = pixels(m), plane = n / (size_t)m->o.image_channels;
    float *v;

    if (m->data.bars) { /* of all prototypes: what the noise around them averages to */
        for (size_t i = 0; i < n; i++) mean[i] = 0;
        for (int c = 0; c < GS_BARS_CLASSES; c++) {
            float p[GS_BARS_PIXELS];

            gs_bars_prototype(p, c);
            for (size_t i = 0; i < n; i++) mean[i] += 0.5f * (p[i] + 1) / GS_BARS_CLASSES;
        }
        return GS_OK;
    }
    v = gs_try_alloc(n, sizeof *v, "the mean picture");
    if (!v) return GS_ENOMEM;
    gs_labelled_mean_image(s, v);
    for (size_t i = 0; i < n; i++) mean[i % (size_t)s->c * plane + i / (size_t)s->c] = v[i];
    free(v);
    return GS_OK;
}

static gs_status prime(void *model, gs_store *store)
{
    const cgan *m = model;
    const char *name = gs_cgan_mean_bias(&m->o);
    const int at = name ? gs_store_find(store, name) : -1;
    float *mean = NULL;
    gs_status st = GS_OK;

    if (!name) return GS_OK;
    TRY(at >= 0 ? GS_OK : gs_fail(GS_EINVAL, "%s: the network has no such bias", name));
    mean = gs_try_alloc(pixels(m), 2 * sizeof *mean, "the mean picture");
    TRY(mean ? GS_OK : GS_ENOMEM);
    TRY(mean_picture(m, mean));
    gs_cgan_logit(mean, mean + pixels(m), pixels(m));
    TRY(gs_store_write(store, at, mean + pixels(m)));
done:
    free(mean);
    return st;
}

static void latent(const void *model, uint64_t seed, int64_t first, int n, float *z)
{
    const gs_cgan_opts *o = &((const cgan *)model)->o;

    for (int i = 0; i < n; i++) {
        gs_rng r = { .seed = seed, .stream = STREAM_LATENT + (uint64_t)(first + i) };

        for (int k = 0; k < o->latent_dim; k++) *z++ = (float)(o->z_uniform ? gs_rng_uniform(&r) : gs_rng_normal(&r));
    }
}

const gs_system gs_system_cgan = {
    .name = "cgan",
    .title = "conditional GAN (Mirza & Osindero 2014) on small labelled pictures",
    .networks = networks,
    .metrics = metrics,
    .n_metrics = GS_CGAN_METRICS,
    .rows = gs_cgan_config_rows,
    .presets = presets,
    .open = open_cgan,
    .close = close_cgan,
    .batch_size = batch_size,
    .epochs = epochs,
    .picture = picture,
    .build_step = build_step,
    .build_sampler = build_sampler,
    .open_data = open_data,
    .samples = samples,
    .batches = batches,
    .size_of = size_of,
    .feed = feed,
    .rate = rate,
    .prime = prime,
    .latent = latent,
};
