/* Training steps: every profile of every system, or the configurations that were named. Time of a step as training does it (steps.c), memory as planned
 * and as allocated, starts, and one step of a small batch against the double-precision reference (step_check.c). */
#include <stdlib.h>
#include <string.h>

#include "bench/models_int.h"

enum { MAX_MODELS = GS__BENCH_MODELS, DIGEST_STEPS = 3, HOST_SAMPLES = 7 };
#define CHECK_FLOPS 2e9 /* the reference does some 3e8 a second */

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
static int all_models(gs__model *list)
{
    int n = 0;

    for (int i = 0; gs_systems[i]; i++) {
        const gs_system *s = gs_systems[i];
        const gs_config_row *profile = find_row(s, "model", "profile");
        const char *p = profile && profile->choices ? profile->choices : "";

        do {
            const int len = (int)strcspn(p, " ");
            gs__model *m = &list[n];

            if (n == MAX_MODELS) return n;
            *m = (gs__model){ .system = s };
            snprintf(m->profile, sizeof m->profile, "%.*s", len, p);
            snprintf(m->id, sizeof m->id, "%s%s%.31s", s->name, len ? "/" : "", m->profile);
            n++;
            p += len;
            p += *p == ' ';
        } while (*p);
    }
    return n;
}

void gs__model_find(const char *name, gs__model *m)
{
    gs__model all[MAX_MODELS];
    const int n = all_models(all);

    *m = (gs__model){ .path = name };
    snprintf(m->id, sizeof m->id, "%.60s", name);
    for (int i = 0; i < n; i++)
        if (strcmp(all[i].id, name) == 0) *m = all[i];
}

void gs__models_json(cJSON *list, const char *only)
{
    gs__model all[MAX_MODELS];
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

gs_status gs__model_setup(const gs__model *m, int batch, gs_setup **out)
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
    gs__model all[MAX_MODELS];
    const int n = all_models(all);
    gs_status st = GS_OK;

    for (int i = 0; i < n && st == GS_OK; i++) {
        gs_setup *s = NULL;

        st = gs__model_setup(&all[i], 0, &s);
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

/* ---- one model ---- */

/* What the host does of a step: feeding and enqueueing with an idle device. A step of `step` seconds decides
 * on the number of samples. */
static gs_status host_part(gs__work *w, double step, double *seconds)
{
    const int n = step > 0.5 ? 1 : HOST_SAMPLES;
    double v[HOST_SAMPLES];
    gs_status st = GS_OK;

    for (int i = 0; i < n; i++) {
        const double start = gs_now();

        TRY(gs__work_step(w));
        v[i] = gs_now() - start;
        TRY(w->d->drv->finish(w->d));
    }
    *seconds = gs__median(v, n);
done:
    return st;
}

/* The losses of the first steps from the seed. */
static gs_status first_steps(gs__work *w, gs__digest *dg)
{
    float metrics[GS_MAX_METRICS];
    gs_status st = GS_OK;

    gs__digest_begin(dg);
    for (int i = 0; i < DIGEST_STEPS; i++) {
        TRY(gs__work_step(w));
        TRY(gs_plan_fetch(w->plan, "metrics", metrics));
        gs__digest_add(dg, metrics, w->setup->system->n_metrics);
    }
done:
    return st;
}

static gs_status measure_model(gs__bench *b, const gs__model *m, double seconds, cJSON *o)
{
    gs__work w = { 0 };
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
    TRY(gs__work_open(d, m, 0, false, &w));
    hash_of(w.setup, hash);
    plan = gs_plan_get_stats(w.plan);
    cJSON_AddStringToObject(o, "system", w.setup->system->name);
    if (*m->profile) cJSON_AddStringToObject(o, "profile", m->profile);
    cJSON_AddStringToObject(o, "hash", hash);
    cJSON_AddNumberToObject(o, "batch", w.batch);
    TRY(first_steps(&w, &dg));
    TRY(gs__measure(d, 0.7 * seconds, gs__work_step, &w, &t));
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
        TRY(gs__step_check(d, m, batch, o, &right));
        checked = true;
    }
    dg.checked = checked;
    dg.error = right ? 0 : 1; /* figures stand in "check" */
    dg.limit = 0.5;
    dg.coverage = 1;
    gs__digest_json(o, &dg);
done:
    gs__work_free(&w);
    gs_device_close(d);
    return st;
}

static void measure_start(gs__bench *b, const gs__model *m, double seconds, cJSON *o)
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
    gs__model *list = gs_xalloc(MAX_MODELS * sizeof *list);
    cJSON *rows = cJSON_AddArrayToObject(b->json, "models");
    const int n_configs = b->o->n_configs, total = n_configs ? n_configs : all_models(list);
    const double for_steps = gs_now() + (b->o->program ? 0.6 : 1.0) * (until - gs_now());
    double last = 0; /* seconds that the model before took, its kernels' building included */
    int n = 0;

    for (int i = 0; i < total; i++) {
        if (n_configs) {
            list[i] = (gs__model){ .path = b->o->configs[i] };
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
