/* Where values lie: lifetimes from the launch list, outputs in the place of inputs that die in the same launch, and offsets in few
 * chunks. Values are placed one after the other, each at the lowest gap among those that live at the same time, the largest first; where
 * that leaves gaps it is tried again with those that came to lie high before the others. A chunk never grows past the device's largest
 * allocation, and a value never spans chunks.
 *
 * A processor's core compares the lowest 12 bits of a load's address with those of stores before it, and waits where they are equal. A launch that goes
 * through lines a page from each other (gs_launch.apart) would wait at every line, so what it writes gets another place in its page than what it reads. */
#include "plan/plan_int.h"

#include <stdlib.h>
#include <string.h>

#define GOOD 50  /* gaps of one part in so many are left */
#define TRIES 6

size_t gs__value_bytes(const gs_value *v)
{
    return ((size_t)v->count * 4 + GS_ALIGN - 1) / GS_ALIGN * GS_ALIGN;
}

static void find_lifetimes(gs_plan *p)
{
    for (int i = 0; i < p->n_values; i++) {
        p->values[i]->first = p->values[i]->last = -1;
        p->values[i]->same_as = NULL;
    }
    for (int i = 0; i < p->n_launches; i++)
        for (int a = 0; a < p->launches[i]->n_args; a++) {
            gs_value *v = p->launches[i]->args[a].value;

            if (!v) continue;
            if (v->first < 0) v->first = i;
            v->last = i;
        }
    for (int i = 0; i < p->n_values; i++)
        if (p->values[i]->keep) p->values[i]->last = p->n_launches;
}

static gs_value *root_of(gs_value *v)
{
    while (v->same_as) v = v->same_as;
    return v;
}

/* Does launch l touch v otherwise than element by element? */
static bool touched_apart(const gs_launch *l, const gs_value *v)
{
    for (int a = 0; a < l->n_args; a++)
        if (l->args[a].value == v && !l->args[a].elementwise) return true;
    return false;
}

static int share_in_place(gs_plan *p)
{
    int won = 0;

    for (int i = 0; i < p->n_launches; i++) {
        gs_launch *l = p->launches[i];

        for (int o = 0; o < l->n_args; o++) {
            gs_value *out = l->args[o].value;

            if (l->args[o].kind != GS_ARG_OUT || !l->args[o].elementwise || out->place != GS_PLACE_WORKSPACE || out->first != i) continue;
            for (int a = 0; a < l->n_args && !out->same_as; a++) {
                gs_value *in = l->args[a].value, *root;

                if (l->args[a].kind != GS_ARG_IN || !l->args[a].elementwise || in->place != GS_PLACE_WORKSPACE) continue;
                root = root_of(in);
                if (in->last != i || root->last != i || in->count != out->count || touched_apart(l, in) || touched_apart(l, out)) continue;
                out->same_as = root;
                root->last = out->last;
                won++;
            }
        }
    }
    return won;
}

int gs__memory_lifetimes(gs_plan *p)
{
    find_lifetimes(p);
    return p->off_inplace ? 0 : share_in_place(p);
}

size_t gs__memory_live(const gs_plan *p, size_t *live, int *at)
{
    size_t now = 0, most = 0;

    memset(live, 0, ((size_t)p->n_launches + 2) * sizeof *live);
    for (int i = 0; i < p->n_values; i++) {
        const gs_value *v = p->values[i];

        if (v->place != GS_PLACE_WORKSPACE || v->same_as || v->first < 0) continue;
        live[v->first] += gs__value_bytes(v);
        live[v->last + 1] -= gs__value_bytes(v); /* unsigned: wraps, and the sums come right */
    }
    *at = 0;
    for (int i = 0; i <= p->n_launches; i++) {
        live[i] = now += live[i];
        if (now <= most) continue;
        most = now;
        *at = i;
    }
    return most;
}

/* GESSO_DEBUG=3: what is alive where the most is, the larger values. */
static void print_peak(const gs_plan *p, int at)
{
    char text[32];

    for (int i = 0; i < p->n_values; i++) {
        const gs_value *v = p->values[i];

        if (v->place != GS_PLACE_WORKSPACE || v->same_as || v->first < 0 || v->first > at || v->last < at) continue;
        if (gs__value_bytes(v) < p->live_bytes / 64) continue;
        gs_debug(3, "  alive there: %10s, launches %d to %d: %s", gs_bytes_text(text, (double)gs__value_bytes(v)), v->first, v->last, v->name);
    }
}

static int by_size(const void *a, const void *b)
{
    const gs_value *x = *(gs_value *const *)a, *y = *(gs_value *const *)b;

    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return x->id - y->id;
}

static int by_rank(const void *a, const void *b)
{
    const gs_value *x = *(gs_value *const *)a, *y = *(gs_value *const *)b;

    return x->rank != y->rank ? y->rank - x->rank : by_size(a, b);
}

static int by_offset(const void *a, const void *b)
{
    const gs_value *x = *(gs_value *const *)a, *y = *(gs_value *const *)b;

    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Two values that should lie at different places of a page. */
typedef struct pair { gs_value *a, *b; } pair;
typedef struct pairs { pair *p; int n, cap; } pairs;

static bool placed_there(const gs_value *v) { return v->place == GS_PLACE_WORKSPACE || v->place == GS_PLACE_INPUT; }

static void find_pairs(const gs_plan *p, pairs *list)
{
    for (int i = 0; i < p->n_launches; i++) {
        const gs_launch *l = p->launches[i];

        for (int o = 0; o < l->n_args && l->apart; o++)
            for (int a = 0; a < l->n_args; a++) {
                const gs_arg *out = &l->args[o], *in = &l->args[a];
                pair x;

                if (out->kind != GS_ARG_OUT || in->kind != GS_ARG_IN || in->value->count != out->value->count) continue;
                x = (pair){ root_of(out->value), root_of(in->value) };
                if (x.a != x.b && placed_there(x.a) && placed_there(x.b)) GS_PUSH(list->p, list->n, list->cap, x);
            }
    }
}

/* Bit k: v should not begin in the k-th part of a page, for what has been placed already. */
static unsigned parts_taken(const pairs *list, const gs_value *v)
{
    unsigned mask = 0;

    for (int i = 0; i < list->n; i++) {
        const pair *x = &list->p[i];
        const gs_value *w = x->a == v ? x->b : x->b == v ? x->a : NULL;

        if (!w || (w->place == GS_PLACE_WORKSPACE && w->buffer < 0)) continue;
        mask |= 1u << w->offset % GS_PAGE / GS_PHASE;
        if (w->offset % GS_PHASE) mask |= 1u << (w->offset + GS_PHASE) % GS_PAGE / GS_PHASE;
    }
    return mask;
}

/* From `at` on, the next place that begins in none of those parts, unless they are all taken. */
static size_t elsewhere(size_t at, unsigned taken)
{
    if (!taken || taken == (1u << GS_PAGE / GS_PHASE) - 1) return at;
    at = (at + GS_PHASE - 1) / GS_PHASE * GS_PHASE; /* at a part's beginning it reaches into no other */
    while (taken >> at % GS_PAGE / GS_PHASE & 1) at += GS_PHASE;
    return at;
}

/* Lowest offset in a chunk where v fits beside the n values placed there that live with it. */
static size_t lowest_gap(gs_value **live, int n, size_t bytes, unsigned taken)
{
    size_t at = elsewhere(0, taken);

    qsort(live, (size_t)n, sizeof *live, by_offset);
    for (int i = 0; i < n; i++) {
        const size_t end = live[i]->offset + gs__value_bytes(live[i]);

        if (at + bytes <= live[i]->offset) return at;
        if (end > at) at = elsewhere(end, taken);
    }
    return at;
}

static gs_status place_all(gs_plan *p, const pairs *apart)
{
    const size_t limit = gs_plan_device(p)->max_alloc;
    gs_value **pending = NULL, **live = gs_xalloc((size_t)GS_MAX(p->n_values, 1) * sizeof *live);
    int n = 0, cap = 0;
    gs_status st = GS_OK;

    for (int i = 0; i < p->n_values; i++) {
        gs_value *v = p->values[i];

        if (v->place != GS_PLACE_WORKSPACE) continue;
        v->buffer = -1;
        if (!v->same_as && v->first >= 0) GS_PUSH(pending, n, cap, v);
    }
    if (n) qsort(pending, (size_t)n, sizeof *pending, by_rank);
    p->n_chunks = 0;
    for (int i = 0; i < n && st == GS_OK; i++) {
        gs_value *v = pending[i];
        const size_t bytes = gs__value_bytes(v);
        const unsigned taken = parts_taken(apart, v);
        int best = -1;
        size_t best_at = 0, best_growth = 0;

        for (int c = 0; c < p->n_chunks; c++) {
            int n_live = 0;
            size_t at, growth;

            for (int k = 0; k < i; k++)
                if (pending[k]->buffer == c && pending[k]->first <= v->last && v->first <= pending[k]->last) live[n_live++] = pending[k];
            at = lowest_gap(live, n_live, bytes, taken);
            if (at + bytes > limit) continue;
            growth = at + bytes > p->chunks[c].size ? at + bytes - p->chunks[c].size : 0;
            if (best >= 0 && growth >= best_growth) continue;
            best = c;
            best_at = at;
            best_growth = growth;
        }
        if (best < 0) {
            gs_chunk c = { 0 };
            char text[32], most[32];

            if (bytes > limit)
                st = gs_fail(GS_ELIMIT, "%s needs %s in one piece, the device allocates at most %s: use a smaller batch or size",
                             v->name, gs_bytes_text(text, (double)bytes), gs_bytes_text(most, (double)limit));
            best = p->n_chunks;
            GS_PUSH(p->chunks, p->n_chunks, p->cap_chunks, c);
        }
        if (!p->chunks[best].size && elsewhere(0, taken) + bytes <= limit) best_at = elsewhere(0, taken);
        v->buffer = best;
        v->offset = best_at;
        if (best_at + bytes > p->chunks[best].size) p->chunks[best].size = best_at + bytes;
    }
    for (int i = 0; i < p->n_values; i++) {
        gs_value *v = p->values[i], *root = root_of(v);

        if (v == root) continue;
        v->buffer = root->buffer;
        v->offset = root->offset;
    }
    free(pending);
    free(live);
    return st;
}

static size_t placed_bytes(const gs_plan *p)
{
    size_t bytes = 0;

    for (int i = 0; i < p->n_chunks; i++) bytes += p->chunks[i].size;
    return bytes;
}

/* Places again and again, what came to lie too high last time before the rest, and keeps the best outcome. */
static gs_status place_well(gs_plan *p)
{
    const size_t good = p->live_bytes + p->live_bytes / GOOD;
    int *ranks = gs_xalloc((size_t)GS_MAX(p->n_values, 1) * sizeof *ranks); /* of the best outcome */
    pairs apart = { 0 };
    size_t least = SIZE_MAX;
    gs_status st = GS_OK;

    find_pairs(p, &apart);
    for (int i = 0; i < p->n_values; i++) p->values[i]->rank = 0;
    for (int tries = 0; least > good && tries < TRIES; tries++) {
        st = place_all(p, &apart);
        if (st != GS_OK) goto done; /* a value too large for the device, in whatever order */
        if (placed_bytes(p) < least) {
            least = placed_bytes(p);
            for (int i = 0; i < p->n_values; i++) ranks[i] = p->values[i]->rank;
        }
        if (least <= good || p->n_chunks > 1) break;
        for (int i = 0; i < p->n_values; i++) {
            gs_value *v = p->values[i];

            if (v->place != GS_PLACE_WORKSPACE || v->same_as || v->first < 0) continue;
            if (v->offset + gs__value_bytes(v) > good) v->rank = tries + 1;
        }
    }
    if (placed_bytes(p) > least) {
        for (int i = 0; i < p->n_values; i++) p->values[i]->rank = ranks[i];
        st = place_all(p, &apart);
    }
done:
    free(apart.p);
    free(ranks);
    return st;
}

gs_status gs__pass_memory(gs_plan *p)
{
    const int won = gs__memory_lifetimes(p);
    size_t *live = gs_xalloc(((size_t)p->n_launches + 2) * sizeof *live);
    char text[32];
    int at;
    gs_status st;

    p->live_bytes = gs__memory_live(p, live, &at);
    free(live);
    p->constant_bytes = 0;
    for (int i = 0; i < p->n_values; i++) {
        gs_value *v = p->values[i];

        if (v->place != GS_PLACE_INPUT && v->place != GS_PLACE_CONSTANT) continue;
        v->offset = p->constant_bytes;
        p->constant_bytes += gs__value_bytes(v);
    }
    st = place_well(p);
    gs_debug(3, "memory: %d launches, %d values, %d in place, %d chunks; at most %s alive, at launch %d", p->n_launches, p->n_values, won,
             p->n_chunks, gs_bytes_text(text, (double)p->live_bytes), at);
    if (gs_debug_level() >= 3) print_peak(p, at);
    return st;
}
