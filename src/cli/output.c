/* What commands print: JSON, the check that it arrived, and the line of progress. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli.h"

void cli_print_json(cJSON *json)
{
    char *text = cJSON_Print(json);

    if (text) printf("%s\n", text);
    cJSON_free(text);
    cJSON_Delete(json);
}

void cli_json_shape(cJSON *object, const char *key, const int64_t *dim, int rank)
{
    cJSON *list = cJSON_AddArrayToObject(object, key);

    for (int i = 0; i < rank; i++) cJSON_AddItemToArray(list, cJSON_CreateNumber((double)dim[i]));
}

gs_status cli_flush(bool *quiet)
{
    *quiet = false;
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return GS_OK;
    *quiet = errno == EPIPE;
    return gs_fail(GS_EIO, "standard output: %s", errno ? strerror(errno) : "a write failed");
}

/* ---- progress ---- */

enum { LIVE_MS = 100, PLAIN_MS = 10000 }; /* between lines on a terminal and elsewhere */

cli_progress cli_progress_start(bool quiet)
{
    const char *term = getenv("TERM");

    return (cli_progress){ .quiet = quiet, .live = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0, .last = -1e9 };
}

static int columns(void)
{
    struct winsize w = { 0 };

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

void cli_progress_line(cli_progress *p, bool last, const char *fmt, ...)
{
    const double now = gs_now();
    char text[512];
    va_list ap;

    if (p->quiet || (!last && now - p->last < (p->live ? LIVE_MS : PLAIN_MS) / 1000.0)) return;
    p->last = now;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (!p->live) {
        fprintf(stderr, "%s\n", text);
        return;
    }
    if ((int)strlen(text) >= columns()) text[columns() - 1] = 0;
    fprintf(stderr, "\r%s%*s", text, GS_MAX(p->width - (int)strlen(text), 0), "");
    p->width = (int)strlen(text);
    fflush(stderr);
}

void cli_progress_log(cli_progress *p, const char *text)
{
    if (p->live && p->width > 0) fprintf(stderr, "\r%*s\r", p->width, "");
    fprintf(stderr, "%s\n", text);
    p->width = 0;
    if (!p->live) p->last = gs_now(); /* a log line says as much */
}

void cli_progress_end(cli_progress *p)
{
    if (p->live && p->width > 0) fprintf(stderr, "\n");
    p->width = 0;
}
