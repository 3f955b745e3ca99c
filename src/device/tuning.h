/* What was found out about a device and is kept on disk: which variants of kernels it gets wrong (`gesso
 * check`) and which variant is the fastest for a class of shapes (`gesso tune`). The planner asks here; what
 * the names mean is its business.
 *
 * A store belongs to one device under one driver with one set of kernels: <cache folder>/tuning/<key>.txt,
 * where the key is a hash of platform, vendor, device, driver, language version, Gesso's version and all
 * files of cl/. So a new driver or kernel starts without one. It is read when the device is first asked
 * about; $GESSO_TUNING names another folder, or "off": none is read or written. A file that is damaged or
 * another device's is a warning and counts as empty. Null devices have none on disk.
 *
 * The file is text: a heading, one line an entry, and a last line with a checksum of all before it:
 *
 *   gesso tuning 1
 *   key 0123456789abcdef
 *   device NAME
 *   platform NAME
 *   driver VERSION
 *   verdict VARIANT right
 *   verdict VARIANT wrong WHY
 *   choice CLASS VARIANT SECONDS PRESET SECONDS
 *   end 0123456789abcdef
 *
 * Ownership: pointers that these functions return belong to the store and hold until it is next written or
 * the device is closed. */
#ifndef GS_DEVICE_TUNING_H
#define GS_DEVICE_TUNING_H

#include "device/device.h"

#define GS_TUNING_NAME 96 /* bytes of the name of a variant or a class, with its end */
#define GS_TUNING_WHY 256

typedef enum gs_verdict { GS_UNCHECKED, GS_RIGHT, GS_WRONG } gs_verdict;

/* The variant that is used for a class of shapes, in place of the one that would be without the store. */
typedef struct gs_choice {
    char class[GS_TUNING_NAME], variant[GS_TUNING_NAME], preset[GS_TUNING_NAME];
    double seconds, preset_seconds; /* medians, of the shape that was measured */
} gs_choice;

typedef struct gs_verdict_entry {
    char variant[GS_TUNING_NAME];
    gs_verdict verdict;
    char why[GS_TUNING_WHY]; /* of a wrong one: one line */
    bool said;               /* the planner has told that it goes without it */
} gs_verdict_entry;

/* NULL where the store has no such entry. */
gs_verdict_entry *gs_tuning_verdict(gs_device *d, const char *variant);
const gs_choice *gs_tuning_choice(gs_device *d, const char *class);
/* Entry i, in the order of the file; NULL behind the last. */
gs_verdict_entry *gs_tuning_verdict_at(gs_device *d, int i);
const gs_choice *gs_tuning_choice_at(gs_device *d, int i);

/* Adds an entry or replaces that of the same name, and writes the file, whole or not at all; entries that
 * other processes have written meanwhile stay. Names: letters, digits and ".,:/_-"; GS_EINVAL for others.
 * GS_EIO, GS_ELIMIT. */
gs_status gs_tuning_set_verdict(gs_device *d, const char *variant, gs_verdict verdict, const char *why);
gs_status gs_tuning_set_choice(gs_device *d, const gs_choice *c);
/* Removes all choices; verdicts stay. */
gs_status gs_tuning_forget_choices(gs_device *d);

/* Where the file lies, or NULL when there is none to be had; free with free(). */
char *gs_tuning_path(gs_device *d);
/* The store as its file has it; free with free(). */
char *gs_tuning_text(gs_device *d);

/* Uses the choices of `text`, as gs_tuning_text gave it (NULL: none), in place of those on disk, until the
 * device is closed; what is set from then on is not written to disk. Verdicts: a variant that either side
 * found wrong is wrong. Returns what differs: *foreign: the text is of another device, driver or set of
 * kernels, and nothing was changed; *worse: a variant that the text does not call wrong is wrong by now.
 * GS_EFORMAT: `name`, line and fault. */
gs_status gs_tuning_use(gs_device *d, const char *text, const char *name, bool *foreign, bool *worse);

/* Before the device is closed. */
void gs__tuning_free(gs_device *d);

#endif
