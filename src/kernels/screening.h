/* SPDX-License-Identifier: Apache-2.0
 * kernels/screening.h -- a search in bf16 that is certain to keep the nearest code.
 *
 * Vectors x and codes e (both less the centre) are rounded to bf16 vectors x~ and e~. Products of
 * these cost half of those of f32, and the score s~ = half - x~.e~ differs from the score
 * s = half - x.e of the f32 search by no more than a bound. Codes are judged in groups of one
 * panel. With E = max |e|, R = max |e - e~| and H = max half over a group and u = 2^-24:
 *
 *   |x.e - x~.e~| <= |x - x~| |e| + |x~| |e - e~|                     (Cauchy-Schwarz, twice)
 *   the f32 chain of D roundings is off by at most g(D) |x| |e|, g(m) = m u / (1 - m u)
 *     (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1);
 *   the bf16 chain, whose products are exact in f32, by at most g(2D) |x~| |e~|, however the
 *     processor rounds within a pair;
 *   the two subtractions by at most u (2 H + |x| |e| (1 + g) + |x~| |e~| (1 + g)).
 *
 * As |x~| <= (1 + 2^-8) |x| and |e~| <= (1 + 2^-8) |e|, the last three together are less than
 * 4 (D + 5) u |x| |e| + 2 u H while D u < 1/100. Forming m - b and m + b below rounds by another
 * u (H + 2 |x| E + b). So for every code of the group, on vectors of up to SCREEN_DIM_MAX numbers,
 *
 *   |s - s~| <= b = E (|x - x~| + 4 (D + 8) u |x|) + R |x~| + 8 u H + tiny,
 *
 * where `tiny` covers what underflows: processors flush subnormal numbers in bf16 products.
 *
 * Let m be the least s~ of a group. The nearest code w by s satisfies s_w <= s_j <= s~_j + b_j for
 * every code j, so s_w <= T = min over groups of (m + b); and in its own group m - b <= s_w. A
 * group with m - b > T therefore holds neither w nor a code that ties with it. The others are
 * scored again by the f32 chains, in the order of the codes: the choice is that of the f32 search,
 * bit for bit. What is not finite, or large enough to overflow, passes the test and is
 * scored again. */
#ifndef VQ_KERNELS_SCREENING_H
#define VQ_KERNELS_SCREENING_H

#include "kernels/kernels.h"

/** Bounds of a group of codes, rounded up. */
typedef struct vq_screen_group {
    float length; /* E */
    float gap;    /* R */
    float fixed;  /* 8 u H + tiny */
} vq_screen_group;

/** What an index holds for screening. */
typedef struct vq_screen_index {
    uint32_t *pairs; /* panels of bf16 pairs: numbers 2p (low half) and 2p + 1 of code j at
                        [p*VQ_CODE_PANEL + j] */
    vq_screen_group *groups;
} vq_screen_index;

/** Vectors in lanes as they are screened. */
typedef struct vq_screen_tile {
    const uint32_t *pairs; /* ceil(depth/2) x search_lanes */
    const float *length;   /* |x~|, for each lane */
    const float *gap;      /* |x - x~| + 4 (D + 8) u |x| */
} vq_screen_tile;

/** Rounds packed numbers, depth x width, to bf16 pairs, ceil(depth/2) x width, and measures every
 *  column: length[i] >= |x~|, gap[i] >= |x - x~| + 4 (D + 8) u |x|, both rounded up; `gap` is
 *  infinite where the column holds what might overflow. width is a multiple of 16. */
typedef void vq_screen_pack_fn(size_t depth, size_t width, const float *from, uint32_t *to,
                               float *length, float *gap);

/** For each of `count` groups and each lane: low = m - b, at low[group*search_lanes + lane], and
 *  threshold[lane] = min(threshold[lane], m + b). */
typedef void vq_screen_fn(size_t depth, const vq_screen_tile *x, const uint32_t *codes,
                          const float *half, const vq_screen_group *groups, size_t count,
                          float *low, float *threshold);

/** Writes the lanes of each group whose low is not above the threshold as a mask, bit i for
 *  lane i; returns how many there are in all. */
typedef size_t vq_screen_pass_fn(size_t count, const float *low, const float *threshold,
                                 uint32_t *mask);

/** Searches, for the lanes in each group's mask only, as vq_search_fn does. */
typedef void vq_screen_again_fn(size_t depth, const float *x, const float *codes, const float *half,
                                size_t count, const uint32_t *mask, int32_t first, float *best,
                                int32_t *at);

typedef struct vq_screening {
    vq_screen_pack_fn *pack;
    vq_screen_fn *screen;
    vq_screen_pass_fn *pass;
    vq_screen_again_fn *again;
} vq_screening;

#endif
