/* Device against reference on op cases, many in one plan. */
#include "eval/opcheck.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gesso/plan.h"
#include "graph/graph.h"

enum { SEED = 5, STEP = 3 };

typedef enum part_kind { RESULT, FIRST, SECOND } part_kind;

typedef struct part { /* one tensor to compare */
    int index;        /* of the case */
    part_kind kind;
    char of[24];
    char output[32];
    gs_node *node;
} part;

typedef struct batch {
    gs_graph *g;
    const gs_opcase *cases;
    part *parts; int n_parts, cap_parts;
    gs_ref_feed *feeds; double **fed; int n_feeds, cap_feeds, cap_fed;
    const char **names; void **data; int n_names, cap_names, cap_data; /* inputs, for the plan */
    int n_data;
} batch;

static double *doubles(gs_dtype type, int64_t count, const void *data)
{
    double *d = gs_xalloc((size_t)count * sizeof *d);

    for (int64_t i = 0; i < count; i++)
        d[i] = type == GS_F32 ? (double)((const float *)data)[i] : (double)((const int32_t *)data)[i];
    return d;
}

static void feed_ref(batch *b, const gs_node *node, const void *data)
{
    double *d = doubles(node->dtype, gs_shape_count(node->shape), data);
    int n = b->n_feeds;

    GS_PUSH(b->fed, n, b->cap_fed, d);
    GS_PUSH(b->feeds, b->n_feeds, b->cap_feeds, ((gs_ref_feed){ node, d }));
}

/* An input fed alike on both sides; takes the data. */
static gs_node *input(batch *b, const char *name, gs_shape shape, gs_dtype type, void *data)
{
    gs_node *n = gs_input(b->g, name, shape, type);

    if (n->poisoned) {
        free(data);
        return n;
    }
    feed_ref(b, n, data);
    GS_PUSH(b->names, b->n_names, b->cap_names, n->attr.name);
    GS_PUSH(b->data, b->n_data, b->cap_data, data);
    return n;
}

static gs_node *random_input(batch *b, const gs_opcase *c, int which, gs_shape shape)
{
    const int64_t count = gs_shape_count(shape);
    float *data = gs_xalloc((size_t)count * sizeof *data);
    char name[32];

    snprintf(name, sizeof name, "L%d.r%d", c->line, which);
    gs_opcase_direction(c, which, count, data);
    return input(b, name, shape, GS_F32, data);
}

static void want(batch *b, int index, part_kind kind, const char *of, gs_node *node)
{
    static const char tag[] = "yde";
    part p = { .index = index, .kind = kind, .node = node };

    snprintf(p.of, sizeof p.of, "%s", of);
    snprintf(p.output, sizeof p.output, "L%d.%c.%s", b->cases[index].line, tag[kind], of);
    gs_output(b->g, p.output, node);
    GS_PUSH(b->parts, b->n_parts, b->cap_parts, p);
}

/* t = sum over operands of <gradient, random direction>, whose gradients are the second ones. */
static void add_gradients(batch *b, int index, gs_node *y, gs_node *const *x, int order)
{
    const gs_opcase *c = &b->cases[index];
    gs_node *wrt[GS_OPCASE_OPERANDS + 1], *out[GS_OPCASE_OPERANDS + 1], *seed, *t = NULL;
    const char *of[GS_OPCASE_OPERANDS + 1];
    int n = 0;

    for (int i = 0; i < c->n_operands; i++)
        if (gs_opcase_wants_grad(c, i)) {
            of[n] = c->operand[i].name;
            wrt[n++] = x[i];
        }
    if (n == 0 || gs_node_dtype(y) != GS_F32 || order < 0) return;
    seed = random_input(b, c, 100, gs_node_shape(y));
    gs_grad_with(y, seed, wrt, n, out);
    for (int i = 0; i < n; i++) {
        gs_node *term = gs_sum(gs_mul(out[i], random_input(b, c, 101 + i, gs_node_shape(wrt[i]))), GS_ALL, false);

        want(b, index, FIRST, of[i], out[i]);
        t = t ? gs_add(t, term) : term;
    }
    if (order == 1) return;
    of[n] = "seed";
    wrt[n++] = seed;
    gs_grad(t, wrt, n, out);
    for (int i = 0; i < n; i++) want(b, index, SECOND, of[i], out[i]);
}

static void add_case(batch *b, int index, int order)
{
    const gs_opcase *c = &b->cases[index];
    gs_node *x[GS_OPCASE_OPERANDS], *y;

    gs_scope_push(b->g, "L%d", c->line);
    for (int i = 0; i < c->n_operands; i++) {
        void *data = gs_xalloc((size_t)gs_shape_count(c->operand[i].shape) * 4);
        char name[32];

        gs_opcase_values(c, i, data);
        snprintf(name, sizeof name, "L%d.%s", c->line, c->operand[i].name);
        x[i] = input(b, name, c->operand[i].shape, c->operand[i].dtype, data);
    }
    y = gs_opcase_build(c, b->g, x);
    want(b, index, RESULT, "result", y);
    add_gradients(b, index, y, x, order);
    gs_scope_pop(b->g);
}

/* Largest error over the largest value of the reference; integers must agree. Infinite where a value is not a
 * number. */
static double distance(const part *p, const double *ref, const void *got)
{
    const int64_t count = gs_shape_count(p->node->shape);
    const double *d = ref;
    double error = 0, size = 0;

    for (int64_t i = 0; i < count; i++) {
        const double g = p->node->dtype == GS_F32 ? (double)((const float *)got)[i] : (double)((const int32_t *)got)[i];
        const double e = fabs(g - d[i]);

        if (!(e <= error)) error = e == e ? e : INFINITY;
        size = GS_MAX(size, fabs(d[i]));
    }
    if (p->node->dtype == GS_I32) return error > 0 ? INFINITY : 0;
    return error / GS_MAX(size, 0.1); /* a result that cancels to nothing keeps the rounding of its terms */
}

static void judge(batch *b, const part *p, const double *ref, const void *got, const void *again, gs_opcheck *out)
{
    /* a derivative is a product of several such steps */
    static const double allowance[] = { [RESULT] = 1, [FIRST] = 4, [SECOND] = 8 };
    static const char *const words[] = { [RESULT] = "", [FIRST] = "gradient by ", [SECOND] = "second gradient by " };
    const double limit = allowance[p->kind] * gs_opcase_tolerance(&b->cases[p->index]), error = distance(p, ref, got);
    gs_opcheck *o = &out[p->index];

    if (!o->checked || error / limit > o->error / o->limit) {
        o->error = error;
        o->limit = limit;
        if (o->pass || !o->checked) snprintf(o->part, sizeof o->part, "%s%s", words[p->kind], p->of);
    }
    if (!o->checked) o->pass = true;
    o->checked = true;
    if (!(error <= limit)) o->pass = false;
    if (memcmp(got, again, (size_t)gs_shape_count(p->node->shape) * 4) != 0) {
        o->pass = false;
        snprintf(o->part, sizeof o->part, "second run of %s%s", words[p->kind], p->of);
    }
}

static gs_status run_once(batch *b, gs_plan *plan, void **got)
{
    gs_status st = GS_OK;

    TRY(gs_plan_run(plan, SEED, STEP));
    for (int i = 0; i < b->n_parts; i++) TRY(gs_plan_fetch(plan, b->parts[i].output, got[i]));
done:
    return st;
}

static gs_status compare(batch *b, gs_device *d, const gs_opcheck_opts *o, gs_opcheck *out)
{
    const gs_compile_opts compile = { .off = o->off };
    gs_node **nodes = gs_xalloc((size_t)b->n_parts * sizeof *nodes);
    void **got = gs_xalloc((size_t)b->n_parts * sizeof *got), **again = gs_xalloc((size_t)b->n_parts * sizeof *again);
    gs_ref_result ref = { 0 };
    gs_store *store = NULL;
    gs_plan *plan = NULL;
    gs_status st = GS_OK;

    for (int i = 0; i < b->n_parts; i++) {
        nodes[i] = b->parts[i].node;
        got[i] = gs_xalloc((size_t)gs_shape_count(nodes[i]->shape) * 4);
        again[i] = gs_xalloc((size_t)gs_shape_count(nodes[i]->shape) * 4);
    }
    for (int i = 0; i < b->g->n_vars; i++) {
        gs_var *v = b->g->vars[i];
        float *data = gs_xalloc((size_t)gs_shape_count(v->shape) * 4);

        gs_init_fill(v, SEED, data);
        feed_ref(b, v->initial, data);
        free(data);
    }
    TRY(gs_store_new(d, SEED, &store));
    TRY(gs_compile(b->g, d, store, &compile, &plan));
    for (int i = 0; i < b->n_names; i++) /* nothing depends on an operand whose gradient is cut: the plan has
                                          * no such input */
        if (gs_plan_shape(plan, b->names[i]).rank >= 0) TRY(gs_plan_feed(plan, b->names[i], b->data[i]));
    TRY(run_once(b, plan, got));
    TRY(run_once(b, plan, again));
    TRY(gs_ref_eval(b->g, nodes, b->n_parts, b->feeds, b->n_feeds, SEED, STEP, &ref));
    for (int i = 0; i < b->n_parts; i++) judge(b, &b->parts[i], ref.value[nodes[i]->id], got[i], again[i], out);
done:
    gs_plan_free(plan);
    gs_store_free(store);
    gs_ref_free(&ref);
    for (int i = 0; i < b->n_parts; i++) {
        free(got[i]);
        free(again[i]);
    }
    free(got);
    free(again);
    free(nodes);
    return st;
}

static gs_status run_batch(gs_device *d, const gs_opcase *cases, int n, const gs_opcheck_opts *o, gs_opcheck *out)
{
    batch b = { .g = gs_graph_new(), .cases = cases };
    gs_status st = GS_OK;

    memset(out, 0, (size_t)n * sizeof *out);
    for (int i = 0; i < n; i++)
        if (!cases[i].error[0]) add_case(&b, i, o->order ? o->order : 2);
    TRY(gs_graph_status(b.g));
    if (b.n_parts) TRY(compare(&b, d, o, out));
done:
    for (int i = 0; i < b.n_feeds; i++) free(b.fed[i]);
    for (int i = 0; i < b.n_data; i++) free(b.data[i]);
    free(b.fed);
    free(b.feeds);
    free(b.data);
    free(b.names);
    free(b.parts);
    gs_graph_free(b.g);
    return st;
}

gs_status gs_opcheck_run(gs_device *d, const gs_opcase *cases, int n, const gs_opcheck_opts *o, gs_opcheck *out)
{
    const gs_opcheck_opts none = { 0 };
    gs_status st;

    if (n == 0) return GS_OK;
    st = run_batch(d, cases, n, o ? o : &none, out);
    if (st == GS_OK) return GS_OK;
    if (n == 1) {
        out[0] = (gs_opcheck){ .checked = true, .error = INFINITY };
        snprintf(out[0].part, sizeof out[0].part, "%s", gs_status_text(st));
        snprintf(out[0].message, sizeof out[0].message, "%s", gs_last_error());
        return GS_OK;
    }
    st = gs_opcheck_run(d, cases, n / 2, o, out);
    return st == GS_OK ? gs_opcheck_run(d, cases + n / 2, n - n / 2, o, out + n / 2) : st;
}
