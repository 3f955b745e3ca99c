/* Options from rows; see the header. */
#include "models/options.h"

#include <assert.h>
#include <string.h>

#include "base/base.h"

static const gs_config_row *row_of(const gs_options *o, const char *key)
{
    for (int i = 0; i < o->n_rows; i++) {
        if (strcmp(o->rows[i].key, key) == 0) return &o->rows[i];
    }
    assert(!"a key without a row");
    return NULL;
}

const char *gs_option_text(const gs_options *o, const char *key)
{
    const gs_config_row *r = row_of(o, key);
    const char *v = o->get ? o->get(o->user, r->section, key) : NULL;
    const char *preset = o->preset ? o->preset(o->which, key) : NULL;

    if (v && strcmp(v, "auto") != 0) return v;
    return preset ? preset : r->preset;
}

double gs_option_number(gs_options *o, const char *key)
{
    const gs_config_row *r = row_of(o, key);
    const char *v = gs_option_text(o, key);
    double x = 0;

    if (!gs_parse_f64(v, &x) || x < r->min || x > r->max || (r->type == GS_CONFIG_INT && x != (double)(int64_t)x)) {
        if (o->st == GS_OK) {
            o->st = gs_fail(GS_ECONFIG, "[%s] %s = %s: wants %s from %g to %g", r->section, key, v,
                            r->type == GS_CONFIG_INT ? "a whole number" : "a number", r->min, r->max);
        }
        return r->min;
    }
    return x;
}

int gs_option_choice(gs_options *o, const char *key)
{
    const gs_config_row *r = row_of(o, key);
    const char *v = gs_option_text(o, key), *c = r->choices;
    const size_t len = strlen(v);

    for (int i = 0; *c; i++) {
        const size_t n = strcspn(c, " ");

        if (n == len && memcmp(c, v, n) == 0) return i;
        c += n + strspn(c + n, " ");
    }
    if (o->st == GS_OK) o->st = gs_fail(GS_ECONFIG, "[%s] %s = %s: wants one of: %s", r->section, key, v, r->choices);
    return 0;
}

bool gs_option_flag(const gs_options *o, const char *key)
{
    const char *v = gs_option_text(o, key);

    return strcmp(v, "1") == 0 || strcmp(v, "true") == 0 || strcmp(v, "yes") == 0;
}
