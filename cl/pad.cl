/* Images with room around them, for the convolutions that read without tests. PAD, what lies there: 0 zeros, 1 reflection, 2 the edge
 * repeated. */
#ifndef PAD
#define PAD 0
#endif

/* The pixel of a line of n that position i shows; -1: a zero. */
GS_FN int pixel(int i, int n)
{
#if PAD == 1
    const int period = max(2 * n - 2, 1); /* no abs(): Oclgrind lacks what the optimiser makes of it */

    if (i < 1 - n || i > 2 * n - 2) return -1;
    i = (i + period) % period;
    if (i >= n) i = period - i;
#elif PAD == 2
    i = i < 0 ? 0 : i >= n ? n - 1 : i;
#endif
    return i >= 0 && i < n ? i : -1;
}

/* y (planes,yh,yw) = x (planes,xh,xw) moved by (top, left). One item a row. The middle is copied eight at a time, all loaded before they are
 * stored: compilers make vectors of these, and none of a loop over a row of few. */
__kernel void pad_planes(__global float *y, const ulong y0, const __global float *x, const ulong x0, const int rows, const int yh,
                         const int yw, const int xh, const int xw, const int top, const int left)
{
    const int at = get_global_id(0), end = min(xw, yw - left);
    int h, v = 0;

    if (at >= rows) return;
    h = pixel(at % yh - top, xh);
    y += y0 + (ulong)at * yw;
    if (h < 0) {
        for (v = 0; v < yw; v++) y[v] = 0.0f;
        return;
    }
    x += x0 + ((ulong)(at / yh) * xh + h) * xw;
    for (int i = 0; i < left; i++) y[i] = pixel(i - left, xw) < 0 ? 0.0f : x[pixel(i - left, xw)];
    for (int i = left + xw; i < yw; i++) y[i] = pixel(i - left, xw) < 0 ? 0.0f : x[pixel(i - left, xw)];
    y += left;
    for (; v + 8 <= end; v += 8) {
        const float a = x[v], b = x[v + 1], c = x[v + 2], d = x[v + 3], e = x[v + 4], f = x[v + 5], g = x[v + 6], i = x[v + 7];

        y[v] = a, y[v + 1] = b, y[v + 2] = c, y[v + 3] = d, y[v + 4] = e, y[v + 5] = f, y[v + 6] = g, y[v + 7] = i;
    }
    for (; v < end; v++) y[v] = x[v];
}
