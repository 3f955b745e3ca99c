/* The program's own parts: the table of commands, their options, and what several commands share.
 *
 * A command is one file, cmd_<name>.c, with one constant descriptor. Its options are rows of a table, from
 * which parsing, error texts and `gesso help CMD` all come. Results go to stdout, progress and errors to
 * stderr. A command returns a status; main.c alone turns it into an exit status. */
#ifndef GS_CLI_H
#define GS_CLI_H

#include "base/base.h"

struct cJSON;

typedef enum cli_type { CLI_FLAG, CLI_INT, CLI_TEXT } cli_type;

typedef struct cli_option {
    char letter;         /* short form, or 0 */
    const char *name;    /* long form, without the dashes */
    const char *arg;     /* its argument in the help; NULL for flags */
    cli_type type;
    int64_t min, max;    /* INT */
    const char *preset;  /* what holds when it is not given; NULL: nothing */
    bool repeat;         /* may stand several times */
    const char *help;    /* one line */
} cli_option;

#define CLI_DEVICE { 'd', "device", "DEVICE", CLI_TEXT, .help = "opencl:P:D, cpu, gpu, null, or part of a device's name; default: the fastest" }
#define CLI_SET { 0, "set", "SEC.KEY=V", CLI_TEXT, .repeat = true, .help = "a key of the configuration, over what the file says" }
#define CLI_JSON { 'j', "json", .type = CLI_FLAG, .help = "print one JSON object instead of text" }
#define CLI_OUT(what) { 'o', "output", "PATH", CLI_TEXT, .help = what }

typedef struct cli_args cli_args;

typedef struct cli_command {
    const char *name;     /* one word, or two: "data make" */
    const char *operands; /* as the help shows them: "CONFIG|RUN|FILE" */
    const char *summary;  /* one line */
    const char *about;    /* paragraphs below the usage, or NULL */
    int min_operands, max_operands;
    const cli_option *options;
    int n_options;
    gs_status (*run)(const cli_args *a);
} cli_command;

/* All commands, in the order of the help; ends with NULL (commands.c). */
extern const cli_command *const cli_commands[];

/* ---- arguments (options.c) ---- */

/* Parses what follows the command's name: options and operands in any order, --name=value, -xvalue, clear
 * abbreviations, -- ends the options. GS_EUSAGE names what is wrong and the nearest option. *help: --help was
 * among them. Free with cli_args_free. */
gs_status cli_parse(const cli_command *cmd, int argc, char **argv, cli_args **out, bool *help);
void cli_args_free(cli_args *a); /* accepts NULL */

/* The options below must have a row in the command's table; anything else is a mistake of ours (assert). */
bool cli_given(const cli_args *a, const char *name);
const char *cli_text(const cli_args *a, const char *name); /* the last one given, else the preset, else NULL */
int64_t cli_int(const cli_args *a, const char *name);      /* the same; 0 when there is neither */
/* i-th of an option that repeats, or NULL behind the last. */
const char *cli_nth(const cli_args *a, const char *name, int i);
int cli_operands(const cli_args *a);
const char *cli_operand(const cli_args *a, int i); /* NULL behind the last */
bool cli_quiet(const cli_args *a);

/* ---- help (cmd_help.c) ---- */

void cli_help_command(const cli_command *cmd, FILE *out);
void cli_help_all(FILE *out);
/* The command that argv[0..] begins with, and how many words its name took; NULL: none. */
const cli_command *cli_find(int argc, char **argv, int *words);
/* GS_EUSAGE for a name that is no command, with the nearest. */
gs_status cli_unknown(int argc, char **argv);

/* ---- output (output.c) ---- */

/* Prints and frees a JSON tree. */
void cli_print_json(struct cJSON *json);
void cli_json_shape(struct cJSON *object, const char *key, const int64_t *dim, int rank);
/* Everything printed has reached stdout: else GS_EIO. *quiet: the reader went away (a closed pipe), which
 * needs no message. */
gs_status cli_flush(bool *quiet);

#endif
