/* PNG by libpng: reading from memory under limits, and writing. No function that calls setjmp keeps state in locals
 * that change after it: all of that lives in the context struct. */
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "data/image_int.h"

#define CHUNK_MAX (8u << 20) /* bytes that one ancillary chunk may make libpng allocate */

typedef struct reader {
    jmp_buf jump;
    char message[160];
    const uint8_t *data;
    size_t size, pos;
    png_structp png;
    png_infop info;
    png_bytep *rows;
    png_uint_32 w, h;
    int depth, type, interlace;
    gs_status st; /* a failure that is not libpng's: limits, memory; its sentence is recorded */
    const char *name;
    const gs_image_opts *opts;
    bool indexed;
    gs_image *out;
} reader;

static void on_error(png_structp png, png_const_charp text)
{
    reader *r = png_get_error_ptr(png);

    snprintf(r->message, sizeof r->message, "%s", text);
    longjmp(r->jump, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    reader *r = png_get_error_ptr(png);

    gs_debug(3, "%s: libpng: %s", r->name, text);
}

static void read_bytes(png_structp png, png_bytep to, size_t n)
{
    reader *r = png_get_io_ptr(png);

    if (n > r->size - r->pos) png_error(png, "the file ends too early");
    memcpy(to, r->data + r->pos, n);
    r->pos += n;
}

/* Deflate cannot shrink by more than 1032 to 1, so a file that declares more pixel bits than that has lost some. */
static bool too_short(const reader *r, int channels)
{
    const uint64_t bytes = ((uint64_t)r->w * r->h * channels * r->depth + 7) / 8;

    return bytes > 1032 * (uint64_t)r->size + 64;
}

/* Chooses the transformations; the row then has 8 bits a channel and out->c channels. */
static void set_transforms(reader *r)
{
    const bool alpha = (r->type & PNG_COLOR_MASK_ALPHA) || png_get_valid(r->png, r->info, PNG_INFO_tRNS);

    if (r->indexed) {
        png_set_packing(r->png);
        return;
    }
    png_set_expand(r->png);
    png_set_scale_16(r->png);
    if (alpha && !(r->type & PNG_COLOR_MASK_COLOR)) png_set_gray_to_rgb(r->png);
}

/* Runs under setjmp; returns false with r->st set when the failure is ours. */
static bool decode(reader *r)
{
    int channels;

    png_set_user_limits(r->png, GS_IMAGE_MAX_SIDE, GS_IMAGE_MAX_SIDE);
    png_set_chunk_malloc_max(r->png, CHUNK_MAX);
    png_set_chunk_cache_max(r->png, 16);
    /* Texts, profiles, times: skipped unread. A negative count names all ancillary chunks but tRNS. */
    png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_read_fn(r->png, r, read_bytes);
    png_read_info(r->png, r->info);
    png_get_IHDR(r->png, r->info, &r->w, &r->h, &r->depth, &r->type, &r->interlace, NULL, NULL);
    r->st = gs__image_limits(r->name, r->w, r->h, r->opts);
    if (r->st != GS_OK) return false;
    if (too_short(r, png_get_channels(r->png, r->info)))
        png_error(r->png, "the file is too short for the size it declares");
    if (r->indexed && ((r->type != PNG_COLOR_TYPE_PALETTE && r->type != PNG_COLOR_TYPE_GRAY) || r->depth > 8)) {
        r->st = gs_fail(GS_EFORMAT, "%s: a label map is a palette or grey PNG of at most 8 bits; this one is %s of %d bits",
                        r->name, r->type & PNG_COLOR_MASK_COLOR ? "RGB" : "grey", r->depth);
        return false;
    }
    set_transforms(r);
    (void)png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    channels = png_get_channels(r->png, r->info);
    r->st = gs_image_new(r->out, (int)r->w, (int)r->h, channels);
    if (r->st != GS_OK) return false;
    if (png_get_rowbytes(r->png, r->info) != (size_t)r->w * channels) png_error(r->png, "unexpected row size");
    r->rows = gs_try_alloc(r->h, sizeof *r->rows, "picture rows");
    if (!r->rows) {
        r->st = GS_ENOMEM;
        return false;
    }
    for (png_uint_32 y = 0; y < r->h; y++) r->rows[y] = r->out->px + (size_t)y * r->w * channels;
    png_read_image(r->png, r->rows);
    png_read_end(r->png, NULL);
    return true;
}

/* The palette, and whether every index lies in it. */
static gs_status check_palette(reader *r, uint8_t palette[256][3], int *n_colours)
{
    const size_t n = (size_t)r->w * r->h;
    png_colorp entries = NULL;
    int count = 0;

    if (n_colours) *n_colours = 0;
    if (r->type != PNG_COLOR_TYPE_PALETTE) return GS_OK;
    if (!png_get_PLTE(r->png, r->info, &entries, &count)) return gs_fail(GS_EFORMAT, "%s: no palette", r->name);
    for (int i = 0; palette && i < count && i < 256; i++) {
        palette[i][0] = entries[i].red;
        palette[i][1] = entries[i].green;
        palette[i][2] = entries[i].blue;
    }
    for (size_t i = 0; i < n; i++)
        if (r->out->px[i] >= count)
            return gs_fail(GS_EFORMAT, "%s: index %d at x = %zu, y = %zu, but the palette has %d colours", r->name,
                           r->out->px[i], i % r->w, i / r->w, count);
    if (n_colours) *n_colours = count;
    return GS_OK;
}

static gs_status run(reader *r)
{
    if (setjmp(r->jump)) return gs_fail(GS_EFORMAT, "%s: damaged PNG: %s", r->name, r->message);
    r->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, r, on_error, on_warning);
    if (!r->png) return gs_fail(GS_ENOMEM, "%s: libpng cannot start", r->name);
    r->info = png_create_info_struct(r->png);
    if (!r->info) return gs_fail(GS_ENOMEM, "%s: libpng cannot start", r->name);
    return decode(r) ? GS_OK : r->st;
}

static void reader_close(reader *r)
{
    if (r->png) png_destroy_read_struct(&r->png, &r->info, NULL);
    free(r->rows);
}

gs_status gs_png_decode(const void *data, size_t size, const char *name, const gs_image_opts *o, gs_image *out)
{
    gs_status st = GS_OK;
    reader r = { .data = data, .size = size, .name = name, .opts = o, .out = out };

    *out = (gs_image){0};
    TRY(run(&r));
    TRY(gs__image_finish(out, o));
done:
    reader_close(&r);
    if (st != GS_OK) gs_image_free(out);
    return st;
}

gs_status gs_png_decode_indexed(const void *data, size_t size, const char *name, gs_image *out,
                                uint8_t palette[256][3], int *n_colours)
{
    gs_status st = GS_OK;
    reader r = { .data = data, .size = size, .name = name, .out = out, .indexed = true };

    *out = (gs_image){0};
    TRY(run(&r));
    TRY(check_palette(&r, palette, n_colours));
done:
    reader_close(&r);
    if (st != GS_OK) gs_image_free(out);
    return st;
}

gs_status gs_png_read_indexed(const char *path, gs_image *out, uint8_t palette[256][3], int *n_colours)
{
    gs_status st = GS_OK;
    uint8_t *data = NULL;
    size_t size = 0;

    *out = (gs_image){0};
    TRY(gs_file_read(path, GS_IMAGE_MAX_FILE, &data, &size));
    TRY(gs_png_decode_indexed(data, size, path, out, palette, n_colours));
done:
    free(data);
    return st;
}

typedef struct writer {
    jmp_buf jump;
    char message[160];
    png_structp png;
    png_infop info;
    gs_str bytes;
} writer;

static void on_write_error(png_structp png, png_const_charp text)
{
    writer *w = png_get_error_ptr(png);

    snprintf(w->message, sizeof w->message, "%s", text);
    longjmp(w->jump, 1);
}

static void ignore_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void write_bytes(png_structp png, png_bytep from, size_t n)
{
    gs_str_append(&((writer *)png_get_io_ptr(png))->bytes, from, n);
}

static void flush_nothing(png_structp png) { (void)png; }

static gs_status encode(writer *w, const gs_image *img)
{
    const int type = img->c == 1 ? PNG_COLOR_TYPE_GRAY : img->c == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_RGB_ALPHA;

    if (setjmp(w->jump)) return gs_fail(GS_EIO, "writing a PNG: %s", w->message);
    w->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, w, on_write_error, ignore_warning);
    if (!w->png) return gs_fail(GS_ENOMEM, "libpng cannot start");
    w->info = png_create_info_struct(w->png);
    if (!w->info) return gs_fail(GS_ENOMEM, "libpng cannot start");
    png_set_write_fn(w->png, w, write_bytes, flush_nothing);
    png_set_IHDR(w->png, w->info, img->w, img->h, 8, type, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(w->png, w->info);
    for (int y = 0; y < img->h; y++) png_write_row(w->png, img->px + (size_t)y * img->w * img->c);
    png_write_end(w->png, w->info);
    return GS_OK;
}

gs_status gs_png_encode(const gs_image *img, uint8_t **data, size_t *size)
{
    writer w = {0};
    gs_status st = GS_OK;

    *data = NULL;
    *size = 0;
    TRY(img->px ? GS_OK : gs_fail(GS_EINVAL, "an empty picture cannot be written"));
    TRY(encode(&w, img));
    *data = (uint8_t *)w.bytes.data;
    *size = w.bytes.len;
    w.bytes = (gs_str){0};
done:
    if (w.png) png_destroy_write_struct(&w.png, &w.info);
    gs_str_free(&w.bytes);
    return st;
}

gs_status gs_png_write(const char *path, const gs_image *img)
{
    uint8_t *data = NULL;
    size_t size = 0;
    gs_status st = gs_png_encode(img, &data, &size);

    if (st == GS_OK) st = gs_file_write(path, data, size);
    free(data);
    return st;
}
