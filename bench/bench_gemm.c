/* GFLOP/s of every GEMM provider on the shapes of the networks. bench_gemm [device] [providers, comma-separated] */
#include <stdio.h>
#include <string.h>

#include "../bench/bench.h"

static const struct { int m, n, k; bool ta, tb; const char *what; } shapes[] = {
    { 512, 512, 512, false, false, "square" },
    { 1024, 1024, 1024, false, false, "square" },
    { 1024, 1024, 1024, true, false, "square" },
    { 2048, 2048, 2048, false, false, "square" },
    { 960, 960, 960, false, true, "square" },
    { 64, 1200, 1200, false, true, "linear, y" },
    { 64, 1200, 1200, false, false, "linear, dx" },
    { 1200, 1200, 64, true, false, "linear, dw" },
    { 128, 512, 1200, false, true, "linear, y" },
    { 128, 1200, 100, false, true, "linear, y" },
    { 1200, 512, 64, true, false, "linear, dw" },
    { 128, 256, 784, false, true, "linear, y" },
    { 128, 512, 2048, false, true, "linear, y" },
    { 32, 3072, 1024, false, true, "GRU" },
    { 32, 16384, 356, false, true, "few rows" },
    { 16, 16384, 228, false, true, "few rows" },
    { 800, 3072, 768, false, true, "transformer" },
    { 128, 1, 240, false, true, "one output" },
    { 256, 8192, 1152, false, false, "conv-like" },
    { 64, 4096, 1152, false, false, "conv-like" },
    { 512, 2048, 4608, false, false, "conv-like" },
    { 256, 256, 4096, true, false, "long sum" },
};

static gs_status prepare(gs_device *d, const char *provider, const gs_gemm *g, gs_plan **out)
{
    gs_plan *p = gs_hand_plan(d);
    const int64_t na = g->m * g->k, nb = g->k * g->n, nc = g->m * g->n;
    float *x = gs_xalloc(4 * (size_t)GS_MAX(GS_MAX(na, nb), nc));
    gs_value *a, *b, *c;
    gs_status st = GS_OK;

    for (int64_t i = 0; i < GS_MAX(na, nb); i++) x[i] = (float)(i % 17 - 8) / 8.0f;
    setenv("GESSO_GEMM", provider, 1);
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
    static char on_cpu[] = "cpu,driver", on_gpu[] = "driver,tile"; /* tile and CPUs: 3 GFLOP/s, a matter of minutes */
    char *list;
    const char *provider[8];
    int n = 0;
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
    for (size_t s = 0; s < GS_COUNT(shapes); s++) {
        const gs_gemm g = { .m = shapes[s].m, .n = shapes[s].n, .k = shapes[s].k, .batch = 1, .ta = shapes[s].ta, .tb = shapes[s].tb,
                            .lda = shapes[s].ta ? shapes[s].m : shapes[s].k, .ldb = shapes[s].tb ? shapes[s].k : shapes[s].n,
                            .ldc = shapes[s].n, .alpha = 1.0f };
        gs_plan *p[8] = { 0 };
        bench_time t[8];

        for (int i = 0; i < n; i++) TRY(prepare(d, provider[i], &g, &p[i]));
        TRY(bench_run(d, p, n, t));
        printf("%5d %5d %5d %c%c", shapes[s].m, shapes[s].n, shapes[s].k, g.ta ? 'T' : 'N', g.tb ? 'T' : 'N');
        for (int i = 0; i < n; i++) bench_cell(d, 2.0 * (double)(g.m * g.n) * (double)g.k, &t[i]);
        printf("  %s\n", shapes[s].what);
        fflush(stdout);
        for (int i = 0; i < n; i++) gs_plan_free(p[i]);
    }
    gs_device_close(d);
done:
    if (st != GS_OK) fprintf(stderr, "bench_gemm: %s\n", gs_last_error());
    return gs_status_exit(st);
}
