/* Running cases of the conditional GAN: a forward pass in evaluation mode, or training steps. */
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "models/cgan.h"

static const char *lookup(void *user, const char *section, const char *key)
{
    (void)section; /* cases have no section headers */
    return golden_config(user, key);
}

static gs_status feed_step(golden_exec *e, gs_graph *g, const golden_case *c, const gs_cgan_opts *o, int step)
{
    gs_status st = GS_OK;

    for (int i = 0; st == GS_OK && i < g->n_inputs; i++) {
        const char *name = g->inputs[i].name;
        const gs_shape shape = g->inputs[i].node->shape;
        void *data = gs_xalloc((size_t)gs_shape_count(shape) * 4);

        if (strcmp(name, "lr_g") == 0) *(float *)data = (float)gs_cgan_lr(o, false, 1, step);
        else if (strcmp(name, "lr_d") == 0) *(float *)data = (float)gs_cgan_lr(o, true, 1, step);
        else if (strcmp(name, "momentum") == 0) *(float *)data = (float)gs_cgan_momentum(o, 1);
        else st = golden_feed(c, step, name, shape, data);
        if (st == GS_OK) st = golden_exec_feed(e, name, data);
        free(data);
    }
    return st;
}

/* Evaluation mode: pictures, both logits, and what enters the last layers. */
static gs_status build_forward(gs_graph *g, const gs_cgan_opts *o, int batch)
{
    gs_node *z = gs_input(g, "z", GS_SHAPE(batch, o->latent_dim), GS_F32);
    gs_node *y_fake = gs_input(g, "y_fake", GS_SHAPE(batch), GS_I32);
    gs_node *real = gs_input(g, "real", GS_SHAPE(batch, o->image_channels, o->image_size, o->image_size), GS_F32);
    gs_node *y = gs_input(g, "y", GS_SHAPE(batch), GS_I32);
    gs_node *g_hidden, *d_hidden, *fake = gs_cgan_generator(g, o, z, y_fake, NULL, &g_hidden);

    gs_output(g, "out.fake", fake);
    gs_output(g, "out.g_hidden", g_hidden);
    gs_output(g, "out.d_fake", gs_cgan_discriminator(g, o, fake, y_fake, NULL, NULL));
    gs_output(g, "out.d_real", gs_cgan_discriminator(g, o, real, y, NULL, &d_hidden));
    gs_output(g, "out.d_hidden", d_hidden);
    return gs_graph_status(g);
}

static bool has_masks(const golden_case *c)
{
    for (int i = 0; i < gs_st_count(c->file); i++) {
        if (strncmp(gs_st_at(c->file, i)->name, "feed.0.mask_", 12) == 0) return true;
    }
    return false;
}

static gs_status run(golden_case *c, gs_device *d)
{
    const bool train = strcmp(c->kind, "train") == 0, masks = has_masks(c);
    const gs_st_tensor *labels = golden_find(c, "feed.0.y");
    gs_graph *g = gs_graph_new();
    golden_exec *e = NULL;
    gs_cgan_opts o;
    gs_status st = GS_OK;
    int batch;

    TRY(gs_cgan_configure(&o, lookup, c));
    if (!labels || labels->count < 1 || labels->count > 65536)
        TRY(gs_fail(GS_EFORMAT, "%s: no labels feed.0.y", c->path));
    batch = (int)labels->count;
    if (!masks) o.g_dropout = o.d_dropout = 0;
    if (train)
        TRY(gs_cgan_build_step(g, &o, batch,
                               &(gs_cgan_step_opts){ .feed_noise = true, .feed_masks = masks, .trace = true }));
    else TRY(build_forward(g, &o, batch));
    TRY(golden_exec_new(g, d, &e));
    TRY(golden_load_state(e, g, c));
    for (int s = 0; s < c->steps; s++) {
        TRY(feed_step(e, g, c, &o, s));
        TRY(golden_exec_run(e, 0, (uint64_t)s));
        TRY(golden_compare_step(e, g, c, s));
    }
    TRY(golden_compare_after(e, g, c));
done:
    golden_exec_free(e);
    gs_graph_free(g);
    return st;
}

void golden_run_cgan(golden_case *c, gs_device *d)
{
    if (run(c, d) != GS_OK) golden_give_up(c);
}
