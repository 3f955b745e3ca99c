/* Stores hold named persistent tensors on a device; plans compute a graph's outputs and assignments on it.
 *
 * Ownership: the caller frees stores and plans, plans before their store, stores before their device. A plan keeps no pointer into
 * the graph after gs_compile. */
#ifndef GESSO_PLAN_H
#define GESSO_PLAN_H

#include "gesso/device.h"
#include "gesso/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gs_store gs_store;
typedef struct gs_plan gs_plan;

/* An empty store on an open device. Initial values of variables depend on seed and their names only. */
gs_status gs_store_new(gs_device *d, uint64_t seed, gs_store **out);
void gs_store_free(gs_store *s); /* accepts NULL */
int gs_store_count(const gs_store *s); /* of tensors; the i below is 0..count-1, in order of creation */
const char *gs_store_name(const gs_store *s, int i); /* the store's own */
/* Index of a tensor, or -1. */
int gs_store_find(const gs_store *s, const char *name);
gs_shape gs_store_shape(const gs_store *s, int i);
gs_dtype gs_store_dtype(const gs_store *s, int i);
bool gs_store_trainable(const gs_store *s, int i);
/* Copies all elements to or from the host (4 bytes each); reading waits for what is queued. GS_EDEVICE. */
gs_status gs_store_read(gs_store *s, int i, void *dst);
gs_status gs_store_write(gs_store *s, int i, const void *src);
/* Makes sure the graph's variables exist, with their initial values where they are new. gs_compile does this too.
 * GS_ESHAPE when one is there in another shape or type; GS_ELIMIT, GS_ENOMEM, GS_EDEVICE. After a failure the store
 * has the tensors that it had. */
gs_status gs_store_add(gs_store *s, gs_graph *g);

typedef struct gs_compile_opts {
    const char *off;      /* passes to leave out, comma-separated: "cse,simplify,factors,fuse,rows,columns,epilogue,inplace,share,graphs"
                           * (tests, measurements; factors: of simplify, those of sums; columns: of rows, those side by side);
                           * NULL: what $GESSO_OFF says */
    const char *on;       /* passes to add where a plan does not take them by itself: "epilogue", which lets products add biases and apply activations;
                           * plans for CPUs leave it out, since it was slower there (docs/KERNELS.md); NULL: what $GESSO_ON says */
    const char *use;      /* variants of products and convolutions to use wherever they can, comma-separated: "gemm/tile,conv.dw/direct" ("conv/..." stands
                           * for conv.y, conv.dx and conv.dw); NULL: what $GESSO_GEMM and $GESSO_CONV say, else the device's presets and what was
                           * measured and checked on it */
    bool no_winograd;     /* convolutions by their definition alone: the same rounding error for every shape (conv.winograd = off) */
    size_t budget;        /* bytes for state, workspace and inputs together: what is over it is computed again where it is needed instead of
                           * kept, the cheapest first, with the same results to the bit; 0: everything is kept */
    bool dry_run;         /* plan only: nothing is allocated or built, and the store is left alone; the plan can tell
                           * (gs_plan_get_stats, gs_plan_text, gs_plan_shape) but not run */
} gs_compile_opts;

/* Turns the graph's outputs and assignments into a launch list. store may be NULL for a graph without variables. opts
 * may be NULL. *out is NULL after a failure: what the graph latched (gs_graph_status); GS_ELIMIT, with figures, when it
 * cannot fit the device or the budget; GS_EBUILD when a kernel does not build; GS_ENOMEM, GS_EDEVICE; those of
 * gs_store_add. */
gs_status gs_compile(gs_graph *g, gs_device *d, gs_store *store, const gs_compile_opts *opts, gs_plan **out);
void gs_plan_free(gs_plan *p); /* accepts NULL */

/* The three below: GS_EINVAL for a dry plan and a name that it does not have, GS_EDEVICE when the driver fails. Inputs
 * that no output and no assignment needs are not in the plan. */

/* Feeds an input by name (all elements, 4 bytes each); the data is copied before the call returns, and stays until it
 * is fed anew. */
gs_status gs_plan_feed(gs_plan *p, const char *name, const void *data);
/* One step: enqueues every launch and returns without waiting. (seed, step) drive the random nodes. */
gs_status gs_plan_run(gs_plan *p, uint64_t seed, uint64_t step);
/* Waits, and copies a named output to the host (4 bytes an element). Valid until another plan of the same store runs. */
gs_status gs_plan_fetch(gs_plan *p, const char *name, void *dst);
gs_shape gs_plan_shape(const gs_plan *p, const char *name); /* of an input or output; rank -1 when there is none */

typedef struct gs_plan_stats {
    int launches;
    int epilogues;          /* of these: products and convolutions that do elementwise work on their results */
    size_t state_bytes;     /* the store's tensors this plan uses */
    size_t workspace_bytes; /* activations, gradients, scratch: shared by the plans of one store */
    size_t live_bytes;      /* the most of these alive at once: no placement needs less */
    size_t constant_bytes;  /* inputs and tables held by this plan */
    size_t kept_bytes;      /* with a budget: workspace_bytes without it */
    int again_launches;     /* repeated to keep the budget: how many, */
    double again_flops;     /* their products, as below, */
    double again_bytes;     /* and what they move through memory */
    int shared_launches;    /* left out because an earlier one makes the same; repeated ones do not count */
    double moved_bytes;     /* memory traffic of all launches, as far as each touches its operands once */
    double flops;           /* multiply-adds of products counted as two, a step */
} gs_plan_stats;
gs_plan_stats gs_plan_get_stats(const gs_plan *p);
/* The plan as text: one line a launch with kernel, grid, shapes, offsets, bytes. Free with free(). */
char *gs_plan_text(const gs_plan *p);

#ifdef __cplusplus
}
#endif
#endif
