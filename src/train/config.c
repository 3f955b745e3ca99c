/* Configuration values: tables, checks, accessors. Files are read in config_file.c and written in config_write.c. */
#include "train/config.h"
#include "train/config_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

gs__config_entry *gs__config_find(const gs_config *c, const char *section, const char *key)
{
    for (int i = 0; i < c->n; i++)
        if (strcmp(c->e[i].row->section, section) == 0 && strcmp(c->e[i].row->key, key) == 0) return &c->e[i];
    return NULL;
}

gs_config *gs_config_new(const gs_config_table *tables, int n)
{
    gs_config *c = gs_xalloc(sizeof *c);

    for (int t = 0; t < n; t++)
        for (int i = 0; i < tables[t].n; i++) {
            const gs_config_row *row = &tables[t].rows[i];
            gs__config_entry *old = gs__config_find(c, row->section, row->key);

            if (old) old->row = row;
            else GS_PUSH(c->e, c->n, c->cap, ((gs__config_entry){.row = row}));
        }
    for (int i = 0; i < c->n; i++)
        if (c->e[i].row->preset && gs__config_assign(&c->e[i], c->e[i].row->preset, "preset") != GS_OK)
            assert(!"a table's preset breaks its own row");
    return c;
}

void gs_config_free(gs_config *c)
{
    if (!c) return;
    for (int i = 0; i < c->n; i++) {
        free(c->e[i].text);
        free(c->e[i].ints);
    }
    free(c->e);
    free(c);
}

const char *gs__config_word(const char *choices, int i, int *len)
{
    for (;; i--) {
        choices += strspn(choices, " ");
        *len = (int)strcspn(choices, " ");
        if (*len == 0) return NULL;
        if (i == 0) return choices;
        choices += *len;
    }
}

/* A row whose min and max are equal has no bounds. */
static bool bounded(const gs_config_row *row)
{
    return row->max > row->min;
}

const char *gs__config_range(const gs_config_row *row, char buf[96])
{
    buf[0] = '\0';
    if (bounded(row) && (row->type == GS_CONFIG_INT || row->type == GS_CONFIG_REAL || row->type == GS_CONFIG_INTS)) {
        if (row->max >= 1e12 && row->min <= -1e12) return buf;
        if (row->max >= 1e12) snprintf(buf, 96, ">= %.12g", row->min);
        else snprintf(buf, 96, "%.12g to %.12g", row->min, row->max);
    }
    return buf;
}

static gs_status bad(const gs_config_row *row, const char *where, const char *text, const char *wanted)
{
    return gs_fail(GS_ECONFIG, "%s: [%s] %s = %.100s: %s", where, row->section, row->key, text, wanted);
}

static gs_status check_range(const gs_config_row *row, const char *where, const char *text, double v)
{
    char range[96], wanted[120];

    if (!bounded(row) || (v >= row->min && v <= row->max)) return GS_OK;
    snprintf(wanted, sizeof wanted, "out of range; allowed: %s", gs__config_range(row, range));
    return bad(row, where, text, wanted);
}

static gs_status read_bool(const gs_config_row *row, const char *where, const char *text, double *v)
{
    static const char *const word[] = {"0", "1", "false", "true", "no", "yes"};

    for (int i = 0; i < (int)GS_COUNT(word); i++)
        if (strcasecmp(text, word[i]) == 0) {
            *v = i % 2;
            return GS_OK;
        }
    return bad(row, where, text, "wanted 1 or 0 (true, false, yes, no)");
}

static gs_status read_choice(const gs_config_row *row, const char *where, const char *text, double *v)
{
    gs_str wanted = {0};
    const char *word, *near, *names[64];
    char *copies[64];
    gs_status st;
    int len, n = 0;

    for (; n < 64 && (word = gs__config_word(row->choices, n, &len)); n++)
        if ((int)strlen(text) == len && strncmp(text, word, (size_t)len) == 0) {
            *v = n;
            return GS_OK;
        }
    for (int i = 0; i < n; i++) {
        word = gs__config_word(row->choices, i, &len);
        gs_str_printf(&wanted, "%s%.*s", i ? ", " : "not one of ", len, word);
        names[i] = copies[i] = strndup(word, (size_t)len);
    }
    near = gs_nearest(text, names, n);
    if (near) gs_str_printf(&wanted, "; did you mean '%s'?", near);
    st = bad(row, where, text, gs_str_c(&wanted));
    for (int i = 0; i < n; i++) free(copies[i]);
    gs_str_free(&wanted);
    return st;
}

/* "30, 40" into e->ints; the empty text is the empty list. */
static gs_status read_ints(const gs_config_row *row, const char *where, const char *text, int64_t **ints, int *n)
{
    char *copy = gs_xstrdup(text), *rest = copy, *part;
    gs_status st = GS_OK;
    int cap = 0;

    *ints = NULL;
    *n = 0;
    while (*text && (part = strsep(&rest, ","))) {
        char *end;
        int64_t v;

        part += strspn(part, " \t");
        for (end = part + strlen(part); end > part && (end[-1] == ' ' || end[-1] == '\t');) *--end = '\0';
        TRY(gs_parse_i64(part, &v) ? GS_OK : bad(row, where, text, "wanted whole numbers with commas"));
        TRY(check_range(row, where, text, (double)v));
        GS_PUSH(*ints, *n, cap, v);
    }
done:
    free(copy);
    if (st != GS_OK) {
        free(*ints);
        *ints = NULL;
    }
    return st;
}

/* A size: bytes, 0 for off, -1 for auto. */
static gs_status read_bytes(const gs_config_row *row, const char *where, const char *text, double *v)
{
    static const struct { const char *name; double bytes; } unit[] = {
        {"", 1}, {"B", 1}, {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
    };
    const char *const whole = text;
    char number[32];
    size_t n = strspn(text, "0123456789.");

    *v = strcmp(text, "auto") == 0 ? -1 : 0;
    if (*v < 0 || strcmp(text, "off") == 0) return GS_OK;
    if (n == 0 || n >= sizeof number) return bad(row, where, text, "wanted a size (512MiB, 2GiB), auto or off");
    snprintf(number, sizeof number, "%.*s", (int)n, text);
    for (text += n; *text == ' ';) text++;
    for (size_t i = 0; gs_parse_f64(number, v) && i < GS_COUNT(unit); i++)
        if (strcasecmp(text, unit[i].name) == 0) {
            *v *= unit[i].bytes;
            if (*v >= 1 && *v <= 0x1p60) return GS_OK;
        }
    return bad(row, where, whole, "wanted a size above 0 with KiB, MiB, GiB, TiB (or KB, MB, GB, TB), auto or off");
}

/* What a line of an INI file cannot carry would come back as something else from the run's own config.ini. */
static gs_status check_text(const gs_config_row *row, const char *where, const char *text)
{
    const size_t n = strlen(text);

    if ((int)(n + strlen(row->key)) > gs__config_line_limit() - 8)
        return gs_fail(GS_ECONFIG, "%s: [%s] %s: value of %zu characters is too long", where, row->section, row->key, n);
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)text[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return gs_fail(GS_ECONFIG, "%s: [%s] %s: value holds the control character 0x%02x", where, row->section,
                           row->key, c);
        if (c == ';' && (i == 0 || text[i - 1] == ' ' || text[i - 1] == '\t'))
            return bad(row, where, text, "a ';' behind a blank begins a comment in INI files");
    }
    if (n && (strchr(" \t", text[0]) || strchr(" \t", text[n - 1])))
        return bad(row, where, text, "begins or ends with a blank");
    return GS_OK;
}

gs_status gs__config_assign(gs__config_entry *e, const char *text, const char *where)
{
    const gs_config_row *row = e->row;
    const bool is_auto = row->preset && strcmp(row->preset, "auto") == 0 && strcmp(text, "auto") == 0;
    int64_t *ints = NULL, i = 0;
    gs_status st = GS_OK;
    int n_ints = 0;
    double v = 0;
    char *copy;

    TRY(check_text(row, where, text));
    if (!is_auto) {
        switch (row->type) {
        case GS_CONFIG_BOOL: TRY(read_bool(row, where, text, &v)); break;
        case GS_CONFIG_INT:
            TRY(gs_parse_i64(text, &i) ? GS_OK : bad(row, where, text, "wanted a whole number"));
            v = (double)i;
            TRY(check_range(row, where, text, v));
            break;
        case GS_CONFIG_REAL:
            TRY(gs_parse_f64(text, &v) ? GS_OK : bad(row, where, text, "wanted a number"));
            TRY(check_range(row, where, text, v));
            break;
        case GS_CONFIG_TEXT: break;
        case GS_CONFIG_CHOICE: TRY(read_choice(row, where, text, &v)); break;
        case GS_CONFIG_INTS: TRY(read_ints(row, where, text, &ints, &n_ints)); break;
        case GS_CONFIG_BYTES: TRY(read_bytes(row, where, text, &v)); break;
        }
    }
    copy = gs_xstrdup(row->type == GS_CONFIG_BOOL && !is_auto ? (v != 0 ? "1" : "0") : text);
    free(e->text);
    free(e->ints);
    e->text = copy;
    e->number = v;
    e->ints = ints;
    e->n_ints = n_ints;
done:
    return st;
}

gs_status gs__config_unknown(const gs_config *c, const char *section, const char *key, const char *where)
{
    const char **names = gs_xalloc((size_t)(2 * c->n + 1) * sizeof *names), *near;
    const gs_config_row *elsewhere = NULL;
    bool known_section = false;
    gs_status st;
    int n = 0;

    for (int i = 0; i < c->n; i++) {
        const gs_config_row *row = c->e[i].row;

        known_section = known_section || (section && strcmp(row->section, section) == 0);
        if (strcmp(row->key, key) == 0) elsewhere = row;
    }
    if (section && !known_section) {
        for (int i = 0; i < c->n; i++) names[n++] = c->e[i].row->section;
        near = gs_nearest(section, names, n);
        st = gs_fail(GS_ECONFIG, near ? "%s: unknown section [%.60s]; did you mean [%s]?" : "%s: unknown section [%.60s]",
                     where, section, near);
    } else if (section && elsewhere) {
        st = gs_fail(GS_ECONFIG, "%s: unknown key '%s' in [%s]; it belongs in [%s]", where, key, section,
                     elsewhere->section);
    } else {
        for (int i = 0; i < c->n; i++)
            if (!section || strcmp(c->e[i].row->section, section) == 0) names[n++] = c->e[i].row->key;
        near = gs_nearest(key, names, n);
        st = gs_fail(GS_ECONFIG, "%s: unknown key '%.60s'%s%.60s%s%s%s%s", where, key, section ? " in [" : "",
                     section ? section : "", section ? "]" : "", near ? "; did you mean '" : "", near ? near : "",
                     near ? "'?" : "");
    }
    free(names);
    return st;
}

static char *trimmed(const char *s, size_t n)
{
    while (n && (*s == ' ' || *s == '\t')) s++, n--;
    while (n && (s[n - 1] == ' ' || s[n - 1] == '\t')) n--;
    return strndup(s, n);
}

gs_status gs_config_set(gs_config *c, const char *setting)
{
    const char *equal = strchr(setting, '='), *dot = strchr(setting, '.');
    char *section = NULL, *key = NULL, *value = NULL, where[80];
    gs__config_entry *e;
    gs_status st = GS_OK;

    snprintf(where, sizeof where, "--set %.64s", setting);
    if (!equal || !dot || dot > equal)
        return gs_fail(GS_ECONFIG, "--set %.100s: wanted section.key=value", setting);
    section = trimmed(setting, (size_t)(dot - setting));
    key = trimmed(dot + 1, (size_t)(equal - dot - 1));
    value = trimmed(equal + 1, strlen(equal + 1));
    e = gs__config_find(c, section, key);
    TRY(e ? GS_OK : gs__config_unknown(c, section, key, where));
    TRY(gs__config_assign(e, value, "--set"));
    e->set = true;
done:
    free(section);
    free(key);
    free(value);
    return st;
}

gs_status gs_config_default(gs_config *c, const char *section, const char *key, const char *text)
{
    gs__config_entry *e = gs__config_find(c, section, key);

    if (!e) return gs__config_unknown(c, section, key, "default");
    if (e->set && !gs_config_is_auto(c, section, key)) return GS_OK;
    return gs__config_assign(e, text, "default");
}

gs_status gs_config_check(const gs_config *c)
{
    for (int i = 0; i < c->n; i++) {
        const gs_config_row *row = c->e[i].row;

        if (!c->e[i].text)
            return gs_fail(GS_ECONFIG, "[%s] %s must be given (%s): write it into the config or use --set %s.%s=...",
                           row->section, row->key, row->help, row->section, row->key);
    }
    return GS_OK;
}

/* The entry of a key that the program itself names, with its value present. */
static const gs__config_entry *get(const gs_config *c, const char *section, const char *key)
{
    const gs__config_entry *e = gs__config_find(c, section, key);

    assert(e && "no row for this key");
    assert(e->text && "gs_config_check was not called");
    return e;
}

/* A number must not be taken from a key that is still "auto". */
static const gs__config_entry *get_typed(const gs_config *c, const char *section, const char *key, gs_config_type type)
{
    const gs__config_entry *e = get(c, section, key);

    assert(e->row->type == type && "key has another type");
    assert(!gs_config_is_auto(c, section, key) && "key is still auto");
    (void)type;
    return e;
}

int64_t gs_config_int(const gs_config *c, const char *section, const char *key)
{
    int64_t v = 0;

    gs_parse_i64(get_typed(c, section, key, GS_CONFIG_INT)->text, &v); /* not .number: exact beyond 2^53 too */
    return v;
}

double gs_config_real(const gs_config *c, const char *section, const char *key)
{
    return get_typed(c, section, key, GS_CONFIG_REAL)->number;
}

bool gs_config_bool(const gs_config *c, const char *section, const char *key)
{
    return get_typed(c, section, key, GS_CONFIG_BOOL)->number != 0;
}

const char *gs_config_str(const gs_config *c, const char *section, const char *key)
{
    return get(c, section, key)->text;
}

double gs_config_bytes(const gs_config *c, const char *section, const char *key)
{
    return get_typed(c, section, key, GS_CONFIG_BYTES)->number;
}

int gs_config_choice(const gs_config *c, const char *section, const char *key)
{
    return (int)get_typed(c, section, key, GS_CONFIG_CHOICE)->number;
}

int gs_config_ints(const gs_config *c, const char *section, const char *key, const int64_t **v)
{
    const gs__config_entry *e = get_typed(c, section, key, GS_CONFIG_INTS);

    if (v) *v = e->ints;
    return e->n_ints;
}

bool gs_config_is_auto(const gs_config *c, const char *section, const char *key)
{
    const gs__config_entry *e = get(c, section, key);

    return e->row->preset && strcmp(e->row->preset, "auto") == 0 && strcmp(e->text, "auto") == 0;
}

bool gs_config_is_set(const gs_config *c, const char *section, const char *key)
{
    const gs__config_entry *e = gs__config_find(c, section, key);

    assert(e && "no row for this key");
    return e->set;
}

const char *gs_config_text(void *user, const char *section, const char *key)
{
    const gs__config_entry *e = gs__config_find(user, section, key);

    return e ? e->text : NULL;
}
