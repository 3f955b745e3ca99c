/* Opening trained networks; every tensor is held against what the configuration's graphs declare. */
#include "train/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "io/checkpoint.h"

struct gs_snapshot {
    char *path;
    gs_st_file *file;
    gs_setup *setup;
    int64_t step, epoch;
};

/* ---- finding the file ---- */

static gs_status open_file(const char *path, gs_snapshot *s)
{
    gs_status st = GS_OK;
    char *inner = NULL;

    if (!gs_dir_exists(path)) {
        s->path = gs_xstrdup(path);
        TRY(gs_st_open(path, &s->file));
        /* A checkpoint is held to its check sum; files from elsewhere have none. */
        if (gs_st_meta(s->file, "crc32")) {
            gs_st_close(s->file);
            s->file = NULL;
            TRY(gs_ckpt_open(path, NULL, &s->file));
        }
        goto done;
    }
    inner = gs_path_join(path, "checkpoints");
    TRY(gs_dir_exists(inner) ? GS_OK : gs_fail(GS_EIO, "%s: not a run: there is no folder %s", path, inner));
    TRY(gs_ckpt_open_newest(inner, &s->step, &s->file));
    s->path = gs_ckpt_path(inner, s->step);
done:
    free(inner);
    return st;
}

static int64_t meta_number(const gs_st_file *f, const char *key)
{
    const char *text = gs_st_meta(f, key);
    int64_t v;

    return text && gs_parse_i64(text, &v) && v >= 0 ? v : -1;
}

/* ---- what must be in it ---- */

static const gs_var *find_var(gs_var *const *vars, int n, const char *name)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(gs_var_name(vars[i]), name) == 0) return vars[i];
    }
    return NULL;
}

static gs_status check_shape(const gs_snapshot *s, const gs_st_tensor *t, gs_shape want)
{
    bool same = t->rank == want.rank;
    gs_shape has = { .rank = GS_MIN(t->rank, GS_MAX_DIMS) };
    char a[96], b[96];

    for (int i = 0; i < has.rank; i++) {
        has.dim[i] = t->shape[i];
        same = same && t->shape[i] == want.dim[i];
    }
    if (same) return GS_OK;
    return gs_fail(GS_EFORMAT, "%s: %s has shape %s, the configuration wants %s: another profile, image_size or width?", s->path, t->name,
                   gs_shape_text(has, a), gs_shape_text(want, b));
}

enum { STEP = -2, SAMPLER = -1 }; /* beside directions */

/* The variables of the step's, the sampler's or a translator's graph; *vars is freed by the caller before the graph. */
static gs_status variables(const gs_setup *s, int which, gs_graph *g, gs_var ***vars, int *n)
{
    gs_status st = which == STEP ? s->system->build_step(s->model, g, 2)
                   : which == SAMPLER ? s->system->build_sampler(s->model, g, 2, false) : s->system->build_translator(s->model, g, 2, which);

    *n = st == GS_OK ? gs_variables(g, "", NULL, 0) : 0;
    *vars = gs_xalloc((size_t)(*n + 1) * sizeof **vars);
    if (*n) gs_variables(g, "", *vars, *n);
    return st;
}

/* Everything that using the networks needs is there. */
static gs_status check_complete(const gs_snapshot *s, int which)
{
    gs_graph *g = gs_graph_new();
    gs_var **needed = NULL;
    int n = 0;
    gs_status st = GS_OK;

    TRY(variables(s->setup, which, g, &needed, &n));
    for (int i = 0; i < n; i++) {
        TRY(gs_st_find(s->file, gs_var_name(needed[i])) ? GS_OK
            : gs_fail(GS_EFORMAT, "%s: tensor %s is missing", s->path, gs_var_name(needed[i])));
    }
done:
    free(needed);
    gs_graph_free(g);
    return st;
}

bool gs_snapshot_has_direction(const gs_snapshot *s, int direction)
{
    return check_complete(s, direction) == GS_OK;
}

static gs_status check_tensors(const gs_snapshot *s)
{
    const char *const *directions = s->setup->system->directions;
    gs_graph *step = gs_graph_new();
    gs_var **all = NULL;
    int n_all = 0;
    gs_status st = GS_OK;

    TRY(variables(s->setup, STEP, step, &all, &n_all));
    for (int i = 0; i < gs_st_count(s->file); i++) {
        const gs_st_tensor *t = gs_st_at(s->file, i);
        const gs_var *v = find_var(all, n_all, t->name);

        if (!v && strncmp(t->name, "train.", 6) == 0) continue; /* the training loop's own */
        TRY(v ? GS_OK : gs_fail(GS_EFORMAT, "%s: tensor %.100s does not belong to system %s as configured (%d others do)", s->path, t->name,
                                s->setup->system->name, n_all));
        TRY(check_shape(s, t, gs_var_shape(v)));
    }
    if (!directions) TRY(check_complete(s, SAMPLER));
    for (int i = 0; directions && directions[i]; i++) { /* a file may hold the networks of one direction only */
        st = check_complete(s, i);
        if (st == GS_OK) break;
    }
done:
    free(all);
    gs_graph_free(step);
    return st;
}

/* ---- the object ---- */

gs_status gs_snapshot_open(const char *path, const char *config, gs_snapshot **out)
{
    gs_snapshot *s = gs_xalloc(sizeof *s);
    const char *text, *system;
    gs_status st = GS_OK;

    s->step = s->epoch = -1;
    TRY(open_file(path, s));
    s->step = meta_number(s->file, "step");
    s->epoch = meta_number(s->file, "epoch");
    text = gs_st_meta(s->file, "config");
    if (config) {
        TRY(gs_setup_load(config, NULL, 0, &s->setup));
    } else {
        gs_str name = { 0 };

        TRY(text ? GS_OK : gs_fail(GS_EFORMAT, "%s: its metadata hold no configuration: name one beside the file", s->path));
        gs_str_printf(&name, "%s (its configuration)", s->path);
        st = gs_setup_parse(text, name.data, NULL, 0, &s->setup);
        gs_str_free(&name);
        TRY(st);
    }
    system = gs_st_meta(s->file, "system");
    if (system && strcmp(system, s->setup->system->name) != 0) {
        TRY(gs_fail(GS_EFORMAT, "%s: holds networks of system %.60s, the configuration is for %s", s->path, system, s->setup->system->name));
    }
    TRY(check_tensors(s));
done:
    if (st != GS_OK) {
        gs_snapshot_close(s);
        s = NULL;
    }
    *out = s;
    return st;
}

void gs_snapshot_close(gs_snapshot *s)
{
    if (!s) return;
    gs_setup_free(s->setup);
    gs_st_close(s->file);
    free(s->path);
    free(s);
}

const char *gs_snapshot_path(const gs_snapshot *s) { return s->path; }
int64_t gs_snapshot_step(const gs_snapshot *s) { return s->step; }
int64_t gs_snapshot_epoch(const gs_snapshot *s) { return s->epoch; }
const gs_setup *gs_snapshot_setup(const gs_snapshot *s) { return s->setup; }
const gs_st_file *gs_snapshot_file(const gs_snapshot *s) { return s->file; }

gs_picture_info gs_snapshot_picture(const gs_snapshot *s)
{
    return s->setup->system->picture(s->setup->model);
}

gs_status gs_snapshot_fill(const gs_snapshot *s, gs_store *store, const char *prefix)
{
    gs_status st = GS_OK;

    for (int i = 0; i < gs_store_count(store) && st == GS_OK; i++) {
        const char *name = gs_store_name(store, i);
        const gs_st_tensor *t = gs_st_find(s->file, name);
        void *host;

        if (!t && strncmp(name, prefix, strlen(prefix)) != 0) continue;
        if (!t) return gs_fail(GS_EFORMAT, "%s: tensor %s is missing", s->path, name);
        st = check_shape(s, t, gs_store_shape(store, i));
        if (st != GS_OK) return st;
        host = gs_try_alloc(GS_MAX(t->count, 1), 4, name);
        if (!host) return GS_ENOMEM;
        if (gs_store_dtype(store, i) == GS_I32) st = gs_st_to_i32(t, host);
        else gs_st_to_f32(t, host);
        if (st == GS_OK) st = gs_store_write(store, i, host);
        free(host);
    }
    return st;
}
