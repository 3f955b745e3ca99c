/* libFuzzer target: the PNG reader, as colours and as a label map. */
#include "data/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const gs_image_opts o = { .channels = size & 1 ? 3 : 0, .max_pixels = 1 << 22 };
    uint8_t palette[256][3];
    gs_image img;
    int n;

    gs_png_decode(data, size, "input", &o, &img);
    gs_image_free(&img);
    gs_png_decode_indexed(data, size, "input", &img, palette, &n);
    gs_image_free(&img);
    return 0;
}
