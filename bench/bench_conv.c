/* GFLOP/s of convolution and its two gradients in every form, on the shapes of the networks.
 * bench_conv [device] [variants, comma-separated: preset,few,winograd,cpu,tile,direct] [part of a row: only those that
 * have it] */
#include <stdio.h>
#include <string.h>

#include "../bench/bench.h"

static const struct { int n, c, h, o, k, s, p; const char *what; } shapes[] = {
    { 128, 1, 32, 128, 4, 2, 1, "cdcgan" },
    { 128, 128, 16, 256, 4, 2, 1, "cdcgan" },
    { 128, 256, 8, 512, 4, 2, 1, "cdcgan" },
    { 128, 512, 4, 1, 4, 1, 0, "cdcgan" },
    { 64, 64, 28, 64, 3, 1, 1, "3x3" },
    { 1, 64, 256, 64, 3, 1, 1, "3x3, spade" },
    { 1, 256, 64, 256, 3, 1, 1, "3x3, ugatit" },
    { 8, 256, 16, 512, 3, 1, 1, "3x3, geneva" },
    { 1, 1024, 16, 1024, 3, 1, 1, "3x3, spade" },
    { 16, 512, 8, 1024, 4, 2, 1, "4x4 stride 2, text2image's deconv" },
    { 1, 512, 16, 1024, 4, 2, 1, "4x4 stride 2, ugatit_256 D" },
    { 1, 1024, 8, 2048, 4, 1, 1, "4x4, ugatit_256 D" },
    { 1, 3, 128, 64, 7, 1, 3, "7x7, from a picture" },
    { 1, 64, 128, 3, 7, 1, 3, "7x7, to a picture" },
    { 1, 3, 256, 64, 4, 2, 1, "4x4, from a picture" },
    { 16, 512, 8, 512, 1, 1, 0, "1x1" },
    { 1, 512, 64, 256, 1, 1, 0, "1x1, ugatit" },
    { 1, 64, 256, 128, 3, 2, 1, "3x3 stride 2, ugatit" },
    { 1, 512, 8, 1024, 4, 1, 1, "4x4, ugatit_256 D" },
    { 1, 64, 24, 64, 3, 1, 1, "3x3, ugatit_96" },
};

static gs_status prepare(gs_device *d, const char *form, size_t s, int op, gs_graph **graph, gs_plan **out)
{
    const int oh = (shapes[s].h + 2 * shapes[s].p - shapes[s].k) / shapes[s].s + 1, h = shapes[s].h, k = shapes[s].k;
    gs_attr a = { .i = { shapes[s].s, shapes[s].s, shapes[s].p, shapes[s].p, 1, 1, op == 1 ? h : k, op == 1 ? h : k } };
    gs_graph *g = gs_graph_new();
    gs_node *x = op != 1 ? gs_input(g, "x", GS_SHAPE(shapes[s].n, shapes[s].c, h, h), GS_F32) : NULL;
    gs_node *w = op != 2 ? gs_input(g, "w", GS_SHAPE(shapes[s].o, shapes[s].c, k, k), GS_F32) : NULL;
    gs_node *dy = op != 0 ? gs_input(g, "dy", GS_SHAPE(shapes[s].n, shapes[s].o, oh, oh), GS_F32) : NULL;
    gs_status st;

    setenv("GESSO_CONV", strcmp(form, "preset") ? form : "", 1);
    gs_output(g, "y", op == 0 ? gs__node2(&gs_op_conv2d, x, w, &a) : op == 1 ? gs__node2(&gs_op_conv2d_dx, dy, w, &a)
                                                                            : gs__node2(&gs_op_conv2d_dw, x, dy, &a));
    st = gs_compile(g, d, NULL, NULL, out);
    for (int i = 0; st == GS_OK && i < g->n_inputs; i++) {
        const int64_t n = gs_shape_count(g->inputs[i].node->shape);
        float *f = gs_xalloc(4 * (size_t)n);

        for (int64_t e = 0; e < n; e++) f[e] = (float)(e % 17 - 8) / 8.0f;
        st = gs_plan_feed(*out, g->inputs[i].name, f);
        free(f);
    }
    *graph = g;
    return st;
}

int main(int argc, char **argv)
{
    static char cpu[] = "preset,cpu", tile[] = "preset";
    static const char *const names[] = { "y", "dx", "dw" };
    const char *form[4];
    char *list;
    int n = 0;
    gs_device *d;
    gs_status st = GS_OK;

    TRY(gs_device_open(argc > 1 ? argv[1] : NULL, &d));
    list = argc > 2 ? argv[2] : gs__cpu_forms(gs_device_get_info(d)) ? cpu : tile;
    for (char *s = strtok(list, ","); s && n < 4; s = strtok(NULL, ",")) form[n++] = s;
    bench_head(d);
    for (size_t s = 0; s < GS_COUNT(shapes); s++)
        for (int op = 0; op < 3; op++) {
            gs_graph *g[4] = { 0 };
            gs_plan *p[4] = { 0 };
            bench_time t[4];
            char row[96];

            snprintf(row, sizeof row, "%3d x %4d x %3d^2 -> %4d, %dx%d stride %d, %-2s", shapes[s].n, shapes[s].c,
                     shapes[s].h, shapes[s].o, shapes[s].k, shapes[s].k, shapes[s].s, names[op]);
            if (argc > 3 && !strstr(row, argv[3])) continue;
            for (int i = 0; i < n; i++) TRY(prepare(d, form[i], s, op, &g[i], &p[i]));
            TRY(bench_run(d, p, n, t));
            printf("%s", row);
            for (int i = 0; i < n; i++) {
                const int oh = (shapes[s].h + 2 * shapes[s].p - shapes[s].k) / shapes[s].s + 1;

                printf("  %s", form[i]);
                bench_cell(d, 2.0 * shapes[s].n * shapes[s].o * oh * oh * shapes[s].c * shapes[s].k * shapes[s].k,
                           &t[i]);
            }
            printf("  %s\n", shapes[s].what);
            fflush(stdout);
            for (int i = 0; i < n; i++) {
                gs_plan_free(p[i]);
                gs_graph_free(g[i]);
            }
        }
    gs_device_close(d);
done:
    if (st != GS_OK) fprintf(stderr, "bench_conv: %s\n", gs_last_error());
    return gs_status_exit(st);
}
