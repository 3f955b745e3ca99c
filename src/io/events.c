/* Event files for TensorBoard: TFRecord framing around protobuf messages.
 *
 *   record   u64 length | u32 masked CRC of the length | data | u32 masked CRC of the data      (little-endian)
 *   Event    1 wall_time double, 2 step int64, 3 file_version string, 5 summary Summary, 7 session_log SessionLog
 *   Summary  1 value: repeated { 1 tag string, 2 simple_value float, 4 image { 1 height, 2 width, 3
 *            colorspace, 4 png } }
 *   SessionLog  1 status (1 is START) */
#include "io/events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct gs_events {
    char *path;
    int fd;
};

/* Polynomial 0x82f63b78 (reflected), half a byte a step: entry i is i carried through four steps of the division. Fast
 * enough for a few pictures an epoch. */
uint32_t gs_crc32c(uint32_t crc, const void *data, size_t n)
{
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    const uint8_t *p = data;

    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

/* TFRecord masks its check sums so that a CRC over data that holds CRCs stays sound. */
static uint32_t masked(const void *data, size_t n)
{
    const uint32_t crc = gs_crc32c(0, data, n);

    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 }; /* protobuf wire types */

static void put_varint(gs_str *s, uint64_t v)
{
    do {
        const uint8_t byte = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));

        gs_str_append(s, &byte, 1);
    } while (v >>= 7);
}

static void put_key(gs_str *s, int field, int type)
{
    put_varint(s, (uint64_t)field << 3 | (uint64_t)type);
}

static void put_int(gs_str *s, int field, int64_t v)
{
    put_key(s, field, VARINT);
    put_varint(s, (uint64_t)v);
}

static void put_bytes(gs_str *s, int field, const void *data, size_t n)
{
    put_key(s, field, BYTES);
    put_varint(s, n);
    gs_str_append(s, data, n);
}

static void put_float(gs_str *s, int field, float v)
{
    put_key(s, field, FIXED32);
    gs_str_append(s, &v, 4);
}

static void begin_event(gs_str *s, int64_t step)
{
    struct timespec t;
    double wall;

    clock_gettime(CLOCK_REALTIME, &t);
    wall = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    put_key(s, 1, FIXED64);
    gs_str_append(s, &wall, 8);
    if (step) put_int(s, 2, step);
}

/* One write call; what a full disk took of it is taken back. */
static gs_status put_record(gs_events *e, const gs_str *event)
{
    gs_status st = GS_OK;
    gs_str frame = {0};
    const uint64_t n = event->len;
    uint32_t crc = masked(&n, 8);
    const off_t begin = lseek(e->fd, 0, SEEK_END);
    size_t at = 0;

    gs_str_append(&frame, &n, 8);
    gs_str_append(&frame, &crc, 4);
    gs_str_append(&frame, event->data, event->len);
    crc = masked(event->data, event->len);
    gs_str_append(&frame, &crc, 4);
    while (at < frame.len) {
        const ssize_t put = write(e->fd, frame.data + at, frame.len - at);

        if (put < 0 && errno == EINTR) continue;
        if (put < 0) {
            st = gs_fail(GS_EIO, "%s: %s", e->path, strerror(errno));
            if (at && begin >= 0 && ftruncate(e->fd, begin) != 0)
                gs_fail(GS_EIO, "%s: ends in half a record: %s", e->path, strerror(errno));
            break;
        }
        at += (size_t)put;
    }
    gs_str_free(&frame);
    return st;
}

gs_status gs_events_open(const char *dir, int64_t start_step, gs_events **out)
{
    gs_events *e = gs_xalloc(sizeof *e);
    gs_status st = GS_OK;
    gs_str event = {0};
    char host[65] = "host";

    *out = NULL;
    e->fd = -1;
    TRY(gs_mkdirs(dir));
    gethostname(host, sizeof host - 1);
    for (char *p = host; *p; p++)
        if (*p == '/') *p = '-';
    /* TensorBoard reads the files of a folder in the order of their names; the counter keeps two opened in one second
     * apart, and in order. */
    for (int i = 0; e->fd < 0 && i < 1000; i++) {
        gs_str path = {0};

        gs_str_printf(&path, "%s/events.out.tfevents.%010lld.%03d.%s", dir, (long long)time(NULL), i, host);
        free(e->path);
        e->path = path.data;
        e->fd = open(e->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
        if (e->fd < 0 && errno != EEXIST) break;
    }
    TRY(e->fd < 0 ? gs_fail(GS_EIO, "%s: %s", e->path, strerror(errno)) : GS_OK);
    begin_event(&event, 0);
    put_bytes(&event, 3, "brain.Event:2", 13);
    TRY(put_record(e, &event));
    if (start_step > 0) {
        static const uint8_t start[] = {1 << 3 | VARINT, 1};

        gs_str_free(&event);
        begin_event(&event, start_step);
        put_bytes(&event, 7, start, sizeof start);
        TRY(put_record(e, &event));
    }
    *out = e;
done:
    gs_str_free(&event);
    if (st != GS_OK) gs_events_close(e);
    return st;
}

void gs_events_close(gs_events *e)
{
    if (!e) return;
    if (e->fd >= 0) close(e->fd);
    free(e->path);
    free(e);
}

const char *gs_events_path(const gs_events *e)
{
    return e->path;
}

/* Wraps a Summary.Value into a Summary and an Event and writes it. */
static gs_status put_value(gs_events *e, int64_t step, const gs_str *value)
{
    gs_str summary = {0}, event = {0};
    gs_status st;

    put_bytes(&summary, 1, value->data, value->len);
    begin_event(&event, step);
    put_bytes(&event, 5, summary.data, summary.len);
    st = put_record(e, &event);
    gs_str_free(&summary);
    gs_str_free(&event);
    return st;
}

gs_status gs_events_scalar(gs_events *e, const char *tag, int64_t step, float value)
{
    gs_str v = {0};
    gs_status st;

    put_bytes(&v, 1, tag, strlen(tag));
    put_float(&v, 2, value);
    st = put_value(e, step, &v);
    gs_str_free(&v);
    return st;
}

gs_status gs_events_png(gs_events *e, const char *tag, int64_t step, int width, int height, int channels,
                        const void *png, size_t size)
{
    gs_str image = {0}, v = {0};
    gs_status st;

    put_int(&image, 1, height);
    put_int(&image, 2, width);
    put_int(&image, 3, channels);
    put_bytes(&image, 4, png, size);
    put_bytes(&v, 1, tag, strlen(tag));
    put_bytes(&v, 4, image.data, image.len);
    st = put_value(e, step, &v);
    gs_str_free(&image);
    gs_str_free(&v);
    return st;
}
