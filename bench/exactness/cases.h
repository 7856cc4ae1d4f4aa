/* SPDX-License-Identifier: Apache-2.0
 * bench/exactness/cases.h -- codebooks and vectors whose bits are the same on every machine. */
#ifndef VQ_BENCH_EXACTNESS_CASES_H
#define VQ_BENCH_EXACTNESS_CASES_H

#include "base/context.h"

typedef enum case_kind { NEAR, FAR, FARTHER, COPIES, SUBNORMAL, KINDS } case_kind;

/** One codebook and the vectors that are searched in it. */
typedef struct exact_case {
    size_t n_codes, dim;
    case_kind kind;
} exact_case;

/** "offset 0", "copies", ... */
const char *case_name(case_kind kind);

/** Fills n_codes x dim numbers. */
void case_codes(const exact_case *c, float *codes);

/** Fills count x dim numbers: the vectors [first, first + count), each of which depends on its
 *  own number alone. */
void case_vectors(vq_context *ctx, const exact_case *c, const float *codes, size_t first,
                  size_t count, float *x);

#endif
