/* SPDX-License-Identifier: Apache-2.0
 * quantize/kmeans_parts.h -- what a fit works on (kmeans.c), and its starts (kmeans_start.c). */
#ifndef VQ_QUANTIZE_KMEANS_PARTS_H
#define VQ_QUANTIZE_KMEANS_PARTS_H

#include "quantize/kmeans.h"

enum { VQ_KMEANS_BLOCK = 1024 }; /* centroids that k-means++ draws at a time, at most */

typedef struct vq_kmeans {
    vq_context *ctx;
    const vq_kmeans_config *config;
    size_t n;
    const float *x;
    float *centroids;
    int32_t *codes;   /* of every vector */
    double *squares;  /* its squared distance */
    double *partials; /* of sums over all vectors */
    void *memory;     /* for searches among K centroids, and among fewer up to a block */
} vq_kmeans;

/** Finds in the `count` vectors at `codes` the nearest of every x, then calls
 *  then(arg, begin, end) for ranges of rows that cover all. */
void vq_kmeans_search(vq_kmeans *fit, const float *codes, size_t count,
                      void (*then)(void *arg, size_t begin, size_t end), void *arg);
/** Sum of the squares, the same bits for any number of threads. Leaves those of every
 *  VQ_SUM_CHUNK vectors in the partials. */
double vq_kmeans_inertia(vq_kmeans *fit);

/** Sets the centroids as the configuration says. */
void vq_kmeans_begin(vq_kmeans *fit);

#endif
