/* SPDX-License-Identifier: Apache-2.0
 * base/parallel.c -- ranges cut into pieces, which the context's threads run; sums over them. */
#include "base/parallel.h"
#include "base/pool.h"

void vq_pieces_run(const vq_pieces *job, int piece)
{
    /* Split quotient and remainder, as p * units may overflow. */
    const size_t at = (size_t)piece, n = (size_t)job->pieces;
    const size_t share = job->units / n, rest = job->units % n;
    const size_t first = at * share + at * rest / n;
    const size_t last = (at + 1) * share + (at + 1) * rest / n;
    job->fn(job->arg, first * job->grain, piece + 1 == job->pieces ? job->count : last * job->grain,
            piece);
}

void vq_parallel_for(vq_context *ctx, size_t count, size_t grain, vq_range_fn *fn, void *arg)
{
    if (count == 0) return;
    if (grain == 0) grain = 1;
    const size_t units = (count - 1) / grain + 1;
    const size_t threads = (size_t)ctx->threads;
    const vq_pieces job = {.fn = fn,
                           .arg = arg,
                           .count = count,
                           .grain = grain,
                           .units = units,
                           .pieces = (int)(units < threads ? units : threads)};
    if (job.pieces == 1 || ctx->parallel) {
        /* A range within a piece of another: its threads are busy. */
        for (int p = 0; p < job.pieces; p++) vq_pieces_run(&job, p);
        return;
    }
    ctx->parallel = true;
    if (ctx->run_pieces) ctx->run_pieces(&job);
    else vq_pool_run(ctx, &job);
    ctx->parallel = false;
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

static double sum_numbers(const void *arg, size_t begin, size_t end)
{
    const double *numbers = arg;
    double sum = 0.0;
    for (size_t i = begin; i < end; i++) sum += numbers[i];
    return sum;
}

double vq_sum_numbers(vq_context *ctx, size_t count, const double *numbers, double *partials)
{
    return vq_sum_chunks(ctx, count, sum_numbers, numbers, partials);
}
