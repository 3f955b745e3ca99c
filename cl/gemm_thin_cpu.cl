/* C = alpha op(A) op(B) + beta C where one side of C is NF <= 4 long, on devices whose local memory is ordinary memory: such a product reads
 * its large operand once and is bound by that, so nothing is packed. In the kernels `w` is the slim operand (NF lines of k) and `b` the
 * large one (`lines` of k); out[f cf + l cl].
 * One item a group, no barrier. Wide vectors exist in OpenCL C only, so this file is empty for other compilers. */
#ifdef __OPENCL_VERSION__

#ifndef NF
#define NF 1
#endif
#define UNROLL _Pragma("unroll")

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

/* Both operands' lines lie along k: dot products, 32 partial sums each, added in a fixed tree. Group (x, p): `chunk` lines of problem p. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void gemm_thin_dot(__global float *c, const ulong c0, const __global float *w, const ulong w0, const __global float *b, const ulong b0,
                   const int lines, const int k, const int fs, const int fk, const int ls, const int cf, const int cl, const int stride_w,
                   const int stride_b, const int stride_c, const int chunk, const float alpha, const float beta)
{
    const int p = get_group_id(1), l0 = (int)get_group_id(0) * chunk;

    c += c0 + (ulong)p * stride_c;
    w += w0 + (ulong)p * stride_w;
    b += b0 + (ulong)p * stride_b;
    (void)fk;
    for (int l = l0; l < min(l0 + chunk, lines); l++) {
        const __global float *x = b + (ulong)l * ls;
        float16 acc[NF][2];
        float rest[NF];
        int q = 0;

        UNROLL for (int f = 0; f < NF; f++) acc[f][0] = acc[f][1] = (float16)(0.0f), rest[f] = 0.0f;
        for (; q + 32 <= k; q += 32) {
            const float16 x0 = vload16(0, x + q), x1 = vload16(1, x + q);

            UNROLL for (int f = 0; f < NF; f++) {
                acc[f][0] = fma(vload16(0, w + (ulong)f * fs + q), x0, acc[f][0]);
                acc[f][1] = fma(vload16(1, w + (ulong)f * fs + q), x1, acc[f][1]);
            }
        }
        for (; q < k; q++) {
            UNROLL for (int f = 0; f < NF; f++) rest[f] = fma(w[(ulong)f * fs + q], x[q], rest[f]);
        }
        UNROLL for (int f = 0; f < NF; f++)
            put(c + (ulong)f * cf + (ulong)l * cl, lane_sum(acc[f][0] + acc[f][1]) + rest[f], alpha, beta);
    }
}

/* The large operand's lines lie side by side: 64 of them at a time, k ascending in blocks of 128 terms. Group (x, p): 64 lines. */
#define KB 128

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void gemm_thin_axpy(__global float *c, const ulong c0, const __global float *w, const ulong w0, const __global float *b, const ulong b0,
                    const int lines, const int k, const int fs, const int fk, const int lk, const int cf, const int cl, const int stride_w,
                    const int stride_b, const int stride_c, const float alpha, const float beta)
{
    __local float sum[NF * 64] __attribute__((aligned(64)));
    const int p = get_group_id(1), l0 = (int)get_group_id(0) * 64, n = min(64, lines - l0);

    c += c0 + (ulong)p * stride_c + (ulong)l0 * cl;
    w += w0 + (ulong)p * stride_w;
    b += b0 + (ulong)p * stride_b + l0;
    for (int i = 0; i < NF * 64; i++) sum[i] = 0.0f;
    for (int kb = 0; kb < k; kb += KB) {
        const int end = min(kb + KB, k);

        if (n == 64) {
            float16 acc[NF][4];

            UNROLL for (int f = 0; f < NF; f++) { UNROLL for (int v = 0; v < 4; v++) acc[f][v] = (float16)(0.0f); }
            for (int q = kb; q < end; q++) {
                UNROLL for (int v = 0; v < 4; v++) {
                    const float16 x = vload16(v, b + (ulong)q * lk);

                    UNROLL for (int f = 0; f < NF; f++) acc[f][v] = fma((float16)(w[(ulong)f * fs + (ulong)q * fk]), x, acc[f][v]);
                }
            }
            UNROLL for (int f = 0; f < NF; f++) {
                UNROLL for (int v = 0; v < 4; v++) vstore16(vload16(4 * f + v, sum) + acc[f][v], 4 * f + v, sum);
            }
        } else {
            for (int i = 0; i < n; i++) {
                UNROLL for (int f = 0; f < NF; f++) {
                    float s = 0.0f;

                    for (int q = kb; q < end; q++) s = fma(w[(ulong)f * fs + (ulong)q * fk], b[(ulong)q * lk + i], s);
                    sum[f * 64 + i] += s;
                }
            }
        }
    }
    for (int f = 0; f < NF; f++)
        for (int i = 0; i < n; i++) put(c + (ulong)f * cf + (ulong)i * cl, sum[f * 64 + i], alpha, beta);
}

#endif
