/* gesso train: the training loop; what it shows meanwhile is the trainer's. */
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/model.h"
#include "cli/tune.h"
#include "train/trainer.h"

static const cli_option options[] = {
    CLI_SET,
    { 'r', "run", "DIR", CLI_TEXT, .help = "folder of the run; default: run.dir, else runs/ and the configuration's name" },
    { 'n', "steps", "N", CLI_INT, 1, INT64_MAX, .help = "stop when so many steps are done in all; default: train.steps, else by epochs" },
    { 'R', "resume", .type = CLI_FLAG, .help = "go on from the newest checkpoint of the run; from the start when there is none yet" },
    { 0, "tune", .type = CLI_FLAG, .help = "first find the fastest kernel variants for this run's shapes, where that was not done before" },
    CLI_DEVICE,
};

/* Before the run begins, since it keeps to the variants it began with. */
static gs_status tune(const cli_args *a, const char **set, int n_set)
{
    const char *config = cli_operand(a, 0);
    gs_tune_opts o = { .configs = &config, .n_configs = 1, .set = set, .n_set = n_set, .data = true };
    gs_tune_result r = { 0 };
    gs_setup *setup = NULL;
    gs_device *d = NULL;
    gs_status st = GS_OK;

    if (cli_given(a, "resume") || gs_dir_exists(config))
        TRY(gs_fail(GS_EUSAGE, "train: --tune is for runs that begin; one that goes on keeps to the variants it began with"));
    TRY(gs_setup_load(config, set, n_set, &setup));
    TRY(cli_device_open(a, setup->config, &d));
    TRY(cli_tune(d, &o, cli_quiet(a), false, &r));
    if (!cli_quiet(a))
        fprintf(stderr, "tuned: %d classes of shapes, %d measured now, %d with another variant than the preset (%.0f s)\n", r.classes,
                r.measured, r.changed, r.seconds);
done:
    gs_setup_free(setup);
    gs_device_close(d);
    return st;
}

static gs_status run(const cli_args *a)
{
    gs_train_result r = { 0 };
    int n_set;
    const char **set = cli_values(a, "set", &n_set);
    const gs_train_opts o = {
        .config = cli_operand(a, 0), .set = set, .n_set = n_set, .run = cli_text(a, "run"), .device = cli_text(a, "device"),
        .steps = cli_int(a, "steps"), .resume = cli_given(a, "resume"), .quiet = cli_quiet(a),
    };
    gs_status st = cli_given(a, "tune") ? tune(a, set, n_set) : GS_OK;

    if (st == GS_OK) st = gs_train(&o, &r);
    if (st == GS_OK || (st == GS_ESTOPPED && *r.run)) {
        printf("run         %s (step %lld, epoch %lld%s)\n", r.run, (long long)r.step, (long long)r.epoch, r.finished ? ", finished" : "");
        if (*r.checkpoint) printf("checkpoint  %s\n", r.checkpoint);
        if (*r.grid) printf("grid        %s\n", r.grid);
    }
    free(set);
    return st;
}

const cli_command cli_train = {
    .name = "train", .operands = "CONFIG|RUN", .summary = "Trains the networks of a configuration",
    .about = "The run folder is the result: config.ini, metrics.csv and .jsonl, samples/, plots/, checkpoints/, events/ for TensorBoard and log.txt.\n"
             "SIGINT and SIGTERM finish the step, save and end with status 130; --resume goes on, to the same bytes on the same device.\n"
             "After 20 steps, one that has more than an hour left says when it ends and what cheaper settings would take.\n"
             "CONFIG is an INI file (\"gesso help config\" lists the keys); a RUN stands for its config.ini and is resumed.",
    .min_operands = 1, .max_operands = 1, .options = options, .n_options = (int)GS_COUNT(options), .run = run,
};
