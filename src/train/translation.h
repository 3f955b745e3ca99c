/* What the systems of unpaired translation share: two folders of pictures as domains A and B, batches from
 * them, and sample sheets.
 *
 * A system's model begins with a gs_translation, so that the hooks below serve its descriptor as they stand. */
#ifndef GS_TRAIN_TRANSLATION_H
#define GS_TRAIN_TRANSLATION_H

#include "data/pictures.h"
#include "train/system.h"

typedef struct gs_translation {
    int side, channels;     /* of the pictures; channels 3, or 1 for grey ones */
    int batch;              /* of the samples of a domain in a step */
    gs_image_filter filter; /* how pictures are resized */
    uint64_t seed;
    double flip;
    int extra, max_items, sheet_pictures;
    gs_pictures *train[2], *test[2]; /* of A and B; test: NULL where there is no such folder */
    float *px;                       /* pictures on their way to the device: (batch,channels,side,side) */
} gs_translation;

/* The options of a configuration with GS_TRANSLATION_ROWS. */
void gs_translation_init(gs_translation *t, const gs_config *c, int side, int channels, int batch, gs_image_filter filter);
/* Frees what init and open_data made; not t itself. */
void gs_translation_free(gs_translation *t);

/* Feeds the inputs a and b of a plan with batch `index` of either domain, which depends on (seed, index) only. */
gs_status gs_translation_feed(gs_translation *t, gs_plan *plan, const char *a, const char *b, int64_t index);

/* One row of a sheet. */
typedef struct gs_sheet_row {
    const char *output; /* of the sheet's plan; NULL: the picture that goes in */
    bool heat;          /* a heat map (1,1,h,w), else a picture (1,channels,side,side) in [-1,1] */
} gs_sheet_row;

/* A sheet of one column a picture: training pictures of the direction's domain, then test pictures. The plan
 * has an input "x" (1,channels,side,side) and the rows' outputs. *out is the caller's to free; empty after a
 * failure. */
gs_status gs_translation_sheet(gs_translation *t, gs_plan *plan, int direction, const gs_sheet_row *rows, int n_rows, gs_image *out);

/* One column of such a sheet, of the picture x (channels,side,side). */
gs_status gs_translation_column(const gs_translation *t, gs_plan *plan, const gs_sheet_row *rows, int n_rows, const float *x, gs_image *out);

/* ---- hooks (see system.h); the model begins with a gs_translation ---- */

extern const char *const gs_translation_directions[]; /* A2B, B2A */
int gs_translation_batch_size(const void *model);
gs_picture_info gs_translation_picture(const void *model);
gs_status gs_translation_open_data(void *model, const gs_config *c);
int64_t gs_translation_samples(const void *model);
int gs_translation_size_of(const void *model, int index); /* folders are gone through again and again: no
                                                           * batch is short */

/* For import: the number between `before` and `after`, which ends the name, or -1:
 * number_in("DownBlock.12.weight", "DownBlock.", ".weight") is 12. */
int gs_translation_number_in(const char *name, const char *before, const char *after);

#endif
