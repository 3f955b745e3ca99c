/* How long a process takes from its start to its first step, with no kernel cached and with all of them: the
 * program is started again with cache folders of its own, Gesso's and the drivers', and says when the step is
 * done. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench_int.h"

enum { WARM_SAMPLES = 3 };
#define MOST_SECONDS 300.0 /* for one start, however much time there is */

extern char **environ;

/* Where Gesso and the drivers keep what they compile. */
static const char *const caches[] = { "XDG_CACHE_HOME", "POCL_CACHE_DIR", "CUDA_CACHE_PATH", "MESA_SHADER_CACHE_DIR" };

static int remove_entry(const char *path, const struct stat *s, int flag, struct FTW *f)
{
    (void)s, (void)flag, (void)f;
    return remove(path);
}

/* This environment with the caches in `dir`. The array and its first GS_COUNT(caches) texts are the caller's
 * to free. */
static char **environment(const char *dir)
{
    int n = 0, k = 0;
    char **env;

    while (environ[n]) n++;
    env = gs_xalloc(((size_t)n + GS_COUNT(caches) + 1) * sizeof *env);
    for (; k < (int)GS_COUNT(caches); k++) {
        const size_t size = strlen(caches[k]) + strlen(dir) + 8;

        env[k] = gs_xalloc(size);
        snprintf(env[k], size, "%s=%s", caches[k], dir);
    }
    for (int i = 0; i < n; i++) {
        bool own = false;

        for (size_t c = 0; c < GS_COUNT(caches); c++) {
            const size_t len = strlen(caches[c]);

            own = own || (strncmp(environ[i], caches[c], len) == 0 && environ[i][len] == '=');
        }
        if (!own) env[k++] = environ[i];
    }
    return env;
}

/* Reads until the process has said that its step is done. GS_EDEVICE: it ended before, or time ran out. */
static gs_status wait_for_step(int fd, double limit)
{
    static const char said[] = GS_BENCH_FIRST_STEP;
    char text[256];
    size_t n = 0;
    const double start = gs_now();

    while (n < sizeof text - 1) {
        const double left = limit - (gs_now() - start);
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ssize_t got;

        if (left <= 0 || poll(&p, 1, (int)(1000 * left) + 1) == 0) return gs_fail(GS_EDEVICE, "no first step within %.0f s", limit);
        got = read(fd, text + n, sizeof text - 1 - n);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        n += (size_t)got;
        text[n] = 0;
        if (strstr(text, said)) return GS_OK;
    }
    return gs_fail(GS_EDEVICE, "the started process ended before its first step");
}

static gs_status start_once(const char *program, const char *device, const char *model, const char *dir, double limit, double *seconds)
{
    char **env = environment(dir);
    const char *argv[] = { program, "bench", "--first-step", model, device ? "--device" : NULL, device, NULL };
    posix_spawn_file_actions_t actions;
    int fd[2] = { -1, -1 }, status = 0, failed;
    pid_t pid = -1;
    double start;
    gs_status st = GS_OK;

    posix_spawn_file_actions_init(&actions);
    if (pipe2(fd, O_CLOEXEC) != 0) TRY(gs_fail(GS_EIO, "pipe: %s", strerror(errno)));
    posix_spawn_file_actions_adddup2(&actions, fd[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    start = gs_now();
    failed = posix_spawn(&pid, program, &actions, NULL, (char *const *)argv, env);
    if (failed) TRY(gs_fail(GS_EIO, "%s: %s", program, strerror(failed)));
    close(fd[1]);
    fd[1] = -1;
    st = wait_for_step(fd[0], limit);
    *seconds = gs_now() - start;
    if (st != GS_OK) kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
done:
    if (fd[0] >= 0) close(fd[0]);
    if (fd[1] >= 0) close(fd[1]);
    posix_spawn_file_actions_destroy(&actions);
    for (size_t i = 0; i < GS_COUNT(caches); i++) free(env[i]);
    free(env);
    return st;
}

gs_status gs__measure_starts(const char *program, const char *device, const char *model, double seconds, gs__starts *out)
{
    const char *tmp = getenv("TMPDIR");
    char dir[512];
    double v[WARM_SAMPLES];
    const double start = gs_now();
    gs_status st = GS_OK;

    *out = (gs__starts){ 0 };
    snprintf(dir, sizeof dir, "%s/gesso-start-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(dir)) return gs_fail(GS_EIO, "%s: %s", dir, strerror(errno));
    TRY(start_once(program, device, model, dir, MOST_SECONDS, &out->cold));
    do {
        TRY(start_once(program, device, model, dir, MOST_SECONDS, &v[out->warm_samples]));
        out->warm_samples++;
    } while (out->warm_samples < WARM_SAMPLES && gs_now() - start < seconds);
    gs__spread(v, out->warm_samples, &out->warm, &out->warm_mad);
done:
    nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return st;
}
