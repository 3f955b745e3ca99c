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

/* y (planes,yh,yw) = x (planes,xh,xw) moved by (top, left). One item a row. */
__kernel void pad_planes(__global float *y, const ulong y0, const __global float *x, const ulong x0, const int rows, const int yh,
                         const int yw, const int xh, const int xw, const int top, const int left)
{
    const int at = get_global_id(0);
    int h;

    if (at >= rows) return;
    h = pixel(at % yh - top, xh);
    y += y0 + (ulong)at * yw;
    if (h < 0) {
        for (int v = 0; v < yw; v++) y[v] = 0.0f;
        return;
    }
    x += x0 + ((ulong)(at / yh) * xh + h) * xw;
    for (int v = 0; v < yw; v++) {
        const int from = v - left;

        if (from < 0 || from >= xw) y[v] = pixel(from, xw) < 0 ? 0.0f : x[pixel(from, xw)];
    }
    for (int v = 0; v < xw && v + left < yw; v++) y[left + v] = x[v];
}
