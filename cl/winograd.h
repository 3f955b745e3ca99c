/* Convolutions and their gradients by Winograd's method (Winograd 1980; Lavin & Gray 2016): the image is cut in tiles of F x F results, and with
 * the kernel's side K, A = F + K - 1 and the matrices B (A x A), G (A x K), R (F x A)
 *
 *   y  = R [ sum_c (G w G^T) . (B x B^T) ] R^T        dw = G^T [ sum_tiles (R^T dy R) . (B x B^T) ] G
 *
 * for each tile, '.' elementwise. So A^2 products of matrices take the place of the convolution, with F^2 K^2 / A^2 times fewer multiplications;
 * the transforms here are what comes before and after them.
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
 * LANES is 16 on devices whose local memory is ordinary memory, else 1: so many tiles, or weights, are transformed at once, in vectors; 16 lanes need cpu.h. */
#ifndef F
#define F 4
#endif
#ifndef K
#define K 3
#endif
#ifndef LANES
#define LANES 1
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

/* Six elements: the first, those of two pairs of opposite points by their even and odd parts e1, o1, e2 and o2, the last. */
#define SIX(out, o, S, first, last)                                                                   \
    out[o] = first;                                                                                   \
    out[o + S] = e1 + o1;                                                                             \
    out[o + 2 * S] = e1 - o1;                                                                         \
    out[o + 3 * S] = e2 + o2;                                                                         \
    out[o + 4 * S] = e2 - o2;                                                                         \
    out[o + 5 * S] = last;

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
        SIX(out, o, S, d0 - 2.5f * d2 + d4, d1 - 2.5f * d3 + d5)                                      \
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
        SIX(out, o, S, y0, y3)                                                                        \
    }
#define G_AXIS(out, o, S, in, i, Q)                                                                   \
    {                                                                                                 \
        const VEC g0 = in[i], g1 = in[i + Q], g2 = in[i + 2 * Q];                                   \
        const VEC e1 = (g0 + 0.5f * g2) * (-2.0f / 3.0f), o1 = HALF2 * g1 * (-2.0f / 3.0f);         \
        const VEC e2 = (g0 + 2.0f * g2) * (1.0f / 6.0f), o2 = ROOT2 * g1 * (1.0f / 6.0f);           \
                                                                                                      \
        SIX(out, o, S, g0, g2)                                                                        \
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
        SIX(out, o, S, y0, y2)                                                                        \
    }
#define G_AXIS(out, o, S, in, i, Q)                                                                   \
    {                                                                                                 \
        const VEC g0 = in[i], g1 = in[i + Q], g2 = in[i + 2 * Q], g3 = in[i + 3 * Q];                 \
        const VEC e1 = (g0 + 0.5f * g2) * (-2.0f / 3.0f), o1 = HALF2 * (g1 + 0.5f * g3) * (-2.0f / 3.0f);                      \
        const VEC e2 = (g0 + 2.0f * g2) * (1.0f / 6.0f), o2 = ROOT2 * (g1 + 2.0f * g3) * (1.0f / 6.0f);                        \
                                                                                                      \
        SIX(out, o, S, g0, g3)                                                                        \
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
/* lane[i][k] = line k's element i, i < count, lines `step` apart, 16 of them or n, of which the last is repeated. */
GS_FN void to_lanes(float *lane, const __global float *x, const long step, const int n, const int count)
{
    if (n == 16 && count >= 16) {
        for (int i = 0; i < count; i += 16) {
            const int at = min(i, count - 16); /* the last block may overlap the one before */
            float16 v[16];

            GS_UNROLL
            for (int k = 0; k < 16; k++) v[k] = gs_load16(0, x + k * step + at);
            turn16(v);
            GS_UNROLL
            for (int k = 0; k < 16; k++) gs_store16(v[k], at + k, lane);
        }
    } else if (n == 16 && count == 9 && step >= 9) { /* the last line is read from 7 elements before it, since none may follow */
        float16 v[16];

        GS_UNROLL
        for (int k = 0; k < 15; k++) v[k] = gs_load16(0, x + k * step);
        v[15] = gs_load16(0, x + 15 * step - 7).s789abcdef0123456;
        turn16(v);
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
            turn16(v);
            GS_UNROLL
            for (int k = 0; k < 16; k++) gs_store16(v[k], 0, y + k * step + at);
        }
    } else {
        for (int k = 0; k < n; k++)
            for (int i = 0; i < count; i++) y[k * step + i] = lane[i * 16 + k];
    }
}
#endif
