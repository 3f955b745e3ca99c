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

/* The arguments may point into last_error itself (a caller quoting gs_last_error()), so the sentence is built aside. */
gs_status gs_fail(gs_status code, const char *fmt, ...)
{
    char text[sizeof last_error];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
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
    n = strlen(text);
    snprintf(text + n, sizeof text - n, ": %s", last_error);
    snprintf(last_error, sizeof last_error, "%.*s", (int)sizeof last_error - 1, text); /* a long chain loses its end */
    return code;
}
