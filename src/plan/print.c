/* The plan as text, and the table of times that GESSO_DEBUG=2 prints. */
#include "plan/plan_int.h"

#include <stdlib.h>
#include <string.h>

static void print_value(gs_str *s, const gs_arg *a)
{
    const gs_value *v = a->value;

    switch (v->place) {
    case GS_PLACE_WORKSPACE: gs_str_printf(s, "%d:%zu", v->buffer, v->offset); break;
    case GS_PLACE_STATE: gs_str_printf(s, "%s", v->name); break;
    case GS_PLACE_CONSTANT: gs_str_printf(s, "[%s]", v->name); break;
    case GS_PLACE_INPUT: gs_str_printf(s, "<%s>", v->name); break;
    }
    if (a->extra) gs_str_printf(s, "+%lld", (long long)a->extra);
    gs_str_printf(s, "{%lld}", (long long)v->count);
}

static void print_launch(gs_str *s, const gs_launch *l, int i)
{
    const char *before = "";

    gs_str_printf(s, "%4d %s%s", i, l->again ? "again " : "", l->kernel);
    if (l->options && *l->options) gs_str_printf(s, " %s", l->options);
    if (l->then) gs_str_printf(s, " then %s", l->then);
    if (l->is_gemm)
        gs_str_printf(s, " %lldx%lldx%lld%s%s batch %lld", (long long)l->gemm.m, (long long)l->gemm.n, (long long)l->gemm.k,
                      l->gemm.ta ? " ta" : "", l->gemm.tb ? " tb" : "", (long long)l->gemm.batch);
    else if (!l->is_copy)
        gs_str_printf(s, " %zux%zux%zu/%zux%zux%zu", l->groups[0], l->groups[1], l->groups[2], l->local[0], l->local[1], l->local[2]);
    gs_str_printf(s, " ");
    for (int a = 0; a < l->n_args; a++) {
        if (l->args[a].kind != GS_ARG_OUT && l->args[a].kind != GS_ARG_INOUT) continue;
        gs_str_printf(s, "%s%s", before, l->args[a].kind == GS_ARG_INOUT ? "&" : "");
        print_value(s, &l->args[a]);
        before = " ";
    }
    before = " <- ";
    for (int a = 0; a < l->n_args; a++) {
        if (l->args[a].kind != GS_ARG_IN) continue;
        gs_str_printf(s, "%s", before);
        print_value(s, &l->args[a]);
        before = " ";
    }
    before = " (";
    for (int a = 0; a < l->n_args; a++) {
        if (l->args[a].kind == GS_ARG_INT) gs_str_printf(s, "%s%d", before, (int)l->args[a].i);
        else if (l->args[a].kind == GS_ARG_FLOAT) gs_str_printf(s, "%s%g", before, (double)l->args[a].f);
        else continue;
        before = " ";
    }
    gs_str_printf(s, "%s\n", *before == ' ' && before[1] == '(' ? "" : ")");
}

char *gs_plan_text(const gs_plan *p)
{
    const gs_plan_stats t = gs_plan_get_stats(p);
    gs_str s = { 0 };

    gs_str_printf(&s, "# launches %d, state %zu, workspace %zu, inputs and tables %zu bytes, products %.0f flop\n", t.launches,
                  t.state_bytes, t.workspace_bytes, t.constant_bytes, t.flops);
    gs_str_printf(&s, "# number kernel groups/items outputs <- inputs (sizes); place is chunk:byte offset, state, <input> or [table]; {elements}\n");
    for (int i = 0; i < p->n_launches; i++) print_launch(&s, p->launches[i], i);
    for (int i = 0; i < p->n_outputs; i++) {
        gs_arg a = { .value = p->outputs[i].value };

        gs_str_printf(&s, "output %s ", p->outputs[i].name);
        print_value(&s, &a);
        gs_str_printf(&s, "\n");
    }
    return s.data;
}

gs_plan_stats gs_plan_get_stats(const gs_plan *p)
{
    gs_plan_stats t = { .launches = p->n_launches, .constant_bytes = p->constant_bytes, .live_bytes = p->live_bytes,
                        .kept_bytes = p->kept_bytes, .shared_launches = p->shared_launches };

    for (int i = 0; i < p->n_values; i++)
        if (p->values[i]->place == GS_PLACE_STATE) t.state_bytes += 4 * (size_t)p->values[i]->count;
    for (int i = 0; i < p->n_chunks; i++) t.workspace_bytes += p->chunks[i].size;
    for (int i = 0; i < p->n_launches; i++) {
        const gs_launch *l = p->launches[i];

        t.epilogues += l->then != NULL;
        t.flops += l->flops;
        t.moved_bytes += l->bytes;
        if (!l->again) continue;
        t.again_launches++;
        t.again_flops += l->flops;
        t.again_bytes += l->bytes;
    }
    return t;
}

typedef struct row { const char *kernel, *then; double seconds, flops, bytes; int n; } row;

static int by_seconds(const void *a, const void *b)
{
    const double x = ((const row *)a)->seconds, y = ((const row *)b)->seconds;

    return x < y ? 1 : x > y ? -1 : 0;
}

void gs__plan_print_times(const gs_plan *p)
{
    row *rows = gs_xalloc((size_t)GS_MAX(p->n_launches, 1) * sizeof *rows);
    double total = 0;
    int n = 0;

    for (int i = 0; i < p->n_launches; i++) {
        const gs_launch *l = p->launches[i];
        const char *then = l->then ? l->then : "";
        int k = 0;

        while (k < n && (strcmp(rows[k].kernel, l->kernel) || strcmp(rows[k].then, then))) k++;
        if (k == n) rows[n].kernel = l->kernel, rows[n++].then = then;
        rows[k].seconds += p->seconds[i] / p->runs;
        rows[k].flops += l->flops;
        rows[k].bytes += l->bytes;
        rows[k].n++;
        total += p->seconds[i] / p->runs;
    }
    qsort(rows, (size_t)n, sizeof *rows, by_seconds);
    gs_debug(2, "%d runs, %.3f ms of kernels a run", p->runs, total * 1e3);
    for (int i = 0; i < n; i++)
        gs_debug(2, "%8.3f ms %5.1f %% %4dx %8.1f GFLOP/s %7.1f GB/s  %s%s%s", rows[i].seconds * 1e3, 100 * rows[i].seconds / total, rows[i].n,
                 rows[i].flops / rows[i].seconds * 1e-9, rows[i].bytes / rows[i].seconds * 1e-9, rows[i].kernel, *rows[i].then ? " then " : "",
                 rows[i].then);
    free(rows);
}
