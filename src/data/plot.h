/* Line charts and confusion matrices as PNG pictures (cairo; dark text on white). Nothing here is interactive. */
#ifndef GS_DATA_PLOT_H
#define GS_DATA_PLOT_H

#include "base/base.h"

typedef struct gs_plot_series {
    const char *name; /* in the legend; NULL: none */
    const double *x;  /* n positions, or NULL for 0, 1, 2, ... */
    const double *y;  /* n values; NaN and infinities (and, on a log axis, values <= 0) break the line */
    int n;
    double smooth;    /* 0: as it is; in (0,1): drawn pale, with its exponential moving average on top
                       * (y = smooth * y + ...) */
} gs_plot_series;

typedef struct gs_plot {
    const char *title, *x_label, *y_label; /* each may be NULL */
    const gs_plot_series *series;
    int n_series;          /* 0..16 */
    bool log_y;
    double y_min, y_max;   /* limits of the y axis; both 0: from the data */
    int width, height;     /* pixels; 0: 900 x 520 */
} gs_plot;

/* Writes the chart atomically. An empty chart (no finite value) is drawn with axes 0..1 and says so.
 * GS_EINVAL (sizes, series), GS_EIO, GS_ENOMEM. */
gs_status gs_plot_write(const char *path, const gs_plot *p);

/* counts[rows = true class][cols = predicted class], n x n, n 1..64, as a heat map with the numbers in the
 * cells; each row is shaded by its share. names: n labels or NULL for 0..n-1. GS_EINVAL, GS_EIO, GS_ENOMEM. */
gs_status gs_plot_confusion(const char *path, const char *title, const int64_t *counts, int n, const char *const *names);

/* The marks of an axis from lo to hi: about `want` multiples of 1, 2 or 5 times a power of ten inside [lo, hi].
 * Fills ticks[max], returns their number and in *decimals the digits after the point that tell them apart. */
int gs_plot_ticks(double lo, double hi, int want, double *ticks, int max, int *decimals);

#endif
