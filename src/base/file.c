/* Files: bounded reading, atomic writing, folders. Every message names the path and the system's reason. */
#include "base/base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static gs_status fail_errno(const char *path)
{
    return gs_fail(GS_EIO, "%s: %s", path, strerror(errno));
}

gs_status gs_file_read(const char *path, size_t max, uint8_t **data, size_t *size)
{
    gs_status st = GS_OK;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    uint8_t *buf = NULL;
    size_t n = 0, cap;

    *data = NULL;
    *size = 0;
    TRY(fd >= 0 && fstat(fd, &info) == 0 ? GS_OK : fail_errno(path));
    TRY(S_ISDIR(info.st_mode) ? gs_fail(GS_EIO, "%s: is a folder, not a file", path) : GS_OK);
    TRY(info.st_size > 0 && (uintmax_t)info.st_size > max
            ? gs_fail(GS_ELIMIT, "%s: %lld bytes, at most %zu are read", path, (long long)info.st_size, max) : GS_OK);
    /* st_size is a hint: pipes and /proc report 0, and a file may grow while it is read */
    cap = info.st_size > 0 ? (size_t)info.st_size + 1 : 4096;
    for (;;) {
        uint8_t *grown;
        ssize_t got;

        if (!buf || n == cap) {
            if (buf) cap = cap > SIZE_MAX / 2 - 1 ? SIZE_MAX - 1 : 2 * cap;
            grown = realloc(buf, cap + 1);
            TRY(grown ? GS_OK : gs_fail(GS_ENOMEM, "%s: no memory for %zu bytes", path, cap));
            buf = grown;
        }
        got = read(fd, buf + n, cap - n);
        if (got < 0 && errno == EINTR) continue;
        TRY(got < 0 ? fail_errno(path) : GS_OK);
        if (got == 0) break;
        n += (size_t)got;
        TRY(n > max ? gs_fail(GS_ELIMIT, "%s: more than %zu bytes", path, max) : GS_OK);
    }
    buf[n] = 0;
    *data = buf;
    *size = n;
done:
    if (fd >= 0) close(fd);
    if (st != GS_OK) free(buf);
    return st;
}

struct gs_file_out {
    char *path, *temp; /* temp is NULL when path is a device or a pipe, which is written directly */
    FILE *fp;
};

static void file_out_free(gs_file_out *f)
{
    if (f->fp) fclose(f->fp);
    free(f->path);
    free(f->temp);
    free(f);
}

gs_status gs_file_out_open(const char *path, gs_file_out **out)
{
    static unsigned counter;
    gs_file_out *f = gs_xalloc(sizeof *f);
    gs_status st = GS_OK;
    struct stat info;
    int fd = -1;

    *out = NULL;
    f->path = gs_xstrdup(path);
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        TRY(S_ISDIR(info.st_mode) ? gs_fail(GS_EIO, "%s: is a folder, not a file", path) : GS_OK);
        fd = open(path, O_WRONLY | O_CLOEXEC);
    } else {
        /* beside the target, since rename works only within one file system; O_EXCL, so that two processes differ.
         * Not mkstemp: that gives mode 0600 whatever the umask says. */
        for (int attempt = 0; attempt < 100 && fd < 0; attempt++) {
            gs_str name = {0};

            gs_str_printf(&name, "%s.tmp-%ld-%u", path, (long)getpid(),
                          __atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED));
            free(f->temp);
            f->temp = name.data;
            fd = open(f->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
            if (fd < 0 && errno != EEXIST) break;
        }
    }
    TRY(fd < 0 ? fail_errno(path) : GS_OK);
    f->fp = fdopen(fd, "wb");
    if (!f->fp) {
        st = fail_errno(path);
        close(fd);
        if (f->temp) unlink(f->temp);
        goto done;
    }
    *out = f;
done:
    if (st != GS_OK) file_out_free(f);
    return st;
}

gs_status gs_file_out_write(gs_file_out *f, const void *data, size_t size)
{
    if (size && fwrite(data, 1, size, f->fp) != size) return fail_errno(f->path);
    return GS_OK;
}

/* Without the fsync of the folder the new name may be lost in a power cut. File systems that cannot do it (EINVAL) keep
 * what they can. */
static gs_status sync_folder_of(const char *path)
{
    char *dir = gs_xstrdup(path), *slash = strrchr(dir, '/');
    gs_status st = GS_OK;
    int fd;

    if (slash == dir) slash[1] = '\0';
    else if (slash) *slash = '\0';
    fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP) st = fail_errno(path);
    if (fd >= 0) close(fd);
    free(dir);
    return st;
}

gs_status gs_file_out_commit(gs_file_out **out)
{
    gs_file_out *f = *out;
    gs_status st = GS_OK;
    int closed;

    *out = NULL;
    TRY(fflush(f->fp) == 0 && !ferror(f->fp) ? GS_OK : fail_errno(f->path));
    if (f->temp) TRY(fsync(fileno(f->fp)) == 0 ? GS_OK : fail_errno(f->path));
    closed = fclose(f->fp);
    f->fp = NULL;
    TRY(closed == 0 ? GS_OK : fail_errno(f->path));
    if (f->temp) {
        TRY(rename(f->temp, f->path) == 0 ? GS_OK : fail_errno(f->path));
        free(f->temp);
        f->temp = NULL;
        TRY(sync_folder_of(f->path));
    }
done:
    if (f->temp) unlink(f->temp);
    file_out_free(f);
    return st;
}

void gs_file_out_abort(gs_file_out **out)
{
    gs_file_out *f = *out;

    *out = NULL;
    if (!f) return;
    if (f->temp) unlink(f->temp);
    file_out_free(f);
}

gs_status gs_file_write(const char *path, const void *data, size_t size)
{
    gs_file_out *f = NULL;
    gs_status st = GS_OK;

    TRY(gs_file_out_open(path, &f));
    TRY(gs_file_out_write(f, data, size));
    TRY(gs_file_out_commit(&f));
done:
    gs_file_out_abort(&f);
    return st;
}

/* A line that does not fit on the disk is taken back, so that the file always ends in a whole line. */
gs_status gs_file_append(const char *path, const char *text)
{
    const int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    const size_t len = strlen(text);
    gs_status st = GS_OK;
    gs_str line = {0};
    struct stat info;
    size_t n = 0;

    TRY(fd >= 0 && fstat(fd, &info) == 0 ? GS_OK : fail_errno(path));
    gs_str_append(&line, text, len);
    if (!len || text[len - 1] != '\n') gs_str_append(&line, "\n", 1);
    while (n < line.len) {
        const ssize_t put = write(fd, line.data + n, line.len - n);

        if (put < 0 && errno == EINTR) continue;
        if (put < 0) {
            st = fail_errno(path);
            if (n && S_ISREG(info.st_mode) && ftruncate(fd, info.st_size) != 0)
                gs_fail(GS_EIO, "%s: ends in half a line: %s", path, strerror(errno));
            goto done;
        }
        n += (size_t)put;
    }
done:
    if (fd >= 0 && close(fd) != 0 && st == GS_OK) st = fail_errno(path);
    gs_str_free(&line);
    return st;
}

gs_status gs_mkdirs(const char *path)
{
    char *p = gs_xstrdup(path);
    gs_status st = GS_OK;

    for (char *s = p + (*p == '/'); *s; s++) {
        if (*s != '/') continue;
        *s = '\0';
        TRY(mkdir(p, 0777) == 0 || errno == EEXIST ? GS_OK : fail_errno(p));
        *s = '/';
    }
    TRY(mkdir(p, 0777) == 0 || errno == EEXIST ? GS_OK : fail_errno(path));
    TRY(gs_dir_exists(path) ? GS_OK : gs_fail(GS_EIO, "%s: exists and is not a folder", path));
done:
    free(p);
    return st;
}

bool gs_file_exists(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
}

bool gs_disk_free(const char *dir, double *bytes)
{
    struct statvfs v;

    if (statvfs(dir, &v) != 0 || v.f_blocks == 0) return false; /* some network drives tell nothing */
    *bytes = (double)v.f_bavail * (double)v.f_frsize;
    return true;
}

bool gs_dir_exists(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

gs_status gs_dir_list(const char *path, char ***names, int *n)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    char **list = NULL;
    int count = 0, cap = 0;

    *names = NULL;
    *n = 0;
    if (!dir) return fail_errno(path);
    errno = 0;
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.') continue;
        GS_PUSH(list, count, cap, gs_xstrdup(entry->d_name));
        errno = 0;
    }
    if (errno) {
        gs_status st = fail_errno(path);

        closedir(dir);
        for (int i = 0; i < count; i++) free(list[i]);
        free(list);
        return st;
    }
    closedir(dir);
    if (count) qsort(list, (size_t)count, sizeof *list, by_name);
    *names = list;
    *n = count;
    return GS_OK;
}

char *gs_path_join(const char *a, const char *b)
{
    size_t n = strlen(a);
    gs_str s = {0};

    if (n == 0) return gs_xstrdup(b);
    while (n > 0 && a[n - 1] == '/') n--;
    while (*b == '/') b++;
    gs_str_append(&s, a, n);
    gs_str_printf(&s, "/%s", b);
    return s.data;
}

/* Relative values of XDG_CACHE_HOME are to be ignored (XDG base directory specification). */
gs_status gs_cache_dir(char **path)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    gs_str s = {0};
    gs_status st;

    *path = NULL;
    if (xdg && xdg[0] == '/') gs_str_printf(&s, "%s/gesso", xdg);
    else if (home && home[0] == '/') gs_str_printf(&s, "%s/.cache/gesso", home);
    else return gs_fail(GS_EIO, "no cache folder: set HOME or XDG_CACHE_HOME to a full path");
    st = gs_mkdirs(s.data);
    if (st != GS_OK) gs_str_free(&s);
    *path = s.data;
    return st;
}
