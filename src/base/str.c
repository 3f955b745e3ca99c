/* Text: growable strings, strict number parsers, suggestions for misspelt names, figures for people. */
#include "base/base.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void reserve(gs_str *s, size_t more)
{
    size_t want;

    if (__builtin_add_overflow(s->len + 1, more, &want)) want = SIZE_MAX;
    if (want <= s->cap) return;
    if (want < SIZE_MAX / 2) want = GS_MAX(want, 2 * s->cap);
    s->data = gs_xrealloc(s->data, want);
    s->cap = want;
}

void gs_str_append(gs_str *s, const void *bytes, size_t n)
{
    reserve(s, n);
    if (n) memcpy(s->data + s->len, bytes, n);
    s->len += n;
    s->data[s->len] = '\0';
}

void gs_str_printf(gs_str *s, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) return;
    reserve(s, (size_t)n);
    va_start(ap, fmt);
    vsnprintf(s->data + s->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    s->len += (size_t)n;
}

void gs_str_free(gs_str *s)
{
    free(s->data);
    *s = (gs_str){0};
}

const char *gs_str_c(const gs_str *s)
{
    return s->data ? s->data : "";
}

/* Insertions, deletions, changes and swaps of neighbours cost one each (optimal string alignment). Three rows
 * suffice. */
int gs_edit_distance(const char *a, const char *b)
{
    const size_t na = strlen(a), nb = strlen(b);
    int *rows = gs_xalloc(3 * (nb + 1) * sizeof(int));
    int *older = rows, *old = rows + nb + 1, *now = rows + 2 * (nb + 1), result;

    for (size_t j = 0; j <= nb; j++) old[j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        int *t;

        now[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            int d = old[j - 1] + (a[i - 1] != b[j - 1]);

            d = GS_MIN(d, old[j] + 1);
            d = GS_MIN(d, now[j - 1] + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d = GS_MIN(d, older[j - 2] + 1);
            now[j] = d;
        }
        t = older, older = old, old = now, now = t;
    }
    result = old[nb];
    free(rows);
    return result;
}

/* Near enough: a third of the letters may differ, and at least one letter must be right. */
const char *gs_nearest(const char *s, const char *const *names, int n)
{
    const size_t len = strlen(s);
    const char *best = NULL;
    int least;

    if (len > 200) return NULL; /* no name is that long, and the distance costs its square */
    least = (int)(len + 2) / 3 + 1;
    for (int i = 0; i < n; i++) {
        const int d = gs_edit_distance(s, names[i]);

        if (d < least && d < (int)GS_MAX(len, strlen(names[i]))) {
            least = d;
            best = names[i];
        }
    }
    return best;
}

bool gs_parse_i64(const char *s, int64_t *out)
{
    const char *digits = s + (*s == '-' || *s == '+');
    long long v;

    if (!*digits || digits[strspn(digits, "0123456789")]) return false;
    errno = 0;
    v = strtoll(s, NULL, 10);
    if (errno) return false;
    *out = v;
    return true;
}

bool gs_parse_f64(const char *s, double *out)
{
    locale_t c;
    char *end;
    double v;

    /* this also keeps out leading blanks, hexadecimal, "inf" and "nan" */
    if (!*s || s[strspn(s, "+-.0123456789eE")]) return false;
    c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c) return false;
    v = strtod_l(s, &end, c);
    freelocale(c);
    if (end == s || *end || !isfinite(v)) return false;
    *out = v;
    return true;
}

const char *gs_bytes_text(char buf[32], double bytes)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    int u = 0;

    while (fabs(bytes) >= 1023.95 && u + 1 < (int)GS_COUNT(unit)) { /* not 1024: 1023.96 would print as 1024.0 */
        bytes /= 1024;
        u++;
    }
    snprintf(buf, 32, u ? "%.1f %s" : "%.0f %s", bytes, unit[u]);
    return buf;
}

bool gs_lists(const char *list, const char *word)
{
    const size_t n = strlen(word);

    for (const char *c = list; c && (c = strstr(c, word)); c += n)
        if ((c == list || c[-1] == ',') && (c[n] == 0 || c[n] == ',')) return true;
    return false;
}

const char *gs_count_text(char buf[32], int64_t n)
{
    uint64_t v = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    char *p = buf + 31;
    int digits = 0;

    *p = '\0';
    do {
        if (digits && digits % 3 == 0) *--p = ' ';
        *--p = (char)('0' + v % 10);
        digits++;
    } while (v /= 10);
    if (n < 0) *--p = '-';
    memmove(buf, p, strlen(p) + 1);
    return buf;
}

const char *gs_rate_text(char buf[32], double v)
{
    if (v >= 9.95) return gs_count_text(buf, (int64_t)(v + 0.5));
    snprintf(buf, 32, "%.*f", v >= 0.995 ? 1 : v >= 0.0995 ? 2 : v >= 0.00995 ? 3 : 4, v);
    return buf;
}

const char *gs_seconds_text(char buf[32], double seconds)
{
    long long s;

    if (!(seconds >= 0 && seconds < 1e12)) return strcpy(buf, "?");
    s = llround(seconds);
    if (s >= 3600)
        snprintf(buf, 32, "%lldh%02lldm", s / 3600, s / 60 % 60);
    else if (s >= 60)
        snprintf(buf, 32, "%lldm%02llds", s / 60, s % 60);
    else
        snprintf(buf, 32, "%llds", s);
    return buf;
}
