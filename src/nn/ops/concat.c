/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/concat.c -- inputs side by side along the last axis; each gets its part of dy. */
#include <string.h>

#include "base/parallel.h"
#include "nn/ops.h"
#include "nn/ops/common.h"

static void forward_range(void *arg, size_t begin, size_t end, int thread)
{
    const vq_step *run = arg;
    const size_t width = vq_last_axis(&run->out[0].desc.shape);
    size_t at = 0;
    (void)thread;
    for (int k = 0; k < run->node->n_in; k++) {
        const size_t part = vq_last_axis(&run->in[k].desc.shape);
        const real *from = run->in[k].data;
        real *to = (real *)run->out[0].data + at;
        for (size_t row = begin; row < end; row++)
            memcpy(to + row * width, from + row * part, part * sizeof *to);
        at += part;
    }
}

static void backward_range(void *arg, size_t begin, size_t end, int thread)
{
    const vq_step *run = arg;
    const size_t width = vq_last_axis(&run->out[0].desc.shape);
    size_t at = 0;
    (void)thread;
    for (int k = 0; k < run->node->n_in; k++) {
        const size_t part = vq_last_axis(&run->in[k].desc.shape);
        const real *from = (const real *)run->d_out[0].data + at;
        real *to = run->d_in[k].data;
        at += part;
        if (!to) continue;
        for (size_t row = begin; row < end; row++)
            for (size_t j = 0; j < part; j++)
                to[row * part + j] = from[row * width + j] + (run->add[k] ? to[row * part + j] : 0);
    }
}

static void over_rows(vq_step *run, vq_range_fn *fn)
{
    const size_t count = vq_shape_count(&run->out[0].desc.shape);
    const size_t width = vq_last_axis(&run->out[0].desc.shape);
    if (count) vq_parallel_for(run->ctx, count / width, 1 + VQ_ELEMENT_GRAIN / width, fn, run);
}

static vq_status forward(vq_step *run)
{
    over_rows(run, forward_range);
    return VQ_OK;
}

static vq_status backward(vq_step *run)
{
    over_rows(run, backward_range);
    return VQ_OK;
}

const vq_impl VQ_REAL(vq_concat_portable) = {
    .name = "portable",
    .forward = forward,
    .backward = backward,
};

#ifndef VQ_REAL_DOUBLE

static vq_status infer(vq_context *ctx, const vq_node *node, const vq_desc *in, vq_desc *out)
{
    const int last = in[0].shape.rank - 1;
    VQ_TRY(vq_check_real(ctx, node, 0, &in[0]));
    VQ_CHECK(ctx, last >= 0, VQ_E_SHAPE, "%s: a scalar has no last axis to join along", node->name);
    out[0] = in[0];
    for (int k = 1; k < node->n_in; k++) {
        VQ_TRY(vq_check_same_type(ctx, node, in, k));
        VQ_CHECK(ctx, in[k].shape.rank == in[0].shape.rank, VQ_E_SHAPE,
                 "%s: input %d has %d axes, input 0 has %d", node->name, k, in[k].shape.rank,
                 in[0].shape.rank);
        for (int i = 0; i < last; i++)
            VQ_CHECK(ctx, in[k].shape.dim[i] == in[0].shape.dim[i], VQ_E_SHAPE,
                     "%s: axis %d is %lld in input %d and %lld in input 0", node->name, i,
                     (long long)in[k].shape.dim[i], k, (long long)in[0].shape.dim[i]);
        out[0].shape.dim[last] += in[k].shape.dim[last];
    }
    return VQ_OK;
}

const vq_op vq_op_concat = {
    .name = "concat",
    .n_in = -1,
    .n_out = 1,
    .infer = infer,
    .portable_f32 = &vq_concat_portable_f32,
    .portable_f64 = &vq_concat_portable_f64,
    .differentiable = true,
};

#endif
