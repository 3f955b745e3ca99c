/* The IDX container of MNIST and its relatives, plain or gzip (told apart by content), and the loader of a digit set.
 *
 *   0  u8 u8      both 0
 *   2  u8         element type: 0x08 u8, 0x09 i8, 0x0B i16, 0x0C i32, 0x0D f32, 0x0E f64
 *   3  u8         number of dimensions n
 *   4  u32 * n    sizes, slowest first, big-endian
 *   .  elements   C order, big-endian
 *
 * A file is refused (GS_EFORMAT) when its first bytes, type or number of dimensions are not these, when the
 * sizes overflow or exceed GS_IDX_MAX_BYTES, or when it is not exactly as long as it declares. A gzip file is unpacked
 * no further than the declared length, and refused before that when it is too short to hold so much. */
#ifndef GS_DATA_IDX_H
#define GS_DATA_IDX_H

#include "data/labelled.h"

#define GS_IDX_MAX_DIMS  8
#define GS_IDX_MAX_BYTES ((size_t)4 << 30)

typedef enum gs_idx_type {
    GS_IDX_U8 = 0x08, GS_IDX_I8 = 0x09, GS_IDX_I16 = 0x0B, GS_IDX_I32 = 0x0C, GS_IDX_F32 = 0x0D, GS_IDX_F64 = 0x0E
} gs_idx_type;

typedef struct gs_idx {
    gs_idx_type type;
    int n_dims;                     /* 1..8 */
    int64_t dims[GS_IDX_MAX_DIMS];  /* slowest first */
    size_t count, elem_size;        /* elements, bytes of one */
    void *data;                     /* count elements in the byte order of this machine; owned */
} gs_idx;

gs_status gs_idx_read(const char *path, gs_idx *out);
/* The same from memory; `name` stands in messages. */
gs_status gs_idx_parse(const void *data, size_t size, const char *name, gs_idx *out);
void gs_idx_free(gs_idx *x); /* accepts NULL */

/* Writes u8 elements, atomically; gzip when the path ends in ".gz" (the same bytes for the same input).
 * GS_EIO, GS_EINVAL. */
gs_status gs_idx_write_u8(const char *path, const uint8_t *data, const int64_t *dims, int n_dims);

/* One pair of files. classes 0: the greatest label + 1. Checks element type, dimensions, that both files hold as many,
 * and that labels are below classes. */
gs_status gs_idx_load_pair(gs_labelled *out, const char *images, const char *labels, int classes);

/* The files of a folder: split is "train" or "t10k". Looks for SPLIT-images-idx3-ubyte and SPLIT-images.idx3-ubyte,
 * then both with .gz, and the same with labels and idx1; the message of a failure lists the names (GS_EIO). */
gs_status gs_idx_load_split(gs_labelled *out, const char *dir, const char *split, int classes);
/* The path of one of them, fresh (free()), or NULL. what is "images" or "labels". */
char *gs_idx_find(const char *dir, const char *split, const char *what);

typedef struct gs_digitset {
    gs_labelled train, test;
} gs_digitset;

/* Both splits of a folder, or four files (train images, train labels, test images, test labels). Sizes must agree;
 * classes 0: from the labels of both. *out is empty after a failure. */
gs_status gs_digitset_load(gs_digitset *out, const char *dir, int classes);
gs_status gs_digitset_load_files(gs_digitset *out, const char *const paths[4], int classes);
void gs_digitset_free(gs_digitset *s); /* accepts NULL */

/* Writes the four files of a folder (created if need be) under their usual names, plain. */
gs_status gs_digitset_write(const gs_digitset *s, const char *dir);

#endif
