/* SPDX-License-Identifier: Apache-2.0
 * base/pool.c -- the threads of a context.
 *
 * Pieces, at most one a thread, are claimed, not dealt out: a thread that the system does not let
 * begin holds nobody up, as another takes its piece; one that is stopped within a piece is waited
 * for. Who finds nothing to do looks for some tens of microseconds, longer than a training
 * step rests between two operations, and then sleeps; on a machine that others use, threads that
 * keep looking would take the processors from those that compute. */
#include "base/pool.h"
#include <pthread.h>
#include <stdatomic.h>

enum {
    LOOKS = 4000,    /* times that a thread looks before it sleeps: 40 to 200 microseconds,
                        as long as the processor pauses in between */
    PIECE_BITS = 16, /* of the ticket, for the next piece and for how many there are */
    PIECE_MASK = (1 << PIECE_BITS) - 1
};

/* The ticket holds [number of the job | pieces | next piece]. A claim succeeds only while it is
 * that of the very job that was seen, and the job then stays until the claimed piece is done: so
 * `job` is read after a claim alone. */
struct vq_pool {
    _Atomic uint64_t ticket;
    _Atomic int left; /* pieces not yet done */
    vq_pieces job;
    uint32_t number;
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    _Atomic int sleepers;
    _Atomic bool caller_sleeps;
    bool stop;
    int n;
    pthread_t thread[];
};

static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool has_work(uint64_t ticket)
{
    return (ticket & PIECE_MASK) < (ticket >> PIECE_BITS & PIECE_MASK);
}

/* Runs one piece; false where none is left. */
static bool run_one(struct vq_pool *pool)
{
    uint64_t ticket = atomic_load(&pool->ticket);
    do {
        if (!has_work(ticket)) return false;
    } while (!atomic_compare_exchange_weak(&pool->ticket, &ticket, ticket + 1));
    vq_pieces_run(&pool->job, (int)(ticket & PIECE_MASK));
    if (atomic_fetch_sub(&pool->left, 1) == 1 && atomic_load(&pool->caller_sleeps)) {
        (void)pthread_mutex_lock(&pool->lock);
        (void)pthread_cond_signal(&pool->done);
        (void)pthread_mutex_unlock(&pool->lock);
    }
    return true;
}

/* Waits for work; false at the end. The ticket is looked at once more after `sleepers` was raised,
 * and the caller looks at `sleepers` after it set the ticket: one of the two sees the other. */
static bool await_work(struct vq_pool *pool)
{
    for (int i = 0; i < LOOKS; i++) {
        if (has_work(atomic_load(&pool->ticket))) return true;
        pause_briefly();
    }
    (void)pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1);
    while (!pool->stop && !has_work(atomic_load(&pool->ticket)))
        (void)pthread_cond_wait(&pool->work, &pool->lock);
    atomic_fetch_sub(&pool->sleepers, 1);
    const bool goes_on = !pool->stop;
    (void)pthread_mutex_unlock(&pool->lock);
    return goes_on;
}

static void *serve(void *arg)
{
    while (await_work(arg))
        while (run_one(arg)) continue;
    return NULL;
}

static void start(vq_context *ctx)
{
    const size_t wanted = (size_t)ctx->threads - 1;
    void *memory = ctx->allocator.alloc(ctx->allocator.user,
                                        sizeof(struct vq_pool) + wanted * sizeof(pthread_t));
    if (!memory) return;
    struct vq_pool *pool = memory;
    *pool = (struct vq_pool){.stop = false};
    if (pthread_mutex_init(&pool->lock, NULL) == 0 && pthread_cond_init(&pool->work, NULL) == 0 &&
        pthread_cond_init(&pool->done, NULL) == 0)
        while (pool->n < (int)wanted &&
               pthread_create(&pool->thread[pool->n], NULL, serve, pool) == 0)
            pool->n++;
    ctx->pool = pool;
}

static void await_end(struct vq_pool *pool)
{
    for (int i = 0; i < LOOKS; i++) {
        if (atomic_load(&pool->left) == 0) return;
        pause_briefly();
    }
    (void)pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->caller_sleeps, true);
    while (atomic_load(&pool->left) != 0) (void)pthread_cond_wait(&pool->done, &pool->lock);
    atomic_store(&pool->caller_sleeps, false);
    (void)pthread_mutex_unlock(&pool->lock);
}

void vq_pool_run(vq_context *ctx, const vq_pieces *job)
{
    if (!ctx->pool) start(ctx);
    struct vq_pool *pool = ctx->pool;
    if (!pool) {
        for (int p = 0; p < job->pieces; p++) vq_pieces_run(job, p);
        return;
    }
    pool->job = *job;
    pool->number++;
    atomic_store(&pool->left, job->pieces);
    atomic_store(&pool->ticket,
                 (uint64_t)pool->number << 2 * PIECE_BITS | (uint64_t)job->pieces << PIECE_BITS);
    if (atomic_load(&pool->sleepers) > 0) {
        (void)pthread_mutex_lock(&pool->lock);
        (void)pthread_cond_broadcast(&pool->work);
        (void)pthread_mutex_unlock(&pool->lock);
    }
    while (run_one(pool)) continue;
    await_end(pool);
}

void vq_pool_destroy(vq_context *ctx)
{
    struct vq_pool *pool = ctx->pool;
    if (!pool) return;
    (void)pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    (void)pthread_cond_broadcast(&pool->work);
    (void)pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->n; i++) (void)pthread_join(pool->thread[i], NULL);
    (void)pthread_cond_destroy(&pool->work);
    (void)pthread_cond_destroy(&pool->done);
    (void)pthread_mutex_destroy(&pool->lock);
    ctx->allocator.release(ctx->allocator.user, pool);
    ctx->pool = NULL;
}
