/* libFuzzer target: the safetensors reader. What it accepts must be readable to the last element. */
#include <stdlib.h>

#include "io/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gs_st_file *f;

    if (gs_st_open_memory(data, size, "input", &f) != GS_OK) return 0;
    for (int i = 0; i < gs_st_count(f); i++) {
        const gs_st_tensor *t = gs_st_at(f, i);
        float *v = malloc(t->count * sizeof *v + 1);
        int32_t *n = malloc(t->count * sizeof *n + 1);

        if (gs_st_find(f, t->name) != t) abort();
        if (v) gs_st_to_f32(t, v);
        if (n) gs_st_to_i32(t, n);
        free(v);
        free(n);
    }
    gs_st_crc32(f);
    gs_st_close(f);
    return 0;
}
