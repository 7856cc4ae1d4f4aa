/* SPDX-License-Identifier: Apache-2.0
 * data/moments.c -- mean and variance of all pixels. Sums of bytes and of their squares are
 * whole numbers, so they are exact and no order of adding matters. */
#include <xxhash.h>

#include "base/parallel.h"
#include "data/dataset.h"

/* Images between two looks at whether to go on. */
enum { SLICE = 1024 };

/* An image that could not be read. */
typedef struct failure {
    int64_t index;
    vq_status status;
    char *sentence;
} failure;

/* What one thread brings and finds. */
typedef struct summer {
    vq_context *ctx;
    uint8_t *scratch;
    uint64_t sum, squares;
    failure failures[SLICE]; /* of this slice, in order */
    size_t n_failures;
    vq_status status; /* of what is not about one image */
} summer;

typedef struct moments_job {
    const vq_dataset *dataset;
    const int64_t *indices;
    uint64_t *hashes; /* NULL: not wanted */
    summer *summers;  /* one a thread */
    uint64_t images;
} moments_job;

static void add_image(const moments_job *job, size_t i, const uint8_t *pixels, summer *s)
{
    const size_t n = job->dataset->image_bytes;
    uint64_t sum = 0, squares = 0;
    for (size_t at = 0; at < n; at++) {
        const uint32_t value = pixels[at];
        sum += value;
        squares += value * value;
    }
    s->sum += sum;
    s->squares += squares;
    if (job->hashes) job->hashes[i] = XXH3_64bits(pixels, n);
}

static vq_status note_failure(summer *s, int64_t index, vq_status status)
{
    failure *f = &s->failures[s->n_failures];
    *f = (failure){.index = index, .status = status};
    VQ_TRY(vq_strdup(s->ctx, vq_context_error(s->ctx), &f->sentence));
    s->n_failures++;
    return VQ_OK;
}

static void sum_range(void *arg, size_t begin, size_t end, int thread)
{
    moments_job *job = arg;
    summer *s = &job->summers[thread];
    for (size_t i = begin; i < end && s->status == VQ_OK; i++) {
        const uint8_t *at = NULL;
        const int64_t index = job->indices[i];
        int64_t stored[2];
        s->status = vq_dataset_pixels(s->ctx, job->dataset, index, s->scratch, &at, stored);
        if (s->status == VQ_OK) {
            add_image(job, i, at, s);
            continue;
        }
        if (job->hashes) job->hashes[i] = 0;
        if (vq_data_image_failed(s->status)) s->status = note_failure(s, index, s->status);
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

static void forget_failures(summer *s)
{
    for (size_t i = 0; i < s->n_failures; i++) vq_release(s->ctx, s->failures[i].sentence);
    s->n_failures = 0;
}

/* Threads take images in order, so their failures one after the other are in order, too. */
static vq_status tell_failures(vq_context *ctx, const moments_job *job, size_t n_summers,
                               const vq_data_pass *pass)
{
    for (size_t t = 0; t < n_summers; t++) {
        summer *s = &job->summers[t];
        for (size_t i = 0; i < s->n_failures; i++) {
            const failure *f = &s->failures[i];
            const bool skips =
                pass && pass->skip && pass->skip(pass->user, f->index, f->status, f->sentence);
            VQ_CHECK(ctx, skips, f->status, "%s", f->sentence);
        }
        VQ_CHECK(ctx, s->status == VQ_OK, s->status, "%s", vq_context_error(s->ctx));
    }
    return VQ_OK;
}

/* One slice of the list: its sums stay with the summers. */
static vq_status sum_slice(vq_context *ctx, moments_job *job, size_t n_summers, size_t n_images,
                           const vq_data_pass *pass)
{
    const bool goes_on = !pass || !pass->go_on || pass->go_on(pass->user, job->images);
    VQ_CHECK(ctx, goes_on, VQ_E_CANCELLED, "stopped while the images were read");
    vq_parallel_for(ctx, n_images, 1, sum_range, job);
    job->images += n_images;
    const vq_status status = tell_failures(ctx, job, n_summers, pass);
    for (size_t t = 0; t < n_summers; t++) {
        job->images -= job->summers[t].n_failures;
        forget_failures(&job->summers[t]);
    }
    return status;
}

vq_status vq_dataset_moments(vq_context *ctx, const vq_dataset *dataset, const int64_t *indices,
                             size_t n_indices, const vq_data_pass *pass, double *mean,
                             double *variance)
{
    vq_status status = VQ_OK;
    const size_t n = (size_t)vq_context_threads(ctx);
    moments_job job = {.dataset = dataset,
                       .indices = indices,
                       .hashes = pass ? pass->hashes : NULL};
    uint64_t sum = 0, squares = 0;
    VQ_CHECK(ctx, n_indices > 0, VQ_E_ARG, "%s: no image to take mean and variance of",
             vq_dataset_path(dataset));
    VQ_TRY_TO(VQ_NEW(ctx, n, &job.summers));
    VQ_TRY_TO(start_summers(ctx, dataset, job.summers, n));
    for (size_t at = 0; at < n_indices; at += SLICE, job.indices += SLICE) {
        const size_t left = n_indices - at;
        VQ_TRY_TO(sum_slice(ctx, &job, n, left < SLICE ? left : SLICE, pass));
        if (job.hashes) job.hashes += SLICE;
    }
    for (size_t i = 0; i < n; i++) {
        sum += job.summers[i].sum;
        squares += job.summers[i].squares;
    }
    if (job.images == 0)
        VQ_TRY_TO(vq_fail(ctx, VQ_E_FORMAT, "%s: no image of the %zu looked at can be read",
                          vq_dataset_path(dataset), n_indices));
    const double count = (double)job.images * (double)dataset->image_bytes;
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
