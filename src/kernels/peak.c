/* SPDX-License-Identifier: Apache-2.0
 * kernels/peak.c -- the machine's rate of fused multiply-adds, by the micro-kernel itself. */
#include <vqvae/measure.h>

#include "base/parallel.h"
#include "kernels/kernels.h"

enum { DEPTH = 128, COLS_MAX = 64 };

typedef struct peak_job {
    const vq_kernels *kernels;
    size_t rounds;
} peak_job;

static void multiply(void *arg, size_t begin, size_t end, int thread)
{
    const peak_job *job = arg;
    _Alignas(VQ_ALIGNMENT) float a[VQ_TILE_ROWS_MAX * DEPTH], b[COLS_MAX * DEPTH];
    _Alignas(VQ_ALIGNMENT) float c[VQ_TILE_ROWS_MAX * COLS_MAX];
    const size_t rows = job->kernels->tile_rows, cols = job->kernels->tile_cols;
    (void)thread;
    for (size_t i = 0; i < rows * DEPTH; i++) a[i] = 0.5f;
    for (size_t i = 0; i < cols * DEPTH; i++) b[i] = 0.25f;
    for (size_t i = begin * job->rounds; i < end * job->rounds; i++)
        job->kernels->gemm_tile(DEPTH, a, b, c, cols, rows, cols, 0);
}

double vq_measure_peak(vq_context *ctx, size_t rounds)
{
    peak_job job = {.kernels = vq_kernels_of(ctx), .rounds = rounds};
    const size_t threads = (size_t)ctx->threads;
    const double tile = 2.0 * (double)(job.kernels->tile_rows * job.kernels->tile_cols) * DEPTH;
    vq_parallel_for(ctx, threads, 1, multiply, &job);
    return tile * (double)rounds * (double)threads;
}
