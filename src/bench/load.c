/* Results of earlier runs, read and checked: whatever a file holds, it is refused with the field's name or
 * becomes rows that are safe to compare and to print. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench_int.h"

enum { MAX_ROWS = 4000, MAX_TEXT = 300 };
#define MAX_BYTES ((size_t)16 << 20)

/* Where reading stands, for messages. */
typedef struct reader {
    const char *path, *list; /* "ops"; NULL: the head */
    int index;
    gs_status st;            /* the first failure; later calls do nothing */
} reader;

static void bad(reader *r, const char *key, const char *what)
{
    if (r->st != GS_OK) return;
    if (r->list) r->st = gs_fail(GS_EFORMAT, "%s: %s[%d].%s %s", r->path, r->list, r->index, key, what);
    else r->st = gs_fail(GS_EFORMAT, "%s: %s %s", r->path, key, what);
}

/* Nothing that moves a terminal's cursor. */
static void make_printable(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 32 || *s == 127) *s = '?';
}

static const char *text(reader *r, cJSON *o, const char *key, bool must)
{
    cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

    if (!v && !must) return "";
    if (!cJSON_IsString(v)) bad(r, key, v ? "is not a text" : "is missing");
    else if (strlen(v->valuestring) > MAX_TEXT) bad(r, key, "is too long");
    else if (must && !*v->valuestring) bad(r, key, "is empty");
    else {
        make_printable(v->valuestring);
        return v->valuestring;
    }
    return "";
}

/* A number from 0 to 1e30; 0 when it is missing and need not be there. */
static double number(reader *r, cJSON *o, const char *key, bool must)
{
    cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

    if (!v && !must) return 0;
    if (!cJSON_IsNumber(v)) bad(r, key, v ? "is not a number" : "is missing");
    else if (!(v->valuedouble >= 0 && v->valuedouble <= 1e30)) bad(r, key, "is out of range");
    else if (must && v->valuedouble == 0) bad(r, key, "is 0");
    else return v->valuedouble;
    return 0;
}

static gs_bench_figure figure(reader *r, cJSON *o, const char *key, const char *mad, const char *samples, bool must)
{
    gs_bench_figure f = { .value = number(r, o, key, must), .mad = number(r, o, mad, false) };
    const double n = number(r, o, samples, false);

    f.samples = n < 1e6 ? (int)n : 1000000;
    return f;
}

static cJSON *array(reader *r, cJSON *o, const char *key)
{
    cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

    if (v && !cJSON_IsArray(v)) bad(r, key, "is not a list");
    else if (v && cJSON_GetArraySize(v) > MAX_ROWS) bad(r, key, "has more than 4000 rows");
    return cJSON_IsArray(v) ? v : NULL;
}

static cJSON *object(reader *r, cJSON *o, const char *key)
{
    cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

    if (!cJSON_IsObject(v)) bad(r, key, v ? "is not an object" : "is missing");
    return v;
}

static void read_digest(reader *r, cJSON *row, gs_bench_digest *d)
{
    cJSON *o = object(r, row, "digest"), *list, *e;
    int n = 0;

    snprintf(d->bytes, sizeof d->bytes, "%.23s", text(r, o, "bytes", true));
    d->verdict = !cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "right")) ? GS_BENCH_WRONG
                 : cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "checked")) ? GS_BENCH_RIGHT : GS_BENCH_UNCHECKED;
    list = array(r, o, "sketch");
    if (!list) return;
    d->rms = number(r, o, "rms", false);
    cJSON_ArrayForEach(e, list) {
        if (n == 4 || !cJSON_IsNumber(e) || !(fabs(e->valuedouble) < 1e12)) bad(r, "digest.sketch", "is not four numbers");
        else d->sketch[n++] = e->valuedouble;
    }
    if (n != 4) bad(r, "digest.sketch", "is not four numbers");
    d->has_sketch = n == 4;
}

static void read_row(reader *r, cJSON *o, gs_bench_row *row)
{
    if (!cJSON_IsObject(o)) {
        bad(r, "row", "is not an object");
        return;
    }
    row->id = text(r, o, "id", true);
    row->failed = text(r, o, "failed", false);
    row->family = row->origin = row->params = "";
    if (row->suite == GS_BENCH_PEAK) {
        row->unit = text(r, o, "unit", true);
        row->more_is_better = strcmp(row->unit, "us") != 0;
        row->figure = figure(r, o, "value", "mad", "samples", true);
        row->origin = text(r, o, "form", false);
        row->digest.verdict = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "right")) ? GS_BENCH_RIGHT : GS_BENCH_WRONG;
        return;
    }
    row->unit = "s";
    if (row->suite == GS_BENCH_OP) {
        row->family = text(r, o, "family", true);
        row->origin = text(r, o, "origin", false);
    }
    row->params = text(r, o, "hash", !*row->failed);
    if (*row->failed) return;
    row->figure = figure(r, o, "seconds", "mad", "samples", true);
    row->share = number(r, o, "share", false);
    if (row->suite == GS_BENCH_MODEL) {
        row->images = number(r, o, "images_per_second", true);
        row->predicted = number(r, o, "bytes_predicted", false);
        row->allocated = number(r, o, "bytes_allocated", false);
        row->cold = figure(r, o, "cold_start", "cold_start_mad", "cold_start_samples", false);
        row->warm = figure(r, o, "warm_start", "warm_start_mad", "warm_start_samples", false);
    }
    read_digest(r, o, &row->digest);
}

static void read_list(reader *r, gs_bench_file *f, cJSON *list, int suite, const char *name)
{
    cJSON *o;

    r->list = name;
    r->index = 0;
    cJSON_ArrayForEach(o, list) {
        gs_bench_row *row = &f->rows[f->n_rows];

        *row = (gs_bench_row){ .suite = suite };
        read_row(r, o, row);
        if (r->st != GS_OK) return;
        for (int i = 0; i < f->n_rows; i++)
            if (f->rows[i].suite == row->suite && strcmp(f->rows[i].id, row->id) == 0) bad(r, "id", "stands there twice");
        f->n_rows++;
        r->index++;
    }
    r->list = NULL;
}

/* Is it one of ours, and of this version? */
static void check_schema(reader *r, cJSON *json)
{
    cJSON *schema = cJSON_GetObjectItemCaseSensitive(json, "schema"), *version = cJSON_GetObjectItemCaseSensitive(json, "version");

    if (!cJSON_IsString(schema) || strcmp(schema->valuestring, GS_BENCH_SCHEMA) != 0) {
        r->st = gs_fail(GS_EFORMAT, "%s: not a result of \"gesso bench --json\"", r->path);
    } else if (!cJSON_IsNumber(version) || version->valuedouble != GS_BENCH_VERSION) {
        r->st = gs_fail(GS_EFORMAT, "%s: a result of version %g, this program compares version %d: measure again with one version of Gesso", r->path,
                        cJSON_IsNumber(version) ? version->valuedouble : 0.0, GS_BENCH_VERSION);
    }
}

static void read_head(reader *r, gs_bench_file *f)
{
    cJSON *json = f->json, *device = object(r, json, "device"), *host = object(r, json, "host"), *e, *env;
    gs_str s = { 0 };

    f->device = text(r, device, "name", true);
    f->kind = text(r, device, "kind", false);
    f->driver = text(r, device, "driver", true);
    f->platform = text(r, device, "platform", true);
    f->host = text(r, host, "name", false);
    f->cpu = text(r, host, "cpu", false);
    f->gesso = text(r, json, "gesso", true);
    f->config = text(r, json, "config_hash", true);
    f->date = text(r, json, "date", false);
    env = cJSON_GetObjectItemCaseSensitive(json, "environment");
    cJSON_ArrayForEach(e, env) {
        if (!cJSON_IsString(e) || !e->string || strlen(e->string) > 40 || strlen(e->valuestring) > 100 || s.len > 1000) {
            bad(r, "environment", "is not a few short texts");
            break;
        }
        gs_str_printf(&s, "%s%s=%s", s.len ? " " : "", e->string, e->valuestring);
    }
    f->environment = gs_xstrdup(gs_str_c(&s));
    make_printable(f->environment);
    gs_str_free(&s);
    snprintf(f->name, sizeof f->name, "%.60s, %.36s", f->device, f->driver);
}

gs_status gs_bench_parse(const char *json, const char *path, gs_bench_file *f)
{
    static const struct { const char *key; int suite; } lists[] = { { "peaks", GS_BENCH_PEAK }, { "ops", GS_BENCH_OP }, { "models", GS_BENCH_MODEL } };
    reader r = { .path = path };
    int n = 0;

    *f = (gs_bench_file){ .path = gs_xstrdup(path), .json = cJSON_Parse(json) };
    make_printable(f->path);
    if (!f->json) r.st = gs_fail(GS_EFORMAT, "%s: not JSON", path);
    if (r.st == GS_OK) check_schema(&r, f->json);
    if (r.st == GS_OK) read_head(&r, f);
    for (size_t i = 0; i < GS_COUNT(lists) && r.st == GS_OK; i++) n += cJSON_GetArraySize(array(&r, f->json, lists[i].key));
    f->rows = gs_xalloc(((size_t)n + 1) * sizeof *f->rows);
    for (size_t i = 0; i < GS_COUNT(lists) && r.st == GS_OK; i++) read_list(&r, f, array(&r, f->json, lists[i].key), lists[i].suite, lists[i].key);
    if (r.st == GS_OK && f->n_rows == 0) r.st = gs_fail(GS_EFORMAT, "%s: no row was measured", path);
    if (r.st != GS_OK) gs_bench_file_free(f);
    return r.st;
}

gs_status gs_bench_load(const char *path, gs_bench_file *f)
{
    uint8_t *data = NULL;
    size_t size;
    gs_status st = gs_file_read(path, MAX_BYTES, &data, &size);

    *f = (gs_bench_file){ 0 };
    if (st != GS_OK) return st;
    if (strlen((char *)data) != size) st = gs_fail(GS_EFORMAT, "%s: not JSON: it holds a NUL byte", path);
    else st = gs_bench_parse((char *)data, path, f);
    free(data);
    return st;
}

void gs_bench_file_free(gs_bench_file *f)
{
    free(f->path);
    free(f->environment);
    free(f->rows);
    cJSON_Delete(f->json);
    *f = (gs_bench_file){ 0 };
}
