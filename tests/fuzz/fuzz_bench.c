/* libFuzzer target: a result of `gesso bench --json` from a file. What is accepted can be compared with
 * itself and printed. */
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *nowhere;
    char *text = malloc(size + 1);
    gs_bench_file file[2];
    gs_bench_comparison c;

    if (!nowhere) nowhere = fopen("/dev/null", "w");
    memcpy(text, data, size);
    text[size] = '\0';
    if (gs_bench_parse(text, "input", &file[0]) == GS_OK) {
        if (gs_bench_parse(text, "again", &file[1]) != GS_OK) abort();
        if (gs_bench_compare(file, 2, 0, &c) == GS_OK) {
            gs_bench_compare_print(&c, nowhere);
            gs_bench_comparison_free(&c);
        }
        gs_bench_file_free(&file[0]);
        gs_bench_file_free(&file[1]);
    }
    free(text);
    return 0;
}
