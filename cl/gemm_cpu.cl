/* C = alpha op(A) op(B) + beta C for devices whose local memory is ordinary memory: the CPU form.
 * C (M,N), op(A) (M,K), op(B) (K,N), row-major, `batch` problems. -DTA, -DTB: stored transposed. -DTC: C is stored
 * transposed (the host swaps the operands so that the long side of a slim product becomes N).
 *
 * One item a group, no barrier. Group (s, c, p): columns 32 s .. 32 s + 31 and rows c * chunk .. of problem p. The item copies KC x 32
 * of op(B) into a packed panel of local memory (16 KiB, so it stays in the first-level cache beside A), then runs 12 x 32 blocks of C:
 * 24 accumulators of float16 fill the 32 registers of AVX-512 together with two vectors of B and one broadcast
 * element of A. A is read where it lies, whichever way it is stored.
 * Order of sums: k ascending within blocks of KC; block results added in order. It depends on K and KC only.
 * With an epilogue (GS_END, and beta 0) the last block of terms goes through a tile of 12 x 32, so that there is one copy of it, as a loop.
 *
 * Wide vectors exist in OpenCL C only, so this file is empty for other compilers. */
#ifdef __OPENCL_VERSION__

#ifndef TA
#define TA 0
#endif
#ifndef TB
#define TB 0
#endif
#ifndef TC
#define TC 0
#endif
#define KC 128
#define NR 32
#define UNROLL _Pragma("unroll")

/* acc[r] += x * (b0, b1) for one row */
#define ROW(r, x)                              \
    {                                          \
        const float16 x_ = (float16)(x);       \
        acc[r][0] = fma(x_, b0, acc[r][0]);    \
        acc[r][1] = fma(x_, b1, acc[r][1]);    \
    }

/* Columns j .. j+31 of rows k0 .. k0+kn-1 of op(B) into panel[kn][32]; columns past n become zeros. */
static inline void pack_b(__local float *panel, const __global float *b, const int ldb, const int k0, const int kn,
                          const int j, const int n)
{
#if TB
    int q = 0;

    if (j + NR <= n)
        for (; q + 4 <= kn; q += 4) {
            const __global float *s = b + (ulong)j * ldb + k0 + q;
            __local float *d = panel + q * NR;

            for (int t = 0; t < NR; t += 4) { /* 4 x 4 blocks */
                const float4 r0 = vload4(0, s), r1 = vload4(0, s + ldb), r2 = vload4(0, s + 2 * (ulong)ldb),
                             r3 = vload4(0, s + 3 * (ulong)ldb);

                vstore4((float4)(r0.x, r1.x, r2.x, r3.x), 0, d + t);
                vstore4((float4)(r0.y, r1.y, r2.y, r3.y), 0, d + t + NR);
                vstore4((float4)(r0.z, r1.z, r2.z, r3.z), 0, d + t + 2 * NR);
                vstore4((float4)(r0.w, r1.w, r2.w, r3.w), 0, d + t + 3 * NR);
                s += 4 * (ulong)ldb;
            }
        }
    for (; q < kn; q++)
        for (int t = 0; t < NR; t++)
            panel[q * NR + t] = j + t < n ? b[(ulong)(j + t) * ldb + k0 + q] : 0.0f;
#else
    if (j + NR <= n)
        for (int q = 0; q < kn; q++) {
            const __global float *s = b + (ulong)(k0 + q) * ldb + j;

            vstore16(vload16(0, s), 2 * q, panel);
            vstore16(vload16(1, s), 2 * q + 1, panel);
        }
    else
        for (int q = 0; q < kn; q++)
            for (int t = 0; t < NR; t++)
                panel[q * NR + t] = j + t < n ? b[(ulong)(k0 + q) * ldb + j + t] : 0.0f;
#endif
}

/* Row r of a block: C = alpha v + beta C, `cols` columns. */
static inline void store_row(__global float *c, const int ldc, const int cols, const float16 v0, const float16 v1,
                             const float alpha, const float beta)
{
#if TC
    float t[NR];

    vstore16(alpha * v0, 0, t);
    vstore16(alpha * v1, 1, t);
    for (int q = 0; q < cols; q++)
        c[(ulong)q * ldc] = beta != 0.0f ? fma(beta, c[(ulong)q * ldc], t[q]) : t[q];
#else
    float16 w0 = alpha * v0, w1 = alpha * v1;

    if (cols == NR) {
        if (beta != 0.0f) {
            w0 = fma((float16)(beta), vload16(0, c), w0);
            w1 = fma((float16)(beta), vload16(1, c), w1);
        }
        vstore16(w0, 0, c);
        vstore16(w1, 1, c);
    } else {
        float t[NR];

        vstore16(w0, 0, t);
        vstore16(w1, 1, t);
        for (int q = 0; q < cols; q++) c[q] = beta != 0.0f ? fma(beta, c[q], t[q]) : t[q];
    }
#endif
}

#if GS_END
/* What earlier blocks of terms left in C and the last one's sums, in t. */
static inline void join_row(float *t, const __global float *c, const int step, const int cols, const float alpha, const float beta)
{
    int q = 0;

#if !TC
    for (; beta != 0.0f && q + 16 <= cols; q += 16) vstore16(fma((float16)(beta), vload16(0, c + q), alpha * vload16(0, t + q)), 0, t + q);
#endif
    for (; q < cols; q++) t[q] = beta != 0.0f ? fma(beta, c[q * step], alpha * t[q]) : alpha * t[q];
}

/* Rows i .. i+rn-1 of the tile to the epilogue. */
#define FINISH(rn)                                                                                                     \
    for (int r = 0; r < (rn); r++) {                                                                                   \
        const int step = TC ? ldc : 1, from = TC ? i + r : (i + r) * ldc, at = p * stride_c + j * step + from;         \
        float *t = tile + r * NR;                                                                                      \
                                                                                                                       \
        join_row(t, c + from, step, cols, alpha, bt);                                                                  \
        _Pragma("clang loop vectorize(assume_safety) vectorize_width(16) interleave_count(1)")                         \
        for (int q = 0; q < cols; q++) GS_END_CALL(t[q], at + q * step, TC ? i + r : j + q);                           \
    }
#endif

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void gemm_cpu(__global float *c, const ulong c0, const __global float *a, const ulong a0, const __global float *b, const ulong b0,
              const int m, const int n, const int k, const int lda, const int ldb, const int ldc,
              const int stride_a, const int stride_b, const int stride_c, const int chunk, const float alpha, const float beta GS_END_PARAMS)
{
    __local float panel[KC * NR] __attribute__((aligned(64)));
#if GS_END
    float tile[12 * NR];
#endif
    const int j = (int)get_group_id(0) * NR, i0 = (int)get_group_id(1) * chunk, p = (int)get_group_id(2);
    const int i1 = min(i0 + chunk, m), cols = min(NR, n - j);
    const ulong rs = TA ? 1 : lda, ks = TA ? lda : 1; /* between rows and terms of A */

    c += c0 + (ulong)p * stride_c + (ulong)j * (TC ? ldc : 1);
    a += a0 + (ulong)p * stride_a;
    b += b0 + (ulong)p * stride_b;
    GS_END_START
    for (int k0 = 0; k0 < k; k0 += KC) {
        const int kn = min(KC, k - k0);
        const float bt = k0 ? 1.0f : beta;
        int i = i0;

        pack_b(panel, b, ldb, k0, kn, j, n);
        for (; i + 12 <= i1; i += 12) {
            const __global float *s = a + i * rs + k0 * ks;
            float16 acc[12][2];

            UNROLL for (int r = 0; r < 12; r++) acc[r][0] = acc[r][1] = (float16)(0.0f);
            for (int q = 0; q < kn; q++) {
                const float16 b0 = vload16(2 * q, panel), b1 = vload16(2 * q + 1, panel);

                UNROLL for (int r = 0; r < 12; r++) ROW(r, s[r * rs])
                s += ks;
            }
#if GS_END
            if (k0 + KC >= k) {
                UNROLL for (int r = 0; r < 12; r++) vstore16(acc[r][0], 2 * r, tile), vstore16(acc[r][1], 2 * r + 1, tile);
                FINISH(12)
                continue;
            }
#endif
            UNROLL for (int r = 0; r < 12; r++)
                store_row(c + (ulong)(i + r) * (TC ? 1 : ldc), ldc, cols, acc[r][0], acc[r][1], alpha, bt);
        }
        for (; i < i1; i += 4) { /* the last rows, four at a time; rows past the end repeat the last and are not stored */
            const int last = i1 - 1 - i;
            const __global float *s0 = a + i * rs + k0 * ks, *s1 = s0 + min(1, last) * rs, *s2 = s0 + min(2, last) * rs,
                                 *s3 = s0 + min(3, last) * rs;
            float16 acc[4][2];

            UNROLL for (int r = 0; r < 4; r++) acc[r][0] = acc[r][1] = (float16)(0.0f);
            for (int q = 0; q < kn; q++) {
                const float16 b0 = vload16(2 * q, panel), b1 = vload16(2 * q + 1, panel);

                ROW(0, *s0) ROW(1, *s1) ROW(2, *s2) ROW(3, *s3)
                s0 += ks, s1 += ks, s2 += ks, s3 += ks;
            }
#if GS_END
            if (k0 + KC >= k) {
                UNROLL for (int r = 0; r < 4; r++) vstore16(acc[r][0], 2 * r, tile), vstore16(acc[r][1], 2 * r + 1, tile);
                FINISH(min(4, last + 1))
                continue;
            }
#endif
            UNROLL for (int r = 0; r < 4; r++)
                if (r <= last) store_row(c + (ulong)(i + r) * (TC ? 1 : ldc), ldc, cols, acc[r][0], acc[r][1], alpha, bt);
        }
    }
}

#endif
