/* Configuration: INI files and `section.key=value` settings, checked against tables of rows
 * (base/config_row.h). Reading, error texts, the resolved file and docs/config.md all come from those rows.
 *
 *   [train]
 *   lr = 2e-4          ; a comment after a blank; also lines that begin with # or ;
 *
 * Order of precedence: a row's preset, gs_config_default, files in the order loaded, gs_config_set. A
 * configuration owns what its accessors return, until the key changes; the tables must outlive it.
 * Errors are GS_ECONFIG unless said otherwise and name file, line, section and key, and the nearest known name. */
#ifndef GS_TRAIN_CONFIG_H
#define GS_TRAIN_CONFIG_H

#include "base/base.h"
#include "base/config_row.h"

typedef struct gs_config_table {
    const char *title; /* for docs/config.md: "every system", "cgan" */
    const gs_config_row *rows;
    int n;
} gs_config_table;

/* The keys that every system has (config_common.c). */
extern const gs_config_table gs_config_common;

typedef struct gs_config gs_config;

/* All keys of the tables at their presets. A key that a later table names again replaces the earlier row, so
 * that a system can give a common key another preset or range. */
gs_config *gs_config_new(const gs_config_table *tables, int n);
void gs_config_free(gs_config *c); /* accepts NULL */

/* Reads an INI file of at most 1 MiB; GS_EIO and GS_ELIMIT come from reading. A key may stand once in a file. */
gs_status gs_config_load(gs_config *c, const char *path);
/* The same from text; `name` stands for a path in messages. */
gs_status gs_config_parse(gs_config *c, const char *text, const char *name);
/* Text without sections: each key must be unique over all sections. */
gs_status gs_config_parse_flat(gs_config *c, const char *text, const char *name);
/* One "section.key=value", as --set gives it. */
gs_status gs_config_set(gs_config *c, const char *setting);
/* Overrides a preset for this configuration (a profile's value, say). The user's own value stays, unless it
 * is "auto". */
gs_status gs_config_default(gs_config *c, const char *section, const char *key, const char *text);
/* After all is read: fails for the first key that must be given and was not. */
gs_status gs_config_check(const gs_config *c);
/* The raw text of one key of a file, before its tables are known (model.system decides on them).
 * *value = NULL when the file does not have it; free with free(). */
gs_status gs_config_peek(const char *path, const char *section, const char *key, char **value);
/* The same from text. */
gs_status gs_config_peek_text(const char *text, const char *name, const char *section, const char *key, char **value);

/* Accessors: the key must have a row of the type, and a value; anything else is a mistake of ours (assert). */
int64_t gs_config_int(const gs_config *c, const char *section, const char *key);
double gs_config_real(const gs_config *c, const char *section, const char *key);
bool gs_config_bool(const gs_config *c, const char *section, const char *key);
const char *gs_config_str(const gs_config *c, const char *section, const char *key);
double gs_config_bytes(const gs_config *c, const char *section, const char *key); /* 0: off; -1: auto */
int gs_config_choice(const gs_config *c, const char *section, const char *key); /* index among the row's choices */
/* Number of integers of the list; *v (may be NULL) points at them. */
int gs_config_ints(const gs_config *c, const char *section, const char *key, const int64_t **v);
/* Whether the value is "auto" (only keys with that preset can be). */
bool gs_config_is_auto(const gs_config *c, const char *section, const char *key);
/* Whether a file or gs_config_set gave the value. */
bool gs_config_is_set(const gs_config *c, const char *section, const char *key);
/* A gs_config_lookup; user is the gs_config. Also NULL for a key that must be given and was not yet. */
const char *gs_config_text(void *user, const char *section, const char *key);

/* The resolved configuration as an INI file that gs_config_load reads back, with each key's help as a comment. */
void gs_config_write(const gs_config *c, gs_str *out);
/* docs/config.md: a section per table, a row per key. */
void gs_config_markdown(const gs_config_table *tables, int n, gs_str *out);

#endif
