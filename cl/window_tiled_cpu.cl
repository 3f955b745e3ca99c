/* The window ops of window.cl for windows that tile the plane (stride = kernel, no padding, no rest), on devices whose local memory
 * is ordinary memory. One item a row of windows: no division an element, and an inner loop along memory that becomes vectors.
 * Rows of windows are numbered through the planes: row r covers lines r TILE .. r TILE + TILE - 1 of all planes laid end to end.
 * Measured on the reference classifier's step (two AVX-512 cores): argmax and scatter 5 times as fast as one item an element. */
#include "cpu.h"
#ifndef TILE
#define TILE 2
#endif

#if defined(__OPENCL_VERSION__) && TILE == 2
#define PIECE 128

typedef int16 any16_int __attribute__((aligned(4)));

/* The largest of PIECE windows of two lines w apart, and its place within its window. Each line is read in one piece, since prefetching does not follow short
 * turns between two. Places are floats up to w + 1: as integers they would be sums with the comparison's bit, which Oclgrind 21.10 gets wrong in vectors. */
GS_FN void largest_of_piece(float16 *best, float16 *at, const __global float *x, const int w)
{
    UNROLL for (int b = 0; b < PIECE / 16; b++) {
        const float16 p = LD16_FAR(x + 32 * b), q = LD16_FAR(x + 32 * b + 16);
        const float16 left = (float16)(p.even, q.even), right = (float16)(p.odd, q.odd);

        at[b] = right > left ? (float16)(1.0f) : (float16)(0.0f);
        best[b] = right > left ? right : left;
    }
    UNROLL for (int b = 0; b < PIECE / 16; b++) {
        const float16 p = LD16_FAR(x + w + 32 * b), q = LD16_FAR(x + w + 32 * b + 16);
        const float16 left = (float16)(p.even, q.even), right = (float16)(p.odd, q.odd);

        at[b] = left > best[b] ? (float16)(w) : at[b];
        best[b] = left > best[b] ? left : best[b];
        at[b] = right > best[b] ? (float16)(w + 1) : at[b];
        best[b] = right > best[b] ? right : best[b];
    }
}
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
#if defined(__OPENCL_VERSION__) && TILE == 2
    if (ow >= PIECE && w < 1 << 24) { /* the last piece overlaps the one before */
        for (int c = 0; c < ow; c += PIECE) {
            const int16 lane = (int16)(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            const int start = min(c, ow - PIECE);
            float16 best[PIECE / 16], at[PIECE / 16];

            largest_of_piece(best, at, x + 2 * start, w);
            UNROLL for (int b = 0; b < PIECE / 16; b++)
                *(__global any16_int *)(y + start + 16 * b) = (int16)(first + 2 * start + 32 * b) + lane + convert_int16(at[b]);
        }
        return;
    }
#endif
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
    if (ow >= PIECE) {
        for (int c = 0; c < ow; c += PIECE) {
            const int start = min(c, ow - PIECE);
            float16 best[PIECE / 16], at[PIECE / 16];

            largest_of_piece(best, at, x + 2 * start, w);
            UNROLL for (int b = 0; b < PIECE / 16; b++) ST16(y + start + 16 * b, best[b]);
        }
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
