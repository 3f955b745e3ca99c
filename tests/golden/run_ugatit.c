/* Running cases of U-GAT-IT: forward passes of the networks that the case lists, or training steps. */
#include <string.h>

#include "golden.h"
#include "models/ugatit.h"

static bool has_net(const golden_case *c, const char *net)
{
    const char *nets = gs_st_meta(c->file, "nets");

    return nets && strstr(nets, net);
}

static void output(gs_graph *g, gs_node *n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void output(gs_graph *g, gs_node *n, const char *fmt, ...)
{
    char name[96];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    gs_output(g, name, n);
}

/* A picture that went through net, with what the case may compare. */
static gs_node *translate(gs_graph *g, const gs_ugatit_opts *o, const char *net, gs_node *x, const char *name, bool inner)
{
    const gs_ugatit_fake f = gs_ugatit_generator(g, o, net, x);

    output(g, f.image, "out.fake_%s", name);
    if (f.cam_logit) output(g, f.cam_logit, "out.fake_%s_cam_logit", name);
    output(g, f.heatmap, "out.fake_%s_heatmap", name);
    if (inner) {
        output(g, f.down, "out.%s.down", net);
        output(g, f.att, "out.%s.att", net);
        if (f.gamma) output(g, f.gamma, "out.%s.gamma", net);
        if (f.beta) output(g, f.beta, "out.%s.beta", net);
    }
    return f.image;
}

static void judge(gs_graph *g, const gs_ugatit_opts *o, const gs_mode *mode, const char *net, gs_node *x, const char *kind)
{
    const gs_ugatit_score s = gs_ugatit_discriminator(g, o, net, x, mode);

    output(g, s.logit, "out.%s_%s_logit", kind, net + 3);
    if (s.cam_logit) output(g, s.cam_logit, "out.%s_%s_cam_logit", kind, net + 3);
    output(g, s.heatmap, "out.%s_%s_heatmap", kind, net + 3);
}

/* Everything that the case's networks can compute; what nobody compares costs nothing but its plan. */
static gs_status build_forward(gs_graph *g, const golden_case *c, const gs_ugatit_opts *o)
{
    static const char *const gen[2] = { "genB2A", "genA2B" }, *const dis[2][2] = { { "disGA", "disLA" }, { "disGB", "disLB" } };
    const char *text = gs_st_meta(c->file, "d_mode");
    const gs_mode mode = { .train = text && strcmp(text, "train") == 0 };
    gs_node *real[2], *fake[2] = { NULL, NULL };
    char name[16];

    for (int d = 0; d < 2; d++) {
        snprintf(name, sizeof name, "real_%c", 'A' + d);
        real[d] = golden_find(c, "feed.0.%s", name) || c->feed_hash
                      ? gs_input(g, name, GS_SHAPE(1, o->img_ch, o->size, o->size), GS_F32) : NULL;
    }
    for (int d = 1; d >= 0; d--) {
        snprintf(name, sizeof name, "%c2%c", 'A' + !d, 'A' + d);
        if (has_net(c, gen[d])) fake[d] = translate(g, o, gen[d], real[!d], name, true);
    }
    for (int d = 0; d < 2 && has_net(c, gen[0]) && has_net(c, gen[1]); d++) {
        snprintf(name, sizeof name, "%c2%c", 'A' + d, 'A' + d);
        translate(g, o, gen[d], real[d], name, false);
        snprintf(name, sizeof name, "%c2%c2%c", 'A' + !d, 'A' + d, 'A' + !d);
        translate(g, o, gen[!d], fake[d], name, false);
    }
    for (int d = 0; d < 2; d++) {
        for (int scale = 0; scale < 2; scale++) {
            if (!has_net(c, dis[d][scale])) continue;
            judge(g, o, &mode, dis[d][scale], real[d], "real");
            if (fake[d]) judge(g, o, &mode, dis[d][scale], fake[d], "fake");
        }
    }
    return gs_graph_status(g);
}

static double rate(const void *o, int64_t step)
{
    return gs_ugatit_lr(o, step);
}

static gs_status run(golden_case *c, gs_device *d)
{
    const bool train = strcmp(c->kind, "train") == 0;
    gs_graph *g = gs_graph_new();
    gs_ugatit_opts o;
    gs_status st = GS_OK;

    TRY(gs_ugatit_configure(&o, golden_lookup, c));
    TRY(train ? gs_ugatit_build_step(g, &o, o.batch, true) : build_forward(g, c, &o));
    TRY(golden_run_graph(c, d, g, train ? rate : NULL, &o));
done:
    gs_graph_free(g);
    return st;
}

void golden_run_ugatit(golden_case *c, gs_device *d)
{
    if (run(c, d) != GS_OK) golden_give_up(c);
}
