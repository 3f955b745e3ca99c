/* Convolution and its two gradients to launches: which form computes one. $GESSO_CONV names a form to use wherever it suits the
 * shape: cpu, tile or direct. */
#include <stdlib.h>
#include <string.h>

#include "plan/lower_int.h"

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

/* cl/conv_direct.cl: takes every shape. */
static void direct(gs_plan *p, const gs_conv *c, const gs_node *n)
{
    static const char *const kernel[] = { "conv2d_direct", "conv2d_dx_direct", "conv2d_dw_direct" };
    const double flops = 2.0 * c->n * c->yc * c->yh * c->yw * (c->xc / c->groups) * c->kh * c->kw;
    const int64_t a = gs_shape_count(n->in[0]->shape), b = gs_shape_count(n->in[1]->shape), y = gs_shape_count(n->shape);
    gs_launch *l = gs_launch_new(p, "conv_direct.cl", kernel[c->kind], "%s", "");

    gs_launch_out(l, gs_plan_value(p, n));
    gs_launch_in(l, gs_plan_value(p, n->in[0]));
    gs_launch_in(l, gs_plan_value(p, n->in[1]));
    sizes(l, c);
    gs__grid_items(l, y);
    gs_launch_cost(l, flops, 4.0 * (double)(a + b + y));
}

static gs_status lower(gs_plan *p, const gs_node *n)
{
    const gs_conv c = geometry(n);
    const char *form = getenv("GESSO_CONV");

    if (!form || !*form) form = gs_plan_on_cpu(p) ? "cpu" : "tile";
    if (strcmp(form, "cpu") && strcmp(form, "tile") && strcmp(form, "direct"))
        return gs_fail(GS_EINVAL, "GESSO_CONV=%s: no such form of convolution; there are cpu, tile and direct", form);
    if (!strcmp(form, "cpu") && !gs_plan_on_cpu(p)) form = "tile";
    if (!strcmp(form, "direct") ||
        !gs__conv_gemm(p, &c, !strcmp(form, "cpu"), gs_plan_value(p, n), gs_plan_value(p, n->in[0]), gs_plan_value(p, n->in[1])))
        direct(p, &c, n);
    return GS_OK;
}

gs_status gs_lower_conv2d(gs_plan *p, const gs_node *n) { return lower(p, n); }
gs_status gs_lower_conv2d_dx(gs_plan *p, const gs_node *n) { return lower(p, n); }
gs_status gs_lower_conv2d_dw(gs_plan *p, const gs_node *n) { return lower(p, n); }
