/* SPDX-License-Identifier: Apache-2.0
 * kernels/bf16.h -- products of bf16, numbers that are the upper half of a float, with sums in f32.
 *
 * Two such numbers lie in a word, and a word of one factor times a word of the other is
 *   sum = fma(high of x, high of y, sum), then sum = fma(low of x, low of y, sum),
 * the order of the instruction for it in AVX-512, VDPBF16PS. That instruction besides takes
 * subnormal numbers for zeros; all else gives the same bits everywhere. Processors without it
 * compute the same in f32, so that training in bf16 runs and can be judged on them; it is slower
 * there than training in f32. */
#ifndef VQ_KERNELS_BF16_H
#define VQ_KERNELS_BF16_H

#include "kernels/correlate.h"
#include <stdint.h>
#include <string.h>

/** A word of two numbers, the first in the low half; arrays of them go by as arrays of float. */
typedef uint32_t __attribute__((may_alias)) vq_pair;

/** The nearest bf16, of two the even one; what is not a number stays so. */
static inline uint32_t vq_bf16_round(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint32_t nearest = bits + 0x7fffu + (bits >> 16 & 1u);
    return ((bits & 0x7fffffffu) > 0x7f800000u ? bits | 0x400000u : nearest) >> 16;
}

static inline uint32_t vq_pair_of(float low, float high)
{
    return vq_bf16_round(low) | vq_bf16_round(high) << 16;
}

static inline float vq_pair_low(uint32_t pair)
{
    const uint32_t bits = pair << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline float vq_pair_high(uint32_t pair)
{
    const uint32_t bits = pair & 0xffff0000u;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* What tables without instructions for bf16 share. */
vq_correlate_fn vq_correlate_bf16_portable, vq_correlate_bf16_avx2, vq_correlate_bf16_avx512;
vq_outer_fn vq_outer_bf16_portable, vq_outer_bf16_avx2, vq_outer_bf16_avx512;

#endif
