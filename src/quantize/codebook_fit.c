/* SPDX-License-Identifier: Apache-2.0
 * quantize/codebook_fit.c -- a codebook made by k-means. */
#include <math.h>

#include "quantize/codebook.h"
#include "quantize/kmeans.h"
#include "quantize/usage.h"

#ifndef VQ_REAL_DOUBLE

void vq_codebook_fit_config_default(vq_codebook_fit_config *config)
{
    *config = (vq_codebook_fit_config){.codes = 1, .dim = 1, .iterations = 25};
}

static vq_status check(vq_context *ctx, const vq_codebook_fit_config *c, size_t n, size_t *numbers)
{
    VQ_CHECK(ctx, c->codes >= 1 && c->codes <= INT32_MAX && c->dim >= 1, VQ_E_ARG,
             "codebook: %lld codes of %lld numbers, but 1 to %d of at least 1 are allowed",
             (long long)c->codes, (long long)c->dim, INT32_MAX);
    VQ_CHECK(ctx, c->iterations >= 0, VQ_E_ARG, "codebook: %lld iterations; 0 is the least",
             (long long)c->iterations);
    VQ_CHECK(ctx, n >= (size_t)c->codes, VQ_E_ARG,
             "codebook: %zu vectors cannot tell %lld codes apart; give more or ask for fewer", n,
             (long long)c->codes);
    VQ_CHECK(ctx, vq_mul_size((size_t)c->codes, (size_t)c->dim, numbers), VQ_E_NOMEM,
             "codebook: %lld codes of %lld numbers are more than memory can hold",
             (long long)c->codes, (long long)c->dim);
    return VQ_OK;
}

/* Averages as if every step so far had brought these vectors, as those of a training's start are
 * (docs/codebooks.md): with counts of one the first vectors to come would outweigh the fit. A code
 * that k-means left without vectors may wait as long as a revived one. */
static vq_status take_averages(vq_context *ctx, vq_codebook *book, size_t n, const float *centroids,
                               const uint64_t *counts)
{
    const vq_quantize_attrs attrs = vq_codebook_attrs(&book->config);
    const size_t codes = (size_t)book->config.codes, dim = (size_t)book->config.dim;
    const double waiting = VQ_REVIVED_SHARE * (double)n / (double)codes;
    for (size_t k = 0; k < codes; k++)
        vq_ema_place(&attrs, &book->state, k, centroids + k * dim,
                     counts[k] ? (double)counts[k] : waiting, 0);
    for (size_t i = 0; i < codes * dim; i++)
        VQ_CHECK(ctx, isfinite(book->state.sums[i]), VQ_E_NUMERIC,
                 "codebook: the vectors of code %zu add up to more than f32 can hold", i / dim);
    return VQ_OK;
}

vq_status vq_codebook_fit(vq_context *ctx, const vq_codebook_fit_config *c, size_t n,
                          const float *x, double *inertia, vq_codebook **out)
{
    vq_codebook_config config;
    vq_codebook *book = NULL;
    float *centroids = NULL;
    uint64_t *counts = NULL;
    vq_status status;
    size_t numbers;
    *out = NULL;
    VQ_TRY(check(ctx, c, n, &numbers));
    const vq_kmeans_config kmeans = {.codes = (size_t)c->codes,
                                     .dim = (size_t)c->dim,
                                     .iterations = c->iterations,
                                     .start = c->random ? VQ_KMEANS_RANDOM : VQ_KMEANS_PLUS_PLUS,
                                     .seed = c->seed};
    vq_codebook_config_default(&config);
    config.codes = c->codes;
    config.dim = c->dim;
    VQ_TRY_TO(VQ_NEW(ctx, numbers, &centroids));
    VQ_TRY_TO(VQ_NEW(ctx, (size_t)c->codes, &counts));
    const vq_kmeans_report report = {
        .counts = counts, .inertia = inertia, .progress = c->progress, .user = c->user};
    VQ_TRY_TO(vq_kmeans_fit(ctx, &kmeans, n, x, centroids, &report));
    VQ_TRY_TO(vq_codebook_create(ctx, &config, centroids, &book));
    VQ_TRY_TO(take_averages(ctx, book, n, centroids, counts));
    *out = book;
    book = NULL;
done:
    vq_codebook_destroy(ctx, book);
    vq_release(ctx, counts);
    vq_release(ctx, centroids);
    return status;
}

#endif
