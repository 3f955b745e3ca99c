/* What the test programs share. */
#include "testlib.h"

#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *gs_test_shared(void)
{
    const char *env = getenv("GESSO_SHARED");

    if (env && *env) return gs_dir_exists(env) ? env : NULL;
    return gs_dir_exists("../shared") ? "../shared" : NULL;
}

/* GESSO_TEST="heat*": only the cases whose names match. */
__attribute__((constructor)) static void choose_cases(void)
{
    const char *pattern = getenv("GESSO_TEST");

    if (pattern && *pattern) cmocka_set_test_filter(pattern);
}

static char **folders;
static int n_folders, cap_folders;
static pid_t owner; /* a forked child must not remove its parent's folders */

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
    (void)info, (void)flag, (void)ftw;
    return remove(path);
}

static int open_up(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
    (void)info, (void)ftw;
    if (flag == FTW_D || flag == FTW_DNR) chmod(path, 0700); /* a test may have made it read-only */
    return 0;
}

static void remove_folders(void)
{
    if (getpid() != owner) return;
    for (int i = 0; i < n_folders; i++) {
        nftw(folders[i], open_up, 16, FTW_PHYS);
        nftw(folders[i], remove_one, 16, FTW_PHYS | FTW_DEPTH);
        free(folders[i]);
    }
    free(folders);
}

char *gs_test_tmpdir(void)
{
    const char *root = getenv("TMPDIR");
    gs_str path = {0};

    gs_str_printf(&path, "%s/gesso-test-XXXXXX", root && *root ? root : "/tmp");
    if (!mkdtemp(path.data)) {
        perror(path.data);
        exit(1);
    }
    if (!owner) {
        owner = getpid();
        atexit(remove_folders);
    }
    GS_PUSH(folders, n_folders, cap_folders, gs_xstrdup(path.data));
    return path.data;
}

bool gs_test_contains(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

char *gs_test_slurp(const char *path)
{
    uint8_t *data;
    size_t size;

    assert_ok(gs_file_read(path, (size_t)64 << 20, &data, &size));
    return (char *)data;
}

/* Read by the address sanitizer where it is linked in: an allocation that is too large shall fail as malloc does. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
