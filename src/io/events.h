/* Event files for TensorBoard: scalars and PNG pictures by step.
 *
 * The messages are encoded here rather than by protobuf-c: three message types with a dozen fields, which
 * need no code generator at build time and no library at run time. Field numbers follow TensorFlow's
 * event.proto and summary.proto. */
#ifndef GS_IO_EVENTS_H
#define GS_IO_EVENTS_H

#include "base/base.h"

typedef struct gs_events gs_events;

/* Starts a new event file in the folder, which is made when it is missing. A run that resumes passes the step
 * it goes on from, and TensorBoard then hides what an earlier file says of that step and later ones; a fresh
 * run passes 0. */
gs_status gs_events_open(const char *dir, int64_t start_step, gs_events **out);
void gs_events_close(gs_events *e); /* accepts NULL */
/* Each call appends one record, whole or not at all (GS_EIO). */
gs_status gs_events_scalar(gs_events *e, const char *tag, int64_t step, float value);
/* A picture that is already PNG-encoded; width and height in pixels, channels 1 (grey), 3 or 4. */
gs_status gs_events_png(gs_events *e, const char *tag, int64_t step, int width, int height, int channels,
                        const void *png, size_t size);
const char *gs_events_path(const gs_events *e);

/* CRC-32C (Castagnoli) of n bytes, continuing from crc (0 at the start). */
uint32_t gs_crc32c(uint32_t crc, const void *data, size_t n);

#endif
