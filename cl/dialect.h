/* The only shim: kernels are OpenCL C 1.2 text, and this header, put before every one of them, lets the same text compile as
 * CUDA C (NVRTC or nvcc). A plain OpenCL compiler and an editor read kernels with this file prepended and nothing else.
 *
 * What kernels may use: `__kernel void`, `__global`, `__local` (variables, at the top of a kernel), `__constant` (tables at program
 * scope), work-item functions of three dimensions, barrier(CLK_LOCAL_MEM_FENCE), int uint uchar ushort ulong float, float2 and
 * float4 by .x .y .z .w without arithmetic, the math functions listed below on float, and the names that start with GS_ or gs_:
 *
 *   GS_FN                 before a helper function:  GS_FN float half_of(float x) { ... }
 *   GS_LOCAL_PTR          before a pointer to local memory that is a parameter or a variable:  GS_LOCAL_PTR const float *row
 *   GS_GROUP(x,y,z)       fixed group size, after __kernel:  __kernel GS_GROUP(64,1,1) void f(...)
 *   GS_UNROLL             before a loop
 *   GS_RANGE GS_WHOLE(n)  the range first..last-1 of a long sum: with -DPART=1 two more arguments, else 0..n-1
 *   GS_END...             epilogues, below
 *   GS_INF GS_NAN GS_FLT_MAX GS_FLT_MIN GS_FLT_EPS GS_INT_MAX GS_INT_MIN GS_PI
 *   F2 F4 LD4 ST4 LD4_LOCAL ST4_LOCAL    vectors of 2 and 4; the loads and stores need 16-byte alignment
 *   gs_load16 gs_store16  vectors of 16 anywhere, as vload16 and vstore16; CPU forms only
 *   gs_f16_to_f32 gs_f32_to_f16 gs_bf16_to_f32 gs_f32_to_bf16    storage formats, held in ushort
 *   gs_philox4x32 gs_random_words gs_uniform gs_normal2           counter-based random numbers
 *
 * Kept out because it differs or is missing somewhere: long, double, vectors of 3, 8, 16 (CPU forms may use 8 and 16; they are never
 * compiled for CUDA), vector arithmetic, select, async copies, images, float atomics, dynamic local memory, global offsets.
 * Work-item functions return size_t in OpenCL and int in CUDA: assign them to an int. abs() of an int is a uint in OpenCL. */

#if defined(__CUDACC_RTC__) || defined(__CUDACC__)

#pragma nv_diag_suppress 177 /* variables that generated code declares and does not need */

/* ---- qualifiers ---- */
#define __kernel extern "C" __global__
#define __global
#define __local __shared__
#define __constant __constant__
#define __private
#define GS_LOCAL_PTR
#define GS_FN static __device__ __forceinline__
#define GS_GROUP(x, y, z) __launch_bounds__((x) * (y) * (z))
#define restrict __restrict__

/* ---- types: macros over own typedefs, since nvcc's host headers have a narrower ulong on some systems ---- */
typedef unsigned char gs_uchar;
typedef unsigned short gs_ushort;
typedef unsigned int gs_uint;
typedef unsigned long long gs_ulong;
#define uchar gs_uchar
#define ushort gs_ushort
#define uint gs_uint
#define ulong gs_ulong

/* ---- work-items ---- */
GS_FN int get_local_id(int d) { return (int)(d == 0 ? threadIdx.x : d == 1 ? threadIdx.y : threadIdx.z); }
GS_FN int get_group_id(int d) { return (int)(d == 0 ? blockIdx.x : d == 1 ? blockIdx.y : blockIdx.z); }
GS_FN int get_local_size(int d) { return (int)(d == 0 ? blockDim.x : d == 1 ? blockDim.y : blockDim.z); }
GS_FN int get_num_groups(int d) { return (int)(d == 0 ? gridDim.x : d == 1 ? gridDim.y : gridDim.z); }
GS_FN int get_global_id(int d) { return get_group_id(d) * get_local_size(d) + get_local_id(d); }
GS_FN int get_global_size(int d) { return get_num_groups(d) * get_local_size(d); }
#define CLK_LOCAL_MEM_FENCE 1
#define CLK_GLOBAL_MEM_FENCE 2
#define barrier(flags) __syncthreads()

/* ---- math on float ---- */
#define exp(x) expf(x)
#define exp2(x) exp2f(x)
#define expm1(x) expm1f(x)
#define log(x) logf(x)
#define log2(x) log2f(x)
#define log1p(x) log1pf(x)
#define pow(x, y) powf(x, y)
#define sqrt(x) sqrtf(x)
#define rsqrt(x) rsqrtf(x)
#define sin(x) sinf(x)
#define cos(x) cosf(x)
#define sinpi(x) sinpif(x)
#define cospi(x) cospif(x)
#define tanh(x) tanhf(x)
#define erf(x) erff(x)
#define fma(a, b, c) fmaf(a, b, c)
#define fabs(x) fabsf(x)
#define fmin(x, y) fminf(x, y)
#define fmax(x, y) fmaxf(x, y)
#define fmod(x, y) fmodf(x, y)
#define floor(x) floorf(x)
#define ceil(x) ceilf(x)
#define trunc(x) truncf(x)
#define round(x) roundf(x)
#define rint(x) rintf(x)
#define copysign(x, y) copysignf(x, y)
#define ldexp(x, n) ldexpf(x, n)
#define clamp(x, lo, hi) ((x) < (lo) ? (lo) : (x) > (hi) ? (hi) : (x))
#define mix(x, y, a) ((x) + ((y) - (x)) * (a))
#define mul_hi(x, y) __umulhi(x, y) /* uint only */
#define native_exp(x) __expf(x)
#define native_log(x) __logf(x)
#define native_sin(x) __sinf(x)
#define native_cos(x) __cosf(x)
#define native_recip(x) __frcp_rn(x)
#define native_rsqrt(x) rsqrtf(x)
#define native_divide(x, y) __fdividef(x, y)
#define as_int(x) __float_as_int(x)
#define as_uint(x) __float_as_uint(x)
#define as_float(x) gs_as_float(x)
GS_FN float gs_as_float(int x) { return __int_as_float(x); }
GS_FN float gs_as_float(uint x) { return __uint_as_float(x); }

/* ---- integer atomics; inc and dec by add, for CUDA's own wrap at a limit ---- */
#define atomic_add(p, v) atomicAdd(p, v)
#define atomic_sub(p, v) atomicSub(p, v)
#define atomic_min(p, v) atomicMin(p, v)
#define atomic_max(p, v) atomicMax(p, v)
#define atomic_and(p, v) atomicAnd(p, v)
#define atomic_or(p, v) atomicOr(p, v)
#define atomic_xor(p, v) atomicXor(p, v)
#define atomic_inc(p) atomicAdd(p, 1)
#define atomic_dec(p) atomicSub(p, 1)
#define atomic_cmpxchg(p, old, v) atomicCAS(p, old, v)

/* ---- vectors ---- */
#define F2(a, b) make_float2(a, b)
#define F4(a, b, c, d) make_float4(a, b, c, d)
#define LD4(p) (*(const float4 *)(p))
#define ST4(p, v) (*(float4 *)(p) = (v))
#define LD4_LOCAL(p) LD4(p)
#define ST4_LOCAL(p, v) ST4(p, v)

/* PTX instead of cuda_fp16.h, which NVRTC finds only with an include path. */
GS_FN float gs_f16_to_f32(ushort h)
{
    float f;

    asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h));
    return f;
}
GS_FN ushort gs_f32_to_f16(float f)
{
    ushort h;

    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(f));
    return h;
}

#else /* OpenCL C */

#ifdef __clang__ /* a loop that was asked to be vectorised and cannot be is no news to who runs the program */
#pragma clang diagnostic ignored "-Wpass-failed"
#endif

#define GS_LOCAL_PTR __local
#define GS_FN static inline /* plain inline may fail to link without optimisation */
#define GS_GROUP(x, y, z) __attribute__((reqd_work_group_size(x, y, z)))

#define F2(a, b) ((float2)(a, b))
#define F4(a, b, c, d) ((float4)(a, b, c, d))
#define LD4(p) (*(const __global float4 *)(p))
#define ST4(p, v) (*(__global float4 *)(p) = (v))
#define LD4_LOCAL(p) (*(const __local float4 *)(p))
#define ST4_LOCAL(p, v) (*(__local float4 *)(p) = (v))

/* vload16 and vstore16 for CPU forms: PoCL 3.1 takes those apart into quarters, a pointer to a float16 aligned as a float is one instruction. */
#ifdef __clang__
typedef float16 gs_any16 __attribute__((aligned(4)));
#define GS_ACCESS16(space)                                                                            \
    GS_FN float16 __attribute__((overloadable)) gs_load16(const int i, const space float *p) { return ((const space gs_any16 *)(p + 16 * i))[0]; } \
    GS_FN void __attribute__((overloadable)) gs_store16(const float16 v, const int i, space float *p) { ((space gs_any16 *)(p + 16 * i))[0] = v; }
GS_ACCESS16(__global)
GS_ACCESS16(__local)
GS_ACCESS16(__private)
#undef GS_ACCESS16
#else
#define gs_load16 vload16
#define gs_store16 vstore16
#endif

GS_FN float gs_f16_to_f32(ushort h) { return vload_half(0, (const half *)&h); }
GS_FN ushort gs_f32_to_f16(float f)
{
    ushort h;

    vstore_half_rte(f, 0, (half *)&h);
    return h;
}

#endif

#define GS_UNROLL _Pragma("unroll")

/* Some devices end long loops (src/device/loops.c), so long sums can be had in several launches: with -DPART=1 a kernel does the terms
 * first..last-1 only and adds to what launches for those before left. Behind the last parameter, and among the declarations. */
#if defined(PART) && PART
#define GS_RANGE , const int first, const int last
#define GS_WHOLE(n) (void)(n);
#else
#define GS_RANGE
#define GS_WHOLE(n) const int first = 0, last = (n);
#endif

/* Epilogues (src/plan/epilogue.c): generated text behind this header says GS_END 1 and what to do with a result v, element `at` of the result's shape, of
 * channel ch, in place of storing it. GS_END_PARAMS goes behind the last parameter, GS_END_START behind the declarations. */
#define GS_END 0
#define GS_END_PARAMS
#define GS_END_START
#define GS_END_CALL(v, at, ch)

#define GS_INF as_float(0x7f800000)
#define GS_NAN as_float(0x7fc00000)
#define GS_FLT_MAX 3.402823466e+38f
#define GS_FLT_MIN 1.175494351e-38f
#define GS_FLT_EPS 1.192092896e-07f
#define GS_INT_MAX 2147483647
#define GS_INT_MIN (-2147483647 - 1)
#define GS_PI 3.14159265358979f

/* bf16 is the upper half of a float; round to nearest even, NaN stays NaN. */
GS_FN float gs_bf16_to_f32(ushort h) { return as_float((uint)h << 16); }
GS_FN ushort gs_f32_to_bf16(float f)
{
    const uint u = as_uint(f);

    if ((u & 0x7fffffffu) > 0x7f800000u) return (ushort)(u >> 16 | 0x40u);
    return (ushort)((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}

/* Philox 4x32-10 (Salmon et al. 2011): out[0..3] from counter c0..c3 and key k0 k1. The host's twin is gs_philox. */
GS_FN void gs_philox4x32(uint c0, uint c1, uint c2, uint c3, uint k0, uint k1, uint *out)
{
    GS_UNROLL
    for (int round_no = 0; round_no < 10; round_no++) {
        const uint ah = (uint)((ulong)0xD2511F53u * c0 >> 32), al = 0xD2511F53u * c0; /* mul_hi is a call on PoCL: 9 times slower */
        const uint bh = (uint)((ulong)0xCD9E8D57u * c2 >> 32), bl = 0xCD9E8D57u * c2;

        c0 = bh ^ c1 ^ k0;
        c1 = bl;
        c2 = ah ^ c3 ^ k1;
        c3 = al;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* Words of elements 4*block .. 4*block+3 of a random stream; run = {seed lo, seed hi, step lo, step hi}. */
GS_FN void gs_random_words(const __global uint *run, uint stream, uint block, uint *out)
{
    gs_philox4x32(block, stream, run[2], run[3], run[0], run[1], out);
}

/* [0,1) with 24 bits, exact in float; the constant is 2^-24 (CUDA before C++17 has no hexadecimal floats). */
GS_FN float gs_uniform(uint word) { return (float)(word >> 8) * 5.9604644775390625e-8f; }

/* Two N(0,1) by Box-Muller; the radius' uniform lies in (0,1], so the logarithm is finite. cospi(2u) = cos(2 pi u). */
GS_FN void gs_normal2(uint word0, uint word1, float *first, float *second)
{
    const float r = sqrt(-2.0f * log((float)((word0 >> 8) + 1u) * 5.9604644775390625e-8f)), u = 2.0f * gs_uniform(word1);

    *first = r * cospi(u);
    *second = r * sinpi(u);
}
