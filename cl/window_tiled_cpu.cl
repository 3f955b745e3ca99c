/* The window ops of window.cl for windows that tile the plane (stride = kernel, no padding, no rest), on devices whose local memory
 * is ordinary memory. One item a row of windows: no division an element, and an inner loop along memory that becomes vectors.
 * Rows of windows are numbered through the planes: row r covers lines r TILE .. r TILE + TILE - 1 of all planes laid end to end.
 * Measured on the reference classifier's step (two AVX-512 cores): argmax and scatter 5 times as fast as one item an element. */
#include "cpu.h"
#ifndef TILE
#define TILE 2
#endif

/* y (rows,OW) int = index h W + w, within its plane of OH rows of windows, of the first largest of each window of x (rows TILE, W). */
__kernel void window_argmax(__global int *y, const ulong y0, const __global float *x, const ulong x0, const int rows, const int oh,
                            const int ow)
{
    const int row = get_global_id(0), w = ow * TILE;
    int first;

    if (row >= rows) return;
    first = row % oh * TILE * w;
    x += x0 + (ulong)row * TILE * w;
    y += y0 + (ulong)row * ow;
    _Pragma("clang loop vectorize(assume_safety)")
    for (int c = 0; c < ow; c++) {
        float best = x[c * TILE];
        int at = 0;

        GS_UNROLL
        for (int t = 1; t < TILE * TILE; t++) {
            const int cell = t / TILE * w + t % TILE;
            const float v = x[c * TILE + cell];

            at = v > best ? cell : at;
            best = v > best ? v : best;
        }
        y[c] = first + c * TILE + at;
    }
}

#if defined(__OPENCL_VERSION__) && TILE == 2
#define PIECE 128

/* The largest of PIECE windows of two lines w apart. Each line is read in one piece, since prefetching does not follow short turns between two. */
GS_FN void largest_of_piece(__global float *y, const __global float *x, const int w)
{
    float16 best[PIECE / 16];

    UNROLL for (int b = 0; b < PIECE / 16; b++) {
        const float16 p = LD16(x + 32 * b), q = LD16(x + 32 * b + 16), left = (float16)(p.even, q.even), right = (float16)(p.odd, q.odd);

        best[b] = right > left ? right : left;
    }
    UNROLL for (int b = 0; b < PIECE / 16; b++) {
        const float16 p = LD16(x + w + 32 * b), q = LD16(x + w + 32 * b + 16), left = (float16)(p.even, q.even), right = (float16)(p.odd, q.odd);

        best[b] = left > best[b] ? left : best[b];
        ST16(y + 16 * b, right > best[b] ? right : best[b]);
    }
}
#endif

/* y (rows,OW) = the largest of each window, the one that window_argmax names: the first, and never a NaN behind another element. */
__kernel void window_max(__global float *y, const ulong y0, const __global float *x, const ulong x0, const int rows, const int oh,
                         const int ow)
{
    const int row = get_global_id(0), w = ow * TILE;

    (void)oh;
    if (row >= rows) return;
    x += x0 + (ulong)row * TILE * w;
    y += y0 + (ulong)row * ow;
#if defined(__OPENCL_VERSION__) && TILE == 2
    if (ow >= PIECE) { /* the last overlaps the one before */
        for (int c = 0; c < ow; c += PIECE) largest_of_piece(y + min(c, ow - PIECE), x + 2 * min(c, ow - PIECE), w);
        return;
    }
#endif
    _Pragma("clang loop vectorize(assume_safety)")
    for (int c = 0; c < ow; c++) {
        float best = x[c * TILE];

        GS_UNROLL
        for (int t = 1; t < TILE * TILE; t++) {
            const float v = x[c * TILE + t / TILE * w + t % TILE];

            best = v > best ? v : best;
        }
        y[c] = best;
    }
}

/* y (rows TILE, W) = g (rows,OW) where the window's index is the cell, else 0. */
__kernel void window_scatter(__global float *y, const ulong y0, const __global float *g, const ulong g0, const __global int *index,
                             const ulong i0, const int rows, const int oh, const int ow)
{
    const int row = get_global_id(0), w = ow * TILE;
    int first;

    if (row >= rows) return;
    first = row % oh * TILE * w;
    y += y0 + (ulong)row * TILE * w;
    g += g0 + (ulong)row * ow;
    index += i0 + (ulong)row * ow;
    GS_UNROLL
    for (int r = 0; r < TILE; r++) {
        _Pragma("clang loop vectorize(assume_safety)")
        for (int c = 0; c < ow; c++) {
            const int at = index[c] - first - r * w - c * TILE;

            GS_UNROLL
            for (int t = 0; t < TILE; t++) y[r * w + c * TILE + t] = at == t ? g[c] : 0.0f;
        }
    }
}
