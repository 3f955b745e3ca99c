/* Class folders as a labelled set, and the data report. */
#include "lib/testlib.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/folder.h"
#include "data/idx.h"
#include "data/image.h"
#include "data/info.h"

/* A picture of one colour, w x h, into dir/sub/name. */
static void put(const char *dir, const char *sub, const char *name, int w, int h, int r, int g, int b)
{
    char *folder = gs_path_join(dir, sub), *path = gs_path_join(folder, name);
    gs_image img;

    assert_ok(gs_mkdirs(folder));
    assert_ok(gs_image_new(&img, w, h, 3));
    for (int i = 0; i < w * h; i++) memcpy(img.px + 3 * i, (uint8_t[]){ r, g, b }, 3);
    assert_ok(gs_png_write(path, &img));
    gs_image_free(&img);
    free(folder);
    free(path);
}

static void put_bytes(const char *dir, const char *name, const char *bytes)
{
    char *path = gs_path_join(dir, name);

    assert_ok(gs_file_write(path, bytes, strlen(bytes)));
    free(path);
}

static int warnings;
static void count_warning(const char *line, void *user)
{
    (void)user;
    warnings += strstr(line, "broken.PNG") != NULL;
}

static void test_load(void **state)
{
    char *dir = gs_test_tmpdir(), **names = NULL;
    const gs_folder_opts o = { .side = 8 };
    gs_labelled s;

    (void)state;
    put(dir, "pear", "b.png", 40, 20, 0, 200, 0);
    put(dir, "pear", "a.png", 8, 8, 1, 2, 3);
    put(dir, "apple", "z.PNG", 3, 5, 250, 0, 0);
    {
        char *deep = gs_path_join(dir, "apple/green");

        put(deep, "small", "y.png", 2, 2, 3, 99, 3); /* belongs to apple */
        free(deep);
        deep = gs_path_join(dir, "apple/loop");
        assert_int_equal(symlink("..", deep), 0); /* must not be followed */
        free(deep);
    }
    put_bytes(dir, "notes.txt", "not a picture");
    assert_ok(gs_folder_load(&s, &names, dir, &o));
    assert_int_equal(s.n, 4);
    assert_int_equal(s.classes, 2);
    assert_int_equal(s.c, 3);
    assert_string_equal(names[0], "apple");
    assert_string_equal(names[1], "pear");
    assert_memory_equal(s.labels, ((uint8_t[]){ 0, 0, 1, 1 }), 4);
    for (int i = 0; i < 64; i++) { /* colours survive scaling and cutting */
        assert_memory_equal(s.images + 3 * i, ((uint8_t[]){ 3, 99, 3 }), 3);
        assert_memory_equal(s.images + 192 + 3 * i, ((uint8_t[]){ 250, 0, 0 }), 3);
        assert_memory_equal(s.images + 384 + 3 * i, ((uint8_t[]){ 1, 2, 3 }), 3);
        assert_memory_equal(s.images + 576 + 3 * i, ((uint8_t[]){ 0, 200, 0 }), 3);
    }
    free(names[0]), free(names[1]), free(names);
    gs_labelled_free(&s);

    assert_ok(gs_folder_load(&s, NULL, dir, &(gs_folder_opts){ .side = 4, .channels = 1, .per_class = 1 }));
    assert_int_equal(s.n, 2);
    assert_int_equal(s.images[0], 59); /* 0.299 * 3 + 0.587 * 99 + 0.114 * 3 = 59.35 */
    gs_labelled_free(&s);

    {
        char *pear = gs_path_join(dir, "pear"), *empty = gs_path_join(dir, "quince");

        put_bytes(pear, "broken.PNG", "\x89PNG\r\n\x1a\nxx");
        assert_fails(gs_folder_load(&s, NULL, dir, &o), GS_EFORMAT, "broken.PNG");
        gs_log_set(count_warning, NULL);
        assert_ok(gs_folder_load(&s, NULL, dir, &(gs_folder_opts){ .side = 8, .skip_bad = true }));
        gs_log_set(NULL, NULL);
        assert_int_equal(warnings, 1);
        assert_int_equal(s.n, 4);
        assert_memory_equal(s.images + 576, ((uint8_t[]){ 0, 200, 0 }), 3);
        gs_labelled_free(&s);
        assert_ok(gs_mkdirs(empty));
        assert_fails(gs_folder_load(&s, NULL, dir, &(gs_folder_opts){ .side = 8, .skip_bad = true }), GS_EFORMAT,
                     "quince");
        assert_fails(gs_folder_load(&s, NULL, pear, &o), GS_EIO, "no subfolders");
        free(pear), free(empty);
    }
    assert_fails(gs_folder_load(&s, NULL, "no/such", &o), GS_EIO, "no/such: no such folder");
    assert_int_equal(gs_folder_load(&s, NULL, dir, &(gs_folder_opts){ .side = 0 }), GS_EINVAL);
    free(dir);
}

/* The middle of a wide picture is what remains, and shrinking averages instead of skipping pixels. */
static void test_fit(void **state)
{
    char *dir = gs_test_tmpdir(), *sub = gs_path_join(dir, "k"), *path = gs_path_join(sub, "p.png");
    gs_image img;
    gs_labelled s;

    (void)state;
    assert_ok(gs_mkdirs(sub));
    assert_ok(gs_image_new(&img, 64, 32, 1));
    for (int y = 0; y < 32; y++)
        for (int x = 0; x < 64; x++) img.px[y * 64 + x] = x < 16 || x >= 48 ? 9 : (x + y) % 2 ? 200 : 100;
    assert_ok(gs_png_write(path, &img));
    gs_image_free(&img);
    assert_ok(gs_folder_load(&s, NULL, dir, &(gs_folder_opts){ .side = 8, .channels = 1 }));
    for (int i = 0; i < 64; i++) assert_int_equal(s.images[i], 150);
    gs_labelled_free(&s);
    free(dir), free(sub), free(path);
}

/* Runs the report; the caller frees *text. */
static gs_status report(const char *path, bool json, char **text)
{
    size_t n = 0;
    FILE *f = open_memstream(text, &n);
    const gs_status st = gs_data_info(path, f, json);

    fclose(f);
    return st;
}

static void expect_text(const char *path, gs_status want, const char *const *parts, int n)
{
    char *text = NULL;

    assert_int_equal(report(path, false, &text), want);
    for (int i = 0; i < n; i++)
        if (!strstr(text, parts[i])) fail_msg("\"%s\" is missing in:\n%s", parts[i], text);
    free(text);
}

static void test_info_pictures(void **state)
{
    char *dir = gs_test_tmpdir(), *sub = gs_path_join(dir, "pear"), *text = NULL, *one;
    cJSON *j;

    (void)state;
    put(dir, "pear", "b.png", 40, 20, 0, 200, 0);
    put(dir, "apple", "a.png", 8, 9, 1, 2, 3);
    expect_text(dir, GS_OK, (const char *[]){ "2 pictures (2 PNG; 2 3-channel), 8..40 wide, 9..20 high", "class apple",
                                             "nothing wrong" }, 3);
    put_bytes(sub, "broken.png", "\x89PNG\r\n\x1a\nxx");
    put_bytes(dir, "readme.md", "x");
    put(dir, ".", "loose.png", 2, 2, 0, 0, 0);
    expect_text(dir, GS_EFORMAT,
                (const char *[]){ "1 unreadable, 1 other files", "problem:", "broken.png", "belong to no class" }, 4);
    assert_int_equal(report(dir, true, &text), GS_EFORMAT);
    j = cJSON_Parse(text);
    assert_non_null(j);
    assert_string_equal(cJSON_GetObjectItem(j, "kind")->valuestring, "picture folder");
    assert_int_equal(cJSON_GetObjectItem(j, "pictures")->valueint, 3);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(j, "problems")), 2);
    assert_int_equal(cJSON_GetArrayItem(cJSON_GetObjectItem(j, "width"), 1)->valueint, 40);
    cJSON_Delete(j);
    free(text);
    one = gs_path_join(sub, "b.png");
    expect_text(one, GS_OK, (const char *[]){ "PNG, 40 x 20, 3 channels" }, 1);
    free(one);
    one = gs_path_join(dir, "readme.md");
    assert_int_equal(report(one, false, &text), GS_EFORMAT);
    assert_string_equal(text, ""); /* no half report */
    free(text);
    free(one);
    one = gs_path_join(dir, "nothing");
    assert_int_equal(report(one, false, &text), GS_EIO);
    free(text);
    free(one);
    free(sub);
    free(dir);
}

static void test_info_idx(void **state)
{
    char *dir = gs_test_tmpdir(), *text = NULL, *path;
    const char *shared = gs_test_shared();
    gs_digitset d;
    cJSON *j;

    (void)state;
    /* the fixture holds no test set: that is a problem, with the names that were looked for */
    expect_text("tests/fixtures/mnist-300", GS_EFORMAT,
                (const char *[]){ "train  300 pictures of 28 x 28, 10 classes, mean 0.1", "t10k-images-idx3-ubyte.gz" },
                2);
    assert_ok(gs_labelled_new(&d.train, 30, 2, 2, 1, 3));
    assert_ok(gs_labelled_new(&d.test, 3, 2, 2, 1, 3));
    for (int i = 0; i < 30; i++) d.train.labels[i] = i % 3, d.test.labels[i / 10] = i / 10;
    assert_ok(gs_digitset_write(&d, dir));
    expect_text(dir, GS_OK, (const char *[]){ "train  30 pictures of 2 x 2, 3 classes", "nothing wrong" }, 2);
    for (int i = 0; i < 30; i++) d.train.labels[i] = i % 3 ? 2 : 0;
    assert_ok(gs_digitset_write(&d, dir));
    assert_int_equal(report(dir, true, &text), GS_EFORMAT);
    j = cJSON_Parse(text);
    assert_string_equal(cJSON_GetArrayItem(cJSON_GetObjectItem(j, "problems"), 0)->valuestring,
                        "train: no picture of class 1");
    assert_int_equal(cJSON_GetArrayItem(cJSON_GetObjectItem(cJSON_GetArrayItem(cJSON_GetObjectItem(j, "splits"), 0),
                                                            "histogram"), 2)->valueint, 20);
    cJSON_Delete(j);
    free(text);
    path = gs_idx_find(dir, "train", "labels");
    expect_text(path, GS_OK, (const char *[]){ "u8 x 30", "10      0     20" }, 2);
    assert_ok(gs_file_write(path, "\0\0\x08\x01\0\0\0\x09xx", 10));
    expect_text(path, GS_EFORMAT, (const char *[]){ "idx file", "declares 17 bytes" }, 2);
    expect_text(dir, GS_EFORMAT, (const char *[]){ "t10k   3 pictures", "declares 17 bytes" }, 2);
    free(path);
    gs_digitset_free(&d);
    free(dir);
    if (!shared) GS_SKIP("no shared folder with mnist");
    path = gs_path_join(shared, "data/mnist");
    expect_text(path, GS_OK, (const char *[]){ "t10k   10000 pictures of 28 x 28, 10 classes, mean 0.132515", "5923" },
                2);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load), cmocka_unit_test(test_fit), cmocka_unit_test(test_info_pictures),
        cmocka_unit_test(test_info_idx),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
