/* SGEMM by CLBlast, row-major. Meant for GPUs: on CPU drivers it is ten times slower than Gesso's own kernels.
 * CLBlast keeps its compiled kernels per process and is not safe to enter from two threads before 1.6.1. */
#include "device/opencl_int.h"

#include <assert.h>
#include <clblast_c.h>
#include <stdlib.h>
#include <string.h>

#define CLBLAST_NUMBER (CLBLAST_VERSION_MAJOR * 10000 + CLBLAST_VERSION_MINOR * 100 + CLBLAST_VERSION_PATCH)

/* Before 1.6.3 kernels with GEMMK=1 and MWG != NWG compute wrong results (CLBlast #533, #542). These are the
 * entries of the database of 1.5.3 that are hit (fp32); they get a plain set that fits every device with 16
 * KiB of local memory. */
static void repair_parameters(gs_cl_device *c)
{
    static const char *const hit[] = {"HD Graphics Skylake ULT GT2", "i5-4590S", "E5-2630 v4"};
    static const char *name[] = {"GEMMK", "KREG", "KWG", "KWI", "MDIMA", "MDIMC", "MWG", "NDIMB", "NDIMC", "NWG", "SA", "SB", "STRM",
                                 "STRN", "VWM", "VWN"};
    static const size_t value[] = {0, 1, 16, 2, 8, 8, 64, 8, 8, 64, 1, 1, 0, 0, 2, 2};

    if (c->gemm_checked) return;
    c->gemm_checked = true;
    if (CLBLAST_NUMBER >= 10603) return;
    for (size_t i = 0; i < GS_COUNT(hit); i++) {
        if (!strstr(c->base.info.name, hit[i])) continue;
        if (CLBlastOverrideParameters(c->id, "Xgemm", CLBlastPrecisionSingle, GS_COUNT(value), name, value) != CLBlastSuccess)
            gs_warn("%s: CLBlast's SGEMM parameters for this device are known to be wrong and could not be replaced", c->base.info.name);
        else
            gs_debug(1, "opencl: %s: CLBlast's SGEMM parameters replaced", c->base.info.name);
    }
}

/* CLBlast keeps programs in static objects under the number of their context. They must go before the context
 * does: a later context may get the same number, and Oclgrind corrupts the heap when a program outlives its
 * context. */
void gs__cl_gemm_close(gs_device *d)
{
    if (gs__cl(d)->gemm_checked) CLBlastClearCache();
}

static CLBlastTranspose transpose(bool t)
{
    return t ? CLBlastTransposeYes : CLBlastTransposeNo;
}

/* Temporary memory starts at a multiple of the device's alignment, which may be coarser than GS_ALIGN. */
static size_t slack(const gs_device *d)
{
    return d->info.align > GS_ALIGN ? d->info.align - GS_ALIGN : 0;
}

/* Upper bound over all operand offsets: with offset 0 CLBlast may skip a copy that it needs elsewhere, so the
 * question is put with offset 1. Strided batches cannot be given memory; CLBlast allocates theirs. */
size_t gs__cl_gemm_temp(gs_device *d, const gs_gemm *g)
{
    gs_cl_device *c = gs__cl(d);
    size_t bytes = 0;

    if (g->batch != 1) return 0;
    repair_parameters(c);
    if (CLBlastSGemmTempBufferSize(CLBlastLayoutRowMajor, transpose(g->ta), transpose(g->tb), (size_t)g->m, (size_t)g->n, (size_t)g->k,
                                   1, (size_t)g->lda, 1, (size_t)g->ldb, 1, (size_t)g->ldc, &c->queue, &bytes) != CLBlastSuccess)
        return 0;
    return bytes ? bytes + slack(d) : 0;
}

static gs_status gemm_fail(const gs_device *d, const gs_gemm *g, CLBlastStatusCode code)
{
    static const struct { CLBlastStatusCode code; const char *text; } own[] = {
        {CLBlastInvalidMatrixA, "A is not a buffer"}, {CLBlastInvalidMatrixB, "B is not a buffer"},
        {CLBlastInvalidMatrixC, "C is not a buffer"}, {CLBlastInvalidDimension, "a size is zero"},
        {CLBlastInvalidLeadDimA, "row length of A too small"}, {CLBlastInvalidLeadDimB, "row length of B too small"},
        {CLBlastInvalidLeadDimC, "row length of C too small"}, {CLBlastInsufficientMemoryA, "A reaches past its buffer"},
        {CLBlastInsufficientMemoryB, "B reaches past its buffer"}, {CLBlastInsufficientMemoryC, "C reaches past its buffer"},
        {CLBlastInsufficientMemoryTemp, "temporary buffer too small"}, {CLBlastInvalidBatchCount, "no problems in the batch"},
        {CLBlastInvalidLocalMemUsage, "not enough local memory for the chosen parameters"},
    };
    const char *text = gs__cl_error_name((cl_int)code);

    for (size_t i = 0; i < GS_COUNT(own); i++)
        if (own[i].code == code) text = own[i].text;
    if (code == CLBlastTempBufferAllocFailure || code == CLBlastOpenCLOutOfHostMemory || code == CLBlastOpenCLOutOfResources)
        return gs__cl_fail(d, (cl_int)code, "CLBlast GEMM %lld x %lld x %lld", (long long)g->m, (long long)g->n, (long long)g->k);
    return gs_fail(code == CLBlastOpenCLBuildProgramFailure ? GS_EBUILD : GS_EDEVICE,
                   "device \"%s\" (driver %s): CLBlast GEMM %lld x %lld x %lld, batch %lld: %s; GESSO_GEMM=tile uses Gesso's own kernels", d->info.name,
                   d->info.driver, (long long)g->m, (long long)g->n, (long long)g->k, (long long)g->batch, text);
}

gs_status gs__cl_gemm(gs_device *d, const gs_gemm *g, gs_buffer *c, size_t c0, gs_buffer *a, size_t a0, gs_buffer *b, size_t b0,
                      gs_buffer *temp, size_t temp_offset, gs_event **ev)
{
    gs_cl_device *dev = gs__cl(d);
    const CLBlastTranspose ta = transpose(g->ta), tb = transpose(g->tb);
    const size_t m = (size_t)g->m, n = (size_t)g->n, k = (size_t)g->k;
    cl_event event = NULL, *want = ev ? &event : NULL;
    cl_mem sub = NULL;
    size_t wanted;
    CLBlastStatusCode code;

    assert(g->m > 0 && g->n > 0 && g->k > 0 && g->batch > 0);
    if (ev) *ev = NULL;
    repair_parameters(dev);
    if (g->batch > 1) {
        code = CLBlastSgemmStridedBatched(CLBlastLayoutRowMajor, ta, tb, m, n, k, g->alpha, a->mem, a0, (size_t)g->lda,
                                          (size_t)g->stride_a, b->mem, b0, (size_t)g->ldb, (size_t)g->stride_b, g->beta, c->mem, c0,
                                          (size_t)g->ldc, (size_t)g->stride_c, (size_t)g->batch, &dev->queue, want);
    } else if (temp && (wanted = gs__cl_gemm_temp(d, g)) > 0) {
        const size_t align = GS_MAX(d->info.align, GS_ALIGN), origin = (temp_offset + align - 1) / align * align;
        const size_t bytes = wanted - slack(d);
        const cl_buffer_region region = {origin, bytes};
        cl_int err;

        if (origin > 0) {
            sub = clCreateSubBuffer(temp->mem, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &err);
            if (err != CL_SUCCESS) return gs__cl_fail(d, err, "%zu bytes at %zu of %zu as memory of a GEMM", bytes, origin, temp->bytes);
        }
        code = CLBlastSgemmWithTempBuffer(CLBlastLayoutRowMajor, ta, tb, m, n, k, g->alpha, a->mem, a0, (size_t)g->lda, b->mem, b0,
                                          (size_t)g->ldb, g->beta, c->mem, c0, (size_t)g->ldc, &dev->queue, want, sub ? sub : temp->mem);
    } else {
        code = CLBlastSgemm(CLBlastLayoutRowMajor, ta, tb, m, n, k, g->alpha, a->mem, a0, (size_t)g->lda, b->mem, b0, (size_t)g->ldb,
                            g->beta, c->mem, c0, (size_t)g->ldc, &dev->queue, want);
    }
    if (sub) clReleaseMemObject(sub); /* the queued kernels keep it alive */
    if (code != CLBlastSuccess) return gemm_fail(d, g, code);
    if (ev) {
        *ev = gs_xalloc(sizeof **ev);
        **ev = (gs_event){.event = event, .device = d};
    }
    return GS_OK;
}
