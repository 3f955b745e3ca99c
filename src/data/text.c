/* Texts are drawn by cairo on a small alpha surface and laid over the picture. */
#include <cairo.h>
#include <math.h>

#include "data/text.h"

#define FONT "DejaVu Sans"

static void set_font(cairo_t *cr, double size)
{
    cairo_select_font_face(cr, FONT, CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cr, size);
}

int gs__text_width(const char *s, double size)
{
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1);
    cairo_t *cr = cairo_create(surface);
    cairo_text_extents_t e = {0};

    set_font(cr, size);
    cairo_text_extents(cr, s, &e);
    cairo_destroy(cr);
    cairo_surface_destroy(surface);
    return (int)ceil(e.x_advance);
}

gs_status gs__text_draw(gs_image *img, const char *s, double x, double y, double size, int align)
{
    const int w = gs__text_width(s, size) + 4, h = (int)ceil(size * 1.6);
    const double left = align == 0 ? x - w / 2.0 : align > 0 ? x - w + 2 : x - 2;
    const int x0 = (int)lround(left), y0 = (int)lround(y - h / 2.0);
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_A8, w, h);
    cairo_t *cr = cairo_create(surface);
    gs_status st = GS_OK;

    if (cairo_status(cr) != CAIRO_STATUS_SUCCESS) {
        st = gs_fail(GS_ENOMEM, "drawing text: %s", cairo_status_to_string(cairo_status(cr)));
    } else {
        const uint8_t *px;
        int stride;

        set_font(cr, size);
        cairo_move_to(cr, 2, h / 2.0 + size * 0.36);
        cairo_show_text(cr, s);
        cairo_surface_flush(surface);
        px = cairo_image_surface_get_data(surface);
        stride = cairo_image_surface_get_stride(surface);
        for (int i = 0; i < h; i++)
            for (int j = 0; j < w; j++) {
                const int yy = y0 + i, xx = x0 + j, a = px[i * stride + j];

                if (yy < 0 || xx < 0 || yy >= img->h || xx >= img->w) continue;
                for (int k = 0; k < img->c; k++) {
                    uint8_t *p = img->px + ((size_t)yy * img->w + xx) * img->c + k;

                    *p = (uint8_t)(*p + (255 - *p) * a / 255);
                }
            }
    }
    cairo_destroy(cr);
    cairo_surface_destroy(surface);
    return st;
}
