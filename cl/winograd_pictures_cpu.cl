/* wino_image, wino_gradient and wino_result of winograd.cl where 16 consecutive pictures are the lanes, on devices whose local memory is ordinary memory: then
 * pixels need only be turned, 16 x 16 at a time, and edges are the same for all lanes. Vector t of the tiles is tile t % (rows cols) of the pictures from
 * 16 (t / (rows cols)) on, and their number is a multiple of 16. One item a channel and row of tiles, which turns its pixels once for all tiles and phases;
 * ROOM pixels have room. Zeros lie around x.
 * Wide vectors exist in OpenCL C only, so this file is empty for other compilers. */
#ifdef __OPENCL_VERSION__
#ifndef ROOM
#define ROOM 1
#endif
#define LANES 16
#include "cpu.h"
#include "winograd.h"

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
#endif
