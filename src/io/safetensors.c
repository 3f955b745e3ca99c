/* The safetensors reader. The JSON text is screened before cJSON sees it (depth, number of values, control characters,
 * NUL escapes), so that its cost is bounded and its strings are what the file says. */
#include "io/safetensors.h"
#include "io/safetensors_int.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

/* A tensor has 13 commas at most, so this admits 150 000 of them, and cJSON then takes some 200 MB. */
#define MAX_VALUES 2000000

struct gs_st_file {
    char *name;
    uint8_t *owned; /* the file's bytes, or NULL when the caller keeps them */
    gs_st_tensor *tensors;
    int n, cap;
    int *sorted; /* indices by name */
    gs__st_pair *meta;
    int n_meta, cap_meta;
};

/* A name for messages: hostile ones are cut and their odd bytes replaced. */
static const char *show(const char *name, char buf[64])
{
    size_t i = 0;

    for (; name[i] && i < 60; i++) buf[i] = name[i] < 0x20 || name[i] >= 0x7f ? '?' : name[i];
    buf[i] = '\0';
    return buf;
}

static gs_status screen_header(const gs_st_file *f, const char *text, size_t n)
{
    int depth = 0, values = 0;
    bool in_string = false;

    if (n == 0 || text[0] != '{') return gs_fail(GS_EFORMAT, "%s: offset 8: header does not begin with '{'", f->name);
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)text[i];

        if (c == 0 || (in_string && c < 0x20))
            return gs_fail(GS_EFORMAT, "%s: offset %zu: byte 0x%02x in the header", f->name, 8 + i, c);
        if (in_string) {
            if (c == '\\') {
                if (n - i > 5 && memcmp(text + i + 1, "u0000", 5) == 0) /* would end the C string early */
                    return gs_fail(GS_EFORMAT, "%s: offset %zu: NUL in a string of the header", f->name, 8 + i);
                i++;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > 3)
                return gs_fail(GS_EFORMAT, "%s: offset %zu: header nests deeper than 3", f->name, 8 + i);
        } else if (c == '}' || c == ']') {
            depth--;
        } else if (c == ',' && ++values > MAX_VALUES) {
            return gs_fail(GS_ELIMIT, "%s: offset %zu: more than %d values in the header", f->name, 8 + i, MAX_VALUES);
        }
    }
    if (!gs__st_utf8(text, n)) return gs_fail(GS_EFORMAT, "%s: the header is not valid UTF-8", f->name);
    return GS_OK;
}

static bool whole_number(const cJSON *item, int64_t *out)
{
    const double v = item->valuedouble;

    if (!cJSON_IsNumber(item) || !(v >= 0 && v <= 0x1p53) || v != (double)(int64_t)v) return false;
    *out = (int64_t)v;
    return true;
}

static gs_status read_meta(gs_st_file *f, const cJSON *object)
{
    char buf[64];

    if (!cJSON_IsObject(object)) return gs_fail(GS_EFORMAT, "%s: __metadata__ is not an object", f->name);
    for (const cJSON *item = object->child; item; item = item->next) {
        gs__st_pair pair;

        if (!cJSON_IsString(item))
            return gs_fail(GS_EFORMAT, "%s: metadata '%s' is not a string", f->name, show(item->string, buf));
        pair.key = gs_xstrdup(item->string);
        pair.value = gs_xstrdup(item->valuestring);
        GS_PUSH(f->meta, f->n_meta, f->cap_meta, pair);
    }
    return GS_OK;
}

static gs_status read_dtype(const gs_st_file *f, const cJSON *item, gs_st_tensor *t, const char *label)
{
    char buf[64];

    if (!cJSON_IsString(item)) return gs_fail(GS_EFORMAT, "%s: tensor '%s': dtype is not a string", f->name, label);
    for (int d = 0; d < GS_ST_DTYPE_COUNT; d++)
        if (strcmp(item->valuestring, gs_st_dtype_name((gs_st_dtype)d)) == 0) {
            t->dtype = (gs_st_dtype)d;
            return GS_OK;
        }
    return gs_fail(GS_EFORMAT, "%s: tensor '%s': unknown dtype '%s'", f->name, label, show(item->valuestring, buf));
}

static gs_status read_shape(const gs_st_file *f, const cJSON *item, gs_st_tensor *t, const char *label)
{
    if (!cJSON_IsArray(item)) return gs_fail(GS_EFORMAT, "%s: tensor '%s': shape is not a list", f->name, label);
    for (const cJSON *e = item->child; e; e = e->next) {
        if (t->rank == GS_ST_MAX_RANK)
            return gs_fail(GS_EFORMAT, "%s: tensor '%s': rank above %d", f->name, label, GS_ST_MAX_RANK);
        if (!whole_number(e, &t->shape[t->rank++]))
            return gs_fail(GS_EFORMAT, "%s: tensor '%s': shape[%d] is not a whole number >= 0", f->name, label,
                           t->rank - 1);
    }
    return GS_OK;
}

static gs_status read_offsets(const gs_st_file *f, const cJSON *item, int64_t at[2], const char *label)
{
    const cJSON *first = cJSON_IsArray(item) ? item->child : NULL, *second = first ? first->next : NULL;

    if (!second || second->next || !whole_number(first, &at[0]) || !whole_number(second, &at[1]))
        return gs_fail(GS_EFORMAT, "%s: tensor '%s': data_offsets are not two whole numbers >= 0", f->name, label);
    return GS_OK;
}

static gs_status read_tensor(gs_st_file *f, const cJSON *object, const uint8_t *data, size_t data_size)
{
    static const char *const keys[] = {"dtype", "shape", "data_offsets"};
    gs_st_tensor t = {.file = f->name};
    char label[64];
    int64_t at[2] = {0, 0};
    unsigned seen = 0;
    gs_status st;

    show(object->string, label);
    if (!gs__st_name_ok(object->string))
        return gs_fail(GS_EFORMAT, "%s: tensor '%s': name is empty, too long or not printable", f->name, label);
    if (!cJSON_IsObject(object)) return gs_fail(GS_EFORMAT, "%s: tensor '%s' is not an object", f->name, label);
    for (const cJSON *item = object->child; item; item = item->next) {
        unsigned k = 0;
        char buf[64];

        while (k < 3 && strcmp(item->string, keys[k]) != 0) k++;
        if (k == 3 || seen & 1u << k)
            return gs_fail(GS_EFORMAT, "%s: tensor '%s': %s key '%s'", f->name, label, k == 3 ? "unknown" : "repeated",
                           show(item->string, buf));
        seen |= 1u << k;
        st = k == 0 ? read_dtype(f, item, &t, label) : k == 1 ? read_shape(f, item, &t, label)
                                                              : read_offsets(f, item, at, label);
        if (st != GS_OK) return st;
    }
    for (unsigned k = 0; k < 3; k++)
        if (!(seen & 1u << k)) return gs_fail(GS_EFORMAT, "%s: tensor '%s': no %s", f->name, label, keys[k]);
    if (!gs__st_size(&t)) return gs_fail(GS_EFORMAT, "%s: tensor '%s': shape overflows", f->name, label);
    if (at[0] > at[1])
        return gs_fail(GS_EFORMAT, "%s: tensor '%s': begins at %lld, after its end %lld", f->name, label,
                       (long long)at[0], (long long)at[1]);
    if ((uint64_t)at[1] > data_size)
        return gs_fail(GS_EFORMAT, "%s: tensor '%s': ends at %lld, but the file has %zu bytes of data", f->name, label,
                       (long long)at[1], data_size);
    if ((uint64_t)(at[1] - at[0]) != t.bytes)
        return gs_fail(GS_EFORMAT, "%s: tensor '%s': offsets %lld to %lld, but type and shape want %zu bytes", f->name,
                       label, (long long)at[0], (long long)at[1], t.bytes);
    t.data = data + at[0];
    t.name = gs_xstrdup(object->string);
    GS_PUSH(f->tensors, f->n, f->cap, t);
    return GS_OK;
}

static int by_place(const void *a, const void *b)
{
    const gs_st_tensor *x = a, *y = b;

    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1; /* empty ones first */
    return strcmp(x->name, y->name);
}

static int by_tensor_name(const void *a, const void *b, void *tensors)
{
    const gs_st_tensor *t = tensors;

    return strcmp(t[*(const int *)a].name, t[*(const int *)b].name);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const gs__st_pair *)a)->key, ((const gs__st_pair *)b)->key);
}

/* Data must be covered once, from its first byte to its last. */
static gs_status check_cover(gs_st_file *f, const uint8_t *data, size_t data_size)
{
    const uint8_t *at = data;
    char label[64];

    if (f->n) qsort(f->tensors, (size_t)f->n, sizeof *f->tensors, by_place);
    for (int i = 0; i < f->n; i++) {
        const gs_st_tensor *t = &f->tensors[i];

        if (t->data != at)
            return gs_fail(GS_EFORMAT, "%s: tensor '%s': data offset %td: %s", f->name, show(t->name, label),
                           t->data - data, t->data < at ? "overlaps another tensor" : "bytes before it belong to no tensor");
        at += t->bytes;
    }
    if (at != data + data_size)
        return gs_fail(GS_EFORMAT, "%s: data offset %td: %zu bytes at the end belong to no tensor", f->name, at - data,
                       data_size - (size_t)(at - data));
    return GS_OK;
}

static gs_status check_names(gs_st_file *f)
{
    gs__st_pair *meta;
    char label[64];
    gs_status st = GS_OK;

    f->sorted = gs_xalloc((size_t)GS_MAX(f->n, 1) * sizeof *f->sorted);
    for (int i = 0; i < f->n; i++) f->sorted[i] = i;
    if (f->n) qsort_r(f->sorted, (size_t)f->n, sizeof *f->sorted, by_tensor_name, f->tensors);
    for (int i = 1; i < f->n; i++) {
        const char *name = f->tensors[f->sorted[i]].name;

        if (strcmp(name, f->tensors[f->sorted[i - 1]].name) == 0)
            return gs_fail(GS_EFORMAT, "%s: tensor '%s' is there twice", f->name, show(name, label));
    }
    if (!f->n_meta) return GS_OK;
    meta = gs_xalloc((size_t)f->n_meta * sizeof *meta);
    memcpy(meta, f->meta, (size_t)f->n_meta * sizeof *meta);
    qsort(meta, (size_t)f->n_meta, sizeof *meta, by_key);
    for (int i = 1; i < f->n_meta && st == GS_OK; i++)
        if (strcmp(meta[i].key, meta[i - 1].key) == 0)
            st = gs_fail(GS_EFORMAT, "%s: metadata '%s' is there twice", f->name, show(meta[i].key, label));
    free(meta);
    return st;
}

static gs_status parse(gs_st_file *f, const uint8_t *bytes, size_t size)
{
    const char *text = (const char *)bytes + 8, *end = NULL;
    const uint8_t *data;
    gs_status st = GS_OK;
    cJSON *root = NULL;
    bool had_meta = false;
    uint64_t n;

    TRY(size < 8 ? gs_fail(GS_EFORMAT, "%s: %zu bytes; too short for a safetensors file", f->name, size) : GS_OK);
    memcpy(&n, bytes, 8);
    TRY(n > GS_ST_MAX_HEADER ? gs_fail(GS_EFORMAT, "%s: offset 0: header of %llu bytes, at most %zu are read", f->name,
                                       (unsigned long long)n, GS_ST_MAX_HEADER) : GS_OK);
    TRY(n > size - 8 ? gs_fail(GS_EFORMAT, "%s: offset 0: header of %llu bytes in a file of %zu", f->name,
                               (unsigned long long)n, size) : GS_OK);
    TRY(screen_header(f, text, n));
    root = cJSON_ParseWithLengthOpts(text, n, &end, 0);
    TRY(root && cJSON_IsObject(root) ? GS_OK
        : gs_fail(GS_EFORMAT, "%s: offset %td: the header is not valid JSON", f->name, end ? end - text + 8 : (ptrdiff_t)8));
    for (; end < text + n; end++)
        TRY(*end == ' ' ? GS_OK : gs_fail(GS_EFORMAT, "%s: offset %td: text after the header's end", f->name, end - text + 8));
    data = bytes + 8 + n;
    for (const cJSON *item = root->child; item; item = item->next) {
        if (strcmp(item->string, "__metadata__") != 0) {
            TRY(read_tensor(f, item, data, size - 8 - n));
        } else {
            TRY(had_meta ? gs_fail(GS_EFORMAT, "%s: __metadata__ is there twice", f->name) : GS_OK);
            TRY(read_meta(f, item));
            had_meta = true;
        }
    }
    TRY(check_cover(f, data, size - 8 - n));
    TRY(check_names(f));
done:
    cJSON_Delete(root);
    return st;
}

gs_status gs_st_open_memory(const void *bytes, size_t size, const char *name, gs_st_file **out)
{
    gs_st_file *f = gs_xalloc(sizeof *f);
    gs_status st;

    *out = NULL;
    f->name = gs_xstrdup(name);
    st = parse(f, bytes, size);
    if (st != GS_OK) gs_st_close(f);
    else *out = f;
    return st;
}

gs_status gs_st_open(const char *path, gs_st_file **out)
{
    uint8_t *bytes;
    size_t size;
    gs_status st;

    *out = NULL;
    st = gs_file_read(path, GS_ST_MAX_FILE, &bytes, &size);
    if (st != GS_OK) return st;
    st = gs_st_open_memory(bytes, size, path, out);
    if (st != GS_OK) free(bytes);
    else (*out)->owned = bytes;
    return st;
}

void gs_st_close(gs_st_file *f)
{
    if (!f) return;
    for (int i = 0; i < f->n; i++) free((char *)f->tensors[i].name);
    for (int i = 0; i < f->n_meta; i++) {
        free(f->meta[i].key);
        free(f->meta[i].value);
    }
    free(f->tensors);
    free(f->sorted);
    free(f->meta);
    free(f->owned);
    free(f->name);
    free(f);
}

const gs_st_tensor *gs_st_find(const gs_st_file *f, const char *name)
{
    int low = 0, high = f->n;

    while (low < high) {
        const int mid = low + (high - low) / 2, c = strcmp(name, f->tensors[f->sorted[mid]].name);

        if (c == 0) return &f->tensors[f->sorted[mid]];
        if (c < 0) high = mid;
        else low = mid + 1;
    }
    return NULL;
}

int gs_st_count(const gs_st_file *f)
{
    return f->n;
}

const gs_st_tensor *gs_st_at(const gs_st_file *f, int i)
{
    return i >= 0 && i < f->n ? &f->tensors[i] : NULL;
}

const char *gs_st_meta(const gs_st_file *f, const char *key)
{
    for (int i = 0; i < f->n_meta; i++)
        if (strcmp(f->meta[i].key, key) == 0) return f->meta[i].value;
    return NULL;
}

int gs_st_meta_count(const gs_st_file *f)
{
    return f->n_meta;
}

void gs_st_meta_at(const gs_st_file *f, int i, const char **key, const char **value)
{
    *key = f->meta[i].key;
    *value = f->meta[i].value;
}

uint32_t gs_st_crc32(const gs_st_file *f)
{
    uint32_t crc = gs__st_crc_meta(f->meta, f->n_meta);

    for (int i = 0; i < f->n; i++) crc = gs__st_crc_tensor(crc, &f->tensors[i], f->tensors[i].data);
    return crc;
}
