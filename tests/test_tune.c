/* The store of verdicts and choices of a device, and what the planner makes of it: a variant found wrong
 * gives way to another, a chosen one is taken, and a store that is damaged or another device's changes
 * nothing. */
#include "lib/testlib.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/tune.h"
#include "device/kernels.h"
#include "device/tuning.h"
#include "gesso/gesso.h"
#include "graph/graph.h"
#include "lib/command.h"
#include "plan/variants.h"

static char *tmp;
static gs_str warnings;

static void keep_warning(const char *line, void *user)
{
    (void)user;
    gs_str_printf(&warnings, "%s\n", line);
}

static void forget_warnings(void)
{
    gs_str_free(&warnings);
    warnings = (gs_str){ 0 };
}

/* A device whose store lies in a folder of its own. */
static gs_device *opened(const char *folder)
{
    char *path = gs_path_join(tmp, folder);
    gs_device *d;

    setenv("GESSO_TUNING", path, 1);
    assert_ok(gs_device_open(NULL, &d));
    free(path);
    return d;
}

/* y (2,16,9,9) = conv2d(x (2,16,9,9), w (16,16,3,3)) and z (33,31) = a (33,40) b (40,31), on the device;
 * texts of the variants that were used, and results held against each other from call to call. */
static void run_both(gs_device *d, char conv[GS_TUNING_NAME], char gemm[GS_TUNING_NAME], float *y, float *z)
{
    gs_graph *g = gs_graph_new();
    gs_node *x = gs_input(g, "x", GS_SHAPE(2, 16, 9, 9), GS_F32), *w = gs_input(g, "w", GS_SHAPE(16, 16, 3, 3), GS_F32);
    gs_node *a = gs_input(g, "a", GS_SHAPE(33, 40), GS_F32), *b = gs_input(g, "b", GS_SHAPE(40, 31), GS_F32);
    gs_rng r = { .seed = 7 };
    const gs_use *uses;
    gs_plan *p;

    gs_output(g, "y", gs_conv2d(x, w, &(gs_conv2d_opts){ .pad = 1 }));
    gs_output(g, "z", gs_matmul(a, b, false, false));
    assert_ok(gs_compile(g, d, NULL, NULL, &p));
    for (int i = 0; i < g->n_inputs; i++) {
        const int64_t n = gs_shape_count(g->inputs[i].node->shape);
        float *data = gs_xalloc(4 * (size_t)n);

        for (int64_t k = 0; k < n; k++) data[k] = (float)(2 * gs_rng_uniform(&r) - 1);
        assert_ok(gs_plan_feed(p, g->inputs[i].name, data));
        free(data);
    }
    assert_int_equal(gs_plan_uses(p, &uses), 2);
    for (int i = 0; i < 2; i++)
        gs_variant_name(uses[i].problem.family, uses[i].variant,
                        uses[i].problem.family == GS_FAMILY_GEMM ? gemm : conv);
    assert_ok(gs_plan_run(p, 0, 0));
    assert_ok(gs_plan_fetch(p, "y", y));
    assert_ok(gs_plan_fetch(p, "z", z));
    gs_plan_free(p);
    gs_graph_free(g);
}

enum { NY = 2 * 16 * 9 * 9, NZ = 33 * 31 };

static void near(const float *a, const float *b, int n)
{
    for (int i = 0; i < n; i++)
        if (!(fabsf(a[i] - b[i]) <= 2e-5f)) fail_msg("element %d is %g, was %g", i, (double)a[i], (double)b[i]);
}

/* ---- the planner ---- */

static void wrong_variants_give_way(void **state)
{
    char conv[GS_TUNING_NAME], gemm[GS_TUNING_NAME], conv2[GS_TUNING_NAME], gemm2[GS_TUNING_NAME];
    float *y = gs_xalloc(4 * NY), *z = gs_xalloc(4 * NZ), *y2 = gs_xalloc(4 * NY), *z2 = gs_xalloc(4 * NZ);
    gs_device *d = opened("wrong");
    const char *why = "conv2d x=1: error 0.5,\nlimit 1e-6";

    (void)state;
    run_both(d, conv, gemm, y, z);
    assert_ok(gs_tuning_set_verdict(d, conv, GS_WRONG, why));
    assert_ok(gs_tuning_set_verdict(d, gemm, GS_WRONG, "it does not build"));
    gs_device_close(d);
    d = opened("wrong"); /* another process */
    forget_warnings();
    run_both(d, conv2, gemm2, y2, z2);
    assert_string_not_equal(conv, conv2);
    assert_string_not_equal(gemm, gemm2);
    near(y2, y, NY);
    near(z2, z, NZ);
    assert_true(gs_test_contains(warnings.data, conv) && gs_test_contains(warnings.data, "error 0.5, limit 1e-6"));
    assert_true(gs_test_contains(warnings.data, gemm) && gs_test_contains(warnings.data, "it does not build"));
    forget_warnings();
    run_both(d, conv2, gemm2, y2, z2); /* it is said once */
    assert_int_equal(warnings.len, 0);
    /* a name in the environment goes before verdicts */
    setenv("GESSO_GEMM", strchr(gemm, '/') + 1, 1);
    run_both(d, conv2, gemm2, y2, z2);
    assert_string_equal(gemm2, gemm);
    unsetenv("GESSO_GEMM");
    /* a later check takes it back */
    assert_ok(gs_tuning_set_verdict(d, conv, GS_RIGHT, NULL));
    run_both(d, conv2, gemm2, y2, z2);
    assert_string_equal(conv2, conv);
    gs_device_close(d);
    free(y), free(z), free(y2), free(z2);
}

static void nothing_is_left_to_use(void **state)
{
    gs_device *d = opened("all");
    gs_graph *g = gs_graph_new();
    gs_plan *p;

    (void)state;
    gs_output(
        g, "z",
        gs_matmul(gs_input(g, "a", GS_SHAPE(3, 4), GS_F32), gs_input(g, "b", GS_SHAPE(4, 5), GS_F32), false, false));
    for (const gs_variant *v = gs_family_variants(GS_FAMILY_GEMM); v->name; v++) {
        char name[GS_TUNING_NAME];

        gs_variant_name(GS_FAMILY_GEMM, v, name);
        assert_ok(gs_tuning_set_verdict(d, name, GS_WRONG, ""));
    }
    assert_fails(gs_compile(g, d, NULL, NULL, &p), GS_EDEVICE, "every variant of gemm wrong");
    assert_ok(gs_compile(g, d, NULL, &(gs_compile_opts){ .use = "gemm/tile" }, &p));
    gs_plan_free(p);
    gs_graph_free(g);
    gs_device_close(d);
}

static void choices_are_taken(void **state)
{
    const gs_problem q = { .family = GS_FAMILY_GEMM, .gemm = { .m = 33, .n = 31, .k = 40, .batch = 1 } };
    gs_choice c = { .variant = "gemm/tile:8", .preset = "gemm/driver", .seconds = 0.5, .preset_seconds = 1 };
    float *y = gs_xalloc(4 * NY), *z = gs_xalloc(4 * NZ), *z2 = gs_xalloc(4 * NZ);
    char conv[GS_TUNING_NAME], gemm[GS_TUNING_NAME], preset[GS_TUNING_NAME];
    gs_device *d = opened("choice");

    (void)state;
    run_both(d, conv, preset, y, z);
    gs_problem_class(&q, c.class);
    assert_string_equal(c.class, "gemm.nn/m48,n32,k48,b1");
    assert_ok(gs_tuning_set_choice(d, &c));
    run_both(d, conv, gemm, y, z2);
    assert_string_equal(gemm, "gemm/tile:8");
    near(z2, z, NZ);
    /* one that is wrong, or that does not exist, is not taken */
    assert_ok(gs_tuning_set_verdict(d, "gemm/tile:8", GS_WRONG, "test"));
    run_both(d, conv, gemm, y, z2);
    assert_string_equal(gemm, preset);
    snprintf(c.variant, sizeof c.variant, "gemm/abacus");
    assert_ok(gs_tuning_set_choice(d, &c));
    run_both(d, conv, gemm, y, z2);
    assert_string_equal(gemm, preset);
    assert_ok(gs_tuning_forget_choices(d));
    assert_null(gs_tuning_choice(d, c.class));
    assert_non_null(gs_tuning_verdict(d, "gemm/tile:8"));
    gs_device_close(d);
    /* "off": nothing is read, nothing written */
    setenv("GESSO_TUNING", "off", 1);
    assert_ok(gs_device_open(NULL, &d));
    assert_null(gs_tuning_verdict(d, "gemm/tile:8"));
    assert_null(gs_tuning_path(d));
    gs_device_close(d);
    free(y), free(z), free(z2);
}

static void classes(void **state)
{
    static const struct { int64_t m; const char *want;
    } t[] = { { 1, "m1," }, { 2, "m2," },  { 3, "m3," },   { 4, "m4," },    { 5, "m6," },
              { 7, "m8," }, { 9, "m12," }, { 96, "m96," }, { 97, "m128," }, { 784, "m1024," } };
    gs_problem q = { .family = GS_FAMILY_CONV_DW,
                     .conv = { .kind = GS_CONV_DW,
                               .n = 3,
                               .xc = 64,
                               .xh = 33,
                               .xw = 32,
                               .yc = 96,
                               .yh = 17,
                               .yw = 16,
                               .kh = 3,
                               .kw = 4,
                               .sh = 2,
                               .sw = 2,
                               .dil = 1,
                               .groups = 2 } };
    char class[GS_TUNING_NAME];

    (void)state;
    gs_problem_class(&q, class);
    assert_string_equal(class, "conv.dw/k3x4,s2x2,d1,g2,c32,o48,h24,w16,n3");
    assert_int_equal((int64_t)gs_problem_flops(&q), 2LL * 3 * 96 * 17 * 16 * 32 * 12);
    for (size_t i = 0; i < GS_COUNT(t); i++) {
        q = (gs_problem){ .family = GS_FAMILY_GEMM, .gemm = { .m = t[i].m, .n = 1, .k = 1, .batch = 1, .tb = true } };
        gs_problem_class(&q, class);
        if (strncmp(class, "gemm.nt/", 8) || strncmp(class + 8, t[i].want, strlen(t[i].want)))
            fail_msg("%d is in %s", (int)t[i].m, class);
    }
}

/* ---- the file ---- */

static void entries_survive(void **state)
{
    gs_choice c = { .class = "gemm.nn/m1,n2,k3,b4",
                    .variant = "gemm/cpu:1",
                    .preset = "gemm/cpu:4",
                    .seconds = 1.25e-3,
                    .preset_seconds = 2e-3 };
    gs_device *a = opened("file"), *b = opened("file");

    (void)state;
    assert_ok(gs_tuning_set_choice(a, &c));
    assert_ok(gs_tuning_set_verdict(b, "conv.y/direct", GS_RIGHT, NULL)); /* b has not seen a's entry, and keeps it */
    assert_ok(gs_tuning_set_verdict(b, "conv.dw/direct", GS_WRONG, "why \x1b[31m"));
    gs_device_close(a);
    gs_device_close(b);
    forget_warnings();
    a = opened("file");
    assert_non_null(gs_tuning_choice(a, c.class));
    assert_string_equal(gs_tuning_choice(a, c.class)->variant, "gemm/cpu:1");
    assert_true(gs_tuning_choice(a, c.class)->seconds == 1.25e-3);
    assert_int_equal(gs_tuning_verdict(a, "conv.y/direct")->verdict, GS_RIGHT);
    assert_string_equal(gs_tuning_verdict(a, "conv.dw/direct")->why, "why  [31m"); /* nothing for a terminal to obey */
    assert_null(gs_tuning_verdict(a, "conv.dx/direct"));
    assert_null(gs_tuning_verdict_at(a, 2));
    assert_null(gs_tuning_choice_at(a, 1));
    assert_int_equal(warnings.len, 0);
    /* names that would not survive are refused */
    assert_fails(gs_tuning_set_verdict(a, "a b", GS_RIGHT, NULL), GS_EINVAL, "no name");
    assert_fails(gs_tuning_set_verdict(a, "", GS_RIGHT, NULL), GS_EINVAL, "no name");
    c.seconds = -1;
    assert_fails(gs_tuning_set_choice(a, &c), GS_EINVAL, "times");
    gs_device_close(a);
}

static void sealed(gs_str *s)
{
    gs_str_printf(s, "end %016llx\n", (unsigned long long)gs_hash64(s->data, s->len, 0));
}

/* Writes a file in the place of the device's store, and opens the device on it: a warning with `part`, and no
 * entries. */
static void refuse(const char *data, size_t size, const char *part)
{
    gs_device *d = opened("hostile");
    char *path = gs_tuning_path(d);

    assert_ok(gs_file_write(path, data, size));
    gs_device_close(d);
    forget_warnings();
    d = opened("hostile");
    assert_null(gs_tuning_verdict_at(d, 0));
    assert_null(gs_tuning_choice_at(d, 0));
    if (!warnings.data || !gs_test_contains(warnings.data, part) || !gs_test_contains(warnings.data, path) ||
        !gs_test_contains(warnings.data, "ignored"))
        fail_msg("wanted a warning with \"%s\", got \"%s\"", part, gs_str_c(&warnings));
    /* it is written anew, and good again */
    assert_ok(gs_tuning_set_verdict(d, "gemm/tile:8", GS_RIGHT, NULL));
    gs_device_close(d);
    forget_warnings();
    d = opened("hostile");
    assert_non_null(gs_tuning_verdict(d, "gemm/tile:8"));
    assert_int_equal(warnings.len, 0);
    gs_device_close(d);
    free(path);
}

static void hostile_files(void **state)
{
    static const char *const lines[][2] = {
        { "verdict gemm/tile:8 maybe", "right or wrong" },
        { "verdict", "right or wrong" },
        { "verdict g\xc3\xbcte right", "no name" },
        { "choice a b 1 c", "a choice is" },
        { "choice a b nan c 1", "a choice is" },
        { "choice a b 1 c 1 d", "a choice is" },
        { "choice a b 0 c 1", "times" },
        { "choice a b 1e300 c 1", "times" },
        { "choice a;b b 1 c 1", "bad characters" },
        { "origami", "no kind" },
    };
    gs_device *d = opened("hostile");
    char *good, *key, *end;
    gs_str s = { 0 };

    (void)state;
    assert_ok(gs_tuning_set_verdict(d, "gemm/tile:16", GS_WRONG, "test"));
    good = gs_tuning_text(d);
    gs_device_close(d);
    refuse("", 0, "line 1");
    refuse("\0\0\0\0", 4, "zero");
    refuse("gesso tuning 2\n", 15, "line 1");
    refuse("gesso tuning 1\nend 0\n", 21, "checksum");
    refuse(good, strlen(good) - 1, "checksum"); /* cut off */
    for (size_t i = 20; i < strlen(good); i += 13) { /* a changed byte */
        char *bad = gs_xstrdup(good);

        bad[i] ^= 1;
        refuse(bad, strlen(bad), "checksum");
        free(bad);
    }
    key = strstr(good, "key ");
    end = strstr(good, "verdict ");
    for (size_t i = 0; i < GS_COUNT(lines); i++) {
        gs_str_printf(&s, "%.*s%s\n", (int)(end - good), good, lines[i][0]);
        sealed(&s);
        refuse(s.data, s.len, lines[i][1]);
        gs_str_free(&s);
        s = (gs_str){ 0 };
    }
    /* many entries are an error before they are memory */
    gs_str_printf(&s, "%.*s", (int)(end - good), good);
    for (int i = 0; i < 20000; i++) gs_str_printf(&s, "verdict v%d right\n", i);
    sealed(&s);
    refuse(s.data, s.len, "more than");
    gs_str_free(&s);
    s = (gs_str){ 0 };
    /* another device's */
    gs_str_printf(&s, "%.*skey 0123456789abcdef\ndevice Other \x1b[2J card\nverdict gemm/tile:8 right\n",
                  (int)(key - good), good);
    sealed(&s);
    refuse(s.data, s.len, "Other  [2J card");
    gs_str_free(&s);
    free(good);
}

/* ---- a run's own copy ---- */

static void a_copy_holds(void **state)
{
    gs_choice c = { .class = "gemm.nn/m48,n32,k48,b1",
                    .variant = "gemm/tile:8",
                    .preset = "gemm/driver",
                    .seconds = 0.5,
                    .preset_seconds = 1 };
    float *y = gs_xalloc(4 * NY), *z = gs_xalloc(4 * NZ);
    char conv[GS_TUNING_NAME], gemm[GS_TUNING_NAME], *copy;
    gs_device *d = opened("copy");
    bool foreign, worse;
    gs_str other = { 0 };

    (void)state;
    assert_ok(gs_tuning_set_choice(d, &c));
    copy = gs_tuning_text(d);
    assert_ok(gs_tuning_forget_choices(d));
    gs_device_close(d);
    d = opened("copy");
    assert_ok(gs_tuning_use(d, copy, "run/tuning.txt", &foreign, &worse));
    assert_false(foreign || worse);
    run_both(d, conv, gemm, y, z);
    assert_string_equal(gemm, "gemm/tile:8");
    assert_ok(gs_tuning_set_choice(d, &c)); /* in memory only */
    gs_device_close(d);
    d = opened("copy");
    assert_null(gs_tuning_choice(d, c.class));
    /* a verdict that has come since counts */
    assert_ok(gs_tuning_set_verdict(d, "gemm/tile:8", GS_WRONG, "since"));
    assert_ok(gs_tuning_use(d, copy, "run/tuning.txt", &foreign, &worse));
    assert_true(worse && !foreign);
    run_both(d, conv, gemm, y, z);
    assert_string_not_equal(gemm, "gemm/tile:8");
    gs_device_close(d);
    /* another device's copy is said to be one and changes nothing; a damaged one is an error */
    d = opened("copy");
    gs_str_printf(&other, "gesso tuning 1\nkey 0123456789abcdef\nchoice %s gemm/tile:8 1 gemm/driver 2\n", c.class);
    sealed(&other);
    assert_ok(gs_tuning_use(d, other.data, "run/tuning.txt", &foreign, &worse));
    assert_true(foreign);
    assert_null(gs_tuning_choice(d, c.class));
    assert_fails(gs_tuning_use(d, "gesso", "run/tuning.txt", &foreign, &worse), GS_EFORMAT, "run/tuning.txt: line 1");
    gs_str_free(&other);
    gs_device_close(d);
    free(copy), free(y), free(z);
}

/* ---- tuning ---- */

static void what_is_picked(void **state)
{
    static const struct { gs_tune_sample s[4]; int n, want; } t[] = {
        { { { 1.0, 0.01, true } }, 1, 0 },
        { { { 1.0, 0.01, true }, { 0.8, 0.01, true } }, 2, 1 },
        { { { 1.0, 0.01, true }, { 0.8, 0.01, true }, { 0.7, 0.01, true }, { 0.75, 0.01, true } }, 4, 2 },
        { { { 1.0, 0.01, true }, { 0.2, 0.01, false } }, 2, 0 },                         /* fast and wrong */
        { { { 1.0, 0.01, true }, { 0.2, 0.01, false }, { 0.9, 0.01, true } }, 3, 2 },
        { { { 1.0, 0.05, true }, { 0.8, 0.05, true } }, 2, 0 },                          /* within the noise */
        { { { 1.0, 0.05, true }, { 0.75, 0.1, true }, { 0.8, 0.01, true } }, 3, 2 },     /* the faster one is too noisy */
        { { { 1.0, 0, true }, { 0.985, 0, true } }, 2, 0 },                              /* too little to change anything for */
        { { { 1.0, 0, true }, { 1.5, 0, true } }, 2, 0 },
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT(t); i++)
        if (gs__tune_pick(t[i].s, t[i].n) != t[i].want)
            fail_msg("case %d: picked %d, not %d", (int)i, gs__tune_pick(t[i].s, t[i].n), t[i].want);
}

static const char *config; /* a small conditional GAN */

typedef struct watch { int stop_after, done, asked; bool eta; char last[GS_TUNING_NAME]; } watch;

static void on_progress(void *user, const gs_tune_progress *p)
{
    watch *w = user;

    assert_true(p->done >= 0 && p->done <= p->total);
    if (p->before) {
        w->eta = w->eta || p->eta > 0;
        return;
    }
    assert_non_null(p->choice);
    assert_string_equal(p->choice->class, p->class);
    assert_true(p->choice->seconds > 0 && p->choice->seconds <= p->choice->preset_seconds);
    snprintf(w->last, sizeof w->last, "%s", p->class);
    w->done++;
}

static bool on_stop(void *user)
{
    watch *w = user;

    w->asked++;
    return w->stop_after && w->done >= w->stop_after;
}

static int choices(gs_device *d)
{
    int n = 0;

    while (gs_tuning_choice_at(d, n)) n++;
    return n;
}

static void tuning_stops_and_goes_on(void **state)
{
    watch w = { .stop_after = 3 };
    gs_tune_opts o = { .configs = &config, .n_configs = 1, .progress = on_progress, .stop = on_stop, .user = &w };
    gs_device *d = opened("tune"), *null;
    gs_tune_result r;
    gs_choice first;

    (void)state;
    assert_fails(gs_tune(d, &o, &r), GS_ESTOPPED, "stopped after 3 of");
    assert_true(r.measured == 3 && r.classes > 6);
    gs_device_close(d);
    d = opened("tune"); /* another process finds what was done */
    assert_int_equal(choices(d), 3);
    first = *gs_tuning_choice_at(d, 0);
    w = (watch){ 0 };
    assert_ok(gs_tune(d, &o, &r));
    assert_int_equal(r.measured, r.classes - 3);
    assert_int_equal(w.done, r.measured);
    assert_true(w.eta && w.asked > w.done);
    assert_int_equal(choices(d), r.classes);
    assert_memory_equal(gs_tuning_choice_at(d, 0), &first, sizeof first); /* not measured again */
    assert_ok(gs_tune(d, &o, &r));
    assert_int_equal(r.measured, 0);
    o.again = true;
    w = (watch){ .stop_after = 1 };
    assert_fails(gs_tune(d, &o, &r), GS_ESTOPPED, "stopped");
    assert_int_equal(r.measured, 1);
    gs_device_close(d);
    assert_ok(gs_device_open("null", &null));
    assert_fails(gs_tune(null, &o, &r), GS_EDEVICE, "computes nothing");
    gs_device_close(null);
}

/* A variant whose kernel is wrong is not taken, however fast, and one that "gesso check" has found wrong is
 * not even run. */
static void wrong_candidates_lose(void **state)
{
    char *dir = gs_path_join(tmp, "kernels"), *path = gs_path_join(dir, "gemm_tile.cl"), *text, *at;
    static const char from[] = "acc[t] = fma(x[t / 4],";
    watch w = { .stop_after = 1 };
    gs_tune_opts o = { .configs = &config, .n_configs = 1, .progress = on_progress, .stop = on_stop, .user = &w };
    gs_str s = { 0 };
    gs_device *d;

    (void)state;
    assert_ok(gs_mkdirs(dir));
    assert_ok(gs_kernel_text("gemm_tile.cl", &text));
    at = strstr(text, from);
    assert_non_null(at);
    gs_str_printf(&s, "%.*sacc[t] = fma(1.01f * x[t / 4],%s", (int)(at - text), text, at + strlen(from));
    assert_ok(gs_file_write(path, s.data, s.len));
    setenv("GESSO_KERNELS", dir, 1);
    d = opened("lose");
    forget_warnings();
    assert_fails(gs_tune(d, &o, NULL), GS_ESTOPPED, "stopped after 1");
    assert_true(gs_test_contains(warnings.data, "gemm/tile:8 disagrees with"));
    assert_null(strstr(gs_tuning_choice_at(d, 0)->variant, "tile"));
    assert_ok(gs_tuning_set_verdict(d, "gemm/tile:8", GS_WRONG, "test"));
    assert_ok(gs_tuning_set_verdict(d, "gemm/tile:16", GS_WRONG, "test"));
    assert_ok(gs_tuning_forget_choices(d));
    w.done = 0;
    forget_warnings();
    assert_fails(gs_tune(d, &o, NULL), GS_ESTOPPED, "stopped after 1");
    assert_false(gs_test_contains(gs_str_c(&warnings), "disagrees"));
    gs_device_close(d);
    unsetenv("GESSO_KERNELS");
    gs_str_free(&s);
    free(text), free(path), free(dir);
}

/* ---- the program ---- */

/* Starts the program, arguments up to a NULL, silent. */
static pid_t start(const char *const *arguments)
{
    char *argv[16] = { (char *)(uintptr_t)gs_test_program_path() };
    pid_t pid;

    for (int i = 0; arguments[i]; i++) argv[i + 1] = (char *)(uintptr_t)arguments[i];
    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        freopen("/dev/null", "w", stdout);
        freopen("/dev/null", "w", stderr);
        execv(argv[0], argv);
        _exit(127);
    }
    return pid;
}

static int wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0) assert_int_equal(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Lines of the text that begin with "choice". */
static int choice_lines(const char *path)
{
    char *text;
    int n = 0;

    if (!gs_file_exists(path)) return 0;
    text = gs_test_slurp(path);
    for (const char *p = text; (p = strstr(p, "\nchoice ")); p++) n++;
    free(text);
    return n;
}

/* Interrupted as soon as the store has grown, twice: each start goes on behind what the former one left. */
static void the_program_stops_and_goes_on(void **state)
{
    const char *const arguments[] = { "tune", config, NULL };
    gs_device *d = opened("program");
    char *path = gs_tuning_path(d), *before = NULL;
    int n = 0;

    (void)state;
    gs_device_close(d);
    for (int turn = 0; turn < 2; turn++) {
        const pid_t pid = start(arguments);
        int status, more = n;

        for (int i = 0; i < 120000 && (more = choice_lines(path)) == n && waitpid(pid, &status, WNOHANG) == 0; i++)
            usleep(1000);
        assert_int_equal(kill(pid, SIGINT), 0);
        assert_int_equal(wait_for(pid), 130);
        more = choice_lines(path);
        assert_true(more > n);
        n = more;
        if (before) { /* its entries stand as they were */
            char *now = gs_test_slurp(path), *end = strstr(before, "\nend ");

            assert_int_equal(strncmp(before, now, (size_t)(end - before)), 0);
            free(now);
            free(before);
        }
        before = gs_test_slurp(path);
    }
    free(before);
    free(path);
}

static void a_run_tunes_first(void **state)
{
    char *run = gs_path_join(tmp, "run"), *copy = gs_path_join(run, "tuning.txt"), *path;
    const char *const train[] = { "train", config, "--tune", "--steps", "2", "--run", run, "--quiet", NULL };
    const char *const resume[] = { "train", config, "--tune", "--resume", "--run", run, "--quiet", NULL };
    gs_device *d = opened("train");

    (void)state;
    path = gs_tuning_path(d);
    gs_device_close(d);
    assert_int_equal(wait_for(start(train)), 0);
    assert_true(choice_lines(path) > 6);
    assert_int_equal(choice_lines(copy), choice_lines(path)); /* the run keeps to them */
    assert_int_equal(wait_for(start(resume)), 2);
    free(run), free(copy), free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes),
        cmocka_unit_test(entries_survive),
        cmocka_unit_test(hostile_files),
        cmocka_unit_test(wrong_variants_give_way),
        cmocka_unit_test(nothing_is_left_to_use),
        cmocka_unit_test(choices_are_taken),
        cmocka_unit_test(a_copy_holds),
        cmocka_unit_test(what_is_picked),
        cmocka_unit_test(tuning_stops_and_goes_on),
        cmocka_unit_test(wrong_candidates_lose),
        cmocka_unit_test(the_program_stops_and_goes_on),
        cmocka_unit_test(a_run_tunes_first),
    };
    static const char ini[] =
        "[model]\nsystem = cgan\nprofile = bars\n[train]\nbatch_size = 800\nn_epochs = 1\n[sample]\nsample_interval = 0\n[log]\nplots = 0\n";
    char *path;

    tmp = gs_test_tmpdir();
    path = gs_path_join(tmp, "small.ini");
    if (gs_file_write(path, ini, strlen(ini)) != GS_OK) return 1;
    config = path;
    gs_log_set(keep_warning, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
