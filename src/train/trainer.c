/* The training loop: the same for every system; see train/system.h for what differs.
 *
 * Order within a step: the plan runs, numbers are logged, pictures are drawn, the checkpoint is written. So a
 * checkpoint of step N implies that the lines up to N are in the files, and resuming cuts the files back to
 * N. */
#include "train/trainer.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "io/checkpoint.h"
#include "train/outlook.h"
#include "train/signals.h"
#include "train/trainer_int.h"

/* ---- preparing ---- */

static gs_status open_device(gs__run *r)
{
    const gs_config *c = r->setup->config;
    const char *spec = r->o->device;
    gs_status st;

    if (!spec && !gs_config_is_auto(c, "run", "device")) spec = gs_config_str(c, "run", "device");
    st = gs_device_open(spec, &r->device);
    if (st == GS_OK) gs_setup_math(r->setup, r->device);
    if (st == GS_OK) st = gs_store_new(r->device, r->seed, &r->store);
    return st;
}

/* Where it ends: by epochs, or earlier by a limit of steps. */
static void set_limits(gs__run *r)
{
    const int64_t limit = r->o->steps > 0 ? r->o->steps : gs_config_int(r->setup->config, "train", "steps");

    r->n_epochs = r->system->epochs(r->setup->model);
    r->n_steps = r->n_epochs * r->system->batches(r->setup->model);
    if (r->system->steps) r->n_steps = GS_MIN(r->n_steps, r->system->steps(r->setup->model));
    if (limit > 0) r->n_steps = GS_MIN(r->n_steps, limit);
}

/* The step's plan for batches of that size; the second size is met at the end of the first epoch, if at all. */
static gs_status plan_for(gs__run *r, int batch, gs_plan **out)
{
    gs_graph *g;
    gs_plan *p = NULL;
    gs_status st;

    for (int i = 0; i < r->n_plans; i++) {
        if (r->plans[i].batch == batch) {
            *out = r->plans[i].plan;
            return GS_OK;
        }
    }
    g = gs_graph_new();
    st = r->system->build_step(r->setup->model, g, batch);
    if (st == GS_OK) {
        gs_compile_opts opts = gs_setup_compile_opts(r->setup);

        opts.budget = r->need.step_budget;
        gs__sums_build(g, r->system->n_metrics);
        st = gs_compile(g, r->device, r->store, &opts, &p);
    }
    gs_graph_free(g);
    if (st != GS_OK) return gs_fail_in(st, "the step for batches of %d", batch);
    r->plans[r->n_plans++] = (gs__step_plan){ batch, p };
    *out = p;
    return GS_OK;
}

static gs_status make_grid_z(gs__run *r)
{
    const gs_picture_info info = r->system->picture(r->setup->model);

    if (!r->system->build_sampler) return GS_OK; /* sheets have no noise */
    r->n_row = (int)gs_config_int(r->setup->config, "sample", "n_row");
    if (gs_config_choice(r->setup->config, "sample", "grid_z") != 0) return GS_OK; /* fresh */
    r->grid_z = gs_try_alloc((size_t)r->n_row * (size_t)info.latent, sizeof *r->grid_z, "latent vectors of the grid");
    if (!r->grid_z) return GS_ENOMEM;
    r->system->latent(r->setup->model, r->seed, 0, r->n_row, r->grid_z);
    return GS_OK;
}

static int64_t count_params(const gs__run *r, const char *prefix)
{
    int64_t n = 0;

    for (int i = 0; i < gs_store_count(r->store); i++) {
        if (gs_store_trainable(r->store, i) && strncmp(gs_store_name(r->store, i), prefix, strlen(prefix)) == 0) {
            n += gs_shape_count(gs_store_shape(r->store, i));
        }
    }
    return n;
}

/* What is about to be done, on what, with what. */
static gs_status introduce(gs__run *r, const gs_setup_memory *m)
{
    const gs_device_info *info = gs_device_get_info(r->device);
    gs_str s = { 0 };
    char a[32], b[32];
    gs_status st;

    gs_str_printf(&s, "%s: %s samples, %d batches an epoch, %lld epochs; ", r->system->name,
                  gs_count_text(a, r->system->samples(r->setup->model)), r->system->batches(r->setup->model), (long long)r->n_epochs);
    for (int i = 0; r->system->networks[i]; i++) {
        const char *net = r->system->networks[i];

        gs_str_printf(&s, "%.*s %s parameters, ", (int)strcspn(net, "."), net, gs_count_text(a, count_params(r, net)));
    }
    gs_str_printf(&s, "%s on %s (%s); folder %s", gs_bytes_text(b, (double)(m->state + m->workspace + m->constants)), info->name, info->id, r->dir);
    if (r->at.step > 0) gs_str_printf(&s, "; goes on after step %lld", (long long)r->at.step);
    gs__show_note(&r->show, gs_str_c(&s));
    st = gs_run_log(r->dir, "%s", gs_str_c(&s));
    gs_str_free(&s);
    return st;
}

static gs_status prepare(gs__run *r)
{
    bool resume, found = false;
    gs_plan *plan;
    gs_status st = GS_OK;

    TRY(gs__run_configure(r, &resume));
    TRY(open_device(r));
    TRY(gs__run_use_tuning(r, resume));
    TRY(gs_setup_fits(r->setup, r->device, &r->need));
    TRY(r->system->open_data(r->setup->model, r->setup->config));
    TRY(gs__run_enter(r, resume));
    TRY(gs__run_keep_tuning(r));
    set_limits(r);
    TRY(make_grid_z(r));
    TRY(plan_for(r, r->system->size_of(r->setup->model, 0), &plan));
    if (resume) TRY(gs__state_load(r, &found));
    if (!found && r->system->prime) TRY(r->system->prime(r->setup->model, r->store));
    TRY(gs__report_open(r, resume));
    TRY(introduce(r, &r->need));
    gs__state_room(r, r->need.state);
done:
    return st;
}

/* ---- the loop ---- */

static gs_status one_step(gs__run *r)
{
    const int size = r->system->size_of(r->setup->model, r->at.batch), log_every = (int)gs_config_int(r->setup->config, "train", "log_every");
    float metrics[GS_MAX_METRICS];
    gs_plan *plan = NULL;
    gs_status st = GS_OK;

    TRY(plan_for(r, size, &plan));
    TRY(r->system->feed(r->setup->model, plan, r->at));
    TRY(gs_plan_run(plan, r->seed, (uint64_t)r->at.step));
    r->at.step++;
    r->at.batch++;
    r->window++;
    if ((r->at.batch - 1) % log_every == 0) {
        TRY(gs_plan_fetch(plan, "metrics", metrics));
        TRY(gs__sums_read(r));
        TRY(gs__sums_flush(r));
        TRY(gs__report_batch(r, metrics));
    }
done:
    return st;
}

static gs_status end_of_epoch(gs__run *r)
{
    const int64_t interval = gs_config_int(r->setup->config, "sample", "sample_interval");
    gs_status st = GS_OK;

    TRY(gs__sums_read(r));
    TRY(gs__sums_flush(r));
    r->at.epoch++;
    r->at.batch = 0;
    TRY(gs__report_epoch(r));
    memset(r->epoch_sums, 0, sizeof r->epoch_sums);
    if (interval > 0 && (r->at.epoch % interval == 0 || r->at.epoch == r->n_epochs)) TRY(gs__report_grid(r, "epoch", 4, r->at.epoch));
    r->epoch_start = gs_now();
done:
    return st;
}

static void show_progress(gs__run *r, int images)
{
    const int batches = r->system->batches(r->setup->model);
    gs_train_progress p = { .step = r->at.step, .steps = r->n_steps, .epoch = GS_MIN(r->at.epoch + 1, r->n_epochs), .epochs = r->n_epochs,
                            .batch = r->at.batch, .batches = batches };

    if (r->at.epoch == r->n_epochs) p.batch = batches;
    gs__show_progress(&r->show, &p, images);
}

/* Waits for the steps that are on their way, so that a clock can be read. */
static gs_status wait_for_steps(gs__run *r)
{
    float metrics[GS_MAX_METRICS];

    return gs_plan_fetch(r->plans[0].plan, "metrics", metrics);
}

/* Once the first steps are timed, of a run that takes long. */
static gs_status show_outlook(gs__run *r)
{
    const int64_t left = r->n_steps - r->at.step;
    gs_status st = wait_for_steps(r);
    const double pace = (gs_now() - r->show.start) / GS_OUTLOOK_STEPS;
    gs_str s = { 0 };

    if (st != GS_OK) return st;
    if (pace * (double)left < GS_OUTLOOK_LEAST) return GS_OK;
    gs_outlook(r->setup, r->device, &r->need, pace, left, r->n_steps, time(NULL), &s);
    gs__show_note(&r->show, gs_str_c(&s));
    st = gs_run_log(r->dir, "%s", gs_str_c(&s));
    gs_str_free(&s);
    return st;
}

static gs_status loop(gs__run *r)
{
    const gs_config *c = r->setup->config;
    const int64_t every = gs_config_int(c, "checkpoint", "every"), grid_every = gs_config_int(c, "sample", "sample_interval_batches");
    const int batches = r->system->batches(r->setup->model);
    const int64_t first = r->at.step;
    gs_status st = GS_OK;

    r->epoch_start = gs_now();
    while (r->at.step < r->n_steps && r->at.epoch < r->n_epochs && !gs__signals_caught()) {
        const int images = r->system->size_of(r->setup->model, r->at.batch);
        bool ends;

        TRY(one_step(r));
        ends = r->at.batch == batches;
        if (grid_every > 0 && r->at.step % grid_every == 0) {
            TRY(gs__report_watched(r));
            TRY(gs__report_grid(r, "batch", 8, r->at.step));
        }
        if (ends) TRY(end_of_epoch(r));
        if (every > 0 ? r->at.step % every == 0 : ends) TRY(gs__state_save(r));
        /* The first step of a process waits for drivers that build kernels when they first run: it tells
         * nothing of the rest. */
        if (r->at.step == first + 1) {
            TRY(wait_for_steps(r));
            gs__show_begin_steps(&r->show, r->at.step);
        } else {
            show_progress(r, images);
        }
        if (r->at.step == first + 1 + GS_OUTLOOK_STEPS) TRY(show_outlook(r));
    }
done:
    return st;
}

/* Leaves a checkpoint and, for a run that its limit of steps has ended within an epoch, a last grid. */
static gs_status finish(gs__run *r)
{
    const bool grids = gs_config_int(r->setup->config, "sample", "sample_interval") > 0 ||
                       gs_config_int(r->setup->config, "sample", "sample_interval_batches") > 0;
    const int sig = gs__signals_caught();
    gs_status st = GS_OK;

    TRY(gs__state_save(r));
    if (sig && r->at.step < r->n_steps) {
        char text[200];

        snprintf(text, sizeof text, "stopped by %s after step %lld; --resume goes on from there", sig == SIGINT ? "SIGINT" : "SIGTERM", (long long)r->at.step);
        TRY(gs_run_log(r->dir, "%s", text));
        TRY(gs_fail(GS_ESTOPPED, "%s: %s", r->dir, text));
    }
    if (grids && r->grid_step != r->at.step) TRY(gs__report_grid(r, "batch", 8, r->at.step));
done:
    return st;
}

static void fill_result(const gs__run *r, gs_train_result *out)
{
    char *path = r->saved >= 0 ? gs_ckpt_path(r->checkpoints, r->saved) : NULL;

    *out = (gs_train_result){ .step = r->at.step, .epoch = r->at.epoch, .finished = r->n_epochs > 0 && r->at.epoch == r->n_epochs };
    snprintf(out->run, sizeof out->run, "%s", r->dir ? r->dir : "");
    snprintf(out->checkpoint, sizeof out->checkpoint, "%s", path ? path : "");
    snprintf(out->grid, sizeof out->grid, "%s", r->grid_path);
    free(path);
}

static void release(gs__run *r)
{
    gs__report_close(r);
    gs_sampler_free(r->sampler);
    for (int i = 0; i < r->n_plans; i++) gs_plan_free(r->plans[i].plan);
    gs_store_free(r->store);
    if (r->device) gs_device_close(r->device);
    gs__run_leave(r);
    gs_setup_free(r->setup);
    free(r->grid_z);
    free(r->dir);
    free(r->checkpoints);
    free(r);
}

gs_status gs_train(const gs_train_opts *o, gs_train_result *out)
{
    gs__run *r = gs_xalloc(sizeof *r);
    gs__signals former;
    gs_status st = GS_OK;

    r->o = o;
    r->lock = -1;
    r->saved = r->grid_step = -1;
    gs__signals_install(&former);
    gs__show_start(&r->show, o);
    TRY(prepare(r));
    st = loop(r);
    if (st == GS_OK) st = finish(r);
    gs__show_end(&r->show);
    if (st != GS_OK && st != GS_ESTOPPED) {
        char *sentence = gs_xstrdup(gs_last_error());

        gs_run_log(r->dir, "ended: %s", sentence);
        gs_fail(st, "%s", sentence); /* a log that cannot be written is not the reason */
        free(sentence);
    }
done:
    if (out) fill_result(r, out);
    release(r);
    gs__signals_restore(&former);
    return st;
}
