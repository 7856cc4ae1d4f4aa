/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/convolution_step.c -- the steps of conv2d and conv_transpose2d, which differ in what runs
 * forward: C of convolution.h or its adjoint. */
#include "base/sizes.h"
#include "kernels/bf16.h"
#include "kernels/kernels.h"
#include "nn/ops/common.h"
#include "nn/ops/convolution.h"
#include "nn/ops/elements.h"
#include "nn/winograd/winograd.h"

static const char *direct_name(const vq_context *ctx, const vq_convolution *c)
{
    (void)ctx, (void)c;
    return "portable";
}

const vq_conv_algorithm vq_conv_direct = {
    .name = direct_name,
    .packed_size = vq_convolution_packed_size,
    .pack = vq_convolution_pack,
    .scratch = vq_convolution_scratch,
    .run = vq_convolution_run,
    .weights_scratch = vq_weights_scratch,
    .weights = vq_convolution_weights,
};

#ifndef VQ_REAL_DOUBLE
static const char *bf16_name(const vq_context *ctx, const vq_convolution *c)
{
    (void)c;
    return vq_kernels_of(ctx)->bf16->name;
}

const vq_conv_algorithm vq_conv_bf16 = {
    .name = bf16_name,
    .packed_size = vq_convolution_packed_size,
    .pack = vq_convolution_pack,
    .scratch = vq_convolution_scratch,
    .run = vq_convolution_run,
    .weights_scratch = vq_weights_bf16_scratch,
    .weights = vq_convolution_weights_bf16,
};
#endif

/* Exact plans promise the bits of the direct sums, and transforms would not keep numbers within
 * bf16's few bits; others take what is faster. */
static const vq_conv_algorithm *algorithm_of(const vq_step *run, const vq_convolution *c)
{
#ifdef VQ_REAL_DOUBLE
    (void)run, (void)c;
#else
    if (c->bf16) return &vq_conv_bf16;
    if (!run->exact && vq_winograd_suits(c)) return &vq_conv_winograd;
#endif
    return &vq_conv_direct;
}

/* What follows from the node and its shapes. */
typedef struct conv_step {
    vq_convolution c;
    const vq_conv_algorithm *algorithm;
    bool transposed;
    vq_conv_direction forward, backward;
} conv_step;

/* conv2d's input is the image of C, that of a transposed convolution the map. */
static conv_step step_of(const vq_step *run)
{
    const vq_shape *in = &run->in[0].desc.shape, *out = &run->out[0].desc.shape;
    const bool transposed = run->node->op == &vq_op_conv_transpose2d;
    conv_step s = {
        .c = vq_convolution_of(run->node->attrs, transposed ? out : in, transposed ? in : out),
        .transposed = transposed,
        .forward = transposed ? VQ_CONV_ADJOINT : VQ_CONV_APPLY,
        .backward = transposed ? VQ_CONV_APPLY : VQ_CONV_ADJOINT,
    };
    s.c.bf16 = run->bf16;
    s.algorithm = algorithm_of(run, &s.c);
    return s;
}

/* Bytes of the packed weights. */
static size_t packed_size(const conv_step *s, vq_conv_direction direction)
{
    return vq_round_up(s->algorithm->packed_size(&s->c, direction), VQ_ALIGNMENT);
}

/* In training packed weights come first in scratch; in use they are kept. */
static vq_status prepare(vq_step *run)
{
    const conv_step s = step_of(run);
    const size_t size = s.algorithm->scratch(run->ctx, &s.c, s.forward, run->relu_in);
    if (!run->training) {
        run->scratch_size = size;
        run->saved_size = packed_size(&s, s.forward);
        return VQ_NEW(run->ctx, 1, (const void ***)&run->state);
    }
    run->scratch_size = packed_size(&s, s.forward) + size;
    const size_t others[] = {
        packed_size(&s, s.backward) + s.algorithm->scratch(run->ctx, &s.c, s.backward, false),
        s.algorithm->weights_scratch(run->ctx, &s.c), vq_bias_scratch(&run->out[0].desc.shape)};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        run->scratch_size = vq_larger(run->scratch_size, others[i]);
    return VQ_OK;
}

static void release(vq_step *run)
{
    vq_release(run->ctx, run->state);
    run->state = NULL;
}

static const real *bias_of(const vq_step *run)
{
    return run->node->n_params > 1 ? run->param[1].data : NULL;
}

static vq_room scratch_of(const vq_step *run)
{
    return (vq_room){run->scratch, run->scratch_size};
}

/* Where the packed weights of forward lie. */
static vq_room forward_room(const vq_step *run)
{
    return run->training ? scratch_of(run) : (vq_room){run->saved, run->saved_size};
}

/* In a plan for use weights never change after they were bound, so they are packed at the first
 * forward alone; the step's state is what they were packed from. */
static vq_status pack_forward(vq_step *run, const conv_step *s)
{
    const void **packed_from = run->state, *from = run->param[0].data;
    if (!run->training && *packed_from == from) return VQ_OK;
    VQ_TRY(s->algorithm->pack(run->ctx, &s->c, s->forward, from, bias_of(run), forward_room(run)));
    if (!run->training) *packed_from = from;
    return VQ_OK;
}

static vq_status run_direction(vq_step *run, const conv_step *s, vq_conv_direction direction,
                               const vq_conv_arrays_real *arrays)
{
    const size_t packed = run->training ? packed_size(s, direction) : 0;
    return s->algorithm->run(run->ctx, &s->c, direction, arrays,
                             vq_room_behind(scratch_of(run), packed));
}

static vq_status forward(vq_step *run)
{
    const conv_step s = step_of(run);
    const vq_conv_arrays_real arrays = {
        .from = run->in[0].data,
        .packed = forward_room(run).at,
        .residual = run->residual >= 0 ? run->in[run->residual].data : NULL,
        .to = run->out[0].data,
        .relu = run->relu,
        .relu_from = run->relu_in,
    };
    VQ_TRY(pack_forward(run, &s));
    return run_direction(run, &s, s.forward, &arrays);
}

static vq_status backward_params(vq_step *run, const conv_step *s)
{
    const real *in = run->in[0].data, *d_out = run->d_out[0].data;
    const vq_weights_arrays_real arrays = {.image = s->transposed ? d_out : in,
                                           .map = s->transposed ? in : d_out,
                                           .relu_image = !s->transposed && run->relu_in,
                                           .relu_map = s->transposed && run->relu_in};
    if (run->d_param[0].data)
        VQ_TRY(
            s->algorithm->weights(run->ctx, &s->c, &arrays, run->d_param[0].data, scratch_of(run)));
    if (run->node->n_params > 1 && run->d_param[1].data)
        VQ_TRY(vq_bias_gradient(run->ctx, &run->out[0].desc.shape, d_out, run->d_param[1].data,
                                scratch_of(run)));
    return VQ_OK;
}

static vq_status backward_input(vq_step *run, const conv_step *s)
{
    if (!run->d_in[0].data) return VQ_OK;
    VQ_TRY(s->algorithm->pack(run->ctx, &s->c, s->backward, run->param[0].data, NULL,
                              scratch_of(run)));
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
    return run_direction(run, s, s->backward, &arrays);
}

/* The gradient of a sum is the gradient of its summands. */
static void backward_residual(const vq_step *run)
{
    const int r = run->residual;
    if (r < 0 || !run->d_in[r].data || run->d_in[r].data == run->d_out[0].data) return;
    vq_gradient_pass(run->ctx, vq_shape_count(&run->out[0].desc.shape), run->d_out[0].data,
                     run->add[r], run->d_in[r].data);
}

static vq_status backward(vq_step *run)
{
    const conv_step s = step_of(run);
    if (run->relu && !run->masked)
        vq_gradient_mask(run->ctx, vq_shape_count(&run->out[0].desc.shape), run->out[0].data,
                         run->d_out[0].data);
    VQ_TRY(backward_params(run, &s));
    /* In the order of the inputs: the first to touch a gradient of two inputs writes it. */
    VQ_TRY(backward_input(run, &s));
    backward_residual(run);
    return VQ_OK;
}

/* One algorithm serves all directions. */
static const char *describe(const vq_step *run, vq_direction direction)
{
    const conv_step s = step_of(run);
    (void)direction;
    return s.algorithm->name(run->ctx, &s.c);
}

const vq_impl VQ_REAL(vq_convolution_portable) = {
    .name = "portable",
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .release = release,
    .describe = describe,
    .folds = VQ_FOLD_RELU | VQ_FOLD_ADD | VQ_FOLD_RELU_IN | VQ_FOLD_MASK,
    .reads_in = true,
};
