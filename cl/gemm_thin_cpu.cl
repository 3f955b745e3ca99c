/* C = alpha op(A) op(B) + beta C where one side of C is NF <= 4 long, on devices whose local memory is ordinary memory: such a product reads
 * its large operand once and is bound by that, so nothing is packed. In the kernels `w` is the slim operand (NF lines of k) and `b` the
 * large one (`lines` of k); out[f cf + l cl].
 * One item a group, no barrier. Wide vectors exist in OpenCL C only, so this file is empty for other compilers. */
#include "cpu.h"
#ifdef __OPENCL_VERSION__

#ifndef NF
#define NF 1
#endif

static inline void put(__global float *c, const float v, const float alpha, const float beta)
{
    *c = beta != 0.0f ? fma(beta, *c, alpha * v) : alpha * v;
}

static inline float lane_sum(const float16 v)
{
    const float8 a = v.lo + v.hi;
    const float4 b = a.lo + a.hi;

    return (b.x + b.y) + (b.z + b.w);
}

/* Both operands' lines lie along k: dot products, 32 partial sums each, added in a fixed tree. Group (x, p): `chunk` lines of problem p, LN of
 * them at a time: so many streams from memory, and as many chains of additions. */
#define LN (NF == 1 ? 4 : NF == 2 ? 2 : 1)

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void gemm_thin_dot(__global float *c, const ulong c0, const __global float *w, const ulong w0, const __global float *b, const ulong b0,
                   const int lines, const int k, const int fs, const int fk, const int ls, const int cf, const int cl, const int stride_w,
                   const int stride_b, const int stride_c, const int chunk, const float alpha, const float beta)
{
    const int p = get_group_id(1), l0 = (int)get_group_id(0) * chunk, l1 = min(l0 + chunk, lines);

    c += c0 + (ulong)p * stride_c;
    w += w0 + (ulong)p * stride_w;
    b += b0 + (ulong)p * stride_b;
    (void)fk;
    for (int l = l0; l < l1; l += LN) { /* lines past the end repeat the last and are not stored */
        const __global float *x[LN];
        float16 acc[LN][NF][2];
        float rest[LN][NF];
        int q = 0;

        UNROLL for (int i = 0; i < LN; i++) x[i] = b + (ulong)min(l + i, l1 - 1) * ls;
        UNROLL for (int i = 0; i < LN; i++) {
            UNROLL for (int f = 0; f < NF; f++) acc[i][f][0] = acc[i][f][1] = (float16)(0.0f), rest[i][f] = 0.0f;
        }
        for (; q + 32 <= k; q += 32) {
            float16 v[NF][2];

            UNROLL for (int f = 0; f < NF; f++) v[f][0] = vload16(0, w + (ulong)f * fs + q), v[f][1] = vload16(1, w + (ulong)f * fs + q);
            UNROLL for (int i = 0; i < LN; i++) {
                const float16 x0 = vload16(0, x[i] + q), x1 = vload16(1, x[i] + q);

                UNROLL for (int f = 0; f < NF; f++) {
                    acc[i][f][0] = fma(v[f][0], x0, acc[i][f][0]);
                    acc[i][f][1] = fma(v[f][1], x1, acc[i][f][1]);
                }
            }
        }
        for (; q < k; q++) {
            UNROLL for (int i = 0; i < LN; i++) {
                UNROLL for (int f = 0; f < NF; f++) rest[i][f] = fma(w[(ulong)f * fs + q], x[i][q], rest[i][f]);
            }
        }
        UNROLL for (int i = 0; i < LN; i++) {
            UNROLL for (int f = 0; f < NF; f++)
                if (l + i < l1)
                    put(c + (ulong)f * cf + (ulong)(l + i) * cl, lane_sum(acc[i][f][0] + acc[i][f][1]) + rest[i][f], alpha, beta);
        }
    }
}

/* The large operand's lines lie side by side: k ascending in blocks of 128 terms. Group (x, p): `chunk` lines, a multiple of 64 up to
 * MOST, all of a term before the next, so that memory is read in long runs; four terms at a time, for the sums go through the first-level cache. */
#define KB 128
#define MOST 1024

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void gemm_thin_axpy(__global float *c, const ulong c0, const __global float *w, const ulong w0, const __global float *b, const ulong b0,
                    const int lines, const int k, const int fs, const int fk, const int lk, const int cf, const int cl, const int stride_w,
                    const int stride_b, const int stride_c, const int chunk, const float alpha, const float beta)
{
    __local float sum[NF * MOST] __attribute__((aligned(64)));
    __local float part[NF * MOST] __attribute__((aligned(64)));
    const int p = get_group_id(1), l0 = (int)get_group_id(0) * chunk, n = min(chunk, lines - l0), whole = n / 16;

    c += c0 + (ulong)p * stride_c + (ulong)l0 * cl;
    w += w0 + (ulong)p * stride_w;
    b += b0 + (ulong)p * stride_b + l0;
    for (int i = 0; i < NF * MOST; i++) sum[i] = 0.0f;
    for (int kb = 0; kb < k; kb += KB) {
        const int end = min(kb + KB, k);
        int q = kb;

        for (int i = 0; i < NF * MOST; i++) part[i] = 0.0f;
        for (; q + 4 <= end; q += 4) {
            const __global float *x0 = b + (ulong)q * lk, *x1 = x0 + lk, *x2 = x1 + lk, *x3 = x2 + lk;

            for (int v = 0; v < whole; v++) {
                const float16 y0 = vload16(v, x0), y1 = vload16(v, x1), y2 = vload16(v, x2), y3 = vload16(v, x3);

                UNROLL for (int f = 0; f < NF; f++) {
                    const __global float *t = w + (ulong)f * fs + (ulong)q * fk;
                    float16 a = vload16(f * (MOST / 16) + v, part);

                    a = fma((float16)(t[0]), y0, a);
                    a = fma((float16)(t[fk]), y1, a);
                    a = fma((float16)(t[2 * (ulong)fk]), y2, a);
                    a = fma((float16)(t[3 * (ulong)fk]), y3, a);
                    vstore16(a, f * (MOST / 16) + v, part);
                }
            }
        }
        for (; q < end; q++)
            for (int v = 0; v < whole; v++) {
                const float16 y = vload16(v, b + (ulong)q * lk);

                UNROLL for (int f = 0; f < NF; f++)
                    vstore16(fma((float16)(w[(ulong)f * fs + (ulong)q * fk]), y, vload16(f * (MOST / 16) + v, part)), f * (MOST / 16) + v, part);
            }
        for (int i = whole * 16; i < n; i++) { /* the last lines */
            UNROLL for (int f = 0; f < NF; f++) {
                float s = 0.0f;

                for (q = kb; q < end; q++) s = fma(w[(ulong)f * fs + (ulong)q * fk], b[(ulong)q * lk + i], s);
                part[f * MOST + i] = s;
            }
        }
        for (int i = 0; i < NF * MOST; i++) sum[i] += part[i];
    }
    for (int f = 0; f < NF; f++)
        for (int i = 0; i < n; i++) put(c + (ulong)f * cf + (ulong)i * cl, sum[f * MOST + i], alpha, beta);
}

#endif
