/* Running op cases: many in one plan, since what costs time on a CPU device is compiling kernels. */
#include <stdlib.h>
#include <string.h>

#include "eval/metrics.h"
#include "golden.h"

#define CASES_A_PLAN 48

/* ---- on the host: distances between sets of features ---- */

static float *features(const golden_case *c, const char *name, int *n, int *d)
{
    const gs_st_tensor *t = golden_find(c, "x.%s", name);
    float *data;

    if (!t || t->rank != 2) return NULL;
    *n = (int)t->shape[0], *d = (int)t->shape[1];
    data = gs_xalloc(t->count * sizeof(float) + 4);
    gs_st_to_f32(t, data);
    return data;
}

static void compare_value(golden_case *c, const char *name, const double *v, size_t n)
{
    const gs_st_tensor *want = golden_find(c, "y.%s", name);
    float *f = gs_xalloc(n * sizeof(float) + 4);

    for (size_t i = 0; i < n; i++) f[i] = (float)v[i];
    if (want) golden_compare(c, want, NULL, f, n);
    free(f);
}

static gs_status fid(golden_case *c, const float *real, int n_real, const float *fake, int n_fake, int d)
{
    double mean, cov, sum;
    const gs_status st = gs_frechet(real, n_real, fake, n_fake, d, &mean, &cov);

    if (st != GS_OK) return st;
    sum = mean + cov;
    compare_value(c, "mean_term", &mean, 1);
    compare_value(c, "cov_term", &cov, 1);
    compare_value(c, "fid", &sum, 1);
    return GS_OK;
}

static gs_status kid(golden_case *c, const float *real, int n_real, const float *fake, int n_fake, int d)
{
    const gs_kid_opts o = { .degree = (int)golden_number(c, "degree", 3), .coef0 = golden_number(c, "coef0", 1) };
    const int block = (int)golden_number(c, "block", 10);
    const gs_st_tensor *rows_real = golden_find(c, "x.subsets_real"), *rows_fake = golden_find(c, "x.subsets_fake");
    const int n_blocks = gs_kid_block_count(n_real, n_fake, block);
    double *blocks = gs_xalloc((size_t)n_blocks * sizeof(double) + 8), *values = NULL, whole, mean, spread;
    int32_t *index[2] = { NULL, NULL };
    gs_kid_kernels *k = NULL;
    gs_status st = GS_OK;

    TRY(gs_kid_kernels_new(real, n_real, fake, n_fake, d, &o, &k));
    TRY(gs_kid(k, &whole));
    compare_value(c, "whole", &whole, 1);
    TRY(gs_kid_blocks(k, NULL, NULL, block, blocks, &mean, &spread));
    compare_value(c, "blocks", blocks, (size_t)n_blocks);
    compare_value(c, "block_mean", &mean, 1);
    compare_value(c, "block_stderr", &spread, 1);
    if (rows_real && rows_fake && rows_real->rank == 2 && rows_fake->count == rows_real->count) {
        const int subsets = (int)rows_real->shape[0], size = (int)rows_real->shape[1];
        gs_dtype dtype;

        index[0] = golden_copy(rows_real, &dtype);
        index[1] = golden_copy(rows_fake, &dtype);
        values = gs_xalloc((size_t)subsets * sizeof(double) + 8);
        TRY(gs_kid_subsets(k, index[0], index[1], subsets, size, values, &mean, &spread));
        compare_value(c, "subsets", values, (size_t)subsets);
        compare_value(c, "mean", &mean, 1);
        compare_value(c, "std", &spread, 1);
    }
done:
    gs_kid_kernels_free(k);
    free(blocks);
    free(values);
    free(index[0]);
    free(index[1]);
    return st;
}

bool golden_host_op(golden_case *c)
{
    const char *op = golden_config(c, "op");
    int n_real = 0, n_fake = 0, d = 0, d_fake = 0;
    float *real, *fake;
    gs_status st;

    if (!op || (strcmp(op, "fid") != 0 && strcmp(op, "kid") != 0)) return false;
    real = features(c, "real", &n_real, &d);
    fake = features(c, "fake", &n_fake, &d_fake);
    if (!real || !fake || d != d_fake) st = gs_fail(GS_EFORMAT, "%s: wants x.real and x.fake of one width", c->path);
    else st = (strcmp(op, "fid") == 0 ? fid : kid)(c, real, n_real, fake, n_fake, d);
    if (st != GS_OK) golden_give_up(c);
    free(real);
    free(fake);
    return true;
}

/* ---- on a device ---- */

static gs_status feed_inputs(golden_exec *e, golden_op *o, int step)
{
    gs_status st = GS_OK;
    char full[160];

    for (int i = 0; st == GS_OK && i < gs_st_count(o->c->file); i++) {
        const gs_st_tensor *t = gs_st_at(o->c->file, i);
        const char *name = t->name + 2;
        size_t offset = 0;
        gs_dtype dtype;
        void *data;
        bool input = false;

        if (strncmp(t->name, "x.", 2) != 0) continue;
        snprintf(full, sizeof full, "%s/x.%s", o->scope, name);
        for (int k = 0; k < o->g->n_inputs && !input; k++) input = strcmp(o->g->inputs[k].name, full) == 0;
        data = golden_copy(t, &dtype);
        if (input) {
            if (o->c->steps > 0 && strcmp(name, "g") == 0) offset = t->count / (size_t)o->c->steps * (size_t)step;
            st = golden_exec_feed(e, full, (const float *)data + offset);
        } else if (step == 0) {
            snprintf(full, sizeof full, "%s.%s", o->scope, name);
            for (int k = 0; k < o->n_in; k++) {
                if (o->in[k].var && strcmp(o->in[k].name, name) == 0) st = golden_exec_write(e, full, data);
            }
        }
        free(data);
    }
    return st;
}

static bool has_output(const gs_graph *g, const char *name)
{
    for (int i = 0; i < g->n_outputs; i++) {
        if (strcmp(g->outputs[i].name, name) == 0) return true;
    }
    return false;
}

/* Compares one expected tensor; `variable` NULL: an output of the graph. */
static gs_status compare_one(golden_exec *e, golden_op *o, const gs_st_tensor *want, const char *variable)
{
    float *got = gs_xalloc(want->count * sizeof(float) + 4);
    gs_status st;
    char full[160];

    snprintf(full, sizeof full, "%s/%s", o->scope, want->name);
    st = variable ? golden_exec_read(e, variable, got) : golden_exec_fetch(e, full, got);
    if (st == GS_OK) golden_compare(o->c, want, NULL, got, want->count);
    free(got);
    return st;
}

/* The shape that the graph has for an expected tensor, so that no buffer is filled beyond its end. */
static gs_status check_count(const gs_st_tensor *want, gs_shape s)
{
    char a[96], b[96];

    if ((size_t)gs_shape_count(s) == want->count) return GS_OK;
    return gs_fail(GS_ESHAPE, "%s is %s here and %s in the file", want->name, gs_shape_text(s, a),
                   gs_shape_text(golden_shape(want), b));
}

static gs_status compare_all(golden_exec *e, golden_op *o, bool first_step, bool last_step)
{
    gs_status st = GS_OK;
    char full[160];

    for (int i = 0; i < gs_st_count(o->c->file); i++) {
        const gs_st_tensor *want = gs_st_at(o->c->file, i);
        const char *name = want->name + 2;
        const gs_var *var = NULL;

        if (strncmp(want->name, "y.", 2) != 0 && strncmp(want->name, "dx.", 3) != 0) continue;
        if (strcmp(want->name, "y.p_1") == 0) {
            if (first_step) {
                snprintf(full, sizeof full, "%s.p", o->scope);
                TRY(compare_one(e, o, want, full));
            }
            continue;
        }
        if (!last_step) continue;
        for (int k = 0; k < o->n_out && want->name[0] == 'y'; k++) {
            if (o->out[k].var && strcmp(o->out[k].name, name) == 0) var = o->out[k].var;
        }
        snprintf(full, sizeof full, "%s/%s", o->scope, want->name);
        if (var) {
            TRY(check_count(want, gs_var_shape(var)));
        } else if (has_output(o->g, full)) {
            for (int k = 0; k < o->g->n_outputs; k++) {
                if (strcmp(o->g->outputs[k].name, full) == 0) TRY(check_count(want, o->g->outputs[k].node->shape));
            }
        } else {
            TRY(gs_fail(GS_EINVAL, "%s is expected and not computed", want->name));
        }
        TRY(compare_one(e, o, want, var ? gs_var_name(var) : NULL));
    }
done:
    return st;
}

/* Builds, runs and compares n cases in one plan. Failing to build or to compile is returned and says nothing
 * of any case. */
static gs_status run_together(golden_case *const *cases, int n, gs_device *d)
{
    golden_op *ops = gs_xalloc((size_t)n * sizeof(*ops));
    gs_graph *g = gs_graph_new();
    golden_exec *e = NULL;
    int steps = 1;
    gs_status st = GS_OK;

    for (int i = 0; i < n; i++) {
        ops[i].c = cases[i];
        ops[i].g = g;
        snprintf(ops[i].scope, sizeof ops[i].scope, "c%d", i);
        TRY(golden_op_build(&ops[i]));
        steps = GS_MAX(steps, cases[i]->steps);
    }
    TRY(golden_exec_new(g, d, &e));
    for (int s = 0; s < steps; s++) {
        for (int i = 0; i < n; i++) TRY(feed_inputs(e, &ops[i], s));
        TRY(golden_exec_run(e, 0, (uint64_t)s));
        for (int i = 0; i < n; i++) {
            if (compare_all(e, &ops[i], s == 0, s == steps - 1) != GS_OK) golden_give_up(cases[i]);
        }
    }
done:
    golden_exec_free(e);
    gs_graph_free(g);
    free(ops);
    return st;
}

/* Cases of one number of steps together; when that fails, each alone, so that the failure has a name. */
void golden_run_ops(golden_case *const *cases, int n, gs_device *d)
{
    golden_case **group = gs_xalloc((size_t)n * sizeof(*group) + 1);
    bool *done = gs_xalloc((size_t)n + 1);

    for (int i = 0; i < n; i++) {
        int m = 0;

        if (done[i]) continue;
        if (golden_host_op(cases[i])) {
            done[i] = true;
            continue;
        }
        for (int k = i; k < n && m < CASES_A_PLAN; k++) {
            const char *op = golden_config(cases[k], "op");

            if (done[k] || cases[k]->steps != cases[i]->steps ||
                (op && (strcmp(op, "fid") == 0 || strcmp(op, "kid") == 0)))
                continue;
            done[k] = true;
            group[m++] = cases[k];
        }
        if (run_together(group, m, d) == GS_OK) continue;
        if (m == 1) golden_give_up(group[0]);
        for (int k = 0; m > 1 && k < m; k++) {
            group[k]->compared = group[k]->failed = 0;
            if (run_together(&group[k], 1, d) != GS_OK) golden_give_up(group[k]);
        }
    }
    free(group);
    free(done);
}
