/* Class folders: listing, decoding on all cores, fitting to one size. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "data/folder.h"
#include "data/folder_int.h"
#include "data/image.h"

#define PICTURES_MAX 20000000
#define DEPTH_MAX    16

static bool is_picture(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && (!strcasecmp(dot, ".png") || !strcasecmp(dot, ".jpg") || !strcasecmp(dot, ".jpeg"));
}

static void free_names(char **names, int n)
{
    for (int i = 0; i < n; i++) free(names[i]);
    free(names);
}

void gs__picture_list_free(picture_list *l)
{
    for (int i = 0; i < l->n; i++) free(l->files[i].path);
    free(l->files);
    free_names(l->classes, l->n_classes);
    *l = (picture_list){0};
}

/* A link to a folder could lead back up, so links are followed in the root only, where a user puts them. */
static bool is_link(const char *path)
{
    struct stat info;

    return lstat(path, &info) == 0 && S_ISLNK(info.st_mode);
}

/* The pictures below one folder; the subfolders of the root (depth 0) are the classes. */
static gs_status list_one(picture_list *l, const char *dir, int class_, int depth)
{
    char **names = NULL;
    int n = 0;
    gs_status st = gs_dir_list(dir, &names, &n);

    for (int i = 0; st == GS_OK && i < n; i++) {
        char *path = gs_path_join(dir, names[i]);

        if (gs_dir_exists(path)) {
            if (depth == 0) {
                GS_PUSH(l->classes, l->n_classes, l->cap_classes, gs_xstrdup(names[i]));
                st = list_one(l, path, l->n_classes - 1, 1);
            } else if (depth < DEPTH_MAX && !is_link(path)) {
                st = list_one(l, path, class_, depth + 1);
            }
        } else if (!is_picture(names[i])) {
            l->ignored++;
        } else if (l->n >= PICTURES_MAX) {
            st = gs_fail(GS_ELIMIT, "%s: more than %d pictures", dir, PICTURES_MAX);
        } else {
            GS_PUSH(l->files, l->n, l->cap, ((picture_file){ path, class_ }));
            path = NULL;
        }
        free(path);
    }
    free_names(names, n);
    return st;
}

gs_status gs__picture_list(picture_list *l, const char *root)
{
    gs_status st;

    *l = (picture_list){0};
    st = list_one(l, root, -1, 0);
    if (st != GS_OK) gs__picture_list_free(l);
    return st;
}

/* Halves a picture by averaging 2 x 2 (an odd last row or column goes), so that bilinear scaling afterwards
 * does not alias. */
static gs_status halve(gs_image *img)
{
    gs_image out;
    const gs_status st = gs_image_new(&out, img->w / 2, img->h / 2, img->c);

    if (st != GS_OK) return st;
    for (int y = 0; y < out.h; y++)
        for (int x = 0; x < out.w; x++)
            for (int k = 0; k < out.c; k++) {
                const uint8_t *p = img->px + ((size_t)2 * y * img->w + 2 * x) * img->c + k, *q = p + (size_t)img->w * img->c;

                out.px[((size_t)y * out.w + x) * out.c + k] = (uint8_t)((p[0] + p[img->c] + q[0] + q[img->c] + 2) / 4);
            }
    gs_image_free(img);
    *img = out;
    return GS_OK;
}

/* Scales so that the shorter side becomes `side`, and cuts the middle out. */
static gs_status fit(gs_image *img, int side)
{
    gs_image scaled = {0}, cut = {0};
    gs_status st = GS_OK;
    int w, h;

    while (GS_MIN(img->w, img->h) >= 2 * side) TRY(halve(img));
    w = img->w <= img->h ? side : (int)GS_MIN(((int64_t)img->w * side + img->h / 2) / img->h, GS_IMAGE_MAX_SIDE);
    h = img->h <= img->w ? side : (int)GS_MIN(((int64_t)img->h * side + img->w / 2) / img->w, GS_IMAGE_MAX_SIDE);
    TRY(gs_image_resize(&scaled, img, w, h, GS_RESIZE_BILINEAR));
    TRY(gs_image_crop(&cut, &scaled, (w - side) / 2, (h - side) / 2, side, side));
    gs_image_free(img);
    *img = cut;
done:
    gs_image_free(&scaled);
    return st;
}

typedef struct job {
    const picture_list *list;
    const int *pick; /* indices into the list */
    const gs_folder_opts *o;
    int channels;
    gs_labelled *out;
    char **errors; /* one per picture, NULL when it was read */
    gs_status *codes;
} job;

static void read_one(void *user, int i)
{
    const job *j = user;
    const picture_file *f = &j->list->files[j->pick[i]];
    const size_t bytes = (size_t)j->o->side * j->o->side * j->channels;
    gs_image_opts io = { .channels = j->channels };
    gs_image img;
    gs_status st;

    memcpy(io.background, j->o->background, 3);
    st = gs_image_read(f->path, &io, &img);
    if (st == GS_OK) st = fit(&img, j->o->side);
    if (st == GS_OK)
        memcpy(j->out->images + i * bytes, img.px, bytes);
    else
        j->errors[i] = gs_xstrdup(gs_last_error());
    j->codes[i] = st;
    j->out->labels[i] = (uint8_t)f->class_;
    gs_image_free(&img);
}

/* Closes the gaps that unreadable pictures left. */
static void compact(gs_labelled *s, char *const *errors)
{
    const size_t one = (size_t)s->h * s->w * s->c;
    int n = 0;

    for (int i = 0; i < s->n; i++) {
        if (errors[i]) {
            gs_warn("left out: %s", errors[i]);
            continue;
        }
        if (n != i) memcpy(s->images + n * one, s->images + i * one, one);
        s->labels[n++] = s->labels[i];
    }
    s->n = n;
}

static gs_status check_classes(const gs_labelled *s, const picture_list *l, const char *dir)
{
    int64_t counts[GS_LABELLED_MAX_CLASSES];

    gs_labelled_histogram(s, counts);
    for (int c = 0; c < s->classes; c++)
        if (counts[c] == 0)
            return gs_fail(GS_EFORMAT, "%s: the class folder %s has no readable picture; fill it or remove it", dir,
                           l->classes[c]);
    return GS_OK;
}

gs_status gs_folder_load(gs_labelled *out, char ***names, const char *dir, const gs_folder_opts *o)
{
    gs_status st = GS_OK;
    picture_list l = {0};
    job j = { .list = &l, .o = o, .channels = o->channels ? o->channels : 3, .out = out };
    int *pick = NULL, n = 0, total = 0, taken[GS_LABELLED_MAX_CLASSES] = {0};

    *out = (gs_labelled){0};
    if (o->side < 1 || o->side > 4096 || (j.channels != 1 && j.channels != 3) || o->per_class < 0)
        return gs_fail(GS_EINVAL, "%s: pictures of side %d with %d channels, %d per class: out of range", dir, o->side,
                       j.channels, o->per_class);
    TRY(gs_dir_exists(dir) ? GS_OK : gs_fail(GS_EIO, "%s: no such folder; it should hold a subfolder per class", dir));
    TRY(gs__picture_list(&l, dir));
    if (l.n_classes == 0)
        TRY(gs_fail(GS_EIO, "%s: no subfolders; put the pictures of each class into a subfolder of its own", dir));
    if (l.n_classes > GS_LABELLED_MAX_CLASSES)
        TRY(gs_fail(GS_EINVAL, "%s: %d subfolders; at most %d classes", dir, l.n_classes, GS_LABELLED_MAX_CLASSES));
    pick = gs_try_alloc(GS_MAX(l.n, 1), sizeof *pick, "list of pictures");
    TRY(pick ? GS_OK : GS_ENOMEM);
    for (int i = 0; i < l.n; i++) {
        const int c = l.files[i].class_;

        if (c < 0 || (o->per_class && taken[c] >= o->per_class)) continue;
        taken[c]++;
        pick[n++] = i;
    }
    TRY(n > 0 ? GS_OK : gs_fail(GS_EFORMAT, "%s: the subfolders hold no .png, .jpg or .jpeg files", dir));
    TRY(gs_labelled_new(out, n, o->side, o->side, j.channels, l.n_classes));
    j.pick = pick;
    j.errors = gs_xalloc(n * sizeof *j.errors);
    j.codes = gs_xalloc(n * sizeof *j.codes);
    total = n;
    gs_parallel_for(n, 0, read_one, &j);
    for (int i = 0; i < n && !o->skip_bad; i++)
        if (j.errors[i]) TRY(gs_fail(j.codes[i], "%s", j.errors[i]));
    compact(out, j.errors);
    TRY(check_classes(out, &l, dir));
    if (names) {
        *names = l.classes;
        l.classes = NULL;
        l.n_classes = 0;
    }
done:
    for (int i = 0; i < total; i++) free(j.errors[i]);
    free(j.errors);
    free(j.codes);
    free(pick);
    gs__picture_list_free(&l);
    if (st != GS_OK) gs_labelled_free(out);
    return st;
}
