/* Tests of src/models/inception.c: sizes on the way, counts of parameters, names, what cannot be built. Its values
 * are golden cases. */
#include "lib/testlib.h"

#include <string.h>

#include "models/inception.h"

static gs_inception_out build(gs_graph *g, const gs_inception_opts *o, int64_t n, int64_t side)
{
    return gs_inception(g, o, "", gs_input(g, "x", GS_SHAPE(n, 3, side, side), GS_F32));
}

static int64_t parameters(gs_graph *g)
{
    gs_var *v[400];
    const int n = gs_trainable(g, "", v, (int)GS_COUNT(v));
    int64_t sum = 0;

    assert_true(n <= (int)GS_COUNT(v));
    for (int i = 0; i < n; i++) sum += gs_shape_count(gs_var_shape(v[i]));
    return sum;
}

static void counts(void **state)
{
    static const struct { gs_inception_opts o; int64_t want; } cases[] = {
        { { .classes = 1000, .aux = true }, 27161264 },
        { { .classes = 1000 }, 23834568 },
        { { 0 }, 21785568 }, /* features only */
        { { .graph = GS_INCEPTION_FID2015, .classes = 1008 }, 21785568 + 2049 * 1008 },
        { { .classes = 512, .aux = true }, 25786080 }, /* as the detector of GeNeVA has it */
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT(cases); i++) {
        gs_graph *g = gs_graph_new();

        build(g, &cases[i].o, 1, GS_INCEPTION_SIDE);
        assert_ok(gs_graph_status(g));
        assert_int_equal(parameters(g), cases[i].want);
        gs_graph_free(g);
    }
}

static void shapes(void **state)
{
    static const struct { const char *name; int64_t channels, side; } want[GS_INCEPTION_MAPS] = {
        { "Conv2d_2b_3x3", 64, 147 }, { "Conv2d_4a_3x3", 192, 71 }, { "Mixed_5b", 256, 35 }, { "Mixed_5d", 288, 35 },
        { "Mixed_6a", 768, 17 },      { "Mixed_6e", 768, 17 },      { "Mixed_7a", 1280, 8 }, { "Mixed_7c", 2048, 8 },
    };
    gs_graph *g = gs_graph_new();
    const gs_inception_out out = build(g, &(gs_inception_opts){ .classes = 7, .aux = true, .transform_input = true },
                                       2, GS_INCEPTION_SIDE);

    (void)state;
    assert_ok(gs_graph_status(g));
    for (int i = 0; i < GS_INCEPTION_MAPS; i++) {
        assert_string_equal(out.map[i].name, want[i].name);
        assert_true(gs_shape_equal(gs_node_shape(out.map[i].node),
                                   GS_SHAPE(2, want[i].channels, want[i].side, want[i].side)));
    }
    assert_true(gs_shape_equal(gs_node_shape(out.features), GS_SHAPE(2, GS_INCEPTION_FEATURES)));
    assert_true(gs_shape_equal(gs_node_shape(out.logits), GS_SHAPE(2, 7)));
    assert_true(gs_shape_equal(gs_node_shape(out.aux), GS_SHAPE(2, 7)));
    gs_graph_free(g);
}

static gs_shape shape_of(gs_graph *g, const char *name)
{
    gs_var *v[800];
    const int n = gs_variables(g, name, v, (int)GS_COUNT(v));

    if (n != 1) fail_msg("%d variables begin with %s", n, name);
    assert_string_equal(gs_var_name(v[0]), name);
    return gs_var_shape(v[0]);
}

/* Keys of torchvision's state dict, and the sides of kernels that are not square. */
static void names(void **state)
{
    gs_graph *g = gs_graph_new();

    (void)state;
    build(g, &(gs_inception_opts){ .classes = 1000, .aux = true }, 1, GS_INCEPTION_SIDE);
    assert_true(gs_shape_equal(shape_of(g, "Conv2d_1a_3x3.conv.weight"), GS_SHAPE(32, 3, 3, 3)));
    assert_true(gs_shape_equal(shape_of(g, "Mixed_5b.branch5x5_2.conv.weight"), GS_SHAPE(64, 48, 5, 5)));
    assert_true(gs_shape_equal(shape_of(g, "Mixed_6b.branch7x7dbl_5.conv.weight"), GS_SHAPE(192, 128, 1, 7)));
    assert_true(gs_shape_equal(shape_of(g, "Mixed_6c.branch7x7_3.conv.weight"), GS_SHAPE(192, 160, 7, 1)));
    assert_true(gs_shape_equal(shape_of(g, "Mixed_7c.branch3x3dbl_3b.conv.weight"), GS_SHAPE(384, 384, 3, 1)));
    assert_true(gs_shape_equal(shape_of(g, "Mixed_7a.branch7x7x3_4.bn.running_var"), GS_SHAPE(192)));
    assert_true(gs_shape_equal(shape_of(g, "AuxLogits.conv1.conv.weight"), GS_SHAPE(768, 128, 5, 5)));
    assert_true(gs_shape_equal(shape_of(g, "AuxLogits.fc.bias"), GS_SHAPE(1000)));
    assert_true(gs_shape_equal(shape_of(g, "fc.weight"), GS_SHAPE(1000, 2048)));
    gs_graph_free(g);
}

/* The smallest picture passes, one pixel less does not; the auxiliary head wants larger ones. */
static void small_pictures(void **state)
{
    static const struct { bool aux; int64_t side; bool ok; } cases[] = {
        { false, GS_INCEPTION_MIN_SIDE, true }, { false, GS_INCEPTION_MIN_SIDE - 1, false },
        { true, GS_INCEPTION_MIN_SIDE, false },
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT(cases); i++) {
        gs_graph *g = gs_graph_new();

        build(g, &(gs_inception_opts){ .classes = 3, .aux = cases[i].aux }, 1, cases[i].side);
        if ((gs_graph_status(g) == GS_OK) != cases[i].ok) fail_msg("side %d: %s", (int)cases[i].side, gs_last_error());
        gs_graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts), cmocka_unit_test(shapes), cmocka_unit_test(names), cmocka_unit_test(small_pictures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
