/* Inception-v3's weights as a file: held, tensor by tensor, against what the network declares. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/judge.h"

#define MAX_CLASSES 100000
#define MAX_VARS    1000 /* 568 with the auxiliary head */

const char *gs_inception_graph_name(gs_inception_graph graph)
{
    return graph == GS_INCEPTION_FID2015 ? "fid2015" : "tv";
}

const char *gs_inception_advice(void)
{
    return "KID and FID need the weights of Inception-v3, which do not come with Gesso. With Python, torchvision and "
           "safetensors:\n"
           "  import torchvision, safetensors.torch\n"
           "  net = torchvision.models.inception_v3(weights=\"IMAGENET1K_V1\")\n"
           "  safetensors.torch.save_file(net.state_dict(), \"inception.safetensors\")\n"
           "or, for figures that compare with published ones, the TensorFlow weights of 2015-12-05 as PyTorch programs\n"
           "for FID distribute them (1008 classes, the same keys), saved the same way. Then:\n"
           "  gesso eval RUN --inception inception.safetensors\n"
           "or put the path into GESSO_INCEPTION.";
}

static const char *plain(const char *name)
{
    return strncmp(name, "module.", 7) == 0 ? name + 7 : name;
}

const gs_st_tensor *gs_inception_weights_find(const gs_inception_weights *w, const char *key)
{
    const gs_st_tensor *t = gs_st_find(w->file, key);
    char wrapped[256];

    if (t) return t;
    snprintf(wrapped, sizeof wrapped, "module.%s", key);
    return gs_st_find(w->file, wrapped);
}

static bool is_counter(const char *name)
{
    static const char end[] = ".num_batches_tracked";
    const size_t n = strlen(name), m = sizeof end - 1;

    return n > m && strcmp(name + n - m, end) == 0;
}

/* Classes and graph, as the last layer tells them; the head, as its keys do. */
static gs_status tell(const char *path, gs_inception_weights *w)
{
    const gs_st_tensor *fc = gs_inception_weights_find(w, "fc.weight");

    if (!fc) {
        return gs_fail(GS_EFORMAT, "%s: tensor fc.weight is missing, which tells torchvision's network (1000 rows) from "
                       "that of 2015 (1008): is it a state dict of Inception-v3? (its first tensor is %.80s)", path,
                       gs_st_count(w->file) ? gs_st_at(w->file, 0)->name : "none");
    }
    if (fc->rank != 2 || fc->shape[1] != GS_INCEPTION_FEATURES || fc->shape[0] < 1 || fc->shape[0] > MAX_CLASSES) {
        return gs_fail(GS_EFORMAT, "%s: %s has another shape than (classes,%d)", path, fc->name, GS_INCEPTION_FEATURES);
    }
    w->o.classes = (int)fc->shape[0];
    w->o.graph = fc->shape[0] == 1008 ? GS_INCEPTION_FID2015 : GS_INCEPTION_TV;
    for (int i = 0; i < gs_st_count(w->file); i++) {
        if (strncmp(plain(gs_st_at(w->file, i)->name), "AuxLogits.", 10) == 0) w->o.aux = true;
    }
    return GS_OK;
}

static gs_status check_one(const char *path, const gs_var *v, const gs_st_tensor *t)
{
    const gs_shape want = gs_var_shape(v);
    gs_shape has = { .rank = 0 };
    bool same;
    float *values;
    char a[96], b[96];
    gs_status st = GS_OK;

    if (!t) return gs_fail(GS_EFORMAT, "%s: tensor %s is missing", path, gs_var_name(v));
    same = t->rank == want.rank;
    has.rank = GS_MIN(t->rank, GS_MAX_DIMS);
    for (int i = 0; i < has.rank; i++) {
        has.dim[i] = t->shape[i];
        same = same && t->shape[i] == want.dim[i];
    }
    if (!same) {
        return gs_fail(GS_EFORMAT, "%s: %s has the shape %s, Inception-v3 wants %s", path, t->name,
                       gs_shape_text(has, a), gs_shape_text(want, b));
    }
    values = gs_try_alloc(GS_MAX(t->count, 1), sizeof *values, t->name);
    if (!values) return GS_ENOMEM;
    gs_st_to_f32(t, values);
    for (size_t i = 0; i < t->count && st == GS_OK; i++) {
        if (!isfinite(values[i])) st = gs_fail(GS_EFORMAT, "%s: %s: element %zu is not finite", path, t->name, i);
    }
    free(values);
    return st;
}

/* The variables of the network that the file is for; in creation order. */
static int declare(const gs_inception_weights *w, gs_graph *g, gs_var **vars)
{
    gs_inception(g, &w->o, "", gs_input(g, "x", GS_SHAPE(1, 3, GS_INCEPTION_SIDE, GS_INCEPTION_SIDE), GS_F32));
    return gs_variables(g, "", vars, MAX_VARS);
}

static gs_status check(const char *path, gs_inception_weights *w)
{
    gs_graph *g = gs_graph_new();
    gs_var **vars = gs_xalloc(MAX_VARS * sizeof *vars);
    const int n = declare(w, g, vars);
    gs_status st = GS_OK;

    for (int i = 0; i < gs_st_count(w->file); i++) {
        const char *name = gs_st_at(w->file, i)->name;
        bool known = is_counter(name);

        for (int k = 0; k < n && !known; k++) known = strcmp(gs_var_name(vars[k]), plain(name)) == 0;
        TRY(known ? GS_OK
            : gs_fail(GS_EFORMAT, "%s: tensor %.100s belongs to no layer of Inception-v3 (torchvision's keys, such as "
                                    "Mixed_5b.branch1x1.conv.weight, are wanted)", path, name));
    }
    for (int i = 0; i < n; i++) TRY(check_one(path, vars[i], gs_inception_weights_find(w, gs_var_name(vars[i]))));
    w->tensors = n;
    for (int i = 0, m = gs_trainable(g, "", vars, MAX_VARS); i < m; i++)
        w->parameters += gs_shape_count(gs_var_shape(vars[i]));
done:
    free(vars);
    gs_graph_free(g);
    return st;
}

gs_status gs_inception_weights_open(const char *path, gs_inception_weights *out)
{
    gs_status st = GS_OK;

    *out = (gs_inception_weights){ 0 };
    TRY(gs_st_open(path, &out->file));
    TRY(tell(path, out));
    TRY(check(path, out));
done:
    if (st != GS_OK) gs_inception_weights_close(out);
    return st;
}

void gs_inception_weights_close(gs_inception_weights *w)
{
    gs_st_close(w->file);
    *w = (gs_inception_weights){ 0 };
}

gs_status gs_inception_weights_save(const gs_inception_weights *w, const char *path)
{
    gs_st_writer *out = gs_st_writer_new();
    gs_graph *g = gs_graph_new();
    gs_var **vars = gs_xalloc(MAX_VARS * sizeof *vars);
    const int n = declare(w, g, vars);
    float **values = gs_xalloc((size_t)n * sizeof *values);
    gs_status st = GS_OK;

    gs_st_writer_meta(out, "format", "pt");
    gs_st_writer_meta(out, "system", "inception");
    for (int i = 0; i < n; i++) {
        const gs_shape s = gs_var_shape(vars[i]);
        const gs_st_tensor *t = gs_inception_weights_find(w, gs_var_name(vars[i]));

        values[i] = gs_try_alloc(GS_MAX(t->count, 1), sizeof **values, t->name);
        TRY(values[i] ? GS_OK : GS_ENOMEM);
        gs_st_to_f32(t, values[i]);
        gs_st_writer_add(out, gs_var_name(vars[i]), GS_ST_F32, s.rank, s.dim, values[i]);
    }
    TRY(gs_st_writer_save(out, path));
done:
    for (int i = 0; i < n; i++) free(values[i]);
    free(values);
    free(vars);
    gs_graph_free(g);
    gs_st_writer_free(out);
    return st;
}
