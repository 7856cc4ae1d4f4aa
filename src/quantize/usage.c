/* SPDX-License-Identifier: Apache-2.0
 * quantize/usage.c -- moving averages of counts, and dead codes paired with vectors. */
#include "quantize/usage.h"

#include <math.h>

#include "base/random.h"

/* Codebooks are f32; there is no second build over double. */
#ifndef VQ_REAL_DOUBLE

enum { WINDOW = 20, USES = 5 }; /* W: at least so many steps, so many even uses of a code */

double vq_usage_even_share(const vq_code_usage *u)
{
    return (double)u->vectors / (double)u->codes;
}

void vq_usage_begin(vq_code_usage *u)
{
    for (size_t k = 0; k < u->codes; k++) {
        u->usage[k] = (float)vq_usage_even_share(u);
        u->age[k] = 0;
    }
}

void vq_usage_follow(vq_code_usage *u, const float *counts)
{
    const double weight = 1.0 / fmax(WINDOW, USES / vq_usage_even_share(u));
    for (size_t k = 0; k < u->codes; k++) {
        const double usage = (double)u->usage[k];
        u->usage[k] = (float)(usage + weight * ((double)counts[k] - usage));
        if (counts[k] > 0.0f) u->age[k] = 0;
        else if (u->age[k] < INT32_MAX) u->age[k]++;
    }
}

size_t vq_usage_dead(const vq_code_usage *u, double share)
{
    const double least = share * vq_usage_even_share(u);
    size_t dead = 0;
    for (size_t k = 0; k < u->codes; k++) dead += (double)u->usage[k] < least;
    return dead;
}

double vq_usage_perplexity(const vq_code_usage *u)
{
    double total = 0.0, entropy = 0.0;
    for (size_t k = 0; k < u->codes; k++) total += (double)u->usage[k];
    for (size_t k = 0; k < u->codes; k++) {
        const double share = (double)u->usage[k] / total;
        if (share > 0.0) entropy -= share * log(share);
    }
    return exp(entropy);
}

size_t vq_usage_revive(vq_code_usage *u, double share, uint64_t seed, int64_t step, uint32_t item,
                       size_t most, vq_revival *out)
{
    const double even = vq_usage_even_share(u);
    vq_random random = vq_random_stream(seed, VQ_RANDOM_REVIVAL, (uint64_t)step, item);
    const size_t first = (size_t)vq_random_below(&random, u->codes);
    /* The permutation of rows has no item of its own: quantisers differ by the seed. */
    const uint64_t rows = (uint64_t)vq_random_u32(&random) << 32 | vq_random_u32(&random);
    size_t count = 0;
    if (most > u->vectors) most = u->vectors;
    for (size_t i = 0; i < u->codes && count < most; i++) {
        const size_t k = i < u->codes - first ? first + i : first + i - u->codes;
        if ((double)u->usage[k] >= share * even) continue;
        out[count] = (vq_revival){
            .code = (uint32_t)k,
            .row = (uint32_t)vq_random_permuted(rows, VQ_RANDOM_REVIVAL, (uint64_t)step, u->vectors,
                                                count),
        };
        u->usage[k] = (float)(VQ_REVIVED_SHARE * even);
        u->age[k] = 0;
        count++;
    }
    return count;
}

#endif
