/* Convolutions where one side has few channels (pictures, one output a window, depthwise), on devices whose local memory is ordinary
 * memory. conv_cpu.cl would leave most of its 32 columns idle, or pack a large operand to use it once; here the vectors run along a
 * row of pixels and nothing large is copied.
 *
 * The many-channelled operand is read where it lies, as rows of a picture of P x Q with room around it: PAD 0 none, 1 reflection, 2 the edge
 * repeated. Its last vectors of a row overlap the ones before, and the lanes that are done already are masked: so Q >= 16.
 * One item a group, no barrier. Wide vectors exist in OpenCL C only, so this file is empty for other compilers. */
#include "cpu.h"
#ifdef __OPENCL_VERSION__

#include "lines.h"

/* Lanes q .. q+15 of a row of n pixels. */
static inline float16 lanes(const __global float *row, const int q, const int n)
{
#if PAD
    if (q < 0 || q + 16 > n) {
        float t[16];

        for (int k = 0; k < 16; k++) t[k] = row[source_of(q + k, n)];
        return gs_load16(0, t);
    }
#endif
    return gs_load16(0, row + q);
}

/* Lane i: the sum of the lanes of s[16 i .. 16 i + 15]. */
static inline float16 sums_of_16(const __local float *s)
{
    float16 v[16];

    UNROLL for (int i = 0; i < 16; i++) v[i] = gs_load16(i, s);
    UNROLL for (int i = 0; i < 8; i++) v[i] = LOW(v[i], v[i + 8]) + HIGH(v[i], v[i + 8]);
    UNROLL for (int i = 0; i < 4; i++) v[i] = LOW(v[i], v[i + 4]) + HIGH(v[i], v[i + 4]);
    UNROLL for (int i = 0; i < 2; i++) v[i] = LOW(v[i], v[i + 2]) + HIGH(v[i], v[i + 2]);
    return LOW(v[0], v[1]) + HIGH(v[0], v[1]);
}

#define LANE (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)

/* wt (groups, blocks, ki, o, nj): the weights of one source row together, in blocks of nj columns: wt[g][b][t][o][j] =
 * w[base + g sg + o so + c sc + i si + jx sj] with i = t sh + r, b nj + j = (r c_count + c) kw + jx; zeros for i >= kh and for columns
 * past the last. One item a row of nj. */
__kernel void few_weights(__global float *wt, const ulong wt0, const __global float *w, const ulong w0, const int items,
                          const int nj, const int blocks, const int o_count, const int ki, const int c_count, const int kh, const int kw, const int sh,
                          const int base, const int sg, const int so, const int sc, const int si, const int sj)
{
    const int at = get_global_id(0), o = at % o_count, t = at / o_count % ki, block = at / o_count / ki % blocks, g = at / o_count / ki / blocks;
    int jx = block * nj % kw, c = block * nj / kw % c_count, r = block * nj / kw / c_count;

    if (at >= items) return;
    wt += wt0 + (ulong)at * nj;
    w += w0 + base + (ulong)g * sg + (ulong)o * so;
    for (int j = 0; j < nj; j++) {
        const int i = t * sh + r;

        wt[j] = r < sh && i < kh ? w[(ulong)c * sc + i * si + jx * sj] : 0.0f;
        if (++jx < kw) continue;
        jx = 0;
        if (++c == c_count) c = 0, r++;
    }
}

/* wt[g][b][t][j] = w[g][b nj + j][t] for results b nj + j < m_count (others: numbers that nobody stores), nj <= 16. Group (part, b, g): `chunk` terms, a
 * multiple of 16. A row of nj is stored as a whole vector, behind which the next rows are written; the group's last ones not. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void few_turned(__global float *wt, const ulong wt0, const __global float *w, const ulong w0, const int m_count, const int terms, const int nj, const int chunk)
{
    const int b = get_group_id(1), g = get_group_id(2), first = (int)get_group_id(0) * chunk, end = min(first + chunk, terms);

    wt += wt0 + ((ulong)g * get_num_groups(1) + b) * terms * nj;
    w += w0 + (ulong)g * m_count * terms;
    for (int t = first; t < end; t += 16) {
        const int n = min(16, end - t);
        float16 v[16];

        if (t + 16 <= terms) {
            UNROLL for (int r = 0; r < 16; r++) v[r] = gs_load16(0, w + (ulong)min(b * nj + min(r, nj - 1), m_count - 1) * terms + t);
        } else {
            float s[256] __attribute__((aligned(64)));

            for (int r = 0; r < 16; r++)
                for (int i = 0; i < 16; i++) s[r * 16 + i] = w[(ulong)min(b * nj + min(r, nj - 1), m_count - 1) * terms + min(t + i, terms - 1)];
            UNROLL for (int r = 0; r < 16; r++) v[r] = gs_load16(r, s);
        }
        turn16(v);
        UNROLL for (int r = 0; r < 16; r++) {
            if ((end - t - r) * nj >= 16) gs_store16(v[r], 0, wt + (ulong)(t + r) * nj);
            else if (r < n) some_out(wt + (ulong)(t + r) * nj, v[r], nj);
        }
    }
}

/* The gradient by a picture of few channels, and by the same sums the few results of a stride-1 convolution:
 *
 *   out[n,c,h,v] = sum over o,t,jx of wt[t][o][r,c,jx] src[n, o, a - t, q],   h + ph = a sh + r,   v + pw = q sw + jx
 *
 * Group (rows, n, g): `chunk` values of a. For each, NJ x NV accumulators of 16 pixels for the (r, c, jx), the sum over t and o in registers, then
 * NJ shifted additions into lines[r][c][jx % sw] of local memory, from which the sh rows are written once. Order of sums: t and o
 * ascending in blocks of KO terms, then jx ascending. */
#ifndef NJ
#define NJ 4
#endif
#ifndef NV
#define NV 1
#endif
#ifndef KW
#define KW 4
#endif
#ifndef SW
#define SW 2
#endif
#ifndef NO
#define NO 3
#endif
#define LINES 6144 /* floats of lines: 24 KiB */
#define KO 128

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void few_image(__global float *out, const ulong out0, const __global float *src, const ulong src0, const __global float *wt,
               const ulong wt0, const int chunk, const int a0, const int a1, const int c_count, const int h_count, const int v_count,
               const int o_count, const int p_rows, const int q_cols, const int top, const int left, const int high, const int wide,
               const int ki, const int kw, const int sh, const int sw, const int ph, const int pw, const int n_src, const int n_out,
               const int length, const int blocks)
{
    __local float lines[LINES] __attribute__((aligned(64)));
    __local float shifted[NJ * NV * 16] __attribute__((aligned(64)));
    const int n = get_group_id(1), g = get_group_id(2), first = a0 + (int)get_group_id(0) * chunk;
    const int used = sh * c_count * sw * length;

    out += out0 + (ulong)n * n_out + (ulong)g * c_count * h_count * v_count;
    src += src0 + (ulong)n * n_src + (ulong)g * o_count * p_rows * q_cols;
    wt += wt0 + (ulong)g * blocks * ki * o_count * NJ;
    for (int a = first; a < min(first + chunk, a1); a++) {
        for (int i = 0; i < used; i++) lines[i] = 0.0f;
        for (int qb = 0; qb < wide; qb += NV * 16) {
            const int q0 = min(qb, wide - NV * 16);

            for (int block = 0; block < blocks; block++) {
                float16 acc[NJ][NV];
                int in_block = 0;

                UNROLL for (int j = 0; j < NJ * NV; j++) gs_store16((float16)(0.0f), j, shifted);
                UNROLL for (int j = 0; j < NJ; j++) { UNROLL for (int v = 0; v < NV; v++) acc[j][v] = (float16)(0.0f); }
                for (int t = 0; t < ki; t++) {
                    const __global float *row = src + (ulong)source_of(a - t - top, p_rows) * q_cols;
                    const __global float *wo = wt + ((ulong)block * ki + t) * o_count * NJ;

                    if (a - t < 0 || a - t >= high) continue;
                    for (int ob = 0; ob < o_count; ob += KO) {
                        for (int o = ob; o < min(ob + KO, o_count); o++) {
                            float16 x[NV];

                            UNROLL for (int v = 0; v < NV; v++) x[v] = lanes(row, q0 + 16 * v - left, q_cols);
                            UNROLL for (int j = 0; j < NJ; j++) {
                                const float16 w = (float16)(wo[j]);

                                UNROLL for (int v = 0; v < NV; v++) acc[j][v] = fma(w, x[v], acc[j][v]);
                            }
                            row += (ulong)p_rows * q_cols;
                            wo += NJ;
                        }
                        in_block += min(KO, o_count - ob);
                        if (in_block < KO) continue;
                        in_block = 0;
                        UNROLL for (int j = 0; j < NJ; j++) {
                            UNROLL for (int v = 0; v < NV; v++) {
                                gs_store16(gs_load16(j * NV + v, shifted) + acc[j][v], j * NV + v, shifted);
                                acc[j][v] = (float16)(0.0f);
                            }
                        }
                    }
                }
                UNROLL for (int j = 0; j < NJ; j++) {
                    UNROLL for (int v = 0; v < NV; v++)
                        gs_store16(gs_load16(j * NV + v, shifted) + acc[j][v], j * NV + v, shifted);
                }
                for (int j = 0; j < min(NJ, sh * c_count * kw - block * NJ); j++) {
                    const int all = block * NJ + j, jx = all % kw;
                    __local float *line = lines + (all / kw * sw + jx % sw) * length + q0 + jx / sw;

                    for (int i = qb - q0; i < NV * 16; i++) line[i] += shifted[j * NV * 16 + i];
                }
            }
        }
        for (int r = 0; r < sh; r++) {
            const int h = a * sh + r - ph;

            if (h < 0 || h >= h_count) continue;
            for (int c = 0; c < c_count; c++) {
                __global float *y = out + ((ulong)c * h_count + h) * v_count;
                const __local float *line = lines + (r * c_count + c) * sw * length;

                if (sw == 1)
                    for (int v = 0; v < v_count; v++) y[v] = line[v + pw];
                else
                    for (int v = 0; v < v_count; v++) y[v] = line[(v + pw) % sw * length + (v + pw) / sw];
            }
        }
    }
}

#define STAGE 4096 /* floats of lines before their columns are picked apart; behind them lies what vectors read too far */

/* few (planes, sw, rows, length): planes of h x v with room around them, every sw-th column together, so that a row of windows is a row of
 * memory: few[plane][f][i][q] = x[plane][i - top][q sw + f - left], zeros outside where PAD is 0. Group: `chunk` of the planes' rows; as many as the stage
 * holds are laid there with what lies around them before the first is dealt out, for a load of what several stores left waits for them. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void few_split(__global float *few, const ulong few0, const __global float *x, const ulong x0, const int all, const int chunk, const int sw,
               const int rows, const int length, const int h, const int v, const int top, const int left)
{
    __local float stage[STAGE + 32] __attribute__((aligned(64)));
    const int first = (int)get_group_id(0) * chunk, end = min(first + chunk, all), most = STAGE / sw;

    few += few0, x += x0;
    for (int q0 = 0; q0 < length; q0 += most) {
        const int n = min(most, length - q0), wide = n * sw, at_once = STAGE / wide; /* columns of a phase, of all */

        for (int at0 = first; at0 < end; at0 += at_once) {
            const int at1 = min(at0 + at_once, end);

            for (int at = at0; at < at1; at++)
                stage_line(stage + (at - at0) * wide, x + (ulong)(at / rows) * h * v, at % rows - top, h, v, q0 * sw - left, wide);
            for (int at = at0; at < at1; at++)
                deal(few + ((ulong)(at / rows) * sw * rows + at % rows) * length + q0, (ulong)rows * length, stage + (at - at0) * wide, n, sw);
        }
    }
}

/* Many results of a picture of few channels:
 *
 *   y[n,m,p,q] = sum over t of wt[m / NO][t][m % NO] few[n, c, j % sw, p sh + i, q + j / sw],   t = (c, i, j)
 *
 * few as few_split leaves it, wt as few_weights does. Group (rows, n, g): `chunk` rows p. NO results of 32 pixels at a time, neighbours or with
 * -DROWS=1 16 of two rows; the last overlap the ones before. t ascends, below TERMS. */
#ifndef ROWS
#define ROWS 0
#endif
#define TERMS 192

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void few_results(__global float *y, const ulong y0, const __global float *few, const ulong few0, const __global float *wt, const ulong wt0,
                 const int chunk, const int m_count, const int p_count, const int q_count, const int c_count, const int kh, const int sh,
                 const int f_rows, const int length, const int n_few, const int blocks)
{
    __local int term_at[TERMS];
    const int n = get_group_id(1), g = get_group_id(2), terms = c_count * kh * KW;
    const int first = (int)get_group_id(0) * chunk, end = min(first + chunk, p_count), step = ROWS ? 16 : 32;

    y += y0 + ((ulong)n * get_num_groups(2) + g) * m_count * p_count * q_count;
    few += few0 + (ulong)n * n_few + (ulong)g * c_count * SW * f_rows * length;
    wt += wt0 + (ulong)g * blocks * terms * NO;
    for (int t = 0; t < terms; t++) term_at[t] = ((t / KW / kh * SW + t % KW % SW) * f_rows + t / KW % kh) * length + t % KW / SW;
    for (int p = first; p < end; p += ROWS ? 2 : 1) {
        const int second = ROWS ? min(p + 1, p_count - 1) - p : 0;
        const long x1 = ROWS ? (long)second * sh * length : 16, y1 = ROWS ? (long)second * q_count : 16;

        for (int b = 0; b < blocks; b++)
            for (int qb = 0; qb < q_count; qb += step) {
                const int q0 = min(qb, q_count - step);
                const __global float *x = few + (long)p * sh * length + q0, *w = wt + (ulong)b * terms * NO;
                __global float *to = y + ((ulong)b * NO * p_count + p) * q_count + q0;
                float16 acc[NO][2];

                UNROLL for (int o = 0; o < NO; o++) acc[o][0] = acc[o][1] = (float16)(0.0f);
                for (int t = 0; t < terms; t++, w += NO) {
                    const float16 a0 = gs_load16(0, x + term_at[t]), a1 = gs_load16(0, x + term_at[t] + x1);

                    UNROLL for (int o = 0; o < NO; o++) {
                        const float16 v = (float16)(w[o]);

                        acc[o][0] = fma(v, a0, acc[o][0]);
                        acc[o][1] = fma(v, a1, acc[o][1]);
                    }
                }
                UNROLL for (int o = 0; o < NO; o++) {
                    if (o < m_count - b * NO) {
                        gs_store16(acc[o][0], 0, to + (ulong)o * p_count * q_count);
                        gs_store16(acc[o][1], 0, to + (ulong)o * p_count * q_count + y1);
                    }
                }
            }
    }
}

/* The gradient by weights of which one side has few channels:
 *
 *   part[chunk][m][t] = sum over n,p,q of many[n,m,p,q] few[n, c, jx % sw, p sh + i, q + jx / sw],   t = (c, i, jx)
 *
 * few as few_split leaves it. Group (chunk, g): `chunk_rows` of all rows p of all pictures; for NO planes of `many` by NI rows of taps of KW at a
 * time, whose NO NI KW accumulators, a lane for every q = lane (mod 16), stay in registers but for the end of every KO terms. At the end
 * lanes are added, halves of two vectors at a time. few_sum adds chunks. -DTAIL=0: rows are whole vectors. -DONE=1: rows are one whole vector; the
 * next picture's planes, so short that nobody foresees them, are asked for. */
#ifndef NI
#define NI 2
#endif
#ifndef TAIL
#define TAIL 1
#endif
#ifndef ONE
#define ONE 0
#endif
#define SUMS ((NO * NI * KW + 15) / 16 * 16)

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void few_weights_grad(__global float *part, const ulong part0, const __global float *many, const ulong many0,
                      const __global float *few, const ulong few0, const int all_rows, const int chunk_rows,
                      const int m_count, const int p_rows, const int q_cols, const int top, const int left,
                      const int high, const int wide, const int c_count, const int kh, const int sh, const int f_rows,
                      const int length, const int n_many, const int n_few, const int groups)
{
    __local float sums[SUMS * 16] __attribute__((aligned(64)));
    const int chunk = get_group_id(0), g = get_group_id(1), taps = c_count * kh, vectors = (wide + 15) / 16, step = sh * length;
    const int first = chunk * chunk_rows, end = min(first + chunk_rows, all_rows);

    part += part0 + ((ulong)chunk * groups + g) * m_count * taps * KW;
    many += many0 + (ulong)g * m_count * p_rows * q_cols;
    few += few0 + (ulong)g * c_count * SW * f_rows * length;
    for (int i = NO * NI * KW; i < SUMS; i++) gs_store16((float16)(0.0f), i, sums);
    for (int m = 0; m < m_count; m += NO)
        for (int tb = 0; tb < taps; tb += NI) {
            const __global float *mo[NO], *fi[NI];
            const long ahead = tb ? 0 : n_many; /* the next picture, the first time */
            float16 acc[NO][NI][KW];
            int n = first / high, p = first % high;

            UNROLL for (int o = 0; o < NO; o++) mo[o] = many + (ulong)min(m + o, m_count - 1) * p_rows * q_cols;
            UNROLL for (int i = 0; i < NI; i++) {
                const int t = min(tb + i, taps - 1);

                fi[i] = few + ((ulong)(t / kh) * SW * f_rows + t % kh) * length;
            }
            UNROLL for (int o = 0; o < NO; o++) {
                UNROLL for (int i = 0; i < NI; i++) { UNROLL for (int j = 0; j < KW; j++) acc[o][i][j] = (float16)(0.0f); }
            }
            for (int i = 0; i < NO * NI * KW; i++) gs_store16((float16)(0.0f), i, sums);
            for (int row = first, terms = 0, rows; row < end; row += rows, p += rows) {
                const __global float *d0[NO], *x0[NI];

                if (p == high) p = 0, n++;
                rows = min(min(end - row, high - p), (KO + vectors - 1) / vectors);
                UNROLL for (int o = 0; o < NO; o++) d0[o] = mo[o] + (long)n * n_many + (PAD ? 0 : (long)p * q_cols);
                UNROLL for (int i = 0; i < NI; i++) x0[i] = fi[i] + (long)n * n_few + (long)p * sh * length;
                for (int r = 0; r < rows; r++) {
                    const long from = PAD ? (long)source_of(p + r - top, p_rows) * q_cols : (long)r * (ONE ? 16 : q_cols);

                    UNROLL for (int i = 0; ONE && i < NO; i++) ASK(d0[i] + from + ahead);
                    for (int qb = 0; qb < (ONE ? 16 : wide); qb += 16) {
                        const int q0 = TAIL ? min(qb, wide - 16) : qb;
                        float16 d[NO];

                        UNROLL for (int o = 0; o < NO; o++) {
                            d[o] = lanes(d0[o] + from, q0 - left, q_cols);
#if TAIL
                            d[o] = as_float16(as_int16(d[o]) & (LANE >= (int16)(qb - q0)));
#endif
                        }
                        UNROLL for (int i = 0; i < NI; i++) {
                            UNROLL for (int j = 0; j < KW; j++) {
                                const float16 x = gs_load16(0, x0[i] + (long)r * step + q0 + (long)(j % SW) * f_rows * length + j / SW);

                                UNROLL for (int o = 0; o < NO; o++) acc[o][i][j] = fma(d[o], x, acc[o][i][j]);
                            }
                        }
                    }
                }
                terms += rows * vectors;
                if (terms < KO && row + rows < end) continue;
                terms = 0;
                UNROLL for (int o = 0; o < NO; o++) {
                    UNROLL for (int i = 0; i < NI; i++) {
                        UNROLL for (int j = 0; j < KW; j++) {
                            const int at = (o * NI + i) * KW + j;

                            gs_store16(gs_load16(at, sums) + acc[o][i][j], at, sums);
                            acc[o][i][j] = (float16)(0.0f);
                        }
                    }
                }
            }
            for (int i = 0; i < SUMS; i += 16) gs_store16(sums_of_16(sums + i * 16), 0, sums + i);
            for (int o = 0; o < min(NO, m_count - m); o++)
                for (int i = 0; i < min(NI, taps - tb) * KW; i++) part[((ulong)(m + o) * taps + tb) * KW + i] = sums[o * NI * KW + i];
        }
}

/* dw[base + g sg + m sm + c sc + i si + j sj] = sum over chunks of part[chunk][g][m][(c, i, j)]. One item an m of a g, so that only that is divided. */
__kernel void few_sum(__global float *dw, const ulong dw0, const __global float *part, const ulong part0, const int items,
                      const int chunks, const int m_count, const int c_count, const int kh, const int kw, const int base, const int sg,
                      const int sm, const int sc, const int si, const int sj)
{
    const int at = get_global_id(0), each = c_count * kh * kw;

    if (at >= items) return;
    part += part0 + (ulong)at * each;
    dw += dw0 + base + (ulong)(at / m_count) * sg + (ulong)(at % m_count) * sm;
    for (int c = 0; c < c_count; c++)
        for (int i = 0; i < kh; i++)
            for (int j = 0; j < kw; j++, part++) {
                float s = 0.0f;

                for (int k = 0; k < chunks; k++) s += part[(ulong)k * items * each];
                dw[c * sc + i * si + j * sj] = s;
            }
}

#endif
