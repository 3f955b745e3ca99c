/* Pictures from a store: the trainer's own, or one filled from a snapshot. */
#include <stdlib.h>
#include <string.h>

#include "train/snapshot.h"

struct gs_sampler {
    const gs_setup *setup;
    gs_picture_info info;
    gs_sampler_opts o;
    gs_store *own;  /* NULL: the trainer's */
    gs_plan *plan;
    int batch;
    float *z, *pictures; /* of one batch */
    int32_t *y;
};

static size_t pixels(const gs_sampler *s)
{
    return (size_t)s->info.channels * (size_t)s->info.height * (size_t)s->info.width;
}

gs_status gs_sampler_on_store(const gs_setup *setup, gs_device *d, gs_store *store, int batch, const gs_sampler_opts *o,
                              gs_sampler **out)
{
    gs_sampler *s = gs_xalloc(sizeof *s);
    gs_graph *g = gs_graph_new();
    const gs_compile_opts opts = gs_setup_compile_opts(setup);
    gs_status st = GS_OK;

    s->setup = setup;
    s->info = setup->system->picture(setup->model);
    s->batch = batch;
    if (o) s->o = *o;
    TRY(setup->system->build_sampler(setup->model, g, batch, s->o.train_mode));
    TRY(gs_compile(g, d, store, &opts, &s->plan));
    s->z = gs_try_alloc((size_t)batch * (size_t)s->info.latent, sizeof *s->z, "latent vectors");
    s->y = gs_try_alloc((size_t)batch, sizeof *s->y, "labels");
    s->pictures = gs_try_alloc((size_t)batch * pixels(s), sizeof *s->pictures, "a batch of pictures");
    TRY(s->z && s->y && s->pictures ? GS_OK : GS_ENOMEM);
done:
    gs_graph_free(g);
    if (st != GS_OK) {
        gs_sampler_free(s);
        s = NULL;
    }
    *out = s;
    return st;
}

gs_status gs_sampler_new(const gs_snapshot *snapshot, gs_device *d, int batch, const gs_sampler_opts *o, gs_sampler **out)
{
    const gs_setup *setup = gs_snapshot_setup(snapshot);
    gs_store *store = NULL;
    gs_sampler *s = NULL;
    gs_status st = GS_OK;

    if (batch < 1) TRY(gs_fail(GS_EINVAL, "a batch of %d pictures", batch));
    TRY(gs_store_new(d, 0, &store));
    TRY(gs_sampler_on_store(setup, d, store, batch, o, &s));
    TRY(gs_snapshot_fill(snapshot, store, ""));
    s->own = store;
    store = NULL;
done:
    if (st != GS_OK) {
        gs_sampler_free(s);
        s = NULL;
    }
    gs_store_free(store);
    *out = s;
    return st;
}

void gs_sampler_free(gs_sampler *s)
{
    if (!s) return;
    gs_plan_free(s->plan);
    gs_store_free(s->own);
    free(s->z);
    free(s->y);
    free(s->pictures);
    free(s);
}

gs_picture_info gs_sampler_picture(const gs_sampler *s) { return s->info; }

/* One batch: rows first .. first + n - 1 of the request, filled up by repetition. z NULL: drawn from the seed. */
static gs_status draw(gs_sampler *s, float *images, const int32_t *labels, const float *z, int first, int n, uint64_t seed)
{
    const size_t latent = (size_t)s->info.latent, one = pixels(s);
    gs_status st = GS_OK;

    if (!z) s->setup->system->latent(s->setup->model, seed, first, n, s->z);
    for (int i = 0; i < s->batch; i++) {
        const int k = i < n ? i : i % n;

        s->y[i] = labels[first + k];
        if (z) memcpy(s->z + (size_t)i * latent, z + (size_t)(first + k) * latent, latent * sizeof *z);
        else if (k != i) memcpy(s->z + (size_t)i * latent, s->z + (size_t)k * latent, latent * sizeof *z);
    }
    TRY(gs_plan_feed(s->plan, "z", s->z));
    TRY(gs_plan_feed(s->plan, "y", s->y));
    TRY(gs_plan_run(s->plan, seed, (uint64_t)first));
    TRY(gs_plan_fetch(s->plan, "images", s->pictures));
    memcpy(images + (size_t)first * one, s->pictures, (size_t)n * one * sizeof *images);
done:
    return st;
}

gs_status gs_sampler_images_z(gs_sampler *s, float *images, const int32_t *labels, const float *z, int n, uint64_t seed)
{
    const size_t total = (size_t)GS_MAX(n, 0) * pixels(s);
    gs_status st = GS_OK;

    for (int i = 0; i < n; i++) {
        if (labels[i] < 0 || labels[i] >= s->info.classes) {
            return gs_fail(GS_EINVAL, "label %d: there are %d classes, 0 to %d", (int)labels[i], s->info.classes, s->info.classes - 1);
        }
    }
    for (int first = 0; first < n && st == GS_OK; first += s->batch) {
        st = draw(s, images, labels, z, first, GS_MIN(s->batch, n - first), seed);
    }
    for (size_t i = 0; st == GS_OK && s->o.unit && i < total; i++) {
        const float v = s->info.unit_range ? images[i] : 0.5f * (images[i] + 1);

        images[i] = v < 0 ? 0 : v > 1 ? 1 : v; /* NaN stays */
    }
    return st;
}

gs_status gs_sampler_images(gs_sampler *s, float *images, const int32_t *labels, int n, uint64_t seed)
{
    return gs_sampler_images_z(s, images, labels, NULL, n, seed);
}
