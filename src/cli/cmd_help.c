/* gesso help: the list of commands, or one of them; and what to say of a name that is none. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "train/system.h"

void cli_help_all(FILE *out)
{
    fprintf(out, "usage: gesso COMMAND [OPTION]... [OPERAND]...\n\n"
                 "Trains and runs image-generating GANs on any OpenCL device.\n\ncommands:\n");
    for (int i = 0; cli_commands[i]; i++) fprintf(out, "  %-13s  %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    fprintf(out, "\n\"gesso help COMMAND\" shows a command's options, \"gesso help config\" the keys of configurations.\n"
                 "Exit status: 0 done, 1 a file, device or memory failed, 2 usage or configuration, 130 stopped by a signal.\n"
                 "GESSO_DEVICE names the device where --device does not; GESSO_DEBUG=1..4 shows what happens inside.\n");
}

/* Whether argv begins with the words of name; their number, or 0. */
static int begins(const char *name, int argc, char **argv)
{
    const char *blank = strchr(name, ' ');

    if (!blank) return argc > 0 && strcmp(argv[0], name) == 0 ? 1 : 0;
    if (argc < 2 || strlen(argv[0]) != (size_t)(blank - name) || strncmp(argv[0], name, (size_t)(blank - name)) != 0) return 0;
    return strcmp(argv[1], blank + 1) == 0 ? 2 : 0;
}

/* "bench compare" is not "bench" with an operand: two words go before one. */
const cli_command *cli_find(int argc, char **argv, int *words)
{
    const cli_command *found = NULL;

    *words = 0;
    for (int i = 0; cli_commands[i]; i++) {
        const int n = begins(cli_commands[i]->name, argc, argv);

        if (n <= *words) continue;
        *words = n;
        found = cli_commands[i];
    }
    return found;
}

/* Whether some command's first of two words is w. */
static bool is_group(const char *w)
{
    const size_t n = strlen(w);

    for (int i = 0; cli_commands[i]; i++) {
        if (strncmp(cli_commands[i]->name, w, n) == 0 && cli_commands[i]->name[n] == ' ') return true;
    }
    return false;
}

gs_status cli_unknown(int argc, char **argv)
{
    const char *names[64], *near;
    gs_str s = { 0 };
    gs_status st;
    int n = 0;

    if (is_group(argv[0])) {
        gs_str_printf(&s, argc > 1 ? "%s %.40s: there is no such command; there is:" : "%s: one word more; there is:", argv[0],
                      argc > 1 ? argv[1] : "");
        for (int i = 0; cli_commands[i]; i++) {
            if (strncmp(cli_commands[i]->name, argv[0], strlen(argv[0])) == 0) gs_str_printf(&s, " \"gesso %s\"", cli_commands[i]->name);
        }
    } else {
        for (int i = 0; cli_commands[i] && n < (int)GS_COUNT(names); i++) names[n++] = cli_commands[i]->name;
        near = gs_nearest(argv[0], names, n);
        gs_str_printf(&s, "there is no command \"%.40s\"", argv[0]);
        if (near && strcmp(near, argv[0]) == 0) gs_str_printf(&s, " of one word; type gesso %s, without quotes", near);
        else if (near) gs_str_printf(&s, "; did you mean \"%s\"?", near);
        else gs_str_printf(&s, "; \"gesso help\" lists them");
    }
    st = gs_fail(GS_EUSAGE, "%s", gs_str_c(&s));
    gs_str_free(&s);
    return st;
}

/* docs/config.md is this. */
static void print_keys(void)
{
    gs_config_table *tables = NULL, of_system[2];
    int n = 0, cap = 0;
    gs_str s = { 0 };

    for (const gs_system *const *system = gs_systems; *system; system++) {
        const int k = gs_system_tables(*system, of_system);

        for (int i = *system == gs_systems[0] ? 0 : 1; i < k; i++) GS_PUSH(tables, n, cap, of_system[i]); /* the common one once */
    }
    gs_config_markdown(tables, n, &s);
    free(tables);
    fputs(gs_str_c(&s), stdout);
    gs_str_free(&s);
}

static gs_status run(const cli_args *a)
{
    char *words[2] = { (char *)(uintptr_t)cli_operand(a, 0), (char *)(uintptr_t)cli_operand(a, 1) };
    const int n = cli_operands(a);
    const cli_command *cmd;
    int used;

    if (n == 0) {
        cli_help_all(stdout);
        return GS_OK;
    }
    if (n == 1 && strcmp(words[0], "config") == 0) {
        print_keys();
        return GS_OK;
    }
    for (int i = 0; n == 1 && cli_commands[i]; i++) { /* both words of a command in one operand */
        if (!strchr(cli_commands[i]->name, ' ') || strcmp(cli_commands[i]->name, words[0]) != 0) continue;
        cli_help_command(cli_commands[i], stdout);
        return GS_OK;
    }
    cmd = cli_find(n, words, &used);
    if (cmd && used == n) {
        cli_help_command(cmd, stdout);
        return GS_OK;
    }
    if (n > 1 || !is_group(words[0])) return cli_unknown(n, words);
    for (int i = 0, first = 1; cli_commands[i]; i++) {
        if (strncmp(cli_commands[i]->name, words[0], strlen(words[0])) != 0) continue;
        if (!first) printf("\n");
        first = 0;
        cli_help_command(cli_commands[i], stdout);
    }
    return GS_OK;
}

const cli_command cli_help = {
    .name = "help", .operands = "[COMMAND|config]", .summary = "Shows the commands, the options of one, or all configuration keys",
    .max_operands = 2, .run = run,
};
