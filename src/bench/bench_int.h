/* What the files of src/bench share: timing, cases, digests. */
#ifndef GS_BENCH_BENCH_INT_H
#define GS_BENCH_BENCH_INT_H

#include <cjson/cJSON.h>

#include "bench/bench.h"
#include "device/device.h"
#include "gesso/gesso.h"
#include "graph/graph.h"

typedef struct gs__bench {
    const gs_bench_opts *o;
    gs_device *d;
    double start, deadline;  /* of gs_now() */
    double gflops, gbs;      /* best of the peaks; 0: not measured */
    cJSON *json;
} gs__bench;

void gs__bench_say(const gs__bench *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Does the id match what was asked for? */
bool gs__bench_wanted(const char *only, const char *id);
/* Adds {"id", "why"} to the list of what was left out. */
void gs__bench_skip(gs__bench *b, const char *id, const char *why);

/* ---- measure.c ---- */

typedef struct gs__stat {    /* seconds a run */
    double median, mad, best;
    double cpu;              /* processor seconds a run of this process, all threads; the smallest of the samples */
    int samples, reps;       /* samples of so many runs */
} gs__stat;

typedef gs_status gs__run_fn(void *user);
/* Times fn, which enqueues one run. Warms up first (two runs at least: the first may build kernels), then
 * takes samples of as many runs as take some 10 ms, each ended by waiting for the device, until `seconds` are
 * spent: 3 samples at least, 40 at most. When one run takes longer than `seconds`, it is the only sample. */
gs_status gs__measure(gs_device *d, double seconds, gs__run_fn *fn, void *user, gs__stat *out);
/* Seconds of n runs of fn and of one wait behind them; fence: a buffer of at least 4 bytes. */
gs_status gs__sample(gs_device *d, gs_buffer *fence, int n, gs__run_fn *fn, void *user, double *seconds);
/* Median and median absolute deviation; sorts v. */
double gs__median(double *v, int n);
void gs__spread(double *v, int n, double *median, double *mad);
void gs__stat_json(cJSON *o, const gs__stat *s);

/* ---- peaks.c ---- */

/* Fills json.peaks, gflops and gbs. brief: only what shares are computed from. */
gs_status gs__bench_peaks(gs__bench *b, double seconds, bool brief);

/* ---- cases.c ---- */

typedef struct gs__case {
    const char *family;      /* "gemm", "conv", "norm", "elementwise", "reduce", "resample", "adam" */
    const char *op;          /* within the family: "y", "instance_norm_grad" */
    const char *origin;      /* the layer that has this shape */
    char id[96];
    int n, c, h, w;          /* images; gemm: batch in n */
    int m, nn, k;            /* gemm: M, N, K; conv: O in m, kernel in k */
    int stride, pad;
    bool ta, tb, reflect, transposed;
    int index;               /* in its table of cases.c */
} gs__case;

/* All cases: *n of them, in the order of the report. Free with free(). */
gs__case *gs__cases(int *n);
/* The case's parameters as JSON members. */
void gs__case_json(const gs__case *c, cJSON *o);
/* 16 hex digits that change when the parameters do. */
void gs__case_hash(const gs__case *c, char text[24]);

/* Replaces sizes of a case, for checking a slice or a projection of it: batch or rows, channels, output
 * channels or N; 0: as they are. */
typedef struct gs__cut { int n, c, o; } gs__cut;
/* Builds the case: inputs by name, outputs "y" and maybe "y1", "y2"; adam: variables "p0", ... and inputs
 * "g0", ... cut may be NULL. Errors are latched in the graph. */
void gs__case_build(const gs__case *c, const gs__cut *cut, gs_graph *g);
/* The axis along which a tensor op works independently: 0, 1; -1: none. */
int gs__case_axis(const gs__case *c);

#define GS__ADAM_LR 1e-3
#define GS__ADAM_BETA1 0.5
#define GS__ADAM_BETA2 0.999

/* ---- digest.c ---- */

typedef struct gs__digest {
    uint64_t bytes;          /* hash of the results' bytes */
    int64_t count;           /* elements so far */
    double sum2, signs[4];   /* sums of squares, and of the elements with four rows of random signs */
    bool checked;
    double error, limit;     /* largest distance from the double reference over its root mean square */
    double coverage;         /* part of the elements that the check saw */
    bool repeats;            /* a later run gave the same bytes */
} gs__digest;

/* Element i of the test data of a name: uniform in [-1,1), the same on every host. */
float gs__test_value(const char *name, int64_t i);
void gs__test_fill(const char *name, int64_t count, float *out);
/* Starts a digest, and adds values to it. */
void gs__digest_begin(gs__digest *d);
void gs__digest_add(gs__digest *d, const float *v, int64_t count);
void gs__digest_json(cJSON *o, const gs__digest *d);
bool gs__digest_right(const gs__digest *d);

/* ---- check.c ---- */

/* Adds the device's results to the digest and holds them against the double reference, which may take about
 * `seconds`. v[i] is output i of the case's graph, computed from gs__test_value by the inputs' names; adam:
 * v[i] is parameter i after one step, started from `before[i]`. */
gs_status gs__case_check(const gs__case *c, gs_graph *g, float *const *v, float *const *before, double seconds, gs__digest *d);

/* ---- ops.c, models.c, steps.c, start.c ---- */

enum { GS__OP_RESULTS = 6 };
typedef struct gs__op {      /* one case on a device */
    gs_graph *g;
    gs_store *store;
    gs_plan *plan;
    bool state;              /* adam: the results are variables */
    int n;                   /* results */
    float *v[GS__OP_RESULTS], *before[GS__OP_RESULTS];
    int64_t count[GS__OP_RESULTS];
} gs__op;

/* Compiles a case and feeds it. gs__op_close frees what it holds, after a failure too. */
gs_status gs__op_open(gs_device *d, const gs__case *c, gs__op *o);
void gs__op_close(gs__op *o);
gs_status gs__op_run(void *op);
/* The results as they stand, in v, and their digest. */
gs_status gs__op_digest(gs__op *o, gs__digest *d);

/* Training steps of a model: an id of gs__models_json, or the path of a configuration. gs__steps_close accepts NULL. */
typedef struct gs__steps gs__steps;
gs_status gs__steps_open(gs_device *d, const char *model, gs__steps **out);
void gs__steps_close(gs__steps *s);
gs_status gs__steps_run(void *steps);
int gs__steps_batch(const gs__steps *s);
gs_plan *gs__steps_plan(const gs__steps *s);

gs_status gs__bench_ops(gs__bench *b, double until);
gs_status gs__bench_models(gs__bench *b, double until);
/* Appends the models that are measured when no configuration is given to a JSON array: {"id", "system", "profile"}. */
void gs__models_json(cJSON *list, const char *only);
enum { GS__BENCH_MODELS = 64 }; /* measured at most */
/* The id of a configuration's rows: "config/NAME.ini". */
void gs__bench_config_id(const char *path, char id[64]);
/* Calls fn with the setup of each of them, which is freed behind it; the first failure ends it. */
struct gs_setup;
gs_status gs__each_model(gs_status (*fn)(void *user, struct gs_setup *s), void *user);

/* What a started process prints after its first step. */
#define GS_BENCH_FIRST_STEP "first step done"
/* Starts `program` with empty caches and then with what that start left there: seconds to its first step.
 * Stops after one warm start when `seconds` are spent. */
typedef struct gs__starts { double cold, warm, warm_mad; int warm_samples; } gs__starts;
gs_status gs__measure_starts(const char *program, const char *device, const char *model, double seconds, gs__starts *out);

/* ---- compare.c ---- */

/* The relative difference of two figures that is taken for noise. */
double gs__noise(const gs_bench_figure *a, const gs_bench_figure *b);
/* Are both there and no further apart than that? */
bool gs__is_noise(const gs_bench_figure *a, const gs_bench_figure *b);
/* "1.35", "0.0041": two digits that mean something, however slow. */
const char *gs__speed_text(double speed, char text[24]);
/* Families of ops, in order: fills names up to max, returns how many. */
int gs__families(const gs_bench_comparison *c, const char **names, int max);
/* NULL: the models. */
bool gs__in_family(const gs_bench_line *l, const char *family);
/* Geometric mean over a family's n comparable rows; 0 when n is 0. */
double gs__mean_speed(const gs_bench_comparison *c, int file, const char *family, int *n);

#endif
