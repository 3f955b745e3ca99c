/* See the header. A handler can reach nothing but a variable of this file, hence the one mutable global here. */
#include "train/signals.h"

static volatile sig_atomic_t caught;

static void ask_to_stop(int sig)
{
    caught = sig;
}

void gs__signals_install(gs__signals *former)
{
    struct sigaction once = { .sa_handler = ask_to_stop, .sa_flags = SA_RESTART };
    struct sigaction ignore = { .sa_handler = SIG_IGN };

    caught = 0;
    sigemptyset(&once.sa_mask);
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGTERM, &once, &former->sigterm);
    sigaction(SIGXFSZ, &ignore, &former->sigxfsz);
    once.sa_flags |= SA_RESETHAND; /* the next one has its usual effect */
    sigaction(SIGINT, &once, &former->sigint);
}

void gs__signals_restore(const gs__signals *former)
{
    sigaction(SIGINT, &former->sigint, NULL);
    sigaction(SIGTERM, &former->sigterm, NULL);
    sigaction(SIGXFSZ, &former->sigxfsz, NULL);
}

int gs__signals_caught(void)
{
    return caught;
}
