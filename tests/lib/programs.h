/* Every program that Gesso may hand to a driver's compiler, for tests that hand them to other compilers: the
 * files of cl/ with their own defaults and with each set of options that plans ask for, and all generated
 * kernels. Plans are made on null devices that look like GPUs and like CPUs, of all op cases with their
 * gradients to the second order, and of the training steps, samplers and translators of every profile of
 * every system and of every file in configs/: a new one takes part without a word here. */
#ifndef GS_TEST_PROGRAMS_H
#define GS_TEST_PROGRAMS_H

#include <stdbool.h>

typedef struct gs_test_program {
    char *label;     /* "axis.cl", "generated 3" */
    char *options;   /* "-DTA=1", or "" */
    char *source;    /* without dialect.h */
    bool generated;
    bool cpu;        /* a form for CPU devices: wide vectors, never compiled for CUDA */
} gs_test_program;

/* The list, each program once; generated kernels are put together, many to a program. It stays until the
 * process ends. */
const gs_test_program *gs_test_programs(int *n);

/* dialect.h and the source, as a driver puts them together. options: also as #define lines before it (for
 * compilers that take many files in one call). Free with free(). */
char *gs_test_program_text(const gs_test_program *p, bool define_options);

/* Where the program's kernels are named, for each: fn(user, name). */
void gs_test_program_kernels(const gs_test_program *p, void (*fn)(void *user, const char *name), void *user);

#endif
