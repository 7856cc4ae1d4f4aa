/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/elements.c -- the gradient of a bias. */
#include "nn/ops/elements.h"

#include <string.h>

#include "base/parallel.h"
#include "base/sizes.h"
#include "nn/ops/common.h"

/* Places whose sum one thread makes: fixed, so that the number of threads changes no bit. */
enum { CHUNK = 512 };

#ifndef VQ_REAL_DOUBLE

size_t vq_bias_scratch(const vq_shape *shape)
{
    const size_t channels = vq_last_axis(shape);
    const size_t places = channels ? vq_shape_count(shape) / channels : 0;
    return (places / CHUNK + 1) * channels * sizeof(double);
}

#endif

typedef struct bias_job {
    size_t places, channels;
    const real *from;
    double *sums; /* channels of them for each chunk */
} bias_job;

static void sum_chunks(void *arg, size_t begin, size_t end, int thread)
{
    const bias_job *job = arg;
    (void)thread;
    for (size_t chunk = begin; chunk < end; chunk++) {
        double *sums = job->sums + chunk * job->channels;
        const size_t last = vq_smaller((chunk + 1) * CHUNK, job->places);
        memset(sums, 0, job->channels * sizeof *sums);
        for (size_t place = chunk * CHUNK; place < last; place++) {
            const real *from = job->from + place * job->channels;
            for (size_t j = 0; j < job->channels; j++) sums[j] += (double)from[j];
        }
    }
}

vq_status vq_bias_gradient(vq_context *ctx, const vq_shape *shape, const real *d_out, real *d_bias,
                           vq_room scratch)
{
    const size_t channels = vq_last_axis(shape);
    vq_arena arena = vq_arena_in(scratch);
    bias_job job = {.places = vq_shape_count(shape) / channels,
                    .channels = channels,
                    .from = d_out};
    const size_t chunks = vq_ceil_div(job.places, CHUNK);
    job.sums = vq_arena_get(&arena, chunks * channels, sizeof *job.sums);
    VQ_TRY(vq_arena_check(ctx, &arena, "scratch of a bias' gradient"));
    vq_parallel_for(ctx, chunks, 1, sum_chunks, &job);
    for (size_t j = 0; j < channels; j++) {
        double sum = 0.0;
        for (size_t chunk = 0; chunk < chunks; chunk++) sum += job.sums[chunk * channels + j];
        d_bias[j] += (real)sum;
    }
    return VQ_OK;
}
