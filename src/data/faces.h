/* The drawn two-domain set: faces as soft shaded pictures (A), and as flat outlined cartoons with large eyes
 * (B). For trying unpaired translation without a download. Picture `index` of a domain depends on the seed,
 * the domain and the index only. */
#ifndef GS_DATA_FACES_H
#define GS_DATA_FACES_H

#include "data/image.h"

#define GS_FACE_SIDE 96

/* A GS_FACE_SIDE square RGB picture. cartoon: of domain B. GS_ENOMEM. */
gs_status gs_face_draw(gs_image *out, bool cartoon, uint64_t seed, uint64_t index);

/* `gesso data make faces`: dir/trainA, trainB, testA, testB with n_train and n_test PNG files each.
 * GS_EINVAL, GS_EIO, GS_ENOMEM. */
gs_status gs_data_make_faces(const char *dir, int n_train, int n_test, uint64_t seed);

#endif
