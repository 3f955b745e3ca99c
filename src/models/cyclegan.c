/* The networks of CycleGAN, with the names of the release's state dict. Shape letters as in cyclegan.h.
 *
 * Instance norms have neither weights nor running statistics. Convolutions before them have biases in the
 * release; see gs_cyclegan_trained. */
#include "models/cyclegan.h"

#include <stdio.h>
#include <string.h>

#define EPS 1e-5
#define SLOPE 0.2 /* of the discriminators' leaky ReLUs */
#define DEEPEST 8 /* the discriminators' widths stop growing at 8 times the first */

static const gs_init weight_init = { GS_INIT_NORMAL, 0, 0.02 }, zero_init = { GS_INIT_CONST, 0, 0 };

/* Places of a generator's layers in its list of modules: paddings, norms and activations count. */
enum { FIRST = 1, DOWN_1 = 4, DOWN_2 = 7, BLOCKS = 10 }; /* then n_res blocks, up at +0 and +3, the last
                                                          * convolution at +7 */

/* Convolution, module `name`; what does not pass a norm next adds its bias. */
static gs_node *conv(gs_node *x, const char *name, int64_t out, int kernel, const gs_conv2d_opts *c, bool transposed, bool normed)
{
    gs_graph *g = gs_node_graph(x);
    const int64_t in = gs_node_dim(x, 1);
    gs_node *w, *b;

    gs_scope_push(g, "%s", name);
    w = gs_param(g, "weight", transposed ? GS_SHAPE(in, out, kernel, kernel) : GS_SHAPE(out, in, kernel, kernel), weight_init);
    b = gs_param(g, "bias", GS_SHAPE(out), zero_init);
    x = transposed ? gs_conv_transpose2d(x, w, c) : gs_conv2d(x, w, c);
    gs_scope_pop(g);
    return normed ? gs_instance_norm(x, NULL, NULL, EPS) : gs_add_bias(x, b);
}

static gs_node *module(gs_node *x, int place, int64_t out, int kernel, const gs_conv2d_opts *c, bool transposed, bool normed)
{
    char name[24];

    snprintf(name, sizeof name, "model.%d", place);
    return conv(x, name, out, kernel, c, transposed, normed);
}

gs_node *gs_cyclegan_generator(gs_graph *g, const gs_cyclegan_opts *o, const char *net, gs_node *x)
{
    const gs_conv2d_opts reflect3 = { .pad = 3, .pad_mode = GS_PAD_REFLECT }, reflect1 = { .pad = 1, .pad_mode = GS_PAD_REFLECT };
    const gs_conv2d_opts down = { .stride = 2, .pad = 1 }, up = { .stride = 2, .pad = 1, .output_pad = 1 };
    const int64_t ch = o->ch;
    const int after = BLOCKS + o->n_res;

    gs_scope_push(g, "%s", net);
    x = gs_relu(module(x, FIRST, ch, 7, &reflect3, false, true));     /* (N,ch,S,S) */
    x = gs_relu(module(x, DOWN_1, 2 * ch, 3, &down, false, true));    /* (N,2ch,S/2,S/2) */
    x = gs_relu(module(x, DOWN_2, 4 * ch, 3, &down, false, true));    /* (N,4ch,S/4,S/4) */
    for (int i = 0; i < o->n_res; i++) {
        gs_node *h;

        gs_scope_push(g, "model.%d.conv_block", BLOCKS + i);
        h = gs_relu(conv(x, "1", 4 * ch, 3, &reflect1, false, true));
        x = gs_add(x, conv(h, "5", 4 * ch, 3, &reflect1, false, true)); /* no activation after the sum */
        gs_scope_pop(g);
    }
    x = gs_relu(module(x, after, 2 * ch, 3, &up, true, true));        /* (N,2ch,S/2,S/2) */
    x = gs_relu(module(x, after + 3, ch, 3, &up, true, true));        /* (N,ch,S,S) */
    x = gs_tanh(module(x, after + 7, GS_CYCLEGAN_CHANNELS, 7, &reflect3, false, false));
    gs_scope_pop(g);
    return x;
}

gs_node *gs_cyclegan_discriminator(gs_graph *g, const gs_cyclegan_opts *o, const char *net, gs_node *x)
{
    const gs_conv2d_opts halve = { .stride = 2, .pad = 1 }, keep = { .stride = 1, .pad = 1 };
    int64_t width = o->d_ch;

    gs_scope_push(g, "%s", net);
    x = gs_leaky_relu(module(x, 0, width, 4, &halve, false, false), SLOPE);
    for (int i = 1; i <= o->d_layers; i++) { /* the last of these keeps the size, less one */
        width = (int64_t)o->d_ch * (i < 4 ? 1 << i : DEEPEST);
        x = gs_leaky_relu(module(x, 3 * i - 1, width, 4, i < o->d_layers ? &halve : &keep, false, true), SLOPE);
    }
    x = module(x, 3 * o->d_layers + 2, 1, 4, &keep, false, false);
    gs_scope_pop(g);
    return x;
}

bool gs_cyclegan_trained(const void *opts, const char *name)
{
    const gs_cyclegan_opts *o = opts;
    char live[2][32];

    if (*name == 'G') {
        snprintf(live[0], sizeof live[0], "model.%d.bias", BLOCKS + o->n_res + 7);
        snprintf(live[1], sizeof live[1], "%s", live[0]);
    } else {
        snprintf(live[0], sizeof live[0], "model.0.bias");
        snprintf(live[1], sizeof live[1], "model.%d.bias", 3 * o->d_layers + 2);
    }
    return !strstr(name, ".bias") || strcmp(name + 4, live[0]) == 0 || strcmp(name + 4, live[1]) == 0; /* behind "G_A." */
}
