/* One step of a small batch against the double-precision reference: losses, and what the optimisers and statistics hold afterwards, which all gradients
 * go into. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/models_int.h"

#define LIMIT_METRICS 1e-4 /* fp32 against double through a dozen layers */
#define LIMIT_STATE 1e-2   /* gradients: a leaky ReLU near 0 may take its other side for single elements */
#define SMALL 1e-3         /* of the largest tensor of its kind: smaller ones are judged as if of this size */

static double *as_doubles(gs_dtype type, int64_t n, const void *data)
{
    double *d = gs_try_alloc((size_t)n, sizeof *d, "the check's operands");

    for (int64_t i = 0; d && i < n; i++) d[i] = type == GS_F32 ? (double)((const float *)data)[i] : (double)((const int32_t *)data)[i];
    return d;
}

typedef struct check {
    gs_ref_feed *feeds;
    double **fed;
    int n, cap, cap_fed;
} check;

static gs_status add_feed(check *k, const gs_node *node, const void *data)
{
    double *d = as_doubles(node->dtype, gs_shape_count(node->shape), data);
    int n = k->n;

    if (!d) return GS_ENOMEM;
    GS_PUSH(k->fed, n, k->cap_fed, d);
    GS_PUSH(k->feeds, k->n, k->cap, ((gs_ref_feed){ node, d }));
    return GS_OK;
}

/* All variables as the store has them, as feeds. */
static gs_status feed_variables(gs__work *w, check *k)
{
    gs_status st = GS_OK;

    for (int i = 0; i < w->g->n_vars && st == GS_OK; i++) {
        gs_var *v = w->g->vars[i];
        void *data = gs_try_alloc((size_t)gs_shape_count(v->shape), 4, v->name);

        st = data ? gs_store_read(w->store, gs_store_find(w->store, v->name), data) : GS_ENOMEM;
        if (st == GS_OK) st = add_feed(k, v->initial, data);
        free(data);
    }
    return st;
}

static gs_status feed_inputs(gs__work *w, check *k)
{
    gs_status st = GS_OK;

    for (int i = 0; i < w->g->n_inputs && st == GS_OK; i++) {
        gs_node *n = w->g->inputs[i].node;
        void *data = gs_try_alloc((size_t)gs_shape_count(n->shape), 4, w->g->inputs[i].name);
        char name[64];

        snprintf(name, sizeof name, "in.%s", w->g->inputs[i].name);
        st = data ? gs_plan_fetch(w->plan, name, data) : GS_ENOMEM;
        if (st == GS_OK) st = add_feed(k, n, data);
        free(data);
    }
    return st;
}

/* |a - r| / max(|r|, floor), root mean squares over all elements; infinite where a value is not a number. */
static double distance(const float *a, const double *r, int64_t n, double floor)
{
    double error = 0, size = 0;

    for (int64_t i = 0; i < n; i++) {
        error += ((double)a[i] - r[i]) * ((double)a[i] - r[i]);
        size += r[i] * r[i];
    }
    if (!(error < INFINITY)) return INFINITY;
    size = GS_MAX(sqrt(size / (double)n), floor);
    return size > 0 ? sqrt(error / (double)n) / size : error > 0 ? INFINITY : 0;
}

static double rms(const double *r, int64_t n)
{
    double size = 0;

    for (int64_t i = 0; i < n; i++) size += r[i] * r[i];
    return sqrt(size / (double)n);
}

/* What a variable is to its parameter, as the part of its name before the parameter's ("adam_g.m"), else the
 * last word ("running_mean"). */
static void kind_of(const gs_graph *g, const gs_var *v, char *kind, size_t size)
{
    const size_t n = strlen(v->name);
    const char *dot = strrchr(v->name, '.');

    snprintf(kind, size, "%s", dot ? dot + 1 : v->name);
    for (int i = 0; i < g->n_vars; i++) {
        const size_t len = strlen(g->vars[i]->name);

        if (g->vars[i]->trainable && len + 1 < n && v->name[n - len - 1] == '.' && strcmp(v->name + n - len, g->vars[i]->name) == 0)
            snprintf(kind, size, "%.*s", (int)(n - len - 1), v->name);
    }
}

/* The optimisers' and the statistics' tensors: parameters themselves move by their gradients' signs at first,
 * which tells little. A gradient that is zero but for rounding (of a bias before batch normalisation) is held
 * to the size of the others of its kind. */
static gs_status compare_state(gs__work *w, const gs_ref_result *ref, double *worst, char *where, size_t size)
{
    gs_status st = GS_OK;

    for (int i = 0; i < w->g->n_vars && st == GS_OK; i++) {
        const gs_var *v = w->g->vars[i];
        const int64_t n = gs_shape_count(v->shape);
        char kind[96], other[96];
        double largest = 0, error;
        float *data;

        if (!v->assigned || v->trainable || v->dtype != GS_F32) continue;
        kind_of(w->g, v, kind, sizeof kind);
        for (int k = 0; k < w->g->n_vars; k++) {
            const gs_var *u = w->g->vars[k];

            if (!u->assigned || u->trainable || u->dtype != GS_F32) continue;
            kind_of(w->g, u, other, sizeof other);
            if (strcmp(kind, other) == 0) largest = GS_MAX(largest, rms(ref->value[u->assigned->id], gs_shape_count(u->shape)));
        }
        data = gs_try_alloc((size_t)n, sizeof *data, v->name);
        st = data ? gs_store_read(w->store, gs_store_find(w->store, v->name), data) : GS_ENOMEM;
        if (st == GS_OK && (error = distance(data, ref->value[v->assigned->id], n, SMALL * largest)) > *worst) {
            *worst = error;
            snprintf(where, size, "%s", v->name);
        }
        free(data);
    }
    return st;
}

static gs_node *output_of(const gs_graph *g, const char *name)
{
    for (int i = 0; i < g->n_outputs; i++)
        if (strcmp(g->outputs[i].name, name) == 0) return g->outputs[i].node;
    return NULL;
}

gs_status gs__step_check(gs_device *d, const gs__model *m, int batch, cJSON *o, bool *right)
{
    gs__work w = { 0 };
    check k = { 0 };
    gs_ref_result ref = { 0 };
    gs_node **want = NULL, *metrics;
    float got[GS_MAX_METRICS];
    double error_metrics, error_state = 0;
    char where[120] = "";
    int n_want = 0;
    gs_status st = GS_OK;

    TRY(gs__work_open(d, m, batch, true, &w));
    metrics = output_of(w.g, "metrics");
    if (!metrics || gs_shape_count(metrics->shape) > GS_MAX_METRICS) TRY(gs_fail(GS_EINVAL, "%s: the step has no output \"metrics\"", m->id));
    TRY(feed_variables(&w, &k));
    TRY(gs__work_step(&w));
    TRY(gs_plan_fetch(w.plan, "metrics", got));
    TRY(feed_inputs(&w, &k));
    want = gs_xalloc((size_t)(w.g->n_vars + 1) * sizeof *want);
    want[n_want++] = metrics;
    for (int i = 0; i < w.g->n_vars; i++)
        if (w.g->vars[i]->assigned) want[n_want++] = w.g->vars[i]->assigned;
    TRY(gs_ref_eval(w.g, want, n_want, k.feeds, k.n, GS__SEED, 0, &ref));
    error_metrics = distance(got, ref.value[metrics->id], gs_shape_count(metrics->shape), 0);
    TRY(compare_state(&w, &ref, &error_state, where, sizeof where));
    *right = error_metrics <= LIMIT_METRICS && error_state <= LIMIT_STATE;
    o = cJSON_AddObjectToObject(o, "check");
    cJSON_AddNumberToObject(o, "batch", batch);
    cJSON_AddNumberToObject(o, "error_metrics", isfinite(error_metrics) ? error_metrics : 1e300);
    cJSON_AddNumberToObject(o, "limit_metrics", LIMIT_METRICS);
    cJSON_AddNumberToObject(o, "error_state", isfinite(error_state) ? error_state : 1e300);
    cJSON_AddNumberToObject(o, "limit_state", LIMIT_STATE);
    cJSON_AddStringToObject(o, "worst", where);
done:
    gs_ref_free(&ref);
    for (int i = 0; i < k.n; i++) free(k.fed[i]);
    free(k.fed);
    free(k.feeds);
    free(want);
    gs__work_free(&w);
    return st;
}
