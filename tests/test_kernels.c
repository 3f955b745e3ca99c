/* The files of cl/: they keep to the dialect, and each builds on the device with its own defaults. Other
 * compilers are asked by test_kernels_portable.c (clang: OpenCL C 1.2, AMD, SPIR) and test_cuda_compile.c
 * (NVRTC). */
#include "lib/testlib.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"
#include "device/kernels.h"

static bool is_kernel_file(const gs_kernel_file *f)
{
    const size_t n = strlen(f->name);

    return n > 3 && !strcmp(f->name + n - 3, ".cl");
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
    static const char *const banned[] = {"__CUDACC__",       "__CUDACC_RTC__", "__shared__", "__global__",
                                         "__syncthreads",    "threadIdx",      "blockIdx",   "kernel",
                                         "global",           "local",          "constant",   "double",
                                         "select",           "printf",         "image2d_t",  "async_work_group_copy",
                                         "get_global_offset"};
    int files = 0;

    (void)state;
    for (const gs_kernel_file *f = gs__kernel_files; f->name; f++) {
        char *code;

        if (!is_kernel_file(f) && strcmp(f->name, "cpu.h") && strcmp(f->name, "lines.h") && strcmp(f->name, "winograd.h")) continue;
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

/* Headers are put in where files name them, and a folder may replace or add them too. */
static void kernels_include_headers(void **state)
{
    static const char own[] = "before\n#include \"cpu.h\"\nafter\n#include \"none.h\"\n";
    char *dir = gs_test_tmpdir(), *path = gs_path_join(dir, "cpu.h"), *kernel = gs_path_join(dir, "own.cl"), *source, *text;

    (void)state;
    assert_ok(gs_kernel_source("gemm_tile.cl", &source));
    assert_ok(gs_kernel_text("gemm_tile.cl", &text));
    assert_string_equal(source, text); /* it names none */
    free(source), free(text);
    assert_ok(gs_kernel_source("axis_cpu.cl", &source));
    assert_true(gs_test_contains(source, "any16") && !gs_test_contains(source, "#include"));
    free(source);
    setenv("GESSO_KERNELS", dir, 1);
    assert_ok(gs_file_write(path, "my helpers", 10));
    assert_ok(gs_kernel_source("axis_cpu.cl", &source));
    assert_true(gs_test_contains(source, "my helpers") && !gs_test_contains(source, "any16"));
    free(source);
    assert_ok(gs_file_write(kernel, own, strlen(own)));
    assert_fails(gs_kernel_source("own.cl", &source), GS_EBUILD, "cl/own.cl:4: cl/none.h");
    assert_null(source);
    assert_ok(gs_file_write(kernel, own, (size_t)(strchr(own, 'a') - own) + 5)); /* no line end behind the last line */
    assert_ok(gs_kernel_source("own.cl", &source));
    assert_string_equal(source, "before\n#line 1 \"cpu.h\"\nmy helpers\n#line 3 \"own.cl\"\nafter");
    free(source);
    unsetenv("GESSO_KERNELS");
    free(kernel);
    assert_fails(gs_kernel_source("no_cpu.cl", &source), GS_EBUILD, "no_cpu.cl");
    free(path);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_dialect_knows_vendors),
        cmocka_unit_test(a_folder_may_replace_kernels),
        cmocka_unit_test(kernels_include_headers),
        cmocka_unit_test(the_device_builds_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
