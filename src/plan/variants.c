/* See the header: which variant computes a product or a convolution. */
#include "plan/variants.h"

#include <stdlib.h>
#include <string.h>

#include "plan/plan_int.h"

static const struct { const char *name, *group, *environment; const gs_variant *variants; } families[GS_FAMILIES] = {
    [GS_FAMILY_GEMM] = { "gemm", "gemm", "GESSO_GEMM", gs__gemm_variants },
    [GS_FAMILY_CONV_Y] = { "conv.y", "conv", "GESSO_CONV", gs__conv_variants },
    [GS_FAMILY_CONV_DX] = { "conv.dx", "conv", "GESSO_CONV", gs__conv_variants },
    [GS_FAMILY_CONV_DW] = { "conv.dw", "conv", "GESSO_CONV", gs__conv_variants },
};

const gs_variant *gs_family_variants(gs_family f) { return families[f].variants; }
const char *gs_family_name(gs_family f) { return families[f].name; }

void gs_variant_name(gs_family f, const gs_variant *v, char name[GS_TUNING_NAME])
{
    snprintf(name, GS_TUNING_NAME, "%s/%s", families[f].name, v->name);
}

/* ---- classes ---- */

/* 1, 2, 3, 4, 6, 8, 12, ...: the next that is not below n. */
static long long rounded(int64_t n)
{
    int64_t two = 1;

    while (two < n) two *= 2;
    return two > 2 && two / 4 * 3 >= n ? two / 4 * 3 : two;
}

void gs_problem_class(const gs_problem *q, char class[GS_TUNING_NAME])
{
    const gs_gemm *g = &q->gemm;
    const gs_conv *c = &q->conv;
    int n;

    if (q->family == GS_FAMILY_GEMM)
        n = snprintf(class, GS_TUNING_NAME, "gemm.%c%c/m%lld,n%lld,k%lld,b%lld", g->ta ? 't' : 'n', g->tb ? 't' : 'n', rounded(g->m),
                     rounded(g->n), rounded(g->k), rounded(g->batch));
    else
        n = snprintf(class, GS_TUNING_NAME, "%s/k%dx%d,s%dx%d,d%d,g%lld,c%lld,o%lld,h%lld,w%lld,n%lld%s%s", families[q->family].name, c->kh, c->kw,
                     c->sh, c->sw, c->dil, rounded(c->groups), rounded(c->xc / c->groups), rounded(c->yc / c->groups), rounded(c->yh),
                     rounded(c->yw), rounded(c->n), c->mode != GS_CONV_ZEROS ? ",edges" : "", c->no_winograd ? ",plain" : "");
    if (n >= GS_TUNING_NAME) class[0] = '\0'; /* sizes that no device holds: nothing is stored for them */
}

double gs_problem_flops(const gs_problem *q)
{
    const gs_gemm *g = &q->gemm;
    const gs_conv *c = &q->conv;

    if (q->family == GS_FAMILY_GEMM) return 2.0 * (double)g->m * (double)g->n * (double)g->k * (double)g->batch;
    return 2.0 * c->n * c->yc * c->yh * c->yw * (c->xc / c->groups) * c->kh * c->kw;
}

/* ---- choosing ---- */

/* Does a name, "tile" or "tile:8", mean the variant? */
static bool means(const char *name, size_t len, const gs_variant *v)
{
    return strncmp(v->name, name, len) == 0 && (v->name[len] == '\0' || v->name[len] == ':');
}

/* The part of "gemm/tile,conv.dw/direct" that is for a family ("conv/..." is for all three of its passes), or NULL; *len. */
static const char *named(const char *list, gs_family f, size_t *len)
{
    for (const char *at = list; at && *at; at += *at == ',') {
        const size_t all = strcspn(at, ","), family = strcspn(at, "/,");

        if (family < all && ((strlen(families[f].name) == family && strncmp(at, families[f].name, family) == 0) ||
                             (strlen(families[f].group) == family && strncmp(at, families[f].group, family) == 0))) {
            *len = all - family - 1;
            return at + family + 1;
        }
        at += all;
    }
    return NULL;
}

static gs_status no_such(gs_family f, const char *name, size_t len)
{
    gs_str all = { 0 };
    gs_status st;

    for (const gs_variant *v = families[f].variants; v->name; v++) gs_str_printf(&all, "%s%s", all.len ? ", " : "", v->name);
    st = gs_fail(GS_EINVAL, "%s = %.*s: there is no such variant of %s; there is %s", families[f].environment, (int)GS_MIN(len, 60), name,
                 families[f].name, gs_str_c(&all));
    gs_str_free(&all);
    return st;
}

/* The variant that was named, when it can do the problem; else *out stays. */
static gs_status by_name(gs_plan *p, const gs_problem *q, const gs_variant **out)
{
    const gs_variant *v = families[q->family].variants;
    size_t len = 0;
    const char *name = named(p->use, q->family, &len);
    const bool asked = name != NULL;
    bool known = false;

    if (!name) {
        name = getenv(families[q->family].environment);
        if (!name || !*name) return GS_OK;
        len = strlen(name);
    }
    for (; v->name; v++) {
        char full[GS_TUNING_NAME];

        if (!means(name, len, v)) continue;
        known = true;
        gs_variant_name(q->family, v, full);
        if (!asked && gs_unbuilt_find(p->d, full)) continue; /* the environment prefers; the caller means it */
        if (!v->can(p->d, q)) continue;
        *out = v;
        return GS_OK;
    }
    return known ? GS_OK : no_such(q->family, name, len);
}

static bool wrong(gs_plan *p, const gs_problem *q, const gs_variant *v, bool tell)
{
    char name[GS_TUNING_NAME];
    gs_verdict_entry *e;

    gs_variant_name(q->family, v, name);
    if (gs_unbuilt_find(p->d, name)) return true;
    e = gs_tuning_verdict(p->d, name);
    if (!e || e->verdict != GS_WRONG) return false;
    if (tell && !e->said) {
        gs_warn("%s (%s): %s is not used, \"gesso check\" found it wrong%s%s; another variant takes its place", p->d->info.name, p->d->info.id,
                name, *e->why ? ": " : "", e->why);
        e->said = true;
    }
    return true;
}

static const gs_variant *by_store(gs_plan *p, const gs_problem *q)
{
    char class[GS_TUNING_NAME], name[GS_TUNING_NAME];
    const gs_choice *c;

    gs_problem_class(q, class);
    c = gs_tuning_choice(p->d, class);
    if (!c) return NULL;
    for (const gs_variant *v = families[q->family].variants; v->name; v++) {
        gs_variant_name(q->family, v, name);
        if (strcmp(name, c->variant) == 0) return v->can(p->d, q) && !wrong(p, q, v, true) ? v : NULL;
    }
    return NULL;
}

static const gs_variant *by_table(gs_plan *p, const gs_problem *q, bool tell)
{
    for (const gs_variant *v = families[q->family].variants; v->name; v++)
        if (!v->only_chosen && v->can(p->d, q) && (!v->pays || v->pays(p->d, q, v)) && !wrong(p, q, v, tell)) return v;
    return NULL;
}

static bool same(const gs_problem *a, const gs_problem *b)
{
    const gs_gemm *x = &a->gemm, *y = &b->gemm;

    if (a->family != b->family) return false;
    if (a->family != GS_FAMILY_GEMM) return memcmp(&a->conv, &b->conv, sizeof a->conv) == 0;
    return x->m == y->m && x->n == y->n && x->k == y->k && x->batch == y->batch && x->ta == y->ta && x->tb == y->tb && x->lda == y->lda &&
           x->ldb == y->ldb && x->ldc == y->ldc && x->stride_a == y->stride_a && x->stride_b == y->stride_b && x->stride_c == y->stride_c;
}

static void note(gs_plan *p, const gs_problem *q, gs_use u)
{
    for (int i = 0; i < p->n_uses; i++)
        if (p->uses[i].variant == u.variant && same(&p->uses[i].problem, q)) {
            p->uses[i].count++;
            return;
        }
    u.problem = *q;
    u.problem.end = NULL;
    u.count = 1;
    GS_PUSH(p->uses, p->n_uses, p->cap_uses, u);
}

/* Why a variant that could do the problem did not build; NULL: none. */
static const char *unbuilt(const gs_plan *p, const gs_problem *q)
{
    const char *why = NULL;

    for (const gs_variant *v = families[q->family].variants; v->name && !why; v++) {
        char name[GS_TUNING_NAME];

        gs_variant_name(q->family, v, name);
        if (v->can(p->d, q)) why = gs_unbuilt_find(p->d, name);
    }
    return why;
}

/* The variant that holds for the problem; NULL: none. */
static gs_status choose(gs_plan *p, const gs_problem *q, gs_use *u)
{
    const gs_status st = by_name(p, q, &u->variant);

    if (st != GS_OK) return st;
    if (!u->variant) {
        u->variant = by_store(p, q);
        u->chosen = u->variant != NULL;
    }
    u->preset = by_table(p, q, !u->variant);
    if (!u->variant) u->variant = u->preset;
    return GS_OK;
}

bool gs__plan_ends(gs_plan *p, const gs_problem *q)
{
    gs_use u = { 0 };

    return choose(p, q, &u) == GS_OK && u.variant && u.variant->ends && u.variant->ends(p, q, u.variant);
}

gs_status gs__plan_problem(gs_plan *p, const gs_problem *q, gs_value *out, gs_value *a, gs_value *b)
{
    gs_use u = { 0 };
    gs_status st = choose(p, q, &u);
    int first;

    if (st != GS_OK) return st;
    if (!u.variant && unbuilt(p, q))
        return gs_fail(GS_EBUILD, "no variant of %s that could be used here builds: %s", families[q->family].name, unbuilt(p, q));
    if (!u.variant) {
        char *path = gs_tuning_path(p->d);

        st = gs_fail(GS_EDEVICE, "device \"%s\": \"gesso check\" found every variant of %s wrong that could be used here (%s)", p->d->info.name,
                     families[q->family].name, path ? path : "this run's verdicts");
        free(path);
        return st;
    }
    note(p, q, u);
    first = p->n_launches;
    st = u.variant->emit(p, q, u.variant, out, a, b);
    for (int i = first; i < p->n_launches; i++) {
        if (p->launches[i]->variant) continue; /* of a product within a convolution */
        p->launches[i]->variant = u.variant;
        p->launches[i]->family = (int)q->family;
    }
    return st;
}

int gs_plan_uses(const gs_plan *p, const gs_use **list)
{
    *list = p->uses;
    return p->n_uses;
}
