/* Metric files; see the header for what makes them equal after a resume. */
#include "train/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_FILE ((size_t)1 << 30)

struct gs_metrics {
    char *csv, *jsonl; /* paths */
    char **columns;
    int n;
};

static bool name_ok(const char *s)
{
    return *s && !s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-")];
}

static void put_header(const gs_metrics *m, gs_str *s)
{
    gs_str_printf(s, "step");
    for (int i = 0; i < m->n; i++) gs_str_printf(s, ",%s", m->columns[i]);
    gs_str_printf(s, "\n");
}

/* The step at the beginning of a line of either file, or -1. `prefix` stands before the digits, `after` must
 * follow them. */
static int64_t step_of(const char *line, size_t n, const char *prefix, const char *after)
{
    const size_t skip = strlen(prefix);
    char digits[24];
    size_t len = 0;
    int64_t step;

    if (n < skip || memcmp(line, prefix, skip) != 0) return -1;
    while (skip + len < n && len < sizeof digits - 1 && line[skip + len] >= '0' && line[skip + len] <= '9') {
        digits[len] = line[skip + len];
        len++;
    }
    digits[len] = '\0';
    if (skip + len < n && !strchr(after, line[skip + len])) return -1;
    return gs_parse_i64(digits, &step) ? step : -1;
}

/* Drops the lines behind resume_step and an unfinished one. `header` is the first line that must stand there,
 * or NULL. */
static gs_status cut_back(const char *path, const char *header, bool json, int64_t resume_step)
{
    gs_status st = GS_OK;
    uint8_t *data = NULL;
    size_t size = 0, at = 0;
    int line = 0;

    TRY(gs_file_read(path, MAX_FILE, &data, &size));
    while (at < size) {
        const char *text = (const char *)data + at;
        const char *end = memchr(text, '\n', size - at);
        const size_t n = end ? (size_t)(end - text) + 1 : size - at;
        int64_t step;

        line++;
        if (!end) break;
        if (line == 1 && header) {
            TRY(n == strlen(header) && memcmp(text, header, n) == 0 ? GS_OK
                : gs_fail(GS_EFORMAT, "%s: its columns are not those of this run; use another run folder", path));
        } else {
            step = json ? step_of(text, n, "{\"step\":", ",}") : step_of(text, n, "", ",\n");
            TRY(step >= 0 ? GS_OK : gs_fail(GS_EFORMAT, "%s:%d: not a line of a metrics file", path, line));
            if (step > resume_step) break; /* steps ascend: all that follows is later too */
        }
        at += n;
    }
    if (at == 0 && header) TRY(gs_file_write(path, header, strlen(header)));
    else if (at < size) TRY(gs_file_write(path, data, at));
done:
    free(data);
    return st;
}

static gs_status prepare(const char *path, const char *header, bool json, int64_t resume_step)
{
    if (resume_step >= 0 && gs_file_exists(path)) return cut_back(path, header, json, resume_step);
    return gs_file_write(path, header ? header : "", header ? strlen(header) : 0);
}

gs_status gs_metrics_open(const char *dir, const char *name, const char *const *columns, int n, int64_t resume_step,
                          gs_metrics **out)
{
    gs_metrics *m = gs_xalloc(sizeof *m);
    gs_str header = {0}, file = {0};
    gs_status st = GS_OK;

    *out = NULL;
    gs_str_printf(&file, "%s.csv", name);
    m->csv = gs_path_join(dir, file.data);
    gs_str_free(&file);
    gs_str_printf(&file, "%s.jsonl", name);
    m->jsonl = gs_path_join(dir, file.data);
    m->columns = gs_xalloc((size_t)GS_MAX(n, 1) * sizeof *m->columns);
    for (int i = 0; i < n; i++) {
        bool twice = strcmp(columns[i], "step") == 0;

        for (int k = 0; k < i; k++) twice = twice || strcmp(columns[k], columns[i]) == 0;
        TRY(name_ok(columns[i]) && !twice ? GS_OK
            : gs_fail(GS_EINVAL, "%s: column '%s' is %s", m->csv, columns[i], twice ? "there twice" : "not a plain name"));
        m->columns[m->n++] = gs_xstrdup(columns[i]);
    }
    put_header(m, &header);
    TRY(gs_mkdirs(dir));
    TRY(prepare(m->csv, header.data, false, resume_step));
    TRY(prepare(m->jsonl, NULL, true, resume_step));
    *out = m;
done:
    gs_str_free(&header);
    gs_str_free(&file);
    if (st != GS_OK) gs_metrics_close(m);
    return st;
}

void gs_metrics_close(gs_metrics *m)
{
    if (!m) return;
    for (int i = 0; i < m->n; i++) free(m->columns[i]);
    free(m->columns);
    free(m->csv);
    free(m->jsonl);
    free(m);
}

gs_status gs_metrics_write(gs_metrics *m, int64_t step, const double *values)
{
    gs_str csv = {0}, json = {0};
    gs_status st = GS_OK;

    gs_str_printf(&csv, "%" PRId64, step);
    gs_str_printf(&json, "{\"step\":%" PRId64, step);
    for (int i = 0; i < m->n; i++) {
        gs_str_append(&csv, ",", 1);
        if (isnan(values[i])) continue;
        gs_str_printf(&csv, "%.9g", values[i]);
        gs_str_printf(&json, ",\"%s\":", m->columns[i]);
        if (isinf(values[i])) gs_str_printf(&json, "null");
        else gs_str_printf(&json, "%.9g", values[i]);
    }
    gs_str_printf(&json, "}");
    TRY(gs_file_append(m->csv, csv.data));
    TRY(gs_file_append(m->jsonl, json.data));
done:
    gs_str_free(&csv);
    gs_str_free(&json);
    return st;
}

/* A cell: a number, "inf", "-inf" or nothing. */
static bool parse_cell(const char *s, double *v)
{
    *v = NAN;
    if (!*s) return true;
    if (strcmp(s, "inf") == 0 || strcmp(s, "-inf") == 0) {
        *v = *s == '-' ? -INFINITY : INFINITY;
        return true;
    }
    return gs_parse_f64(s, v);
}

static gs_status read_row(gs_metrics_table *t, const char *path, int line, char *text, int *cap)
{
    char *rest = text, *cell;
    int i = 0;

    if (t->n_rows == *cap) {
        *cap = *cap ? 2 * *cap : 64;
        t->v = gs_xrealloc(t->v, (size_t)*cap * (size_t)t->n_columns * sizeof *t->v);
    }
    for (; (cell = strsep(&rest, ",")); i++)
        if (i >= t->n_columns || !parse_cell(cell, &t->v[(size_t)t->n_rows * (size_t)t->n_columns + (size_t)i]))
            return gs_fail(GS_EFORMAT, "%s:%d: cell %d is not a number of a known column", path, line, i + 1);
    if (i != t->n_columns)
        return gs_fail(GS_EFORMAT, "%s:%d: %d cells, the header has %d", path, line, i, t->n_columns);
    t->n_rows++;
    return GS_OK;
}

gs_status gs_metrics_read(const char *path, gs_metrics_table *t)
{
    gs_status st = GS_OK;
    uint8_t *data = NULL;
    size_t size;
    int line = 0, cap = 0, cap_columns = 0;
    char *at, *end;

    *t = (gs_metrics_table){0};
    TRY(gs_file_read(path, MAX_FILE, &data, &size));
    for (at = (char *)data; (end = strchr(at, '\n')); at = end + 1) {
        *end = '\0';
        if (line++ == 0) {
            char *rest = at, *name;

            while ((name = strsep(&rest, ","))) {
                TRY(name_ok(name) ? GS_OK : gs_fail(GS_EFORMAT, "%s:1: not the header of a metrics file", path));
                GS_PUSH(t->columns, t->n_columns, cap_columns, gs_xstrdup(name));
            }
            TRY(strcmp(t->columns[0], "step") == 0 ? GS_OK
                : gs_fail(GS_EFORMAT, "%s:1: the first column is not 'step'", path));
        } else {
            TRY(read_row(t, path, line, at, &cap));
        }
    }
    TRY(line > 0 ? GS_OK : gs_fail(GS_EFORMAT, "%s: no header; not a metrics file", path));
done:
    free(data);
    if (st != GS_OK) gs_metrics_table_free(t);
    return st;
}

void gs_metrics_table_free(gs_metrics_table *t)
{
    for (int i = 0; i < t->n_columns; i++) free(t->columns[i]);
    free(t->columns);
    free(t->v);
    *t = (gs_metrics_table){0};
}

int gs_metrics_column(const gs_metrics_table *t, const char *name)
{
    for (int i = 0; i < t->n_columns; i++)
        if (strcmp(t->columns[i], name) == 0) return i;
    return -1;
}

gs_status gs_run_log(const char *dir, const char *fmt, ...)
{
    char *path = gs_path_join(dir, "log.txt"), stamp[32];
    const time_t now = time(NULL);
    char text[2048];
    gs_str line = {0};
    struct tm tm;
    gs_status st;
    va_list ap;

    localtime_r(&now, &tm);
    strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", &tm);
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    gs_str_printf(&line, "%s %s", stamp, text);
    st = gs_file_append(path, line.data);
    gs_str_free(&line);
    free(path);
    return st;
}
