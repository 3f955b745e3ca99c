/* Measuring: statistics, digests and checks that see a wrong element, the fields of a result, and holding
 * results against each other. No test is about speed. */
#include "lib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench_int.h"

/* ---- statistics ---- */

static void median_and_spread(void **state)
{
    double odd[] = { 5, 1, 9, 2, 3 }, even[] = { 4, 1, 3, 2 }, median, mad;

    (void)state;
    gs__spread(odd, 5, &median, &mad); /* 1 2 3 5 9: distances 2 1 0 2 6 */
    assert_true(median == 3 && mad == 2);
    gs__spread(even, 4, &median, &mad); /* distances 1.5 0.5 0.5 1.5 */
    assert_true(median == 2.5 && mad == 1);
    gs__spread(odd, 0, &median, &mad);
    assert_true(median == 0 && mad == 0);
}

/* ---- digests ---- */

enum { N = 100000 };

static void sketch_of(const gs__digest *d, double sketch[4])
{
    for (int k = 0; k < 4; k++) sketch[k] = d->signs[k] / sqrt(d->sum2);
}

static double sketch_distance(const gs__digest *a, const gs__digest *b)
{
    double x[4], y[4], most = 0;

    sketch_of(a, x);
    sketch_of(b, y);
    for (int k = 0; k < 4; k++) most = fmax(most, fabs(x[k] - y[k]));
    return most;
}

static void digests_tell_rounding_from_errors(void **state)
{
    float *v = gs_xalloc(N * sizeof *v);
    gs__digest first, parts, rounded, wrong;

    (void)state;
    gs__test_fill("x", N, v);
    assert_true(v[17] == gs__test_value("x", 17) && v[17] != gs__test_value("y", 17));
    for (int i = 0; i < N; i++) assert_true(v[i] >= -1 && v[i] < 1);
    gs__digest_begin(&first);
    gs__digest_add(&first, v, N);
    gs__digest_begin(&parts);
    gs__digest_add(&parts, v, 1000);
    gs__digest_add(&parts, v + 1000, N - 1000);
    assert_true(sketch_distance(&first, &parts) < 1e-12);
    for (int i = 0; i < N; i++) v[i] *= i % 2 ? 1 + 1e-6f : 1 - 1e-6f;
    gs__digest_begin(&rounded);
    gs__digest_add(&rounded, v, N);
    assert_true(rounded.bytes != first.bytes && sketch_distance(&first, &rounded) < 1e-5);
    v[N - 1] += 1;
    gs__digest_begin(&wrong);
    gs__digest_add(&wrong, v, N);
    assert_true(sketch_distance(&first, &wrong) > 1e-3);
    free(v);
}

/* ---- cases ---- */

static const gs__case *find_case(gs__case *cases, int n, const char *id)
{
    for (int i = 0; i < n; i++)
        if (strcmp(cases[i].id, id) == 0) return &cases[i];
    fail_msg("there is no case %s", id);
    return NULL;
}

static void cases_have_names_of_their_own(void **state)
{
    int n;
    gs__case *cases = gs__cases(&n);

    (void)state;
    for (int i = 0; i < n; i++) {
        gs_graph *g = gs_graph_new();

        for (int k = 0; k < i; k++)
            if (strcmp(cases[i].id, cases[k].id) == 0) fail_msg("two cases are called %s", cases[i].id);
        assert_true(strlen(cases[i].id) < sizeof cases[i].id - 1 && *cases[i].origin);
        gs__case_build(&cases[i], NULL, g);
        if (gs_graph_status(g) != GS_OK) fail_msg("%s: %s", cases[i].id, gs_last_error());
        gs_graph_free(g);
    }
    free(cases);
}

/* The check accepts the reference's own result in fp32, and refuses it with one element changed, wherever that is. */
static void checks_find_one_wrong_element(void **state)
{
    static const char *const ids[] = {
        "gemm/64x1x256_nt", "gemm/256x256x256_nn", "gemm/50x50x64_nt_b192", "conv/128x512x4x4_o1_k4s1p0/y", "conv/128x512x4x4_o1_k4s1p0/dx",
        "conv/128x512x4x4_o1_k4s1p0/dw", "deconv/128x128x16x16_o1_k4s2p1/y", "deconv/128x128x16x16_o1_k4s2p1/dw",
        "conv/1x3x256x256_o64_k4s2p1r/y", "conv/1x3x256x256_o64_k4s2p1r/dx", "norm/batch_norm_grad/64x1024", "norm/softmax/9600x50",
        "elementwise/bias_leaky_relu/64x1200", "reduce/sum_bias/64x1200", "reduce/l1_loss/1x3x256x256",
    };
    int n;
    gs__case *cases = gs__cases(&n);

    (void)state;
    for (size_t i = 0; i < GS_COUNT(ids); i++) {
        const gs__case *c = find_case(cases, n, ids[i]);
        gs_graph *g = gs_graph_new();
        gs_node *want[4];
        gs_ref_feed feeds[8];
        gs_ref_result ref;
        float *v[4];
        gs__digest d;
        int64_t count;

        gs__case_build(c, NULL, g);
        for (int k = 0; k < g->n_inputs; k++) {
            const int64_t size = gs_shape_count(g->inputs[k].node->shape);
            double *data = gs_xalloc((size_t)size * sizeof *data);

            for (int64_t e = 0; e < size; e++) data[e] = gs__test_value(g->inputs[k].name, e);
            feeds[k] = (gs_ref_feed){ g->inputs[k].node, data };
        }
        for (int k = 0; k < g->n_outputs; k++) want[k] = g->outputs[k].node;
        assert_ok(gs_ref_eval(g, want, g->n_outputs, feeds, g->n_inputs, 0, 0, &ref));
        for (int k = 0; k < g->n_outputs; k++) {
            const int64_t size = gs_shape_count(want[k]->shape);

            v[k] = gs_xalloc((size_t)size * sizeof(float));
            for (int64_t e = 0; e < size; e++) v[k][e] = (float)ref.value[want[k]->id][e];
        }
        count = gs_shape_count(want[0]->shape);
        for (int where = 0; where < 4; where++) {
            const int64_t at = where == 1 ? 0 : where == 2 ? count - 1 : count / 2;
            const float kept = v[0][at];
            double sum2 = 0;

            for (int64_t e = 0; e < count; e++) sum2 += (double)v[0][e] * v[0][e];
            if (where) v[0][at] += (float)sqrt(sum2 / (double)count);
            gs__digest_begin(&d);
            gs__digest_add(&d, v[0], count);
            assert_ok(gs__case_check(c, g, v, NULL, 100, &d));
            if (gs__digest_right(&d) != (where == 0))
                fail_msg("%s, change %d: error %g, limit %g", c->id, where, d.error, d.limit);
            if (!(d.coverage > 0.999)) fail_msg("%s: the check saw %g of the result", c->id, d.coverage);
            v[0][at] = kept;
        }
        gs_ref_free(&ref);
        for (int k = 0; k < g->n_inputs; k++) free((void *)(uintptr_t)feeds[k].data);
        for (int k = 0; k < g->n_outputs; k++) free(v[k]);
        gs_graph_free(g);
    }
    free(cases);
}

static void adam_is_checked_by_its_definition(void **state)
{
    int n;
    gs__case *cases = gs__cases(&n);
    const gs__case *c = find_case(cases, n, "adam/cgan_concat_G");
    gs_graph *g = gs_graph_new();
    float *v[8], *before[8];
    gs__digest d;

    (void)state;
    gs__case_build(c, NULL, g);
    for (int i = 0; i < g->n_inputs; i++) {
        const int64_t count = gs_shape_count(g->inputs[i].node->shape);

        v[i] = gs_xalloc((size_t)count * sizeof(float));
        before[i] = gs_xalloc((size_t)count * sizeof(float));
        for (int64_t e = 0; e < count; e++) {
            const double grad = gs__test_value(g->inputs[i].name, e);

            before[i][e] = gs__test_value("p", e);
            v[i][e] = before[i][e] - (float)(GS__ADAM_LR / (fabs(grad) + 1e-8) * grad);
        }
    }
    gs__digest_begin(&d);
    assert_ok(gs__case_check(c, g, v, before, 1, &d));
    assert_true(gs__digest_right(&d));
    v[0][5] = before[0][5];
    assert_ok(gs__case_check(c, g, v, before, 1, &d));
    assert_false(gs__digest_right(&d));
    for (int i = 0; i < g->n_inputs; i++) {
        free(v[i]);
        free(before[i]);
    }
    gs_graph_free(g);
    free(cases);
}

/* ---- a measurement ---- */

static const cJSON *at(const cJSON *o, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

    if (!v) fail_msg("the result has no %s", key);
    return v;
}

static void patterns_pick_cases(void **state)
{
    (void)state;
    assert_true(gs__bench_wanted(NULL, "gemm/a"));
    assert_true(gs__bench_wanted("gemm/*", "gemm/a") && !gs__bench_wanted("gemm/*", "conv/a"));
    assert_true(gs__bench_wanted("norm/*,conv/a", "conv/a") && gs__bench_wanted("norm/*,conv/a", "norm/x/1") && !gs__bench_wanted("norm/*,conv/a", "conv/ab"));
    assert_false(gs__bench_wanted("", "gemm/a"));
}

static void bad_requests_are_refused(void **state)
{
    gs_bench_opts o = { .device = "null" };
    cJSON *result;

    (void)state;
    assert_fails(gs_bench_run(&o, &result), GS_EDEVICE, "computes nothing");
    o.only = "no such*";
    assert_fails(gs_bench_run(&o, &result), GS_EUSAGE, "no such*");
    o = (gs_bench_opts){ .device = "null", .models = true, .configs = (const char *const[]){ "a/x.ini", "y.ini", "b/x.ini" }, .n_configs = 3 };
    assert_fails(gs_bench_run(&o, &result), GS_EUSAGE, "a/x.ini and b/x.ini would both be config/x.ini");
    o.n_configs = 65;
    assert_fails(gs_bench_run(&o, &result), GS_EUSAGE, "at most 64");
}

static bool have_device(void)
{
    gs_device *d;

    if (gs_device_open(NULL, &d) != GS_OK) return false;
    gs_device_close(d);
    return true;
}

static void a_result_has_its_fields(void **state)
{
    const gs_bench_opts o = { .ops = true, .models = true, .only = "*bars", .seconds = 1 },
                        ops = { .ops = true, .only = "gemm/256*", .seconds = 6 }; /* room for 3 samples on a busy machine */
    const cJSON *row;
    cJSON *result;

    (void)state;
    if (!have_device()) GS_SKIP(gs_last_error());
    assert_ok(gs_bench_run(&ops, &result));
    assert_string_equal(at(result, "schema")->valuestring, GS_BENCH_SCHEMA);
    assert_int_equal(at(result, "version")->valueint, GS_BENCH_VERSION);
    assert_int_equal(strlen(at(result, "config_hash")->valuestring), 16);
    at(at(result, "device"), "driver");
    at(at(result, "device"), "platform");
    at(at(result, "host"), "cpu");
    assert_true(at(at(result, "peak"), "gflops")->valuedouble > 0);
    row = cJSON_GetArrayItem(at(result, "ops"), 0);
    if (!row) fail_msg("no op was measured");
    assert_string_equal(at(row, "id")->valuestring, "gemm/256x256x256_nn");
    assert_true(at(row, "seconds")->valuedouble > 0 && at(row, "samples")->valueint >= 3);
    assert_true(at(row, "flops")->valuedouble == 2.0 * 256 * 256 * 256 &&
                at(row, "bytes")->valuedouble == 4.0 * 3 * 256 * 256);
    assert_true(cJSON_IsTrue(at(at(row, "digest"), "checked")) && cJSON_IsTrue(at(at(row, "digest"), "right")));
    cJSON_Delete(result);
    assert_ok(gs_bench_run(&o, &result));
    assert_int_equal(cJSON_GetArraySize(at(result, "ops")), 0);
    row = cJSON_GetArrayItem(at(result, "models"), 0);
    if (!row) fail_msg("no model was measured");
    assert_string_equal(at(row, "id")->valuestring, "cgan/bars");
    assert_true(at(row, "images_per_second")->valuedouble > 0);
    assert_true(at(row, "bytes_allocated")->valuedouble >= 0.9 * at(row, "bytes_predicted")->valuedouble);
    assert_true(cJSON_IsTrue(at(at(row, "digest"), "right")));
    cJSON_Delete(result);
}

/* ---- rounds ---- */

/* Runs the rounds that `lines` asks for; what it says is the caller's to free. */
static gs_status rounds(const char *what, const char *lines, char **said)
{
    size_t size;
    FILE *in = fmemopen((void *)(uintptr_t)lines, strlen(lines), "r"), *out = open_memstream(said, &size);
    const gs_status st = gs_bench_rounds(NULL, what, in, out);

    fclose(in);
    fclose(out);
    return st;
}

static const char *next_line(const char *text)
{
    const char *end = strchr(text, '\n');

    if (!end) fail_msg("no line behind %.80s", text);
    return end + 1;
}

static void rounds_are_run_as_asked(void **state)
{
    static const struct { const char *what; bool op; } subjects[] = { { "gemm/64x1x256_nt", true }, { "adam/cgan_concat_G", true }, { "cgan/bars", false } };

    (void)state;
    if (!have_device()) GS_SKIP(gs_last_error());
    for (size_t i = 0; i < GS_COUNT(subjects); i++) {
        cJSON *o;
        char *said;
        const char *line;

        assert_ok(rounds(subjects[i].what, "2\n3\n", &said));
        o = cJSON_Parse(said);
        if (!o) fail_msg("not JSON: %.200s", said);
        assert_string_equal(at(o, "id")->valuestring, subjects[i].what);
        assert_true(at(o, "bytes_allocated")->valuedouble >= at(o, "bytes_planned")->valuedouble &&
                    at(o, "bytes_planned")->valuedouble > 0);
        if (subjects[i].op)
            assert_true(cJSON_IsTrue(at(at(o, "digest"), "finite")) && at(at(o, "digest"), "rms")->valuedouble > 0);
        else assert_true(at(o, "batch")->valueint > 0);
        cJSON_Delete(o);
        line = next_line(said);
        for (int n = 2; n <= 3; n++, line = next_line(line)) {
            o = cJSON_Parse(line);
            assert_int_equal(at(o, "runs")->valueint, n);
            assert_true(at(o, "seconds")->valuedouble > 0 && at(o, "cpu_seconds")->valuedouble >= 0);
            cJSON_Delete(o);
        }
        assert_int_equal(strlen(line), 0);
        free(said);
    }
}

#define NO_DATA "[model]\nsystem = ugatit\n[data]\nroot = no_such_pictures\n"

static void rounds_refuse_what_they_cannot_run(void **state)
{
    static const char *const lines[] = {
        "0\n", "-1\n", "100001\n", "two\n", "\n", "1 2\n", "1000000000000000000000000000000000000000\n"
    };
    char *said;

    (void)state;
    assert_fails(gs_bench_rounds("null", "cgan/bars", stdin, stdout), GS_EDEVICE, "computes nothing");
    if (!have_device()) GS_SKIP(gs_last_error());
    assert_fails(rounds("gemm/no_such", "1\n", &said), GS_EUSAGE, "gemm/no_such");
    free(said);
    assert_ok(gs_file_write("no_data.ini", NO_DATA, strlen(NO_DATA))); /* not the configuration is missing, but what it names */
    assert_fails(rounds("no_data.ini", "1\n", &said), GS_EIO, "no_such_pictures");
    free(said);
    unlink("no_data.ini");
    for (size_t i = 0; i < GS_COUNT(lines); i++) {
        assert_fails(rounds("gemm/64x1x256_nt", lines[i], &said), GS_EUSAGE, "from 1 to 100000");
        assert_string_equal(next_line(said), ""); /* what it is, but no round */
        free(said);
    }
}

/* ---- comparing ---- */

static void load_both(gs_bench_file files[2])
{
    assert_ok(gs_bench_load("tests/fixtures/bench_a.json", &files[0]));
    assert_ok(gs_bench_load("tests/fixtures/bench_b.json", &files[1]));
}

static const gs_bench_pair *pair(const gs_bench_comparison *c, const char *id, int file)
{
    for (int i = 0; i < c->n_lines; i++)
        if (strcmp(c->lines[i].of->id, id) == 0) return &c->lines[i].pair[file];
    fail_msg("there is no row %s", id);
    return NULL;
}

static void pairs_say_how_fast_how_sure_and_whether_alike(void **state)
{
    gs_bench_file files[2];
    gs_bench_comparison c;
    const gs_bench_pair *p;
    int n;

    (void)state;
    load_both(files);
    assert_ok(gs_bench_compare(files, 2, 0, &c));
    assert_int_equal(c.n_lines, 8);
    p = pair(&c, "fma/gpu", 1); /* a rate: more is faster */
    assert_true(p->speed == 2 && !p->noise);
    p = pair(&c, "launch/finish", 1); /* a time: less is faster */
    assert_true(p->speed == 2 && !p->noise);
    p = pair(&c, "gemm/faster", 1);
    assert_true(p->speed == 2 && !p->noise && p->result == GS_BENCH_SAME && !p->why);
    p = pair(&c, "gemm/noise", 1); /* 5 % apart, with a spread of 10 % each; the sketch is another, and the file itself says wrong */
    assert_true(p->noise && p->result == GS_BENCH_DIFFERS && p->row->digest.verdict == GS_BENCH_WRONG);
    assert_string_equal(pair(&c, "conv/changed", 1)->why, "other parameters");
    assert_string_equal(pair(&c, "conv/fails", 1)->why, "failed in the base");
    assert_string_equal(pair(&c, "conv/fails", 0)->why, "failed");
    assert_string_equal(pair(&c, "conv/new", 1)->why, "not measured in the base");
    p = pair(&c, "cgan/concat", 1);
    assert_true(p->speed == 0.5 && p->result == GS_BENCH_SAME_BYTES);
    assert_true(gs_test_contains(c.notes.data, "0.2.0") && gs_test_contains(c.notes.data, "GESSO_GEMM=tile"));
    assert_true(fabs(gs__mean_speed(&c, 1, "gemm", &n) - sqrt(2 * 2 / 2.1)) < 1e-12 && n == 2);
    gs_bench_comparison_free(&c);
    assert_ok(gs_bench_compare(files, 2, 1, &c)); /* the other way round */
    assert_true(pair(&c, "gemm/faster", 0)->speed == 0.5);
    gs_bench_comparison_free(&c);
    assert_fails(gs_bench_compare(files, 1, 0, &c), GS_EUSAGE, "2 to 8");
    assert_fails(gs_bench_compare(files, 2, 2, &c), GS_EUSAGE, "no file 3");
    for (int i = 0; i < 2; i++) gs_bench_file_free(&files[i]);
}

static void comparisons_are_written(void **state)
{
    char *dir = gs_test_tmpdir(), *path = gs_path_join(dir, "report.html"), *text_path = gs_path_join(dir, "text"),
         *html, *text;
    gs_bench_file files[2];
    gs_bench_comparison c;
    FILE *out = fopen(text_path, "w");

    (void)state;
    load_both(files);
    assert_ok(gs_bench_compare(files, 2, 0, &c));
    gs_bench_compare_print(&c, out);
    fclose(out);
    text = gs_test_slurp(text_path);
    assert_true(gs_test_contains(text, "2.00x") && gs_test_contains(text, "0.95x ~ ! W") &&
                gs_test_contains(text, "(other parameters)"));
    assert_true(gs_test_contains(text, "1:  gemm 50 % (2)\n  2:  gemm 60 % (2)")); /* shares of the peak */
    assert_true(gs_test_contains(text, "1:  4 right, 0 unchecked, 0 wrong, 1 failed\n") &&
                gs_test_contains(text, "1 wrong, 0 failed; 1 the same bytes"));
    assert_true(gs_test_contains(text, "12.00 s") && gs_test_contains(text, "1.0 MiB")); /* cold start, memory */
    assert_ok(gs_bench_compare_html(&c, path));
    html = gs_test_slurp(path);
    assert_true(gs_test_contains(html, "Card &lt;A&gt;") && !gs_test_contains(html, "Card <A>")); /* what a file holds is text, never markup */
    assert_true(gs_test_contains(html, "<svg ") && gs_test_contains(html, "</html>"));
    assert_false(gs_test_contains(html, "<script") || gs_test_contains(html, "http:") ||
                 gs_test_contains(html, "https:")); /* loads nothing */
    assert_false(gs_test_contains(html, "nan") || gs_test_contains(html, "inf\""));
    gs_bench_comparison_free(&c);
    for (int i = 0; i < 2; i++) gs_bench_file_free(&files[i]);
    free(html);
    free(text);
    free(text_path);
    free(path);
    free(dir);
}

/* The first file's text with one part replaced. */
static char *changed(const char *from, const char *to)
{
    char *text = gs_test_slurp("tests/fixtures/bench_a.json"), *at = strstr(text, from);
    gs_str s = { 0 };

    if (!at) fail_msg("the file does not hold %s", from);
    gs_str_append(&s, text, (size_t)(at - text));
    gs_str_printf(&s, "%s%s", to, at + strlen(from));
    free(text);
    return s.data;
}

static void broken_files_are_refused(void **state)
{
    static const struct { const char *from, *to, *says; } changes[] = {
        { "\"gesso-bench\"", "\"other\"", "not a result" },
        { "\"version\": 1", "\"version\": 2", "version 2" },
        { "\"version\": 1,", "", "version 0" },
        { "\"driver\": \"1.0\"", "\"driver\": 1", "driver is not a text" },
        { "\"device\": {", "\"device\": [], \"x\": {", "device is not an object" },
        { "\"environment\": {}", "\"environment\": { \"A\": 1 }", "environment" },
        { "\"value\": 1000", "\"value\": 0", "peaks[0].value is 0" },
        { "\"value\": 1000", "\"value\": -1", "out of range" },
        { "\"value\": 1000", "\"value\": 1e99", "out of range" },
        { "\"seconds\": 0.002", "\"seconds\": \"fast\"", "ops[0].seconds is not a number" },
        { "\"seconds\": 0.002,", "", "ops[0].seconds is missing" },
        { "\"hash\": \"1\",", "", "ops[0].hash is missing" },
        { "[1, 0.5, -0.5, 0.25]", "[1, 0.5]", "four numbers" },
        { "[1, 0.5, -0.5, 0.25]", "[1, 0.5, -0.5, 0.25, 3]", "four numbers" },
        { "[1, 0.5, -0.5, 0.25]", "[1, 0.5, null, 0.25]", "four numbers" },
        { "\"gemm/noise\"", "\"gemm/faster\"", "stands there twice" },
        { "\"ops\": [", "\"ops\": 3, \"x\": [", "ops is not a list" },
        { "\"images_per_second\": 6400,", "", "images_per_second is missing" },
        { "] }", "", "not JSON" },
    };
    gs_bench_file f;

    (void)state;
    for (size_t i = 0; i < GS_COUNT(changes); i++) {
        char *text = changed(changes[i].from, changes[i].to);

        assert_fails(gs_bench_parse(text, "a.json", &f), GS_EFORMAT, changes[i].says);
        assert_null(f.json);
        free(text);
    }
    assert_fails(gs_bench_parse("", "a.json", &f), GS_EFORMAT, "a.json: not JSON");
    assert_fails(gs_bench_load("tests/fixtures/no_such.json", &f), GS_EIO, "no_such.json");
}

static void terminals_are_safe_from_files(void **state)
{
    char *text = changed("\"Card <A>\"", "\"\\u001b[2Jcard\"");
    gs_bench_file f;

    (void)state;
    assert_ok(gs_bench_parse(text, "a.json", &f));
    assert_string_equal(f.device, "?[2Jcard");
    gs_bench_file_free(&f);
    free(text);
}

static void files_without_a_common_row_say_why(void **state)
{
    gs_bench_file files[2];
    gs_bench_comparison c;

    (void)state;
    load_both(files);
    files[1].n_rows = 2; /* its peaks */
    files[0].rows += 2;  /* all but the peaks */
    files[0].n_rows -= 2;
    assert_fails(gs_bench_compare(files, 2, 0, &c), GS_EUSAGE, "no row in common");
    assert_true(gs_test_contains(gs_last_error(), "has ops models") && gs_test_contains(gs_last_error(), "has peaks"));
    files[0].rows -= 2;
    for (int i = 0; i < 2; i++) gs_bench_file_free(&files[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(median_and_spread),
        cmocka_unit_test(digests_tell_rounding_from_errors),
        cmocka_unit_test(cases_have_names_of_their_own),
        cmocka_unit_test(checks_find_one_wrong_element),
        cmocka_unit_test(adam_is_checked_by_its_definition),
        cmocka_unit_test(patterns_pick_cases),
        cmocka_unit_test(bad_requests_are_refused),
        cmocka_unit_test(a_result_has_its_fields),
        cmocka_unit_test(rounds_are_run_as_asked),
        cmocka_unit_test(rounds_refuse_what_they_cannot_run),
        cmocka_unit_test(pairs_say_how_fast_how_sure_and_whether_alike),
        cmocka_unit_test(comparisons_are_written),
        cmocka_unit_test(broken_files_are_refused),
        cmocka_unit_test(terminals_are_safe_from_files),
        cmocka_unit_test(files_without_a_common_row_say_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
