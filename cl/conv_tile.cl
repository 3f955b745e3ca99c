/* Convolution and its gradients as products with tiles in local memory: the portable form, for GPUs. As in conv_cpu.cl each is
 *
 *   out[o(i) + j tj] = sum_k x[r(i) + q(k)] s[u(k) + j sj]          i < m, j < n, k < depth
 *
 * with o, r affine in the digits of i = (i0 d1 + i1) d2 + i2, and q, u in those of k = (k0 e1 + k1) e2 + k2. x is a
 * zero-padded image, so no tap needs a test; s is the other operand where it lies. Nothing is unfolded in global memory.
 *
 * A group of SIDE x SIDE items computes 4 SIDE rows x 4 SIDE columns, each item 4 x 4 with steps of SIDE; neighbouring items have
 * neighbouring rows, which are neighbours in the image. Group (x, y, z): rows tile, columns tile, channel group.
 * Order of sums: k ascending within blocks of 128 terms, block results added in order.
 * -DPART=1: the terms first..last-1 only, first a multiple of 128; a launch's sum is added to those before. */
#ifndef SIDE
#define SIDE 16 /* 8 where groups of 256 are not offered */
#endif
#define TILE (4 * SIDE)
#define DEPTH 16
#define BLOCK 8 /* steps of DEPTH terms: the rounding error of a sum grows with the block, not with K */
#define ROW (TILE + 1) /* the odd row length keeps the transposing stores off one bank */

__kernel GS_GROUP(SIDE, SIDE, 1)
void conv_tile(__global float *out, const ulong out0, const __global float *x, const ulong x0, const __global float *s,
               const ulong s0, const int m, const int n, const int depth,
               const int d1, const int d2, const int r0, const int r1, const int r2, const int o0, const int o1, const int o2, const int tj,
               const int e1, const int e2, const int q0, const int q1, const int q2, const int u0, const int u1, const int u2, const int sj,
               const int xg, const int og, const int sg GS_RANGE)
{
    GS_WHOLE(depth)
    __local float as[DEPTH * ROW], bs[DEPTH * ROW];
    __local int row_at[TILE], out_at[TILE], term_x[DEPTH], term_s[DEPTH];
    const int lx = get_local_id(0), ly = get_local_id(1), lid = ly * SIDE + lx;
    const int i0 = (int)get_group_id(0) * TILE, j0 = (int)get_group_id(1) * TILE, g = get_group_id(2);
    float acc[16], total[16];

    out += out0 + (ulong)g * og;
    x += x0 + (ulong)g * xg;
    s += s0 + (ulong)g * sg;
    GS_UNROLL
    for (int t = 0; t < 16; t++) acc[t] = total[t] = 0.0f;
    if (lid < TILE) {
        const int i = min(i0 + lid, m - 1), i2 = i % d2, ih = i / d2, i1 = ih % d1;

        row_at[lid] = ih / d1 * r0 + i1 * r1 + i2 * r2;
        out_at[lid] = ih / d1 * o0 + i1 * o1 + i2 * o2;
    }
    for (int kb = first; kb < last; kb += DEPTH) {
        if (lid < DEPTH) {
            const int k = min(kb + lid, depth - 1), k2 = k % e2, kh = k / e2, k1 = kh % e1;

            term_x[lid] = kh / e1 * q0 + k1 * q1 + k2 * q2;
            term_s[lid] = kh / e1 * u0 + k1 * u1 + k2 * u2;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int e = lid; e < DEPTH * TILE; e += SIDE * SIDE) {
            const int ai = e % TILE, aq = e / TILE, bj = e / DEPTH, bq = e % DEPTH;

            as[aq * ROW + ai] = kb + aq < last ? x[row_at[ai] + term_x[aq]] : 0.0f;
            bs[bq * ROW + bj] = kb + bq < last && j0 + bj < n ? s[term_s[bq] + (j0 + bj) * sj] : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int q = 0; q < DEPTH; q++) {
            float a[4], b[4];

            GS_UNROLL
            for (int t = 0; t < 4; t++) {
                a[t] = as[q * ROW + lx + t * SIDE];
                b[t] = bs[q * ROW + ly + t * SIDE];
            }
            GS_UNROLL
            for (int t = 0; t < 16; t++) acc[t] = fma(a[t / 4], b[t % 4], acc[t]);
        }
        if (kb / DEPTH % BLOCK == BLOCK - 1 || kb + DEPTH >= last) {
            GS_UNROLL
            for (int t = 0; t < 16; t++) {
                total[t] += acc[t];
                acc[t] = 0.0f;
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    barrier(CLK_LOCAL_MEM_FENCE); /* out_at, when depth is 0 */
    for (int t = 0; t < 16; t++) {
        const int i = lx + t / 4 * SIDE, j = j0 + ly + t % 4 * SIDE;

        if (i0 + i < m && j < n) {
            const ulong at = out_at[i] + (ulong)j * tj;

            out[at] = first ? out[at] + total[t] : total[t];
        }
    }
}
