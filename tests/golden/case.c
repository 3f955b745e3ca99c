/* Reading a golden case, making what it leaves out, comparing. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "golden.h"

/* ---- metadata ---- */

static void read_config(golden_case *c, const char *text)
{
    char *copy = gs_xstrdup(text), *save = NULL;

    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *eq = strchr(line, '='), *key = line + strspn(line, " \t"), *value, *end;

        if (!eq || *key == '[' || *key == '#' || *key == ';') continue;
        for (end = eq; end > key && strchr(" \t", end[-1]); end--) {}
        *end = '\0';
        value = eq + 1 + strspn(eq + 1, " \t");
        for (end = value + strlen(value); end > value && strchr(" \t\r", end[-1]); end--) {}
        *end = '\0';
        if (c->n_config == c->cap_config) {
            c->cap_config = c->cap_config ? 2 * c->cap_config : 16;
            c->config = gs_xrealloc(c->config, (size_t)c->cap_config * sizeof(*c->config));
        }
        c->config[c->n_config].key = gs_xstrdup(key);
        c->config[c->n_config++].value = gs_xstrdup(value);
    }
    free(copy);
}

static double meta_number(const golden_case *c, const char *key, double standard)
{
    const char *s = gs_st_meta(c->file, key);
    double v;

    return s && gs_parse_f64(s, &v) ? v : standard;
}

gs_status golden_open(const char *path, golden_case *c)
{
    const char *format, *text;
    gs_status st = GS_OK;

    *c = (golden_case){ .path = gs_xstrdup(path) };
    TRY(gs_st_open(path, &c->file));
    format = gs_st_meta(c->file, "format");
    c->name = gs_st_meta(c->file, "case");
    c->system = gs_st_meta(c->file, "system");
    c->kind = gs_st_meta(c->file, "kind");
    if (!format || strcmp(format, "gesso-golden-1") != 0 || !c->name || !c->system || !c->kind) {
        TRY(gs_fail(GS_EFORMAT, "%s: not a golden case: metadata must hold format = gesso-golden-1, case, system, kind",
                    path));
    }
    c->steps = (int)meta_number(c, "steps", 1);
    c->rtol = meta_number(c, "rtol", 1e-5);
    c->atol = meta_number(c, "atol", 1e-6);
    if (c->steps < 0 || c->steps > 1000) TRY(gs_fail(GS_EFORMAT, "%s: %d steps", path, c->steps));
    text = gs_st_meta(c->file, "fill");
    c->fill_hash = text && strcmp(text, "hash") == 0;
    text = gs_st_meta(c->file, "feed_fill");
    c->feed_hash = text && strcmp(text, "hash") == 0;
    text = gs_st_meta(c->file, "config");
    if (text) read_config(c, text);
done:
    if (st != GS_OK) golden_close(c);
    return st;
}

void golden_close(golden_case *c)
{
    for (int i = 0; i < c->n_config; i++) free(c->config[i].key), free(c->config[i].value);
    free(c->config);
    free(c->path);
    free(c->error);
    gs_st_close(c->file);
    *c = (golden_case){ 0 };
}

const char *golden_config(const golden_case *c, const char *key)
{
    for (int i = 0; i < c->n_config; i++) {
        if (strcmp(c->config[i].key, key) == 0) return c->config[i].value;
    }
    return NULL;
}

double golden_number(const golden_case *c, const char *key, double standard)
{
    const char *s = golden_config(c, key);
    double v;

    return s && gs_parse_f64(s, &v) ? v : standard;
}

/* ---- tensors ---- */

const gs_st_tensor *golden_find(const golden_case *c, const char *fmt, ...)
{
    char name[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    return gs_st_find(c->file, name);
}

gs_shape golden_shape(const gs_st_tensor *t)
{
    gs_shape s = { .rank = GS_MIN(t->rank, GS_MAX_DIMS) };

    for (int i = 0; i < s.rank; i++) s.dim[i] = t->shape[i];
    return s;
}

void *golden_copy(const gs_st_tensor *t, gs_dtype *dtype)
{
    const bool integer = t->dtype == GS_ST_I64 || t->dtype == GS_ST_I32 || t->dtype == GS_ST_I16 ||
                         t->dtype == GS_ST_I8;
    void *data = gs_xalloc(t->count * 4 + 4);

    *dtype = integer ? GS_I32 : GS_F32;
    if (!integer) gs_st_to_f32(t, data);
    else if (gs_st_to_i32(t, data) != GS_OK) memset(data, 0xff, t->count * 4); /* no index: the comparison fails */
    return data;
}

/* Values in [-1,1) from a name and an index, and the ranges that parameters need. */
void golden_hash_fill(const char *key, gs_shape shape, bool state, float *out)
{
    const uint32_t crc = (uint32_t)crc32(0, (const Bytef *)key, (uInt)strlen(key));
    const size_t n = (size_t)gs_shape_count(shape), len = strlen(key);
    double norm = 0, scale = 1, shift = 0;
    bool unit = false;

#define ENDS(text) (len >= sizeof(text) - 1 && strcmp(key + len - (sizeof(text) - 1), text) == 0)
    if (state && ENDS("num_batches_tracked")) scale = 0;
    else if (state && shape.rank >= 2) scale = sqrt(3.0 / ((double)n / (double)shape.dim[0]));
    else if (state && (ENDS("weight_u") || ENDS("weight_v"))) unit = true;
    else if (state) {
        scale = 0.1;
        shift = (shape.rank == 1 && ENDS("weight")) || ENDS("running_var") ? 1 : 0;
    }
#undef ENDS
    for (size_t i = 0; i < n; i++) {
        uint32_t h = crc ^ ((uint32_t)i * 0x9E3779B9u);
        double r;

        h ^= h >> 16, h *= 0x85EBCA6Bu, h ^= h >> 13, h *= 0xC2B2AE35u, h ^= h >> 16;
        r = 2 * (h >> 8) / 16777216.0 - 1;
        norm += r * r;
        out[i] = (float)(shift + scale * r);
    }
    for (size_t i = 0; unit && i < n; i++) out[i] = (float)((double)out[i] / sqrt(norm));
}

static gs_status stored(const golden_case *c, const char *name, gs_shape shape, void *out)
{
    const gs_st_tensor *t = gs_st_find(c->file, name);
    gs_dtype dtype;
    void *data;
    char text[96];

    if (!t) return gs_fail(GS_EFORMAT, "%s: tensor %s is missing", c->path, name);
    if (t->count != (size_t)gs_shape_count(shape)) {
        return gs_fail(GS_EFORMAT, "%s: tensor %s has %zu elements, the network wants %s", c->path, name, t->count,
                       gs_shape_text(shape, text));
    }
    data = golden_copy(t, &dtype);
    memcpy(out, data, t->count * 4);
    free(data);
    return GS_OK;
}

gs_status golden_state(const golden_case *c, const char *name, gs_shape shape, float *out)
{
    char full[256];

    snprintf(full, sizeof full, "state.%s", name);
    if (!gs_st_find(c->file, full) && c->fill_hash) {
        golden_hash_fill(full, shape, true, out);
        return GS_OK;
    }
    return stored(c, full, shape, out);
}

gs_status golden_feed(const golden_case *c, int step, const char *name, gs_shape shape, void *out)
{
    char full[256];

    snprintf(full, sizeof full, "feed.%d.%s", step, name);
    if (!gs_st_find(c->file, full) && c->feed_hash) {
        golden_hash_fill(full, shape, false, out);
        return GS_OK;
    }
    return stored(c, full, shape, out);
}

/* ---- verdicts ---- */

void golden_compare(golden_case *c, const gs_st_tensor *want, const gs_st_tensor *pick, const float *got, size_t count)
{
    float *expect = gs_xalloc(want->count * sizeof(float) + 4);
    double error = 0, largest = 0, bound;
    size_t at = 0, at_want = 0;
    bool bad = false;

    gs_st_to_f32(want, expect);
    c->compared++;
    if (pick ? pick->count != want->count || pick->dtype != GS_ST_I64 : want->count != count) {
        printf("  %s: %s: %zu values expected, %zu computed\n", c->name, want->name, want->count,
               pick ? pick->count : count);
        bad = true;
    }
    for (size_t i = 0; !bad && i < want->count; i++) largest = fmax(largest, fabs((double)expect[i]));
    bound = c->atol + c->rtol * largest;
    for (size_t i = 0; !bad && i < want->count; i++) {
        int64_t k = (int64_t)i;
        double e;

        if (pick) memcpy(&k, pick->data + 8 * i, 8);
        if (k < 0 || (size_t)k >= count) {
            printf("  %s: %s: picks element %lld of %zu\n", c->name, want->name, (long long)k, count);
            bad = true;
            break;
        }
        e = fabs((double)got[k] - (double)expect[i]);
        if (isnan(e) || e > error) {
            error = isnan(e) ? HUGE_VAL : e;
            at = (size_t)k;
            at_want = i;
        }
    }
    if (!bad && error > bound) {
        printf("  %s: %s: error %.3g, bound %.3g, at element %zu: %.9g instead of %.9g\n", c->name, want->name, error,
               bound, at, (double)got[at], (double)expect[at_want]);
        bad = true;
    }
    if (bad) c->failed++;
    c->worst = fmax(c->worst, bound > 0 ? error / bound : error > 0 ? HUGE_VAL : 0);
    free(expect);
}

void golden_give_up(golden_case *c)
{
    if (c->error) return;
    c->error = gs_xstrdup(gs_last_error());
}

bool golden_verdict(const golden_case *c)
{
    const bool ok = !c->error && c->compared > 0 && c->failed == 0;

    if (c->error) printf("FAIL %s: %s\n", c->name, c->error);
    else if (c->compared == 0) printf("FAIL %s: nothing to compare\n", c->name);
    else printf("%s %s %.3g\n", ok ? "PASS" : "FAIL", c->name, c->worst);
    fflush(stdout);
    return ok;
}
