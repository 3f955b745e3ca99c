/* Signals while a run trains: the first SIGINT or SIGTERM asks it to stop, a second SIGINT ends the process,
 * SIGXFSZ is ignored. */
#ifndef GS_TRAIN_SIGNALS_H
#define GS_TRAIN_SIGNALS_H

#include <signal.h>

typedef struct gs__signals { struct sigaction sigint, sigterm, sigxfsz; } gs__signals;

void gs__signals_install(gs__signals *former);
void gs__signals_restore(const gs__signals *former);
/* The signal that asked to stop since install, or 0. */
int gs__signals_caught(void);

#endif
