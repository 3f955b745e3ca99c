/* Inception-v3 (Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016) in evaluation mode: the judge
 * behind KID and FID. One builder, two graphs:
 *
 *   tv       torchvision's network
 *   fid2015  the TensorFlow graph of 2015-12-05, on whose weights published FID and KID numbers rest: average pools
 *            leave padding out, the pool branch of the last block is a max pool
 *
 * Shape letters: N batch, C H W channels, rows, columns. Pictures (N,3,299,299) in [-1,1]. Parameters and running
 * statistics have torchvision's state-dict keys under the scope `net`. The model adds nodes to a graph; it knows no
 * device and no file. */
#ifndef GS_INCEPTION_H
#define GS_INCEPTION_H

#include "gesso/nn.h"

#define GS_INCEPTION_SIDE     299
#define GS_INCEPTION_FEATURES 2048
#define GS_INCEPTION_MIN_SIDE 75 /* the last block still has one cell */

typedef enum gs_inception_graph { GS_INCEPTION_TV, GS_INCEPTION_FID2015 } gs_inception_graph;

typedef struct gs_inception_opts {
    gs_inception_graph graph;
    int classes;          /* rows of fc and of the auxiliary head's; 0: no fc, features only */
    /* the auxiliary head, which wants 299 x 299 or a little less: 17 x 17 cells where it begins */
    bool aux;
    bool transform_input; /* x is normalised by ImageNet's means and deviations, and is brought to [-1,1] first */
} gs_inception_opts;

#define GS_INCEPTION_MAPS 8

typedef struct gs_inception_out {
    gs_node *features; /* (N,2048): mean of the last block over its cells, "pool_3" */
    gs_node *logits;   /* (N,classes), or NULL */
    gs_node *aux;      /* (N,classes), or NULL */
    struct {
        const char *name; /* of the layer or block */
        gs_node *node;    /* what leaves it */
    } map[GS_INCEPTION_MAPS]; /* on the way, for tests */
} gs_inception_out;

/* x (N,3,H,W), 299 x 299 as the weights were trained. GS_ESHAPE is latched in the graph for pictures below 75 x 75,
 * and with aux where the head's pools leave nothing. */
gs_inception_out gs_inception(gs_graph *g, const gs_inception_opts *o, const char *net, gs_node *x);

#endif
