/* The graph itself: naming, errors, variables, gradients as a transformation, initial values, resampling
 * tables, the printed op table. What each op computes is tested by test_ops_ref.c. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/graph.h"

/* ---- shapes, scopes, errors ---- */

static void test_shapes(void **state)
{
    const gs_shape s = GS_SHAPE(2, 3, 5);
    int64_t st[GS_MAX_DIMS];
    char text[96];

    (void)state;
    assert_int_equal(gs_shape_count(s), 30);
    assert_int_equal(gs_shape_count(GS_SCALAR), 1);
    assert_string_equal(gs_shape_text(s, text), "2,3,5");
    assert_string_equal(gs_shape_text(GS_SCALAR, text), "scalar");
    gs__strides(s, st);
    assert_true(st[0] == 15 && st[1] == 5 && st[2] == 1 && st[3] == 0);
    assert_true(gs_shape_equal(s, GS_SHAPE(2, 3, 5)));
    assert_false(gs_shape_equal(s, GS_SHAPE(2, 3)));
    assert_false(gs_shape_equal(s, GS_SHAPE(2, 3, 4)));
}

static void test_errors(void **state)
{
    gs_graph *g = gs_graph_new();
    gs_node *x, *bad, *out[2];

    (void)state;
    assert_ok(gs_graph_status(g));
    gs_scope_push(g, "G");
    gs_scope_push(g, "up_%d", 2);
    x = gs_input(g, "x", GS_SHAPE(1, 64, 8, 8), GS_F32);
    bad = gs_conv2d(x, gs_input(g, "w", GS_SHAPE(3, 128, 3, 3), GS_F32), NULL);
    assert_true(bad->poisoned);
    gs_scope_pop(g);

    /* poison goes through every kind of builder, and the first message stays */
    assert_true(gs_relu(bad)->poisoned && gs_add(x, bad)->poisoned && gs_add(bad, x)->poisoned);
    assert_true(gs_select(x, x, bad)->poisoned && gs_sum(bad, GS_ALL, false)->poisoned &&
                gs_mean(bad, 1, true)->poisoned);
    assert_true(gs_reshape(bad, GS_SHAPE(3))->poisoned && gs_permute(bad, (int[]){ 0 })->poisoned);
    assert_true(gs_concat((gs_node *[]){ x, bad }, 2, 1)->poisoned && gs_slice(bad, 3, 0, 1)->poisoned);
    assert_true(gs_matmul(bad, bad, false, false)->poisoned && gs_conv2d(bad, bad, NULL)->poisoned);
    assert_true(gs_conv_transpose2d(x, bad, NULL)->poisoned && gs_one_hot(bad, 3)->poisoned &&
                gs_cast(bad, GS_I32)->poisoned);
    assert_true(gs_max_pool2d(bad, &(gs_pool_opts){ .kernel = 2 })->poisoned &&
                gs_resize2d(bad, GS_AREA, 3, 3)->poisoned);
    assert_true(gs_pad2d(bad, GS_PAD_REFLECT, 1, 1, 1, 1)->poisoned && gs_pad(bad, 5, 1, 1)->poisoned);
    assert_true(gs_broadcast_to(bad, GS_SHAPE(3))->poisoned && gs_sum_to(bad, GS_SHAPE(3))->poisoned);
    assert_true(gs_gather(bad, bad)->poisoned && gs_scatter_add(bad, bad, 0)->poisoned &&
                gs_clamp(bad, 1, 0)->poisoned);
    assert_true(gs_gelu(bad)->poisoned && gs_max(bad, 9, false)->poisoned && gs_transpose(bad, 7, 8)->poisoned);
    assert_int_equal(gs_node_dim(bad, 3), 1);
    gs_moments(bad, GS_ALL, &out[0], &out[1]);
    assert_true(out[0]->poisoned && out[1]->poisoned);
    gs_grad(bad, &x, 1, out);
    assert_true(out[0]->poisoned);
    gs_grad(x, (gs_node *[]){ x, bad }, 2, out);
    assert_true(out[0]->poisoned && out[1]->poisoned);
    gs_output(g, "y", bad);
    assert_fails(gs_graph_status(g), GS_ESHAPE, "G.up_2: conv2d: w wants 128 channels, x has 64");
    gs_graph_free(g);
    gs_graph_free(NULL);
}

/* Each call is the first error of a fresh graph. */
static void test_more_errors(void **state)
{
    const gs_init zero = { GS_INIT_CONST, 0, 0 };

    (void)state;
    for (int k = 0; k < 10; k++) {
        static const char *const want[] = { "input: the name x is taken",
                                            "output: the name y is taken",
                                            "no scope is open",
                                            "another graph",
                                            "operands belong to two graphs",
                                            "no axis 3 in shape 2,3",
                                            "grad: y is int32",
                                            "the incoming gradient is 3, y is 2,3",
                                            "the variable w is 2, asked for as 3",
                                            "starts constant and is not trained" };
        gs_graph *g = gs_graph_new(), *h = gs_graph_new();
        gs_node *x = gs_input(g, "x", GS_SHAPE(2, 3), GS_F32), *z = gs_input(h, "z", GS_SHAPE(2, 3), GS_F32), *d;

        switch (k) {
        case 0: gs_input(g, "x", GS_SHAPE(2), GS_I32); break;
        case 1: gs_output(g, "y", x), gs_output(g, "y", x); break;
        case 2: gs_scope_pop(g); break;
        case 3: gs_output(g, "z", z); break;
        case 4: gs_add(x, z); break;
        case 5: gs_node_dim(x, 3); break;
        case 6: gs_grad(gs_argmax(x, 0, false), &x, 1, &d); break;
        case 7: gs_grad_with(x, gs_full(g, GS_SHAPE(3), 1), &x, 1, &d); break;
        case 8:
            gs_variable(g, "w", GS_SHAPE(2), GS_F32, zero, true);
            gs_variable(g, "w", GS_SHAPE(3), GS_F32, zero, true);
            break;
        case 9: gs_variable(g, "n", GS_SHAPE(2), GS_I32, zero, true); break;
        }
        assert_true(gs_graph_status(g) != GS_OK);
        if (!gs_test_contains(gs_last_error(), want[k]))
            fail_msg("%d: wanted \"%s\", got \"%s\"", k, want[k], gs_last_error());
        gs_graph_free(g);
        gs_graph_free(h);
    }
}

/* What changes nothing makes no node. */
static void test_identities(void **state)
{
    gs_graph *g = gs_graph_new();
    gs_node *x = gs_input(g, "x", GS_SHAPE(1, 2, 3, 4), GS_F32);
    const int n = g->n_nodes;

    (void)state;
    assert_ptr_equal(gs_scale(x, 1), x);
    assert_ptr_equal(gs_affine(x, 1, 0), x);
    assert_ptr_equal(gs_powc(x, 1), x);
    assert_ptr_equal(gs_cast(x, GS_F32), x);
    assert_ptr_equal(gs_broadcast_to(x, x->shape), x);
    assert_ptr_equal(gs_sum_to(x, x->shape), x);
    assert_ptr_equal(gs_reshape(x, GS_SHAPE(1, -1, 3, 4)), x);
    assert_ptr_equal(gs_permute(x, (int[]){ 0, 1, 2, 3 }), x);
    assert_ptr_equal(gs_slice(x, -1, 0, 4), x);
    assert_ptr_equal(gs_pad(x, 2, 0, 0), x);
    assert_ptr_equal(gs_concat(&x, 1, 0), x);
    assert_ptr_equal(gs_sum(x, GS_AXIS(0), true), x);
    assert_ptr_equal(gs_resize2d(x, GS_BICUBIC, 3, 4), x);
    assert_ptr_equal(gs_adaptive_avg_pool2d(x, 3, 4), x);
    assert_ptr_equal(gs_avg_pool2d(x, &(gs_pool_opts){ .kernel = 1 }), x);
    assert_ptr_equal(gs_pad2d(x, GS_PAD_REFLECT, 0, 0, 0, 0), x);
    assert_int_equal(g->n_nodes, n);
    assert_ptr_equal(gs_add(x, x)->in[0], x);
    assert_int_equal(g->n_nodes, n + 1);
    assert_ok(gs_graph_status(g));
    gs_graph_free(g);
}

/* ---- variables ---- */

static void test_variables(void **state)
{
    const gs_init init = { GS_INIT_NORMAL, 0, 1 };
    gs_graph *g = gs_graph_new();
    gs_var *list[2], *mean;
    gs_node *w, *first, *second;

    (void)state;
    gs_scope_push(g, "G");
    gs_scope_push(g, "fc");
    w = gs_param(g, "weight", GS_SHAPE(3, 2), init);
    assert_ptr_equal(gs_param(g, "weight", GS_SHAPE(3, 2), init), w);
    mean = gs_variable(g, "mean", GS_SHAPE(3), GS_F32, init, false);
    gs_scope_pop(g);
    gs_scope_pop(g);
    gs_param(g, "D.weight", GS_SCALAR, init);
    assert_string_equal(gs_var_name(mean), "G.fc.mean");
    assert_true(gs_shape_equal(gs_var_shape(mean), GS_SHAPE(3)));
    assert_int_equal(gs_trainable(g, NULL, NULL, 0), 2);
    assert_int_equal(gs_trainable(g, "G.", list, 2), 1);
    assert_string_equal(gs_var_name(list[0]), "G.fc.weight");
    assert_int_equal(gs_variables(g, "G.", list, 1), 2);
    assert_int_equal(gs_variables(g, "", NULL, 0), 3);
    assert_int_equal(gs_variables(g, "X", NULL, 0), 0);

    assert_ptr_equal(gs_read(mean), mean->initial);
    assert_null(mean->assigned);
    first = gs_scale(gs_read(mean), 2);
    gs_assign(mean, first);
    assert_ptr_equal(gs_read(mean), first);
    second = gs_affine(gs_read(mean), 1, 1);
    gs_assign(mean, second);
    assert_ptr_equal(gs_read(mean), second);
    assert_ptr_equal(mean->assigned->in[0], second);
    assert_ok(gs_graph_status(g));
    gs_assign(mean, w);
    assert_fails(gs_graph_status(g), GS_ESHAPE, "assign: G.fc.mean is 3, the value is 3,2");
    assert_ptr_equal(gs_read(mean), second);
    gs_graph_free(g);
}

/* ---- gradients ---- */

static void eval(gs_graph *g, gs_node *n, const gs_ref_feed *feeds, int n_feeds, double *out)
{
    gs_ref_result r;

    assert_ok(gs_ref_eval(g, &n, 1, feeds, n_feeds, 1, 1, &r));
    memcpy(out, r.value[n->id], (size_t)gs_shape_count(n->shape) * sizeof *out);
    gs_ref_free(&r);
}

static void test_grad_paths(void **state)
{
    gs_graph *g = gs_graph_new();
    gs_node *a = gs_input(g, "a", GS_SCALAR, GS_F32), *b = gs_input(g, "b", GS_SCALAR, GS_F32);
    gs_node *c = gs_input(g, "c", GS_SHAPE(2), GS_F32);
    const double va = 3, vb = 5;
    const gs_ref_feed feeds[] = { { a, &va }, { b, &vb } };
    gs_node *m = gs_mul(a, b), *y = gs_add(gs_mul(m, a), gs_detach(gs_mul(b, b))), *d[4];
    double v;
    int before;

    (void)state;
    gs_grad(y, (gs_node *[]){ a, b, m, c }, 4, d);
    for (int i = 0; i < 4; i++) assert_string_equal(d[i]->scope, "grad");
    eval(g, d[0], feeds, 2, &v);
    assert_true(v == 2 * va * vb); /* y = a^2 b + const */
    eval(g, d[1], feeds, 2, &v);
    assert_true(v == va * va);
    eval(g, d[2], feeds, 2, &v);
    assert_true(v == va); /* by an intermediate node: m a */
    assert_true(GS_IS(d[3], full) && d[3]->attr.f[0] == 0 && gs_shape_equal(d[3]->shape, c->shape));

    gs_grad(y, &y, 1, d); /* by itself */
    eval(g, d[0], NULL, 0, &v);
    assert_true(v == 1);
    gs_grad_with(y, gs_const(g, -2), &b, 1, d);
    eval(g, d[0], feeds, 2, &v);
    assert_true(v == -2 * va * va);
    gs_grad(m, &y, 1, d); /* y is built after m */
    assert_true(GS_IS(d[0], full) && d[0]->attr.f[0] == 0);

    /* frozen parts build nothing: a deep tower over b, the gradient by a */
    y = b;
    for (int i = 0; i < 50; i++) y = gs_tanh(y);
    y = gs_add(y, gs_scale(a, 3));
    before = g->n_nodes;
    gs_grad(y, &a, 1, d);
    assert_true(g->n_nodes - before <= 4);

    /* one operand twice */
    gs_grad(gs_mul(a, a), (gs_node *[]){ a, a }, 2, d);
    eval(g, d[0], feeds, 1, &v);
    assert_true(v == 2 * va);
    assert_ptr_equal(d[0], d[1]);
    assert_int_equal(g->n_scopes, 0);
    assert_ok(gs_graph_status(g));
    gs_graph_free(g);
}

static void test_grad_of_assigned(void **state)
{
    const gs_init one = { GS_INIT_CONST, 1, 0 };
    gs_graph *g = gs_graph_new();
    gs_var *v = gs_variable(g, "w", GS_SCALAR, GS_F32, one, true);
    gs_node *d[2], *now;
    const double w = 4;
    const gs_ref_feed feed = { v->initial, &w };
    double value;

    (void)state;
    gs_assign(v, gs_scale(gs_read(v), 3));
    now = gs_read(v);
    gs_grad(gs_square(gs_read(v)), (gs_node *[]){ now, v->initial }, 2, d);
    eval(g, d[0], &feed, 1, &value);
    assert_true(value == 2 * 3 * w); /* by the value after the assignment */
    eval(g, d[1], &feed, 1, &value);
    assert_true(value == 18 * w);
    assert_fails(gs_ref_eval(g, d, 1, NULL, 0, 0, 0, &(gs_ref_result){ 0 }), GS_EINVAL, "variable w is not fed");
    gs_graph_free(g);
}

/* ---- the gradient penalty: mean squared norm of dD/dx, differentiated by the weights ---- */

enum { WEIGHTS = 7 };

typedef struct critic {
    gs_graph *g;
    gs_node *x, *w[WEIGHTS], *penalty;
} critic;

/* u^T W v with the power iteration's vectors taken as constants, as spectral norm does. */
static gs_node *divided_by_sigma(gs_node *w, gs_node *u, gs_node *v)
{
    const int64_t o = gs_node_dim(w, 0);
    gs_node *m = gs_reshape(w, GS_SHAPE(o, gs_shape_count(w->shape) / o));
    gs_node *sigma = gs_matmul(gs_matmul(gs_reshape(u, GS_SHAPE(1, o)), m, false, false),
                               gs_reshape(v, GS_SHAPE(gs_node_dim(m, 1), 1)), false, false);

    return gs_div(w, gs_reshape(sigma, GS_SCALAR));
}

static gs_node *vec_to_map(gs_node *v)
{
    return gs_reshape(v, GS_SHAPE(1, gs_node_dim(v, 0), 1, 1));
}

/* x (2,2,8,8): conv/sigma, batch norm, leaky relu, average pooling, conv, max pooling, leaky relu, linear. */
static critic make_critic(void)
{
    static const gs_shape shapes[WEIGHTS] = { GS_SHAPE(4, 2, 3, 3), GS_SHAPE(4),     GS_SHAPE(4), GS_SHAPE(3, 4, 3, 3),
                                              GS_SHAPE(3),          GS_SHAPE(12, 1), GS_SHAPE(4) };
    critic c = { .g = gs_graph_new() };
    const unsigned all_but_channels = GS_AXIS(0) | GS_AXIS(2) | GS_AXIS(3);
    float u[4] = { 0.5f, -0.5f, 0.1f, 0.7f }, v[18];
    gs_node *h, *mean, *var, *dx;

    for (int i = 0; i < 18; i++) v[i] = (float)sin(i + 1) / 3;
    c.x = gs_input(c.g, "x", GS_SHAPE(2, 2, 8, 8), GS_F32);
    for (int i = 0; i < WEIGHTS; i++) {
        char name[8];

        snprintf(name, sizeof name, "w%d", i);
        c.w[i] = gs_input(c.g, name, shapes[i], GS_F32);
    }
    h = gs_conv2d(c.x, divided_by_sigma(c.w[0], gs_const_data(c.g, GS_SHAPE(4), GS_F32, u),
                                        gs_const_data(c.g, GS_SHAPE(18), GS_F32, v)), &(gs_conv2d_opts){ .pad = 1 });
    h = gs_add(h, vec_to_map(c.w[6]));
    gs_moments(h, all_but_channels, &mean, &var);
    h = gs_mul(gs_sub(h, mean), gs_rsqrt(gs_affine(var, 1, 1e-5)));
    h = gs_add(gs_mul(h, vec_to_map(c.w[1])), vec_to_map(c.w[2]));
    h = gs_avg_pool2d(gs_leaky_relu(h, 0.2), &(gs_pool_opts){ .kernel = 2 });
    h = gs_add(gs_conv2d(h, c.w[3], &(gs_conv2d_opts){ .pad = 1 }), vec_to_map(c.w[4]));
    h = gs_leaky_relu(gs_max_pool2d(h, &(gs_pool_opts){ .kernel = 2 }), 0.2);
    h = gs_matmul(gs_reshape(h, GS_SHAPE(2, 12)), c.w[5], false, false);
    h = gs_tanh(h);
    gs_grad(h, &c.x, 1, &dx);
    c.penalty = gs_mean(gs_sum(gs_square(dx), GS_AXIS(1) | GS_AXIS(2) | GS_AXIS(3), false), GS_ALL, false);
    assert_ok(gs_graph_status(c.g));
    return c;
}

static void test_gradient_penalty(void **state)
{
    critic c = make_critic();
    gs_node *d[WEIGHTS + 1], *wrt[WEIGHTS + 1];
    gs_ref_feed feeds[WEIGHTS + 1];
    double *data[WEIGHTS + 1];
    gs_rng rng = { .seed = 2 };
    gs_ref_result r;

    (void)state;
    for (int i = 0; i <= WEIGHTS; i++) {
        wrt[i] = i < WEIGHTS ? c.w[i] : c.x;
        const int64_t count = gs_shape_count(wrt[i]->shape);

        data[i] = gs_xalloc((size_t)count * sizeof(double));
        for (int64_t k = 0; k < count; k++) data[i][k] = 0.5 * gs_rng_normal(&rng) + (i == 1);
        feeds[i] = (gs_ref_feed){ wrt[i], data[i] };
    }
    gs_grad(c.penalty, wrt, WEIGHTS + 1, d);
    assert_ok(gs_ref_eval(c.g, d, WEIGHTS + 1, feeds, WEIGHTS + 1, 1, 1, &r));
    for (int i = 0; i <= WEIGHTS; i++) {
        const int64_t count = gs_shape_count(wrt[i]->shape);
        double largest = 0;

        for (int64_t k = 0; k < count; k++) largest = GS_MAX(largest, fabs(r.value[d[i]->id][k]));
        /* what precedes a batch norm shifts out of it */
        if (i != 6 && largest < 1e-3) fail_msg("tensor %d: gradient of the penalty is zero", i);
        for (int64_t k = 0; k < count; k++) {
            const double keep = data[i][k], h = 1e-5;
            double hi, lo;

            data[i][k] = keep + h;
            eval(c.g, c.penalty, feeds, WEIGHTS + 1, &hi);
            data[i][k] = keep - h;
            eval(c.g, c.penalty, feeds, WEIGHTS + 1, &lo);
            data[i][k] = keep;
            if (!(fabs((hi - lo) / (2 * h) - r.value[d[i]->id][k]) <= 1e-6 * (0.1 + largest)))
                fail_msg("tensor %d, element %lld: %.10g by differences, %.10g by the rules", i, (long long)k,
                         (hi - lo) / (2 * h), r.value[d[i]->id][k]);
        }
    }
    gs_ref_free(&r);
    for (int i = 0; i <= WEIGHTS; i++) free(data[i]);
    gs_graph_free(c.g);
}

/* ---- initial values ---- */

static double *filled(const char *scope, gs_shape shape, gs_init init, uint64_t seed)
{
    gs_graph *g = gs_graph_new();
    const int64_t count = gs_shape_count(shape);
    double *d = gs_xalloc((size_t)count * sizeof *d);
    float *f = gs_xalloc((size_t)count * sizeof *f);

    gs_scope_push(g, "%s", scope);
    gs_init_fill(gs_variable(g, "w", shape, GS_F32, init, true), seed, f);
    for (int64_t i = 0; i < count; i++) d[i] = f[i];
    free(f);
    gs_graph_free(g);
    return d;
}

static void test_init_statistics(void **state)
{
    static const struct { gs_init init; gs_shape shape; double mean, std, limit; } row[] = {
        { { GS_INIT_CONST, 0.25, 0 }, GS_SHAPE(50, 40), 0.25, 0, 0.25 },
        { { GS_INIT_UNIFORM, -1, 3 }, GS_SHAPE(50, 400), 1, 1.1547, 3 },
        { { GS_INIT_NORMAL, 2, 0.5 }, GS_SHAPE(50, 400), 2, 0.5, 9 },
        { { GS_INIT_TORCH_LINEAR, 16, 0 }, GS_SHAPE(50, 400), 0, 0.25 / 1.7320508, 0.25 },
        { { GS_INIT_XAVIER_NORMAL, 2, 0 }, GS_SHAPE(60, 40, 5, 3), 0, 0.0730297, 9 },    /* 2 sqrt(2 / (600 + 900)) */
        { { GS_INIT_XAVIER_UNIFORM, 1, 0 }, GS_SHAPE(60, 40, 5, 3), 0, 0.0365148, 0.0632456 },
        { { GS_INIT_KAIMING_NORMAL, 1.41421356, 0 }, GS_SHAPE(60, 40, 5, 3), 0, 0.0577350, 9 }, /* sqrt(2 / 600) */
        { { GS_INIT_KAIMING_UNIFORM, 1, 0 }, GS_SHAPE(60, 40, 5, 3), 0, 0.0408248, 0.0707107 },
    };

    (void)state;
    for (size_t k = 0; k < GS_COUNT(row); k++) {
        const int64_t n = gs_shape_count(row[k].shape);
        double *d = filled("a", row[k].shape, row[k].init, 7), mean = 0, var = 0, most = 0;

        for (int64_t i = 0; i < n; i++) mean += d[i] / (double)n, most = GS_MAX(most, fabs(d[i]));
        for (int64_t i = 0; i < n; i++) var += (d[i] - mean) * (d[i] - mean) / (double)n;
        if (fabs(mean - row[k].mean) > 5 * row[k].std / sqrt((double)n) + 1e-9 ||
            fabs(sqrt(var) - row[k].std) > 0.03 * row[k].std + 1e-9 || most > row[k].limit * 1.000001 ||
            (row[k].limit < 9 && row[k].std > 0 && most < 0.99 * row[k].limit))
            fail_msg("row %zu: mean %g, std %g, largest %g", k, mean, sqrt(var), most);
        free(d);
    }
}

static void test_init_names(void **state)
{
    const gs_init init = { GS_INIT_NORMAL, 0, 1 };
    double *a = filled("a", GS_SHAPE(9), init, 7), *again = filled("a", GS_SHAPE(9), init, 7);
    double *b = filled("b", GS_SHAPE(9), init, 7), *other = filled("a", GS_SHAPE(9), init, 8);

    (void)state;
    for (int i = 0; i < 9; i++) {
        assert_true(a[i] == again[i]);
        assert_true(a[i] != b[i] && a[i] != other[i]);
    }
    free(a);
    free(again);
    free(b);
    free(other);
}

static void test_init_orthogonal(void **state)
{
    static const gs_shape shapes[] = { GS_SHAPE(7, 5), GS_SHAPE(5, 7), GS_SHAPE(6, 2, 3, 3), GS_SHAPE(1, 1),
                                       GS_SHAPE(33, 33) };
    double *u, norm = 0;

    (void)state;
    for (size_t k = 0; k < GS_COUNT(shapes); k++) {
        const int64_t rows = shapes[k].dim[0], cols = gs_shape_count(shapes[k]) / rows, n = GS_MIN(rows, cols);
        double *d = filled("a", shapes[k], (gs_init){ GS_INIT_ORTHOGONAL, 2, 0 }, 1);

        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) {
                double dot = 0;

                for (int64_t e = 0; e < GS_MAX(rows, cols); e++)
                    dot += rows <= cols ? d[i * cols + e] * d[j * cols + e] : d[e * cols + i] * d[e * cols + j];
                assert_true(fabs(dot - 4 * (i == j)) < 1e-5);
            }
        free(d);
    }
    u = filled("a", GS_SHAPE(65), (gs_init){ GS_INIT_UNIT_NORMAL, 0, 0 }, 1);
    for (int i = 0; i < 65; i++) norm += u[i] * u[i];
    assert_true(fabs(norm - 1) < 1e-6);
    free(u);
}

static void test_init_int(void **state)
{
    gs_graph *g = gs_graph_new();
    gs_var *v = gs_variable(g, "step", GS_SHAPE(3), GS_I32, (gs_init){ GS_INIT_CONST, 16777217, 0 }, false);
    int32_t out[3];

    (void)state;
    gs_init_fill(v, 1, (float *)out);
    assert_true(out[0] == 16777217 && out[2] == 16777217);
    gs_graph_free(g);
}

/* ---- the tables of linmap ---- */

static void dense(const gs_attr *attr, int axis, double *out, int rows, int cols)
{
    gs_linmap_table t;

    gs_linmap_make(attr, axis, &t);
    assert_true(t.rows == rows && t.cols == cols);
    memset(out, 0, (size_t)(rows * cols) * sizeof *out);
    for (int r = 0; r < rows; r++)
        for (int e = t.start[r]; e < t.start[r + 1]; e++) {
            assert_true(t.index[e] >= 0 && t.index[e] < cols);
            assert_true(e == t.start[r] || t.index[e] > t.index[e - 1]);
            out[r * cols + t.index[e]] = t.weight[e];
        }
    gs_linmap_free(&t);
}

/* Known rows of PyTorch's operators, n cells to m. */
static void test_linmap_known(void **state)
{
    static const struct {
        gs_linmap_rule rule;
        int n, m, row, kernel, stride, before, exclude, after;
        double want[6];
    } row[] = {
        { GS_LM_NEAREST, 5, 3, 1, 0, 0, 0, 0, 0, { 0, 1 } },
        { GS_LM_NEAREST, 5, 3, 2, 0, 0, 0, 0, 0, { 0, 0, 0, 1 } },
        { GS_LM_NEAREST, 2, 4, 3, 0, 0, 0, 0, 0, { 0, 1 } },
        { GS_LM_BILINEAR, 2, 4, 0, 0, 0, 0, 0, 0, { 1, 0 } },
        { GS_LM_BILINEAR, 2, 4, 1, 0, 0, 0, 0, 0, { 0.75, 0.25 } },
        { GS_LM_BILINEAR, 2, 4, 3, 0, 0, 0, 0, 0, { 0, 1 } },
        { GS_LM_BILINEAR, 4, 2, 0, 0, 0, 0, 0, 0, { 0.5, 0.5 } },
        /* Keys' kernel with a = -0.75 at a centre of 1.75, and at 0.25 where cell -1 falls on cell 0 */
        { GS_LM_BICUBIC, 4, 8, 4, 0, 0, 0, 0, 0, { -0.03515625, 0.26171875, 0.87890625, -0.10546875 } },
        { GS_LM_BICUBIC, 4, 8, 1, 0, 0, 0, 0, 0, { 0.87890625 - 0.10546875, 0.26171875, -0.03515625, 0 } },
        { GS_LM_ADAPTIVE, 5, 3, 0, 0, 0, 0, 0, 0, { 0.5, 0.5 } },
        { GS_LM_ADAPTIVE, 5, 3, 1, 0, 0, 0, 0, 0, { 0, 1.0 / 3, 1.0 / 3, 1.0 / 3 } },
        { GS_LM_AVG, 5, 3, 0, 3, 2, 1, 0, 1, { 1.0 / 3, 1.0 / 3 } },          /* counts the padding */
        { GS_LM_AVG, 5, 3, 0, 3, 2, 1, 1, 1, { 0.5, 0.5 } },
        { GS_LM_AVG, 6, 4, 3, 3, 2, 1, 0, 1, { 0, 0, 0, 0, 0, 0.5 } },        /* ceil mode: the window ends at the padding's end */
        { GS_LM_AVG, 6, 4, 3, 3, 2, 1, 1, 1, { 0, 0, 0, 0, 0, 1 } },
        { GS_LM_REFLECT, 4, 8, 0, 0, 0, 3, 0, 1, { 0, 0, 0, 1 } },
        { GS_LM_REFLECT, 4, 8, 7, 0, 0, 3, 0, 1, { 0, 0, 1, 0 } },
        { GS_LM_REPLICATE, 4, 8, 0, 0, 0, 3, 0, 1, { 1, 0, 0, 0 } },
        { GS_LM_REPLICATE, 4, 8, 7, 0, 0, 3, 0, 1, { 0, 0, 0, 1 } },
        { GS_LM_BILINEAR_AA, 4, 2, 0, 0, 0, 0, 0, 0, { 3.0 / 7, 3.0 / 7, 1.0 / 7, 0 } }, /* (.75 .75 .25) normalised */
        { GS_LM_BILINEAR_AA, 2, 4, 1, 0, 0, 0, 0, 0, { 0.75, 0.25 } },
    };

    (void)state;
    for (size_t k = 0; k < GS_COUNT(row); k++) {
        const int n = row[k].n, m = row[k].m;
        /* the other axis differs, so that a mix-up of axes shows */
        const gs_attr h = { .i = { row[k].rule, 0, n, 9, m, 7, row[k].kernel, row[k].stride, row[k].before, 0,
                                   row[k].exclude, row[k].after, 0 } };
        const gs_attr w = { .i = { row[k].rule, 0, 9, n, 7, m, row[k].kernel, row[k].stride, 0, row[k].before,
                                   row[k].exclude, 0, row[k].after } };
        double a[64], b[64];

        dense(&h, 0, a, m, n);
        dense(&w, 1, b, m, n);
        for (int i = 0; i < n; i++)
            if (fabs(a[row[k].row * n + i] - row[k].want[i]) > 1e-12 || b[row[k].row * n + i] != a[row[k].row * n + i])
                fail_msg("row %zu, column %d: %.10g and %.10g, wanted %.10g", k, i, a[row[k].row * n + i],
                         b[row[k].row * n + i], row[k].want[i]);
    }
}

/* Every resampling row sums to one, at many sizes; the transposed table is the transpose. */
static void test_linmap_sums(void **state)
{
    static const int sizes[] = { 1, 2, 3, 5, 7, 8, 16, 31, 32, 33, 64, 65 };
    static double a[65 * 65], b[65 * 65];

    (void)state;
    for (int rule = GS_LM_NEAREST; rule <= GS_LM_BICUBIC_AA; rule++)
        for (size_t i = 0; i < GS_COUNT(sizes); i++)
            for (size_t j = 0; j < GS_COUNT(sizes); j++) {
                const int n = sizes[i], m = sizes[j];
                gs_attr attr = { .i = { rule, 0, n, 1, m, 1 } };

                dense(&attr, 0, a, m, n);
                attr.i[1] = 1;
                dense(&attr, 0, b, n, m);
                for (int r = 0; r < m; r++) {
                    double sum = 0;

                    for (int c = 0; c < n; c++) {
                        sum += a[r * n + c];
                        assert_true(a[r * n + c] == b[c * m + r]);
                    }
                    if (fabs(sum - 1) > 1e-12) fail_msg("rule %d, %d to %d: row %d sums to %.12g", rule, n, m, r, sum);
                }
            }
}

/* ---- the printed table ---- */

static void test_docs(void **state)
{
    gs_str md = { 0 }, text = { 0 };
    int rows = 0;

    (void)state;
    gs_ops_markdown(&md);
    gs_ops_text(&text);
    for (int i = 0; i < GS_OP_COUNT; i++) {
        char want[64];

        snprintf(want, sizeof want, "\n| `%s` | ", gs_op_table[i]->name);
        assert_true(gs_test_contains(gs_str_c(&md), want));
        assert_true(gs_test_contains(gs_str_c(&text), gs_op_table[i]->formula));
    }
    for (const char *line = gs_str_c(&md); line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        int bars = 0;

        if (*line != '|') continue;
        for (const char *p = line; *p && *p != '\n'; p++) bars += *p == '|' && (p == line || p[-1] != '\\');
        assert_int_equal(bars, 7); /* six columns */
        rows++;
    }
    assert_int_equal(rows, GS_OP_COUNT + 2);
    gs_str_free(&md);
    gs_str_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_more_errors),
        cmocka_unit_test(test_identities),
        cmocka_unit_test(test_variables),
        cmocka_unit_test(test_grad_paths),
        cmocka_unit_test(test_grad_of_assigned),
        cmocka_unit_test(test_gradient_penalty),
        cmocka_unit_test(test_init_statistics),
        cmocka_unit_test(test_init_names),
        cmocka_unit_test(test_init_orthogonal),
        cmocka_unit_test(test_init_int),
        cmocka_unit_test(test_linmap_known),
        cmocka_unit_test(test_linmap_sums),
        cmocka_unit_test(test_docs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
