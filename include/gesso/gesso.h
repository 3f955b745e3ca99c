/* Gesso: an OpenCL engine for training image-generating GANs. Graph, gradient, plan, run. */
#ifndef GESSO_H
#define GESSO_H

#include "gesso/device.h"
#include "gesso/graph.h"
#include "gesso/nn.h"
#include "gesso/plan.h"
#include "gesso/status.h"

#endif
