/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/common.h -- what the portable operations share: their tables and their checks. */
#ifndef VQ_NN_OPS_COMMON_H
#define VQ_NN_OPS_COMMON_H

#include "nn/op.h"
#include "nn/real.h"

/* Each table exists twice, over float and over double. */
#define VQ_PORTABLE(name) extern const vq_impl name##_f32, name##_f64
VQ_PORTABLE(vq_convolution_portable);
VQ_PORTABLE(vq_relu_portable);
VQ_PORTABLE(vq_add_portable);
VQ_PORTABLE(vq_concat_portable);
VQ_PORTABLE(vq_mse_portable);
#undef VQ_PORTABLE
/* Pixels feed f32 plans only: bytes have no gradient to check in double. */
extern const vq_impl vq_pixels_portable_f32;

/** VQ_OK where input `index` of the node holds real numbers. */
static inline vq_status vq_check_real(vq_context *ctx, const vq_node *node, int index,
                                      const vq_desc *in)
{
    if (in->dtype == VQ_F32 || in->dtype == VQ_F64) return VQ_OK;
    return vq_fail(ctx, VQ_E_SHAPE, "%s: input %d holds %s, but f32 or f64 is needed", node->name,
                   index, vq_dtype_name(in->dtype));
}

/** VQ_OK where input `index` has the type of input 0. */
static inline vq_status vq_check_same_type(vq_context *ctx, const vq_node *node, const vq_desc *in,
                                           int index)
{
    if (in[index].dtype == in[0].dtype) return VQ_OK;
    return vq_fail(ctx, VQ_E_SHAPE, "%s: input %d holds %s, but input 0 holds %s", node->name,
                   index, vq_dtype_name(in[index].dtype), vq_dtype_name(in[0].dtype));
}

/** VQ_OK where input 1 has the type and the shape of input 0. */
static inline vq_status vq_check_same_shape(vq_context *ctx, const vq_node *node, const vq_desc *in)
{
    VQ_TRY(vq_check_same_type(ctx, node, in, 1));
    VQ_CHECK(ctx, in[1].shape.rank == in[0].shape.rank, VQ_E_SHAPE,
             "%s: input 0 has %d axes, input 1 has %d", node->name, in[0].shape.rank,
             in[1].shape.rank);
    for (int i = 0; i < in[0].shape.rank; i++)
        VQ_CHECK(ctx, in[1].shape.dim[i] == in[0].shape.dim[i], VQ_E_SHAPE,
                 "%s: axis %d is %lld in input 0 and %lld in input 1", node->name, i,
                 (long long)in[0].shape.dim[i], (long long)in[1].shape.dim[i]);
    return VQ_OK;
}

/** Extent of the last axis; 1 for a scalar. */
static inline size_t vq_last_axis(const vq_shape *shape)
{
    return shape->rank ? (size_t)shape->dim[shape->rank - 1] : 1;
}

/** Elements below which a piece is not worth a thread of its own. */
enum { VQ_ELEMENT_GRAIN = 16384 };

#endif
