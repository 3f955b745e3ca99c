/* Tests of src/io/events.c: the file is parsed again here, record by record and field by field. */
#include "lib/testlib.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "io/events.h"

typedef struct view {
    const uint8_t *p, *end;
} view;

static uint64_t varint(view *v)
{
    uint64_t x = 0;
    int shift = 0;

    do {
        assert_true(v->p < v->end && shift < 64);
        x |= (uint64_t)(*v->p & 0x7f) << shift;
        shift += 7;
    } while (*v->p++ & 0x80);
    return x;
}

/* One field: its number, and either a number's bits or a slice. False at the end. */
static bool field(view *v, int *number, uint64_t *bits, view *slice)
{
    uint64_t key;

    if (v->p == v->end) return false;
    key = varint(v);
    *number = (int)(key >> 3);
    *bits = 0;
    *slice = (view){0};
    switch (key & 7) {
    case 0: *bits = varint(v); break;
    case 1:
        memcpy(bits, v->p, 8);
        v->p += 8;
        break;
    case 2: {
        const uint64_t n = varint(v);

        assert_true(n <= (uint64_t)(v->end - v->p));
        *slice = (view){v->p, v->p + n};
        v->p += n;
        break;
    }
    case 5:
        memcpy(bits, v->p, 4);
        v->p += 4;
        break;
    default: fail_msg("wire type %d", (int)(key & 7));
    }
    assert_true(v->p <= v->end);
    return true;
}

static bool is(view s, const char *text)
{
    return (size_t)(s.end - s.p) == strlen(text) && memcmp(s.p, text, strlen(text)) == 0;
}

static uint32_t mask(uint32_t crc)
{
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static view record(view *file)
{
    uint64_t n;
    uint32_t crc;
    view data;

    assert_true(file->end - file->p >= 16);
    memcpy(&n, file->p, 8);
    memcpy(&crc, file->p + 8, 4);
    assert_int_equal(crc, mask(gs_crc32c(0, file->p, 8)));
    assert_true(n <= (uint64_t)(file->end - file->p) - 16);
    data = (view){file->p + 12, file->p + 12 + n};
    memcpy(&crc, data.end, 4);
    assert_int_equal(crc, mask(gs_crc32c(0, data.p, n)));
    file->p += 16 + n;
    return data;
}

/* Splits an event into step and one payload field. */
static view event(view *file, int64_t *step, int *kind)
{
    view data = record(file), slice, payload = {0};
    int number;
    uint64_t bits;
    double wall = 0;

    *step = 0;
    *kind = 0;
    while (field(&data, &number, &bits, &slice)) {
        if (number == 1) memcpy(&wall, &bits, 8);
        else if (number == 2) *step = (int64_t)bits;
        else payload = slice, *kind = number;
    }
    assert_true(wall > 1.5e9 && wall < 1e11);
    return payload;
}

static void test_crc(void **state)
{
    static const uint8_t zeros[32];

    (void)state;
    assert_int_equal(gs_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(gs_crc32c(0, zeros, 32), 0x8a9136aa); /* RFC 3720, B.4 */
    assert_int_equal(gs_crc32c(gs_crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
}

static void test_file(void **state)
{
    char *root = gs_test_tmpdir(), *dir = gs_path_join(root, "events");
    gs_events *e, *second;
    uint8_t *bytes;
    size_t size;
    view file, payload, value, slice;
    int kind, number;
    int64_t step;
    uint64_t bits;
    float v;

    (void)state;
    assert_ok(gs_events_open(dir, 0, &e));
    assert_ok(gs_events_scalar(e, "loss/G", 300, 0.6931f));
    assert_ok(gs_events_png(e, "grid", 70000, 280, 300, 1, "\x89PNG\0x", 6));
    assert_ok(gs_events_open(dir, 300, &second)); /* at once: another name */
    assert_string_not_equal(gs_events_path(e), gs_events_path(second));

    assert_ok(gs_file_read(gs_events_path(e), 1 << 20, &bytes, &size));
    file = (view){bytes, bytes + size};
    payload = event(&file, &step, &kind);
    assert_int_equal(kind, 3);
    assert_true(is(payload, "brain.Event:2"));

    payload = event(&file, &step, &kind);
    assert_int_equal(kind, 5);
    assert_int_equal(step, 300);
    assert_true(field(&payload, &number, &bits, &value) && number == 1);
    assert_true(field(&value, &number, &bits, &slice) && number == 1 && is(slice, "loss/G"));
    assert_true(field(&value, &number, &bits, &slice) && number == 2);
    memcpy(&v, &bits, 4);
    assert_true(v == 0.6931f);
    assert_false(field(&value, &number, &bits, &slice));
    assert_false(field(&payload, &number, &bits, &slice));

    payload = event(&file, &step, &kind);
    assert_int_equal(step, 70000);
    assert_true(field(&payload, &number, &bits, &value) && number == 1);
    assert_true(field(&value, &number, &bits, &slice) && number == 1 && is(slice, "grid"));
    assert_true(field(&value, &number, &bits, &slice) && number == 4);
    value = slice;
    assert_true(field(&value, &number, &bits, &slice) && number == 1 && bits == 300); /* height comes first */
    assert_true(field(&value, &number, &bits, &slice) && number == 2 && bits == 280);
    assert_true(field(&value, &number, &bits, &slice) && number == 3 && bits == 1);
    assert_true(field(&value, &number, &bits, &slice) && number == 4 && slice.end - slice.p == 6);
    assert_memory_equal(slice.p, "\x89PNG\0x", 6);
    assert_true(file.p == file.end);
    free(bytes);

    assert_ok(gs_file_read(gs_events_path(second), 1 << 20, &bytes, &size));
    file = (view){bytes, bytes + size};
    event(&file, &step, &kind);
    payload = event(&file, &step, &kind);
    assert_int_equal(kind, 7);
    assert_int_equal(step, 300);
    assert_true(field(&payload, &number, &bits, &slice) && number == 1 && bits == 1);
    assert_true(file.p == file.end);
    free(bytes);
    gs_events_close(e);
    gs_events_close(second);
    gs_events_close(NULL);
    assert_fails(gs_events_open("/proc/nothing", 0, &e), GS_EIO, "/proc/nothing");
    assert_null(e);
    free(dir);
    free(root);
}

/* A record that the disk cannot hold is taken back, so that the file stays readable to its end. */
static void test_disk_full(void **state)
{
    char *dir = gs_test_tmpdir();
    static uint8_t png[20000];
    gs_events *e;
    struct rlimit old, small;
    gs_status st;
    uint8_t *bytes;
    size_t size;
    view file;
    int64_t step;
    int kind, records = 0;

    (void)state;
    assert_ok(gs_events_open(dir, 0, &e));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){.rlim_cur = 10000, .rlim_max = old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    st = gs_events_png(e, "grid", 1, 1, 1, 1, png, sizeof png);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(st, GS_EIO);
    assert_true(strstr(gs_last_error(), "tfevents") != NULL);
    assert_ok(gs_events_scalar(e, "a", 2, 1));
    assert_ok(gs_file_read(gs_events_path(e), 1 << 20, &bytes, &size));
    for (file = (view){bytes, bytes + size}; file.p < file.end; records++) event(&file, &step, &kind);
    assert_int_equal(records, 2);
    assert_int_equal(step, 2);
    free(bytes);
    gs_events_close(e);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc), cmocka_unit_test(test_file), cmocka_unit_test(test_disk_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
