/* Every file of cl/, with its own defaults: builds on the device; is OpenCL C 1.2 without doubles by clang's word, also for AMD; is
 * CUDA C by NVRTC's, without a GPU. What is not installed is skipped. */
#include "lib/testlib.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/device.h"
#include "device/kernels.h"

static bool is_kernel_file(const gs_kernel_file *f)
{
    const size_t n = strlen(f->name);

    return n > 3 && !strcmp(f->name + n - 3, ".cl");
}

/* CPU forms use wide vectors and are never compiled for CUDA: their names end in _cpu, as in gemm_cpu.cl. */
static bool is_cpu_form(const gs_kernel_file *f)
{
    return strstr(f->name, "_cpu") != NULL;
}

/* dialect.h and the file, as a driver puts them together. */
static gs_str whole_text(const gs_kernel_file *f)
{
    gs_str s = {0};
    char *dialect;

    assert_ok(gs_kernel_text("dialect.h", &dialect));
    gs_str_printf(&s, "#line 1 \"dialect.h\"\n%s\n#line 1 \"%s\"\n%s", dialect, f->name, f->text);
    free(dialect);
    return s;
}

/* Code without comments, for searching. */
static char *without_comments(const char *text)
{
    char *out = gs_xstrdup(text), *w = out;

    for (const char *p = text; *p;) {
        if (p[0] == '/' && p[1] == '*') {
            const char *end = strstr(p + 2, "*/");

            p = end ? end + 2 : p + strlen(p);
        } else if (p[0] == '/' && p[1] == '/') {
            while (*p && *p != '\n') p++;
        } else {
            *w++ = *p++;
        }
    }
    *w = '\0';
    return out;
}

static bool has_word(const char *text, const char *word)
{
    const size_t n = strlen(word);

    for (const char *p = text; (p = strstr(p, word)); p += n) {
        const bool starts = p == text || (!isalnum((unsigned char)p[-1]) && p[-1] != '_');

        if (starts && !isalnum((unsigned char)p[n]) && p[n] != '_') return true;
    }
    return false;
}

static void only_the_dialect_knows_vendors(void **state)
{
    static const char *const banned[] = {"__CUDACC__", "__CUDACC_RTC__", "__shared__", "__global__", "__syncthreads", "threadIdx", "blockIdx",
                                         "kernel", "global", "local", "constant", "double", "select", "printf", "image2d_t",
                                         "async_work_group_copy", "get_global_offset"};
    int files = 0;

    (void)state;
    for (const gs_kernel_file *f = gs__kernel_files; f->name; f++) {
        char *code;

        if (!is_kernel_file(f)) continue;
        code = without_comments(f->text);
        for (size_t i = 0; i < GS_COUNT(banned); i++)
            if (has_word(code, banned[i])) fail_msg("cl/%s uses %s", f->name, banned[i]);
        free(code);
        files++;
    }
    assert_true(files > 0);
}

static void the_device_builds_all(void **state)
{
    gs_device *d;
    gs_program *p;

    (void)state;
    if (gs_device_open(NULL, &d) != GS_OK) GS_SKIP(gs_last_error());
    for (const gs_kernel_file *f = gs__kernel_files; f->name; f++)
        if (is_kernel_file(f)) assert_ok(gs_program_get(d, f->name, "", &p));
    gs_device_close(d);
}

/* ---- clang ---- */

static const char *clang(void)
{
    static const char *const names[] = {"clang-15", "clang-16", "clang-14", "clang"};

    for (size_t i = 0; i < GS_COUNT(names); i++) {
        char command[64];

        snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", names[i]);
        if (system(command) == 0) return names[i];
    }
    return NULL;
}

/* Runs a compiler over every file; anything that it says is a failure. */
static void compile_all(const char *compiler, const char *options)
{
    char *dir = gs_test_tmpdir(), *path = gs_path_join(dir, "kernel.cl");

    for (const gs_kernel_file *f = gs__kernel_files; f->name; f++) {
        gs_str text, command = {0}, said = {0};
        char line[1024];
        FILE *out;

        if (!is_kernel_file(f)) continue;
        text = whole_text(f);
        assert_ok(gs_file_write(path, text.data, text.len));
        gs_str_printf(&command, "%s -x cl -cl-std=CL1.2 %s '%s' 2>&1", compiler, options, path);
        out = popen(command.data, "r");
        assert_non_null(out);
        while (fgets(line, sizeof line, out)) gs_str_printf(&said, "%s", line);
        if (pclose(out) != 0 || said.len) fail_msg("cl/%s: %s:\n%s", f->name, command.data, gs_str_c(&said));
        gs_str_free(&text);
        gs_str_free(&command);
        gs_str_free(&said);
    }
    free(path);
    free(dir);
}

static void clang_takes_all_as_opencl_1_2(void **state)
{
    const char *c = clang();

    (void)state;
    if (!c) GS_SKIP("clang is not installed");
    compile_all(c, "-fsyntax-only -Wall -Wextra -Wno-unused-function -Wno-unknown-pragmas -Xclang -cl-ext=-cl_khr_fp64,-cl_khr_fp16");
}

static void clang_compiles_all_for_amd(void **state)
{
    const char *c = clang();
    char probe[256];

    (void)state;
    if (!c) GS_SKIP("clang is not installed");
    snprintf(probe, sizeof probe, "%s -print-targets 2>/dev/null | grep -q amdgcn", c);
    if (system(probe) != 0) GS_SKIP("this clang has no AMD target");
    compile_all(c, "-target amdgcn-amd-amdhsa -mcpu=gfx900 -nogpulib -O1 -S -o /dev/null -Wno-unknown-pragmas -Wno-pass-failed");
}

/* ---- NVRTC ---- */

struct nvrtc {
    int (*create)(void **program, const char *text, const char *name, int n, const char *const *headers, const char *const *names);
    int (*compile)(void *program, int n, const char *const *options);
    int (*log_size)(void *program, size_t *size);
    int (*log)(void *program, char *text);
    int (*ptx_size)(void *program, size_t *size);
    int (*ptx)(void *program, char *text);
    int (*destroy)(void **program);
};

static bool load_nvrtc(struct nvrtc *r)
{
    static const char *const names[] = {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2", "libnvrtc.so"};
    const char *env = getenv("GESSO_NVRTC"); /* full path of the library */
    void *lib = env && *env ? dlopen(env, RTLD_NOW) : NULL;

    for (size_t i = 0; !lib && i < GS_COUNT(names); i++) lib = dlopen(names[i], RTLD_NOW);
    if (!lib) return false;
    *(void **)&r->create = dlsym(lib, "nvrtcCreateProgram");
    *(void **)&r->compile = dlsym(lib, "nvrtcCompileProgram");
    *(void **)&r->log_size = dlsym(lib, "nvrtcGetProgramLogSize");
    *(void **)&r->log = dlsym(lib, "nvrtcGetProgramLog");
    *(void **)&r->ptx_size = dlsym(lib, "nvrtcGetPTXSize");
    *(void **)&r->ptx = dlsym(lib, "nvrtcGetPTX");
    *(void **)&r->destroy = dlsym(lib, "nvrtcDestroyProgram");
    return r->create && r->compile && r->log_size && r->log && r->ptx_size && r->ptx && r->destroy;
}

static void nvrtc_compiles_all_without_doubles(void **state)
{
    static const char *const options[] = {"--gpu-architecture=compute_80", "--std=c++14"};
    struct nvrtc r = {0};

    (void)state;
    if (!load_nvrtc(&r)) GS_SKIP("NVRTC is not installed (GESSO_NVRTC=path of libnvrtc.so)");
    for (const gs_kernel_file *f = gs__kernel_files; f->name; f++) {
        void *program = NULL;
        size_t n = 0;
        gs_str text;
        char *out;

        if (!is_kernel_file(f) || is_cpu_form(f)) continue;
        text = whole_text(f);
        assert_int_equal(r.create(&program, text.data, f->name, 0, NULL, NULL), 0);
        if (r.compile(program, GS_COUNT(options), options) != 0) {
            assert_int_equal(r.log_size(program, &n), 0);
            out = gs_xalloc(n + 1);
            r.log(program, out);
            fail_msg("cl/%s: NVRTC: %s", f->name, out);
        }
        assert_int_equal(r.ptx_size(program, &n), 0);
        out = gs_xalloc(n + 1);
        assert_int_equal(r.ptx(program, out), 0);
        if (strstr(out, ".f64")) fail_msg("cl/%s: doubles in the PTX: a literal without f?", f->name);
        if (!strstr(out, ".entry")) fail_msg("cl/%s: no kernel in the PTX", f->name);
        free(out);
        r.destroy(&program);
        gs_str_free(&text);
    }
}

/* A folder replaces files one by one, for those who write kernels. */
static void a_folder_may_replace_kernels(void **state)
{
    char *dir = gs_test_tmpdir(), *path = gs_path_join(dir, "own.cl"), *text;

    (void)state;
    assert_ok(gs_file_write(path, "my kernel", 9));
    setenv("GESSO_KERNELS", dir, 1);
    assert_ok(gs_kernel_text("own.cl", &text));
    assert_string_equal(text, "my kernel");
    free(text);
    assert_ok(gs_kernel_text("dialect.h", &text)); /* not in the folder: the one of the build */
    assert_true(gs_test_contains(text, "GS_LOCAL_PTR"));
    free(text);
    unsetenv("GESSO_KERNELS");
    assert_fails(gs_kernel_text("own.cl", &text), GS_EBUILD, "own.cl");
    free(path);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_dialect_knows_vendors),
        cmocka_unit_test(a_folder_may_replace_kernels),
        cmocka_unit_test(the_device_builds_all),
        cmocka_unit_test(clang_takes_all_as_opencl_1_2),
        cmocka_unit_test(clang_compiles_all_for_amd),
        cmocka_unit_test(nvrtc_compiles_all_without_doubles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
