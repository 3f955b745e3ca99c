/* Reading a system's options from its table of keys: what was given, else what a preset says, else the row's
 * own value. The configuration engine checks a user's values with the same rows before; this serves programs
 * that set options without it, too. */
#ifndef GS_MODELS_OPTIONS_H
#define GS_MODELS_OPTIONS_H

#include <stdbool.h>

#include "base/config_row.h"
#include "gesso/status.h"

typedef struct gs_options {
    const gs_config_row *rows; /* no key stands in two sections */
    int n_rows;
    gs_config_lookup *get;     /* NULL: nothing was given */
    void *user;
    const char *(*preset)(const void *which, const char *key); /* NULL for keys that it leaves to the row; may itself be NULL */
    const void *which;
    gs_status st;              /* the first failure: GS_ECONFIG, which names section, key, value and what is wanted */
} gs_options;

/* Values of one key, which must have a row. After a failure: the least value, the first choice. */
const char *gs_option_text(const gs_options *o, const char *key);
double gs_option_number(gs_options *o, const char *key);
int gs_option_choice(gs_options *o, const char *key); /* index among the row's choices */
bool gs_option_flag(const gs_options *o, const char *key);

#endif
