/* SPDX-License-Identifier: Apache-2.0
 * data/loader.c -- threads that prepare batches beside the training, in a ring.
 *
 * Slots are numbered by batch: batch b lies in slot b % n_slots. The slot of the last batch taken
 * belongs to the caller until the next call, so batches up to taken + n_slots - 2 may be made. The
 * threads share the items of a batch rather than take a batch each: the next one that is waited
 * for is always what all of them work on. What an item becomes depends on nothing but its number,
 * so neither do batches on how many threads there are. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "data/dataset.h"

enum { AHEAD_LEAST = 2, AHEAD_MAX = 64, AHEAD_BYTES = 16 << 20, THREADS_MAX = 64 };

/* What became of one item of a batch. */
typedef struct loader_note {
    int64_t index, stored[2];
    vq_status status;
    char *sentence; /* NULL: none; in memory of the allocator that all contexts share */
} loader_note;

typedef struct loader_thread {
    vq_loader *loader;
    vq_context *ctx; /* its own */
    pthread_t thread;
    bool runs;
} loader_thread;

struct vq_loader {
    const vq_dataset *dataset;
    vq_order_fn order;
    const void *order_state;
    uint64_t seed;
    int64_t batch, first_step, piece; /* piece: items that a thread takes at a time */
    size_t batch_bytes, n_slots, n_threads;
    uint8_t *slots;
    loader_note *notes; /* `batch` for each slot */
    loader_thread *threads;
    double waited; /* seconds; the caller's */
    bool skips;    /* the caller's */
    atomic_bool stop;

    pthread_mutex_t lock;
    pthread_cond_t room, ready; /* for the threads, for the caller */
    bool has_lock, has_room, has_ready;
    /* Under the lock: */
    int64_t next;            /* item to be taken by a thread, counted through all batches */
    int64_t taken;           /* batches */
    int64_t *left;           /* of each slot: items of its batch that are not made yet */
    int64_t failed;          /* item that could not be made though nothing is wrong with it */
    vq_status status;        /* its failure */
    const vq_context *cause; /* of the thread that ended with it, which holds the sentence */
};

/* ---- one item ---------------------------------------------------------------- */

static size_t slot_of(const vq_loader *loader, int64_t number)
{
    return (size_t)number % loader->n_slots;
}

static loader_note *notes_of(const vq_loader *loader, int64_t number)
{
    return loader->notes + slot_of(loader, number) * (size_t)loader->batch;
}

static uint8_t *pixels_of(const vq_loader *loader, int64_t number)
{
    return loader->slots + slot_of(loader, number) * loader->batch_bytes;
}

static vq_status make_item(vq_context *ctx, const vq_loader *loader, int64_t item)
{
    const int64_t number = item / loader->batch, slot = item % loader->batch;
    loader_note *note = notes_of(loader, number) + slot;
    uint8_t *to = pixels_of(loader, number) + (size_t)slot * loader->dataset->image_bytes;
    vq_data_key key = {.seed = loader->seed};
    vq_release(ctx, note->sentence);
    *note = (loader_note){.status = VQ_OK};
    loader->order(loader->order_state, loader->first_step + number, slot, &note->index, &key.epoch);
    key.index = (uint64_t)note->index;
    note->status = vq_dataset_deliver(ctx, loader->dataset, note->index, key, to, note->stored);
    if (!vq_data_image_failed(note->status)) return note->status;
    return vq_strdup(ctx, vq_context_error(ctx), &note->sentence);
}

/* ---- a thread ---------------------------------------------------------------- */

/* Takes the next items of one batch, once there is room for it; false when the thread is to end. */
static bool take_piece(vq_loader *loader, int64_t *first, int64_t *n)
{
    const int64_t ahead = (int64_t)loader->n_slots - 1;
    pthread_mutex_lock(&loader->lock);
    while (!loader->stop && loader->failed < 0 &&
           loader->next / loader->batch >= loader->taken + ahead)
        pthread_cond_wait(&loader->room, &loader->lock);
    const bool go_on = !loader->stop && loader->failed < 0;
    const int64_t in_batch = loader->batch - loader->next % loader->batch;
    *first = loader->next;
    *n = in_batch < loader->piece ? in_batch : loader->piece;
    if (go_on) loader->next += *n;
    pthread_mutex_unlock(&loader->lock);
    return go_on;
}

/* Hands items in: `made` of them from `first` on, the one after those failed unless all is well. */
static void hand_in(loader_thread *thread, int64_t first, int64_t made, vq_status status)
{
    vq_loader *loader = thread->loader;
    pthread_mutex_lock(&loader->lock);
    int64_t *left = &loader->left[slot_of(loader, first / loader->batch)];
    *left -= made;
    if (status != VQ_OK && (loader->failed < 0 || first + made < loader->failed)) {
        loader->failed = first + made;
        loader->status = status;
        loader->cause = thread->ctx;
        pthread_cond_broadcast(&loader->room);
    }
    if (*left == 0 || status != VQ_OK) pthread_cond_signal(&loader->ready);
    pthread_mutex_unlock(&loader->lock);
}

static void *run(void *arg)
{
    loader_thread *thread = arg;
    vq_loader *loader = thread->loader;
    vq_status status = VQ_OK;
    int64_t first = 0, n = 0;
    while (status == VQ_OK && take_piece(loader, &first, &n)) {
        int64_t made = 0;
        for (; made < n && status == VQ_OK && !loader->stop; made += status == VQ_OK)
            status = make_item(thread->ctx, loader, first + made);
        hand_in(thread, first, made, status);
    }
    return NULL;
}

/* ---- beginning --------------------------------------------------------------- */

/* Signals are for the threads of the program, so these are born with all blocked. */
static int start_thread(loader_thread *thread)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int code = pthread_create(&thread->thread, NULL, run, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    thread->runs = code == 0;
    return code;
}

static vq_status start_threads(vq_context *ctx, vq_loader *loader)
{
    loader->has_lock = pthread_mutex_init(&loader->lock, NULL) == 0;
    loader->has_room = pthread_cond_init(&loader->room, NULL) == 0;
    loader->has_ready = pthread_cond_init(&loader->ready, NULL) == 0;
    VQ_CHECK(ctx, loader->has_lock && loader->has_room && loader->has_ready, VQ_E_NOMEM,
             "the loader's locks could not be made");
    VQ_TRY(VQ_NEW(ctx, loader->n_threads, &loader->threads));
    for (size_t i = 0; i < loader->n_threads; i++) {
        loader_thread *thread = &loader->threads[i];
        thread->loader = loader;
        VQ_TRY(vq_data_helper_context(ctx, &thread->ctx));
        const int code = start_thread(thread);
        /* One is enough. */
        VQ_CHECK(ctx, code == 0 || i > 0, VQ_E_NOMEM,
                 "the loader's thread could not be started: %s", strerror(code));
    }
    return VQ_OK;
}

/* As far as that takes little memory, enough for a thread to be held up now and then. */
static int64_t batches_ahead(int64_t asked, size_t batch_bytes)
{
    const size_t fit = AHEAD_BYTES / batch_bytes;
    if (asked > 0) return asked;
    return fit < AHEAD_LEAST ? AHEAD_LEAST : fit > AHEAD_MAX ? AHEAD_MAX : (int64_t)fit;
}

size_t vq_loader_bytes(const vq_dataset *dataset, int64_t batch)
{
    size_t size;
    if (batch < 1 || !vq_mul_size((size_t)batch, dataset->image_bytes, &size)) return SIZE_MAX;
    const size_t slots = (size_t)batches_ahead(0, size) + 1;
    return vq_mul_size(size, slots, &size) ? size : SIZE_MAX;
}

/* Few enough items that all threads have some of each batch, and so many that they seldom meet. */
static int64_t piece_of(int64_t batch, size_t n_threads)
{
    enum { PIECES = 4, MOST = 16 };
    const int64_t piece = batch / (PIECES * (int64_t)n_threads);
    return piece < 1 ? 1 : piece > MOST ? MOST : piece;
}

static vq_status take_memory(vq_context *ctx, int ahead, vq_loader *loader)
{
    const size_t batch = (size_t)loader->batch;
    VQ_CHECK(ctx, vq_mul_size(batch, loader->dataset->image_bytes, &loader->batch_bytes),
             VQ_E_NOMEM, "a batch of %zu images is too large", batch);
    loader->n_slots = (size_t)batches_ahead(ahead, loader->batch_bytes) + 1;
    VQ_TRY(vq_alloc(ctx, loader->n_slots, loader->batch_bytes, (void **)&loader->slots));
    VQ_TRY(VQ_NEW(ctx, loader->n_slots * batch, &loader->notes));
    VQ_TRY(VQ_NEW(ctx, loader->n_slots, &loader->left));
    for (size_t i = 0; i < loader->n_slots; i++) loader->left[i] = loader->batch;
    return VQ_OK;
}

vq_status vq_loader_create(vq_context *ctx, const vq_dataset *dataset, vq_order_fn order,
                           const void *order_state, uint64_t seed, int64_t batch,
                           int64_t first_step, int ahead, vq_loader **out)
{
    vq_status status = VQ_OK;
    vq_loader *loader = NULL;
    const int threads = vq_context_threads(ctx);
    *out = NULL;
    VQ_CHECK(ctx, batch >= 1 && ahead >= 0 && ahead <= AHEAD_MAX, VQ_E_ARG,
             "a loader of batches of %lld images, %d ahead; a batch has at least 1, and 1 to %d "
             "are prepared ahead, or 0: as many as take little memory",
             (long long)batch, ahead, AHEAD_MAX);
    VQ_TRY_TO(VQ_NEW(ctx, 1, &loader));
    *loader = (vq_loader){.dataset = dataset,
                          .order = order,
                          .order_state = order_state,
                          .seed = seed,
                          .batch = batch,
                          .first_step = first_step,
                          .failed = -1,
                          .n_threads = threads < THREADS_MAX ? (size_t)threads : THREADS_MAX};
    loader->piece = piece_of(batch, loader->n_threads);
    VQ_TRY_TO(take_memory(ctx, ahead, loader));
    VQ_TRY_TO(start_threads(ctx, loader));
    *out = loader;
    loader = NULL;
done:
    vq_loader_destroy(ctx, loader);
    return status;
}

/* ---- the caller's side ------------------------------------------------------- */

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

/* Where an image could not be read stands the one before it, or the first that could. */
static void fill_gaps(const vq_loader *loader, int64_t number)
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

/* Waits until batch `taken` is made or cannot be; whether it is made. */
static bool wait_for_batch(vq_loader *loader)
{
    const int64_t *left = &loader->left[slot_of(loader, loader->taken)];
    const int64_t end = (loader->taken + 1) * loader->batch;
    pthread_mutex_lock(&loader->lock);
    while (*left > 0 && (loader->failed < 0 || loader->failed >= end))
        pthread_cond_wait(&loader->ready, &loader->lock);
    const bool made = *left == 0;
    pthread_mutex_unlock(&loader->lock);
    return made;
}

/* The slot of the batch before is free from now on. */
static void take_batch(vq_loader *loader)
{
    pthread_mutex_lock(&loader->lock);
    if (loader->taken > 0) loader->left[slot_of(loader, loader->taken - 1)] = loader->batch;
    loader->taken++;
    pthread_cond_broadcast(&loader->room);
    pthread_mutex_unlock(&loader->lock);
}

vq_status vq_loader_next(vq_context *ctx, vq_loader *loader, const uint8_t **pixels)
{
    const double begin = now();
    *pixels = NULL;
    const bool made = wait_for_batch(loader);
    loader->waited += now() - begin;
    /* The thread that failed has ended, so its sentence stands still. */
    if (!made) return vq_fail(ctx, loader->status, "%s", vq_context_error(loader->cause));
    const loader_note *bad = unwanted(loader);
    if (bad) return vq_fail(ctx, bad->status, "%s", bad->sentence);
    fill_gaps(loader, loader->taken);
    *pixels = pixels_of(loader, loader->taken);
    take_batch(loader);
    return VQ_OK;
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

static void end_threads(vq_loader *loader)
{
    if (loader->has_lock) pthread_mutex_lock(&loader->lock);
    loader->stop = true;
    if (loader->has_room) pthread_cond_broadcast(&loader->room);
    if (loader->has_lock) pthread_mutex_unlock(&loader->lock);
    for (size_t i = 0; loader->threads && i < loader->n_threads; i++) {
        if (loader->threads[i].runs) pthread_join(loader->threads[i].thread, NULL);
        vq_context_destroy(loader->threads[i].ctx);
    }
}

void vq_loader_destroy(vq_context *ctx, vq_loader *loader)
{
    if (!loader) return;
    end_threads(loader);
    if (loader->has_ready) pthread_cond_destroy(&loader->ready);
    if (loader->has_room) pthread_cond_destroy(&loader->room);
    if (loader->has_lock) pthread_mutex_destroy(&loader->lock);
    for (size_t i = 0; loader->notes && i < loader->n_slots * (size_t)loader->batch; i++)
        vq_release(ctx, loader->notes[i].sentence);
    vq_release(ctx, loader->threads);
    vq_release(ctx, loader->left);
    vq_release(ctx, loader->notes);
    vq_release(ctx, loader->slots);
    vq_release(ctx, loader);
}
