/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/conv_transpose2d.c -- transposed convolution, the adjoint of a convolution C that goes
 * from this operation's output to its input (as PyTorch's ConvTranspose2d):
 *   forward   y = C^T x + bias
 *   backward  dx = C dy,  dw = gradient of <x, C dy>,  dbias = sum of dy over all places */
#include "nn/ops/common.h"
#include "nn/ops/convolution.h"

static vq_convolution convolution_of(const vq_step *run)
{
    return vq_convolution_of(run->node->attrs, &run->out[0].desc.shape, &run->in[0].desc.shape);
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
    vq_convolution_adjoint(run->ctx, &c, run->in[0].data, run->param[0].data, false,
                           run->out[0].data, run->scratch);
    if (run->node->n_params > 1)
        vq_bias_add(run->ctx, c.images * c.height * c.width, c.in, run->param[1].data,
                    run->out[0].data);
    return VQ_OK;
}

static vq_status backward(vq_step *run)
{
    const vq_convolution c = convolution_of(run);
    const real *d_out = run->d_out[0].data;
    if (run->d_param[0].data)
        vq_convolution_weights(run->ctx, &c, d_out, run->in[0].data, run->d_param[0].data,
                               run->scratch);
    if (run->node->n_params > 1 && run->d_param[1].data)
        vq_bias_gradient(run->ctx, c.images * c.height * c.width, c.in, d_out,
                         run->d_param[1].data);
    if (run->d_in[0].data)
        vq_convolution_apply(run->ctx, &c, d_out, run->param[0].data, run->add[0],
                             run->d_in[0].data, run->scratch);
    return VQ_OK;
}

const vq_impl VQ_REAL(vq_conv_transpose2d_portable) = {
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
    .portable_f32 = &vq_conv_transpose2d_portable_f32,
    .portable_f64 = &vq_conv_transpose2d_portable_f64,
    .differentiable = true,
};

#endif
