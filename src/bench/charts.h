/* The charts of a comparison's report, as inline SVG. Colours come from the page's style: class s0 .. s7 is a
 * file's. */
#ifndef GS_BENCH_CHARTS_H
#define GS_BENCH_CHARTS_H

#include "bench/bench_int.h"

/* Text for HTML: < > & and quotes escaped. */
void gs__html(gs_str *s, const char *text);

/* Bars: a row a line for which value is above 0 in some file, a bar a file. own_scale: each row has its own
 * (rows of different units); else one for all. text: what stands at a bar's end. mark (may be NULL): a value
 * that a tick shows on the bar. measured (may be NULL): the figure behind the value, for ~ at bars that are
 * no further from the base's than noise. A chart without rows adds nothing. */
typedef struct gs__bars {
    const char *title;
    bool own_scale;
    bool (*wanted)(const gs_bench_line *l);
    double (*value)(const gs_bench_row *r);
    void (*text)(const gs_bench_row *r, char *out, size_t size);
    double (*mark)(const gs_bench_row *r);
    const gs_bench_figure *(*measured)(const gs_bench_row *r);
} gs__bars;
void gs__chart_bars(gs_str *s, const gs_bench_comparison *c, const gs__bars *b);

/* Shares of the peak: a row a family and file, a dot an op, a tick the median. */
void gs__chart_shares(gs_str *s, const gs_bench_comparison *c);

/* Speeds of a family's rows beside the base (NULL: models), on a logarithmic axis; a hollow dot is within the noise. */
void gs__chart_speeds(gs_str *s, const gs_bench_comparison *c, const char *family);

#endif
