/* The configuration keys that the systems of unpaired translation share: where the two domains lie, and how
 * training pictures are made. */
#ifndef GS_MODELS_TRANSLATION_ROWS_H
#define GS_MODELS_TRANSLATION_ROWS_H

#include "base/config_row.h"

/* Elements of a table of rows. */
#define GS_TRANSLATION_ROWS                                                                                                                           \
    { "data", "root", GS_CONFIG_TEXT, "", 0, 0, NULL, "folder of the four folders below" },                                                            \
    { "data", "trainA", GS_CONFIG_TEXT, "trainA", 0, 0, NULL, "folder of domain A's training pictures, inside root" },                                 \
    { "data", "trainB", GS_CONFIG_TEXT, "trainB", 0, 0, NULL, "folder of domain B's" },                                                                \
    { "data", "testA", GS_CONFIG_TEXT, "testA", 0, 0, NULL, "pictures of A for the sample sheets; may be missing" },                                   \
    { "data", "testB", GS_CONFIG_TEXT, "testB", 0, 0, NULL, "pictures of B" },                                                                         \
    { "data", "augment", GS_CONFIG_BOOL, "1", 0, 1, NULL, "enlarge, cut and mirror training pictures; 0: only resize them" },                          \
    { "data", "resize_extra", GS_CONFIG_INT, "30", 0, 512, NULL,                                                                                       \
      "training pictures are resized to size + this, then cut to size at random; 0: not cut" },                                                        \
    { "data", "flip", GS_CONFIG_REAL, "0.5", 0, 1, NULL, "chance that a training picture is mirrored" },                                               \
    { "data", "max_items", GS_CONFIG_INT, "0", 0, 2147483647.0, NULL, "at most so many training pictures of each domain, in the order of names; 0: all" }, \
    { "data", "cache", GS_CONFIG_INT, "2048", 0, 1e6, NULL,                                                                                            \
      "MiB of resized pictures kept in memory; what does not fit is decoded again at each use. Does not change results" },                             \
    { "sample", "pictures", GS_CONFIG_INT, "5", 1, 50, NULL, "training pictures, and as many test pictures, on a sheet" }

#endif
