/* C = alpha op(A) op(B) + beta C with tiles in local memory: the portable form, for GPUs without a GEMM library.
 * C (M,N), op(A) (M,K), op(B) (K,N), row-major, `batch` problems. -DTA, -DTB: stored transposed.
 *
 * A group of SIDE x SIDE items computes a tile of 4 SIDE x 4 SIDE; each item a block of 4 x 4, whose rows and columns are SIDE
 * apart, so that neighbours read neighbouring words of local memory and write neighbouring elements of C. Elements past the edges are
 * loaded as zeros. Group (x, y, z): columns tile, rows tile, problem.
 * Order of sums: k ascending within blocks of 128 terms, block results added in order; it depends on K only.
 * With an epilogue (GS_END, and beta 0) results go to it and C is not touched. */
#ifndef TA
#define TA 0
#endif
#ifndef TB
#define TB 0
#endif
#ifndef SIDE
#define SIDE 16 /* 8 where groups of 256 are not offered */
#endif
#define TILE (4 * SIDE)
#define DEPTH 16
#define BLOCK 8 /* steps of DEPTH terms: the rounding error of a sum grows with the block, not with K */
#define ROW (TILE + 1) /* the odd row length keeps the transposing stores off one bank */

__kernel GS_GROUP(SIDE, SIDE, 1)
void gemm_tile(__global float *c, const ulong c0, const __global float *a, const ulong a0, const __global float *b, const ulong b0,
               const int m, const int n, const int k, const int lda, const int ldb, const int ldc,
               const int stride_a, const int stride_b, const int stride_c, const float alpha, const float beta GS_END_PARAMS)
{
    __local float as[DEPTH * ROW], bs[DEPTH * ROW];
    const int lx = get_local_id(0), ly = get_local_id(1), lid = ly * SIDE + lx;
    const int j0 = (int)get_group_id(0) * TILE, i0 = (int)get_group_id(1) * TILE, p = get_group_id(2);
    float acc[16], total[16];

    c += c0 + (ulong)p * stride_c;
    a += a0 + (ulong)p * stride_a;
    b += b0 + (ulong)p * stride_b;
    (void)c; /* an epilogue stores elsewhere */
    GS_END_START
    GS_UNROLL
    for (int t = 0; t < 16; t++) acc[t] = total[t] = 0.0f;
    for (int k0 = 0; k0 < k; k0 += DEPTH) {
        for (int e = lid; e < DEPTH * TILE; e += SIDE * SIDE) {
            /* the index that is contiguous in memory runs fastest over the items */
            const int ai = TA ? e % TILE : e / DEPTH, aq = TA ? e / TILE : e % DEPTH;
            const int bj = TB ? e / DEPTH : e % TILE, bq = TB ? e % DEPTH : e / TILE;
            const int i = i0 + ai, j = j0 + bj;

            as[aq * ROW + ai] = i < m && k0 + aq < k ? a[TA ? (ulong)(k0 + aq) * lda + i : (ulong)i * lda + k0 + aq] : 0.0f;
            bs[bq * ROW + bj] = j < n && k0 + bq < k ? b[TB ? (ulong)j * ldb + k0 + bq : (ulong)(k0 + bq) * ldb + j] : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int q = 0; q < DEPTH; q++) {
            float x[4], y[4];

            GS_UNROLL
            for (int t = 0; t < 4; t++) {
                x[t] = as[q * ROW + ly + t * SIDE];
                y[t] = bs[q * ROW + lx + t * SIDE];
            }
            GS_UNROLL
            for (int t = 0; t < 16; t++) acc[t] = fma(x[t / 4], y[t % 4], acc[t]);
        }
        if (k0 / DEPTH % BLOCK == BLOCK - 1 || k0 + DEPTH >= k) {
            GS_UNROLL
            for (int t = 0; t < 16; t++) {
                total[t] += acc[t];
                acc[t] = 0.0f;
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (int t = 0; t < 16; t++) {
        const int i = i0 + ly + t / 4 * SIDE, j = j0 + lx + t % 4 * SIDE;

        if (i < m && j < n) {
#if GS_END
            GS_END_CALL(alpha * total[t], p * stride_c + i * ldc + j, j);
#else
            const ulong at = (ulong)i * ldc + j;

            c[at] = beta != 0.0f ? fma(beta, c[at], alpha * total[t]) : alpha * total[t];
#endif
        }
    }
}
