/* `gesso check`: its judges can say no, the stored losses are those of double precision, and a device with a
 * broken kernel goes on with another variant, to the right result. Kernels are broken by giving the program a
 * folder of its own ($GESSO_KERNELS). */
#include "lib/testlib.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "device/kernels.h"
#include "eval/traincheck.h"
#include "eval/variantcheck.h"
#include "graph/graph.h"

static char *tmp;

static gs_device *opened(void)
{
    gs_device *d;

    assert_ok(gs_device_open(NULL, &d));
    return d;
}

/* ---- the training run ---- */

/* Eight steps in double precision give the losses that are stored. */
static void stored_losses_are_the_references(void **state)
{
    gs_graph *g = gs_graph_new();
    double **value;

    (void)state;
    gs_traincheck_build(g);
    assert_ok(gs_graph_status(g));
    value = gs_xalloc((size_t)g->n_vars * sizeof *value);
    for (int i = 0; i < g->n_vars; i++) {
        const int64_t n = gs_shape_count(g->vars[i]->shape);
        float *f = gs_xalloc(4 * (size_t)n);

        gs_init_fill(g->vars[i], GS_TRAINCHECK_SEED, f);
        value[i] = gs_xalloc(8 * (size_t)n);
        for (int64_t k = 0; k < n; k++) value[i][k] = f[k];
        free(f);
    }
    for (int step = 0; step < GS_TRAINCHECK_STEPS; step++) {
        float real[GS_TRAINCHECK_BATCH * GS_TRAINCHECK_SIDE * GS_TRAINCHECK_SIDE];
        double real_d[GS_COUNT(real)];
        gs_ref_feed feeds[64] = { { g->inputs[0].node, real_d } };
        gs_node *want[64] = { g->outputs[0].node };
        gs_ref_result r = { 0 };
        int n_want = 1;

        assert_true(g->n_vars < 63);
        gs_traincheck_real(step, real);
        for (size_t i = 0; i < GS_COUNT(real); i++) real_d[i] = real[i];
        for (int i = 0; i < g->n_vars; i++) {
            feeds[i + 1] = (gs_ref_feed){ g->vars[i]->initial, value[i] };
            if (g->vars[i]->assigned) want[n_want++] = g->vars[i]->assigned;
        }
        assert_ok(gs_ref_eval(g, want, n_want, feeds, g->n_vars + 1, GS_TRAINCHECK_SEED, (uint64_t)step, &r));
        for (int k = 0; k < 2; k++)
            if (!(fabs(r.value[want[0]->id][k] - gs_traincheck_losses[step][k]) <= 1e-6))
                fail_msg("step %d: the loss of %s is %.7f, stored is %.7f", step, k ? "D" : "G", r.value[want[0]->id][k], gs_traincheck_losses[step][k]);
        for (int i = 0; i < g->n_vars; i++)
            if (g->vars[i]->assigned) memcpy(value[i], r.value[g->vars[i]->assigned->id], 8 * (size_t)gs_shape_count(g->vars[i]->shape));
        gs_ref_free(&r);
    }
    for (int i = 0; i < g->n_vars; i++) free(value[i]);
    free(value);
    gs_graph_free(g);
}

static void the_device_trains(void **state)
{
    gs_device *d = opened(), *null;
    gs_traincheck t;

    (void)state;
    gs_traincheck_run(d, &t);
    if (!t.pass) fail_msg("error %g at step %d, %s repeat; %s", t.error, t.step, t.repeats ? "runs" : "runs do not", t.message);
    gs_device_close(d);
    assert_ok(gs_device_open("null", &null)); /* computes nothing: losses of zero are wrong */
    gs_traincheck_run(null, &t);
    assert_false(t.pass);
    assert_true(t.error > 0.5);
    gs_device_close(null);
}

/* ---- variants ---- */

/* Losses of a problem built from its description are those of the op's own: text and geometry agree. */
static void problems_are_what_they_say(void **state)
{
    const gs_problem q = { .family = GS_FAMILY_CONV_DX, .conv = { GS_CONV_DX, 2, 8, 13, 12, 16, 7, 6, 3, 3, 2, 2, 1, 1, 1, 2 } };
    const gs_problem m = { .family = GS_FAMILY_GEMM, .gemm = { .m = 3, .n = 5, .k = 7, .batch = 2, .tb = true } };
    gs_graph *g = gs_graph_new();
    const gs_use *uses;
    char text[128], shape[96];
    gs_device *d;
    gs_plan *p;

    (void)state;
    assert_string_equal(gs_problem_text(&q, text), "conv.dx x 2,8,13,12 w 16,4,3,3 stride 2x2 pad 1x1 dilation 1 groups 2");
    assert_string_equal(gs_problem_text(&m, text), "gemm nt 3x5x7 batch 2");
    assert_string_equal(gs_shape_text(gs_problem_build(g, &q, 0)->shape, shape), "2,8,13,12");
    assert_string_equal(gs_shape_text(gs_problem_build(g, &m, 1)->shape, shape), "2,3,5");
    assert_ok(gs_device_open("null", &d));
    assert_ok(gs_compile(g, d, NULL, &(gs_compile_opts){ .dry_run = true }, &p));
    assert_int_equal(gs_plan_uses(p, &uses), 2);
    for (int i = 0; i < 2; i++)
        if (uses[i].problem.family == GS_FAMILY_CONV_DX) assert_memory_equal(&uses[i].problem.conv, &q.conv, sizeof q.conv);
        else assert_true(uses[i].problem.gemm.m == 3 && uses[i].problem.gemm.n == 5 && uses[i].problem.gemm.k == 7 && uses[i].problem.gemm.batch == 2);
    gs_plan_free(p);
    gs_graph_free(g);
    gs_device_close(d);
}

/* The preset of dilated convolutions on this device, which are left to the general product forms, and its file. */
static const gs_variant *preset(gs_device *d, const char **file)
{
    const gs_problem q = { .family = GS_FAMILY_CONV_Y, .conv = { GS_CONV_Y, 1, 32, 16, 16, 64, 16, 16, 3, 3, 1, 1, 2, 2, 2, 1 } };

    for (const gs_variant *v = gs_family_variants(GS_FAMILY_CONV_Y); v->name; v++) {
        if (v->only_chosen || !v->can(d, &q) || (v->pays && !v->pays(d, &q, v))) continue;
        *file = strncmp(v->name, "cpu", 3) == 0 ? "conv_cpu.cl" : strncmp(v->name, "tile", 4) == 0 ? "conv_tile.cl" : NULL;
        if (!*file) fail_msg("this test knows no file of %s", v->name);
        return v;
    }
    fail();
    return NULL;
}

/* A folder with the file changed: every product a thousandth too large, or a text that no compiler takes. */
static void break_kernel(const char *file, bool builds)
{
    const char *const from = strcmp(file, "conv_cpu.cl") == 0 ? "fma(v_, b0," : "fma(a[t / 4],";
    const char *const to = strcmp(file, "conv_cpu.cl") == 0 ? "fma(v_, b0 * 1.001f," : "fma(1.001f * a[t / 4],";
    char *dir = gs_path_join(tmp, builds ? "off" : "unbuildable"), *path = gs_path_join(dir, file), *text, *at;
    gs_str s = { 0 };

    unsetenv("GESSO_KERNELS");
    assert_ok(gs_mkdirs(dir));
    assert_ok(gs_kernel_text(file, &text));
    at = strstr(text, from);
    assert_non_null(at);
    if (builds) gs_str_printf(&s, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    else gs_str_printf(&s, "#error this kernel is broken\n");
    assert_ok(gs_file_write(path, s.data, s.len));
    setenv("GESSO_KERNELS", dir, 1);
    gs_str_free(&s);
    free(text), free(path), free(dir);
}

static void a_broken_kernel_is_seen(void **state)
{
    const char *file;
    gs_variantcheck c;
    gs_device *d = opened();
    const gs_variant *v = preset(d, &file);

    (void)state;
    gs_variant_check(d, GS_FAMILY_CONV_Y, v, &c);
    assert_true(c.pass && c.problems > 5 && c.error < GS_VARIANT_LIMIT);
    gs_device_close(d);
    break_kernel(file, true);
    d = opened();
    gs_variant_check(d, GS_FAMILY_CONV_Y, v, &c);
    assert_false(c.pass);
    if (!(c.error > 2e-4 && c.error < 2e-3)) fail_msg("an error of about a thousandth was expected, not %g", c.error);
    assert_true(gs_test_contains(c.where, "conv.y x "));
    assert_int_equal(*c.message, 0);
    gs_device_close(d);
    break_kernel(file, false);
    d = opened();
    gs_variant_check(d, GS_FAMILY_CONV_Y, v, &c);
    assert_false(c.pass);
    assert_true(gs_test_contains(c.message, file));
    /* kept, and with another store than that of good kernels */
    assert_ok(gs_variants_keep(d, &c, 1));
    assert_int_equal(gs_tuning_verdict(d, c.name)->verdict, GS_WRONG);
    assert_true(gs_test_contains(gs_tuning_verdict(d, c.name)->why, file));
    gs_device_close(d);
    unsetenv("GESSO_KERNELS");
    d = opened();
    assert_null(gs_tuning_verdict(d, c.name));
    gs_device_close(d);
}

/* ---- the program ---- */

/* Runs the program; what it prints into *out and *err. */
static int run(const char *arguments, char **out, char **err)
{
    const char *build = getenv("GESSO_BUILD");
    char *o = gs_path_join(tmp, "stdout"), *e = gs_path_join(tmp, "stderr"), command[2048];
    int status;

    assert_true(snprintf(command, sizeof command, "'%s/gesso' %s >'%s' 2>'%s'", build ? build : "build", arguments, o, e) < (int)sizeof command);
    status = system(command);
    *out = gs_test_slurp(o);
    *err = gs_test_slurp(e);
    free(o), free(e);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Whether "conv.y/cpu:4" and its like is a form of a file's kernels. */
static bool is_of_file(const char *variant, const char *file)
{
    if (strncmp(variant, "conv", 4) != 0) return false;
    return strcmp(file, "conv_cpu.cl") == 0 ? strstr(variant, "/cpu") || strstr(variant, "/own") : strstr(variant, "/tile") != NULL;
}

static void the_program_goes_on_without(void **state)
{
    const char *file;
    gs_device *d = opened();
    const char *name = preset(d, &file)->name;
    char *out, *err, want[2][GS_TUNING_NAME + 40];
    const cJSON *o;
    cJSON *json;
    int wrong = 0, right = 0;

    (void)state;
    gs_device_close(d);
    break_kernel(file, true);
    if (run("check --part variants --part training --json", &out, &err) != 1) fail_msg("a broken kernel went unseen: %s", err);
    assert_true(gs_test_contains(err, "variants are wrong and will not be used"));
    json = cJSON_Parse(out);
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(json, "right")));
    cJSON_ArrayForEach(o, cJSON_GetObjectItem(json, "variants")) {
        const char *v = cJSON_GetObjectItem(o, "variant")->valuestring, *verdict = cJSON_GetObjectItem(o, "verdict")->valuestring;

        /* the file's variants and only they */
        if (is_of_file(v, file)) {
            assert_string_not_equal(verdict, "right");
            wrong += strcmp(verdict, "wrong") == 0;
        } else {
            assert_string_not_equal(verdict, "wrong");
            right += strcmp(verdict, "right") == 0;
        }
    }
    assert_true(wrong >= 3 && right >= 5);
    assert_int_equal((int)cJSON_GetObjectItem(json, "wrong_variants")->valuedouble, wrong);
    assert_string_equal(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "training"), "verdict")->valuestring, "right"); /* by another variant */
    cJSON_Delete(json);
    free(out), free(err);
    /* the ops are right, by another variant, and that is said once */
    snprintf(want[0], sizeof want[0], "conv.y/%s is not used", name);
    if (run("check --op conv2d --quiet", &out, &err) != 0) fail_msg("%s%s", out, err);
    if (!strstr(err, want[0]) || strstr(strstr(err, want[0]) + 1, want[0])) fail_msg("wanted \"%s\" once in: %s", want[0], err);
    assert_true(gs_test_contains(out, "ok    conv2d"));
    free(out), free(err);
    snprintf(want[1], sizeof want[1], "conv.y/%s", name);
    if (run("info configs/cgan_cdcgan.ini", &out, &err) != 0) fail_msg("%s", err);
    assert_true(gs_test_contains(out, "not used, wrong by \"gesso check\"") && gs_test_contains(out, want[1]));
    free(out), free(err);
    /* without the verdict the broken kernel would have been taken */
    setenv("GESSO_TUNING", "off", 1);
    assert_int_equal(run("check --op conv2d --quiet", &out, &err), 1);
    assert_true(gs_test_contains(out, "FAIL  conv2d"));
    free(out), free(err);
    unsetenv("GESSO_KERNELS");
}

static int own_store(void **state)
{
    char *path = gs_path_join(tmp, "tuning");

    (void)state;
    setenv("GESSO_TUNING", path, 1);
    free(path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(stored_losses_are_the_references, own_store),
        cmocka_unit_test_setup(the_device_trains, own_store),
        cmocka_unit_test_setup(problems_are_what_they_say, own_store),
        cmocka_unit_test_setup(a_broken_kernel_is_seen, own_store),
        cmocka_unit_test_setup(the_program_goes_on_without, own_store),
    };

    tmp = gs_test_tmpdir();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
