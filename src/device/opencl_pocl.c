/* PoCL: its compiler works in a cache folder of its own, and ends the process ("LLVM ERROR: IO failure") when what it writes there does not fit. */
#include "device/opencl_int.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { ROOM = 8 << 20 }; /* bytes; a program's source behind the preprocessor is a megabyte */

bool gs__is_pocl(const gs_device *d) { return strstr(d->info.platform, "Portable Computing Language") != NULL; }

/* Where 3.1 keeps what it compiles, whether it is there yet or not. An empty XDG_CACHE_HOME says nothing. */
static char *cache_folder(void)
{
    const char *own = getenv("POCL_CACHE_DIR"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

    if (own) return gs_xstrdup(own);
    if (xdg && *xdg) return gs_path_join(xdg, "pocl");
    return gs_path_join(home ? home : "/tmp", home ? ".cache/pocl" : "pocl");
}

/* Of the folder, or the nearest above it that is there. */
static bool disk_free(const char *folder, double *bytes)
{
    char *path = gs_xstrdup(folder), *end;
    bool known;

    while (!gs_dir_exists(path) && (end = strrchr(path, '/'))) end[end == path] = '\0'; /* "/" stays and is there */
    known = gs_disk_free(path, bytes);
    free(path);
    return known;
}

gs_status gs__pocl_room(const gs_device *d, const char *label)
{
    char *folder, need[32], has[32];
    struct rlimit limit;
    double bytes;
    gs_status st = GS_OK;

    if (!gs__is_pocl(d)) return GS_OK;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < ROOM)
        return gs_fail(GS_EIO, "%s cannot be built: files of this process may have %s at most (ulimit -f), and PoCL's compiler needs %s", label,
                       gs_bytes_text(has, (double)limit.rlim_cur), gs_bytes_text(need, ROOM));
    folder = cache_folder();
    if (disk_free(folder, &bytes) && bytes < ROOM)
        st = gs_fail(GS_EIO, "%s cannot be built: the disk of PoCL's cache, %s, has %s free, and its compiler needs %s; free some, or name another folder in "
                     "POCL_CACHE_DIR", label, folder, gs_bytes_text(has, bytes), gs_bytes_text(need, ROOM));
    free(folder);
    return st;
}
