/* The sparse matrices of op `linmap`: one axis of average pooling, resizing or padding, n cells in, m cells out.
 * Conventions are PyTorch's. Weights in double; each row's indices ascend and are unique. */
#include "graph/graph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct builder {
    gs_linmap_table *t;
    int n, cap;
} builder;

/* Adds to the row being built; an index that a clamped border repeats is merged. */
static void put(builder *b, int row_start, int index, double weight)
{
    gs_linmap_table *t = b->t;
    int at;

    for (int e = row_start; e < b->n; e++)
        if (t->index[e] == index) {
            t->weight[e] += weight;
            return;
        }
    if (b->n == b->cap) {
        b->cap = b->cap ? 2 * b->cap : 64;
        t->index = gs_xrealloc(t->index, (size_t)b->cap * sizeof(int));
        t->weight = gs_xrealloc(t->weight, (size_t)b->cap * sizeof(double));
    }
    for (at = b->n; at > row_start && t->index[at - 1] > index; at--) {
        t->index[at] = t->index[at - 1];
        t->weight[at] = t->weight[at - 1];
    }
    t->index[at] = index;
    t->weight[at] = weight;
    b->n++;
}

static int clamp_index(int64_t i, int n)
{
    return (int)(i < 0 ? 0 : i >= n ? n - 1 : i);
}

/* Keys 1981, cubic convolution; a = -0.75 for plain resizing, -0.5 with antialiasing. */
static double cubic(double x, double a)
{
    x = fabs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    return 0;
}

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

/* The filter is widened by n/m when shrinking; its weights inside the image are normalised. */
static void antialiased(builder *b, int start, int r, int n, int m, bool is_cubic)
{
    const double scale = (double)n / m, wide = GS_MAX(scale, 1), support = (is_cubic ? 2 : 1) * wide;
    const double centre = scale * (r + 0.5);
    const int first = GS_MAX((int)(centre - support + 0.5), 0), end = GS_MIN((int)(centre + support + 0.5), n);
    double sum = 0;

    for (int pass = 0; pass < 2; pass++)
        for (int i = first; i < end; i++) {
            const double x = (i - centre + 0.5) / wide, w = is_cubic ? cubic(x, -0.5) : triangle(x);

            if (pass == 0)
                sum += w;
            else if (w != 0)
                put(b, start, i, w / sum);
        }
}

static void averaged(builder *b, int start, int64_t first, int64_t end, double divisor, int n)
{
    for (int64_t i = GS_MAX(first, 0); i < GS_MIN(end, n); i++) put(b, start, (int)i, 1 / divisor);
}

/* Row r of the untransposed map. */
static void row(builder *b, const gs_attr *a, int axis, int r, int n, int m)
{
    const int start = b->n, before = a->i[8 + axis], after = a->i[11 + axis];
    const double centre = (r + 0.5) * ((double)n / m) - 0.5; /* half-pixel centres, corners not aligned */

    switch ((gs_linmap_rule)a->i[0]) {
    case GS_LM_NEAREST: {
        /* in fp32, as PyTorch: floor(r * float(n/m)); its quotient may fall just below a whole number */
        const float scale = (float)n / (float)m;

        put(b, start, clamp_index((int64_t)floorf((float)r * scale), n), 1);
        break;
    }
    case GS_LM_BILINEAR: {
        const double at = GS_MAX(centre, 0), t = at - floor(at);

        put(b, start, clamp_index((int64_t)floor(at), n), 1 - t);
        if (t != 0) put(b, start, clamp_index((int64_t)floor(at) + 1, n), t);
        break;
    }
    case GS_LM_BICUBIC: {
        const double t = centre - floor(centre);

        for (int k = -1; k <= 2; k++) {
            const double w = cubic(k - t, -0.75);

            if (w != 0) put(b, start, clamp_index((int64_t)floor(centre) + k, n), w);
        }
        break;
    }
    case GS_LM_ADAPTIVE: {
        const int64_t first = (int64_t)r * n / m, end = (((int64_t)r + 1) * n + m - 1) / m;

        averaged(b, start, first, end, (double)(end - first), n);
        break;
    }
    case GS_LM_BILINEAR_AA: antialiased(b, start, r, n, m, false); break;
    case GS_LM_BICUBIC_AA: antialiased(b, start, r, n, m, true); break;
    case GS_LM_AVG: {
        const int64_t first = (int64_t)r * a->i[7] - before, end = GS_MIN(first + a->i[6], (int64_t)n + after);
        const int64_t inside = GS_MIN(end, n) - GS_MAX(first, 0);

        averaged(b, start, first, end, (double)(a->i[10] ? inside : end - first), n);
        break;
    }
    case GS_LM_REFLECT: {
        const int i = abs(r - before);

        put(b, start, i < n ? i : 2 * (n - 1) - i, 1);
        break;
    }
    case GS_LM_REPLICATE: put(b, start, clamp_index((int64_t)r - before, n), 1); break;
    }
}

static void transpose(gs_linmap_table *t)
{
    const int entries = t->start[t->rows];
    gs_linmap_table s = { .rows = t->cols, .cols = t->rows };
    int *next;

    s.start = gs_xalloc((size_t)(s.rows + 1) * sizeof(int));
    s.index = gs_xalloc((size_t)entries * sizeof(int));
    s.weight = gs_xalloc((size_t)entries * sizeof(double));
    for (int e = 0; e < entries; e++) s.start[t->index[e] + 1]++;
    for (int r = 0; r < s.rows; r++) s.start[r + 1] += s.start[r];
    next = gs_xalloc((size_t)(s.rows + 1) * sizeof(int));
    memcpy(next, s.start, (size_t)(s.rows + 1) * sizeof(int));
    for (int r = 0; r < t->rows; r++)
        for (int e = t->start[r]; e < t->start[r + 1]; e++) {
            const int at = next[t->index[e]]++;

            s.index[at] = r;
            s.weight[at] = t->weight[e];
        }
    free(next);
    gs_linmap_free(t);
    *t = s;
}

void gs_linmap_make(const gs_attr *attr, int axis, gs_linmap_table *t)
{
    const int n = attr->i[2 + axis], m = attr->i[4 + axis];
    builder b = { .t = t };

    *t = (gs_linmap_table){ .rows = m, .cols = n, .start = gs_xalloc((size_t)(m + 1) * sizeof(int)) };
    for (int r = 0; r < m; r++) {
        row(&b, attr, axis, r, n, m);
        t->start[r + 1] = b.n;
    }
    if (attr->i[1]) transpose(t);
}

void gs_linmap_free(gs_linmap_table *t)
{
    free(t->start);
    free(t->index);
    free(t->weight);
    *t = (gs_linmap_table){ 0 };
}
