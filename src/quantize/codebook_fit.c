/* SPDX-License-Identifier: Apache-2.0
 * quantize/codebook_fit.c -- a codebook made by k-means. */
#include "quantize/codebook.h"
#include "quantize/kmeans.h"

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

vq_status vq_codebook_fit(vq_context *ctx, const vq_codebook_fit_config *c, size_t n,
                          const float *x, double *inertia, vq_codebook **out)
{
    vq_codebook_config config;
    float *centroids = NULL;
    vq_status status;
    size_t numbers;
    *out = NULL;
    VQ_TRY(check(ctx, c, n, &numbers));
    const vq_kmeans_config kmeans = {.codes = (size_t)c->codes,
                                     .dim = (size_t)c->dim,
                                     .iterations = c->iterations,
                                     .start = c->random ? VQ_KMEANS_RANDOM : VQ_KMEANS_PLUS_PLUS,
                                     .seed = c->seed};
    const vq_kmeans_report report = {.inertia = inertia, .progress = c->progress, .user = c->user};
    vq_codebook_config_default(&config);
    config.codes = c->codes;
    config.dim = c->dim;
    VQ_TRY_TO(VQ_NEW(ctx, numbers, &centroids));
    VQ_TRY_TO(vq_kmeans_fit(ctx, &kmeans, n, x, centroids, &report));
    VQ_TRY_TO(vq_codebook_create(ctx, &config, centroids, out));
done:
    vq_release(ctx, centroids);
    return status;
}

#endif
