/* One row of a table of configuration keys. A system (src/models) states its keys as a static table of these;
 * the configuration engine reads, checks, prints and documents from the same rows, so that a key is described
 * in one place.
 *
 * Values reach a system as text through a lookup function: "1" or "0" for BOOL, a number for INT and REAL,
 * numbers with commas for INTS ("" when there are none), one of the choices for CHOICE. The engine has
 * checked type and range before. */
#ifndef GS_CONFIG_ROW_H
#define GS_CONFIG_ROW_H

typedef enum gs_config_type {
    GS_CONFIG_BOOL,   /* 0, 1, true, false, yes, no */
    GS_CONFIG_INT,    /* min <= value <= max */
    GS_CONFIG_REAL,   /* min <= value <= max; finite */
    GS_CONFIG_TEXT,   /* any text: a path, a name */
    GS_CONFIG_CHOICE, /* one of `choices` */
    GS_CONFIG_INTS,   /* integers with commas, each in range; may be empty */
    GS_CONFIG_BYTES,  /* a number with a unit (2GiB, 1.5 GB, 300MiB), off: none, or auto: what the device has */
} gs_config_type;

typedef struct gs_config_row {
    const char *section; /* "model", "train", ... */
    const char *key;
    gs_config_type type;
    const char *preset;  /* default as text; NULL: must be given; "auto": the system decides by other keys, see help */
    double min, max;     /* INT, REAL, INTS */
    const char *choices; /* CHOICE: names with blanks between; else NULL */
    const char *help;    /* one line */
} gs_config_row;

/* The value of a key as text ("auto" for a key left to the system), or NULL when the key has no row. Valid
 * while the configuration is. */
typedef const char *gs_config_lookup(void *user, const char *section, const char *key);

#endif
