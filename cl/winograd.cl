/* 3x3 convolutions of stride 1 and their gradients by Winograd's F(2x2,3x3) and F(4x4,3x3) (Winograd 1980; Lavin & Gray 2016): the image is
 * cut in tiles of F x F results, and with A = F + 2 and the matrices B (A x A), G (A x 3), R (F x A)
 *
 *   y  = R [ sum_c (G w G^T) . (B x B^T) ] R^T        dw = G^T [ sum_tiles (R^T dy R) . (B x B^T) ] G
 *
 * for each tile, '.' elementwise. So A^2 products of matrices take the place of the convolution, with 2.25 (F = 2) or 4 (F = 4) times fewer
 * multiplications; the kernels here are what comes before and after them. The points of F = 4 are 0, +-1/sqrt 2, +-sqrt 2: half the error of 0,
 * +-1, +-2.
 *
 *   wino_weights   u (A^2, rows, cols) = G w G^T            wino_image     v (A^2, channels, tiles) = B x B^T
 *   wino_result    y = R m R^T                              wino_gradient  v (A^2, channels, tiles) = R^T dy R
 *   wino_dw        dw = G^T s G
 *
 * Tiles t = (n, row of tiles, column of tiles). One item a channel and LANES consecutive tiles: 16, in vectors, on devices whose local memory is
 * ordinary memory, else 1. PAD: what lies around x: 0 zeros, 1 reflection, 2 the edge repeated. */
#ifndef F
#define F 4
#endif
#ifndef LANES
#define LANES 1
#endif
#ifndef PAD
#define PAD 0
#endif
#define A (F + 2)

#if LANES == 16 /* exists in OpenCL C only */
#define VEC float16
#define LOAD(p) vload16(0, p)
#define STORE(v, p) vstore16(v, 0, p)
#else
#define VEC float
#define LOAD(p) (*(p))
#define STORE(v, p) (*(p) = (v))
#endif

#define ROOT2 1.41421356237309505f
#define HALF2 0.70710678118654752f

/* One axis of each transform: `in` and `out` are arrays, the elements S apart. */
#if F == 4
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
        const float g0 = in[i], g1 = in[i + Q], g2 = in[i + 2 * Q];                                   \
        const float e1 = (g0 + 0.5f * g2) * (-2.0f / 3.0f), o1 = HALF2 * g1 * (-2.0f / 3.0f);         \
        const float e2 = (g0 + 2.0f * g2) * (1.0f / 6.0f), o2 = ROOT2 * g1 * (1.0f / 6.0f);           \
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
        const float e1 = (in[i + Q] + in[i + 2 * Q]) * (-2.0f / 3.0f), e2 = (in[i + 3 * Q] + in[i + 4 * Q]) * (1.0f / 6.0f); \
        const float o1 = (in[i + Q] - in[i + 2 * Q]) * (-2.0f / 3.0f), o2 = (in[i + 3 * Q] - in[i + 4 * Q]) * (1.0f / 6.0f); \
                                                                                                      \
        out[o] = in[i] + e1 + e2;                                                                     \
        out[o + S] = HALF2 * o1 + ROOT2 * o2;                                                         \
        out[o + 2 * S] = 0.5f * e1 + 2.0f * e2 + in[i + 5 * Q];                                       \
    }
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
        const float g0 = in[i], g1 = in[i + Q], g2 = in[i + 2 * Q];                                   \
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

/* u[xi][r][q] = (G w G^T)[xi] with w's 3x3 at base + r sr + q sq, its elements si and sj apart. One item a (row, column). */
__kernel void wino_weights(__global float *u, const ulong u0, const __global float *w, const ulong w0, const int rows, const int cols,
                           const int base, const int sr, const int sq, const int si, const int sj)
{
    const int at = get_global_id(0);
    float g[9], t[A * 3], r[A * A];

    if (at >= rows * cols) return;
    w += w0 + base + (ulong)(at / cols) * sr + (ulong)(at % cols) * sq;
    u += u0 + at;
    GS_UNROLL
    for (int i = 0; i < 9; i++) g[i] = w[i / 3 * si + i % 3 * sj];
    GS_UNROLL
    for (int j = 0; j < 3; j++) G_AXIS(t, j, 3, g, j, 3)
    GS_UNROLL
    for (int i = 0; i < A; i++) G_AXIS(r, i * A, 1, t, i * 3, 1)
    GS_UNROLL
    for (int i = 0; i < A * A; i++) u[(ulong)i * rows * cols] = r[i];
}

/* dw[r sr + q sq + 3 i + j] = (G^T s G)[i][j], s (A^2, rows, cols). One item a (row, column). */
__kernel void wino_dw(__global float *dw, const ulong dw0, const __global float *s, const ulong s0, const int rows, const int cols)
{
    const int at = get_global_id(0);
    float m[A * A], t[3 * A], g[9];

    if (at >= rows * cols) return;
    s += s0 + at;
    dw += dw0 + (ulong)at * 9;
    GS_UNROLL
    for (int i = 0; i < A * A; i++) m[i] = s[(ulong)i * rows * cols];
    GS_UNROLL
    for (int j = 0; j < A; j++) GT_AXIS(t, j, A, m, j, A)
    GS_UNROLL
    for (int i = 0; i < 3; i++) GT_AXIS(g, i * 3, 1, t, i * A, 1)
    GS_UNROLL
    for (int i = 0; i < 9; i++) dw[i] = g[i];
}

/* The pixel of a line of n that position i shows; -1: a zero. */
GS_FN int pixel(int i, int n)
{
#if PAD == 1
    if (i < 0) i = -i;
    if (i >= n) i = 2 * n - 2 - i;
#elif PAD == 2
    i = i < 0 ? 0 : i >= n ? n - 1 : i;
#endif
    return i >= 0 && i < n ? i : -1;
}

/* Elements v .. v + count - 1 of row h of a picture with room around it, to line[0], line[step], ... */
#define FETCH(line, step, x, h, v, xh, xw, count)                                                     \
    {                                                                                                 \
        const int row_ = pixel(h, xh);                                                                \
        const __global float *from_ = x + (long)row_ * (xw);                                          \
                                                                                                      \
        if (row_ >= 0 && (v) >= 0 && (v) + (count) <= (xw)) {                                         \
            for (int k_ = 0; k_ < (count); k_++) line[k_ * (step)] = from_[(v) + k_];                 \
        } else {                                                                                      \
            for (int k_ = 0; k_ < (count); k_++) {                                                    \
                const int c_ = row_ < 0 ? -1 : pixel((v) + k_, xw);                                   \
                                                                                                      \
                line[k_ * (step)] = c_ < 0 ? 0.0f : from_[c_];                                        \
            }                                                                                         \
        }                                                                                             \
    }

#if LANES == 16
/* N pixels a tile of 16 tiles in a row, next to each other in line, to vectors: d[j] = pixel F t + j of tile t. */
#if F == 4
#define EVERY(d, j, p) d[j] = (float16)(vload16(0, p).s048c, vload16(1, p).s048c, vload16(2, p).s048c, vload16(3, p).s048c);
#else
#define EVERY(d, j, p) d[j] = (float16)(vload16(0, p).s02468ace, vload16(1, p).s02468ace);
#endif
#endif

/* v[xi][c][t - first] = (B x B^T)[xi] of tile t, zeros past the last tile. x (n, channels, xh, xw); tile (i, j) starts at row F i - ph, column
 * F j - pw. span: tiles of v in memory, a multiple of LANES. */
__kernel void wino_image(__global float *v, const ulong v0, const __global float *x, const ulong x0, const int channels, const int span,
                         const int first, const int total, const int rows, const int cols, const int xh, const int xw, const int ph,
                         const int pw)
{
    const int at = get_global_id(0), vectors = span / LANES;
    const int c = at / vectors, t0 = first + at % vectors * LANES;
    VEC d[A * A], e[A * A];

    if (at >= channels * vectors) return;
    v += v0 + (ulong)c * span + (t0 - first);
    x += x0 + (ulong)c * (xh * xw);
#if LANES == 16
    if (t0 % cols + 16 <= cols && t0 + 16 <= total) {
        const __global float *xn = x + (ulong)(t0 / cols / rows) * channels * (xh * xw);
        const int h = t0 / cols % rows * F - ph, w = t0 % cols * F - pw;
        float line[16 * F + 16];

        for (int i = 0; i < A; i++) {
            FETCH(line, 1, xn, h + i, w, xh, xw, 16 * F + 2)
            GS_UNROLL
            for (int j = 0; j < F; j++) EVERY(d, i * A + j, line + j)
            GS_UNROLL
            for (int j = 0; j < 2; j++) {
                const float16 u = d[i * A + j];

                d[i * A + F + j] = (float16)(u.s12345678, u.s9abc, u.sde, u.sf, line[16 * F + j]);
            }
        }
    } else {
        float lane[A * A * 16];

        for (int k = 0; k < 16; k++) {
            const int t = t0 + k;

            if (t < total) {
                const __global float *xn = x + (ulong)(t / cols / rows) * channels * (xh * xw);
                const int h = t / cols % rows * F - ph, w = t % cols * F - pw;

                for (int i = 0; i < A; i++) FETCH((lane + i * A * 16 + k), 16, xn, h + i, w, xh, xw, A)
            } else {
                for (int i = 0; i < A * A; i++) lane[i * 16 + k] = 0.0f;
            }
        }
        for (int i = 0; i < A * A; i++) d[i] = vload16(i, lane);
    }
#else
    if (t0 < total) {
        const __global float *xn = x + (ulong)(t0 / cols / rows) * channels * (xh * xw);
        const int h = t0 / cols % rows * F - ph, w = t0 % cols * F - pw;

        GS_UNROLL
        for (int i = 0; i < A; i++) {
            const int row = pixel(h + i, xh);

            GS_UNROLL
            for (int j = 0; j < A; j++) {
                const int col = pixel(w + j, xw);

                d[i * A + j] = row >= 0 && col >= 0 ? xn[row * xw + col] : 0.0f;
            }
        }
    } else {
        GS_UNROLL
        for (int i = 0; i < A * A; i++) d[i] = 0.0f;
    }
#endif
    GS_UNROLL
    for (int j = 0; j < A; j++) B_AXIS(e, j, A, d, j, A)
    GS_UNROLL
    for (int i = 0; i < A; i++) B_AXIS(d, i * A, 1, e, i * A, 1)
    GS_UNROLL
    for (int i = 0; i < A * A; i++) STORE(d[i], v + (ulong)i * channels * span);
}

/* v[xi][c][t - first] = (R^T dy R)[xi] of tile t, with zeros for what lies beyond dy (n, channels, yh, yw) and past the last tile. */
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
        float lane[F * F * 16];

        for (int k = 0; k < 16; k++) {
            const int t = t0 + k, h = t / cols % rows * F, w = t % cols * F;
            const __global float *yn = dy + (ulong)(t / cols / rows) * channels * (yh * yw) + (long)h * yw + w;

            for (int i = 0; i < F; i++)
                for (int j = 0; j < F; j++) lane[(i * F + j) * 16 + k] = t < total && h + i < yh && w + j < yw ? yn[i * yw + j] : 0.0f;
        }
        for (int i = 0; i < F * F; i++) d[i] = vload16(i, lane);
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
    GS_UNROLL
    for (int j = 0; j < F; j++) RT_AXIS(e, j, F, d, j, F)
    GS_UNROLL
    for (int i = 0; i < A; i++) RT_AXIS(r, i * A, 1, e, i * F, 1)
    GS_UNROLL
    for (int i = 0; i < A * A; i++) STORE(r[i], v + (ulong)i * channels * span);
}

/* y (n, channels, yh, yw) of tile t = R m R^T, m[xi][c][t - first]. */
__kernel void wino_result(__global float *y, const ulong y0, const __global float *m, const ulong m0, const int channels, const int span,
                          const int first, const int total, const int rows, const int cols, const int yh, const int yw)
{
    const int at = get_global_id(0), vectors = span / LANES;
    const int c = at / vectors, t0 = first + at % vectors * LANES;
    VEC d[A * A], e[F * A], r[F * F];

    if (at >= channels * vectors) return;
    m += m0 + (ulong)c * span + (t0 - first);
    y += y0 + (ulong)c * (yh * yw);
    GS_UNROLL
    for (int i = 0; i < A * A; i++) d[i] = LOAD(m + (ulong)i * channels * span);
    GS_UNROLL
    for (int j = 0; j < A; j++) R_AXIS(e, j, A, d, j, A)
    GS_UNROLL
    for (int i = 0; i < F; i++) R_AXIS(r, i * F, 1, e, i * A, 1)
#if LANES == 16
    {
        float lane[F * F * 16];

        for (int i = 0; i < F * F; i++) vstore16(r[i], i, lane);
        for (int k = 0; k < 16; k++) {
            const int t = t0 + k, h = t / cols % rows * F, w = t % cols * F;
            __global float *yn = y + (ulong)(t / cols / rows) * channels * (yh * yw) + (long)h * yw + w;

            if (t >= total) break;
            for (int i = 0; i < min(F, yh - h); i++) {
#if F == 4
                if (w + F <= yw)
                    vstore4((float4)(lane[i * 64 + k], lane[i * 64 + 16 + k], lane[i * 64 + 32 + k], lane[i * 64 + 48 + k]), 0, yn + (long)i * yw);
                else
#endif
                    for (int j = 0; j < min(F, yw - w); j++) yn[(long)i * yw + j] = lane[(i * F + j) * 16 + k];
            }
        }
    }
#else
    if (t0 < total) {
        const int h = t0 / cols % rows * F, w = t0 % cols * F;
        __global float *yn = y + (ulong)(t0 / cols / rows) * channels * (yh * yw) + (ulong)h * yw + w;

        GS_UNROLL
        for (int i = 0; i < F; i++) {
            GS_UNROLL
            for (int j = 0; j < F; j++)
                if (h + i < yh && w + j < yw) yn[i * yw + j] = r[i * F + j];
        }
    }
#endif
}
