/* Pictures in memory and as files: PNG and JPEG in, PNG out. Pixels are 8 bits, rows from top to bottom, channels
 * interleaved (H W C). A gs_image owns its pixels: whoever filled it calls gs_image_free.
 *
 * Every reader takes its input for hostile: sizes are bounded before anything is allocated, a damaged or truncated
 * file is an error (GS_EFORMAT), never a half-filled picture, and a file that is too short for the size it
 * declares is refused before memory for that size is asked for. */
#ifndef GS_DATA_IMAGE_H
#define GS_DATA_IMAGE_H

#include "base/base.h"

#define GS_IMAGE_MAX_SIDE   65535
#define GS_IMAGE_MAX_PIXELS (64 * 1024 * 1024)  /* default limit of a picture's area */
#define GS_IMAGE_MAX_FILE   (256u * 1024 * 1024) /* bytes; larger files are refused unread */

typedef struct gs_image {
    int w, h;    /* pixels, 1..65535 */
    int c;       /* channels: 1 grey, 3 RGB, 4 RGBA (alpha not multiplied in) */
    uint8_t *px; /* h * w * c bytes */
} gs_image;

typedef struct gs_image_opts {
    int channels;          /* 0: as the file has them (1, 3 or 4); 1 or 3: converted; 4: RGBA */
    uint8_t background[3]; /* what shows through transparent pixels when channels is 1 or 3; default black */
    int64_t max_pixels;    /* 0: GS_IMAGE_MAX_PIXELS */
} gs_image_opts;

typedef enum gs_image_kind { GS_IMAGE_UNKNOWN, GS_IMAGE_PNG, GS_IMAGE_JPEG } gs_image_kind;

/* An h x w x c picture, all zero. GS_EINVAL for a bad side or channel count, GS_ENOMEM. */
gs_status gs_image_new(gs_image *out, int w, int h, int c);
void gs_image_free(gs_image *img); /* frees the pixels and empties the struct; accepts NULL and an empty picture */

/* What the first bytes say; the file's name is not looked at. */
gs_image_kind gs_image_sniff(const void *data, size_t size);
const char *gs_image_kind_name(gs_image_kind kind); /* "PNG", "JPEG", "unknown" */

/* Reads a PNG or JPEG file, told apart by content. Errors: GS_EIO, GS_EFORMAT, GS_ELIMIT (too large), GS_ENOMEM;
 * the sentence starts with the path. *out is empty after a failure. */
gs_status gs_image_read(const char *path, const gs_image_opts *o, gs_image *out);
/* The same from memory; `name` stands in messages. */
gs_status gs_image_decode(const void *data, size_t size, const char *name, const gs_image_opts *o, gs_image *out);

/* One format. PNG: palettes, 1 to 16 bits, tRNS and interlacing are expanded to 8 bits a channel; gAMA and
 * colour profiles are ignored, so samples are as stored. JPEG: grey, YCbCr, RGB, CMYK and YCCK; baseline, progressive
 * and arithmetic. A warning of the JPEG decoder that means lost pixels (truncation, bad codes) is an error; one
 * that does not (bytes between segments, odd JFIF version) is passed over. */
gs_status gs_png_decode(const void *data, size_t size, const char *name, const gs_image_opts *o, gs_image *out);
gs_status gs_jpeg_decode(const void *data, size_t size, const char *name, const gs_image_opts *o, gs_image *out);

/* A label map: the palette indices, or the grey values as stored (not scaled), of a PNG of 1 to 8 bits; out->c = 1.
 * palette (may be NULL) gets the RGB entries and *n_colours their number, 0 for a grey PNG. An index beyond the
 * palette is GS_EFORMAT, as are RGB and 16-bit files. */
gs_status gs_png_read_indexed(const char *path, gs_image *out, uint8_t palette[256][3], int *n_colours);
gs_status gs_png_decode_indexed(const void *data, size_t size, const char *name, gs_image *out,
                                uint8_t palette[256][3], int *n_colours);

/* Writes a PNG, atomically. GS_EIO, GS_EINVAL (empty picture). */
gs_status gs_png_write(const char *path, const gs_image *img);
/* The same into memory; the caller frees *data with free(). */
gs_status gs_png_encode(const gs_image *img, uint8_t **data, size_t *size);

/* Converts in place to 1, 3 or 4 channels. Alpha is composited over background (NULL: black) when it goes;
 * grey = 0.299 R + 0.587 G + 0.114 B (Rec. 601), rounded. */
gs_status gs_image_convert(gs_image *img, int channels, const uint8_t background[3]);

typedef enum gs_image_filter {
    GS_RESIZE_BILINEAR,  /* half-pixel centres, edges clamped, two taps a side: no low-pass when shrinking */
    GS_RESIZE_NEAREST,   /* the pixel under the centre: floor((i + 0.5) * src / dst); for label maps */
    GS_RESIZE_ANTIALIAS, /* bilinear with the filter widened when shrinking, as PIL does */
    GS_RESIZE_BICUBIC,   /* the same with the cubic of a = -0.5 */
    GS_RESIZE_CORNER     /* bilinear of two taps at i * src / dst, without the half pixel: TensorFlow 1's default */
} gs_image_filter;

/* A fresh picture of w x h; src stays. GS_EINVAL, GS_ENOMEM. */
gs_status gs_image_resize(gs_image *out, const gs_image *src, int w, int h, gs_image_filter method);
/* The cut-out whose upper left corner is (x, y); must lie inside src, else GS_EINVAL. */
gs_status gs_image_crop(gs_image *out, const gs_image *src, int x, int y, int w, int h);

#endif
