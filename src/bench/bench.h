/* Measuring: what a device can do at most, what Gesso's kernels and training steps reach of it, and comparing
 * such measurements.
 *
 * A result is one JSON object (docs/BENCHMARKING.md lists its fields). Beside each figure stands a digest of
 * what was computed and how far it is from the double-precision reference, so that a fast wrong result shows.
 *
 * Ownership: results are cJSON trees that the caller deletes; a loaded file is freed with gs_bench_file_free. */
#ifndef GS_BENCH_BENCH_H
#define GS_BENCH_BENCH_H

#include <stdio.h>

#include "base/base.h"

struct cJSON;

#define GS_BENCH_SCHEMA "gesso-bench"
#define GS_BENCH_VERSION 1 /* of the result's fields; files of another version are refused */

typedef struct gs_bench_opts {
    bool peaks, ops, models;    /* suites; none: all three */
    const char *device;         /* as for gs_device_open */
    const char *only;           /* shell patterns on the ids of cases and models, with commas between; NULL: all */
    double seconds;             /* for everything; what gets no turn in time is listed as skipped, one
                                 * row of each suite aside. 0: 300 */
    const char *const *configs; /* INI files whose steps are measured; none: every profile of every system */
    int n_configs;
    const char *program;        /* this program, which is started again to measure starts; NULL: starts are
                                 * not measured */
    void (*progress)(void *user, const char *what); /* may be NULL */
    void *user;
} gs_bench_opts;

/* Measures on one device. GS_EDEVICE for a device that computes nothing, GS_EUSAGE when `only` matches
 * nothing, and for configurations that are more than 64 or of which two have one file name. A case that fails
 * on the device is a row that says so, not a failure. */
gs_status gs_bench_run(const gs_bench_opts *o, struct cJSON **out);
/* The result for people. */
void gs_bench_print(const struct cJSON *result, FILE *out);
/* Rows that are wrong or failed. */
int gs_bench_wrong(const struct cJSON *result);
/* All cases with their shapes and where these come from, as JSON ({"cases": [...], "models": [...]}). */
struct cJSON *gs_bench_list(const char *only);
/* The process side of measuring a start: opens the device, plans and runs one step of a model ("cgan/concat",
 * or the path of a configuration), and says so on out. */
gs_status gs_bench_first_step(const char *device, const char *model, FILE *out);
/* For a driver that lets two programs take turns, so that a slow spell of the machine hits both: prepares one
 * op or training step, by the id that gs_bench_list has or a configuration's path, runs it once, and says so
 * in one line of JSON on out. Then for each line of in, a number of runs from 1 to GS_BENCH_MOST_RUNS, it
 * does as many and writes a line {"runs", "seconds", "cpu_seconds"}: of all of them, processor seconds over
 * all threads. Returns at the end of in. GS_EUSAGE: there is no such case, or a line is not such a number.
 * docs/BENCHMARKING.md has the fields. */
#define GS_BENCH_MOST_RUNS 100000
gs_status gs_bench_rounds(const char *device, const char *what, FILE *in, FILE *out);

/* ---- results of earlier runs (load.c) ---- */

typedef struct gs_bench_figure { /* a median and its spread */
    double value, mad;           /* mad: median absolute deviation, same unit; both > 0 or 0: none */
    int samples;
} gs_bench_figure;

typedef enum gs_bench_verdict { GS_BENCH_UNCHECKED, GS_BENCH_RIGHT, GS_BENCH_WRONG } gs_bench_verdict;

typedef struct gs_bench_digest {
    gs_bench_verdict verdict;    /* against the reference, as the file says */
    char bytes[24];              /* hash of the result's bytes; "": none */
    double rms, sketch[4];       /* of the result: see digest.c */
    bool has_sketch;
} gs_bench_digest;

typedef struct gs_bench_row {
    enum { GS_BENCH_PEAK, GS_BENCH_OP, GS_BENCH_MODEL } suite;
    const char *id, *family, *origin, *unit; /* unit of `figure`: "s" for ops and models; origin: layer, or a
                                              * peak's form */
    const char *failed;                      /* "": it was measured; else why not */
    const char *params;                      /* hash of what was asked; rows that differ in it are not compared */
    bool more_is_better;                     /* a rate, not a time */
    gs_bench_figure figure, cold, warm;      /* cold, warm: seconds from a process's start to the first step,
                                              * models only */
    double share;                            /* of the peak that bounds it, ops; 0: unknown */
    double images, predicted, allocated;     /* models: images/s, bytes */
    gs_bench_digest digest;
} gs_bench_row;

typedef struct gs_bench_file {
    char *path;
    char name[100];              /* for people: device and driver */
    const char *device, *driver, *platform, *host, *cpu, *gesso, *config, *date, *kind;
    char *environment;           /* switches that were set: "GESSO_GEMM=tile" */
    gs_bench_row *rows;
    int n_rows;
    struct cJSON *json;          /* holds all the texts above */
} gs_bench_file;

/* Reads and checks a result of at most 16 MiB. GS_EFORMAT names the field at fault; GS_EIO. */
gs_status gs_bench_load(const char *path, gs_bench_file *out);
gs_status gs_bench_parse(const char *text, const char *path, gs_bench_file *out);
void gs_bench_file_free(gs_bench_file *f); /* accepts an empty one */

/* ---- comparing (compare.c, report.c) ---- */

#define GS_BENCH_FILES 8 /* at most, side by side */

typedef struct gs_bench_pair {   /* one row of one file against the base's */
    const gs_bench_row *row;     /* NULL: this file has no such row */
    double speed;                /* times as fast as the base; 0: not comparable */
    bool noise;                  /* the difference is no larger than what the samples vary by */
    enum { GS_BENCH_NO_DIGEST, GS_BENCH_SAME_BYTES, GS_BENCH_SAME, GS_BENCH_DIFFERS } result;
    const char *why;             /* why it is not comparable; NULL: it is */
} gs_bench_pair;

typedef struct gs_bench_line {   /* one row of the base, or of the first file that has it */
    const gs_bench_row *of;
    gs_bench_pair pair[GS_BENCH_FILES];
} gs_bench_line;

typedef struct gs_bench_comparison {
    const gs_bench_file *files;
    int n_files, base;
    gs_bench_line *lines;
    int n_lines;
    gs_str notes;                /* lines that say what differs between the files */
} gs_bench_comparison;

/* Holds n files (2 to GS_BENCH_FILES, or GS_EUSAGE) against files[base]; they must stay until
 * gs_bench_comparison_free. */
gs_status gs_bench_compare(const gs_bench_file *files, int n, int base, gs_bench_comparison *out);
void gs_bench_comparison_free(gs_bench_comparison *c);
void gs_bench_compare_print(const gs_bench_comparison *c, FILE *out);
/* One HTML file with inline SVG that needs nothing else. */
gs_status gs_bench_compare_html(const gs_bench_comparison *c, const char *path);

#endif
