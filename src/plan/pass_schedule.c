/* The order of units, and which assignments are written straight into the variable's storage.
 *
 * A unit may write a variable in place when everything that reads the variable's old value has run before it, or is the unit itself
 * reading element by element. Otherwise the new value gets memory of its own and is copied at the end of the step.
 *
 * Units run in the order of the program, each after what it needs; one with several roots where the last of them stands, so that joining
 * a root does not drag what it needs forward. Then units move to where less memory is in use: what frees more than it makes moves up, to
 * right behind what it needs (an optimiser's update behind the gradient), and what makes more than it would hold back moves down, to right before
 * its first user (the gradient of a large weight). No move lengthens the lifetimes at any time, counted in bytes; none changes a result. */
#include "plan/plan_int.h"

#include <stdlib.h>

#define MAX_SWEEPS 8
#define WORTH 16384 /* bytes below which the order of the program stays */

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

/* Is the variable an operand of the product itself, beside its epilogue? */
static bool multiplies(gs_plan *p, const gs_node *product, const gs_node *variable)
{
    readers r = { .p = p, .variable = variable, .unit = gs__info(p, product)->unit };

    for (int i = 0; i < product->n_in; i++) {
        const gs_vmap m = gs__vmap_identity(product->in[i]->shape.rank);

        gs__walk_leaves(p, product->in[i], &m, false, note_reader, &r);
    }
    return r.reads;
}

/* Every unit that reads the variable, and whether u itself reads it otherwise than element by element. */
static bool find_readers(gs_plan *p, const gs_var *v, gs_unit *u, readers *r)
{
    *r = (readers){ .p = p, .variable = v->initial };
    for (int i = 0; i < p->n_units; i++) {
        const bool ends = p->units[i]->kind == GS_U_KERNEL && p->units[i]->n_roots > 1;

        r->unit = p->units[i];
        r->reads = false;
        r->elementwise = r->unit->kind == GS_U_EXPR || (ends && !multiplies(p, r->unit->roots[0], v->initial));
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

/* ---- shorter lifetimes ---- */

/* A stored result of a unit: who reads it. */
typedef struct stored { size_t bytes; bool kept; int *readers; int n, cap; } stored;

typedef struct mover {
    gs_plan *p;
    stored *of;                    /* by node id; bytes 0: not stored, or not in the workspace */
    int *pos;                      /* by unit id: place in the schedule */
    int **reads; int *n_reads, *cap_reads; /* by unit id: ids of the stored nodes it reads, each once */
    int **users; int *n_users, *cap_users; /* by unit id: units that run directly after */
    int unit;                      /* being walked */
} mover;

static void note_read(void *user, gs_node *leaf, const gs_vmap *m)
{
    mover *v = user;
    const int id = gs__storage(leaf)->id, u = v->unit;

    (void)m;
    if (!v->of[id].bytes || gs__info(v->p, gs__storage(leaf))->unit->id == u) return;
    for (int i = 0; i < v->n_reads[u]; i++)
        if (v->reads[u][i] == id) return;
    GS_PUSH(v->reads[u], v->n_reads[u], v->cap_reads[u], id);
    GS_PUSH(v->of[id].readers, v->of[id].n, v->of[id].cap, u);
}

static void find_stored(mover *v)
{
    gs_plan *p = v->p;

    for (int i = 0; i < p->n_units; i++)
        for (int r = 0; r < p->units[i]->n_roots; r++) {
            const gs_node *n = p->units[i]->roots[r];

            if (gs__stored(p, n)) v->of[n->id].bytes = 4 * (size_t)gs_shape_count(n->shape);
        }
    for (int i = 0; i < p->n_writes; i++) {
        stored *s = &v->of[gs__storage(p->writes[i].value)->id];

        if (p->writes[i].in_place) s->bytes = 0; /* the variable's storage */
        else s->kept = true;                     /* until the copy at the end */
    }
    for (int i = 0; i < p->n_outputs; i++) v->of[gs__storage(p->outputs[i].node)->id].kept = true;
}

/* The last place where node id is read by a unit other than u; past the end when it is kept. */
static int last_read(const mover *v, int id, int u)
{
    const stored *s = &v->of[id];
    int last = -1;

    if (s->kept) return v->p->n_schedule;
    for (int i = 0; i < s->n; i++)
        if (s->readers[i] != u) last = GS_MAX(last, v->pos[s->readers[i]]);
    return last;
}

/* Bytes that u alone keeps alive at place `at` and after. */
static size_t held(const mover *v, int u, int at)
{
    size_t bytes = 0;

    for (int i = 0; i < v->n_reads[u]; i++)
        if (last_read(v, v->reads[u][i], u) < at) bytes += v->of[v->reads[u][i]].bytes;
    return bytes;
}

static size_t made(const mover *v, const gs_unit *u)
{
    size_t bytes = 0;

    for (int r = 0; r < u->n_roots; r++) bytes += v->of[u->roots[r]->id].bytes;
    return bytes;
}

static void move(mover *v, int from, int to)
{
    gs_unit **s = v->p->schedule, *u = s[from];

    for (; from < to; from++) v->pos[(s[from] = s[from + 1])->id] = from;
    for (; from > to; from--) v->pos[(s[from] = s[from - 1])->id] = from;
    s[to] = u;
    v->pos[u->id] = to;
}

static int sweep(mover *v)
{
    gs_plan *p = v->p;
    int moves = 0;

    for (int i = 0; i < p->n_schedule; i++) { /* up */
        const gs_unit *u = p->schedule[i];
        int to = 0;

        for (int k = 0; k < u->n_deps; k++) to = GS_MAX(to, v->pos[u->deps[k]] + 1);
        if (to == i || held(v, u->id, to) < made(v, u) + WORTH) continue;
        move(v, i, to);
        moves++;
    }
    for (int i = p->n_schedule - 1; i >= 0; i--) { /* down */
        const gs_unit *u = p->schedule[i];
        int to = p->n_schedule;

        for (int k = 0; k < v->n_users[u->id]; k++) to = GS_MIN(to, v->pos[v->users[u->id][k]]);
        if (v->n_users[u->id] == 0 || --to == i || made(v, u) < held(v, u->id, to) + WORTH) continue;
        move(v, i, to);
        moves++;
    }
    return moves;
}

static void shorten_lifetimes(gs_plan *p)
{
    const size_t n = (size_t)GS_MAX(p->n_units, 1);
    mover v = { .p = p };
    int moves = 0, sweeps = 0;

    v.of = gs_xalloc((size_t)GS_MAX(p->n_info, 1) * sizeof *v.of);
    v.pos = gs_xalloc(n * sizeof *v.pos);
    v.reads = gs_xalloc(n * sizeof *v.reads);
    v.users = gs_xalloc(n * sizeof *v.users);
    v.n_reads = gs_xalloc(n * sizeof *v.n_reads);
    v.cap_reads = gs_xalloc(n * sizeof *v.cap_reads);
    v.n_users = gs_xalloc(n * sizeof *v.n_users);
    v.cap_users = gs_xalloc(n * sizeof *v.cap_users);
    find_stored(&v);
    for (int i = 0; i < p->n_schedule; i++) {
        const gs_unit *u = p->schedule[i];

        v.pos[u->id] = i;
        v.unit = u->id;
        gs__unit_leaves(p, p->schedule[i], note_read, &v);
        for (int k = 0; k < u->n_deps; k++)
            GS_PUSH(v.users[u->deps[k]], v.n_users[u->deps[k]], v.cap_users[u->deps[k]], u->id);
    }
    for (int more = 1; more && sweeps < MAX_SWEEPS; sweeps++) moves += more = sweep(&v);
    gs_debug(3, "schedule: %d units moved in %d sweeps", moves, sweeps);
    for (int i = 0; i < p->n_info; i++) free(v.of[i].readers);
    for (size_t i = 0; i < n; i++) {
        free(v.reads[i]);
        free(v.users[i]);
    }
    free(v.of);
    free(v.pos);
    free(v.reads);
    free(v.users);
    free(v.n_reads);
    free(v.cap_reads);
    free(v.n_users);
    free(v.cap_users);
}

gs_status gs__pass_schedule(gs_plan *p)
{
    choose_in_place(p);
    p->schedule = gs_xalloc((size_t)GS_MAX(p->n_units, 1) * sizeof *p->schedule);
    for (int i = 0; i < p->n_order; i++) {
        const gs_ninfo *info = gs__info(p, p->order[i]);

        if (info->root && info->unit->last_order == i) place(p, info->unit);
    }
    shorten_lifetimes(p);
    return GS_OK;
}
