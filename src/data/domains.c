/* See the header. */
#include "data/domains.h"

#include <stdlib.h>

typedef struct job {
    const char *dir;
    gs_domain_draw *draw;
    bool b;
    uint64_t seed, first;
    gs_status *st; /* of each picture */
    char **errors;
} job;

static void write_one(void *user, int i)
{
    const job *j = user;
    char name[32], *path;
    gs_image img;
    gs_status st = j->draw(&img, j->b, j->seed, j->first + (uint64_t)i);

    snprintf(name, sizeof name, "%06d.png", i);
    path = gs_path_join(j->dir, name);
    if (st == GS_OK) st = gs_png_write(path, &img);
    if (st != GS_OK) j->errors[i] = gs_xstrdup(gs_last_error());
    j->st[i] = st;
    gs_image_free(&img);
    free(path);
}

static gs_status write_folder(const char *root, const char *name, int n, uint64_t first, job j)
{
    char *dir = gs_path_join(root, name);
    gs_status st = GS_OK;

    j.dir = dir;
    j.first = first;
    j.st = gs_xalloc((size_t)n * sizeof *j.st);
    j.errors = gs_xalloc((size_t)n * sizeof *j.errors);
    TRY(gs_mkdirs(dir));
    gs_parallel_for(n, 0, write_one, &j);
    for (int i = 0; i < n; i++)
        if (j.errors[i]) TRY(gs_fail(j.st[i], "%s", j.errors[i]));
done:
    for (int i = 0; i < n; i++) free(j.errors[i]);
    free(j.errors);
    free(j.st);
    free(dir);
    return st;
}

gs_status gs_domains_write(const char *dir, int n_train, int n_test, uint64_t seed, gs_domain_draw *draw)
{
    const job a = { .draw = draw, .seed = seed }, b = { .draw = draw, .seed = seed, .b = true };
    gs_status st = GS_OK;

    if (n_train < 1 || n_train > 1000000 || n_test < 1 || n_test > 1000000)
        return gs_fail(GS_EINVAL, "%s: %d training and %d test pictures: each from 1 to 1000000", dir, n_train, n_test);
    TRY(write_folder(dir, "trainA", n_train, 0, a));
    TRY(write_folder(dir, "trainB", n_train, 0, b));
    TRY(write_folder(dir, "testA", n_test, GS_DOMAINS_TEST, a));
    TRY(write_folder(dir, "testB", n_test, GS_DOMAINS_TEST, b));
done:
    return st;
}
