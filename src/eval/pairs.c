/* Tables that pair pictures of two folders. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "eval/gallery.h"

#define MAX_TABLE   ((size_t)64 << 20)
#define MAX_COLUMNS 256

/* One line, cut into its columns in place. */
static int cut_line(char *line, char *columns[MAX_COLUMNS])
{
    int n = 0;

    for (char *at = line; at && n < MAX_COLUMNS;) {
        char *tab = strchr(at, '\t');

        columns[n++] = at;
        if (tab) *tab++ = '\0';
        at = tab;
    }
    return n;
}

/* A name with columns in it, in pieces: text, column, text, column, ..., text. */
typedef struct pattern {
    char *copy;
    const char *text[17];
    int column[16]; /* from 0 */
    int n;          /* columns */
} pattern;

/* {7}: a number; anything else is a column's name. */
static bool by_name(const char *text)
{
    for (const char *at = strchr(text, '{'); at; at = strchr(at + 1, '{')) {
        const char *end = strchr(at, '}');

        if (!end) return false;
        for (const char *c = at + 1; c < end; c++) {
            if (!isdigit((unsigned char)*c)) return true;
        }
    }
    return false;
}

static gs_status find_column(const char *path, const char *name, char *const *header, int n_header, int *column)
{
    int64_t number;
    gs_str all = { 0 };
    gs_status st;

    if (gs_parse_i64(name, &number) && number >= 1 && number <= MAX_COLUMNS) {
        *column = (int)number - 1;
        return GS_OK;
    }
    for (*column = 0; *column < n_header; (*column)++) {
        if (strcmp(header[*column], name) == 0) return GS_OK;
    }
    for (int i = 0; i < n_header; i++) gs_str_printf(&all, "%s%.40s", i ? ", " : "", header[i]);
    st = gs_fail(GS_EFORMAT, "%s: no column {%.60s}; its first line names: %.400s; {1} is the first one by number",
                 path, name, gs_str_c(&all));
    gs_str_free(&all);
    return st;
}

static gs_status pattern_make(pattern *p, const char *path, const char *text, char *const *header, int n_header)
{
    char *at;

    p->copy = at = gs_xstrdup(text);
    for (p->n = 0; p->n < (int)GS_COUNT(p->column); p->n++) {
        char *open = strchr(at, '{'), *close = open ? strchr(open, '}') : NULL;
        gs_status st;

        p->text[p->n] = at;
        if (!open) break;
        if (!close) return gs_fail(GS_EUSAGE, "pairs: \"%s\": { without }", text);
        *open = *close = '\0';
        st = find_column(path, open + 1, header, n_header, &p->column[p->n]);
        if (st != GS_OK) return st;
        at = close + 1;
    }
    p->text[p->n] = at;
    if (p->n == 0)
        return gs_fail(GS_EUSAGE, "pairs: \"%s\": no column in it; {1} is the first, {NAME} one that the table's first "
                                  "line names", text);
    return GS_OK;
}

/* The name of a row's picture into out (emptied first); *has false when a column is empty or "-". */
static gs_status pattern_fill(const pattern *p, const char *path, int line, char *const *columns, int n, gs_str *out,
                              bool *has)
{
    out->len = 0;
    *has = true;
    for (int i = 0; i < p->n; i++) {
        if (p->column[i] >= n)
            return gs_fail(GS_EFORMAT, "%s: line %d has %d columns, number %d is wanted", path, line, n,
                           p->column[i] + 1);
        if (!*columns[p->column[i]] || strcmp(columns[p->column[i]], "-") == 0) *has = false;
        gs_str_printf(out, "%s%s", p->text[i], columns[p->column[i]]);
    }
    gs_str_printf(out, "%s", p->text[p->n]);
    return GS_OK;
}

gs_status gs_pairs_read(const char *path, const char *name_a, const char *name_b, const gs_gallery *a,
                        const gs_gallery *b, int *partner_a, int *partner_b, int *n)
{
    pattern p[2] = { { 0 }, { 0 } };
    gs_str name[2] = { { 0 }, { 0 } }, first[2] = { { 0 }, { 0 } };
    char *columns[MAX_COLUMNS], *rest;
    const char *names[2] = { name_a ? name_a : "{1}", name_b ? name_b : "{2}" };
    const gs_gallery *g[2] = { a, b };
    bool header = by_name(names[0]) || by_name(names[1]);
    uint8_t *bytes = NULL;
    size_t size = 0;
    int line = 0, at[2];
    gs_status st = GS_OK;

    *n = 0;
    for (int i = 0; i < a->n; i++) partner_a[i] = -1;
    for (int i = 0; i < b->n; i++) partner_b[i] = -1;
    TRY(gs_file_read(path, MAX_TABLE, &bytes, &size));
    if (strlen((const char *)bytes) != size) TRY(gs_fail(GS_EFORMAT, "%s: not a table of text", path));
    if (!header) {
        for (int k = 0; k < 2; k++) TRY(pattern_make(&p[k], path, names[k], NULL, 0));
    }
    rest = (char *)bytes;
    for (char *text; (text = strsep(&rest, "\n"));) {
        const size_t len = strlen(text);
        bool has[2];
        int count;

        line++;
        if (len && text[len - 1] == '\r') text[len - 1] = '\0';
        if (!*text) continue;
        count = cut_line(text, columns);
        if (header) {
            for (int k = 0; k < 2; k++) TRY(pattern_make(&p[k], path, names[k], columns, count));
            header = false;
            continue;
        }
        for (int k = 0; k < 2; k++) TRY(pattern_fill(&p[k], path, line, columns, count, &name[k], &has[k]));
        if (!has[0] || !has[1]) continue;
        for (int k = 0; k < 2; k++) {
            at[k] = gs_gallery_find(g[k], gs_str_c(&name[k]));
            if (!first[k].len) gs_str_printf(&first[k], "%.80s", gs_str_c(&name[k]));
        }
        if (at[0] < 0 || at[1] < 0) continue;
        if (partner_a[at[0]] < 0 && partner_b[at[1]] < 0) (*n)++;
        if (partner_a[at[0]] < 0) partner_a[at[0]] = at[1];
        if (partner_b[at[1]] < 0) partner_b[at[1]] = at[0];
    }
    if (*n == 0) {
        TRY(gs_fail(GS_EFORMAT, "%s: no row names a picture of %s and one of %s; the first looked for was \"%s\" with \"%s\": "
                    "--pair-a and --pair-b say how a row's columns make the names", path, a->dir, b->dir,
                    gs_str_c(&first[0]), gs_str_c(&first[1])));
    }
done:
    for (int k = 0; k < 2; k++) {
        free(p[k].copy);
        gs_str_free(&name[k]);
        gs_str_free(&first[k]);
    }
    free(bytes);
    return st;
}
