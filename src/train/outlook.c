/* See the header. */
#include "train/outlook.h"

#include <stdlib.h>
#include <string.h>

static const char *duration(char buf[32], double seconds)
{
    if (seconds < 48 * 3600.0) return gs_seconds_text(buf, seconds);
    snprintf(buf, 32, "%.1f days", seconds / 86400);
    return buf;
}

static double memory(const gs_setup_memory *m)
{
    return (double)(m->state + m->workspace + m->constants);
}

/* One setting beside those of s, whose configuration is the text. */
static void alternative(const gs_setup *s, gs_device *d, const char *text, const char *setting, const gs_setup_memory *need, double seconds, gs_str *out)
{
    gs_setup_memory m;
    gs_setup *other = NULL;
    char time[32], bytes[32];

    if (gs_setup_parse(text, s->system->name, &setting, 1, &other) == GS_OK && gs_setup_fits(other, d, &m) == GS_OK && m.flops < need->flops) {
        const double part = m.flops / need->flops;

        gs_str_printf(out, "\n  %-24s %5.1f %% of the work, %s, %s", setting, 100 * part, duration(time, seconds * part), gs_bytes_text(bytes, memory(&m)));
    }
    gs_setup_free(other);
}

void gs_outlook(const gs_setup *s, gs_device *d, const gs_setup_memory *need, double pace, int64_t left, int64_t steps, time_t now, gs_str *out)
{
    const time_t end = now + (time_t)(pace * (double)left);
    const char *length = s->system->length;
    char date[32] = "?", a[32], b[32], n[32];
    gs_str text = { 0 };
    struct tm tm;

    if (localtime_r(&end, &tm)) strftime(date, sizeof date, "%Y-%m-%d %H:%M", &tm);
    gs_str_printf(out, "%.3g s a step: %s steps are left, done about %s (in %s)", pace, gs_count_text(n, left), date, duration(a, pace * (double)left));
    if (!s->system->cheaper && !length) return;
    gs_str_printf(out, "\ncheaper than %s for all %s steps, %s:", duration(a, pace * (double)steps), gs_count_text(n, steps), gs_bytes_text(b, memory(need)));
    gs_config_write(s->config, &text);
    for (int i = 0; s->system->cheaper && s->system->cheaper[i]; i++)
        alternative(s, d, gs_str_c(&text), s->system->cheaper[i], need, pace * (double)steps, out);
    if (length) {
        char setting[64];

        snprintf(setting, sizeof setting, "%s=%lld", length, (long long)(steps / 4));
        gs_str_printf(out, "\n  %-24s  25.0 %% of the work, %s", setting, duration(b, pace * (double)steps / 4));
    }
    gs_str_free(&text);
}
