/* SPDX-License-Identifier: Apache-2.0
 * nn/ops.h -- the operations of the library and their attributes. */
#ifndef VQ_NN_OPS_H
#define VQ_NN_OPS_H

#include "nn/op.h"

/** Convolution, cross-correlation as in PyTorch: y = b + sum w[o,i,r,s] x[sh*h+r-top, ...].
 *  in: x (N,H,W,I); out: (N, (H+top+bottom-kh)/sh + 1, ..., O); weight O,I,kh,kw; bias O.
 *
 *  Transposed, the adjoint of that convolution: in (N,H,W,I); out (N, (H-1)*sh - top - bottom
 *  + kh, ..., O); weight I,O,kh,kw. */
typedef struct vq_conv_attrs {
    int64_t in, out; /* channels */
    int64_t kernel[2], stride[2];
    int64_t pad[4]; /* top, left, bottom, right */
    bool bias;
} vq_conv_attrs;

/** Mean squared error of in[0] against in[1] (no gradient to in[1]): mean over all numbers,
 *  its term named by suffix "mse". */
typedef struct vq_mse_attrs {
    double weight; /* of the term in the loss: 1/v */
} vq_mse_attrs;

extern const vq_op vq_op_conv2d;           /* vq_conv_attrs */
extern const vq_op vq_op_conv_transpose2d; /* vq_conv_attrs */
extern const vq_op vq_op_relu;             /* no attributes */
extern const vq_op vq_op_add;              /* in[0] + in[1] */
extern const vq_op vq_op_concat;           /* along the last axis, 1..VQ_MAX_IN inputs */
extern const vq_op vq_op_pixels;           /* u8 N,H,W,C -> real: x/255 - 0.5; no gradient */
extern const vq_op vq_op_mse;              /* vq_mse_attrs; no output */

#endif
