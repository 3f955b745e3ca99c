/* The printed plans of the conditional GAN's training steps on the null device, compared with the stored ones
 * in tests/plans/. A refactor shows no difference; an optimisation shows exactly its own.
 * GESSO_UPDATE_PLANS=1 writes them anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "gesso/gesso.h"
#include "models/cgan.h"

static char *plan_text(int profile)
{
    gs_device *d;
    gs_graph *g = gs_graph_new();
    gs_plan *p = NULL;
    gs_cgan_opts o;
    gs_compile_opts c = { .off = "", .dry_run = true };
    char *text;

    gs_cgan_presets(&o, profile);
    if (gs_device_open("null", &d) != GS_OK || gs_cgan_build_step(g, &o, o.batch_size, NULL) != GS_OK ||
        gs_compile(g, d, NULL, &c, &p) != GS_OK)
        fail_msg("%s", gs_last_error());
    text = gs_plan_text(p);
    gs_plan_free(p);
    gs_graph_free(g);
    gs_device_close(d);
    return text;
}

/* The first line that differs, for the message. */
static void show_difference(const char *path, const char *want, const char *got)
{
    int line = 1;

    while (*want && *got) {
        const size_t a = strcspn(want, "\n"), b = strcspn(got, "\n");

        if (a != b || memcmp(want, got, a)) break;
        want += a + (want[a] != 0);
        got += b + (got[b] != 0);
        line++;
    }
    fail_msg("%s:%d\n  stored   %.*s\n  compiled %.*s\n(GESSO_UPDATE_PLANS=1 stores the new plans)", path, line,
             (int)strcspn(want, "\n"), want, (int)strcspn(got, "\n"), got);
}

static void plans_are_as_stored(void **state)
{
    (void)state;
    for (int i = 0; i < GS_CGAN_PROFILES; i++) {
        char path[128], *text = plan_text(i);
        uint8_t *stored;
        size_t size;

        snprintf(path, sizeof path, "tests/plans/cgan_%s.txt", gs_cgan_profile_name(i));
        if (getenv("GESSO_UPDATE_PLANS")) {
            if (gs_file_write(path, text, strlen(text)) != GS_OK) fail_msg("%s", gs_last_error());
        }
        if (gs_file_read(path, 1 << 24, &stored, &size) != GS_OK) fail_msg("%s", gs_last_error());
        if (strcmp((char *)stored, text)) show_difference(path, (char *)stored, text);
        free(stored);
        free(text);
    }
}

/* The same graph gives the same plan: nothing in it depends on addresses or hash order. */
static void plans_repeat(void **state)
{
    char *a = plan_text(GS_CGAN_CDCGAN), *b = plan_text(GS_CGAN_CDCGAN);

    (void)state;
    assert_string_equal(a, b);
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(plans_are_as_stored), cmocka_unit_test(plans_repeat) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
