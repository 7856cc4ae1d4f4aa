/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/convolution.h -- a convolution as a linear map C from images to maps, its adjoint,
 * and the gradient of its weights. conv2d runs C forward and the adjoint backward;
 * conv_transpose2d the other way round.
 *
 *   C: map[oh, ow, o] = sum over (r, s, i) of w[o, i, r, s] * image[sh*oh + r - top, ...]
 *
 * convolution_direct.c runs C and its adjoint, convolution_weights.c the gradient, in bf16
 * convolution_weights_bf16.c. Each number of a result is one chain of multiply-adds in a fixed
 * order, in bf16 in that of kernels/bf16.h, so that it depends neither on the batch nor on
 * threads. */
#ifndef VQ_NN_OPS_CONVOLUTION_H
#define VQ_NN_OPS_CONVOLUTION_H

#include "nn/op.h"
#include "nn/ops.h"
#include "nn/real.h"

/** Shapes of C: images (N, height, width, in), maps (N, map_height, map_width, out). An axis is 0
 *  for rows, 1 for columns. */
typedef struct vq_convolution {
    size_t images, in, out;
    size_t image[2], map[2]; /* height, width */
    size_t kernel[2], stride[2];
    size_t pad[2]; /* top, left */
    bool bf16;     /* numbers of images, maps and weights are rounded to bf16 for their products */
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
#define vq_convolution_packed_size VQ_REAL(vq_convolution_packed_size)
#define vq_convolution_pack VQ_REAL(vq_convolution_pack)
#define vq_convolution_scratch VQ_REAL(vq_convolution_scratch)
#define vq_convolution_run VQ_REAL(vq_convolution_run)
#define vq_weights_scratch VQ_REAL(vq_weights_scratch)
#define vq_convolution_weights VQ_REAL(vq_convolution_weights)

/** C, or its adjoint. */
typedef enum vq_conv_direction { VQ_CONV_APPLY, VQ_CONV_ADJOINT } vq_conv_direction;

/** Bytes of the weights and the bias as vq_convolution_run() reads them. */
size_t vq_convolution_packed_size(const vq_convolution *c, vq_conv_direction direction);
/** Packs them; bias, one number a channel of the result, may be NULL for zeros.
 *  @return VQ_OK; VQ_E_INTERNAL (`packed` is too small), as all that are given memory */
VQ_MUST_USE vq_status vq_convolution_pack(vq_context *ctx, const vq_convolution *c,
                                          vq_conv_direction direction, const real *weight,
                                          const real *bias, vq_room packed);

/** A result is the bias and all products; where `add`, what `to` holds takes part too, as the
 *  start of the chain or added to its end, as the algorithm likes. A finished one is 0 where the
 *  mask is not above 0, then the residual is added, then what is negative is 0 where `relu`.
 *  Arrays have the shape of `to`; residual may be `to`. */
typedef struct vq_conv_arrays_real {
    const real *from;
    const void *packed;
    const real *mask, *residual; /* or NULL */
    real *to;
    bool add, relu;
    bool relu_from; /* `from` is read through max(0, .) */
} vq_conv_arrays_real;

/** Bytes of scratch that a run on this context needs. */
size_t vq_convolution_scratch(const vq_context *ctx, const vq_convolution *c,
                              vq_conv_direction direction, bool relu_from);
VQ_MUST_USE vq_status vq_convolution_run(vq_context *ctx, const vq_convolution *c,
                                         vq_conv_direction direction,
                                         const vq_conv_arrays_real *arrays, vq_room scratch);

size_t vq_weights_scratch(const vq_context *ctx, const vq_convolution *c);
/** Both sides of C; `relu` says which of them is read through max(0, .). */
typedef struct vq_weights_arrays_real {
    const real *image, *map;
    bool relu_image, relu_map;
} vq_weights_arrays_real;

/** d_weight += gradient of <map, C image> by the weights. */
VQ_MUST_USE vq_status vq_convolution_weights(vq_context *ctx, const vq_convolution *c,
                                             const vq_weights_arrays_real *arrays, real *d_weight,
                                             vq_room scratch);

#ifndef VQ_REAL_DOUBLE
/** The same in bf16. */
size_t vq_weights_bf16_scratch(const vq_context *ctx, const vq_convolution *c);
VQ_MUST_USE vq_status vq_convolution_weights_bf16(vq_context *ctx, const vq_convolution *c,
                                                  const vq_weights_arrays_real *arrays,
                                                  float *d_weight, vq_room scratch);
#endif

/** A way to compute all of these: the functions above, in f32 or bf16, or those of nn/winograd. */
typedef struct vq_conv_algorithm {
    const char *(*name)(const vq_context *ctx, const vq_convolution *c);
    size_t (*packed_size)(const vq_convolution *c, vq_conv_direction direction);
    vq_status (*pack)(vq_context *ctx, const vq_convolution *c, vq_conv_direction direction,
                      const real *weight, const real *bias, vq_room packed);
    size_t (*scratch)(const vq_context *ctx, const vq_convolution *c, vq_conv_direction direction,
                      bool relu_from);
    vq_status (*run)(vq_context *ctx, const vq_convolution *c, vq_conv_direction direction,
                     const vq_conv_arrays_real *arrays, vq_room scratch);
    size_t (*weights_scratch)(const vq_context *ctx, const vq_convolution *c);
    vq_status (*weights)(vq_context *ctx, const vq_convolution *c,
                         const vq_weights_arrays_real *arrays, real *d_weight, vq_room scratch);
} vq_conv_algorithm;

#define vq_conv_direct VQ_REAL(vq_conv_direct)
extern const vq_conv_algorithm vq_conv_direct;
#ifndef VQ_REAL_DOUBLE
extern const vq_conv_algorithm vq_conv_bf16; /* of convolutions whose `bf16` is set */
#endif

#endif
