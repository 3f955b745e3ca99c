/* One op or training step in rounds that another program asks for, line by line: how often to run, how long it took. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <time.h>

#include "bench/bench_int.h"

typedef struct rounds {
    gs_device *d;
    gs_buffer *fence;
    gs__op op;
    gs__steps *steps;    /* NULL: it is an op */
} rounds;

static gs_status run_once(void *user)
{
    rounds *r = user;

    return r->steps ? gs__steps_run(r->steps) : gs__op_run(&r->op);
}

/* Finds what is meant and compiles it. */
static gs_status prepare(rounds *r, const char *what, cJSON *o)
{
    int n;
    gs__case *cases = gs__cases(&n);
    const gs__case *c = NULL;
    gs_status st;

    for (int i = 0; i < n; i++)
        if (strcmp(cases[i].id, what) == 0) c = &cases[i];
    if (c) {
        gs__case_json(c, o);
        st = gs__op_open(r->d, c, &r->op);
    } else {
        cJSON_AddStringToObject(o, "id", what);
        st = gs__steps_open(r->d, what, &r->steps);
        if (st == GS_OK) cJSON_AddNumberToObject(o, "batch", gs__steps_batch(r->steps));
        if (st == GS_EIO && access(what, R_OK) != 0) /* not a file of its own that is missing */
            st = gs_fail(GS_EUSAGE, "bench: no op or model is called \"%.80s\", and it cannot be read as a configuration; "
                                                          "--list shows all", what);
    }
    free(cases);
    return st;
}

static gs_status say(FILE *out, cJSON *o)
{
    char *text = cJSON_PrintUnformatted(o);
    const bool said = text && fprintf(out, "%s\n", text) > 0 && fflush(out) == 0;

    cJSON_free(text);
    return said ? GS_OK : gs_fail(GS_EIO, "bench: writing a round: %s", strerror(errno));
}

/* What was compiled, what it takes, and what it computes. */
static gs_status say_ready(rounds *r, cJSON *o, FILE *out)
{
    const gs_plan_stats plan = gs_plan_get_stats(r->steps ? gs__steps_plan(r->steps) : r->op.plan);
    gs__digest d;
    gs_status st = GS_OK;

    cJSON_AddStringToObject(o, "gesso", GS_VERSION);
    cJSON_AddStringToObject(o, "device", gs_device_get_info(r->d)->name);
    cJSON_AddStringToObject(o, "driver", gs_device_get_info(r->d)->driver);
    cJSON_AddNumberToObject(o, "flops", plan.flops);
    cJSON_AddNumberToObject(o, "launches", plan.launches);
    cJSON_AddNumberToObject(o, "bytes_planned", (double)(plan.state_bytes + plan.workspace_bytes + plan.constant_bytes));
    cJSON_AddNumberToObject(o, "bytes_allocated", (double)r->d->peak);
    if (!r->steps) {
        TRY(gs__op_digest(&r->op, &d));
        gs__digest_json(o, &d);
    }
    TRY(say(out, o));
done:
    return st;
}

static gs_status one_round(rounds *r, int n, FILE *out)
{
    const clock_t before = clock();
    cJSON *o = NULL;
    double seconds;
    gs_status st = GS_OK;

    TRY(gs__sample(r->d, r->fence, n, run_once, r, &seconds));
    o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "runs", n);
    cJSON_AddNumberToObject(o, "seconds", seconds);
    cJSON_AddNumberToObject(o, "cpu_seconds", (double)(clock() - before) / CLOCKS_PER_SEC);
    TRY(say(out, o));
done:
    cJSON_Delete(o);
    return st;
}

gs_status gs_bench_rounds(const char *device, const char *what, FILE *in, FILE *out)
{
    rounds r = { 0 };
    cJSON *o = cJSON_CreateObject();
    double seconds;
    char line[32];
    gs_status st = GS_OK;

    TRY(gs_device_open(device, &r.d));
    if (gs_device_get_info(r.d)->kind == GS_NULL) {
        TRY(gs_fail(GS_EDEVICE, "bench: device %s computes nothing, so there is nothing to measure", gs_device_get_info(r.d)->id));
    }
    TRY(r.d->drv->alloc(r.d, GS_ALIGN, &r.fence));
    TRY(r.d->drv->fill(r.d, r.fence, 0, 0, GS_ALIGN));
    TRY(prepare(&r, what, o));
    TRY(gs__sample(r.d, r.fence, 1, run_once, &r, &seconds)); /* drivers build kernels when they first run */
    TRY(say_ready(&r, o, out));
    while (fgets(line, sizeof line, in)) {
        char *end;
        const long n = strtol(line, &end, 10);

        if (end == line || (*end != '\n' && *end != 0) || n < 1 || n > GS_BENCH_MOST_RUNS)
            TRY(gs_fail(GS_EUSAGE, "bench: rounds: \"%.*s\" is no number of runs from 1 to %d", (int)strcspn(line, "\n"), line, GS_BENCH_MOST_RUNS));
        TRY(one_round(&r, (int)n, out));
    }
    if (ferror(in)) st = gs_fail(GS_EIO, "bench: reading the next round: %s", strerror(errno));
done:
    cJSON_Delete(o);
    gs__op_close(&r.op);
    gs__steps_close(r.steps);
    if (r.fence) r.d->drv->free(r.d, r.fence);
    gs_device_close(r.d);
    return st;
}
