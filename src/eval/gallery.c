/* Folders of pictures to be measured. */
#include "eval/gallery.h"

#include <stdlib.h>
#include <string.h>

#include "data/pictures.h"

typedef struct job {
    gs_gallery *g;
    char **errors; /* NULL: was read */
} job;

static void look(void *user, int i)
{
    job *j = user;
    const gs_image_opts o = { .channels = 3 };
    gs_image img = { 0 };
    uint8_t *bytes = NULL;
    size_t size = 0;
    gs_status st = GS_OK;

    TRY(gs_file_read(j->g->paths[i], GS_IMAGE_MAX_FILE, &bytes, &size));
    j->g->hash[i] = gs_hash64(bytes, size, 0);
    TRY(gs_image_decode(bytes, size, j->g->paths[i], &o, &img));
done:
    if (st != GS_OK) j->errors[i] = gs_xstrdup(gs_last_error());
    gs_image_free(&img);
    free(bytes);
}

gs_status gs_gallery_open(const char *dir, gs_gallery *out)
{
    job j = { .g = out };
    gs_status st = GS_OK;
    int n = 0, kept = 0;

    *out = (gs_gallery){ .dir = gs_xstrdup(dir) };
    TRY(gs_dir_exists(dir) ? GS_OK : gs_fail(GS_EIO, "%s: no such folder", dir));
    TRY(gs_pictures_list(dir, &out->paths, &n));
    out->n = n;
    TRY(n > 0 ? GS_OK : gs_fail(GS_EFORMAT, "%s: no .png, .jpg or .jpeg files in this folder", dir));
    out->hash = gs_xalloc((size_t)n * sizeof *out->hash);
    j.errors = gs_xalloc((size_t)n * sizeof *j.errors);
    gs_parallel_for(n, 0, look, &j);
    for (int i = 0; i < n; i++) {
        if (j.errors[i]) {
            gs_warn("left out: %s", j.errors[i]);
            free(out->paths[i]);
            continue;
        }
        out->paths[kept] = out->paths[i];
        out->hash[kept++] = out->hash[i];
    }
    out->n = kept;
    if (kept == 0)
        TRY(gs_fail(GS_EFORMAT, "%s: none of its %d pictures can be read; the first: %s", dir, n, j.errors[0]));
done:
    for (int i = 0; j.errors && i < n; i++) free(j.errors[i]);
    free(j.errors);
    if (st != GS_OK) gs_gallery_free(out);
    return st;
}

void gs_gallery_free(gs_gallery *g)
{
    for (int i = 0; i < g->n; i++) free(g->paths[i]);
    free(g->paths);
    free(g->hash);
    free(g->dir);
    *g = (gs_gallery){ 0 };
}

/* Whether a path's end is this name, with or without the path's ending. */
static bool is_named(const char *path, const char *name)
{
    const char *dot = strrchr(path, '.');
    const size_t n = strlen(name);

    return strncmp(path, name, n) == 0 && (path[n] == '\0' || path + n == dot);
}

int gs_gallery_find(const gs_gallery *g, const char *name)
{
    const size_t root = g->dir ? strlen(g->dir) : 0;

    for (int i = 0; i < g->n; i++) {
        const char *below = g->paths[i] + root, *slash = strrchr(g->paths[i], '/');

        while (*below == '/') below++;
        if (is_named(below, name) || (slash && is_named(slash + 1, name))) return i;
    }
    return -1;
}

void gs_gallery_limit(gs_gallery *g, int max, uint64_t seed)
{
    gs_rng rng = { .seed = seed, .stream = 0x67616c00 };
    int32_t *order;
    bool *stays;
    int n = 0;

    if (max <= 0 || max >= g->n) return;
    order = gs_xalloc((size_t)g->n * sizeof *order);
    stays = gs_xalloc((size_t)g->n * sizeof *stays);
    gs_rng_permute(&rng, order, g->n);
    for (int i = 0; i < max; i++) stays[order[i]] = true;
    for (int i = 0; i < g->n; i++) {
        if (!stays[i]) {
            free(g->paths[i]);
            continue;
        }
        g->paths[n] = g->paths[i];
        g->hash[n++] = g->hash[i];
    }
    g->n = n;
    free(order);
    free(stays);
}

uint64_t gs_gallery_key(const gs_gallery *g)
{
    return gs_hash64(g->hash, (size_t)g->n * sizeof *g->hash, (uint64_t)g->n);
}
