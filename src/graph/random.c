/* Random elements as the device draws them: each is a function of seed, step, stream and position alone. */
#include "graph/graph.h"

#include <assert.h>
#include <math.h>

double gs_random_element(gs_op_id op, uint64_t seed, uint64_t step, uint32_t stream, uint64_t i, double p)
{
    const uint32_t ctr[4] = { (uint32_t)(i / 4), stream, (uint32_t)step, (uint32_t)(step >> 32) };
    const uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
    uint32_t word[4];
    const int w = (int)(i % 4);

    gs_philox(ctr, key, word);
    switch (op) {
    case GS_OP_random_uniform: return (word[w] >> 8) * 0x1p-24;
    case GS_OP_random_bernoulli: return (word[w] >> 8) * 0x1p-24 < p;
    case GS_OP_random_normal: { /* words (0,1) and (2,3) give a cosine and a sine each; the radius never takes log 0 */
        const double r = sqrt(-2 * log(((word[w & 2] >> 8) + 1) * 0x1p-24));
        const double angle = 2 * M_PI * (word[w | 1] >> 8) * 0x1p-24;

        return w & 1 ? r * sin(angle) : r * cos(angle);
    }
    default: assert(!"a random op"); return 0;
    }
}
