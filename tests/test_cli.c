/* The program as its users meet it: what it prints, where, and how it ends. Runs $GESSO_BUILD/gesso (default
 * build/gesso). */
#include "lib/testlib.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/image.h"
#include "io/safetensors.h"
#include "lib/command.h"

static char *dir; /* a folder for the tests' files */

static char *join(const char *name)
{
    return gs_path_join(dir, name);
}

/* Runs the program with a shell's reading of the arguments, so that tests read like what a user types. $D is
 * the tests' folder, $G the program. */
static gs_test_result run(const char *arguments)
{
    return gs_test_gesso(dir, "", arguments);
}

/* The command ends with this status; its stderr holds each of the parts (up to a NULL). Nothing on stdout. */
static void fails(const char *arguments, int status, const char *part1, const char *part2, const char *part3)
{
    const char *parts[] = { part1, part2, part3 };
    gs_test_result r = run(arguments);

    if (r.status != status)
        fail_msg("gesso %s: exit status %d, wanted %d; it said: %s", arguments, r.status, status, r.err);
    for (size_t i = 0; i < GS_COUNT(parts); i++) {
        if (parts[i] && !strstr(r.err, parts[i]))
            fail_msg("gesso %s: wanted \"%s\" in: %s", arguments, parts[i], r.err);
    }
    if (strncmp(r.err, "gesso: ", 7) != 0 && !strstr(r.err, "\ngesso: "))
        fail_msg("gesso %s: no sentence of its own: %s", arguments, r.err);
    if (*r.out) fail_msg("gesso %s: an error must leave stdout alone: %s", arguments, r.out);
    gs_test_done(r);
}

/* The command succeeds and prints this on stdout. */
static void prints(const char *arguments, const char *part)
{
    gs_test_result r = run(arguments);

    if (r.status != 0) fail_msg("gesso %s: exit status %d: %s", arguments, r.status, r.err);
    if (!strstr(r.out, part)) fail_msg("gesso %s: wanted \"%s\" in: %s", arguments, part, r.out);
    gs_test_done(r);
}

/* The command succeeds and prints one JSON object, which the caller frees. */
static cJSON *json(const char *arguments)
{
    gs_test_result r = run(arguments);
    cJSON *o;

    if (r.status != 0) fail_msg("gesso %s: exit status %d: %s", arguments, r.status, r.err);
    o = cJSON_Parse(r.out);
    if (!cJSON_IsObject(o)) fail_msg("gesso %s: not a JSON object: %s", arguments, r.out);
    gs_test_done(r);
    return o;
}

static double number(const cJSON *o, const char *key)
{
    const cJSON *v = cJSON_GetObjectItem(o, key);

    if (!cJSON_IsNumber(v)) fail_msg("no number \"%s\"", key);
    return v->valuedouble;
}

static void put(const char *name, const void *data, size_t size)
{
    char *path = join(name);

    assert_ok(gs_file_write(path, data, size));
    free(path);
}

static void put_text(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

/* ---- usage ---- */

static void test_usage(void **state)
{
    (void)state;
    fails("", 2, "which command?", "usage: gesso COMMAND", NULL);
    fails("devises", 2, "no command \"devises\"", "did you mean \"devices\"", NULL);
    fails("frobnicate", 2, "no command \"frobnicate\"", "gesso help", NULL);
    fails("data", 2, "gesso data make", "gesso data info", NULL);
    fails("data mke", 2, "data mke", "gesso data make", NULL);
    fails("polish", 2, "no command \"polish\"", NULL, NULL);
    fails("devices --jsn", 2, "devices: there is no option --jsn", "--json", "gesso help devices");
    fails("devices -z", 2, "no option -z", NULL, NULL);
    fails("devices --json=1", 2, "--json takes no value", NULL, NULL);
    fails("devices more", 2, "\"more\" is one operand too many: it takes none", NULL, NULL);
    fails("info a.ini b.ini", 2, "\"b.ini\" is one operand too many: it takes CONFIG|RUN|FILE", NULL, NULL);
    fails("info", 2, "wants CONFIG|RUN|FILE", NULL, NULL);
    fails("check --device", 2, "--device wants a value", NULL, NULL);
    fails("check --device ''", 2, "--device wants a value", NULL, NULL);
    fails("check -d cpu --device cpu", 2, "given twice", NULL, NULL);
    fails("data make digits -o $D/x --count ten", 2, "--count wants a whole number, not \"ten\"", NULL, NULL);
    fails("data make digits -o $D/x --count 0", 2, "--count: 0 is not in 1 to 10000000", NULL, NULL);
    fails("data make digits -o $D/x -n -5", 2, "-5 is not in", NULL, NULL);
    fails("data make digitz -o $D/x", 2, "no drawn data set \"digitz\"", "digits", NULL);
    fails("data make digits", 2, "-o DIR", NULL, NULL);
    fails("check --op conv3d", 2, "no cases of an op \"conv3d\"", "conv2d", NULL);
    prints("--version", "gesso 0.");
    prints("devices --js", "{"); /* a clear abbreviation */
}

/* Every command is in the list, its help has a line for each option, and the list has no command without a help. */
static void test_help(void **state)
{
    gs_test_result all = run("help");
    char *line = NULL, *save = NULL;
    size_t column = 0; /* where the summaries begin */
    int n = 0;

    (void)state;
    assert_int_equal(all.status, 0);
    for (line = strtok_r(strstr(all.out, "commands:") + 9, "\n", &save); line && strncmp(line, "  ", 2) == 0;
         line = strtok_r(NULL, "\n", &save)) {
        const char *summary = strstr(line + 2, "  ");
        char name[64], arguments[160];
        gs_test_result one;

        n++;
        assert_non_null(summary);
        summary += strspn(summary, " ");
        if (!column) column = (size_t)(summary - line);
        if ((size_t)(summary - line) != column) fail_msg("not in the column of the others: %s", line);
        assert_true(sscanf(line, "  %63[^\n]", name) == 1);
        *strstr(name, "  ") = 0;
        snprintf(arguments, sizeof arguments, "help %s", name);
        one = run(arguments);
        assert_int_equal(one.status, 0);
        if (!strstr(one.out, "usage: gesso ") || !strstr(one.out, name) || !strstr(one.out, "  -h, --help"))
            fail_msg("help of %s: %s", name, one.out);
        snprintf(arguments, sizeof arguments, "%s --help", name);
        prints(arguments, one.out); /* the same by the other way */
        gs_test_done(one);
    }
    assert_true(n >= 6);
    gs_test_done(all);
    prints("help check", "--device DEVICE");
    prints("help check", "--op NAME");
    prints("help tune", "--again");
    fails("tune --set train.lr=1", 2, "--set is for the configurations", NULL, NULL);
    fails("tune no_such.ini", 1, "no_such.ini", NULL, NULL);
    fails("check --part origami", 2, "variants, ops and training", NULL, NULL);
    fails("check --part variants --op conv2d", 2, "--op is about", NULL, NULL);
    prints("help info", "--set SEC.KEY=V");
    prints("help data make", "--count N");
    prints("help data make", "default: 20000 digits");
    prints("help data", "gesso data info");
    prints("help bench compare", "usage: gesso bench compare");
    prints("help bench", "usage: gesso bench [OPTION]");
    prints("help 'bench compare'", "usage: gesso bench compare");
    fails("'bench compare' a b", 2, "no command \"bench compare\" of one word", "type gesso bench compare", NULL);
    fails("help bench compre", 2, "gesso bench compare", NULL, NULL);
    prints("help config", "| `train` | `lr` |");
    fails("help chek", 2, "did you mean \"check\"", NULL, NULL);
}

/* ---- the world ---- */

static void test_files(void **state)
{
    (void)state;
    fails("info $D/none.ini", 1, "none.ini", "No such file", NULL);
    fails("info $D", 1, "without config.ini", NULL, NULL);
    fails("data info $D/none", 1, "none", NULL, NULL);
    put_text("file", "x");
    fails("data make digits -n 10 --test 10 -o $D/file/x", 1, "file", NULL, NULL);
    fails("devices --json >/dev/full", 1, "standard output: No space left", NULL, NULL);
    fails("data info $D/file", 1, "file", NULL, NULL);
}

/* A reader that goes away ends the program without noise. */
static void test_closed_pipe(void **state)
{
    gs_test_result r = run("ops | true");

    (void)state;
    assert_string_equal(r.err, "");
    gs_test_done(r);
}

static void test_config(void **state)
{
    (void)state;
    put_text("ok.ini", "[model]\nsystem = cgan\nprofile = bars\n");
    put_text("key.ini", "[model]\nsystem = cgan\n\n[train]\nlearning_rat = 2\nlr_stepz = 3\n");
    put_text("near.ini", "[model]\nsystem = cgan\n[train]\nbatch_sise = 3\n");
    put_text("range.ini", "[model]\nsystem = cgan\n[train]\nbatch_size = 0\n");
    put_text("choice.ini", "[model]\nsystem = cgan\nprofile = concta\n");
    put_text("system.ini", "[model]\nsystem = cgam\n");
    put_text("none.ini", "[model]\nprofile = concat\n");
    put_text("syntax.ini", "[model\nsystem = cgan\n");
    put_text("drop.ini", "[model]\nsystem = cgan\ng_output_dropout = 0.5\n");
    prints("info $D/ok.ini", "18 304 parameters");
    prints("info $D/ok.ini --set memory.budget=2MiB", "memory budget 2.0 MiB: activations");
    prints("info $D/ok.ini --set memory.budget=auto --json", "\"launches_again\":\t0");
    fails("train $D/ok.ini --run $D/small --set memory.budget=100KiB", 1, "of the memory budget the plan may take", "raise memory.budget",
          NULL);
    fails("info $D/ok.ini --set memory.budget=2GIG", 2, "memory", "wanted a size", NULL);
    fails("info $D/key.ini", 2, "key.ini:5", "learning_rat", "[train]");
    fails("info $D/near.ini", 2, "near.ini:4", "batch_sise", "did you mean 'batch_size'");
    fails("info $D/range.ini", 2, "range.ini:4", "batch_size", "1 to");
    fails("info $D/choice.ini", 2, "choice.ini:3", "concta", "did you mean 'concat'");
    fails("info $D/system.ini", 2, "system.ini", "cgam", "did you mean");
    fails("info $D/none.ini", 2, "none.ini", "system", NULL);
    fails("info $D/syntax.ini", 2, "syntax.ini:1", NULL, NULL);
    fails("info $D/drop.ini", 2, "g_output_dropout", "allow_output_dropout", NULL);
    fails("info $D/ok.ini --set train.batch_size=x", 2, "--set", "batch_size", NULL);
    fails("info $D/ok.ini --set batch_size=3", 2, "--set", NULL, NULL);
    fails("info $D/ok.ini --set model.profile", 2, "--set", NULL, NULL);
    prints("info $D/ok.ini --set model.profile=concat --set train.batch_size=7", "batch 7");
}

static void test_device(void **state)
{
    (void)state;
    put_text("ok.ini", "[model]\nsystem = cgan\nprofile = bars\n");
    fails("info $D/ok.ini --device riva128", 1, "no device \"riva128\"", NULL, NULL);
    fails("check -d opencl:7:7", 1, "opencl:7:7", NULL, NULL);
    fails("check -d null", 1, "computes nothing", NULL, NULL);
    fails("tune -d null", 1, "computes nothing", NULL, NULL);
    prints("tune -d null --list", "null device: 0 classes");
    fails("train configs/cgan_bars.ini --tune --resume", 2, "--tune is for runs that begin", NULL, NULL);
    prints("info $D/ok.ini -d null", "on null");
    prints("info $D/ok.ini --set run.device=null", "on null");
    prints("info $D/ok.ini --set run.device=cpu -d null", "on null");
}

/* What cannot fit is refused with figures and what to change. */
static void test_too_large(void **state)
{
    cJSON *o;

    (void)state;
    put_text("big.ini", "[model]\nsystem = cgan\nprofile = cdcgan\n[train]\nbatch_size = 20000\n");
    gs_test_result r = run("info $D/big.ini -d null");
    assert_int_equal(r.status, 1);
    assert_non_null(strstr(r.err, "GiB"));
    assert_non_null(strstr(r.err, "smaller batch"));
    gs_test_done(r);
    r = run("info $D/big.ini -d null --json");
    o = cJSON_Parse(r.out);
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(o, "fits")));
    cJSON_Delete(o);
    gs_test_done(r);
}

/* ---- safetensors ---- */

static void st_file(const char *name, const char *header, uint64_t length, size_t data)
{
    gs_str s = { 0 };

    for (int i = 0; i < 8; i++) gs_str_append(&s, &(char){ (char)(length >> (8 * i)) }, 1);
    gs_str_append(&s, header, strlen(header));
    for (size_t i = 0; i < data; i++) gs_str_append(&s, "", 1);
    put(name, s.data, s.len);
    gs_str_free(&s);
}

static void test_safetensors(void **state)
{
    const char *good =
        "{\"__metadata__\":{\"k\":\"v\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}";
    const char *gap = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}";
    const char *huge = "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,8]}}";
    cJSON *o;

    (void)state;
    st_file("good.safetensors", good, strlen(good), 24);
    st_file("short.safetensors", good, strlen(good), 20);
    st_file("gap.safetensors", gap, strlen(gap), 16);
    st_file("huge.safetensors", huge, strlen(huge), 8);
    st_file("header.safetensors", "{", 1ull << 39, 8);
    prints("info $D/good.safetensors", "2,3");
    o = json("info $D/good.safetensors --json");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(o, "tensors")), 1);
    assert_true(number(o, "elements") == 6);
    assert_string_equal(cJSON_GetObjectItem(cJSON_GetObjectItem(o, "metadata"), "k")->valuestring, "v");
    cJSON_Delete(o);
    fails("info $D/short.safetensors", 1, "short.safetensors", NULL, NULL);
    fails("info $D/gap.safetensors", 1, "gap.safetensors", NULL, NULL);
    fails("info $D/huge.safetensors", 1, "huge.safetensors", NULL, NULL);
    fails("info $D/header.safetensors", 1, "header.safetensors", NULL, NULL);
}

/* ---- what succeeds ---- */

static void test_json(void **state)
{
    const cJSON *device;
    cJSON *o = json("devices --json");
    int defaults = 0;

    (void)state;
    cJSON_ArrayForEach(device, cJSON_GetObjectItem(o, "devices"))
    {
        assert_true(cJSON_IsString(cJSON_GetObjectItem(device, "id")));
        assert_true(number(device, "compute_units") >= 0);
        defaults += cJSON_IsTrue(cJSON_GetObjectItem(device, "default"));
    }
    if (!getenv("GESSO_DEVICE")) assert_int_equal(defaults, 1);
    cJSON_Delete(o);

    put_text("concat.ini", "[model]\nsystem = cgan\n");
    o = json("info $D/concat.ini --json");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(o, "fits")));
    assert_true(number(cJSON_GetArrayItem(cJSON_GetObjectItem(o, "networks"), 0), "parameters") == 1717184);
    assert_true(number(cJSON_GetArrayItem(cJSON_GetObjectItem(o, "networks"), 1), "parameters") == 1470465);
    assert_true(number(o, "flops_picture") == 2.0 * 1714432);
    assert_true(number(o, "bytes_state") >= 4 * 3.0 * (1717184 + 1470465)); /* the weights and two moments each */
    assert_true(number(o, "bytes") ==
                number(o, "bytes_state") + number(o, "bytes_activations") + number(o, "bytes_inputs"));
    cJSON_Delete(o);
}

static void test_check(void **state)
{
    cJSON *o = json("check --op matmul --json");

    (void)state;
    assert_true(number(o, "cases") >= 5);
    assert_true(number(o, "failed") == 0);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(o, "ops")), 1);
    cJSON_Delete(o);
    prints("check --op softplus --quiet", "ok    softplus");
}

static void test_data(void **state)
{
    const cJSON *splits;
    cJSON *o;
    gs_test_result r = run("data make digits -n 600 --test 300 --seed 3 -o $D/digits");

    (void)state;
    assert_int_equal(r.status, 0);
    assert_string_equal(r.out, "");
    assert_non_null(strstr(r.err, "600 training"));
    gs_test_done(r);
    r = run(
        "data make digits -q -n 600 --test 300 --seed 3 -o $D/digits2 && cmp $D/digits/t10k-images-idx3-ubyte $D/digits2/t10k-images-idx3-ubyte");
    assert_int_equal(r.status, 0);
    assert_string_equal(r.err, "");
    gs_test_done(r);
    o = json("data info $D/digits --json");
    splits = cJSON_GetObjectItem(o, "splits");
    assert_int_equal(cJSON_GetArraySize(splits), 2);
    assert_true(number(cJSON_GetArrayItem(splits, 0), "images") == 600);
    cJSON_Delete(o);
    r = run("data info $D/digits; truncate -s -1 $D/digits2/train-images-idx3-ubyte");
    gs_test_done(r);
    r = run("data info $D/digits2");
    assert_int_equal(r.status, 1);
    assert_non_null(strstr(r.out, "train-images-idx3-ubyte: declares"));
    gs_test_done(r);
}

/* ---- weights from and to elsewhere ---- */

typedef struct weight { const char *key; int64_t shape[2]; } weight;

/* The generator of profile bars under the original's keys. */
static const weight bars_g[] = {
    { "fc1.0.weight", { 64, 26 } }, { "fc1.0.bias", { 64, 0 } },        { "fc2.0.weight", { 128, 64 } },
    { "fc2.0.bias", { 128, 0 } },   { "fc_out.0.weight", { 64, 128 } }, { "fc_out.0.bias", { 64, 0 } },
};
/* The beginning of the generator of profile ln. */
static const weight small_ln_g[] = { { "label_emb.weight", { 10, 10 } }, { "model.0.weight", { 128, 110 } } };

static float value(size_t i)
{
    return (float)((double)((i * 2654435761u) % 1000) / 1000 - 0.5);
}

/* Writes a file of weights; bad: index of an element to make NaN, or -1. */
static void weights(const char *name, const weight *w, int n, const char *prefix, int skip, int bad)
{
    gs_st_writer *f = gs_st_writer_new();
    char *path = join(name);
    float *data[16];

    for (int i = 0; i < n; i++) {
        const int rank = w[i].shape[1] ? 2 : 1;
        const size_t count = (size_t)(w[i].shape[0] * (rank == 2 ? w[i].shape[1] : 1));
        char full[128];

        data[i] = malloc(count * sizeof(float));
        for (size_t k = 0; k < count; k++) data[i][k] = value(k + 977 * (size_t)i);
        if (i == 0 && bad >= 0) data[i][bad] = 0.0f / 0.0f;
        snprintf(full, sizeof full, "%s%s", prefix, w[i].key);
        if (i != skip) gs_st_writer_add(f, full, GS_ST_F32, rank, w[i].shape, data[i]);
    }
    gs_st_writer_add(f, "bn.num_batches_tracked", GS_ST_I64, 0, NULL, &(int64_t){ 3 });
    assert_ok(gs_st_writer_save(f, path));
    gs_st_writer_free(f);
    for (int i = 0; i < n; i++) free(data[i]);
    free(path);
}

/* The tensors of a are in b, to the bit, under the same names; counters aside. */
static void same_weights(const char *a, const char *b)
{
    char *pa = join(a), *pb = join(b);
    gs_st_file *fa, *fb;
    int n = 0;

    assert_ok(gs_st_open(pa, &fa));
    assert_ok(gs_st_open(pb, &fb));
    for (int i = 0; i < gs_st_count(fa); i++) {
        const gs_st_tensor *t = gs_st_at(fa, i), *u = gs_st_find(fb, t->name);

        if (strstr(t->name, "num_batches")) continue;
        if (!u || u->bytes != t->bytes || memcmp(u->data, t->data, t->bytes) != 0)
            fail_msg("%s differs or is missing", t->name);
        n++;
    }
    assert_int_equal(n, gs_st_count(fb));
    gs_st_close(fa);
    gs_st_close(fb);
    free(pa);
    free(pb);
}

static void test_import(void **state)
{
    const int n = (int)GS_COUNT(bars_g);
    gs_test_result r;

    (void)state;
    weights("g.safetensors", bars_g, n, "", -1, -1);
    weights("prefixed.safetensors", bars_g, n, "G.", -1, -1);
    weights("wrapped.safetensors", bars_g, n, "module.", -1, -1);
    r = run("import $D/g.safetensors --system cgan -o $D/model.safetensors"); /* the profile is found by the shapes */
    if (r.status != 0) fail_msg("import: %s", r.err);
    assert_non_null(strstr(r.err, "6 tensors, profile bars"));
    gs_test_done(r);
    prints(
        "import -q $D/prefixed.safetensors -o $D/model2.safetensors && cmp $D/model.safetensors $D/model2.safetensors && echo same",
        "same");
    prints(
        "import -q $D/wrapped.safetensors --net G -o $D/model2.safetensors && cmp $D/model.safetensors $D/model2.safetensors && echo same",
        "same");
    prints("export -q $D/model.safetensors --net G -o $D/back.safetensors; echo done", "done");
    same_weights("g.safetensors", "back.safetensors");
    prints("export -q $D/model.safetensors -o $D/both.safetensors; echo done", "done");
    same_weights("prefixed.safetensors", "both.safetensors");
    prints("info $D/both.safetensors", "G.fc_out.0.weight");

    weights("missing.safetensors", bars_g, n, "", 3, -1);
    weights("nan.safetensors", bars_g, n, "", -1, 5);
    weights("part.safetensors", small_ln_g, (int)GS_COUNT(small_ln_g), "", -1, -1);
    put("model.pt", "PK\3\4rest", 8);
    put("model.pkl", "\x80\2}q", 4);
    fails("import $D/missing.safetensors -o $D/no.safetensors", 1, "missing.safetensors", "G.fc2.0.bias", NULL);
    fails("import $D/nan.safetensors -o $D/no.safetensors", 1, "fc1.0.weight", "element 5 is not finite", NULL);
    fails("import $D/part.safetensors -o $D/no.safetensors", 1, "no tensor for G.", "profile ln", NULL);
    fails("import $D/model.pt -o $D/no.safetensors", 1, "zip archive", "safetensors.torch.save_file", NULL);
    fails("import $D/model.pkl -o $D/no.safetensors", 1, "pickle", NULL, NULL);
    fails("generate $D/model.pt -o $D/no", 1, "zip archive", NULL, NULL);
    fails("info $D/model.pt", 1, "zip archive", NULL, NULL);
    fails("import $D/g.safetensors --set model.profile=concat -o $D/no.safetensors", 1,
          "fc1.0.weight has the shape 64,26", "256,110", "--set");
    fails("import $D/g.safetensors --system spade -o $D/no.safetensors", 2, "spade", "cgan", NULL);
    fails("import $D/g.safetensors --net X -o $D/no.safetensors", 2, "--net X", "G D", NULL);
    fails("import $D/g.safetensors", 2, "-o FILE", NULL, NULL);
    fails("import $D/g.safetensors -o $D/none/x.safetensors", 1, "none/x.safetensors", NULL, NULL);
    fails("export $D/model.safetensors --net D -o $D/no.safetensors", 1, "no tensors of network D", NULL, NULL);
    fails("export $D/g.safetensors -o $D/no.safetensors", 1, "no configuration", NULL, NULL);
    prints("--version; [ -e $D/no.safetensors ] || echo nothing left behind", "nothing left behind");
}

static void test_generate(void **state)
{
    gs_image a = { 0 };
    char *path;

    (void)state;
    weights("g.safetensors", bars_g, (int)GS_COUNT(bars_g), "", -1, -1);
    prints("import -q $D/g.safetensors -o $D/model.safetensors; echo done", "done");
    prints("generate $D/model.safetensors --label 7 --label 2 --count 3 -o $D/pictures", "pictures/class_2_0002.png");
    prints(
        "generate $D/model.safetensors -l 2 -n 3 -o $D/again && cmp $D/pictures/class_2_0002.png $D/again/class_2_0002.png && echo same",
        "same");
    prints(
        "generate $D/model.safetensors -l 2 -n 3 --seed 1 -o $D/other && ! cmp -s $D/pictures/class_2_0002.png $D/other/class_2_0002.png && echo other",
        "other");
    prints("generate $D/model.safetensors --grid --count 4 --scale 3 -o $D/sheet.png", "sheet.png");
    path = join("sheet.png");
    assert_ok(gs_image_read(path, NULL, &a));
    /* ten rows and four columns of 8 pixels, three times as large */
    assert_true(a.h >= 3 * 10 * 8 && a.w >= 3 * 4 * 8);
    gs_image_free(&a);
    free(path);
    path = join("pictures/class_7_0000.png");
    assert_ok(gs_image_read(path, NULL, &a));
    assert_true(a.w == 8 && a.h == 8 && a.c == 1);
    gs_image_free(&a);
    free(path);
    put_text("file", "x");
    fails("generate $D/model.safetensors", 2, "-o DIR", NULL, NULL);
    fails("generate $D/model.safetensors --label 10 -o $D/no", 2, "--label 10", "0 to 9", NULL);
    fails("generate $D/model.safetensors --count 0 -o $D/no", 2, "--count: 0", NULL, NULL);
    fails("generate $D/model.safetensors -o $D/file/x", 1, "file", NULL, NULL);
    fails("generate $D/model.safetensors --grid -o $D/file/x.png", 1, "file/x.png", NULL, NULL);
    fails("generate $D/none.safetensors -o $D/no", 1, "none.safetensors", NULL, NULL);
    fails("generate $D/g.safetensors -o $D/no", 1, "g.safetensors", "no configuration", NULL);
    fails("generate $D/model.safetensors -d riva128 -o $D/no", 1, "riva128", NULL, NULL);
}

/* ---- a run, from configuration to pictures and figures ---- */

static void test_train(void **state)
{
    cJSON *o;
    gs_test_result r;

    (void)state;
    put_text("bars.ini",
             "[model]\nsystem = cgan\nprofile = bars\n[train]\nlog_every = 20\n[log]\nevents = 0\nplots = 0\n");
    put_text("file", "x");
    r = run("train $D/bars.ini --run $D/run --steps 40");
    if (r.status != 0) fail_msg("train: %s", r.err);
    assert_non_null(strstr(r.out, "G loss: "));
    assert_non_null(strstr(r.out, "/run (step 40"));
    assert_non_null(strstr(r.out, "step_0000000040.safetensors"));
    gs_test_done(r);
    r = run("train $D/bars.ini --run $D/quiet --steps 40 --quiet");
    assert_string_equal(r.err, "");
    assert_null(strstr(r.out, "loss"));
    gs_test_done(r);
    fails("train $D/bars.ini --run $D/run --steps 60", 2, "holds a run already", "--resume", NULL);
    prints("train $D/bars.ini --run $D/run --steps 60 --resume", "(step 60");
    prints("train -q $D/bars.ini --run $D/whole --steps 60 && cmp $D/run/checkpoints/step_0000000060.safetensors "
           "$D/whole/checkpoints/step_0000000060.safetensors && echo same", "same");
    fails("train $D/bars.ini --run $D/file/run --steps 5", 1, "file/run", NULL, NULL);
    fails("train $D/bars.ini --run $D/x --steps 0", 2, "--steps: 0", NULL, NULL);
    fails("train $D/bars.ini --run $D/x --set train.lr=-1", 2, "lr", NULL, NULL);
    fails("train $D/bars.ini --run $D/x -d riva128", 1, "riva128", NULL, NULL);
    fails(
        "train $D/bars.ini --run $D/x --set model.profile=concat --set data.dataset=mnist --set data.data_dir=$D/none",
        1, "none", NULL, NULL);
    fails("train $D/nowhere.ini", 1, "nowhere.ini", NULL, NULL);

    prints("info $D/run", "the newest of step 60");
    o = json("info $D/run --json");
    assert_string_equal(cJSON_GetObjectItem(o, "kind")->valuestring, "run");
    assert_true(number(o, "step") == 60);
    cJSON_Delete(o);
    prints("info $D/run/checkpoints/step_0000000060.safetensors", "step: 60");

    o = json("eval $D/run --count 20 --json -q");
    assert_true(number(o, "step") == 60);
    cJSON_Delete(o);
    prints("eval $D/run --count 20 --metric bars", "bars");
    fails("eval $D/run --metric acuracy", 2, "acuracy", "accuracy", NULL);
    fails("eval $D/run --metric parzen", 2, "bars", NULL, NULL);
    fails("eval $D/run --count 1", 2, "--count: 1", NULL, NULL);
    fails("eval $D", 1, "not a run", NULL, NULL);

    /* What a run draws is what its exported weights draw, both ways round. */
    prints("generate $D/run -n 2 -l 4 -o $D/a", "class_4_0001.png");
    prints("export -q $D/run -o $D/e.safetensors; echo done", "done");
    prints(
        "generate $D/e.safetensors -n 2 -l 4 -o $D/b && cmp $D/a/class_4_0001.png $D/b/class_4_0001.png && echo same",
        "same");
    prints("export -q $D/run --net G -o $D/eg.safetensors; echo done", "done");
    prints("import -q $D/eg.safetensors -o $D/i.safetensors; echo done", "done");
    prints(
        "generate $D/i.safetensors -n 2 -l 4 -o $D/c && cmp $D/a/class_4_0001.png $D/c/class_4_0001.png && echo same",
        "same");
}

/* SIGINT ends a run with status 130, saved. */
static void test_interrupt(void **state)
{
    gs_test_result r;

    (void)state;
    put_text(
        "long.ini",
        "[model]\nsystem = cgan\nprofile = bars\n[train]\nn_epochs = 100000\nlog_every = 10\n[log]\nevents = 0\nplots = 0\n");
    /* interrupts once it is seen to train, however long the start takes */
    for (int resumed = 0; resumed < 2; resumed++) {
        char command[1024];

        if (resumed) r = run("--version >/dev/null; rm -f $D/long/log.txt"), gs_test_done(r);
        snprintf(command, sizeof command,
                 "--version >/dev/null; $G train $D/long.ini --run $D/long -q %s & p=$!; i=0; "
                 "until grep -q Step: $D/long/log.txt || [ $i = 1200 ]; do sleep 0.1; i=$((i + 1)); done 2>/dev/null; "
                 "kill -INT $p; wait $p; echo status $?", resumed ? "--resume" : "");
        r = run(command);
        assert_non_null(strstr(r.out, "status 130"));
        assert_non_null(strstr(r.out, "checkpoint "));
        gs_test_done(r);
    }
}

/* A result against itself: every ratio is 1, nothing beyond noise; what is no result is refused. */
static void test_bench_compare(void **state)
{
    gs_test_result r;

    (void)state;
    r = run("bench --ops -c gemm/256x256x256_nn -s 20 -q -j $D/a.json >/dev/null; echo status $?");
    assert_non_null(strstr(r.out, "status 0"));
    gs_test_done(r);
    r = run("bench compare $D/a.json $D/a.json -o $D/report.html");
    assert_int_equal(r.status, 0);
    assert_non_null(strstr(r.out, "gemm/256x256x256_nn"));
    assert_non_null(strstr(r.out, "1.00x ~"));
    gs_test_done(r);
    r = run("bench compare $D/a.json README.md; echo status $?");
    assert_non_null(strstr(r.out, "status 1"));
    gs_test_done(r);
}

/* The documents are what the program prints today. */
static void test_documents(void **state)
{
    const struct { const char *command, *file; } docs[] = { { "ops --markdown", "docs/ops.md" }, { "help config", "docs/config.md" } };

    (void)state;
    for (size_t i = 0; i < GS_COUNT(docs); i++) {
        gs_test_result r = run(docs[i].command);
        char *file = gs_test_slurp(docs[i].file);

        assert_int_equal(r.status, 0);
        if (strcmp(file, r.out) != 0)
            fail_msg("%s is not what \"gesso %s\" prints: run \"make docs\"", docs[i].file, docs[i].command);
        free(file);
        gs_test_done(r);
    }
    prints("ops", "conv2d_dw");
}

/* Every command line in the documents has a command and options that exist: with --help behind it the program
 * parses all of it, then stops. */
static void test_shown_commands(void **state)
{
    const char *files[] = { "README.md", "docs/ARCHITECTURE.md", "docs/tutorial.md", "docs/cgan.md",
                            "docs/PLATFORMS.md" };
    int n = 0;

    (void)state;
    for (size_t f = 0; f < GS_COUNT(files); f++) {
        bool code = false;
        char *text, *save = NULL;

        if (!gs_file_exists(files[f])) continue;
        text = gs_test_slurp(files[f]);
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
            const char *at = strstr(line, "build/gesso ");
            char arguments[600];
            gs_test_result r;

            if (strncmp(line, "```", 3) == 0) code = !code;
            if (!code || !at || strchr(at, '|') || strchr(at, '$')) continue;
            snprintf(arguments, sizeof arguments, "%.*s --help", (int)strcspn(at + 12, "#&;>"), at + 12);
            r = run(arguments);
            if (r.status != 0) fail_msg("%s shows \"%s\": %s", files[f], line, r.err);
            gs_test_done(r);
            n++;
        }
        free(text);
    }
    assert_true(n >= 10);
}

static int setup(void **state)
{
    (void)state;
    if (access(gs_test_program_path(), X_OK) != 0) {
        printf("%s is missing: run make first\n", gs_test_program_path());
        return 1;
    }
    dir = gs_test_tmpdir();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usage),         cmocka_unit_test(test_help),        cmocka_unit_test(test_files),
        cmocka_unit_test(test_closed_pipe),   cmocka_unit_test(test_config),      cmocka_unit_test(test_device),
        cmocka_unit_test(test_too_large),     cmocka_unit_test(test_safetensors), cmocka_unit_test(test_json),
        cmocka_unit_test(test_check),         cmocka_unit_test(test_data),        cmocka_unit_test(test_import),
        cmocka_unit_test(test_generate),      cmocka_unit_test(test_train),       cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_bench_compare), cmocka_unit_test(test_documents),   cmocka_unit_test(test_shown_commands),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
