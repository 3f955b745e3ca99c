/* Commands in a shell, the program, and where the driver's cache is. */
#include "command.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

gs_test_result gs_test_command(const char *dir, const char *command)
{
    char *out = gs_path_join(dir, "stdout"), *err = gs_path_join(dir, "stderr");
    gs_str line = { 0 };
    gs_test_result r;
    int status;

    gs_str_printf(&line, "D='%s'; { %s\n} >'%s' 2>'%s'", dir, command, out, err);
    status = system(line.data);
    r.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    r.out = gs_test_slurp(out);
    r.err = gs_test_slurp(err);
    gs_str_free(&line);
    free(out);
    free(err);
    return r;
}

void gs_test_done(gs_test_result r)
{
    free(r.out);
    free(r.err);
}

const char *gs_test_program_path(void)
{
    static char path[4096];
    const char *build = getenv("GESSO_BUILD");

    if (!*path) snprintf(path, sizeof path, "%s/gesso", build && *build ? build : "build");
    return path;
}

gs_test_result gs_test_gesso(const char *dir, const char *environment, const char *arguments)
{
    gs_str command = { 0 };
    gs_test_result r;

    gs_str_printf(&command, "G='%s'; %s \"$G\" %s", gs_test_program_path(), environment, arguments);
    r = gs_test_command(dir, command.data);
    gs_str_free(&command);
    return r;
}

const char *gs_test_beside(const char *name)
{
    static char path[4096];
    const size_t room = strlen(name) + 1;
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - room);
    char *slash;

    if (n <= 0) return NULL;
    path[n] = '\0';
    slash = strrchr(path, '/');
    strcpy(slash + 1, name);
    return path;
}

void gs_test_keep_pocl_cache(void)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    gs_str s = { 0 };

    if (getenv("POCL_CACHE_DIR")) return;
    if (xdg && *xdg) gs_str_printf(&s, "%s/pocl/kcache", xdg);
    else if (home && *home) gs_str_printf(&s, "%s/.cache/pocl/kcache", home);
    else return;
    setenv("POCL_CACHE_DIR", s.data, 1);
    gs_str_free(&s);
}
