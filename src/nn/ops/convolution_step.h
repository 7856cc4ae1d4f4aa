/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/convolution_step.h -- the steps of conv2d and conv_transpose2d, which differ in what runs
 * forward: C of convolution.h or its adjoint. */
#ifndef VQ_NN_OPS_CONVOLUTION_STEP_H
#define VQ_NN_OPS_CONVOLUTION_STEP_H

#include "nn/op.h"
#include "nn/real.h"

#define vq_convolution_prepare VQ_REAL(vq_convolution_prepare)
#define vq_convolution_release VQ_REAL(vq_convolution_release)
#define vq_convolution_forward VQ_REAL(vq_convolution_forward)
#define vq_convolution_backward VQ_REAL(vq_convolution_backward)
#define vq_convolution_describe VQ_REAL(vq_convolution_describe)

vq_status vq_convolution_prepare(vq_step *run, bool transposed);
void vq_convolution_release(vq_step *run);
vq_status vq_convolution_forward(vq_step *run, bool transposed);
vq_status vq_convolution_backward(vq_step *run, bool transposed);
/** Name of the algorithm, which is the same in all directions. */
const char *vq_convolution_describe(const vq_step *run, bool transposed);

#endif
