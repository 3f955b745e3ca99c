/* Lines of pictures with what lies around them, and picking their columns apart: for kernels that include cpu.h. PAD: what lies around, 0 zeros,
 * 1 reflection, 2 the edge repeated. Wide vectors exist in OpenCL C only. */
#ifdef __OPENCL_VERSION__

#ifndef PAD
#define PAD 0
#endif

/* Where position i of a line of n with room around it comes from. */
static inline int source_of(const int i, const int n)
{
#if PAD == 1
    const int a = (int)abs(i);

    return a >= n ? 2 * n - 2 - a : a;
#elif PAD == 2
    return clamp(i, 0, n - 1);
#else
    (void)n;
    return i;
#endif
}

/* x[i] of a line of n, or what stands for it outside. */
static inline float edge(const __global float *x, const int i, const int n)
{
    const int s = source_of(i, n);

    return s >= 0 && s < n ? x[s] : 0.0f;
}

/* NAME: s[0 .. wide-1] = elements from `from` on of row `row` of a plane of h x v with room around it; up to 15 more are written. */
#define LINE_TO(NAME, SPACE)                                                                                                     \
    static inline void NAME(SPACE float *s, const __global float *plane, const int row, const int h, const int v, const int from, \
                            const int wide)                                                                                      \
    {                                                                                                                            \
        const int before = clamp(-from, 0, wide), inside = clamp(v - from, before, wide), r = source_of(row, h);                 \
        const __global float *line = plane + (long)r * v;                                                                        \
        int i = 0;                                                                                                               \
                                                                                                                                 \
        if (r < 0 || r >= h) {                                                                                                   \
            for (; i < wide; i += 16) gs_store16((float16)(0.0f), 0, s + i);                                                     \
            return;                                                                                                              \
        }                                                                                                                        \
        for (; i < before; i++) s[i] = edge(line, from + i, v);                                                                  \
        for (; i + 16 <= inside; i += 16) gs_store16(gs_load16(0, line + from + i), 0, s + i);                                   \
        for (; i < inside; i++) s[i] = line[from + i];                                                                           \
        for (; i < wide; i++) s[i] = edge(line, from + i, v);                                                                    \
    }
LINE_TO(stage_line, __local)
LINE_TO(lay_line, __global)

/* n elements from s on are on their way to the second-level cache. */
static inline void ask(const __global float *s, const int n)
{
    for (int i = 0; i < n; i += 16) ASK(s + i);
}

/* Where the share of group k begins, of `all` in equal shares. */
static inline int share_of(const int all, const int k) { return (int)((long)all * k / (long)get_num_groups(0)); }

/* Every other element of 32 */
#define EVEN(a, b) (float16)((a).even, (b).even)
#define ODD(a, b) (float16)((a).odd, (b).odd)

/* d[f apart + q] = s[q sw + f] for q < n, f < sw. */
static inline void deal(__global float *d, const ulong apart, const __local float *s, const int n, const int sw)
{
    if (sw == 2) {
        for (int qb = 0; qb < n; qb += 16) {
            const int q = min(qb, max(n - 16, 0));
            const float16 a = gs_load16(0, s + 2 * q), b = gs_load16(1, s + 2 * q);

            some_out(d + q, EVEN(a, b), min(n, 16));
            some_out(d + apart + q, ODD(a, b), min(n, 16));
        }
        return;
    }
    for (int f = 0; f < sw; f++)
        for (int q = 0; q < n; q++) d[f * apart + q] = s[q * sw + f];
}

#endif
