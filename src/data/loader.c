/* SPDX-License-Identifier: Apache-2.0
 * data/loader.c -- one thread that prepares batches beside the training, in a ring.
 *
 * Slots are numbered by batch: batch b lies in slot b % n_slots. `made` and `taken` count
 * batches since the start; the slot of the last one taken belongs to the caller until the
 * next call, so the thread may be at most n_slots - 1 ahead of it. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "data/dataset.h"

enum { AHEAD_MAX = 64 };

/* What became of one item of a batch. */
typedef struct loader_note {
    int64_t index, stored[2];
    vq_status status;
    char *sentence; /* NULL: none; in the memory of the thread's context */
} loader_note;

struct vq_loader {
    const vq_dataset *dataset;
    vq_order_fn order;
    const void *order_state;
    uint64_t seed;
    int64_t batch, first_step;
    size_t batch_bytes, n_slots;
    uint8_t *slots;
    loader_note *notes; /* `batch` for each slot */
    vq_context *ctx;    /* the thread's own */
    double waited;      /* seconds; the caller's */
    bool skips;         /* the caller's */

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool has_lock, has_changed, has_thread;
    /* Under the lock: */
    int64_t made, taken;
    bool stop;
    vq_status status; /* of the batch after `made`; its sentence is in ctx */
};

/* ---- the thread -------------------------------------------------------------- */

static bool should_stop(vq_loader *loader)
{
    pthread_mutex_lock(&loader->lock);
    const bool stop = loader->stop;
    pthread_mutex_unlock(&loader->lock);
    return stop;
}

static loader_note *notes_of(const vq_loader *loader, int64_t number)
{
    return loader->notes + (size_t)number % loader->n_slots * (size_t)loader->batch;
}

static uint8_t *pixels_of(const vq_loader *loader, int64_t number)
{
    return loader->slots + (size_t)number % loader->n_slots * loader->batch_bytes;
}

static vq_status make_item(vq_loader *loader, int64_t number, int64_t slot, uint8_t *to)
{
    loader_note *note = notes_of(loader, number) + slot;
    vq_data_key key = {.seed = loader->seed};
    vq_release(loader->ctx, note->sentence);
    *note = (loader_note){.status = VQ_OK};
    loader->order(loader->order_state, loader->first_step + number, slot, &note->index, &key.epoch);
    key.index = (uint64_t)note->index;
    note->status =
        vq_dataset_deliver(loader->ctx, loader->dataset, note->index, key, to, note->stored);
    if (!vq_data_image_failed(note->status)) return note->status;
    return vq_strdup(loader->ctx, vq_context_error(loader->ctx), &note->sentence);
}

/* Where an image could not be read stands the one before it, or the first that could. */
static void fill_gaps(vq_loader *loader, int64_t number)
{
    const loader_note *notes = notes_of(loader, number);
    const size_t image_bytes = loader->dataset->image_bytes;
    uint8_t *pixels = pixels_of(loader, number);
    int64_t good = 0;
    while (good < loader->batch && notes[good].status != VQ_OK) good++;
    for (int64_t slot = 0; slot < loader->batch; slot++) {
        uint8_t *to = pixels + (size_t)slot * image_bytes;
        if (notes[slot].status == VQ_OK) good = slot;
        else if (good < loader->batch) memcpy(to, pixels + (size_t)good * image_bytes, image_bytes);
        else memset(to, 0, image_bytes);
    }
}

static vq_status make_batch(vq_loader *loader, int64_t number)
{
    const size_t image_bytes = loader->dataset->image_bytes;
    uint8_t *to = pixels_of(loader, number);
    for (int64_t slot = 0; slot < loader->batch; slot++, to += image_bytes) {
        if (should_stop(loader)) return VQ_E_CANCELLED;
        VQ_TRY(make_item(loader, number, slot, to));
    }
    fill_gaps(loader, number);
    return VQ_OK;
}

/* Waits until there is room; false when the loader is to end. */
static bool wait_for_room(vq_loader *loader, int64_t *number)
{
    pthread_mutex_lock(&loader->lock);
    while (!loader->stop && loader->made - loader->taken >= (int64_t)loader->n_slots - 1)
        pthread_cond_wait(&loader->changed, &loader->lock);
    const bool go_on = !loader->stop;
    *number = loader->made;
    pthread_mutex_unlock(&loader->lock);
    return go_on;
}

static void publish(vq_loader *loader, vq_status status)
{
    pthread_mutex_lock(&loader->lock);
    if (status == VQ_OK) loader->made++;
    loader->status = status;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->lock);
}

static void *run(void *arg)
{
    vq_loader *loader = arg;
    vq_status status = VQ_OK;
    int64_t number = 0;
    while (status == VQ_OK && wait_for_room(loader, &number)) {
        status = make_batch(loader, number);
        publish(loader, status);
    }
    return NULL;
}

/* ---- the caller's side ------------------------------------------------------- */

static vq_status start_thread(vq_context *ctx, vq_loader *loader)
{
    sigset_t all, before;
    loader->has_lock = pthread_mutex_init(&loader->lock, NULL) == 0;
    loader->has_changed = pthread_cond_init(&loader->changed, NULL) == 0;
    VQ_CHECK(ctx, loader->has_lock && loader->has_changed, VQ_E_NOMEM,
             "the loader's locks could not be made");
    /* Signals are for the threads of the program, so this one is born with all blocked. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int code = pthread_create(&loader->thread, NULL, run, loader);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    loader->has_thread = code == 0;
    VQ_CHECK(ctx, code == 0, VQ_E_NOMEM, "the loader's thread could not be started: %s",
             strerror(code));
    return VQ_OK;
}

vq_status vq_loader_create(vq_context *ctx, const vq_dataset *dataset, vq_order_fn order,
                           const void *order_state, uint64_t seed, int64_t batch,
                           int64_t first_step, int ahead, vq_loader **out)
{
    vq_status status = VQ_OK;
    vq_loader *loader = NULL;
    *out = NULL;
    VQ_CHECK(ctx, batch >= 1 && ahead >= 1 && ahead <= AHEAD_MAX, VQ_E_ARG,
             "a loader of batches of %lld images, %d ahead; a batch has at least 1, and 1 to %d "
             "are prepared ahead",
             (long long)batch, ahead, AHEAD_MAX);
    VQ_TRY_TO(VQ_NEW(ctx, 1, &loader));
    *loader = (vq_loader){.dataset = dataset,
                          .order = order,
                          .order_state = order_state,
                          .seed = seed,
                          .batch = batch,
                          .first_step = first_step,
                          .n_slots = (size_t)ahead + 1};
    if (!vq_mul_size((size_t)batch, dataset->image_bytes, &loader->batch_bytes))
        VQ_TRY_TO(
            vq_fail(ctx, VQ_E_NOMEM, "a batch of %lld images is too large", (long long)batch));
    VQ_TRY_TO(vq_alloc(ctx, loader->n_slots, loader->batch_bytes, (void **)&loader->slots));
    VQ_TRY_TO(VQ_NEW(ctx, loader->n_slots * (size_t)batch, &loader->notes));
    VQ_TRY_TO(vq_data_helper_context(ctx, &loader->ctx));
    VQ_TRY_TO(start_thread(ctx, loader));
    *out = loader;
    loader = NULL;
done:
    vq_loader_destroy(ctx, loader);
    return status;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The first item of the next batch that could not be read; NULL where the caller skips them. */
static const loader_note *unwanted(const vq_loader *loader)
{
    const loader_note *notes = notes_of(loader, loader->taken);
    for (int64_t slot = 0; slot < loader->batch && !loader->skips; slot++)
        if (notes[slot].status != VQ_OK) return &notes[slot];
    return NULL;
}

vq_status vq_loader_next(vq_context *ctx, vq_loader *loader, const uint8_t **pixels)
{
    vq_status status = VQ_OK;
    const double begin = now();
    *pixels = NULL;
    pthread_mutex_lock(&loader->lock);
    while (loader->made == loader->taken && loader->status == VQ_OK)
        pthread_cond_wait(&loader->changed, &loader->lock);
    const loader_note *bad = loader->made > loader->taken ? unwanted(loader) : NULL;
    if (bad) {
        status = vq_fail(ctx, bad->status, "%s", bad->sentence);
    } else if (loader->made > loader->taken) {
        *pixels = pixels_of(loader, loader->taken);
        loader->taken++;
        pthread_cond_broadcast(&loader->changed);
    } else {
        /* The thread has ended, so its sentence stands still. */
        status = vq_fail(ctx, loader->status, "%s", vq_context_error(loader->ctx));
    }
    pthread_mutex_unlock(&loader->lock);
    loader->waited += now() - begin;
    return status;
}

void vq_loader_set_skip(vq_loader *loader, bool skip)
{
    loader->skips = skip;
}

vq_loaded vq_loader_item(const vq_loader *loader, int64_t slot)
{
    /* The slot of the last batch taken is the caller's: the thread does not touch it. */
    const loader_note *note = notes_of(loader, loader->taken - 1) + slot;
    return (vq_loaded){.index = note->index,
                       .height = note->stored[0],
                       .width = note->stored[1],
                       .status = note->status,
                       .sentence = note->sentence ? note->sentence : ""};
}

double vq_loader_waited(const vq_loader *loader)
{
    return loader->waited;
}

void vq_loader_destroy(vq_context *ctx, vq_loader *loader)
{
    if (!loader) return;
    if (loader->has_thread) {
        pthread_mutex_lock(&loader->lock);
        loader->stop = true;
        pthread_cond_broadcast(&loader->changed);
        pthread_mutex_unlock(&loader->lock);
        pthread_join(loader->thread, NULL);
    }
    if (loader->has_changed) pthread_cond_destroy(&loader->changed);
    if (loader->has_lock) pthread_mutex_destroy(&loader->lock);
    for (size_t i = 0; loader->notes && i < loader->n_slots * (size_t)loader->batch; i++)
        vq_release(ctx, loader->notes[i].sentence);
    vq_release(ctx, loader->notes);
    vq_context_destroy(loader->ctx);
    vq_release(ctx, loader->slots);
    vq_release(ctx, loader);
}
