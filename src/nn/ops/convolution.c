/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/convolution.c -- what conv2d and conv_transpose2d have in common: shapes, declaration
 * and checks. */
#include "nn/ops/convolution.h"

#include <math.h>

#include "nn/ops/common.h"

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

static vq_status check_attrs(vq_context *ctx, const vq_node *node)
{
    const vq_conv_attrs *attrs = node->attrs;
    VQ_CHECK(ctx, attrs->in >= 1 && attrs->out >= 1, VQ_E_ARG,
             "%s: %lld channels in and %lld out, but both must be at least 1", node->name,
             (long long)attrs->in, (long long)attrs->out);
    for (int i = 0; i < 2; i++)
        VQ_CHECK(ctx, attrs->kernel[i] >= 1 && attrs->stride[i] >= 1, VQ_E_ARG,
                 "%s: kernel %lld and stride %lld, but both must be at least 1", node->name,
                 (long long)attrs->kernel[i], (long long)attrs->stride[i]);
    for (int i = 0; i < 4; i++)
        VQ_CHECK(ctx, attrs->pad[i] >= 0, VQ_E_ARG,
                 "%s: a padding of %lld, but it must be at least 0", node->name,
                 (long long)attrs->pad[i]);
    return VQ_OK;
}

vq_status vq_convolution_declare(vq_context *ctx, vq_graph *graph, vq_node *node,
                                 const int64_t weight_channels[2])
{
    const vq_conv_attrs *attrs = node->attrs;
    VQ_TRY(check_attrs(ctx, node));
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
