/* What a run leaves to look at: log lines, metrics, charts, grids of samples, event files.
 *
 * Numbers are part of the run: a line that cannot be written ends it. Pictures and event files are not: they
 * give a warning. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/grid.h"
#include "data/plot.h"
#include "train/trainer_int.h"

#define MAX_COLUMNS (GS_MAX_METRICS + 3)

/* ---- files ---- */

static int batch_columns(const gs_system *s, const char *names[MAX_COLUMNS])
{
    int n = 0;

    names[n++] = "epoch";
    names[n++] = "batch";
    for (int k = 0; k < s->n_metrics; k++) names[n++] = s->metrics[k].name;
    names[n++] = "lr";
    return n;
}

static int epoch_columns(const gs_system *s, const char *names[MAX_COLUMNS])
{
    int n = 0;

    names[n++] = "epoch";
    for (int k = 0; k < s->n_metrics; k++) names[n++] = s->metrics[k].name;
    return n;
}

/* Whether tensor i of the store is one that the system watches. */
static bool is_watched(const gs__run *r, int i)
{
    const char *name = gs_store_name(r->store, i), *end = r->system->watched;
    const size_t n = strlen(name), m = end ? strlen(end) : 0;

    return m > 0 && n >= m && strcmp(name + n - m, end) == 0 && gs_store_trainable(r->store, i);
}

/* Columns of three a tensor: its name and .min, .mean, .max. */
static gs_status open_watched(gs__run *r, int64_t from)
{
    static const char *const kinds[] = { "min", "mean", "max" };
    const char **names = NULL;
    gs_arena *arena = gs_arena_new();
    int n = 0, cap = 0;
    gs_status st = GS_OK;

    for (int i = 0; i < gs_store_count(r->store); i++) {
        if (!is_watched(r, i)) continue;
        for (size_t k = 0; k < GS_COUNT(kinds); k++) GS_PUSH(names, n, cap, gs_arena_printf(arena, "%s.%s", gs_store_name(r->store, i), kinds[k]));
    }
    if (n > 0) st = gs_metrics_open(r->dir, r->system->watched + 1, names, n, from, &r->watched);
    free(names);
    gs_arena_free(arena);
    return st;
}

gs_status gs__report_open(gs__run *r, bool resume)
{
    const char *names[MAX_COLUMNS];
    const int64_t from = resume ? r->at.step : -1;
    char *events = gs_path_join(r->dir, "events");
    gs_status st = GS_OK;
    int n = batch_columns(r->system, names);

    TRY(gs_metrics_open(r->dir, "metrics", names, n, from, &r->metrics));
    n = epoch_columns(r->system, names);
    TRY(gs_metrics_open(r->dir, "epochs", names, n, from, &r->epochs));
    TRY(open_watched(r, from));
    if (gs_config_bool(r->setup->config, "log", "events")) TRY(gs_events_open(events, resume ? r->at.step + 1 : 0, &r->events));
done:
    free(events);
    return st;
}

void gs__report_close(gs__run *r)
{
    gs_metrics_close(r->metrics);
    gs_metrics_close(r->epochs);
    gs_metrics_close(r->watched);
    gs_events_close(r->events);
    r->metrics = r->epochs = r->watched = NULL;
    r->events = NULL;
}

gs_status gs__report_line(gs__run *r, const char *text)
{
    gs__show_line(&r->show, text);
    return gs_run_log(r->dir, "%s", text);
}

/* An event that cannot be written: said once, then none are tried any more. */
static void events_failed(gs__run *r)
{
    gs_warn("no more events for TensorBoard: %s", gs_last_error());
    gs_events_close(r->events);
    r->events = NULL;
}

static void scalar(gs__run *r, const char *group, const char *name, double value)
{
    char tag[120];

    if (!r->events) return;
    snprintf(tag, sizeof tag, "%s/%s", group, name);
    if (gs_events_scalar(r->events, tag, r->at.step, (float)value) != GS_OK) events_failed(r);
}

/* ---- lines ---- */

/* A field of fixed width, left-aligned; at least one blank follows where it overflows. */
static void field(gs_str *s, int width, const char *text)
{
    const int blanks = width - (int)strlen(text);

    gs_str_printf(s, "%s%*s", text, GS_MAX(blanks, 1), "");
}

static gs_status write_line(gs__run *r, gs_str *s)
{
    gs_status st;

    while (s->len && s->data[s->len - 1] == ' ') s->data[--s->len] = 0;
    st = gs__report_line(r, gs_str_c(s));
    gs_str_free(s);
    return st;
}

gs_status gs__report_batch(gs__run *r, const float *metrics)
{
    const gs_system *sys = r->system;
    const gs_position p = { .step = r->at.step - 1, .epoch = r->at.epoch, .batch = r->at.batch - 1 }; /* of the batch just done */
    double v[MAX_COLUMNS];
    gs_str line = { 0 };
    gs_status st;
    char text[64];
    int n = 0;

    v[n++] = (double)p.epoch;
    v[n++] = p.batch;
    for (int k = 0; k < sys->n_metrics; k++) v[n++] = metrics[k];
    v[n++] = sys->rate(r->setup->model, p);

    gs_str_printf(&line, "Train Epoch: ");
    snprintf(text, sizeof text, "[%lld/%lld]", (long long)p.epoch, (long long)r->n_epochs);
    field(&line, 8, text);
    gs_str_printf(&line, "Step: ");
    snprintf(text, sizeof text, "[%d/%d]", p.batch, sys->batches(r->setup->model));
    field(&line, 10, text);
    for (int k = 0; k < sys->n_metrics; k++) {
        scalar(r, sys->metrics[k].kind == GS_METRIC_SCORE ? "score" : "loss", sys->metrics[k].name, metrics[k]);
        if (sys->metrics[k].kind != GS_METRIC_LOSS) continue;
        gs_str_printf(&line, "%s: ", sys->metrics[k].title);
        snprintf(text, sizeof text, "%.5f", metrics[k]);
        field(&line, 9, text);
    }
    st = gs_metrics_write(r->metrics, r->at.step, v);
    if (st != GS_OK) {
        gs_str_free(&line);
        return gs__fail_with_checkpoint(r, st);
    }
    return write_line(r, &line);
}

/* ---- charts ---- */

static void chart(gs__run *r, const gs_metrics_table *t, int kind, const char *file, const char *title)
{
    const gs_system *sys = r->system;
    gs_plot_series series[GS_MAX_METRICS];
    gs_plot plot = { .title = title, .x_label = "step", .y_max = kind == GS_METRIC_SCORE ? 1 : 0, .series = series };
    double *data = gs_xalloc((size_t)(sys->n_metrics + 1) * (size_t)(t->n_rows + 1) * sizeof *data), *next = data + t->n_rows;
    char *path = gs_path_join(r->dir, file);

    for (int i = 0; i < t->n_rows; i++) data[i] = t->v[(size_t)i * (size_t)t->n_columns];
    for (int k = 0; k < sys->n_metrics; k++) {
        const int column = gs_metrics_column(t, sys->metrics[k].name);

        if ((int)sys->metrics[k].kind != kind || column < 0) continue;
        for (int i = 0; i < t->n_rows; i++) next[i] = t->v[(size_t)i * (size_t)t->n_columns + (size_t)column];
        series[plot.n_series++] = (gs_plot_series){ .name = sys->metrics[k].title, .x = data, .y = next, .n = t->n_rows,
                                                    .smooth = t->n_rows >= 50 ? 0.9 : 0 };
        next += t->n_rows;
    }
    if (plot.n_series && gs_plot_write(path, &plot) != GS_OK) gs_warn("chart not drawn: %s", gs_last_error());
    free(data);
    free(path);
}

static void charts(gs__run *r)
{
    char *path = gs_path_join(r->dir, "metrics.csv");
    gs_metrics_table t = { 0 };

    if (gs_metrics_read(path, &t) == GS_OK) {
        chart(r, &t, GS_METRIC_LOSS, "plots/loss.png", "losses");
        chart(r, &t, GS_METRIC_SCORE, "plots/scores.png", "what the discriminator makes of real pictures and of fakes");
        gs_metrics_table_free(&t);
    } else {
        gs_warn("charts not drawn: %s", gs_last_error());
    }
    free(path);
}

gs_status gs__report_epoch(gs__run *r)
{
    const gs_system *sys = r->system;
    const int batches = sys->batches(r->setup->model);
    double v[MAX_COLUMNS];
    gs_str line = { 0 };
    gs_status st;
    int n = 0;

    v[n++] = (double)r->at.epoch;
    gs_str_printf(&line, "Epoch %lld/%lld done: ", (long long)r->at.epoch, (long long)r->n_epochs);
    for (int k = 0; k < sys->n_metrics; k++) {
        const double mean = r->epoch_sums[k] / batches;

        v[n++] = mean;
        scalar(r, "epoch", sys->metrics[k].name, mean);
        if (sys->metrics[k].kind != GS_METRIC_PART) gs_str_printf(&line, "%s %.5f, ", sys->metrics[k].title, mean);
    }
    gs_str_printf(&line, "%.1f s", gs_now() - r->epoch_start);
    st = gs_metrics_write(r->epochs, r->at.step, v);
    if (st != GS_OK) {
        gs_str_free(&line);
        return gs__fail_with_checkpoint(r, st);
    }
    if (gs_config_bool(r->setup->config, "log", "plots")) charts(r);
    return write_line(r, &line);
}

/* ---- watched tensors ---- */

gs_status gs__report_watched(gs__run *r)
{
    double *line = NULL;
    float *v = NULL;
    int n = 0, cap = 0;
    gs_status st = GS_OK;

    if (!r->watched) return GS_OK;
    for (int i = 0; i < gs_store_count(r->store); i++) {
        const size_t count = (size_t)gs_shape_count(gs_store_shape(r->store, i));
        double lo = INFINITY, hi = -INFINITY, sum = 0;

        if (!is_watched(r, i)) continue;
        v = gs_try_alloc(count, sizeof *v, gs_store_name(r->store, i));
        TRY(v ? GS_OK : GS_ENOMEM);
        TRY(gs_store_read(r->store, i, v));
        for (size_t k = 0; k < count; k++) {
            lo = fmin(lo, v[k]);
            hi = fmax(hi, v[k]);
            sum += v[k];
        }
        GS_PUSH(line, n, cap, lo);
        GS_PUSH(line, n, cap, sum / (double)count);
        GS_PUSH(line, n, cap, hi);
        scalar(r, r->system->watched + 1, gs_store_name(r->store, i), sum / (double)count);
        free(v);
        v = NULL;
    }
    st = gs_metrics_write(r->watched, r->at.step, line);
    if (st != GS_OK) gs__fail_with_checkpoint(r, st);
done:
    free(v);
    free(line);
    return st;
}

/* ---- grids ---- */

enum { ROW_CLASS, COLUMN_CLASS }; /* the choices of sample.grid_layout */

static gs_status make_sampler(gs__run *r, int n)
{
    const gs_sampler_opts o = { .train_mode = gs_config_choice(r->setup->config, "sample", "sample_mode") == 1 };

    if (r->sampler) return GS_OK;
    return gs_sampler_on_store(r->setup, r->device, r->store, GS_MIN(n, GS_SAMPLE_BATCH), &o, &r->sampler);
}

/* Draws classes x n_row pictures; in the grid a class takes a row, or a column. */
static gs_status draw_grid(gs__run *r, gs_image *out)
{
    const gs_picture_info info = r->system->picture(r->setup->model);
    const bool by_row = gs_config_choice(r->setup->config, "sample", "grid_layout") == ROW_CLASS;
    const int n = info.classes * r->n_row, rows = by_row ? info.classes : r->n_row, cols = by_row ? r->n_row : info.classes;
    const size_t one = (size_t)info.channels * (size_t)info.height * (size_t)info.width;
    float *images = gs_try_alloc((size_t)n * one, sizeof *images, "a grid of samples");
    float *z = gs_try_alloc((size_t)n * (size_t)info.latent, sizeof *z, "latent vectors of a grid");
    int32_t *y = gs_try_alloc((size_t)n, sizeof *y, "labels of a grid");
    const uint64_t fresh = r->seed ^ gs_hash64(&r->at.step, sizeof r->at.step, 1);
    gs_status st = GS_OK;

    TRY(images && z && y ? GS_OK : GS_ENOMEM);
    if (!r->grid_z) r->system->latent(r->setup->model, fresh, 0, n, z);
    for (int i = 0; i < n; i++) {
        const int row = i / cols, col = i % cols;

        y[i] = by_row ? row : col;
        if (r->grid_z) memcpy(z + (size_t)i * (size_t)info.latent, r->grid_z + (size_t)(by_row ? col : row) * (size_t)info.latent,
                              (size_t)info.latent * sizeof *z);
    }
    TRY(make_sampler(r, n));
    TRY(gs_sampler_images_z(r->sampler, images, y, z, n, fresh));
    TRY(gs_grid(out, images, n, info.channels, info.height, info.width, &(gs_grid_opts){ .rows = rows, .cols = cols, .unit_range = info.unit_range }));
done:
    free(images);
    free(z);
    free(y);
    return st;
}

static void grid_event(gs__run *r, const char *tag, const gs_image *img)
{
    uint8_t *png = NULL;
    size_t size;

    if (!r->events) return;
    if (gs_png_encode(img, &png, &size) != GS_OK || gs_events_png(r->events, tag, r->at.step, img->w, img->h, img->c, png, size) != GS_OK) {
        events_failed(r);
    }
    free(png);
}

/* Saves a grid as samples/<prefix><kind>_<number>.png. */
static void save_grid(gs__run *r, const gs_image *img, const char *prefix, const char *tag, const char *kind, int digits, int64_t number)
{
    gs_str path = { 0 };

    gs_str_printf(&path, "%s/samples/%s%s_%0*lld.png", r->dir, prefix, kind, digits, (long long)number);
    if (gs_png_write(path.data, img) != GS_OK) gs_warn("grid not saved: %s", gs_last_error());
    else snprintf(r->grid_path, sizeof r->grid_path, "%s", path.data);
    grid_event(r, tag, img);
    gs_str_free(&path);
}

/* The plan of a sheet lives as long as the drawing: sheets are rare, and it takes the step's own workspace. */
static gs_status draw_sheet(gs__run *r, int direction, gs_image *out)
{
    gs_graph *g = gs_graph_new();
    const gs_compile_opts opts = gs_setup_compile_opts(r->setup);
    gs_plan *plan = NULL;
    gs_status st = GS_OK;

    TRY(r->system->build_sheet(r->setup->model, g, direction));
    TRY(gs_compile(g, r->device, r->store, &opts, &plan));
    TRY(r->system->draw_sheet(r->setup->model, plan, direction, out));
done:
    gs_plan_free(plan);
    gs_graph_free(g);
    return st;
}

gs_status gs__report_grid(gs__run *r, const char *kind, int digits, int64_t number)
{
    const char *const *directions = r->system->directions;
    gs_image img = { 0 };
    gs_status st = GS_OK;

    r->grid_step = r->at.step;
    for (int i = 0; directions && directions[i]; i++) {
        char prefix[32], tag[48];

        snprintf(prefix, sizeof prefix, "%s_", directions[i]);
        snprintf(tag, sizeof tag, "samples/%s", directions[i]);
        TRY(draw_sheet(r, i, &img));
        save_grid(r, &img, prefix, tag, kind, digits, number);
        gs_image_free(&img);
    }
    if (!directions) {
        TRY(draw_grid(r, &img));
        save_grid(r, &img, "", "samples", kind, digits, number);
    }
done:
    gs_image_free(&img);
    return st;
}
