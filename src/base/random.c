/* SPDX-License-Identifier: Apache-2.0
 * base/random.c -- Philox4x32-10 (Salmon et al. 2011, section 3.3) and what is drawn from it.
 *
 * A stream's key is the seed; its counter is
 *   word 0  number of the block of four words
 *   word 1  item
 *   word 2  low half of the step
 *   word 3  next 24 bits of the step, and the purpose in the top 8
 * so streams differ unless steps reach 2^56, and each holds 2^34 words. */
#include "base/random.h"
#include <math.h>

enum {
    ROUNDS = 10,
    FEISTEL_ROUNDS = 6,
    PURPOSE_SHIFT = 24,
    PERMUTED = 0x80 /* purposes of streams stay below it, so permutations share no counter */
};

void vq_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < ROUNDS; round++) {
        const uint64_t product0 = (uint64_t)0xD2511F53u * c0;
        const uint64_t product1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(product1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)product1;
        c2 = (uint32_t)(product0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)product0;
        k0 += 0x9E3779B9u; /* Weyl sequences: golden ratio, square root of 3 less 1 */
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

static uint32_t purpose_word(uint64_t step, unsigned purpose)
{
    return ((uint32_t)(step >> 32) & ((1u << PURPOSE_SHIFT) - 1)) | (purpose << PURPOSE_SHIFT);
}

vq_random vq_random_stream(uint64_t seed, vq_purpose purpose, uint64_t step, uint32_t item)
{
    return (vq_random){
        .key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
        .counter = {0, item, (uint32_t)step, purpose_word(step, (unsigned)purpose)},
        .used = 4,
    };
}

uint32_t vq_random_u32(vq_random *random)
{
    if (random->used == 4) {
        vq_philox(random->counter, random->key, random->block);
        random->counter[0]++;
        random->used = 0;
    }
    return random->block[random->used++];
}

uint64_t vq_random_below(vq_random *random, uint64_t bound)
{
    /* 2^64 is not a multiple of most bounds: the lowest 2^64 mod bound numbers are drawn again,
     * as they would make some remainders likelier. */
    const uint64_t surplus = (UINT64_MAX - bound + 1) % bound;
    for (;;) {
        const uint64_t low = vq_random_u32(random);
        const uint64_t number = (uint64_t)vq_random_u32(random) << 32 | low;
        if (number >= surplus) return number % bound;
    }
}

float vq_random_uniform(vq_random *random)
{
    return (float)(vq_random_u32(random) >> 8) * 0x1p-24f;
}

float vq_random_normal(vq_random *random)
{
    const double two_pi = 6.283185307179586477;
    /* In (0, 1], so that the logarithm is finite. */
    const double radius = ((double)vq_random_u32(random) + 1.0) * 0x1p-32;
    const double angle = (double)vq_random_u32(random) * 0x1p-32;
    return (float)(sqrt(-2.0 * log(radius)) * cos(two_pi * angle));
}

uint64_t vq_random_permuted(uint64_t seed, vq_purpose purpose, uint64_t step, uint64_t count,
                            uint64_t position)
{
    if (count <= 1) return 0;
    /* The network permutes numbers of 2*half bits, the fewest that hold count - 1. */
    unsigned half = 1;
    while (half < 32 && (count - 1) >> (2 * half) != 0) half++;
    const uint64_t mask = (UINT64_C(1) << half) - 1;
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint64_t number = position;
    do { /* At most a factor of 4 lies outside, and the walk stays on one cycle: it ends. */
        uint64_t left = number >> half, right = number & mask;
        for (uint32_t round = 0; round < FEISTEL_ROUNDS; round++) {
            const uint32_t counter[4] = {(uint32_t)right, round, (uint32_t)step,
                                         purpose_word(step, (unsigned)purpose | PERMUTED)};
            uint32_t out[4];
            vq_philox(counter, key, out);
            const uint64_t mixed = left ^ (out[0] & mask);
            left = right;
            right = mixed;
        }
        number = left << half | right;
    } while (number >= count);
    return number;
}
