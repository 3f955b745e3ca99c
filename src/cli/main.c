/* gesso: finds the command, parses its options, runs it, and turns its status into the exit status. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static bool is(const char *s, const char *a, const char *b)
{
    return strcmp(s, a) == 0 || (b && strcmp(s, b) == 0);
}

static gs_status run(int argc, char **argv)
{
    const cli_command *cmd;
    cli_args *a = NULL;
    gs_status st = GS_OK;
    bool help = false;
    int words;

    if (argc < 2) {
        cli_help_all(stderr);
        return gs_fail(GS_EUSAGE, "which command?");
    }
    if (is(argv[1], "--version", "-V")) {
        printf("gesso %s\n", GS_VERSION);
        return GS_OK;
    }
    if (is(argv[1], "--help", "-h")) {
        cli_help_all(stdout);
        return GS_OK;
    }
    cmd = cli_find(argc - 1, argv + 1, &words);
    if (!cmd) return cli_unknown(argc - 1, argv + 1);
    TRY(cli_parse(cmd, argc - 1 - words, argv + 1 + words, &a, &help));
    if (help) cli_help_command(cmd, stdout);
    else TRY(cmd->run(a));
done:
    cli_args_free(a);
    return st;
}

int main(int argc, char **argv)
{
    static char buffer[1 << 20];
    gs_status st, flushed;
    bool reader_gone = false;

    /* A reader that goes away or a file size limit is a failed write, reported as such; neither may end a run
     * that is being saved. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    /* Results are small: written at once at the end, so that the reason of a failure is at hand. */
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    st = run(argc, argv);
    if (st != GS_OK && *gs_last_error()) fprintf(stderr, "gesso: %s\n", gs_last_error());
    else if (st != GS_OK) fprintf(stderr, "gesso: %s\n", gs_status_text(st));
    flushed = cli_flush(&reader_gone);
    if (flushed != GS_OK && !reader_gone) fprintf(stderr, "gesso: %s\n", gs_last_error());
    return gs_status_exit(st != GS_OK ? st : flushed);
}
