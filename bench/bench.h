/* What the benchmark programs share: rounds that visit every candidate in turn, so that a slow spell of the
 * machine hits all alike. */
#ifndef GS_BENCH_H
#define GS_BENCH_H

#include <stdlib.h>
#include <time.h>

#include "lib/handplan.h"

enum { BENCH_ROUNDS = 7 };

typedef struct bench_time { /* seconds a run: median and best by the clock, and processor time spread over the cores */
    double median, best, cpu;
} bench_time;

static int bench_by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Times n bound plans; each run is repeated until it takes some 20 ms. */
static gs_status bench_run(gs_device *d, gs_plan *const *p, int n, bench_time *out)
{
    const int cores = GS_MAX(1, gs_device_get_info(d)->compute_units);
    double wall[BENCH_ROUNDS], *all = gs_xalloc(sizeof(double) * (size_t)(n * BENCH_ROUNDS));
    int *reps = gs_xalloc(sizeof(int) * (size_t)n);
    gs_status st = GS_OK;

    for (int i = 0; i < n; i++) { /* the first run builds */
        double t;

        TRY(gs_plan_run(p[i], 0, 0));
        TRY(d->drv->finish(d));
        t = gs_now();
        TRY(gs_plan_run(p[i], 0, 0));
        TRY(d->drv->finish(d));
        t = gs_now() - t;
        reps[i] = t > 0.02 ? 1 : (int)(0.02 / (t + 1e-6)) + 1;
        out[i].cpu = 1e9;
    }
    for (int r = 0; r < BENCH_ROUNDS; r++)
        for (int i = 0; i < n; i++) {
            const clock_t c = clock();
            const double t = gs_now();

            for (int k = 0; k < reps[i]; k++) TRY(gs_plan_run(p[i], 0, 0));
            TRY(d->drv->finish(d));
            all[i * BENCH_ROUNDS + r] = (gs_now() - t) / reps[i];
            out[i].cpu = GS_MIN(out[i].cpu, (double)(clock() - c) / CLOCKS_PER_SEC / cores / reps[i]);
        }
    for (int i = 0; i < n; i++) {
        for (int r = 0; r < BENCH_ROUNDS; r++) wall[r] = all[i * BENCH_ROUNDS + r];
        qsort(wall, BENCH_ROUNDS, sizeof *wall, bench_by_value);
        out[i].median = wall[BENCH_ROUNDS / 2];
        out[i].best = wall[0];
    }
done:
    free(all);
    free(reps);
    return st;
}

static void bench_head(const gs_device *d)
{
    const gs_device_info *i = gs_device_get_info(d);

    printf("%s\n%s, driver %s, %d compute units\n", i->name, i->platform, i->driver, i->compute_units);
    printf("GFLOP/s by the clock: median (best)");
    printf(i->kind == GS_CPU ? "; by processor time / cores, which a busy machine blurs less\n\n" : "\n\n");
}

static void bench_cell(const gs_device *d, double flops, const bench_time *t)
{
    printf("  %7.1f (%.1f)", flops / t->median / 1e9, flops / t->best / 1e9);
    if (gs_device_get_info(d)->kind == GS_CPU) printf(" %.1f", flops / t->cpu / 1e9);
}

#endif
