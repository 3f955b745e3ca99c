/* The order of units, and which assignments are written straight into the variable's storage.
 *
 * A unit may write a variable in place when everything that reads the variable's old value has run before it, or is the unit itself
 * reading element by element. Otherwise the new value gets memory of its own and is copied at the end of the step. Units run as
 * early as the program made them, each after what it needs. */
#include "plan/plan_int.h"

#include <stdlib.h>

typedef struct readers {
    gs_plan *p;
    const gs_node *variable;
    gs_unit *unit;          /* the unit being walked */
    gs_unit **list; int n, cap;
    bool reads, elementwise;
} readers;

static void note_reader(void *user, gs_node *leaf, const gs_vmap *m)
{
    readers *r = user;

    if (gs__storage(leaf) != r->variable) return;
    r->reads = true;
    if (!gs__vmap_is_identity(m) || !gs_shape_equal(leaf->shape, r->unit->shape)) r->elementwise = false;
}

/* Every unit that reads the variable, and whether u itself reads it otherwise than element by element. */
static bool find_readers(gs_plan *p, const gs_var *v, gs_unit *u, readers *r)
{
    *r = (readers){ .p = p, .variable = v->initial };
    for (int i = 0; i < p->n_units; i++) {
        r->unit = p->units[i];
        r->reads = false;
        r->elementwise = r->unit->kind == GS_U_EXPR;
        gs__unit_leaves(p, r->unit, note_reader, r);
        if (!r->reads) continue;
        if (r->unit == u) {
            if (!r->elementwise) return false;
            continue;
        }
        if (gs__bit(r->unit->ancestors, u->id)) return false; /* it must run after u */
        GS_PUSH(r->list, r->n, r->cap, r->unit);
    }
    return true;
}

static void choose_in_place(gs_plan *p)
{
    for (int i = 0; i < p->n_writes; i++) {
        gs_write *w = &p->writes[i];
        gs_node *s = gs__storage(w->value);
        gs_unit *u = gs__info(p, s)->unit;
        bool taken = p->off_inplace;
        readers r;

        for (int k = 0; k < i; k++) taken |= p->writes[k].in_place && gs__storage(p->writes[k].value) == s;
        if (taken || u == NULL) continue;
        if (find_readers(p, w->var, u, &r)) {
            w->in_place = true;
            for (int k = 0; k < r.n; k++) gs__unit_after(p, u, r.list[k]);
        }
        free(r.list);
    }
}

static void place(gs_plan *p, gs_unit *root)
{
    gs_unit **stack = NULL;
    int top = 0, cap = 0;

    GS_PUSH(stack, top, cap, root);
    while (top) {
        gs_unit *u = stack[top - 1];
        bool ready = true;

        if (u->scheduled) {
            top--;
            continue;
        }
        for (int i = 0; i < u->n_deps; i++) {
            gs_unit *d = p->units[u->deps[i]];

            if (d->scheduled) continue;
            GS_PUSH(stack, top, cap, d);
            ready = false;
        }
        if (!ready) continue;
        u->scheduled = true;
        p->schedule[p->n_schedule++] = u;
        top--;
    }
    free(stack);
}

gs_status gs__pass_schedule(gs_plan *p)
{
    choose_in_place(p);
    p->schedule = gs_xalloc((size_t)GS_MAX(p->n_units, 1) * sizeof *p->schedule);
    for (int i = 0; i < p->n_order; i++)
        if (gs__info(p, p->order[i])->root) place(p, gs__info(p, p->order[i])->unit);
    return GS_OK;
}
