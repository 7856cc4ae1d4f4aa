/* SPDX-License-Identifier: Apache-2.0
 * model/census.h -- one codebook against the vectors that chose from it, batch by batch. */
#ifndef VQ_MODEL_CENSUS_H
#define VQ_MODEL_CENSUS_H

#include "base/context.h"
#include "base/random.h"
#include "quantize/quantize_parts.h"
#include <vqvae/diagnose.h>

typedef struct vq_census {
    size_t dim, n_codes;
    const float *codebook; /* K x D, of whoever made the census, as the next */
    const float *moving;   /* K moving counts; NULL: the codebook is moved by gradient */
    double epsilon;        /* of the smoothing of those */
    uint64_t vectors, *counts;
    double *gaps;      /* K x D: sums of z - e over the vectors that chose e */
    double error;      /* sum of |z - e|^2 */
    double least_norm; /* of all vectors, squared, as the next */
    double greatest_norm, least_distance, greatest_distance;
    double *first;        /* D: the first vector, from which moments are taken */
    double *sum, *square; /* D each, of z - first */
    double *variances;    /* D; filled with the figures */
    /* Vectors drawn evenly, each with its code (Vitter 1985, Random sampling with a reservoir,
     * algorithm R). */
    size_t room, sampled;
    float *sample;
    int32_t *sample_codes;
    vq_random random;
} vq_census;

/** Takes memory for what `census` says of its codebook (all above `vectors`), kept until
 *  vq_census_clear(); the rest is set. */
VQ_MUST_USE vq_status vq_census_begin(vq_context *ctx, vq_census *census);
void vq_census_clear(vq_context *ctx, vq_census *census);
/** Adds n finite vectors (n x dim) with the codes they chose. */
void vq_census_add(vq_census *census, size_t n, const float *z, const int32_t *codes);
/** All figures but the images. At least one vector was added. */
VQ_MUST_USE vq_status vq_census_figures(vq_context *ctx, vq_census *census,
                                        vq_codebook_figures *figures);

/** Why the unused codes are not used: fills in the four classes, forgotten and unused_distance,
 *  given used, distance, vector_norm and the mean of the vectors. */
VQ_MUST_USE vq_status vq_census_sort_unused(vq_context *ctx, const vq_census *census,
                                            const double *mean, vq_codebook_figures *figures);
/** Quantiles of n numbers, which get sorted. */
vq_spread vq_spread_of(double *numbers, size_t n);

#endif
