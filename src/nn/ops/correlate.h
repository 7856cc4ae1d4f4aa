/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/correlate.h -- correlations over `real`. */
#ifndef VQ_NN_OPS_CORRELATE_H
#define VQ_NN_OPS_CORRELATE_H

#include "kernels/bf16.h"
#include "kernels/correlate_f64.h"
#include "kernels/kernels.h"
#include "nn/real.h"

#ifdef VQ_REAL_DOUBLE

typedef vq_correlation_double vq_correlation_real;
typedef vq_outer_double vq_outer_real;

static inline void vq_correlate_real(const vq_kernels *kernels, bool bf16, vq_correlation_real *c)
{
    (void)kernels, (void)bf16;
    vq_correlate_f64(c);
}

static inline void vq_outer_run(const vq_kernels *kernels, bool bf16, const vq_outer_real *tile)
{
    (void)kernels, (void)bf16;
    vq_outer_f64(tile);
}

#else

typedef vq_correlation vq_correlation_real;
typedef vq_outer_tile vq_outer_real;

static inline void vq_correlate_real(const vq_kernels *kernels, bool bf16, vq_correlation_real *c)
{
    c->bf16 = bf16;
    vq_correlate(kernels, c);
}

static inline void vq_outer_run(const vq_kernels *kernels, bool bf16, const vq_outer_real *tile)
{
    (bf16 ? kernels->outer_bf16 : kernels->outer)(tile);
}

#endif

/** The number in `to` becomes a pair of bf16. Plans in double have none. */
static inline void vq_round_pair(real low, real high, real *to)
{
    *(vq_pair *)to = vq_pair_of((float)low, (float)high);
}

/** As many pairs of bf16, of the numbers of two rows; NULL: zeros. With `relu` they are read
 *  through max(0, .). */
static inline void vq_round_rows(const real *low, const real *high, size_t count, bool relu,
                                 real *to)
{
    for (size_t i = 0; i < count; i++) {
        const real a = low ? low[i] : 0, b = high ? high[i] : 0;
        vq_round_pair(relu && a < 0 ? 0 : a, relu && b < 0 ? 0 : b, &to[i]);
    }
}

#endif
