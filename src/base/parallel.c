/* SPDX-License-Identifier: Apache-2.0
 * base/parallel.c -- pieces of a range on OpenMP's threads, or one after another without it.
 *
 * The number of threads is a clause of the one parallel region, so the caller's own OpenMP
 * settings are neither read nor changed, but for what vq_threads_enter() lends to oneDNN. */
#include "base/parallel.h"

#ifdef _OPENMP
#include <omp.h>
#endif

void vq_parallel_for(vq_context *ctx, size_t count, size_t grain, vq_range_fn *fn, void *arg)
{
    if (count == 0) return;
    if (grain == 0) grain = 1;
    const size_t units = (count - 1) / grain + 1;
    const size_t threads = (size_t)ctx->threads;
    const int pieces = (int)(units < threads ? units : threads);
    if (pieces == 1) {
        fn(arg, 0, count, 0);
        return;
    }
    /* Split quotient and remainder, as p * units may overflow. */
    const size_t share = units / (size_t)pieces, rest = units % (size_t)pieces;
    /* The runtime may grant fewer threads than asked for; the loop still runs every piece. */
#ifdef _OPENMP
#pragma omp parallel for num_threads(pieces) schedule(static, 1)
#endif
    for (int p = 0; p < pieces; p++) {
        const size_t at = (size_t)p, n = (size_t)pieces;
        const size_t first = at * share + at * rest / n;
        const size_t last = (at + 1) * share + (at + 1) * rest / n;
        fn(arg, first * grain, p + 1 == pieces ? count : last * grain, p);
    }
}

int vq_threads_enter(const vq_context *ctx)
{
#ifdef _OPENMP
    const int before = omp_get_max_threads();
    omp_set_num_threads(ctx->threads);
    return before;
#else
    (void)ctx;
    return 0;
#endif
}

void vq_threads_leave(int before)
{
#ifdef _OPENMP
    omp_set_num_threads(before);
#else
    (void)before;
#endif
}

size_t vq_sum_chunks_count(size_t count)
{
    return count / VQ_SUM_CHUNK + (count % VQ_SUM_CHUNK != 0);
}

typedef struct sum_job {
    vq_sum_fn *fn;
    const void *arg;
    size_t count;
    double *partials;
} sum_job;

static void sum_range(void *arg, size_t begin, size_t end, int thread)
{
    const sum_job *job = arg;
    (void)thread;
    for (size_t chunk = begin; chunk < end; chunk++) {
        const size_t from = chunk * VQ_SUM_CHUNK;
        const size_t left = job->count - from;
        job->partials[chunk] =
            job->fn(job->arg, from, from + (left < VQ_SUM_CHUNK ? left : VQ_SUM_CHUNK));
    }
}

double vq_sum_chunks(vq_context *ctx, size_t count, vq_sum_fn *fn, const void *arg,
                     double *partials)
{
    const size_t chunks = vq_sum_chunks_count(count);
    sum_job job = {.fn = fn, .arg = arg, .count = count, .partials = partials};
    vq_parallel_for(ctx, chunks, 1, sum_range, &job);
    double sum = 0.0;
    for (size_t i = 0; i < chunks; i++) sum += partials[i];
    return sum;
}
