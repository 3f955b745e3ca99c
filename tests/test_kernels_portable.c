/* Every program of tests/lib/programs.h through clang: is it OpenCL C 1.2 without doubles and halves; does it
 * compile for AMD's processors and as SPIR. Nothing runs; what is not installed is skipped. */
#include "lib/testlib.h"

#include <stdlib.h>
#include <string.h>

#include "lib/programs.h"

#define MAX_SHOWN 4000 /* characters of what a compiler said */

/* The newest clang that is here; 14 is the oldest that takes the options below. */
static const char *clang(void)
{
    static char name[16];

    for (int version = 22; version >= 14 && !name[0]; version--) {
        char command[64];

        snprintf(command, sizeof command, "command -v clang-%d >/dev/null 2>&1", version);
        if (system(command) == 0) snprintf(name, sizeof name, "clang-%d", version);
    }
    if (!name[0] && system("command -v clang >/dev/null 2>&1") == 0) snprintf(name, sizeof name, "clang");
    return name[0] ? name : NULL;
}

/* Runs a command in a folder; what it says goes to *said (owned). */
static bool run(const char *dir, const char *command, gs_str *said)
{
    gs_str line = {0};
    char text[1024];
    FILE *out;

    gs_str_printf(&line, "cd '%s' && %s 2>&1", dir, command);
    out = popen(line.data, "r");
    assert_non_null(out);
    while (fgets(text, sizeof text, out)) gs_str_printf(said, "%s", text);
    gs_str_free(&line);
    return pclose(out) == 0;
}

static bool quiet(const char *dir, const char *command)
{
    gs_str said = {0};
    const bool ok = run(dir, command, &said);

    gs_str_free(&said);
    return ok;
}

/* Files by what they are: file_*.cl is written by hand, gen_*.cl is generated, *_cpu.cl are forms for CPU devices. */
static char *write_programs(void)
{
    char *dir = gs_test_tmpdir();
    const gs_test_program *list;
    int n;

    list = gs_test_programs(&n);
    assert_true(n > 20);
    for (int i = 0; i < n; i++) {
        char *text = gs_test_program_text(&list[i], true), name[64], *path;

        snprintf(name, sizeof name, "%s_%03d%s.cl", list[i].generated ? "gen" : "file", i,
                 list[i].cpu ? "_cpu" : "_any");
        path = gs_path_join(dir, name);
        assert_ok(gs_file_write(path, text, strlen(text)));
        free(path);
        free(text);
    }
    return dir;
}

#define LANGUAGE "-x cl -cl-std=CL1.2 -D__OPENCL_VERSION__=120" /* drivers define that, clang does not, and forms for CPUs would be empty */
#define NO_DOUBLES "-fsyntax-only -Xclang -cl-ext=-cl_khr_fp64,-cl_khr_fp16"
/* Generated kernels hold names that one of them needs and another does not, and x != x. */
#define STRICT "-Wall -Wextra -Wno-unused-function -Wno-unknown-pragmas"
#define GENERATED STRICT " -Wno-unused-parameter -Wno-unused-variable -Wno-tautological-compare"
/* A pragma that asks for more than a target can do is advice. */
#define BUILD "-O1 -w"

static void expect_silence(const char *dir, const char *options, const char *files)
{
    char command[512];
    gs_str said = {0};

    snprintf(command, sizeof command, "%s " LANGUAGE " %s %s", clang(), options, files);
    if (!run(dir, command, &said) || said.len) fail_msg("%s:\n%.*s", command, MAX_SHOWN, gs_str_c(&said));
    gs_str_free(&said);
}

/* Switching fp16 off hides vload_half too, which is core, from the declarations of clang 14: then its whole
 * header is read, slowly. */
static const char *header_options(void)
{
    static const char *const full = "-cl-no-stdinc -Xclang -finclude-default-header";
    char *dir = gs_test_tmpdir(), *path = gs_path_join(dir, "probe.cl"), command[256];
    static const char probe[] = "__kernel void k(__global float *x, __global half *h) { x[0] = vload_half(0, h); }\n";
    const char *options;

    assert_ok(gs_file_write(path, probe, strlen(probe)));
    snprintf(command, sizeof command, "%s " LANGUAGE " " NO_DOUBLES " probe.cl", clang());
    options = quiet(dir, command) ? "" : full;
    free(path);
    free(dir);
    return options;
}

static void all_is_opencl_1_2_without_doubles(void **state)
{
    char options[384], *dir;

    (void)state;
    if (!clang()) GS_SKIP("clang is not installed, so no kernel was held to OpenCL C 1.2");
    dir = write_programs();
    snprintf(options, sizeof options, NO_DOUBLES " " STRICT " %s", header_options());
    expect_silence(dir, options, "file_*_any.cl");
    snprintf(options, sizeof options, NO_DOUBLES " " STRICT " -Wno-unused-parameter %s", header_options()); /* forms of one kernel take the same */
    expect_silence(dir, options, "file_*_cpu.cl");
    snprintf(options, sizeof options, NO_DOUBLES " " GENERATED " %s", header_options());
    expect_silence(dir, options, "gen_*.cl");
    free(dir);
}

/* A compiler that accepts everything would let the test above pass. */
static void mistakes_are_found(void **state)
{
    static const char *const bad[] = {
        "__kernel void k(__global float *x) { x[0] *= 0.1; }\n",                                    /* a double */
        "__kernel void k(__global float *x) { float *y = x; y[0] = 1.0f; }\n",                      /* an address space */
        "__kernel void k(__global float *x) { if (x[0] > 0.0f) { __local float y[4]; x[1] = y[0]; } }\n",
        "__kernel void k(__global float *x) { x[0] = expf(x[1]); }\n",                              /* C's name */
    };
    char *dir, *path, options[256];

    (void)state;
    if (!clang()) GS_SKIP("clang is not installed");
    dir = gs_test_tmpdir();
    path = gs_path_join(dir, "bad.cl");
    snprintf(options, sizeof options, NO_DOUBLES " " STRICT " %s", header_options());
    for (size_t i = 0; i < GS_COUNT(bad); i++) {
        char command[512];
        gs_str said = {0};
        bool ok;

        assert_ok(gs_file_write(path, bad[i], strlen(bad[i])));
        snprintf(command, sizeof command, "%s " LANGUAGE " %s bad.cl", clang(), options);
        ok = run(dir, command, &said);
        if (ok && !said.len) fail_msg("%s says nothing about: %s", clang(), bad[i]);
        gs_str_free(&said);
    }
    free(path);
    free(dir);
}

typedef struct target {
    const char *options, *files, *name;
    const char *dir;
    bool known, ok;
    gs_str said;
} target;

static void build(void *user, int i)
{
    target *t = (target *)user + i;
    gs_str command = {0}, said = {0};

    gs_str_printf(&command,
                  "mkdir -p %s && cd %s && echo '__kernel void k(__global float *x) { x[0] = 1.0f; }' >probe.c && "
                  "%s " LANGUAGE " %s probe.c -o probe.o",
                  t->name, t->name, clang(), t->options);
    t->known = run(t->dir, command.data, &said);
    gs_str_free(&said);
    if (t->known) {
        command.len = 0;
        gs_str_printf(&command, "cd %s && %s " LANGUAGE " %s %s", t->name, clang(), t->options, t->files);
        t->ok = run(t->dir, command.data, &t->said) && !t->said.len;
    }
    gs_str_free(&command);
}

static void all_compiles_for_other_targets(void **state)
{
#define AMD(cpu) {.name = #cpu, .files = "../*_any.cl", .options = "-target amdgcn-amd-amdhsa -mcpu=" #cpu " -nogpulib " BUILD " -S"}
    target targets[] = {
        AMD(gfx906), AMD(gfx1030), AMD(gfx1100),
        {.name = "spir64", .files = "../*.cl", .options = "-target spir64 -emit-llvm -c " BUILD},
    };
    char *dir;
    int built = 0;

    (void)state;
    if (!clang()) GS_SKIP("clang is not installed, so no kernel was compiled for AMD and as SPIR");
    dir = write_programs();
    for (size_t i = 0; i < GS_COUNT(targets); i++) targets[i].dir = dir;
    gs_parallel_for(GS_COUNT(targets), 0, build, targets);
    for (size_t i = 0; i < GS_COUNT(targets); i++) {
        if (!targets[i].known) printf("SKIP %s: %s has no such target\n", targets[i].name, clang());
        else if (!targets[i].ok) fail_msg("%s, %s %s:\n%.*s", targets[i].name, clang(), targets[i].options, MAX_SHOWN, gs_str_c(&targets[i].said));
        built += targets[i].known;
        gs_str_free(&targets[i].said);
    }
    free(dir);
    if (!built) GS_SKIP("this clang compiles for none of AMD's processors and not for SPIR");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_found),
        cmocka_unit_test(all_is_opencl_1_2_without_doubles),
        cmocka_unit_test(all_compiles_for_other_targets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
