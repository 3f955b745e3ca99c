/* Files, trainings and calls of the program in a folder of the test's own. */
#include "runs.h"

#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "train/trainer.h"

const char *gs_test_dir(void)
{
    static char *dir;

    if (!dir) dir = gs_test_tmpdir();
    return dir;
}

char *gs_test_path(const char *name)
{
    return gs_path_join(gs_test_dir(), name);
}

void gs_test_put(const char *name, const void *data, size_t size)
{
    char *path = gs_test_path(name), *slash = strrchr(path, '/');

    *slash = 0;
    assert_ok(gs_mkdirs(path));
    *slash = '/';
    assert_ok(gs_file_write(path, data, size));
    free(path);
}

static bool same_bytes(const char *a, const char *b)
{
    char *pa = gs_test_path(a), *pb = gs_test_path(b);
    uint8_t *da, *db;
    size_t na, nb;
    bool same;

    assert_ok(gs_file_read(pa, 1 << 26, &da, &na));
    assert_ok(gs_file_read(pb, 1 << 26, &db, &nb));
    same = na == nb && memcmp(da, db, na) == 0;
    free(da), free(db), free(pa), free(pb);
    return same;
}

void gs_test_same_file(const char *a, const char *b)
{
    if (!same_bytes(a, b)) fail_msg("%s and %s differ", a, b);
}

void gs_test_different_file(const char *a, const char *b)
{
    if (same_bytes(a, b)) fail_msg("%s and %s are the same", a, b);
}

gs_status gs_test_train(const char *ini, const char *run, int64_t steps, bool resume, const char *extra)
{
    char *path = gs_test_path("train.ini"), *out = gs_test_path(run), root[1024];
    const char *set[2] = { root, extra };
    gs_train_opts o = { .config = path, .set = set, .n_set = extra ? 2 : 1, .run = out, .steps = steps, .resume = resume, .quiet = true };
    gs_status st;

    snprintf(root, sizeof root, "data.root=%s/faces", gs_test_dir());
    gs_test_put("train.ini", ini, strlen(ini));
    st = gs_train(&o, NULL);
    free(path);
    free(out);
    return st;
}

void gs_test_works(const char *arguments)
{
    const gs_test_result r = gs_test_gesso(gs_test_dir(), "", arguments);

    if (r.status != 0) fail_msg("gesso %s: %s", arguments, r.err);
    gs_test_done(r);
}

void gs_test_refuses(const char *arguments, const char *part)
{
    const gs_test_result r = gs_test_gesso(gs_test_dir(), "", arguments);

    if (r.status == 0) fail_msg("gesso %s succeeded", arguments);
    if (!strstr(r.err, part)) fail_msg("gesso %s: wanted \"%s\" in: %s", arguments, part, r.err);
    gs_test_done(r);
}

char *gs_test_stdout(void)
{
    char *path = gs_test_path("stdout"), *text = gs_test_slurp(path);

    free(path);
    return text;
}
