/* Checkpoint folders; see the header for what counts as valid. */
#include "io/checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUFFIX ".safetensors"

char *gs_ckpt_path(const char *dir, int64_t step)
{
    char name[64];

    snprintf(name, sizeof name, "step_%010" PRId64 SUFFIX, step);
    return gs_path_join(dir, name);
}

/* The step of a file name, or -1. Only the spelling that gs_ckpt_path makes counts, so that path and step are one. */
static int64_t step_of(const char *name)
{
    char digits[24], again[64];
    const size_t n = strlen(name);
    int64_t step;

    if (n < 5 + 10 + strlen(SUFFIX) || n > 5 + 19 + strlen(SUFFIX) || strncmp(name, "step_", 5) != 0) return -1;
    memcpy(digits, name + 5, n - 5 - strlen(SUFFIX));
    digits[n - 5 - strlen(SUFFIX)] = '\0';
    if (!gs_parse_i64(digits, &step) || step < 0) return -1;
    snprintf(again, sizeof again, "step_%010" PRId64 SUFFIX, step);
    return strcmp(name, again) == 0 ? step : -1;
}

static int by_step(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

gs_status gs_ckpt_list(const char *dir, int64_t **steps, int *n)
{
    char **names;
    int n_names, cap = 0;
    gs_status st;

    *steps = NULL;
    *n = 0;
    if (!gs_dir_exists(dir)) return GS_OK;
    st = gs_dir_list(dir, &names, &n_names);
    if (st != GS_OK) return st;
    for (int i = 0; i < n_names; i++) {
        const int64_t step = step_of(names[i]);

        if (step >= 0) GS_PUSH(*steps, *n, cap, step);
        free(names[i]);
    }
    free(names);
    if (*n) qsort(*steps, (size_t)*n, sizeof **steps, by_step); /* names of more than ten digits sort otherwise */
    return GS_OK;
}

static void prune(const char *dir, int64_t step, int keep)
{
    int64_t *steps;
    int n, old = 0;

    if (gs_ckpt_list(dir, &steps, &n) != GS_OK) {
        gs_warn("old checkpoints stay: %s", gs_last_error());
        return;
    }
    while (old < n && steps[old] <= step) old++;
    for (int i = 0; i < old - keep; i++) {
        char *path = gs_ckpt_path(dir, steps[i]);

        if (unlink(path) != 0 && errno != ENOENT) gs_warn("%s: cannot be removed: %s", path, strerror(errno));
        free(path);
    }
    free(steps);
}

gs_status gs_ckpt_save(const char *dir, int64_t step, gs_st_writer *w, int keep)
{
    char *path = gs_ckpt_path(dir, step), text[32];
    gs_status st = GS_OK;

    TRY(gs_mkdirs(dir));
    snprintf(text, sizeof text, "%" PRId64, step);
    gs_st_writer_meta(w, "step", text);
    snprintf(text, sizeof text, "%08" PRIx32, gs_st_writer_crc32(w));
    gs_st_writer_meta(w, "crc32", text);
    TRY(gs_st_writer_save(w, path));
    if (keep > 0) prune(dir, step, keep);
done:
    free(path);
    return st;
}

gs_status gs_ckpt_open(const char *path, int64_t *step, gs_st_file **out)
{
    const char *text, *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    gs_st_file *f = NULL;
    gs_status st = GS_OK;
    int64_t v = -1;
    char crc[16];

    *out = NULL;
    TRY(gs_st_open(path, &f));
    text = gs_st_meta(f, "step");
    TRY(text && gs_parse_i64(text, &v) && v >= 0 ? GS_OK
        : gs_fail(GS_EFORMAT, "%s: not a checkpoint: no step in its metadata", path));
    TRY(step_of(name) >= 0 && step_of(name) != v ? gs_fail(GS_EFORMAT, "%s: holds step %" PRId64, path, v) : GS_OK);
    text = gs_st_meta(f, "crc32");
    snprintf(crc, sizeof crc, "%08" PRIx32, gs_st_crc32(f));
    TRY(text && strcmp(text, crc) == 0 ? GS_OK
        : gs_fail(GS_EFORMAT, "%s: check sum is %s, the file says %.20s", path, crc, text ? text : "nothing"));
    if (step) *step = v;
    *out = f;
    f = NULL;
done:
    gs_st_close(f);
    return st;
}

gs_status gs_ckpt_open_newest(const char *dir, int64_t *step, gs_st_file **out)
{
    gs_status st;
    int64_t *steps;
    int n;

    *out = NULL;
    st = gs_ckpt_list(dir, &steps, &n);
    if (st != GS_OK) return st;
    if (n == 0) return gs_fail(GS_EIO, "%s: no checkpoint there", dir);
    for (int i = n - 1; i >= 0; i--) {
        char *path = gs_ckpt_path(dir, steps[i]);

        st = gs_ckpt_open(path, step, out);
        free(path);
        if (st == GS_OK || st == GS_ENOMEM) break; /* want of memory says nothing about the file */
        gs_warn("checkpoint passed over: %s", gs_last_error());
    }
    free(steps);
    if (st != GS_OK && st != GS_ENOMEM) return gs_fail(GS_EFORMAT, "%s: none of %d checkpoints is valid", dir, n);
    return st;
}

void gs_ckpt_clean(const char *dir)
{
    char **names;
    int n;

    if (!gs_dir_exists(dir) || gs_dir_list(dir, &names, &n) != GS_OK) return;
    for (int i = 0; i < n; i++) {
        if (strncmp(names[i], "step_", 5) == 0 && strstr(names[i], SUFFIX ".tmp-")) {
            char *path = gs_path_join(dir, names[i]);

            if (unlink(path) != 0) gs_warn("%s: cannot be removed: %s", path, strerror(errno));
            free(path);
        }
        free(names[i]);
    }
    free(names);
}
