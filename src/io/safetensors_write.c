/* The safetensors writer: collects, checks, then writes header and data in one go; data that is not in memory
 * one tensor after the other. */
#include "io/safetensors.h"
#include "io/safetensors_int.h"

#include <stdlib.h>
#include <string.h>

typedef struct later { /* where a tensor's data comes from when it is not in memory */
    gs_st_fetch *fetch;
    void *user;
} later;

typedef struct entry {
    gs_st_tensor t; /* data NULL: later */
    later source;
    int index; /* in the order of adding: keeps the sort stable */
} entry;

struct gs_st_writer {
    entry *tensors;
    int n, cap;
    gs__st_pair *meta;
    int n_meta, cap_meta;
    gs_status error; /* the first, with its sentence */
    char sentence[600];
    bool fetching;   /* it was a fetch's, whose sentence needs no file's name */
    bool ordered;
};

gs_st_writer *gs_st_writer_new(void)
{
    return gs_xalloc(sizeof(gs_st_writer));
}

void gs_st_writer_free(gs_st_writer *w)
{
    if (!w) return;
    for (int i = 0; i < w->n; i++) free((char *)w->tensors[i].t.name);
    for (int i = 0; i < w->n_meta; i++) {
        free(w->meta[i].key);
        free(w->meta[i].value);
    }
    free(w->tensors);
    free(w->meta);
    free(w);
}

static void latch(gs_st_writer *w, const char *name, const char *what)
{
    if (w->error) return;
    w->error = GS_EINVAL;
    snprintf(w->sentence, sizeof w->sentence, "'%.100s': %s", name, what);
}

void gs_st_writer_meta(gs_st_writer *w, const char *key, const char *value)
{
    gs__st_pair pair;

    if (!gs__st_name_ok(key) || !gs__st_utf8(value, strlen(value))) {
        latch(w, key, "metadata is not printable UTF-8");
        return;
    }
    for (int i = 0; i < w->n_meta; i++)
        if (strcmp(w->meta[i].key, key) == 0) {
            free(w->meta[i].value);
            w->meta[i].value = gs_xstrdup(value);
            return;
        }
    pair.key = gs_xstrdup(key);
    pair.value = gs_xstrdup(value);
    GS_PUSH(w->meta, w->n_meta, w->cap_meta, pair);
}

static void add(gs_st_writer *w, const char *name, gs_st_dtype dtype, int rank, const int64_t *shape, const void *data, later source)
{
    gs_st_tensor t = {.dtype = dtype, .rank = rank, .data = data};

    if (!gs__st_name_ok(name) || strcmp(name, "__metadata__") == 0) {
        latch(w, name, "cannot be a tensor's name");
        return;
    }
    if (rank < 0 || rank > GS_ST_MAX_RANK || !gs_st_dtype_size(dtype)) {
        latch(w, name, "type or rank cannot be written");
        return;
    }
    if (rank) memcpy(t.shape, shape, (size_t)rank * sizeof *shape);
    if (!gs__st_size(&t)) {
        latch(w, name, "shape is negative or overflows");
        return;
    }
    t.name = gs_xstrdup(name);
    GS_PUSH(w->tensors, w->n, w->cap, ((entry){t, source, w->n}));
    w->ordered = false;
}

void gs_st_writer_add(gs_st_writer *w, const char *name, gs_st_dtype dtype, int rank, const int64_t *shape,
                      const void *data)
{
    add(w, name, dtype, rank, shape, data, (later){0});
}

void gs_st_writer_add_later(gs_st_writer *w, const char *name, gs_st_dtype dtype, int rank, const int64_t *shape, gs_st_fetch *fetch, void *user)
{
    add(w, name, dtype, rank, shape, NULL, (later){fetch, user});
}

/* The data of a tensor: its own, or *read, which the caller frees. */
static gs_status data_of(gs_st_writer *w, const entry *e, void **read, const void **data)
{
    gs_status st;

    *read = NULL;
    *data = e->t.data;
    if (w->error) return w->error;
    if (!e->source.fetch || e->t.bytes == 0) return GS_OK;
    *data = *read = gs_try_alloc(e->t.bytes, 1, e->t.name);
    st = *read ? e->source.fetch(e->source.user, e->t.name, *read) : GS_ENOMEM;
    if (st != GS_OK) {
        w->error = st;
        w->fetching = true;
        snprintf(w->sentence, sizeof w->sentence, "%s", gs_last_error());
    }
    return st;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void check_twice(gs_st_writer *w)
{
    const char **names = gs_xalloc((size_t)GS_MAX(w->n, 1) * sizeof *names);

    for (int i = 0; i < w->n; i++) names[i] = w->tensors[i].t.name;
    qsort(names, (size_t)w->n, sizeof *names, by_name);
    for (int i = 1; i < w->n; i++)
        if (strcmp(names[i], names[i - 1]) == 0) latch(w, names[i], "tensor was added twice");
    free(names);
}

static int by_place(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    const size_t wide_x = gs_st_dtype_size(x->t.dtype), wide_y = gs_st_dtype_size(y->t.dtype);
    const bool empty_x = x->t.bytes == 0, empty_y = y->t.bytes == 0;

    if (empty_x != empty_y) return empty_x ? -1 : 1;
    if (empty_x) return strcmp(x->t.name, y->t.name);
    if (wide_x != wide_y) return wide_x > wide_y ? -1 : 1;
    return x->index - y->index;
}

/* Wider elements first, otherwise as added. Empty tensors go to the front by name: the reader, which knows
 * offsets only, finds them in that order, and the check sum depends on it. */
static void order(gs_st_writer *w)
{
    if (w->ordered || w->n == 0) return;
    qsort(w->tensors, (size_t)w->n, sizeof *w->tensors, by_place);
    w->ordered = true;
}

static void json_string(gs_str *s, const char *text)
{
    gs_str_append(s, "\"", 1);
    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\') gs_str_printf(s, "\\%c", *p);
        else if ((unsigned char)*p < 0x20) gs_str_printf(s, "\\u%04x", *p);
        else gs_str_append(s, p, 1);
    }
    gs_str_append(s, "\"", 1);
}

static void make_header(const gs_st_writer *w, gs_str *s)
{
    size_t at = 0;

    gs_str_printf(s, "{");
    if (w->n_meta) gs_str_printf(s, "\"__metadata__\":{");
    for (int i = 0; i < w->n_meta; i++) {
        if (i) gs_str_printf(s, ",");
        json_string(s, w->meta[i].key);
        gs_str_printf(s, ":");
        json_string(s, w->meta[i].value);
    }
    if (w->n_meta) gs_str_printf(s, w->n ? "}," : "}");
    for (int i = 0; i < w->n; i++) {
        const gs_st_tensor *t = &w->tensors[i].t;

        if (i) gs_str_printf(s, ",");
        json_string(s, t->name);
        gs_str_printf(s, ":{\"dtype\":\"%s\",\"shape\":[", gs_st_dtype_name(t->dtype));
        for (int k = 0; k < t->rank; k++) gs_str_printf(s, k ? ",%lld" : "%lld", (long long)t->shape[k]);
        gs_str_printf(s, "],\"data_offsets\":[%zu,%zu]}", at, at + t->bytes);
        at += t->bytes;
    }
    gs_str_printf(s, "}");
    while (s->len % 8) gs_str_append(s, " ", 1);
}

gs_status gs_st_writer_save(gs_st_writer *w, const char *path)
{
    gs_status st = GS_OK;
    gs_file_out *f = NULL;
    gs_str header = {0};
    void *read = NULL;
    uint64_t n;

    check_twice(w);
    if (w->error && w->fetching) TRY(gs_fail(w->error, "%s", w->sentence));
    TRY(w->error ? gs_fail(w->error, "%s: %s", path, w->sentence) : GS_OK);
    order(w);
    make_header(w, &header);
    TRY(header.len > GS_ST_MAX_HEADER ? gs_fail(GS_ELIMIT, "%s: header of %zu bytes is too long", path, header.len) : GS_OK);
    n = header.len;
    TRY(gs_file_out_open(path, &f));
    TRY(gs_file_out_write(f, &n, 8));
    TRY(gs_file_out_write(f, header.data, header.len));
    for (int i = 0; i < w->n; i++) {
        const void *data;

        TRY(data_of(w, &w->tensors[i], &read, &data));
        TRY(gs_file_out_write(f, data, w->tensors[i].t.bytes));
        free(read);
        read = NULL;
    }
    TRY(gs_file_out_commit(&f));
done:
    free(read);
    gs_file_out_abort(&f);
    gs_str_free(&header);
    return st;
}

uint32_t gs_st_writer_crc32(gs_st_writer *w)
{
    uint32_t crc = gs__st_crc_meta(w->meta, w->n_meta);

    order(w);
    for (int i = 0; i < w->n; i++) {
        const void *data;
        void *read;

        if (data_of(w, &w->tensors[i], &read, &data) == GS_OK) crc = gs__st_crc_tensor(crc, &w->tensors[i].t, data);
        free(read);
    }
    return crc;
}
