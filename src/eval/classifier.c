/* The reference classifier: its graphs, training and use. The cache stands in classifier_cache.c.
 * Shape letters: N batch, C H W the pictures. */
#include "eval/classifier_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/batches.h"
#include "eval/source.h"

#define TRAIN_BATCH 128
#define USE_BATCH   GS_SOURCE_BATCH
#define LOSS_SUM    "epoch.loss" /* variable: sum of the losses of an epoch's batches so far */

static gs_node *network(gs_graph *g, const gs_classifier *c, int batch, gs_node **features)
{
    const gs_conv2d_opts same = { .pad = 2 };
    const gs_pool_opts half = { .kernel = 2 };
    gs_node *x = gs_input(g, "x", GS_SHAPE(batch, c->c, c->h, c->w), GS_F32);

    x = gs_max_pool2d(gs_relu(gs_conv2d_layer(x, "conv1", 32, 5, &same, NULL)), &half);
    x = gs_max_pool2d(gs_relu(gs_conv2d_layer(x, "conv2", 64, 5, &same, NULL)), &half); /* (N,64,H/4,W/4) */
    x = gs_relu(gs_linear_layer(gs_reshape(x, GS_SHAPE(batch, -1)), "fc1", GS_CLASSIFIER_FEATURES, NULL));
    *features = x;
    return gs_linear_layer(x, "fc2", c->classes, NULL);
}

/* ---- training ---- */

static gs_status build_training(gs_classifier *c, int batch, gs_plan **plan)
{
    gs_graph *g = gs_graph_new();
    gs_node *features, *logits = network(g, c, batch, &features);
    gs_node *y = gs_input(g, "y", GS_SHAPE(batch), GS_I32);
    gs_node *loss = gs_cross_entropy(logits, y, GS_REDUCE_MEAN), *grads[16], *sum;
    gs_var *params[16], *losses = gs_variable(g, LOSS_SUM, GS_SHAPE(1), GS_F32, (gs_init){ GS_INIT_CONST, 0, 0 }, false);
    const int n = gs_trainable(g, "", params, (int)GS_COUNT(params));
    gs_status st;

    gs_grad_params(loss, params, n, grads);
    gs_adam(g, "adam", params, grads, n, gs_const(g, 1e-3), NULL);
    sum = gs_add(gs_read(losses), loss);
    gs_assign(losses, sum);
    gs_output(g, "loss", sum);
    st = gs_compile(g, c->device, c->store, NULL, plan);
    gs_graph_free(g);
    return st;
}

static void report(const gs_classifier_opts *o, bool final, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void report(const gs_classifier_opts *o, bool final, const char *fmt, ...)
{
    char line[200];
    va_list ap;

    if (!o->progress) return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    o->progress(o->user, line, final);
}

static gs_status train(gs_classifier *c, const gs_labelled *set, const gs_classifier_opts *o)
{
    const int batch = GS_MIN(TRAIN_BATCH, set->n), epochs = o->epochs ? o->epochs : 5;
    /* The pictures that do not fill a last batch are left out; the next epoch's permutation leaves out others. */
    const gs_batches_opts how = { .batch = batch, .seed = o->seed, .drop_last = true, .unit_range = true, .prefetch = true };
    float *x = gs_try_alloc((size_t)batch * c->c * c->h * c->w, sizeof *x, "a batch"), sum = 0;
    int32_t *y = gs_try_alloc((size_t)batch, sizeof *y, "a batch");
    gs_batches *batches = NULL;
    gs_plan *plan = NULL;
    gs_status st = GS_OK;
    int64_t step = 0;
    char t[32];

    TRY(x && y ? GS_OK : GS_ENOMEM);
    TRY(gs_batches_new(&batches, set, &how));
    TRY(build_training(c, batch, &plan));
    for (int e = 0; e < epochs; e++) {
        const int count = gs_batches_count(batches);
        const double start = gs_now();
        const float zero = 0;
        double shown = start;
        int taken = 0;

        TRY(gs_store_write(c->store, gs_store_find(c->store, LOSS_SUM), &zero));
        for (int i = 0; i < count && (o->max_steps == 0 || step < o->max_steps); i++, step++) {
            taken = i + 1;
            gs_batches_get(batches, e, i, x, y);
            TRY(gs_plan_feed(plan, "x", x));
            TRY(gs_plan_feed(plan, "y", y));
            TRY(gs_plan_run(plan, o->seed, (uint64_t)step));
            if (i % 16 != 15 && i != count - 1 && step + 1 != o->max_steps) continue; /* reading the loss waits for the device */
            TRY(gs_plan_fetch(plan, "loss", &sum));
            if (!isfinite(sum))
                TRY(gs_fail(GS_ENUMERIC, "reference classifier: the loss became %g in step %lld", (double)sum, (long long)step));
            if (gs_now() - shown < 0.5) continue;
            shown = gs_now();
            report(o, false, "reference classifier: epoch %d of %d, batch %d of %d, loss %.4f, %s left in this epoch", e + 1, epochs, i + 1,
                   count, (double)sum / taken, gs_seconds_text(t, (shown - start) / (i + 1) * (count - 1 - i)));
        }
        report(o, true, "reference classifier: epoch %d of %d %s %s, loss %.4f", e + 1, epochs, taken == count ? "done in" : "cut short after",
               gs_seconds_text(t, gs_now() - start), (double)sum / GS_MAX(taken, 1));
        if (o->max_steps && step >= o->max_steps) break;
    }
done:
    gs_plan_free(plan);
    gs_batches_free(batches);
    free(x);
    free(y);
    return st;
}

/* ---- making one ---- */

static gs_status build_use(gs_classifier *c)
{
    gs_graph *g = gs_graph_new();
    gs_node *features, *logits = network(g, c, USE_BATCH, &features);
    gs_status st = GS_OK;

    gs_output(g, "logits", logits);
    gs_output(g, "features", features);
    TRY(gs_compile(g, c->device, c->store, NULL, &c->plan));
    for (int i = 0; i < gs_store_count(c->store); i++)
        if (gs_store_trainable(c->store, i)) c->params += gs_shape_count(gs_store_shape(c->store, i));
done:
    gs_graph_free(g);
    return st;
}

static gs_status check_set(const gs_labelled *set)
{
    if (set->n < 1 || set->classes < 2)
        return gs_fail(GS_EINVAL, "reference classifier: %d pictures of %d classes; it needs pictures of 2 classes or more", set->n,
                       set->classes);
    if (set->h < 4 || set->w < 4)
        return gs_fail(GS_EINVAL, "reference classifier: pictures of %d x %d; it halves them twice and needs 4 x 4 or more", set->w, set->h);
    for (int i = 0; i < set->n; i++)
        if (set->labels[i] >= set->classes)
            return gs_fail(GS_EINVAL, "reference classifier: picture %d has label %d of %d classes", i, set->labels[i], set->classes);
    return GS_OK;
}

gs_status gs_classifier_get(gs_device *d, const gs_labelled *set, const gs_classifier_opts *o, gs_classifier **out)
{
    static const gs_classifier_opts standard;
    gs_classifier *c = gs_xalloc(sizeof *c);
    gs_status st = GS_OK;
    char *path = NULL;

    *out = NULL;
    if (!o) o = &standard;
    TRY(check_set(set));
    *c = (gs_classifier){ .device = d, .c = set->c, .h = set->h, .w = set->w, .classes = set->classes };
    TRY(gs_store_new(d, o->seed, &c->store));
    TRY(build_use(c));
    c->in = gs_try_alloc((size_t)USE_BATCH * c->c * c->h * c->w, sizeof *c->in, "a batch");
    c->out = gs_try_alloc((size_t)USE_BATCH * GS_MAX(c->classes, GS_CLASSIFIER_FEATURES), sizeof *c->out, "a batch");
    TRY(c->in && c->out ? GS_OK : GS_ENOMEM);
    if (!o->no_cache) path = gs_classifier_path(set, o);
    if (path && gs__classifier_load(c, path)) {
        c->cached = true;
    } else {
        TRY(train(c, set, o));
        if (path) gs__classifier_save(c, path);
    }
    *out = c;
    c = NULL;
done:
    free(path);
    gs_classifier_free(c);
    return st;
}

void gs_classifier_free(gs_classifier *c)
{
    if (!c) return;
    gs_plan_free(c->plan);
    gs_store_free(c->store);
    free(c->in);
    free(c->out);
    free(c);
}

/* ---- use ---- */

int gs_argmax_row(const float *v, int n)
{
    int best = 0;

    for (int i = 1; i < n; i++)
        if (v[i] > v[best]) best = i;
    return best;
}

gs_status gs_classifier_run(gs_classifier *c, const float *images, int n, float *logits, float *features)
{
    const size_t d = (size_t)c->c * c->h * c->w;
    gs_status st = GS_OK;

    for (int at = 0; at < n; at += USE_BATCH) {
        const int m = GS_MIN(USE_BATCH, n - at);
        const float *x = images + at * d;

        /* rows are independent: what follows the last picture does not matter, but is kept finite */
        if (m < USE_BATCH) {
            memcpy(c->in, x, m * d * sizeof *x);
            memset(c->in + m * d, 0, (USE_BATCH - m) * d * sizeof *x);
            x = c->in;
        }
        TRY(gs_plan_feed(c->plan, "x", x));
        TRY(gs_plan_run(c->plan, 0, 0));
        if (logits) {
            TRY(gs_plan_fetch(c->plan, "logits", c->out));
            memcpy(logits + (size_t)at * c->classes, c->out, (size_t)m * c->classes * sizeof *logits);
        }
        if (features) {
            TRY(gs_plan_fetch(c->plan, "features", c->out));
            memcpy(features + (size_t)at * GS_CLASSIFIER_FEATURES, c->out, (size_t)m * GS_CLASSIFIER_FEATURES * sizeof *features);
        }
    }
done:
    return st;
}

gs_status gs_classifier_run_set(gs_classifier *c, const gs_labelled *set, int first, int n, int32_t *predicted, float *features)
{
    float *x = NULL, *logits = NULL;
    gs_status st = GS_OK;

    if (set->c != c->c || set->h != c->h || set->w != c->w)
        return gs_fail(GS_ESHAPE, "reference classifier: made for %d x %d x %d pictures (channels, rows, columns), got %d x %d x %d", c->c, c->h,
                       c->w, set->c, set->h, set->w);
    if (first < 0 || n < 0 || first + (int64_t)n > set->n)
        return gs_fail(GS_EINVAL, "reference classifier: pictures %d to %d of a set of %d", first, first + n - 1, set->n);
    x = gs_try_alloc((size_t)USE_BATCH * c->c * c->h * c->w, sizeof *x, "a batch");
    logits = gs_try_alloc((size_t)USE_BATCH * c->classes, sizeof *logits, "a batch");
    TRY(x && logits ? GS_OK : GS_ENOMEM);
    for (int at = 0; at < n; at += USE_BATCH) {
        const int m = GS_MIN(USE_BATCH, n - at);

        gs_real_unit(set, NULL, first + at, m, x);
        TRY(gs_classifier_run(c, x, m, predicted ? logits : NULL, features ? features + (size_t)at * GS_CLASSIFIER_FEATURES : NULL));
        for (int i = 0; predicted && i < m; i++) predicted[at + i] = gs_argmax_row(logits + (size_t)i * c->classes, c->classes);
    }
done:
    free(x);
    free(logits);
    return st;
}

gs_status gs_classifier_accuracy(gs_classifier *c, const gs_labelled *set, double *accuracy)
{
    int32_t *predicted = gs_try_alloc((size_t)set->n, sizeof *predicted, "predictions");
    gs_status st = GS_OK;
    int right = 0;

    *accuracy = 0;
    TRY(predicted ? GS_OK : GS_ENOMEM);
    TRY(gs_classifier_run_set(c, set, 0, set->n, predicted, NULL));
    for (int i = 0; i < set->n; i++) right += predicted[i] == set->labels[i];
    *accuracy = set->n ? right / (double)set->n : 0;
done:
    free(predicted);
    return st;
}

int64_t gs_classifier_params(const gs_classifier *c) { return c->params; }

bool gs_classifier_from_cache(const gs_classifier *c) { return c->cached; }

void gs_eval_progress_stderr(void *user, const char *line, bool final)
{
    const bool terminal = isatty(STDERR_FILENO);

    (void)user;
    if (terminal)
        fprintf(stderr, "\r\033[K%s%s", line, final ? "\n" : "");
    else if (final)
        fprintf(stderr, "%s\n", line);
    fflush(stderr);
}
