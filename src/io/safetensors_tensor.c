/* One tensor of a safetensors file, read or to be written: its type and size, what it may be called, its elements as numbers, its checksum. */
#include "io/safetensors.h"
#include "io/safetensors_int.h"

#include <string.h>
#include <zlib.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors data is copied as it lies in memory");

/* ---- types and names ---- */

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
#define X(name, size) {#name, size},
    GS_ST_DTYPE_MAP(X)
#undef X
};

const char *gs_st_dtype_name(gs_st_dtype d)
{
    return (unsigned)d < GS_ST_DTYPE_COUNT ? dtypes[d].name : "?";
}

size_t gs_st_dtype_size(gs_st_dtype d)
{
    return (unsigned)d < GS_ST_DTYPE_COUNT ? dtypes[d].size : 0;
}

bool gs__st_size(gs_st_tensor *t)
{
    size_t n = 1;
    bool empty = false;

    /* an extent of 0 must not hide an overflow in the others, as it would if the product simply became 0 */
    for (int i = 0; i < t->rank; i++) {
        if (t->shape[i] < 0) return false;
        if (t->shape[i] == 0) empty = true;
        else if (!gs_mul_size(n, (size_t)t->shape[i], &n)) return false;
    }
    if (!gs_mul_size(n, gs_st_dtype_size(t->dtype), &t->bytes) || t->bytes > INT64_MAX) return false;
    t->count = empty ? 0 : n;
    if (empty) t->bytes = 0;
    return true;
}

/* Refuses overlong forms, surrogates and values above U+10FFFF (Unicode 15, table 3-7). */
bool gs__st_utf8(const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s, *end = p + n;

    while (p < end) {
        const unsigned c = *p++;
        int more;
        unsigned low = 0x80, high = 0xbf; /* bounds of the second byte */

        if (c < 0x80) continue;
        if (c >= 0xc2 && c <= 0xdf) more = 1;
        else if (c >= 0xe0 && c <= 0xef) more = 2;
        else if (c >= 0xf0 && c <= 0xf4) more = 3;
        else return false;
        if (c == 0xe0) low = 0xa0;
        if (c == 0xed) high = 0x9f;
        if (c == 0xf0) low = 0x90;
        if (c == 0xf4) high = 0x8f;
        if (end - p < more || *p < low || *p > high) return false;
        for (p++; --more; p++)
            if ((*p & 0xc0) != 0x80) return false;
    }
    return true;
}

bool gs__st_name_ok(const char *name)
{
    const size_t n = strlen(name);

    if (n == 0 || n > 1024 || !gs__st_utf8(name, n)) return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f) return false;
    return true;
}

/* ---- elements as numbers ---- */

static float half_to_float(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 31, m = h & 0x3ff;
    uint32_t bits;
    float f;

    if (e == 0) { /* zero or subnormal: m * 2^-24 is exact in fp32 */
        f = (float)m * 0x1p-24f;
        return sign ? -f : f;
    }
    bits = sign | (e == 31 ? 0x7f800000u : (e + 112) << 23) | m << 13;
    memcpy(&f, &bits, 4);
    return f;
}

void gs_st_to_f32(const gs_st_tensor *t, float *out)
{
    const size_t size = gs_st_dtype_size(t->dtype);
    const uint8_t *p = t->data;

    if (t->dtype == GS_ST_F32) {
        if (t->bytes) memcpy(out, p, t->bytes);
        return;
    }
    for (size_t i = 0; i < t->count; i++, p += size) {
        union {
            double f64;
            uint16_t u16;
            int64_t i64;
            int32_t i32;
            int16_t i16;
            int8_t i8;
            uint8_t u8;
        } v;

        memcpy(&v, p, size);
        switch (t->dtype) {
        case GS_ST_F64: out[i] = (float)v.f64; break;
        case GS_ST_F16: out[i] = half_to_float(v.u16); break;
        case GS_ST_BF16: {
            const uint32_t bits = (uint32_t)v.u16 << 16;

            memcpy(&out[i], &bits, 4);
            break;
        }
        case GS_ST_I64: out[i] = (float)v.i64; break;
        case GS_ST_I32: out[i] = (float)v.i32; break;
        case GS_ST_I16: out[i] = v.i16; break;
        case GS_ST_I8: out[i] = v.i8; break;
        case GS_ST_BOOL: out[i] = v.u8 != 0; break;
        default: out[i] = v.u8; break;
        }
    }
}

gs_status gs_st_to_i32(const gs_st_tensor *t, int32_t *out)
{
    const size_t size = gs_st_dtype_size(t->dtype);
    const uint8_t *p = t->data;

    for (size_t i = 0; i < t->count; i++, p += size) {
        int64_t i64;
        int16_t i16;

        switch (t->dtype) {
        case GS_ST_I64:
            memcpy(&i64, p, 8);
            if (i64 < INT32_MIN || i64 > INT32_MAX)
                return gs_fail(GS_EFORMAT, "%s: tensor '%s': element %zu, %lld, does not fit 32 bits", t->file, t->name,
                               i, (long long)i64);
            out[i] = (int32_t)i64;
            break;
        case GS_ST_I32: memcpy(&out[i], p, 4); break;
        case GS_ST_I16:
            memcpy(&i16, p, 2);
            out[i] = i16;
            break;
        case GS_ST_I8: out[i] = (int8_t)*p; break;
        case GS_ST_U8: out[i] = *p; break;
        case GS_ST_BOOL: out[i] = *p != 0; break;
        default:
            return gs_fail(GS_EFORMAT, "%s: tensor '%s': has type %s, integers are wanted", t->file, t->name,
                           gs_st_dtype_name(t->dtype));
        }
    }
    return GS_OK;
}

/* ---- checksums ---- */

static uint32_t feed(uint32_t crc, const void *data, size_t n)
{
    const uint8_t *p = data;

    for (size_t done = 0, part; done < n; done += part) { /* zlib counts in 32 bits */
        part = GS_MIN(n - done, (size_t)1 << 30);
        crc = (uint32_t)crc32(crc, p + done, (uInt)part);
    }
    return crc;
}

uint32_t gs__st_crc_meta(const gs__st_pair *meta, int n)
{
    uint32_t crc = (uint32_t)crc32(0, NULL, 0);

    for (int i = 0; i < n; i++) {
        if (strcmp(meta[i].key, "crc32") == 0) continue;
        crc = feed(crc, meta[i].key, strlen(meta[i].key) + 1);
        crc = feed(crc, meta[i].value, strlen(meta[i].value) + 1);
    }
    return crc;
}

uint32_t gs__st_crc_tensor(uint32_t crc, const gs_st_tensor *t, const void *data)
{
    const char *type = gs_st_dtype_name(t->dtype);

    crc = feed(crc, t->name, strlen(t->name) + 1);
    crc = feed(crc, type, strlen(type) + 1);
    crc = feed(crc, t->shape, (size_t)t->rank * sizeof t->shape[0]);
    return feed(crc, data, t->bytes);
}
