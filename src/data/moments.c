/* SPDX-License-Identifier: Apache-2.0
 * data/moments.c -- mean and variance of all pixels. Sums of bytes and of their squares are
 * whole numbers, so they are exact and no order of adding matters. */
#include <string.h>

#include "base/parallel.h"
#include "data/dataset.h"

/* What one thread brings and finds. */
typedef struct summer {
    vq_context *ctx;
    uint8_t *scratch;
    uint64_t sum, squares;
    vq_status status;
} summer;

typedef struct moments_job {
    const vq_dataset *dataset;
    const int64_t *indices;
    summer *summers; /* one a thread */
} moments_job;

static void add_image(const uint8_t *pixels, size_t n, summer *s)
{
    uint64_t sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t value = pixels[i];
        sum += value;
        squares += value * value;
    }
    s->sum += sum;
    s->squares += squares;
}

static void sum_range(void *arg, size_t begin, size_t end, int thread)
{
    moments_job *job = arg;
    summer *s = &job->summers[thread];
    for (size_t i = begin; i < end && s->status == VQ_OK; i++) {
        const uint8_t *at = NULL;
        s->status = vq_dataset_pixels(s->ctx, job->dataset, job->indices[i], s->scratch, &at);
        if (s->status == VQ_OK) add_image(at, job->dataset->image_bytes, s);
    }
}

static vq_status start_summers(vq_context *ctx, const vq_dataset *dataset, summer *summers,
                               size_t n)
{
    for (size_t i = 0; i < n; i++) {
        VQ_TRY(vq_data_helper_context(ctx, &summers[i].ctx));
        VQ_TRY(VQ_NEW(ctx, dataset->image_bytes, &summers[i].scratch));
    }
    return VQ_OK;
}

/* Threads take images in order, so the first thread that failed met the first bad image. */
static vq_status add_up(vq_context *ctx, const summer *summers, size_t n, uint64_t *sum,
                        uint64_t *squares)
{
    *sum = *squares = 0;
    for (size_t i = 0; i < n; i++) {
        if (summers[i].status != VQ_OK)
            return vq_fail(ctx, summers[i].status, "%s", vq_context_error(summers[i].ctx));
        *sum += summers[i].sum;
        *squares += summers[i].squares;
    }
    return VQ_OK;
}

vq_status vq_dataset_moments(vq_context *ctx, const vq_dataset *dataset, const int64_t *indices,
                             size_t n_indices, double *mean, double *variance)
{
    vq_status status = VQ_OK;
    const size_t n = (size_t)vq_context_threads(ctx);
    moments_job job = {.dataset = dataset, .indices = indices};
    uint64_t sum = 0, squares = 0;
    VQ_CHECK(ctx, n_indices > 0, VQ_E_ARG, "%s: no image to take mean and variance of",
             dataset->source.path);
    VQ_TRY_TO(VQ_NEW(ctx, n, &job.summers));
    VQ_TRY_TO(start_summers(ctx, dataset, job.summers, n));
    vq_parallel_for(ctx, n_indices, 1, sum_range, &job);
    VQ_TRY_TO(add_up(ctx, job.summers, n, &sum, &squares));
    const double count = (double)n_indices * (double)dataset->image_bytes;
    const double average = (double)sum / count;
    *mean = average / 255.0;
    *variance = ((double)squares / count - average * average) / (255.0 * 255.0);
done:
    for (size_t i = 0; job.summers && i < n; i++) {
        vq_release(ctx, job.summers[i].scratch);
        vq_context_destroy(job.summers[i].ctx);
    }
    vq_release(ctx, job.summers);
    return status;
}
