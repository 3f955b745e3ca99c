/* The gradient by the weights of a convolution, where many pixels make few weights, on devices whose local memory is ordinary memory:
 *
 *   dw[o,m] = sum over n,p,q of dy[n,o,p,q] x[n, c, p sh + i - ph, q sw + j - pw],   m = (c, i, j)
 *
 * conv_cpu.cl gives a group some of the weights and all pixels, so that it needs x padded and dy packed, whole, in memory, and every group
 * reads both. Here a group has some of the pixels and all weights, whose sums stay in the second-level cache: nothing is copied that does not
 * stay there too.
 *
 * Group k: an equal share of all blocks; a block is `per` rows of y, or `n` columns of one, at most KC terms. It lays the lines of x that the block meets,
 * columns sw apart picked together, into its part of `room`, dy in panels of 32 channels behind them, and adds to part[k][strip][m][32] by tiles of 12 x 32
 * (see gemm_cpu.cl), a strip's panel staying in the first-level cache. Meanwhile it asks for the next block's lines.
 * Order of sums: a block's terms ascending, then blocks, then by sums_join groups. */
#include "cpu.h"
#ifdef __OPENCL_VERSION__
#include "lines.h"

#define KC 128
#define NR 32
#define MR 12
#define STAGE 4096 /* floats of lines before their columns are picked apart */
#define ROWS 4096  /* the most weights of an output channel */

/* Columns j .. j+31 of the block's terms, from planes of dy that lie `apart` from each other: n terms. */
static SEPARATE void panel_of(__global float *panel, const __global float *dy, const int apart, const int cols, const int n)
{
    for (int qb = 0; qb < n; qb += 16) {
        const int q = min(qb, n - 16);

        for (int h = 0; h < NR; h += 16) {
            float16 v[16];

            UNROLL for (int r = 0; r < 16; r++) v[r] = gs_load16(0, dy + (long)min(h + r, cols - 1) * apart + q);
            turn16(v);
            UNROLL for (int r = 0; r < 16; r++) gs_store16(v[r], 0, panel + (q + r) * NR + h);
        }
    }
}

/* acc[r] += v * (b0, b1) for one row */
#define ROW(r, v)                              \
    {                                          \
        const float16 v_ = (float16)(v);       \
        acc[r][0] = fma(v_, b0, acc[r][0]);    \
        acc[r][1] = fma(v_, b1, acc[r][1]);    \
    }

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv_sums(__global float *part, const ulong part0, __global float *room, const ulong room0, const __global float *x, const ulong x0,
               const __global float *dy, const ulong dy0, const int blocks, const int per, const int pieces, const int most,
               const int m_count, const int o_count, const int c_count, const int h, const int v, const int p_count, const int q_count,
               const int kh, const int kw, const int sh, const int sw, const int ph, const int pw, const int segment, const int all_rows,
               const int laid, const int held)
{
    __local float stage[STAGE + 32] __attribute__((aligned(64)));
    __local int row_at[ROWS + MR];
    const int k = get_group_id(0), start = share_of(blocks, k), end = share_of(blocks, k + 1);
    const int lines = kh * per, tiles = (m_count + MR - 1) / MR, strips = (o_count + NR - 1) / NR;
    const int phase = per * segment, plane = h * v, pixels = p_count * q_count;
    __global float *panels = room + room0 + (ulong)k * held + laid;

    room += room0 + (ulong)k * held, x += x0, dy += dy0;
    part += part0 + (ulong)k * strips * tiles * MR * NR;
    for (int m = 0, j = 0, line = 0; m < tiles * MR; m++) { /* rows past the last repeat it */
        row_at[m] = line * sw * phase + j % sw * phase + j / sw;
        if (m + 1 < m_count && ++j == kw) j = 0, line++;
    }
    for (int block = start; block < end; block++) {
        const int first = block / pieces * per, rows = min(per, all_rows - first), q0 = block % pieces * most, n = min(most, q_count - q0);
        const int wide = (n - 1) * sw + kw, at_once = max(1, STAGE / (wide * lines)); /* elements of a line, channels on the stage */
        const int next = min(block + 1, end - 1), next_first = next / pieces * per, next_q = next % pieces * most;
        const int shares = strips * tiles, share_x = (c_count * lines + shares - 1) / shares, share_y = (o_count * per + shares - 1) / shares;
        int ask_x = 0, ask_y = 0;

        for (int c0 = 0; c0 < c_count; c0 += at_once) {
            const int c1 = min(c0 + at_once, c_count);

            for (int c = c0, at = 0; c < c1; c++)
                for (int i = 0; i < kh; i++)
                    for (int r = 0; r < rows; r++, at += wide)
                        stage_line(stage + at, x + ((ulong)((first + r) / p_count) * c_count + c) * plane, (first + r) % p_count * sh + i - ph, h, v,
                                   q0 * sw - pw, wide);
            for (int c = c0, at = 0; c < c1; c++)
                for (int i = 0; i < kh; i++)
                    for (int r = 0; r < rows; r++, at += wide)
                        deal(room + (ulong)(c * kh + i) * sw * phase + r * segment, phase, stage + at, n + (kw - 1) / sw, sw);
        }
        for (int s = 0; s < strips; s++)
            for (int r = 0; r < rows; r++) {
                const int picture = (first + r) / p_count, p = (first + r) % p_count;

                panel_of(panels + ((ulong)s * KC + r * n) * NR, dy + ((ulong)picture * o_count + s * NR) * pixels + (ulong)p * q_count + q0, pixels,
                         o_count - s * NR, n);
            }
        for (int s = 0; s < strips; s++)
            for (int t = 0; t < tiles; t++) {
                const __local int *ro = row_at + t * MR;
                const __global float *p = panels + (ulong)s * KC * NR, *xr[MR];
                __global float *rest = part + ((ulong)s * tiles + t) * MR * NR;
                float16 acc[MR][2];

                for (int e = min(ask_x + share_x, c_count * lines); ask_x < e; ask_x++) {
                    const int row = next_first + ask_x % per, c = ask_x / lines, i = ask_x / per % kh;

                    ask(x + ((ulong)(row / p_count) * c_count + c) * plane + (ulong)clamp(row % p_count * sh + i - ph, 0, h - 1) * v + next_q * sw, most * sw);
                }
                for (int e = min(ask_y + share_y, o_count * per); ask_y < e; ask_y++) {
                    const int row = next_first + ask_y % per;

                    ask(dy + ((ulong)(row / p_count) * o_count + ask_y / per) * pixels + (ulong)(row % p_count) * q_count + next_q, most);
                }
                UNROLL for (int r = 0; r < MR; r++) xr[r] = room + ro[r];
                UNROLL for (int r = 0; r < MR; r++) acc[r][0] = acc[r][1] = (float16)(0.0f);
                for (int r = 0; r < rows; r++)
                    for (long q = r * segment, last = q + n; q < last; q++) {
                        const float16 b0 = gs_load16(0, p), b1 = gs_load16(1, p);

                        UNROLL for (int i = 0; i < MR; i++) ROW(i, xr[i][q])
                        p += NR;
                    }
                if (block > start) {
                    UNROLL for (int r = 0; r < MR; r++) {
                        acc[r][0] += gs_load16(2 * r, rest);
                        acc[r][1] += gs_load16(2 * r + 1, rest);
                    }
                }
                UNROLL for (int r = 0; r < MR; r++) {
                    gs_store16(acc[r][0], 2 * r, rest);
                    gs_store16(acc[r][1], 2 * r + 1, rest);
                }
            }
    }
}

/* dw[o,m] = sum over groups of part[group][o / 32][m][o % 32]. Group: 16 columns o, `chunk` rows m, a multiple of 16. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void sums_join(__global float *dw, const ulong dw0, const __global float *part, const ulong part0, const int groups, const int chunk, const int m_count,
               const int o_count, const int tiles)
{
    const int o = (int)get_group_id(0) * 16, first = (int)get_group_id(1) * chunk, end = min(first + chunk, m_count), rows = tiles * MR;
    const ulong each = (ulong)((o_count + NR - 1) / NR) * rows * NR;

    part += part0 + (ulong)(o / NR) * rows * NR + o % NR;
    dw += dw0 + (ulong)o * m_count;
    for (int m = first; m < end; m += 16) {
        float16 v[16];

        UNROLL for (int r = 0; r < 16; r++) v[r] = (float16)(0.0f);
        for (int g = 0; g < groups; g++) {
            UNROLL for (int r = 0; r < 16; r++) v[r] += gs_load16(0, part + g * each + (ulong)min(m + r, rows - 1) * NR);
        }
        turn16(v);
        UNROLL for (int r = 0; r < 16; r++) {
            if (r < o_count - o) some_out(dw + (ulong)r * m_count + m, v[r], min(16, m_count - m));
        }
    }
}

#endif
