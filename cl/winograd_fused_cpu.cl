/* Winograd's method for y or dx where there are few tiles and many weights, in one kernel: transformed weights, A^2 / K^2 times as many, are never in memory.
 * For devices whose local memory is ordinary memory. Empty without TILES. BATCH: tiles are numbered as in winograd_pictures_cpu.cl.
 *
 * Group g has results 32 g .. 32 g + 31 of all tiles: for each CB channels it transforms their weights into local memory, and multiplies by the image there
 * and then, RT tiles x 32 results at a time; at the end the sums become results. TILES: a multiple of RT; v has zeros past the last tile. PS, STEP: phases a
 * side of what is read, and of y. Channel c and tile t of phase p of what is read, phase q of the result and point i are at
 * v + (((q A^2 + i) PS^2 + p) channels + c) span + t. w's results lie sr apart, its channels sc, K NP x K NP taps together; -DTURN: they are turned round,
 * for dx, and phase (a, b) of the result takes those of parity (a + ph, b + pw).
 * Order of sums: terms ascending within a block of channels, phase by phase; blocks in order. */
#ifdef TILES
#define LANES 16
#include "cpu.h"
#include "winograd.h"
#define OB 32
#define POINTS (STEP * STEP * A * A)
#define TERMS (PS * PS)

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void wino_fused(__global float *y, const ulong y0, const __global float *v, const ulong v0, const __global float *w, const ulong w0, const int channels,
              const int results, const int span, const int total, const int rows, const int cols, const int yh, const int yw, const int sr, const int sc,
              const int ph, const int pw)
{
    __local float u[POINTS * TERMS * CB * OB] __attribute__((aligned(64)));
    __local float sums[POINTS * TILES * OB] __attribute__((aligned(64)));
    const int first = (int)get_group_id(0) * OB;

    y += y0;
    v += v0;
    w += w0;
    for (int c0 = 0; c0 < channels; c0 += CB) {
        const int cn = min(CB, channels - c0);

        for (int side = 0; side < OB && first + side < results; side += 16) {
            const __global float *from = w + (ulong)(first + side) * sr + (ulong)c0 * sc;
            const int n = min(16, results - first - side);
            float taps[CB * KK * 16];

            if (sc == KK) to_lanes(taps, from, sr, n, cn * KK);
            else
                for (int c = 0; c < cn; c++) to_lanes(taps + c * KK * 16, from + (ulong)c * sc, sr, n, KK);
            for (int c = 0; c < cn; c++)
                for (int p = 0; p < TERMS * STEP * STEP; p++) {
                    const int a = p / (PS * STEP), b = p % (PS * STEP);
#if TURN
                    const float *tap = taps + (c * KK + ((a + ph) % NP + (K - 1) * NP) * (K * NP) + (b + pw) % NP + (K - 1) * NP) * 16;
                    const int si = -NP * K * NP, sj = -NP;
#else
                    const float *tap = taps + (c * KK + a * (K * NP) + b) * 16;
                    const int si = NP * K * NP, sj = NP;
#endif
                    __local float *to = u + ((STEP > 1 ? p * (A * A) : p) * CB + c) * OB + side;
                    float16 g[K * K], t[A * K], r[A * A];

                    GS_UNROLL
                    for (int i = 0; i < K * K; i++) g[i] = gs_load16(i / K * si + i % K * sj, tap);
                    G_BOTH(r, t, g)
                    GS_UNROLL
                    for (int i = 0; i < A * A; i++) gs_store16(r[i], 0, to + i * (TERMS * CB * OB));
                }
        }
        for (int q = 0; q < POINTS; q++)
            for (int t0 = 0; t0 < TILES; t0 += RT) {
                __local float *to = sums + (q * TILES + t0) * OB;
                float16 acc[RT][2];

                GS_UNROLL
                for (int r = 0; r < RT; r++) acc[r][0] = acc[r][1] = (float16)(0.0f);
                for (int p = 0; p < TERMS; p++) {
                    const __global float *s = v + (((ulong)q * TERMS + p) * channels + c0) * span + t0;
                    const __local float *from = u + (q * TERMS + p) * (CB * OB);

                    for (int c = 0; c < cn; c++, s += span) {
                        const float16 u0 = gs_load16(2 * c, from), u1 = gs_load16(2 * c + 1, from);

                        GS_UNROLL
                        for (int r = 0; r < RT; r++) {
                            const float16 x = (float16)(s[r]);

                            acc[r][0] = fma(x, u0, acc[r][0]);
                            acc[r][1] = fma(x, u1, acc[r][1]);
                        }
                    }
                }
                GS_UNROLL
                for (int r = 0; r < 2 * RT; r++) gs_store16(c0 ? gs_load16(r, to) + acc[r / 2][r % 2] : acc[r / 2][r % 2], r, to);
            }
    }
    for (int side = 0; side < OB && first + side < results; side += 16)
        for (int at = 0; at < total * STEP * STEP; at++) {
            const int t = at / (STEP * STEP), phase = at % (STEP * STEP), top = phase / STEP, left = phase % STEP;
#if BATCH
            const int tile = t / 16 % (rows * cols), picture = t / 16 / (rows * cols) * 16 + t % 16;
#else
            const int tile = t % (rows * cols), picture = t / (rows * cols);
#endif
            const int h0 = tile / cols * F * STEP + top, w0 = tile % cols * F * STEP + left;
            const __local float *from = sums + (phase * (A * A) * TILES + t) * OB + side;
            float16 m[A * A], e[F * A], r[F * F];
            float lane[F * F * 16];

            GS_UNROLL
            for (int i = 0; i < A * A; i++) m[i] = gs_load16(0, from + i * (TILES * OB));
            R_BOTH(r, e, m)
            GS_UNROLL
            for (int i = 0; i < F * F; i++) gs_store16(r[i], i, lane);
            for (int k = 0; k < min(16, results - first - side); k++) {
                __global float *yk = y + ((ulong)picture * results + first + side + k) * (yh * yw);

                for (int i = 0; i < F && h0 + i * STEP < yh; i++)
                    for (int j = 0; j < F && w0 + j * STEP < yw; j++) yk[(h0 + i * STEP) * yw + w0 + j * STEP] = lane[(i * F + j) * 16 + k];
            }
        }
}
#endif /* TILES */
