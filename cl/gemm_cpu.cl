/* C = alpha op(A) op(B) + beta C for devices whose local memory is ordinary memory: the CPU form.
 * C (M,N), op(A) (M,K), op(B) (K,N), row-major, `batch` problems. -DTA, -DTB: stored transposed. -DTC: C is stored
 * transposed (the host swaps the operands so that the long side of a slim product becomes N).
 *
 * One item a group, no barrier. Group (s, c, p): `across` strips of 32 columns and rows c * chunk .. of problem p. For each KC terms the item lays
 * its rows of op(A) side by side in local memory, at most ROWS of them, so that they come from the second-level cache without meeting in its sets,
 * whatever A's rows are apart. For each strip it then packs KC x 32 of op(B) into a panel (16 KiB, which stays in the first-level cache) and runs
 * blocks of 12 x 32 of C: 24 accumulators of float16 fill the 32 registers of AVX-512 together with two vectors of B and one broadcast element of A.
 * Meanwhile it asks for the lines of B that the next panel is made of.
 * Order of sums: k ascending within blocks of KC; block results added in order. It depends on K and KC only.
 * With an epilogue (GS_END, and beta 0) the last block of terms goes through a tile of 12 x 32, so that there is one copy of it, as a loop.
 *
 * Wide vectors exist in OpenCL C only, so this file is empty for other compilers. */
#include "cpu.h"
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
#ifndef ROWS
#define ROWS 24 /* 32 KiB of local memory; more rows pack B less often */
#endif
#define KC 128
#define NR 32
#define MR 12

/* kn terms of `cols` columns of op(B) from b on into panel[kn][32]. Columns behind them: numbers that nobody stores. */
static inline void pack_b(__local float *panel, const __global float *b, const int ldb, const int kn, const int cols)
{
#if TB
    if (kn >= 16)
        for (int k = 0; k < kn; k += 16) {
            const int q = min(k, kn - 16);

            for (int h = 0; h < NR; h += 16) {
                float16 v[16];

                UNROLL for (int r = 0; r < 16; r++) v[r] = LD16(b + (ulong)min(h + r, cols - 1) * ldb + q);
                turn16(v);
                UNROLL for (int r = 0; r < 16; r++) ST16_LOCAL(panel + (q + r) * NR + h, v[r]);
            }
        }
    else
        for (int q = 0; q < kn; q++)
            for (int t = 0; t < NR; t++) panel[q * NR + t] = b[(ulong)min(t, cols - 1) * ldb + q];
#else
    for (int q = 0; q < kn; q++, b += ldb, panel += NR) {
        if (cols == NR) {
            ST16_LOCAL(panel, LD16(b));
            ST16_LOCAL(panel + 16, LD16(b + 16));
        } else {
            some_in(panel, b, min(cols, 16));
            some_in(panel + 16, b + 16, max(cols - 16, 0));
        }
    }
#endif
}

/* Rows of the next tile: two of 8 at the end rather than one of 12 and one of 4, whose multiply-adds wait for each other. */
static inline int height(const int left)
{
    return left > 16 || (left > 8 && left <= MR) ? MR : left > 4 ? 8 : 4;
}

/* kn terms of a tile of `high` rows of op(A) from a on: rows KC apart, or with TA terms `high` apart. Rows past rn repeat the last. */
static inline void lay_a(__local float *rows, const __global float *a, const int lda, const int high, const int rn, const int kn)
{
#if TA
    if (rn == MR)
        for (int q = 0; q < kn; q++, a += lda, rows += MR) {
            *(__local any8 *)rows = *(const __global any8 *)a;
            *(__local any4 *)(rows + 8) = *(const __global any4 *)(a + 8);
        }
    else
        for (int q = 0; q < kn; q++, a += lda, rows += high)
            for (int r = 0; r < high; r++) rows[r] = a[min(r, rn - 1)];
#else
    for (int r = 0; r < high; r++, rows += KC) {
        const __global float *s = a + (ulong)min(r, rn - 1) * lda;
        int q = 0;

        for (; q + 16 <= kn; q += 16) ST16_LOCAL(rows + q, LD16(s + q));
        for (; q < kn; q++) rows[q] = s[q];
    }
#endif
}

/* Lines from..to-1 of what the next panel is made of. */
static inline void ask(const __global float *b, const int ldb, const int from, const int to)
{
    for (int i = from; i < to; i++) {
        const __global float *s = b + (ulong)i * ldb;

        UNROLL for (int w = 0; w < (TB ? KC / 16 + 1 : NR / 16); w++) ASK(s + 16 * w);
    }
}

/* A whole row of a block: C = alpha v + beta C. A call would put all accumulators aside: 15 % of a short product. */
static inline __attribute__((always_inline)) void store_row(__global float *c, const float16 v0, const float16 v1, const float alpha, const float beta)
{
    float16 w0 = alpha * v0, w1 = alpha * v1;

    if (beta != 0.0f) {
        w0 = fma((float16)(beta), LD16(c), w0);
        w1 = fma((float16)(beta), LD16(c + 16), w1);
    }
    ST16(c, w0);
    ST16(c + 16, w1);
}

/* Rows of a tile of fewer columns, or of a C that is stored transposed: from where the accumulators were put. A loop over the rows is a twelfth of
 * what the compiler would have to go through otherwise, which took it longer than all else here. */
static inline void store_tile(__global float *c, const int ldc, const int rn, const int cols, const float *t, const float alpha, const float beta)
{
    for (int r = 0; r < rn; r++, c += TC ? 1 : ldc, t += NR) {
#if !TC
        if (beta == 0.0f) {
            some_out(c, alpha * *(const float16 *)t, min(cols, 16));
            some_out(c + 16, alpha * *(const float16 *)(t + 16), max(cols - 16, 0));
            continue;
        }
#endif
        for (int q = 0; q < cols; q++) {
            __global float *to = c + q * (TC ? ldc : 1);

            *to = beta != 0.0f ? fma(beta, *to, alpha * t[q]) : alpha * t[q];
        }
    }
}

#if GS_END
/* What earlier blocks of terms left in C and the last one's sums, in t. */
static inline void join_row(float *t, const __global float *c, const int step, const int cols, const float alpha, const float beta)
{
    int q = 0;

#if !TC
    for (; q + 16 <= cols; q += 16) {
        const float16 v = alpha * *(const float16 *)(t + q);

        *(float16 *)(t + q) = beta != 0.0f ? fma((float16)(beta), LD16(c + q), v) : v;
    }
#endif
    for (; q < cols; q++) t[q] = beta != 0.0f ? fma(beta, c[q * step], alpha * t[q]) : alpha * t[q];
}

/* A tile to the epilogue. */
#define FINISH                                                                                                         \
    for (int r = 0; r < rn; r++) {                                                                                     \
        const int step = TC ? ldc : 1, from = TC ? r : r * ldc, at = p * stride_c + (TC ? j * ldc + i : i * ldc + j) + from; \
        float *t = tile + r * NR;                                                                                      \
                                                                                                                       \
        join_row(t, to + from, step, cols, alpha, bt);                                                                  \
        _Pragma("clang loop vectorize(assume_safety) vectorize_width(16) interleave_count(1)")                         \
        for (int q = 0; q < cols; q++) GS_END_CALL(t[q], at + q * step, TC ? i + r : j + q);                           \
    }
#define KEEP(R)                                                                                                        \
    if (k0 + KC >= k) {                                                                                                \
        PUT(R)                                                                                                         \
        FINISH                                                                                                         \
        continue;                                                                                                      \
    }
#else
#define KEEP(R)
#endif

#define PUT(R) UNROLL for (int r = 0; r < R; r++) *(float16 *)(tile + r * NR) = acc[r][0], *(float16 *)(tile + r * NR + 16) = acc[r][1];

/* R rows of a tile. Rows past the end are not stored. */
#define BLOCK(R)                                                                                                       \
    {                                                                                                                  \
        float16 acc[R][2];                                                                                             \
                                                                                                                       \
        UNROLL for (int r = 0; r < R; r++) acc[r][0] = acc[r][1] = (float16)(0.0f);                                    \
        for (int q = 0; q < kn; q++) {                                                                                 \
            const float16 b0 = LD16_LOCAL(panel + q * NR), b1 = LD16_LOCAL(panel + q * NR + 16);                       \
                                                                                                                       \
            UNROLL for (int r = 0; r < R; r++) {                                                                       \
                const float16 x = (float16)(rows[TA ? q * R + r : r * KC + q]);                                        \
                                                                                                                       \
                acc[r][0] = fma(x, b0, acc[r][0]);                                                                     \
                acc[r][1] = fma(x, b1, acc[r][1]);                                                                     \
            }                                                                                                          \
        }                                                                                                              \
        KEEP(R)                                                                                                        \
        if (TC || cols < NR) {                                                                                         \
            PUT(R)                                                                                                     \
        } else {                                                                                                       \
            UNROLL for (int r = 0; r < R; r++)                                                                         \
                if (r < rn) store_row(to + (ulong)r * ldc, acc[r][0], acc[r][1], alpha, bt);                           \
        }                                                                                                              \
    }

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void gemm_cpu(__global float *c, const ulong c0, const __global float *a, const ulong a0, const __global float *b, const ulong b0,
              const int m, const int n, const int k, const int lda, const int ldb, const int ldc,
              const int stride_a, const int stride_b, const int stride_c, const int across, const int chunk, const float alpha,
              const float beta GS_END_PARAMS)
{
    __local float panel[KC * NR] __attribute__((aligned(64)));
    __local float laid[KC * ROWS] __attribute__((aligned(64)));
    float tile[MR * NR] __attribute__((aligned(64)));
    const int j0 = (int)get_group_id(0) * across * NR, i0 = (int)get_group_id(1) * chunk, p = (int)get_group_id(2);
    const int j1 = min(j0 + across * NR, n), i1 = min(i0 + chunk, m);

    c += c0 + (ulong)p * stride_c;
    a += a0 + (ulong)p * stride_a;
    b += b0 + (ulong)p * stride_b;
    GS_END_START
    for (int k0 = 0; k0 < k; k0 += KC) {
        const int kn = min(KC, k - k0);
        const float bt = k0 ? 1.0f : beta;

        for (int i = i0, high; i < i1; i += high) {
            high = height(i1 - i);
            lay_a(laid + (i - i0) * KC, a + (TA ? (ulong)k0 * lda + i : (ulong)i * lda + k0), lda, high, min(high, i1 - i), kn);
        }
        for (int j = j0; j < j1; j += NR) {
            const int cols = min(NR, n - j), next_j = j + NR < j1 ? j + NR : j0, next_k = j + NR < j1 ? k0 : k0 + KC;
            const int lines = next_k >= k ? 0 : TB ? min(NR, n - next_j) : min(KC, k - next_k); /* of the next panel */
            const int share = (lines * MR + i1 - i0 - 1) / (i1 - i0);                           /* that a tile asks for */
            int asked = 0;

            pack_b(panel, b + (TB ? (ulong)j * ldb + k0 : (ulong)k0 * ldb + j), ldb, kn, cols);
            for (int i = i0, high; i < i1; i += high) {
                const __local float *rows = laid + (i - i0) * KC;
                __global float *to = c + (TC ? (ulong)j * ldc + i : (ulong)i * ldc + j);
                const int upto = min(asked + share, lines), rn = min(high = height(i1 - i), i1 - i);

                ask(b + (TB ? (ulong)next_j * ldb + next_k : (ulong)next_k * ldb + next_j), ldb, asked, upto);
                asked = upto;
                if (high == MR) BLOCK(MR)
                else if (high == 8) BLOCK(8)
                else BLOCK(4)
                if (TC || cols < NR) store_tile(to, ldc, rn, cols, tile, alpha, bt);
            }
        }
    }
}

#endif
