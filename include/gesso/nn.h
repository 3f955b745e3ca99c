/* Layers, losses and optimisers: functions from nodes to nodes. Parameters are declared by name under the current scope of the
 * graph (graph.h), with PyTorch's state-dict names, so that checkpoints can be exchanged. */
#ifndef GESSO_NN_H
#define GESSO_NN_H

#include "gesso/graph.h"

#endif
