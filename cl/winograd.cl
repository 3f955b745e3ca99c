/* Convolutions and their gradients by Winograd's method (Winograd 1980; Lavin & Gray 2016): the image is cut in tiles of F x F results, and with
 * the kernel's side K, A = F + K - 1 and the matrices B (A x A), G (A x K), R (F x A)
 *
 *   y  = R [ sum_c (G w G^T) . (B x B^T) ] R^T        dw = G^T [ sum_tiles (R^T dy R) . (B x B^T) ] G
 *
 * for each tile, '.' elementwise. So A^2 products of matrices take the place of the convolution, with F^2 K^2 / A^2 times fewer multiplications;
 * the kernels here are what comes before and after them.
 *
 *   K F   serves                            fewer   points
 *   3 4   3x3                               4.00    0, +-1/sqrt 2, +-sqrt 2: half the error of 0, +-1, +-2
 *   3 2   3x3                               2.25    0, +-1
 *   4 3   4x4                               4.00    as for 3 4: the tiles are 6 x 6 too
 *   2 4   2x2; 4x4 of stride 2 by phases    2.56    +-1/2, +-5/4: no more error than the plain sum
 *
 * A kernel of 2K x 2K and stride 2 is one of K x K over four times the channels: the phases (a, b) of x, x'[a,b,c][i][j] = x[c][2 i + a][2 j + b].
 * Its gradient by x is four convolutions, one for each phase of the result, of which a launch writes all.
 *
 *   wino_weights   u (A^2, rows, cols) = G w G^T            wino_image     v (A^2, channels, tiles) = B x B^T
 *   wino_result    y = R m R^T                              wino_gradient  v (A^2, channels, tiles) = R^T dy R
 *   wino_dw        dw = G^T s G
 *
 * LANES is 16 on devices whose local memory is ordinary memory, else 1: an item does so many tiles at once, in vectors. Tiles are numbered picture by
 * picture, row by row, or where there are pictures enough (BATCH) so that the lanes are 16 pictures: then pixels need only be turned, 16 x 16 at a time,
 * and edges are the same for all lanes. PAD: what lies around x: 0 zeros, 1 reflection, 2 the edge repeated. ps: 2 where phases are read, else 1. */
#ifndef F
#define F 4
#endif
#ifndef K
#define K 3
#endif
#ifndef LANES
#define LANES 1
#endif
#ifndef PAD
#define PAD 0
#endif
#ifndef BATCH
#define BATCH 0
#endif
#define A (F + K - 1)
#define NP (K == 2 ? 2 : 1) /* phases a side */

#if LANES == 16 /* exists in OpenCL C only */
#define VEC float16
#define LOAD(p) gs_load16(0, p)
#define STORE(v, p) gs_store16(v, 0, p)
#else
#define VEC float
#define LOAD(p) (*(p))
#define STORE(v, p) (*(p) = (v))
#endif

#define ROOT2 1.41421356237309505f
#define HALF2 0.70710678118654752f

/* One axis of each transform: `in` and `out` are arrays, the elements S apart. */
#if K == 2 && F == 4
#define B_AXIS(out, o, S, in, i, Q)                                                                   \
    {                                                                                                 \
        const VEC d0 = in[i], d1 = in[i + Q], d2 = in[i + 2 * Q], d3 = in[i + 3 * Q], d4 = in[i + 4 * Q]; \
        const VEC e1 = d3 - 1.5625f * d1, o1 = 0.5f * (d2 - 1.5625f * d0), e2 = d3 - 0.25f * d1, o2 = 1.25f * (d2 - 0.25f * d0); \
                                                                                                      \
        out[o] = e1 + o1;                                                                             \
        out[o + S] = e1 - o1;                                                                         \
        out[o + 2 * S] = e2 + o2;                                                                     \
        out[o + 3 * S] = e2 - o2;                                                                     \
        out[o + 4 * S] = d4 - 1.8125f * d2 + 0.390625f * d0;                                          \
    }
#define R_AXIS(out, o, S, in, i, Q)                                                                   \
    {                                                                                                 \
        const VEC e1 = in[i] + in[i + Q], o1 = 0.5f * (in[i] - in[i + Q]);                            \
        const VEC e2 = in[i + 2 * Q] + in[i + 3 * Q], o2 = 1.25f * (in[i + 2 * Q] - in[i + 3 * Q]);   \
                                                                                                      \
        out[o] = e1 + e2;                                                                             \
        out[o + S] = o1 + o2;                                                                         \
        out[o + 2 * S] = 0.25f * e1 + 1.5625f * e2;                                                   \
        out[o + 3 * S] = 0.25f * o1 + 1.5625f * o2 + in[i + 4 * Q];                                   \
    }
#define RT_AXIS(out, o, S, in, i, Q)                                                                  \
    {                                                                                                 \
        const VEC y0 = in[i], y1 = in[i + Q], y2 = in[i + 2 * Q], y3 = in[i + 3 * Q];                 \
        const VEC e1 = y0 + 0.25f * y2, o1 = 0.5f * (y1 + 0.25f * y3), e2 = y0 + 1.5625f * y2, o2 = 1.25f * (y1 + 1.5625f * y3); \
                                                                                                      \
        out[o] = e1 + o1;                                                                             \
        out[o + S] = e1 - o1;                                                                         \
        out[o + 2 * S] = e2 + o2;                                                                     \
        out[o + 3 * S] = e2 - o2;                                                                     \
        out[o + 4 * S] = y3;                                                                          \
    }
#define G_AXIS(out, o, S, in, i, Q)                                                                   \
    {                                                                                                 \
        const VEC g0 = in[i], g1 = in[i + Q];                                                       \
                                                                                                      \
        out[o] = -(16.0f / 21.0f) * g0 - (8.0f / 21.0f) * g1;                                         \
        out[o + S] = (16.0f / 21.0f) * g0 - (8.0f / 21.0f) * g1;                                      \
        out[o + 2 * S] = (32.0f / 105.0f) * g0 + (8.0f / 21.0f) * g1;                                 \
        out[o + 3 * S] = (8.0f / 21.0f) * g1 - (32.0f / 105.0f) * g0;                                 \
        out[o + 4 * S] = g1;                                                                          \
    }
#define GT_AXIS(out, o, S, in, i, Q)                                                                  \
    {                                                                                                 \
        out[o] = (16.0f / 21.0f) * (in[i + Q] - in[i]) + (32.0f / 105.0f) * (in[i + 2 * Q] - in[i + 3 * Q]);                    \
        out[o + S] = (8.0f / 21.0f) * ((in[i + 2 * Q] + in[i + 3 * Q]) - (in[i] + in[i + Q])) + in[i + 4 * Q];                  \
    }
#elif F + K == 7
#define B_AXIS(out, o, S, in, i, Q)                                                                   \
    {                                                                                                 \
        const VEC d0 = in[i], d1 = in[i + Q], d2 = in[i + 2 * Q], d3 = in[i + 3 * Q], d4 = in[i + 4 * Q], d5 = in[i + 5 * Q]; \
        const VEC e1 = d4 - 2.0f * d2, o1 = HALF2 * (d3 - 2.0f * d1), e2 = d4 - 0.5f * d2, o2 = ROOT2 * (d3 - 0.5f * d1);     \
                                                                                                      \
        out[o] = d0 - 2.5f * d2 + d4;                                                                 \
        out[o + S] = e1 + o1;                                                                         \
        out[o + 2 * S] = e1 - o1;                                                                     \
        out[o + 3 * S] = e2 + o2;                                                                     \
        out[o + 4 * S] = e2 - o2;                                                                     \
        out[o + 5 * S] = d1 - 2.5f * d3 + d5;                                                         \
    }
#if F == 4
#define R_AXIS(out, o, S, in, i, Q)                                                                   \
    {                                                                                                 \
        const VEC e1 = in[i + Q] + in[i + 2 * Q], o1 = HALF2 * (in[i + Q] - in[i + 2 * Q]);           \
        const VEC e2 = in[i + 3 * Q] + in[i + 4 * Q], o2 = ROOT2 * (in[i + 3 * Q] - in[i + 4 * Q]);   \
                                                                                                      \
        out[o] = in[i] + e1 + e2;                                                                     \
        out[o + S] = o1 + o2;                                                                         \
        out[o + 2 * S] = 0.5f * e1 + 2.0f * e2;                                                       \
        out[o + 3 * S] = 0.5f * o1 + 2.0f * o2 + in[i + 5 * Q];                                       \
    }
#define RT_AXIS(out, o, S, in, i, Q)                                                                  \
    {                                                                                                 \
        const VEC y0 = in[i], y1 = in[i + Q], y2 = in[i + 2 * Q], y3 = in[i + 3 * Q];                 \
        const VEC e1 = y0 + 0.5f * y2, o1 = HALF2 * (y1 + 0.5f * y3), e2 = y0 + 2.0f * y2, o2 = ROOT2 * (y1 + 2.0f * y3); \
                                                                                                      \
        out[o] = y0;                                                                                  \
        out[o + S] = e1 + o1;                                                                         \
        out[o + 2 * S] = e1 - o1;                                                                     \
        out[o + 3 * S] = e2 + o2;                                                                     \
        out[o + 4 * S] = e2 - o2;                                                                     \
        out[o + 5 * S] = y3;                                                                          \
    }
#define G_AXIS(out, o, S, in, i, Q)                                                                   \
    {                                                                                                 \
        const VEC g0 = in[i], g1 = in[i + Q], g2 = in[i + 2 * Q];                                   \
        const VEC e1 = (g0 + 0.5f * g2) * (-2.0f / 3.0f), o1 = HALF2 * g1 * (-2.0f / 3.0f);         \
        const VEC e2 = (g0 + 2.0f * g2) * (1.0f / 6.0f), o2 = ROOT2 * g1 * (1.0f / 6.0f);           \
                                                                                                      \
        out[o] = g0;                                                                                  \
        out[o + S] = e1 + o1;                                                                         \
        out[o + 2 * S] = e1 - o1;                                                                     \
        out[o + 3 * S] = e2 + o2;                                                                     \
        out[o + 4 * S] = e2 - o2;                                                                     \
        out[o + 5 * S] = g2;                                                                          \
    }
#define GT_AXIS(out, o, S, in, i, Q)                                                                  \
    {                                                                                                 \
        const VEC e1 = (in[i + Q] + in[i + 2 * Q]) * (-2.0f / 3.0f), e2 = (in[i + 3 * Q] + in[i + 4 * Q]) * (1.0f / 6.0f); \
        const VEC o1 = (in[i + Q] - in[i + 2 * Q]) * (-2.0f / 3.0f), o2 = (in[i + 3 * Q] - in[i + 4 * Q]) * (1.0f / 6.0f); \
                                                                                                      \
        out[o] = in[i] + e1 + e2;                                                                     \
        out[o + S] = HALF2 * o1 + ROOT2 * o2;                                                         \
        out[o + 2 * S] = 0.5f * e1 + 2.0f * e2 + in[i + 5 * Q];                                       \
    }
#else
#define R_AXIS(out, o, S, in, i, Q)                                                                   \
    {                                                                                                 \
        const VEC e1 = in[i + Q] + in[i + 2 * Q], o1 = HALF2 * (in[i + Q] - in[i + 2 * Q]);           \
        const VEC e2 = in[i + 3 * Q] + in[i + 4 * Q], o2 = ROOT2 * (in[i + 3 * Q] - in[i + 4 * Q]);   \
                                                                                                      \
        out[o] = in[i] + e1 + e2;                                                                     \
        out[o + S] = o1 + o2;                                                                         \
        out[o + 2 * S] = 0.5f * e1 + 2.0f * e2 + in[i + 5 * Q];                                       \
    }
#define RT_AXIS(out, o, S, in, i, Q)                                                                  \
    {                                                                                                 \
        const VEC y0 = in[i], y1 = in[i + Q], y2 = in[i + 2 * Q];                                     \
        const VEC e1 = y0 + 0.5f * y2, o1 = HALF2 * y1, e2 = y0 + 2.0f * y2, o2 = ROOT2 * y1;         \
                                                                                                      \
        out[o] = y0;                                                                                  \
        out[o + S] = e1 + o1;                                                                         \
        out[o + 2 * S] = e1 - o1;                                                                     \
        out[o + 3 * S] = e2 + o2;                                                                     \
        out[o + 4 * S] = e2 - o2;                                                                     \
        out[o + 5 * S] = y2;                                                                          \
    }
#define G_AXIS(out, o, S, in, i, Q)                                                                   \
    {                                                                                                 \
        const VEC g0 = in[i], g1 = in[i + Q], g2 = in[i + 2 * Q], g3 = in[i + 3 * Q];                 \
        const VEC e1 = (g0 + 0.5f * g2) * (-2.0f / 3.0f), o1 = HALF2 * (g1 + 0.5f * g3) * (-2.0f / 3.0f);                      \
        const VEC e2 = (g0 + 2.0f * g2) * (1.0f / 6.0f), o2 = ROOT2 * (g1 + 2.0f * g3) * (1.0f / 6.0f);                        \
                                                                                                      \
        out[o] = g0;                                                                                  \
        out[o + S] = e1 + o1;                                                                         \
        out[o + 2 * S] = e1 - o1;                                                                     \
        out[o + 3 * S] = e2 + o2;                                                                     \
        out[o + 4 * S] = e2 - o2;                                                                     \
        out[o + 5 * S] = g3;                                                                          \
    }
#define GT_AXIS(out, o, S, in, i, Q)                                                                  \
    {                                                                                                 \
        const VEC e1 = (in[i + Q] + in[i + 2 * Q]) * (-2.0f / 3.0f), e2 = (in[i + 3 * Q] + in[i + 4 * Q]) * (1.0f / 6.0f);     \
        const VEC o1 = HALF2 * (in[i + Q] - in[i + 2 * Q]) * (-2.0f / 3.0f), o2 = ROOT2 * (in[i + 3 * Q] - in[i + 4 * Q]) * (1.0f / 6.0f); \
                                                                                                      \
        out[o] = in[i] + e1 + e2;                                                                     \
        out[o + S] = o1 + o2;                                                                         \
        out[o + 2 * S] = 0.5f * e1 + 2.0f * e2;                                                       \
        out[o + 3 * S] = 0.5f * o1 + 2.0f * o2 + in[i + 5 * Q];                                       \
    }
#endif
#else
#define B_AXIS(out, o, S, in, i, Q)                                                                   \
    {                                                                                                 \
        const VEC d0 = in[i], d1 = in[i + Q], d2 = in[i + 2 * Q], d3 = in[i + 3 * Q];                 \
                                                                                                      \
        out[o] = d0 - d2;                                                                             \
        out[o + S] = d1 + d2;                                                                         \
        out[o + 2 * S] = d2 - d1;                                                                     \
        out[o + 3 * S] = d3 - d1;                                                                     \
    }
#define R_AXIS(out, o, S, in, i, Q)                                                                   \
    {                                                                                                 \
        out[o] = in[i] + in[i + Q] + in[i + 2 * Q];                                                   \
        out[o + S] = in[i + Q] - in[i + 2 * Q] + in[i + 3 * Q];                                       \
    }
#define RT_AXIS(out, o, S, in, i, Q)                                                                  \
    {                                                                                                 \
        const VEC y0 = in[i], y1 = in[i + Q];                                                         \
                                                                                                      \
        out[o] = y0;                                                                                  \
        out[o + S] = y0 + y1;                                                                         \
        out[o + 2 * S] = y0 - y1;                                                                     \
        out[o + 3 * S] = y1;                                                                          \
    }
#define G_AXIS(out, o, S, in, i, Q)                                                                   \
    {                                                                                                 \
        const VEC g0 = in[i], g1 = in[i + Q], g2 = in[i + 2 * Q];                                   \
                                                                                                      \
        out[o] = g0;                                                                                  \
        out[o + S] = 0.5f * (g0 + g1 + g2);                                                           \
        out[o + 2 * S] = 0.5f * (g0 - g1 + g2);                                                       \
        out[o + 3 * S] = g2;                                                                          \
    }
#define GT_AXIS(out, o, S, in, i, Q)                                                                  \
    {                                                                                                 \
        out[o] = in[i] + 0.5f * (in[i + Q] + in[i + 2 * Q]);                                          \
        out[o + S] = 0.5f * (in[i + Q] - in[i + 2 * Q]);                                              \
        out[o + 2 * S] = 0.5f * (in[i + Q] + in[i + 2 * Q]) + in[i + 3 * Q];                          \
    }
#endif

/* Both axes: columns of `in` to `mid`, then rows of `mid` to `out`, which may be `in`; in is W x W, out N x N. */
#define BOTH(AXIS, out, mid, in, N, W)                                                             \
    {                                                                                                 \
        GS_UNROLL                                                                                     \
        for (int j_ = 0; j_ < W; j_++) AXIS(mid, j_, W, in, j_, W)                                    \
        GS_UNROLL                                                                                     \
        for (int i_ = 0; i_ < N; i_++) AXIS(out, i_ * N, 1, mid, i_ * W, 1)                           \
    }
#define B_BOTH(out, mid, in) BOTH(B_AXIS, out, mid, in, A, A)
#define R_BOTH(out, mid, in) BOTH(R_AXIS, out, mid, in, F, A)
#define RT_BOTH(out, mid, in) BOTH(RT_AXIS, out, mid, in, A, F)
#define G_BOTH(out, mid, in) BOTH(G_AXIS, out, mid, in, A, K)
#define GT_BOTH(out, mid, in) BOTH(GT_AXIS, out, mid, in, K, A)

#define KK (K * NP * K * NP) /* taps of the kernel as it is stored */

#if LANES == 16
#define ZIP_LOW(a, b)                                                                                 \
    (float16)(a.s0, b.s0, a.s1, b.s1, a.s2, b.s2, a.s3, b.s3, a.s4, b.s4, a.s5, b.s5, a.s6, b.s6, a.s7, b.s7)
#define ZIP_HIGH(a, b)                                                                                \
    (float16)(a.s8, b.s8, a.s9, b.s9, a.sa, b.sa, a.sb, b.sb, a.sc, b.sc, a.sd, b.sd, a.se, b.se, a.sf, b.sf)

/* Sixteen rows of sixteen become columns: each pass moves every element's place, written row, column in binary, round by one bit. */
GS_FN void turn(float16 *v)
{
    float16 t[16];

    GS_UNROLL
    for (int pass = 0; pass < 2; pass++) {
        GS_UNROLL
        for (int i = 0; i < 8; i++) {
            t[2 * i] = ZIP_LOW(v[i], v[i + 8]);
            t[2 * i + 1] = ZIP_HIGH(v[i], v[i + 8]);
        }
        GS_UNROLL
        for (int i = 0; i < 8; i++) {
            v[2 * i] = ZIP_LOW(t[i], t[i + 8]);
            v[2 * i + 1] = ZIP_HIGH(t[i], t[i + 8]);
        }
    }
}

/* lane[i][k] = line k's element i, i < count, lines `step` apart, 16 of them or n, of which the last is repeated. */
GS_FN void to_lanes(float *lane, const __global float *x, const long step, const int n, const int count)
{
    if (n == 16 && count >= 16) {
        for (int i = 0; i < count; i += 16) {
            const int at = min(i, count - 16); /* the last block may overlap the one before */
            float16 v[16];

            GS_UNROLL
            for (int k = 0; k < 16; k++) v[k] = gs_load16(0, x + k * step + at);
            turn(v);
            GS_UNROLL
            for (int k = 0; k < 16; k++) gs_store16(v[k], at + k, lane);
        }
    } else if (n == 16 && count == 9 && step >= 9) { /* the last line is read from 7 elements before it, since none may follow */
        float16 v[16];

        GS_UNROLL
        for (int k = 0; k < 15; k++) v[k] = gs_load16(0, x + k * step);
        v[15] = gs_load16(0, x + 15 * step - 7).s789abcdef0123456;
        turn(v);
        GS_UNROLL
        for (int k = 0; k < 9; k++) gs_store16(v[k], k, lane);
    } else {
        for (int k = 0; k < 16; k++)
            for (int i = 0; i < count; i++) lane[i * 16 + k] = x[min(k, n - 1) * step + i];
    }
}

/* The other way; lines past n are left out. */
GS_FN void from_lanes(__global float *y, const float *lane, const long step, const int n, const int count)
{
    if (n == 16 && count >= 16) {
        for (int i = 0; i < count; i += 16) {
            const int at = min(i, count - 16);
            float16 v[16];

            GS_UNROLL
            for (int k = 0; k < 16; k++) v[k] = gs_load16(at + k, lane);
            turn(v);
            GS_UNROLL
            for (int k = 0; k < 16; k++) gs_store16(v[k], 0, y + k * step + at);
        }
    } else {
        for (int k = 0; k < n; k++)
            for (int i = 0; i < count; i++) y[k * step + i] = lane[i * 16 + k];
    }
}

/* The first n of sixteen. */
GS_FN void store_some(__global float *p, const float16 v, const int n)
{
    if (n == 16) {
        gs_store16(v, 0, p);
    } else {
        float t[16];

        gs_store16(v, 0, t);
        for (int k = 0; k < n; k++) p[k] = t[k];
    }
}

GS_FN float16 load_some(const __global float *p, const int n)
{
    float t[16];

    if (n == 16) return gs_load16(0, p);
    for (int k = 0; k < 16; k++) t[k] = p[min(k, n - 1)];
    return gs_load16(0, t);
}
#endif

/* u (A^2, rows, ps^2, cols) = G w G^T of ps^2 phases. w's rows lie sr apart, its columns sc, and tap (i, j) of phase (a, b) is element base + a K NP + b + i si
 * + j sj of the K NP x K NP that lie together. One item a row and LANES columns; without lanes, a phase of that. */
__kernel void wino_weights(__global float *u, const ulong u0, const __global float *w, const ulong w0, const int rows, const int cols,
                           const int ps, const int base, const int sr, const int sc, const int si, const int sj)
{
    const int at = get_global_id(0);
    const ulong xi_step = (ulong)rows * cols * (ps * ps);
    VEC g[K * K], t[A * K], r[A * A];

    w += w0;
    u += u0;
#if LANES == 16
    {
        const int blocks = (cols + 15) / 16, row = at / blocks, col = at % blocks * 16, n = min(16, cols - col);
        float taps[16 * KK];

        if (row >= rows) return;
        to_lanes(taps, w + (ulong)row * sr + (ulong)col * sc, sc, n, KK);
        for (int p = 0; p < ps * ps; p++) {
            __global float *to = u + ((ulong)row * (ps * ps) + p) * cols + col;

            GS_UNROLL
            for (int i = 0; i < K * K; i++) g[i] = gs_load16(base + p / ps * (K * NP) + p % ps + i / K * si + i % K * sj, taps);
            G_BOTH(r, t, g)
            GS_UNROLL
            for (int i = 0; i < A * A; i++) store_some(to + i * xi_step, r[i], n);
        }
    }
#else
    {
        const int p = at / (rows * cols), row = at / cols % rows, col = at % cols;

        if (p >= ps * ps) return;
        w += base + p / ps * (K * NP) + p % ps + (ulong)row * sr + (ulong)col * sc;
        u += ((ulong)row * (ps * ps) + p) * cols + col;
        GS_UNROLL
        for (int i = 0; i < K * K; i++) g[i] = w[i / K * si + i % K * sj];
        G_BOTH(r, t, g)
        GS_UNROLL
        for (int i = 0; i < A * A; i++) u[i * xi_step] = r[i];
    }
#endif
}

/* dw (rows, cols, K NP, K NP) = G^T s G of each phase, s (A^2, rows, NP^2, cols). One item a row and LANES columns; without lanes, a phase of that. */
__kernel void wino_dw(__global float *dw, const ulong dw0, const __global float *s, const ulong s0, const int rows, const int cols)
{
    const int at = get_global_id(0);
    const ulong xi_step = (ulong)rows * cols * (NP * NP);
    VEC m[A * A], t[K * A], g[K * K];

    s += s0;
    dw += dw0;
#if LANES == 16
    {
        const int blocks = (cols + 15) / 16, row = at / blocks, col = at % blocks * 16, n = min(16, cols - col);
        float taps[16 * KK];

        if (row >= rows) return;
        for (int p = 0; p < NP * NP; p++) {
            const __global float *from = s + ((ulong)row * (NP * NP) + p) * cols + col;

            GS_UNROLL
            for (int i = 0; i < A * A; i++) m[i] = load_some(from + i * xi_step, n);
            GT_BOTH(g, t, m)
            GS_UNROLL
            for (int i = 0; i < K * K; i++) gs_store16(g[i], (i / K * NP + p / NP) * (K * NP) + i % K * NP + p % NP, taps);
        }
        from_lanes(dw + ((ulong)row * cols + col) * KK, taps, KK, n, KK);
    }
#else
    {
        const int p = at / (rows * cols), row = at / cols % rows, col = at % cols;

        if (p >= NP * NP) return;
        s += ((ulong)row * (NP * NP) + p) * cols + col;
        dw += ((ulong)row * cols + col) * KK + (p / NP * (K * NP) + p % NP);
        GS_UNROLL
        for (int i = 0; i < A * A; i++) m[i] = s[i * xi_step];
        GT_BOTH(g, t, m)
        GS_UNROLL
        for (int i = 0; i < K * K; i++) dw[i / K * NP * NP * K + i % K * NP] = g[i];
    }
#endif
}

/* The pixel of a line of n that position i shows; -1: a zero. */
GS_FN int pixel(int i, int n)
{
#if PAD == 1
    i = (int)abs(i);
    if (i >= n) i = 2 * n - 2 - i;
#elif PAD == 2
    i = i < 0 ? 0 : i >= n ? n - 1 : i;
#endif
    return i >= 0 && i < n ? i : -1;
}

#if LANES == 16
/* N pixels a tile of 16 tiles in a row, next to each other in line, to vectors: d[j] = pixel F t + j of tile t. */
#if F == 4
#define EVERY(d, j, p) d[j] = (float16)(gs_load16(0, p).s048c, gs_load16(1, p).s048c, gs_load16(2, p).s048c, gs_load16(3, p).s048c);
#elif F == 3
#define EVERY(d, j, p)                                                            \
    d[j] = (float16)(gs_load16(0, p).s0369, gs_load16(0, p).scf,                    \
                      gs_load16(1, p).s258b, gs_load16(1, p).se, gs_load16(2, p).s147a, gs_load16(2, p).sd);
#else
#define EVERY(d, j, p) d[j] = (float16)(gs_load16(0, p).s02468ace, gs_load16(1, p).s02468ace);
#endif

/* The other way: 16 F neighbours. */
#if F == 4
#define NEXT(p, d)                                                                                    \
    {                                                                                                 \
        const float16 a_ = ZIP_LOW((d)[0], (d)[2]), b_ = ZIP_LOW((d)[1], (d)[3]);                       \
        const float16 c_ = ZIP_HIGH((d)[0], (d)[2]), d_ = ZIP_HIGH((d)[1], (d)[3]);                     \
                                                                                                      \
        gs_store16(ZIP_LOW(a_, b_), 0, p);                                                              \
        gs_store16(ZIP_HIGH(a_, b_), 1, p);                                                             \
        gs_store16(ZIP_LOW(c_, d_), 2, p);                                                              \
        gs_store16(ZIP_HIGH(c_, d_), 3, p);                                                             \
    }
#elif F == 3
#define NEXT(p, d)                                                                                    \
    {                                                                                                 \
        float t_[48];                                                                                 \
                                                                                                      \
        gs_store16((d)[0], 0, t_), gs_store16((d)[1], 1, t_), gs_store16((d)[2], 2, t_);                      \
        for (int k_ = 0; k_ < 48; k_++) (p)[k_] = t_[k_ % 3 * 16 + k_ / 3];                             \
    }
#else
#define NEXT(p, d)                                                                                    \
    {                                                                                                 \
        gs_store16(ZIP_LOW((d)[0], (d)[1]), 0, p);                                                      \
        gs_store16(ZIP_HIGH((d)[0], (d)[1]), 1, p);                                                     \
    }
#endif

/* n neighbours from one place to another. */
#define COPY(to, from, n)                                                                             \
    {                                                                                                 \
        if ((n) >= 16) {                                                                              \
            for (int k_ = 0; k_ + 16 < (n); k_ += 16) gs_store16(gs_load16(0, (from) + k_), 0, (to) + k_);  \
            gs_store16(gs_load16(0, (from) + (n) - 16), 0, (to) + (n) - 16);                                \
        } else {                                                                                      \
            for (int k_ = 0; k_ < (n); k_++) (to)[k_] = (from)[k_];                                     \
        }                                                                                             \
    }

#define OUTSIDE(begin, end)                                                                           \
    for (int k_ = begin; k_ < (end); k_++) {                                                          \
        const int c_ = row < 0 ? -1 : pixel(v + k_ * ps, xw);                                         \
                                                                                                      \
        line[k_] = c_ < 0 ? 0.0f : from[c_];                                                          \
    }

/* Pixels v, v + ps, ..., n of them, of row h of a picture with room around it. Only what lies outside is looked up one by one. */
GS_FN void fetch_line(float *line, const __global float *x, const int h, const int v, const int n, const int xh, const int xw, const int ps)
{
    const int row = pixel(h, xh), lo = row < 0 ? n : min(v < 0 ? (ps - 1 - v) / ps : 0, n), hi = max(lo, min((xw - v + ps - 1) / ps, n));
    const __global float *from = x + (long)row * xw;

    if (ps == 1) COPY(line + lo, from + (v + lo), hi - lo)
    else for (int k = lo; k < hi; k++) line[k] = from[v + 2 * k];
    OUTSIDE(0, lo)
    OUTSIDE(hi, n)
}
#endif

#if !BATCH
/* v = B x B^T of the tiles of ps^2 phases, zeros past the last tile: channel c and tile t of phase (a, b) at v + ((a ps + b) channels + c) span + t - first,
 * one product ps^2 channels span from the next. x (n, channels, xh, xw); tile (i, j) starts at row ps F i + top + a, column ps F j + left + b, and takes every
 * ps-th pixel. span: tiles of v in memory, a multiple of LANES. One item a phase, channel and LANES tiles. */
__kernel void wino_image(__global float *v, const ulong v0, const __global float *x, const ulong x0, const int channels, const int span,
                         const int first, const int total, const int rows, const int cols, const int xh, const int xw, const int ps,
                         const int top0, const int left0)
{
    const int at = get_global_id(0), vectors = span / LANES, c = at / vectors % channels, phase = at / vectors / channels;
    const int t0 = first + at % vectors * LANES, picture = channels * (xh * xw);
    const int top = top0 + phase / ps, left = left0 + phase % ps;
    VEC d[A * A], e[A * A];

    if (phase >= ps * ps) return;
    v += v0 + ((ulong)phase * channels + c) * span + (t0 - first);
    x += x0 + (ulong)c * (xh * xw);
#if LANES == 16
    { /* tiles in a row lie together; what the last of them shares with no tile after it is put in its lane */
        float line[A][16 * F + 16], after[A][(K - 1) * 16];
        int last[16];

        vstore16((int16)(0), 0, last);
        for (int k = 0, n; k < 16; k += n) {
            const int t = t0 + k, h = t / cols % rows * F * ps + top, w = t % cols * F * ps + left;
            const __global float *xn = x + (ulong)(t / cols / rows) * picture;

            n = t < total ? min(16 - k, cols - t % cols) : 16 - k;
            last[k + n - 1] = -1;
            for (int i = 0; i < A; i++) {
                if (t < total) fetch_line(line[i] + F * k, xn, h + i * ps, w, F * n + K - 1, xh, xw, ps);
                else
                    for (int j = 0; j < F * n + K - 1; j++) line[i][F * k + j] = 0.0f;
                for (int j = 0; j < K - 1; j++) after[i][16 * j + k + n - 1] = line[i][F * (k + n) + j];
            }
        }
        GS_UNROLL
        for (int i = 0; i < A; i++) {
            GS_UNROLL
            for (int j = 0; j < F; j++) EVERY(d, i * A + j, line[i] + j)
            GS_UNROLL
            for (int j = 0; j < K - 1; j++)
                d[i * A + F + j] = vload16(0, last) ? gs_load16(j, after[i]) : d[i * A + j].s123456789abcdeff;
        }
    }
#else
    if (t0 < total) {
        const __global float *xn = x + (ulong)(t0 / cols / rows) * picture;
        const int h = t0 / cols % rows * F * ps + top, w = t0 % cols * F * ps + left;

        GS_UNROLL
        for (int i = 0; i < A; i++) {
            const int row = pixel(h + i * ps, xh);

            GS_UNROLL
            for (int j = 0; j < A; j++) {
                const int col = pixel(w + j * ps, xw);

                d[i * A + j] = row >= 0 && col >= 0 ? xn[row * xw + col] : 0.0f;
            }
        }
    } else {
        GS_UNROLL
        for (int i = 0; i < A * A; i++) d[i] = 0.0f;
    }
#endif
    B_BOTH(d, e, d)
    GS_UNROLL
    for (int i = 0; i < A * A; i++) STORE(d[i], v + (ulong)i * ps * ps * channels * span);
}

/* v = R^T dy R as wino_image has its one phase, with zeros for what lies beyond dy (n, channels, yh, yw) and past the last tile. */
__kernel void wino_gradient(__global float *v, const ulong v0, const __global float *dy, const ulong dy0, const int channels,
                            const int span, const int first, const int total, const int rows, const int cols, const int yh, const int yw)
{
    const int at = get_global_id(0), vectors = span / LANES;
    const int c = at / vectors, t0 = first + at % vectors * LANES;
    VEC d[F * F], e[F * A], r[A * A];

    if (at >= channels * vectors) return;
    v += v0 + (ulong)c * span + (t0 - first);
    dy += dy0 + (ulong)c * (yh * yw);
#if LANES == 16
    {
        float line[F][16 * F + 16];

        for (int k = 0, n; k < 16; k += n) {
            const int t = t0 + k, h = t / cols % rows * F, w = t % cols * F;
            const __global float *yn = dy + (ulong)(t / cols / rows) * channels * (yh * yw) + (long)h * yw + w;

            n = t < total ? min(16 - k, cols - t % cols) : 16 - k;
            for (int i = 0; i < F; i++) {
                const int there = t < total && h + i < yh ? min(F * n, yw - w) : 0;

                COPY(line[i] + F * k, yn + (long)i * yw, there)
                for (int j = there; j < F * n; j++) line[i][F * k + j] = 0.0f;
            }
        }
        GS_UNROLL
        for (int i = 0; i < F; i++) {
            GS_UNROLL
            for (int j = 0; j < F; j++) EVERY(d, i * F + j, line[i] + j)
        }
    }
#else
    {
        const int h = t0 / cols % rows * F, w = t0 % cols * F;
        const __global float *yn = dy + (ulong)(t0 / cols / rows) * channels * (yh * yw) + (ulong)h * yw + w;

        GS_UNROLL
        for (int i = 0; i < F; i++) {
            GS_UNROLL
            for (int j = 0; j < F; j++) d[i * F + j] = t0 < total && h + i < yh && w + j < yw ? yn[i * yw + j] : 0.0f;
        }
    }
#endif
    RT_BOTH(r, e, d)
    GS_UNROLL
    for (int i = 0; i < A * A; i++) STORE(r[i], v + (ulong)i * channels * span);
}

/* y (n, channels, yh, yw): the results of a tile are R m R^T; the step^2 phases of m follow each other. Result (i, j) of phase (a, b) goes to row
 * step i + a, column step j + b; step is 2 for phases, else 1. */
__kernel void wino_result(__global float *y, const ulong y0, const __global float *m, const ulong m0, const int channels, const int span,
                          const int first, const int total, const int rows, const int cols, const int yh, const int yw,
                          const int step)
{
    const int at = get_global_id(0), vectors = span / LANES, c = at / vectors % channels, phase = at / vectors / channels;
    const int t0 = first + at % vectors * LANES, top = phase / step, left = phase % step;
    const int rh = (yh - top + step - 1) / step, rw = (yw - left + step - 1) / step;
    VEC d[A * A], e[F * A], r[F * F];

    if (phase >= step * step) return;
    m += m0 + ((ulong)phase * (A * A) * channels + c) * span + (t0 - first);
    y += y0 + (ulong)c * (yh * yw) + (top * yw + left);
    GS_UNROLL
    for (int i = 0; i < A * A; i++) d[i] = LOAD(m + (ulong)i * channels * span);
    R_BOTH(r, e, d)
#if LANES == 16
    {
        float line[F][16 * F];

        GS_UNROLL
        for (int i = 0; i < F; i++) NEXT(line[i], r + i * F)
        for (int k = 0, n; k < 16 && t0 + k < total; k += n) {
            const int t = t0 + k, h = t / cols % rows * F, w = t % cols * F;
            __global float *yn = y + (ulong)(t / cols / rows) * channels * (yh * yw) + ((ulong)h * yw + w) * step;
            int there;

            n = min(16 - k, cols - t % cols);
            there = min(F * n, rw - w);
            for (int i = 0; i < min(F, rh - h); i++, yn += (long)yw * step) {
                if (step == 1) COPY(yn, line[i] + F * k, there)
                else
                    for (int j = 0; j < there; j++) yn[j * step] = line[i][F * k + j];
            }
        }
    }
#else
    if (t0 < total) {
        const int h = t0 / cols % rows * F, w = t0 % cols * F;
        __global float *yn = y + (ulong)(t0 / cols / rows) * channels * (yh * yw) + ((ulong)h * yw + w) * step;

        GS_UNROLL
        for (int i = 0; i < F; i++) {
            GS_UNROLL
            for (int j = 0; j < F; j++)
                if (h + i < rh && w + j < rw) yn[(i * yw + j) * step] = r[i * F + j];
        }
    }
#endif
}

#else
/* The same where 16 consecutive pictures are the lanes: vector t of the tiles is tile t % (rows cols) of the pictures from 16 (t / (rows cols)) on, and their
 * number is a multiple of 16. One item a channel and row of tiles, which turns its pixels once for all tiles and phases; ROOM pixels have room. No PAD. */
#define ROOM 640
#define ITEM                                                                                          \
    const int at = get_global_id(0), lines = span / 16 / cols, c = at / lines, line = first / 16 / cols + at % lines;         \
    const int group = line / rows, row = line % rows

__kernel void wino_image(__global float *v, const ulong v0, const __global float *x, const ulong x0, const int channels, const int span,
                               const int first, const int total, const int rows, const int cols, const int xh, const int xw,
                               const int ps, const int top, const int left)
{
    ITEM;
    const int picture = channels * (xh * xw), h0 = max(0, ps * F * row + top), h1 = min(xh, ps * (F * row + A) + top);
    float lane[(ROOM + 1) * 16];
    float16 d[A * A], e[A * A];

    (void)total;
    if (c >= channels) return;
    x += x0 + (ulong)group * 16 * picture + (ulong)c * (xh * xw);
    v += v0 + (ulong)c * span + at % lines * cols * 16;
    if (h0 < h1) to_lanes(lane, x + h0 * xw, picture, 16, (h1 - h0) * xw);
    gs_store16((float16)(0.0f), ROOM, lane);
    for (int phase = 0; phase < ps * ps; phase++)
        for (int j0 = 0; j0 < cols; j0++) {
            const int h = ps * F * row + top + phase / ps, w = ps * F * j0 + left + phase % ps;
            __global float *to = v + (ulong)phase * channels * span + j0 * 16;

            GS_UNROLL
            for (int i = 0; i < A; i++) {
                GS_UNROLL
                for (int j = 0; j < A; j++) {
                    const int y = h + i * ps, z = w + j * ps;

                    d[i * A + j] = gs_load16(y >= h0 && y < h1 && z >= 0 && z < xw ? (y - h0) * xw + z : ROOM, lane);
                }
            }
            B_BOTH(d, e, d)
            GS_UNROLL
            for (int i = 0; i < A * A; i++) gs_store16(d[i], 0, to + (ulong)i * ps * ps * channels * span);
        }
}

__kernel void wino_gradient(__global float *v, const ulong v0, const __global float *dy, const ulong dy0, const int channels,
                                  const int span, const int first, const int total, const int rows, const int cols, const int yh, const int yw)
{
    ITEM;
    const int picture = channels * (yh * yw), h0 = F * row, h1 = min(yh, h0 + F);
    float lane[(ROOM + 1) * 16];
    float16 d[F * F], e[F * A], r[A * A];

    (void)total;
    if (c >= channels) return;
    dy += dy0 + (ulong)group * 16 * picture + (ulong)c * (yh * yw);
    v += v0 + (ulong)c * span + at % lines * cols * 16;
    to_lanes(lane, dy + h0 * yw, picture, 16, (h1 - h0) * yw);
    gs_store16((float16)(0.0f), ROOM, lane);
    for (int j0 = 0; j0 < cols; j0++) {
        GS_UNROLL
        for (int i = 0; i < F; i++) {
            GS_UNROLL
            for (int j = 0; j < F; j++)
                d[i * F + j] = gs_load16(h0 + i < h1 && F * j0 + j < yw ? i * yw + F * j0 + j : ROOM, lane);
        }
        RT_BOTH(r, e, d)
        GS_UNROLL
        for (int i = 0; i < A * A; i++) gs_store16(r[i], 0, v + (ulong)i * channels * span + j0 * 16);
    }
}

__kernel void wino_result(__global float *y, const ulong y0, const __global float *m, const ulong m0, const int channels, const int span,
                                const int first, const int total, const int rows, const int cols, const int yh, const int yw,
                                const int step)
{
    ITEM;
    const int picture = channels * (yh * yw), h0 = step * F * row, h1 = min(yh, h0 + step * F);
    float lane[(ROOM + 1) * 16];
    float16 d[A * A], e[F * A], r[F * F];

    (void)total;
    if (c >= channels) return;
    m += m0 + (ulong)c * span + at % lines * cols * 16;
    for (int phase = 0; phase < step * step; phase++)
        for (int j0 = 0; j0 < cols; j0++) {
            const __global float *from = m + (ulong)phase * (A * A) * channels * span + j0 * 16;
            const int w = step * F * j0 + phase % step;

            GS_UNROLL
            for (int i = 0; i < A * A; i++) d[i] = gs_load16(0, from + (ulong)i * channels * span);
            R_BOTH(r, e, d)
            GS_UNROLL
            for (int i = 0; i < F; i++) {
                const int h = phase / step + i * step; /* of the rows in lane */

                GS_UNROLL
                for (int j = 0; j < F; j++) gs_store16(r[i * F + j], h0 + h < h1 && w + j * step < yw ? h * yw + w + j * step : ROOM, lane);
            }
        }
    from_lanes(y + y0 + (ulong)group * 16 * picture + (ulong)c * (yh * yw) + h0 * yw, lane, picture, 16, (h1 - h0) * yw);
}
#endif /* BATCH */
