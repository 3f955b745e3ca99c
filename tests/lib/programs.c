/* Gathering programs: null devices tell what is built on them. */
#include "testlib.h"

#include "programs.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"
#include "device/kernels.h"
#include "eval/opcase.h"
#include "gesso/gesso.h"
#include "graph/graph.h"
#include "train/system.h"
#include "train/trainer_int.h"

static const size_t TOGETHER = 48 << 10; /* bytes of generated source in one program */

typedef struct gathered {
    gs_test_program *list; int n, cap;
    uint64_t *seen; int n_seen, cap_seen; /* hashes of what is in the list, or of generated kernels */
    bool cpu;                             /* what is being gathered */
    gs_str pile[2];                       /* generated kernels that wait to be a program, GPU and CPU forms */
    int piles;
} gathered;

static bool seen(gathered *all, uint64_t hash)
{
    for (int i = 0; i < all->n_seen; i++)
        if (all->seen[i] == hash) return true;
    GS_PUSH(all->seen, all->n_seen, all->cap_seen, hash);
    return false;
}

static void add(gathered *all, const char *label, const char *options, const char *source, bool generated, bool cpu)
{
    const gs_test_program p = {gs_xstrdup(label), gs_xstrdup(options), gs_xstrdup(source), generated, cpu};

    GS_PUSH(all->list, all->n, all->cap, p);
}

static void end_pile(gathered *all, int which)
{
    char label[32];

    if (!all->pile[which].len) return;
    snprintf(label, sizeof label, "generated %d", ++all->piles);
    add(all, label, "", all->pile[which].data, true, which == 1);
    all->pile[which].len = 0;
}

/* Generated source is one kernel after the other, each starting a line; their names tell them apart. */
static void take_generated(gathered *all, const char *source)
{
    static const char *const start = "__kernel ";
    gs_str *pile = &all->pile[all->cpu];

    for (const char *k = strstr(source, start), *next; k; k = next) {
        next = strstr(k + 1, "\n__kernel ");
        next = next ? next + 1 : NULL;
        const size_t n = next ? (size_t)(next - k) : strlen(k);

        if (seen(all, gs_hash64(k, n, (uint64_t)all->cpu))) continue;
        gs_str_append(pile, k, n);
        if (pile->len > TOGETHER) end_pile(all, all->cpu);
    }
}

static void told(void *user, const char *label, const char *source, const char *options)
{
    gathered *all = user;
    const bool file = strlen(label) > 3 && !strcmp(label + strlen(label) - 3, ".cl");
    /* each epilogue with one of the forms of its file, not with all */
    const char *end = strncmp(source, "#undef GS_END", 13) ? NULL : strstr(source, "\n}\n");
    uint64_t hash = gs_hash_str(label);

    if (!file) {
        take_generated(all, source);
        return;
    }
    if (end) hash = gs_hash64(source, (size_t)(end - source), hash);
    else hash = gs_hash64(options, strlen(options) + 1, hash);
    /* devices that look like CPUs come last: options that only they use (vectors of 16 lanes) are forms for them */
    if (!seen(all, hash)) add(all, label, options, source, end != NULL, all->cpu || strstr(label, "_cpu") != NULL);
}

static void plan_on(gs_device *d, gs_graph *g)
{
    gs_store *s;
    gs_plan *p;

    assert_ok(gs_store_new(d, 1, &s));
    assert_ok(gs_compile(g, d, s, NULL, &p));
    gs_plan_free(p);
    gs_store_free(s);
}

/* What training, sampling and translating plan for a configuration, at its own sizes. */
static void plans_of(gs_device *d, const gs_setup *s)
{
    const gs_system *y = s->system;
    const int batch = y->batch_size(s->model);
    gs_graph *g = gs_graph_new();

    assert_ok(y->build_step(s->model, g, batch));
    gs__sums_build(g, y->n_metrics);
    plan_on(d, g);
    gs_graph_free(g);
    for (int train = 0; train < 2 && y->build_sampler; train++) {
        g = gs_graph_new();
        assert_ok(y->build_sampler(s->model, g, 64, train));
        plan_on(d, g);
        gs_graph_free(g);
    }
    for (int i = 0; !y->build_sampler && y->directions[i]; i++) {
        g = gs_graph_new();
        assert_ok(y->build_translator(s->model, g, 1, i));
        plan_on(d, g);
        gs_graph_free(g);
        g = gs_graph_new();
        assert_ok(y->build_sheet(s->model, g, i));
        plan_on(d, g);
        gs_graph_free(g);
    }
}

/* All profiles of all systems, as the choices of [model] profile. */
static void profiles(gs_device *d)
{
    for (int i = 0; gs_systems[i]; i++) {
        const gs_config_row *rows;
        const char *p = "";
        int n;

        rows = gs_systems[i]->rows(&n);
        for (int r = 0; r < n; r++)
            if (!strcmp(rows[r].section, "model") && !strcmp(rows[r].key, "profile") && rows[r].choices) p = rows[r].choices;
        do {
            const int len = (int)strcspn(p, " ");
            char text[200];
            gs_setup *s;

            snprintf(text, sizeof text, "[model]\nsystem = %s\n%s%.*s\n", gs_systems[i]->name, len ? "profile = " : "", len, p);
            assert_ok(gs_setup_parse(text, gs_systems[i]->name, NULL, 0, &s));
            plans_of(d, s);
            gs_setup_free(s);
            p += len;
            p += *p == ' ';
        } while (*p);
    }
}

static void configurations(gs_device *d)
{
    char **names;
    int n, used = 0;

    assert_ok(gs_dir_list("configs", &names, &n)); /* tests run in the repository's root */
    for (int i = 0; i < n; i++) {
        const size_t len = strlen(names[i]);
        char *path = gs_path_join("configs", names[i]);
        gs_setup *s;

        if (len > 4 && !strcmp(names[i] + len - 4, ".ini")) {
            assert_ok(gs_setup_load(path, NULL, 0, &s));
            plans_of(d, s);
            gs_setup_free(s);
            used++;
        }
        free(path);
        free(names[i]);
    }
    free(names);
    assert_true(used > 0);
}

static gs_node *weighed(gs_graph *g, gs_node *x, int which)
{
    char name[16];

    snprintf(name, sizeof name, "seed%d", which);
    return gs_sum(gs_mul(x, gs_input(g, name, gs_node_shape(x), GS_F32)), GS_ALL, false);
}

/* The result, its gradients, and the gradients of those, as outputs. */
static void op_case(gs_device *d, const gs_opcase *c)
{
    gs_graph *g = gs_graph_new();
    gs_node *x[GS_OPCASE_OPERANDS], *wrt[GS_OPCASE_OPERANDS], *dx[GS_OPCASE_OPERANDS], *y, *s, *t = NULL;
    char name[32];
    int n = 0;

    for (int i = 0; i < c->n_operands; i++) x[i] = gs_input(g, c->operand[i].name, c->operand[i].shape, c->operand[i].dtype);
    y = gs_opcase_build(c, g, x);
    gs_output(g, "result", y);
    for (int i = 0; i < c->n_operands; i++)
        if (gs_opcase_wants_grad(c, i)) wrt[n++] = x[i];
    for (int order = 1; order <= 2 && n > 0 && gs_node_dtype(y) == GS_F32; order++) {
        s = order == 1 ? weighed(g, y, 0) : t;
        t = NULL;
        gs_grad(s, wrt, n, dx);
        for (int i = 0; i < n; i++) {
            gs_node *term = order == 1 ? weighed(g, dx[i], i + 1) : NULL;

            snprintf(name, sizeof name, "d%d_%d", order, i);
            gs_output(g, name, dx[i]);
            t = t && term ? gs_add(t, term) : term;
        }
    }
    if (gs_graph_status(g) != GS_OK) fail_msg("line %d: %s: %s", c->line, c->text, gs_last_error());
    plan_on(d, g);
    gs_graph_free(g);
}

static void op_cases(gs_device *d)
{
    gs_opcase *cases;
    int n;

    assert_ok(gs_opcases_parse(gs__opcases_text, &cases, &n));
    for (int i = 0; i < n; i++)
        if (!cases[i].error[0]) op_case(d, &cases[i]);
    gs_opcases_free(cases, n);
}

/* Forms that no small tensor needs: more rows than CUDA has groups along y. */
static void large_sum(gs_device *d)
{
    gs_graph *g = gs_graph_new();

    gs_output(g, "y", gs_sum(gs_input(g, "x", GS_SHAPE(65540, 2, 2), GS_F32), GS_AXIS(1), false));
    plan_on(d, g);
    gs_graph_free(g);
}

/* Variants that are no preset on this device, with each kind of padding. */
static void variants(gs_device *d)
{
    static const struct { const char *use; int k, stride; } form[] = {
        { "conv/winograd:4", 3, 1 }, { "conv/winograd:4", 4, 2 }, { "conv/winograd:2", 3, 1 }, { "conv/winograd:3", 4, 1 },
        { "conv/fused:4", 3, 1 }, { "conv/fused:4", 4, 2 }, { "conv/fused:3", 4, 1 } };

    for (size_t i = 0; i < GS_COUNT(form); i++)
        for (int mode = 0; mode < 3; mode++) {
            const int k = form[i].k;
            gs_graph *g = gs_graph_new();
            gs_node *x = gs_input(g, "x", GS_SHAPE(2, 8, 12, 12), GS_F32), *w = gs_input(g, "w", GS_SHAPE(16, 8, k, k), GS_F32);
            gs_node *y = gs_conv2d(x, w, &(gs_conv2d_opts){ .stride = form[i].stride, .pad = 1, .pad_mode = (gs_pad_mode)mode }), *wrt[] = { x, w }, *dx[2];
            gs_store *s;
            gs_plan *p;

            gs_grad(weighed(g, y, 0), wrt, 2, dx);
            gs_output(g, "y", y);
            gs_output(g, "dx", dx[0]);
            gs_output(g, "dw", dx[1]);
            assert_ok(gs_store_new(d, 1, &s));
            assert_ok(gs_compile(g, d, s, &(gs_compile_opts){ .use = form[i].use }, &p));
            gs_plan_free(p);
            gs_store_free(s);
            gs_graph_free(g);
        }
}

/* What a device that ends loops gets: kernels that do a part of a sum. */
static void long_sums(gs_device *d)
{
    const int64_t was = d->loop_turns, n = 70000;
    const gs_attr one = { .i = { 1, 1, 0, 0, 1, 1, 1, 1 } }; /* a kernel of 1 x 1 */
    const gs_conv2d_opts plain = { 0 };
    gs_graph *g = gs_graph_new();
    gs_node *line = gs_input(g, "line", GS_SHAPE(n, 2), GS_F32), *index = gs_input(g, "index", GS_SHAPE(n), GS_I32);
    gs_node *image = gs_input(g, "image", GS_SHAPE(1, 8, 300, 300), GS_F32), *few = gs_input(g, "few", GS_SHAPE(1, 2, 300, 300), GS_F32);
    gs_node *w = gs_input(g, "w", GS_SHAPE(8, 8, 300, 300), GS_F32), *cell = gs_input(g, "cell", GS_SHAPE(1, 1, 1, 1), GS_F32), *dx;

    gs_output(g, "max", gs_max(line, 0, false));
    gs_output(g, "argmax", gs_argmax(line, 0, false));
    gs_output(g, "cumsum", gs_cumsum(line, 0, false));
    gs_output(g, "scatter", gs_scatter_add(index, line, 3));
    gs_grad(gs_sum(gs_adaptive_max_pool2d(cell, 300, 300), GS_ALL, false), &cell, 1, &dx);
    gs_output(g, "window", gs_adaptive_max_pool2d(image, 1, 1));
    gs_output(g, "cover", dx);
    gs_output(g, "tile", gs_conv2d(image, w, &plain));
    gs_output(g, "direct", gs_conv2d(few, few, &plain));
    gs_output(g, "direct_dw", gs__node2(&gs_op_conv2d_dw, few, few, &one));
    d->loop_turns = 65535;
    plan_on(d, g);
    d->loop_turns = was;
    gs_graph_free(g);
}

/* Which models take part beside the op cases. */
typedef enum models { OPS, PROFILES, CONFIGURATIONS } models;

/* The driver's products and ours differ in nothing else, so models need not be planned with both. */
static void gather_on(gathered *all, const char *spec, bool own_gemm, size_t max_group, models with)
{
    gs_driver driver;
    gs_device *d;

    assert_ok(gs_device_open(spec, &d));
    if (own_gemm) { /* as on a device without a library for it: Gesso's kernels are planned */
        driver = *d->drv;
        driver.gemm = NULL;
        d->drv = &driver;
    }
    if (max_group) d->info.max_group = max_group;
    d->info.memory = d->info.max_alloc = SIZE_MAX / 4; /* nothing is allocated: the largest configuration has its plan */
    all->cpu = d->info.local_is_global;
    gs_null_on_build(d, told, all);
    op_cases(d);
    large_sum(d);
    variants(d);
    long_sums(d);
    if (with >= PROFILES) profiles(d);
    if (with >= CONFIGURATIONS) configurations(d);
    gs_device_close(d);
}

const gs_test_program *gs_test_programs(int *n)
{
    static gathered all; /* gathering takes seconds: once a process */

    *n = all.n;
    if (all.n) return all.list;
    for (const gs_kernel_file *f = gs__kernel_files; f->name; f++) {
        char *source;

        if (strlen(f->name) <= 3 || strcmp(f->name + strlen(f->name) - 3, ".cl")) continue;
        assert_ok(gs_kernel_source(f->name, &source));
        told(&all, f->name, source, "");
        free(source);
    }
    gather_on(&all, "null", false, 0, OPS);
    gather_on(&all, "null", true, 0, CONFIGURATIONS);
    gather_on(&all, "null", true, 64, PROFILES); /* smaller tiles and groups */
    gather_on(&all, "null:cpu", false, 0, CONFIGURATIONS);
    end_pile(&all, 0);
    end_pile(&all, 1);
    gs_str_free(&all.pile[0]);
    gs_str_free(&all.pile[1]);
    free(all.seen);
    all.seen = NULL;
    *n = all.n;
    return all.list;
}

char *gs_test_program_text(const gs_test_program *p, bool define_options)
{
    gs_str text = {0};
    char *dialect, *math = NULL;

    for (const char *o = define_options ? p->options : ""; (o = strstr(o, "-D"));) {
        const size_t n = strcspn(o, " ");
        const char *is = memchr(o, '=', n);

        if (is) gs_str_printf(&text, "#define %.*s %.*s\n", (int)(is - o - 2), o + 2, (int)(o + n - is - 1), is + 1);
        else gs_str_printf(&text, "#define %.*s 1\n", (int)n - 2, o + 2);
        o += n;
    }
    assert_ok(gs_kernel_text("dialect.h", &dialect));
    if (p->cpu) assert_ok(gs_kernel_text("math_cpu.h", &math)); /* as src/device/opencl_program.c */
    gs_str_printf(&text, "#line 1 \"dialect.h\"\n%s\n#line 1 \"math_cpu.h\"\n%s\n#line 1 \"%s\"\n", dialect, math ? math : "", p->label);
    gs_str_append(&text, p->source, strlen(p->source));
    free(dialect);
    free(math);
    return text.data;
}

void gs_test_program_kernels(const gs_test_program *p, void (*fn)(void *user, const char *name), void *user)
{
    for (const char *k = p->source; (k = strstr(k, "__kernel"));) {
        char name[128];
        size_t n = 0;
        const char *open, *v;

        k += strlen("__kernel");
        v = strstr(k, "void ");
        if (!v || v - k > 64) continue; /* the word in a comment */
        v += strlen("void ");
        open = strchr(v, '(');
        for (; open && v < open && n + 1 < sizeof name && (isalnum((unsigned char)*v) || *v == '_'); v++) name[n++] = *v;
        name[n] = '\0';
        if (n && v == open) fn(user, name);
    }
}
