/* The list of picture files that the folder loader and the data report work on. */
#ifndef GS_DATA_FOLDER_INT_H
#define GS_DATA_FOLDER_INT_H

#include "base/base.h"

typedef struct picture_file {
    char *path;
    int class_; /* index of the subfolder; -1: in the root itself */
} picture_file;

typedef struct picture_list {
    picture_file *files; /* sorted by class, then by name */
    int n, cap;
    char **classes; /* sorted names of the subfolders that hold pictures, or are empty */
    int n_classes, cap_classes;
    int ignored; /* files with other endings */
} picture_list;

/* Lists root and, below it, one level of subfolders. */
gs_status gs__picture_list(picture_list *l, const char *root);
void gs__picture_list_free(picture_list *l);

#endif
