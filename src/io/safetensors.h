/* Safetensors files: named tensors behind a JSON header (8 bytes of header length, the header, the data).
 *
 * The reader refuses every file that is not exactly right: unknown types, shapes and offsets that do not
 * agree, overlaps, holes, bytes left over, names given twice. A gs_st_file owns all that its accessors
 * return; a writer borrows the tensors' data until it is saved. Status: GS_EIO the file cannot be read or
 * written, GS_EFORMAT it is not a valid safetensors file, GS_ELIMIT it is larger than the limits below,
 * GS_ENOMEM. */
#ifndef GS_IO_SAFETENSORS_H
#define GS_IO_SAFETENSORS_H

#include "base/base.h"

#define GS_ST_MAX_RANK   8
#define GS_ST_MAX_HEADER ((size_t)100 * 1000 * 1000)
#define GS_ST_MAX_FILE   ((size_t)64 << 30)

/* name in the file, bytes of an element */
#define GS_ST_DTYPE_MAP(X) \
    X(F64, 8)              \
    X(F32, 4)              \
    X(F16, 2)              \
    X(BF16, 2)             \
    X(I64, 8)              \
    X(I32, 4)              \
    X(I16, 2)              \
    X(I8, 1)               \
    X(U8, 1)               \
    X(BOOL, 1)

typedef enum gs_st_dtype {
#define X(name, size) GS_ST_##name,
    GS_ST_DTYPE_MAP(X)
#undef X
    GS_ST_DTYPE_COUNT
} gs_st_dtype;

const char *gs_st_dtype_name(gs_st_dtype d);
size_t gs_st_dtype_size(gs_st_dtype d);

typedef struct gs_st_tensor {
    const char *name;
    const char *file; /* name of the file it came from, for messages */
    gs_st_dtype dtype;
    int rank;                      /* 0 for a scalar */
    int64_t shape[GS_ST_MAX_RANK]; /* row-major, each >= 0 */
    const uint8_t *data;           /* little-endian; may lie at any address, so copy it out, do not cast */
    size_t count, bytes;           /* elements; count * element size */
} gs_st_tensor;

typedef struct gs_st_file gs_st_file;

gs_status gs_st_open(const char *path, gs_st_file **out);
/* Reads from memory, which stays the caller's and must outlive the file object. `name` stands for a path in
 * messages. */
gs_status gs_st_open_memory(const void *bytes, size_t size, const char *name, gs_st_file **out);
void gs_st_close(gs_st_file *f); /* accepts NULL */

/* The tensor of that name, or NULL. */
const gs_st_tensor *gs_st_find(const gs_st_file *f, const char *name);
/* Tensors in the order of their data. */
int gs_st_count(const gs_st_file *f);
const gs_st_tensor *gs_st_at(const gs_st_file *f, int i);
/* The metadata string of that key, or NULL. */
const char *gs_st_meta(const gs_st_file *f, const char *key);
int gs_st_meta_count(const gs_st_file *f);
void gs_st_meta_at(const gs_st_file *f, int i, const char **key, const char **value);

/* Copies t->count elements into out as float; every type converts (F64 and wide integers round). */
void gs_st_to_f32(const gs_st_tensor *t, float *out);
/* The same as int32; GS_EFORMAT, naming file, tensor and element, for floating types and for I64 values that
 * do not fit. */
gs_status gs_st_to_i32(const gs_st_tensor *t, int32_t *out);

/* CRC-32 over metadata (but for the key "crc32"), names, types, shapes and data. */
uint32_t gs_st_crc32(const gs_st_file *f);

typedef struct gs_st_writer gs_st_writer;

gs_st_writer *gs_st_writer_new(void);
void gs_st_writer_free(gs_st_writer *w); /* accepts NULL */
/* Sets a metadata string (both copied); a key given again takes the new value. */
void gs_st_writer_meta(gs_st_writer *w, const char *key, const char *value);
/* Adds a tensor; the name and the shape are copied, data is borrowed until the writer is saved or freed.
 * Errors are kept and reported by gs_st_writer_save: GS_EINVAL for an empty or unprintable name, one given
 * twice, a rank above 8 or a negative extent. */
void gs_st_writer_add(gs_st_writer *w, const char *name, gs_st_dtype dtype, int rank, const int64_t *shape,
                      const void *data);
/* Adds a tensor whose data is asked for when it is needed, once for the check sum and once for the file, so
 * that one tensor at a time is in memory. fetch fills dst, of the tensor's bytes; a failure ends the saving,
 * with its own sentence. */
typedef gs_status gs_st_fetch(void *user, const char *name, void *dst);
void gs_st_writer_add_later(gs_st_writer *w, const char *name, gs_st_dtype dtype, int rank, const int64_t *shape, gs_st_fetch *fetch, void *user);
/* Writes the file atomically. Tensors of wider elements come first, otherwise in the order added: the format allows no
 * padding, and readers that map the file want aligned elements. */
gs_status gs_st_writer_save(gs_st_writer *w, const char *path);
/* What gs_st_crc32 will say of the saved file; after a failed fetch, which gs_st_writer_save reports, anything. */
uint32_t gs_st_writer_crc32(gs_st_writer *w);

#endif
