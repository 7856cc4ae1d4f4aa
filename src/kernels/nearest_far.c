/* SPDX-License-Identifier: Apache-2.0
 * kernels/nearest_far.c -- what products in f32 have no room for: vectors beyond 2^73, codes that
 * reach beyond 2^29 or not beyond 2^-41 from their centre.
 *
 * Scores are compared with one another alone, so vectors and codes may be multiplied by the same
 * power of two, which rounds nothing. It is taken such that the codes reach to about 1. A vector
 * may still be so long that its products overflow; then |e|^2/2 is a part of less than 2^-44 of
 * them, far below what the products round, and the vector may be made shorter by itself.
 *
 * Differences are taken in double, where none overflows. Which way a vector goes depends on itself
 * and on the codes alone, so its code does not depend on the batch. */
#include "kernels/nearest.h"
#include <math.h>
#include <string.h>

/* Exponents are compared as whole numbers, which compilers do several at a time. */
bool vq_all_near(const float *x, size_t count)
{
    enum { LEAST_FAR = (127 + 73) << 23 }; /* the bits of 2^73 */
    uint32_t far = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        far |= (int32_t)(bits & 0x7fffffffu) >= LEAST_FAR;
    }
    return !far;
}

bool vq_pack_far(const vq_code_index *index, const float *x, float *to, size_t step)
{
    enum { LONGEST = 74 };
    double most = 0.0, scale = index->scale;
    int exponent;
    for (size_t d = 0; d < index->dim; d++) {
        const double gap = fabs((double)x[d] - (double)index->centre[d]);
        if (!isfinite(gap)) return false;
        if (gap > most) most = gap;
    }
    (void)frexp(most, &exponent); /* most < 2^exponent */
    if (most * scale >= ldexp(1.0, LONGEST)) scale = ldexp(1.0, LONGEST - exponent);
    for (size_t d = 0; d < index->dim; d++)
        to[d * step] = (float)(((double)x[d] - (double)index->centre[d]) * scale);
    return true;
}
