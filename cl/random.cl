/* Random tensors: element i of a stream is a function of (seed, step, stream, i) alone, so every device and every order of launches
 * draws the same numbers (the normals up to the device's log, sqrt, sin and cos). Philox 4x32-10, see dialect.h.
 *
 *   run        {seed lo, seed hi, step lo, step hi}
 *   y          count elements; an item makes four, those of one block of the stream
 *   threshold  bernoulli: 1 where the 24-bit uniform is below it */

/* Written out, not a loop: PoCL keeps an indexed array in memory and then does not vectorise over items (3 times slower). */
#define STORE4(v0, v1, v2, v3)                \
    {                                         \
        const int i = block * 4;              \
                                              \
        y += y0;                              \
        y[i] = v0;                            \
        if (i + 1 < count) y[i + 1] = v1;     \
        if (i + 2 < count) y[i + 2] = v2;     \
        if (i + 3 < count) y[i + 3] = v3;     \
    }

__kernel void random_uniform(__global float *y, const ulong y0, const __global uint *run, const ulong r0, const int count,
                             const uint stream)
{
    const int block = get_global_id(0);
    uint w[4];

    if (block * 4 >= count) return;
    gs_random_words(run + r0, stream, (uint)block, w);
    STORE4(gs_uniform(w[0]), gs_uniform(w[1]), gs_uniform(w[2]), gs_uniform(w[3]))
}

__kernel void random_normal(__global float *y, const ulong y0, const __global uint *run, const ulong r0, const int count,
                            const uint stream)
{
    const int block = get_global_id(0);
    float v0, v1, v2, v3;
    uint w[4];

    if (block * 4 >= count) return;
    gs_random_words(run + r0, stream, (uint)block, w);
    gs_normal2(w[0], w[1], &v0, &v1);
    gs_normal2(w[2], w[3], &v2, &v3);
    STORE4(v0, v1, v2, v3)
}

#define BIT(word) ((int)((word) >> 8) < threshold ? 1.0f : 0.0f)

__kernel void random_bernoulli(__global float *y, const ulong y0, const __global uint *run, const ulong r0, const int count,
                               const uint stream, const int threshold)
{
    const int block = get_global_id(0);
    uint w[4];

    if (block * 4 >= count) return;
    gs_random_words(run + r0, stream, (uint)block, w);
    STORE4(BIT(w[0]), BIT(w[1]), BIT(w[2]), BIT(w[3]))
}
