/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/mse.c -- the term mean (x - target)^2 over all numbers:
 *   dx = weight * 2 (x - target) / count; the target gets no gradient. */
#include "base/parallel.h"
#include "nn/ops.h"
#include "nn/ops/common.h"

static vq_status prepare(vq_step *run)
{
    run->scratch_size =
        vq_sum_chunks_count(vq_shape_count(&run->in[0].desc.shape)) * sizeof(double);
    return VQ_OK;
}

static double squares(const void *arg, size_t begin, size_t end)
{
    const vq_step *run = arg;
    const real *x = run->in[0].data, *target = run->in[1].data;
    double sum = 0.0;
    for (size_t i = begin; i < end; i++) {
        const double gap = (double)x[i] - (double)target[i];
        sum += gap * gap;
    }
    return sum;
}

static vq_status forward(vq_step *run)
{
    const size_t count = vq_shape_count(&run->in[0].desc.shape);
    run->terms[0] = vq_sum_chunks(run->ctx, count, squares, run, run->scratch) / (double)count;
    return VQ_OK;
}

static void backward_range(void *arg, size_t begin, size_t end, int thread)
{
    const vq_step *run = arg;
    const real *x = run->in[0].data, *target = run->in[1].data;
    real *dx = run->d_in[0].data;
    const double count = (double)vq_shape_count(&run->in[0].desc.shape);
    const real scale = (real)(run->weights[0] * 2.0 / count);
    (void)thread;
    for (size_t i = begin; i < end; i++)
        dx[i] = scale * (x[i] - target[i]) + (run->add[0] ? dx[i] : 0);
}

static vq_status backward(vq_step *run)
{
    if (run->d_in[0].data)
        vq_parallel_for(run->ctx, vq_shape_count(&run->in[0].desc.shape), VQ_ELEMENT_GRAIN,
                        backward_range, run);
    return VQ_OK;
}

const vq_impl VQ_REAL(vq_mse_portable) = {
    .name = "portable",
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .reads_in = true,
};

#ifndef VQ_REAL_DOUBLE

static vq_status declare(vq_context *ctx, vq_graph *graph, vq_node *node)
{
    const vq_mse_attrs *attrs = node->attrs;
    return vq_graph_term(ctx, graph, node, "mse", attrs->weight);
}

static vq_status infer(vq_context *ctx, const vq_node *node, const vq_desc *in, vq_desc *out)
{
    (void)out;
    VQ_TRY(vq_check_real(ctx, node, 0, &in[0]));
    VQ_TRY(vq_check_same_shape(ctx, node, in));
    VQ_CHECK(ctx, vq_shape_count(&in[0].shape) > 0, VQ_E_SHAPE,
             "%s: the mean over no numbers does not exist", node->name);
    return VQ_OK;
}

const vq_op vq_op_mse = {
    .name = "mse",
    .attrs_size = sizeof(vq_mse_attrs),
    .n_in = 2,
    .n_out = 0,
    .declare = declare,
    .infer = infer,
    .portable_f32 = &vq_mse_portable_f32,
    .portable_f64 = &vq_mse_portable_f64,
    .differentiable = true,
    .targets = 1,
};

#endif
