/* SPDX-License-Identifier: Apache-2.0
 * kernels/screening.h -- a search in bf16 that is certain to keep the nearest code.
 *
 * Vectors x and codes e (both less the centre) are rounded to bf16 vectors x~ and e~. Products of
 * these cost less than those of f32, and the score s~ = half - x~.e~ differs from the score
 * s = half - x.e of the f32 search by no more than a bound. Codes are judged in groups of one
 * panel. With E = max |e|, R = max |e - e~| and H = max half over a group and u = 2^-24:
 *
 *   |x.e - x~.e~| <= |x - x~| |e| + |x~| |e - e~|                     (Cauchy-Schwarz, twice)
 *   the f32 chain of D roundings is off by at most g(D) |x| |e|, g(m) = m u / (1 - m u)
 *     (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1);
 *   the bf16 sums, whose products are exact in f32, by at most g(2D) |x~| |e~|, as in whatever
 *     order they are added no product passes more than 2D roundings;
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
 * VDPBF16PS adds one product after the other to the sum: as the first is exact, the others round at
 * most 2 ceil(D/2) - 1 times. TDPBF16PS makes two chains from 0 of up to 16 products each, adds one
 * to the other and both to the sum: in c chunks of 16 words a product passes at most
 * min(ceil(D/2), 16) - 1 roundings in its chain, one where the chains meet and c - 1 in the sum
 * (the first is added to 0), which is no more than D. Zeros behind a vector change no sum. Each of
 * fewer than 2D + 4 operations flushes less than 2^-126, and `tiny` is D 2^-120.
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
    size_t words;    /* of a vector and of a code: what vq_screen_words_fn says */
    uint32_t *pairs; /* panels of words x VQ_CODE_PANEL, as the table's pack_codes lays them out */
    vq_screen_group *groups;
} vq_screen_index;

/** Vectors in lanes as they are screened. */
typedef struct vq_screen_tile {
    const uint32_t *pairs; /* words x search_lanes */
    const float *length;   /* |x~|, for each lane */
    const float *gap;      /* |x - x~| + 4 (D + 8) u |x| */
} vq_screen_tile;

/** Sizes at which screening is faster than the search in f32. */
typedef struct vq_screen_sizes {
    size_t dim, n_codes, n; /* all at least; n: of the vectors searched before the codes change */
} vq_screen_sizes;

/** How many words, each of two bf16 numbers, a vector or code takes: the last may be zeros. */
typedef size_t vq_screen_words_fn(size_t depth);

/** Rounds packed numbers, depth x width, to bf16 pairs, words x width: numbers 2p (low half) and
 *  2p + 1 of column i at to[p*width + i], zeros after the last. Measures every column: length[i] >=
 *  |x~|, gap[i] >= |x - x~| + 4 (D + 8) u |x|, both rounded up; `gap` is infinite where the column
 *  holds what might overflow. width is a multiple of 16. */
typedef void vq_screen_pack_fn(size_t depth, size_t width, const float *from, uint32_t *to,
                               float *length, float *gap);

/** The same of a panel of codes, whose words lie as the table's `screen` reads them. */
typedef void vq_screen_pack_codes_fn(size_t depth, const float *from, uint32_t *to, float *length,
                                     float *gap);

/** For each of `count` groups and each lane: low = m - b, at low[group*search_lanes + lane], and
 *  threshold[lane] = min(threshold[lane], m + b). */
typedef void vq_screen_fn(size_t words, const vq_screen_tile *x, const uint32_t *codes,
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
    bool quick; /* its products cost so little that keeping bounds from search to search, as
                   nearest_moved.c does, takes longer than searching anew */
    const vq_screen_sizes *pays; /* where one of them holds; a row of zeros ends them */
    vq_screen_words_fn *words;
    vq_screen_pack_fn *pack;
    vq_screen_pack_codes_fn *pack_codes;
    vq_screen_fn *screen;
    vq_screen_pass_fn *pass;
    vq_screen_again_fn *again;
} vq_screening;

#endif
