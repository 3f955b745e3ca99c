/* The largest element of each line of x (lines,len), for devices whose local memory is ordinary memory: 16 elements at a time, and runs of
 * lines an item. As in axis.cl a NaN counts only where it is the line's first element.
 * Wide vectors exist in OpenCL C only, so this file is empty for other compilers. */
#include "cpu.h"
#ifdef __OPENCL_VERSION__

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void axis_max_lines(__global float *y, const ulong y0, const __global float *x, const ulong x0, const int lines, const int len, const int per)
{
    const int from = (int)get_group_id(0) * per, to = min(from + per, lines);

    for (int i = from; i < to; i++) {
        const __global float *s = x + x0 + (ulong)i * len;
        float16 m = (float16)(s[0]);
        float8 h;
        float4 q;
        float2 d;
        float best;
        int c = 0;

        for (; c + 16 <= len; c += 16) {
            const float16 v = vload16(0, s + c);

            m = v > m ? v : m;
        }
        h = m.hi > m.lo ? m.hi : m.lo;
        q = h.hi > h.lo ? h.hi : h.lo;
        d = q.hi > q.lo ? q.hi : q.lo;
        best = d.y > d.x ? d.y : d.x;
        for (; c < len; c++) best = s[c] > best ? s[c] : best;
        y[y0 + i] = best;
    }
}

#endif
