/* Images with zeros around them, for the convolutions that read without tests. */

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
