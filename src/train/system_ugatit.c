/* U-GAT-IT as a system: options from the configuration, two folders of pictures, the rate by step, sample sheets. */
#include <stdlib.h>
#include <string.h>

#include "data/grid.h"
#include "data/heatmap.h"
#include "data/pictures.h"
#include "models/ugatit.h"
#include "train/system.h"

enum { A, B };

#define EPOCH_STEPS 1000 /* the two domains have no common epoch: so many steps are called one */
#define SHEET_ROWS 7

typedef struct ugatit {
    gs_ugatit_opts o;
    uint64_t seed;
    double flip;
    int sheet_pictures;
    gs_pictures *train[2], *test[2]; /* test: NULL where there is no such folder */
    float *batch;                    /* pictures on their way to the device */
} ugatit;

static const char *const networks[] = { "genA2B.", "genB2A.", "disGA.", "disGB.", "disLA.", "disLB.", NULL };
static const char *const directions[] = { "A2B", "B2A", NULL };

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
    (void)c; /* no key is left to the system */
    return GS_OK;
}

static void close_ugatit(void *model)
{
    ugatit *m = model;

    if (!m) return;
    for (int d = A; d <= B; d++) {
        gs_pictures_free(m->train[d]);
        gs_pictures_free(m->test[d]);
    }
    free(m->batch);
    free(m);
}

static gs_status open_ugatit(const gs_config *c, void **model)
{
    ugatit *m = gs_xalloc(sizeof *m);
    gs_status st = gs_ugatit_configure(&m->o, gs_config_text, (void *)(uintptr_t)c);

    m->seed = (uint64_t)gs_config_int(c, "train", "seed");
    m->flip = gs_config_real(c, "data", "flip");
    m->sheet_pictures = (int)gs_config_int(c, "sample", "pictures");
    if (st != GS_OK) {
        close_ugatit(m);
        m = NULL;
    }
    *model = m;
    return st;
}

static int batch_size(const void *model) { return ((const ugatit *)model)->o.batch; }

static int64_t steps(const void *model) { return ((const ugatit *)model)->o.iterations; }

static int batches(const void *model) { return (int)GS_MIN(EPOCH_STEPS, steps(model)); }

static int epochs(const void *model)
{
    const int64_t n = batches(model);

    return (int)GS_MIN((steps(model) + n - 1) / n, INT32_MAX);
}

static gs_picture_info picture(const void *model)
{
    const gs_ugatit_opts *o = &((const ugatit *)model)->o;

    return (gs_picture_info){ .channels = GS_UGATIT_CHANNELS, .height = o->size, .width = o->size };
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

/* ---- data ---- */

static size_t pixels(const ugatit *m)
{
    return (size_t)GS_UGATIT_CHANNELS * (size_t)m->o.size * (size_t)m->o.size;
}

/* The folder of one key, or with `optional` NULL where there is none. */
static gs_status open_folder(const ugatit *m, const gs_config *c, const char *key, bool train, gs_pictures **out)
{
    const char *root = gs_config_str(c, "data", "root"), *name = gs_config_str(c, "data", key);
    const gs_pictures_opts o = {
        .side = m->o.size, .extra = train ? (int)gs_config_int(c, "data", "resize_extra") : 0,
        .max_items = train ? (int)gs_config_int(c, "data", "max_items") : m->sheet_pictures,
        .threads = (int)gs_config_int(c, "data", "threads"),
        .memory = train ? (size_t)gs_config_int(c, "data", "cache") << 19 : 0, /* half of the MiB to each domain */
    };
    char *dir = *name == '/' || !*root ? gs_xstrdup(name) : gs_path_join(root, name);
    gs_status st = GS_OK;

    *out = NULL;
    if (train || (*name && gs_dir_exists(dir))) st = gs_pictures_open(dir, &o, out);
    if (st != GS_OK && !gs_dir_exists(dir)) {
        gs_fail(st, "%s: no such folder: [data] root and %s say where the pictures of a domain lie; set them or use --set data.root=...", dir, key);
    }
    free(dir);
    return st;
}

static gs_status open_data(void *model, const gs_config *c)
{
    static const char *const keys[2][2] = { { "trainA", "testA" }, { "trainB", "testB" } };
    ugatit *m = model;
    gs_status st = GS_OK;

    for (int d = A; d <= B; d++) {
        TRY(open_folder(m, c, keys[d][0], true, &m->train[d]));
        TRY(open_folder(m, c, keys[d][1], false, &m->test[d]));
    }
    m->batch = gs_try_alloc((size_t)m->o.batch * pixels(m), sizeof *m->batch, "a batch of pictures");
    TRY(m->batch ? GS_OK : GS_ENOMEM);
done:
    return st;
}

static int64_t samples(const void *model)
{
    const ugatit *m = model;

    return gs_pictures_count(m->train[A]) + gs_pictures_count(m->train[B]);
}

static int size_of(const void *model, int index)
{
    (void)index; /* the folders are gone through again and again: no batch is short */
    return batch_size(model);
}

static double rate(const void *model, gs_position p)
{
    return gs_ugatit_lr(&((const ugatit *)model)->o, p.step + 1);
}

static gs_status feed(void *model, gs_plan *plan, gs_position p)
{
    ugatit *m = model;
    const float lr = (float)rate(m, p);
    gs_status st = GS_OK;

    for (int d = A; d <= B; d++) {
        for (int i = 0; i < m->o.batch; i++) {
            TRY(gs_pictures_sample(m->train[d], m->seed, d, p.step * m->o.batch + i, m->flip, m->batch + (size_t)i * pixels(m)));
        }
        TRY(gs_plan_feed(plan, d == A ? "real_A" : "real_B", m->batch));
    }
    TRY(gs_plan_feed(plan, "lr", &lr));
done:
    return st;
}

/* ---- sheets ---- */

/* Copies a side x side picture into cell (row, column). */
static void paste(gs_image *sheet, const gs_image *img, int row, int column)
{
    for (int y = 0; y < img->h; y++) {
        memcpy(sheet->px + (((size_t)row * img->h + y) * sheet->w + (size_t)column * img->w) * 3, img->px + (size_t)y * img->w * 3,
               (size_t)img->w * 3);
    }
}

/* Runs the sheet's plan on m->batch and fills one column: input; its heat map and picture in its own domain; heat map and
 * translation; heat map of the way back, and the picture that came back. */
static gs_status draw_column(ugatit *m, gs_plan *plan, gs_image *sheet, int column)
{
    static const char *const outputs[SHEET_ROWS] = { NULL, "same_heat", "same", "fake_heat", "fake", "back_heat", "back" };
    const int side = m->o.size, p = side / 4;
    float *x = gs_try_alloc(pixels(m), sizeof *x, "a picture of a sheet");
    gs_image img = { 0 };
    gs_status st = GS_OK;

    TRY(x ? GS_OK : GS_ENOMEM);
    TRY(gs_plan_feed(plan, "x", m->batch));
    TRY(gs_plan_run(plan, 0, 0));
    for (int row = 0; row < SHEET_ROWS; row++) {
        const bool heat = row % 2 == 1;

        if (outputs[row]) TRY(gs_plan_fetch(plan, outputs[row], x));
        TRY(heat ? gs_heatmap(&img, x, p, p, side) : gs_image_from_floats(&img, outputs[row] ? x : m->batch, 3, side, side, false));
        paste(sheet, &img, row, column);
        gs_image_free(&img);
    }
done:
    gs_image_free(&img);
    free(x);
    return st;
}

static gs_status draw_sheet(void *model, gs_plan *plan, int direction, gs_image *out)
{
    ugatit *m = model;
    gs_pictures *const from[2] = { m->train[direction], m->test[direction] };
    int n[2] = { 0 }, column = 0;
    gs_status st = GS_OK;

    for (int i = 0; i < 2; i++) n[i] = from[i] ? GS_MIN(gs_pictures_count(from[i]), m->sheet_pictures) : 0;
    TRY(gs_image_new(out, (n[0] + n[1]) * m->o.size, SHEET_ROWS * m->o.size, 3));
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < n[i]; k++) {
            TRY(gs_pictures_plain(from[i], k, m->batch));
            TRY(draw_column(m, plan, out, column++));
        }
    }
done:
    if (st != GS_OK) gs_image_free(out);
    return st;
}

/* ---- import ---- */

/* The number at %d of a pattern that the end of a name matches, else -1. "DownBlock.%d.conv_block.1.weight" */
static int number_in(const char *name, const char *before, const char *after)
{
    const char *p = strstr(name, before);
    char *end;
    long v;

    if (!p) return -1;
    v = strtol(p + strlen(before), &end, 10);
    return end > p + strlen(before) && strcmp(end, after) == 0 && v >= 0 && v < 1000 ? (int)v : -1;
}

static void guess(const gs_st_tensor *const *t, int n, gs_str *model)
{
    int blocks = 0, layers[2] = { 0 }; /* global, local */

    for (int i = 0; i < n; i++) {
        const int64_t *s = t[i]->shape;
        const char *name = t[i]->name;
        int k = number_in(name, "DownBlock.", ".conv_block.1.weight");

        blocks = GS_MAX(blocks, k - 11);
        k = number_in(name, "model.", ".weight_orig");
        if (k > 0 && strstr(name, "disG")) layers[0] = GS_MAX(layers[0], (k - 1) / 3 + 2);
        if (k > 0 && strstr(name, "disL")) layers[1] = GS_MAX(layers[1], (k - 1) / 3 + 2);
        if (number_in(name, "DownBlock.", ".weight") == 1 && t[i]->rank == 4 && !strstr(gs_str_c(model), "ch = ")) {
            gs_str_printf(model, "ch = %lld\n", (long long)s[0]);
        }
        if (number_in(name, "FC.", ".weight") == 0 && t[i]->rank == 2 && s[0] > 0 && !strstr(gs_str_c(model), "light = ")) {
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
    .rows = gs_ugatit_config_rows,
    .presets = presets,
    .open = open_ugatit,
    .close = close_ugatit,
    .batch_size = batch_size,
    .epochs = epochs,
    .steps = steps,
    .picture = picture,
    .build_step = build_step,
    .directions = directions,
    .build_translator = build_translator,
    .build_sheet = build_sheet,
    .draw_sheet = draw_sheet,
    .open_data = open_data,
    .samples = samples,
    .batches = batches,
    .size_of = size_of,
    .feed = feed,
    .rate = rate,
    .guess = guess,
};
