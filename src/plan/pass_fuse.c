/* Which nodes exist in memory (roots), and which roots one kernel computes (units).
 *
 * An elementwise node is recomputed inside its users unless it is wanted as a result, read by an op with its own kernel or through a
 * reshape, or has several users and is not as cheap as a load. Then roots join the unit of a root they read element by element, or that reads
 * the same tensors, when no path leads from that unit through another one back to them: so Adam's m, v and p come out of one
 * kernel, sums of one tensor are taken in one pass, arithmetic on sums follows in the kernel that makes them, and on products as their
 * epilogue where their kernel can do one (epilogue.c). A root that only its own unit reads is never stored. */
#include "plan/plan_int.h"

#include <assert.h>
#include <stdlib.h>

#define MAX_LEAVES 24   /* reads of one kernel: keeps arguments under OpenCL's guaranteed 1024 bytes */
#define MAX_ROOTS 12
#define MAX_CHEAP 10    /* light operations that cost less than a store and a load */
#define NEAR 48         /* how far back in the program a sibling may lie to be joined: bounds the growth of lifetimes */

/* What recomputing an expression costs: operations, and distinct tensors read that are not broadcast from smaller ones (two stands for more). */
typedef struct cost { int ops, tensors; const gs_node *tensor; } cost;

static void add_tensor(cost *c, const gs_node *n)
{
    if (c->tensor == n) return;
    c->tensor = n;
    c->tensors++;
}

bool gs__light(const gs_node *n)
{
    static const gs_op *const light[] = {
        &gs_op_neg, &gs_op_affine, &gs_op_step, &gs_op_sign, &gs_op_abs, &gs_op_relu, &gs_op_leaky_relu, &gs_op_cast,
        &gs_op_detach, &gs_op_square, &gs_op_lt, &gs_op_le, &gs_op_gt, &gs_op_ge, &gs_op_eq, &gs_op_ne,
        &gs_op_add, &gs_op_sub, &gs_op_mul,
    };
    bool found = false;

    for (size_t i = 0; i < GS_COUNT(light); i++) found |= n->op == light[i];
    return found;
}

static void add_cost(gs_plan *p, const gs_node *n, bool top, cost *c)
{
    if (GS_IS(n, full) || GS_IS(n, iota)) return;
    if (gs__kind(n) == GS_NK_VIEW && !gs__info(p, n)->root) {
        if (!GS_IS(n, broadcast)) add_tensor(c, n);
        return;
    }
    if (gs__kind(n) != GS_NK_EXPR || (!top && gs__info(p, n)->root)) {
        add_tensor(c, n);
        return;
    }
    c->ops += gs__light(n) ? 1 : MAX_CHEAP + 1;
    for (int i = 0; i < n->n_in && c->ops <= MAX_CHEAP; i++) {
        bool again = false;

        for (int k = 0; k < i; k++) again |= n->in[k] == n->in[i];
        if (!again) add_cost(p, n->in[i], false, c);
    }
}

/* Recomputing it reads one tensor, as loading it would, beside smaller ones (bias, mean, scale), and costs a few light operations: so
 * a bias, a normalisation and the sign of an activation are never stored. */
static bool is_cheap(gs_plan *p, const gs_node *n)
{
    cost c = { 0 };

    add_cost(p, n, true, &c);
    return c.ops <= MAX_CHEAP && c.tensors <= 1;
}

static void need_memory(gs_plan *p, gs_node *n)
{
    gs_node *s = gs__storage(n);

    if (gs__kind(s) == GS_NK_SOURCE) return;
    gs__info(p, s)->root = gs__info(p, s)->hard = true;
}

/* The reflection or repetition around a picture, when nothing but convolutions reads it: they do it themselves while they read (lower_conv.c),
 * and the padded picture, which would live until the gradient by the weights, is never in memory. */
static void fold_padding(gs_plan *p)
{
    bool *no = gs_xalloc((size_t)p->n_info * sizeof *no);

    for (int i = 0; i < p->n_order; i++) {
        const gs_node *n = p->order[i];
        const bool conv = GS_IS(n, conv2d) || GS_IS(n, conv2d_dw);

        for (int k = 0; k < n->n_in; k++)
            if (!conv || k > 0 || n->attr.i[2] || n->attr.i[3]) no[n->in[k]->id] = true;
    }
    for (int i = 0; i < p->n_order; i++) {
        const gs_node *n = p->order[i];
        const bool pads = GS_IS(n, linmap) && n->shape.rank == 4 && !n->attr.i[1] &&
                          (n->attr.i[0] == GS_LM_REFLECT || n->attr.i[0] == GS_LM_REPLICATE);

        gs__info(p, n)->folded = pads && !no[n->id] && !gs__info(p, n)->result;
    }
    free(no);
}

static bool reads_inline(const gs_node *n) { return GS_IS(n, concat) || GS_IS(n, pad); }

/* The product that an expression is made of, when nobody else reads it or what lies between. */
static gs_node *only_product(gs_plan *p, const gs_node *n, const int *users)
{
    for (int i = 0; i < n->n_in; i++) {
        gs_node *x = n->in[i], *found = gs__info(p, x)->ends ? x : NULL;

        if (users[x->id] > 1 || !gs_shape_equal(x->shape, n->shape)) continue;
        if (!found && gs__kind(x) == GS_NK_EXPR && !gs__info(p, x)->root) found = only_product(p, x, users);
        if (found) return found;
    }
    return NULL;
}

/* With n in the epilogue of a product, nobody needs the product itself: n is stored in its place. */
static bool ends_product(gs_plan *p, gs_node *n, const int *users)
{
    const gs_node *product = only_product(p, n, users);

    return product && !gs__info(p, product)->kept && gs__epilogue_fits(p, product, n);
}

static void choose_roots(gs_plan *p)
{
    int *leaves = gs_xalloc((size_t)p->n_info * sizeof *leaves);
    int *users = gs_xalloc((size_t)p->n_info * sizeof *users);

    if (!p->off_fuse) fold_padding(p);
    for (int i = 0; i < p->n_order; i++) {
        gs_ninfo *info = gs__info(p, p->order[i]);

        info->ends = gs__epilogue_can(p, p->order[i]);
        if (info->result) gs__info(p, gs__storage(p->order[i]))->kept = true;
    }
    for (int i = 0; i < p->n_writes; i++) gs__info(p, gs__storage(p->writes[i].value))->written = true;
    for (int i = 0; i < p->n_order; i++) /* distinct users, not operand slots */
        for (int k = 0; k < p->order[i]->n_in; k++) {
            bool again = false;

            for (int j = 0; j < k; j++) again |= p->order[i]->in[j] == p->order[i]->in[k];
            if (!again) users[p->order[i]->in[k]->id]++;
        }

    for (int i = 0; i < p->n_order; i++) {
        gs_node *n = p->order[i];
        const gs_node_kind kind = gs__kind(n);

        if (gs__info(p, n)->result) need_memory(p, n);
        if (kind == GS_NK_SUM || (kind == GS_NK_KERNEL && !gs__info(p, n)->folded)) need_memory(p, n);
        if (kind == GS_NK_RESHAPE) need_memory(p, n->in[0]);
        if (kind == GS_NK_KERNEL && !reads_inline(n))
            for (int k = 0; k < n->n_in; k++)
                if (!gs__info(p, n->in[k])->folded) need_memory(p, n->in[k]); /* what is folded asks for its own operand */
        if (kind == GS_NK_VIEW && gs__kind(n->in[0]) == GS_NK_EXPR && !GS_IS(n->in[0], full) && !GS_IS(n->in[0], iota))
            need_memory(p, n->in[0]);
        if (p->off_fuse && kind == GS_NK_EXPR && n->n_in) need_memory(p, n);
    }
    for (int i = 0; i < p->n_order; i++) {
        gs_node *n = p->order[i];
        gs_ninfo *info = gs__info(p, n);

        leaves[n->id] = 1;
        if (gs__kind(n) == GS_NK_VIEW && !info->root) leaves[n->id] = leaves[n->in[0]->id];
        if (gs__kind(n) != GS_NK_EXPR) continue;
        for (;;) { /* keep the number of reads of one expression in bounds: store its widest operand */
            gs_node *widest = NULL;
            int total = 0;

            for (int k = 0; k < n->n_in; k++) {
                gs_node *x = n->in[k];
                const int l = gs__info(p, x)->root ? 1 : leaves[x->id];

                total += l;
                if (l > 1 && gs__kind(x) == GS_NK_EXPR && (!widest || l > leaves[widest->id])) widest = x;
            }
            leaves[n->id] = GS_IS(n, full) ? 0 : GS_MAX(total, 1);
            if (total <= MAX_LEAVES / 2 || !widest) break;
            gs__info(p, widest)->root = true;
        }
        if (!info->root && users[n->id] > 1 && (!is_cheap(p, n) || ends_product(p, n, users))) info->root = true;
    }
    free(leaves);
    free(users);
}

/* ---- units ---- */

/* Distinct reads: a tensor counts for each map through which it is read. */
typedef struct leafset { gs_plan *p; gs_node *leaf[256]; gs_vmap map[256]; int n; } leafset;

static void add_leaf(void *user, gs_node *leaf, const gs_vmap *m)
{
    leafset *s = user;

    for (int i = 0; i < s->n; i++)
        if (s->leaf[i] == leaf && gs__vmap_equal(&s->map[i], m)) return;
    assert(s->n < (int)GS_COUNT(s->leaf));
    s->leaf[s->n] = leaf;
    s->map[s->n++] = *m;
}

static gs_unit *unit_new(gs_plan *p, gs_unit_kind kind)
{
    gs_unit *u = gs_arena_alloc(p->arena, sizeof *u);

    u->kind = kind;
    u->id = p->n_units;
    u->ancestors = gs_arena_alloc(p->arena, (size_t)p->set_words * sizeof *u->ancestors);
    GS_PUSH(p->units, p->n_units, p->cap_units, u);
    return u;
}

void gs__unit_after(gs_plan *p, gs_unit *u, gs_unit *before)
{
    if (u == before) return;
    for (int i = 0; i < u->n_deps; i++)
        if (u->deps[i] == before->id) return;
    GS_PUSH(u->deps, u->n_deps, u->cap_deps, before->id);
    if (gs__bit(u->ancestors, before->id)) return;
    for (int w = 0; w < p->set_words; w++) u->ancestors[w] |= before->ancestors[w];
    gs__set_bit(u->ancestors, before->id);
    for (int i = 0; i < p->n_units; i++) {
        gs_unit *x = p->units[i];

        if (!gs__bit(x->ancestors, u->id)) continue;
        for (int w = 0; w < p->set_words; w++) x->ancestors[w] |= u->ancestors[w];
    }
}

/* Distinct reads of a unit with these leaves beside its own. */
static int leaves_with(gs_plan *p, gs_unit *u, const leafset *s)
{
    leafset mine = { .p = p };

    if (u->kind == GS_U_KERNEL || u->n_leaves + s->n <= MAX_LEAVES) return u->n_leaves + s->n; /* a bound that will do */
    gs__unit_leaves(p, u, add_leaf, &mine);
    for (int i = 0; i < s->n; i++) add_leaf(&mine, s->leaf[i], &s->map[i]);
    return mine.n;
}

static void unit_add(gs_plan *p, gs_unit *u, gs_node *n, const leafset *s)
{
    u->n_leaves = leaves_with(p, u, s);
    GS_PUSH(u->roots, u->n_roots, u->cap_roots, n);
    gs__info(p, n)->unit = u;
    u->last_order = gs__info(p, n)->order;
    for (int i = 0; i < s->n; i++) {
        gs_unit *before = gs__leaf_unit(p, s->leaf[i]);

        if (before) gs__unit_after(p, u, before);
    }
}

/* May a root with these leaves be computed by c? */
static bool may_join(gs_plan *p, gs_unit *c, const leafset *s, bool reads_c)
{
    if (c->n_roots >= MAX_ROOTS || leaves_with(p, c, s) > MAX_LEAVES) return false;
    for (int i = 0; i < s->n; i++) {
        const gs_unit *u = gs__leaf_unit(p, s->leaf[i]);

        if (!u) continue;
        if (u == c) {
            if (!reads_c || !gs__vmap_is_identity(&s->map[i]) || gs__kind(s->leaf[i]) == GS_NK_RESHAPE) return false;
        } else if (gs__bit(u->ancestors, c->id)) {
            return false;
        }
    }
    return true;
}

static bool shares_leaf(gs_plan *p, gs_unit *u, const leafset *s)
{
    leafset mine = { .p = p };

    gs__unit_leaves(p, u, add_leaf, &mine);
    for (int i = 0; i < mine.n; i++)
        for (int k = 0; k < s->n; k++)
            if (mine.leaf[i] == s->leaf[k] && gs_shape_count(mine.leaf[i]->shape) > 1) return true;
    return false;
}

/* The unit that can compute elementwise root n beside its own roots; NULL: none. */
static gs_unit *unit_for_expr(gs_plan *p, gs_node *n, const leafset *s)
{
    gs_unit *best = NULL;

    for (int i = 0; i < s->n; i++) { /* units that make an operand */
        gs_unit *u = gs__leaf_unit(p, s->leaf[i]);

        if (!u || !gs__vmap_is_identity(&s->map[i]) || !gs_shape_equal(u->shape, n->shape)) continue;
        if (u->kind == GS_U_KERNEL && !gs__epilogue_fits(p, u->roots[0], n)) continue;
        if ((!best || u->last_order > best->last_order) && may_join(p, u, s, true)) best = u;
    }
    if (best) return best;
    for (int i = p->n_units - 1; i >= 0; i--) { /* units that read an operand */
        gs_unit *u = p->units[i];

        if (u->last_order + NEAR < gs__info(p, n)->order) {
            if (u->id + NEAR < p->n_units) break;
            continue;
        }
        if (u->kind == GS_U_EXPR && gs_shape_equal(u->shape, n->shape) && may_join(p, u, s, true) && shares_leaf(p, u, s))
            return u;
    }
    return NULL;
}

static gs_unit *unit_for_sum(gs_plan *p, gs_node *n, const leafset *s)
{
    for (int i = p->n_units - 1; i >= 0 && i >= p->n_units - NEAR; i--) {
        gs_unit *u = p->units[i];

        if (u->kind == GS_U_SUM && u->axes == (unsigned)n->attr.i[0] && gs_shape_equal(u->in_shape, n->in[0]->shape) &&
            may_join(p, u, s, false) && shares_leaf(p, u, s))
            return u;
    }
    return NULL;
}

gs_status gs__pass_fuse(gs_plan *p)
{
    int roots = 0;

    choose_roots(p);
    for (int i = 0; i < p->n_order; i++) roots += gs__info(p, p->order[i])->root;
    p->set_words = roots / 64 + 1;

    for (int i = 0; i < p->n_order; i++) {
        gs_node *n = p->order[i];
        const gs_node_kind kind = gs__kind(n);
        leafset s = { .p = p };
        gs_unit *u = NULL;

        if (!gs__info(p, n)->root) continue;
        if (kind == GS_NK_SUM) {
            const gs_vmap m = gs__vmap_identity(n->in[0]->shape.rank);

            gs__walk_leaves(p, n->in[0], &m, false, add_leaf, &s);
            if (!p->off_fuse) u = unit_for_sum(p, n, &s);
            if (!u) {
                u = unit_new(p, GS_U_SUM);
                u->shape = n->shape;
                u->in_shape = n->in[0]->shape;
                u->axes = (unsigned)n->attr.i[0];
            }
        } else if (kind == GS_NK_KERNEL) {
            u = unit_new(p, GS_U_KERNEL);
            u->shape = n->shape;
        } else {
            const gs_vmap m = gs__vmap_identity(n->shape.rank);

            gs__walk_leaves(p, n, &m, true, add_leaf, &s);
            if (!p->off_fuse) u = unit_for_expr(p, n, &s);
            if (!u) {
                u = unit_new(p, GS_U_EXPR);
                u->shape = n->shape;
            }
        }
        unit_add(p, u, n, &s);
        if (kind == GS_NK_KERNEL) gs__unit_after_reads(p, u); /* any number of operands: not through a leaf set */
    }
    gs__note_reads(p);
    gs_debug(3, "fuse: %d nodes, %d roots, %d units", p->n_order, roots, p->n_units);
    return GS_OK;
}
