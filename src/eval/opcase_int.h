/* Shared by opcase.c and opcase_build.c. */
#ifndef GS_OPCASE_INT_H
#define GS_OPCASE_INT_H

#include "eval/opcase.h"

struct gs_opcase_builder {
    const char *name;
    struct {
        const char *name, *kind; /* kind: of its values where the case does not say */
        bool optional;
    } operand[GS_OPCASE_OPERANDS];
    const char *options;         /* their names, separated by blanks */
    gs_node *(*build)(const gs_opcase *c, gs_graph *g, gs_node *const *x);
    double tol;                  /* normalised error on a device; 0: 2e-7 */
};

const gs_opcase_builder *gs__opcase_find(const char *name);

/* An option's value, or `otherwise` where the case does not give it. */
const char *gs__opcase_word(const gs_opcase *c, const char *name, const char *otherwise);
double gs__opcase_real(const gs_opcase *c, const char *name, double otherwise);
int gs__opcase_int(const gs_opcase *c, const char *name, int otherwise);
gs_shape gs__opcase_shape(const gs_opcase *c, const char *name);

#endif
