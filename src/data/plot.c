/* Charts. Everything is drawn at twice the size and halved, which gives calm edges and text on every cairo. */
#include <cairo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/image.h"
#include "data/plot.h"

#define FONT       "DejaVu Sans"
#define TEXT       13.0
#define SERIES_MAX 16
#define TICKS_MAX  32
#define SIDE_MAX   8000

/* Colours that stay apart for colour-blind readers (Okabe and Ito). */
static const double palette[8][3] = {
    { 0.00, 0.45, 0.70 }, { 0.84, 0.37, 0.00 }, { 0.00, 0.62, 0.45 }, { 0.80, 0.47, 0.65 },
    { 0.34, 0.71, 0.91 }, { 0.90, 0.62, 0.00 }, { 0.30, 0.30, 0.30 }, { 0.60, 0.55, 0.10 },
};

/* ---- the canvas ---- */

typedef struct canvas {
    cairo_surface_t *surface;
    cairo_t *cr;
    int w, h;
} canvas;

static gs_status canvas_open(canvas *c, int w, int h)
{
    *c = (canvas){ .w = w, .h = h };
    c->surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, 2 * w, 2 * h);
    c->cr = cairo_create(c->surface);
    if (cairo_status(c->cr) != CAIRO_STATUS_SUCCESS)
        return gs_fail(GS_ENOMEM, "a chart of %d x %d: %s", w, h, cairo_status_to_string(cairo_status(c->cr)));
    cairo_scale(c->cr, 2, 2);
    cairo_set_source_rgb(c->cr, 1, 1, 1);
    cairo_paint(c->cr);
    cairo_select_font_face(c->cr, FONT, CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    return GS_OK;
}

static void canvas_close(canvas *c)
{
    if (c->cr) cairo_destroy(c->cr);
    if (c->surface) cairo_surface_destroy(c->surface);
    *c = (canvas){0};
}

static gs_status canvas_write(canvas *c, const char *path)
{
    gs_image img;
    gs_status st = gs_image_new(&img, c->w, c->h, 3);
    const uint8_t *px;
    int stride;

    if (st != GS_OK) return st;
    cairo_surface_flush(c->surface);
    px = cairo_image_surface_get_data(c->surface);
    stride = cairo_image_surface_get_stride(c->surface);
    for (int y = 0; y < c->h; y++)
        for (int x = 0; x < c->w; x++) {
            int sum[3] = { 2, 2, 2 };

            for (int i = 0; i < 4; i++) {
                uint32_t v;

                memcpy(&v, px + (size_t)(2 * y + i / 2) * stride + 4 * (2 * x + i % 2), 4);
                for (int k = 0; k < 3; k++) sum[k] += v >> (16 - 8 * k) & 255;
            }
            for (int k = 0; k < 3; k++) img.px[((size_t)y * c->w + x) * 3 + k] = (uint8_t)(sum[k] / 4);
        }
    st = gs_png_write(path, &img);
    gs_image_free(&img);
    return st;
}

static double text_width(cairo_t *cr, const char *s, double size)
{
    cairo_text_extents_t e;

    cairo_set_font_size(cr, size);
    cairo_text_extents(cr, s, &e);
    return e.x_advance;
}

/* align -1: starts at x, 0: centred, 1: ends at x; vertically centred on y. The colour is the current one. */
static void text(cairo_t *cr, const char *s, double x, double y, double size, int align)
{
    const double w = text_width(cr, s, size);

    cairo_move_to(cr, align < 0 ? x : align > 0 ? x - w : x - w / 2, y + size * 0.36);
    cairo_show_text(cr, s);
}

static void grey(cairo_t *cr, double v) { cairo_set_source_rgb(cr, v, v, v); }

/* ---- axes ---- */

int gs_plot_ticks(double lo, double hi, int want, double *ticks, int max, int *decimals)
{
    static const double steps[4] = { 1, 2, 5, 10 };
    double base, step, first;
    int n = 0, i = 0;

    *decimals = 0;
    if (!(hi > lo) || want < 1) return 0;
    base = pow(10, floor(log10((hi - lo) / want)));
    while (i < 3 && (hi - lo) / (base * steps[i]) > want) i++;
    step = base * steps[i];
    first = ceil(lo / step - 1e-9);
    while (n < max && (first + n) * step <= hi + 1e-9 * step) {
        ticks[n] = (first + n) * step;
        if (fabs(ticks[n]) < step / 1e6) ticks[n] = 0; /* no "-0" */
        n++;
    }
    *decimals = (int)fmax(0, ceil(-log10(step) - 1e-9));
    return n;
}

typedef struct axis {
    double lo, hi;
    bool log;
    double from, to; /* pixels of lo and hi */
} axis;

static double place(const axis *a, double v)
{
    const double t = a->log ? (log10(v) - log10(a->lo)) / (log10(a->hi) - log10(a->lo)) : (v - a->lo) / (a->hi - a->lo);

    return a->from + t * (a->to - a->from);
}

static bool usable(const axis *a, double v) { return isfinite(v) && (!a->log || v > 0); }

static double x_at(const gs_plot_series *s, int i) { return s->x ? s->x[i] : i; }

/* Limits of both axes from the data; false when there is no value to show. */
static bool limits(const gs_plot *p, axis *ax, axis *ay)
{
    bool any = false;

    ax->lo = ay->lo = INFINITY;
    ax->hi = ay->hi = -INFINITY;
    for (int k = 0; k < p->n_series; k++)
        for (int i = 0; i < p->series[k].n; i++) {
            const double x = x_at(&p->series[k], i), y = p->series[k].y[i];

            if (!isfinite(x) || !usable(ay, y)) continue;
            any = true;
            ax->lo = fmin(ax->lo, x);
            ax->hi = fmax(ax->hi, x);
            ay->lo = fmin(ay->lo, y);
            ay->hi = fmax(ay->hi, y);
        }
    if (!any) *ax = (axis){ .hi = 1 }, ay->lo = ay->log ? 0.1 : 0, ay->hi = 1;
    if (!(ax->hi > ax->lo)) ax->lo -= 0.5, ax->hi += 0.5;
    if (p->y_min != 0 || p->y_max != 0) {
        ay->lo = p->y_min;
        ay->hi = p->y_max;
    } else if (ay->log) {
        ay->lo = ay->lo / 1.15;
        ay->hi = ay->hi * 1.15;
    } else {
        const double range = ay->hi - ay->lo, pad = range > 0 ? 0.05 * range : 0.5 * fmax(fabs(ay->hi), 1);

        ay->lo = ay->lo >= 0 && ay->lo < 0.3 * ay->hi ? 0 : ay->lo - pad; /* a loss near 0 is shown from 0 */
        ay->hi += pad;
    }
    return any;
}

static void number(char buf[32], double v, int decimals, bool thousands)
{
    if (fabs(v) >= 1e7 || (v != 0 && decimals > 5))
        snprintf(buf, 32, "%.3g", v);
    else if (thousands && v != 0)
        snprintf(buf, 32, "%.0fk", v / 1000);
    else
        snprintf(buf, 32, "%.*f", decimals, v);
}

typedef struct marks {
    double at[TICKS_MAX];
    char label[TICKS_MAX][32];
    int n;
} marks;

/* From 10000 on thousands are written with k, if all marks are whole thousands. */
static void linear_marks(marks *m, const axis *a, int want)
{
    int decimals;
    bool thousands;

    m->n = gs_plot_ticks(a->lo, a->hi, want, m->at, TICKS_MAX, &decimals);
    thousands = a->hi >= 1e4;
    for (int i = 0; i < m->n; i++) thousands = thousands && fmod(m->at[i], 1000) == 0;
    for (int i = 0; i < m->n; i++) number(m->label[i], m->at[i], decimals, thousands);
}

/* Powers of ten; over a short range also their 2 and 5 folds. */
static void log_marks(marks *m, const axis *a)
{
    const double decades = log10(a->hi / a->lo);
    const int skip = decades > 10 ? (int)ceil(decades / 8) : 1;

    m->n = 0;
    for (int e = (int)floor(log10(a->lo)); e <= (int)ceil(log10(a->hi)); e++)
        for (int k = 0; k < 3 && m->n < TICKS_MAX; k++) {
            const int fold = k == 0 ? 1 : k == 1 ? 2 : 5;
            const double v = fold * pow(10, e);

            if (v < a->lo * (1 - 1e-9) || v > a->hi * (1 + 1e-9) || (k > 0 && decades > 3) || e % skip) continue;
            m->at[m->n] = v;
            snprintf(m->label[m->n++], 32, "%g", v);
        }
}

/* ---- the chart ---- */

typedef struct frame {
    double left, right, top, bottom;
} frame;

static void draw_axes(cairo_t *cr, const gs_plot *p, const frame *f, const axis *ax, const axis *ay, const marks *mx,
                      const marks *my)
{
    cairo_set_line_width(cr, 1);
    for (int i = 0; i < my->n; i++) {
        const double y = round(place(ay, my->at[i])) + 0.5;

        grey(cr, 0.9);
        cairo_move_to(cr, f->left, y);
        cairo_line_to(cr, f->right, y);
        cairo_stroke(cr);
        grey(cr, 0.25);
        text(cr, my->label[i], f->left - 8, y, TEXT, 1);
    }
    for (int i = 0; i < mx->n; i++) {
        const double x = round(place(ax, mx->at[i])) + 0.5;

        grey(cr, 0.9);
        cairo_move_to(cr, x, f->top);
        cairo_line_to(cr, x, f->bottom);
        cairo_stroke(cr);
        grey(cr, 0.25);
        text(cr, mx->label[i], x, f->bottom + 14, TEXT, 0);
    }
    grey(cr, 0.45);
    cairo_rectangle(cr, floor(f->left) + 0.5, floor(f->top) + 0.5, floor(f->right - f->left),
                    floor(f->bottom - f->top));
    cairo_stroke(cr);
    grey(cr, 0.1);
    if (p->title) text(cr, p->title, (f->left + f->right) / 2, f->top / 2 + 1, TEXT * 1.25, 0);
    if (p->x_label) text(cr, p->x_label, (f->left + f->right) / 2, f->bottom + 36, TEXT, 0);
    if (p->y_label) {
        cairo_save(cr);
        cairo_translate(cr, 16, (f->top + f->bottom) / 2);
        cairo_rotate(cr, -M_PI / 2);
        text(cr, p->y_label, 0, 0, TEXT, 0);
        cairo_restore(cr);
    }
}

/* One line; averaged: its exponential moving average, started at the first value. */
static void draw_line(cairo_t *cr, const gs_plot_series *s, const axis *ax, const axis *ay, bool averaged)
{
    bool pen = false, started = false;
    double mean = 0, px = 0, py = 0;
    int run = 0;

    for (int i = 0; i < s->n; i++) {
        const double x = x_at(s, i), v = s->y[i];

        if (!isfinite(x) || !usable(ay, v)) {
            if (run == 1) cairo_arc(cr, px, py, 1.2, 0, 2 * M_PI); /* a lone point would not be seen */
            pen = false;
            run = 0;
            continue;
        }
        mean = averaged && started ? s->smooth * mean + (1 - s->smooth) * v : v;
        started = true;
        px = place(ax, x);
        py = place(ay, mean);
        if (pen)
            cairo_line_to(cr, px, py);
        else
            cairo_move_to(cr, px, py);
        pen = true;
        run++;
    }
    if (run == 1) cairo_arc(cr, px, py, 1.2, 0, 2 * M_PI);
    cairo_stroke(cr);
}

static void draw_series(cairo_t *cr, const gs_plot *p, const frame *f, const axis *ax, const axis *ay)
{
    cairo_save(cr);
    cairo_rectangle(cr, f->left, f->top, f->right - f->left, f->bottom - f->top);
    cairo_clip(cr);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    for (int k = 0; k < p->n_series; k++) {
        const gs_plot_series *s = &p->series[k];
        const double *c = palette[k % 8];
        const bool average = s->smooth > 0 && s->smooth < 1;

        cairo_set_source_rgba(cr, c[0], c[1], c[2], average ? 0.28 : 1);
        cairo_set_line_width(cr, average ? 1 : 1.8);
        draw_line(cr, s, ax, ay, false);
        if (!average) continue;
        cairo_set_source_rgb(cr, c[0], c[1], c[2]);
        cairo_set_line_width(cr, 2);
        draw_line(cr, s, ax, ay, true);
    }
    cairo_restore(cr);
}

static void draw_legend(cairo_t *cr, const gs_plot *p, const frame *f)
{
    const double row = TEXT * 1.5;
    double w = 0, x, y;
    int n = 0;

    for (int k = 0; k < p->n_series; k++)
        if (p->series[k].name) {
            w = fmax(w, text_width(cr, p->series[k].name, TEXT));
            n++;
        }
    if (n == 0) return;
    x = f->right - w - 56;
    y = f->top + 10;
    cairo_set_source_rgba(cr, 1, 1, 1, 0.85);
    cairo_rectangle(cr, x, y, w + 46, n * row + 8);
    cairo_fill_preserve(cr);
    grey(cr, 0.8);
    cairo_set_line_width(cr, 1);
    cairo_stroke(cr);
    y += 4 + row / 2;
    for (int k = 0; k < p->n_series; k++) {
        const double *c = palette[k % 8];

        if (!p->series[k].name) continue;
        cairo_set_source_rgb(cr, c[0], c[1], c[2]);
        cairo_set_line_width(cr, 2.5);
        cairo_move_to(cr, x + 8, y);
        cairo_line_to(cr, x + 30, y);
        cairo_stroke(cr);
        grey(cr, 0.1);
        text(cr, p->series[k].name, x + 38, y, TEXT, -1);
        y += row;
    }
}

gs_status gs_plot_write(const char *path, const gs_plot *p)
{
    const int w = p->width ? p->width : 900, h = p->height ? p->height : 520;
    axis ax = {0}, ay = { .log = p->log_y };
    marks mx, my;
    frame f;
    canvas c = {0};
    gs_status st = GS_OK;
    double widest = 0;
    bool any;

    if (w < 200 || h < 150 || w > SIDE_MAX || h > SIDE_MAX)
        return gs_fail(GS_EINVAL, "%s: a chart of %d x %d pixels; 200 x 150 to %d x %d", path, w, h, SIDE_MAX,
                       SIDE_MAX);
    if (p->n_series < 0 || p->n_series > SERIES_MAX)
        return gs_fail(GS_EINVAL, "%s: %d lines in a chart; at most %d", path, p->n_series, SERIES_MAX);
    if ((p->y_min != 0 || p->y_max != 0) && (!(p->y_max > p->y_min) || (p->log_y && p->y_min <= 0)))
        return gs_fail(GS_EINVAL, "%s: the y axis cannot go from %g to %g", path, p->y_min, p->y_max);
    any = limits(p, &ax, &ay);
    TRY(canvas_open(&c, w, h));
    if (ay.log)
        log_marks(&my, &ay);
    else
        linear_marks(&my, &ay, GS_MAX(h / 60, 3));
    for (int i = 0; i < my.n; i++) widest = fmax(widest, text_width(c.cr, my.label[i], TEXT));
    f = (frame){ .left = widest + (p->y_label ? 40 : 18), .right = w - 24, .top = p->title ? 44 : 18,
                 .bottom = h - (p->x_label ? 54 : 32) };
    linear_marks(&mx, &ax, GS_MAX((int)(f.right - f.left) / 90, 2));
    ax.from = f.left, ax.to = f.right;
    ay.from = f.bottom, ay.to = f.top;
    draw_axes(c.cr, p, &f, &ax, &ay, &mx, &my);
    draw_series(c.cr, p, &f, &ax, &ay);
    draw_legend(c.cr, p, &f);
    if (!any) text(c.cr, "no data yet", (f.left + f.right) / 2, (f.top + f.bottom) / 2, TEXT, 0);
    TRY(canvas_write(&c, path));
done:
    canvas_close(&c);
    return st;
}

/* ---- confusion matrix ---- */

static void draw_cell(cairo_t *cr, double x, double y, double side, double share, int64_t count)
{
    const double t = pow(share, 0.6); /* small confusions stay visible */
    char buf[32];

    cairo_set_source_rgb(cr, 1 - 0.97 * t, 1 - 0.72 * t, 1 - 0.42 * t);
    cairo_rectangle(cr, x, y, side, side);
    cairo_fill(cr);
    if (count == 0) return;
    grey(cr, t > 0.55 ? 1 : 0.15);
    snprintf(buf, sizeof buf, count >= 100000 ? "%.0fk" : "%.0f", count >= 100000 ? count / 1000.0 : (double)count);
    text(cr, buf, x + side / 2, y + side / 2, side > 34 ? TEXT : side * 0.36, 0);
}

gs_status gs_plot_confusion(const char *path, const char *title, const int64_t *counts, int n, const char *const *names)
{
    const double side = n <= 12 ? 46 : n <= 24 ? 32 : 20, size = side > 30 ? TEXT : side * 0.5;
    const double top = title ? 48 : 20;
    double label = 0, left;
    char own[64][12];
    canvas probe = {0}, c = {0};
    gs_status st = GS_OK;

    if (n < 1 || n > 64)
        return gs_fail(GS_EINVAL, "%s: a confusion matrix of %d classes; 1 to 64 can be drawn", path, n);
    TRY(canvas_open(&probe, 1, 1));
    for (int i = 0; i < n; i++) {
        snprintf(own[i], sizeof own[i], "%d", i);
        label = fmax(label, text_width(probe.cr, names ? names[i] : own[i], size));
    }
    left = label + 48;
    TRY(canvas_open(&c, (int)(left + fmax(n * side, title ? text_width(probe.cr, title, TEXT * 1.25) : 0) + 24),
                    (int)(top + n * side + label + 54)));
    for (int i = 0; i < n; i++) {
        const char *name = names ? names[i] : own[i];
        int64_t sum = 0;

        for (int k = 0; k < n; k++) sum += counts[i * n + k];
        for (int k = 0; k < n; k++)
            draw_cell(c.cr, left + k * side, top + i * side, side, sum > 0 ? (double)counts[i * n + k] / sum : 0,
                      counts[i * n + k]);
        grey(c.cr, 0.15);
        text(c.cr, name, left - 8, top + (i + 0.5) * side, size, 1);
        if (label > side - 4) { /* long names stand on their heads */
            cairo_save(c.cr);
            cairo_translate(c.cr, left + (i + 0.5) * side, top + n * side + 8);
            cairo_rotate(c.cr, -M_PI / 2);
            text(c.cr, name, 0, 0, size, 1);
            cairo_restore(c.cr);
        } else {
            text(c.cr, name, left + (i + 0.5) * side, top + n * side + 14, size, 0);
        }
    }
    cairo_set_line_width(c.cr, 1);
    grey(c.cr, 0.6);
    cairo_rectangle(c.cr, floor(left) + 0.5, floor(top) + 0.5, n * side, n * side);
    cairo_stroke(c.cr);
    grey(c.cr, 0.1);
    if (title) text(c.cr, title, left, top / 2, TEXT * 1.25, -1);
    text(c.cr, "predicted", left + n * side / 2, top + n * side + fmin(label, label > side - 4 ? label : 12) + 30, TEXT,
         0);
    cairo_translate(c.cr, 18, top + n * side / 2);
    cairo_rotate(c.cr, -M_PI / 2);
    text(c.cr, "true", 0, 0, TEXT, 0);
    TRY(canvas_write(&c, path));
done:
    canvas_close(&probe);
    canvas_close(&c);
    return st;
}
