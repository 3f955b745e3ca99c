/* An installed copy is enough to build against: headers, both libraries and the pkg-config file in a prefix
 * of its own. */
#include "lib/testlib.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static char *prefix;

/* Runs a shell command; its output is shown when it fails. */
static int sh(const char *command)
{
    gs_str all = { 0 };
    FILE *p = popen(command, "r");
    char buf[4096];
    size_t n;
    int status;

    assert_non_null(p);
    while ((n = fread(buf, 1, sizeof buf, p)) > 0) gs_str_append(&all, buf, n);
    status = pclose(p);
    if (status != 0) printf("%s\n%s\n", command, gs_str_c(&all));
    gs_str_free(&all);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int shf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int shf(const char *fmt, ...)
{
    char command[4096];
    va_list ap;
    int length;

    va_start(ap, fmt);
    length = vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    assert_true(length > 0 && length < (int)sizeof command);
    return sh(command);
}

static int setup(void **state)
{
    (void)state;
    prefix = gs_test_tmpdir();
    return shf("make -s install PREFIX=%s DESTDIR= 2>&1", prefix);
}

static int teardown(void **state)
{
    (void)state;
    free(prefix);
    return 0;
}

#define PKG "PKG_CONFIG_PATH=%s/lib/pkgconfig pkg-config"
#define COMPILE "cc -std=gnu11 -O1 %s examples/train_small_net.c -o %s/%s $(" PKG " %s --cflags --libs gesso) -lm 2>&1"

static void test_shared(void **state)
{
    (void)state;
    if (strstr(getenv("GESSO_BUILD") ? getenv("GESSO_BUILD") : "", "-"))
        GS_SKIP("libraries of a sanitizer build want its flags");
    assert_int_equal(shf(COMPILE, "-Wall -Werror", prefix, "shared", prefix, ""), 0);
    assert_int_equal(
        shf("LD_LIBRARY_PATH=%s/lib ldd %s/shared | grep -q '%s/lib/libgesso.so.0' 2>&1", prefix, prefix, prefix), 0);
    assert_int_equal(
        shf("LD_LIBRARY_PATH=%s/lib GESSO_DEVICE=null %s/shared >/dev/null 2>&1; [ $? = 1 ]", prefix, prefix), 0);
}

static void test_static(void **state)
{
    (void)state;
    if (strstr(getenv("GESSO_BUILD") ? getenv("GESSO_BUILD") : "", "-"))
        GS_SKIP("libraries of a sanitizer build want its flags");
    assert_int_equal(
        shf("cp %s/lib/libgesso.a %s/lib/libonly.a && cc -std=gnu11 -O1 -I%s/include examples/train_small_net.c -o %s/static "
            "-L%s/lib -lonly $(" PKG " --static --libs-only-l gesso | sed s/-lgesso//) -lm 2>&1",
            prefix, prefix, prefix, prefix, prefix, prefix),
        0);
}

static void test_program(void **state)
{
    (void)state;
    assert_int_equal(shf("%s/bin/gesso --version | grep -q \"^gesso $(" PKG " --modversion gesso)$\"", prefix, prefix),
                     0);
}

static void test_uninstall(void **state)
{
    (void)state;
    assert_int_equal(shf("make -s uninstall PREFIX=%s DESTDIR= 2>&1", prefix), 0);
    assert_int_equal(shf("[ -z \"$(find %s -mindepth 1 -name '*gesso*' 2>&1)\" ]", prefix), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_static),
        cmocka_unit_test(test_program),
        cmocka_unit_test(test_uninstall),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
