/* See the header. */
#include "device/tuning.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "device/kernels.h"

#define HEADING "gesso tuning 1"
enum { MAX_FILE = 4 << 20, MAX_ENTRIES = 16384 };

struct gs_tuning {
    uint64_t key;
    char *path;      /* NULL: in memory only */
    gs_verdict_entry *verdicts; int n_verdicts, cap_verdicts;
    gs_choice *choices; int n_choices, cap_choices;
};

typedef struct gs_tuning table;

static void clear(table *t)
{
    free(t->verdicts);
    free(t->choices);
    t->verdicts = NULL;
    t->choices = NULL;
    t->n_verdicts = t->cap_verdicts = t->n_choices = t->cap_choices = 0;
}

/* ---- what a store belongs to ---- */

static uint64_t kernels_hash(void)
{
    uint64_t hash = gs_hash_str(GS_VERSION);

    for (const gs_kernel_file *f = gs__kernel_files; f->name; f++) {
        char *text;

        if (gs_kernel_text(f->name, &text) != GS_OK) continue; /* building says so, with the reason */
        hash = gs_hash64(text, strlen(text), hash);
        free(text);
    }
    return hash;
}

static uint64_t key_of(const gs_device_info *d)
{
    const char *const part[] = { d->platform, d->vendor, d->name, d->driver, d->version };
    uint64_t key = kernels_hash();

    for (size_t i = 0; i < GS_COUNT(part); i++) key = gs_hash64(part[i], strlen(part[i]) + 1, key);
    return key;
}

static char *path_of(const gs_device *d, uint64_t key)
{
    const char *dir = getenv("GESSO_TUNING");
    char *base = NULL, *folder, *path;
    char name[32];

    if (d->info.kind == GS_NULL || (dir && strcmp(dir, "off") == 0)) return NULL;
    if (!dir || !*dir) {
        if (gs_cache_dir(&base) != GS_OK) {
            gs_debug(1, "tuning: %s", gs_last_error());
            return NULL;
        }
        folder = gs_path_join(base, "tuning");
    } else {
        folder = gs_xstrdup(dir);
    }
    snprintf(name, sizeof name, "%016llx.txt", (unsigned long long)key);
    path = gs_path_join(folder, name);
    free(base);
    free(folder);
    return path;
}

/* ---- entries ---- */

static bool is_name(const char *s)
{
    const size_t n = strlen(s);

    return n > 0 && n < GS_TUNING_NAME && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:/_-") == n;
}

static gs_verdict_entry *find_verdict(const table *t, const char *variant)
{
    for (int i = 0; i < t->n_verdicts; i++)
        if (strcmp(t->verdicts[i].variant, variant) == 0) return &t->verdicts[i];
    return NULL;
}

static gs_choice *find_choice(const table *t, const char *class)
{
    for (int i = 0; i < t->n_choices; i++)
        if (strcmp(t->choices[i].class, class) == 0) return &t->choices[i];
    return NULL;
}

/* A sentence on one line, of printable characters. */
static void one_line(char *dst, size_t size, const char *src)
{
    snprintf(dst, size, "%s", src ? src : "");
    for (char *p = dst; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127) *p = ' ';
}

static gs_status put_verdict(table *t, const char *variant, gs_verdict verdict, const char *why)
{
    gs_verdict_entry e = { .verdict = verdict }, *old;

    if (!is_name(variant)) return gs_fail(GS_EINVAL, "\"%.100s\" is no name of a variant", variant);
    snprintf(e.variant, sizeof e.variant, "%s", variant);
    if (verdict == GS_WRONG) one_line(e.why, sizeof e.why, why);
    old = find_verdict(t, variant);
    if (old) {
        *old = e;
        return GS_OK;
    }
    if (t->n_verdicts == MAX_ENTRIES) return gs_fail(GS_ELIMIT, "more than %d verdicts", MAX_ENTRIES);
    GS_PUSH(t->verdicts, t->n_verdicts, t->cap_verdicts, e);
    return GS_OK;
}

static gs_status put_choice(table *t, const gs_choice *c)
{
    gs_choice *old;

    if (!is_name(c->class) || !is_name(c->variant) || !is_name(c->preset))
        return gs_fail(GS_EINVAL, "\"%.100s %.100s %.100s\" is no choice of a variant for a class", c->class, c->variant, c->preset);
    if (!(c->seconds > 0 && c->seconds <= 1e6 && c->preset_seconds > 0 && c->preset_seconds <= 1e6)) /* 1e6: the file rounds up to it */
        return gs_fail(GS_EINVAL, "%s: times of %g and %g s are not in 0..1e6", c->class, c->seconds, c->preset_seconds);
    old = find_choice(t, c->class);
    if (old) {
        *old = *c;
        return GS_OK;
    }
    if (t->n_choices == MAX_ENTRIES) return gs_fail(GS_ELIMIT, "more than %d choices", MAX_ENTRIES);
    GS_PUSH(t->choices, t->n_choices, t->cap_choices, *c);
    return GS_OK;
}

/* ---- text ---- */

static void to_text(const table *t, const gs_device_info *d, gs_str *s)
{
    char name[sizeof d->name];

    gs_str_printf(s, HEADING "\nkey %016llx\n", (unsigned long long)t->key);
    one_line(name, sizeof name, d->name);
    gs_str_printf(s, "device %s\n", name);
    one_line(name, sizeof name, d->platform);
    gs_str_printf(s, "platform %s\n", name);
    one_line(name, sizeof name, d->driver);
    gs_str_printf(s, "driver %s\n", name);
    for (int i = 0; i < t->n_verdicts; i++) {
        const gs_verdict_entry *v = &t->verdicts[i];

        gs_str_printf(s, "verdict %s %s%s%s\n", v->variant, v->verdict == GS_WRONG ? "wrong" : "right", *v->why ? " " : "", v->why);
    }
    for (int i = 0; i < t->n_choices; i++) {
        const gs_choice *c = &t->choices[i];

        gs_str_printf(s, "choice %s %s %.6g %s %.6g\n", c->class, c->variant, c->seconds, c->preset, c->preset_seconds);
    }
    gs_str_printf(s, "end %016llx\n", (unsigned long long)gs_hash64(s->data, s->len, 0));
}

/* The next word of a line, cut off; "" at its end. */
static char *word(char **at)
{
    char *w = *at + strspn(*at, " "), *end = w + strcspn(w, " ");

    *at = *end ? end + 1 : end;
    *end = '\0';
    return w;
}

static gs_status parse_verdict(table *t, char *at)
{
    const char *variant = word(&at), *which = word(&at);
    const bool wrong = strcmp(which, "wrong") == 0;

    if (!wrong && strcmp(which, "right") != 0) return gs_fail(GS_EFORMAT, "a verdict is right or wrong, not \"%.40s\"", which);
    return put_verdict(t, variant, wrong ? GS_WRONG : GS_RIGHT, at);
}

static gs_status parse_choice(table *t, char *at)
{
    const char *w[5];
    gs_choice c = { 0 };

    for (size_t i = 0; i < GS_COUNT(w); i++) w[i] = word(&at); /* C leaves open in which order an initialiser's calls come */
    if (!gs_parse_f64(w[2], &c.seconds) || !gs_parse_f64(w[4], &c.preset_seconds) || *at)
        return gs_fail(GS_EFORMAT, "a choice is a class, a variant, seconds, a variant and seconds");
    if (!is_name(w[0]) || !is_name(w[1]) || !is_name(w[3])) return gs_fail(GS_EFORMAT, "bad characters in a name, or one too long");
    snprintf(c.class, sizeof c.class, "%s", w[0]);
    snprintf(c.variant, sizeof c.variant, "%s", w[1]);
    snprintf(c.preset, sizeof c.preset, "%s", w[3]);
    return put_choice(t, &c);
}

/* Lines of a text whose checksum is right. A key other than t->key: *foreign, and nothing more is read. */
static gs_status parse_lines(table *t, char *text, const char *name, bool *foreign, gs_str *whose)
{
    int number = 0;
    bool keyed = false;

    for (char *line = text, *next; line && *line; line = next) {
        char *end = strchr(line, '\n'), *at = line, *kind;
        gs_status st = GS_OK;

        next = end ? end + 1 : NULL;
        if (end) *end = '\0';
        number++;
        if (number == 1) continue; /* the heading, looked at by the caller */
        kind = word(&at);
        if (strcmp(kind, "key") == 0) {
            char want[24];

            snprintf(want, sizeof want, "%016llx", (unsigned long long)t->key);
            *foreign = strcmp(at, want) != 0;
            keyed = true;
        } else if (strcmp(kind, "device") == 0 || strcmp(kind, "platform") == 0 || strcmp(kind, "driver") == 0) {
            char clean[128];

            one_line(clean, sizeof clean, at); /* it may be shown on a terminal */
            gs_str_printf(whose, "%s%s %s", whose->len ? ", " : "", kind, clean);
        } else if (*foreign) {
            return GS_OK;
        } else if (strcmp(kind, "verdict") == 0) {
            st = parse_verdict(t, at);
        } else if (strcmp(kind, "choice") == 0) {
            st = parse_choice(t, at);
        } else if (strcmp(kind, "end") != 0) {
            st = gs_fail(GS_EFORMAT, "there is no kind of entry \"%.40s\"", kind);
        }
        if (st != GS_OK) {
            char *fault = gs_xstrdup(gs_last_error());

            st = gs_fail(GS_EFORMAT, "%s: line %d: %s", name, number, fault);
            free(fault);
            return st;
        }
        if (number > 2 && !keyed) break;
    }
    return keyed ? GS_OK : gs_fail(GS_EFORMAT, "%s: line 2: a key was expected", name);
}

/* Text into an empty table with a key. Any fault leaves the table empty. */
static gs_status from_text(table *t, const char *text, const char *name, bool *foreign, gs_str *whose)
{
    char *copy = gs_xstrdup(text), *end = strstr(copy, "\nend ");
    char want[32];
    gs_status st = GS_OK;

    *foreign = false;
    if (strncmp(copy, HEADING "\n", strlen(HEADING "\n")) != 0)
        TRY(gs_fail(GS_EFORMAT, "%s: line 1: it does not begin with \"%s\": not a store of tuning of this version", name, HEADING));
    if (end) snprintf(want, sizeof want, "end %016llx\n", (unsigned long long)gs_hash64(copy, (size_t)(end + 1 - copy), 0));
    if (!end || strcmp(end + 1, want) != 0)
        TRY(gs_fail(GS_EFORMAT, "%s: it is cut off or was changed: the checksum in its last line does not fit", name));
    TRY(parse_lines(t, copy, name, foreign, whose));
done:
    if (st != GS_OK || *foreign) clear(t);
    free(copy);
    return st;
}

/* The file's entries; none with a warning when it is no good. */
static void read_file(table *t)
{
    uint8_t *data = NULL;
    gs_str whose = { 0 };
    bool foreign = false;
    size_t size;
    gs_status st;

    clear(t);
    if (!t->path || !gs_file_exists(t->path)) return;
    st = gs_file_read(t->path, MAX_FILE, &data, &size);
    if (st == GS_OK && memchr(data, 0, size)) st = gs_fail(GS_EFORMAT, "%s: it holds bytes of zero: not a text", t->path);
    if (st == GS_OK) st = from_text(t, (const char *)data, t->path, &foreign, &whose);
    if (st != GS_OK)
        gs_warn("%s; it is ignored, and \"gesso check\" and \"gesso tune\" write it anew", gs_last_error());
    else if (foreign)
        gs_warn("%s: it is of another device, driver or set of kernels (%s); it is ignored", t->path, gs_str_c(&whose));
    gs_str_free(&whose);
    free(data);
}

static table *of(gs_device *d)
{
    if (!d->tuning) {
        d->tuning = gs_xalloc(sizeof *d->tuning);
        d->tuning->key = key_of(&d->info);
        d->tuning->path = path_of(d, d->tuning->key);
        read_file(d->tuning);
    }
    return d->tuning;
}

/* ---- asking ---- */

gs_verdict_entry *gs_tuning_verdict(gs_device *d, const char *variant) { return find_verdict(of(d), variant); }
const gs_choice *gs_tuning_choice(gs_device *d, const char *class) { return find_choice(of(d), class); }
gs_verdict_entry *gs_tuning_verdict_at(gs_device *d, int i) { return i < of(d)->n_verdicts ? &of(d)->verdicts[i] : NULL; }
const gs_choice *gs_tuning_choice_at(gs_device *d, int i) { return i < of(d)->n_choices ? &of(d)->choices[i] : NULL; }
char *gs_tuning_path(gs_device *d) { return of(d)->path ? gs_xstrdup(of(d)->path) : NULL; }

char *gs_tuning_text(gs_device *d)
{
    gs_str s = { 0 };

    to_text(of(d), &d->info, &s);
    return s.data;
}

/* ---- writing ---- */

/* Takes the folder's lock, which goes with the process however that ends, and reads what others have written. */
static gs_status begin(table *t, int *lock)
{
    char *folder, *slash;
    gs_status st;

    *lock = -1;
    if (!t->path) return GS_OK;
    folder = gs_xstrdup(t->path);
    slash = strrchr(folder, '/');
    if (slash) *slash = '\0';
    st = gs_mkdirs(slash ? folder : ".");
    if (st == GS_OK) {
        *lock = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (*lock >= 0) flock(*lock, LOCK_EX); /* file systems without locks: the last writer wins */
        read_file(t);
    }
    free(folder);
    return st;
}

static gs_status end(gs_device *d, int lock)
{
    gs_str s = { 0 };
    gs_status st = GS_OK;

    if (of(d)->path) {
        to_text(of(d), &d->info, &s);
        st = s.len < MAX_FILE ? gs_file_write(of(d)->path, s.data, s.len) : gs_fail(GS_ELIMIT, "%s would be too long", of(d)->path);
        gs_str_free(&s);
    }
    if (lock >= 0) close(lock);
    return st;
}

gs_status gs_tuning_set_verdict(gs_device *d, const char *variant, gs_verdict verdict, const char *why)
{
    int lock;
    const gs_status ready = begin(of(d), &lock), st = put_verdict(of(d), variant, verdict, why); /* in memory, whatever becomes of the file */
    const gs_status written = ready == GS_OK ? end(d, lock) : ready;

    return st == GS_OK ? written : st;
}

gs_status gs_tuning_set_choice(gs_device *d, const gs_choice *c)
{
    int lock;
    const gs_status ready = begin(of(d), &lock), st = put_choice(of(d), c); /* in memory, whatever becomes of the file */
    const gs_status written = ready == GS_OK ? end(d, lock) : ready;

    return st == GS_OK ? written : st;
}

gs_status gs_tuning_forget_choices(gs_device *d)
{
    int lock;
    const gs_status ready = begin(of(d), &lock);

    of(d)->n_choices = 0;
    return ready == GS_OK ? end(d, lock) : ready;
}

gs_status gs_tuning_use(gs_device *d, const char *text, const char *name, bool *foreign, bool *worse)
{
    table *now = of(d), *t = gs_xalloc(sizeof *t);
    gs_str whose = { 0 };
    gs_status st;

    *worse = false;
    *foreign = false;
    t->key = now->key;
    st = text ? from_text(t, text, name, foreign, &whose) : GS_OK;
    if (st == GS_OK && !*foreign) {
        for (int i = 0; i < now->n_verdicts && st == GS_OK; i++) {
            const gs_verdict_entry *v = &now->verdicts[i], *former = find_verdict(t, v->variant);

            if (v->verdict != GS_WRONG || (former && former->verdict == GS_WRONG)) continue;
            *worse = true;
            st = put_verdict(t, v->variant, GS_WRONG, v->why);
        }
    }
    if (st == GS_OK && !*foreign) {
        gs__tuning_free(d);
        d->tuning = t;
        t = NULL;
    }
    if (t) {
        clear(t);
        free(t);
    }
    gs_str_free(&whose);
    return st;
}

void gs__tuning_free(gs_device *d)
{
    if (!d->tuning) return;
    clear(d->tuning);
    free(d->tuning->path);
    free(d->tuning);
    d->tuning = NULL;
}
