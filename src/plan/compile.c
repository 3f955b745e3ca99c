/* gs_compile: the passes in order, the check that the plan fits, and freeing. */
#include "plan/plan_int.h"

#include <stdlib.h>
#include <string.h>

#define MAX_TRIES 8
#define SHARE_STEPS 8

static gs_status check_fits(const gs_plan *p)
{
    const gs_device_info *info = gs_plan_device(p);
    const gs_plan_stats t = gs_plan_get_stats(p);
    const size_t need = t.state_bytes + t.workspace_bytes + t.constant_bytes;
    char a[32], b[32], c[32], d[32];

    if (need <= info->memory) return GS_OK;
    return gs_fail(GS_ELIMIT, "the plan needs %s (parameters and optimiser %s, activations %s) and %s has %s: use a smaller batch, "
                              "image size or width", gs_bytes_text(a, (double)need), gs_bytes_text(b, (double)t.state_bytes),
                   gs_bytes_text(c, (double)t.workspace_bytes), info->name, gs_bytes_text(d, (double)info->memory));
}

static size_t workspace(const gs_plan *p) { return gs_plan_get_stats(p).workspace_bytes; }

/* Places the plan's memory, and shares what can be shared without needing more of it: less where gaps between values cost the rest. u: to
 * undo that, or to end it. */
static gs_status place(gs_plan *p, gs_shared *u)
{
    gs_status st = gs__pass_memory(p);
    const size_t alone = workspace(p), step = p->live_bytes / SHARE_STEPS;

    for (size_t most = p->live_bytes; most >= step && st == GS_OK && !p->off_share; most -= step) {
        gs__pass_share(p, most, u);
        st = gs__pass_memory(p);
        if (st != GS_OK || workspace(p) <= alone) return st;
        gs__share_undo(p, u);
    }
    return st == GS_OK ? gs__pass_memory(p) : st;
}

/* Repeats launches until the plan takes a workspace of at most room. */
static gs_status repeat(gs_plan *p, size_t budget, size_t fixed, size_t room)
{
    size_t most = room;
    char a[32], b[32], c[32], e[32];
    gs_status st = gs__pass_memory(p);

    for (int tries = 0; workspace(p) > room && st == GS_OK; tries++) { /* again when gaps between values cost the rest */
        const size_t least = gs__pass_remat(p, most);

        if (least > most || tries == MAX_TRIES)
            return gs_fail(GS_ELIMIT, "of the memory budget the plan may take %s, and it needs %s with all computed again "
                                      "that can be (parameters and optimiser %s, activations %s): raise memory.budget, or "
                                      "use a smaller batch, image size or width",
                           gs_bytes_text(a, (double)budget), gs_bytes_text(b, (double)(fixed + GS_MAX(least, room + 1))),
                           gs_bytes_text(c, (double)gs_plan_get_stats(p).state_bytes),
                           gs_bytes_text(e, (double)GS_MAX(least, room + 1)));
        st = gs__pass_memory(p);
        if (workspace(p) <= room) break;
        most = GS_MIN(most, p->live_bytes);
        most -= GS_MIN(most, workspace(p) - room);
    }
    return st;
}

/* Places the plan's memory, with a budget (0: none) so that all fits. */
static gs_status place_within(gs_plan *p, size_t budget)
{
    gs_shared u = { 0 };
    gs_status st = place(p, &u);

    if (st == GS_OK && budget) {
        const size_t fixed = gs_plan_get_stats(p).state_bytes + gs_plan_get_stats(p).constant_bytes;
        const size_t room = budget > fixed ? budget - fixed : 0;

        p->kept_bytes = workspace(p);
        if (p->kept_bytes > room) {
            if (u.before) gs__share_undo(p, &u);
            st = repeat(p, budget, fixed, room);
            if (st == GS_OK) st = place(p, &u);
        }
    }
    gs__share_end(p, &u);
    return st;
}

static void free_compile_time(gs_plan *p)
{
    for (int i = 0; i < p->n_units; i++) {
        free(p->units[i]->roots);
        free(p->units[i]->deps);
    }
    free(p->order);
    free(p->info);
    free(p->units);
    free(p->schedule);
    free(p->writes);
    free(p->kernel_hashes);
    gs_str_free(&p->source);
    gs_arena_free(p->arena);
    p->order = NULL;
    p->info = NULL;
    p->units = p->schedule = NULL;
    p->writes = NULL;
    p->kernel_hashes = NULL;
    p->arena = NULL;
    p->g = NULL;
    p->n_units = 0;
}

/* *again: it failed over a variant's kernel, which the next attempt goes without. */
static gs_status attempt(gs_graph *g, gs_device *d, gs_store *store, const gs_compile_opts *opts, bool *again, gs_plan **out)
{
    gs_plan *p = NULL;
    gs_status st = GS_OK;
    const char *on = opts && opts->on ? opts->on : getenv("GESSO_ON");
    char *off = NULL;

    *out = NULL;
    TRY(gs_graph_status(g));
    p = gs_xalloc(sizeof *p);
    p->d = d;
    p->g = g;
    p->arena = gs_arena_new();
    p->dry_run = opts && opts->dry_run;
    p->no_winograd = opts && opts->no_winograd;
    off = gs_xstrdup(opts && opts->off ? opts->off : getenv("GESSO_OFF") ? getenv("GESSO_OFF") : "");
    p->off_cse = gs_lists(off, "cse");
    p->off_simplify = gs_lists(off, "simplify");
    p->off_factors = gs_lists(off, "factors");
    p->off_fuse = gs_lists(off, "fuse");
    p->off_epilogue = p->off_fuse || gs_lists(off, "epilogue") || /* CPUs are slower with it (docs/KERNELS.md) */
                      (gs__cpu_forms(&d->info) && !gs_lists(on, "epilogue"));
    p->off_rows = p->off_fuse || gs_lists(off, "rows");
    p->off_columns = gs_lists(off, "columns");
    p->off_inplace = gs_lists(off, "inplace");
    p->off_share = gs_lists(off, "share");
    p->use = gs_xstrdup(opts && opts->use ? opts->use : "");
    p->off_graphs = gs_lists(off, "graphs");
    p->store = store;
    if (!store || p->dry_run) { /* a dry run leaves the caller's store alone */
        TRY(gs_store_new(d, 0, &p->store));
        p->own_store = true;
    }
    TRY(gs__store_add(p->store, g, !p->dry_run));
    TRY(gs__pass_simplify(p));
    TRY(gs__pass_fuse(p));
    TRY(gs__pass_rows(p));
    TRY(gs__pass_schedule(p));
    TRY(gs__pass_lower(p));
    TRY(place_within(p, opts ? opts->budget : 0));
    TRY(check_fits(p));
    if (!p->dry_run) TRY(gs__plan_bind(p));
    if (gs_debug_level() >= 2 && !p->dry_run) p->seconds = gs_xalloc((size_t)GS_MAX(p->n_launches, 1) * sizeof *p->seconds);
    free_compile_time(p);
    if (gs_debug_level() >= 3) {
        char *text = gs_plan_text(p);

        gs_debug(3, "%s", text);
        free(text);
    }
done:
    free(off);
    *again = st == GS_EBUILD && p && p->again;
    if (st != GS_OK) {
        gs_plan_free(p);
        p = NULL;
    }
    *out = p;
    return st;
}

gs_status gs_compile(gs_graph *g, gs_device *d, gs_store *store, const gs_compile_opts *opts, gs_plan **out)
{
    gs_status st;
    bool again;

    do st = attempt(g, d, store, opts, &again, out);
    while (again); /* there are as many attempts as variants at most */
    return st;
}

void gs_plan_free(gs_plan *p)
{
    if (!p) return;
    if (p->seconds && p->runs) gs__plan_print_times(p);
    gs__plan_drop_recording(p);
    for (int i = 0; i < p->n_launches; i++) gs__launch_free(p, p->launches[i]);
    for (int i = 0; i < p->n_values; i++) {
        free(p->values[i]->name);
        free(p->values[i]->host);
        free(p->values[i]);
    }
    for (int i = 0; i < p->n_outputs; i++) free(p->outputs[i].name);
    for (int i = 0; i < p->n_inputs; i++) free(p->inputs[i].name);
    if (p->constants) p->d->drv->free(p->d, p->constants);
    free_compile_time(p);
    if (p->own_store) gs_store_free(p->store);
    free(p->launches);
    free(p->values);
    free(p->outputs);
    free(p->inputs);
    free(p->chunks);
    free(p->seconds);
    free(p->uses);
    free(p->use);
    free(p);
}
