/* What the safetensors reader and writer share (safetensors_tensor.c). */
#ifndef GS_IO_SAFETENSORS_INT_H
#define GS_IO_SAFETENSORS_INT_H

#include "io/safetensors.h"

typedef struct gs__st_pair {
    char *key, *value;
} gs__st_pair;

/* Fills count and bytes from dtype, rank and shape; false when they overflow or an extent is negative. */
bool gs__st_size(gs_st_tensor *t);
/* 1 to 1024 bytes of UTF-8 without control characters. */
bool gs__st_name_ok(const char *name);
bool gs__st_utf8(const char *s, size_t n);
/* The check sum over metadata, and going on from there over one tensor after the other. */
uint32_t gs__st_crc_meta(const gs__st_pair *meta, int n);
uint32_t gs__st_crc_tensor(uint32_t crc, const gs_st_tensor *t, const void *data);

#endif
