/* What simplification does to programs: signs from results, sums that are nothing, factors in front of sums, equal nodes once; and that the numbers
 * stay what they were. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gesso/gesso.h"
#include "graph/graph.h"
#include "lib/graphs.h"
#include "lib/one_device.h"
#include "plan/plan_int.h"

/* The gradient of a layer takes the activation's sign from the layer's result, which the weight's gradient needs anyhow: so the product before it is not
 * kept. A normalisation's operand is kept for its own gradient, and there the sign is computed from it. */
static void signs_come_from_results(void **state)
{
    enum { B = 256, N = 64 };

    (void)state;
    for (int kind = 0; kind < 4; kind++) { /* relu, leaky relu, and with another reader of what they are applied to; normalised */
        gs_plan_stats stats[2];
        float *grad[2] = { NULL, NULL };

        for (int off = 0; off < 2; off++) {
            gs_graph *g = gs_graph_new();
            gs_node *h = gs_input(g, "x", GS_SHAPE(B, N), GS_F32), *dw[3], *loss, *mean, *var, *w[3];
            gs_compile_opts o = { .off = off ? "simplify" : "" };
            gs_device *null;
            gs_store *s;
            gs_plan *p;
            float *x;

            for (int i = 0; i < 3; i++) {
                char name[8];

                snprintf(name, sizeof name, "w%d", i);
                w[i] = gs_param(g, name, GS_SHAPE(N, N), (gs_init){ GS_INIT_NORMAL, 0, 0.1 });
                h = gs_matmul(h, w[i], false, true);
                if (kind == 3) {
                    gs_moments(h, GS_AXIS(0), &mean, &var);
                    h = gs_mul(gs_sub(h, mean), gs_rsqrt(gs_affine(var, 1, 1e-5)));
                }
                if (kind == 2) gs_output(g, name, h);
                h = kind == 0 ? gs_relu(h) : gs_leaky_relu(h, 0.2);
            }
            loss = gs_mean(gs_square(h), GS_ALL, false);
            gs_grad(loss, w, 3, dw);
            gs_output(g, "dw", dw[0]);
            gs_output(g, "dw1", dw[1]);
            gs_output(g, "dw2", dw[2]);
            if (kind == 0) {
                assert_ok(gs_store_new(device, 7, &s));
                assert_ok(gs_compile(g, device, s, &o, &p));
                x = graph_feed(g, 0);
                assert_ok(gs_plan_feed(p, "x", x));
                free(x);
                assert_ok(gs_plan_run(p, 1, 0));
                grad[off] = calloc(N * N, sizeof *grad[off]);
                assert_ok(gs_plan_fetch(p, "dw", grad[off]));
                gs_plan_free(p);
                gs_store_free(s);
            }
            o.dry_run = true;
            assert_ok(gs_device_open("null", &null));
            assert_ok(gs_compile(g, null, NULL, &o, &p));
            stats[off] = gs_plan_get_stats(p);
            gs_plan_free(p);
            gs_graph_free(g);
            gs_device_close(null);
        }
        if (kind < 2) assert_true(stats[0].live_bytes + 4 * B * N <= stats[1].live_bytes);
        else assert_true(stats[0].live_bytes <= stats[1].live_bytes);
        for (int i = 0; i < N * N && grad[0]; i++)
            if (!(fabsf(grad[0][i] - grad[1][i]) <= 1e-6f * (1 + fabsf(grad[1][i]))))
                fail_msg("kind %d: dw[%d] is %g, not %g", kind, i, (double)grad[0][i], (double)grad[1][i]);
        free(grad[0]);
        free(grad[1]);
    }
}

/* What is left when a mean is taken away sums to nothing but rounding, and nothing computes that, however it is scaled; what only looks alike is summed. */
static void deviations_sum_to_nothing(void **state)
{
    enum { B = 7, N = 33, KINDS = 8 };

    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        const bool nothing = kind < 3;
        gs_graph *g = gs_graph_new();
        gs_node *x = graph_fed(g, GS_SHAPE(B, N)), *mean = gs_mean(x, GS_AXIS(1), true), *d = gs_sub(x, mean), *y;
        const gs_compile_opts o = { .off = "" };
        gs_store *s;
        gs_plan *p;
        float *fed, got[B * N];
        bool zero = true;

        switch (kind) {
        case 0: y = gs_sum(d, GS_AXIS(1), true); break;
        case 1: y = gs_sum(gs_mul(graph_fed(g, GS_SHAPE(B, 1)), gs_neg(gs_scale(d, 2.0))), GS_AXIS(1), true); break;
        case 2: y = gs_sum(gs_scale(gs_mul(gs_scale(d, 0.3), gs_exp(mean)), 5.0), GS_AXIS(1), true); break;
        case 3: y = gs_sum(gs_affine(d, 1.0, 0.5), GS_AXIS(1), true); break;
        case 4: y = gs_sum(gs_mul(d, graph_fed(g, GS_SHAPE(B, N))), GS_AXIS(1), true); break;
        case 5: y = gs_sum(d, GS_AXIS(0), true); break;
        case 6: y = gs_sum(gs_sub(graph_fed(g, GS_SHAPE(B, N)), mean), GS_AXIS(1), true); break;
        default: y = gs_sum(gs_sub(x, gs_scale(mean, 0.99)), GS_AXIS(1), true); break;
        }
        gs_output(g, "y", y);
        assert_ok(gs_store_new(device, 7, &s));
        assert_ok(gs_compile(g, device, s, &o, &p));
        for (int i = 0; i < g->n_inputs && !nothing; i++) { /* else no input is in the plan */
            fed = graph_feed(g, i);
            assert_ok(gs_plan_feed(p, g->inputs[i].name, fed));
            free(fed);
        }
        assert_ok(gs_plan_run(p, 1, 0));
        assert_ok(gs_plan_fetch(p, "y", got));
        for (int i = 0; i < gs_shape_count(y->shape); i++) zero = zero && got[i] == 0.0f;
        assert_int_equal(zero, nothing);
        graph_near_reference(g, got, 2e-5, 1e-5, "deviations");
        gs_plan_free(p);
        gs_store_free(s);
        gs_graph_free(g);
    }
}

/* Factors that are the same for all terms of a sum go in front of it. Terms are whole numbers and the factor is not, so only then are sums exact until
 * it comes to the factor. Where a product is stored for others anyhow, and what is left of it is not at hand or costs more than a load, it is read as it is. */
static void factors_go_in_front_of_sums(void **state)
{
    enum { B = 5, N = 37, KINDS = 9 };

    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        const bool taken = kind < 5;
        float x[B * N], z[B * N], b[B], c[N], got[B];
        char *text[2];
        bool exact = true;

        for (int i = 0; i < B * N; i++) x[i] = (float)(i % 11 - 3), z[i] = (float)(i % 7 + 1);
        for (int i = 0; i < B; i++) b[i] = 0.1f + 0.3f * (float)i;
        for (int i = 0; i < N; i++) c[i] = 0.1f + 0.3f * (float)i;
        for (int off = 0; off < 2; off++) {
            gs_graph *g = gs_graph_new();
            gs_node *nx = gs_input(g, "x", GS_SHAPE(B, N), GS_F32), *nz = gs_input(g, "z", GS_SHAPE(B, N), GS_F32);
            gs_node *nb = gs_input(g, "b", GS_SHAPE(B, 1), GS_F32), *nc = gs_input(g, "c", GS_SHAPE(1, N), GS_F32), *xb = gs_mul(nx, nb), *y;
            const gs_compile_opts o = { .off = off ? "factors" : "" };
            gs_plan *p;

            switch (kind) {
            case 0: y = xb; break;
            case 1: y = gs_mul(nz, xb); break;
            case 2: y = gs_neg(gs_scale(gs_mul(gs_scale(xb, 3.0), nz), 2.0)); break;
            case 3: /* the product is stored, but its operand is read by the same launch */
                gs_output(g, "xb", xb);
                gs_output(g, "sum", gs_sum(nx, GS_AXIS(1), true));
                y = gs_mul(xb, nz);
                break;
            case 4: y = gs_mul(gs_mul(nz, nb), nx); break;
            case 5: y = gs_mul(nx, nc); break; /* not the same for all terms */
            case 6: /* the sum's terms are a result */
                gs_output(g, "xb", xb);
                y = xb;
                break;
            case 7: /* a softmax's is not computed again */
                xb = gs_mul(gs_exp(nx), nb);
                gs_output(g, "xb", xb);
                gs_output(g, "sum", gs_sum(gs_exp(nx), GS_AXIS(1), true));
                y = gs_mul(xb, nz);
                break;
            default: /* nobody reads x + z by itself */
                xb = gs_mul(gs_add(nx, nz), nb);
                gs_output(g, "xb", xb);
                y = gs_mul(xb, nz);
                break;
            }
            gs_output(g, "y", gs_sum(y, GS_AXIS(1), true));
            assert_ok(gs_compile(g, device, NULL, &o, &p));
            for (int i = 0; i < g->n_inputs; i++) {
                const char *name = g->inputs[i].name;

                gs_plan_feed(p, name, *name == 'x' ? x : *name == 'z' ? z : *name == 'b' ? b : c); /* those that the plan does not read: refused */
            }
            assert_ok(gs_plan_run(p, 1, 0));
            assert_ok(gs_plan_fetch(p, "y", got));
            text[off] = gs_plan_text(p);
            for (int i = 0; i < B; i++) {
                double want = 0, size = 0;
                float sum = 0;

                for (int j = 0; j < N; j++) {
                    const double u = x[i * N + j], v = z[i * N + j];
                    double term = u * b[i] * v;

                    if (kind == 0 || kind == 6) term = u * b[i];
                    if (kind == 5) term = u * c[j];
                    if (kind == 7) term = exp(u) * b[i] * v;
                    if (kind == 8) term = (u + v) * b[i] * v;
                    sum += (float)(kind == 0 ? u : u * v);
                    want += (kind == 2 ? -6.0 : 1.0) * term;
                    size += fabs(term);
                }
                if (!(fabs(got[i] - want) <= 1e-5 * size)) fail_msg("kind %d: row %d sums to %g, not %g", kind, i, (double)got[i], want);
                sum *= b[i];
                if (!off && taken) exact = exact && got[i] == (kind == 2 ? -6.0f * sum : sum);
            }
            gs_plan_free(p);
            gs_graph_free(g);
        }
        if (taken ? !exact || !strcmp(text[0], text[1]) : strcmp(text[0], text[1])) fail_msg("kind %d: %s", kind, text[0]);
        free(text[0]);
        free(text[1]);
    }
}

/* Numbers join where that changes their rounding alone: not where the joined one leaves what floats can hold. */
static void factors_beyond_floats(void **state)
{
    static const float terms[] = { 0.0f, 1e15f, 0.0f };
    static const double values[] = { 1e-38, 1e-25, 1e-5, 1.0, 1e20, 1e38 };
    enum { N = GS_COUNT(values), KINDS = 5 };

    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        gs_graph *g = gs_graph_new();
        gs_node *x = gs_input(g, "x", GS_SHAPE(N), GS_F32), *y;
        gs_store *s;
        gs_plan *p;
        float fed[N], got[N];

        for (int i = 0; i < N; i++) fed[i] = (float)values[i];
        switch (kind) {
        case 0: y = gs_div(x, gs_full(g, GS_SHAPE(N), 1e-40)); break;
        case 1: y = gs_div(x, gs_full(g, GS_SHAPE(N), 3e38)); break;
        case 2: y = gs_scale(gs_scale(x, 1e25), 1e25); break;
        case 3: y = gs_scale(gs_scale(x, 1e-20), 1e-20); break;
        default: /* in front of a sum, too; its other terms are nothing */
            y = gs_mul(gs_scale(gs_broadcast_to(gs_reshape(x, GS_SHAPE(N, 1)), GS_SHAPE(N, 3)), 1e-20), gs_const_data(g, GS_SHAPE(1, 3), GS_F32, terms));
            y = gs_sum(gs_scale(y, 1e-20), GS_AXIS(1), false);
            break;
        }
        gs_output(g, "y", y);
        assert_ok(gs_store_new(device, 7, &s));
        assert_ok(gs_compile(g, device, s, NULL, &p));
        assert_ok(gs_plan_feed(p, "x", fed));
        assert_ok(gs_plan_run(p, 1, 0));
        assert_ok(gs_plan_fetch(p, "y", got));
        for (int i = 0; i < N; i++) {
            const double want = kind == 0 ? fed[i] / 1e-40 : kind == 1 ? fed[i] / 3e38 : kind == 2 ? fed[i] * 1e50 : fed[i] * (kind == 3 ? 1e-40 : 1e-25);

            if (want < 1e-37 || want > 1e38) continue; /* no float, or not of full precision */
            if (!(fabs(got[i] - want) <= 1e-4 * want)) fail_msg("kind %d of %g: %g, not %g", kind, values[i], (double)got[i], want); /* 1e-40 has few bits */
        }
        gs_plan_free(p);
        gs_store_free(s);
        gs_graph_free(g);
    }
}

static void equal_nodes_are_computed_once(void **state)
{
    static const char *const off[] = { "", "cse" };
    int launches[2];
    gs_device *null;

    (void)state;
    assert_ok(gs_device_open("null", &null));
    for (int k = 0; k < 2; k++) {
        gs_graph *g = gs_graph_new();
        gs_compile_opts o = { .off = off[k], .dry_run = true };
        gs_plan *p;
        gs_node *x = gs_input(g, "x", GS_SHAPE(5, 7), GS_F32), *w = gs_input(g, "w", GS_SHAPE(7, 3), GS_F32);

        gs_output(g, "a", gs_tanh(gs_matmul(x, w, false, false)));
        gs_output(g, "b", gs_tanh(gs_matmul(x, w, false, false)));
        gs_output(g, "r", gs_sub(gs_random_normal(g, GS_SHAPE(4)), gs_random_normal(g, GS_SHAPE(4)))); /* never merged */
        assert_ok(gs_compile(g, null, NULL, &o, &p));
        launches[k] = gs_plan_get_stats(p).launches;
        gs_plan_free(p);
        gs_graph_free(g);
    }
    assert_int_equal(launches[1] - launches[0], 2); /* one product, one tanh */
    gs_device_close(null);
}

/* Nor does it matter what lies between the members of a shape. */
static void equal_shapes_are_equal(void **state)
{
    gs_device *null;
    gs_graph *g = gs_graph_new();
    const gs_compile_opts o = { .dry_run = true };
    gs_node *x = gs_input(g, "x", GS_SHAPE(5, 7), GS_F32);
    gs_plan *p;

    (void)state;
    assert_ok(gs_device_open("null", &null));
    for (int k = 0; k < 2; k++) {
        gs_shape s;

        memset(&s, k ? 0x55 : 0xaa, sizeof s);
        s.rank = 1;
        memset(s.dim, 0, sizeof s.dim);
        s.dim[0] = 35;
        gs_output(g, k ? "b" : "a", gs_tanh(gs_reshape(x, s)));
    }
    assert_ok(gs_compile(g, null, NULL, &o, &p));
    assert_int_equal(gs_plan_get_stats(p).launches, 1);
    gs_plan_free(p);
    gs_graph_free(g);
    gs_device_close(null);
}

int main(void)
{
    const struct CMUnitTest values[] = { /* these look at numbers */
        cmocka_unit_test(deviations_sum_to_nothing),
        cmocka_unit_test(factors_go_in_front_of_sums),
        cmocka_unit_test(factors_beyond_floats),
    };
    const struct CMUnitTest plans[] = {
        cmocka_unit_test(signs_come_from_results),
        cmocka_unit_test(equal_nodes_are_computed_once),
        cmocka_unit_test(equal_shapes_are_equal),
    };
    const char *name = getenv("GESSO_DEVICE");
    int failed = cmocka_run_group_tests(plans, open_device, close_device);

    if (name && !strncmp(name, "null", 4)) printf("SKIP values of test_simplify: the null device computes nothing\n");
    else failed += cmocka_run_group_tests(values, open_device, close_device);
    return failed;
}
