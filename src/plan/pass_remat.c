/* Less memory for more work: where too much is alive at once, a value that waits there for a later use is dropped and
 * made again right before that use.
 *
 * Works on launches, after lowering: what is made again comes from the same kernels with the same arguments, so its bits
 * are the same, and random numbers too, which depend on their arguments alone. One value at a time: find the launch where
 * most bytes are alive; among the values that wait across it take the one that frees most bytes for its cost; copy the
 * launches that make it to where it is needed. Their operands are alive there anyway, or small enough to stay, or are made
 * again with it. What was copied further down for later users is taken from the new copy, too, while there is room: so a
 * stretch of layers runs again once, not once a layer.
 *
 * A launch that reads a variable is copied to before the variable's next change only; one that updates a variable in place
 * never. Outputs of the plan stay. */
#include "plan/plan_int.h"

#include <stdlib.h>
#include <string.h>

#define MAX_COPIES 512       /* launches copied for one value */
#define SMALL 16             /* an operand of at most this part of what it makes may stay in its place */
#define FLOPS_PER_BYTE 16.0  /* what devices compute while they move a byte: weighs products against passes over memory */
#define LAUNCH_BYTES 65536.0 /* a launch costs as much as moving these */
#define GROWTH 2             /* a plan grows to at most so many times its launches */

enum { READS = 1, WRITES = 2, WHOLLY = 4 };

typedef struct touch { int launch; unsigned how; } touch;

typedef struct swap { gs_value *from, *to; } swap;

/* What it takes to make a value again. */
typedef struct copies {
    int *launch; int n, cap;             /* ascending once complete */
    swap *swaps; int n_swaps, cap_swaps; /* operands read from an equal value */
    double cost;
    const gs_value **longer; int n_longer, cap_longer; /* operands that live longer for it */
    size_t stays;                        /* bytes of those that did not wait across the peak */
} copies;

typedef struct remat {
    gs_plan *p;
    size_t most;              /* bytes that may be alive */
    touch *touches;           /* of value i: touches[start[i]] .. touches[start[i + 1] - 1], ascending */
    int *start;
    int n_values;             /* when touches were listed; later ones are copies just made */
    size_t *live;             /* by launch */
    int at;                   /* the peak */
    int *mark, stamp;         /* by launch: stamp of the gathering that took it */
    const gs_value *goal;     /* being made again, */
    int before;               /* before this launch */
    double cost_limit;
} remat;

/* ---- who touches what ---- */

static unsigned how(const gs_arg *a)
{
    return a->kind == GS_ARG_IN ? READS : a->kind == GS_ARG_OUT ? WRITES | WHOLLY : READS | WRITES;
}

static void find_touches(remat *r)
{
    gs_plan *p = r->p;
    int total = 0, *filled = gs_xalloc(((size_t)p->n_values + 1) * sizeof *filled);

    r->start = gs_xrealloc(r->start, ((size_t)p->n_values + 1) * sizeof *r->start);
    memset(r->start, 0, ((size_t)p->n_values + 1) * sizeof *r->start);
    for (int i = 0; i < p->n_launches; i++)
        for (int a = 0; a < p->launches[i]->n_args; a++)
            if (p->launches[i]->args[a].value) r->start[p->launches[i]->args[a].value->id]++;
    for (int i = 0; i <= p->n_values; i++) {
        const int n = r->start[i];

        r->start[i] = total;
        total += n;
    }
    r->touches = gs_xrealloc(r->touches, ((size_t)total + 1) * sizeof *r->touches);
    for (int i = 0; i < p->n_launches; i++)
        for (int a = 0; a < p->launches[i]->n_args; a++) {
            const gs_arg *arg = &p->launches[i]->args[a];

            if (arg->value) r->touches[r->start[arg->value->id] + filled[arg->value->id]++] = (touch){ i, how(arg) };
        }
    free(filled);
}

#define EACH_TOUCH(r, v, t)                                            \
    for (const touch *t = (r)->touches + (r)->start[(v)->id];         \
         t < (r)->touches + (r)->start[(v)->id + 1]; t++)

static bool touched(const remat *r, const gs_value *v) { return r->start[v->id + 1] > r->start[v->id]; }

static int last_write(const remat *r, const gs_value *v)
{
    int last = -1;

    EACH_TOUCH(r, v, t)
        if (t->how & WRITES) last = t->launch;
    return last;
}

static bool written_between(const remat *r, const gs_value *v, int from, int to)
{
    EACH_TOUCH(r, v, t)
        if ((t->how & WRITES) && t->launch >= from && t->launch < to) return true;
    return false;
}

/* First and last launch that touch v itself, whatever lies in its place before and after. */
static int first_touch(const remat *r, const gs_value *v)
{
    return touched(r, v) ? r->touches[r->start[v->id]].launch : r->p->n_launches;
}

static int last_touch(const remat *r, const gs_value *v)
{
    if (v->keep) return r->p->n_launches;
    return touched(r, v) ? r->touches[r->start[v->id + 1] - 1].launch : -1;
}

/* Scratch memory is written anew for every part of a layer. What a reader at launch i finds in v was written from this
 * launch on. */
static int version_start(const remat *r, const gs_value *v, int i)
{
    int from = -1;

    EACH_TOUCH(r, v, t)
        if (t->launch < i && (from < 0 || (t->how & WHOLLY)) && (t->how & WRITES)) from = t->launch;
    return from;
}

/* Are all launches that write what a reader at launch i finds in v among those gathered? */
static bool is_made(const remat *r, const gs_value *v, int i)
{
    const int from = version_start(r, v, i);

    EACH_TOUCH(r, v, t)
        if ((t->how & WRITES) && t->launch >= from && t->launch < i && r->mark[t->launch] != r->stamp) return false;
    return from >= 0;
}

static gs_value *origin(gs_value *v) { return v->copy_of ? v->copy_of : v; }

/* ---- what making a value again takes ---- */

static gs_value *live_longer(const remat *r, copies *c, gs_value *w)
{
    for (int i = 0; i < c->n_longer; i++)
        if (c->longer[i] == w) return w;
    GS_PUSH(c->longer, c->n_longer, c->cap_longer, w);
    if (last_touch(r, w) <= r->at) c->stays += gs__value_bytes(w);
    return w;
}

/* From which value operand w can be read before launch r->before without being made again: itself or an equal one.
 * NULL: none. */
static gs_value *alive_instead(const remat *r, copies *c, gs_value *w)
{
    gs_value *longer = NULL;

    for (gs_value *s = origin(w); s; s = s->next_copy) {
        if (s == r->goal || first_touch(r, s) >= r->before || last_write(r, s) >= r->before) continue;
        if (last_touch(r, s) >= r->before) return s;
        if (last_touch(r, s) > r->at) longer = s; /* it waits across the peak anyway and may live longer */
    }
    if (longer) return live_longer(r, c, longer);
    return SMALL * gs__value_bytes(w) > gs__value_bytes(r->goal) ? NULL : live_longer(r, c, w);
}

static bool add_launch(remat *r, copies *c, int i);

/* All launches that write what a reader at launch i finds in v. */
static bool add_value(remat *r, copies *c, const gs_value *v, int i)
{
    const int from = version_start(r, v, i);

    EACH_TOUCH(r, v, t)
        if ((t->how & WRITES) && t->launch >= from && t->launch < i && !add_launch(r, c, t->launch)) return false;
    return true;
}

static bool add_launch(remat *r, copies *c, int i)
{
    const gs_launch *l = r->p->launches[i];

    if (r->mark[i] == r->stamp) return true;
    r->mark[i] = r->stamp;
    GS_PUSH(c->launch, c->n, c->cap, i);
    c->cost += l->bytes + l->flops / FLOPS_PER_BYTE + LAUNCH_BYTES;
    if (c->n > MAX_COPIES || c->cost > r->cost_limit) return false;
    for (int a = 0; a < l->n_args; a++) {
        gs_value *w = l->args[a].value;
        swap s = { w, NULL };

        if (!w || w->place == GS_PLACE_INPUT || w->place == GS_PLACE_CONSTANT) continue;
        if (w->place == GS_PLACE_STATE) { /* what is only written to it goes elsewhere in a copy */
            if (l->args[a].kind == GS_ARG_INOUT) return false;
            if (l->args[a].kind == GS_ARG_IN && written_between(r, w, i, r->before)) return false;
            continue;
        }
        if (l->args[a].kind == GS_ARG_INOUT && !add_value(r, c, w, i)) return false;
        if (l->args[a].kind != GS_ARG_IN) continue;
        if (last_write(r, w) < i) s.to = alive_instead(r, c, w); /* else what it read is no more */
        if (!s.to && !add_value(r, c, w, i)) return false;
        if (s.to && s.to != w) GS_PUSH(c->swaps, c->n_swaps, c->cap_swaps, s);
    }
    return true;
}

static int ascending(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

/* The first gathered launch that writes v; -1: none. */
static int first_copied(const remat *r, const gs_value *v)
{
    EACH_TOUCH(r, v, t)
        if ((t->how & WRITES) && r->mark[t->launch] == r->stamp) return t->launch;
    return -1;
}

/* The most bytes alive beside the goal while the copies run. */
static size_t extra_bytes(const remat *r, const copies *c)
{
    size_t now = 0, most;

    for (int i = 0; i < c->n_longer; i++) now += gs__value_bytes(c->longer[i]);
    most = now;
    for (int k = 0; k < c->n; k++) {
        const gs_launch *l = r->p->launches[c->launch[k]];

        for (int a = 0; a < l->n_args; a++) { /* made here for the first time */
            const gs_value *w = l->args[a].value;

            if (!w || l->args[a].kind == GS_ARG_IN || w == r->goal) continue;
            if (w->place != GS_PLACE_WORKSPACE || first_copied(r, w) == c->launch[k]) now += gs__value_bytes(w);
        }
        most = GS_MAX(most, now);
        for (int a = 0; a < l->n_args; a++) { /* read here for the last time */
            const gs_value *w = l->args[a].value;
            int last = -1;

            if (!w || w == r->goal || w->place != GS_PLACE_WORKSPACE || first_copied(r, w) < 0) continue;
            for (int b = 0; b < a; b++)
                if (l->args[b].value == w) last = INT32_MAX; /* counted */
            EACH_TOUCH(r, w, t)
                if (r->mark[t->launch] == r->stamp) last = GS_MAX(last, t->launch);
            if (last == c->launch[k]) now -= gs__value_bytes(w);
        }
    }
    return most;
}

/* Gathers what making v again before its next use takes; false when that cannot be or costs more than the limit. */
static bool gather(remat *r, const gs_value *v, copies *c)
{
    c->n = c->n_swaps = c->n_longer = 0;
    c->cost = 0;
    c->stays = 0;
    r->goal = v;
    r->before = -1;
    EACH_TOUCH(r, v, t)
        if (t->launch > r->at && r->before < 0) r->before = t->launch;
    r->stamp++;
    if (!add_value(r, c, v, r->before) || c->stays >= gs__value_bytes(v)) return false;
    qsort(c->launch, (size_t)c->n, sizeof *c->launch, ascending);
    return true;
}

static bool waits(const remat *r, const gs_value *v)
{
    if (v->place != GS_PLACE_WORKSPACE || v->keep) return false;
    if (first_touch(r, v) >= r->at || last_touch(r, v) <= r->at) return false;
    EACH_TOUCH(r, v, t)
        if (t->launch == r->at || (t->launch > r->at && (t->how & WRITES))) return false;
    return true;
}

/* The value whose dropping frees most bytes for its cost, without more than `most` bytes alive where it is made again.
 * NULL: none. */
static gs_value *choose(remat *r, size_t most, copies *c)
{
    gs_value *best = NULL;
    double best_score = 0;

    for (int i = 0; i < r->p->n_values; i++) {
        gs_value *v = r->p->values[i];
        const double bytes = (double)gs__value_bytes(v);
        double score;

        if (!waits(r, v)) continue;
        r->cost_limit = best ? bytes / best_score : 1e300;
        if (!gather(r, v, c)) continue;
        score = (bytes - (double)c->stays) / c->cost;
        if (score <= best_score || r->live[r->before] + extra_bytes(r, c) > most) continue;
        best = v;
        best_score = score;
    }
    r->cost_limit = 1e300;
    if (best) gather(r, best, c);
    return best;
}

/* ---- copying ---- */

static gs_value *copy_value(remat *r, gs_value *w)
{
    gs_value *v = gs__value_new(r->p, GS_PLACE_WORKSPACE, w->count, w->dtype, "%s again", origin(w)->name);

    if (w->place != GS_PLACE_WORKSPACE || !is_made(r, w, r->before)) return v; /* it ends as something else, */
    if (last_write(r, w) >= r->before) return v;                               /* or the original does later */
    v->copy_of = origin(w);
    v->next_copy = v->copy_of->next_copy;
    v->copy_of->next_copy = v;
    return v;
}

static gs_launch *copy_launch(remat *r, const copies *c, int i, gs_value **made)
{
    const gs_launch *l = r->p->launches[i];
    gs_launch *n = gs_xalloc(sizeof *n);

    *n = *l;
    n->kernel = gs_xstrdup(l->kernel);
    n->options = l->options ? gs_xstrdup(l->options) : NULL;
    n->before = l->before ? gs_xstrdup(l->before) : NULL;
    n->then = l->then ? gs_xstrdup(l->then) : NULL;
    n->again = true;
    for (int a = 0; a < n->n_args; a++) {
        gs_value *w = n->args[a].value;

        if (!w) continue;
        if (n->args[a].kind != GS_ARG_IN) {
            if (!made[w->id]) made[w->id] = copy_value(r, w);
            n->args[a].value = made[w->id];
            continue;
        }
        if (w->place != GS_PLACE_WORKSPACE) continue;
        if (made[w->id] && is_made(r, w, i)) n->args[a].value = made[w->id];
        for (int k = 0; k < c->n_swaps && n->args[a].value == w; k++)
            if (c->swaps[k].from == w) n->args[a].value = c->swaps[k].to;
    }
    return n;
}

/* Reads of `from` at launch i and later become reads of `to`. */
static void replace(gs_plan *p, int i, const gs_value *from, gs_value *to)
{
    for (; i < p->n_launches; i++)
        for (int a = 0; a < p->launches[i]->n_args; a++) {
            gs_arg *arg = &p->launches[i]->args[a];

            if (arg->kind == GS_ARG_IN && arg->value == from) arg->value = to;
        }
}

/* Users of later copies of an equal value read v instead, while there is room until then. */
static void serve_later(remat *r, gs_value *v)
{
    for (gs_value *s = v->copy_of->next_copy; s; s = s->next_copy) {
        size_t most = 0;

        if (s->id >= r->n_values || !touched(r, s) || first_touch(r, s) <= r->before) continue;
        for (int i = r->before; i < first_touch(r, s); i++) most = GS_MAX(most, r->live[i]);
        if (most + gs__value_bytes(v) > r->most) continue;
        for (int i = r->before; i < first_touch(r, s); i++) r->live[i] += gs__value_bytes(v);
        replace(r->p, r->before, s, v);
    }
}

static void make_again(remat *r, const copies *c)
{
    gs_plan *p = r->p;
    gs_value **made = gs_xalloc((size_t)r->n_values * sizeof *made);
    gs_launch **launches = gs_xalloc((size_t)c->n * sizeof *launches);

    for (int i = 0; i < c->n; i++) launches[i] = copy_launch(r, c, c->launch[i], made);
    replace(p, r->before, r->goal, made[r->goal->id]);
    for (int i = 0; i < r->n_values; i++)
        if (made[i] && made[i]->copy_of) serve_later(r, made[i]);
    for (int i = 0; i < c->n; i++) GS_PUSH(p->launches, p->n_launches, p->cap_launches, NULL);
    memmove(p->launches + r->before + c->n, p->launches + r->before,
            (size_t)(p->n_launches - c->n - r->before) * sizeof *p->launches);
    memcpy(p->launches + r->before, launches, (size_t)c->n * sizeof *launches);
    free(launches);
    free(made);
}

/* Copies whose results nobody reads any more are taken out. */
static void drop_unread(gs_plan *p)
{
    int *reads = gs_xalloc((size_t)GS_MAX(p->n_values, 1) * sizeof *reads), n = 0;

    for (int i = 0; i < p->n_launches; i++)
        for (int a = 0; a < p->launches[i]->n_args; a++)
            if (p->launches[i]->args[a].kind == GS_ARG_IN) reads[p->launches[i]->args[a].value->id]++;
    for (int i = p->n_launches - 1; i >= 0; i--) {
        gs_launch *l = p->launches[i];
        bool needed = !l->again;

        for (int a = 0; a < l->n_args && !needed; a++)
            needed = l->args[a].value && l->args[a].kind != GS_ARG_IN && reads[l->args[a].value->id] > 0;
        if (needed) continue;
        for (int a = 0; a < l->n_args; a++)
            if (l->args[a].kind == GS_ARG_IN) reads[l->args[a].value->id]--;
        gs__launch_free(p, l);
        p->launches[i] = NULL;
    }
    for (int i = 0; i < p->n_launches; i++)
        if (p->launches[i]) p->launches[n++] = p->launches[i];
    p->n_launches = n;
    free(reads);
}

size_t gs__pass_remat(gs_plan *p, size_t most)
{
    const int limit = GROWTH * p->n_launches;
    remat r = { .p = p, .most = most };
    copies c = { 0 };
    size_t live, least = SIZE_MAX;
    int rounds = 0;

    for (;; rounds++) {
        r.live = gs_xrealloc(r.live, ((size_t)p->n_launches + 2) * sizeof *r.live);
        gs__memory_lifetimes(p);
        live = gs__memory_live(p, r.live, &r.at);
        least = GS_MIN(least, live);
        if (live <= most || p->n_launches > limit || rounds > limit) break;
        r.n_values = p->n_values;
        r.mark = gs_xrealloc(r.mark, (size_t)p->n_launches * sizeof *r.mark);
        memset(r.mark, 0, (size_t)p->n_launches * sizeof *r.mark);
        r.stamp = 0;
        find_touches(&r);
        if (!choose(&r, most, &c) && !choose(&r, live - 1, &c)) break;
        make_again(&r, &c);
        drop_unread(p);
    }
    gs_debug(3, "remat: %d rounds, %d launches again", rounds, gs_plan_get_stats(p).again_launches);
    free(r.touches);
    free(r.start);
    free(r.live);
    free(r.mark);
    free(c.launch);
    free(c.swaps);
    free(c.longer);
    return least;
}
