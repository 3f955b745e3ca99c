/* C = alpha op(A) B^T + beta C where the lines of B lie along k, as a layer's weights do when it goes forward, and C has few rows or a multiple of 16 MV.
 * gemm_cpu.cl turns B round to have it in vectors, which for few rows is a large part of the work. Here the vectors run along the rows: op(A) is laid
 * out as panel[k][16 MV], and elements of B are broadcast from where they lie.
 * C (M,N), op(A) (M,K), B (N,K), row-major, `batch` problems. -DTA: A is stored transposed. -DMV: vectors that hold a block of rows, 1 to 4.
 *
 * One item a group, no barrier. Group (s, i, p): `chunk` lines of B, at most LINES, and `block` rows, at most 16 MV, of problem p. For each KC terms the item
 * packs op(A) (8 MV KiB) and goes through its lines, MR at a time: it asks for those of the next and multiplies into MR MV accumulators. Few lines are
 * read together, since those that are a power of two apart meet in one set of the first-level cache. Between blocks of terms sums rest in local memory. At the
 * end they are turned round and stored as rows of C, or handed to the epilogue (GS_END).
 * Order of sums: k ascending within blocks of KC; block results added in order.
 *
 * Wide vectors exist in OpenCL C only, so this file is empty for other compilers. */
#include "cpu.h"
#ifdef __OPENCL_VERSION__

#ifndef TA
#define TA 0
#endif
#ifndef MV
#define MV 1
#endif
#ifndef LINES
#define LINES 48 /* a multiple of 48: of 16 and of MR */
#endif
#define KC 128
#define ML (16 * MV)
#define MR (MV == 1 ? 6 : 12 / MV)

/* kn terms of op(A), all m rows, into panel[kn][ML]. Lanes behind them: numbers that nobody stores. */
static inline void pack_a(__local float *panel, const __global float *a, const int lda, const int m, const int kn)
{
#if TA
    for (int q = 0; q < kn; q++, a += lda, panel += ML)
        for (int h = 0; h < ML; h += 16) some_in(panel + h, a + h, clamp(m - h, 0, 16));
#else
    if (kn >= 16)
        for (int k = 0; k < kn; k += 16) {
            const int q = min(k, kn - 16);

            for (int h = 0; h < ML; h += 16) {
                float16 v[16];

                UNROLL for (int r = 0; r < 16; r++) v[r] = LD16(a + (ulong)min(h + r, m - 1) * lda + q);
                turn16(v);
                UNROLL for (int r = 0; r < 16; r++) ST16(panel + (q + r) * ML + h, v[r]);
            }
        }
    else
        for (int q = 0; q < kn; q++)
            for (int r = 0; r < ML; r++) panel[q * ML + r] = a[(ulong)min(r, m - 1) * lda + q];
#endif
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void gemm_few_cpu(__global float *c, const ulong c0, const __global float *a, const ulong a0, const __global float *b, const ulong b0,
                  const int rows, const int n, const int k, const int lda, const int ldb, const int ldc,
                  const int stride_a, const int stride_b, const int stride_c, const int block, const int chunk,
                  const float alpha, const float beta GS_END_PARAMS)
{
    __local float panel[KC * ML] __attribute__((aligned(64)));
    __local float sum[LINES * ML] __attribute__((aligned(64)));
    const int l0 = (int)get_group_id(0) * chunk, i0 = (int)get_group_id(1) * block, p = (int)get_group_id(2), m = min(block, rows - i0);
    const int over = max(l0 + MR - n, 0); /* lines of the group before that come along */
    const int lines = min(chunk, n - l0) + over;

    c += c0 + (ulong)p * stride_c + (ulong)i0 * ldc;
    a += a0 + (ulong)p * stride_a + (TA ? (ulong)i0 : (ulong)i0 * lda);
    b += b0 + (ulong)p * stride_b + (ulong)(l0 - over) * ldb;
    GS_END_START
    for (int k0 = 0; k0 < k; k0 += KC) {
        const int kn = min(KC, k - k0);

        pack_a(panel, a + (TA ? (ulong)k0 * lda : (ulong)k0), lda, m, kn);
        for (int at = 0; at < lines; at += MR) {
            const int l = min(at, lines - MR), next_l = min(at + MR, lines - MR); /* the last begin earlier */
            const __global float *x = b + (ulong)l * ldb + k0, *next = at + MR < lines ? b + (ulong)next_l * ldb + k0 : b + k0 + KC;
            __local float *s = sum + l * ML;
            float16 acc[MR][MV];

            if (at + MR < lines || k0 + KC < k)
                for (int r = 0; r < MR; r++) {
                    UNROLL for (int w = 0; w <= KC / 16; w++) ASK(next + (ulong)r * ldb + 16 * w);
                }
            UNROLL for (int r = 0; r < MR; r++) {
                UNROLL for (int v = 0; v < MV; v++) acc[r][v] = (float16)(0.0f);
            }
            for (int q = 0; q < kn; q++) {
                float16 y[MV];

                UNROLL for (int v = 0; v < MV; v++) y[v] = LD16(panel + q * ML + 16 * v);
                UNROLL for (int r = 0; r < MR; r++) {
                    UNROLL for (int v = 0; v < MV; v++) acc[r][v] = fma((float16)(x[(ulong)r * ldb + q]), y[v], acc[r][v]);
                }
            }
            UNROLL for (int r = 0; r < MR; r++) {
                if (l + r < at) continue; /* it has these terms */
                UNROLL for (int v = 0; v < MV; v++) {
                    __local float *t = s + r * ML + 16 * v;

                    ST16(t, k0 ? LD16(t) + acc[r][v] : acc[r][v]);
                }
            }
        }
    }
    for (int h = 0; h < ML; h += 16)
        for (int l = over; l < lines; l += 16) {
            float16 v[16];
            float t[256] __attribute__((aligned(64)));
            const int high = min(16, m - h), cols = min(16, lines - l), j = l0 + l - over;

            UNROLL for (int r = 0; r < 16; r++) v[r] = LD16(sum + (l + r) * ML + h);
            turn16(v);
            UNROLL for (int r = 0; r < 16; r++) *(float16 *)(t + 16 * r) = alpha * v[r];
            for (int r = 0; r < high; r++) {
#if GS_END
                const int at = p * stride_c + (i0 + h + r) * ldc + j;

                _Pragma("clang loop vectorize(assume_safety) vectorize_width(16) interleave_count(1)")
                for (int q = 0; q < cols; q++) GS_END_CALL(t[16 * r + q], at + q, j + q);
#else
                __global float *d = c + (ulong)(h + r) * ldc + j;
                const float16 w = *(const float16 *)(t + 16 * r);

                if (beta == 0.0f) some_out(d, w, cols);
                else if (cols == 16) ST16(d, fma((float16)(beta), LD16(d), w));
                else
                    for (int q = 0; q < cols; q++) d[q] = fma(beta, d[q], t[16 * r + q]);
#endif
            }
        }
}

#endif
