/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/convolution.h -- a convolution as a linear map C from images to maps, its adjoint,
 * and the gradient of its weights. conv2d runs C forward and the adjoint backward;
 * conv_transpose2d the other way round.
 *
 *   C: map[oh, ow, o] = sum over (r, s, i) of w[o, i, r, s] * image[sh*oh + r - top, ...]
 *
 * All three are matrix products on the columns of the image: one row for each place (oh, ow),
 * one column for each (r, s, i). The columns are made a chunk of map rows at a time. Each
 * number of a result is one chain of multiply-adds that goes on from chunk to chunk, so it
 * does not depend on where chunks begin, nor on the batch or the threads. */
#ifndef VQ_NN_OPS_CONVOLUTION_H
#define VQ_NN_OPS_CONVOLUTION_H

#include "nn/op.h"
#include "nn/ops.h"
#include "nn/real.h"

/** Shapes of C: images (N, height, width, in), maps (N, map_height, map_width, out). */
typedef struct vq_convolution {
    size_t images, height, width, in;
    size_t map_height, map_width, out;
    size_t kernel[2], stride[2], top, left;
    size_t depth; /* columns of the column matrix: kernel[0] * kernel[1] * in */
    size_t chunk; /* map rows (of all images) whose columns are made at a time */
    bool direct;  /* 1x1, stride 1, no padding: the image is its own column matrix */
} vq_convolution;

vq_convolution vq_convolution_of(const vq_conv_attrs *attrs, const vq_shape *image,
                                 const vq_shape *map);

/** Floating-point operations of a convolution, its adjoint or the gradient of its weights: `map` is
 *  the smaller side's shape, `channels` those of the other side. */
double vq_convolution_flops(const vq_step *run, const vq_shape *map, int64_t channels);

/** Checks the attributes, then declares weight (out of C, in of C, kh, kw) and bias, both
 *  uniform in +-1/sqrt(fan_in) as PyTorch's default. */
vq_status vq_convolution_declare(vq_context *ctx, vq_graph *graph, vq_node *node,
                                 const int64_t weight_channels[2]);
/** Checks type, rank and channels of the input. */
vq_status vq_convolution_check(vq_context *ctx, const vq_node *node, const vq_desc *in);

/* Over `real`: each exists twice. */
#define vq_columns_gather VQ_REAL(vq_columns_gather)
#define vq_columns_scatter VQ_REAL(vq_columns_scatter)
#define vq_convolution_scratch VQ_REAL(vq_convolution_scratch)
#define vq_convolution_apply VQ_REAL(vq_convolution_apply)
#define vq_convolution_adjoint VQ_REAL(vq_convolution_adjoint)
#define vq_convolution_weights VQ_REAL(vq_convolution_weights)
#define vq_bias_add VQ_REAL(vq_bias_add)
#define vq_bias_gradient VQ_REAL(vq_bias_gradient)

/** Columns of map rows [begin, end), counted through all images. */
void vq_columns_gather(vq_context *ctx, const vq_convolution *c, size_t begin, size_t end,
                       const real *image, real *columns);
/** The adjoint: adds the columns of map rows [begin, end) to the image, for each number in
 *  the order of (oh, ow). */
void vq_columns_scatter(vq_context *ctx, const vq_convolution *c, size_t begin, size_t end,
                        const real *columns, real *image);

/** Scratch of the functions below: packed weights, columns, the product's workspace. */
size_t vq_convolution_scratch(const vq_context *ctx, const vq_convolution *c);

/** map = or += C image. */
void vq_convolution_apply(vq_context *ctx, const vq_convolution *c, const real *image,
                          const real *weight, bool add, real *map, void *scratch);
/** image = or += adjoint of C, map. */
void vq_convolution_adjoint(vq_context *ctx, const vq_convolution *c, const real *map,
                            const real *weight, bool add, real *image, void *scratch);
/** d_weight += gradient of <map, C image> by the weights. */
void vq_convolution_weights(vq_context *ctx, const vq_convolution *c, const real *image,
                            const real *map, real *d_weight, void *scratch);

/** Adds bias[j] to column j of a rows x channels matrix. */
void vq_bias_add(vq_context *ctx, size_t rows, size_t channels, const real *bias, real *to);
/** d_bias[j] += sum of column j, in double, in the order of the rows. */
void vq_bias_gradient(vq_context *ctx, size_t rows, size_t channels, const real *from,
                      real *d_bias);

#endif
