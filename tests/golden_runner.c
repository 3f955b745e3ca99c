/* golden_runner [--reference] FILE...: runs golden cases on the device of $GESSO_DEVICE (default: the
 * fastest), or with the graph's double reference. Prints a line for every tensor out of bounds, and PASS or
 * FAIL, the case and its largest error divided by its bound. Cases of systems that Gesso does not have are
 * SKIPped. Exit status 0: nothing failed; 1: something did; 2: usage. */
#include <string.h>

#include "golden/golden.h"

int main(int argc, char **argv)
{
    const bool reference = argc > 1 && strcmp(argv[1], "--reference") == 0;
    const int first = reference ? 2 : 1;
    gs_device *d = NULL;
    int failures, skipped;

    if (argc <= first) {
        fprintf(stderr, "usage: golden_runner [--reference] FILE...\n");
        return 2;
    }
    if (!reference && gs_device_open(NULL, &d) != GS_OK) {
        fprintf(stderr, "golden_runner: %s\n", gs_last_error());
        return 1;
    }
    failures = golden_run_files(argv + first, argc - first, d, &skipped);
    printf("%d of %d cases passed, %d skipped\n", argc - first - failures - skipped, argc - first, skipped);
    gs_device_close(d);
    return failures ? 1 : 0;
}
