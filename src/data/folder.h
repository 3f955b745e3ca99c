/* A folder with one subfolder per class as a labelled set: the user's own pictures.
 *
 *   root/apple/1.png  root/apple/2.jpg  root/pear/x.png ...     labels follow the sorted names of the subfolders
 *
 * What lies deeper (root/pear/green/y.png) belongs to the class of its first folder.
 */
#ifndef GS_DATA_FOLDER_H
#define GS_DATA_FOLDER_H

#include "data/labelled.h"

typedef struct gs_folder_opts {
    int side;              /* pictures become side x side: scaled so that they cover it, then cut from the middle */
    int channels;          /* 1 or 3; 0: 3 */
    int per_class;         /* at most so many of each class, in the order of names; 0: all */
    bool skip_bad;         /* leave unreadable pictures out with a warning each, instead of failing */
    uint8_t background[3]; /* behind transparent pixels */
} gs_folder_opts;

/* Files are taken by the ending .png, .jpg or .jpeg (any case), and told apart by content; others are passed over, as
 * are hidden ones. *names (may be NULL) gets out->classes strings; free each and the array with free().
 * Errors: GS_EIO (no such folder, no subfolders), GS_EFORMAT (a damaged picture, a class without pictures; the
 * first by name is reported), GS_EINVAL (options, more than 256 classes), GS_ENOMEM. */
gs_status gs_folder_load(gs_labelled *out, char ***names, const char *dir, const gs_folder_opts *o);

#endif
