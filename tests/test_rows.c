/* Launches along rows: norms, softmaxes and their gradients in one launch each. Each case is compiled with them and without; outputs must agree to the bit,
 * since the operations and the order of additions are the same, and with the double reference; the printed plan tells how many launches there are. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gesso/gesso.h"
#include "graph/graph.h"
#include "lib/graphs.h"
#include "lib/one_device.h"
#include "plan/plan_int.h"

static int64_t all_outputs(const gs_graph *g)
{
    int64_t n = 0;

    for (int i = 0; i < g->n_outputs; i++) n += gs_shape_count(g->outputs[i].node->shape);
    return n;
}

/* Runs the graph; all outputs one after the other. */
static float *run(gs_graph *g, const char *off, char **text)
{
    const gs_compile_opts o = { .off = off };
    float *all = gs_xalloc((size_t)all_outputs(g) * sizeof *all), *at = all;
    gs_store *s;
    gs_plan *p;

    assert_ok(gs_store_new(device, 7, &s));
    assert_ok(gs_compile(g, device, s, &o, &p));
    for (int step = 0; step < 2; step++) { /* twice: nothing may be left over from the first */
        for (int i = 0; i < g->n_inputs; i++) {
            float *x = graph_feed(g, i);

            assert_ok(gs_plan_feed(p, g->inputs[i].name, x));
            free(x);
        }
        assert_ok(gs_plan_run(p, 1, 0));
    }
    for (int i = 0; i < g->n_outputs; at += gs_shape_count(g->outputs[i++].node->shape)) assert_ok(gs_plan_fetch(p, g->outputs[i].name, at));
    *text = gs_plan_text(p);
    gs_plan_free(p);
    gs_store_free(s);
    return all;
}

/* Launches of the printed plan, or those along rows alone. */
static int launches(const char *text, bool along_rows)
{
    int n = 0, i;

    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        char name[8];

        if (sscanf(line, "%d %7s", &i, name) == 2) n += !along_rows || !strncmp(name, "rows_", 5);
    }
    return n;
}

/* The graph with and without: `total` launches, `rows` of them along rows (total < 0: whatever). exact: equal bits. Frees the graph. */
static void check_graph(gs_graph *g, int total, int rows, bool exact, const char *what)
{
    char *text, *plain;
    float *got = run(g, "", &text), *want = run(g, "rows", &plain);

    if ((total >= 0 && launches(text, false) != total) || launches(text, true) != rows)
        fail_msg("%s: %d launches, %d along rows, not %d and %d\n%s", what, launches(text, false), launches(text, true), total, rows, text);
    assert_int_equal(launches(plain, true), 0);
    for (int64_t i = 0; i < all_outputs(g) && exact; i++)
        if (memcmp(&got[i], &want[i], sizeof got[i]))
            fail_msg("%s: element %d is %.9g along rows, %.9g without\n%s", what, (int)i, (double)got[i], (double)want[i], text);
    graph_near_reference(g, got, 2e-5, 1e-6, what);
    free(text);
    free(plain);
    free(got);
    free(want);
    gs_graph_free(g);
}

/* Rows enough to fill the device, and some. */
static int64_t enough(void) { return 4 * GS_MAX(1, gs_device_get_info(device)->compute_units); }

static bool no_rows(void) { return !gs__cpu_forms(gs_device_get_info(device)); }

/* The kernels are OpenCL C, so that every OpenCL device can show that they are right, whichever forms suit it. */
static int open_for_rows(void **state)
{
    const int failed = open_device(state);

    if (failed || strcmp(device->drv->name, "opencl")) return failed; /* others have no wide vectors */
    device->info.local_is_global = true;
    device->info.vector_width = GS_MAX(device->info.vector_width, 4);
    return 0;
}

/* ---- functions of rows ---- */

typedef gs_node *function(gs_graph *g, gs_node *x);

static gs_node *softmax(gs_graph *g, gs_node *x) { (void)g; return gs_softmax(x, -1); }
static gs_node *log_softmax(gs_graph *g, gs_node *x) { (void)g; return gs_log_softmax(x, -1); }
static gs_node *unit_length(gs_graph *g, gs_node *x) { (void)g; return gs_l2_normalize(x, -1, 1e-6); }

/* Attention's: the scores are scaled and masked first, and read by the largest from memory. */
static gs_node *masked_softmax(gs_graph *g, gs_node *x) { return gs_softmax(gs_add(gs_scale(x, 0.3), graph_fed(g, gs_node_shape(x))), -1); }

static gs_node *layer_norm(gs_graph *g, gs_node *x)
{
    const gs_shape s = gs_node_shape(x), e = GS_SHAPE(s.dim[s.rank - 1]);
    gs_node *w = graph_fed(g, e);

    return gs_layer_norm(x, w, graph_fed(g, e), 1e-5);
}

/* A residual block's end. */
static gs_node *residual(gs_graph *g, gs_node *x) { return gs_add(gs_relu(gs_instance_norm(x, NULL, NULL, 1e-5)), graph_fed(g, gs_node_shape(x))); }

static gs_node *instance_norm(gs_graph *g, gs_node *x)
{
    const gs_shape c = GS_SHAPE(gs_node_shape(x).dim[1]);
    gs_node *w = graph_fed(g, c);

    return gs_instance_norm(x, w, graph_fed(g, c), 1e-5);
}

/* Three means of what was made before: as many loops. */
static gs_node *three_times(gs_graph *g, gs_node *x)
{
    (void)g;
    for (int i = 0; i < 3; i++) {
        x = gs_tanh(gs_sub(x, gs_mean(x, GS_AXIS(gs_node_shape(x).rank - 1), true)));
        x = gs_add(x, gs_sin(x));
    }
    return x;
}

static const struct { const char *name; function *fn; bool picture; } functions[] = {
    { "softmax", softmax, false },       { "log softmax", log_softmax, false }, { "unit length", unit_length, false },
    { "masked softmax", masked_softmax, false }, { "layer norm", layer_norm, false }, { "three times", three_times, false },
    { "residual", residual, true },      { "instance norm", instance_norm, true },
};

static gs_shape shape_of(bool picture, int64_t rows, int64_t h, int64_t w)
{
    return picture ? GS_SHAPE(1, rows, h, w) : h == 1 ? GS_SHAPE(rows, w) : GS_SHAPE(rows, h, w);
}

static void forward(void **state)
{
    static const int lengths[] = { 2, 3, 15, 16, 17, 50, 63, 64, 65, 127, 259 };

    (void)state;
    if (no_rows()) GS_SKIP("the device takes no forms for CPUs");
    for (size_t f = 0; f < GS_COUNT(functions); f++)
        for (size_t i = 0; i < GS_COUNT(lengths); i++) {
            gs_graph *g = gs_graph_new();
            char what[64];

            snprintf(what, sizeof what, "%s of %d", functions[f].name, lengths[i]);
            gs_output(g, "y", functions[f].fn(g, graph_fed(g, shape_of(functions[f].picture, enough() + i % 4, 1, lengths[i]))));
            check_graph(g, 1, 1, true, what);
        }
}

/* More dims than one on either side of the row's edge. */
static void more_dims(void **state)
{
    (void)state;
    if (no_rows()) GS_SKIP("the device takes no forms for CPUs");
    for (size_t f = 0; f < GS_COUNT(functions); f++) {
        gs_graph *g = gs_graph_new();

        gs_output(g, "y", functions[f].fn(g, graph_fed(g, functions[f].picture ? GS_SHAPE(3, enough(), 5, 13) : GS_SHAPE(enough(), 1, 7, 37))));
        check_graph(g, 1, 1, true, functions[f].name);
    }
}

/* With the gradient of what follows by a product, so that forward and backward must be launches apart; by all parameters: those lie across the rows. */
static void gradients(void **state)
{
    static const struct { int64_t h, w; } size[] = { { 1, 7 }, { 1, 31 }, { 1, 66 }, { 5, 13 } }; /* of two elements a norm has no gradient but rounding */

    (void)state;
    if (no_rows()) GS_SKIP("the device takes no forms for CPUs");
    for (size_t f = 0; f < GS_COUNT(functions); f++)
        for (size_t i = 0; i < GS_COUNT(size); i++) {
            const bool picture = functions[f].picture;
            const int64_t h = picture ? size[i].h : 1, w = size[i].w, rows = enough() + (int64_t)i;
            gs_graph *g = gs_graph_new();
            gs_node *x = graph_fed(g, shape_of(picture, rows, h, w)), *y = functions[f].fn(g, x), *loss, *z, *wrt[GRAPH_INPUTS], *grad[GRAPH_INPUTS];
            char what[64], name[8];
            const int n = g->n_inputs;

            z = gs_matmul(gs_reshape(y, GS_SHAPE(rows, h * w)), graph_fed(g, GS_SHAPE(h * w, 3)), false, false);
            loss = gs_sum(gs_square(gs_add(z, graph_fed(g, GS_SHAPE(rows, 3)))), GS_ALL, false);
            for (int k = 0; k < n; k++) wrt[k] = g->inputs[k].node;
            gs_grad(loss, wrt, n, grad);
            for (int k = 0; k < n; k++) {
                snprintf(name, sizeof name, "d%d", k);
                gs_output(g, name, grad[k]);
            }
            snprintf(what, sizeof what, "gradient of %s of %dx%d", functions[f].name, (int)h, (int)w);
            check_graph(g, -1, 2, true, what);
        }
}

/* ---- columns: rows side by side ---- */

/* Columns enough to fill the device. */
static int64_t enough_columns(void) { return 16 * enough(); }

static gs_node *batch_norm(gs_graph *g, gs_node *x)
{
    const gs_shape c = GS_SHAPE(gs_node_shape(x).dim[1]);
    gs_node *mean, *var, *w = graph_fed(g, c);

    gs_moments(x, GS_AXIS(0), &mean, &var);
    return gs_batch_norm(x, gs_reshape(mean, c), gs_reshape(var, c), w, graph_fed(g, c), 1e-5);
}

static gs_node *unit_columns(gs_graph *g, gs_node *x) { (void)g; return gs_l2_normalize(x, 0, 1e-6); }

/* Loops that read again what loops before made, with functions of many operations in them; the residual is read last. */
static gs_node *twice(gs_graph *g, gs_node *x)
{
    for (int i = 0; i < 2; i++) x = gs_tanh(gs_sub(x, gs_mean(x, GS_AXIS(0), true)));
    return gs_add(x, graph_fed(g, gs_node_shape(x)));
}

static const struct { const char *name; function *fn; } column_functions[] = {
    { "batch norm", batch_norm }, { "unit columns", unit_columns }, { "twice", twice },
};

/* Few elements a column, so that plain sums are not cut into parts either; the last is, and adds in another order. */
static void columns_forward(void **state)
{
    static const struct { int length, times, more; bool exact; } size[] = { /* items of 16, 32 and 128 columns, the last of them fewer */
        { 2, 1, 0, true },   { 3, 1, 1, true },    { 17, 1, 15, true }, { 31, 1, 17, true },
        { 63, 1, 63, true }, { 259, 1, 5, false }, { 7, 2, 19, true },  { 13, 8, 21, true },
    };

    (void)state;
    if (no_rows()) GS_SKIP("the device takes no forms for CPUs");
    for (size_t f = 0; f < GS_COUNT(column_functions); f++)
        for (size_t i = 0; i < GS_COUNT(size); i++) {
            gs_graph *g = gs_graph_new();
            char what[64];

            snprintf(what, sizeof what, "%s of %d", column_functions[f].name, size[i].length);
            gs_output(g, "y", column_functions[f].fn(g, graph_fed(g, GS_SHAPE(size[i].length, size[i].times * enough_columns() + size[i].more))));
            check_graph(g, 1, 1, size[i].exact, what);
        }
}

/* By x and the vectors, which are sums along the same columns: forward and backward are one launch. */
static void columns_gradients(void **state)
{
    (void)state;
    if (no_rows()) GS_SKIP("the device takes no forms for CPUs");
    for (size_t f = 0; f < GS_COUNT(column_functions); f++) {
        gs_graph *g = gs_graph_new();
        const gs_shape s = GS_SHAPE(29, enough_columns() + 7);
        gs_node *x = graph_fed(g, s), *y = column_functions[f].fn(g, x), *wrt[GRAPH_INPUTS], *grad[GRAPH_INPUTS];
        const int n = g->n_inputs;
        char name[8];

        gs_output(g, "y", y);
        for (int k = 0; k < n; k++) wrt[k] = g->inputs[k].node;
        gs_grad_with(y, graph_fed(g, s), wrt, n, grad);
        for (int k = 0; k < n; k++) {
            snprintf(name, sizeof name, "d%d", k);
            gs_output(g, name, grad[k]);
        }
        check_graph(g, -1, 1, true, column_functions[f].name);
    }
}

/* ---- what goes along rows, and what does not ---- */

static gs_node *centred(gs_node *x, unsigned axes) { return gs_sub(x, gs_mean(x, axes, true)); }

static void what_fits(void **state)
{
    enum { KINDS = 18 };
    static const struct { const char *what; int rows; bool exact; } kind[KINDS] = {
        { "too few rows", 0, true },
        { "too few columns", 0, true },
        { "rows in pieces", 0, true },
        { "rows longer than a cache", 0, true },
        { "rows longer than a launch keeps", 1, true },
        { "a sum that is wanted, and an element-by-element result, too", 1, true },
        { "a row read by another", 0, true },
        { "the same row read backwards: from its first element", 1, true },
        { "a vector along half of the row: two loops, another order of additions", 1, false },
        { "a path that leaves the rows and comes back", 2, true },
        { "one shape of rows inside another: two loops, too", 1, false },
        { "through a reshape", 0, true },
        { "columns", 1, true },
        { "columns of several matrices", 1, true },
        { "the largest of a column", 0, true },
        { "a column read by another", 0, true },
        { "columns beside those of a transposed matrix", 1, true },
        { "rows beside those of a transposed matrix", 1, true },
    };
    const int64_t rows = enough();

    (void)state;
    if (no_rows()) GS_SKIP("the device takes no forms for CPUs");
    for (int i = 0; i < KINDS; i++) {
        gs_graph *g = gs_graph_new();
        gs_node *y, *x, *s;

        switch (i) {
        case 0: y = gs_layer_norm(graph_fed(g, GS_SHAPE(rows - 1, 65)), NULL, NULL, 1e-5); break;
        case 1: y = centred(graph_fed(g, GS_SHAPE(33, rows + 1)), GS_AXIS(0)); break;
        case 2: y = centred(graph_fed(g, GS_SHAPE(3, rows, 17)), GS_AXIS(0) | GS_AXIS(2)); break;
        case 3: y = gs_layer_norm(graph_fed(g, GS_SHAPE(rows, (1 << 18) + 64)), NULL, NULL, 1e-5); break;
        case 4: y = gs_softmax(graph_fed(g, GS_SHAPE(rows, GS_ROWS_KEEP + 5)), 1); break;
        case 5:
            x = graph_fed(g, GS_SHAPE(rows, 61));
            s = gs_exp(x);
            gs_output(g, "e", s);
            gs_output(g, "s", gs_sum(s, GS_AXIS(1), false));
            y = gs_div(s, gs_sum(s, GS_AXIS(1), true));
            break;
        case 6:
            x = graph_fed(g, GS_SHAPE(rows, rows));
            y = gs_mul(gs_transpose(x, 0, 1), gs_sum(x, GS_AXIS(1), true)); /* the sum alone is along the rows of x, in a unit of its own */
            y = gs_mul(gs_transpose(y, 0, 1), gs_sum(x, GS_AXIS(1), true));
            break;
        case 7:
            x = graph_fed(g, GS_SHAPE(rows, 61));
            y = centred(gs_sub(x, gs_slice(x, 1, 0, 1)), GS_AXIS(1));
            break;
        case 8:
            x = graph_fed(g, GS_SHAPE(1, rows, 9, 33));
            y = gs_mul(gs_instance_norm(x, NULL, NULL, 1e-5), graph_fed(g, GS_SHAPE(9, 1)));
            break;
        case 9:
            x = gs_layer_norm(graph_fed(g, GS_SHAPE(rows, 33)), NULL, NULL, 1e-5);
            s = gs_matmul(x, graph_fed(g, GS_SHAPE(33, 33)), false, false);
            y = gs_layer_norm(gs_add(x, s), NULL, NULL, 1e-5);
            break;
        case 10:
            x = graph_fed(g, GS_SHAPE(rows, 5, 19));
            y = gs_mul(centred(x, GS_AXIS(2)), gs_sum(gs_square(x), GS_AXIS(1) | GS_AXIS(2), true));
            break;
        case 12: y = centred(graph_fed(g, GS_SHAPE(33, enough_columns() + 1)), GS_AXIS(0)); break;
        case 13: y = centred(graph_fed(g, GS_SHAPE(3, 1, 13, enough_columns() + 3)), GS_AXIS(2)); break;
        case 14: y = gs_mul(graph_fed(g, GS_SHAPE(33, enough_columns())), gs_max(graph_fed(g, GS_SHAPE(33, enough_columns())), 0, true)); break;
        case 15:
            x = graph_fed(g, GS_SHAPE(33, enough_columns()));
            s = gs_sum(x, GS_AXIS(0), true);
            y = gs_mul(x, gs_concat((gs_node *[]){ gs_slice(s, 1, 1, enough_columns() - 1), gs_slice(s, 1, 0, 1) }, 2, 1));
            break;
        case 16:
            x = graph_fed(g, GS_SHAPE(33, enough_columns()));
            y = gs_mul(centred(x, GS_AXIS(0)), gs_transpose(graph_fed(g, GS_SHAPE(enough_columns(), 33)), 0, 1));
            break;
        case 17:
            x = graph_fed(g, GS_SHAPE(rows, 33));
            y = gs_mul(centred(x, GS_AXIS(1)), gs_transpose(graph_fed(g, GS_SHAPE(33, rows)), 0, 1));
            break;
        default:
            x = graph_fed(g, GS_SHAPE(rows, 60));
            s = gs_reshape(gs_sum(x, GS_AXIS(1), true), GS_SHAPE(1, rows));
            y = gs_mul(gs_reshape(x, GS_SHAPE(60, rows)), s);
            break;
        }
        gs_output(g, "y", y);
        check_graph(g, -1, kind[i].rows, kind[i].exact, kind[i].what);
    }
}

/* A result takes the place of a product that nobody reads any more, where element goes to element in the last loop. */
static void in_place(void **state)
{
    (void)state;
    if (no_rows()) GS_SKIP("the device takes no forms for CPUs");
    for (int i = 0; i < 5; i++) {
        const bool side = i == 4;
        const int64_t rows = side ? 21 : enough() + 3, length = side ? enough_columns() + 3 : 83;
        gs_graph *g = gs_graph_new();
        const gs_compile_opts o = { .off = "" };
        gs_node *x = gs_matmul(graph_fed(g, GS_SHAPE(rows, 7)), graph_fed(g, GS_SHAPE(7, length)), false, false), *y;
        gs_plan *p;
        gs_plan_stats t;

        if (i == 0) y = gs_softmax(x, 1);
        else if (i == 1) y = gs_layer_norm(x, NULL, NULL, 1e-5);
        else if (i == 2) y = gs_reshape(gs_instance_norm(gs_reshape(x, GS_SHAPE(1, rows, 1, length)), NULL, NULL, 1e-5), GS_SHAPE(rows, length));
        else if (side) y = centred(x, GS_AXIS(0));
        else y = gs_add(centred(x, GS_AXIS(1)), gs_slice(gs_exp(gs_slice(x, 1, 1, 1)), 1, 0, 1)); /* an element of the row is read beside */
        gs_output(g, "z", gs_matmul(y, graph_fed(g, GS_SHAPE(length, 2)), false, false));
        assert_ok(gs_compile(g, device, NULL, &o, &p));
        t = gs_plan_get_stats(p);
        gs_plan_free(p);
        if (i != 3) assert_true(t.live_bytes < 2 * 4 * (size_t)(rows * length));
        check_graph(g, -1, 1, true, "in place");
    }
}

/* Rows of any length that a core's cache keeps join, also where their functions are most of the work; longer ones where all tensors leave the last cache. */
static void any_length(void **state)
{
    static const struct { int rows, length, launches; } want[] = {
        { 3, 3, 1 }, { 3, 50, 1 }, { 3, 255, 1 }, { 3, 1 << 16, 1 }, { 3, 1 << 18, 4 }, { 60, 1 << 18, 1 },
    };

    (void)state;
    if (no_rows()) GS_SKIP("the device takes no forms for CPUs");
    for (size_t i = 0; i < GS_COUNT(want); i++) {
        const gs_compile_opts o = { .off = "", .on = "", .dry_run = true };
        gs_graph *g = gs_graph_new();
        gs_plan *p;
        char *text;

        gs_output(g, "y", gs_softmax(graph_fed(g, GS_SHAPE(enough() + want[i].rows, want[i].length)), 1));
        assert_ok(gs_compile(g, device, NULL, &o, &p));
        text = gs_plan_text(p);
        if (launches(text, false) != want[i].launches)
            fail_msg("%d elements: %d launches, not %d\n%s", want[i].length, launches(text, false), want[i].launches, text);
        free(text);
        gs_plan_free(p);
        gs_graph_free(g);
    }
}

/* So many rows that an item takes some, which go through each loop together if they are short; the last of them fewer. */
static void many_rows(void **state)
{
    static const struct { function *fn; int h, w; } row[] = {
        { softmax, 1, 2 },         { softmax, 1, 50 },        { softmax, 1, 70 },        { softmax, 1, 100 },  { softmax, 1, 256 },
        { softmax, 1, 257 },       { softmax, 1, 1025 },      { masked_softmax, 1, 64 }, { layer_norm, 1, 255 }, { three_times, 1, 63 },
        { three_times, 1, 140 },   { three_times, 7, 37 },    { instance_norm, 5, 51 },  { residual, 1, 10 }, { residual, 31, 33 },
        { log_softmax, 1, 10 },
    };

    (void)state;
    if (no_rows()) GS_SKIP("the device takes no forms for CPUs");
    for (size_t i = 0; i < GS_COUNT(row); i++) {
        const bool picture = row[i].fn == instance_norm || row[i].fn == residual;
        const int64_t rows = 7 * enough() + 3; /* at most 7 an item */
        gs_graph *g = gs_graph_new();
        char what[64];

        snprintf(what, sizeof what, "many rows of %dx%d, %d", row[i].h, row[i].w, (int)i);
        gs_output(g, "y", row[i].fn(g, graph_fed(g, shape_of(picture, rows, row[i].h, row[i].w))));
        check_graph(g, 1, 1, true, what);
    }
}

/* A row's first element is read for what follows the last loop, whose result takes its place: with several rows to a loop, too. */
static void first_element(void **state)
{
    const int64_t rows = 7 * enough() + 3;

    (void)state;
    if (no_rows()) GS_SKIP("the device takes no forms for CPUs");
    for (int length = 50; length <= 350; length += 300) {
        gs_graph *g = gs_graph_new();
        gs_node *x = gs_matmul(graph_fed(g, GS_SHAPE(rows, 7)), graph_fed(g, GS_SHAPE(7, length)), false, false), *first = gs_slice(x, 1, 0, 1);
        gs_node *y = gs_sub(x, first);

        gs_output(g, "mean", gs_add(gs_mean(y, GS_AXIS(1), true), first));
        gs_output(g, "z", gs_matmul(y, graph_fed(g, GS_SHAPE(length, 2)), false, false));
        check_graph(g, -1, 1, true, "first element");
    }
}

/* The largest of a row that holds a NaN: the row's first element stays, a NaN behind it is passed over, as the op says. */
static void largest_beside_nan(void **state)
{
    static const int lengths[] = { 2, 16, 17, 130, 300 };
    const int64_t rows = 5 * enough();

    (void)state;
    if (no_rows()) GS_SKIP("the device takes no forms for CPUs");
    for (size_t i = 0; i < GS_COUNT(lengths); i++) {
        gs_graph *g = gs_graph_new();
        const int n = lengths[i];
        const gs_compile_opts o = { .off = "" };
        gs_node *x = graph_fed(g, GS_SHAPE(rows, n)), *m = gs_max(x, 1, true);
        float *fed = graph_feed(g, 0), *got = gs_xalloc((size_t)rows * sizeof *got);
        gs_plan *p;
        char *text;

        for (int r = 0; r < rows; r++) fed[r * n + r * 7 % n] = NAN; /* the first of a row, the last, any other */
        gs_output(g, "m", m);
        gs_output(g, "y", gs_exp(gs_sub(x, m)));
        assert_ok(gs_compile(g, device, NULL, &o, &p));
        text = gs_plan_text(p);
        assert_int_equal(launches(text, true), 1);
        free(text);
        assert_ok(gs_plan_feed(p, "in0", fed));
        assert_ok(gs_plan_run(p, 1, 0));
        assert_ok(gs_plan_fetch(p, "m", got));
        for (int r = 0; r < rows; r++) {
            float want = fed[r * n];

            for (int k = 1; k < n; k++) want = fed[r * n + k] > want ? fed[r * n + k] : want;
            if (isnan(want) ? !isnan(got[r]) : got[r] != want) fail_msg("row %d of %d: %g, not %g", r, n, (double)got[r], (double)want);
        }
        gs_plan_free(p);
        gs_graph_free(g);
        free(fed);
        free(got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward),         cmocka_unit_test(more_dims), cmocka_unit_test(gradients), cmocka_unit_test(columns_forward),
        cmocka_unit_test(columns_gradients), cmocka_unit_test(what_fits), cmocka_unit_test(in_place),  cmocka_unit_test(any_length),
        cmocka_unit_test(many_rows),       cmocka_unit_test(first_element), cmocka_unit_test(largest_beside_nan),
    };

    return cmocka_run_group_tests_name("rows", tests, open_for_rows, close_device);
}
