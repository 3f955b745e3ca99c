/* What config.c, config_file.c and config_write.c share. */
#ifndef GS_TRAIN_CONFIG_INT_H
#define GS_TRAIN_CONFIG_INT_H

#include "train/config.h"

typedef struct gs__config_entry {
    const gs_config_row *row;
    char *text;      /* canonical value; NULL while a key that must be given is not */
    bool set;        /* by the user */
    int file;        /* number of the file that set it last, 0 for none */
    int line;        /* and the line there */
    double number;   /* INT below 2^53 in size, REAL, BOOL, index of CHOICE */
    int64_t *ints;   /* INTS */
    int n_ints;
} gs__config_entry;

struct gs_config {
    gs__config_entry *e;
    int n, cap;
    int files; /* read so far */
};

#define GS__CONFIG_MAX_LINE 4096

gs__config_entry *gs__config_find(const gs_config *c, const char *section, const char *key);
/* Checks `text` against the row and stores it. `where` begins messages: "x.ini:12", "--set". */
gs_status gs__config_assign(gs__config_entry *e, const char *text, const char *where);
/* Records why [section] key has no row: another section, a near name, or neither. section NULL: any. */
gs_status gs__config_unknown(const gs_config *c, const char *section, const char *key, const char *where);
/* The longest line that the INI reader takes. */
int gs__config_line_limit(void);
/* The i-th blank-separated word of choices, its length in *len; NULL behind the last. */
const char *gs__config_word(const char *choices, int i, int *len);
/* "0 to 1", ">= 0", "" into buf. */
const char *gs__config_range(const gs_config_row *row, char buf[96]);

#endif
