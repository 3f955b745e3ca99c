/* Op cases: one line of text describes a call of a graph builder with the shape or the error it must give.
 *
 *   conv2d x=2,3,9,7 w=4,3,3,3 stride=2 pad=1 -> 2,4,5,4 tol=2e-6
 *   conv2d x=2,3,9,7 w=4,5,3,3                -> error "x has 3"
 *
 * The first word names the builder (gs_conv2d). An operand is NAME=[KIND:]DIMS, where the kind chooses its
 * values; all other words before the arrow are options of the builder. The program carries the cases of
 * tests/cases/ops.txt, so that `gesso check` runs on the user's device what the tests run here.
 *
 * Kinds of values (all exact in fp32, a function of the line and the operand alone):
 *   any     a grid in (-2,2) that keeps 1/128 away from the kinks at 0, 1/2 and whole numbers, no ties between operands
 *   pos     0.5 .. 2.5
 *   perm    distinct values, evenly spaced in (-2,2): maxima have no ties
 *   ties    -1, 0 or 1: no differences are taken, results and gradients are compared all the same
 *   cond    0 or 1 (a condition; no gradient)
 *   i32     int32 in -20..20
 *   index   int32 in 0..V-1
 *   wild    int32 in -2..V+1: some outside */
#ifndef GS_OPCASE_H
#define GS_OPCASE_H

#include "base/base.h"
#include "gesso/graph.h"

#define GS_OPCASE_OPERANDS 4
#define GS_OPCASE_OPTIONS 10

typedef struct gs_opcase_operand {
    const char *name;
    gs_shape shape;
    gs_dtype dtype;
    char kind[8];
} gs_opcase_operand;

typedef struct gs_opcase_option {
    char name[16], value[32];
} gs_opcase_option;

typedef struct gs_opcase_builder gs_opcase_builder;

typedef struct gs_opcase {
    int line;
    char *text;                     /* the whole line */
    const gs_opcase_builder *builder;
    gs_opcase_operand operand[GS_OPCASE_OPERANDS];
    int n_operands;
    gs_opcase_option option[GS_OPCASE_OPTIONS];
    int n_options;
    char error[96];                 /* part of the wanted error; empty when the call must succeed */
    gs_shape shape;                 /* of the result */
    double tol;                     /* normalised error allowed on a device; 0: the op's default */
} gs_opcase;

/* Reads one line. GS_EFORMAT names the line and the word that does not fit. Free with gs_opcase_free. */
gs_status gs_opcase_parse(const char *text, int line, gs_opcase *out);
void gs_opcase_free(gs_opcase *c);

/* All cases of a text (blank lines and lines that start with # are skipped). Free with gs_opcases_free. */
gs_status gs_opcases_parse(const char *text, gs_opcase **cases, int *n);
void gs_opcases_free(gs_opcase *cases, int n);
/* The text of tests/cases/ops.txt that the program carries. */
extern const char gs__opcases_text[];

/* Name of the builder: "conv2d". */
const char *gs_opcase_name(const gs_opcase *c);
/* Fills gs_shape_count(operand[i].shape) elements of 4 bytes. */
void gs_opcase_values(const gs_opcase *c, int i, void *dst);
/* Whether the result has a derivative by operand i; and whether differences may be taken (no ties, not detach). */
bool gs_opcase_wants_grad(const gs_opcase *c, int i);
bool gs_opcase_smooth(const gs_opcase *c);
/* Values of a fixed random direction, uniform in (-1,1), exact in fp32; `which` tells several apart. */
void gs_opcase_direction(const gs_opcase *c, int which, int64_t count, float *dst);
/* The result's node, from nodes of the operands' shapes and types. */
gs_node *gs_opcase_build(const gs_opcase *c, gs_graph *g, gs_node *const *operand);
/* What a device may differ from the reference: largest error over the largest value of the reference. */
double gs_opcase_tolerance(const gs_opcase *c);

#endif
