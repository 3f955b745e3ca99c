/* Making values and launches: the small calls that lowering files are written with (plan.h). */
#include "plan/plan_int.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static char *vtext(const char *fmt, va_list ap)
{
    char *s = NULL;

    return vasprintf(&s, fmt, ap) < 0 ? gs_xstrdup("") : s;
}

gs_value *gs__value_new(gs_plan *p, gs_place place, int64_t count, gs_dtype dtype, const char *fmt, ...)
{
    gs_value *v = gs_xalloc(sizeof *v);
    va_list ap;

    va_start(ap, fmt);
    v->name = vtext(fmt, ap);
    va_end(ap);
    v->id = p->n_values;
    v->place = place;
    v->count = count;
    v->dtype = dtype;
    v->first = v->last = -1;
    v->store_index = -1;
    GS_PUSH(p->values, p->n_values, p->cap_values, v);
    return v;
}

gs_value *gs_plan_value(gs_plan *p, const gs_node *n)
{
    gs_node *s = gs__storage((gs_node *)n);

    assert(gs__info(p, s)->value && "a node is lowered after its operands");
    return gs__info(p, s)->value;
}

bool gs_plan_read_only_by(const gs_plan *p, const gs_node *n, bool (*such)(const gs_plan *p, const gs_node *reader))
{
    if (p->info[n->id].result) return false;
    for (int i = 0; i < p->n_order; i++)
        for (int k = 0; k < p->order[i]->n_in; k++)
            if (p->order[i]->in[k] == n && !such(p, p->order[i])) return false;
    return true;
}

gs_value *gs_plan_scratch(gs_plan *p, int64_t count, const char *name)
{
    return gs__value_new(p, GS_PLACE_WORKSPACE, count, GS_F32, "scratch %s", name);
}

gs_value *gs_plan_table(gs_plan *p, const void *data, int64_t count, gs_dtype dtype, const char *name)
{
    gs_value *v;

    for (int i = 0; i < p->n_values; i++) { /* equal tables once */
        v = p->values[i];
        if (v->place == GS_PLACE_CONSTANT && v->count == count && v->dtype == dtype &&
            !memcmp(v->host, data, 4 * (size_t)count))
            return v;
    }
    v = gs__value_new(p, GS_PLACE_CONSTANT, count, dtype, "table %s", name);
    v->host = gs_xalloc(4 * (size_t)GS_MAX(count, 1));
    memcpy(v->host, data, 4 * (size_t)count);
    return v;
}

gs_value *gs_plan_step(gs_plan *p)
{
    if (!p->step_block) p->step_block = gs__value_new(p, GS_PLACE_INPUT, 4, GS_I32, "seed, step");
    return p->step_block;
}

static gs_launch *launch_add(gs_plan *p)
{
    gs_launch *l = gs_xalloc(sizeof *l);

    for (int i = 0; i < 3; i++) l->groups[i] = l->local[i] = 1;
    GS_PUSH(p->launches, p->n_launches, p->cap_launches, l);
    return l;
}

gs_launch *gs_launch_new(gs_plan *p, const char *file, const char *kernel, const char *options, ...)
{
    gs_launch *l = launch_add(p);
    va_list ap;

    l->file = file;
    l->kernel = gs_xstrdup(kernel);
    va_start(ap, options);
    l->options = vtext(options, ap);
    va_end(ap);
    return l;
}

gs_launch *gs__launch_generated(gs_plan *p, const char *kernel)
{
    gs_launch *l = launch_add(p);

    l->kernel = gs_xstrdup(kernel);
    return l;
}

void gs__launch_free(gs_plan *p, gs_launch *l)
{
    if (l->k) p->d->drv->free_kernel(p->d, l->k);
    free(l->kernel);
    free(l->options);
    free(l->before);
    free(l->then);
    free(l);
}

static gs_arg *arg_add(gs_launch *l, gs_arg_kind kind)
{
    gs_arg *a = &l->args[l->n_args];

    assert(l->n_args < GS_MAX_ARGS && "a kernel has too many arguments");
    l->n_args++;
    a->kind = kind;
    return a;
}

void gs_launch_out(gs_launch *l, gs_value *v) { arg_add(l, GS_ARG_OUT)->value = v; }
void gs_launch_inout(gs_launch *l, gs_value *v) { arg_add(l, GS_ARG_INOUT)->value = v; }
void gs_launch_in(gs_launch *l, gs_value *v) { arg_add(l, GS_ARG_IN)->value = v; }

void gs_launch_in_at(gs_launch *l, gs_value *v, int64_t extra)
{
    gs_arg *a = arg_add(l, GS_ARG_IN);

    a->value = v;
    a->extra = extra;
}

void gs_launch_int(gs_launch *l, int64_t i)
{
    l->too_wide |= i < INT32_MIN || i > INT32_MAX;
    arg_add(l, GS_ARG_INT)->i = (int32_t)i;
}

void gs_launch_float(gs_launch *l, float f) { arg_add(l, GS_ARG_FLOAT)->f = f; }

void gs_launch_grid(gs_launch *l, size_t gx, size_t gy, size_t gz, size_t lx, size_t ly, size_t lz)
{
    l->groups[0] = gx, l->groups[1] = gy, l->groups[2] = gz;
    l->local[0] = lx, l->local[1] = ly, l->local[2] = lz;
}

void gs_launch_cost(gs_launch *l, double flops, double bytes)
{
    l->flops = flops;
    l->bytes = bytes;
}

gs_status gs_plan_part(gs_plan *p, int64_t n, int64_t step, int64_t turns, int64_t besides, int64_t *part)
{
    const int64_t steps = (n + step - 1) / step;
    int64_t limit, fit;

    *part = n;
    /* Forms for CPUs are for compilers that keep loops: what ends them are shaders' compilers. */
    if (gs_plan_on_cpu(p) || steps <= (GS_FEW_TURNS - besides) / turns) return GS_OK;
    limit = gs_device_loop_turns(p->d);
    fit = limit > besides ? (limit - besides) / turns : 0;
    if (fit == 0)
        return gs_fail(GS_ELIMIT, "device \"%s\" ends a kernel's loops after %lld turns, and this needs %lld in one go", p->d->info.name,
                       (long long)limit, (long long)(besides + turns));
    if (fit < steps) *part = fit * step;
    return GS_OK;
}

void gs_launch_range(gs_launch *l, int64_t first, int64_t part, int64_t n)
{
    if (part >= n) return;
    gs_launch_int(l, first);
    gs_launch_int(l, GS_MIN(first + part, n));
}

const gs_device_info *gs_plan_device(const gs_plan *p) { return gs_device_get_info(p->d); }
bool gs_plan_no_winograd(const gs_plan *p) { return p->no_winograd; }
