/* Where real pictures come from; see the header. */
#include "train/dataset.h"

#include <stdlib.h>
#include <string.h>

#include "data/bars.h"
#include "data/digits.h"
#include "data/folder.h"

enum source { MNIST, FASHION, IDX, FOLDER, DIGITS, BARS }; /* the choices of data.dataset, in their order */

static const char *str(const gs_config *c, const char *key)
{
    return gs_config_str(c, "data", key);
}

static gs_status given(const gs_config *c, const char *key, const char *what)
{
    if (*str(c, key)) return GS_OK;
    return gs_fail(GS_ECONFIG, "[data] dataset = %s wants %s in [data] %s; set it or use --set data.%s=...", str(c, "dataset"), what,
                   key, key);
}

static gs_status load_files(const gs_config *c, const gs_dataset_opts *o, gs_digitset *out)
{
    const char *const keys[4] = { "train_images", "train_labels", "test_images", "test_labels" };
    const char *paths[4];
    gs_status st = GS_OK;

    for (int i = 0; i < (o->train_only ? 2 : 4); i++) TRY(given(c, keys[i], "the path of an IDX file"));
    for (int i = 0; i < 4; i++) paths[i] = str(c, keys[i]);
    if (o->train_only) return gs_idx_load_pair(&out->train, paths[0], paths[1], o->classes);
    st = gs_digitset_load_files(out, paths, o->classes);
done:
    return st;
}

static gs_status load_dir(const gs_config *c, const gs_dataset_opts *o, gs_digitset *out)
{
    gs_status st = given(c, "data_dir", "the folder of the IDX files");

    if (st != GS_OK) return st;
    if (o->train_only) return gs_idx_load_split(&out->train, str(c, "data_dir"), "train", o->classes);
    return gs_digitset_load(out, str(c, "data_dir"), o->classes);
}

static gs_status draw_digits(const gs_config *c, const gs_dataset_opts *o, gs_digitset *out)
{
    const int n = (int)gs_config_int(c, "data", "n_digits");
    gs_status st = GS_OK;

    if (o->classes < 10) TRY(gs_fail(GS_ECONFIG, "[model] n_classes = %d: the drawn digits have 10 classes", o->classes));
    TRY(gs_digits_make(&out->train, n, 0, 0));
    if (!o->train_only) TRY(gs_digits_make(&out->test, GS_MAX(n / 6, 1), 0, GS_DIGITS_TEST));
done:
    return st;
}

static gs_status load_folder(const gs_config *c, const gs_dataset_opts *o, gs_dataset *out)
{
    gs_status st = GS_OK;

    TRY(given(c, "data_dir", "a folder with one subfolder a class"));
    TRY(gs_folder_load(&out->train, &out->names, str(c, "data_dir"), &(gs_folder_opts){ .side = o->side, .channels = o->channels }));
    out->n_names = out->train.classes;
    if (out->train.classes > o->classes) {
        TRY(gs_fail(GS_ECONFIG, "[model] n_classes = %d: %s has %d classes", o->classes, str(c, "data_dir"), out->train.classes));
    }
done:
    return st;
}

/* Pictures to side x side; the background of all these sets is 0. */
static gs_status fit(const gs_config *c, const gs_dataset_opts *o, gs_labelled *s)
{
    gs_status st;

    if (!s->n) return GS_OK;
    if (s->c != o->channels) {
        return gs_fail(GS_ECONFIG, "[model] image_channels = %d: the pictures of this data set have %d", o->channels, s->c);
    }
    if (gs_config_choice(c, "data", "resize") == 1) return gs_labelled_resize(s, o->side);
    st = gs_labelled_pad(s, o->side, 0);
    return st == GS_EINVAL ? gs_fail(GS_ECONFIG, "[model] image_size = %d: the pictures are %d x %d; set [data] resize = bilinear, or "
                                                 "another image_size", o->side, s->w, s->h) : st;
}

static gs_status keep_back(const gs_config *c, gs_labelled *train)
{
    const int64_t n = gs_config_int(c, "data", "n_validation");
    gs_labelled rest;
    gs_status st;

    if (n == 0) return GS_OK;
    if (n >= train->n) {
        return gs_fail(GS_ECONFIG, "[data] n_validation = %lld: the set has %d training pictures", (long long)n, train->n);
    }
    st = gs_labelled_slice(&rest, train, 0, train->n - (int)n);
    if (st != GS_OK) return st;
    gs_labelled_free(train);
    *train = rest;
    return GS_OK;
}

gs_status gs_dataset_open(const gs_config *c, const gs_dataset_opts *o, gs_dataset *out)
{
    const enum source source = (enum source)gs_config_choice(c, "data", "dataset");
    gs_digitset set = { 0 };
    gs_status st = GS_OK;

    *out = (gs_dataset){ 0 };
    switch (source) {
    case MNIST:
    case FASHION: TRY(load_dir(c, o, &set)); break;
    case IDX: TRY(load_files(c, o, &set)); break;
    case DIGITS: TRY(draw_digits(c, o, &set)); break;
    case FOLDER: TRY(load_folder(c, o, out)); break;
    case BARS:
        if (o->side != GS_BARS_SIDE || o->channels != 1 || o->classes != GS_BARS_CLASSES) {
            TRY(gs_fail(GS_ECONFIG, "[data] dataset = bars wants image_size = 8, image_channels = 1 and n_classes = 10, not %d, %d and %d",
                        o->side, o->channels, o->classes));
        }
        out->bars = true;
        break;
    }
    if (source != FOLDER) {
        out->train = set.train;
        out->test = set.test;
        set = (gs_digitset){ 0 };
    }
    if (!out->bars) {
        TRY(fit(c, o, &out->train));
        TRY(fit(c, o, &out->test));
        TRY(keep_back(c, &out->train));
    }
done:
    gs_digitset_free(&set);
    if (st != GS_OK) gs_dataset_free(out);
    return st;
}

void gs_dataset_free(gs_dataset *d)
{
    for (int i = 0; i < d->n_names; i++) free(d->names[i]);
    free(d->names);
    gs_labelled_free(&d->train);
    gs_labelled_free(&d->test);
    *d = (gs_dataset){ 0 };
}
