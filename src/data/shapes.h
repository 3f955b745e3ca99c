/* The simplest drawn set of two domains: grainy discs on gradients of two colours (A), flat outlined squares
 * on one colour (B). A training that works flattens and outlines. Picture `index` of a domain depends on the
 * seed, the domain and the index only. */
#ifndef GS_DATA_SHAPES_H
#define GS_DATA_SHAPES_H

#include "data/image.h"

#define GS_SHAPE_SIDE 128

/* A GS_SHAPE_SIDE square RGB picture. square: of domain B. GS_ENOMEM. */
gs_status gs_shape_draw(gs_image *out, bool square, uint64_t seed, uint64_t index);

/* `gesso data make shapes`: see gs_domains_write. */
gs_status gs_data_make_shapes(const char *dir, int n_train, int n_test, uint64_t seed);

#endif
