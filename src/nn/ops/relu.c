/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/relu.c -- y = max(0, x); dx = dy where y > 0, else 0. A NaN stays one. */
#include "base/parallel.h"
#include "nn/ops.h"
#include "nn/ops/common.h"

static void forward_range(void *arg, size_t begin, size_t end, int thread)
{
    const vq_step *run = arg;
    const real *x = run->in[0].data;
    real *y = run->out[0].data;
    (void)thread;
    for (size_t i = begin; i < end; i++) y[i] = x[i] < 0 ? 0 : x[i];
}

static void backward_range(void *arg, size_t begin, size_t end, int thread)
{
    const vq_step *run = arg;
    const real *y = run->out[0].data, *dy = run->d_out[0].data;
    real *dx = run->d_in[0].data;
    (void)thread;
    /* dy is read whatever y is, so that the loop has no branch. */
    for (size_t i = begin; i < end; i++) {
        const real slope = dy[i], before = run->add[0] ? dx[i] : 0;
        dx[i] = before + (y[i] > 0 ? slope : 0);
    }
}

static vq_status forward(vq_step *run)
{
    vq_parallel_for(run->ctx, vq_shape_count(&run->in[0].desc.shape), VQ_ELEMENT_GRAIN,
                    forward_range, run);
    return VQ_OK;
}

static vq_status backward(vq_step *run)
{
    if (run->d_in[0].data)
        vq_parallel_for(run->ctx, vq_shape_count(&run->in[0].desc.shape), VQ_ELEMENT_GRAIN,
                        backward_range, run);
    return VQ_OK;
}

const vq_impl VQ_REAL(vq_relu_portable) = {
    .name = "portable",
    .forward = forward,
    .backward = backward,
    .reads_out = true,
    .any_layout = true,
};

#ifndef VQ_REAL_DOUBLE

static vq_status infer(vq_context *ctx, const vq_node *node, const vq_desc *in, vq_desc *out)
{
    VQ_TRY(vq_check_real(ctx, node, 0, &in[0]));
    out[0] = in[0];
    return VQ_OK;
}

const vq_op vq_op_relu = {
    .name = "relu",
    .n_in = 1,
    .n_out = 1,
    .infer = infer,
    .portable_f32 = &vq_relu_portable_f32,
    .portable_f64 = &vq_relu_portable_f64,
    .elementwise = true,
    .differentiable = true,
};

#endif
