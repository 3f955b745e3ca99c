/* gesso tune: which variants of products and convolutions are the fastest on a device. */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/model.h"
#include "cli/tune.h"
#include "train/signals.h"

/* ---- progress ---- */

typedef struct shown {
    bool quiet, live, lines;
} shown;

void cli_tune_line(const gs_choice *c, FILE *out)
{
    if (strcmp(c->variant, c->preset) == 0)
        fprintf(out, "%-58s %-16s %9.3f ms  (the preset)\n", c->class, c->variant, 1e3 * c->seconds);
    else
        fprintf(out, "%-58s %-16s %9.3f ms  %.2f times as fast as %s\n", c->class, c->variant, 1e3 * c->seconds, c->preset_seconds / c->seconds,
                c->preset);
}

static void progress(void *user, const gs_tune_progress *p)
{
    const shown *s = user;
    char left[32];

    if (s->live) fprintf(stderr, "\r\033[K");
    if (p->before) {
        if (s->live || (!s->quiet && !s->lines))
            fprintf(stderr, "tune %d/%d  %s%s%s%s", p->done + 1, p->total, p->class, p->eta < 0 ? "" : "  left ",
                    p->eta < 0 ? "" : gs_seconds_text(left, p->eta), s->live ? "" : "\n");
    } else if (!p->choice) {
        gs_warn("%s could not be measured: %s", p->class, p->why);
    } else if (s->lines) {
        cli_tune_line(p->choice, stdout);
        fflush(stdout);
    }
    if (s->live) fflush(stderr);
}

static bool stop(void *user)
{
    (void)user;
    return gs__signals_caught() != 0;
}

gs_status cli_tune(gs_device *d, gs_tune_opts *o, bool quiet, bool lines, gs_tune_result *out)
{
    shown s = { .quiet = quiet, .live = !quiet && isatty(STDERR_FILENO), .lines = lines };
    gs__signals former;
    gs_status st;

    o->progress = progress;
    o->stop = stop;
    o->user = &s;
    gs__signals_install(&former);
    st = gs_tune(d, o, out);
    if (s.live) fprintf(stderr, "\r\033[K");
    gs__signals_restore(&former);
    return st;
}

/* ---- the command ---- */

static const cli_option options[] = {
    CLI_DEVICE,
    CLI_SET,
    { 'a', "again", .type = CLI_FLAG, .help = "measure what was measured before, too" },
    { 'l', "list", .type = CLI_FLAG, .help = "measure nothing: show what is stored for the device" },
    { 0, "forget", .type = CLI_FLAG, .help = "measure nothing: remove what was measured; verdicts of \"gesso check\" stay" },
    CLI_JSON,
};

static void print_json(gs_device *d, const gs_tune_result *r)
{
    const gs_device_info *info = gs_device_get_info(d);
    cJSON *json = cJSON_CreateObject(), *list;
    char *path = gs_tuning_path(d);
    const gs_verdict_entry *v;
    const gs_choice *c;

    cJSON_AddStringToObject(json, "device", info->id);
    cJSON_AddStringToObject(json, "name", info->name);
    cJSON_AddStringToObject(json, "platform", info->platform);
    cJSON_AddStringToObject(json, "driver", info->driver);
    if (path) cJSON_AddStringToObject(json, "store", path);
    if (r) {
        cJSON_AddNumberToObject(json, "classes", r->classes);
        cJSON_AddNumberToObject(json, "measured", r->measured);
        cJSON_AddNumberToObject(json, "changed", r->changed);
        cJSON_AddNumberToObject(json, "failed", r->failed);
        cJSON_AddNumberToObject(json, "seconds", r->seconds);
    }
    list = cJSON_AddArrayToObject(json, "choices");
    for (int i = 0; (c = gs_tuning_choice_at(d, i)); i++) {
        cJSON *o = cJSON_CreateObject();

        cJSON_AddStringToObject(o, "class", c->class);
        cJSON_AddStringToObject(o, "variant", c->variant);
        cJSON_AddNumberToObject(o, "seconds", c->seconds);
        cJSON_AddStringToObject(o, "preset", c->preset);
        cJSON_AddNumberToObject(o, "preset_seconds", c->preset_seconds);
        cJSON_AddItemToArray(list, o);
    }
    list = cJSON_AddArrayToObject(json, "wrong_variants");
    for (int i = 0; (v = gs_tuning_verdict_at(d, i)); i++)
        if (v->verdict == GS_WRONG) cJSON_AddItemToArray(list, cJSON_CreateString(v->variant));
    cli_print_json(json);
    free(path);
}

static void print_list(gs_device *d)
{
    char *path = gs_tuning_path(d);
    const gs_verdict_entry *v;
    const gs_choice *c;
    int n = 0;

    for (; (c = gs_tuning_choice_at(d, n)); n++) cli_tune_line(c, stdout);
    for (int i = 0; (v = gs_tuning_verdict_at(d, i)); i++)
        if (v->verdict == GS_WRONG) printf("%s is not used, \"gesso check\" found it wrong: %s\n", v->variant, v->why);
    printf("%s: %d class%s%s%s\n", gs_device_get_info(d)->name, n, n == 1 ? "" : "es", path ? ", " : "", path ? path : "");
    free(path);
}

static gs_status run(const cli_args *a)
{
    const int n = cli_operands(a);
    const char **configs = gs_xalloc((size_t)(n + 1) * sizeof *configs);
    int n_set;
    const char **set = cli_values(a, "set", &n_set);
    gs_tune_opts o = { .configs = configs, .n_configs = n, .set = set, .n_set = n_set, .again = cli_given(a, "again") };
    gs_device *d = NULL;
    gs_tune_result r = { 0 };
    gs_status st = GS_OK;

    for (int i = 0; i < n; i++) configs[i] = cli_operand(a, i);
    if (n_set && n == 0) TRY(gs_fail(GS_EUSAGE, "tune: --set is for the configurations that are named"));
    TRY(gs_device_open(cli_text(a, "device"), &d));
    if (cli_given(a, "forget")) TRY(gs_tuning_forget_choices(d));
    if (cli_given(a, "list") || cli_given(a, "forget")) {
        if (cli_given(a, "json")) print_json(d, NULL);
        else print_list(d);
        goto done;
    }
    if (!cli_quiet(a)) fprintf(stderr, "tuning %s (%s)\n", gs_device_get_info(d)->id, gs_device_get_info(d)->name);
    TRY(cli_tune(d, &o, cli_quiet(a), !cli_given(a, "json"), &r));
    if (cli_given(a, "json"))
        print_json(d, &r);
    else
        printf("%s: %d classes, %d measured, %d with another variant than the preset%s (%.0f s)\n", gs_device_get_info(d)->name, r.classes, r.measured,
               r.changed, r.classes > r.measured + r.failed ? "; the rest was known" : "", r.seconds);
    if (r.failed) st = gs_fail(GS_EDEVICE, "tune: %d class%s could not be measured", r.failed, r.failed == 1 ? "" : "es");
done:
    free(configs);
    free(set);
    gs_device_close(d);
    return st;
}

const cli_command cli_tune_command = {
    .name = "tune", .operands = "[CONFIG]...", .summary = "Finds the fastest kernel variants for a device",
    .about = "Measures each way to compute the products and convolutions of the CONFIGs' training steps, or of every profile of every system. What is found\n"
             "is stored for this device, driver and version of Gesso, class by class, and used from then on. SIGINT stops it; the same command goes on.\n"
             "Runs that have begun keep to the variants they began with. Leave the machine alone meanwhile. docs/TUNING.md tells more.",
    .max_operands = 64, .options = options, .n_options = (int)GS_COUNT(options), .run = run,
};
