/* GFLOP/s of every GEMM provider on the shapes of the networks. bench_gemm [device] [providers, comma-separated]; "plan": what plans take by themselves */
#include <stdio.h>
#include <string.h>

#include "../bench/bench.h"

static const struct { int m, n, k; bool ta, tb; int batch; const char *what; } shapes[] = {
    { 256, 256, 256, false, false, 1, "square" },
    { 512, 512, 512, false, false, 1, "square" },
    { 1024, 1024, 1024, false, false, 1, "square" },
    { 1024, 1024, 1024, true, false, 1, "square" },
    { 2048, 2048, 2048, false, false, 1, "square" },
    { 960, 960, 960, false, true, 1, "square" },
    { 64, 1200, 512, false, true, 1, "cgan concat: G fc3" },
    { 64, 512, 1200, false, false, 1, "cgan concat: G fc3, dx" },
    { 1200, 512, 64, true, false, 1, "cgan concat: G fc3, dw" },
    { 64, 784, 1200, false, true, 1, "cgan concat: G fc_out" },
    { 64, 1200, 784, false, false, 1, "cgan concat: G fc_out, dx" },
    { 64, 1024, 794, false, true, 1, "cgan concat: D fc1" },
    { 1024, 794, 64, true, false, 1, "cgan concat: D fc1, dw" },
    { 64, 1, 256, false, true, 1, "cgan concat: D fc_out" },
    { 100, 1200, 1200, false, true, 1, "cgan paper: G h" },
    { 100, 1200, 1200, false, false, 1, "cgan paper: G h, dx" },
    { 100, 1200, 784, false, true, 1, "cgan paper: D mx" },
    { 1200, 784, 100, true, false, 1, "cgan paper: D mx, dw" },
    { 128, 1200, 100, false, true, 1, "cgan embed: G fc1" },
    { 128, 512, 2048, false, true, 1, "cgan embed: D fc2" },
    { 128, 2048, 512, false, false, 1, "cgan embed: D fc2, dx" },
    { 512, 2048, 128, true, false, 1, "cgan embed: D fc2, dw" },
    { 1, 256, 8192, false, true, 1, "spade: E fc_mu" },
    { 1, 16384, 256, false, true, 1, "spade: G fc" },
    { 1024, 1, 9216, false, false, 1, "spade: power iteration" },
    { 9216, 1, 1024, true, false, 1, "spade: power iteration, transposed" },
    { 16, 16384, 228, false, true, 1, "text2image: G mapping" },
    { 16384, 228, 16, true, false, 1, "text2image: G mapping, dw" },
    { 800, 3072, 768, false, true, 1, "text2image: CLIP block" },
    { 800, 768, 3072, false, false, 1, "text2image: CLIP block, dx" },
    { 50, 50, 64, false, true, 192, "text2image: CLIP attention, 192 of them" },
    { 50, 64, 50, false, false, 192, "text2image: CLIP attention, 192 of them" },
    { 32, 3072, 1024, false, true, 1, "geneva: GRU" },
    { 32, 1024, 3072, false, false, 1, "geneva: GRU, dx" },
    { 3072, 1024, 32, true, false, 1, "geneva: GRU, dw" },
    { 32, 16384, 356, false, true, 1, "geneva: G fc1" },
    { 32, 356, 16384, false, false, 1, "geneva: G fc1, dx" },
    { 16384, 356, 32, true, false, 1, "geneva: G fc1, dw" },
    { 32, 2048, 1024, false, true, 1, "geneva: G conditional norm" },
    { 256, 4096, 2304, false, false, 1, "ugatit: residual convolution, as a product" },
    { 64, 4096, 1152, false, false, 1, "convolution, as a product" },
    { 256, 256, 4096, true, false, 1, "long sum" },
};

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
        const gs_gemm g = { .m = shapes[s].m, .n = shapes[s].n, .k = shapes[s].k, .batch = shapes[s].batch, .ta = shapes[s].ta, .tb = shapes[s].tb,
                            .lda = shapes[s].ta ? shapes[s].m : shapes[s].k, .ldb = shapes[s].tb ? shapes[s].k : shapes[s].n,
                            .ldc = shapes[s].n, .alpha = 1.0f, .stride_a = (int64_t)shapes[s].m * shapes[s].k,
                            .stride_b = (int64_t)shapes[s].k * shapes[s].n, .stride_c = (int64_t)shapes[s].m * shapes[s].n };
        gs_plan *p[8] = { 0 };
        bench_time t[8];

        for (int i = 0; i < n; i++) TRY(prepare(d, provider[i], &g, &p[i]));
        TRY(bench_run(d, p, n, t));
        printf("%5d %5d %5d %c%c", shapes[s].m, shapes[s].n, shapes[s].k, g.ta ? 'T' : 'N', g.tb ? 'T' : 'N');
        for (int i = 0; i < n; i++) bench_cell(d, 2.0 * (double)(g.m * g.n) * (double)(g.k * g.batch), &t[i]);
        printf("  %s\n", shapes[s].what);
        fflush(stdout);
        for (int i = 0; i < n; i++) gs_plan_free(p[i]);
    }
    gs_device_close(d);
done:
    if (st != GS_OK) fprintf(stderr, "bench_gemm: %s\n", gs_last_error());
    return gs_status_exit(st);
}
