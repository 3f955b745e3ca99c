/* What kernels share that work on vectors of 16, as CPU forms do. Wide vectors exist in OpenCL C only, so for other compilers this is empty, as those
 * files are. */
#ifdef __OPENCL_VERSION__

#define UNROLL _Pragma("unroll")

typedef float16 any16 __attribute__((aligned(4)));
typedef float8 any8 __attribute__((aligned(4)));
typedef float4 any4 __attribute__((aligned(4)));
/* The 16 floats from p on, anywhere, in global or local memory. */
#define LD16(p) gs_load16(0, p)
#define LD16_FAR(p) (float16)(*(const __global any8 *)(p), *(const __global any8 *)((p) + 8)) /* what is not in a core's caches comes faster by halves */
#define ST16(p, v) gs_store16(v, 0, p)

/* The line at p is on its way to the second-level cache. A compiler to SPIR-V has no word for it. */
#if defined(__clang__) && (defined(__x86_64__) || defined(__aarch64__))
#define ASK(p) __builtin_prefetch((const void *)(ulong)(p), 0, 2)
#else
#define ASK(p) (void)(p)
#endif

/* A function that stays one, so that what it keeps in vectors takes no register from the sums of a block that stands in the same loop. */
#ifdef __clang__
#define SEPARATE __attribute__((noinline, min_vector_width(512)))
#else
#define SEPARATE
#endif

/* a and b lane by lane in turns: their first halves, their second */
#define LOW(a, b)                                                                                                        \
    (float16)((a).s0, (b).s0, (a).s1, (b).s1, (a).s2, (b).s2, (a).s3, (b).s3, (a).s4, (b).s4, (a).s5, (b).s5, (a).s6, \
              (b).s6, (a).s7, (b).s7)
#define HIGH(a, b)                                                                                                       \
    (float16)((a).s8, (b).s8, (a).s9, (b).s9, (a).sa, (b).sa, (a).sb, (b).sb, (a).sc, (b).sc, (a).sd, (b).sd, (a).se, \
              (b).se, (a).sf, (b).sf)

/* v[i] lane j <-> v[j] lane i: four rounds of shuffling 16 cards. */
GS_FN void turn16(float16 *v)
{
    float16 w[16];

    UNROLL for (int i = 0; i < 8; i++) w[2 * i] = LOW(v[i], v[i + 8]), w[2 * i + 1] = HIGH(v[i], v[i + 8]);
    UNROLL for (int i = 0; i < 8; i++) v[2 * i] = LOW(w[i], w[i + 8]), v[2 * i + 1] = HIGH(w[i], w[i + 8]);
    UNROLL for (int i = 0; i < 8; i++) w[2 * i] = LOW(v[i], v[i + 8]), w[2 * i + 1] = HIGH(v[i], v[i + 8]);
    UNROLL for (int i = 0; i < 8; i++) v[2 * i] = LOW(w[i], w[i + 8]), v[2 * i + 1] = HIGH(w[i], w[i + 8]);
}

/* n <= 16 elements to d, zeros behind them. */
GS_FN void some_in(__local float *d, const __global float *s, const int n)
{
    if (n == 16) {
        ST16(d, LD16(s));
        return;
    }
    ST16(d, (float16)(0.0f));
    if (n & 8) vstore8(vload8(0, s), 0, d), s += 8, d += 8;
    if (n & 4) vstore4(vload4(0, s), 0, d), s += 4, d += 4;
    if (n & 2) vstore2(vload2(0, s), 0, d), s += 2, d += 2;
    if (n & 1) *d = *s;
}

/* The first n <= 16 lanes to d. */
GS_FN void some_out(__global float *d, const float16 v, const int n)
{
    float8 a = v.lo;
    float4 b;
    float2 c;

    if (n == 16) {
        ST16(d, v);
        return;
    }
    if (n & 8) vstore8(a, 0, d), a = v.hi, d += 8;
    b = a.lo;
    if (n & 4) vstore4(b, 0, d), b = a.hi, d += 4;
    c = b.lo;
    if (n & 2) vstore2(c, 0, d), c = b.hi, d += 2;
    if (n & 1) *d = c.x;
}

#endif
