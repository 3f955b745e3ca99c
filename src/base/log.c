/* Warnings, debug lines and the clock. */
#include "base/base.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* keeps lines whole, guards the callback */
static gs_log_fn *log_fn;
static void *log_user;
static pthread_once_t level_once = PTHREAD_ONCE_INIT;
static int level_now;

static void read_level(void)
{
    const char *s = getenv("GESSO_DEBUG");
    int64_t v;

    if (s && gs_parse_i64(s, &v)) level_now = (int)GS_MIN(GS_MAX(v, 0), 9);
}

int gs_debug_level(void)
{
    pthread_once(&level_once, read_level);
    return level_now;
}

void gs_debug(int level, const char *fmt, ...)
{
    va_list ap;

    if (gs_debug_level() < level) return;
    pthread_mutex_lock(&lock);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    pthread_mutex_unlock(&lock);
}

void gs_log_set(gs_log_fn *fn, void *user)
{
    pthread_mutex_lock(&lock);
    log_fn = fn;
    log_user = user;
    pthread_mutex_unlock(&lock);
}

void gs_warn(const char *fmt, ...)
{
    char line[2048];
    gs_log_fn *fn;
    void *user;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    pthread_mutex_lock(&lock);
    fn = log_fn;
    user = log_user;
    if (!fn) fprintf(stderr, "warning: %s\n", line);
    pthread_mutex_unlock(&lock);
    if (fn) fn(line, user); /* outside the lock: the callback may warn itself */
}

double gs_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
