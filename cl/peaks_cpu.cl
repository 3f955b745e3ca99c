/* peaks.cl for devices whose local memory is ordinary memory: one item a group, vectors of 16, no barrier.
 *
 * peak_fma_cpu: out[16 i + t] = the sum of CHAINS independent chains of float16, each of rounds * 8 steps of x <- x a + b from (i + c) mod 16. As many
 * chains as fit the registers are needed to fill the units: the host tries several.
 * peak_triad_cpu: x[i] = y[i] + a z[i], an item does EACH vectors that lie side by side.
 *
 * Wide vectors exist in OpenCL C only, so this file is empty for other compilers. */
#include "cpu.h"
#ifdef __OPENCL_VERSION__

#ifndef CHAINS
#define CHAINS 12
#endif
#ifndef EACH
#define EACH 1024
#endif

__kernel void peak_fma_cpu(__global float *out, const ulong out0, const float a, const float b, const int rounds)
{
    const int i = get_global_id(0);
    const float16 va = (float16)(a), vb = (float16)(b);
    float16 x[CHAINS], sum = (float16)(0.0f);

    GS_UNROLL
    for (int c = 0; c < CHAINS; c++) x[c] = (float16)((float)((i + c) & 15));
    for (int r = 0; r < rounds; r++) {
        GS_UNROLL
        for (int k = 0; k < 8; k++) {
            GS_UNROLL
            for (int c = 0; c < CHAINS; c++) x[c] = fma(x[c], va, vb);
        }
    }
    GS_UNROLL
    for (int c = 0; c < CHAINS; c++) sum += x[c];
    vstore16(sum, i, out + out0);
}

__kernel void peak_triad_cpu(__global float *x, const ulong x0, const __global float *y, const ulong y0, const __global float *z,
                             const ulong z0, const float a)
{
    const ulong first = (ulong)get_global_id(0) * EACH;
    const float16 va = (float16)(a);

    for (int k = 0; k < EACH; k++) vstore16(fma(va, vload16(first + k, z + z0), vload16(first + k, y + y0)), first + k, x + x0);
}

#endif
