/* Units to launches: gives every stored root its value, then lets the code generator or the op's own lowering write the launches. */
#include "plan/plan_int.h"

#include <assert.h>
#include <stdlib.h>

static gs_lower_fn *const own_lowering[GS_OP_COUNT] = {
    [GS_OP_random_uniform] = gs_lower_random,
    [GS_OP_random_normal] = gs_lower_random,
    [GS_OP_random_bernoulli] = gs_lower_random,
    [GS_OP_max] = gs_lower_max,
    [GS_OP_argmax] = gs_lower_argmax,
    [GS_OP_cumsum] = gs_lower_cumsum,
    [GS_OP_gather] = gs_lower_gather,
    [GS_OP_scatter_add] = gs_lower_scatter_add,
    [GS_OP_matmul] = gs_lower_matmul,
    [GS_OP_conv2d] = gs_lower_conv2d,
    [GS_OP_conv2d_dx] = gs_lower_conv2d_dx,
    [GS_OP_conv2d_dw] = gs_lower_conv2d_dw,
    [GS_OP_window_argmax] = gs_lower_window_argmax,
    [GS_OP_window_gather] = gs_lower_window_gather,
    [GS_OP_window_scatter] = gs_lower_window_scatter,
    [GS_OP_linmap] = gs_lower_linmap,
};

/* Each operand's elements go straight to their place in the result, computed on the way where the operand is an expression. */
static gs_status lower_concat(gs_plan *p, gs_node *n)
{
    const int axis = n->attr.i[0];
    gs_store_at at = { .value = gs_plan_value(p, n) };
    gs_status st = GS_OK;

    gs__strides(n->shape, at.stride);
    for (int i = 0; i < n->n_in && st == GS_OK; i++) {
        st = gs__emit_expr(p, &n->in[i], 1, n->in[i]->shape, &at);
        at.offset += n->in[i]->shape.dim[axis] * at.stride[axis];
    }
    return st;
}

static gs_status lower_pad(gs_plan *p, gs_node *n)
{
    gs_store_at at = { .value = gs_plan_value(p, n) };
    gs_launch *l = gs__launch_generated(p, "fill");

    l->is_copy = true;
    gs_launch_out(l, at.value);
    gs_launch_cost(l, 0, 4.0 * (double)at.value->count);
    gs__strides(n->shape, at.stride);
    for (int d = 0; d < n->shape.rank; d++) at.offset += n->attr.i[2 * d] * at.stride[d];
    return gs__emit_expr(p, &n->in[0], 1, n->in[0]->shape, &at);
}

static void make_source_value(gs_plan *p, gs_node *n)
{
    gs_ninfo *info = gs__info(p, n);
    const int64_t count = gs_shape_count(n->shape);

    if (GS_IS(n, input)) {
        gs_plan_input in = { gs_xstrdup(n->attr.name), NULL, n->shape, n->dtype };

        in.value = info->value = gs__value_new(p, GS_PLACE_INPUT, count, n->dtype, "input %s", n->attr.name);
        GS_PUSH(p->inputs, p->n_inputs, p->cap_inputs, in);
    } else if (GS_IS(n, variable)) {
        info->value = gs__value_new(p, GS_PLACE_STATE, count, n->dtype, "%s", n->attr.var->name);
        info->value->store_index = gs_store_find(p->store, n->attr.var->name);
    } else {
        char name[32];

        snprintf(name, sizeof name, "const %d", info->order);
        info->value = gs_plan_table(p, n->attr.data, count, n->dtype, name);
    }
}

static gs_value *state_value(gs_plan *p, const gs_var *v)
{
    const int index = gs_store_find(p->store, v->name);
    gs_value *value;

    for (int i = 0; i < p->n_values; i++)
        if (p->values[i]->place == GS_PLACE_STATE && p->values[i]->store_index == index) return p->values[i];
    value = gs__value_new(p, GS_PLACE_STATE, gs_shape_count(v->shape), v->dtype, "%s", v->name);
    value->store_index = index;
    return value;
}

static void make_root_value(gs_plan *p, gs_node *n)
{
    gs_ninfo *info = gs__info(p, n);

    for (int i = 0; i < p->n_writes; i++)
        if (p->writes[i].in_place && gs__storage(p->writes[i].value) == n) info->value = state_value(p, p->writes[i].var);
    if (!info->value && gs__stored(p, n))
        info->value = gs__value_new(p, GS_PLACE_WORKSPACE, gs_shape_count(n->shape), n->dtype, "%s %d", n->op->name, info->order);
}

/* A product with its epilogue: its own value is a place for parts of sums at most, unless somebody reads it. */
static gs_status lower_with_end(gs_plan *p, gs_unit *u)
{
    gs_node *n = u->roots[0];
    gs_ninfo *info = gs__info(p, n);
    gs_epilogue *e = gs__epilogue_new(p, u);
    const bool stored = info->value != NULL;
    gs_status st;

    if (!stored) info->value = gs__epilogue_place(p, e, gs_shape_count(n->shape));
    p->end = e;
    st = own_lowering[gs_op_id_of(n->op)](p, n);
    p->end = NULL;
    if (!stored) info->value = NULL;
    gs__epilogue_free(e);
    return st;
}

/* Gesso's kernels count in 32 bits: are the numbers and the scratch memory of the launches from `first` on such that they can? */
static gs_status check_widths(const gs_plan *p, const gs_node *n, int first)
{
    for (int i = first; i < p->n_launches; i++) {
        const gs_launch *l = p->launches[i];

        if (l->is_gemm || l->is_copy) continue; /* the driver's */
        if (l->too_wide)
            return gs_fail(GS_ELIMIT, "%s: %s: kernel %s would have to count beyond 2^31: use a smaller batch or size", n->scope, n->op->name, l->kernel);
        for (int a = 0; a < l->n_args; a++) {
            const gs_value *v = l->args[a].value;

            if (v && v->count > GS_MOST_ELEMENTS)
                return gs_fail(GS_ELIMIT, "%s: %s: %s of %lld elements, the most that kernels index is %lld: use a smaller batch or size", n->scope,
                               n->op->name, v->name, (long long)v->count, (long long)GS_MOST_ELEMENTS);
        }
    }
    return GS_OK;
}

/* Only what leaves its unit is stored; a hard root that only its own unit reads is needed when an op or a reshape reads it. */
gs_status gs__pass_lower(gs_plan *p)
{
    gs_status st = GS_OK;

    for (int i = 0; i < p->n_order; i++) {
        gs_node *n = p->order[i];

        if (gs_shape_count(n->shape) > GS_MOST_ELEMENTS)
            return gs_fail(GS_ELIMIT, "%s: %s: a tensor of %lld elements, the most that kernels index is %lld: use a smaller batch or size",
                           n->scope, n->op->name, (long long)gs_shape_count(n->shape), (long long)GS_MOST_ELEMENTS);
        if (gs__kind(n) == GS_NK_SOURCE) make_source_value(p, n);
    }
    for (int i = 0; i < p->n_schedule && st == GS_OK; i++) {
        gs_unit *u = p->schedule[i];
        const int launch = p->n_launches;

        for (int r = 0; r < u->n_roots; r++) make_root_value(p, u->roots[r]);
        if (u->kind == GS_U_EXPR) st = gs__emit_expr(p, u->roots, u->n_roots, u->shape, NULL);
        else if (u->kind == GS_U_SUM) st = gs__emit_sum(p, u);
        else if (u->kind == GS_U_ROWS) st = gs__emit_rows(p, u);
        else {
            gs_node *n = u->roots[0];
            const gs_op_id id = gs_op_id_of(n->op);

            if (GS_IS(n, concat)) st = lower_concat(p, n);
            else if (GS_IS(n, pad)) st = lower_pad(p, n);
            else if (u->n_roots > 1) st = lower_with_end(p, u);
            else {
                assert(own_lowering[id] && "every op that is not elementwise has a lowering");
                st = own_lowering[id](p, n);
            }
            if (st != GS_OK) st = gs_fail_in(st, "%s: %s", n->scope, n->op->name);
        }
        if (st == GS_OK) st = check_widths(p, u->roots[0], launch);
    }
    for (int i = 0; i < p->n_writes && st == GS_OK; i++) { /* what could not be written in place */
        gs_launch *l;

        if (p->writes[i].in_place) continue;
        l = gs__launch_generated(p, "copy");
        l->is_copy = true;
        gs_launch_out(l, state_value(p, p->writes[i].var));
        gs_launch_in(l, gs_plan_value(p, p->writes[i].value));
        gs_launch_cost(l, 0, 8.0 * (double)l->args[0].value->count);
    }
    for (int i = 0; i < p->n_outputs && st == GS_OK; i++) {
        p->outputs[i].value = gs_plan_value(p, p->outputs[i].node);
        p->outputs[i].value->keep = true;
    }
    return st;
}
