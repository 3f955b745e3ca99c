/* Reports of translations: text and JSON. */
#include <math.h>
#include <string.h>

#include "eval/judge.h"
#include "eval/translate_eval.h"

static void kid_text(gs_str *s, const gs_kid_score *k)
{
    gs_str_printf(s, "%9.2f +- %-7.2f", 100 * k->mean, 100 * k->spread);
}

static void figure(gs_str *s, const gs_average *m, int decimals)
{
    gs_str_printf(s, "%9.*f +- %-7.*f", decimals, gs_average_value(m), decimals, gs_average_error(m));
}

static void row(gs_str *s, const char *name, const gs_average *translated, const gs_average *untranslated, int decimals)
{
    gs_str_printf(s, "  %-20s", name);
    figure(s, translated, decimals);
    figure(s, untranslated, decimals);
    gs_str_printf(s, "\n");
}

static void colours(gs_str *s, const char *name, const double mean[3], const double deviation[3])
{
    gs_str_printf(s, "  %-20s   %.3f %.3f %.3f   deviations %.3f %.3f %.3f\n", name, mean[0], mean[1], mean[2],
                  deviation[0], deviation[1], deviation[2]);
}

static void direction_text(const gs_translate_eval *e, int k, gs_str *s)
{
    const gs_direction_eval *d = &e->direction[k];
    const gs_kid_score *kid = &d->translated.kid;
    const char *name = e->names[k];

    gs_str_printf(s, "\n%s: %d pictures of %s against %d of %s\n", name, e->n[k], e->folder[k], e->n[!k],
                  e->folder[!k]);
    if (e->has_distance || d->pair_translated.l1.n)
        gs_str_printf(s, "  %-20s%20s%20s\n", "", "translated", "untranslated");
    if (e->has_distance) {
        gs_str_printf(s, "  %-20s", "KID x 100");
        kid_text(s, kid);
        kid_text(s, &d->untranslated.kid);
        gs_str_printf(s, "  %d %s of %s%d, +- %s\n", kid->subsets, kid->blocks ? "blocks" : "random subsets",
                      kid->blocks ? "at most " : "", kid->size,
                      kid->blocks ? "standard error" : "standard deviation");
        gs_str_printf(s, "  %-20s%9.2f           %9.2f           all pictures at once\n", "", 100 * kid->whole,
                      100 * d->untranslated.kid.whole);
        gs_str_printf(s, "  %-20s%9.2f           %9.2f           means %.2f, covariances %.2f\n", "FID",
                      d->translated.fid, d->untranslated.fid,
                      d->translated.fid_mean_term, d->translated.fid - d->translated.fid_mean_term);
    }
    if (d->pair_translated.l1.n) {
        gs_str_printf(s, "  %d true partners\n", d->pair_translated.l1.n);
        row(s, "L1", &d->pair_translated.l1, &d->pair_untranslated.l1, 4);
        row(s, "PSNR, dB", &d->pair_translated.psnr, &d->pair_untranslated.psnr, 2);
        row(s, "SSIM", &d->pair_translated.ssim, &d->pair_untranslated.ssim, 4);
    }
    if (d->cycle.n)
        gs_str_printf(s, "  %-20s%9.4f   L1 of %c and %c2%c2%c\n", "cycle", gs_average_value(&d->cycle), name[0],
                      name[0], name[2], name[0]);
    if (d->identity.n)
        gs_str_printf(s, "  %-20s%9.4f   L1 of %c and %c through %s\n", "identity", gs_average_value(&d->identity),
                      name[2], name[2], name);
    colours(s, "colours, source", d->mean[0], d->deviation[0]);
    colours(s, "colours, translated", d->mean[1], d->deviation[1]);
    colours(s, "colours, target", d->mean[2], d->deviation[2]);
}

void gs_translate_eval_text(const gs_translate_eval *e, gs_str *s)
{
    for (int k = 0; k < 2; k++) {
        if (e->from_training[k]) gs_str_printf(s, "no test pictures of %c: training pictures are measured\n", 'A' + k);
    }
    if (e->has_distance) {
        gs_str_printf(s, "KID and FID by %s (%s)%s\n", e->weights, gs_inception_graph_name(e->graph),
                      e->graph == GS_INCEPTION_FID2015 ? ""
                          : ": published figures are on the weights of 2015, do not compare with them");
        if (GS_MIN(e->n[0], e->n[1]) < GS_INCEPTION_FEATURES)
            gs_str_printf(s, "FID of fewer than %d pictures is too large, by an amount that depends on their number; "
                             "KID is not\n", GS_INCEPTION_FEATURES);
    }
    for (int k = 0; k < 2; k++)
        if (e->direction[k].measured) direction_text(e, k, s);
    if (!e->has_distance) gs_str_printf(s, "\nno KID and FID: %s\n", gs_inception_advice());
}

/* ---- JSON ---- */

static void number(cJSON *o, const char *key, double v)
{
    if (isfinite(v)) cJSON_AddNumberToObject(o, key, v);
    else cJSON_AddNullToObject(o, key);
}

static void distance_json(cJSON *o, const char *key, const gs_distance *d)
{
    cJSON *at = cJSON_AddObjectToObject(o, key), *kid = cJSON_AddObjectToObject(at, "kid");

    number(kid, "mean", d->kid.mean);
    number(kid, d->kid.blocks ? "standard_error" : "standard_deviation", d->kid.spread);
    number(kid, "whole", d->kid.whole);
    number(kid, d->kid.blocks ? "blocks" : "subsets", d->kid.subsets);
    number(kid, "size", d->kid.size);
    number(at, "fid", d->fid);
    number(at, "fid_mean_term", d->fid_mean_term);
}

static void mean_json(cJSON *o, const char *key, const gs_average *m)
{
    cJSON *at = cJSON_AddObjectToObject(o, key);

    number(at, "mean", gs_average_value(m));
    number(at, "standard_error", gs_average_error(m));
}

static void pairs_json(cJSON *o, const char *key, const gs_pair_figures *f)
{
    cJSON *at = cJSON_AddObjectToObject(o, key);

    mean_json(at, "l1", &f->l1);
    mean_json(at, "psnr", &f->psnr);
    mean_json(at, "ssim", &f->ssim);
}

static cJSON *direction_json(const gs_translate_eval *e, int k)
{
    static const char *const sets[3] = { "source", "translated", "target" };
    const gs_direction_eval *d = &e->direction[k];
    cJSON *o = cJSON_CreateObject(), *at;

    if (e->has_distance) {
        distance_json(o, "translated", &d->translated);
        distance_json(o, "untranslated", &d->untranslated);
    }
    if (d->pair_translated.l1.n) {
        at = cJSON_AddObjectToObject(o, "pairs");
        number(at, "count", d->pair_translated.l1.n);
        pairs_json(at, "translated", &d->pair_translated);
        pairs_json(at, "untranslated", &d->pair_untranslated);
    }
    if (d->cycle.n) mean_json(o, "cycle_l1", &d->cycle);
    if (d->identity.n) mean_json(o, "identity_l1", &d->identity);
    at = cJSON_AddObjectToObject(o, "colours");
    for (int i = 0; i < 3; i++) {
        cJSON *set = cJSON_AddObjectToObject(at, sets[i]);

        cJSON_AddItemToObject(set, "mean", cJSON_CreateDoubleArray(d->mean[i], 3));
        cJSON_AddItemToObject(set, "deviation", cJSON_CreateDoubleArray(d->deviation[i], 3));
    }
    return o;
}

cJSON *gs_translate_eval_json(const gs_translate_eval *e)
{
    cJSON *root = cJSON_CreateObject(), *o;

    cJSON_AddStringToObject(root, "system", e->system);
    number(root, "side", e->side);
    for (int k = 0; k < 2; k++) {
        o = cJSON_AddObjectToObject(root, k ? "B" : "A");
        cJSON_AddStringToObject(o, "folder", e->folder[k]);
        number(o, "pictures", e->n[k]);
        cJSON_AddBoolToObject(o, "training_pictures", e->from_training[k]);
    }
    if (e->has_distance) {
        o = cJSON_AddObjectToObject(root, "inception");
        cJSON_AddStringToObject(o, "weights", e->weights);
        cJSON_AddStringToObject(o, "graph", gs_inception_graph_name(e->graph));
    } else {
        cJSON_AddNullToObject(root, "inception");
    }
    number(root, "seconds", e->seconds);
    for (int k = 0; k < 2; k++)
        if (e->direction[k].measured) cJSON_AddItemToObject(root, e->names[k], direction_json(e, k));
    return root;
}
