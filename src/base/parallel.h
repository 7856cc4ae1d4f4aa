/* SPDX-License-Identifier: Apache-2.0
 * base/parallel.h -- the only place where threads start. */
#ifndef VQ_BASE_PARALLEL_H
#define VQ_BASE_PARALLEL_H

#include "base/context.h"

typedef void vq_range_fn(void *arg, size_t begin, size_t end, int thread);

/** A range in pieces, of `units` grains together. */
typedef struct vq_pieces {
    vq_range_fn *fn;
    void *arg;
    size_t count, grain, units;
    int pieces;
} vq_pieces;

/** Runs one of them; any thread may run any, each once. */
void vq_pieces_run(const vq_pieces *job, int piece);

/**
 * Calls fn on consecutive pieces that cover [0, count): piece p of P = min(threads,
 * ceil(count / grain)) is [p*count/P, (p+1)*count/P), rounded to the grain, and runs
 * as `thread` p. Returns when all are done. Callers whose result depends on how
 * numbers are summed must make it independent of the pieces (see vq_sum_chunks).
 */
void vq_parallel_for(vq_context *ctx, size_t count, size_t grain, vq_range_fn *fn, void *arg);

enum { VQ_SUM_CHUNK = 4096 };

/** Partial sum over the elements [begin, end), in double. */
typedef double vq_sum_fn(const void *arg, size_t begin, size_t end);

/** Sum over [0, count) in fixed chunks of VQ_SUM_CHUNK elements, combined in order:
 *  the same bits for any number of threads. `partials` holds vq_sum_chunks_count(count)
 *  numbers. */
double vq_sum_chunks(vq_context *ctx, size_t count, vq_sum_fn *fn, const void *arg,
                     double *partials);
size_t vq_sum_chunks_count(size_t count);
/** The sum of `count` numbers, taken like that. */
double vq_sum_numbers(vq_context *ctx, size_t count, const double *numbers, double *partials);

#endif
