/* Reports of an evaluation: text, JSON, picture. */
#include <math.h>

#include "data/plot.h"
#include "eval/cgan_eval.h"

static void ratio(gs_str *s, double v)
{
    if (isfinite(v)) gs_str_printf(s, " %6.3f", v);
    else gs_str_printf(s, " %6s", "-");
}

/* A row for each class: how often it was seen as each class, its accuracy, its diversity. */
static void class_table(const gs_cgan_eval *e, gs_str *s)
{
    const bool accuracy = e->metrics & GS_EVAL_ACCURACY, diversity = e->metrics & GS_EVAL_DIVERSITY;

    gs_str_printf(s, "\nclass");
    if (accuracy) {
        gs_str_printf(s, " |");
        for (int k = 0; k < e->classes; k++) gs_str_printf(s, " %5d", k);
        gs_str_printf(s, " | accuracy %%    se");
    }
    if (diversity) gs_str_printf(s, " | std/re  L2/re");
    gs_str_printf(s, "\n");
    for (int k = 0; k < e->classes; k++) {
        gs_str_printf(s, "%5d", k);
        if (accuracy) {
            gs_str_printf(s, " |");
            for (int i = 0; i < e->classes; i++) gs_str_printf(s, " %5lld", (long long)e->confusion[k * e->classes + i]);
            gs_str_printf(s, " | %10.2f %5.2f", 100 * e->class_accuracy[k], 100 * e->class_accuracy_se[k]);
        }
        if (diversity) {
            gs_str_printf(s, " |");
            ratio(s, e->std_ratio[k]);
            ratio(s, e->l2_ratio[k]);
        }
        gs_str_printf(s, "\n");
    }
    if (accuracy) gs_str_printf(s, "rows: the class asked for; columns: the class that the classifier saw\n");
    if (diversity) gs_str_printf(s, "std/re, L2/re: spread of pixels and mean distance of pairs, divided by those of real pictures\n");
}

void gs_cgan_eval_text(const gs_cgan_eval *e, gs_str *s)
{
    char n[32];

    gs_str_printf(s, "%s pictures, %d of each of %d classes\n", gs_count_text(n, (int64_t)e->classes * e->per_class), e->per_class, e->classes);
    if (e->metrics & (GS_EVAL_ACCURACY | GS_EVAL_FRECHET))
        gs_str_printf(s, "reference classifier  %.2f %% of %d real test pictures\n", 100 * e->classifier_accuracy, e->n_test);
    if (e->metrics & GS_EVAL_ACCURACY) gs_str_printf(s, "accuracy              %.2f %% +- %.2f\n", 100 * e->accuracy, 100 * e->accuracy_se);
    if (e->metrics & GS_EVAL_DIVERSITY) {
        gs_str_printf(s, "diversity             ");
        if (isfinite(e->std_mean)) gs_str_printf(s, "pixel spread %.3f, ", e->std_mean);
        if (isfinite(e->l2_mean)) gs_str_printf(s, "distance of pairs %.3f ", e->l2_mean);
        gs_str_printf(s, "(1: as varied as real pictures)\n");
    }
    if (e->metrics & GS_EVAL_FRECHET)
        gs_str_printf(s, "FID-MNIST             %.3f (means %.3f, covariances %.3f); %d training against test pictures: %.3f\n", e->frechet,
                      e->frechet_mean_term, e->frechet - e->frechet_mean_term, e->n_floor, e->frechet_floor);
    if (e->metrics & GS_EVAL_PARZEN)
        gs_str_printf(s, "Parzen log-likelihood %.2f +- %.2f nats, sigma %.4f (validation: %.2f)\n", e->parzen.mean, e->parzen.se,
                      e->sigma[e->best_sigma], e->validation[e->best_sigma].mean);
    if (e->metrics & GS_EVAL_BARS)
        gs_str_printf(s, "bars                  nearest prototype is the right one in %.2f %%, rms distance %.4f\n", 100 * e->bars_accuracy,
                      e->bars_rms);
    if (e->metrics & (GS_EVAL_ACCURACY | GS_EVAL_DIVERSITY)) class_table(e, s);
}

static void number(cJSON *o, const char *key, double v)
{
    if (isfinite(v)) cJSON_AddNumberToObject(o, key, v);
    else cJSON_AddNullToObject(o, key);
}

static void numbers(cJSON *o, const char *key, const double *v, int n)
{
    cJSON *a = cJSON_AddArrayToObject(o, key);

    for (int i = 0; i < n; i++) cJSON_AddItemToArray(a, isfinite(v[i]) ? cJSON_CreateNumber(v[i]) : cJSON_CreateNull());
}

cJSON *gs_cgan_eval_json(const gs_cgan_eval *e)
{
    cJSON *root = cJSON_CreateObject(), *o;

    number(root, "classes", e->classes);
    number(root, "per_class", e->per_class);
    number(root, "seconds", e->seconds);
    if (e->metrics & (GS_EVAL_ACCURACY | GS_EVAL_FRECHET)) {
        o = cJSON_AddObjectToObject(root, "classifier");
        number(o, "parameters", (double)e->classifier_params);
        number(o, "test_pictures", e->n_test);
        number(o, "test_accuracy", e->classifier_accuracy);
    }
    if (e->metrics & GS_EVAL_ACCURACY) {
        cJSON *rows;

        o = cJSON_AddObjectToObject(root, "accuracy");
        number(o, "overall", e->accuracy);
        number(o, "se", e->accuracy_se);
        numbers(o, "per_class", e->class_accuracy, e->classes);
        numbers(o, "per_class_se", e->class_accuracy_se, e->classes);
        rows = cJSON_AddArrayToObject(o, "confusion");
        for (int i = 0; i < e->classes; i++) {
            cJSON *row = cJSON_CreateArray();

            for (int k = 0; k < e->classes; k++) cJSON_AddItemToArray(row, cJSON_CreateNumber((double)e->confusion[i * e->classes + k]));
            cJSON_AddItemToArray(rows, row);
        }
    }
    if (e->metrics & GS_EVAL_DIVERSITY) {
        o = cJSON_AddObjectToObject(root, "diversity");
        number(o, "pixel_std_ratio", e->std_mean);
        number(o, "pair_l2_ratio", e->l2_mean);
        numbers(o, "per_class_pixel_std_ratio", e->std_ratio, e->classes);
        numbers(o, "per_class_pair_l2_ratio", e->l2_ratio, e->classes);
    }
    if (e->metrics & GS_EVAL_FRECHET) {
        o = cJSON_AddObjectToObject(root, "fid_mnist");
        number(o, "distance", e->frechet);
        number(o, "mean_term", e->frechet_mean_term);
        number(o, "real_floor", e->frechet_floor);
        number(o, "real_floor_pictures", e->n_floor);
    }
    if (e->metrics & GS_EVAL_PARZEN) {
        double mean[GS_EVAL_SIGMAS];

        for (int i = 0; i < GS_EVAL_SIGMAS; i++) mean[i] = e->validation[i].mean;
        o = cJSON_AddObjectToObject(root, "parzen");
        number(o, "log_likelihood", e->parzen.mean);
        number(o, "se", e->parzen.se);
        number(o, "sigma", e->sigma[e->best_sigma]);
        numbers(o, "sigmas", e->sigma, GS_EVAL_SIGMAS);
        numbers(o, "validation", mean, GS_EVAL_SIGMAS);
    }
    if (e->metrics & GS_EVAL_BARS) {
        o = cJSON_AddObjectToObject(root, "bars");
        number(o, "accuracy", e->bars_accuracy);
        number(o, "rms", e->bars_rms);
    }
    return root;
}

gs_status gs_cgan_eval_plot(const gs_cgan_eval *e, const char *path)
{
    char title[100];

    if (!(e->metrics & GS_EVAL_ACCURACY)) return gs_fail(GS_EINVAL, "%s: accuracy was not measured, so there is no confusion matrix", path);
    snprintf(title, sizeof title, "Generated pictures as the classifier sees them: %.2f %% right", 100 * e->accuracy);
    return gs_plot_confusion(path, title, e->confusion, e->classes, NULL);
}
