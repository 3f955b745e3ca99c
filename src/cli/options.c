/* Options and operands from the command's table of rows. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

typedef struct given {
    const cli_option *option;
    const char *text; /* NULL for flags */
} given;

struct cli_args {
    const cli_command *cmd;
    given *g;
    int n, cap;
    const char **operand;
    int n_operands, cap_operands;
};

/* Every command has these besides its own. */
static const cli_option common[] = {
    { 'q', "quiet", .type = CLI_FLAG, .help = "no progress on stderr" },
    { 'h', "help", .type = CLI_FLAG, .help = "show this" },
};

static const cli_option *option_at(const cli_command *cmd, int i)
{
    if (i < cmd->n_options) return &cmd->options[i];
    i -= cmd->n_options;
    return i < (int)GS_COUNT(common) ? &common[i] : NULL;
}

static const cli_option *find(const cli_command *cmd, const char *name)
{
    const cli_option *o;

    for (int i = 0; (o = option_at(cmd, i)); i++) {
        if (strcmp(o->name, name) == 0) return o;
    }
    return NULL;
}

static gs_status usage(const cli_command *cmd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static gs_status usage(const cli_command *cmd, const char *fmt, ...)
{
    gs_str s = { 0 };
    char text[512];
    va_list ap;
    gs_status st;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    gs_str_printf(&s, "%s: %s; see \"gesso help %s\"", cmd->name, text, cmd->name);
    st = gs_fail(GS_EUSAGE, "%s", gs_str_c(&s));
    gs_str_free(&s);
    return st;
}

/* By full name or by the beginning of one name alone. */
static gs_status find_long(const cli_command *cmd, const char *name, size_t len, const cli_option **out)
{
    const cli_option *o, *begin = NULL;
    const char *names[32], *near;
    char copy[64];
    int n = 0, matches = 0;

    for (int i = 0; (o = option_at(cmd, i)); i++) {
        if (n < (int)GS_COUNT(names)) names[n++] = o->name;
        if (strncmp(o->name, name, len) != 0) continue;
        if (o->name[len] == 0) {
            *out = o;
            return GS_OK;
        }
        begin = o;
        matches++;
    }
    if (matches == 1 && len > 0) {
        *out = begin;
        return GS_OK;
    }
    snprintf(copy, sizeof copy, "%.*s", (int)GS_MIN(len, sizeof copy - 1), name);
    if (matches > 1) return usage(cmd, "option --%s could be several", copy);
    near = gs_nearest(copy, names, n);
    return near ? usage(cmd, "there is no option --%s; did you mean --%s?", copy, near)
                : usage(cmd, "there is no option --%s", copy);
}

static gs_status find_short(const cli_command *cmd, char letter, const cli_option **out)
{
    const cli_option *o;

    for (int i = 0; (o = option_at(cmd, i)); i++) {
        if (o->letter == letter) {
            *out = o;
            return GS_OK;
        }
    }
    return usage(cmd, "there is no option -%c", letter);
}

static gs_status add(cli_args *a, const cli_option *o, const char *text)
{
    int64_t v;

    if (!o->repeat && o->type != CLI_FLAG) {
        for (int i = 0; i < a->n; i++) {
            if (a->g[i].option == o) return usage(a->cmd, "option --%s is given twice", o->name);
        }
    }
    if (o->type == CLI_INT) {
        if (!gs_parse_i64(text, &v)) return usage(a->cmd, "option --%s wants a whole number, not \"%.60s\"", o->name, text);
        if (v < o->min || v > o->max) {
            return usage(a->cmd, "option --%s: %lld is not in %lld to %lld", o->name, (long long)v, (long long)o->min, (long long)o->max);
        }
    }
    if (o->type == CLI_TEXT && !*text) return usage(a->cmd, "option --%s wants a value, not an empty word", o->name);
    GS_PUSH(a->g, a->n, a->cap, ((given){ o, text }));
    return GS_OK;
}

static gs_status parse_long(cli_args *a, int argc, char **argv, int *i)
{
    const char *name = argv[*i] + 2, *equals = strchr(name, '=');
    const cli_option *o = NULL;
    gs_status st = find_long(a->cmd, name, equals ? (size_t)(equals - name) : strlen(name), &o);

    if (st != GS_OK) return st;
    if (o->type == CLI_FLAG) return equals ? usage(a->cmd, "option --%s takes no value", o->name) : add(a, o, NULL);
    if (equals) return add(a, o, equals + 1);
    if (*i + 1 >= argc) return usage(a->cmd, "option --%s wants a value: --%s %s", o->name, o->name, o->arg);
    return add(a, o, argv[++*i]);
}

static gs_status parse_short(cli_args *a, int argc, char **argv, int *i)
{
    for (const char *p = argv[*i] + 1; *p; p++) {
        const cli_option *o = NULL;
        gs_status st = find_short(a->cmd, *p, &o);

        if (st != GS_OK) return st;
        if (o->type == CLI_FLAG) {
            st = add(a, o, NULL);
            if (st != GS_OK) return st;
            continue;
        }
        if (p[1]) return add(a, o, p + 1);
        if (*i + 1 >= argc) return usage(a->cmd, "option -%c wants a value: -%c %s", *p, *p, o->arg);
        return add(a, o, argv[++*i]);
    }
    return GS_OK;
}

gs_status cli_parse(const cli_command *cmd, int argc, char **argv, cli_args **out, bool *help)
{
    cli_args *a = gs_xalloc(sizeof *a);
    bool options = true;
    gs_status st = GS_OK;

    a->cmd = cmd;
    *help = false;
    for (int i = 0; i < argc; i++) {
        const char *s = argv[i];

        if (options && strcmp(s, "--") == 0) options = false;
        else if (options && s[0] == '-' && s[1] == '-') TRY(parse_long(a, argc, argv, &i));
        else if (options && s[0] == '-' && s[1]) TRY(parse_short(a, argc, argv, &i));
        else GS_PUSH(a->operand, a->n_operands, a->cap_operands, s);
    }
    *help = cli_given(a, "help");
    if (*help) goto done;
    if (a->n_operands < cmd->min_operands) TRY(usage(cmd, "wants %s", cmd->operands));
    if (a->n_operands > cmd->max_operands) {
        const char *most = cmd->max_operands ? cmd->operands : "none";

        TRY(usage(cmd, "\"%.60s\" is one operand too many: it takes %s", a->operand[cmd->max_operands], most));
    }
done:
    if (st != GS_OK) {
        cli_args_free(a);
        a = NULL;
    }
    *out = a;
    return st;
}

void cli_args_free(cli_args *a)
{
    if (!a) return;
    free(a->g);
    free(a->operand);
    free(a);
}

const char *cli_nth(const cli_args *a, const char *name, int i)
{
    const cli_option *o = find(a->cmd, name);

    assert(o && "the command's table lacks this option");
    for (int k = 0; k < a->n; k++) {
        if (a->g[k].option == o && i-- == 0) return o->type == CLI_FLAG ? "" : a->g[k].text;
    }
    return NULL;
}

bool cli_given(const cli_args *a, const char *name)
{
    return cli_nth(a, name, 0) != NULL;
}

const char *cli_text(const cli_args *a, const char *name)
{
    const char *s = cli_nth(a, name, 0);

    return s ? s : find(a->cmd, name)->preset;
}

int64_t cli_int(const cli_args *a, const char *name)
{
    const char *s = cli_text(a, name);
    int64_t v = 0;

    if (s) gs_parse_i64(s, &v);
    return v;
}

int cli_operands(const cli_args *a)
{
    return a->n_operands;
}

const char *cli_operand(const cli_args *a, int i)
{
    return i < a->n_operands ? a->operand[i] : NULL;
}

bool cli_quiet(const cli_args *a)
{
    return cli_given(a, "quiet");
}

/* ---- help from the same rows ---- */

static void print_option(const cli_option *o, FILE *out)
{
    char left[64];
    const int n = snprintf(left, sizeof left, "%c%c%s --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name,
                           o->arg ? " " : "", o->arg ? o->arg : "");

    fprintf(out, "  %s", left);
    if (n > 26) fprintf(out, "\n%28s", "");
    else fprintf(out, "%*s", 26 - n, "");
    fprintf(out, "  %s", o->help);
    if (o->type == CLI_INT) {
        if (o->max >= INT32_MAX) fprintf(out, "; %lld or more", (long long)o->min);
        else fprintf(out, "; %lld to %lld", (long long)o->min, (long long)o->max);
    }
    if (o->preset) fprintf(out, "; default %s", o->preset);
    if (o->repeat) fprintf(out, "; may be repeated");
    fprintf(out, "\n");
}

void cli_help_command(const cli_command *cmd, FILE *out)
{
    const cli_option *o;

    fprintf(out, "usage: gesso %s [OPTION]...%s%s\n\n%s.\n", cmd->name, *cmd->operands ? " " : "", cmd->operands, cmd->summary);
    if (cmd->about) fprintf(out, "\n%s\n", cmd->about);
    fprintf(out, "\noptions:\n");
    for (int i = 0; (o = option_at(cmd, i)); i++) print_option(o, out);
}
