/* gesso data: drawn data sets, and what a data folder holds. */
#include <string.h>

#include "cli/cli.h"
#include "data/digits.h"
#include "data/info.h"

static const cli_option make_options[] = {
    CLI_OUT("folder for the data set; made when it is missing"),
    { 'n', "count", "N", CLI_INT, 1, 10000000, "20000", .help = "training pictures" },
    { 0, "test", "N", CLI_INT, 1, 10000000, "4000", .help = "test pictures" },
    { 's', "seed", "N", CLI_INT, 0, INT64_MAX, "0", .help = "of everything that is drawn at random" },
};

static gs_status make(const cli_args *a)
{
    static const char *const names[] = { "digits" };
    const char *name = cli_operand(a, 0), *dir = cli_text(a, "output"), *near;
    gs_status st;

    if (strcmp(name, "digits") != 0) {
        near = gs_nearest(name, names, (int)GS_COUNT(names));
        return gs_fail(GS_EUSAGE, "data make: there is no drawn data set \"%.40s\"; there is: digits%s", name, near ? " (did you mean that?)" : "");
    }
    if (!dir) return gs_fail(GS_EUSAGE, "data make: where to? -o DIR");
    st = gs_data_make_digits(dir, (int)cli_int(a, "count"), (int)cli_int(a, "test"), (uint64_t)cli_int(a, "seed"));
    if (st == GS_OK && !cli_quiet(a)) {
        fprintf(stderr, "%s: %lld training and %lld test pictures of drawn digits\n", dir, (long long)cli_int(a, "count"),
                (long long)cli_int(a, "test"));
    }
    return st;
}

const cli_command cli_data_make = {
    .name = "data make", .operands = "NAME", .summary = "Draws a data set",
    .about = "NAME is digits: ten classes of stroke digits with random pose, width and blur, 28 x 28, as the four IDX files of MNIST.\n"
             "A picture depends on the seed and its number alone.",
    .min_operands = 1, .max_operands = 1, .options = make_options, .n_options = (int)GS_COUNT(make_options), .run = make,
};

static const cli_option info_options[] = { CLI_JSON };

static gs_status info(const cli_args *a)
{
    return gs_data_info(cli_operand(a, 0), stdout, cli_given(a, "json"));
}

const cli_command cli_data_info = {
    .name = "data info", .operands = "PATH", .summary = "Says what a data file or folder holds, and what is wrong with it",
    .about = "PATH is a folder of IDX files, a folder of pictures with or without a subfolder a class, one IDX file or one picture.\n"
             "All of it is read. Exit status 1 when something is wrong.",
    .min_operands = 1, .max_operands = 1, .options = info_options, .n_options = (int)GS_COUNT(info_options), .run = info,
};
