/* A result as tables for a terminal. */
#include <stdlib.h>
#include <string.h>

#include "bench/bench_int.h"

static double num(const cJSON *o, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

    return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

static const char *str(const cJSON *o, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

    return cJSON_IsString(v) ? v->valuestring : "";
}

static double spread(const cJSON *o, const char *value)
{
    const double v = num(o, value);

    return v > 0 ? 100 * num(o, "mad") / v : 0;
}

static void print_head(const cJSON *r, FILE *out)
{
    const cJSON *d = cJSON_GetObjectItemCaseSensitive(r, "device"), *h = cJSON_GetObjectItemCaseSensitive(r, "host"), *e;

    fprintf(out, "%s (%s)\n", str(d, "name"), str(d, "id"));
    fprintf(out, "%s, driver %s, %g compute units; Gesso %s, %s\n", str(d, "platform"), str(d, "driver"), num(d, "compute_units"), str(r, "gesso"),
            str(r, "date"));
    fprintf(out, "host %s, %s, %g cores\n", str(h, "name"), str(h, "cpu"), num(h, "cores"));
    cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(r, "environment")) fprintf(out, "%s=%s\n", e->string, e->valuestring);
}

static void print_peaks(const cJSON *list, FILE *out)
{
    const cJSON *o;

    if (cJSON_GetArraySize(list) == 0) return;
    fprintf(out, "\n%-24s %12s %9s  %s\n", "peak", "median", "spread", "how");
    cJSON_ArrayForEach(o, list) {
        fprintf(out, "%-24s %12.4g %7.1f %%  %s, %s%s\n", str(o, "id"), num(o, "value"), spread(o, "value"), str(o, "unit"), str(o, "form"),
                cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "right")) ? "" : "; WRONG RESULT");
    }
}

/* "3e-07" or what is the matter. */
static void verdict(const cJSON *o, char *text, size_t size)
{
    const cJSON *d = cJSON_GetObjectItemCaseSensitive(o, "digest");

    if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(d, "repeats"))) snprintf(text, size, "NOT REPEATED");
    else if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(d, "checked"))) snprintf(text, size, "not checked");
    else if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(d, "right"))) snprintf(text, size, "WRONG");
    else snprintf(text, size, "%.1e", num(d, "error"));
}

static void print_ops(const cJSON *list, FILE *out)
{
    const cJSON *o;

    if (cJSON_GetArraySize(list) == 0) return;
    fprintf(out, "\n%-52s %10s %7s %9s %8s %7s %12s  %s\n", "op", "ms", "spread", "GFLOP/s", "GB/s", "share", "error", "layer");
    cJSON_ArrayForEach(o, list) {
        char gflops[16] = "", text[32];

        if (*str(o, "failed")) {
            fprintf(out, "%-52s FAILED: %s\n", str(o, "id"), str(o, "failed"));
            continue;
        }
        if (num(o, "gflops") > 0) snprintf(gflops, sizeof gflops, "%.1f", num(o, "gflops"));
        verdict(o, text, sizeof text);
        fprintf(out, "%-52s %10.3f %5.1f %% %9s %8.1f %5.0f %% %12s  %s\n", str(o, "id"), 1e3 * num(o, "seconds"), spread(o, "seconds"), gflops,
                num(o, "gbs"), 100 * num(o, "share"), text, str(o, "origin"));
    }
}

/* The median share of each family. */
static void print_families(const cJSON *list, FILE *out)
{
    const int n = cJSON_GetArraySize(list);
    double *share = gs_xalloc((size_t)GS_MAX(n, 1) * sizeof *share);
    const char *done[16];
    int n_done = 0;
    const cJSON *o, *p;

    cJSON_ArrayForEach(o, list) {
        bool known = n_done == (int)GS_COUNT(done);
        int k = 0;

        for (int i = 0; i < n_done; i++) known = known || strcmp(done[i], str(o, "family")) == 0;
        if (known) continue;
        done[n_done++] = str(o, "family");
        cJSON_ArrayForEach(p, list)
            if (strcmp(str(p, "family"), str(o, "family")) == 0 && num(p, "share") > 0) share[k++] = num(p, "share");
        if (k) fprintf(out, "%s%s %.0f %%", n_done > 1 ? ", " : "\nmedian share of the peak: ", str(o, "family"), 100 * gs__median(share, k));
    }
    if (n_done) fprintf(out, "\n");
    free(share);
}

static void print_models(const cJSON *list, FILE *out)
{
    const cJSON *o;

    if (cJSON_GetArraySize(list) == 0) return;
    fprintf(out, "\n%-20s %6s %9s %7s %10s %7s %10s %10s %8s %8s  %s\n", "step of", "batch", "ms", "spread", "images/s", "host", "planned", "allocated",
            "cold", "warm", "result");
    cJSON_ArrayForEach(o, list) {
        const cJSON *check = cJSON_GetObjectItemCaseSensitive(o, "check"), *digest = cJSON_GetObjectItemCaseSensitive(o, "digest");
        char planned[32], allocated[32], rate[32], cold[16] = "-", warm[16] = "-";

        if (*str(o, "failed")) {
            fprintf(out, "%-20s FAILED: %s\n", str(o, "id"), str(o, "failed"));
            continue;
        }
        if (num(o, "cold_start") > 0) snprintf(cold, sizeof cold, "%.2f s", num(o, "cold_start"));
        if (num(o, "warm_start") > 0) snprintf(warm, sizeof warm, "%.2f s", num(o, "warm_start"));
        fprintf(out, "%-20s %6g %9.3f %5.1f %% %10s %5.0f %% %10s %10s %8s %8s  ", str(o, "id"), num(o, "batch"), 1e3 * num(o, "seconds"),
                spread(o, "seconds"), gs_rate_text(rate, num(o, "images_per_second")), 100 * num(o, "host_seconds") / GS_MAX(num(o, "seconds"), 1e-9),
                gs_bytes_text(planned, num(o, "bytes_predicted")), gs_bytes_text(allocated, num(o, "bytes_allocated")), cold, warm);
        if (!check) fprintf(out, "not checked");
        else fprintf(out, "losses %.0e, state %.0e", num(check, "error_metrics"), num(check, "error_state"));
        fprintf(out, "%s\n", cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(digest, "right")) ? "" : " WRONG");
        if (*str(o, "start_failed")) fprintf(out, "%-20s start: %s\n", "", str(o, "start_failed"));
    }
}

void gs_bench_print(const cJSON *r, FILE *out)
{
    const int skipped = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(r, "skipped"));

    print_head(r, out);
    print_peaks(cJSON_GetObjectItemCaseSensitive(r, "peaks"), out);
    print_ops(cJSON_GetObjectItemCaseSensitive(r, "ops"), out);
    print_families(cJSON_GetObjectItemCaseSensitive(r, "ops"), out);
    print_models(cJSON_GetObjectItemCaseSensitive(r, "models"), out);
    if (skipped) fprintf(out, "\n%d case%s got no turn: give more --seconds\n", skipped, skipped == 1 ? "" : "s");
}

int gs_bench_wrong(const cJSON *r)
{
    static const char *const lists[] = { "ops", "models" };
    const cJSON *o;
    int wrong = 0;

    cJSON_ArrayForEach(o, cJSON_GetObjectItemCaseSensitive(r, "peaks")) wrong += !cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "right"));
    for (size_t i = 0; i < GS_COUNT(lists); i++)
        cJSON_ArrayForEach(o, cJSON_GetObjectItemCaseSensitive(r, lists[i]))
            wrong += !cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(o, "digest"), "right"));
    return wrong;
}
