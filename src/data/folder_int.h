/* The list of picture files that the folder loader and the data report work on. */
#ifndef GS_DATA_FOLDER_INT_H
#define GS_DATA_FOLDER_INT_H

#include "base/base.h"

typedef struct picture_file {
    char *path;
    int class_; /* index of the subfolder; -1: in the root itself */
} picture_file;

typedef struct picture_list {
    picture_file *files; /* in the order of names, folder by folder */
    int n, cap;
    char **classes; /* sorted names of the subfolders of the root */
    int n_classes, cap_classes;
    int ignored; /* files with other endings */
} picture_list;

/* Lists root and all below it, at most 16 folders deep. */
gs_status gs__picture_list(picture_list *l, const char *root);
void gs__picture_list_free(picture_list *l);

#endif
