/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/correlate.h -- correlations over `real`. */
#ifndef VQ_NN_OPS_CORRELATE_H
#define VQ_NN_OPS_CORRELATE_H

#include "kernels/bf16.h"
#include "kernels/correlate_f64.h"
#include "kernels/kernels.h"
#include "nn/real.h"

#ifdef VQ_REAL_DOUBLE /* without bf16 */

typedef vq_correlation_double vq_correlation_real;
typedef vq_outer_double vq_outer_real;

static inline void vq_correlate_real(const vq_kernels *kernels, const vq_correlation_real *c)
{
    (void)kernels;
    vq_correlate_f64(c);
}

static inline void vq_correlate_pairs(const vq_kernels *kernels, const vq_correlation_real *c,
                                      vq_pair *gathered)
{
    (void)kernels, (void)c, (void)gathered;
}

static inline void vq_outer_run(const vq_kernels *kernels, const vq_outer_real *tile)
{
    (void)kernels;
    vq_outer_f64(tile);
}

static inline void vq_round_numbers(const vq_kernels *kernels, const real *from, size_t count,
                                    bool relu, real *to)
{
    (void)kernels, (void)from, (void)count, (void)relu, (void)to;
}

static inline void vq_pair_lines(const vq_kernels *kernels, const real *lines, size_t count,
                                 real *to)
{
    (void)kernels, (void)lines, (void)count, (void)to;
}

#else

typedef vq_correlation vq_correlation_real;
typedef vq_outer_tile vq_outer_real;

static inline void vq_correlate_real(const vq_kernels *kernels, const vq_correlation_real *c)
{
    vq_correlate(kernels, c);
}

static inline void vq_correlate_pairs(const vq_kernels *kernels, const vq_correlation_real *c,
                                      vq_pair *gathered)
{
    kernels->bf16->correlate(c, gathered);
}

static inline void vq_outer_run(const vq_kernels *kernels, const vq_outer_real *tile)
{
    kernels->outer(tile);
}

/** Neighbours become words of bf16. */
static inline void vq_round_numbers(const vq_kernels *kernels, const real *from, size_t count,
                                    bool relu, real *to)
{
    kernels->bf16->round(from, count, relu, (vq_pair *)to);
}

/** Lines of VQ_PANEL numbers become half as many of words, each of two lines that follow each
 *  other; `count` counts those of words. */
static inline void vq_pair_lines(const vq_kernels *kernels, const real *lines, size_t count,
                                 real *to)
{
    const vq_pair_rows rows = {.low = lines,
                               .high = lines + VQ_PANEL,
                               .step = 2 * VQ_PANEL,
                               .rows = count,
                               .to = (vq_pair *)to};
    kernels->bf16->pair_rows(&rows);
}

#endif

#endif
