/* A plan put together launch by launch, for tests and benchmarks of what lies below the graph: lowering
 * functions and GEMM. */
#ifndef GS_HANDPLAN_H
#define GS_HANDPLAN_H

#include "plan/plan_int.h"

gs_plan *gs_hand_plan(gs_device *d); /* freed with gs_plan_free */
/* A value that holds these `count` floats before the first run (copied). */
gs_value *gs_hand_value(gs_plan *p, const float *data, int64_t count);
/* Places and builds everything that was launched so far; then gs_plan_run runs it. */
gs_status gs_hand_bind(gs_plan *p);
gs_status gs_hand_read(gs_plan *p, const gs_value *v, float *dst); /* waits */

#endif
