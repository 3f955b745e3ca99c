/* Measuring translations: folders, the plans of both directions, one pass over the pictures of each. */
#include "eval/translate_eval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/grid.h"
#include "eval/gallery.h"
#include "eval/judge.h"
#include "eval/pixels.h"
#include "gesso/plan.h"

typedef struct run {
    const gs_translate_eval_opts *o;
    const gs_snapshot *s;
    const gs_system *system;
    gs_picture_info info;
    gs_store *store;
    gs_plan *plan[2];    /* NULL: the file lacks that direction */
    gs_judge *judge;     /* NULL: no weights */
    gs_gallery pictures[2];
    int *partner[2];     /* index in the other gallery, or -1; NULL: no table */
    gs_features real[2];
    float *x, *y, *z;    /* a picture, its translation, the way back */
    gs_translate_eval *out;
} run;

double gs_average_value(const gs_average *m) { return m->n ? m->sum / m->n : NAN; }

double gs_average_error(const gs_average *m)
{
    const double mean = gs_average_value(m);

    return m->n < 2 ? 0 : sqrt(fmax(m->square / m->n - mean * mean, 0) / (m->n - 1));
}

static void add(gs_average *m, double v)
{
    m->sum += v;
    m->square += v * v;
    m->n++;
}

/* ---- opening ---- */

static char *folder_of(const gs_config *c, const char *key)
{
    void *user = (void *)(uintptr_t)c;
    const char *root = gs_config_text(user, "data", "root"), *name = gs_config_text(user, "data", key);

    if (!name || !*name) return NULL;
    return *name == '/' || !root || !*root ? gs_xstrdup(name) : gs_path_join(root, name);
}

/* Test pictures where the configuration has them, else training pictures. */
static gs_status open_domain(run *r, int d)
{
    const gs_config *c = gs_snapshot_setup(r->s)->config;
    char key[16], *dir = r->o->folder[d] ? gs_xstrdup(r->o->folder[d]) : NULL;
    gs_status st = GS_OK;

    if (!dir) {
        snprintf(key, sizeof key, "test%c", 'A' + d);
        dir = folder_of(c, key);
        if (!dir || !gs_dir_exists(dir)) {
            free(dir);
            snprintf(key, sizeof key, "train%c", 'A' + d);
            dir = folder_of(c, key);
            r->out->from_training[d] = true;
        }
    }
    if (!dir || !gs_dir_exists(dir)) {
        TRY(gs_fail(GS_EIO, "%s: there is no folder of domain %c's pictures%s%s: say where they are: --folder-%c DIR",
                    gs_snapshot_path(r->s), 'A' + d,
                    dir ? " at " : "", dir ? dir : "", 'a' + d));
    }
    TRY(gs_gallery_open(dir, &r->pictures[d]));
    r->out->folder[d] = gs_xstrdup(dir);
done:
    free(dir);
    return st;
}

static gs_status open_pairs(run *r)
{
    const gs_gallery *a = &r->pictures[0], *b = &r->pictures[1];

    if (!r->o->pairs) return GS_OK;
    r->partner[0] = gs_xalloc((size_t)a->n * sizeof *r->partner[0]);
    r->partner[1] = gs_xalloc((size_t)b->n * sizeof *r->partner[1]);
    return gs_pairs_read(r->o->pairs, r->o->pair_name[0], r->o->pair_name[1], a, b, r->partner[0], r->partner[1],
                         &r->out->pairs);
}

static gs_status open_plans(run *r, gs_device *d)
{
    const gs_setup *setup = gs_snapshot_setup(r->s);
    const size_t count = (size_t)r->info.channels * (size_t)r->info.height * (size_t)r->info.width;
    gs_status st = GS_OK;
    int n = 0;

    for (; r->system->directions[n]; n++) {}
    if (n != 2 || (r->info.channels != 3 && r->info.channels != 1) || r->info.height != r->info.width) {
        TRY(gs_fail(GS_EUSAGE, "eval: system %s translates in %d directions, pictures of %d channels; two directions "
                               "and square RGB or grey are wanted",
                    r->system->name, n, r->info.channels));
    }
    TRY(gs_store_new(d, 0, &r->store));
    for (int k = 0; k < 2; k++) {
        gs_graph *g;

        if (!gs_snapshot_has_direction(r->s, k)) continue;
        g = gs_graph_new();
        st = r->system->build_translator(setup->model, g, 1, k);
        if (st == GS_OK) st = gs_compile(g, d, r->store, NULL, &r->plan[k]);
        gs_graph_free(g);
        TRY(st);
    }
    TRY(gs_snapshot_fill(r->s, r->store, ""));
    r->x = gs_try_alloc(count, sizeof *r->x, "a picture");
    r->y = gs_try_alloc(count, sizeof *r->y, "a picture");
    r->z = gs_try_alloc(count, sizeof *r->z, "a picture");
    TRY(r->x && r->y && r->z ? GS_OK : GS_ENOMEM);
done:
    return st;
}

/* Which directions are wanted; GS_EUSAGE names those there are. */
static gs_status choose(run *r)
{
    const char *const *names = r->system->directions;

    for (int k = 0; k < 2; k++) {
        const bool wanted = !r->o->direction || strcmp(names[k], r->o->direction) == 0;

        if (wanted && !r->plan[k] && r->o->direction)
            return gs_fail(GS_EFORMAT, "%s: the networks of direction %s are not in this file", gs_snapshot_path(r->s),
                           names[k]);
        r->out->direction[k].measured = wanted && r->plan[k];
    }
    if (!r->out->direction[0].measured && !r->out->direction[1].measured)
        return gs_fail(GS_EUSAGE, "eval: --direction %.40s: there are: %s, %s", r->o->direction ? r->o->direction : "",
                       names[0], names[1]);
    return GS_OK;
}

/* ---- pictures ---- */

/* A file at the model's side and of its channels: bytes, as RGB in any case, and floats in the network's
 * range (x may be NULL). */
static gs_status load(const run *r, const char *path, gs_image *img, float *x)
{
    const gs_image_opts o = { .channels = r->info.channels, .background = { 255, 255, 255 } };
    const int side = r->info.width;
    gs_image file = { 0 };
    gs_status st = GS_OK;

    *img = (gs_image){ 0 };
    TRY(gs_image_read(path, &o, &file));
    TRY(gs_image_resize(img, &file, side, side, r->info.filter));
    for (int c = 0; c < o.channels && x; c++)
        for (size_t i = 0; i < (size_t)side * side; i++) {
            const float v = img->px[(size_t)o.channels * i + (size_t)c];

            *x++ = r->info.unit_range ? v / 255 : v / 127.5f - 1;
        }
    TRY(gs_image_convert(img, 3, NULL));
done:
    gs_image_free(&file);
    return st;
}

static gs_status translate(const run *r, int direction, const float *x, float *y)
{
    gs_status st = GS_OK;

    TRY(gs_plan_feed(r->plan[direction], "x", x));
    TRY(gs_plan_run(r->plan[direction], 0, 0));
    TRY(gs_plan_fetch(r->plan[direction], "image", y));
done:
    return st;
}

/* Mean absolute difference in [0,1]. GS_ENUMERIC for a value that is not finite. */
static gs_status difference(const run *r, const float *a, const float *b, double *l1)
{
    const size_t n = (size_t)r->info.channels * (size_t)r->info.width * (size_t)r->info.width;
    double sum = 0;

    for (size_t i = 0; i < n; i++) sum += fabs((double)a[i] - (double)b[i]);
    *l1 = sum / (double)n / (r->info.unit_range ? 1 : 2);
    return isfinite(*l1) ? GS_OK : gs_fail(GS_ENUMERIC, "%s: a translation has pixels that are not finite numbers",
                                           gs_snapshot_path(r->s));
}

static gs_status compare_pair(gs_pair_figures *f, const gs_image *a, const gs_image *partner)
{
    gs_pixel_score p;
    const gs_status st = gs_pixel_compare(a, partner, &p);

    if (st != GS_OK) return st;
    add(&f->l1, p.l1);
    add(&f->psnr, p.psnr);
    add(&f->ssim, p.ssim);
    return GS_OK;
}

typedef struct pass { /* over the source and target pictures of a direction */
    gs_colour colour[3];
    gs_features fake;
} pass;

static gs_status source_picture(run *r, int direction, int i, pass *p)
{
    gs_direction_eval *e = &r->out->direction[direction];
    const int *partner = r->partner[direction];
    gs_image img = { 0 }, out = { 0 }, other = { 0 };
    double l1;
    gs_status st = GS_OK;

    TRY(load(r, r->pictures[direction].paths[i], &img, r->x));
    TRY(translate(r, direction, r->x, r->y));
    TRY(difference(r, r->x, r->y, &l1)); /* for its check */
    TRY(gs_image_from_floats(&out, r->y, r->info.channels, r->info.height, r->info.width, r->info.unit_range));
    TRY(gs_image_convert(&out, 3, NULL));
    gs_colour_add(&p->colour[0], &img);
    gs_colour_add(&p->colour[1], &out);
    if (r->plan[!direction]) {
        TRY(translate(r, !direction, r->y, r->z));
        TRY(difference(r, r->x, r->z, &l1));
        add(&e->cycle, l1);
    }
    if (partner && partner[i] >= 0) {
        TRY(load(r, r->pictures[!direction].paths[partner[i]], &other, NULL));
        TRY(compare_pair(&e->pair_translated, &out, &other));
        TRY(compare_pair(&e->pair_untranslated, &img, &other));
    }
    if (r->judge) TRY(gs_judge_add(r->judge, &out, &p->fake));
done:
    gs_image_free(&img);
    gs_image_free(&out);
    gs_image_free(&other);
    return st;
}

static gs_status target_picture(run *r, int direction, int i, pass *p)
{
    gs_image img = { 0 };
    double l1;
    gs_status st = GS_OK;

    TRY(load(r, r->pictures[!direction].paths[i], &img, r->x));
    gs_colour_add(&p->colour[2], &img);
    TRY(translate(r, direction, r->x, r->y));
    TRY(difference(r, r->x, r->y, &l1));
    add(&r->out->direction[direction].identity, l1);
done:
    gs_image_free(&img);
    return st;
}

static gs_status distance(const run *r, const gs_features *target, const gs_features *set, gs_distance *out)
{
    const gs_kid_opts kernel = { .degree = 3, .coef0 = 1 };
    gs_kid_kernels *k = NULL;
    double covariance;
    gs_status st = GS_OK;

    TRY(gs_kid_kernels_new(target->v, target->n, set->v, set->n, GS_INCEPTION_FEATURES, &kernel, &k));
    TRY(gs_kid_measure(k, &r->o->kid, &out->kid));
    TRY(gs_frechet(target->v, target->n, set->v, set->n, GS_INCEPTION_FEATURES, &out->fid_mean_term, &covariance));
    out->fid = out->fid_mean_term + covariance;
done:
    gs_kid_kernels_free(k);
    return st;
}

static void tell(const run *r, bool final, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void tell(const run *r, bool final, const char *fmt, ...)
{
    char line[300];
    va_list ap;

    if (!r->o->progress) return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    r->o->progress(r->o->user, line, final);
}

static gs_status measure(run *r, int direction)
{
    gs_direction_eval *e = &r->out->direction[direction];
    const int sources = r->pictures[direction].n, targets = r->pictures[!direction].n, all = sources + targets;
    const char *name = r->system->directions[direction];
    const double start = gs_now();
    double shown = start;
    pass p = { 0 };
    char t[32];
    gs_status st = GS_OK;

    for (int i = 0; i < all; i++) {
        TRY(i < sources ? source_picture(r, direction, i, &p) : target_picture(r, direction, i - sources, &p));
        if (gs_now() - shown < 0.2) continue;
        shown = gs_now();
        tell(r, false, "%s: %d of %d pictures translated, %s left", name, i + 1, all,
             gs_seconds_text(t, (shown - start) / (i + 1) * (all - i - 1)));
    }
    if (r->judge) TRY(gs_judge_flush(r->judge, &p.fake));
    tell(r, true, "%s: %d pictures translated in %s", name, all, gs_seconds_text(t, gs_now() - start));
    for (int k = 0; k < 3; k++) gs_colour_get(&p.colour[k], e->mean[k], e->deviation[k]);
    if (r->judge) {
        tell(r, false, "%s: distances of %d and %d pictures", name, sources, targets);
        TRY(distance(r, &r->real[!direction], &p.fake, &e->translated));
        TRY(distance(r, &r->real[!direction], &r->real[direction], &e->untranslated));
    }
done:
    free(p.fake.v);
    return st;
}

/* ---- all of it ---- */

static gs_status open_judge(run *r, gs_device *d)
{
    gs_status st = GS_OK;

    if (!r->o->inception) return GS_OK;
    TRY(gs_kid_check(r->pictures[0].n, r->pictures[1].n, &r->o->kid));
    TRY(gs_judge_new(d, r->o->inception, &r->judge));
    r->out->has_distance = true;
    r->out->graph = gs_judge_opts(r->judge)->graph;
    r->out->weights = gs_xstrdup(r->o->inception);
    for (int k = 0; k < 2; k++) {
        const gs_gallery *g = &r->pictures[k];

        TRY(gs_judge_files(r->judge, g->paths, g->n, gs_gallery_key(g), r->o->no_cache, g->dir, r->o->progress,
                           r->o->user, &r->real[k]));
    }
done:
    return st;
}

gs_status gs_translate_eval_run(gs_device *d, const gs_snapshot *s, const gs_translate_eval_opts *o,
                                gs_translate_eval *out)
{
    const gs_setup *setup = gs_snapshot_setup(s);
    run r = { .o = o, .s = s, .system = setup->system, .info = gs_snapshot_picture(s), .out = out };
    const double start = gs_now();
    gs_status st = GS_OK;

    *out = (gs_translate_eval){ .system = setup->system->name, .side = r.info.width,
                                .names = setup->system->directions };
    if (o->pairs && o->max_pictures)
        TRY(gs_fail(GS_EUSAGE, "eval: --pairs goes with all pictures: leave --pictures out"));
    for (int k = 0; k < 2; k++) TRY(open_domain(&r, k));
    TRY(open_pairs(&r));
    for (int k = 0; k < 2; k++) {
        gs_gallery_limit(&r.pictures[k], o->max_pictures, o->kid.seed + (uint64_t)k);
        out->n[k] = r.pictures[k].n;
    }
    TRY(open_plans(&r, d));
    TRY(choose(&r));
    TRY(open_judge(&r, d));
    for (int k = 0; k < 2; k++)
        if (out->direction[k].measured) TRY(measure(&r, k));
    out->seconds = gs_now() - start;
done:
    for (int k = 0; k < 2; k++) {
        gs_plan_free(r.plan[k]);
        gs_gallery_free(&r.pictures[k]);
        free(r.partner[k]);
        free(r.real[k].v);
    }
    gs_store_free(r.store);
    gs_judge_free(r.judge);
    free(r.x);
    free(r.y);
    free(r.z);
    return st;
}

void gs_translate_eval_free(gs_translate_eval *e)
{
    for (int k = 0; k < 2; k++) free(e->folder[k]);
    free(e->weights);
    *e = (gs_translate_eval){ 0 };
}
