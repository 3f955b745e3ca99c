/* Index maps and leaves: how an expression reads its operands through broadcasts, permutations and slices. */
#include "plan/plan_int.h"

gs_vmap gs__vmap_identity(int rank)
{
    gs_vmap m = { .rank = rank };

    for (int i = 0; i < rank; i++) m.dim[i] = i;
    return m;
}

gs_vmap gs__vmap_view(const gs_node *view, const gs_vmap *m)
{
    const gs_node *x = view->in[0];
    gs_vmap r = { .rank = x->shape.rank };

    for (int i = 0; i < view->shape.rank; i++) {
        const int j = GS_IS(view, permute) ? view->attr.i[i] : i; /* input dimension that result dimension i shows */

        r.dim[j] = m->dim[i];
        r.start[j] = m->start[i];
        if (GS_IS(view, slice)) r.start[j] += view->attr.i[i];
        if (GS_IS(view, broadcast) && x->shape.dim[j] == 1) {
            r.dim[j] = -1;
            r.start[j] = 0;
        }
    }
    return r;
}

bool gs__vmap_is_identity(const gs_vmap *m)
{
    for (int i = 0; i < m->rank; i++)
        if (m->dim[i] != i || m->start[i]) return false;
    return true;
}

bool gs__vmap_equal(const gs_vmap *a, const gs_vmap *b)
{
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i] || a->start[i] != b->start[i]) return false;
    return true;
}

void gs__walk_leaves(gs_plan *p, gs_node *n, const gs_vmap *m, bool top, gs_leaf_fn *fn, void *user)
{
    const gs_node_kind kind = gs__kind(n);

    if (kind == GS_NK_SOURCE || kind == GS_NK_RESHAPE || (!top && gs__info(p, n)->root)) {
        fn(user, n, m);
        return;
    }
    if (kind == GS_NK_VIEW) {
        const gs_vmap inner = gs__vmap_view(n, m);

        gs__walk_leaves(p, n->in[0], &inner, false, fn, user);
        return;
    }
    for (int i = 0; i < n->n_in; i++) gs__walk_leaves(p, n->in[i], m, false, fn, user);
}

void gs__root_leaves(gs_plan *p, gs_node *n, bool kernel, gs_leaf_fn *fn, void *user)
{
    if (kernel || gs__kind(n) == GS_NK_SUM || gs__kind(n) == GS_NK_KERNEL) {
        for (int i = 0; i < n->n_in; i++) {
            const gs_vmap m = gs__vmap_identity(n->in[i]->shape.rank);

            gs__walk_leaves(p, n->in[i], &m, false, fn, user);
        }
    } else {
        const gs_vmap m = gs__vmap_identity(n->shape.rank);

        gs__walk_leaves(p, n, &m, true, fn, user);
    }
}

void gs__unit_leaves(gs_plan *p, gs_unit *u, gs_leaf_fn *fn, void *user)
{
    for (int r = 0; r < u->n_roots; r++) gs__root_leaves(p, u->roots[r], u->kind == GS_U_KERNEL && r == 0, fn, user);
}

gs_unit *gs__leaf_unit(gs_plan *p, gs_node *leaf)
{
    gs_node *s = gs__storage(leaf);

    return gs__kind(s) == GS_NK_SOURCE ? NULL : gs__info(p, s)->unit;
}

typedef struct reader { gs_plan *p; gs_unit *unit; } reader;

static void run_after(void *user, gs_node *leaf, const gs_vmap *m)
{
    const reader *r = user;
    gs_unit *before = gs__leaf_unit(r->p, leaf);

    (void)m;
    if (before) gs__unit_after(r->p, r->unit, before);
}

static void note_read(void *user, gs_node *leaf, const gs_vmap *m)
{
    const reader *r = user;
    gs_unit *u = gs__leaf_unit(r->p, leaf);

    (void)m;
    if (u && u != r->unit) gs__info(r->p, gs__storage(leaf))->read_outside = true;
}

void gs__unit_after_reads(gs_plan *p, gs_unit *u)
{
    reader r = { p, u };

    gs__unit_leaves(p, u, run_after, &r);
}

void gs__note_reads(gs_plan *p)
{
    for (int i = 0; i < p->n_units; i++) {
        reader r = { p, p->units[i] };

        gs__unit_leaves(p, p->units[i], note_read, &r);
    }
}
