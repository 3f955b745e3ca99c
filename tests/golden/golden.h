/* Golden cases: what other implementations compute, as safetensors files of the format "gesso-golden-1", and
 * running them here.
 *
 * case.c reads a case and compares; exec.c runs a graph on a device or on the double reference; op_build.c
 * makes the graphs of the op cases; state.c serves the runners of systems; run_<system>.c run cases of those
 * systems. A case that is opened is closed by its opener. */
#ifndef GOLDEN_H
#define GOLDEN_H

#include "gesso/nn.h"
#include "gesso/plan.h"
#include "graph/graph.h"
#include "io/safetensors.h"

/* ---- a case (case.c) ---- */

typedef struct golden_case {
    gs_st_file *file;
    char *path;
    const char *name, *system, *kind;
    int steps;
    double rtol, atol;
    bool fill_hash, feed_hash;
    struct { char *key, *value; } *config;
    int n_config, cap_config;
    /* the verdict so far */
    int compared, failed;
    double worst; /* largest error divided by its bound */
    char *error;  /* the case could not be run: why */
} golden_case;

gs_status golden_open(const char *path, golden_case *c);
void golden_close(golden_case *c);

/* Config value, or NULL; as a number, or the given one when there is none. */
const char *golden_config(const golden_case *c, const char *key);
double golden_number(const golden_case *c, const char *key, double standard);

/* A stored tensor: by printf name. */
const gs_st_tensor *golden_find(const golden_case *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
gs_shape golden_shape(const gs_st_tensor *t);
/* Fresh copies (free()): 4 bytes an element, fp32, or int32 for integer types but u8 (masks are numbers). */
void *golden_copy(const gs_st_tensor *t, gs_dtype *dtype);
/* The values of a parameter or buffer "state.<net>.<key>", stored or made from its name (fill = hash).
 * GS_EFORMAT when missing. */
gs_status golden_state(const golden_case *c, const char *name, gs_shape shape, float *out);
/* The values of "feed.<step>.<name>" likewise. */
gs_status golden_feed(const golden_case *c, int step, const char *name, gs_shape shape, void *out);
void golden_hash_fill(const char *key, gs_shape shape, bool state, float *out);

/* Compares count values with the expected tensor `name`, of which `pick` (may be NULL) says which elements
 * are stored. */
void golden_compare(golden_case *c, const gs_st_tensor *want, const gs_st_tensor *pick, const float *got, size_t count);
/* Records that the case cannot be run, with gs_last_error. */
void golden_give_up(golden_case *c);
/* Prints the verdict line; true when the case passed. */
bool golden_verdict(const golden_case *c);

/* ---- running a graph (exec.c) ---- */

typedef struct golden_exec golden_exec;

/* d NULL: the double reference. The graph must outlive it; variables start at their initial values for seed 0. */
gs_status golden_exec_new(gs_graph *g, gs_device *d, golden_exec **out);
void golden_exec_free(golden_exec *e);
gs_status golden_exec_feed(golden_exec *e, const char *input, const void *data);
gs_status golden_exec_write(golden_exec *e, const char *variable, const float *data);
gs_status golden_exec_read(golden_exec *e, const char *variable, float *data);
gs_status golden_exec_run(golden_exec *e, uint64_t seed, uint64_t step);
gs_status golden_exec_fetch(golden_exec *e, const char *output, float *data);

/* ---- cases of systems (state.c) ---- */

/* Every parameter and buffer as the case has it; an optimiser's (opt_...) stay zero. */
gs_status golden_load_state(golden_exec *e, gs_graph *g, const golden_case *c);
/* After a run: "out.<step>.X" and "loss.<step>.X" against the outputs "out.X" and "loss.X", at step 0
 * "grad.0.X" against "grad.X". */
gs_status golden_compare_step(golden_exec *e, gs_graph *g, golden_case *c, int step);
/* After the last run: "after.X" against variable X. */
gs_status golden_compare_after(golden_exec *e, gs_graph *g, golden_case *c);
/* All steps of a case on a graph whose inputs are the case's feeds, and the comparisons. rate (may be NULL):
 * of the input "lr" at step 1, 2, ... */
gs_status golden_run_graph(golden_case *c, gs_device *d, gs_graph *g, double (*rate)(const void *o, int64_t step), const void *o);
/* A gs_config_lookup into a case; user is the golden_case. No key stands in two sections. */
const char *golden_lookup(void *user, const char *section, const char *key);

/* ---- op cases (op_build.c, run_op.c) ---- */

#define GOLDEN_MAX_IO 40

/* The nodes of one op case inside a graph that may hold many. Inputs and variables are named
 * "<scope>/x.<name>" and "<scope>.<name>". */
typedef struct golden_op {
    golden_case *c;
    gs_graph *g;
    char scope[64];
    struct { const char *name; gs_node *node; gs_var *var; } in[GOLDEN_MAX_IO];
    int n_in;
    struct { const char *name; gs_node *node; gs_var *var; } out[GOLDEN_MAX_IO]; /* var: compared after the last step */
    int n_out;
} golden_op;

/* Builds the op's outputs and gradients and names them as outputs "<scope>/y.<name>", "<scope>/dx.<name>".
 * GS_EINVAL: no such op. */
gs_status golden_op_build(golden_op *o);
/* Cases on the host alone: fid, kid. False when the case is none of them. */
bool golden_host_op(golden_case *c);

/* Runs op cases, many to a plan; d as in golden_exec_new. Verdicts are in the cases. */
void golden_run_ops(golden_case *const *cases, int n, gs_device *d);
/* Runs a case of the conditional GAN; of U-GAT-IT; of Inception-v3. */
void golden_run_cgan(golden_case *c, gs_device *d);
void golden_run_ugatit(golden_case *c, gs_device *d);
void golden_run_cyclegan(golden_case *c, gs_device *d);
void golden_run_inception(golden_case *c, gs_device *d);

/* Runs every file: prints lines for tensors out of bounds and a verdict each. Returns the number of failures;
 * *skipped counts cases of systems that are not built here. */
int golden_run_files(char *const *paths, int n, gs_device *d, int *skipped);

#endif
