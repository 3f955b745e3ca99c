/* Commands in a shell and what they print, for tests of the program. */
#ifndef GS_TEST_COMMAND_H
#define GS_TEST_COMMAND_H

#include "testlib.h"

typedef struct gs_test_result {
    int status; /* exit status; 128 + signal where it was killed */
    char *out, *err;
} gs_test_result;

/* Runs `command`, in which $D is the folder dir and may hold several commands; it also gets what is printed.
 * The test fails where it cannot be read. Free the result with gs_test_done(). */
gs_test_result gs_test_command(const char *dir, const char *command);
void gs_test_done(gs_test_result r);

/* The path of the program: $GESSO_BUILD/gesso, or build/gesso. */
const char *gs_test_program_path(void);
/* The same for the program, which is $G. environment: variables that are set for it, "A=1 B='2'", or "". */
gs_test_result gs_test_gesso(const char *dir, const char *environment, const char *arguments);

/* The path of `name` in the folder of the test program; it stays until the next call. NULL: the folder is not known. */
const char *gs_test_beside(const char *name);

/* What PoCL compiles is kept where the user's other programs keep it, also when the test has a cache folder
 * of its own. */
void gs_test_keep_pocl_cache(void);

#endif
