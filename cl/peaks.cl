/* What a device can do at most, as `gesso bench --peaks` measures it: multiply-adds, bandwidth, and the cost of a launch. Forms for GPUs; those for
 * CPUs are in peaks_cpu.cl.
 *
 * peak_fma: out[i] = the sum of CHAINS independent chains x <- x a + b, each of rounds * 8 steps, from x = (i + c) mod 16 in chain c. With a = b = 1 a
 * chain counts its steps, exactly below 2^24, so a step that was left out is found out. One item an element.
 * -DFUSED=0: as x * a + b, which the compiler may fuse or not: a device without the instruction emulates fma() slowly.
 * peak_triad: x[i] = y[i] + a z[i] over groups * WG * EACH elements (McCalpin's STREAM triad): 12 bytes an element. Items of a group lie side by side.
 * peak_launch: out[0] += 1, one item: a queue of n of them leaves n. */
#ifndef CHAINS
#define CHAINS 8
#endif
#ifndef FUSED
#define FUSED 1
#endif
#ifndef WG
#define WG 64
#endif
#ifndef EACH
#define EACH 4
#endif

__kernel void peak_fma(__global float *out, const ulong out0, const float a, const float b, const int rounds)
{
    const int i = get_global_id(0);
    float x[CHAINS], sum = 0.0f;

    GS_UNROLL
    for (int c = 0; c < CHAINS; c++) x[c] = (float)((i + c) & 15);
    for (int r = 0; r < rounds; r++) {
        GS_UNROLL
        for (int k = 0; k < 8; k++) {
            GS_UNROLL
            for (int c = 0; c < CHAINS; c++) x[c] = FUSED ? fma(x[c], a, b) : x[c] * a + b;
        }
    }
    GS_UNROLL
    for (int c = 0; c < CHAINS; c++) sum += x[c];
    out[out0 + i] = sum;
}

__kernel void peak_triad(__global float *x, const ulong x0, const __global float *y, const ulong y0, const __global float *z, const ulong z0,
                         const float a)
{
    const ulong first = (ulong)get_group_id(0) * (WG * EACH) + get_local_id(0);

    GS_UNROLL
    for (int k = 0; k < EACH; k++) x[x0 + first + k * WG] = y[y0 + first + k * WG] + a * z[z0 + first + k * WG];
}

__kernel void peak_launch(__global float *out, const ulong out0)
{
    if (get_global_id(0) == 0) out[out0] += 1.0f;
}
