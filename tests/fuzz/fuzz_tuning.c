/* libFuzzer target: the store of tuning. The input stands between the heading and the last line, which get
 * the key and the checksum that belong there, or else nothing would get past them; and it stands alone. What
 * is accepted is written, and read back the same. */
#include <stdlib.h>
#include <string.h>

#include "device/kernels.h"
#include "device/tuning.h"

const gs_kernel_file gs__kernel_files[] = { { NULL, NULL } }; /* all of them would be hashed for each input */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *use_and_write(const char *text)
{
    gs_device d = { .info = { .kind = GS_NULL } }; /* no file on disk */
    bool foreign, worse;
    char *written = NULL;

    if (gs_tuning_use(&d, text, "input", &foreign, &worse) == GS_OK) written = gs_tuning_text(&d);
    gs__tuning_free(&d);
    return written;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char *empty;
    gs_str text = { 0 };
    char *one, *two;

    if (!empty) {
        empty = use_and_write(NULL);
        strstr(empty, "\ndevice ")[1] = '\0'; /* heading and key are left */
    }
    gs_str_append(&text, data, size);
    free(use_and_write(gs_str_c(&text)));
    text.len = 0;
    gs_str_printf(&text, "%s", empty);
    gs_str_append(&text, data, size);
    if (!size || data[size - 1] != '\n') gs_str_printf(&text, "\n");
    gs_str_printf(&text, "end %016llx\n", (unsigned long long)gs_hash64(text.data, text.len, 0));
    one = use_and_write(text.data);
    if (one) {
        two = use_and_write(one);
        if (!two || strcmp(one, two) != 0) abort();
        free(two);
    }
    free(one);
    gs_str_free(&text);
    return 0;
}
