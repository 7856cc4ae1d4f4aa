/* SPDX-License-Identifier: Apache-2.0
 * kernels/correlate_f64.h -- correlations in double, in which gradients are checked. */
#ifndef VQ_KERNELS_CORRELATE_F64_H
#define VQ_KERNELS_CORRELATE_F64_H

#include <stdbool.h>
#include <stddef.h>

/** As vq_correlation. */
typedef struct vq_correlation_double {
    size_t taps, run, tap_step, line, depth;
    size_t places, channels;
    const double *in;
    const size_t *in_at;
    const double *weights;
    double *out;
    const size_t *out_at;
    const double *bias;
    bool add;
    const double *mask, *residual;
    bool relu;
} vq_correlation_double;

/** As vq_outer_tile. */
typedef struct vq_outer_double {
    size_t count[3], a_step[3], b_step[3];
    const double *a, *b;
    double *c;
    size_t c_step, panels;
} vq_outer_double;

void vq_correlate_f64(const vq_correlation_double *c);
void vq_outer_f64(const vq_outer_double *tile);

#endif
