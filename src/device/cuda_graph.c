/* Recorded work as CUDA graphs: a stream that captures keeps what is queued on it, and the driver launches
 * all of it by one call, which spares the host a few microseconds a kernel. A graph holds the arguments that
 * launches had then. */
#include "device/cuda_int.h"

#include <stdlib.h>

struct gs_recording {
    gs_cu_graph_exec exec;
};

static bool offered(const gs_cuda_api *cu)
{
    return cu->cuStreamBeginCapture_v2 && cu->cuStreamEndCapture && cu->cuGraphInstantiateWithFlags && cu->cuGraphLaunch &&
           cu->cuGraphExecDestroy && cu->cuGraphDestroy;
}

/* Relaxed: cuBLAS may ask the driver for things that other modes forbid while a stream captures. */
gs_status gs__cu_record_begin(gs_device *d)
{
    gs_status st = gs__cu_enter(d);
    gs_cu_result err;

    if (st != GS_OK) return st;
    if (!offered(gs__cu()))
        return gs_fail(GS_EDEVICE, "device \"%s\": its driver is older than CUDA 11.4 and has no graphs", d->info.name);
    err = gs__cu()->cuStreamBeginCapture_v2(gs__cud(d)->stream, GS_CU_CAPTURE_RELAXED);
    return err == 0 ? GS_OK : gs__cu_fail(d, err, "cannot record work as a graph");
}

gs_status gs__cu_record_end(gs_device *d, gs_recording **out)
{
    const gs_cuda_api *cu = gs__cu();
    gs_cu_graph graph = NULL;
    gs_cu_graph_exec exec = NULL;
    gs_status st = gs__cu_enter(d);
    gs_cu_result err;

    if (out) *out = NULL;
    if (st != GS_OK) return st;
    err = cu->cuStreamEndCapture(gs__cud(d)->stream, &graph);
    if (err != 0) graph = NULL; /* a capture that something broke ends all the same */
    if (err == 0 && out) err = cu->cuGraphInstantiateWithFlags(&exec, graph, 0);
    if (graph) cu->cuGraphDestroy(graph);
    if (err != 0) return out ? gs__cu_fail(d, err, "recorded work does not become a graph") : GS_OK;
    if (!out) return GS_OK;
    *out = gs_xalloc(sizeof **out);
    (*out)->exec = exec;
    return GS_OK;
}

gs_status gs__cu_replay(gs_device *d, gs_recording *r)
{
    gs_status st = gs__cu_enter(d);
    gs_cu_result err;

    if (st != GS_OK) return st;
    err = gs__cu()->cuGraphLaunch(r->exec, gs__cud(d)->stream);
    return err == 0 ? GS_OK : gs__cu_fail(d, err, "launching a recorded step");
}

/* The driver keeps a graph that is still running until it has ended. */
void gs__cu_free_recording(gs_device *d, gs_recording *r)
{
    if (!r) return;
    if (gs__cu_enter(d) == GS_OK) gs__cu()->cuGraphExecDestroy(r->exec);
    free(r);
}
