/* gesso eval: the metrics of a trained run against the data it was trained on. */
#include <stdlib.h>

#include "cli/model.h"
#include "eval/cgan_eval.h"
#include "train/snapshot.h"

static const cli_option options[] = {
    { 'm', "metric", "NAME", CLI_TEXT, .repeat = true, .help = "accuracy, diversity, frechet, parzen, bars or all; default: those that the data set has" },
    { 'n', "count", "N", CLI_INT, 2, 100000, "1000", .help = "generated pictures of each class" },
    { 's', "seed", "N", CLI_INT, 0, INT64_MAX, "0", .help = "of the generator's noise" },
    { 'p', "plot", "FILE.png", CLI_TEXT, .help = "draw the confusion matrix" },
    { 0, "config", "INI", CLI_TEXT, .help = "configuration of a file that carries none, or whose data lie elsewhere now" },
    CLI_DEVICE,
    CLI_JSON,
};

static gs_status run(const cli_args *a)
{
    gs_cgan_eval_opts o = { .per_class = (int)cli_int(a, "count"), .seed = (uint64_t)cli_int(a, "seed") };
    gs_snapshot *s = NULL;
    gs_device *d = NULL;
    gs_cgan_eval e = { 0 };
    const char *metric;
    gs_status st = GS_OK;

    if (!cli_quiet(a)) o.classifier.progress = gs_eval_progress_stderr;
    for (int i = 0; (metric = cli_nth(a, "metric", i)); i++) TRY(gs_cgan_metric_parse(metric, &o.metrics));
    TRY(cli_refuse_pickle(cli_operand(a, 0)));
    TRY(gs_snapshot_open(cli_operand(a, 0), cli_text(a, "config"), &s));
    if (gs_snapshot_setup(s)->system->directions) {
        TRY(gs_fail(GS_EUSAGE, "eval: system %s translates pictures, for which there are no metrics yet; \"gesso generate\" shows what it does",
                    gs_snapshot_setup(s)->system->name));
    }
    TRY(cli_device_open(a, gs_snapshot_setup(s)->config, &d));
    TRY(gs_cgan_eval_run(d, s, &o, &e));
    if (cli_text(a, "plot")) TRY(gs_cgan_eval_plot(&e, cli_text(a, "plot")));
    if (cli_given(a, "json")) {
        cJSON *json = gs_cgan_eval_json(&e);

        cJSON_AddStringToObject(json, "path", gs_snapshot_path(s));
        if (gs_snapshot_step(s) >= 0) cJSON_AddNumberToObject(json, "step", (double)gs_snapshot_step(s));
        cli_print_json(json);
    } else {
        gs_str text = { 0 };

        gs_cgan_eval_text(&e, &text);
        printf("%s\n%s", gs_snapshot_path(s), gs_str_c(&text));
        gs_str_free(&text);
    }
done:
    gs_cgan_eval_free(&e);
    gs_device_close(d);
    gs_snapshot_close(s);
    return st;
}

const cli_command cli_eval = {
    .name = "eval", .operands = "RUN|FILE", .summary = "Measures what a trained network draws",
    .about = "accuracy: the share that a classifier trained on the real pictures puts into the class asked for. diversity: spread within a class over\n"
             "that of the data. frechet: distance of the classifier's features to the test set's. parzen: log-likelihood of the test set under windows\n"
             "on the drawings. The classifier is trained once a data set, by Gesso, and kept in the cache.",
    .min_operands = 1, .max_operands = 1, .options = options, .n_options = (int)GS_COUNT(options), .run = run,
};
