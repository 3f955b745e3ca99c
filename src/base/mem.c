/* Memory: allocation that cannot fail for small objects, checked allocation for sizes from outside, arenas. */
#include "base/base.h"

#include <stdlib.h>
#include <string.h>

/* A host that cannot give a few hundred bytes cannot unwind either; this is the one place where the library ends the
 * process. Large sizes never come here (gs_try_alloc). */
static void out_of_memory(size_t size)
{
    fprintf(stderr, "gesso: out of memory (%zu bytes)\n", size);
    exit(1);
}

void *gs_xalloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);

    if (!p) out_of_memory(size);
    return p;
}

void *gs_xrealloc(void *p, size_t size)
{
    void *q = realloc(p, size ? size : 1);

    if (!q) out_of_memory(size);
    return q;
}

char *gs_xstrdup(const char *s)
{
    const size_t n = strlen(s) + 1;

    return memcpy(gs_xalloc(n), s, n);
}

bool gs_mul_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

void *gs_try_alloc(size_t count, size_t size, const char *what)
{
    char text[32];
    size_t bytes;
    void *p;

    if (!gs_mul_size(count, size, &bytes)) {
        gs_fail(GS_ENOMEM, "%s: %zu times %zu bytes overflows", what, count, size);
        return NULL;
    }
    p = calloc(1, bytes ? bytes : 1);
    if (!p) gs_fail(GS_ENOMEM, "%s: no memory for %s", what, gs_bytes_text(text, (double)bytes));
    return p;
}

#define BLOCK_SIZE ((size_t)64 * 1024)

typedef struct block {
    struct block *next;
    size_t used, size;
    _Alignas(16) unsigned char data[];
} block;

struct gs_arena {
    block *first; /* the block being filled; older ones behind it */
};

gs_arena *gs_arena_new(void)
{
    return gs_xalloc(sizeof(gs_arena));
}

void gs_arena_free(gs_arena *a)
{
    if (!a) return;
    for (block *b = a->first, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(a);
}

void *gs_arena_alloc(gs_arena *a, size_t size)
{
    block *b = a->first;
    void *p;

    if (size > SIZE_MAX - 2 * BLOCK_SIZE) out_of_memory(size);
    size = (size + 15) & ~(size_t)15;
    if (!b || b->size - b->used < size) {
        const size_t room = GS_MAX(size, BLOCK_SIZE);

        b = gs_xalloc(sizeof *b + room);
        b->size = room;
        b->next = a->first;
        a->first = b;
    }
    p = b->data + b->used;
    b->used += size;
    return p;
}

char *gs_arena_printf(gs_arena *a, const char *fmt, ...)
{
    va_list ap;
    char *s;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) n = 0;
    s = gs_arena_alloc(a, (size_t)n + 1);
    va_start(ap, fmt);
    vsnprintf(s, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return s;
}
