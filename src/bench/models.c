/* Training steps: every profile of every system, or the configurations that were named. Time of a step as
 * training does it (feed and run, nothing read back), memory as planned and as allocated, starts, and one
 * step of a small batch against the double-precision reference. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench_int.h"
#include "train/system.h"

enum { MAX_MODELS = GS__BENCH_MODELS, DIGEST_STEPS = 3, HOST_SAMPLES = 7 };
#define LIMIT_METRICS 1e-4 /* fp32 against double through a dozen layers */
#define LIMIT_STATE 1e-2   /* gradients: a leaky ReLU near 0 may take its other side for single elements */
#define SMALL 1e-3         /* of the largest tensor of its kind: smaller ones are judged as if of this size */
#define CHECK_FLOPS 2e9    /* the reference does some 3e8 a second */
static const uint64_t SEED = 0;

typedef struct model {
    char id[64];
    const gs_system *system; /* NULL: a configuration's path */
    char profile[32];
    const char *path;
} model;

/* ---- which ones ---- */

static const gs_config_row *find_row(const gs_system *s, const char *section, const char *key)
{
    int n;
    const gs_config_row *rows = s->rows(&n);

    for (int i = 0; i < n; i++)
        if (strcmp(rows[i].section, section) == 0 && strcmp(rows[i].key, key) == 0) return &rows[i];
    return NULL;
}

static bool has_choice(const gs_config_row *row, const char *name)
{
    const size_t n = strlen(name);

    for (const char *p = row && row->choices ? strstr(row->choices, name) : NULL; p; p = strstr(p + 1, name))
        if ((p == row->choices || p[-1] == ' ') && (p[n] == ' ' || !p[n])) return true;
    return false;
}

/* All profiles of all systems. */
static int all_models(model *list)
{
    int n = 0;

    for (int i = 0; gs_systems[i]; i++) {
        const gs_system *s = gs_systems[i];
        const gs_config_row *profile = find_row(s, "model", "profile");
        const char *p = profile && profile->choices ? profile->choices : "";

        do {
            const int len = (int)strcspn(p, " ");
            model *m = &list[n];

            if (n == MAX_MODELS) return n;
            *m = (model){ .system = s };
            snprintf(m->profile, sizeof m->profile, "%.*s", len, p);
            snprintf(m->id, sizeof m->id, "%s%s%.31s", s->name, len ? "/" : "", m->profile);
            n++;
            p += len;
            p += *p == ' ';
        } while (*p);
    }
    return n;
}

void gs__models_json(cJSON *list, const char *only)
{
    model all[MAX_MODELS];
    const int n = all_models(all);

    for (int i = 0; i < n; i++) {
        cJSON *o;

        if (!gs__bench_wanted(only, all[i].id)) continue;
        o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "id", all[i].id);
        cJSON_AddStringToObject(o, "system", all[i].system->name);
        if (*all[i].profile) cJSON_AddStringToObject(o, "profile", all[i].profile);
        cJSON_AddItemToArray(list, o);
    }
}

/* A configuration's setup; a profile's with drawn pictures where it wants files. batch: replaces the
 * configuration's; 0: its own. */
static gs_status setup_of(const model *m, int batch, gs_setup **out)
{
    const gs_system *system = m->system;
    const char *set[4];
    char text[160], size[40];
    gs_status st;
    int n = 0;

    *out = NULL;
    if (batch) {
        if (!system) {
            if ((st = gs_setup_load(m->path, NULL, 0, out)) != GS_OK) return st;
            system = (*out)->system;
            gs_setup_free(*out);
            *out = NULL;
        }
        snprintf(size, sizeof size, "train.%s=%d", find_row(system, "train", "batch_size") ? "batch_size" : "batch", batch);
        set[n++] = size;
    }
    if (!m->system) return gs_setup_load(m->path, set, n, out);
    snprintf(text, sizeof text, "[model]\nsystem = %s\n%s%s\n", m->system->name, *m->profile ? "profile = " : "", m->profile);
    st = gs_setup_parse(text, m->id, set, n, out);
    if (st != GS_OK || !has_choice(find_row(m->system, "data", "dataset"), "digits")) return st;
    if (strcmp(gs_config_text((*out)->config, "data", "dataset"), "bars") == 0) return st;
    gs_setup_free(*out);
    *out = NULL;
    set[n++] = "data.dataset=digits";
    set[n++] = "data.n_digits=1024";
    if (find_row(m->system, "data", "n_validation")) set[n++] = "data.n_validation=0";
    return gs_setup_parse(text, m->id, set, n, out);
}

gs_status gs__each_model(gs_status (*fn)(void *user, struct gs_setup *s), void *user)
{
    model all[MAX_MODELS];
    const int n = all_models(all);
    gs_status st = GS_OK;

    for (int i = 0; i < n && st == GS_OK; i++) {
        gs_setup *s = NULL;

        st = setup_of(&all[i], 0, &s);
        if (st == GS_OK) st = fn(user, s);
        gs_setup_free(s);
    }
    return st;
}

/* Changes when anything changes that a step computes. */
static void hash_of(const gs_setup *s, char text[24])
{
    static const char *const other[] = { "run", "log", "checkpoint", "sample" };
    gs_config_table tables[2];
    const int n = gs_system_tables(s->system, tables);
    uint64_t hash = gs_hash_str(s->system->name);

    for (int t = 0; t < n; t++)
        for (int i = 0; i < tables[t].n; i++) {
            const gs_config_row *row = &tables[t].rows[i];
            const char *value = gs_config_text(s->config, row->section, row->key);
            bool counts = value != NULL;

            for (size_t k = 0; k < GS_COUNT(other); k++) counts = counts && strcmp(row->section, other[k]) != 0;
            if (counts) hash = gs_hash64(value, strlen(value), gs_hash64(row->key, strlen(row->key), hash));
        }
    snprintf(text, 24, "%016llx", (unsigned long long)hash);
}

/* ---- a step on the device ---- */

typedef struct work {
    gs_device *d;
    gs_setup *setup;
    gs_store *store;
    gs_graph *g;
    gs_plan *plan;
    gs_position at;
    int batch, whole; /* pictures a step; batches of that size in an epoch */
} work;

static void release(work *w)
{
    gs_plan_free(w->plan);
    gs_graph_free(w->g);
    gs_store_free(w->store);
    gs_setup_free(w->setup);
}

/* Everything up to the first step. inputs: the step's inputs become outputs "in.NAME" too, for the reference. */
static gs_status open_work(gs_device *d, const model *m, int batch, bool inputs, work *w)
{
    const gs_system *system;
    gs_compile_opts opts;
    gs_status st = GS_OK;

    *w = (work){ .d = d, .g = gs_graph_new() };
    TRY(setup_of(m, batch, &w->setup));
    system = w->setup->system;
    w->batch = system->batch_size(w->setup->model);
    TRY(system->build_step(w->setup->model, w->g, w->batch));
    for (int i = 0; inputs && i < w->g->n_inputs; i++) {
        char name[64];

        snprintf(name, sizeof name, "in.%s", w->g->inputs[i].name);
        gs_output(w->g, name, w->g->inputs[i].node);
    }
    gs_setup_math(w->setup, d);
    TRY(gs_store_new(d, SEED, &w->store));
    opts = gs_setup_compile_opts(w->setup);
    if (gs_config_bytes(w->setup->config, "memory", "budget") != 0) {
        gs_setup_memory need;

        TRY(gs_setup_fits(w->setup, d, &need));
        opts.budget = need.step_budget;
    }
    TRY(gs_compile(w->g, d, w->store, &opts, &w->plan));
    TRY(system->open_data(w->setup->model, w->setup->config));
    if (system->prime) TRY(system->prime(w->setup->model, w->store));
    for (w->whole = 0; w->whole < system->batches(w->setup->model); w->whole++)
        if (system->size_of(w->setup->model, w->whole) != w->batch) break;
    if (w->whole == 0) TRY(gs_fail(GS_ECONFIG, "%s: the data has no whole batch of %d", m->id, w->batch));
done:
    return st;
}

static gs_status one_step(void *user)
{
    work *w = user;
    const gs_system *system = w->setup->system;
    gs_status st = GS_OK;

    TRY(system->feed(w->setup->model, w->plan, w->at));
    TRY(gs_plan_run(w->plan, SEED, (uint64_t)w->at.step));
    w->at.step++;
    if (++w->at.batch == w->whole) {
        w->at.batch = 0;
        w->at.epoch++;
    }
done:
    return st;
}

/* What the host does of a step: feeding and enqueueing with an idle device. A step of `step` seconds decides
 * on the number of samples. */
static gs_status host_part(work *w, double step, double *seconds)
{
    const int n = step > 0.5 ? 1 : HOST_SAMPLES;
    double v[HOST_SAMPLES];
    gs_status st = GS_OK;

    for (int i = 0; i < n; i++) {
        const double start = gs_now();

        TRY(one_step(w));
        v[i] = gs_now() - start;
        TRY(w->d->drv->finish(w->d));
    }
    *seconds = gs__median(v, n);
done:
    return st;
}

/* ---- against the reference ---- */

static double *as_doubles(gs_dtype type, int64_t n, const void *data)
{
    double *d = gs_try_alloc((size_t)n, sizeof *d, "the check's operands");

    for (int64_t i = 0; d && i < n; i++) d[i] = type == GS_F32 ? (double)((const float *)data)[i] : (double)((const int32_t *)data)[i];
    return d;
}

typedef struct check {
    gs_ref_feed *feeds;
    double **fed;
    int n, cap, cap_fed;
} check;

static gs_status add_feed(check *k, const gs_node *node, const void *data)
{
    double *d = as_doubles(node->dtype, gs_shape_count(node->shape), data);
    int n = k->n;

    if (!d) return GS_ENOMEM;
    GS_PUSH(k->fed, n, k->cap_fed, d);
    GS_PUSH(k->feeds, k->n, k->cap, ((gs_ref_feed){ node, d }));
    return GS_OK;
}

/* All variables as the store has them, as feeds. */
static gs_status feed_variables(work *w, check *k)
{
    gs_status st = GS_OK;

    for (int i = 0; i < w->g->n_vars && st == GS_OK; i++) {
        gs_var *v = w->g->vars[i];
        void *data = gs_try_alloc((size_t)gs_shape_count(v->shape), 4, v->name);

        st = data ? gs_store_read(w->store, gs_store_find(w->store, v->name), data) : GS_ENOMEM;
        if (st == GS_OK) st = add_feed(k, v->initial, data);
        free(data);
    }
    return st;
}

static gs_status feed_inputs(work *w, check *k)
{
    gs_status st = GS_OK;

    for (int i = 0; i < w->g->n_inputs && st == GS_OK; i++) {
        gs_node *n = w->g->inputs[i].node;
        void *data = gs_try_alloc((size_t)gs_shape_count(n->shape), 4, w->g->inputs[i].name);
        char name[64];

        snprintf(name, sizeof name, "in.%s", w->g->inputs[i].name);
        st = data ? gs_plan_fetch(w->plan, name, data) : GS_ENOMEM;
        if (st == GS_OK) st = add_feed(k, n, data);
        free(data);
    }
    return st;
}

/* |a - r| / max(|r|, floor), root mean squares over all elements; infinite where a value is not a number. */
static double distance(const float *a, const double *r, int64_t n, double floor)
{
    double error = 0, size = 0;

    for (int64_t i = 0; i < n; i++) {
        error += ((double)a[i] - r[i]) * ((double)a[i] - r[i]);
        size += r[i] * r[i];
    }
    if (!(error < INFINITY)) return INFINITY;
    size = GS_MAX(sqrt(size / (double)n), floor);
    return size > 0 ? sqrt(error / (double)n) / size : error > 0 ? INFINITY : 0;
}

static double rms(const double *r, int64_t n)
{
    double size = 0;

    for (int64_t i = 0; i < n; i++) size += r[i] * r[i];
    return sqrt(size / (double)n);
}

/* What a variable is to its parameter, as the part of its name before the parameter's ("adam_g.m"), else the
 * last word ("running_mean"). */
static void kind_of(const gs_graph *g, const gs_var *v, char *kind, size_t size)
{
    const size_t n = strlen(v->name);
    const char *dot = strrchr(v->name, '.');

    snprintf(kind, size, "%s", dot ? dot + 1 : v->name);
    for (int i = 0; i < g->n_vars; i++) {
        const size_t len = strlen(g->vars[i]->name);

        if (g->vars[i]->trainable && len + 1 < n && v->name[n - len - 1] == '.' && strcmp(v->name + n - len, g->vars[i]->name) == 0)
            snprintf(kind, size, "%.*s", (int)(n - len - 1), v->name);
    }
}

/* The optimisers' and the statistics' tensors: parameters themselves move by their gradients' signs at first,
 * which tells little. A gradient that is zero but for rounding (of a bias before batch normalisation) is held
 * to the size of the others of its kind. */
static gs_status compare_state(work *w, const gs_ref_result *ref, double *worst, char *where, size_t size)
{
    gs_status st = GS_OK;

    for (int i = 0; i < w->g->n_vars && st == GS_OK; i++) {
        const gs_var *v = w->g->vars[i];
        const int64_t n = gs_shape_count(v->shape);
        char kind[96], other[96];
        double largest = 0, error;
        float *data;

        if (!v->assigned || v->trainable || v->dtype != GS_F32) continue;
        kind_of(w->g, v, kind, sizeof kind);
        for (int k = 0; k < w->g->n_vars; k++) {
            const gs_var *u = w->g->vars[k];

            if (!u->assigned || u->trainable || u->dtype != GS_F32) continue;
            kind_of(w->g, u, other, sizeof other);
            if (strcmp(kind, other) == 0) largest = GS_MAX(largest, rms(ref->value[u->assigned->id], gs_shape_count(u->shape)));
        }
        data = gs_try_alloc((size_t)n, sizeof *data, v->name);
        st = data ? gs_store_read(w->store, gs_store_find(w->store, v->name), data) : GS_ENOMEM;
        if (st == GS_OK && (error = distance(data, ref->value[v->assigned->id], n, SMALL * largest)) > *worst) {
            *worst = error;
            snprintf(where, size, "%s", v->name);
        }
        free(data);
    }
    return st;
}

static gs_node *output_of(const gs_graph *g, const char *name)
{
    for (int i = 0; i < g->n_outputs; i++)
        if (strcmp(g->outputs[i].name, name) == 0) return g->outputs[i].node;
    return NULL;
}

/* One step of a small batch: losses, and what the optimisers and statistics hold afterwards, which all
 * gradients go into. */
static gs_status check_step(gs_device *d, const model *m, int batch, cJSON *o, bool *right)
{
    work w = { 0 };
    check k = { 0 };
    gs_ref_result ref = { 0 };
    gs_node **want = NULL, *metrics;
    float got[GS_MAX_METRICS];
    double error_metrics, error_state = 0;
    char where[120] = "";
    int n_want = 0;
    gs_status st = GS_OK;

    TRY(open_work(d, m, batch, true, &w));
    metrics = output_of(w.g, "metrics");
    if (!metrics || gs_shape_count(metrics->shape) > GS_MAX_METRICS) TRY(gs_fail(GS_EINVAL, "%s: the step has no output \"metrics\"", m->id));
    TRY(feed_variables(&w, &k));
    TRY(one_step(&w));
    TRY(gs_plan_fetch(w.plan, "metrics", got));
    TRY(feed_inputs(&w, &k));
    want = gs_xalloc((size_t)(w.g->n_vars + 1) * sizeof *want);
    want[n_want++] = metrics;
    for (int i = 0; i < w.g->n_vars; i++)
        if (w.g->vars[i]->assigned) want[n_want++] = w.g->vars[i]->assigned;
    TRY(gs_ref_eval(w.g, want, n_want, k.feeds, k.n, SEED, 0, &ref));
    error_metrics = distance(got, ref.value[metrics->id], gs_shape_count(metrics->shape), 0);
    TRY(compare_state(&w, &ref, &error_state, where, sizeof where));
    *right = error_metrics <= LIMIT_METRICS && error_state <= LIMIT_STATE;
    o = cJSON_AddObjectToObject(o, "check");
    cJSON_AddNumberToObject(o, "batch", batch);
    cJSON_AddNumberToObject(o, "error_metrics", isfinite(error_metrics) ? error_metrics : 1e300);
    cJSON_AddNumberToObject(o, "limit_metrics", LIMIT_METRICS);
    cJSON_AddNumberToObject(o, "error_state", isfinite(error_state) ? error_state : 1e300);
    cJSON_AddNumberToObject(o, "limit_state", LIMIT_STATE);
    cJSON_AddStringToObject(o, "worst", where);
done:
    gs_ref_free(&ref);
    for (int i = 0; i < k.n; i++) free(k.fed[i]);
    free(k.fed);
    free(k.feeds);
    free(want);
    release(&w);
    return st;
}

/* ---- one model ---- */

/* The losses of the first steps from the seed. */
static gs_status first_steps(work *w, gs__digest *dg)
{
    float metrics[GS_MAX_METRICS];
    gs_status st = GS_OK;

    gs__digest_begin(dg);
    for (int i = 0; i < DIGEST_STEPS; i++) {
        TRY(one_step(w));
        TRY(gs_plan_fetch(w->plan, "metrics", metrics));
        gs__digest_add(dg, metrics, w->setup->system->n_metrics);
    }
done:
    return st;
}

static gs_status measure_model(gs__bench *b, const model *m, double seconds, cJSON *o)
{
    work w = { 0 };
    gs_device *d = NULL;
    gs_setup_memory need;
    gs_plan_stats plan;
    gs__digest dg;
    gs__stat t;
    char hash[24];
    double host;
    bool right = true, checked = false;
    int batch;
    gs_status st = GS_OK;

    TRY(gs_device_open(b->o->device, &d));
    TRY(open_work(d, m, 0, false, &w));
    hash_of(w.setup, hash);
    plan = gs_plan_get_stats(w.plan);
    cJSON_AddStringToObject(o, "system", w.setup->system->name);
    if (*m->profile) cJSON_AddStringToObject(o, "profile", m->profile);
    cJSON_AddStringToObject(o, "hash", hash);
    cJSON_AddNumberToObject(o, "batch", w.batch);
    TRY(first_steps(&w, &dg));
    TRY(gs__measure(d, 0.7 * seconds, one_step, &w, &t));
    TRY(host_part(&w, t.median, &host));
    gs__stat_json(o, &t);
    cJSON_AddNumberToObject(o, "images_per_second", w.batch / t.median);
    cJSON_AddNumberToObject(o, "host_seconds", host);
    cJSON_AddNumberToObject(o, "flops", plan.flops);
    cJSON_AddNumberToObject(o, "gflops", plan.flops * 1e-9 / t.median);
    if (b->gflops > 0) cJSON_AddNumberToObject(o, "share", plan.flops * 1e-9 / t.median / b->gflops);
    cJSON_AddNumberToObject(o, "launches", plan.launches);
    cJSON_AddNumberToObject(o, "bytes_predicted", (double)(plan.state_bytes + plan.workspace_bytes + plan.constant_bytes));
    cJSON_AddNumberToObject(o, "bytes_allocated", (double)d->peak);
    TRY(gs_setup_fits(w.setup, d, &need)); /* with the sampler */
    cJSON_AddNumberToObject(o, "bytes_run", (double)(need.state + need.workspace + need.constants));
    /* small enough for the reference, and not so small that batch normalisation has nothing to normalise */
    batch = GS_MIN(8, w.batch);
    if (plan.flops / w.batch * batch > CHECK_FLOPS) batch = GS_MIN(2, w.batch);
    if (plan.flops / w.batch * batch <= 4 * CHECK_FLOPS) {
        TRY(check_step(d, m, batch, o, &right));
        checked = true;
    }
    dg.checked = checked;
    dg.error = right ? 0 : 1; /* figures stand in "check" */
    dg.limit = 0.5;
    dg.coverage = 1;
    gs__digest_json(o, &dg);
done:
    release(&w);
    gs_device_close(d);
    return st;
}

static void measure_start(gs__bench *b, const model *m, double seconds, cJSON *o)
{
    gs__starts s;

    gs__bench_say(b, "start of %s", m->id);
    if (gs__measure_starts(b->o->program, b->o->device, m->system ? m->id : m->path, seconds, &s) != GS_OK) {
        cJSON_AddStringToObject(o, "start_failed", gs_last_error());
        return;
    }
    if (s.cold > 0) cJSON_AddNumberToObject(o, "cold_start", s.cold);
    if (s.warm > 0) {
        cJSON_AddNumberToObject(o, "warm_start", s.warm);
        cJSON_AddNumberToObject(o, "warm_start_mad", s.warm_mad);
        cJSON_AddNumberToObject(o, "warm_start_samples", s.warm_samples);
    }
}

void gs__bench_config_id(const char *path, char id[64])
{
    const char *slash = strrchr(path, '/');

    snprintf(id, 64, "config/%.50s", slash ? slash + 1 : path);
}

gs_status gs__bench_models(gs__bench *b, double until)
{
    model *list = gs_xalloc(MAX_MODELS * sizeof *list);
    cJSON *rows = cJSON_AddArrayToObject(b->json, "models");
    const int n_configs = b->o->n_configs, total = n_configs ? n_configs : all_models(list);
    const double for_steps = gs_now() + (b->o->program ? 0.6 : 1.0) * (until - gs_now());
    double last = 0; /* seconds that the model before took, its kernels' building included */
    int n = 0;

    for (int i = 0; i < total; i++) {
        if (n_configs) {
            list[i] = (model){ .path = b->o->configs[i] };
            gs__bench_config_id(list[i].path, list[i].id);
        }
        if (n_configs || gs__bench_wanted(b->o->only, list[i].id)) list[n++] = list[i];
    }
    for (int i = 0; i < n; i++) {
        const double now = gs_now(), left = for_steps - now;
        cJSON *o;

        if (left <= 0.5 * last && i > 0) { /* one at least is measured */
            gs__bench_skip(b, list[i].id, "no time left: --seconds");
            continue;
        }
        gs__bench_say(b, "model %d of %d, %s", i + 1, n, list[i].id);
        o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "id", list[i].id);
        if (measure_model(b, &list[i], left / (n - i), o) != GS_OK) cJSON_AddStringToObject(o, "failed", gs_last_error());
        cJSON_AddItemToArray(rows, o);
        last = gs_now() - now;
    }
    for (int i = 0; i < n && b->o->program; i++) {
        cJSON *o, *row = NULL;
        const double left = until - gs_now();

        cJSON_ArrayForEach(o, rows)
            if (strcmp(cJSON_GetObjectItemCaseSensitive(o, "id")->valuestring, list[i].id) == 0) row = o;
        if (!row || cJSON_HasObjectItem(row, "failed")) continue;
        if (left > 0 || i == 0) measure_start(b, &list[i], left / (n - i), row); /* one at least is measured */
        else cJSON_AddStringToObject(row, "start_failed", "no time left: --seconds");
    }
    free(list);
    return GS_OK;
}

/* ---- steps for others to time ---- */

struct gs__steps {
    model m;
    work w;
};

gs_status gs__steps_open(gs_device *d, const char *name, gs__steps **out)
{
    model all[MAX_MODELS];
    const int n = all_models(all);
    gs__steps *s = gs_xalloc(sizeof *s);
    gs_status st;

    *s = (gs__steps){ .m = { .path = name } };
    snprintf(s->m.id, sizeof s->m.id, "%.60s", name);
    for (int i = 0; i < n; i++)
        if (strcmp(all[i].id, name) == 0) s->m = all[i];
    st = open_work(d, &s->m, 0, false, &s->w);
    if (st != GS_OK) {
        gs__steps_close(s);
        s = NULL;
    }
    *out = s;
    return st;
}

void gs__steps_close(gs__steps *s)
{
    if (s) release(&s->w);
    free(s);
}

gs_status gs__steps_run(void *steps) { return one_step(&((gs__steps *)steps)->w); }
int gs__steps_batch(const gs__steps *s) { return s->w.batch; }
gs_plan *gs__steps_plan(const gs__steps *s) { return s->w.plan; }

gs_status gs_bench_first_step(const char *device, const char *name, FILE *out)
{
    float metrics[GS_MAX_METRICS];
    gs__steps *s = NULL;
    gs_device *d = NULL;
    gs_status st = GS_OK;

    TRY(gs_device_open(device, &d));
    TRY(gs__steps_open(d, name, &s));
    TRY(gs__steps_run(s));
    TRY(gs_plan_fetch(gs__steps_plan(s), "metrics", metrics));
    fprintf(out, GS_BENCH_FIRST_STEP "\n");
    fflush(out);
done:
    gs__steps_close(s);
    gs_device_close(d);
    return st;
}
