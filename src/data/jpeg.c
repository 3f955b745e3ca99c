/* JPEG by libjpeg-turbo, from memory. Which warnings count as damage is decided in on_message. */
#include <stdio.h>

#include <jpeglib.h>
#include <jerror.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "data/image_int.h"

#define SCANS_MAX 100 /* a progressive file has about ten; more is an attempt to keep the decoder busy */

typedef struct reader {
    struct jpeg_error_mgr errors; /* first: libjpeg hands out a pointer to it */
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    char message[JMSG_LENGTH_MAX];
    struct jpeg_decompress_struct jpeg;
    bool created;
    gs_status st;
    const char *name;
    const gs_image_opts *opts;
    gs_image *out;
    uint8_t *row; /* CMYK needs a row of its own */
} reader;

static void on_error(j_common_ptr c)
{
    reader *r = (reader *)c->err;

    c->err->format_message(c, r->message);
    longjmp(r->jump, 1);
}

/* level -1 is a warning: the data are damaged. Those that leave every pixel in place are passed over. */
static void on_message(j_common_ptr c, int level)
{
    if (level >= 0) return;
    switch (c->err->msg_code) {
    case JWRN_ADOBE_XFORM:
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_JFIF_MAJOR:
        c->err->num_warnings++;
        return;
    default:
        on_error(c);
    }
}

static void on_progress(j_common_ptr c)
{
    reader *r = (reader *)c->err;

    if (r->jpeg.input_scan_number > SCANS_MAX) {
        snprintf(r->message, sizeof r->message, "more than %d scans", SCANS_MAX);
        longjmp(r->jump, 1);
    }
}

/* A block of 8 x 8 takes at least one bit with Huffman codes, and covers at most 128 pixels when two components share
 * the finest sampling; arithmetic codes have no such floor and get a quarter of the area limit. */
static gs_status plausible(reader *r, size_t size)
{
    const uint64_t area = (uint64_t)r->jpeg.image_width * r->jpeg.image_height;

    if (r->jpeg.arith_code) {
        if (area > GS_IMAGE_MAX_PIXELS / 4)
            return gs_fail(GS_ELIMIT, "%s: an arithmetic-coded JPEG of %llu pixels; at most %d are read", r->name,
                           (unsigned long long)area, GS_IMAGE_MAX_PIXELS / 4);
    } else if (area > 1024 * (uint64_t)size) {
        return gs_fail(GS_EFORMAT, "%s: damaged JPEG: too short for the size it declares", r->name);
    }
    return GS_OK;
}

/* CMYK as Adobe writes it: inverted when the Adobe marker is there. */
static void cmyk_row(uint8_t *dst, const uint8_t *src, int w, bool inverted)
{
    for (int x = 0; x < w; x++) {
        const int k = inverted ? src[4 * x + 3] : 255 - src[4 * x + 3];

        for (int i = 0; i < 3; i++) {
            const int v = inverted ? src[4 * x + i] : 255 - src[4 * x + i];

            dst[3 * x + i] = (uint8_t)((v * k + 127) / 255);
        }
    }
}

/* Runs under setjmp; returns false with r->st set when the failure is ours. */
static bool decode(reader *r, const uint8_t *data, size_t size)
{
    struct jpeg_decompress_struct *j = &r->jpeg;

    jpeg_create_decompress(j);
    r->created = true;
    r->progress.progress_monitor = on_progress;
    j->progress = &r->progress;
    jpeg_mem_src(j, data, size);
    jpeg_read_header(j, TRUE);
    r->st = gs__image_limits(r->name, j->image_width, j->image_height, r->opts);
    if (r->st == GS_OK) r->st = plausible(r, size);
    if (r->st != GS_OK) return false;
    switch (j->jpeg_color_space) {
    case JCS_GRAYSCALE: j->out_color_space = JCS_GRAYSCALE; break;
    case JCS_CMYK:
    case JCS_YCCK: j->out_color_space = JCS_CMYK; break;
    default: j->out_color_space = JCS_RGB; break;
    }
    j->dct_method = JDCT_ISLOW; /* the accurate one, so that a picture reads the same everywhere */
    jpeg_start_decompress(j);
    r->st = gs_image_new(r->out, (int)j->output_width, (int)j->output_height, j->out_color_space == JCS_GRAYSCALE ? 1 : 3);
    if (r->st != GS_OK) return false;
    if (j->out_color_space == JCS_CMYK) {
        r->row = gs_try_alloc(j->output_width, 4, "picture row");
        if (!r->row) {
            r->st = GS_ENOMEM;
            return false;
        }
    }
    while (j->output_scanline < j->output_height) {
        uint8_t *to = r->out->px + (size_t)j->output_scanline * r->out->w * r->out->c;
        JSAMPROW row = r->row ? r->row : to;

        jpeg_read_scanlines(j, &row, 1);
        if (r->row) cmyk_row(to, r->row, r->out->w, j->saw_Adobe_marker);
    }
    jpeg_finish_decompress(j);
    return true;
}

static gs_status run(reader *r, const uint8_t *data, size_t size)
{
    if (setjmp(r->jump)) return gs_fail(GS_EFORMAT, "%s: damaged JPEG: %s", r->name, r->message);
    return decode(r, data, size) ? GS_OK : r->st;
}

gs_status gs_jpeg_decode(const void *data, size_t size, const char *name, const gs_image_opts *o, gs_image *out)
{
    gs_status st = GS_OK;
    reader *r = gs_xalloc(sizeof *r);

    *out = (gs_image){0};
    r->name = name;
    r->opts = o;
    r->out = out;
    r->jpeg.err = jpeg_std_error(&r->errors);
    r->errors.error_exit = on_error;
    r->errors.emit_message = on_message;
    TRY(size > 0 ? GS_OK : gs_fail(GS_EFORMAT, "%s: the file is empty", name));
    TRY(run(r, data, size));
    TRY(gs__image_finish(out, o));
done:
    if (r->created) jpeg_destroy_decompress(&r->jpeg);
    free(r->row);
    free(r);
    if (st != GS_OK) gs_image_free(out);
    return st;
}
