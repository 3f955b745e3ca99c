/* Every line of tests/cases/ops.txt on the double reference: shape or error, gradient and gradient of the
 * gradient by central differences along random directions, closure of the op table under differentiation. No
 * device is needed. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/opcase.h"
#include "graph/graph.h"

#define STEP 1e-4 /* of differences: far below the 1/128 that values keep from kinks */

static gs_opcase *cases;
static int n_cases;

static int setup(void **state)
{
    (void)state;
    assert_ok(gs_opcases_parse(gs__opcases_text, &cases, &n_cases));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gs_opcases_free(cases, n_cases);
    return 0;
}

/* ---- one case as a scalar function of its operands ---- */

typedef struct problem {
    gs_graph *g;
    gs_node *x[GS_OPCASE_OPERANDS + 1]; /* the operands, then the seed */
    double *at[GS_OPCASE_OPERANDS + 1]; /* their values */
    int n;                              /* operands and seed */
    gs_node *y;
    gs_ref_feed feed[64];
    double *fed[64];                    /* owned */
    int n_feeds;
} problem;

static double *doubles(const gs_node *n, const void *data)
{
    const int64_t count = gs_shape_count(n->shape);
    double *d = gs_xalloc((size_t)count * sizeof *d);

    for (int64_t i = 0; i < count; i++)
        d[i] = n->dtype == GS_F32 ? (double)((const float *)data)[i] : (double)((const int32_t *)data)[i];
    return d;
}

static void feed(problem *p, gs_node *node, double *data)
{
    assert_true(p->n_feeds < 64);
    p->feed[p->n_feeds] = (gs_ref_feed){ node, data };
    p->fed[p->n_feeds++] = data;
}

/* A tensor fed with a fixed random direction. */
static gs_node *direction(problem *p, const gs_opcase *c, int which, const char *name, gs_shape shape)
{
    const int64_t count = gs_shape_count(shape);
    float *data = gs_xalloc((size_t)count * sizeof *data);
    gs_node *n = gs_input(p->g, name, shape, GS_F32);

    gs_opcase_direction(c, which, count, data);
    feed(p, n, doubles(n, data));
    free(data);
    return n;
}

static void problem_open(problem *p, const gs_opcase *c)
{
    *p = (problem){ .g = gs_graph_new() };
    for (int i = 0; i < c->n_operands; i++) {
        void *data = gs_xalloc((size_t)gs_shape_count(c->operand[i].shape) * 4);

        p->x[i] = gs_input(p->g, c->operand[i].name, c->operand[i].shape, c->operand[i].dtype);
        gs_opcase_values(c, i, data);
        p->at[i] = doubles(p->x[i], data);
        feed(p, p->x[i], p->at[i]);
        free(data);
    }
    p->n = c->n_operands;
    p->y = gs_opcase_build(c, p->g, p->x);
    for (int i = 0; i < p->g->n_vars; i++) {
        gs_var *v = p->g->vars[i];
        float *data = gs_xalloc((size_t)gs_shape_count(v->shape) * 4);

        gs_init_fill(v, 1, data);
        feed(p, v->initial, doubles(v->initial, data));
        free(data);
    }
}

static void problem_close(problem *p)
{
    for (int i = 0; i < p->n_feeds; i++) free(p->fed[i]);
    gs_graph_free(p->g);
}

static double scalar(problem *p, gs_node *n)
{
    gs_ref_result r;
    double v;

    assert_ok(gs_ref_eval(p->g, &n, 1, p->feed, p->n_feeds, 1, 2, &r));
    v = r.value[n->id][0];
    gs_ref_free(&r);
    return v;
}

/* The derivative of the scalar s by operand k along d, by differences and as <gradient, d>. */
static void hold(problem *p, const gs_opcase *c, const char *what, gs_node *s, gs_node *gradient, int k, int which)
{
    const int64_t count = gs_shape_count(p->x[k]->shape);
    double *keep = gs_xalloc((size_t)count * sizeof *keep), analytic = 0, terms = 0, numeric, size;
    float *d = gs_xalloc((size_t)count * sizeof *d);
    gs_ref_result r;

    gs_opcase_direction(c, which, count, d);
    memcpy(keep, p->at[k], (size_t)count * sizeof *keep);
    assert_ok(gs_ref_eval(p->g, &gradient, 1, p->feed, p->n_feeds, 1, 2, &r));
    for (int64_t i = 0; i < count; i++) {
        analytic += r.value[gradient->id][i] * d[i];
        terms += fabs(r.value[gradient->id][i] * d[i]);
    }
    gs_ref_free(&r);
    for (int64_t i = 0; i < count; i++) p->at[k][i] = keep[i] + STEP * d[i];
    numeric = scalar(p, s);
    for (int64_t i = 0; i < count; i++) p->at[k][i] = keep[i] - STEP * d[i];
    size = fabs(numeric);
    numeric = (numeric - scalar(p, s)) / (2 * STEP);
    memcpy(p->at[k], keep, (size_t)count * sizeof *keep);
    if (!(fabs(numeric - analytic) <= 1e-6 * terms + 1e-10 * (1 + size)))
        fail_msg("line %d: %s: %s by operand %d: %.12g by differences, %.12g by the rule", c->line, c->text, what, k,
                 numeric, analytic);
    free(keep);
    free(d);
}

/* sum of x * seed, as a scalar */
static gs_node *weighed(gs_node *x, gs_node *seed)
{
    return gs_sum(gs_mul(x, seed), GS_ALL, false);
}

static bool differentiable(const gs_opcase *c, const problem *p)
{
    bool any = false;

    for (int i = 0; i < c->n_operands; i++) any = any || gs_opcase_wants_grad(c, i);
    return any && p->y->dtype == GS_F32;
}

/* Builds s = <y, seed>, its gradients, and t = sum over operands of <gradient, direction> with its gradients. */
typedef struct gradients {
    gs_node *s, *t, *first[GS_OPCASE_OPERANDS], *second[GS_OPCASE_OPERANDS + 1];
} gradients;

static void differentiate(problem *p, const gs_opcase *c, gradients *d)
{
    gs_node *wrt[GS_OPCASE_OPERANDS + 1], *out[GS_OPCASE_OPERANDS + 1];
    int index[GS_OPCASE_OPERANDS + 1], n = 0;

    *d = (gradients){ 0 };
    p->x[p->n] = direction(p, c, 100, "seed", p->y->shape);
    p->at[p->n] = p->fed[p->n_feeds - 1];
    d->s = weighed(p->y, p->x[p->n]);
    for (int i = 0; i < c->n_operands; i++)
        if (gs_opcase_wants_grad(c, i)) {
            index[n] = i;
            wrt[n++] = p->x[i];
        }
    gs_grad(d->s, wrt, n, out);
    for (int i = 0; i < n; i++) {
        char name[16];
        gs_node *term;

        snprintf(name, sizeof name, "r%d", i);
        d->first[index[i]] = out[i];
        assert_true(gs_shape_equal(out[i]->shape, wrt[i]->shape));
        term = weighed(out[i], direction(p, c, 101 + i, name, wrt[i]->shape));
        d->t = d->t ? gs_add(d->t, term) : term;
    }
    index[n] = p->n;
    wrt[n++] = p->x[p->n];
    gs_grad(d->t, wrt, n, out);
    for (int i = 0; i < n; i++) d->second[index[i]] = out[i];
    assert_ok(gs_graph_status(p->g));
}

/* ---- the tests ---- */

static void test_shapes_and_errors(void **state)
{
    int errors = 0;

    (void)state;
    for (int i = 0; i < n_cases; i++) {
        const gs_opcase *c = &cases[i];
        char a[96], b[96];
        gs_status st;
        problem p;

        problem_open(&p, c);
        st = gs_graph_status(p.g);
        if (c->error[0]) {
            errors++;
            if (st == GS_OK) fail_msg("line %d: %s: no error", c->line, c->text);
            if (!gs_test_contains(gs_last_error(), c->error))
                fail_msg("line %d: wanted \"%s\", got \"%s\"", c->line, c->error, gs_last_error());
        } else {
            if (st != GS_OK) fail_msg("line %d: %s: %s", c->line, c->text, gs_last_error());
            if (!gs_shape_equal(p.y->shape, c->shape))
                fail_msg("line %d: %s: gives %s, wanted %s", c->line, c->text, gs_shape_text(p.y->shape, a),
                         gs_shape_text(c->shape, b));
        }
        problem_close(&p);
    }
    assert_true(errors > 30 && n_cases - errors > 150);
}

static void test_gradients(void **state)
{
    int checked = 0;

    (void)state;
    for (int i = 0; i < n_cases; i++) {
        const gs_opcase *c = &cases[i];
        gradients d;
        problem p;

        if (c->error[0] || !gs_opcase_smooth(c)) continue;
        problem_open(&p, c);
        if (differentiable(c, &p)) {
            differentiate(&p, c, &d);
            for (int k = 0; k < p.n; k++) {
                if (!d.first[k]) continue;
                for (int which = 0; which < 2; which++) {
                    hold(&p, c, "gradient", d.s, d.first[k], k, 200 + which);
                    hold(&p, c, "gradient of the gradient", d.t, d.second[k], k, 210 + which);
                }
                checked++;
            }
            hold(&p, c, "gradient of the gradient", d.t, d.second[p.n], p.n, 220);
        }
        problem_close(&p);
    }
    assert_true(checked > 120);
}

/* Along coordinate axes too, so that a rule cannot be right on the average only: one operand element at a time. */
static void test_gradient_elements(void **state)
{
    static const char *const some[] = { "leaky_relu", "div",        "max",      "cumsum", "permute",
                                        "conv2d",     "max_pool2d", "resize2d", "pow" };
    unsigned done = 0;

    (void)state;
    for (int i = 0; i < n_cases; i++) {
        const gs_opcase *c = &cases[i];
        unsigned which = 0;
        gradients d;
        problem p;

        while (which < GS_COUNT(some) && strcmp(some[which], gs_opcase_name(c)) != 0) which++;
        if (which == GS_COUNT(some) || (done & 1u << which) || c->error[0] || !gs_opcase_smooth(c)) continue;
        problem_open(&p, c);
        differentiate(&p, c, &d);
        for (int k = 0; k < c->n_operands; k++) {
            const int64_t count = gs_shape_count(p.x[k]->shape);
            gs_ref_result r;

            assert_ok(gs_ref_eval(p.g, &d.first[k], 1, p.feed, p.n_feeds, 1, 2, &r));
            for (int64_t e = 0; e < count; e++) {
                const double x = p.at[k][e];
                double numeric;

                p.at[k][e] = x + STEP;
                numeric = scalar(&p, d.s);
                p.at[k][e] = x - STEP;
                numeric = (numeric - scalar(&p, d.s)) / (2 * STEP);
                p.at[k][e] = x;
                if (!(fabs(numeric - r.value[d.first[k]->id][e]) <= 1e-6 * (1 + fabs(numeric))))
                    fail_msg("line %d: %s: operand %d, element %lld: %.10g by differences, %.10g by the rule", c->line,
                             c->text, k, (long long)e, numeric, r.value[d.first[k]->id][e]);
            }
            gs_ref_free(&r);
        }
        problem_close(&p);
        done |= 1u << which;
    }
    assert_int_equal(done, (1u << GS_COUNT(some)) - 1);
}

/* Ties are decided as the headers say: values by hand. */
static void test_ties(void **state)
{
    gs_graph *g = gs_graph_new();
    static const double a[] = { 1, 2, 3 }, b[] = { 1, 3, 2 }, z[] = { 0, -1, 2 }, m[] = { 5, 7, 7 };
    gs_node *xa = gs_input(g, "a", GS_SHAPE(3), GS_F32), *xb = gs_input(g, "b", GS_SHAPE(3), GS_F32);
    gs_node *xz = gs_input(g, "z", GS_SHAPE(3), GS_F32), *xm = gs_input(g, "m", GS_SHAPE(3), GS_F32);
    const gs_ref_feed feeds[] = { { xa, a }, { xb, b }, { xz, z }, { xm, m } };
    static const double want[8][3] = { { 1, 0, 1 },       { 0, 1, 0 }, { 1, 1, 0 }, { 0, 0, 1 },
                                       { 0.25, 0.25, 1 }, { 0, 0, 1 }, { 1, 1, 0 }, { 0, 1, 0 } };
    gs_node *d[8];
    gs_ref_result r;

    (void)state;
    gs_grad(gs_max2(xa, xb), (gs_node *[]){ xa, xb }, 2, d);
    gs_grad(gs_min2(xa, xb), (gs_node *[]){ xa, xb }, 2, d + 2);
    gs_grad(gs_leaky_relu(xz, 0.25), &xz, 1, d + 4);
    gs_grad(gs_relu(xz), &xz, 1, d + 5);
    gs_grad(gs_clamp(xz, -1, 0), &xz, 1, d + 6);
    gs_grad(gs_max(xm, 0, false), &xm, 1, d + 7);
    assert_ok(gs_ref_eval(g, d, 8, feeds, 4, 0, 0, &r));
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < 3; k++)
            if (r.value[d[i]->id][k] != want[i][k])
                fail_msg("gradient %d, element %d: %g, wanted %g", i, k, r.value[d[i]->id][k], want[i][k]);
    gs_ref_free(&r);
    gs_graph_free(g);
}

/* ---- closure ---- */

static void note(const gs_graph *g, bool *seen)
{
    for (int i = 0; i < g->n_nodes; i++) seen[gs_op_id_of(g->nodes[i]->op)] = true;
}

static void test_closure(void **state)
{
    bool seen[GS_OP_COUNT] = { false };

    (void)state;
    for (int i = 0; i < GS_OP_COUNT; i++) {
        const gs_op *op = gs_op_table[i];
        const bool cut = op->flags & GS_F_NO_GRAD;

        assert_int_equal(gs_op_id_of(op), i);
        assert_true(op->infer && op->ref && op->formula && strlen(op->formula) > 2);
        if (cut == (op->grad != NULL)) fail_msg("%s: either a rule or GS_F_NO_GRAD", op->name);
        if (cut && (!op->no_grad || strlen(op->no_grad) < 5)) fail_msg("%s: GS_F_NO_GRAD without a reason", op->name);
        if ((op->flags & GS_F_ELEMENTWISE) && !op->expr) fail_msg("%s: elementwise without an expression", op->name);
        if ((op->flags & GS_F_SOURCE) && op->n_in != 0) fail_msg("%s: a source with operands", op->name);
        for (int k = 0; k < i; k++) assert_string_not_equal(op->name, gs_op_table[k]->name);
    }
    /* whatever a rule emits, to the second derivative, went through a rule of the table; the third is built, too */
    for (int i = 0; i < n_cases; i++) {
        const gs_opcase *c = &cases[i];
        gradients d;
        problem p;

        if (c->error[0]) continue;
        problem_open(&p, c);
        if (differentiable(c, &p)) {
            gs_node *third[GS_OPCASE_OPERANDS + 1];

            differentiate(&p, c, &d);
            for (int k = 0; k <= c->n_operands; k++)
                if (d.second[k])
                    gs_grad(gs_sum(gs_square(d.second[k]), GS_ALL, false), (gs_node *[]){ p.x[p.n] }, 1, third);
            assert_ok(gs_graph_status(p.g));
        }
        note(p.g, seen);
        problem_close(&p);
    }
    for (int i = 0; i < GS_OP_COUNT; i++)
        if (!seen[i]) fail_msg("op %s occurs in no case of tests/cases/ops.txt", gs_op_table[i]->name);
}

/* ---- random numbers ---- */

static void statistics(gs_node *n, int64_t count, double *mean, double *var, double *lo, double *hi)
{
    gs_ref_result r;

    assert_ok(gs_ref_eval(n->graph, &n, 1, NULL, 0, 11, 3, &r));
    *mean = *var = 0;
    *lo = *hi = r.value[n->id][0];
    for (int64_t i = 0; i < count; i++) {
        const double x = r.value[n->id][i];

        *mean += x / (double)count;
        *lo = GS_MIN(*lo, x);
        *hi = GS_MAX(*hi, x);
    }
    for (int64_t i = 0; i < count; i++) *var += pow(r.value[n->id][i] - *mean, 2) / (double)count;
    gs_ref_free(&r);
}

/* Bounds of five standard errors. */
static void test_random(void **state)
{
    enum { N = 100000 };
    const double root = sqrt(N);
    gs_graph *g = gs_graph_new();
    double mean, var, lo, hi;
    gs_node *a, *b;
    gs_ref_result r;
    int equal = 0;

    (void)state;
    statistics(gs_random_uniform(g, GS_SHAPE(N)), N, &mean, &var, &lo, &hi);
    assert_true(lo >= 0 && hi < 1 && fabs(mean - 0.5) < 5 * sqrt(1.0 / 12) / root &&
                fabs(var - 1.0 / 12) < 5 * 0.0745 / root);
    statistics(gs_random_normal(g, GS_SHAPE(N)), N, &mean, &var, &lo, &hi);
    assert_true(fabs(mean) < 5 / root && fabs(var - 1) < 5 * sqrt(2) / root && lo < -3.5 && hi > 3.5 && hi < 6);
    statistics(gs_random_bernoulli(g, GS_SHAPE(N), 0.3), N, &mean, &var, &lo, &hi);
    assert_true(lo == 0 && hi == 1 && fabs(mean - 0.3) < 5 * sqrt(0.21) / root);
    statistics(gs_random_int(g, GS_SHAPE(N), 7), N, &mean, &var, &lo, &hi);
    assert_true(lo == 0 && hi == 6 && fabs(mean - 3) < 5 * 2 / root);

    /* streams differ; the same node repeats; another step differs */
    a = gs_random_uniform(g, GS_SHAPE(1000));
    b = gs_random_uniform(g, GS_SHAPE(1000));
    assert_ok(gs_ref_eval(g, (gs_node *[]){ a, b }, 2, NULL, 0, 11, 3, &r));
    for (int i = 0; i < 1000; i++) {
        const uint32_t stream = (uint32_t)a->attr.i[0];

        equal += r.value[a->id][i] == r.value[b->id][i];
        assert_true(r.value[a->id][i] == gs_random_element(GS_OP_random_uniform, 11, 3, stream, (uint64_t)i, 0));
        equal += r.value[a->id][i] == gs_random_element(GS_OP_random_uniform, 11, 4, stream, (uint64_t)i, 0);
        equal += r.value[a->id][i] == gs_random_element(GS_OP_random_uniform, 12, 3, stream, (uint64_t)i, 0);
    }
    assert_true(equal <= 2);
    gs_ref_free(&r);
    gs_graph_free(g);
}

/* ---- the parser of cases, which also reads what a user may write ---- */

static void test_parser(void **state)
{
    static const struct { const char *line, *error; } bad[] = {
        { "conv2d x=2,3,9,7 w=4,3,3,3", "no ->" },
        { "conv9d x=2 -> 2", "no such builder: \"conv9d\"" },
        { "conv2d x=2,3,9,7 -> 2,4,5,4", "operand is missing: \"w\"" },
        { "conv2d x=2,3,9,7 w=4,3,3,3 strife=2 -> 2,4,5,4", "no such operand or option: \"strife\"" },
        { "exp x=0 -> 0", "bad dims" },
        { "exp x=2,-3 -> 2", "bad dims" },
        { "exp x=99999999999999999999 -> 2", "bad dims" },
        { "exp x=1,1,1,1,1,1,1 -> 2", "bad dims" },
        { "exp x=1048576,1048576 -> 2", "too large" },
        { "exp x=odd:3 -> 3", "unknown kind" },
        { "exp x=veryveryodd:3 -> 3", "unknown kind" },
        { "exp x=3 x=3 -> 3", "twice" },
        { "exp x -> 3", "NAME=VALUE" },
        { "exp x=3 -> 3 tol=0", "tol=NUMBER" },
        { "exp x=3 -> 3 tolerance=1", "tol=NUMBER" },
        { "exp x=3 -> error \"\"", "TEXT" },
        { "exp x=3 ->", "bad dims" },
    };
    gs_opcase c, *list;
    int n;

    (void)state;
    for (size_t i = 0; i < GS_COUNT(bad); i++)
        assert_fails(gs_opcase_parse(bad[i].line, 7, &c), GS_EFORMAT, bad[i].error);
    assert_true(gs_test_contains(gs_last_error(), "line 7"));
    assert_fails(gs_opcases_parse("# ok\n\nexp x=3 -> 3\nlog\n", &list, &n), GS_EFORMAT, "line 4");
    assert_null(list);
    assert_ok(gs_opcase_parse("conv2d x=2,3,9,7 w=pos:4,3,3,3 stride=2 -> 2,4,4,3 tol=1e-5", 1, &c));
    assert_string_equal(c.operand[1].kind, "pos");
    assert_true(c.n_operands == 2 && c.n_options == 1 && c.tol == 1e-5 && gs_opcase_tolerance(&c) == 1e-5);
    gs_opcase_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parser),
        cmocka_unit_test(test_shapes_and_errors),
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_gradient_elements),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_closure),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
