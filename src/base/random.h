/* SPDX-License-Identifier: Apache-2.0
 * base/random.h -- counter-based random numbers: Philox4x32-10.
 *
 * Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3". A number is a
 * pure function of (seed, purpose, step, item), so any thread can make any number
 * and a resumed run sees the same ones. */
#ifndef VQ_BASE_RANDOM_H
#define VQ_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/** What a stream of numbers is for; part of the key. Only ever appended: the values
 *  decide which numbers a seed gives. */
typedef enum vq_purpose {
    VQ_RANDOM_INIT = 1,     /* first weights; item = parameter */
    VQ_RANDOM_ORDER = 2,    /* order of an epoch; step = epoch */
    VQ_RANDOM_AUGMENT = 3,  /* flips and crops; step = epoch, item = image */
    VQ_RANDOM_HOLDOUT = 4,  /* which images are held out */
    VQ_RANDOM_CODEBOOK = 5, /* rows that start a codebook; item = quantiser */
    VQ_RANDOM_TEST = 6,     /* tests and benchmarks */
    VQ_RANDOM_KMEANS = 7,   /* starts of k-means; item = the caller's */
    VQ_RANDOM_REVIVAL = 8,  /* vectors for dead codes; item = quantiser */
    VQ_RANDOM_SAMPLE = 9    /* vectors that stand for all in a diagnosis */
} vq_purpose;

typedef struct vq_random {
    uint32_t key[2], counter[4], block[4];
    unsigned used; /* words of block already given */
} vq_random;

/** Starts the stream named by its four parts. */
vq_random vq_random_stream(uint64_t seed, vq_purpose purpose, uint64_t step, uint32_t item);

uint32_t vq_random_u32(vq_random *random);
/** Uniform in [0, bound) without bias; bound >= 1. */
uint64_t vq_random_below(vq_random *random, uint64_t bound);
/** Uniform in [0, 1), a multiple of 2^-24. */
float vq_random_uniform(vq_random *random);
/** Standard normal (Box-Muller in double, rounded). */
float vq_random_normal(vq_random *random);
/** Philox4x32-10 itself, for the known-answer test. */
void vq_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
/** Value at `position` of a keyed permutation of [0, count), without storing it: a
 *  balanced Feistel network on the Philox function, walked until it lands inside. */
uint64_t vq_random_permuted(uint64_t seed, vq_purpose purpose, uint64_t step, uint64_t count,
                            uint64_t position);

#endif
