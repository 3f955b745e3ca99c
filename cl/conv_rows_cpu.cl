/* Convolution by rows of pixels, on devices whose local memory is ordinary memory:
 *
 *   y[n,m,p,q] = sum over t of wt[m / NO][t][m % NO] x[n, c, p sh + i - ph, q sw + j - pw],   t = (c, i, j)
 *
 * Vectors run along the pixels of a row, so that sums are stored as they are and weights are broadcast, and x is neither padded nor copied in
 * memory: for `deep` rows of y and some channels at a time, `near` of them, at most KC terms, the group lays the lines of x that these meet, columns sw
 * apart picked together, into its part of `room`; the sums of NO results of 32 pixels are in registers for these terms and rest in the room
 * between. The last pixels overlap the ones before. wt as few_turned of conv_few_cpu.cl leaves it. Group: an equal share of the rows of all pictures.
 * Order of sums: t ascending in blocks of `near` channels. */
#include "cpu.h"
#ifdef __OPENCL_VERSION__
#include "lines.h"

#define KC 128
#define STAGE 8192 /* floats of lines before their columns are picked apart */
#define STEP 32    /* pixels */
#ifndef NO
#define NO 8
#endif

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv_rows(__global float *y, const ulong y0, __global float *room, const ulong room0, const __global float *x, const ulong x0,
               const __global float *wt, const ulong wt0, const int all_rows, const int deep, const int near, const int m_count,
               const int c_count, const int h, const int v, const int p_count, const int q_count, const int kh, const int kw, const int sh, const int sw,
               const int ph, const int pw, const int segment, const int held)
{
    __local float stage[STAGE + 32] __attribute__((aligned(64)));
    __local int term_at[KC];
    const int first = share_of(all_rows, (int)get_group_id(0)), end = share_of(all_rows, (int)get_group_id(0) + 1);
    const int taps = kh * kw, blocks = (m_count + NO - 1) / NO;
    const int wide = (q_count - 1) * sw + kw, length = q_count + (kw - 1) / sw, reach = (deep - 1) * sh + kh; /* of x; of a phase; lines of a channel */
    const int steps = (q_count + STEP - 1) / STEP, shares = steps * blocks * deep, share = (near * reach + shares - 1) / shares, at_once = STAGE / wide;
    const __global float *laid;
    __global float *rests;

    room += room0 + (ulong)get_group_id(0) * held;
    laid = room, rests = room + near * reach * sw * segment;
    y += y0, x += x0, wt += wt0;
    for (int t = 0; t < near * taps; t++) term_at[t] = ((t / taps * reach + t / kw % kh) * sw + t % kw % sw) * segment + t % kw / sw;
    for (int row = first, rows; row < end; row += rows) {
        const int n = row / p_count, p = row % p_count;

        rows = min(min(deep, end - row), p_count - p);
        for (int c0 = 0; c0 < c_count; c0 += near) {
            const int c1 = min(c0 + near, c_count), terms = (c1 - c0) * taps, lines = (c1 - c0) * reach;
            const int next = c1 < c_count ? row : row + rows, next_c = c1 < c_count ? c1 : 0;
            const __global float *from_x = x + ((ulong)n * c_count + c0) * h * v, *next_x = x + ((ulong)(next / p_count) * c_count + next_c) * h * v;
            __global float *rest = rests;
            int asked = 0;

            if (sw == 1)
                for (int l = 0; l < lines; l++) lay_line(room + l * segment, from_x + (ulong)(l / reach) * h * v, p * sh + l % reach - ph, h, v, -pw, wide);
            else
                for (int l0 = 0, l1; l0 < lines; l0 = l1) {
                    l1 = min(l0 + at_once, lines);
                    for (int l = l0; l < l1; l++)
                        stage_line(stage + (l - l0) * wide, from_x + (ulong)(l / reach) * h * v, p * sh + l % reach - ph, h, v, -pw, wide);
                    for (int l = l0; l < l1; l++) deal(room + (ulong)l * sw * segment, segment, stage + (l - l0) * wide, length, sw);
                }
            for (int at = 0; at < rows * steps; at++) {
                const int r = at / steps, q0 = min(at % steps * STEP, q_count - STEP);
                const __global float *from = laid + r * sh * sw * segment + q0;

                for (int b = 0; b < blocks; b++, rest += NO * STEP) {
                    const __global float *w = wt + ((ulong)b * c_count + c0) * taps * NO;
                    __global float *to = y + (((ulong)n * m_count + b * NO) * p_count + p + r) * q_count + q0;
                    float16 acc[NO][2];

                    for (int e = min(asked + share, near * reach); asked < e; asked++)
                        ask(next_x + (ulong)(asked / reach) * h * v + (ulong)clamp(next % p_count * sh + asked % reach - ph, 0, h - 1) * v, v);
                    UNROLL for (int o = 0; o < NO; o++) acc[o][0] = acc[o][1] = (float16)(0.0f);
                    for (int t = 0; t < terms; t++, w += NO) {
                        const float16 a0 = gs_load16(0, from + term_at[t]), a1 = gs_load16(1, from + term_at[t]);

                        UNROLL for (int o = 0; o < NO; o++) {
                            const float16 u = (float16)(w[o]);

                            acc[o][0] = fma(u, a0, acc[o][0]);
                            acc[o][1] = fma(u, a1, acc[o][1]);
                        }
                    }
                    if (c0) {
                        UNROLL for (int o = 0; o < NO; o++) {
                            acc[o][0] += gs_load16(2 * o, rest);
                            acc[o][1] += gs_load16(2 * o + 1, rest);
                        }
                    }
                    if (c1 < c_count) {
                        UNROLL for (int o = 0; o < NO; o++) {
                            gs_store16(acc[o][0], 2 * o, rest);
                            gs_store16(acc[o][1], 2 * o + 1, rest);
                        }
                        continue;
                    }
                    UNROLL for (int o = 0; o < NO; o++) {
                        if (o < m_count - b * NO) {
                            gs_store16(acc[o][0], 0, to + (ulong)o * p_count * q_count);
                            gs_store16(acc[o][1], 1, to + (ulong)o * p_count * q_count);
                        }
                    }
                }
            }
        }
    }
}

#endif
