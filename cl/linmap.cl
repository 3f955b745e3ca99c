/* Sparse linear maps along the axes of planes: resampling, average pooling, reflect and replicate padding, and their adjoints.
 * A table for an axis of R results: at[0..R] starts of the rows, then the columns of all entries; weight: their weights.
 * One item an element of the result. Order of sums: entries in the table's order. Forms for CPUs: linmap_cpu.cl. */

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
