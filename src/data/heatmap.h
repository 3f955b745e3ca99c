/* Attention maps as colour pictures. */
#ifndef GS_DATA_HEATMAP_H
#define GS_DATA_HEATMAP_H

#include "data/image.h"

/* map[h][w] -> a picture of side x side: the map's range becomes 0..255 (cut to whole levels), is resampled
 * bilinearly and coloured from blue over green to red ("jet"). A constant map is all blue; values that are no
 * numbers count as the least. GS_EINVAL, GS_ENOMEM. */
gs_status gs_heatmap(gs_image *out, const float *map, int h, int w, int side);

#endif
