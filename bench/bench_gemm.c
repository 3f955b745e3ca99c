/* GFLOP/s of every GEMM provider on the products of `gesso bench --ops` (src/bench/cases.c).
 * bench_gemm [device] [providers, comma-separated; "plan": what plans take by themselves] [products, as for gesso bench --case] */
#include <stdio.h>
#include <string.h>

#include "../bench/bench.h"
#include "bench/bench_int.h"

static gs_status prepare(gs_device *d, const char *provider, const gs_gemm *g, gs_plan **out)
{
    gs_plan *p = gs_hand_plan(d);
    const int64_t na = g->m * g->k * g->batch, nb = g->k * g->n * g->batch, nc = g->m * g->n * g->batch;
    float *x = gs_xalloc(4 * (size_t)GS_MAX(GS_MAX(na, nb), nc));
    gs_value *a, *b, *c;
    gs_status st = GS_OK;

    for (int64_t i = 0; i < GS_MAX(GS_MAX(na, nb), nc); i++) x[i] = (float)(i % 17 - 8) / 8.0f;
    if (strcmp(provider, "plan") == 0) unsetenv("GESSO_GEMM");
    else setenv("GESSO_GEMM", provider, 1);
    a = gs_hand_value(p, x, na), b = gs_hand_value(p, x, nb), c = gs_hand_value(p, x, nc);
    TRY(gs_plan_gemm(p, g, c, a, b));
    TRY(gs_hand_bind(p));
done:
    free(x);
    *out = p;
    return st;
}

int main(int argc, char **argv)
{
    static char on_cpu[] = "plan,cpu,driver", on_gpu[] = "driver,tile"; /* tile and CPUs: 3 GFLOP/s, a matter of minutes */
    char *list;
    const char *provider[8];
    int n = 0, n_cases;
    gs__case *cases = gs__cases(&n_cases);
    gs_device *d;
    gs_status st = GS_OK;

    TRY(gs_device_open(argc > 1 ? argv[1] : NULL, &d));
    list = argc > 2 ? argv[2] : gs__cpu_forms(gs_device_get_info(d)) ? on_cpu : on_gpu;
    for (char *s = strtok(list, ","); s && n < 8; s = strtok(NULL, ",")) {
        if (!strcmp(s, "cpu") && !gs__cpu_forms(gs_device_get_info(d))) continue;
        if (!strcmp(s, "driver") && !d->drv->gemm) continue;
        provider[n++] = s;
    }
    bench_head(d);
    printf("%5s %5s %5s", "M", "N", "K");
    for (int i = 0; i < n; i++) printf("  %-22s", provider[i]);
    printf("\n");
    for (const gs__case *s = cases; s < cases + n_cases; s++) {
        const gs_gemm g = { .m = s->m, .n = s->nn, .k = s->k, .batch = s->n, .ta = s->ta, .tb = s->tb, .lda = s->ta ? s->m : s->k,
                            .ldb = s->tb ? s->k : s->nn, .ldc = s->nn, .alpha = 1.0f, .stride_a = (int64_t)s->m * s->k,
                            .stride_b = (int64_t)s->k * s->nn, .stride_c = (int64_t)s->m * s->nn };
        gs_plan *p[8] = { 0 };
        bench_time t[8];

        if (strcmp(s->family, "gemm") || !gs__bench_wanted(argc > 3 ? argv[3] : NULL, s->id)) continue;
        for (int i = 0; i < n; i++) TRY(prepare(d, provider[i], &g, &p[i]));
        TRY(bench_run(d, p, n, t));
        printf("%5d %5d %5d %c%c", s->m, s->nn, s->k, g.ta ? 'T' : 'N', g.tb ? 'T' : 'N');
        for (int i = 0; i < n; i++) bench_cell(d, 2.0 * (double)(g.m * g.n) * (double)(g.k * g.batch), &t[i]);
        printf(s->n > 1 ? "  %s, %d of them\n" : "  %s\n", s->origin, s->n);
        fflush(stdout);
        for (int i = 0; i < n; i++) gs_plan_free(p[i]);
    }
    gs_device_close(d);
done:
    free(cases);
    if (st != GS_OK) fprintf(stderr, "bench_gemm: %s\n", gs_last_error());
    return gs_status_exit(st);
}
