/* The keys that every system has. A system's own table may name one again, to narrow it or to give it another preset. */
#include "train/config.h"

static const gs_config_row rows[] = {
    {"model", "system", GS_CONFIG_TEXT, NULL, 0, 0, NULL, "which system to train"},
    {"train", "seed", GS_CONFIG_INT, "0", 0, 1e12, NULL, "of initial weights, order, noise and masks"},
    {"train", "math", GS_CONFIG_CHOICE, "fp32", 0, 0, "fp32 tf32", "products of matrices by cuBLAS: tf32 rounds their operands to 10 bits of mantissa, on "
     "cuda:N of sm_80 and newer; elsewhere a note says that fp32 is computed"},
    {"run", "device", GS_CONFIG_TEXT, "auto", 0, 0, NULL, "opencl:P:D, cpu, gpu or part of a device's name; auto: GESSO_DEVICE, else the fastest"},
    {"run", "dir", GS_CONFIG_TEXT, "auto", 0, 0, NULL, "folder of the run; auto: runs/ and the config's name"},
    {"memory", "budget", GS_CONFIG_BYTES, "off", 0, 0, NULL,
     "most memory of the device that a run may take; what is over it is computed again where it is needed, with the same results; auto: what the device has"},
    {"train", "steps", GS_CONFIG_INT, "0", 0, 1e12, NULL, "stop after so many steps; 0: by epochs alone"},
    {"conv", "winograd", GS_CONFIG_CHOICE, "auto", 0, 0, "auto off",
     "3x3 and 4x4 convolutions by Winograd's method where that is faster: up to 4 times fewer multiplications, some 3 times the rounding error (1e-6 of the "
     "largest value); off: plain sums, for results that do not depend on which was faster"},
    {"data", "threads", GS_CONFIG_INT, "0", 0, 256, NULL, "threads that decode pictures; 0: one a core; does not change results"},
    {"log", "events", GS_CONFIG_BOOL, "1", 0, 0, NULL, "write event files for TensorBoard"},
    {"log", "plots", GS_CONFIG_BOOL, "1", 0, 0, NULL, "draw the curves of the losses into plots/"},
    {"checkpoint", "every", GS_CONFIG_INT, "0", 0, 1e12, NULL, "steps between checkpoints; 0: after each epoch"},
    {"checkpoint", "keep", GS_CONFIG_INT, "3", 0, 1e6, NULL, "how many of the newest checkpoints stay; 0: all"},
};

const gs_config_table gs_config_common = {"every system", rows, (int)GS_COUNT(rows)};
