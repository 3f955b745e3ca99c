/* gesso import: weights under the keys of the original implementations' state dicts. Names inside a model's file are those keys behind the network's
 * prefix ("G.fc1.0.weight"), so it is a copy, and finding out which configuration the shapes belong to. The other way: cmd_export.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/model.h"
#include "eval/judge.h"
#include "io/safetensors.h"

enum { MAX_FILES = 8 };

/* ---- what the files hold ---- */

typedef struct item {
    const gs_st_tensor *t;
    const char *key; /* without a wrapper's "module." */
    int file;
} item;

typedef struct source {
    gs_st_file *file[MAX_FILES];
    int n_files;
    item *items;
    int n, cap;
} source;

/* PyTorch's counters of batches have no counterpart here, and nothing depends on them. */
static bool is_counter(const char *key)
{
    const char *end = "num_batches_tracked";
    const size_t n = strlen(key), m = strlen(end);

    return n >= m && strcmp(key + n - m, end) == 0;
}

static gs_status source_open(source *s, const cli_args *a)
{
    gs_status st = GS_OK;

    for (int i = 0; i < cli_operands(a) && st == GS_OK; i++) {
        const char *path = cli_operand(a, i);

        st = cli_refuse_pickle(path);
        if (st == GS_OK) st = gs_st_open(path, &s->file[s->n_files]);
        if (st != GS_OK) break;
        for (int k = 0; k < gs_st_count(s->file[i]); k++) {
            const gs_st_tensor *t = gs_st_at(s->file[i], k);
            const char *key = strncmp(t->name, "module.", 7) == 0 ? t->name + 7 : t->name;

            if (!is_counter(key)) GS_PUSH(s->items, s->n, s->cap, ((item){ t, key, i }));
        }
        s->n_files++;
    }
    if (st == GS_OK && s->n == 0) st = gs_fail(GS_EFORMAT, "%s: no tensors", cli_operand(a, 0));
    return st;
}

static void source_free(source *s)
{
    for (int i = 0; i < s->n_files; i++) gs_st_close(s->file[i]);
    free(s->items);
}

/* ---- a configuration that fits ---- */

typedef struct candidate {
    gs_setup *setup;
    gs_graph *g;
    gs_var **vars;  /* of the networks */
    int n_vars;
    int *from;      /* by variable: index of the item, or -1 */
    const char *net[MAX_FILES]; /* prefix to put before a file's keys, "" when they have one */
    int matched;
} candidate;

static void candidate_free(candidate *c)
{
    free(c->vars);
    free(c->from);
    gs_graph_free(c->g);
    gs_setup_free(c->setup);
    *c = (candidate){ 0 };
}

static bool same_shape(const gs_var *v, const gs_st_tensor *t)
{
    const gs_shape s = gs_var_shape(v);

    if (s.rank != t->rank) return false;
    for (int i = 0; i < s.rank; i++) {
        if (s.dim[i] != t->shape[i]) return false;
    }
    return true;
}

static bool same_name(const gs_var *v, const char *prefix, const char *key)
{
    const char *name = gs_var_name(v);
    const size_t n = strlen(prefix);

    if (strncmp(name, prefix, n) != 0) return false;
    return strcmp(name + n, strncmp(key, "module.", 7) == 0 ? key + 7 : key) == 0;
}

/* How well a file fits: tensors of the right name and shape, and of the right name at all. */
typedef struct fit {
    int shape, name;
} fit;

static bool better(fit a, fit b)
{
    return a.shape != b.shape ? a.shape > b.shape : a.name > b.name;
}

/* Pairs the items of one file with variables under a prefix. commit: notes the pairs. */
static fit pair(candidate *c, const source *s, int file, const char *prefix, bool commit)
{
    fit f = { 0 };

    for (int i = 0; i < s->n; i++) {
        if (s->items[i].file != file) continue;
        for (int v = 0; v < c->n_vars; v++) {
            if (!same_name(c->vars[v], prefix, s->items[i].key)) continue;
            f.name++;
            if (!same_shape(c->vars[v], s->items[i].t)) break;
            f.shape++;
            if (commit) c->from[v] = i;
            break;
        }
    }
    return f;
}

/* Builds the networks of a configuration and pairs the files with them; a file without prefixes goes to the
 * network that it fits best. */
static gs_status candidate_make(candidate *c, const source *s, const char *text, const char *const *set, int n_set, const char *net)
{
    gs_status st;

    *c = (candidate){ .g = gs_graph_new() };
    TRY(gs_setup_parse(text, "import", set, n_set, &c->setup));
    TRY(c->setup->system->build_step(c->setup->model, c->g, 2));
    for (const char *const *p = c->setup->system->networks; *p; p++) c->n_vars += gs_variables(c->g, *p, NULL, 0);
    c->vars = gs_xalloc((size_t)c->n_vars * sizeof *c->vars);
    c->from = gs_xalloc((size_t)c->n_vars * sizeof *c->from);
    for (int v = 0; v < c->n_vars; v++) c->from[v] = -1;
    for (int at = 0, k = 0; c->setup->system->networks[k]; k++) at += gs_variables(c->g, c->setup->system->networks[k], c->vars + at, c->n_vars - at);

    for (int f = 0; f < s->n_files; f++) {
        const char *best = net ? net : "";
        fit most = pair(c, s, f, best, false);

        for (const char *const *p = c->setup->system->networks; *p && !net; p++) {
            const fit k = pair(c, s, f, *p, false);

            if (better(k, most)) best = *p, most = k;
        }
        c->net[f] = best;
        c->matched += pair(c, s, f, best, true).shape;
    }
done:
    if (st != GS_OK) candidate_free(c);
    return st;
}

static bool mentions(const char *const *set, int n, const char *key)
{
    for (int i = 0; i < n; i++) {
        const size_t len = strlen(key);

        if (strncmp(set[i], key, len) == 0 && (set[i][len] == '=' || set[i][len] == ' ')) return true;
    }
    return false;
}

/* The values of one key that are worth trying: those of --set alone when it is there. */
typedef struct axis {
    const char *key;
    const char *value[12];
    int n;
} axis;

static axis axis_of(const char *key, const char *const *set, int n_set, const char *values)
{
    axis x = { .key = key };
    char text[256];
    char *save = NULL;

    if (mentions(set, n_set, key)) {
        x.n = 1; /* value[0] NULL: leave it to --set */
        return x;
    }
    snprintf(text, sizeof text, "%s", values);
    for (char *p = strtok_r(text, " ", &save); p && x.n < (int)GS_COUNT(x.value); p = strtok_r(NULL, " ", &save)) x.value[x.n++] = gs_xstrdup(p);
    return x;
}

static void axis_free(axis *x)
{
    for (int i = 0; i < x->n; i++) free((char *)(uintptr_t)x->value[i]);
}

static void append(gs_str *s, const axis *x, int i)
{
    if (x->value[i]) gs_str_printf(s, "%s = %s\n", x->key + strlen("model."), x->value[i]);
}

/* "profile concat", "system ugatit": what a candidate is called. */
static const char *candidate_name(const candidate *c, char text[80])
{
    const char *profile = gs_config_text(c->setup->config, "model", "profile");

    snprintf(text, 80, "%s %.60s", profile ? "profile" : "system", profile ? profile : c->setup->system->name);
    return text;
}

/* Tries profiles, picture sizes and the few keys that change shapes, and keeps what pairs most tensors; the
 * first of equals. Systems without profiles tell from the shapes. */
static gs_status find_config(candidate *best, const source *s, const gs_system *system, const char *const *set, int n_set, const char *net)
{
    axis profile = axis_of("model.profile", set, n_set, "concat embed paper ln cdcgan ar bars zn_mlp");
    axis size = axis_of("model.image_size", set, n_set, "auto 28 32");
    axis channels = axis_of("model.image_channels", set, n_set, "1 3");
    axis label = axis_of("model.label_input", set, n_set, "auto onehot embedding");
    axis joint = axis_of("model.paper_joint", set, n_set, "dense concat");
    gs_status st = GS_OK, first = GS_OK;
    char *message = NULL;

    if (system->guess) {
        const gs_st_tensor **t = gs_xalloc((size_t)s->n * sizeof *t);
        gs_str text = { 0 };

        for (int i = 0; i < s->n; i++) t[i] = s->items[i].t;
        gs_str_printf(&text, "[model]\nsystem = %s\n", system->name);
        system->guess(t, s->n, &text);
        st = candidate_make(best, s, gs_str_c(&text), set, n_set, net);
        gs_str_free(&text);
        free(t);
        goto done;
    }
    for (int p = 0; p < profile.n; p++)
        for (int z = 0; z < size.n; z++)
            for (int c = 0; c < channels.n; c++)
                for (int l = 0; l < label.n; l++)
                    for (int j = 0; j < joint.n; j++) {
                        gs_str text = { 0 };
                        candidate k;

                        if (best->setup && best->matched == s->n) continue; /* all of it is at home */
                        gs_str_printf(&text, "[model]\nsystem = %s\n", system->name);
                        append(&text, &profile, p), append(&text, &size, z), append(&text, &channels, c);
                        append(&text, &label, l), append(&text, &joint, j);
                        st = candidate_make(&k, s, gs_str_c(&text), set, n_set, net);
                        gs_str_free(&text);
                        if (st != GS_OK) { /* cdcgan of 28 pixels, say; only of interest when nothing works */
                            if (first == GS_OK) first = st, message = gs_xstrdup(gs_last_error());
                        } else if (!best->setup || k.matched > best->matched) {
                            candidate_free(best);
                            *best = k;
                        } else {
                            candidate_free(&k);
                        }
                    }
    st = best->setup ? GS_OK : gs_fail(first, "%s", message ? message : "import: no configuration");
done:
    free(message);
    axis_free(&profile), axis_free(&size), axis_free(&channels), axis_free(&label), axis_free(&joint);
    return st;
}

/* ---- the checks that a pairing is right ---- */

/* Every tensor of the files belongs somewhere, every variable of a network that the files touch has a tensor,
 * and the first network (the generator) is whole; of systems with a generator for each direction, any network
 * is. */
static gs_status check(const candidate *c, const source *s)
{
    char a[96], name[80];

    for (int i = 0; i < s->n; i++) {
        bool used = false;
        const item *it = &s->items[i];

        for (int v = 0; v < c->n_vars && !used; v++) used = c->from[v] == i;
        if (used) continue;
        for (int v = 0; v < c->n_vars; v++) {
            if (same_name(c->vars[v], c->net[it->file], it->key)) {
                gs_str shape = { 0 };
                gs_status st;

                for (int d = 0; d < it->t->rank; d++) gs_str_printf(&shape, "%s%lld", d ? "," : "", (long long)it->t->shape[d]);
                st = gs_fail(GS_EFORMAT, "%s: %s has the shape %s, the nearest configuration (%s) wants %s; set the keys of the sizes: "
                             "--set model.KEY=N (\"gesso info\" on a configuration shows the shapes)", it->t->file, it->t->name, gs_str_c(&shape),
                             candidate_name(c, name), gs_shape_text(gs_var_shape(c->vars[v]), a));
                gs_str_free(&shape);
                return st;
            }
        }
        return gs_fail(GS_EFORMAT, "%s: tensor %s belongs to no network of system %s (nearest: %s): is it another system, or "
                       "does --net or --set model.KEY=VALUE help?", it->t->file, it->t->name, c->setup->system->name, candidate_name(c, name));
    }
    for (const char *const *net = c->setup->system->networks; *net; net++) {
        bool touched = net == c->setup->system->networks && !c->setup->system->directions;
        const char *missing = NULL;

        for (int v = 0; v < c->n_vars; v++) {
            if (strncmp(gs_var_name(c->vars[v]), *net, strlen(*net)) != 0) continue;
            if (c->from[v] >= 0) touched = true;
            else if (!missing) missing = gs_var_name(c->vars[v]);
        }
        if (touched && missing) {
            return gs_fail(GS_EFORMAT, "%s: no tensor for %s (%s)", s->items[0].t->file, missing, candidate_name(c, name));
        }
    }
    return GS_OK;
}

static gs_status write_model(const candidate *c, const source *s, const char *path)
{
    gs_st_writer *w = gs_st_writer_new();
    float **data = gs_xalloc((size_t)c->n_vars * sizeof *data);
    gs_str config = { 0 };
    gs_status st = GS_OK;

    TRY(cli_without_averages(c->setup->config));
    gs_config_write(c->setup->config, &config);
    gs_st_writer_meta(w, "system", c->setup->system->name);
    gs_st_writer_meta(w, "config", gs_str_c(&config));
    for (int v = 0; v < c->n_vars; v++) {
        const gs_shape shape = gs_var_shape(c->vars[v]);
        const gs_st_tensor *t;

        if (c->from[v] < 0) continue;
        t = s->items[c->from[v]].t;
        data[v] = gs_try_alloc(t->count, sizeof(float), t->name);
        if (!data[v]) TRY(GS_ENOMEM);
        gs_st_to_f32(t, data[v]);
        for (size_t i = 0; i < t->count; i++) {
            if (!isfinite(data[v][i])) TRY(gs_fail(GS_EFORMAT, "%s: %s: element %zu is not finite", t->file, t->name, i));
        }
        gs_st_writer_add(w, gs_var_name(c->vars[v]), GS_ST_F32, shape.rank, shape.dim, data[v]);
    }
    TRY(gs_st_writer_save(w, path));
done:
    for (int v = 0; v < c->n_vars; v++) free(data[v]);
    free(data);
    gs_str_free(&config);
    gs_st_writer_free(w);
    return st;
}

/* ---- the command ---- */

static const cli_option import_options[] = {
    { 0, "system", "NAME", CLI_TEXT, .preset = "cgan", .help = "the system that the weights belong to; inception: the judge of \"gesso eval\"" },
    { 0, "net", "NET", CLI_TEXT, .help = "the network (G, D; genA2B, disGA, ...) whose keys FILE has without a prefix; default: the one that they fit" },
    CLI_SET,
    CLI_OUT("file to write; \"gesso generate\" and \"gesso eval\" read it"),
};

/* Inception-v3 is no system that trains: its weights are checked, and written as "gesso eval" wants them. */
static gs_status import_inception(const cli_args *a)
{
    const char *path = cli_operand(a, 0), *out = cli_text(a, "output");
    gs_inception_weights w = { 0 };
    int n_set;
    const char **set = cli_values(a, "set", &n_set);
    gs_status st = GS_OK;

    free(set);
    if (!out) TRY(gs_fail(GS_EUSAGE, "import: where to? -o FILE.safetensors"));
    if (cli_operands(a) > 1 || cli_text(a, "net") || n_set) TRY(gs_fail(GS_EUSAGE, "import: --system inception takes one FILE and neither --net nor --set"));
    TRY(cli_refuse_pickle(path));
    TRY(gs_inception_weights_open(path, &w));
    TRY(gs_inception_weights_save(&w, out));
    if (!cli_quiet(a)) {
        char count[32];

        fprintf(stderr, "%s: %d tensors, %s parameters, graph %s; use it: gesso eval RUN --inception %s\n", out, w.tensors, gs_count_text(count, w.parameters),
                gs_inception_graph_name(w.o.graph), out);
    }
done:
    gs_inception_weights_close(&w);
    return st;
}

static gs_status import(const cli_args *a)
{
    const char *out = cli_text(a, "output"), *net = NULL;
    const gs_system *system;
    source s = { 0 };
    candidate c = { 0 };
    int n_set;
    const char **set = cli_values(a, "set", &n_set);
    char name[80];
    gs_status st;

    if (strcmp(cli_text(a, "system"), "inception") == 0) {
        st = import_inception(a);
        goto done;
    }
    TRY(gs_system_find(cli_text(a, "system"), "--system", &system));
    TRY(cli_network(system, cli_text(a, "net"), &net));
    if (!out) TRY(gs_fail(GS_EUSAGE, "import: where to? -o FILE.safetensors"));
    if (net && cli_operands(a) > 1) TRY(gs_fail(GS_EUSAGE, "import: --net goes with one FILE"));
    TRY(source_open(&s, a));
    TRY(find_config(&c, &s, system, set, n_set, net));
    TRY(check(&c, &s));
    TRY(write_model(&c, &s, out));
    if (!cli_quiet(a)) fprintf(stderr, "%s: %d tensors, %s\n", out, c.matched, candidate_name(&c, name));
done:
    free(set);
    candidate_free(&c);
    source_free(&s);
    return st;
}

const cli_command cli_import = {
    .name = "import", .operands = "FILE...", .summary = "Turns weights from elsewhere into a model that can be used",
    .about = "FILE is a safetensors file with the keys of the Python originals' state dicts (\"fc1.0.weight\"), with or without \"G.\" and \"D.\" before\n"
             "them; several files, one a network, make one model. Profile and sizes are found by the shapes, or said by --set.",
    .min_operands = 1, .max_operands = MAX_FILES, .options = import_options, .n_options = (int)GS_COUNT(import_options), .run = import,
};
