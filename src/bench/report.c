/* A comparison as one HTML page with inline SVG: it loads nothing, so it can be mailed and kept. */
#include <math.h>
#include <string.h>

#include "bench/charts.h"

/* Colours of files, light and dark, told apart by people who see no red or green too. */
static const char *const colours[GS_BENCH_FILES][2] = {
    { "#2a78d6", "#3987e5" }, { "#eb6834", "#d95926" }, { "#1baf7a", "#199e70" }, { "#4a3aa7", "#9085e9" },
    { "#eda100", "#c98500" }, { "#e87ba4", "#d55181" }, { "#008300", "#33a333" }, { "#7a6a58", "#a8977f" },
};

static const char style[] =
    ":root{--ink:#1c1b19;--soft:#6b6963;--paper:#fcfcfa;--rule:#e3e1db;--bad:#c0261f}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#efeeea;--soft:#a3a19b;--paper:#191918;--rule:#393835;--bad:#ff7b72}}\n"
    "body{margin:0 auto;max-width:1160px;padding:24px 20px 60px;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}\n"
    "h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:36px 0 6px;border-top:1px solid var(--rule);padding-top:20px}\n"
    "p{max-width:78ch;margin:6px 0}.soft,figcaption{color:var(--soft)}\n"
    "figure{margin:14px 0 22px;overflow-x:auto}figcaption{font-size:13.5px;margin-bottom:4px}\n"
    "table{border-collapse:collapse;font-size:13.5px;margin:10px 0}"
    "th,td{text-align:left;padding:3px 14px 3px 0;border-bottom:1px solid var(--rule);vertical-align:top}\n"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.wide{overflow-x:auto}\n"
    "i.key{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:7px}\n"
    "svg text{font:11px system-ui,sans-serif;fill:var(--ink)}svg .small{fill:var(--soft);font-size:10.5px}svg .bad,.bad{fill:var(--bad);color:var(--bad)}\n"
    "svg .grid{stroke:var(--rule)}svg .one{stroke:var(--soft)}svg .stem{stroke:var(--rule);stroke-width:2}svg .mark{stroke:var(--ink);stroke-width:2}\n"
    "svg .dot{fill-opacity:.6}summary{cursor:pointer;color:var(--soft);margin:10px 0}\n";

static void add_style(gs_str *s, int n)
{
    gs_str_printf(s, "<style>\n%s", style);
    for (int dark = 0; dark < 2; dark++) {
        if (dark) gs_str_printf(s, "@media(prefers-color-scheme:dark){\n");
        for (int i = 0; i < n; i++)
            gs_str_printf(s, ".s%d{fill:%s;background:%s}.h%d{fill:var(--paper);stroke:%s;stroke-width:1.8}\n", i, colours[i][dark], colours[i][dark], i,
                          colours[i][dark]);
        if (dark) gs_str_printf(s, "}\n");
    }
    gs_str_printf(s, "</style>\n");
}

static void td(gs_str *s, const char *text)
{
    gs_str_printf(s, "<td>");
    gs__html(s, text);
    gs_str_printf(s, "</td>");
}

static void add_files(gs_str *s, const gs_bench_comparison *c)
{
    gs_str_printf(s, "<div class=\"wide\"><table><tr><th>file</th><th>device</th><th>driver, platform</th><th>host</th><th>Gesso</th><th>measured</th></tr>\n");
    for (int i = 0; i < c->n_files; i++) {
        const gs_bench_file *f = &c->files[i];
        gs_str text = { 0 };

        gs_str_printf(s, "<tr><td><i class=\"key s%d\"></i>%d ", i, i + 1);
        gs__html(s, f->path);
        gs_str_printf(s, "%s</td>", i == c->base ? " <b>(base)</b>" : "");
        td(s, f->device);
        gs_str_printf(&text, "%s, %s", f->driver, f->platform);
        td(s, text.data);
        text.len = 0;
        gs_str_printf(&text, "%s, %s", f->host, f->cpu);
        td(s, text.data);
        td(s, f->gesso);
        td(s, f->date);
        gs_str_printf(s, "</tr>\n");
        gs_str_free(&text);
    }
    gs_str_printf(s, "</table></div>\n");
    if (c->notes.len) {
        gs_str_printf(s, "<p class=\"soft\" style=\"white-space:pre-line\">");
        gs__html(s, c->notes.data);
        gs_str_printf(s, "</p>\n");
    }
}

/* ---- what bars show ---- */

static bool is_peak(const gs_bench_line *l) { return l->of->suite == GS_BENCH_PEAK; }
static bool is_model(const gs_bench_line *l) { return l->of->suite == GS_BENCH_MODEL; }
static double figure(const gs_bench_row *r) { return r->figure.value; }
static double images(const gs_bench_row *r) { return r->images; }
static double allocated(const gs_bench_row *r) { return r->allocated; }
static double predicted(const gs_bench_row *r) { return r->predicted; }
static double cold(const gs_bench_row *r) { return r->cold.value; }
static double warm(const gs_bench_row *r) { return r->warm.value; }
static const gs_bench_figure *figure_of(const gs_bench_row *r) { return &r->figure; }
static const gs_bench_figure *cold_of(const gs_bench_row *r) { return &r->cold; }
static const gs_bench_figure *warm_of(const gs_bench_row *r) { return &r->warm; }

static void figure_text(const gs_bench_row *r, char *out, size_t size)
{
    snprintf(out, size, "%.4g %.12s%s", r->figure.value, r->unit, r->digest.verdict == GS_BENCH_WRONG ? " WRONG" : "");
}

static void images_text(const gs_bench_row *r, char *out, size_t size)
{
    snprintf(out, size, "%.0f/s, %.2f ms", r->images, 1e3 * r->figure.value);
}

static void memory_text(const gs_bench_row *r, char *out, size_t size)
{
    char bytes[32];

    snprintf(out, size, "%s", gs_bytes_text(bytes, r->allocated));
}

static void cold_text(const gs_bench_row *r, char *out, size_t size) { snprintf(out, size, "%.2f s", r->cold.value); }
static void warm_text(const gs_bench_row *r, char *out, size_t size) { snprintf(out, size, "%.2f s", r->warm.value); }

static const gs__bars peak_bars = { "Peaks as measured through kernels; each row on its own scale", true, is_peak, figure, figure_text, NULL, figure_of };
static const gs__bars model_bars[] = {
    { "Pictures a second in training; each row on its own scale", true, is_model, images, images_text, NULL, figure_of },
    { "Device memory allocated; the tick is what the plan foretold", false, is_model, allocated, memory_text, predicted, NULL },
    { "Cold start: from the process's start to the first step with no kernel cached", false, is_model, cold, cold_text, NULL, cold_of },
    { "Warm start: the same with all kernels cached", false, is_model, warm, warm_text, NULL, warm_of },
};

/* ---- results ---- */

static const char *const results[] = {
    [GS_BENCH_NO_DIGEST] = "no digest", [GS_BENCH_SAME_BYTES] = "same bytes", [GS_BENCH_SAME] = "same but for rounding", [GS_BENCH_DIFFERS] = "differs",
};
static const char *const verdicts[] = { [GS_BENCH_UNCHECKED] = "unchecked", [GS_BENCH_RIGHT] = "right", [GS_BENCH_WRONG] = "wrong" };

static void add_counts(gs_str *s, const gs_bench_comparison *c)
{
    gs_str_printf(s, "<table><tr><th>file</th><th class=\"n\">right</th><th class=\"n\">unchecked</th><th class=\"n\">wrong</th><th class=\"n\">failed</th>"
                     "<th class=\"n\">same bytes</th><th class=\"n\">same but for rounding</th><th class=\"n\">differs</th></tr>\n");
    for (int f = 0; f < c->n_files; f++) {
        int verdict[3] = { 0 }, result[4] = { 0 }, failed = 0;

        for (int i = 0; i < c->n_lines; i++) {
            const gs_bench_pair *p = &c->lines[i].pair[f];

            if (!p->row || c->lines[i].of->suite == GS_BENCH_PEAK) continue;
            if (*p->row->failed) {
                failed++;
                continue;
            }
            verdict[p->row->digest.verdict]++;
            if (!p->why) result[p->result]++;
        }
        gs_str_printf(s, "<tr><td><i class=\"key s%d\"></i>%d</td><td class=\"n\">%d</td><td class=\"n\">%d</td>"
                         "<td class=\"n%s\">%d</td><td class=\"n%s\">%d</td>",
                      f, f + 1, verdict[GS_BENCH_RIGHT], verdict[GS_BENCH_UNCHECKED], verdict[GS_BENCH_WRONG] ? " bad" : "", verdict[GS_BENCH_WRONG],
                      failed ? " bad" : "", failed);
        if (f == c->base) gs_str_printf(s, "<td class=\"soft\" colspan=\"3\">the base</td></tr>\n");
        else gs_str_printf(s, "<td class=\"n\">%d</td><td class=\"n\">%d</td><td class=\"n%s\">%d</td></tr>\n", result[GS_BENCH_SAME_BYTES],
                           result[GS_BENCH_SAME], result[GS_BENCH_DIFFERS] ? " bad" : "", result[GS_BENCH_DIFFERS]);
    }
    gs_str_printf(s, "</table>\n");
}

/* Rows that need a look. */
static void add_troubles(gs_str *s, const gs_bench_comparison *c)
{
    bool any = false;

    for (int i = 0; i < c->n_lines; i++)
        for (int f = 0; f < c->n_files; f++) {
            const gs_bench_pair *p = &c->lines[i].pair[f];
            const bool wrong = p->row && p->row->digest.verdict == GS_BENCH_WRONG, failed = p->row && *p->row->failed;

            if (!wrong && !failed && (p->why || p->result != GS_BENCH_DIFFERS)) continue;
            if (!any) gs_str_printf(s, "<table><tr><th>row</th><th>file</th><th>against the reference</th><th>against the base</th></tr>\n");
            any = true;
            gs_str_printf(s, "<tr>");
            td(s, c->lines[i].of->id);
            gs_str_printf(s, "<td><i class=\"key s%d\"></i>%d</td>", f, f + 1);
            td(s, failed ? p->row->failed : verdicts[p->row->digest.verdict]);
            td(s, p->why ? p->why : results[p->result]);
            gs_str_printf(s, "</tr>\n");
        }
    gs_str_printf(s, any ? "</table>\n" : "<p>No result is wrong, and none differs from the base's beyond rounding.</p>\n");
}

static void add_all(gs_str *s, const gs_bench_comparison *c)
{
    gs_str_printf(s, "<details><summary>All figures</summary><div class=\"wide\"><table><tr><th>row</th><th>layer or form</th>");
    for (int f = 0; f < c->n_files; f++) gs_str_printf(s, "<th class=\"n\">%d</th><th class=\"n\">spread</th>%s", f + 1, f == c->base ? "" : "<th>speed</th>");
    gs_str_printf(s, "</tr>\n");
    for (int i = 0; i < c->n_lines; i++) {
        const gs_bench_line *l = &c->lines[i];

        gs_str_printf(s, "<tr>");
        td(s, l->of->id);
        td(s, l->of->origin);
        for (int f = 0; f < c->n_files; f++) {
            const gs_bench_pair *p = &l->pair[f];
            char speed[24];

            if (!p->row || *p->row->failed) {
                gs_str_printf(s, "<td class=\"n\">-</td><td></td>");
            } else {
                const gs_bench_figure *v = &p->row->figure;

                gs_str_printf(s, "<td class=\"n\">%.4g ", l->of->suite == GS_BENCH_PEAK ? v->value : 1e3 * v->value);
                gs__html(s, l->of->suite == GS_BENCH_PEAK ? p->row->unit : "ms");
                gs_str_printf(s, "</td><td class=\"n soft\">%.1f %%</td>", 100 * v->mad / v->value);
            }
            if (f == c->base) continue;
            if (p->why) td(s, p->why);
            else gs_str_printf(s, "<td>%s%s, %s</td>", gs__speed_text(p->speed, speed), p->noise ? " ~" : "", results[p->result]);
        }
        gs_str_printf(s, "</tr>\n");
    }
    gs_str_printf(s, "</table></div></details>\n");
}

gs_status gs_bench_compare_html(const gs_bench_comparison *c, const char *path)
{
    const char *names[31];
    const int n = gs__families(c, names, (int)GS_COUNT(names));
    gs_str s = { 0 };
    gs_status st;

    gs_str_printf(&s, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\n"
                      "<title>Gesso: devices compared</title>\n");
    add_style(&s, c->n_files);
    gs_str_printf(&s, "</head><body>\n<h1>Devices compared</h1>\n");
    add_files(&s, c);
    gs_str_printf(&s, "<p class=\"soft\">Speeds are relative to the base: 2 is twice as fast. A hollow dot and ~ mark differences no larger than what the "
                      "samples of both vary by.</p>\n<h2>What the devices can do</h2>\n");
    gs__chart_bars(&s, c, &peak_bars);
    if (n) {
        gs_str_printf(&s, "<h2>What kernels reach of it</h2>\n");
        gs__chart_shares(&s, c);
        gs_str_printf(&s, "<h2>Speed of each layer</h2>\n");
    }
    for (int k = 0; k < n; k++) gs__chart_speeds(&s, c, names[k]);
    gs_str_printf(&s, "<h2>Training</h2>\n");
    gs__chart_speeds(&s, c, NULL);
    for (size_t i = 0; i < GS_COUNT(model_bars); i++) gs__chart_bars(&s, c, &model_bars[i]);
    gs_str_printf(&s, "<h2>Results</h2>\n<p>Each figure's result was held against a double-precision reference when it was measured (right, wrong), and "
                      "its digest against the base's here.</p>\n");
    add_counts(&s, c);
    add_troubles(&s, c);
    add_all(&s, c);
    gs_str_printf(&s, "</body></html>\n");
    st = gs_file_write(path, s.data, s.len);
    gs_str_free(&s);
    return st;
}
