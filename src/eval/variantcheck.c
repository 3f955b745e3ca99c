/* See the header. All problems of a variant stand in one plan, behind an input that keeps the first of them from offset 0. */
#include "eval/variantcheck.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gesso/gesso.h"
#include "graph/graph.h"

/* Ones, primes, tails of tiles (12, 32, 64), long and slim products, sums beyond 65,536 terms. */
static const struct { int batch, m, n, k; bool ta, tb; } gemms[] = {
    { 1, 1, 1, 1, 0, 0 },   { 1, 1, 1, 127, 0, 1 },  { 1, 37, 41, 67, 0, 0 },   { 1, 37, 41, 67, 1, 0 },  { 1, 37, 41, 67, 0, 1 },
    { 1, 37, 41, 67, 1, 1 }, { 1, 65, 33, 129, 0, 0 }, { 3, 13, 97, 31, 0, 1 }, { 5, 12, 32, 16, 1, 0 }, { 1, 211, 3, 53, 0, 0 },
    { 1, 2, 257, 19, 0, 1 }, { 2, 1, 64, 5, 0, 0 },  { 1, 2, 3, 70001, 0, 1 },
};

static const struct { int n, c, h, w, o, k, s, p, dil, g; gs_conv_mode mode; } convs[] = {
    { 1, 1, 1, 1, 1, 1, 1, 0, 1, 1 },
    { 2, 3, 9, 7, 9, 3, 1, 1, 1, 1 },
    { 3, 17, 11, 13, 37, 3, 1, 1, 1, 1 },  /* tails everywhere */
    { 1, 32, 16, 16, 64, 3, 1, 1, 1, 1 },  /* whole tiles */
    { 2, 9, 16, 16, 40, 4, 2, 1, 1, 1 },   /* rows two apart, in fours */
    { 1, 40, 7, 9, 136, 4, 2, 1, 1, 1 },   /* rows not in fours; five strips */
    { 1, 3, 19, 17, 11, 7, 1, 3, 1, 1 },
    { 2, 13, 6, 5, 67, 1, 1, 0, 1, 1 },
    { 1, 19, 9, 7, 21, 1, 1, 0, 1, 1 },    /* a plain product by weights too */
    { 2, 8, 13, 12, 8, 3, 2, 2, 2, 1 },    /* dilation shares a factor with the stride */
    { 1, 8, 11, 10, 9, 5, 3, 2, 1, 1 },
    { 2, 32, 9, 8, 64, 3, 1, 1, 1, 4 },    /* groups of 8 and 16 */
    { 1, 16, 9, 8, 16, 3, 1, 1, 1, 16 },   /* depthwise */
    { 5, 72, 4, 4, 3, 4, 1, 0, 1, 1 },     /* one value a picture */
    { 1, 8, 45, 43, 3, 3, 1, 1, 1, 1 },    /* few channels, many rows */
    { 2, 9, 11, 14, 40, 3, 1, 1, 1, 1, GS_CONV_REFLECT },
    { 1, 3, 17, 15, 12, 7, 1, 3, 1, 1, GS_CONV_REFLECT },
    { 2, 8, 12, 9, 17, 4, 2, 1, 1, 1, GS_CONV_REPLICATE },
    { 16, 5, 9, 7, 18, 3, 1, 1, 1, 1 },    /* pictures fill a vector */
    { 32, 17, 8, 10, 6, 4, 2, 1, 1, 1 },
    { 2, 9, 11, 8, 17, 4, 1, 1, 1, 1, GS_CONV_REFLECT },
    { 128, 1, 32, 32, 8, 3, 1, 0, 1, 1 },  /* 115,200 terms for the weights' gradient */
};

static int problem_count(gs_family f) { return f == GS_FAMILY_GEMM ? (int)GS_COUNT(gemms) : (int)GS_COUNT(convs); }

static gs_problem problem_at(gs_family f, int i)
{
    gs_problem q = { .family = f };

    if (f == GS_FAMILY_GEMM) {
        q.gemm = (gs_gemm){ .m = gemms[i].m, .n = gemms[i].n, .k = gemms[i].k, .batch = gemms[i].batch, .ta = gemms[i].ta, .tb = gemms[i].tb, .alpha = 1 };
    } else {
        const int reach = convs[i].dil * (convs[i].k - 1) + 1 - 2 * convs[i].p, s = convs[i].s;

        q.conv = (gs_conv){ .kind = (gs_conv_kind)(f - GS_FAMILY_CONV_Y), .n = convs[i].n, .xc = convs[i].c, .xh = convs[i].h, .xw = convs[i].w,
                            .yc = convs[i].o, .yh = (convs[i].h - reach) / s + 1, .yw = (convs[i].w - reach) / s + 1, .kh = convs[i].k,
                            .kw = convs[i].k, .sh = s, .sw = s, .ph = convs[i].p, .pw = convs[i].p, .dil = convs[i].dil, .groups = convs[i].g,
                            .mode = f == GS_FAMILY_CONV_DX ? GS_CONV_ZEROS : convs[i].mode };
    }
    return q;
}

const char *gs_problem_text(const gs_problem *q, char text[128])
{
    static const char *const modes[] = { [GS_CONV_ZEROS] = "", [GS_CONV_REFLECT] = " reflect", [GS_CONV_REPLICATE] = " replicate" };
    const gs_gemm *g = &q->gemm;
    const gs_conv *c = &q->conv;

    if (q->family == GS_FAMILY_GEMM)
        snprintf(text, 128, "gemm %c%c %lldx%lldx%lld batch %lld", g->ta ? 't' : 'n', g->tb ? 't' : 'n', (long long)g->m, (long long)g->n,
                 (long long)g->k, (long long)g->batch);
    else
        snprintf(text, 128, "%s x %d,%d,%d,%d w %d,%d,%d,%d stride %dx%d pad %dx%d%s dilation %d groups %d", gs_family_name(q->family), c->n, c->xc,
                 c->xh, c->xw, c->yc, c->xc / c->groups, c->kh, c->kw, c->sh, c->sw, c->ph, c->pw, modes[c->mode], c->dil, c->groups);
    return text;
}

/* x with the room that its edges fill; the plan folds it into the convolution. */
static gs_node *padded(gs_node *x, const gs_conv *c)
{
    const int bottom = (c->yh - 1) * c->sh + c->dil * (c->kh - 1) + 1 - c->xh - c->ph;
    const int right = (c->yw - 1) * c->sw + c->dil * (c->kw - 1) + 1 - c->xw - c->pw;

    return gs_pad2d(x, c->mode == GS_CONV_REFLECT ? GS_PAD_REFLECT : GS_PAD_REPLICATE, c->ph, GS_MAX(bottom, 0), c->pw, GS_MAX(right, 0));
}

gs_node *gs_problem_build(gs_graph *g, const gs_problem *q, int i)
{
    const gs_gemm *m = &q->gemm;
    const gs_conv *c = &q->conv;
    const bool edges = q->family != GS_FAMILY_GEMM && c->mode != GS_CONV_ZEROS;
    const gs_shape x = GS_SHAPE(c->n, c->xc, c->xh, c->xw), y = GS_SHAPE(c->n, c->yc, c->yh, c->yw);
    const gs_shape w = c->groups ? GS_SHAPE(c->yc, c->xc / c->groups, c->kh, c->kw) : GS_SCALAR;
    const gs_attr attr = { .i = { c->sh, c->sw, edges ? 0 : c->ph, edges ? 0 : c->pw, c->dil, c->groups, q->family == GS_FAMILY_CONV_DX ? c->xh : c->kh,
                                  q->family == GS_FAMILY_CONV_DX ? c->xw : c->kw } };
    gs_shape sa = x, sb = w;
    gs_node *a, *b, *out;
    char name[16];

    if (q->family == GS_FAMILY_GEMM) {
        sa = m->ta ? GS_SHAPE(m->batch, m->k, m->m) : GS_SHAPE(m->batch, m->m, m->k);
        sb = m->tb ? GS_SHAPE(m->batch, m->n, m->k) : GS_SHAPE(m->batch, m->k, m->n);
    } else if (q->family == GS_FAMILY_CONV_DX) {
        sa = y;
    } else if (q->family == GS_FAMILY_CONV_DW) {
        sb = y;
    }
    snprintf(name, sizeof name, "a%d", i);
    a = gs_input(g, name, sa, GS_F32);
    snprintf(name, sizeof name, "b%d", i);
    b = gs_input(g, name, sb, GS_F32);
    if (edges) a = padded(a, c); /* x, in y and dw */
    if (q->family == GS_FAMILY_GEMM) out = gs_matmul(a, b, m->ta, m->tb);
    else if (q->family == GS_FAMILY_CONV_Y) out = gs__node2(&gs_op_conv2d, a, b, &attr);
    else if (q->family == GS_FAMILY_CONV_DX) out = gs__node2(&gs_op_conv2d_dx, a, b, &attr);
    else out = gs__node2(&gs_op_conv2d_dw, a, b, &attr);
    snprintf(name, sizeof name, "y%d", i);
    gs_output(g, name, out);
    return out;
}

/* ---- one variant ---- */

typedef struct work {
    gs_graph *g;
    gs_plan *plan;
    int n;
    gs_problem *problem;
    gs_node **out;
    float **got, **again;
    gs_ref_feed *feeds; double **fed; int n_feeds;
    gs_ref_result ref;
} work;

static void release(work *w)
{
    for (int i = 0; i < w->n; i++) {
        free(w->got[i]);
        free(w->again[i]);
    }
    for (int i = 0; i < w->n_feeds; i++) free(w->fed[i]);
    free(w->problem);
    free(w->out);
    free(w->got);
    free(w->again);
    free(w->feeds);
    free(w->fed);
    gs_ref_free(&w->ref);
    gs_plan_free(w->plan);
    gs_graph_free(w->g);
}

static void build(work *w, gs_device *d, gs_family f, const gs_variant *v)
{
    const int all = problem_count(f);

    w->g = gs_graph_new();
    w->problem = gs_xalloc((size_t)all * sizeof *w->problem);
    for (int i = 0; i < all; i++) {
        const gs_problem q = problem_at(f, i);

        if (v->can(d, &q)) w->problem[w->n++] = q;
    }
    w->out = gs_xalloc((size_t)(w->n + 1) * sizeof *w->out);
    w->got = gs_xalloc((size_t)(w->n + 1) * sizeof *w->got);
    w->again = gs_xalloc((size_t)(w->n + 1) * sizeof *w->again);
    w->feeds = gs_xalloc((size_t)(2 * w->n + 1) * sizeof *w->feeds);
    w->fed = gs_xalloc((size_t)(2 * w->n + 1) * sizeof *w->fed);
    if (w->n == 0) return;
    gs_output(w->g, "first", gs_scale(gs_input(w->g, "first", GS_SHAPE(5), GS_F32), 2));
    for (int i = 0; i < w->n; i++) {
        w->out[i] = gs_problem_build(w->g, &w->problem[i], i);
        w->got[i] = gs_xalloc(4 * (size_t)gs_shape_count(w->out[i]->shape));
        w->again[i] = gs_xalloc(4 * (size_t)gs_shape_count(w->out[i]->shape));
    }
}

/* Operands uniform in (-1,1), a function of their name alone. */
static gs_status feed(work *w)
{
    gs_status st = GS_OK;

    for (int i = 0; i < w->g->n_inputs && st == GS_OK; i++) {
        const gs_named *in = &w->g->inputs[i];
        const int64_t n = gs_shape_count(in->node->shape);
        gs_rng r = { .seed = gs_hash_str(in->name) };
        float *data = gs_xalloc(4 * (size_t)n);
        double *copy = gs_xalloc(sizeof *copy * (size_t)n);

        for (int64_t k = 0; k < n; k++) copy[k] = data[k] = (float)(2 * gs_rng_uniform(&r) - 1);
        if (strcmp(in->name, "first") != 0) {
            w->fed[w->n_feeds] = copy;
            w->feeds[w->n_feeds++] = (gs_ref_feed){ in->node, copy };
        } else {
            free(copy);
        }
        st = gs_plan_feed(w->plan, in->name, data);
        free(data);
    }
    return st;
}

static gs_status run(work *w, float **into)
{
    gs_status st = gs_plan_run(w->plan, 1, 1);
    char name[16];

    for (int i = 0; i < w->n && st == GS_OK; i++) {
        snprintf(name, sizeof name, "y%d", i);
        st = gs_plan_fetch(w->plan, name, into[i]);
    }
    return st;
}

static double distance(const float *got, const double *ref, int64_t n)
{
    double error = 0, size = 0.1; /* a result that cancels to nothing keeps the rounding of its terms */

    for (int64_t i = 0; i < n; i++) {
        const double e = fabs(got[i] - ref[i]);

        if (!(e <= error)) error = e == e ? e : INFINITY;
        size = GS_MAX(size, fabs(ref[i]));
    }
    return error / size;
}

static void judge(work *w, gs_variantcheck *out)
{
    char text[128];

    out->pass = true;
    for (int i = 0; i < w->n; i++) {
        const int64_t n = gs_shape_count(w->out[i]->shape);
        const double error = distance(w->got[i], w->ref.value[w->out[i]->id], n);

        if (i == 0 || error > out->error) {
            out->error = error;
            snprintf(out->where, sizeof out->where, "%s", gs_problem_text(&w->problem[i], text));
        }
    }
    if (out->error > GS_VARIANT_LIMIT) out->pass = false;
    for (int i = 0; i < w->n && out->pass; i++) {
        if (memcmp(w->got[i], w->again[i], 4 * (size_t)gs_shape_count(w->out[i]->shape)) == 0) continue;
        out->pass = false;
        snprintf(out->where, sizeof out->where, "second run: %.110s", gs_problem_text(&w->problem[i], text));
    }
}

void gs_variant_check(gs_device *d, gs_family f, const gs_variant *v, gs_variantcheck *out)
{
    const gs_compile_opts named = { .use = out->name };
    work w = { 0 };
    gs_status st = GS_OK;

    *out = (gs_variantcheck){ .family = f, .variant = v };
    gs_variant_name(f, v, out->name);
    build(&w, d, f, v);
    out->problems = w.n;
    if (w.n == 0) goto done;
    TRY(gs_compile(w.g, d, NULL, &named, &w.plan));
    TRY(feed(&w));
    TRY(run(&w, w.got));
    TRY(run(&w, w.again));
    TRY(gs_ref_eval(w.g, w.out, w.n, w.feeds, w.n_feeds, 1, 1, &w.ref));
    judge(&w, out);
done:
    if (st != GS_OK) { /* what a device cannot build or run counts as wrong */
        out->pass = false;
        out->error = INFINITY;
        snprintf(out->where, sizeof out->where, "%s", gs_status_text(st));
        snprintf(out->message, sizeof out->message, "%s", gs_last_error());
    }
    release(&w);
}

gs_status gs_variants_check(gs_device *d, void (*progress)(void *user, const char *name), void *user, gs_variantcheck **out, int *n)
{
    gs_variantcheck *list = NULL;
    gs_status st = GS_OK, kept;
    int cap = 0;

    *n = 0;
    for (gs_family f = 0; f < GS_FAMILIES; f++)
        for (const gs_variant *v = gs_family_variants(f); v->name; v++) {
            gs_variantcheck c;
            char name[GS_TUNING_NAME];

            gs_variant_name(f, v, name);
            if (progress) progress(user, name);
            gs_variant_check(d, f, v, &c);
            GS_PUSH(list, *n, cap, c);
            /* At once: variants of convolutions have products of their own, which must not be by one that was just found wrong. */
            kept = gs_variants_keep(d, &c, 1);
            if (st == GS_OK) st = kept;
        }
    *out = list;
    return st;
}

gs_status gs_variants_keep(gs_device *d, const gs_variantcheck *v, int n)
{
    gs_status st = GS_OK;

    for (int i = 0; i < n && st == GS_OK; i++) {
        char why[GS_TUNING_WHY];

        if (v[i].problems == 0) continue;
        if (*v[i].message) snprintf(why, sizeof why, "%s", v[i].message);
        else snprintf(why, sizeof why, "%s: error %.2g", v[i].where, v[i].error);
        st = gs_tuning_set_verdict(d, v[i].name, v[i].pass ? GS_RIGHT : GS_WRONG, why);
    }
    return st;
}
