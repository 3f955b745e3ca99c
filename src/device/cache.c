/* The disk cache of kernel binaries: one file an entry, <cache folder>/kernels/<key>.bin.
 *
 * File: struct header, then the binary. Numbers are of the machine's byte order; a cache is not carried
 * between machines. Writing goes to a temporary name that is renamed, so a reader sees a whole old file, a
 * whole new file or none: that is all that several processes need. Nothing here is an error: without a cache,
 * kernels are built again. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "device/device.h"

#define MAGIC "GSKERNEL"
enum { VERSION = 1 };
static const size_t MAX_ENTRY = (size_t)64 << 20, MAX_TOTAL = (size_t)256 << 20;
static const time_t TEMP_AGE = 3600; /* seconds after which a temporary file belongs to a process that died */

struct header {
    char magic[8];
    uint32_t version, pad;
    uint64_t key, size, checksum;
};

static char *kernels_dir(void)
{
    char *base, *dir;

    if (gs_cache_dir(&base) != GS_OK) {
        gs_debug(1, "cache: %s", gs_last_error());
        return NULL;
    }
    dir = gs_path_join(base, "kernels");
    free(base);
    if (gs_mkdirs(dir) != GS_OK) {
        gs_debug(1, "cache: %s", gs_last_error());
        free(dir);
        return NULL;
    }
    return dir;
}

static char *entry_path(const char *dir, uint64_t key)
{
    char name[32];

    snprintf(name, sizeof name, "%016llx.bin", (unsigned long long)key);
    return gs_path_join(dir, name);
}

bool gs_cache_get(uint64_t key, uint8_t **data, size_t *size)
{
    char *dir = kernels_dir(), *path = dir ? entry_path(dir, key) : NULL;
    uint8_t *file = NULL;
    struct header h;
    bool hit = false;
    size_t n;

    *data = NULL;
    *size = 0;
    if (!path || !gs_file_exists(path)) goto done;
    if (gs_file_read(path, MAX_ENTRY + sizeof h, &file, &n) != GS_OK) {
        gs_debug(1, "cache: %s", gs_last_error());
        goto done;
    }
    if (n >= sizeof h) memcpy(&h, file, sizeof h);
    if (n < sizeof h || memcmp(h.magic, MAGIC, sizeof h.magic) || h.version != VERSION || h.key != key || h.size != n - sizeof h ||
        h.size == 0 || h.checksum != gs_hash64(file + sizeof h, (size_t)h.size, 0)) {
        gs_debug(1, "cache: %s is damaged or old; building again", path);
        goto done;
    }
    *size = (size_t)h.size;
    *data = gs_try_alloc(*size, 1, "cached kernel");
    if (!*data) goto done;
    memcpy(*data, file + sizeof h, *size);
    utimensat(AT_FDCWD, path, NULL, 0); /* used now: trimming starts with the oldest */
    hit = true;
done:
    free(file);
    free(path);
    free(dir);
    return hit;
}

void gs_cache_put(uint64_t key, const void *data, size_t size)
{
    char *dir = kernels_dir(), *path = dir ? entry_path(dir, key) : NULL;
    struct header h = {.magic = MAGIC, .version = VERSION, .key = key, .size = size};
    gs_file_out *out = NULL;
    gs_status st = GS_OK;

    if (!path || size == 0 || size > MAX_ENTRY) goto done;
    h.checksum = gs_hash64(data, size, 0);
    TRY(gs_file_out_open(path, &out));
    TRY(gs_file_out_write(out, &h, sizeof h));
    TRY(gs_file_out_write(out, data, size));
    TRY(gs_file_out_commit(&out));
    gs_cache_trim(MAX_TOTAL);
done:
    if (st != GS_OK) gs_debug(1, "cache: %s", gs_last_error());
    gs_file_out_abort(&out);
    free(path);
    free(dir);
}

struct entry {
    char *path;
    time_t used;
    size_t size;
};

static int by_age(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    return x->used < y->used ? -1 : x->used > y->used ? 1 : strcmp(x->path, y->path);
}

void gs_cache_trim(size_t limit)
{
    char *dir = kernels_dir(), **names = NULL;
    struct entry *entry;
    size_t total = 0;
    int n = 0, kept = 0;

    if (!dir || gs_dir_list(dir, &names, &n) != GS_OK) {
        free(dir);
        return;
    }
    entry = gs_xalloc(((size_t)n + 1) * sizeof *entry);
    for (int i = 0; i < n; i++) {
        char *path = gs_path_join(dir, names[i]);
        struct stat info;
        const bool there = stat(path, &info) == 0 && S_ISREG(info.st_mode);

        if (there && strstr(names[i], ".tmp-") && info.st_mtime + TEMP_AGE < time(NULL)) unlink(path);
        else if (there && strstr(names[i], ".bin")) entry[kept++] = (struct entry){path, info.st_mtime, (size_t)info.st_size};
        if (!kept || entry[kept - 1].path != path) free(path);
        else total += entry[kept - 1].size;
        free(names[i]);
    }
    qsort(entry, (size_t)kept, sizeof *entry, by_age);
    for (int i = 0; i < kept; i++) {
        if (total > limit && unlink(entry[i].path) == 0) total -= entry[i].size;
        free(entry[i].path);
    }
    free(entry);
    free(names);
    free(dir);
}
