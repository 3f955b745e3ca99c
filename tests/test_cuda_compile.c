/* Every program of tests/lib/programs.h for CUDA, by NVRTC: no GPU is needed. What the driver does at run
 * time is done here for Turing, Ampere and Hopper; the code must hold each kernel and no double, and no
 * kernel may have a copy for CUDA. */
#include "lib/testlib.h"

#include <stdlib.h>
#include <string.h>

#include "device/cuda_int.h"
#include "device/kernels.h"
#include "lib/programs.h"

static const int archs[] = {75, 80, 90};

typedef struct job {
    const gs_test_program *program;
    int arch;
    bool ptx;
    char *error; /* NULL: all is well */
} job;

/* CUDA's own sinf and cosf multiply in double where the argument is large. */
static bool calls_sine(const char *source, const char *name)
{
    const char *k = strstr(source, name), *end = k ? strstr(k, "\n}\n") : NULL;

    for (; k && (!end || k < end) && *k; k++)
        if (!strncmp(k, "sin(", 4) || !strncmp(k, "cos(", 4)) return true;
    return false;
}

/* The first line of PTX with a double that the source does not account for; NULL: none. Free with free(). */
static char *double_in(const char *ptx, const gs_test_program *p)
{
    for (const char *at = ptx; (at = strstr(at, ".f64")); at++) {
        const char *entry = NULL, *line = at, *next = ptx;
        gs_str text = {0};
        char name[128] = "";

        while ((next = strstr(next, ".entry ")) && next < at) entry = next++;
        if (entry && sscanf(entry, ".entry %127[A-Za-z0-9_]", name) == 1 && calls_sine(p->source, name)) continue;
        while (line > ptx && line[-1] != '\n') line--;
        gs_str_printf(&text, "%s: %.*s", name, (int)strcspn(line, "\n"), line);
        return text.data;
    }
    return NULL;
}

typedef struct search {
    const char *ptx;
    job *j;
    int kernels;
} search;

static void in_ptx(void *user, const char *name)
{
    search *s = user;
    gs_str entry = {0}, error = {0};

    s->kernels++;
    gs_str_printf(&entry, ".entry %s(", name);
    if (!strstr(s->ptx, entry.data) && !s->j->error) {
        gs_str_printf(&error, "kernel %s is not in the PTX", name);
        s->j->error = error.data;
    }
    gs_str_free(&entry);
}

static void compile(void *user, int i)
{
    job *j = (job *)user + i;
    char *text = gs_test_program_text(j->program, false);
    gs_nvrtc_code code;
    gs_str error = {0};
    const gs_status st = gs__nvrtc_compile(j->program->label, text, j->program->options, j->arch, j->ptx, &code);

    if (st != GS_OK) {
        gs__log_head(code.log);
        gs_str_printf(&error, "%s\n%s", gs_last_error(), code.log ? code.log : "");
    } else if (strstr(code.log, "warning")) {
        gs__log_head(code.log);
        gs_str_printf(&error, "%s", code.log);
    } else if (j->ptx) {
        search s = {code.code, j, 0};
        char *line = double_in(code.code, j->program);

        gs_test_program_kernels(j->program, in_ptx, &s);
        if (s.kernels == 0) gs_str_printf(&error, "no kernel in the source");
        else if (line) gs_str_printf(&error, "doubles in the PTX, is an f missing at a number? %s", line);
        free(line);
    }
    if (error.len) {
        free(j->error);
        j->error = error.data;
    }
    gs__nvrtc_code_free(&code);
    free(text);
}

static bool compiles_for(int arch)
{
    bool ptx;

    return gs__nvrtc_target(arch, &ptx) == arch && !ptx;
}

static void every_kernel_compiles(void **state)
{
    const gs_test_program *programs;
    int n, n_jobs = 0, cap = 0, generated = 0, with_options = 0, failed = 0;
    job *jobs = NULL;

    (void)state;
    if (!gs__nvrtc())
        GS_SKIP("NVRTC is not installed (GESSO_NVRTC=path of libnvrtc.so), so no kernel was compiled for CUDA");
    for (size_t a = 0; a < GS_COUNT(archs); a++)
        if (!compiles_for(archs[a]))
            printf("SKIP sm_%d: this NVRTC (%d.%d) does not know it\n", archs[a], gs__nvrtc()->major,
                   gs__nvrtc()->minor);
    programs = gs_test_programs(&n);
    for (int i = 0; i < n; i++) {
        if (programs[i].cpu) continue;
        generated += programs[i].generated;
        with_options += programs[i].options[0] != '\0';
        for (size_t a = 0; a < GS_COUNT(archs); a++) {
            const job j = {.program = &programs[i], .arch = archs[a], .ptx = true};

            if (compiles_for(archs[a])) GS_PUSH(jobs, n_jobs, cap, j);
        }
    }
    assert_true(generated >= 3 && with_options >= 10); /* the gathering works */
    gs_parallel_for(n_jobs, 0, compile, jobs);
    for (int i = 0; i < n_jobs; i++) {
        if (jobs[i].error) {
            printf("cl/%s %s for sm_%d: %s\n", jobs[i].program->label, jobs[i].program->options, jobs[i].arch,
                   jobs[i].error);
            failed++;
        }
        free(jobs[i].error);
    }
    free(jobs);
    if (failed) fail_msg("%d of %d compilations failed", failed, n_jobs);
}

/* Machine code: registers, local memory and its limit of 48 KiB are the assembler's to judge. Files only;
 * generated kernels hold nothing unusual, and it takes long. */
static void files_become_machine_code(void **state)
{
    const gs_test_program *programs;
    int n, n_jobs = 0, cap = 0;
    job *jobs = NULL;

    (void)state;
    if (!gs__nvrtc()) GS_SKIP("NVRTC is not installed");
    if (!compiles_for(80)) GS_SKIP("this NVRTC does not know sm_80");
    programs = gs_test_programs(&n);
    for (int i = 0; i < n; i++) {
        const job j = {.program = &programs[i], .arch = 80};

        if (!programs[i].cpu && !programs[i].generated) GS_PUSH(jobs, n_jobs, cap, j);
    }
    gs_parallel_for(n_jobs, 0, compile, jobs);
    for (int i = 0; i < n_jobs; i++)
        if (jobs[i].error) fail_msg("cl/%s %s: %s", jobs[i].program->label, jobs[i].program->options, jobs[i].error);
    free(jobs);
}

/* A compiler that accepts everything would let the test above pass. */
static void mistakes_are_found(void **state)
{
    gs_test_program bad[] = {
        {"double.cl", "", "__kernel void k(__global float *x, const float a) { x[0] = a * 0.1; }\n", false, false},
        {"vector.cl", "-DW=4",
         "__kernel void k(__global float *x) { float4 v = F4(1.0f, 2.0f, 3.0f, 4.0f); x[W] = (v + v).x; }\n", false,
         false},
        {"missing.cl", "", "__kernel void k(__global float *x) { x[0] = smoothstep(0.0f, 1.0f, x[1]); }\n", false,
         false},
    };
    static const char *const says[] = {"doubles in the PTX", "vector.cl", "smoothstep"};

    (void)state;
    if (!gs__nvrtc()) GS_SKIP("NVRTC is not installed");
    for (size_t i = 0; i < GS_COUNT(bad); i++) {
        job j = {.program = &bad[i], .arch = gs__nvrtc()->arch[0], .ptx = true};

        compile(&j, 0);
        assert_non_null(j.error);
        if (!gs_test_contains(j.error, says[i])) fail_msg("%s: wanted \"%s\": %s", bad[i].label, says[i], j.error);
        free(j.error);
    }
}

/* One source for every platform: CUDA's words stand in dialect.h alone. */
static void no_kernel_has_a_copy_for_cuda(void **state)
{
    static const char *const words[] = {"__global__", "__shared__",    "__device__", "threadIdx",      "blockIdx",
                                        "blockDim",   "__syncthreads", "__CUDACC__", "__CUDACC_RTC__", "__CUDA_ARCH__"};
    const gs_test_program *programs;
    int n;

    (void)state;
    programs = gs_test_programs(&n);
    for (int i = 0; i < n; i++)
        for (size_t w = 0; w < GS_COUNT(words); w++)
            if (strstr(programs[i].source, words[w]))
                fail_msg("%s uses %s; only cl/dialect.h may", programs[i].label, words[w]);
    for (const gs_kernel_file *f = gs__kernel_files; f->name; f++) {
        const size_t len = strlen(f->name);

        assert_true((len > 3 && !strcmp(f->name + len - 3, ".cl")) || !strcmp(f->name, "dialect.h") || !strcmp(f->name, "math_cpu.h") ||
                    !strcmp(f->name, "cpu.h") || !strcmp(f->name, "lines.h") || !strcmp(f->name, "winograd.h")); /* no .cu among them */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_kernel_has_a_copy_for_cuda),
        cmocka_unit_test(mistakes_are_found),
        cmocka_unit_test(every_kernel_compiles),
        cmocka_unit_test(files_become_machine_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
