/* Digests: what was computed, in a few numbers.
 *
 * `bytes`, a hash, tells whether two runs gave the same result to the last bit. Devices round differently, so
 * results of two devices are compared by their sketch: <result, s> / |result| for four rows s of random
 * signs, numbers of the order 1 that rounding moves by some 1e-6 and that one wrong element of a million
 * moves by 1e-3. */
#include <math.h>
#include <string.h>

#include "bench/bench_int.h"

/* splitmix64 (Steele et al. 2014): well mixed bits of i. */
static uint64_t mix(uint64_t i)
{
    i += 0x9e3779b97f4a7c15u;
    i = (i ^ i >> 30) * 0xbf58476d1ce4e5b9u;
    i = (i ^ i >> 27) * 0x94d049bb133111ebu;
    return i ^ i >> 31;
}

static float value(uint64_t seed, int64_t i)
{
    return (float)(int64_t)(mix(seed + (uint64_t)i) >> 40) * 0x1p-23f - 1.0f;
}

float gs__test_value(const char *name, int64_t i)
{
    return value(gs_hash_str(name), i);
}

void gs__test_fill(const char *name, int64_t count, float *out)
{
    const uint64_t seed = gs_hash_str(name);

    for (int64_t i = 0; i < count; i++) out[i] = value(seed, i);
}

void gs__digest_begin(gs__digest *d)
{
    *d = (gs__digest){ .bytes = 0xcbf29ce484222325u, .repeats = true };
}

void gs__digest_add(gs__digest *d, const float *v, int64_t count)
{
    d->bytes = gs_hash64(v, (size_t)count * sizeof *v, d->bytes);
    for (int64_t i = 0; i < count; i++) {
        const uint64_t bits = mix((uint64_t)(d->count + i));
        const double x = v[i];

        d->sum2 += x * x;
        for (int k = 0; k < 4; k++) d->signs[k] += bits >> (13 * k) & 1 ? x : -x;
    }
    d->count += count;
}

bool gs__digest_right(const gs__digest *d)
{
    return d->repeats && isfinite(d->sum2) && (!d->checked || d->error <= d->limit);
}

void gs__digest_json(cJSON *o, const gs__digest *d)
{
    const double norm = sqrt(d->sum2);
    double sketch[4] = { 0 };
    char hash[24];

    o = cJSON_AddObjectToObject(o, "digest");
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)d->bytes);
    cJSON_AddStringToObject(o, "bytes", hash);
    if (isfinite(norm)) { /* JSON has no NaN */
        for (int k = 0; k < 4 && norm > 0; k++) sketch[k] = d->signs[k] / norm;
        cJSON_AddNumberToObject(o, "rms", d->count ? norm / sqrt((double)d->count) : 0);
        cJSON_AddItemToObject(o, "sketch", cJSON_CreateDoubleArray(sketch, 4));
    }
    cJSON_AddBoolToObject(o, "finite", isfinite(norm));
    cJSON_AddBoolToObject(o, "repeats", d->repeats);
    cJSON_AddBoolToObject(o, "checked", d->checked);
    if (d->checked) {
        cJSON_AddNumberToObject(o, "error", isfinite(d->error) ? d->error : 1e300);
        cJSON_AddNumberToObject(o, "limit", d->limit);
        cJSON_AddNumberToObject(o, "coverage", d->coverage);
    }
    cJSON_AddBoolToObject(o, "right", gs__digest_right(d));
}
