/* gesso data: drawn data sets, and what a data folder holds. */
#include <string.h>

#include "cli/cli.h"
#include "data/digits.h"
#include "data/faces.h"
#include "data/info.h"
#include "data/shapes.h"

static const cli_option make_options[] = {
    CLI_OUT("folder for the data set; made when it is missing"),
    { 'n', "count", "N", CLI_INT, 1, 10000000, .help = "training pictures; default: 20000 digits, 200 faces or shapes in each domain" },
    { 0, "test", "N", CLI_INT, 1, 10000000, .help = "test pictures; default: 4000 digits, 20 faces or shapes in each domain" },
    { 's', "seed", "N", CLI_INT, 0, INT64_MAX, "0", .help = "of everything that is drawn at random" },
};

static const struct drawn {
    const char *name, *what;
    int count, test;
    gs_status (*make)(const char *dir, int n_train, int n_test, uint64_t seed);
} drawn[] = {
    { "digits", "drawn digits", 20000, 4000, gs_data_make_digits },
    { "faces", "drawn faces in each of two domains", 200, 20, gs_data_make_faces },
    { "shapes", "drawn shapes in each of two domains", 200, 20, gs_data_make_shapes },
};

static gs_status make(const cli_args *a)
{
    const char *names[GS_COUNT(drawn)], *name = cli_operand(a, 0), *dir = cli_text(a, "output"), *near;
    const struct drawn *set = NULL;
    int count, test;
    gs_status st;

    for (size_t i = 0; i < GS_COUNT(drawn); i++) {
        names[i] = drawn[i].name;
        if (strcmp(name, names[i]) == 0) set = &drawn[i];
    }
    if (!set) {
        near = gs_nearest(name, names, (int)GS_COUNT(drawn));
        return gs_fail(GS_EUSAGE, "data make: there is no drawn data set \"%.40s\"; there are: digits, faces, shapes%s%s%s", name,
                       near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
    }
    if (!dir) return gs_fail(GS_EUSAGE, "data make: where to? -o DIR");
    count = cli_given(a, "count") ? (int)cli_int(a, "count") : set->count;
    test = cli_given(a, "test") ? (int)cli_int(a, "test") : set->test;
    st = set->make(dir, count, test, (uint64_t)cli_int(a, "seed"));
    if (st == GS_OK && !cli_quiet(a)) fprintf(stderr, "%s: %d training and %d test pictures of %s\n", dir, count, test, set->what);
    return st;
}

const cli_command cli_data_make = {
    .name = "data make", .operands = "NAME", .summary = "Draws a data set",
    .about = "digits: ten classes of stroke digits with random pose, width and blur, 28 x 28, as the four IDX files of MNIST.\n"
             "faces: shaded faces (trainA, testA) and cartoon faces (trainB, testB), 96 x 96 PNG files, for translation between the two.\n"
             "shapes: grainy discs on gradients (A) and flat outlined squares (B), 128 x 128, likewise: the simplest pair to see learning on.\n"
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
