/* Launches that repeat another one: the same kernel with the same arguments on operands that nothing has
 * written in between. The graph holds no two equal nodes, so what repeats are preparations within the
 * lowering of ops: weights packed in panels or transformed for every pass that uses them (real and fake,
 * several generators in a row, forward for one loss and the next), padded copies of a picture with two
 * readers. One launch serves them all, and its result waits in memory for the next reader.
 *
 * That must not cost memory: a result waits only where, with all that waits already, no more than `most` is
 * alive at any launch, the plan's peak or less. So sharing fills the valleys beside the peak, and what would
 * have to wait across it is made again. It runs last, behind the passes that save memory, and is undone where
 * gaps between values make the workspace larger after all (compile.c tries again with less). */
#include "plan/plan_int.h"

#include <stdlib.h>
#include <string.h>

typedef struct maker { int launch; uint64_t hash; } maker; /* a launch whose result may serve others */

typedef struct sharing {
    gs_plan *p;
    size_t *live, most;
    int *writes, *written, *last; /* by value id: launches that write it; the latest so far; the last that uses it */
    maker *makers; int n, cap;
} sharing;

/* The one result of a launch that may be shared; NULL: it may not. */
static gs_value *result_of(const sharing *s, const gs_launch *l)
{
    gs_value *out = NULL;
    bool reads = false;

    if (!l->file || l->then) return NULL; /* generated kernels and epilogues compute nodes */
    for (int a = 0; a < l->n_args; a++) {
        gs_value *v = l->args[a].value;

        if (!v) continue;
        reads |= l->args[a].kind == GS_ARG_IN;
        if (l->args[a].kind == GS_ARG_IN) continue;
        if (out || l->args[a].kind != GS_ARG_OUT || v->place != GS_PLACE_WORKSPACE || v->keep || s->writes[v->id] != 1) return NULL;
        out = v;
    }
    return reads ? out : NULL;
}

static uint64_t hash_of(const gs_launch *l)
{
    uint64_t h = gs_hash64(l->kernel, strlen(l->kernel), 1);

    for (int a = 0; a < l->n_args; a++) {
        const int32_t part[] = { l->args[a].kind == GS_ARG_IN ? l->args[a].value->id : 0, l->args[a].i };

        h = gs_hash64(part, sizeof part, h);
    }
    return h;
}

/* Does launch i make what launch j has made? */
static bool repeats(const sharing *s, int i, int j)
{
    const gs_launch *x = s->p->launches[i], *y = s->p->launches[j];

    if (x->file != y->file || strcmp(x->kernel, y->kernel) || strcmp(x->options, y->options) || x->n_args != y->n_args ||
        memcmp(x->groups, y->groups, sizeof x->groups) || memcmp(x->local, y->local, sizeof x->local))
        return false;
    for (int a = 0; a < x->n_args; a++) {
        const gs_arg *u = &x->args[a], *v = &y->args[a];

        if (u->kind != v->kind || u->extra != v->extra || u->i != v->i || memcmp(&u->f, &v->f, sizeof u->f)) return false;
        if (u->kind == GS_ARG_IN && (u->value != v->value || s->written[u->value->id] > j)) return false;
        if (u->kind == GS_ARG_OUT && u->value->count != v->value->count) return false;
    }
    return true;
}

/* Lets v wait from its last use to launch i, where there is room for it. */
static bool wait_until(sharing *s, const gs_value *v, int i)
{
    size_t most = 0;

    for (int k = s->last[v->id] + 1; k < i; k++) most = GS_MAX(most, s->live[k]);
    if (most + gs__value_bytes(v) > s->most && s->last[v->id] + 1 < i) return false;
    for (int k = s->last[v->id] + 1; k < i; k++) s->live[k] += gs__value_bytes(v);
    return true;
}

/* The value that launch i need not make, because it is there; NULL: none. */
static gs_value *there(sharing *s, int i)
{
    const gs_value *made = result_of(s, s->p->launches[i]);
    uint64_t h;

    if (!made) return NULL;
    h = hash_of(s->p->launches[i]);
    for (int k = s->n - 1; k >= 0; k--) {
        gs_value *v;

        if (s->makers[k].hash != h || !repeats(s, i, s->makers[k].launch)) continue;
        v = result_of(s, s->p->launches[s->makers[k].launch]);
        if (!wait_until(s, v, i)) break;
        s->last[v->id] = GS_MAX(s->last[v->id], s->last[made->id]);
        return v;
    }
    GS_PUSH(s->makers, s->n, s->cap, ((maker){ i, h }));
    return NULL;
}

static void find_uses(sharing *s)
{
    gs_plan *p = s->p;
    const size_t n = (size_t)GS_MAX(p->n_values, 1);
    int at;

    s->writes = gs_xalloc(n * sizeof *s->writes);
    s->written = gs_xalloc(n * sizeof *s->written);
    s->last = gs_xalloc(n * sizeof *s->last);
    for (int i = 0; i < p->n_values; i++) s->written[i] = -1;
    for (int i = 0; i < p->n_launches; i++)
        for (int a = 0; a < p->launches[i]->n_args; a++) {
            const gs_arg *arg = &p->launches[i]->args[a];

            if (!arg->value) continue;
            s->last[arg->value->id] = i;
            s->writes[arg->value->id] += arg->kind != GS_ARG_IN;
        }
    s->live = gs_xalloc(((size_t)p->n_launches + 2) * sizeof *s->live);
    gs__memory_lifetimes(p);
    gs__memory_live(p, s->live, &at);
}

void gs__pass_share(gs_plan *p, size_t most, gs_shared *u)
{
    sharing s = { .p = p, .most = most };
    gs_value **instead = gs_xalloc((size_t)GS_MAX(p->n_values, 1) * sizeof *instead);
    double bytes = 0;
    char text[32];
    int kept = 0;

    p->shared_launches = 0;
    *u = (gs_shared){ .n_before = p->n_launches, .before = gs_xalloc((size_t)GS_MAX(p->n_launches, 1) * sizeof *u->before) };
    memcpy(u->before, p->launches, (size_t)p->n_launches * sizeof *p->launches);
    find_uses(&s);
    for (int i = 0; i < u->n_before; i++) {
        gs_launch *l = p->launches[i];
        gs_value *v;

        for (int a = 0; a < l->n_args; a++) {
            gs_value *w = l->args[a].value;

            if (!w || l->args[a].kind != GS_ARG_IN || !instead[w->id]) continue;
            GS_PUSH(u->swaps, u->n_swaps, u->cap_swaps, ((gs_swap){ &l->args[a], w }));
            l->args[a].value = instead[w->id];
        }
        v = there(&s, i);
        for (int a = 0; a < l->n_args; a++) {
            const gs_value *w = l->args[a].value;

            if (!w || l->args[a].kind == GS_ARG_IN) continue;
            s.written[w->id] = i;
            instead[w->id] = v;
        }
        if (!v) continue;
        bytes += l->bytes;
        p->shared_launches += !l->again;
        GS_PUSH(u->gone, u->n_gone, u->cap_gone, l);
        p->launches[i] = NULL;
    }
    for (int i = 0; i < u->n_before; i++)
        if (p->launches[i]) p->launches[kept++] = p->launches[i];
    p->n_launches = kept;
    gs_debug(3, "share: %d launches left out, which move %s", u->n_gone, gs_bytes_text(text, bytes));
    free(instead);
    free(s.live);
    free(s.writes);
    free(s.written);
    free(s.last);
    free(s.makers);
}

void gs__share_undo(gs_plan *p, gs_shared *u)
{
    for (int i = 0; i < u->n_swaps; i++) u->swaps[i].arg->value = u->swaps[i].value;
    memcpy(p->launches, u->before, (size_t)u->n_before * sizeof *p->launches);
    p->n_launches = u->n_before;
    u->n_gone = 0;
    p->shared_launches = 0;
    gs__share_end(p, u);
}

void gs__share_end(gs_plan *p, gs_shared *u)
{
    for (int i = 0; i < u->n_gone; i++) gs__launch_free(p, u->gone[i]);
    free(u->before);
    free(u->gone);
    free(u->swaps);
    *u = (gs_shared){ 0 };
}
