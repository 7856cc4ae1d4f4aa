/* SPDX-License-Identifier: Apache-2.0
 * kernels/peak.c -- the machine's rate of fused multiply-adds, by the micro-kernel itself. */
#include <vqvae/measure.h>

#include "base/parallel.h"
#include "kernels/kernels.h"

enum { DEPTH = 128 };

typedef struct peak_job {
    const vq_kernels *kernels;
    size_t rounds;
} peak_job;

static void multiply(void *arg, size_t begin, size_t end, int thread)
{
    const peak_job *job = arg;
    _Alignas(VQ_ALIGNMENT) float in[DEPTH], weights[VQ_PANELS_MAX * VQ_PANEL * DEPTH];
    _Alignas(VQ_ALIGNMENT) float out[VQ_PLACES][VQ_PANELS_MAX * VQ_PANEL] = {{0.0f}};
    vq_correlate_tile tile = {.taps = 1,
                              .run = DEPTH,
                              .weights = weights,
                              .panel_step = VQ_PANEL * DEPTH,
                              .panels = job->kernels->correlate_panels};
    (void)thread;
    for (size_t i = 0; i < DEPTH; i++) in[i] = 0.5f;
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) weights[i] = 0.25f;
    for (size_t i = 0; i < VQ_PLACES; i++) {
        tile.in[i] = in;
        tile.out[i] = out[i];
        tile.start[i] = weights;
    }
    for (size_t i = begin * job->rounds; i < end * job->rounds; i++) job->kernels->correlate(&tile);
}

double vq_measure_peak(vq_context *ctx, size_t rounds)
{
    peak_job job = {.kernels = vq_kernels_of(ctx), .rounds = rounds};
    const size_t threads = (size_t)ctx->threads;
    const double tile = 2.0 * VQ_PLACES * VQ_PANEL * (double)job.kernels->correlate_panels * DEPTH;
    vq_parallel_for(ctx, threads, 1, multiply, &job);
    return tile * (double)rounds * (double)threads;
}
