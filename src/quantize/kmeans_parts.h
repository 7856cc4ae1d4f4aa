/* SPDX-License-Identifier: Apache-2.0
 * quantize/kmeans_parts.h -- what a fit works on (kmeans.c), its searches (kmeans_search.c) and its
 * starts (kmeans_start.c). */
#ifndef VQ_QUANTIZE_KMEANS_PARTS_H
#define VQ_QUANTIZE_KMEANS_PARTS_H

#include "kernels/nearest.h"
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
    vq_code_track track;
    void *track_memory; /* NULL where centroids are not tracked */
    int64_t assigned;   /* how often vq_kmeans_assign() was called */
} vq_kmeans;

/** Takes the memory of all searches; what was taken before a failure is released too by
 *  vq_kmeans_search_release(). */
VQ_MUST_USE vq_status vq_kmeans_search_allocate(vq_kmeans *fit);
void vq_kmeans_search_release(vq_kmeans *fit);
/** Finds the centroid nearest to every x: as vq_nearest_run() does, with less work where the same
 *  fit has called this before. */
void vq_kmeans_assign(vq_kmeans *fit);

/** Finds in the `count` vectors at `codes` the nearest of every x, then calls
 *  then(arg, begin, end) for ranges of rows that cover all. */
void vq_kmeans_search(vq_kmeans *fit, const float *codes, size_t count,
                      void (*then)(void *arg, size_t begin, size_t end), void *arg);
/** Sum of the squares, the same bits for any number of threads. Leaves those of every
 *  VQ_SUM_CHUNK vectors in the partials. */
double vq_kmeans_inertia(const vq_kmeans *fit);

/** What makes centroids of vectors, see kmeans_means.c. */
typedef struct vq_kmeans_means {
    size_t codes;
    unsigned shift;   /* a bin has 2^shift centroids */
    uint32_t *rows;   /* n: vectors, sorted by bin */
    size_t *first;    /* bins + 1: rows[first[b]] .. rows[first[b+1]-1] are of bin b */
    uint64_t *counts; /* codes: vectors of each centroid; set by the caller */
    bool *changed;    /* codes: whether they are other ones than before; set by the caller */
    double *sums;     /* those of a bin, for every thread */
} vq_kmeans_means;

/** What was taken before a failure is released too by vq_kmeans_means_release(). */
VQ_MUST_USE vq_status vq_kmeans_means_allocate(vq_kmeans *fit, vq_kmeans_means *means);
void vq_kmeans_means_release(vq_kmeans *fit, vq_kmeans_means *means);
/** Moves every centroid that changed and has vectors to their mean. */
void vq_kmeans_take_means(vq_kmeans *fit, vq_kmeans_means *means);

/** Sets the centroids as the configuration says. */
void vq_kmeans_begin(vq_kmeans *fit);

#endif
