/* SPDX-License-Identifier: Apache-2.0
 * base/sizes.h -- small sums with sizes, as blocks and parts of work need them. */
#ifndef VQ_BASE_SIZES_H
#define VQ_BASE_SIZES_H

#include <stddef.h>

static inline size_t vq_smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t vq_larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static inline size_t vq_ceil_div(size_t a, size_t b)
{
    return a / b + (a % b != 0);
}

static inline size_t vq_round_up(size_t a, size_t step)
{
    return vq_ceil_div(a, step) * step;
}

#endif
