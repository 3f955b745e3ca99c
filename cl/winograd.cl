/* What comes before and after the products of Winograd's method (winograd.h):
 *
 *   wino_weights   u (A^2, rows, cols) = G w G^T            wino_image     v (A^2, channels, tiles) = B x B^T
 *   wino_result    y = R m R^T                              wino_gradient  v (A^2, channels, tiles) = R^T dy R
 *   wino_dw        dw = G^T s G
 *
 * Tiles are numbered picture by picture, row by row. PAD: what lies around x: 0 zeros, 1 reflection, 2 the edge repeated. ps: 2 where phases are read, else 1.
 * winograd_pictures_cpu.cl has the other numbering, where the lanes are 16 pictures. */
#include "cpu.h"
#include "winograd.h"
#ifndef PAD
#define PAD 0
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
            for (int i = 0; i < A * A; i++) some_out(to + i * xi_step, r[i], n);
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

#if LANES == 16
/* The first n of sixteen; what follows is not read. */
GS_FN float16 load_some(const __global float *p, const int n)
{
    float t[16];

    if (n == 16) return gs_load16(0, p);
    for (int k = 0; k < 16; k++) t[k] = p[min(k, n - 1)];
    return gs_load16(0, t);
}
#endif

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
        const float16 a_ = LOW((d)[0], (d)[2]), b_ = LOW((d)[1], (d)[3]);                       \
        const float16 c_ = HIGH((d)[0], (d)[2]), d_ = HIGH((d)[1], (d)[3]);                     \
                                                                                                      \
        gs_store16(LOW(a_, b_), 0, p);                                                              \
        gs_store16(HIGH(a_, b_), 1, p);                                                             \
        gs_store16(LOW(c_, d_), 2, p);                                                              \
        gs_store16(HIGH(c_, d_), 3, p);                                                             \
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
        gs_store16(LOW((d)[0], (d)[1]), 0, p);                                                      \
        gs_store16(HIGH((d)[0], (d)[1]), 1, p);                                                     \
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
