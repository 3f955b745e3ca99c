/* Sheets and charts: exact pixels where they are defined, and signs of life where cairo decides. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/grid.h"
#include "data/plot.h"

/* fontconfig keeps its configuration until the process ends; that is not a leak of ours. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libfontconfig"; }

static void test_grid_pixels(void **state)
{
    /* five 1 x 2 pictures in two rows of three */
    const float v[10] = { -1, 1, 0, 0.5f, -2, 3, NAN, -0.999f, 0.25f, -0.25f };
    gs_image g;

    (void)state;
    assert_ok(gs_grid(&g, v, 5, 1, 1, 2, &(gs_grid_opts){ .rows = 2, .cols = 3, .spacing = 1 }));
    assert_int_equal(g.w, 10);
    assert_int_equal(g.h, 5);
    assert_int_equal(g.c, 1);
    {
        const uint8_t want[50] = {
            0, 0, 0,   0, 0,   0,   0, 0, 0,   0, /* spacing */
            0, 0, 255, 0, 128, 191, 0, 0, 255, 0, /* 127.5 and 191.25, rounded */
            0, 0, 0,   0, 0,   0,   0, 0, 0,   0,
            0, 0, 0,   0, 159, 96,  0, 0, 0,   0,
            0, 0, 0,   0, 0,   0,   0, 0, 0,   0,
        };
        assert_memory_equal(g.px, want, 50);
    }
    gs_image_free(&g);
    assert_ok(gs_grid(&g, v, 5, 1, 1, 2, NULL)); /* 3 columns, 2 rows, 2 pixels apart */
    assert_int_equal(g.w, 2 + 3 * 4);
    assert_int_equal(g.h, 2 + 2 * 3);
    gs_image_free(&g);
    assert_ok(gs_grid(&g, v, 2, 1, 1, 2, &(gs_grid_opts){ .cols = 2, .spacing = -1, .scale = 2, .unit_range = true }));
    assert_int_equal(g.w, 8);
    assert_memory_equal(g.px, ((uint8_t[]){ 0, 0, 255, 255, 0, 0, 128, 128, 0, 0, 255, 255, 0, 0, 128, 128 }), 16);
    gs_image_free(&g);
    assert_int_equal(gs_grid(&g, v, 0, 1, 1, 2, NULL), GS_EINVAL);
    assert_int_equal(gs_grid(&g, v, 1, 2, 1, 2, NULL), GS_EINVAL);
    assert_fails(gs_grid_bytes(&g, (const uint8_t *)v, 5, 1, 1, 2, &(gs_grid_opts){ .rows = 60000, .cols = 60000 }),
                 GS_ELIMIT, "show fewer");
}

static void test_grid_colours_and_labels(void **state)
{
    /* planes in, interleaved out */
    const float v[6] = { -1, 1, 1, -1, 0.2f, 0.2f };
    const uint8_t b[6] = { 1, 2, 3, 4, 5, 6 };
    const char *rows[1] = { "seven" }, *cols[2] = { "a", "b" };
    gs_image g;
    int lit = 0;

    (void)state;
    assert_ok(gs_image_from_floats(&g, v, 3, 1, 2, false));
    assert_memory_equal(g.px, ((uint8_t[]){ 0, 255, 153, 255, 0, 153 }), 6);
    gs_image_free(&g);
    assert_ok(gs_grid_bytes(&g, b, 2, 3, 1, 1, &(gs_grid_opts){ .cols = 2, .spacing = -1 }));
    assert_memory_equal(g.px, b, 6);
    gs_image_free(&g);
    assert_ok(gs_grid_bytes(&g, (uint8_t[2]){0}, 2, 1, 1, 1,
                            &(gs_grid_opts){ .cols = 2, .scale = 20, .row_labels = rows, .col_labels = cols }));
    assert_true(g.w > 2 + 2 * 22 + 20); /* room for the word */
    for (int i = 0; i < g.w * g.h; i++) lit += g.px[i] > 100;
    assert_in_range(lit, 40, 800);
    gs_image_free(&g);
}

static void test_ticks(void **state)
{
    double t[32];
    int decimals;

    (void)state;
    assert_int_equal(gs_plot_ticks(0, 1, 5, t, 32, &decimals), 6);
    assert_int_equal(decimals, 1);
    assert_true(fabs(t[3] - 0.6) < 1e-12);
    assert_int_equal(gs_plot_ticks(0, 9600, 10, t, 32, &decimals), 10);
    assert_int_equal(decimals, 0);
    assert_true(t[9] == 9000);
    assert_int_equal(gs_plot_ticks(-0.031, 0.052, 5, t, 32, &decimals), 4); /* -0.02 0 0.02 0.04 */
    assert_int_equal(decimals, 2);
    assert_true(t[1] == 0 && !signbit(t[1]));
    assert_int_equal(gs_plot_ticks(1, 1, 4, t, 32, &decimals), 0);
    assert_int_equal(gs_plot_ticks(0, 1e9, 1000000, t, 32, &decimals), 32);
}

/* Pixels near a colour inside a box. */
static int count(const gs_image *img, int x0, int y0, int x1, int y1, int r, int g, int b, int tol)
{
    int n = 0;

    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) {
            const uint8_t *p = img->px + ((size_t)y * img->w + x) * 3;

            n += abs(p[0] - r) <= tol && abs(p[1] - g) <= tol && abs(p[2] - b) <= tol;
        }
    return n;
}

static void test_chart(void **state)
{
    char *dir = gs_test_tmpdir(), *path = gs_path_join(dir, "loss.png"), *bad = gs_path_join(dir, "no/loss.png");
    double a[200], b[200];
    const gs_plot_series s[2] = { { "G loss", NULL, a, 200, 0.9 }, { "D loss", NULL, b, 200 } };
    const gs_plot p = { .title = "Losses", .x_label = "iteration", .y_label = "loss", .series = s, .n_series = 2 };
    gs_plot other = p;
    gs_image img;

    (void)state;
    for (int i = 0; i < 200; i++) {
        a[i] = 2 + sin(i * 0.3) * exp(-i * 0.01);
        b[i] = i == 70 ? NAN : i == 90 ? INFINITY : 0.7;
    }
    assert_ok(gs_plot_write(path, &p));
    assert_ok(gs_image_read(path, NULL, &img));
    assert_int_equal(img.w, 900);
    assert_int_equal(img.h, 520);
    assert_true(count(&img, 0, 0, 900, 520, 0, 115, 178, 30) > 400);   /* first line */
    assert_true(count(&img, 0, 0, 900, 520, 214, 94, 0, 30) > 400);    /* second line */
    assert_true(count(&img, 300, 5, 700, 40, 26, 26, 26, 60) > 80);    /* the title's letters */
    assert_true(count(&img, 0, 470, 900, 520, 26, 26, 26, 60) > 80);   /* the x label's */
    assert_int_equal(count(&img, 0, 0, 4, 520, 255, 255, 255, 0), 4 * 520); /* nothing is cut at the edges */
    assert_int_equal(count(&img, 896, 0, 900, 520, 255, 255, 255, 0), 4 * 520);
    gs_image_free(&img);

    other.log_y = true;
    other.width = 400, other.height = 300;
    b[3] = -1; /* cannot be shown on this axis */
    assert_ok(gs_plot_write(path, &other));
    assert_ok(gs_plot_write(path, &(gs_plot){ .title = "empty" }));
    other.y_min = 2, other.y_max = 1;
    assert_int_equal(gs_plot_write(path, &other), GS_EINVAL);
    other.y_min = -1;
    assert_int_equal(gs_plot_write(path, &other), GS_EINVAL);
    other = p;
    other.width = 20;
    assert_int_equal(gs_plot_write(path, &other), GS_EINVAL);
    other = p;
    other.n_series = 17;
    assert_int_equal(gs_plot_write(path, &other), GS_EINVAL);
    assert_int_equal(gs_plot_write(bad, &p), GS_EIO);
    free(dir), free(path), free(bad);
}

static void test_confusion(void **state)
{
    char *dir = gs_test_tmpdir(), *path = gs_path_join(dir, "c.png");
    int64_t counts[9] = { 10, 0, 0, 0, 10, 0, 5, 0, 5 };
    const char *names[3] = { "T-shirt/top", "shoe", "bag" };
    gs_image img;

    (void)state;
    assert_ok(gs_plot_confusion(path, "Accuracy", counts, 3, NULL));
    assert_ok(gs_image_read(path, NULL, &img));
    /* two full cells of 46 x 46 in the darkest blue, less the white numbers in them */
    assert_in_range(count(&img, 0, 0, img.w, img.h, 8, 71, 148, 6), 2 * 46 * 46 * 8 / 10, 2 * 46 * 46);
    gs_image_free(&img);
    assert_ok(gs_plot_confusion(path, NULL, counts, 3, names));
    assert_int_equal(gs_plot_confusion(path, NULL, counts, 0, NULL), GS_EINVAL);
    assert_int_equal(gs_plot_confusion(path, NULL, counts, 65, NULL), GS_EINVAL);
    free(dir), free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grid_pixels), cmocka_unit_test(test_grid_colours_and_labels),
        cmocka_unit_test(test_ticks),       cmocka_unit_test(test_chart),
        cmocka_unit_test(test_confusion),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
