/* libFuzzer target: the IDX reader, plain and gzip. */
#include "data/idx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gs_idx x;

    gs_idx_parse(data, size, "input", &x);
    gs_idx_free(&x);
    return 0;
}
