/* Convolution and its gradients on devices whose local memory is ordinary memory: one kernel for all three, since each is
 *
 *   out[o(i) + j tj] = sum_k x[r(i) + q(k)] panel[j / 32][k][j % 32]          i < m, j < n, k < depth
 *
 * with r, o and q affine in the three mixed-radix digits of i and k. The image is never unfolded: a tile reads it where
 * it lies (in a zero-padded copy, so that no tap needs a test), and the other operand is packed once
 * (pack_runs, pack_rows, pack_any) into panels of 32 columns.
 *
 *              i = digits of      k = digits of          j          packed operand
 *   conv2d     (n, p, q)          (c, kh, kw)            o          w
 *   conv2d_dx  (n, h', v')        (o, kh', kw')          c          w      one launch a phase (h mod sh, v mod sw)
 *   conv2d_dw  (c, kh, kw)        (n, p, q)              o          dy
 *
 * One item a group, no barrier. Group (s, b, g): `across` strips of 32 columns, `tiles` tiles of 12 rows, channel group g. A block
 * is 12 x 32 accumulators (see gemm_cpu.cl); between blocks of KC terms they rest in local memory. The image's elements are broadcast from
 * where they lie, by three pointers where rows come in runs of four (-DRS: 1 or 2 elements apart), else by twelve, for which the registers
 * just suffice. Only where rows are planes of a picture (1x1, dw) they are first laid side by side for KC terms (-DLAY=1, 6 KiB).
 * Order of sums: k ascending within blocks of KC, block results added in order: the error grows with KC + K / KC, not with K.
 *
 * Wide vectors exist in OpenCL C only, so this file is empty for other compilers. */
#include "cpu.h"
#ifdef __OPENCL_VERSION__

#define KC 128
#define NR 32
#define MR 12
#define BLOCKS 16 /* most blocks of 12 x 32 an item: 24 KiB of accumulators, and 32 KiB of local memory in all */
#ifndef RS
#define RS 0
#endif
#ifndef LAY
#define LAY 0 /* 1: terms come in runs of 16 neighbours, and rows lie where they would meet in the same sets of a cache */
#endif
#ifndef OWN
#define OWN 0 /* how an item packs its panel itself: 1, all terms are neighbours; 2, those of a k0 lie within 16 neighbours */
#endif
#ifndef OS
#define OS 0 /* 1: results of rows that come in runs of four are neighbours */
#endif

/* v[l] lane r = s[base + r sj + l] for r < cols, zeros for the other lanes. */
static inline void take(float16 *v, const __global float *s, const int base, const int sj, const int cols, const int size)
{
    if (cols >= 16 && base + 15 * sj + 16 <= size) {
        UNROLL for (int r = 0; r < 16; r++) v[r] = gs_load16(0, s + base + r * sj);
    } else {
        float t[256] __attribute__((aligned(64)));

        for (int i = 0; i < 256; i++) {
            const int r = i / 16, l = i % 16;

            t[i] = r < cols && base + r * sj + l < size ? s[base + r * sj + l] : 0.0f;
        }
        UNROLL for (int r = 0; r < 16; r++) v[r] = gs_load16(r, t);
    }
    turn16(v);
}

/* Of 16 neighbours in v the terms of one k0 to a panel: lane k1 u1 + k2 u2 is term k1 e2 + k2. -DAPART=1: they are not the first of them. */
#ifndef APART
#define APART 0
#endif
#if APART
#define PUT(d, v)                                                                                             \
    {                                                                                                         \
        float t_[256] __attribute__((aligned(64)));                                                           \
                                                                                                              \
        UNROLL for (int r_ = 0; r_ < 16; r_++) gs_store16((v)[r_], r_, t_);                                      \
        for (int k1_ = 0; k1_ < e1; k1_++)                                                                    \
            for (int k2_ = 0; k2_ < e2; k2_++) gs_store16(gs_load16(k1_ * u1 + k2_ * u2, t_), 0, (d) + (k1_ * e2 + k2_) * NR); \
    }
#else
#define PUT(d, v) { UNROLL for (int r_ = 0; r_ < 16; r_++) if (r_ < e1 * e2) gs_store16((v)[r_], 0, (d) + r_ * NR); }
#endif

/* panel (groups, strips, depth, 32) = s[g sg + q(k) + j sj], zeros for j >= n; k = (k0 e1 + k1) e2 + k2. Kernels for what s may look like; an item
 * takes `chunk` of `all` pieces, and a piece is read once, in whole vectors. Elements of s past `size` are not read.
 *
 * pack_runs: for each k0 the terms are `run` >= 16 neighbours, or with -DWINDOW=1 lie within 16 neighbours (run 16, one block). A piece is
 * 16 terms of 32 columns, turned round in registers; the last of a run begins earlier. */
#ifndef WINDOW
#define WINDOW 0
#endif

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void pack_runs(__global float *panel, const ulong p0, const __global float *s, const ulong s0, const int all, const int chunk, const int size,
               const int n, const int strips, const int outer, const int run, const int e1, const int e2, const int u0, const int u1,
               const int u2, const int sj, const int sg)
{
    const int first = (int)get_group_id(0) * chunk, end = min(first + chunk, all), blocks = (run + 15) / 16, terms = e1 * e2;

    s += s0;
    panel += p0;
    for (int at = first; at < end; at++) {
        const int b = at % blocks, k0 = at / blocks % outer, strip = at / blocks / outer, j = strip % strips * NR;
        const int k = min(16 * b, run - 16), from = strip / strips * sg + k0 * u0 + k + j * sj;
        __global float *d = panel + ((ulong)strip * outer + k0) * terms * NR + k * NR;

        for (int h = 0; h < 2; h++) {
            float16 v[16];

            take(v, s, from + 16 * h * sj, sj, n - j - 16 * h, size);
#if WINDOW
            PUT(d + 16 * h, v)
#else
            UNROLL for (int r = 0; r < 16; r++) gs_store16(v[r], 0, d + r * NR + 16 * h);
#endif
        }
    }
}

/* pack_rows: columns are neighbours (sj 1). A piece is a row of 32. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void pack_rows(__global float *panel, const ulong p0, const __global float *s, const ulong s0, const int all, const int chunk, const int n,
               const int depth, const int strips, const int e1, const int e2, const int u0, const int u1, const int u2, const int sg)
{
    const int first = (int)get_group_id(0) * chunk, end = min(first + chunk, all);

    s += s0;
    panel += p0;
    for (int at = first; at < end; at++) {
        const int k = at % depth, strip = at / depth, j = strip % strips * NR;
        const __global float *f = s + strip / strips * sg + k / (e1 * e2) * u0 + k / e2 % e1 * u1 + k % e2 * u2 + j;
        __global float *d = panel + (ulong)at * NR;

        if (j + NR <= n) {
            gs_store16(gs_load16(0, f), 0, d);
            gs_store16(gs_load16(1, f), 1, d);
        } else {
            for (int t = 0; t < NR; t++) d[t] = j + t < n ? f[t] : 0.0f;
        }
    }
}

/* pack_any: the rest. One item a row of 32. */
__kernel void pack_any(__global float *panel, const ulong p0, const __global float *s, const ulong s0, const int rows,
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

#if OWN
/* Terms k .. k + kn - 1 of columns j .. j + 31, a block of the panel. */
static inline void own_panel(__local float *panel, const __global float *s, const int size, const int k, const int kn, const int j, const int n,
                             const int e1, const int e2, const int u0, const int u1, const int u2, const int sj)
{
    const int terms = OWN == 1 ? 16 : e1 * e2;

    for (int at = 0; at < kn; at += terms)
        for (int h = 0; h < 2; h++) {
            const int from = (OWN == 1 ? k + at : (k + at) / terms * u0) + (j + 16 * h) * sj;
            __local float *d = panel + at * NR + 16 * h;
            float16 v[16];

            take(v, s, from, sj, n - j - 16 * h, size);
#if OWN == 1
            UNROLL for (int r = 0; r < 16; r++) gs_store16(v[r], 0, d + r * NR); /* terms past the last are not used */
#else
            PUT(d, v)
#endif
        }
}
#endif

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv_cpu(__global float *out, const ulong out0, const __global float *x, const ulong x0, const __global float *panel,
              const ulong panel0, const int m, const int n, const int depth, const int tiles, const int across,
              const int d1, const int d2, const int r0, const int r1, const int r2, const int o0, const int o1, const int o2, const int tj,
              const int e1, const int e2, const int q0, const int q1, const int q2, const int xg, const int og, const int strips
#if OWN /* panel: s */
              , const int size, const int kc, const int u0, const int u1, const int u2, const int sj, const int sg
#endif
)
{
#if OWN
    __local float own[KC * NR] __attribute__((aligned(64)));
#else
    const int kc = KC;
#endif
    __local float16 sum[BLOCKS * MR * 2];
#if LAY
    __local float xs[KC * MR + 4] __attribute__((aligned(64)));
#endif
    __local int rows_at[BLOCKS * MR], out_at[BLOCKS * MR], term_at[KC];
    const int first = (int)get_group_id(0) * across, i0 = (int)get_group_id(1) * tiles * MR, g = get_group_id(2);
    const int rows = min(tiles * MR, m - i0), nt = (rows + MR - 1) / MR, ns = min(across, strips - first);
    int k2 = 0, k1 = 0, ko = 0; /* digits of the next k, and q of (k0, 0, 0) */

    out += out0 + (ulong)g * og + (ulong)first * NR * tj;
    x += x0 + (ulong)g * xg;
#if OWN
    panel += panel0;
#else
    panel += panel0 + ((ulong)g * strips + first) * depth * NR;
#endif
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
    for (int kb = 0; kb == 0 || kb < depth; kb += kc) {
        const int kn = min(kc, depth - kb);
        const bool last = kb + kc >= depth;

#if OWN
        own_panel(own, panel + (ulong)g * sg, size - g * sg, kb, kn, first * NR, n, e1, e2, u0, u1, u2, sj);
#endif
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
#elif LAY
            for (int k = 0; k < kn; k += 16) {
                float16 v[16];

                UNROLL for (int r = 0; r < 16; r++) v[r] = gs_load16(0, x + ro[min(r, MR - 1)] + term_at[k]);
                turn16(v);
                UNROLL for (int r = 0; r < 16; r++) gs_store16(v[r], 0, xs + (k + r) * MR); /* the next covers the last four */
            }
#else
            const __global float *xr[MR];

            UNROLL for (int r = 0; r < MR; r++) xr[r] = x + ro[r];
#endif
            for (int b = 0; b < ns; b++) {
#if OWN
                const __local float *p = own;
#else
                const __global float *p = panel + ((ulong)b * depth + kb) * NR;
#endif
                __local float16 *rest = sum + (t * across + b) * MR * 2;
                float16 acc[MR][2];

                UNROLL for (int r = 0; r < MR; r++) acc[r][0] = acc[r][1] = (float16)(0.0f);
                for (int k = 0; k < kn; k++) {
                    const float16 b0 = gs_load16(0, p), b1 = gs_load16(1, p);

#if RS
                    const long o = term_at[k];
                    const __global float *qa = xa + o, *qb = xb + o, *qc = xc + o;

                    ROW(0, qa[0]) ROW(1, qa[RS]) ROW(2, qa[2 * RS]) ROW(3, qa[3 * RS])
                    ROW(4, qb[0]) ROW(5, qb[RS]) ROW(6, qb[2 * RS]) ROW(7, qb[3 * RS])
                    ROW(8, qc[0]) ROW(9, qc[RS]) ROW(10, qc[2 * RS]) ROW(11, qc[3 * RS])
#elif LAY
                    UNROLL for (int r = 0; r < MR; r++) ROW(r, xs[k * MR + r])
#else
                    const long o = term_at[k];

                    UNROLL for (int r = 0; r < MR; r++) ROW(r, xr[r][o])
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
                const float16 xv = gs_load16(v, xs + k * MRS);

                UNROLL for (int j = 0; j < NJ; j++) acc[j][v] = fma((float16)(w[k * NJ + j]), xv, acc[j][v]);
            }
        }
        UNROLL for (int j = 0; j < NJ; j++) {
            UNROLL for (int v = 0; v < 4; v++) total[j][v] += acc[j][v];
        }
    }
    UNROLL for (int j = 0; j < NJ; j++) {
        UNROLL for (int v = 0; v < 4; v++) gs_store16(total[j][v], v, xs + j * MRS);
    }
    for (int j = 0; j < n; j++)
        for (int i = 0; i < rows; i++) out[out_at[i] + (ulong)j * tj] = xs[j * MRS + i];
}

#endif
