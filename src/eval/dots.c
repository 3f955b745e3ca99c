/* Dot products of rows, 2 x 4 at a time in registers; tiles of rows so that b's stay in the cache. */
#include "eval/dots.h"

#include <string.h>

#include "base/base.h"

#define TILE_A 16
#define TILE_B 64 /* rows of b that pass over a tile of a: 64 x 2048 doubles are 1 MiB */

typedef double pair __attribute__((vector_size(16)));

static inline pair load(const double *p)
{
    pair v;

    memcpy(&v, p, sizeof v);
    return v;
}

double gs__dot(const double *a, const double *b, int d)
{
    pair s[4] = { { 0, 0 }, { 0, 0 }, { 0, 0 }, { 0, 0 } };
    double sum;
    int j = 0;

    for (; j + 8 <= d; j += 8)
        for (int l = 0; l < 4; l++) s[l] += load(a + j + 2 * l) * load(b + j + 2 * l);
    s[0] += s[1] + (s[2] + s[3]);
    sum = s[0][0] + s[0][1];
    for (; j < d; j++) sum += a[j] * b[j];
    return sum;
}

/* Two rows of a by four of b. */
static void two_by_four(double *out, size_t ldo, const double *a, size_t lda, const double *b, size_t ldb, int d)
{
    pair s[2][4];
    int j = 0;

    memset(s, 0, sizeof s);
    for (; j + 2 <= d; j += 2) {
        const pair x = load(a + j), y = load(a + lda + j);

        for (int k = 0; k < 4; k++) {
            const pair z = load(b + (size_t)k * ldb + j);

            s[0][k] += x * z;
            s[1][k] += y * z;
        }
    }
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 4; k++) {
            double sum = s[i][k][0] + s[i][k][1];

            if (j < d) sum += a[(size_t)i * lda + j] * b[(size_t)k * ldb + j];
            out[(size_t)i * ldo + k] = sum;
        }
}

typedef struct job {
    double *out;
    const double *a, *b;
    size_t ldo, lda, ldb;
    int na, nb, d, lower;
} job;

/* One tile of rows of a against all rows of b. Which form an element takes depends on its place only, never on
 * threads. */
static void tile(void *user, int t)
{
    const job *j = user;
    const int a0 = t * TILE_A, a1 = GS_MIN(a0 + TILE_A, j->na);

    for (int b0 = 0; b0 < j->nb; b0 += TILE_B) {
        const int b1 = GS_MIN(b0 + TILE_B, j->nb);

        if (j->lower && b0 >= a1) break;
        for (int i = a0; i < a1; i += 2) {
            const double *a = j->a + (size_t)i * j->lda;

            for (int k = b0; k < b1; k += 4) {
                const double *b = j->b + (size_t)k * j->ldb;
                double *out = j->out + (size_t)i * j->ldo + k;

                if (j->lower && k > i + 1) break;
                if (i + 2 <= a1 && k + 4 <= b1 && (!j->lower || k + 3 <= i)) {
                    two_by_four(out, j->ldo, a, j->lda, b, j->ldb, j->d);
                    continue;
                }
                for (int y = 0; y < 2 && i + y < a1; y++)
                    for (int x = 0; x < 4 && k + x < b1 && (!j->lower || k + x <= i + y); x++)
                        out[(size_t)y * j->ldo + x] = gs__dot(a + (size_t)y * j->lda, b + (size_t)x * j->ldb, j->d);
            }
        }
    }
}

void gs__dots(double *out, size_t ldo, const double *a, size_t lda, int na, const double *b, size_t ldb, int nb, int d,
              int lower)
{
    job j = { out, a, b, ldo, lda, ldb, na, nb, d, lower };

    gs_parallel_for((na + TILE_A - 1) / TILE_A, 0, tile, &j);
}
