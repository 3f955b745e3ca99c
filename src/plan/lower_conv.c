/* Convolution and its two gradients to launches: the variants that compute one. */
#include "plan/lower_int.h"
#include "plan/plan_int.h"

static gs_conv geometry(const gs_node *n)
{
    const int32_t *i = n->attr.i;
    gs_conv c = { .sh = i[0], .sw = i[1], .ph = i[2], .pw = i[3], .dil = i[4], .groups = i[5] };
    gs_shape x, y, w;

    if (GS_IS(n, conv2d)) {
        c.kind = GS_CONV_Y;
        x = n->in[0]->shape, w = n->in[1]->shape, y = n->shape;
    } else if (GS_IS(n, conv2d_dx)) {
        c.kind = GS_CONV_DX;
        y = n->in[0]->shape, w = n->in[1]->shape, x = n->shape;
    } else {
        c.kind = GS_CONV_DW;
        x = n->in[0]->shape, y = n->in[1]->shape, w = n->shape;
    }
    c.n = (int)x.dim[0], c.xc = (int)x.dim[1], c.xh = (int)x.dim[2], c.xw = (int)x.dim[3];
    c.yc = (int)y.dim[1], c.yh = (int)y.dim[2], c.yw = (int)y.dim[3];
    c.kh = (int)w.dim[2], c.kw = (int)w.dim[3];
    return c;
}

static void sizes(gs_launch *l, const gs_conv *c)
{
    const int v[] = { c->n, c->xc, c->xh, c->xw, c->yc, c->yh, c->yw, c->kh, c->kw, c->sh, c->sw, c->ph, c->pw, c->dil, c->groups };

    for (size_t i = 0; i < GS_COUNT(v); i++) gs_launch_int(l, v[i]);
}

/* ---- cl/conv_direct.cl: takes every shape ---- */

static bool direct_can(const gs_device *d, const gs_problem *q)
{
    (void)d, (void)q;
    return true;
}

static gs_status direct_emit(gs_plan *p, const gs_problem *q, const gs_variant *v, gs_value *out, gs_value *a, gs_value *b)
{
    static const char *const kernel[] = { "conv2d_direct", "conv2d_dx_direct", "conv2d_dw_direct" };
    gs_conv c = q->conv;
    /* Turns of the outermost loop, and of those inside it. */
    const bool dw = c.kind == GS_CONV_DW;
    const int64_t outer = dw ? (int64_t)c.n * c.yh : (c.kind == GS_CONV_Y ? c.xc : c.yc) / c.groups;
    const int64_t inner = dw ? 4 + c.yw : 2 + (int64_t)c.kh * (c.kw + 2);
    int64_t part;
    const gs_status st = gs_plan_part(p, outer, 1, inner, 2, &part);

    (void)v;
    if (st == GS_OK && c.mode != GS_CONV_ZEROS) a = gs__conv_padded(p, &c, a);
    for (int64_t first = 0; first < outer && st == GS_OK; first += part) {
        gs_launch *l = gs_launch_new(p, "conv_direct.cl", kernel[c.kind], "%s", part < outer ? "-DPART=1" : "");

        gs__launch_sum(l, out, first);
        gs_launch_in(l, a);
        gs_launch_in(l, b);
        sizes(l, &c);
        gs_launch_range(l, first, part, outer);
        gs__grid_items(l, out->count);
        gs_launch_cost(l, gs_problem_flops(q) * gs__share(first, part, outer), 4.0 * (double)(a->count + b->count + out->count));
    }
    return st;
}

/* ---- cl/conv_cpu.cl and cl/conv_tile.cl ---- */

static bool cpu_can(const gs_device *d, const gs_problem *q) { return gs__cpu_forms(&d->info) && gs__conv_gemm_can(&q->conv, true); }

enum { OWN_POSITIONS = 192 }; /* that one item takes */

/* Items that pack the panels they use: accumulators and a block of a panel in local memory, and by x no more taps than a vector has lanes. */
static bool own_can(const gs_device *d, const gs_problem *q)
{
    const gs_conv *c = &q->conv;

    return cpu_can(d, q) && d->info.local_memory >= 48 << 10 &&
           (c->kind == GS_CONV_Y || (c->kind == GS_CONV_DX && c->sh * c->sw == 1 && c->kh * c->kw <= 16));
}

/* Where that is once for all, and no turn has idle lanes: few positions, by y or with windows of 16 taps. */
static bool own_pays(const gs_device *d, const gs_problem *q, const gs_variant *v)
{
    const gs_conv *c = &q->conv;

    (void)d, (void)v;
    if (c->kind == GS_CONV_Y) return (int64_t)c->n * c->yh * c->yw <= OWN_POSITIONS;
    return (int64_t)c->n * c->xh * c->xw <= OWN_POSITIONS && c->kh * c->kw == 16;
}

static bool tile16_can(const gs_device *d, const gs_problem *q) { return d->info.max_group >= 256 && gs__conv_gemm_can(&q->conv, false); }

static bool tile8_can(const gs_device *d, const gs_problem *q)
{
    (void)d;
    return gs__conv_gemm_can(&q->conv, false);
}

static gs_status cpu_emit(gs_plan *p, const gs_problem *q, const gs_variant *v, gs_value *out, gs_value *a, gs_value *b)
{
    return gs__conv_gemm(p, &q->conv, true, v->param, out, a, b);
}

static gs_status tile_emit(gs_plan *p, const gs_problem *q, const gs_variant *v, gs_value *out, gs_value *a, gs_value *b)
{
    return gs__conv_gemm(p, &q->conv, false, v->param, out, a, b);
}

/* A further algorithm is a row here: `gesso check` and `gesso tune` take it from there. */
const gs_variant gs__conv_variants[] = {
    { "whole", 0, false, gs__conv_whole_can, gs__conv_whole }, /* one window a picture: a plain product */
    { "pixel", 0, false, gs__conv_pixel_can, gs__conv_pixel, gs__conv_pixel_pays }, /* windows of one pixel: a product a picture */
    { "few", 0, false, gs__conv_few_can, gs__conv_few },       /* CPUs, few channels on one side */
    { "fused:4", 4, false, gs__conv_fused_can, gs__conv_fused, gs__conv_fused_pays },
    { "fused:3", 3, false, gs__conv_fused_wide_can, gs__conv_fused, gs__conv_fused_pays },
    { "winograd:4", 4, false, gs__conv_winograd_can, gs__conv_winograd, gs__conv_winograd_pays },
    { "winograd:2", 2, false, gs__conv_winograd_small_can, gs__conv_winograd, gs__conv_winograd_pays },
    { "winograd:3", 3, false, gs__conv_winograd_wide_can, gs__conv_winograd, gs__conv_winograd_pays },
    { "sums", 0, false, gs__conv_sums_can, gs__conv_sums, gs__conv_sums_pays }, /* CPUs, by weights: few of them, many pixels */
    { "rows", 0, false, gs__conv_rows_can, gs__conv_rows, gs__conv_rows_pays }, /* CPUs, y: sums along rows of pixels */
    { "own", 0, false, own_can, cpu_emit, own_pays },
    { "cpu:4", 4, false, cpu_can, cpu_emit },
    { "cpu:1", 1, true, cpu_can, cpu_emit },
    { "cpu:2", 2, true, cpu_can, cpu_emit },
    { "tile:16", 16, false, tile16_can, tile_emit },
    { "tile:8", 8, false, tile8_can, tile_emit },
    { "direct", 0, false, direct_can, direct_emit },
    { NULL },
};

/* attr of linmap: see graph/linmap.c. */
gs_problem gs__conv_problem(gs_plan *p, const gs_node *n)
{
    gs_problem q = { .conv = geometry(n) };
    const gs_node *x = n->in[0];

    q.conv.no_winograd = gs_plan_no_winograd(p);
    q.family = GS_FAMILY_CONV_Y + (int)q.conv.kind;
    if (gs__info(p, x)->folded) {
        q.conv.mode = x->attr.i[0] == GS_LM_REFLECT ? GS_CONV_REFLECT : GS_CONV_REPLICATE;
        q.conv.ph = x->attr.i[8], q.conv.pw = x->attr.i[9];
        x = x->in[0];
        q.conv.xh = (int)x->shape.dim[2], q.conv.xw = (int)x->shape.dim[3];
    }
    return q;
}

static gs_status lower(gs_plan *p, const gs_node *n)
{
    gs_problem q = gs__conv_problem(p, n);
    const gs_node *x = gs__info(p, n->in[0])->folded ? n->in[0]->in[0] : n->in[0];

    q.end = p->end;
    return gs__plan_problem(p, &q, gs_plan_value(p, n), gs_plan_value(p, x), gs_plan_value(p, n->in[1]));
}

gs_status gs_lower_conv2d(gs_plan *p, const gs_node *n) { return lower(p, n); }
gs_status gs_lower_conv2d_dx(gs_plan *p, const gs_node *n) { return lower(p, n); }
gs_status gs_lower_conv2d_dw(gs_plan *p, const gs_node *n) { return lower(p, n); }
