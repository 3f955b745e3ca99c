/* Every line of tests/cases/ops.txt on the device, fused and unfused: results, gradients and gradients of gradients against the
 * double reference, and a second run to the byte. */
#include "lib/testlib.h"

#include <stdlib.h>

#include "eval/opcheck.h"

static gs_opcase *cases;
static int n_cases;
static gs_device *device;

static int setup(void **state)
{
    (void)state;
    assert_ok(gs_opcases_parse(gs__opcases_text, &cases, &n_cases));
    assert_ok(gs_device_open(NULL, &device));
    printf("device: %s\n", gs_device_get_info(device)->name);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gs_device_close(device);
    gs_opcases_free(cases, n_cases);
    return 0;
}

/* Prints each failing case and how near the others came. */
static void hold(const char *off)
{
    gs_opcheck *r = gs_xalloc((size_t)n_cases * sizeof *r);
    int checked = 0, failed = 0;
    double nearest = 0;
    const double start = gs_now();
    const char *closest = "";

    assert_ok(gs_opcheck_run(device, cases, n_cases, &(gs_opcheck_opts){ .off = off }, r));
    for (int i = 0; i < n_cases; i++) {
        assert_int_equal(r[i].checked, cases[i].error[0] == 0);
        if (!r[i].checked) continue;
        checked++;
        if (r[i].pass && r[i].error / r[i].limit > nearest) {
            nearest = r[i].error / r[i].limit;
            closest = cases[i].text;
        }
        if (r[i].pass) continue;
        failed++;
        printf("line %d: %s\n    %s: error %.3g, limit %.3g %s\n", cases[i].line, cases[i].text, r[i].part, r[i].error,
               r[i].limit, r[i].message);
    }
    printf("%d cases, %d failed, nearest to its limit (%.2f): %s (%.1f s)\n", checked, failed, nearest, closest,
           gs_now() - start);
    free(r);
    assert_true(checked > 150);
    assert_int_equal(failed, 0);
}

static void test_fused(void **state)
{
    (void)state;
    hold(NULL);
}

static void test_unfused(void **state)
{
    (void)state;
    hold("fuse,cse,inplace");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_fused), cmocka_unit_test(test_unfused) };

    return cmocka_run_group_tests(tests, setup, teardown);
}
