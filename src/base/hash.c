/* FNV-1a, 64 bits: for table keys and cache names, not against an adversary. */
#include "base/base.h"

#include <string.h>

uint64_t gs_hash64(const void *data, size_t n, uint64_t seed)
{
    const unsigned char *p = data;
    uint64_t h = 14695981039346656037u ^ seed;

    for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 1099511628211u;
    return h;
}

uint64_t gs_hash_str(const char *s)
{
    return gs_hash64(s, strlen(s), 0);
}
