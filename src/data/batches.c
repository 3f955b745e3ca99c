/* Batches: one permutation per epoch, and optionally one batch prepared ahead by a thread. */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "data/batches.h"

/* A stream of random numbers that no other user of the same seed draws from. */
#define STREAM_BASE 0x6261746368000000ull

typedef struct order { /* the permutation of one epoch; each thread has its own */
    int64_t epoch;     /* -1: none yet */
    int32_t *at;
} order;

enum slot_state { SLOT_EMPTY, SLOT_WANTED, SLOT_READY };

struct gs_batches {
    const gs_labelled *set;
    gs_batches_opts o;
    int count;
    float table[256];
    order own;

    pthread_t thread;
    bool started, quit;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum slot_state state; /* everything below is guarded by lock, but the arrays while WANTED are the thread's */
    int64_t epoch;
    int index, n;
    float *images;
    int32_t *labels;
    order theirs;
};

static size_t image_floats(const gs_batches *b) { return (size_t)b->set->h * b->set->w * b->set->c; }

static void make_order(const gs_batches *b, order *p, int64_t epoch)
{
    gs_rng r = { .seed = b->o.seed, .stream = STREAM_BASE + (uint64_t)epoch };

    if (p->epoch == epoch) return;
    p->epoch = epoch;
    gs_rng_permute(&r, p->at, b->set->n);
}

/* The work itself: gather, to float, channels to planes. */
static int fill(const gs_batches *b, order *p, int64_t epoch, int index, float *images, int32_t *labels)
{
    const gs_labelled *s = b->set;
    const int64_t first = (int64_t)index * b->o.batch;
    const int n = (int)GS_MIN(b->o.batch, s->n - first), plane = s->h * s->w;
    const size_t one = image_floats(b);

    if (!b->o.in_order) make_order(b, p, epoch);
    for (int i = 0; i < n; i++) {
        const int64_t k = b->o.in_order ? first + i : p->at[first + i];
        const uint8_t *from = s->images + k * one;
        float *to = images + i * one;

        labels[i] = s->labels[k];
        for (int c = 0; c < s->c; c++)
            for (int q = 0; q < plane; q++) to[c * plane + q] = b->table[from[q * s->c + c]];
    }
    return n;
}

static void *worker(void *user)
{
    gs_batches *b = user;

    pthread_mutex_lock(&b->lock);
    for (;;) {
        int64_t epoch;
        int index, n;

        while (b->state != SLOT_WANTED && !b->quit) pthread_cond_wait(&b->changed, &b->lock);
        if (b->quit) break;
        epoch = b->epoch;
        index = b->index;
        pthread_mutex_unlock(&b->lock);
        n = fill(b, &b->theirs, epoch, index, b->images, b->labels);
        pthread_mutex_lock(&b->lock);
        b->n = n;
        b->state = SLOT_READY;
        pthread_cond_broadcast(&b->changed);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

gs_status gs_batches_new(gs_batches **out, const gs_labelled *set, const gs_batches_opts *o)
{
    gs_status st = GS_OK;
    gs_batches *b;
    int rest;

    *out = NULL;
    if (o->batch < 1) return gs_fail(GS_EINVAL, "batch size %d; it is at least 1", o->batch);
    b = gs_xalloc(sizeof *b);
    b->set = set;
    b->o = *o;
    b->own.epoch = b->theirs.epoch = -1;
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, NULL);
    rest = set->n % o->batch;
    b->count = set->n / o->batch + (rest > 0 && !o->drop_last && rest >= o->min_last);
    if (b->count == 0)
        TRY(gs_fail(GS_ECONFIG, "%d pictures give no batch of %d; lower the batch size or keep the last batch", set->n,
                    o->batch));
    for (int v = 0; v < 256; v++) b->table[v] = o->unit_range ? v / 255.0f : v / 127.5f - 1;
    b->own.at = gs_try_alloc(set->n, sizeof(int32_t), "order of an epoch");
    TRY(b->own.at ? GS_OK : GS_ENOMEM);
    if (o->prefetch) {
        b->theirs.at = gs_try_alloc(set->n, sizeof(int32_t), "order of an epoch");
        b->images = gs_try_alloc(o->batch, image_floats(b) * sizeof(float), "a batch");
        b->labels = gs_try_alloc(o->batch, sizeof(int32_t), "a batch");
        TRY(b->theirs.at && b->images && b->labels ? GS_OK : GS_ENOMEM);
        /* Without a thread every batch is made when it is asked for: slower, not wrong. */
        b->started = pthread_create(&b->thread, NULL, worker, b) == 0;
    }
    *out = b;
    b = NULL;
done:
    gs_batches_free(b);
    return st;
}

void gs_batches_free(gs_batches *b)
{
    if (!b) return;
    if (b->started) {
        pthread_mutex_lock(&b->lock);
        b->quit = true;
        pthread_cond_broadcast(&b->changed);
        pthread_mutex_unlock(&b->lock);
        pthread_join(b->thread, NULL);
    }
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    free(b->own.at);
    free(b->theirs.at);
    free(b->images);
    free(b->labels);
    free(b);
}

int gs_batches_count(const gs_batches *b) { return b->count; }

int gs_batches_get(gs_batches *b, int64_t epoch, int index, float *images, int32_t *labels)
{
    bool hit = false;
    int n = 0;

    assert(index >= 0 && index < b->count && epoch >= 0);
    if (!b->started) return fill(b, &b->own, epoch, index, images, labels);
    pthread_mutex_lock(&b->lock);
    while (b->state == SLOT_WANTED) pthread_cond_wait(&b->changed, &b->lock);
    if (b->state == SLOT_READY && b->epoch == epoch && b->index == index) {
        n = b->n;
        memcpy(images, b->images, n * image_floats(b) * sizeof *images);
        memcpy(labels, b->labels, n * sizeof *labels);
        hit = true;
    }
    b->epoch = index + 1 < b->count ? epoch : epoch + 1;
    b->index = index + 1 < b->count ? index + 1 : 0;
    b->state = SLOT_WANTED;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    return hit ? n : fill(b, &b->own, epoch, index, images, labels);
}
