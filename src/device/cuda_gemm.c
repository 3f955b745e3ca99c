/* SGEMM by cuBLAS. It counts columns first: a row-major matrix is a column-major one transposed, and C^T = op(B)^T op(A)^T, so the
 * operands change places and everything else stays. fp32 throughout; GESSO_CUDA_TF32=1 lets tensor cores round the operands to TF32. */
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

static gs_status open_blas(gs_device *d)
{
    const gs_cublas_api *b = gs__cublas();
    const char *env = getenv("GESSO_CUDA_TF32");
    const bool tf32 = env && *env && strcmp(env, "0");
    gs_cu_dev *c = gs__cud(d);
    gs_cu_result err;

    if (c->blas) return GS_OK;
    err = b->cublasCreate_v2(&c->blas);
    if (err == 0) err = b->cublasSetStream_v2(c->blas, c->stream);
    if (err == 0) err = b->cublasSetMathMode(c->blas, tf32 ? GS_CUBLAS_TF32_MATH : GS_CUBLAS_DEFAULT_MATH);
    if (err == 0) return GS_OK;
    if (c->blas) b->cublasDestroy_v2(c->blas);
    c->blas = NULL;
    return blas_fail(d, err, "start");
}

/* cuBLAS keeps its own workspace. */
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
