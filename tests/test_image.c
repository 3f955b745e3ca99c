/* Pictures: every good file is read, every bad one refused cleanly; exact pixels; conversion, resizing, writing. */
#include "lib/testlib.h"

#include <dirent.h>
#include <jpeglib.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <zlib.h>

#include "data/image.h"

#define FIXTURES "tests/fixtures/png"

/* ---- pictures made here, by other code than the reader's ---- */

static void to_memory(png_structp png, png_bytep data, size_t n) { gs_str_append(png_get_io_ptr(png), data, n); }

/* One packed row after the other, as PNG stores them. */
typedef struct spec {
    int w, h, depth, type;
    bool interlaced;
    const uint8_t *rows; /* packed */
    int n_palette;
    const png_color *palette;
    int n_alpha;
    const uint8_t *alpha;
    const png_color_16 *key; /* transparent colour */
} spec;

static gs_str make_png(const spec *s)
{
    static const int channels[7] = { 1, 0, 3, 1, 2, 0, 4 };
    const size_t row = ((size_t)s->w * s->depth * channels[s->type] + 7) / 8;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_bytep *rows = gs_xalloc(s->h * sizeof *rows);
    gs_str out = {0};

    png_set_write_fn(png, &out, to_memory, NULL);
    png_set_IHDR(png, info, s->w, s->h, s->depth, s->type, s->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, 0,
                 0);
    if (s->n_palette) png_set_PLTE(png, info, s->palette, s->n_palette);
    if (s->n_alpha || s->key) png_set_tRNS(png, info, s->alpha, s->n_alpha, s->key);
    for (int y = 0; y < s->h; y++) rows[y] = (png_bytep)s->rows + y * row;
    png_set_rows(png, info, rows);
    png_write_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
    png_destroy_write_struct(&png, &info);
    free(rows);
    return out;
}

static void assert_pixels(const gs_image *img, int w, int h, int c, const uint8_t *want)
{
    assert_int_equal(img->w, w);
    assert_int_equal(img->h, h);
    assert_int_equal(img->c, c);
    assert_memory_equal(img->px, want, (size_t)w * h * c);
}

static void check_png(const spec *s, const gs_image_opts *o, int c, const uint8_t *want)
{
    gs_str file = make_png(s);
    gs_image img;

    assert_ok(gs_image_decode(file.data, file.len, "made here", o, &img));
    assert_pixels(&img, s->w, s->h, c, want);
    gs_image_free(&img);
    gs_str_free(&file);
}

static void test_grey_depths(void **state)
{
    static const uint8_t one[] = { 0xa0, 0x40 };                         /* 101 / 010 */
    static const uint8_t two[] = { 0x1b };                               /* 0 1 2 3 */
    static const uint8_t four[] = { 0x0f, 0x80 };                        /* 0 15 8 */
    static const uint8_t wide[] = { 0x00, 0x00, 0x80, 0x00, 0xff, 0xff, 0x12, 0x80 };

    (void)state;
    check_png(&(spec){ 3, 2, 1, 0, .rows = one }, NULL, 1, (uint8_t[]){ 255, 0, 255, 0, 255, 0 });
    check_png(&(spec){ 4, 1, 2, 0, .rows = two }, NULL, 1, (uint8_t[]){ 0, 85, 170, 255 });
    check_png(&(spec){ 3, 1, 4, 0, .rows = four }, NULL, 1, (uint8_t[]){ 0, 255, 136 });
    /* 16 to 8 bits is v * 255 / 65535 rounded: 0x1280 = 4736 -> 18.43 */
    check_png(&(spec){ 4, 1, 16, 0, .rows = wide }, NULL, 1, (uint8_t[]){ 0, 128, 255, 18 });
}

static void test_palette_and_alpha(void **state)
{
    static const png_color colours[3] = { { 255, 0, 0 }, { 0, 200, 0 }, { 10, 20, 30 } };
    static const uint8_t alpha[2] = { 255, 128 };
    static const uint8_t rows[] = { 0x18 }; /* 2 bits: 0 1 2 */
    static const uint8_t grey_alpha[] = { 100, 255, 200, 0, 50, 51 };
    static const uint8_t rgba[] = { 1, 2, 3, 255, 200, 100, 0, 51 };
    static const uint8_t keyed[] = { 9, 9, 9, 9, 9, 8 };
    static const png_color_16 key = { .red = 9, .green = 9, .blue = 9 };
    const gs_image_opts white = { .channels = 3, .background = { 255, 255, 255 } }, grey = { .channels = 1 };
    const spec p = { 3, 1, 2, 3, .rows = rows, .n_palette = 3, .palette = colours };
    spec with = p;

    (void)state;
    check_png(&p, NULL, 3, (uint8_t[]){ 255, 0, 0, 0, 200, 0, 10, 20, 30 });
    with.n_alpha = 2;
    with.alpha = alpha;
    check_png(&with, NULL, 4, (uint8_t[]){ 255, 0, 0, 255, 0, 200, 0, 128, 10, 20, 30, 255 });
    /* over white: 200 * 128/255 + 255 * 127/255 = 227.4; 0 -> 127 */
    check_png(&with, &white, 3, (uint8_t[]){ 255, 0, 0, 127, 227, 127, 10, 20, 30 });
    check_png(&(spec){ 3, 1, 8, 4, .rows = grey_alpha }, NULL, 4,
              (uint8_t[]){ 100, 100, 100, 255, 200, 200, 200, 0, 50, 50, 50, 51 });
    check_png(&(spec){ 3, 1, 8, 4, .rows = grey_alpha }, &grey, 1, (uint8_t[]){ 100, 0, 10 });
    check_png(&(spec){ 2, 1, 8, 6, .rows = rgba }, NULL, 4, rgba);
    check_png(&(spec){ 2, 1, 8, 6, .rows = rgba }, &white, 3, (uint8_t[]){ 1, 2, 3, 244, 224, 204 });
    check_png(&(spec){ 2, 1, 8, 2, .rows = keyed, .key = &key }, NULL, 4, (uint8_t[]){ 9, 9, 9, 0, 9, 9, 8, 255 });
}

static void test_interlaced(void **state)
{
    uint8_t px[13 * 11 * 3];

    (void)state;
    for (size_t i = 0; i < sizeof px; i++) px[i] = (uint8_t)(i * 37 + i / 7);
    check_png(&(spec){ 13, 11, 8, 2, .interlaced = true, .rows = px }, NULL, 3, px);
}

static void test_indexed(void **state)
{
    static const png_color colours[3] = { { 1, 2, 3 }, { 4, 5, 6 }, { 7, 8, 9 } };
    static const uint8_t good[] = { 0x18 }, bad[] = { 0x1c }, grey[] = { 7, 200 }; /* 0 1 2; 0 1 3 */
    uint8_t palette[256][3];
    gs_image img;
    int n = -1;
    gs_str f = make_png(&(spec){ 3, 1, 2, 3, .rows = good, .n_palette = 3, .palette = colours });

    (void)state;
    assert_ok(gs_png_decode_indexed(f.data, f.len, "map", &img, palette, &n));
    assert_pixels(&img, 3, 1, 1, (uint8_t[]){ 0, 1, 2 });
    assert_int_equal(n, 3);
    assert_memory_equal(palette, colours, 9);
    gs_image_free(&img);
    gs_str_free(&f);

    f = make_png(&(spec){ 2, 1, 8, 0, .rows = grey });
    assert_ok(gs_png_decode_indexed(f.data, f.len, "grey map", &img, palette, &n));
    assert_pixels(&img, 2, 1, 1, grey);
    assert_int_equal(n, 0);
    gs_image_free(&img);
    gs_str_free(&f);

    f = make_png(&(spec){ 1, 1, 8, 2, .rows = (uint8_t[]){ 1, 2, 3 } });
    assert_fails(gs_png_decode_indexed(f.data, f.len, "rgb.png", &img, NULL, NULL), GS_EFORMAT,
                 "rgb.png: a label map is");
    gs_str_free(&f);

    f = make_png(&(spec){ 3, 1, 2, 3, .rows = bad, .n_palette = 3, .palette = colours });
    assert_fails(gs_png_decode_indexed(f.data, f.len, "map", &img, palette, &n), GS_EFORMAT, "palette has 3 colours");
    gs_str_free(&f);
}

static void test_write_and_read_back(void **state)
{
    char *dir = gs_test_tmpdir(), *path = gs_path_join(dir, "a.png"), *nowhere = gs_path_join(dir, "no/a.png");

    (void)state;
    for (int c = 1; c <= 4; c++) {
        gs_image img, back;

        if (c == 2) continue;
        assert_ok(gs_image_new(&img, 17, 5, c));
        for (int i = 0; i < 17 * 5 * c; i++) img.px[i] = (uint8_t)(i * 13);
        assert_ok(gs_png_write(path, &img));
        assert_ok(gs_image_read(path, NULL, &back));
        assert_pixels(&back, 17, 5, c, img.px);
        gs_image_free(&back);
        assert_int_equal(gs_png_write(nowhere, &img), GS_EIO);
        gs_image_free(&img);
    }
    assert_int_equal(gs_png_write(path, &(gs_image){0}), GS_EINVAL);
    free(nowhere);
    free(path);
    free(dir);
}

/* ---- JPEG ---- */

static gs_str make_jpeg(const uint8_t *px, int w, int h, int c, J_COLOR_SPACE space, bool progressive)
{
    struct jpeg_compress_struct j;
    struct jpeg_error_mgr err;
    unsigned char *mem = NULL;
    unsigned long n = 0;
    gs_str out = {0};

    j.err = jpeg_std_error(&err);
    jpeg_create_compress(&j);
    jpeg_mem_dest(&j, &mem, &n);
    j.image_width = w;
    j.image_height = h;
    j.input_components = c;
    j.in_color_space = space;
    jpeg_set_defaults(&j);
    jpeg_set_quality(&j, 98, TRUE);
    if (progressive) jpeg_simple_progression(&j);
    jpeg_start_compress(&j, TRUE);
    while (j.next_scanline < j.image_height) {
        JSAMPROW row = (JSAMPROW)px + (size_t)j.next_scanline * w * c;

        jpeg_write_scanlines(&j, &row, 1);
    }
    jpeg_finish_compress(&j);
    jpeg_destroy_compress(&j);
    gs_str_append(&out, mem, n);
    free(mem);
    return out;
}

/* A smooth picture, so that 4:2:0 and quantisation stay small. */
static void smooth(uint8_t *px, int w, int h, int c)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int k = 0; k < c; k++) px[(y * w + x) * c + k] = (uint8_t)(40 + 3 * x + (k + 1) * y);
}

static void assert_near(const uint8_t *a, const uint8_t *b, size_t n, int tol)
{
    for (size_t i = 0; i < n; i++)
        if (abs(a[i] - b[i]) > tol) fail_msg("byte %zu: %d against %d, tolerance %d", i, a[i], b[i], tol);
}

static void test_jpeg(void **state)
{
    uint8_t px[40 * 30 * 4], want[40 * 30 * 3];
    gs_image img;

    (void)state;
    for (int progressive = 0; progressive < 2; progressive++) {
        gs_str f;

        smooth(px, 40, 30, 3);
        f = make_jpeg(px, 40, 30, 3, JCS_RGB, progressive);
        assert_ok(gs_image_decode(f.data, f.len, "rgb", NULL, &img));
        assert_int_equal(img.c, 3);
        assert_near(img.px, px, sizeof want, 4);
        gs_image_free(&img);
        for (size_t cut = 1; cut < f.len; cut += 1 + cut / 8) /* every truncation is an error */
            assert_int_equal(gs_image_decode(f.data, cut, "cut", NULL, &img), GS_EFORMAT);
        gs_str_free(&f);

        smooth(px, 40, 30, 1);
        f = make_jpeg(px, 40, 30, 1, JCS_GRAYSCALE, progressive);
        assert_ok(gs_image_decode(f.data, f.len, "grey", NULL, &img));
        assert_int_equal(img.c, 1);
        assert_near(img.px, px, 40 * 30, 4);
        gs_image_free(&img);
        gs_str_free(&f);
    }
    smooth(px, 40, 30, 4); /* inverted CMYK, as Adobe writes it: colour = ink * black / 255 */
    for (int i = 0; i < 40 * 30; i++)
        for (int k = 0; k < 3; k++) want[3 * i + k] = (uint8_t)(px[4 * i + k] * px[4 * i + 3] / 255);
    {
        gs_str f = make_jpeg(px, 40, 30, 4, JCS_CMYK, false);

        assert_ok(gs_image_decode(f.data, f.len, "cmyk", NULL, &img));
        assert_int_equal(img.c, 3);
        assert_near(img.px, want, sizeof want, 5);
        gs_image_free(&img);
        gs_str_free(&f);
    }
}

/* ---- limits, conversion, resizing ---- */

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void test_limits(void **state)
{
    gs_str f = make_png(&(spec){ 3, 2, 8, 0, .rows = (uint8_t[]){ 1, 2, 3, 4, 5, 6 } });
    const gs_image_opts tiny = { .max_pixels = 5 };
    uint8_t *head = (uint8_t *)f.data;
    gs_image img;

    (void)state;
    assert_fails(gs_image_decode(f.data, f.len, "p.png", &tiny, &img), GS_ELIMIT, "p.png: declares 3 x 2 pixels");
    for (size_t cut = 0; cut < f.len; cut++)
        assert_int_equal(gs_image_decode(f.data, cut, "cut", NULL, &img), GS_EFORMAT);
    /* an honest checksum on a dishonest size */
    put32(head + 16, 40000);
    put32(head + 20, 1600);
    put32(head + 29, (uint32_t)crc32(0, head + 12, 17));
    assert_fails(gs_image_decode(f.data, f.len, "p.png", NULL, &img), GS_EFORMAT, "too short for the size it declares");
    put32(head + 20, 40000);
    put32(head + 29, (uint32_t)crc32(0, head + 12, 17));
    assert_fails(gs_image_decode(f.data, f.len, "p.png", NULL, &img), GS_ELIMIT, "40000 x 40000");
    gs_str_free(&f);
    assert_fails(gs_image_read("no/such.png", NULL, &img), GS_EIO, "no/such.png");
    assert_fails(gs_image_decode("", 0, "empty.png", NULL, &img), GS_EFORMAT, "empty.png: the file is empty");
    assert_fails(gs_image_decode("GIF89a..", 8, "a.gif", NULL, &img), GS_EFORMAT, "neither PNG nor JPEG");
    assert_int_equal(gs_image_new(&img, 0, 1, 1), GS_EINVAL);
    assert_int_equal(gs_image_new(&img, 1, 1, 2), GS_EINVAL);
}

static void test_convert(void **state)
{
    gs_image img;

    (void)state;
    assert_ok(gs_image_new(&img, 1, 1, 3));
    memcpy(img.px, (uint8_t[]){ 255, 10, 100 }, 3);
    assert_ok(gs_image_convert(&img, 1, NULL)); /* 76.245 + 5.87 + 11.4 = 93.5 -> 94 */
    assert_pixels(&img, 1, 1, 1, (uint8_t[]){ 94 });
    assert_ok(gs_image_convert(&img, 4, NULL));
    assert_pixels(&img, 1, 1, 4, (uint8_t[]){ 94, 94, 94, 255 });
    gs_image_free(&img);
}

static void test_resize(void **state)
{
    gs_image src, dst;

    (void)state;
    assert_ok(gs_image_new(&src, 2, 2, 1));
    memcpy(src.px, (uint8_t[]){ 0, 100, 200, 40 }, 4);
    /* half-pixel centres: weights 0, 1/4, 3/4, 1 along a row */
    assert_ok(gs_image_resize(&dst, &src, 4, 1, GS_RESIZE_BILINEAR));
    assert_pixels(&dst, 4, 1, 1, (uint8_t[]){ 100, 93, 78, 70 });
    gs_image_free(&dst);
    assert_ok(gs_image_resize(&dst, &src, 3, 4, GS_RESIZE_NEAREST));
    assert_pixels(&dst, 3, 4, 1, (uint8_t[]){ 0, 100, 100, 0, 100, 100, 200, 40, 40, 200, 40, 40 });
    gs_image_free(&dst);
    assert_ok(gs_image_resize(&dst, &src, 2, 2, GS_RESIZE_BILINEAR));
    assert_pixels(&dst, 2, 2, 1, src.px);
    gs_image_free(&dst);
    assert_ok(gs_image_crop(&dst, &src, 1, 0, 1, 2));
    assert_pixels(&dst, 1, 2, 1, (uint8_t[]){ 100, 40 });
    gs_image_free(&dst);
    assert_int_equal(gs_image_crop(&dst, &src, 1, 0, 2, 2), GS_EINVAL);
    assert_int_equal(gs_image_resize(&dst, &src, 0, 2, GS_RESIZE_NEAREST), GS_EINVAL);
    gs_image_free(&src);
}

/* ---- files of others ---- */

typedef enum verdict { EITHER, GOOD, BAD } verdict;

/* Reads every file below dir; returns their number. */
static int sweep(const char *dir, verdict (*expect)(const char *dir, const char *name))
{
    struct dirent *e;
    DIR *d = opendir(dir);
    int n = 0;

    assert_non_null(d);
    while ((e = readdir(d))) {
        char *path;

        if (e->d_name[0] == '.') continue;
        path = gs_path_join(dir, e->d_name);
        if (gs_dir_exists(path)) {
            n += sweep(path, expect);
        } else {
            const verdict want = expect(dir, e->d_name);
            const double t0 = gs_now();
            gs_image img;
            const gs_status st = gs_image_read(path, NULL, &img);

            if (want == GOOD && st != GS_OK) fail_msg("refused: %s", gs_last_error());
            if (want == BAD && st == GS_OK) fail_msg("%s: must be refused but was read", path);
            if (st != GS_OK) {
                assert_true(st == GS_EFORMAT || st == GS_ELIMIT);
                assert_true(gs_test_contains(gs_last_error(), path));
                assert_null(img.px);
            }
            if (gs_now() - t0 > 20) fail_msg("%s: took %.1f s", path, gs_now() - t0);
            gs_image_free(&img);
            n++;
        }
        free(path);
    }
    closedir(d);
    return n;
}

static bool is_png(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && !strcmp(dot, ".png");
}

static verdict expect_fixture(const char *dir, const char *name)
{
    (void)dir;
    return !is_png(name) || name[0] == 'x' || !strncmp(name, "bad_", 4) ? BAD : GOOD;
}

static verdict expect_shared(const char *dir, const char *name)
{
    if (strstr(dir, "pngsuite")) return is_png(name) && name[0] != 'x' ? GOOD : BAD;
    if (strstr(dir, "png-bugfixes")) return !strncmp(name, "x_", 2) || !is_png(name) ? BAD : GOOD;
    if (strstr(dir, "crashers")) return strstr(name, "empty_ancillary") ? EITHER : BAD;
    if (strstr(dir, "badpal")) return EITHER;
    if (strstr(dir, "libpng-testpngs")) return is_png(name) ? GOOD : BAD;
    if (strstr(dir, "libjpeg-turbo-testimages") && (!strncmp(name, "testorig.j", 10) || !strncmp(name, "testimg", 7)))
        return GOOD;
    return EITHER;
}

static void test_fixtures(void **state)
{
    (void)state;
    assert_true(sweep(FIXTURES, expect_fixture) >= 25);
}

static void test_shared_pictures(void **state)
{
    const char *shared = gs_test_shared();
    struct rusage use;
    char *dir;
    int n;

    (void)state;
    if (!shared) GS_SKIP("no shared folder with image-decoders");
    dir = gs_path_join(shared, "data/image-decoders");
    if (!gs_dir_exists(dir)) {
        free(dir);
        GS_SKIP("no data/image-decoders in the shared folder");
    }
    n = sweep(dir, expect_shared);
    getrusage(RUSAGE_SELF, &use);
    print_message("%d files read or refused, peak memory %ld MiB\n", n, use.ru_maxrss >> 10);
    assert_int_equal(n, 1674);
    assert_true(use.ru_maxrss < 1l << 20); /* 1 GiB, in KiB */
    free(dir);
}

static void same_pixels(const char *dir, const char *a, const char *b)
{
    char *pa = gs_path_join(dir, a), *pb = gs_path_join(dir, b);
    gs_image x, y;

    assert_ok(gs_image_read(pa, NULL, &x));
    assert_ok(gs_image_read(pb, NULL, &y));
    assert_pixels(&x, y.w, y.h, y.c, y.px);
    gs_image_free(&x);
    gs_image_free(&y);
    free(pa);
    free(pb);
}

static void test_twins(void **state)
{
    (void)state;
    same_pixels(FIXTURES, "basn3p04.png", "basi3p04.png");
    same_pixels(FIXTURES, "basn2c08.png", "basi2c08.png");
    same_pixels(FIXTURES, "basn6a08.png", "basi6a08.png");
    same_pixels(FIXTURES, "basn0g16.png", "basi0g16.png");
    same_pixels(FIXTURES, "s09n3p02.png", "s09i3p02.png");
}

/* The same picture as PPM, read by the plainest code there is. */
static void test_jpeg_against_ppm(void **state)
{
    const char *shared = gs_test_shared(), *names[] = { "testorig.jpg", "testimgint.jpg", "testimgari.jpg" };
    char *dir, *path;
    uint8_t *ppm;
    size_t size;
    int w = 0, h = 0, at = 0;

    (void)state;
    if (!shared) GS_SKIP("no shared folder with libjpeg-turbo-testimages");
    dir = gs_path_join(shared, "data/image-decoders/libjpeg-turbo-testimages");
    path = gs_path_join(dir, "testorig.ppm");
    assert_ok(gs_file_read(path, 1 << 20, &ppm, &size));
    free(path);
    assert_int_equal(sscanf((char *)ppm, "P6 %d %d 255%n", &w, &h, &at), 2);
    assert_int_equal(size, at + 1 + w * h * 3);
    for (int i = 0; i < 3; i++) {
        gs_image img;
        double sum = 0;

        path = gs_path_join(dir, names[i]);
        assert_ok(gs_image_read(path, NULL, &img));
        assert_int_equal(img.w, w);
        assert_int_equal(img.h, h);
        for (int k = 0; k < w * h * 3; k++) sum += abs(img.px[k] - ppm[at + 1 + k]);
        print_message("%s: mean difference %.2f\n", names[i], sum / (w * h * 3));
        assert_true(sum / (w * h * 3) < 1);
        gs_image_free(&img);
        free(path);
    }
    free(ppm);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grey_depths), cmocka_unit_test(test_palette_and_alpha), cmocka_unit_test(test_interlaced),
        cmocka_unit_test(test_indexed), cmocka_unit_test(test_write_and_read_back), cmocka_unit_test(test_jpeg),
        cmocka_unit_test(test_limits), cmocka_unit_test(test_convert), cmocka_unit_test(test_resize),
        cmocka_unit_test(test_fixtures), cmocka_unit_test(test_shared_pictures), cmocka_unit_test(test_twins),
        cmocka_unit_test(test_jpeg_against_ppm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
