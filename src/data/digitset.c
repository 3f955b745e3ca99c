/* Digit sets: which IDX files belong together, and the checks that they do. */
#include <stdlib.h>
#include <string.h>

#include "data/idx.h"

#define SIDE_MAX 4096

/* The four spellings: "train-images-idx3-ubyte", "train-images.idx3-ubyte", both with ".gz". */
static void spell(char buf[96], const char *split, const char *what, int i)
{
    const int dims = what[0] == 'i' ? 3 : 1;

    snprintf(buf, 96, "%s-%s%cidx%d-ubyte%s", split, what, i & 1 ? '.' : '-', dims, i & 2 ? ".gz" : "");
}

char *gs_idx_find(const char *dir, const char *split, const char *what)
{
    for (int i = 0; i < 4; i++) {
        char name[96], *path;

        spell(name, split, what, i);
        path = gs_path_join(dir, name);
        if (gs_file_exists(path)) return path;
        free(path);
    }
    return NULL;
}

static gs_status not_found(const char *dir, const char *split, const char *what)
{
    char n[4][96];

    for (int i = 0; i < 4; i++) spell(n[i], split, what, i);
    if (!gs_dir_exists(dir)) return gs_fail(GS_EIO, "%s: no such folder; it should hold the IDX files (%s, ...)", dir, n[0]);
    return gs_fail(GS_EIO, "%s: no %s %s; looked for %s, %s, %s and %s. Put the file there (nothing is downloaded)", dir,
                   split, what, n[0], n[1], n[2], n[3]);
}

static gs_status check_kind(const gs_idx *x, const char *path, int n_dims, const char *what)
{
    if (x->type != GS_IDX_U8 || x->n_dims != n_dims)
        return gs_fail(GS_EFORMAT, "%s: %s files begin with 0x%08x (bytes, %d dimension%s); this one with 0x%08x", path,
                       what, 0x800 + n_dims, n_dims, n_dims > 1 ? "s" : "", (unsigned)x->type << 8 | x->n_dims);
    if (x->count == 0) return gs_fail(GS_EFORMAT, "%s: holds no %s", path, what);
    if (x->dims[0] > INT32_MAX || (n_dims == 3 && (x->dims[1] > SIDE_MAX || x->dims[2] > SIDE_MAX)))
        return gs_fail(GS_EFORMAT, "%s: %lld pictures of %lld x %lld: out of range (sides up to %d)", path,
                       (long long)x->dims[0], (long long)x->dims[2], (long long)x->dims[1], SIDE_MAX);
    return GS_OK;
}

gs_status gs_idx_load_pair(gs_labelled *out, const char *images, const char *labels, int classes)
{
    gs_status st = GS_OK;
    gs_idx im = {0}, lab = {0};
    const uint8_t *l;
    int top = 0;

    *out = (gs_labelled){0};
    if (classes < 0 || classes > GS_LABELLED_MAX_CLASSES)
        return gs_fail(GS_EINVAL, "%d classes; 1 to %d are possible", classes, GS_LABELLED_MAX_CLASSES);
    TRY(gs_idx_read(images, &im));
    TRY(check_kind(&im, images, 3, "image"));
    TRY(gs_idx_read(labels, &lab));
    TRY(check_kind(&lab, labels, 1, "label"));
    if (im.dims[0] != lab.dims[0])
        TRY(gs_fail(GS_EFORMAT, "%s holds %lld images but %s %lld labels", images, (long long)im.dims[0], labels,
                    (long long)lab.dims[0]));
    l = lab.data;
    for (size_t i = 0; i < lab.count; i++) {
        if (classes && l[i] >= classes)
            TRY(gs_fail(GS_EFORMAT, "%s: label %zu is %d, but there are %d classes (0..%d); set n_classes to fit", labels,
                        i, l[i], classes, classes - 1));
        top = GS_MAX(top, l[i]);
    }
    *out = (gs_labelled){ .n = (int)im.dims[0], .h = (int)im.dims[1], .w = (int)im.dims[2], .c = 1,
                          .classes = classes ? classes : top + 1, .images = im.data, .labels = lab.data };
    im.data = lab.data = NULL;
done:
    gs_idx_free(&im);
    gs_idx_free(&lab);
    return st;
}

gs_status gs_idx_load_split(gs_labelled *out, const char *dir, const char *split, int classes)
{
    gs_status st = GS_OK;
    char *images = gs_idx_find(dir, split, "images"), *labels = gs_idx_find(dir, split, "labels");

    *out = (gs_labelled){0};
    TRY(images ? GS_OK : not_found(dir, split, "images"));
    TRY(labels ? GS_OK : not_found(dir, split, "labels"));
    TRY(gs_idx_load_pair(out, images, labels, classes));
done:
    free(images);
    free(labels);
    return st;
}

/* What the two splits must have in common. */
static gs_status join(gs_digitset *s, const char *where)
{
    const gs_labelled *a = &s->train, *b = &s->test;

    if (a->h != b->h || a->w != b->w)
        return gs_fail(GS_EFORMAT, "%s: training pictures are %d x %d, test pictures %d x %d", where, a->w, a->h, b->w,
                       b->h);
    s->train.classes = s->test.classes = GS_MAX(a->classes, b->classes);
    return GS_OK;
}

gs_status gs_digitset_load(gs_digitset *out, const char *dir, int classes)
{
    gs_status st = GS_OK;

    *out = (gs_digitset){0};
    TRY(gs_idx_load_split(&out->train, dir, "train", classes));
    TRY(gs_idx_load_split(&out->test, dir, "t10k", classes));
    TRY(join(out, dir));
done:
    if (st != GS_OK) gs_digitset_free(out);
    return st;
}

gs_status gs_digitset_load_files(gs_digitset *out, const char *const paths[4], int classes)
{
    gs_status st = GS_OK;

    *out = (gs_digitset){0};
    TRY(gs_idx_load_pair(&out->train, paths[0], paths[1], classes));
    TRY(gs_idx_load_pair(&out->test, paths[2], paths[3], classes));
    TRY(join(out, paths[0]));
done:
    if (st != GS_OK) gs_digitset_free(out);
    return st;
}

void gs_digitset_free(gs_digitset *s)
{
    if (!s) return;
    gs_labelled_free(&s->train);
    gs_labelled_free(&s->test);
}

static gs_status write_split(const gs_labelled *s, const char *dir, const char *split)
{
    const int64_t dims[3] = { s->n, s->h, s->w };
    char name[96], *path;
    gs_status st;

    if (s->c != 1) return gs_fail(GS_EINVAL, "%s: IDX image files are grey; the set has %d channels", dir, s->c);
    spell(name, split, "images", 0);
    path = gs_path_join(dir, name);
    st = gs_idx_write_u8(path, s->images, dims, 3);
    free(path);
    if (st != GS_OK) return st;
    spell(name, split, "labels", 0);
    path = gs_path_join(dir, name);
    st = gs_idx_write_u8(path, s->labels, dims, 1);
    free(path);
    return st;
}

gs_status gs_digitset_write(const gs_digitset *s, const char *dir)
{
    gs_status st = GS_OK;

    TRY(gs_mkdirs(dir));
    TRY(write_split(&s->train, dir, "train"));
    TRY(write_split(&s->test, dir, "t10k"));
done:
    return st;
}
