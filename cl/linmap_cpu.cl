/* The maps of linmap.cl for devices whose local memory is ordinary memory; tables as there. One axis: linmap_lines. Both at once, so that x is read and y
 * written once: y (planes,R,S) = A x (planes,H,W) B^T, by copies of lines, by windows, or for any maps where local memory has room for lines of x.
 * Order of sums: along the columns of x first, but in linmap_rise_lines along its rows, entries in the tables' order.
 * Wide vectors exist in OpenCL C only, so this file is empty for other compilers. */
#include "cpu.h"
#ifdef __OPENCL_VERSION__

/* ---- one axis ---- */

/* y (outer,R,inner) = A x (outer,len,inner): group (a, b) has rows chunk b .. of `per` planes from per a on. For inner > 1 a whole line of `inner` elements
 * is added at a time, which becomes vectors. */
__kernel GS_GROUP(1, 1, 1)
void linmap_lines(__global float *y, const ulong y0, const __global float *x, const ulong x0, const __global int *at,
                  const ulong at0, const __global float *weight, const ulong w0, const int outer, const int rows,
                  const int len, const int inner, const int per, const int chunk)
{
    const int from = (int)get_group_id(0) * per, to = min(from + per, outer);
    const int first = (int)get_group_id(1) * chunk, last = min(first + chunk, rows);

    at += at0;
    weight += w0;
    for (int o = from; o < to; o++) {
        const __global float *xo = x + x0 + (ulong)o * len * inner;
        __global float *yo = y + y0 + (ulong)o * rows * inner;

        for (int r = first; r < last; r++) {
            const int begin = at[r], end = at[r + 1];

            if (inner == 1) {
                float s = 0.0f;

                for (int e = begin; e < end; e++) s = fma(weight[e], xo[at[rows + 1 + e]], s);
                yo[r] = s;
            } else {
                __global float *line = yo + (ulong)r * inner;

                if (begin == end)
                    for (int c = 0; c < inner; c++) line[c] = 0.0f;
                for (int e = begin; e < end; e++) {
                    const __global float *src = xo + (ulong)at[rows + 1 + e] * inner;
                    const float w = weight[e];

                    if (e == begin)
                        for (int c = 0; c < inner; c++) line[c] = w * src[c];
                    else
                        for (int c = 0; c < inner; c++) line[c] = fma(w, src[c], line[c]);
                }
            }
        }
    }
}

/* ---- copies ---- */

/* What the kernels below take before their own: result and picture, the maps of rows and of columns, planes, sides of y and of x. */
#define TWO_MAPS                                                                                                        \
    __global float *restrict y, const ulong y0, const __global float *restrict x, const ulong x0,                        \
    const __global int *restrict at_a, const ulong aa0, const __global float *restrict weight_a, const ulong wa0,        \
    const __global int *restrict at_b, const ulong ab0, const __global float *restrict weight_b, const ulong wb0,        \
    const int planes, const int rows_a, const int rows_b, const int h, const int w

/* Every row of A and of B has one entry: y[r,c] = a[r] b[c] x[at_a(r),at_b(c)], so lines are copied. Group (a, b) as above. -DREP=n: n columns of y for each
 * of x, of one weight; else columns run_from .. run_to - 1 are neighbours in x too and have one weight, those around them are looked up. */
#ifndef REP
#define REP 0
#endif

__kernel GS_GROUP(1, 1, 1)
void linmap_copy_lines(TWO_MAPS, const int run_from, const int run_to, const int per, const int chunk)
{
    const int from = (int)get_group_id(0) * per, to = min(from + per, planes);
    const int first = (int)get_group_id(1) * chunk, last = min(first + chunk, rows_a);

    at_a += aa0 + rows_a + 1, weight_a += wa0, at_b += ab0 + rows_b + 1, weight_b += wb0;
    (void)run_to;
    for (int o = from; o < to; o++) {
        for (int r = first; r < last; r++) {
            const __global float *restrict src = x + x0 + ((ulong)o * h + at_a[r]) * w;
            __global float *restrict line = y + y0 + ((ulong)o * rows_a + r) * rows_b;
            const float k = weight_a[r] * weight_b[run_from];

#if REP
            for (int c = 0; c < w; c++) {
                const float v = k * src[c];

                GS_UNROLL
                for (int t = 0; t < REP; t++) line[REP * c + t] = v;
            }
#else
            const int shift = at_b[run_from] - run_from;

            for (int c = 0; c < run_from; c++) line[c] = weight_a[r] * weight_b[c] * src[at_b[c]];
            for (int c = run_from; c < run_to; c++) line[c] = k * src[c + shift];
            for (int c = run_to; c < rows_b; c++) line[c] = weight_a[r] * weight_b[c] * src[at_b[c]];
#endif
        }
    }
}

/* ---- windows ---- */

/* Row r of B for run_from <= r < run_to is the one before shifted by STEP columns, TAPS neighbours with the same weights for all: pooling, and the
 * gradient of nearest. STEP is 1, 2 or 4, TAPS at least 2 and STEP, for 4 just that: so a vector of y comes from vectors of x that
 * reach no further than its last window. */
#ifndef STEP
#define STEP 2
#endif
#ifndef TAPS
#define TAPS 3
#endif

/* Where the vectors start that are read for 16 windows, from the first window's start on; and tap t of those windows. */
#if STEP == 1
#define VECTORS TAPS
#define VECTOR_AT(j) (j)
#define TAP(s, t) (s)[t]
#elif STEP == 2
#define VECTORS ((TAPS + 1) / 2 * 2)
#define VECTOR_AT(j) (((j) / 2 * 2 > TAPS - 2 ? TAPS - 2 : (j) / 2 * 2) + 16 * ((j) % 2))
#define TAP(s, t)                                                                                           \
    ((t) % 2 == 0 && (t) + 1 < TAPS ? (float16)((s)[(t) / 2 * 2].even, (s)[(t) / 2 * 2 + 1].even) \
                                    : (float16)((s)[(t) / 2 * 2].odd, (s)[(t) / 2 * 2 + 1].odd))
#else
#define VECTORS 4
#define VECTOR_AT(j) (16 * (j))
#define TAP(s, t)                                                                                                                    \
    ((t) / 2 == 0 ? (t) % 2 == 0 ? (float16)((s)[0].even.even, (s)[1].even.even, (s)[2].even.even, (s)[3].even.even)       \
                                 : (float16)((s)[0].odd.even, (s)[1].odd.even, (s)[2].odd.even, (s)[3].odd.even)           \
                  : (t) % 2 == 0 ? (float16)((s)[0].even.odd, (s)[1].even.odd, (s)[2].even.odd, (s)[3].even.odd)           \
                                 : (float16)((s)[0].odd.odd, (s)[1].odd.odd, (s)[2].odd.odd, (s)[3].odd.odd))
#endif

/* Windows that overlap read an element more than once, and then it is in a cache. */
#if TAPS == STEP
#define LD LD16_FAR
#else
#define LD LD16
#endif

/* 16 N elements of a line of y: windows from src on, which is the same column of all lines of x that the row of A names by its entries. */
#define POOL(name, N)                                                                                                       \
    GS_FN void name(__global float *to, const __global float *src, const __global int *line,                                \
                    const __global float *weight, const int entries, const int w, const float *k)                           \
    {                                                                                                                       \
        float16 s[N][VECTORS];                                                                                              \
                                                                                                                            \
        UNROLL for (int b = 0; b < N; b++) UNROLL for (int j = 0; j < VECTORS; j++) s[b][j] = (float16)(0.0f);              \
        for (int e = 0; e < entries; e++) {                                                                                 \
            const __global float *p = src + line[e] * w;                                                                    \
            const float16 f = (float16)(weight[e]);                                                                         \
                                                                                                                            \
            UNROLL for (int b = 0; b < N; b++)                                                                              \
                UNROLL for (int j = 0; j < VECTORS; j++) s[b][j] = fma(f, LD(p + 16 * STEP * b + VECTOR_AT(j)), s[b][j]);   \
        }                                                                                                                   \
        UNROLL for (int b = 0; b < N; b++) {                                                                                \
            float16 sum = k[0] * TAP(s[b], 0);                                                                              \
                                                                                                                            \
            UNROLL for (int t = 1; t < TAPS; t++) sum = fma((float16)(k[t]), TAP(s[b], t), sum);                            \
            ST16(to + 16 * b, sum);                                                                                         \
        }                                                                                                                   \
    }
#define MANY (VECTORS <= 2 ? 8 : VECTORS <= 4 ? 4 : 2) /* what registers hold; the longer a piece of a line, the better prefetching follows */
#define SOME (MANY / 2)
POOL(pool_many, MANY)
POOL(pool_some, SOME)
POOL(pool_one, 1)

/* Group (a, b): rows chunk b .. of `per` planes from per a on. The run is 16 columns at least; those of y around it are looked up. */
__kernel GS_GROUP(1, 1, 1)
void linmap_pool_lines(TWO_MAPS, const int run_from, const int run_to, const int per, const int chunk)
{
    const int from = (int)get_group_id(0) * per, to = min(from + per, planes);
    const int first = (int)get_group_id(1) * chunk, last = min(first + chunk, rows_a);
    const __global int *restrict index;
    float k[TAPS];
    int start;

    at_a += aa0, weight_a += wa0, at_b += ab0, weight_b += wb0;
    index = at_b + rows_b + 1;
    start = index[at_b[run_from]] - STEP * run_from;
    UNROLL for (int t = 0; t < TAPS; t++) k[t] = weight_b[at_b[run_from] + t];
    for (int o = from; o < to; o++) {
        for (int r = first; r < last; r++) {
            const __global float *restrict src = x + x0 + (ulong)o * h * w;
            __global float *restrict to_y = y + y0 + ((ulong)o * rows_a + r) * rows_b;
            const __global int *restrict line = at_a + rows_a + 1 + at_a[r];
            const __global float *restrict weight = weight_a + at_a[r];
            const int entries = at_a[r + 1] - at_a[r];
            int c = run_from;

            for (; c + 16 * MANY <= run_to; c += 16 * MANY) pool_many(to_y + c, src + STEP * c + start, line, weight, entries, w, k);
            for (; c + 16 * SOME <= run_to; c += 16 * SOME) pool_some(to_y + c, src + STEP * c + start, line, weight, entries, w, k);
            for (; c + 16 <= run_to; c += 16) pool_one(to_y + c, src + STEP * c + start, line, weight, entries, w, k);
            c = run_to - 16; /* what is left, and some of it again */
            if ((run_to - run_from) % 16) pool_one(to_y + c, src + STEP * c + start, line, weight, entries, w, k);
            for (c = run_from ? 0 : run_to; c < rows_b; c = c + 1 == run_from ? run_to : c + 1) {
                float s = 0.0f;

                for (int e = at_b[c]; e < at_b[c + 1]; e++) {
                    float t = 0.0f;

                    for (int i = 0; i < entries; i++) t = fma(weight[i], src[line[i] * w + index[e]], t);
                    s = fma(weight_b[e], t, s);
                }
                to_y[c] = s;
            }
        }
    }
}

/* ---- any maps ---- */

#ifndef WIDE
#define WIDE 256 /* columns of x, at most */
#endif

/* 16 lines are the lanes of vectors: they are turned round, so that a column of y is a sum of whole vectors wherever its columns of x lie, and
 * results are turned back. */

/* 16 elements from p on, of which n are wanted; nothing from `end` on is read. */
GS_FN float16 at_least(const __global float *p, const int n, const __global float *end)
{
    float16 v;
    float *e = (float *)&v;

    if (n == 16 || p + 16 <= end) return LD16(p);
    v = (float16)(0.0f);
    for (int i = 0; i < n; i++) e[i] = p[i];
    return v;
}

/* v[i]: columns c .. c + 15 of line i of y; those from n on are not made. turned[j]: column j of all 16 lines. */
GS_FN void columns(float16 *v, const __local float16 *turned, const __global int *at_b, const __global int *index,
                   const __global float *weight_b, const int c, const int n)
{
    for (int i = 0; i < n; i++) {
        float16 s = (float16)(0.0f);

        for (int e = at_b[c + i]; e < at_b[c + i + 1]; e++) s = fma((float16)(weight_b[e]), turned[index[e]], s);
        v[i] = s;
    }
    turn16(v);
}

/* Rows first, then columns: lines of y are numbered through the planes. Group a: 16 `per` lines from 16 per a on. */
__kernel GS_GROUP(1, 1, 1)
void linmap_turn_lines(TWO_MAPS, const int per)
{
    __local float16 turned[WIDE];
    const int lines = planes * rows_a, from = (int)get_group_id(0) * per * 16, to = min(from + per * 16, lines);
    const __global float *restrict end_x = x + x0 + (ulong)planes * (h * w);
    const __global int *restrict index;
    const __global float *plane;
    int r;

    at_a += aa0, weight_a += wa0, at_b += ab0, weight_b += wb0;
    index = at_b + rows_b + 1;
    x += x0;
    y += y0;
    r = from % rows_a;
    plane = x + (ulong)(from / rows_a) * (h * w);
    for (int l = from; l < to; l += 16) {
        const int n = min(16, to - l);
        const __global float *of[16];
        int begin[16], end[16], c = 0;
        float16 v[16];

        for (int i = 0; i < 16; i++) {
            begin[i] = at_a[r];
            end[i] = i < n ? at_a[r + 1] : begin[i];
            of[i] = plane;
            if (++r == rows_a) r = 0, plane += h * w;
        }
        for (; c + 64 <= w; c += 64) {
            float16 four[4][16];

            for (int i = 0; i < 16; i++) {
                float16 s0 = (float16)(0.0f), s1 = s0, s2 = s0, s3 = s0;

                for (int e = begin[i]; e < end[i]; e++) {
                    const __global float *p = of[i] + at_a[rows_a + 1 + e] * w + c;
                    const float16 f = (float16)(weight_a[e]);

                    s0 = fma(f, LD16(p), s0);
                    s1 = fma(f, LD16(p + 16), s1);
                    s2 = fma(f, LD16(p + 32), s2);
                    s3 = fma(f, LD16(p + 48), s3);
                }
                four[0][i] = s0, four[1][i] = s1, four[2][i] = s2, four[3][i] = s3;
            }
            for (int q = 0; q < 4; q++) {
                turn16(four[q]);
                for (int i = 0; i < 16; i++) turned[c + 16 * q + i] = four[q][i];
            }
        }
        for (; c < w; c += 16) {
            const int m = min(16, w - c);

            for (int i = 0; i < 16; i++) {
                float16 s = (float16)(0.0f);

                for (int e = begin[i]; e < end[i]; e++)
                    s = fma((float16)(weight_a[e]), at_least(of[i] + at_a[rows_a + 1 + e] * w + c, m, end_x), s);
                v[i] = s;
            }
            turn16(v);
            for (int i = 0; i < m; i++) turned[c + i] = v[i];
        }
        for (c = 0; c < rows_b; c += 16) {
            columns(v, turned, at_b, index, weight_b, c, min(16, rows_b - c));
            for (int i = 0; i < n; i++) some_out(y + (ulong)(l + i) * rows_b + c, v[i], rows_b - c < 16 ? rows_b - c : 16);
        }
    }
}

/* Columns first, for maps that make more rows than there are: `chunk` rows of y are made of at most 16 lines of x, which get their columns
 * once. -DLONG: room for a line of y. Group a: `per` chunks from per a on, numbered through the planes. */
#ifndef LONG
#define LONG 256
#endif

__kernel GS_GROUP(1, 1, 1)
void linmap_rise_lines(TWO_MAPS, const int per, const int chunk)
{
    __local float16 turned[WIDE], made[LONG];
    __local float *restrict z = (__local float *)made;
    const int chunks = (rows_a + chunk - 1) / chunk, from = (int)get_group_id(0) * per, to = min(from + per, planes * chunks);
    const int pitch = (rows_b + 15) / 16 * 16;
    const __global float *restrict end_x = x + x0 + (ulong)planes * (h * w);
    const __global int *restrict index_a, *restrict index_b;

    at_a += aa0, weight_a += wa0, at_b += ab0, weight_b += wb0;
    index_a = at_a + rows_a + 1;
    index_b = at_b + rows_b + 1;
    for (int u = from; u < to; u++) {
        const int first = u % chunks * chunk, last = min(first + chunk, rows_a);
        const __global float *restrict plane = x + x0 + (ulong)(u / chunks) * (h * w);
        __global float *restrict to_y = y + y0 + ((ulong)(u / chunks) * rows_a + first) * rows_b;
        float16 v[16];
        int lo = h;

        for (int e = at_a[first]; e < at_a[last]; e++) lo = min(lo, index_a[e]);
        for (int c = 0; c < w; c += 16) {
            const int m = min(16, w - c);

            for (int i = 0; i < 16; i++) v[i] = at_least(plane + min(lo + i, h - 1) * w + c, m, end_x);
            turn16(v);
            for (int i = 0; i < m; i++) turned[c + i] = v[i];
        }
        for (int c = 0; c < rows_b; c += 16) {
            columns(v, turned, at_b, index_b, weight_b, c, min(16, rows_b - c));
            for (int i = 0; i < 16; i++) ST16(z + i * pitch + c, v[i]);
        }
        for (int r = first; r < last; r++, to_y += rows_b) {
            int c = 0;

            for (; c + 64 <= rows_b; c += 64) {
                float16 s0 = (float16)(0.0f), s1 = s0, s2 = s0, s3 = s0;

                for (int e = at_a[r]; e < at_a[r + 1]; e++) {
                    const __local float *p = z + (index_a[e] - lo) * pitch + c;
                    const float16 f = (float16)(weight_a[e]);

                    s0 = fma(f, LD16(p), s0);
                    s1 = fma(f, LD16(p + 16), s1);
                    s2 = fma(f, LD16(p + 32), s2);
                    s3 = fma(f, LD16(p + 48), s3);
                }
                ST16(to_y + c, s0);
                ST16(to_y + c + 16, s1);
                ST16(to_y + c + 32, s2);
                ST16(to_y + c + 48, s3);
            }
            for (; c < rows_b; c += 16) {
                float16 s = (float16)(0.0f);

                for (int e = at_a[r]; e < at_a[r + 1]; e++) s = fma((float16)(weight_a[e]), LD16(z + (index_a[e] - lo) * pitch + c), s);
                some_out(to_y + c, s, min(16, rows_b - c));
            }
        }
    }
}

#endif
