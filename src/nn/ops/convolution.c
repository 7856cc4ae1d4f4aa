/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/convolution.c -- what convolutions have in common: their shapes, their declaration, and
 * the steps of a plan that run them one way or the other. */
#include "nn/ops/convolution.h"

#include <math.h>

#include "base/sizes.h"
#include "nn/ops/common.h"
#include "nn/ops/convolution_step.h"
#include "nn/ops/elements.h"
#include "nn/winograd/winograd.h"

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

/* ---- steps -------------------------------------------------------------------- */

/* C of a step: conv2d's input is the image, that of a transposed convolution the map. */
static vq_convolution convolution_of(const vq_step *run, bool transposed)
{
    const vq_shape *in = &run->in[0].desc.shape, *out = &run->out[0].desc.shape;
    vq_convolution c = transposed ? vq_convolution_of(run->node->attrs, out, in)
                                  : vq_convolution_of(run->node->attrs, in, out);
    c.bf16 = run->bf16;
    return c;
}

static const char *direct_name(const vq_convolution *c)
{
    return c->bf16 ? "portable bf16" : "portable";
}

static const vq_conv_algorithm direct = {
    .name = direct_name,
    .packed_size = vq_convolution_packed_size,
    .pack = vq_convolution_pack,
    .scratch = vq_convolution_scratch,
    .run = vq_convolution_run,
    .weights_scratch = vq_weights_scratch,
    .weights = vq_convolution_weights,
};

/* Exact plans promise the bits of the direct sums, and transforms would not keep numbers within
 * bf16's few bits; others take what is faster. */
static const vq_conv_algorithm *algorithm_of(const vq_step *run, const vq_convolution *c)
{
#ifdef VQ_REAL_DOUBLE
    (void)run, (void)c;
#else
    if (!run->exact && !c->bf16 && vq_winograd_suits(c)) return &vq_conv_winograd;
#endif
    return &direct;
}

/* Bytes of the packed weights, which come first in scratch. */
static size_t packed_size(const vq_step *run, const vq_convolution *c, vq_conv_direction direction)
{
    const size_t bytes = algorithm_of(run, c)->packed_size(c, direction);
    const size_t lines = (bytes - 1) / VQ_ALIGNMENT + 1;
    return lines * VQ_ALIGNMENT;
}

static size_t direction_scratch(const vq_step *run, const vq_convolution *c,
                                vq_conv_direction direction, bool relu_from)
{
    return packed_size(run, c, direction) +
           algorithm_of(run, c)->scratch(run->ctx, c, direction, relu_from);
}

vq_status vq_convolution_prepare(vq_step *run, bool transposed)
{
    const vq_convolution c = convolution_of(run, transposed);
    const vq_conv_direction forward = transposed ? VQ_CONV_ADJOINT : VQ_CONV_APPLY;
    const vq_conv_direction backward = transposed ? VQ_CONV_APPLY : VQ_CONV_ADJOINT;
    run->scratch_size = direction_scratch(run, &c, forward, run->relu_in);
    if (run->training) {
        run->scratch_size =
            vq_larger(run->scratch_size, algorithm_of(run, &c)->weights_scratch(run->ctx, &c));
        run->scratch_size =
            vq_larger(run->scratch_size, direction_scratch(run, &c, backward, false));
        run->scratch_size = vq_larger(run->scratch_size, vq_bias_scratch(&run->out[0].desc.shape));
        return VQ_OK;
    }
    run->saved_size = vq_convolution_packed_size(&c, forward);
    return VQ_NEW(run->ctx, 1, (const void ***)&run->state);
}

void vq_convolution_release(vq_step *run)
{
    vq_release(run->ctx, run->state);
    run->state = NULL;
}

static const real *bias_of(const vq_step *run)
{
    return run->node->n_params > 1 ? run->param[1].data : NULL;
}

/* The packed weights of forward. In a plan for use they never change after they were bound, so they
 * are packed at the first forward alone; the step's state is what they were packed from. */
static const void *pack_forward(vq_step *run, const vq_convolution *c, vq_conv_direction direction)
{
    const void **packed_from = run->state;
    void *packed = run->training ? run->scratch : run->saved;
    if (run->training || *packed_from != run->param[0].data)
        algorithm_of(run, c)->pack(run->ctx, c, direction, run->param[0].data, bias_of(run),
                                   packed);
    if (!run->training) *packed_from = run->param[0].data;
    return packed;
}

static void *after_packed(const vq_step *run, const vq_convolution *c, vq_conv_direction direction)
{
    return (unsigned char *)run->scratch + packed_size(run, c, direction);
}

vq_status vq_convolution_forward(vq_step *run, bool transposed)
{
    const vq_convolution c = convolution_of(run, transposed);
    const vq_conv_direction direction = transposed ? VQ_CONV_ADJOINT : VQ_CONV_APPLY;
    const vq_conv_arrays_real arrays = {
        .from = run->in[0].data,
        .packed = pack_forward(run, &c, direction),
        .residual = run->residual >= 0 ? run->in[run->residual].data : NULL,
        .to = run->out[0].data,
        .relu = run->relu,
        .relu_from = run->relu_in,
    };
    algorithm_of(run, &c)->run(run->ctx, &c, direction, &arrays, after_packed(run, &c, direction));
    return VQ_OK;
}

static void backward_params(vq_step *run, const vq_convolution *c, bool transposed)
{
    const real *in = run->in[0].data, *d_out = run->d_out[0].data;
    const vq_weights_arrays_real arrays = {.image = transposed ? d_out : in,
                                           .map = transposed ? in : d_out,
                                           .relu_image = !transposed && run->relu_in,
                                           .relu_map = transposed && run->relu_in};
    if (run->d_param[0].data)
        algorithm_of(run, c)->weights(run->ctx, c, &arrays, run->d_param[0].data, run->scratch);
    if (run->node->n_params > 1 && run->d_param[1].data)
        vq_bias_gradient(run->ctx, &run->out[0].desc.shape, d_out, run->d_param[1].data,
                         run->scratch);
}

static void backward_input(vq_step *run, const vq_convolution *c, bool transposed)
{
    const vq_conv_direction direction = transposed ? VQ_CONV_APPLY : VQ_CONV_ADJOINT;
    if (!run->d_in[0].data) return;
    const vq_conv_algorithm *algorithm = algorithm_of(run, c);
    algorithm->pack(run->ctx, c, direction, run->param[0].data, NULL, run->scratch);
    /* A relu before the convolution masks what this step adds, one behind it the whole sum. */
    const bool apart = run->relu_in && run->add[0] && !run->mask[0];
    const vq_conv_arrays_real arrays = {
        .from = run->d_out[0].data,
        .packed = run->scratch,
        .to = run->d_in[0].data,
        .mask = run->relu_in || run->mask[0] ? run->in[0].data : NULL,
        .residual = apart ? run->d_in[0].data : NULL,
        .add = run->add[0] && !apart,
    };
    algorithm->run(run->ctx, c, direction, &arrays, after_packed(run, c, direction));
}

/* The gradient of a sum is the gradient of its summands. */
static void backward_residual(const vq_step *run)
{
    const int r = run->residual;
    if (r < 0 || !run->d_in[r].data || run->d_in[r].data == run->d_out[0].data) return;
    vq_gradient_pass(run->ctx, vq_shape_count(&run->out[0].desc.shape), run->d_out[0].data,
                     run->add[r], run->d_in[r].data);
}

vq_status vq_convolution_backward(vq_step *run, bool transposed)
{
    const vq_convolution c = convolution_of(run, transposed);
    if (run->relu && !run->masked)
        vq_gradient_mask(run->ctx, vq_shape_count(&run->out[0].desc.shape), run->out[0].data,
                         run->d_out[0].data);
    backward_params(run, &c, transposed);
    /* In the order of the inputs: the first to touch a gradient of two inputs writes it. */
    backward_input(run, &c, transposed);
    backward_residual(run);
    return VQ_OK;
}

const char *vq_convolution_describe(const vq_step *run, bool transposed)
{
    const vq_convolution c = convolution_of(run, transposed);
    return algorithm_of(run, &c)->name(&c);
}
