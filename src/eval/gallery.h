/* A folder of pictures to be measured, and tables that say which picture of one folder belongs to which of another.
 *
 * A gallery owns what it points at; gs_gallery_free frees it. */
#ifndef GS_EVAL_GALLERY_H
#define GS_EVAL_GALLERY_H

#include "base/base.h"

typedef struct gs_gallery { /* the zero value is empty */
    char *dir;
    char **paths;   /* n, sorted, each below dir */
    uint64_t *hash; /* of each file's bytes */
    int n;
} gs_gallery;

/* The .png, .jpg and .jpeg files of a folder and its subfolders. All are read and decoded once, on all cores:
 * unreadable ones are left out with a warning each. GS_EIO: no such folder; GS_EFORMAT: no readable picture. */
gs_status gs_gallery_open(const char *dir, gs_gallery *out);
void gs_gallery_free(gs_gallery *g);
/* Index of the picture of that name, or -1. A name is a path below the folder or a file's own name, each with or
 * without its ending. */
int gs_gallery_find(const gs_gallery *g, const char *name);
/* Keeps at most `max` pictures, drawn by the seed, in the order of names; 0: all. */
void gs_gallery_limit(gs_gallery *g, int max, uint64_t seed);
/* Of all contents in their order. */
uint64_t gs_gallery_key(const gs_gallery *g);

/* ---- pairs (pairs.c) ---- */

/* Reads a table of columns with tabs between and pairs pictures of a and b. name_a and name_b say how a row names
 * them: text in which {N} (from 1) or {NAME} (the first line then names the columns) stands for a column, "{code}"
 * and "emoji_u{noto_code}", say. NULL: "{1}" and "{2}". A row is passed over when one of its columns is empty or
 * "-", or when either folder lacks its picture. partner_a (a->n) and partner_b (b->n) get the index of the other
 * one, or -1; the first row that names a picture counts. *n: pairs found. GS_EIO, GS_ELIMIT (over 64 MiB),
 * GS_EFORMAT (a column that is not there, with the line; no pair at all, with the names looked for). */
gs_status gs_pairs_read(const char *path, const char *name_a, const char *name_b, const gs_gallery *a,
                        const gs_gallery *b, int *partner_a, int *partner_b, int *n);

#endif
