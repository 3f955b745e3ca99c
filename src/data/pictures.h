/* A folder of pictures of any size as training samples of one size: for unpaired sets, where each domain is
 * such a folder.
 *
 * Every picture is read once at the start, so that the unreadable ones are known before the work begins;
 * resized copies stay in memory as far as a limit allows, and the others are read again when they are needed. */
#ifndef GS_DATA_PICTURES_H
#define GS_DATA_PICTURES_H

#include "data/image.h"

typedef struct gs_pictures gs_pictures;

typedef struct gs_pictures_opts {
    int side;       /* samples are side x side */
    int channels;   /* 3, or 1: grey */
    int extra;      /* pictures are held at (side + extra) x (side + extra), from which a sample is cut */
    gs_image_filter filter; /* how they are resized; CORNER: to side first and from there, as U-GAT-IT's
                             * TensorFlow code does */
    int max_items;  /* at most so many, in the order of names; 0: all */
    int threads;    /* that decode at the start; 0: one a core */
    size_t memory;  /* bytes of resized pictures that stay in memory */
} gs_pictures_opts;

/* All .png, .jpg and .jpeg files of a folder and its subfolders, sorted. Aspect is ignored, alpha is put over
 * white. Unreadable files are left out with a warning each. GS_EIO: no such folder; GS_EFORMAT: no readable
 * picture; GS_ENOMEM. */
gs_status gs_pictures_open(const char *dir, const gs_pictures_opts *o, gs_pictures **out);
void gs_pictures_free(gs_pictures *p); /* accepts NULL */
int gs_pictures_count(const gs_pictures *p);

/* Training sample `index` = 0, 1, ... of a stream without end: the folder in a new random order again and
 * again, each picture mirrored with probability flip and cut at a random place. Depends on seed, stream
 * (below 256, one a folder) and index only. x: (channels,side,side) in [-1,1]. GS_EIO, GS_EFORMAT when a file
 * that does not stay in memory has changed meanwhile. */
gs_status gs_pictures_sample(gs_pictures *p, uint64_t seed, int stream, int64_t index, double flip, float *x);
/* Picture i in the order of names, whole, as a test sample. */
gs_status gs_pictures_plain(gs_pictures *p, int i, float *x);

/* A picture file as a test sample: resized to side x side whatever its shape, x (channels,side,side) in
 * [-1,1]. w, h (may be NULL): the file's own size. GS_EIO, GS_EFORMAT, GS_ELIMIT. */
gs_status gs_picture_load(const char *path, int side, int channels, gs_image_filter filter, float *x, int *w, int *h);

/* Paths of the .png, .jpg and .jpeg files of a folder and its subfolders, sorted; each begins with dir. Free
 * each and the array with free(). */
gs_status gs_pictures_list(const char *dir, char ***paths, int *n);

#endif
