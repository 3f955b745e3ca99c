/* Status codes and the thread's last error message.
 *
 * Every call that can fail for a reason outside the program returns a gs_status. The sentence that explains a
 * failure is written once, where its cause is known, and kept per thread until the next failure. */
#ifndef GESSO_STATUS_H
#define GESSO_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* code, text, exit status of the program (1 the world's fault, 2 usage or config) */
#define GS_STATUS_MAP(X)                                        \
    X(OK, "no error", 0)                                        \
    X(EIO, "input or output failed", 1)                         \
    X(EFORMAT, "file is damaged or not of the expected kind", 1) \
    X(ENOMEM, "out of memory", 1)                               \
    X(EDEVICE, "device failed or is missing", 1)                \
    X(EBUILD, "kernel does not build on this device", 1)        \
    X(ENUMERIC, "a value became NaN or infinite", 1)            \
    X(ELIMIT, "does not fit the device or a limit", 1)          \
    X(ESHAPE, "shapes do not fit", 2)                           \
    X(EINVAL, "value out of range", 2)                          \
    X(ECONFIG, "bad configuration", 2)                          \
    X(EUSAGE, "bad usage", 2)                                   \
    X(ESTOPPED, "stopped by a signal", 130)

typedef enum gs_status {
#define X(code, text, exit_status) GS_##code,
    GS_STATUS_MAP(X)
#undef X
    GS_STATUS_COUNT
} gs_status;

/* The text of a code; never NULL. */
const char *gs_status_text(gs_status st);

/* The exit status that the program ends with for a code. */
int gs_status_exit(gs_status st);

/* The sentence of this thread's last failure; "" when there was none. Valid until the next failure. */
const char *gs_last_error(void);

/* Records a failure of this thread and returns code, so that `return gs_fail(...)` reads well. */
gs_status gs_fail(gs_status code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "where: " before the recorded sentence and returns code unchanged; does nothing for GS_OK. */
gs_status gs_fail_in(gs_status code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif
#endif
