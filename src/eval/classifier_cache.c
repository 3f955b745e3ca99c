/* The disk cache of trained classifiers: one safetensors file each, with a check sum in its metadata. */
#include "eval/classifier_int.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/safetensors.h"

/* Changes whenever the network, its training or the file's layout do; old files then have names that nobody
 * asks for. */
#define RECIPE "conv32k5-pool-conv64k5-pool-fc128-fc, adam 1e-3, batch 128, unit range, 1"

char *gs_classifier_path(const gs_labelled *set, const gs_classifier_opts *o)
{
    const int64_t numbers[] = { set->n, set->h, set->w, set->c, set->classes, o && o->epochs ? o->epochs : 5, o ? o->max_steps : 0,
                                o ? (int64_t)o->seed : 0 };
    uint64_t key = gs_hash64(numbers, sizeof numbers, gs_hash_str(RECIPE));
    gs_str name = { 0 };
    char *cache = NULL, *path;

    if (gs_cache_dir(&cache) != GS_OK) {
        gs_warn("the reference classifier will not be kept: %s", gs_last_error());
        return NULL;
    }
    key = gs_hash64(set->images, (size_t)set->n * set->h * set->w * set->c, key);
    key = gs_hash64(set->labels, (size_t)set->n, key);
    gs_str_printf(&name, "classifiers/%016" PRIx64 ".safetensors", key);
    path = gs_path_join(cache, gs_str_c(&name));
    gs_str_free(&name);
    free(cache);
    return path;
}

static gs_status check_file(const gs_classifier *c, const gs_st_file *f, const char *path)
{
    const char *text = gs_st_meta(f, "crc32");
    char crc[16];

    snprintf(crc, sizeof crc, "%08" PRIx32, gs_st_crc32(f));
    if (!text || strcmp(text, crc) != 0) return gs_fail(GS_EFORMAT, "%s: the check sum is wrong", path);
    text = gs_st_meta(f, "recipe");
    if (!text || strcmp(text, RECIPE) != 0) return gs_fail(GS_EFORMAT, "%s: made by another recipe", path);
    for (int i = 0; i < gs_store_count(c->store); i++) {
        const char *name = gs_store_name(c->store, i);
        const gs_shape want = gs_store_shape(c->store, i);
        const gs_st_tensor *t = gs_st_find(f, name);
        bool same = t && t->dtype == GS_ST_F32 && t->rank == want.rank;

        for (int k = 0; same && k < want.rank; k++) same = t->shape[k] == want.dim[k];
        if (!same) return gs_fail(GS_EFORMAT, "%s: tensor %s is missing or of another shape", path, name);
    }
    return GS_OK;
}

bool gs__classifier_load(gs_classifier *c, const char *path)
{
    const int n = gs_store_count(c->store);
    gs_st_file *f = NULL;
    gs_status st = GS_OK;
    float **values = gs_xalloc((size_t)n * sizeof *values + 1);

    if (!gs_file_exists(path)) goto done;
    TRY(gs_st_open(path, &f));
    TRY(check_file(c, f, path));
    for (int i = 0; i < n; i++) { /* everything is checked before anything is written */
        const gs_st_tensor *t = gs_st_find(f, gs_store_name(c->store, i));

        values[i] = gs_try_alloc(t->count, sizeof(float), "classifier");
        TRY(values[i] ? GS_OK : GS_ENOMEM);
        gs_st_to_f32(t, values[i]);
        for (size_t k = 0; k < t->count; k++)
            if (!isfinite(values[i][k])) TRY(gs_fail(GS_EFORMAT, "%s: tensor %s holds a value that is not a number", path, t->name));
    }
    for (int i = 0; i < n; i++) TRY(gs_store_write(c->store, i, values[i]));
done:
    if (st != GS_OK) gs_warn("the kept reference classifier is passed over and made anew: %s", gs_last_error());
    st = f && st == GS_OK ? GS_OK : GS_EIO;
    gs_st_close(f);
    for (int i = 0; i < n; i++) free(values[i]);
    free(values);
    return st == GS_OK;
}

static gs_status save(gs_classifier *c, const char *path, gs_st_writer *w, float **values)
{
    char *folder = gs_xstrdup(path), crc[16];
    gs_status st = GS_OK;

    *strrchr(folder, '/') = '\0';
    TRY(gs_mkdirs(folder));
    gs_st_writer_meta(w, "recipe", RECIPE);
    for (int i = 0; i < gs_store_count(c->store); i++) {
        const gs_shape s = gs_store_shape(c->store, i);

        if (!gs_store_trainable(c->store, i)) continue; /* the optimiser's */
        values[i] = gs_try_alloc((size_t)gs_shape_count(s), sizeof(float), "classifier");
        TRY(values[i] ? GS_OK : GS_ENOMEM);
        TRY(gs_store_read(c->store, i, values[i]));
        gs_st_writer_add(w, gs_store_name(c->store, i), GS_ST_F32, s.rank, s.dim, values[i]);
    }
    snprintf(crc, sizeof crc, "%08" PRIx32, gs_st_writer_crc32(w));
    gs_st_writer_meta(w, "crc32", crc);
    TRY(gs_st_writer_save(w, path));
done:
    free(folder);
    return st;
}

void gs__classifier_save(gs_classifier *c, const char *path)
{
    const int n = gs_store_count(c->store);
    gs_st_writer *w = gs_st_writer_new();
    float **values = gs_xalloc((size_t)n * sizeof *values + 1);

    if (save(c, path, w, values) != GS_OK) gs_warn("the reference classifier is not kept: %s", gs_last_error());
    gs_st_writer_free(w);
    for (int i = 0; i < n; i++) free(values[i]);
    free(values);
}
