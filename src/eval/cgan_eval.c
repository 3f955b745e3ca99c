/* The evaluation itself; reports stand in cgan_report.c, and how a trained run becomes a source in cgan_run.c. */
#include "eval/cgan_eval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/bars.h"
#include "eval/diversity.h"
#include "eval/metrics.h"

static const struct { const char *name; unsigned bit; } metric_names[] = {
    { "accuracy", GS_EVAL_ACCURACY }, { "diversity", GS_EVAL_DIVERSITY }, { "frechet", GS_EVAL_FRECHET },
    { "parzen", GS_EVAL_PARZEN },     { "bars", GS_EVAL_BARS },           { "all", GS_EVAL_ALL },
};

gs_status gs_cgan_metric_parse(const char *name, unsigned *mask)
{
    const char *names[GS_COUNT(metric_names)], *near;

    for (size_t i = 0; i < GS_COUNT(metric_names); i++) {
        names[i] = metric_names[i].name;
        if (strcmp(name, names[i]) != 0) continue;
        *mask |= metric_names[i].bit;
        return GS_OK;
    }
    near = gs_nearest(name, names, (int)GS_COUNT(names));
    return gs_fail(GS_EUSAGE, "there is no metric \"%s\": accuracy, diversity, frechet, parzen, bars or all%s%s%s", name,
                   near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

double gs_confusion_accuracy(const int64_t *confusion, int classes, double *per_class)
{
    int64_t right = 0, all = 0;

    for (int i = 0; i < classes; i++) {
        int64_t row = 0;

        for (int j = 0; j < classes; j++) row += confusion[i * classes + j];
        right += confusion[i * classes + i];
        all += row;
        if (per_class) per_class[i] = row ? confusion[i * classes + i] / (double)row : NAN;
    }
    return all ? right / (double)all : NAN;
}

/* ---- what an evaluation holds while it runs ---- */

typedef struct job {
    gs_device *device;
    const gs_source *s;
    const gs_labelled *train, *test;
    gs_cgan_eval_opts o;
    unsigned metrics;
    int per_class, dim;
    gs_labelled own_train, own_test; /* when a test set had to be set apart */
    gs_labelled validation;          /* a window on train: owns nothing */
    gs_classifier *classifier;
    gs_parzen *parzen_validation, *parzen_test;
    float *images, *logits, *features; /* a class of pictures; its logits; features of all */
    gs_cgan_eval *e;
} job;

static void say(const job *j, bool final, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void say(const job *j, bool final, const char *fmt, ...)
{
    char line[200];
    va_list ap;

    if (!j->o.classifier.progress) return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    j->o.classifier.progress(j->o.classifier.user, line, final);
}

static gs_status copy_rows(gs_labelled *out, const gs_labelled *s, int remainder, bool equal)
{
    const size_t one = (size_t)s->h * s->w * s->c;
    gs_status st;
    int n = 0;

    for (int i = 0; i < s->n; i++) n += (i % 6 == remainder) == equal;
    st = gs_labelled_new(out, n, s->h, s->w, s->c, s->classes);
    if (st != GS_OK) return st;
    n = 0;
    for (int i = 0; i < s->n; i++) {
        if ((i % 6 == remainder) != equal) continue;
        memcpy(out->images + n * one, s->images + i * one, one);
        out->labels[n++] = s->labels[i];
    }
    return GS_OK;
}

static gs_status check(const job *j)
{
    const gs_labelled *sets[2] = { j->train, j->test };

    for (int i = 0; i < 2; i++) {
        const gs_labelled *t = sets[i];

        if (t->c != j->s->c || t->h != j->s->h || t->w != j->s->w)
            return gs_fail(GS_ESHAPE, "evaluation: the generator draws %d x %d x %d pictures (channels, rows, columns), the %s set has %d x %d x %d",
                           j->s->c, j->s->h, j->s->w, i ? "test" : "training", t->c, t->h, t->w);
        if (t->classes != j->s->classes)
            return gs_fail(GS_ESHAPE, "evaluation: the generator knows %d classes, the %s set has %d", j->s->classes, i ? "test" : "training",
                           t->classes);
    }
    if (j->test->n < 2) return gs_fail(GS_EINVAL, "evaluation: %d test pictures; there must be 2 or more", j->test->n);
    return GS_OK;
}

static void test_rows(void *user, int first, int n, float *out)
{
    gs_real_unit(user, NULL, first, n, out);
}

static gs_status prepare(job *j, const gs_labelled *train, const gs_labelled *test)
{
    const size_t all = (size_t)j->s->classes * (size_t)j->per_class;
    const int classes = j->s->classes;
    gs_cgan_eval *e = j->e;
    gs_status st = GS_OK;

    j->train = train;
    j->test = test;
    if (!test || test->n == 0) {
        TRY(train->n >= 12 ? GS_OK : gs_fail(GS_EINVAL, "evaluation: %d pictures; 12 or more are needed without a test set", train->n));
        TRY(copy_rows(&j->own_train, train, 5, false));
        TRY(copy_rows(&j->own_test, train, 5, true));
        j->train = &j->own_train;
        j->test = &j->own_test;
    }
    TRY(check(j));
    j->dim = j->s->c * j->s->h * j->s->w;
    j->images = gs_try_alloc((size_t)j->per_class, (size_t)j->dim * sizeof(float), "the pictures of a class");
    j->logits = gs_try_alloc((size_t)j->per_class, (size_t)classes * sizeof(float), "logits");
    j->features = j->metrics & GS_EVAL_FRECHET ? gs_try_alloc(all, GS_CLASSIFIER_FEATURES * sizeof(float), "features") : NULL;
    TRY(j->images && j->logits && (j->features || !(j->metrics & GS_EVAL_FRECHET)) ? GS_OK : GS_ENOMEM);
    e->confusion = gs_xalloc((size_t)classes * classes * sizeof *e->confusion);
    e->class_accuracy = gs_xalloc((size_t)classes * sizeof(double));
    e->class_accuracy_se = gs_xalloc((size_t)classes * sizeof(double));
    e->std_ratio = gs_xalloc((size_t)classes * sizeof(double));
    e->l2_ratio = gs_xalloc((size_t)classes * sizeof(double));
    e->n_test = j->test->n;
    if (j->metrics & (GS_EVAL_ACCURACY | GS_EVAL_FRECHET)) {
        TRY(gs_classifier_get(j->device, j->train, &j->o.classifier, &j->classifier));
        e->classifier_params = gs_classifier_params(j->classifier);
        TRY(gs_classifier_accuracy(j->classifier, j->test, &e->classifier_accuracy));
        say(j, true, "reference classifier: %.2f %% of %d test pictures%s", 100 * e->classifier_accuracy, j->test->n,
            gs_classifier_from_cache(j->classifier) ? " (kept from an earlier evaluation)" : "");
    }
    if (j->metrics & GS_EVAL_PARZEN) {
        const int n = GS_MAX(1, GS_MIN(j->o.n_validation ? j->o.n_validation : 10000, j->train->n / 2));
        const size_t skip = (size_t)(j->train->n - n);

        j->validation = *j->train;
        j->validation.n = n;
        j->validation.images += skip * (size_t)j->dim;
        j->validation.labels += skip;
        gs_parzen_sigmas(e->sigma, GS_EVAL_SIGMAS);
        TRY(gs_parzen_new(j->device, n, j->dim, test_rows, &j->validation, e->sigma, GS_EVAL_SIGMAS, &j->parzen_validation));
        TRY(gs_parzen_new(j->device, j->test->n, j->dim, test_rows, (void *)(uintptr_t)j->test, e->sigma, GS_EVAL_SIGMAS, &j->parzen_test));
    }
done:
    return st;
}

/* Spread of a class, generated over real: as many real pictures as there are generated ones, where the data
 * have them. */
static gs_status diversity_of_class(job *j, int k)
{
    int32_t *rows = gs_xalloc((size_t)j->per_class * sizeof *rows);
    gs_diversity fake, real;
    gs_status st = GS_OK;
    int n;

    j->e->std_ratio[k] = j->e->l2_ratio[k] = NAN;
    TRY(gs_diversity_of(j->images, j->per_class, j->dim, &fake));
    n = gs_real_rows(j->test, k, j->per_class, rows);
    if (n < 2) goto done;
    gs_real_unit(j->test, rows, 0, n, j->images); /* the generated ones have been used by now */
    TRY(gs_diversity_of(j->images, n, j->dim, &real));
    if (real.pixel_std > 0) j->e->std_ratio[k] = fake.pixel_std / real.pixel_std;
    if (real.pair_l2 > 0) j->e->l2_ratio[k] = fake.pair_l2 / real.pair_l2;
done:
    free(rows);
    return st;
}

static gs_status one_class(job *j, int k)
{
    const int classes = j->s->classes;
    gs_status st = GS_OK;

    TRY(gs_source_draw(j->s, k, 0, j->per_class, j->images));
    if (j->classifier) {
        float *features = j->features ? j->features + (size_t)k * j->per_class * GS_CLASSIFIER_FEATURES : NULL;

        TRY(gs_classifier_run(j->classifier, j->images, j->per_class, j->logits, features));
        for (int i = 0; i < j->per_class; i++)
            j->e->confusion[k * classes + gs_argmax_row(j->logits + (size_t)i * classes, classes)]++;
    }
    if (j->metrics & GS_EVAL_PARZEN) {
        TRY(gs_parzen_add(j->parzen_validation, j->images, j->per_class));
        TRY(gs_parzen_add(j->parzen_test, j->images, j->per_class));
    }
    if (j->metrics & GS_EVAL_DIVERSITY) TRY(diversity_of_class(j, k));
done:
    return st;
}

static double mean_of_finite(const double *v, int n)
{
    double s = 0;
    int m = 0;

    for (int i = 0; i < n; i++)
        if (isfinite(v[i])) s += v[i], m++;
    return m ? s / m : NAN;
}

static gs_status frechet(job *j)
{
    const int n_fake = j->s->classes * j->per_class, n_test = j->test->n, n_train = GS_MIN(j->train->n, n_test);
    float *test = gs_try_alloc((size_t)n_test, GS_CLASSIFIER_FEATURES * sizeof *test, "features");
    float *train = gs_try_alloc((size_t)n_train, GS_CLASSIFIER_FEATURES * sizeof *train, "features");
    double mean, cov;
    gs_status st = GS_OK;

    TRY(test && train ? GS_OK : GS_ENOMEM);
    say(j, false, "Frechet distance: features of %d test and %d training pictures", n_test, n_train);
    TRY(gs_classifier_run_set(j->classifier, j->test, 0, n_test, NULL, test));
    TRY(gs_classifier_run_set(j->classifier, j->train, 0, n_train, NULL, train));
    TRY(gs_frechet(test, n_test, j->features, n_fake, GS_CLASSIFIER_FEATURES, &mean, &cov));
    j->e->frechet = mean + cov;
    j->e->frechet_mean_term = mean;
    TRY(gs_frechet(test, n_test, train, n_train, GS_CLASSIFIER_FEATURES, &mean, &cov));
    j->e->frechet_floor = mean + cov;
    j->e->n_floor = n_train;
done:
    free(test);
    free(train);
    return st;
}

static gs_status summarise(job *j)
{
    gs_cgan_eval *e = j->e;
    gs_parzen_result test[GS_EVAL_SIGMAS];
    gs_status st = GS_OK;

    if (j->classifier) {
        e->accuracy = gs_confusion_accuracy(e->confusion, e->classes, e->class_accuracy);
        e->accuracy_se = sqrt(e->accuracy * (1 - e->accuracy) / ((double)e->classes * e->per_class));
        for (int k = 0; k < e->classes; k++)
            e->class_accuracy_se[k] = sqrt(e->class_accuracy[k] * (1 - e->class_accuracy[k]) / e->per_class);
    }
    if (j->metrics & GS_EVAL_DIVERSITY) {
        e->std_mean = mean_of_finite(e->std_ratio, e->classes);
        e->l2_mean = mean_of_finite(e->l2_ratio, e->classes);
    }
    if (j->metrics & GS_EVAL_PARZEN) {
        TRY(gs_parzen_finish(j->parzen_validation, e->validation));
        TRY(gs_parzen_finish(j->parzen_test, test));
        e->best_sigma = gs_parzen_best(e->validation, GS_EVAL_SIGMAS);
        e->parzen = test[e->best_sigma];
    }
    if (j->metrics & GS_EVAL_FRECHET) TRY(frechet(j));
done:
    return st;
}

gs_status gs_cgan_eval_source(gs_device *d, const gs_source *s, const gs_labelled *train, const gs_labelled *test, const gs_cgan_eval_opts *o,
                              gs_cgan_eval *out)
{
    job j = { .device = d, .s = s, .e = out };
    const double start = gs_now();
    gs_status st = GS_OK;
    char t[32];

    *out = (gs_cgan_eval){ 0 };
    if (o) j.o = *o;
    j.metrics = (j.o.metrics ? j.o.metrics : GS_EVAL_ALL) & GS_EVAL_ALL;
    j.per_class = j.o.per_class ? j.o.per_class : 1000;
    TRY(j.per_class >= 2 && j.per_class <= 100000 ? GS_OK
        : gs_fail(GS_EINVAL, "evaluation: %d pictures a class; 2 to 100000 are possible", j.per_class));
    *out = (gs_cgan_eval){ .metrics = j.metrics, .classes = s->classes, .per_class = j.per_class };
    TRY(prepare(&j, train, test));
    for (int k = 0; k < s->classes; k++) {
        say(&j, false, "evaluation: class %d of %d, %s so far", k + 1, s->classes, gs_seconds_text(t, gs_now() - start));
        TRY(one_class(&j, k));
    }
    TRY(summarise(&j));
    out->seconds = gs_now() - start;
    say(&j, true, "evaluation: %d pictures in %s", s->classes * j.per_class, gs_seconds_text(t, out->seconds));
done:
    gs_classifier_free(j.classifier);
    gs_parzen_free(j.parzen_validation);
    gs_parzen_free(j.parzen_test);
    gs_labelled_free(&j.own_train);
    gs_labelled_free(&j.own_test);
    free(j.images);
    free(j.logits);
    free(j.features);
    if (st != GS_OK) gs_cgan_eval_free(out);
    return st;
}

/* ---- bars ---- */

gs_status gs_bars_eval_source(const gs_source *s, int per_class, gs_cgan_eval *out)
{
    float prototype[GS_BARS_CLASSES][GS_BARS_PIXELS], *x = NULL;
    const double start = gs_now();
    double square = 0;
    int64_t right = 0;
    gs_status st = GS_OK;

    *out = (gs_cgan_eval){ 0 };
    if (s->classes != GS_BARS_CLASSES || s->c != 1 || s->h != GS_BARS_SIDE || s->w != GS_BARS_SIDE)
        return gs_fail(GS_ESHAPE, "bars: wants %d classes of 1 x %d x %d pictures, got %d of %d x %d x %d", GS_BARS_CLASSES, GS_BARS_SIDE,
                       GS_BARS_SIDE, s->classes, s->c, s->h, s->w);
    if (per_class < 1 || per_class > 100000) return gs_fail(GS_EINVAL, "bars: %d pictures a class; 1 to 100000 are possible", per_class);
    x = gs_try_alloc((size_t)per_class * GS_BARS_PIXELS, sizeof *x, "bars");
    TRY(x ? GS_OK : GS_ENOMEM);
    for (int k = 0; k < GS_BARS_CLASSES; k++) gs_bars_prototype(prototype[k], k);
    for (int k = 0; k < GS_BARS_CLASSES; k++) {
        TRY(gs_source_draw(s, k, 0, per_class, x));
        for (int i = 0; i < per_class; i++) {
            double d[GS_BARS_CLASSES] = { 0 };
            int best = 0;

            for (int p = 0; p < GS_BARS_CLASSES; p++) {
                for (int q = 0; q < GS_BARS_PIXELS; q++) {
                    const double v = 2.0 * x[i * GS_BARS_PIXELS + q] - 1 - prototype[p][q]; /* back to [-1,1], where the prototypes are */

                    d[p] += v * v;
                }
                if (d[p] < d[best]) best = p;
            }
            right += best == k;
            square += d[k];
        }
    }
    *out = (gs_cgan_eval){ .metrics = GS_EVAL_BARS, .classes = GS_BARS_CLASSES, .per_class = per_class, .seconds = gs_now() - start };
    out->bars_accuracy = right / (double)(GS_BARS_CLASSES * per_class);
    out->bars_rms = sqrt(square / ((double)GS_BARS_CLASSES * per_class * GS_BARS_PIXELS));
done:
    free(x);
    return st;
}

void gs_cgan_eval_free(gs_cgan_eval *e)
{
    free(e->confusion);
    free(e->class_accuracy);
    free(e->class_accuracy_se);
    free(e->std_ratio);
    free(e->l2_ratio);
    *e = (gs_cgan_eval){ 0 };
}
