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
 * is 12 x 32 accumulators (see gemm_cpu.cl); between blocks of KC terms they rest in local memory. The elements of x for a
 * tile and KC terms are first laid side by side (6 KiB): read through twelve pointers, the compiler hoists the broadcasts
 * and spills the accumulators (115 against 195 GFLOP/s).
 * Order of sums: k ascending.
 *
 * Wide vectors exist in OpenCL C only, so this file is empty for other compilers. */
#ifdef __OPENCL_VERSION__

#define KC 128
#define NR 32
#define MR 12
#define BLOCKS 16 /* most blocks of 12 x 32 an item: 24 KiB of accumulators */
#ifndef RS
#define RS 0
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

/* y (planes,yh,yw) = x (planes,xh,xw) moved by (top, left), zeros around. One item a row. */
__kernel void pad_planes(__global float *y, const ulong y0, const __global float *x, const ulong x0, const int rows, const int yh,
                         const int yw, const int xh, const int xw, const int top, const int left)
{
    const int at = get_global_id(0);
    int h;

    if (at >= rows) return;
    h = at % yh - top;
    y += y0 + (ulong)at * yw;
    if (h < 0 || h >= xh) {
        for (int v = 0; v < yw; v++) y[v] = 0.0f;
        return;
    }
    x += x0 + ((ulong)(at / yh) * xh + h) * xw;
    for (int v = 0; v < left; v++) y[v] = 0.0f;
    for (int v = 0; v < xw && v + left < yw; v++) y[left + v] = x[v];
    for (int v = left + xw; v < yw; v++) y[v] = 0.0f;
}

/* Rows r .. r+3 of a tile, one term: element RS apart where the host has seen that d2 is a multiple of 4, else anywhere. */
#if RS == 1
#define QUAD(r) vstore4(vload4(0, x + ro[r] + o), 0, d + r);
#elif RS == 2
#define QUAD(r)                                                                                \
    {                                                                                          \
        const float4 u = vload4(0, x + ro[r] + o), v = vload4(0, x + ro[r] + o + 3);           \
        vstore4((float4)(u.x, u.z, v.y, v.w), 0, d + r); /* not one element past the last */  \
    }
#else
#define QUAD(r) d[r] = x[ro[r] + o], d[r + 1] = x[ro[r + 1] + o], d[r + 2] = x[ro[r + 2] + o], d[r + 3] = x[ro[r + 3] + o];
#endif

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv_cpu(__global float *out, const ulong out0, const __global float *x, const ulong x0, const __global float *panel,
              const ulong panel0, const int m, const int n, const int depth, const int tiles, const int across,
              const int d1, const int d2, const int r0, const int r1, const int r2, const int o0, const int o1, const int o2, const int tj,
              const int e1, const int e2, const int q0, const int q1, const int q2, const int xg, const int og, const int strips)
{
    __local float16 sum[BLOCKS * MR * 2];
    __local float xs[KC * MR] __attribute__((aligned(64)));
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

            for (int k = 0; k < kn; k++) {
                const int o = term_at[k];
                __local float *d = xs + k * MR;

                QUAD(0) QUAD(4) QUAD(8)
            }
            for (int b = 0; b < ns; b++) {
                const __global float *p = panel + ((ulong)b * depth + kb) * NR;
                const __local float *xk = xs;
                __local float16 *rest = sum + (t * across + b) * MR * 2;
                float16 acc[MR][2];

                if (kb) {
                    UNROLL for (int r = 0; r < MR; r++) acc[r][0] = rest[2 * r], acc[r][1] = rest[2 * r + 1];
                } else {
                    UNROLL for (int r = 0; r < MR; r++) acc[r][0] = acc[r][1] = (float16)(0.0f);
                }
                for (int k = 0; k < kn; k++) {
                    const float16 b0 = vload16(0, p), b1 = vload16(1, p);

                    UNROLL for (int r = 0; r < MR; r++) {
                        const float16 v = (float16)(xk[r]);

                        acc[r][0] = fma(v, b0, acc[r][0]);
                        acc[r][1] = fma(v, b1, acc[r][1]);
                    }
                    p += NR;
                    xk += MR;
                }
                UNROLL for (int r = 0; r < MR; r++) rest[2 * r] = acc[r][0], rest[2 * r + 1] = acc[r][1];
                if (last) {
                    const __local float *s = (const __local float *)rest;
                    const int rn = min(MR, rows - t * MR), cols = min(NR, n - (first + b) * NR);

                    for (int j = 0; j < cols; j++)
                        for (int r = 0; r < rn; r++) out[out_at[t * MR + r] + ((ulong)b * NR + j) * tj] = s[r * NR + j];
                }
            }
        }
    }
}

#endif
