/* Initial values of variables, from the seed and the full name alone: neither the order of creation nor other variables
 * matter. Shapes of weights are (out, in, ...): fan_in = in * rest, fan_out = out * rest. */
#include "graph/graph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void fans(gs_shape s, double *in, double *out)
{
    double rest = 1;

    for (int i = 2; i < s.rank; i++) rest *= (double)s.dim[i];
    *in = s.rank >= 2 ? (double)s.dim[1] * rest : (double)gs_shape_count(s);
    *out = s.rank >= 1 ? (double)s.dim[0] * rest : 1;
}

static void uniform(gs_rng *r, int64_t n, double lo, double hi, float *out)
{
    for (int64_t i = 0; i < n; i++) out[i] = (float)(lo + (hi - lo) * gs_rng_uniform(r));
}

static void normal(gs_rng *r, int64_t n, double mean, double std, float *out)
{
    for (int64_t i = 0; i < n; i++) out[i] = (float)(mean + std * gs_rng_normal(r));
}

static void unit_normal(gs_rng *r, int64_t n, float *out)
{
    double sum = 0;

    normal(r, n, 0, 1, out);
    for (int64_t i = 0; i < n; i++) sum += (double)out[i] * out[i];
    for (int64_t i = 0; i < n && sum > 0; i++) out[i] = (float)(out[i] / sqrt(sum));
}

/* Saxe et al. 2014: a random normal matrix orthonormalised along its shorter side, here by Gram-Schmidt
 * applied twice, which is as good as Householder for random matrices. Vector k stands in v[k*len ..]. */
static void orthogonal(gs_rng *r, gs_shape s, double gain, float *out)
{
    const int64_t rows = s.rank ? s.dim[0] : 1, cols = gs_shape_count(s) / rows;
    const int64_t n = GS_MIN(rows, cols), len = GS_MAX(rows, cols);
    double *v = gs_xalloc((size_t)(n * len) * sizeof(double));

    for (int64_t k = 0; k < n; k++) {
        double *x = v + k * len, norm = 0;

        for (int64_t i = 0; i < len; i++) x[i] = gs_rng_normal(r);
        for (int pass = 0; pass < 2; pass++)
            for (int64_t j = 0; j < k; j++) {
                const double *y = v + j * len;
                double dot = 0;

                for (int64_t i = 0; i < len; i++) dot += x[i] * y[i];
                for (int64_t i = 0; i < len; i++) x[i] -= dot * y[i];
            }
        for (int64_t i = 0; i < len; i++) norm += x[i] * x[i];
        for (int64_t i = 0; i < len; i++) x[i] /= sqrt(norm);
    }
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            out[i * cols + j] = (float)(gain * (rows <= cols ? v[i * len + j] : v[j * len + i]));
    free(v);
}

bool gs_init_whole(const gs_var *v)
{
    return v->init.kind == GS_INIT_ORTHOGONAL || v->init.kind == GS_INIT_UNIT_NORMAL;
}

gs_rng gs_init_start(const gs_var *v, uint64_t seed)
{
    return (gs_rng){ .seed = seed, .stream = gs_hash_str(v->name) };
}

void gs_init_next(const gs_var *v, gs_rng *r, int64_t n, float *out)
{
    const double a = v->init.a, b = v->init.b;
    double fan_in, fan_out, l;

    if (v->dtype == GS_I32) { /* constant (gs_variable allows nothing else); the memory holds int32 */
        const int32_t k = (int32_t)a;

        for (int64_t i = 0; i < n; i++) memcpy(&out[i], &k, sizeof k);
        return;
    }
    fans(v->shape, &fan_in, &fan_out);
    switch (v->init.kind) {
    case GS_INIT_CONST:
        for (int64_t i = 0; i < n; i++) out[i] = (float)a;
        break;
    case GS_INIT_UNIFORM: uniform(r, n, a, b, out); break;
    case GS_INIT_NORMAL: normal(r, n, a, b, out); break;
    case GS_INIT_TORCH_LINEAR: l = 1 / sqrt(a), uniform(r, n, -l, l, out); break;
    case GS_INIT_XAVIER_NORMAL: normal(r, n, 0, a * sqrt(2 / (fan_in + fan_out)), out); break;
    case GS_INIT_XAVIER_UNIFORM: l = a * sqrt(6 / (fan_in + fan_out)), uniform(r, n, -l, l, out); break;
    case GS_INIT_KAIMING_NORMAL: normal(r, n, 0, a / sqrt(fan_in), out); break;
    case GS_INIT_KAIMING_UNIFORM: l = a * sqrt(3 / fan_in), uniform(r, n, -l, l, out); break;
    case GS_INIT_ORTHOGONAL: orthogonal(r, v->shape, a, out); break;
    case GS_INIT_UNIT_NORMAL: unit_normal(r, n, out); break;
    }
}

void gs_init_fill(const gs_var *v, uint64_t seed, float *out)
{
    gs_rng r = gs_init_start(v, seed);

    gs_init_next(v, &r, gs_shape_count(v->shape), out);
}
