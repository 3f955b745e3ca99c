/* libFuzzer target: the JPEG reader. */
#include "data/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const gs_image_opts o = { .channels = size & 1 ? 1 : 0, .max_pixels = 1 << 22 };
    gs_image img;

    gs_jpeg_decode(data, size, "input", &o, &img);
    gs_image_free(&img);
    return 0;
}
