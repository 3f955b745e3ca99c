/* Random tensors: element i of a stream is a function of (seed, step, stream, i) alone, so every device and every order of launches
 * draws the same numbers (the normals up to the device's log, sqrt, sin and cos). Philox 4x32-10, see dialect.h.
 *
 *   run        {seed lo, seed hi, step lo, step hi}
 *   y          count elements; an item makes four, those of one block of the stream
 *   threshold  bernoulli: 1 where the 24-bit uniform is below it */

__kernel void random_uniform(__global float *y, const ulong y0, const __global uint *run, const ulong r0, const int count,
                             const uint stream)
{
    const int block = get_global_id(0);
    uint w[4];

    if (block * 4 >= count) return;
    gs_random_words(run + r0, stream, (uint)block, w);
    for (int t = 0; t < 4; t++)
        if (block * 4 + t < count) y[y0 + (ulong)(block * 4 + t)] = gs_uniform(w[t]);
}

__kernel void random_normal(__global float *y, const ulong y0, const __global uint *run, const ulong r0, const int count,
                            const uint stream)
{
    const int block = get_global_id(0);
    float v[4];
    uint w[4];

    if (block * 4 >= count) return;
    gs_random_words(run + r0, stream, (uint)block, w);
    gs_normal2(w[0], w[1], &v[0], &v[1]);
    gs_normal2(w[2], w[3], &v[2], &v[3]);
    for (int t = 0; t < 4; t++)
        if (block * 4 + t < count) y[y0 + (ulong)(block * 4 + t)] = v[t];
}

__kernel void random_bernoulli(__global float *y, const ulong y0, const __global uint *run, const ulong r0, const int count,
                               const uint stream, const int threshold)
{
    const int block = get_global_id(0);
    uint w[4];

    if (block * 4 >= count) return;
    gs_random_words(run + r0, stream, (uint)block, w);
    for (int t = 0; t < 4; t++)
        if (block * 4 + t < count) y[y0 + (ulong)(block * 4 + t)] = (int)(w[t] >> 8) < threshold ? 1.0f : 0.0f;
}
