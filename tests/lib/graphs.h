/* Graphs with fixed inputs, held against the double-precision reference. */
#ifndef TESTS_LIB_GRAPHS_H
#define TESTS_LIB_GRAPHS_H

#include "graph/graph.h"

enum { GRAPH_INPUTS = 8, GRAPH_OUTPUTS = 8 }; /* at most */

/* A new fp32 input of the graph: "in0", "in1", ... */
gs_node *graph_fed(gs_graph *g, gs_shape s);
/* What input i holds: normal numbers that depend on i and its size alone. Free with free(). */
float *graph_feed(const gs_graph *g, int i);
/* Fails the test unless all outputs, one after the other in got, are within relative x largest value + absolute of the reference. */
void graph_near_reference(gs_graph *g, const float *got, double relative, double absolute, const char *what);

#endif
