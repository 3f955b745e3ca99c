/* What the environment decides in the OpenCL driver: large pages (GESSO_OFF=pages) and the form of kernels (GESSO_FORMS). GESSO_POISON is in test_device.c. */
#include "lib/testlib.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/one_device.h"

/* Bytes of this process's memory for which large pages were asked; -1: the system does not tell. */
static long advised(void)
{
    FILE *f = fopen("/proc/self/smaps", "r");
    long kib = 0, sum = 0;
    bool flags = false;
    char line[512];

    while (f && fgets(line, sizeof line, f)) {
        sscanf(line, "Size: %ld kB", &kib);
        if (strncmp(line, "VmFlags:", 8)) continue;
        flags = true;
        if (strstr(line, " hg")) sum += kib * 1024;
    }
    if (f) fclose(f);
    return flags && access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK) == 0 ? sum : -1;
}

/* Large buffers of CPU devices lie in large pages, unless GESSO_OFF=pages; and hold what was written. */
static void large_buffers_ask_for_large_pages(void **state)
{
    const size_t bytes = ((size_t)16 << 20) + 12345;
    uint8_t *in = malloc(bytes), *out = malloc(bytes);
    const long before = advised();
    long with, without;
    gs_buffer *a, *b;

    (void)state;
    if (!strstr(device->info.platform, "Portable Computing Language")) GS_SKIP("not PoCL, whose buffers are ordinary memory");
    unsetenv("GESSO_OFF");
    if (before < 0) GS_SKIP("this system says nothing about large pages");
    for (size_t i = 0; i < bytes; i++) in[i] = (uint8_t)(i * 2654435761u >> 24);
    assert_ok(device->drv->alloc(device, bytes, &a));
    with = advised();
    setenv("GESSO_OFF", "rows,pages", 1);
    assert_ok(device->drv->alloc(device, bytes, &b));
    without = advised();
    unsetenv("GESSO_OFF");
    assert_true(with - before >= (long)bytes - 2 * 65536);
    assert_true(without <= with);
    assert_ok(device->drv->write(device, a, 0, in, bytes));
    assert_ok(device->drv->copy(device, b, 0, a, 0, bytes));
    assert_ok(device->drv->read(device, b, 0, out, bytes));
    assert_memory_equal(in, out, bytes);
    device->drv->free(device, a);
    device->drv->free(device, b);
    free(in);
    free(out);
}

/* GESSO_FORMS decides in which form a device gets its kernels. */
static void forms_can_be_chosen(void **state)
{
    gs_device *d;

    (void)state;
    if (strncmp(device->info.id, "opencl", 6)) GS_SKIP("the OpenCL driver has it");
    for (int cpu = 0; cpu < 2; cpu++) {
        setenv("GESSO_FORMS", cpu ? "cpu" : "gpu", 1);
        assert_ok(gs_device_open(device->info.id, &d));
        assert_int_equal(gs__cpu_forms(&d->info), cpu);
        gs_device_close(d);
    }
    setenv("GESSO_FORMS", "both", 1);
    assert_fails(gs_device_open(device->info.id, &d), GS_EUSAGE, "GESSO_FORMS=both: it may be cpu or gpu");
    unsetenv("GESSO_FORMS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_buffers_ask_for_large_pages),
        cmocka_unit_test(forms_can_be_chosen),
    };

    return cmocka_run_group_tests(tests, open_device, close_device);
}
