/* Tests of src/train/config*.c: precedence, every kind of value, every error text, and that what is written
 * reads back. */
#include "lib/testlib.h"

#include <stdlib.h>
#include <string.h>

#include "train/config.h"

static const gs_config_row common_rows[] = {
    {"run", "system", GS_CONFIG_TEXT, NULL, 0, 0, NULL, "which system"},
    {"run", "seed", GS_CONFIG_INT, "0", 0, 1e15, NULL, "seed of all"},
    {"data", "root", GS_CONFIG_TEXT, "", 0, 0, NULL, "folder of the data"},
    {"train", "steps", GS_CONFIG_INT, "100", 1, 1000, NULL, "how many"},
};
static const gs_config_row cgan_rows[] = {
    {"cgan", "profile", GS_CONFIG_CHOICE, "concat", 0, 0, "concat embed paper", "which network | loss"},
    {"cgan", "lr", GS_CONFIG_REAL, "2e-4", 0, 1, NULL, "learning rate"},
    {"cgan", "lr_d", GS_CONFIG_REAL, "auto", 0, 1, NULL, "auto: as lr"},
    {"cgan", "loss", GS_CONFIG_CHOICE, "auto", 0, 0, "bce mse", "auto: by profile"},
    {"cgan", "drop_last", GS_CONFIG_BOOL, "no", 0, 0, NULL, "drop it"},
    {"cgan", "lr_steps", GS_CONFIG_INTS, "", 1, 500, NULL, "epochs"},
    {"cgan", "offset", GS_CONFIG_INT, "-3", 0, 0, NULL, "unbounded"},
    {"train", "batch_size", GS_CONFIG_INT, "64", 1, 1e12, NULL, "pictures a step"},
    {"train", "steps", GS_CONFIG_INT, "200", 1, 5000, NULL, "how many (cgan)"},
};
static const gs_config_table tables[] = {
    {"every system", common_rows, (int)GS_COUNT(common_rows)},
    {"cgan", cgan_rows, (int)GS_COUNT(cgan_rows)},
};

static gs_config *fresh(void)
{
    return gs_config_new(tables, 2);
}

static void refuse(const char *text, const char *sentence)
{
    gs_config *c = fresh();
    const gs_status st = gs_config_parse(c, text, "x.ini");

    if (st != GS_ECONFIG || strcmp(gs_last_error(), sentence) != 0)
        fail_msg("%s\ngave \"%s\"\nwanted \"%s\"", text, st ? gs_last_error() : "no error", sentence);
    gs_config_free(c);
}

static void test_presets(void **state)
{
    gs_config *c = fresh();
    const int64_t *v;

    (void)state;
    assert_int_equal(gs_config_int(c, "run", "seed"), 0);
    assert_int_equal(gs_config_int(c, "train", "steps"), 200); /* the later table's row */
    assert_string_equal(gs_config_str(c, "data", "root"), "");
    assert_int_equal(gs_config_choice(c, "cgan", "profile"), 0);
    assert_true(gs_config_real(c, "cgan", "lr") == 2e-4);
    assert_false(gs_config_bool(c, "cgan", "drop_last"));
    assert_int_equal(gs_config_ints(c, "cgan", "lr_steps", &v), 0);
    assert_true(gs_config_is_auto(c, "cgan", "lr_d"));
    assert_false(gs_config_is_auto(c, "cgan", "lr"));
    assert_false(gs_config_is_set(c, "cgan", "lr"));
    assert_string_equal(gs_config_text(c, "cgan", "drop_last"), "0");
    assert_string_equal(gs_config_text(c, "cgan", "lr_d"), "auto");
    assert_null(gs_config_text(c, "cgan", "nothing"));
    assert_null(gs_config_text(c, "run", "system"));
    assert_fails(gs_config_check(c), GS_ECONFIG, "[run] system must be given (which system)");
    assert_ok(gs_config_set(c, "run.system=cgan"));
    assert_ok(gs_config_check(c));
    gs_config_free(c);
    gs_config_free(NULL);
}

static void test_file(void **state)
{
    char *dir = gs_test_tmpdir(), *path = gs_path_join(dir, "a.ini");
    static const char text[] = "\xef\xbb\xbf# comment\n[run]\nsystem = cgan ; inline\r\n  seed=9007199254740993\n\n"
                               "[cgan]\n; another\nprofile: paper\nlr = 1e-3\ndrop_last = YES\n\tlr_steps = 30, 40 ,50\n"
                               "[data]\nroot = /a b/c=d;e#f\n[train]\nbatch_size = 32";
    gs_config *c;
    const int64_t *v;

    (void)state;
    assert_ok(gs_file_write(path, text, sizeof text - 1));
    c = fresh();
    assert_fails(gs_config_load(c, path), GS_ECONFIG, "seed");
    gs_config_free(c);
    c = fresh();
    {
        char *s = gs_test_slurp(path), *at = strstr(s, "9007199254740993");

        assert_non_null(at);
        memcpy(at, "0000000000001234", 16);
        assert_ok(gs_file_write(path, s, strlen(s)));
        free(s);
    }
    assert_ok(gs_config_load(c, path));
    assert_string_equal(gs_config_str(c, "run", "system"), "cgan");
    assert_int_equal(gs_config_int(c, "run", "seed"), 1234);
    assert_int_equal(gs_config_choice(c, "cgan", "profile"), 2);
    assert_true(gs_config_real(c, "cgan", "lr") == 1e-3);
    assert_true(gs_config_bool(c, "cgan", "drop_last"));
    assert_int_equal(gs_config_ints(c, "cgan", "lr_steps", &v), 3);
    assert_true(v[0] == 30 && v[1] == 40 && v[2] == 50);
    assert_string_equal(gs_config_str(c, "data", "root"), "/a b/c=d;e#f");
    assert_int_equal(gs_config_int(c, "train", "batch_size"), 32);
    assert_true(gs_config_is_set(c, "train", "batch_size"));
    assert_false(gs_config_is_set(c, "train", "steps"));
    /* a second file overrides the first; a setting overrides both */
    assert_ok(gs_config_parse(c, "[cgan]\nlr=0.5\n", "b.ini"));
    assert_true(gs_config_real(c, "cgan", "lr") == 0.5);
    assert_ok(gs_config_set(c, "cgan.lr = 0.25"));
    assert_ok(gs_config_set(c, "cgan.lr=0.125"));
    assert_true(gs_config_real(c, "cgan", "lr") == 0.125);
    gs_config_free(c);
    free(path);
    free(dir);
}

static void test_errors(void **state)
{
    (void)state;
    refuse("[cgan]\nprofile = embed\nlrr = 1\n", "x.ini:3: unknown key 'lrr' in [cgan]; did you mean 'lr'?");
    refuse("[cgan]\nzzzzzz = 1\n", "x.ini:2: unknown key 'zzzzzz' in [cgan]");
    refuse("[cgan]\nseed = 1\n", "x.ini:2: unknown key 'seed' in [cgan]; it belongs in [run]");
    refuse("[cgann]\nlr = 1\n", "x.ini:2: unknown section [cgann]; did you mean [cgan]?");
    refuse("[optimizer]\nlr = 1\n", "x.ini:2: unknown section [optimizer]");
    refuse("lr = 1\n", "x.ini:1: key 'lr' stands before any [section]");
    refuse("[cgan]\nlr = 1.5\n", "x.ini:2: [cgan] lr = 1.5: out of range; allowed: 0 to 1");
    refuse("[train]\nbatch_size = 0\n", "x.ini:2: [train] batch_size = 0: out of range; allowed: >= 1");
    refuse("[train]\nbatch_size = 3.5\n", "x.ini:2: [train] batch_size = 3.5: wanted a whole number");
    refuse("[train]\nbatch_size = 99999999999999999999\n",
           "x.ini:2: [train] batch_size = 99999999999999999999: wanted a whole number");
    refuse("[cgan]\nlr = nan\n", "x.ini:2: [cgan] lr = nan: wanted a number");
    refuse("[cgan]\nlr =\n", "x.ini:2: [cgan] lr = : wanted a number");
    refuse("[cgan]\nlr = auto\n", "x.ini:2: [cgan] lr = auto: wanted a number");
    refuse("[cgan]\ndrop_last = maybe\n", "x.ini:2: [cgan] drop_last = maybe: wanted 1 or 0 (true, false, yes, no)");
    refuse("[cgan]\nprofile = papr\n",
           "x.ini:2: [cgan] profile = papr: not one of concat, embed, paper; did you mean 'paper'?");
    refuse("[cgan]\nprofile = concat embed\n",
           "x.ini:2: [cgan] profile = concat embed: not one of concat, embed, paper");
    refuse("[cgan]\nlr_steps = 3,,4\n", "x.ini:2: [cgan] lr_steps = 3,,4: wanted whole numbers with commas");
    refuse("[cgan]\nlr_steps = 3,501\n", "x.ini:2: [cgan] lr_steps = 3,501: out of range; allowed: 1 to 500");
    refuse("[cgan]\nlr = 1\n\nlr = 0.5\n", "x.ini:4: 'lr' in [cgan] is given again; first in line 2");
    refuse("[cgan]\nlr 1\n", "x.ini:2: neither [section] nor key = value nor a comment");
    refuse("[cgan\nlr = 1\n", "x.ini:1: neither [section] nor key = value nor a comment");
    refuse("[cgan]\nlr = 1\nnonsense\nlrr = 3\n", "x.ini:3: neither [section] nor key = value nor a comment");
    refuse("[cgan]\nlrr = 3\nnonsense\n", "x.ini:2: unknown key 'lrr' in [cgan]; did you mean 'lr'?");
    refuse("[cgan]\nlr = 1\n  lr_steps = 4,x\n", "x.ini:3: [cgan] lr_steps = 4,x: wanted whole numbers with commas");
    refuse("[data]\nroot = a\tb\001\n", "x.ini:2: [data] root: value holds the control character 0x01");
}

static void test_file_errors(void **state)
{
    char *dir = gs_test_tmpdir(), *path = gs_path_join(dir, "bad.ini"), *value;
    static char big[2 << 20];
    gs_config *c = fresh();
    gs_str s = {0};

    (void)state;
    assert_fails(gs_config_load(c, path), GS_EIO, "bad.ini: No such file");
    assert_ok(gs_file_write(path, "[cgan]\nlr\0=1\n", 13));
    assert_fails(gs_config_load(c, path), GS_ECONFIG, "bad.ini: offset 9: a NUL byte");
    memset(big, '#', sizeof big);
    assert_ok(gs_file_write(path, big, sizeof big));
    assert_fails(gs_config_load(c, path), GS_ELIMIT, "bad.ini");
    gs_str_printf(&s, "[data]\nroot = %05000d\n[cgan]\nlr=1\n", 7);
    assert_ok(gs_file_write(path, s.data, s.len));
    assert_fails(gs_config_load(c, path), GS_ECONFIG, "bad.ini:2: line of 5007 characters");
    gs_str_free(&s);

    assert_ok(gs_file_write(path, "[other]\nx=1\n[run]\nsystem = spade\n", 33));
    assert_ok(gs_config_peek(path, "run", "system", &value));
    assert_string_equal(value, "spade");
    free(value);
    assert_ok(gs_config_peek(path, "run", "seed", &value));
    assert_null(value);
    assert_ok(gs_file_write(path, "[run]\nsystem = spade\noops\n", 26));
    assert_fails(gs_config_peek(path, "run", "system", &value), GS_ECONFIG, "bad.ini:3: neither");
    assert_null(value);
    gs_config_free(c);
    free(path);
    free(dir);
}

static void test_set(void **state)
{
    gs_config *c = fresh();
    gs_str s = {0};

    (void)state;
    assert_fails(gs_config_set(c, "cgan.lrr=1"), GS_ECONFIG,
                 "--set cgan.lrr=1: unknown key 'lrr' in [cgan]; did you mean 'lr'?");
    assert_fails(gs_config_set(c, "cgn.lr=1"), GS_ECONFIG, "unknown section [cgn]; did you mean [cgan]?");
    assert_fails(gs_config_set(c, "lr=1.5"), GS_ECONFIG, "wanted section.key=value");
    assert_fails(gs_config_set(c, "cgan.lr"), GS_ECONFIG, "wanted section.key=value");
    assert_fails(gs_config_set(c, ""), GS_ECONFIG, "wanted section.key=value");
    assert_fails(gs_config_set(c, "cgan.lr=2"), GS_ECONFIG, "--set: [cgan] lr = 2: out of range; allowed: 0 to 1");
    assert_false(gs_config_is_set(c, "cgan", "lr"));
    assert_true(gs_config_real(c, "cgan", "lr") == 2e-4); /* a refused value changes nothing */
    assert_ok(gs_config_set(c, "cgan.lr_steps=1,2"));
    assert_fails(gs_config_set(c, "cgan.lr_steps=1,x"), GS_ECONFIG, "lr_steps");
    assert_int_equal(gs_config_ints(c, "cgan", "lr_steps", NULL), 2);
    assert_ok(gs_config_set(c, "cgan.lr_steps="));
    assert_int_equal(gs_config_ints(c, "cgan", "lr_steps", NULL), 0);
    assert_ok(gs_config_set(c, "data.root=a=b.c"));
    assert_string_equal(gs_config_str(c, "data", "root"), "a=b.c");
    assert_ok(gs_config_set(c, "cgan.offset=-9223372036854775808"));
    assert_true(gs_config_int(c, "cgan", "offset") == INT64_MIN);
    /* what an INI file could not carry */
    assert_fails(gs_config_set(c, "data.root=a ;b"), GS_ECONFIG, "begins a comment");
    assert_fails(gs_config_set(c, "data.root=;b"), GS_ECONFIG, "begins a comment");
    assert_fails(gs_config_set(c, "data.root=a\nb"), GS_ECONFIG, "control character 0x0a");
    gs_str_printf(&s, "data.root=%05000d", 1);
    assert_fails(gs_config_set(c, s.data), GS_ECONFIG, "value of 5000 characters is too long");
    gs_str_free(&s);
    gs_config_free(c);
}

static void test_defaults(void **state)
{
    gs_config *c = fresh();

    (void)state;
    assert_ok(gs_config_set(c, "cgan.lr=0.5"));
    assert_ok(gs_config_set(c, "cgan.loss=auto"));
    assert_ok(gs_config_default(c, "cgan", "lr", "0.1")); /* the user's stays */
    assert_ok(gs_config_default(c, "cgan", "lr_d", "0.1"));
    assert_ok(gs_config_default(c, "cgan", "loss", "mse")); /* auto asks for it */
    assert_true(gs_config_real(c, "cgan", "lr") == 0.5);
    assert_true(gs_config_real(c, "cgan", "lr_d") == 0.1);
    assert_int_equal(gs_config_choice(c, "cgan", "loss"), 1);
    assert_false(gs_config_is_set(c, "cgan", "lr_d"));
    assert_fails(gs_config_default(c, "cgan", "lr_d", "7"), GS_ECONFIG, "default: [cgan] lr_d = 7: out of range");
    assert_fails(gs_config_default(c, "cgan", "nope", "7"), GS_ECONFIG, "unknown key 'nope'");
    gs_config_free(c);
}

static void test_flat(void **state)
{
    gs_config *c = fresh();

    (void)state;
    assert_ok(gs_config_parse_flat(c, "profile = embed\nlr = 0.0002\nbatch_size = 8\nsteps = 3\n", "case"));
    assert_int_equal(gs_config_choice(c, "cgan", "profile"), 1);
    assert_int_equal(gs_config_int(c, "train", "batch_size"), 8);
    assert_fails(gs_config_parse_flat(c, "prfile = embed", "case"), GS_ECONFIG,
                 "case:1: unknown key 'prfile'; did you mean 'profile'?");
    assert_fails(gs_config_parse_flat(c, "[cgan]\nlr = 1", "case"), GS_ECONFIG, "case:2: section [cgan]");
    gs_config_free(c);
    {
        static const gs_config_row twice[] = {{"other", "lr", GS_CONFIG_REAL, "1", 0, 0, NULL, "x"}};
        const gs_config_table both[] = {tables[0], tables[1], {"other", twice, 1}};

        c = gs_config_new(both, 3);
        assert_fails(gs_config_parse_flat(c, "lr = 1", "case"), GS_ECONFIG,
                     "case:1: key 'lr' stands in [cgan] and in [other]");
        gs_config_free(c);
    }
}

static void test_write(void **state)
{
    gs_config *a = fresh(), *b = fresh();
    gs_str one = {0}, two = {0};

    (void)state;
    assert_ok(gs_config_set(a, "run.system=cgan"));
    assert_ok(gs_config_set(a, "data.root=/x;y #z = [q]"));
    assert_ok(gs_config_set(a, "cgan.lr_steps=30, 40"));
    assert_ok(gs_config_set(a, "cgan.drop_last=true"));
    gs_config_write(a, &one);
    assert_non_null(strstr(one.data, "[run]\n# which system\nsystem = cgan\n"));
    assert_non_null(strstr(one.data, "drop_last = 1\n"));
    assert_non_null(strstr(one.data, "steps = 200\n"));
    assert_ok(gs_config_parse(b, one.data, "written"));
    gs_config_write(b, &two);
    assert_string_equal(one.data, two.data);
    assert_string_equal(gs_config_str(b, "data", "root"), "/x;y #z = [q]");
    assert_int_equal(gs_config_ints(b, "cgan", "lr_steps", NULL), 2);
    gs_str_free(&one);
    gs_str_free(&two);
    gs_config_free(a);
    gs_config_free(b);
}

static void test_markdown(void **state)
{
    gs_str s = {0};

    (void)state;
    gs_config_markdown(tables, 2, &s);
    assert_non_null(strstr(s.data, "## Keys of cgan"));
    assert_non_null(
        strstr(s.data, "| `cgan` | `profile` | `concat` | `concat`, `embed`, `paper` | which network \\| loss |"));
    assert_non_null(strstr(s.data, "| `run` | `system` | must be given | text | which system |"));
    assert_non_null(strstr(s.data, "| `cgan` | `lr` | `2e-4` | number, 0 to 1 | learning rate |"));
    gs_str_free(&s);
}

/* The common table obeys its own rows and its written form reads back. */
static void test_common(void **state)
{
    gs_config *c = gs_config_new(&gs_config_common, 1), *again = gs_config_new(&gs_config_common, 1);
    gs_str s = {0};

    (void)state;
    assert_ok(gs_config_set(c, "model.system=cgan"));
    assert_ok(gs_config_set(c, "train.seed=123456789012"));
    gs_config_write(c, &s);
    assert_ok(gs_config_parse(again, s.data, "common"));
    assert_true(gs_config_int(again, "train", "seed") == 123456789012);
    gs_str_free(&s);
    gs_config_free(c);
    gs_config_free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_presets), cmocka_unit_test(test_file), cmocka_unit_test(test_errors),
        cmocka_unit_test(test_file_errors), cmocka_unit_test(test_set), cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_flat), cmocka_unit_test(test_write), cmocka_unit_test(test_markdown),
        cmocka_unit_test(test_common),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
