/* Training: from a configuration to a run folder.
 *
 *   RUN/config.ini          the resolved configuration
 *   RUN/tuning.txt          which variants of kernels it computes with: a copy of the device's store when it began
 *   RUN/log.txt             what was printed, with times
 *   RUN/metrics.csv .jsonl  a line at every log line;  epochs.csv .jsonl  the means of every epoch
 *   RUN/samples/            epoch_%04d.png, batch_%08d.png
 *   RUN/plots/loss.png      redrawn after each epoch
 *   RUN/checkpoints/        the newest checkpoint.keep
 *   RUN/events/             for TensorBoard
 *
 * A run that was stopped at any moment, by a signal or by loss of power, and resumed ends with the same bytes in its
 * checkpoints and metrics as one that was not, on the same device. */
#ifndef GS_TRAIN_TRAINER_H
#define GS_TRAIN_TRAINER_H

#include "base/base.h"

/* For programs that show progress in their own way. */
typedef struct gs_train_progress {
    int64_t step, steps;     /* done, in all */
    int64_t epoch, epochs;   /* the one being worked on, from 1; in all */
    int batch, batches;      /* done of this epoch, in all */
    double images_per_second; /* 0 while unknown, as is the next */
    double seconds_per_step;
    double eta;              /* seconds to the end; negative while unknown */
} gs_train_progress;

typedef struct gs_train_opts { /* zero value: as the configuration says */
    const char *config;        /* an INI file; or a run folder, whose config.ini is meant and which is resumed */
    const char *const *set;    /* n_set strings "section.key=value" */
    int n_set;
    const char *run;           /* folder; NULL: run.dir, else runs/<name of the config> */
    const char *device;        /* NULL: run.device, else the fastest */
    int64_t steps;             /* stop when so many steps are done in all; 0: train.steps, else by epochs */
    bool resume;               /* go on from the newest valid checkpoint of the folder; from the start when
                                * there is none yet */
    bool quiet;                /* print nothing */
    /* Called with each log line, and about ten times a second at most; both NULL: lines go to stdout,
     * progress to stderr. */
    void (*line)(void *user, const char *text);
    void (*progress)(void *user, const gs_train_progress *p);
    void *user;
} gs_train_opts;

typedef struct gs_train_result {
    int64_t step, epoch;     /* done */
    bool finished;           /* all epochs are done */
    char run[4096];          /* the folder */
    char checkpoint[4096];   /* the newest one; "" when there is none */
    char grid[4096];         /* the newest sample grid of this call; "" when there is none */
} gs_train_result;

/* Trains. While it runs, SIGINT and SIGTERM finish the step, save and end with GS_ESTOPPED; a second SIGINT
 * ends the process at once; SIGXFSZ is ignored, so that a full disk is an error and not a death. Their former
 * handlers are put back at the end.
 *   GS_ENUMERIC  a loss or parameter became NaN or infinite: the sentence names step, tensor and the last
 *                good checkpoint, over which nothing is written
 *   GS_EUSAGE    the folder holds a run and resume was not asked for, or another process works in it
 *   GS_ECONFIG   also: resume with another configuration; the key is named. Keys that do not change what is
 *                computed may differ: n_epochs, steps, log_every, data.threads, data.cache, [sample], [log],
 *                [checkpoint], [run]
 *   GS_ELIMIT    the run does not fit the device, said before it starts
 * out may be NULL; it is filled as far as things went, also after a failure. */
gs_status gs_train(const gs_train_opts *o, gs_train_result *out);

#endif
