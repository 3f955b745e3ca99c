/* What a device can do at most: multiply-adds, bandwidth (triad), the cost of a launch, transfers. Each with
 * a check that the work was done.
 *
 * Multiply-adds and triad are tried in several forms, for CPUs and for GPUs, since no one form suits all; the
 * best one of each kind is the row, and the best of both is the peak that shares are computed from. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench_int.h"

enum { FMA_STEPS = 8, GROUP = 256 };

typedef struct launch { /* one kernel with its buffers, run as it stands */
    gs_device *d;
    gs_kernel *k;
    size_t groups[3], local[3];
} launch;

static gs_status run_launch(void *user)
{
    launch *l = user;

    return l->d->drv->launch(l->d, l->k, l->groups, l->local, NULL);
}

/* (pointer, offset 0) as arguments i and i+1. */
static gs_status arg_pair(gs_device *d, gs_kernel *k, int i, gs_buffer *b)
{
    const uint64_t zero = 0;
    const gs_status st = d->drv->arg_buffer(k, i, b);

    return st == GS_OK ? d->drv->arg_value(k, i + 1, sizeof zero, &zero) : st;
}

typedef struct row { /* of the result */
    const char *id, *unit;
    char form[64];
    double value, mad, seconds; /* in the unit, in the unit, of one run */
    int samples;
    bool right;
} row;

static void add_row(gs__bench *b, const row *r)
{
    cJSON *list = cJSON_GetObjectItemCaseSensitive(b->json, "peaks"), *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "id", r->id);
    cJSON_AddStringToObject(o, "form", r->form);
    cJSON_AddStringToObject(o, "unit", r->unit);
    cJSON_AddNumberToObject(o, "value", r->value);
    cJSON_AddNumberToObject(o, "mad", r->mad);
    cJSON_AddNumberToObject(o, "seconds", r->seconds);
    cJSON_AddNumberToObject(o, "samples", r->samples);
    cJSON_AddBoolToObject(o, "right", r->right);
    cJSON_AddItemToArray(list, o);
}

/* A rate of `work` a run from its times: the spread in first order. */
static void rate(row *r, double work, const gs__stat *s)
{
    r->value = work / s->median;
    r->mad = r->value * s->mad / s->median;
    r->seconds = s->median;
    r->samples = s->samples;
}

/* ---- multiply-adds ---- */

/* One form: `vector` floats an item, `chains` of them, by fma() or by * and +; keeps it in *best when it is faster. */
static gs_status fma_form(gs__bench *b, const char *file, const char *name, int vector, int chains, bool fused, double seconds, row *best)
{
    gs_device *d = b->d;
    const bool cpu = vector > 1;
    const size_t items = cpu ? 1 : GS_MIN((size_t)GROUP, d->info.max_group);
    const size_t groups = (size_t)GS_MAX(d->info.compute_units, 1) * (cpu ? 4 : 32), n = groups * items * (size_t)vector;
    const float one = 1.0f;
    /* llvmpipe ends loops after some 65,000 turns, and sums beyond 2^24 are no longer exact */
    const int32_t most_rounds = cpu ? 1 << 16 : 1 << 12;
    float *got = gs_xalloc(n * sizeof *got);
    launch l = { .d = d, .groups = { groups, 1, 1 }, .local = { items, 1, 1 } };
    int32_t rounds = 4;
    gs_buffer *out = NULL;
    gs_program *p;
    gs__stat s;
    char options[32];
    bool right = true;
    double t;
    gs_status st = GS_OK;

    snprintf(options, sizeof options, "-DCHAINS=%d%s", chains, fused ? "" : " -DFUSED=0");
    TRY(gs_program_get(d, file, options, &p));
    TRY(d->drv->kernel(d, p, name, &l.k));
    TRY(d->drv->alloc(d, n * sizeof *got, &out));
    TRY(arg_pair(d, l.k, 0, out));
    TRY(d->drv->arg_value(l.k, 2, sizeof one, &one));
    TRY(d->drv->arg_value(l.k, 3, sizeof one, &one));
    for (;;) { /* long enough that the launch itself does not count */
        TRY(d->drv->arg_value(l.k, 4, sizeof rounds, &rounds));
        TRY(run_launch(&l));
        TRY(d->drv->finish(d));
        t = gs_now();
        TRY(run_launch(&l));
        TRY(d->drv->finish(d));
        t = gs_now() - t;
        if (t > 0.005 || rounds == most_rounds) break;
        rounds *= 4;
    }
    TRY(gs__measure(d, seconds, run_launch, &l, &s));
    TRY(d->drv->read(d, out, 0, got, n * sizeof *got));
    for (size_t i = 0; i < n; i++) {
        double sum = (double)chains * FMA_STEPS * rounds;

        for (int c = 0; c < chains; c++) sum += ((int)i / vector + c) & 15;
        right = right && (double)got[i] == sum;
    }
    {
        const double work = 2e-9 * FMA_STEPS * (double)rounds * chains * (double)n;

        if (best->samples == 0 || work / s.median > best->value) {
            rate(best, work, &s);
            best->right = right;
            snprintf(best->form, sizeof best->form, "%d chains of float%s%s", chains, cpu ? "16, an item a group" : "", fused ? "" : ", * and +");
        }
    }
done:
    d->drv->free_kernel(d, l.k);
    if (out) d->drv->free(d, out);
    free(got);
    return st;
}

static gs_status fma_peak(gs__bench *b, double seconds, bool brief)
{
    static const int cpu_chains[] = { 12, 8, 4 }, gpu_chains[] = { 8, 4, 16 };
    const bool cpu = gs__cpu_forms(&b->d->info);
    gs_status st = GS_OK;

    if (cpu) {
        row best = { .id = "fma/cpu", .unit = "GFLOP/s" };

        for (size_t i = 0; i < GS_COUNT(cpu_chains); i++) TRY(fma_form(b, "peaks_cpu.cl", "peak_fma_cpu", 16, cpu_chains[i], true, seconds / 7, &best));
        add_row(b, &best);
        b->gflops = GS_MAX(b->gflops, best.value);
    }
    if (!cpu || !brief) {
        row best = { .id = "fma/gpu", .unit = "GFLOP/s" };

        for (size_t i = 0; i < GS_COUNT(gpu_chains); i++) TRY(fma_form(b, "peaks.cl", "peak_fma", 1, gpu_chains[i], true, seconds / 7, &best));
        TRY(fma_form(b, "peaks.cl", "peak_fma", 1, gpu_chains[0], false, seconds / 7, &best));
        add_row(b, &best);
        b->gflops = GS_MAX(b->gflops, best.value);
    }
done:
    return st;
}

/* ---- bandwidth ---- */

enum { TRIAD_EACH_CPU = 1024 };

/* Floats an array: well beyond the caches, and little enough for the device. */
static size_t triad_count(const gs_device_info *i)
{
    const size_t want = (size_t)(i->kind == GS_CPU ? 128 : 256) << 20, most = GS_MIN(i->max_alloc, i->memory / 8);
    size_t bytes = (size_t)1 << 20;

    while (2 * bytes <= GS_MIN(want, most)) bytes *= 2;
    return bytes / 4;
}

/* Every element of x against y + a z, in pieces. */
static gs_status triad_right(gs_device *d, gs_buffer *x, size_t n, const float *y, const float *z, size_t piece, float a, bool *right)
{
    float *got = gs_xalloc(piece * sizeof *got);
    gs_status st = GS_OK;

    *right = true;
    for (size_t at = 0; at < n; at += piece) {
        TRY(d->drv->read(d, x, at * sizeof *got, got, piece * sizeof *got));
        for (size_t i = 0; i < piece; i++) *right = *right && fabsf(got[i] - (y[i] + a * z[i])) < 1e-6f;
    }
done:
    free(got);
    return st;
}

static gs_status triad_form(gs__bench *b, bool cpu, int each, size_t items, gs_buffer *const buf[3], size_t n, double seconds, row *best)
{
    gs_device *d = b->d;
    const float a = 3.0f;
    const size_t a_group = (size_t)each * (cpu ? 16 : items);
    launch l = { .d = d, .groups = { n / a_group, 1, 1 }, .local = { cpu ? 1 : items, 1, 1 } };
    char options[48];
    gs_program *p;
    gs__stat s;
    gs_status st = GS_OK;

    snprintf(options, sizeof options, "-DEACH=%d -DWG=%zu", each, items);
    TRY(gs_program_get(d, cpu ? "peaks_cpu.cl" : "peaks.cl", options, &p));
    TRY(d->drv->kernel(d, p, cpu ? "peak_triad_cpu" : "peak_triad", &l.k));
    for (int i = 0; i < 3; i++) TRY(arg_pair(d, l.k, 2 * i, buf[i]));
    TRY(d->drv->arg_value(l.k, 6, sizeof a, &a));
    TRY(gs__measure(d, seconds, run_launch, &l, &s));
    if (best->samples == 0 || 12e-9 * (double)n / s.median > best->value) {
        rate(best, 12e-9 * (double)n, &s);
        if (cpu) snprintf(best->form, sizeof best->form, "float16, an item a group, arrays of %zu MiB", n >> 18);
        else snprintf(best->form, sizeof best->form, "float, groups of %zu, arrays of %zu MiB", items, n >> 18);
    }
done:
    d->drv->free_kernel(d, l.k);
    return st;
}

static gs_status triad_kind(gs__bench *b, bool cpu, gs_buffer *const buf[3], size_t n, const float *y, const float *z, size_t piece, double seconds)
{
    static const int cpu_each[] = { 256, TRIAD_EACH_CPU }, gpu_each[] = { 1, 4 };
    row best = { .id = cpu ? "triad/cpu" : "triad/gpu", .unit = "GB/s" };
    gs_status st = GS_OK;

    TRY(b->d->drv->fill(b->d, buf[0], 0, 0, n * sizeof(float)));
    for (int i = 0; i < 2; i++) {
        TRY(triad_form(b, cpu, cpu ? cpu_each[i] : gpu_each[i], GS_MIN((size_t)GROUP, b->d->info.max_group), buf, n, seconds / 2, &best));
    }
    TRY(triad_right(b->d, buf[0], n, y, z, piece, 3.0f, &best.right));
    add_row(b, &best);
    b->gbs = GS_MAX(b->gbs, best.value);
done:
    return st;
}

/* ---- transfers ---- */

typedef struct transfer {
    gs_device *d;
    gs_buffer *buf, *other;
    float *host;
    size_t bytes;
} transfer;

static gs_status to_device(void *user)
{
    transfer *t = user;

    return t->d->drv->write(t->d, t->buf, 0, t->host, t->bytes);
}

static gs_status from_device(void *user)
{
    transfer *t = user;

    return t->d->drv->read(t->d, t->buf, 0, t->host, t->bytes);
}

static gs_status on_device(void *user)
{
    transfer *t = user;

    return t->d->drv->copy(t->d, t->other, 0, t->buf, 0, t->bytes);
}

/* From ordinary host memory, as a step's inputs come, and back. */
static gs_status transfers(gs__bench *b, gs_buffer *buf, gs_buffer *other, size_t bytes, double seconds)
{
    static const struct { const char *id; gs__run_fn *run; } kinds[] = {
        { "transfer/to_device", to_device }, { "transfer/from_device", from_device }, { "transfer/on_device", on_device },
    };
    const size_t n = bytes / sizeof(float);
    transfer t = { b->d, buf, other, gs_xalloc(bytes), bytes };
    gs_status st = GS_OK;

    for (size_t k = 0; k < GS_COUNT(kinds); k++) {
        row r = { .id = kinds[k].id, .unit = "GB/s", .right = true };
        gs__stat s;

        gs__test_fill(kinds[0].id, (int64_t)n, t.host);
        if (k > 0) TRY(to_device(&t));
        if (k == 1) memset(t.host, 0, bytes);
        TRY(gs__measure(b->d, seconds / 3, kinds[k].run, &t, &s));
        rate(&r, 1e-9 * (double)bytes, &s);
        snprintf(r.form, sizeof r.form, "%zu MiB%s", bytes >> 20, k < 2 ? ", host memory as it comes" : ", bytes written");
        if (k != 1) { /* what arrived */
            memset(t.host, 0, bytes);
            TRY(b->d->drv->read(b->d, k == 2 ? other : buf, 0, t.host, bytes));
        }
        for (size_t i = 0; i < n; i += 997) r.right = r.right && t.host[i] == gs__test_value(kinds[0].id, (int64_t)i);
        add_row(b, &r);
    }
done:
    free(t.host);
    return st;
}

/* ---- launches ---- */

enum { QUEUE = 200 };

static gs_status queue_of_launches(void *user)
{
    gs_status st = GS_OK;

    for (int i = 0; i < QUEUE && st == GS_OK; i++) st = run_launch(user);
    return st;
}

static gs_status launch_and_wait(void *user)
{
    launch *l = user;
    const gs_status st = run_launch(l);

    return st == GS_OK ? l->d->drv->finish(l->d) : st;
}

static gs_status launches(gs__bench *b, double seconds)
{
    gs_device *d = b->d;
    launch l = { .d = d, .groups = { 1, 1, 1 }, .local = { 1, 1, 1 } };
    gs_buffer *out = NULL;
    gs_program *p;
    float before, after;
    gs_status st = GS_OK;

    TRY(gs_program_get(d, "peaks.cl", "", &p));
    TRY(d->drv->kernel(d, p, "peak_launch", &l.k));
    TRY(d->drv->alloc(d, GS_ALIGN, &out));
    TRY(arg_pair(d, l.k, 0, out));
    TRY(d->drv->fill(d, out, 0, 0, GS_ALIGN));
    for (int wait = 0; wait < 2; wait++) {
        row r = { .id = wait ? "launch/finish" : "launch/pipelined", .unit = "us" };
        gs__stat s;

        TRY(gs__measure(d, seconds / 2, wait ? launch_and_wait : queue_of_launches, &l, &s));
        r.value = 1e6 * s.median / (wait ? 1 : QUEUE);
        r.mad = 1e6 * s.mad / (wait ? 1 : QUEUE);
        r.seconds = s.median;
        r.samples = s.samples;
        snprintf(r.form, sizeof r.form, wait ? "one item, waited for" : "%d of one item in a queue", QUEUE);
        TRY(d->drv->read(d, out, 0, &before, sizeof before));
        TRY(queue_of_launches(&l)); /* each adds one: none may be lost */
        TRY(d->drv->read(d, out, 0, &after, sizeof after));
        r.right = before >= 16777216.0f || after == before + QUEUE; /* beyond 2^24 a float no longer counts */
        add_row(b, &r);
        TRY(d->drv->fill(d, out, 0, 0, GS_ALIGN));
    }
done:
    d->drv->free_kernel(d, l.k);
    if (out) d->drv->free(d, out);
    return st;
}

/* ---- all ---- */

static gs_status memory_peaks(gs__bench *b, double seconds, bool brief)
{
    gs_device *d = b->d;
    const size_t n = triad_count(&d->info), piece = GS_MIN(n, (size_t)1 << 18);
    const bool cpu = gs__cpu_forms(&d->info);
    float *y = gs_xalloc(piece * sizeof *y), *z = gs_xalloc(piece * sizeof *z);
    gs_buffer *buf[3] = { NULL, NULL, NULL };
    gs_status st = GS_OK;

    gs__test_fill("triad y", (int64_t)piece, y);
    gs__test_fill("triad z", (int64_t)piece, z);
    for (int i = 0; i < 3; i++) TRY(d->drv->alloc(d, n * sizeof *y, &buf[i]));
    for (size_t at = 0; at < n; at += piece) {
        TRY(d->drv->write(d, buf[1], at * sizeof *y, y, piece * sizeof *y));
        TRY(d->drv->write(d, buf[2], at * sizeof *z, z, piece * sizeof *z));
    }
    if (cpu) TRY(triad_kind(b, true, buf, n, y, z, piece, seconds / (brief ? 1 : 3)));
    if (!cpu || !brief) TRY(triad_kind(b, false, buf, n, y, z, piece, seconds / (brief ? 1 : 3)));
    if (!brief) TRY(transfers(b, buf[0], buf[1], GS_MIN(n * sizeof *y, (size_t)64 << 20), seconds / 3));
done:
    for (int i = 0; i < 3; i++)
        if (buf[i]) d->drv->free(d, buf[i]);
    free(y);
    free(z);
    return st;
}

gs_status gs__bench_peaks(gs__bench *b, double seconds, bool brief)
{
    cJSON *o;
    gs_status st = GS_OK;

    gs__bench_say(b, "peaks");
    cJSON_AddArrayToObject(b->json, "peaks");
    TRY(fma_peak(b, seconds * 0.4, brief));
    TRY(memory_peaks(b, seconds * 0.4, brief));
    if (!brief) TRY(launches(b, seconds * 0.1));
    o = cJSON_AddObjectToObject(b->json, "peak");
    cJSON_AddNumberToObject(o, "gflops", b->gflops);
    cJSON_AddNumberToObject(o, "gbs", b->gbs);
done:
    return st;
}
