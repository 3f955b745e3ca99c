/* See the header. */
#include "bench/tune.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench_int.h"
#include "eval/variantcheck.h"
#include "train/system.h"

enum { MAX_CANDIDATES = 24, ROUNDS = 9, FIRST_ROUNDS = 3, FEW = 5, MAX_REPS = 1000 };
#define SAMPLE_SECONDS 0.01 /* long against the clock and against one wait for the device */
#define CLASS_SECONDS 3.0   /* no further rounds of a class after that */
#define TRIAL_FLOPS 2e8     /* larger problems are first tried at about this size */
#define HOPELESS 3.0        /* times the fastest single run: not measured any further */
#define SLOW 1.3            /* the same for medians of the first rounds */
#define SPREADS 3.0         /* a candidate has to win by so many median deviations of both */
#define LEAST_GAIN 0.02     /* and by this part */

/* ---- which shapes ---- */

typedef struct class {
    char name[GS_TUNING_NAME];
    gs_problem problem;       /* the largest of the class that was met */
    const gs_variant *preset;
    double work;              /* multiply-adds of all its launches, a step */
    bool known;               /* the store has it */
} class;

typedef struct work {
    gs_device *d;
    const gs_tune_opts *o;
    class *classes; int n, cap;
    double start;
} work;

static bool usable(gs_device *d, const gs_variant *v, const gs_problem *q)
{
    char name[GS_TUNING_NAME];
    const gs_verdict_entry *e;

    if (!v->can(d, q)) return false;
    gs_variant_name(q->family, v, name);
    e = gs_tuning_verdict(d, name);
    return !e || e->verdict != GS_WRONG;
}

static int candidates(gs_device *d, const gs_problem *q)
{
    int n = 0;

    for (const gs_variant *v = gs_family_variants(q->family); v->name; v++) n += usable(d, v, q);
    return n;
}

static void add_use(work *w, const gs_use *u)
{
    class c = { .problem = u->problem, .preset = u->preset, .work = gs_problem_flops(&u->problem) * u->count };

    gs_problem_class(&u->problem, c.name);
    if (!*c.name || !c.preset || candidates(w->d, &u->problem) < 2) return;
    for (int i = 0; i < w->n; i++) {
        class *known = &w->classes[i];

        if (strcmp(known->name, c.name) != 0) continue;
        known->work += c.work;
        if (gs_problem_flops(&c.problem) > gs_problem_flops(&known->problem)) {
            known->problem = c.problem;
            known->preset = c.preset;
        }
        return;
    }
    c.known = !w->o->again && gs_tuning_choice(w->d, c.name);
    GS_PUSH(w->classes, w->n, w->cap, c);
}

static gs_status add_step(work *w, const gs_setup *s, int batch)
{
    gs_graph *g = gs_graph_new();
    gs_compile_opts opts = gs_setup_compile_opts(s);
    gs_plan *p = NULL;
    const gs_use *uses;
    gs_status st = GS_OK;
    int n;

    opts.dry_run = true;
    TRY(s->system->build_step(s->model, g, batch));
    TRY(gs_compile(g, w->d, NULL, &opts, &p));
    n = gs_plan_uses(p, &uses);
    for (int i = 0; i < n; i++) add_use(w, &uses[i]);
done:
    if (st == GS_ELIMIT) { /* too large for this device: its shapes do not come up here */
        gs_warn("left out: %s", gs_last_error());
        st = GS_OK;
    }
    gs_plan_free(p);
    gs_graph_free(g);
    return st;
}

static gs_status add_setup(void *user, gs_setup *s)
{
    work *w = user;
    const gs_system *y = s->system;
    const int batch = y->batch_size(s->model);
    gs_status st = add_step(w, s, batch);

    if (st == GS_OK && w->o->data) {
        int last;

        st = y->open_data(s->model, s->config);
        if (st != GS_OK) return st;
        last = y->size_of(s->model, y->batches(s->model) - 1);
        if (last != batch) st = add_step(w, s, last);
    }
    return st;
}

/* Most work first: who stops early has had the most of it. */
static int by_work(const void *a, const void *b)
{
    const class *x = a, *y = b;

    return x->work < y->work ? 1 : x->work > y->work ? -1 : strcmp(x->name, y->name);
}

static gs_status collect(work *w)
{
    gs_status st = GS_OK;

    if (w->o->n_configs == 0) st = gs__each_model(add_setup, w);
    for (int i = 0; i < w->o->n_configs && st == GS_OK; i++) {
        gs_setup *s = NULL;

        st = gs_setup_load(w->o->configs[i], w->o->set, w->o->n_set, &s);
        if (st == GS_OK) st = add_setup(w, s);
        gs_setup_free(s);
    }
    if (w->n) qsort(w->classes, (size_t)w->n, sizeof *w->classes, by_work);
    return st;
}

/* ---- measuring a class ---- */

typedef struct candidate {
    const gs_variant *variant;
    gs_graph *g;
    gs_plan *plan;
    bool out;               /* no longer measured */
    bool agrees;
    double once;            /* seconds of a single run, the less of two */
    int reps, n;
    double v[ROUNDS];       /* seconds a run */
} candidate;

typedef struct race {
    work *w;
    const class *c;
    gs_store *store;        /* the candidates' workspaces are one */
    gs_buffer *fence;
    candidate list[MAX_CANDIDATES];
    int n;
    float *want;            /* the preset's result */
    int64_t count;
} race;

static bool stopped(const work *w) { return w->o->stop && w->o->stop(w->o->user); }

static gs_status timed(race *r, candidate *k, int reps, double *seconds)
{
    const double start = gs_now();
    uint32_t word;
    gs_status st = GS_OK;

    for (int i = 0; i < reps; i++) TRY(gs_plan_run(k->plan, 0, 0));
    TRY(r->w->d->drv->read(r->w->d, r->fence, 0, &word, sizeof word)); /* a read has to see all work before it */
    *seconds = (gs_now() - start) / reps;
done:
    return st;
}

static gs_status prepare(race *r, candidate *k, const gs_problem *q)
{
    const gs_conv *conv = &q->conv;
    char name[GS_TUNING_NAME];
    gs_node *y;
    gs_status st = GS_OK;

    gs_variant_name(q->family, k->variant, name);
    k->g = gs_graph_new();
    y = gs_problem_build(k->g, q, 0);
    TRY(gs_graph_status(k->g));
    TRY(gs_compile(k->g, r->w->d, r->store, &(gs_compile_opts){ .use = name, .no_winograd = conv->no_winograd }, &k->plan));
    r->count = gs_shape_count(gs_node_shape(y));
    for (int i = 0; i < k->g->n_inputs; i++) {
        const int64_t n = gs_shape_count(k->g->inputs[i].node->shape);
        float *data = gs_try_alloc((size_t)n, sizeof *data, "operands");

        if (!data) TRY(GS_ENOMEM);
        gs__test_fill(k->g->inputs[i].name, n, data);
        st = gs_plan_feed(k->plan, k->g->inputs[i].name, data);
        free(data);
        TRY(st);
    }
done:
    return st;
}

/* Does the result agree with the preset's, which is the first to come here? */
static gs_status compare(race *r, candidate *k)
{
    float *got = gs_try_alloc((size_t)r->count, sizeof *got, "results");
    double error = 0, size = 0.1;
    gs_status st;

    if (!got) return GS_ENOMEM;
    st = gs_plan_fetch(k->plan, "y0", got);
    if (st != GS_OK || !r->want) {
        k->agrees = st == GS_OK;
        r->want = got;
        return st;
    }
    for (int64_t i = 0; i < r->count; i++) {
        const double e = fabs((double)got[i] - (double)r->want[i]);

        if (!(e <= error)) error = e == e ? e : INFINITY;
        size = GS_MAX(size, fabs((double)r->want[i]));
    }
    k->agrees = error <= GS_TUNE_AGREES * size;
    free(got);
    return GS_OK;
}

/* The first run builds kernels, the second one and a third tell how long it takes. */
static gs_status warm_up(race *r, candidate *k)
{
    double t;
    gs_status st = GS_OK;

    TRY(prepare(r, k, &r->c->problem));
    TRY(timed(r, k, 1, &k->once));
    TRY(compare(r, k));
    for (int i = 0; i < 2 && (i == 0 || k->once < 1); i++) {
        TRY(timed(r, k, 1, &t));
        k->once = i ? GS_MIN(k->once, t) : t;
    }
    k->reps = (int)GS_MIN(GS_MAX(1, SAMPLE_SECONDS / GS_MAX(k->once, 1e-7)), MAX_REPS);
done:
    return st;
}

static void let_go(candidate *k)
{
    gs_plan_free(k->plan);
    gs_graph_free(k->g);
    k->plan = NULL;
    k->g = NULL;
}

/* The problem with fewer pictures, products or rows. */
static gs_problem smaller(const gs_problem *q)
{
    const double part = TRIAL_FLOPS / gs_problem_flops(q);
    gs_problem s = *q;

    if (part >= 1) return s;
    s.gemm.batch = GS_MAX(1, (int64_t)((double)q->gemm.batch * part));
    s.gemm.m = q->gemm.batch > 1 ? q->gemm.m : GS_MAX(1, (int64_t)((double)q->gemm.m * part));
    s.conv.n = GS_MAX(1, (int)(q->conv.n * part));
    return s;
}

/* A variant that is far behind at a fraction of the size does not get to run at full size, where it could
 * take minutes. */
static gs_status trial(race *r)
{
    const gs_problem q = smaller(&r->c->problem);
    double seconds[MAX_CANDIDATES], best = INFINITY;

    if (gs_problem_flops(&q) > 0.5 * gs_problem_flops(&r->c->problem)) return GS_OK;
    for (int i = 0; i < r->n; i++) {
        candidate *k = &r->list[i];
        gs_status st = GS_OK;

        seconds[i] = 0; /* one that cannot do the smaller problem has to wait for its own */
        if (stopped(r->w)) return GS_ESTOPPED;
        if (!k->variant->can(r->w->d, &q)) continue;
        st = prepare(r, k, &q);
        for (int run = 0; run < 2 && st == GS_OK; run++) st = timed(r, k, 1, &seconds[i]); /* the first builds kernels */
        let_go(k);
        if (st != GS_OK) seconds[i] = 0;
        else best = GS_MIN(best, seconds[i]);
    }
    for (int i = 1; i < r->n; i++) r->list[i].out = seconds[i] > HOPELESS * best;
    return GS_OK;
}

/* The deviation of a few samples tells little of the noise: then half their range stands for it. */
static gs_tune_sample sample_of(const candidate *k)
{
    double v[ROUNDS], least = INFINITY, most = 0;
    gs_tune_sample s = { .agrees = k->agrees };

    for (int i = 0; i < k->n; i++) {
        v[i] = k->v[i];
        least = GS_MIN(least, v[i]);
        most = GS_MAX(most, v[i]);
    }
    gs__spread(v, k->n, &s.median, &s.mad);
    if (k->n < FEW) s.mad = (most - least) / 2;
    return s;
}

static void drop_slow(race *r, bool first)
{
    double best = INFINITY;

    for (int i = 0; i < r->n; i++)
        if (!r->list[i].out) best = GS_MIN(best, first ? r->list[i].once : sample_of(&r->list[i]).median);
    for (int i = 1; i < r->n; i++) /* the preset stays */
        if (!r->list[i].out && (first ? r->list[i].once > HOPELESS * best : sample_of(&r->list[i]).median > SLOW * best)) r->list[i].out = true;
}

/* Rounds in which every candidate has a turn, each beginning with another, so that what slows the machine
 * down meets all alike. */
static gs_status rounds(race *r)
{
    const double start = gs_now();
    gs_status st = GS_OK;

    drop_slow(r, true);
    for (int round = 0; round < ROUNDS && (round < FIRST_ROUNDS || gs_now() - start < CLASS_SECONDS); round++) {
        for (int i = 0; i < r->n; i++) {
            candidate *k = &r->list[(round + i) % r->n];

            if (k->out) continue;
            if (stopped(r->w)) return GS_ESTOPPED;
            TRY(timed(r, k, k->reps, &k->v[k->n]));
            k->n++;
        }
        if (round == FIRST_ROUNDS - 1) drop_slow(r, false);
    }
done:
    return st;
}

int gs__tune_pick(const gs_tune_sample *s, int n)
{
    int best = 0;

    for (int i = 1; i < n; i++) {
        const double gain = s[0].median - s[i].median;

        if (!s[i].agrees || gain <= SPREADS * (s[0].mad + s[i].mad) || gain <= LEAST_GAIN * s[0].median) continue;
        if (s[i].median < s[best].median) best = i;
    }
    return best;
}

static void pick(const race *r, gs_choice *out)
{
    gs_tune_sample s[MAX_CANDIDATES];
    int from[MAX_CANDIDATES], n = 0, best;

    for (int i = 0; i < r->n; i++) {
        if (r->list[i].n < FIRST_ROUNDS) continue;
        from[n] = i;
        s[n++] = sample_of(&r->list[i]);
    }
    best = gs__tune_pick(s, n);
    *out = (gs_choice){ .seconds = s[best].median, .preset_seconds = s[0].median };
    snprintf(out->class, sizeof out->class, "%s", r->c->name);
    gs_variant_name(r->c->problem.family, r->list[from[best]].variant, out->variant);
    gs_variant_name(r->c->problem.family, r->list[0].variant, out->preset);
}

static void release(race *r)
{
    for (int i = 0; i < r->n; i++) let_go(&r->list[i]);
    if (r->fence) r->w->d->drv->free(r->w->d, r->fence);
    gs_store_free(r->store);
    free(r->want);
}

static gs_status measure(work *w, const class *c, gs_choice *out)
{
    race r = { .w = w, .c = c };
    gs_status st = GS_OK;

    r.list[r.n++].variant = c->preset;
    for (const gs_variant *v = gs_family_variants(c->problem.family); v->name && r.n < MAX_CANDIDATES; v++)
        if (v != c->preset && usable(w->d, v, &c->problem)) r.list[r.n++].variant = v;
    TRY(w->d->drv->alloc(w->d, GS_ALIGN, &r.fence));
    TRY(w->d->drv->fill(w->d, r.fence, 0, 0, GS_ALIGN));
    TRY(gs_store_new(w->d, 0, &r.store));
    TRY(trial(&r));
    for (int i = 0; i < r.n; i++) {
        if (r.list[i].out) continue;
        if (stopped(w)) TRY(GS_ESTOPPED);
        st = warm_up(&r, &r.list[i]);
        if (st == GS_OK) {
            if (!r.list[i].agrees)
                gs_warn("%s: %s/%s disagrees with %s and is not used there; \"gesso check\" tells which is wrong", c->name,
                        gs_family_name(c->problem.family), r.list[i].variant->name, r.list[0].variant->name);
            continue;
        }
        if (i == 0) goto done;
        gs_debug(1, "tune: %s: %s: %s", c->name, r.list[i].variant->name, gs_last_error()); /* out of the race */
        r.list[i].out = true;
        st = GS_OK;
    }
    TRY(rounds(&r));
    pick(&r, out);
done:
    release(&r);
    return st;
}

/* ---- all of them ---- */

/* What a class takes is mostly fixed, and grows with its size. */
static double effort(const class *c) { return 1 + gs_problem_flops(&c->problem) / 1e9; }

static double eta(const work *w, int next, double before)
{
    double done = 0, rest = 0;

    for (int i = 0; i < w->n; i++) {
        if (w->classes[i].known) continue;
        *(i < next ? &done : &rest) += effort(&w->classes[i]);
    }
    return done > 0 ? (gs_now() - before) / done * rest : -1;
}

static void tell(const work *w, gs_tune_progress p)
{
    if (w->o->progress) w->o->progress(w->o->user, &p);
}

gs_status gs_tune(gs_device *d, const gs_tune_opts *o, gs_tune_result *out)
{
    work w = { .d = d, .o = o, .start = gs_now() };
    gs_tune_result r = { 0 };
    gs_status st = GS_OK;
    double begin;
    int done = 0;

    if (gs_device_get_info(d)->kind == GS_NULL)
        TRY(gs_fail(GS_EDEVICE, "tune: device %s computes nothing, so there is nothing to measure", gs_device_get_info(d)->id));
    TRY(collect(&w));
    r.classes = w.n;
    for (int i = 0; i < w.n; i++) done += w.classes[i].known;
    begin = gs_now();
    for (int i = 0; i < w.n; i++) {
        const class *c = &w.classes[i];
        gs_choice choice;

        if (c->known) continue;
        if (stopped(&w)) TRY(GS_ESTOPPED);
        tell(&w, (gs_tune_progress){ .done = done, .total = w.n, .eta = eta(&w, i, begin), .class = c->name, .before = true });
        st = measure(&w, c, &choice);
        if (st == GS_ESTOPPED) goto done;
        done++;
        if (st != GS_OK) { /* one class that cannot be measured is no reason to give the others up */
            r.failed++;
            tell(&w, (gs_tune_progress){ .done = done, .total = w.n, .eta = -1, .class = c->name, .why = gs_last_error() });
            st = GS_OK;
            continue;
        }
        TRY(gs_tuning_set_choice(d, &choice));
        r.measured++;
        r.changed += strcmp(choice.variant, choice.preset) != 0;
        tell(&w, (gs_tune_progress){ .done = done, .total = w.n, .eta = eta(&w, i + 1, begin), .class = c->name, .choice = &choice });
    }
done:
    if (st == GS_ESTOPPED) gs_fail(st, "tune: stopped after %d of %d classes; the same command goes on from there", done, w.n);
    r.seconds = gs_now() - w.start;
    if (out) *out = r;
    free(w.classes);
    return st;
}
