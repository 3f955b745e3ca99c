/* A trained run as a source of pictures, and its evaluation against the data it was trained on. */
#include "eval/cgan_eval.h"
#include "train/dataset.h"
#include "train/snapshot.h"

typedef struct run_source {
    gs_sampler *sampler;
    uint64_t seed;
} run_source;

/* Every (class, first) has noise of its own: the sampler numbers its latent vectors from 0 in each call. */
static gs_status draw(void *user, int class_, int first, int n, float *images)
{
    const run_source *r = user;
    const uint64_t which[3] = { r->seed, (uint64_t)class_, (uint64_t)first };
    int32_t labels[GS_SOURCE_BATCH];

    for (int i = 0; i < n; i++) labels[i] = class_;
    return gs_sampler_images(r->sampler, images, labels, n, gs_hash64(which, sizeof which, 0));
}

/* The run's data set, whole: what a run keeps back from training is training data to the judge (Parzen's
 * width is chosen on it), and runs that differ in this alone shall have the same judge. */
static gs_status open_data(const gs_snapshot *s, const gs_picture_info *p, gs_dataset *out)
{
    const char *const whole[] = { "data.n_validation=0" };
    gs_setup *setup = NULL;
    gs_str text = { 0 };
    gs_status st = GS_OK;

    gs_config_write(gs_snapshot_setup(s)->config, &text);
    TRY(gs_setup_parse(gs_str_c(&text), gs_snapshot_path(s), whole, 1, &setup));
    TRY(gs_dataset_open(setup->config, &(gs_dataset_opts){ .side = p->height, .channels = p->channels, .classes = p->classes }, out));
done:
    gs_setup_free(setup);
    gs_str_free(&text);
    return st;
}

gs_status gs_cgan_eval_run(gs_device *d, const gs_snapshot *s, const gs_cgan_eval_opts *o, gs_cgan_eval *out)
{
    const gs_picture_info p = gs_snapshot_picture(s);
    const unsigned wanted = o ? o->metrics : 0;
    run_source r = { .seed = o ? o->seed : 0 };
    gs_source source = { .classes = p.classes, .c = p.channels, .h = p.height, .w = p.width, .signed_range = !p.unit_range, .draw = draw,
                         .user = &r };
    gs_dataset data = { 0 };
    gs_status st = GS_OK;

    *out = (gs_cgan_eval){ 0 };
    if (p.classes < 1) return gs_fail(GS_EUSAGE, "%s: its system draws without classes; this evaluation needs them", gs_snapshot_path(s));
    TRY(open_data(s, &p, &data));
    if (data.bars ? wanted & ~(unsigned)GS_EVAL_BARS : wanted & GS_EVAL_BARS)
        TRY(gs_fail(GS_EUSAGE, "%s: data.dataset is%s bars: %s", gs_snapshot_path(s), data.bars ? "" : " not",
                    data.bars ? "the metric \"bars\" is the only one for it" : "the metric \"bars\" does not apply"));
    TRY(gs_sampler_new(s, d, GS_SOURCE_BATCH, NULL, &r.sampler));
    st = data.bars ? gs_bars_eval_source(&source, o && o->per_class ? o->per_class : 1000, out)
                   : gs_cgan_eval_source(d, &source, &data.train, &data.test, o, out);
done:
    gs_sampler_free(r.sampler);
    gs_dataset_free(&data);
    return st;
}
