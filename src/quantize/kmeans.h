/* SPDX-License-Identifier: Apache-2.0
 * quantize/kmeans.h -- k-means: a codebook that fits a sample of vectors.
 *
 * Lloyd's iterations (Lloyd 1982, "Least squares quantization in PCM") from the start of Arthur and
 * Vassilvitskii 2007, "k-means++: the advantages of careful seeding", or from rows at random. The
 * results have the same bits for any number of threads and any instruction set. */
#ifndef VQ_QUANTIZE_KMEANS_H
#define VQ_QUANTIZE_KMEANS_H

#include "base/context.h"
#include <stdbool.h>

typedef enum vq_kmeans_start {
    VQ_KMEANS_PLUS_PLUS, /* each centroid a row, drawn in proportion to its squared distance from
                            the nearest of those before it */
    VQ_KMEANS_RANDOM,    /* rows drawn alike, none twice */
    VQ_KMEANS_GIVEN      /* what `centroids` holds */
} vq_kmeans_start;

typedef struct vq_kmeans_config {
    size_t codes, dim;  /* K, 1..2^31-1; D, at least 1 */
    int64_t iterations; /* at most; 0: the start alone */
    vq_kmeans_start start;
    uint64_t seed;
    uint32_t item; /* which of the streams of that seed is drawn from */
} vq_kmeans_config;

/** Told of every iteration, from 1, and the inertia that it found before it moved the centroids.
 *  Returning false stops the fit. */
typedef bool vq_kmeans_progress(void *user, int64_t iteration, double inertia);

/** Where a fit is watched and what it reports beside the centroids. All may be NULL. */
typedef struct vq_kmeans_report {
    uint64_t *counts; /* out: K, vectors nearest to each centroid as it is returned */
    double *inertia; /* out: sum over the vectors of the squared distance to the nearest centroid */
    vq_kmeans_progress *progress;
    void *user;
} vq_kmeans_report;

/**
 * Fits K centroids to n vectors. A centroid is the mean of its vectors, summed in double. One that
 * has no vectors is put on the vector farthest from its own centroid, so none stays empty while
 * there are vectors that lie on no centroid. Stops early once no vector changes its centroid.
 * @param n          at least K: fewer vectors cannot tell K centroids apart, and are refused;
 *                   at most 2^32-1
 * @param x          n x D
 * @param centroids  out: K x D; with VQ_KMEANS_GIVEN also in. What it holds after a failure means
 *                   nothing.
 * @return VQ_OK (with a warning in the log where fewer than K vectors are distinct);
 *         VQ_E_ARG (sizes); VQ_E_NUMERIC (a vector is not finite); VQ_E_NOMEM;
 *         VQ_E_CANCELLED (progress returned false)
 */
VQ_MUST_USE vq_status vq_kmeans_fit(vq_context *ctx, const vq_kmeans_config *config, size_t n,
                                    const float *x, float *centroids,
                                    const vq_kmeans_report *report);

#endif
