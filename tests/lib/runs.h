/* What tests of whole runs need: files below one folder of the test's own, a training, the program. */
#ifndef TEST_RUNS_H
#define TEST_RUNS_H

#include "testlib.h"

/* The folder, made at the first call; gone when the test program ends (gs_test_tmpdir). */
const char *gs_test_dir(void);
/* A path in it; free with free(). */
char *gs_test_path(const char *name);
/* Writes a file and makes its folders. */
void gs_test_put(const char *name, const void *data, size_t size);
/* Fails unless the files hold the same bytes. */
void gs_test_same_file(const char *a, const char *b);
/* Fails if they do. */
void gs_test_different_file(const char *a, const char *b);
/* Trains the configuration `ini`, given as text, on the pictures in faces/ into the folder `run`, for so many
 * steps (0: all). extra: one more setting, or NULL. */
gs_status gs_test_train(const char *ini, const char *run, int64_t steps, bool resume, const char *extra);
/* Runs the program in a shell where $D is the folder; fails unless it succeeds, or refuses with `part` in its
 * message. */
void gs_test_works(const char *arguments);
void gs_test_refuses(const char *arguments, const char *part);
/* What the last program wrote to its standard output; free with free(). */
char *gs_test_stdout(void);

#endif
