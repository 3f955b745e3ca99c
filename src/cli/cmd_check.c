/* gesso check: every variant of products and convolutions, every op to the second derivative and a small
 * training run, each against the double reference and with a second run to the byte. Verdicts of variants are
 * kept for the planner. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "eval/opcheck.h"
#include "eval/traincheck.h"
#include "eval/variantcheck.h"

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
    cJSON_AddNumberToObject(o, "worst_of_limit", isfinite(r->worst) ? r->worst : 1e300);
    if (r->first_failed >= 0) {
        const gs_opcheck *f = &v[r->first_failed];

        cJSON_AddStringToObject(o, "case", cases[r->first_failed].text);
        cJSON_AddStringToObject(o, "part", f->part);
        cJSON_AddNumberToObject(o, "error", isfinite(f->error) ? f->error : 1e300);
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

/* ---- variants ---- */

static double for_json(double v) { return isfinite(v) ? v : 1e300; } /* JSON has no infinity */

static int wrong_variants(const gs_variantcheck *v, int n)
{
    int wrong = 0;

    for (int i = 0; i < n; i++) wrong += v[i].problems && !v[i].pass;
    return wrong;
}

static void variants_text(const gs_variantcheck *v, int n)
{
    for (int i = 0; i < n; i++) {
        if (v[i].problems == 0) {
            printf("--    %-22s not for this device\n", v[i].name);
            continue;
        }
        printf("%-4s  %-22s %3d problems  worst %5.1f %% of its limit\n", v[i].pass ? "ok" : "FAIL", v[i].name, v[i].problems,
               100 * v[i].error / GS_VARIANT_LIMIT);
        if (!v[i].pass) printf("      %s: error %.3g, limit %.3g%s%s\n", v[i].where, v[i].error, GS_VARIANT_LIMIT, *v[i].message ? ": " : "", v[i].message);
    }
}

static void variants_json(const gs_variantcheck *v, int n, cJSON *out)
{
    cJSON *list = cJSON_AddArrayToObject(out, "variants");

    for (int i = 0; i < n; i++) {
        cJSON *o = cJSON_CreateObject();

        cJSON_AddStringToObject(o, "variant", v[i].name);
        cJSON_AddNumberToObject(o, "problems", v[i].problems);
        if (v[i].problems) {
            cJSON_AddStringToObject(o, "verdict", v[i].pass ? "right" : "wrong");
            cJSON_AddNumberToObject(o, "error", for_json(v[i].error));
            cJSON_AddNumberToObject(o, "limit", GS_VARIANT_LIMIT);
            cJSON_AddStringToObject(o, "where", v[i].where);
            if (*v[i].message) cJSON_AddStringToObject(o, "message", v[i].message);
        } else {
            cJSON_AddStringToObject(o, "verdict", "none");
        }
        cJSON_AddItemToArray(list, o);
    }
}

/* ---- the training run ---- */

static void training_text(const gs_traincheck *t)
{
    printf("%-4s  %-22s %3d steps     worst %5.1f %% of its limit\n", t->pass ? "ok" : "FAIL", "training", GS_TRAINCHECK_STEPS,
           100 * t->error / GS_TRAINCHECK_LIMIT);
    if (t->pass) return;
    if (*t->message) printf("      %s\n", t->message);
    else if (!t->repeats) printf("      a second run gave other bytes\n");
    else printf("      step %d: losses of G and D are %.7f and %.7f, stored are %.7f and %.7f\n", t->step, t->losses[t->step][0],
                t->losses[t->step][1], gs_traincheck_losses[t->step][0], gs_traincheck_losses[t->step][1]);
}

static void training_json(const gs_traincheck *t, cJSON *out)
{
    cJSON *o = cJSON_AddObjectToObject(out, "training"), *list;

    cJSON_AddStringToObject(o, "verdict", t->pass ? "right" : "wrong");
    cJSON_AddNumberToObject(o, "error", for_json(t->error));
    cJSON_AddNumberToObject(o, "limit", GS_TRAINCHECK_LIMIT);
    cJSON_AddBoolToObject(o, "repeats", t->repeats);
    list = cJSON_AddArrayToObject(o, "losses");
    for (int i = 0; i < GS_TRAINCHECK_STEPS; i++) {
        const double finite[2] = { for_json(t->losses[i][0]), for_json(t->losses[i][1]) };

        cJSON_AddItemToArray(list, cJSON_CreateDoubleArray(finite, 2));
    }
    if (*t->message) cJSON_AddStringToObject(o, "message", t->message);
}

/* ---- the command ---- */

static const cli_option options[] = {
    CLI_DEVICE,
    { 'p', "part", "PART", CLI_TEXT, .repeat = true, .help = "variants, ops or training alone; default: all three" },
    { 0, "op", "NAME", CLI_TEXT, .help = "this op alone, by its builder's name: conv2d; no other part" },
    CLI_JSON,
};

typedef struct check {
    const cli_args *a;
    gs_device *d;
    bool variants, training, ops;       /* what is asked for */
    gs_opcase *cases; int total, n_cases;
    gs_opcheck *verdict;
    op_report *report; int n_report, checked, failed;
    gs_variantcheck *variant; int n_variants, wrong;
    gs_traincheck trained;
} check;

static gs_status choose(check *k)
{
    static const char *const parts[] = { "variants", "ops", "training" };
    bool *const flag[] = { &k->variants, &k->ops, &k->training };
    const char *part;

    for (int i = 0; (part = cli_nth(k->a, "part", i)); i++) {
        size_t p = 0;

        while (p < GS_COUNT(parts) && strcmp(parts[p], part) != 0) p++;
        if (p == GS_COUNT(parts)) return gs_fail(GS_EUSAGE, "check: --part %.40s: there is variants, ops and training", part);
        *flag[p] = true;
    }
    if (cli_given(k->a, "op")) {
        if (k->variants || k->training) return gs_fail(GS_EUSAGE, "check: --op is about the part ops alone");
        k->ops = true;
        return keep(k->cases, &k->n_cases, cli_text(k->a, "op"));
    }
    if (!k->variants && !k->ops && !k->training) k->variants = k->ops = k->training = true;
    return GS_OK;
}

static void say_variant(void *user, const char *name)
{
    if (!cli_quiet(((check *)user)->a)) fprintf(stderr, "checking %s\n", name);
}

/* First, so that the other parts go by the verdicts as every plan does. */
static void check_variants(check *k)
{
    const gs_status st = gs_variants_check(k->d, say_variant, k, &k->variant, &k->n_variants);

    k->wrong = wrong_variants(k->variant, k->n_variants);
    if (st != GS_OK) gs_warn("the verdicts hold for this check only, they cannot be kept: %s", gs_last_error());
}

static gs_status check_ops(check *k)
{
    const int n = k->n_cases;
    gs_status st;

    if (!cli_quiet(k->a)) fprintf(stderr, "checking %d cases of ops\n", n);
    k->verdict = gs_xalloc((size_t)n * sizeof *k->verdict);
    k->report = gs_xalloc((size_t)n * sizeof *k->report);
    st = gs_opcheck_run(k->d, k->cases, n, NULL, k->verdict);
    for (int i = 0; i < n && st == GS_OK; i++) {
        const gs_opcheck *v = &k->verdict[i];
        op_report *r;

        if (!v->checked) continue;
        r = &k->report[find_op(k->report, &k->n_report, gs_opcase_name(&k->cases[i]))];
        k->checked++;
        r->cases++;
        if (!v->pass) {
            k->failed++;
            r->failed++;
            if (r->first_failed < 0) r->first_failed = i;
        }
        if (v->limit > 0 && v->error / v->limit > r->worst) r->worst = v->error / v->limit;
    }
    return st;
}

static void show_text(const check *k, double seconds)
{
    gs_str s = { 0 };

    if (k->variants) variants_text(k->variant, k->n_variants);
    for (int i = 0; i < k->n_report; i++) op_text(&k->report[i], k->cases, k->verdict);
    if (k->training) training_text(&k->trained);
    if (k->ops) gs_str_printf(&s, "%d ops, %d cases, %d failed", k->n_report, k->checked, k->failed);
    if (k->variants) gs_str_printf(&s, "%s%d variants, %d wrong", s.len ? "; " : "", k->n_variants, k->wrong);
    if (k->training) gs_str_printf(&s, "%straining %s", s.len ? "; " : "", k->trained.pass ? "right" : "wrong");
    printf("%s: %s (%.1f s)\n", gs_device_get_info(k->d)->name, gs_str_c(&s), seconds);
    gs_str_free(&s);
}

static void show_json(const check *k, double seconds)
{
    const gs_device_info *info = gs_device_get_info(k->d);
    cJSON *json = cJSON_CreateObject(), *list;
    char *path = gs_tuning_path(k->d);

    cJSON_AddStringToObject(json, "device", info->id);
    cJSON_AddStringToObject(json, "name", info->name);
    cJSON_AddStringToObject(json, "driver", info->driver);
    cJSON_AddStringToObject(json, "platform", info->platform);
    cJSON_AddBoolToObject(json, "right", !k->failed && !k->wrong && (!k->training || k->trained.pass));
    cJSON_AddNumberToObject(json, "cases", k->checked);
    cJSON_AddNumberToObject(json, "failed", k->failed);
    cJSON_AddNumberToObject(json, "wrong_variants", k->wrong);
    cJSON_AddNumberToObject(json, "seconds", seconds);
    if (path) cJSON_AddStringToObject(json, "store", path);
    if (k->variants) variants_json(k->variant, k->n_variants, json);
    list = cJSON_AddArrayToObject(json, "ops");
    for (int i = 0; i < k->n_report; i++) cJSON_AddItemToArray(list, op_json(&k->report[i], k->cases, k->verdict));
    if (k->training) training_json(&k->trained, json);
    cli_print_json(json);
    free(path);
}

static gs_status verdict(const check *k)
{
    gs_str s = { 0 };
    gs_status st;

    if (k->failed) gs_str_printf(&s, "%d of %d cases failed", k->failed, k->checked);
    if (k->wrong) gs_str_printf(&s, "%s%d of %d variants are wrong and will not be used", s.len ? ", " : "", k->wrong, k->n_variants);
    if (k->training && !k->trained.pass) gs_str_printf(&s, "%sthe training run is wrong", s.len ? ", " : "");
    st = s.len ? gs_fail(GS_EDEVICE, "check: %s on %s", s.data, gs_device_get_info(k->d)->name) : GS_OK;
    gs_str_free(&s);
    return st;
}

static gs_status run(const cli_args *a)
{
    check k = { .a = a };
    const double start = gs_now();
    const gs_device_info *info;
    gs_status st;

    TRY(gs_opcases_parse(gs__opcases_text, &k.cases, &k.total));
    k.n_cases = k.total;
    TRY(choose(&k));
    TRY(gs_device_open(cli_text(a, "device"), &k.d));
    info = gs_device_get_info(k.d);
    if (info->kind == GS_NULL) TRY(gs_fail(GS_EDEVICE, "check: device %s computes nothing, so there is nothing to check", info->id));
    if (!cli_quiet(a)) fprintf(stderr, "checking %s (%s)\n", info->id, info->name);
    if (k.variants) check_variants(&k);
    if (k.ops) TRY(check_ops(&k));
    if (k.training) {
        if (!cli_quiet(a)) fprintf(stderr, "checking a training run\n");
        gs_traincheck_run(k.d, &k.trained);
    }
    if (cli_given(a, "json")) show_json(&k, gs_now() - start);
    else show_text(&k, gs_now() - start);
    st = verdict(&k);
done:
    free(k.variant);
    free(k.report);
    free(k.verdict);
    gs_device_close(k.d);
    gs_opcases_free(k.cases, k.total);
    return st;
}

const cli_command cli_check = {
    .name = "check", .operands = "", .summary = "Checks every op and kernel variant on a device against a reference",
    .about = "Variants: each way to compute products and convolutions, at awkward sizes; what is wrong is kept in the device's store, and from then on\n"
             "training and everything else goes on with another variant. Ops: results, gradients and gradients of gradients. Training: eight steps of a\n"
             "small GAN against stored losses. All against double precision, and each runs twice, which must give the same bytes.\n"
             "A verdict a line; exit status 1 when one is wrong. docs/TUNING.md tells more.",
    .options = options, .n_options = (int)GS_COUNT(options), .run = run,
};
