/* What every folder may use: errors, memory, strings, files, log, time, hashes, random numbers, threads.
 * Knows nothing of the rest. Objects made by gs_x_new are freed by gs_x_free, which accepts NULL. */
#ifndef GS_BASE_H
#define GS_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "gesso/status.h"

/* Runs a call inside a function that has `gs_status st` and a label `done`. */
#define TRY(call)                   \
    do {                            \
        st = (call);                \
        if (st != GS_OK) goto done; \
    } while (0)

#define GS_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define GS_MIN(a, b) ((a) < (b) ? (a) : (b))
#define GS_MAX(a, b) ((a) > (b) ? (a) : (b))

/* ---- memory (mem.c) ---- */

/* malloc family that cannot return NULL for lack of memory: prints one line and ends the process with status 1.
 * Use for small host objects; sizes that come from a file go through gs_try_alloc. */
void *gs_xalloc(size_t size); /* zeroed */
void *gs_xrealloc(void *p, size_t size);
char *gs_xstrdup(const char *s);
/* count * size, zeroed; NULL (with GS_ENOMEM recorded, naming `what`) when it overflows or does not fit. */
void *gs_try_alloc(size_t count, size_t size, const char *what);
/* a * b into *out; false when it overflows. */
bool gs_mul_size(size_t a, size_t b, size_t *out);

/* A bump allocator: everything is freed at once. */
typedef struct gs_arena gs_arena;
gs_arena *gs_arena_new(void);
void gs_arena_free(gs_arena *a);
void *gs_arena_alloc(gs_arena *a, size_t size); /* zeroed, 16-byte aligned */
char *gs_arena_printf(gs_arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Growable vector of a plain type: GS_PUSH(v, n, cap, item). */
#define GS_PUSH(v, n, cap, item)                                     \
    do {                                                             \
        if ((n) == (cap)) {                                          \
            (cap) = (cap) ? 2 * (cap) : 8;                           \
            (v) = gs_xrealloc((v), (size_t)(cap) * sizeof(*(v)));    \
        }                                                            \
        (v)[n] = (item); /* which may use n */                       \
        (n)++;                                                       \
    } while (0)

/* ---- strings (str.c) ---- */

typedef struct gs_str { /* growable text; zero value is empty; data is NUL-terminated once non-NULL */
    char *data;
    size_t len, cap;
} gs_str;
void gs_str_printf(gs_str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void gs_str_append(gs_str *s, const void *bytes, size_t n);
void gs_str_free(gs_str *s);
const char *gs_str_c(const gs_str *s); /* never NULL */
bool gs_lists(const char *list, const char *word); /* is word one of "a,b,c"? list may be NULL */

/* Smallest edit distance between a and b, for "did you mean". */
int gs_edit_distance(const char *a, const char *b);
/* The entry of names[n] nearest to s, or NULL when none is near enough to suggest. */
const char *gs_nearest(const char *s, const char *const *names, int n);
/* Strict parsers: the whole string or failure; no locale. */
bool gs_parse_i64(const char *s, int64_t *out);
bool gs_parse_f64(const char *s, double *out); /* refuses NaN and infinities */
/* "1.5 MiB", "12.3 GiB"; writes into buf and returns it. */
const char *gs_bytes_text(char buf[32], double bytes);
/* "1 234 567" */
const char *gs_count_text(char buf[32], int64_t n);
/* "1h02m", "3m05s", "12s" */
const char *gs_seconds_text(char buf[32], double seconds);
/* A positive number in few digits: "0.0052", "0.52", "3.8", "17", "1 250". */
const char *gs_rate_text(char buf[32], double v);

/* ---- files (file.c) ---- */

/* Reads a whole file; at most `max` bytes, else GS_ELIMIT. *data gets one extra NUL byte; caller frees with free(). */
gs_status gs_file_read(const char *path, size_t max, uint8_t **data, size_t *size);
/* Writes path atomically: temporary file beside it, fsync, rename, fsync of the folder. On failure path is untouched
 * and the temporary file is gone. */
gs_status gs_file_write(const char *path, const void *data, size_t size);
/* The same for content that is produced in pieces. */
typedef struct gs_file_out gs_file_out;
gs_status gs_file_out_open(const char *path, gs_file_out **out);
gs_status gs_file_out_write(gs_file_out *f, const void *data, size_t size);
gs_status gs_file_out_commit(gs_file_out **f); /* closes, renames; *f = NULL whatever happens */
void gs_file_out_abort(gs_file_out **f);       /* removes the temporary file; *f = NULL; accepts NULL inside */
/* Appends one line and flushes; for metrics and logs. */
gs_status gs_file_append(const char *path, const char *text);
gs_status gs_mkdirs(const char *path); /* like mkdir -p */
bool gs_file_exists(const char *path);
/* Bytes that may still be written where a folder lies; false when that cannot be told. */
bool gs_disk_free(const char *dir, double *bytes);
bool gs_dir_exists(const char *path);
/* Sorted names of the entries of a folder (no dot files). Free each and the array with free(). */
gs_status gs_dir_list(const char *path, char ***names, int *n);
/* Joins with one slash into a fresh string (free()). */
char *gs_path_join(const char *a, const char *b);
/* $XDG_CACHE_HOME/gesso or ~/.cache/gesso, created; GS_EIO when it cannot be. Free with free(). */
gs_status gs_cache_dir(char **path);

/* ---- log (log.c) ---- */

/* GESSO_DEBUG: 0 silent, 1 device, 2 launches with times, 3 the plan, 4 kernel source. */
int gs_debug_level(void);
void gs_debug(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* stderr when level is on */
/* Warnings go to the callback that the program sets; default stderr. */
typedef void gs_log_fn(const char *line, void *user);
void gs_log_set(gs_log_fn *fn, void *user);
void gs_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- time, hashes, random numbers, threads ---- */

double gs_now(void); /* monotonic seconds */

uint64_t gs_hash64(const void *data, size_t n, uint64_t seed); /* FNV-1a */
uint64_t gs_hash_str(const char *s);

/* Philox 4x32-10 (Salmon et al. 2011): four words from a 128-bit counter and a 64-bit key. */
void gs_philox(const uint32_t ctr[4], const uint32_t key[2], uint32_t out[4]);
/* A sequential generator on top of it, for host code; state is (key, position), so it can be stored and resumed. */
typedef struct gs_rng {
    uint64_t seed, stream, pos;
} gs_rng;
uint32_t gs_rng_u32(gs_rng *r);
double gs_rng_uniform(gs_rng *r);          /* [0,1) with 32 bits */
double gs_rng_normal(gs_rng *r);           /* N(0,1), Box-Muller */
uint32_t gs_rng_below(gs_rng *r, uint32_t n); /* uniform in 0..n-1 without bias */
void gs_rng_permute(gs_rng *r, int32_t *v, int n); /* fills v with a random permutation of 0..n-1 */

/* Runs fn(user, i) for i in 0..n-1 on at most `threads` threads (0: number of cores); returns when all are done. */
void gs_parallel_for(int n, int threads, void (*fn)(void *user, int i), void *user);
int gs_cores(void);

#endif
