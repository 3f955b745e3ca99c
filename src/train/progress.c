/* See the header. */
#include "train/progress.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LIVE_SECONDS  0.1
#define PLAIN_SECONDS 10.0
#define RATE_SECONDS  1.0  /* the rate is taken over at least so long */
#define BAR 24

void gs__show_start(gs__show *s, const gs_train_opts *o)
{
    const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");

    *s = (gs__show){ .o = o, .last = -1e9 };
    s->live = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    s->colour = s->live && !(no_colour && *no_colour);
}

/* Takes the live line off the screen, so that other text can stand there. */
static void wipe(gs__show *s)
{
    if (s->width > 0) fprintf(stderr, "\r%*s\r", s->width, "");
    if (s->width > 0) fflush(stderr);
    s->width = 0;
}

void gs__show_line(gs__show *s, const char *text)
{
    if (s->o->line) {
        s->o->line(s->o->user, text);
    } else if (!s->o->quiet) {
        wipe(s);
        printf("%s\n", text);
        fflush(stdout); /* whoever follows the run sees the line when it is true */
    }
}

void gs__show_note(gs__show *s, const char *text)
{
    if (s->o->quiet || s->o->line) return;
    wipe(s);
    fprintf(stderr, "%s\n", text);
}

void gs__show_begin_steps(gs__show *s, int64_t step)
{
    s->start = s->rate_time = gs_now();
    s->first_step = step;
    s->rate_images = 0;
    s->rate_steps = 0;
}

void gs__progress_text(char *text, size_t size, const gs_train_progress *p)
{
    char images[32], pace[32], left[32];
    int n = snprintf(text, size, "epoch %lld/%lld  batch %d/%d  step %lld", (long long)p->epoch, (long long)p->epochs, p->batch, p->batches,
                     (long long)p->step);

    if (p->images_per_second > 0) n += snprintf(text + n, size - (size_t)n, "  %s images/s", gs_rate_text(images, p->images_per_second));
    if (p->seconds_per_step >= 0.995) n += snprintf(text + n, size - (size_t)n, "  %s s/step", gs_rate_text(pace, p->seconds_per_step));
    if (p->eta >= 0) snprintf(text + n, size - (size_t)n, "  ETA %s", gs_seconds_text(left, p->eta));
}

static int columns(void)
{
    struct winsize w = { 0 };

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

static void draw_live(gs__show *s, const gs_train_progress *p, const char *text)
{
    const int room = columns() - 1, bar = room > (int)strlen(text) + BAR + 3 ? BAR : 0;
    const int done = p->steps > 0 ? (int)(p->step * bar / p->steps) : 0;
    char line[BAR + 1];

    for (int i = 0; i < bar; i++) line[i] = i < done ? '#' : '.';
    line[bar] = 0;
    wipe(s);
    if (bar) fprintf(stderr, s->colour ? "\033[32m%.*s\033[90m%s\033[0m " : "%.*s%s ", GS_MIN(done, bar), line, line + GS_MIN(done, bar));
    fprintf(stderr, "%.*s", room - (bar ? bar + 1 : 0), text);
    fflush(stderr);
    s->width = GS_MIN((int)strlen(text) + (bar ? bar + 1 : 0), room);
}

void gs__show_progress(gs__show *s, gs_train_progress *p, int images)
{
    const double now = gs_now(), elapsed = now - s->rate_time;
    const int64_t done = p->step - s->first_step;
    const bool last = p->step == p->steps;
    char text[256];

    s->rate_images += images;
    s->rate_steps++;
    if (elapsed >= RATE_SECONDS || (s->rate == 0 && elapsed >= LIVE_SECONDS) || (last && s->rate == 0 && elapsed > 0)) {
        s->rate = s->rate_images / elapsed;
        s->pace = elapsed / (double)s->rate_steps;
        s->rate_images = 0;
        s->rate_steps = 0;
        s->rate_time = now;
    }
    p->images_per_second = s->rate;
    p->seconds_per_step = s->pace;
    p->eta = done > 0 && now - s->start > LIVE_SECONDS ? (now - s->start) / (double)done * (double)(p->steps - p->step) : -1;
    if (!last && now - s->last < (s->live || s->o->progress ? LIVE_SECONDS : PLAIN_SECONDS)) return;
    s->last = now;
    if (s->o->progress) {
        s->o->progress(s->o->user, p);
        return;
    }
    if (s->o->quiet || s->o->line) return;
    gs__progress_text(text, sizeof text, p);
    if (s->live) draw_live(s, p, text);
    else fprintf(stderr, "%s\n", text);
}

void gs__show_end(gs__show *s)
{
    wipe(s);
}
