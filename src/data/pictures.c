/* Folders of pictures as training samples; see the header. */
#include "data/pictures.h"

#include <stdlib.h>
#include <string.h>

#include "data/folder_int.h"

/* Streams of random numbers that nobody else draws from with the same seed; + stream << 40 + index or round. */
#define STREAM_ORDER 0x7069637400000000ull
#define STREAM_CUT   0x7069638000000000ull

struct gs_pictures {
    gs_pictures_opts o;
    picture_list list; /* unreadable files taken out */
    uint8_t **held;    /* resized pictures; NULL: to be read */
    size_t held_bytes;
    int32_t *order;    /* of round `round` */
    uint64_t order_of[2]; /* seed and stream of it */
    int64_t round;        /* -1: none yet */
};

static gs_status read_resized(const char *path, int side, int channels, gs_image_filter filter, gs_image *out, int *w, int *h)
{
    const gs_image_opts io = { .channels = channels, .background = { 255, 255, 255 } };
    gs_image img = {0};
    gs_status st = GS_OK;

    *out = (gs_image){0};
    TRY(gs_image_read(path, &io, &img));
    if (w) *w = img.w;
    if (h) *h = img.h;
    TRY(gs_image_resize(out, &img, side, side, filter));
done:
    gs_image_free(&img);
    return st;
}

/* A training picture as it is held. */
static gs_status read_training(const gs_pictures_opts *o, const char *path, gs_image *out)
{
    const int full = o->side + o->extra;
    const bool twice = o->filter == GS_RESIZE_CORNER && o->extra > 0;
    gs_image first = {0};
    gs_status st = GS_OK;

    *out = (gs_image){0};
    TRY(read_resized(path, twice ? o->side : full, o->channels, o->filter, twice ? &first : out, NULL, NULL));
    if (twice) TRY(gs_image_resize(out, &first, full, full, o->filter));
done:
    gs_image_free(&first);
    return st;
}

/* Interleaved bytes at (x0, y0) of a picture `full` wide -> planes in [-1,1]. */
static void cut(const uint8_t *px, int full, int channels, int x0, int y0, int side, bool mirror, float *x)
{
    for (int c = 0; c < channels; c++)
        for (int i = 0; i < side; i++) {
            const uint8_t *row = px + ((size_t)(y0 + i) * full + x0) * channels + c;

            for (int j = 0; j < side; j++) *x++ = row[channels * (mirror ? side - 1 - j : j)] / 127.5f - 1;
        }
}

/* ---- opening ---- */

typedef struct job {
    gs_pictures *p;
    char **errors;
} job;

static void read_one(void *user, int i)
{
    job *j = user;
    gs_pictures *p = j->p;
    const int side = p->o.side + p->o.extra;
    const size_t bytes = (size_t)side * side * (size_t)p->o.channels;
    gs_image img;

    if (read_training(&p->o, p->list.files[i].path, &img) != GS_OK) {
        j->errors[i] = gs_xstrdup(gs_last_error());
        return;
    }
    /* Which pictures stay may depend on the threads; what a sample looks like does not. */
    if (__atomic_add_fetch(&p->held_bytes, bytes, __ATOMIC_RELAXED) <= p->o.memory) {
        p->held[i] = img.px;
        img.px = NULL;
    }
    gs_image_free(&img);
}

/* Takes unreadable files out of the list and names them. */
static void leave_out(gs_pictures *p, char *const *errors)
{
    int n = 0;

    for (int i = 0; i < p->list.n; i++) {
        if (errors[i]) {
            gs_warn("left out: %s", errors[i]);
            free(p->list.files[i].path);
            continue;
        }
        p->held[n] = p->held[i];
        p->list.files[n++] = p->list.files[i];
    }
    p->list.n = n;
}

gs_status gs_pictures_open(const char *dir, const gs_pictures_opts *o, gs_pictures **out)
{
    gs_pictures *p = gs_xalloc(sizeof *p);
    job j = { .p = p };
    gs_status st = GS_OK;
    int n = 0;

    p->o = *o;
    p->round = -1;
    if (o->side < 1 || o->extra < 0 || o->side + o->extra > 8192)
        TRY(gs_fail(GS_EINVAL, "%s: pictures of side %d + %d: out of range", dir, o->side, o->extra));
    if (o->channels != 1 && o->channels != 3) TRY(gs_fail(GS_EINVAL, "%s: pictures of %d channels: 1 or 3", dir, o->channels));
    TRY(gs_dir_exists(dir) ? GS_OK : gs_fail(GS_EIO, "%s: no such folder; it should hold the pictures of one domain", dir));
    TRY(gs__picture_list(&p->list, dir));
    if (p->list.n == 0 && p->list.ignored > 0) {
        TRY(gs_fail(GS_EFORMAT, "%s: no .png, .jpg or .jpeg files in this folder, but %d of other kinds: a domain needs at least one picture; convert them "
                                "to PNG", dir, p->list.ignored));
    }
    if (p->list.n == 0) TRY(gs_fail(GS_EFORMAT, "%s: no .png, .jpg or .jpeg files in this folder: a domain needs at least one picture", dir));
    if (p->list.ignored > 0) gs_warn("%s: passed over, since they do not end in .png, .jpg or .jpeg: %d", dir, p->list.ignored);
    while (o->max_items && p->list.n > o->max_items) free(p->list.files[--p->list.n].path);
    n = p->list.n;
    p->held = gs_xalloc((size_t)n * sizeof *p->held);
    p->order = gs_xalloc((size_t)n * sizeof *p->order);
    j.errors = gs_xalloc((size_t)n * sizeof *j.errors);
    gs_parallel_for(n, o->threads, read_one, &j);
    leave_out(p, j.errors);
    if (p->list.n == 0) TRY(gs_fail(GS_EFORMAT, "%s: none of its %d pictures can be read; the first: %s", dir, n, j.errors[0]));
done:
    for (int i = 0; i < n; i++) free(j.errors[i]);
    free(j.errors);
    if (st != GS_OK) {
        gs_pictures_free(p);
        p = NULL;
    }
    *out = p;
    return st;
}

void gs_pictures_free(gs_pictures *p)
{
    if (!p) return;
    for (int i = 0; p->held && i < p->list.n; i++) free(p->held[i]);
    free(p->held);
    free(p->order);
    gs__picture_list_free(&p->list);
    free(p);
}

int gs_pictures_count(const gs_pictures *p) { return p->list.n; }

gs_status gs_pictures_list(const char *dir, char ***paths, int *n)
{
    picture_list l;
    const gs_status st = gs__picture_list(&l, dir);

    *paths = NULL;
    *n = 0;
    if (st != GS_OK) return st;
    *paths = gs_xalloc((size_t)(l.n + 1) * sizeof **paths);
    for (; *n < l.n; (*n)++) {
        (*paths)[*n] = l.files[*n].path;
        l.files[*n].path = NULL;
    }
    gs__picture_list_free(&l);
    return GS_OK;
}

/* ---- samples ---- */

/* The resized bytes of picture i: held ones, or *read, which the caller frees. */
static gs_status bytes_of(const gs_pictures *p, int i, gs_image *read, const uint8_t **px)
{
    gs_status st = GS_OK;

    *read = (gs_image){0};
    if (!p->held[i]) st = read_training(&p->o, p->list.files[i].path, read);
    *px = p->held[i] ? p->held[i] : read->px;
    return st;
}

gs_status gs_pictures_sample(gs_pictures *p, uint64_t seed, int stream, int64_t index, double flip, float *x)
{
    const int64_t round = index / p->list.n;
    const uint64_t high = (uint64_t)stream << 40;
    gs_rng cuts = { .seed = seed, .stream = STREAM_CUT + high + (uint64_t)index };
    const uint8_t *px;
    gs_image read;
    gs_status st;
    bool mirror;
    int x0, y0;

    if (round != p->round || p->order_of[0] != seed || p->order_of[1] != high) {
        gs_rng r = { .seed = seed, .stream = STREAM_ORDER + high + (uint64_t)round };

        gs_rng_permute(&r, p->order, p->list.n);
        p->round = round;
        p->order_of[0] = seed;
        p->order_of[1] = high;
    }
    mirror = gs_rng_uniform(&cuts) < flip;
    x0 = (int)gs_rng_below(&cuts, (uint32_t)p->o.extra + 1);
    y0 = (int)gs_rng_below(&cuts, (uint32_t)p->o.extra + 1);
    st = bytes_of(p, p->order[index % p->list.n], &read, &px);
    if (st == GS_OK) cut(px, p->o.side + p->o.extra, p->o.channels, x0, y0, p->o.side, mirror, x);
    gs_image_free(&read);
    return st;
}

gs_status gs_pictures_plain(gs_pictures *p, int i, float *x)
{
    if (i < 0 || i >= p->list.n) return gs_fail(GS_EINVAL, "picture %d of %d", i, p->list.n);
    return gs_picture_load(p->list.files[i].path, p->o.side, p->o.channels, p->o.filter, x, NULL, NULL);
}

gs_status gs_picture_load(const char *path, int side, int channels, gs_image_filter filter, float *x, int *w, int *h)
{
    gs_image img;
    const gs_status st = read_resized(path, side, channels, filter, &img, w, h);

    if (st == GS_OK) cut(img.px, side, channels, 0, 0, side, false, x);
    gs_image_free(&img);
    return st;
}
