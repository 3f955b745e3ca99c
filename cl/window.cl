/* Windows over planes of H x W: where the largest element is, reading there, and adding there. One item an element of the result;
 * window_scatter looks at the windows that cover its cell, row by row, so that its sums have a fixed order without atomics.
 *
 * Window (oh, ow) covers rows oh * stride - pad .. + kernel - 1 (columns alike), cut to the plane; with -DADAPTIVE=1 rows
 * floor(oh H / OH) .. ceil((oh+1) H / OH) - 1. An index is h * W + w.
 * -DPART=1: of each window, or of the windows that cover a cell, the rows first..last-1 only. */
#ifndef ADAPTIVE
#define ADAPTIVE 0
#endif

GS_FN int window_from(int o, int n, int on, int stride, int pad)
{
    return ADAPTIVE ? o * n / on : max(o * stride - pad, 0);
}
GS_FN int window_to(int o, int n, int on, int kernel_size, int stride, int pad)
{
    return ADAPTIVE ? ((o + 1) * n + on - 1) / on : min(o * stride - pad + kernel_size, n);
}
/* The windows that cover cell i: first and one past the last. */
GS_FN int cover_from(int i, int n, int on, int kernel_size, int stride, int pad)
{
    if (ADAPTIVE) return i * on / n;
    return i + pad < kernel_size ? 0 : (i + pad - kernel_size) / stride + 1;
}
GS_FN int cover_to(int i, int n, int on, int stride, int pad)
{
    return ADAPTIVE ? ((i + 1) * on + n - 1) / n : min((i + pad) / stride + 1, on);
}

/* y (planes,OH,OW) int = index of the first largest of each window of x (planes,H,W). */
__kernel void window_argmax(__global int *y, const ulong y0, const __global float *x, const ulong x0, const int count, const int h,
                            const int w, const int oh, const int ow, const int size, const int stride, const int pad GS_RANGE)
{
    const int i = get_global_id(0);
    GS_WHOLE(h)
    int r0, r1, c0, c1, at;
    float best;

    if (i >= count) return;
    r0 = window_from(i / ow % oh, h, oh, stride, pad);
    r1 = window_to(i / ow % oh, h, oh, size, stride, pad);
    c0 = window_from(i % ow, w, ow, stride, pad);
    c1 = window_to(i % ow, w, ow, size, stride, pad);
    x += x0 + (ulong)(i / ow / oh) * (h * w);
    at = first ? y[y0 + i] : r0 * w + c0;
    best = x[at];
    for (int r = r0 + first; r < min(r0 + last, r1); r++)
        for (int c = c0; c < c1; c++)
            if (x[r * w + c] > best) {
                at = r * w + c;
                best = x[at];
            }
    y[y0 + i] = at;
}

/* y (planes,OH,OW) = x (planes,H,W) at index (planes,OH,OW). */
__kernel void window_gather(__global float *y, const ulong y0, const __global float *x, const ulong x0, const __global int *index,
                            const ulong i0, const int count, const int hw, const int ohw)
{
    const int i = get_global_id(0);
    int at;

    if (i >= count) return;
    at = index[i0 + i];
    y[y0 + i] = at >= 0 && at < hw ? x[x0 + (ulong)(i / ohw) * hw + at] : 0.0f;
}

/* y (planes,H,W) = sum of g (planes,OH,OW) over the windows whose index is that cell. */
__kernel void window_scatter(__global float *y, const ulong y0, const __global float *g, const ulong g0, const __global int *index,
                             const ulong i0, const int count, const int h, const int w, const int oh, const int ow,
                             const int size, const int stride, const int pad GS_RANGE)
{
    const int i = get_global_id(0);
    const int cell = i % (h * w);
    GS_WHOLE(oh)
    ulong base;
    float s = 0.0f;
    int r0, r1, c0, c1;

    if (i >= count) return;
    r0 = cover_from(cell / w, h, oh, size, stride, pad);
    r1 = cover_to(cell / w, h, oh, stride, pad);
    c0 = cover_from(cell % w, w, ow, size, stride, pad);
    c1 = cover_to(cell % w, w, ow, stride, pad);
    base = (ulong)(i / (h * w)) * (oh * ow);
    if (first) s = y[y0 + i];
    for (int r = r0 + first; r < min(r0 + last, r1); r++)
        for (int c = c0; c < c1; c++)
            if (index[i0 + base + r * ow + c] == cell) s += g[g0 + base + r * ow + c];
    y[y0 + i] = s;
}
