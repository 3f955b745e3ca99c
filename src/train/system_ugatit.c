/* U-GAT-IT as a system: options from the configuration, two folders of pictures, the rate by step, sample sheets. */
#include <stdlib.h>
#include <string.h>

#include "models/ugatit.h"
#include "train/translation.h"

#define EPOCH_STEPS 1000 /* the two domains have no common epoch: so many steps are called one */

typedef struct ugatit {
    gs_translation t; /* first: the hooks of translation.h take the model for it */
    gs_ugatit_opts o;
} ugatit;

static const char *const networks[] = { "genA2B.", "genB2A.", "disGA.", "disGB.", "disLA.", "disLB.", NULL };

static const char *const cheaper[] = { "model.light=1", "model.ch=32", "model.size=128", NULL };

static const gs_metric metrics[GS_UGATIT_METRICS] = {
    [GS_UGATIT_G] = { "g_loss", "G loss", GS_METRIC_LOSS },
    [GS_UGATIT_D] = { "d_loss", "D loss", GS_METRIC_LOSS },
    [GS_UGATIT_ADV_A] = { "adv_A", "adversarial loss of fake A", GS_METRIC_PART },
    [GS_UGATIT_ADV_B] = { "adv_B", "adversarial loss of fake B", GS_METRIC_PART },
    [GS_UGATIT_CYCLE_A] = { "cycle_A", "A to B and back", GS_METRIC_PART },
    [GS_UGATIT_CYCLE_B] = { "cycle_B", "B to A and back", GS_METRIC_PART },
    [GS_UGATIT_IDENTITY_A] = { "identity_A", "A as A", GS_METRIC_PART },
    [GS_UGATIT_IDENTITY_B] = { "identity_B", "B as B", GS_METRIC_PART },
    [GS_UGATIT_CAM_GAP] = { "cam_gap", "CAM loss, average heads", GS_METRIC_PART },
    [GS_UGATIT_CAM_GMP] = { "cam_gmp", "CAM loss, max heads", GS_METRIC_PART },
    [GS_UGATIT_D_A] = { "d_loss_A", "D loss of domain A", GS_METRIC_PART },
    [GS_UGATIT_D_B] = { "d_loss_B", "D loss of domain B", GS_METRIC_PART },
    [GS_UGATIT_RHO_ADALIN] = { "rho_adalin", "mean rho of AdaLIN", GS_METRIC_SCORE },
    [GS_UGATIT_RHO_ILN] = { "rho_iln", "mean rho of ILN", GS_METRIC_SCORE },
};

/* ---- configuration ---- */

static gs_status presets(gs_config *c)
{
    const char *preset = gs_config_str(c, "model", "preset");
    gs_status st = GS_OK;
    int n;
    const gs_config_row *row = gs_ugatit_config_rows(&n);

    for (int i = 0; i < n && st == GS_OK; i++) {
        const char *value = gs_ugatit_preset(preset, row[i].key);

        if (value) st = gs_config_default(c, row[i].section, row[i].key, value);
    }
    /* The TensorFlow code enlarges pictures of other sizes than 256 by less. */
    if (st == GS_OK && strcmp(preset, "tf") == 0 && gs_config_int(c, "model", "size") != 256) st = gs_config_default(c, "data", "resize_extra", "15");
    return st;
}

static void close_ugatit(void *model)
{
    ugatit *m = model;

    if (!m) return;
    gs_translation_free(&m->t);
    free(m);
}

static gs_status open_ugatit(const gs_config *c, void **model)
{
    ugatit *m = gs_xalloc(sizeof *m);
    gs_status st = gs_ugatit_configure(&m->o, gs_config_text, (void *)(uintptr_t)c);

    gs_translation_init(&m->t, c, m->o.size, m->o.img_ch, m->o.batch, gs_config_bool(c, "data", "antialias") ? GS_RESIZE_ANTIALIAS : GS_RESIZE_CORNER);
    if (st != GS_OK) {
        close_ugatit(m);
        m = NULL;
    }
    *model = m;
    return st;
}

static int64_t steps(const void *model) { return ((const ugatit *)model)->o.iterations; }

static int batches(const void *model) { return (int)GS_MIN(EPOCH_STEPS, steps(model)); }

static int epochs(const void *model)
{
    const int64_t n = batches(model);

    return (int)GS_MIN((steps(model) + n - 1) / n, INT32_MAX);
}

static gs_status build_step(const void *model, gs_graph *g, int batch)
{
    return gs_ugatit_build_step(g, &((const ugatit *)model)->o, batch, false);
}

static gs_status build_translator(const void *model, gs_graph *g, int batch, int direction)
{
    return gs_ugatit_build_translator(g, &((const ugatit *)model)->o, batch, direction == 1);
}

static gs_status build_sheet(const void *model, gs_graph *g, int direction)
{
    return gs_ugatit_build_sheet(g, &((const ugatit *)model)->o, direction == 1);
}

/* ---- data and sheets ---- */

static double rate(const void *model, gs_position p)
{
    return gs_ugatit_lr(&((const ugatit *)model)->o, p.step + 1);
}

static gs_status feed(void *model, gs_plan *plan, gs_position p)
{
    ugatit *m = model;
    const float lr = (float)rate(m, p), update_g = p.step % m->o.n_critic == 0;
    gs_status st = GS_OK;

    TRY(gs_translation_feed(&m->t, plan, "real_A", "real_B", m->o.fresh_pair ? 2 * p.step : p.step));
    if (m->o.fresh_pair) TRY(gs_translation_feed(&m->t, plan, "real_A_g", "real_B_g", 2 * p.step + 1));
    if (m->o.n_critic > 1) TRY(gs_plan_feed(plan, "update_g", &update_g));
    TRY(gs_plan_feed(plan, "lr", &lr));
done:
    return st;
}

/* Input; its heat map and picture in its own domain; heat map and translation; heat map of the way back, and
 * the picture that came back. */
static const gs_sheet_row sheet_rows[] = { { NULL, false },   { "same_heat", true }, { "same", false }, { "fake_heat", true },
                                           { "fake", false }, { "back_heat", true }, { "back", false } };

static gs_status draw_sheet(void *model, gs_plan *plan, int direction, gs_image *out)
{
    return gs_translation_sheet(&((ugatit *)model)->t, plan, direction, sheet_rows, (int)GS_COUNT(sheet_rows), out);
}

static gs_status draw_column(const void *model, gs_plan *plan, const float *x, gs_image *out)
{
    return gs_translation_column(&((const ugatit *)model)->t, plan, sheet_rows, (int)GS_COUNT(sheet_rows), x, out);
}

/* ---- import ---- */

static void guess(const gs_st_tensor *const *t, int n, gs_str *model)
{
    int blocks = 0, layers[2] = { 0 }; /* global, local */

    for (int i = 0; i < n; i++) {
        const int64_t *s = t[i]->shape;
        const char *name = t[i]->name;
        int k = gs_translation_number_in(name, "DownBlock.", ".conv_block.1.weight");

        blocks = GS_MAX(blocks, k - 11);
        k = gs_translation_number_in(name, "model.", ".weight_orig");
        if (k > 0 && strstr(name, "disG")) layers[0] = GS_MAX(layers[0], (k - 1) / 3 + 2);
        if (k > 0 && strstr(name, "disL")) layers[1] = GS_MAX(layers[1], (k - 1) / 3 + 2);
        if (gs_translation_number_in(name, "DownBlock.", ".weight") == 1 && t[i]->rank == 4 && !strstr(gs_str_c(model), "ch = ")) {
            gs_str_printf(model, "ch = %lld\n", (long long)s[0]);
            if (s[1] == 1) gs_str_printf(model, "img_ch = 1\n");
        }
        if (gs_translation_number_in(name, "FC.", ".weight") == 0 && t[i]->rank == 2 && s[0] > 0 && !strstr(gs_str_c(model), "light = ")) {
            const int64_t plane = s[1] / s[0];
            int64_t side = 1;

            while (side * side < plane && side < 4096) side++;
            gs_str_printf(model, "light = %d\n", plane == 1);
            if (plane > 1) gs_str_printf(model, "size = %lld\n", (long long)side * 4);
        }
    }
    if (blocks > 0) gs_str_printf(model, "n_res = %d\n", blocks);
    if (layers[0] > 0) gs_str_printf(model, "d_global_layers = %d\n", layers[0]);
    if (layers[1] > 0) gs_str_printf(model, "d_local_layers = %d\n", layers[1]);
}

const gs_system gs_system_ugatit = {
    .name = "ugatit",
    .title = "U-GAT-IT (Kim et al. 2020): unpaired translation between two domains",
    .networks = networks,
    .metrics = metrics,
    .n_metrics = GS_UGATIT_METRICS,
    .watched = ".rho",
    .cheaper = cheaper,
    .length = "train.iterations",
    .rows = gs_ugatit_config_rows,
    .presets = presets,
    .open = open_ugatit,
    .close = close_ugatit,
    .batch_size = gs_translation_batch_size,
    .epochs = epochs,
    .steps = steps,
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
