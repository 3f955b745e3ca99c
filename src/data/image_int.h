/* What the PNG and the JPEG reader share. */
#ifndef GS_DATA_IMAGE_INT_H
#define GS_DATA_IMAGE_INT_H

#include "data/image.h"

/* Checks a declared size against the limits; the sentence names the picture. */
gs_status gs__image_limits(const char *name, uint64_t w, uint64_t h, const gs_image_opts *o);

/* Brings a decoded picture to the channels that o asks for (0: leaves it). */
gs_status gs__image_finish(gs_image *img, const gs_image_opts *o);

/* gs_image_resize with GS_RESIZE_ANTIALIAS, or with GS_RESIZE_BICUBIC (resample.c). */
gs_status gs__image_resize_antialias(gs_image *out, const gs_image *src, int w, int h, bool cubic);

#endif
