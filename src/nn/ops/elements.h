/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/elements.h -- passes over gradients beside a convolution. */
#ifndef VQ_NN_OPS_ELEMENTS_H
#define VQ_NN_OPS_ELEMENTS_H

#include "nn/op.h"
#include "nn/real.h"

#define vq_gradient_mask VQ_REAL(vq_gradient_mask)
#define vq_gradient_pass VQ_REAL(vq_gradient_pass)
#define vq_bias_gradient VQ_REAL(vq_bias_gradient)

/** gradient = out > 0 ? gradient : 0. */
void vq_gradient_mask(vq_context *ctx, size_t count, const real *out, real *gradient);
/** to = from, or to += from where `add`. */
void vq_gradient_pass(vq_context *ctx, size_t count, const real *from, bool add, real *to);

/** Bytes of scratch for the gradient of the bias of an output of this shape. */
size_t vq_bias_scratch(const vq_shape *shape);
/** d_bias[j] += sum of d_out over all places, in double over fixed chunks of places. */
VQ_MUST_USE vq_status vq_bias_gradient(vq_context *ctx, const vq_shape *shape, const real *d_out,
                                       real *d_bias, vq_room scratch);

#endif
