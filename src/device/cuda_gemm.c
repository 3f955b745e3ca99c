/* SGEMM by cuBLAS. It counts columns first: a row-major matrix is a column-major one transposed, and
 * C^T = op(B)^T op(A)^T, so the operands change places and everything else stays. fp32 unless
 * gs_device_set_math, or GESSO_CUDA_TF32=1 at the start, lets tensor cores round the operands to TF32. */
#include "device/cuda_int.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char *blas_error(gs_cu_result err)
{
    static const char *const name[] = {
        [1] = "CUBLAS_STATUS_NOT_INITIALIZED", [3] = "CUBLAS_STATUS_ALLOC_FAILED", [7] = "CUBLAS_STATUS_INVALID_VALUE",
        [8] = "CUBLAS_STATUS_ARCH_MISMATCH", [11] = "CUBLAS_STATUS_MAPPING_ERROR", [13] = "CUBLAS_STATUS_EXECUTION_FAILED",
        [14] = "CUBLAS_STATUS_INTERNAL_ERROR", [15] = "CUBLAS_STATUS_NOT_SUPPORTED", [16] = "CUBLAS_STATUS_LICENSE_ERROR",
    };

    return err > 0 && (size_t)err < GS_COUNT(name) && name[err] ? name[err] : "an unknown cuBLAS error";
}

static gs_status blas_fail(const gs_device *d, gs_cu_result err, const char *what)
{
    const bool memory = err == 1 || err == 3; /* making a handle without memory for it ends in NOT_INITIALIZED */

    return gs_fail(memory ? GS_ENOMEM : GS_EDEVICE, "device \"%s\": cuBLAS, %s: %s%s", d->info.name, what, blas_error(err),
                   memory ? " (is the device's memory full, or cuBLAS newer than the driver?)" : "");
}

/* What NVIDIA recommends. With memory of ours products repeat bit for bit and can be recorded without memory
 * of their own. */
static size_t workspace_size(const gs_cu_dev *c)
{
    return c->capability >= 90 ? (size_t)32 << 20 : (size_t)4 << 20;
}

static void give_workspace(gs_device *d)
{
    const gs_cublas_api *b = gs__cublas();
    gs_cu_dev *c = gs__cud(d);
    const size_t bytes = workspace_size(c);

    if (!b->cublasSetWorkspace_v2) return;
    if (d->drv->alloc(d, bytes, &c->blas_memory) != GS_OK) {
        gs_debug(1, "cuda: cuBLAS takes its own memory: %s", gs_last_error());
    } else if (b->cublasSetWorkspace_v2(c->blas, (void *)(uintptr_t)c->blas_memory->mem, bytes) != 0) {
        d->drv->free(d, c->blas_memory);
        c->blas_memory = NULL;
    }
}

static gs_status open_blas(gs_device *d)
{
    const gs_cublas_api *b = gs__cublas();
    gs_cu_dev *c = gs__cud(d);
    gs_cu_result err;

    if (c->blas) return GS_OK;
    if (!b) return gs_fail(GS_EDEVICE, "device \"%s\": cuBLAS (libcublas.so, or the path in GESSO_CUBLAS) is not there", d->info.name);
    err = b->cublasCreate_v2(&c->blas);
    if (err != 0) c->blas = NULL;
    if (err == 0) err = b->cublasSetStream_v2(c->blas, c->stream);
    if (err == 0) err = b->cublasSetMathMode(c->blas, c->math == GS_MATH_TF32 ? GS_CUBLAS_TF32_MATH : GS_CUBLAS_DEFAULT_MATH);
    if (err == 0) {
        give_workspace(d); /* after the stream: setting that takes it away again */
        return GS_OK;
    }
    if (c->blas) b->cublasDestroy_v2(c->blas);
    c->blas = NULL;
    return blas_fail(d, err, "start");
}

void gs__cu_gemm_close(gs_device *d)
{
    gs_cu_dev *c = gs__cud(d);

    if (c->blas) gs__cublas()->cublasDestroy_v2(c->blas);
    if (c->blas_memory) d->drv->free(d, c->blas_memory);
    c->blas = NULL;
    c->blas_memory = NULL;
}

/* Asked when a product is planned: later it would be too late for another provider. */
bool gs__cu_gemm_ready(gs_device *d)
{
    gs_cu_dev *c = gs__cud(d);

    if (c->no_blas) return false;
    if (gs__cu_enter(d) == GS_OK && open_blas(d) == GS_OK) return true;
    c->no_blas = true;
    gs_warn("%s; products of matrices are computed by Gesso's own kernels%s", gs_last_error(), c->math == GS_MATH_TF32 ? ", in fp32" : "");
    return false;
}

gs_status gs__cu_set_math(gs_device *d, gs_math math)
{
    gs_cu_dev *c = gs__cud(d);
    gs_status st = gs__cu_enter(d);
    gs_cu_result err = 0;

    if (st == GS_OK && math == GS_MATH_TF32 && c->capability < 80)
        st = gs_fail(GS_EDEVICE, "device \"%s\": sm_%d has no TF32, sm_80 and newer have", d->info.name, c->capability);
    if (st == GS_OK && math == GS_MATH_TF32 && !gs__cublas())
        st = gs_fail(GS_EDEVICE, "device \"%s\": TF32 is computed by cuBLAS, which is not there", d->info.name);
    c->math = st == GS_OK ? math : GS_MATH_FP32;
    if (c->blas) err = gs__cublas()->cublasSetMathMode(c->blas, c->math == GS_MATH_TF32 ? GS_CUBLAS_TF32_MATH : GS_CUBLAS_DEFAULT_MATH);
    return err == 0 ? st : blas_fail(d, err, "mode of computing");
}

/* Its workspace is the device's, not the plan's. */
size_t gs__cu_gemm_temp(gs_device *d, const gs_gemm *g)
{
    (void)d, (void)g;
    return 0;
}

static const float *at(const gs_buffer *b, size_t offset)
{
    return (const float *)(uintptr_t)(b->mem + 4 * offset);
}

gs_status gs__cu_gemm(gs_device *d, const gs_gemm *g, gs_buffer *c, size_t c0, gs_buffer *a, size_t a0, gs_buffer *b, size_t b0,
                      gs_buffer *temp, size_t temp_offset, gs_event **ev)
{
    const gs_cublas_api *blas = gs__cublas();
    const int ta = g->ta ? GS_CUBLAS_OP_T : GS_CUBLAS_OP_N, tb = g->tb ? GS_CUBLAS_OP_T : GS_CUBLAS_OP_N;
    const int64_t largest = GS_MAX(GS_MAX(GS_MAX(g->m, g->n), GS_MAX(g->k, g->batch)), GS_MAX(GS_MAX(g->lda, g->ldb), g->ldc));
    const int m = (int)g->m, n = (int)g->n, k = (int)g->k, lda = (int)g->lda, ldb = (int)g->ldb, ldc = (int)g->ldc;
    float *dst = (float *)(uintptr_t)(c->mem + 4 * c0);
    char what[128];
    gs_status st = GS_OK;
    gs_cu_result err;

    (void)temp, (void)temp_offset;
    assert(g->m > 0 && g->n > 0 && g->k > 0 && g->batch > 0);
    if (ev) *ev = NULL;
    snprintf(what, sizeof what, "GEMM %lld x %lld x %lld, batch %lld", (long long)g->m, (long long)g->n, (long long)g->k,
             (long long)g->batch);
    TRY(largest <= INT_MAX ? GS_OK : gs_fail(GS_ELIMIT, "device \"%s\": %s: cuBLAS counts with 31 bits", d->info.name, what));
    TRY(gs__cu_enter(d));
    TRY(open_blas(d));
    TRY(gs__cu_event_begin(d, ev));
    if (g->batch == 1)
        err = blas->cublasSgemm_v2(gs__cud(d)->blas, tb, ta, n, m, k, &g->alpha, at(b, b0), ldb, at(a, a0), lda, &g->beta, dst, ldc);
    else
        err = blas->cublasSgemmStridedBatched(gs__cud(d)->blas, tb, ta, n, m, k, &g->alpha, at(b, b0), ldb, g->stride_b, at(a, a0), lda,
                                              g->stride_a, &g->beta, dst, ldc, g->stride_c, (int)g->batch);
    TRY(err == 0 ? GS_OK : blas_fail(d, err, what));
    TRY(gs__cu_event_end(d, ev));
done:
    if (st != GS_OK && ev) {
        gs__cu_event_free(*ev);
        *ev = NULL;
    }
    return st;
}
