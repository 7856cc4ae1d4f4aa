/* SPDX-License-Identifier: Apache-2.0
 * bench/exactness/check.h -- how far a choice is from the nearest code, in double.
 *
 * The chosen distance less the best distance, |x - e|^2 - min_j |x - e_j|^2, is held against
 *     8 u (|x - mu| + |e - mu|)^2,    u = 2^-24,
 * mu being the mean of the codes and e the nearer to mu of the chosen and the nearest code.
 * Distances are |x - mu|^2 + |e - mu|^2 - 2 (x - mu).(e - mu), of which the first term falls out
 * of the difference. Chains of D fused multiply-adds in double are off by at most about
 * D 2^-53 (|x - mu| + |e - mu|)^2, which for D = 256 is 2^-24 of the bound: the ratio to it that
 * is reported is right to six digits. */
#ifndef VQ_BENCH_EXACTNESS_CHECK_H
#define VQ_BENCH_EXACTNESS_CHECK_H

#include "cases.h"

/** A codebook in double: all of it is read by every check. */
typedef struct checker {
    size_t n_codes, dim;
    double *mean;   /* dim */
    double *codes;  /* n_codes x dim, less the mean */
    double *half;   /* |e - mu|^2 / 2 */
    int32_t *first; /* lowest index of a code with the same bits */
} checker;

/** Ends the program where memory does not suffice. */
checker checker_create(const exact_case *c, const float *codes);
void checker_destroy(checker *k);

/** Most of count ratios of the difference to its bound; infinite where a chosen code has an equal
 *  one of lower index. `ratio` holds count numbers. */
double checker_run(vq_context *ctx, const checker *k, size_t count, const float *x,
                   const int32_t *idx, double *ratio);

#endif
