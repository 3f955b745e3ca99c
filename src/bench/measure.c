/* Timing: warm-up, samples, median and median absolute deviation. */
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "bench/bench_int.h"

#define SAMPLE_SECONDS 0.01 /* long against the clock and against one wait for the device */
enum { MIN_SAMPLES = 3, MAX_SAMPLES = 40, MAX_REPS = 100000 };

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

double gs__median(double *v, int n)
{
    if (n == 0) return 0;
    qsort(v, (size_t)n, sizeof *v, by_value);
    return n % 2 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]);
}

void gs__spread(double *v, int n, double *median, double *mad)
{
    *median = gs__median(v, n);
    for (int i = 0; i < n; i++) v[i] = fabs(v[i] - *median);
    *mad = gs__median(v, n);
}

/* The wait is a read, which has to see all work before it: Rusticl's clFinish may return early. */
gs_status gs__sample(gs_device *d, gs_buffer *fence, int n, gs__run_fn *fn, void *user, double *seconds)
{
    const double start = gs_now();
    uint32_t word;
    gs_status st = GS_OK;

    for (int i = 0; i < n; i++) TRY(fn(user));
    TRY(d->drv->read(d, fence, 0, &word, sizeof word));
    *seconds = gs_now() - start;
done:
    return st;
}

gs_status gs__measure(gs_device *d, double seconds, gs__run_fn *fn, void *user, gs__stat *out)
{
    double v[MAX_SAMPLES], t, warm;
    gs_buffer *fence = NULL;
    gs_status st = GS_OK;
    const double start = gs_now();

    *out = (gs__stat){ .reps = 1 };
    TRY(d->drv->alloc(d, GS_ALIGN, &fence));
    TRY(d->drv->fill(d, fence, 0, 0, GS_ALIGN));
    TRY(gs__sample(d, fence, 1, fn, user, &t)); /* drivers build kernels when they first run */
    do {
        TRY(gs__sample(d, fence, 1, fn, user, &t));
        warm = gs_now() - start;
    } while (warm < 0.1 * seconds && t < SAMPLE_SECONDS);
    if (t > seconds) { /* a slow device: what was seen is all there is time for */
        out->median = out->best = t;
        out->samples = 1;
        goto done;
    }
    if (t < SAMPLE_SECONDS) out->reps = (int)GS_MIN(SAMPLE_SECONDS / GS_MAX(t, 1e-7) + 1, MAX_REPS);
    while (out->samples < MAX_SAMPLES && (out->samples < MIN_SAMPLES || gs_now() - start < seconds)) {
        const clock_t c = clock();
        double cpu;

        TRY(gs__sample(d, fence, out->reps, fn, user, &t));
        cpu = (double)(clock() - c) / CLOCKS_PER_SEC / out->reps;
        if (out->samples == 0 || t / out->reps < out->best) out->best = t / out->reps;
        if (out->samples == 0 || cpu < out->cpu) out->cpu = cpu;
        v[out->samples++] = t / out->reps;
    }
    gs__spread(v, out->samples, &out->median, &out->mad);
done:
    if (fence) d->drv->free(d, fence);
    return st;
}

void gs__stat_json(cJSON *o, const gs__stat *s)
{
    cJSON_AddNumberToObject(o, "seconds", s->median);
    cJSON_AddNumberToObject(o, "mad", s->mad);
    cJSON_AddNumberToObject(o, "best", s->best);
    cJSON_AddNumberToObject(o, "cpu_seconds", s->cpu);
    cJSON_AddNumberToObject(o, "samples", s->samples);
    cJSON_AddNumberToObject(o, "runs_a_sample", s->reps);
}
