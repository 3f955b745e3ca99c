/* Along one axis of x (outer, len, inner): largest element, its place, running sums. One item a line of `len` elements.
 * -DT: the element type, float or int. Order: from element 0 up (cumsum with `reverse`: from the last down).
 * -DPART=1: elements first..last-1 of that order only. */
#ifndef T
#define T float
#endif

/* y (outer,1,inner) = max over the axis; the first largest where several are equal. */
__kernel void axis_max(__global T *y, const ulong y0, const __global T *x, const ulong x0, const int lines, const int len,
                       const int inner GS_RANGE)
{
    const int i = get_global_id(0);
    GS_WHOLE(len)
    T best;

    if (i >= lines) return;
    x += x0 + (ulong)(i / inner) * len * inner + i % inner;
    best = first ? y[y0 + i] : x[0];
    for (int q = first; q < last; q++) {
        const T v = x[(ulong)q * inner];

        best = v > best ? v : best;
    }
    y[y0 + i] = best;
}

/* y (outer,1,inner) int = index of the first largest. */
__kernel void axis_argmax(__global int *y, const ulong y0, const __global T *x, const ulong x0, const int lines, const int len,
                          const int inner GS_RANGE)
{
    const int i = get_global_id(0);
    GS_WHOLE(len)
    int at = 0;
    T best;

    if (i >= lines) return;
    x += x0 + (ulong)(i / inner) * len * inner + i % inner;
    if (first) at = y[y0 + i];
    best = x[(ulong)at * inner];
    for (int q = first; q < last; q++) {
        const T v = x[(ulong)q * inner];

        if (v > best) {
            best = v;
            at = q;
        }
    }
    y[y0 + i] = at;
}

/* y[o,q,i] = x[o,0,i] + ... + x[o,q,i], or with reverse x[o,len-1,i] + ... + x[o,q,i]. */
__kernel void axis_cumsum(__global T *y, const ulong y0, const __global T *x, const ulong x0, const int lines, const int len,
                          const int inner, const int reverse GS_RANGE)
{
    const int i = get_global_id(0);
    GS_WHOLE(len)
    ulong base;
    T s = 0;

    if (i >= lines) return;
    base = (ulong)(i / inner) * len * inner + i % inner;
    if (first) s = y[y0 + base + (ulong)(reverse ? len - first : first - 1) * inner];
    for (int q = first; q < last; q++) {
        const ulong at = base + (ulong)(reverse ? len - 1 - q : q) * inner;

        s += x[x0 + at];
        y[y0 + at] = s;
    }
}
