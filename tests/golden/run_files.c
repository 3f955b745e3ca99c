/* Any mixture of case files: op cases together, others one by one, verdicts in the order of the files. */
#include <stdlib.h>
#include <string.h>

#include "golden.h"

static const struct {
    const char *system;
    void (*run)(golden_case *c, gs_device *d);
} runners[] = { { "cgan", golden_run_cgan }, { "ugatit", golden_run_ugatit }, { "cyclegan", golden_run_cyclegan }, { "inception", golden_run_inception } };

int golden_run_files(char *const *paths, int n, gs_device *d, int *skipped)
{
    golden_case *cases = gs_xalloc((size_t)n * sizeof(*cases) + 1), **ops = gs_xalloc((size_t)n * sizeof(*ops) + 1);
    int n_ops = 0, failures = 0;

    *skipped = 0;
    for (int i = 0; i < n; i++) {
        if (golden_open(paths[i], &cases[i]) != GS_OK) {
            printf("FAIL %s: %s\n", paths[i], gs_last_error());
            failures++;
        } else if (strcmp(cases[i].system, "op") == 0) {
            ops[n_ops++] = &cases[i];
        }
    }
    golden_run_ops(ops, n_ops, d);
    for (int i = 0; i < n; i++) {
        golden_case *c = &cases[i];

        bool known;

        if (!c->file) continue;
        known = strcmp(c->system, "op") == 0;
        for (size_t k = 0; k < GS_COUNT(runners); k++) {
            if (strcmp(c->system, runners[k].system) != 0) continue;
            runners[k].run(c, d);
            known = true;
        }
        if (known) {
            if (!golden_verdict(c)) failures++;
        } else {
            printf("SKIP %s: system %s not built yet\n", c->name, c->system);
            (*skipped)++;
        }
        golden_close(c);
    }
    free(cases);
    free(ops);
    return failures;
}
