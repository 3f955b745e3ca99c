/* Parallel loops on the host. */
#include "base/base.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

/* The cores this process may use, which in a container or under taskset are fewer than the machine has. */
int gs_cores(void)
{
    cpu_set_t set;
    long n;

    if (sched_getaffinity(0, sizeof set, &set) == 0) return GS_MAX(CPU_COUNT(&set), 1);
    n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

typedef struct loop {
    int n, next;
    void (*fn)(void *user, int i);
    void *user;
} loop;

static void *work(void *arg)
{
    loop *l = arg;
    int i;

    while ((i = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED)) < l->n) l->fn(l->user, i);
    return NULL;
}

/* The caller works too; where threads cannot be had the loop still ends, only later. */
void gs_parallel_for(int n, int threads, void (*fn)(void *user, int i), void *user)
{
    loop l = {.n = n, .fn = fn, .user = user};
    pthread_t *ids;
    int started = 0;

    if (threads <= 0) threads = gs_cores();
    threads = GS_MIN(threads, n) - 1;
    ids = gs_xalloc((size_t)GS_MAX(threads, 1) * sizeof *ids);
    while (started < threads && pthread_create(&ids[started], NULL, work, &l) == 0) started++;
    work(&l);
    for (int i = 0; i < started; i++) pthread_join(ids[i], NULL);
    free(ids);
}
