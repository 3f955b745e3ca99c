/* gesso check: every op on the device against the double reference, to the second derivative, and a second run to the byte. */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "eval/opcheck.h"

/* The cases of one op stand together in the report, whatever their order in the file. */
typedef struct op_report {
    const char *name;
    int cases, failed;
    double worst; /* error / limit of the case nearest to, or furthest beyond, its limit */
    int first_failed;
} op_report;

static int find_op(op_report *ops, int *n, const char *name)
{
    for (int i = 0; i < *n; i++) {
        if (strcmp(ops[i].name, name) == 0) return i;
    }
    ops[*n] = (op_report){ .name = name, .first_failed = -1 };
    return (*n)++;
}

/* Keeps the cases of one op at the front of the list and frees the rest. */
static gs_status keep(gs_opcase *cases, int *n, const char *op)
{
    const char *names[256], *near;
    int kept = 0, known = 0;

    for (int i = 0; i < *n; i++) {
        const char *name = gs_opcase_name(&cases[i]);

        if (known < (int)GS_COUNT(names) && (known == 0 || strcmp(names[known - 1], name) != 0)) names[known++] = name;
    }
    near = gs_nearest(op, names, known);
    for (int i = 0; i < *n; i++) {
        if (strcmp(gs_opcase_name(&cases[i]), op) == 0) {
            const gs_opcase c = cases[kept];

            cases[kept++] = cases[i];
            if (kept - 1 != i) cases[i] = c;
        }
    }
    if (kept > 0) {
        *n = kept;
        return GS_OK;
    }
    return gs_fail(GS_EUSAGE, "check: there are no cases of an op \"%.40s\"%s%s%s", op, near ? "; did you mean " : "", near ? near : "",
                   near ? "?" : "");
}

static cJSON *op_json(const op_report *r, const gs_opcase *cases, const gs_opcheck *v)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "op", r->name);
    cJSON_AddNumberToObject(o, "cases", r->cases);
    cJSON_AddNumberToObject(o, "failed", r->failed);
    cJSON_AddNumberToObject(o, "worst_of_limit", r->worst);
    if (r->first_failed >= 0) {
        const gs_opcheck *f = &v[r->first_failed];

        cJSON_AddStringToObject(o, "case", cases[r->first_failed].text);
        cJSON_AddStringToObject(o, "part", f->part);
        cJSON_AddNumberToObject(o, "error", f->error);
        cJSON_AddNumberToObject(o, "limit", f->limit);
        if (*f->message) cJSON_AddStringToObject(o, "message", f->message);
    }
    return o;
}

static void op_text(const op_report *r, const gs_opcase *cases, const gs_opcheck *v)
{
    printf("%-4s  %-22s %3d case%s  worst %5.1f %% of its limit\n", r->failed ? "FAIL" : "ok", r->name, r->cases, r->cases == 1 ? " " : "s",
           100 * r->worst);
    if (r->first_failed >= 0) {
        const gs_opcheck *f = &v[r->first_failed];

        printf("      %s\n      %s: error %.3g, limit %.3g%s%s\n", cases[r->first_failed].text, f->part, f->error, f->limit,
               *f->message ? ": " : "", f->message);
    }
}

static const cli_option options[] = {
    CLI_DEVICE,
    { 0, "op", "NAME", CLI_TEXT, .help = "this op alone, by its builder's name: conv2d" },
    CLI_JSON,
};

static gs_status run(const cli_args *a)
{
    gs_device *d = NULL;
    gs_opcase *cases = NULL;
    gs_opcheck *verdict = NULL;
    op_report *ops = NULL;
    cJSON *json = NULL;
    int total = 0, n = 0, n_ops = 0, checked = 0, failed = 0;
    const double start = gs_now();
    double seconds;
    gs_status st;

    TRY(gs_opcases_parse(gs__opcases_text, &cases, &total));
    n = total;
    if (cli_given(a, "op")) TRY(keep(cases, &n, cli_text(a, "op")));
    TRY(gs_device_open(cli_text(a, "device"), &d));
    if (gs_device_get_info(d)->kind == GS_NULL) {
        st = gs_fail(GS_EDEVICE, "check: device %s computes nothing, so there is nothing to check", gs_device_get_info(d)->id);
        goto done;
    }
    if (!cli_quiet(a)) fprintf(stderr, "checking %d cases on %s (%s)\n", n, gs_device_get_info(d)->id, gs_device_get_info(d)->name);
    verdict = gs_xalloc((size_t)n * sizeof *verdict);
    ops = gs_xalloc((size_t)n * sizeof *ops);
    TRY(gs_opcheck_run(d, cases, n, NULL, verdict));
    for (int i = 0; i < n; i++) {
        op_report *r;

        if (!verdict[i].checked) continue;
        r = &ops[find_op(ops, &n_ops, gs_opcase_name(&cases[i]))];
        checked++;
        r->cases++;
        if (!verdict[i].pass) {
            failed++;
            r->failed++;
            if (r->first_failed < 0) r->first_failed = i;
        }
        if (verdict[i].limit > 0 && verdict[i].error / verdict[i].limit > r->worst) r->worst = verdict[i].error / verdict[i].limit;
    }
    seconds = gs_now() - start;
    if (cli_given(a, "json")) {
        cJSON *list;

        json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "device", gs_device_get_info(d)->id);
        cJSON_AddStringToObject(json, "name", gs_device_get_info(d)->name);
        cJSON_AddStringToObject(json, "driver", gs_device_get_info(d)->driver);
        cJSON_AddNumberToObject(json, "cases", checked);
        cJSON_AddNumberToObject(json, "failed", failed);
        cJSON_AddNumberToObject(json, "seconds", seconds);
        list = cJSON_AddArrayToObject(json, "ops");
        for (int i = 0; i < n_ops; i++) cJSON_AddItemToArray(list, op_json(&ops[i], cases, verdict));
        cli_print_json(json);
    } else {
        for (int i = 0; i < n_ops; i++) op_text(&ops[i], cases, verdict);
        printf("%s: %d ops, %d cases, %d failed (%.1f s)\n", gs_device_get_info(d)->name, n_ops, checked, failed, seconds);
    }
    if (failed) st = gs_fail(GS_EDEVICE, "check: %d of %d cases failed on %s", failed, checked, gs_device_get_info(d)->name);
done:
    free(ops);
    free(verdict);
    gs_device_close(d);
    gs_opcases_free(cases, total);
    return st;
}

const cli_command cli_check = {
    .name = "check", .operands = "", .summary = "Checks every op on a device against a reference",
    .about = "Each case compares results, gradients and gradients of gradients with the same in double precision, and runs twice, which must give\n"
             "the same bytes. A line an op; exit status 1 when one fails.",
    .options = options, .n_options = (int)GS_COUNT(options), .run = run,
};
