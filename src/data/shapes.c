/* Drawing discs and squares. Coordinates run over the picture from 0 to 1, y downwards; colours are RGB from 0 to 1. */
#include "data/shapes.h"

#include <math.h>

#include "data/domains.h"

#define STREAM_A 0x7368617041000000ull
#define STREAM_B 0x7368617042000000ull

#define GRAIN 0.05f /* deviation of the noise of domain A */
#define LINE  0.03f /* width of the outline of domain B */
#define SOFT  (1.0f / GS_SHAPE_SIDE)

typedef struct scene {
    float from[3], to[3], fill[3], line[3]; /* ground from one corner or edge to the other one; B: from == to */
    float dx, dy;                           /* where the gradient goes, of length 1 */
    float x, y, r;                          /* centre; radius, or half a side */
} scene;

static float uniform(gs_rng *r, float lo, float hi) { return lo + (hi - lo) * (float)gs_rng_uniform(r); }

static void colour(float c[3], gs_rng *r, float lo, float hi)
{
    for (int k = 0; k < 3; k++) c[k] = uniform(r, lo, hi);
}

static scene compose(bool square, gs_rng *r)
{
    const float turn = uniform(r, 0, 6.2831853f);
    scene s = { .dx = cosf(turn), .dy = sinf(turn), .x = uniform(r, 0.35f, 0.65f), .y = uniform(r, 0.35f, 0.65f), .r = uniform(r, 0.15f, 0.3f) };

    colour(s.from, r, 0.1f, 0.9f);
    colour(s.to, r, 0.1f, 0.9f);
    colour(s.fill, r, 0.05f, 0.95f);
    colour(s.line, r, 0, 0.15f);
    for (int k = 0; k < 3 && square; k++) s.to[k] = s.from[k];
    return s;
}

/* Signed distance to the edge of the shape: negative inside. */
static float distance(const scene *s, bool square, float x, float y)
{
    return square ? fmaxf(fabsf(x - s->x), fabsf(y - s->y)) - s->r : hypotf(x - s->x, y - s->y) - s->r;
}

static float cover(float d) { return fminf(fmaxf(0.5f - d / SOFT, 0), 1); }

static float mix(float a, float b, float t) { return a + t * (b - a); }

gs_status gs_shape_draw(gs_image *out, bool square, uint64_t seed, uint64_t index)
{
    gs_rng r = { .seed = seed, .stream = (square ? STREAM_B : STREAM_A) + index };
    const scene s = compose(square, &r);
    const gs_status st = gs_image_new(out, GS_SHAPE_SIDE, GS_SHAPE_SIDE, 3);

    if (st != GS_OK) return st;
    for (int i = 0; i < GS_SHAPE_SIDE * GS_SHAPE_SIDE; i++) {
        const float x = (i % GS_SHAPE_SIDE + 0.5f) / GS_SHAPE_SIDE, y = (i / GS_SHAPE_SIDE + 0.5f) / GS_SHAPE_SIDE;
        const float along = 0.5f + 0.7f * ((x - 0.5f) * s.dx + (y - 0.5f) * s.dy), d = distance(&s, square, x, y);
        const float inside = cover(d), edge = square ? cover(fabsf(d) - LINE / 2) : 0;

        for (int k = 0; k < 3; k++) {
            const float grain = square ? 0 : GRAIN * (float)gs_rng_normal(&r);
            const float c = mix(mix(mix(s.from[k], s.to[k], along), s.fill[k], inside), s.line[k], edge) + grain;

            out->px[3 * i + k] = (uint8_t)(255 * fminf(fmaxf(c, 0), 1) + 0.5f);
        }
    }
    return GS_OK;
}

gs_status gs_data_make_shapes(const char *dir, int n_train, int n_test, uint64_t seed)
{
    return gs_domains_write(dir, n_train, n_test, seed, gs_shape_draw);
}
