/* libFuzzer target: configuration text, as a file, as flat keys and as a setting. What was accepted must, once written,
 * read back to the same text. */
#include <stdlib.h>
#include <string.h>

#include "train/config.h"

static const gs_config_row rows[] = {
    {"a", "profile", GS_CONFIG_CHOICE, "one", 0, 0, "one two three", "choice"},
    {"a", "lr", GS_CONFIG_REAL, "2e-4", 0, 1, NULL, "real"},
    {"a", "n", GS_CONFIG_INT, "auto", -5, 1e15, NULL, "int"},
    {"a", "flag", GS_CONFIG_BOOL, "no", 0, 0, NULL, "bool"},
    {"b", "steps", GS_CONFIG_INTS, "", 1, 500, NULL, "ints"},
    {"b", "root", GS_CONFIG_TEXT, "", 0, 0, NULL, "text"},
};
static const gs_config_table table = {"fuzz", rows, (int)GS_COUNT(rows)};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    gs_config *a = gs_config_new(&table, 1), *b = gs_config_new(&table, 1);
    gs_str one = {0}, two = {0};

    memcpy(text, data, size);
    text[size] = '\0';
    gs_config_parse(a, text, "input"); /* up to its first error */
    gs_config_set(a, text);
    gs_config_default(a, "b", "root", text);
    gs_config_write(a, &one);
    if (gs_config_parse(b, one.data, "written") != GS_OK) abort();
    gs_config_write(b, &two);
    if (strcmp(one.data, two.data) != 0) abort();
    gs_config_parse_flat(b, text, "flat");
    gs_str_free(&one);
    gs_str_free(&two);
    gs_config_free(a);
    gs_config_free(b);
    free(text);
    return 0;
}
