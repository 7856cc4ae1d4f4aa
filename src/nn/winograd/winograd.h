/* SPDX-License-Identifier: Apache-2.0
 * nn/winograd/winograd.h -- Winograd's convolutions in plans for training: 3x3 of stride 1 and 4x4
 * of stride 2, with the interface of the direct ones in nn/ops/convolution.h. float only.
 *
 * A 3x3 convolution is F(4x4,3x3) of kernels/winograd.h: 36 products for a tile of 4x4 where the
 * direct sum takes 144. One of 4x4 and stride 2 is the sum over the four phases (p, q) of the
 * image, x[2k+p, 2l+q], of 2x2 convolutions of stride 1, so F(4x4,2x2) with the phases as more
 * channels: 100 products where the direct sum takes 256. The adjoint of the former is a 3x3
 * convolution with the kernel turned round, that of the latter a 2x2 one for each phase.
 *
 * Numbers differ from the direct ones by rounding alone, about twice as far from the exact ones:
 * docs/engine.md. They depend on neither instruction set nor threads and, but for the weights,
 * whose gradient is a sum over the batch, not on the batch. */
#ifndef VQ_NN_WINOGRAD_WINOGRAD_H
#define VQ_NN_WINOGRAD_WINOGRAD_H

#include "nn/ops/convolution.h"

/** Whether these are made for C, and faster than the direct ones: a rule on kernel, channels
 *  and places of all images. */
bool vq_winograd_suits(const vq_convolution *c);
extern const vq_conv_algorithm vq_conv_winograd;

#endif
