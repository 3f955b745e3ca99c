/* Short texts in pictures (cairo). Private to this folder. */
#ifndef GS_DATA_TEXT_H
#define GS_DATA_TEXT_H

#include "data/image.h"

/* Width in pixels of s in the font of gs__text_draw. */
int gs__text_width(const char *s, double size);

/* Draws s in white: vertically centred on y, horizontally centred on x (align 0), ending at x (1) or starting
 * there (-1). img->c is 1 or 3; what falls outside is cut. */
gs_status gs__text_draw(gs_image *img, const char *s, double x, double y, double size, int align);

#endif
