/* The state of a run: sums of the metrics on the device, and checkpoints.
 *
 * Metrics are summed by the step's own graph, so that nothing is read back in a step that is not logged. Sums
 * carry a NaN or an infinity on until they are read, and the last element counts the steps up to the first
 * such one: it tells which step it was.
 *
 * A checkpoint holds every tensor of the store, the position, the open sums and the latent vectors of the
 * grids, and nothing that differs between a run that was interrupted and one that was not: no times, no
 * paths. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/graph.h"
#include "io/checkpoint.h"
#include "train/trainer_int.h"

#define LARGEST 3e38 /* a comparison with it is false for NaN and for infinity */

/* ---- sums ---- */

static gs_node *find_output(gs_graph *g, const char *name)
{
    for (int i = 0; i < g->n_outputs; i++) {
        if (strcmp(g->outputs[i].name, name) == 0) return g->outputs[i].node;
    }
    return NULL;
}

void gs__sums_build(gs_graph *g, int n)
{
    gs_node *metrics = find_output(g, "metrics"), *old, *sum, *good;
    gs_var *sums;

    if (!metrics) return; /* the graph holds an error, which compiling reports */
    sums = gs_variable(g, GS__SUMS, GS_SHAPE(n + 1), GS_F32, (gs_init){ GS_INIT_CONST, 0, 0 }, false);
    old = gs_read(sums);
    sum = gs_add(gs_slice(old, 0, 0, n), metrics);
    good = gs_sum(gs_le(gs_abs(sum), gs_const(g, LARGEST)), GS_ALL, true);
    good = gs_add(gs_slice(old, 0, n, 1), gs_ge(good, gs_const(g, n - 0.5)));
    gs_assign(sums, gs_concat((gs_node *[]){ sum, good }, 2, 0));
}

static const char *kind_of(double v)
{
    return isnan(v) ? "NaN" : "infinite";
}

/* The first trainable tensor with a bad element, or "" into text. */
static gs_status find_bad_tensor(gs__run *r, char *text, size_t size)
{
    gs_status st = GS_OK;

    *text = 0;
    for (int i = 0; i < gs_store_count(r->store) && !*text && st == GS_OK; i++) {
        const gs_shape shape = gs_store_shape(r->store, i);
        const int64_t n = gs_shape_count(shape);
        float *v;

        if (!gs_store_trainable(r->store, i) || gs_store_dtype(r->store, i) != GS_F32) continue;
        v = gs_try_alloc((size_t)n, sizeof *v, gs_store_name(r->store, i));
        if (!v) return GS_ENOMEM;
        st = gs_store_read(r->store, i, v);
        for (int64_t k = 0; k < n && st == GS_OK; k++) {
            if (isfinite(v[k])) continue;
            snprintf(text, size, "%s is %s at element %" PRId64, gs_store_name(r->store, i), kind_of(v[k]), k);
            break;
        }
        free(v);
    }
    return st;
}

gs_status gs__fail_with_checkpoint(const gs__run *r, gs_status st)
{
    char *path = r->saved >= 0 ? gs_ckpt_path(r->checkpoints, r->saved) : NULL, *sentence = gs_xstrdup(gs_last_error());

    if (path) gs_fail(st, "%s; the last good checkpoint is %s", sentence, path);
    else gs_fail(st, "%s; there is no checkpoint", sentence);
    free(sentence);
    free(path);
    return st;
}

static gs_status bad_numbers(gs__run *r, int64_t step, const char *metric, double value)
{
    char tensor[300];
    gs_status st = find_bad_tensor(r, tensor, sizeof tensor);

    if (st != GS_OK) return st;
    st = gs_fail(GS_ENUMERIC, "step %" PRId64 ": %s is %s%s%s: lower the learning rate [train] lr", step, metric, kind_of(value),
                 *tensor ? "; by now parameter " : "; the parameters are all numbers still", tensor);
    return gs__fail_with_checkpoint(r, st);
}

gs_status gs__sums_read(gs__run *r)
{
    const int n = r->system->n_metrics, at = gs_store_find(r->store, GS__SUMS);
    float sums[GS_MAX_METRICS + 1];
    gs_status st;

    if (r->window == 0) return GS_OK;
    st = gs_store_read(r->store, at, sums);
    if (st != GS_OK) return st;
    if (sums[n] + 0.5f < (float)r->window) {
        const int64_t step = r->at.step - r->window + (int64_t)sums[n] + 1;

        for (int k = 0; k < n; k++) {
            if (!(fabsf(sums[k]) <= (float)LARGEST)) return bad_numbers(r, step, r->system->metrics[k].title, sums[k]);
        }
    }
    for (int k = 0; k < n; k++) r->window_sums[k] = sums[k];
    return GS_OK;
}

gs_status gs__sums_flush(gs__run *r)
{
    static const float zeros[GS_MAX_METRICS + 1];

    if (r->window == 0) return GS_OK;
    for (int k = 0; k < r->system->n_metrics; k++) r->epoch_sums[k] += r->window_sums[k];
    r->window = 0;
    return gs_store_write(r->store, gs_store_find(r->store, GS__SUMS), zeros);
}

/* ---- checkpoints ---- */

/* The configuration without comments and without [run] and [memory], which say where and how and not what. */
static void config_text(const gs__run *r, gs_str *out)
{
    gs_config_table tables[2];
    const int n = gs_system_tables(r->system, tables);

    for (int t = 0; t < n; t++) {
        const char *section = "";

        for (int i = 0; i < tables[t].n; i++) {
            const gs_config_row *row = &tables[t].rows[i];
            const char *value = gs_config_text(r->setup->config, row->section, row->key);
            bool again = false;

            for (int k = 0; k < (t > 0 ? tables[0].n : 0); k++) { /* a system may name a common key again */
                again = again || (strcmp(tables[0].rows[k].section, row->section) == 0 && strcmp(tables[0].rows[k].key, row->key) == 0);
            }
            if (again || !value || strcmp(row->section, "run") == 0 || strcmp(row->section, "memory") == 0) continue;
            if (strcmp(section, row->section) != 0) gs_str_printf(out, "[%s]\n", row->section);
            section = row->section;
            gs_str_printf(out, "%s = %s\n", row->key, value);
        }
    }
}

static void meta_number(gs_st_writer *w, const char *key, int64_t v)
{
    char text[32];

    snprintf(text, sizeof text, "%" PRId64, v);
    gs_st_writer_meta(w, key, text);
}

/* A tensor of the store for the file; bad parameters are not for a checkpoint. */
static gs_status fetch_tensor(void *user, const char *name, void *dst)
{
    const gs__run *r = user;
    const int i = gs_store_find(r->store, name);
    const size_t n = (size_t)gs_shape_count(gs_store_shape(r->store, i));
    const float *v = dst;
    const gs_status st = gs_store_read(r->store, i, dst);

    if (st != GS_OK || gs_store_dtype(r->store, i) != GS_F32 || !gs_store_trainable(r->store, i)) return st;
    for (size_t k = 0; k < n; k++) {
        if (isfinite(v[k])) continue;
        return gs_fail(GS_ENUMERIC, "step %" PRId64 ": parameter %s is %s at element %zu: lower the learning rate [train] lr", r->at.step, name,
                       kind_of(v[k]), k);
    }
    return GS_OK;
}

gs_status gs__state_save(gs__run *r)
{
    const int n = gs_store_count(r->store);
    const int64_t n_metrics = r->system->n_metrics, z_shape[2] = { r->n_row, r->system->picture(r->setup->model).latent };
    gs_st_writer *w = gs_st_writer_new();
    gs_str config = { 0 };
    gs_status st = GS_OK;

    if (r->saved == r->at.step) goto done;
    TRY(gs__sums_read(r));
    for (int i = 0; i < n; i++) {
        const gs_shape shape = gs_store_shape(r->store, i);

        gs_st_writer_add_later(w, gs_store_name(r->store, i), gs_store_dtype(r->store, i) == GS_F32 ? GS_ST_F32 : GS_ST_I32, shape.rank, shape.dim,
                               fetch_tensor, r);
    }
    gs_st_writer_add(w, GS__EPOCH_SUMS, GS_ST_F64, 1, &n_metrics, r->epoch_sums);
    if (r->grid_z) gs_st_writer_add(w, GS__GRID_Z, GS_ST_F32, 2, z_shape, r->grid_z);
    config_text(r, &config);
    gs_st_writer_meta(w, "format", "gesso");
    gs_st_writer_meta(w, "system", r->system->name);
    gs_st_writer_meta(w, "config", gs_str_c(&config));
    meta_number(w, "seed", (int64_t)r->seed);
    meta_number(w, "epoch", r->at.epoch);
    meta_number(w, "batch", r->at.batch);
    meta_number(w, "window", r->window);
    st = gs_ckpt_save(r->checkpoints, r->at.step, w, (int)gs_config_int(r->setup->config, "checkpoint", "keep"));
    if (st != GS_OK && st != GS_ENUMERIC) gs_fail_in(st, "the checkpoint of step %" PRId64 " cannot be written", r->at.step);
    if (st != GS_OK) TRY(gs__fail_with_checkpoint(r, st));
    r->saved = r->at.step;
done:
    gs_st_writer_free(w);
    gs_str_free(&config);
    return st;
}

void gs__state_room(const gs__run *r, size_t bytes)
{
    const gs_config *c = r->setup->config;
    const int batches = r->system->batches(r->setup->model);
    const int64_t steps = r->system->steps ? r->system->steps(r->setup->model) : r->n_epochs * batches;
    const int64_t every = gs_config_int(c, "checkpoint", "every"), keep = gs_config_int(c, "checkpoint", "keep");
    int64_t *have = NULL, more = GS_MAX(steps - r->at.step, 0) / GS_MAX(every > 0 ? every : batches, 1) + 1;
    char a[32], b[32], d[32];
    double room;
    int n = 0;

    if (gs_ckpt_list(r->checkpoints, &have, &n) != GS_OK) n = 0;
    free(have);
    if (keep > 0) more = GS_MIN(more, GS_MAX(keep - n, 0) + 1); /* the newest is written before the oldest goes */
    if (!gs_disk_free(r->dir, &room) || (double)more * (double)bytes <= room) return;
    gs_warn("%s: %lld more checkpoint%s of %s will take %s, and the disk has room for %s: lower [checkpoint] keep, raise every, or name a folder on "
            "another disk by --run", r->dir, (long long)more, more > 1 ? "s" : "", gs_bytes_text(a, (double)bytes),
            gs_bytes_text(b, (double)more * (double)bytes), gs_bytes_text(d, room));
}

static gs_status read_number(const gs_st_file *f, const char *path, const char *key, int64_t max, int64_t *out)
{
    const char *text = gs_st_meta(f, key);

    if (text && gs_parse_i64(text, out) && *out >= 0 && *out <= max) return GS_OK;
    return gs_fail(GS_EFORMAT, "%s: metadata %s is %.40s: not a checkpoint of a run", path, key, text ? text : "missing");
}

/* Tensors of the loop itself: the wanted type and shape, or not there at all (data stays). */
static gs_status read_own(const gs_st_file *f, const char *path, const char *name, gs_st_dtype type, int64_t count, void *data)
{
    const gs_st_tensor *t = gs_st_find(f, name);

    if (!t) return GS_OK;
    if (t->dtype != type || t->count != (size_t)count) {
        return gs_fail(GS_EFORMAT, "%s: %s holds %zu numbers, this run has %" PRId64, path, name, t->count, count);
    }
    memcpy(data, t->data, t->bytes);
    return GS_OK;
}

static gs_status read_tensor(gs__run *r, const gs_st_file *f, const char *path, int i)
{
    const char *name = gs_store_name(r->store, i);
    const gs_st_tensor *t = gs_st_find(f, name);
    const gs_shape shape = gs_store_shape(r->store, i);
    const gs_st_dtype type = gs_store_dtype(r->store, i) == GS_F32 ? GS_ST_F32 : GS_ST_I32;
    bool same = t && t->dtype == type && t->rank == shape.rank;
    void *host;
    gs_status st;

    for (int k = 0; same && k < shape.rank; k++) same = t->shape[k] == shape.dim[k];
    if (!t) return gs_fail(GS_EFORMAT, "%s: tensor %s is missing: not a checkpoint of this run", path, name);
    if (!same) return gs_fail(GS_EFORMAT, "%s: tensor %s has another shape or type than this run's", path, name);
    host = gs_try_alloc(GS_MAX(t->count, 1), 4, name);
    if (!host) return GS_ENOMEM;
    memcpy(host, t->data, t->bytes);
    st = gs_store_write(r->store, i, host);
    free(host);
    return st;
}

gs_status gs__state_load(gs__run *r, bool *found)
{
    gs_st_file *f = NULL;
    char *path = NULL;
    int64_t *steps = NULL, step = 0, batch = 0, window = 0;
    gs_status st = GS_OK;
    const gs_st_tensor *z;
    int n = 0;

    *found = false;
    TRY(gs_ckpt_list(r->checkpoints, &steps, &n));
    if (n == 0) goto done;
    TRY(gs_ckpt_open_newest(r->checkpoints, &step, &f));
    path = gs_ckpt_path(r->checkpoints, step);
    TRY(read_number(f, path, "epoch", INT32_MAX, &r->at.epoch));
    TRY(read_number(f, path, "batch", r->system->batches(r->setup->model) - 1, &batch));
    TRY(read_number(f, path, "window", INT32_MAX, &window));
    for (int i = 0; i < gs_store_count(r->store); i++) TRY(read_tensor(r, f, path, i));
    TRY(read_own(f, path, GS__EPOCH_SUMS, GS_ST_F64, r->system->n_metrics, r->epoch_sums));
    z = gs_st_find(f, GS__GRID_Z); /* another [sample] n_row: the vectors are drawn again, which gives the same ones */
    if (r->grid_z && z && z->rank == 2 && z->shape[0] == r->n_row) {
        TRY(read_own(f, path, GS__GRID_Z, GS_ST_F32, (int64_t)r->n_row * r->system->picture(r->setup->model).latent, r->grid_z));
    }
    r->at.step = r->saved = step;
    r->at.batch = (int)batch;
    r->window = (int)window;
    *found = true;
done:
    gs_st_close(f);
    free(steps);
    free(path);
    return st;
}
