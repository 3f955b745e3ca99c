/* The systems that Gesso trains, as a table: what one has that another has not stands behind these hooks, and the training
 * loop, checkpoints, snapshots and `gesso info` are the same for all.
 *
 * A new system is one file, system_<name>.c, with one constant descriptor, and one line in system.c.
 *
 * A *setup* is a configuration together with its system and the system's own state (options, data once opened). It owns all
 * three; gs_setup_free frees them. Model pointers below are that state. */
#ifndef GS_TRAIN_SYSTEM_H
#define GS_TRAIN_SYSTEM_H

#include "data/image.h"
#include "gesso/gesso.h"
#include "io/safetensors.h"
#include "train/config.h"

#define GS_MAX_METRICS 16 /* of a system */

/* Where a run is: the batch that comes next. */
typedef struct gs_position {
    int64_t step;  /* steps done */
    int64_t epoch; /* epochs done */
    int batch;     /* batches of this epoch done */
} gs_position;

/* What a system's pictures are like. */
typedef struct gs_picture_info {
    int channels, height, width; /* 1 or 3 channels, as planes */
    int classes;                 /* labels are 0..classes-1; 0: the system has none */
    int latent;                  /* width of z; 0: none */
    bool unit_range;             /* the network's values lie in [0,1], else in [-1,1] */
    gs_image_filter filter;      /* systems that translate: how they resize what they read */
} gs_picture_info;

/* One element of the step's output "metrics". */
typedef struct gs_metric {
    const char *name;  /* column of metrics.csv */
    const char *title; /* "G loss" */
    enum { GS_METRIC_LOSS,  /* in the log line and in the chart of the losses */
           GS_METRIC_PART,  /* a term of a loss: in the files only */
           GS_METRIC_SCORE, /* in a chart of its own scale, 0 to 1 */
    } kind;
} gs_metric;

/* Before a network's prefix: its averaged weights, where a run keeps them. They are used in its place. */
#define GS_AVERAGED "ema_"

typedef struct gs_system {
    const char *name;            /* model.system */
    const char *title;           /* for people */
    const char *const *networks; /* prefixes of the trained networks, "G." ...; ends with NULL */
    const gs_metric *metrics;    /* in the order of the step's output "metrics" */
    int n_metrics;               /* at most GS_MAX_METRICS */
    /* Ending of small trained tensors, ".rho": every sample.sample_interval_batches their least, mean and largest values go to rho.csv; NULL: none. */
    const char *watched;
    /* For runs that will take long: settings "section.key=value" that may mean less work (ends with NULL), and the key of the run's length in steps;
     * NULL: none. */
    const char *const *cheaper;
    const char *length;

    /* The keys beside the common ones, and the presets of those that are "auto". */
    const gs_config_row *(*rows)(int *n);
    gs_status (*presets)(gs_config *c);

    /* The system's state of a checked configuration. *model is NULL after a failure. */
    gs_status (*open)(const gs_config *c, void **model);
    void (*close)(void *model); /* accepts NULL */
    int (*batch_size)(const void *model);
    int (*epochs)(const void *model);
    int64_t (*steps)(const void *model); /* of the whole run, where the last epoch may be short; NULL: epochs decide */
    gs_picture_info (*picture)(const void *model);

    /* One training step on `batch` samples, with the output "metrics" (fp32, one element a metric). */
    gs_status (*build_step)(const void *model, gs_graph *g, int batch);
    /* Systems that draw from noise and labels: inputs "z" (batch, latent) and "y" (batch), output "images" (batch, C, H, W). NULL for
     * those that translate pictures, which have the four below in its place. */
    gs_status (*build_sampler)(const void *model, gs_graph *g, int batch, bool train_mode);
    const char *const *directions; /* names, "A2B" ...; ends with NULL */
    /* Input "x" (batch, C, H, W), outputs "image" of the same shape and, of systems with attention, "heatmap" (batch, 1, h, w). */
    gs_status (*build_translator)(const void *model, gs_graph *g, int batch, int direction);
    /* Sample sheets: the graph of a direction's, and drawing it with a plan of that graph, after open_data. */
    gs_status (*build_sheet)(const void *model, gs_graph *g, int direction);
    gs_status (*draw_sheet)(void *model, gs_plan *plan, int direction, gs_image *out);
    /* The sheet's column of one picture x (C, H, W), with a plan of its graph; needs no data. */
    gs_status (*draw_column)(const void *model, gs_plan *plan, const float *x, gs_image *out);

    /* Loads the training data; once, before the three below. */
    gs_status (*open_data)(void *model, const gs_config *c);
    int64_t (*samples)(const void *model); /* of an epoch */
    int (*batches)(const void *model);     /* of an epoch */
    /* True size of batch `index` of an epoch. */
    int (*size_of)(const void *model, int index);
    /* Feeds the plan of that size with the batch at p and the rates that hold there. */
    gs_status (*feed)(void *model, gs_plan *plan, gs_position p);
    /* The rates at p, for the log: learning rate of the first network. */
    double (*rate)(const void *model, gs_position p);
    /* What initial values depend on the data (a mean picture's bias); before the first step. NULL: nothing. */
    gs_status (*prime)(void *model, gs_store *store);
    /* For import: appends the lines of [model] that names and shapes of an original's tensors tell. NULL: profiles are tried. */
    void (*guess)(const gs_st_tensor *const *t, int n, gs_str *model);
    /* z (n, latent) of picture first, first + 1, ... of a seed: picture i depends on (seed, i) only. NULL: no latent. */
    void (*latent)(const void *model, uint64_t seed, int64_t first, int n, float *z);
} gs_system;

/* All systems; ends with NULL (system.c). */
extern const gs_system *const gs_systems[];
/* GS_ECONFIG names the nearest. `where` begins the message: a file's name. */
gs_status gs_system_find(const char *name, const char *where, const gs_system **out);

typedef struct gs_setup {
    gs_config *config;       /* checked, without "auto" where the system presets */
    const gs_system *system;
    void *model;
} gs_setup;

/* From an INI file and n settings "section.key=value". GS_ECONFIG and what reading gives. */
gs_status gs_setup_load(const char *path, const char *const *set, int n, gs_setup **out);
/* The same from text, as checkpoints hold it; `name` stands for a path in messages. */
gs_status gs_setup_parse(const char *text, const char *name, const char *const *set, int n, gs_setup **out);
void gs_setup_free(gs_setup *s); /* accepts NULL */
/* The tables of a system: the common one and its own; for docs/config.md. tables has room for 2; returns how many. */
int gs_system_tables(const gs_system *s, gs_config_table tables[2]);

/* Gives the device the configuration's train.math; where it cannot, a warning says so and fp32 holds. */
void gs_setup_math(const gs_setup *s, gs_device *d);

/* What the configuration says of compiling: for every plan of a run. */
gs_compile_opts gs_setup_compile_opts(const gs_setup *s);

/* The graph that uses the trained networks on a batch: the sampler, or the translator of the first direction. */
gs_status gs_setup_build_use(const gs_setup *s, gs_graph *g, int batch);

/* What a run needs on a device, before anything is allocated there. */
typedef struct gs_setup_memory {
    size_t state;      /* parameters, statistics, optimiser */
    size_t workspace;  /* activations and gradients: shared by step and sampler */
    size_t constants;  /* inputs and tables */
    double flops;      /* of a step */
    int launches;      /* of a step */
    int epilogues;     /* of these: with an epilogue (gs_plan_stats) */
    size_t kept;       /* workspace when nothing is computed again */
    int again_launches;
    double again_flops, again_part; /* of a step: products computed again, and their and all other memory traffic as a part of a step's without */
    size_t budget;     /* that this was planned with; 0: none */
    size_t step_budget; /* what of it the step's plan may take: gs_compile_opts.budget */
} gs_setup_memory;
/* With the configuration's memory.budget. GS_ELIMIT with the figures and what to change when it does not fit. */
gs_status gs_setup_fits(const gs_setup *s, gs_device *d, gs_setup_memory *out);
/* The same with another budget in bytes; 0: none. */
gs_status gs_setup_fits_in(const gs_setup *s, gs_device *d, size_t budget, gs_setup_memory *out);

#endif
