/* The IDX container: reading, unpacking, writing. What a digit set is stands in digitset.c. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "data/idx.h"

#define HEADER_MAX (4 + 4 * GS_IDX_MAX_DIMS)
#define FILE_MAX   (GS_IDX_MAX_BYTES + HEADER_MAX)

static size_t size_of(int type)
{
    switch (type) {
    case GS_IDX_U8:
    case GS_IDX_I8: return 1;
    case GS_IDX_I16: return 2;
    case GS_IDX_I32:
    case GS_IDX_F32: return 4;
    case GS_IDX_F64: return 8;
    }
    return 0;
}

/* Reads the header from the first n bytes of the unpacked file; *length is its size. */
static gs_status parse_header(gs_idx *x, const uint8_t *p, size_t n, const char *name, size_t *length)
{
    size_t bytes;

    if (n < 4) return gs_fail(GS_EFORMAT, "%s: %zu bytes are too few for an IDX file", name, n);
    if (p[0] || p[1] || !size_of(p[2]))
        return gs_fail(GS_EFORMAT, "%s: not an IDX file: it begins with %02x %02x %02x %02x instead of 00 00 TYPE DIMS",
                       name, p[0], p[1], p[2], p[3]);
    if (p[3] < 1 || p[3] > GS_IDX_MAX_DIMS)
        return gs_fail(GS_EFORMAT, "%s: declares %d dimensions; 1 to %d are read", name, p[3], GS_IDX_MAX_DIMS);
    x->type = p[2];
    x->n_dims = p[3];
    x->elem_size = size_of(p[2]);
    *length = 4 + 4 * (size_t)x->n_dims;
    if (n < *length) return gs_fail(GS_EFORMAT, "%s: ends inside the header, after %zu of %zu bytes", name, n, *length);
    x->count = 1;
    for (int i = 0; i < x->n_dims; i++) {
        const uint8_t *d = p + 4 + 4 * i;

        x->dims[i] = (int64_t)d[0] << 24 | (int64_t)d[1] << 16 | (int64_t)d[2] << 8 | d[3];
        if (!gs_mul_size(x->count, x->dims[i], &x->count))
            return gs_fail(GS_EFORMAT, "%s: the dimensions overflow", name);
    }
    if (!gs_mul_size(x->count, x->elem_size, &bytes) || bytes > GS_IDX_MAX_BYTES)
        return gs_fail(GS_EFORMAT, "%s: declares more than %zu MiB of elements", name, GS_IDX_MAX_BYTES >> 20);
    return GS_OK;
}

/* Fills out[n] from the stream; *got is less than n at the end of the file. Gzip members may follow each other. */
static gs_status unpack(z_stream *z, void *out, size_t n, size_t *got, bool *ended, const char *name)
{
    uint8_t *p = out;
    size_t left = n;

    while (left > 0 && !*ended) {
        const uInt step = (uInt)GS_MIN(left, (size_t)1 << 30);
        int rc;

        z->next_out = p;
        z->avail_out = step;
        rc = inflate(z, Z_NO_FLUSH);
        p += step - z->avail_out;
        left -= step - z->avail_out;
        if (rc == Z_STREAM_END) {
            if (z->avail_in == 0)
                *ended = true;
            else if (inflateReset(z) != Z_OK)
                return gs_fail(GS_EFORMAT, "%s: damaged gzip data", name);
        } else if (rc == Z_MEM_ERROR) {
            return gs_fail(GS_ENOMEM, "%s: out of memory while unpacking", name);
        } else if (rc == Z_BUF_ERROR || (rc == Z_OK && z->avail_in == 0 && z->avail_out > 0)) {
            return gs_fail(GS_EFORMAT, "%s: the gzip data end too early (truncated file?)", name);
        } else if (rc != Z_OK) {
            return gs_fail(GS_EFORMAT, "%s: damaged gzip data: %s", name, z->msg ? z->msg : "unexpected stream");
        }
    }
    *got = n - left;
    return GS_OK;
}

static gs_status wrong_length(const gs_idx *x, const char *name, size_t header, size_t got, bool more)
{
    return gs_fail(GS_EFORMAT, "%s: declares %zu bytes (header %zu, %zu elements of %zu) but holds %s%zu", name,
                   header + x->count * x->elem_size, header, x->count, x->elem_size, more ? "more than " : "", got);
}

static gs_status parse_gzip(gs_idx *x, const uint8_t *data, size_t size, const char *name)
{
    gs_status st = GS_OK;
    z_stream z = {0};
    uint8_t header[HEADER_MAX], extra;
    size_t length = 0, got = 0, have, bytes, dims_len;
    bool ended = false;

    if (size > UINT32_MAX) return gs_fail(GS_ELIMIT, "%s: a gzip file of 4 GiB or more", name);
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) return gs_fail(GS_ENOMEM, "%s: zlib cannot start", name);
    z.next_in = (Bytef *)data;
    z.avail_in = (uInt)size;
    TRY(unpack(&z, header, 4, &have, &ended, name));
    dims_len = have == 4 && header[3] <= GS_IDX_MAX_DIMS ? 4 * (size_t)header[3] : 0;
    TRY(unpack(&z, header + 4, dims_len, &got, &ended, name));
    TRY(parse_header(x, header, have + got, name, &length));
    bytes = x->count * x->elem_size;
    /* Deflate expands by 1032 at most: a declared size beyond that is a lie, and is found before memory is taken. */
    if (bytes / 1032 > size) TRY(wrong_length(x, name, length, size, false));
    x->data = gs_try_alloc(GS_MAX(bytes, 1), 1, name);
    TRY(x->data ? GS_OK : GS_ENOMEM);
    TRY(unpack(&z, x->data, bytes, &got, &ended, name));
    if (got < bytes) TRY(wrong_length(x, name, length, length + got, false));
    TRY(unpack(&z, &extra, 1, &got, &ended, name)); /* reaches the checksum, or finds that there is more */
    if (got > 0) TRY(wrong_length(x, name, length, length + bytes, true));
done:
    inflateEnd(&z);
    return st;
}

static gs_status parse_plain(gs_idx *x, const uint8_t *data, size_t size, const char *name)
{
    size_t length = 0, bytes;
    gs_status st = parse_header(x, data, size, name, &length);

    if (st != GS_OK) return st;
    bytes = x->count * x->elem_size;
    if (size - length != bytes) return wrong_length(x, name, length, size, false);
    x->data = gs_try_alloc(GS_MAX(bytes, 1), 1, name);
    if (!x->data) return GS_ENOMEM;
    memcpy(x->data, data + length, bytes);
    return GS_OK;
}

/* Turns big-endian elements into this machine's order. */
static void to_host(gs_idx *x)
{
    uint8_t *p = x->data;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (size_t i = 0; x->elem_size > 1 && i < x->count; i++, p += x->elem_size)
        for (size_t a = 0, b = x->elem_size - 1; a < b; a++, b--) {
            const uint8_t t = p[a];

            p[a] = p[b];
            p[b] = t;
        }
#endif
    (void)p;
}

gs_status gs_idx_parse(const void *data, size_t size, const char *name, gs_idx *out)
{
    const uint8_t *p = data;
    gs_status st;

    *out = (gs_idx){0};
    if (size >= 2 && p[0] == 0x1f && p[1] == 0x8b)
        st = parse_gzip(out, p, size, name);
    else
        st = parse_plain(out, p, size, name);
    if (st == GS_OK)
        to_host(out);
    else
        gs_idx_free(out);
    return st;
}

gs_status gs_idx_read(const char *path, gs_idx *out)
{
    gs_status st = GS_OK;
    uint8_t *data = NULL;
    size_t size = 0;

    *out = (gs_idx){0};
    TRY(gs_file_read(path, FILE_MAX, &data, &size));
    TRY(gs_idx_parse(data, size, path, out));
done:
    free(data);
    return st;
}

void gs_idx_free(gs_idx *x)
{
    if (!x) return;
    free(x->data);
    *x = (gs_idx){0};
}

/* The whole gzip file in memory; no time and no name in its header, so that equal input gives equal files. */
static gs_status pack(const uint8_t *head, size_t n_head, const uint8_t *data, size_t n, uint8_t **out, size_t *size)
{
    gs_status st = GS_OK;
    z_stream z = {0};
    size_t bound;

    *out = NULL;
    if (n > UINT32_MAX / 2) return gs_fail(GS_ELIMIT, "more than 2 GiB are not packed; write the file plain");
    if (deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        return gs_fail(GS_ENOMEM, "zlib cannot start");
    bound = deflateBound(&z, n_head + n) + 64;
    *out = gs_try_alloc(bound, 1, "packed file");
    TRY(*out ? GS_OK : GS_ENOMEM);
    z.next_out = *out;
    z.avail_out = (uInt)bound;
    z.next_in = (Bytef *)head;
    z.avail_in = (uInt)n_head;
    TRY(deflate(&z, Z_NO_FLUSH) == Z_OK ? GS_OK : gs_fail(GS_EIO, "packing failed"));
    z.next_in = (Bytef *)data;
    z.avail_in = (uInt)n;
    TRY(deflate(&z, Z_FINISH) == Z_STREAM_END ? GS_OK : gs_fail(GS_EIO, "packing failed"));
    *size = z.total_out;
done:
    deflateEnd(&z);
    if (st != GS_OK) {
        free(*out);
        *out = NULL;
    }
    return st;
}

gs_status gs_idx_write_u8(const char *path, const uint8_t *data, const int64_t *dims, int n_dims)
{
    gs_status st = GS_OK;
    gs_file_out *f = NULL;
    uint8_t head[HEADER_MAX] = { 0, 0, GS_IDX_U8, (uint8_t)n_dims }, *packed = NULL;
    const size_t n_head = 4 + 4 * (size_t)n_dims, len = strlen(path);
    size_t n = 1, n_packed = 0;

    if (n_dims < 1 || n_dims > GS_IDX_MAX_DIMS) return gs_fail(GS_EINVAL, "%s: %d dimensions", path, n_dims);
    for (int i = 0; i < n_dims; i++) {
        if (dims[i] < 0 || dims[i] > UINT32_MAX || !gs_mul_size(n, dims[i], &n) || n > GS_IDX_MAX_BYTES)
            return gs_fail(GS_EINVAL, "%s: dimension %d is %lld: out of range", path, i, (long long)dims[i]);
        for (int k = 0; k < 4; k++) head[4 + 4 * i + k] = (uint8_t)(dims[i] >> (24 - 8 * k));
    }
    if (len > 3 && !strcmp(path + len - 3, ".gz")) {
        TRY(pack(head, n_head, data, n, &packed, &n_packed));
        TRY(gs_file_write(path, packed, n_packed));
        goto done;
    }
    TRY(gs_file_out_open(path, &f));
    TRY(gs_file_out_write(f, head, n_head));
    TRY(gs_file_out_write(f, data, n));
    TRY(gs_file_out_commit(&f));
done:
    gs_file_out_abort(&f);
    free(packed);
    return st;
}
