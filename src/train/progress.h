/* What a training run shows while it works: log lines on stdout; on stderr a live line on a terminal, plain
 * lines now and then elsewhere. A program's own callbacks take the place of both. */
#ifndef GS_TRAIN_PROGRESS_H
#define GS_TRAIN_PROGRESS_H

#include "train/trainer.h"

typedef struct gs__show {
    const gs_train_opts *o;
    bool live, colour;
    double last;         /* when progress was shown last */
    double start;        /* when the steps began */
    int64_t first_step;  /* the one they began with */
    double rate_time;    /* a running rate: since when, */
    double rate_images;  /* how many pictures and steps, */
    int64_t rate_steps;
    double rate, pace;   /* and what came out: pictures a second, seconds a step; 0 while unknown */
    int width;           /* of the live line on the screen */
} gs__show;

void gs__show_start(gs__show *s, const gs_train_opts *o);
/* A line for people who follow the run. */
void gs__show_line(gs__show *s, const char *text);
/* The same on stderr, for what is about the run and not of it. */
void gs__show_note(gs__show *s, const char *text);
/* From here on steps are timed; those before were done by an earlier process. */
void gs__show_begin_steps(gs__show *s, int64_t step);
/* A line about p: "epoch 1/3  batch 40/938  step 40  0.26 images/s  3.8 s/step  ETA 3m05s". Seconds a step stand there from one upwards. */
void gs__progress_text(char *text, size_t size, const gs_train_progress *p);
/* Counts `images` more pictures and shows where the run is when it is time to. Fills in rate and eta of *p. */
void gs__show_progress(gs__show *s, gs_train_progress *p, int images);
void gs__show_end(gs__show *s);

#endif
