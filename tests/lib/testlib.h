/* What the test programs share. Include it before anything else: cmocka wants its own headers first. */
#ifndef GS_TESTLIB_H
#define GS_TESTLIB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/base.h"

/* The folder of shared fixtures: $GESSO_SHARED, else ../shared when it exists, else NULL. */
const char *gs_test_shared(void);

/* A fresh empty folder that is removed, with all in it, when the program ends. The caller frees the string. */
char *gs_test_tmpdir(void);

/* Leaves the running test, loudly: SKIP lines are shown by the runner. */
#define GS_SKIP(reason)                                \
    do {                                               \
        printf("SKIP %s: %s\n", __func__, (reason));   \
        fflush(stdout);                                \
        skip();                                        \
    } while (0)

/* Succeeds or fails the test with the library's own sentence. */
#define assert_ok(call)                                                        \
    do {                                                                       \
        const gs_status ok_st_ = (call);                                       \
        if (ok_st_ != GS_OK) fail_msg("%s: %s", #call, gs_last_error());       \
    } while (0)

/* The call fails with this status and its sentence contains `part`. */
#define assert_fails(call, status, part)                                                                    \
    do {                                                                                                    \
        const gs_status fails_st_ = (call);                                                                 \
        if (fails_st_ != (status) || !gs_test_contains(gs_last_error(), (part)))                            \
            fail_msg("%s: wanted \"%s\" with \"%s\", got \"%s\" with \"%s\"", #call, gs_status_text(status), \
                     (part), gs_status_text(fails_st_), gs_last_error());                                   \
    } while (0)

bool gs_test_contains(const char *text, const char *part);

/* The text of a small file; the test fails when it cannot be read. The caller frees. */
char *gs_test_slurp(const char *path);

#endif
