/* The run's configuration and folder. One process works in a folder at a time: it holds a lock on the folder
 * itself, which goes with the process however that ends. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "device/tuning.h"
#include "io/checkpoint.h"
#include "train/trainer_int.h"

enum { MAX_TUNING = 4 << 20 }; /* bytes */
static const char *const subfolders[] = { "checkpoints", "samples", "plots" };

/* "runs/<name>" of "configs/name.ini". */
static char *default_dir(const char *config)
{
    const char *slash = strrchr(config, '/'), *base = slash ? slash + 1 : config, *dot = strrchr(base, '.');
    gs_str s = { 0 };

    gs_str_printf(&s, "runs/%.*s", dot && dot > base ? (int)(dot - base) : (int)strlen(base), base);
    return s.data;
}

gs_status gs__run_configure(gs__run *r, bool *resume)
{
    const gs_train_opts *o = r->o;
    const bool folder = o->config && gs_dir_exists(o->config);
    char *ini = NULL;
    gs_status st = GS_OK;

    *resume = o->resume || folder;
    TRY(o->config ? GS_OK : gs_fail(GS_EUSAGE, "which configuration? Give an INI file, or a run folder to go on with it"));
    ini = folder ? gs_path_join(o->config, "config.ini") : gs_xstrdup(o->config);
    TRY(gs_setup_load(ini, o->set, o->n_set, &r->setup));
    r->system = r->setup->system;
    r->seed = (uint64_t)gs_config_int(r->setup->config, "train", "seed");
    if (o->run) r->dir = gs_xstrdup(o->run);
    else if (folder) r->dir = gs_xstrdup(o->config);
    else if (gs_config_is_auto(r->setup->config, "run", "dir")) r->dir = default_dir(ini);
    else r->dir = gs_xstrdup(gs_config_str(r->setup->config, "run", "dir"));
    r->checkpoints = gs_path_join(r->dir, "checkpoints");
done:
    free(ini);
    return st;
}

/* ---- is it the same run? ---- */

/* Keys that say how long, where and what to show, but not what is computed. */
static bool harmless(const gs_config_row *row)
{
    static const char *const sections[] = { "run", "log", "checkpoint", "sample", "memory" };
    static const char *const keys[][2] = {
        { "train", "n_epochs" }, { "train", "steps" }, { "train", "log_every" }, { "data", "threads" }, { "data", "cache" },
    };

    for (size_t i = 0; i < GS_COUNT(sections); i++) {
        if (strcmp(row->section, sections[i]) == 0) return true;
    }
    for (size_t i = 0; i < GS_COUNT(keys); i++) {
        if (strcmp(row->section, keys[i][0]) == 0 && strcmp(row->key, keys[i][1]) == 0) return true;
    }
    return false;
}

static gs_status same_config(const gs__run *r, const char *path)
{
    gs_config_table tables[2];
    gs_setup *former = NULL;
    const int n = gs_system_tables(r->system, tables);
    gs_status st = GS_OK;

    TRY(gs_setup_load(path, NULL, 0, &former));
    for (int t = 0; t < n; t++) {
        for (int i = 0; i < tables[t].n; i++) {
            const gs_config_row *row = &tables[t].rows[i];
            const char *was = gs_config_text(former->config, row->section, row->key);
            const char *is = gs_config_text(r->setup->config, row->section, row->key);

            if (harmless(row) || strcmp(was ? was : "", is ? is : "") == 0) continue;
            TRY(gs_fail(GS_ECONFIG, "%s: [%s] %s was %s when the run began, now it is %s: a resumed run keeps it; put it back, or start anew "
                                    "in another folder with --run", r->dir, row->section, row->key, was ? was : "(not set)",
                        is ? is : "(not set)"));
        }
    }
done:
    gs_setup_free(former);
    return st;
}

/* ---- the folder ---- */

static gs_status lock_folder(gs__run *r)
{
    r->lock = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->lock < 0) return gs_fail(GS_EIO, "%s: %s", r->dir, strerror(errno));
    if (flock(r->lock, LOCK_EX | LOCK_NB) == 0) return GS_OK;
    /* Some network file systems have no locks: then there is no protection, but no reason to refuse either. */
    if (errno != EWOULDBLOCK) return GS_OK;
    return gs_fail(GS_EUSAGE, "%s: another process is training in this folder", r->dir);
}

/* What a run that was ended in the middle of a write has left. */
static void clean(const gs__run *r)
{
    char **names;
    int n;

    gs_ckpt_clean(r->checkpoints);
    if (gs_dir_list(r->dir, &names, &n) != GS_OK) return;
    for (int i = 0; i < n; i++) {
        if (strstr(names[i], ".tmp-")) {
            char *path = gs_path_join(r->dir, names[i]);

            unlink(path);
            free(path);
        }
        free(names[i]);
    }
    free(names);
}

gs_status gs__run_enter(gs__run *r, bool resume)
{
    char *ini = gs_path_join(r->dir, "config.ini");
    gs_str text = { 0 };
    int64_t *steps = NULL;
    gs_status st = GS_OK;
    int n = 0;

    TRY(gs_mkdirs(r->dir));
    TRY(lock_folder(r));
    TRY(gs_ckpt_list(r->checkpoints, &steps, &n));
    if (!resume && (n > 0 || gs_file_exists(ini))) {
        TRY(gs_fail(GS_EUSAGE, "%s holds a run already: go on with it by --resume, or start anew in another folder with --run", r->dir));
    }
    if (resume && n > 0 && !gs_file_exists(ini)) {
        gs_warn("%s is missing; the checkpoints' own shapes must do to tell whether the run is the same", ini);
    } else if (resume && gs_file_exists(ini)) {
        TRY(same_config(r, ini));
    }
    clean(r);
    for (size_t i = 0; i < GS_COUNT(subfolders); i++) {
        char *path = gs_path_join(r->dir, subfolders[i]);

        st = gs_mkdirs(path);
        free(path);
        TRY(st);
    }
    gs_config_write(r->setup->config, &text);
    TRY(gs_file_write(ini, gs_str_c(&text), text.len));
done:
    gs_str_free(&text);
    free(steps);
    free(ini);
    return st;
}

/* ---- the variants that the run computes with ---- */

gs_status gs__run_use_tuning(gs__run *r, bool resume)
{
    char *path = gs_path_join(r->dir, "tuning.txt");
    uint8_t *text = NULL;
    int64_t *steps = NULL;
    bool foreign = false, worse = false;
    size_t size;
    int n = 0;
    gs_status st = GS_OK;

    if (!resume) goto done;
    TRY(gs_ckpt_list(r->checkpoints, &steps, &n));
    if (!gs_file_exists(path)) {
        if (n > 0) st = gs_tuning_use(r->device, NULL, path, &foreign, &worse); /* it began without choices */
        goto done;
    }
    st = gs_file_read(path, MAX_TUNING, &text, &size);
    if (st == GS_OK) st = gs_tuning_use(r->device, (const char *)text, path, &foreign, &worse);
    if (st != GS_OK)
        gs_warn("%s; the run goes on with what is known of the device now, and its numbers may differ in their last digits", gs_last_error());
    else if (foreign)
        gs_warn("%s: the run began on another device, driver or version of Gesso; its numbers from here on differ in their last digits", r->dir);
    else if (worse)
        gs_warn("%s: since the run began \"gesso check\" found a variant wrong that it may have used; from here on it uses another", r->dir);
    st = GS_OK;
done:
    free(text);
    free(steps);
    free(path);
    return st;
}

gs_status gs__run_keep_tuning(gs__run *r)
{
    char *path = gs_path_join(r->dir, "tuning.txt"), *text = gs_tuning_text(r->device);
    const gs_status st = gs_file_write(path, text, strlen(text));

    free(text);
    free(path);
    return st;
}

void gs__run_leave(gs__run *r)
{
    if (r->lock >= 0) close(r->lock);
    r->lock = -1;
}
