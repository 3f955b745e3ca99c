/* Results side by side: which rows can be compared, how fast each is beside the base, and whether the
 * difference is more than noise. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench_int.h"

/* MAD times this is the standard deviation of normal samples; two of the differences' deviations are taken
 * for noise, and one in a hundred always: clocks and the placing of code and data vary by that between runs. */
#define DEVIATION 1.4826
#define DEVIATIONS 2.0
#define LEAST_NOISE 0.01
#define UNKNOWN_NOISE 0.2 /* fewer than three samples say nothing of their spread */
/* By how much rounding may move a digest: kernels add in other orders; three steps of training carry that on. */
#define OP_DISTANCE 1e-4
#define MODEL_DISTANCE 5e-3

static const gs_bench_row *find(const gs_bench_file *f, const gs_bench_row *like)
{
    for (int i = 0; i < f->n_rows; i++)
        if (f->rows[i].suite == like->suite && strcmp(f->rows[i].id, like->id) == 0) return &f->rows[i];
    return NULL;
}

double gs__noise(const gs_bench_figure *a, const gs_bench_figure *b)
{
    const double ra = a->value > 0 ? a->mad / a->value : 0, rb = b->value > 0 ? b->mad / b->value : 0;

    if (a->samples < 3 || b->samples < 3) return UNKNOWN_NOISE;
    return GS_MAX(LEAST_NOISE, DEVIATIONS * DEVIATION * sqrt(ra * ra + rb * rb));
}

bool gs__is_noise(const gs_bench_figure *a, const gs_bench_figure *b)
{
    return a->value > 0 && b->value > 0 && fabs(log(b->value / a->value)) <= gs__noise(a, b);
}

const char *gs__speed_text(double speed, char text[24])
{
    snprintf(text, 24, speed < 0.1 ? "%.2g" : "%.2f", speed);
    return text;
}

static int compare_digests(const gs_bench_row *a, const gs_bench_row *b)
{
    const double most = a->suite == GS_BENCH_MODEL ? MODEL_DISTANCE : OP_DISTANCE;
    const gs_bench_digest *p = &a->digest, *q = &b->digest;

    if (a->suite == GS_BENCH_PEAK || !*p->bytes || !*q->bytes) return GS_BENCH_NO_DIGEST;
    if (strcmp(p->bytes, q->bytes) == 0) return GS_BENCH_SAME_BYTES;
    if (!p->has_sketch || !q->has_sketch) return p->has_sketch == q->has_sketch ? GS_BENCH_NO_DIGEST : GS_BENCH_DIFFERS;
    if (fabs(p->rms - q->rms) > most * GS_MAX(p->rms, q->rms)) return GS_BENCH_DIFFERS;
    for (int k = 0; k < 4; k++)
        if (fabs(p->sketch[k] - q->sketch[k]) > most * GS_MAX(1.0, fabs(p->sketch[k]))) return GS_BENCH_DIFFERS;
    return GS_BENCH_SAME;
}

static gs_bench_pair pair_of(const gs_bench_row *base, const gs_bench_row *row)
{
    gs_bench_pair p = { .row = row };
    double ratio;

    if (!row) p.why = "not measured";
    else if (*row->failed) p.why = "failed";
    else if (!base) p.why = "not measured in the base";
    else if (*base->failed) p.why = "failed in the base";
    else if (strcmp(base->params, row->params) != 0) p.why = "other parameters";
    else if (strcmp(base->unit, row->unit) != 0) p.why = "another unit";
    if (p.why) return p;
    ratio = row->figure.value / base->figure.value;
    p.speed = row->more_is_better ? ratio : 1 / ratio;
    p.noise = gs__is_noise(&base->figure, &row->figure);
    p.result = compare_digests(base, row);
    return p;
}

static void add_line(gs_bench_comparison *c, const gs_bench_row *of)
{
    gs_bench_line *l = &c->lines[c->n_lines++];
    const gs_bench_row *base = find(&c->files[c->base], of);

    *l = (gs_bench_line){ .of = of };
    for (int i = 0; i < c->n_files; i++) l->pair[i] = pair_of(base, find(&c->files[i], of));
}

static void note(gs_bench_comparison *c, int file, const char *what, const char *base, const char *other, bool say_values)
{
    if (strcmp(base, other) == 0) return;
    if (say_values) gs_str_printf(&c->notes, "%d: %s: %s, the base has %s\n", file + 1, what, *other ? other : "none", *base ? base : "none");
    else gs_str_printf(&c->notes, "%d: %s\n", file + 1, what);
}

static const char *suites_of(const gs_bench_file *f, char out[32])
{
    static const char *const names[] = { "peaks ", "ops ", "models " };

    *out = 0;
    for (int s = GS_BENCH_PEAK; s <= GS_BENCH_MODEL; s++)
        for (int i = 0; i < f->n_rows; i++)
            if ((int)f->rows[i].suite == s) {
                strcat(out, names[s]);
                break;
            }
    out[strlen(out) - 1] = 0;
    return out;
}

/* A file without one comparable row is a mistake to be told of. */
static gs_status check_common(const gs_bench_comparison *c, int file)
{
    const gs_bench_file *a = &c->files[c->base], *b = &c->files[file];
    char x[32], y[32];
    const char *why = NULL;

    for (int i = 0; i < c->n_lines; i++) {
        const gs_bench_pair *p = &c->lines[i].pair[file];

        if (!p->why) return GS_OK;
        if (p->row && (!why || strcmp(p->why, "other parameters") == 0)) why = p->why;
    }
    return gs_fail(GS_EUSAGE, "%s and %s cannot be compared: no row in common (%s has %s; %s has %s)%s%s", b->path, a->path, a->path, suites_of(a, x),
                   b->path, suites_of(b, y), why && strcmp(why, "not measured in the base") != 0 ? "; what both have: " : "",
                   why && strcmp(why, "not measured in the base") != 0 ? why : "");
}

gs_status gs_bench_compare(const gs_bench_file *files, int n, int base, gs_bench_comparison *c)
{
    int total = 0;
    gs_status st = GS_OK;

    *c = (gs_bench_comparison){ .files = files, .n_files = n, .base = base };
    if (n < 2 || n > GS_BENCH_FILES) return gs_fail(GS_EUSAGE, "bench compare: wants 2 to %d files, not %d", GS_BENCH_FILES, n);
    if (base < 0 || base >= n) return gs_fail(GS_EUSAGE, "bench compare: there is no file %d", base + 1);
    for (int i = 0; i < n; i++) total += files[i].n_rows;
    c->lines = gs_xalloc((size_t)total * sizeof *c->lines);
    for (int suite = GS_BENCH_PEAK; suite <= GS_BENCH_MODEL; suite++)
        for (int f = 0; f < n; f++) { /* the base first, then what it does not have */
            const gs_bench_file *file = &files[f == 0 ? base : f <= base ? f - 1 : f];

            for (int i = 0; i < file->n_rows; i++) {
                bool have = false;

                if ((int)file->rows[i].suite != suite) continue;
                for (int k = 0; k < c->n_lines && !have; k++)
                    have = (int)c->lines[k].of->suite == suite && strcmp(c->lines[k].of->id, file->rows[i].id) == 0;
                if (!have) add_line(c, &file->rows[i]);
            }
        }
    for (int i = 0; i < n; i++) {
        if (i == base) continue;
        TRY(check_common(c, i));
        note(c, i, "another version of Gesso", files[base].gesso, files[i].gesso, true);
        note(c, i, "another host, so transfers, launches and starts are its too", files[base].host, files[i].host, false);
        note(c, i, "switches of the environment", files[base].environment, files[i].environment, true);
        if (strcmp(files[base].config, files[i].config) != 0 && strcmp(files[base].environment, files[i].environment) == 0)
            note(c, i, "another set of cases; rows that differ in their parameters are not compared", files[base].config, files[i].config, false);
    }
done:
    if (st != GS_OK) gs_bench_comparison_free(c);
    return st;
}

void gs_bench_comparison_free(gs_bench_comparison *c)
{
    free(c->lines);
    gs_str_free(&c->notes);
    *c = (gs_bench_comparison){ 0 };
}

int gs__families(const gs_bench_comparison *c, const char **names, int max)
{
    int n = 0;

    for (int i = 0; i < c->n_lines; i++) {
        bool known = c->lines[i].of->suite != GS_BENCH_OP;

        for (int k = 0; k < n; k++) known = known || strcmp(names[k], c->lines[i].of->family) == 0;
        if (!known && n < max) names[n++] = c->lines[i].of->family;
    }
    return n;
}

bool gs__in_family(const gs_bench_line *l, const char *family)
{
    return family ? l->of->suite == GS_BENCH_OP && strcmp(l->of->family, family) == 0 : l->of->suite == GS_BENCH_MODEL;
}

double gs__mean_speed(const gs_bench_comparison *c, int file, const char *family, int *n)
{
    double sum = 0;

    *n = 0;
    for (int i = 0; i < c->n_lines; i++) {
        if (!gs__in_family(&c->lines[i], family) || c->lines[i].pair[file].why) continue;
        sum += log(c->lines[i].pair[file].speed);
        ++*n;
    }
    return *n ? exp(sum / *n) : 0;
}

/* ---- for a terminal ---- */

/* "1.35x", with marks: ~ noise, ! another result, W wrong against the reference. */
static void cell(const gs_bench_pair *p, char *out, size_t size)
{
    const bool wrong = p->row && p->row->digest.verdict == GS_BENCH_WRONG && !*p->row->failed;
    char speed[24];

    if (p->why) snprintf(out, size, "(%s)", p->why);
    else snprintf(out, size, "%sx%s%s%s", gs__speed_text(p->speed, speed), p->noise ? " ~" : "", p->result == GS_BENCH_DIFFERS ? " !" : "", wrong ? " W" : "");
}

static void value_text(const gs_bench_row *r, char *out, size_t size)
{
    if (!r || *r->failed) snprintf(out, size, "-");
    else if (r->suite == GS_BENCH_PEAK) snprintf(out, size, "%.4g %s", r->figure.value, r->unit);
    else snprintf(out, size, "%.3f ms", 1e3 * r->figure.value);
}

static void print_suite(const gs_bench_comparison *c, int suite, const char *title, FILE *out)
{
    bool any = false;

    for (int i = 0; i < c->n_lines; i++) {
        const gs_bench_line *l = &c->lines[i];
        char text[64];

        if ((int)l->of->suite != suite) continue;
        if (!any) {
            fprintf(out, "\n%-52s %16s", title, "base");
            for (int f = 0; f < c->n_files; f++)
                if (f != c->base) fprintf(out, " %16s%d %-12s", "", f + 1, "");
            fprintf(out, "\n");
        }
        any = true;
        value_text(l->pair[c->base].row, text, sizeof text);
        fprintf(out, "%-52s %16s", l->of->id, text);
        for (int f = 0; f < c->n_files; f++) {
            if (f == c->base) continue;
            value_text(l->pair[f].row, text, sizeof text);
            fprintf(out, " %16s", text);
            cell(&l->pair[f], text, sizeof text);
            fprintf(out, " %-13s", text);
        }
        fprintf(out, "\n");
    }
}

static void print_start(const gs_bench_figure *v, const gs_bench_figure *base, FILE *out)
{
    if (v->value > 0) fprintf(out, " %10.2f s%s", v->value, base && gs__is_noise(base, v) ? " ~" : "  ");
    else fprintf(out, " %12s  ", "-");
}

/* Memory and starts of the models, a line a file. */
static void print_models(const gs_bench_comparison *c, FILE *out)
{
    bool any = false;

    for (int i = 0; i < c->n_lines; i++)
        for (int f = 0; f < c->n_files; f++) {
            const gs_bench_row *r = c->lines[i].pair[f].row, *base = c->lines[i].pair[c->base].row;
            const bool beside = f != c->base && base && !*base->failed && !c->lines[i].pair[f].why;
            char planned[32], allocated[32];

            if (c->lines[i].of->suite != GS_BENCH_MODEL || !r || *r->failed) continue;
            if (!any) fprintf(out, "\n%-24s %4s %12s %12s %12s %12s   %12s\n", "model", "", "images/s", "planned", "allocated", "cold start", "warm start");
            any = true;
            fprintf(out, "%-24s %4d %12.0f %12s %12s", r->id, f + 1, r->images, gs_bytes_text(planned, r->predicted),
                    gs_bytes_text(allocated, r->allocated));
            print_start(&r->cold, beside ? &base->cold : NULL, out);
            print_start(&r->warm, beside ? &base->warm : NULL, out);
            fprintf(out, "\n");
        }
}

/* Share of the measured peak, the median of each family. */
static void print_shares(const gs_bench_comparison *c, FILE *out)
{
    const char *names[31];
    const int n = gs__families(c, names, (int)GS_COUNT(names));
    double *v = gs_xalloc((size_t)GS_MAX(c->n_lines, 1) * sizeof *v);
    bool titled = false;

    for (int f = 0; f < c->n_files; f++) {
        bool any = false;

        for (int k = 0; k < n; k++) {
            int rows = 0;

            for (int i = 0; i < c->n_lines; i++) {
                const gs_bench_row *r = c->lines[i].pair[f].row;

                if (gs__in_family(&c->lines[i], names[k]) && r && !*r->failed && r->share > 0) v[rows++] = r->share;
            }
            if (!rows) continue;
            if (!titled) fprintf(out, "\nshare of the measured peak, median of each family's rows\n");
            if (!any) fprintf(out, "  %d:", f + 1);
            fprintf(out, "  %s %.0f %% (%d)", names[k], 100 * gs__median(v, rows), rows);
            titled = any = true;
        }
        if (any) fprintf(out, "\n");
    }
    free(v);
}

/* How many results are right, and the same as the base's. */
static void print_results(const gs_bench_comparison *c, FILE *out)
{
    fprintf(out, "\nresults against the reference, and beside the base's\n");
    for (int f = 0; f < c->n_files; f++) {
        int verdict[3] = { 0 }, result[4] = { 0 }, failed = 0;

        for (int i = 0; i < c->n_lines; i++) {
            const gs_bench_pair *p = &c->lines[i].pair[f];

            if (!p->row || c->lines[i].of->suite == GS_BENCH_PEAK) continue;
            if (*p->row->failed) failed++;
            else verdict[p->row->digest.verdict]++;
            if (!p->why) result[p->result]++;
        }
        fprintf(out, "  %d:  %d right, %d unchecked, %d wrong, %d failed", f + 1, verdict[GS_BENCH_RIGHT], verdict[GS_BENCH_UNCHECKED],
                verdict[GS_BENCH_WRONG], failed);
        if (f != c->base)
            fprintf(out, "; %d the same bytes, %d the same but for rounding, %d different", result[GS_BENCH_SAME_BYTES], result[GS_BENCH_SAME],
                    result[GS_BENCH_DIFFERS]);
        fprintf(out, "\n");
    }
}

static void print_means(const gs_bench_comparison *c, FILE *out)
{
    const char *names[32];
    const int n = gs__families(c, names, 31);

    names[n] = NULL; /* models */
    fprintf(out, "\ngeometric mean of the speeds beside the base\n");
    for (int f = 0; f < c->n_files; f++) {
        int any = 0;

        if (f == c->base) continue;
        fprintf(out, "  %d:", f + 1);
        for (int k = 0; k <= n; k++) {
            int rows;
            const double speed = gs__mean_speed(c, f, names[k], &rows);
            char text[24];

            any += rows;
            if (rows) fprintf(out, "  %s %sx (%d)", names[k] ? names[k] : "models", gs__speed_text(speed, text), rows);
        }
        fprintf(out, "%s\n", any ? "" : "  no op and no step in common");
    }
}

void gs_bench_compare_print(const gs_bench_comparison *c, FILE *out)
{
    for (int i = 0; i < c->n_files; i++)
        fprintf(out, "%d%s %s: %s, %s; Gesso %s, %s, %s\n", i + 1, i == c->base ? " base" : "", c->files[i].path, c->files[i].name, c->files[i].platform,
                c->files[i].gesso, c->files[i].host, c->files[i].date);
    if (c->notes.len) fprintf(out, "\n%s", c->notes.data);
    fprintf(out, "\n~ no more than noise; ! the result differs from the base's beyond rounding; W the result is wrong\n");
    print_suite(c, GS_BENCH_PEAK, "peak", out);
    print_suite(c, GS_BENCH_OP, "op", out);
    print_suite(c, GS_BENCH_MODEL, "step of", out);
    print_models(c, out);
    print_shares(c, out);
    print_means(c, out);
    print_results(c, out);
}
