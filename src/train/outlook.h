/* What a long run can say of itself once its first steps are timed: when it ends, and what cheaper settings would take. */
#ifndef GS_TRAIN_OUTLOOK_H
#define GS_TRAIN_OUTLOOK_H

#include <time.h>

#include "train/system.h"

#define GS_OUTLOOK_STEPS 20         /* timed before it is said */
#define GS_OUTLOOK_LEAST 3600.0     /* seconds that a run has left, or the progress line is enough */

/* Appends lines without a newline at the end: seconds a step, the date of completion and, of the settings in the system's `cheaper` that mean less work,
 * their part of it, the time of all `steps` at that part, and the memory.
 *   need         what a step of s takes, as planned for d
 *   pace         seconds a step
 *   left, steps  steps that remain, and those of the whole run
 *   now          when it is said; the date is in local time
 * Nothing is allocated on d: settings are planned only. Those that cannot be had (too small a picture) are left out. */
void gs_outlook(const gs_setup *s, gs_device *d, const gs_setup_memory *need, double pace, int64_t left, int64_t steps, time_t now, gs_str *out);

#endif
