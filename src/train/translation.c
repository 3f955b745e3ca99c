/* Two folders of pictures as the domains of a translation; see the header. */
#include "train/translation.h"

#include <stdlib.h>
#include <string.h>

#include "data/grid.h"
#include "data/heatmap.h"

enum { A, B };

const char *const gs_translation_directions[] = { "A2B", "B2A", NULL };

void gs_translation_init(gs_translation *t, const gs_config *c, int side, int channels, int batch, gs_image_filter filter)
{
    const bool augment = gs_config_bool(c, "data", "augment");

    *t = (gs_translation){ .side = side, .channels = channels, .batch = batch, .filter = filter };
    t->seed = (uint64_t)gs_config_int(c, "train", "seed");
    t->flip = augment ? gs_config_real(c, "data", "flip") : 0;
    t->extra = augment ? (int)gs_config_int(c, "data", "resize_extra") : 0;
    t->max_items = (int)gs_config_int(c, "data", "max_items");
    t->sheet_pictures = (int)gs_config_int(c, "sample", "pictures");
}

void gs_translation_free(gs_translation *t)
{
    for (int d = A; d <= B; d++) {
        gs_pictures_free(t->train[d]);
        gs_pictures_free(t->test[d]);
    }
    free(t->px);
}

static size_t pixels(const gs_translation *t)
{
    return (size_t)t->channels * (size_t)t->side * (size_t)t->side;
}

/* ---- data ---- */

/* The folder of one key; of test pictures NULL where there is none. */
static gs_status open_folder(const gs_translation *t, const gs_config *c, const char *key, bool train, gs_pictures **out)
{
    const char *root = gs_config_str(c, "data", "root"), *name = gs_config_str(c, "data", key);
    const gs_pictures_opts o = {
        .side = t->side, .channels = t->channels, .extra = train ? t->extra : 0, .filter = t->filter, .max_items = train ? t->max_items : t->sheet_pictures,
        .threads = (int)gs_config_int(c, "data", "threads"),
        .memory = train ? (size_t)gs_config_int(c, "data", "cache") << 19 : 0, /* half of the MiB to each domain */
    };
    char *dir = *name == '/' || !*root ? gs_xstrdup(name) : gs_path_join(root, name);
    gs_status st = GS_OK;

    *out = NULL;
    if (train || (*name && gs_dir_exists(dir))) st = gs_pictures_open(dir, &o, out);
    if (st != GS_OK) gs_fail_in(st, "[data] %s", key);
    if (st != GS_OK && !gs_dir_exists(dir)) {
        gs_fail(st, "%s: no such folder: [data] root and %s say where the pictures of a domain lie; set them or use --set data.root=...", dir, key);
    }
    free(dir);
    return st;
}

gs_status gs_translation_open_data(void *model, const gs_config *c)
{
    static const char *const keys[2][2] = { { "trainA", "testA" }, { "trainB", "testB" } };
    gs_translation *t = model;
    gs_status st = GS_OK;

    for (int d = A; d <= B; d++) {
        TRY(open_folder(t, c, keys[d][0], true, &t->train[d]));
        TRY(open_folder(t, c, keys[d][1], false, &t->test[d]));
    }
    t->px = gs_try_alloc((size_t)t->batch * pixels(t), sizeof *t->px, "a batch of pictures");
    TRY(t->px ? GS_OK : GS_ENOMEM);
done:
    return st;
}

gs_status gs_translation_feed(gs_translation *t, gs_plan *plan, const char *a, const char *b, int64_t index)
{
    gs_status st = GS_OK;

    for (int d = A; d <= B; d++) {
        for (int i = 0; i < t->batch; i++) {
            TRY(gs_pictures_sample(t->train[d], t->seed, d, index * t->batch + i, t->flip, t->px + (size_t)i * pixels(t)));
        }
        TRY(gs_plan_feed(plan, d == A ? a : b, t->px));
    }
done:
    return st;
}

/* ---- hooks ---- */

int gs_translation_batch_size(const void *model) { return ((const gs_translation *)model)->batch; }

gs_picture_info gs_translation_picture(const void *model)
{
    const gs_translation *t = model;

    return (gs_picture_info){ .channels = t->channels, .height = t->side, .width = t->side, .filter = t->filter };
}

int64_t gs_translation_samples(const void *model)
{
    const gs_translation *t = model;

    return gs_pictures_count(t->train[A]) + gs_pictures_count(t->train[B]);
}

int gs_translation_size_of(const void *model, int index)
{
    (void)index;
    return gs_translation_batch_size(model);
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

/* Runs the plan on the picture in and fills one column. */
static gs_status draw_column(const gs_translation *t, gs_plan *plan, const gs_sheet_row *rows, int n_rows, const float *in, gs_image *sheet, int column)
{
    float *x = gs_try_alloc(pixels(t), sizeof *x, "a picture of a sheet");
    gs_image img = { 0 };
    gs_status st = GS_OK;

    TRY(x ? GS_OK : GS_ENOMEM);
    TRY(gs_plan_feed(plan, "x", in));
    TRY(gs_plan_run(plan, 0, 0));
    for (int row = 0; row < n_rows; row++) {
        const gs_sheet_row *r = &rows[row];

        if (r->output) TRY(gs_plan_fetch(plan, r->output, x));
        if (r->heat) {
            const gs_shape s = gs_plan_shape(plan, r->output);

            TRY(gs_heatmap(&img, x, (int)s.dim[2], (int)s.dim[3], t->side));
        } else {
            TRY(gs_image_from_floats(&img, r->output ? x : in, t->channels, t->side, t->side, false));
            TRY(gs_image_convert(&img, 3, NULL)); /* as the heat maps beside it */
        }
        paste(sheet, &img, row, column);
        gs_image_free(&img);
    }
done:
    gs_image_free(&img);
    free(x);
    return st;
}

gs_status gs_translation_sheet(gs_translation *t, gs_plan *plan, int direction, const gs_sheet_row *rows, int n_rows, gs_image *out)
{
    gs_pictures *const from[2] = { t->train[direction], t->test[direction] };
    int n[2] = { 0 }, column = 0;
    gs_status st = GS_OK;

    for (int i = 0; i < 2; i++) n[i] = from[i] ? GS_MIN(gs_pictures_count(from[i]), t->sheet_pictures) : 0;
    TRY(gs_image_new(out, (n[0] + n[1]) * t->side, n_rows * t->side, 3));
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < n[i]; k++) {
            TRY(gs_pictures_plain(from[i], k, t->px));
            TRY(draw_column(t, plan, rows, n_rows, t->px, out, column++));
        }
    }
done:
    if (st != GS_OK) gs_image_free(out);
    return st;
}

gs_status gs_translation_column(const gs_translation *t, gs_plan *plan, const gs_sheet_row *rows, int n_rows, const float *x, gs_image *out)
{
    gs_status st = gs_image_new(out, t->side, n_rows * t->side, 3);

    if (st == GS_OK) st = draw_column(t, plan, rows, n_rows, x, out, 0);
    if (st != GS_OK) gs_image_free(out);
    return st;
}

/* ---- import ---- */

int gs_translation_number_in(const char *name, const char *before, const char *after)
{
    const char *p = strstr(name, before);
    char *end;
    long v;

    if (!p) return -1;
    p += strlen(before);
    v = strtol(p, &end, 10);
    return end > p && strcmp(end, after) == 0 && v >= 0 && v < 1000 ? (int)v : -1;
}
