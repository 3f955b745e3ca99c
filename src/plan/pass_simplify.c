/* From the graph to the canonical program: walks the nodes that the results need, in the order they were made, rebuilds each on its simplified operands,
 * applies local identities (identities.c), and merges equal nodes (value numbering); then once more with the factors of sums in front of them (factors.c).
 * Not here: anything that changes which kernels exist (pass_fuse.c). */
#include "plan/plan_int.h"

#include <stdlib.h>
#include <string.h>

gs_node_kind gs__kind(const gs_node *n)
{
    if (GS_IS(n, input) || GS_IS(n, variable) || GS_IS(n, const_data)) return GS_NK_SOURCE;
    if (GS_IS(n, full) || GS_IS(n, iota)) return GS_NK_EXPR;
    if (n->op->flags & GS_F_ELEMENTWISE) return GS_NK_EXPR;
    if (GS_IS(n, reshape)) return GS_NK_RESHAPE;
    if (GS_IS(n, broadcast) || GS_IS(n, permute) || GS_IS(n, slice)) return GS_NK_VIEW;
    if (GS_IS(n, sum)) return GS_NK_SUM;
    return GS_NK_KERNEL;
}

gs_node *gs__storage(gs_node *n)
{
    while (GS_IS(n, reshape)) n = n->in[0];
    return n;
}

/* ---- merging equal nodes ---- */

static uint64_t node_hash(const gs_node *n)
{
    uint64_t h = gs_hash64(&n->op, sizeof n->op, 1);

    for (int i = 0; i < n->n_in; i++) h = gs_hash64(&n->in[i]->id, sizeof n->in[i]->id, h);
    h = gs_hash64(n->attr.f, sizeof n->attr.f, h);
    h = gs_hash64(n->attr.i, sizeof n->attr.i, h);
    h = gs_hash64(&n->shape.rank, sizeof n->shape.rank, h); /* not the struct: there may be anything between its members */
    return gs_hash64(n->shape.dim, sizeof n->shape.dim, h);
}

static bool node_equal(const gs_node *a, const gs_node *b)
{
    if (a->op != b->op || a->n_in != b->n_in || a->dtype != b->dtype || !gs_shape_equal(a->shape, b->shape)) return false;
    for (int i = 0; i < a->n_in; i++)
        if (a->in[i] != b->in[i]) return false;
    return !memcmp(a->attr.f, b->attr.f, sizeof a->attr.f) && !memcmp(a->attr.i, b->attr.i, sizeof a->attr.i) &&
           a->attr.data == b->attr.data && a->attr.var == b->attr.var && a->attr.name == b->attr.name;
}

typedef struct table { gs_node **slot; size_t n, used; } table;

static gs_node *table_find_or_add(table *t, gs_node *n)
{
    if (2 * (t->used + 1) > t->n) {
        table old = *t;

        t->n = old.n ? 2 * old.n : 1024;
        t->slot = gs_xalloc(t->n * sizeof *t->slot);
        t->used = 0;
        for (size_t i = 0; i < old.n; i++)
            if (old.slot[i]) table_find_or_add(t, old.slot[i]);
        free(old.slot);
    }
    for (size_t i = node_hash(n) & (t->n - 1);; i = (i + 1) & (t->n - 1)) {
        if (!t->slot[i]) {
            t->slot[i] = n;
            t->used++;
            return n;
        }
        if (node_equal(t->slot[i], n)) return t->slot[i];
    }
}

/* ---- signs ---- */

/* Is everything below x read by x alone, down to a product? */
static bool only_of_product(const gs_node *x, const int *users)
{
    if (GS_IS(x, matmul) || GS_IS(x, conv2d) || GS_IS(x, conv2d_dx)) return users[x->id] == 1;
    if (gs__kind(x) != GS_NK_EXPR) return false;
    for (int i = 0; i < x->n_in; i++)
        if (gs_shape_equal(x->in[i]->shape, x->shape) && users[x->in[i]->id] == 1 && only_of_product(x->in[i], users)) return true;
    return false;
}

/* By id of a step(x): a relu or leaky relu of x, which is above zero exactly where x is, when nobody but such nodes reads x. Then the
 * gradient of a layer takes the sign from the layer's result, which the next layer's gradient needs anyhow, and what the activation was applied to need
 * not be kept. Only behind a product: a normalisation's operand is kept for its own gradient. */
static gs_node **find_signs(const gs_plan *p, int n)
{
    gs_node *const *nodes = p->g->nodes, **act = gs_xalloc((size_t)n * sizeof *act), **sign = gs_xalloc((size_t)n * sizeof *sign);
    int *users = gs_xalloc((size_t)n * sizeof *users), *signs = gs_xalloc((size_t)n * sizeof *signs);
    bool *multiplied = gs_xalloc((size_t)n * sizeof *multiplied);

    for (int i = 0; i < n; i++) {
        gs_node *x = nodes[i];
        const bool keeps = GS_IS(x, relu) || (GS_IS(x, leaky_relu) && x->attr.f[0] >= 0.0);

        for (int k = 0; k < x->n_in && p->info[i].live; k++) {
            users[x->in[k]->id]++;
            multiplied[x->in[k]->id] |= GS_IS(x, matmul) || GS_IS(x, conv2d) || GS_IS(x, conv2d_dx);
        }
        if (!p->info[i].live || !(keeps || GS_IS(x, step))) continue;
        signs[x->in[0]->id]++;
        if (keeps && !act[x->in[0]->id]) act[x->in[0]->id] = x;
    }
    for (int i = 0; i < p->g->n_outputs; i++) users[p->g->outputs[i].node->id]++;
    for (int i = 0; i < p->g->n_vars; i++) users[p->g->vars[i]->current->id]++;
    for (int i = 0; i < n; i++) {
        const gs_node *x = GS_IS(nodes[i], step) ? nodes[i]->in[0] : NULL;

        if (!x || !p->info[i].live || !act[x->id] || act[x->id]->id > i || !multiplied[act[x->id]->id] || signs[x->id] < users[x->id]) continue;
        users[x->id] -= signs[x->id] - 1; /* as one reader */
        if (only_of_product(x, users)) sign[i] = act[x->id];
        users[x->id] += signs[x->id] - 1;
    }
    free(act);
    free(users);
    free(signs);
    free(multiplied);
    return sign;
}

/* ---- the walk ---- */

/* A result must have memory of its own: one that only shows a source (a fed input, a variable's old value) is
 * copied. */
static gs_node *own_memory(gs_node *r)
{
    return gs__kind(gs__storage(r)) == GS_NK_SOURCE ? gs__node1(&gs_op_detach, r, NULL) : r;
}

typedef struct walk {
    gs_plan *p;
    int n;          /* original nodes */
    gs_node **repl; /* by original id: the canonical node */
    gs_node **sign; /* by original id: what a step reads in its operand's stead, or NULL; NULL: not for any */
    gs_node **made; /* canonical nodes, operands first but for what identities make on the way */
    int n_made, cap_made;
    table seen;
} walk;

static gs_node *canonical(walk *w, gs_node *n);

/* Of an original node, or of one made of such since. */
static gs_node *replacement(walk *w, gs_node *x) { return x->id < w->n ? w->repl[x->id] : canonical(w, x); }

static gs_node *canonical(walk *w, gs_node *n)
{
    gs_plan *p = w->p;
    gs_node **in = n->n_in ? gs_arena_alloc(p->arena, (size_t)n->n_in * sizeof *in) : NULL;
    gs_node *r = NULL;
    bool same = true;

    for (int i = 0; i < n->n_in; i++) {
        in[i] = replacement(w, w->sign && w->sign[n->id] ? w->sign[n->id] : n->in[i]);
        same &= in[i] == n->in[i];
    }
    if (!p->off_simplify || GS_IS(n, assign)) r = gs__identity(n, in);
    if (!r) r = same ? n : gs__node(n->graph, n->op, in, n->n_in, &n->attr);
    if (!p->off_cse && !(r->op->flags & GS_F_RANDOM)) r = table_find_or_add(&w->seen, r);
    return r;
}

static void mark_live(gs_plan *p, gs_node *n)
{
    /* An explicit stack: graphs are deeper than the C stack is wide. */
    gs_node **stack = NULL;
    int top = 0, cap = 0;

    GS_PUSH(stack, top, cap, n);
    while (top) {
        gs_node *x = stack[--top];

        if (p->info[x->id].live) continue;
        p->info[x->id].live = true;
        for (int i = 0; i < x->n_in; i++)
            if (!p->info[x->in[i]->id].live) GS_PUSH(stack, top, cap, x->in[i]);
    }
    free(stack);
}

/* The canonical nodes of all that is alive, then those of the results. */
static void rewrite(walk *w)
{
    gs_plan *p = w->p;
    gs_graph *g = p->g;
    const int n = g->n_nodes; /* grows on the way */

    p->info = gs_xalloc((size_t)n * sizeof *p->info);
    p->n_info = n;
    for (int i = 0; i < g->n_outputs; i++) mark_live(p, g->outputs[i].node);
    for (int i = 0; i < g->n_vars; i++)
        if (g->vars[i]->current != g->vars[i]->initial) mark_live(p, g->vars[i]->current);

    w->n = n;
    w->repl = gs_xalloc((size_t)n * sizeof *w->repl);
    w->sign = p->off_simplify ? gs_xalloc((size_t)n * sizeof *w->sign) : find_signs(p, n);
    for (int i = 0; i < n; i++) {
        if (!p->info[i].live) continue;
        w->repl[i] = canonical(w, g->nodes[i]);
        GS_PUSH(w->made, w->n_made, w->cap_made, w->repl[i]);
    }
    for (int i = 0; i < g->n_outputs; i++) {
        gs_node *r = own_memory(w->repl[g->outputs[i].node->id]);
        gs_plan_output o = { gs_xstrdup(g->outputs[i].name), r, NULL, r->shape };

        GS_PUSH(p->outputs, p->n_outputs, p->cap_outputs, o);
        GS_PUSH(w->made, w->n_made, w->cap_made, r);
    }
    for (int i = 0; i < g->n_vars; i++) {
        gs_var *v = g->vars[i];
        gs_write wr = { .var = v };

        if (v->current == v->initial) continue;
        wr.value = w->repl[v->current->id];
        if (wr.value == v->initial) continue;
        wr.value = own_memory(wr.value);
        GS_PUSH(w->made, w->n_made, w->cap_made, wr.value);
        GS_PUSH(p->writes, p->n_writes, p->cap_writes, wr);
    }
}

/* Lists a live node behind all its operands. */
static void list(gs_plan *p, bool *listed, gs_node *n)
{
    gs_node **stack = NULL;
    int top = 0, cap = 0;

    GS_PUSH(stack, top, cap, n);
    while (top) {
        gs_node *x = stack[top - 1];
        bool ready = true;

        if (listed[x->id] || !p->info[x->id].live) {
            top--;
            continue;
        }
        for (int k = 0; k < x->n_in; k++)
            if (!listed[x->in[k]->id]) {
                GS_PUSH(stack, top, cap, x->in[k]);
                ready = false;
            }
        if (!ready) continue;
        listed[x->id] = true;
        p->info[x->id].order = p->n_order;
        GS_PUSH(p->order, p->n_order, p->cap_order, x);
        top--;
    }
    free(stack);
}

/* Order: as first met, operands before users. A node that an identity made on the way may have unlisted operands of
 * its own (affine of affine), which are listed first. Liveness is found again, since identities leave operands behind. */
static void put_in_order(const walk *w)
{
    gs_plan *p = w->p;
    bool *listed;

    free(p->info);
    p->n_info = p->g->n_nodes;
    p->info = gs_xalloc((size_t)p->n_info * sizeof *p->info);
    for (int i = 0; i < p->n_outputs; i++) mark_live(p, p->outputs[i].node);
    for (int i = 0; i < p->n_writes; i++) mark_live(p, p->writes[i].value);

    listed = gs_xalloc((size_t)p->n_info * sizeof *listed);
    for (int i = 0; i < w->n_made; i++) list(p, listed, w->made[i]);
    free(listed);
}

static void result(gs_plan *p, const gs_node *n)
{
    p->info[n->id].result = true;
    p->info[n->id].uses++;
}

static void count_uses(gs_plan *p)
{
    for (int i = 0; i < p->n_order; i++)
        for (int k = 0; k < p->order[i]->n_in; k++) p->info[p->order[i]->in[k]->id].uses++;
    for (int i = 0; i < p->n_outputs; i++) result(p, p->outputs[i].node);
    for (int i = 0; i < p->n_writes; i++) result(p, p->writes[i].value);
}

static void walk_free(walk *w)
{
    free(w->made);
    free(w->repl);
    free(w->sign);
    free(w->seen.slot);
}

/* The canonical program once more, with the factors of sums in front of them (factors.c). */
static void factor_sums(gs_plan *p)
{
    walk w = { .p = p, .n = p->g->n_nodes };
    int won = 0;

    w.repl = gs_xalloc((size_t)w.n * sizeof *w.repl);
    for (int i = 0; i < p->n_order; i++) {
        gs_node *n = p->order[i], *made = gs__sum_factored(p, n);

        won += made != NULL;
        w.repl[n->id] = canonical(&w, made ? made : n);
        GS_PUSH(w.made, w.n_made, w.cap_made, w.repl[n->id]);
    }
    for (int i = 0; i < p->n_outputs; i++) {
        p->outputs[i].node = own_memory(w.repl[p->outputs[i].node->id]);
        GS_PUSH(w.made, w.n_made, w.cap_made, p->outputs[i].node);
    }
    for (int i = 0; i < p->n_writes; i++) {
        p->writes[i].value = own_memory(w.repl[p->writes[i].value->id]);
        GS_PUSH(w.made, w.n_made, w.cap_made, p->writes[i].value);
    }
    p->n_order = 0;
    put_in_order(&w);
    count_uses(p);
    gs_debug(3, "simplify: factors of %d sums taken out, %d nodes", won, p->n_order);
    walk_free(&w);
}

gs_status gs__pass_simplify(gs_plan *p)
{
    const int n = p->g->n_nodes;
    walk w = { .p = p };

    rewrite(&w);
    put_in_order(&w);
    count_uses(p);
    gs_debug(3, "simplify: %d nodes made, %d kept", n, p->n_order);
    walk_free(&w);
    if (!p->off_simplify && !p->off_factors) factor_sums(p);
    return gs_graph_status(p->g);
}
