/* The inside of a plan, for src/plan and its tests.
 *
 * compile.c drives the passes: live nodes, identities and merging of equal nodes (pass_simplify.c), grouping of
 * elementwise chains and reductions (pass_fuse.c), of groups along the same rows (pass_rows.c), their order (pass_schedule.c), lowering of every group to
 * launches (pass_lower.c, lower_*.c, codegen_*.c), placement of values by liveness (pass_memory.c), less memory for
 * more work (pass_remat.c), less work where memory is left (pass_share.c), building and binding (bind.c). variants.c
 * chooses among the ways to compute a product or convolution. run.c replays. print.c prints.
 *
 * A *value* is a tensor that exists in memory: place and lifetime are decided after lowering. A *launch* is one kernel with its
 * arguments, or one GEMM of the driver. */
#ifndef GS_PLAN_H
#define GS_PLAN_H

#include "device/device.h"
#include "gesso/plan.h"
#include "graph/graph.h"

typedef enum gs_place {
    GS_PLACE_WORKSPACE, /* in the shared workspace, by liveness */
    GS_PLACE_STATE,     /* a tensor of the store */
    GS_PLACE_CONSTANT,  /* uploaded once at compile time (tables, const_data) */
    GS_PLACE_INPUT,     /* fed before a run */
} gs_place;

/* Elements a value may have. Kernels count in 32 bits, and the last vector, tile or group may reach beyond the end, by less than 2^24. */
#define GS_MOST_ELEMENTS (((int64_t)1 << 31) - ((int64_t)1 << 24))

typedef struct gs_value {
    int id;
    gs_place place;
    int64_t count;        /* elements of 4 bytes */
    gs_dtype dtype;
    char *name;           /* for the printed plan: node id and op, or variable */
    int store_index;      /* STATE */
    void *host;           /* CONSTANT: data to upload (owned) */
    bool keep;            /* output: stays alive to the end of the plan */
    int first, last;      /* launches that define it and use it last; -1 when none yet */
    struct gs_value *same_as; /* in-place: shares the bytes of this (dying) value */
    struct gs_value *copy_of;   /* made again to save memory: the value that it equals */
    struct gs_value *next_copy; /* the next that equals copy_of, or for an original the first */
    int rank;             /* higher: placed earlier */
    int buffer;           /* workspace chunk */
    size_t offset;        /* bytes inside the buffer */
} gs_value;

typedef enum gs_arg_kind { GS_ARG_IN, GS_ARG_OUT, GS_ARG_INOUT, GS_ARG_INT, GS_ARG_FLOAT } gs_arg_kind;

typedef struct gs_arg {
    gs_arg_kind kind;
    gs_value *value;      /* pointers: two kernel arguments, (pointer, ulong element offset) */
    int64_t extra;        /* added to the element offset */
    bool elementwise;     /* item i touches element i only: an output may take the place of such an input */
    int32_t i;
    float f;
} gs_arg;

#define GS_MAX_ARGS 96

typedef struct gs_launch {
    const char *file;     /* below cl/, or NULL: generated source of the plan */
    char *kernel;         /* kernel's name */
    char *options;        /* -D... for file kernels */
    char *before;         /* text in front of the file's: an epilogue, another file; NULL: none */
    char *then;           /* the ops of the epilogue, for the printed plan; NULL: none */
    gs_arg args[GS_MAX_ARGS];
    int n_args;
    size_t groups[3], local[3];
    bool is_gemm;         /* the driver's GEMM: args = C (OUT or INOUT), A, B, [scratch] */
    gs_gemm gemm;
    bool is_copy;         /* the driver's copy or, without an IN argument, fill with zeros: args = destination, [source] */
    bool again;           /* repeats an earlier launch to save memory */
    bool apart;           /* goes through lines a page from each other: what it writes should lie elsewhere in a page than what it reads */
    bool too_wide;        /* an argument did not fit in 32 bits: no plan may have it (pass_lower.c) */
    double flops, bytes;  /* for reports */
    const struct gs_variant *variant; /* of a product or convolution, NULL for all else (variants.h) */
    int family;           /* gs_family of variant */
    gs_kernel *k;
} gs_launch;

/* ---- for lowering files ---- */

/* The value that holds a node (made earlier: nodes are lowered in order). */
gs_value *gs_plan_value(gs_plan *p, const gs_node *n);
/* Is n no result, and is every node of the program that reads it such a one? */
bool gs_plan_read_only_by(const gs_plan *p, const gs_node *n, bool (*such)(const gs_plan *p, const gs_node *reader));
/* Scratch memory that lives from its first to its last launch. */
gs_value *gs_plan_scratch(gs_plan *p, int64_t count, const char *name);
/* A table uploaded once; copies data (count elements of 4 bytes). */
gs_value *gs_plan_table(gs_plan *p, const void *data, int64_t count, gs_dtype dtype, const char *name);

/* Starts a launch of a kernel of cl/<file>; options is a printf format. Arguments follow in the kernel's order. */
gs_launch *gs_launch_new(gs_plan *p, const char *file, const char *kernel, const char *options, ...)
    __attribute__((format(printf, 4, 5)));
void gs_launch_out(gs_launch *l, gs_value *v);                /* (pointer, offset) that the kernel writes wholly */
void gs_launch_inout(gs_launch *l, gs_value *v);              /* reads and writes, or writes a part */
void gs_launch_in(gs_launch *l, gs_value *v);
void gs_launch_in_at(gs_launch *l, gs_value *v, int64_t extra);
void gs_launch_int(gs_launch *l, int64_t i);                  /* one that does not fit in 32 bits fails the plan: GS_ELIMIT */
void gs_launch_float(gs_launch *l, float f);
/* Appends the parameters of an epilogue (NULL: none), after all others and after gs_launch_cost. part: launches write a part of the outputs each. Kernels: see
 * GS_END in cl/dialect.h. */
typedef struct gs_epilogue gs_epilogue;
void gs_launch_end(gs_launch *l, const gs_epilogue *e, bool part);
void gs_launch_grid(gs_launch *l, size_t gx, size_t gy, size_t gz, size_t lx, size_t ly, size_t lz); /* groups, items a group */
void gs_launch_cost(gs_launch *l, double flops, double bytes);

#define GS_FEW_TURNS 8192 /* that every device allows: plans of short sums need not ask it */
/* For devices that end loops (gs_device_loop_turns). A kernel's loop takes n terms, `step` at a time; a step costs `turns` turns, those of the
 * loops inside it as they are written, and all else in the kernel `besides`. *part: the terms that one launch may take, n or a multiple
 * of step. Kernels take the range with -DPART=1 as their last two arguments and add to what earlier launches left. GS_ELIMIT when not
 * even one step fits. */
gs_status gs_plan_part(gs_plan *p, int64_t n, int64_t step, int64_t turns, int64_t besides, int64_t *part);
/* The same for cl/conv_tile.cl and cl/gemm_tile.cl with groups of side x side (gemm.c). */
gs_status gs__tile_part(gs_plan *p, int64_t depth, int side, int64_t *part);
/* Option of a kernel that can do a part, and its last two arguments for the part from `first` on; neither when one launch does all. */
#define GS_PART_OPTION(part, n) ((part) < (n) ? " -DPART=1" : "")
void gs_launch_range(gs_launch *l, int64_t first, int64_t part, int64_t n);

/* The (seed, step) block of the run: 4 uint words {seed lo, seed hi, step lo, step hi}, an input that gs_plan_run fills. */
gs_value *gs_plan_step(gs_plan *p);

/* GEMM by whichever provider suits the device and the shape (gemm.c). C is written (beta 0) or updated. a_extra...: element offsets. */
gs_status gs_plan_gemm(gs_plan *p, const gs_gemm *g, gs_value *c, gs_value *a, gs_value *b);

/* gs_compile_opts.no_winograd */
bool gs_plan_no_winograd(const gs_plan *p);

/* The device planned for (its info decides between kernel forms), and the size of elementwise groups on it. */
const gs_device_info *gs_plan_device(const gs_plan *p);
static inline bool gs_plan_on_cpu(const gs_plan *p) { return gs__cpu_forms(gs_plan_device(p)); }

/* One entry for each op that is neither elementwise, view nor sum: makes the launches that fill gs_plan_value(p, n). */
typedef gs_status gs_lower_fn(gs_plan *p, const gs_node *n);
gs_lower_fn gs_lower_random, gs_lower_max, gs_lower_argmax, gs_lower_cumsum, gs_lower_gather, gs_lower_scatter_add, gs_lower_matmul,
    gs_lower_conv2d, gs_lower_conv2d_dx, gs_lower_conv2d_dw, gs_lower_window_argmax, gs_lower_window_gather,
    gs_lower_window_scatter, gs_lower_linmap;

#endif
