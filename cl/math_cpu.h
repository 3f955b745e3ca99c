/* Functions for devices of CPU form, put behind dialect.h there for programs that call them: exp, log, log1p and tanh without branches, tables or
 * calls, so that the compiler makes vectors of a loop that has them. PoCL's exp and tanh take 2 to 2.5 times as long in such a loop, its log and
 * log1p, which stay calls, 25 to 40 times. Other devices have their driver's.
 *
 * Errors, held by tests/test_math.c over all exponents: exp 1.1 ulp, log 1, tanh and softplus' log1p 2. Results below the least normal number are as
 * the device's arithmetic has them. NaN gives NaN, infinities give what the functions tend to, log of a negative number NaN. The polynomials are minimax
 * in the relative error, their coefficients rounded one by one. No operation has to be fused with another; where that is done results are as good. */

#define GS_LN2_HI 0.693145752f    /* 16 bits: its products with an exponent are exact */
#define GS_LN2_LO 1.428606765e-6f
#define GS_LOG2E 1.442695041f
#define GS_TO_INT 12582912.0f     /* 1.5 2^23: added, it leaves a rounded integer in the last bits */
#define GS_TO_INT_BITS 0x4B400000

/* e^r - 1 for |r| <= ln(2)/2; by pairs, for a sum over short rows waits for its last element. */
GS_FN float gs_expm1_near(float r)
{
    const float q = r * r, low = 4.999999702e-1f + 1.666654646e-1f * r, high = 4.166743532e-2f + 8.366261609e-3f * r;

    return ((1.387065742e-3f * q + high) * q + low) * q + r;
}

/* 2^n for -126 <= n <= 127. */
GS_FN float gs_exp2_int(int n) { return as_float((n + 127) << 23); }

/* x = n ln 2 + r, |r| <= ln(2)/2; in two factors, so that the result may be denormal or infinite. */
GS_FN float gs_exp_cpu(float x)
{
    const float least = x < -104.0f ? -104.0f : x, z = least > 89.0f ? 89.0f : least; /* NaN stays */
    const float t = z * GS_LOG2E + GS_TO_INT, n = t - GS_TO_INT;
    const float r = (z - n * GS_LN2_HI) - n * GS_LN2_LO;
    const int k = as_int(t) - GS_TO_INT_BITS, half_k = k >> 1;
    const float s = gs_exp2_int(half_k);

    return (gs_expm1_near(r) * s + s) * gs_exp2_int(k - half_k);
}

/* w = h / (1 + h), h = (e^2a - 1) / 2, a = |x|; 1 from 9.02 on. Small ones as h - h w, for the sum 1 + h and the quotient are rounded. */
GS_FN float gs_tanh_cpu(float x)
{
    const float a = fabs(x), z = a > 9.1f ? 18.2f : a + a;
    const float t = z * GS_LOG2E + GS_TO_INT, n = t - GS_TO_INT;
    const float r = (z - n * GS_LN2_HI) - n * GS_LN2_LO;
    const float s = gs_exp2_int(as_int(t) - GS_TO_INT_BITS - 1), h = gs_expm1_near(r) * s + (s - 0.5f);
    const float w = h / (h + 1.0f), y = h < 0.5f ? h - h * w : w;

    return as_float(as_int(y) | (as_int(x) & GS_INT_MIN));
}

/* ln(x) + shift ln(2) + low for normal x = 2^n (1 + f), sqrt(1/2) <= 1 + f < sqrt(2). */
GS_FN float gs_log_normal(float x, float shift, float low)
{
    const int bits = as_int(x) - 0x3F3504F3, n = bits >> 23; /* from sqrt(1/2) */
    const float f = as_float((bits & 0x7FFFFF) + 0x3F3504F3) - 1.0f, e = (float)n + shift;
    float p = 6.749854982e-2f;

    p = p * f - 1.167117506e-1f;
    p = p * f + 1.188387349e-1f;
    p = p * f - 1.240611449e-1f;
    p = p * f + 1.422031075e-1f;
    p = p * f - 1.666799188e-1f;
    p = p * f + 2.000207305e-1f;
    p = p * f - 2.500000894e-1f;
    p = p * f + 3.333331347e-1f;
    p = p * f * (f * f) - 0.5f * (f * f);
    return ((p + (e * GS_LN2_LO + low)) + f) + e * GS_LN2_HI;
}

GS_FN float gs_log_cpu(float x)
{
    const bool tiny = x < GS_FLT_MIN;
    const float y = gs_log_normal(tiny ? x * 8388608.0f : x, tiny ? -23.0f : 0.0f, 0.0f);

    return x > 0.0f ? (x < GS_INF ? y : x) : x == 0.0f ? -GS_INF : GS_NAN;
}

/* ln(u) and what rounding 1 + x to u lost. */
GS_FN float gs_log1p_cpu(float x)
{
    const float u = 1.0f + x, y = gs_log_normal(u, 0.0f, (x - (u - 1.0f)) / u);

    return u > 0.0f ? (u < GS_INF ? y : x) : u == 0.0f ? -GS_INF : GS_NAN;
}

#undef exp /* a driver may have macros of these names */
#undef tanh
#undef log
#undef log1p
#define exp(x) gs_exp_cpu(x)
#define tanh(x) gs_tanh_cpu(x)
#define log(x) gs_log_cpu(x)
#define log1p(x) gs_log1p_cpu(x)
