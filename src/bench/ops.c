/* Ops at the shapes of cases.c: time, rates, share of the peak that bounds them, and whether the result is right. */
#include <stdlib.h>
#include <string.h>

#include "bench/bench_int.h"

enum { FEWEST_RUNS = 3 };

gs_status gs__op_run(void *op) { return gs_plan_run(((gs__op *)op)->plan, 0, 0); }

gs_status gs__op_open(gs_device *d, const gs__case *c, gs__op *s)
{
    gs_status st = GS_OK;

    s->g = gs_graph_new();
    gs__case_build(c, NULL, s->g);
    TRY(gs_graph_status(s->g));
    TRY(gs_store_new(d, 1, &s->store));
    TRY(gs_compile(s->g, d, s->store, NULL, &s->plan));
    for (int i = 0; i < s->g->n_inputs; i++) {
        const int64_t n = gs_shape_count(s->g->inputs[i].node->shape);
        float *data;

        if (gs_plan_shape(s->plan, s->g->inputs[i].name).rank < 0) continue; /* the result does not depend on it */
        data = gs_try_alloc((size_t)n, sizeof *data, "operands");
        if (!data) TRY(GS_ENOMEM);
        gs__test_fill(s->g->inputs[i].name, n, data);
        st = gs_plan_feed(s->plan, s->g->inputs[i].name, data);
        free(data);
        TRY(st);
    }
    s->state = s->g->n_outputs == 0;
    s->n = s->state ? s->g->n_inputs : s->g->n_outputs;
    for (int i = 0; i < s->n; i++) {
        s->count[i] = gs_shape_count((s->state ? s->g->inputs[i] : s->g->outputs[i]).node->shape);
        s->v[i] = gs_try_alloc((size_t)s->count[i], sizeof(float), "results");
        if (s->state) s->before[i] = gs_try_alloc((size_t)s->count[i], sizeof(float), "results");
        if (!s->v[i] || (s->state && !s->before[i])) TRY(GS_ENOMEM);
    }
done:
    return st;
}

void gs__op_close(gs__op *s)
{
    for (int i = 0; i < GS__OP_RESULTS; i++) {
        free(s->v[i]);
        free(s->before[i]);
    }
    gs_plan_free(s->plan);
    gs_store_free(s->store);
    gs_graph_free(s->g);
}

/* The results as they stand, into where (v or before). */
static gs_status fetch(gs__op *s, float **where)
{
    gs_status st = GS_OK;
    char name[16];

    for (int i = 0; i < s->n && st == GS_OK; i++) {
        snprintf(name, sizeof name, "p%d", i);
        st = s->state ? gs_store_read(s->store, gs_store_find(s->store, name), where[i]) : gs_plan_fetch(s->plan, s->g->outputs[i].name, where[i]);
    }
    return st;
}

gs_status gs__op_digest(gs__op *s, gs__digest *d)
{
    const gs_status st = fetch(s, s->v);

    gs__digest_begin(d);
    for (int i = 0; st == GS_OK && i < s->n; i++) gs__digest_add(d, s->v[i], s->count[i]);
    return st;
}

/* Multiply-adds that the op's definition asks for, counted as two, whatever algorithm does it. */
static double flops_of(const gs__case *c)
{
    if (strcmp(c->family, "gemm") == 0) return 2.0 * c->n * c->m * (double)c->nn * c->k;
    if (strcmp(c->family, "conv") == 0) {
        const int side = c->transposed ? c->h : (c->h + 2 * c->pad - c->k) / c->stride + 1;

        return 2.0 * c->n * side * side * (double)c->c * c->m * c->k * c->k;
    }
    return 0;
}

/* Enough work that the share of the peak is the kernel's and not the launch's. */
static bool big(const gs__case *c)
{
    return flops_of(c) > 1e7;
}

/* The least that must move: each operand read once, each result written once, each variable both. */
static double bytes_of(const gs__op *s)
{
    double n = 0;

    for (int i = 0; i < s->g->n_inputs; i++)
        if (gs_plan_shape(s->plan, s->g->inputs[i].name).rank >= 0) n += (double)gs_shape_count(s->g->inputs[i].node->shape);
    for (int i = 0; i < s->g->n_outputs; i++) n += (double)gs_shape_count(s->g->outputs[i].node->shape);
    for (int i = 0; i < s->g->n_vars; i++)
        if (s->g->vars[i]->assigned) n += 2.0 * (double)gs_shape_count(s->g->vars[i]->shape);
    return 4 * n;
}

/* Names of the plan's kernels, each once. */
static void kernels_json(cJSON *o, const gs_plan *p)
{
    cJSON *list = cJSON_AddArrayToObject(o, "kernels");
    char *text = gs_plan_text(p), name[64];

    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        const cJSON *e;

        if (sscanf(line, "%*d %63s", name) != 1) continue;
        cJSON_ArrayForEach(e, list) if (strcmp(e->valuestring, name) == 0) break;
        if (!e) cJSON_AddItemToArray(list, cJSON_CreateString(name));
    }
    free(text);
}

static void figures_json(const gs__bench *b, cJSON *o, const gs__case *c, const gs__op *s, const gs__stat *t)
{
    const double flops = flops_of(c), bytes = bytes_of(s);
    const double by_work = b->gflops > 0 ? flops * 1e-9 / b->gflops : 0, by_bytes = b->gbs > 0 ? bytes * 1e-9 / b->gbs : 0;

    gs__stat_json(o, t);
    cJSON_AddNumberToObject(o, "flops", flops);
    cJSON_AddNumberToObject(o, "bytes", bytes);
    if (flops > 0) cJSON_AddNumberToObject(o, "gflops", flops * 1e-9 / t->median);
    cJSON_AddNumberToObject(o, "gbs", bytes * 1e-9 / t->median);
    cJSON_AddStringToObject(o, "bound", by_work > by_bytes ? "work" : "bandwidth");
    cJSON_AddNumberToObject(o, "share", GS_MAX(by_work, by_bytes) / t->median);
}

static gs_status measure_case(gs__bench *b, const gs__case *c, double seconds, cJSON *o)
{
    gs__op s = { 0 };
    gs__digest d, again;
    gs__stat t;
    gs_status st = GS_OK;

    TRY(gs__op_open(b->d, c, &s));
    if (s.state) TRY(fetch(&s, s.before));
    TRY(gs__op_run(&s));
    TRY(gs__op_digest(&s, &d));
    TRY(gs__case_check(c, s.g, s.v, s.state ? s.before : NULL, 0.25 * seconds, &d));
    TRY(gs__measure(b->d, 0.7 * seconds, gs__op_run, &s, &t));
    if (!s.state) { /* what the timed runs left */
        TRY(gs__op_digest(&s, &again));
        d.repeats = again.bytes == d.bytes;
    }
    figures_json(b, o, c, &s, &t);
    kernels_json(o, s.plan);
    gs__digest_json(o, &d);
done:
    gs__op_close(&s);
    return st;
}

/* The first case of every family, then the second of each, and so on: little time still shows something of all. */
static int *order_of(const gs__case *cases, int n)
{
    int *order = gs_xalloc((size_t)GS_MAX(n, 1) * sizeof *order), k = 0;

    for (int rank = 0; k < n; rank++)
        for (int i = 0; i < n; i++) {
            int before = 0;

            for (int j = 0; j < i; j++) before += strcmp(cases[j].family, cases[i].family) == 0;
            if (before == rank) order[k++] = i;
        }
    return order;
}

gs_status gs__bench_ops(gs__bench *b, double until)
{
    int total, n = 0;
    gs__case *cases = gs__cases(&total);
    cJSON *list = cJSON_AddArrayToObject(b->json, "ops"), **rows;
    double reach = 1; /* the smallest share of the peak so far: how slow the next product may be */
    int *order;

    for (int i = 0; i < total; i++)
        if (gs__bench_wanted(b->o->only, cases[i].id)) cases[n++] = cases[i];
    order = order_of(cases, n);
    rows = gs_xalloc((size_t)GS_MAX(n, 1) * sizeof *rows);
    for (int i = 0; i < n; i++) {
        const gs__case *c = &cases[order[i]];
        const double left = until - gs_now();
        cJSON *o;

        if (i > 0 && (left <= 0 || (b->gflops > 0 && FEWEST_RUNS * flops_of(c) * 1e-9 / (b->gflops * reach) > left))) { /* one at least is measured */
            gs__bench_skip(b, c->id, left > 0 ? "takes longer than there is time: --seconds" : "no time left: --seconds");
            continue;
        }
        gs__bench_say(b, "op %d of %d, %s", i + 1, n, c->id);
        o = rows[order[i]] = cJSON_CreateObject();
        gs__case_json(c, o);
        if (measure_case(b, c, GS_MAX(left / (n - i), 0.02), o) != GS_OK) cJSON_AddStringToObject(o, "failed", gs_last_error());
        else if (big(c)) reach = GS_MIN(reach, cJSON_GetObjectItemCaseSensitive(o, "share")->valuedouble);
    }
    for (int i = 0; i < n; i++)
        if (rows[i]) cJSON_AddItemToArray(list, rows[i]);
    free(rows);
    free(order);
    free(cases);
    return GS_OK;
}
