/* The data report. It is collected as a JSON tree, whatever its form in the end; the text is printed from the tree.
 *
 *   { path, kind, problems: [text...], and by kind:
 *     "idx set"        splits: [{ name, images, height, width, classes, mean, histogram }]
 *     "idx file"       type, dims, histogram (labels) or mean (pictures)
 *     "picture folder" pictures, unreadable, ignored, formats: { PNG, JPEG }, width: [min, max], height: [min, max],
 *                      channels: { 1, 3, 4 }, classes: [{ name, pictures, unreadable }]
 *     "picture"        format, width, height, channels } */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "data/folder_int.h"
#include "data/idx.h"
#include "data/image.h"
#include "data/info.h"

#define PROBLEMS_MAX 20 /* listed one by one; the rest is counted */

static void problem(cJSON *r, const char *text)
{
    cJSON_AddItemToArray(cJSON_GetObjectItem(r, "problems"), cJSON_CreateString(text));
}

static void set_kind(cJSON *r, const char *kind) { cJSON_AddStringToObject(r, "kind", kind); }

static void add_ints(cJSON *r, const char *key, const int64_t *v, int n)
{
    cJSON *a = cJSON_AddArrayToObject(r, key);

    for (int i = 0; i < n; i++) cJSON_AddItemToArray(a, cJSON_CreateNumber((double)v[i]));
}

/* ---- IDX ---- */

static void add_split(cJSON *r, cJSON *splits, const char *dir, const char *split)
{
    int64_t counts[GS_LABELLED_MAX_CLASSES];
    char text[128];
    gs_labelled s;
    cJSON *o;

    if (gs_idx_load_split(&s, dir, split, 0) != GS_OK) {
        problem(r, gs_last_error());
        return;
    }
    o = cJSON_CreateObject();
    cJSON_AddItemToArray(splits, o);
    cJSON_AddStringToObject(o, "name", split);
    cJSON_AddNumberToObject(o, "images", s.n);
    cJSON_AddNumberToObject(o, "height", s.h);
    cJSON_AddNumberToObject(o, "width", s.w);
    cJSON_AddNumberToObject(o, "classes", s.classes);
    cJSON_AddNumberToObject(o, "mean", gs_labelled_mean(&s));
    gs_labelled_histogram(&s, counts);
    add_ints(o, "histogram", counts, s.classes);
    for (int c = 0; c < s.classes; c++)
        if (counts[c] == 0) {
            snprintf(text, sizeof text, "%s: no picture of class %d", split, c);
            problem(r, text);
        }
    gs_labelled_free(&s);
}

static double item(const cJSON *o, const char *key) { return cJSON_GetNumberValue(cJSON_GetObjectItem(o, key)); }

static void idx_set(cJSON *r, const char *dir)
{
    cJSON *splits;
    const cJSON *a, *b;

    set_kind(r, "idx set");
    splits = cJSON_AddArrayToObject(r, "splits");
    add_split(r, splits, dir, "train");
    add_split(r, splits, dir, "t10k");
    a = cJSON_GetArrayItem(splits, 0);
    b = cJSON_GetArrayItem(splits, 1);
    if (a && b && (item(a, "width") != item(b, "width") || item(a, "height") != item(b, "height")))
        problem(r, "training and test pictures differ in size");
    if (a && b && item(a, "classes") != item(b, "classes")) problem(r, "training and test labels differ in their range");
}

static const char *type_name(gs_idx_type t)
{
    switch (t) {
    case GS_IDX_U8: return "u8";
    case GS_IDX_I8: return "i8";
    case GS_IDX_I16: return "i16";
    case GS_IDX_I32: return "i32";
    case GS_IDX_F32: return "f32";
    case GS_IDX_F64: return "f64";
    }
    return "?";
}

static void idx_file(cJSON *r, const char *name, const uint8_t *data, size_t size)
{
    gs_idx x;

    set_kind(r, "idx file");
    if (gs_idx_parse(data, size, name, &x) != GS_OK) {
        problem(r, gs_last_error());
        return;
    }
    cJSON_AddStringToObject(r, "type", type_name(x.type));
    add_ints(r, "dims", x.dims, x.n_dims);
    if (x.type == GS_IDX_U8 && x.n_dims == 1) {
        int64_t counts[256] = {0};
        int top = 0;

        for (size_t i = 0; i < x.count; i++) {
            counts[((uint8_t *)x.data)[i]]++;
            top = GS_MAX(top, ((uint8_t *)x.data)[i]);
        }
        add_ints(r, "histogram", counts, x.count ? top + 1 : 0);
    } else if (x.type == GS_IDX_U8 && x.count) {
        uint64_t sum = 0;

        for (size_t i = 0; i < x.count; i++) sum += ((uint8_t *)x.data)[i];
        cJSON_AddNumberToObject(r, "mean", sum / 255.0 / x.count);
    }
    if (x.count == 0) problem(r, "the file declares no elements");
    gs_idx_free(&x);
}

/* ---- pictures ---- */

typedef struct seen { /* what one file turned out to be */
    gs_image_kind kind;
    int w, h, c;
    char *error;
} seen;

typedef struct look_job {
    const picture_list *list;
    seen *seen;
} look_job;

static void look_at(void *user, int i)
{
    const look_job *j = user;
    seen *s = &j->seen[i];
    const char *path = j->list->files[i].path;
    uint8_t *data = NULL;
    size_t size = 0;
    gs_image img = {0};

    if (gs_file_read(path, GS_IMAGE_MAX_FILE, &data, &size) != GS_OK ||
        gs_image_decode(data, size, path, NULL, &img) != GS_OK)
        s->error = gs_xstrdup(gs_last_error());
    s->kind = gs_image_sniff(data, size);
    s->w = img.w;
    s->h = img.h;
    s->c = img.c;
    gs_image_free(&img);
    free(data);
}

static void range(cJSON *r, const char *key, int lo, int hi)
{
    if (lo <= hi) add_ints(r, key, (int64_t[]){ lo, hi }, 2);
}

static void add_classes(cJSON *r, const picture_list *l, const seen *s)
{
    cJSON *classes = cJSON_AddArrayToObject(r, "classes");
    int *good = gs_xalloc((l->n_classes + 1) * sizeof *good), *bad = gs_xalloc((l->n_classes + 1) * sizeof *bad);
    int loose = 0;
    gs_str text = {0};

    for (int i = 0; i < l->n; i++) {
        const int c = l->files[i].class_;

        if (c < 0)
            loose++;
        else if (s[i].error)
            bad[c]++;
        else
            good[c]++;
    }
    for (int c = 0; c < l->n_classes; c++) {
        cJSON *o = cJSON_CreateObject();

        cJSON_AddItemToArray(classes, o);
        cJSON_AddStringToObject(o, "name", l->classes[c]);
        cJSON_AddNumberToObject(o, "pictures", good[c]);
        cJSON_AddNumberToObject(o, "unreadable", bad[c]);
        if (good[c] > 0) continue;
        text.len = 0;
        gs_str_printf(&text, "the class folder %s has no readable picture", l->classes[c]);
        problem(r, gs_str_c(&text));
    }
    if (loose > 0 && l->n_classes > 0) {
        text.len = 0;
        gs_str_printf(&text, "%d pictures lie beside the class folders; they belong to no class", loose);
        problem(r, gs_str_c(&text));
    }
    gs_str_free(&text);
    free(good);
    free(bad);
}

static gs_status picture_folder(cJSON *r, const char *dir)
{
    gs_status st = GS_OK;
    picture_list l = {0};
    seen *s = NULL;
    int lo_w = INT32_MAX, hi_w = 0, lo_h = INT32_MAX, hi_h = 0, formats[3] = {0}, channels[5] = {0}, unreadable = 0;
    cJSON *o;
    char text[64];

    TRY(gs__picture_list(&l, dir));
    if (l.n == 0)
        TRY(gs_fail(GS_EIO, "%s: neither IDX files (train-images-idx3-ubyte, ...) nor .png, .jpg or .jpeg pictures here or "
                            "below", dir));
    s = gs_try_alloc(l.n, sizeof *s, "list of pictures");
    TRY(s ? GS_OK : GS_ENOMEM);
    gs_parallel_for(l.n, 0, look_at, &(look_job){ &l, s });
    set_kind(r, "picture folder");
    for (int i = 0; i < l.n; i++) {
        if (s[i].error) {
            if (unreadable++ < PROBLEMS_MAX) problem(r, s[i].error);
            continue;
        }
        formats[s[i].kind]++;
        channels[s[i].c]++;
        lo_w = GS_MIN(lo_w, s[i].w), hi_w = GS_MAX(hi_w, s[i].w);
        lo_h = GS_MIN(lo_h, s[i].h), hi_h = GS_MAX(hi_h, s[i].h);
    }
    if (unreadable > PROBLEMS_MAX) {
        snprintf(text, sizeof text, "and %d more unreadable pictures", unreadable - PROBLEMS_MAX);
        problem(r, text);
    }
    cJSON_AddNumberToObject(r, "pictures", l.n - unreadable);
    cJSON_AddNumberToObject(r, "unreadable", unreadable);
    cJSON_AddNumberToObject(r, "ignored", l.ignored);
    o = cJSON_AddObjectToObject(r, "formats");
    for (int k = GS_IMAGE_PNG; k <= GS_IMAGE_JPEG; k++)
        if (formats[k]) cJSON_AddNumberToObject(o, gs_image_kind_name(k), formats[k]);
    o = cJSON_AddObjectToObject(r, "channels");
    for (int c = 1; c <= 4; c++) {
        snprintf(text, sizeof text, "%d", c);
        if (channels[c]) cJSON_AddNumberToObject(o, text, channels[c]);
    }
    range(r, "width", lo_w, hi_w);
    range(r, "height", lo_h, hi_h);
    add_classes(r, &l, s);
done:
    for (int i = 0; s && i < l.n; i++) free(s[i].error);
    free(s);
    gs__picture_list_free(&l);
    return st;
}

static gs_status one_file(cJSON *r, const char *path)
{
    gs_status st = GS_OK;
    uint8_t *data = NULL;
    size_t size = 0;
    gs_image img = {0};
    gs_image_kind kind;

    TRY(gs_file_read(path, GS_IDX_MAX_BYTES, &data, &size));
    kind = gs_image_sniff(data, size);
    if (kind == GS_IMAGE_UNKNOWN) {
        if (size < 2 || !((data[0] == 0 && data[1] == 0) || (data[0] == 0x1f && data[1] == 0x8b)))
            TRY(gs_fail(GS_EFORMAT, "%s: not a kind of data file that is known here (PNG, JPEG, IDX, IDX in gzip)", path));
        idx_file(r, path, data, size);
        goto done;
    }
    set_kind(r, "picture");
    cJSON_AddStringToObject(r, "format", gs_image_kind_name(kind));
    if (gs_image_decode(data, size, path, NULL, &img) != GS_OK) {
        problem(r, gs_last_error());
        goto done;
    }
    cJSON_AddNumberToObject(r, "width", img.w);
    cJSON_AddNumberToObject(r, "height", img.h);
    cJSON_AddNumberToObject(r, "channels", img.c);
done:
    gs_image_free(&img);
    free(data);
    return st;
}

static bool has_idx(const char *dir)
{
    static const char *const splits[2] = { "train", "t10k" }, *const whats[2] = { "images", "labels" };

    for (int i = 0; i < 4; i++) {
        char *path = gs_idx_find(dir, splits[i / 2], whats[i % 2]);

        if (!path) continue;
        free(path);
        return true;
    }
    return false;
}

/* ---- text ---- */

static const char *str(const cJSON *o, const char *key)
{
    const char *s = cJSON_GetStringValue(cJSON_GetObjectItem(o, key));

    return s ? s : "?";
}

/* "5 923  6 742 ...", ten a line with the class in front. */
static void print_histogram(FILE *out, const cJSON *o)
{
    const cJSON *h = cJSON_GetObjectItem(o, "histogram"), *v;
    int i = 0;

    cJSON_ArrayForEach(v, h) {
        if (i % 10 == 0) fprintf(out, "%s    class %3d..: ", i ? "\n" : "", i);
        fprintf(out, "%7.0f", v->valuedouble);
        i++;
    }
    if (i) fprintf(out, "\n");
}

static void print_counts(FILE *out, const cJSON *o, const char *unit)
{
    const cJSON *v;
    bool first = true;

    cJSON_ArrayForEach(v, o) {
        fprintf(out, "%s%.0f %s%s", first ? "" : ", ", v->valuedouble, v->string, unit);
        first = false;
    }
}

static void print_folder(FILE *out, const cJSON *r)
{
    const cJSON *w = cJSON_GetObjectItem(r, "width"), *h = cJSON_GetObjectItem(r, "height"), *c;

    fprintf(out, "  %.0f pictures (", item(r, "pictures"));
    print_counts(out, cJSON_GetObjectItem(r, "formats"), "");
    fprintf(out, "; ");
    print_counts(out, cJSON_GetObjectItem(r, "channels"), "-channel");
    fprintf(out, ")");
    if (w && h)
        fprintf(out, ", %.0f..%.0f wide, %.0f..%.0f high", cJSON_GetArrayItem(w, 0)->valuedouble,
                cJSON_GetArrayItem(w, 1)->valuedouble, cJSON_GetArrayItem(h, 0)->valuedouble,
                cJSON_GetArrayItem(h, 1)->valuedouble);
    fprintf(out, "\n  %.0f unreadable, %.0f other files\n", item(r, "unreadable"), item(r, "ignored"));
    cJSON_ArrayForEach(c, cJSON_GetObjectItem(r, "classes")) {
        fprintf(out, "  class %-20s %7.0f pictures", str(c, "name"), item(c, "pictures"));
        if (item(c, "unreadable") > 0) fprintf(out, ", %.0f unreadable", item(c, "unreadable"));
        fprintf(out, "\n");
    }
}

static void print_text(FILE *out, const cJSON *r)
{
    const char *kind = str(r, "kind");
    const cJSON *v, *problems = cJSON_GetObjectItem(r, "problems");

    fprintf(out, "%s: %s\n", str(r, "path"), kind);
    cJSON_ArrayForEach(v, cJSON_GetObjectItem(r, "splits")) {
        fprintf(out, "  %-5s  %.0f pictures of %.0f x %.0f, %.0f classes, mean %.6f\n", str(v, "name"), item(v, "images"),
                item(v, "width"), item(v, "height"), item(v, "classes"), item(v, "mean"));
        print_histogram(out, v);
    }
    if (!strcmp(kind, "picture folder")) print_folder(out, r);
    if (cJSON_GetObjectItem(r, "dims")) {
        fprintf(out, "  %s", str(r, "type"));
        cJSON_ArrayForEach(v, cJSON_GetObjectItem(r, "dims")) fprintf(out, " x %.0f", v->valuedouble);
        if (cJSON_GetObjectItem(r, "mean")) fprintf(out, ", mean %.6f", item(r, "mean"));
        fprintf(out, "\n");
        print_histogram(out, r);
    }
    if (!strcmp(kind, "picture") && cJSON_GetObjectItem(r, "width"))
        fprintf(out, "  %s, %.0f x %.0f, %.0f channels\n", str(r, "format"), item(r, "width"), item(r, "height"),
                item(r, "channels"));
    if (cJSON_GetArraySize(problems) == 0) fprintf(out, "  nothing wrong\n");
    cJSON_ArrayForEach(v, problems) fprintf(out, "  problem: %s\n", v->valuestring);
}

gs_status gs_data_info(const char *path, FILE *out, bool json)
{
    gs_status st = GS_OK;
    cJSON *r = cJSON_CreateObject();
    char *text = NULL;
    int n;

    cJSON_AddStringToObject(r, "path", path);
    cJSON_AddItemToObject(r, "problems", cJSON_CreateArray());
    if (!gs_dir_exists(path))
        TRY(one_file(r, path));
    else if (has_idx(path))
        idx_set(r, path);
    else
        TRY(picture_folder(r, path));
    if (json) {
        text = cJSON_Print(r);
        TRY(text ? GS_OK : gs_fail(GS_ENOMEM, "%s: out of memory for the report", path));
        fprintf(out, "%s\n", text);
    } else {
        print_text(out, r);
    }
    if (fflush(out) != 0 || ferror(out)) TRY(gs_fail(GS_EIO, "the report cannot be written"));
    n = cJSON_GetArraySize(cJSON_GetObjectItem(r, "problems"));
    if (n > 0) TRY(gs_fail(GS_EFORMAT, "%s: %d problem%s, listed in the report", path, n, n > 1 ? "s" : ""));
done:
    cJSON_free(text);
    cJSON_Delete(r);
    return st;
}
