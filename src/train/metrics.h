/* The numbers of a run by step, twice: NAME.csv for spreadsheets and plots, NAME.jsonl for programs; and
 * log.txt for people.
 *
 *   step,epoch,loss_g,loss_d              {"step":100,"epoch":1,"loss_g":0.693,"loss_d":0.69}
 *   100,1,0.693,0.69
 *
 * No clock goes into these files: a run that was stopped and resumed leaves the same bytes as one that was
 * not. A value of NaN means "not measured in this step": an empty cell, a key left out. Infinities are "inf"
 * in CSV, null in JSON. Values are written with nine digits, so that every fp32 number reads back exactly. */
#ifndef GS_TRAIN_METRICS_H
#define GS_TRAIN_METRICS_H

#include "base/base.h"

typedef struct gs_metrics gs_metrics;

/* Opens dir/NAME.csv and dir/NAME.jsonl; the folder is made when it is missing.
 *   columns      n names of [A-Za-z0-9_./-], without "step", which comes first by itself
 *   resume_step  >= 0: lines of later steps, and a half-written last line, are removed; the others stay.
 *                < 0: both files start anew.
 * GS_EINVAL for a bad or repeated column; GS_EFORMAT when a file to resume has other columns or is not of
 * this kind; GS_EIO. */
gs_status gs_metrics_open(const char *dir, const char *name, const char *const *columns, int n, int64_t resume_step,
                          gs_metrics **out);
void gs_metrics_close(gs_metrics *m); /* accepts NULL */
/* Appends one line to each file and hands it to the system. values: one for each column. */
gs_status gs_metrics_write(gs_metrics *m, int64_t step, const double *values);

/* A CSV file of this kind, read back for plots and reports. Column 0 is "step"; empty cells are NaN. */
typedef struct gs_metrics_table {
    char **columns;
    int n_columns, n_rows;
    double *v; /* (n_rows, n_columns) row-major */
} gs_metrics_table;

/* GS_EFORMAT names file and line. A last line without its end is left out, since it may be half a line. */
gs_status gs_metrics_read(const char *path, gs_metrics_table *out);
void gs_metrics_table_free(gs_metrics_table *t);
/* Index of a column, or -1. */
int gs_metrics_column(const gs_metrics_table *t, const char *name);

/* Appends "2024-05-31 12:00:00 text" to dir/log.txt. */
gs_status gs_run_log(const char *dir, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
