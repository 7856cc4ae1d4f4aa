/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/conv_transpose2d.c -- transposed convolution, the adjoint of a convolution C that goes
 * from this operation's output to its input (as PyTorch's ConvTranspose2d):
 *   forward   y = C^T x + bias
 *   backward  dx = C dy,  dw = gradient of <x, C dy>,  dbias = sum of dy over all places */
#include "nn/ops/common.h"
#include "nn/ops/convolution.h"

#ifndef VQ_REAL_DOUBLE

static vq_status declare(vq_context *ctx, vq_graph *graph, vq_node *node)
{
    const vq_conv_attrs *attrs = node->attrs;
    const int64_t channels[2] = {attrs->in, attrs->out};
    return vq_convolution_declare(ctx, graph, node, channels);
}

static vq_status infer(vq_context *ctx, const vq_node *node, const vq_desc *in, vq_desc *out)
{
    const vq_conv_attrs *attrs = node->attrs;
    VQ_TRY(vq_convolution_check(ctx, node, &in[0]));
    out[0] = in[0];
    out[0].shape.dim[3] = attrs->out;
    for (int i = 0; i < 2; i++) {
        const int64_t whole = (in[0].shape.dim[1 + i] - 1) * attrs->stride[i] + attrs->kernel[i];
        const int64_t cut = attrs->pad[i] + attrs->pad[2 + i];
        VQ_CHECK(ctx, whole > cut, VQ_E_SHAPE,
                 "%s: a padding of %lld leaves nothing of the output's %s of %lld", node->name,
                 (long long)cut, i ? "width" : "height", (long long)whole);
        out[0].shape.dim[1 + i] = whole - cut;
    }
    return VQ_OK;
}

static double flops(const vq_step *run, vq_direction direction)
{
    (void)direction;
    const vq_conv_attrs *attrs = run->node->attrs;
    return vq_convolution_flops(run, &run->in[0].desc.shape, attrs->out);
}

const vq_op vq_op_conv_transpose2d = {
    .name = "conv_transpose2d",
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
