/* Reading INI text with inih. The lines are handed over one by one, so that messages can say where, long
 * lines are refused rather than split, and leading blanks do not mean that a value goes on. */
#include "train/config.h"
#include "train/config_int.h"

#include <ini.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE ((size_t)1 << 20)

/* Debian's inih can be told to take longer lines than its 200; where the variable is missing, 200 it is. */
extern int ini_max_line __attribute__((weak));

int gs__config_line_limit(void)
{
    return &ini_max_line ? GS__CONFIG_MAX_LINE : 200;
}

typedef struct reader {
    gs_config *c;
    const char *name, *text; /* text: what is left */
    int line;
    bool flat;
    gs_status st;
    int st_line;
    const char *peek_section, *peek_key; /* peeking: nothing is assigned */
    char *peeked;
} reader;

/* The fgets of inih: one line without its leading blanks. */
static char *next_line(char *out, int room, void *user)
{
    reader *r = user;
    size_t n;

    if (!*r->text || r->st != GS_OK) return NULL;
    r->line++;
    n = strcspn(r->text, "\n");
    if (n + 3 > (size_t)room) {
        r->st = gs_fail(GS_ECONFIG, "%s:%d: line of %zu characters; at most %d are read", r->name, r->line, n, room - 3);
        r->st_line = r->line;
        return NULL;
    }
    {
        const size_t skip = strspn(r->text, " \t");

        memcpy(out, r->text + GS_MIN(skip, n), n - GS_MIN(skip, n));
        out[n - GS_MIN(skip, n)] = '\0';
    }
    r->text += n + (r->text[n] == '\n');
    return out;
}

/* The only entry of that key over all sections; records why there is none. */
static gs__config_entry *find_flat(reader *r, const char *key, const char *where)
{
    gs__config_entry *found = NULL;

    for (int i = 0; i < r->c->n; i++) {
        gs__config_entry *e = &r->c->e[i];

        if (strcmp(e->row->key, key) != 0) continue;
        if (found) {
            r->st = gs_fail(GS_ECONFIG, "%s: key '%s' stands in [%s] and in [%s]; say which", where, key,
                            found->row->section, e->row->section);
            return NULL;
        }
        found = e;
    }
    if (!found) r->st = gs__config_unknown(r->c, NULL, key, where);
    return found;
}

static int handle(void *user, const char *section, const char *key, const char *value)
{
    reader *r = user;
    gs__config_entry *e;
    char where[300];

    if (r->st != GS_OK) return 0;
    if (r->peek_key) {
        if (strcmp(section, r->peek_section) == 0 && strcmp(key, r->peek_key) == 0 && !r->peeked)
            r->peeked = gs_xstrdup(value);
        return 1;
    }
    r->st_line = r->line;
    snprintf(where, sizeof where, "%.200s:%d", r->name, r->line);
    if (!r->flat && !*section) {
        r->st = gs_fail(GS_ECONFIG, "%s: key '%.60s' stands before any [section]", where, key);
        return 0;
    }
    if (r->flat && *section) {
        r->st = gs_fail(GS_ECONFIG, "%s: section [%.60s] in a list of plain keys", where, section);
        return 0;
    }
    if (r->flat) {
        e = find_flat(r, key, where);
    } else {
        e = gs__config_find(r->c, section, key);
        if (!e) r->st = gs__config_unknown(r->c, section, key, where);
    }
    if (!e) return 0;
    if (e->file == r->c->files) {
        r->st = gs_fail(GS_ECONFIG, "%s: '%s' in [%s] is given again; first in line %d", where, key, e->row->section,
                        e->line);
        return 0;
    }
    r->st = gs__config_assign(e, value, where);
    if (r->st != GS_OK) return 0;
    e->set = true;
    e->file = r->c->files;
    e->line = r->line;
    return 1;
}

static gs_status run(reader *r)
{
    int bad_line;

    if (&ini_max_line) ini_max_line = GS__CONFIG_MAX_LINE;
    bad_line = ini_parse_stream(next_line, r, handle, r);
    if (bad_line == -2) return gs_fail(GS_ENOMEM, "%s: no memory to read it", r->name);
    /* inih goes on after a line it does not understand, so ours may have come later */
    if (bad_line > 0 && (r->st == GS_OK || bad_line < r->st_line))
        return gs_fail(GS_ECONFIG, "%s:%d: neither [section] nor key = value nor a comment", r->name, bad_line);
    return r->st;
}

gs_status gs_config_parse(gs_config *c, const char *text, const char *name)
{
    c->files++;
    return run(&(reader){.c = c, .name = name, .text = text});
}

gs_status gs_config_parse_flat(gs_config *c, const char *text, const char *name)
{
    c->files++;
    return run(&(reader){.c = c, .name = name, .text = text, .flat = true});
}

static gs_status read_text(const char *path, char **text)
{
    uint8_t *data;
    size_t size;
    gs_status st = gs_file_read(path, MAX_FILE, &data, &size);

    *text = NULL;
    if (st != GS_OK) return st;
    if (strlen((char *)data) != size) {
        st = gs_fail(GS_ECONFIG, "%s: offset %zu: a NUL byte; this is not a text file", path, strlen((char *)data));
        free(data);
        return st;
    }
    *text = (char *)data;
    return GS_OK;
}

gs_status gs_config_load(gs_config *c, const char *path)
{
    char *text;
    gs_status st = read_text(path, &text);

    if (st == GS_OK) st = gs_config_parse(c, text, path);
    free(text);
    return st;
}

gs_status gs_config_peek_text(const char *text, const char *name, const char *section, const char *key, char **value)
{
    reader r = {.name = name, .text = text, .peek_section = section, .peek_key = key};
    const gs_status st = run(&r);

    *value = NULL;
    if (st != GS_OK) free(r.peeked);
    else *value = r.peeked;
    return st;
}

gs_status gs_config_peek(const char *path, const char *section, const char *key, char **value)
{
    gs_status st;
    char *text;

    *value = NULL;
    st = read_text(path, &text);
    if (st == GS_OK) st = gs_config_peek_text(text, path, section, key, value);
    free(text);
    return st;
}
