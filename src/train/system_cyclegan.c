/* CycleGAN as a system: options from the configuration, two folders of pictures, the rate by epoch, what the
 * image pools do, sample sheets. */
#include <stdlib.h>
#include <string.h>

#include "models/cyclegan.h"
#include "train/translation.h"

enum { A, B };

typedef struct cyclegan {
    gs_translation t; /* first: the hooks of translation.h take the model for it */
    gs_cyclegan_opts o;
    int32_t *slots;   /* of a batch on their way to the device */
    float *olds;
} cyclegan;

static const char *const networks[] = { "G_A.", "G_B.", "D_A.", "D_B.", NULL };

static const gs_metric metrics[GS_CYCLEGAN_METRICS] = {
    [GS_CYCLEGAN_G] = { "g_loss", "G loss", GS_METRIC_LOSS },
    [GS_CYCLEGAN_D] = { "d_loss", "D loss", GS_METRIC_LOSS },
    [GS_CYCLEGAN_ADV_A] = { "g_loss_A", "adversarial loss of G_A (fake B)", GS_METRIC_PART },
    [GS_CYCLEGAN_ADV_B] = { "g_loss_B", "adversarial loss of G_B (fake A)", GS_METRIC_PART },
    [GS_CYCLEGAN_CYCLE_A] = { "cycle_A", "A to B and back, weighted", GS_METRIC_PART },
    [GS_CYCLEGAN_CYCLE_B] = { "cycle_B", "B to A and back, weighted", GS_METRIC_PART },
    [GS_CYCLEGAN_IDENTITY_A] = { "identity_A", "B through G_A, weighted", GS_METRIC_PART },
    [GS_CYCLEGAN_IDENTITY_B] = { "identity_B", "A through G_B, weighted", GS_METRIC_PART },
    [GS_CYCLEGAN_D_A] = { "d_loss_A", "loss of D_A (domain B)", GS_METRIC_PART },
    [GS_CYCLEGAN_D_B] = { "d_loss_B", "loss of D_B (domain A)", GS_METRIC_PART },
};

/* ---- configuration ---- */

static gs_status presets(gs_config *c)
{
    (void)c; /* no key is left to the system */
    return GS_OK;
}

static void close_cyclegan(void *model)
{
    cyclegan *m = model;

    if (!m) return;
    gs_translation_free(&m->t);
    free(m->slots);
    free(m->olds);
    free(m);
}

static gs_status open_cyclegan(const gs_config *c, void **model)
{
    cyclegan *m = gs_xalloc(sizeof *m);
    gs_status st = gs_cyclegan_configure(&m->o, gs_config_text, (void *)(uintptr_t)c);

    gs_translation_init(&m->t, c, m->o.size, 3, m->o.batch, gs_config_choice(c, "data", "filter") == 0 ? GS_RESIZE_BICUBIC : GS_RESIZE_ANTIALIAS);
    if (st == GS_OK) {
        m->slots = gs_xalloc((size_t)m->o.batch * sizeof *m->slots);
        m->olds = gs_xalloc((size_t)m->o.batch * sizeof *m->olds);
    } else {
        close_cyclegan(m);
        m = NULL;
    }
    *model = m;
    return st;
}

static int epochs(const void *model)
{
    const gs_cyclegan_opts *o = &((const cyclegan *)model)->o;

    return o->epochs + o->epochs_decay;
}

/* An epoch goes once through the larger domain. */
static int batches(const void *model)
{
    const cyclegan *m = model;
    const int n = GS_MAX(gs_pictures_count(m->t.train[A]), gs_pictures_count(m->t.train[B]));

    return (n + m->o.batch - 1) / m->o.batch;
}

static gs_status build_step(const void *model, gs_graph *g, int batch)
{
    return gs_cyclegan_build_step(g, &((const cyclegan *)model)->o, batch, false);
}

static gs_status build_translator(const void *model, gs_graph *g, int batch, int direction)
{
    return gs_cyclegan_build_translator(g, &((const cyclegan *)model)->o, batch, direction == 1);
}

static gs_status build_sheet(const void *model, gs_graph *g, int direction)
{
    return gs_cyclegan_build_sheet(g, &((const cyclegan *)model)->o, direction == 1);
}

/* ---- data and sheets ---- */

static double rate(const void *model, gs_position p)
{
    return gs_cyclegan_lr(&((const cyclegan *)model)->o, p.epoch);
}

static gs_status feed(void *model, gs_plan *plan, gs_position p)
{
    static const char *const slot_name[2] = { "pool_slot_A", "pool_slot_B" }, *const old_name[2] = { "pool_old_A", "pool_old_B" };
    cyclegan *m = model;
    const float lr = (float)rate(m, p);
    gs_status st = GS_OK;

    TRY(gs_translation_feed(&m->t, plan, "real_A", "real_B", p.step));
    TRY(gs_plan_feed(plan, "lr", &lr));
    for (int d = A; d <= B && m->o.pool > 0; d++) {
        for (int i = 0; i < m->o.batch; i++) gs_cyclegan_pool_turn(&m->o, m->t.seed, d, p.step * m->o.batch + i, &m->slots[i], &m->olds[i]);
        TRY(gs_plan_feed(plan, slot_name[d], m->slots));
        TRY(gs_plan_feed(plan, old_name[d], m->olds));
    }
done:
    return st;
}

static const gs_sheet_row sheet_rows[] = { { NULL, false }, { "fake", false }, { "back", false }, { "same", false } };

static gs_status draw_sheet(void *model, gs_plan *plan, int direction, gs_image *out)
{
    return gs_translation_sheet(&((cyclegan *)model)->t, plan, direction, sheet_rows, (int)GS_COUNT(sheet_rows), out);
}

static gs_status draw_column(const void *model, gs_plan *plan, const float *x, gs_image *out)
{
    return gs_translation_column(&((const cyclegan *)model)->t, plan, sheet_rows, (int)GS_COUNT(sheet_rows), x, out);
}

/* ---- import ---- */

/* Generators begin with module 1, a padding being module 0, discriminators with module 0; the names before
 * that need not be there. */
static void guess(const gs_st_tensor *const *t, int n, gs_str *model)
{
    int blocks = 0, last_of_d = -1, last = -1;
    int64_t ch = 0, d_ch = 0;

    for (int i = 0; i < n; i++) {
        const char *name = t[i]->name;
        const int block = gs_translation_number_in(name, "model.", ".conv_block.1.weight"), k = gs_translation_number_in(name, "model.", ".weight");

        if (block >= 10) blocks = GS_MAX(blocks, block - 9);
        if (k < 0 || t[i]->rank != 4) continue;
        if (k == 1) ch = t[i]->shape[0];
        if (k == 0) d_ch = t[i]->shape[0];
        if (strncmp(name, "D_", 2) == 0) last_of_d = GS_MAX(last_of_d, k);
        last = GS_MAX(last, k);
    }
    if (d_ch > 0 && ch == 0) last_of_d = last; /* a discriminator alone */
    if (ch > 0) gs_str_printf(model, "ch = %lld\n", (long long)ch);
    if (blocks > 0) gs_str_printf(model, "n_res = %d\n", blocks);
    if (d_ch > 0) gs_str_printf(model, "d_ch = %lld\n", (long long)d_ch);
    if (last_of_d >= 5) gs_str_printf(model, "d_layers = %d\n", (last_of_d - 2) / 3);
}

const gs_system gs_system_cyclegan = {
    .name = "cyclegan",
    .title = "CycleGAN (Zhu et al. 2017): unpaired translation between two domains",
    .networks = networks,
    .metrics = metrics,
    .n_metrics = GS_CYCLEGAN_METRICS,
    .rows = gs_cyclegan_config_rows,
    .presets = presets,
    .open = open_cyclegan,
    .close = close_cyclegan,
    .batch_size = gs_translation_batch_size,
    .epochs = epochs,
    .picture = gs_translation_picture,
    .build_step = build_step,
    .directions = gs_translation_directions,
    .build_translator = build_translator,
    .build_sheet = build_sheet,
    .draw_sheet = draw_sheet,
    .draw_column = draw_column,
    .open_data = gs_translation_open_data,
    .samples = gs_translation_samples,
    .batches = batches,
    .size_of = gs_translation_size_of,
    .feed = feed,
    .rate = rate,
    .guess = guess,
};
