/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/conv2d.c -- convolution (cross-correlation, as PyTorch's Conv2d):
 *   forward   y = C x + bias
 *   backward  dx = C^T dy,  dw = gradient of <dy, C x>,  dbias = sum of dy over all places */
#include "nn/ops/common.h"
#include "nn/ops/convolution.h"

static vq_convolution convolution_of(const vq_step *run)
{
    return vq_convolution_of(run->node->attrs, &run->in[0].desc.shape, &run->out[0].desc.shape);
}

static vq_status prepare(vq_step *run)
{
    const vq_convolution c = convolution_of(run);
    run->scratch_size = vq_convolution_scratch(run->ctx, &c);
    return VQ_OK;
}

static vq_status forward(vq_step *run)
{
    const vq_convolution c = convolution_of(run);
    vq_convolution_apply(run->ctx, &c, run->in[0].data, run->param[0].data, false, run->out[0].data,
                         run->scratch);
    if (run->node->n_params > 1)
        vq_bias_add(run->ctx, c.images * c.map_height * c.map_width, c.out, run->param[1].data,
                    run->out[0].data);
    return VQ_OK;
}

static vq_status backward(vq_step *run)
{
    const vq_convolution c = convolution_of(run);
    const real *d_out = run->d_out[0].data;
    if (run->d_param[0].data)
        vq_convolution_weights(run->ctx, &c, run->in[0].data, d_out, run->d_param[0].data,
                               run->scratch);
    if (run->node->n_params > 1 && run->d_param[1].data)
        vq_bias_gradient(run->ctx, c.images * c.map_height * c.map_width, c.out, d_out,
                         run->d_param[1].data);
    if (run->d_in[0].data)
        vq_convolution_adjoint(run->ctx, &c, d_out, run->param[0].data, run->add[0],
                               run->d_in[0].data, run->scratch);
    return VQ_OK;
}

const vq_impl VQ_REAL(vq_conv2d_portable) = {
    .name = "portable",
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .reads_in = true,
};

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
    .portable_f32 = &vq_conv2d_portable_f32,
    .portable_f64 = &vq_conv2d_portable_f64,
    .differentiable = true,
};

#endif
