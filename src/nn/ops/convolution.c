/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/convolution.c -- what conv2d and conv_transpose2d have in common: shapes, declaration
 * and checks. */
#include "nn/ops/convolution.h"

#include <math.h>

#include "nn/ops/common.h"
#include "tensor/shape.h"

#ifndef VQ_REAL_DOUBLE

vq_convolution vq_convolution_of(const vq_conv_attrs *attrs, const vq_shape *image,
                                 const vq_shape *map)
{
    vq_convolution c = {.images = (size_t)image->dim[0],
                        .in = (size_t)image->dim[3],
                        .out = (size_t)map->dim[3]};
    for (int i = 0; i < 2; i++) {
        c.image[i] = (size_t)image->dim[1 + i];
        c.map[i] = (size_t)map->dim[1 + i];
        c.kernel[i] = (size_t)attrs->kernel[i];
        c.stride[i] = (size_t)attrs->stride[i];
        c.pad[i] = (size_t)attrs->pad[i];
    }
    return c;
}

/* Far beyond any use, and sums and products of two such numbers and an edge's extent stay far below
 * what 64 bits hold. */
enum { ATTR_MAX = 65536 };

static vq_status check_attr(vq_context *ctx, const vq_node *node, const char *what, int64_t value,
                            int64_t least)
{
    VQ_CHECK(ctx, value >= least && value <= ATTR_MAX, VQ_E_ARG,
             "%s: %s of %lld, but it must be %lld to %d", node->name, what, (long long)value,
             (long long)least, ATTR_MAX);
    return VQ_OK;
}

static vq_status check_attrs(vq_context *ctx, const vq_node *node, const vq_shape *weight)
{
    const vq_conv_attrs *attrs = node->attrs;
    char shape[128];
    size_t bytes;
    VQ_TRY(check_attr(ctx, node, "a number of channels in", attrs->in, 1));
    VQ_TRY(check_attr(ctx, node, "a number of channels out", attrs->out, 1));
    for (int i = 0; i < 2; i++) {
        VQ_TRY(check_attr(ctx, node, "a kernel's side", attrs->kernel[i], 1));
        VQ_TRY(check_attr(ctx, node, "a stride", attrs->stride[i], 1));
    }
    for (int i = 0; i < 4; i++) VQ_TRY(check_attr(ctx, node, "a padding", attrs->pad[i], 0));
    vq_shape_text(weight, shape, sizeof shape);
    VQ_CHECK(ctx, vq_shape_bytes(weight, VQ_F32, &bytes) && bytes / sizeof(float) <= INT32_MAX,
             VQ_E_ARG, "%s: weights of %s are more than %ld numbers", node->name, shape,
             (long)INT32_MAX);
    return VQ_OK;
}

vq_status vq_convolution_declare(vq_context *ctx, vq_graph *graph, vq_node *node,
                                 const int64_t weight_channels[2])
{
    const vq_conv_attrs *attrs = node->attrs;
    /* PyTorch takes fan_in from the second axis, for transposed convolutions too. */
    const double fan_in =
        (double)weight_channels[1] * (double)attrs->kernel[0] * (double)attrs->kernel[1];
    vq_param_spec spec = {
        .suffix = "weight",
        .shape = {4, {weight_channels[0], weight_channels[1], attrs->kernel[0], attrs->kernel[1]}},
        .kind = VQ_PARAM_TRAINED,
        .group = VQ_GROUP_WEIGHTS,
        .init = VQ_INIT_UNIFORM,
        .init_scale = 1.0 / sqrt(fan_in),
    };
    VQ_TRY(check_attrs(ctx, node, &spec.shape));
    VQ_TRY(vq_graph_param(ctx, graph, node, &spec));
    if (!attrs->bias) return VQ_OK;
    spec.suffix = "bias";
    spec.shape = (vq_shape){1, {attrs->out}};
    return vq_graph_param(ctx, graph, node, &spec);
}

vq_status vq_convolution_check(vq_context *ctx, const vq_node *node, const vq_desc *in)
{
    const vq_conv_attrs *attrs = node->attrs;
    VQ_TRY(vq_check_real(ctx, node, 0, in));
    VQ_CHECK(ctx, in->shape.rank == 4, VQ_E_SHAPE,
             "%s: the input has %d axes, but 4 are needed: N,H,W,C", node->name, in->shape.rank);
    VQ_CHECK(ctx, in->shape.dim[3] == attrs->in, VQ_E_SHAPE,
             "%s: the input has %lld channels, but the weights expect %lld", node->name,
             (long long)in->shape.dim[3], (long long)attrs->in);
    return VQ_OK;
}

/* Every number of the map takes part in in*kh*kw multiply-adds. */
double vq_convolution_flops(const vq_step *run, const vq_shape *map, int64_t channels)
{
    const vq_conv_attrs *attrs = run->node->attrs;
    return 2.0 * (double)vq_shape_count(map) * (double)channels * (double)attrs->kernel[0] *
           (double)attrs->kernel[1];
}

#endif
