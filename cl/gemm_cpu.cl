/* C = alpha op(A) op(B) + beta C for devices whose local memory is ordinary memory: the CPU form.
 * C (M,N), op(A) (M,K), op(B) (K,N), row-major, `batch` problems. -DTA, -DTB: stored transposed. -DTC: C is stored
 * transposed (the host swaps the operands so that the long side of a slim product becomes N).
 *
 * One item a group, no barrier. Group (s, c, p): `across` strips of 32 columns and rows c * chunk .. of problem p. For each KC terms the item lays
 * its rows of op(A) side by side in local memory, at most ROWS of them, so that they come from the second-level cache without meeting in its sets,
 * whatever A's rows are apart; with -DLAY=0, where they are close together, it reads them where they lie. It packs op(B) into a panel of KC x 32 (16 KiB,
 * which stays in the first-level cache), one strip or as many as fit where there are few terms, and runs blocks of 12 x 32 of C: 24 accumulators of float16
 * fill the 32 registers of AVX-512 together with two vectors of B and one broadcast element of A. The last columns are blocks of 8.
 * Meanwhile it asks for the lines of A and B that the next block is made of; behind the last one that is the next problem's first.
 * Order of sums: k ascending within blocks of KC; block results added in order. It depends on K and KC only.
 * Blocks that are not stored from registers go through a tile of 12 x 32: those of fewer columns, those stored transposed, and with an epilogue (GS_END, and
 * beta 0) those of the last terms, so that there is one copy of what follows, as a loop, which is a small part of what the compiler would have to go through.
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
#ifndef LAY
#define LAY 1
#endif
#ifndef ROWS
#define ROWS 24 /* 32 KiB of local memory; more rows pack B less often */
#endif
#define KC 128
#define AT_ONCE 16 /* terms between which lines are asked for; not where A is not laid, since pointers to its rows need the registers */
#define NR 32
#define MR 12

/* kn terms of `cols` columns of op(B) from b on into panel[kn][32]. Columns behind them: numbers that nobody stores. */
static SEPARATE void pack_b(__local float *panel, const __global float *b, const int ldb, const int kn, const int cols)
{
#if TB
    const int few = kn < 16 ? cols : cols % 16 > 4 ? 0 : cols % 16; /* so few lines are not worth turning */

    if (kn >= 16)
        for (int k = 0; k < kn; k += 16) {
            const int q = min(k, kn - 16);

            for (int h = 0; h < cols - few; h += 16) {
                const __global float *line = b + (ulong)h * ldb + q;
                float16 v[16];

                if (h + 16 <= cols) {
                    UNROLL for (int r = 0; r < 16; r++) v[r] = LD16(line + (ulong)r * ldb);
                } else {
                    UNROLL for (int r = 0; r < 16; r++) v[r] = LD16(line), line += h + r + 1 < cols ? ldb : 0;
                }
                turn16(v);
                UNROLL for (int r = 0; r < 16; r++) ST16(panel + (q + r) * NR + h, v[r]);
            }
        }
    for (int t = cols - few; t < cols; t++)
        for (int q = 0; q < kn; q++) panel[q * NR + t] = b[(ulong)t * ldb + q];
#else
    for (int q = 0; q < kn; q++, b += ldb, panel += NR) {
        if (cols == NR) {
            ST16(panel, LD16(b));
            ST16(panel + 16, LD16(b + 16));
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
    return left > 16 || (left > 8 && left <= MR) ? MR : 8;
}

/* Columns of the next block: half vectors, which cost half, where 24 or fewer are left. */
static inline int width(const int left)
{
    return left > 24 ? NR : 8;
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

        for (; q + 16 <= kn; q += 16) ST16(rows + q, LD16(s + q));
        for (; q < kn; q++) rows[q] = s[q];
    }
#endif
}

/* Lines from..to-1, of `wide` elements, of what the next block is made of. */
static inline void ask(const __global float *s, const int ld, const int from, const int to, const int wide)
{
    s += (ulong)from * ld;
    if (wide <= NR)
        for (int i = from; i < to; i++, s += ld) {
            ASK(s), ASK(s + 16);
            if ((ulong)s & 63) ASK(s + 32), ASK(s + 48); /* it ends in the third line of the cache */
        }
    else
        for (int i = from; i < to; i++, s += ld)
            for (ulong at = (ulong)s & ~63ul; at < (ulong)(s + wide); at += 128) ASK(at), ASK(at + 64);
}

/* Rows of a tile that lie in memory: C = alpha t + beta C, `cols` columns. */
static inline void store_tile(__global float *c, const int ldc, const float *t, const int rn, const int cols, const float alpha, const float beta)
{
    for (int r = 0; r < rn; r++, t += NR, c += TC ? 1 : ldc) {
        int q = 0;

#if TC
        for (; q < cols; q++) c[q * ldc] = beta != 0.0f ? fma(beta, c[q * ldc], alpha * t[q]) : alpha * t[q];
#else
        for (; q < cols; q += 16) {
            const float16 v = alpha * *(const float16 *)(t + q);
            const int n = min(cols - q, 16);

            if (beta == 0.0f) some_out(c + q, v, n);
            else if (n == 16) ST16(c + q, fma((float16)(beta), LD16(c + q), v));
            else
                for (int e = q; e < cols; e++) c[e] = fma(beta, c[e], alpha * t[e]);
        }
#endif
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
    for (int r = back; r < back + rn; r++) {                                                                           \
        const int step = TC ? ldc : 1, from = TC ? r : r * ldc, at = p * stride_c + (TC ? s * ldc + top : top * ldc + s) + from; \
        float *t = tile + r * NR;                                                                                      \
                                                                                                                       \
        join_row(t, to + from, step, cols, alpha, bt);                                                                 \
        _Pragma("clang loop vectorize(assume_safety) vectorize_width(16) interleave_count(1)")                         \
        for (int q = 0; q < cols; q++) GS_END_CALL(t[q], at + q * step, TC ? top + r : s + q);                         \
    }
#endif

/* Whole vectors go from registers to C, where that is all. */
#define STORE(R, T, ANY, V)                                                                                            \
    if (whole) {                                                                                                       \
        if (bt == 0.0f) {                                                                                              \
            UNROLL for (int r = 0; r < R; r++)                                                                         \
                if (r >= back && r < back + rn) {                                                                      \
                    UNROLL for (int v = 0; v < V; v++) *(__global ANY *)(to + (ulong)r * ldc + 16 * v) = alpha * acc[r][v]; \
                }                                                                                                      \
        } else {                                                                                                       \
            UNROLL for (int r = 0; r < R; r++)                                                                         \
                if (r >= back && r < back + rn) {                                                                      \
                    UNROLL for (int v = 0; v < V; v++) {                                                               \
                        __global float *d = to + (ulong)r * ldc + 16 * v;                                              \
                                                                                                                       \
                        *(__global ANY *)d = fma((T)(bt), (T)*(const __global ANY *)d, alpha * acc[r][v]);             \
                    }                                                                                                  \
                }                                                                                                      \
        }                                                                                                              \
        continue;                                                                                                      \
    }

#if TA
#define ELEMENT(R, r, q) rows[(q) * R + (r)]
#else
#define ELEMENT(R, r, q) rows[(r) * (LAY ? KC : lda) + (q)]
#endif

/* R rows of a tile, V vectors of type T wide, into `tile` where they are not stored. The next panel's lines are asked for a few at a time: all
 * at once, they wait for each other. */
#define BLOCK(R, T, ANY, V)                                                                                            \
    {                                                                                                                  \
        T acc[R][V];                                                                                                   \
                                                                                                                       \
        UNROLL for (int r = 0; r < R; r++) {                                                                           \
            UNROLL for (int v = 0; v < V; v++) acc[r][v] = (T)(0.0f);                                                  \
        }                                                                                                              \
        for (int q0 = 0, q1; q0 < kn; q0 = q1) {                                                                       \
            const int more = min(asked + part, upto);                                                                  \
                                                                                                                       \
            ask(next, ldb, asked, more, next_wide);                                                                    \
            asked = more, q1 = LAY ? min(q0 + AT_ONCE, kn) : kn;                                                       \
            for (int q = q0; q < q1; q++) {                                                                            \
                T y[V];                                                                                                \
                                                                                                                       \
                UNROLL for (int v = 0; v < V; v++) y[v] = *(const __local T *)(strip + q * NR + 16 * v);               \
                UNROLL for (int r = 0; r < R; r++) {                                                                   \
                    const T x = (T)(ELEMENT(R, r, q));                                                                 \
                                                                                                                       \
                    UNROLL for (int v = 0; v < V; v++) acc[r][v] = fma(x, y[v], acc[r][v]);                            \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        STORE(R, T, ANY, V)                                                                                            \
        UNROLL for (int r = 0; r < R; r++) {                                                                           \
            UNROLL for (int v = 0; v < V; v++) *(T *)(tile + r * NR + 16 * v) = acc[r][v];                             \
        }                                                                                                              \
    }

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void gemm_cpu(__global float *c, const ulong c0, const __global float *a, const ulong a0, const __global float *b, const ulong b0,
              const int m, const int n, const int k, const int lda, const int ldb, const int ldc,
              const int stride_a, const int stride_b, const int stride_c, const int across, const int chunk, const float alpha,
              const float beta GS_END_PARAMS)
{
    __local float panel[KC * NR] __attribute__((aligned(64)));
#if LAY
    __local float laid[KC * ROWS] __attribute__((aligned(64)));
#endif
    float tile[MR * NR] __attribute__((aligned(64)));
    const int j0 = (int)get_group_id(0) * across * NR, i0 = (int)get_group_id(1) * chunk, p = (int)get_group_id(2);
    const int j1 = min(j0 + across * NR, n), i1 = min(i0 + chunk, m);

    c += c0 + (ulong)p * stride_c;
    a += a0 + (ulong)p * stride_a;
    b += b0 + (ulong)p * stride_b;
    GS_END_START
    for (int k0 = 0; k0 < k; k0 += KC, a += TA ? (ulong)KC * lda : KC, b += TB ? KC : (ulong)KC * ldb) {
        const int kn = min(KC, k - k0), held = KC / kn * NR; /* terms of this block, columns that the panel has room for */
        const bool more = k0 + KC < k, follows = !more && p + 1 < (int)get_num_groups(2) && get_num_groups(0) * get_num_groups(1) == 1;
        const int next_terms = more ? min(KC, k - k0 - KC) : follows ? min(KC, k) : 0; /* of the next block: behind the last, the next problem's first */
        const long terms_on = more ? KC : -k0; /* to the first of that */
        const __global float *next_a = a + (more ? 0 : stride_a) + terms_on * (TA ? lda : 1), *next_b = b + (more ? 0 : stride_b) + terms_on * (TB ? 1 : ldb);
        const float bt = k0 ? 1.0f : beta;

#if LAY
        for (int i = i0, high; i < i1; i += high) {
            high = height(i1 - i);
            lay_a(laid + (i - i0) * KC, a + (TA ? (ulong)i : (ulong)i * lda), lda, high, min(high, i1 - i), kn);
        }
#endif
        for (int j = j0; j < j1; j += held) {
            const int end = min(j + held, j1), next_j = end < j1 ? end : j0, terms = end < j1 ? kn : next_terms;
            const __global float *next = (end < j1 ? b : next_b) + (TB ? (ulong)next_j * ldb : (ulong)next_j);
            const int lines = TB && terms ? min(held, j1 - next_j) : terms; /* of the next panel */
            const int share = (lines * MR + i1 - i0 - 1) / (i1 - i0), part = LAY ? (share * AT_ONCE + kn - 1) / kn : share; /* of a tile, of AT_ONCE terms */
            const int next_wide = TB ? terms : min(held, j1 - next_j);
            const int terms_a = end == j1 ? next_terms : 0, share_a = (terms_a * MR + i1 - i0 - 1) / (i1 - i0);
            int asked = 0, asked_a = 0;

            for (int s = j; s < end; s += NR) pack_b(panel + (s - j) * kn, b + (TB ? (ulong)s * ldb : (ulong)s), ldb, kn, min(NR, end - s));
            for (int i = i0, high; i < i1; i += high) {
                const int upto = min(asked + share, lines), upto_a = min(asked_a + share_a, terms_a), rn = min(high = height(i1 - i), i1 - i);
#if LAY
                const int top = i, back = 0; /* the block's first row, and how many it has in common with the one before */
                const __local float *rows = laid + (i - i0) * KC;
#else
                const int top = min(i, i1 - high), back = i - top;
                const __global float *rows = a + (ulong)top * lda;
#endif

                if (TA) ask(next_a + i0, lda, asked_a, upto_a, i1 - i0);
                else ask(next_a + (ulong)i * lda, lda, 0, terms_a ? rn : 0, terms_a);
                asked_a = upto_a;
                for (int s = j, wide; s < end; s += wide) {
                    const __local float *strip = panel + (s - j) / NR * NR * kn + (s - j) % NR;
                    __global float *to = c + (TC ? (ulong)s * ldc + top : (ulong)top * ldc + s);
                    const int cols = min(wide = width(end - s), end - s);
                    const bool whole = (cols == wide) & !TC & (!GS_END | (k0 + KC < k)); /* is stored from registers */

                    if (k > KC) /* earlier sums: rows a power of two apart do not stay near */
                        for (int r = 0; r < (TC ? 0 : rn); r++) ASK(to + r * ldc), ASK(to + r * ldc + 16);
                    if (wide == NR) {
                        if (high == MR) BLOCK(MR, float16, any16, 2)
                        else BLOCK(8, float16, any16, 2)
                    } else {
                        if (high == MR) BLOCK(MR, float8, any8, 1)
                        else BLOCK(8, float8, any8, 1)
                    }
#if GS_END
                    if (k0 + KC >= k) {
                        FINISH
                        continue;
                    }
#endif
                    store_tile(to + (TC ? back : back * ldc), ldc, tile + back * NR, rn, cols, alpha, bt);
                }
            }
        }
    }
}

#endif
