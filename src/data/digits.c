/* How a digit is drawn: control points of a style -> jitter -> a smooth curve through them -> pose -> distance to the
 * curve -> grey. Coordinates of the styles: x to the right, y down, both in [0,1]. */
#include <math.h>
#include <string.h>

#include "data/digits.h"
#include "data/idx.h"

#define SIDE       GS_DIGIT_SIDE
#define POINTS_MAX 16  /* control points of a stroke */
#define STROKES_MAX 3
#define STEPS      6   /* straight pieces between two control points */
#define CURVE_MAX  (STROKES_MAX * POINTS_MAX * STEPS)
#define N_MAX      10000000

/* A point of a stroke. KINK: the curve turns sharply here. END: the stroke's last point. LOOP: the last point, which
 * is the first again, passed smoothly. */
enum { SOFT, KINK, END, LOOP };
typedef struct point {
    float x, y;
    int kind;
} point;

typedef struct style {
    float weight; /* how often, against the other styles of the digit */
    float aspect; /* width : height of the unit square */
    point at[32]; /* strokes one after the other; stops at the first unused entry after END or LOOP */
} style;

static const style styles_0[] = {
    { 1, 0.72f, { { .5f, 0 }, { .16f, .14f }, { .02f, .5f }, { .16f, .87f }, { .5f, 1 }, { .84f, .87f }, { .98f, .5f },
                  { .84f, .14f }, { .5f, 0, LOOP } } },
    { 0.5f, 0.66f, { { .62f, .03f }, { .25f, .12f }, { .03f, .5f }, { .18f, .9f }, { .5f, 1 }, { .85f, .85f },
                     { .97f, .45f }, { .8f, .1f }, { .45f, .02f, END } } },
};
static const style styles_1[] = {
    { 1, 0.5f, { { .5f, 0 }, { .5f, .5f }, { .5f, 1, END } } },
    { 0.7f, 0.55f, { { .2f, .25f }, { .58f, 0, KINK }, { .56f, .5f }, { .56f, 1, END } } },
    { 0.3f, 0.55f, { { .22f, .2f }, { .52f, 0, KINK }, { .52f, 1, END }, { .15f, 1 }, { .9f, 1, END } } },
};
static const style styles_2[] = {
    { 1, 0.7f, { { .06f, .25f }, { .2f, .06f }, { .52f, 0 }, { .84f, .1f }, { .9f, .32f }, { .74f, .56f }, { .4f, .8f },
                 { .04f, 1, KINK }, { .5f, .98f }, { .98f, .98f, END } } },
    { 0.6f, 0.75f, { { .1f, .2f }, { .3f, .03f }, { .6f, 0 }, { .84f, .16f }, { .82f, .4f }, { .58f, .7f }, { .24f, .95f },
                     { .06f, .88f }, { .2f, .76f }, { .48f, .88f }, { .72f, 1 }, { 1, .9f, END } } },
};
static const style styles_3[] = {
    { 1, 0.66f, { { .08f, .12f }, { .4f, 0 }, { .76f, .06f }, { .84f, .25f }, { .7f, .41f }, { .36f, .48f, KINK },
                  { .74f, .53f }, { .94f, .73f }, { .76f, .95f }, { .4f, 1 }, { .04f, .88f, END } } },
    { 0.35f, 0.66f, { { .1f, .02f }, { .88f, .0f, KINK }, { .42f, .4f, KINK }, { .76f, .45f }, { .94f, .7f },
                      { .76f, .94f }, { .4f, 1 }, { .05f, .88f, END } } },
};
static const style styles_4[] = {
    { 1, 0.72f, { { .2f, 0 }, { .06f, .54f, KINK }, { .98f, .52f, END }, { .8f, .02f }, { .74f, .5f }, { .7f, 1, END } } },
    { 0.6f, 0.75f, { { .7f, 1 }, { .7f, 0, KINK }, { .02f, .68f, KINK }, { 1, .66f, END } } },
    { 0.7f, 0.7f, { { .1f, .04f }, { .05f, .32f }, { .22f, .5f }, { .55f, .5f }, { .86f, .38f, END }, { .92f, 0 },
                    { .86f, .45f }, { .78f, 1, END } } },
};
static const style styles_5[] = {
    { 1, 0.7f, { { .92f, .01f }, { .24f, 0, KINK }, { .16f, .43f, KINK }, { .5f, .35f }, { .84f, .47f }, { .9f, .74f },
                 { .7f, .95f }, { .36f, 1 }, { .03f, .88f, END } } },
    { 0.6f, 0.7f, { { .3f, .05f }, { .2f, .4f, KINK }, { .55f, .4f }, { .84f, .56f }, { .84f, .8f }, { .56f, 1 },
                    { .08f, .94f, END }, { .3f, .05f }, { .98f, .0f, END } } },
};
static const style styles_6[] = {
    { 1, 0.64f, { { .82f, .03f }, { .46f, .15f }, { .15f, .45f }, { .04f, .72f }, { .2f, .94f }, { .5f, 1 }, { .82f, .9f },
                  { .9f, .7f }, { .72f, .53f }, { .45f, .52f }, { .2f, .62f }, { .08f, .78f, END } } },
    { 0.7f, 0.6f, { { .56f, 0 }, { .24f, .32f }, { .05f, .7f }, { .2f, .94f }, { .52f, 1 }, { .86f, .84f }, { .78f, .6f },
                    { .48f, .56f }, { .22f, .7f }, { .24f, .88f, END } } },
};
static const style styles_7[] = {
    { 1, 0.68f, { { .03f, .04f }, { .5f, .03f }, { .96f, 0, KINK }, { .62f, .48f }, { .4f, 1, END } } },
    { 0.5f, 0.68f, { { .03f, .05f }, { .95f, 0, KINK }, { .6f, .5f }, { .38f, 1, END }, { .22f, .5f }, { .86f, .46f, END } } },
    { 0.4f, 0.66f, { { .05f, .2f }, { .08f, .03f, KINK }, { .95f, .02f, KINK }, { .68f, .48f }, { .55f, 1, END } } },
};
static const style styles_8[] = {
    { 1, 0.62f, { { .8f, .13f }, { .5f, 0 }, { .18f, .13f }, { .24f, .34f }, { .55f, .5f }, { .86f, .72f }, { .76f, .94f },
                  { .44f, 1 }, { .12f, .9f }, { .16f, .7f }, { .45f, .49f }, { .76f, .3f }, { .8f, .13f, LOOP } } },
    { 0.5f, 0.62f, { { .5f, 0 }, { .2f, .1f }, { .18f, .32f }, { .5f, .45f }, { .82f, .32f }, { .8f, .1f },
                     { .5f, 0, LOOP }, { .5f, .45f }, { .14f, .58f }, { .1f, .86f }, { .5f, 1 }, { .9f, .86f },
                     { .86f, .58f }, { .5f, .45f, LOOP } } },
};
static const style styles_9[] = {
    { 1, 0.62f, { { .88f, .2f }, { .68f, .03f }, { .36f, .03f }, { .1f, .2f }, { .14f, .42f }, { .42f, .52f },
                  { .72f, .42f }, { .88f, .18f, KINK }, { .86f, .55f }, { .78f, 1, END } } },
    { 0.6f, 0.64f, { { .86f, .18f }, { .6f, 0 }, { .25f, .07f }, { .08f, .28f }, { .25f, .5f }, { .6f, .48f },
                     { .88f, .2f, KINK }, { .9f, .6f }, { .68f, .93f }, { .24f, .98f, END } } },
};

typedef struct digit {
    const style *styles;
    int n;
} digit;
static const digit digits[10] = {
    { styles_0, GS_COUNT(styles_0) }, { styles_1, GS_COUNT(styles_1) }, { styles_2, GS_COUNT(styles_2) },
    { styles_3, GS_COUNT(styles_3) }, { styles_4, GS_COUNT(styles_4) }, { styles_5, GS_COUNT(styles_5) },
    { styles_6, GS_COUNT(styles_6) }, { styles_7, GS_COUNT(styles_7) }, { styles_8, GS_COUNT(styles_8) },
    { styles_9, GS_COUNT(styles_9) },
};

/* Straight pieces of the whole digit; pen-up pieces are left out. */
typedef struct piece {
    float x0, y0, x1, y1;
} piece;
typedef struct curve {
    piece at[CURVE_MAX];
    int n;
} curve;

static float uniform(gs_rng *r, float lo, float hi) { return lo + (hi - lo) * (float)gs_rng_uniform(r); }

/* A normal deviate cut at two sigma, so that no picture is absurd. */
static float normal(gs_rng *r, float mean, float sigma)
{
    const float v = (float)gs_rng_normal(r);

    return mean + sigma * fminf(fmaxf(v, -2), 2);
}

static const style *choose_style(int d, gs_rng *r)
{
    const style *s = digits[d].styles;
    float total = 0, at;
    int i = 0;

    for (int k = 0; k < digits[d].n; k++) total += s[k].weight;
    at = uniform(r, 0, total);
    while (i < digits[d].n - 1 && at >= s[i].weight) at -= s[i++].weight;
    return s + i;
}

/* The tangent of the curve at p[i] times the unit of its parameter (Catmull-Rom), seen from the side that `dir` names
 * (+1 outgoing, -1 incoming): one-sided at ends and kinks. */
static float tangent(const float *v, const point *p, int n, int i, int dir)
{
    const bool loop = p[n - 1].kind == LOOP;
    const int before = i > 0 ? i - 1 : loop ? n - 2 : -1, after = i < n - 1 ? i + 1 : loop ? 1 : -1;

    if (p[i].kind == KINK || before < 0 || after < 0) return dir > 0 ? v[i + 1] - v[i] : v[i] - v[i - 1];
    return (v[after] - v[before]) / 2;
}

static float hermite(float a, float ta, float b, float tb, float t)
{
    const float t2 = t * t, t3 = t2 * t;

    return (2 * t3 - 3 * t2 + 1) * a + (t3 - 2 * t2 + t) * ta + (3 * t2 - 2 * t3) * b + (t3 - t2) * tb;
}

/* Adds one stroke, p[0..n-1], with shaken control points. */
static void add_stroke(curve *c, const point *p, int n, float shake, gs_rng *r)
{
    float x[POINTS_MAX], y[POINTS_MAX];

    for (int i = 0; i < n; i++) {
        x[i] = p[i].x + normal(r, 0, shake);
        y[i] = p[i].y + normal(r, 0, shake);
    }
    if (p[n - 1].kind == LOOP) {
        x[n - 1] = x[0];
        y[n - 1] = y[0];
    }
    for (int i = 0; i + 1 < n; i++) {
        float px = x[i], py = y[i];

        for (int k = 1; k <= STEPS; k++) {
            const float t = (float)k / STEPS;
            const float qx = hermite(x[i], tangent(x, p, n, i, 1), x[i + 1], tangent(x, p, n, i + 1, -1), t);
            const float qy = hermite(y[i], tangent(y, p, n, i, 1), y[i + 1], tangent(y, p, n, i + 1, -1), t);

            c->at[c->n++] = (piece){ px, py, qx, qy };
            px = qx;
            py = qy;
        }
    }
}

static void add_style(curve *c, const style *s, float shake, gs_rng *r)
{
    int i = 0;

    while (i < (int)GS_COUNT(s->at)) {
        int n = 1;

        while (s->at[i + n - 1].kind < END) n++;
        add_stroke(c, s->at + i, n, shake, r);
        i += n;
        /* a stroke has two points at least: an entry that is all zero here is past the last one */
        if (i + 1 >= (int)GS_COUNT(s->at) || (s->at[i].kind == SOFT && s->at[i + 1].kind == SOFT && s->at[i].x == 0 &&
                                              s->at[i].y == 0 && s->at[i + 1].x == 0))
            break;
    }
}

/* Pose: a slow wave (nobody's hand is straight), shear, rotation, then scaled so that the ink's longer side is about 20
 * pixels and moved so that its centre of mass is near the middle, as MNIST was normalised. */
static void pose(curve *c, float aspect, float half_width, gs_rng *r)
{
    const float wave = uniform(r, 0, 0.035f), fy = uniform(r, 2, 6), phase = uniform(r, 0, 6.2832f);
    const float shear = normal(r, -0.12f, 0.16f), angle = normal(r, 0, 0.09f), wide = aspect * normal(r, 1, 0.11f);
    const float side = uniform(r, 17.6f, 20.2f), ca = cosf(angle), sa = sinf(angle);
    const float dx = normal(r, 0, 0.45f), dy = normal(r, 0, 0.45f);
    float lo[2] = { 1e9f, 1e9f }, hi[2] = { -1e9f, -1e9f }, cx = 0, cy = 0, length = 0, scale, mx, my;

    for (int i = 0; i < c->n; i++) {
        float *v = &c->at[i].x0;

        for (int e = 0; e < 2; e++, v += 2) {
            const float y = v[1] - 0.5f, u = (v[0] - 0.5f + wave * sinf(fy * v[1] + phase)) * wide + shear * y;

            v[0] = ca * u - sa * y;
            v[1] = sa * u + ca * y;
            for (int k = 0; k < 2; k++) {
                lo[k] = fminf(lo[k], v[k]);
                hi[k] = fmaxf(hi[k], v[k]);
            }
        }
    }
    scale = (side - 2 * half_width) / fmaxf(hi[0] - lo[0], hi[1] - lo[1]);
    for (int i = 0; i < c->n; i++) {
        const piece *p = &c->at[i];
        const float l = hypotf(p->x1 - p->x0, p->y1 - p->y0);

        cx += l * (p->x0 + p->x1) / 2;
        cy += l * (p->y0 + p->y1) / 2;
        length += l;
    }
    mx = SIDE / 2.0f + dx - scale * cx / length;
    my = SIDE / 2.0f + dy - scale * cy / length;
    /* the ink stays two pixels inside */
    mx = fminf(fmaxf(mx, half_width + 2 - scale * lo[0]), SIDE - 2 - half_width - scale * hi[0]);
    my = fminf(fmaxf(my, half_width + 2 - scale * lo[1]), SIDE - 2 - half_width - scale * hi[1]);
    for (int i = 0; i < c->n; i++) {
        piece *p = &c->at[i];

        *p = (piece){ scale * p->x0 + mx, scale * p->y0 + my, scale * p->x1 + mx, scale * p->y1 + my };
    }
}

/* Squared distance from (x, y) to a piece. */
static float distance2(const piece *p, float x, float y)
{
    const float ux = p->x1 - p->x0, uy = p->y1 - p->y0, vx = x - p->x0, vy = y - p->y0, uu = ux * ux + uy * uy;
    const float t = uu > 0 ? fminf(fmaxf((ux * vx + uy * vy) / uu, 0), 1) : 0, ex = vx - t * ux, ey = vy - t * uy;

    return ex * ex + ey * ey;
}

/* Ink is full inside half_width and fades over `soft` pixels around it: antialiasing and blur in one. */
static void ink(uint8_t *px, const curve *c, float half_width, float soft)
{
    const float reach = half_width + soft / 2 + 0.01f;
    float d2[SIDE * SIDE];

    for (int i = 0; i < SIDE * SIDE; i++) d2[i] = 1e9f;
    for (int i = 0; i < c->n; i++) {
        const piece *p = &c->at[i];
        const int x0 = GS_MAX((int)(fminf(p->x0, p->x1) - reach - 0.5f), 0);
        const int x1 = GS_MIN((int)(fmaxf(p->x0, p->x1) + reach + 0.5f), SIDE - 1);
        const int y0 = GS_MAX((int)(fminf(p->y0, p->y1) - reach - 0.5f), 0);
        const int y1 = GS_MIN((int)(fmaxf(p->y0, p->y1) + reach + 0.5f), SIDE - 1);

        for (int y = y0; y <= y1; y++)
            for (int x = x0; x <= x1; x++) d2[y * SIDE + x] = fminf(d2[y * SIDE + x], distance2(p, x + 0.5f, y + 0.5f));
    }
    for (int i = 0; i < SIDE * SIDE; i++) {
        const float t = fminf(fmaxf((half_width - sqrtf(d2[i])) / soft + 0.5f, 0), 1);

        px[i] = (uint8_t)(255 * t * t * (3 - 2 * t) + 0.5f);
    }
}

void gs_digit_draw(uint8_t *px, int digit_, uint64_t seed, uint64_t index)
{
    gs_rng r = { .seed = seed, .stream = index, .pos = 64 }; /* past what gs_digit_class may draw */
    const style *s = choose_style(digit_, &r);
    const float half_width = uniform(&r, 0.85f, 1.55f), soft = uniform(&r, 1.1f, 1.9f);
    curve c;

    c.n = 0;
    add_style(&c, s, 0.022f, &r);
    pose(&c, s->aspect, half_width, &r);
    ink(px, &c, half_width, soft);
}

int gs_digit_class(uint64_t seed, uint64_t index)
{
    gs_rng r = { .seed = seed, .stream = index };

    return (int)gs_rng_below(&r, 10);
}

typedef struct job {
    gs_labelled *set;
    uint64_t seed, first;
} job;

static void draw_one(void *user, int i)
{
    const job *j = user;
    const uint64_t index = j->first + (uint64_t)i;

    j->set->labels[i] = (uint8_t)gs_digit_class(j->seed, index);
    gs_digit_draw(j->set->images + (size_t)i * SIDE * SIDE, j->set->labels[i], j->seed, index);
}

gs_status gs_digits_make(gs_labelled *out, int n, uint64_t seed, uint64_t first)
{
    job j = { out, seed, first };
    const gs_status st = gs_labelled_new(out, n, SIDE, SIDE, 1, 10);

    if (st == GS_OK) gs_parallel_for(n, 0, draw_one, &j);
    return st;
}

gs_status gs_data_make_digits(const char *dir, int n_train, int n_test, uint64_t seed)
{
    gs_status st = GS_OK;
    gs_digitset d = {0};

    if (n_train < 1 || n_test < 1 || n_train > N_MAX || n_test > N_MAX)
        return gs_fail(GS_EINVAL, "%d training and %d test pictures: 1 to %d of each", n_train, n_test, N_MAX);
    TRY(gs_digits_make(&d.train, n_train, seed, 0));
    TRY(gs_digits_make(&d.test, n_test, seed, GS_DIGITS_TEST));
    TRY(gs_digitset_write(&d, dir));
done:
    gs_digitset_free(&d);
    return st;
}
