/* Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") and a sequential generator on it.
 * The counter is (block low, block high, stream low, stream high), the key is the seed: any position can be reached
 * directly, so a state is three numbers. */
#include "base/base.h"

#include <assert.h>
#include <math.h>

void gs_philox(const uint32_t ctr[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = ctr[0], c1 = ctr[1], c2 = ctr[2], c3 = ctr[3], k0 = key[0], k1 = key[1];

    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;

        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u; /* the golden ratio and sqrt(3)-1: the Weyl steps of the paper */
        k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

uint32_t gs_rng_u32(gs_rng *r)
{
    const uint64_t block = r->pos / 4;
    const uint32_t ctr[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)r->stream, (uint32_t)(r->stream >> 32)};
    const uint32_t key[2] = {(uint32_t)r->seed, (uint32_t)(r->seed >> 32)};
    uint32_t out[4];

    gs_philox(ctr, key, out);
    return out[r->pos++ % 4];
}

double gs_rng_uniform(gs_rng *r)
{
    return gs_rng_u32(r) * 0x1p-32;
}

/* One of Box-Muller's two values: keeping the other would add to the state. u lies in (0,1), so the logarithm
 * is finite. */
double gs_rng_normal(gs_rng *r)
{
    const double u = (gs_rng_u32(r) + 0.5) * 0x1p-32, v = gs_rng_uniform(r);

    return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

uint32_t gs_rng_below(gs_rng *r, uint32_t n)
{
    uint32_t x, skip;

    assert(n > 0);
    skip = (0u - n) % n; /* 2^32 mod n: dropping that many makes each remainder equally likely */
    do x = gs_rng_u32(r);
    while (x < skip);
    return x % n;
}

void gs_rng_permute(gs_rng *r, int32_t *v, int n)
{
    for (int i = 0; i < n; i++) { /* Fisher-Yates, inside out */
        const int j = (int)gs_rng_below(r, (uint32_t)i + 1);

        v[i] = v[j];
        v[j] = i;
    }
}
