/* Running cases of Inception-v3: one forward pass on "image", everything on the way compared. */
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "models/inception.h"

static gs_status build(gs_graph *g, const golden_case *c)
{
    const char *graph = golden_config(c, "inception"), *shapes = gs_st_meta(c->file, "feed_shapes");
    const gs_st_tensor *stored = golden_find(c, "feed.0.image");
    const gs_inception_opts o = {
        .graph = graph && strcmp(graph, "fid2015") == 0 ? GS_INCEPTION_FID2015 : GS_INCEPTION_TV,
        .classes = (int)golden_number(c, "classes", 1000), .aux = golden_number(c, "aux", 0) != 0,
        .transform_input = golden_number(c, "transform_input", 0) != 0,
    };
    long long n, ch, h, w;
    gs_inception_out out;
    gs_shape shape;

    if (graph && strcmp(graph, "fid2015") != 0 && strcmp(graph, "tv") != 0)
        return gs_fail(GS_EFORMAT, "%s: inception = %s", c->path, graph);
    if (stored) shape = golden_shape(stored);
    else if (shapes && sscanf(shapes, "image=%lld,%lld,%lld,%lld", &n, &ch, &h, &w) == 4) shape = GS_SHAPE(n, ch, h, w);
    else return gs_fail(GS_EFORMAT, "%s: the shape of the feed image is not said", c->path);
    out = gs_inception(g, &o, "inception", gs_input(g, "image", shape, GS_F32));
    for (int i = 0; i < GS_INCEPTION_MAPS; i++) {
        char name[64];

        snprintf(name, sizeof name, "out.%s", out.map[i].name);
        gs_output(g, name, out.map[i].node);
    }
    gs_output(g, "out.features", out.features);
    if (out.logits) gs_output(g, "out.logits", out.logits);
    if (out.aux) gs_output(g, "out.aux", out.aux);
    return gs_graph_status(g);
}

static gs_status run(golden_case *c, gs_device *d)
{
    gs_graph *g = gs_graph_new();
    golden_exec *e = NULL;
    float *image = NULL;
    gs_status st = GS_OK;

    if (strcmp(c->kind, "forward") != 0)
        TRY(gs_fail(GS_EFORMAT, "%s: kind %s: this network runs forward only", c->path, c->kind));
    TRY(build(g, c));
    TRY(golden_exec_new(g, d, &e));
    TRY(golden_load_state(e, g, c));
    image = gs_xalloc((size_t)gs_shape_count(g->inputs[0].node->shape) * sizeof *image);
    TRY(golden_feed(c, 0, "image", g->inputs[0].node->shape, image));
    TRY(golden_exec_feed(e, "image", image));
    TRY(golden_exec_run(e, 0, 0));
    TRY(golden_compare_step(e, g, c, 0));
done:
    free(image);
    golden_exec_free(e);
    gs_graph_free(g);
    return st;
}

void golden_run_inception(golden_case *c, gs_device *d)
{
    if (run(c, d) != GS_OK) golden_give_up(c);
}
