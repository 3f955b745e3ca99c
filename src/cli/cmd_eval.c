/* gesso eval: the metrics of a trained run against the data it was trained on. */
#include <stdlib.h>
#include <string.h>

#include "cli/model.h"
#include "eval/cgan_eval.h"
#include "eval/judge.h"
#include "eval/translate_eval.h"
#include "train/snapshot.h"

static const cli_option options[] = {
    { 'm', "metric", "NAME", CLI_TEXT, .repeat = true,
      .help = "accuracy, diversity, frechet, parzen, bars or all; default: those that the data set has" },
    { 'n', "count", "N", CLI_INT, 2, 100000, "1000", .help = "generated pictures of each class" },
    { 's', "seed", "N", CLI_INT, 0, INT64_MAX, "0", .help = "of the generator's noise, of KID's subsets" },
    { 'p', "plot", "FILE.png", CLI_TEXT, .help = "draw the confusion matrix" },
    { 0, "inception", "FILE", CLI_TEXT,
      .help = "systems that translate: Inception-v3's weights (safetensors), for KID and FID; default: $GESSO_INCEPTION" },
    { 0, "protocol", "NAME", CLI_TEXT, .preset = "subsets",
      .help = "KID by random \"subsets\", or \"ugatit\": blocks of 10 and the standard error" },
    { 0, "kid-subsets", "N", CLI_INT, 1, 100000, "100", .help = "how many" },
    { 0, "kid-size", "N", CLI_INT, 2, 100000,
      .help = "pictures of each set in a subset; default: half of the smaller set, at most 1000" },
    { 0, "pairs", "FILE.tsv", CLI_TEXT, .help = "a table that tells the true partners of A and B: L1, PSNR, SSIM" },
    { 0, "pair-a", "NAME", CLI_TEXT, .preset = "{1}",
      .help = "how a row names its picture of A: {1} is the first column, {code} the one of that name" },
    { 0, "pair-b", "NAME", CLI_TEXT, .preset = "{2}", .help = "its picture of B, \"emoji_u{noto_code}\", say" },
    { 0, "folder-a", "DIR", CLI_TEXT,
      .help = "pictures of A; default: the configuration's test folder, else its training folder" },
    { 0, "folder-b", "DIR", CLI_TEXT, .help = "pictures of B" },
    { 0, "direction", "A2B|B2A", CLI_TEXT, .help = "one direction only" },
    { 0, "pictures", "N", CLI_INT, 4, 1000000,
      .help = "at most so many of each domain, drawn by the seed; default: all" },
    { 0, "no-cache", .type = CLI_FLAG, .help = "compute the features of the folders' pictures again" },
    { 0, "config", "INI", CLI_TEXT,
      .help = "configuration of a file that carries none, or whose data lie elsewhere now" },
    CLI_DEVICE,
    CLI_JSON,
};

/* The first option of the list that was given, or NULL. */
static const char *any_given(const cli_args *a, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (cli_given(a, names[i])) return names[i];
    }
    return NULL;
}

/* Options of one kind of system mean nothing to the other. */
static gs_status check_options(const cli_args *a, const gs_system *system)
{
    static const char *const draws[] = { "metric", "count", "plot" };
    static const char *const translates[] = { "inception", "protocol", "kid-subsets", "kid-size", "pairs", "pair-a",
                                              "pair-b", "folder-a",
                                              "folder-b", "direction", "pictures", "no-cache" };
    const char *name = system->directions ? any_given(a, draws, GS_COUNT(draws))
                                          : any_given(a, translates, GS_COUNT(translates));

    if (!name) return GS_OK;
    return gs_fail(GS_EUSAGE, "eval: --%s means nothing to system %s, which %s", name, system->name,
                   system->directions ? "translates pictures" : "draws classes");
}

static void add_file(cJSON *json, const gs_snapshot *s)
{
    cJSON_AddStringToObject(json, "path", gs_snapshot_path(s));
    if (gs_snapshot_step(s) >= 0) cJSON_AddNumberToObject(json, "step", (double)gs_snapshot_step(s));
}

static gs_status drawings(const cli_args *a, const gs_snapshot *s, gs_device *d)
{
    gs_cgan_eval_opts o = { .per_class = (int)cli_int(a, "count"), .seed = (uint64_t)cli_int(a, "seed") };
    gs_cgan_eval e = { 0 };
    const char *metric;
    gs_status st = GS_OK;

    if (!cli_quiet(a)) o.classifier.progress = gs_eval_progress_stderr;
    for (int i = 0; (metric = cli_nth(a, "metric", i)); i++) TRY(gs_cgan_metric_parse(metric, &o.metrics));
    TRY(gs_cgan_eval_run(d, s, &o, &e));
    if (cli_text(a, "plot")) TRY(gs_cgan_eval_plot(&e, cli_text(a, "plot")));
    if (cli_given(a, "json")) {
        cJSON *json = gs_cgan_eval_json(&e);

        add_file(json, s);
        cli_print_json(json);
    } else {
        gs_str text = { 0 };

        gs_cgan_eval_text(&e, &text);
        printf("%s\n%s", gs_snapshot_path(s), gs_str_c(&text));
        gs_str_free(&text);
    }
done:
    gs_cgan_eval_free(&e);
    return st;
}

static gs_status translate_opts(const cli_args *a, gs_translate_eval_opts *o)
{
    const char *protocol = cli_text(a, "protocol"), *environment = getenv("GESSO_INCEPTION");
    const bool blocks = strcmp(protocol, "ugatit") == 0;

    *o = (gs_translate_eval_opts){
        .inception = cli_text(a, "inception"),
        .folder = { cli_text(a, "folder-a"), cli_text(a, "folder-b") },
        .direction = cli_text(a, "direction"),
        .pairs = cli_text(a, "pairs"),
        .pair_name = { cli_text(a, "pair-a"), cli_text(a, "pair-b") },
        .max_pictures = (int)cli_int(a, "pictures"),
        .kid = { .subsets = (int)cli_int(a, "kid-subsets"), .size = (int)cli_int(a, "kid-size"), .block = blocks ? 10 : 0,
                 .seed = (uint64_t)cli_int(a, "seed") },
        .no_cache = cli_given(a, "no-cache"), .progress = cli_quiet(a) ? NULL : gs_eval_progress_stderr,
    };
    if (!o->inception && environment && *environment) o->inception = environment;
    if (!blocks && strcmp(protocol, "subsets") != 0)
        return gs_fail(GS_EUSAGE, "eval: --protocol %.40s: there are: subsets, ugatit", protocol);
    if (blocks && (cli_given(a, "kid-size") || cli_given(a, "kid-subsets")))
        return gs_fail(GS_EUSAGE, "eval: --kid-size and --kid-subsets go with --protocol subsets");
    if (!o->pairs && (cli_given(a, "pair-a") || cli_given(a, "pair-b")))
        return gs_fail(GS_EUSAGE, "eval: --pair-a and --pair-b go with --pairs");
    return o->inception ? cli_refuse_pickle(o->inception) : GS_OK;
}

static gs_status translations(const cli_args *a, const gs_snapshot *s, gs_device *d)
{
    gs_translate_eval e = { 0 };
    gs_translate_eval_opts o;
    gs_status st = GS_OK;

    TRY(translate_opts(a, &o));
    TRY(gs_translate_eval_run(d, s, &o, &e));
    if (cli_given(a, "json")) {
        cJSON *json = gs_translate_eval_json(&e);

        add_file(json, s);
        cli_print_json(json);
        if (!o.inception && !cli_quiet(a)) fprintf(stderr, "no KID and FID: %s\n", gs_inception_advice());
    } else {
        gs_str text = { 0 };

        gs_translate_eval_text(&e, &text);
        printf("%s\n%s", gs_snapshot_path(s), gs_str_c(&text));
        gs_str_free(&text);
    }
done:
    gs_translate_eval_free(&e);
    return st;
}

static gs_status run(const cli_args *a)
{
    gs_snapshot *s = NULL;
    gs_device *d = NULL;
    const gs_setup *setup;
    gs_status st = GS_OK;

    TRY(cli_refuse_pickle(cli_operand(a, 0)));
    TRY(gs_snapshot_open(cli_operand(a, 0), cli_text(a, "config"), &s));
    setup = gs_snapshot_setup(s);
    TRY(check_options(a, setup->system));
    TRY(cli_device_open(a, setup->config, &d));
    TRY(setup->system->directions ? translations(a, s, d) : drawings(a, s, d));
done:
    gs_device_close(d);
    gs_snapshot_close(s);
    return st;
}

const cli_command cli_eval = {
    .name = "eval", .operands = "RUN|FILE", .summary = "Measures what a trained network draws",
    .about = "accuracy: the share that a classifier trained on the real pictures puts into the class asked for.\n"
             "diversity: spread within a class over that of the data. frechet: distance of the classifier's features to\n"
             "the test set's. parzen: log-likelihood of the test set under windows on the drawings. The classifier is\n"
             "trained once a data set, by Gesso, and kept in the cache.\n\n"
             "Systems that translate pictures: KID and FID of translations against the other domain's test pictures,\n"
             "by Inception-v3's weights that you have; the way there and back, the identity, colours; with a table of\n"
             "true partners also L1, PSNR and SSIM.",
    .min_operands = 1, .max_operands = 1, .options = options, .n_options = (int)GS_COUNT(options), .run = run,
};
