/* Translating pictures: one plan, one picture after the other. */
#include "cli/translate.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/grid.h"
#include "data/heatmap.h"
#include "data/pictures.h"

typedef struct job {
    const cli_args *a;
    const char *root, *out; /* root: of the input's names, "" for a single picture */
    gs_picture_info info;
    gs_plan *plan;
    const gs_system *system;
    const void *model;
    gs_plan *column; /* with --grid */
    float *in, *x, *heat;
    int heat_h, heat_w;
    char **written; /* outputs of this call without the ending */
    int n_written, cap_written;
} job;

/* ---- names ---- */

static bool taken(const job *j, const char *path)
{
    for (int i = 0; i < j->n_written; i++) {
        if (strcmp(j->written[i], path) == 0) return true;
    }
    return false;
}

/* out/<name below root, without its ending>; with the ending where a.png and a.jpg would meet. Makes the folder. */
static gs_status output_base(job *j, const char *input, char **base)
{
    const char *slash = strrchr(input, '/'), *name = *j->root ? input + strlen(j->root) : slash ? slash + 1 : input, *dot;
    char *path, *end;
    gs_status st;

    while (*name == '/') name++;
    path = gs_path_join(j->out, name);
    dot = strrchr(name, '.');
    if (dot && dot > name) {
        const size_t keep = strlen(path) - strlen(dot);
        const char last = path[keep];

        path[keep] = '\0';
        if (taken(j, path)) path[keep] = last;
    }
    end = strrchr(path, '/');
    *end = '\0';
    st = gs_mkdirs(path);
    *end = '/';
    if (st != GS_OK) {
        free(path);
        return st;
    }
    GS_PUSH(j->written, j->n_written, j->cap_written, path);
    *base = path;
    return GS_OK;
}

/* ---- one picture ---- */

static gs_status save(gs_image *img, const char *base, const char *suffix, int w, int h)
{
    gs_str path = { 0 };
    gs_image sized = { 0 };
    gs_status st = GS_OK;

    if (w > 0 && (w != img->w || h != img->h)) {
        TRY(gs_image_resize(&sized, img, w, h, GS_RESIZE_ANTIALIAS));
        gs_image_free(img);
        *img = sized;
    }
    gs_str_printf(&path, "%s%s.png", base, suffix);
    TRY(gs_png_write(path.data, img));
    printf("%s\n", path.data);
done:
    gs_str_free(&path);
    return st;
}

/* Pastes a picture into the sheet at column x0, all of RGB and one height. */
static void paste(gs_image *sheet, const gs_image *img, int x0)
{
    for (int y = 0; y < img->h; y++) memcpy(sheet->px + ((size_t)y * sheet->w + x0) * 3, img->px + (size_t)y * img->w * 3, (size_t)img->w * 3);
}

/* The picture that went in, as RGB. */
static gs_status input_image(const job *j, gs_image *out)
{
    const gs_status st = gs_image_from_floats(out, j->in, j->info.channels, j->info.height, j->info.width, j->info.unit_range);

    return st == GS_OK ? gs_image_convert(out, 3, NULL) : st;
}

/* Input and translation in one picture. */
static gs_status save_side(job *j, const char *base, int w, int h)
{
    const int side = j->info.width;
    gs_image in = { 0 }, result = { 0 }, sheet = { 0 };
    gs_status st = GS_OK;

    TRY(input_image(j, &in));
    TRY(gs_image_from_floats(&result, j->x, j->info.channels, side, side, j->info.unit_range));
    TRY(gs_image_convert(&result, 3, NULL));
    TRY(gs_image_new(&sheet, 2 * side, side, 3));
    paste(&sheet, &in, 0);
    paste(&sheet, &result, side);
    TRY(save(&sheet, base, "_side", 2 * w, h));
done:
    gs_image_free(&in);
    gs_image_free(&result);
    gs_image_free(&sheet);
    return st;
}

/* The attention as a picture of its own, and mixed with the input half and half. */
static gs_status save_heat(job *j, const char *base, int w, int h)
{
    gs_image heat = { 0 }, in = { 0 };
    gs_status st = GS_OK;

    TRY(gs_plan_fetch(j->plan, "heatmap", j->heat));
    TRY(gs_heatmap(&heat, j->heat, j->heat_h, j->heat_w, j->info.width));
    if (cli_given(j->a, "overlay")) {
        TRY(input_image(j, &in));
        for (size_t i = 0; i < (size_t)in.w * in.h * 3; i++) in.px[i] = (uint8_t)((in.px[i] + heat.px[i] + 1) / 2);
        TRY(save(&in, base, "_overlay", w, h));
    }
    if (cli_given(j->a, "heatmaps")) TRY(save(&heat, base, "_heat", w, h));
done:
    gs_image_free(&heat);
    gs_image_free(&in);
    return st;
}

static gs_status save_grid(job *j, const char *base)
{
    gs_image img = { 0 };
    gs_status st = GS_OK;

    TRY(j->system->draw_column(j->model, j->column, j->in, &img));
    TRY(save(&img, base, "_grid", 0, 0));
done:
    gs_image_free(&img);
    return st;
}

static gs_status translate_one(job *j, const char *input)
{
    const int side = j->info.width;
    gs_image img = { 0 };
    char *base = NULL;
    int w = 0, h = 0;
    gs_status st = GS_OK;

    TRY(gs_picture_load(input, side, j->info.channels, j->info.filter, j->in, &w, &h));
    TRY(gs_plan_feed(j->plan, "x", j->in));
    TRY(gs_plan_run(j->plan, 0, 0));
    TRY(gs_plan_fetch(j->plan, "image", j->x));
    TRY(output_base(j, input, &base));
    if (!cli_given(j->a, "keep-size")) w = h = 0;
    TRY(gs_image_from_floats(&img, j->x, j->info.channels, side, side, j->info.unit_range));
    TRY(save(&img, base, "", w, h));
    if (cli_given(j->a, "side-by-side")) TRY(save_side(j, base, w, h));
    if (cli_given(j->a, "heatmaps") || cli_given(j->a, "overlay")) TRY(save_heat(j, base, w, h));
    if (cli_given(j->a, "grid")) TRY(save_grid(j, base));
done:
    gs_image_free(&img);
    return st;
}

/* ---- the command ---- */

static gs_status find_direction(const gs_snapshot *s, const char *name, int *direction)
{
    const gs_system *system = gs_snapshot_setup(s)->system;
    gs_str all = { 0 };
    gs_status st = GS_OK;

    for (*direction = 0; system->directions[*direction]; (*direction)++) {
        if (strcmp(system->directions[*direction], name) == 0) break;
        gs_str_printf(&all, "%s%s", *direction ? ", " : "", system->directions[*direction]);
    }
    if (!system->directions[*direction]) st = gs_fail(GS_EUSAGE, "generate: --direction %.40s: there are: %s", name, gs_str_c(&all));
    else if (!gs_snapshot_has_direction(s, *direction)) gs_fail_in(st = GS_EFORMAT, "direction %s", name);
    gs_str_free(&all);
    return st;
}

static gs_status prepare(job *j, const gs_snapshot *s, gs_device *d, int direction, gs_store **store)
{
    const gs_setup *setup = gs_snapshot_setup(s);
    const size_t count = (size_t)j->info.channels * (size_t)j->info.height * (size_t)j->info.width;
    gs_graph *g = gs_graph_new(), *sheet = NULL;
    const gs_compile_opts opts = gs_setup_compile_opts(setup);
    gs_shape heat;
    gs_status st = GS_OK;

    TRY(gs_store_new(d, 0, store));
    TRY(setup->system->build_translator(setup->model, g, 1, direction));
    TRY(gs_compile(g, d, *store, &opts, &j->plan));
    if (cli_given(j->a, "grid")) {
        j->system = setup->system;
        j->model = setup->model;
        sheet = gs_graph_new();
        TRY(setup->system->build_sheet(setup->model, sheet, direction));
        TRY(gs_compile(sheet, d, *store, &opts, &j->column));
    }
    TRY(gs_snapshot_fill(s, *store, ""));
    heat = gs_plan_shape(j->plan, "heatmap");
    if (heat.rank == 4) {
        j->heat_h = (int)heat.dim[2];
        j->heat_w = (int)heat.dim[3];
        j->heat = gs_try_alloc((size_t)gs_shape_count(heat), sizeof *j->heat, "a heat map");
        TRY(j->heat ? GS_OK : GS_ENOMEM);
    } else if (cli_given(j->a, "heatmaps") || cli_given(j->a, "overlay")) {
        TRY(gs_fail(GS_EUSAGE, "generate: --%s means nothing to system %s, which has no attention maps",
                    cli_given(j->a, "heatmaps") ? "heatmaps" : "overlay", setup->system->name));
    }
    j->in = gs_try_alloc(count, sizeof *j->in, "a picture");
    j->x = gs_try_alloc(count, sizeof *j->x, "a picture");
    TRY(j->in && j->x ? GS_OK : GS_ENOMEM);
done:
    gs_graph_free(g);
    gs_graph_free(sheet);
    return st;
}

gs_status cli_translate(const cli_args *a, const gs_snapshot *s, gs_device *d, const char *out)
{
    const char *input = cli_text(a, "input");
    const bool folder = gs_dir_exists(input), show = folder && !cli_quiet(a) && isatty(STDERR_FILENO);
    job j = { .a = a, .root = folder ? input : "", .out = out, .info = gs_snapshot_picture(s) };
    gs_store *store = NULL;
    char **paths = NULL;
    int n = 0, bad = 0, direction;
    gs_status st = GS_OK;

    TRY(find_direction(s, cli_text(a, "direction"), &direction));
    if (folder) {
        TRY(gs_pictures_list(input, &paths, &n));
        TRY(n > 0 ? GS_OK : gs_fail(GS_EFORMAT, "%s: no .png, .jpg or .jpeg files in this folder", input));
    }
    TRY(gs_mkdirs(out));
    TRY(prepare(&j, s, d, direction, &store));
    if (!folder) TRY(translate_one(&j, input));
    for (int i = 0; i < n; i++) {
        st = translate_one(&j, paths[i]);
        if (st == GS_EFORMAT || st == GS_ELIMIT) { /* the picture's fault */
            gs_warn("left out: %s", gs_last_error());
            bad++;
            st = GS_OK;
        }
        TRY(st);
        if (show) fprintf(stderr, "\r%d of %d ", i + 1, n);
    }
    if (show) fprintf(stderr, "\n");
    if (folder && bad == n) TRY(gs_fail(GS_EFORMAT, "%s: none of its %d pictures can be read", input, n));
done:
    for (int i = 0; i < n; i++) free(paths[i]);
    free(paths);
    for (int i = 0; i < j.n_written; i++) free(j.written[i]);
    free(j.written);
    free(j.in);
    free(j.x);
    free(j.heat);
    gs_plan_free(j.plan);
    gs_plan_free(j.column);
    gs_store_free(store);
    return st;
}
