/* gesso generate: pictures from a trained network, one file each or a sheet; translate.c has the systems that
 * take pictures. */
#include <stdlib.h>

#include "cli/model.h"
#include "cli/translate.h"
#include "data/grid.h"
#include "train/snapshot.h"

enum { BATCH = 64 }; /* pictures drawn at a time */

static const cli_option options[] = {
    { 'l', "label", "N", CLI_INT, 0, 65535, .repeat = true, .help = "class to draw; default: all" },
    { 'n', "count", "N", CLI_INT, 1, 10000, "10", .help = "pictures of each class" },
    { 'g', "grid", .type = CLI_FLAG, 
      .help = "one sheet, a row a class and the same noise in every row, instead of a file a picture; systems that translate: also NAME_grid.png, "
              "a column of the picture, its translations, the ways back and what is attended to" },
    { 0, "scale", "N", CLI_INT, 1, 16, "1", .help = "with --grid: every pixel becomes N x N" },
    { 's', "seed", "N", CLI_INT, 0, INT64_MAX, "0", .help = "of the noise; picture i of a class has the same noise for every class and count" },
    CLI_OUT("folder for the pictures, made when it is missing; with --grid the PNG file"),
    { 'i', "input", "PATH", CLI_TEXT, .help = "systems that translate: a picture, or a folder of them, of any size; names are kept" },
    { 0, "direction", "A2B|B2A", CLI_TEXT, .preset = "A2B", .help = "systems that translate: from which domain to which" },
    { 0, "heatmaps", .type = CLI_FLAG, .help = "also what the network attends to, as NAME_heat.png" },
    { 0, "overlay", .type = CLI_FLAG, .help = "also that over the input, half and half, as NAME_overlay.png" },
    { 0, "side-by-side", .type = CLI_FLAG, .help = "also the input and its translation in one picture, as NAME_side.png" },
    { 0, "keep-size", .type = CLI_FLAG, .help = "resize translations to the input's own size" },
    { 0, "config", "INI", CLI_TEXT, .help = "configuration of a file that carries none" },
    { 0, "train-mode", .type = CLI_FLAG, .help = "with dropout and batch statistics, as while training" },
    CLI_DEVICE,
};

static gs_status labels_of(const cli_args *a, gs_picture_info pic, int32_t **labels, int *n)
{
    const char *text;
    int cap = 0;

    *labels = NULL;
    *n = 0;
    for (int i = 0; (text = cli_nth(a, "label", i)); i++) {
        int64_t v = 0;

        gs_parse_i64(text, &v);
        if (v >= pic.classes) return gs_fail(GS_EUSAGE, "generate: --label %lld: the classes are 0 to %d", (long long)v, pic.classes - 1);
        GS_PUSH(*labels, *n, cap, (int32_t)v);
    }
    for (int v = 0; *n < pic.classes && !cli_given(a, "label"); v++) GS_PUSH(*labels, *n, cap, v);
    return GS_OK;
}

static gs_status write_files(const char *dir, const float *images, const int32_t *labels, int n, int count, gs_picture_info pic)
{
    const size_t one = (size_t)pic.channels * pic.height * pic.width;
    gs_image img = { 0 };
    gs_status st = GS_OK;

    for (int i = 0; i < n * count; i++) {
        char name[64], *path;

        snprintf(name, sizeof name, "class_%d_%04d.png", (int)labels[i / count], i % count);
        path = gs_path_join(dir, name);
        st = gs_image_from_floats(&img, images + (size_t)i * one, pic.channels, pic.height, pic.width, true);
        if (st == GS_OK) st = gs_png_write(path, &img);
        gs_image_free(&img);
        if (st == GS_OK) printf("%s\n", path);
        free(path);
        if (st != GS_OK) return st;
    }
    return GS_OK;
}

static gs_status write_sheet(const char *path, const float *images, const int32_t *labels, int n, int count, int scale, gs_picture_info pic)
{
    const char **names = gs_xalloc((size_t)n * sizeof *names);
    char (*text)[12] = gs_xalloc((size_t)n * sizeof *text);
    gs_image sheet = { 0 };
    gs_status st;

    for (int i = 0; i < n; i++) {
        snprintf(text[i], sizeof text[i], "%d", (int)labels[i]);
        names[i] = text[i];
    }
    TRY(gs_grid(&sheet, images, n * count, pic.channels, pic.height, pic.width,
                &(gs_grid_opts){ .rows = n, .cols = count, .scale = scale, .unit_range = true, .row_labels = names }));
    TRY(gs_png_write(path, &sheet));
    printf("%s\n", path);
done:
    gs_image_free(&sheet);
    free(names);
    free(text);
    return st;
}

/* The first option of the list that was given, or NULL. */
static const char *any_given(const cli_args *a, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (cli_given(a, names[i])) return names[i];
    }
    return NULL;
}

/* Options of one kind of system mean nothing to the other. */
static gs_status check_options(const cli_args *a, const gs_system *system)
{
    static const char *const draws[] = { "label", "count", "scale", "seed", "train-mode" };
    static const char *const translates[] = { "input", "direction", "heatmaps", "overlay", "side-by-side", "keep-size" };
    const char *name = system->directions ? any_given(a, draws, GS_COUNT(draws)) : any_given(a, translates, GS_COUNT(translates));

    if (name) return gs_fail(GS_EUSAGE, "generate: --%s means nothing to system %s, which %s", name, system->name,
                             system->directions ? "translates pictures (--input)" : "draws classes (--label)");
    if (system->directions && !cli_given(a, "input")) {
        return gs_fail(GS_EUSAGE, "generate: what to translate? --input PICTURE or FOLDER (system %s)", system->name);
    }
    return GS_OK;
}

static gs_status run(const cli_args *a)
{
    const char *out = cli_text(a, "output");
    const bool grid = cli_given(a, "grid");
    const int count = (int)cli_int(a, "count");
    gs_snapshot *snapshot = NULL;
    gs_sampler *sampler = NULL;
    gs_device *d = NULL;
    int32_t *labels = NULL, *same = NULL;
    float *images = NULL;
    gs_picture_info pic;
    size_t one;
    gs_status st;
    int n;

    if (!out) return gs_fail(GS_EUSAGE, "generate: where to? -o %s", grid && !cli_given(a, "input") ? "FILE.png" : "DIR");
    if (cli_given(a, "scale") && !grid) return gs_fail(GS_EUSAGE, "generate: --scale goes with --grid");
    TRY(cli_refuse_pickle(cli_operand(a, 0)));
    TRY(gs_snapshot_open(cli_operand(a, 0), cli_text(a, "config"), &snapshot));
    TRY(check_options(a, gs_snapshot_setup(snapshot)->system));
    if (gs_snapshot_setup(snapshot)->system->directions) {
        TRY(cli_device_open(a, gs_snapshot_setup(snapshot)->config, &d));
        st = cli_translate(a, snapshot, d, out);
        goto done;
    }
    pic = gs_snapshot_picture(snapshot);
    TRY(labels_of(a, pic, &labels, &n));
    if (!grid) TRY(gs_mkdirs(out));
    TRY(cli_device_open(a, gs_snapshot_setup(snapshot)->config, &d));
    TRY(gs_sampler_new(snapshot, d, GS_MIN(count, BATCH), &(gs_sampler_opts){ .train_mode = cli_given(a, "train-mode"), .unit = true }, &sampler));
    one = (size_t)pic.channels * pic.height * pic.width;
    images = gs_try_alloc((size_t)n * (size_t)count, one * sizeof *images, "pictures");
    if (!images) TRY(GS_ENOMEM);
    same = gs_xalloc((size_t)count * sizeof *same);
    for (int k = 0; k < n; k++) {
        for (int i = 0; i < count; i++) same[i] = labels[k];
        TRY(gs_sampler_images(sampler, images + (size_t)k * (size_t)count * one, same, count, (uint64_t)cli_int(a, "seed")));
    }
    if (grid) TRY(write_sheet(out, images, labels, n, count, (int)cli_int(a, "scale"), pic));
    else TRY(write_files(out, images, labels, n, count, pic));
done:
    free(labels);
    free(same);
    free(images);
    gs_sampler_free(sampler);
    gs_device_close(d);
    gs_snapshot_close(snapshot);
    return st;
}

const cli_command cli_generate = {
    .name = "generate", .operands = "RUN|FILE", .summary = "Draws or translates pictures with a trained network",
    .about = "RUN stands for its newest checkpoint; FILE is a checkpoint or what \"gesso import\" wrote. The paths written go to stdout.",
    .min_operands = 1, .max_operands = 1, .options = options, .n_options = (int)GS_COUNT(options), .run = run,
};
