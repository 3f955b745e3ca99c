/* Status codes and the sentence of the thread's last failure. */
#include "base/base.h"

#include <string.h>

static _Thread_local char last_error[2048];

const char *gs_status_text(gs_status st)
{
    static const char *const text[] = {
#define X(code, words, exit_status) words,
        GS_STATUS_MAP(X)
#undef X
    };

    return (unsigned)st < GS_STATUS_COUNT ? text[st] : "unknown status";
}

int gs_status_exit(gs_status st)
{
    static const int status[] = {
#define X(code, words, exit_status) exit_status,
        GS_STATUS_MAP(X)
#undef X
    };

    return (unsigned)st < GS_STATUS_COUNT ? status[st] : 1;
}

const char *gs_last_error(void)
{
    return last_error;
}

/* Sentences quote files, which may hold anything: what would steer a terminal shows as question marks. Newlines and
 * tabs stay, since compilers' logs have them; so does UTF-8, but for its own control characters (U+0080 to U+009F). */
static void make_printable(char *s)
{
    for (; *s; s++) {
        const unsigned char c = (unsigned char)*s, next = (unsigned char)s[1];

        if ((c < ' ' && c != '\n' && c != '\t') || c == 127) *s = '?';
        if (c == 0xc2 && next >= 0x80 && next <= 0x9f) s[0] = s[1] = '?';
    }
}

/* The arguments may point into last_error itself (a caller quoting gs_last_error()), so the sentence is built aside. */
gs_status gs_fail(gs_status code, const char *fmt, ...)
{
    char text[sizeof last_error];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    make_printable(text);
    memcpy(last_error, text, strlen(text) + 1);
    return code;
}

gs_status gs_fail_in(gs_status code, const char *fmt, ...)
{
    char text[2 * sizeof last_error];
    va_list ap;
    size_t n;

    if (code == GS_OK) return code;
    va_start(ap, fmt);
    vsnprintf(text, sizeof last_error - 3, fmt, ap);
    va_end(ap);
    make_printable(text);
    n = strlen(text);
    snprintf(text + n, sizeof text - n, ": %s", last_error);
    snprintf(last_error, sizeof last_error, "%.*s", (int)sizeof last_error - 1, text); /* a long chain loses its end */
    return code;
}
