/* The loop along a row on CPUs: elements become vectors of GS_LANES, and GS_CHAINS accumulators take them in turn, since an addition waits for the one before.
 * For sums along rows (codegen_sum.c) and for launches that go through rows several times (codegen_rows.c): so both add in the same order. */
#include "plan/codegen.h"

/* Values x of sum k into the accumulator a. */
static void accumulate(gs_str *s, const gs_row_loop *r, int k, const char *a, const char *x)
{
    if (r->largest >> k & 1) gs_str_printf(s, "    %s = %s > %s ? %s : %s;\n", a, x, a, x, a);
    else gs_str_printf(s, "    %s += %s;\n", a, x);
}

/* One turn of the loop along a row: a vector of values of each prologue, then into the accumulator whose turn it is. Accumulators change places, which costs
 * nothing in registers and keeps the text short. `rest`: fewer values are left, and the lanes beyond the end are neutral.
 * The values are a vector that the loop fills by its elements. An array read by vload16 would do, but PoCL takes that apart into quarters; and the loop must
 * neither be unrolled before it becomes a vector nor be one of narrower vectors, nor store under a mask what is read again, since a load waits for such
 * stores. Where the row's element is a long, no sum of ints can overflow, for which the compiler would keep a second loop. */
static void row_step(gs_str *s, const gs_row_loop *r, const char *body, const char *from, bool rest)
{
    char a[32], x[32];

    for (int k = r->first; k < r->first + r->n; k++) gs_str_printf(s, "    float16 w%d;\n    float *t%d = (float *)&w%d;\n", k, k, k);
    gs_str_printf(s, "    _Pragma(\"clang loop vectorize(assume_safety) vectorize_width(%d) unroll(disable)\")\n", GS_LANES);
    gs_str_printf(s, "    for (int l = 0; l < %d; l++) {\n    const long d%d = %s + l;\n", GS_LANES, r->dim, from);
    for (int k = r->first; k < r->first + r->n; k++) {
        if (r->largest >> k & 1) gs_str_printf(s, "    float u%d = m%d;\n", k, k);
        else gs_str_printf(s, "    float u%d = 0.0f;\n", k);
    }
    if (r->declared) gs__put(s, r->declared);
    if (rest) gs_str_printf(s, "    if (d%d < end) {\n", r->dim);
    gs__put(s, body);
    if (rest) gs__put(s, "    }\n");
    if (r->after) gs__put(s, r->after);
    for (int k = r->first; k < r->first + r->n; k++) gs_str_printf(s, "    t%d[l] = u%d;\n", k, k);
    gs__put(s, "    }\n");
    for (int k = r->first; k < r->first + r->n; k++) {
        gs_str_printf(s, "    const float16 x%d = w%d, y%d = a%d_0;\n", k, k, k, k);
        for (int c = 0; c < GS_CHAINS - 1; c++) gs_str_printf(s, "    a%d_%d = a%d_%d;\n", k, c, k, c + 1);
        gs_str_printf(s, "    a%d_%d = y%d;\n", k, GS_CHAINS - 1, k);
        snprintf(a, sizeof a, "a%d_%d", k, GS_CHAINS - 1);
        snprintf(x, sizeof x, "x%d", k);
        accumulate(s, r, k, a, x);
    }
}

void gs__gen_row_start(gs_str *s, const gs_row_loop *r)
{
    for (int k = r->first; k < r->first + r->n; k++)
        for (int c = 0; c < GS_CHAINS; c++) {
            if (r->largest >> k & 1) gs_str_printf(s, "    float16 a%d_%d = (float16)(m%d);\n", k, c, k);
            else gs_str_printf(s, "    float16 a%d_%d = (float16)(-0.0f);\n", k, c); /* x + -0 is x, also to the compiler */
        }
}

/* Sums of vectors, GS_CHAINS of them in turn, since an addition waits for the one before. */
void gs__gen_row_loop(gs_gen *g, gs_str *s, const gs_row_loop *r)
{
    gs_str body = { 0 };

    r->body(g, &body, r->user);
    for (int c = 0; c < r->vectors; c++) {
        char from[16];

        snprintf(from, sizeof from, "%d", c * GS_LANES);
        gs__put(s, "    {\n");
        row_step(s, r, gs_str_c(&body), from, c == r->vectors - 1);
        gs__put(s, "    }\n");
    }
    if (!r->vectors) {
        gs_str_printf(s, "    for (; j + %d <= end; j += %d) {\n", GS_LANES, GS_LANES);
        row_step(s, r, gs_str_c(&body), "j", false);
        gs__put(s, "    }\n    if (j < end) {\n");
        row_step(s, r, gs_str_c(&body), "j", true);
        gs__put(s, "    }\n");
    }
    gs_str_free(&body);
}

void gs__gen_row_join(gs_str *s, const gs_row_loop *r, int k)
{
    char a[32], x[32];

    for (int step = GS_CHAINS / 2; step > 0; step /= 2)
        for (int c = 0; c < step; c++) {
            snprintf(a, sizeof a, "a%d_%d", k, c);
            snprintf(x, sizeof x, "a%d_%d", k, c + step);
            accumulate(s, r, k, a, x);
        }
}

void gs__gen_row_total(gs_str *s, const gs_row_loop *r)
{
    for (int k = r->first; k < r->first + r->n; k++) {
        gs__gen_row_join(s, r, k);
        if (r->largest >> k & 1) {
            gs_str_printf(s, "    const float8 e%d = a%d_0.hi > a%d_0.lo ? a%d_0.hi : a%d_0.lo;\n", k, k, k, k, k);
            gs_str_printf(s, "    const float4 f%d = e%d.hi > e%d.lo ? e%d.hi : e%d.lo;\n", k, k, k, k, k);
            gs_str_printf(s, "    const float2 h%d = f%d.hi > f%d.lo ? f%d.hi : f%d.lo;\n", k, k, k, k, k);
            gs_str_printf(s, "    const float s%d = h%d.y > h%d.x ? h%d.y : h%d.x;\n", k, k, k, k, k);
            continue;
        }
        gs_str_printf(s, "    const float8 e%d = a%d_0.lo + a%d_0.hi;\n    const float4 f%d = e%d.lo + e%d.hi;\n", k, k, k, k, k, k);
        gs_str_printf(s, "    const float s%d = (f%d.x + f%d.y) + (f%d.z + f%d.w) + 0.0f;\n", k, k, k, k, k); /* of -0 alone it is 0 */
    }
}
