/* SPDX-License-Identifier: Apache-2.0
 * quantize/usage.h -- how codes are used in training, and new places for those that are not.
 *
 * The measure is the even share n/K: how often each code would be used in a step if all were used
 * alike. A code's usage is a moving average of its counts, over a window in which even a large
 * codebook is used a few times:
 *   usage = (1 - 1/W) usage + n_k / W,   W = max(20, 5 K/n) steps
 * A code is dead where its usage is below a share of n/K. With a share of 0.03 a code that was used
 * evenly and then never again is dead after 3.5 W steps. */
#ifndef VQ_QUANTIZE_USAGE_H
#define VQ_QUANTIZE_USAGE_H

#include "base/context.h"

typedef struct vq_code_usage {
    size_t codes, vectors; /* K; n of a step */
    float *usage;          /* of every code: moving average of its counts */
    int32_t *age;          /* of every code: steps since it was used last */
} vq_code_usage;

/** As if all codes had been used alike. */
void vq_usage_begin(vq_code_usage *u);
/** Takes in the counts of one step. */
void vq_usage_follow(vq_code_usage *u, const float *counts);
/** n/K. */
double vq_usage_even_share(const vq_code_usage *u);
/** Codes whose usage is below `share` of the even one. */
size_t vq_usage_dead(const vq_code_usage *u, double share);
/** exp of the entropy of the usage: how many codes, used alike, would carry as much. */
double vq_usage_perplexity(const vq_code_usage *u);

/** A dead code and the vector that takes its place. */
typedef struct vq_revival {
    uint32_t code, row;
} vq_revival;

/** Share of n/K that a revived code is taken to have been used with: enough to live on until
 *  its own counts show, and not so much that the code stays where it was put. */
#define VQ_REVIVED_SHARE 0.5

/**
 * Pairs dead codes with rows of the step's vectors, none of which is taken twice, and sets their
 * usage to VQ_REVIVED_SHARE of the even one and their age to 0. The pairs are a function of the
 * usage and of (seed, step, item) alone.
 * @param share  below which a code is dead, in even shares
 * @param most   pairs; where more codes are dead, which of them are left out changes by the step
 * @param out    room for `most`
 * @return number of pairs, at most n
 */
size_t vq_usage_revive(vq_code_usage *u, double share, uint64_t seed, int64_t step, uint32_t item,
                       size_t most, vq_revival *out);

#endif
