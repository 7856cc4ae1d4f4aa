/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/conv2d.c -- convolution (cross-correlation, as PyTorch's Conv2d):
 *   forward   y = C x + bias
 *   backward  dx = C^T dy,  dw = gradient of <dy, C x>,  dbias = sum of dy over all places */
#include "nn/ops/common.h"
#include "nn/ops/convolution.h"

#ifndef VQ_REAL_DOUBLE

static vq_status declare(vq_context *ctx, vq_graph *graph, vq_node *node)
{
    const vq_conv_attrs *attrs = node->attrs;
    const int64_t channels[2] = {attrs->out, attrs->in};
    return vq_convolution_declare(ctx, graph, node, channels);
}

static vq_status infer(vq_context *ctx, const vq_node *node, const vq_desc *in, vq_desc *out)
{
    const vq_conv_attrs *attrs = node->attrs;
    VQ_TRY(vq_convolution_check(ctx, node, &in[0]));
    out[0] = in[0];
    out[0].shape.dim[3] = attrs->out;
    for (int i = 0; i < 2; i++) {
        const int64_t size = in[0].shape.dim[1 + i] + attrs->pad[i] + attrs->pad[2 + i];
        VQ_CHECK(ctx, size >= attrs->kernel[i], VQ_E_SHAPE,
                 "%s: a padded %s of %lld is smaller than the kernel's %lld", node->name,
                 i ? "width" : "height", (long long)size, (long long)attrs->kernel[i]);
        out[0].shape.dim[1 + i] = (size - attrs->kernel[i]) / attrs->stride[i] + 1;
    }
    return VQ_OK;
}

static double flops(const vq_step *run, vq_direction direction)
{
    (void)direction;
    const vq_conv_attrs *attrs = run->node->attrs;
    return vq_convolution_flops(run, &run->out[0].desc.shape, attrs->in);
}

const vq_op vq_op_conv2d = {
    .name = "conv2d",
    .attrs_size = sizeof(vq_conv_attrs),
    .n_in = 1,
    .n_out = 1,
    .declare = declare,
    .infer = infer,
    .flops = flops,
    .portable_f32 = &vq_convolution_portable_f32,
    .portable_f64 = &vq_convolution_portable_f64,
    .differentiable = true,
};

#endif
