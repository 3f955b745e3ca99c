/* Charts as inline SVG; see the header. */
#include "bench/charts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void gs__html(gs_str *s, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<': gs_str_printf(s, "&lt;"); break;
        case '>': gs_str_printf(s, "&gt;"); break;
        case '&': gs_str_printf(s, "&amp;"); break;
        case '"': gs_str_printf(s, "&quot;"); break;
        case '\'': gs_str_printf(s, "&#39;"); break;
        default: gs_str_append(s, text, 1);
        }
    }
}

static void open_svg(gs_str *s, int w, int h, const char *label)
{
    gs_str_printf(s, "<svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"", w, h, w, h);
    gs__html(s, label);
    gs_str_printf(s, "\">\n");
}

/* class: "label" (dark), "small" (muted); anchor: "start", "middle", "end". */
static void put_text(gs_str *s, double x, double y, const char *class, const char *anchor, const char *text)
{
    gs_str_printf(s, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\" text-anchor=\"%s\">", x, y, class, anchor);
    gs__html(s, text);
    gs_str_printf(s, "</text>\n");
}

static void put_line(gs_str *s, double x1, double y1, double x2, double y2, const char *class)
{
    gs_str_printf(s, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", x1, y1, x2, y2, class);
}

static void put_title(gs_str *s, const char *text)
{
    gs_str_printf(s, "<title>");
    gs__html(s, text);
    gs_str_printf(s, "</title>");
}

/* ---- bars ---- */

enum { LABEL = 150, BAR_WIDTH = 380, BAR = 13, GAP = 10, VALUES = 130, COLUMN = 142 /* of a file's speeds */ };

static double bar_value(const gs__bars *b, const gs_bench_row *r)
{
    return r && !*r->failed ? b->value(r) : 0;
}

static double largest_of(const gs__bars *b, const gs_bench_comparison *c, const gs_bench_line *l)
{
    double most = 0;

    for (int f = 0; f < c->n_files; f++) {
        most = GS_MAX(most, bar_value(b, l->pair[f].row));
        if (b->mark && l->pair[f].row) most = GS_MAX(most, b->mark(l->pair[f].row));
    }
    return most;
}

static bool within_noise(const gs__bars *b, const gs_bench_comparison *c, const gs_bench_line *l, int f)
{
    const gs_bench_row *base = l->pair[c->base].row;

    return b->measured && f != c->base && base && !*base->failed && !l->pair[f].why && gs__is_noise(b->measured(base), b->measured(l->pair[f].row));
}

void gs__chart_bars(gs_str *s, const gs_bench_comparison *c, const gs__bars *b)
{
    double most = 0;
    int rows = 0, y = 6;

    for (int i = 0; i < c->n_lines; i++) {
        const double v = b->wanted(&c->lines[i]) ? largest_of(b, c, &c->lines[i]) : 0;

        rows += v > 0;
        most = GS_MAX(most, v);
    }
    if (rows == 0) return;
    gs_str_printf(s, "<figure><figcaption>%s</figcaption>\n", b->title);
    open_svg(s, LABEL + BAR_WIDTH + VALUES, rows * (c->n_files * BAR + GAP) + 6, b->title);
    for (int i = 0; i < c->n_lines; i++) {
        const gs_bench_line *l = &c->lines[i];
        const double row_most = b->wanted(l) ? largest_of(b, c, l) : 0, scale = BAR_WIDTH / (b->own_scale ? row_most : most);

        if (!(row_most > 0)) continue;
        put_text(s, LABEL - 8, y + 0.5 * c->n_files * BAR + 4, "label", "end", l->of->id);
        for (int f = 0; f < c->n_files; f++, y += BAR) {
            const gs_bench_row *r = l->pair[f].row;
            const double v = bar_value(b, r);
            char text[80];

            if (!(v > 0)) {
                put_text(s, LABEL + 4, y + BAR - 3, "small", "start", l->pair[f].why ? l->pair[f].why : "not measured");
                continue;
            }
            gs_str_printf(s, "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\" class=\"s%d\">", LABEL, y + 1, GS_MAX(v * scale, 1), BAR - 2, f);
            put_title(s, c->files[f].name);
            gs_str_printf(s, "</rect>\n");
            if (b->mark && b->mark(r) > 0) put_line(s, LABEL + b->mark(r) * scale, y, LABEL + b->mark(r) * scale, y + BAR, "mark");
            b->text(r, text, sizeof text);
            if (within_noise(b, c, l, f)) strncat(text, " ~", sizeof text - strlen(text) - 1);
            put_text(s, LABEL + GS_MAX(v * scale, 1) + 5, y + BAR - 3, "small", "start", text);
        }
        y += GAP;
    }
    gs_str_printf(s, "</svg></figure>\n");
}

/* ---- shares ---- */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

void gs__chart_shares(gs_str *s, const gs_bench_comparison *c)
{
    const char *names[31];
    const int n = gs__families(c, names, (int)GS_COUNT(names)), width = 480, lane = 15, top = 22;
    const double most = 1.25; /* tensors that fit the caches go beyond 1 */
    double *v = gs_xalloc((size_t)(c->n_lines + 1) * sizeof *v);
    int y = top;

    if (n == 0) {
        free(v);
        return;
    }
    gs_str_printf(s, "<figure><figcaption>Share of the peak that bounds each op: a dot an op, a tick the median</figcaption>\n");
    open_svg(s, LABEL + width + 60, top + n * (c->n_files * lane + GAP) + 6, "share of the peak");
    for (int t = 0; t <= 5; t++) {
        const double x = LABEL + width * (0.25 * t) / most;
        char text[16];

        snprintf(text, sizeof text, "%d %%", 25 * t);
        put_line(s, x, top - 4, x, top + n * (c->n_files * lane + GAP), t == 4 ? "one" : "grid");
        put_text(s, x, top - 9, "small", "middle", text);
    }
    for (int k = 0; k < n; k++) {
        put_text(s, LABEL - 8, y + 0.5 * c->n_files * lane + 4, "label", "end", names[k]);
        for (int f = 0; f < c->n_files; f++, y += lane) {
            int rows = 0;

            for (int i = 0; i < c->n_lines; i++) {
                const gs_bench_row *r = c->lines[i].pair[f].row;
                const double mid = y + 0.5 * lane;
                char text[200];

                if (!gs__in_family(&c->lines[i], names[k]) || !r || *r->failed || !(r->share > 0)) continue;
                v[rows++] = r->share;
                gs_str_printf(s, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" class=\"s%d dot\">", LABEL + width * GS_MIN(r->share, most) / most, mid, f);
                snprintf(text, sizeof text, "%.90s: %.0f %%", r->id, 100 * r->share);
                put_title(s, text);
                gs_str_printf(s, "</circle>\n");
            }
            if (rows) {
                double median, x;

                qsort(v, (size_t)rows, sizeof *v, by_value);
                median = gs__median(v, rows);
                x = LABEL + width * GS_MIN(median, most) / most;
                put_line(s, x, y + 1, x, y + lane - 1, "mark");
                {
                    char text[16];

                    snprintf(text, sizeof text, "%.0f %%", 100 * median);
                    put_text(s, LABEL + width + 8, y + lane - 3, "small", "start", text);
                }
            }
        }
        y += GAP;
    }
    gs_str_printf(s, "</svg></figure>\n");
    free(v);
}

/* ---- speeds ---- */

/* Half the axis in powers of two: room for the fastest and the slowest. */
static double reach(const gs_bench_comparison *c, const char *family)
{
    double most = 0.5;

    for (int i = 0; i < c->n_lines; i++)
        for (int f = 0; f < c->n_files; f++)
            if (gs__in_family(&c->lines[i], family) && f != c->base && !c->lines[i].pair[f].why)
                most = GS_MAX(most, fabs(log2(c->lines[i].pair[f].speed)));
    if (most <= 0.5) return 0.5;
    most = ceil(most);
    return most > 4 ? 6 : most; /* steps of 2 beyond 4 */
}

static void put_speed(gs_str *s, const gs_bench_comparison *c, const gs_bench_pair *p, int f, double middle, double unit, double most, double y)
{
    const double at = GS_MAX(-most, GS_MIN(most, log2(p->speed))), x = middle + unit * at;
    const bool wrong = p->row->digest.verdict == GS_BENCH_WRONG;
    char text[240], speed[24];

    put_line(s, middle, y, x, y, "stem");
    gs_str_printf(s, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" class=\"%s%d\">", x, y, p->noise ? "h" : "s", f);
    gs__speed_text(p->speed, speed);
    snprintf(text, sizeof text, "%.90s: %s times as fast%s", c->files[f].name, speed, p->noise ? ", no more than noise" : "");
    put_title(s, text);
    gs_str_printf(s, "</circle>\n");
    snprintf(text, sizeof text, "%s%s%s%s", speed, p->noise ? " ~" : "", p->result == GS_BENCH_DIFFERS ? " differs" : "", wrong ? " WRONG" : "");
    put_text(s, middle + unit * most + 12 + COLUMN * (f - (f > c->base)), y + 3.5, p->result == GS_BENCH_DIFFERS || wrong ? "bad" : "small", "start", text);
}

void gs__chart_speeds(gs_str *s, const gs_bench_comparison *c, const char *family)
{
    const int label = 330, half = 190, lane = 9, gap = 6, top = 22, others = c->n_files - 1;
    const double most = reach(c, family), unit = half / most, middle = label + half, step = most > 4 ? 2 : most >= 1 ? 1 : 0.25;
    int rows = 0, y = top;

    for (int i = 0; i < c->n_lines; i++) rows += gs__in_family(&c->lines[i], family);
    if (rows == 0) return;
    gs_str_printf(s, "<figure><figcaption>");
    gs__html(s, family ? family : "training steps");
    for (int f = 0; f < c->n_files; f++) {
        int n;
        const double speed = f == c->base ? 0 : gs__mean_speed(c, f, family, &n);

        char mean[24];

        if (speed > 0) gs_str_printf(s, ", file %d: %s in the geometric mean of %d", f + 1, gs__speed_text(speed, mean), n);
    }
    gs_str_printf(s, "</figcaption>\n");
    open_svg(s, label + 2 * half + 12 + COLUMN * others, top + rows * (others * lane + gap) + 6, family ? family : "training steps");
    for (double t = -most; t <= most + 1e-9; t += step) {
        char text[16];

        snprintf(text, sizeof text, t <= -1 ? "1/%.0f" : most < 1 ? "%.2f" : "%.0f", t <= -1 ? exp2(-t) : exp2(t));
        put_line(s, middle + unit * t, top - 4, middle + unit * t, top + rows * (others * lane + gap), fabs(t) < 1e-9 ? "one" : "grid");
        put_text(s, middle + unit * t, top - 9, "small", "middle", text);
    }
    for (int i = 0; i < c->n_lines; i++) {
        const gs_bench_line *l = &c->lines[i];

        if (!gs__in_family(l, family)) continue;
        gs_str_printf(s, "<g>");
        put_title(s, l->of->origin);
        put_text(s, label - 10, y + 0.5 * others * lane + 4, "label", "end", l->of->id);
        gs_str_printf(s, "</g>\n");
        for (int f = 0; f < c->n_files; f++) {
            if (f == c->base) continue;
            if (l->pair[f].why) put_text(s, label + 2 * half + 12 + COLUMN * (f - (f > c->base)), y + 0.5 * lane + 3.5, "small", "start", l->pair[f].why);
            else put_speed(s, c, &l->pair[f], f, middle, unit, most, y + 0.5 * lane);
            y += lane;
        }
        y += gap;
    }
    gs_str_printf(s, "</svg></figure>\n");
}
