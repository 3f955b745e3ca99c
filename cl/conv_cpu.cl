/* Convolution and its gradients on devices whose local memory is ordinary memory: one kernel for all three, since each is
 *
 *   out[o(i) + j tj] = sum_k x[r(i) + q(k)] panel[j / 32][k][j % 32]          i < m, j < n, k < depth
 *
 * with r, o and q affine in the three mixed-radix digits of i and k. The image is never unfolded: a tile reads it where
 * it lies (in a zero-padded copy, so that no tap needs a test), and the other operand is packed once
 * by pack_panels into panels of 32 columns.
 *
 *              i = digits of      k = digits of          j          packed operand
 *   conv2d     (n, p, q)          (c, kh, kw)            o          w
 *   conv2d_dx  (n, h', v')        (o, kh', kw')          c          w      one launch a phase (h mod sh, v mod sw)
 *   conv2d_dw  (c, kh, kw)        (n, p, q)              o          dy
 *
 * One item a group, no barrier. Group (s, b, g): `across` strips of 32 columns, `tiles` tiles of 12 rows, channel group g. A block
 * is 12 x 32 accumulators (see gemm_cpu.cl); between blocks of KC terms they rest in local memory. Where rows come in runs of four
 * (-DRS: 1 or 2 elements apart) the image's elements are broadcast from where they lie; other rows are first laid side
 * by side for KC terms (6 KiB), which costs some 7 %.
 * Order of sums: k ascending within blocks of KC, block results added in order: the error grows with KC + K / KC, not with K.
 *
 * Wide vectors exist in OpenCL C only, so this file is empty for other compilers. */
#ifdef __OPENCL_VERSION__

#define KC 128
#define NR 32
#define MR 12
#define BLOCKS 16 /* most blocks of 12 x 32 an item: 24 KiB of accumulators, and 32 KiB of local memory in all */
#ifndef RS
#define RS 0
#endif
#ifndef OS
#define OS 0 /* 1: results of rows that come in runs of four are neighbours */
#endif
#define UNROLL _Pragma("unroll")

/* panel (groups, strips, depth, 32) = s[g sg + q(k) + j sj], zeros for j >= n. One item a row of 32; k = (k0 e1 + k1) e2 + k2. */
__kernel void pack_panels(__global float *panel, const ulong p0, const __global float *s, const ulong s0, const int rows,
                          const int n, const int depth, const int strips, const int e1, const int e2, const int u0, const int u1,
                          const int u2, const int sj, const int sg)
{
    const int at = get_global_id(0);
    int k, j;

    if (at >= rows) return;
    k = at % depth;
    j = at / depth % strips * NR;
    s += s0 + (ulong)(at / depth / strips) * sg + (ulong)(k / (e1 * e2)) * u0 + (k / e2 % e1 * u1 + k % e2 * u2) + (ulong)j * sj;
    panel += p0 + (ulong)at * NR;
    for (int t = 0; t < NR; t++) panel[t] = j + t < n ? s[(ulong)t * sj] : 0.0f;
}

/* Rows r .. r+3 of a tile, one term: element RS apart where the host has seen that d2 is a multiple of 4, else anywhere. */
#if RS == 1
#define QUAD(r) { vstore4(vload4(0, x + ro[r] + o), 0, d + r); }
#elif RS == 2
#define QUAD(r)                                                                                \
    {                                                                                          \
        const float4 u = vload4(0, x + ro[r] + o), v = vload4(0, x + ro[r] + o + 3);           \
        vstore4((float4)(u.x, u.z, v.y, v.w), 0, d + r); /* not one element past the last */  \
    }
#else
#define QUAD(r)                                                                                \
    {                                                                                          \
        d[r] = x[ro[r] + o], d[r + 1] = x[ro[r + 1] + o];                                      \
        d[r + 2] = x[ro[r + 2] + o], d[r + 3] = x[ro[r + 3] + o];                              \
    }
#endif

/* acc[r] += v * (b0, b1) for one row */
#define ROW(r, v)                              \
    {                                          \
        const float16 v_ = (float16)(v);       \
        acc[r][0] = fma(v_, b0, acc[r][0]);    \
        acc[r][1] = fma(v_, b1, acc[r][1]);    \
    }

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv_cpu(__global float *out, const ulong out0, const __global float *x, const ulong x0, const __global float *panel,
              const ulong panel0, const int m, const int n, const int depth, const int tiles, const int across,
              const int d1, const int d2, const int r0, const int r1, const int r2, const int o0, const int o1, const int o2, const int tj,
              const int e1, const int e2, const int q0, const int q1, const int q2, const int xg, const int og, const int strips)
{
    __local float16 sum[BLOCKS * MR * 2];
#if !RS
    __local float xs[KC * MR] __attribute__((aligned(64)));
#endif
    __local int rows_at[BLOCKS * MR], out_at[BLOCKS * MR], term_at[KC];
    const int first = (int)get_group_id(0) * across, i0 = (int)get_group_id(1) * tiles * MR, g = get_group_id(2);
    const int rows = min(tiles * MR, m - i0), nt = (rows + MR - 1) / MR, ns = min(across, strips - first);
    int k2 = 0, k1 = 0, ko = 0; /* digits of the next k, and q of (k0, 0, 0) */

    out += out0 + (ulong)g * og + (ulong)first * NR * tj;
    x += x0 + (ulong)g * xg;
    panel += panel0 + ((ulong)g * strips + first) * depth * NR;
    {
        int i2 = i0 % d2, i1 = i0 / d2 % d1, ih = i0 / d2 / d1;

        for (int i = 0; i < nt * MR; i++) { /* rows past the end repeat the last four */
            if (i < rows) {
                rows_at[i] = ih * r0 + i1 * r1 + i2 * r2;
                out_at[i] = ih * o0 + i1 * o1 + i2 * o2;
                if (++i2 == d2) {
                    i2 = 0;
                    if (++i1 == d1) i1 = 0, ih++;
                }
            } else {
                rows_at[i] = rows_at[max(i - 4, 0)];
            }
        }
    }
    for (int kb = 0; kb == 0 || kb < depth; kb += KC) {
        const int kn = min(KC, depth - kb);
        const bool last = kb + KC >= depth;

        for (int k = 0; k < kn; k++) {
            term_at[k] = ko + k1 * q1 + k2 * q2;
            if (++k2 == e2) {
                k2 = 0;
                if (++k1 == e1) k1 = 0, ko += q0;
            }
        }
        for (int t = 0; t < nt; t++) {
            const __local int *ro = rows_at + t * MR;

#if RS
            const __global float *xa = x + ro[0], *xb = x + ro[4], *xc = x + ro[8];
#else
            for (int k = 0; k < kn; k++) {
                const int o = term_at[k];
                __local float *d = xs + k * MR;

                QUAD(0) QUAD(4) QUAD(8)
            }
#endif
            for (int b = 0; b < ns; b++) {
                const __global float *p = panel + ((ulong)b * depth + kb) * NR;
#if !RS
                const __local float *xk = xs;
#endif
                __local float16 *rest = sum + (t * across + b) * MR * 2;
                float16 acc[MR][2];

                UNROLL for (int r = 0; r < MR; r++) acc[r][0] = acc[r][1] = (float16)(0.0f);
                for (int k = 0; k < kn; k++) {
                    const float16 b0 = vload16(0, p), b1 = vload16(1, p);

#if RS
                    const long o = term_at[k];
                    const __global float *qa = xa + o, *qb = xb + o, *qc = xc + o;

                    ROW(0, qa[0]) ROW(1, qa[RS]) ROW(2, qa[2 * RS]) ROW(3, qa[3 * RS])
                    ROW(4, qb[0]) ROW(5, qb[RS]) ROW(6, qb[2 * RS]) ROW(7, qb[3 * RS])
                    ROW(8, qc[0]) ROW(9, qc[RS]) ROW(10, qc[2 * RS]) ROW(11, qc[3 * RS])
#else
                    UNROLL for (int r = 0; r < MR; r++) ROW(r, xk[r])
                    xk += MR;
#endif
                    p += NR;
                }
                if (kb) {
                    UNROLL for (int r = 0; r < MR; r++) rest[2 * r] += acc[r][0], rest[2 * r + 1] += acc[r][1];
                } else {
                    UNROLL for (int r = 0; r < MR; r++) rest[2 * r] = acc[r][0], rest[2 * r + 1] = acc[r][1];
                }
                if (last) {
                    const __local float *s = (const __local float *)rest;
                    const int rn = min(MR, rows - t * MR), cols = min(NR, n - (first + b) * NR);

                    int j = 0;

#if OS
                    for (; j + 4 <= cols; j += 4) /* blocks of 4 x 4, turned round; rn is a multiple of 4 */
                        for (int r = 0; r < rn; r += 4) {
                            const __local float *f = s + r * NR + j;
                            const float4 u0 = vload4(0, f), u1 = vload4(0, f + NR), u2 = vload4(0, f + 2 * NR), u3 = vload4(0, f + 3 * NR);
                            __global float *d = out + out_at[t * MR + r] + ((ulong)b * NR + j) * tj;

                            vstore4((float4)(u0.x, u1.x, u2.x, u3.x), 0, d);
                            vstore4((float4)(u0.y, u1.y, u2.y, u3.y), 0, d + tj);
                            vstore4((float4)(u0.z, u1.z, u2.z, u3.z), 0, d + 2 * (ulong)tj);
                            vstore4((float4)(u0.w, u1.w, u2.w, u3.w), 0, d + 3 * (ulong)tj);
                        }
#endif
                    for (; j < cols; j++)
                        for (int r = 0; r < rn; r++) out[out_at[t * MR + r] + ((ulong)b * NR + j) * tj] = s[r * NR + j];
                }
            }
        }
    }
}

/* The same for n <= NJ <= 4 columns (images with few channels, one output a window): 64 rows an item, vectors along the rows, and the
 * other operand read where it lies: s[u(k) + j sj]. Blocks of KCS terms. */
#ifndef NJ
#define NJ 1
#endif
#define KCS 64
#define MRS 64

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv_slim_cpu(__global float *out, const ulong out0, const __global float *x, const ulong x0, const __global float *s,
                   const ulong s0, const int m, const int n, const int depth,
                   const int d1, const int d2, const int r0, const int r1, const int r2, const int o0, const int o1, const int o2, const int tj,
                   const int e1, const int e2, const int q0, const int q1, const int q2, const int u0, const int u1, const int u2, const int sj,
                   const int xg, const int og, const int sg)
{
    __local float xs[KCS * MRS] __attribute__((aligned(64)));
    __local float w[KCS * NJ];
    __local int ro[MRS], out_at[MRS], term_at[KCS];
    const int i0 = (int)get_group_id(0) * MRS, g = get_group_id(1), rows = min(MRS, m - i0);
    int k2 = 0, k1 = 0, ko = 0, ku = 0;
    float16 acc[NJ][4], total[NJ][4];

    out += out0 + (ulong)g * og;
    x += x0 + (ulong)g * xg;
    s += s0 + (ulong)g * sg;
    {
        int i2 = i0 % d2, i1 = i0 / d2 % d1, ih = i0 / d2 / d1;

        for (int i = 0; i < MRS; i++) { /* rows past the end repeat the last four */
            if (i < rows) {
                ro[i] = ih * r0 + i1 * r1 + i2 * r2;
                out_at[i] = ih * o0 + i1 * o1 + i2 * o2;
                if (++i2 == d2) {
                    i2 = 0;
                    if (++i1 == d1) i1 = 0, ih++;
                }
            } else {
                ro[i] = ro[max(i - 4, 0)];
            }
        }
    }
    UNROLL for (int j = 0; j < NJ; j++) total[j][0] = total[j][1] = total[j][2] = total[j][3] = (float16)(0.0f);
    for (int kb = 0; kb < depth; kb += KCS) {
        const int kn = min(KCS, depth - kb);

        UNROLL for (int j = 0; j < NJ; j++) acc[j][0] = acc[j][1] = acc[j][2] = acc[j][3] = (float16)(0.0f);

        for (int k = 0; k < kn; k++) {
            for (int j = 0; j < NJ; j++) w[k * NJ + j] = s[ku + k1 * u1 + k2 * u2 + min(j, n - 1) * sj];
            term_at[k] = ko + k1 * q1 + k2 * q2;
            if (++k2 == e2) {
                k2 = 0;
                if (++k1 == e1) k1 = 0, ko += q0, ku += u0;
            }
        }
        for (int k = 0; k < kn; k++) {
            const int o = term_at[k];
            __local float *d = xs + k * MRS;

            for (int r = 0; r < MRS; r += 4) QUAD(r)
        }
        for (int k = 0; k < kn; k++) {
            UNROLL for (int v = 0; v < 4; v++) {
                const float16 xv = vload16(v, xs + k * MRS);

                UNROLL for (int j = 0; j < NJ; j++) acc[j][v] = fma((float16)(w[k * NJ + j]), xv, acc[j][v]);
            }
        }
        UNROLL for (int j = 0; j < NJ; j++) {
            UNROLL for (int v = 0; v < 4; v++) total[j][v] += acc[j][v];
        }
    }
    UNROLL for (int j = 0; j < NJ; j++) {
        UNROLL for (int v = 0; v < 4; v++) vstore16(total[j][v], v, xs + j * MRS);
    }
    for (int j = 0; j < n; j++)
        for (int i = 0; i < rows; i++) out[out_at[i] + (ulong)j * tj] = xs[j * MRS + i];
}

#endif
