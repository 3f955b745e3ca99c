/* Sparse linear maps along the axes of planes: resampling, average pooling, reflect and replicate padding, and their adjoints.
 * A table for an axis of R results: at[0..R] starts of the rows, then the columns of all entries; weight: their weights.
 * One item an element of the result, but in linmap_lines and linmap_copy_lines. Order of sums: entries in the table's order. */

/* y (outer,R,inner) = A x (outer,len,inner) along the middle axis. */
__kernel void linmap_axis(__global float *y, const ulong y0, const __global float *x, const ulong x0, const __global int *at,
                          const ulong at0, const __global float *weight, const ulong w0, const int count, const int rows,
                          const int len, const int inner)
{
    const int i = get_global_id(0);
    float s = 0.0f;
    int row;

    if (i >= count) return;
    row = i / inner % rows;
    x += x0 + (ulong)(i / inner / rows) * len * inner + i % inner;
    at += at0;
    weight += w0;
    for (int e = at[row]; e < at[row + 1]; e++) s = fma(weight[e], x[(ulong)at[rows + 1 + e] * inner], s);
    y[y0 + i] = s;
}

/* The same for devices that run a group as one loop: group (a, b) computes rows chunk b .. of `per` planes from per a on. For
 * inner > 1 a whole line of `inner` elements is added at a time, which such devices do in vectors. */
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

/* Both axes at once for such devices where every row of A and of B has one entry: y[r,c] = a[r] b[c] x[at_a(r),at_b(c)], so lines are copied.
 * -DREP=n: n columns of y for each of x, of one weight; else columns run_from .. run_to - 1 are neighbours in x too and have one weight, those
 * around them are looked up. Other maps: cl/linmap_cpu.cl. */
#ifndef REP
#define REP 0
#endif

__kernel GS_GROUP(1, 1, 1)
void linmap_copy_lines(__global float *restrict y, const ulong y0, const __global float *restrict x, const ulong x0,
                       const __global int *restrict at_a, const ulong aa0, const __global float *restrict weight_a, const ulong wa0,
                       const __global int *restrict at_b, const ulong ab0, const __global float *restrict weight_b, const ulong wb0,
                       const int planes, const int rows_a, const int rows_b, const int h, const int w, const int run_from, const int run_to,
                       const int per, const int chunk)
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

/* y (planes,R,S) = A x (planes,H,W) B^T; the inner sum runs over the columns. */
__kernel void linmap_plane(__global float *y, const ulong y0, const __global float *x, const ulong x0, const __global int *at_a,
                           const ulong aa0, const __global float *weight_a, const ulong wa0, const __global int *at_b,
                           const ulong ab0, const __global float *weight_b, const ulong wb0, const int count, const int rows_a,
                           const int rows_b, const int h, const int w)
{
    const int i = get_global_id(0);
    float s = 0.0f;
    int r, c;

    if (i >= count) return;
    c = i % rows_b;
    r = i / rows_b % rows_a;
    x += x0 + (ulong)(i / rows_b / rows_a) * (h * w);
    at_a += aa0, weight_a += wa0, at_b += ab0, weight_b += wb0;
    for (int e = at_a[r]; e < at_a[r + 1]; e++) {
        const __global float *line = x + at_a[rows_a + 1 + e] * w;
        float t = 0.0f;

        for (int f = at_b[c]; f < at_b[c + 1]; f++) t = fma(weight_b[f], line[at_b[rows_b + 1 + f]], t);
        s = fma(weight_a[e], t, s);
    }
    y[y0 + i] = s;
}
