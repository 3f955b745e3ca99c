/* Features of pictures: batches through Inception-v3, and the disk cache of whole sets. */
#include "eval/judge.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gesso/plan.h"

/* Changes whenever preprocessing, network or the file's layout do; old files then have names that nobody asks for. */
#define RECIPE "inception-v3 pool_3, 299 antialiased on bytes, x/127.5-1, alpha over white, 1"

struct gs_judge {
    gs_store *store;
    gs_plan *plan;
    gs_inception_opts o;
    uint32_t crc;
    int batch, waiting; /* pictures in x that have not gone through */
    float *x, *y;
};

/* ---- making one ---- */

static gs_status fill(gs_store *store, const gs_inception_weights *w)
{
    gs_status st = GS_OK;

    for (int i = 0; i < gs_store_count(store) && st == GS_OK; i++) {
        const gs_st_tensor *t = gs_inception_weights_find(w, gs_store_name(store, i));
        float *values = gs_try_alloc(t->count, sizeof *values, t->name);

        if (!values) return GS_ENOMEM;
        gs_st_to_f32(t, values);
        st = gs_store_write(store, i, values);
        free(values);
    }
    return st;
}

gs_status gs_judge_new(gs_device *d, const char *weights, gs_judge **out)
{
    gs_judge *j = gs_xalloc(sizeof *j);
    gs_inception_weights w = { 0 };
    gs_inception_opts o;
    gs_graph *g = gs_graph_new();
    gs_inception_out net;
    gs_status st = GS_OK;

    TRY(gs_inception_weights_open(weights, &w));
    j->o = w.o;
    j->crc = gs_st_crc32(w.file);
    j->batch = gs_device_get_info(d)->kind == GS_GPU ? 32 : 4;
    o = (gs_inception_opts){ .graph = w.o.graph }; /* the features alone */
    net = gs_inception(g, &o, "", gs_input(g, "x", GS_SHAPE(j->batch, 3, GS_INCEPTION_SIDE, GS_INCEPTION_SIDE),
                                           GS_F32));
    gs_output(g, "features", net.features);
    TRY(gs_store_new(d, 0, &j->store));
    TRY(gs_compile(g, d, j->store, NULL, &j->plan));
    TRY(fill(j->store, &w));
    j->x = gs_try_alloc((size_t)j->batch * 3 * GS_INCEPTION_SIDE * GS_INCEPTION_SIDE, sizeof *j->x,
                        "a batch of pictures");
    j->y = gs_try_alloc((size_t)j->batch * GS_INCEPTION_FEATURES, sizeof *j->y, "a batch of features");
    TRY(j->x && j->y ? GS_OK : GS_ENOMEM);
done:
    gs_graph_free(g);
    gs_inception_weights_close(&w);
    if (st != GS_OK) {
        gs_judge_free(j);
        j = NULL;
    }
    *out = j;
    return st;
}

void gs_judge_free(gs_judge *j)
{
    if (!j) return;
    gs_plan_free(j->plan);
    gs_store_free(j->store);
    free(j->x);
    free(j->y);
    free(j);
}

const gs_inception_opts *gs_judge_opts(const gs_judge *j) { return &j->o; }
uint32_t gs_judge_crc(const gs_judge *j) { return j->crc; }

/* ---- features ---- */

/* A picture as the network wants it: planes in [-1,1]. */
static gs_status prepare(const gs_image *img, float *x)
{
    gs_image sized;
    gs_status st;

    if (img->c != 3) return gs_fail(GS_EINVAL, "features of a picture with %d channels: wants 3", img->c);
    st = gs_image_resize(&sized, img, GS_INCEPTION_SIDE, GS_INCEPTION_SIDE, GS_RESIZE_ANTIALIAS);
    if (st != GS_OK) return st;
    for (int c = 0; c < 3; c++)
        for (size_t i = 0; i < (size_t)GS_INCEPTION_SIDE * GS_INCEPTION_SIDE; i++)
            *x++ = sized.px[3 * i + c] / 127.5f - 1;
    gs_image_free(&sized);
    return GS_OK;
}

static float *slot(const gs_judge *j, int i)
{
    return j->x + (size_t)i * 3 * GS_INCEPTION_SIDE * GS_INCEPTION_SIDE;
}

gs_status gs_judge_flush(gs_judge *j, gs_features *f)
{
    const size_t count = (size_t)j->waiting * GS_INCEPTION_FEATURES;
    gs_status st = GS_OK;

    if (j->waiting == 0) return GS_OK;
    /* Rows are independent: what is left of an earlier batch behind the last picture does not matter. */
    TRY(gs_plan_feed(j->plan, "x", j->x));
    TRY(gs_plan_run(j->plan, 0, 0));
    TRY(gs_plan_fetch(j->plan, "features", j->y));
    for (size_t i = 0; i < count; i++)
        TRY(isfinite(j->y[i]) ? GS_OK
            : gs_fail(GS_ENUMERIC, "Inception-v3: a feature is not finite: are the weights whole?"));
    if (f->n + j->waiting > f->cap) {
        f->cap = GS_MAX(2 * f->cap, f->n + j->waiting);
        f->v = gs_xrealloc(f->v, (size_t)f->cap * GS_INCEPTION_FEATURES * sizeof *f->v);
    }
    memcpy(f->v + (size_t)f->n * GS_INCEPTION_FEATURES, j->y, count * sizeof *f->v);
    f->n += j->waiting;
done:
    j->waiting = 0;
    return st;
}

gs_status gs_judge_add(gs_judge *j, const gs_image *img, gs_features *f)
{
    const gs_status st = prepare(img, slot(j, j->waiting));

    if (st != GS_OK) return st;
    return ++j->waiting == j->batch ? gs_judge_flush(j, f) : GS_OK;
}

/* ---- the cache ---- */

static char *cache_path(const gs_judge *j, int n, uint64_t key)
{
    const uint64_t numbers[] = { j->crc, (uint64_t)j->o.graph, (uint64_t)n, key };
    gs_str name = { 0 };
    char *cache = NULL, *path;

    if (gs_cache_dir(&cache) != GS_OK) {
        gs_warn("features will not be kept: %s", gs_last_error());
        return NULL;
    }
    gs_str_printf(&name, "features/%016" PRIx64 ".safetensors",
                  gs_hash64(numbers, sizeof numbers, gs_hash_str(RECIPE)));
    path = gs_path_join(cache, gs_str_c(&name));
    gs_str_free(&name);
    free(cache);
    return path;
}

static bool load(const char *path, int n, gs_features *f)
{
    gs_st_file *file = NULL;
    const gs_st_tensor *t;
    const char *text;
    char crc[16];
    bool good = false;

    if (!gs_file_exists(path)) return false;
    if (gs_st_open(path, &file) == GS_OK) {
        t = gs_st_find(file, "features");
        text = gs_st_meta(file, "crc32");
        snprintf(crc, sizeof crc, "%08" PRIx32, gs_st_crc32(file));
        good = t && text && strcmp(text, crc) == 0 && t->dtype == GS_ST_F32 && t->rank == 2 && t->shape[0] == n
            && t->shape[1] == GS_INCEPTION_FEATURES;
        if (good) {
            f->v = gs_try_alloc(t->count, sizeof *f->v, "features");
            good = f->v != NULL;
        }
        if (good) {
            gs_st_to_f32(t, f->v);
            for (size_t i = 0; i < t->count && good; i++) good = isfinite(f->v[i]);
            f->n = f->cap = n;
        }
        gs_st_close(file);
    }
    if (!good) {
        free(f->v);
        *f = (gs_features){ 0 };
        gs_warn("%s: damaged; these features are made anew", path);
    }
    f->cached = good;
    return good;
}

static void save(const char *path, const gs_features *f)
{
    gs_st_writer *w = gs_st_writer_new();
    char *folder = gs_xstrdup(path), crc[16];
    gs_status st;

    *strrchr(folder, '/') = '\0';
    gs_st_writer_meta(w, "recipe", RECIPE);
    gs_st_writer_add(w, "features", GS_ST_F32, 2, (int64_t[]){ f->n, GS_INCEPTION_FEATURES }, f->v);
    snprintf(crc, sizeof crc, "%08" PRIx32, gs_st_writer_crc32(w));
    gs_st_writer_meta(w, "crc32", crc);
    st = gs_mkdirs(folder);
    if (st == GS_OK) st = gs_st_writer_save(w, path);
    if (st != GS_OK) gs_warn("features are not kept: %s", gs_last_error());
    gs_st_writer_free(w);
    free(folder);
}

/* ---- files ---- */

typedef struct reading {
    const gs_judge *j;
    char *const *paths;
    gs_status *st;
    char **errors;
} reading;

static void read_one(void *user, int i)
{
    const reading *r = user;
    const gs_image_opts o = { .channels = 3, .background = { 255, 255, 255 } };
    gs_image img;

    r->st[i] = gs_image_read(r->paths[i], &o, &img);
    if (r->st[i] == GS_OK) r->st[i] = prepare(&img, slot(r->j, i));
    if (r->st[i] != GS_OK) r->errors[i] = gs_xstrdup(gs_last_error());
    gs_image_free(&img);
}

static gs_status read_batch(gs_judge *j, char *const *paths, int n)
{
    reading r = { j, paths, gs_xalloc((size_t)n * sizeof *r.st), gs_xalloc((size_t)n * sizeof *r.errors) };
    gs_status st = GS_OK;

    gs_parallel_for(n, 0, read_one, &r);
    for (int i = 0; i < n; i++) {
        if (st == GS_OK && r.st[i] != GS_OK) st = gs_fail(r.st[i], "%s", r.errors[i]);
        free(r.errors[i]);
    }
    free(r.st);
    free(r.errors);
    return st;
}

gs_status gs_judge_files(gs_judge *j, char *const *paths, int n, uint64_t key, bool no_cache, const char *title,
                         gs_eval_progress_fn *progress, void *user, gs_features *f)
{
    const double start = gs_now();
    char *path = no_cache ? NULL : cache_path(j, n, key), line[300], t[32];
    gs_status st = GS_OK;

    *f = (gs_features){ 0 };
    if (path && load(path, n, f)) {
        snprintf(line, sizeof line, "%s: features of %d pictures from the cache", title, n);
        if (progress) progress(user, line, true);
        goto done;
    }
    for (int at = 0; at < n; at += j->batch) {
        const int m = GS_MIN(j->batch, n - at), all = at + m;

        TRY(read_batch(j, paths + at, m));
        j->waiting = m;
        TRY(gs_judge_flush(j, f));
        snprintf(line, sizeof line, "%s: features of %d of %d pictures, %s left", title, all, n,
                 gs_seconds_text(t, (gs_now() - start) / all * (n - all)));
        if (progress && all < n) progress(user, line, false);
    }
    snprintf(line, sizeof line, "%s: features of %d pictures in %s", title, n, gs_seconds_text(t, gs_now() - start));
    if (progress) progress(user, line, true);
    if (path) save(path, f);
done:
    free(path);
    if (st != GS_OK) {
        free(f->v);
        *f = (gs_features){ 0 };
    }
    return st;
}
