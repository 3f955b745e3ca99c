/* Drawing faces: a list of ellipses, painted from back to front, either shaded and blurred at the edge or
 * flat with a dark outline. Coordinates run over the picture from 0 to 1, y downwards. */
#include "data/faces.h"

#include <math.h>

#include "data/domains.h"

#define STREAM_A 0x6661636541000000ull
#define STREAM_B 0x6661636542000000ull

typedef struct rgb { float v[3]; } rgb;

typedef struct ellipse {
    float x, y, rx, ry;
    float y_from, y_to; /* only this band of the picture is painted */
    rgb colour;
} ellipse;

typedef struct face {
    ellipse e[16];
    int n;
    rgb top, bottom;    /* background */
    float light_x;      /* direction of the light, -1 left to 1 right */
} face;

static float uniform(gs_rng *r, float lo, float hi) { return lo + (hi - lo) * (float)gs_rng_uniform(r); }

static rgb mix(rgb a, rgb b, float t)
{
    for (int c = 0; c < 3; c++) a.v[c] += t * (b.v[c] - a.v[c]);
    return a;
}

static rgb grey(float v) { return (rgb){{ v, v, v }}; }

static void put(face *f, float x, float y, float rx, float ry, rgb colour)
{
    f->e[f->n++] = (ellipse){ x, y, rx, ry, 0, 1, colour };
}

/* Hue in [0,1) to a colour of the given strength and lightness. */
static rgb hue(float h, float strength, float light)
{
    rgb c;

    for (int k = 0; k < 3; k++) c.v[k] = light + strength * 0.5f * cosf(6.2831853f * (h - k / 3.0f));
    return c;
}

/* The same anatomy in both domains; styles differ in colours and in the size of the eyes. */
static void pose(face *f, bool cartoon, gs_rng *r)
{
    static const rgb pale = {{ 0.98f, 0.86f, 0.76f }}, dark = {{ 0.45f, 0.28f, 0.20f }};
    const float x = uniform(r, 0.45f, 0.55f), y = uniform(r, 0.52f, 0.58f), w = uniform(r, 0.24f, 0.31f), h = w * uniform(r, 1.15f, 1.35f);
    const float turn = uniform(r, -0.05f, 0.05f), gap = w * uniform(r, 0.36f, 0.46f), eye = w * (cartoon ? uniform(r, 0.24f, 0.32f) : uniform(r, 0.12f, 0.16f));
    const rgb skin = mix(pale, dark, cartoon ? uniform(r, 0, 0.15f) : uniform(r, 0, 0.8f));
    const rgb hair = cartoon ? hue(uniform(r, 0, 1), 0.7f, 0.6f) : mix(grey(0.08f), (rgb){{ 0.62f, 0.42f, 0.22f }}, uniform(r, 0, 1));
    const rgb iris = cartoon ? hue(uniform(r, 0, 1), 0.8f, 0.45f) : mix((rgb){{ 0.2f, 0.12f, 0.07f }}, (rgb){{ 0.3f, 0.42f, 0.5f }}, uniform(r, 0, 1));
    const float fringe = y - h * uniform(r, 0.35f, 0.6f), hair_w = w * uniform(r, 1.08f, 1.25f), hair_h = h * uniform(r, 1.05f, 1.18f);
    const bool lengthy = gs_rng_uniform(r) < 0.5;

    f->top = cartoon ? hue(uniform(r, 0, 1), 0.25f, 0.85f) : mix(grey(uniform(r, 0.2f, 0.8f)), hue(uniform(r, 0, 1), 0.4f, 0.5f), 0.5f);
    f->bottom = cartoon ? f->top : mix(f->top, grey(uniform(r, 0.1f, 0.9f)), 0.7f);
    f->light_x = uniform(r, -1, 1);

    put(f, x, y - 0.03f, hair_w, hair_h, hair); /* behind the head */
    f->e[0].y_to = lengthy ? 0.92f : y + 0.1f * h;
    put(f, x, 1.02f, w * 1.5f, 0.17f, hue(uniform(r, 0, 1), cartoon ? 0.7f : 0.3f, cartoon ? 0.6f : 0.4f)); /* shoulders */
    put(f, x, y, w, h, skin);
    put(f, x, y - 0.04f, hair_w * 0.96f, hair_h * 0.96f, hair);
    f->e[3].y_to = fringe;
    for (int side = -1; side <= 1; side += 2) {
        const float ex = x + turn + side * gap, ey = y - 0.02f;

        put(f, ex, ey, eye, cartoon ? eye * 1.3f : eye * 0.6f, grey(0.97f));
        put(f, ex + turn * 0.4f, ey, eye * 0.62f, cartoon ? eye * 1.05f : eye * 0.58f, iris);
        put(f, ex + turn * 0.4f, ey, eye * 0.3f, cartoon ? eye * 0.6f : eye * 0.3f, grey(0.05f));
    }
    put(f, x + turn, y + h * 0.32f, w * 0.07f, h * (cartoon ? 0.03f : 0.08f), mix(skin, grey(0.2f), 0.25f)); /* nose */
    put(f, x + turn, y + h * 0.6f, w * uniform(r, 0.2f, 0.36f), h * (cartoon ? 0.05f : 0.08f),
        cartoon ? (rgb){{ 0.85f, 0.35f, 0.4f }} : mix(skin, (rgb){{ 0.65f, 0.2f, 0.2f }}, 0.6f));
}

/* Signed distance to the edge, about right near it: negative inside. */
static float distance(const ellipse *e, float x, float y)
{
    const float dx = (x - e->x) / e->rx, dy = (y - e->y) / e->ry;

    return (sqrtf(dx * dx + dy * dy) - 1) * fminf(e->rx, e->ry);
}

static float cover(float d, float soft)
{
    return fminf(fmaxf(0.5f - d / soft, 0), 1);
}

static rgb shade(const face *f, bool cartoon, float x, float y)
{
    const float soft = cartoon ? 0.012f : 0.025f, line = 0.014f;
    rgb c = mix(f->top, f->bottom, y);

    for (int i = 0; i < f->n; i++) {
        const ellipse *e = &f->e[i];
        const float d = fmaxf(distance(e, x, y), fmaxf(e->y_from - y, y - e->y_to));
        rgb paint = e->colour;

        if (!cartoon) { /* light from above and one side */
            const float t = 0.25f * (f->light_x * (x - e->x) / e->rx - (y - e->y) / e->ry);

            paint = t > 0 ? mix(paint, grey(1), fminf(0.6f * t, 0.5f)) : mix(paint, grey(0), fminf(-t, 0.5f));
        }
        c = mix(c, paint, cover(d, soft));
        if (cartoon && e->rx > 0.03f) c = mix(c, grey(0.1f), cover(fabsf(d) - line * 0.5f, soft));
    }
    return c;
}

gs_status gs_face_draw(gs_image *out, bool cartoon, uint64_t seed, uint64_t index)
{
    gs_rng r = { .seed = seed, .stream = (cartoon ? STREAM_B : STREAM_A) + index };
    face f = {0};
    const gs_status st = gs_image_new(out, GS_FACE_SIDE, GS_FACE_SIDE, 3);

    if (st != GS_OK) return st;
    pose(&f, cartoon, &r);
    for (int i = 0; i < GS_FACE_SIDE * GS_FACE_SIDE; i++) {
        const rgb c = shade(&f, cartoon, (i % GS_FACE_SIDE + 0.5f) / GS_FACE_SIDE, (i / GS_FACE_SIDE + 0.5f) / GS_FACE_SIDE);
        const float grain = cartoon ? 0 : 0.025f * (float)gs_rng_normal(&r);

        for (int k = 0; k < 3; k++) out->px[3 * i + k] = (uint8_t)(255 * fminf(fmaxf(c.v[k] + grain, 0), 1) + 0.5f);
    }
    return GS_OK;
}

gs_status gs_data_make_faces(const char *dir, int n_train, int n_test, uint64_t seed)
{
    return gs_domains_write(dir, n_train, n_test, seed, gs_face_draw);
}
