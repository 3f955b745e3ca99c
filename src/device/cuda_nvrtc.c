/* Kernel text to machine code or PTX by NVRTC. Needs no GPU, so tests compile every kernel with what the
 * driver uses. */
#include "device/cuda_int.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const size_t MAX_CODE = (size_t)256 << 20; /* bytes of log or code that are believed */

/* "-DX=4" as a line of the program: NVRTC reads a header of its own before it, which names given as options
 * would change ("T"). */
static void define(gs_str *head, const char *name, size_t n)
{
    const char *is = memchr(name, '=', n);

    if (is) gs_str_printf(head, "#define %.*s %.*s\n", (int)(is - name), name, (int)(name + n - is - 1), is + 1);
    else gs_str_printf(head, "#define %.*s 1\n", (int)n, name);
}

/* OpenCL's options in NVRTC's words, and what every kernel gets. Contraction to fma is OpenCL's default, so
 * it is ours; GESSO_CUDA_FMAD=0 turns it off to compare devices. Division and square root stay correctly
 * rounded, denormals stay. */
static void make_options(const char *options, int arch, bool ptx, gs_str *lines, gs_str *head)
{
    const char *fmad = getenv("GESSO_CUDA_FMAD");
    const char *p = options ? options : "";

    gs_str_printf(lines, "--gpu-architecture=%s_%d\n--std=c++14\n-default-device\n--fmad=%s\n", ptx ? "compute" : "sm", arch,
                  fmad && !strcmp(fmad, "0") ? "false" : "true");
    while (*p) {
        size_t n;

        while (isspace((unsigned char)*p)) p++;
        n = strcspn(p, " \t\n");
        if (n == 0) break;
        if (n >= 2 && !strncmp(p, "-D", 2)) {
            p += 2, n -= 2;
            if (n == 0) { /* its name stands apart: OpenCL allows that */
                while (isspace((unsigned char)*p)) p++;
                n = strcspn(p, " \t\n");
            }
            if (n > 0) define(head, p, n);
        } else if (n == strlen("-cl-denorms-are-zero") && !strncmp(p, "-cl-denorms-are-zero", n)) {
            gs_str_printf(lines, "--ftz=true\n");
        } else {
            gs_debug(2, "cuda: build option %.*s has no meaning here", (int)n, p);
        }
        p += n;
    }
}

/* Cuts the text at its line ends; the list points into it. */
static char **lines_of(gs_str *text, int *n)
{
    char **list = NULL;
    int cap = 0;

    *n = 0;
    for (char *line = text->data; *line;) {
        char *end = strchr(line, '\n');

        *end = '\0';
        GS_PUSH(list, *n, cap, line);
        line = end + 1;
    }
    return list;
}

gs_status gs__nvrtc_compile(const char *label, const char *text, const char *options, int arch, bool ptx, gs_nvrtc_code *out)
{
    const gs_nvrtc_api *r = gs__nvrtc();
    gs_nvrtc_program program = NULL;
    gs_str lines = {0}, whole = {0};
    gs_status st = GS_OK;
    char **list = NULL;
    size_t size = 0;
    int n, err;

    *out = (gs_nvrtc_code){0};
    if (!r) return gs_fail(GS_EDEVICE, "%s: NVRTC (libnvrtc.so), which compiles kernels for CUDA, is not there", label);
    make_options(options, arch, ptx, &lines, &whole);
    gs_str_append(&whole, text, strlen(text));
    list = lines_of(&lines, &n);
    err = r->nvrtcCreateProgram(&program, whole.data, label, 0, NULL, NULL);
    TRY(err == 0 ? GS_OK : gs_fail(GS_EBUILD, "%s: NVRTC takes no program (error %d)", label, err));
    err = r->nvrtcCompileProgram(program, n, (const char *const *)list);
    if (r->nvrtcGetProgramLogSize(program, &size) == 0 && size > 0 && size < MAX_CODE) {
        out->log = gs_xalloc(size + 1);
        if (r->nvrtcGetProgramLog(program, out->log) != 0) out->log[0] = '\0';
    }
    if (!out->log) out->log = gs_xalloc(1);
    TRY(err == 0 ? GS_OK : gs_fail(GS_EBUILD, "%s does not compile (NVRTC %d.%d, error %d)", label, r->major, r->minor, err));
    size = 0;
    err = ptx ? r->nvrtcGetPTXSize(program, &size) : r->nvrtcGetCUBINSize(program, &size);
    TRY(err == 0 && size > 0 && size < MAX_CODE ? GS_OK :
        gs_fail(GS_EBUILD, "%s: NVRTC gives no code (error %d, %zu bytes)", label, err, size));
    out->code = gs_xalloc(size + 1);
    out->size = size;
    err = ptx ? r->nvrtcGetPTX(program, out->code) : r->nvrtcGetCUBIN(program, out->code);
    TRY(err == 0 ? GS_OK : gs_fail(GS_EBUILD, "%s: NVRTC gives no code (error %d)", label, err));
done:
    if (program) r->nvrtcDestroyProgram(&program);
    if (st != GS_OK) {
        free(out->code);
        out->code = NULL;
        out->size = 0;
    }
    free(list);
    gs_str_free(&lines);
    gs_str_free(&whole);
    return st;
}

void gs__nvrtc_code_free(gs_nvrtc_code *c)
{
    free(c->code);
    free(c->log);
    *c = (gs_nvrtc_code){0};
}

int gs__nvrtc_target(int capability, bool *ptx)
{
    const gs_nvrtc_api *r = gs__nvrtc();
    int best = 0;

    for (int i = 0; r && i < r->n_arch; i++)
        if (r->arch[i] <= capability && r->arch[i] > best) best = r->arch[i];
    *ptx = best != capability;
    return best;
}
