/* The disk cache of kernel binaries: hits in a second process, damage, two processes at once, the bound on
 * its size. The program starts itself as the other process: with an argument it builds one kernel, runs it,
 * and says what it did on stderr. */
#include "lib/testlib.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device/device.h"
#include "lib/command.h"

static char self[4096], *cache_dir;
static bool have_device, pocl;

static const char source[] =
    "__kernel void twice(__global int *y, const ulong y0) { y[y0 + get_global_id(0)] = 2 * (int)get_global_id(0) + ADD; }\n";

/* The other process. Exit status 0 when the kernel computed what it should. */
static int child(const char *options)
{
    gs_device *d = NULL;
    gs_program *p;
    gs_kernel *k = NULL;
    gs_buffer *b = NULL;
    const uint64_t offset = 0;
    int y[8] = {0}, bad = 0;
    gs_status st;

    TRY(gs_device_open(NULL, &d));
    TRY(gs_program_source(d, "twice.cl", source, options, &p));
    TRY(d->drv->kernel(d, p, "twice", &k));
    TRY(d->drv->alloc(d, sizeof y, &b));
    TRY(d->drv->arg_buffer(k, 0, b));
    TRY(d->drv->arg_value(k, 1, sizeof offset, &offset));
    TRY(d->drv->launch(d, k, (size_t[]){1, 1, 1}, (size_t[]){8, 1, 1}, NULL));
    TRY(d->drv->read(d, b, 0, y, sizeof y));
    for (int i = 0; i < 8; i++) bad += y[i] != 2 * i + atoi(options + strlen("-DADD="));
done:
    if (st != GS_OK) fprintf(stderr, "child: %s\n", gs_last_error());
    if (d) {
        d->drv->free_kernel(d, k);
        d->drv->free(d, b);
    }
    gs_device_close(d);
    return st != GS_OK || bad;
}

static FILE *start(const char *options)
{
    gs_str command = {0};
    FILE *f;

    gs_str_printf(&command, "GESSO_DEBUG=2 '%s' %s 2>&1", self, options);
    f = popen(command.data, "r");
    assert_non_null(f);
    gs_str_free(&command);
    return f;
}

/* What the process said about its kernel, "built" or "cached"; "died" when a signal ended it (the shell says
 * 128 + signal). */
static const char *outcome(FILE *f)
{
    char line[1024];
    gs_str all = {0};
    const char *how = "nothing";
    int status;

    while (fgets(line, sizeof line, f)) {
        gs_str_printf(&all, "%s", line);
        if (!strstr(line, "twice.cl") || strstr(line, "----")) continue;
        if (strstr(line, ": built in")) how = "built";
        if (strstr(line, ": cached in")) how = "cached";
    }
    status = pclose(f);
    if (!WIFEXITED(status) || WEXITSTATUS(status) > 128) how = "died";
    else if (status != 0) fail_msg("child failed: %s", gs_str_c(&all));
    gs_str_free(&all);
    return how;
}

static const char *finish(FILE *f)
{
    const char *how = outcome(f);

    if (!strcmp(how, "died")) fail_msg("the other process was ended by a signal");
    return how;
}

static char *kernels_dir(void)
{
    gs_str s = {0};

    gs_str_printf(&s, "%s/gesso/kernels", cache_dir);
    return s.data;
}

/* The paths of all entries; each test starts without any. */
static int entries(char paths[16][512])
{
    char *dir = kernels_dir(), **names;
    int n = 0;

    if (gs_dir_exists(dir)) {
        assert_ok(gs_dir_list(dir, &names, &n));
        assert_true(n <= 16);
        for (int i = 0; i < n; i++) {
            snprintf(paths[i], 512, "%s/%s", dir, names[i]);
            free(names[i]);
        }
        free(names);
    }
    free(dir);
    return n;
}

static int empty_cache(void **state)
{
    char paths[16][512];
    const int n = entries(paths);

    (void)state;
    for (int i = 0; i < n; i++) unlink(paths[i]);
    return 0;
}

#define NEED_DEVICE()                                              \
    do {                                                           \
        if (!have_device) GS_SKIP("no device that builds kernels"); \
    } while (0)

static void the_second_process_hits(void **state)
{
    char paths[16][512];

    (void)state;
    NEED_DEVICE();
    assert_string_equal(finish(start("-DADD=1")), "built");
    if (entries(paths) == 0) GS_SKIP("this driver gives no binaries");
    assert_string_equal(finish(start("-DADD=1")), "cached");
    assert_int_equal(entries(paths), 1);
    assert_string_equal(finish(start("-DADD=5")), "built"); /* other options, other entry */
    assert_int_equal(entries(paths), 2);
    assert_string_equal(finish(start("-DADD=5")), "cached");
}

static void damage(const char *path, long at, bool shorten)
{
    FILE *f = fopen(path, "r+b");
    int c;

    assert_non_null(f);
    if (shorten) {
        assert_int_equal(ftruncate(fileno(f), at), 0);
    } else {
        fseek(f, at, SEEK_SET);
        c = fgetc(f);
        fseek(f, at, SEEK_SET);
        fputc(c ^ 0x40, f);
    }
    fclose(f);
}

static void damaged_entries_are_rebuilt(void **state)
{
    /* header: magic 0, version 8, key 16, size 24, checksum 32; the binary from 40 */
    static const struct { long at; bool shorten; } hurt[] = {{0, false}, {8, false}, {16, false}, {24, false}, {32, false}, {200, false},
                                                             {150, true}, {39, true}, {0, true}};
    char paths[16][512];

    (void)state;
    NEED_DEVICE();
    assert_string_equal(finish(start("-DADD=2")), "built");
    if (entries(paths) == 0) GS_SKIP("this driver gives no binaries");
    for (size_t i = 0; i < GS_COUNT(hurt); i++) {
        damage(paths[0], hurt[i].at, hurt[i].shorten);
        assert_string_equal(finish(start("-DADD=2")), "built");
        assert_int_equal(entries(paths), 1);
        assert_string_equal(finish(start("-DADD=2")), "cached");
    }
}

/* A whole entry, correctly sealed, whose binary the driver cannot take. Only a change of driver that its
 * version does not show makes one, so a driver that ends the process on it (Rusticl 22.3 does) is no reason
 * to fail. */
static void binaries_the_driver_refuses_are_rebuilt(void **state)
{
    char paths[16][512];
    const char *how;
    unsigned long long key;

    (void)state;
    NEED_DEVICE();
    assert_string_equal(finish(start("-DADD=3")), "built");
    if (entries(paths) == 0) GS_SKIP("this driver gives no binaries");
    assert_int_equal(sscanf(strrchr(paths[0], '/'), "/%16llx.bin", &key), 1);
    gs_cache_put(key, "this is no binary", 17);
    how = outcome(start("-DADD=3"));
    if (!strcmp(how, "died")) GS_SKIP("this driver ends the process when a binary is not its own");
    assert_string_equal(how, "built");
    assert_string_equal(finish(start("-DADD=3")), "cached");
}

static void processes_share_it(void **state)
{
    enum { PROCESSES = 4 };
    char paths[16][512];
    FILE *f[PROCESSES];

    (void)state;
    NEED_DEVICE();
    for (int i = 0; i < PROCESSES; i++) f[i] = start("-DADD=4");
    for (int i = 0; i < PROCESSES; i++) assert_string_not_equal(finish(f[i]), "nothing");
    if (entries(paths) == 0) GS_SKIP("this driver gives no binaries");
    assert_int_equal(entries(paths), 1); /* and no temporary file is left */
    assert_string_equal(finish(start("-DADD=4")), "cached");
}

/* A driver that keeps what it compiles is not asked for binaries: PoCL compiles every kernel once more for them, for groups of any size (the
 * folder 0-0-0 beside those of the sizes that were launched). */
static void drivers_with_a_cache_give_no_binaries(void **state)
{
    const char *before = getenv("POCL_CACHE_DIR");
    char *shared = before ? gs_xstrdup(before) : NULL, *dir = gs_test_tmpdir(), paths[16][512];

    (void)state;
    NEED_DEVICE();
    if (!pocl) GS_SKIP("not PoCL, and others are asked");
    setenv("POCL_CACHE_DIR", dir, 1);
    for (int asked = 0; asked < 2; asked++) {
        gs_str command = {0};

        gs_str_printf(&command, "test -n \"$(find '%s' -path '*/twice/8-1-1*')\" && test -%c \"$(find '%s' -path '*/twice/0-0-0*')\"", dir,
                      asked ? 'n' : 'z', dir);
        setenv("GESSO_ON", asked ? "binaries" : "", 1);
        assert_string_equal(finish(start("-DADD=7")), "built");
        assert_int_equal(entries(paths), asked);
        assert_int_equal(system(command.data), 0);
        gs_str_free(&command);
    }
    if (shared) setenv("POCL_CACHE_DIR", shared, 1);
    else unsetenv("POCL_CACHE_DIR");
    free(shared);
    free(dir);
}

static void build_fails(const char *text)
{
    gs_device *d;
    gs_program *p;

    assert_ok(gs_device_open(NULL, &d));
    assert_fails(gs_program_source(d, "twice.cl", source, "-DADD=8", &p), GS_EIO, text);
    gs_device_close(d);
}

/* PoCL would end the process where its compiler's files do not fit. */
static void a_compiler_without_room_is_not_called(void **state)
{
    char *dir = gs_test_tmpdir(), *before = getenv("POCL_CACHE_DIR") ? gs_xstrdup(getenv("POCL_CACHE_DIR")) : NULL;
    char *home = gs_xstrdup(getenv("HOME") ? getenv("HOME") : "/tmp");
    gs_str command = {0};
    struct rlimit limit;

    (void)state;
    NEED_DEVICE();
    if (!pocl) GS_SKIP("not PoCL, and others are not asked");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){200000, limit.rlim_max});
    build_fails("twice.cl cannot be built: files of this process may have 195.3 KiB at most");
    setrlimit(RLIMIT_FSIZE, &limit);
    gs_str_printf(&command, "mount -t tmpfs -o size=300k gesso-test '%s' 2>/dev/null", dir);
    if (system(command.data) != 0) GS_SKIP("no small disk can be mounted here; the limit of a process was looked at");
    setenv("POCL_CACHE_DIR", dir, 1);
    build_fails("name another folder in POCL_CACHE_DIR");
    unsetenv("POCL_CACHE_DIR");
    setenv("XDG_CACHE_HOME", "", 1); /* as if it were not there */
    setenv("HOME", dir, 1);
    build_fails("/.cache/pocl, has");
    setenv("HOME", home, 1);
    setenv("XDG_CACHE_HOME", cache_dir, 1);
    if (before) setenv("POCL_CACHE_DIR", before, 1);
    else unsetenv("POCL_CACHE_DIR");
    gs_str_free(&command);
    gs_str_printf(&command, "umount '%s'", dir);
    assert_int_equal(system(command.data), 0);
    gs_str_free(&command);
    free(before);
    free(home);
    free(dir);
}

static void an_unusable_cache_is_no_error(void **state)
{
    FILE *f;

    (void)state;
    NEED_DEVICE();
    setenv("XDG_CACHE_HOME", "/proc/nowhere", 1);
    f = start("-DADD=6");
    setenv("XDG_CACHE_HOME", cache_dir, 1);
    assert_string_equal(finish(f), "built");
}

static void entries_come_back_as_put(void **state)
{
    const char text[] = "binary";
    uint8_t *data;
    size_t size;

    (void)state;
    assert_false(gs_cache_get(17, &data, &size));
    assert_null(data);
    gs_cache_put(17, text, sizeof text);
    assert_true(gs_cache_get(17, &data, &size));
    assert_int_equal(size, sizeof text);
    assert_memory_equal(data, text, sizeof text);
    free(data);
    assert_false(gs_cache_get(18, &data, &size));
    gs_cache_put(17, "other", 5); /* replaced */
    assert_true(gs_cache_get(17, &data, &size));
    assert_int_equal(size, 5);
    free(data);
}

static void the_oldest_entries_go_first(void **state)
{
    char paths[16][512];
    char *block = gs_xalloc(1000);
    uint8_t *data;
    size_t size;

    (void)state;
    for (uint64_t key = 1; key <= 5; key++) {
        gs_str path = {0};

        gs_cache_put(key, block, 1000);
        gs_str_printf(&path, "%s/gesso/kernels/%016llx.bin", cache_dir, (unsigned long long)key);
        assert_int_equal(utimensat(AT_FDCWD, path.data,
                                   (struct timespec[]){{(time_t)(1000 + key), 0}, {(time_t)(1000 + key), 0}}, 0),
                         0);
        gs_str_free(&path);
    }
    assert_true(gs_cache_get(1, &data, &size)); /* used now, so no longer the oldest */
    free(data);
    gs_cache_trim(3500);
    assert_int_equal(entries(paths), 3);
    for (uint64_t key = 1; key <= 5; key++) {
        assert_int_equal(gs_cache_get(key, &data, &size), key != 2 && key != 3);
        free(data);
    }
    gs_cache_trim(0);
    assert_int_equal(entries(paths), 0);
    free(block);
}

static void leftovers_of_dead_processes_go(void **state)
{
    char paths[16][512], old[512], young[512];
    char *dir = kernels_dir();

    (void)state;
    gs_cache_put(1, "x", 1);
    snprintf(old, sizeof old, "%s/0000000000000001.bin.tmp-1-0", dir);
    snprintf(young, sizeof young, "%s/0000000000000001.bin.tmp-2-0", dir);
    assert_ok(gs_file_write(old, "half", 4));
    assert_ok(gs_file_write(young, "half", 4));
    assert_int_equal(utimensat(AT_FDCWD, old, (struct timespec[]){{1000, 0}, {1000, 0}}, 0), 0);
    gs_cache_put(2, "y", 1);
    assert_false(gs_file_exists(old));
    assert_true(gs_file_exists(young)); /* another process may be writing it */
    assert_int_equal(entries(paths), 3);
    free(dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(entries_come_back_as_put, empty_cache),
        cmocka_unit_test_setup(the_oldest_entries_go_first, empty_cache),
        cmocka_unit_test_setup(leftovers_of_dead_processes_go, empty_cache),
        cmocka_unit_test_setup(the_second_process_hits, empty_cache),
        cmocka_unit_test_setup(damaged_entries_are_rebuilt, empty_cache),
        cmocka_unit_test_setup(binaries_the_driver_refuses_are_rebuilt, empty_cache),
        cmocka_unit_test_setup(processes_share_it, empty_cache),
        cmocka_unit_test_setup(drivers_with_a_cache_give_no_binaries, empty_cache),
        cmocka_unit_test_setup(a_compiler_without_room_is_not_called, empty_cache),
        cmocka_unit_test_setup(an_unusable_cache_is_no_error, empty_cache),
    };
    gs_device *d;
    ssize_t n;

    if (argc > 1) return child(argv[1]);
    n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) {
        printf("SKIP test_device_cache: /proc is not mounted\n");
        return 0;
    }
    cache_dir = gs_test_tmpdir();
    gs_test_keep_pocl_cache(); /* only ours starts empty */
    setenv("XDG_CACHE_HOME", cache_dir, 1);
    setenv("GESSO_ON", "binaries", 1); /* by PoCL too */
    if (gs_device_open(NULL, &d) == GS_OK) {
        have_device = d->info.kind != GS_NULL;
        pocl = strstr(d->info.platform, "Portable Computing Language");
        gs_device_close(d);
    }
    n = cmocka_run_group_tests(tests, NULL, NULL);
    free(cache_dir);
    return (int)n;
}
