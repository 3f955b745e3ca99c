/* One measurement of a device: what is measured, in which order and time, and the head of the result. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "bench/bench_int.h"
#include "device/tuning.h"

#define DEFAULT_SECONDS 300.0

void gs__bench_say(const gs__bench *b, const char *fmt, ...)
{
    char text[200];
    va_list ap;

    if (!b->o->progress) return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    b->o->progress(b->o->user, text);
}

bool gs__bench_wanted(const char *only, const char *id)
{
    char pattern[200];

    for (const char *p = only; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        snprintf(pattern, sizeof pattern, "%.*s", (int)strcspn(p, ","), p);
        if (fnmatch(pattern, id, 0) == 0) return true;
    }
    return !only;
}

void gs__bench_skip(gs__bench *b, const char *id, const char *why)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "id", id);
    cJSON_AddStringToObject(o, "why", why);
    cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(b->json, "skipped"), o);
}

/* ---- the head ---- */

/* The processor's name, as Linux tells it. */
static void cpu_name(char *out, size_t size)
{
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[256];

    snprintf(out, size, "unknown");
    while (f && fgets(line, sizeof line, f)) {
        const char *colon = strchr(line, ':');

        if (strncmp(line, "model name", 10) != 0 || !colon) continue;
        snprintf(out, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    if (f) fclose(f);
}

static void host_json(cJSON *head)
{
    cJSON *o = cJSON_AddObjectToObject(head, "host");
    struct utsname u = { 0 };
    char cpu[128], text[512];

    uname(&u);
    cpu_name(cpu, sizeof cpu);
    cJSON_AddStringToObject(o, "name", u.nodename);
    cJSON_AddStringToObject(o, "cpu", cpu);
    cJSON_AddNumberToObject(o, "cores", gs_cores());
    snprintf(text, sizeof text, "%s %s %s", u.sysname, u.release, u.machine);
    cJSON_AddStringToObject(o, "system", text);
}

static void device_json(cJSON *head, const gs_device_info *i)
{
    static const char *const kinds[] = { [GS_CPU] = "CPU", [GS_GPU] = "GPU", [GS_ACCELERATOR] = "accelerator", [GS_NULL] = "null" };
    cJSON *o = cJSON_AddObjectToObject(head, "device");

    cJSON_AddStringToObject(o, "id", i->id);
    cJSON_AddStringToObject(o, "name", i->name);
    cJSON_AddStringToObject(o, "kind", kinds[i->kind]);
    cJSON_AddStringToObject(o, "vendor", i->vendor);
    cJSON_AddStringToObject(o, "platform", i->platform);
    cJSON_AddStringToObject(o, "driver", i->driver);
    cJSON_AddStringToObject(o, "version", i->version);
    cJSON_AddStringToObject(o, "form", gs__cpu_forms(i) ? "cpu" : "gpu");
    cJSON_AddNumberToObject(o, "compute_units", i->compute_units);
    cJSON_AddNumberToObject(o, "clock_mhz", i->clock_mhz);
    cJSON_AddNumberToObject(o, "memory", (double)i->memory);
}

/* What was found out about the device and decides how rows are computed; nothing for a device as it comes. */
static void tuning_json(gs_device *d, cJSON *env)
{
    const gs_verdict_entry *v;
    int choices = 0, wrong = 0;
    char text[80];

    while (gs_tuning_choice_at(d, choices)) choices++;
    for (int i = 0; (v = gs_tuning_verdict_at(d, i)); i++) wrong += v->verdict == GS_WRONG;
    snprintf(text, sizeof text, "%d classes of shapes, %d variants not used", choices, wrong);
    if (choices || wrong) cJSON_AddStringToObject(env, "tuned", text);
}

/* What changes the meaning of rows: the cases' definitions, and the switches of the environment. */
static void config_json(gs_device *d, cJSON *head)
{
    static const char *const switches[] = { "GESSO_GEMM", "GESSO_CONV", "GESSO_FORMS", "GESSO_OFF", "GESSO_ON", "GESSO_KERNELS",
                                            "GESSO_CUDA_TF32", "GESSO_CUDA_FMAD" };
    cJSON *env = cJSON_AddObjectToObject(head, "environment");
    int n;
    gs__case *cases = gs__cases(&n);
    uint64_t hash = GS_BENCH_VERSION;
    char text[24];

    for (int i = 0; i < n; i++) {
        gs__case_hash(&cases[i], text);
        hash = gs_hash64(text, strlen(text), hash);
    }
    for (size_t i = 0; i < GS_COUNT(switches); i++) {
        const char *value = getenv(switches[i]);

        if (!value || !*value) continue;
        cJSON_AddStringToObject(env, switches[i], value);
        hash = gs_hash64(value, strlen(value), gs_hash64(switches[i], strlen(switches[i]), hash));
    }
    tuning_json(d, env);
    snprintf(text, sizeof text, "%016llx", (unsigned long long)hash);
    cJSON_AddStringToObject(head, "config_hash", text);
    free(cases);
}

static void head_json(gs__bench *b)
{
    cJSON *o = b->json;
    char date[32];
    const time_t now = time(NULL);
    struct tm tm;

    cJSON_AddStringToObject(o, "schema", GS_BENCH_SCHEMA);
    cJSON_AddNumberToObject(o, "version", GS_BENCH_VERSION);
    cJSON_AddStringToObject(o, "gesso", GS_VERSION);
    gmtime_r(&now, &tm);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &tm);
    cJSON_AddStringToObject(o, "date", date);
    host_json(o);
    device_json(o, gs_device_get_info(b->d));
    config_json(b->d, o);
}

/* ---- the run ---- */

/* A pattern that matches nothing is a typing error. */
static gs_status check_pattern(const gs_bench_opts *o)
{
    cJSON *list = gs_bench_list(o->only);
    const int n = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(list, "cases")) +
                  cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(list, "models"));

    cJSON_Delete(list);
    return n > 0 ? GS_OK : gs_fail(GS_EUSAGE, "bench: no case is called \"%.80s\"; --list shows all", o->only);
}

/* Rows of a result are told apart by their ids, and those of configurations come from the files' names. */
static gs_status check_configs(const gs_bench_opts *o)
{
    char a[64], b[64];

    if (o->n_configs > GS__BENCH_MODELS)
        return gs_fail(GS_EUSAGE, "bench: %d configurations: at most %d at a time", o->n_configs, GS__BENCH_MODELS);
    for (int i = 0; i < o->n_configs; i++)
        for (int k = 0; k < i; k++) {
            gs__bench_config_id(o->configs[i], a);
            gs__bench_config_id(o->configs[k], b);
            if (strcmp(a, b) == 0)
                return gs_fail(GS_EUSAGE, "bench: %s and %s would both be %s in the result: measure one, or give it another name",
                               o->configs[k], o->configs[i], a);
        }
    return GS_OK;
}

cJSON *gs_bench_list(const char *only)
{
    cJSON *o = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(o, "cases");
    int n;
    gs__case *cases = gs__cases(&n);

    for (int i = 0; i < n; i++) {
        cJSON *e;

        if (!gs__bench_wanted(only, cases[i].id)) continue;
        e = cJSON_CreateObject();
        gs__case_json(&cases[i], e);
        cJSON_AddItemToArray(list, e);
    }
    gs__models_json(cJSON_AddArrayToObject(o, "models"), only);
    free(cases);
    return o;
}

gs_status gs_bench_run(const gs_bench_opts *o, cJSON **out)
{
    const bool all = !o->peaks && !o->ops && !o->models;
    const bool peaks = o->peaks || (all && !o->only), ops = o->ops || all, models = o->models || all;
    const double seconds = o->seconds > 0 ? o->seconds : DEFAULT_SECONDS;
    gs__bench b = { .o = o, .json = cJSON_CreateObject() };
    gs_status st = GS_OK;

    if (o->only) TRY(check_pattern(o));
    TRY(check_configs(o));
    TRY(gs_device_open(o->device, &b.d));
    if (gs_device_get_info(b.d)->kind == GS_NULL) {
        TRY(gs_fail(GS_EDEVICE, "bench: device %s computes nothing, so there is nothing to measure", gs_device_get_info(b.d)->id));
    }
    b.start = gs_now();
    b.deadline = b.start + seconds;
    head_json(&b);
    cJSON_AddArrayToObject(b.json, "skipped");
    if (peaks || ops) TRY(gs__bench_peaks(&b, seconds * (peaks && (ops || models) ? 0.12 : peaks ? 1 : 0.06), !peaks));
    if (ops) TRY(gs__bench_ops(&b, models ? b.start + 0.7 * seconds : b.deadline));
    gs_device_close(b.d); /* each model is measured on a device of its own */
    b.d = NULL;
    if (models) TRY(gs__bench_models(&b, b.deadline));
    cJSON_AddNumberToObject(b.json, "seconds_spent", gs_now() - b.start);
    *out = b.json;
    b.json = NULL;
done:
    gs_device_close(b.d);
    cJSON_Delete(b.json);
    if (st != GS_OK) *out = NULL;
    return st;
}
